"""Extending tables: from mappings, sequences and structured arrays; all rows or none."""

from __future__ import annotations

import array
from collections import ChainMap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import vmem

COLUMNS = {"a": "i", "b": "d|None", "c": "?", "d": "str|None", "e": "M8[ms]|None"}
ROWS = [(1, 0.5, True, "x", 5), (2, None, False, None, None), (3, 1.5, True, "größe", 7)]


@pytest.fixture
def table() -> vmem.Table:
    table = vmem.Table(COLUMNS, capacity=100_000)
    for row in ROWS:
        table.append(*row)
    return table


def columns() -> dict[str, list[Any]]:
    return {name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)}


SOURCES: dict[str, Callable[[], Any]] = {
    "mapping": columns,
    "mapping in another order": lambda: dict(reversed(columns().items())),
    "any mapping": lambda: ChainMap(columns()),
    "list": lambda: list(columns().values()),
    "tuple": lambda: tuple(columns().values()),
    "iterators": lambda: {name: iter(items) for name, items in columns().items()},
    "buffers": lambda: {
        "a": array.array("i", [1, 2, 3]),
        "b": [0.5, None, 1.5],
        "c": np.array([True, False, True]),
        "d": ["x", None, "größe"],
        "e": np.array([5, "NaT", 7], "M8[ms]"),
    },
    "other buffers": lambda: {
        "a": np.array([1, 0, 2, 0, 3], ">i2")[::2],
        "b": (each for each in (0.5, None, 1.5)),
        "c": np.array([True, False, False, False, True])[::2],
        "d": np.array(["x", None, "größe"], "O"),
        "e": np.array([5, 0, "NaT", 0, 7], "M8[ms]")[::2],
    },
    "bytes as numbers": lambda: [b"\1\2\3", [0.5, None, 1.5], b"\1\0\1", ["x", None, "größe"], [5, None, 7]],
}


@pytest.mark.parametrize("name", SOURCES)
def test_columns_come_from_many_things(table: vmem.Table, name: str) -> None:
    table.extend(SOURCES[name]())
    assert list(table) == ROWS * 2
    table.extend(SOURCES[name]())
    assert list(table) == ROWS * 3


def test_structured_arrays() -> None:
    dtype = [("t", "M8[us]"), ("x", "<f4"), ("n", ">i8"), ("ok", "?"), ("name", "U5"), ("raw", "S3")]
    records = np.zeros(4, dtype)
    records["t"] = np.arange(4)
    records["x"] = [0.5, 1.5, 2.5, 3.5]
    records["n"] = [1, -2, 3, -4]
    records["ok"] = [True, False, True, False]
    records["name"] = ["a", "größe", "", "b"]
    records["raw"] = [b"a", b"", b"abc", b"b"]
    table = vmem.Table({"t": "M8[us]", "n": "h", "x": "d", "ok": "?", "name": "str", "raw": "bytes"})
    for each in (records, records.view(np.recarray), records[::2], records[:0]):
        table.clear()
        table.extend(each)
        assert list(table) == [
            (
                int(row["t"].astype("i8")),
                int(row["n"]),
                float(row["x"]),
                bool(row["ok"]),
                str(row["name"]),
                bytes(row["raw"]),
            )
            for row in each
        ]
    with pytest.raises(ValueError, match="column 'x' is missing"):
        table.extend(records[["t", "n", "ok", "name", "raw"]])
    with pytest.raises((TypeError, ValueError)):
        table.extend(records.reshape(2, 2))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100, 5000])
def test_bits_at_every_place_of_a_byte(count: int) -> None:
    table = vmem.Table({"x": "?|None"}, capacity=1_000_000)
    model: list[bool | None] = []
    for shift in range(10):
        items = [(i * 7 + shift) % 3 == 0 for i in range(count)]
        table.extend({"x": np.array(items, "?")})
        table.extend({"x": [None if i % 5 == 0 else each for i, each in enumerate(items[:20])]})
        table.append(None)
        model += [*items, *(None if i % 5 == 0 else each for i, each in enumerate(items[:20])), None]
    assert table["x"].tolist() == model


def fail_late(items: list[Any]) -> Iterator[Any]:
    yield from items
    raise KeyError("late")


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no columns": (lambda: 5, TypeError, "extend\\(\\) takes a mapping or sequence"),
    "None": (lambda: None, TypeError, "not NoneType"),
    "text": (lambda: "abcde", TypeError, "not str"),
    "missing": (lambda: {k: v for k, v in columns().items() if k != "d"}, ValueError, "column 'd' is missing"),
    "unknown": (lambda: {**columns(), "f": [1, 2, 3]}, ValueError, "'f' is not a column of this table"),
    "not a name": (lambda: {**columns(), 5: [1, 2, 3]}, ValueError, "5 is not a column"),
    "too few columns": (lambda: [[1], [2]], ValueError, "a table of 5 columns cannot be extended by a sequence of 2"),
    "rows": (lambda: ROWS, ValueError, "not rows"),
    "unequal": (lambda: {**columns(), "c": [True]}, ValueError, "'a' has 3 items, 'c' has 1"),
    "not iterable": (
        lambda: {**columns(), "c": True},
        TypeError,
        "column 'c' must be a buffer or an iterable, not bool",
    ),
    "one text": (lambda: {**columns(), "d": "abc"}, TypeError, "column 'd' must be a buffer or an iterable, not str"),
    "wrong item": (lambda: {**columns(), "a": [1, 2, "3"]}, TypeError, "."),
    "wrong last column": (lambda: {**columns(), "e": [1, 2, 2**63]}, OverflowError, "."),
    "late failure": (lambda: {**columns(), "e": fail_late([1, 2, 3])}, KeyError, "late"),
    "buffer overflow": (lambda: {**columns(), "a": np.array([1, 2, 2**31], "q")}, OverflowError, "maximum|too large"),
    "buffer of floats": (lambda: {**columns(), "a": np.array([1.0, 2, 3])}, TypeError, "."),
    "complex numbers": (lambda: {**columns(), "b": np.array([1j, 2, 3])}, TypeError, "must be real numbers, not compl"),
    "two dimensions": (lambda: {**columns(), "a": np.ones((3, 2), "i")}, TypeError, "."),
    "another unit": (lambda: {**columns(), "e": np.array([1, 2, 3], "M8[s]")}, TypeError, "convert datetime64\\[s\\]"),
    "durations": (lambda: {**columns(), "e": np.array([1, 2, 3], "m8[ms]")}, TypeError, "convert timedelta64"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_failure_adds_no_row(table: vmem.Table, name: str) -> None:
    make, error, match = WRONG[name]
    with pytest.raises(error, match=match):
        table.extend(make())
    assert list(table) == ROWS
    table.append(4, None, False, "y", None)
    assert list(table) == [*ROWS, (4, None, False, "y", None)]


def test_an_iterable_longer_than_the_capacity_has_no_known_length() -> None:
    table = vmem.Table({"x": "b", "y": "b"}, capacity=5)
    for x, y in ((range(10), [1]), ([1], iter(range(10))), (range(10), np.zeros(7, "i1"))):
        with pytest.raises(vmem.OutOfMemoryError, match="capacity of 5 rows to 6"):
            table.extend({"x": x, "y": y})
    with pytest.raises(ValueError, match="'x' has 5 items, 'y' has 4"):
        table.extend({"x": range(5), "y": range(4)})
    assert len(table) == 0


def test_an_iterator_without_end_stops_at_the_capacity() -> None:
    import itertools

    table = vmem.Table({"x": "b"}, capacity=1000)
    with pytest.raises(vmem.OutOfMemoryError, match="capacity of 1000 rows to 1001"):
        table.extend({"x": itertools.repeat(1)})
    assert len(table) == 0


def test_a_table_extended_by_its_own_columns(table: vmem.Table) -> None:
    for _ in range(3):
        rows = list(table)
        table.extend({name: table[name] for name in table.names})
        assert list(table) == rows * 2
        table.extend([table[name][1:] for name in table.names])
        assert list(table) == rows * 2 + (rows * 2)[1:]


def test_long_texts(page: int) -> None:
    table = vmem.Table({"x": "str", "y": "bytes"}, capacity=10)
    texts = ["ä" * 10 * page, "", "b" * 100 * page]
    table.extend([texts, [text.encode() for text in texts]])
    table.append("c" * page, b"d" * page)
    assert table["x"].tolist() == [*texts, "c" * page]
    assert table["y"].tolist() == [*(text.encode() for text in texts), b"d" * page]


def test_large_columns(page: int) -> None:
    table = vmem.Table({"x": "q", "y": "f", "z": "H"}, capacity=1 << 22)
    numbers = np.arange(1 << 21)
    for _ in range(2):
        table.extend({"x": numbers, "y": numbers.astype("f"), "z": numbers.astype("H")})
    assert np.array_equal(np.asarray(table["x"]), np.concatenate([numbers] * 2))
    assert np.array_equal(np.asarray(table["z"]), np.concatenate([numbers] * 2).astype("H"))
