"""Writing in place: prepare() and advance()."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem

GRANULARITY = vmem.get_allocation_granularity()


def test_what_is_prepared_becomes_items() -> None:
    ring = vmem.Ring("i", 10)
    ring.extend(range(8))
    places = ring.prepare(5)
    assert (len(ring), places.readonly, places.shape) == (8, False, (5,))
    np.asarray(places)[:] = range(100, 105)
    assert list(ring) == list(range(8))
    ring.advance(3)
    assert (list(ring), ring.total) == ([1, 2, 3, 4, 5, 6, 7, 100, 101, 102], 11)


def test_items_are_dropped_when_their_bytes_are_given_out() -> None:
    full = vmem.Ring("i", GRANULARITY // 4)
    full.extend(range(full.capacity))
    full.prepare(5)
    assert (len(full), full.oldest, full.total) == (full.capacity - 5, 5, full.capacity)
    roomy = vmem.Ring("i", GRANULARITY // 4 - 3)
    roomy.extend(range(roomy.capacity))
    roomy.prepare(3)
    assert (len(roomy), roomy.oldest) == (roomy.capacity, 0)
    roomy.prepare(5)
    assert (len(roomy), roomy.oldest) == (roomy.capacity - 2, 2)
    roomy.advance(5)
    assert (len(roomy), roomy.oldest) == (roomy.capacity, 5)


def test_all_of_it() -> None:
    ring = vmem.Ring("B", GRANULARITY)
    ring.extend(b"x" * 100)
    for byte in range(5):
        ring.prepare(ring.capacity)[:] = bytes([byte]) * ring.capacity
        ring.advance(ring.capacity)
        assert bytes(ring) == bytes([byte]) * ring.capacity
    assert ring.total == 100 + 5 * ring.capacity


CANCELS: dict[str, Callable[[Any], object]] = {
    "append": lambda ring: ring.append(1),
    "extend": lambda ring: ring.extend([1]),
    "extend by a buffer": lambda ring: ring.extend(b"a"),
    "clear": lambda ring: ring.clear(),
    "advance": lambda ring: ring.advance(2),
    "advance by nothing": lambda ring: ring.advance(0),
}


@pytest.mark.parametrize("name", CANCELS)
def test_what_cancels(name: str) -> None:
    ring = vmem.Ring("B", 10)
    with pytest.raises(ValueError, match="nothing is prepared"):
        ring.advance(0)
    places = ring.prepare(3)
    CANCELS[name](ring)
    before = list(ring)
    with pytest.raises(ValueError, match=r"cannot advance by 1 items: nothing .* by one or more items cancel it"):
        ring.advance(1)
    assert list(ring) == before
    places[0] = 5  # still memory


@pytest.mark.parametrize(
    "call",
    [
        lambda ring: ring.extend([]),
        lambda ring: ring.extend(b""),
        lambda ring: ring.latest(0),
        lambda ring: ring.consume(0),
        lambda ring: len(ring),
    ],
)
def test_what_does_not_cancel(call: Callable[[Any], object]) -> None:
    ring = vmem.Ring("B", 10)
    ring.prepare(3)
    call(ring)
    ring.advance(3)
    assert len(ring) == 3


def test_a_failed_call_does_not_cancel() -> None:
    ring = vmem.Ring("B", 10, overwrite=False)
    ring.prepare(3)
    for call, error in (
        (lambda: ring.append(1000), OverflowError),
        (lambda: ring.extend(bytes(11)), BufferError),
        (lambda: ring.prepare(11), BufferError),
        (lambda: ring.advance(4), ValueError),
        (lambda: ring.advance(-1), ValueError),
    ):
        with pytest.raises(error):
            call()
    ring.advance(3)
    assert len(ring) == 3


def test_the_last_prepare_counts() -> None:
    ring = vmem.Ring("B", 10)
    first = ring.prepare(8)
    ring.prepare(3)
    with pytest.raises(ValueError, match="cannot advance by 4 items: 3 are prepared"):
        ring.advance(4)
    first[:3] = b"abc"
    ring.advance(3)
    assert bytes(ring) == b"abc"


def test_too_much() -> None:
    ring = vmem.Ring("d", 10)
    with pytest.raises(ValueError, match="cannot prepare 11 items: this ring has a capacity of 10"):
        ring.prepare(11)
    for huge in (1 << 63, 1 << 64, 1 << 100):
        with pytest.raises(ValueError, match=f"must be at most 10, the capacity of this ring, got {huge}"):
            ring.prepare(huge)
    with pytest.raises(ValueError, match="must not be negative"):
        ring.prepare(-1)
    with pytest.raises(TypeError, match="num_items must be an integer, not str"):
        ring.prepare("1")  # type: ignore[arg-type]
    ring.prepare(3)
    with pytest.raises(ValueError, match="cannot advance by 4 items: 3 are prepared"):
        ring.advance(4)
    with pytest.raises(ValueError, match=f"must be at most 10, the capacity of this ring, got {1 << 100}"):
        ring.advance(1 << 100)
    with pytest.raises(TypeError, match="num_items must be an integer, not float"):
        ring.advance(1.0)  # type: ignore[arg-type]


def test_reading_into_place() -> None:
    ring, source = vmem.Ring("B", 5000), io.BytesIO(bytes(range(256)) * 100)
    num_read = 0
    while num := source.readinto(ring.prepare(777)):
        ring.advance(num)
        num_read += num
    assert (ring.total, num_read) == (25600, 25600)
    assert bytes(ring) == (bytes(range(256)) * 100)[-5000:]


def test_receiving_into_place() -> None:
    ring = vmem.Ring("B", 100)
    one, other = socket.socketpair()
    with one, other:
        for _ in range(50):
            one.sendall(b"hello")
            ring.advance(other.recv_into(ring.prepare(20)))
    assert bytes(ring) == b"hello" * 20
