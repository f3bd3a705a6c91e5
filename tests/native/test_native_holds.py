"""What was exported to Arrow is used and released by C code that knows nothing of Python, on its own threads and after
Python has ended."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vmem
from tests.support.capsules import ArrowArray, move_array
from tests.support.marks import posix_only
from tests.support.processes import ROOT, run_python
from tests.support.sharing import SharedFolder
from tests.support.system import status_bytes

pytestmark = posix_only

SOURCE = ROOT / "tests" / "programs" / "native_holder.c"
SUM = sum(range(1000))


def build_holder(folder: Path) -> None:
    command = [
        *shlex.split(os.environ.get("CC", "cc")),
        *("-std=c11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-pthread", "-I", str(ROOT / "csrc")),
        *(str(SOURCE), "-o", str(folder / "native_holder.so")),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def holder_path(shared_folder: SharedFolder) -> Path:
    return shared_folder("native_holder", build_holder) / "native_holder.so"


@pytest.fixture(scope="session")
def use_and_release(holder_path: Path) -> Callable[[Any, int], int]:
    function: Any = ctypes.CDLL(str(holder_path)).use_and_release
    function.argtypes = (ctypes.POINTER(ArrowArray), ctypes.c_size_t)
    function.restype = ctypes.c_int64
    return function  # type: ignore[no-any-return]


RESERVED = vmem.Array("i").capacity * 4


def count_addresses() -> int:
    """How many bytes of addresses this process uses, where that is known."""
    return status_bytes("VmSize") if sys.platform == "linux" else 0


def export(made: vmem.Array[int], num_exports: int) -> Any:
    """As many Arrow arrays, in a row."""
    return (ArrowArray * num_exports)(*(move_array(made.__arrow_c_array__()[1]) for _ in range(num_exports)))


@pytest.mark.parametrize("num_exports", [1, 2, 100])
def test_threads_of_others_release(num_exports: int, use_and_release: Callable[[Any, int], int]) -> None:
    made = vmem.Array("i", range(1000))
    arrays = export(made, num_exports)
    with pytest.raises(BufferError):
        made.pop()
    assert use_and_release(arrays, num_exports) == num_exports * SUM
    made.clear()


@pytest.mark.parametrize("num_exports", [1, 2, 100])
def test_threads_of_others_unmap(num_exports: int, use_and_release: Callable[[Any, int], int]) -> None:
    """Two threads release the last exports at the same time: one of them unmaps, and only one."""
    before = count_addresses()
    for _ in range(100):
        arrays = export(vmem.Array("i", range(1000)), num_exports)
        assert use_and_release(arrays, num_exports) == num_exports * SUM
    assert count_addresses() < before + RESERVED


def test_the_array_dies_while_threads_of_others_release(use_and_release: Callable[[Any, int], int]) -> None:
    """Whoever comes last unmaps: the array, which has the GIL, or one of the threads, which do not."""
    before = count_addresses()
    for _ in range(200):
        mades = [vmem.Array("i", range(1000))]
        arrays = export(mades[0], 2)
        sums: list[int] = []
        thread = threading.Thread(
            target=lambda sums, arrays: sums.append(use_and_release(arrays, 2)), args=(sums, arrays)
        )
        thread.start()
        mades.clear()
        thread.join()
        assert sums == [2 * SUM]
    assert count_addresses() < before + RESERVED


def test_the_array_exports_and_shrinks_while_threads_of_others_release(
    use_and_release: Callable[[Any, int], int],
) -> None:
    made = vmem.Array("i", range(1000))
    sums: list[int] = []

    def release() -> None:
        sums.extend(use_and_release(export(made, 20), 20) for _ in range(50))

    threads = [threading.Thread(target=release) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        made.append(0)
        try:
            del made[1000:]
        except BufferError:
            assert made.map().num_views <= 41
    for thread in threads:
        thread.join()
    assert sums == 100 * [20 * SUM]
    assert made.map().num_views == 0
    made.clear()


@pytest.mark.parametrize(
    "ending", ["pass", "del made", "sys.kept = made", "sys.kept = [made]; sys.kept.append(sys.kept)"]
)
def test_an_export_outlives_python(ending: str, holder_path: Path) -> None:
    """An array that is never deallocated keeps its memory; the others leave it to the export."""
    printed = run_python(
        f"""
        import ctypes, sys, vmem
        from tests.support.capsules import move_array
        made = vmem.Array("i", range(1000))
        array = move_array(made.__arrow_c_array__()[1])
        ctypes.CDLL({str(holder_path)!r}).keep_until_exit(ctypes.byref(array))
        {ending}
        """
    )
    total, state = printed.split()
    assert int(total) == SUM
    assert state == "unmapped" or ending != "del made"
