"""What vmem.h costs in C, compared with the system calls that it makes; and vmem_arena.h, with what one uses instead.

    python benchmarks/header.py

It needs the installed package, a POSIX system and a C compiler: ``$CC``, or else ``cc``. See README.md.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator

from side_by_side import Comparison, Work, compare_works, load_c, run

TARGET = 1.03


def find_work(name: str, is_yardstick: bool) -> Work:
    """A function of header.c, which times itself. Raises OSError if it fails."""

    def work(iterations: int) -> float:
        function = load_c("header.c")[name]
        function.restype = ctypes.c_double
        nanoseconds = float(function(ctypes.c_size_t(iterations), ctypes.c_int(is_yardstick)))
        if nanoseconds < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"{name}: {os.strerror(error)}")
        return nanoseconds

    return work


def compare(work: str, name: str, target: float | None) -> Comparison:
    return compare_works(
        work, find_work(name, is_yardstick=False), find_work(name, is_yardstick=True), target, needs="C"
    )


def list_comparisons() -> Iterator[Comparison]:
    yield compare("vmem_commit 64 KiB, vs mprotect", "time_commit", TARGET)
    yield compare("vmem_decommit 64 KiB, vs mmap", "time_decommit", TARGET)
    yield compare("vmem_protect 64 KiB, vs mprotect", "time_protect", TARGET)
    yield compare("vmem_arena_alloc 64 bytes, vs calloc and free", "time_arena_and_calloc", None)
    yield compare("vmem_arena_alloc 64 bytes, vs a bare pointer and memset", "time_arena_and_bump", None)
    yield compare("vmem_array_push of a double, vs realloc doubled", "time_push", None)
    if sys.platform == "linux":
        yield compare("vmem_query by PROCMAP_QUERY, vs by reading /proc/self/maps", "time_query", None)


if __name__ == "__main__":
    run("Compare vmem.h with the system calls that it makes, and vmem_arena.h with malloc.", list_comparisons)
