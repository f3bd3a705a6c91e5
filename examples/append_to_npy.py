"""A .npy file that grows in place, and a reader that follows it."""

from pathlib import Path

import numpy as np

import vmem

with vmem.open_array("samples.npy", "d", mode="a") as samples:  # opens it, or makes it
    samples.extend(np.sin(np.linspace(0, 1, 1000)))
assert len(np.load("samples.npy")) == 1000

# One process writes. Others read, and follow the growth without opening it again.
with (
    vmem.open_array("samples.npy", mode="r+") as samples,
    vmem.open_array("samples.npy") as reader,
):
    early = np.asarray(reader)
    samples.extend(np.ones(4096))
    assert len(reader) == 1000
    samples.flush(durable=False)  # shows what was appended to the readers
    assert len(reader) == 5096
    newest = np.asarray(reader)[-4096:]  # not copied
    assert newest.sum() == 4096
    samples.flush()  # returns when it would survive a power cut
    assert len(early) == 1000  # views keep their length, and stay valid

# Rows: here of three numbers each.
with vmem.open_array("points.npy", "f", mode="x", row_shape=(3,)) as points:
    points.append((1.0, 2.0, 3.0))
    points.extend(np.zeros((99, 3), "float32"))
assert np.load("points.npy", mmap_mode="r").shape == (100, 3)

for name in ("samples.npy", "points.npy"):
    Path(name).unlink()
