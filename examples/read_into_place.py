"""A file of records that is read into a region, modified there and written back."""

import os
import struct
import tempfile
from pathlib import Path

import numpy as np

import vmem

HEAD = struct.Struct("<8sQ")  # the file header: a magic word and a number of records
RECORD = np.dtype([("number", "<i8"), ("weight", "<f8")])
COUNT = 100_000


def write_file(path: Path) -> None:
    records = np.zeros(COUNT, dtype=RECORD)
    records["number"] = np.arange(COUNT)
    path.write_bytes(HEAD.pack(b"records", COUNT) + records.tobytes())


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "records")
    write_file(path)
    region = vmem.reserve(1 << 30)
    region.commit(0, path.stat().st_size)

    # Read into place, without an intermediate bytes object.
    with path.open("rb", buffering=0) as file:
        with region.view(0, HEAD.size) as head:
            assert file.readinto(head) == HEAD.size
            word, count = HEAD.unpack_from(head)
        assert (word, count) == (b"records\0", COUNT)
        size = count * RECORD.itemsize
        with region.view(HEAD.size, size) as body:
            assert file.readinto(body) == size
    records = np.frombuffer(region.view(HEAD.size, size), dtype=RECORD)
    assert records["number"][-1] == COUNT - 1

    # Write several parts of memory with one call, at any file offset.
    records["weight"] = 0.5
    with path.open("r+b", buffering=0) as file:
        parts = [region.view(HEAD.size, 1600), region.view(HEAD.size + 1600, 1600)]
        assert os.pwritev(file.fileno(), parts, HEAD.size) == 3200
        del parts

    # Read into memory that is committed as needed, here after the existing records.
    region.commit(HEAD.size + size, 3200)
    with path.open("rb", buffering=0) as file:
        parts = [
            region.view(HEAD.size + size, 1600),
            region.view(HEAD.size + size + 1600, 1600),
        ]
        assert os.preadv(file.fileno(), parts, HEAD.size) == 3200
        del parts
    copies = np.frombuffer(region.view(HEAD.size + size, 3200), dtype=RECORD)
    assert copies["number"].tolist() == list(range(200))
    assert (copies["weight"] == 0.5).all()
    assert (records["weight"] == 0.5).all()  # unchanged and still valid
print(COUNT, "records, read into place")
