"""Arenas: allocating, rewinding, scopes, and the views that prevent rewinding."""

from __future__ import annotations

import copy
import ctypes
import gc
import pickle
import sys
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.buffers import address_of
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import mappings_in, permissions_in, status_bytes
from vmem import _vmem

LARGE = 1 << 30


@pytest.fixture
def arena() -> vmem.Arena:
    return vmem.Arena(LARGE)


# --- making ---


def test_capacity_is_rounded_up_to_pages(page: int) -> None:
    for capacity, expected in ((1, page), (page, page), (page + 1, 2 * page), (Index(5), page)):
        made = vmem.Arena(capacity)
        assert (made.capacity, made.used, made.committed, made.alignment) == (expected, 0, 0, 16)


@pytest.mark.many_addresses
def test_bad_arguments() -> None:
    for number in (0, -1, 2**64, 2**63 - 1):
        with pytest.raises(ValueError, match=r"capacity|num_bytes"):
            vmem.Arena(number)
    for align in (0, 3, -16, 24, 2**64):
        with pytest.raises(ValueError, match="alignment"):
            vmem.Arena(4096, alignment=align)
    with pytest.raises(vmem.OutOfMemoryError, match="cannot reserve"):
        vmem.Arena(1 << 62)
    wrong: list[Callable[[], object]] = [
        lambda: vmem.Arena(),  # type: ignore[call-arg]
        lambda: vmem.Arena(1.5),  # type: ignore[arg-type]
        lambda: vmem.Arena("1"),  # type: ignore[arg-type]
        lambda: vmem.Arena(1, 2),  # type: ignore[call-arg]
        lambda: vmem.Arena(1, align=16),  # type: ignore[call-arg]
        lambda: vmem.Arena(1, alignment=None),  # type: ignore[arg-type]
        lambda: _vmem.Arena.__new__(_vmem.Arena),  # type: ignore[call-arg]
    ]
    for call in wrong:
        with pytest.raises(TypeError):
            call()


def test_repr_and_attributes(arena: vmem.Arena, page: int) -> None:
    view = arena.alloc(100)
    assert repr(arena).endswith(f": {LARGE} bytes, 100 used, {page} committed, 1 view>")
    assert repr(arena).startswith("<vmem.Arena at 0x")
    second = arena.alloc(1)
    assert repr(arena).endswith(" committed, 2 views>")
    second.release()
    arena.rewind(100)
    for name in ("capacity", "used", "committed", "alignment"):
        with pytest.raises(AttributeError):
            setattr(arena, name, 1)
    assert arena == arena
    assert arena != vmem.Arena(LARGE)
    assert arena.__sizeof__() < 1024
    del view


# --- allocating ---


def test_an_allocation_is_writable_memory(arena: vmem.Arena) -> None:
    view = arena.alloc(10)
    assert (view.format, view.itemsize, view.ndim, view.shape, view.readonly) == ("B", 1, 1, (10,), False)
    assert view == bytes(10)
    view[:5] = b"hello"
    other = arena.alloc(10)
    assert (bytes(view), bytes(other)) == (b"hello" + bytes(5), bytes(10))
    assert address_of(other) - address_of(view) == 16
    assert arena.used == 26


def test_allocations_stay_while_the_arena_grows(arena: vmem.Arena) -> None:
    views = []
    for number in range(2000):
        view = arena.alloc(number * 7 + 1)
        view[:] = bytes([number % 251]) * len(view)
        views.append((view, address_of(view)))
    for number, (view, address) in enumerate(views):
        assert view == bytes([number % 251]) * (number * 7 + 1)
        assert address_of(view) == address


@pytest.mark.parametrize("shift", [0, 1, 3, 4, 5, 6, 12, 13, 16, 21, 26])
def test_alignment_of_one_allocation(arena: vmem.Arena, shift: int) -> None:
    arena.alloc(1)
    for _ in range(3):
        assert address_of(arena.alloc(5, align=1 << shift)) % (1 << shift) == 0
    assert address_of(arena.alloc(5, align=Index(1 << shift))) % (1 << shift) == 0


def test_alignment_of_all(page: int) -> None:
    made = vmem.Arena(1 << 24, alignment=2 * page)
    assert made.alignment == 2 * page
    addresses = [address_of(made.alloc(1)) for _ in range(5)]
    assert [address % (2 * page) for address in addresses] == [0] * 5
    assert address_of(made.alloc(1, align=1)) == addresses[-1] + 1
    assert address_of(made.alloc(1, align=None)) == addresses[-1] + 2 * page
    close = vmem.Arena(1 << 20, alignment=1)
    assert address_of(close.alloc(3)) + 3 == address_of(close.alloc(3))


def test_an_allocation_of_0_bytes_uses_nothing(arena: vmem.Arena) -> None:
    for _ in range(3):
        view = arena.alloc(0)
        assert view.nbytes == 0
        assert (arena.used, arena.committed) == (0, 0)
    arena.alloc(1)
    mark = arena.mark()
    empty = arena.alloc(0, align=4096)
    assert (arena.used, empty.nbytes) == (1, 0)
    arena.rewind(mark)
    arena.reset()


def test_bad_allocations(arena: vmem.Arena) -> None:
    for number in (-1, 2**64, -(2**70)):
        with pytest.raises(ValueError, match="num_bytes"):
            arena.alloc(number)
    for align in (0, 3, -16, 2**64):
        with pytest.raises(ValueError, match="align"):
            arena.alloc(1, align=align)
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1, 2), {}),
        ((1.5,), {}),
        (("1",), {}),
        ((1,), {"align": 1.5}),
        ((1,), {"alignment": 16}),
        ((1,), {"num_bytes": 1}),
    ]
    for arguments, keywords in wrong:
        with pytest.raises(TypeError):
            arena.alloc(*arguments, **keywords)
    assert arena.used == 0


@pytest.mark.many_addresses
def test_a_full_arena_refuses_and_changes_nothing(page: int) -> None:
    made = vmem.Arena(2 * page)
    view = made.alloc(page)
    view[0] = 7
    for num_bytes, align in ((page + 1, 16), (2**63, 16), (2**64 - 1, 16), (1, 1 << 50), (1, 1 << 63)):
        with pytest.raises(vmem.OutOfMemoryError, match=f"has used {page} of its {2 * page} bytes"):
            made.alloc(num_bytes, align=align)
        assert (made.used, made.committed) == (page, page)
    with pytest.raises(vmem.OutOfMemoryError, match="; ask for a smaller alignment, or make it with a larger capacity"):
        made.alloc(page, align=1 << 63)
    with pytest.raises(vmem.OutOfMemoryError, match="; make it with a larger capacity"):
        made.alloc(2 * page + 1, align=1 << 63)
    last = made.alloc(page)
    last[-1] = 9
    with pytest.raises(vmem.OutOfMemoryError, match="rewind it, or make it with a larger capacity"):
        made.alloc(1)
    assert (view[0], made.used, len(made.alloc(0)), len(made.alloc(0, align=1 << 63))) == (7, 2 * page, 0, 0)


# --- zeroed ---


@pytest.mark.parametrize("size", [1, 100, 5000, 1 << 20, 9 << 20])
def test_bytes_read_zero_after_a_rewind(arena: vmem.Arena, size: int) -> None:
    for shift in (0, 1, 3):
        view = arena.alloc(size)
        view[:] = b"x" * size
        view.release()
        arena.reset()
        again = arena.alloc(size + shift, align=1)
        assert again == bytes(size + shift)
        again[:] = b"y" * (size + shift)
        again.release()
        arena.reset()


def test_bytes_read_zero_after_a_trim(arena: vmem.Arena, page: int) -> None:
    for kept in (0, 1, page - 1, page, page + 1):
        view = arena.alloc(8 * page)
        view[:] = b"x" * (8 * page)
        view.release()
        arena.reset()
        arena.alloc(kept)
        arena.trim()
        assert arena.alloc(9 * page, align=1) == bytes(9 * page)
        arena.reset()


def test_bytes_that_need_not_be_zero(arena: vmem.Arena) -> None:
    arena.alloc(100)[:] = b"x" * 100
    arena.reset()
    assert arena.alloc(50, zero=False) == b"x" * 50
    assert arena.alloc(50, align=1) == bytes(50)
    arena.reset()
    assert arena.alloc(100, zero=True) == bytes(100)
    assert arena.alloc(10, zero=[]) == bytes(10)  # type: ignore[arg-type]


# --- memory ---


@linux_only
def test_memory_is_committed_as_it_is_allocated(arena: vmem.Arena, page: int) -> None:
    base = address_of(arena.alloc(1))
    assert arena.committed == page
    arena.alloc(10 * page)
    assert arena.committed >= 10 * page
    assert permissions_in(base, arena.committed) == [(0, arena.committed, "rw-p")]
    assert permissions_in(base, arena.committed + page)[1][2] == "---p"


@linux_only
@pytest.mark.exact_memory
def test_trim_gives_memory_back(arena: vmem.Arena, page: int) -> None:
    kept = arena.alloc(page + 1)
    kept[:] = b"k" * (page + 1)
    mark, before, charged = arena.mark(), status_bytes("VmRSS"), status_bytes("VmData")
    big = arena.alloc(64 << 20)
    np.frombuffer(big, dtype="uint8")[:] = 1
    arena.trim()
    assert big[-1] == 1
    assert arena.committed >= 64 << 20
    del big
    arena.rewind(mark)
    assert status_bytes("VmRSS") - before >= 60 << 20
    arena.trim()
    assert arena.committed == 2 * page
    assert status_bytes("VmRSS") - before < 8 << 20
    assert status_bytes("VmData") - charged < 8 << 20
    assert kept == b"k" * (page + 1)
    arena.trim()
    kept.release()
    arena.reset()
    arena.trim()
    assert arena.committed == 0


@pytest.mark.parametrize("num_bytes", [4 << 20, 12 << 20])
def test_a_zeroed_allocation_touches_no_fresh_memory(arena: vmem.Arena, num_bytes: int, page: int) -> None:
    """Pages that the arena has never used, or has decommitted, are zero without being written."""
    for kept in (0, 1, page - 1, page, page + 1):
        arena.alloc(kept)[:] = b"k" * kept
        fresh = arena.alloc(num_bytes, align=1)
        assert resident_bytes(arena) < num_bytes // 2
        fresh[:] = b"x" * num_bytes
        assert resident_bytes(arena) >= num_bytes or sys.platform != "linux"
        fresh.release()
        arena.rewind(kept)
        arena.trim()
        again = arena.alloc(num_bytes, align=1)
        assert resident_bytes(arena) < num_bytes // 2
        assert again == bytes(num_bytes)
        again.release()
        arena.reset()
        arena.trim()


def resident_bytes(arena: vmem.Arena) -> int:
    """0 where the system does not report it."""
    return arena.map().resident or 0


def test_committed_memory_doubles_up_to_a_limit(arena: vmem.Arena, page: int) -> None:
    """From 8 MiB on, it grows by 8 to 10 MiB."""
    large, huge_page = 8 << 20, 2 << 20
    sizes = [0]
    while arena.used < 6 * large:
        arena.alloc(page // 2, align=1, zero=False)
        if arena.committed != sizes[-1]:
            sizes.append(arena.committed)
    small = [size for size in sizes if size < large]
    assert small == [0, *(page << step for step in range(len(small) - 1))]
    assert all(large <= later - size <= large + huge_page for size, later in pairwise(sizes[len(small) :]))
    assert large <= sizes[len(small)] <= large + huge_page


def test_large_steps_end_at_huge_pages(page: int) -> None:
    """Or at the capacity."""
    huge_page = 2 << 20
    made = vmem.Arena(64 << 20)
    made.alloc((8 << 20) + page)
    for _ in range(4):
        assert (made.map().address + made.committed) % huge_page == 0
        made.alloc(made.committed - made.used + page, align=1)
    for capacity in (12 << 20, (8 << 20) + page, page, 3 * page):
        full = vmem.Arena(capacity)
        full.alloc(capacity - 1)
        assert full.committed == capacity


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_a_refused_commit_changes_nothing() -> None:
    printed = run_python(
        """
        import resource, vmem
        from vmem import _vmem
        arena = vmem.Arena(1 << 40)
        view = arena.alloc(100)
        view[:] = b"x" * 100
        resource.setrlimit(resource.RLIMIT_DATA, (_vmem.get_limits()["data_used"] + (32 << 20), -1))
        before = arena.used, arena.committed
        for _ in range(3):
            try:
                arena.alloc(1 << 30)
            except vmem.OutOfMemoryError as error:
                print(error)
            else:
                raise SystemExit("it did not fail")
            assert (arena.used, arena.committed) == before
        assert view == b"x" * 100
        assert arena.alloc(1 << 20) == bytes(1 << 20)
        """
    )
    assert printed.count("of an arena: the data limit (RLIMIT_DATA") == 3


# --- rewinding ---


def test_memory_is_reused_after_a_rewind(arena: vmem.Arena) -> None:
    arena.alloc(100)
    mark = arena.mark()
    assert mark == arena.used == 100
    address = address_of(arena.alloc(10))
    committed = arena.committed
    arena.rewind(mark)
    assert (arena.used, arena.committed) == (100, committed)
    assert address_of(arena.alloc(10)) == address
    arena.rewind(Index(0))
    assert arena.used == 0


def test_bad_marks(arena: vmem.Arena) -> None:
    arena.alloc(10)
    with pytest.raises(ValueError, match="cannot rewind to 11: this arena has used only 10 bytes"):
        arena.rewind(11)
    for number in (-1, 2**64):
        with pytest.raises(ValueError, match="mark"):
            arena.rewind(number)
    for wrong in (1.5, "1", None):
        with pytest.raises(TypeError):
            arena.rewind(wrong)  # type: ignore[arg-type]
    arena.rewind(10)
    assert arena.used == 10


def test_live_views_refuse_a_rewind(arena: vmem.Arena) -> None:
    early = arena.alloc(10)
    mark = arena.mark()
    views = [arena.alloc(10) for _ in range(3)]
    part, shared = views[0][2:4], np.frombuffer(views[1], dtype="uint8")
    with pytest.raises(BufferError):
        arena.reset()
    with pytest.raises(BufferError) as raised:
        arena.rewind(mark)
    assert str(raised.value) == (
        "cannot rewind this arena from 58 to 10 bytes: 3 views allocated in between are alive; release or delete them "
        "first, with every array and slice made from them"
    )
    assert arena.used == 58
    views.clear()
    with pytest.raises(BufferError, match="2 views allocated in between are alive"):
        arena.rewind(mark)
    del part
    with pytest.raises(BufferError, match="1 view allocated in between is alive; release or delete it first"):
        arena.rewind(mark)
    shared[:] = 1
    del shared
    arena.rewind(mark)
    with pytest.raises(BufferError, match="1 view"):
        arena.reset()
    early.release()
    arena.reset()
    assert arena.used == 0


def test_views_from_before_the_mark_allow_a_rewind(arena: vmem.Arena) -> None:
    early = [arena.alloc(10) for _ in range(100)]
    mark = arena.mark()
    for _ in range(10):
        late = arena.alloc(1000)
        late.release()
        arena.rewind(mark)
    for view in early:
        view[:] = b"e" * 10
    assert arena.alloc(1000) == bytes(1000)


def test_a_mark_in_the_middle_of_an_allocation(arena: vmem.Arena) -> None:
    view = arena.alloc(100)
    with pytest.raises(BufferError):
        arena.rewind(50)
    view.release()
    arena.rewind(50)
    assert arena.used == 50


def test_ctypes_and_slices_count_as_views(arena: vmem.Arena) -> None:
    numbers = (ctypes.c_int * 4).from_buffer(arena.alloc(16))
    with pytest.raises(BufferError, match="1 view"):
        arena.reset()
    numbers[3] = 5
    del numbers
    gc.collect()
    arena.reset()


# --- scopes ---


def test_a_scope_rewinds_what_was_allocated_inside(arena: vmem.Arena) -> None:
    arena.alloc(10)
    with arena.scope() as same:
        assert same is arena
        arena.alloc(1000)
        with arena.scope():
            arena.alloc(5000)
        assert arena.used == 1016
    assert arena.used == 10


def test_live_views_at_the_end_of_a_scope(arena: vmem.Arena) -> None:
    with pytest.raises(BufferError, match="1 view allocated in between is alive"), arena.scope():
        view = arena.alloc(10)
    assert arena.used == 10
    view[0] = 1


def test_an_exception_propagates_and_the_outer_scope_rewinds_all(arena: vmem.Arena) -> None:
    held: list[memoryview] = []
    with arena.scope():
        with pytest.raises(KeyError, match="mine"), arena.scope():
            held.append(arena.alloc(10))
            raise KeyError("mine")
        assert arena.used == 10
        held[0][0] = 1
        held.clear()
    assert arena.used == 0


@pytest.mark.parametrize("error", [KeyError, None], ids=["exception", "BufferError"])
def test_the_next_scope_reclaims_orphaned_memory(arena: vmem.Arena, error: type[Exception] | None) -> None:
    early = arena.alloc(100)
    for _ in range(100):
        held: list[memoryview] = []
        with pytest.raises(error or BufferError), arena.scope():
            assert arena.used == 100
            held.append(arena.alloc(1000))
            if error:
                raise error
        assert arena.used == 112 + 1000
        held.clear()
    with arena.scope():
        assert arena.used == 100
    early[:] = b"e" * 100


def fail_with(arena: vmem.Arena, size: int) -> memoryview:
    """A live view of memory that its scope orphaned, because an exception left the scope."""
    held: list[memoryview] = []
    with pytest.raises(KeyError), arena.scope():
        held.append(arena.alloc(size, align=1))
        raise KeyError
    return held[0]


def test_orphaned_memory_stays_while_a_view_of_it_is_alive(arena: vmem.Arena) -> None:
    first, second = fail_with(arena, 10), fail_with(arena, 20)
    second.release()
    with arena.scope():
        assert arena.used == 30
        arena.alloc(5)
    first[:] = b"f" * 10
    first.release()
    with arena.scope():
        assert arena.used == 0


def test_orphaned_memory_below_later_allocations_stays(arena: vmem.Arena) -> None:
    fail_with(arena, 10).release()
    later = arena.alloc(5, align=1)
    for _ in range(2):
        with arena.scope():
            assert arena.used == 15
        later.release()
    fail_with(arena, 20).release()
    with arena.scope():
        assert arena.used == 15, "the later allocation does not belong to the scope"


def test_memory_allocated_after_a_reset_is_not_orphaned(arena: vmem.Arena) -> None:
    fail_with(arena, 10).release()
    arena.reset()
    arena.alloc(10, align=1)
    with arena.scope():
        assert arena.used == 10


def test_a_scope_does_not_reclaim_memory_below_a_mark(arena: vmem.Arena) -> None:
    view = fail_with(arena, 10)
    assert arena.mark() == 10
    view.release()
    with arena.scope():
        assert arena.used == 10
    arena.rewind(10)
    fail_with(arena, 20).release()
    assert arena.mark() == 10
    assert arena.used == 10


def test_memory_orphaned_before_a_scope_stays_until_its_end(arena: vmem.Arena) -> None:
    """Else the arena would be below the scope's mark, and the scope would not rewind what was allocated inside."""
    view = fail_with(arena, 100)
    dropped = arena.scope()
    dropped.__enter__()
    with arena.scope():
        assert arena.used == 100
        view.release()
        with arena.scope():
            assert arena.used == 100
            arena.alloc(10)
        arena.alloc(50)
    assert arena.used == 100
    with arena.scope():
        assert arena.used == 100, "a scope that has begun can still end"
    del dropped
    gc.collect()
    with arena.scope():
        assert arena.used == 0


def test_memory_orphaned_by_inner_and_outer_scopes_is_reclaimed_at_once(arena: vmem.Arena) -> None:
    arena.alloc(10)
    held: list[memoryview] = []
    with pytest.raises(KeyError), arena.scope():
        held.append(arena.alloc(6))
        held.append(fail_with(arena, 8))
        with arena.scope():
            assert arena.used == 30, "a view is alive"
        held.pop().release()
        raise KeyError
    assert arena.used == 30, "a view of the first bytes is alive"
    held.pop().release()
    with arena.scope():
        assert arena.used == 10


def test_memory_orphaned_by_an_inner_scope_is_reclaimed_within_the_outer_one(arena: vmem.Arena) -> None:
    with arena.scope():
        arena.alloc(10)
        for _ in range(10):
            fail_with(arena, 20).release()
            assert arena.used == 30
        with arena.scope():
            assert arena.used == 10
    assert arena.used == 0


def test_failed_scopes_in_a_loop_within_a_scope(arena: vmem.Arena) -> None:
    """Also after two of them whose views were alive at once."""
    with arena.scope():
        views = [fail_with(arena, 1000), fail_with(arena, 1000)]
        assert arena.used == 2000
        views.clear()
        for _ in range(100):
            fail_with(arena, 1000).release()
        assert arena.used == 1000
    assert arena.used == 0


def test_bytes_read_zero_after_a_trim_of_a_full_arena() -> None:
    arena = vmem.Arena(1)
    arena.alloc(arena.capacity, zero=False)[:] = b"x" * arena.capacity
    arena.trim()
    arena.reset()
    assert arena.alloc(arena.capacity) == bytes(arena.capacity)


def test_an_exception_without_live_views(arena: vmem.Arena) -> None:
    with pytest.raises(KeyError, match="mine"), arena.scope():
        arena.alloc(10)
        raise KeyError("mine")
    assert arena.used == 0


def test_scopes_that_end_out_of_order(arena: vmem.Arena) -> None:
    outer, inner = arena.scope(), arena.scope()
    with outer:
        arena.alloc(10)
        inner.__enter__()
        arena.alloc(10)
    assert arena.used == 0
    inner.__exit__(None, None, None)
    assert arena.used == 0
    arena.alloc(100)
    inner.__exit__(None, None, None)
    assert arena.used == 100, "the scope has ended before"


def test_leaving_a_scope_again_once_its_views_are_gone(arena: vmem.Arena) -> None:
    scope = arena.scope()
    scope.__enter__()
    view = arena.alloc(10)
    with pytest.raises(BufferError):
        scope.__exit__(None, None, None)
    view.release()
    scope.__exit__(None, None, None)
    assert arena.used == 0


def test_wrong_uses_of_a_scope(arena: vmem.Arena) -> None:
    scope = arena.scope()
    with pytest.raises(RuntimeError, match="has not been entered"):
        scope.__exit__(None, None, None)
    with scope, pytest.raises(RuntimeError, match="entered already"):
        scope.__enter__()
    with pytest.raises(RuntimeError, match="entered already"), scope:
        pass
    for arguments in ((), (None,), (None,) * 4):
        with pytest.raises(TypeError):
            scope.__exit__(*arguments)
    with pytest.raises(TypeError):
        type(scope)()


def test_a_scope_keeps_its_arena() -> None:
    scope = vmem.Arena(LARGE).scope()
    gc.collect()
    with scope as arena:
        assert len(arena.alloc(10)) == 10
    assert arena.used == 0


# --- lifetimes ---


def test_views_keep_the_memory() -> None:
    made = vmem.Arena(LARGE)
    reference = weakref.ref(made)
    view, shared = made.alloc(10), np.frombuffer(made.alloc(80), dtype="d")
    del made
    gc.collect()
    view[:] = b"x" * 10
    shared[:] = 2.5
    assert bytes(view) == b"x" * 10
    assert shared.tolist() == [2.5] * 10
    del view
    assert reference() is not None
    del shared
    assert reference() is None


@pytest.mark.many_addresses
@linux_only
def test_the_last_view_releases_the_memory() -> None:
    gc.disable()
    try:
        views = [vmem.Arena(1 << 30, alignment=1 << 29).alloc(10) for _ in range(20)]
        ranges = [(address_of(view), 4096) for view in views]
        assert all(permissions_in(*where)[0][2] == "rw-p" for where in ranges)
        del views
        assert all(permissions != "rw-p" for where in ranges for *_, permissions in mappings_in(*where))
    finally:
        gc.enable()


class Holder(vmem.Arena):
    """An arena that can be part of a cycle."""

    held: object = None


def test_a_cycle_of_arena_and_view_is_collected() -> None:
    made = Holder(LARGE)
    made.held = [made.alloc(10), made.alloc(10)[2:5], made.scope()]
    reference = weakref.ref(made)
    del made
    assert reference() is not None
    gc.collect()
    assert reference() is None


def test_a_subclass() -> None:
    class Sized(vmem.Arena):
        def __new__(cls, num_pages: int) -> Self:
            return super().__new__(cls, num_pages * vmem.get_page_size(), alignment=1)

    made = Sized(3)
    assert (made.capacity, made.alignment) == (3 * vmem.get_page_size(), 1)
    assert repr(made).startswith(f"<{__name__}.Sized at ")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_arena_cannot_be_pickled(arena: vmem.Arena, protocol: int) -> None:
    for each in (arena, Holder(LARGE)):
        with pytest.raises(TypeError, match=r"cannot pickle '(Arena|Holder)' object"):
            pickle.dumps(each, protocol)


def test_an_arena_cannot_be_copied(arena: vmem.Arena) -> None:
    for function in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="nor copy it"):
            function(arena)
