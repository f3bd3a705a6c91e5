"""What is missing: NaT, and what numpy.ma masks, is None, or refused where a column does not allow it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem

UNITS = ["s", "ms", "us", "ns"]
NOT_A_TIME = -(2**63)

NO_NAT = "^column 'x' does not allow NaT, which becomes None; one of type '.*\\|None' would"
NO_NONE = "^column 'x' does not allow None; one of type '.*\\|None' would"

# --- NaT ---

NATS: dict[str, Callable[[Any, str], Any]] = {
    "scalar": lambda kind, unit: kind("NaT", unit),
    "without a unit": lambda kind, unit: kind("NaT"),
    "of another unit": lambda kind, unit: kind("NaT", "D"),
    "number": lambda kind, unit: NOT_A_TIME,
    "number of NumPy": lambda kind, unit: np.int64(NOT_A_TIME),
}


@pytest.mark.parametrize("name", NATS)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("code", "kind"), [("M8", np.datetime64), ("m8", np.timedelta64)])
def test_nat_as_an_item(name: str, unit: str, code: str, kind: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of newer NumPy, where there is no unit
        nat = NATS[name](kind, unit)
    table = vmem.Table({"x": f"{code}[{unit}]|None"})
    table.append(nat)
    table.extend({"x": [5, nat, None, 7]})
    assert table["x"].tolist() == [None, 5, None, None, 7]
    assert np.isnat(np.asarray(table["x"])).tolist() == [True, False, True, True, False]
    table = vmem.Table({"x": f"{code}[{unit}]"})
    calls: list[Any] = [lambda: table.append(nat), lambda: table.extend({"x": [5, nat]})]
    for call in calls:
        with pytest.raises(ValueError, match=NO_NAT):
            call()
    assert len(table) == 0


@pytest.mark.parametrize("unit", UNITS)
def test_nat_in_arrays(unit: str) -> None:
    times = np.array([1, "NaT", 3, 4, 5, 6, 7, 8, "NaT", 10], f"M8[{unit}]")
    expected = [1, None, 3, 4, 5, 6, 7, 8, None, 10]
    fields = np.zeros(len(times), [("x", times.dtype)])
    fields["x"] = times
    sources: list[Any] = [times, times.view("i8"), times.view("i8").data, list(times), tuple(times)]
    each_of: list[Any] = [*({"x": each} for each in sources), fields]
    for source in each_of:
        table = vmem.Table({"x": f"M8[{unit}]|None"})
        for _ in range(2):
            table.extend(source)
        assert table["x"].tolist() == expected * 2
        table = vmem.Table({"x": f"M8[{unit}]"})
        with pytest.raises(ValueError, match=NO_NAT):
            table.extend(source)
        assert len(table) == 0


def test_times_of_numpy_as_items() -> None:
    """With the column's unit, as in arrays."""
    table = vmem.Table({"x": "M8[ms]", "y": "m8[us]|None"})
    table.append(np.datetime64(5, "ms"), np.timedelta64(6, "us"))
    table.extend({"x": [np.datetime64(7, "ms"), 8], "y": [np.timedelta64(9, "us"), np.timedelta64("NaT", "us")]})
    assert list(table) == [(5, 6), (7, 9), (8, None)]
    with pytest.raises(TypeError, match="column 'x' has type 'M8\\[ms\\]': convert datetime64\\[s\\] with astype"):
        table.append(np.datetime64(5, "s"), None)
    with pytest.raises(TypeError, match="convert timedelta64\\[ms\\]"):
        table.append(np.timedelta64(5, "ms"), None)
    for wrong in ("NaT", 1.5, b"NaT", object()):
        with pytest.raises(TypeError):
            table.append(wrong, None)
    assert len(table) == 3


def test_texts_that_name_nothing_are_not_missing() -> None:
    class Named:
        def __str__(self) -> str:
            raise KeyError("no text")

    table = vmem.Table({"x": "M8[s]|None", "s": "str|None"})
    table.append(None, "NaT")
    with pytest.raises(KeyError, match="no text"):
        table.append(Named(), None)
    assert list(table) == [(None, "NaT")]


# --- masks ---

MASKED: dict[str, tuple[str, Any, list[Any]]] = {
    "doubles": ("d", np.ma.array([0.5, 1.5, np.nan], mask=[False, True, True]), [0.5, None, None]),
    "floats": ("f", np.ma.array([0.5, 1.5], "f", mask=[True, False]), [None, 1.5]),
    "integers": ("q", np.ma.array([1, 2, 3], "q", mask=[False, True, False]), [1, None, 3]),
    "other integers": ("i", np.ma.array([1, 2, 3], ">h", mask=[False, True, False])[::2], [1, 3]),
    "bools": ("?", np.ma.array([True, False, True], mask=[False, False, True]), [True, False, None]),
    "texts": ("str", np.ma.array(["a", "b"], mask=[True, False]), [None, "b"]),
    "bytes": ("bytes", np.ma.array([b"a", b"b"], mask=[True, False]), [None, b"b"]),
    "objects": ("str", np.ma.array(["a", "b"], "O", mask=[True, False]), [None, "b"]),
    "times": ("M8[us]", np.ma.array([1, 2, 3], "M8[us]", mask=[False, True, False]), [1, None, 3]),
    "NaT": ("M8[ns]", np.ma.array([1, "NaT", 3], "M8[ns]", mask=[True, False, False]), [None, None, 3]),
    "durations": ("m8[s]", np.ma.array([1, 2], "m8[s]", mask=[False, True]), [1, None]),
    "nothing masked": ("d", np.ma.array([0.5, 1.5]), [0.5, 1.5]),
    "no items": ("d", np.ma.array([], "d"), []),
}


@pytest.mark.parametrize("name", MASKED)
def test_what_is_masked(name: str) -> None:
    code, array, expected = MASKED[name]
    table = vmem.Table({"x": f"{code}|None"})
    for source in ({"x": array}, [array], {"x": list(array)} if "M8" not in code and "m8" not in code else [array]):
        table.clear()
        table.extend(source)
        assert table["x"].tolist() == expected
    table = vmem.Table({"x": code})
    if None in expected:
        with pytest.raises((TypeError, ValueError), match=f"{NO_NONE}|{NO_NAT}"):
            table.extend({"x": array})
        expected = []
    else:
        table.extend({"x": array})
    assert table["x"].tolist() == expected


def test_masked_items_of_append() -> None:
    table = vmem.Table({"x": "d|None", "n": "q|None", "s": "str|None", "b": "?|None", "t": "M8[s]|None"})
    table.append(*[np.ma.masked] * 5)
    table.append(np.ma.array(1.5), np.ma.array(5), np.ma.array("a"), np.ma.array(True), np.ma.masked)
    assert list(table) == [(None,) * 5, (1.5, 5, "a", True, None)]
    plain = vmem.Table({"x": "d"})
    with pytest.raises(TypeError, match=NO_NONE):
        plain.append(np.ma.masked)
    with pytest.raises(TypeError, match=NO_NONE):
        plain.append(np.ma.array(0.5, mask=True))
    assert len(plain) == 0


def test_masked_records() -> None:
    records: Any = np.ma.array([(1, 0.5), (2, 1.5)], [("n", "i"), ("x", "d")], mask=[(False, True), (True, False)])
    table = vmem.Table({"x": "d|None", "n": "i|None"})
    table.extend(records)
    assert list(table) == [(None, 1), (1.5, None)]


def test_two_dimensions_are_refused() -> None:
    table = vmem.Table({"x": "d|None"})
    wrongs: list[Any] = [np.ma.ones((2, 2)), np.ma.array(5.0)]
    for wrong in wrongs:
        with pytest.raises(TypeError):
            table.extend({"x": wrong})
    assert len(table) == 0


class Lying(np.ma.MaskedArray[Any, Any]):
    """Its items are whatever the test says."""

    items: Any = None

    def tolist(self, fill_value: Any = None) -> Any:
        return self.items(self) if callable(self.items) else self.items


@pytest.mark.parametrize(
    "items", [lambda array: array, 5, "abc", lambda array: 1 / 0, [[1.0]], [object()]], ids=range(6)
)
def test_masked_arrays_that_lie(items: Any) -> None:
    array = np.ma.array([1.0, 2.0], mask=[True, False]).view(Lying)
    array.items = items
    table = vmem.Table({"x": "d|None"})
    calls: list[Any] = [lambda: table.extend({"x": array}), lambda: table.append(array)]
    for call in calls:
        try:
            call()
        except (TypeError, ZeroDivisionError):
            assert len(table) == 0
        table.clear()


def test_attributes_that_lie() -> None:
    """A dtype that is none, or that raises, and one of NumPy on what is no array."""

    class Odd:
        def __init__(self, dtype: Any) -> None:
            self.made = dtype

        @property
        def dtype(self) -> Any:
            return self.made()

        def __iter__(self) -> Any:
            return iter([5])

    table = vmem.Table({"x": "q", "t": "M8[s]"})
    table.extend([Odd(lambda: 5), Odd(lambda: "datetime64[s]")])
    assert list(table) == [(5, 5)]
    with pytest.raises(ZeroDivisionError):
        table.extend([Odd(lambda: 1 / 0), [1]])
    with pytest.raises(TypeError):
        table.extend([Odd(lambda: np.dtype("q")), [1]])
    with pytest.raises(TypeError, match="convert datetime64\\[ns\\]"):
        table.extend([[1], Odd(lambda: np.dtype("M8[ns]"))])
    assert len(table) == 1


# --- what else is converted ---


def test_bytes_of_whatever_exports_some() -> None:
    """As in bytes(x) and file.write(x): the bytes of numbers too."""
    import array

    sources = [
        b"ab",
        bytearray(b"ab"),
        memoryview(b"axb")[::2],
        array.array("H", [1, 2]),
        np.arange(3.0),
        np.float64(1),
    ]
    table = vmem.Table({"x": "bytes"})
    for each in sources:
        table.append(each)
    table.extend({"x": sources})
    numbers: list[Any] = sources[3:]
    expected = [b"ab", b"ab", b"ab", *map(bytes, numbers)]
    assert table["x"].tolist() == expected * 2
    for wrong in (5, "text", [1, 2], object()):
        with pytest.raises(TypeError, match="an item must be a bytes-like object"):
            table.append(wrong)


@pytest.mark.parametrize("number", [2, -1, 300, 10**30, -(10**30)])
def test_numbers_that_are_no_bools_are_named(number: int) -> None:
    table = vmem.Table({"x": "?"})
    with pytest.raises(ValueError, match=f"^an item must be a bool, 0 or 1, not {number}(\n|$)"):
        table.append(number)
    assert len(table) == 0


def list_offsets(column: vmem.Column) -> list[int]:
    assert column.offsets is not None
    return column.offsets.tolist()


def test_offsets_of_no_texts() -> None:
    """Arrow has one offset more than there are texts."""
    table = vmem.Table({"x": "str"}, capacity=10)
    offsets = table["x"].offsets
    assert offsets is not None
    assert (offsets.tolist(), offsets.format, offsets.readonly) == ([0], "q", True)
    table.extend([["ab", "c", "d"]])
    assert list_offsets(table["x"]) == [0, 2, 3, 4]
    assert list_offsets(table["x"][2:]) == [3, 4]
    assert list_offsets(table["x"][2:2]) == [3]
    assert list_offsets(table["x"][5:]) == [4]
    assert list_offsets(table["x"][:0]) == [0]
    table.clear()
    assert list_offsets(table["x"]) == [0]


def test_one_column_is_not_a_table() -> None:
    table = vmem.Table({"x": "q", "y": "q"})
    table.append(1, 2)
    column: Any = table["x"]
    with pytest.raises(ValueError, match="by a sequence of 1; it takes the items of each column, as \\{name: items\\}"):
        table.extend(column)
    table.append(3, 4)
    with pytest.raises(TypeError, match="the items of column 'x' must be a buffer or an iterable, not int"):
        table.extend(column)
    assert len(table) == 2
