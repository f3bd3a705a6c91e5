"""Programs that tests run in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]  # of the checkout


def run_python(code: str, *arguments: str, expect: int = 0) -> str:
    """Runs code in a new interpreter, checks its exit status, and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == expect, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def run_vmem(*arguments: str, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m vmem`` with these arguments, in `limit` bytes of address space."""

    def set_limit() -> None:
        import resource

        assert limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "vmem", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
        preexec_fn=set_limit if limit else None,
    )


def run_python_to_death(code: str) -> None:
    """Runs code that must end in a memory fault, after it has printed "ready"."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "ready", f"it did not get that far\n{done.stdout}\n{done.stderr}"
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGBUS), f"exit status {done.returncode}\n{done.stderr}"
