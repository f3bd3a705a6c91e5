"""What is made once per run of pytest, by whichever of its processes needs it first."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SharedFolder = Callable[[str, Callable[[Path], object]], Path]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lets one process in at a time."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_shared_folder(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """A folder of this name that `fill` has filled, in this process or in another of the same run."""
    is_shared = "PYTEST_XDIST_WORKER" in os.environ
    base = factory.getbasetemp().parent if is_shared else factory.getbasetemp()
    folder, filled = base / name, base / f"{name}.filled"
    with locked(base / f"{name}.lock") if is_shared else contextlib.nullcontext():
        if not filled.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            filled.touch()
    return folder
