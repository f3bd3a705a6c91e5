"""What must not cost anybody items, or end a process: failing allocations, odd headers, forks and foreign locks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.files import count_descriptors, make_header, untouched
from tests.support.marks import linux_only, posix_only
from tests.support.peers import Peer
from tests.support.processes import run_python

pytestmark = posix_only

HEADER_OF_BYTES = "{'descr': '|u1', %s'fortran_order': False, 'shape': (1,), }\n"


def make_file_of_bytes(path: Path, num_spaces: int) -> None:
    """A header that ends anywhere, without room for another digit."""
    text = (HEADER_OF_BYTES % (" " * num_spaces)).encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\x07")


# --- memory that runs out ---


@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_an_opening_without_memory_empties_nothing(tmp_path: Path, ending: str) -> None:
    """Whichever allocation of the extension fails. In another process, since what fails may be anything."""
    pytest.importorskip("_testcapi", reason="this Python lacks _testcapi, which lets allocations fail")
    path = tmp_path / f"a.{ending}"
    with vmem.open_array(path, "d", mode="x") as made:
        made.extend(map(float, range(1000)))
    run_python(
        """
        import _testcapi, os, sys, vmem
        from vmem import _vmem
        path = sys.argv[1]
        vmem.open_array(path, "d", mode="r+", capacity=5000).close()
        size = os.path.getsize(path)
        open_in_c = _vmem._open_array

        def open_without_memory(*arguments):  # not for Python code, where some interpreters do not survive it
            _testcapi.set_nomemory(start, start + 1)
            try:
                return open_in_c(*arguments)
            finally:
                _testcapi.remove_mem_hooks()

        _vmem._open_array = open_without_memory
        num_failures = 0
        for start in range(100):
            try:
                vmem.open_array(path, "d", mode="r+", capacity=5000).close()
            except MemoryError:
                num_failures += 1
            assert os.path.getsize(path) == size, start
        assert num_failures
        """,
        str(path),
    )


@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_a_close_without_memory_keeps_all_items(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("_testcapi", reason="this Python lacks _testcapi, which lets allocations fail")
    run_python(
        """
        import _testcapi, os, sys, vmem
        path = sys.argv[1]
        for start in range(12):
            array = vmem.open_array(path, "d", mode="w+")
            array.extend([1.0, 2.0, 3.0])
            array.extend([4.0])
            _testcapi.set_nomemory(start, start + 1)
            try:
                array.close()
            except MemoryError:
                pass
            _testcapi.remove_mem_hooks()
            array.close()
            assert vmem.open_array(path, "d").tolist() == [1.0, 2.0, 3.0, 4.0], start
        """,
        str(tmp_path / f"a.{ending}"),
    )


# --- headers ---


@pytest.mark.parametrize("num_spaces", range(8))
def test_headers_of_any_size_leave_the_items_alone(npy: Path, num_spaces: int) -> None:
    make_file_of_bytes(npy, num_spaces)
    with vmem.open_array(npy, mode="r+") as made:
        for length in range(2, 7):
            made.append(length)
            made.flush(durable=False)
            assert made.tolist() == [7, *range(2, length + 1)]
    assert np.load(npy).tolist() == [7, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("num_spaces", [0, 200, 250, 1000])
def test_readers_follow_a_long_header(npy: Path, num_spaces: int) -> None:
    text = "{'descr': '<f8', 'fortran_order': False, " + " " * num_spaces + "'shape': (0,), }"
    npy.write_bytes(make_header(text + " " * 30))
    with vmem.open_array(npy, mode="r+") as made, vmem.open_array(npy) as reader:
        for length in (1, 2, 12):
            made.extend([1.0] * (length - len(made)))
            made.flush(durable=False)
            assert len(reader) == length


# --- forks ---


def run_child(work: Any) -> int:
    """Returns the exit status of a forked child."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("end", ["close", "drop", "close the descriptor"])
@pytest.mark.in_child
def test_a_child_writes_what_outlives_the_file(path: Path, end: str) -> None:
    """That changes a copy of its own."""
    array: Any = vmem.open_array(path, "d", mode="x")
    array.extend([1.0, 2.0])
    items: Any = np.from_dlpack(array) if end == "drop" else np.asarray(array)
    if end == "close":
        array.close()
    elif end == "close the descriptor":
        os.close(array.fileno())
    else:
        del array
    items = items if items.flags.writeable else items.copy()
    items[1] = 5.0

    def write() -> bool:
        items[0] = 7.0
        return bool(items.tolist() == [7.0, 5.0])

    assert run_child(write) == 0
    assert items.tolist() == [1.0, 5.0]
    assert np.fromfile(path)[0] == 1.0
    if end == "close":
        with vmem.open_array(path, "d", mode="r+") as again:  # the child has no lock, nor has this process
            again.append(3.0)


@linux_only
def test_a_closed_array_keeps_no_descriptor_longer_than_it_lives(path: Path) -> None:
    before = count_descriptors()
    array = vmem.open_array(path, "d", mode="x")
    array.append(1.0)
    view = memoryview(array)
    array.close()
    view.release()
    del view, array
    assert count_descriptors() == before


@linux_only
@pytest.mark.in_child
def test_a_child_that_wrote_an_old_view_follows(path: Path) -> None:
    """It sees what the parent appends on the same page, and its own writes only in the view."""
    with vmem.open_array(path, "d", mode="x") as array:
        array.extend([1.0, 2.0])
        array.flush(durable=False)
        view: Any = memoryview(array)
        to_parent, to_child = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                view[0] = 7.0
                os.write(to_parent[1], b"x")
                os.read(to_child[0], 1)
                status = 0 if array.tolist() == [1.0, 2.0, 3.0, 4.0] and view.tolist() == [7.0, 2.0] else 3
            finally:
                os._exit(status)
        os.read(to_parent[0], 1)
        array.extend([3.0, 4.0])
        array.flush(durable=False)
        os.write(to_child[1], b"x")
        assert os.waitpid(child, 0)[1] == 0
        for each in (*to_parent, *to_child):
            os.close(each)
        view.release()


@linux_only
@pytest.mark.parametrize("exports", [False, True])
def test_a_child_without_a_free_descriptor_keeps_no_lock(path: Path, exports: bool) -> None:
    """Nor does it write to the file: it has a copy of the items."""
    run_python(
        f"""
        import os, resource, signal, vmem
        path = {str(path)!r}
        to_test, to_child = os.pipe(), os.pipe()
        parent = os.fork()
        if parent == 0:
            array = vmem.open_array(path, "q", mode="x")
            array.extend(range(10_000))
            array.flush()
            view = memoryview(array) if {exports} else None
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            try:
                while True:
                    os.dup(0)
            except OSError:
                pass
            if os.fork() == 0:
                os.close(to_child[1])
                os.write(to_test[1], b"x")
                os.read(to_child[0], 1)
                if view is not None:
                    view[0] = 7
                    array = view
                found = array.tolist()
                os.write(to_test[1], b"y" if found == [7 if {exports} else 0, *range(1, 10_000)] else b"n")
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(parent, 0)
        assert os.read(to_test[0], 1) == b"x"
        with vmem.open_array(path, "q", mode="r+") as array:
            array[0] = 5
            os.write(to_child[1], b"x")
            assert os.read(to_test[0], 1) == b"y"
            assert array[0] == 5
        """
    )


# --- locks ---


def test_a_reader_locks_what_was_appended(path: Path) -> None:
    with vmem.open_array(path, "d", mode="x") as made:
        made.extend([1.0] * 10)
        made.flush(durable=False)
        with vmem.open_array(path, "d") as reader:
            reader.lock()
            reader.unlock()
            made.extend([1.0] * 10)
            made.flush(durable=False)
            assert len(reader) == 20
            reader.lock()
            reader.unlock()


def lock_elsewhere(path: Path, how: str) -> Peer:
    """By another program, as it does that: with a lock of its process."""
    peer = Peer()
    peer.ask("import fcntl")
    peer.ask(f"file = open({str(path)!r}, 'rb+')")
    peer.ask(f"fcntl.lockf(file, {how})")
    return peer


@linux_only
@pytest.mark.parametrize("how", ["fcntl.LOCK_SH", "fcntl.LOCK_EX", "fcntl.LOCK_EX, 5, 3"])
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_locks_of_other_programs(tmp_path: Path, ending: str, how: str) -> None:
    """They do not say what is published. A writer that cannot publish is told at once, and nothing is lost."""
    path = tmp_path / f"a.{ending}"
    with vmem.open_array(path, "d", mode="x") as made:
        made.extend([1.0, 2.0, 3.0])
    with lock_elsewhere(path, how):
        with vmem.open_array(path, "d") as reader:
            assert reader.tolist() == [1.0, 2.0, 3.0]
        if how.endswith("3"):  # which is no reason to refuse
            with vmem.open_array(path, "d", mode="r+") as made, vmem.open_array(path, "d") as reader:
                made.append(4.0)
                assert reader.tolist() == [1.0, 2.0, 3.0]
                made.flush(durable=False)
                assert reader.tolist() == [1.0, 2.0, 3.0, 4.0]
        else:
            with untouched(path), pytest.raises(BlockingIOError, match="another program"):
                vmem.open_array(path, "d", mode="r+")
    with vmem.open_array(path, "d", mode="r+") as made:
        assert made.tolist()[:3] == [1.0, 2.0, 3.0]


# --- threads ---


@pytest.mark.parametrize("num_pieces", [1, 3])
def test_a_close_while_others_use_the_array(path: Path, num_pieces: int) -> None:
    """They are told so, and all that they had appended before is in the file."""
    piece, part = bytes([1]) * (9 << 20), vmem.Array("B", [2] * 100)
    array: Any = vmem.open_array(path, "B", mode="x", capacity=100 << 20)
    appended = [0, 0, 0]
    errors: list[BaseException] = []
    has_appended = threading.Event()

    def append_pieces() -> None:
        array.frombytes(piece)
        appended[1] += len(piece)
        if appended[1] == num_pieces * len(piece):
            has_appended.set()

    def append_parts() -> None:
        for call in (array.extend, array.__iadd__, lambda part: array.__setitem__(slice(1 << 30, None), part)):
            call(part)
            appended[2] += len(part)

    def look() -> None:
        length = len(array)
        view = memoryview(array)
        assert len(array) >= len(view) >= length
        assert set(view[-1000:]) <= {1, 2}

    def ask_for_too_much() -> None:
        calls: list[Callable[[], None]] = [lambda: array.frombytes(bytes(1 << 27)), lambda: array.prefault(1 << 27)]
        for call in calls:
            with pytest.raises(vmem.OutOfMemoryError, match="cannot grow"):
                call()

    def repeat(work: Any) -> None:
        try:
            for _ in range(10):
                work()
        except BaseException as error:
            if not (isinstance(error, ValueError) and "closed" in str(error)):
                errors.append(error)

    works = [append_pieces, append_parts, look, ask_for_too_much, lambda: array.flush(durable=False)]
    threads = [threading.Thread(target=repeat, args=(each,)) for each in works]
    for each in threads:
        each.start()
    has_appended.wait(60)
    array.close()
    for each in threads:
        each.join()
    assert errors == []
    assert np.bincount(np.fromfile(path, "B"), minlength=3).tolist() == appended


def test_two_threads_close(path: Path) -> None:
    """Neither takes the descriptor away from the other."""
    errors: list[BaseException] = []
    for _ in range(10):
        array = vmem.open_array(path, "d", mode="w+")
        array.frombytes(bytes(1 << 20))
        barrier = threading.Barrier(3)

        def work(method: Any, barrier: Any = barrier) -> None:
            barrier.wait()
            try:
                method()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(each,)) for each in (array.close, array.close)]
        for each in threads:
            each.start()
        barrier.wait()
        for each in threads:
            each.join()
    assert errors == []


@pytest.mark.parametrize("closes", [False, True])
def test_threads_append_flush_view_and_read(path: Path, closes: bool) -> None:
    """No item is lost, and whoever finds the array closed is told so."""
    num_rounds, num_threads = 200, 4
    made = vmem.open_array(path, "q", mode="x")
    appended = [0] * num_threads
    errors: list[BaseException] = []
    barrier = threading.Barrier(num_threads)

    def work(number: int) -> None:
        barrier.wait()
        try:
            for count in range(num_rounds):
                made.append(number)
                appended[number] += 1
                if count % 10 == number:
                    made.flush(durable=False)
                with memoryview(made) as view, vmem.open_array(path, "q") as reader:
                    assert view[-1] in range(num_threads)
                    assert all(item in range(num_threads) for item in reader)
                if closes and number == 3 and count == num_rounds // 2:
                    made.close()
        except BaseException as error:
            if not (closes and isinstance(error, ValueError) and "closed" in str(error)):
                errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(num_threads)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    made.close()
    assert errors == []
    assert [made.count(number) for number in range(num_threads)] == appended
    assert path.stat().st_size == 8 * len(made)
    assert closes or appended == [num_rounds] * num_threads
