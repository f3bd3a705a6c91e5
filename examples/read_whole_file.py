"""A file of unknown size, read into a region, and its lines as views."""

import re
import tempfile
from pathlib import Path

import vmem

STEP = 1 << 20  # memory is committed in multiples of this
READ_SIZE = 1 << 18  # the most that one read returns


def read_whole(path: Path, region: vmem.Region) -> memoryview:
    """Reads until the end of the file, without asking for its size."""
    length = 0
    with path.open("rb", buffering=0) as file:
        while num_read := file.readinto(next_buffer(region, length)):
            length += num_read
    return region.view(0, length)


def next_buffer(region: vmem.Region, length: int) -> memoryview:
    """The buffer for the next read, committed if necessary."""
    missing = length + READ_SIZE - region.committed
    if missing > 0:
        region.commit(region.committed, vmem.align_forward(missing, STEP))
    return region.view(length, READ_SIZE)


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "lines")
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(300_000)))
    size = path.stat().st_size

    region = vmem.reserve(1 << 30)
    text = read_whole(path, region)
    assert len(text) == size
    assert region.committed < size + 2 * STEP

# The offsets of the lines. Offsets pin nothing.
starts = vmem.Array("q", [0])
starts.extend(match.end() for match in re.finditer(rb"\n", text))
assert len(starts) == 300_001

# A line as a slice of the one view: faster than region[a:b], but pins all of the text.
line = text[starts[4321] : starts[4322]]
assert bytes(line) == b"line 4321\n"
del text
try:
    region.decommit(size // 2, 1)
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("memory in use by a slice of a view was decommitted")

# A line that outlives the rest: a view of its own, or a copy.
line = region[starts[4321] : starts[4322]]
region.decommit(size // 2)
assert bytes(line) == b"line 4321\n"
line.release()
region.release()
print(len(starts) - 1, "lines, read into place")
