"""Positions end: what lies there can be read, and nothing is written past it.

Of a buffer with more items than a ring holds, the others are only counted. So one item that NumPy shows again and again
moves a ring to any position.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.marks import posix_only

if sys.maxsize < 1 << 32:
    pytest.skip("a buffer of 32 bits cannot move a ring so far", allow_module_level=True)

END_OF_BYTES = (1 << 63) - 1


def make_ring(num_left: int, typecode: str = "B", **options: Any) -> Any:
    """A ring in which so many items can still be written."""
    ring: vmem.Ring[Any] = vmem.Ring(typecode, 10, **options)
    end = END_OF_BYTES // (ring.itemsize * int(np.prod(ring.row_shape)))
    item = np.full(ring.row_shape, 5, typecode)
    half = end // 2
    for num_items in (half, end - half - num_left):
        ring.extend(np.broadcast_to(item, (num_items, *ring.row_shape)))
    assert (ring.total, len(ring)) == (end - num_left, 10)
    return ring


@pytest.mark.parametrize("typecode", ["B", "h", "f", "d"])
@pytest.mark.parametrize("row_shape", [(), (3,)])
def test_the_last_items(typecode: str, row_shape: tuple[int, ...]) -> None:
    ring = make_ring(4, typecode, row_shape=row_shape)
    end = ring.total + 4
    rows = np.arange(4 * int(np.prod(row_shape))).reshape(4, *row_shape).astype(typecode)
    ring.append(rows[0])
    ring.extend(rows[1:2])
    places = ring.prepare(2)
    np.asarray(places)[:1] = rows[2:3]
    ring.advance(1)
    ring.extend(iter(rows[3:]))
    assert (ring.total, ring.oldest, len(ring), ring.free) == (end, end - 10, 10, 0)
    assert np.array_equal(np.asarray(ring.latest(4)), rows)
    assert np.array_equal(np.asarray(ring)[-4:], rows)
    assert np.array_equal(np.asarray(ring.window(end - 3, 2)), rows[1:3])
    assert np.array_equal(np.array(list(ring))[-4:], rows)
    assert np.array_equal(np.array(ring[-1]), rows[3])
    assert f"{end} written" in repr(ring)
    with pytest.raises(IndexError):
        ring.window(end, 1)
    assert ring.window(end, 0).tolist() == []


CHANGES: dict[str, tuple[Callable[[Any], object], int]] = {
    "buffer": (lambda ring: ring.extend(bytes(3)), 3),
    "buffer to be converted": (lambda ring: ring.extend(np.zeros(3, "i8")), 3),
    "more than the capacity": (lambda ring: ring.extend(bytes(30)), 30),
    "endless": (lambda ring: ring.extend(np.broadcast_to(np.uint8(1), 1 << 62)), 1 << 62),
    "itself": (lambda ring: ring.extend(ring), 10),
    "prepare": (lambda ring: ring.prepare(3), 3),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("num_left", [0, 1, 2])
def test_nothing_is_written_past_the_end(change: str, num_left: int) -> None:
    call, num_items = CHANGES[change]
    ring = make_ring(num_left)
    verb = "prepare" if change == "prepare" else "write"
    message = f"cannot {verb} {num_items} items: this ring counts no more than {END_OF_BYTES}"
    with pytest.raises(OverflowError, match=message):
        call(ring)
    assert (ring.total, ring.oldest, list(ring)) == (END_OF_BYTES - num_left, END_OF_BYTES - num_left - 10, [5] * 10)


@pytest.mark.parametrize("num_left", [0, 1, 2])
def test_single_items_are_written_up_to_the_end(num_left: int) -> None:
    """Also those that an iterable gives, one by one."""
    message = f"cannot write 1 item: this ring counts no more than {END_OF_BYTES}"
    one, other = make_ring(num_left), make_ring(num_left)
    for _ in range(num_left):
        one.append(1)
    with pytest.raises(OverflowError, match=message):
        one.append(1)
    with pytest.raises(OverflowError, match=message):
        other.extend([1, 1, 1])
    for ring in (one, other):
        assert (ring.total, list(ring)) == (END_OF_BYTES, [5] * (10 - num_left) + [1] * num_left)


def test_nothing_is_always_written() -> None:
    ring = make_ring(0)
    ring.extend(b"")
    ring.extend([])
    ring.prepare(0)
    ring.advance(0)
    assert (ring.total, list(ring)) == (END_OF_BYTES, [5] * 10)


def test_items_are_dropped_as_ever() -> None:
    ring = make_ring(0)
    ring.consume(3)
    assert (ring.oldest, ring.free, list(ring)) == (END_OF_BYTES - 7, 3, [5] * 7)
    with pytest.raises(OverflowError):
        ring.append(1)
    ring.clear()
    assert (ring.oldest, ring.total, list(ring)) == (END_OF_BYTES, END_OF_BYTES, [])
    with pytest.raises(OverflowError):
        ring.append(1)


@posix_only
def test_readers_get_there() -> None:
    ring = make_ring(2, shared=True)
    reader: Any = vmem.attach(ring.fileno())
    ring.extend([1, 2])
    assert (reader.total, list(reader)) == (END_OF_BYTES, [5] * 8 + [1, 2])
    assert bytes(reader.latest(2)) == b"\1\2"
