"""Fills a shared array until it is killed: python -m tests.programs.shared_writer SOCKET SEED

The descriptor of the array goes through the socket. When a byte has come, one goes for every call that has added
items. The item at index i is always i * STEP modulo 2**64. Tests import this too, and child processes of theirs start
with it, so it imports little.
"""

from __future__ import annotations

import random
import socket
import sys
from typing import Any

import vmem

STEP = 0x9E3779B97F4A7C15  # odd: all items differ, and no part of one is that of another
MASK = (1 << 64) - 1
BLOCK = 4096


def make_items(start: int, count: int) -> vmem.Array[int]:
    return vmem.Array("Q", [index * STEP & MASK for index in range(start, start + count)])


def find_wrong(made: Any, start: int = 0, first: int = 0) -> int | None:
    """The index of the first item, from `start` on, that is not what its index says. `first` is that of the first."""
    items = made[start:]
    for index in range(0, len(items), BLOCK):
        part = items[index : index + BLOCK]
        expected = make_items(first + start + index, len(part))
        if part != expected:
            return start + index + next(i for i, item in enumerate(part) if item != expected[i])
    return None


def follow(made: Any, num_items: int) -> int:
    """Looks at what is new, without a pause, until there are so many items. Returns how often there were more."""
    length = num_looks = 0
    while length < num_items:
        now = len(made)
        assert now >= length, (now, length)
        items = made[length:now]
        assert len(items) == now - length, (len(items), now, length)
        assert find_wrong(items, 0, length) is None, length
        num_looks += now > length
        length = now
    return num_looks


def write(made: vmem.Array[int], numbers: random.Random) -> None:
    """One call that adds items."""
    length, count = len(made), numbers.choice((1, 1, 7, 100, 2000, 20_000))
    how = numbers.randrange(5)
    if how == 0:
        made.append(length * STEP & MASK)
    elif how == 1:
        made.extend(index * STEP & MASK for index in range(length, length + min(count, 100)))
    elif how == 2:
        made.frombytes(make_items(length, count).tobytes())
    elif how == 3:
        made.extend(make_items(length, count))
    else:
        made[length:] = make_items(length, count)


def main(number: int, seed: int) -> None:
    made: vmem.Array[int] = vmem.Array("Q", shared=True, capacity=1 << 24)
    numbers = random.Random(seed)
    with socket.socket(fileno=number) as connection:
        socket.send_fds(connection, [b"d"], [made.fileno()])
        connection.recv(1)
        while True:
            write(made, numbers)
            connection.send(b"w")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
