"""Paths of files that are not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a file that is not there yet, and raw."""
    return tmp_path / "numbers.raw"


@pytest.fixture
def npy(tmp_path: Path) -> Path:
    """Of a file that is not there yet, for NumPy."""
    return tmp_path / "numbers.npy"
