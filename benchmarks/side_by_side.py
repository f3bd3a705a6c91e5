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

from vmem import __version__

SAMPLE_NANOSECONDS = 2_000_000

# Runs the work so many times and returns the nanoseconds that one took.
Work = Callable[[int], float]
# Takes one sample: the same, for a number of times that is settled.
Sample = Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """One row to be: what to sample, how often, and the ratio wanted; None where it is only for information."""

    work: str
    vmem: Sample
    yardstick: Sample
    target: float | None
    pairs: int


@dataclass(frozen=True)
class Row:
    """One comparison, measured. Times are medians in nanoseconds."""

    work: str
    vmem: float
    yardstick: float
    ratio: float
    lower_quartile: float
    upper_quartile: float
    target: float | None
    pairs: int

    @property
    def ok(self) -> bool | None:
        return None if self.target is None else self.ratio <= self.target


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


def measure(comparison: Comparison, num_pairs: int) -> Row:
    """Run a comparison. The first pair warms memory and caches and does not count."""
    pairs = [(comparison.vmem(), comparison.yardstick()) for _ in range(1 + num_pairs)][1:]
    lower, ratio, upper = statistics.quantiles((ours / theirs for ours, theirs in pairs), n=4)
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Row(comparison.work, ours, theirs, ratio, lower, upper, comparison.target, num_pairs)


def measure_all(comparisons: Iterable[Comparison], quick: bool) -> list[Row]:
    """Run all comparisons. The garbage collector would strike one side at random, so it is off."""
    rows: list[Row] = []
    gc.disable()
    try:
        for comparison in comparisons:
            show_progress(comparison.work)
            rows.append(measure(comparison, max(comparison.pairs // 8, 5) if quick else comparison.pairs))
    finally:
        gc.enable()
        show_progress("")
    return rows


def show_progress(text: str) -> None:
    """Replace the last line of a terminal; say nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def format_time(nanoseconds: float) -> str:
    """Three digits and a unit: ``1.23 us``."""
    value, unit = nanoseconds, "ns"
    for larger_unit in ("us", "ms", "s"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger_unit
    num_decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{num_decimals}f} {unit}"


def format_row(row: Row) -> list[str]:
    """The cells of one line of the table."""
    return [
        row.work,
        format_time(row.vmem),
        format_time(row.yardstick),
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


def run(description: str, list_comparisons: Callable[[], Iterable[Comparison]]) -> None:
    """The command line that all benchmarks have. A missed target is a result, not an error."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON; times are in nanoseconds")
    parser.add_argument("--quick", action="store_true", help="take an eighth of the pairs")
    options = parser.parse_args()
    rows = measure_all(list_comparisons(), options.quick)
    if options.json:
        facts = [asdict(row) | {"ok": row.ok} for row in rows]
        print(json.dumps({"machine": describe_machine(), "rows": facts}, indent=2))
    else:
        print(f"{describe_machine()}\n\n{format_table(rows)}")
