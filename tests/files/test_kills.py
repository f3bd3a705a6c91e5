"""Writers that are killed at random moments: what flush() has returned from is there, and the file opens again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vmem
from tests.programs.shared_writer import STEP, make_items
from tests.support.marks import search
from tests.support.processes import ROOT

ROUNDS = search(20, long=1000)


def kill_writer(path: Path, seed: int, num_reports: int) -> int:
    """Lets a process fill the file and kills it after so many reports. Returns how many items were flushed at least."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.programs.file_writer", str(path), str(seed)], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(num_reports)]
        process.kill()
        lines += process.stdout.readlines()  # what it has reported meanwhile
        assert process.wait() == (1 if sys.platform == "win32" else -signal.SIGKILL)
    return max((int(line) for line in lines if line.endswith(b"\n")), default=0)


def items_of(start: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.arange(start, start + count, dtype=np.uint64) * np.uint64(STEP)


def check_items(contents: bytes, num_flushed: int) -> None:
    """The items that were flushed are right, and each byte behind them is right or zero."""
    found = np.frombuffer(contents, np.uint64)
    expected = items_of(0, len(found))
    assert len(found) >= num_flushed
    assert (found[:num_flushed] == expected[:num_flushed]).all()
    rest, right = (each[num_flushed:].view(np.uint8) for each in (found, expected))
    assert ((rest == right) | (rest == 0)).all()


def check_going_on(path: Path) -> None:
    """The next writer begins where the last one was stopped, and what it writes is right."""
    with vmem.open_array(path, "Q", mode="a") as made:
        start = len(made)
        made.extend(make_items(start, 1000))
        made.flush()
        assert made[start:].tolist() == items_of(start, 1000).tolist()
    del made  # Windows removes no file that is mapped
    with vmem.open_array(path, "Q") as reader:
        assert len(reader) == start + 1000
        assert reader[start:].tolist() == items_of(start, 1000).tolist()


@pytest.mark.parametrize("num_rounds", ROUNDS)
def test_raw_files(num_rounds: int, tmp_path: Path) -> None:
    numbers = random.Random(num_rounds)
    for seed in range(num_rounds):
        path = tmp_path / f"{seed}.raw"
        num_flushed = kill_writer(path, seed, numbers.randrange(12))
        if num_flushed == 0 and not path.exists():
            continue
        assert path.stat().st_size % 8 == 0
        check_items(path.read_bytes(), num_flushed)
        with vmem.open_array(path, "Q") as reader:
            assert reader[:num_flushed].tolist() == items_of(0, num_flushed).tolist()
        del reader
        check_going_on(path)
        path.unlink()


@pytest.mark.parametrize("num_rounds", ROUNDS)
def test_files_of_numpy(num_rounds: int, tmp_path: Path) -> None:
    """NumPy reads what the last flush has shown, nothing else."""
    numbers = random.Random(-num_rounds)
    for seed in range(num_rounds):
        path = tmp_path / f"{seed}.npy"
        num_flushed = kill_writer(path, seed, numbers.randrange(12))
        if num_flushed == 0 and (not path.exists() or path.stat().st_size == 0):
            continue  # it was killed before it had written a header
        found = np.load(path)
        assert len(found) >= num_flushed
        assert (found == items_of(0, len(found))).all()
        check_items(path.read_bytes()[128:], len(found))
        with vmem.open_array(path) as reader:
            assert len(reader) == len(found)
        del reader
        check_going_on(path)
        assert (np.load(path) == items_of(0, len(found) + 1000)).all()
        path.unlink()
