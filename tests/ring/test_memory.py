"""The memory of rings: mappings, page faults, locks, limits, and nothing left behind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python
from tests.support.system import lockable_bytes, read_lines, status_bytes

if sys.platform != "win32":
    import resource

GRANULARITY = vmem.get_allocation_granularity()


def list_mappings() -> list[str]:
    return [line for line in read_lines("/proc/self/maps") if "vmem-ring" in line]


@linux_only
@pytest.mark.parametrize("options", [{}, {"shared": True}, {"overwrite": False}, {"prefault": True}, {"lock": True}])
def test_two_mappings_and_no_more(options: dict[str, Any]) -> None:
    gc.collect()
    before = len(list_mappings())
    ring = vmem.Ring("f", 3 * GRANULARITY, **options)
    first, second = (line.split() for line in list_mappings()[before:])
    assert (first[1], second[1]) == ("rw-s", "rw-s")
    assert int(first[2], 16) == 0
    assert int(second[2], 16) == GRANULARITY, "the second begins where the items do"
    assert first[0].split("-")[1] == second[0].split("-")[0]
    ring.extend(np.zeros(ring.free if options.get("overwrite") is False else 5 * GRANULARITY, "f"))
    ring.consume(10)
    ring.prepare(10)
    ring.latest(10)
    if options.get("shared"):
        reader = vmem.attach(ring.fileno())
        assert len(list_mappings()) == before + 4
        del reader
    assert len(list_mappings()) == before + 2
    del ring
    assert len(list_mappings()) == before


def count_faults(action: Callable[[], object]) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF)
    action()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt


@linux_only
@pytest.mark.exact_memory
def test_no_page_fault_in_a_million_writes() -> None:
    size = lockable_bytes(1 << 20)
    ring = vmem.Ring("f", size // 4 - GRANULARITY, prefault=True, lock=True)
    block = np.ones(64, "f")

    def write() -> None:
        append, extend, latest = ring.append, ring.extend, ring.latest
        for _ in range(500_000):
            append(1.5)
        for _ in range(250_000):
            extend(block)
        for _ in range(250_000):
            latest(1)
        sum(map(sum, (memoryview(ring)[::1000] for _ in range(10))))

    write()  # the interpreter's own memory
    assert count_faults(write) < 10, "some are the interpreter's; the ring has many more pages"
    assert ring.total == 2 * (500_000 + 64 * 250_000)


@linux_only
@pytest.mark.exact_memory
def test_pages_that_were_not_prefaulted_cause_faults() -> None:
    """Or else the test above would show nothing. Each mapping has its own."""
    num_pages = 2000
    ring = vmem.Ring("B", num_pages * vmem.get_page_size())
    items = b"x" * (ring.capacity // 2)
    assert count_faults(lambda: ring.extend(items)) >= num_pages / 40  # one fault can map several pages
    ring.extend(items)
    ring.extend(items)  # the window now has the first half of the second mapping, which nothing has touched
    assert count_faults(lambda: np.asarray(ring).sum()) >= num_pages / 40


@linux_only
@pytest.mark.exact_memory
def test_locks() -> None:
    before = status_bytes("VmLck")
    ring = vmem.Ring("B", 3 * GRANULARITY, lock=True)
    assert status_bytes("VmLck") == before + 4 * GRANULARITY, "the head, and the items once"
    assert ring.map().locked == 4 * GRANULARITY
    del ring
    assert status_bytes("VmLck") == before


@linux_only
@pytest.mark.exact_memory
def test_more_than_may_be_locked() -> None:
    run_python("""
        import os, resource, vmem
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 16, 1 << 16))
        if os.geteuid() == 0:
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.prctl(24, 14, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_IPC_LOCK
            os.setresuid(65534, 65534, 65534)
        def count():
            return sum("vmem-ring" in line for line in open("/proc/self/maps")), len(os.listdir("/proc/self/fd"))
        before = count()
        try:
            vmem.Ring("B", 1 << 20, lock=True)
        except vmem.OutOfMemoryError as error:
            assert "cannot lock" in str(error) and "of a ring" in str(error), error
        else:
            raise AssertionError
        assert count() == before
        """)


@linux_only
@pytest.mark.exact_memory
def test_limits() -> None:
    """Every limit is an exception that names it, and leaves nothing behind."""
    run_python("""
        import os, resource, signal, vmem

        def count():
            return sum("vmem-ring" in line for line in open("/proc/self/maps")), len(os.listdir("/proc/self/fd"))

        def refused(limit, value, error, words, size=64 << 20):
            vmem.Ring("B", 1)
            before, old = count(), resource.getrlimit(limit)
            resource.setrlimit(limit, (value, old[1]))
            try:
                vmem.Ring("B", size)
            except error as raised:
                assert words in str(raised), raised
            else:
                raise AssertionError(words)
            finally:
                resource.setrlimit(limit, old)
            assert count() == before
            ring = vmem.Ring("B", size)
            ring.append(5)
            assert list(ring) == [5]

        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        refused(resource.RLIMIT_AS, used + (100 << 20), vmem.OutOfMemoryError, "RLIMIT_AS")
        refused(resource.RLIMIT_FSIZE, 32 << 20, vmem.OutOfMemoryError, "RLIMIT_FSIZE")
        refused(resource.RLIMIT_NOFILE, len(os.listdir("/proc/self/fd")) - 1, OSError, "cannot reserve")
        """)


@posix_only
def test_many_rings() -> None:
    rings = [vmem.Ring("i", 10) for _ in range(200)]
    for number, ring in enumerate(rings):
        ring.extend(range(number, number + 20))
    assert [ring[0] for ring in rings] == list(range(10, 210))


@linux_only
def test_nothing_is_left_behind() -> None:
    run_python("""
        import gc, os, vmem

        def count():
            gc.collect()
            return sum("vmem" in line for line in open("/proc/self/maps")), len(os.listdir("/proc/self/fd"))

        def use(**options):
            ring = vmem.Ring("i", 1000, **options)
            ring.extend(range(3000))
            view = ring.prepare(5)
            if ring._is_shared:
                reader = vmem.attach(ring.fileno())
                list(reader)

        for options in ({}, {"shared": True}, {"overwrite": True, "prefault": True}, {"row_shape": ()}):
            use(**options)
            before = count()
            for _ in range(50):
                use(**options)
            assert count() == before, (options, count(), before)
        """)


@linux_only
def test_core_dumps_contain_items_once() -> None:
    ring = vmem.Ring("B", 3 * GRANULARITY)
    start = int(repr(ring).split(" at ")[1].split(":")[0], 16)
    flags: dict[int, list[str]] = {}
    first = 0
    for line in read_lines("/proc/self/smaps"):
        if "-" in line.split()[0]:
            first = int(line.split("-")[0], 16)
        elif line.startswith("VmFlags"):
            flags[first] = line.split()[1:]
    assert "dd" not in flags[start - GRANULARITY]
    assert "dd" in flags[start + 3 * GRANULARITY]
