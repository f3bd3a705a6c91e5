"""Makes each small allocation of one call fail, alone and with all later ones. Run by test_small_allocations.py.

A call either succeeds, or raises MemoryError and changes nothing.
"""

from __future__ import annotations

import array
import gc
import importlib
import io
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import vmem
from tests.support.system import permissions_in
from vmem import Protection, _vmem

testcapi: Any = importlib.import_module("_testcapi")  # it has no type hints

PAGE = vmem.get_page_size()
LARGE = 8 << 20  # a call on so much works chunk by chunk, and allocates the mark of a long call
MAX_ALLOCATIONS = 100
BYTES, DOUBLES = (vmem.Array(typecode).__arrow_c_schema__() for typecode in "bd")

Call = Callable[..., object]


class Case(NamedTuple):
    """A call, the subject that is made for each try, and what it may do beside raising MemoryError."""

    make: Callable[[], Subject]
    call: Call
    errors: tuple[type[Exception], ...] = ()
    can_take_part: bool = False  # like array.array, keeps the items that an iterator yielded before it raised


class Subject(NamedTuple):
    """The object that a call is made on, and its arguments."""

    thing: Any
    arguments: tuple[Any, ...] = ()

    def describe(self) -> object:
        thing = self.thing
        if isinstance(thing, _vmem.Region):
            in_kernel = permissions_in(thing.address, thing.size) if sys.platform == "linux" else None
            return thing.ranges(), in_kernel, bytes(thing[PAGE : 2 * PAGE])
        if isinstance(thing, _vmem.Array):
            return thing.tolist()
        if isinstance(thing, _vmem.Table):
            return [thing[name].tolist() for name in thing.names]
        if isinstance(thing, _vmem.Ring):
            return list(thing), thing.total, thing.oldest
        return thing.used if isinstance(thing, _vmem.Arena) else None

    def release(self) -> None:
        """Raises BufferError if a pin or the mark of a long call was left behind."""
        for argument in self.arguments:
            if isinstance(argument, memoryview):
                argument.release()
        if isinstance(self.thing, _vmem.Region):
            self.thing.release()
        elif isinstance(self.thing, (_vmem.Table, _vmem.Array)) and not self.thing._is_shared:
            self.thing.clear()  # what is shared is append-only
        elif isinstance(self.thing, _vmem.Arena):
            self.thing.reset()


def region(num_bytes: int = 16 * PAGE) -> Callable[[], Subject]:
    """The second page is committed and filled, and so is the second half."""

    def make() -> Subject:
        made = vmem.reserve(num_bytes)
        made.commit(PAGE, PAGE)
        made[PAGE : 2 * PAGE] = b"x" * PAGE
        made.commit(num_bytes // 2, num_bytes // 2)
        return Subject(made)

    return make


def numbers(*arguments: object, typecode: str = "i") -> Callable[[], Subject]:
    return lambda: Subject(_vmem.Array(typecode, [1, 2, 3, 4]), arguments)


PAIRS = [(1, 2)] * 3
LONG_ROW = [list(range(200))] * 2  # so long that it is converted in memory of its own


def rows(*arguments: object, **options: Any) -> Callable[[], Subject]:
    return lambda: Subject(_vmem.Array[Any]("i", [LONG_ROW] * 3, row_shape=(2, 200), **options), arguments)


def full_array(*arguments: object) -> Callable[[], Subject]:
    """An array that fills its committed pages, so that growing allocates a record."""
    return lambda: Subject(_vmem.Array("B", bytes(PAGE), capacity=LARGE), arguments)


def array_to_shrink() -> Subject:
    made = _vmem.Array("B", bytes(LARGE))
    del made[10:]
    return Subject(made)


def arena(*arguments: object) -> Callable[[], Subject]:
    def make() -> Subject:
        made = vmem.Arena(1 << 20)
        made.alloc(100)
        return Subject(made, arguments)

    return make


def arena_to_trim(num_bytes: int) -> Callable[[], Subject]:
    def make() -> Subject:
        made = vmem.Arena(2 * num_bytes)
        made.alloc(num_bytes, zero=False)
        made.reset()
        return Subject(made)

    return make


def ring(*arguments: object, **options: Any) -> Callable[[], Subject]:
    """A ring that is full, but for a queue, which has room for ten items."""

    def make() -> Subject:
        made: vmem.Ring[Any] = _vmem.Ring("H", 1000, **options)
        made.extend(range(990 if options else 2000))
        return Subject(made, arguments)

    return make


def ring_of_rows(*arguments: object) -> Callable[[], Subject]:
    def make() -> Subject:
        made: vmem.Ring[Any] = _vmem.Ring("H", 100, row_shape=(2, 200))
        made.append([range(200)] * 2)
        return Subject(made, arguments)

    return make


def ring_of_few() -> Subject:
    made: vmem.Ring[Any] = _vmem.Ring("H", 100)
    made.extend([1000, 2000, 3000])
    return Subject(made)


def prepared_ring() -> Subject:
    made: vmem.Ring[Any] = _vmem.Ring("H", 1000)
    made.extend(range(300))
    return Subject(made, (made.prepare(500),))


def viewed_arena() -> Subject:
    made = vmem.Arena(1 << 20)
    return Subject(made, (made.alloc(10),))


def viewed_scope() -> Subject:
    made = vmem.Arena(1 << 20)
    scope = made.scope()
    scope.__enter__()
    return Subject(made, (scope, made.alloc(10)))


def far_arena() -> Subject:
    """An arena whose mark is too large for Python's cache of small integers."""
    made = vmem.Arena(1 << 20)
    made.alloc(1000)
    return Subject(made)


def alloc_in_scope(arena: vmem.Arena) -> None:
    with arena.scope():
        arena.alloc(64)


def viewed_array() -> Subject:
    made = _vmem.Array("i", [1, 2, 3])
    return Subject(made, (memoryview(made),))


def rebuild(_: object, layout: str, items: bytes) -> None:
    _vmem._rebuild_array(_vmem.Array, "i", layout, items)


def nothing(*arguments: object) -> Callable[[], Subject]:
    return lambda: Subject(None, arguments)


def region_cases() -> dict[str, Case]:
    small, large = region(), region(8 * LARGE)
    half = 4 * LARGE
    return {
        "reserve": Case(nothing(), lambda _: _vmem.reserve(_vmem.Region, PAGE, 4 * PAGE, False, "name")),
        "Region()": Case(nothing(), lambda _: _vmem.Region(PAGE, None, False, None)),
        "reserve, refused": Case(
            nothing(), lambda _: _vmem.Region(1 << 62, None, False, None), (vmem.OutOfMemoryError,)
        ),
        "reserve, bad name": Case(nothing(), lambda _: _vmem.Region(PAGE, None, False, 1), (TypeError,)),  # type: ignore[arg-type]
        "commit": Case(small, lambda region: region.commit(0, 16 * PAGE)),
        "commit and prefault": Case(small, lambda region: region._commit_and_prefault(0, 16 * PAGE)),
        "commit and prefault, large": Case(large, lambda region: region._commit_and_prefault(half - LARGE, LARGE)),
        "prefault, large": Case(large, lambda region: _vmem.Region.prefault(region, half, LARGE)),
        "decommit": Case(small, lambda region: _vmem.Region.decommit(region, 9 * PAGE, PAGE)),
        "decommit, large": Case(large, lambda region: _vmem.Region.decommit(region, half + PAGE, LARGE)),
        "discard": Case(small, lambda region: _vmem.Region.discard(region, 9 * PAGE, PAGE)),
        "discard, large": Case(large, lambda region: _vmem.Region.discard(region, half + PAGE, LARGE)),
        "lock": Case(small, lambda region: _vmem.Region.lock(region, 9 * PAGE, PAGE)),
        "unlock": Case(small, lambda region: _vmem.Region.unlock(region, 9 * PAGE, PAGE)),
        "protect": Case(small, lambda region: _vmem.Region.protect(region, 1, 9 * PAGE, PAGE)),
        "protect, execute": Case(
            small, lambda region: _vmem.Region.protect(region, Protection.READ_EXECUTE, 9 * PAGE, PAGE)
        ),
        "resident, large": Case(large, lambda region: _vmem.Region.resident(region, 0, 8 * LARGE)),
        "ranges": Case(small, lambda region: _vmem.Region.ranges(region)),
        "map": Case(region(), lambda region: region.map()),
        "map, long": Case(region(LARGE), lambda region: region.map()),
        "view": Case(small, lambda region: region.view(PAGE, PAGE)),
        "view, not committed": Case(small, lambda region: region.view(0, PAGE), (ValueError,)),
        "slice": Case(small, lambda region: region[PAGE : 2 * PAGE]),
        "slice, stepping": Case(small, lambda region: region[PAGE : 2 * PAGE : 2]),
        "slice, assigned": Case(small, lambda region: region.__setitem__(slice(PAGE, 2 * PAGE), b"y" * PAGE)),
        "slice, copied with steps": Case(
            small, lambda region: region.__setitem__(slice(2 * PAGE - 1, PAGE - 1, -1), b"y" * PAGE)
        ),
        "get_limits": Case(nothing(), lambda _: _vmem.get_limits()),
        "get_memory_info": Case(nothing(), lambda _: _vmem.get_memory_info()),
    }


def array_cases() -> dict[str, Case]:
    ten = list(range(1000, 1010))
    wrong = object()
    return {
        "Array()": Case(nothing(ten), lambda _, items: _vmem.Array("i", items)),
        "Array(), iterator": Case(nothing(ten), lambda _, items: _vmem.Array("i", iter(items))),
        "Array(), bytes": Case(nothing(bytes(40)), lambda _, items: _vmem.Array("i", items)),
        "Array(), buffer": Case(nothing(array.array("i", ten)), lambda _, items: _vmem.Array("i", items)),
        "Array(), text": Case(nothing("text"), lambda _, items: _vmem.Array("i", items), (TypeError,)),
        "Array(), bad typecode": Case(nothing(wrong), lambda _, code: _vmem.Array(code), (TypeError,)),
        "Array(), bad item": Case(nothing([wrong]), lambda _, items: _vmem.Array("i", items), (TypeError,)),
        "append, full": Case(
            lambda: Subject(_vmem.Array("i", [1], capacity=1)), lambda array: array.append(2), (vmem.OutOfMemoryError,)
        ),
        "append, bad item": Case(numbers(wrong), lambda array, item: array.append(item), (TypeError,)),
        "append, growing": Case(full_array(), lambda array: array.append(1)),
        "insert, growing": Case(full_array(), lambda array: array.insert(1, 1)),
        "frombytes, growing": Case(full_array(bytes(PAGE)), lambda array, data: array.frombytes(data)),
        "extend, growing": Case(full_array(array.array("B", [1])), lambda array, items: array.extend(items)),
        "extend, iterator, growing": Case(
            full_array((1, 2, 3)), lambda array, items: array.extend(iter(items)), can_take_part=True
        ),
        "+=": Case(full_array(_vmem.Array("B", [1])), lambda array, other: array.__iadd__(other)),
        "*=": Case(full_array(), lambda array: array.__imul__(2)),
        "set slice, growing": Case(
            full_array(_vmem.Array("B", [1, 2])), lambda array, other: array.__setitem__(slice(5, 6), other)
        ),
        "map of an array": Case(full_array(), lambda array: array.map()),
        "shrink_to_fit, long": Case(array_to_shrink, lambda array: array.shrink_to_fit()),
        "extend": Case(numbers(ten), lambda array, items: array.extend(items), can_take_part=True),
        "extend, itself": Case(numbers(), lambda array: array.extend(array)),
        "fromlist": Case(numbers(ten), lambda array, items: array.fromlist(items)),
        "fromlist, bad item": Case(numbers([5, wrong]), lambda array, items: array.fromlist(items), (TypeError,)),
        "insert": Case(numbers(), lambda array: array.insert(1, 9)),
        "pop": Case(numbers(), lambda array: array.pop()),
        "index": Case(numbers(), lambda array: array.index(4)),
        "index, absent": Case(numbers(), lambda array: array.index(1 << 20), (ValueError,)),
        "count": Case(numbers(typecode="d"), lambda array: array.count(4)),
        "remove": Case(numbers(), lambda array: array.remove(4)),
        "contains": Case(numbers(typecode="d"), lambda array: 4 in array),
        "tolist": Case(numbers(typecode="d"), lambda array: array.tolist()),
        "tobytes": Case(numbers(), lambda array: array.tobytes()),
        "fromfile": Case(numbers(), lambda array: array.fromfile(io.BytesIO(bytes(8)), 2)),
        "tofile": Case(lambda: Subject(_vmem.Array("i", ten), (io.BytesIO(),)), lambda array, file: array.tofile(file)),
        "buffer_info": Case(numbers(), lambda array: array.buffer_info()),
        "copy": Case(numbers(), lambda array: array.__copy__()),
        "deepcopy": Case(numbers(), lambda array: array.__deepcopy__({})),
        "reduce": Case(numbers(), lambda array: array.__reduce__()),
        "reduce_ex, 3": Case(numbers(), lambda array: array.__reduce_ex__(3)),
        "reduce_ex, 5": Case(numbers(), lambda array: array.__reduce_ex__(5)),
        "rebuild": Case(nothing("<i", bytes(80)), rebuild),
        "rebuild, swapped": Case(nothing(">i", bytes(80)), rebuild),
        "rebuild, resized": Case(nothing(">q", bytes(80)), rebuild),
        "rebuild, bad layout": Case(nothing("text", b""), rebuild, (ValueError,)),
        "rebuild, bad size": Case(nothing("<i", b"123"), rebuild, (ValueError,)),
        "repr": Case(numbers(), lambda array: repr(array)),
        "export to Arrow": Case(numbers(), lambda array: array.__arrow_c_array__()),
        "export to Arrow, converted": Case(numbers(DOUBLES), lambda array, wanted: array.__arrow_c_array__(wanted)),
        "export to Arrow, too large": Case(
            lambda: Subject(_vmem.Array("i", [1 << 20]), (BYTES,)),
            lambda array, wanted: array.__arrow_c_array__(wanted),
        ),
        "Arrow schema": Case(numbers(), lambda array: array.__arrow_c_schema__()),
        "export to DLPack": Case(numbers(), lambda array: array.__dlpack__()),
        "export to DLPack, versioned": Case(numbers(), lambda array: array.__dlpack__(max_version=(1, 0))),
        "export to DLPack, copied": Case(numbers(), lambda array: array.__dlpack__(copy=True)),
        "DLPack device": Case(numbers(), lambda array: array.__dlpack_device__()),
        "memoryview": Case(numbers(), lambda array: memoryview(array)),
        "get item": Case(numbers(typecode="d"), lambda array: array[1]),
        "get slice": Case(numbers(), lambda array: array[1:3]),
        "get slice, stepping": Case(numbers(), lambda array: array[::2]),
        "set slice, itself": Case(numbers(), lambda array: array.__setitem__(slice(None, None, -1), array)),
        "insert itself as a slice": Case(numbers(), lambda array: array.__setitem__(slice(1, 1), array)),
        "set slice, bad type": Case(
            numbers(ten), lambda array, items: array.__setitem__(slice(1), items), (TypeError,)
        ),
        "set slice, bad length": Case(
            numbers(_vmem.Array("i", ten)),
            lambda array, other: array.__setitem__(slice(None, None, 2), other),
            (ValueError,),
        ),
        "pop, bad index": Case(numbers(), lambda array: array.pop(1 << 20), (IndexError,)),
        "iter": Case(numbers(typecode="d"), lambda array: next(iter(array))),
        "iter, reduced": Case(lambda: Subject(iter(_vmem.Array("i", ten))), lambda iterator: iterator.__reduce__()),
        "concat": Case(numbers(), lambda array: array + array),
        "concat, bad type": Case(numbers(ten), lambda array, items: array + items, (TypeError,)),
        "repeat": Case(numbers(), lambda array: array * 3),
        "compare": Case(numbers(_vmem.Array("q", [1 << 40])), lambda array, other: array < other),
        "shrink below a view": Case(
            viewed_array,
            lambda array, _: array.pop(),
            (BufferError,),
        ),
    }


def cases_of_rows() -> dict[str, Case]:
    """Of arrays."""
    wrong = [LONG_ROW[0], "text"]
    other = array.array("h", range(200))
    shape = (2, 200)
    return {
        "rows, Array()": Case(nothing([LONG_ROW]), lambda _, items: _vmem.Array("i", items, row_shape=shape)),
        "rows, Array(), bad shape": Case(nothing(), lambda _: _vmem.Array("i", row_shape=(2, 0)), (ValueError,)),
        "rows, append": Case(rows(LONG_ROW), lambda array, row: array.append(row)),
        "rows, append, other buffers": Case(rows([other]), lambda array, row: array.append(row * 2)),
        "rows, append, bad row": Case(rows(wrong), lambda array, row: array.append(row), (TypeError,)),
        "rows, append, bad length": Case(rows([1, 2]), lambda array, row: array.append(row[:1]), (ValueError,)),
        "rows, extend": Case(rows([LONG_ROW] * 3), lambda array, items: array.extend(iter(items)), can_take_part=True),
        "rows, extend, another shape": Case(
            rows(_vmem.Array("i", [1])), lambda array, other: array.extend(other), (TypeError,)
        ),
        "rows, fromlist": Case(rows([LONG_ROW] * 3), lambda array, items: array.fromlist(items)),
        "rows, insert": Case(rows(LONG_ROW), lambda array, row: array.insert(1, row)),
        "rows, set item": Case(rows(LONG_ROW), lambda array, row: array.__setitem__(1, row)),
        "rows, get item": Case(rows(), lambda array: array[1]),
        "rows, pop": Case(rows(), lambda array: array.pop()),
        "rows, pop, on the heap": Case(
            lambda: Subject(_vmem.Array[Any]("d", PAIRS, row_shape=(2,))), lambda array: array.pop(0)
        ),
        "rows, search": Case(rows(LONG_ROW), lambda array, row: (array.index(row), array.count(row), row in array)),
        "rows, remove": Case(rows(LONG_ROW), lambda array, row: array.remove(row)),
        "rows, compare": Case(rows(), lambda array: array < array),
        "rows, tolist": Case(rows(), lambda array: array.tolist()),
        "rows, repr": Case(lambda: Subject(_vmem.Array[Any]("i", PAIRS, row_shape=(2,))), repr),
        "rows, slice": Case(rows(), lambda array: array[1:] + array[:1] * 2),
        "rows, copy": Case(rows(), lambda array: array.__copy__()),
        "rows, memoryview": Case(rows(), memoryview),
        "rows, memoryview of a reserved one": Case(rows(capacity=10), memoryview),
        "rows, row_shape": Case(rows(), lambda array: array.row_shape),
        "rows, reduce": Case(rows(), lambda array: array.__reduce__()),
        "rows, reduce_ex, 5": Case(rows(capacity=10), lambda array: array.__reduce_ex__(5)),
        "rows, rebuild": Case(
            nothing(bytes(32)), lambda _, items: _vmem._rebuild_array(_vmem.Array, "i", ">q", items, 2, (2,))
        ),
        "rows, export to Arrow": Case(rows(), lambda array: array.__arrow_c_array__(), (TypeError,)),
        "rows, export to DLPack": Case(rows(), lambda array: array.__dlpack__()),
    }


def shared_array(*arguments: Any) -> Callable[[], Subject]:
    return lambda: Subject(_vmem.Array("i", range(1000, 1010), shared=True), arguments)


def reader_of_array() -> Subject:
    made: _vmem.Array[int] = _vmem.Array("i", range(1000, 1010), shared=True)
    return Subject(_vmem.attach(made._get_handle(), (_vmem.Array,)), (made, memoryview(made)))


def shared_array_cases() -> dict[str, Case]:
    ten, many = list(range(1000, 1010)), bytes(64 * PAGE)
    types = (_vmem.Array,)
    try:
        _vmem.Array("i", shared=True)
    except NotImplementedError:
        return {}
    return {
        "shared, Array()": Case(nothing(ten), lambda _, items: _vmem.Array("i", items, shared=True)),
        "shared, Array(), bad item": Case(
            nothing(["text"]), lambda _, items: _vmem.Array("i", items, shared=True), (TypeError,)
        ),
        "shared, attach": Case(shared_array(), lambda array: _vmem.attach(array._get_handle(), types)),
        "shared, append": Case(shared_array(), lambda array: array.append(1)),
        "shared, frombytes": Case(shared_array(many), lambda array, data: array.frombytes(data)),
        "shared, pop": Case(shared_array(), lambda array: array.pop(), (TypeError,)),
        "shared, fileno": Case(shared_array(), lambda array: array._get_handle()),
        "shared, pickle": Case(shared_array(), lambda array: array.__reduce_ex__(5), (TypeError,)),
        "shared, memoryview": Case(shared_array(), memoryview),
        "shared, read": Case(reader_of_array, lambda reader, *_: (reader[1:3], memoryview(reader), reader.map())),
        "shared, append to a reader": Case(reader_of_array, lambda reader, *_: reader.append(1), (TypeError,)),
        "shared, become a reader": Case(shared_array(), lambda _: _vmem._change_in_child()),
        "shared, rows": Case(rows(shared=True), lambda array: _vmem.attach(array._get_handle(), types).row_shape),
    }


def arena_cases() -> dict[str, Case]:
    return {
        "Arena()": Case(nothing(), lambda _: _vmem.Arena(1 << 20)),
        "alloc": Case(arena(), lambda arena: arena.alloc(64)),
        "alloc, full": Case(arena(), lambda arena: arena.alloc(1 << 30), (vmem.OutOfMemoryError,)),
        "alloc, growing": Case(arena(), lambda arena: arena.alloc(2 * PAGE, align=PAGE, zero=False)),
        "alloc, bad alignment": Case(arena(), lambda arena: arena.alloc(1, align=3), (ValueError,)),
        "mark": Case(far_arena, lambda arena: arena.mark()),
        "rewind, too far": Case(arena(), lambda arena: arena.rewind(1 << 19), (ValueError,)),
        "map of an arena": Case(viewed_arena, lambda arena, view: arena.map()),
        "trim": Case(arena_to_trim(1 << 19), lambda arena: arena.trim()),
        "trim, long": Case(arena_to_trim(LARGE), lambda arena: arena.trim()),
        "scope": Case(arena(), lambda arena: arena.scope()),
        "scope, with": Case(arena(), alloc_in_scope),
        "scope, left with a view": Case(
            viewed_scope, lambda _, scope, view: scope.__exit__(None, None, None), (BufferError,)
        ),
        "scope, left with a view and an exception": Case(
            viewed_scope, lambda _, scope, view: scope.__exit__(KeyError, KeyError(), None)
        ),
        "repr of an arena": Case(arena(), lambda arena: repr(arena)),
        "copy of an arena": Case(arena(), lambda arena: arena.__reduce__(), (TypeError,)),
        "rewind below a view": Case(
            viewed_arena,
            lambda arena, _: arena.reset(),
            (BufferError,),
        ),
    }


COLUMNS = {"a": "q", "b": "str|None", "c": "?", "d": "bytes", "e": "M8[s]|None"}
ROW = (1 << 40, "größe", True, b"abc", None)
WRONG_ROW = (1 << 40, "größe", True, b"abc", "no time")


def table(*arguments: object, num_rows: int = 3, columns: dict[str, str] | None = None) -> Callable[[], Subject]:
    def make() -> Subject:
        made = _vmem.Table(columns or COLUMNS, capacity=1 << 20)
        if columns:
            made.extend([range(num_rows)] * len(columns))
        else:
            made.extend([[each] * num_rows for each in ROW])
        return Subject(made, arguments)

    return make


def table_to_shrink() -> Subject:
    made = _vmem.Table({"a": "q"}, capacity=LARGE // 8)
    made.extend([array.array("q", bytes(LARGE))])
    made.clear()
    made.append(1)
    return Subject(made)


def shared_table(*arguments: object) -> Callable[[], Subject]:
    def make() -> Subject:
        made = _vmem.Table(COLUMNS, capacity=1 << 20, shared=True)
        made.extend([[each] * 3 for each in ROW])
        return Subject(made, arguments)

    return make


def reader_of_table() -> Subject:
    made = shared_table()().thing
    return Subject(_vmem.attach(made._get_handle(), (_vmem.Table,)), (made, made["b"].values))


def shared_table_cases() -> dict[str, Case]:
    many, types = _vmem.Table(COLUMNS, capacity=10_000), (_vmem.Table,)
    many.extend([[each] * 5000 for each in ROW])
    try:
        _vmem.Table(COLUMNS, shared=True)
    except NotImplementedError:
        return {}
    return {
        "shared, Table()": Case(nothing(), lambda _: _vmem.Table(COLUMNS, shared=True)),
        "shared, Table(), bad type": Case(nothing(), lambda _: _vmem.Table({"a": "x"}, shared=True), (ValueError,)),
        "shared, attach a table": Case(shared_table(), lambda table: _vmem.attach(table._get_handle(), types)),
        "shared, append a row": Case(shared_table(), lambda table: table.append(*ROW)),
        "shared, extend": Case(shared_table(), lambda table: table.extend(many)),
        "shared, clear": Case(shared_table(), lambda table: table.clear(), (TypeError,)),
        "shared, pickle a table": Case(shared_table(), lambda table: table.__reduce__(), (TypeError,)),
        "shared, read a table": Case(
            reader_of_table, lambda reader, *_: (reader[1], reader["b"].tolist(), reader["b"].offsets, reader.map())
        ),
        "shared, export a reader": Case(reader_of_table, lambda reader, *_: reader.__arrow_c_stream__()),
        "shared, append a row to a reader": Case(reader_of_table, lambda reader, *_: reader.append(*ROW), (TypeError,)),
        "shared, a table becomes a reader": Case(shared_table(), lambda _: _vmem._change_in_child()),
    }


def viewed_table() -> Subject:
    subject = table()()
    return Subject(subject.thing, (memoryview(subject.thing["a"]),))


def table_cases() -> dict[str, Case]:
    many = {f"c{number}": "q" for number in range(30)}
    named = dict(zip(COLUMNS, ROW, strict=True))
    items = [[each] * 5 for each in ROW]
    stream = _vmem.Table(COLUMNS, capacity=1000)
    stream.append(*ROW)
    integers = _vmem.Table({"a": "i"}, capacity=1000)
    integers.append(5)
    return {
        "Table()": Case(nothing(), lambda _: _vmem.Table(COLUMNS, capacity=1000)),
        "Table(), bad type": Case(nothing(), lambda _: _vmem.Table({"a": "x"}), (ValueError,)),
        "append a row": Case(table(), lambda table: table.append(*ROW)),
        "append a row by name": Case(table(), lambda table: table.append(**named)),
        "append a row of many columns": Case(table(columns=many), lambda table: table.append(*range(30))),
        "append a row, growing": Case(table(num_rows=PAGE // 8), lambda table: table.append(*ROW)),
        "append a row, first": Case(table(num_rows=0), lambda table: table.append(*ROW)),
        "append a row, bad item": Case(table(), lambda table: table.append(*WRONG_ROW), (TypeError,)),
        "append a row, too short": Case(table(), lambda table: table.append(1), (TypeError,)),
        "append a row, unknown name": Case(table(), lambda table: table.append(f=1), (TypeError,)),
        "extend by lists": Case(table(), lambda table: table.extend(items)),
        "extend by iterators": Case(table(), lambda table: table.extend([iter(each) for each in items])),
        "extend by a mapping": Case(table(), lambda table: table.extend(dict(zip(COLUMNS, items, strict=True)))),
        "extend by a stream": Case(table(), lambda table: table.extend(stream)),
        "extend by columns": Case(table(), lambda table: table.extend({name: stream[name] for name in COLUMNS})),
        "extend by columns, bad type": Case(table(), lambda table: table.extend([stream["b"]] * 5), (TypeError,)),
        "column, no offsets": Case(table(num_rows=0), lambda table: table["b"].offsets),
        "extend by converted numbers": Case(
            table(array.array("b", [1, 2]), columns={"a": "q"}), lambda table, more: table.extend([more])
        ),
        "extend by a converted stream": Case(table(columns={"a": "d"}), lambda table: table.extend(integers)),
        "extend, bad item": Case(table(), lambda table: table.extend([[each] for each in WRONG_ROW]), (TypeError,)),
        "extend, unequal": Case(table(), lambda table: table.extend([*items[:4], [5]]), (ValueError,)),
        "extend, missing": Case(table(), lambda table: table.extend({"a": [5]}), (ValueError,)),
        "extend, another stream": Case(table(), lambda table: table.extend(integers), (ValueError,)),
        "row": Case(table(), lambda table: table[-1]),
        "row, too far": Case(table(), lambda table: table[5], (IndexError,)),
        "rows": Case(table(), lambda table: list(table[1:])),
        "contains a row": Case(table(), lambda table: ROW in table),
        "column": Case(table(), lambda table: table["b"][1]),
        "column, unknown": Case(table(), lambda table: table["x"], (KeyError,)),
        "column, list": Case(table(), lambda table: table["b"].tolist()),
        "column, buffers": Case(
            table(), lambda table: (table["b"].values, table["b"].offsets, table["b"].validity, table["c"].values)
        ),
        "column, memoryview": Case(table(), lambda table: memoryview(table["a"])),
        "column, no memoryview": Case(table(), lambda table: memoryview(table["b"]), (BufferError,)),
        "column, bits in a byte": Case(table(), lambda table: table["c"][1:].values, (ValueError,)),
        "column, search": Case(table(), lambda table: (table["a"].count(5), table["b"].index("größe"))),
        "repr of a table": Case(table(), lambda table: (repr(table), repr(table["a"]), repr(table[:]))),
        "clear below a view": Case(viewed_table, lambda table, _: table.clear(), (BufferError,)),
        "shrink_to_fit of a table": Case(table_to_shrink, lambda table: table.shrink_to_fit()),
        "map of a table": Case(table(), lambda table: table.map()),
        "copy of a table": Case(table(), lambda table: table.__reduce__(), (TypeError,)),
        "export a table": Case(table(), lambda table: table.__arrow_c_stream__()),
        "export the schema of a table": Case(table(), lambda table: table.__arrow_c_schema__()),
        "export a column": Case(table(), lambda table: table["b"].__arrow_c_array__()),
    }


def ring_cases() -> dict[str, Case]:
    queue = ring([1, 2, 3], overwrite=False)
    return {
        "Ring()": Case(nothing(), lambda _: _vmem.Ring("B", 100)),
        "Ring() with rows": Case(nothing(), lambda _: _vmem.Ring("B", 100, row_shape=(2, 3))),
        "ring, append": Case(ring(), lambda ring: ring.append(5)),
        "ring, append a row": Case(ring_of_rows([[1] * 200, [2] * 200]), lambda ring, row: ring.append(row)),
        "ring, extend": Case(ring([1, 2, 3]), lambda ring, items: ring.extend(items), can_take_part=True),
        "ring, extend by a buffer": Case(ring(array.array("H", [1, 2])), lambda ring, items: ring.extend(items)),
        "ring, extend by another buffer": Case(ring(array.array("q", [1, 2])), lambda ring, items: ring.extend(items)),
        "ring, extend with itself": Case(ring(), lambda ring: ring.extend(ring)),
        "ring, extend by rows": Case(
            ring_of_rows([memoryview(bytes(1600)).cast("H", (2, 2, 200))]), lambda ring, rows: ring.extend(rows[0])
        ),
        "ring, extend a queue": Case(queue, lambda ring, items: ring.extend(items)),
        "ring, extend a full queue": Case(
            ring(range(20), overwrite=False), lambda ring, items: ring.extend(items), (BufferError,)
        ),
        "ring, prepare": Case(ring(), lambda ring: ring.prepare(500)),
        "ring, advance": Case(prepared_ring, lambda ring, view: ring.advance(300)),
        "ring, advance too far": Case(ring(), lambda ring: ring.advance(300), (ValueError,)),
        "ring, latest": Case(ring(), lambda ring: ring.latest(500)),
        "ring, latest of too many": Case(ring(), lambda ring: ring.latest(1 << 20), (IndexError,)),
        "ring, window": Case(ring(), lambda ring: ring.window(1500, 300)),
        "ring, window of rows": Case(ring_of_rows(), lambda ring: ring.window(0, 1)),
        "ring, buffer": Case(ring_of_rows(), memoryview),
        "ring, row": Case(ring_of_rows(), lambda ring: ring[0]),
        "ring, item": Case(ring(), lambda ring: ring[500]),
        "ring, iterate": Case(ring_of_few, list),
        "ring, consume too many": Case(ring(), lambda ring: ring.consume(1 << 20), (ValueError,)),
        "map of a ring": Case(ring(), lambda ring: ring.map()),
        "repr of a ring": Case(ring(), repr),
        "copy of a ring": Case(ring(), lambda ring: ring.__reduce__(), (TypeError,)),
        "shape of a ring": Case(ring_of_rows(), lambda ring: ring.row_shape),
    }


CASES = {
    **region_cases(),
    **array_cases(),
    **cases_of_rows(),
    **shared_array_cases(),
    **arena_cases(),
    **table_cases(),
    **shared_table_cases(),
    **ring_cases(),
}


def call_without_allocations(case: Case, subject: Subject, first: int, last: int) -> Exception | None:
    """Makes the call while its allocations after `first`, up to `last`, fail; with 0 all after `first`."""
    restore = testcapi.remove_mem_hooks
    try:
        testcapi.set_nomemory(first, last)
        case.call(subject.thing, *subject.arguments)
        restore()
    except Exception as error:
        restore()
        return error
    return None


def is_lost_exception(error: Exception) -> bool:
    """Whether PyErr_SetString() had no memory, which Python reports so. Errors of array.array do the same."""
    return isinstance(error, SystemError) and str(error) == "error return without exception set"


def check(case: Case, first: int, last: int, expected: object) -> bool:
    """Whether the call succeeded without these allocations. It must have its full effect then."""
    subject = case.make()
    before = subject.describe()
    error = call_without_allocations(case, subject, first, last)
    after = subject.describe()
    if error is None:
        assert after == expected, f"without allocation {first}: {after}, not {expected}"
        return True
    error.__traceback__ = None
    if not case.can_take_part:
        assert after == before, f"allocation {first}: {before} became {after}"
    subject.release()
    if isinstance(error, case.errors):
        return True
    if not (case.errors and is_lost_exception(error)):
        assert isinstance(error, MemoryError), f"allocation {first}: {error!r}"
    return False


def find_expected(case: Case) -> object:
    """The state after the call. Later calls find the objects that Python makes only once."""
    subject = case.make()
    error = call_without_allocations(case, subject, 1 << 30, 0)
    assert isinstance(error, case.errors) if case.errors else error is None
    return subject.describe()


def main() -> None:
    case = CASES[sys.argv[1]]
    _vmem.set_map_maker("".format)  # type: ignore[arg-type]  # takes anything, and allocates nothing of Python's own
    _vmem.set_row_type_maker(lambda names: tuple)  # type: ignore[arg-type, return-value]  # likewise
    gc.disable()
    expected = find_expected(case)
    refused = 0
    for first in range(MAX_ALLOCATIONS):
        refused += not check(case, first, first + 1, expected)
        refused += not check(case, first, 0, expected)
    assert check(case, MAX_ALLOCATIONS, 0, expected), "it allocates more often than is tried"
    assert refused
    print(f"refused {refused} times")


if __name__ == "__main__":
    main()
