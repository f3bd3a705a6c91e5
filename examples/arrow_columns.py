"""Arrow columns over arrays that grow, and tables read from a region."""

import pyarrow as pa
import pyarrow.compute as pc

import vmem

# --- a column over an Array ---

prices = vmem.Array("d", (100 + 0.5 * number for number in range(1000)))
column = pa.array(prices)  # float64, without a copy
assert column.buffers()[1].address == prices.buffer_info()[0]  # the same memory
table = pa.table({"number": range(1000), "price": column})
assert pc.sum(table["price"]).as_py() == sum(prices)

prices.extend([1.0] * 100_000)  # grows while the table uses it
assert table["price"].to_pylist() == prices[:1000].tolist()
try:
    prices.clear()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("items in use by a table were removed")

# --- an Arrow stream, written into a region and read from there ---


def write(table: pa.Table, place: memoryview) -> int:
    """Returns the size of the stream. The file keeps the view until it is deleted."""
    with pa.FixedSizeBufferWriter(pa.py_buffer(place)) as file:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        return int(file.tell())


region = vmem.reserve(1 << 30)
region.commit(0, 1 << 20)
size = write(table, region.view(0, 1 << 20))

again = pa.ipc.open_stream(pa.py_buffer(region.view(0, size))).read_all()
assert again.equals(table)
(place,) = [chunk.buffers()[1].address for chunk in again["price"].chunks]
assert 0 < place - region.address < size  # the column lies in the region

region.commit(1 << 20, 1 << 20)  # pages that no view uses can change
try:
    region.decommit(0, size)
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("memory in use by a table was decommitted")

del again
region.release()
del table, column
prices.clear()
