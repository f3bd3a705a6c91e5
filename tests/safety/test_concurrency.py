"""Threads, forked processes and interpreters that use regions."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable

import pytest

import vmem
from tests.support.interpreter import FREE_THREADED
from tests.support.marks import posix_only
from tests.support.processes import run_python
from tests.support.signals import is_at_work
from tests.support.system import permissions_in
from vmem import Protection

pytestmark = pytest.mark.in_child


def run_threads(work: Callable[[int], object], count: int = 8) -> None:
    """Calls work(0), work(1) and so on in threads that start together, and raises the first exception of any thread."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def check_record(region: vmem.Region) -> None:
    """Checks that the record agrees with itself and the kernel, and that every page can be used."""
    assert not is_at_work(region)
    ranges = region.ranges()
    assert sum(each.num_bytes for each in ranges) == region.size
    assert sum(each.num_bytes for each in ranges if each.committed) == region.committed
    if sys.platform == "linux":
        names = {Protection.NO_ACCESS: "---p", Protection.READ: "r--p", Protection.READ_WRITE: "rw-p"}
        expected: list[tuple[int, int, str]] = []
        for each in ranges:
            run = (each.offset, each.offset + each.num_bytes, names[each.protection])
            if expected and expected[-1][2] == run[2]:  # the kernel maps both with PROT_NONE
                run = (expected.pop()[0], *run[1:])
            expected.append(run)
        assert permissions_in(region.address, region.size) == expected
    region.commit()
    region.protect(Protection.READ_WRITE)
    region[:] = b"x" * region.size
    region.decommit()
    assert region.ranges() == [(0, region.size, False, Protection.NO_ACCESS)]


def test_eight_threads_on_one_region(page: int) -> None:
    """Each thread owns one byte of every page; all commit, decommit and view the same pages all the time."""
    region = vmem.reserve(256 * page)
    done = [0] * 8

    def work(number: int) -> None:
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
                pass  # another thread has a view, or decommitted first

    run_threads(work)
    assert min(done) > 0
    assert sum(each.num_bytes for each in region.ranges()) == region.size
    assert sum(each.num_bytes for each in region.ranges() if each.committed) == region.committed
    region.release()


def test_threads_that_commit_and_release_one_region(page: int) -> None:
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
        run_threads(lambda number, region=region: race(region), 4)  # type: ignore[misc]
        region.release()
    assert read > 0


def test_eight_threads_on_pages_of_their_own(page: int) -> None:
    """Calls on a page never change its neighbours, which other threads commit, protect and decommit all the time."""
    region = vmem.reserve(64 * page)

    def work(number: int) -> None:
        mine = range(number * page, region.size, 8 * page)
        for turn in range(200):
            for offset in mine:
                region.commit(offset, page)
                assert not any(region[offset : offset + page])
                region[offset : offset + page] = bytes([number + 1]) * page
            if turn % 3 == 0:
                region.protect(Protection.READ, mine[3], page)
                region.lock(mine[2], page)
            for offset in mine:
                assert bytes(region[offset : offset + page]) == bytes([number + 1]) * page
                assert region.is_committed(offset, page)
            region.discard(mine[1], page)
            assert not any(region[mine[1] : mine[1] + page])
            for offset in mine:
                region.decommit(offset, page)

    run_threads(work)
    assert region.committed == 0
    check_record(region)
    region.release()


def test_eight_threads_with_all_verbs_on_the_same_pages(page: int) -> None:
    """Calls raise documented exceptions only, and the record is correct afterwards."""
    region = vmem.reserve(64 * page)
    refused: set[type[Exception]] = set()

    def work(number: int) -> None:
        choose = random.Random(number)
        kept: list[memoryview] = []
        calls: list[Callable[[int, int], object]] = [
            region.commit,
            lambda offset, size: region.commit(offset, size, prefault=True),
            region.decommit,
            region.discard,
            region.prefault,
            region.lock,
            region.unlock,
            lambda offset, size: region.protect(choose.choice([Protection.READ, Protection.READ_WRITE]), offset, size),
            lambda offset, size: region.protect(Protection.NO_ACCESS, offset, size),
            region.resident,
            region.is_committed,
            lambda offset, size: region.ranges(),
            lambda offset, size: kept.append(region.view(offset, size)),
            lambda offset, size: kept.clear(),
            lambda offset, size: region[offset],
            lambda offset, size: region.__setitem__(offset, 1),
            lambda offset, size: region.__setitem__(slice(offset, offset + size), bytes(size)),
            lambda offset, size: repr(region),
        ]
        for _ in range(3000):
            offset, size = choose.randrange(60 * page), choose.randrange(4 * page)
            try:
                choose.choice(calls)(offset, size)
            except (BufferError, ValueError) as error:
                refused.add(type(error))
            for view in kept:
                assert sum(view[::page]) < 256 * 8
                if not view.readonly and view.nbytes:
                    view[0] = number

    run_threads(work)
    assert refused == {BufferError, ValueError}
    check_record(region)
    region.release()


def test_threads_that_prefault_the_same_pages(page: int) -> None:
    """All of them succeed, and none changes the contents."""
    size = 64 << 20
    region = vmem.reserve(size)
    region.commit()
    region[0:size:page] = b"z" * (size // page)
    region.discard(size // 2)
    run_threads(lambda number: region.prefault(number * (size // 16)), 4)
    assert region.resident() == size
    assert bytes(region[0 : size // 2 : page]) == b"z" * (size // 2 // page)
    assert not any(region[size // 2 :: page])
    region.release()


def test_threads_that_commit_and_prefault_the_same_pages(page: int) -> None:
    """At least one succeeds; the others succeed too, or raise BufferError while it is at work."""
    size = 32 << 20
    region = vmem.reserve(size)
    outcomes: list[str] = []

    def work(number: int) -> None:
        try:
            region.commit(number * page, size - 8 * page, prefault=True)
            outcomes.append("done")
        except BufferError as error:
            outcomes.append(str(error))

    run_threads(work, 4)
    assert "done" in outcomes
    assert all(outcome == "done" or "to commit and prefault bytes" in outcome for outcome in outcomes)
    assert region.resident() >= region.committed - 8 * page
    assert region.committed in range(size - 8 * page, size)
    region.release()


def test_views_are_taken_while_another_thread_decommits(page: int) -> None:
    """Each call of view() raises or its view stays valid; a decommit that a view prevents changes nothing."""
    size = 8 << 20
    region = vmem.reserve(size)
    done, taken = threading.Event(), threading.Event()
    outcomes: list[str] = []

    def decommit() -> None:
        try:
            for _ in range(50):
                region.commit()
                region[0] = region[size - 1] = 7
                taken.clear()
                assert taken.wait(60)  # so that decommit() runs while views are taken and dropped
                try:
                    region.decommit()
                    outcomes.append("decommitted")
                except BufferError:
                    outcomes.append("refused")
                    assert region.is_committed()
                    assert (region[0], region[size - 1]) == (7, 7)
        finally:
            done.set()

    def view() -> None:
        while not done.is_set():
            with contextlib.suppress(BufferError, ValueError), region.view(size - page) as last:
                assert last[page - 1] in (0, 7)
                taken.set()

    run_threads(lambda number: decommit() if number == 0 else view(), 3)
    assert len(outcomes) == 50
    region.decommit()
    region.release()


def test_a_thread_that_releases_a_region_that_others_use() -> None:
    """No call loses its memory: either it ends before the release, or one of the two raises."""
    size = 8 << 20
    for turn in range(40):
        region = vmem.reserve(size)

        def work(number: int, region: vmem.Region = region, turn: int = turn) -> None:
            with contextlib.suppress(BufferError, ValueError):
                if number == 0:
                    region.commit(0, size, prefault=True)
                elif number == 1:
                    region.commit()
                    region.prefault()
                    region[size - 1]
                elif number == 2:
                    region.resident()
                    region.discard(0, 6 << 20)
                elif turn % 2:
                    region._release_deferred()
                else:
                    region.release()

        run_threads(work, 4)
        region.release()
        assert (region.released, region.committed) == (True, 0)


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
@pytest.mark.parametrize(
    "used",
    [
        "other",
        pytest.param(
            "region",
            marks=pytest.mark.skipif(
                FREE_THREADED, reason="the child can inherit a locked object there, lists and dicts too"
            ),
        ),
    ],
)
def test_a_child_of_a_threaded_parent_can_use_its_regions(used: str) -> None:
    run_python(
        f"""
        import os, threading, vmem
        region, other = vmem.reserve(1 << 30), vmem.reserve(1 << 30)
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
                {used}.commit()
                {used}[1 << 29] = turn
                {used}.decommit()
                {used}.release()
                vmem.reserve(1 << 30).commit(0, 1 << 20)
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
        import vmem
        from tests.support.interpreters import run_isolated
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
            run_isolated(code)
        region[0] = 1
        """
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with Python 3.12")
def test_isolated_interpreters_in_threads_with_long_calls() -> None:
    """They share the process, its mappings and the extension's count of them, but no lock."""
    run_python(
        """
        import threading
        from tests.support.interpreters import run_isolated
        code = '''if True:
            import vmem
            size = 64 << 20
            for turn in range(5):
                region = vmem.reserve(2 * size)
                region.commit(0, size, prefault=True)
                assert region.resident(0, size) == size
                view = region[size - 1 : size]
                view[0] = turn + 1
                try:
                    region.decommit(0, size)
                    raise SystemExit("decommitted under a view")
                except BufferError:
                    view.release()
                region.discard(0, size)
                assert region[size - 1] == 0
                region.prefault(0, size // 2)
                region.decommit(0, size)
                assert region.committed == 0
            kept = vmem.reserve(1 << 30)
            kept.commit(0, 1)
            kept_view = kept[0:1]
        '''
        failures = []
        def work():
            try:
                run_isolated(code)
            except Exception as error:
                failures.append(error)
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not failures, failures
        """
    )
