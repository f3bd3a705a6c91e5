"""Rings whose items are rows."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index

SHAPES = [(1,), (3,), (2, 3), (1, 1, 1), (2, 1, 3, 2), (1,) * 8]


def make_rows(shape: tuple[int, ...], num_rows: int, dtype: str = "i4") -> Any:
    return np.arange(num_rows * int(np.prod(shape)), dtype=dtype).reshape((num_rows, *shape))


def as_tuples(rows: Any) -> Any:
    return tuple(map(as_tuples, rows)) if isinstance(rows, list) else rows


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["lists", "tuples", "arrays", "other arrays", "strided arrays"])
def test_appended_rows(shape: tuple[int, ...], kind: str) -> None:
    rows, ring = make_rows(shape, 12), vmem.Ring[Any]("i", 5, row_shape=shape)
    for row in rows:
        given = {
            "lists": row.tolist(),
            "tuples": as_tuples(row.tolist()),
            "arrays": row,
            "other arrays": row.astype(">i8"),
            "strided arrays": np.asfortranarray(row[..., ::-1])[..., ::-1],
        }[kind]
        ring.append(given)
    assert (len(ring), ring.total, ring.oldest, ring.row_shape, ring.itemsize) == (5, 12, 7, shape, 4)
    assert list(ring) == [as_tuples(row) for row in rows[7:].tolist()]
    assert ring[0] == as_tuples(rows[7].tolist())
    shown = np.asarray(ring)
    assert (shown.shape, shown.tolist()) == ((5, *shape), rows[7:].tolist())
    assert memoryview(ring).strides == shown.strides == rows.strides


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("num_rows", [0, 1, 4, 5, 23])
def test_extended_by_rows(shape: tuple[int, ...], num_rows: int) -> None:
    rows = make_rows(shape, num_rows)
    lists = as_tuples(rows.tolist())
    expected = list(lists[-5:])
    for given in (rows, rows.astype("i8"), rows.astype(">i4"), np.asfortranarray(rows), rows.tolist(), iter(lists)):
        ring = vmem.Ring[Any]("i", 5, row_shape=list(shape))
        ring.extend(given)
        assert (list(ring), ring.total) == (expected, num_rows)
    other = vmem.Ring[Any]("d", 5, row_shape=shape)
    other.extend(rows)
    assert list(other) == expected
    other.extend(other)
    assert list(other) == (expected + expected)[-5:]


def test_windows_of_rows() -> None:
    ring = vmem.Ring[Any]("h", 1000, row_shape=(2, 3))
    rows = make_rows((2, 3), 2500, "h")
    ring.extend(rows)
    for start, length in [(1500, 1000), (2000, 3), (2499, 1), (2500, 0)]:
        view = ring.window(start, length)
        assert (view.shape, view.format, view.readonly, view.ndim) == ((length, 2, 3), "h", True, 3)
        assert view.tolist() == rows[start : start + length].tolist()
    places = ring.prepare(4)
    assert (places.shape, places.readonly) == ((4, 2, 3), False)
    np.asarray(places)[:] = 7
    ring.advance(2)
    assert (ring[-1], ring[-2], ring[-3]) == (((7,) * 3,) * 2, ((7,) * 3,) * 2, as_tuples(rows[-1].tolist()))


@pytest.mark.parametrize("wrong", [[1, 2], [1, 2, 3, 4], [], [[1, 2, 3]], (1, [2], 3), np.zeros(2), np.zeros((1, 3))])
def test_rows_of_another_shape(wrong: Any) -> None:
    ring = vmem.Ring[Any]("d", 5, row_shape=(3,))
    with pytest.raises((ValueError, TypeError)):
        ring.append(wrong)
    assert ring.total == 0


def test_messages() -> None:
    ring = vmem.Ring[Any]("d", 5, row_shape=(3, 2))
    with pytest.raises(ValueError, match=r"a row has the shape \(3, 2\), but this one has 2 items in dimension 0"):
        ring.append([[1, 2], [1, 2]])
    with pytest.raises(ValueError, match=r"a row has the shape \(3, 2\), but this one has 3 items in dimension 1"):
        ring.append([[1, 2], [1, 2, 3], [1, 2]])
    with pytest.raises(ValueError, match=r"a row has the shape \(3, 2\), but this buffer has the shape \(2, 3\)"):
        ring.append(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"the buffer must have the shape \(n, 3, 2\), but has the shape \(6,\)"):
        ring.extend(np.zeros(6))
    with pytest.raises(ValueError, match=r"the buffer must have the shape \(n, 3, 2\), but has the shape \(3, 2\)"):
        ring.extend(np.zeros((3, 2)))
    with pytest.raises(TypeError, match="a row must be a sequence or a buffer, not int"):
        ring.append(5)
    with pytest.raises(TypeError, match="a row must be a sequence or a buffer, not str"):
        ring.append("ab")
    with pytest.raises(TypeError, match="must be real number"):
        ring.append([[1, 2], [1, "2"], [1, 2]])
    assert ring.total == 0


COMPLEX = ["c8", "c16", "c32", ">c16"] if np.dtype("g").itemsize == 16 else ["c8", "c16", ">c16"]


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("typecode", ["d", "i"])
def test_complex_numbers_are_refused(dtype: str, typecode: str) -> None:
    """Also those of a buffer, whose imaginary part would be lost."""
    numbers = np.array([1 + 2j, 3], dtype)
    ring, rows = vmem.Ring[Any](typecode, 5), vmem.Ring[Any](typecode, 5, row_shape=(2,))
    calls: list[Callable[[], object]] = [
        lambda: ring.extend(numbers),
        lambda: ring.extend(numbers[::-1]),
        lambda: ring.extend(numbers.real.astype(dtype)),
        lambda: rows.append(numbers),
        lambda: rows.extend([numbers]),
        lambda: rows.extend(numbers.reshape(1, 2)),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="must be real numbers, not complex"):
            call()
    for call in (lambda: ring.append(1j), lambda: ring.extend([1j]), lambda: rows.append([1, 1j])):
        with pytest.raises(TypeError, match="complex"):
            call()
    assert (ring.total, rows.total) == (0, 0)


BOOLS: dict[str, Any] = {
    "bools": [True, False],
    "bools of NumPy": [np.True_, np.False_],
    "view": memoryview(b"\1\0\2").cast("?"),
    "array of NumPy": np.array([True, False]),
    "array of objects": np.array([True, False], "O"),
}


@pytest.mark.parametrize("kind", BOOLS)
@pytest.mark.parametrize("typecode", ["b", "Q", "d"])
def test_bools_are_what_they_are_in_array(kind: str, typecode: str) -> None:
    """Numbers, except NumPy's, which are not integers; rows can be buffers of bools, whatever exports them."""
    given, twin, ring = BOOLS[kind], array.array(typecode), vmem.Ring[Any](typecode, 5)
    rows = vmem.Ring[Any](typecode, 5, row_shape=(1,))
    if typecode != "d" and "NumPy" in kind:
        calls: list[Callable[[], object]] = [
            lambda: twin.extend(given),
            lambda: ring.extend(given),
            lambda: ring.append(given[0]),
            lambda: rows.append([given[0]]),
        ]
        for call in calls:
            # NumPy 1 warns of it, and warnings are errors here.
            with pytest.raises((TypeError, DeprecationWarning), match=r"interpreted as an (integer|index)"):
                call()
        if kind == "array of NumPy":
            rows.append(given[:1])
            assert rows[0] == (1,)
        return
    twin.extend(given)
    ring.extend(given)
    assert list(ring) == twin.tolist()
    rows.append(given[:1])
    assert rows[0] == (twin[0],)


@pytest.mark.parametrize("code", ["d", ">d", "e", ">e", "f", "?", "i", ">H"])
def test_memoryviews_of_rows(code: str) -> None:
    numbers: Any = (np.arange(12).reshape(2, 2, 3) % 5 % 2).astype(code)
    expected = list(as_tuples(numbers.tolist()))
    ring = vmem.Ring[Any]("d", 5, row_shape=(2, 3))
    ring.extend(memoryview(numbers))
    ring.append(memoryview(numbers[0]))
    ring.append([memoryview(numbers[1, 0]), memoryview(numbers[1, 1])])
    assert list(ring) == expected * 2


def test_memoryviews_of_what_rows_cannot_have() -> None:
    ring = vmem.Ring[Any]("i", 5, row_shape=(3,))
    zeros: Any = np.zeros((2, 3), "O")
    floats: Any = np.ones((2, 3))
    objects = memoryview(zeros)
    calls: list[Callable[[], object]] = [lambda: ring.extend(objects), lambda: ring.append(objects[0:1])]
    for call in calls:
        with pytest.raises(TypeError, match="a memoryview with the format 'O' holds no numbers that rows can have"):
            call()
    calls = [lambda: ring.extend(memoryview(floats)), lambda: ring.append(memoryview(floats[0]))]
    for call in calls:
        with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
            call()
    assert ring.total == 0


def test_a_row_larger_than_a_page() -> None:
    size = 3 * vmem.get_page_size() + 1
    ring = vmem.Ring[Any]("B", 2, row_shape=(size,))
    for number in range(5):
        ring.append(bytes([number]) * size)
    assert [row[size // 2] for row in ring] == [3, 4]
    ring.append(range(256)) if size == 256 else ring.append(memoryview(bytes(size)))
    assert sum(ring[1]) == 0


def test_rows_of_other_numbers_that_are_scattered() -> None:
    """They are put together first, and then converted."""
    ring = vmem.Ring[Any]("d", 10, row_shape=(2, 2))
    rows = np.arange(24, dtype="i4").reshape(6, 2, 2)
    ring.extend(rows[::2, :, ::-1])
    assert np.asarray(ring).tolist() == rows[::2, :, ::-1].tolist()
    ring.append(rows[0].T)
    assert ring[-1] == ((0, 2), (1, 3))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_buffers_that_are_refused_are_taken_as_sequences() -> None:
    class Refusing(list[Any]):
        def __buffer__(self, flags: int) -> memoryview:
            raise KeyError

    ring = vmem.Ring[Any]("d", 10, row_shape=(2,))
    ring.append(Refusing([1, 2]))
    ring.extend(Refusing([[3, 4], [5, 6]]))
    assert list(ring) == [(1, 2), (3, 4), (5, 6)]


def test_bytes_are_rows_of_bytes() -> None:
    ring = vmem.Ring[Any]("B", 4, row_shape=(3,))
    ring.append(b"abc")
    ring.append(bytearray(b"def"))
    ring.append(array.array("B", b"ghi"))
    assert bytes(ring) == b"abcdefghi"


@pytest.mark.parametrize("wrong", [0, -1, 1 << 62, 1 << 100])
def test_impossible_dimensions(wrong: int) -> None:
    with pytest.raises(ValueError, match="row"):
        vmem.Ring("d", 5, row_shape=(3, wrong))


def test_impossible_shapes() -> None:
    make: Any = vmem.Ring
    with pytest.raises(ValueError, match="row_shape must have at most 8 dimensions, got 9"):
        make("d", 5, row_shape=(1,) * 9)
    with pytest.raises(ValueError, match="makes a row of more than"):
        make("d", 5, row_shape=(sys.maxsize // 4, 2))
    for wrong in (3, "3", None, {3}, (1.5,), ("3",)):
        with pytest.raises(TypeError):
            make("d", 5, row_shape=wrong)
    assert make("d", 5, row_shape=(Index(3),)).row_shape == (3,)
