"""Fills a file until it is killed: python -m tests.programs.file_writer PATH SEED

Prints the number of items whenever flush() or close() has returned, and 0 when the file was opened first. The items are
those of shared_writer.py.
"""

from __future__ import annotations

import os
import random
import sys

import vmem
from tests.programs.shared_writer import MASK, STEP, make_items


def report(num_items: int) -> None:
    os.write(1, b"%d\n" % num_items)


def add(made: vmem.Array[int], numbers: random.Random) -> None:
    """One call that adds items."""
    length, count = len(made), numbers.choice((1, 1, 7, 100, 2000, 10_000))
    how = numbers.randrange(4)
    if how == 0:
        made.append(length * STEP & MASK)
    elif how == 1:
        made.extend(make_items(length, count))
    elif how == 2:
        made.frombytes(make_items(length, count).tobytes())
    else:
        made.extend(iter(make_items(length, min(count, 100))))


def write(path: str, numbers: random.Random) -> None:
    while True:
        with vmem.open_array(path, "Q", mode="a") as made:
            report(len(made))
            for _ in range(numbers.randrange(30)):
                add(made, numbers)
                if numbers.randrange(3) == 0:
                    made.flush(durable=numbers.randrange(4) == 0)
                    report(len(made))
            length = len(made)
        report(length)


if __name__ == "__main__":
    write(sys.argv[1], random.Random(int(sys.argv[2])))
