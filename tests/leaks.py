"""Looks for leaks: makes every call again and again, those that work and those that fail.

python tests/leaks.py --cycles 1000000
"""

from __future__ import annotations

import argparse
import copy
import gc
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import vmem
from vmem import Protection, _vmem

PAGE = vmem.get_page_size()
LONG = 8 << 20  # long enough for a call that lets other threads run

Call = Callable[[], object]


def refused(call: Call, error: type[BaseException]) -> Call:
    """A call that must fail."""

    def attempt() -> None:
        try:
            call()
        except error:
            return
        raise AssertionError(f"no {error.__name__}")

    return attempt


def in_turn(*calls: Call) -> Call:
    """Several calls as one."""

    def run() -> None:
        for call in calls:
            call()

    return run


class Bad:
    """An argument whose conversion fails."""

    def __index__(self) -> int:
        raise KeyError

    def __bool__(self) -> bool:
        raise KeyError


def reserve_and_release(**options: object) -> None:
    vmem.reserve(PAGE, **options).release()  # type: ignore[arg-type]


def leave_with_an_exception(view_too: bool) -> None:
    try:
        with vmem.reserve(PAGE) as region:
            region.commit()
            view = region[:] if view_too else None
            raise KeyError
    except KeyError:
        del view


class Held(vmem.Region):
    """A region that can be part of a cycle."""

    held: object = None


def make_cycle() -> None:
    region = Held(PAGE)
    region.commit()
    region.held = [region, region[0:1]]
    del region
    gc.collect()


def good_calls(region: vmem.Region) -> dict[str, Call]:
    """On a region whose first four pages are committed."""
    view = region[0:PAGE]
    data = bytes(range(100))
    return {
        "reserve": reserve_and_release,
        "reserve aligned": lambda: reserve_and_release(alignment=1 << 21),
        "reserve with a name": lambda: reserve_and_release(name="leak" + str(len(data))),
        "make with the class": lambda: vmem.Region(PAGE, name="x"),
        "drop": lambda: vmem.reserve(PAGE).commit(),
        "drop the region before its view": lambda: commit_and_view(vmem.reserve(PAGE)),
        "with": lambda: vmem.reserve(PAGE).__enter__().__exit__(None, None, None),
        "with and an exception": lambda: leave_with_an_exception(False),
        "with, an exception and a view": lambda: leave_with_an_exception(True),
        "commit and decommit": in_turn(lambda: region.commit(8 * PAGE, PAGE), lambda: region.decommit(8 * PAGE, PAGE)),
        "commit in pieces": in_turn(
            lambda: region.commit(9 * PAGE, PAGE),
            lambda: region.commit(11 * PAGE, PAGE),
            lambda: region.commit(13 * PAGE, PAGE),
            lambda: region.commit(8 * PAGE, 8 * PAGE),
            lambda: region.decommit(8 * PAGE, 8 * PAGE),
        ),
        "commit and prefault": in_turn(
            lambda: region.commit(8 * PAGE, PAGE, prefault=True),
            lambda: region.decommit(8 * PAGE, PAGE),
        ),
        "long commit and decommit": in_turn(lambda: region.commit(LONG, LONG), lambda: region.decommit(LONG, LONG)),
        "discard": lambda: region.discard(2 * PAGE, PAGE),
        "prefault": lambda: region.prefault(0, PAGE),
        "protect": in_turn(lambda: region.protect(Protection.READ, PAGE, PAGE), lambda: region.protect(2, PAGE, PAGE)),
        "protect as executable": in_turn(lambda: region.protect(4, PAGE, PAGE), lambda: region.protect(2, PAGE, PAGE)),
        "lock": in_turn(lambda: region.lock(0, PAGE), lambda: region.unlock(0, PAGE)),
        "resident": lambda: region.resident(0, 2 * PAGE),
        "long resident": lambda: region.resident(0, LONG),
        "view": lambda: region.view(0, 2 * PAGE, readonly=True),
        "empty view": lambda: region.view(5, 0),
        "view of a view": lambda: memoryview(region[0:8].obj)[::2].tolist(),
        "is_committed": lambda: region.is_committed(0, 2 * PAGE),
        "ranges": region.ranges,
        "item": lambda: region[5],
        "set item": lambda: region.__setitem__(5, 200),
        "slice": lambda: region[5:50],
        "slice with a step": lambda: region[50:5:-3],
        "set slice": lambda: region.__setitem__(slice(0, 100), data),
        "set slice with a step": lambda: region.__setitem__(slice(0, 200, 2), data),
        "set slice from itself": lambda: region.__setitem__(slice(1, 1 + PAGE), view),
        "set slice from scattered bytes": lambda: region.__setitem__(slice(0, 50), memoryview(data)[::2]),
        "attributes": lambda: [getattr(region, name) for name in ("address", "size", "committed", "name", "released")],
        "repr and len": lambda: (repr(region), len(region), hash(region), region == region),
        "align": lambda: (
            vmem.align_forward(5, 8),
            vmem.align_backward(1 << 63, 16),
            vmem.is_aligned(address=5, align=8),
        ),
    }


def commit_and_view(region: vmem.Region) -> memoryview:
    region.commit()
    return region[:]


def failing_calls(region: vmem.Region, released: vmem.Region) -> dict[str, tuple[Call, type[BaseException]]]:
    view = region[0:PAGE]
    bad: int = Bad()  # type: ignore[assignment]
    text: int = "text"  # type: ignore[assignment]
    calls: dict[str, tuple[Call, type[BaseException]]] = {
        "reserve nothing": (lambda: vmem.reserve(0), ValueError),
        "reserve text": (lambda: vmem.reserve(text), TypeError),
        "reserve with a bad name": (lambda: vmem.reserve(1, name=5), TypeError),  # type: ignore[arg-type]
        "reserve with an unpaired surrogate": (lambda: vmem.reserve(1 << 62, name="\udc80"), vmem.OutOfMemoryError),
        "reserve with a bad bool": (lambda: vmem.reserve(1, huge_pages=bad), KeyError),  # type: ignore[arg-type]
        "reserve with a bad alignment": (lambda: vmem.reserve(1, alignment=3), ValueError),
        "make with too few arguments": (lambda: _vmem.Region(1), TypeError),  # type: ignore[call-arg]
        "make without a type": (lambda: _vmem.reserve(int, 1, None, False, None), TypeError),  # type: ignore[type-var]
        "protect with nonsense": (lambda: region.protect(99), ValueError),
        "protect a viewed page": (lambda: region.protect(0, 0, PAGE), BufferError),
        "decommit a viewed page": (lambda: region.decommit(0, PAGE), BufferError),
        "discard a viewed page": (lambda: region.discard(0, PAGE), BufferError),
        "release with views": (region.release, BufferError),
        "view with too much": (lambda: region.view(0, 1, False, 5), TypeError),  # type: ignore[call-arg]
        "view with a wrong keyword": (lambda: region.view(nothing=1), TypeError),  # type: ignore[call-arg]
        "view with a bad bool": (lambda: region.view(0, 1, readonly=bad), KeyError),  # type: ignore[arg-type]
        "item beyond": (lambda: region[region.size], IndexError),
        "item far beyond": (lambda: region[1 << 70], IndexError),
        "uncommitted item": (lambda: region[8 * PAGE], ValueError),
        "uncommitted slice": (lambda: region[8 * PAGE :], ValueError),
        "set an item to too much": (lambda: region.__setitem__(0, 256), ValueError),
        "set an item to text": (lambda: region.__setitem__(0, text), TypeError),
        "set a slice to text": (lambda: region.__setitem__(slice(0, 4), "text"), TypeError),  # type: ignore[call-overload]
        "set a slice to too much": (lambda: region.__setitem__(slice(0, 4), b"12345"), ValueError),
        "set steps to too much": (lambda: region.__setitem__(slice(0, 8, 2), b"12345"), ValueError),
        "slice with a bad end": (lambda: region[0:bad], KeyError),
        "delete an item": (lambda: region.__delitem__(0), TypeError),  # type: ignore[attr-defined]
        "item beyond the end of a view": (lambda: view[PAGE], IndexError),
        "iterate": (lambda: iter(region), TypeError),
        "copy": (lambda: copy.copy(region), TypeError),
        "align to nothing": (lambda: vmem.align_forward(1, 0), ValueError),
        "align too high": (lambda: vmem.align_forward((1 << 64) - 1, 8), ValueError),
        "align with one argument": (lambda: vmem.align_backward(1), TypeError),  # type: ignore[call-arg]
    }
    verbs = ["commit", "decommit", "discard", "prefault", "lock", "unlock", "resident", "view", "is_committed"]
    for verb in verbs:
        call = getattr(region, verb)
        gone = getattr(released, verb)
        calls |= {
            f"{verb} with text": (partial(call, text), TypeError),
            f"{verb} with a negative offset": (partial(call, -1), ValueError),
            f"{verb} with a huge size": (partial(call, 0, 1 << 64), ValueError),
            f"{verb} with a bad index": (partial(call, 0, bad), KeyError),
            f"{verb} beyond the end": (partial(call, region.size, 1), ValueError),
            f"{verb} when released": (partial(gone, 0, 1), ValueError),
        }
    for verb in ("discard", "prefault", "lock", "unlock", "view"):
        call = getattr(region, verb)
        calls[f"{verb} what is not committed"] = (partial(call, 8 * PAGE, LONG), ValueError)
    return calls


def slow_calls(region: vmem.Region) -> dict[str, Call]:
    """Those that take so long that a hundredth must do."""
    return {
        "reserve too much": refused(lambda: vmem.reserve(1 << 62), vmem.OutOfMemoryError),
        "commit too much": refused(lambda: region.commit(LONG, (1 << 46) - 2 * LONG), vmem.OutOfMemoryError),
        "commit and prefault too much": refused(
            lambda: region.commit(LONG, (1 << 46) - 2 * LONG, prefault=True), vmem.OutOfMemoryError
        ),
        "collect a cycle": make_cycle,
        "memory_info": vmem.memory_info,
        "get_limits": _vmem.get_limits,
        "long prefault": in_turn(
            lambda: region.commit(LONG, LONG, prefault=True),
            lambda: region.prefault(LONG, LONG),
            lambda: region.discard(LONG, LONG),
            lambda: region.decommit(LONG, LONG),
        ),
    }


def open_regions() -> tuple[vmem.Region, vmem.Region]:
    region = vmem.reserve(1 << 46)
    region.commit(0, 4 * PAGE)
    region.discard(0, 4 * PAGE)
    released = vmem.reserve(PAGE)
    released.release()
    return region, released


def all_calls() -> dict[str, tuple[Call, int]]:
    """Every call, and by what its cycles are divided."""
    region, released = open_regions()
    calls = {name: (call, 1) for name, call in good_calls(region).items()}
    calls |= {name: (refused(call, error), 1) for name, (call, error) in failing_calls(region, released).items()}
    return calls | {name: (call, 100) for name, call in slow_calls(region).items()}


def count_references() -> int:
    if hasattr(sys, "gettotalrefcount"):  # a debug build
        return int(sys.gettotalrefcount())
    view_type = type(commit_and_view(vmem.reserve(PAGE)).obj)
    shared = (vmem.Region, _vmem.Region, vmem.OutOfMemoryError, Protection, Protection.READ, view_type, vmem.reserve)
    return sum(map(sys.getrefcount, shared))


def count_mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def count_resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# What is counted, and by how much it may differ without being a leak of one in a hundred cycles.
COUNTS: dict[str, tuple[Callable[[], int], int]] = {
    "blocks of memory": (sys.getallocatedblocks, 50),
    "tracked objects": (lambda: len(gc.get_objects()), 20),
    "references": (count_references, 50),
    "mappings": (count_mappings, 8),
    "open files": (lambda: len(list(Path("/proc/self/fd").iterdir())), 0),
    "resident bytes": (count_resident, 1 << 20),
}


def count() -> dict[str, int]:
    gc.collect()
    return {name: function() for name, (function, _) in COUNTS.items()}


def find_growth(call: Call, cycles: int) -> dict[str, int]:
    """What a number of calls left behind."""
    for _ in range(cycles // 10 + 10):
        call()
    count()
    before = count()
    for _ in range(cycles):
        call()
    after = count()
    return {name: after[name] - before[name] for name in COUNTS if after[name] - before[name] > COUNTS[name][1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=10_000, help="how often each call is made (default: %(default)s)")
    cycles = parser.parse_args().cycles
    leaks = 0
    calls = all_calls()
    start = time.monotonic()
    for name, (call, divisor) in calls.items():
        growth = find_growth(call, max(cycles // divisor, 100))
        if growth:
            leaks += 1
            print(f"{name}: {growth}", flush=True)
    print(f"{len(calls)} calls, {cycles} cycles each, {time.monotonic() - start:.0f} s: {leaks} leaks")
    sys.exit(leaks > 0)


if __name__ == "__main__":
    main()
