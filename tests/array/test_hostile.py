"""Python code that changes an array or an arena in the middle of a call: each raises or works, and none crashes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import vmem
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python

pytestmark = pytest.mark.in_child

Act = Callable[[], object]
Change = Callable[[Any], object]


class Number:
    """A number that runs an action whenever it is asked what it is, or whether it equals another one."""

    def __init__(self, action: Act) -> None:
        self.action = action

    def __index__(self) -> int:
        self.action()
        return 1

    def __float__(self) -> float:
        self.action()
        return 1.0

    def __eq__(self, other: object) -> bool:
        self.action()
        return False

    __hash__ = None  # type: ignore[assignment]


def grow_and_clear(made: vmem.Array[Any]) -> None:
    made.extend(range(100))
    made.clear()
    made.shrink_to_fit()


ACTIONS: dict[str, Change] = {
    "append": lambda made: made.append(1),
    "pop": lambda made: len(made) and made.pop(),
    "clear": lambda made: made.clear(),
    "give back": lambda made: (made.clear(), made.shrink_to_fit()),
    "grow and give back": grow_and_clear,
    "double": lambda made: made.extend(made),
    "reverse": lambda made: made.reverse(),
    "insert": lambda made: made.insert(0, 5),
    "delete": lambda made: made.__delitem__(slice(None, None, 2)),
}

CALLS: dict[str, Callable[[Any, Any], object]] = {
    "append": lambda made, number: made.append(number),
    "insert at": lambda made, number: made.insert(number, 5),
    "insert": lambda made, number: made.insert(3, number),
    "set": lambda made, number: made.__setitem__(4, number),
    "set the last": lambda made, number: made.__setitem__(-1, number),
    "set at": lambda made, number: made.__setitem__(number, 5),
    "get": lambda made, number: made[number],
    "delete": lambda made, number: made.__delitem__(number),
    "get a slice": lambda made, number: made[number:],
    "get a part": lambda made, number: made[number:4],
    "get backwards": lambda made, number: made[:number:-1],
    "step": lambda made, number: made[::number],
    "set a slice": lambda made, number: made.__setitem__(slice(number, 4), vmem.Array(made.typecode, range(7))),
    "set a slice of itself": lambda made, number: made.__setitem__(slice(number, 4), made),
    "delete a slice": lambda made, number: made.__delitem__(slice(number, None)),
    "delete backwards": lambda made, number: made.__delitem__(slice(None, number, -2)),
    "index": lambda made, number: made.index(number),
    "index from": lambda made, number: made.index(1, number),
    "index to": lambda made, number: made.index(99, 0, number),
    "count": lambda made, number: made.count(number),
    "export": lambda made, number: made.__dlpack__(max_version=(number, number), copy=made[:1] == [1]),
    "contains": lambda made, number: number in made,
    "remove": lambda made, number: made.remove(number),
    "pop": lambda made, number: made.pop(number),
    "multiply": lambda made, number: made * number,
    "multiply in place": lambda made, number: made.__imul__(number),
    "extend": lambda made, number: made.extend([number, 2, number]),
    "extend from an iterator": lambda made, number: made.extend(each for each in (number, 2, number)),
    "fromlist": lambda made, number: made.fromlist([number, 2, number]),
    "make": lambda made, number: vmem.Array(made.typecode, [number, 2, number]),
    "capacity": lambda made, number: vmem.Array(made.typecode, made, capacity=number),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("typecode", "bQd")
def test_numbers_that_change_the_array(name: str, typecode: str) -> None:
    for action in ACTIONS.values():
        for viewed in (False, True):
            made: vmem.Array[Any] = vmem.Array(typecode, range(10), capacity=500)
            view = memoryview(made)[:3] if viewed else None
            number = Number(lambda action=action, made=made: action(made))  # type: ignore[misc]
            with suppress(IndexError, ValueError, BufferError, MemoryError):
                CALLS[name](made, number)
            assert len(made.tolist()) == len(made) == len(made.tobytes()) // made.itemsize
            if view is not None:
                assert len(made) >= 3
                assert view.tolist() == made[:3].tolist()
            if len(made) < made.capacity:
                made.append(5)
                assert made[-1] == 5


@pytest.mark.parametrize("position", [3, 9])
@pytest.mark.parametrize(
    "change", [list.clear, list.pop, lambda items: items.append(1)], ids=["clear", "pop", "append"]
)
def test_a_list_that_changes_while_it_is_taken(change: Callable[[list[Any]], object], position: int) -> None:
    made = vmem.Array("i", [1])
    items: list[Any] = [0] * 10
    items[position] = Number(lambda: change(items))
    with pytest.raises(RuntimeError, match="list changed size during iteration"):
        made.fromlist(items)
    assert made.tolist() == [1]


@pytest.mark.parametrize("change", ["append", "pop", "clear"])
def test_a_list_that_changes_while_it_extends(change: str) -> None:
    """It is taken as its iterator gives it."""

    def make_changing() -> list[Any]:
        items: list[Any] = [1, 2, 3, 4, 5, 6]
        call = {"append": lambda: items.append(7), "pop": lambda: items.pop(0), "clear": items.clear}[change]
        items[2] = Number(call)
        return items

    expected = vmem.Array("d", iter(make_changing())).tolist()
    made = vmem.Array("d")
    made.extend(make_changing())
    assert vmem.Array("d", make_changing()).tolist() == made.tolist() == expected
    assert len(expected) == {"append": 7, "pop": 5, "clear": 3}[change]


def test_an_initializer_that_shrinks_while_it_is_taken() -> None:
    source = vmem.Array("i", range(100))
    items: list[Any] = [0] * 10
    items[3] = Number(lambda: [each() for each in (items.clear, source.clear, source.shrink_to_fit)])
    assert vmem.Array("i", items).tolist() == [0, 0, 0, 1]
    assert len(source) == 0


def test_an_item_that_is_gone_when_it_is_found() -> None:
    class Gone(Number):
        def __eq__(self, other: object) -> bool:
            self.action()
            return True

        __hash__ = None

    for name in ("remove", "index", "count", "__contains__"):
        made = vmem.Array("i", range(10))
        getattr(made, name)(Gone(made.clear))
        assert (len(made), made.tolist()) == (0, [])


class File:
    """A file that runs an action when it is used."""

    def __init__(self, action: Act) -> None:
        self.action = action

    def read(self, size: int) -> bytes:
        self.action()
        return b"x" * size

    def write(self, data: bytes) -> None:
        self.action()


@pytest.mark.parametrize("name", ACTIONS)
def test_files_that_change_the_array(name: str) -> None:
    made = vmem.Array("i", range(60_000), capacity=1 << 20)
    file = File(lambda: ACTIONS[name](made))
    with suppress(MemoryError):
        made.tofile(file)
    if len(made) == made.capacity:
        made.clear()
    file.action = lambda: None
    made.fromfile(file, 10)
    assert made[-10:].tobytes() == b"x" * 40
    view = memoryview(made)
    file.action = lambda: ACTIONS[name](made)
    with suppress(BufferError, MemoryError):
        made.tofile(file)
        made.fromfile(file, 10)
    assert view.tolist() == made[: len(view)].tolist()


class Restless(vmem.Array[int]):
    """It changes when it is asked what it has beside its items."""

    action: Act

    def __getstate__(self) -> None:
        self.action()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ACTIONS)
def test_states_that_change_the_array(name: str, protocol: int) -> None:
    made = Restless("i", range(10), capacity=500)
    made.action = lambda: ACTIONS[name](made)
    _, arguments, _ = made.__reduce_ex__(protocol)
    items = arguments[-1] if protocol < 3 else memoryview(arguments[3]).cast("B").cast("i").tolist()
    assert items == made.tolist()


def test_a_protocol_that_changes_the_array() -> None:
    made = vmem.Array("i", range(10))
    assert made.__reduce_ex__(Number(made.clear))[1] == ("i", [])


def test_an_audit_hook_that_changes_what_is_unpickled() -> None:
    """The source stays as long as it is read: it cannot shrink, and what it is changed to is what is read."""
    run_python(
        """
        import pickle, sys, vmem
        source, refused = vmem.Array("i", range(100_000)), []
        source.buffer_info()  # gives it an address, and so buffers out of band
        data = pickle.dumps(source, 5, buffer_callback=lambda buffer: None)
        def hook(event, arguments):
            if event == "vmem.reserve" and not refused:
                try:
                    source.clear()
                except BufferError as error:
                    refused.append(str(error))
                source[0] = 7
        sys.addaudithook(hook)
        again = pickle.loads(data, buffers=[source])
        assert again.tolist() == [7, *range(1, 100_000)] and len(refused) == 1, refused
        source.clear()
        """
    )


def test_an_audit_hook_that_refuses_what_is_unpickled() -> None:
    run_python(
        """
        import pickle, sys, vmem
        source = vmem.Array("i", range(100_000))
        data = pickle.dumps(source, 5, buffer_callback=lambda buffer: None)
        def hook(event, arguments):
            if event == "vmem.reserve":
                raise KeyError
        sys.addaudithook(hook)
        try:
            pickle.loads(data, buffers=[source])
        except KeyError:
            source.clear()
        assert len(source) == 0
        """
    )


def test_numbers_that_change_the_arena() -> None:
    calls: list[Callable[[vmem.Arena, Any], memoryview | None]] = [
        lambda arena, number: arena.alloc(number),
        lambda arena, number: arena.alloc(100, align=number),
        lambda arena, number: arena.rewind(number),
        lambda arena, number: arena.alloc(1, zero=Truth(number.action)),  # type: ignore[arg-type]
    ]
    for call in calls:
        arena = vmem.Arena(1 << 20)
        arena.alloc(5000)
        views: list[memoryview] = []

        def change(arena: vmem.Arena = arena, views: list[memoryview] = views) -> None:
            if not views:
                arena.reset()
                arena.trim()
                views.append(arena.alloc(10))
                views[0][:] = b"z" * 10

        try:
            got = call(arena, Number(change))
        except BufferError:
            got = None
        assert views[0] == b"z" * 10
        assert got is None or got == bytes(len(got))
        assert arena.used >= 10


class Truth:
    def __init__(self, action: Act) -> None:
        self.action = action

    def __bool__(self) -> bool:
        self.action()
        return True


def test_collections_in_the_middle_of_calls() -> None:
    """With a collection at every allocation, finalizers and callbacks change what calls are at work on."""
    run_python(
        """
        import gc, pickle, weakref, vmem
        class Tape(vmem.Array): pass
        class Pool(vmem.Arena): pass
        outcomes = []
        class Bomb:
            def __init__(self, action):
                self.me, self.action = self, action
            def __del__(self):
                try:
                    self.action()
                except (BufferError, IndexError, MemoryError) as error:
                    outcomes.append(type(error))
                else:
                    outcomes.append(None)
        tape, pool, kept = Tape("d", range(100), capacity=5000), Pool(1 << 20), []
        actions = [
            lambda: (tape.clear(), tape.shrink_to_fit()), lambda: tape.extend(tape), lambda: tape.pop(),
            lambda: pool.reset(), lambda: pool.trim(), lambda: kept.append(memoryview(tape)),
            lambda: kept.append(pool.alloc(10)), lambda: kept.clear(),
        ]
        calls = [
            lambda: tape.append(1), lambda: tape[1:5], lambda: tape + tape, lambda: tape * 2, lambda: tape.tolist(),
            lambda: repr(tape), lambda: memoryview(tape), lambda: tape == tape[:], lambda: tape.index(5000),
            lambda: tape.__reduce__(), lambda: tape.__reduce_ex__(4), lambda: kept.append(tape.__reduce_ex__(5)),
            lambda: pickle.loads(pickle.dumps(tape, 5)),
            lambda: tape.extend(float(n) for n in range(5)), lambda: list(tape),
            lambda: pool.alloc(20), lambda: pool.scope(), lambda: pool.alloc(1 << 30), lambda: tape.frombytes(bytes(8)),
            lambda: tape.fromlist([1.5, 2.5]), lambda: Tape("d", tape), lambda: tape.__setitem__(slice(1, 3), tape),
        ]
        gc.set_threshold(1)
        for turn in range(4000):
            Bomb(actions[turn % len(actions)])
            if turn % 7 == 0:
                part = Tape("b", [1], capacity=5000)
                part.me = part
                weakref.finalize(part, actions[turn // 7 % len(actions)]).atexit = False
                del part
            try:
                result = calls[turn % len(calls)]()
                if isinstance(result, memoryview) and len(result):
                    result[0] = result[-1] = 5
                    bytes(result)
                del result
            except (BufferError, IndexError, ValueError, MemoryError):
                pass
            while len(tape) < 10:
                tape.append(1)
        gc.set_threshold(700)
        assert len(outcomes) > 1000, len(outcomes)
        """
    )


def test_weakref_callbacks_of_arrays_and_arenas() -> None:
    run_python(
        """
        import gc, weakref, vmem
        other, pool, hits = vmem.Array("i", range(10)), vmem.Arena(1 << 20), []
        def callback(gone):
            other.clear()
            other.shrink_to_fit()
            hits.append(pool.alloc(10))
        for make in (lambda: vmem.Array("d", [1]), lambda: vmem.Arena(4096)):
            each = make()
            view = memoryview(each) if isinstance(each, vmem.Array) else each.alloc(5)
            weak = weakref.ref(each, callback)
            del each
            assert weak() is not None
            view.release()
            del view
            assert weak() is None
        assert len(hits) == 2 and len(other) == 0
        """
    )


@pytest.mark.many_addresses
def test_half_made_objects() -> None:
    """What the collector shows of an array that could not be made can be used, as an empty one."""
    run_python(
        """
        import gc, vmem
        from vmem import _vmem
        found = []
        class Late(vmem.Array):
            def __new__(cls, *arguments, **keywords):
                return super().__new__(cls, *arguments, **keywords)
        class Finder:
            def __init__(self):
                self.me = self
            def __del__(self):
                found.extend(each for each in gc.get_objects() if isinstance(each, (Late, Pool)))
        class Pool(vmem.Arena):
            pass
        gc.set_threshold(1)
        for _ in range(200):
            Finder()
            for make in (lambda: Late("d", capacity=1 << 58), lambda: Pool(1 << 61), lambda: Late("d", range(5))):
                try:
                    make()
                except MemoryError:
                    pass
        for each in found:
            try:
                if isinstance(each, Late):
                    each.append(1), each.tolist(), memoryview(each), each.clear(), each.shrink_to_fit(), repr(each)
                    each.__reduce__(), each.__reduce_ex__(3), each.__reduce_ex__(5)
                else:
                    each.alloc(0), each.reset(), each.trim(), repr(each), each.alloc(10)
            except (MemoryError, BufferError, ValueError):
                pass
        """
    )


# --- threads ---


def test_eight_threads_append_to_one_array() -> None:
    run_python(
        """
        import sys, threading, vmem
        sys.setswitchinterval(1e-5)
        made = vmem.Array("q", [-1], capacity=1 << 20)
        early, errors = memoryview(made), []
        def work(number):
            try:
                for turn in range(5000):
                    made.append(number * 5000 + turn)
                    view = memoryview(made)
                    assert view[0] == early[0] == -1
                    view.release()
                    if turn % 100 == 0:
                        made.extend([-2, -3])
            except BaseException as error:
                errors.append(error)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not errors, errors
        assert sorted(item for item in made if item >= 0) == list(range(40000))
        assert made.count(-2) == made.count(-3) == 8 * 50
        """
    )


def test_eight_threads_append_pop_and_give_back() -> None:
    run_python(
        """
        import sys, threading, vmem
        sys.setswitchinterval(1e-5)
        made, taken, errors = vmem.Array("q", capacity=1 << 20), [[] for _ in range(8)], []
        def work(number):
            try:
                for turn in range(3000):
                    made.append(number * 3000 + turn)
                    if turn % 50 == 0:
                        made.shrink_to_fit()
                    if turn % 3 == 0:
                        view = memoryview(made)
                        view.tolist()
                        del view
                    try:
                        taken[number].append(made.pop())
                    except (BufferError, IndexError):
                        pass
            except BaseException as error:
                errors.append(error)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not errors, errors
        assert sorted(sum(taken, made.tolist())) == list(range(24000))
        """
    )


def test_eight_threads_on_one_arena() -> None:
    run_python(
        """
        import sys, threading, vmem
        sys.setswitchinterval(1e-5)
        arena, errors = vmem.Arena(1 << 30), []
        def work(number):
            try:
                for turn in range(2000):
                    views = [arena.alloc(50 + number) for _ in range(3)]
                    for view in views:
                        assert view == bytes(50 + number)
                        view[:] = bytes([number + 1]) * len(view)
                    for view in views:
                        assert view == bytes([number + 1]) * len(view)
                    del view, views
                    try:
                        arena.reset()
                        arena.trim()
                    except BufferError:
                        pass
            except BaseException as error:
                errors.append(error)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not errors, errors
        arena.reset()
        arena.trim()
        assert (arena.used, arena.committed) == (0, 0)
        """
    )


# --- signals ---

# map() makes both calls without the interpreter in between, so that the signal is noticed in the second one.
INTERRUPT = """
    import _thread, operator, signal, vmem
    size = 96 << 20
    ran = []
    def during(action, call):
        def handler(number, frame):
            ran.append(number)
            action()
        signal.signal(signal.SIGINT, handler)
        list(map(operator.call, (_thread.interrupt_main, call)))
    def stop():
        raise KeyboardInterrupt
"""


@pytest.mark.many_addresses
@posix_only
def test_signals_during_shrink_to_fit() -> None:
    run_python(
        INTERRUPT
        + """
    page = vmem.get_page_size()
    made = vmem.Array("B", b"x" * size)
    del made[10:]
    refused = []
    def use():
        made.append(1)
        for call in (made.shrink_to_fit, lambda: made.frombytes(bytes(2 * page)), lambda: made.__imul__(page)):
            try:
                call()
            except BufferError as error:
                refused.append(str(error))
        view = memoryview(made)
        view[0] = 7
    during(use, made.shrink_to_fit)
    assert len(ran) == 1
    assert len(refused) == 3 and all("while a call to decommit" in each for each in refused), refused
    assert made.tobytes() == b"\\x07" + b"x" * 9 + b"\\x01"
    made.frombytes(b"y" * size)
    assert made.tobytes() == b"\\x07" + b"x" * 9 + b"\\x01" + b"y" * size
        """
    )


@posix_only
def test_signals_during_trim() -> None:
    run_python(
        INTERRUPT
        + """
    page = vmem.get_page_size()
    arena = vmem.Arena(1 << 30)
    arena.alloc(size)[:] = b"x" * size
    arena.reset()
    kept = arena.alloc(10)
    refused, held = [], []
    def use():
        held.append(arena.alloc(20))
        for call in (arena.trim, lambda: arena.alloc(2 * page)):
            try:
                call()
            except BufferError as error:
                refused.append(str(error))
    during(use, arena.trim)
    assert len(ran) == 1 and len(refused) == 2, (ran, refused)
    assert arena.committed == page
    assert held[0] == bytes(20)
    assert arena.alloc(size) == bytes(size)
        """
    )


@posix_only
def test_interrupting_shrink_to_fit() -> None:
    run_python(
        INTERRUPT
        + """
    made = vmem.Array("B", b"x" * size)
    view_of_first = memoryview(made)[:5]
    view_of_first.release()
    del made[10:]
    for _ in range(3):
        try:
            during(stop, made.shrink_to_fit)
        except KeyboardInterrupt:
            pass
    assert ran
    assert made.tobytes() == b"x" * 10
    made.frombytes(b"y" * (size // 2))
    assert made.tobytes() == b"x" * 10 + b"y" * (size // 2)
        """
    )


def writable(base: str) -> str:
    return f"""
    def writable(base, num_bytes):
        total = 0
        for line in open("/proc/self/maps"):
            first, last = (int(address, 16) for address in line.split()[0].split("-"))
            if " rw-p " in line:
                total += max(0, min(last, base + num_bytes) - max(first, base))
        return total
    base = {base}
"""


@linux_only
def test_what_an_interrupted_shrink_to_fit_has_left_goes_with_the_next() -> None:
    run_python(
        INTERRUPT
        + """
    made = vmem.Array("B", b"x" * size, capacity=size)
    """
        + writable("made.buffer_info()[0]")
        + """
    made.clear()
    try:
        during(stop, made.shrink_to_fit)
    except KeyboardInterrupt:
        pass
    assert 0 < writable(base, size) < size, writable(base, size)
    made.shrink_to_fit()
    assert writable(base, size) == 0, writable(base, size)
        """
    )


@posix_only
def test_interrupting_trim() -> None:
    run_python(
        INTERRUPT
        + """
    arena = vmem.Arena(1 << 30)
    for _ in range(3):
        arena.alloc(size)[:] = b"x" * size
        arena.reset()
        try:
            during(stop, arena.trim)
        except KeyboardInterrupt:
            pass
        assert 0 < arena.committed < size
        assert arena.alloc(size) == bytes(size)
        arena.reset()
        try:
            during(stop, arena.trim)
        except KeyboardInterrupt:
            pass
        arena.trim()
        assert arena.committed == 0
        assert arena.alloc(size) == bytes(size)
        arena.reset()
    assert len(ran) == 6
        """
    )


@pytest.mark.many_addresses
def test_other_threads_during_shrink_to_fit_and_trim() -> None:
    run_python(
        """
        import threading, vmem
        size = 64 << 20
        made, arena, stop, errors = vmem.Array("B"), vmem.Arena(1 << 30), threading.Event(), []
        def work():
            try:
                while not stop.is_set():
                    for call in (lambda: made.append(1), lambda: made.frombytes(bytes(5000)), made.clear):
                        try:
                            call()
                        except BufferError:
                            pass
                    try:
                        view = arena.alloc(5000)
                        assert view == bytes(5000)
                        view[:] = b"z" * 5000
                    except BufferError:
                        pass
            except BaseException as error:
                errors.append(error)
        threads = [threading.Thread(target=work) for _ in range(2)]
        [thread.start() for thread in threads]
        for _ in range(10):
            for call in (lambda: made.frombytes(b"x" * size), made.clear, made.shrink_to_fit,
                         lambda: arena.alloc(size), arena.reset, arena.trim):
                try:
                    call()
                except BufferError:
                    pass
        stop.set()
        [thread.join() for thread in threads]
        assert not errors, errors
        """
    )


def test_items_made_equal_while_they_are_compared() -> None:
    """Reading into a view needs no GIL: the item that differs may be equal when the search for it comes by."""
    run_python(
        """
        import threading, vmem
        array = vmem.Array("b", bytes(16 << 20))
        other = vmem.Array("b", array)
        last = memoryview(array)[-1:]
        done = False

        def write():
            with open("/dev/zero", "rb", buffering=0) as zeros:
                while not done:
                    zeros.readinto(last)

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        for _ in range(30):
            last[0] = 1
            array == other  # noqa: B015
        done = True
        for writer in writers:
            writer.join()
        """
    )


def test_appending_after_a_refused_shrink_to_fit() -> None:
    """The pages that another thread is giving back are no room for new items, now or later."""
    run_python(
        """
        import contextlib, threading, vmem
        for _ in range(8):
            array = vmem.Array("b", bytes(192 << 20))
            del array[1 << 20 :]
            other = threading.Thread(target=array.shrink_to_fit)
            other.start()
            array.clear()
            for call in (array.shrink_to_fit, lambda: array.append(1)):
                with contextlib.suppress(BufferError):
                    call()
            other.join()
            array.frombytes(bytes(8 << 20))
            assert array[-1] == 0 and len(array) >= 8 << 20
        """
    )


@pytest.mark.many_addresses
@posix_only
def test_an_iterator_without_an_end_can_be_interrupted() -> None:
    run_python(
        """
        import itertools, signal, vmem

        def stop(number, frame):
            raise KeyboardInterrupt

        signal.signal(signal.SIGPROF, stop)
        array = vmem.Array("b", capacity=1 << 30)
        signal.setitimer(signal.ITIMER_PROF, 0.01)  # of processor time, so that it ends after items have come
        try:
            array.extend(itertools.repeat(7))
        except KeyboardInterrupt:
            print(len(array))
        assert 0 < len(array) < 1 << 30 and array[-1] == 7
        """
    )
