"""Measures two implementations of the same work side by side.

The two take turns, A B A B ..., in samples so short that a disturbance affects few of them, or both of a pair. Each
pair gives a ratio: the median of the ratios is the result, their quartiles show its precision. A few disturbed pairs
change neither.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Literal, TypeVar

from vmem._about import __version__
from vmem._command import CommandError
from vmem._format import format_bytes
from vmem._memory import memory_info

Unit = Literal["ns", "bytes"]
Measured = TypeVar("Measured")

# Repeats the work the given number of times and returns the nanoseconds per iteration.
Work = Callable[[int], float]
# Takes one sample: the same, with a fixed number of iterations.
Sample = Callable[[], float]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SAMPLE_NANOSECONDS = 2_000_000

# Samples that waited for the processor so large a part of their time, in seconds beyond the resolution of the clock of
# processes, say little about the work.
BUSY_SHARE = 0.1
CLOCK_RESOLUTION = 0.05

# Touches memory. It is private, because shared memory would not use huge pages where private memory does.
TOUCH = """
import mmap, sys
num_bytes = int(sys.argv[1])
private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANON} if hasattr(mmap, "MAP_ANON") else {}
memory = mmap.mmap(-1, num_bytes, **private)
if hasattr(mmap, "MADV_HUGEPAGE"):
    memory.madvise(mmap.MADV_HUGEPAGE)
memory[:: mmap.PAGESIZE] = bytes(len(range(0, num_bytes, mmap.PAGESIZE)))
"""

# --- samples ---


def settle_iterations(work: Work) -> int:
    """Returns how many iterations of `work` take one sample's time."""
    iterations = 1
    while (nanoseconds := work(iterations) * iterations) < SAMPLE_NANOSECONDS:
        iterations = max(2 * iterations, int(iterations * SAMPLE_NANOSECONDS / max(nanoseconds, 1)))
    return iterations


def take_pairs(
    vmem: Callable[[], Measured], yardstick: Callable[[], Measured], num_pairs: int
) -> list[tuple[Measured, Measured]]:
    """Measures both sides in turn. The first pair warms memory and caches and is dropped."""
    return [(vmem(), yardstick()) for _ in range(1 + num_pairs)][1:]


class Stopwatch:
    """Tells whether other programs had the processor for a large part of the time. Windows does not count children."""

    def __init__(self) -> None:
        self.start, self.start_of_work = perf_counter(), count_processor_seconds()

    def was_busy(self) -> bool:
        elapsed, worked = perf_counter() - self.start, count_processor_seconds() - self.start_of_work
        return sys.platform != "win32" and elapsed - worked > BUSY_SHARE * elapsed + CLOCK_RESOLUTION


def count_processor_seconds() -> float:
    """Returns the processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


# --- memory ---


def warm_memory(num_bytes: int) -> None:
    """Touches twice as much memory in a process of its own, so that it does not count in this one's peak.

    On a virtual machine the first touch of memory is several times slower than the next, and memory that was free for a
    few seconds can count as new: the guest reports it to the host, which reclaims it. So call this immediately before
    each sample that touches much. Twice as much, because the kernel does not reuse all of it, and methods that move
    their data need twice as much.
    """
    command = [sys.executable, "-I", "-S", "-c", TOUCH, str(2 * num_bytes)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def count_bytes(gib: float) -> int:
    """Returns the size in bytes, in whole MiB. Raises ValueError if so much cannot be filled."""
    if not 16 * MIB <= gib * GIB < sys.maxsize // 2:
        raise ValueError(f"--gib: at least 16 MiB, which is 0.015625, have to be filled, and not {gib} GiB")
    num_bytes = int(gib * GIB) // MIB * MIB
    available = memory_info().available
    if 0 < available < 2 * num_bytes:  # 0 if unknown
        needed = format_bytes(2 * num_bytes)
        raise ValueError(f"--gib: twice as much, {needed}, must be free, but {format_bytes(available)} are")
    return num_bytes


def choose_size(gib: float | None, wanted: int, least: int = 16 * MIB) -> int:
    """Returns how much to fill: the given size, or by default `wanted`, or less where memory is short.

    Raises ValueError if the given size is not possible.
    """
    if gib is not None:
        return count_bytes(gib)
    available = memory_info().available or 4 * wanted  # 0 if unknown
    if available < 4 * least:
        raise CommandError(f"{format_bytes(4 * least)} of memory must be free, but {format_bytes(available)} are")
    return min(wanted, available // 4 // MIB * MIB)


# --- children ---


def run_child(arguments: list[str]) -> str:
    """Runs Python with the same import path and returns its output.

    If this process is interrupted, it terminates the child, which then ends its own children and deletes its files.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            output, errors = child.communicate()
        except BaseException:
            child.terminate()
            child.wait()
            raise
    if child.returncode:
        last_line = (errors.splitlines() or ["no error message"])[-1]
        raise CommandError(f"{' '.join(arguments)} ended with {child.returncode}: {last_line}")
    return output


# --- words ---


def format_quantity(value: float, unit: Unit) -> str:
    """Formats a value with three digits and a unit: ``1.23 us``, ``1.23 GiB``."""
    names, factor = (("ns", "us", "ms", "s"), 1000) if unit == "ns" else (("B", "KiB", "MiB", "GiB"), 1024)
    magnitude = 0
    while value >= 999.5 and magnitude < len(names) - 1:
        value, magnitude = value / factor, magnitude + 1
    num_decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{num_decimals}f} {names[magnitude]}"


def format_size(num_bytes: int) -> str:
    """Formats a size for the text of a row: ``2 GiB``, ``512 MiB``, ``64 bytes``."""
    for name, size in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if num_bytes >= size:
            return f"{num_bytes / size:g} {name}"
    return f"{num_bytes} bytes"


def describe_machine() -> str:
    """Returns the versions and the machine that were measured."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"vmem {__version__}, Python {platform.python_version()}, {system}"
