"""An array of measurements that grows while a NumPy array shows it."""

import numpy as np

import vmem

# An empty array of doubles, and a first second of measurements.
samples = vmem.Array("d")
samples.extend(np.sin(np.linspace(0, 1, 1000)))
first_second = np.asarray(samples)  # shares the memory, copies nothing
assert first_second.shape == (1000,)

# It grows to a thousand times its size while first_second is alive.
address = samples.buffer_info()[0]
for second in range(1, 1000):
    samples.extend(np.sin(np.linspace(second, second + 1, 1000)))
assert len(samples) == 1_000_000
assert samples.buffer_info()[0] == address  # nothing has moved

# Both show the same memory.
samples[0] = 42.0
assert first_second[0] == 42.0
first_second += 1.0
assert samples[0] == 43.0

# A view keeps its length. A new one shows all items.
assert len(first_second) == 1000
everything = np.asarray(samples)
assert len(everything) == 1_000_000
assert np.shares_memory(first_second, everything)

# While a view is alive, the array cannot become shorter than that view.
try:
    samples.pop()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("an item in use by a view was removed")
assert len(samples) == 1_000_000

# Without the longer view it can, down to the end of the shorter one.
del everything
del samples[1000:]
assert samples[0] == first_second[0]

# Unused memory is returned to the system on request.
samples.shrink_to_fit()
samples.append(0.5)
assert len(samples) == 1001
assert samples.buffer_info()[0] == address
print("1001 samples, still at", hex(address))

# An item can be a row: here a position and a speed.
states = vmem.Array[tuple[float, ...]]("f", row_shape=(2,))
states.append((0.0, 1.5))
states.extend(np.ones((1000, 2), dtype="f"))
assert states[0] == (0.0, 1.5)
assert np.asarray(states).shape == (1001, 2)
