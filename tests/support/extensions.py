"""Extension modules in C, built by tests with the header of the installed vmem."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import vmem
from tests.support.interpreter import FREE_THREADED

PROGRAMS = Path(__file__).parents[1] / "programs"
STABLE_ABI = ("Py_LIMITED_API", "0x030B0000")

SETUP = f"""
from setuptools import Extension, setup
setup(
    name="NAME",
    py_modules=[],
    ext_modules=[Extension(
        "NAME", ["NAME.c"], include_dirs=[{vmem.get_include()!r}],
        define_macros={[] if FREE_THREADED else [STABLE_ABI]!r}, py_limited_api={not FREE_THREADED!r},
    )],
)
"""


def build_extension(folder: Path, name: str) -> None:
    """Builds tests/programs/NAME.c into a folder."""
    shutil.copy(PROGRAMS / f"{name}.c", folder)
    (folder / "setup.py").write_text(SETUP.replace("NAME", name), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
