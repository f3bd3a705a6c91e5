"""NumPy arrays over regions and arrays: what they see, and what they keep in place."""

from typing import Any

import numpy as np

import vmem

# --- over a region: its slices and views are buffers, it is none itself ---

POINT = np.dtype([("x", "f8"), ("y", "f8"), ("color", "u1", (4,))], align=True)

region = vmem.reserve(1 << 30)
region.commit(0, 1000 * POINT.itemsize)
points = np.frombuffer(region.view(0, 1000 * POINT.itemsize), dtype=POINT)
points["x"] = np.linspace(0.0, 1.0, len(points))
points[3] = (0.5, -0.5, (255, 0, 0, 255))
assert points.ctypes.data == region.address

region.commit(0, 1 << 20)  # more memory behind it: the array is still valid
points["y"][4:] = 2.0
grid = np.frombuffer(region.view(1 << 16, 8 * 10 * 20), dtype="f8").reshape(10, 20)
grid[3, 4] = 7.0
assert np.frombuffer(region.view((1 << 16) + 8 * 64, 8), "f8")[0] == 7.0

try:
    region.decommit(0, 1)
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("memory went away under an array")
del points, grid
region.release()

# --- over an Array: of the items that are there when it is made ---

samples = vmem.Array("d", range(10))
early = np.asarray(samples)
samples.extend(range(100_000))  # grows under it
early[0] = 99.0
assert samples[0] == 99.0
assert len(early) == 10
assert len(np.asarray(samples)) == 100_010  # made again, it sees all

try:
    samples.clear()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("items went away under an array")
del early
samples.clear()

# --- the trap: np.ndarray(buffer=...) lets go of the buffer ---


def wrap(buffer: Any) -> Any:
    return np.ndarray((100_000,), dtype="f8", buffer=buffer)


samples.extend(range(100_000))
loose = wrap(samples)
samples.clear()  # it keeps only `samples`, so nobody refuses this
samples.shrink_to_fit()
assert not loose.any()  # it looks at emptied memory: no crash, but no items either

# A memoryview in between keeps the buffer, and the array keeps the memoryview.
samples.extend(range(100_000))
safe = wrap(memoryview(samples))
try:
    samples.clear()
except BufferError:
    assert safe[-1] == 99_999.0
else:
    raise AssertionError("items went away under an array")
print("an array of NumPy keeps what it looks at")
