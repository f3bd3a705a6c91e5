"""Sends shared objects through multiprocessing: python -m tests.programs.sending METHOD CHANNEL THING

Child processes of the methods spawn and forkserver import this module again, so it imports little.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from typing import Any

import vmem

SIZE = 1 << 20
FIRST = b"hello from the sender"
REPLY = b"reply"


class Marked(vmem.Region):
    """A subclass whose instances have attributes, which are sent too."""

    mark: object = None


class MarkedArray(vmem.Array[Any]):
    """The same for arrays."""

    mark: object = None


MARK = ["attributes", {"are": "sent"}]

# --- things: how to make one, and what the receiver does with it ---


class Thing:
    """A region. The receiver replies in it."""

    def make(self) -> Any:
        region = vmem.reserve(SIZE, shared=True, name="sent")
        self.fill(region)
        return region

    def fill(self, region: vmem.Region) -> None:
        region.commit(0, SIZE // 2)
        region[0 : len(FIRST)] = FIRST

    def check_replied(self, region: Any) -> None:
        assert bytes(region[0 : len(REPLY)]) == REPLY, bytes(region[0 : len(REPLY)])


class MarkedThing(Thing):
    def make(self) -> Any:
        region = Marked(SIZE, shared=True, name="sent")
        region.mark = MARK
        self.fill(region)
        return region


class ArrayThing(Thing):
    """An array, which only its maker writes: there is no reply."""

    def make(self) -> Any:
        return vmem.Array("B", FIRST, shared=True)

    def check_replied(self, array: Any) -> None:
        array.append(1)
        assert array.tobytes() == FIRST + b"\1"


class MarkedArrayThing(ArrayThing):
    def make(self) -> Any:
        array = MarkedArray("B", FIRST, shared=True)
        array.mark = MARK
        return array


THINGS = {"region": Thing, "subclass": MarkedThing, "array": ArrayThing, "subclass of Array": MarkedArrayThing}


def use(thing: Any) -> str:
    """What every receiver does. Returns a word, to see that it got there."""
    return use_array(thing) if isinstance(thing, vmem.Array) else use_region(thing)


def use_array(array: Any) -> str:
    if isinstance(array, MarkedArray):
        assert array.mark == MARK
    assert array._is_shared
    assert array.tobytes() == FIRST, array
    if array.readonly:  # else it is the sender itself
        try:
            array.append(1)
        except TypeError:
            return "used"
        raise AssertionError("a reader could write")
    return "used"


def use_region(region: Any) -> str:
    assert isinstance(region, vmem.Region), region
    assert region.name == "sent"
    if isinstance(region, Marked):
        assert region.mark == MARK
    if not region.is_committed(0, 100):  # one that a forked process inherits has the record of its parent
        region.commit(0, 100)
    assert bytes(region[0 : len(FIRST)]) == FIRST, bytes(region[0 : len(FIRST)])
    region[0 : len(REPLY)] = REPLY
    return "used"


# --- what runs in the other process ---


def use_argument(thing: Any) -> None:
    use(thing)


def use_from_queue(queue: Any, done: Any) -> None:
    done.put(use(queue.get()))


def use_from_pipe(connection: Any) -> None:
    connection.send(use(connection.recv()))


def make_and_send(things: str, connection: Any) -> None:
    """The other way round. The sender lives until the receiver says so."""
    thing = THINGS[things]().make()
    connection.send(thing)
    assert connection.recv() == "used"
    THINGS[things]().check_replied(thing)


def use_pair(pair: tuple[Any, Any, dict[str, Any]]) -> str:
    one, same, others = pair
    assert one is same is others["same"]
    assert others["other"] is not one
    assert type(others["other"]) is type(one)
    return use(one)


initialized: Any = None


def initialize(thing: Any) -> None:
    global initialized
    initialized = thing


def use_initialized(_number: int) -> str:
    return use(initialized)


# --- channels ---


def send_argument(context: BaseContext, thing: Any, things: str) -> None:
    process = context.Process(target=use_argument, args=(thing,))  # type: ignore[attr-defined]
    process.start()
    process.join()
    assert process.exitcode == 0


def send_keyword(context: BaseContext, thing: Any, things: str) -> None:
    process = context.Process(target=use_argument, kwargs={"thing": thing})  # type: ignore[attr-defined]
    process.start()
    process.join()
    assert process.exitcode == 0


def send_through(context: BaseContext, thing: Any, queue: Any, done: Any) -> None:
    process = context.Process(target=use_from_queue, args=(queue, done))  # type: ignore[attr-defined]
    process.start()
    queue.put(thing)
    assert done.get() == "used"
    process.join()
    assert process.exitcode == 0


def send_queue(context: BaseContext, thing: Any, things: str) -> None:
    send_through(context, thing, context.Queue(), context.Queue())


def send_simple_queue(context: BaseContext, thing: Any, things: str) -> None:
    send_through(context, thing, context.SimpleQueue(), context.SimpleQueue())


def send_joinable_queue(context: BaseContext, thing: Any, things: str) -> None:
    send_through(context, thing, context.JoinableQueue(), context.Queue())


def send_pipe(context: BaseContext, thing: Any, things: str) -> None:
    ours, theirs = context.Pipe()
    process = context.Process(target=use_from_pipe, args=(theirs,))  # type: ignore[attr-defined]
    process.start()
    ours.send(thing)
    assert ours.recv() == "used"
    process.join()
    assert process.exitcode == 0


def receive_pipe(context: BaseContext, thing: Any, things: str) -> None:
    ours, theirs = context.Pipe()
    process = context.Process(target=make_and_send, args=(things, theirs))  # type: ignore[attr-defined]
    process.start()
    ours.send(use(ours.recv()))
    process.join()
    assert process.exitcode == 0
    use(thing)


def send_pool(context: BaseContext, thing: Any, things: str) -> None:
    with context.Pool(2) as pool:
        assert pool.apply(use, (thing,)) == "used"


def send_pool_initializer(context: BaseContext, thing: Any, things: str) -> None:
    with context.Pool(1, initialize, (thing,)) as pool:
        assert pool.map(use_initialized, [1]) == ["used"]


def send_executor(context: BaseContext, thing: Any, things: str) -> None:
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        assert executor.submit(use, thing).result() == "used"


def send_executor_initializer(context: BaseContext, thing: Any, things: str) -> None:
    with ProcessPoolExecutor(1, mp_context=context, initializer=initialize, initargs=(thing,)) as executor:
        assert executor.submit(use_initialized, 1).result() == "used"


def send_manager(context: BaseContext, thing: Any, things: str) -> None:
    """The server process attaches it, and sends it on."""
    with context.Manager() as manager:
        kept, queue, done = manager.list(), manager.Queue(), manager.Queue()
        kept.append(thing)
        queue.put(kept[0])
        process = context.Process(target=use_from_queue, args=(queue, done))  # type: ignore[attr-defined]
        process.start()
        assert done.get() == "used"
        process.join()
        assert process.exitcode == 0


def send_nested(context: BaseContext, thing: Any, things: str) -> None:
    """In containers, and the same one several times: it is one there too."""
    other = THINGS[things]().make()
    with context.Pool(1) as pool:
        assert pool.apply(use_pair, ((thing, thing, {"same": thing, "other": other}),)) == "used"


CHANNELS: dict[str, Callable[[BaseContext, Any, str], None]] = {
    "argument": send_argument,
    "keyword": send_keyword,
    "queue": send_queue,
    "simple queue": send_simple_queue,
    "joinable queue": send_joinable_queue,
    "pipe": send_pipe,
    "pipe, received": receive_pipe,
    "pool": send_pool,
    "pool, initializer": send_pool_initializer,
    "executor": send_executor,
    "executor, initializer": send_executor_initializer,
    "manager": send_manager,
    "nested": send_nested,
}


def main(method: str, channel: str, things: str) -> None:
    thing = THINGS[things]()
    made = thing.make()
    CHANNELS[channel](multiprocessing.get_context(method), made, things)
    thing.check_replied(made)


if __name__ == "__main__":
    main(*sys.argv[1:])
