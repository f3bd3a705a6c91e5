"""Adds rows to a shared table until it is killed. Run by tests/table/test_sharing.py."""

from __future__ import annotations

import random
import socket
import sys
from typing import Any

import vmem

COLUMNS = {"number": "q", "half": "d|None", "text": "str|None", "is_even": "?"}


def make_row(number: int) -> tuple[Any, ...]:
    return number, None if number % 7 == 0 else number / 2, "x" * (number % 50) or None, number % 2 == 0


def main() -> None:
    connection, numbers = socket.socket(fileno=int(sys.argv[1])), random.Random(sys.argv[2])
    table = vmem.Table(COLUMNS, shared=True)
    socket.send_fds(connection, [b"d"], [table.fileno()])
    while True:
        count = numbers.randrange(1, 500)
        if numbers.random() < 0.5:
            rows = [make_row(number) for number in range(len(table), len(table) + count)]
            table.extend([list(each) for each in zip(*rows, strict=True)])
        else:
            for number in range(len(table), len(table) + count):
                table.append(*make_row(number))
        connection.send(b"c")


if __name__ == "__main__":
    main()
