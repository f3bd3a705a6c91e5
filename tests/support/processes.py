"""Programs that tests run in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
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


def run_command(command: Sequence[str | Path], *, text: str = "", expect: int = 0, **environment: str) -> str:
    """Runs a command that reads `text`, checks its exit status, and returns its output. If it must fail, its errors."""
    done = subprocess.run(
        command, input=text, env=os.environ | environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == expect, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout if expect == 0 else done.stderr


def make_address_limit(num_bytes: int | None) -> Callable[[], None] | None:
    """A `preexec_fn` that limits the address space of a child, or None without a limit."""
    if num_bytes is None:
        return None

    def set_limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))

    return set_limit


def run_vmem(*arguments: str, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m vmem`` with these arguments, in `limit` bytes of address space."""
    return subprocess.run(
        [sys.executable, "-m", "vmem", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
        preexec_fn=make_address_limit(limit),
    )


def run_python_to_death(code: str) -> None:
    """Runs code that must end in a memory fault, after it has printed "ready"."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "ready", f"it did not get that far\n{done.stdout}\n{done.stderr}"
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGBUS), f"exit status {done.returncode}\n{done.stderr}"
