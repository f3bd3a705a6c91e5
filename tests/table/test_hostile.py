"""Python code that changes a table in the middle of a call: each raises or works, and none crashes or tears a row."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

import vmem
from tests.support.processes import run_python

pytestmark = pytest.mark.in_child

COLUMNS = {"a": "i", "b": "d|None", "c": "str", "d": "?", "e": "bytes"}
ROW = (1, 2.5, "x", True, b"y")

Action = Callable[[vmem.Table], object]


def extend_by_itself(table: vmem.Table) -> None:
    if len(table) < 10_000:
        table.extend(table)


def clear_and_give_back(table: vmem.Table) -> None:
    table.clear()
    table.shrink_to_fit()


def grow_and_give_back(table: vmem.Table) -> None:
    table.extend([[each] * 5000 for each in ROW])
    table.shrink_to_fit()


def show(table: vmem.Table) -> None:
    memoryview(table["a"]).release()
    assert len(table["b"].values) <= len(table)
    assert table[:]["c"].offsets is not None


ACTIONS: dict[str, Action] = {
    "append": lambda table: table.append(*ROW),
    "extend": lambda table: table.extend([[each] * 3000 for each in ROW]),
    "extend by itself": extend_by_itself,
    "clear": lambda table: table.clear(),
    "clear and give back": clear_and_give_back,
    "grow and give back": grow_and_give_back,
    "show": show,
    "read": lambda table: (list(table), [table[name].tolist() for name in table.names]),
    "map": lambda table: table.map(),
    "collect": lambda table: gc.collect(),
    "raise": lambda table: 1 / 0,
}


class Value:
    """A number, a text buffer and a bool that acts whenever it is asked what it is."""

    def __init__(self, table: vmem.Table, action: Action) -> None:
        self.table = table
        self.action = action
        self.num_acts = 0

    def act(self) -> None:
        """Not without end: a search goes on as long as the table grows."""
        self.num_acts += 1
        if self.num_acts <= 20:
            with suppress(BufferError):
                self.action(self.table)

    def __index__(self) -> int:
        self.act()
        return 1

    def __float__(self) -> float:
        self.act()
        return 2.5

    def __eq__(self, other: object) -> bool:
        self.act()
        return False

    __hash__ = None  # type: ignore[assignment]


class Columns(Mapping[str, Any]):
    """A mapping that acts when it is asked for anything."""

    def __init__(self, value: Value) -> None:
        self.value = value

    def __getitem__(self, name: str) -> Any:
        self.value.act()
        return self.items_of(name)

    def items_of(self, name: str) -> Iterator[Any]:
        for _ in range(5):
            self.value.act()
            yield dict(zip(COLUMNS, ROW, strict=True))[name]

    def __iter__(self) -> Iterator[str]:
        self.value.act()
        return iter(COLUMNS)

    def __len__(self) -> int:
        return len(COLUMNS)


class Stream:
    """An object with a stream that acts when that is asked for."""

    def __init__(self, value: Value) -> None:
        self.value = value

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        self.value.act()
        return self.value.table[-5:].__arrow_c_stream__()


CALLS: dict[str, Callable[[vmem.Table, Value], object]] = {
    "append, first": lambda table, value: table.append(value, *ROW[1:]),
    "append, second": lambda table, value: table.append(1, value, "x", True, b"y"),
    "append, bool": lambda table, value: table.append(1, 2.5, "x", value, b"y"),
    "append, by name": lambda table, value: table.append(e=b"y", d=value, c="x", b=value, a=value),
    "extend, mapping": lambda table, value: table.extend(Columns(value)),
    "extend, items": lambda table, value: table.extend([[value] * 5, *([each] * 5 for each in ROW[1:])]),
    "extend, late items": lambda table, value: table.extend(
        [*([each] * 5 for each in ROW[:4]), Columns(value).items_of("e")]
    ),
    "extend, stream": lambda table, value: table.extend(Stream(value)),
    "index": lambda table, value: table[value],
    "index of a column": lambda table, value: table["a"][value],
    "slice": lambda table, value: table[value:value],
    "search": lambda table, value: (value in table, value in table["a"], table["b"].count(value)),
    "find": lambda table, value: table["a"].index(value),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("action", ACTIONS)
def test_calls_in_the_middle_of_calls(call: str, action: str) -> None:
    for num_rows in (0, 1, 1000):
        table = vmem.Table(COLUMNS, capacity=1_000_000)
        table.extend([[each] * num_rows for each in ROW])
        with suppress(ValueError, IndexError, ZeroDivisionError):
            CALLS[call](table, Value(table, ACTIONS[action]))
        assert set(table) <= {ROW}
        assert {len(table[name]) for name in table.names} == {len(table)}
        table.append(*ROW)
        assert table[-1] == ROW
        table.clear()
        table.shrink_to_fit()


def test_a_value_that_appends_to_its_own_row_without_end() -> None:
    run_python(
        """
import sys, vmem
table = vmem.Table({"a": "d"}, capacity=100_000)
class Value:
    def __float__(self):
        table.append(self)
        return 1.0
try:
    table.append(Value())
except RecursionError:
    pass
assert len(table) == 0
table.append(1)
        """
    )


def test_names_that_act_when_they_are_compared() -> None:
    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            table.clear()
            return str.__eq__(self, other)

    table = vmem.Table({"a": "i"})
    table.append(1)
    assert table[Name("a")].name == "a"
    table.append(**{Name("a"): 5})
    table.extend({Name("a"): [6]})
    assert table["a"].tolist()[-1] == 6
    assert type(vmem.Table({Name("b"): "i"}).names[0]) is str


def test_buffers_that_act_when_they_are_taken_and_released() -> None:
    table = vmem.Table({"a": "B"}, capacity=100_000)
    done: list[str] = []

    class Bytes:
        def __buffer__(self, flags: int, /) -> memoryview:
            table.append(1)
            done.append("taken")
            return memoryview(b"\2\3")

        def __release_buffer__(self, view: memoryview, /) -> None:
            table.clear()
            done.append("released")

        def __iter__(self) -> Iterator[int]:
            return iter(b"\2\3")

    source: Any = Bytes()
    table.extend({"a": source})
    if sys.version_info >= (3, 12):
        assert done == ["taken", "released"]
        assert list(table) == []
    else:
        assert list(table) == [(2,), (3,)]


def test_audit_hooks_that_raise_or_look() -> None:
    run_python(
        """
import gc, sys, vmem
seen = []
def hook(event, args):
    if event == "vmem.reserve":
        seen.append(args)
        gc.collect()
        assert not [each for each in gc.get_objects() if isinstance(each, vmem.Table)]
        if len(seen) > 1:
            raise KeyError("no")
sys.addaudithook(hook)
table = vmem.Table({"a": "d"}, capacity=1000)
assert seen == [(8192, None)], seen
del table
gc.collect()
try:
    vmem.Table({"a": "d"}, capacity=1000)
except KeyError:
    pass
else:
    raise AssertionError
        """
    )


def test_an_uninitialized_table_does_not_exist() -> None:
    kinds: list[Any] = [vmem.Table, type("Sub", (vmem.Table,), {"__init__": lambda self, *args: None})]
    for kind in kinds:
        with pytest.raises(TypeError):
            kind.__new__(kind)
        assert list(kind.__new__(kind, {"a": "d"})) == []


def test_a_class_of_rows_that_acts() -> None:
    from vmem import _vmem

    table = vmem.Table({"a": "i"})
    table.append(1)

    def make(names: tuple[str, ...]) -> Any:
        table.clear()
        return tuple

    _vmem.set_row_type_maker(make)
    try:
        with pytest.raises(IndexError):
            table[0]
    finally:
        _vmem.set_row_type_maker(vmem._make_row_type)


def test_tables_after_the_module_was_unloaded() -> None:
    run_python(
        """
import gc, sys
import vmem
table, column = vmem.Table({"a": "d", "s": "str"}, capacity=1000), None
table.append(1, "x")
column, rows, view = table["a"], table[:], memoryview(table["a"])
row = table[0]
class Late:
    def __del__(self):
        for call in (lambda: table.append(2, "y"), lambda: table[0], lambda: column[0], lambda: rows[0],
                     lambda: table["a"], lambda: table.clear(), lambda: view.tolist(), lambda: table.map(),
                     lambda: table.extend([[1], ["x"]]), lambda: memoryview(column), lambda: table.shrink_to_fit()):
            try:
                call()
            except (RuntimeError, BufferError, ImportError, IndexError):
                pass
late = Late()
for name in [name for name in sys.modules if name.startswith("vmem")]:
    del sys.modules[name]
del vmem
gc.collect()
        """
    )
