"""A table of records that grows in place, with NumPy structured types."""

import numpy as np
import numpy.typing as npt

import vmem

TRADE = np.dtype([("time", "i8"), ("price", "f8"), ("amount", "i4"), ("buyer", "i4")])
CAPACITY = 1 << 36  # 64 GiB of addresses, more than the trades will ever need
STEP = 1 << 20  # memory is committed in multiples of this


class Table:
    """Contiguous records; only those that exist take memory."""

    def __init__(self, kind: np.dtype[np.void]) -> None:
        self.kind = kind
        self.length = 0
        self.region = vmem.reserve(CAPACITY, name="table")

    def append(self, records: npt.NDArray[np.void]) -> None:
        """Appends records. All arrays that rows() has returned stay valid."""
        start, size = (
            self.length * self.kind.itemsize,
            len(records) * self.kind.itemsize,
        )
        if start + size > self.region.committed:
            missing = start + size - self.region.committed
            self.region.commit(self.region.committed, vmem.align_forward(missing, STEP))
        self.region[start : start + size] = records.view(np.uint8).data
        self.length += len(records)

    def rows(self, start: int, stop: int) -> npt.NDArray[np.void]:
        """Records start to stop: an array over the memory itself, not a copy."""
        size = self.kind.itemsize
        view = self.region.view(start * size, (stop - start) * size)
        return np.frombuffer(view, dtype=self.kind)


def main() -> None:
    table = Table(TRADE)
    batch = np.zeros(10_000, dtype=TRADE)
    batch["price"] = 99.5
    table.append(batch)
    first = table.rows(0, 10)
    for number in range(1, 100):
        batch["time"] = number
        table.append(batch)

    assert table.length == 1_000_000
    assert 0 <= table.region.committed - table.length * TRADE.itemsize < STEP
    assert table.rows(999_999, 1_000_000)["time"][0] == 99

    table.rows(3, 4)["price"][0] = 1.25  # another array over the same memory
    assert first["price"].tolist() == [99.5] * 3 + [1.25] + [99.5] * 6
    print(f"{table.length} trades in {table.region.committed >> 20} MiB")


main()
