"""Arrays that are saved without a copy, and loaded into an arena."""

import pickle
import tempfile
from pathlib import Path

import numpy as np

import vmem


def save(thing: object, folder: Path) -> None:
    """Writes a small pickle, and a file for each array, directly from its memory."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    (folder / "pickle").write_bytes(data)
    for number, buffer in enumerate(buffers):
        (folder / f"part-{number}").write_bytes(buffer)


def load(folder: Path, arena: vmem.Arena) -> object:
    """Reads the items into the arena, where the NumPy arrays then use them."""
    parts = []
    for path in sorted(folder.glob("part-*")):
        part = arena.alloc(path.stat().st_size, zero=False)
        with path.open("rb", buffering=0) as file:
            assert file.readinto(part) == len(part)
        parts.append(part)
    data = (folder / "pickle").read_bytes()
    return pickle.loads(data, buffers=parts)  # trusted: save() wrote it


# --- pickling copies nothing ---

region = vmem.reserve(1 << 30)
region.commit(0, 8_000_000)
numbers = np.frombuffer(region.view(0, 8_000_000), dtype=np.float64)
numbers[:] = np.arange(1_000_000)
counts = vmem.Array("q", range(100_000))

buffers: list[pickle.PickleBuffer] = []
data = pickle.dumps([numbers, counts], protocol=5, buffer_callback=buffers.append)
assert len(data) < 1000
places = [np.frombuffer(buffer.raw(), np.uint8).ctypes.data for buffer in buffers]
assert places == [region.address, counts.buffer_info()[0]]

# Until the buffers are deleted, the array can grow, but not shrink.
counts.extend(range(1000))
try:
    counts.clear()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("items in use by a PickleBuffer were removed")
del buffers
del counts[100_000:]

# --- unpickling copies only the items of an Array, which has its own memory ---

with tempfile.TemporaryDirectory() as folder:
    save([numbers, counts], Path(folder))
    arena = vmem.Arena(1 << 28)
    again = load(Path(folder), arena)
assert isinstance(again, list)
assert np.array_equal(again[0], numbers)
assert again[1] == counts
again[1].extend(range(100_000))

# The loaded NumPy array is in the arena and pins that memory.
assert arena.used >= again[0].nbytes
try:
    arena.reset()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("memory in use by an array was freed")
del again
arena.reset()
