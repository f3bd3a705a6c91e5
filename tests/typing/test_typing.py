"""Types: mypy checks the programs in typing/, and stubtest the stub of the extension."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", ["usage.py", "misuse.py"])
def test_mypy_accepts_usage_and_refuses_misuse(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(FOLDER / name)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_usage_runs() -> None:
    runpy.run_path(str(FOLDER / "usage.py"))


def test_the_stub_is_exact(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "vmem._vmem",
            "--allowlist",
            str(FOLDER / "stubtest_allowlist.txt"),
            "--ignore-unused-allowlist",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
