"""Fills a shared array until it is killed: python -m tests.programs.shared_writer SOCKET SEED

The descriptor of the array goes through the socket. When a byte has come, one goes for every call that has added
items. The item at index i is always i * STEP modulo 2**64. Tests import this too, and child processes of theirs start
with it, so it imports little.
"""

from __future__ import annotations

import contextlib
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


def find_wrong(made: Any) -> int | None:
    """The index of the first item that is not what its index says."""
    items = made[:]
    for index in range(0, len(items), BLOCK):
        part = items[index : index + BLOCK]
        expected = make_items(index, len(part))
        if part != expected:
            return index + next(i for i, item in enumerate(part) if item != expected[i])
    return None


def follow(made: Any, num_items: int) -> int:
    """Looks at the newest item, which is written last, until there are so many. Returns how often there were more."""
    length = num_looks = 0
    while length < num_items:
        now = len(made)
        if now == length:
            continue
        newest = made[now - 1]  # at once: an item that is not there yet soon would be
        assert now > length, (now, length)
        assert newest == (now - 1) * STEP & MASK, (now, newest)
        num_looks += 1
        length = now
    assert find_wrong(made) is None
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
        connection.setblocking(False)
        while True:
            write(made, numbers)
            with contextlib.suppress(BlockingIOError):  # who does not count the calls need not receive
                connection.send(b"w")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
