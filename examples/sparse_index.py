"""An index with a slot for every possible number, in 1 TiB of addresses.

It maps order numbers to positions in a log. An order's number is its day and a count
within the day, so each day has 8 MiB of addresses; memory is committed for its orders.
"""

import struct
import tempfile
from typing import BinaryIO

import vmem

CAPACITY = 1 << 40
SLOT = struct.Struct("<Q")  # a position plus 1, because new memory reads 0
DAY = SLOT.size << 20  # up to a million orders a day
BLOCK = 1 << 16  # committed at a time: each isolated block takes up to two mappings


class Index:
    """Positions in a file, by order number."""

    def __init__(self) -> None:
        self.region = vmem.reserve(CAPACITY, name="order index")

    def __setitem__(self, number: int, position: int) -> None:
        start = number * SLOT.size
        if not self.region.is_committed(start, SLOT.size):
            self.region.commit(vmem.align_backward(start, BLOCK), BLOCK)
        self.region[start : start + SLOT.size] = SLOT.pack(position + 1)

    def find(self, number: int) -> int | None:
        """The position of an order, or None."""
        start = number * SLOT.size
        if not self.region.is_committed(start, SLOT.size):
            return None
        (position,) = SLOT.unpack(self.region[start : start + SLOT.size])
        return position - 1 if position else None

    def forget_day(self, day: int) -> None:
        """Decommits the memory of a day. Its addresses stay reserved."""
        self.region.decommit(day * DAY, DAY)


def order_number(day: int, count: int) -> int:
    return day << 20 | count


def write_orders(log: BinaryIO, index: Index) -> None:
    """Writes thirty days of orders, a year apart, so that their slots are scattered."""
    for day in range(0, 30 * 365, 365):
        for count in range(500):
            number = order_number(day, count)
            index[number] = log.tell()
            log.write(b"order %d of day %d\n" % (count, day))


def read_order(log: BinaryIO, index: Index, day: int, count: int) -> bytes | None:
    position = index.find(order_number(day, count))
    if position is None:
        return None
    log.seek(position)
    return log.readline()


def main() -> None:
    index = Index()
    with tempfile.TemporaryFile() as log:
        write_orders(log, index)
        assert read_order(log, index, 3650, 123) == b"order 123 of day 3650\n"
        assert read_order(log, index, 0, 0) == b"order 0 of day 0\n"
        # No such order: in the first case the block is committed, in the second not.
        assert read_order(log, index, 3650, 500) is None
        assert read_order(log, index, 3651, 0) is None

        assert index.region.size == 1 << 40
        assert index.region.committed == 30 * BLOCK  # one block a day
        index.forget_day(3650)
        assert index.region.committed == 29 * BLOCK
        assert read_order(log, index, 3650, 123) is None
        assert read_order(log, index, 4015, 499) == b"order 499 of day 4015\n"
    print(f"15000 orders in {index.region.committed >> 10} KiB of 1 TiB")


main()
