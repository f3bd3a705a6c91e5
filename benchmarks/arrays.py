"""The cost of a `vmem.Array`, compared with array.array and other ways of collecting data.

    python benchmarks/arrays.py

It needs the installed package. Comparisons with C need a compiler, ``$CC`` or else ``cc``; those with NumPy and Arrow
need these modules. See README.md. The file is not called array.py, because it would shadow the array module.
"""

from __future__ import annotations

import array
import ctypes
import functools
import json
import mmap
import timeit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter_ns

from fill import Filling
from side_by_side import (
    KIB,
    MIB,
    Comparison,
    Measurable,
    Row,
    Work,
    call_yardstick,
    compare_works,
    format_size,
    make_parser,
    parse_with_size,
    report,
    run_program,
    summarize,
    take_pairs,
)

import vmem

NUM_ITEMS = 1_000
ONE_FLOAT = (1.5,)

# Makes an empty array of floats.
MakeArray = Callable[[], "vmem.Array[float] | array.array[float]"]


def make_vmem_array() -> vmem.Array[float]:
    return vmem.Array("d")


def make_array() -> array.array[float]:
    return array.array("d")


# --- making ---


def make_of_bytes(items: bytes) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            vmem.Array("B", items)
        return (perf_counter_ns() - start) / iterations

    return work


def map_and_write(items: bytes) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            memory = mmap.mmap(-1, len(items))
            memory.write(items)
            memory.close()
        return (perf_counter_ns() - start) / iterations

    return work


def list_making() -> Iterator[Comparison]:
    for num_bytes in (64 * KIB, MIB):
        items = bytes(num_bytes)
        work = f"Array('B', {format_size(num_bytes)} of bytes), vs mmap.mmap + write"
        yield compare_works(work, make_of_bytes(items), map_and_write(items), None)


# --- small arrays ---

# The setup, with Array for the type, and what is repeated.
SMALL_WORKS = [
    ("Array('d')", "", "Array('d')", 1.3),
    ("Array('d', ten floats)", "ten = [float(i) for i in range(10)]", "Array('d', ten)", 1.3),
    ("a[10:20]", "a = Array('d', range(200))", "a[10:20]", 1.5),
    ("a[:] of 200 items", "a = Array('d', range(200))", "a[:]", 1.5),
    ("a + a of 200 items", "a = Array('d', range(200))", "a + a", 1.5),
    ("a * 3 of 200 items", "a = Array('d', range(200))", "a * 3", 1.5),
    ("copy.copy(a) of 200 items", "import copy; a = Array('d', range(200))", "copy.copy(a)", 1.5),
    (
        "pickling and unpickling 200 items",
        "import pickle; a = Array('d', range(200))",
        "pickle.loads(pickle.dumps(a, 5))",
        1.5,
    ),
    ("200 appends to an empty array", "", "append = Array('d').append\nfor _ in range(200): append(1.5)", 0.8),
]


def time_statement(statement: str, setup: str, array_type: type) -> Work:
    """The statement in a loop of its own, without the cost of a function call."""
    timer = timeit.Timer(statement, setup or "pass", perf_counter_ns, {"Array": array_type})
    return lambda iterations: timer.timeit(iterations) / iterations


def show_first(iterations: int) -> float:
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        memoryview(vmem.Array("d", ONE_FLOAT))
    return (perf_counter_ns() - start) / iterations


def reserve_as_much(iterations: int) -> float:
    num_bytes = ctypes.c_size_t(vmem.Array("d").capacity * 8)
    return call_yardstick("reserve_use_and_release", iterations, num_bytes, ctypes.c_size_t(vmem.get_page_size()))


def list_small() -> Iterator[Comparison]:
    for work, setup, statement, target in SMALL_WORKS:
        ours, theirs = (time_statement(statement, setup, each) for each in (vmem.Array, array.array))
        yield compare_works(f"{work}, vs array.array", ours, theirs, target)
    yield compare_works("an array and its first memoryview, vs C", show_first, reserve_as_much, 1.4, needs="C")


# --- items ---


def append_items(make: MakeArray) -> Work:
    """Appends to an array that starts empty, so the cost of growing is included."""

    def work(iterations: int) -> float:
        start = perf_counter_ns()
        items = make()
        for _ in repeat(None, iterations):
            items.append(1.5)
        return (perf_counter_ns() - start) / iterations

    return work


def get_items(items: Sequence[float]) -> Work:
    indices = list(range(len(items)))

    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            for index in indices:
                items[index]
        return (perf_counter_ns() - start) / iterations

    return work


def set_items(items: vmem.Array[float] | array.array[float]) -> Work:
    indices = list(range(len(items)))

    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            for index in indices:
                items[index] = 1.5
        return (perf_counter_ns() - start) / iterations

    return work


def iterate(items: Sequence[float]) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            for _ in items:
                pass
        return (perf_counter_ns() - start) / iterations

    return work


def list_items() -> Iterator[Comparison]:
    values = [index + 0.5 for index in range(NUM_ITEMS)]
    ours, theirs = vmem.Array("d", values), array.array("d", values)
    yield compare_works(
        "Array('d').append(x), vs array.array", append_items(make_vmem_array), append_items(make_array), 0.8
    )
    yield compare_works(f"a[i], {NUM_ITEMS:,} times, vs array.array", get_items(ours), get_items(theirs), 1.1)
    yield compare_works(f"a[i] = x, {NUM_ITEMS:,} times, vs array.array", set_items(ours), set_items(theirs), None)
    yield compare_works(f"for x in a, {NUM_ITEMS:,} items, vs array.array", iterate(ours), iterate(theirs), None)


# --- filling ---


@dataclass(frozen=True)
class Filler:
    """One of the methods of fill.py, the target ratios to it, and what it needs."""

    name: str
    target: float | None
    slowest_target: float | None = None
    needs: str = ""


FILLERS = [
    Filler("C", 1.3, needs="C"),
    Filler("bytearray", 1 / 3),
    Filler("array.array", 1 / 3),
    Filler("NumPy doubling", 1 / 2, 1 / 10, needs="numpy"),
    Filler("a preallocated numpy.empty", 1.1, needs="numpy"),
    Filler("a preallocated mmap.mmap", None),
    Filler("Arrow BufferOutputStream", None, needs="pyarrow"),
]


def fill(name: str, num_bytes: int) -> Filling:
    """Fills in a new process, because earlier allocations in this one would affect its speed and its peak."""
    return Filling(**json.loads(run_program("fill.py", name, str(num_bytes))))


@dataclass(frozen=True)
class FillComparison:
    """Three rows from the same pairs: the total time, the time of the slowest chunk, and the peak memory."""

    filler: Filler
    num_bytes: int
    pairs: int = 9

    @property
    def work(self) -> str:
        return f"fill {format_size(self.num_bytes)} by 64 KiB, vs {self.filler.name}"

    @property
    def target(self) -> float | None:
        return self.filler.target

    @property
    def needs(self) -> str:
        return self.filler.needs

    def measure(self, num_pairs: int) -> list[Row]:
        name = self.filler.name
        fillings = take_pairs(
            functools.partial(fill, "vmem", self.num_bytes), functools.partial(fill, name, self.num_bytes), num_pairs
        )
        times = [(ours.nanoseconds, theirs.nanoseconds) for ours, theirs in fillings]
        slowest = [(ours.slowest, theirs.slowest) for ours, theirs in fillings]
        peaks = [(ours.peak, theirs.peak) for ours, theirs in fillings]
        return [
            summarize(self.work, times, self.filler.target),
            summarize(f"its slowest 64 KiB, vs {name}", slowest, self.filler.slowest_target),
            summarize(f"its peak memory, vs {name}", peaks, None, "bytes"),
        ]


@dataclass(frozen=True)
class PeakComparison:
    """The peak of resident memory while an array is filled, compared with the size of its data."""

    num_bytes: int
    target: float = 1.02
    pairs: int = 9
    needs: str = "resource"

    @property
    def work(self) -> str:
        return f"peak memory of {format_size(self.num_bytes)} by 64 KiB, vs the data"

    def measure(self, num_pairs: int) -> list[Row]:
        peaks = take_pairs(lambda: fill("vmem", self.num_bytes).peak, lambda: float(self.num_bytes), num_pairs)
        return [summarize(self.work, peaks, self.target, "bytes")]


def list_filling(num_bytes: int) -> Iterator[Measurable]:
    for filler in FILLERS:
        yield FillComparison(filler, num_bytes)
    yield PeakComparison(num_bytes)


# --- all ---


def list_comparisons(num_bytes: int) -> Iterator[Measurable]:
    yield from list_making()
    yield from list_small()
    yield from list_items()
    yield from list_filling(num_bytes)


if __name__ == "__main__":
    parser = make_parser("Measure the cost of a vmem.Array, compared with array.array and other methods.")
    options, num_bytes = parse_with_size(parser, gib=2)
    report(list_comparisons(num_bytes), options)
