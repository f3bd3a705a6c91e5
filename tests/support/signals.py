"""Signal handlers that run in the middle of a long call."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import vmem


def is_at_work(region: vmem.Region) -> bool:
    """Whether a long call is at work on the first page. Asks by a call that would change nothing."""
    try:
        (region.commit if region.is_committed(0, 1) else region.decommit)(0, 1)
    except BufferError:
        return True
    return False


def visit(
    region: vmem.Region,
    action: Callable[[], object],
    call: Callable[[], object],
    prepare: Callable[[], object],
) -> None:
    """Prepares and calls until a signal handler has run an action once, in the middle of the call.

    The signals come from a timer, as often as it can.
    """
    turn = threading.Lock()  # the next signal may come in the middle of the handler
    called = visited = False

    def handle(number: int, frame: object) -> None:
        nonlocal visited
        if not called or visited or not turn.acquire(blocking=False):
            return
        try:
            if is_at_work(region):
                visited = True
                action()
        finally:
            turn.release()

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        for _ in range(10_000):
            prepare()
            called = True
            call()
            called = False
            if visited:
                return
        raise AssertionError("no signal came in the middle of the call")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, ignore_late_signal)


def ignore_late_signal(number: int, frame: object) -> None:
    """Stays after the timer has stopped: a last signal may be pending, and would end a process that has no handler."""
