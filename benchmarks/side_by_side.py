"""Measures two ways to do the same work side by side and prints how they compare.

The two take turns, A B A B ..., in samples so short that what disturbs the machine hits few of them or both of a pair.
What counts is the ratio of the two halves of a pair: its median is the result and its quartiles tell how far to trust
it. A few bad pairs change neither.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import gc
import json
import mmap
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from vmem import __version__, memory_info

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SAMPLE_NANOSECONDS = 2_000_000

Unit = Literal["ns", "bytes"]
Measured = TypeVar("Measured")

# Runs the work so many times and returns the nanoseconds that one took.
Work = Callable[[int], float]
# Takes one sample: the same, for a number of times that is settled.
Sample = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One comparison, measured. What both sides took is a median, in nanoseconds or bytes."""

    work: str
    vmem: float
    yardstick: float
    ratio: float
    lower_quartile: float
    upper_quartile: float
    target: float | None
    pairs: int
    unit: Unit = "ns"

    @property
    def ok(self) -> bool | None:
        return None if self.target is None else self.ratio <= self.target


class Measurable(Protocol):
    """Rows to be."""

    @property
    def work(self) -> str: ...

    @property
    def pairs(self) -> int: ...

    def measure(self, num_pairs: int) -> list[Row]: ...


@dataclass(frozen=True)
class Comparison:
    """One row to be: what to sample, how often, and the ratio wanted; None where it is only for information."""

    work: str
    vmem: Sample
    yardstick: Sample
    target: float | None
    pairs: int

    def measure(self, num_pairs: int) -> list[Row]:
        return [summarize(self.work, take_pairs(self.vmem, self.yardstick, num_pairs), self.target)]


@functools.cache
def load_c(name: str) -> ctypes.CDLL:
    """Compile a C file of this folder and load it. Once it is loaded, its library file can go."""
    source = Path(__file__).with_name(name)
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "side.so")
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        return ctypes.CDLL(str(library), use_errno=True)


def settle_iterations(work: Work) -> int:
    """How many times `work` has to run to fill a sample."""
    iterations = 1
    while (nanoseconds := work(iterations) * iterations) < SAMPLE_NANOSECONDS:
        iterations = max(2 * iterations, int(iterations * SAMPLE_NANOSECONDS / max(nanoseconds, 1)))
    return iterations


def compare_works(work: str, vmem: Work, yardstick: Work, target: float | None, pairs: int = 401) -> Comparison:
    """The comparison of two works that each take a number of iterations: both get the same one."""
    iterations = settle_iterations(yardstick)
    return Comparison(work, lambda: vmem(iterations), lambda: yardstick(iterations), target, pairs)


def take_pairs(
    vmem: Callable[[], Measured], yardstick: Callable[[], Measured], num_pairs: int
) -> list[tuple[Measured, Measured]]:
    """Measure both sides in turn. The first pair warms memory and caches and does not count."""
    return [(vmem(), yardstick()) for _ in range(1 + num_pairs)][1:]


def summarize(work: str, pairs: Sequence[tuple[float, float]], target: float | None, unit: Unit = "ns") -> Row:
    lower, ratio, upper = statistics.quantiles((ours / theirs for ours, theirs in pairs), n=4)
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(work, ours, theirs, ratio, lower, upper, target, len(pairs), unit)


def measure_all(comparisons: Iterable[Measurable], quick: bool) -> list[Row]:
    """Run all comparisons. The garbage collector would strike one side at random, so it is off."""
    rows: list[Row] = []
    gc.disable()
    try:
        for comparison in comparisons:
            show_progress(comparison.work)
            rows += comparison.measure(max(comparison.pairs // 8, 5) if quick else comparison.pairs)
    finally:
        gc.enable()
        show_progress("")
    return rows


def warm_memory(num_bytes: int) -> None:
    """Touch as much memory and give it back, in a process of its own, so that it does not count in this one's peak.

    On a virtual machine the first touch of memory is several times slower than the next, and what lies free for a few
    seconds can count as new: the guest reports it to the host, which takes it. So this goes right before each sample
    that touches much.
    """
    child = os.fork()
    if child > 0:
        os.waitpid(child, 0)
        return
    try:
        memory = mmap.mmap(-1, num_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANON)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            memory.madvise(mmap.MADV_HUGEPAGE)
        memory[:: mmap.PAGESIZE] = bytes(len(range(0, num_bytes, mmap.PAGESIZE)))
    finally:
        os._exit(0)


def show_progress(text: str) -> None:
    """Replace the last line of a terminal; say nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def format_quantity(value: float, unit: Unit) -> str:
    """Three digits and a unit: ``1.23 us``, ``1.23 GiB``."""
    names, factor = (("ns", "us", "ms", "s"), 1000) if unit == "ns" else (("B", "KiB", "MiB", "GiB"), 1024)
    magnitude = 0
    while value >= 999.5 and magnitude < len(names) - 1:
        value, magnitude = value / factor, magnitude + 1
    num_decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{num_decimals}f} {names[magnitude]}"


def format_size(num_bytes: int) -> str:
    """A size in the text of a row: ``2 GiB``, ``512 MiB``, ``64 bytes``."""
    for name, size in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if num_bytes >= size:
            return f"{num_bytes / size:g} {name}"
    return f"{num_bytes} bytes"


def format_row(row: Row) -> list[str]:
    """The cells of one line of the table."""
    return [
        row.work,
        format_quantity(row.vmem, row.unit),
        format_quantity(row.yardstick, row.unit),
        f"{row.ratio:.2f}x",
        f"{row.lower_quartile:.2f}-{row.upper_quartile:.2f}",
        "" if row.target is None else f"<= {row.target:.2f}x",
        "" if row.ok is None else "yes" if row.ok else "NO",
    ]


def format_table(rows: Sequence[Row]) -> str:
    """All rows under a heading, as a table that Markdown understands too."""
    lines = [["work", "vmem", "yardstick", "ratio", "spread", "target", "ok?"], *map(format_row, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * (width - 1) + ":" for width in widths])
    lines[1][0] = "-" * widths[0]
    return "\n".join(f"| {' | '.join(map(align_cell, line, widths, range(len(line))))} |" for line in lines)


def align_cell(text: str, width: int, column: int) -> str:
    """Words to the left, which is the first column, and numbers to the right."""
    return text.ljust(width) if column == 0 else text.rjust(width)


def describe_machine() -> str:
    """What the numbers depend on most."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"vmem {__version__}, Python {platform.python_version()}, {system}"


def make_parser(description: str) -> argparse.ArgumentParser:
    """The command line that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON; times are in nanoseconds, sizes in bytes")
    parser.add_argument("--quick", action="store_true", help="take an eighth of the pairs, but at least five")
    return parser


def parse_with_size(parser: argparse.ArgumentParser, gib: float) -> tuple[argparse.Namespace, int]:
    """The options, and a size in bytes for work that takes much memory. It is rounded down to whole MiB."""
    parser.add_argument("--gib", type=float, default=gib, help="how much memory to fill, in GiB (%(default)g)")
    options = parser.parse_args()
    num_bytes = int(options.gib * GIB) // MIB * MIB
    available = memory_info().available
    if num_bytes < 16 * MIB:
        parser.error("--gib: at least 16 MiB, which is 0.015625, have to be filled")
    if 0 < available < 2 * num_bytes:  # some systems do not tell
        parser.error(f"twice as much memory as --gib must be free, but {available / GIB:.1f} GiB are")
    return options, num_bytes


def report(comparisons: Iterable[Measurable], options: argparse.Namespace) -> None:
    """Measure and print. A missed target is a result, not an error."""
    rows = measure_all(comparisons, options.quick)
    if options.json:
        facts = [asdict(row) | {"ok": row.ok} for row in rows]
        print(json.dumps({"machine": describe_machine(), "rows": facts}, indent=2))
    else:
        print(f"{describe_machine()}\n\n{format_table(rows)}")


def run(description: str, list_comparisons: Callable[[], Iterable[Measurable]]) -> None:
    """A benchmark without options of its own."""
    options = make_parser(description).parse_args()
    report(list_comparisons(), options)
