"""Makes every small allocation of every call fail: the call raises MemoryError, changes nothing and leaks nothing."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("_testcapi", reason="this Python lacks _testcapi, which lets allocations fail")

from tests.programs.small_allocations import CASES
from tests.support.marks import sample
from tests.support.processes import ROOT, run_command

REFUSED = "reserve, refused"  # of a size that 64 bits can hold and no machine has

SAMPLES = {
    *("reserve", "commit and prefault, large", "decommit", "map, long", "slice, assigned"),
    *("Array(), iterator", "append, growing", "set slice, growing", "rebuild, swapped", "repr"),
    *("shared, Array()", "shared, attach", "shared, become a reader"),
    *("shared, attach a table", "shared, extend", "extend by columns"),
    *("rows, append", "rows, pop", "rows, search"),
    *("append a row, growing", "extend by iterators", "extend by a stream", "export a table", "row"),
    *("Ring()", "ring, append a row", "ring, prepare", "ring, extend a full queue"),
    *("alloc, growing", "trim, long", "scope, left with a view and an exception"),
}


def run_case(case: str) -> None:
    run_command([sys.executable, "-m", "tests.programs.small_allocations", case], PYTHONPATH=str(ROOT))


@pytest.mark.parametrize("case", sample([case for case in CASES if case != REFUSED], SAMPLES & set(CASES)))
def test_every_small_allocation_fails(case: str) -> None:
    run_case(case)


@pytest.mark.many_addresses
@pytest.mark.exhaustive
def test_every_small_allocation_fails_beside_a_refused_reservation() -> None:
    run_case(REFUSED)
