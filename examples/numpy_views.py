"""NumPy arrays over regions and arrays: what they show, and what they pin."""

from typing import Any

import numpy as np

import vmem

# --- over a region: its slices and views support the buffer protocol ---

POINT = np.dtype([("x", "f8"), ("y", "f8"), ("color", "u1", (4,))], align=True)

region = vmem.reserve(1 << 30)
region.commit(0, 1000 * POINT.itemsize)
points = np.frombuffer(region.view(0, 1000 * POINT.itemsize), dtype=POINT)
points["x"] = np.linspace(0.0, 1.0, len(points))
points[3] = (0.5, -0.5, (255, 0, 0, 255))
assert points.ctypes.data == region.address

region.commit(0, 1 << 20)  # the region grows: the array stays valid
points["y"][4:] = 2.0
grid = np.frombuffer(region.view(1 << 16, 8 * 10 * 20), dtype="f8").reshape(10, 20)
grid[3, 4] = 7.0
assert np.frombuffer(region.view((1 << 16) + 8 * 64, 8), "f8")[0] == 7.0

try:
    region.decommit(0, 1)
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("memory in use by an array was decommitted")
del points, grid
region.release()

# --- over an Array: the items that exist when the NumPy array is made ---

samples = vmem.Array("d", range(10))
early = np.asarray(samples)
samples.extend(range(100_000))  # grows while early is alive
early[0] = 99.0
assert samples[0] == 99.0
assert len(early) == 10
assert len(np.asarray(samples)) == 100_010  # a new one shows all items

try:
    samples.clear()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("items in use by an array were removed")
del early
samples.clear()

# --- a pitfall: np.ndarray(buffer=...) releases the buffer ---


def wrap(buffer: Any) -> Any:
    return np.ndarray((100_000,), dtype="f8", buffer=buffer)


samples.extend(range(100_000))
loose = wrap(samples)
samples.clear()  # not refused: `loose` references only the object `samples`
samples.shrink_to_fit()
assert not loose.any()  # it shows discarded pages: no crash, but no items either

# A memoryview keeps the buffer, and the NumPy array keeps the memoryview.
samples.extend(range(100_000))
safe = wrap(memoryview(samples))
try:
    samples.clear()
except BufferError:
    assert safe[-1] == 99_999.0
else:
    raise AssertionError("items in use by an array were removed")
print("NumPy arrays keep the memory that they show")
