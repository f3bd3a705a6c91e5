"""The cost of a `vmem.Region`, compared with the system calls it makes and with Python's equivalents.

    python benchmarks/region.py

It needs the installed package, and for most rows a POSIX system and a C compiler: ``$CC``, or else ``cc``. See
README.md.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from time import perf_counter_ns

from side_by_side import (
    GIB,
    KIB,
    MIB,
    Comparison,
    Work,
    call_yardstick,
    compare_works,
    format_size,
    make_parser,
    parse_with_size,
    report,
    warm_memory,
)

import vmem

PAGE_SIZE = vmem.get_page_size()
FEW, MANY = 1_000, 30_000

# Prints the duration of one import, and of getting attributes. A module that was already loaded at startup would seem
# to cost nothing, so the site module, which loads some, is disabled.
TIME_IMPORT = """
import os, sys, time
path, module, *attributes = sys.argv[1:]
assert module not in sys.modules
sys.path.append(path)
start = time.perf_counter_ns()
imported = __import__(module)
for attribute in attributes:
    getattr(imported, attribute)
print(time.perf_counter_ns() - start)
"""

# --- reserving ---


def reserve_and_release(iterations: int) -> float:
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        region = vmem.reserve(GIB)
        region.release()
    return (perf_counter_ns() - start) / iterations


def reserve_and_release_in_c(iterations: int) -> float:
    return call_yardstick("reserve_and_release", iterations, ctypes.c_size_t(GIB))


def map_and_close(iterations: int) -> float:
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        memory = mmap.mmap(-1, GIB)
        memory.close()
    return (perf_counter_ns() - start) / iterations


def list_reserving() -> Iterator[Comparison]:
    yield compare_works("reserve + release 1 GiB, vs C", reserve_and_release, reserve_and_release_in_c, 1.25, needs="C")
    yield compare_works("reserve + release 1 GiB, vs mmap.mmap + close", reserve_and_release, map_and_close, 1.0)


# --- committing ---


def commit_touch_and_decommit(region: vmem.Region, offset: int, ones: bytes) -> Work:
    """Writes one byte to each page with one slice assignment, which is a loop in C and creates no view."""
    num_bytes = len(ones) * PAGE_SIZE
    pages = slice(offset, offset + num_bytes, PAGE_SIZE)

    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            region.commit(offset, num_bytes)
            region[pages] = ones
            region.decommit(offset, num_bytes)
        return (perf_counter_ns() - start) / iterations

    return work


def commit_touch_one_page_and_decommit(region: vmem.Region, offset: int, num_bytes: int) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            region.commit(offset, num_bytes)
            region[offset] = 1
            region.decommit(offset, num_bytes)
        return (perf_counter_ns() - start) / iterations

    return work


def commit_touch_and_decommit_in_c(address: int, num_bytes: int, ones: bytes) -> Work:
    sizes = ctypes.c_size_t(len(ones)), ctypes.c_size_t(PAGE_SIZE)
    arguments = ctypes.c_void_p(address), ctypes.c_size_t(num_bytes), ones, *sizes
    return lambda iterations: call_yardstick("commit_touch_and_decommit", iterations, *arguments)


def list_committing() -> Iterator[Comparison]:
    """Both sides use the same addresses and leave them unchanged, so that the kernel does the same work for both."""
    offset = 2 * MIB  # with reserved pages on both sides of it
    region = vmem.reserve(GIB, alignment=2 * MIB)
    for name, num_bytes in (("64 KiB", 64 * KIB), ("2 MiB", 2 * MIB)):
        ones = b"\1" * (num_bytes // PAGE_SIZE)
        yield compare_works(
            f"commit + touch + decommit {name}, vs C",
            commit_touch_and_decommit(region, offset, ones),
            commit_touch_and_decommit_in_c(region.address + offset, num_bytes, ones),
            1.10,
            needs="C",
        )
    yield compare_works(
        "commit + touch one page + decommit 64 KiB, vs C",
        commit_touch_one_page_and_decommit(region, offset, 64 * KIB),
        commit_touch_and_decommit_in_c(region.address + offset, 64 * KIB, b"\1"),
        1.10,
        needs="C",
    )


# --- prefaulting ---


def prefault(num_bytes: int) -> float:
    warm_memory(num_bytes)
    with vmem.reserve(num_bytes, alignment=max(vmem.get_huge_page_size(), 1), huge_pages=True) as region:
        start = perf_counter_ns()
        region.commit(prefault=True)
        return perf_counter_ns() - start


def touch_small_pages_in_c(num_bytes: int) -> float:
    warm_memory(num_bytes)
    return call_yardstick("touch_small_pages", 1, ctypes.c_size_t(num_bytes), ctypes.c_size_t(PAGE_SIZE))


def list_prefaulting(num_bytes: int) -> Iterator[Comparison]:
    yield Comparison(
        f"prefault {format_size(num_bytes)} with huge pages, vs touching its pages in C",
        functools.partial(prefault, num_bytes),
        functools.partial(touch_small_pages_in_c, num_bytes),
        1 / 3,
        pairs=15,
        needs="C",
    )


# --- views ---


def make_views(region: vmem.Region, num_bytes: int) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            region.view(0, num_bytes)
        return (perf_counter_ns() - start) / iterations

    return work


def make_slices(region: vmem.Region, num_bytes: int) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            region[0:num_bytes]
        return (perf_counter_ns() - start) / iterations

    return work


def make_memoryviews(array: bytearray) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            memoryview(array)
        return (perf_counter_ns() - start) / iterations

    return work


def list_viewing() -> Iterator[Comparison]:
    memoryviews = make_memoryviews(bytearray(64 * KIB))
    region = vmem.reserve(GIB)
    region.commit(0, 64 * KIB)
    views, slices = make_views(region, 64 * KIB), make_slices(region, 64 * KIB)
    yield compare_works("region.view(0, 65536), vs memoryview(array)", views, memoryviews, 1.3)
    yield compare_works("region[0:65536], vs memoryview(array)", slices, memoryviews, None)


# --- scattered commits ---


@functools.cache
def scatter(count: int) -> list[int]:
    """Returns the offsets of every second page, in random order, so that no two committed pages are adjacent."""
    offsets = [2 * PAGE_SIZE * i for i in range(count)]
    random.Random(count).shuffle(offsets)
    return offsets


def commit_scattered(count: int) -> float:
    offsets = scatter(count)
    with vmem.reserve(2 * count * PAGE_SIZE) as region:
        start = perf_counter_ns()
        for offset in offsets:
            region.commit(offset, PAGE_SIZE)
        return (perf_counter_ns() - start) / count


@functools.cache
def scatter_for_c(count: int) -> ctypes.Array[ctypes.c_size_t]:
    return (ctypes.c_size_t * count)(*scatter(count))


def commit_scattered_in_c(count: int) -> float:
    capacity = ctypes.c_size_t(2 * count * PAGE_SIZE)
    return call_yardstick("commit_at", count, scatter_for_c(count), capacity, ctypes.c_size_t(PAGE_SIZE))


def commit_few(work: Work) -> float:
    """Makes as many commits as a sample of MANY, to be disturbed as often, but in regions of FEW commits each."""
    times = MANY // FEW
    return sum(work(FEW) for _ in repeat(None, times)) / times


def list_scattering() -> Iterator[Comparison]:
    """In each of the first two rows, both columns are the same code: one commit among MANY, and one among FEW."""
    for name, work, target, needs in (
        ("", commit_scattered, 1.5, ""),
        (" (both in C)", commit_scattered_in_c, None, "C"),
    ):
        yield Comparison(
            f"one commit among {MANY:,}, vs among {FEW:,}{name}",
            functools.partial(work, MANY),
            functools.partial(commit_few, work),
            target,
            pairs=15,
            needs=needs,
        )
    for count, num_pairs in ((FEW, 201), (MANY, 15)):
        yield Comparison(
            f"one commit among {count:,}, vs C",
            functools.partial(commit_scattered, count),
            functools.partial(commit_scattered_in_c, count),
            None,
            num_pairs,
            needs="C",
        )


# --- importing ---


def time_import(module: str, *attributes: str) -> float:
    """Returns the nanoseconds of one import in a new interpreter that loads nothing of this environment at startup."""
    path = str(Path(vmem.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", TIME_IMPORT, path, module, *attributes]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def list_importing() -> Iterator[Comparison]:
    """The second row has what the first use of Protection imports: enum itself, and what the records need."""
    for name, attributes, target in (("import vmem", (), 1.5), ("import vmem; vmem.Protection", ("Protection",), None)):
        yield Comparison(
            f"{name}, vs import enum",
            functools.partial(time_import, "vmem", *attributes),
            functools.partial(time_import, "enum"),
            target,
            pairs=61,
        )


# --- all ---


def list_comparisons(num_bytes: int) -> Iterator[Comparison]:
    yield from list_reserving()
    yield from list_committing()
    yield from list_prefaulting(num_bytes)
    yield from list_viewing()
    yield from list_scattering()
    yield from list_importing()


if __name__ == "__main__":
    parser = make_parser("Measure the cost of a vmem.Region, compared with the system calls it makes.")
    options, num_bytes = parse_with_size(parser, gib=1)
    report(list_comparisons(num_bytes), options)
