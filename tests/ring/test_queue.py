"""Rings as queues: they keep items until these are consumed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import vmem

GRANULARITY = vmem.get_allocation_granularity()


def fill(ring: vmem.Ring[int]) -> None:
    ring.extend(bytes(range(ring.free)))


def test_items_are_kept_until_they_are_consumed() -> None:
    ring = vmem.Ring("B", 10, overwrite=False)
    assert (ring.overwrite, ring.free) == (False, 10)
    ring.extend(b"0123456")
    assert (ring.free, len(ring)) == (3, 7)
    ring.consume(5)
    assert (bytes(ring), ring.free, ring.oldest, ring.total) == (b"56", 8, 5, 7)
    ring.extend(b"abcdefgh")
    assert (bytes(ring), ring.free) == (b"56abcdefgh", 0)
    ring.consume(10)
    assert (bytes(ring), ring.free, ring.oldest, ring.total) == (b"", 10, 15, 15)


@pytest.mark.parametrize("kind", [bytes, list, iter])
@pytest.mark.parametrize("length", [4, 10, 11, 1000])
def test_what_does_not_fit_is_not_written(kind: Any, length: int) -> None:
    ring = vmem.Ring("B", 10, overwrite=False)
    ring.extend(bytes(7))
    with pytest.raises(BufferError, match=r"cannot write .*: 3 of the 10 places of this ring are free"):
        ring.extend(kind(bytes(length)))
    assert (len(ring), ring.total) == (7, 7)
    ring.extend(b"abc")
    assert bytes(ring) == bytes(7) + b"abc"


def test_messages_have_the_numbers() -> None:
    ring = vmem.Ring("B", 10, overwrite=False)
    fill(ring)
    with pytest.raises(BufferError, match=re.escape("cannot write 1 item: 0 of the 10 places of this ring are free")):
        ring.append(1)
    ring.consume(2)
    with pytest.raises(BufferError, match=re.escape("cannot write 3 items: 2 of the 10 places of this ring are free")):
        ring.extend(b"abc")
    with pytest.raises(BufferError, match="cannot prepare 3 items: 2 of the 10"):
        ring.prepare(3)
    with pytest.raises(BufferError, match="cannot prepare 11 items: 2 of the 10"):
        ring.prepare(11)
    with pytest.raises(ValueError, match="cannot consume 9 items: this ring has 8"):
        ring.consume(9)
    with pytest.raises(ValueError, match="the capacity of this ring, got"):
        ring.consume(1 << 70)
    with pytest.raises(ValueError, match="must not be negative"):
        ring.consume(-1)
    assert (len(ring), ring.total) == (8, 10)


def test_an_endless_iterable_is_refused_early() -> None:
    def count() -> Iterator[int]:
        number = 0
        while True:
            taken.append(number)
            yield number % 256
            number += 1

    taken: list[int] = []
    ring = vmem.Ring("B", 10, overwrite=False)
    with pytest.raises(BufferError, match=r"cannot write more than 10 items: 10 of the 10 places"):
        ring.extend(count())
    assert (len(taken), ring.total) == (11, 0)


def test_an_iterable_is_written_as_a_whole_or_not() -> None:
    def fail() -> Iterator[int]:
        yield 1
        raise KeyError

    ring = vmem.Ring("B", 10, overwrite=False)
    with pytest.raises(KeyError):
        ring.extend(fail())
    with pytest.raises(OverflowError):
        ring.extend([1, 2, 1000])
    assert ring.total == 0


def test_an_iterable_that_consumes_makes_room() -> None:
    def make_room() -> Iterator[int]:
        yield 1
        ring.consume(10)
        yield 2

    ring = vmem.Ring("B", 10, overwrite=False)
    fill(ring)
    ring.extend(make_room())
    assert list(ring) == [1, 2]


def test_consuming_keeps_what_was_prepared() -> None:
    ring = vmem.Ring("B", 10, overwrite=False)
    ring.extend(b"abcde")
    places = ring.prepare(5)
    ring.consume(5)
    places[:2] = b"fg"
    ring.advance(2)
    assert bytes(ring) == b"fg"


def test_consuming_where_items_are_overwritten() -> None:
    ring = vmem.Ring("B", 5)
    ring.extend(b"abcdefg")
    ring.consume(2)
    assert (bytes(ring), ring.free, ring.oldest) == (b"efg", 2, 4)
    ring.extend(b"hij")
    assert bytes(ring) == b"fghij"


def test_messages_across_the_seam() -> None:
    """A stream of messages of all sizes, whose parts come in any size, is parsed without ever joining them."""
    ring = vmem.Ring("B", GRANULARITY, overwrite=False)
    stream = b"".join(bytes([length]) + bytes([length]) * length for length in range(256)) * 5
    sent, received = 0, []
    while sent < len(stream) or ring:
        part = stream[sent : sent + min(ring.free, 1 + sent % 97)]
        ring.extend(part)
        sent += len(part)
        while ring and len(ring) > ring[0]:
            message = memoryview(ring)[1 : 1 + ring[0]]
            received.append(bytes(message))
            ring.consume(1 + len(message))
    assert received == [bytes([length]) * length for length in range(256)] * 5
