from __future__ import annotations

import re

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import pages_with_flag, permissions_in, status_bytes
from vmem import Protection

# Sanitizers lock nothing: what they keep for themselves is too large for that.
pytestmark = pytest.mark.exact_memory


def locked_pages(region: vmem.Region) -> list[int]:
    """The pages that the kernel keeps in memory."""
    return pages_with_flag(region, "lo")


@linux_only
def test_locked_bytes_are_counted_by_the_kernel(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    before = status_bytes("VmLck")
    region.lock(2 * page, 3 * page)
    assert status_bytes("VmLck") - before == 3 * page
    region.unlock(2 * page, 3 * page)
    assert status_bytes("VmLck") == before


@linux_only
@pytest.mark.parametrize(
    ("offset", "num_bytes", "first_page", "num_pages"),
    [("0", "1", 0, 1), ("page - 1", "2", 0, 2), ("3 * page + 5", "page", 3, 2), ("8 * page - 1", "1", 7, 1)],
)
def test_every_page_that_holds_a_byte_of_the_range(
    region: vmem.Region, page: int, offset: str, num_bytes: str, first_page: int, num_pages: int
) -> None:
    region.commit(0, 8 * page)
    arguments = eval(offset, {"page": page}), eval(num_bytes, {"page": page})
    region.lock(*arguments)
    assert locked_pages(region) == list(range(first_page, first_page + num_pages))
    region.lock(0, 8 * page)
    region.unlock(*arguments)
    assert locked_pages(region) == [
        number for number in range(8) if number not in range(first_page, first_page + num_pages)
    ]


@linux_only
def test_everything_by_default(page: int) -> None:
    with vmem.reserve(6 * page) as region:
        region.commit()
        region.lock(2 * page)
        assert locked_pages(region) == [2, 3, 4, 5]
        region.lock()
        region.unlock(5 * page)
        assert locked_pages(region) == [0, 1, 2, 3, 4]
        region.unlock()
        assert locked_pages(region) == []


def test_locked_pages_get_memory(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    region[3 * page] = 7
    region.lock(2 * page, 4 * page)
    assert region.resident(2 * page, 4 * page) == 4 * page
    assert region.resident(0, 8 * page) == 4 * page
    assert bytes(region[2 * page : 6 * page]) == bytes(page) + b"\7" + bytes(3 * page - 1)


@linux_only
def test_locking_on_fault_populates_nothing(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    before = status_bytes("VmLck")
    region.lock(2 * page, 4 * page, on_fault=True)
    assert locked_pages(region) == [2, 3, 4, 5]
    assert status_bytes("VmLck") - before == 4 * page
    assert region.resident(0, 8 * page) == 0
    region[3 * page] = 7
    assert region.resident(0, 8 * page) == page
    assert [(part.num_bytes // page, part.locked) for part in region.map().parts if part.locked and part.committed] in (
        [(4, True)],
        [(1, True), (1, True), (2, True)],
    )
    region.discard(3 * page, page)
    assert region[3 * page] == 0
    assert locked_pages(region) == [2, 3, 4, 5]
    region.unlock(0, 8 * page)
    assert locked_pages(region) == []


@linux_only
def test_both_kinds_of_locks_on_the_same_pages(region: vmem.Region, page: int) -> None:
    """The last call decides. They count once, and one unlock ends both."""
    region.commit(0, 8 * page)
    before = status_bytes("VmLck")
    region.lock(0, 4 * page, on_fault=True)
    region.lock(2 * page, 4 * page)
    assert region.resident(0, 8 * page) == 4 * page
    region.lock(0, 6 * page, on_fault=True)
    assert locked_pages(region) == [0, 1, 2, 3, 4, 5]
    assert status_bytes("VmLck") - before == 6 * page
    region.unlock(0, 6 * page)
    assert status_bytes("VmLck") == before


@linux_only
def test_locks_do_not_add_up(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    before = status_bytes("VmLck")
    region.lock(0, 3 * page)
    region.lock(page, 3 * page)
    region.lock(0, 4 * page)
    assert status_bytes("VmLck") - before == 4 * page
    region.unlock(0, 4 * page)
    assert status_bytes("VmLck") == before


@linux_only
def test_unlocking_what_is_not_locked(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    before = status_bytes("VmLck")
    region.unlock(0, 8 * page)
    region.lock(2 * page, page)
    region.lock(5 * page, page)
    region.unlock(0, 2 * page)
    assert status_bytes("VmLck") - before == 2 * page
    region.unlock(0, 8 * page)
    region.unlock(0, 8 * page)
    assert status_bytes("VmLck") == before


@linux_only
def test_decommitting_ends_locks(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    before = status_bytes("VmLck")
    region.lock(0, 4 * page)
    region.decommit(page, page)
    assert status_bytes("VmLck") - before == 3 * page
    region.commit(page, page)
    assert locked_pages(region) == [0, 2, 3]
    assert region.resident(page, page) == 0
    region.lock(page, page)
    assert locked_pages(region) == [0, 1, 2, 3]
    region.decommit()
    assert status_bytes("VmLck") == before


@linux_only
def test_releasing_ends_locks(page: int) -> None:
    before = status_bytes("VmLck")
    region = vmem.reserve(4 * page)
    region.commit()
    region.lock()
    region.release()
    assert status_bytes("VmLck") == before


@linux_only
def test_dropping_ends_locks(page: int) -> None:
    before = status_bytes("VmLck")
    region = vmem.reserve(4 * page)
    region.commit()
    region.lock()
    del region
    assert status_bytes("VmLck") == before


@linux_only
def test_pages_committed_beside_locked_ones_are_not_locked(region: vmem.Region, page: int) -> None:
    region.commit(page, page)
    region.lock(page, page)
    region.commit(0, 4 * page)
    assert locked_pages(region) == [1]


@linux_only
def test_protecting_keeps_locks(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    before = status_bytes("VmLck")
    region.lock(0, 3 * page)
    for protection in (Protection.READ, Protection.NO_ACCESS, Protection.READ_WRITE):
        region.protect(protection, page, 3 * page)
        assert status_bytes("VmLck") - before == 3 * page
    region.protect(Protection.NO_ACCESS, 0, 4 * page)
    region.unlock(0, 4 * page)
    assert status_bytes("VmLck") == before


@linux_only
@pytest.mark.parametrize("protection", [Protection.READ, Protection.READ_EXECUTE])
def test_readonly_pages_can_be_locked(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 2 * page)
    region.protect(protection, 0, page)
    region.lock(0, 2 * page)
    assert locked_pages(region) == [0, 1]
    assert permissions_in(region.address, page)[0][2].startswith("r-")
    assert region.ranges()[0].protection is protection


@linux_only
@pytest.mark.parametrize("protection", [Protection.NO_ACCESS, Protection.EXECUTE])
def test_pages_that_cannot_be_read_are_refused(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 4 * page)
    region.protect(protection, 2 * page, page)
    before = status_bytes("VmLck")
    message = f"bytes {2 * page} to {3 * page} of this region cannot be read; protect(Protection.READ, {2 * page}, "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}{page}\\) lets you$"):
        region.lock(page, 3 * page)
    assert status_bytes("VmLck") == before


@linux_only
def test_viewed_pages_can_be_locked_and_unlocked(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    view = region[0:6]
    region.lock(0, page)
    view[:] = b"secret"
    region.unlock(0, page)
    assert bytes(view) == b"secret"


# --- limits ---

UNPRIVILEGED = """
import os, resource, sys, vmem
from vmem import Protection, _vmem

def read_locked():
    for line in open("/proc/self/status"):
        if line.startswith("VmLck:"):
            return int(line.split()[1]) * 1024

def limit_locks(limit):
    '''Sets RLIMIT_MEMLOCK, and drops root's right to exceed it.'''
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

def refuse(offset, num_bytes):
    '''Returns the message of a lock that fails, and checks that it changes nothing.'''
    ranges, locked = region.ranges(), read_locked()
    try:
        region.lock(offset, num_bytes)
    except vmem.OutOfMemoryError as error:
        assert region.ranges() == ranges and read_locked() == locked, read_locked()
        return str(error)
    raise SystemExit("it was allowed")

page = vmem.get_page_size()
region = vmem.reserve(1 << 30)
"""


def expected_refusal(num_bytes: int, offset: int, limit: int, locked: int) -> str:
    return (
        f"[Errno 12] cannot lock {num_bytes} bytes at offset {offset} of a region: "
        f"the locked memory limit (RLIMIT_MEMLOCK, ulimit -l) is {limit} bytes and this process has {locked} locked; "
        "lock less, or raise the limit"
    )


@linux_only
def test_the_limit_of_locked_memory_under_mlockall() -> None:
    printed = run_python(
        UNPRIVILEGED
        + """
import ctypes
MCL_FUTURE = 2
mlockall = ctypes.CDLL(None).mlockall
limit_locks(4 << 20)
assert mlockall(MCL_FUTURE) == 0
for reserve in (vmem.reserve, vmem.Arena):
    try:
        reserve(1 << 30)
    except vmem.OutOfMemoryError as error:
        print(error)
"""
    )
    cause = (
        r"the locked memory limit \(RLIMIT_MEMLOCK, ulimit -l\) is 4194304 bytes and this process has \d+ locked; "
        r"lock less, or raise the limit"
    )
    assert len(re.findall(f"cannot reserve 1073741824 bytes(?: for an arena)?: {cause}\n", printed)) == 2, printed


@linux_only
def test_the_limit_of_locked_memory(page: int) -> None:
    printed = run_python(
        UNPRIVILEGED
        + """
region.commit(0, 1 << 26)
region.protect(Protection.READ, 3 * page, page)
limit_locks(16 * page)
region.lock(0, 2 * page)
print(refuse(page + 5, 16 * page))
region.lock(2 * page, 14 * page)
assert read_locked() == 16 * page
region.lock(0, 16 * page)
refuse(16 * page, 1)
refuse(0, 1 << 26)
region.unlock(0, 1)
region.lock(16 * page, 1)
region.unlock(0, 17 * page)
assert read_locked() == 0
"""
    )
    assert printed.strip() == expected_refusal(16 * page, page + 5, 16 * page, 2 * page)


@linux_only
def test_locked_pages_do_not_count_towards_the_limit_again(page: int) -> None:
    """The message names the limit only when it was exceeded. Here an unmapped page is why the first two calls fail."""
    printed = run_python(
        UNPRIVILEGED
        + """
import ctypes
region.commit(0, 64 * page)
limit_locks(16 * page)
region.lock(0, 10 * page)
ctypes.CDLL(None).munmap(ctypes.c_void_p(region.address + 12 * page), ctypes.c_size_t(page))
print(refuse(0, 13 * page))
print(refuse(5 * page + 1, 11 * page - 2))
print(refuse(5 * page + 1, 11 * page))
"""
    )
    other = "this process may not lock more memory; lock less, or run it with the privilege to (CAP_IPC_LOCK on Linux)"
    assert printed.splitlines() == [
        f"[Errno 12] cannot lock {13 * page} bytes at offset 0 of a region: {other}",
        f"[Errno 12] cannot lock {11 * page - 2} bytes at offset {5 * page + 1} of a region: {other}",
        expected_refusal(11 * page, 5 * page + 1, 16 * page, 10 * page),
    ]


@linux_only
@pytest.mark.parametrize("num_bytes", [1, 1 << 25])
def test_a_limit_of_zero(num_bytes: int) -> None:
    """The system gives another error then than when there is too little left."""
    printed = run_python(
        UNPRIVILEGED
        + """
region.commit(0, 1 << 26)
limit_locks(0)
print(refuse(page, int(sys.argv[1])))
region.unlock(0, 1 << 26)
region.decommit()
""",
        str(num_bytes),
    )
    assert printed.strip() == expected_refusal(num_bytes, vmem.get_page_size(), 0, 0)


@linux_only
def test_the_limit_of_locked_memory_counts_what_is_locked_on_fault(page: int) -> None:
    printed = run_python(
        """
        import resource, os, vmem
        page = vmem.get_page_size()
        region = vmem.reserve(64 * page)
        region.commit()
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (8 * page, 8 * page))
        os.setuid(65534) if os.geteuid() == 0 else None
        region.lock(0, 2 * page)
        try:
            region.lock(2 * page, 16 * page, on_fault=True)
        except vmem.OutOfMemoryError as error:
            print(error)
        region.lock(2 * page, 6 * page, on_fault=True)
        """
    )
    assert f"cannot lock {16 * page} bytes at offset {2 * page} of a region: the locked memory limit (" in printed


@linux_only
def test_locks_of_a_long_call_are_taken_back() -> None:
    """It works piece by piece. Here all goes well up to a page that native code has unmapped meanwhile."""
    run_python(
        UNPRIVILEGED
        + """
import ctypes
region.commit(0, 1 << 26)
region.lock(5 * page, 2 * page)
region.lock(1 << 23, page)
region.protect(Protection.READ, 6 * page, 2 * page)
region.lock(9 * page, page)
region.unlock(9 * page, page)
ctypes.CDLL(None).munmap(ctypes.c_void_p(region.address + (40 << 20)), ctypes.c_size_t(page))
refuse(0, 1 << 26)
assert read_locked() == 3 * page
region.unlock(0, 1 << 24)
assert read_locked() == 0
region.lock(0, 1 << 22)
assert read_locked() == 1 << 22
"""
    )


@linux_only
def test_a_forked_child_has_no_locks() -> None:
    """What the parent had locked is not, so the child's refused call has to take it back like all others."""
    run_python(
        UNPRIVILEGED
        + """
import ctypes
region.commit(0, 32 * page)
region.lock(0, 4 * page)
child = os.fork()
if child == 0:
    assert read_locked() == 0
    ctypes.CDLL(None).munmap(ctypes.c_void_p(region.address + 8 * page), ctypes.c_size_t(page))
    refuse(0, 16 * page)
    assert read_locked() == 0
    region.lock(0, 2 * page)
    assert read_locked() == 2 * page
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert read_locked() == 4 * page
"""
    )


@pytest.mark.many_addresses
@linux_only
@pytest.mark.parametrize("verb", ["lock", "unlock"])
def test_it_keeps_the_headroom_of_mappings(verb: str) -> None:
    printed = run_python(
        """
        import sys, vmem
        from vmem import Protection, _vmem
        verb = sys.argv[1]
        region = vmem.reserve(1 << 34)
        page = region.page_size
        region.commit(0, (1 << 18) * page)
        region[0] = 1
        if verb == "unlock":
            region.lock(0, 5 * page)
        try:
            for number in range(10, 1 << 17):
                region.protect(Protection.READ, 2 * number * page, page)
        except vmem.OutOfMemoryError:
            pass
        before = region.ranges()
        def read_locked():
            return [line for line in open("/proc/self/status") if line.startswith("VmLck")]
        locked = read_locked()
        try:
            getattr(region, verb)(2 * page, page)
        except vmem.OutOfMemoryError as error:
            print(error)
        else:
            raise SystemExit("the limit was passed")
        assert region.ranges() == before and read_locked() == locked
        region.protect(Protection.READ_WRITE, 20 * page, 10000 * page)
        getattr(region, verb)(2 * page, page)
        assert read_locked() != locked
        """,
        verb,
    )
    page = vmem.get_page_size()
    assert f"cannot {verb} {page} bytes at offset {2 * page} of a region: vm.max_map_count is " in printed
    assert "release what is not needed, or raise vm.max_map_count" in printed
