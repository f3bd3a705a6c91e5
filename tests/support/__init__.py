"""What the tests read from the system, and how they run code in a process of its own."""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import pickle
import re
import signal
import subprocess
import sys
import sysconfig
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import vmem

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork, signals nor resource limits")

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # a build of Python that can do without the GIL
MAX_SIZE = 2 * sys.maxsize + 1  # the largest size_t
ROOT = Path(__file__).parents[2]  # of the checkout
GROUP_LIMIT = 1 << 30  # of the control group that the fixture memory_group makes


class Index:
    """An integer that runs `action` when it is asked for its value."""

    def __init__(self, value: int, action: object = None) -> None:
        self.value = value
        self.action = action

    def __index__(self) -> int:
        if callable(self.action):
            self.action()
        return self.value


def run_python(code: str, *arguments: str, expect: int = 0) -> str:
    """Runs code in a fresh interpreter, makes sure of its exit status, and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == expect, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def run_vmem(*arguments: str, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m vmem`` with these arguments, in `limit` bytes of address space."""

    def set_limit() -> None:
        import resource

        assert limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "vmem", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
        preexec_fn=set_limit if limit else None,
    )


def run_python_to_death(code: str) -> None:
    """Runs code that must end in a memory fault, after it has printed "ready"."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "ready", f"it did not get that far\n{done.stdout}\n{done.stderr}"
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGBUS), f"exit status {done.returncode}\n{done.stderr}"


def address_of(buffer: Any) -> int:
    """Where the first byte of a buffer that can be written is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def dump_out_of_band(thing: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """A pickle, and the buffers that travel beside it."""
    buffers: list[pickle.PickleBuffer] = []
    return pickle.dumps(thing, 5, buffer_callback=buffers.append), buffers


# By how much the interpreter's own memory may change while a test looks at the sizes of the process.
SLACK = 8 << 20


def status_bytes(key: str) -> int:
    """A size from /proc/self/status: VmSize is addresses, VmData private writable memory, VmRSS what is resident."""
    match = re.search(rf"^{key}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match
    return int(match[1]) * 1024


def system_bytes(key: str) -> int:
    """A size from /proc/meminfo, which is about the whole machine."""
    match = re.search(rf"^{key}:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert match
    return int(match[1]) * 1024


def committed_by_all() -> int:
    """The system's commit charge in bytes."""
    return system_bytes("Committed_AS")


def mappings_in(start: int, size: int) -> list[tuple[int, int, str]]:
    """The kernel's mappings that overlap an address range: first address, last address + 1, permissions."""
    found: list[tuple[int, int, str]] = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, permissions = line.split()[:2]
        first, last = (int(address, 16) for address in addresses.split("-"))
        if first < start + size and start < last:
            found.append((first, last, permissions))
    return found


def permissions_in(start: int, size: int) -> list[tuple[int, int, str]]:
    """The same as offsets from `start`, clipped to the range, equal neighbours joined."""
    runs: list[tuple[int, int, str]] = []
    for first, last, permissions in mappings_in(start, size):
        run = (max(first - start, 0), min(last - start, size), permissions)
        if runs and runs[-1][1] == run[0] and runs[-1][2] == permissions:
            runs[-1] = (runs[-1][0], run[1], permissions)
        else:
            runs.append(run)
    return runs


class Details(NamedTuple):
    """A mapping of /proc/self/smaps: where it lies, its name, and its fields, such as "Rss" with "12 kB"."""

    first: int
    last: int
    name: str
    fields: dict[str, str]


def details_in(start: int, size: int) -> list[Details]:
    """The kernel's mappings that overlap an address range, in detail."""
    found: list[Details] = []
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ *(.*)", line)
        if head:
            found.append(Details(int(head[1], 16), int(head[2], 16), head[3], {}))
        else:
            key, value = line.split(":", 1)
            found[-1].fields[key] = value.strip()
    return [each for each in found if each.first < start + size and start < each.last]


def pages_with_flag(region: vmem.Region, flag: str) -> list[int]:
    """The numbers of the pages whose mapping has one of the kernel's two-letter flags."""
    flagged: list[int] = []
    for each in details_in(region.address, region.size):
        if flag in each.fields["VmFlags"].split():
            first = max(each.first - region.address, 0) // region.page_size
            last = min(each.last - region.address, region.size) // region.page_size
            flagged += range(first, last)
    return flagged


def refuses_writable_code() -> bool:
    """Whether this system never lets memory be writable and executable, as its own mmap() tells."""
    if sys.platform == "win32":
        return False
    try:
        mmap.mmap(-1, 1, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except OSError:
        return True
    return False


@functools.cache
def has_a_tebibyte_of_addresses() -> bool:
    """What most examples take. 32 bits cannot name it, and some emulators keep too much about it."""
    try:
        vmem.reserve(1 << 40).release()
    except (ValueError, vmem.OutOfMemoryError):
        return False
    return True


def is_at_work(region: vmem.Region) -> bool:
    """Whether a long call is at work on the first page. Asks by a call that would change nothing."""
    try:
        (region.commit if region.is_committed(0, 1) else region.decommit)(0, 1)
    except BufferError:
        return True
    return False


def lockable_bytes(wanted: int) -> int:
    """How much of what is wanted this process may lock, with something left over."""
    try:
        import resource
    except ImportError:  # Windows
        return wanted
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return wanted if os.geteuid() == 0 or limit == resource.RLIM_INFINITY else min(wanted, limit * 3 // 4)


def visit(
    region: vmem.Region,
    action: Callable[[], object],
    call: Callable[[], object],
    prepare: Callable[[], object],
) -> None:
    """Prepares and calls until a signal handler has run an action once, in the middle of the call.

    The signals come from a timer, as often as it can.
    """
    turn = threading.Lock()  # the next signal may come in the middle of the handler
    called = visited = False

    def handle(number: int, frame: object) -> None:
        nonlocal visited
        if not called or visited or not turn.acquire(blocking=False):
            return
        try:
            if is_at_work(region):
                visited = True
                action()
        finally:
            turn.release()

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        for _ in range(10_000):
            prepare()
            called = True
            call()
            called = False
            if visited:
                return
        raise AssertionError("no signal came in the middle of the call")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, ignore_late_signal)


def ignore_late_signal(number: int, frame: object) -> None:
    """Stays when the timer has stopped: a last signal may be under way, which no handler at all would make fatal."""
