"""Worker processes that compute on one array, which is sent to each of them once."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.queues import SimpleQueue

import numpy as np

import vmem

PART = 100_000
SPAWN = multiprocessing.get_context("spawn")  # forks do not copy NumPy's threads

Sent = vmem.Array[float] | None
samples: vmem.Array[float]  # in the workers


def keep(array: vmem.Array[float]) -> None:
    """Runs first in each worker."""
    global samples
    samples = array


def total(start: int) -> float:
    """The sum of a part. The numbers are neither sent nor copied."""
    return float(np.asarray(samples)[start : start + PART].sum())


def answer(arrays: "SimpleQueue[Sent]", sums: "SimpleQueue[float]") -> None:
    """Gets arrays out of one queue and puts their sums into another."""
    while (array := arrays.get()) is not None:
        sums.put(float(np.asarray(array).sum()))


def use_a_pool() -> None:
    recorded = vmem.Array("d", shared=True)
    with ProcessPoolExecutor(
        2, SPAWN, initializer=keep, initargs=(recorded,)
    ) as workers:
        recorded.extend(np.ones(PART))
        assert list(workers.map(total, [0])) == [PART]

        # The workers see what is added later.
        recorded.extend(np.full(PART, 2.0))
        assert list(workers.map(total, [0, PART])) == [PART, 2 * PART]


def use_queues() -> None:
    arrays, sums = SPAWN.SimpleQueue(), SPAWN.SimpleQueue()
    worker = SPAWN.Process(target=answer, args=(arrays, sums))
    worker.start()
    for number in range(3):
        array = vmem.Array("d", [float(number)] * PART, shared=True)
        arrays.put(array)
        assert sums.get() == number * PART
    arrays.put(None)
    worker.join()
    assert worker.exitcode == 0


if __name__ == "__main__":
    use_a_pool()
    use_queues()
    print("all sums are right")
