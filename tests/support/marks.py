"""Marks that tests share. Child programs never import this module: pytest costs them 0.3 s."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import vmem
from vmem import _vmem

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")
on_heap_only = pytest.mark.skipif(
    _vmem.ARRAY_HEAP_BYTES < 1024, reason="this build keeps no array of that size on the heap"
)
root_only = pytest.mark.skipif(
    sys.platform == "win32" or not os.access("/proc/sys/vm/overcommit_memory", os.W_OK),
    reason="only root can change settings of the kernel",
)
new_numpy_only = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0",
    reason="from_dlpack() of NumPy before 2.1 takes no arguments, nor read-only memory, and shows all memory read-only",
)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork, signals nor resource limits")


def can_share() -> bool:
    """On Linux it must: tests that were skipped there would hide that nothing can be shared."""
    if sys.platform == "linux":
        return True
    try:
        vmem.reserve(1, shared=True).release()
    except NotImplementedError:
        return False
    return True


needs_shared_memory = pytest.mark.skipif(not can_share(), reason="this system has no shared memory without names")


def search(num_rounds: int, *, long: int) -> list[Any]:
    """Numbers of rounds of a search for what happens rarely: that of `make test`, and that of `make test-all`."""
    return [num_rounds, pytest.param(long, marks=(pytest.mark.exhaustive, pytest.mark.long_search))]


def sample(cases: Iterable[str], samples: set[str]) -> list[Any]:
    """The cases as parameters. `make test` runs the samples, and `make test-all` the others too."""
    found = list(cases)
    assert samples <= set(found), samples - set(found)
    return [pytest.param(case, marks=() if case in samples else pytest.mark.exhaustive) for case in found]
