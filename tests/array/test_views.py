"""Views of an array: they stay valid while it grows, and keep it from shrinking below them."""

from __future__ import annotations

import ctypes
import gc
import operator
import pickle
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.buffers import address_of
from tests.support.twin_arrays import TYPECODES, add_in_place, multiply_in_place

Change = Callable[[Any], object]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_a_view_has_the_items(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2, 3])
    view = memoryview(made)
    assert (view.format, view.itemsize, view.shape, view.strides) == (typecode, made.itemsize, (3,), (made.itemsize,))
    assert (view.ndim, view.readonly, view.c_contiguous, view.tolist()) == (1, False, True, [1, 2, 3])
    view[1] = 9
    assert made[1] == 9
    made[2] = 8
    assert view[2] == 8
    assert np.asarray(made).dtype == np.dtype(typecode)


def test_an_empty_view_stays_empty() -> None:
    made = vmem.Array("i")
    view = memoryview(made)
    made.append(1)
    assert len(view) == 0
    made.pop()
    made.shrink_to_fit()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_a_subclass_with_buffer_methods() -> None:
    class Forwarding(vmem.Array[int]):
        def __buffer__(self, flags: int) -> memoryview:
            return super().__buffer__(flags)

        def __release_buffer__(self, buffer: memoryview) -> None:
            super().__release_buffer__(buffer)

    made = Forwarding("b", [1, 2, 3])
    view = memoryview(made)
    with pytest.raises(BufferError, match="1 view reaches further"):
        made.pop()
    view.release()  # an exception in __release_buffer__() would be unraisable, which fails the test
    assert bytes(made) == b"\1\2\3"
    made.pop()


# --- growing under views ---


def test_views_stay_valid_up_to_the_capacity(page: int) -> None:
    capacity = 64 * page
    made = vmem.Array("d", [1.5, 2.5], capacity=capacity)
    address = made.buffer_info()[0]
    anything: Any = made  # NumPy's type hints do not accept it before Python 3.12
    view, shared, frombuffer = memoryview(made), np.asarray(made), np.frombuffer(anything, dtype="f8")
    numbers = (ctypes.c_double * 2).from_buffer(made)
    out_of_band = pickle.PickleBuffer(made)
    while len(made) < capacity:
        made.extend(range(min(len(made), capacity - len(made))))
    with pytest.raises(vmem.OutOfMemoryError):
        made.append(0)
    made[0] = 7.25
    shared[1] = 8.25
    for early in (view.tolist(), shared.tolist(), frombuffer.tolist(), list(numbers)):
        assert early == [7.25, 8.25]
    assert bytes(out_of_band.raw()) == made[:2].tobytes()
    assert made[1] == 8.25
    assert (address_of(view), shared.ctypes.data, ctypes.addressof(numbers), made.buffer_info()[0]) == (address,) * 4


GROWING: dict[str, Change] = {
    "append": lambda made: made.append(1),
    "extend": lambda made: made.extend([1, 2]),
    "extend from itself": lambda made: made.extend(made),
    "extend from a view of itself": lambda made: made.extend(memoryview(made)),
    "extend from a part of itself": lambda made: made.extend(memoryview(made)[1:]),
    "extend from an iterator over itself": lambda made: made.extend(iter(made[:])),
    "insert": lambda made: made.insert(0, 1),
    "fromlist": lambda made: made.fromlist([1, 2]),
    "frombytes": lambda made: made.frombytes(bytes(8 * made.itemsize)),
    "frombytes of itself": lambda made: made.frombytes(memoryview(made).cast("B")),
    "add": lambda made: add_in_place(made, made),
    "multiply": lambda made: multiply_in_place(made, 3),
    "multiply by one": lambda made: multiply_in_place(made, 1),
    "slice": lambda made: operator.setitem(made, slice(1, 2), made),
    "slice of the same length": lambda made: operator.setitem(made, slice(None), made),
    "slice of the same length, backwards": lambda made: operator.setitem(made, slice(None, None, -1), made),
    "slice before the end": lambda made: operator.setitem(made, slice(5, 5), made),
    "reverse": lambda made: made.reverse(),
    "byteswap": lambda made: made.byteswap(),
}


@pytest.mark.parametrize("typecode", "bhid")
@pytest.mark.parametrize("name", GROWING)
def test_calls_that_do_not_shrink_work_under_views(name: str, typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, range(10))
    free: vmem.Array[Any] = vmem.Array(typecode, range(10))
    view, shared = memoryview(made), np.asarray(made)
    address = made.buffer_info()[0]
    for _ in range(3):
        GROWING[name](made)
        GROWING[name](free)
    assert made.tobytes() == free.tobytes()
    assert view.tobytes() == shared.tobytes() == made[:10].tobytes()
    assert made.buffer_info()[0] == address


def test_assigning_itself_into_the_middle() -> None:
    for start in range(6):
        for stop in range(start, 6):
            made, items = vmem.Array("h", range(5)), list(range(5))
            view = memoryview(made)
            made[start:stop] = made
            items[start:stop] = items
            assert made.tolist() == items
            assert view.tolist() == items[:5]


# --- shrinking under views ---

SHRINKING: dict[str, Change] = {
    "pop": lambda made: made.pop(),
    "pop the first": lambda made: made.pop(0),
    "remove": lambda made: made.remove(3),
    "clear": lambda made: made.clear(),
    "delete": lambda made: operator.delitem(made, 4),
    "delete the last": lambda made: operator.delitem(made, -1),
    "delete a slice": lambda made: operator.delitem(made, slice(2, 5)),
    "delete backwards": lambda made: operator.delitem(made, slice(5, 1, -1)),
    "delete every second": lambda made: operator.delitem(made, slice(None, None, 2)),
    "delete all": lambda made: operator.delitem(made, slice(None)),
    "assign a shorter slice": lambda made: operator.setitem(made, slice(1, 5), made[:2]),
    "assign an empty slice": lambda made: operator.setitem(made, slice(1, 5), made[:0]),
    "assign an empty slice with a step": lambda made: operator.setitem(made, slice(1, 5, 2), made[:0]),
    "multiply by zero": lambda made: multiply_in_place(made, 0),
    "multiply by less": lambda made: multiply_in_place(made, -1),
}

VIEWS: dict[str, Change] = {
    "memoryview": memoryview,
    "part": lambda made: memoryview(made)[9:],
    "asarray": np.asarray,
    "frombuffer": lambda made: np.frombuffer(made, dtype=made.typecode),
    "ctypes": lambda made: (ctypes.c_byte * 1).from_buffer(made),
    "pickle": pickle.PickleBuffer,
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", SHRINKING)
def test_shrinking_below_a_view_is_refused(name: str, view: str) -> None:
    made = vmem.Array("i", range(10))
    held = VIEWS[view](made)
    with pytest.raises(BufferError, match=r"cannot shrink this array from 10 to \d items: 1 view reaches further"):
        SHRINKING[name](made)
    assert made.tolist() == list(range(10))
    del held
    gc.collect()
    SHRINKING[name](made)
    assert len(made) < 10
    made.append(5)


@pytest.mark.parametrize("name", SHRINKING)
def test_shrinking_down_to_a_view_works(name: str) -> None:
    """A view of the first item allows every call that keeps at least one item."""
    made, free = vmem.Array("i", [5]), vmem.Array("i", [5])
    view = memoryview(made)
    made.extend(range(1, 10))
    free.extend(range(1, 10))
    SHRINKING[name](free)
    try:
        SHRINKING[name](made)
    except BufferError:
        assert len(free) == 0
        assert len(made) == 10
    else:
        assert made == free
        assert view[0] == made[0]


def test_the_error_counts_the_views_that_reach_further() -> None:
    made = vmem.Array("i", [1])
    views = []
    for number in range(5):
        views.append(memoryview(made))
        made.append(number)
    with pytest.raises(BufferError) as raised:
        del made[3:]
    assert str(raised.value) == (
        "cannot shrink this array from 6 to 3 items: 2 views reach further; release or delete them first, with every "
        "array and slice made from them"
    )
    del made[5:]
    views[4].release()
    del made[4:]
    del views[3]
    del made[3:]
    assert made.tolist() == [1, 0, 1]


def test_views_in_any_order() -> None:
    made = vmem.Array("b", range(100))
    views = {}
    for length in (50, 10, 90, 30, 70):
        del made[length:]
        made.extend(range(length, 100))
        del made[length:]
        views[length] = memoryview(made)
        made.extend(range(length, 100))
        del views[length]
    for length in (10, 30, 50, 70, 90):
        del made[length:]
        views[length] = memoryview(made)
        made.extend(range(length, 100))
    for length in (50, 90, 10, 70, 30):
        longest = max(views)
        with pytest.raises(BufferError):
            del made[longest - 1 :]
        del made[longest:]
        views.pop(length).release()


def test_calls_that_remove_nothing_work_under_views() -> None:
    made = vmem.Array("i", range(10))
    view = memoryview(made)
    del made[10:]
    del made[3:3]
    del made[5:2:1]
    made[4:4] = made[:0]
    made[2:5] = vmem.Array("i", [7, 8, 9])
    made *= 1
    with pytest.raises(ValueError, match="not in array"):
        made.remove(99)
    for call in (lambda: made.pop(99), lambda: operator.delitem(made, 10)):
        with pytest.raises(IndexError):
            call()
    assert view.tolist() == made.tolist()


def test_items_move_under_a_view() -> None:
    made = vmem.Array("i", [1, 2, 3])
    view = memoryview(made)
    made.insert(0, 9)
    assert view.tolist() == [9, 1, 2]
    made.reverse()
    assert view.tolist() == [3, 2, 1]
    del made[0]
    assert view.tolist() == [2, 1, 9]


def test_an_array_lives_as_long_as_its_views() -> None:
    made = vmem.Array("d", [1.5, 2.5])
    reference = weakref.ref(made)
    shared = np.asarray(made)
    del made
    gc.collect()
    assert reference() is not None
    shared[0] += 1
    assert shared.tolist() == [2.5, 2.5]
    del shared
    assert reference() is None


def test_views_of_slices_are_views_of_copies() -> None:
    made = vmem.Array("i", range(10))
    part = memoryview(made[2:5])
    made.clear()
    assert part.tolist() == [2, 3, 4]


def test_writing_through_a_view_while_it_is_indexed() -> None:
    made = vmem.Array("i", range(5))
    view = memoryview(made)
    made[Index(1, lambda: view.__setitem__(1, 70))] += 1
    assert made.tolist() == [0, 71, 2, 3, 4]
