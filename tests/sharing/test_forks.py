"""What a forked process gets of shared regions: the same memory, and a record of its own."""

from __future__ import annotations

import pytest

from tests.support.forked import CAN_FORK
from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.processes import run_python

pytestmark = [
    needs_shared_memory,
    posix_only,
    pytest.mark.skipif(not CAN_FORK, reason="AddressSanitizer can keep a forked child waiting"),
]

FORK = """
    import os, sys, vmem
    from vmem import Protection

    def in_child(check):
        child = os.fork()
        if child == 0:
            try:
                check()
            except BaseException as error:
                print("child:", repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    page = vmem.get_page_size()
    region = vmem.reserve(64 * page, shared=True, name="forked")
    region.commit(0, 2 * page)
    region[0:5] = b"hello"
"""


def test_both_see_what_each_writes() -> None:
    run_python(
        FORK
        + """
    view = region[0:5]
    def check():
        assert bytes(region[0:5]) == b"hello"
        region[0] = ord("j")
        view[4] = ord("y")
    in_child(check)
    assert bytes(view) == b"jelly"
    """
    )


def test_commits_after_the_fork_are_each_ones_own() -> None:
    run_python(
        FORK
        + """
    def check():
        region.commit(8 * page, page)
        region[8 * page] = 7
        region.protect(Protection.READ, 0, page)
    in_child(check)
    assert region.ranges()[:2] == [(0, 2 * page, True, 2), (2 * page, 62 * page, False, 0)]
    region[0] = 1
    region.commit(8 * page, page)
    assert region[8 * page] == 7
    """
    )


def test_releasing_in_one_leaves_the_other() -> None:
    run_python(
        FORK
        + """
    def release():
        region.release()
        assert region.released
    in_child(release)
    region.commit()
    assert bytes(region[0:5]) == b"hello"

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        region.commit()
        os._exit(bytes(region[0:5]) != b"hello")
    region.release()
    os.write(writer, b"x")
    assert os.waitpid(child, 0)[1] == 0
    """
    )


def test_attaching_and_forking_in_a_child() -> None:
    run_python(
        FORK
        + """
    def check():
        other = vmem.attach(region.fileno())
        other.commit(0, page)
        assert bytes(other[0:5]) == b"hello"
        in_child(lambda: other.__setitem__(slice(0, 5), b"reply"))
    in_child(check)
    assert bytes(region[0:5]) == b"reply"
    """
    )


@linux_only
@pytest.mark.exact_memory
def test_locks_are_not_inherited() -> None:
    run_python(
        FORK
        + """
    from tests.support.system import status_bytes
    region.lock(0, page)
    def check():
        assert status_bytes("VmLck") == 0
        region.lock(0, 2 * page)
        assert status_bytes("VmLck") == 2 * page
        region.unlock(0, 2 * page)
    in_child(check)
    assert status_bytes("VmLck") == page
    """
    )


def test_a_fork_in_the_middle_of_a_long_commit() -> None:
    """In a signal handler. The child's record is that of before, and its next commit works."""
    run_python(
        FORK
        + """
    import signal
    large = vmem.reserve(256 << 20, shared=True)
    forked = []

    def fork(number, frame):
        if not forked:
            forked.append(os.fork())

    signal.signal(signal.SIGALRM, fork)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    parent = os.getpid()
    try:
        large.commit(0, 64 << 20, prefault=True)
    except BufferError:
        pass
    while not forked:
        signal.pause()
    if os.getpid() != parent:
        large.commit(0, 64 << 20)
        large[0], large[(64 << 20) - 1] = 1, 2
        os._exit(0)
    assert os.waitpid(forked[0], 0)[1] == 0
    assert (large[0], large[(64 << 20) - 1]) == (1, 2)
    """
    )


def test_forks_that_run_no_handlers_leave_regions_as_they_are() -> None:
    run_python(
        FORK
        + """
    import ctypes
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        region[0:5] = b"reply"
        os._exit(0)
    os.waitpid(child, 0)
    assert bytes(region[0:5]) == b"reply"
    """
    )
