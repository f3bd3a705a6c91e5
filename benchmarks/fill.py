"""Fills memory with one of several methods, in a process of its own, and prints the measurements as JSON.

    python benchmarks/fill.py bytearray 2147483648

arrays.py runs it and compares. Each method starts empty and appends the same chunk repeatedly; the names of those that
know the total size in advance contain "preallocated".
"""

from __future__ import annotations

import array
import ctypes
import functools
import importlib
import json
import mmap
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

from side_by_side import KIB, MIB, load_c, warm_memory

import vmem

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CHUNK = bytes(range(256)) * 256
assert len(CHUNK) == 64 * KIB


@dataclass(frozen=True)
class Filling:
    """Nanoseconds for all chunks and for the slowest one, and the largest increase of resident memory in bytes."""

    nanoseconds: float
    slowest: float
    peak: float


# Appends CHUNK.
Step = Callable[[], object]

# --- methods that grow ---


def fill_vmem(_num_bytes: int) -> Step:
    return functools.partial(vmem.Array("d").frombytes, CHUNK)


def fill_shared(num_bytes: int) -> Step:
    return functools.partial(vmem.Array("d", capacity=num_bytes // 8, shared=True).frombytes, CHUNK)


def fill_bytearray(_num_bytes: int) -> Step:
    return functools.partial(bytearray().extend, CHUNK)


def fill_array(_num_bytes: int) -> Step:
    return functools.partial(array.array("d").frombytes, CHUNK)


@functools.cache
def make_numpy_chunk() -> npt.NDArray[np.uint8]:
    import numpy as np

    return np.array(list(CHUNK), np.uint8)


def fill_numpy_doubling(_num_bytes: int) -> Step:
    """Copies into an array of twice the size when the current one is full, so that views of the old one stay valid."""
    import numpy as np

    chunk = make_numpy_chunk()
    items, end = np.empty(len(CHUNK), np.uint8), 0

    def step() -> None:
        nonlocal items, end
        start, end = end, end + len(chunk)
        if end > len(items):
            old, items = items, np.empty(2 * len(items), np.uint8)
            items[:start] = old
        items[start:end] = chunk

    return step


def fill_arrow(_num_bytes: int) -> Step:
    stream = importlib.import_module("pyarrow").BufferOutputStream()
    return functools.partial(stream.write, CHUNK)


# --- methods that know the total size ---


def fill_numpy_empty(num_bytes: int) -> Step:
    import numpy as np

    chunk = make_numpy_chunk()
    items, end = np.empty(num_bytes, np.uint8), 0

    def step() -> None:
        nonlocal end
        start, end = end, end + len(chunk)
        items[start:end] = chunk

    return step


def fill_mmap(num_bytes: int) -> Step:
    return functools.partial(mmap.mmap(-1, num_bytes).write, CHUNK)


# --- measuring ---

METHODS = {
    "vmem": fill_vmem,
    "vmem, shared": fill_shared,
    "bytearray": fill_bytearray,
    "array.array": fill_array,
    "NumPy doubling": fill_numpy_doubling,
    "Arrow BufferOutputStream": fill_arrow,
    "a preallocated numpy.empty": fill_numpy_empty,
    "a preallocated mmap.mmap": fill_mmap,
}


# The methods of fill.c.
FUNCTIONS = {"C": "fill", "C, shared": "fill_shared"}


def fill(name: str, num_bytes: int) -> tuple[float, float]:
    """Returns the nanoseconds for all chunks and for the slowest one."""
    times = repeat(None, num_bytes // len(CHUNK))
    start = before = perf_counter_ns()
    slowest = 0
    step = METHODS[name](num_bytes)
    for _ in times:
        step()
        after = perf_counter_ns()
        if after - before > slowest:
            slowest = after - before
        before = after
    return before - start, slowest


def fill_in_c(name: str, num_bytes: int) -> tuple[float, float]:
    function = load_c("fill.c")[FUNCTIONS[name]]
    function.restype = ctypes.c_double
    slowest = ctypes.c_double()
    nanoseconds = float(function(ctypes.c_size_t(num_bytes), CHUNK, ctypes.c_size_t(len(CHUNK)), ctypes.byref(slowest)))
    if nanoseconds < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"fill.c: {os.strerror(error)}")
    return nanoseconds, slowest.value


def read_memory() -> tuple[int, int]:
    """Returns current and peak resident memory of this process. Only Linux reports the current one cheaply."""
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        sizes = {line.split()[0]: int(line.split()[1]) * KIB for line in lines if line.startswith("Vm")}
        return sizes["VmRSS:"], sizes["VmHWM:"]
    try:
        import resource
    except ImportError:  # on Windows, where the rows that need this are skipped
        return 0, 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else KIB)
    return peak, peak


def measure(name: str, num_bytes: int) -> Filling:
    """Fills a little first, to import and compile what is needed before measuring."""
    run = functools.partial(fill_in_c if name in FUNCTIONS else fill, name)
    run(MIB)
    warm_memory(num_bytes)
    before, _ = read_memory()
    nanoseconds, slowest = run(num_bytes)
    _, peak = read_memory()
    return Filling(nanoseconds, slowest, peak - before)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that its children end too, as at Ctrl-C
    print(json.dumps(asdict(measure(sys.argv[1], int(sys.argv[2])))))
