"""Opening files: modes, types, sizes, and what is no file for an array."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import shutil
import socket
import stat
import subprocess
import sys
from array import array
from collections.abc import Callable, MutableSequence
from pathlib import Path
from typing import Any

import pytest

import vmem
from tests.support.files import count_descriptors, read_open, untouched
from tests.support.marks import linux_only, posix_only, root_only
from tests.support.processes import run_python

MODES = ["r", "r+", "w+", "x", "a"]
TYPECODES = "bBhHiIlLqQfd"
NUMBERS = array("d", [1.5, -2.5, 4.0])


def write(path: Path, numbers: array[Any] = NUMBERS) -> Path:
    path.write_bytes(numbers.tobytes())
    return path


# --- modes ---


@pytest.mark.parametrize("mode", ["w+", "x", "a"])
def test_modes_that_make_a_file(path: Path, mode: Any) -> None:
    with vmem.open_array(path, "d", mode=mode) as made:
        assert isinstance(made, vmem.Array)
        assert (len(made), made.typecode, made.readonly) == (0, "d", False)
        made.extend(NUMBERS)
    assert path.read_bytes() == NUMBERS.tobytes()


@pytest.mark.parametrize("mode", ["w+", "x", "a"])
def test_a_file_without_items(path: Path, mode: Any) -> None:
    vmem.open_array(path, "d", mode=mode).close()
    assert path.read_bytes() == b""
    for again in ("r", "r+", "a"):
        with vmem.open_array(path, "d", mode=again) as made:
            assert made.tolist() == []
            assert memoryview(made).nbytes == 0
    assert path.read_bytes() == b""


def test_new_files_have_the_permissions_that_open_gives(tmp_path: Path) -> None:
    (tmp_path / "other").open("xb").close()
    vmem.open_array(tmp_path / "made", "d", mode="x").close()
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_modes_that_need_a_file(path: Path, mode: Any) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        vmem.open_array(path, "d", mode=mode)
    assert caught.value.filename == str(path)
    assert not path.exists()


@pytest.mark.parametrize("mode", MODES)
def test_a_folder_that_is_missing(tmp_path: Path, mode: Any) -> None:
    with pytest.raises(FileNotFoundError):
        vmem.open_array(tmp_path / "missing" / "a", "d", mode=mode)


def test_mode_x_needs_that_there_is_none(path: Path) -> None:
    with untouched(write(path)), pytest.raises(FileExistsError):
        vmem.open_array(path, "d", mode="x")


def test_reading_is_the_default(path: Path) -> None:
    with untouched(write(path)), vmem.open_array(path, "d") as made:
        assert made.tolist() == NUMBERS.tolist()
        assert made.readonly
        assert memoryview(made).readonly
        changes: list[Callable[[], object]] = [
            lambda: made.append(1.0),
            lambda: made.extend([1.0]),
            lambda: made.__setitem__(0, 1.0),
            lambda: made.frombytes(bytes(8)),
            made.clear,
        ]
        for change in changes:
            with pytest.raises(TypeError):
                change()
        assert made.tolist() == NUMBERS.tolist()


@pytest.mark.parametrize("mode", ["r+", "a"])
def test_modes_that_go_on(path: Path, mode: Any) -> None:
    write(path)
    with vmem.open_array(path, "d", mode=mode) as made:
        assert made.tolist() == NUMBERS.tolist()
        made.append(8.0)
        made[0] = 0.25
    assert path.read_bytes() == array("d", [0.25, -2.5, 4.0, 8.0]).tobytes()


def test_mode_w_plus_begins_anew(path: Path) -> None:
    write(path, array("d", range(10_000)))
    with vmem.open_array(path, "d", mode="w+") as made:
        assert len(made) == 0
        made.append(3.0)
    assert path.read_bytes() == array("d", [3.0]).tobytes()


@posix_only
def test_mode_w_plus_takes_the_place_of_the_old_file(path: Path, tmp_path: Path) -> None:
    """Who reads the old one keeps it: it is not emptied under its views. The new one has its permissions."""
    write(path).chmod(0o640)
    with vmem.open_array(path, "d") as reader:
        view = memoryview(reader)
        with vmem.open_array(path, "d", mode="w+") as made:
            made.extend([7.0] * 5)
            assert reader.tolist() == view.tolist() == NUMBERS.tolist()
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]
    with vmem.open_array(path, "d") as reader:
        assert reader.tolist() == [7.0] * 5


@posix_only
def test_mode_w_plus_follows_links(path: Path, tmp_path: Path) -> None:
    write(path)
    link = tmp_path / "link"
    link.symlink_to(path.name)
    with vmem.open_array(link, "d", mode="w+") as made:
        made.append(7.0)
    assert link.is_symlink()
    assert path.read_bytes() == array("d", [7.0]).tobytes()


@pytest.mark.parametrize("mode", ["", "w", "rb", "R", "r+b", "ab", "w+x", "\0", "r\0"])
def test_other_modes(path: Path, mode: Any) -> None:
    with untouched(write(path)), pytest.raises(ValueError, match="mode"):
        vmem.open_array(path, "d", mode=mode)


@posix_only
def test_mode_w_plus_with_the_longest_name(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 255)
    for number in range(2):
        with vmem.open_array(path, "B", mode="w+") as made:
            made.append(number)
        assert path.read_bytes() == bytes([number])
    assert list(tmp_path.iterdir()) == [path]


@root_only
@pytest.mark.parametrize("convert", ["os.fsencode", "os.fsdecode"])
def test_errors_of_mode_w_plus_have_the_path_that_was_given(convert: str) -> None:
    """Not that of the new file, which takes its place afterwards."""
    run_python(
        f"""
        import os, tempfile, vmem
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            path = {convert}(os.path.join(folder, "a"))
            vmem.open_array(path, "d", mode="x").close()
            os.chmod(path, 0o666)
            os.chmod(folder, 0o555)
            os.seteuid(12345)
            try:
                vmem.open_array(path, "d", mode="w+")
            except PermissionError as error:
                assert error.filename == path and error.filename2 is None, error
            else:
                raise AssertionError
            finally:
                os.seteuid(0)
        """
    )


def test_a_failed_call_removes_what_it_made(path: Path, tmp_path: Path) -> None:
    modes: list[Any] = ["x", "a", "w+"]
    for mode in modes:
        with pytest.raises(TypeError):
            vmem.open_array(path, "d", mode=mode, capacity="5")  # type: ignore[call-overload]
        assert list(tmp_path.iterdir()) == []


@posix_only
@pytest.mark.parametrize("mode", ["x", "a", "w+"])
def test_a_failed_call_removes_no_file_of_another_writer(
    path: Path, tmp_path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it removes its own, nobody else can have begun to write it."""
    unlink, others = os.unlink, []

    def unlink_late(removed: Any) -> None:
        with pytest.raises(BlockingIOError):
            vmem.open_array(removed, "d", mode="a")
        others.append(removed)
        unlink(removed)

    monkeypatch.setattr(os, "unlink", unlink_late)
    with pytest.raises(TypeError):
        vmem.open_array(path, "d", mode=mode, capacity="5")  # type: ignore[call-overload]
    assert len(others) == 1
    assert list(tmp_path.iterdir()) == []


@posix_only
def test_a_failed_call_removes_no_file_that_took_the_place(path: Path, tmp_path: Path) -> None:
    class Capacity:
        def __index__(self) -> int:
            write(tmp_path / "other").replace(path)
            raise OverflowError

    with pytest.raises(OverflowError):
        vmem.open_array(path, "d", mode="x", capacity=Capacity())
    assert path.read_bytes() == NUMBERS.tobytes()


def test_the_first_error_is_raised(path: Path) -> None:
    class Capacity:
        def __index__(self) -> int:
            path.unlink()
            raise OverflowError

    with pytest.raises(OverflowError):
        vmem.open_array(path, "d", mode="x", capacity=Capacity())


@posix_only
@pytest.mark.parametrize("ending", ["", "/", "/.", "/.."])
@pytest.mark.parametrize("mode", ["x", "a", "w+"])
def test_paths_that_end_as_those_of_folders(tmp_path: Path, mode: Any, ending: str) -> None:
    """The error is that of open()."""
    if ending:
        with pytest.raises(OSError, match=r".") as expected:
            open(f"{tmp_path}/new{ending}", "xb")  # noqa: SIM115, PTH123
        with pytest.raises(type(expected.value)) as caught:
            vmem.open_array(f"{tmp_path}/new{ending}", "d", mode=mode)
        assert str(caught.value) == str(expected.value)
    with pytest.raises((FileExistsError, IsADirectoryError)):
        vmem.open_array(f"{tmp_path}{ending}", "d", mode=mode)
    assert list(tmp_path.iterdir()) == []


# --- folders ---


@posix_only
@pytest.mark.parametrize("mode", ["x", "a", "w+"])
@pytest.mark.parametrize("change", ["rename", "remove"])
def test_a_folder_that_changes(tmp_path: Path, mode: Any, change: str) -> None:
    """What is written still gets to the disk."""
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    if mode == "w+":
        write(folder / "a")
    made = vmem.open_array(folder / "a", "d", mode=mode)
    made.append(1.5)
    if change == "rename":
        folder.rename(other)
    else:
        shutil.rmtree(folder)
    made.flush()
    made.append(-2.5)
    made.close()
    if change == "rename":
        assert (other / "a").read_bytes() == NUMBERS[:2].tobytes()


@root_only
def test_a_folder_that_cannot_be_read() -> None:
    """Files can be made there."""
    run_python(
        """
        import fcntl, os, tempfile, vmem
        open_array = vmem.open_array  # its module is imported while it can be read
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            os.chmod(folder, 0o333)
            os.seteuid(12345)
            try:
                path = os.path.join(folder, "a")
                with open_array(path, "d", mode="x") as array:
                    array.append(1.5)
                    array.flush()
                assert os.path.getsize(path) == 8
            finally:
                os.seteuid(0)
        """
    )


@linux_only
@pytest.mark.parametrize("mode", ["x", "a", "w+"])
def test_descriptors_are_closed(path: Path, mode: Any) -> None:
    before = count_descriptors()
    made = vmem.open_array(path, "d", mode=mode)
    made.append(1.0)
    made.flush()
    made.close()
    assert count_descriptors() == before
    del made
    path.unlink()
    made = vmem.open_array(path, "d", mode=mode)
    del made
    assert count_descriptors() == before


# --- arguments ---


@pytest.mark.parametrize("typecode", TYPECODES)
def test_typecodes(path: Path, typecode: str) -> None:
    with vmem.open_array(path, typecode, mode="x") as made:
        made.extend([1, 2, 100])
    assert path.read_bytes() == array(typecode, [1, 2, 100]).tobytes()
    with vmem.open_array(path, typecode) as made:
        assert (made.typecode, made.tolist()) == (typecode, [1, 2, 100])


@pytest.mark.parametrize("typecode", ["", "dd", "x", "u", "w", "c", "?", "e", "O", "<d", "\0"])
@pytest.mark.parametrize("mode", MODES)
def test_bad_typecodes(path: Path, typecode: str, mode: Any) -> None:
    with untouched(write(path)), pytest.raises((TypeError, ValueError)):
        vmem.open_array(path, typecode, mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_raw_files_need_a_typecode(path: Path, tmp_path: Path, mode: Any) -> None:
    with untouched(write(path)), pytest.raises(TypeError, match="typecode"):
        vmem.open_array(path, mode=mode)
    if mode in ("w+", "x", "a"):
        for ending in ("raw", "npy"):
            new = tmp_path / f"new.{ending}"
            with pytest.raises(TypeError, match="typecode"):
                vmem.open_array(new, mode=mode)
            assert not new.exists()


class PathLike:
    def __init__(self, path: str | bytes) -> None:
        self.path = path

    def __fspath__(self) -> str | bytes:
        return self.path


def test_paths(path: Path) -> None:
    write(path)
    paths: list[Any] = [path, str(path), os.fsencode(path), PathLike(str(path)), PathLike(os.fsencode(path))]
    for given in paths:
        with vmem.open_array(given, "d") as made:
            assert made.tolist() == NUMBERS.tolist()
            assert made.path == os.fspath(given)
        assert made.path == os.fspath(given)


def test_the_type(path: Path) -> None:
    """It is made by open_array() only, and what is made of it is an array of its own."""
    with vmem.open_array(path, "d", mode="x") as made:
        made.extend(NUMBERS)
        assert type(made) is vmem.FileArray
        copies = [copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))]
        for other in (made[:], made + made, made * 2, *copies):
            assert type(other) is vmem.Array
            assert other[:3].tolist() == NUMBERS.tolist()
            other.clear()
        assert repr(made).startswith("FileArray(")
        assert made == vmem.Array("d", NUMBERS)
    with pytest.raises(TypeError, match="open_array"):
        vmem.FileArray("d")
    with pytest.raises(TypeError):
        vmem.FileArray.__new__(vmem.FileArray)
    assert isinstance(made, MutableSequence)


@posix_only
def test_fileno(path: Path) -> None:
    made = vmem.open_array(path, "d", mode="x")
    assert os.path.samestat(os.fstat(made.fileno()), path.stat())
    made.close()
    with pytest.raises(ValueError, match="closed"):
        made.fileno()


def test_only_appending(path: Path) -> None:
    """What would remove or move items is refused: readers in other processes may be looking at them."""
    with vmem.open_array(path, "d", mode="x") as made:
        made.extend(NUMBERS)
        for change in (
            lambda: made.pop(),
            lambda: made.insert(0, 1.0),
            lambda: made.remove(1.5),
            lambda: made.__delitem__(0),
            lambda: made.__delitem__(slice(0, 1)),
            lambda: made.__setitem__(slice(0, 1), vmem.Array("d")),
            made.clear,
            made.reverse,
        ):
            with pytest.raises(TypeError, match="append-only"):
                change()
        made[0] = 9.0
        made[1:2] = vmem.Array("d", [8.0])
    assert path.read_bytes() == array("d", [9.0, 8.0, 4.0]).tobytes()


@posix_only
def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xfe"
    with vmem.open_array(name, "B", mode="x") as made:
        made.append(5)
    with vmem.open_array(os.fsdecode(name), "B") as made:
        assert made.tolist() == [5]
        assert os.fsencode(made.path) == name
        assert repr(made)


@pytest.mark.parametrize("given", [None, 5, 1.5, True, ["a"], object(), PathLike(5)])  # type: ignore[arg-type]
def test_what_is_not_a_path(given: Any) -> None:
    with pytest.raises(TypeError):
        vmem.open_array(given, "d", mode="a")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("given", ["", b"", "a\0b", b"a\0b"])
def test_paths_that_no_system_has(given: Any, mode: Any) -> None:
    with pytest.raises((ValueError, FileNotFoundError)):
        vmem.open_array(given, "d", mode=mode)


@posix_only
@pytest.mark.parametrize("mode", MODES)
def test_paths_through_a_folder_that_is_missing(tmp_path: Path, mode: Any) -> None:
    """Without it they would lead to a file."""
    (tmp_path / "a").write_bytes(bytes(8))
    with pytest.raises(FileNotFoundError):
        vmem.open_array(f"{tmp_path}/missing/../a", "d", mode=mode)


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with vmem.open_array("here", "B", mode="x") as made:
        made.append(1)
        monkeypatch.chdir("/")
        made.extend(bytes(1 << 20))
        made.flush()
    assert (tmp_path / "here").stat().st_size == 1 + (1 << 20)


def test_capacity(path: Path) -> None:
    write(path)
    with vmem.open_array(path, "d", mode="r+", capacity=5) as made:
        assert made.capacity == 5
        made.extend([8.0, 16.0])
        with pytest.raises(vmem.OutOfMemoryError):
            made.append(32.0)
        assert made.tolist() == [*NUMBERS, 8.0, 16.0]
    assert path.stat().st_size == 5 * 8


@pytest.mark.parametrize("mode", ["r", "r+", "a"])
def test_the_default_capacity(path: Path, mode: Any) -> None:
    """There is room for much more than the file has, with addresses of 32 bits too."""
    with vmem.open_array(write(path), "d", mode=mode) as made:
        assert made.capacity * made.itemsize >= 8 << 20
        assert made.capacity >= len(NUMBERS) + vmem.Array("d").capacity // 2


@pytest.mark.parametrize("mode", ["r", "r+", "a"])
def test_a_capacity_below_what_there_is(path: Path, mode: Any) -> None:
    with untouched(write(path)), pytest.raises(ValueError, match="2"):
        vmem.open_array(path, "d", mode=mode, capacity=2)


@pytest.mark.parametrize("capacity", [-1, 1 << 62, 1 << 64, 1 << 200])
@pytest.mark.parametrize("mode", MODES)
def test_capacities_that_there_cannot_be(path: Path, capacity: int, mode: Any) -> None:
    """The file is as it was, also one that w+ would have made anew."""
    with untouched(write(path)), pytest.raises((ValueError, OverflowError, OSError)):
        vmem.open_array(path, "d", mode=mode, capacity=capacity)
    if mode in ("w+", "a"):
        path.unlink()
        with pytest.raises((ValueError, OverflowError, OSError)):
            vmem.open_array(path, "d", mode=mode, capacity=capacity)
        assert not path.exists() or path.stat().st_size == 0


@pytest.mark.parametrize("argument", ["typecode", "mode", "capacity", "row_shape"])
def test_arguments_of_wrong_types(path: Path, argument: str) -> None:
    arguments: dict[str, Any] = {"typecode": "d", "mode": "r+"} | {argument: 1.5}
    with untouched(write(path)), pytest.raises(TypeError):
        vmem.open_array(path, **arguments)


def test_positional_arguments(path: Path) -> None:
    call: Any = vmem.open_array
    with pytest.raises(TypeError):
        call(path, "d", "x")
    with pytest.raises(TypeError):
        call()
    assert not path.exists()


# --- sizes ---


@pytest.mark.parametrize("mode", ["r", "r+", "a"])
@pytest.mark.parametrize("num_bytes", [1, 7, 9, 8191])
def test_a_file_of_broken_items(path: Path, mode: Any, num_bytes: int) -> None:
    path.write_bytes(bytes(num_bytes))
    with untouched(path), pytest.raises(ValueError, match=str(num_bytes)):
        vmem.open_array(path, "d", mode=mode)


@pytest.mark.parametrize("num_pages", [0, 1, 2, 17])
@pytest.mark.parametrize("extra", [-8, 0, 8])
def test_files_that_end_beside_a_page(path: Path, page: int, num_pages: int, extra: int) -> None:
    num_bytes = max(num_pages * page + extra, 0)
    contents = os.urandom(num_bytes)
    path.write_bytes(contents)
    with vmem.open_array(path, "B", mode="a") as made:
        assert made.tobytes() == contents
        made.append(7)
        made.flush()
        assert read_open(path, num_bytes + 1) == contents + b"\x07"
        made.frombytes(bytes(2 * page))
    assert path.read_bytes() == contents + b"\x07" + bytes(2 * page)


@linux_only
@pytest.mark.many_addresses
def test_a_large_file(path: Path) -> None:
    """64 GiB without blocks: it takes addresses, and neither time nor memory."""
    with path.open("xb") as file:
        file.truncate(1 << 36)
    with vmem.open_array(path, "d") as made:
        assert len(made) == 1 << 33
        assert (made[0], made[-1]) == (0.0, 0.0)
    with vmem.open_array(path, "d", mode="r+") as made:
        made[-1] = 5.0
        assert made[-1] == 5.0
    assert path.stat().st_size == 1 << 36
    assert path.stat().st_blocks < 1 << 12, "opening a sparse file has filled it"


# --- what is no file for an array ---


@pytest.mark.parametrize("mode", MODES)
def test_folders(tmp_path: Path, mode: Any) -> None:
    with pytest.raises((IsADirectoryError, FileExistsError, PermissionError)) as caught:
        vmem.open_array(tmp_path, "d", mode=mode)
    assert caught.value.filename == tmp_path or caught.value.filename == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@posix_only
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.in_child
def test_pipes(path: Path, mode: Any) -> None:
    """Opening one would wait for somebody at its other end."""
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"not a regular file|exists"):
        vmem.open_array(path, "d", mode=mode)
    assert stat.S_ISFIFO(path.stat().st_mode)


@posix_only
@pytest.mark.parametrize("mode", MODES)
def test_devices(mode: Any) -> None:
    for name in ("/dev/zero", "/dev/null"):
        with pytest.raises(OSError, match=r"not a regular file|exists"):
            vmem.open_array(name, "d", mode=mode)


@linux_only
@pytest.mark.parametrize("name", ["/proc/self/status", "/proc/self/mem", "/proc/version", "/sys/kernel/mm"])
@pytest.mark.parametrize("mode", ["r", "r+", "a"])
def test_files_that_the_kernel_makes(name: str, mode: Any) -> None:
    """Their size is 0, or what they have cannot be mapped: never an array with items that are not there."""
    try:
        made = vmem.open_array(name, "B", mode=mode)
    except (ValueError, OSError):
        return
    assert mode == "r"
    assert len(made) == 0
    made.close()


@posix_only
def test_sockets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)  # for a name that is short enough
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
        with pytest.raises(OSError, match=r"regular|device"):
            vmem.open_array(path, "d", mode="a")


@posix_only
def test_links(path: Path, tmp_path: Path) -> None:
    """Arrays are opened through them, as files are; x follows none."""
    link = tmp_path / "link"
    link.symlink_to(path.name)
    with pytest.raises(FileExistsError):
        vmem.open_array(link, "d", mode="x")
    with pytest.raises(FileNotFoundError):
        vmem.open_array(link, "d")
    with vmem.open_array(link, "d", mode="a") as made:
        made.extend(NUMBERS)
        with pytest.raises(OSError, match="link"):
            vmem.open_array(path, "d", mode="a")
    assert link.is_symlink()
    assert path.read_bytes() == NUMBERS.tobytes()
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="loop"):
        vmem.open_array(loop, "d", mode="a")


@posix_only
def test_files_that_may_only_be_read() -> None:
    run_python(
        """
        import array, os, tempfile, vmem
        open_array = vmem.open_array  # its module is imported while it can be read
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a")
            with open(path, "xb") as file:
                file.write(array.array("d", [1.5, 2.5]))
            os.chmod(path, 0o444)
            os.chmod(folder, 0o777)
            before = os.stat(path)
            if os.geteuid() == 0:  # whom permissions do not stop
                os.seteuid(12345)
            for mode in ("r+", "w+", "a"):
                try:
                    open_array(path, "d", mode=mode)
                except PermissionError as error:
                    assert error.filename == path, error
                else:
                    raise AssertionError(mode)
                assert os.stat(path).st_mtime_ns == before.st_mtime_ns
            with open_array(path, "d") as made:
                assert made.tolist() == [1.5, 2.5]
            os.seteuid(os.getuid())
        """
    )


@linux_only
def test_memory_in_huge_pages() -> None:
    """It is a file to the system, of pages that are larger than those of arrays."""
    try:
        descriptor = os.memfd_create("huge", os.MFD_HUGETLB)
    except OSError as error:
        pytest.skip(f"this kernel has no huge pages for files: {error}")
    try:
        os.truncate(descriptor, 1 << 30 if sys.maxsize > 1 << 32 else 1 << 28)
        with pytest.raises(OSError, match="cannot be mapped") as caught:
            vmem.open_array(f"/proc/self/fd/{descriptor}", "d")
        assert caught.value.errno == errno.ENODEV
    finally:
        os.close(descriptor)


@linux_only
@pytest.mark.parametrize("mode", ["w+", "r+"])
def test_memory_has_no_name_that_another_file_could_take(mode: Any) -> None:
    descriptor = os.memfd_create("nameless")
    try:
        os.write(descriptor, bytes(16))
        path = f"/proc/self/fd/{descriptor}"
        if mode == "w+":
            with pytest.raises(OSError, match="without a name") as caught:
                vmem.open_array(path, "d", mode=mode)
            assert caught.value.filename == path
        else:
            with vmem.open_array(path, "d", mode=mode) as made:
                made.append(1.5)
        assert os.pread(descriptor, 100, 0) == bytes(16) + (
            b"" if mode == "w+" else bytes(memoryview(vmem.Array("d", [1.5])))
        )
    finally:
        os.close(descriptor)


@linux_only
def test_programs_that_run(tmp_path: Path) -> None:
    """Nobody may write to them, and everybody may read them."""
    program = tmp_path / "cat"
    shutil.copy(shutil.which("cat") or "/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE):
        with pytest.raises(OSError, match=r"(?i)busy"):
            vmem.open_array(program, "B", mode="r+")
        with vmem.open_array(program, "B") as made:
            assert made[:4].tobytes() == b"\x7fELF"
