"""The cost of a `vmem.Table`, compared with arrays side by side and with lists of tuples.

    python benchmarks/tables.py

It needs the installed package and NumPy, and for some rows pyarrow and Polars. See README.md.
"""

from __future__ import annotations

import array
import functools
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import repeat
from time import perf_counter_ns
from typing import Any

from side_by_side import Comparison, Work, compare_works, run

import vmem

NAMES = "abcde"
DOUBLES = dict.fromkeys(NAMES, "d")
NUM_ROWS = 4096
FEW, MANY = 1_000, 4_000_000
RECORDED = [number / 2 for number in range(100_000)]

# --- appending ---


def append_rows(iterations: int) -> float:
    append = vmem.Table(DOUBLES, capacity=1 << 22).append
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        append(1.0, 2.0, 3.0, 4.0, 5.0)
    return (perf_counter_ns() - start) / iterations


def append_named_rows(iterations: int) -> float:
    append = vmem.Table(DOUBLES, capacity=1 << 22).append
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        append(a=1.0, b=2.0, c=3.0, d=4.0, e=5.0)
    return (perf_counter_ns() - start) / iterations


def append_to_five_arrays(iterations: int) -> float:
    a, b, c, d, e = (array.array("d").append for _ in NAMES)
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        a(1.0)
        b(2.0)
        c(3.0)
        d(4.0)
        e(5.0)
    return (perf_counter_ns() - start) / iterations


def record_tuples(iterations: int) -> float:
    """A list of tuples, which becomes an array at the end."""
    numpy: Any = import_module("numpy")
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        rows: list[tuple[float, ...]] = []
        append = rows.append
        for number in RECORDED:
            append((number, 2.0, 3.0, 4.0, 5.0))
        numpy.array(rows)
    return (perf_counter_ns() - start) / iterations


def record_rows(iterations: int) -> float:
    start = perf_counter_ns()
    for _ in repeat(None, iterations):
        append = vmem.Table(DOUBLES).append
        for number in RECORDED:
            append(number, 2.0, 3.0, 4.0, 5.0)
    return (perf_counter_ns() - start) / iterations


# --- extending ---


def extend_table() -> Work:
    items = dict.fromkeys(NAMES, array.array("d", bytes(8 * NUM_ROWS)))
    table = vmem.Table(DOUBLES, capacity=1 << 24)

    def work(iterations: int) -> float:
        table.clear()
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            table.extend(items)
        return (perf_counter_ns() - start) / iterations

    return work


def extend_five_arrays() -> Work:
    data = memoryview(bytes(8 * NUM_ROWS))
    arrays = [vmem.Array("d", capacity=1 << 24) for _ in NAMES]

    def work(iterations: int) -> float:
        for each in arrays:
            each.clear()
        first, second, third, fourth, fifth = (each.frombytes for each in arrays)
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            first(data)
            second(data)
            third(data)
            fourth(data)
            fifth(data)
        return (perf_counter_ns() - start) / iterations

    return work


# --- handing over ---


@functools.cache
def make_table(num_rows: int) -> vmem.Table:
    numpy: Any = import_module("numpy")
    table = vmem.Table(DOUBLES, capacity=num_rows)
    columns: dict[str, Any] = dict.fromkeys(NAMES, numpy.arange(float(num_rows)))
    table.extend(columns)
    return table


def hand_over(take: Callable[[vmem.Table], object], num_rows: int) -> Work:
    def work(iterations: int) -> float:
        table = make_table(num_rows)
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            take(table)
        return (perf_counter_ns() - start) / iterations

    return work


def take_by_pyarrow(table: vmem.Table) -> object:
    pyarrow: Any = import_module("pyarrow")
    return pyarrow.table(table)


def take_by_polars(table: vmem.Table) -> object:
    polars: Any = import_module("polars")
    return polars.DataFrame(table)


# --- scanning ---


def scan_column() -> Work:
    numpy: Any = import_module("numpy")
    table = make_table(MANY)

    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            numpy.asarray(table["a"]).sum()
        return (perf_counter_ns() - start) / iterations

    return work


def scan_array() -> Work:
    numpy: Any = import_module("numpy")
    numbers = numpy.arange(float(MANY))

    def work(iterations: int) -> float:
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            numbers.sum()
        return (perf_counter_ns() - start) / iterations

    return work


# --- all ---


def when_needed(make: Callable[[], Work]) -> Work:
    """Makes the work when it is first needed: the module that it needs may not be installed."""
    made = functools.cache(make)
    return lambda iterations: made()(iterations)


def list_comparisons() -> Iterator[Comparison]:
    five = "five array.array.append"
    yield compare_works(f"table.append of five columns, vs {five}", append_rows, append_to_five_arrays, 0.6)
    yield compare_works(f"table.append by name, vs {five}", append_named_rows, append_to_five_arrays, None)
    yield compare_works(
        f"{len(RECORDED):,} table.append, vs list.append of tuples and np.array",
        record_rows,
        record_tuples,
        1 / 3,
        pairs=41,
        needs="numpy",
    )
    yield compare_works(
        f"table.extend of {NUM_ROWS:,} rows of five columns, vs five Array.frombytes",
        extend_table(),
        extend_five_arrays(),
        1.1,
    )
    for module, take in (("pyarrow", take_by_pyarrow), ("polars", take_by_polars)):
        yield compare_works(
            f"a table of {MANY:,} rows into {module}, vs one of {FEW:,}",
            hand_over(take, MANY),
            hand_over(take, FEW),
            1.25,
            needs=module,
        )
    yield compare_works(
        f"np.asarray(table['a']).sum() of {MANY:,} items, vs that of an array of NumPy",
        when_needed(scan_column),
        when_needed(scan_array),
        1.1,
        needs="numpy",
    )


if __name__ == "__main__":
    run("Measure the cost of a vmem.Table, compared with arrays and lists.", list_comparisons)
