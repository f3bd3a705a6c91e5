"""The guides in docs/how-to: the lines that they begin with run when pasted, and they say what can go wrong."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.marks import linux_only
from tests.support.processes import ROOT

GUIDES = ROOT / "docs" / "how-to"
IN_C = ("arenas-in-c",)  # whose first lines tests/header compiles
IN_PYTHON = sorted(path.stem for path in GUIDES.glob("*.md") if path.stem not in IN_C)
LIBRARIES = ("duckdb", "polars", "pyarrow", "torch")
TAKE_MANY_ADDRESSES = ("files-and-sockets", "sparse-index")

# What must hold after the first lines, where these do not assert it themselves.
EFFECTS = {
    "guard-pages": "assert bytes(buffer[98:]) == bytes([0, 1])",
    "hand-to-c": "assert numbers.tolist()[:4] == [0.0, 0.0, 0.0, 0.0]",
    "huge-pages": "assert region.committed == 32 << 20",
    "last-ten-seconds": "assert window.shape == (4096,)",
    "locked-secrets": "assert region.released",
    "record-telemetry": "assert speeds.tolist() == [81.5]",
}


def read_guide(name: str) -> str:
    return (GUIDES / f"{name}.md").read_text(encoding="utf-8")


def read_beginning(name: str) -> str:
    """The first block, which is above the first section. It is written out, so that sites of repositories show it."""
    introduction, _, _ = read_guide(name).partition("\n## ")
    blocks = re.findall(r"^```(\S+).*\n((?:.*\n)*?)```\n", introduction, re.MULTILINE)
    kind, block = blocks[0]
    assert kind == "python"
    return str(block)


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    needed = re.findall(rf"^import ({'|'.join(LIBRARIES)})\b", read_beginning(name), re.MULTILINE)
    missing = [library for library in dict.fromkeys(needed) if importlib.util.find_spec(library) is None]
    marks = [pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)}: not installed")]
    return marks + ([pytest.mark.many_addresses] if name in TAKE_MANY_ADDRESSES else [])


@linux_only
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks_of(name)) for name in IN_PYTHON])
def test_the_first_lines_run_when_they_are_pasted(name: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"{read_beginning(name)}{EFFECTS.get(name, '')}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", program], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), program.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", IN_PYTHON)
def test_the_first_lines_are_few(name: str) -> None:
    lines = [line for line in read_beginning(name).splitlines() if not re.match(r"import |from |$", line)]
    assert 3 <= len(lines) <= 7
    assert max(map(len, lines)) <= 105


@pytest.mark.parametrize("name", ["guard-pages", "hand-to-c", "locked-secrets", *IN_C, "machine-code", "real-time"])
def test_the_last_section_is_what_can_go_wrong(name: str) -> None:
    titles = re.findall(r"^## (.*)$", read_guide(name), re.MULTILINE)
    assert titles[-1] == "What can go wrong"
