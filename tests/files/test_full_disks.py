"""Disks and limits that are full: OSError with the numbers, nothing is lost, and the next call works."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.marks import linux_only, root_only
from tests.support.processes import run_python

MIB = 1 << 20

pytestmark = linux_only

SIZES = {"tmpfs": 16 * MIB, "ext4": 24 * MIB}
NEW_MOUNTS, RECURSIVE, PRIVATE = 0x20000, 16384, 1 << 18  # of unshare() and mount()


def make_disk(kind: str, image: Path) -> list[str] | None:
    """The arguments of mount for a small file system, None where its tools are missing."""
    size = SIZES[kind]
    if kind == "tmpfs":
        return ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
    with image.open("xb") as file:
        file.truncate(size)
    made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], capture_output=True)
    return None if made.returncode else ["-o", "loop", str(image)]


@contextmanager
def mounted(kind: str, parent: Path) -> Iterator[Path]:
    """A file system of a few MiB, for this process alone: if it is killed, nothing is left."""
    libc = ctypes.CDLL(None)
    if libc.unshare(NEW_MOUNTS) or libc.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None):
        pytest.skip("a process cannot mount here")
    folder = parent / "disk"
    folder.mkdir()
    try:
        arguments = make_disk(kind, parent / "image")
        done = arguments and subprocess.run(["mount", *arguments, folder], capture_output=True, text=True)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if not done or done.returncode:
        pytest.skip(f"{kind} cannot be mounted here: {done and done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


on_small_disks = pytest.mark.parametrize("kind", SIZES)


def fill(path: Path, num_bytes_left: int) -> None:
    """Takes what is free, but for so many bytes."""
    status = os.statvfs(path.parent)
    with path.open("xb", buffering=0) as file:
        file.write(bytes(max(status.f_bavail * status.f_frsize - num_bytes_left, 0)))
        os.fsync(file.fileno())


def refuse(call: Any) -> OSError:
    with pytest.raises(OSError, match=r"\d") as caught:
        call()
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG), caught.value
    return caught.value


@root_only
@pytest.mark.in_child
@on_small_disks
@pytest.mark.parametrize("ending", ["raw", "npy"])
@pytest.mark.parametrize("num_bytes_left", [0, 4096, 100_000, 5 * MIB])
def test_a_full_disk(kind: str, tmp_path: Path, ending: str, num_bytes_left: int) -> None:
    with mounted(kind, tmp_path) as disk:
        path = disk / f"a.{ending}"
        with vmem.open_array(path, "q", mode="x") as made:
            made.extend(range(1000))
            made.flush()
            view = memoryview(made)
            fill(disk / "other", num_bytes_left)
            blocks = [MIB, 100_000, 8000, 8]
            added = [0] * len(blocks)
            for number, num_bytes in enumerate(blocks):  # less and less, until nothing more fits
                while True:
                    length, size = len(made), path.stat().st_size
                    try:
                        made.extend(np.arange(length, length + num_bytes // 8, dtype="int64"))
                    except OSError as error:
                        assert error.errno == errno.ENOSPC, error  # noqa: PT017
                        assert path.stat().st_size == size
                        assert len(made) == length
                        break
                    added[number] += 1
            assert made.tolist() == list(range(len(made)))
            assert sum(added) > 0 or num_bytes_left < MIB
            assert 8 * len(made) >= num_bytes_left - MIB // 4, "what fits is used"
            refuse(lambda: made.append(1))
            refuse(lambda: made.frombytes(bytes(MIB)))
            view[5] = 5
            made.flush()
            expected = list(range(len(made)))
            check_file(path, expected)
            (disk / "other").unlink()
            made.append(len(made))
            made.extend(np.arange(len(made), len(made) + 100_000))
        check_file(path, list(range(len(expected) + 1 + 100_000)))


def check_file(path: Path, expected: list[int]) -> None:
    found = np.load(path) if path.suffix == ".npy" else np.fromfile(path, "q")
    assert found.tolist() == expected


@root_only
@pytest.mark.in_child
@on_small_disks
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_opening_on_a_full_disk(kind: str, tmp_path: Path, ending: str) -> None:
    with mounted(kind, tmp_path) as disk:
        path, old = disk / f"a.{ending}", disk / f"old.{ending}"
        with vmem.open_array(old, "q", mode="x") as made:
            made.extend(range(1000))
        fill(disk / "other", 0)
        try:
            made = vmem.open_array(path, "q", mode="x")
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017
            assert not path.exists() or path.stat().st_size == 0
        else:
            with made:
                refuse(lambda: made.frombytes(bytes(8 * 100_000)))
        for mode in ("r", "r+", "a"):
            with vmem.open_array(old, "q", mode=mode) as made:
                assert made.tolist() == list(range(1000))
                if mode != "r":
                    made[0] = 0
                    made.flush()
        check_file(old, list(range(1000)))


@root_only
@pytest.mark.in_child
@on_small_disks
def test_a_failing_iterator_keeps_what_fits(kind: str, tmp_path: Path) -> None:
    with mounted(kind, tmp_path) as disk, vmem.open_array(disk / "a", "q", mode="x") as made:
        fill(disk / "other", 2 * MIB)
        refuse(lambda: made.extend(iter(range(10 * MIB))))
        assert len(made) > 1000
        assert made.tolist() == list(range(len(made)))


@root_only
@pytest.mark.in_child
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_a_file_system_that_can_only_be_read(tmp_path: Path, ending: str) -> None:
    with mounted("tmpfs", tmp_path) as disk:
        path = disk / f"a.{ending}"
        with vmem.open_array(path, "q", mode="x") as made:
            made.extend(range(1000))
        del made  # what maps a file to write it keeps its file system writable
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for mode in ("r+", "a", "w+"):
            with pytest.raises(OSError, match="Read-only file system") as caught:
                vmem.open_array(path, "q", mode=mode)
            assert caught.value.errno == errno.EROFS
        with pytest.raises(OSError, match="Read-only file system"):
            vmem.open_array(disk / f"b.{ending}", "q", mode="x")
        with vmem.open_array(path, "q") as made:
            assert made.tolist() == list(range(1000))


@pytest.mark.exact_memory
@pytest.mark.parametrize("ending", ["raw", "npy"])
def test_the_file_size_limit(tmp_path: Path, ending: str) -> None:
    """Python ignores the signal that ends C programs."""
    path = tmp_path / f"a.{ending}"
    run_python(
        f"""
    import errno, os, resource, numpy as np, vmem
    MIB = 1 << 20
    path = {str(path)!r}
    def limit(num_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    def refuse(call):
        length, size = len(made), os.stat(path).st_size
        try:
            call()
        except OSError as error:
            assert error.errno == errno.EFBIG, error
            assert "RLIMIT_FSIZE" in str(error), error
        else:
            raise SystemExit("it was not refused")
        assert (len(made), os.stat(path).st_size) == (length, size)
    made = vmem.open_array(path, "q", mode="x")
    made.extend(range(1000))
    made.flush(durable=False)
    made.append(1000)
    made.append(1001)  # the file grows by more
    limit(MIB)
    refuse(lambda: made.frombytes(bytes([2]) * (2 * MIB)))
    behind = open(path, "rb").read().partition(made.tobytes())[2]
    assert len(behind) > 1000 and not any(behind), "what a kill leaves behind the items is zeros"
    for _ in range(100):
        made.extend(range(len(made), len(made) + 1000))
    while len(made) < 131_000:
        made.append(len(made))
    refuse(lambda: made.extend(np.arange(1000)))
    made.flush()
    assert made.tolist() == list(range(131_000))
    limit(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    made.extend(range(131_000, 400_000))
    made.close()
    """
    )
    check_file(path, list(range(400_000)))


@pytest.mark.exact_memory
@pytest.mark.many_addresses
def test_the_address_space_limit(path: Path) -> None:
    """The default capacity is a part of what is left; one that does not fit is refused, with the file as it was."""
    path.write_bytes(bytes(8 * 1000))
    run_python(
        f"""
    import os, resource, vmem
    from tests.support.system import status_bytes
    resource.setrlimit(resource.RLIMIT_AS, (status_bytes("VmSize") + (64 << 20), resource.RLIM_INFINITY))
    files = len(os.listdir("/proc/self/fd"))
    for mode in ("r", "r+", "a", "w+"):
        try:
            vmem.open_array({str(path)!r}, "d", mode=mode, capacity=1 << 27)
        except vmem.OutOfMemoryError as error:
            assert "RLIMIT_AS" in str(error), error
        else:
            raise SystemExit("it was not refused")
        assert os.stat({str(path)!r}).st_size == 8000
    assert len(os.listdir("/proc/self/fd")) == files
    with vmem.open_array({str(path)!r}, "d", mode="r+") as made:
        made.extend([1.0] * 1000)
    """
    )
    assert path.stat().st_size == 16_000


@pytest.mark.exact_memory
def test_the_descriptor_limit(path: Path) -> None:
    path.write_bytes(bytes(80))
    run_python(
        f"""
    import errno, os, resource, vmem
    vmem.open_array({str(path)!r}, "d").close()  # imports what it needs
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    made = vmem.open_array({str(path)!r}, "d", mode="r+")
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        pass
    for mode in ("r", "a"):
        try:
            vmem.open_array({str(path)!r}, "d", mode=mode)
        except OSError as error:
            assert error.errno == errno.EMFILE, error
        else:
            raise SystemExit("it was not refused")
    made.extend([1.0] * 100_000)
    made.flush()
    made.close()
    """
    )
    assert path.stat().st_size == 80 + 800_000


@pytest.mark.parametrize("limit", [0, 1, 50, 127])
@pytest.mark.parametrize("mode", ["x", "a", "w+"])
def test_a_limit_below_the_header(tmp_path: Path, mode: str, limit: int) -> None:
    path = str(tmp_path / "a.npy")
    run_python(
        f"""
        import errno, os, resource, vmem
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
        try:
            vmem.open_array({path!r}, "d", mode={mode!r})
        except OSError as error:
            assert (error.errno, error.filename) == (errno.EFBIG, {path!r}), error
        else:
            raise AssertionError
        assert not os.path.exists({path!r})
        """
    )


@pytest.mark.parametrize("path", ["/proc/self/status", "/proc/self/mem", "/sys/kernel/mm/transparent_hugepage/enabled"])
def test_files_that_cannot_be_mapped(path: str) -> None:
    with pytest.raises(OSError, match="cannot be mapped") as caught:
        vmem.open_array(path, "B")
    assert caught.value.filename == path
