"""One process writes a file, any number read it and follow its growth; forks, and somebody else's truncation."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.programs.shared_writer import make_items
from tests.support.files import PUBLISHES, hides, untouched
from tests.support.marks import posix_only
from tests.support.peers import Peer
from tests.support.processes import run_python

MIB = 1 << 20
WRITING = ["r+", "w+", "a"]

# --- one writer ---


@pytest.mark.parametrize("mode", WRITING)
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_a_second_writer(tmp_path: Path, ending: str, mode: Any) -> None:
    """In this process or another, and whatever it wants to do: w+ empties nothing that somebody writes."""
    path = tmp_path / f"a.{ending}"
    with vmem.open_array(path, "d", mode="x") as made:
        made.extend([1.0, 2.0, 3.0])
        made.flush()
        with untouched(path):
            with pytest.raises(BlockingIOError, match=path.name):
                vmem.open_array(path, "d", mode=mode)
            with Peer() as peer:
                message = peer.fail(f"vmem.open_array({str(path)!r}, 'd', mode={mode!r})")
                assert message.startswith("BlockingIOError")
                assert path.name in message
        made.append(4.0)
    del made  # Windows replaces no file that is mapped
    with vmem.open_array(path, "d", mode=mode) as other:
        assert other.tolist() == ([] if mode == "w+" else [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize("mode", WRITING)
def test_a_second_name_of_the_same_file(path: Path, tmp_path: Path, mode: Any) -> None:
    other = tmp_path / "other"
    with vmem.open_array(path, "d", mode="x") as made:
        made.append(1.0)
        os.link(path, other)
        with pytest.raises(BlockingIOError, match="other"):
            vmem.open_array(other, "d", mode=mode)
        assert made.tolist() == [1.0]
        assert path.stat().st_size >= 8


@posix_only
def test_a_lock_of_another_program(path: Path) -> None:
    """It need not be a writer."""
    import fcntl

    path.write_bytes(bytes(8))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with untouched(path), pytest.raises(BlockingIOError, match="has locked it"):
            vmem.open_array(path, "d", mode="r+")
        vmem.open_array(path, "d").close()


def test_readers_need_no_lock(path: Path) -> None:
    """Neither from a writer nor against one."""
    with vmem.open_array(path, "d", mode="x") as made:
        made.append(1.0)
        made.flush()
        with vmem.open_array(path, "d") as first, vmem.open_array(path, "d") as second:
            assert first.tolist() == second.tolist() == [1.0]
        made.append(2.0)
        del first, second  # Windows makes no file shorter that others map
    reader = vmem.open_array(path, "d")
    with vmem.open_array(path, "d", mode="r+") as made:
        made.append(3.0)
        del reader


def test_a_writer_that_was_killed_leaves_no_lock(path: Path) -> None:
    peer = Peer()
    peer.ask(f"array = vmem.open_array({str(path)!r}, 'd', mode='x')")
    peer.ask("array.append(5.0)")
    peer.ask("array.flush()")
    with pytest.raises(BlockingIOError, match="numbers"):
        vmem.open_array(path, "d", mode="a")
    peer.kill()
    with vmem.open_array(path, "d", mode="a") as made:
        assert made.tolist() == [5.0] + [0.0] * (len(made) - 1)
        assert len(made) == 1 or sys.platform == "win32"


# --- readers ---


def is_kept_longer(path: Path) -> bool:
    """Whether closing its writer raises an OSError while others map it: Windows makes no such file shorter."""
    return sys.platform == "win32" and path.suffix != ".npy"


@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_readers_follow_growth(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with vmem.open_array(path, "q", mode="x", capacity=4 * MIB) as made, Peer() as peer:
        made.flush(durable=False)
        peer.ask("import numpy as np")
        peer.ask(f"array = vmem.open_array({str(path)!r}, 'q', capacity={4 * MIB})")
        assert peer.ask("array.readonly")
        assert peer.ask("len(array)") == 0
        for length in (1, 10, 1000, 100_000, 3 * MIB):
            made.extend(range(len(made), length))
            made.flush(durable=False)
            assert peer.ask("len(array)") == length
            assert peer.ask("array[-1]") == length - 1
            assert peer.ask("(np.asarray(array) == np.arange(len(array))).all().item()")
        peer.ask("view = memoryview(array)")
        address = peer.ask("array.buffer_info()[0]")
        made[0] = 7
        assert peer.ask("(view[0], array[0])") == (7, 7), "the memory is that of the writer"
        made.append(1)
        made.flush(durable=False)
        assert peer.ask("(len(view), len(array))") == (3 * MIB, 3 * MIB + 1)
        assert peer.ask("array.buffer_info()[0]") == address


@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_readers_see_what_was_flushed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with vmem.open_array(path, "q", mode="x") as made, vmem.open_array(path, "q") as reader:
        made.extend(range(1000))
        assert len(reader) == (0 if hides(path) else 1000)
        made.flush(durable=False)
        made.extend(range(1000))
        assert reader.tolist() == list(range(1000)) * (1 if hides(path) else 2)
        with pytest.raises(OSError, match="maps it") if is_kept_longer(path) else nullcontext():
            made.close()
        assert len(reader) == 2000
    assert len(reader) == 2000


@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_the_writer_takes_nothing_away_from_a_reader(tmp_path: Path, ending: str) -> None:
    """Flushing and closing make the file shorter than the step it had grown by. A reader has seen no more than stays,
    or what it has seen stays readable: only somebody else's truncation may end it."""
    path = tmp_path / f"a.{ending}"
    for action in ("flush(durable=False)", "flush()", "close()"):
        with Peer() as writer, Peer() as reader:
            writer.ask(f"array = vmem.open_array({str(path)!r}, 'q', mode='w+')")
            writer.ask("array.extend(range(100_000))")
            writer.ask("array.append(5)")
            reader.ask(f"array = vmem.open_array({str(path)!r}, 'q')")
            reader.ask("view = memoryview(array)")
            reader.ask("length = len(array)")
            if action == "close()" and is_kept_longer(path):
                assert "maps it" in writer.fail("array.close()")
            else:
                writer.ask(f"array.{action}")
            assert reader.ask("sum(view)") in (0, 5, sum(range(100_000)) + 5)
            assert reader.ask("sum(array[:])") == sum(range(100_000)) + 5
            assert reader.ask("len(array)") == 100_001
            assert reader.ask("sum(array[i] for i in range(0, len(array), 1000))") > 0
            if action != "close()" and is_kept_longer(path):
                assert "maps it" in writer.fail("array.close()")
            else:
                writer.ask("array.close()")
            assert reader.ask("len(array)") == 100_001
            assert reader.ask("sum(view)") in (0, 5, sum(range(100_000)) + 5)


def test_a_reader_while_the_writer_grows(npy: Path) -> None:
    """It sees a beginning, whole, each time at least as much."""
    with Peer() as peer, vmem.open_array(npy, "Q", mode="x") as made:
        made.flush(durable=False)
        peer.ask("from tests.programs.shared_writer import follow")
        peer.start(f"follow(vmem.open_array({str(npy)!r}), 300_000)")
        while len(made) < 300_000:
            made.extend(make_items(len(made), 1000))
            made.flush(durable=False)
        assert peer.finish() >= 1


def test_a_capacity_of_a_reader(path: Path) -> None:
    """A reader maps so many once. What is beyond is not shown, or is an error; it never crashes."""
    with vmem.open_array(path, "q", mode="x") as made:
        made.extend(range(10))
        made.flush(durable=False)
        with vmem.open_array(path, "q", capacity=20) as reader:
            made.extend(range(10, 100_000))
            made.flush(durable=False)
            assert len(reader) in (20, 100_000)
            assert reader[:20].tolist() == list(range(20))
            assert reader[-1] == len(reader) - 1
        del reader


def test_a_reader_with_the_capacity_of_the_writer(path: Path) -> None:
    """The file has more than that until it is flushed, on Windows until it is closed."""
    with vmem.open_array(path, "B", mode="x", capacity=70_000) as made:
        made.frombytes(bytes(66_000))
        made.flush(durable=False)
        made.append(1)
        made.append(2)
        assert (path.stat().st_size > 70_000) == PUBLISHES
        with vmem.open_array(path, "B", capacity=70_000) as reader:
            assert len(reader) == (66_000 if hides(path) else 66_002)
            made.flush(durable=False)
            assert reader[-2:].tolist() == [1, 2]
        del reader
    with pytest.raises(ValueError, match="at least 66002"):
        vmem.open_array(path, "B", capacity=66_001)


def test_reading_a_file_that_others_append_to(path: Path) -> None:
    """With write(), which knows nothing of vmem."""
    with path.open("wb", buffering=0) as file:
        file.write(np.arange(10.0).tobytes())
        with vmem.open_array(path, "d") as reader:
            for number in range(10, 100):
                file.write(np.arange(1000.0).tobytes())
                assert len(reader) == 10 + 1000 * (number - 9)
                assert reader[-1] == 999.0
            file.write(b"123")
            assert len(reader) == 10 + 1000 * 90, "of an item that is not whole, nothing is shown"


# --- files that somebody else changes ---

TRUNCATED = """
    import faulthandler, os, vmem
    path = {path!r}
    array = vmem.open_array(path, "d", mode={mode!r})
    view = memoryview(array)
    array[-1]
    print("ready", flush=True)
    os.truncate(path, 8)
    {code}
    print("survived", flush=True)
"""

TOUCHES = {
    "view": "view[-1]",
    "tobytes": "view.tobytes()",
    "numpy": "import numpy as np; np.asarray(view).sum()",
}


@posix_only
@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("touch", TOUCHES)
def test_somebody_elses_truncation(path: Path, mode: str, touch: str) -> None:
    """Is SIGBUS at the next touch of what is gone, and nothing else: the documented end."""
    path.write_bytes(np.arange(100_000.0).tobytes())
    code = textwrap.dedent(TRUNCATED.format(path=str(path), mode=mode, code=TOUCHES[touch]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["ready"], done.stdout + done.stderr
    assert done.returncode == -signal.SIGBUS


@posix_only
@pytest.mark.parametrize("mode", ["r", "r+"])
def test_what_somebody_elses_truncation_leaves(path: Path, mode: str) -> None:
    """What is still in the file can be read, and what asks the system is told."""
    path.write_bytes(np.arange(100_000.0).tobytes())
    run_python(
        TRUNCATED.format(
            path=str(path),
            mode=mode,
            code="""
    assert view[0] == 0.0
    try:
        print(len(array), array[0])
    except (OSError, ValueError) as error:
        print(error)
    """,
        )
    )


@posix_only
def test_a_writer_notices_a_file_that_has_become_shorter(path: Path) -> None:
    """When it grows or flushes: it makes no hole in the file, and says so."""
    path.write_bytes(np.arange(100_000.0).tobytes())
    run_python(
        f"""
    import os, vmem
    array = vmem.open_array({str(path)!r}, "d", mode="r+")
    os.truncate({str(path)!r}, 80)
    calls = [lambda: array.frombytes(bytes(16 << 20)), lambda: array.append(1.0), array.flush, array.close]
    for call in calls:
        try:
            call()
        except OSError as error:
            assert "had 800000 bytes and has 80: somebody else has made it shorter" in str(error), error
        else:
            raise SystemExit("it was not noticed")
    assert os.stat({str(path)!r}).st_size == 80
    assert array[0] == 0.0
    """
    )


@posix_only
def test_no_header_is_written_to_a_file_that_has_become_shorter(npy: Path) -> None:
    """It would tell of items that are gone."""
    array = vmem.open_array(npy, "d", mode="x")
    array.extend([1.0] * 9)
    array.flush(durable=False)
    array.append(1.0)  # a number of two digits
    os.truncate(npy, 136)
    before = npy.read_bytes()
    calls: list[Callable[[], object]] = [lambda: array.flush(durable=False), array.close]
    for call in calls:
        with pytest.raises(OSError, match="has 136: somebody else has made it shorter"):
            call()
    assert npy.read_bytes() == before


@posix_only
def test_a_reader_of_a_file_that_somebody_replaced(path: Path) -> None:
    """It has the old one, as every open file does."""
    path.write_bytes(np.arange(10.0).tobytes())
    with vmem.open_array(path, "d") as reader:
        path.with_name("new").write_bytes(bytes(8 * 100_000))
        path.with_name("new").rename(path)
        assert reader.tolist() == np.arange(10.0).tolist()


def test_a_header_that_somebody_scribbles_over(npy: Path) -> None:
    """A reader looks at it again and again: it shows no more than the file has, or raises."""
    with vmem.open_array(npy, "q", mode="x") as made:
        made.extend(range(100))
    good = npy.read_bytes()
    with vmem.open_array(npy) as reader:
        for header in (
            b"\xff" * 128,
            bytes(128),
            good[:128].replace(b"(100,)", b"(9" + b"9" * 12 + b",)"),
            good[:128].replace(b"(100,)", b"(-10,)"),
            good[:128].replace(b"<i8", b"<f8"),
            good[:128].replace(b"False", b"True "),
        ):
            with npy.open("r+b") as file:
                file.write(header[:128])
            try:
                length = len(reader)
                assert reader[: min(length, 100)].tolist() == list(range(min(length, 100)))
                assert length <= 100
            except (ValueError, OSError):
                continue
        with npy.open("r+b") as file:
            file.write(good[:128])
        assert reader.tolist() == list(range(100))


# --- forks ---


@posix_only
@pytest.mark.in_child
def test_a_forked_child_reads(path: Path) -> None:
    """It neither writes the file nor keeps the lock, and its end changes nothing."""
    made = vmem.open_array(path, "d", mode="x")
    made.extend([1.0, 2.0])
    view, seen = memoryview(made), np.asarray(made)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert made.readonly
            with pytest.raises(TypeError):
                made.append(5.0)
            with pytest.raises(TypeError):
                made[0] = 5.0
            assert made.tolist() == view.tolist() == [1.0, 2.0]
            seen[0] = 99.0  # its own
            made.close()
            del made, view, seen
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert made.tolist() == [1.0, 2.0], "what a child stores in an old view does not reach the file"
    made.append(3.0)
    made.flush()
    with pytest.raises(BlockingIOError, match="numbers"):
        vmem.open_array(path, "d", mode="a")
    made.close()
    assert path.read_bytes() == np.array([1.0, 2.0, 3.0]).tobytes()
    vmem.open_array(path, "d", mode="a").close()


@posix_only
@pytest.mark.in_child
def test_a_child_that_lives_on_does_not_hold_the_lock(path: Path) -> None:
    """After its parent has closed the array."""
    made = vmem.open_array(path, "d", mode="x")
    made.append(1.0)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0 if made.tolist()[:1] == [1.0] else 1)
    made.close()
    with vmem.open_array(path, "d", mode="a") as other:
        other.append(2.0)
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0


@posix_only
def test_a_child_of_a_writer_that_was_killed_does_not_hold_the_lock(path: Path) -> None:
    code = f"""
    import os, signal, sys, numpy as np, vmem
    made = vmem.open_array({str(path)!r}, "d", mode="x")
    made.append(1.0)
    made.flush()
    seen = np.asarray(made)
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0 if seen[0] == made[0] == 1.0 else 1)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "forked\n"
        assert process.wait() == -signal.SIGKILL
        with vmem.open_array(path, "d", mode="a") as made, vmem.open_array(path, "d") as reader:
            made.append(2.0)
            made.flush(durable=False)
            assert reader.tolist() == [1.0, 2.0]


@posix_only
@pytest.mark.in_child
def test_a_child_of_a_reader_reads_on(path: Path) -> None:
    with vmem.open_array(path, "d", mode="x") as made:
        made.append(1.0)
        made.flush(durable=False)
        reader = vmem.open_array(path, "d")
        ready, go = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os.write(ready[1], b"r")
            os.read(go[0], 1)
            os._exit(0 if reader.tolist() == [1.0, 2.0] else 1)
        os.read(ready[0], 1)
        made.append(2.0)
        made.flush(durable=False)
        os.write(go[1], b"g")
        assert os.waitpid(child, 0)[1] == 0


def test_an_exit_without_close(path: Path, npy: Path) -> None:
    """The interpreter's end drops what is left: sizes and headers are right."""
    run_python(
        f"""
    import vmem
    raw = vmem.open_array({str(path)!r}, "d", mode="x")
    npy = vmem.open_array({str(npy)!r}, "d", mode="x")
    for each in (raw, npy):
        each.extend([1.0, 2.0, 3.0])
    """
    )
    assert path.read_bytes() == np.load(npy).tobytes() == np.array([1.0, 2.0, 3.0]).tobytes()


def test_an_end_by_os_exit(path: Path, npy: Path) -> None:
    """Nothing runs then: as after a kill."""
    run_python(
        f"""
    import os, vmem
    raw = vmem.open_array({str(path)!r}, "d", mode="x")
    npy = vmem.open_array({str(npy)!r}, "d", mode="x")
    for each in (raw, npy):
        each.extend([1.0, 2.0])
        each.flush(durable=False)
        each.append(3.0)
    os._exit(0)
    """
    )
    assert np.load(npy).tolist() == [1.0, 2.0]
    assert path.read_bytes().startswith(np.array([1.0, 2.0, 3.0]).tobytes())
    assert not any(path.read_bytes()[24:])


# --- the end of a process ---

NOT_CLOSED = {
    "a global": "kept = [array]",
    "a thread": "threading.Thread(target=lambda array: threading.Event().wait(), args=(array,), daemon=True).start()",
    "a leaked reference": "import ctypes; ctypes.pythonapi.Py_IncRef(ctypes.py_object(array))",
    "a view that leaked": "import ctypes; ctypes.pythonapi.Py_IncRef(ctypes.py_object(memoryview(array)))",
}


@pytest.mark.parametrize("reason", NOT_CLOSED)
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_a_normal_end_flushes_what_is_open(tmp_path: Path, ending: str, reason: str) -> None:
    """Several arrays, one of which is closed and one a reader."""
    paths = [str(tmp_path / f"{name}.{ending}") for name in "abc"]
    printed = run_python(
        f"""
        import threading, vmem
        for path in {paths!r}:
            array = vmem.open_array(path, "q", mode="x")
            array.extend(range(5000))
            {NOT_CLOSED[reason]}
        array.close()
        array = vmem.open_array(path, "q")
        del array
        """
    )
    assert printed == ""
    for path in paths:
        found = np.load(path) if ending == "npy" else np.fromfile(path, "q")
        if sys.platform == "win32" and reason == "a view that leaked":  # which keeps the size
            assert not found[5000:].any()
            found = found[:5000]
        assert found.tolist() == list(range(5000))


@posix_only
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_a_normal_end_waits_for_a_long_call(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    printed = run_python(
        f"""
        import threading, vmem
        array = vmem.open_array({str(path)!r}, "q", mode="x", capacity=1 << 24)
        array.extend(range(5000))
        is_busy, num_items = False, 10_000_000
        while not is_busy:
            thread = threading.Thread(target=array.prefault, args=(num_items,), daemon=True)
            thread.start()
            while thread.is_alive() and not is_busy:
                try:
                    array.flush(durable=False)
                except BufferError as error:
                    assert "prefault" in str(error), error
                    is_busy = True
            num_items += 1000
        """
    )
    assert printed == ""
    found = np.load(path) if ending == "npy" else np.fromfile(path, "q")
    assert found.tolist() == list(range(5000))


@posix_only
def test_errors_at_the_end_hide_no_other_array(tmp_path: Path) -> None:
    first, second = (str(tmp_path / f"{name}.npy") for name in "ab")
    printed = run_python(
        f"""
        import ctypes, os, vmem
        for path in {[first, second]!r}:
            array = vmem.open_array(path, "q", mode="x")
            array.extend(range(5000))
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(array))
        os.truncate({first!r}, 128)
        """
    )
    assert "shorter" in printed
    assert len(np.load(second)) == 5000


@posix_only
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_a_forked_child_flushes_nothing_at_its_end(tmp_path: Path, ending: str) -> None:
    path = str(tmp_path / f"a.{ending}")
    run_python(
        f"""
        import os, sys, vmem
        array = vmem.open_array({path!r}, "q", mode="x")
        array.append(1)
        array.flush()
        array.append(2)
        child = os.fork()
        if child == 0:
            sys.exit()
        assert os.waitpid(child, 0) == (child, 0)
        assert list(vmem.open_array({path!r}, "q")) == {[1] if hides(path) else [1, 2]}
        array.append(3)
        """
    )
    assert vmem.open_array(path, "q").tolist() == [1, 2, 3]
