"""Shared memory that says that it holds a ring, and is wrong: attach() raises, and reading never crashes."""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest

import vmem
from tests.support.marks import linux_only

if sys.platform != "linux":
    pytest.skip("only Linux lets a test make such memory", allow_module_level=True)

import fcntl

pytestmark = linux_only

HEAD = vmem.get_allocation_granularity()
ADD_SEALS, SEALS = 1033, 1 | 2 | 16  # SEAL, SHRINK, FUTURE_WRITE

# Where things are in the first page: csrc/core/shared_page.h and csrc/types/ring/ring.h.
KIND, FLAGS, DATA_OFFSET, NUM_BYTES, ITEM_SIZE, NUM_DIMS, FORMAT, SHAPE = 16, 20, 24, 32, 40, 48, 52, 64
CAPACITY, TOTAL, OLDEST = 448, 512, 576


class Forged:
    """A copy of the memory of a ring, to be changed before it is sealed and attached."""

    def __init__(self, typecode: str = "i", capacity: int = 1000, **options: Any) -> None:
        ring: vmem.Ring[Any] = vmem.Ring(typecode, capacity, shared=True, **options)
        if not options:
            ring.extend(range(100))
        self.bytes = bytearray(os.pread(ring.fileno(), 1 << 20, 0))

    def put(self, offset: int, number: int, size: str = "Q") -> None:
        struct.pack_into(size, self.bytes, offset, number)

    def attach(self, seals: int = SEALS) -> vmem.Ring[Any]:
        number = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
        try:
            os.write(number, self.bytes)
            self.writable = os.open(f"/proc/self/fd/{number}", os.O_RDWR)
            fcntl.fcntl(number, ADD_SEALS, seals)
            return vmem.attach(number)  # type: ignore[return-value]
        finally:
            os.close(number)
            os.close(self.writable)


def test_an_exact_copy_is_fine() -> None:
    assert list(Forged().attach()) == list(range(100))
    assert Forged("d", 7, row_shape=(2, 3)).attach().row_shape == (2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda forged: forged.put(FORMAT, ord("x"), "B"), "its typecode is unknown"),
        (lambda forged: forged.put(FORMAT, 0, "B"), "its typecode is unknown"),
        (lambda forged: forged.put(FORMAT + 1, ord("i"), "B"), "its typecode is unknown"),
        (lambda forged: forged.put(ITEM_SIZE, 0), "the size of its items does not fit their type"),
        (lambda forged: forged.put(ITEM_SIZE, 3), "the size of its items does not fit their type"),
        (lambda forged: forged.put(ITEM_SIZE, sys.maxsize // 2), "the size of its items does not fit their type"),
        (lambda forged: forged.put(ITEM_SIZE, 1 << 63), "larger than addresses can name"),
        (lambda forged: forged.put(NUM_DIMS, 1, "I"), "the size of its items does not fit their type"),
        (lambda forged: forged.put(NUM_DIMS, 9, "I"), "9 dimensions"),
        (lambda forged: forged.put(NUM_BYTES, 0), "the size of its memory is not possible"),
        (lambda forged: forged.put(NUM_BYTES, HEAD + 1), "the size of its memory is not possible"),
        (lambda forged: forged.put(NUM_BYTES, 2 * HEAD), "it has less memory than that"),
        (lambda forged: forged.put(NUM_BYTES, sys.maxsize // 2 + 1), "the size of its memory is not possible"),
        (lambda forged: forged.put(NUM_BYTES, 1 << 63), "which is not from 0 to"),
        (lambda forged: forged.put(CAPACITY, 0), "its capacity does not fit its memory"),
        (lambda forged: forged.put(CAPACITY, HEAD // 4 + 1), "its capacity does not fit its memory"),
        (lambda forged: forged.put(CAPACITY, (1 << 64) - 1), "its capacity does not fit its memory"),
        (lambda forged: forged.put(KIND, 99, "I"), "kind"),
        (lambda forged: forged.put(FLAGS, 8, "I"), "flags"),
        (lambda forged: forged.put(DATA_OFFSET, 0), "begins at byte 0"),
        (lambda forged: forged.put(0, 0), "first bytes"),
    ],
)
def test_what_is_wrong_with_the_first_page(change: Callable[[Forged], None], message: str) -> None:
    forged = Forged()
    change(forged)
    with pytest.raises(ValueError, match=message):
        forged.attach()


def test_rows_that_are_impossible() -> None:
    for dimension in (0, sys.maxsize // 2 + 1, sys.maxsize):
        forged = Forged("i", 10, row_shape=(2, 3))
        forged.put(SHAPE + 8, dimension)
        with pytest.raises(ValueError, match="the size of its items does not fit their type"):
            forged.attach()


@pytest.mark.parametrize("seals", [1, 3, 1 | 16])
def test_seals_that_are_missing(seals: int) -> None:
    with pytest.raises(ValueError, match=r"seals|is not that of shared memory"):
        Forged().attach(seals)


@pytest.mark.parametrize("total", [0, 5, 99, 100, 1000, 1 << 31, (1 << 61) - 1, 1 << 61, (1 << 63) - 1, (1 << 64) - 1])
@pytest.mark.parametrize("oldest", [0, 5, 100, 1 << 61, (1 << 64) - 1])
def test_positions_that_are_impossible(total: int, oldest: int) -> None:
    """They are clamped: whatever they say, everything that is shown lies in the memory."""
    forged = Forged()
    forged.put(TOTAL, total)
    forged.put(OLDEST, oldest)
    ring = forged.attach()
    assert 0 <= len(ring) <= ring.capacity
    assert 0 <= ring.oldest <= ring.total == ring.oldest + len(ring)
    assert len(list(ring)) == len(bytes(ring)) // 4 == len(ring)
    assert ring.latest(len(ring)).tolist() == list(ring)
    for index in (0, -1):
        if ring:
            assert ring[index] in list(ring)
    with pytest.raises(IndexError):
        ring.window(ring.total, 1)
    assert repr(ring)


def test_positions_that_another_process_scribbles_over() -> None:
    """Before the memory is sealed, a second mapping is kept, through which everything can be changed later."""
    forged = Forged()
    number = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
    os.write(number, forged.bytes)
    scribble = mmap.mmap(number, len(forged.bytes))
    fcntl.fcntl(number, ADD_SEALS, SEALS)
    ring: Any = vmem.attach(number)
    os.close(number)
    numbers = random.Random(1)
    for _ in range(3000):
        place = numbers.choice((TOTAL, OLDEST, CAPACITY, NUM_BYTES, ITEM_SIZE, numbers.randrange(HEAD - 8)))
        struct.pack_into("Q", scribble, place, numbers.choice((0, 50, 1 << 40, numbers.getrandbits(64))))
        assert ring.capacity == 1000
        assert len(ring) <= 1000
        bytes(ring), repr(ring), ring.total, ring.oldest
        for call in (lambda: ring[0], lambda: list(ring), lambda: ring.latest(5), lambda: ring.window(ring.oldest, 5)):
            with contextlib.suppress(IndexError, RuntimeError, BufferError):
                call()
    assert ring.map().kind == "ring"
