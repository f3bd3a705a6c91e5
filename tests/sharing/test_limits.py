"""Limits that refuse shared memory: the exception names the limit, and nothing changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.marks import linux_only, needs_shared_memory, root_only
from tests.support.processes import run_python
from tests.support.settings import setting
from tests.support.system import GROUP_LIMIT
from vmem import _vmem

pytestmark = [needs_shared_memory, linux_only, pytest.mark.exact_memory]

MAPPING_LIMIT = _vmem.get_limits()["mapping_limit"]
few_mappings = pytest.mark.skipif(
    MAPPING_LIMIT is None or MAPPING_LIMIT > 1 << 17, reason="reaching this vm.max_map_count would take too long"
)

START = """
    import errno, os, resource, vmem
    from vmem import _vmem
    MIB = 1 << 20
    page = vmem.get_page_size()

    def find_traces():
        with open("/proc/self/maps") as maps:
            return len(os.listdir("/proc/self/fd")), maps.read().count("memfd:")

    def refused(call, kind=vmem.OutOfMemoryError, code=errno.ENOMEM):
        before = find_traces()
        try:
            call()
        except kind as error:
            assert error.errno == code, error
            assert find_traces() == before
            print(error)
            return str(error)
        raise SystemExit("it was not refused")

    def limit(name, value):
        resource.setrlimit(getattr(resource, name), (value, resource.getrlimit(getattr(resource, name))[1]))

    def check_unchanged(region, call):
        before, mapped = region.ranges(), os.fstat(region.fileno()).st_blocks
        message = refused(call)
        assert region.ranges() == before and os.fstat(region.fileno()).st_blocks == mapped
        return message
"""


def test_file_size_limit() -> None:
    """It holds for memory too. Python ignores the signal that ends C programs."""
    run_python(
        START
        + """
    region = vmem.reserve(64 * MIB, shared=True)
    region.commit(0, page)
    region[0] = 5
    limit("RLIMIT_FSIZE", MIB)
    expected = "the file size limit (RLIMIT_FSIZE, ulimit -f), which holds for shared memory too, is 1048576 bytes"
    for num_bytes in (MIB, 32 * MIB):
        assert expected in check_unchanged(region, lambda: region.commit(0, num_bytes))
        assert expected in check_unchanged(region, lambda: region.commit(0, num_bytes, prefault=True))
    region.commit(0, MIB // 2)
    assert region[0] == 5
    limit("RLIMIT_FSIZE", page // 2)
    message = refused(lambda: vmem.reserve(page, shared=True))
    assert f"cannot reserve {page} bytes: the file size limit" in message, message
    limit("RLIMIT_FSIZE", resource.RLIM_INFINITY)
    region.commit()
    """
    )


def test_address_space_limit() -> None:
    run_python(
        START
        + """
    region = vmem.reserve(MIB, shared=True)
    most = _vmem.get_limits()["address_space_used"] + 512 * MIB
    limit("RLIMIT_AS", most)
    message = refused(lambda: vmem.reserve(1 << 30, shared=True))
    assert f"cannot reserve 1073741824 bytes: the address space limit (RLIMIT_AS, ulimit -v) is {most} bytes" in message
    kept = vmem.reserve(256 * MIB, shared=True)
    message = refused(lambda: [vmem.attach(kept.fileno()) for _ in range(2)])
    assert "the address space limit (RLIMIT_AS" in message
    kept.commit(0, 8 * MIB)
    """
    )


def test_data_limit_does_not_hold() -> None:
    run_python(
        START
        + """
    region = vmem.reserve(256 * MIB, shared=True)
    limit("RLIMIT_DATA", _vmem.get_limits()["data_used"] + 16 * MIB)
    region.commit(0, 64 * MIB)
    region[64 * MIB - 1] = 1
    """
    )


def test_descriptor_limit() -> None:
    run_python(
        START
        + """
    region = vmem.reserve(MIB, shared=True)
    region.commit(0, page)
    for call in (lambda: vmem.reserve(MIB, shared=True), lambda: vmem.attach(region.fileno())):
        before = find_traces()
        taken = []
        limit("RLIMIT_NOFILE", 64)
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        try:
            call()
        except OSError as error:
            assert error.errno == errno.EMFILE, error
            assert "RLIMIT_NOFILE" in str(error), error
        else:
            raise SystemExit("it was not refused")
        for number in taken:
            os.close(number)
        assert find_traces() == before
    region.commit()
    """
    )


def test_running_out_of_descriptors_before_anything_is_shared() -> None:
    """It is not taken for a system without shared memory."""
    run_python(
        """
    import errno, os, resource, vmem
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    import multiprocessing.reduction
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        pass
    from vmem import _vmem
    for call in (lambda: vmem.reserve(1, shared=True), lambda: vmem.attach(taken[0])):
        try:
            call()
        except OSError as error:
            assert error.errno == errno.EMFILE and "cannot share memory" in str(error), error
        else:
            raise SystemExit("it raised nothing")
    for number in taken:
        os.close(number)
    vmem.reserve(1, shared=True).commit()
        """
    )


@pytest.mark.parametrize("make", ["vmem.reserve(page, shared=True)", "vmem.Array('d', [1.0], shared=True)"])
@pytest.mark.parametrize("size", [0, 1])
def test_a_small_file_size_limit_before_anything_is_shared(size: int, make: str) -> None:
    """It refuses the first object, and does not stop what is made later."""
    run_python(
        START
        + f"""
    import vmem._sharing, multiprocessing.reduction
    limit("RLIMIT_FSIZE", {size})
    for _ in range(2):
        message = refused(lambda: {make})
        assert "the file size limit (RLIMIT_FSIZE, ulimit -f)" in message and " is {size} bytes; " in message, message
    limit("RLIMIT_FSIZE", resource.RLIM_INFINITY)
    {make}
    """
    )


def test_attaching_below_a_small_file_size_limit() -> None:
    """Nothing is written, so that it does not matter."""
    run_python(
        START
        + """
    import subprocess, sys
    region = vmem.reserve(page, shared=True)
    region.commit()
    code = "import resource, sys, vmem; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
    code += "vmem.attach(int(sys.argv[1])).commit()"
    number = region.fileno()
    subprocess.run([sys.executable, "-c", code, str(number)], pass_fds=[number], check=True)
    """
    )


@pytest.mark.many_addresses
def test_more_than_there_is() -> None:
    """Making so much memory would end some process. It is refused before."""
    run_python(
        START
        + """
    region = vmem.reserve(1 << 45, shared=True)
    region.commit(0, page)
    for call in (lambda: region.commit(), lambda: region.commit(prefault=True)):
        message = check_unchanged(region, call)
        assert "shared memory is made when it is committed, which needs " in message, message
        assert f"of {vmem.memory_info().total} bytes of memory " in message, message
    """
    )


@pytest.mark.many_addresses
def test_more_than_a_control_group_has(memory_group: Path) -> None:
    """The kernel would end the process."""
    run_python(
        START
        + f"""
    with open({str(memory_group / "cgroup.procs")!r}, "w") as processes:
        processes.write(str(os.getpid()))
    region = vmem.reserve(8 << 30, shared=True)
    region.commit(0, page)
    with open("/proc/meminfo") as info:
        swap = next(int(line.split()[1]) * 1024 for line in info if line.startswith("SwapFree"))
    if swap < {GROUP_LIMIT // 2}:
        message = check_unchanged(region, lambda: region.commit(0, {2 * GROUP_LIMIT}))
        assert "of {GROUP_LIMIT} bytes of memory " in message, message
    region.commit(0, {GROUP_LIMIT // 2})
    region.release()
    """
    )


@root_only
@pytest.mark.many_addresses
def test_memory_that_others_have_made(tmp_path: Path) -> None:
    """It is no matter how much is free: committing it takes none. Nor is it what lies between two gaps."""
    info = Path("/proc/meminfo").read_text(encoding="ascii")
    (tmp_path / "meminfo").write_text(re.sub(r"(MemAvailable: +)\d+", r"\g<1>16384", info), encoding="ascii")
    printed = run_python(
        START
        + f"""
    import ctypes
    libc = ctypes.CDLL(None)
    made, in_parts = (vmem.reserve(1 << 30, shared=True) for _ in range(2))
    made.commit(0, 64 * MIB)
    in_parts.commit(page, 64 * MIB)
    NEWNS, BIND, REC, PRIVATE = 0x20000, 4096, 16384, 1 << 18
    if (
        libc.unshare(NEWNS)
        or libc.mount(b"none", b"/", None, REC | PRIVATE, None)
        or libc.mount({str(tmp_path / "meminfo")!r}.encode(), b"/proc/meminfo", None, BIND, None)
    ):
        print("unsupported")
        raise SystemExit
    assert vmem.memory_info().available == 16 * MIB
    for prefault in (False, True):
        attached = vmem.attach(made.fileno())
        attached.commit(0, 64 * MIB + page, prefault=prefault)
        with open("/proc/meminfo") as file:
            swap = next(int(line.split()[1]) * 1024 for line in file if line.startswith("SwapFree"))
        if swap < 32 * MIB:
            message = refused(lambda: attached.commit(0, 128 * MIB, prefault=prefault))
            missing = 64 * MIB - page
            assert f"which needs {{missing}} more bytes, and of " in message, message
            assert f"{{16 * MIB}} are available" in message, message
            message = check_unchanged(made, lambda: made.commit(0, 128 * MIB, prefault=prefault))
            assert f"which needs {{missing}} more bytes" in message, message
    in_parts.commit(0, 64 * MIB + 2 * page)
    """
    )
    if "unsupported" in printed:
        pytest.skip("a process cannot mount here")


@few_mappings
@pytest.mark.many_addresses
def test_a_commit_that_takes_too_many_mappings() -> None:
    """It is refused before memory is made, which would stay."""
    run_python(
        START
        + """
    shared = vmem.reserve(128 * MIB, shared=True)
    shared.commit(0, 1)
    private = vmem.reserve(1 << 34)
    try:
        for number in range(1 << 17):
            private.commit(2 * number * page, page)
    except vmem.OutOfMemoryError:
        pass
    else:
        raise SystemExit("the limit was passed")
    for prefault in (False, True):
        message = check_unchanged(shared, lambda: shared.commit(32 * MIB, 64 * MIB, prefault=prefault))
        assert "vm.max_map_count" in message, message
    shared.commit()  # up to both ends, which takes no more
    """
    )


@few_mappings
@pytest.mark.many_addresses
def test_the_mapping_limit() -> None:
    """Commits stop short of it, and releasing always works: shared mappings merge with no neighbour."""
    run_python(
        START
        + """
    region = vmem.reserve(1 << 40, shared=True)
    with_less = vmem.reserve(page, shared=True)
    try:
        for number in range(1 << 17):
            region.commit(2 * number * page, page)
    except vmem.OutOfMemoryError as error:
        assert "vm.max_map_count" in str(error) and "cannot commit" in str(error), error
    else:
        raise SystemExit("the limit was passed")
    limits = _vmem.get_limits()
    left = limits["mapping_limit"] - limits["mapping_used"]
    assert 4096 - 100 <= left <= 4096 + 3, left
    message = refused(lambda: vmem.reserve(page, shared=True))
    assert "vm.max_map_count" in message, message
    with_less.release()
    region.release()
    vmem.reserve(page, shared=True).commit()
    """
    )


@root_only
@pytest.mark.whole_system
@pytest.mark.many_addresses
def test_commit_limit() -> None:
    """Private memory takes nearly all that may be committed, without using it, so that a part of a commit succeeds."""
    with setting("overcommit_memory", "2"):
        run_python(
            START
            + """
    region = vmem.reserve(1 << 34, shared=True)
    region.commit(0, page)
    region[0] = 9
    limits = _vmem.get_limits()
    other = vmem.reserve(1 << 44)
    other.commit(0, limits["commit_limit"] - limits["commit_used"] - 256 * MIB)
    for prefault in (False, True):
        message = check_unchanged(region, lambda: region.commit(page, 512 * MIB, prefault=prefault))
        assert "the system's commit limit is " in message, message
    region.commit(page, MIB)
    region[MIB] = 1
    other.release()
    region.commit(page, 512 * MIB)
        """
        )
