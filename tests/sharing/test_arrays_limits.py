"""Shared arrays at the limits of a process: what is refused names the limit, and nothing has changed."""

from __future__ import annotations

import pytest

from tests.support.marks import linux_only, needs_shared_memory
from tests.support.processes import run_python

pytestmark = [needs_shared_memory, linux_only, pytest.mark.exact_memory, pytest.mark.many_addresses]

LIMITS = """
    import os, resource, vmem
    from tests.support.system import status_bytes

    def set_limit(kind, value):
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))

    def refuses(call, *texts, kind=vmem.OutOfMemoryError):
        try:
            call()
        except kind as error:
            assert all(text in str(error) for text in texts), error
        else:
            raise AssertionError("it was not refused")

    page = vmem.get_page_size()
    array = vmem.Array("d", [1.0, 2.0], shared=True, capacity=1 << 27)
    reader = vmem.attach(array.fileno())
"""


def test_file_size_limit() -> None:
    """Every way of growing is refused there, and what an iterator gave before stays."""
    run_python(
        LIMITS
        + """
    set_limit(resource.RLIMIT_FSIZE, 1 << 20)
    text = "file size limit (RLIMIT_FSIZE, ulimit -f), which holds for shared memory too, is 1048576 bytes"
    refuses(lambda: array.frombytes(bytes(2 << 20)), "cannot commit", text)
    refuses(lambda: array.extend(vmem.Array("d", bytes(2 << 20))), text)
    refuses(lambda: array.__imul__(1 << 20), text)
    assert array.tolist() == reader.tolist() == [1.0, 2.0]
    refuses(lambda: array.extend(3.0 for _ in range(1 << 20)), text)
    assert len(array) == len(reader) <= (1 << 20) // 8
    assert set(reader[2:]) == {3.0}
    refuses(lambda: array.append(4.0), text)
    refuses(lambda: array.prefault(1), text)
    assert reader[-1] == 3.0
    set_limit(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    array.append(4.0)
    array.frombytes(bytes(2 << 20))
    assert len(reader) == len(array)
    """
    )


def test_address_space_limit() -> None:
    run_python(
        LIMITS
        + """
    before = os.listdir("/proc/self/fd")
    set_limit(resource.RLIMIT_AS, status_bytes("VmSize") + (64 << 20))
    text = "address space limit (RLIMIT_AS, ulimit -v)"
    refuses(lambda: vmem.attach(array.fileno()), text, "let the process that makes it ask for a smaller capacity")
    refuses(lambda: vmem.Array("d", shared=True, capacity=1 << 27), text, "ask for a smaller capacity")
    assert os.listdir("/proc/self/fd") == before
    small = vmem.Array("d", [5.0], shared=True)  # the default capacity is a part of what is left
    assert 0 < small.capacity <= (8 << 20) // 8
    assert vmem.attach(small.fileno()).tolist() == [5.0]
    array.frombytes(bytes(1 << 20))
    assert len(reader) == len(array)
    """
    )


def test_a_default_capacity_that_is_too_large_by_now() -> None:
    """It is computed for several arrays at a time. When it is refused, it is computed again."""
    run_python(
        LIMITS
        + """
    before = vmem.Array("d", shared=True).capacity
    set_limit(resource.RLIMIT_AS, status_bytes("VmSize") + (64 << 20))
    made = vmem.Array("d", range(1000), shared=True)
    assert made.capacity < before
    assert vmem.attach(made.fileno()).tolist() == list(range(1000))
    """
    )


def test_descriptor_limit() -> None:
    run_python(
        LIMITS
        + """
    set_limit(resource.RLIMIT_NOFILE, len(os.listdir("/proc/self/fd")) - 1)
    for call in (lambda: vmem.Array("d", shared=True), lambda: vmem.attach(array.fileno())):
        refuses(call, "RLIMIT_NOFILE, ulimit -n); close some, or raise the limit (Too many", kind=OSError)
    array.extend(range(page))
    assert reader[-1] == page - 1 and len(reader) == page + 2
    """
    )


def test_no_addresses_for_so_many_items() -> None:
    run_python(
        LIMITS
        + """
    refuses(lambda: vmem.Array("d", shared=True, capacity=1 << 58), "cannot reserve")
    refuses(lambda: vmem.Array("d", shared=True, capacity=1 << 62), "capacity must be from 0 to", kind=ValueError)
    """
    )
