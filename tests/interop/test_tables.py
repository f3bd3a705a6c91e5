"""Tables in pyarrow, Polars, DuckDB and pandas: what is read in place, what is copied, and what comes back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import vmem

COLUMNS = {
    **{f"n{code}": code for code in "bBhHiIlLqQfd"},
    "bool": "?",
    "text": "str",
    "raw": "bytes",
    **{f"{kind}{unit}": f"{kind}8[{unit}]" for kind in "Mm" for unit in ("s", "ms", "us", "ns")},
}
NULLABLE = {name: f"{kind}|None" for name, kind in COLUMNS.items()}


def make_row(number: int, columns: dict[str, str]) -> tuple[Any, ...]:
    """Row 5 of nullable columns has no item at all, and others miss some."""

    def item(index: int, kind: str) -> Any:
        if kind.endswith("|None") and (number == 5 or (number + index) % 7 == 0):
            return None
        if kind.startswith("?"):
            return (number + index) % 3 == 0
        if kind.startswith("str"):
            return "größe" * (number % 5)
        if kind.startswith("bytes"):
            return b"\0\xff" * (number % 9)
        return number % 100 / (2 if kind[0] in "fd" else 1)

    return tuple(
        each if each is None or isinstance(each, (str, bytes, bool)) or kind[0] in "fd" else int(each)
        for kind, each in ((kind, item(index, kind)) for index, kind in enumerate(columns.values()))
    )


def make_table(columns: dict[str, str], num_rows: int = 1000) -> tuple[vmem.Table, list[tuple[Any, ...]]]:
    table = vmem.Table(columns, capacity=1 << 20)
    rows = [make_row(number, columns) for number in range(num_rows)]
    for row in rows:
        table.append(*row)
    return table, rows


def address_of(table: vmem.Table, name: str) -> int:
    return int(np.asarray(table[name].values).ctypes.data)


# --- pyarrow ---


@pytest.mark.parametrize("columns", [COLUMNS, NULLABLE])
@pytest.mark.parametrize("num_rows", [0, 1, 7, 8, 1000])
def test_pyarrow_reads_in_place(columns: dict[str, str], num_rows: int) -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    table, rows = make_table(columns, num_rows)
    taken = arrow.table(table)
    taken.validate(full=True)
    assert taken.schema == arrow.schema(table)
    assert taken.num_rows == num_rows
    for name in columns:
        assert [raw(each) for each in taken[name]] == table[name].tolist()
        if num_rows:
            assert taken[name].chunk(0).buffers()[-1].address == address_of(table, name)
    for start, stop in ((1, 3), (3, 100), (5, 6), (1000, 1000)):
        part = arrow.table(table[start:stop])
        part.validate(full=True)
        for name in columns:
            assert [raw(each) for each in part[name]] == table[name][start:stop].tolist()
            assert [raw(each) for each in arrow.array(table[name][start:stop])] == table[name][start:stop].tolist()
    table.append(*make_row(3, columns))
    taken.validate(full=True)
    assert taken.num_rows == len(rows)
    if num_rows:
        with pytest.raises(BufferError):
            table.clear()
    del taken, part
    table.clear()


def raw(scalar: Any) -> Any:
    """What a scalar of Arrow is, with times as ints."""
    return getattr(scalar, "value", None) if hasattr(scalar, "value") else scalar.as_py()


def test_arrow_data_outlives_the_table_and_goes_through_ipc() -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    table, rows = make_table(NULLABLE, 100)
    taken = arrow.table(table)
    del table
    gc.collect()
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, taken.schema) as writer:
        writer.write_table(taken)
    again = arrow.ipc.open_stream(sink.getvalue()).read_all()
    assert again.equals(taken)
    made = vmem.Table(NULLABLE)
    made.extend(again)
    assert list(made) == rows


@pytest.mark.parametrize("columns", [COLUMNS, NULLABLE])
def test_what_arrow_was_handed_comes_back(columns: dict[str, str]) -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    table, rows = make_table(columns, 100)
    taken = arrow.table(table)
    texts = {"text": arrow.string(), "raw": arrow.binary()}
    views = {"text": arrow.string_view(), "raw": arrow.binary_view()}

    def cast(types: dict[str, Any]) -> Any:
        return taken.cast(arrow.schema([each.with_type(types.get(each.name, each.type)) for each in taken.schema]))

    sources = (taken, cast(texts), cast(views), arrow.concat_tables([taken[:3], taken[3:50], taken[50:]]))
    for source in (*sources, taken.to_reader(max_chunksize=9), taken.to_batches()[0], table, table[:]):
        made = vmem.Table(columns)
        made.extend(source)
        assert list(made) == rows
        made.extend(made)
        assert list(made) == rows * 2


REFUSED: dict[str, tuple[str, Callable[[Any], Any], type[Exception]]] = {
    "rounded integers": ("d", lambda arrow: arrow.array([2**53 + 1]), ValueError),
    "rounded floats": ("f", lambda arrow: arrow.array([0.1]), ValueError),
    "floats for integers": ("i", lambda arrow: arrow.array([1.0]), TypeError),
    "too large": ("b", lambda arrow: arrow.array([128]), OverflowError),
    "negative": ("B", lambda arrow: arrow.array([-1]), OverflowError),
    "None": ("i", lambda arrow: arrow.array([1, None]), ValueError),
    "numbers for bools": ("?", lambda arrow: arrow.array([1]), TypeError),
    "numbers for texts": ("str", lambda arrow: arrow.array([1]), TypeError),
    "bytes for texts": ("str", lambda arrow: arrow.array([b"a"]), TypeError),
    "categories": ("str", lambda arrow: arrow.array(["a"]).dictionary_encode(), TypeError),
    "a time zone": ("M8[s]", lambda arrow: arrow.array([1], arrow.timestamp("s", "UTC")), TypeError),
    "durations for times": ("M8[s]", lambda arrow: arrow.array([1], arrow.duration("s")), TypeError),
    "dates": ("M8[s]", lambda arrow: arrow.array([1], arrow.date32()), TypeError),
    "times for integers": ("q", lambda arrow: arrow.array([1], arrow.timestamp("s")), TypeError),
    "decimals": ("d", lambda arrow: arrow.array([1], arrow.decimal128(5)), TypeError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_something_is_refused(name: str) -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    kind, make, error = REFUSED[name]
    table = vmem.Table({"x": kind})
    with pytest.raises(error):
        table.extend(arrow.table({"x": make(arrow)}))
    assert len(table) == 0


def test_what_would_lose_nothing_is_converted() -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    for kind, items in {"f": [0.5, float("nan"), 2.0**100], "d": [2**53, -5], "b": [1, -1], "Q": [2**63 - 1]}.items():
        table = vmem.Table({"x": kind})
        table.extend(arrow.table({"x": arrow.array(items)}))
        np.testing.assert_array_equal(np.asarray(table["x"]), np.array(items, kind))
    with pytest.raises(TypeError, match="not of single columns"):
        vmem.Table({"x": "q"}).extend(arrow.chunked_array([[1]]))


def test_exports_of_many_threads() -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    table, _ = make_table(NULLABLE, 10)
    errors: list[BaseException] = []

    def export() -> None:
        try:
            for number in range(200):
                taken = arrow.table(table)
                taken.validate(full=True)
                table.append(*make_row(number, NULLABLE))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=export) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not errors
    assert len(table) == 810
    gc.collect()
    table.clear()


# --- columns ---


@pytest.mark.parametrize("columns", [COLUMNS, NULLABLE])
@pytest.mark.parametrize("num_chunks", [0, 1, 3])
def test_columns_of_arrow(columns: dict[str, str], num_chunks: int) -> None:
    """Arrays, chunked arrays whose chunks differ from column to column, and slices of them."""
    arrow: Any = pytest.importorskip("pyarrow")
    table, rows = make_table(columns)
    source = arrow.table(table)
    found = {name: source[name].combine_chunks() for name in columns}
    if num_chunks > 0:
        found = {
            name: arrow.chunked_array(
                [each[:k], each[k : k + 99], each[:0], each[k + 99 :]][:num_chunks] or [], each.type
            )
            for k, (name, each) in enumerate(found.items(), start=1)
        }
    if num_chunks == 1:
        found = {name: each.slice(0, 1) for name, each in found.items()}
    found = {name: each[:100] for name, each in found.items()}
    made = vmem.Table(columns, capacity=1 << 20)
    made.extend(found)
    count = 1 if num_chunks == 1 else 100
    assert list(made) == rows[:count]
    made.extend(list(found.values()))
    made.extend({name: each[1:] for name, each in found.items()})
    assert list(made) == rows[:count] * 2 + rows[1:count]


def test_columns_that_arrow_cannot_give_without_loss() -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    table = vmem.Table({"a": "b|None", "s": "str"})
    table.append(1, "x")
    for wrong in (
        {"a": arrow.array([1, 300]), "s": arrow.array(["x", "y"])},
        {"a": arrow.array([1, 2]), "s": arrow.array(["x", None])},
        {"a": arrow.array([1, 2]), "s": arrow.array([b"x", b"y"])},
        {"a": arrow.array(["x", "y"]), "s": arrow.array(["x", "y"])},
        {"a": arrow.array([{"x": 1}, {"x": 2}]), "s": arrow.array(["x", "y"])},
        {"a": arrow.array([1, 2]), "s": arrow.array(["x", "y"]).dictionary_encode()},
        {"a": arrow.array([1, 2]), "s": arrow.array(["x", "y", "z"])},
    ):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            table.extend(wrong)
    assert list(table) == [(1, "x")]
    table.extend({"a": arrow.nulls(2), "s": arrow.array(["y", "z"], arrow.string_view())})
    table.extend({"a": arrow.array([5]), "s": ["mixed"]})
    assert list(table)[1:] == [(None, "y"), (None, "z"), (5, "mixed")]


@pytest.mark.parametrize("columns", [COLUMNS, NULLABLE])
def test_columns_of_tables(columns: dict[str, str]) -> None:
    table, rows = make_table(columns)
    made = vmem.Table(columns, capacity=1 << 20)
    made.extend({name: table[name] for name in columns})
    made.extend([table[name][5:50] for name in columns])
    assert list(made) == rows + rows[5:50]
    made.extend({name: made[name] for name in columns})
    assert list(made) == (rows + rows[5:50]) * 2
    made.clear()  # nothing is held
    del table
    gc.collect()


def test_series_of_polars() -> None:
    polars: Any = pytest.importorskip("polars")
    table = vmem.Table({"a": "i", "s": "str|None", "t": "M8[us]", "b": "?|None"})
    series = {
        "a": polars.Series([1, 2, 3], dtype=polars.Int16),
        "s": polars.concat([polars.Series(["größe", None]), polars.Series(["a text that is long"])], rechunk=False),
        "t": polars.Series([5, 6, 7]).cast(polars.Datetime("ms")),
        "b": polars.Series([True, None, False]),
    }
    table.extend(series)
    assert list(table) == [(1, "größe", 5000, True), (2, None, 6000, None), (3, "a text that is long", 7000, False)]


def test_series_of_pandas() -> None:
    """Those of NumPy's types are arrays: NaN is a number. Others are Arrow data where pandas gives it."""
    pandas: Any = pytest.importorskip("pandas")
    table = vmem.Table({"x": "d", "t": "M8[ns]|None", "n": "i"})
    times = pandas.Series(pandas.to_datetime(["2020-01-01", None]).astype("M8[ns]"))
    table.extend({"x": pandas.Series([0.5, float("nan")]), "t": times, "n": pandas.Series([1, 2], dtype="int16")})
    assert table["x"][0] == 0.5
    assert np.isnan(table["x"][1])
    assert table["t"].tolist() == [1577836800 * 10**9, None]
    table.append(1.0, pandas.NaT, 3)
    assert table[-1] == (1.0, None, 3)
    missing = vmem.Table({"n": "q|None", "s": "str|None"})
    if hasattr(pandas.Series, "__arrow_c_stream__"):
        missing.extend({"n": pandas.Series([1, None], dtype="Int64"), "s": pandas.Series(["x", None], dtype="string")})
        assert list(missing) == [(1, "x"), (None, None)]
    with pytest.raises(TypeError):
        missing.append(pandas.NA, None)


class NotIterated(vmem.Table):
    """No library may take it row by row."""

    def __iter__(self) -> Any:
        raise AssertionError

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError


TAKERS: dict[str, Callable[[Any, Any], int]] = {
    "polars.DataFrame": lambda polars, table: polars.DataFrame(table).height,
    "polars.from_arrow": lambda polars, table: len(polars.from_arrow(table)),
    "pyarrow.table": lambda arrow, table: arrow.table(table).num_rows,
    "pyarrow.RecordBatchReader": lambda arrow, table: arrow.RecordBatchReader.from_stream(table).read_all().num_rows,
    "duckdb.from_arrow": lambda duckdb, table: duckdb.from_arrow(table).count("*").fetchall()[0][0],
    "duckdb.sql": lambda duckdb, rows: duckdb.sql("select count(*) from rows").fetchall()[0][0],
    "pandas.DataFrame": lambda pandas, table: len(pandas.DataFrame.from_arrow(table)),
}


@pytest.mark.parametrize("name", TAKERS)
def test_no_library_takes_a_table_row_by_row(name: str) -> None:
    library: Any = pytest.importorskip(name.split(".", maxsplit=1)[0])
    if name == "pandas.DataFrame" and not hasattr(library.DataFrame, "from_arrow"):
        pytest.skip("pandas older than 3 goes through pyarrow")
    table = NotIterated(NULLABLE)
    table.extend(make_table(NULLABLE)[0])
    assert not isinstance(table, Sequence)
    assert TAKERS[name](library, table) == 1000


# --- Polars ---


@pytest.mark.parametrize("columns", [COLUMNS, NULLABLE])
def test_polars_reads_numbers_in_place(columns: dict[str, str]) -> None:
    polars: Any = pytest.importorskip("polars")
    unsupported = {"Ms", "ms"}  # Polars has no seconds: it converts them
    table, rows = make_table(columns)
    frame = polars.DataFrame(table)
    assert frame.shape == (len(rows), len(columns))
    for name in ("nd", "nb", "nq"):
        values = frame[name].to_physical().fill_null(0) if columns is NULLABLE else frame[name].to_physical()
        assert values.to_list() == [each or 0 for each in table[name]]
    if columns is COLUMNS:
        for name in (*(each for each in columns if each.startswith("n")), "Mms", "Mus", "Mns", "mus"):
            assert frame[name].to_physical().to_numpy(allow_copy=False).ctypes.data == address_of(table, name)
    for name in set(columns) - unsupported:
        assert frame[name].to_physical().to_list() == table[name].tolist()
    table.append(*make_row(3, columns))
    assert len(frame) == len(rows)
    made = vmem.Table({name: kind for name, kind in columns.items() if name not in unsupported})
    made.extend(frame.drop(*unsupported))
    assert made["text"].tolist() == table["text"][:-1].tolist()


def test_a_column_becomes_a_series_of_polars_in_place() -> None:
    polars: Any = pytest.importorskip("polars")
    table, _ = make_table(COLUMNS)
    series = polars.Series(table["nd"])
    assert series.dtype == polars.Float64
    assert series.to_numpy(allow_copy=False).ctypes.data == address_of(table, "nd")
    assert polars.Series(table["text"]).to_list() == table["text"].tolist()


# --- DuckDB ---

QUERIED = "count(*), count(nd), sum(nd), sum(nq), count(text), max(length(text))"


def test_duckdb_queries_while_the_table_grows() -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    table, rows = make_table(NULLABLE)
    for _ in range(3):
        found = duckdb.from_arrow(table).aggregate(QUERIED).fetchall()
        numbers = [each for each in table["nd"] if each is not None]
        texts = [each for each in table["text"] if each is not None]
        assert found == [
            (
                len(table),
                len(numbers),
                sum(numbers),
                sum(each for each in table["nq"] if each is not None),
                len(texts),
                max(map(len, texts)),
            )
        ]
        table.extend(table[:500])
    assert len(rows) < len(table)


def test_duckdb_finds_a_table_by_the_name_of_its_variable() -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    telemetry = vmem.Table({"speed": "d", "lap": "i"})
    telemetry.extend([[1.0, 2.0, 3.0], [1, 1, 2]])
    query = "select lap, avg(speed) from telemetry group by lap order by lap"
    assert duckdb.sql(query).fetchall() == [(1, 1.5), (2, 3.0)]
    telemetry.append(5.0, 2)
    assert duckdb.sql(query).fetchall() == [(1, 1.5), (2, 4.0)]
    made = vmem.Table({"lap": "i", "speed": "d|None"})
    result = duckdb.sql("select lap, sum(speed) as speed from telemetry group by lap order by lap")
    made.extend(result.to_arrow_table() if hasattr(result, "to_arrow_table") else result.arrow())
    assert list(made) == [(1, 3.0), (2, 8.0)]


# --- pandas ---


def test_pandas_goes_through_pyarrow() -> None:
    pandas: Any = pytest.importorskip("pandas")
    arrow: Any = pytest.importorskip("pyarrow")
    table, rows = make_table(COLUMNS)
    frame = arrow.table(table).to_pandas()
    assert len(frame) == len(rows)
    assert frame["nd"].tolist() == table["nd"].tolist()
    assert frame["Mns"].dtype == np.dtype("M8[ns]")
    assert frame["text"].tolist() == table["text"].tolist()
    made = vmem.Table({"nd": "d", "Mns": "M8[ns]", "text": "str|None", "nb": "b"})
    made.extend(frame[["nd", "Mns", "text", "nb"]])
    assert made["nd"].tolist() == table["nd"].tolist()
    assert made["Mns"].tolist() == table["Mns"].tolist()
    assert pandas.Series(table["nd"], copy=False).to_numpy().ctypes.data == address_of(table, "nd")
    made.extend({name: frame[name] for name in made.names})
    assert len(made) == 2 * len(rows)


# --- nanoarrow ---


def test_nanoarrow_validates() -> None:
    nanoarrow: Any = pytest.importorskip("nanoarrow")
    for columns in (COLUMNS, NULLABLE):
        table, rows = make_table(columns)
        with nanoarrow.ArrayStream(table) as stream:
            batches = list(stream)
        assert sum(len(each) for each in batches) == len(rows)
        assert nanoarrow.Array(table["nd"]).to_pylist() == table["nd"].tolist()
