"""Every system call of every public call fails, in a build of the extension made for this: what comes of it?"""

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
from tests.support.sharing import SharedFolder

ROOT = Path(__file__).parents[2]

CASES: list[str] = []
STRUCTURE_CASES: list[str] = []
if sys.platform == "linux":
    from tests.programs import refusals, structure_refusals

    CASES = list(refusals.CASES)
    STRUCTURE_CASES = list(structure_refusals.CASES)

SAMPLES = {
    *("reserve, first", "reserve, named", "memory_info", "commit, small", "decommit, large", "protect, read, small"),
    *("lock, small", "resident, large", "release, small", "drop, small"),
}
STRUCTURE_SAMPLES = {
    *("append", "extend, iterator", "shrink_to_fit, exported", "Array(), buffer", "drop array"),
    *("alloc, first", "alloc, stale", "trim, long", "arena without system calls"),
}

pytestmark = linux_only  # the names of the calls and what they fail with are those of Linux


def compile_extension(target: Path) -> None:
    """Compiles the sources as they are, but for what tests/programs/fail_on_demand.h puts before them."""
    command = [
        *shlex.split(os.environ.get("CC", "cc")),
        *shlex.split(os.environ.get("CFLAGS", "-O1")),
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


# Prints the calls that it takes to put in 16 pages of items: into a new array, into the same memory again, and after it
# went; and then to put in one item.
LIST_CALLS_FOR_ITEMS = """
import vmem
from tests.programs.refusals import PAGE, Faults, Plan

faults = Faults()
made = vmem.Array("B", capacity=1 << 24)
def put(num_bytes):
    faults.arm(Plan())
    made.frombytes(bytes(num_bytes))
    return faults.disarm()
print(*put(16 * PAGE))
made.clear()
print(*put(16 * PAGE))
made.clear()
made.shrink_to_fit()
print(*put(16 * PAGE))
made.clear()
made.shrink_to_fit()
print(*put(1))
"""


def test_pages_for_many_items_come_at_once(failing_build: Path) -> None:
    """But not where items were before, nor for few."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_CALLS_FOR_ITEMS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(failing_build), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    new, again, after, few = (line.split() for line in done.stdout.split("\n")[:-1])
    assert "madvise" in new
    assert again == []
    assert "madvise" in after
    assert set(few) == {"mprotect"}


@pytest.mark.parametrize("case", sample(CASES, SAMPLES & set(CASES)))
def test_every_system_call_fails(case: str, failing_build: Path) -> None:
    explore("refusals", case, failing_build)


@pytest.mark.parametrize("case", sample(STRUCTURE_CASES, STRUCTURE_SAMPLES & set(STRUCTURE_CASES)))
def test_every_system_call_of_structures_fails(case: str, failing_build: Path) -> None:
    explore("structure_refusals", case, failing_build)


def explore(program: str, case: str, failing_build: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.programs.{program}", case],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(failing_build), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    print(done.stdout)
