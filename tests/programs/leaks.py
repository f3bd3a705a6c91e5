"""Looks for leaks: repeats every call, those that succeed and those that raise.

python -m tests.programs.leaks --cycles 1000000
"""

from __future__ import annotations

import argparse
import array
import atexit
import contextlib
import copy
import gc
import importlib
import io
import operator
import os
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import vmem
from vmem import Protection, _vmem

PAGE = vmem.get_page_size()
LONG = 8 << 20  # long enough for a call that lets other threads run
ZEROS = bytes(LONG)  # made once: allocators keep memory when so much is freed, which would look like a leak

Call = Callable[[], object]


def refused(call: Call, error: type[BaseException]) -> Call:
    """A call that must fail."""

    def attempt() -> None:
        try:
            call()
        except error:
            return
        raise AssertionError(f"no {error.__name__}")

    return attempt


def in_turn(*calls: Call) -> Call:
    """Several calls as one."""

    def run() -> None:
        for call in calls:
            call()

    return run


class Bad:
    """An argument whose conversion fails."""

    def __index__(self) -> int:
        raise KeyError

    def __bool__(self) -> bool:
        raise KeyError


def reserve_and_release(**options: object) -> None:
    vmem.reserve(PAGE, **options).release()  # type: ignore[arg-type]


def leave_with_an_exception(view_too: bool) -> None:
    try:
        with vmem.reserve(PAGE) as region:
            region.commit()
            view = region[:] if view_too else None
            raise KeyError
    except KeyError:
        del view


class Held(vmem.Region):
    """A region that can be part of a cycle."""

    held: object = None


def make_cycle() -> None:
    region = Held(PAGE)
    region.commit()
    region.held = [region, region[0:1]]
    del region
    gc.collect()


def good_calls(region: vmem.Region) -> dict[str, Call]:
    """On a region whose first four pages are committed."""
    view = region[0:PAGE]
    data = bytes(range(100))
    return {
        "reserve": reserve_and_release,
        "reserve aligned": lambda: reserve_and_release(alignment=1 << 21),
        "reserve with a name": lambda: reserve_and_release(name="leak" + str(len(data))),
        "make with the class": lambda: vmem.Region(PAGE, name="x"),
        "drop": lambda: vmem.reserve(PAGE).commit(),
        "drop the region before its view": lambda: commit_and_view(vmem.reserve(PAGE)),
        "with": lambda: vmem.reserve(PAGE).__enter__().__exit__(None, None, None),
        "with and an exception": lambda: leave_with_an_exception(False),
        "with, an exception and a view": lambda: leave_with_an_exception(True),
        "commit and decommit": in_turn(lambda: region.commit(8 * PAGE, PAGE), lambda: region.decommit(8 * PAGE, PAGE)),
        "commit in pieces": in_turn(
            lambda: region.commit(9 * PAGE, PAGE),
            lambda: region.commit(11 * PAGE, PAGE),
            lambda: region.commit(13 * PAGE, PAGE),
            lambda: region.commit(8 * PAGE, 8 * PAGE),
            lambda: region.decommit(8 * PAGE, 8 * PAGE),
        ),
        "commit and prefault": in_turn(
            lambda: region.commit(8 * PAGE, PAGE, prefault=True),
            lambda: region.decommit(8 * PAGE, PAGE),
        ),
        "long commit and decommit": in_turn(lambda: region.commit(LONG, LONG), lambda: region.decommit(LONG, LONG)),
        "discard": lambda: region.discard(2 * PAGE, PAGE),
        "prefault": lambda: region.prefault(0, PAGE),
        "protect": in_turn(lambda: region.protect(Protection.READ, PAGE, PAGE), lambda: region.protect(2, PAGE, PAGE)),
        "protect as executable": in_turn(lambda: region.protect(4, PAGE, PAGE), lambda: region.protect(2, PAGE, PAGE)),
        "lock": in_turn(lambda: region.lock(0, PAGE), lambda: region.unlock(0, PAGE)),
        "resident": lambda: region.resident(0, 2 * PAGE),
        "long resident": lambda: region.resident(0, LONG),
        "map": region.map,
        "view": lambda: region.view(0, 2 * PAGE, readonly=True),
        "empty view": lambda: region.view(5, 0),
        "view of a view": lambda: memoryview(region[0:8].obj)[::2].tolist(),
        "is_committed": lambda: region.is_committed(0, 2 * PAGE),
        "ranges": region.ranges,
        "item": lambda: region[5],
        "set item": lambda: region.__setitem__(5, 200),
        "slice": lambda: region[5:50],
        "slice with a step": lambda: region[50:5:-3],
        "set slice": lambda: region.__setitem__(slice(0, 100), data),
        "set slice with a step": lambda: region.__setitem__(slice(0, 200, 2), data),
        "set slice from itself": lambda: region.__setitem__(slice(1, 1 + PAGE), view),
        "set slice from scattered bytes": lambda: region.__setitem__(slice(0, 50), memoryview(data)[::2]),
        "attributes": lambda: [getattr(region, name) for name in ("address", "size", "committed", "name", "released")],
        "repr and len": lambda: (repr(region), len(region), hash(region), region == region),
        "align": lambda: (
            vmem.align_forward(5, 8),
            vmem.align_backward(1 << 63, 16),
            vmem.is_aligned(address=5, align=8),
        ),
    }


def commit_and_view(region: vmem.Region) -> memoryview:
    region.commit()
    return region[:]


def pass_negative_offset(call: Callable[..., object]) -> object:
    return call(-PAGE)


def pass_huge_size(call: Callable[..., object]) -> object:
    return call(0, PAGE << 64)


def failing_calls(region: vmem.Region, released: vmem.Region) -> dict[str, tuple[Call, type[BaseException]]]:
    """Numbers are computed in every call: another reference to a constant takes no memory."""
    view = region[0:PAGE]
    bad: int = Bad()  # type: ignore[assignment]
    text: int = "text"  # type: ignore[assignment]
    calls: dict[str, tuple[Call, type[BaseException]]] = {
        "reserve 0 bytes": (lambda: vmem.reserve(0), ValueError),
        "reserve text": (lambda: vmem.reserve(text), TypeError),
        "reserve with a bad name": (lambda: vmem.reserve(1, name=5), TypeError),  # type: ignore[arg-type]
        "reserve with a bad bool": (lambda: vmem.reserve(1, huge_pages=bad), KeyError),  # type: ignore[arg-type]
        "reserve with a bad alignment": (lambda: vmem.reserve(1, alignment=3), ValueError),
        "make with too few arguments": (lambda: _vmem.Region(1), TypeError),  # type: ignore[call-arg]
        "make without a type": (lambda: _vmem.reserve(int, 1, None, False, None), TypeError),  # type: ignore[type-var]
        "protect with a bad number": (lambda: region.protect(99), ValueError),
        "protect a viewed page": (lambda: region.protect(0, 0, PAGE), BufferError),
        "decommit a viewed page": (lambda: region.decommit(0, PAGE), BufferError),
        "discard a viewed page": (lambda: region.discard(0, PAGE), BufferError),
        "release with views": (region.release, BufferError),
        "view with too much": (lambda: region.view(0, 1, False, 5), TypeError),  # type: ignore[call-arg]
        "view with a wrong keyword": (lambda: region.view(nothing=1), TypeError),  # type: ignore[call-arg]
        "view with a bad bool": (lambda: region.view(0, 1, readonly=bad), KeyError),  # type: ignore[arg-type]
        "item beyond": (lambda: region[region.size], IndexError),
        "item far beyond": (lambda: region[PAGE << 70], IndexError),
        "item at an index too long to print": (lambda: region[1 << 20000], IndexError),
        "map when released": (released.map, ValueError),
        "uncommitted item": (lambda: region[8 * PAGE], ValueError),
        "uncommitted slice": (lambda: region[8 * PAGE :], ValueError),
        "set an item to a too large number": (lambda: region.__setitem__(0, PAGE + 1), ValueError),
        "set an item to text": (lambda: region.__setitem__(0, text), TypeError),
        "set a slice to text": (lambda: region.__setitem__(slice(0, 4), "text"), TypeError),  # type: ignore[call-overload]
        "set a slice to too many bytes": (lambda: region.__setitem__(slice(0, 4), b"12345"), ValueError),
        "set steps to too many bytes": (lambda: region.__setitem__(slice(0, 8, 2), b"12345"), ValueError),
        "slice with a bad end": (lambda: region[0:bad], KeyError),
        "delete an item": (lambda: region.__delitem__(0), TypeError),  # type: ignore[attr-defined]
        "item beyond the end of a view": (lambda: view[PAGE], IndexError),
        "iterate": (lambda: iter(region), TypeError),
        "copy": (lambda: copy.copy(region), TypeError),
        "align to 0": (lambda: vmem.align_forward(1, 0), ValueError),
        "align too high": (lambda: vmem.align_forward((1 << 64) - 1, 8), ValueError),
        "align with one argument": (lambda: vmem.align_backward(1), TypeError),  # type: ignore[call-arg]
    }
    verbs = ["commit", "decommit", "discard", "prefault", "lock", "unlock", "resident", "view", "is_committed"]
    for verb in verbs:
        call = getattr(region, verb)
        gone = getattr(released, verb)
        calls |= {
            f"{verb} with text": (partial(call, text), TypeError),
            f"{verb} with a negative offset": (partial(pass_negative_offset, call), ValueError),
            f"{verb} with a huge size": (partial(pass_huge_size, call), ValueError),
            f"{verb} with a bad index": (partial(call, 0, bad), KeyError),
            f"{verb} beyond the end": (partial(call, region.size, 1), ValueError),
            f"{verb} when released": (partial(gone, 0, 1), ValueError),
        }
    for verb in ("discard", "prefault", "lock", "unlock", "view"):
        call = getattr(region, verb)
        calls[f"{verb} uncommitted pages"] = (partial(call, 8 * PAGE, LONG), ValueError)
    return calls


def numbers(*items: float, typecode: str = "i") -> vmem.Array[Any]:
    return vmem.Array(typecode, items)


class HeldArray(vmem.Array[int]):
    """An array that can be part of a cycle."""

    held: object = None


class HeldArena(vmem.Arena):
    held: object = None


def make_cycles_of_structures() -> None:
    made, arena = HeldArray("i", [1, 2]), HeldArena(PAGE)
    made.held = [made, memoryview(made), iter(made)]
    arena.held = [arena, arena.alloc(10), arena.scope()]
    del made, arena
    gc.collect()


def take_from_failing_iterator(made: vmem.Array[int]) -> None:
    def give() -> Iterator[int]:
        yield 1
        raise KeyError

    try:
        made.extend(give())
    except KeyError:
        made.pop()


def array_calls() -> dict[str, Call]:
    """Each leaves its array unchanged."""
    made, twin, same = numbers(*range(100)), numbers(*range(100), typecode="q"), numbers(*range(100))
    floats, large = numbers(*range(100), typecode="d"), vmem.Array("b", capacity=LONG)
    items, data, plain = list(range(1000, 1100)), bytes(400), array.array("i", range(100))
    pickled, outside = pickle.dumps(made), pickle.dumps(made, 5, buffer_callback=lambda buffer: None)
    view = memoryview(made)
    iterator = iter(made)
    held = HeldArray("i", items)
    held.held = data
    doubles, bytes_schema = numbers(typecode="d").__arrow_c_schema__(), numbers(typecode="b").__arrow_c_schema__()

    def cut() -> None:
        del made[100:]

    return {
        "Array()": lambda: vmem.Array("i"),
        "Array() with a capacity": lambda: vmem.Array("i", items, capacity=1000),
        "Array() of an iterator": lambda: vmem.Array("i", iter(items)),
        "Array() of bytes": lambda: vmem.Array("i", data),
        "Array() of a buffer": lambda: vmem.Array("i", plain),
        "Array() of an Array": lambda: vmem.Array("i", twin),
        "Array() of a subclass": lambda: HeldArray("i", items),
        "append and pop": in_turn(lambda: made.append(1 << 20), made.pop),
        "extend by a list": in_turn(lambda: made.extend(items), cut),
        "extend by an iterator": in_turn(lambda: made.extend(iter(items)), cut),
        "extend by a buffer": in_turn(lambda: made.extend(plain), cut),
        "extend by an array": in_turn(lambda: made.extend(same), cut),
        "extend by itself": in_turn(lambda: made.extend(made), cut),
        "extend by a view of itself": in_turn(lambda: made.extend(view), cut),
        "fromlist": in_turn(lambda: made.fromlist(items), cut),
        "frombytes": in_turn(lambda: made.frombytes(data), cut),
        "fromfile": in_turn(lambda: made.fromfile(io.BytesIO(data), 100), cut),
        "tofile": lambda: made.tofile(io.BytesIO()),
        "insert and delete": in_turn(lambda: made.insert(5, 500), lambda: made.__delitem__(5)),
        "remove": in_turn(lambda: made.append(1 << 20), lambda: made.remove(1 << 20)),
        "concatenate": lambda: made + same,
        "concatenate in place": in_turn(lambda: made.__iadd__(same), cut),
        "repeat": lambda: made * 3,
        "repeat in place": in_turn(lambda: made.__imul__(3), cut),
        "item of an array": lambda: (made[5], floats[-5]),
        "set an item of an array": lambda: (made.__setitem__(5, 5), floats.__setitem__(6, 6)),
        "slice of an array": lambda: made[5:50],
        "stepping slice of an array": lambda: made[50:5:-3],
        "set a slice of an array": lambda: made.__setitem__(slice(0, 100), same),
        "set a slice to a longer one": in_turn(lambda: made.__setitem__(slice(100, 200), same), cut),
        "set a stepping slice": lambda: made.__setitem__(slice(None, None, 2), made[::2]),
        "set a slice to itself": in_turn(lambda: floats.__setitem__(slice(None, None, -1), floats), floats.reverse),
        "delete a stepping slice": in_turn(
            lambda: large.frombytes(data), lambda: large.__delitem__(slice(None, None, 3)), large.clear
        ),
        "clear and shrink": in_turn(lambda: large.frombytes(data), large.clear, large.shrink_to_fit),
        "map of an array": made.map,
        "search": lambda: (made.index(99), made.count(5), 7 in made, 7.5 in floats, made.index(5, 2, 50) == 5),
        "compare": lambda: (made == twin, made < twin, made != same, made >= same, made == items),
        "iterate over an array": lambda: (list(made), list(reversed(floats))),
        "iterator of an array": lambda: (copy.copy(iterator), operator.length_hint(iterator), next(iter(made))),
        "copy of an array": lambda: (copy.copy(made), copy.deepcopy(made)),
        "pickle an array": lambda: pickle.dumps(made),
        "unpickle an array": lambda: pickle.loads(pickled),
        "pickle an array by protocol 5": lambda: pickle.loads(pickle.dumps(made, protocol=5)),
        "pickle an array out of band": lambda: pickle.dumps(made, 5, buffer_callback=lambda buffer: None),
        "unpickle an array out of band": lambda: pickle.loads(outside, buffers=[data]),
        "unpickle an array of another machine": lambda: (
            _vmem._rebuild_array(HeldArray, "i", ">i", data),
            _vmem._rebuild_array(HeldArray, "i", ">q", data),
        ),
        "pickle an array with attributes": lambda: [pickle.loads(pickle.dumps(held, way)) for way in (2, 3, 5)],
        "pickle an array by protocol 2": lambda: pickle.loads(pickle.dumps(made, protocol=2)),
        "views of an array": lambda: (
            memoryview(made)[5:],
            memoryview(made).cast("B")[::2],
            memoryview(floats).tolist(),
        ),
        "export to Arrow": made.__arrow_c_array__,
        "export to Arrow by a dropped array": lambda: numbers(1, 2).__arrow_c_array__(),
        "export to Arrow in another type": lambda: (
            made.__arrow_c_array__(doubles),
            twin.__arrow_c_array__(bytes_schema),
            large.__arrow_c_schema__(),
        ),
        "export to DLPack": lambda: (made.__dlpack__(), made.__dlpack__(max_version=(1, 0)), made.__dlpack_device__()),
        "export to DLPack by a dropped array": lambda: numbers(1, 2).__dlpack__(),
        "export to Arrow by a dropped shared array": lambda: vmem.Array("i", items, shared=True).__arrow_c_array__(),
        "export a copy to DLPack": lambda: made.__dlpack__(copy=True),
        "grow and shrink under a view": lambda: grow_under_view(large),
        "conversions of an array": lambda: (made.tolist(), made.tobytes(), made.buffer_info(), repr(made), len(floats)),
        "byteswap and reverse": in_turn(twin.byteswap, twin.byteswap, twin.reverse, twin.reverse),
        "attributes of an array": lambda: (made.typecode, made.itemsize, made.capacity, vmem.Array[int]),
        "extend by a failing iterator": lambda: take_from_failing_iterator(made),
    }


def calls_of_rows() -> dict[str, Call]:
    """Of arrays. Each leaves its array unchanged."""
    long, pairs = list(range(300)), [(1, 2), (3, 4)]
    made, small = vmem.Array[Any]("d", [long] * 4, row_shape=(300,)), vmem.Array[Any]("i", pairs, row_shape=(2,))
    plain, pickled = array.array("d", long), pickle.dumps(small)
    other = vmem.Array[Any]("h", pairs, row_shape=(2,))

    def cut() -> None:
        del made[4:]

    return {
        "Array() of rows": lambda: vmem.Array("i", pairs, row_shape=(2,)),
        "Array() of rows of another type": lambda: vmem.Array("i", other, row_shape=(2,)),
        "Array() of rows of no shape": refused(lambda: vmem.Array("i", row_shape=(2, Bad())), KeyError),
        "append and pop a row": in_turn(lambda: made.append(long), made.pop),
        "append a buffer": in_turn(lambda: made.append(plain), made.pop),
        "insert and remove a row": in_turn(lambda: made.insert(1, plain), lambda: made.remove(long)),
        "extend by rows": in_turn(lambda: made.extend([long, plain]), cut),
        "extend by a buffer of rows": in_turn(lambda: made.extend(memoryview(made)), cut),
        "fromlist of rows": in_turn(lambda: made.fromlist([long, plain]), cut),
        "set a row": lambda: made.__setitem__(1, long),
        "rows": lambda: (made[1], small[0], made.tolist(), list(small), repr(small), small.row_shape),
        "search rows": lambda: (small.index([3, 4]), small.count((1, 2)), 5 in made, plain in made),
        "slices of rows": lambda: (small[1:] + small * 2, copy.copy(small), small == other, small < other),
        "views of rows": lambda: (memoryview(made).tolist(), memoryview(small)[1:], small.__dlpack__()),
        "pickle rows": lambda: [pickle.loads(pickle.dumps(small, way)) for way in range(6)],
        "unpickle rows": lambda: pickle.loads(pickled),
        "append a bad row": refused(lambda: made.append([Bad()] * 300), KeyError),
        "append a short row": refused(lambda: made.append(long[1:]), ValueError),
        "extend by another shape": refused(lambda: made.extend(small), TypeError),
        "extend by a buffer of another shape": refused(lambda: made.extend(plain), ValueError),
        "search for a bad row": refused(lambda: small.count(BadRow()), KeyError),
        "export rows to Arrow": refused(small.__arrow_c_array__, TypeError),
    }


class BadRow(list[int]):
    """A row that cannot be looked at."""

    def __len__(self) -> int:
        raise KeyError


def grow_under_view(made: vmem.Array[int]) -> None:
    made.append(1)
    view = memoryview(made)
    made.extend(view)
    made.pop()
    view.release()
    made.clear()


def failing_array_calls() -> dict[str, tuple[Call, type[BaseException]]]:
    made, full = numbers(1, 2, 3), vmem.Array("i", [1, 2], capacity=2)
    viewed, plain, text = numbers(1, 2, 3), [1, 2], "text"
    view = memoryview(viewed)
    bad: int = Bad()  # type: ignore[assignment]
    wrong: Any = object()
    rebuild: Any = _vmem._rebuild_array
    calls: dict[str, tuple[Call, type[BaseException]]] = {
        "export to Arrow in a wrong type": (lambda: made.__arrow_c_array__(wrong), TypeError),
        "export to DLPack for a wrong version": (lambda: made.__dlpack__(max_version=(1, wrong)), TypeError),
        "export to DLPack for another device": (lambda: made.__dlpack__(dl_device=(2, 0)), BufferError),
        "export to DLPack for a stream": (lambda: made.__dlpack__(stream=wrong), ValueError),
        "export to DLPack with a bad copy": (lambda: made.__dlpack__(copy=bad), KeyError),  # type: ignore[arg-type]
        "Array() with a bad typecode": (lambda: vmem.Array("x"), ValueError),
        "Array() without a typecode": (lambda: vmem.Array(), TypeError),  # type: ignore[call-overload]
        "Array() of a wrong type": (lambda: vmem.Array("i", wrong), TypeError),
        "Array() of a too large number": (lambda: vmem.Array("b", [1, 1000]), OverflowError),
        "Array() with a bad capacity": (lambda: vmem.Array("b", capacity=bad), KeyError),
        "Array() with too much capacity": (lambda: vmem.Array("b", capacity=1 << 62), ValueError),
        "Array() with too little capacity": (lambda: vmem.Array("b", [1, 2], capacity=1), vmem.OutOfMemoryError),
        "append a wrong type": (lambda: made.append(wrong), TypeError),
        "append a too large number": (lambda: made.append(1 << 40), OverflowError),
        "extend by a wrong type": (lambda: made.extend(wrong), TypeError),
        "extend by another typecode": (lambda: made.extend(numbers(1, typecode="q")), TypeError),
        "fromlist with a wrong type": (lambda: made.fromlist([1, wrong]), TypeError),
        "frombytes with half an item": (lambda: made.frombytes(b"123"), ValueError),
        "fromfile with too few": (lambda: made.fromfile(io.BytesIO(b"123"), 2), ValueError),
        "fromfile with an object that is not a file": (lambda: made.fromfile(wrong, 2), AttributeError),
        "insert a wrong type": (lambda: made.insert(0, wrong), TypeError),
        "insert at a bad index": (lambda: made.insert(bad, 1), KeyError),
        "pop from beyond the end": (lambda: made.pop(5), IndexError),
        "remove a missing item": (lambda: made.remove(77), ValueError),
        "index of a missing item": (lambda: made.index(77), ValueError),
        "item beyond the end": (lambda: made[5], IndexError),
        "item of an array with a bad index": (lambda: made[bad], KeyError),
        "set an item of an array to a wrong type": (lambda: made.__setitem__(0, wrong), TypeError),
        "set a slice of an array to a list": (lambda: made.__setitem__(slice(1), plain), TypeError),  # type: ignore[call-overload]
        "set a stepping slice to too many items": (lambda: made.__setitem__(slice(0, 3, 2), made), ValueError),
        "concatenate with a list": (lambda: made + plain, TypeError),  # type: ignore[operator]
        "repeat too often": (lambda: made * (1 << 62), MemoryError),
        "compare with text": (lambda: made < text, TypeError),  # type: ignore[operator]
        "hash of an array": (lambda: hash(made), TypeError),
        "pickle an array by a bad protocol": (lambda: made.__reduce_ex__(bad), KeyError),
        "unpickle a list as an array": (lambda: rebuild(list, "i", "<i", b""), TypeError),
        "unpickle an array of a bad typecode": (lambda: rebuild(vmem.Array, "x", "<i", b""), ValueError),
        "unpickle an array of a bad layout": (lambda: rebuild(vmem.Array, "i", "<x", b""), ValueError),
        "unpickle an array of too few bytes": (lambda: rebuild(vmem.Array, "i", "<i", b"123"), ValueError),
        "unpickle an array of text": (lambda: rebuild(vmem.Array, "i", "<i", text), TypeError),
        "unpickle an array of too large numbers": (lambda: rebuild(vmem.Array, "b", "<h", b"12"), OverflowError),
        "subscript a view by a wrong type": (lambda: view[wrong], TypeError),
    }
    for name, grow in {
        "append": lambda: full.append(3),
        "extend": lambda: full.extend([3]),
        "extend by itself": lambda: full.extend(full),
        "insert": lambda: full.insert(0, 3),
        "fromlist": lambda: full.fromlist([3]),
        "repeat": lambda: full.__imul__(2),
    }.items():
        calls[f"{name} when full"] = (grow, vmem.OutOfMemoryError)
    for name, shrink in {
        "pop": viewed.pop,
        "clear": viewed.clear,
        "delete": lambda: viewed.__delitem__(0),
        "delete a slice": lambda: viewed.__delitem__(slice(0, 2)),
        "delete steps": lambda: viewed.__delitem__(slice(None, None, 2)),
        "repeat 0 times": lambda: viewed.__imul__(0),
        "set a shorter slice": lambda: viewed.__setitem__(slice(0, 2), full[:1]),
    }.items():
        calls[f"{name} below a view"] = (shrink, BufferError)
    return calls


def leave_scope(arena: vmem.Arena, error: type[Exception] | None, view_too: bool) -> None:
    """Rewinds the arena at the end."""
    with contextlib.suppress(KeyError, BufferError), arena.scope(), arena.scope():
        view = arena.alloc(100)
        if not view_too:
            view.release()
        if error:
            raise error
    view.release()
    arena.reset()


def arena_calls() -> dict[str, Call]:
    """Each rewinds its arena."""
    arena, far, trimmed = vmem.Arena(LONG), vmem.Arena(LONG), vmem.Arena(1 << 30)
    far.alloc(1000).release()

    def alloc_many() -> None:
        views = [arena.alloc(size) for size in range(0, 300, 7)]
        del views[::2]
        views.clear()
        arena.reset()

    return {
        "Arena()": lambda: vmem.Arena(1 << 30),
        "Arena() with an alignment": lambda: vmem.Arena(capacity=PAGE, alignment=64),
        "Arena() of a subclass": lambda: HeldArena(PAGE),
        "Arena() and alloc": lambda: vmem.Arena(PAGE).alloc(10),
        "alloc and reset": in_turn(lambda: arena.alloc(100), arena.reset),
        "alloc 0 bytes": lambda: arena.alloc(0),
        "alloc with options": in_turn(lambda: arena.alloc(num_bytes=100, align=256, zero=False), arena.reset),
        "alloc and cast": in_turn(lambda: arena.alloc(800).cast("d")[5:].tolist(), arena.reset),
        "alloc many": alloc_many,
        "mark and rewind": lambda: far.rewind(far.mark()),
        "alloc and rewind": in_turn(lambda: far.alloc(100), lambda: far.rewind(1000)),
        "alloc and trim": in_turn(lambda: trimmed.alloc(5 * PAGE), trimmed.reset, trimmed.trim),
        "scope": lambda: leave_scope(arena, None, False),
        "scope and an exception": lambda: leave_scope(arena, KeyError, False),
        "scope and a view": lambda: leave_scope(arena, None, True),
        "scope, an exception and a view": lambda: leave_scope(arena, KeyError, True),
        "scope of a new arena": lambda: vmem.Arena(PAGE).scope(),
        "map of an arena": far.map,
        "attributes of an arena": lambda: (far.used, far.committed, far.capacity, far.alignment, repr(far)),
    }


def failing_arena_calls() -> dict[str, tuple[Call, type[BaseException]]]:
    arena, viewed = vmem.Arena(LONG), vmem.Arena(LONG)
    view = viewed.alloc(1000)
    bad: int = Bad()  # type: ignore[assignment]
    text: int = "text"  # type: ignore[assignment]
    left = arena.scope()
    left.__enter__()
    return {
        "Arena() of 0 bytes": (lambda: vmem.Arena(0), ValueError),
        "Arena() with a bad capacity": (lambda: vmem.Arena(bad), KeyError),
        "Arena() with a bad alignment": (lambda: vmem.Arena(1, alignment=3), ValueError),
        "alloc text": (lambda: arena.alloc(text), TypeError),
        "alloc a negative size": (lambda: arena.alloc(-1), ValueError),
        "alloc without a size": (lambda: arena.alloc(), TypeError),  # type: ignore[call-arg]
        "alloc with a wrong keyword": (lambda: arena.alloc(1, nothing=1), TypeError),  # type: ignore[call-arg]
        "alloc with a bad alignment": (lambda: arena.alloc(1, align=bad), KeyError),
        "alloc with a bad bool": (lambda: arena.alloc(1, zero=bad), KeyError),  # type: ignore[arg-type]
        "alloc too much": (lambda: arena.alloc(1 << 60), vmem.OutOfMemoryError),
        "alloc too far": (lambda: arena.alloc(1, align=1 << 62), vmem.OutOfMemoryError),
        "rewind to text": (lambda: arena.rewind(text), TypeError),
        "rewind too far": (lambda: arena.rewind(1 << 20), ValueError),
        "rewind below a view": (lambda: viewed.rewind(view.nbytes // 2), BufferError),
        "reset below a view": (viewed.reset, BufferError),
        "enter a scope twice": (left.__enter__, RuntimeError),
        "leave a scope that was not entered": (lambda: arena.scope().__exit__(None, None, None), RuntimeError),
        "copy an arena": (lambda: copy.copy(arena), TypeError),
        "pickle an arena": (lambda: pickle.dumps(arena), TypeError),
    }


class HeldTable(vmem.Table):
    held: object = None


COLUMNS = {"a": "q", "b": "str|None", "c": "?", "d": "bytes", "e": "M8[s]|None"}
ROW = (1 << 40, "größe", True, b"abc", None)


def make_cycles_of_tables() -> None:
    table = HeldTable(COLUMNS, capacity=10)
    table.append(*ROW)
    table.held = [table, table["a"], table[:], memoryview(table["a"]), iter(table), table.__arrow_c_stream__()]
    del table
    gc.collect()


def fail_late() -> Iterator[int]:
    yield 1
    raise KeyError


def table_calls() -> dict[str, Call]:
    """Each leaves its table unchanged, or clears it."""
    table, shown = vmem.Table(COLUMNS, capacity=10_000), vmem.Table(COLUMNS, capacity=10)
    shown.append(*ROW)
    named, items = dict(zip(COLUMNS, ROW, strict=True)), [[each] * 5 for each in ROW]
    many = vmem.Table({f"c{number}": "q" for number in range(30)}, capacity=10_000)
    numbers, floats = vmem.Table({"x": "q"}, capacity=100), vmem.Table({"x": "d"}, capacity=100)
    numbers.append(1)
    return {
        "Table()": lambda: vmem.Table(COLUMNS, capacity=10),
        "append a row": in_turn(lambda: table.append(*ROW), table.clear),
        "append a row by name": in_turn(lambda: table.append(**named), table.clear),
        "append a row of many columns": in_turn(lambda: many.append(*range(30)), many.clear),
        "extend by lists": in_turn(lambda: table.extend(items), table.clear),
        "extend by a mapping": in_turn(lambda: table.extend(dict(zip(COLUMNS, items, strict=True))), table.clear),
        "extend by iterators": in_turn(lambda: table.extend([iter(each) for each in items]), table.clear),
        "extend by a stream": in_turn(lambda: table.extend(shown), table.clear),
        "extend by a converted stream": in_turn(lambda: floats.extend(numbers), floats.clear),
        "extend by columns of a table": in_turn(lambda: table.extend({n: shown[n] for n in COLUMNS}), table.clear),
        "rows": lambda: (shown[0], shown[-1], shown[0]._asdict(), shown[0] == ROW),
        "views of rows": lambda: (list(shown[:]), shown[:]["a"][0], ROW in shown, len(shown[1:])),
        "columns": lambda: [shown[name].tolist() for name in shown.names],
        "buffers of columns": lambda: (memoryview(shown["a"]), shown["b"].values, shown["b"].offsets),
        "more buffers of columns": lambda: (shown["b"].validity, shown["c"].values, shown["e"].values),
        "search columns": lambda: (shown["a"].count(5), shown["b"].index("größe"), 5 in shown["a"]),
        "export a table": lambda: (shown.__arrow_c_stream__(), shown[:].__arrow_c_stream__()),
        "export a schema": lambda: (shown.__arrow_c_schema__(), shown["b"].__arrow_c_schema__()),
        "export a column": lambda: shown["b"].__arrow_c_array__(),
        "repr of a table": lambda: (repr(shown), repr(shown["a"]), repr(shown[:]), shown.names, shown.capacity),
        "shrink_to_fit of a table": in_turn(lambda: table.append(*ROW), table.clear, table.shrink_to_fit),
    }


def failing_table_calls() -> dict[str, tuple[Call, type[BaseException]]]:
    table = vmem.Table(COLUMNS, capacity=10)
    table.append(*ROW)
    view = memoryview(table["a"])
    items = [[each] for each in ROW]
    return {
        "search a column that is shown": (lambda: table["a"].index(view[0] + 1), ValueError),
        "Table() of a bad type": (lambda: vmem.Table({"a": "x"}), ValueError),
        "Table() without columns": (lambda: vmem.Table({}), ValueError),
        "append a bad item": (lambda: table.append(*ROW[:4], "no time"), TypeError),
        "append too few": (lambda: table.append(*ROW[:4]), TypeError),
        "append to an unknown column": (lambda: table.append(f=5), TypeError),
        "append to a full table": (lambda: table.extend([each * 10 for each in items]), vmem.OutOfMemoryError),
        "extend by a bad item": (lambda: table.extend([*items[:4], ["no time"]]), TypeError),
        "extend by an iterator that fails": (lambda: table.extend([fail_late(), *items[1:]]), KeyError),
        "extend by unequal columns": (lambda: table.extend([*items[:4], [5, 6]]), ValueError),
        "extend by missing columns": (lambda: table.extend({"a": [5]}), ValueError),
        "extend by another stream": (lambda: table.extend(vmem.Table({"a": "q"}, capacity=1)), ValueError),
        "extend by no columns": (lambda: table.extend(5), TypeError),  # type: ignore[arg-type]
        "row out of range": (lambda: table[1], IndexError),
        "unknown column": (lambda: table["x"], KeyError),
        "no buffer": (lambda: memoryview(table["b"]), BufferError),
        "clear below a view": (table.clear, BufferError),
        "extend by a column of another type": (lambda: table.extend([table["b"]] * 5), TypeError),
        "pickle a table": (lambda: pickle.dumps(table), TypeError),
    }


def slow_structure_calls() -> dict[str, Call]:
    large, arena = vmem.Array("b", capacity=1 << 30), vmem.Arena(1 << 30)
    return {
        "collect cycles of structures": make_cycles_of_structures,
        "collect cycles of tables": make_cycles_of_tables,
        "Array() too large": refused(lambda: vmem.Array("b", capacity=(1 << 61) - 1), vmem.OutOfMemoryError),
        "Arena() too large": refused(lambda: vmem.Arena(1 << 61), vmem.OutOfMemoryError),
        "long shrink_to_fit": in_turn(lambda: large.frombytes(ZEROS), large.clear, large.shrink_to_fit),
        "long trim": in_turn(lambda: arena.alloc(LONG, zero=False), arena.reset, arena.trim),
    }


def import_again() -> None:
    """Another copy of the extension, with types and a state of its own."""
    original = sys.modules.pop("vmem._vmem")
    copied = importlib.import_module("vmem._vmem")
    sys.modules["vmem._vmem"] = vmem._vmem = original
    copied.set_map_maker(vmem._make_map)
    copied.Array("i", [1, 2])
    copied.Arena(PAGE).alloc(1)
    del copied
    gc.collect()


def slow_calls(region: vmem.Region) -> dict[str, Call]:
    """Calls so slow that a hundredth of the cycles must do."""
    return {
        "reserve too much": refused(lambda: vmem.reserve(1 << 62), vmem.OutOfMemoryError),
        "reserve with an unpaired surrogate": refused(
            lambda: vmem.reserve(1 << 62, name="\udc80"), vmem.OutOfMemoryError
        ),
        "commit too much": refused(lambda: region.commit(LONG, (1 << 46) - 2 * LONG), vmem.OutOfMemoryError),
        "commit and prefault too much": refused(
            lambda: region.commit(LONG, (1 << 46) - 2 * LONG, prefault=True), vmem.OutOfMemoryError
        ),
        "collect a cycle": make_cycle,
        "map as text": lambda: str(region.map()),
        "map as a picture": lambda: region.map()._repr_html_(),
        "memory_info": vmem.memory_info,
        "get_limits": _vmem.get_limits,
        "import the extension again": import_again,
        "long prefault": in_turn(
            lambda: region.commit(LONG, LONG, prefault=True),
            lambda: region.prefault(LONG, LONG),
            lambda: region.discard(LONG, LONG),
            lambda: region.decommit(LONG, LONG),
        ),
    }


class HeldRing(vmem.Ring[Any]):
    """A ring that can be part of a cycle."""

    held: object = None


def use_ring(ring: vmem.Ring[Any]) -> None:
    ring.extend(b"x" * ring.capacity)
    ring.append(5)
    ring.prepare(3)
    ring.advance(2)
    (bytes(ring), list(ring), ring[0], ring.latest(2), ring.window(ring.oldest, 2), repr(ring))


def make_cycle_of_rings() -> None:
    ring = HeldRing("B", 10)
    ring.extend(b"abc")
    ring.held = [ring, ring.latest(1), ring.prepare(1), iter(ring)]
    del ring
    gc.collect()


def ring_calls() -> dict[str, Call]:
    ring, rows = vmem.Ring("i", 1000), vmem.Ring[Any]("d", 100, row_shape=(2, 3))
    queue: vmem.Ring[int] = vmem.Ring("B", 100, overwrite=False)
    ring.extend(range(2000))
    data, other = array.array("i", range(100)), array.array("h", range(100))
    row = [[1.5] * 3] * 2
    iterable = list(range(100))
    return {
        "Ring()": lambda: vmem.Ring("B", 10),
        "Ring() and use": lambda: use_ring(vmem.Ring("B", 100)),
        "Ring() with everything": lambda: vmem.Ring("B", 10, row_shape=(2,), prefault=True, lock=True),
        "Ring() of a subclass": lambda: use_ring(HeldRing("B", 100)),
        "collect a cycle of rings": make_cycle_of_rings,
        "ring: append": lambda: ring.append(1 << 20),
        "ring: extend by a buffer": lambda: ring.extend(data),
        "ring: extend by another buffer": lambda: ring.extend(other),
        "ring: extend by an iterable": lambda: ring.extend(iterable),
        "ring: extend with itself": lambda: ring.extend(ring),
        "ring: latest": lambda: ring.latest(500),
        "ring: window": lambda: ring.window(ring.oldest + 300, 500).tolist(),
        "ring: prepare and advance": in_turn(lambda: ring.prepare(500), lambda: ring.advance(300)),
        "ring: item": lambda: (ring[0], ring[-1]),
        "ring: iterate": lambda: list(ring),
        "ring: attributes": lambda: (ring.total, ring.oldest, ring.free, len(ring), ring.typecode, repr(ring)),
        "ring: map": ring.map,
        "ring: append a row": lambda: rows.append(row),
        "ring: extend by rows": lambda: rows.extend([row, row]),
        "ring: row": lambda: (rows[-1], rows.row_shape, memoryview(rows).shape),
        "ring: extend and consume": in_turn(lambda: queue.extend(iterable), lambda: queue.consume(100)),
        "ring: clear": ring.clear,
    }


def failing_ring_calls() -> dict[str, tuple[Call, type[BaseException]]]:
    ring, rows = vmem.Ring("i", 1000), vmem.Ring[Any]("d", 100, row_shape=(2, 3))
    queue: vmem.Ring[int] = vmem.Ring("B", 100, overwrite=False)
    queue.extend(bytes(90))
    bad: Any = Bad()
    row = [[1.5] * 3] * 2
    return {
        "Ring() of no items": (lambda: vmem.Ring("B", 0), ValueError),
        "Ring() too large": (lambda: vmem.Ring("B", 1 << 46), vmem.OutOfMemoryError),
        "Ring() with a bad type": (lambda: vmem.Ring("x", 1), ValueError),
        "Ring() with a bad capacity": (lambda: vmem.Ring("B", bad), KeyError),
        "Ring() with a bad shape": (lambda: vmem.Ring("B", 1, row_shape=(1, bad)), KeyError),
        "ring: append text": (lambda: ring.append(cast(Any, "x")), TypeError),
        "ring: append too large a number": (lambda: ring.append(1 << 40), OverflowError),
        "ring: extend by text": (lambda: ring.extend(["x"]), TypeError),
        "ring: extend by too large a number": (lambda: ring.extend(array.array("q", [1, 1 << 40])), OverflowError),
        "ring: extend by other rows": (lambda: rows.extend(array.array("d", [1])), ValueError),
        "ring: append a short row": (lambda: rows.append(row[:1]), ValueError),
        "ring: append a row with text": (lambda: rows.append([row[0], [1, 2, "x"]]), TypeError),
        "ring: latest of too many": (lambda: ring.latest(1 << 40), IndexError),
        "ring: window that is not there": (lambda: ring.window(1 << 40, 1), IndexError),
        "ring: prepare too much": (lambda: ring.prepare(1 << 40), ValueError),
        "ring: advance too far": (lambda: ring.advance(1 << 40), ValueError),
        "ring: index that is not there": (lambda: ring[1 << 40], IndexError),
        "ring: pickle": (lambda: pickle.dumps(ring), TypeError),
        "ring: fileno": (ring.fileno, ValueError),
        "ring: write to a full queue": (lambda: queue.extend(range(50)), BufferError),
        "ring: write an endless iterable to a queue": (lambda: queue.extend(iter(int, 1)), BufferError),
        "ring: consume too many": (lambda: queue.consume(1 << 40), ValueError),
    }


def attach_ring(ring: vmem.Ring[Any]) -> None:
    reader = vmem.attach(ring.fileno())
    assert isinstance(reader, vmem.Ring)
    (list(reader), reader.total, reader.latest(1), repr(reader))


def shared_ring_calls() -> dict[str, Call]:
    ring = vmem.Ring("B", 100, shared=True)
    ring.extend(b"abc")
    return {
        "shared: Ring()": lambda: use_ring(vmem.Ring("B", 100, shared=True)),
        "shared: Ring() of a subclass": lambda: HeldRing("B", 100, shared=True),
        "shared: attach a ring": lambda: attach_ring(ring),
        "shared: write to a reader": refused(lambda: vmem.attach(ring.fileno()).append(1), TypeError),  # type: ignore[union-attr]
        "shared: pickle a ring": refused(lambda: pickle.dumps(ring), TypeError),
    }


def open_regions() -> tuple[vmem.Region, vmem.Region]:
    region = vmem.reserve(1 << 46)
    region.commit(0, 4 * PAGE)
    region.discard(0, 4 * PAGE)
    released = vmem.reserve(PAGE)
    released.release()
    return region, released


def attach(region: vmem.Region) -> vmem.Region:
    attached = vmem.attach(region.fileno())
    assert isinstance(attached, vmem.Region)
    return attached


def use_shared(region: vmem.Region) -> None:
    region.commit(PAGE, 2 * PAGE)
    region.protect(Protection.READ, PAGE, PAGE)
    region[2 * PAGE] = 5
    region.release()


def make_shared_cycle() -> None:
    region = Held(PAGE, shared=True)
    region.commit()
    region.held = [region, region[0:1]]
    del region
    gc.collect()


def shared_calls() -> dict[str, Call]:
    region = vmem.reserve(8 * PAGE, shared=True, name="leak")
    pipe = os.pipe()[0]
    return {
        "shared: reserve": lambda: reserve_and_release(shared=True, name="x"),
        "shared: reserve and use": lambda: use_shared(vmem.reserve(8 * PAGE, shared=True)),
        "shared: attach and use": lambda: use_shared(attach(region)),
        "shared: drop": lambda: vmem.reserve(PAGE, shared=True).commit(),
        "shared: drop before its view": lambda: commit_and_view(vmem.reserve(PAGE, shared=True)),
        "shared: commit and prefault": lambda: attach(region).commit(prefault=True),
        "shared: collect a cycle": make_shared_cycle,
        "shared: map": region.map,
        "shared: repr": lambda: repr(region),
        "shared: decommit": refused(lambda: region.decommit(0, 1), NotImplementedError),
        "shared: pickle": refused(lambda: pickle.dumps(region), TypeError),
        "shared: attach something else": refused(lambda: vmem.attach(pipe), ValueError),
        "shared: attach what was not expected": refused(lambda: _vmem.attach(region.fileno(), (int,)), ValueError),
        "shared: attach a bad number": refused(lambda: vmem.attach(Bad()), KeyError),
        "shared: huge pages": refused(lambda: reserve_and_release(shared=True, huge_pages=True), NotImplementedError),
        "shared: reserve too much": refused(lambda: vmem.reserve(1 << 62, shared=True), vmem.OutOfMemoryError),
        "shared: commit too much": refused(commit_too_much, vmem.OutOfMemoryError),
        "shared: fileno of a private one": refused(lambda: vmem.reserve(1).fileno(), ValueError),
    }


def attach_array(made: vmem.Array[Any]) -> vmem.Array[Any]:
    attached = vmem.attach(made.fileno())
    assert isinstance(attached, vmem.Array)
    return attached


def use_shared_array(made: vmem.Array[Any]) -> None:
    """With a reader of it, which sees it grow, and whose view is dropped last."""
    reader = attach_array(made)
    made.extend(range(2 * PAGE))
    view = memoryview(reader)
    assert view[-1] == reader[-1] == made[-1]


def make_cycle_of_shared_arrays() -> None:
    made = HeldArray("i", [1], shared=True)
    reader = _vmem.attach(made.fileno(), (HeldArray,))
    made.held, reader.held = [reader, memoryview(made)], [made, memoryview(reader)]
    del made, reader
    gc.collect()


def shared_array_calls() -> dict[str, Call]:
    made, full = vmem.Array("i", range(PAGE), shared=True), vmem.Array("i", [1], shared=True, capacity=1)
    reader = attach_array(made)
    more = vmem.Array("i", [1, 2])

    def set_item() -> None:
        made[0] = 5

    return {
        "shared array: make and use": lambda: use_shared_array(vmem.Array("i", [1, 2], shared=True)),
        "shared array: make": lambda: vmem.Array("i", shared=True),
        "shared array: attach": lambda: attach_array(made),
        "shared array: attach, by the reader": lambda: attach_array(reader),
        "shared array: set item": set_item,
        "shared array: read": lambda: (len(reader), reader[-1], reader[1:3], reader == made, reader.count(3)),
        "shared array: view": lambda: memoryview(reader)[1:],
        "shared array: buffer_info, map": lambda: (reader.buffer_info(), reader.map(), repr(full)),
        "shared array: collect a cycle": make_cycle_of_shared_arrays,
        "shared array: append to a reader": refused(lambda: reader.append(1), TypeError),
        "shared array: pop": refused(lambda: made.pop(), TypeError),
        "shared array: set slice": refused(lambda: made.__setitem__(slice(0, 1), more), TypeError),
        "shared array: pickle": refused(lambda: pickle.dumps(made), TypeError),
        "shared array: full": refused(lambda: full.append(1), vmem.OutOfMemoryError),
        "shared array: bad items": refused(lambda: vmem.Array("i", [Bad()], shared=True), KeyError),  # type: ignore[type-var]
        "shared array: too many items": refused(
            lambda: vmem.Array("i", shared=True, capacity=1 << 58), vmem.OutOfMemoryError
        ),
        "shared array: attach what was not expected": refused(
            lambda: _vmem.attach(made.fileno(), (vmem.Region,)), ValueError
        ),
        "shared array: fileno of a private one": refused(lambda: vmem.Array("i").fileno(), ValueError),
    }


def attach_table(table: vmem.Table) -> vmem.Table:
    attached = vmem.attach(table.fileno())
    assert isinstance(attached, vmem.Table)
    return attached


def use_shared_table(table: vmem.Table) -> None:
    """With a reader of it, which sees it grow, and whose view is dropped last."""
    reader = attach_table(table)
    table.extend([[each] * 100 for each in ROW])
    view = memoryview(reader["a"])
    assert reader[-1] == table[-1]
    assert view[-1] == ROW[0]


def make_cycle_of_shared_tables() -> None:
    table = HeldTable(COLUMNS, capacity=10, shared=True)
    table.append(*ROW)
    reader: Any = _vmem.attach(table.fileno(), (HeldTable,))
    table.held, reader.held = [reader, memoryview(table["a"])], [table, reader.__arrow_c_stream__(), reader[:]]
    del table, reader
    gc.collect()


def shared_table_calls() -> dict[str, Call]:
    table, full = vmem.Table(COLUMNS, shared=True), vmem.Table({"a": "q"}, capacity=1, shared=True)
    table.append(*ROW)
    full.append(1)
    reader, mine = attach_table(table), vmem.Table(COLUMNS, capacity=1000)
    return {
        "shared table: make and use": lambda: use_shared_table(vmem.Table(COLUMNS, capacity=1000, shared=True)),
        "shared table: make": lambda: vmem.Table(COLUMNS, shared=True),
        "shared table: attach": lambda: attach_table(table),
        "shared table: attach, by the reader": lambda: attach_table(reader),
        "shared table: read": lambda: (reader[0], reader["b"].tolist(), reader["b"].offsets, reader.map(), repr(full)),
        "shared table: export": lambda: (reader.__arrow_c_stream__(), reader["b"].__arrow_c_array__()),
        "shared table: extend by a reader": in_turn(lambda: mine.extend(reader), mine.clear),
        "shared table: extend by its columns": in_turn(lambda: mine.extend([reader[n] for n in COLUMNS]), mine.clear),
        "shared table: collect a cycle": make_cycle_of_shared_tables,
        "shared table: append to a reader": refused(lambda: reader.append(*ROW), TypeError),
        "shared table: clear": refused(table.clear, TypeError),
        "shared table: pickle": refused(lambda: pickle.dumps(table), TypeError),
        "shared table: full": refused(lambda: full.append(1), vmem.OutOfMemoryError),
        "shared table: too many rows": refused(
            lambda: vmem.Table({"a": "q"}, shared=True, capacity=1 << 52), vmem.OutOfMemoryError
        ),
        "shared table: attach what was not expected": refused(
            lambda: _vmem.attach(table.fileno(), (vmem.Array,)), ValueError
        ),
    }


def numpy_table_calls() -> dict[str, Call]:
    """What NumPy gives: times and masks."""
    import numpy as np

    table = vmem.Table({"x": "d|None", "t": "M8[s]|None"}, capacity=1000)
    numbers, times = np.ma.array([1.5, 2.5], mask=[True, False]), np.array([5, "NaT"], "M8[s]")
    masked, item, other = np.ma.masked, np.datetime64(5, "s"), np.datetime64(5, "ms")
    return {
        "extend by masked arrays": in_turn(lambda: table.extend([numbers, times]), table.clear),
        "extend by masked times": in_turn(lambda: table.extend([[None] * 2, np.ma.array(times)]), table.clear),
        "append a masked item": in_turn(lambda: table.append(masked, item), table.clear),
        "append another unit": refused(lambda: table.append(None, other), TypeError),
        "extend by another unit": refused(lambda: table.extend([[None] * 2, times.astype("M8[ms]")]), TypeError),
    }


def use_file(path: Path, mode: Any) -> None:
    made = vmem.open_array(path, "i", mode=mode)
    view = memoryview(made)
    if mode != "r":
        made.extend([1, 2, 3])
        made.flush(durable=False)
    len(made), made.tolist(), repr(made), made.path, view.nbytes
    made.close()


def drop_file(path: Path) -> None:
    """Before its view."""
    made = vmem.open_array(path, "i", mode="w+")
    made.append(1)
    view = memoryview(made)
    del made
    assert view[0] == 1


def make_cycle_of_files(path: Path) -> None:
    held: list[object] = [vmem.open_array(path, "i", mode="w+")]
    held.append(held)
    del held
    gc.collect()


def leave_file(path: Path) -> None:
    with contextlib.suppress(KeyError), vmem.open_array(path, "i", mode="w+") as made:
        made.append(1)
        raise KeyError


def file_calls() -> dict[str, Call]:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    raw, npy, bad = folder / "leak.raw", folder / "leak.npy", folder / "bad.npy"
    bad.write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': '<i4'}\n")
    for path in (raw, npy):
        vmem.open_array(path, "i", mode="x").close()
    written = vmem.open_array(folder / "written", "i", mode="x")
    reader = vmem.open_array(folder / "written", "i")

    def grow() -> None:
        written.append(5)
        written.flush(durable=False)
        assert reader[len(reader) - 1] == 5

    calls: dict[str, Call] = {
        f"file: open {path.suffix}, {mode}": partial(use_file, path, mode)
        for path in (raw, npy)
        for mode in ("w+", "r", "r+", "a")
    }
    return calls | {
        "file: drop": lambda: drop_file(raw),
        "file: collect a cycle": lambda: make_cycle_of_files(npy),
        "file: leave with an exception": lambda: leave_file(npy),
        "file: grow, flush and follow": grow,
        "file: a second writer": refused(lambda: vmem.open_array(folder / "written", "i", mode="a"), BlockingIOError),
        "file: missing": refused(lambda: vmem.open_array(folder / "missing", "i"), FileNotFoundError),
        "file: a folder": refused(lambda: vmem.open_array(folder, "i"), IsADirectoryError),
        "file: bad header": refused(lambda: vmem.open_array(bad), ValueError),
        "file: bad mode": refused(lambda: vmem.open_array(raw, "i", mode=cast(Any, "w")), ValueError),
        "file: bad typecode": refused(lambda: vmem.open_array(raw, "x"), ValueError),
        "file: bad capacity": refused(lambda: vmem.open_array(raw, "i", capacity=Bad()), KeyError),
        "file: too large a capacity": refused(
            lambda: vmem.open_array(raw, "i", capacity=1 << 58), vmem.OutOfMemoryError
        ),
        "file: write to a reader": refused(lambda: reader.append(1), TypeError),
        "file: remove": refused(lambda: written.pop(), TypeError),
        "file: bad item": refused(lambda: written.append(cast(Any, "x")), TypeError),
        "file: durable and bad": refused(lambda: written.flush(durable=cast(Any, Bad())), KeyError),
    }


def commit_too_much() -> None:
    vmem.reserve(1 << 45, shared=True).commit()


def all_calls() -> dict[str, tuple[Call, int]]:
    """Every call, and the divisor of its number of cycles."""
    region, released = open_regions()
    calls = {name: (call, 1) for name, call in good_calls(region).items()}
    calls |= {
        name: (call, 1) for name, call in (array_calls() | calls_of_rows() | arena_calls() | table_calls()).items()
    }
    calls |= {name: (call, 10) for name, call in (ring_calls() | numpy_table_calls()).items()}
    failing = failing_calls(region, released) | failing_array_calls() | failing_arena_calls()
    failing |= failing_table_calls() | failing_ring_calls()
    calls |= {name: (refused(call, error), 1) for name, (call, error) in failing.items()}
    if sys.platform == "linux":
        shared = shared_calls() | shared_array_calls() | shared_ring_calls() | shared_table_calls()
        calls |= {name: (call, 10) for name, call in shared.items()}
        calls |= {name: (call, 20) for name, call in file_calls().items()}
    return calls | {name: (call, 100) for name, call in (slow_calls(region) | slow_structure_calls()).items()}


def count_references() -> int:
    if hasattr(sys, "gettotalrefcount"):  # a debug build
        return int(sys.gettotalrefcount())
    view_type = type(commit_and_view(vmem.reserve(PAGE)).obj)
    array_iterator, scope = type(iter(vmem.Array("i"))), type(vmem.Arena(PAGE).scope())
    types = (vmem.Region, _vmem.Region, vmem.Array, vmem.Arena, HeldArray, HeldArena, view_type, array_iterator, scope)
    tables = (vmem.Table, vmem.Column, vmem.Rows, vmem.Row, HeldTable)
    rings = (vmem.Ring, HeldRing, type(iter(vmem.Ring("B", 1))))
    shared = (*types, *tables, *rings, vmem.OutOfMemoryError, Protection, Protection.READ, vmem.reserve)
    return sum(map(sys.getrefcount, shared))


def count_mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def count_resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# What is counted, and by how much it may differ without being a leak of one in a hundred cycles.
COUNTS: dict[str, tuple[Callable[[], int], int]] = {
    "blocks of memory": (sys.getallocatedblocks, 50),
    "tracked objects": (lambda: len(gc.get_objects()), 20),
    "references": (count_references, 50),
    "mappings": (count_mappings, 8),
    "open files": (lambda: len(list(Path("/proc/self/fd").iterdir())), 0),
    "resident bytes": (count_resident, 1 << 20),
}


def count() -> dict[str, int]:
    gc.collect()
    return {name: function() for name, (function, _) in COUNTS.items()}


def measure_growth(call: Call, cycles: int) -> dict[str, int]:
    for _ in range(cycles // 10 + 10):
        call()
    count()
    before = count()
    for _ in range(cycles):
        call()
    after = count()
    return {name: after[name] - before[name] for name in COUNTS if after[name] - before[name] > COUNTS[name][1]}


def find_growth(call: Call, cycles: int) -> dict[str, int]:
    """The counts that grow each time the calls are repeated.

    Python caches lookups, such as the names of methods, up to a limit, and without the GIL it delays some frees. Such
    growth ends; a leak does not.
    """
    growth = measure_growth(call, cycles)
    for _ in range(19):
        if growth:
            again = measure_growth(call, cycles)
            growth = {name: again[name] for name in growth if name in again}
    return growth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=10_000, help="how often each call is made (default: %(default)s)")
    cycles = parser.parse_args().cycles
    leaks = 0
    calls = all_calls()
    start = time.monotonic()
    for name, (call, divisor) in calls.items():
        growth = find_growth(call, max(cycles // divisor, 100))
        if growth:
            leaks += 1
            print(f"{name}: {growth}", flush=True)
    print(f"{len(calls)} calls, {cycles} cycles each, {time.monotonic() - start:.0f} s: {leaks} leaks")
    sys.exit(leaks > 0)


if __name__ == "__main__":
    main()
