"""Makes every system call of one call of an array, an arena or a ring fail. Run by test_refusals.py, as refusals.py."""

from __future__ import annotations

import array
import copy
import ctypes
import fcntl
import io
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import vmem
from tests.programs.refusals import MIB, PAGE, Drop, Explorer, InNewProcess, Plan, class_of_reserve, explore_case
from tests.support.buffers import address_of
from tests.support.system import permissions_in, read_lines, status_bytes
from vmem import _vmem

ITEM = 4  # bytes, of typecode "i"
SMALL = 4 * PAGE  # growth doubles the memory from here: it first asks for more than needed, then for less
LARGE = 8 * MIB  # growth ends at huge pages from here on
LONG = 17 * MIB  # decommitted in two chunks, of at most 16 MiB
CAPACITY = 64 * MIB

GET_SEALS = 1034
FUTURE_WRITE = 16

# --- the kernel's view ---


def check_pages(start: int, size: int, used: int, is_clean: bool, *, has_hole: bool = False) -> int:
    """Checks that the first pages can be used, and no others. Returns how many bytes they have.

    Unless is_clean, others may be usable too. has_hole allows the hole that a failed decommit leaves.
    """
    runs = permissions_in(start, size)
    first = runs[0][1] if runs[0][2] == "rw-p" else 0
    assert first >= used, (runs, used)
    if is_clean and not has_hole:
        assert runs in ([(0, first, "rw-p"), (first, size, "---p")], [(0, size, "---p")], [(0, size, "rw-p")]), runs
    assert {permissions for _, _, permissions in runs} <= {"rw-p", "---p"}
    return first


def rounded(num_bytes: int) -> int:
    return -(-num_bytes // PAGE) * PAGE


def place_of_array(made: vmem.Array[Any]) -> tuple[int, int]:
    return made.buffer_info()[0], rounded(made.capacity * made.itemsize)


def place_of_arena(arena: vmem.Arena) -> tuple[int, int]:
    """Takes the address from repr(): there is no allocation yet."""
    return int(repr(arena).split(" at ")[1].split(":")[0], 16), arena.capacity


def place_of_ring(ring: vmem.Ring[Any]) -> tuple[int, int]:
    """All three parts: the head, and the items twice."""
    size = rounded(ring.capacity * ring.itemsize)
    return int(repr(ring).split(" at ")[1].split(":")[0], 16) - PAGE, PAGE + 2 * size


def left_clean(plan: Plan, calls: list[str]) -> bool:
    """Whether no failure can have been in the cleanup after another failure."""
    return len(plan.failed(len(calls))) <= 1


# --- a call that changes an array ---


def full_array(num_bytes: int) -> vmem.Array[int]:
    """An array that fills its committed pages."""
    made: vmem.Array[int] = vmem.Array("i", capacity=CAPACITY // ITEM)
    made.frombytes(bytes(range(1, 129)) * (num_bytes // 128))
    return made


@dataclass
class ArrayCall(Explorer):
    """A call that changes an array. A live view observes its first items."""

    call: Callable[[vmem.Array[int]], object]
    num_bytes: int = SMALL
    can_take_part: bool = False  # keeps the items that an iterator yielded before the failure
    asks_for_less: bool = False  # after a failure to commit more than it needs
    reads_too: bool = False  # to find the cause of a refusal, which is the same for all

    def __post_init__(self) -> None:
        super().__init__()
        self.done: bytes | None = None

    def make(self) -> vmem.Array[int]:
        return full_array(self.num_bytes)

    def try_once(self, plan: Plan) -> list[str]:
        made = self.make()
        view = memoryview(made)[:10]
        before, pages = made.tobytes(), check_pages(*place_of_array(made), self.num_bytes, True)
        calls, raised = self.call_with(plan, lambda: self.call(made))
        is_clean = left_clean(plan, calls)
        assert raised is None or not (is_clean and self.asks_for_less)
        self.check(made, raised, before, is_clean)
        if raised and is_clean and not self.can_take_part:
            assert check_pages(*place_of_array(made), len(before), True) == pages
        if raised:
            del made[len(before) // ITEM :]
            self.call(made)
            self.check(made, None, before, is_clean)
        assert view.tobytes() == made[: len(view)].tobytes()
        made.append(5)
        assert made.pop() == 5
        view.release()
        made.clear()
        made.shrink_to_fit()
        assert check_pages(*place_of_array(made), 0, True) == rounded(self.num_bytes), "exported pages stay committed"
        return calls

    def check(self, made: vmem.Array[int], raised: Exception | None, before: bytes, is_clean: bool) -> None:
        after = made.tobytes()
        if self.done is None:  # the first time nothing fails
            self.done = after
        if raised is None:
            assert after == self.done
        elif self.can_take_part:
            assert self.done.startswith(after)
            assert after.startswith(before)
        else:
            assert after == before
        check_pages(*place_of_array(made), len(after), is_clean)


@dataclass
class ShrinkToFit(Explorer):
    """Pages that were decommitted before a failure can be committed again. Items never change."""

    num_bytes: int
    num_exported: int = 0  # of these bytes, whose pages are only discarded
    reads_too: bool = True

    def __post_init__(self) -> None:
        super().__init__()
        self.least = max(PAGE, rounded(self.num_exported))

    def try_once(self, plan: Plan) -> list[str]:
        made = full_array(self.num_exported)
        memoryview(made).release()
        made.frombytes(b"z" * (self.num_bytes - self.num_exported))
        del made[10:]
        view, items = memoryview(made), made.tobytes()
        start, size = place_of_array(made)
        calls, raised = self.call_with(plan, made.shrink_to_fit)
        assert made.tobytes() == view.tobytes() == items
        is_clean = left_clean(plan, calls)
        check_pages(start, size, self.least, is_clean, has_hole=raised is not None)
        if self.num_cases % 2:  # decommits the rest with and without using it in between
            made.frombytes(b"y" * self.num_bytes)
            assert made.tobytes() == items + b"y" * self.num_bytes
            check_pages(start, size, made.itemsize * len(made), is_clean)
            del made[10:]
        made.shrink_to_fit()
        first = check_pages(start, size, self.least, is_clean)
        assert not is_clean or first == self.least
        assert ctypes.string_at(start + PAGE, self.least - PAGE) == bytes(self.least - PAGE)
        assert view.tobytes() == items
        return calls


# --- a call that makes an array ---


@dataclass
class MakeArray(Explorer):
    """A call that makes an array, from another one or from nothing."""

    call: Callable[[vmem.Array[int]], vmem.Array[int]]
    reads_too: bool = False  # to find the cause of a refusal, which is the same for all
    also_raised: tuple[type[Exception], ...] = (vmem.OutOfMemoryError,)  # for every error of the call that reserves

    def __post_init__(self) -> None:
        super().__init__()
        self.source = full_array(SMALL)
        self.items = self.source.tobytes()
        self.expected: bytes | None = None

    def keep(self, made: vmem.Array[int]) -> None:
        self.made = made

    def try_once(self, plan: Plan) -> list[str]:
        addresses = status_bytes("VmSize")
        calls, raised = self.call_with(plan, lambda: self.keep(self.call(self.source)))
        assert self.source.tobytes() == self.items
        is_clean = left_clean(plan, calls)
        if raised:
            assert not is_clean or status_bytes("VmSize") < addresses + CAPACITY // 2
            self.keep(self.call(self.source))
        self.check_made(is_clean)
        assert not is_clean or status_bytes("VmSize") < addresses + CAPACITY // 2
        return calls

    def check_made(self, is_clean: bool) -> None:
        made = self.made
        del self.made
        contents = made.tobytes()
        if self.expected is None:
            self.expected = contents
        assert contents == self.expected
        check_pages(*place_of_array(made), len(contents), is_clean)
        assert made.capacity >= len(made)
        made.extend(range(PAGE))
        assert made.tobytes() == self.expected + array.array("i", range(PAGE)).tobytes()


class MakeSmallArray(MakeArray):
    """Its items are on the heap."""

    makes_system_calls = False


class MakeFirstArray(InNewProcess, MakeArray):
    """Reads the size of the memory, and counts the mappings of the process."""


@dataclass
class Export(Explorer):
    """A call that exports an array without addresses, to Arrow or DLPack. What fails has changed nothing."""

    call: Callable[[vmem.Array[int]], object]
    also_raised: tuple[type[Exception], ...] = (vmem.OutOfMemoryError, MemoryError)
    reads_too: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def keep(self, exported: object) -> None:
        self.exported = exported

    def try_once(self, plan: Plan) -> list[str]:
        addresses = status_bytes("VmSize")
        calls = self.try_on(full_array(SMALL), plan)
        assert not left_clean(plan, calls) or status_bytes("VmSize") < addresses + CAPACITY // 2
        return calls

    def try_on(self, made: vmem.Array[int], plan: Plan) -> list[str]:
        items = made.tobytes()
        calls, raised = self.call_with(plan, lambda: self.keep(self.call(made)))
        assert "calloc" in calls or raised
        if raised:
            assert made.map().num_views == 0
            self.keep(self.call(made))
        assert made.tobytes() == items
        made.append(5)
        made.pop()
        del self.exported
        made.clear()
        return calls


def held_array() -> tuple[int, object]:
    """An address, and a capsule that has outlived its array."""
    made = full_array(LARGE)
    address, capsules = made.buffer_info()[0], made.__arrow_c_array__()
    return address, capsules


# --- shared arrays ---


def shared_array(num_bytes: int) -> vmem.Array[int]:
    """One that fills its committed pages."""
    made: vmem.Array[int] = vmem.Array("i", capacity=CAPACITY // ITEM, shared=True)
    made.frombytes(bytes(range(1, 129)) * (num_bytes // 128))
    made.frombytes(bytes(made.map().committed - num_bytes))
    return made


def attach(made: vmem.Array[int]) -> vmem.Array[int]:
    attached = vmem.attach(made.fileno())
    assert isinstance(attached, vmem.Array)
    return attached


@dataclass
class SharedArrayCall(Explorer):
    """A call that adds items to a shared array, which a reader and two views observe."""

    call: Callable[[vmem.Array[int]], object]
    num_bytes: int = SMALL
    can_take_part: bool = False
    asks_for_less: bool = False
    reads_too: bool = False
    also_raised: tuple[type[Exception], ...] = (OSError,)  # where the descriptor seems to be closed

    def __post_init__(self) -> None:
        super().__init__()
        self.done: bytes | None = None

    def try_once(self, plan: Plan) -> list[str]:
        made = shared_array(self.num_bytes)
        reader = attach(made)
        views, before = [memoryview(made), memoryview(reader)], made.tobytes()
        calls, raised = self.call_with(plan, lambda: self.call(made))
        assert raised is None or not (self.asks_for_less and left_clean(plan, calls) and "statx" not in calls[:1])
        after = made.tobytes()
        assert reader.tobytes() == after
        if raised and self.can_take_part:
            assert after.startswith(before)
        elif raised:
            assert after == before
            self.call(made)
        else:
            self.done = self.done or after
            assert after == self.done
        made.extend(MANY)
        assert reader.tobytes() == made.tobytes()
        assert made.tobytes().endswith(BYTES)
        assert all(view.tobytes() == before for view in views)
        return calls


def is_sealed_against_writers(made: vmem.Array[int] | vmem.Table) -> bool:
    """A kernel that calls this seal an invalid argument does not have it, and then nobody expects it."""
    return bool(fcntl.fcntl(made.fileno(), GET_SEALS) & FUTURE_WRITE)


@dataclass
class MakeSharedArray(MakeArray):
    """A call that makes a shared array, or a reader of one."""

    also_raised: tuple[type[Exception], ...] = (OSError, ValueError, vmem.OutOfMemoryError)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.source = shared_array(SMALL)
        self.items = self.source.tobytes()
        self.num_opened = 1

    def check_made(self, is_clean: bool) -> None:
        made, maker = self.made, self.source if self.made.readonly else self.made
        del self.made
        contents = made.tobytes()
        self.expected = self.expected or contents
        assert contents == self.expected
        assert made.readonly == (maker is not made)
        if not made.readonly and is_sealed_against_writers(made):
            reader = attach(made)
            made.extend(MANY)
            assert reader.tobytes() == made.tobytes() == contents + BYTES


@dataclass
class BecomeReader(Explorer):
    """What a forked child does with a shared array. It cannot fail: what is refused leaves less, and never a crash."""

    num_exported: int = SMALL
    reads_too: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def try_once(self, plan: Plan) -> list[str]:
        made = shared_array(self.num_exported)
        view = memoryview(made) if self.num_exported else None
        made.frombytes(bytes(range(128)) * (SMALL // 128))
        items, number = made.tobytes(), made.fileno()
        calls, raised = self.call_with(plan, _vmem._change_in_child)
        assert raised is None
        assert made.readonly
        assert made.tobytes() == items
        assert memoryview(made).readonly
        if view is not None:
            assert view.tobytes() == items[: view.nbytes]
        is_refused = bool(plan.failed(len(calls)))
        assert made.fileno() == number
        assert is_refused or permissions_in(*place_of_array(made)) == [(0, CAPACITY, "r--s")]
        return calls


# --- calls of an arena ---


@dataclass
class ArenaCall(Explorer):
    """A call of an arena. A live view observes that its first bytes do not change."""

    call: Callable[[vmem.Arena], memoryview | None]
    num_bytes: int = SMALL  # with the view
    stale_bytes: int = 0  # of these, how many have been rewound
    asks_for_less: bool = False  # after a failure to commit more than it needs
    reads_too: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.used: int | None = None

    def try_once(self, plan: Plan) -> list[str]:
        arena = vmem.Arena(CAPACITY)
        self.start = place_of_arena(arena)[0]
        contents = b"0123456789" if self.num_bytes else b""
        view = arena.alloc(len(contents))
        view[:] = contents
        self.fill(arena)
        before, committed = arena.used, arena.committed
        calls, raised = self.call_with(plan, lambda: self.keep(self.call(arena)))
        is_clean = left_clean(plan, calls)
        assert raised is None or not (is_clean and self.asks_for_less)
        if raised:
            assert (arena.used, arena.committed) == (before, committed)
            self.check(arena, is_clean)
            self.keep(self.call(arena))
        self.check_taken(arena, before)
        self.check(arena, is_clean)
        assert bytes(view) == contents
        view.release()
        arena.reset()
        arena.trim()
        assert permissions_in(self.start, arena.capacity) == [(0, arena.capacity, "---p")]
        return calls

    def fill(self, arena: vmem.Arena) -> None:
        size = self.num_bytes - arena.used
        arena.alloc(size, align=1)[size - self.stale_bytes :] = b"s" * self.stale_bytes
        arena.rewind(self.num_bytes - self.stale_bytes)

    def keep(self, taken: memoryview | None) -> None:
        self.taken = taken

    def check_taken(self, arena: vmem.Arena, before: int) -> None:
        """Checks that the allocation lies where it does without failures, reads zero and can be written."""
        if self.used is None:
            self.used = arena.used
        assert arena.used == self.used
        if self.taken is None:
            return
        with self.taken as taken:
            assert address_of(taken) + len(taken) == self.start + arena.used
            assert bytes(taken) == bytes(len(taken))
            taken[:] = b"w" * len(taken)
        del self.taken

    def check(self, arena: vmem.Arena, is_clean: bool) -> None:
        first = check_pages(self.start, arena.capacity, arena.used, is_clean)
        assert first >= arena.committed
        assert not is_clean or first == arena.committed


class Trim(Explorer):
    """Like ShrinkToFit."""

    def __init__(self, num_bytes: int) -> None:
        super().__init__()
        self.num_bytes = num_bytes

    def try_once(self, plan: Plan) -> list[str]:
        arena = vmem.Arena(CAPACITY)
        view = arena.alloc(10)
        view[:] = b"0123456789"
        start, mark = place_of_arena(arena)[0], arena.mark()
        arena.alloc(self.num_bytes)[:] = b"s" * self.num_bytes
        arena.rewind(mark)
        calls, raised = self.call_with(plan, arena.trim)
        is_clean = left_clean(plan, calls)
        assert arena.used == 10
        check_pages(start, arena.capacity, PAGE, is_clean, has_hole=raised is not None)
        if self.num_cases % 2:
            with arena.alloc(self.num_bytes) as taken:
                assert bytes(taken) == bytes(self.num_bytes)
            arena.rewind(mark)
        arena.trim()
        assert (arena.used, arena.committed) == (10, PAGE)
        first = check_pages(start, arena.capacity, PAGE, is_clean)
        assert not is_clean or first == PAGE
        assert bytes(view) == b"0123456789"
        return calls


class MakeArena(Explorer):
    """A call of Arena()."""

    def make(self) -> None:
        self.arena = vmem.Arena(CAPACITY, alignment=64)

    def class_of(self, error: int) -> type[Exception]:
        return class_of_reserve(error)

    def try_once(self, plan: Plan) -> list[str]:
        addresses = status_bytes("VmSize")
        calls, raised = self.call_with(plan, self.make)
        if raised:
            assert status_bytes("VmSize") < addresses + CAPACITY // 2
            self.make()
        arena = self.arena
        del self.arena
        start, size = place_of_arena(arena)
        arena.alloc(10)
        assert permissions_in(start, size) == [(0, PAGE, "rw-p"), (PAGE, size, "---p")]
        del arena
        assert status_bytes("VmSize") < addresses + CAPACITY // 2
        return calls


# --- rings ---

RING_ITEMS = 3 * PAGE  # in bytes, as items are
RING_MAPPINGS = ["r--p", "r--s", "rw-p", "rw-s"]  # what a ring's addresses can be after any failure


def ring_mappings() -> list[str]:
    """The permissions of all mappings of rings."""
    return [line.split()[1] for line in read_lines("/proc/self/maps") if "vmem-ring" in line]


def use_ring(ring: vmem.Ring[int]) -> None:
    ring.extend(b"x" * (RING_ITEMS - 3))
    for byte in b"abcdef":  # over the end of the memory
        ring.append(byte)
    assert bytes(ring.latest(8)) == b"xxabcdef"
    ring.prepare(5)[:] = b"12345"
    ring.advance(3)
    assert bytes(ring.window(ring.total - 4, 4)) == b"f123"
    assert list(ring)[-1] == ring[-1] == ord("3")
    ring.consume(2)
    ring.clear()
    assert bytes(ring) == b""


def full_ring() -> vmem.Ring[int]:
    ring = vmem.Ring("B", RING_ITEMS)
    ring.extend(bytes(2 * RING_ITEMS))
    return ring


class MakeRing(Explorer):
    """A call of Ring(). A failure leaves nothing behind, but where unmapping fails, too."""

    num_opened = 1
    also_raised = (vmem.OutOfMemoryError, NotImplementedError, OSError)

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def class_of(self, error: int) -> type[Exception]:
        return class_of_reserve(error)

    def make(self) -> None:
        self.ring = vmem.Ring("B", RING_ITEMS, **self.options)

    def try_once(self, plan: Plan) -> list[str]:
        before = len(ring_mappings())
        calls, raised = self.call_with(plan, self.make)
        if raised:
            assert len(ring_mappings()) == before or not left_clean(plan, calls)
            before = len(ring_mappings())
            self.make()
        assert ring_mappings()[before:] == ["rw-s", "rw-s"] or len(ring_mappings()) == before + 2
        use_ring(self.ring)
        del self.ring
        assert len(ring_mappings()) == before
        return calls


class AttachRing(Explorer):
    """A call of attach(), which gives a reader."""

    num_opened = 1
    also_raised = (vmem.OutOfMemoryError, NotImplementedError, OSError, BlockingIOError, ValueError)

    def __init__(self) -> None:
        super().__init__()
        self.maker = vmem.Ring("B", RING_ITEMS, shared=True)
        self.maker.extend(b"abc")

    def make(self) -> None:
        self.reader = vmem.attach(self.maker.fileno())

    def try_once(self, plan: Plan) -> list[str]:
        before = len(ring_mappings())
        calls, raised = self.call_with(plan, self.make)
        if raised:
            assert len(ring_mappings()) == before or not left_clean(plan, calls)
            self.make()
        reader = self.reader
        assert isinstance(reader, vmem.Ring)
        assert (bytes(reader), reader.readonly) == (b"abc", True)
        del self.reader
        return calls


@dataclass
class ChangeInChild(Explorer):
    """What a forked child does with a ring before anything else: it becomes a reader, whatever fails, and what was
    prepared can be written or, at worst, read."""

    is_prepared: bool

    def __post_init__(self) -> None:
        super().__init__()
        self.makes_system_calls = True

    def try_once(self, plan: Plan) -> list[str]:
        ring = full_ring()
        ring.extend(b"hello")
        view = ring.prepare(10) if self.is_prepared else ring.latest(10)
        before = len(ring_mappings())
        calls, raised = self.call_with(plan, _vmem._change_in_child)
        is_clean = left_clean(plan, calls)
        assert raised is None
        assert ring.readonly
        assert bytes(ring.latest(5)) == b"hello"
        try:
            ring.append(1)
        except TypeError:
            pass
        else:
            raise AssertionError("a reader writes")
        assert len(bytes(view)) == 10
        permissions = set(ring_mappings())
        assert permissions <= set(RING_MAPPINGS)
        if not plan.failed(len(calls)):
            assert permissions == ({"r--s", "rw-p"} if self.is_prepared else {"r--s"})
        if "rw-p" in permissions and len(ring_mappings()) == before + 2:
            view.cast("B")[0] = 7
        del ring, view
        assert ring_mappings() == [] or not is_clean
        for start, size in self.find_left():
            assert ctypes.CDLL(None).munmap(ctypes.c_void_p(start), ctypes.c_size_t(size)) == 0
        return calls

    def find_left(self) -> Iterator[tuple[int, int]]:
        """What a failure to unmap has left behind."""
        for line in read_lines("/proc/self/maps"):
            if "vmem-ring" in line:
                first, last = (int(address, 16) for address in line.split()[0].split("-"))
                yield first, last - first


# --- calls that make no system call ---


class WithoutSystemCalls(Explorer):
    """Calls that make no system calls, so that they cannot fail."""

    makes_system_calls = False

    def __init__(self, make: Callable[[], Any], call: Callable[[Any], object]) -> None:
        super().__init__()
        self.make = make
        self.call = call

    def try_once(self, plan: Plan) -> list[str]:
        made = self.make()
        calls, raised = self.call_with(plan, lambda: self.call(made))
        assert raised is None
        return calls


PAIR = vmem.Array("i", [5, 6])


def use_array(made: vmem.Array[int]) -> None:
    made.pop()
    made.pop(3)
    made.remove(made[7])
    del made[5]
    del made[5:9]
    del made[::2]
    made[2:4] = PAIR
    made *= 1
    made.reverse()
    made.byteswap()
    made.append(1)
    made.insert(0, 2)
    made.clear()


def arena_in_use() -> vmem.Arena:
    arena = vmem.Arena(CAPACITY)
    arena.alloc(SMALL)
    return arena


def use_arena(arena: vmem.Arena) -> None:
    with arena.scope():
        pass
    mark = arena.mark()
    arena.rewind(mark)
    arena.reset()
    arena.alloc(100)
    arena.alloc(100, zero=False, align=PAGE)
    with arena.scope():
        arena.alloc(10)
    arena.reset()


# --- all of them ---

TEN = list(range(1000, 1010))
MANY = list(range(PAGE))  # four pages
BYTES = array.array("i", MANY).tobytes()
DOUBLES = vmem.Array("d").__arrow_c_schema__()


def slowly(numbers: list[int]) -> Iterator[int]:
    """An iterator without a length hint."""
    yield from numbers


def alloc_in_scope(arena: vmem.Arena) -> None:
    with arena.scope():
        arena.alloc(100)


def set_slice(made: vmem.Array[int], key: slice, items: vmem.Array[int]) -> None:
    made[key] = items


def array_cases() -> dict[str, Callable[[], Explorer]]:
    more = vmem.Array("i", MANY)
    plain = array.array("i", MANY)
    return {
        "append": lambda: ArrayCall(lambda made: made.append(7), asks_for_less=True),
        "append, first": lambda: ArrayCall(lambda made: made.append(7), 0, reads_too=True),
        "append, large": lambda: ArrayCall(lambda made: made.append(7), LARGE, asks_for_less=True),
        "insert": lambda: ArrayCall(lambda made: made.insert(5, 7), asks_for_less=True),
        "extend, list": lambda: ArrayCall(lambda made: made.extend(MANY), can_take_part=True),
        "extend, iterator": lambda: ArrayCall(lambda made: made.extend(slowly(MANY)), can_take_part=True),
        "extend, array": lambda: ArrayCall(lambda made: made.extend(more)),
        "extend, buffer": lambda: ArrayCall(lambda made: made.extend(plain)),
        "extend, itself": lambda: ArrayCall(lambda made: made.extend(made)),
        "extend, view of itself": lambda: ArrayCall(lambda made: made.extend(memoryview(made))),
        "fromlist": lambda: ArrayCall(lambda made: made.fromlist(MANY)),
        "frombytes": lambda: ArrayCall(lambda made: made.frombytes(BYTES)),
        "frombytes, large": lambda: ArrayCall(lambda made: made.frombytes(bytes(LARGE)), LARGE),
        "fromfile": lambda: ArrayCall(lambda made: made.fromfile(io.BytesIO(BYTES), len(MANY))),
        "+=": lambda: ArrayCall(lambda made: made.__iadd__(more)),
        "*=": lambda: ArrayCall(lambda made: made.__imul__(3)),
        "set slice": lambda: ArrayCall(lambda made: set_slice(made, slice(3, 9), more)),
        "set slice, itself": lambda: ArrayCall(lambda made: set_slice(made, slice(3, 3), made)),
        "shrink_to_fit": lambda: ShrinkToFit(SMALL),
        "shrink_to_fit, long": lambda: ShrinkToFit(LONG),
        "shrink_to_fit, exported": lambda: ShrinkToFit(2 * SMALL, SMALL),
        "shrink_to_fit, exported, long": lambda: ShrinkToFit(2 * LONG, LONG, reads_too=False),
        "Array()": lambda: MakeSmallArray(lambda _: vmem.Array("i")),
        "Array(), first": lambda: MakeFirstArray(lambda _: vmem.Array("i", TEN)),
        "Array(), capacity": lambda: MakeArray(
            lambda _: vmem.Array("i", TEN, capacity=CAPACITY // ITEM), reads_too=True
        ),
        "Array(), iterator": lambda: MakeArray(lambda _: vmem.Array("i", slowly(MANY))),
        "Array(), bytes": lambda: MakeArray(lambda _: vmem.Array("i", BYTES)),
        "Array(), buffer": lambda: MakeArray(lambda _: vmem.Array("i", plain)),
        "Array(), array": lambda: MakeArray(lambda source: vmem.Array("i", source)),
        "slice": lambda: MakeArray(lambda source: source[3:9]),
        "slice, stepping": lambda: MakeArray(lambda source: source[::-2]),
        "copy": lambda: MakeArray(copy.copy),
        "deepcopy": lambda: MakeArray(copy.deepcopy),
        "+": lambda: MakeArray(lambda source: source + more),
        "*": lambda: MakeArray(lambda source: source * 3),
        "pickle": lambda: MakeArray(lambda source: pickle.loads(pickle.dumps(source))),
        "export to Arrow": lambda: Export(lambda made: made.__arrow_c_array__()),
        "export to Arrow, converted": lambda: Export(lambda made: made.__arrow_c_array__(DOUBLES)),
        "export to DLPack": lambda: Export(lambda made: made.__dlpack__()),
        "export to DLPack, versioned": lambda: Export(lambda made: made.__dlpack__(max_version=(1, 0))),
        "export to DLPack, copied": lambda: Export(lambda made: made.__dlpack__(copy=True)),
        "drop export": lambda: Drop(held_array, lambda held: (held[0], CAPACITY)),
        "drop array": lambda: Drop(lambda: full_array(LARGE), place_of_array),
        "shared, append": lambda: SharedArrayCall(lambda made: made.append(7), asks_for_less=True),
        "shared, append, first": lambda: SharedArrayCall(lambda made: made.append(7), 0, reads_too=True),
        "shared, extend, iterator": lambda: SharedArrayCall(lambda made: made.extend(slowly(MANY)), can_take_part=True),
        "shared, extend, itself": lambda: SharedArrayCall(lambda made: made.extend(made)),
        "shared, frombytes": lambda: SharedArrayCall(lambda made: made.frombytes(BYTES)),
        "shared, *=": lambda: SharedArrayCall(lambda made: made.__imul__(3)),
        "shared, Array()": lambda: MakeSharedArray(lambda _: vmem.Array("i", shared=True)),
        "shared, Array(), capacity": lambda: MakeSharedArray(
            lambda _: vmem.Array("i", TEN, shared=True, capacity=CAPACITY // ITEM)
        ),
        "shared, attach": lambda: MakeSharedArray(attach),
        "shared, become a reader": BecomeReader,
        "shared, become a reader, not exported": lambda: BecomeReader(0),
        "shared, drop": lambda: Drop(lambda: shared_array(LARGE), place_of_array, is_shared=True),
        "array without system calls": lambda: WithoutSystemCalls(lambda: full_array(SMALL), use_array),
    }


def arena_cases() -> dict[str, Callable[[], Explorer]]:
    return {
        "Arena()": MakeArena,
        "alloc": lambda: ArenaCall(lambda arena: arena.alloc(100), asks_for_less=True),
        "alloc, first": lambda: ArenaCall(lambda arena: arena.alloc(100), 0, reads_too=True),
        "alloc, aligned": lambda: ArenaCall(lambda arena: arena.alloc(100, align=PAGE)),
        "alloc, not zeroed": lambda: ArenaCall(lambda arena: arena.alloc(3 * PAGE, zero=False)),
        "alloc, stale": lambda: ArenaCall(lambda arena: arena.alloc(3 * PAGE), stale_bytes=100),
        "alloc, large": lambda: ArenaCall(lambda arena: arena.alloc(100), LARGE, asks_for_less=True),
        "alloc, very large": lambda: ArenaCall(lambda arena: arena.alloc(LARGE)),
        "drop arena": lambda: Drop(arena_in_use, place_of_arena),
        "alloc in a scope": lambda: ArenaCall(alloc_in_scope),
        "trim": lambda: Trim(SMALL),
        "trim, long": lambda: Trim(LONG),
        "arena without system calls": lambda: WithoutSystemCalls(arena_in_use, use_arena),
    }


def ring_cases() -> dict[str, Callable[[], Explorer]]:
    return {
        "Ring()": MakeRing,
        "Ring(), shared": lambda: MakeRing(shared=True),
        "Ring(), prefault and lock": lambda: MakeRing(prefault=True, lock=True),
        "attach, ring": AttachRing,
        "ring in a child": lambda: ChangeInChild(False),
        "ring in a child, prepared": lambda: ChangeInChild(True),
        "drop ring": lambda: Drop(full_ring, place_of_ring, is_shared=True),
        "ring without system calls": lambda: WithoutSystemCalls(full_ring, use_ring),
    }


CASES = {**array_cases(), **arena_cases(), **ring_cases()}


if __name__ == "__main__":
    explore_case(sys.argv[1], CASES)
