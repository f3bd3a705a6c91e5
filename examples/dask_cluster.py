"""Arrays over virtual memory that are sent between processes of a Dask cluster."""

import os
import tempfile

import dask
import numpy as np
import numpy.typing as npt
from dask.sizeof import sizeof
from distributed import Client, LocalCluster
from distributed.protocol import serialize

import vmem

NUM_BYTES = 8 << 20  # of each array


@sizeof.register(vmem.Array)  # type: ignore[untyped-decorator]
def count_bytes(array: vmem.Array[int]) -> int:
    """The size that Dask plans with; otherwise it is that of the object alone."""
    return len(array) * array.itemsize


def make_numbers(first: int) -> npt.NDArray[np.int64]:
    """A NumPy array over a region, which is released when the array is deleted."""
    region = vmem.reserve(1 << 30)
    region.commit(0, NUM_BYTES)
    numbers = np.frombuffer(region.view(0, NUM_BYTES), dtype=np.int64)
    numbers[:] = np.arange(first, first + len(numbers))
    return numbers


def make_squares(numbers: npt.NDArray[np.int64]) -> vmem.Array[int]:
    """Returns a vmem.Array of squares, for numbers from another process."""
    squares = vmem.Array("q")
    for part in np.split(numbers, 8):
        squares.extend(part * part)
    return squares


def add(numbers: npt.NDArray[np.int64], squares: vmem.Array[int]) -> tuple[int, int]:
    return int(numbers.sum() + np.asarray(squares).sum()), os.getpid()


def frames_inside(thing: object, address: int, size: int) -> int:
    """How many of the bytes that Dask would send are in the memory of the object."""
    _, frames = serialize(thing)
    sent = [np.frombuffer(frame, dtype=np.uint8) for frame in frames]
    return sum(len(each) for each in sent if 0 <= each.ctypes.data - address < size)


def main() -> None:
    # Dask sends the memory itself: it copies neither kind of array.
    numbers = make_numbers(0)
    assert frames_inside(numbers, numbers.ctypes.data, NUM_BYTES) == NUM_BYTES
    squares = make_squares(numbers)
    assert frames_inside(squares, squares.buffer_info()[0], NUM_BYTES) == NUM_BYTES
    assert sizeof(squares) == NUM_BYTES

    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set(temporary_directory=folder),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        one, other = client.scheduler_info()["workers"]
        far = client.submit(make_numbers, 1000, workers=one)
        far_squares = client.submit(make_squares, far, workers=other)
        total, process = client.submit(add, far, far_squares, workers=one).result()
        assert process != os.getpid()
        expected = np.arange(1000, 1000 + len(numbers))
        assert total == (expected + expected**2).sum()

        # In this process the results are arrays again.
        assert np.array_equal(far.result(), expected)
        back = far_squares.result()
        assert isinstance(back, vmem.Array)
        assert np.array_equal(np.asarray(back), expected**2)
        back.append(1)

        # Arrays of this process can be sent to workers.
        sent = client.scatter([numbers, squares], workers=[other])
        total, _ = client.submit(add, *sent, workers=other).result()
        assert total == int(numbers.sum() + (numbers**2).sum())
    print(f"{NUM_BYTES >> 20} MiB in each array, all numbers correct")


if __name__ == "__main__":  # the workers import this program
    main()
