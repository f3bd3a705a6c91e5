"""A key that is never written to swap, and is zeroed after use."""

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import vmem

KEY_SIZE = 32


def locked_by_process() -> int:
    """How many bytes this process has locked, as Linux reports it."""
    match = re.search(
        r"^VmLck:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE
    )
    assert match
    return int(match[1]) * 1024


@contextmanager
def load_key(path: Path) -> Iterator[memoryview]:
    """Reads a key from a file into locked memory, until the end of the block."""
    with vmem.reserve(KEY_SIZE) as region:
        region.commit()
        region.lock()  # before the key is read
        with region.view(0, KEY_SIZE) as key:
            try:
                with path.open("rb", buffering=0) as file:  # a buffer would keep a copy
                    assert file.readinto(key) == KEY_SIZE
                yield key
            finally:
                key[:] = bytes(KEY_SIZE)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "key")
        path.write_bytes(os.urandom(KEY_SIZE))
        expected = hashlib.blake2b(b"a message", key=path.read_bytes()).hexdigest()

        before = locked_by_process() if sys.platform == "linux" else 0
        with load_key(path) as key:
            signature = hashlib.blake2b(b"a message", key=key).hexdigest()
            if sys.platform == "linux":
                assert locked_by_process() == before + vmem.get_page_size()
        assert signature == expected
        if sys.platform == "linux":
            assert locked_by_process() == before
    print("signed:", signature[:16])


main()
