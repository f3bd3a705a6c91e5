"""Columns: every type, None, what they show as buffers, and as arrays of NumPy."""

from __future__ import annotations

import gc
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem

NUMBERS = "bBhHiIlLqQfd"
TIMES = [f"{kind}8[{unit}]" for kind in "Mm" for unit in ("s", "ms", "us", "ns")]

# Some items of each type, with the extremes.
ITEMS: dict[str, list[Any]] = {
    **{
        code: [0, 1, *((2 ** (8 * struct.calcsize(code) - 1) - 1, -(2 ** (8 * struct.calcsize(code) - 1))))]
        if code.islower()
        else [0, 2 ** (8 * struct.calcsize(code)) - 1]
        for code in "bBhHiIlLqQ"
    },
    "f": [0.5, -1.0, float("inf")],
    "d": [0.1, -1e300, float("-inf")],
    "?": [True, False, True],
    **{name: [0, -1, 2**63 - 1] for name in TIMES},
    "str": ["", "a", "größe", "\0", "𝄞" * 100],
    "bytes": [b"", b"a", bytes(range(256))],
}


def make(kind: str, items: list[Any], *, capacity: int = 10_000) -> vmem.Table:
    table = vmem.Table({"x": kind}, capacity=capacity)
    for item in items:
        table.append(item)
    return table


@pytest.mark.parametrize("kind", ITEMS)
def test_items_come_back_as_they_were(kind: str) -> None:
    items = ITEMS[kind] * 5
    for table in (make(kind, items), vmem.Table({"x": kind}, capacity=100)):
        if len(table) == 0:
            table.extend({"x": items})
        column = table["x"]
        assert column.tolist() == list(column) == items
        assert [column[i] for i in range(-len(items), len(items))] == items * 2
        assert column.name == "x"
        assert column.type == kind
        assert [type(each) for each in column] == [type(each) for each in items]


@pytest.mark.parametrize("kind", ITEMS)
def test_none_is_an_item_only_where_it_is_allowed(kind: str) -> None:
    items = [None, *ITEMS[kind], None] * 5
    for table in (make(f"{kind}|None", items), vmem.Table({"x": f"{kind}|None"}, capacity=100)):
        if len(table) == 0:
            table.extend([items])
        assert table["x"].tolist() == items
        assert table["x"].type == f"{kind}|None"
    strict = make(kind, ITEMS[kind])
    message = f"column 'x' does not allow None; one of type '{kind}|None' would"
    with pytest.raises(TypeError, match=re.escape(message)):
        strict.append(None)
    with pytest.raises(TypeError, match="does not allow None"):
        strict.extend({"x": [*ITEMS[kind], None]})
    assert strict["x"].tolist() == ITEMS[kind]


class Index:
    def __index__(self) -> int:
        return 1


# What each kind refuses, and with what.
WRONG: list[tuple[str, Any, type[Exception]]] = [
    ("i", 1.5, TypeError),
    ("i", "1", TypeError),
    ("b", 128, OverflowError),
    ("B", -1, OverflowError),
    ("Q", 2**64, OverflowError),
    ("d", "1", TypeError),
    ("d", 10**400, OverflowError),
    ("?", 2, ValueError),
    ("?", 256, ValueError),
    ("?", "True", TypeError),
    ("?", 1.0, TypeError),
    ("?", b"?", TypeError),
    ("?", np.float64(1), TypeError),
    ("M8[ns]", 1.5, TypeError),
    ("M8[ns]", 2**63, OverflowError),
    ("str", b"a", TypeError),
    ("str", 1, TypeError),
    ("str", "a\ud800", UnicodeEncodeError),
    ("bytes", "a", TypeError),
    ("bytes", 5, TypeError),
    ("bytes", [1, 2], TypeError),
]


@pytest.mark.parametrize(("kind", "item", "error"), WRONG)
def test_wrong_items_are_refused(kind: str, item: Any, error: type[Exception]) -> None:
    for suffix in ("", "|None"):
        table = make(kind + suffix, ITEMS[kind])
        adds: list[Callable[[], None]] = [lambda: table.append(item), lambda: table.extend({"x": [*ITEMS[kind], item]})]  # noqa: B023
        for add in adds:
            with pytest.raises(error) as caught:
                add()
            assert caught.value.__notes__ == [f"in column 'x', of type '{kind}{suffix}'"]
        assert table["x"].tolist() == ITEMS[kind]


def test_what_else_is_converted() -> None:
    assert make("i", [Index(), True, np.int8(5)])["x"].tolist() == [1, 1, 5]
    assert make("d", [1, np.float32(0.5), True])["x"].tolist() == [1.0, 0.5, 1.0]
    assert make("?", [1, 0, np.True_, np.False_, Index()])["x"].tolist() == [True, False, True, False, True]
    assert make("bytes", [bytearray(b"ab"), memoryview(b"abcd")[::2]])["x"].tolist() == [b"ab", b"ac"]
    assert make("str", [np.str_("a")])["x"].tolist() == ["a"]
    assert type(make("str", [np.str_("a")])["x"][0]) is str


# --- as sequences ---


def test_columns_are_sequences() -> None:
    column = make("i", [1, 2, 1, 3])["x"]
    assert column.index(1) == 0
    assert column.index(3) == 3
    assert column.count(1) == 2
    assert 2 in column
    assert 5 not in column
    assert list(reversed(column)) == [3, 1, 2, 1]
    with pytest.raises(ValueError, match="not in column"):
        column.index(7)
    with pytest.raises(IndexError):
        column[4]
    with pytest.raises(TypeError, match="must be integers or slices, not str"):
        column["x"]  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="step of 1, not 2"):
        column[::2]
    assert column[1:-1].tolist() == [2, 1]


# --- as buffers ---


@pytest.mark.parametrize("code", NUMBERS)
def test_numbers_are_read_only_buffers_in_place(code: str) -> None:
    table = make(code, ITEMS[code])
    view = memoryview(table["x"])
    assert view.readonly
    assert (view.format, view.itemsize, view.shape) == (code, struct.calcsize(code), (len(ITEMS[code]),))
    assert view.tolist() == ITEMS[code]
    array = np.asarray(table["x"])
    assert array.dtype == np.dtype(code)
    assert not array.flags.writeable
    address = array.ctypes.data
    table.extend({"x": ITEMS[code] * 1000})
    assert np.asarray(table["x"]).ctypes.data == address
    assert array.tolist() == ITEMS[code]
    assert np.asarray(table["x"][1:]).ctypes.data == address + view.itemsize
    column: Any = table["x"]
    with pytest.raises((BufferError, ValueError)):
        np.frombuffer(column, code).setflags(write=True)


@pytest.mark.parametrize("kind", ["?", "M8[s]", "str", "bytes", "d|None", "?|None"])
def test_others_export_no_buffer(kind: str) -> None:
    column = make(kind, [])["x"]
    with pytest.raises(BufferError, match="exports no buffer, which could not say what it is"):
        memoryview(column)


def test_the_layout_of_values() -> None:
    assert make("?", [True, False, True, True] * 3)["x"].values.tolist() == [0b11011101, 0b1101]
    assert make("M8[s]", [5, 6])["x"].values.tolist() == [5, 6]
    column = make("str|None", ["ab", None, "", "c"])["x"]
    assert column.values.tobytes() == b"abc"
    assert column.offsets is not None
    assert column.offsets.tolist() == [0, 2, 2, 2, 3]
    assert column.validity is not None
    assert column.validity.tolist() == [0b1101]
    assert column[2:].offsets.tolist() == [2, 2, 3]  # type: ignore[union-attr]
    assert column[2:].values.tobytes() == b"abc"
    assert make("d", [1])["x"].offsets is None
    assert make("d", [1])["x"].validity is None
    assert make("d|None", [1.5, None])["x"].values.tolist() == [1.5, 0.0]
    assert make("M8[s]|None", [None])["x"].values.tolist() == [-(2**63)]
    for kind in ITEMS:
        empty = make(f"{kind}|None", [])["x"]
        assert [len(each) for each in (empty.values, empty.validity)] == [0, 0]  # type: ignore[arg-type]


def test_bits_are_shown_from_whole_bytes_on() -> None:
    column = make("?|None", [True] * 20)["x"]
    assert column[8:].values.tolist() == [0xFF, 0x0F]
    shows: list[Callable[[], object]] = [lambda: column[3:].values, lambda: column[3:].validity]
    for show in shows:
        with pytest.raises(ValueError, match="from row 3 on, in the middle of a byte"):
            show()


def test_views_stay_valid_while_the_table_grows(page: int) -> None:
    table = make("q", [1, 2, 3], capacity=1000 * page)
    view = memoryview(table["x"])
    for _ in range(5):
        table.extend({"x": range(20 * page)})
    assert view.tolist() == [1, 2, 3]
    assert memoryview(table["x"])[:3] == view


def test_views_outlive_the_table() -> None:
    view = make("str", ["abc"] * 1000)["x"].values
    array = np.asarray(make("d", [1.5] * 1000)["x"])
    gc.collect()
    assert view.tobytes() == b"abc" * 1000
    assert array.tolist() == [1.5] * 1000


# --- as arrays of NumPy ---


@pytest.mark.parametrize("kind", TIMES)
def test_times_become_arrays_without_a_copy(kind: str) -> None:
    table = make(f"{kind}|None", [5, None, 7])
    array = np.asarray(table["x"])
    assert array.dtype == np.dtype(kind)
    assert array.tobytes() == np.array([5, "NaT", 7], kind).tobytes()
    table.append(8)
    values = np.asarray(table["x"].values)
    assert array.ctypes.data == values.ctypes.data
    with pytest.raises(BufferError):
        table.clear()
    assert np.asarray(make(kind, [1])["x"]).dtype == np.dtype(kind)


def test_others_become_copies() -> None:
    bools = [True, False, False, True] * 5
    table = make("?", bools)
    assert np.asarray(table["x"]).dtype == np.dtype("?")
    for start in range(10):
        assert np.asarray(table["x"][start:]).tolist() == bools[start:]
    assert np.asarray(make("?", [])["x"]).tolist() == []
    copied: dict[str, list[Any]] = {"str": ["a", ""], "d|None": [1.5, None], "?|None": [True, None], "bytes": [b"\0"]}
    for kind, items in copied.items():
        array = np.asarray(make(kind, items)["x"])
        assert array.dtype == np.dtype("O")
        assert array.tolist() == items


def test_dtype_and_copy() -> None:
    table = make("M8[s]", [1, 2])
    column = table["x"]
    assert column.__array__("M8[ms]").dtype == np.dtype("M8[ms]")
    copied = column.__array__(copy=True)
    copied[0] = 7
    assert column.tolist() == [1, 2]
    assert column.__array__(None, copy=False).tobytes() == np.array([1, 2], "M8[s]").tobytes()
    with pytest.raises(ValueError, match="without a copy"):
        make("?", [True])["x"].__array__(copy=False)
    assert make("?", [True])["x"].__array__("i").tolist() == [1]
    with pytest.raises(TypeError, match="unexpected keyword"):
        column.__array__(order="C")  # type: ignore[call-arg]


def test_what_keeps_a_pointer_alone_never_loses_the_memory() -> None:
    """np.frombuffer() keeps the buffer only of objects that can release one."""
    table = make("d", [1.5, 2.5])
    column: Any = table["x"]
    array = np.frombuffer(column, "d")
    with pytest.raises(BufferError):
        table.clear()
    del table, column
    gc.collect()
    assert array.tolist() == [1.5, 2.5]
