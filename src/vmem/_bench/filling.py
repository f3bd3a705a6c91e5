"""Fills memory in one of several ways, in a process of its own, and prints the measurements as JSON.

    python -m vmem._bench.filling "NumPy doubling" 536870912

Each way starts empty and appends the same chunk repeatedly.
"""

from __future__ import annotations

import array
import functools
import json
import signal
import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import vmem
from vmem._bench.measuring import KIB, MIB, run_child, warm_memory

Step = Callable[[], object]  # appends CHUNK

CHUNK = bytes(range(256)) * 256
NUM_MARKS = 256  # at most, in a trace

assert len(CHUNK) == 64 * KIB


class Filling:
    """Nanoseconds for all chunks and for the slowest one, and those that had passed at each mark on the way."""

    def __init__(self, nanoseconds: float, slowest: float, trace: list[int]) -> None:
        self.nanoseconds, self.slowest, self.trace = nanoseconds, slowest, trace


# --- ways ---


def fill_vmem() -> Step:
    return functools.partial(vmem.Array("d").frombytes, CHUNK)


def fill_array() -> Step:
    return functools.partial(array.array("d").frombytes, CHUNK)


def fill_numpy_doubling() -> Step:
    """Copies into an array of twice the size when the current one is full, so that views of the old one stay valid."""
    import numpy as np

    chunk = np.array(list(CHUNK), np.uint8)
    items, end = np.empty(len(CHUNK), np.uint8), 0

    def step() -> None:
        nonlocal items, end
        start, end = end, end + len(chunk)
        if end > len(items):
            old, items = items, np.empty(2 * len(items), np.uint8)
            items[:start] = old
        items[start:end] = chunk

    return step


def fill_shared() -> Step:
    """A reader that has the array once, and sees it grow."""
    writer: vmem.Array[float] = vmem.Array("d", shared=True)
    reader: Any = vmem.attach(writer.fileno())

    def step() -> None:
        writer.frombytes(CHUNK)
        assert len(reader) == len(writer)

    return step


def fill_blocks() -> Step:
    """A block of twice the size when the current one is full, which the reader has to open by its name."""
    from multiprocessing.shared_memory import SharedMemory

    block: Any = SharedMemory(create=True, size=len(CHUNK))
    reader, end = SharedMemory(block.name), 0
    block.unlink()

    def step() -> None:
        nonlocal block, reader, end
        start, end = end, end + len(CHUNK)
        if end > block.size:
            old, block = block, SharedMemory(create=True, size=2 * block.size)
            block.buf[:start] = old.buf[:start]
            reader.close()
            reader = SharedMemory(block.name)
            block.unlink()
            old.close()
        block.buf[start:end] = CHUNK

    return step


WAYS = {
    "vmem": fill_vmem,
    "array.array": fill_array,
    "NumPy doubling": fill_numpy_doubling,
    "vmem, shared": fill_shared,
    "SharedMemory": fill_blocks,
}

# --- measuring ---


def time_steps(step: Step, num_steps: int) -> Filling:
    marks = range(0, num_steps, max(num_steps // NUM_MARKS, 1))
    times = [0] * num_steps
    start = perf_counter_ns()
    for index in range(num_steps):
        step()
        times[index] = perf_counter_ns() - start
    slowest = max(after - before for before, after in zip([0, *times], times, strict=False))
    return Filling(times[-1], slowest, [times[mark] for mark in marks])


def fill(way: str, num_bytes: int) -> Filling:
    """Fills a little first, to import what is needed before measuring."""
    time_steps(WAYS[way](), MIB // len(CHUNK))
    warm_memory(num_bytes)
    return time_steps(WAYS[way](), num_bytes // len(CHUNK))


def fill_in_child(way: str, num_bytes: int) -> Filling:
    """Fills in a new process, because earlier allocations in this one would affect its speed."""
    return Filling(**json.loads(run_child(["-P", "-m", "vmem._bench.filling", way, str(num_bytes)])))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that its children end too, as at Ctrl-C
    print(json.dumps(vars(fill(sys.argv[1], int(sys.argv[2])))))
