"""A file of unknown size that is read into a region, and lines in it that are views."""

import re
import tempfile
from pathlib import Path

import vmem

STEP = 1 << 20  # memory is committed by so much at a time
ROOM = 1 << 18  # what is offered for one read


def read_whole(path: Path, region: vmem.Region) -> memoryview:
    """Reads until nothing comes any more, and asks nobody how much that will be."""
    length = 0
    with path.open("rb", buffering=0) as file:
        while num_read := file.readinto(make_room(region, length)):
            length += num_read
    return region.view(0, length)


def make_room(region: vmem.Region, length: int) -> memoryview:
    """What comes next goes here."""
    missing = length + ROOM - region.committed
    if missing > 0:
        region.commit(region.committed, vmem.align_forward(missing, STEP))
    return region.view(length, ROOM)


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "lines")
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(300_000)))
    size = path.stat().st_size

    region = vmem.reserve(1 << 30)
    text = read_whole(path, region)
    assert len(text) == size
    assert region.committed < size + 2 * STEP

# Where the lines end, found where they lie. Numbers pin nothing.
starts = vmem.Array("q", [0])
starts.extend(match.end() for match in re.finditer(rb"\n", text))
assert len(starts) == 300_001

# A line, as a slice of the one view: quicker than region[a:b], and it pins all of it.
line = text[starts[4321] : starts[4322]]
assert bytes(line) == b"line 4321\n"
del text
try:
    region.decommit(size // 2, 1)
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("memory went away under a slice of a view")

# A line that is to stay when the rest goes, as a view of its own or as a copy.
line = region[starts[4321] : starts[4322]]
region.decommit(size // 2)
assert bytes(line) == b"line 4321\n"
line.release()
region.release()
print(len(starts) - 1, "lines, read into place")
