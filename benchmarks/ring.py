"""The cost of a `vmem.Ring`, compared with other ring buffers of NumPy arrays.

    python benchmarks/ring.py

It needs the installed package and NumPy; and dvg-ringbuffer and numpy-ringbuffer for the rows about these. See
README.md. NumPy is imported when a row needs it: `vmem bench` also runs where it is missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import repeat
from time import perf_counter_ns
from typing import Any

from side_by_side import Comparison, Work, compare_works, run

import vmem

BLOCK = 64
WINDOW = 1 << 16  # samples, 256 KiB

# Writes a block, and looks at the newest window, which it returns.
Look = Callable[[], Any]
MakeLook = Callable[[], Look]


def make_block(num_items: int = BLOCK) -> Any:
    return import_module("numpy").ones(num_items, "float32")


# --- a block in, a window out ---


def look_with_vmem() -> Look:
    ring = vmem.Ring("f", WINDOW)
    ring.extend(make_block(WINDOW))
    block = make_block()

    def look() -> Any:
        ring.extend(block)
        return ring.latest(WINDOW)

    return look


def look_with_vmem_as_array() -> Look:
    """The same as an array of NumPy, which the others give."""
    asarray = import_module("numpy").asarray
    look = look_with_vmem()
    return lambda: asarray(look())


def look_with_dvg() -> Look:
    ring = import_module("dvg_ringbuffer").RingBuffer(WINDOW, dtype="float32")
    ring.extend(make_block(WINDOW))
    block = make_block()

    def look() -> Any:
        ring.extend(block)
        return ring[:]

    return look


def look_with_numpy_ringbuffer() -> Look:
    asarray = import_module("numpy").asarray
    ring = import_module("numpy_ringbuffer").RingBuffer(WINDOW, dtype="float32")
    ring.extend(make_block(WINDOW))
    block = make_block()

    def look() -> Any:
        ring.extend(block)
        return asarray(ring)

    return look


def look_with_roll() -> Look:
    roll = import_module("numpy").roll
    window, block = make_block(WINDOW), make_block()

    def look() -> Any:
        nonlocal window
        window = roll(window, -BLOCK)
        window[-BLOCK:] = block
        return window

    return look


def look_at_array() -> Look:
    """Always the same one: what a ring buffer would cost that costs nothing."""
    window = make_block(WINDOW)
    return lambda: window


def repeat_look(make: MakeLook) -> Work:
    look: Look | None = None

    def work(iterations: int) -> float:
        nonlocal look
        look = look or make()
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            look()
        return (perf_counter_ns() - start) / iterations

    return work


def repeat_sum(make: MakeLook) -> Work:
    look: Look | None = None

    def work(iterations: int) -> float:
        nonlocal look
        look = look or make()
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            look().sum()
        return (perf_counter_ns() - start) / iterations

    return work


# Names, how they look, and the module that this needs.
Peers = Sequence[tuple[str, MakeLook, str]]
NUMPY: Peers = [("numpy.roll", look_with_roll, "numpy")]
LIBRARIES: Peers = [
    ("dvg-ringbuffer", look_with_dvg, "dvg_ringbuffer"),
    ("numpy-ringbuffer", look_with_numpy_ringbuffer, "numpy_ringbuffer"),
]


def list_looks(peers: Peers) -> Iterator[Comparison]:
    for name, make, needs in peers:
        work = f"ring: write {BLOCK}, look at {WINDOW:,} float32, vs {name}"
        yield compare_works(work, repeat_look(look_with_vmem), repeat_look(make), 0.1, needs=needs)
    for name, make, needs in peers:
        work = f"ring: the same and sum the window, vs {name}"
        yield compare_works(work, repeat_sum(look_with_vmem_as_array), repeat_sum(make), 0.5, needs=needs)
    work = "ring: the same and sum the window, vs the sum alone"
    yield compare_works(work, repeat_sum(look_with_vmem_as_array), repeat_sum(look_at_array), None, needs="numpy")


# --- writing ---


def extend(make: Callable[[], tuple[Callable[[Any], object], Any]]) -> Work:
    def work(iterations: int) -> float:
        call, argument = make()
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            call(argument)
        return (perf_counter_ns() - start) / iterations

    return work


def extend_ring() -> tuple[Callable[[Any], object], Any]:
    ring = vmem.Ring("f", WINDOW)
    return ring.extend, make_block(1024)


def assign_slices(iterations: int) -> float:
    """To the same array, one behind the other: what a ring buffer of one's own does at least."""
    array, block = make_block(WINDOW), make_block(1024)
    position = 0
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        array[position : position + 1024] = block
        position = (position + 1024) % WINDOW
    return (perf_counter_ns() - start) / iterations


def append_to(make: Callable[[], Any]) -> Work:
    def work(iterations: int) -> float:
        append = make().append
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            append(1.5)
        return (perf_counter_ns() - start) / iterations

    return work


def list_writing() -> Iterator[Comparison]:
    work = "Ring.extend(4 KiB), vs array[a:b] = block"
    yield compare_works(work, extend(extend_ring), assign_slices, 1.5, needs="numpy")
    append, append_to_deque = append_to(lambda: vmem.Ring("d", 1000)), append_to(lambda: deque[float](maxlen=1000))
    yield compare_works("Ring('d').append(x), vs deque(maxlen=)", append, append_to_deque, None)


# --- all ---


def list_comparisons(peers: Peers = (*LIBRARIES, *NUMPY)) -> Iterator[Comparison]:
    yield from list_looks(peers)
    yield from list_writing()


if __name__ == "__main__":
    run("Measure the cost of a vmem.Ring, compared with other ring buffers.", list_comparisons)
