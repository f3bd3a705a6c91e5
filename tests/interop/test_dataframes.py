"""pandas, Polars and nanoarrow: which calls share the memory of an array, and which copy it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem

TYPECODES = "bBhHiIlLqQfd"


@pytest.fixture
def made() -> vmem.Array[float]:
    return vmem.Array("f", range(1000), capacity=1 << 20)


def check_shares(series: Any, made: vmem.Array[Any], *, address: int) -> None:
    """Checks that a series sees the array, holds it, and does not keep it from growing."""
    assert address == made.buffer_info()[0]
    made.extend([1] * 100_000)
    made[0] = 7
    assert (series[0], len(series)) == (7, 1000)
    with pytest.raises(BufferError):
        made.clear()


# --- pandas ---


@pytest.mark.parametrize("typecode", TYPECODES)
def test_a_series_of_pandas_shares_the_memory(typecode: str) -> None:
    pandas: Any = pytest.importorskip("pandas")
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2, 3] + 997 * [4])
    series = pandas.Series(made, copy=False)
    assert series.dtype == np.dtype(typecode)
    check_shares(series, made, address=series.to_numpy().ctypes.data)
    del series
    made.clear()


def test_a_frame_of_pandas_copies_unless_told_not_to(made: vmem.Array[float]) -> None:
    """Its columns have the type of the array either way."""
    pandas: Any = pytest.importorskip("pandas")
    copied = pandas.DataFrame({"x": made})["x"]
    assert (copied.dtype, copied.to_numpy().ctypes.data != made.buffer_info()[0]) == (np.float32, True)
    shared = pandas.DataFrame({"x": made}, copy=False)["x"]
    assert shared.dtype == np.float32
    check_shares(shared, made, address=shared.to_numpy().ctypes.data)
    del shared
    made.clear()


# --- Polars ---


def address_in_polars(series: Any) -> int:
    return int(series.to_arrow().buffers()[1].address)


POLARS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "Series": lambda polars, arrow, made: polars.Series("x", arrow.array(made)),
    "from_arrow": lambda polars, arrow, made: polars.from_arrow(arrow.array(made)),
    "DataFrame": lambda polars, arrow, made: polars.DataFrame({"x": arrow.array(made)})["x"],
}


@pytest.mark.parametrize("name", POLARS)
def test_polars_shares_the_memory_of_a_column_of_pyarrow(name: str, made: vmem.Array[float]) -> None:
    polars: Any = pytest.importorskip("polars")
    arrow: Any = pytest.importorskip("pyarrow")
    series = POLARS[name](polars, arrow, made)
    assert series.dtype == polars.Float32
    check_shares(series, made, address=address_in_polars(series))
    del series
    made.clear()


class Column:
    """An array as what is an Arrow array and nothing else."""

    def __init__(self, made: vmem.Array[Any]) -> None:
        self.__arrow_c_array__ = made.__arrow_c_array__


@pytest.mark.parametrize("typecode", TYPECODES)
def test_polars_shares_the_memory_of_what_is_no_sequence(typecode: str) -> None:
    polars: Any = pytest.importorskip("polars")
    made: vmem.Array[Any] = vmem.Array(typecode, 1000 * [4])
    series = polars.Series("x", Column(made))
    assert series.dtype == polars.Series(np.asarray(made)).dtype
    assert series.to_list() == made.tolist()
    check_shares(series, made, address=address_in_polars(series))
    del series
    made.clear()


def test_polars_takes_an_array_item_by_item(made: vmem.Array[float]) -> None:
    """The docs warn of this: it asks for a sequence before it asks for Arrow. The warning can go when that changes."""
    polars: Any = pytest.importorskip("polars")
    for series in (polars.Series("x", made), polars.from_arrow(made), polars.DataFrame({"x": made})["x"]):
        assert series.dtype == polars.Float64
    made.clear()


# --- nanoarrow ---


@pytest.mark.parametrize("num_items", [0, 1, 1000])
@pytest.mark.parametrize("typecode", TYPECODES)
def test_nanoarrow_finds_nothing_wrong(typecode: str, num_items: int) -> None:
    nanoarrow: Any = pytest.importorskip("nanoarrow")
    made: vmem.Array[Any] = vmem.Array(typecode, num_items * [4])
    array = nanoarrow.c_array(made).view()
    assert (array.length, array.null_count, array.offset, array.n_buffers) == (num_items, 0, 0, 2)
    assert np.asarray(array.buffer(1)).tolist() == made.tolist()
    assert np.asarray(array.buffer(1)).dtype == np.dtype(typecode)
    assert not nanoarrow.Array(made).schema.nullable
    del array
    made.clear()
