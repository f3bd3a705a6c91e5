"""System calls that a filter denies, as those of containers do: what vmem does without them."""

from __future__ import annotations

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.processes import run_python

DENY = """
    import ctypes, errno, platform, struct, vmem
    from vmem import Protection

    NUMBERS = {
        "x86_64": {"madvise": 28, "mincore": 27, "memfd_create": 319, "fallocate": 285, "statx": 332},
        "aarch64": {"madvise": 233, "mincore": 232, "memfd_create": 279, "fallocate": 47, "statx": 291},
    }
    numbers = NUMBERS.get(platform.machine())
    if numbers is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        print("unsupported")
        raise SystemExit

    def deny(name, error):
        '''From now on a system call fails.'''
        LOAD, EQUALS, RETURN, ALLOW, FAIL = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000
        steps = [(LOAD, 0, 0, 0), (EQUALS, 0, 1, numbers[name]), (RETURN, 0, 0, FAIL | error), (RETURN, 0, 0, ALLOW)]
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
        header = struct.pack("HP", len(steps), ctypes.addressof(program))
        libc, zero = ctypes.CDLL(None), ctypes.c_ulong(0)
        PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, ctypes.c_ulong(2)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(
            PR_SET_SECCOMP, FILTER, header, zero, zero
        ):
            print("unsupported")
            raise SystemExit

    def describe(address):
        '''The permissions and the name of a mapping.'''
        for line in open("/proc/self/maps"):
            addresses, permissions, _, _, _, *name = line.split()
            first, last = (int(each, 16) for each in addresses.split("-"))
            if first <= address < last:
                return permissions, name

    region = vmem.reserve(1 << 30, name="denied")
    page = region.page_size
    region.commit(0, 4 * page)
    region[0 : 4 * page] = b"x" * (4 * page)
"""


def run_denied(code: str) -> str:
    printed = run_python(DENY + code)
    if "unsupported" in printed:
        pytest.skip("a process cannot deny itself system calls here")
    return printed.strip()


@linux_only
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
@pytest.mark.parametrize("is_tried_before", [False, True])
def test_discard(error: str, is_tried_before: bool) -> None:
    """Fresh memory is mapped. That ends protections and names: the record says so, and the name is set again."""
    run_denied(
        f"""
    if {is_tried_before}:
        region.discard(0, page)
    before = describe(region.address)
    region.protect(Protection.READ_WRITE_EXECUTE, 3 * page, page)
    deny("madvise", errno.{error})
    region.discard(page, 3 * page)
    assert bytes(region[page : 4 * page]) == bytes(3 * page)
    assert region.ranges()[0] == (0, 4 * page, True, Protection.READ_WRITE)
    assert describe(region.address + 3 * page) == before, (describe(region.address + 3 * page), before)
    region[page] = 7
    assert region[0] == (0 if {is_tried_before} else ord("x"))
    """
    )


@linux_only
def test_discard_of_locked_pages() -> None:
    run_denied(
        """
    region.lock(0, 2 * page)
    deny("madvise", errno.EPERM)
    region.discard(0, page)
    assert region[0] == 0 and region[page] == ord("x")
    assert [part.locked for part in region.map().parts][:2] == [False, True], region.map().parts
    region.unlock(0, 4 * page)
    """
    )


@linux_only
def test_everything_else() -> None:
    run_denied(
        """
    deny("madvise", errno.EPERM)
    array = vmem.Array("B", bytes(1 << 22))
    memoryview(array).release()  # what was exported is discarded, not decommitted
    del array[page:]
    array.shrink_to_fit()
    array.extend(bytes(1 << 22))
    assert array.count(0) == len(array)
    region.commit(1 << 20, 1 << 20, prefault=True)
    assert region.resident(1 << 20, 1 << 20) == 1 << 20
    region.prefault(0, 4 * page)
    region.decommit()
    arena = vmem.Arena(1 << 30)
    arena.alloc(1 << 22)[:] = b"x" * (1 << 22)
    arena.reset()
    arena.trim()
    assert bytes(arena.alloc(1 << 22)) == bytes(1 << 22)
    """
    )


@linux_only
def test_huge_pages() -> None:
    printed = run_denied(
        """
    deny("madvise", errno.EPERM)
    try:
        vmem.reserve(1 << 30, huge_pages=True)
    except NotImplementedError as refused:
        print(refused)
    """
    )
    reason = "this process may not ask for them" if vmem.get_huge_page_size() else "this system has no huge pages"
    assert printed.startswith(f"cannot reserve with huge_pages=True: {reason}")


@linux_only
def test_counting_what_is_resident(page: int) -> None:
    printed = run_denied(
        """
    deny("mincore", errno.ENOSYS)
    try:
        region.resident(0, page)
    except NotImplementedError as refused:
        print(refused)
    """
    )
    assert printed == (
        f"cannot count the resident part of {page} bytes at offset 0 of a region: not supported on this system"
    )


@linux_only
@pytest.mark.parametrize("call", ["memfd_create", "fallocate"])
def test_shared_memory(call: str) -> None:
    run_denied(
        f"""
    other = vmem.reserve(4 * page, shared=True)
    vmem._vmem.set_sharing_hook(lambda kind: None)
    import importlib.util
    loader = importlib.util.spec_from_file_location("vmem._vmem", vmem._vmem.__file__)
    again = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(again)  # one that has shared nothing before
    again.set_sharing_hook(lambda kind: None)
    deny({call!r}, errno.ENOSYS)
    for attempt in (
        lambda: again.reserve(again.Region, page, None, False, None, "copy", True, True),
        lambda: again.attach(other.fileno(), (again.Region,)).commit(0, page),
        lambda: vmem.reserve(page, shared=True),
    ):
        try:
            attempt()
        except NotImplementedError as error:
            assert str(error).startswith("cannot "), error
        else:
            raise SystemExit("it raised nothing")
    region[0] = 1
    """
    )


@linux_only
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_shared_memory_without_statx(error: str) -> None:
    """fstat() tells the same, also of what was made before."""
    run_denied(
        f"""
    early = vmem.reserve(4 * page, shared=True)
    early.commit(0, page)
    early[0] = 5
    deny("statx", errno.{error})
    early.commit()
    late = vmem.reserve(4 * page, shared=True)
    late.commit()
    for shared in (early, late):
        attached = vmem.attach(shared.fileno())
        attached.commit()
        assert attached[0] == shared[0]
        attached.release()
        shared.release()
    array = vmem.Array("d", [1.0, 2.0], shared=True)
    array.extend(range(10_000))
    assert vmem.attach(array.fileno()) == array
    """
    )


@linux_only
@pytest.mark.parametrize("call", ["memfd_create", "fallocate"])
def test_no_memory_for_a_shared_object(call: str) -> None:
    """It is not taken for a lack of addresses."""
    printed = run_denied(
        f"""
    vmem.reserve(page, shared=True).release()
    deny({call!r}, errno.ENOMEM)
    try:
        vmem.reserve(page, shared=True)
    except vmem.OutOfMemoryError as refused:
        print(refused)
    """
    )
    assert "the system is out of memory" in printed
