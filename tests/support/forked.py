"""Tests in a child process, so that one that crashes or hangs does not take the others along."""

from __future__ import annotations

import ctypes
import os
import pickle
import select
import signal
import sys
import threading
import warnings
from collections.abc import Callable

import pytest

# Another thread can hold a lock of AddressSanitizer's allocator while this one forks, and the child then waits for it.
HAS_SANITIZER = "libasan" in os.environ.get("LD_PRELOAD", "")
CAN_FORK = hasattr(os, "fork") and not HAS_SANITIZER
TIMEOUT = 900  # seconds, also for emulated machines


def run_in_child(test: Callable[[], object]) -> None:
    """Runs a test in a forked child, and ends here as it has ended there."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy's threads, which the child does without
        child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, pickle.dumps(find_outcome(test)))
        end_child()
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], TIMEOUT)
        report = read_all(reader) if ready else b""
    finally:
        os.close(reader)
        if not ready:
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not ready:
        pytest.fail(f"it did not end in {TIMEOUT} s", pytrace=False)
    if not report:
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        pytest.fail(f"it ended its process: {how}", pytrace=False)
    outcome, text = pickle.loads(report)
    if outcome == "skipped":
        pytest.skip(text)
    if outcome == "failed":
        pytest.fail(text, pytrace=False)


def read_all(descriptor: int) -> bytes:
    parts: list[bytes] = []
    while part := os.read(descriptor, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def find_outcome(test: Callable[[], object]) -> tuple[str, str]:
    """How a test ends. Exceptions that nobody can catch are failures, as they are in pytest's own process."""
    __tracebackhide__ = True
    lost: list[str] = []
    sys.unraisablehook = lambda error: lost.append(repr(error.exc_value))
    threading.excepthook = lambda error: lost.append(repr(error.exc_value))
    try:
        test()
    except pytest.skip.Exception as skipped:
        return "skipped", str(skipped)
    except BaseException as error:
        return "failed", str(pytest.ExceptionInfo.from_exception(error).getrepr(style="short"))
    return ("failed", "\n".join(lost)) if lost else ("passed", "")


def end_child() -> None:
    """Without what pytest does at its end. Builds that count how often lines run write that in exit()."""
    counts = "--coverage" in os.environ.get("CFLAGS", "")
    (ctypes.CDLL(None).exit if counts else os._exit)(0)
