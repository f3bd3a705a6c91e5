"""How the tests of csrc/vmem.h and csrc/vmem_arena.h compile, link and run C programs."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.processes import ROOT

HEADER = ROOT / "csrc" / "vmem.h"
ARENA_HEADER = ROOT / "csrc" / "vmem_arena.h"
SOURCES = Path(__file__).parent / "c"

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror")

STANDARDS: Mapping[str, Sequence[str]] = {
    "c99": ("-std=c99",),
    "c11": ("-std=c11",),
    "c++11": ("-x", "c++", "-std=c++11"),
    "c++20": ("-x", "c++", "-std=c++20"),
}
CXX_COMPILERS = {"gcc": "g++", "clang": "clang++"}

# Three files, because the header must work when many files include it and one has the implementation.
TEST_PROGRAM = ("test_vmem.c", "implementation.c", "second_user.c")

# These have an implementation of their own.
OBJECT_PROGRAM = ("test_objects.c",)
ARENA_PROGRAM = ("test_arena.c",)
ARENA_MODEL_PROGRAM = ("test_arena_model.c",)

# What VMEM_DEBUG refuses. It has an implementation of its own.
DEBUG_PROGRAM = ("test_debug.c",)

# With this, a program checks its calls against a table, and must do what it does without.
DEBUG = ("-DVMEM_DEBUG",)

# Optimising these takes longer than running them. The code of the header is optimised in the others.
UNOPTIMISED = (
    *("test_objects.c", "test_objects_linux.c", "test_object_faults.c"),
    *("test_vmem.c", "second_user.c", "test_faults.c", "test_threads.c", "test_unix.c", "test_windows.c"),
    *("documented_api.c", "private_copy.c", "test_debug.c"),
    *("test_arena_linux.c", "arena_user.c", "arena_private_copy.c"),
)

# For a linker too. Options for the language are not: it would compile the objects.
LINKER_OPTIONS = ("-fsanitize", "-pthread", "-static")

EXECUTABLE = "program.exe" if sys.platform == "win32" else "program"

# Far more than any command takes, however many others run beside it: it ends those that hang.
TIMEOUT = 600  # seconds


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Returns what the command prints. The test fails with that if the command does."""
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def check_report(output: str) -> None:
    """Tests the report of a test program, "N checks, 0 failed", among what it and its emulator print."""
    reports = [line for line in output.splitlines() if line.endswith(" failed")]
    assert len(reports) == 1, output
    assert reports[0].endswith(" checks, 0 failed"), output
    assert not reports[0].startswith("0 ")


def find_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def find_compiler(compiler: str, standard: str = "c99") -> list[str]:
    """Returns the command with which gcc or clang compile .c files as this standard of C or C++."""
    is_cxx = standard.startswith("c++")
    return [find_tool(CXX_COMPILERS.get(compiler, compiler) if is_cxx else compiler), *STANDARDS[standard]]


class Builder:
    """Compiles and links in a folder: each object once, and each program once, for all tests of a session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built: dict[tuple[str | Path, ...], Path] = {}

    def make(self, command: Sequence[str | Path], name: str) -> Path:
        """Runs the command, unless it ran before, with a file for its output."""
        key = tuple(command)
        if key not in self.built:
            folder = self.folder / str(len(self.built))
            folder.mkdir(exist_ok=True)
            run([*command, "-o", folder / name])
            self.built[key] = folder / name
        return self.built[key]

    def compile(self, compiler: Sequence[str], source: str | Path) -> Path:
        """Compiles a file of the folder "c", or any other."""
        optimise = "-O0" if source in UNOPTIMISED else "-O1"
        options = [*WARNINGS, optimise, "-c", f"-I{HEADER.parent}"]
        return self.make([*compiler, *options, SOURCES / source], f"{Path(source).stem}.o")

    def link(self, linker: Sequence[str], objects: Sequence[Path]) -> Path:
        return self.make([*linker, *objects], "program.exe" if "mingw" in linker[0] else EXECUTABLE)

    def build(self, compiler: Sequence[str], sources: Sequence[str | Path]) -> Path:
        """Compiles each file, and links them with the same compiler."""
        linker = [compiler[0], *(option for option in compiler if option.startswith(LINKER_OPTIONS))]
        return self.link(linker, [self.compile(compiler, source) for source in sources])


@functools.cache
def without_random_addresses() -> tuple[str, ...]:
    """Returns the command that runs another one without random addresses; empty where a container forbids that.

    Wine and older sanitizers need certain addresses, and do not start when these are taken by chance.
    """
    command = ("setarch", "--addr-no-randomize")
    if sys.platform != "linux" or shutil.which(command[0]) is None:
        return ()
    done = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if done.returncode == 0 else ()
