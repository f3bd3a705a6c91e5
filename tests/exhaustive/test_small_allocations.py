"""Every small allocation of every call fails: it raises MemoryError, and has changed and left behind nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("_testcapi", reason="this Python comes without the module that lets its allocations fail")

from tests.programs.small_allocations import CASES
from tests.support.marks import sample

REFUSED = "reserve, refused"  # the size is one that no machine has but 64 bits can name
ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.programs.small_allocations"]


SAMPLES = {
    *("reserve", "commit and prefault, large", "decommit", "map, long", "slice, put in"),
    *("Array(), iterator", "append, growing", "set slice, growing", "rebuild, swapped", "repr"),
    *("alloc, growing", "trim, long", "scope, left with a view and an exception"),
}


def let_fail(case: str) -> None:
    done = subprocess.run([*PROGRAM, case], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("case", sample([case for case in CASES if case != REFUSED], SAMPLES))
def test_every_small_allocation_fails(case: str) -> None:
    let_fail(case)


@pytest.mark.many_addresses
@pytest.mark.exhaustive
def test_every_small_allocation_fails_beside_a_refused_reservation() -> None:
    let_fail(REFUSED)
