"""Processes that fill separate rows of one table, which the first process reads where they have written it."""

import multiprocessing

import numpy as np
import numpy.typing as npt

import vmem

NUM_ROWS = 8
NUM_COLUMNS = 100_000


def rows_of(region: vmem.Region) -> npt.NDArray[np.float64]:
    """The bytes of a region as a table of numbers, without a copy. They must be committed in this process."""
    region.commit(0, NUM_ROWS * NUM_COLUMNS * 8)
    return np.frombuffer(region[: NUM_ROWS * NUM_COLUMNS * 8]).reshape(NUM_ROWS, NUM_COLUMNS)


def fill(region: vmem.Region, number: int) -> None:
    """Runs in a process of its own, on a region of its own with the same contents."""
    rows_of(region)[number] = np.sqrt(np.arange(NUM_COLUMNS) + number)


if __name__ == "__main__":
    region = vmem.reserve(1 << 30, shared=True, name="rows")
    rows = rows_of(region)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=fill, args=(region, number)) for number in range(NUM_ROWS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * NUM_ROWS
    assert (rows == np.sqrt(np.arange(NUM_COLUMNS) + np.arange(NUM_ROWS)[:, np.newaxis])).all()
    print(NUM_ROWS, "rows from as many processes, all correct")
