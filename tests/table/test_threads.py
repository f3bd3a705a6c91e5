"""Readers in other threads: rows come one by one or many at a time, and none is ever seen in part."""

from __future__ import annotations

import pytest

from tests.support.marks import search
from tests.support.processes import run_python

LOOKS = search(20_000, long=1_000_000)

START = """
import sys, threading, vmem
sys.setswitchinterval(1e-5)
LOOKS = 20_000
done = threading.Event()
table = vmem.Table({"a": "q", "b": "d|None", "c": "str", "d": "?", "e": "B"}, capacity=1 << 22)

def row(i):
    return (i, None if i % 7 == 0 else i / 2, "x" * (i % 5), i % 3 == 0, i % 200)

def check(found, i):
    assert found == row(i), (found, row(i))
"""

RUN = """
errors = []
def run(work):
    try:
        work()
    except BaseException as error:
        errors.append(error)
    finally:
        if work is not write:
            done_readers.append(work)
done_readers = []
readers = [threading.Thread(target=run, args=(look,)) for look in looks]
writer = threading.Thread(target=run, args=(write,))
[each.start() for each in (writer, *readers)]
[each.join() for each in readers]
done.set()
writer.join()
if errors:
    raise errors[0]
assert len(done_readers) == len(looks)
"""


@pytest.mark.parametrize("how", ["append", "extend", "both"])
@pytest.mark.parametrize("looks", LOOKS)
def test_no_reader_sees_a_part_of_a_row(how: str, looks: int) -> None:
    run_python(
        START
        + f"""
how, LOOKS = "{how}", {looks}
def write():
    number = len(table)
    while not done.is_set() and number < table.capacity - 5000:
        if how != "extend":
            table.append(*row(number))
            number += 1
        if how != "append":
            rows = [row(i) for i in range(number, number + 37)]
            table.extend([list(each) for each in zip(*rows)])
            number += 37

def look_at_rows():
    for _ in range(LOOKS):
        length = len(table)
        if length:
            check(table[length - 1], length - 1)
            last = table[-1]
            check(last, last.a)
            check(table[length // 2], length // 2)

def look_at_columns():
    for _ in range(LOOKS // 4):
        lengths = [len(table[name]) for name in table.names]
        assert lengths == sorted(lengths), lengths
        length = lengths[0]
        if length:
            for name, expected in zip(table.names, row(length - 1)):
                assert table[name][length - 1] == expected
            view = memoryview(table["a"])
            assert view[len(view) - 1] == len(view) - 1
            with memoryview(table["e"]) as last:
                assert last[len(last) - 1] == (len(last) - 1) % 200

looks = [look_at_rows, look_at_rows, look_at_columns]
"""
        + RUN
    )


@pytest.mark.parametrize("looks", LOOKS)
def test_rows_that_are_cleared_and_written_anew_are_whole(looks: int) -> None:
    run_python(
        START
        + f"LOOKS = {looks}"
        + """
def write():
    number = 0
    while not done.is_set():
        number += 1
        try:
            if len(table) > 50:
                table.clear()
                number % 10 or table.shrink_to_fit()
            table.append(*row(number))
            rows = [row(number + 1), row(number + 2)]
            table.extend([list(each) for each in zip(*rows)])
        except BufferError:
            pass

def look():
    for _ in range(LOOKS):
        for found in table[-3:]:
            check(found, found.a)
        try:
            found = table[0]
        except IndexError:
            continue
        check(found, found.a)

def show():
    for _ in range(LOOKS // 4):
        view = table["e"].values
        before = view.tobytes()
        assert view.tobytes() == before
        view.release()

looks = [look, look, show]
"""
        + RUN
    )


def test_many_writers() -> None:
    run_python(
        START
        + """
import random
def write(seed):
    numbers = random.Random(seed)
    for _ in range(300):
        number = numbers.randrange(10**6)
        try:
            if numbers.random() < 0.5:
                table.append(*row(number))
            elif numbers.random() < 0.9:
                rows = [row(number + i) for i in range(numbers.randrange(50))]
                table.extend([list(each) for each in zip(*rows)] or [[]] * 5)
            elif numbers.random() < 0.5:
                table.extend(table[:100])
            else:
                table.shrink_to_fit()
        except BufferError:
            pass
        for found in table[-5:]:
            check(found, found.a)

threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
[each.start() for each in threads]
[each.join() for each in threads]
for found in table:
    check(found, found.a)
assert {len(table[name]) for name in table.names} == {len(table)}
"""
    )


def test_an_append_between_two_lengths_of_columns_is_the_only_difference() -> None:
    """Columns follow their table: whoever needs equal lengths takes a view of rows."""
    run_python(
        START
        + """
def write():
    number = 0
    while not done.is_set():
        table.append(*row(number))
        number += 1

def look():
    for _ in range(LOOKS // 4):
        rows = table[:]
        assert len({len(rows[name]) for name in rows.names}) == 1
        lengths = {len(rows[name].values) for name in ("a", "b", "e")}
        assert len(lengths) == 1, lengths

looks = [look, look]
"""
        + RUN
    )
