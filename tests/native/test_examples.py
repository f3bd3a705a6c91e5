"""examples/native: built against the installed package as users build them, and run. docs/native.md shows them."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

import vmem
from tests.support.processes import ROOT, run_command
from tests.support.sharing import SharedFolder

EXAMPLES = ROOT / "examples" / "native"
PAGE = ROOT / "docs" / "native.md"
LANGUAGES = {".c": "c", ".py": "python", ".pyx": "cython", ".toml": "toml", ".txt": "cmake"}


def install(example: str, folder: Path) -> Path:
    """Copies an example, and installs the copy into a folder of its own with pip. Needs no network."""
    source = shutil.copytree(EXAMPLES / example, folder / example)
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    target = folder / "installed"
    run_command(
        [sys.executable, "-m", "pip", "install", *options, "--no-warn-script-location", "--target", target, source]
    )
    return target


@pytest.fixture(scope="module")
def ramp(shared_folder: SharedFolder) -> str:
    """Where the extension is installed."""
    return str(shared_folder("ramp", lambda folder: install("extension", folder)) / "installed")


def test_the_extension(ramp: str, page: int) -> None:
    lines = run_command([sys.executable, EXAMPLES / "extension" / "use_ramp.py"], PYTHONPATH=ramp).splitlines()
    assert lines[0] == str(sum(1.0 + 0.5 * number for number in range(2000)))
    committed = vmem.align_forward(8 * 2000, page)
    assert lines[1].startswith(f"bytes {committed} to {8 << 20} of this region are not committed; ")
    assert len(lines) == 2


def test_the_extension_refuses_wrong_arguments(ramp: str) -> None:
    script = """if True:
        import sys, ramp, vmem
        region = vmem.reserve(1 << 20)
        region.commit()
        view = region[0:8]
        for arguments in [
            (region, -1, 1, 0.0, 0.0),
            (region, 0, -1, 0.0, 0.0),
            (region, sys.maxsize, 1, 0.0, 0.0),
            (region, 0, sys.maxsize, 0.0, 0.0),
            (region, sys.maxsize // 8, sys.maxsize // 8, 0.0, 0.0),
            (region, (sys.maxsize + 1) // 4, 1, 0.0, 0.0),  # in bytes, both would overflow to 0
            (region, 0, (sys.maxsize + 1) // 4, 0.0, 0.0),
            (region, 1 << 17, 1, 0.0, 0.0),
            (5, 0, 0, 0.0, 0.0),
        ]:
            try:
                ramp.fill(*arguments)
            except (ValueError, TypeError):
                continue
            raise SystemExit(arguments)
        ramp.fill(region, 1 << 17, 0, 0.0, 0.0)
        assert not any(region[:])
        view.release()
        region.release()
    """
    assert run_command([sys.executable, "-c", script], PYTHONPATH=ramp) == ""


def test_cython(tmp_path: Path) -> None:
    if not importlib.util.find_spec("Cython"):
        pytest.skip("Cython is not installed")
    installed = str(install("cython", tmp_path))
    lines = run_command([sys.executable, EXAMPLES / "cython" / "use_noise.py"], PYTHONPATH=installed).splitlines()
    refusal = "bytes 0 to 100 of this region cannot be written; protect(Protection.READ_WRITE, 0, 100) lets you"
    assert lines == ["256 different bytes", refusal]


def test_cmake(tmp_path: Path) -> None:
    scripts = sysconfig.get_path("scripts")
    cmake = shutil.which("cmake", path=os.pathsep.join([scripts, os.environ["PATH"]]))
    if cmake is None:
        pytest.skip("cmake is not installed")
    source = shutil.copytree(EXAMPLES / "cmake", tmp_path / "cmake")
    build = tmp_path / "build"
    folder = run_command([sys.executable, "-m", "vmem", "--cmakedir"]).strip()
    run_command([cmake, "-S", source, "-B", build, f"-Dvmem_DIR={folder}"])
    run_command([cmake, "--build", build])
    (program,) = (path for path in build.rglob("reverse_lines*") if path.suffix in ("", ".exe") and path.is_file())
    generator = random.Random(7)
    numbers = [str(generator.getrandbits(100)) for _ in range(20_000)]  # many times what is committed at once
    assert run_command([program], text="\n".join(numbers) + "\n").split() == numbers[::-1]
    assert run_command([program]) == ""
    assert run_command([program], text="one") == "one"


def test_the_page_shows_the_examples() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"\(\.\./examples/native/([\w/.]+)\):\n\n```(\w+)\n(.*?)```\n", text, re.DOTALL)
    files = {path.relative_to(EXAMPLES).as_posix(): path for path in EXAMPLES.rglob("*.*")}
    shown = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    assert {name: code for name, _, code in blocks} == shown
    assert {name: language for name, language, _ in blocks} == {
        name: LANGUAGES[path.suffix] for name, path in files.items()
    }
    num_sketches = text.count("```c\nstatic VmemRing ring;")
    assert text.count("```") == 2 * (len(blocks) + num_sketches + len(re.findall(r"^```sh$", text, re.MULTILINE)))


def test_the_page_names_all_functions() -> None:
    header = (ROOT / "csrc" / "vmem_python.h").read_text(encoding="utf-8")
    functions = re.findall(r"^    (?:int |PyObject\* |void\* )\(\*(\w+)\)\(", header, re.MULTILINE)
    assert len(functions) > 3
    assert re.findall(r"^\| `(\w+)\([&\w][^`]*\)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == functions
