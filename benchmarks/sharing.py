"""The cost of shared arrays, compared with C and with multiprocessing.shared_memory.

    python benchmarks/sharing.py

It needs the installed package. The comparison with C needs Linux and a compiler, ``$CC`` or else ``cc``. See README.md.
"""

from __future__ import annotations

import array
import contextlib
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from itertools import repeat
from multiprocessing.shared_memory import SharedMemory
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from arrays import fill
from side_by_side import (
    MIB,
    Comparison,
    Measurable,
    Row,
    Work,
    compare_works,
    format_size,
    make_parser,
    parse_with_size,
    report,
    summarize,
    take_pairs,
)

import vmem

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

NUM_BYTES = MIB  # of what is made and sent

# --- filling ---


@dataclass(frozen=True)
class SharedFill:
    """The time of filling a shared array, compared with C or with an array that is not shared."""

    name: str
    yardstick: str
    num_bytes: int
    target: float | None
    needs: str
    pairs: int = 9

    @property
    def work(self) -> str:
        return f"fill a shared array with {format_size(self.num_bytes)} by 64 KiB, vs {self.name}"

    def measure(self, num_pairs: int) -> list[Row]:
        ours, theirs = (functools.partial(fill, each, self.num_bytes) for each in ("vmem, shared", self.yardstick))
        fillings = take_pairs(ours, theirs, num_pairs)
        times = [(ours.nanoseconds, theirs.nanoseconds) for ours, theirs in fillings]
        return [summarize(self.work, times, self.target)]


def list_filling(num_bytes: int) -> Iterator[Measurable]:
    yield SharedFill("C on a memfd", "C, shared", num_bytes, 1.15, "memfd")
    yield SharedFill("a private one", "vmem", num_bytes, None, "shared memory")


# --- reading ---


def attach(writer: vmem.Array[Any]) -> vmem.Array[Any]:
    """A reader in this process."""
    reader = vmem.attach(writer.fileno())
    assert isinstance(reader, vmem.Array)
    return reader


def count_items(make: Callable[[], Sized]) -> Work:
    def work(iterations: int) -> float:
        items = make()
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            len(items)
        return (perf_counter_ns() - start) / iterations

    return work


@functools.cache
def make_writer() -> vmem.Array[float]:
    return vmem.Array("d", [1.5] * 1000, shared=True)


def list_reading() -> Iterator[Comparison]:
    items = array.array("d", [1.5] * 1000)
    yield compare_works(
        "len() of a reader, vs array.array",
        count_items(lambda: attach(make_writer())),
        count_items(lambda: items),
        1.5,
        needs="shared memory",
    )


# --- making ---


def make_and_attach(iterations: int) -> float:
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        writer = vmem.Array("B", capacity=NUM_BYTES, shared=True)
        vmem.attach(writer.fileno())
    return (perf_counter_ns() - start) / iterations


def make_and_attach_blocks(iterations: int) -> float:
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        block = SharedMemory(create=True, size=NUM_BYTES)
        other = SharedMemory(block.name)
        other.close()
        block.close()
        block.unlink()
    return (perf_counter_ns() - start) / iterations


# --- sending ---


def answer(received: Any, connection: Connection) -> None:
    """Runs in the other process: attaches everything that arrives, says so, and drops it."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            item = received.get()
            if isinstance(item, SharedMemory):
                item.close()
            del item
            connection.send_bytes(b"received")


def end_with_parent() -> None:
    """Ends the process when the parent has ended, however that was."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(0)


@functools.cache
def start_process() -> tuple[Any, Any]:
    """A queue to another process, and the connection through which that answers."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    ours, theirs = context.Pipe(duplex=False)
    context.Process(target=answer, args=(queue, theirs), daemon=True).start()
    theirs.close()
    return queue, ours


def send(iterations: int) -> float:
    queue, connection = start_process()
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        writer = vmem.Array("B", capacity=NUM_BYTES, shared=True)
        queue.put(writer)
        connection.recv_bytes()
        del writer
    return (perf_counter_ns() - start) / iterations


def send_blocks(iterations: int) -> float:
    queue, connection = start_process()
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        block = SharedMemory(create=True, size=NUM_BYTES)
        queue.put(block)
        connection.recv_bytes()
        block.close()
        block.unlink()
    return (perf_counter_ns() - start) / iterations


def list_making() -> Iterator[Comparison]:
    yield compare_works(
        "make, attach and drop a shared array, vs SharedMemory",
        make_and_attach,
        make_and_attach_blocks,
        0.7,
        needs="shared memory",
    )
    yield compare_works(
        "make and send it through a Queue, vs SharedMemory", send, send_blocks, 2.2, pairs=101, needs="shared memory"
    )


# --- all ---


def list_comparisons(num_bytes: int) -> Iterator[Measurable]:
    yield from list_filling(num_bytes)
    yield from list_reading()
    yield from list_making()


if __name__ == "__main__":
    parser = make_parser("Measure the cost of shared arrays, compared with C and with SharedMemory.")
    options, num_bytes = parse_with_size(parser, gib=1)
    report(list_comparisons(num_bytes), options)
