"""Processes that fill separate rows of one table, which the first reads in place."""

import multiprocessing

import numpy as np
import numpy.typing as npt

import vmem

NUM_ROWS = 8
NUM_COLUMNS = 100_000
SIZE = NUM_ROWS * NUM_COLUMNS * 8


def rows_of(region: vmem.Region) -> npt.NDArray[np.float64]:
    """The region as a table of numbers, without a copy."""
    region.commit(0, SIZE)  # each process for itself; contents stay
    return np.frombuffer(region[:SIZE]).reshape(NUM_ROWS, NUM_COLUMNS)


def compute(number: int) -> npt.NDArray[np.float64]:
    return np.sqrt(np.arange(NUM_COLUMNS) + number)


def fill(region: vmem.Region, number: int) -> None:
    """Runs in another process, on a region with the same contents."""
    rows_of(region)[number] = compute(number)


if __name__ == "__main__":
    region = vmem.reserve(1 << 30, shared=True, name="rows")
    rows = rows_of(region)
    spawn = multiprocessing.get_context("spawn")
    numbers = range(NUM_ROWS)
    workers = [spawn.Process(target=fill, args=(region, n)) for n in numbers]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers)
    assert all((rows[number] == compute(number)).all() for number in numbers)
    print(NUM_ROWS, "rows from as many processes, all correct")
