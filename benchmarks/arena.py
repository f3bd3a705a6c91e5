"""The cost of a `vmem.Arena`, compared with one bytearray per allocation.

    python benchmarks/arena.py

It needs the installed package. See README.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from time import perf_counter_ns

from side_by_side import GIB, KIB, Comparison, Work, compare_works, run

import vmem

NUM_KEPT = 1_000

# --- one at a time ---


def allocate(arena: vmem.Arena, num_bytes: int) -> Work:
    """Each view is deleted immediately; the arena is reset before the next sample."""

    def work(iterations: int) -> float:
        arena.reset()
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            arena.alloc(num_bytes)
        return (perf_counter_ns() - start) / iterations

    return work


def make_bytearrays(num_bytes: int) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            bytearray(num_bytes)
        return (perf_counter_ns() - start) / iterations

    return work


def list_allocating(arena: vmem.Arena) -> Iterator[Comparison]:
    allocations, arrays = allocate(arena, 64), make_bytearrays(64)
    yield compare_works("arena.alloc(64), vs bytearray(64)", allocations, arrays, 1.5)


# --- many with the same lifetime ---


def keep_allocations(arena: vmem.Arena, num_bytes: int) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            mark = arena.mark()
            kept = [arena.alloc(num_bytes) for _ in repeat(None, NUM_KEPT)]
            kept.clear()
            arena.rewind(mark)
        return (perf_counter_ns() - start) / iterations

    return work


def keep_bytearrays(num_bytes: int) -> Work:
    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            kept = [bytearray(num_bytes) for _ in repeat(None, NUM_KEPT)]
            kept.clear()
        return (perf_counter_ns() - start) / iterations

    return work


def keep_memoryviews(num_bytes: int) -> Work:
    """All of the same memory, to measure the cost of the objects alone."""
    array = bytearray(num_bytes)

    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            kept = [memoryview(array) for _ in repeat(None, NUM_KEPT)]
            kept.clear()
        return (perf_counter_ns() - start) / iterations

    return work


def list_keeping(arena: vmem.Arena) -> Iterator[Comparison]:
    for num_bytes, target in ((64, 1.35), (256, None), (KIB, 1.0), (4 * KIB, 1.0)):
        yield compare_works(
            f"{NUM_KEPT:,} kept arena.alloc({num_bytes}) + rewind, vs {NUM_KEPT:,} kept bytearray({num_bytes})",
            keep_allocations(arena, num_bytes),
            keep_bytearrays(num_bytes),
            target,
        )
    yield compare_works(
        f"{NUM_KEPT:,} kept memoryview(array), vs {NUM_KEPT:,} kept bytearray(64)",
        keep_memoryviews(64),
        keep_bytearrays(64),
        None,
    )


# --- all ---


def list_comparisons() -> Iterator[Comparison]:
    arena = vmem.Arena(GIB)
    yield from list_allocating(arena)
    yield from list_keeping(arena)


if __name__ == "__main__":
    run("Measure the cost of a vmem.Arena, compared with bytearrays.", list_comparisons)
