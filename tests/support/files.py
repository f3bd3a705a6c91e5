"""Files that arrays are opened from: what is in them, and that a refused call has not touched them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import vmem

ALIGNMENT = 64  # of the items in files of NumPy

# Whether writers tell readers what was flushed, for which other systems have no locks: there a file has no bytes behind
# its items, and readers of a raw one see all of them at once.
PUBLISHES = sys.platform in ("linux", "win32")


class FileState(NamedTuple):
    contents: bytes
    changed: int
    mode: int
    inode: int
    num_blocks: int


def look_at(path: Path) -> FileState:
    status = path.stat()
    return FileState(
        path.read_bytes(), status.st_mtime_ns, status.st_mode, status.st_ino, getattr(status, "st_blocks", 0)
    )


@contextmanager
def untouched(path: Path) -> Iterator[None]:
    """Checks that a file has the same bytes and the same time of its last change afterwards.

    On Windows the bytes: whoever opens it to write makes it longer for a while.
    """
    if sys.platform == "win32":
        contents = path.read_bytes()
        yield
        assert path.read_bytes() == contents
        return
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    before = look_at(path)
    yield
    assert look_at(path) == before


def hides(path: str | Path) -> bool:
    """Whether readers of a file see only what was flushed, of what its writer has appended."""
    return PUBLISHES or str(path).endswith(".npy")


def read_open(path: Path, num_bytes: int) -> bytes:
    """Checks the size of a file that is open to be written, and was flushed. Returns its bytes, which are so many.

    On Windows there are zeros after them.
    """
    contents = path.read_bytes()
    if sys.platform == "win32":
        assert len(contents) >= num_bytes
        assert len(contents) % vmem.get_allocation_granularity() == 0
        assert not any(contents[num_bytes:])
    else:
        assert len(contents) == num_bytes
    return contents[:num_bytes]


def make_npy(items: Any, version: tuple[int, int] = (1, 0)) -> bytes:
    """What NumPy writes."""
    import numpy as np

    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(items), version)
    return file.getvalue()


def make_header(text: str, version: tuple[int, int] = (1, 0), *, size: int | None = None) -> bytes:
    """The beginning of an .npy file with this dictionary, padded as NumPy does. `size` is what it says it has."""
    width = 2 if version == (1, 0) else 4
    unpadded = 6 + 2 + width + len(text) + 1
    padded = text + " " * (-unpadded % ALIGNMENT) + "\n"
    length = len(padded) if size is None else size
    return b"\x93NUMPY" + bytes(version) + length.to_bytes(width, "little") + padded.encode("latin-1")


def describe(shape: Sequence[int] | str, descr: str = "'<f8'", order: str = "False") -> str:
    """A dictionary of an .npy file, as NumPy writes it."""
    text = shape if isinstance(shape, str) else str(tuple(shape))
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {text}, }}"


def count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def count_maps_of(path: Path) -> int:
    """The mappings that this process has of a file."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sum(str(path) in line for line in lines)
