"""The cost of an array that is a file, compared with npy-append-array, `numpy.memmap` and `write()`.

    python benchmarks/files.py

It needs the installed package and NumPy; and npy-append-array for the rows about it. See README.md. The files are in
TMPDIR: what durability costs is a property of the disk that has it. NumPy is imported when a row needs it: `vmem bench`
also runs where it is missing.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import count, repeat
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from side_by_side import KIB, MIB, Comparison, Work, compare_works, run

import vmem

BLOCK = 256  # doubles, 2 KiB
WINDOW = 4096  # doubles, 32 KiB
CHUNK = 64 * KIB
FILL_BYTES = 64 * MIB

# Appends a block and, in most cases, looks at the newest window, which it returns.
Step = Callable[[], Any]
MakeStep = Callable[[], Step]

numbers = count()


@cache
def make_folder() -> str:
    """The folder of all files, which is deleted when the process ends."""
    folder = tempfile.mkdtemp(prefix="vmem-bench-")
    atexit.register(shutil.rmtree, folder)
    return folder


def make_path(ending: str) -> Path:
    return Path(make_folder(), f"{next(numbers)}{ending}")


def make_block(num_items: int = BLOCK) -> Any:
    return import_module("numpy").ones(num_items)


# --- a block in, a window out ---


def open_with_vmem() -> vmem.FileArray[float]:
    array = vmem.open_array(make_path(".npy"), "d", mode="x")
    array.extend(make_block(WINDOW))
    return array


def step_with_vmem() -> Step:
    asarray = import_module("numpy").asarray
    array, block = open_with_vmem(), make_block()

    def step() -> Any:
        array.extend(block)
        return asarray(array)[-WINDOW:]

    return step


def step_with_vmem_and_flush() -> Step:
    asarray = import_module("numpy").asarray
    array, block = open_with_vmem(), make_block()

    def step() -> Any:
        array.extend(block)
        array.flush(durable=False)
        return asarray(array)[-WINDOW:]

    return step


def append_with_npy_append_array() -> Step:
    """Without a look, for which the file would have to be opened again."""
    file = import_module("npy_append_array").NpyAppendArray(make_path(".npy"), delete_if_exists=True)
    file.append(make_block(WINDOW))
    block = make_block()
    return lambda: file.append(block)


def step_with_npy_append_array() -> Step:
    load, path = import_module("numpy").load, make_path(".npy")
    file = import_module("npy_append_array").NpyAppendArray(path, delete_if_exists=True)
    file.append(make_block(WINDOW))
    block = make_block()

    def step() -> Any:
        file.append(block)
        return load(path, mmap_mode="r")[-WINDOW:]

    return step


def step_with_memmap() -> Step:
    """`write()`, and a new map of the longer file."""
    memmap, path = import_module("numpy").memmap, make_path(".raw")
    file = path.open("wb", buffering=0)
    file.write(make_block(WINDOW))
    block = make_block()

    def step() -> Any:
        file.write(block)
        return memmap(path, "float64", "r")[-WINDOW:]

    return step


def repeat_step(make: MakeStep) -> Work:
    """Each side has one file, which grows through all samples."""
    step: Step | None = None

    def work(iterations: int) -> float:
        nonlocal step
        step = step or make()
        start = perf_counter_ns()
        for _ in repeat(None, iterations):
            step()
        return (perf_counter_ns() - start) / iterations

    return work


# How vmem steps, how the other does, its name, the target, and the module that it needs.
Peers = Sequence[tuple[str, MakeStep, str, MakeStep, float | None, str]]
APPEND_AND_LOOK = f"file: append 2 KiB, look at the last {WINDOW:,} doubles"
WITH_FLUSH = f"file: append 2 KiB, flush(durable=False), look at {WINDOW:,}"
LIBRARIES: Peers = [
    (
        APPEND_AND_LOOK,
        step_with_vmem,
        "npy-append-array's append alone",
        append_with_npy_append_array,
        1 / 5,
        "npy_append_array",
    ),
    (
        WITH_FLUSH,
        step_with_vmem_and_flush,
        "npy-append-array's append alone",
        append_with_npy_append_array,
        1 / 3,
        "npy_append_array",
    ),
    (
        WITH_FLUSH,
        step_with_vmem_and_flush,
        "npy-append-array, opened again",
        step_with_npy_append_array,
        None,
        "npy_append_array",
    ),
]
NUMPY: Peers = [
    (APPEND_AND_LOOK, step_with_vmem, "write() and np.memmap opened again", step_with_memmap, 1 / 15, "numpy"),
]


def list_steps(peers: Peers) -> Iterator[Comparison]:
    for work, make, name, make_other, target, needs in peers:
        yield compare_works(f"{work}, vs {name}", repeat_step(make), repeat_step(make_other), target, needs=needs)


# --- filling a file ---


def fill_with_vmem() -> float:
    path, chunk = make_path(".raw"), b"x" * CHUNK
    start = perf_counter_ns()
    with vmem.open_array(path, "B", mode="x") as array:
        for _ in repeat(None, FILL_BYTES // CHUNK):
            array.frombytes(chunk)
        array.flush(durable=False)
        nanoseconds = perf_counter_ns() - start
    path.unlink()
    return nanoseconds


def fill_with_write() -> float:
    path, chunk = make_path(".raw"), b"x" * CHUNK
    start = perf_counter_ns()
    with path.open("xb", buffering=0) as file:
        for _ in repeat(None, FILL_BYTES // CHUNK):
            file.write(chunk)
        nanoseconds = perf_counter_ns() - start
    path.unlink()
    return nanoseconds


def list_fills() -> Iterator[Comparison]:
    work = f"file: fill {FILL_BYTES // MIB} MiB by 64 KiB, vs write()"
    yield Comparison(work, fill_with_vmem, fill_with_write, 1.3, 41)


# --- durability ---


def append_durably() -> Step:
    array, block = vmem.open_array(make_path(".npy"), "d", mode="x"), b"x" * 8 * BLOCK

    def step() -> None:
        array.frombytes(block)
        array.flush()

    return step


def write_durably() -> Step:
    file, block = make_path(".raw").open("xb", buffering=0), b"x" * 8 * BLOCK

    def step() -> None:
        file.write(block)
        os.fsync(file.fileno())

    return step


def list_durability() -> Iterator[Comparison]:
    work = "file: append 2 KiB and flush(), vs write() and fsync()"
    yield compare_works(work, repeat_step(append_durably), repeat_step(write_durably), None, 101)


# --- all ---


def list_comparisons(peers: Peers = (*LIBRARIES, *NUMPY)) -> Iterator[Comparison]:
    yield from list_steps(peers)
    yield from list_fills()
    yield from list_durability()


if __name__ == "__main__":
    run("Measure the cost of arrays that are files, compared with other ways to append.", list_comparisons)
