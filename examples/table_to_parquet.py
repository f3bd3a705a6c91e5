"""A Parquet file that is written, group by group, while a table is recorded."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import vmem

ROWS_PER_GROUP = 50_000


def write_new_rows(writer: pq.ParquetWriter, table: vmem.Table, start: int) -> int:
    """Writes the rows from `start` on, and returns where the next ones begin."""
    rows = table[start:]
    writer.write_table(pa.table(rows))
    return start + len(rows)


def main() -> None:
    table = vmem.Table({"number": "q", "half": "d", "text": "str|None"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recorded.parquet")
        written = 0
        with pq.ParquetWriter(path, pa.schema(table)) as writer:
            for number in range(200_000):
                table.append(
                    number, number / 2, None if number % 10 else f"row {number}"
                )
                if len(table) - written >= ROWS_PER_GROUP:
                    written = write_new_rows(writer, table, written)
            written = write_new_rows(writer, table, written)
        assert written == len(table)

        read = pq.read_table(path)
        assert read.num_rows == 200_000
        assert read["text"][10].as_py() == "row 10"

        # What was written need not stay in memory.
        table.clear()
        table.shrink_to_fit()
        table.extend(read.slice(199_990))
        assert table[-1] == (199_999, 99_999.5, None)
        print(f"{written} rows in {path.stat().st_size >> 10} KiB")


main()
