"""Makes every system call of every public call fail, in a build of the extension for this, and checks the effects."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.marks import linux_only, sample
from tests.support.processes import ROOT, run_command
from tests.support.sharing import SharedFolder

CASES: list[str] = []
STRUCTURE_CASES: list[str] = []
TABLE_CASES: list[str] = []
FILE_CASES: list[str] = []
if sys.platform == "linux":
    from tests.programs import file_refusals, refusals, structure_refusals, table_refusals

    CASES = list(refusals.CASES)
    STRUCTURE_CASES = list(structure_refusals.CASES)
    TABLE_CASES = list(table_refusals.CASES)
    FILE_CASES = list(file_refusals.CASES)

SAMPLES = {
    *("reserve, first", "reserve, named", "memory_info", "commit, small", "decommit, large", "protect, read, small"),
    *("lock, small", "resident, large", "release, small", "drop, small"),
    *("reserve, shared", "attach", "shared, commit, small", "shared, release, small", "shared, drop, small"),
}
STRUCTURE_SAMPLES = {
    *("append", "extend, iterator", "shrink_to_fit, exported", "Array(), buffer", "drop array"),
    *("shared, append", "shared, attach", "shared, become a reader"),
    *("Ring()", "ring in a child, prepared", "drop ring"),
    *("alloc, first", "alloc, stale", "trim, long", "arena without system calls"),
}

TABLE_SAMPLES = {
    *("Table()", "append", "extend, first", "shrink_to_fit", "export", "drop export"),
    *("shared, append", "shared, attach", "shared, become a reader, not exported"),
}

FILE_SAMPLES = {
    *("raw, open, r+", "raw, extend", "raw, close", "npy, open, x", "npy, flush", "npy, follow"),
    *("npy, kill in growth and flush", "npy, kill in opening"),
}

pytestmark = linux_only  # the system calls and their errors are those of Linux


def compile_extension(target: Path) -> None:
    """Compiles the sources with tests/programs/fail_on_demand.h included before each."""
    command = [
        *shlex.split(os.environ.get("CC", "cc")),
        *shlex.split(os.environ.get("CFLAGS", "-O1")),
        "-DVMEM_ARRAY_HEAP_BYTES=0",  # or else small arrays would make no system calls
        *("-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-D_GNU_SOURCE"),
        *([] if sysconfig.get_config_var("Py_GIL_DISABLED") else ["-DPy_LIMITED_API=0x030B0000"]),
        *("-I", sysconfig.get_path("include"), "-I", str(ROOT / "csrc")),
        *("-include", str(ROOT / "tests" / "programs" / "fail_on_demand.h")),
        *map(str, sorted((ROOT / "csrc").rglob("*.c"))),
        *(str(ROOT / "tests" / "programs" / "fail_on_demand.c"), "-o", str(target)),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def failing_build(shared_folder: SharedFolder) -> Path:
    """A folder with a package vmem whose system calls fail on demand."""

    def build(folder: Path) -> None:
        shutil.copytree(ROOT / "src" / "vmem", folder / "vmem", ignore=shutil.ignore_patterns("__pycache__"))
        compile_extension(folder / "vmem" / "_vmem.so")

    return shared_folder("failing_build", build)


def run_with(failing_build: Path, *arguments: str) -> str:
    """Runs Python with that build in the place of the installed one."""
    return run_command([sys.executable, *arguments], PYTHONPATH=os.pathsep.join([str(failing_build), str(ROOT)]))


# Prints the system calls that adding 16 pages of items takes: to a new array, to pages that are still committed, and to
# pages that were decommitted. Then those that adding one item takes.
LIST_CALLS_FOR_ITEMS = """
import vmem
from tests.programs.refusals import PAGE, Faults, Plan

faults = Faults()
made = vmem.Array("B", capacity=1 << 24)
def add(num_bytes):
    faults.arm(Plan())
    made.frombytes(bytes(num_bytes))
    return faults.disarm()
print(*add(16 * PAGE))
made.clear()
print(*add(16 * PAGE))
made.clear()
made.shrink_to_fit()
print(*add(16 * PAGE))
made.clear()
made.shrink_to_fit()
print(*add(1))
"""


def test_pages_for_many_items_are_prefaulted(failing_build: Path) -> None:
    """But no pages that are committed already, and no pages for few items. Committing takes one madvise() for dumps."""
    printed = run_with(failing_build, "-c", LIST_CALLS_FOR_ITEMS)
    new, again, after, few = (line.split() for line in printed.split("\n")[:-1])
    assert new.count("madvise") > new.count("mprotect")
    assert again == []
    assert after.count("madvise") > after.count("mprotect")
    assert few == ["mprotect", "madvise"] * (len(few) // 2)


@pytest.mark.parametrize("case", sample(CASES, SAMPLES & set(CASES)))
def test_every_system_call_fails(case: str, failing_build: Path) -> None:
    print(run_with(failing_build, "-m", "tests.programs.refusals", case))


@pytest.mark.parametrize("case", sample(STRUCTURE_CASES, STRUCTURE_SAMPLES & set(STRUCTURE_CASES)))
def test_every_system_call_of_structures_fails(case: str, failing_build: Path) -> None:
    print(run_with(failing_build, "-m", "tests.programs.structure_refusals", case))


@pytest.mark.parametrize("case", sample(TABLE_CASES, TABLE_SAMPLES & set(TABLE_CASES)))
def test_every_system_call_of_tables_fails(case: str, failing_build: Path) -> None:
    print(run_with(failing_build, "-m", "tests.programs.table_refusals", case))


@pytest.mark.parametrize("case", sample(FILE_CASES, FILE_SAMPLES & set(FILE_CASES)))
def test_every_system_call_of_files_fails(case: str, failing_build: Path) -> None:
    print(run_with(failing_build, "-m", "tests.programs.file_refusals", case))
