"""A ring of numbers: what it holds, and where."""

from __future__ import annotations

import array
import copy
import ctypes
import gc
import pickle
import re
import struct
import sys
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.marks import posix_only
from tests.support.twin_arrays import TYPECODES

GRANULARITY = vmem.get_allocation_granularity()


def limits_of(typecode: str) -> list[float]:
    """The smallest and the largest number, and some between them."""
    if typecode in "fd":
        return [0.0, -1.5, 1e30, float("inf")]
    bits = 8 * struct.calcsize(typecode)
    return [-(1 << bits - 1), -1, 0, (1 << bits - 1) - 1] if typecode.islower() else [0, 1, (1 << bits) - 1]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_every_type_of_item(typecode: str) -> None:
    numbers = limits_of(typecode)
    ring: vmem.Ring[Any] = vmem.Ring(typecode, 10)
    for number in numbers:
        ring.append(number)
    expected = array.array(typecode, numbers)
    assert (ring.typecode, ring.itemsize, ring.row_shape) == (typecode, expected.itemsize, ())
    assert list(ring) == expected.tolist()
    assert [ring[i] for i in range(len(ring))] == expected.tolist()
    view = memoryview(ring)
    assert (view.format, view.itemsize, view.shape, view.strides) == (
        typecode,
        expected.itemsize,
        (len(numbers),),
        (expected.itemsize,),
    )
    assert (view.readonly, view.c_contiguous, bytes(view)) == (True, True, expected.tobytes())
    assert np.asarray(ring).dtype == np.dtype(typecode)


@pytest.mark.parametrize("typecode", TYPECODES)
@pytest.mark.parametrize("number", [1 << 70, -(1 << 70), "1", None, 1.5j])
def test_what_does_not_fit_a_type(typecode: str, number: Any) -> None:
    """The same errors as in array.array, and nothing is written."""
    ring: vmem.Ring[Any] = vmem.Ring(typecode, 10)
    try:
        array.array(typecode).append(number)
    except (TypeError, OverflowError) as error:
        with pytest.raises(type(error)):
            ring.append(number)
        with pytest.raises(type(error)):
            ring.extend([number])
        assert (len(ring), ring.total) == (0, 0)
    else:
        ring.append(number)


def test_the_newest_items_stay() -> None:
    ring, twin = vmem.Ring("i", 5), deque[int](maxlen=5)
    for number in range(23):
        ring.append(number)
        twin.append(number)
        assert (list(ring), len(ring)) == (list(twin), len(twin))
        assert (ring.total, ring.oldest, ring.free) == (number + 1, number + 1 - len(twin), 5 - len(twin))
    ring.extend(range(100, 103))
    assert list(ring) == [21, 22, 100, 101, 102]
    ring.clear()
    assert (len(ring), list(ring), ring.total, ring.oldest, ring.free) == (0, [], 26, 26, 5)
    ring.append(7)
    assert (list(ring), ring.total, ring.oldest) == ([7], 27, 26)


@pytest.mark.parametrize("typecode", TYPECODES)
@pytest.mark.parametrize("spare", [0, 1, 3])
def test_every_position_of_the_seam(typecode: str, spare: int) -> None:
    """Windows of items from every position are contiguous, wherever the memory begins again in them."""
    size = struct.calcsize(typecode)
    capacity = GRANULARITY // size - spare
    ring: vmem.Ring[Any] = vmem.Ring(typecode, capacity)
    pattern = array.array(typecode, [(number * 7) % 127 for number in range(3 * capacity)])
    ring.extend(pattern[: capacity - 40])
    for end in range(capacity - 39, capacity + 80):  # at every step one item more lies behind the seam
        ring.append(pattern[end - 1])
        for length in (1, 2, 33):
            assert bytes(ring.latest(length)) == pattern[end - length : end].tobytes()
        assert ring[-1] == pattern[end - 1]
    assert bytes(ring) == pattern[ring.oldest : ring.total].tobytes()


@pytest.mark.parametrize("size", [3, 5, 7, 12, 24, 1000])
def test_items_that_straddle_the_seam(size: int) -> None:
    """Sizes that no power of two is a multiple of."""
    ring: vmem.Ring[Any] = vmem.Ring("B", GRANULARITY // size, row_shape=(size,))
    assert GRANULARITY % size
    for number in range(3 * GRANULARITY // size):
        row = bytes((number + i) % 256 for i in range(size))
        ring.append(row)
        assert bytes(ring.latest(1)) == row
        assert ring[-1] == tuple(row)
    first = ring.oldest
    for offset, found in enumerate(ring):
        assert found == tuple((first + offset + i) % 256 for i in range(size))


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 25, 10_000])
@pytest.mark.parametrize("before", [0, 3, 10])
@pytest.mark.parametrize("kind", [list, tuple, iter, "buffer", "other buffer"])
def test_extend(length: int, before: int, kind: Any) -> None:
    ring, twin = vmem.Ring("h", 10), deque[int](range(before), maxlen=10)
    ring.extend(range(before))
    numbers = [number % 1000 for number in range(100, 100 + length)]
    twin.extend(numbers)
    if kind == "buffer":
        ring.extend(array.array("h", numbers))
    elif kind == "other buffer":
        ring.extend(np.array(numbers, ">i8")[::1])
    else:
        ring.extend(kind(numbers))
    assert list(ring) == list(twin)
    assert (ring.total, ring.oldest) == (before + length, before + length - len(twin))


def test_extend_takes_any_stride_and_byte_order() -> None:
    numbers = np.arange(30, dtype="i4")
    for given in (numbers[::3], numbers[::-1], numbers.astype(">i4"), numbers.astype("u1"), numbers.astype("i8")[5:]):
        ring = vmem.Ring("i", 30)
        ring.extend(given)
        assert list(ring) == given.tolist()
    ring = vmem.Ring("d", 30)  # type: ignore[assignment]
    ring.extend(numbers)
    assert list(ring) == numbers.tolist()


def test_a_buffer_that_cannot_be_converted_changes_nothing() -> None:
    ring = vmem.Ring("b", 10)
    ring.append(5)
    with pytest.raises(OverflowError):
        ring.extend(np.array([1, 2, 1000]))
    with pytest.raises(TypeError):
        ring.extend(np.array([1.5]))
    with pytest.raises(ValueError, match=r"the buffer must have the shape \(n,\), but has the shape \(2, 3\)"):
        ring.extend(np.zeros((2, 3), "i1"))
    with pytest.raises(ValueError, match=r"the buffer must have the shape \(n,\), but has the shape \(\)"):
        ring.extend(np.array(1, "i1"))
    for wrong in (5, None, "ab", [1, "2"], object()):
        with pytest.raises(TypeError):
            ring.extend(wrong)  # type: ignore[arg-type]
        if wrong == [1, "2"]:  # what came before the error stays, as in array.array
            assert list(ring) == [5, 1]
    assert ring.total == 2


def test_an_iterable_that_fails_leaves_what_it_gave() -> None:
    def fail() -> Any:
        yield from range(7)
        raise KeyError

    ring = vmem.Ring("i", 5)
    with pytest.raises(KeyError):
        ring.extend(fail())
    assert (list(ring), ring.total) == ([2, 3, 4, 5, 6], 7)


def test_extending_with_itself() -> None:
    for capacity in (10, GRANULARITY // 4, GRANULARITY // 4 - 1):
        ring = vmem.Ring("i", capacity)
        ring.extend(range(capacity + 5))
        before = list(ring)
        ring.extend(ring)
        assert list(ring) == before
        ring.extend(ring.latest(3))
        assert list(ring)[-6:] == before[-3:] * 2
        ring.extend(memoryview(ring)[:4])
        assert list(ring)[-4:] == before[3:7] if capacity == 10 else True
        assert len(ring) == capacity


# --- windows ---


def test_windows_and_positions() -> None:
    ring = vmem.Ring("i", 100)
    ring.extend(range(1000))
    assert (ring.oldest, ring.total) == (900, 1000)
    for start in (900, 901, 950, 999):
        for length in (1, 1000 - start):
            view = ring.window(start, length)
            assert (view.tolist(), view.readonly) == (list(range(start, start + length)), True)
    assert ring.window(900, 100).tolist() == ring.latest(100).tolist() == memoryview(ring).tolist()
    assert ring.window(1000, 0).tolist() == ring.window(900, 0).tolist() == ring.latest(0).tolist() == []
    assert ring.latest(Index(2)).tolist() == ring.window(Index(998), Index(2)).tolist() == [998, 999]
    with pytest.raises(TypeError):
        ring.latest(1)[0] = 5


def test_windows_that_are_not_there() -> None:
    ring = vmem.Ring("i", 100)
    ring.extend(range(1000))
    message = "the latest 101 items are not all there: this ring has 100"
    with pytest.raises(IndexError, match=message):
        ring.latest(101)
    for start, length in [(899, 1), (900, 101), (999, 2), (1000, 1), (1001, 0), (0, 0), (0, 1000), (1 << 40, 1)]:
        with pytest.raises(IndexError, match=f"the window of {length} items from position {start} on is not wholly"):
            ring.window(start, length)
    for arguments in ((-1, 1), (950, -(1 << 70)), (-(1 << 70), 1)):
        with pytest.raises(ValueError, match=f"must not be negative, got {min(arguments)}"):
            ring.window(*arguments)
    with pytest.raises(ValueError, match="num_items must not be negative, got -1"):
        ring.latest(-1)
    for wrong in ("1", 1.5, None):
        with pytest.raises(TypeError, match="must be an integer"):
            ring.latest(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="window expected 2 arguments, got 1"):
        ring.window(1)  # type: ignore[call-arg]


@pytest.mark.parametrize("bits", [31, 32, 63, 64, 200, 50_000])
def test_huge_numbers_are_quoted_as_they_are(bits: int) -> None:
    """But for those of thousands of digits."""
    huge = (1 << bits) - 1
    ring, queue = vmem.Ring("i", 100), vmem.Ring("i", 100, overwrite=False)
    ring.extend(range(1000))
    ring.prepare(5)
    number = str(huge) if huge < 1 << 1000 else f"an integer of {huge.bit_length()} bits"
    calls: list[tuple[Callable[[], object], type[Exception]]] = [
        (lambda: ring.latest(huge), IndexError),
        (lambda: ring.window(950, huge), IndexError),
        (lambda: ring.window(huge, 0), IndexError),
        (lambda: ring.consume(huge), ValueError),
        (lambda: ring.prepare(huge), ValueError),
        (lambda: ring.advance(huge), ValueError),
        (lambda: queue.prepare(huge), BufferError),
    ]
    for call, error in calls:
        with pytest.raises(error, match=number):
            call()
    with pytest.raises(IndexError, match="num_items must be at most 100, the capacity of this ring, got 1180591620"):
        ring.latest(1 << 70)
    assert (ring.total, ring.oldest, len(queue)) == (1000, 900, 0)


def test_a_view_shows_the_same_places_while_they_are_overwritten() -> None:
    ring = vmem.Ring("i", GRANULARITY // 4)
    ring.extend(range(ring.capacity))
    early = ring.window(5, 10)
    ring.extend(range(1000, 1008))
    assert early.tolist() == [1005, 1006, 1007, *range(8, 15)]
    with pytest.raises(IndexError):
        ring.window(5, 10)


def test_views_outlive_the_ring() -> None:
    ring = vmem.Ring("i", 100)
    ring.extend(range(1000))
    view, array_over = ring.latest(5), np.asarray(ring.latest(7))
    frombuffer: Any = np.frombuffer
    whole = frombuffer(ring, "i4")
    gone = weakref.ref(ring)
    del ring
    gc.collect()
    assert (view.tolist(), array_over.tolist()) == (list(range(995, 1000)), list(range(993, 1000)))
    assert whole.tolist() == list(range(900, 1000))
    del view, array_over, whole
    gc.collect()
    assert gone() is None


def test_numpy_shows_it_without_a_copy() -> None:
    ring = vmem.Ring("d", 100)
    ring.extend(np.arange(250.0))
    shown = np.asarray(ring)
    assert not shown.flags.writeable
    assert shown.tolist() == list(range(150, 250))
    ring.append(7.0)
    again = np.asarray(ring)
    assert again.ctypes.data == shown.ctypes.data + 8
    assert np.shares_memory(again, np.asarray(ring.latest(100)))
    with pytest.raises((BufferError, TypeError)):
        ctypes.c_char.from_buffer(ring)


# --- items ---


def test_indices() -> None:
    ring = vmem.Ring("i", 10)
    ring.extend(range(25))
    assert [ring[i] for i in range(-10, 10)] == [*range(15, 25), *range(15, 25)]
    assert ring[Index(3)] == 18
    for index in (10, -11, sys.maxsize, -sys.maxsize - 1):
        with pytest.raises(IndexError, match=f"ring index {index} is out of range: there are 10 items"):
            ring[index]
    with pytest.raises(IndexError):
        ring[1 << 100]
    with pytest.raises(TypeError, match=re.escape("latest(n) and window(start, n) are views")):
        ring[1:3]  # type: ignore[index]
    with pytest.raises(TypeError, match="must be integers"):
        ring["1"]  # type: ignore[index]
    for name in ("__setitem__", "__delitem__"):
        assert not hasattr(ring, name)


def test_iteration() -> None:
    ring = vmem.Ring("i", 10)
    ring.extend(range(12))
    iterator = iter(ring)
    assert iterator.__length_hint__() == 10  # type: ignore[attr-defined]
    ring.append(12)  # drops 2, which was the first one
    with pytest.raises(RuntimeError, match="item 2 was dropped during iteration: the oldest one is 3"):
        next(iterator)
    assert [next(iterator), next(iterator)] == [3, 4]
    assert list(iterator) == [5, 6, 7, 8, 9, 10, 11]  # those that were there when it began
    assert list(iterator) == []
    assert iterator.__length_hint__() == 0  # type: ignore[attr-defined]
    assert (5 in ring, 50 in ring, list(reversed(ring))) == (True, False, list(range(12, 2, -1)))


def test_matching() -> None:
    ring = vmem.Ring("i", 3)
    ring.extend([1, 2, 3])
    match ring:
        case [first, *rest]:
            assert (first, rest) == (1, [2, 3])
        case _:
            raise AssertionError


# --- arguments ---


def test_the_capacity_is_what_was_asked() -> None:
    for capacity in (1, 2, 1000, GRANULARITY, GRANULARITY + 1, Index(5)):
        ring = vmem.Ring("B", capacity)
        ring.extend(bytes(3 * GRANULARITY))
        assert ring.capacity == len(ring) == int(capacity.__index__())
    assert vmem.Ring(typecode="d", capacity=3).capacity == 3


@pytest.mark.parametrize("capacity", [-1, -(1 << 70)])
def test_negative_capacities(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity must not be negative"):
        vmem.Ring("d", capacity)


@pytest.mark.parametrize("capacity", [0, sys.maxsize, sys.maxsize // 8, 1 << 64])
def test_impossible_capacities(capacity: int) -> None:
    with pytest.raises(ValueError, match=r"capacity must be from 1 to \d+ items of 8 bytes, got "):
        vmem.Ring("d", capacity)


@pytest.mark.many_addresses
def test_more_than_there_is() -> None:
    with pytest.raises(vmem.OutOfMemoryError):
        vmem.Ring("d", 1 << 50)
    with pytest.raises(vmem.OutOfMemoryError):
        vmem.Ring("B", 1 << 46)


def test_wrong_arguments() -> None:
    make: Any = vmem.Ring
    for arguments in ((), ("d",), ("d", 5, True), (5, "d"), ("dd", 5), (None, 5), (b"d", 5), ("d", "5"), ("d", 1.5)):
        with pytest.raises(TypeError):
            make(*arguments)
    with pytest.raises(TypeError):
        make("d", 5, size=3)
    with pytest.raises(ValueError, match="bad typecode"):
        make("u", 5)
    with pytest.raises(ValueError, match="overwrite=False is for one process"):
        make("d", 5, overwrite=False, shared=True)
    with pytest.raises(TypeError, match=re.escape("Ring() argument 1 must be a typecode")):
        make("dd", 5)


# --- what it is ---


def match_repr(ring: object, call: str, state: str = "0 items, 0 written") -> bool:
    """The address looks different on Windows."""
    return bool(re.fullmatch(f"<{re.escape(call)} at 0[xX][0-9a-fA-F]+: {state}>", repr(ring)))


def test_repr() -> None:
    ring = vmem.Ring("f", 100)
    ring.extend(range(250))
    assert match_repr(ring, "vmem.Ring('f', 100)", "100 items, 250 written")
    assert match_repr(vmem.Ring[Any]("B", 5, row_shape=(2, 3)), "vmem.Ring('B', 5, row_shape=(2, 3))")
    assert match_repr(vmem.Ring("d", 1, overwrite=False), "vmem.Ring('d', 1, overwrite=False)")


@posix_only
def test_repr_of_a_shared_ring() -> None:
    ring = vmem.Ring[Any]("B", 5, row_shape=(8,), shared=True)
    assert match_repr(ring, "vmem.Ring('B', 5, row_shape=(8,), shared=True)")
    reader = vmem.attach(ring.fileno())
    assert match_repr(reader, "vmem.Ring('B', 5, row_shape=(8,), shared=True)", "0 items, 0 written, read-only")


def test_copies_and_pickles_are_refused() -> None:
    ring = vmem.Ring("f", 100)
    calls: list[Callable[[], object]] = [lambda: copy.copy(ring), lambda: copy.deepcopy(ring)]
    calls += [lambda protocol=protocol: pickle.dumps(ring, protocol) for protocol in range(6)]  # type: ignore[misc]
    for call in calls:
        with pytest.raises(TypeError, match="cannot pickle 'Ring' object, nor copy it"):
            call()


def test_subclasses() -> None:
    class Named(vmem.Ring[float]):
        name = "left"

        def append(self, item: Any, /) -> None:
            super().append(2 * item)

    ring = Named("d", 5)
    ring.append(1.5)
    ring.other = ring  # type: ignore[attr-defined]
    assert list(ring) == [3.0]
    assert match_repr(ring, f"{__name__}.Named('d', 5)", "1 items, 1 written")
    view, gone = ring.latest(1), weakref.ref(ring)
    ring.view = view  # type: ignore[attr-defined]
    del ring, view
    gc.collect()
    assert gone() is None


def test_rings_are_equal_only_to_themselves() -> None:
    one, other = vmem.Ring("i", 5), vmem.Ring("i", 5)
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2


def test_new_without_init_and_init_twice() -> None:
    ring = vmem.Ring.__new__(vmem.Ring, "i", 5)
    ring.append(1)
    ring.__init__("i", 5)  # type: ignore[misc]
    assert list(ring) == [1]
    assert vmem.Ring[int].__origin__ is vmem.Ring  # type: ignore[attr-defined]


def test_the_map() -> None:
    ring = vmem.Ring("B", 3 * GRANULARITY)
    ring.extend(bytes(ring.capacity))
    view = ring.latest(10)
    found = ring.map()
    assert (found.kind, found.size, found.committed, found.num_views) == ("ring", 4 * GRANULARITY, 4 * GRANULARITY, 1)
    assert (found.used, found.name, found.locked) == (None, None, 0)
    assert str(found).startswith("ring: ")
    del view
    assert ring.map().num_views == 0


@pytest.mark.parametrize("dtype", ["b", "B", "i4", ">i8"])
@pytest.mark.parametrize("row_shape", [(), (2, 3)])
def test_what_does_not_stay_is_not_read(dtype: str, row_shape: tuple[int, ...]) -> None:
    """These are more items than could be copied or walked."""
    many = min(1 << 40, sys.maxsize // 64)
    ring = vmem.Ring[Any]("b", 10, row_shape=row_shape)
    given = np.broadcast_to(np.array(5, dtype), (many, *row_shape))
    ring.append(np.ones(row_shape, "b") if row_shape else 1)
    ring.extend(given)
    assert (len(ring), ring.total, ring.oldest) == (10, many + 1, many - 9)
    assert np.all(np.asarray(ring) == 5)
    queue = vmem.Ring[Any]("b", 10, row_shape=row_shape, overwrite=False)
    queue.extend(given[:3])
    with pytest.raises(BufferError, match=f"cannot write {many} items: 7 of the 10 places of this ring are free"):
        queue.extend(given)
    assert (len(queue), queue.total) == (3, 3)


@pytest.mark.parametrize("dtype", ["i4", ">i4", "u1", "i8"])
def test_the_last_items_of_a_buffer_stay(dtype: str) -> None:
    numbers = np.arange(120, dtype=dtype)
    for given in (numbers, numbers[::3], numbers[::-1], numbers[100::-7], numbers[:8], numbers[:7]):
        ring = vmem.Ring("i", 7)
        ring.extend(given)
        assert (list(ring), ring.total) == (given[-7:].tolist(), len(given))
    for given in (
        numbers.reshape(20, 3, 2),
        numbers.reshape(2, 20, 3).transpose(1, 2, 0),
        numbers.reshape(20, 3, 2)[::-2],
    ):
        rows = vmem.Ring[Any]("i", 7, row_shape=(3, 2))
        rows.extend(given)
        assert (np.asarray(rows).tolist(), rows.total) == (given[-7:].tolist(), len(given))
