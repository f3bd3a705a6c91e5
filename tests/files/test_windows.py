"""What is special on Windows: a file is mapped in units of 64 KiB, and becomes no shorter while it is mapped."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.files import make_npy, read_open
from vmem import _vmem

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="other systems map files as they grow")

UNIT = vmem.get_allocation_granularity()


def size_of(path: Path) -> int:
    return path.stat().st_size


# --- growing ---


def test_views_stay_valid_over_many_steps(path: Path) -> None:
    made = vmem.open_array(path, "q", mode="x")
    views, steps = [], range(1, 60)
    for step in steps:
        made.extend(range(len(made), len(made) + 1000 * step))
        views.append(np.asarray(made))
    for view in views:
        assert (view == np.arange(len(view))).all()
    views[0][0] = -5
    assert made[0] == views[-1][0] == -5
    del views, view
    gc.collect()
    made.close()
    assert size_of(path) == 8 * len(made)
    assert made[0] == -5


def test_a_large_file(path: Path) -> None:
    with vmem.open_array(path, "B", mode="x") as made:
        for number in range(64):
            made.frombytes(bytes([number]) * (1 << 20))
        made.flush()
        assert read_open(path, 64 << 20)[:: 1 << 20] == bytes(range(64))
    assert size_of(path) == 64 << 20


def test_a_long_file_grows_in_long_parts(path: Path) -> None:
    """Each of which is a mapping. A short file becomes no longer than it must."""
    with vmem.open_array(path, "B", mode="x") as made:
        made.append(1)
        assert size_of(path) == UNIT
    with path.open("r+b") as file:
        file.truncate(1024 * UNIT)
    with vmem.open_array(path, "B", mode="r+") as made:
        made.append(1)
        made.flush(durable=False)
        assert size_of(path) == (1024 + 4 + 1) * UNIT
    assert size_of(path) == 1024 * UNIT + 1


def test_the_capacity_is_reached(path: Path) -> None:
    made = vmem.open_array(path, "B", mode="x", capacity=UNIT + 10)
    made.frombytes(bytes(UNIT + 10))
    with pytest.raises(vmem.OutOfMemoryError, match=str(UNIT + 11)):
        made.append(1)
    made.close()
    assert size_of(path) == UNIT + 10


@pytest.mark.parametrize("num_bytes", [0, 1, 4096, UNIT - 1, UNIT, UNIT + 1, 5 * UNIT + 4096])
def test_files_of_any_size(path: Path, num_bytes: int) -> None:
    """They are as they were when nothing was appended, and grow where something is."""
    contents = os.urandom(num_bytes)
    path.write_bytes(contents)
    modes: list[Any] = ["r", "r+", "a"]
    for mode in modes:
        with vmem.open_array(path, "B", mode=mode) as made:
            assert made.tobytes() == contents
        del made
        assert path.read_bytes() == contents
    with vmem.open_array(path, "B", mode="r+") as made:
        made.frombytes(b"x" * UNIT)
        made.flush(durable=False)
        assert read_open(path, num_bytes + UNIT) == contents + b"x" * UNIT
    del made
    assert path.read_bytes() == contents + b"x" * UNIT


def test_a_failed_call_leaves_the_file_as_it_was(path: Path) -> None:
    path.write_bytes(bytes(100))
    with pytest.raises(MemoryError):
        vmem.open_array(path, "B", mode="r+", capacity=1 << 60)
    assert size_of(path) == 100


def test_a_refused_opening_leaves_the_file_as_it_was(path: Path) -> None:
    path.write_bytes(b"x" * 100)
    with path.open("r+b") as file:
        handle = import_module("msvcrt").get_osfhandle(file.fileno())
        with pytest.raises(ValueError, match="no 1000 items"):
            _vmem._open_array(vmem.FileArray, handle, "B", (), 0, 1000, b"", b"", None, True)
    assert path.read_bytes() == b"x" * 100


def test_growth_that_cannot_be_mapped(path: Path) -> None:
    """The addresses of the second unit are lost. The file has become longer, but not for long."""
    made = vmem.open_array(path, "B", mode="x", capacity=4 * UNIT)
    made.frombytes(b"x" * UNIT)
    made.flush()
    base = np.asarray(made).ctypes.data
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - mypy knows it on Windows only
    kernel.VirtualAlloc.restype = ctypes.c_void_p
    assert kernel.VirtualFree(ctypes.c_void_p(base + UNIT), ctypes.c_size_t(0), 0x8000)
    assert kernel.VirtualAlloc(ctypes.c_void_p(base + 2 * UNIT), ctypes.c_size_t(2 * UNIT), 0x2000, 1)
    gc.collect()
    with pytest.raises(OSError, match=f"from {UNIT} bytes to {UNIT + 1}"):
        made.append(1)
    assert size_of(path) > UNIT
    made.close()
    assert path.read_bytes() == made.tobytes() == b"x" * UNIT


# --- readers ---


@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_readers_follow(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    made = vmem.open_array(path, "d", mode="x")
    readers: list[Any] = [vmem.open_array(path, "d") for _ in range(2)]
    first = None
    for step in range(1, 40):
        made.extend(np.arange(1000.0 * step))
        assert len(readers[0]) < len(made), "it shows what was flushed"
        made.flush(durable=False)
        assert [len(each) for each in readers] == [len(made)] * 2
        assert readers[0][-1] == made[-1]
        if first is None:
            first = np.asarray(readers[0])
    assert first is not None
    made[5] = -1.0
    assert first[5] == readers[1][5] == -1.0
    assert first.shape == (1000,)
    assert readers[1].tolist() == made.tolist()


def test_a_reader_from_before_the_writer(path: Path) -> None:
    """Its last part is mapped again, unless somebody may have its address."""
    path.write_bytes(bytes(100))
    seen, viewed = vmem.open_array(path, "B"), vmem.open_array(path, "B")
    view = np.asarray(viewed)
    made = vmem.open_array(path, "B", mode="a")
    made.frombytes(b"x" * 3 * UNIT)
    made.flush()
    assert seen.tobytes() == made.tobytes()
    assert 100 <= len(viewed) <= 4096
    assert viewed.tobytes() == made.tobytes()[: len(viewed)]
    assert not view.any()
    assert vmem.open_array(path, "B").tobytes() == made.tobytes()


FOLLOW = """
import sys, vmem
reader = vmem.open_array(sys.argv[1], "q")
for line in sys.stdin:
    print(len(reader), reader[-1] if len(reader) else None, flush=True)
"""


def test_readers_in_other_processes(path: Path) -> None:
    made = vmem.open_array(path, "q", mode="x")
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin
        assert reader.stdout
        for step in range(1, 20):
            made.extend(range(step * 5000))
            made.flush(durable=False)
            made.append(-1)  # not flushed
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert reader.stdout.readline().split() == [str(len(made) - 1), str(step * 5000 - 1)]
        reader.stdin.close()
        assert reader.wait() == 0
    made.close()
    assert size_of(path) == 8 * len(made)


def test_readers_with_room_for_less_than_the_file(path: Path) -> None:
    made = vmem.open_array(path, "q", mode="x")
    made.extend(range(UNIT // 8))
    made.flush()
    reader = vmem.open_array(path, "q", capacity=3 * UNIT // 8)
    view: Any = memoryview(reader)
    made.extend(range(9 * UNIT // 8))
    made.flush()
    assert reader.tolist() == made.tolist()[: 3 * UNIT // 8]
    assert view.tolist() == made.tolist()[: UNIT // 8]


# --- closing ---


def test_views_at_close(path: Path) -> None:
    """The file has its exact size, and others may write it, once they are gone."""
    made = vmem.open_array(path, "d", mode="x")
    made.extend([1.0, 2.0])
    view: Any = memoryview(made)
    made.close()
    assert size_of(path) == UNIT
    with pytest.raises(BlockingIOError):
        vmem.open_array(path, "d", mode="a")
    view[0] = 5.0
    assert made.tolist() == [5.0, 2.0]
    view.release()
    del made
    gc.collect()
    assert path.read_bytes() == np.array([5.0, 2.0]).tobytes()


def test_raw_files_that_others_map(path: Path) -> None:
    made = vmem.open_array(path, "d", mode="x")
    made.extend([1.0, 2.0])
    made.flush()
    reader = vmem.open_array(path, "d")
    with pytest.raises(OSError, match=rf"{UNIT} bytes to 16.*maps it"):
        made.close()
    made.close()
    with pytest.raises(ValueError, match="closed"):
        made.append(3.0)
    assert made.tolist() == reader.tolist() == vmem.open_array(path, "d").tolist() == [1.0, 2.0]
    with pytest.raises(BlockingIOError):
        vmem.open_array(path, "d", mode="a")
    del reader
    del made
    gc.collect()
    assert size_of(path) == 16


def test_npy_files_that_others_map(npy: Path) -> None:
    made = vmem.open_array(npy, "d", mode="x")
    made.extend([1.0, 2.0])
    made.flush()
    reader = vmem.open_array(npy)
    made.close()
    assert reader.tolist() == np.load(npy).tolist() == [1.0, 2.0]
    del made, reader
    with vmem.open_array(npy, mode="a") as made:
        assert made.tolist() == [1.0, 2.0]
        made.append(3.0)
    assert npy.read_bytes()[128:] == np.array([1.0, 2.0, 3.0]).tobytes()
    assert np.load(npy).tolist() == [1.0, 2.0, 3.0]


def test_an_array_that_is_dropped(path: Path) -> None:
    made = vmem.open_array(path, "d", mode="x")
    made.extend([1.0] * 10_000)
    del made
    gc.collect()
    assert path.read_bytes() == np.ones(10_000).tobytes()


# --- killed, or at its end ---

WRITE = """
import sys, vmem
made = vmem.open_array(sys.argv[1], "d", mode="a", row_shape=(3,))
made.extend([(1.0, 2.0, 3.0)] * 5000)
made.flush(durable=False)
made.extend([(4.0, 5.0, 6.0)] * 10)
print("written", flush=True)
if sys.argv[2] == "wait":
    sys.stdin.read()
"""


@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_a_writer_that_is_killed(tmp_path: Path, ending: str) -> None:
    """A raw file ends with zeros, and maybe with a part of an item. The next writer opens it all the same."""
    path = tmp_path / f"a.{ending}"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path), "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "written\n"
        with pytest.raises(BlockingIOError):
            vmem.open_array(path, "d", mode="a", row_shape=(3,))
        writer.kill()
    assert size_of(path) % UNIT == 0
    with vmem.open_array(path, "d", mode="r+", row_shape=(3,)) as made:
        assert len(made) >= 5000
        assert np.asarray(made)[:5000].tolist() == [[1.0, 2.0, 3.0]] * 5000
        made.append((7.0, 8.0, 9.0))
        num_items = len(made)
    del made
    gc.collect()
    assert size_of(path) == (128 if ending == "npy" else 0) + 24 * num_items


def test_the_end_of_python(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITE, str(path), "end"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("written\n", "")
    assert size_of(path) == 24 * 5010


LEAVE_A_VIEW = """
import ctypes, sys, vmem
made = vmem.open_array(sys.argv[1], "d", mode="x")
made.append(1.0)
ctypes.pythonapi.Py_IncRef(ctypes.py_object(memoryview(made)))
"""


def test_a_view_that_is_never_freed(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LEAVE_A_VIEW, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_bytes() == np.array([1.0]).tobytes() + bytes(UNIT - 8)


# --- who may write ---


def test_one_writer(path: Path) -> None:
    with vmem.open_array(path, "d", mode="x"):
        with pytest.raises(PermissionError):
            path.open("r+b")
        with path.open("rb") as file:
            assert file.read() == b""
    with path.open("r+b"), pytest.raises(BlockingIOError):
        vmem.open_array(path, "d", mode="a")


@pytest.mark.parametrize(("mode", "makes"), [("r+", False), ("w+", False), ("w+", True), ("a", False), ("x", True)])
def test_no_descriptor_is_free(path: Path, mode: Any, makes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose handle stayed open could not be written any more."""
    msvcrt: Any = import_module("msvcrt")
    open_osfhandle = msvcrt.open_osfhandle

    def refuse(handle: int, flags: int) -> Any:
        if bool(flags & os.O_CREAT) != makes:
            return open_osfhandle(handle, flags)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    if mode != "x":
        path.write_bytes(bytes(8))
    before = list(path.parent.iterdir())
    with monkeypatch.context() as patched, pytest.raises(OSError, match="open files") as raised:
        patched.setattr(msvcrt, "open_osfhandle", refuse)
        vmem.open_array(path, "d", mode=mode)
    assert (raised.value.errno, raised.value.filename) == (errno.EMFILE, str(path))
    assert list(path.parent.iterdir()) == before
    with vmem.open_array(path, "d", mode=mode) as made:
        made.append(1.0)


def test_mode_w_plus(npy: Path) -> None:
    npy.write_bytes(make_npy(np.arange(3.0)))
    reader = vmem.open_array(npy)
    with pytest.raises(PermissionError):
        vmem.open_array(npy, "d", mode="w+")
    assert reader.tolist() == [0.0, 1.0, 2.0]
    del reader
    assert list(npy.parent.iterdir()) == [npy]
    with vmem.open_array(npy, "d", mode="w+") as made:
        made.append(5.0)
    assert np.load(npy).tolist() == [5.0]
    assert list(npy.parent.iterdir()) == [npy]


def test_mode_w_plus_in_a_loop(npy: Path) -> None:
    made = vmem.open_array(npy, "d", mode="w+")
    made.append(1.0)
    made.close()
    with pytest.raises(PermissionError):
        made = vmem.open_array(npy, "d", mode="w+")
    assert list(npy.parent.iterdir()) == [npy]
    assert np.load(npy).tolist() == [1.0]
    del made
    gc.collect()
    vmem.open_array(npy, "d", mode="w+").close()
    assert len(np.load(npy)) == 0
