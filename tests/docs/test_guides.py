"""The guides in docs/how-to: the lines that they begin with run, and they end with what can go wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.marks import linux_only
from tests.support.processes import ROOT

GUIDES = ROOT / "docs" / "how-to"

BEGINNINGS = {
    "guard-pages": "assert bytes(buffer[98:]) == bytes([0, 1])",
    "hand-to-c": "assert numbers.tolist()[:4] == [0.0, 0.0, 0.0, 0.0]",
    "locked-secrets": "assert region.released",
}
WITH_TROUBLE = (*BEGINNINGS, "arenas-in-c", "machine-code", "real-time")


def read_guide(name: str) -> str:
    return (GUIDES / f"{name}.md").read_text(encoding="utf-8")


def read_beginning(text: str) -> str:
    """The block of Python between the sentence that begins with When and what follows."""
    (block,) = re.findall(r"\A# .*\n\n\*\*When\*\* [^`]*\n\n```python\n(.*?)```\n", text, re.DOTALL)
    return str(block)


@linux_only
@pytest.mark.parametrize("name", BEGINNINGS)
def test_the_first_lines_run(name: str, tmp_path: Path) -> None:
    program = read_beginning(read_guide(name)) + BEGINNINGS[name]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), program


@pytest.mark.parametrize("name", BEGINNINGS)
def test_the_first_lines_are_few(name: str) -> None:
    lines = [line for line in read_beginning(read_guide(name)).splitlines() if not re.match(r"import |$", line)]
    assert 3 <= len(lines) <= 6
    assert max(map(len, lines)) <= 105


@pytest.mark.parametrize("name", WITH_TROUBLE)
def test_the_last_section_is_what_can_go_wrong(name: str) -> None:
    titles = re.findall(r"^## (.*)$", read_guide(name), re.MULTILINE)
    assert titles[-1] == "What can go wrong"
