"""Audit hooks: what they are told, and what they may do. They cannot be removed, so each is in a process of its own."""

from __future__ import annotations

import sys

import pytest

from tests.support.marks import on_heap_only
from tests.support.processes import run_python

START = """
import sys, vmem
from vmem import Protection, Range, _vmem
page = vmem.get_page_size()
events = []
action = None

def hook(event, arguments):
    global action
    if not event.startswith("vmem."):
        return
    events.append((event, *arguments))
    if action:
        once, action = action, None  # what it does may be audited too
        once(*arguments)

def act(what):
    '''Does this in the next event, and forgets the events before.'''
    global action
    events.clear()
    action = what

def expect(error, text, call):
    try:
        call()
    except error as raised:
        assert text in str(raised), raised
    else:
        raise SystemExit("it raised nothing")

class Index:
    def __init__(self, value):
        self.value = value
    def __index__(self):
        return self.value

def fail(*arguments):
    raise PermissionError("vetoed")

sys.addaudithook(hook)
"""


def run(code: str) -> None:
    run_python(START + code)


# --- vmem.reserve ---


@pytest.mark.many_addresses
def test_reserving_is_audited_with_its_arguments() -> None:
    run(
        """
class Tape(vmem.Region):
    pass
name = "".join(["ta", "pe"])
vmem.reserve(5)
vmem.reserve(Index(1 << 40), alignment=1 << 21, name=name)
vmem.Region(6, name=None)
Tape(7)
_vmem.Region(8, 1, False, name)
_vmem.reserve(Tape, 9, None, False, None)
assert events == [
    ("vmem.reserve", 5, None), ("vmem.reserve", 1 << 40, "tape"), ("vmem.reserve", 6, None), ("vmem.reserve", 7, None),
    ("vmem.reserve", 8, "tape"), ("vmem.reserve", 9, None),
], events
assert events[1][2] is name and all(type(event[1]) is int for event in events)
"""
    )


@pytest.mark.many_addresses
def test_arguments_are_checked_before_and_limits_after() -> None:
    run(
        """
for arguments, keywords, error in (
    ((-1,), {}, ValueError),
    ((1.0,), {}, TypeError),
    ((1,), {"alignment": 3}, ValueError),
    ((1,), {"name": 5}, TypeError),
):
    expect(error, "", lambda: vmem.reserve(*arguments, **keywords))
assert events == []
expect(vmem.OutOfMemoryError, "", lambda: vmem.reserve(1 << 62))
assert events == [("vmem.reserve", 1 << 62, None)]
"""
    )


@pytest.mark.many_addresses
@pytest.mark.parametrize(
    ("call", "size"),
    [
        ("vmem.reserve(1 << 40)", "size"),
        ("vmem.Region(1 << 40)", "size"),
        ("vmem.Array('B', capacity=1 << 40)", "capacity"),
        ("vmem.Arena(1 << 40)", "capacity"),
    ],
)
def test_a_hook_can_veto_a_reservation(call: str, size: str) -> None:
    run(
        f"""
act(fail)
used = _vmem.get_limits()["address_space_used"]
expect(PermissionError, "vetoed", lambda: {call})
assert _vmem.get_limits()["address_space_used"] - used < 1 << 30
assert {call}.{size} == 1 << 40
"""
    )


def test_arrays_and_arenas_reserve_too() -> None:
    run(
        """
array = vmem.Array("d", [1, 2], capacity=7)
vmem.Arena(1 << 20)
assert events == [("vmem.reserve", 56, None), ("vmem.reserve", 1 << 20, None)], events
events.clear()
large = vmem.Array("d", bytes(1 << 20), capacity=1 << 20)
copies = large[:10_000], large + large, large * 2
assert [event[0] for event in events] == ["vmem.reserve"] * 4, events
large.append(3)
large[0] = 5
assert len(events) == 4
"""
    )


@on_heap_only
@pytest.mark.parametrize(
    "call",
    [
        "memoryview(array)", "array.buffer_info()", "array.map()", "array.extend(bytes(1 << 17))",
        "array.frombytes(bytes(1 << 17))", "array.fromlist([0] * (1 << 17))",
        "array.__imul__(1 << 16).__delitem__(slice(3, None))",
        "array.__setitem__(slice(0, 0), large)",
        "array.extend(itertools.repeat(0, 1 << 17))",
    ],
)  # fmt: skip
def test_a_small_array_reserves_when_it_is_first_shown_or_outgrows_the_heap(call: str) -> None:
    """A hook can veto that: then nothing has changed, but for the items that an iterator gave before."""
    run(
        f"""
import itertools
large = vmem.Array("B", bytes(1 << 17))
events.clear()
array = vmem.Array("B", b"abc")
copies = array[:1], array + array, array * 2, vmem.Array("B", array)
assert not events
act(fail)
expect(PermissionError, "vetoed", lambda: {call})
assert array[:3].tobytes() == b"abc" and len(array) <= 1 << 16
del array[3:]
events.clear()
{call}
assert [event[0] for event in events if event[1] > 1 << 20] == ["vmem.reserve"]
events.clear()
{call}
assert not [event for event in events if event[1] > 1 << 20]
"""
    )


@on_heap_only
def test_a_hook_may_change_the_array_that_is_being_reserved() -> None:
    run(
        """
for change in ("array.clear()", "array.extend(range(50))", "array.extend(range(1 << 17))", "memoryview(array)",
               "array.shrink_to_fit()", "array.reverse()"):
    for use in ("memoryview(array)", "array.extend(range(1 << 17))", "array.__imul__(20)"):
        array = vmem.Array("I", range(1000))
        act(lambda *arguments: exec(change))
        exec(use)
        early = memoryview(array)
        assert early.tolist() == array.tolist()
        array.extend(range(1 << 18))
        assert early.tolist() == array[: len(early)].tolist()
"""
    )


@pytest.mark.parametrize(
    "call", ["array[: 1 << 17]", "array + array", "3 * array", "copy.copy(array)", "pickle.loads(pickled)"]
)
def test_a_hook_may_change_the_array_that_is_copied(call: str) -> None:
    run(
        f"""
import copy, pickle
array = vmem.Array("B", bytes(1 << 18), capacity=1 << 19)
pickled = pickle.dumps(array)
for change in (array.clear, lambda: array.frombytes(bytes(1 << 17)), fail):
    act(lambda *arguments: change())
    try:
        made = {call}
    except PermissionError:
        assert change is fail
    else:
        assert change is not fail
        assert made.typecode == "B" and not any(made)
        made.append(1)
    array.append(1)
    assert array.pop() == 1
    del array[1 << 18 :]
    array.frombytes(bytes((1 << 18) - len(array)))
"""
    )


@pytest.mark.parametrize(
    "call",
    [
        "array[:]", "array[:35_000]", "array[1000:]", "array[-40_000:-1]", "array[::3]", "array[::-1]",
        "array[190_000:5:-3]",
        "array + array", "array * 3", "copy.copy(array)", "copy.deepcopy(array)", "vmem.Array('H', array)",
        "vmem.Array('I', array)",
    ],
)  # fmt: skip
def test_a_copy_has_the_items_that_a_hook_has_left(call: str) -> None:
    """A hook can shrink the array and decommit the pages that the copy was about to read."""
    run(
        f"""
import copy

def fill():
    array.clear()
    array.extend([*range(60_000)] * 4)

def cut(length):
    del array[length:]
    array.shrink_to_fit()

array = vmem.Array("H", capacity=1 << 18)
for change in (lambda: cut(0), lambda: cut(1), lambda: cut(3000), lambda: array.extend(range(10_000)), array.reverse):
    fill()
    act(lambda *arguments: change())
    made = {call}
    changed = array.tolist()
    assert [event[0] for event in events] == ["vmem.reserve"]
    assert made == {call}, (len(made), len(changed))
    assert array.tolist() == changed
"""
    )


def test_a_hook_may_use_other_regions() -> None:
    run(
        """
other = vmem.reserve(1 << 20)
def use(num_bytes, name):
    global inner
    other.commit(0, page)
    other[0] = 1
    inner = vmem.reserve(num_bytes)
    other.release()
act(use)
region = vmem.reserve(1 << 30)
assert events == [("vmem.reserve", 1 << 30, None)] * 2
assert other.released and inner.size == region.size and inner.address != region.address
"""
    )


def test_the_function_that_audits_is_fetched_at_import() -> None:
    """Replacing sys.audit does not silence the hooks."""
    run(
        """
sys.audit = lambda *arguments: None
region = vmem.reserve(5)
region.commit()
act(fail)
expect(PermissionError, "vetoed", lambda: region.protect(Protection.READ_EXECUTE))
del sys.audit
vmem.reserve(6)
assert [event[0] for event in events] == ["vmem.protect", "vmem.reserve"], events
"""
    )


# --- vmem.protect ---


def test_only_making_memory_executable_is_audited() -> None:
    run(
        """
region = vmem.reserve(1 << 20)
region.commit()
region[0] = 1
events.clear()
for protection in (Protection.READ, Protection.NO_ACCESS, Protection.READ_WRITE):
    region.protect(protection, page, 5)
region.prefault()
region.discard()
region.lock(0, page)
region.unlock(0, page)
region.decommit()
region.commit(prefault=True)
region.view(readonly=True).release()
assert events == []
region.protect(Protection.EXECUTE, page, 5)
region.protect(Protection.READ_EXECUTE, Index(2 * page), Index(page))
region.protect(4, 7)
region.protect(Protection.READ, page)
assert events == [
    ("vmem.protect", region, 3, page, 5),
    ("vmem.protect", region, 4, 2 * page, page),
    ("vmem.protect", region, 4, 7, (1 << 20) - 7),
], events
assert all(event[1] is region for event in events)
region.release()
"""
    )


def test_it_comes_before_the_change_and_after_the_arguments_are_checked() -> None:
    run(
        """
region = vmem.reserve(1 << 20)
region.commit(0, 2 * page)
region[0] = 5
before = region.ranges()
def look(region, protection, offset, num_bytes):
    global seen
    seen = region.ranges(), region[0]
    region[0] = 6
act(look)
region.protect(Protection.READ_EXECUTE, 0, page)
assert seen == (before, 5) and region[0] == 6
assert region.ranges()[0] == Range(0, page, True, Protection.READ_EXECUTE)
events.clear()
for arguments in ((6, 0, 1), (-1, 0, 1), (4, -1, 1), (4, 0, "1"), (None, 0, 1)):
    expect((TypeError, ValueError), "", lambda: region.protect(*arguments))
    expect((TypeError, ValueError), "", lambda: _vmem.Region.protect(region, *arguments))
assert events == []
"""
    )


@pytest.mark.parametrize("error", ["PermissionError", "KeyboardInterrupt", "MemoryError", "BufferError"])
def test_a_hook_can_veto_new_code(error: str) -> None:
    run(
        f"""
region = vmem.reserve(1 << 20)
region.commit(0, 4 * page)
region[0:3] = b"abc"
def veto(*arguments):
    raise {error}("vetoed")
for protection in (Protection.EXECUTE, Protection.READ_EXECUTE, Protection.READ_WRITE_EXECUTE):
    for protect in (region.protect, lambda *arguments: _vmem.Region.protect(region, *arguments)):
        act(veto)
        expect({error}, "vetoed", lambda: protect(protection, page, page))
assert region.ranges()[0] == Range(0, 4 * page, True, Protection.READ_WRITE)
if sys.platform == "linux":
    for line in open("/proc/self/maps"):
        first, last = (int(address, 16) for address in line.split()[0].split("-"))
        assert last <= region.address or first >= region.address + region.size or "x" not in line.split()[1], line
region[page] = 1
region.protect(Protection.READ_EXECUTE, page, page)
region.release()
"""
    )


def test_hooks_that_change_the_region_in_mid_call() -> None:
    run(
        """
def make():
    region = vmem.reserve(1 << 20)
    region.commit(0, 4 * page)
    region[0] = 1
    return region

def protect(region):
    region.protect(Protection.READ_EXECUTE, 0, 4 * page)

executable = Range(0, 4 * page, True, Protection.READ_EXECUTE)

region = make()
act(lambda region, *arguments: region.release())
expect(ValueError, "has been released", lambda: protect(region))

region = make()
act(lambda region, *arguments: region._release_deferred())
expect(ValueError, "has been released", lambda: protect(region))

region = make()
act(lambda region, *arguments: region.decommit(page, page))
expect(ValueError, f"bytes {page} to {2 * page} of this region are not committed", lambda: protect(region))
assert region.committed == 3 * page

region = make()
act(lambda region, *arguments: (region.decommit(), region.commit()))
protect(region)
assert region.ranges()[0] == executable and region[0] == 0 and region.committed == region.size

region = make()
act(lambda region, *arguments: region.commit(0, 8 * page))
protect(region)
assert region.ranges()[:2] == [executable, Range(4 * page, 4 * page, True, Protection.READ_WRITE)]

region = make()
act(lambda region, *arguments: region.protect(Protection.NO_ACCESS, page, page))
protect(region)
assert region.ranges()[0] == executable and region[0] == 1

region = make()
act(lambda region, *arguments: region.protect(Protection.READ_EXECUTE, 0, 4 * page))
protect(region)
assert region.ranges()[0] == executable and len(events) == 2

region, views = make(), []
act(lambda region, *arguments: views.append(region[0:5]))
expect(BufferError, "1 writable view of bytes 0 to 5 is alive", lambda: protect(region))
assert region.ranges()[0] == Range(0, 4 * page, True, Protection.READ_WRITE)
views[0][0] = 7
views.clear()
act(lambda region, *arguments: views.append(region.view(0, 5, readonly=True)))
protect(region)
assert region.ranges()[0] == executable and views[0][0] == 7

region = make()
act(lambda region, *arguments: (region.lock(0, page), region.prefault(0, page), region.discard(0, page)))
protect(region)
assert region.ranges()[0] == executable and region[0] == 0
region.release()
"""
    )


def test_hooks_that_drop_the_last_reference() -> None:
    run(
        """
regions = [vmem.reserve(1 << 20)]
regions[0].commit()
act(lambda *arguments: regions.clear())
vmem.Region.protect(regions.pop(), Protection.READ_EXECUTE)
regions.append(vmem.reserve(1 << 20))
regions[0].commit()
act(lambda *arguments: regions.clear())
regions[0].protect(Protection.READ_EXECUTE)
"""
    )


def test_what_is_nothing_is_audited_too() -> None:
    """The hook is told what was asked for; whether it can be done is looked at later."""
    run(
        """
region = vmem.reserve(1 << 20)
events.clear()
region.protect(Protection.READ_EXECUTE, 5, 0)
expect(ValueError, "not committed", lambda: region.protect(Protection.READ_EXECUTE, 0, 1))
expect(ValueError, "past the end", lambda: region.protect(Protection.READ_EXECUTE, 0, 1 << 21))
region.release()
expect(ValueError, "released", lambda: region.protect(Protection.READ_EXECUTE, 0, 1))
assert [event[3:] for event in events] == [(5, 0), (0, 1), (0, 1 << 21), (0, 1)], events
"""
    )


def test_without_sys_audit_there_is_no_module() -> None:
    """Better none than one that tells no hook anything. It is made as an import would, which calls sys.audit itself."""
    run_python(
        """
        import importlib.machinery, importlib.util, sys
        (folder,) = importlib.util.find_spec("vmem").submodule_search_locations
        spec = importlib.machinery.PathFinder.find_spec("vmem._vmem", [folder])
        audit = sys.audit
        del sys.audit
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except RuntimeError as error:
            assert str(error) == "sys.audit is missing"
        else:
            raise SystemExit("it was made")
        sys.audit = audit
        import vmem
        vmem.reserve(1)
        """
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with Python 3.12")
def test_each_interpreter_has_its_own_hooks() -> None:
    run(
        """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
try:
    other = interpreters.create("isolated")
except TypeError:
    other = interpreters.create(isolated=True)
failure = interpreters.run_string(other, '''if True:
    import sys, vmem
    told = []
    sys.addaudithook(lambda event, arguments: told.append(arguments) if event == "vmem.reserve" else None)
    vmem.reserve(77)
    assert told == [(77, None)], told
''')
assert failure is None, failure
interpreters.destroy(other)
assert events == []
"""
    )
