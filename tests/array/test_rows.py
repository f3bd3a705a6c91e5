"""Arrays whose items are rows: what each method of array.array means for them."""

from __future__ import annotations

import array
import copy
import io
import pickle
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest

import vmem
from tests.models.rows_model import CheckedRows
from tests.support.arguments import Index
from tests.support.marks import linux_only, needs_shared_memory
from tests.support.peers import Peer, attach_array
from tests.support.processes import run_python
from tests.support.twin_arrays import TYPECODES, add_in_place
from vmem import _vmem

Array = vmem.Array[Any]
Call = Callable[[], object]

SHAPES = [(1,), (3,), (2, 3), (1, 1, 1), (2, 1, 3, 2), (1,) * 8]
LARGE = (128 << 10) + 1  # bytes that no array keeps on the heap


def make_rows(shape: tuple[int, ...], num_rows: int, dtype: str = "i4") -> Any:
    return np.arange(num_rows * int(np.prod(shape)), dtype=dtype).reshape((num_rows, *shape))


def as_tuples(rows: Any) -> Any:
    return tuple(map(as_tuples, rows)) if isinstance(rows, list) else rows


def points(*rows: Any, typecode: str = "d") -> Array:
    return vmem.Array(typecode, rows, row_shape=(2,))


def view(numbers: Any) -> Any:
    return memoryview(numbers)


ABC = (1.0, 2.0), (3.0, 4.0), (5.0, 6.0)


# --- making ---


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["lists", "tuples", "arrays", "other arrays", "strided arrays"])
def test_appended_rows(shape: tuple[int, ...], kind: str) -> None:
    rows = make_rows(shape, 12)
    made: Array = vmem.Array("i", row_shape=shape)
    for row in rows:
        given = {
            "lists": row.tolist(),
            "tuples": as_tuples(row.tolist()),
            "arrays": row,
            "other arrays": row.astype(">i8"),
            "strided arrays": np.asfortranarray(row[..., ::-1])[..., ::-1],
        }[kind]
        made.append(given)
    assert (len(made), made.row_shape, made.itemsize, made.typecode) == (12, shape, 4, "i")
    assert made.tolist() == list(made) == [as_tuples(row) for row in rows.tolist()]
    assert made[5] == made[-7] == as_tuples(rows[5].tolist())
    shown, view = np.asarray(made), memoryview(made)
    assert (shown.shape, shown.tolist()) == ((12, *shape), rows.tolist())
    assert (view.shape, view.strides, view.format, view.readonly) == (rows.shape, rows.strides, "i", False)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("num_rows", [0, 1, 23])
@pytest.mark.parametrize("take", [vmem.Array.extend, vmem.Array.__init__], ids=["extend", "Array()"])
def test_extended_by_rows(shape: tuple[int, ...], num_rows: int, take: Any) -> None:
    rows = make_rows(shape, num_rows)
    lists = list(as_tuples(rows.tolist()))
    for given in (rows, rows.astype("i8"), rows.astype(">i4"), np.asfortranarray(rows), rows.tolist(), iter(lists)):
        if take is vmem.Array.extend:
            made: Array = vmem.Array("i", row_shape=list(shape))
            made.extend(given)
        else:
            made = vmem.Array("i", given, row_shape=shape)
        assert made.tolist() == lists
    made.extend(made)
    assert made.tolist() == lists * 2


@pytest.mark.parametrize("capacity", [None, 100_000])
def test_views_stay_valid_while_rows_are_added(capacity: int | None) -> None:
    made: Array = vmem.Array("h", row_shape=(2, 3), capacity=capacity)
    rows = make_rows((2, 3), 50_000, "i2")
    made.extend(rows[:3])
    early = np.asarray(made)
    made.extend(rows[3:])
    made[0] = np.full((2, 3), 7)
    early[1] = 8
    assert early.ctypes.data == np.asarray(made).ctypes.data
    assert (early[0].tolist(), made[1], early.shape) == ([[7] * 3] * 2, ((8,) * 3,) * 2, (3, 2, 3))
    assert np.asarray(made)[2:].tolist() == rows[2:].tolist()
    with pytest.raises(BufferError, match="cannot shrink this array from 50000 to 2 items"):
        del made[2:]
    del made[3:]


@pytest.mark.parametrize("shape", [(), []])
def test_no_rows_are_numbers(shape: Any) -> None:
    for made in (vmem.Array("d", [1.0], row_shape=shape), vmem.Array("d", [1.0])):
        assert (made.row_shape, made[0], memoryview(made).shape, repr(made)) == ((), 1.0, (1,), "Array('d', [1.0])")


def test_a_row_larger_than_what_is_kept_on_the_heap() -> None:
    made: Array = vmem.Array("B", row_shape=(LARGE,))
    for number in range(5):
        made.append(bytes([number]) * LARGE)
    made.insert(0, memoryview(bytes([9]) * LARGE))
    made.reverse()
    assert [row[LARGE // 2] for row in made] == [4, 3, 2, 1, 0, 9]
    assert {len(set(row)) for row in made} == {1}
    assert made.pop(1) == (3,) * LARGE
    assert made.index((1,) * LARGE) == 2
    made[0] = bytes(LARGE)
    assert made[0] == (0,) * LARGE
    assert len(made.tobytes()) == 5 * LARGE


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1000])
def test_rows_of_every_size(size: int) -> None:
    rows = [bytes([number] * size) for number in range(7)]
    made: Array = vmem.Array("B", rows, row_shape=(size,))
    made.reverse()
    assert made.tobytes() == b"".join(reversed(rows))
    made[::2] = made[1:5]
    assert made[0] == (5,) * size
    made.append(made[1])
    assert (made.pop(), made[-1]) == ((5,) * size, (2,) * size)
    assert made.count((2,) * size) == 1


def test_capacity_counts_rows() -> None:
    made: Array = vmem.Array("d", capacity=3, row_shape=(5,))
    made.extend(np.zeros((3, 5)))
    assert made.capacity == 3
    calls: list[Call] = [
        lambda: made.append([0] * 5),
        lambda: made.frombytes(bytes(40)),
        lambda: made.extend(made),
    ]
    for call in calls:
        with pytest.raises(vmem.OutOfMemoryError, match=r"a capacity of 3 items to [46];"):
            call()
    assert 0.9 < vmem.Array("d", row_shape=(100,)).capacity * 100 / vmem.Array("d").capacity < 1.1
    with pytest.raises(ValueError, match="items of 24 bytes"):
        vmem.Array("d", capacity=1 << 62, row_shape=(3,))
    made = vmem.Array("d", row_shape=(2,))
    made.prefault(10)
    assert made.map().used == 0


def test_reading_more_than_can_be() -> None:
    made = points(*ABC)
    with pytest.raises(vmem.OutOfMemoryError, match=f"cannot grow an array .* to {(sys.maxsize >> 3) + 3};"):
        made.fromfile(io.BytesIO(), sys.maxsize >> 3)
    assert made.tolist() == list(ABC)


def test_rows_that_no_memory_holds() -> None:
    made: Array = vmem.Array("b", row_shape=((1 << 50) if sys.maxsize > 1 << 32 else (1 << 29) - 1,))
    assert (len(made), made.capacity, memoryview(made).nbytes) == (0, 0, 0)
    calls: list[Call] = [lambda: made.append([1]), lambda: made.extend([[1]]), lambda: made.insert(0, b"1")]
    for call in calls:
        with pytest.raises((MemoryError, ValueError)):
            call()
    assert made.tolist() == made[:].tolist() == (made * 5).tolist() == []
    with pytest.raises(ValueError, match="multiple of row size"):
        made.frombytes(b"12")
    made.frombytes(b"")


@pytest.mark.parametrize("shape", [(1 << 46,), (1, 1 << 46), (1 << 46, 1)])
@pytest.mark.skipif(sys.maxsize < 1 << 32, reason="such rows are not possible")
def test_the_shape_is_checked_before_memory_is_allocated(shape: tuple[int, ...]) -> None:
    """For more than there are addresses: a Python without the GIL allocates what the system has no memory for."""
    made: Array = vmem.Array("d", row_shape=shape)
    for wrong in ([[1]], np.zeros(3), np.zeros((1, 3)), view(np.zeros((2, 3)))):
        with pytest.raises(ValueError, match="a row has the shape"):
            made.append(wrong)
    with pytest.raises(TypeError, match="a row must be a sequence or a buffer, not int"):
        made.append(5)
    with pytest.raises(MemoryError, match=f"cannot allocate a row of {8 << 46} bytes"):
        made.append(np.broadcast_to(np.zeros(1), shape))


def test_nested_memoryviews_of_a_large_row() -> None:
    numbers: Any = np.arange(1 << 18).reshape(2, 2, 1 << 16)
    made: Array = vmem.Array("d", row_shape=numbers.shape)
    made.append(list(map(view, numbers)))
    made.append(memoryview(numbers))
    assert np.array_equal(np.asarray(made), [numbers, numbers])


@pytest.mark.parametrize("wrong", [0, -1, 1 << 62, 1 << 100])
def test_impossible_dimensions(wrong: int) -> None:
    with pytest.raises(ValueError, match="row"):
        vmem.Array("d", row_shape=(2, wrong))
    with pytest.raises(ValueError, match="makes a row of more than"):
        vmem.Array("d", row_shape=(sys.maxsize // 8, 8))


@pytest.mark.parametrize("wrong", [3, "33", None, (1.5,), ("3",), {3}, (i for i in (3,))])
def test_shapes_that_are_no_tuples_of_integers(wrong: Any) -> None:
    with pytest.raises(TypeError):
        vmem.Array("d", row_shape=wrong)


def test_shapes_of_integers_of_other_types() -> None:
    made: Array = vmem.Array("d", row_shape=[Index(2), True, np.int8(3)])
    assert made.row_shape == (2, 1, 3)
    with pytest.raises(ValueError, match="at most 8 dimensions, got 9"):
        vmem.Array("d", row_shape=(1,) * 9)


def test_a_shape_that_changes_while_it_is_converted() -> None:
    class Clearing:
        def __index__(self) -> int:
            shape.clear()
            return 2

    shape: list[Any] = [Clearing(), 3, 4]
    assert vmem.Array("d", row_shape=shape).row_shape == (2, 3, 4)


def test_subclasses_take_the_shape() -> None:
    class Points(Array):
        def __init__(self, typecode: str, start: object = (), *, unit: str, **_: object) -> None:
            self.unit = unit

    made = Points("d", ABC, unit="m", row_shape=(2,))
    assert (made.tolist(), made.row_shape, made.unit) == (list(ABC), (2,), "m")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with suppress(pickle.PicklingError, AttributeError):  # it is local
            pickle.dumps(made, protocol)


# --- what is refused ---


@pytest.mark.parametrize("wrong", [[1, 2], [1, 2, 3, 4], [], [[1, 2, 3]], (1, [2], 3), np.zeros(2), np.zeros((1, 3))])
def test_rows_of_another_shape(wrong: Any) -> None:
    made: Array = vmem.Array("d", [(1, 2, 3)], row_shape=(3,))
    calls: list[Call] = [
        lambda: made.append(wrong),
        lambda: made.insert(0, wrong),
        lambda: made.__setitem__(0, wrong),
        lambda: made.fromlist([(4, 5, 6), wrong]),
    ]
    for call in calls:
        with pytest.raises((ValueError, TypeError)):
            call()
        assert made.tolist() == [(1, 2, 3)]
    with pytest.raises((ValueError, TypeError)):
        made.extend(iter([(4, 5, 6), wrong, (7, 8, 9)]))
    assert made.tolist() == [(1, 2, 3), (4, 5, 6)]  # as in array.array


def test_messages() -> None:
    made: Array = vmem.Array("d", row_shape=(3, 2))
    with pytest.raises(ValueError, match=r"a row has the shape \(3, 2\), but this one has 2 items in dimension 0"):
        made.append([[1, 2], [1, 2]])
    with pytest.raises(ValueError, match=r"a row has the shape \(3, 2\), but this buffer has the shape \(2, 3\)"):
        made.append(np.zeros((2, 3)))
    for wrong in ((6,), (3, 2), (1, 2, 3), (0,)):
        shape = str(wrong).replace("(", r"\(").replace(")", r"\)")
        with pytest.raises(ValueError, match=rf"the buffer must have the shape \(n, 3, 2\), but has the shape {shape}"):
            made.extend(np.zeros(wrong))
        with pytest.raises(ValueError, match="must have the shape"):
            vmem.Array("d", np.zeros(wrong), row_shape=(3, 2))
    with pytest.raises(TypeError, match="a row must be a sequence or a buffer, not int"):
        made.append(5)
    with pytest.raises(TypeError, match="a row must be a sequence or a buffer, not str"):
        made.append("ab")
    with pytest.raises(TypeError, match="must be real number"):
        made.append([[1, 2], [1, "2"], [1, 2]])
    with pytest.raises(ValueError, match="bytes length not a multiple of row size"):
        made.frombytes(bytes(6 * 8 + 8))
    assert len(made) == 0
    with pytest.raises(OverflowError):
        vmem.Array("b", [(1, 128)], row_shape=(2,))
    with pytest.raises(TypeError):
        vmem.Array("i", np.zeros((1, 2)), row_shape=(2,))


@pytest.mark.parametrize("other", [vmem.Array("d", [1, 2]), vmem.Array("d", [(1,)], row_shape=(1,)), points((1, 2))])
def test_arrays_of_another_shape(other: Array) -> None:
    made: Array = vmem.Array("d", [((1, 2),)], row_shape=(1, 2))
    calls: list[Call] = [
        lambda: made + other,
        lambda: other + made,
        lambda: add_in_place(made, other),
        lambda: made.extend(other),
        lambda: other.extend(made),
        lambda: made.__setitem__(slice(0, 1), other),
        lambda: vmem.Array("d", other, row_shape=(1, 2)),
        lambda: vmem.Array("f", other, row_shape=(1, 2)),
    ]
    for index, call in enumerate(calls):
        if index == 6:  # the constructor extends a new array
            expected = f"row_shape (1, 2), but the other one has {other.row_shape}"
            with pytest.raises(TypeError) as caught:
                call()
            assert expected in str(caught.value)
        else:
            with pytest.raises(TypeError, match="row_shape"):
                call()
    assert made.tolist() == [((1, 2),)]
    with pytest.raises(TypeError, match="same kind"):
        made.extend(vmem.Array("f", row_shape=(1, 2)))
    with pytest.raises(TypeError, match="bad argument"):
        made + vmem.Array("f", row_shape=(1, 2))


@pytest.mark.parametrize("capacity", [None, 10])
def test_arrays_of_another_typecode_are_converted_by_the_constructor(capacity: int | None) -> None:
    whole: Array = vmem.Array("i", [(1, 2), (3, 4)], row_shape=(2,), capacity=capacity)
    assert vmem.Array("d", whole, row_shape=(2,)).tolist() == [(1.0, 2.0), (3.0, 4.0)]
    assert vmem.Array("q", whole, row_shape=(2,)).tolist() == whole.tolist()
    with pytest.raises(TypeError):
        vmem.Array("i", vmem.Array("d", whole, row_shape=(2,), capacity=capacity), row_shape=(2,))
    with pytest.raises(OverflowError):
        vmem.Array("b", vmem.Array("i", [(1, 1000)], row_shape=(2,), capacity=capacity), row_shape=(2,))


@pytest.mark.parametrize("typecode", ["d", "i"])
def test_complex_numbers_are_refused(typecode: str) -> None:
    made, numbers = points(typecode=typecode), np.array([1 + 2j, 3])
    calls: list[Call] = [
        lambda: made.append(numbers),
        lambda: made.extend([numbers]),
        lambda: made.extend(numbers.reshape(1, 2)),
        lambda: made.insert(0, [1, 1j]),
        lambda: vmem.Array(typecode, numbers.reshape(1, 2), row_shape=(2,)),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="complex"):
            call()
    assert len(made) == 0


FORMATS = ["d", ">d", "e", ">e", "f", "?", "i", ">H", "b"]


@pytest.mark.parametrize("code", FORMATS)
@pytest.mark.parametrize("typecode", ["B", "d"])
def test_memoryviews_of_numbers(code: str, typecode: str) -> None:
    """Python cannot index those with several dimensions, nor most of these formats."""
    numbers: Any = (np.arange(12).reshape(2, 2, 3) % 5 % 2).astype(code)
    expected = list(as_tuples(numbers.tolist()))
    whole, first, parts = memoryview(numbers), memoryview(numbers[0]), list(map(view, numbers[1]))
    if typecode == "B" and code[-1] in "def":
        made: Array = vmem.Array(typecode, row_shape=(2, 3))
        views: list[Call] = [
            lambda: made.extend(whole),
            lambda: made.append(first),
            lambda: made.append(parts),
            lambda: vmem.Array(typecode, whole, row_shape=(2, 3)),
            lambda: vmem.Array(typecode, numbers, row_shape=(2, 3)),
        ]
        for call in views:
            with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
                call()
        made.extend(memoryview(numbers)[:0])
        assert len(made) == 0
        return
    made = vmem.Array(typecode, whole, row_shape=(2, 3))
    made.extend(whole)
    made.append(first)
    made.append(parts)
    made.insert(0, first)
    assert made.tolist() == [expected[0], *expected * 3]
    made[0] = memoryview(numbers[1])
    assert made[0] == expected[1]
    assert (made.count(first), made.index(first), first in made, made.count(parts)) == (3, 1, True, 4)
    made.remove(first)
    assert made.count(first) == made.count(numbers[0]) == 2
    backwards = view(np.asfortranarray(numbers[0])[::-1, ::-1])
    assert (made.count(backwards), backwards.contiguous) == (made.count(numbers[0, ::-1, ::-1].tolist()), False)
    assert whole not in made
    assert memoryview(numbers[0, :, :2]) not in made


def test_every_half_float() -> None:
    halves: Any = np.arange(1 << 16, dtype="u2").view("f2").reshape(-1, 4)
    for given in (halves, halves.astype(">f2")):
        shown = np.asarray(vmem.Array[Any]("d", memoryview(given), row_shape=(4,)))
        assert np.array_equal(shown, halves.astype("f8"), equal_nan=True)
        assert np.array_equal(np.signbit(shown), np.signbit(halves))


def test_bools_are_the_same_in_every_buffer() -> None:
    bools: Any = np.array([[True, False], [False, True]])
    for given in (bools, memoryview(bools), memoryview(b"\1\0\0\5").cast("?", (2, 2))):
        for typecode in TYPECODES:
            assert vmem.Array(typecode, given, row_shape=(2,)).tolist() == [(1, 0), (0, 1)]
    assert points((1, 0), typecode="i").count(bools[0]) == 1


def test_memoryviews_of_what_rows_cannot_have() -> None:
    made, objects = points(*ABC), view(np.zeros((1, 2), "O"))
    calls: list[Call] = [
        lambda: made.extend(objects),
        lambda: made.append(objects),
        lambda: made.__setitem__(0, objects),
        lambda: vmem.Array("d", objects, row_shape=(2,)),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="a memoryview with the format 'O' holds no numbers that rows can have"):
            call()
    assert objects not in made
    assert made.tolist() == list(ABC)
    made.append(np.array([7, 8], "O"))
    assert made.count(np.array([7, 8], "O")) == 1


# --- each method ---


def test_inserting_and_removing() -> None:
    made = points(*ABC)
    made.insert(1, [9, 8])
    made.insert(-100, array.array("d", [7, 6]))
    assert made.tolist() == [(7, 6), ABC[0], (9, 8), *ABC[1:]]
    assert (made.pop(), made.pop(0), made.pop(-2)) == (ABC[2], (7, 6), (9, 8))
    made.remove([3, 4])
    assert made.tolist() == [ABC[0]]
    del made[0]
    with pytest.raises(IndexError, match="pop from empty array"):
        made.pop()
    with pytest.raises(ValueError, match="not in array"):
        made.remove(ABC[0])
    with pytest.raises(IndexError):
        made[0]


def test_searching_compares_rows() -> None:
    made = points(*ABC, ABC[0])
    nan = points((float("nan"), 1.0))
    assert [made.count(row) for row in (ABC[0], [1, 2], np.array([1, 2]), memoryview(array.array("i", [1, 2])))] == [
        2
    ] * 4
    assert (made.index(ABC[2]), made.index([1, 2], 1), made.index(ANY)) == (2, 3, 0)
    assert (3, 4) in made
    for absent in ((1, 3), (1,), (1, 2, 3), [], "12", 1.0, None, (1, (2,)), [[1, 2]], b"12", np.zeros(3), {1: 2}):
        assert absent not in made
        assert made.count(absent) == 0
        with pytest.raises(ValueError, match="not in array"):
            made.index(absent)
    assert nan[0] not in nan
    nested: Array = vmem.Array("B", [((1, 2), (3, 4))], row_shape=(2, 2))
    for row in (((1, 2), (3, 4)), [[1, 2], (3, 4)], np.array([[1, 2], [3, 4]]), [b"\1\2", b"\3\4"]):
        assert nested.index(row) == 0
    assert ((1, 2), 3) not in nested


def test_comparing() -> None:
    assert points(*ABC) == points(*ABC)
    assert points(*ABC) == vmem.Array("f", ABC, row_shape=(2,))
    assert points(*ABC) != points(*ABC[:2])
    assert points((1, 2)) < points((1, 3)) < points((1, 3), (0, 0)) < points((2, 0))
    assert vmem.Array("i", [(1, 2)], row_shape=(2,)) < vmem.Array("i", [(1, 3)], row_shape=(2,))
    assert vmem.Array("i", [(1, 2)], row_shape=(2,)) != vmem.Array("i", [1])
    assert vmem.Array("i", [(1, 2)], row_shape=(2,)) != vmem.Array("i", [((1, 2),)], row_shape=(1, 2))
    assert vmem.Array("i", [(1, 2)], row_shape=(2,)) < vmem.Array("i", [(1, 2, 0)], row_shape=(3,))
    assert vmem.Array("q", [(7,) * 300], row_shape=(300,)) != vmem.Array("q", [7])
    with pytest.raises(TypeError, match="not supported between"):
        assert vmem.Array("i", [(1, 2)], row_shape=(2,)) < vmem.Array("i", [1])


def test_slices_and_sums_keep_the_shape() -> None:
    made = points(*ABC)
    others = [made[1:], made[::-2], made + made, made * 2, 2 * made, copy.copy(made), copy.deepcopy(made), made[5:]]
    assert {(other.row_shape, type(other)) for other in others} == {((2,), vmem.Array)}
    assert [other.tolist() for other in others[:4]] == [list(ABC[1:]), list(ABC[::-2]), [*ABC, *ABC], [*ABC, *ABC]]
    made[1:2] = others[1]
    assert made.tolist() == [ABC[0], ABC[2], ABC[0], ABC[2]]
    made[::2] = made[:2]
    assert made.tolist() == [ABC[0], ABC[2], ABC[2], ABC[2]]
    made[::-1] = made
    assert made.tolist() == [ABC[2], ABC[2], ABC[2], ABC[0]]
    del made[::2]
    assert made.tolist() == [ABC[2], ABC[0]]
    made += made
    made *= 2
    assert made.tolist() == [ABC[2], ABC[0]] * 4
    with pytest.raises(TypeError, match='can only assign array \\(not "list"\\)'):
        made[0:1] = [(1, 2)]  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="attempt to assign array of size 1 to extended slice of size 4"):
        made[::2] = made[:1]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_bytes_are_swapped_within_numbers(typecode: str) -> None:
    numbers = list(range(1, 13))
    rows: Array = vmem.Array(typecode, make_rows((2, 3), 2) + 1, row_shape=(2, 3))
    flat: Array = vmem.Array(typecode, numbers)
    rows.byteswap()
    flat.byteswap()
    assert rows.tobytes() == flat.tobytes()
    rows.byteswap()
    rows.reverse()
    assert np.asarray(rows).ravel().tolist() == numbers[6:] + numbers[:6]


def test_bytes_and_files_hold_whole_rows() -> None:
    made = points((1, 2), (3, 4), (5, 6), typecode="i")
    assert made.tobytes() == bytes(made) == array.array("i", range(1, 7)).tobytes()
    file = io.BytesIO()
    made.tofile(file)
    file.seek(0)
    other = points(typecode="i")
    other.fromfile(file, 2)
    assert other == made[:2]
    with pytest.raises(EOFError):
        other.fromfile(file, 2)
    assert other == made
    with pytest.raises(ValueError, match="row size"):
        other.fromfile(io.BytesIO(bytes(12)), 2)
    with pytest.raises(MemoryError):
        other.fromfile(file, sys.maxsize)
    other.frombytes(made.tobytes())
    assert other == made + made
    assert vmem.Array("i", made.tobytes(), row_shape=(2,)) == made
    address, length = made.buffer_info()
    assert (address, length) == (np.asarray(made).ctypes.data, 3)


@pytest.mark.parametrize("shape", SHAPES)
def test_representations_evaluate_to_the_array(shape: tuple[int, ...]) -> None:
    for num_rows in (0, 1, 3):
        made: Array = vmem.Array("i", make_rows(shape, num_rows), row_shape=shape)
        again = eval(repr(made), {"Array": vmem.Array})
        assert (again, again.row_shape) == (made, shape)
    assert repr(points((1, 2))) == "Array('d', [(1.0, 2.0)], row_shape=(2,))"
    assert repr(points()) == "Array('d', row_shape=(2,))"


def test_attributes_are_read_only() -> None:
    with pytest.raises(AttributeError):
        points().row_shape = (3,)  # type: ignore[misc]


# --- other libraries ---


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("copies", [False, True])
def test_tensors_have_the_shape(shape: tuple[int, ...], copies: bool) -> None:
    class Wish:
        def __dlpack__(self, **options: Any) -> Any:
            return made.__dlpack__(**{**options, "copy": copies or None})

        def __dlpack_device__(self) -> tuple[int, int]:
            return made.__dlpack_device__()

    rows = make_rows(shape, 5)
    made: Array = vmem.Array("i", rows, row_shape=shape)
    tensor = np.from_dlpack(Wish())
    assert (tensor.shape, tensor.strides, tensor.tolist()) == (rows.shape, rows.strides, rows.tolist())
    made[0] = np.full(shape, 77)
    assert (tensor.tolist() == np.asarray(made).tolist()) is not copies


def test_numpy_gets_the_shape_from_dunder_array() -> None:
    made = points(*ABC)
    assert made.__array__().shape == made.__array__(dtype="i4", copy=True).shape == (3, 2)
    assert np.frombuffer(memoryview(made)).shape == (6,)


def test_arrow_gets_numbers_alone() -> None:
    for call in (points().__arrow_c_array__, points().__arrow_c_schema__):
        with pytest.raises(TypeError, match="array of rows to Arrow, whose arrays have one dimension"):
            call()


def test_simple_buffers_are_bytes() -> None:
    import hashlib

    made = points(*ABC)
    assert hashlib.sha256(made).digest() == hashlib.sha256(made.tobytes()).digest()
    assert b"".join([made]) == made.tobytes()


# --- pickling ---


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("shape", SHAPES)
def test_pickles_keep_the_shape(protocol: int, shape: tuple[int, ...]) -> None:
    for capacity in (None, 10):
        for num_rows in (0, 5):
            made: Array = vmem.Array("i", make_rows(shape, num_rows), row_shape=shape, capacity=capacity)
            again = pickle.loads(pickle.dumps(made, protocol))
            assert (again, again.row_shape, again.typecode) == (made, shape, "i")


def test_pickles_out_of_band_have_no_copy() -> None:
    made: Array = vmem.Array("d", make_rows((2, 3), 5), row_shape=(2, 3), capacity=10)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(made, 5, buffer_callback=buffers.append)
    assert len(buffers) == 1
    shown = memoryview(buffers[0])
    assert (shown.shape, shown.nbytes) == ((5, 2, 3), 240)
    assert np.asarray(shown).ctypes.data == made.buffer_info()[0]
    for given in (buffers[0], buffers[0].raw().tobytes(), np.asarray(made)):
        again = pickle.loads(data, buffers=[given])
        assert (again, again.row_shape) == (made, (2, 3))


def test_pickles_of_other_machines() -> None:
    order = "><"[sys.byteorder == "big"]
    big = np.array([[1, 2], [3, 4]], dtype=f"{order}i8").tobytes()
    made = _vmem._rebuild_array(vmem.Array, "i", order + "q", big, 2, (2,))
    assert (made.tolist(), made.row_shape) == ([(1, 2), (3, 4)], (2,))
    swapped = np.array([[1, 2], [3, 4]], dtype=f"{order}i4").tobytes()
    assert _vmem._rebuild_array(vmem.Array, "i", order + "i", swapped, 2, (2,)).tolist() == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (TypeError, "row_shape must be a tuple", {5: 3}),
        (TypeError, "row_shape must be a tuple", {5: None}),
        (ValueError, "a dimension in row_shape", {5: (0,)}),
        (ValueError, "at most 8", {5: (1,) * 9}),
        (ValueError, "12 bytes each cannot take 16 bytes", {5: (3,)}),
        (ValueError, "the pickle is of 4 items of 8 bytes, but its buffer has 16 bytes", {4: 4}),
        (ValueError, "of more bytes than there can be", {2: "<q", 5: (sys.maxsize // 16,)}),
    ],
)
def test_malformed_pickles(error: type[Exception], message: str, change: dict[int, Any]) -> None:
    arguments: list[Any] = [vmem.Array, "i", "<i", bytes(16), 2, (2,)]
    for index, value in change.items():
        arguments[index] = value
    with pytest.raises(error, match=message):
        _vmem._rebuild_array(*arguments)


def test_numbers_are_pickled_as_before() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert b"row_shape" not in pickle.dumps(vmem.Array("i", [1]), protocol)
        function, arguments = vmem.Array("i", [1]).__reduce_ex__(protocol)[:2]
        assert len(arguments) == (2 if protocol < 3 else 5), function


# --- code that runs in the middle of a call ---


class Row(Sequence[Any]):
    """A row that runs an action whenever it is looked at."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __len__(self) -> int:
        self.action()
        return 2

    def __getitem__(self, index: Any) -> Any:
        self.action()
        if index > 1:
            raise IndexError
        return Index(index) if index == 0 else index


def clear_and_shrink(made: Array) -> None:
    made.clear()
    made.shrink_to_fit()


def grow_and_clear(made: Array) -> None:
    made.extend(np.ones((5000, 2)).astype(made.typecode))
    clear_and_shrink(made)


ACTIONS: dict[str, Callable[[Array], object]] = {
    "append": lambda made: made.append((1, 1)),
    "pop": lambda made: len(made) and made.pop(),
    "clear": lambda made: made.clear(),
    "give back": clear_and_shrink,
    "grow and give back": grow_and_clear,
    "double": lambda made: made.extend(made),
    "reverse": lambda made: made.reverse(),
    "export": lambda made: memoryview(made),
    "delete": lambda made: made.__delitem__(slice(None, None, 2)),
}

CALLS: dict[str, Callable[[Array, Any], object]] = {
    "append": lambda made, row: made.append(row),
    "insert": lambda made, row: made.insert(3, row),
    "set": lambda made, row: made.__setitem__(4, row),
    "set the last": lambda made, row: made.__setitem__(-1, row),
    "index": lambda made, row: made.index(row),
    "count": lambda made, row: made.count(row),
    "contains": lambda made, row: row in made,
    "remove": lambda made, row: made.remove(row),
    "extend": lambda made, row: made.extend([row, (1, 2), row]),
    "fromlist": lambda made, row: made.fromlist([row, (1, 2), row]),
    "make": lambda made, row: vmem.Array(made.typecode, [row, (1, 2), row], row_shape=(2,)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("typecode", "bQ")
@pytest.mark.in_child
def test_rows_that_change_the_array(name: str, typecode: str) -> None:
    for action in ACTIONS.values():
        for capacity in (None, 10_000):
            made: Array = vmem.Array(typecode, make_rows((2,), 10), row_shape=(2,), capacity=capacity)
            row = Row(lambda action=action, made=made: action(made))  # type: ignore[misc]
            with suppress(IndexError, ValueError, BufferError, MemoryError):
                CALLS[name](made, row)
            assert len(made.tolist()) == len(made) == len(made.tobytes()) // made.itemsize // 2
            if len(made) < made.capacity:
                made.append((5, 6))
                assert made[-1] == (5, 6)


def test_a_row_that_changes_its_length() -> None:
    class Clearing:
        def __float__(self) -> float:
            row.clear()
            return 1.0

    made, row = points(*ABC), [Clearing(), 2.0]
    with pytest.raises(ValueError, match=r"the shape \(2,\), but this one has 1 items in dimension 0"):
        made.append(row)
    assert made.tolist() == list(ABC)


class Longer(list[Any]):
    """Says that it has more items than it has."""

    def __len__(self) -> int:
        return 2


def test_rows_with_fewer_items_than_they_say() -> None:
    made, nested = points(*ABC), vmem.Array[Any]("d", [ABC[:2]], row_shape=(2, 2))
    calls: list[Call] = [
        lambda: made.append(Longer([1])),
        lambda: made.__setitem__(0, Longer([1])),
        lambda: made.extend([Longer([1])]),
        lambda: nested.append([[1, 2], Longer([1])]),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"but this one has 1 items in dimension [01]"):
            call()
    assert (made.count(Longer()), made.count(Longer([1])), made.count(Longer([1, 2]))) == (0, 0, 1)
    assert [[1, 2], Longer([3])] not in nested
    assert made.tolist() == list(ABC)


def test_what_a_row_raises_is_passed_on() -> None:
    class Failing(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            raise LookupError("on purpose")

    made = points(*ABC)
    calls: list[Call] = [lambda: made.append(Failing([1, 2])), lambda: made.count(Failing([1, 2]))]
    for call in calls:
        with pytest.raises(LookupError, match="on purpose"):
            call()


def test_rows_of_the_array_itself() -> None:
    made: Array = vmem.Array("d", ABC, row_shape=(2,))
    shown = np.asarray(made)
    made.append(shown[0])
    made.insert(0, shown[2])
    made.extend(shown)
    made.extend(memoryview(made))
    assert made.tolist()[:4] == [ABC[2], *ABC]
    made[0:2] = made[2:4]
    made.extend(row for row in made[:2])
    assert made.tolist()[-2:] == list(ABC[1:])


# --- sharing ---


@needs_shared_memory
@pytest.mark.parametrize("shape", SHAPES)
def test_readers_have_the_shape(shape: tuple[int, ...]) -> None:
    rows = make_rows(shape, 5)
    writer: Array = vmem.Array("i", rows[:2], row_shape=shape, shared=True, capacity=20_000)
    reader: Array = attach_array(writer)
    early = np.asarray(reader)
    assert (reader.row_shape, reader.capacity, reader.itemsize, reader.readonly) == (shape, 20_000, 4, True)
    writer.extend(rows[2:])
    assert reader.tolist() == writer.tolist() == [as_tuples(row) for row in rows.tolist()]
    assert (early.shape, np.asarray(reader).shape) == ((2, *shape), (5, *shape))
    writer[0] = np.zeros(shape, "i4")
    assert early[0].sum() == 0
    writer.extend(make_rows(shape, 10_000))
    assert reader[-1] == writer[-1]
    assert (reader[3:], reader[3:].row_shape, reader + reader) == (writer[3:], shape, writer + writer)
    for call in (lambda: reader.append(rows[0]), lambda: writer.pop(), lambda: writer.reverse()):
        with pytest.raises(TypeError):
            call()
    assert attach_array(reader).row_shape == shape
    writer[0:2] = reader[2:4]
    assert writer[:2] == writer[2:4]


@linux_only
def test_readers_in_other_processes_have_the_shape() -> None:
    writer: Array = vmem.Array("f", ABC[:2], row_shape=(2,), shared=True)
    with Peer(writer.fileno()) as peer:
        assert peer.ask("(array.row_shape, array.tolist(), array.readonly)") == ((2,), list(ABC[:2]), True)
        writer.append(ABC[2])
        assert peer.ask("(array[-1], len(array), memoryview(array).shape)") == (ABC[2], 3, (3, 2))
        assert peer.ask("repr(array[1:2])") == "Array('f', [(3.0, 4.0)], row_shape=(2,))"
        assert "read-only" in peer.fail("array.append((1, 2))")


@linux_only
@needs_shared_memory
def test_a_forked_child_reads_rows() -> None:
    run_python("""
        import os, vmem

        array = vmem.Array("d", [(1, 2), (3, 4)], row_shape=(2,), shared=True)
        view = memoryview(array)
        child = os.fork()
        if child == 0:
            assert (array.readonly, array.row_shape, array.tolist()) == (True, (2,), [(1, 2), (3, 4)])
            assert (view.shape, memoryview(array).shape, memoryview(array).readonly) == ((2, 2), (2, 2), True)
            view[1, 1] = 9
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        array.append([5, 6])
        assert array.tolist() == [(1, 2), (3, 4), (5, 6)]
    """)


# --- the model ---


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 2), (300,)])
def test_the_model_sees_mistakes(shape: tuple[int, ...]) -> None:
    checked = CheckedRows("h", shape, [1, 2], 10)
    checked.append(3)
    checked.check_all()
    np.asarray(checked.array.rows)[1, ..., -1] = 99
    with pytest.raises(AssertionError):
        checked.check_all()
