"""Calls that take long: signals stop them, and what others can do with their pages meanwhile."""

from __future__ import annotations

import _thread
import operator
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

import vmem
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python
from tests.support.signals import is_at_work, visit
from tests.support.system import lockable_bytes, mappings_in, permissions_in, status_bytes
from vmem import Protection, _vmem

pytestmark = [posix_only, pytest.mark.in_child]

MIB = 1 << 20
STRIDE = 8 * MIB

Verb = Callable[[vmem.Region, int], object]

VERBS: dict[str, Verb] = {
    "prefault": lambda region, size: region.prefault(0, size),
    "commit and prefault": lambda region, size: region.commit(0, size, prefault=True),
    "lock": lambda region, size: region.lock(0, size),
    "unlock": lambda region, size: region.unlock(0, size),
    "count the resident part of": lambda region, size: region.resident(0, size),
    "decommit": lambda region, size: region.decommit(0, size),
    "discard": lambda region, size: region.discard(0, size),
}
EXCLUSIVE = ("decommit", "discard")

# How much of it each verb works on. Pages that were never touched cost no memory.
LARGE = 1 << 30 if sys.maxsize > 2**32 else 1 << 28  # what 32 bits can name twice
SIZES = dict.fromkeys(VERBS, 64 * MIB) | dict.fromkeys((*EXCLUSIVE, "count the resident part of"), LARGE)
SIZES |= dict.fromkeys(("lock", "unlock"), lockable_bytes(64 * MIB))


# The methods in C. Python code between a signal and the call would run the handler before the call.
METHODS: dict[str, Callable[[vmem.Region, int, int], object]] = {
    "prefault": _vmem.Region.prefault,
    "commit and prefault": _vmem.Region._commit_and_prefault,
    "lock": _vmem.Region.lock,
    "unlock": _vmem.Region.unlock,
    "count the resident part of": _vmem.Region.resident,
    "decommit": _vmem.Region.decommit,
    "discard": _vmem.Region.discard,
}


def interrupt_once(action: Callable[[], object], call: Callable[[], object]) -> None:
    """Makes a call of one of METHODS, and runs an action in a signal handler after its first chunk."""
    previous = signal.signal(signal.SIGINT, lambda number, frame: action())
    try:
        list(map(operator.call, (_thread.interrupt_main, call)))
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def region_for(verb: str) -> Iterator[vmem.Region]:
    """A region twice as large as the verb works on, with nothing around it."""
    region = vmem.reserve(2 * SIZES[verb], alignment=LARGE)
    yield region
    region._release_deferred()


def fill(region: vmem.Region, size: int) -> None:
    """Commits, and writes the number of every stride, from 1, to its first byte."""
    region.commit(0, size)
    for offset in range(0, size, STRIDE):
        region[offset] = offset // STRIDE + 1


def filled(region: vmem.Region, size: int) -> list[bool]:
    """Which strides still hold their byte. Those without must be zero, or not committed."""
    kept: list[bool] = []
    for offset in range(0, size, STRIDE):
        value = region[offset] if region.is_committed(offset, 1) else 0
        assert value in (0, offset // STRIDE + 1)
        kept.append(value != 0)
    return kept


def interrupt(region: vmem.Region, verb: str, error: type[BaseException]) -> None:
    """Lets a signal handler raise an exception in the middle of a call."""

    def stop() -> None:
        raise error("from a handler")

    def prepare() -> None:
        if verb != "commit and prefault":
            fill(region, SIZES[verb])
        elif region.committed:
            region.decommit()

    with pytest.raises(error, match="from a handler"):
        visit(region, stop, lambda: VERBS[verb](region, SIZES[verb]), prepare)
    assert not is_at_work(region)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
@pytest.mark.parametrize("verb", VERBS)
def test_a_handler_that_raises_stops_the_call(verb: str, error: type[BaseException]) -> None:
    size = SIZES[verb]
    with region_for(verb) as region:
        interrupt(region, verb, error)
        kept = filled(region, size)
        if verb in EXCLUSIVE:
            assert not kept[0]
            assert kept == sorted(kept), "it went on behind where it stopped"
        else:
            assert all(kept) is (verb != "commit and prefault")
        VERBS[verb](region, size)
        region.commit(0, size)
        fill(region, size)
        assert all(filled(region, size))
        region.release()


@linux_only
@pytest.mark.parametrize("verb", VERBS)
def test_the_record_of_a_stopped_call_is_what_the_system_has(verb: str, page: int) -> None:
    size = SIZES[verb]
    with region_for(verb) as region:
        interrupt(region, verb, KeyboardInterrupt)
        committed = [(each.offset, each.offset + each.num_bytes) for each in region.ranges() if each.committed]
        usable = permissions_in(region.address, region.size)
        assert committed == [(start, end) for start, end, permissions in usable if permissions == "rw-p"]
        assert all(permissions in ("rw-p", "---p") for _, _, permissions in usable)
        assert region.committed == sum(end - start for start, end in committed)
        assert committed == ([] if verb == "commit and prefault" else [(0, size)]) or verb == "decommit"


@linux_only
@pytest.mark.exact_memory  # sanitizers lock nothing
def test_a_stopped_lock_takes_its_locks_back(page: int) -> None:
    before = status_bytes("VmLck")
    size = SIZES["lock"]
    with region_for("lock") as region:
        region.commit(0, page)
        region.lock(0, page)
        region[0] = 1
        with pytest.raises(KeyboardInterrupt):
            visit(region, raise_interrupt, lambda: region.lock(0, size), lambda: relock_first(region, size))
        assert status_bytes("VmLck") - before == page
        region.lock(0, size)
        assert status_bytes("VmLck") - before == size
    assert status_bytes("VmLck") == before


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def relock_first(region: vmem.Region, size: int) -> None:
    region.commit(0, size)
    region.unlock(0, size)
    region.lock(0, 1)


@linux_only
def test_a_stopped_commit_leaves_what_was_committed(page: int) -> None:
    size = SIZES["commit and prefault"]
    with region_for("commit and prefault") as region:

        def prepare() -> None:
            region.decommit()
            region.commit(STRIDE, 2 * page)
            region[STRIDE] = 5
            region.protect(Protection.READ, STRIDE + page, page)

        with pytest.raises(KeyboardInterrupt):
            visit(region, raise_interrupt, lambda: region.commit(0, size, prefault=True), prepare)
        assert [(each.offset, each.num_bytes, each.protection) for each in region.ranges() if each.committed] == [
            (STRIDE, page, Protection.READ_WRITE),
            (STRIDE + page, page, Protection.READ),
        ]
        assert permissions_in(region.address + STRIDE - page, 4 * page) == [
            (0, page, "---p"),
            (page, 2 * page, "rw-p"),
            (2 * page, 3 * page, "r--p"),
            (3 * page, 4 * page, "---p"),
        ]
        assert region[STRIDE] == 5
        region.commit(0, size, prefault=True)
        assert region.resident(0, size) >= size - page
        assert region[STRIDE] == 5
        assert not any(region[offset] for offset in range(0, size, STRIDE) if offset != STRIDE)


@linux_only
@pytest.mark.parametrize("verb", [*sorted(set(VERBS) - {"lock"}), pytest.param("lock", marks=pytest.mark.exact_memory)])
def test_a_handler_that_returns_lets_the_call_finish(verb: str) -> None:
    size = SIZES[verb]
    locked = status_bytes("VmLck")
    with region_for(verb) as region:

        def prepare() -> None:
            region.decommit()
            if verb != "commit and prefault":
                fill(region, size)
            if verb == "unlock":
                region.lock(0, size)

        visit(region, lambda: None, lambda: VERBS[verb](region, size), prepare)
        assert region.committed == (0 if verb == "decommit" else size)
        assert not is_at_work(region)
        assert any(filled(region, size)) is (verb not in (*EXCLUSIVE, "commit and prefault"))
        assert status_bytes("VmLck") - locked == (size if verb == "lock" else 0)
        if verb in ("prefault", "commit and prefault", "lock"):
            assert region.resident(0, size) == size


CHANGES: dict[str, Callable[[vmem.Region, int], object]] = {
    "commit": lambda region, page: region.commit(page, page),
    "commit and prefault": lambda region, page: region.commit(page, page, prefault=True),
    "decommit": lambda region, page: region.decommit(page, page),
    "discard": lambda region, page: region.discard(page, page),
    "protect": lambda region, page: region.protect(Protection.READ, page, page),
    "lock": lambda region, page: region.lock(page, page),
    "unlock": lambda region, page: region.unlock(page, page),
}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(BufferError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("verb", VERBS)
def test_changes_in_the_middle_of_a_call_are_refused(verb: str, page: int) -> None:
    """The message names what was refused and what is at work."""
    size = SIZES[verb]
    with region_for(verb) as region:
        region.commit(size, page)
        region[size] = 9
        messages: dict[str, str] = {}

        def prepare() -> None:
            if verb != "commit and prefault":
                fill(region, size)
            else:
                region.decommit(0, size)

        def meet() -> None:
            for change, call in CHANGES.items():
                messages[change] = refusal(lambda call=call: call(region, page))  # type: ignore[misc]
            messages["release"] = refusal(region.release)
            region.commit(size + page, page)
            region[size + page] = region[size] + 1
            region.decommit(size + 2 * page, page)

        visit(region, meet, lambda: VERBS[verb](region, size), prepare)
        for change, message in messages.items():
            first, last = (0, region.size) if change == "release" else (page, 2 * page)
            assert re.match(
                f"cannot {change} bytes {first} to {last} of this region while a call to {verb} bytes 0 to {size} "
                "is in progress;",
                message,
            )
        assert (region[size], region[size + page]) == (9, 10)
        region.release()


@pytest.mark.parametrize("verb", VERBS)
def test_the_pages_beside_those_of_a_call_can_be_changed(verb: str, page: int) -> None:
    size = SIZES[verb]
    refused: list[str] = []
    with region_for(verb) as region:
        region.commit(0, page)
        region.commit(page + size, page)
        if verb != "commit and prefault":
            region.commit(page, size)

        def change() -> None:
            for beside in (0, page + size):
                region[beside : beside + page] = b"x" * page
                region.view(beside, page).release()
                region.protect(Protection.READ, beside, page)
                region.decommit(beside, page)
                region.commit(beside, page)
            refused.extend(refusal(partial(region.commit, offset, 1)) for offset in (page, page + size - 1))

        interrupt_once(change, partial(METHODS[verb], region, page, size))
        assert ["is in progress" in message for message in refused] == [True, True]
        assert region.is_committed(0, page)
        assert region.is_committed(page + size, page)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in (*EXCLUSIVE, "commit and prefault")])
def test_pages_can_be_used_in_the_middle_of_most_calls(verb: str, page: int) -> None:
    size = SIZES[verb]
    with region_for(verb) as region:
        views: list[memoryview] = []

        def use() -> None:
            assert region[STRIDE] == 2 or size <= STRIDE
            region[5] = 77
            region[10:13] = b"abc"
            views.append(region[0:page])
            views[0][6] = 88
            assert region.is_committed(0, size)
            assert region.resident(0, page) == page
            region.prefault(0, page)

        visit(region, use, lambda: VERBS[verb](region, size), lambda: fill(region, size))
        assert bytes(region[5:7]) == b"MX"
        assert bytes(views[0][10:13]) == b"abc"
        assert all(filled(region, size))


@pytest.mark.parametrize("verb", EXCLUSIVE)
def test_pages_cannot_be_used_while_they_are_dropped(verb: str) -> None:
    """Those that are still there are refused; those that are not committed any more are just that."""
    size = SIZES[verb]
    with region_for(verb) as region:
        last = size - 1
        refused: list[type[Exception]] = []

        def attempt(call: Callable[[], object]) -> None:
            with pytest.raises((BufferError, ValueError)) as caught:
                call()
            refused.append(caught.type)

        def use() -> None:
            attempt(lambda: region[last])
            attempt(lambda: region.__setitem__(last, 1))
            attempt(lambda: region[last:size])
            attempt(lambda: region.view(last, 1, readonly=True))
            attempt(lambda: region.__setitem__(slice(last, size), b"x"))
            attempt(lambda: region.prefault(last, 1))

        for _ in range(1000):  # until one is met before its end
            refused.clear()
            visit(region, use, lambda: VERBS[verb](region, size), lambda: fill(region, size))
            if refused[0] is BufferError:
                break
        assert refused == [BufferError] * 6
        assert region.view(size, 0).nbytes == 0


@pytest.mark.parametrize("verb", ["commit and prefault"])
def test_pages_are_not_committed_until_they_are_prefaulted(verb: str) -> None:
    size = SIZES[verb]
    with region_for(verb) as region:

        def use() -> None:
            assert region.committed == 0
            assert not region.is_committed(0, 1)
            with pytest.raises(ValueError, match="not committed"):
                region[0]

        visit(region, use, lambda: VERBS[verb](region, size), region.decommit)
        assert region.committed == size


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("prefault", "count the resident part of")])
def test_commits_during_a_call_leave_it_the_spans_it_needs(verb: str, page: int) -> None:
    """A call allocates the spans that it will need when it begins. If others used them up, recording it would crash."""
    size = min(SIZES[verb], 32 * MIB)
    with region_for(verb) as region:
        if verb == "commit and prefault":
            for offset in range(0, size, size // 128):
                region.commit(offset, page)
                region.protect(Protection.READ, offset, page)
        else:
            region.commit(0, size)
        if verb == "unlock":
            region.lock(0, size)

        def commit() -> None:
            for number in range(100):
                region.commit(size + (2 * number + 1) * page, page)

        interrupt_once(commit, partial(METHODS[verb], region, page, size - 2 * page))
        parts = region.map().parts
        assert [part[:2] for part in parts if part.offset > size and part.committed] == [
            (size + (2 * number + 1) * page, page) for number in range(100)
        ]
        changes: dict[str, Callable[[vmem.MemoryPart], bool]] = {
            "decommit": lambda part: not part.committed,
            "commit and prefault": lambda part: part.committed,
            "lock": lambda part: part.locked,
            "unlock": lambda part: not part.locked,
            "discard": lambda part: part.committed,
        }
        inside = [part for part in parts if page <= part.offset < size - page]
        assert all(map(changes[verb], inside))
        if verb in ("lock", "unlock", "decommit"):
            assert [part[:2] for part in inside] == [(page, size - 2 * page)]
        region.release()


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_whose_mark_cannot_be_allocated_keeps_no_spans(verb: str) -> None:
    """Its spans are allocated before the mark."""
    pytest.importorskip("_testcapi", reason="this Python comes without the module that lets its allocations fail")
    run_python(
        f"""
import sys, _testcapi, vmem
from vmem import _vmem
page, size = vmem.get_page_size(), 5 << 20
region = vmem.reserve(4 * size)

def prepare():
    if "{verb}" == "commit and prefault":
        region.decommit()
        for number in range(5):
            region.commit(2 * number * page, page)
            region.protect(vmem.Protection.READ, 2 * number * page, page)
    else:
        region.commit(0, 2 * size)

def is_refused(num_allocations):
    prepare()
    _testcapi.set_nomemory(num_allocations, num_allocations + 1)
    try:
        _vmem.Region.{METHODS[verb].__name__}(region, page, size)
    except MemoryError:
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False

refused = []
for num_allocations in range(8):
    for _ in range(3):
        is_refused(num_allocations)
    before = sys.getallocatedblocks()
    refused.append(sum([is_refused(num_allocations) for _ in range(30)]))
    kept = sys.getallocatedblocks() - before
    assert kept < 60, (num_allocations, kept)
assert refused[0] == 30, refused
"""
    )


@linux_only
@pytest.mark.exact_memory
def test_a_refused_commit_keeps_no_spans() -> None:
    run_python(
        """
import resource, sys, vmem
from vmem import _vmem
page, size = vmem.get_page_size(), 64 << 20
region = vmem.reserve(2 * size)
for number in range(20):
    region.commit(2 * number * page, page)
resource.setrlimit(resource.RLIMIT_DATA, (_vmem.get_limits()["data_used"] + (size >> 1), -1))

def is_refused():
    try:
        region.commit(0, size, prefault=True)
    except vmem.OutOfMemoryError:
        return True

for _ in range(3):
    is_refused()
before = sys.getallocatedblocks()
assert all([is_refused() for _ in range(100)])
assert sys.getallocatedblocks() - before < 200, sys.getallocatedblocks() - before
assert region.committed == 20 * page
"""
    )


@linux_only
@pytest.mark.parametrize("verb", VERBS)
def test_memory_goes_when_a_call_on_an_abandoned_region_ends(verb: str) -> None:
    """As when an exception leaves a `with region:` while another thread is in a call."""
    size = SIZES[verb]
    locked = status_bytes("VmLck")
    region = vmem.reserve(2 * size, alignment=LARGE)
    address = region.address
    if verb != "commit and prefault":
        fill(region, size)

    def leave() -> None:
        with pytest.raises(KeyError), region:
            raise KeyError
        assert region.released
        assert mappings_in(address, 1) != []

    with pytest.raises(ValueError, match=f"this region of {2 * size} bytes has been released"):
        interrupt_once(leave, partial(METHODS[verb], region, 0, size))
    assert mappings_in(address, region.size) == []
    assert status_bytes("VmLck") == locked
    assert region.committed == 0
    region.release()


@linux_only
def test_a_with_block_left_by_an_exception_while_another_thread_is_at_work() -> None:
    outcomes: list[str] = []

    def prefault(region: vmem.Region) -> None:
        try:
            while True:
                region.prefault(0, 256 * MIB)
                region.discard(0, 256 * MIB)
        except (BufferError, ValueError) as error:
            outcomes.append(str(error))

    region = vmem.reserve(LARGE, alignment=LARGE)
    address = region.address
    thread = threading.Thread(target=prefault, args=(region,))
    with pytest.raises(KeyError), region:
        region.commit(0, 256 * MIB)
        thread.start()
        while thread.is_alive() and not is_at_work(region):
            pass
        raise KeyError
    thread.join()
    assert outcomes == [f"this region of {LARGE} bytes has been released"]
    assert mappings_in(address, LARGE) == []


VISIT = """
import os, signal, sys, threading, vmem
from tests.support.signals import is_at_work, visit
from tests.support.system import permissions_in
MIB = 1 << 20
region = vmem.reserve(1 << 30)
children = []
def usable_bytes():
    runs = permissions_in(region.address, region.size)
    return sum(end - start for start, end, permissions in runs if permissions == "rw-p")
def end_child():
    sys.stdout.flush()
    os._exit(0)
def wait_for(child):
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
def start_at_work(call):
    thread = threading.Thread(target=call)
    thread.start()
    while thread.is_alive() and not is_at_work(region):
        pass
    return thread
"""


@pytest.mark.parametrize("verb", ["prefault", "decommit", "discard", "lock", "resident", "commit"])
def test_a_handler_that_forks(verb: str) -> None:
    """Both processes finish the call, and can go on to use the region and to release it."""
    run_python(
        VISIT
        + f"""
size = {SIZES["lock"] if verb == "lock" else "64 * MIB"}
parent = os.getpid()
def prepare():
    region.decommit()
    if "{verb}" != "commit":
        region.commit(0, size)
        region[5] = 5
def call():
    region.{verb}(0, size{", prefault=True" if verb == "commit" else ""})
def fork():
    signal.setitimer(signal.ITIMER_REAL, 0)
    children.append(os.fork())
visit(region, fork, call, prepare)
assert len(children) == 1 and not is_at_work(region)
assert region.is_committed(0, size) == ("{verb}" != "decommit")
assert "{verb}" in ("commit", "decommit", "discard") or region[5] == 5
region.commit(0, size)
region[0:size] = bytes(size)
region.release()
if os.getpid() != parent:
    end_child()
wait_for(children[0])
"""
    )


def test_a_handler_that_forks_and_whose_child_uses_the_pages_elsewhere() -> None:
    """Another thread of the child cannot know that the call will go on. It may use the pages, and the call ends."""
    run_python(
        VISIT
        + """
parent = os.getpid()
def use():
    region.decommit()
    region.commit(0, MIB)
    region[0] = 3
def fork():
    signal.setitimer(signal.ITIMER_REAL, 0)
    children.append(os.fork())
    if os.getpid() != parent:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
def prepare():
    region.decommit()
    region.commit(0, 64 * MIB)
    region[0] = 1
try:
    visit(region, fork, lambda: region.prefault(0, 64 * MIB), prepare)
except BufferError as error:
    assert "of this region after a fork" in str(error)
    assert os.getpid() != parent
    assert region.committed == MIB and region[0] == 3
    region.release()
    end_child()
assert os.getpid() == parent and region[0] == 1
wait_for(children[0])
"""
    )


INTERRUPT = """
import _thread, operator, os, signal, sys, threading, vmem
from functools import partial
from vmem import _vmem
page = vmem.get_page_size()
region = vmem.reserve(1 << 30)
children = []

class NextSignal:
    __del__ = _thread.interrupt_main

def interrupt(actions, call):
    '''Makes a call, and runs each action in a signal handler, one after each of the first chunks.'''
    actions = list(actions)
    def handle(number, frame):
        action = actions.pop(0)
        # Deleted when the function has returned to C. Python code after the signal would run the handler too early.
        next_signal = NextSignal() if actions else None
        action()
    signal.signal(signal.SIGINT, handle)
    list(map(operator.call, (_thread.interrupt_main, call)))
    assert actions == []

def fork():
    children.append(os.fork())

def in_thread(action):
    failures = []
    def run():
        try:
            action()
        except BaseException as error:
            failures.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]

def end():
    '''Ends the child, and waits for it in the parent.'''
    if children == [0]:
        sys.stdout.flush()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
"""

# Three chunks or more; one where the process may not lock so much.
THREE_CHUNKS = dict.fromkeys(VERBS, 96 * MIB) | {"lock": lockable_bytes(96 * MIB)}


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_that_lost_its_pages_in_a_forked_child_changes_nothing(verb: str) -> None:
    """Another thread of the child has decommitted them. Undoing the call would change pages that are there no more."""
    run_python(
        INTERRUPT
        + f"""
size, method = {THREE_CHUNKS[verb]}, _vmem.Region.{METHODS[verb].__name__}
def use():
    region.decommit()
    region.commit(4 * page, 2 * page)
    region[5 * page] = 3
def fork_and_use():
    fork()
    if children == [0]:
        in_thread(use)
if "{verb}" != "commit and prefault":
    region.commit(0, size + page)
try:
    interrupt([fork_and_use], partial(method, region, page, size))
except BufferError as error:
    assert children == [0]
    assert f"bytes {{page}} to {{size + page}} of this region after a fork" in str(error), error
    assert [each[:3] for each in region.ranges()] == [
        (0, 4 * page, False), (4 * page, 2 * page, True), (6 * page, (1 << 30) - 6 * page, False)], region.ranges()
    assert region[5 * page] == 3
    assert region.map().locked == 0
else:
    assert children != [0]
region.commit()
region[size] = 1
region.lock(0, 2 * page)
region.unlock(0, 2 * page)
region.release()
end()
"""
    )


@pytest.mark.parametrize("verb", VERBS)
def test_the_child_of_a_handler_that_forks_cannot_change_the_pages_either(verb: str) -> None:
    """The call goes on in both processes: the handler is refused, and so is another thread later."""
    run_python(
        INTERRUPT
        + f"""
size, method = {THREE_CHUNKS[verb]}, _vmem.Region.{METHODS[verb].__name__}
refused = []
def touch():
    for call in (region.commit, region.decommit, region.discard, region.lock, region.unlock):
        try:
            call(page, page)
        except BufferError as error:
            assert f"while a call to {verb} bytes {{page}} to {{size + page}} is in progress" in str(error), error
            refused.append(call)
def fork_and_touch():
    fork()
    touch()
def touch_elsewhere():
    in_thread(touch)
if "{verb}" != "commit and prefault":
    region.commit(0, size + 2 * page)
    region[page], region[size] = 5, 6
actions = [fork_and_touch, touch_elsewhere, touch][: 3 if size == {96 * MIB} else 1]
interrupt(actions, partial(method, region, page, size))
assert len(refused) == 5 * len(actions)
assert region.is_committed(page, size) == ("{verb}" != "decommit")
region.commit(0, size + page)
kept = (5, 6) if "{verb}" not in ("commit and prefault", "decommit", "discard") else (0, 0)
assert (region[page], region[size]) == kept
region.release()
end()
"""
    )


@pytest.mark.parametrize("where", ["use()", "thread = threading.Thread(target=use); thread.start(); thread.join()"])
@pytest.mark.parametrize(
    ("verb", "setup"),
    [
        ("prefault", "region.commit(0, 256 * MIB); region.discard(0, 256 * MIB)"),
        ("commit", "region.decommit(0, 256 * MIB)"),
        ("resident", "region.commit(0, 256 * MIB)"),
    ],
)
def test_a_fork_while_another_thread_is_at_work(verb: str, setup: str, where: str) -> None:
    """The call ended with its thread. A thread of the child may be given the lost one's stack, but is not it."""
    run_python(
        VISIT
        + f"""
done = []
def use():
    whole = region.committed == (0 if "{verb}" == "commit" else 256 * MIB)
    region.commit(0, 256 * MIB)
    assert not any(region[0:MIB])
    region.decommit(0, 200 * MIB)
    region.release()
    done.append(b"1" if whole else b"0")
def work():
    while not children:
        {setup}
        for _ in range(1 if "{verb}" != "resident" else 100):
            region.{verb}(0, 256 * MIB{", prefault=True" if verb == "commit" else ""})
forked_at_work = 0
thread = threading.Thread(target=work, daemon=True)
thread.start()
while not forked_at_work:
    while not is_at_work(region):
        pass
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        {where}
        assert done, "the thread failed"
        os.write(writer, done[0])
        end_child()
    wait_for(child)
    forked_at_work = os.read(reader, 1) == b"1"
children.append(1)
thread.join()
"""
    )


@linux_only
def test_a_fork_while_another_thread_decommits() -> None:
    """The system may have taken pages that the lost thread had no time to record."""
    run_python(
        VISIT
        + """
size = 1024 * MIB
def check_as_child():
    num_bytes = region.committed
    committed = [each for each in region.ranges() if each.committed]
    assert num_bytes == sum(each.num_bytes for each in committed) == usable_bytes()
    for each in committed:
        assert any(region[each.offset : each.offset + 8 * MIB])
        region[each.offset + each.num_bytes - 1] = 1
    for each in committed:
        region.decommit(each.offset, each.num_bytes)
    region.commit(0, size)
    assert not any(region[offset] for offset in range(0, size, 8 * MIB))
    region.release()
for turn in range(10):
    region.commit(0, size)
    for offset in range(0, size, 8 * MIB):
        region[offset] = 1
    thread = start_at_work(lambda: region.decommit(0, size))
    while thread.is_alive():
        child = os.fork()
        if child == 0:
            check_as_child()
            end_child()
        wait_for(child)
    thread.join()
"""
    )


@linux_only
def test_every_first_call_in_a_child_finds_what_a_lost_decommit_has_left() -> None:
    """The record still has the pages when the child begins, and reading them would end it."""
    run_python(
        VISIT
        + """
def is_refused(call):
    try:
        call()
    except ValueError as error:
        return "not committed" in str(error)
    return False
calls = [
    lambda: region.committed == 0,
    lambda: not region.is_committed(0, 1),
    lambda: not any(each.committed for each in region.ranges()),
    lambda: region.map().committed == 0,
    lambda: "0 committed" in repr(region),
    lambda: is_refused(lambda: region[0]),
    lambda: is_refused(lambda: region[0:1]),
    lambda: is_refused(lambda: region.view(0, 1)),
    lambda: is_refused(lambda: region.__setitem__(0, 1)),
    lambda: is_refused(lambda: region.__setitem__(slice(0, 1), b"x")),
    lambda: is_refused(lambda: region.protect(vmem.Protection.READ, 0, 1)),
    lambda: is_refused(lambda: region.prefault(0, 1)),
    lambda: is_refused(lambda: region.lock(0, 1)),
    lambda: is_refused(lambda: region.unlock(0, 1)),
    lambda: is_refused(lambda: region.discard(0, 1)),
]
size = 1024 * MIB
for number, call in enumerate(calls):
    region.commit(0, size)
    for offset in range(0, size, 8 * MIB):
        region[offset] = 1
    thread = start_at_work(lambda: region.decommit(0, size))
    child = os.fork()
    if child == 0:
        assert call(), number
        end_child()
    wait_for(child)
    thread.join()
"""
    )


@linux_only
def test_a_fork_while_another_thread_commits_gives_the_memory_back() -> None:
    run_python(
        VISIT
        + """
children = []
def work():
    while not children:
        region.decommit()
        region.commit(0, 256 * MIB, prefault=True)
thread = threading.Thread(target=work, daemon=True)
thread.start()
for turn in range(10):
    while not is_at_work(region):
        pass
    child = os.fork()
    if child == 0:
        committed = region.committed
        usable = usable_bytes()
        assert usable == committed and committed in (0, 256 * MIB), (usable, committed)
        end_child()
    wait_for(child)
children.append(1)
thread.join()
"""
    )
