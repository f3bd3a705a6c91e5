"""A file of records that is read into a region, changed there, and written back."""

import os
import tempfile
from pathlib import Path

import numpy as np

import vmem

HEAD = 64  # bytes before the records of a file
RECORD = np.dtype([("number", "<i8"), ("weight", "<f8")])
COUNT = 100_000


def write_file(path: Path) -> None:
    records = np.zeros(COUNT, dtype=RECORD)
    records["number"] = np.arange(COUNT)
    path.write_bytes(b"records".ljust(HEAD) + records.tobytes())


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "records")
    write_file(path)
    size = path.stat().st_size - HEAD

    region = vmem.reserve(1 << 30)
    region.commit(0, HEAD + size)

    # Into place, without a bytes object in between.
    with path.open("rb", buffering=0) as file:
        with region.view(0, HEAD) as head:
            assert file.readinto(head) == HEAD
            assert bytes(head[:7]) == b"records"
        with region.view(HEAD, size) as body:
            assert file.readinto(body) == size
    records = np.frombuffer(region.view(HEAD, size), dtype=RECORD)
    assert records["number"][-1] == COUNT - 1

    # Several parts of memory with one call, at any place of the file.
    records["weight"] = 0.5
    with path.open("r+b", buffering=0) as file:
        parts = [region.view(HEAD, 1600), region.view(HEAD + 1600, 1600)]
        assert os.pwritev(file.fileno(), parts, HEAD) == 3200
        del parts

    # And into memory that comes as the file is read: here behind what is there.
    region.commit(HEAD + size, 3200)
    with path.open("rb", buffering=0) as file:
        parts = [region.view(HEAD + size, 1600), region.view(HEAD + size + 1600, 1600)]
        assert os.preadv(file.fileno(), parts, HEAD) == 3200
        del parts
    copies = np.frombuffer(region.view(HEAD + size, 3200), dtype=RECORD)
    assert copies["number"].tolist() == list(range(200))
    assert (copies["weight"] == 0.5).all()
    assert (records["weight"] == 0.5).all()  # as valid as before
print(COUNT, "records, read into place")
