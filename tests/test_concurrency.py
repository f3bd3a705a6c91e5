"""Threads, forks, interpreters and signals around one region."""

from __future__ import annotations

import sys
import threading

import pytest
from support import posix_only, run_python

import vmem


def test_eight_threads_on_one_region(page: int) -> None:
    """Each thread owns one byte of every page; all commit, decommit and view the same pages all the time."""
    region = vmem.reserve(256 * page)
    errors: list[BaseException] = []
    done = [0] * 8

    def work(number: int) -> None:
        try:
            for turn in range(2000):
                offset = (turn * 7 + number * 31) % 250 * page
                try:
                    region.commit(offset, 3 * page)
                    with region.view(offset + number, page) as view:
                        view[0] = number + 1
                        assert view[0] == number + 1
                    assert region[offset + number] in (number + 1, 0)
                    region.decommit(offset, page)
                    done[number] += 1
                except (BufferError, ValueError):
                    pass  # another thread was faster
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert min(done) > 0
    assert sum(each.num_bytes for each in region.ranges()) == region.size
    assert sum(each.num_bytes for each in region.ranges() if each.committed) == region.committed
    region.release()


def test_threads_that_release(page: int) -> None:
    read = 0

    def race(region: vmem.Region) -> None:
        nonlocal read
        for call in (region.commit, region.decommit, region.release):
            try:
                call()
                read += len(bytes(region[0:10]))
            except (BufferError, ValueError):
                pass

    for _ in range(200):
        region = vmem.reserve(64 * page)
        threads = [threading.Thread(target=race, args=(region,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        region.release()
    assert read > 0


@posix_only
def test_a_forked_child_has_a_copy() -> None:
    run_python(
        """
        import os, vmem
        region = vmem.reserve(1 << 30)
        region.commit(0, 1 << 16)
        region[0] = 1
        view = region[0:10]
        child = os.fork()
        if child == 0:
            view[0] = 2
            region.commit(1 << 20, 10)
            region[1 << 20] = 3
            region.decommit(1 << 20)
            view.release()
            region.release()
            again = vmem.reserve(1 << 30)
            again.commit()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert view[0] == 1 and not region.is_committed(1 << 20, 1)
        """
    )


@posix_only
def test_a_child_of_a_threaded_parent_can_use_its_regions() -> None:
    run_python(
        """
        import os, threading, vmem
        region = vmem.reserve(1 << 30)
        region.commit(0, 1 << 20)
        stop = threading.Event()
        def work(number):
            while not stop.is_set():
                region.commit((number + 2) << 20, 1 << 20)
                region[(number + 2) << 20] = 1
                region.decommit((number + 2) << 20, 1 << 20)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        [thread.start() for thread in threads]
        for turn in range(20):
            child = os.fork()
            if child == 0:
                region.commit()
                region[1 << 29] = turn
                region.decommit()
                region.release()
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        [thread.join() for thread in threads]
        """
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with Python 3.12")
def test_isolated_interpreters() -> None:
    run_python(
        """
        import sys
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        import vmem
        region = vmem.reserve(1 << 30)
        region.commit(0, 10)
        code = '''if True:
            import vmem
            region = vmem.reserve(1 << 30)
            region.commit(0, 100)
            region[0:5] = b"hello"
            kept = region[0:5]
            assert bytes(kept) == b"hello"
            try:
                vmem.reserve(1 << 62)
            except vmem.OutOfMemoryError:
                pass
        '''
        for _ in range(5):
            try:
                each = interpreters.create("isolated")
            except TypeError:
                each = interpreters.create(isolated=True)
            failure = interpreters.run_string(each, code)
            assert failure is None, failure
            interpreters.destroy(each)
        region[0] = 1
        """
    )
