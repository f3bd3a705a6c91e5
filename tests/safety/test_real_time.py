"""Arrays and arenas prepare memory for code that must not wait for page faults or for swap."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import vmem
from tests.support.marks import linux_only, posix_only

if sys.platform != "win32":
    import resource

COUNT = 50_000
BYTES = 8 * COUNT


def count_faults(action: Callable[[], object]) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    action()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def locked_bytes(made: vmem.Array[Any] | vmem.Arena) -> int:
    return sum(part.num_bytes for part in made.map().parts if part.locked)


@linux_only
@pytest.mark.exact_memory
def test_prefaulted_items_cause_no_faults() -> None:
    items, made = b"\1" * BYTES, vmem.Array("d", [1, 2, 3])
    made.prefault(COUNT)
    assert count_faults(lambda: made.frombytes(items)) < 10
    assert len(made) == COUNT + 3
    assert made[:3].tolist() == [1, 2, 3]


@linux_only
@pytest.mark.exact_memory
def test_prefaulted_allocations_cause_no_faults() -> None:
    arena = vmem.Arena(1 << 24)
    arena.alloc(100)
    arena.prefault(BYTES)

    def use() -> None:
        arena.alloc(BYTES)[:] = items

    items = b"\1" * BYTES  # of which every page has been touched
    assert count_faults(use) < 10


@linux_only
@pytest.mark.exact_memory
def test_locks_cover_what_is_there_and_what_comes() -> None:
    page = vmem.get_page_size()
    made, arena = vmem.Array("d", range(10)), vmem.Arena(1 << 24)
    arena.alloc(80)
    for each, num, size in ((made, 100, 8), (arena, 800, 1)):
        each.lock(num)
        assert locked_bytes(each) == vmem.align_forward(80 + num * size, page)
        each.unlock()
        assert locked_bytes(each) == 0
        each.lock()
        assert locked_bytes(each) == page
        each.unlock()
    made.extend(range(1000))
    made.lock()
    made.clear()
    made.shrink_to_fit()
    assert made.tolist() == []
    made.extend(range(2000))
    assert made.tolist() == list(range(2000))


@linux_only
@pytest.mark.parametrize("prepared", [0, 1000, 100_000])
def test_growing_beyond_what_is_locked(prepared: int) -> None:
    """Locked and unlocked pages are parts of one memory: both hold items."""
    page = vmem.get_page_size()
    made, arena = vmem.Array("d", range(600)), vmem.Arena(1 << 26)
    first = arena.alloc(600)
    first[:] = bytes(range(200)) * 3
    early = memoryview(made)
    for each in (made, arena):
        each.lock(prepared)
    for number in range(30_000):
        made.append(number)
    made.extend(range(50_000))
    made.insert(600, 5)
    assert made.tolist() == [*range(600), 5, *range(30_000), *range(50_000)]
    assert early.tolist() == made[:600].tolist()
    for _ in range(200):
        arena.alloc(page)[:] = b"x" * page
    assert bytes(first) == bytes(range(200)) * 3
    made.unlock()
    arena.unlock()
    assert (locked_bytes(made), locked_bytes(arena)) == (0, 0)


def test_nothing_is_prepared_for_nothing() -> None:
    made, arena = vmem.Array("d"), vmem.Arena(1)
    made.unlock()
    arena.unlock()
    made.prefault(0)
    arena.prefault(0)
    assert (len(made), arena.used) == (0, 0)


@posix_only
@pytest.mark.parametrize("verb", ["prefault", "lock"])
def test_more_than_the_capacity_is_refused(verb: str) -> None:
    made, arena = vmem.Array("d", [1], capacity=10), vmem.Arena(1)
    arena.alloc(10)
    for num_items in (10, sys.maxsize, 2 * sys.maxsize):
        with pytest.raises(vmem.OutOfMemoryError, match="cannot grow an array with a capacity of 10 items to "):
            getattr(made, verb)(num_items)
        with pytest.raises(vmem.OutOfMemoryError, match=f"has used 10 of its {arena.capacity} bytes"):
            getattr(arena, verb)(num_items + arena.capacity if num_items == 10 else num_items)
    assert (made.tolist(), arena.used) == ([1], 10)
    for each in (made, arena):
        with pytest.raises(ValueError, match="must not be negative"):
            getattr(each, verb)(-1)
        with pytest.raises(ValueError, match="must be at most"):
            getattr(each, verb)(1 << 70)
        with pytest.raises(TypeError, match="must be an integer"):
            getattr(each, verb)("1")
