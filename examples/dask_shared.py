"""Tasks of Dask that read one growing array in place, on the machine that has it."""

import os
import tempfile

import dask
import numpy as np
from distributed import Client, LocalCluster

import vmem


class OnThisMachine:
    """Tells a worker where the array is. It is pickled in place of the array."""

    def __init__(self, array: vmem.Array[float]) -> None:
        self.process, self.fd = os.getpid(), array.fileno()

    def attach(self) -> vmem.Array[float]:
        """In any process of the same user, as long as the maker has the array."""
        fd = os.open(f"/proc/{self.process}/fd/{self.fd}", os.O_RDONLY)
        try:
            array = vmem.attach(fd)
        finally:
            os.close(fd)
        assert isinstance(array, vmem.Array)
        return array


def mean(samples: OnThisMachine, num_newest: int) -> tuple[float, int]:
    """A task. Its argument is a few bytes, however many samples there are."""
    newest = np.asarray(samples.attach())[-num_newest:]
    return float(newest.mean()), os.getpid()


def main() -> None:
    samples = vmem.Array("d", shared=True)
    where = OnThisMachine(samples)
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
        workers = list(client.scheduler_info()["workers"])
        for number in range(1, 4):
            samples.extend(np.full(1_000_000, float(number)))
            # Not pure: the same call has another result when the array has grown.
            tasks = [
                client.submit(mean, where, 1_000_000, workers=[each], pure=False)
                for each in workers
            ]
            results = client.gather(tasks)
            assert [result for result, _ in results] == [number, number]
            processes = {process for _, process in results}
            assert len(processes) == 2
            assert os.getpid() not in processes
    print(len(samples) * samples.itemsize >> 20, "MiB, read by two workers in place")


if __name__ == "__main__":  # the workers import this program
    main()
