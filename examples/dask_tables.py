"""Tables as parts of a Dask data set: each worker makes one, and Arrow carries them."""

import os
import tempfile

import dask
import numpy as np
import pyarrow as pa
from distributed import Client, LocalCluster

import vmem

ROWS = 100_000  # of each part

COLUMNS = {"sensor": "i", "time": "M8[ms]", "value": "d", "note": "str|None"}


def record(sensor: int) -> pa.Table:
    """What a worker records, as Arrow data in place, which Dask sends as it is."""
    table = vmem.Table(COLUMNS)
    table.extend(
        {
            "sensor": np.full(ROWS, sensor, dtype=np.int32),
            "time": 1_700_000_000_000 + np.arange(ROWS),
            "value": np.sin(np.arange(ROWS) / 1000) * sensor,
            "note": ["start"] + [None] * (ROWS - 1),
        }
    )
    return pa.table(table)


def summarize(part: pa.Table) -> tuple[int, float, int]:
    """The largest value of a part, in another process than the one that recorded it."""
    table = vmem.Table(COLUMNS)
    table.extend(part)
    values = np.asarray(table["value"])
    return table[0].sensor, float(values.max()), os.getpid()


def main() -> None:
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
        parts = [client.submit(record, sensor, workers=one) for sensor in range(1, 4)]
        found = client.gather(
            [client.submit(summarize, part, workers=other) for part in parts]
        )
        assert [sensor for sensor, _, _ in found] == [1, 2, 3]
        assert all(0.99 * sensor < largest <= sensor for sensor, largest, _ in found)
        assert os.getpid() not in {process for _, _, process in found}

        # All parts together, in this process.
        whole = vmem.Table(COLUMNS)
        for part in client.gather(parts):
            whole.extend(part)
        assert len(whole) == 3 * ROWS
        assert whole[ROWS] == (2, 1_700_000_000_000, 0.0, "start")
    print(f"{len(whole)} rows of {len(parts)} sensors")


if __name__ == "__main__":  # the workers import this program
    main()
