"""Peers that write what they should not, or try to: a reader may see wrong numbers, and never crashes."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import random
import re
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import vmem
from tests.support.marks import linux_only, needs_shared_memory
from tests.support.peers import Peer
from tests.support.processes import run_python

if sys.platform != "linux":
    pytest.skip("only Linux lets a test make such memory", allow_module_level=True)

import fcntl

pytestmark = [needs_shared_memory, linux_only]

Array = vmem.Array[Any]

ADD_SEALS = 1033
SEAL_SEAL, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE, SEAL_FUTURE_WRITE = 1, 2, 4, 8, 16

HEADER = vmem.get_allocation_granularity()
PAGE_SIZE = 448
LENGTH = 384  # where the length is in the first page
NUM_BYTES = 32
ITEM_SIZE = 40
NUM_DIMS = 48
FORMAT = 52
ROW_SHAPE = 64


class HostileMaker:
    """Somebody who made an object like that of an array, and can write all of it at any time."""

    def __init__(self, change: Callable[[bytearray], object] = lambda first_page: None, num_items: int = 1000) -> None:
        array: Array = vmem.Array("q", range(num_items), shared=True, capacity=1 << 20)
        size = os.fstat(array.fileno()).st_size
        contents = bytearray(os.pread(array.fileno(), size, 0))
        change(contents)
        self.number = os.memfd_create("hostile", os.MFD_ALLOW_SEALING)
        os.write(self.number, contents)
        os.ftruncate(self.number, size)
        self.memory = mmap.mmap(self.number, size)
        fcntl.fcntl(self.number, ADD_SEALS, SEAL_SEAL | SEAL_SHRINK | SEAL_FUTURE_WRITE)
        self.size = size

    def attach(self) -> Array:
        reader = vmem.attach(self.number)
        assert isinstance(reader, vmem.Array)
        return reader

    def set_length(self, length: int) -> None:
        self.memory[LENGTH : LENGTH + 8] = struct.pack("=Q", length)

    def close(self) -> None:
        self.memory.close()
        os.close(self.number)


@pytest.fixture
def maker() -> Iterator[HostileMaker]:
    maker = HostileMaker()
    yield maker
    maker.close()


def use(reader: Array) -> int:
    """Calls everything that reads. Returns how many items there are."""
    view = memoryview(reader)
    items = reader[:]
    assert len(view) <= len(items) <= len(reader)
    assert len(reader.tobytes()) >= 8 * len(items)
    assert view.nbytes == 8 * len(view)
    view.tobytes()
    list(reader[-3:])
    reader.count(1)
    _ = -1 in reader
    _ = reader == items
    _ = reader + reader
    repr(reader)
    assert (reader.map().used or 0) >= 8 * len(items)
    assert reader.buffer_info()[1] >= len(items)
    vmem.Array("d", reader)
    return len(view)


# --- the length ---


def test_an_honest_copy(maker: HostileMaker) -> None:
    """Or else what follows tests nothing."""
    reader = maker.attach()
    assert reader.readonly
    assert reader.tolist() == list(range(1000))
    maker.set_length(1001)
    assert len(reader) == 1001


LARGE = sys.maxsize + 1  # on 32 bits, only that half of a length is used


@pytest.mark.parametrize(
    "length",
    [LARGE, 2 * LARGE - 1, LARGE - 1, LARGE // 8, LARGE // 8 + 1, 1 << 20, (1 << 20) + 1, 5000],
)
def test_lengths_beyond_what_is_there(length: int, maker: HostileMaker) -> None:
    """There are no more items than the object has bytes, whether the reader knows it before or not."""
    present = (maker.size - HEADER) // 8
    assert present >= 1000
    early = maker.attach()
    assert use(early) == 1000
    maker.set_length(length)
    for reader in (early, maker.attach()):
        assert use(reader) == len(reader) == min(length, present)
        with pytest.raises(IndexError):
            reader[present]
    os.ftruncate(maker.number, HEADER + (1 << 20))  # it grows later
    for reader in (early, maker.attach()):
        assert use(reader) == len(reader) == min(length, (1 << 20) // 8)


def test_a_length_that_falls(maker: HostileMaker) -> None:
    """A shared array never shrinks, so a reader keeps what it has seen."""
    reader = maker.attach()
    view = memoryview(reader)
    assert len(reader) == 1000
    maker.set_length(3)
    assert use(reader) == len(view) == 1000
    assert use(maker.attach()) == 3


def test_a_length_that_changes_all_the_time(maker: HostileMaker) -> None:
    """Also in the middle of calls: it is loaded once in each."""
    ended = threading.Event()
    numbers = random.Random(1)

    def scribble() -> None:
        while not ended.is_set():
            maker.set_length(numbers.choice((0, 1, 999, 2**63, 2**64 - 1, 1 << 20, numbers.randrange(4000))))

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        reader = maker.attach()
        for _ in range(150):
            use(reader)
            use(maker.attach())
    finally:
        ended.set()
        thread.join()


def test_a_first_page_that_is_scribbled_over(maker: HostileMaker) -> None:
    """Its facts were copied and checked. Nothing but the length is read again."""
    reader = maker.attach()
    use(reader)
    for pattern in (b"\xff", b"\x00", os.urandom(1)):
        maker.memory[:HEADER] = pattern * HEADER
        assert use(reader) >= 1000
        assert (reader.typecode, reader.itemsize, reader.capacity) == ("q", 8, 1 << 20)
        with pytest.raises(ValueError, match="its first bytes are others"):
            maker.attach()


def test_items_that_change_under_every_call(maker: HostileMaker) -> None:
    ended = threading.Event()

    def scribble() -> None:
        while not ended.is_set():
            maker.memory[HEADER : HEADER + 8000] = os.urandom(8000)

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        reader = maker.attach()
        for _ in range(100):
            assert use(reader) == 1000
            for typecode in "bBhHiIlLqQfd":  # most numbers do not fit the small ones
                with contextlib.suppress(OverflowError):
                    assert len(vmem.Array(typecode, reader)) == 1000
    finally:
        ended.set()
        thread.join()


# --- the facts ---


def set_bytes(offset: int, data: bytes) -> Callable[[bytearray], object]:
    def change(contents: bytearray) -> None:
        contents[offset : offset + len(data)] = data

    return change


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (FORMAT, b"", "the typecode of this shared array is unknown: ''"),
        (FORMAT, b"x", "the typecode of this shared array is unknown: 'x'"),
        (FORMAT, b"\xff", r"the typecode of this shared array is unknown: '\xff'"),
        (FORMAT, b"\x1b[2J\n", r"the typecode of this shared array is unknown: '\x1b[2J\n'"),
        (FORMAT, b"qq", "the typecode of this shared array is unknown: 'qq'"),
        (FORMAT, b"%n%n%s%s", "the typecode of this shared array is unknown: '%n%n%s%s'"),
        (FORMAT, b"qqqqqqqqqqq", "the typecode of this shared array is unknown: 'qqqqqqqqqqq'"),
        (ITEM_SIZE, struct.pack("=Q", 0), "items of this shared array are said to have 0 bytes; those of 'q' have 8"),
        (ITEM_SIZE, struct.pack("=Q", 4), "items of this shared array are said to have 4 bytes; those of 'q' have 8"),
        (NUM_DIMS, struct.pack("=I", 1), "the rows of this shared array are said to have 1 dimensions"),
    ],
)
def test_wrong_facts(offset: int, data: bytes, message: str) -> None:
    data = data.ljust(12, b"\0") if offset == FORMAT else data
    maker = HostileMaker(set_bytes(offset, data))
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(ValueError, match=re.escape(message)):
        maker.attach()
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    maker.close()


def set_rows(item_size: int, num_dims: int, *shape: int) -> Callable[[bytearray], object]:
    def change(contents: bytearray) -> None:
        contents[ITEM_SIZE : ITEM_SIZE + 8] = struct.pack("=Q", item_size)
        contents[NUM_DIMS : NUM_DIMS + 4] = struct.pack("=I", num_dims)
        contents[ROW_SHAPE : ROW_SHAPE + 8 * len(shape)] = struct.pack(f"={len(shape)}Q", *shape)

    return change


@pytest.mark.parametrize(
    ("item_size", "shape", "message"),
    [
        (24, (2,), "items of this shared array are said to have 24 bytes; those of 'q' have 16"),
        (8, (2, 2), "items of this shared array are said to have 8 bytes; those of 'q' have 32"),
        (0, (0,), "the rows of this shared array are said to have 1 dimensions whose sizes are not possible"),
        (0, (3, 0), "the rows of this shared array are said to have 2 dimensions whose sizes are not possible"),
        (0, (1 << 32, 1 << 32), "said to have 2 dimensions whose sizes are not possible"),
        (8, (1 << 61,), "said to have 1 dimensions whose sizes are not possible"),
        (8, (1 << 63,), "are said to be larger than addresses can name"),
        (8, (1,) * 9, "are said to have 9 dimensions, and can have 8"),
    ],
)
def test_wrong_row_shapes(item_size: int, shape: tuple[int, ...], message: str) -> None:
    maker = HostileMaker(set_rows(item_size, len(shape), *shape))
    with pytest.raises(ValueError, match=message):
        maker.attach()
    maker.close()


@pytest.mark.parametrize("shape", [(3,), (2, 2), (1,) * 8, (1 << 17,)])
def test_rows_of_a_shape_that_others_did_not_write(shape: tuple[int, ...]) -> None:
    """Whatever is possible is read, up to what the object has."""
    item_size = 8 * math.prod(shape)
    maker = HostileMaker(set_rows(item_size, len(shape), *shape))
    reader = maker.attach()
    maker.set_length(1 << 62)
    num_rows = (maker.size - HEADER) // item_size
    assert (len(reader), reader.capacity, reader.row_shape) == (num_rows, (8 << 20) // item_size, shape)
    assert memoryview(reader).shape == (num_rows, *shape)
    assert len(reader.tolist()) == num_rows
    maker.close()


def test_a_capacity_that_is_not_whole_items() -> None:
    maker = HostileMaker(set_bytes(NUM_BYTES, struct.pack("=Q", (8 << 20) - 1)))
    reader = maker.attach()
    maker.set_length(1 << 20)
    assert reader.capacity == (1 << 20) - 1
    assert use(reader) == (maker.size - HEADER) // 8
    maker.close()


@pytest.mark.parametrize("seed", range(20))
def test_random_first_pages(seed: int) -> None:
    """Whatever is accepted can be read."""
    numbers = random.Random(seed)

    def change(contents: bytearray) -> None:
        for _ in range(numbers.randrange(1, 4)):
            offset = numbers.choice((NUM_BYTES, ITEM_SIZE, NUM_DIMS, FORMAT, LENGTH, numbers.randrange(PAGE_SIZE)))
            contents[offset + numbers.randrange(8)] = numbers.randrange(256)

    for _ in range(30):
        maker = HostileMaker(change)
        try:
            reader = maker.attach()
        except (ValueError, vmem.OutOfMemoryError):
            pass
        else:
            assert len(reader) <= reader.capacity
            memoryview(reader).tobytes()
            reader.tolist()
        maker.close()


# --- what a peer of an honest maker tries ---

ATTACKS = [
    "mmap.mmap(number, 4096)",
    "mmap.mmap(number, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE, offset=4096)",
    "mmap.mmap(opened(os.O_RDWR), 4096)",
    "os.write(number, b'x')",
    "os.pwrite(number, b'x', 4096)",
    "os.pwrite(opened(os.O_RDWR), b'x', 4096)",
    "os.ftruncate(number, 0)",
    "os.ftruncate(number, 4096)",
    "os.ftruncate(opened(os.O_RDWR), 0)",
    "os.truncate(f'/proc/self/fd/{number}', 0)",
    "opened(os.O_RDWR | os.O_TRUNC)",
    "punch(number, 4096, 4096)",
    "punch(opened(os.O_RDWR), 0, 1 << 20)",
    *(f"fcntl.fcntl(number, 1033, {seal})" for seal in (SEAL_SHRINK, SEAL_GROW, SEAL_WRITE, SEAL_FUTURE_WRITE)),
    "protect(array)",
    "advise(array)",
]


def test_what_the_kernel_refuses_a_peer() -> None:
    """The maker writes on, and everybody reads what it has written."""
    array: Array = vmem.Array("d", range(1000), shared=True)
    reader = vmem.attach(array.fileno())
    with Peer(array.fileno()) as peer:
        peer.ask(
            "import ctypes, fcntl, mmap, os, sys\n"
            "number = int(sys.argv[1])\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)\n"
            "libc.mprotect.argtypes = libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)\n"
            "def check(result):\n"
            "    if result: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
            "def opened(flags): return os.open(f'/proc/self/fd/{number}', flags)\n"
            "def punch(number, offset, size): check(libc.fallocate(number, 3, offset, size))\n"
            "def protect(array): check(libc.mprotect(array.buffer_info()[0], 4096, 3))\n"
            "def advise(array): check(libc.madvise(array.buffer_info()[0], 4096, 9))\n"  # MADV_REMOVE
        )
        for attack in ATTACKS:
            assert peer.fail(attack).startswith(("PermissionError", "OSError: [Errno 22]")), attack
        array.extend(range(100_000))
        array[0] = 7.0
        assert peer.ask("array[0], len(array), array[-1]") == (7.0, 101_000, 99_999.0)
    assert reader == array
    assert array.tolist() == [7.0, *range(1, 1000), *range(100_000)]


def test_a_peer_that_takes_all_the_room() -> None:
    """It can make the object larger than the array, for which the seals leave the room. Nobody is the worse for it."""
    array: Array = vmem.Array("d", range(1000), shared=True, capacity=1 << 16)
    reader = vmem.attach(array.fileno())
    os.ftruncate(array.fileno(), 1 << 30)
    array.extend(range((1 << 16) - 1000))
    with pytest.raises(vmem.OutOfMemoryError):
        array.append(1)
    assert reader == array
    assert vmem.attach(array.fileno()) == array


def test_the_maker_believes_its_own_count() -> None:
    """Its first page is not read back, even where somebody can write it."""
    run_python(
        """
        import ctypes, sys, vmem
        array = vmem.Array("d", range(1000), shared=True)
        with open("/proc/self/maps") as file:
            pages = [line for line in file if "memfd:" in line and " rw-s 00000000 " in line]
        assert len(pages) == 1, pages
        first = int(pages[0].split("-")[0], 16)
        length = ctypes.c_uint64.from_address(first + 384)
        assert length.value == 1000
        length.value = sys.maxsize + 1  # on 32 bits, only that half is used
        assert len(array) == 1000 and array.tolist() == list(range(1000))
        array.append(5.0)
        assert length.value == 1001 and array[-1] == 5.0
        ctypes.memset(first, 255, 384)
        array.extend(range(100_000))
        assert length.value == len(array) == 101_001
        """
    )
