"""PyArrow: columns, buffers and tables over regions and arrays share their memory, and pin it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem

arrow: Any = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.compute")

TYPES: dict[str, Callable[[], Any]] = {
    "b": arrow.int8,
    "B": arrow.uint8,
    "h": arrow.int16,
    "H": arrow.uint16,
    "i": arrow.int32,
    "I": arrow.uint32,
    "q": arrow.int64,
    "Q": arrow.uint64,
    "f": arrow.float32,
    "d": arrow.float64,
}


@pytest.fixture
def region(page: int) -> vmem.Region:
    region = vmem.reserve(64 * page)
    region.commit(0, 4 * page)
    return region


def write_stream(table: Any, place: memoryview) -> int:
    with arrow.FixedSizeBufferWriter(arrow.py_buffer(place)) as file:
        with arrow.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        return int(file.tell())


@pytest.mark.parametrize("typecode", TYPES)
def test_a_column_shares_the_memory_of_an_array_that_grows(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2], capacity=1 << 20)
    buffer = arrow.py_buffer(made)
    assert (buffer.address, buffer.size) == (made.buffer_info()[0], 2 * made.itemsize)
    early = arrow.Array.from_buffers(TYPES[typecode](), 2, [None, buffer])
    made.extend([5] * (1 << 19))
    made[0] = 7
    assert early.to_pylist() == [7, 2]
    assert arrow.py_buffer(made).address == buffer.address
    with pytest.raises(BufferError, match="1 view reaches further"):
        made.clear()
    del early, buffer
    made.clear()


@pytest.mark.parametrize("typecode", "bBhHiIlLqQfd")
def test_an_array_is_a_column(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2], capacity=1 << 20)
    column = arrow.array(made)
    column.validate(full=True)
    assert column.type == arrow.from_numpy_dtype(np.dtype(typecode))
    assert (column.buffers()[0], column.buffers()[1].address) == (None, made.buffer_info()[0])
    assert (column.null_count, column.offset, column.to_pylist()) == (0, 0, [1, 2])
    made.extend([5] * (1 << 19))
    made[0] = 7
    table = arrow.table({"x": arrow.array(made)})
    assert table["x"].chunk(0).buffers()[1].address == made.buffer_info()[0]
    assert column.to_pylist() == table["x"].to_pylist()[:2] == [7, 2]
    with pytest.raises(BufferError, match="2 views reach further"):
        made.clear()
    part = table.slice(1 << 18)
    del column, table
    with pytest.raises(BufferError, match="1 view reaches further"):
        made.pop()
    del part
    made.clear()


def test_a_column_keeps_the_memory_of_an_array_that_is_dropped() -> None:
    made = vmem.Array("d", range(100_000))
    column = arrow.array(made)
    del made
    gc.collect()
    assert arrow.compute.sum(column).as_py() == sum(range(100_000))


@pytest.mark.parametrize("num_items", [0, 1000])
@pytest.mark.parametrize("typecode", TYPES)
def test_a_column_of_another_type_is_a_copy(typecode: str, num_items: int) -> None:
    made = vmem.Array("i", num_items * [5])
    column = arrow.array(made, type=TYPES[typecode]())
    column.validate(full=True)
    assert (column.type, column.to_pylist()) == (TYPES[typecode](), num_items * [5])
    assert typecode == "i" or made.map().num_views == 0
    del column
    made.clear()


def test_the_type_of_an_array_is_a_field_without_nulls() -> None:
    field = arrow.field(vmem.Array("h"))
    assert (field.type, field.nullable) == (arrow.int16(), False)


def test_pyarrow_releases_on_its_own_threads() -> None:
    made = vmem.Array("d", range(1000))
    batches = [arrow.record_batch([arrow.array(made)], names=["x"]) for _ in range(100)]
    table = arrow.Table.from_batches(batches)
    del batches
    total = table.filter(arrow.compute.field("x") > 10).combine_chunks()
    del table
    assert total.num_rows == 98_900
    made.clear()


def test_a_buffer_keeps_the_memory_of_a_region(region: vmem.Region, page: int) -> None:
    region[0:4] = b"abcd"
    buffer = arrow.py_buffer(region[0:4])
    assert buffer.address == region.address
    region.commit()
    with pytest.raises(BufferError, match="cannot decommit"):
        region.decommit(0, page)
    del region
    assert buffer.to_pybytes() == b"abcd"


def test_a_buffer_is_as_writable_as_its_view(region: vmem.Region) -> None:
    assert arrow.py_buffer(region[0:4]).is_mutable
    assert not arrow.py_buffer(region.view(0, 4, readonly=True)).is_mutable


def test_a_slice_of_a_table_pins_an_array() -> None:
    made = vmem.Array("d", range(100))
    table = arrow.table({"x": arrow.Array.from_buffers(arrow.float64(), 100, [None, arrow.py_buffer(made)])})
    part = table.slice(50)
    del table
    with pytest.raises(BufferError):
        made.pop()
    assert part["x"].to_pylist() == list(range(50, 100))
    del part
    made.pop()


def test_a_stream_is_read_without_a_copy(region: vmem.Region) -> None:
    table = arrow.table({"name": ["a", None, "c"], "number": arrow.array([1, 2, 3], arrow.int64())})
    size = write_stream(table, region[:4096])
    again = arrow.ipc.open_stream(arrow.py_buffer(region[0:size])).read_all()
    assert again.equals(table)
    buffers = [each for column in again.columns for chunk in column.chunks for each in chunk.buffers() if each]
    assert len(buffers) == 4
    assert all(0 < each.address - region.address < size for each in buffers)
    del buffers
    region.commit()
    with pytest.raises(BufferError, match=f"1 view of bytes 0 to {size} is alive"):
        region.release()
    del again
    region.release()


def test_a_file_is_read_from_an_array_of_bytes() -> None:
    table = arrow.table({"number": list(range(1000))})
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    made = vmem.Array("B")
    made.frombytes(sink.getvalue())
    again = arrow.ipc.open_file(arrow.py_buffer(made)).read_all()
    made.extend(bytes(100_000))
    assert again.equals(table)
    assert 0 < again["number"].chunk(0).buffers()[1].address - made.buffer_info()[0] < len(made)


def test_a_closed_writer_pins_until_it_is_dropped(region: vmem.Region) -> None:
    """The docs warn of this."""
    file = arrow.FixedSizeBufferWriter(arrow.py_buffer(region[0:4096]))
    file.close()
    with pytest.raises(BufferError):
        region.release()
    del file
    region.release()
