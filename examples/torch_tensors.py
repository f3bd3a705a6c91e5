"""PyTorch tensors over regions and arrays: both show the same memory."""

import torch

import vmem

# --- over a region ---

region = vmem.reserve(1 << 30)
region.commit(0, 4 * 1000)
weights = torch.frombuffer(region.view(0, 4 * 1000), dtype=torch.float32)
assert weights.data_ptr() == region.address
weights.fill_(0.5)
assert memoryview(region[0:8]).cast("f").tolist() == [0.5, 0.5]

region.commit(4 * 1000, 1 << 20)  # grows while the tensor is alive
matrix = weights.reshape(10, 100)  # a view of the tensor: the same memory
del weights
assert (matrix @ matrix.T)[0, 0].item() == 25.0

try:
    region.decommit(0, 4 * 1000)
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("memory in use by a tensor was decommitted")
del matrix
region.decommit(0, 4 * 1000)
region.release()

# --- over an Array ---

samples = vmem.Array("d", range(1000))
batch = torch.from_dlpack(samples)  # float64, without a copy
assert batch.data_ptr() == samples.buffer_info()[0]
samples.extend(range(100_000))  # grows while batch is alive
samples[0] = 7.0
assert batch[0].item() == 7.0
batch[1] = 8.0
assert samples[1] == 8.0
assert len(batch) == 1000

try:
    samples.clear()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("items in use by a tensor were removed")
del batch
samples.clear()
