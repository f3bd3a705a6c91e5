"""Makes every system call of one public call fail, in a build of the extension whose system calls fail on demand.

Run by test_refusals.py as a program of its own, with that build in the place of the installed one: if ranges() reports
a page as usable and the kernel does not allow it, the program ends by SIGSEGV.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import resource
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import vmem
from tests.models.region_model import PERMISSIONS, READABLE, WRITABLE, locked_by_process
from tests.support.system import mappings_in, permissions_in, status_bytes
from vmem import Protection, _vmem

PAGE = vmem.get_page_size()
MIB = 1 << 20

# The errors of each call. Which error a read fails with makes no difference.
ERRORS = {
    "mmap": (errno.ENOMEM, errno.EAGAIN, errno.EPERM, errno.EINVAL),
    "munmap": (errno.ENOMEM, errno.EINVAL),
    "mprotect": (errno.ENOMEM, errno.EACCES),
    "madvise": (errno.ENOMEM, errno.EAGAIN, errno.EINVAL),
    "mlock": (errno.ENOMEM, errno.EAGAIN, errno.EPERM),
    "mlock2": (errno.ENOMEM, errno.EAGAIN, errno.EPERM, errno.ENOSYS),
    "munlock": (errno.ENOMEM,),
    "mincore": (errno.EAGAIN, errno.ENOSYS),
    "prctl": (errno.EINVAL, errno.ENOMEM, errno.EBADF),
    "open": (errno.EMFILE, errno.ENOENT, errno.EINTR),
    "read": (errno.EIO, errno.EINTR),
    "getrlimit": (errno.EINVAL,),
    "memfd_create": (errno.EMFILE, errno.ENOMEM, errno.EINVAL, errno.ENOSYS),
    "fallocate": (errno.ENOSPC, errno.EFBIG, errno.ENOMEM),
    "preadv": (errno.EIO, errno.ENOMEM),
    "pwritev": (errno.ENOSPC, errno.EFBIG, errno.EIO),
    "fdatasync": (errno.EIO, errno.ENOSPC),
    "flock": (errno.EAGAIN, errno.ENOLCK),
    "ftruncate": (errno.EFBIG,),
    "fcntl": (errno.EMFILE, errno.EPERM, errno.EINVAL),
    "statx": (errno.EIO,),
    "fstat": (errno.EIO,),
    "fstatfs": (errno.EIO,),
    "calloc": (errno.ENOMEM,),  # for what is freed without Python
}
READING = {"open", "read", "getrlimit"}
CAN_STOP_HALFWAY = {"mprotect", "mlock"}


def class_of(error: int) -> type[Exception]:
    """What the docs say is raised when a system call fails with this."""
    if error in (errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EFBIG):
        return vmem.OutOfMemoryError
    return NotImplementedError if error == errno.ENOSYS else type(OSError(error, ""))


def class_of_reserve(error: int) -> type[Exception]:
    """The same of the call that reserves: a size that the system calls invalid is one that it cannot provide."""
    return vmem.OutOfMemoryError if error == errno.EINVAL else class_of(error)


# --- failing system calls ---


class Faults:
    """The functions of tests/programs/fail_on_demand.c that choose which calls fail."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_vmem.__file__)
        self.arm_calls = library.demand_arm
        self.arm_calls.argtypes = (ctypes.POINTER(ctypes.c_int), ctypes.c_size_t, ctypes.c_int)
        self.disarm_calls = library.demand_disarm
        self.disarm_calls.restype = ctypes.c_size_t
        self.get_call = library.demand_get_call
        self.get_call.argtypes = (ctypes.c_size_t,)
        self.get_call.restype = ctypes.c_char_p

    def arm(self, plan: Plan) -> None:
        self.arm_calls((ctypes.c_int * len(plan.errors))(*plan.errors), len(plan.errors), plan.later)

    def disarm(self) -> list[str]:
        """Lets calls succeed again, and returns the names of those that were made."""
        return [self.get_call(number).decode() for number in range(self.disarm_calls())]


class Plan(NamedTuple):
    """The errors of the first calls and of all later ones. 0: success. Below 0: failure after half of the pages."""

    errors: tuple[int, ...] = ()
    later: int = 0

    def error_of(self, index: int) -> int:
        return abs(self.errors[index] if index < len(self.errors) else self.later)

    def failed(self, num_calls: int) -> list[int]:
        return [self.error_of(index) for index in range(num_calls) if self.error_of(index)]


# --- the state before a call ---

KINDS = {
    "w": Protection.READ_WRITE,
    "r": Protection.READ,
    "n": Protection.NO_ACCESS,
    "x": Protection.READ_EXECUTE,
    "e": Protection.READ_WRITE_EXECUTE,
    "l": Protection.READ_WRITE,  # and locked
}


@dataclass(frozen=True)
class Layout:
    """A region of parts of equal size, a letter each: one of KINDS, or a dot for reserved pages."""

    parts: str
    part_size: int = PAGE

    def make(self, **options: Any) -> vmem.Region:
        size = self.part_size
        region = vmem.reserve(len(self.parts) * size, **options)
        for number, kind in enumerate(self.parts):
            if kind == ".":
                continue
            offset = number * size
            region.commit(offset, size)
            for start in (offset, offset + size - PAGE):
                region[start : start + PAGE] = bytes([number + 1]) * PAGE
            if kind == "l":
                region.lock(offset, size)
            region.protect(KINDS[kind], offset, size)
        return region

    def samples(self) -> Iterator[int]:
        """Pages whose contents are compared: the first, one in the middle and the last of each part."""
        for number in range(len(self.parts)):
            for at in sorted({0, self.part_size // PAGE // 2 * PAGE, self.part_size - PAGE}):
                yield number * self.part_size + at


# --- the state after it ---

ZERO_PAGE = zlib.crc32(bytes(PAGE))


class State(NamedTuple):
    """Whether each page is committed, and its protection; a checksum of each sample, None if it cannot be read."""

    pages: list[tuple[bool, Protection]]
    samples: dict[int, int | None]
    locked: int


def observe(region: vmem.Region, layout: Layout) -> State:
    pages = [(each.committed, each.protection) for each in region.ranges() for _ in range(each.num_bytes // PAGE)]
    samples = {
        offset: zlib.crc32(region[offset : offset + PAGE]) if pages[offset // PAGE][1] in READABLE else None
        for offset in layout.samples()
    }
    return State(pages, samples, locked_by_process())


def check_usable(region: vmem.Region, layout: Layout) -> None:
    """Reads and writes where ranges() allows it: at the ends of every range, and in the samples."""
    places = {place for each in region.ranges() for place in (each.offset, each.offset + each.num_bytes - 1)}
    protections = {each.offset: each.protection for each in region.ranges()}
    starts = sorted(protections)
    for place in sorted(places | set(layout.samples())):
        protection = protections[max(start for start in starts if start <= place)]
        if protection in READABLE:
            byte = region[place]
            if protection in WRITABLE:
                region[place] = byte


def expected_permissions(region: vmem.Region) -> list[tuple[int, int, str]]:
    runs: list[tuple[int, int, str]] = []
    for each in region.ranges():
        permissions = PERMISSIONS[each.protection]
        if region._is_shared:
            permissions = permissions.replace("p", "s")
        run = (each.offset, each.offset + each.num_bytes, permissions)
        if runs and runs[-1][2] == run[2]:
            run = (runs.pop()[0], *run[1:])
        runs.append(run)
    return runs


def allows(permissions: str, wanted: str) -> bool:
    return set(wanted) - {"-"} <= set(permissions)


def check_granted(region: vmem.Region) -> None:
    """Checks that the kernel allows at least what ranges() reports."""
    granted = permissions_in(region.address, region.size)
    for start, end, permissions in expected_permissions(region):
        for first, last, allowed in granted:
            if first < end and start < last:
                assert allows(allowed, permissions), (start, end, permissions, granted)


def resident_bytes(start: int, size: int) -> int:
    """How much of an address range is resident. Its mappings may reach further: the kernel merges neighbours."""
    pages = (ctypes.c_ubyte * (size // PAGE))()
    assert ctypes.CDLL(None).mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), pages) == 0
    return sum(page & 1 for page in pages) * PAGE


def check_unmapped(start: int, size: int) -> None:
    """Checks most of a range: the interpreter may have mapped memory of its own there since."""
    mapped = sum(min(last, start + size) - max(first, start) for first, last, _ in mappings_in(start, size))
    assert mapped <= size // 2, mapped


def num_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# --- one call, with every failure ---


class Explorer:
    """Repeats a call, each time with other failures. Subclasses make the call and check its effects."""

    reads_too = True  # whether reads fail too, one by one, after another failure
    makes_system_calls = True
    num_opened = 0  # how many descriptors more are open after a call that succeeds
    also_raised: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self.faults = Faults()
        self.num_cases = 0

    def try_once(self, plan: Plan) -> list[str]:
        """Makes the call with these failures, checks, and returns the system calls that were made."""
        raise NotImplementedError

    def call_with(self, plan: Plan, call: Callable[[], object]) -> tuple[list[str], Exception | None]:
        """The system calls that were made, and what was raised."""
        raised = None
        files = num_files()
        self.faults.arm(plan)
        try:
            call()
        except Exception as error:
            raised = error.with_traceback(None)
        finally:
            calls = self.faults.disarm()
        self.num_cases += 1
        failed = plan.failed(len(calls))
        unknown = sum(call == "statx" and plan.error_of(index) != 0 for index, call in enumerate(calls))
        opened = num_files() - files - (0 if raised else self.num_opened)
        assert 0 <= opened <= unknown  # a descriptor that may be somebody else's by now is not closed
        if raised:
            assert type(raised) in (*map(self.class_of, failed), *self.also_raised), (raised, failed)
            assert type(raised) is MemoryError or str(raised).split("] ")[-1].startswith("cannot "), raised
        return calls, raised

    def class_of(self, error: int) -> type[Exception]:
        return class_of(error)

    def run(self, plan: Plan) -> list[str]:
        try:
            return self.try_once(plan)
        except BaseException:
            print(f"case {self.num_cases}: {plan}", self.faults.disarm(), flush=True)
            raise

    def errors_of(self, call: str) -> list[int]:
        errors = list(ERRORS[call])
        return [*errors, -errors[0]] if call in CAN_STOP_HALFWAY else errors

    def warm_up(self) -> None:
        """What the first calls of a process find out: how many mappings it has, and what advice does here."""
        with vmem.reserve(PAGE) as region:
            region.commit()
            region.discard()
        vmem.reserve(PAGE, shared=True).release()

    def explore(self) -> set[str]:
        """Tries every failure alone, and with every later failure. Returns the names of the calls that failed."""
        names = set()
        self.warm_up()
        for index, call in enumerate(self.run(Plan())):
            names.add(call)
            for number, error in enumerate(self.errors_of(call)):
                plan = Plan((0,) * index + (error,))
                names.update(self.explore_second(plan, self.run(plan), is_brief=number > 0))
                self.run(Plan(plan.errors[:-1], abs(error)))
        return names

    def explore_second(self, first: Plan, calls: Sequence[str], is_brief: bool) -> set[str]:
        """Tries later failures: fewer if is_brief, when all were tried after another error of the same call."""
        names = set()
        for index in range(len(first.errors), len(calls)):
            call = calls[index]
            if call in READING and (is_brief or not self.reads_too):
                continue
            names.add(call)
            for error in self.errors_of(call)[: 1 if is_brief or call in READING else None]:
                errors = (*first.errors, *(0,) * (index - len(first.errors)), error)
                self.run(Plan(errors))
                if not is_brief:
                    self.run(Plan(errors[:-1], abs(error)))
        return names


@dataclass
class Verb(Explorer):
    """A call of a method of a region."""

    layout: Layout
    call: Callable[[vmem.Region], object]
    can_stop_halfway: bool = False  # a failure leaves a first part done; large ranges only
    can_lose_contents: bool = False  # the kernel discards up to a locked page, then needs another call
    can_lose_protection: bool = False  # where the old one cannot be restored
    is_huge: bool = False
    is_named: bool = False
    is_secret: bool = False
    is_shared: bool = False
    also_raised: tuple[type[Exception], ...] = ()
    reads_too: bool = False  # to find the cause of a refusal, which is the same for all verbs

    def __post_init__(self) -> None:
        super().__init__()
        self.done: State | None = None
        self.hidden: dict[int, int | None] | None = None

    def make(self) -> vmem.Region:
        return self.layout.make(
            huge_pages=self.is_huge,
            name="refused" if self.is_named else None,
            fork="zero" if self.is_secret and not self.is_shared else "copy",
            dump=not self.is_secret,
            shared=self.is_shared,
        )

    def try_once(self, plan: Plan) -> list[str]:
        locked = locked_by_process()
        region = self.make()
        before = observe(region, self.layout)
        calls, raised = self.call_with(plan, lambda: self.call(region))
        num_failed = len(plan.failed(len(calls)))
        self.check(region, before, raised, num_failed)
        self.call(region)
        self.check(region, before, None, num_failed)
        for each in region.ranges():
            if each.committed:
                region.protect(Protection.READ_WRITE, each.offset, each.num_bytes)
        self.check_hidden(observe(region, self.layout).samples)
        address = region.address
        region.release()
        check_unmapped(address, region.size)
        assert locked_by_process() == locked
        return calls

    def check(self, region: vmem.Region, before: State, raised: Exception | None, num_failed: int) -> None:
        check_usable(region, self.layout)
        check_granted(region)
        after = observe(region, self.layout)
        if self.done is None:  # the first time nothing fails
            self.done = after
        expected = self.done if raised is None else before
        if raised and num_failed > 1 and self.can_lose_protection:
            self.check_lost(before, after)
        elif raised and (self.can_stop_halfway or self.can_lose_contents):
            self.check_halfway(before, after)
        else:
            assert after[:2] == expected[:2], (after, expected)
        if num_failed <= 1:
            assert permissions_in(region.address, region.size) == expected_permissions(region)
            assert after.locked == expected.locked or self.can_stop_halfway
        else:
            assert after.locked >= expected.locked or self.can_stop_halfway

    def check_lost(self, before: State, after: State) -> None:
        """A page has the protection it had, or less."""
        for (was_committed, old), (is_committed, new) in zip(before.pages, after.pages, strict=True):
            assert is_committed == was_committed
            assert allows(PERMISSIONS[old], PERMISSIONS[new])
        for offset, checksum in after.samples.items():
            assert checksum in (None, before.samples[offset])

    def check_halfway(self, before: State, after: State) -> None:
        assert self.done
        cut = 0
        while cut < len(after.pages) and after.pages[cut] == self.done.pages[cut]:
            cut += 1
        assert after.pages[cut:] == before.pages[cut:]
        for offset, checksum in after.samples.items():
            allowed = {before.samples[offset], self.done.samples[offset]}
            assert checksum in (allowed | {ZERO_PAGE} if self.can_lose_contents else allowed), offset

    def check_hidden(self, revealed: dict[int, int | None]) -> None:
        """Checks bytes that could be read neither before nor after the call."""
        if self.hidden is None:
            self.hidden = revealed
        assert revealed == self.hidden


class Reserve(Explorer):
    """A call of reserve()."""

    SIZE = 64 * MIB

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        if options.get("huge_pages"):  # their size is in a file, and what the system can do takes other calls
            self.also_raised = (NotImplementedError, OSError)
        if options.get("shared"):  # calls that make objects have other invalid arguments
            self.also_raised = (OSError,)
            self.num_opened = 1

    def call(self) -> None:
        self.region = vmem.reserve(self.SIZE, **self.options)

    def class_of(self, error: int) -> type[Exception]:
        return class_of_reserve(error)

    def try_once(self, plan: Plan) -> list[str]:
        addresses = status_bytes("VmSize")
        calls, raised = self.call_with(plan, self.call)
        if raised:
            assert len(plan.failed(len(calls))) > 1 or status_bytes("VmSize") < addresses + self.SIZE // 2
            self.call()
        region = self.region
        del self.region
        assert region.address % (self.options.get("alignment") or PAGE) == 0
        assert region.ranges() == [(0, self.SIZE, False, Protection.NO_ACCESS)]
        assert permissions_in(region.address, region.size) == [(0, self.SIZE, "---s" if region._is_shared else "---p")]
        region.commit(0, PAGE)
        region[0] = 1
        region.release()
        assert len(plan.failed(len(calls))) > 1 or status_bytes("VmSize") < addresses + self.SIZE // 2
        return calls


class Attach(Reserve):
    """A call of attach()."""

    def __init__(self) -> None:
        super().__init__(shared=True)
        self.maker = vmem.reserve(self.SIZE, shared=True)
        self.also_raised = (OSError, ValueError)  # the system says that the descriptor is something else

    def call(self) -> None:
        region = vmem.attach(self.maker.fileno())
        assert isinstance(region, vmem.Region)
        self.region = region


class InNewProcess(Explorer):
    """The first call of a process, which also reads limits of the process: each try forks a process."""

    reads_too = False

    def warm_up(self) -> None:
        """In the parent there must be no call."""

    def try_once(self, plan: Plan) -> list[str]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            with os.fdopen(writing, "w") as pipe:
                pipe.write(" ".join(super().try_once(plan)))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            calls = pipe.read().split()
        assert os.waitpid(child, 0)[1] == 0
        self.num_cases += 1
        return calls


class FirstReserve(InNewProcess, Reserve):
    """Counts the mappings of the process."""


@dataclass
class Release(Explorer):
    """A call of release()."""

    layout: Layout
    is_shared: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.num_opened = -1 if self.is_shared else 0

    def try_once(self, plan: Plan) -> list[str]:
        locked = locked_by_process()
        region = self.layout.make(shared=self.is_shared)
        before, address = observe(region, self.layout), region.address
        calls, raised = self.call_with(plan, region.release)
        if raised:
            assert not region.released
            check_usable(region, self.layout)
            assert observe(region, self.layout) == before
            assert permissions_in(address, region.size) == expected_permissions(region)
            region.release()
        assert region.released
        check_unmapped(address, region.size)
        assert locked_by_process() == locked
        return calls


@dataclass
class Drop(Explorer):
    """Drops the last reference to an object. A failure cannot be raised; the memory is given back all the same."""

    make: Callable[[], object]
    find: Callable[[Any], tuple[int, int]]  # its address and size
    is_shared: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.num_opened = -1 if self.is_shared else 0
        self.unraisable: list[object] = []

    def try_once(self, plan: Plan) -> list[str]:
        things = [self.make()]
        address, size = self.find(things[0])
        sys.unraisablehook = self.unraisable.append
        calls, raised = self.call_with(plan, things.clear)
        assert raised is None
        assert not self.unraisable
        assert calls[0] == "munmap"
        if plan.error_of(0) == 0:
            check_unmapped(address, size)
            return calls
        if len(plan.failed(len(calls))) == 1 and not self.is_shared:
            assert resident_bytes(address, size) == 0
        assert ctypes.CDLL(None).munmap(ctypes.c_void_p(address), ctypes.c_size_t(size)) == 0
        return calls


class Information(Explorer):
    """A call of memory_info(): a number is 0 if it cannot be read."""

    def try_once(self, plan: Plan) -> list[str]:
        calls, raised = self.call_with(plan, lambda: setattr(self, "info", vmem.memory_info()))
        assert raised is None
        info: vmem.MemoryInfo = self.info  # type: ignore[attr-defined]
        assert 0 <= info.available <= info.total
        assert info.total > 0 or plan.failed(len(calls))
        total, available = vmem.memory_info()
        assert 0 < available <= total
        return calls


# --- all of them ---

# Calls on more than 4 MiB work chunk by chunk. A chunk has 16 MiB, or ends at a gap.
LARGE = 2 * MIB
LARGE_FOR_GAPS = MIB

GAPS = ".w.r..w.l.."
FEW_GAPS = ".w.r."
ALL_KINDS = ".wr.xln.wew."
COMMITTED = "wrxlnwlw"
ACCESSIBLE = "wrlxwew"
WRITABLE_PARTS = "wwlewwllww"


def can_lock(num_bytes: int) -> bool:
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return os.geteuid() == 0 or limit == resource.RLIM_INFINITY or limit > num_bytes


def inner(region: vmem.Region) -> tuple[int, int]:
    """All but the first and the last byte."""
    return 1, region.size - 2


def verbs(part_size: int) -> dict[str, Callable[[], Explorer]]:
    """The methods of a region, on parts of this size."""
    is_large = part_size > PAGE
    with_gaps = min(part_size, LARGE_FOR_GAPS)
    lockable = part_size if not is_large or can_lock(24 * MIB) else MIB

    def on(parts: str, call: Callable[[vmem.Region], object], **options: Any) -> Callable[[], Explorer]:
        return lambda: Verb(Layout(parts, part_size), call, **options)

    def on_gaps(parts: str, call: Callable[[vmem.Region], object], **options: Any) -> Callable[[], Explorer]:
        return lambda: Verb(Layout(parts, with_gaps), call, **options)

    def on_lockable(parts: str, call: Callable[[vmem.Region], object], **options: Any) -> Callable[[], Explorer]:
        return lambda: Verb(Layout(parts, lockable), call, **options)

    return {
        "commit": on_gaps(GAPS, lambda region: region.commit(*inner(region)), reads_too=not is_large),
        "commit, named": on_gaps(GAPS, lambda region: region.commit(*inner(region)), is_named=True),
        "commit, huge": on_gaps(".w..r.", lambda region: region.commit(), is_named=True, is_huge=True),
        "commit, secret": on_gaps(  # advice that is invalid is what the kernel lacks
            FEW_GAPS,
            lambda region: region.commit(*inner(region)),
            is_secret=True,
            also_raised=(NotImplementedError,),
        ),
        "commit and prefault": on_gaps(FEW_GAPS, lambda region: region.commit(*inner(region), prefault=True)),
        "decommit": on(
            ALL_KINDS, lambda region: region.decommit(*inner(region)), can_stop_halfway=is_large, can_lose_contents=True
        ),
        "discard": on(
            WRITABLE_PARTS,
            lambda region: region.discard(*inner(region)),
            can_stop_halfway=is_large,
            can_lose_contents=True,
        ),
        "prefault": on(WRITABLE_PARTS, lambda region: region.prefault(*inner(region))),
        "protect, read": on(
            COMMITTED, lambda region: region.protect(Protection.READ, *inner(region)), can_lose_protection=True
        ),
        "protect, no access": on(
            COMMITTED, lambda region: region.protect(Protection.NO_ACCESS, *inner(region)), can_lose_protection=True
        ),
        "protect, everything": on(
            COMMITTED,
            lambda region: region.protect(Protection.READ_WRITE_EXECUTE, *inner(region)),
            can_lose_protection=True,
        ),
        "lock": on_lockable(  # with a limit of 0 it is EPERM, and the message names the limit
            ACCESSIBLE + "www", lambda region: region.lock(*inner(region)), also_raised=(vmem.OutOfMemoryError,)
        ),
        "lock on fault": on_lockable(
            ACCESSIBLE + "www",
            lambda region: region.lock(*inner(region), on_fault=True),
            also_raised=(vmem.OutOfMemoryError,),
        ),
        "unlock": on_lockable(
            "lwlrlxn" + "lll", lambda region: region.unlock(*inner(region)), can_stop_halfway=is_large
        ),
        "resident": on(ALL_KINDS, lambda region: region.resident(*inner(region))),
        "map": on(ALL_KINDS, lambda region: region.map()),
        "release": lambda: Release(Layout(ALL_KINDS, part_size)),
        "drop": lambda: Drop(Layout(ALL_KINDS, part_size).make, lambda region: (region.address, region.size)),
    }


def shared_verbs(part_size: int) -> dict[str, Callable[[], Explorer]]:
    """The methods of a shared region, on parts of this size."""
    lockable = part_size if part_size == PAGE or can_lock(24 * MIB) else MIB

    def on(parts: str, call: Callable[[vmem.Region], object], **options: Any) -> Callable[[], Explorer]:
        return lambda: Verb(Layout(parts, part_size), call, is_shared=True, **options)

    return {
        "commit": on(GAPS, lambda region: region.commit(*inner(region))),
        "commit, secret": on(
            FEW_GAPS,
            lambda region: region.commit(*inner(region)),
            is_secret=True,
            also_raised=(NotImplementedError,),
        ),
        "commit and prefault": on(FEW_GAPS, lambda region: region.commit(*inner(region), prefault=True)),
        "prefault": on(WRITABLE_PARTS, lambda region: region.prefault(*inner(region))),
        "protect": on(
            COMMITTED, lambda region: region.protect(Protection.READ, *inner(region)), can_lose_protection=True
        ),
        "lock": lambda: Verb(
            Layout(ACCESSIBLE, lockable),
            lambda region: region.lock(*inner(region)),
            is_shared=True,
            also_raised=(vmem.OutOfMemoryError,),
        ),
        "resident": on(ALL_KINDS, lambda region: region.resident(*inner(region))),
        "fileno": on("w", lambda region: region.fileno()),
        "release": lambda: Release(Layout(ALL_KINDS, part_size), is_shared=True),
        "drop": lambda: Drop(
            partial(Layout(ALL_KINDS, part_size).make, shared=True),
            lambda region: (region.address, region.size),
            is_shared=True,
        ),
    }


# A commit without prefaulting is never split into chunks.
SAME_IF_LARGE = {"commit, named", "commit, huge", "commit, secret"}

# Where memory is scattered, a map asks about single pages: too many calls to let each of them fail in its turn.
TOO_LONG_IF_LARGE = {"map"}

CASES: dict[str, Callable[[], Explorer]] = {
    "reserve": lambda: Reserve(),
    "reserve, first": lambda: FirstReserve(),
    "reserve, aligned": lambda: Reserve(alignment=4 * MIB),
    "reserve, huge": lambda: Reserve(huge_pages=True),
    "reserve, named": lambda: Reserve(name="refused"),
    "memory_info": lambda: Information(),
    "reserve, shared": lambda: Reserve(shared=True, name="refused"),
    "reserve, shared, aligned": lambda: Reserve(shared=True, alignment=4 * MIB),
    "attach": lambda: Attach(),
    **{f"{name}, small": make for name, make in verbs(PAGE).items()},
    **{f"{name}, large": make for name, make in verbs(LARGE).items() if name not in SAME_IF_LARGE | TOO_LONG_IF_LARGE},
    **{f"shared, {name}, small": make for name, make in shared_verbs(PAGE).items()},
    **{f"shared, {name}, large": make for name, make in shared_verbs(MIB).items()},
}


def explore_case(name: str, cases: dict[str, Callable[[], Explorer]]) -> None:
    gc.disable()
    explorer = cases[name]()
    failed = explorer.explore()
    assert bool(failed) == explorer.makes_system_calls
    print(f"{name}: {explorer.num_cases} cases, in which failed {', '.join(sorted(failed)) or 'nothing'}")


if __name__ == "__main__":
    explore_case(sys.argv[1], CASES)
