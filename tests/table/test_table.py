"""Tables: making them, rows, views of rows, growth, and giving memory back."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import types
import weakref
from collections import UserDict
from collections.abc import Callable
from typing import Any

import pytest

import vmem
from tests.support.marks import needs_shared_memory, posix_only
from tests.support.system import mappings_in, permissions_in
from vmem import _vmem

COLUMNS = {"time": "q", "speed": "d"}


@pytest.fixture
def table() -> vmem.Table:
    return vmem.Table(COLUMNS, capacity=100_000)


def parts_of(table: vmem.Table) -> list[tuple[int, int, str]]:
    """What the kernel says about the table's addresses."""
    return permissions_in(table.map().address, table.map().size)


# --- making ---


def test_a_new_table_has_names_and_no_rows(table: vmem.Table) -> None:
    assert table.names == ("time", "speed")
    assert len(table) == 0
    assert list(table) == []
    assert table.capacity == 100_000
    assert table.map().committed == 0


@pytest.mark.parametrize("mapping", [UserDict(COLUMNS), types.MappingProxyType(COLUMNS)])
def test_columns_are_any_mapping(mapping: Any) -> None:
    assert vmem.Table(mapping).names == vmem.Table(columns=mapping).names == ("time", "speed")


def test_names_are_any_text() -> None:
    names = ("", "total price", "class", "größe", "_fields", "count", "__class__", "1")
    table = vmem.Table(dict.fromkeys(names, "i"))
    table.append(*range(len(names)))
    assert table.names == table[0]._fields == names
    assert [table[name][0] for name in names] == list(range(len(names)))


class Name(str):
    """Equals nothing, so that a mapping can have it twice."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


@pytest.mark.parametrize(
    ("columns", "error", "match"),
    [
        ({}, ValueError, "at least one column"),
        ({1: "d"}, TypeError, "the name of a column must be a str, not int"),
        ({"a": 1}, TypeError, "the type of column 'a' must be a str, not int"),
        ({"a": "x"}, ValueError, "bad type 'x' of column 'a'"),
        ({"a": "d|none"}, ValueError, "bad type"),
        ({"a": "|None"}, ValueError, "bad type"),
        ({"a": ""}, ValueError, "bad type"),
        ({"a": "M8[h]"}, ValueError, "M8"),
        ({"a\0b": "d"}, ValueError, "null characters"),
        ({"\ud800": "d"}, UnicodeEncodeError, "surrogates"),
        ({Name("a"): "d", Name("a"): "i"}, ValueError, "the same name"),
        ([("a", "d")], TypeError, "must be a mapping"),
        ("ad", TypeError, "must be a mapping"),
        (None, TypeError, "must be a mapping"),
    ],
)
def test_wrong_columns_are_refused(columns: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        vmem.Table(columns)


@pytest.mark.parametrize(
    ("capacity", "error"), [(-1, ValueError), (2**63, ValueError), (2**200, ValueError), (1.5, TypeError)]
)
def test_wrong_capacities_are_refused(capacity: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="capacity"):
        vmem.Table(COLUMNS, capacity=capacity)


@pytest.mark.many_addresses
def test_more_addresses_than_there_are_raise_out_of_memory() -> None:
    with pytest.raises(vmem.OutOfMemoryError, match="for a table"):
        vmem.Table(COLUMNS, capacity=sys.maxsize // 100)


def test_the_default_capacity_is_what_memory_can_hold() -> None:
    array = vmem.Array("B")
    assert 0.9 < vmem.Table({"a": "B"}).capacity / array.capacity < 1.1
    assert 0.9 < vmem.Table({"a": "d", "b": "d"}).capacity / (array.capacity / 16) < 1.1


def test_the_capacity_is_exact() -> None:
    table = vmem.Table({"a": "b", "b": "?|None", "c": "str"}, capacity=3)
    table.extend({"a": [1, 2, 3], "b": [True, None, False], "c": ["a", "b", "c"]})
    adds: list[Callable[[], None]] = [
        lambda: table.append(4, True, "d"),
        lambda: table.extend([[4], [True], ["d"]]),
    ]
    for add in adds:
        with pytest.raises(vmem.OutOfMemoryError, match="capacity of 3 rows to 4"):
            add()
    assert list(table) == [(1, True, "a"), (2, None, "b"), (3, False, "c")]
    empty = vmem.Table({"a": "d", "s": "str"}, capacity=0)
    with pytest.raises(vmem.OutOfMemoryError, match="capacity of 0 rows to 1"):
        empty.append(1, "")
    empty.extend({"a": [], "s": []})
    assert list(empty) == []


def test_a_table_is_hashed_and_compared_by_identity_and_referenced_weakly(table: vmem.Table) -> None:
    other = vmem.Table(COLUMNS, capacity=1)
    assert table != other
    assert {table: 1}[table] == 1
    reference = weakref.ref(other)
    del other
    gc.collect()
    assert reference() is None


def test_copies_and_pickles_are_refused(table: vmem.Table) -> None:
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot pickle 'Table'"):
            attempt(table)


def test_reprs(table: vmem.Table) -> None:
    table.append(1, 2)
    assert repr(table).startswith("<vmem.Table at 0x")
    assert repr(table).endswith(": 1 rows of 2 columns>")
    assert repr(table["time"]) == "<vmem.Column 'time' of type 'q', 1 rows>"
    assert repr(table[:5]) == "<vmem.Rows 0 to 1 of a table of 1>"

    class Named(vmem.Table):
        pass

    assert repr(Named({"x": "d"})).startswith(f"<{__name__}.Named at 0")


@needs_shared_memory
@posix_only
def test_reprs_of_shared_tables() -> None:
    shared = vmem.Table({"x": "d"}, shared=True)
    assert repr(shared).endswith(": 0 rows of 1 column, shared>")
    assert repr(vmem.attach(shared.fileno())).endswith(": 0 rows of 1 column, shared, read-only>")


def test_memory_is_unmapped_with_the_last_reference() -> None:
    table = vmem.Table(COLUMNS, capacity=1 << 20)
    table.append(1, 2)
    place = table.map()
    column = table["time"]
    view = memoryview(column)
    del table, column
    assert view[0] == 1
    view.release()
    del view
    gc.collect()
    assert mappings_in(place.address, place.size) == []


# --- appending ---


def test_values_come_in_order_or_by_name(table: vmem.Table) -> None:
    table.append(1, 0.5)
    table.append(2, speed=1.5)
    table.append(speed=2.5, time=3)
    table.append(**{"time": 4, "sp" + "eed": 3.5})
    assert list(table) == [(1, 0.5), (2, 1.5), (3, 2.5), (4, 3.5)]


@pytest.mark.parametrize(
    ("args", "keywords", "match"),
    [
        ((), {}, "one value for each of 2 columns \\(0 given\\)"),
        ((1,), {}, "\\(1 given\\)"),
        ((1, 2, 3), {}, "\\(3 given\\)"),
        ((1, 2, 3), {"time": 1}, "\\(4 given\\)"),
        ((1, 2), {"time": 1}, "two values for column 'time'"),
        ((1,), {"speeed": 1}, "'speeed', which is not a column"),
        ((), {"speed": 1}, "misses a value for column 'time'"),
    ],
)
def test_a_row_has_one_value_for_each_column(
    table: vmem.Table, args: tuple[int, ...], keywords: dict[str, int], match: str
) -> None:
    with pytest.raises(TypeError, match=match):
        table.append(*args, **keywords)
    assert len(table) == 0


def test_what_does_not_fit_changes_nothing_and_names_the_column(table: vmem.Table) -> None:
    table.append(1, 0.5)
    with pytest.raises(TypeError) as caught:
        table.append(2, "fast")
    assert caught.value.__notes__ == ["in column 'speed', of type 'd'"]
    with pytest.raises(OverflowError) as caught_too:
        table.append(2**63, 1)
    assert caught_too.value.__notes__ == ["in column 'time', of type 'q'"]
    assert list(table) == [(1, 0.5)]


@pytest.mark.parametrize("num_columns", [1, 23, 24, 25, 300])
def test_any_number_of_columns(num_columns: int) -> None:
    names = [f"c{i}" for i in range(num_columns)]
    table = vmem.Table(dict.fromkeys(names, "i"), capacity=1000)
    table.append(*range(num_columns))
    table.append(**dict(zip(reversed(names), range(num_columns), strict=True)))
    assert list(table) == [tuple(range(num_columns)), tuple(reversed(range(num_columns)))]


def test_many_rows_across_pages(page: int) -> None:
    table = vmem.Table({"a": "b", "b": "q", "c": "?", "d": "str|None"}, capacity=10 * page)
    rows = [(i % 100, i, i % 3 == 0, None if i % 5 == 0 else "x" * (i % 7)) for i in range(3 * page)]
    for row in rows:
        table.append(*row)
    assert list(table) == rows


# --- rows ---


def test_a_row_is_a_tuple_with_names(table: vmem.Table) -> None:
    table.append(1, 0.5)
    row = table[0]
    assert row == (1, 0.5)
    assert hash(row) == hash((1, 0.5))
    assert isinstance(row, tuple)
    assert isinstance(row, vmem.Row)
    assert (row.time, row.speed) == (1, 0.5)
    assert row._asdict() == {"time": 1, "speed": 0.5}
    assert repr(row) == "Row(time=1, speed=0.5)"
    for copied in (copy.copy(row), copy.deepcopy(row), *(pickle.loads(pickle.dumps(row, each)) for each in range(6))):
        assert copied == row
        assert type(copied) is type(row)
    with pytest.raises(AttributeError):
        row.time = 2  # type: ignore[attr-defined]


def test_names_that_cannot_be_attributes_are_in_the_dict() -> None:
    table = vmem.Table({"class": "i", "total price": "i", "count": "i", "_fields": "i", "__class__": "i"})
    table.append(1, 2, 3, 4, 5)
    row = table[0]
    assert (getattr(row, "class"), getattr(row, "count")) == (1, 3)  # noqa: B009
    assert row._fields == table.names
    assert row.__class__ is type(row)
    assert row._asdict() == {"class": 1, "total price": 2, "count": 3, "_fields": 4, "__class__": 5}
    assert repr(row) == "Row({'class': 1, 'total price': 2, 'count': 3, '_fields': 4, '__class__': 5})"


def test_tables_of_the_same_names_share_the_class_of_their_rows(table: vmem.Table) -> None:
    other = vmem.Table({"time": "i", "speed": "f"}, capacity=1)
    table.append(1, 2)
    other.append(1, 2)
    assert type(table[0]) is type(other[0])


def test_indices(table: vmem.Table) -> None:
    table.extend([range(10), range(10)])
    assert [table[i].time for i in (0, 9, -1, -10)] == [0, 9, 9, 0]
    for index in (10, -11, sys.maxsize, -sys.maxsize - 1, 2**70, -(2**70)):
        with pytest.raises(IndexError):
            table[index]
    with pytest.raises(KeyError, match="volume"):
        table["volume"]
    for key in (None, 1.5, b"time", ("time", "speed")):
        with pytest.raises(TypeError, match="must be integers, slices or names"):
            table[key]  # type: ignore[call-overload]


def test_iteration_membership_and_patterns(table: vmem.Table) -> None:
    table.extend([range(3), range(3)])
    assert (1, 1.0) in table
    assert (1, 2.0) not in table
    assert list(reversed(table)) == [(2, 2), (1, 1), (0, 0)]
    iterator = iter(table)
    next(iterator)
    table.append(3, 3)
    assert list(iterator) == [(1, 1), (2, 2), (3, 3)]
    match table[:2]:
        case [(0, first), (1, second)]:
            assert (first, second) == (0, 1)
        case _:
            pytest.fail("a view of rows is a sequence")


# --- views of rows ---


def test_a_slice_is_a_view_of_rows(table: vmem.Table) -> None:
    table.extend([range(10), range(10)])
    rows = table[2:5]
    assert rows.names == table.names
    assert len(rows) == 3
    assert list(rows) == [(2, 2), (3, 3), (4, 4)]
    assert rows[-1] == rows[2] == (4, 4)
    assert list(rows[1:]) == [(3, 3), (4, 4)]
    assert rows["time"].tolist() == [2, 3, 4]
    assert rows["time"][1:].tolist() == table["time"][3:5].tolist() == [3, 4]
    for index in (3, -4):
        with pytest.raises(IndexError):
            rows[index]
    assert len(table[20:30]) == len(table[5:2]) == 0
    for step in (2, -1):
        with pytest.raises(ValueError, match=f"with a step of 1, not {step}"):
            table[::step]


def test_views_of_rows_do_not_grow_and_columns_do(table: vmem.Table) -> None:
    table.extend([range(10), range(10)])
    rows, column, end = table[:], table["time"], table[8:]
    table.append(10, 10)
    assert (len(rows), len(column), len(end)) == (10, 11, 2)
    table.clear()
    assert (len(rows), len(column), len(end)) == (0, 0, 0)
    table.append(1, 1)
    assert (list(rows), column.tolist(), list(end)) == ([(1, 1)], [1], [])


def test_views_keep_the_table(table: vmem.Table) -> None:
    made = vmem.Table(COLUMNS, capacity=10)
    made.append(1, 2)
    rows, column = made[:], made["speed"]
    del made
    assert (list(rows), column[0]) == ([(1, 2)], 2)


def test_only_tables_make_columns_and_views() -> None:
    for kind in (vmem.Column, vmem.Rows):
        with pytest.raises(TypeError, match="cannot create"):
            kind()


# --- giving back ---


def test_clear_keeps_the_memory_and_shrink_to_fit_gives_it_back(page: int) -> None:
    table = vmem.Table({"a": "b", "s": "str"}, capacity=10 * page)
    table.extend({"a": bytes(3 * page), "s": ["abc"] * (3 * page)})
    committed = table.map().committed
    table.clear()
    assert (len(table), table.map().committed) == (0, committed)
    table.shrink_to_fit()
    assert table.map().committed == page  # of offsets there is always one
    table.append(1, "x")
    table.shrink_to_fit()
    assert list(table) == [(1, "x")]
    assert table.map().committed == 3 * page


def test_shrink_to_fit_keeps_the_rows(page: int) -> None:
    table = vmem.Table({"a": "q|None", "b": "bytes", "c": "?"}, capacity=100 * page)
    rows = [(None if i % 3 else i, bytes(i % 5), i % 2 == 0) for i in range(page)]
    table.extend([list(each) for each in zip(*rows, strict=True)])
    view, before = table["c"].values, table.map().committed
    for _ in range(3):
        table.shrink_to_fit()
        assert list(table) == rows
    assert table.map().committed <= before
    assert view.tobytes() == table["c"].values.tobytes()
    table.append(1, b"z", True)
    assert list(table) == [*rows, (1, b"z", True)]


def test_clear_is_refused_while_a_column_is_shown(table: vmem.Table) -> None:
    table.append(1, 2)
    views = [memoryview(table["time"]), table["speed"].values]
    with pytest.raises(BufferError, match="this table of 1 rows: 2 views of columns are alive"):
        table.clear()
    views.pop().release()
    with pytest.raises(BufferError, match="1 view of a column is alive"):
        table.clear()
    table.shrink_to_fit()
    assert list(table) == [(1, 2)]
    views.pop().release()
    table.clear()
    assert len(table) == 0


def test_what_was_shown_is_emptied_and_stays_committed(page: int) -> None:
    numpy = pytest.importorskip("numpy")
    table = vmem.Table({"a": "q"}, capacity=100 * page)
    table.extend({"a": [7] * page})
    pointer: Any = numpy.ndarray(page, "q", buffer=table["a"])
    assert pointer.base is not None
    shown = memoryview(table["a"])
    address = numpy.frombuffer(shown, "q").ctypes.data
    shown.release()
    del shown, pointer
    gc.collect()
    table.clear()
    table.shrink_to_fit()
    assert permissions_in(address, 8 * page) == [(0, 8 * page, "rw-p")]


def test_subclasses() -> None:
    class Named(vmem.Table):
        def total(self) -> float:
            return float(sum(self["speed"]))

    table = Named(COLUMNS, capacity=10)
    table.append(1, 2)
    assert table.total() == 2
    table.itself = table  # type: ignore[attr-defined]
    place = table.map()
    del table
    gc.collect()
    assert mappings_in(place.address, place.size) == []


def test_twice_initialized_and_without() -> None:
    table = vmem.Table(COLUMNS, capacity=10)
    table.append(1, 2)
    table.__init__(COLUMNS)  # type: ignore[misc]
    assert list(table) == [(1, 2)]
    with pytest.raises(TypeError):
        vmem.Table.__new__(vmem.Table)  # type: ignore[call-arg]


def test_rows_need_a_maker_of_classes() -> None:
    table = vmem.Table({"a": "i"})
    table.append(1)
    _vmem.set_row_type_maker(lambda names: list)  # type: ignore[arg-type, return-value]
    try:
        row: object = table[0]
        assert row == [1]
    finally:
        _vmem.set_row_type_maker(vmem._make_row_type)
