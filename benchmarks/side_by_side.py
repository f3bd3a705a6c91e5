"""Measures two implementations of the same work side by side and prints a comparison.

`vmem._bench.measuring`, which `vmem bench` uses too, takes the samples.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import gc
import importlib.util
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from vmem import reserve
from vmem._bench.measuring import (
    GIB,
    KIB,
    MIB,
    Sample,
    Stopwatch,
    Unit,
    Work,
    count_bytes,
    describe_machine,
    format_quantity,
    format_size,
    run_child,
    settle_iterations,
    take_pairs,
    warm_memory,
)
from vmem._command import CommandError, complain, show_progress

__all__ = [  # what benchmarks import
    "GIB",
    "KIB",
    "MIB",
    "Comparison",
    "Measurable",
    "Row",
    "Work",
    "call_yardstick",
    "compare_works",
    "count_bytes",
    "format_size",
    "load_c",
    "make_parser",
    "measure_all",
    "parse_with_size",
    "print_rows",
    "report",
    "run",
    "run_program",
    "summarize",
    "take_pairs",
    "warm_memory",
]


@dataclass(frozen=True)
class Row:
    """The result of one comparison. `vmem` and `yardstick` are medians, in nanoseconds or bytes."""

    work: str
    vmem: float
    yardstick: float
    ratio: float
    lower_quartile: float
    upper_quartile: float
    target: float | None
    pairs: int
    unit: Unit = "ns"
    busy: bool = False  # whether other programs had the processor for a large part of the time

    @property
    def ok(self) -> bool | None:
        return None if self.target is None else self.ratio <= self.target


class Measurable(Protocol):
    """What produces one or more rows when it is measured."""

    @property
    def work(self) -> str: ...

    @property
    def target(self) -> float | None: ...

    @property
    def pairs(self) -> int: ...

    @property
    def needs(self) -> str: ...

    def measure(self, num_pairs: int) -> list[Row]: ...


@dataclass(frozen=True)
class Comparison:
    """One row to measure: the two samples, the number of pairs, and the target ratio or None.

    `needs` is ``"C"`` for a C compiler, ``"memfd"`` for one and Linux, ``"shared memory"`` for memory that
    processes can share, the name of a module, or empty.
    """

    work: str
    vmem: Sample
    yardstick: Sample
    target: float | None
    pairs: int
    needs: str = ""

    def measure(self, num_pairs: int) -> list[Row]:
        return [summarize(self.work, take_pairs(self.vmem, self.yardstick, num_pairs), self.target)]


@functools.cache
def load_c(name: str) -> ctypes.CDLL:
    """Compiles a C file of this folder and loads it. The library file is deleted after loading."""
    source = Path(__file__).with_name(name)
    compiler = os.environ.get("CC") or "cc"
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "side.so")
            command = [*shlex.split(compiler), "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
            environment = os.environ | {"TMPDIR": folder}  # so that files of a killed compiler are deleted too
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            return ctypes.CDLL(str(library), use_errno=True)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.splitlines()
        reason = next((line for line in lines if "error" in line), lines[0] if lines else error)
        raise CommandError(f"{compiler!r} cannot compile {name}: {reason}") from error
    except (OSError, ValueError) as error:
        raise CommandError(f"{compiler!r} cannot compile {name}: {error}") from error


def run_program(*command: str) -> str:
    """Runs a program of this folder and returns its output."""
    return run_child([str(Path(__file__).with_name(command[0])), *command[1:]])


@functools.cache
def find_lack(need: str) -> str:
    """Returns why something that a comparison needs is missing, and what to do; empty if nothing is missing."""
    if need in FINDERS:
        return FINDERS[need]()
    if not need or importlib.util.find_spec(need):
        return ""
    if need == "resource":
        return "this system does not report peak memory"
    return f"{need} is not installed (python -m pip install {need})"


def find_lack_of_c() -> str:
    if sys.platform == "win32":
        return "they compare with POSIX system calls"
    try:
        load_c("yardstick.c")
    except CommandError as error:
        return f"{error} (install a C compiler, or name one in CC)"
    return ""


def find_lack_of_memfd() -> str:
    return find_lack("C") if sys.platform == "linux" else "they compare with memfd_create(), which only Linux has"


def find_lack_of_sharing() -> str:
    try:
        with reserve(1, shared=True) as region:
            region.fileno()  # which Windows does not have
    except (NotImplementedError, OSError) as error:
        return str(error)
    return ""


# What finds the lack of something that is not a module.
FINDERS = {"C": find_lack_of_c, "memfd": find_lack_of_memfd, "shared memory": find_lack_of_sharing}


def leave_out_what_lacks(comparisons: Iterable[Measurable]) -> list[Measurable]:
    """Returns the comparisons that can be measured. Reports why the others are skipped."""
    found: list[Measurable] = []
    lacking: dict[str, list[str]] = {}
    for each in comparisons:
        lack = find_lack(each.needs)
        if lack:
            lacking.setdefault(lack, []).append(each.work)
        else:
            found.append(each)
    for lack, works in lacking.items():
        complain(f"left out, because {lack}: {'; '.join(works)}")
    return found


def call_yardstick(name: str, iterations: int, *arguments: object) -> float:
    """Calls a function of yardstick.c. Raises OSError if it fails."""
    function = load_c("yardstick.c")[name]
    function.restype = ctypes.c_double
    nanoseconds = float(function(ctypes.c_size_t(iterations), *arguments))
    if nanoseconds < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"yardstick {name}: {os.strerror(error)}")
    return nanoseconds


def compare_works(
    work: str, vmem: Work, yardstick: Work, target: float | None, pairs: int = 401, needs: str = ""
) -> Comparison:
    """Compares two functions that take a number of iterations; both get the same number."""
    iterations = functools.cache(functools.partial(settle_iterations, yardstick))
    return Comparison(work, lambda: vmem(iterations()), lambda: yardstick(iterations()), target, pairs, needs)


def summarize(work: str, pairs: Sequence[tuple[float, float]], target: float | None, unit: Unit = "ns") -> Row:
    lower, ratio, upper = statistics.quantiles((ours / theirs for ours, theirs in pairs), n=4)
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(work, ours, theirs, ratio, lower, upper, target, len(pairs), unit)


def measure(comparison: Measurable, num_pairs: int) -> list[Row]:
    """Measures a comparison, and finds whether the machine was busy meanwhile."""
    stopwatch = Stopwatch()
    rows = comparison.measure(num_pairs)
    is_busy = stopwatch.was_busy()
    return [replace(row, busy=is_busy) for row in rows]


def measure_all(comparisons: Iterable[Measurable], divisor: int) -> list[Row]:
    """Measures all comparisons, with a fraction of their pairs, but at least five.

    The garbage collector is disabled, because a collection would disturb one side at random.
    """
    rows: list[Row] = []
    measurable = leave_out_what_lacks(comparisons)
    gc.disable()
    try:
        for number, comparison in enumerate(measurable, 1):
            show_progress(f"{number} of {len(measurable)}: {comparison.work}")
            rows += measure(comparison, max(comparison.pairs // divisor, 5))
    finally:
        gc.enable()
        show_progress("")
    return rows


def format_verdict(row: Row) -> str:
    if row.ok is None:
        return ""
    return "yes" if row.ok else "busy" if row.busy else "NO"


def format_row(row: Row) -> list[str]:
    """Returns the cells of one line of the table."""
    return [
        row.work,
        format_quantity(row.vmem, row.unit),
        format_quantity(row.yardstick, row.unit),
        f"{row.ratio:.2f}x",
        f"{row.lower_quartile:.2f}-{row.upper_quartile:.2f}",
        "" if row.target is None else f"<= {row.target:.2f}x",
        format_verdict(row),
    ]


def format_table(rows: Sequence[Row], most_columns: int) -> str:
    """Returns a Markdown table of all rows. If it is too wide, each row takes two lines, the first of them its text."""
    lines = [["work", "vmem", "yardstick", "ratio", "spread", "target", "ok?"], *map(format_row, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sum(widths) + 3 * len(widths) + 1 > most_columns:
        return "\n".join(f"{line[0]}\n  {'  '.join(map(str.rjust, line[1:], widths[1:]))}" for line in lines)
    lines.insert(1, ["-" * (width - 1) + ":" for width in widths])
    lines[1][0] = "-" * widths[0]
    return "\n".join(f"| {' | '.join(map(align_cell, line, widths, range(len(line))))} |" for line in lines)


def describe_ratios(rows: Sequence[Row]) -> str:
    """Returns the notes under the table."""
    lines = ["Each ratio is a median over adjacent pairs, not the quotient of the columns."]
    if any(row.ok is False and row.busy for row in rows):
        lines.append("busy: the target was missed while other programs used the processor; run again when it is idle.")
    return "\n".join(lines)


def align_cell(text: str, width: int, column: int) -> str:
    """Aligns the text in the first column to the left, and the numbers in the others to the right."""
    return text.ljust(width) if column == 0 else text.rjust(width)


def make_parser(description: str) -> argparse.ArgumentParser:
    """Returns a parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON; times are in nanoseconds, sizes in bytes")
    parser.add_argument("--quick", action="store_true", help="take an eighth of the pairs, but at least five")
    return parser


def parse_with_size(parser: argparse.ArgumentParser, gib: float) -> tuple[argparse.Namespace, int]:
    """Adds --gib and returns the parsed options, and the size in bytes."""
    parser.add_argument("--gib", type=float, default=gib, help="how much memory to fill, in GiB (%(default)g)")
    options = parser.parse_args()
    try:
        return options, count_bytes(options.gib)
    except ValueError as error:
        return parser.error(str(error))


def report(comparisons: Iterable[Measurable], options: argparse.Namespace) -> None:
    """Measures and prints. A missed target is a result, not an error."""
    print_rows(measure_all(comparisons, divisor=8 if options.quick else 1), options.json)


def count_columns() -> int:
    """Returns the width of the terminal, or the largest int if the output is not a terminal."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_terminal else sys.maxsize


def print_rows(rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        facts = [asdict(row) | {"ok": row.ok} for row in rows]
        print(json.dumps({"machine": describe_machine(), "rows": facts}, indent=2))
    else:
        print(f"{describe_machine()}\n\n{format_table(rows, count_columns())}\n\n{describe_ratios(rows)}")


def run(description: str, list_comparisons: Callable[[], Iterable[Measurable]]) -> None:
    """Runs a benchmark that has no options of its own."""
    options = make_parser(description).parse_args()
    report(list_comparisons(), options)
