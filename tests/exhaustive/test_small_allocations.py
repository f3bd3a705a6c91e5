"""Every small allocation of every call fails: it raises MemoryError, and has changed and left behind nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("_testcapi", reason="this Python comes without the module that lets its allocations fail")

from tests.programs.small_allocations import CASES

REFUSED = "reserve, refused"  # the size is one that no machine has but 64 bits can name
ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.programs.small_allocations"]


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.many_addresses if case == REFUSED else ()) for case in CASES]
)
def test_every_small_allocation_fails(case: str) -> None:
    done = subprocess.run([*PROGRAM, case], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
