from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator

import pytest

import vmem
from tests.support.system import lockable_bytes
from vmem import Protection, Range


def test_a_fresh_region_is_one_range(region: vmem.Region) -> None:
    assert region.ranges() == [Range(0, region.size, False, Protection.NO_ACCESS)]


def test_ranges_follow_each_other(region: vmem.Region, page: int) -> None:
    region.commit(2 * page, page)
    region.commit(10 * page, 4 * page)
    region.commit(14 * page, page)
    region.commit(63 * page)
    none, full = Protection.NO_ACCESS, Protection.READ_WRITE
    assert region.ranges() == [
        Range(0, 2 * page, False, none),
        Range(2 * page, page, True, full),
        Range(3 * page, 7 * page, False, none),
        Range(10 * page, 5 * page, True, full),
        Range(15 * page, 48 * page, False, none),
        Range(63 * page, page, True, full),
    ]
    region.commit()
    assert region.ranges() == [Range(0, region.size, True, full)]


def test_ranges_tell_protections(region: vmem.Region, page: int) -> None:
    region.commit(0, 12 * page)
    region.protect(Protection.READ, 2 * page, 4 * page)
    region.protect(Protection.NO_ACCESS, 6 * page, page)
    region.protect(Protection.READ_EXECUTE, 10 * page, 2 * page)
    assert region.ranges() == [
        Range(0, 2 * page, True, Protection.READ_WRITE),
        Range(2 * page, 4 * page, True, Protection.READ),
        Range(6 * page, page, True, Protection.NO_ACCESS),
        Range(7 * page, 3 * page, True, Protection.READ_WRITE),
        Range(10 * page, 2 * page, True, Protection.READ_EXECUTE),
        Range(12 * page, 52 * page, False, Protection.NO_ACCESS),
    ]


def test_committed_pages_without_access_are_not_those_without_memory(region: vmem.Region, page: int) -> None:
    region.commit(0, 2 * page)
    region.protect(Protection.NO_ACCESS, 0, 2 * page)
    region.decommit(page, page)
    assert region.ranges() == [
        Range(0, page, True, Protection.NO_ACCESS),
        Range(page, 63 * page, False, Protection.NO_ACCESS),
    ]


def test_locks_do_not_show(region: vmem.Region, page: int) -> None:
    region.commit(0, 12 * page)
    region.protect(Protection.READ, 6 * page, 3 * page)
    before = region.ranges()
    for number in (0, 2, 7, 11):
        region.lock(number * page, page)
        assert region.ranges() == before
    region.lock(page, 8 * page)
    assert region.ranges() == before
    region.unlock(3 * page, 4 * page)
    assert region.ranges() == before
    region.decommit(2 * page, page)
    region.commit(2 * page, page)
    assert region.ranges() == before
    region.protect(Protection.READ_WRITE, 0, 12 * page)
    assert region.ranges()[0] == Range(0, 12 * page, True, Protection.READ_WRITE)
    region.unlock(0, 12 * page)
    assert region.ranges()[0] == Range(0, 12 * page, True, Protection.READ_WRITE)


def test_a_locked_end_is_still_the_end_of_the_region(region: vmem.Region, page: int) -> None:
    region.commit()
    region.lock(63 * page, page)
    region.lock(0, page)
    assert region.ranges() == [Range(0, region.size, True, Protection.READ_WRITE)]


def test_a_range_has_names_and_types(region: vmem.Region) -> None:
    region.commit()
    (only,) = region.ranges()
    assert (only.offset, only.num_bytes, only.committed, only.protection) == (0, region.size, True, 2)
    assert isinstance(only.protection, Protection)
    assert isinstance(only.committed, bool)
    assert repr(only).startswith("Range(offset=0, num_bytes=")


def test_is_committed(region: vmem.Region, page: int) -> None:
    region.commit(page, 2 * page)
    assert region.is_committed(page, 2 * page)
    assert region.is_committed(page + 5, 1)
    assert not region.is_committed(page - 1, 2)
    assert not region.is_committed(2 * page, page + 1)
    assert not region.is_committed()
    assert region.is_committed(0, 0)
    assert region.is_committed(region.size)


def test_protection_names() -> None:
    assert [each.name for each in Protection] == [
        "NO_ACCESS", "READ", "READ_WRITE", "EXECUTE", "READ_EXECUTE", "READ_WRITE_EXECUTE",
    ]  # fmt: skip


# --- the memory of the record ---

CHANGES: dict[str, Callable[[vmem.Region, int, int], object]] = {
    "commit": lambda region, offset, num_bytes: region.commit(offset, num_bytes),
    "commit and prefault": lambda region, offset, num_bytes: region.commit(offset, num_bytes, prefault=True),
    "decommit": lambda region, offset, num_bytes: region.decommit(offset, num_bytes),
    "protect": lambda region, offset, num_bytes: region.protect(Protection.READ, offset, num_bytes),
    "lock": lambda region, offset, num_bytes: region.lock(offset, num_bytes),
    "unlock": lambda region, offset, num_bytes: region.unlock(offset, num_bytes),
}


@pytest.fixture
def no_collections() -> Iterator[None]:
    """A collection could free what other tests have allocated."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.exact_memory
@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize("order", ["upwards", "downwards", "between", "at once"])
@pytest.mark.parametrize("change", CHANGES)
def test_neighbours_that_become_equal_are_merged(change: str, order: str, page: int) -> None:
    """The record takes as little memory as that of a single page, in whatever order the pages were changed."""
    num_pages = lockable_bytes(1200 * page) // page
    region = vmem.reserve(num_pages * page)
    if not change.startswith("commit"):
        region.commit()
    if change == "unlock":
        region.lock()
    before = sys.getallocatedblocks()
    numbers = {"upwards": slice(None), "downwards": slice(None, None, -1)}.get(order, slice(None, None, 2))
    for number in range(num_pages)[numbers]:
        CHANGES[change](region, number * page, page)
    if order in ("between", "at once"):
        assert sys.getallocatedblocks() - before > num_pages // 3
    if order == "between":
        for number in range(1, num_pages, 2):
            CHANGES[change](region, number * page, page)
    elif order == "at once":
        CHANGES[change](region, 0, region.size)
    assert sys.getallocatedblocks() - before < 200  # a call that is made for the first time allocates some
    assert len(region.ranges()) == len(region.map().parts) == 1
    region.release()
