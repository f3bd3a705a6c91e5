"""Settings of the kernel that tests change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def setting(name: str, value: str) -> Iterator[None]:
    """Changes a setting of the kernel during a test. Only root can."""
    path = Path("/proc/sys/vm") / name
    before = path.read_text()
    path.write_text(value)
    try:
        yield
    finally:
        path.write_text(before)
