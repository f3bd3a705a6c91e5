"""An array of measurements that grows while NumPy looks at it."""

import numpy as np

import vmem

# An empty array of doubles, and a first second of measurements.
samples = vmem.Array("d")
samples.extend(np.sin(np.linspace(0, 1, 1000)))
first_second = np.asarray(samples)  # shares the memory, copies nothing
assert first_second.shape == (1000,)

# It grows to a thousand times its size while first_second looks at it.
address = samples.buffer_info()[0]
for second in range(1, 1000):
    samples.extend(np.sin(np.linspace(second, second + 1, 1000)))
assert len(samples) == 1_000_000
assert samples.buffer_info()[0] == address  # nothing has moved

# What one of them writes the other one reads.
samples[0] = 42.0
assert first_second[0] == 42.0
first_second += 1.0
assert samples[0] == 43.0

# A view keeps its length. Another one sees everything that is there now.
assert len(first_second) == 1000
everything = np.asarray(samples)
assert len(everything) == 1_000_000
assert np.shares_memory(first_second, everything)

# While it is looked at, the array cannot get shorter than a view reaches.
try:
    samples.pop()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("an item was taken out under a view")
assert len(samples) == 1_000_000

# Without the longer view it can, down to where the shorter one ends.
del everything
del samples[1000:]
assert samples[0] == first_second[0]

# What is not used goes back to the system when you say so.
samples.shrink_to_fit()
samples.append(0.5)
assert len(samples) == 1001
assert samples.buffer_info()[0] == address
print("1001 samples, still at", hex(address))
