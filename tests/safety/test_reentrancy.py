"""Python code that changes a region in the middle of a call on it: each call raises or works, and none crashes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import vmem
from tests.support.arguments import Index
from tests.support.processes import run_python
from vmem import _vmem

pytestmark = pytest.mark.in_child

Call = Callable[[vmem.Region, Any], object]

CALLS: list[Call] = [
    lambda region, index: region.commit(index, 1),
    lambda region, index: region.commit(0, index),
    lambda region, index: region.decommit(index, 1),
    lambda region, index: region.decommit(0, index),
    lambda region, index: region.resident(index, 1),
    lambda region, index: region.view(index, 1),
    lambda region, index: region.view(0, index),
    lambda region, index: region.is_committed(index, 1),
    lambda region, index: region[index],
    lambda region, index: region[index:],
    lambda region, index: region[:index],
    lambda region, index: region[0 : region.size : index],
    lambda region, index: region.__setitem__(index, 1),
    lambda region, index: region.__setitem__(0, index),
    lambda region, index: region.__setitem__(slice(0, index), b"x"),
]


@pytest.mark.parametrize("call", CALLS)
def test_release_within_index(region: vmem.Region, call: Call) -> None:
    region.commit()
    with pytest.raises(ValueError, match="released"):
        call(region, Index(1, region.release))


def test_decommit_within_index(region: vmem.Region) -> None:
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[Index(0, region.decommit)]
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[0] = Index(5, region.decommit)
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[Index(0, region.decommit) : 10]
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[0 : Index(4, region.decommit)] = b"abcd"
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[0 : Index(8, region.decommit) : 2] = b"abcd"


def test_view_within_index(region: vmem.Region) -> None:
    region.commit()
    views: list[memoryview] = []
    with pytest.raises(BufferError):
        region.decommit(Index(0, lambda: views.append(region[0:1])), region.size)
    assert region.committed == region.size
    assert views[0][0] == 0


def test_exceptions_of_index_propagate(region: vmem.Region) -> None:
    region.commit()

    def fail() -> None:
        raise KeyError("mine")

    for call in (
        lambda: region.commit(Index(0, fail)),
        lambda: region.view(Index(0, fail)),
        lambda: region[Index(0, fail)],
        lambda: region[Index(0, fail) :],
        lambda: region.__setitem__(0, Index(0, fail)),
        lambda: vmem.reserve(Index(1, fail)),
        lambda: vmem.align_forward(Index(1, fail), 1),
    ):
        with pytest.raises(KeyError, match="mine"):
            call()


def test_index_that_does_not_return_an_int(region: vmem.Region) -> None:
    region.commit()

    class Wrong:
        def __index__(self) -> int:
            return "5"  # type: ignore[return-value]

    for call in (
        lambda: region.commit(Wrong()),
        lambda: region.view(Wrong()),
        lambda: region[Wrong()],
        lambda: vmem.reserve(Wrong()),
    ):
        with pytest.raises(TypeError, match=r"__index__(\(\) must return an int, not str| returned non-int)"):
            call()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_release_within_buffer(region: vmem.Region) -> None:
    region.commit()

    class Data:
        def __init__(self, action: Callable[[], None]) -> None:
            self.action = action

        def __buffer__(self, flags: int) -> memoryview:
            self.action()
            return memoryview(b"abcd")

    with pytest.raises(ValueError, match="not committed"):
        region[0:4] = Data(region.decommit)
    region.commit()
    with pytest.raises(ValueError, match="released"):
        region[0:4] = Data(region.release)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_decommit_within_release_buffer(region: vmem.Region) -> None:
    region.commit()

    class Data:
        def __buffer__(self, flags: int) -> memoryview:
            return memoryview(b"abcd")

        def __release_buffer__(self, view: memoryview) -> None:
            region.decommit()
            view.release()

    region[0:4] = Data()
    assert region.committed == 0


def test_garbage_collections_in_the_middle_of_calls() -> None:
    """With a garbage collection at every allocation, finalizers release the region while views of it are made."""
    run_python(
        """
        import gc, vmem
        region = vmem.reserve(1 << 20)
        outcomes = set()
        class FinalizedCycle:
            def __init__(self, action):
                self.me, self.action = self, action
            def __del__(self):
                try:
                    self.action()
                except (BufferError, ValueError) as error:
                    outcomes.add(type(error))
        def use(number):
            for call in (lambda: region[0:10], lambda: region.view(0, 5), lambda: region[9:0:-2], region.ranges,
                         lambda: region[0], lambda: region.commit(number % 3 * 65536, 70000)):
                try:
                    result = call()
                    if isinstance(result, memoryview):
                        result[0] = number % 256
                        del result
                except (BufferError, ValueError) as error:
                    outcomes.add(type(error))
        gc.set_threshold(1)
        for number in range(3000):
            if region.released:
                region = vmem.reserve(1 << 20)
            region.commit(0, 4096)
            FinalizedCycle((region.release, region.decommit, lambda: region.view(0, 100)[:1])[number % 3])
            use(number)
        assert outcomes, "no collection came in the middle of a call"
        """
    )


@pytest.mark.parametrize("action", ["release", "decommit", "commit"])
def test_a_garbage_collection_while_ranges_builds_its_list(page: int, action: str) -> None:
    """Python 3.11 collects within allocations in C, so there a finalizer can run at any allocation of the list."""

    class FinalizedCycle:
        def __init__(self, act: Callable[[], None]) -> None:
            self.me = self
            self.act = act

        def __del__(self) -> None:
            self.act()

    num_refused = num_changed = 0
    kept: list[object] = [(number,) * 4 for number in range(3000)]  # empties the free list of tuples
    threshold = gc.get_threshold()
    gc.disable()
    for num_allocations in range(1, 45):
        region = vmem.reserve(32 * page)
        for number in range(0, 32, 2):
            region.commit(number * page, page)
        before = _vmem.Region.ranges(region)
        kept.append(before)
        gc.collect(0)
        FinalizedCycle(getattr(region, action))
        gc.set_threshold(num_allocations)
        gc.enable()
        try:
            ranges = _vmem.Region.ranges(region)
        except ValueError:
            num_refused += 1
        else:
            kept.append(ranges)
            ends = [offset + num_bytes for offset, num_bytes, _, _ in ranges]
            assert [offset for offset, *_ in ranges] == [0, *ends[:-1]]
            assert ends[-1] == region.size
            assert action != "release" or ranges == before
            num_changed += ranges != before
        finally:
            gc.disable()
            gc.set_threshold(*threshold)
        gc.collect(0)
        assert region.released is (action == "release")
    gc.enable()
    if sys.version_info < (3, 12):
        assert (num_refused if action == "release" else num_changed) > 25


def test_a_collection_finds_a_view_that_is_not_made_yet(region: vmem.Region, page: int) -> None:
    """It has no bytes, whatever was in its memory before. From Python 3.12 on no collection can come there."""
    region.commit()
    pin_type = type(region[0:1].obj)
    found: list[int] = []
    seen = False

    def look(phase: str, info: dict[str, int]) -> None:
        found.extend(memoryview(each).nbytes for each in gc.get_objects() if type(each) is pin_type)

    def view_too_much() -> None:
        try:
            raise KeyError
        except KeyError:
            try:  # an exception within another is made at once, while there is a view
                region.view(region.size, 1)
            except ValueError:
                return
        raise AssertionError("it was made")

    threshold = gc.get_threshold()
    gc.callbacks.append(look)
    for number in [*range(1, 12)] * 5:
        views = [region[5 : 5 + page] for _ in range(50)]
        del views  # the next one takes the memory of one of these
        found.clear()
        gc.set_threshold(number)  # the collection comes a little later every time
        view_too_much()
        gc.set_threshold(*threshold)
        assert not any(found)
        seen = seen or bool(found)
    gc.callbacks.remove(look)
    assert seen or sys.version_info >= (3, 12)


def test_weakref_callback_that_uses_the_region() -> None:
    run_python(
        """
        import gc, weakref, vmem
        class Holder(vmem.Region):
            pass
        region = Holder(1 << 20)
        region.commit()
        region.view_of_me = region[0:100]
        other = vmem.reserve(1 << 20)
        other.commit()
        view = region.view_of_me
        hits = []
        weak = weakref.ref(region, lambda gone: hits.append(other.release()))
        weak_view = weakref.ref(view, lambda gone: hits.append(1))
        del region, view
        gc.collect()
        assert len(hits) >= 1 and other.released
        """
    )


def test_collect_while_views_are_alive(region: vmem.Region) -> None:
    region.commit()
    view = region[0:10]
    gc.collect()
    view[0] = 1
    assert region[0] == 1


def edge_values(number: int) -> list[object]:
    """Integers at the limits of C types, other objects with __index__(), and objects without."""
    numpy = pytest.importorskip("numpy")
    return [
        -1,
        -(2**63),
        -(2**63) - 1,
        -(2**64),
        2**31,
        2**32,
        2**63 - 1,
        2**63,
        2**64 - 1,
        2**64,
        2**200,
        True,
        False,
        1.0,
        float("nan"),
        "1",
        b"1",
        None,
        [],
        slice(None),
        numpy.int8(-1),
        numpy.uint64(2**64 - 1),
        numpy.int64(number),
        numpy.float64(number),
        numpy.array(1),
        numpy.array([1]),
        object(),
        vmem.Protection.READ,
    ]


def calls_with(region: vmem.Region, value: Any) -> list[Callable[[], object]]:
    """Every public call that takes an argument, with the value in every position."""
    verbs = ("commit", "decommit", "discard", "prefault", "lock", "unlock", "resident", "view", "is_committed")
    calls: list[Callable[[], object]] = [
        lambda: vmem.reserve(value),
        lambda: vmem.reserve(1, alignment=value),
        lambda: vmem.reserve(1, name=value),
        lambda: vmem.Region(value, alignment=value),
        lambda: region.protect(value),
        lambda: region.protect(2, value, 1),
        lambda: region.protect(2, 0, value),
        lambda: region[value],
        lambda: region[value:],
        lambda: region[:value],
        lambda: region[::value],
        lambda: region[value:value:value],
        lambda: region.__setitem__(value, 1),
        lambda: region.__setitem__(0, value),
        lambda: region.__setitem__(slice(value, None, value), b"x"),
        lambda: region.__setitem__(slice(0, 1), value),
        lambda: vmem.align_forward(value, 8),
        lambda: vmem.align_backward(8, value),
        lambda: vmem.is_aligned(value, value),
    ]
    for verb in verbs:
        arguments = ((value,), (0, value), (value, value), (value, None), (1, 2, value))
        calls.extend(partial(getattr(region, verb), *each) for each in arguments)
        calls.append(partial(getattr(region, verb), num_bytes=value))
    return calls


def test_edge_values_for_every_argument(page: int) -> None:
    """A call that raises changes nothing."""
    for index in range(len(edge_values(page))):
        region = vmem.reserve(16 * page)
        region.commit()
        region[:] = b"y" * region.size
        value = edge_values(page)[index]
        for call in calls_with(region, value):
            before = region.ranges(), bytes(region[:]) if region.is_committed() else b""
            try:
                call()
            except (TypeError, ValueError, IndexError, vmem.OutOfMemoryError):
                assert before == (region.ranges(), bytes(region[:]) if region.is_committed() else b"")
            region.commit()
            region.unlock()
            region.protect(2)
        region.release()


WRONG_ARGUMENTS = """
import gc, itertools, sys, types
from vmem import _vmem
import vmem
class Odd:
    def __index__(self):
        return 1 << 70
class Failing:
    def __index__(self):
        raise KeyError
    def __bool__(self):
        raise KeyError
    def __eq__(self, other):
        raise KeyError
    __hash__ = None
values = [None, -1, 0, 1, 5, 4096, 2**63 - 1, 2**64 - 1, 2**64, 1.5, "text", "\\udc80", b"bytes", (), [], {}, object(),
          Odd(), Failing(), type, _vmem.Region, vmem.Region, memoryview(b""), slice(None), NotImplemented]
def functions():
    for name in dir(_vmem):
        if callable(getattr(_vmem, name)) and not name.startswith("__"):
            yield getattr(_vmem, name), ()
    for name in dir(_vmem.Region):
        if name not in ("__class__", "__init_subclass__", "__subclasshook__", "__dir__", "__doc__"):
            function = getattr(_vmem.Region, name)
            if callable(function):
                yield function, ("region",)
                yield function, ()
def attempt(function, arguments, keywords):
    try:
        function(*arguments, **keywords)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, BufferError, OSError, OverflowError):
        pass  # object.__reduce_ex__() overflows
count = 0
for function, start in functions():
    for length in range(4):
        for arguments in itertools.product(values if length < 3 else values[:12], repeat=length):
            region = _vmem.Region(1 << 16, None, False, None)
            if length < 2:
                region.commit(0, 1 << 14)
            attempt(function, (region,) * len(start) + arguments, {})
            if length == 1:
                for keyword in ("offset", "num_bytes", "readonly", "address", "align", "x"):
                    attempt(function, (region,) * len(start), {keyword: arguments[0]})
            count += 1
assert count > 10_000
alignments, bools, names = [None, 0, 3, 4096, "x", Failing()], [False, None, Failing()], [None, "n", 5]
for arguments in itertools.product(values[:9], alignments, bools, names):
    attempt(_vmem.Region, arguments, {})
    attempt(_vmem.reserve, (vmem.Region, *arguments), {})
    attempt(_vmem.reserve, (_vmem.Region, *arguments), {})
region = vmem.reserve(1)
region.commit()
pin = type(region[0:5].obj)
for call in (pin, lambda: pin.__new__(pin), lambda: object.__new__(pin), lambda: type("Sub", (pin,), {}),
             lambda: object.__new__(_vmem.Region), lambda: object.__new__(vmem.Region), lambda: setattr(pin, "x", 1),
             lambda: setattr(_vmem.Region, "commit", None), lambda: _vmem.Region.__new__(int, 1, None, False, None)):
    try:
        call()
    except TypeError:
        continue
    raise SystemExit("allowed")
"""


def test_wrong_arguments_for_every_function_of_the_extension() -> None:
    run_python(WRONG_ARGUMENTS)


def test_no_call_of_init_and_no_assignment_can_break_a_region(region: vmem.Region, page: int) -> None:
    region.commit()
    region[0] = 5

    class Lazy(vmem.Region):
        def __init__(self, *arguments: object, **options: object) -> None:
            pass

    class Other(vmem.Region):
        __slots__ = ()

    lazy = Lazy(page)
    lazy.commit()
    vmem.Region.__new__(vmem.Region, page).commit()
    for _ in range(2):
        lazy.__init__(1, 2, 3, x=4)  # type: ignore[misc]
        region.__init__()  # type: ignore[misc]
    assert (lazy.size, region[0]) == (page, 5)
    region.__class__ = Other
    assert isinstance(region, Other)
    assert region[0] == 5
    region.__class__ = vmem.Region  # type: ignore[assignment]
    for foreign in (int, Lazy, vmem._vmem.Region, type("Empty", (), {})):
        with pytest.raises(TypeError):
            region.__class__ = foreign
    for name in ("size", "address", "committed", "new", "commit"):
        with pytest.raises(AttributeError):
            object.__setattr__(region, name, 1)
        with pytest.raises(AttributeError):
            object.__delattr__(region, name)
    with pytest.raises(TypeError):
        vmem.Region()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        vmem.Region.__new__(int, page)  # type: ignore[type-var]
    assert (region[0], region.size) == (5, 64 * page)


def test_cases_that_were_bugs_of_other_buffers(region: vmem.Region, page: int) -> None:
    """Cases that went wrong in mmap, bytearray, array or memoryview."""
    region.commit(0, 2 * page)
    region[0:5] = b"abcde"
    # A released view, and views made from it.
    view = region[0:8]
    cast, part = view.cast("I"), view[2:]
    with pytest.raises(BufferError):
        region.decommit(0, 1)
    view.release()
    for use in (view.tolist, view.hex, view.tobytes, partial(view.cast, "B"), partial(bytes, view), partial(len, view)):
        with pytest.raises(ValueError, match="released"):
            use()
    assert bytes(part[:3]) == b"cde"
    with pytest.raises(BufferError):
        region.release()
    again = memoryview(part.obj)  # the exporter behind it exports again
    part.release()
    cast.release()
    with pytest.raises(BufferError):
        region.decommit(0, 1)
    assert bytes(again[:5]) == b"abcde"
    again.release()
    del again, part, cast, view
    # Overlapping assignment, from itself and with steps.
    region[1:6] = region[0:5]
    assert bytes(region[0:6]) == b"aabcde"
    region[0:6:2] = region[3:6]
    assert bytes(region[0:6]) == b"cadcee"
    region[5::-1] = b"abcdef"
    assert bytes(region[0:6]) == b"fedcba"
    region[0:6] = region[5::-1]
    assert bytes(region[0:6]) == b"abcdef"
    # A comparison of two views of the same bytes.
    assert region[0:3] == region[0:3]
    assert region[0:6].obj is not region[0:6].obj
    gc.collect()
    region.decommit()


def test_audit_hooks_that_interfere() -> None:
    """Hooks that release the region of the event, raise an exception, and reserve another region."""
    run_python(
        """
        import sys, vmem
        region = vmem.reserve(1 << 20)
        region.commit()
        action = None
        def hook(event, arguments):
            global action
            if event.startswith("vmem.") and action:
                current, action = action, None
                current()
        sys.addaudithook(hook)
        def fails(error, call):
            try:
                call()
            except error:
                return
            raise SystemExit("no error")
        action = region.release
        fails(ValueError, lambda: region.protect(4))
        region = vmem.reserve(1 << 20)
        action = lambda: vmem.reserve(1 << 20).commit()
        other = vmem.reserve(1 << 20)
        region.commit()
        action = lambda: 1 / 0
        fails(ZeroDivisionError, lambda: region.protect(5))
        assert region.ranges()[0].protection == 2
        action = region.decommit
        fails(ValueError, lambda: region.protect(5))
        assert region.committed == 0
        """
    )


def test_release_within_bool(region: vmem.Region) -> None:
    region.commit()

    class Truth:
        def __bool__(self) -> bool:
            region.release()
            return True

    with pytest.raises(ValueError, match="released"):
        region.view(0, 1, readonly=Truth())  # type: ignore[arg-type]
    assert region.released


def test_every_attribute_after_release(page: int) -> None:
    """What needs no memory still works, all else raises ValueError, and none of it changes what comes next."""
    region = vmem.reserve(page, name="gone")
    region.commit()
    region.release()
    for _ in range(2):
        for name in dir(vmem.Region):
            if not callable(getattr(vmem.Region, name)) or name.startswith("__"):
                continue
            attribute = getattr(region, name)
            if name in ("release", "_release_deferred", "_count_views"):
                assert not attribute()
                continue
            if name == "fileno" and sys.platform == "win32":
                continue  # NotImplementedError, of every region
            arguments: tuple[int, ...] = {"protect": (2, 0, 1)}.get(name, (0, 1))
            if name in ("ranges", "map", "fileno", "_get_handle"):
                arguments = ()
            with pytest.raises(ValueError, match="released"):
                attribute(*arguments)
        for call in (len, lambda r: r[0], lambda r: r[:], lambda r: r.address, lambda r: r.__enter__()):
            with pytest.raises(ValueError, match="released"):
                call(region)
        for key, value in ((0, 1), (slice(0, 1), b"x"), (slice(0, 0), b""), (slice(None, None, 2), b"")):
            with pytest.raises(ValueError, match="released"):
                region[key] = value  # type: ignore[assignment, index]
        assert (region.size, region.name, region.page_size, region.committed) == (page, "gone", page, 0)
        assert "released" in repr(region)
        assert region == region
        assert region.huge_pages is False
