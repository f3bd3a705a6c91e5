"""Rows of one shape in files, raw and of NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.files import untouched

MODES = ["r", "r+", "a"]


def test_rows(npy: Path) -> None:
    with vmem.open_array(npy, "f", mode="x", row_shape=(3,)) as made:
        made.append((1.0, 2.0, 3.0))
        made.extend(np.ones((10, 3), "f"))
        made.flush()
        found = np.load(npy)
        assert found.shape == (11, 3)
        assert found[0].tolist() == [1.0, 2.0, 3.0]
        assert np.asarray(made).shape == (11, 3)
    with vmem.open_array(npy) as made:
        assert made.row_shape == (3,)
        assert len(made) == 11
        assert made[0] == (1.0, 2.0, 3.0)
    with vmem.open_array(npy, "f", row_shape=(3,)) as made:
        assert len(made) == 11


@pytest.mark.parametrize("mode", MODES)
def test_the_shape_without_a_typecode(npy: Path, path: Path, mode: Any) -> None:
    """It must agree, where there is a file that says it."""
    np.save(npy, np.ones((4, 3)))
    with vmem.open_array(npy, row_shape=(3,), mode=mode) as made:
        assert made.row_shape == (3,)
    del made  # Windows changes no file that is mapped
    for row_shape in ((2,), (3, 1), (0,), (-3,)):
        with untouched(npy), pytest.raises(ValueError, match=r"3|positive"):
            vmem.open_array(npy, row_shape=row_shape, mode=mode)
    path.write_bytes(bytes(24))
    with untouched(path), pytest.raises(TypeError, match="typecode"):
        vmem.open_array(path, row_shape=(3,), mode=mode)
    npy.unlink()
    with pytest.raises((TypeError, FileNotFoundError)):
        vmem.open_array(npy, row_shape=(3,), mode=mode)
    assert not npy.exists()


@pytest.mark.parametrize("row_shape", [(2,), (3, 1), (1, 3)])
@pytest.mark.parametrize("mode", MODES)
def test_rows_of_another_shape(npy: Path, mode: Any, row_shape: tuple[int, ...]) -> None:
    np.save(npy, np.ones((4, 3)))
    with untouched(npy), pytest.raises(ValueError, match="3"):
        vmem.open_array(npy, "d", row_shape=row_shape, mode=mode)


def test_rows_of_raw_files(path: Path) -> None:
    path.write_bytes(np.arange(12.0).tobytes())
    with vmem.open_array(path, "d", row_shape=(2, 3), mode="r+") as made:
        assert len(made) == 2
        assert np.asarray(made).shape == (2, 2, 3)
        made.append([[1.0] * 3] * 2)
    del made  # Windows changes no file that is mapped
    assert path.stat().st_size == 3 * 48
    path.write_bytes(bytes(40))
    with untouched(path), pytest.raises(ValueError, match="40"):
        vmem.open_array(path, "d", row_shape=(2, 3), mode="r+")
