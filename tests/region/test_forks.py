"""What a forked process gets of a region: a copy of its contents, zeros, or nothing."""

from __future__ import annotations

import pickle

import pytest

import vmem
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python

FORK = """
    import os, vmem

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

    def make(fork):
        region = vmem.reserve(1 << 30, fork=fork)
        region.commit(0, 2 * page)
        region[0 : 2 * page] = b"x" * (2 * page)
        return region
"""


@posix_only
def test_a_copy() -> None:
    run_python(
        FORK
        + """
    region = make("copy")
    def check():
        assert bytes(region[0 : 2 * page]) == b"x" * (2 * page)
        region[0] = 1
        region.release()
    in_child(check)
    assert region[0] == ord("x")
    """
    )


@linux_only
def test_zeros() -> None:
    run_python(
        FORK
        + """
    region = make("zero")
    region.decommit(page, page)
    region.commit(page, 2 * page, prefault=True)
    region[page] = region[2 * page] = 1
    region.protect(vmem.Protection.READ, page, page)
    view = region[0:page]
    def check():
        assert view == bytes(page) and bytes(region[0 : 3 * page]) == bytes(3 * page)
        assert region[page:2 * page].readonly
        region[0] = 2
        region.commit(1 << 20, page)
        region[1 << 20] = 3
        view.release()
        region.release()
    in_child(check)
    assert region[0] == ord("x") and region[page] == region[2 * page] == 1
    """
    )


@linux_only
def test_nothing() -> None:
    """The region is released in the child. Views that are alive stay valid there, and read zero."""
    run_python(
        FORK
        + """
    region, viewed, dropped = make("none"), make("none"), [make("none")]
    view = viewed[0:page]
    def check():
        for call in (lambda: region[0], lambda: region[0:1], lambda: region.commit(), lambda: region.address,
                     lambda: region.ranges(), lambda: region.map(), lambda: len(region), lambda: region.view(0, 1),
                     lambda: region.decommit(), lambda: region.prefault(0, page), lambda: region.resident()):
            try:
                call()
            except ValueError as error:
                assert str(error) == "this region of 1073741824 bytes has been released", error
            else:
                raise SystemExit("it is not released")
        assert region.released and region.committed == 0 and "released" in repr(region)
        region.release()
        dropped.clear()
        assert view == bytes(page)
        view[0] = 1
        viewed.release()
        assert viewed.released and view[0] == 1
        again = make("none")
        assert again[0] == ord("x")
    in_child(check)
    assert not region.released and region[0] == view[0] == ord("x")
    assert "released" not in repr(region)
    """
    )


@linux_only
def test_a_child_of_a_child() -> None:
    run_python(
        FORK
        + """
    region = make("none")
    in_child(lambda: in_child(lambda: region.released or 1 / 0))
    """
    )


@pytest.mark.parametrize("fork", ["", "Copy", "wipe", "none "])
def test_other_words_are_refused(fork: str, page: int) -> None:
    with pytest.raises(ValueError, match="fork must be 'copy', 'none' or 'zero', got "):
        vmem.reserve(page, fork=fork)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fork must be 'copy', 'none' or 'zero', got "):
        vmem.Region(page, fork=fork)  # type: ignore[arg-type]


@pytest.mark.parametrize("fork", [None, 1, b"copy", pickle])
def test_other_types_are_refused(fork: object, page: int) -> None:
    with pytest.raises(TypeError, match="fork must be 'copy', 'none' or 'zero', not "):
        vmem.reserve(page, fork=fork)  # type: ignore[arg-type]
