"""Rings in other processes: readers that multiprocessing, attach() and forks give."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.forked import CAN_FORK, HAS_SANITIZER
from tests.support.marks import linux_only, posix_only
from tests.support.processes import ROOT, run_python

GRANULARITY = vmem.get_allocation_granularity()
METHODS = [each for each in multiprocessing.get_all_start_methods() if each == "spawn" or not HAS_SANITIZER]

needs_forks = pytest.mark.skipif(not CAN_FORK, reason="AddressSanitizer can keep a forked child waiting")


def make_shared(typecode: str = "i", capacity: int = 1000, **options: Any) -> vmem.Ring[Any]:
    return vmem.Ring(typecode, capacity, shared=True, **options)


# --- in the same process ---


@posix_only
def test_a_reader_sees_what_is_written() -> None:
    ring = make_shared()
    ring.extend(range(300))
    reader = vmem.attach(ring.fileno())
    assert type(reader) is vmem.Ring
    assert (ring.readonly, reader.readonly) == (False, True)
    early = reader.latest(3)
    assert (reader.total, reader.oldest, len(reader), reader.free) == (300, 0, 300, 700)
    ring.extend(range(300, 2500))
    assert (reader.total, reader.oldest, len(reader), reader.free) == (2500, 1500, 1000, 0)
    assert list(reader) == list(ring) == list(range(1500, 2500))
    assert reader.window(2000, 5).tolist() == [2000, 2001, 2002, 2003, 2004]
    assert early.readonly
    ring.clear()
    assert (len(reader), reader.total) == (0, 2500)
    assert repr(reader).endswith("0 items, 2500 written, read-only>")


@posix_only
@pytest.mark.parametrize(("typecode", "shape", "capacity"), [("d", (), 77), ("B", (3,), GRANULARITY), ("h", (2, 4), 5)])
def test_a_reader_has_the_same_type(typecode: str, shape: tuple[int, ...], capacity: int) -> None:
    ring = make_shared(typecode, capacity, row_shape=shape)
    rows = (np.arange(3 * capacity * int(np.prod(shape))) % 100).astype(typecode).reshape(-1, *shape)
    ring.extend(rows)
    reader: Any = vmem.attach(ring.fileno())
    assert (reader.typecode, reader.row_shape, reader.capacity) == (typecode, shape, capacity)
    assert np.asarray(reader).tolist() == rows[-capacity:].tolist()
    assert reader[-1] == ring[-1]


@posix_only
def test_a_reader_cannot_write() -> None:
    ring = make_shared("B", 10)
    reader: Any = vmem.attach(ring.fileno())
    ring.extend(b"abc")
    untouched = iter([1, 2])
    calls: list[Callable[[], object]] = [
        lambda: reader.append(1),
        lambda: reader.extend([1]),
        lambda: reader.extend(b"1"),
        lambda: reader.extend([]),
        lambda: reader.extend(b""),
        lambda: reader.extend(untouched),
        lambda: reader.prepare(1),
        lambda: reader.advance(0),
        lambda: reader.consume(1),
        lambda: reader.clear(),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="this ring is read-only: the process that made it writes"):
            call()
    assert list(untouched) == [1, 2]
    assert memoryview(reader).readonly
    assert bytes(ring) == bytes(reader) == b"abc"


@posix_only
def test_a_reader_outlives_the_writer() -> None:
    ring = make_shared("B", 10)
    ring.extend(b"abc")
    reader = vmem.attach(ring.fileno())
    again = vmem.attach(reader.fileno())
    del ring, reader
    assert bytes(again) == b"abc"  # type: ignore[arg-type]


def test_a_private_ring_has_no_descriptor() -> None:
    ring = vmem.Ring("B", 10)
    for call in (ring.fileno, ring._get_handle):
        with pytest.raises(ValueError, match="this ring is not shared, and so has no descriptor: make it with shared="):
            call()


def test_pickles_of_shared_rings_are_refused() -> None:
    ring = make_shared()
    for call in (lambda: pickle.dumps(ring), lambda: copy.copy(ring), lambda: copy.deepcopy(ring)):
        with pytest.raises(TypeError, match="cannot pickle a shared 'Ring' object, nor copy it: multiprocessing sends"):
            call()


@linux_only
def test_others_cannot_write_nor_take_away() -> None:
    ring = make_shared("B", 10)
    path = f"/proc/self/fd/{ring.fileno()}"
    for change in (
        lambda: os.ftruncate(ring.fileno(), 0),
        lambda: os.pwrite(ring.fileno(), b"x", 0),
        lambda: np.memmap(path, "B", mode="r+"),
    ):
        with pytest.raises(PermissionError):
            change()
    ring.extend(b"abc")
    assert bytes(ring) == b"abc"


# --- in other processes ---

SENDING = """
import multiprocessing, sys
import vmem

class Marked(vmem.Ring):
    mark = None

def read(ring, answers, turns):
    answers.put((type(ring).__name__, ring.readonly, list(ring)[-3:], ring.total, getattr(ring, "mark", None)))
    turns.get()
    answers.put((list(ring)[-3:], ring.total))

def read_from(queue, answers, turns):
    read(queue.get(), answers, turns)

def main(method, kind):
    context = multiprocessing.get_context(method)
    ring = (Marked if kind == "subclass" else vmem.Ring)("i", 1000, shared=True)
    if kind == "subclass":
        ring.mark = [1, 2]
    ring.extend(range(5000))
    queue, answers, turns = context.Queue(), context.Queue(), context.Queue()
    if kind == "queue":
        process = context.Process(target=read_from, args=(queue, answers, turns))
    else:
        process = context.Process(target=read, args=(ring, answers, turns))
    process.start()
    if kind == "queue":
        queue.put(ring)
    assert answers.get() == (type(ring).__name__, True, [4997, 4998, 4999], 5000, getattr(ring, "mark", None))
    ring.extend(range(7))
    turns.put(None)
    assert answers.get() == ([4, 5, 6], 5007)
    process.join()
    assert process.exitcode == 0
    assert not ring.readonly

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["argument", "queue", "subclass"])
def test_multiprocessing(method: str, kind: str, tmp_path: Path) -> None:
    program = tmp_path / "sending.py"
    program.write_text(SENDING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), method, kind], capture_output=True, text=True, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


@posix_only
def test_a_descriptor_that_is_sent_through_a_socket() -> None:
    ring = make_shared("B", 100)
    ring.extend(b"hello")
    ours, theirs = socket.socketpair()
    code = """
import socket, sys, vmem
received = socket.recv_fds(socket.socket(fileno=int(sys.argv[1])), 10, 1)
ring = vmem.attach(received[1][0])
assert bytes(ring) == b"hello" and ring.readonly
"""
    with ours, theirs:
        command = [sys.executable, "-c", code, str(theirs.fileno())]
        with subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT) as process:
            socket.send_fds(ours, [b"ring"], [ring.fileno()])
            assert process.wait() == 0


@needs_forks
@posix_only
@pytest.mark.parametrize("shared", [False, True])
def test_an_overtaken_reader_in_another_process_notices(shared: bool) -> None:
    """The parent writes numbers that equal their positions. The child copies windows, and believes those for which
    `oldest` says afterwards that they were still there. Of the others many are damaged, or else nothing was tested."""
    run_python(f"""
        import os, signal, sys, vmem
        from array import array

        ring = vmem.Ring("Q", 512, shared={shared})
        started, start = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                assert ring.readonly
                os.read(started, 1)
                valid = overtaken = damaged = 0
                while valid < 3000 or damaged < 5:
                    oldest = ring.oldest
                    try:
                        view = ring.window(oldest, 64)
                    except IndexError:
                        continue
                    copied = view.tolist()
                    is_valid = ring.oldest <= oldest
                    is_whole = copied == list(range(oldest, oldest + 64))
                    assert is_whole or not is_valid, (oldest, copied, ring.oldest)
                    valid += is_valid
                    overtaken += not is_valid
                    damaged += not is_whole
                print(valid, overtaken, damaged, flush=True)
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        os.write(start, b"x")
        position = 0
        block = array("Q", range(64))
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            for _ in range(1000):
                ring.extend(array("Q", range(position, position + 64)))
                position += 64
            if position > 64 * 30_000_000:
                os.kill(child, signal.SIGKILL)
                raise AssertionError("the child never was overtaken")
        """)


@needs_forks
@posix_only
def test_a_writer_that_is_killed_at_any_moment() -> None:
    """What it has written is there for the reader, in order, and nothing of it is left when that has gone, too."""
    run_python("""
        import os, random, signal, socket, time, vmem
        from array import array

        def write(connection):
            ring = vmem.Ring("Q", 512, shared=True)
            socket.send_fds(connection, [b"ring"], [ring.fileno()])
            position = 0
            while True:
                ring.extend(array("Q", range(position, position + 40)))
                places = ring.prepare(3)
                for number in range(3):
                    places[number] = position + 40 + number
                ring.advance(3)
                position += 43

        numbers = random.Random(1)
        for _ in range(20):
            ours, theirs = socket.socketpair()
            child = os.fork()
            if child == 0:
                write(theirs)
            (number,) = socket.recv_fds(ours, 10, 1)[1]
            reader = vmem.attach(number)
            os.close(number)
            wanted = numbers.randrange(20_000)
            while reader.total < wanted:
                pass
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            assert list(reader) == list(range(reader.oldest, reader.total)), list(reader)
            assert len(reader) <= 512 and reader.total >= wanted
            ours.close()
            theirs.close()
            del reader
        assert not any("vmem-ring" in line for line in open("/proc/self/maps"))
        """)


# --- forked children ---

FORK = """
    import os, sys, vmem, gc
    import numpy as np

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

    def raises(error, call):
        try:
            call()
        except error:
            return True

    ring = vmem.Ring("i", 100, shared=SHARED)
    ring.extend(range(250))
"""


def run_forking(code: str, shared: bool) -> None:
    run_python(FORK.replace("SHARED", str(shared)) + code)


@needs_forks
@posix_only
@pytest.mark.parametrize("shared", [False, True])
def test_a_child_reads(shared: bool) -> None:
    run_forking(
        """
    early = ring.latest(5)
    goes, go = os.pipe()
    came, come = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            assert ring.readonly
            assert list(ring) == list(range(150, 250))
            calls = (lambda: ring.append(1), lambda: ring.prepare(1), lambda: ring.clear(), lambda: ring.consume(1))
            assert all(raises(TypeError, call) for call in calls)
            os.close(go)  # or else it would wait for a parent that has failed
            os.write(come, b"x")
            os.read(goes, 1)
            assert ring.total == 253, ring
            assert ring[-1] == 1002 and ring.latest(3).tolist() == [1000, 1001, 1002]
            assert early.tolist() == list(range(245, 250))
            in_child(lambda: ring[-1])
            del ring
            gc.collect()
            assert early.tolist() == list(range(245, 250))
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    os.read(came, 1)
    ring.extend([1000, 1001, 1002])
    assert not ring.readonly
    os.write(go, b"x")
    assert os.waitpid(child, 0)[1] == 0
    """,
        shared,
    )


@needs_forks
@posix_only
@pytest.mark.parametrize("shared", [False, True])
def test_what_was_prepared_no_longer_reaches_the_parent(shared: bool) -> None:
    """Views, and pointers whose view is gone, stay writable in the child, and write to a copy."""
    run_forking(
        """
    view = ring.prepare(50)
    pointer = np.ndarray((50,), "i4", buffer=ring.prepare(50))
    view[0] = 5
    def check():
        assert ring.readonly and view[0] == 5 and not view.readonly
        view[0] = 77
        pointer[1] = 78
        assert (view[0], pointer[0]) == (77, 77)
        assert raises(TypeError, lambda: ring.advance(1))
        assert list(ring) == list(range(150, 250)), list(ring)
        new = ring.latest(3)
        assert new.tolist() == [247, 248, 249] and new.readonly
        globals().pop("ring")
        gc.collect()
        view[2] = 3
    in_child(check)
    assert (view[0], pointer[0]) == (5, 5)
    ring.advance(1)
    assert ring[-1] == 5
    """,
        shared,
    )


@linux_only
@needs_forks
def test_the_mappings_of_a_child() -> None:
    run_forking(
        """
    def mappings():
        return sorted(line.split()[1] for line in open("/proc/self/maps") if "vmem-ring" in line)

    def check(expected):
        assert mappings() == expected, mappings()
        ring.latest(1)
    in_child(lambda: check(["r--s"] * 2))
    ring.prepare(1)
    in_child(lambda: check(["r--s"] * 2 + ["rw-p"] * 2))
    assert mappings() == ["rw-s"] * 2
    def drop():
        globals().pop("ring")
        assert mappings() == []
    in_child(drop)
    """,
        False,
    )


@linux_only
@needs_forks
def test_a_child_whose_descriptors_were_closed() -> None:
    """The memory cannot be mapped again there. The ring reads through the old mapping, whose pages stay writable or
    can only be read, and never end the process."""
    run_forking(
        """
    view = ring.prepare(50)
    os.closerange(3, 100)
    file = open("/dev/null")
    def check():
        assert list(ring) == list(range(150, 250))
        assert ring.readonly and raises(TypeError, lambda: ring.append(1))
    in_child(check)
    ring.append(5)
    assert ring[-1] == 5
    assert raises(OSError, ring.fileno)
    del ring, view
    file.read()
    """,
        True,
    )


@needs_forks
@posix_only
def test_queues_in_a_child() -> None:
    run_python("""
        import os, vmem
        ring = vmem.Ring("B", 10, overwrite=False)
        ring.extend(b"abc")
        if os.fork() == 0:
            try:
                ring.consume(1)
            except TypeError:
                os._exit(0 if bytes(ring) == b"abc" else 2)
            os._exit(1)
        assert os.wait()[1] == 0
        ring.consume(3)
        """)
