"""Python code that changes a ring in the middle of a call: each raises or works, and none crashes."""

from __future__ import annotations

import array
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import vmem
from tests.support.arguments import Index
from tests.support.interpreter import FREE_THREADED
from tests.support.marks import linux_only
from tests.support.processes import run_python

pytestmark = pytest.mark.in_child

GRANULARITY = vmem.get_allocation_granularity()

Act = Callable[[], object]
Change = Callable[[Any], object]


class Number:
    """A number that runs an action whenever it is asked what it is."""

    def __init__(self, action: Act, value: int = 1) -> None:
        self.action = action
        self.value = value

    def __index__(self) -> int:
        self.action()
        return self.value

    def __float__(self) -> float:
        self.action()
        return float(self.value)


class Row:
    """A sequence of three numbers that runs an action at every turn, and is as long as it says at that moment."""

    def __init__(self, action: Act) -> None:
        self.action = action
        self.length = 3

    def __len__(self) -> int:
        self.action()
        return self.length

    def __getitem__(self, index: int) -> int:
        self.action()
        return index


ACTIONS: dict[str, Change] = {
    "append": lambda ring: ring.append(1),
    "fill": lambda ring: ring.extend(bytes(ring.free or 1)),
    "overwrite": lambda ring: ring.extend(bytes(2 * ring.capacity)),
    "clear": lambda ring: ring.clear(),
    "consume": lambda ring: ring.consume(len(ring)),
    "prepare": lambda ring: ring.prepare(3),
    "prepare and advance": lambda ring: (ring.prepare(3), ring.advance(2)),
    "advance": lambda ring: ring.advance(1),
    "extend with itself": lambda ring: ring.extend(ring),
    "view": lambda ring: ring.latest(1),
}

CALLS: dict[str, Callable[[Any, Any], object]] = {
    "append": lambda ring, number: ring.append(number),
    "extend": lambda ring, number: ring.extend([number, 2, number]),
    "extend from an iterator": lambda ring, number: ring.extend(each for each in (number, 2, number)),
    "get": lambda ring, number: ring[number],
    "latest": lambda ring, number: ring.latest(number),
    "window from": lambda ring, number: ring.window(number, 1),
    "window of": lambda ring, number: ring.window(ring.oldest, number),
    "prepare": lambda ring, number: ring.prepare(number),
    "advance": lambda ring, number: ring.advance(number),
    "consume": lambda ring, number: ring.consume(number),
    "make": lambda ring, number: vmem.Ring("B", number, row_shape=(number,)),
    "iterate": lambda ring, number: [number.__index__() for _ in ring],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("overwrite", [True, False])
def test_numbers_that_change_the_ring(name: str, overwrite: bool) -> None:
    for action in ACTIONS.values():
        for prepared in (False, True):
            ring: vmem.Ring[Any] = vmem.Ring("B", 50, overwrite=overwrite)
            ring.extend(range(20))
            view = ring.prepare(5) if prepared else ring.latest(5)

            def act(action: Change = action, ring: Any = ring) -> None:
                with suppress(BufferError, ValueError):
                    action(ring)

            with suppress(IndexError, ValueError, BufferError, RuntimeError):
                CALLS[name](ring, Number(act))
            assert 0 <= len(ring) == ring.total - ring.oldest <= 50
            assert len(list(ring)) == len(ring) == len(bytes(ring))
            assert len(view.tolist()) == 5
            ring.clear()
            ring.append(5)
            assert ring[-1] == 5


@pytest.mark.parametrize("call", ["append", "extend"])
@pytest.mark.parametrize("action", ACTIONS)
def test_rows_that_change_the_ring(call: str, action: str) -> None:
    ring: Any = vmem.Ring("B", 50, row_shape=(3,))
    ring.append(b"abc")

    def act() -> None:
        with suppress(BufferError, ValueError, TypeError):  # numbers are no rows
            ACTIONS[action](ring)

    row = Row(act)
    ring.append(row) if call == "append" else ring.extend([row, row])
    assert ring[-1] == (0, 1, 2)
    row.length = 4
    with pytest.raises(ValueError, match="4 items in dimension 0"):
        ring.append(row)

    def shrink() -> None:
        raise KeyError

    row.length, row.action = 3, shrink
    with pytest.raises(KeyError):
        ring.append(row)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
@pytest.mark.parametrize("action", ACTIONS)
def test_a_buffer_that_changes_the_ring(action: str) -> None:
    class Exporter:
        def __buffer__(self, flags: int) -> memoryview:
            with suppress(BufferError, ValueError):
                ACTIONS[action](ring)
            return memoryview(b"12345")

    ring: Any = vmem.Ring("B", 50)
    ring.extend(b"abc")
    ring.extend(Exporter())
    assert bytes(ring.latest(5)) == b"12345"


def test_a_buffer_that_shows_the_ring_itself() -> None:
    """However it is disguised: its bytes are read before they are overwritten."""
    ring = vmem.Ring("B", GRANULARITY)
    views: list[Callable[[], memoryview]] = [
        lambda: ring.latest(3000),
        lambda: memoryview(ring)[1000:3000],
        lambda: memoryview(ring)[::-1],
        lambda: memoryview(ring)[::3],
        lambda: ring.window(ring.oldest + 5, 100),
    ]
    for make in views:
        ring.extend(bytes(number % 251 for number in range(GRANULARITY + 1000)))
        source = make()
        expected = bytes(source)
        ring.extend(source)
        assert bytes(ring.latest(len(expected))) == expected


def test_the_collector_runs_in_the_middle() -> None:
    """Every allocation can run finalizers, and these anything."""

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            with suppress(BufferError, ValueError, TypeError):
                actions[len(done) % len(actions)](ring)
            done.append(1)
            if len(done) < 3000:
                Cycle()

    ring: Any = vmem.Ring("B", 50)
    ring.extend(b"abcdef")
    actions, done = list(ACTIONS.values()), list[int]()
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(10):
            Cycle()
        for turn in range(500):
            for call in (
                lambda turn=turn: ring.prepare(turn % 50),
                lambda: ring.latest(1),
                lambda: ring.window(ring.oldest, 1),
                lambda: memoryview(ring),
                lambda: iter(ring),
                lambda: ring.extend(memoryview(ring)),
                lambda: vmem.Ring("B", 5),
                lambda: ring.map(),
            ):
                with suppress(BufferError, ValueError, IndexError, RuntimeError):
                    call()
    finally:
        gc.set_threshold(*before)
    assert len(done) > 100 or FREE_THREADED, "which collects when much more has been allocated"
    assert len(list(ring)) == len(ring) <= 50


def test_an_iterator_that_outlives_its_items() -> None:
    ring = vmem.Ring("B", 5)
    ring.extend(b"abc")
    iterator = iter(ring)
    ring.clear()
    with pytest.raises(RuntimeError, match="item 0 was dropped during iteration: the oldest one is 3"):
        next(iterator)
    gone = weakref.ref(ring)
    del ring
    gc.collect()
    assert gone() is not None  # the iterator holds it
    del iterator
    gc.collect()
    assert gone() is None


def test_a_ring_that_never_ends() -> None:
    """What is appended while it is iterated over is not part of that."""
    ring = vmem.Ring("B", 5, overwrite=False)
    ring.extend(b"ab")

    def append_each() -> Iterator[int]:
        for item in ring:
            ring.append(item)
            yield item

    assert list(append_each()) == [97, 98]
    assert bytes(ring) == b"abab"


def test_arguments_of_every_kind() -> None:
    ring = vmem.Ring("B", 5)
    methods: list[Any] = [ring.latest, ring.prepare, ring.advance, ring.consume, lambda n: ring.window(0, n)]
    for method in methods:
        for wrong in (1.0, "1", None, b"1", [1], 1j, object()):
            with pytest.raises(TypeError):
                method(wrong)
        for number in (-1, -(1 << 63), -(1 << 200)):
            with pytest.raises(ValueError, match="must not be negative"):
                method(number)
        for number in (6, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, 1 << 20000):
            with pytest.raises((ValueError, IndexError)):
                method(number)
        with suppress(ValueError):
            assert method(Index(0)) is not NotImplemented
        with suppress(ValueError):
            method(False)
    assert (len(ring), ring.total) == (0, 0)


@linux_only
def test_a_view_of_a_ring_that_is_garbage_with_it() -> None:
    run_python("""
        import gc, vmem

        class Holder(vmem.Ring):
            pass

        for _ in range(100):
            ring = Holder("i", 10)
            ring.extend(range(5))
            ring.me, ring.views = ring, [ring.latest(3), memoryview(ring), ring.prepare(2), iter(ring)]
            del ring
        gc.collect()
        assert not any("vmem-ring" in line for line in open("/proc/self/maps"))
        """)


def test_views_outlive_the_module_and_the_interpreter() -> None:
    run_python("""
        import sys, vmem
        ring = vmem.Ring("i", 10)
        ring.extend(range(5))
        view, iterator = ring.latest(3), iter(ring)
        sys.view, sys.ring = view, ring  # live until the end
        for name in [each for each in sys.modules if each.startswith("vmem")]:
            del sys.modules[name]
        del vmem
        import gc
        gc.collect()
        assert view.tolist() == [2, 3, 4] and list(iterator) == list(range(5))
        ring.append(5)
        assert ring.latest(2).tolist() == [4, 5]
        """)


def test_an_audit_hook_that_refuses() -> None:
    run_python("""
        import sys, vmem
        seen = []
        refuse = False
        def hook(event, arguments):
            if event == "vmem.reserve":
                seen.append(arguments)
                if refuse:
                    raise KeyError
        sys.addaudithook(hook)
        ring = vmem.Ring("B", 1)
        size = 2 * vmem.get_allocation_granularity()
        assert seen == [(size, None)], seen
        refuse = True
        for shared in (False, True):
            try:
                vmem.Ring("B", 1, shared=shared)
            except KeyError:
                continue
            raise AssertionError
        ring.append(5)
        assert list(ring) == [5]
        """)


def test_arrays_and_rings_that_fill_each_other() -> None:
    ring, made = vmem.Ring("i", 10), vmem.Array("i", range(5))
    ring.extend(made)
    made.extend(ring)
    ring.extend(array.array("i", made))
    assert made.tolist() == [0, 1, 2, 3, 4] * 2
    assert list(ring) == [0, 1, 2, 3, 4] * 2
