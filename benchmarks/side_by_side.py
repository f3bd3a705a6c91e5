"""Measures two ways to do the same work side by side and prints how they compare.

The two take turns, A B A B ..., in samples so short that what disturbs the machine hits few of them or both of a pair.
What counts is the ratio of the two halves of a pair: its median is the result and its quartiles tell how far to trust
it. A few bad pairs change neither.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

SAMPLE_NANOSECONDS = 2_000_000

# Runs the work so many times and returns the nanoseconds that one took.
Work = Callable[[int], float]
# Takes one sample: the same, for a number of times that is settled.
Sample = Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """One row to be: two samples, and the ratio that is wanted; None where the ratio is only for information."""

    work: str
    subject: Sample
    yardstick: Sample
    target: float | None
    repeats: int


@dataclass(frozen=True)
class Row:
    """One comparison, measured. Times are medians in nanoseconds."""

    work: str
    subject: float
    yardstick: float
    ratio: float
    lower_quartile: float
    upper_quartile: float
    target: float | None
    pairs: int

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "yes" if self.ratio <= self.target else "NO"


def settle_iterations(work: Work) -> int:
    """How many times `work` has to run to fill a sample."""
    iterations = 1
    while (nanoseconds := work(iterations) * iterations) < SAMPLE_NANOSECONDS:
        iterations = max(2 * iterations, int(iterations * SAMPLE_NANOSECONDS / max(nanoseconds, 1)))
    return iterations


def compare_works(work: str, subject: Work, yardstick: Work, target: float | None, repeats: int = 401) -> Comparison:
    """The comparison of two works that each take a number of iterations: both get the same one."""
    iterations = settle_iterations(yardstick)
    return Comparison(work, lambda: subject(iterations), lambda: yardstick(iterations), target, repeats)


def measure(comparison: Comparison, repeats: int) -> Row:
    """Run a comparison. The first pair warms memory and caches and is not counted."""
    comparison.subject(), comparison.yardstick()
    pairs = [(comparison.subject(), comparison.yardstick()) for _ in range(repeats)]
    ratios = [subject / yardstick for subject, yardstick in pairs]
    lower, middle, upper = statistics.quantiles(ratios, n=4)
    return Row(
        comparison.work,
        statistics.median(subject for subject, _ in pairs),
        statistics.median(yardstick for _, yardstick in pairs),
        middle,
        lower,
        upper,
        comparison.target,
        repeats,
    )


def measure_all(comparisons: Iterable[Comparison], quick: bool) -> list[Row]:
    """Run all comparisons. The garbage collector would strike one side at random, so it is off."""
    rows: list[Row] = []
    gc.disable()
    try:
        for comparison in comparisons:
            show_progress(comparison.work)
            rows.append(measure(comparison, max(comparison.repeats // 8, 3) if quick else comparison.repeats))
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
    for unit, size in (("ns", 1.0), ("us", 1e3), ("ms", 1e6)):
        if nanoseconds < 999.5 * size:
            break
    value = nanoseconds / size
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def format_row(row: Row) -> tuple[str, ...]:
    """The cells of one line of the table."""
    return (
        row.work,
        format_time(row.subject),
        format_time(row.yardstick),
        f"{row.ratio:.2f}x",
        f"{row.lower_quartile:.2f}-{row.upper_quartile:.2f}",
        "" if row.target is None else f"<= {row.target:.2f}x",
        row.verdict,
    )


def format_table(rows: Sequence[Row]) -> str:
    """All rows under a heading, in columns; the first is aligned to the left and the numbers to the right."""
    cells = [("work", "vmem", "yardstick", "ratio", "spread", "target", "ok?"), *map(format_row, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        " | ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=False))]
        ).rstrip()
        for line in cells
    )


def describe_machine() -> str:
    """What the numbers depend on most."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}"


def run(description: str, list_comparisons: Callable[[], Iterable[Comparison]]) -> None:
    """The command line that all benchmarks have. A missed target is a result, not an error."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON; times are in nanoseconds")
    parser.add_argument("--quick", action="store_true", help="take an eighth of the samples")
    options = parser.parse_args()
    rows = measure_all(list_comparisons(), options.quick)
    if options.json:
        print(json.dumps({"machine": describe_machine(), "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        print(f"{describe_machine()}\n\n{format_table(rows)}")
