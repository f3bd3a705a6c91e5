"""Systems that cannot grow a file under its mapping have no arrays in files, and say so."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

import vmem


@pytest.fixture(scope="session", autouse=True)
def _has_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            vmem.open_array(Path(folder, "a"), "B", mode="x").close()
        except NotImplementedError as error:
            assert sys.platform != "linux"
            pytest.skip(str(error))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a file that is not there yet, and raw."""
    return tmp_path / "numbers.raw"


@pytest.fixture
def npy(tmp_path: Path) -> Path:
    """Of a file that is not there yet, for NumPy."""
    return tmp_path / "numbers.npy"
