"""Access through a raw address can crash the process, as in C. Access through a region or a view cannot."""

from __future__ import annotations

import pytest

from tests.support.marks import posix_only
from tests.support.processes import run_python, run_python_to_death

START = """
import ctypes, vmem
region = vmem.reserve(1 << 30)
page = region.page_size
region.commit(0, 4 * page)
region[0 : 4 * page] = b"x" * (4 * page)
address = region.address
"""


@posix_only
@pytest.mark.parametrize(
    "access",
    [
        "ctypes.string_at(address + 4 * page, 1)",
        "ctypes.memset(address + 4 * page, 1, 1)",
        "ctypes.string_at(address - 1 + 4 * page, 2)",
        "region.decommit(page, page); print_ready(); ctypes.string_at(address + page, 1)",
        "region.decommit(); print_ready(); ctypes.memset(address, 1, 1)",
        "region.release(); print_ready(); ctypes.string_at(address, 1)",
    ],
)
def test_raw_access_to_uncommitted_memory_faults(access: str) -> None:
    ready = "def print_ready(): print('ready', flush=True)\n"
    if "print_ready" not in access:
        access = "print_ready(); " + access
    run_python_to_death(START + ready + access)


def test_raw_access_to_committed_memory_does_not_fault() -> None:
    run_python(START + "assert ctypes.string_at(address + 4 * page - 1, 1) == b'x'; ctypes.memset(address, 1, page)")


def test_views_never_fault() -> None:
    """Tries every kind of access on reserved, decommitted and released memory."""
    run_python(
        START
        + """
whole = region.view(0, 4 * page)
parts = [whole[:page], whole[page:], whole[::-1], whole.cast("I"), whole[5:6]]
raised = 0
def attempt(call):
    global raised
    try:
        result = call()
        if isinstance(result, memoryview):
            bytes(result)
    except (ValueError, BufferError, IndexError):
        raised += 1
for number in range(-2, 8):
    for call in (
        lambda: region[number * page],
        lambda: region.__setitem__(number * page, 1),
        lambda: region[number * page : (number + 2) * page],
        lambda: region.view(max(number, 0) * page, 2 * page),
        lambda: region.__setitem__(slice(number * page, (number + 1) * page), bytes(page)),
        lambda: region.decommit(max(number, 0) * page, page),
        lambda: region.decommit(),
        region.release,
    ):
        attempt(call)
for part in [whole, *parts]:
    part[0:1]
    bytes(part)
    part.release()
attempt(lambda: region.decommit(page, page))
for number in range(8):
    attempt(lambda: region[number * page])
    attempt(lambda: region[number * page : (number + 1) * page])
region.release()
for number in range(8):
    attempt(lambda: region[number * page])
    attempt(lambda: region[number * page : (number + 1) * page])
assert raised > 60, raised
"""
    )
