"""Makes every system call of one call of a table fail. Run by test_refusals.py, as refusals.py is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import vmem
from tests.programs.refusals import MIB, PAGE, Drop, Explorer, Plan, class_of_reserve, explore_case
from tests.programs.structure_refusals import is_sealed_against_writers, left_clean
from tests.support.system import permissions_in, status_bytes
from vmem import _vmem

COLUMNS = {"a": "q", "b": "str|None", "c": "?"}
CAPACITY = 8 * MIB  # in rows
SMALL = 4 * PAGE // 8  # rows that fill four pages of the first column
LARGE = MIB  # rows that fill 8 MiB of it: from here on, growth ends at huge pages

Row = tuple[Any, ...]


def make_row(number: int) -> Row:
    return number, None if number % 3 == 0 else "abcdefgh", number % 2 == 0


def columns_of(rows: list[Row]) -> list[list[Any]]:
    return [list(each) for each in zip(*rows, strict=True)]


def full_table(num_rows: int) -> vmem.Table:
    """A table whose first column fills its committed pages."""
    table = vmem.Table(COLUMNS, capacity=CAPACITY)
    if num_rows:
        rows = [make_row(number) for number in range(min(num_rows, 1024))]
        for _ in range(-(-num_rows // 1024)):
            table.extend(columns_of(rows))
    return table


def contents(table: vmem.Table, num_rows: int) -> list[bytes]:
    """Its first rows, a multiple of eight, as the memory of the columns has them: a million tuples take a second."""
    assert len(table) >= num_rows
    columns = [table[name][:num_rows] for name in COLUMNS]
    parts = [part for each in columns for part in (each.values, each.offsets, each.validity) if part is not None]
    return [part.tobytes() for part in parts]


def place_of(table: vmem.Table) -> tuple[int, int]:
    """The address and size, which repr() and the kernel tell: there need be no system call."""
    place = table.map()
    return place.address, place.size


def count_writable(table: vmem.Table) -> int:
    return sum(last - first for first, last, permissions in permissions_in(*place_of(table)) if permissions == "rw-p")


@dataclass
class TableCall(Explorer):
    """A call that adds rows or fails. A live view and an export observe the rows that were there."""

    call: Callable[[vmem.Table], object]
    num_rows: int = SMALL
    also_raised: tuple[type[Exception], ...] = (MemoryError,)
    reads_too: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.done: list[Row] | None = None  # the rows that were added

    def try_once(self, plan: Plan) -> list[str]:
        table = full_table(self.num_rows)
        num_rows = len(table)
        before = contents(table, num_rows)
        view, shown = table["a"].values, table["a"].values.tobytes()
        calls, raised = self.call_with(plan, lambda: self.call(table))
        if raised:
            assert len(table) == num_rows
            assert contents(table, num_rows) == before
            self.call(table)
        added: list[Row] = list(table[num_rows:])
        if self.done is None:
            self.done = added
        assert added == self.done
        assert contents(table, num_rows) == before
        table.append(*make_row(1))
        assert table[-1] == make_row(1)
        assert view.tobytes() == shown
        view.release()
        table.clear()
        table.shrink_to_fit()
        return calls


class ShrinkTable(Explorer):
    """A call of shrink_to_fit(). Rows never change, and what was given back can be committed again."""

    def __init__(self, num_exported: int) -> None:
        super().__init__()
        self.num_exported = num_exported

    reads_too = False

    def try_once(self, plan: Plan) -> list[str]:
        table = full_table(2 * SMALL)
        if self.num_exported:
            table["a"][: self.num_exported].values.release()
        table.clear()
        rows = [make_row(number) for number in range(10)]
        table.extend(columns_of(rows))
        view = table["a"].values
        calls, _ = self.call_with(plan, table.shrink_to_fit)
        assert list(table) == rows
        if self.num_cases % 2:  # uses the rest before it is given back
            table.extend(columns_of([make_row(number) for number in range(SMALL)]))
            assert table[-1] == make_row(SMALL - 1)
            view.release()
            table.clear()
            table.extend(columns_of(rows))
            view = table["a"].values
        table.shrink_to_fit()
        assert list(table) == rows
        assert not left_clean(plan, calls) or count_writable(table) == 5 * PAGE + max(8 * self.num_exported - PAGE, 0)
        view.release()
        return calls


class MakeTable(Explorer):
    """A call of Table()."""

    reads_too = False

    def class_of(self, error: int) -> type[Exception]:
        return class_of_reserve(error)

    def make(self) -> None:
        self.table = vmem.Table(COLUMNS, capacity=CAPACITY)

    def try_once(self, plan: Plan) -> list[str]:
        addresses = status_bytes("VmSize")
        calls, raised = self.call_with(plan, self.make)
        if raised:
            assert status_bytes("VmSize") < addresses + 8 * MIB
            self.make()
        table = self.table
        del self.table
        assert count_writable(table) == 0
        table.append(*make_row(1))
        assert list(table) == [make_row(1)]
        del table
        assert status_bytes("VmSize") < addresses + 8 * MIB
        return calls


@dataclass
class Export(Explorer):
    """A call that exports a table to Arrow. What fails has changed nothing and holds nothing."""

    call: Callable[[vmem.Table], object]
    also_raised: tuple[type[Exception], ...] = (MemoryError,)
    reads_too: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def keep(self, exported: object) -> None:
        self.exported = exported

    def try_once(self, plan: Plan) -> list[str]:
        table = full_table(SMALL)
        before = list(table)
        calls, raised = self.call_with(plan, lambda: self.keep(self.call(table)))
        assert "calloc" in calls
        if raised:
            assert table.map().num_views == 0
            self.keep(self.call(table))
        assert list(table) == before
        del self.exported
        table.clear()
        return calls


# --- shared tables ---


def shared_table(num_rows: int) -> vmem.Table:
    table = vmem.Table(COLUMNS, capacity=CAPACITY, shared=True)
    if num_rows:
        table.extend(columns_of([make_row(number) for number in range(num_rows)]))
    return table


def attach(table: vmem.Table) -> vmem.Table:
    attached = vmem.attach(table.fileno())
    assert isinstance(attached, vmem.Table)
    return attached


@dataclass
class SharedTableCall(Explorer):
    """A call that adds rows to a shared table or fails, which a reader, a view and an export of the reader observe."""

    call: Callable[[vmem.Table, vmem.Table], object]
    num_rows: int = SMALL
    also_raised: tuple[type[Exception], ...] = (MemoryError, OSError)  # OSError where the descriptor seems to be closed
    reads_too: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.done: list[Row] | None = None

    def try_once(self, plan: Plan) -> list[str]:
        table = shared_table(self.num_rows)
        reader = attach(table)
        before = list(table)
        views, shown = [each["a"].values for each in (table, reader)], table["a"].values.tobytes()
        exported = reader.__arrow_c_stream__()
        calls, raised = self.call_with(plan, lambda: self.call(table, reader))
        if raised:
            assert list(table) == list(reader) == before
            self.call(table, reader)
        self.done = self.done or list(table)
        assert list(table) == list(reader) == self.done
        assert self.done[: len(before)] == before
        table.extend(columns_of(ROWS))
        assert list(reader) == self.done + ROWS
        assert [each.tobytes() for each in views] == [shown] * 2
        copied = vmem.Table(COLUMNS, capacity=CAPACITY)
        copied.extend(Exported(exported))
        assert list(copied) == before
        return calls


@dataclass
class Exported:
    """A capsule with a stream, as the object that gave it."""

    capsule: object

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.capsule


@dataclass
class MakeSharedTable(Explorer):
    """A call that makes a shared table, or a reader of one."""

    call: Callable[[vmem.Table], object]
    also_raised: tuple[type[Exception], ...] = (OSError, ValueError, vmem.OutOfMemoryError, NotImplementedError)
    reads_too: bool = False
    num_opened = 1

    def __post_init__(self) -> None:
        super().__init__()
        self.source = shared_table(SMALL)
        self.rows: list[Row] = list(self.source)

    def make(self) -> None:
        self.made = self.call(self.source)

    def try_once(self, plan: Plan) -> list[str]:
        addresses = status_bytes("VmSize")
        calls, raised = self.call_with(plan, self.make)
        if raised:
            assert status_bytes("VmSize") < addresses + 8 * MIB or not left_clean(plan, calls)
            self.make()
        made = self.made
        assert isinstance(made, vmem.Table)
        del self.made
        assert made.readonly == (list(made) == self.rows)
        if not made.readonly:
            made.extend(columns_of(self.rows))
        maker = self.source if made.readonly else made
        assert list(made) == self.rows
        assert not is_sealed_against_writers(maker) or list(attach(maker)) == self.rows
        return calls


@dataclass
class BecomeReader(Explorer):
    """What a forked child does with a shared table. It cannot fail: what is refused leaves less, and never a crash."""

    num_exported: int = SMALL
    reads_too: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def try_once(self, plan: Plan) -> list[str]:
        table = shared_table(self.num_exported)
        views = [table["a"].values, table["b"].values, table["b"].offsets, table["b"].validity, table["c"].values]
        shown = [each.tobytes() for each in views if each is not None]
        table.extend(columns_of(ROWS))
        rows, number = list(table), table.fileno()
        calls, raised = self.call_with(plan, _vmem._change_in_child)
        assert raised is None
        assert table.readonly
        assert list(table) == rows
        assert [each.tobytes() for each in views if each is not None] == shown
        assert table["a"].values.readonly
        assert table.fileno() == number
        return calls


# --- giving back ---


def held_table() -> tuple[int, int, object]:
    """An address, a size, and a capsule that has outlived its table."""
    table = full_table(SMALL)
    return (*place_of(table), table.__arrow_c_stream__())


ROWS = [make_row(number) for number in range(SMALL)]

CASES: dict[str, Callable[[], Explorer]] = {
    "Table()": MakeTable,
    "append": lambda: TableCall(lambda table: table.append(*make_row(7))),
    "append, first": lambda: TableCall(lambda table: table.append(*make_row(7)), 0),
    "append, large": lambda: TableCall(lambda table: table.append(*make_row(7)), LARGE),
    "append, long text": lambda: TableCall(lambda table: table.append(1, "x" * 20 * PAGE, True)),
    "extend": lambda: TableCall(lambda table: table.extend(columns_of(ROWS))),
    "extend, first": lambda: TableCall(lambda table: table.extend(columns_of(ROWS)), 0),
    "extend, itself": lambda: TableCall(lambda table: table.extend(table)),
    "shrink_to_fit": lambda: ShrinkTable(0),
    "shrink_to_fit, exported": lambda: ShrinkTable(SMALL),
    "export": lambda: Export(lambda table: table.__arrow_c_stream__()),
    "export rows": lambda: Export(lambda table: table[5:].__arrow_c_stream__()),
    "export schema": lambda: Export(lambda table: table.__arrow_c_schema__()),
    "export column": lambda: Export(lambda table: table["b"].__arrow_c_array__()),
    "extend, columns of a table": lambda: TableCall(
        lambda table: table.extend({name: table[name] for name in COLUMNS})
    ),
    "Table(), shared": lambda: MakeSharedTable(lambda _: vmem.Table(COLUMNS, capacity=CAPACITY, shared=True)),
    "shared, attach": lambda: MakeSharedTable(attach),
    "shared, append": lambda: SharedTableCall(lambda table, _: table.append(*make_row(7))),
    "shared, append, first": lambda: SharedTableCall(lambda table, _: table.append(*make_row(7)), 0),
    "shared, append, long text": lambda: SharedTableCall(lambda table, _: table.append(1, "x" * 20 * PAGE, True)),
    "shared, extend": lambda: SharedTableCall(lambda table, _: table.extend(columns_of(ROWS))),
    "shared, extend, itself": lambda: SharedTableCall(lambda table, _: table.extend(table)),
    "shared, extend, a reader": lambda: SharedTableCall(lambda table, reader: table.extend(reader)),
    "shared, export of a reader": lambda: SharedTableCall(lambda _, reader: reader.__arrow_c_stream__()),
    "shared, become a reader": BecomeReader,
    "shared, become a reader, not exported": lambda: BecomeReader(0),
    "shared, drop": lambda: Drop(lambda: shared_table(SMALL), place_of, is_shared=True),
    "drop table": lambda: Drop(lambda: full_table(SMALL), place_of),
    "drop export": lambda: Drop(held_table, lambda held: held[:2]),
}


if __name__ == "__main__":
    explore_case(sys.argv[1], CASES)
