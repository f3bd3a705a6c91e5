"""The comparisons of ``python -m vmem bench``: what one would use without vmem, and how many times as fast vmem is.

Its JSON is what the chart and the table of the README are made of.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from time import perf_counter_ns
from typing import Any

import vmem
from vmem import _vmem
from vmem._bench.filling import Filling, fill_in_child
from vmem._bench.measuring import (
    GIB,
    MIB,
    Stopwatch,
    Work,
    describe_machine,
    format_quantity,
    format_size,
    settle_iterations,
    take_pairs,
)
from vmem._command import CommandError, complain, show_progress
from vmem._format import format_bytes

WANTED_BYTES = 512 * MIB
NUM_FILLS, NUM_SAMPLES = 5, 101

NUM_DOUBLES = 256  # in a block of a file, 2 KiB
NUM_SHOWN = 4096  # doubles at the end of a file
BLOCK, WINDOW = 64, 1 << 16  # samples in a ring
NUM_ROWS = 20_000  # in a table of five columns


class Row:
    """One comparison: medians in nanoseconds, and how many times as fast vmem is, with the quartiles of that."""

    def __init__(self, key: str, work: str, ours: str, instead: str, pairs: Sequence[tuple[float, float]], busy: bool):
        self.key, self.work, self.ours, self.instead, self.busy = key, work, ours, instead, busy
        self.vmem, self.yardstick = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = [theirs / ours for ours, theirs in pairs]
        self.lower_quartile, self.times_as_fast, self.upper_quartile = statistics.quantiles(ratios, n=4)
        self.pairs = len(pairs)


# --- memory that grows ---


def measure_fills(ours: str, theirs: str, num_bytes: int) -> list[tuple[Filling, Filling]]:
    return take_pairs(
        functools.partial(fill_in_child, ours, num_bytes),
        functools.partial(fill_in_child, theirs, num_bytes),
        NUM_FILLS,
    )


def describe_fill(num_bytes: int) -> str:
    return f"append {format_size(num_bytes)}, 64 KiB at a time"


class Growth:
    """An array that grows. Its times on the way are kept for a chart."""

    def __init__(self, key: str, way: str, instead: str, num_bytes: int, needs: str = "") -> None:
        self.key, self.way, self.instead, self.num_bytes, self.needs = key, way, instead, num_bytes, needs
        self.traces: dict[str, list[int]] = {}

    def measure(self) -> Iterator[Row]:
        stopwatch = Stopwatch()
        pairs = measure_fills("vmem", self.way, self.num_bytes)
        busy = stopwatch.was_busy()
        times = [(ours.nanoseconds, theirs.nanoseconds) for ours, theirs in pairs]
        yield Row(self.key, describe_fill(self.num_bytes), "Array", self.instead, times, busy)
        stalls = [(ours.slowest, theirs.slowest) for ours, theirs in pairs]
        yield Row(f"{self.key}-stall", "the slowest 64 KiB of these", "Array", self.instead, stalls, busy)
        for name, fillings in zip(("vmem.Array", self.instead), zip(*pairs, strict=True), strict=True):
            self.traces[name] = sorted(fillings, key=lambda filling: filling.nanoseconds)[len(fillings) // 2].trace


class SharedGrowth:
    """An array that grows, and that another process could read. Both processes are one here."""

    key, needs = "share", "shared memory"

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes

    def measure(self) -> Iterator[Row]:
        stopwatch = Stopwatch()
        fillings = measure_fills("vmem, shared", "SharedMemory", self.num_bytes)
        pairs = [(ours.nanoseconds, theirs.nanoseconds) for ours, theirs in fillings]
        work = f"{describe_fill(self.num_bytes)}, before a reader"
        yield Row(self.key, work, "Array, shared", "SharedMemory, doubled", pairs, stopwatch.was_busy())


# --- short works ---


class Comparison:
    """Two works that are repeated for some milliseconds, by turns. They are made when they are needed."""

    def __init__(
        self,
        key: str,
        work: str,
        ours: tuple[str, Callable[[], Work]],
        theirs: tuple[str, Callable[[], Work]],
        needs: str = "",
    ) -> None:
        self.key, self.work, self.needs = key, work, needs
        (self.ours, self.make), (self.instead, self.make_instead) = ours, theirs

    def measure(self) -> Iterator[Row]:
        ours, theirs = self.make(), self.make_instead()
        iterations = settle_iterations(theirs)
        stopwatch = Stopwatch()
        pairs = take_pairs(lambda: ours(iterations), lambda: theirs(iterations), NUM_SAMPLES)
        yield Row(self.key, self.work, self.ours, self.instead, pairs, stopwatch.was_busy())


def repeat_step(step: Callable[[], object]) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            step()
        return (perf_counter_ns() - start) / iterations

    return work


def look_at_ring() -> Work:
    import numpy as np

    ring = vmem.Ring("f", WINDOW)
    ring.extend(np.ones(WINDOW, "float32"))
    block = np.ones(BLOCK, "float32")

    def step() -> object:
        ring.extend(block)
        return np.asarray(ring.latest(WINDOW))

    return repeat_step(step)


def look_at_rolled() -> Work:
    import numpy as np

    window, block = np.ones(WINDOW, "float32"), np.ones(BLOCK, "float32")

    def step() -> object:
        nonlocal window
        window = np.roll(window, -BLOCK)
        window[-BLOCK:] = block
        return window

    return repeat_step(step)


def record_rows() -> Work:
    import numpy as np

    numbers = [number / 2 for number in range(NUM_ROWS)]

    def step() -> object:
        table = vmem.Table(dict.fromkeys("abcde", "d"))
        append = table.append
        for number in numbers:
            append(number, 2.0, 3.0, 4.0, 5.0)
        return [np.asarray(table[name]) for name in "abcde"]

    return repeat_step(step)


def record_tuples() -> Work:
    import numpy as np

    numbers = [number / 2 for number in range(NUM_ROWS)]

    def step() -> object:
        rows: list[tuple[float, ...]] = []
        append = rows.append
        for number in numbers:
            append((number, 2.0, 3.0, 4.0, 5.0))
        return np.array(rows)

    return repeat_step(step)


def append_to_file(folder: str) -> Work:
    import numpy as np

    block = np.ones(NUM_DOUBLES)
    open_array: Any = getattr(vmem, "open_array")  # noqa: B009
    array = open_array(os.path.join(folder, "array"), "d", mode="x")
    array.extend(np.ones(NUM_SHOWN))

    def step() -> object:
        array.extend(block)
        return np.asarray(array)[-NUM_SHOWN:]

    return repeat_step(step)


def append_and_map_again(folder: str) -> Work:
    import numpy as np

    path, block = os.path.join(folder, "mapped"), np.ones(NUM_DOUBLES).tobytes()
    with open(path, "xb") as new:
        new.write(np.ones(NUM_SHOWN).tobytes())

    def work(iterations: int) -> float:
        with open(path, "ab", buffering=0) as file:

            def step() -> object:
                file.write(block)
                return np.memmap(path, np.float64, mode="r")[-NUM_SHOWN:]

            return repeat_step(step)(iterations)

    return work


# --- all ---


def list_comparisons(num_bytes: int, folder: str) -> list[Growth | SharedGrowth | Comparison]:
    return [
        Growth("grow", "NumPy doubling", "np.empty, doubled", num_bytes, needs="numpy"),
        Growth("grow-array", "array.array", "array.array", num_bytes),
        Comparison(
            "file",
            f"append {format_size(8 * NUM_DOUBLES)} to a file, look at the last {NUM_SHOWN:,} doubles",
            ("open_array", functools.partial(append_to_file, folder)),
            ("np.memmap, opened again", functools.partial(append_and_map_again, folder)),
            needs="files",
        ),
        SharedGrowth(num_bytes // 2),
        Comparison(
            "window",
            f"append {BLOCK}, look at the last {WINDOW:,} float32",
            ("Ring", look_at_ring),
            ("np.roll", look_at_rolled),
            needs="numpy",
        ),
        Comparison(
            "record",
            f"record {NUM_ROWS:,} rows of five doubles, get columns",
            ("Table", record_rows),
            ("list + np.array", record_tuples),
            needs="numpy",
        ),
    ]


def find_lack(need: str) -> str:
    """Returns why something that a comparison needs is missing; empty if it is there."""
    if need in ("numpy", "files") and not importlib.util.find_spec("numpy"):
        return "numpy is not installed (python -m pip install numpy)"
    if need == "files" and not hasattr(vmem, "open_array"):
        return "this vmem has no open_array"
    if need == "shared memory":
        try:
            with vmem.reserve(1, shared=True) as region:
                region.fileno()  # which Windows does not have
        except (NotImplementedError, OSError) as error:
            return str(error)
    return ""


def require_addresses(num_bytes: int) -> None:
    """Raises CommandError if too few addresses are free: an array reserves an eighth of what the process may have."""
    limits = _vmem.get_limits()
    needed, left = 2 * GIB + 16 * num_bytes, 2 * sys.maxsize + 2
    if limits["address_space_limit"] is not None:
        left = max(limits["address_space_limit"] - limits["address_space_used"], 0)
    if left < needed:
        raise CommandError(
            f"{format_bytes(needed)} of addresses must be free, but no more than {format_bytes(left)} are "
            f"({'a 32-bit Python' if limits['address_space_limit'] is None else 'ulimit -v'})"
        )


def measure_all(num_bytes: int) -> tuple[list[Row], dict[str, list[int]]]:
    """Measures with the garbage collector disabled, because a collection would disturb one side at random."""
    rows: list[Row] = []
    traces: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory(prefix="vmem-bench-", ignore_cleanup_errors=True) as folder:
        comparisons = list_comparisons(num_bytes, folder)
        gc.disable()
        try:
            for number, comparison in enumerate(comparisons, 1):
                show_progress(f"{number} of {len(comparisons)}: {comparison.key}")
                lack = find_lack(comparison.needs)
                try:
                    rows += () if lack else comparison.measure()
                except CommandError as error:  # such as a SharedMemory that does not fit into /dev/shm
                    lack = str(error)
                if lack:
                    show_progress("")
                    complain(f"left out {comparison.key!r}, because {lack}")
                traces |= getattr(comparison, "traces", {})
        finally:
            gc.enable()
            show_progress("")
    return rows, traces


# --- printing ---

BUSY = """\
busy: other programs used the processor for more than a tenth of the time, so this machine was too busy to tell. Run it
again when it is idle."""


def format_row(row: Row) -> str:
    ours, theirs = format_quantity(row.vmem, "ns"), format_quantity(row.yardstick, "ns")
    times = f"{row.times_as_fast:.1f}x" if row.times_as_fast < 10 else f"{row.times_as_fast:.0f}x"
    spread = f"({row.lower_quartile:.1f} to {row.upper_quartile:.1f})"
    return f"  {row.ours:<13}{ours:>8}   {row.instead:<24}{theirs:>8}  {times:>6}  {'busy' if row.busy else spread}"


def format_rows(rows: Sequence[Row]) -> str:
    """The rows below what they measure."""
    works: dict[str, list[str]] = {}
    for row in rows:
        works.setdefault(row.work, []).append(format_row(row))
    return "\n".join("\n".join([work, *lines]) for work, lines in works.items())


def run(num_bytes: int, as_json: bool) -> None:
    require_addresses(num_bytes)
    rows, traces = measure_all(num_bytes)
    machine = f"{describe_machine()}{describe_numpy()}"
    if as_json:
        facts = {"machine": machine, "num_bytes": num_bytes, "rows": [vars(row) for row in rows], "traces": traces}
        print(json.dumps(facts))
        return
    print(f"{machine}\n\n{format_rows(rows)}\n\nHow many times as fast: medians of pairs, and their quartiles.")
    if any(row.busy for row in rows):
        print(BUSY)


def describe_numpy() -> str:
    if not importlib.util.find_spec("numpy"):
        return ""
    numpy: Any = importlib.import_module("numpy")
    return f", NumPy {numpy.__version__}"
