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
import importlib.util
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from vmem import __version__, memory_info
from vmem._command import CommandError, complain, show_progress
from vmem._report import format_bytes

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SAMPLE_NANOSECONDS = 2_000_000

# Touches memory. Pages that are shared would not be huge where others are.
TOUCH = """
import mmap, sys
num_bytes = int(sys.argv[1])
private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANON} if hasattr(mmap, "MAP_ANON") else {}
memory = mmap.mmap(-1, num_bytes, **private)
if hasattr(mmap, "MADV_HUGEPAGE"):
    memory.madvise(mmap.MADV_HUGEPAGE)
memory[:: mmap.PAGESIZE] = bytes(len(range(0, num_bytes, mmap.PAGESIZE)))
"""

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
    def target(self) -> float | None: ...

    @property
    def pairs(self) -> int: ...

    @property
    def needs(self) -> str: ...

    def measure(self, num_pairs: int) -> list[Row]: ...


@dataclass(frozen=True)
class Comparison:
    """One row to be: what to sample, how often, and the ratio wanted; None where it is only for information.

    It may need the C compiler, ``"C"``, or a module.
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
    """Compile a C file of this folder and load it. Once it is loaded, its library file can go."""
    source = Path(__file__).with_name(name)
    compiler = os.environ.get("CC") or "cc"
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "side.so")
            command = [*shlex.split(compiler), "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
            environment = os.environ | {"TMPDIR": folder}  # where what it leaves when it is killed goes too
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            return ctypes.CDLL(str(library), use_errno=True)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.splitlines()
        reason = next((line for line in lines if "error" in line), lines[0] if lines else error)
        raise CommandError(f"{compiler!r} cannot compile {name}: {reason}") from error
    except (OSError, ValueError) as error:
        raise CommandError(f"{compiler!r} cannot compile {name}: {error}") from error


def run_child(*command: str) -> str:
    """Run a program of this folder and return what it prints. What this process imports, the child does too.

    When this process is interrupted, so is the child, which may have children and folders of its own.
    """
    program = [sys.executable, str(Path(__file__).with_name(command[0])), *command[1:]]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            output, errors = child.communicate()
        except BaseException:
            child.terminate()
            child.wait()
            raise
    if child.returncode:
        last_line = (errors.splitlines() or ["it does not say why"])[-1]
        raise CommandError(f"{shlex.join(command)} ended with {child.returncode}: {last_line}")
    return output


@functools.cache
def find_lack(need: str) -> str:
    """Why there is not what a comparison needs, and what to do; nothing when there is."""
    if need == "C":
        return find_lack_of_c()
    if not need or importlib.util.find_spec(need):
        return ""
    if need == "resource":
        return "this system does not tell how much memory a process had at most"
    return f"{need} is not installed (python -m pip install {need})"


def find_lack_of_c() -> str:
    if sys.platform == "win32":
        return "what they are compared with are system calls of POSIX"
    try:
        load_c("yardstick.c")
    except CommandError as error:
        return f"{error} (install a C compiler, or name one in CC)"
    return ""


def leave_out_what_lacks(comparisons: Iterable[Measurable]) -> list[Measurable]:
    """The comparisons for which all is there. Says for the others what is not."""
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


def settle_iterations(work: Work) -> int:
    """How many times `work` has to run to fill a sample."""
    iterations = 1
    while (nanoseconds := work(iterations) * iterations) < SAMPLE_NANOSECONDS:
        iterations = max(2 * iterations, int(iterations * SAMPLE_NANOSECONDS / max(nanoseconds, 1)))
    return iterations


def compare_works(
    work: str, vmem: Work, yardstick: Work, target: float | None, pairs: int = 401, needs: str = ""
) -> Comparison:
    """The comparison of two works that each take a number of iterations: both get the same one."""
    iterations = functools.cache(functools.partial(settle_iterations, yardstick))
    return Comparison(work, lambda: vmem(iterations()), lambda: yardstick(iterations()), target, pairs, needs)


def take_pairs(
    vmem: Callable[[], Measured], yardstick: Callable[[], Measured], num_pairs: int
) -> list[tuple[Measured, Measured]]:
    """Measure both sides in turn. The first pair warms memory and caches and does not count."""
    return [(vmem(), yardstick()) for _ in range(1 + num_pairs)][1:]


def summarize(work: str, pairs: Sequence[tuple[float, float]], target: float | None, unit: Unit = "ns") -> Row:
    lower, ratio, upper = statistics.quantiles((ours / theirs for ours, theirs in pairs), n=4)
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(work, ours, theirs, ratio, lower, upper, target, len(pairs), unit)


def measure_all(comparisons: Iterable[Measurable], divisor: int) -> list[Row]:
    """Run all comparisons, with a fraction of their pairs, but at least five.

    The garbage collector would strike one side at random, so it is off.
    """
    rows: list[Row] = []
    measurable = leave_out_what_lacks(comparisons)
    gc.disable()
    try:
        for number, comparison in enumerate(measurable, 1):
            show_progress(f"{number} of {len(measurable)}: {comparison.work}")
            rows += comparison.measure(max(comparison.pairs // divisor, 5))
    finally:
        gc.enable()
        show_progress("")
    return rows


def warm_memory(num_bytes: int) -> None:
    """Touch twice as much memory and give it back, in a process of its own: it does not count in this one's peak.

    On a virtual machine the first touch of memory is several times slower than the next, and what lies free for a few
    seconds can count as new: the guest reports it to the host, which takes it. So this goes right before each sample
    that touches much. Twice, for what is given back is not all that is taken next, and ways that move take as much.
    """
    command = [sys.executable, "-I", "-S", "-c", TOUCH, str(2 * num_bytes)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


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


def format_table(rows: Sequence[Row], most_columns: int) -> str:
    """All rows under a heading, as a table that Markdown understands too. What that is for is above, if it must."""
    lines = [["work", "vmem", "yardstick", "ratio", "spread", "target", "ok?"], *map(format_row, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sum(widths) + 3 * len(widths) + 1 > most_columns:
        return "\n".join(f"{line[0]}\n  {'  '.join(map(str.rjust, line[1:], widths[1:]))}" for line in lines)
    lines.insert(1, ["-" * (width - 1) + ":" for width in widths])
    lines[1][0] = "-" * widths[0]
    return "\n".join(f"| {' | '.join(map(align_cell, line, widths, range(len(line))))} |" for line in lines)


def describe_ratios(rows: Sequence[Row]) -> str:
    """What stands under the table, for who divides one column by the other, or measures while the machine is busy."""
    lines = ["Each ratio is a median over adjacent pairs, not the quotient of the columns."]
    if any(row.ok is False for row in rows):
        lines.append("A NO on a busy machine says little: run again when it is idle.")
    return "\n".join(lines)


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
    """The options, and a size in bytes for work that takes much memory."""
    parser.add_argument("--gib", type=float, default=gib, help="how much memory to fill, in GiB (%(default)g)")
    options = parser.parse_args()
    try:
        return options, count_bytes(options.gib)
    except ValueError as error:
        return parser.error(str(error))


def count_bytes(gib: float) -> int:
    """A size in whole MiB. ValueError when so much cannot be filled."""
    if not 16 * MIB <= gib * GIB < sys.maxsize // 2:
        raise ValueError(f"--gib: at least 16 MiB, which is 0.015625, have to be filled, and not {gib} GiB")
    num_bytes = int(gib * GIB) // MIB * MIB
    available = memory_info().available
    if 0 < available < 2 * num_bytes:  # some systems do not tell
        needed = format_bytes(2 * num_bytes)
        raise ValueError(f"--gib: twice as much, {needed}, must be free, but {format_bytes(available)} are")
    return num_bytes


def report(comparisons: Iterable[Measurable], options: argparse.Namespace) -> None:
    """Measure and print. A missed target is a result, not an error."""
    print_rows(measure_all(comparisons, divisor=8 if options.quick else 1), options.json)


def count_columns() -> int:
    """How many characters fit into a line: of a terminal, for files have room."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_terminal else sys.maxsize


def print_rows(rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        facts = [asdict(row) | {"ok": row.ok} for row in rows]
        print(json.dumps({"machine": describe_machine(), "rows": facts}, indent=2))
    else:
        print(f"{describe_machine()}\n\n{format_table(rows, count_columns())}\n\n{describe_ratios(rows)}")


def run(description: str, list_comparisons: Callable[[], Iterable[Measurable]]) -> None:
    """A benchmark without options of its own."""
    options = make_parser(description).parse_args()
    report(list_comparisons(), options)
