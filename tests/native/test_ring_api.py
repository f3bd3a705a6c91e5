"""Producers in C: they write a ring without the GIL, while Python code reads it."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import vmem
from tests.support.extensions import build_extension
from tests.support.marks import posix_only
from tests.support.processes import run_python
from tests.support.sharing import SharedFolder

Client = Any  # an extension without type hints

MANY = 200_000


@pytest.fixture(scope="session")
def client_folder(shared_folder: SharedFolder) -> Path:
    """A folder with the extension ring_client, built with the header of the installed vmem."""
    return shared_folder("ring_client", partial(build_extension, name="ring_client"))


@pytest.fixture(scope="session")
def client(client_folder: Path) -> Client:
    """The extension, imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(client_folder)
        return importlib.import_module("ring_client")


def test_what_is_a_ring(client: Client) -> None:
    class Named(vmem.Ring[int]):
        pass

    for ring in (vmem.Ring("i", 5), Named("i", 5)):
        assert client.is_ring(ring)
    for other in (None, 5, vmem.Array("i"), vmem.Ring, memoryview(vmem.Ring("i", 5))):
        assert not client.is_ring(other)


def test_what_a_claim_tells(client: Client) -> None:
    assert client.claim(vmem.Ring("h", 50))[2:] == (2, 50, "h")
    assert client.claim(vmem.Ring("d", 7, row_shape=(2, 3)))[2:] == (48, 7, "d")


def test_objects_that_are_not_rings(client: Client) -> None:
    for wrong in (5, vmem.Array("i"), vmem.Arena(1), "ring"):
        with pytest.raises(TypeError, match=f"expected a vmem.Ring, not {type(wrong).__name__}"):
            client.claim(wrong)
    with pytest.raises(SystemError, match=r"NULL where a vmem\.Ring is expected"):
        client.claim(None)


def test_writing(client: Client) -> None:
    ring = vmem.Ring("B", 10)
    claim, handle, *_ = client.claim(ring)
    assert client.write(handle, b"abcdef", 6) == 0
    assert client.write(handle, b"", 0) == 0
    assert bytes(ring) == b"abcdef"
    assert client.prepare(handle, 3, ord("x"))
    assert (bytes(ring), ring.total) == (b"abcdef", 6)
    assert client.advance(handle, 4) == -1
    assert client.advance(handle, 2) == 0
    assert client.advance(handle, 0) == -1, "a second one needs another prepare"
    assert (bytes(ring), ring.total) == (b"abcdefxx", 8)
    assert client.prepare(handle, 3, ord("y"))
    assert client.write(handle, b"z", 1) == 0
    assert client.advance(handle, 1) == -1, "the write has cancelled it"
    assert client.write(handle, b"0123456789", 10) == 0
    assert (bytes(ring), ring.oldest) == (b"0123456789", 9)
    for number in (11, sys.maxsize, -1):
        assert client.write(handle, b"", number) == -1
        assert not client.prepare(handle, number, 0)
    assert (bytes(ring), ring.total) == (b"0123456789", 19)
    del claim


def test_a_queue_that_is_full(client: Client) -> None:
    ring = vmem.Ring("B", 10, overwrite=False)
    claim, handle, *_ = client.claim(ring)
    assert client.write(handle, b"abcdefgh", 8) == 0
    assert client.write(handle, b"ijk", 3) == -1
    assert not client.prepare(handle, 3, 0)
    ring.consume(1)  # which is for Python code, while the claim lives
    assert client.write(handle, b"ijk", 3) == 0
    assert bytes(ring) == b"bcdefghijk"
    del claim


CHANGES: dict[str, Callable[[Any], object]] = {
    "append": lambda ring: ring.append(1),
    "extend": lambda ring: ring.extend(b"a"),
    "extend by nothing": lambda ring: ring.extend(b""),
    "prepare": lambda ring: ring.prepare(1),
    "advance": lambda ring: ring.advance(0),
    "clear": lambda ring: ring.clear(),
    "consume": lambda ring: ring.consume(0),
}


def test_python_code_only_reads_what_is_claimed(client: Client) -> None:
    ring = vmem.Ring("B", 10)
    ring.extend(b"abc")
    ring.prepare(3)
    claim, handle, *_ = client.claim(ring)
    for change in CHANGES.values():
        with pytest.raises(BufferError, match="a producer in C writes this ring; Python code can when it has ended"):
            change(ring)
    with pytest.raises(BufferError, match="a producer in C writes this ring"):
        client.claim(ring)
    assert (bytes(ring), list(ring), ring[0], ring.latest(1).tolist()) == (b"abc", [97, 98, 99], 97, [99])
    del claim
    with pytest.raises(ValueError, match="nothing is prepared"):
        ring.advance(1)
    ring.append(100)
    again = client.claim(ring)
    assert client.write(handle, b"e", 1) == 0
    assert bytes(ring) == b"abcde"
    del again


@posix_only
def test_readers_cannot_be_claimed(client: Client) -> None:
    ring = vmem.Ring("B", 10, shared=True)
    with pytest.raises(TypeError, match="this ring is read-only"):
        client.claim(vmem.attach(ring.fileno()))


def test_a_claim_holds_the_ring(client: Client) -> None:
    class Named(vmem.Ring[int]):
        held: object = None

    ring = Named("B", 10)
    gone = weakref.ref(ring)
    claim, handle, *_ = client.claim(ring)
    del ring
    gc.collect()
    assert client.write(handle, b"a", 1) == 0
    del claim
    gc.collect()
    assert gone() is None
    ring = Named("B", 10)
    ring.held, gone = client.claim(ring), weakref.ref(ring)
    del ring
    gc.collect()
    assert gone() is None, "a claim that only its ring has is garbage with it"


# --- while other threads run ---


def run_beside(client: Client, handle: object, read: Callable[[], bool]) -> None:
    """Reads until that is enough, while a thread writes numbers from 0 on, and once more after it has ended."""
    thread = threading.Thread(target=client.produce, args=(handle, 0, MANY))
    thread.start()
    try:
        while thread.is_alive() and read():
            pass
    finally:
        thread.join()


@pytest.mark.parametrize("spare", [0, 5, 1000])
def test_an_overtaken_reader_notices(client: Client, spare: int) -> None:
    """What a window shows is right whenever `oldest` says afterwards that all of it was still there."""
    ring: vmem.Ring[int] = vmem.Ring("Q", vmem.align_forward(30_000, vmem.get_allocation_granularity()) // 8 - spare)
    claim, handle, *_ = client.claim(ring)
    valid = overtaken = 0

    def read() -> bool:
        nonlocal valid, overtaken
        start = ring.oldest
        try:
            copied = ring.window(start, 16).tolist()
        except IndexError:
            return True
        if ring.oldest <= start:
            assert copied == list(range(start, start + 16))
            valid += 1
        else:
            overtaken += 1
        newest = ring.total
        if newest >= ring.capacity:
            start = newest - 1000
            copied = ring.window(start, 1000).tolist() if ring.oldest <= start else []
            if ring.oldest <= start:
                assert copied == list(range(start, newest))
        return True

    run_beside(client, handle, read)
    assert ring.total >= MANY
    assert list(ring) == list(range(ring.total - ring.capacity, ring.total))
    del claim


def test_items_and_iterators_beside_a_producer(client: Client) -> None:
    """Items are copied, and read again where they were overwritten meanwhile."""
    ring: vmem.Ring[int] = vmem.Ring("Q", 3000)
    claim, handle, *_ = client.claim(ring)
    last = 0

    def read() -> bool:
        nonlocal last
        try:
            newest, oldest = ring[-1], ring[0]
        except (IndexError, BufferError):
            return True
        assert newest >= last
        last = newest
        assert oldest < ring.total
        before = -1
        try:
            for item in ring:
                assert before in (-1, item - 1)
                before = item
        except RuntimeError:  # overtaken
            pass
        assert len(ring) <= 3000
        return True

    run_beside(client, handle, read)
    assert list(ring) == list(range(ring.total - 3000, ring.total))
    del claim


def test_a_queue_between_threads(client: Client) -> None:
    """Every number arrives, once and in order."""
    ring: vmem.Ring[int] = vmem.Ring("Q", 1000, overwrite=False)
    claim, handle, *_ = client.claim(ring)
    seen = 0

    def read() -> bool:
        nonlocal seen
        length = len(ring)
        items = ring.window(seen, length).tolist()
        assert items == list(range(seen, seen + length))
        ring.consume(length)
        seen += length
        return True

    run_beside(client, handle, read)
    read()
    assert seen == ring.total >= MANY
    del claim


@posix_only
def test_a_forked_child_has_no_producer(client_folder: Path) -> None:
    run_python(f"""
        import os, sys
        sys.path.insert(0, {str(client_folder)!r})
        import ring_client, vmem
        ring = vmem.Ring("B", 10)
        claim, handle, *_ = ring_client.claim(ring)
        ring_client.write(handle, b"abc", 3)
        child = os.fork()
        if child == 0:
            wrong = []
            wrong += [1] * (ring_client.write(handle, b"x", 1) != -1)
            wrong += [2] * bool(ring_client.prepare(handle, 1, 0))
            wrong += [3] * (ring_client.advance(handle, 0) != -1)
            wrong += [4] * (bytes(ring) != b"abc")
            del claim, ring
            os._exit(len(wrong))
        assert os.waitpid(child, 0)[1] == 0
        assert ring_client.write(handle, b"d", 1) == 0
        assert bytes(ring) == b"abcd"
        """)
