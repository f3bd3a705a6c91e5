from __future__ import annotations

import platform
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python, run_python_to_death
from tests.support.system import permissions_in, refuses_writable_code
from vmem import Protection, Range

pytestmark = pytest.mark.in_child

NO_ACCESS, READ, READ_WRITE, EXECUTE, READ_EXECUTE, READ_WRITE_EXECUTE = Protection

CAN_READ = (READ, READ_WRITE, READ_EXECUTE, READ_WRITE_EXECUTE)
CAN_WRITE = (READ_WRITE, READ_WRITE_EXECUTE)
PERMISSIONS = {
    NO_ACCESS: "---p",
    READ: "r--p",
    READ_WRITE: "rw-p",
    EXECUTE: "--xp",
    READ_EXECUTE: "r-xp",
    READ_WRITE_EXECUTE: "rwxp",
}


@pytest.fixture(params=Protection, ids=lambda protection: protection.name)
def protection(request: pytest.FixtureRequest) -> Protection:
    if request.param is READ_WRITE_EXECUTE and refuses_writable_code():
        pytest.skip("this system refuses writable code; test_systems_that_refuse_writable_code looks at that")
    return Protection(request.param)


@pytest.mark.skipif(not refuses_writable_code(), reason="this system lets memory be writable and executable")
def test_systems_that_refuse_writable_code(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    with pytest.raises(OSError, match=f"cannot protect {page} bytes at offset 0 of a region: "):
        region.protect(READ_WRITE_EXECUTE, 0, page)
    region[0] = 1
    assert region.ranges()[0].protection is READ_WRITE


# --- what is recorded, and what the kernel grants ---


@linux_only
def test_the_kernel_grants_exactly_what_is_allowed(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 8 * page)
    region.protect(protection, 2 * page, 3 * page)
    around = [(0, 2 * page, "rw-p"), (5 * page, 8 * page, "rw-p"), (8 * page, 64 * page, "---p")]
    if protection is READ_WRITE:
        around[:2] = [(0, 8 * page, "rw-p")]
    else:
        around.insert(1, (2 * page, 5 * page, PERMISSIONS[protection]))
    assert permissions_in(region.address, region.size) == around


def test_ranges_split_and_merge(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 10 * page)
    region.protect(protection, 2 * page, 3 * page)
    split = [
        Range(0, 2 * page, True, READ_WRITE),
        Range(2 * page, 3 * page, True, protection),
        Range(5 * page, 5 * page, True, READ_WRITE),
        Range(10 * page, 54 * page, False, NO_ACCESS),
    ]
    merged = [Range(0, 10 * page, True, READ_WRITE), Range(10 * page, 54 * page, False, NO_ACCESS)]
    assert region.ranges() == (merged if protection is READ_WRITE else split)
    region.protect(READ_WRITE, 3 * page, page)
    region.protect(READ_WRITE, 2 * page, 3 * page)
    assert region.ranges() == merged


def test_one_call_over_many_protections(region: vmem.Region, page: int) -> None:
    region.commit()
    for number, each in enumerate([READ, NO_ACCESS, READ_EXECUTE, EXECUTE, READ]):
        region.protect(each, 5 * number * page, 3 * page)
    assert len(region.ranges()) == 10
    region.protect(READ, page, 60 * page)
    assert region.ranges() == [
        Range(0, 61 * page, True, READ),
        Range(61 * page, 3 * page, True, READ_WRITE),
    ]
    region.protect(READ_WRITE)
    assert region.ranges() == [Range(0, region.size, True, READ_WRITE)]


@pytest.mark.parametrize(
    ("offset", "num_bytes", "first_page", "num_pages"),
    [
        ("0", "1", 0, 1),
        ("page - 1", "2", 0, 2),
        ("page", "page", 1, 1),
        ("3 * page + 5", "page", 3, 2),
        ("64 * page - 1", "1", 63, 1),
    ],
)
def test_every_page_that_holds_a_byte_of_the_range(
    region: vmem.Region, page: int, offset: str, num_bytes: str, first_page: int, num_pages: int
) -> None:
    region.commit()
    region.protect(READ, eval(offset, {"page": page}), eval(num_bytes, {"page": page}))
    readonly = [each for each in region.ranges() if each.protection is READ]
    assert [(each.offset, each.num_bytes) for each in readonly] == [(first_page * page, num_pages * page)]


def test_everything_by_default(region: vmem.Region, page: int) -> None:
    region.commit()
    region.protect(READ, 10 * page)
    assert [(each.num_bytes // page, each.protection) for each in region.ranges()] == [(10, READ_WRITE), (54, READ)]
    region.protect(READ_EXECUTE)
    assert region.ranges() == [Range(0, region.size, True, READ_EXECUTE)]


def test_contents_never_change(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    region[0:5] = b"hello"
    for each in (READ, NO_ACCESS, READ_EXECUTE, EXECUTE, READ_WRITE):
        region.protect(each, 0, page)
    assert bytes(region[0:6]) == b"hello\0"


def test_committing_again_keeps_the_protection(region: vmem.Region, page: int) -> None:
    region.commit(2 * page, 2 * page)
    region[2 * page] = 6
    region.protect(READ, 2 * page, 2 * page)
    region.commit(0, 8 * page)
    region.commit(2 * page, 2 * page)
    assert [(each.num_bytes // page, each.protection) for each in region.ranges()] == [
        (2, READ_WRITE), (2, READ), (4, READ_WRITE), (56, NO_ACCESS),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="cannot be written"):
        region[2 * page] = 1
    assert region[2 * page] == 6


def test_decommitting_ends_the_protection(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 4 * page)
    region.protect(protection, 0, 4 * page)
    region.decommit(page, page)
    region.commit(page, page)
    region[page] = 1
    assert region[page] == 1
    ranges = [(each.num_bytes // page, each.protection) for each in region.ranges() if each.committed]
    expected = [(4, READ_WRITE)] if protection is READ_WRITE else [(1, protection), (1, READ_WRITE), (2, protection)]
    assert ranges == expected


def test_release_whatever_the_protection(region: vmem.Region, protection: Protection) -> None:
    region.commit()
    region.protect(protection, 5, 5)
    region.release()
    assert region.released


# --- items, slices and views ---


def expect(allowed: bool, problem: str, call: Callable[[], object]) -> None:
    if allowed:
        call()
        return
    with pytest.raises(ValueError, match=problem):
        call()


def test_items_and_slices(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 2 * page)
    region[0:4] = b"abcd"
    region.protect(protection, 0, page)
    reads, writes = protection in CAN_READ, protection in CAN_WRITE
    unreadable = r"bytes \d+ to \d+ of this region cannot be read; protect\(Protection.READ, "
    unwritable = r"bytes \d+ to \d+ of this region cannot be written; protect\(Protection.READ_WRITE, "
    for read in (
        lambda: region[0],
        lambda: region[page - 1],
        lambda: region[0:4],
        lambda: region[page - 1 : page + 1],
        lambda: region[4:0:-2],
        lambda: region.view(0, 2 * page),
        lambda: region.view(0, 1, readonly=True),
    ):
        expect(reads, unreadable, read)
    for write in (
        lambda: region.__setitem__(0, 120),
        lambda: region.__setitem__(slice(1, 3), b"yz"),
        lambda: region.__setitem__(slice(page - 1, page + 1), b"!!"),
        lambda: region.__setitem__(slice(0, 2 * page, page), b"??"),
    ):
        expect(writes, unwritable, write)
    region[page + 5] = 1
    region.protect(READ, 0, page)
    assert bytes(region[0:4]) == (b"?yzd" if writes else b"abcd")
    assert bytes(region[page - 1 : page + 1]) == (b"!?" if writes else b"\0\0")


def test_the_error_tells_the_bytes_and_what_to_do(region: vmem.Region, page: int) -> None:
    region.commit()
    region.protect(READ, 2 * page, 3 * page)
    with pytest.raises(ValueError, match="cannot be written") as raised:
        region[page : 4 * page + 3] = bytes(3 * page + 3)
    assert str(raised.value) == (
        f"bytes {2 * page} to {4 * page + 3} of this region cannot be written; "
        f"protect(Protection.READ_WRITE, {2 * page}, {2 * page + 3}) lets you"
    )
    region.protect(EXECUTE, 10 * page, page)
    with pytest.raises(ValueError, match="cannot be read") as raised:
        region[9 * page : 12 * page]
    assert str(raised.value) == (
        f"bytes {10 * page} to {11 * page} of this region cannot be read; "
        f"protect(Protection.READ, {10 * page}, {page}) lets you"
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda region: region[5],
        lambda region: region[0 : 2 * region.page_size],
        lambda region: region.__setitem__(3, 1),
        lambda region: region.prefault(),
        lambda region: region.discard(),
        lambda region: region.lock(0, region.page_size),
    ],
)
def test_the_advice_to_protect_helps(region: vmem.Region, page: int, call: Callable[[vmem.Region], object]) -> None:
    region.commit()
    region.protect(NO_ACCESS, 0, 2 * page)
    with pytest.raises(ValueError, match="lets you") as raised:
        call(region)
    advice = re.search(r"protect\(Protection\.\w+, \d+, \d+\)", str(raised.value))
    assert advice
    eval(f"region.{advice[0]}", {"region": region, "Protection": Protection})
    call(region)


def test_views_follow(region: vmem.Region, page: int) -> None:
    region.commit()
    region.protect(READ, page, page)
    region.protect(READ_EXECUTE, 2 * page, page)
    for key, readonly in (
        (slice(0, page), False),
        (slice(page, 2 * page), True),
        (slice(2 * page, 3 * page), True),
        (slice(3 * page, None), False),
        (slice(page - 1, page + 1), True),
        (slice(3 * page, page, -5), True),
        (slice(None), True),
    ):
        view = region[key]
        assert view.readonly is readonly
        if readonly:
            with pytest.raises(TypeError, match="read-only"):
                view[0] = 1
        else:
            view[0] = 1
    region.protect(READ_WRITE)
    assert not region[:].readonly


def test_arrays_follow_too(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    region.protect(READ, 0, page)
    numbers = np.frombuffer(region[0:80], dtype=np.float64)
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 1.0
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        numbers.flags.writeable = True


def test_a_writable_view_needs_its_pages_writable(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    view, readonly = region[page + 10 : page + 20], region.view(page + 30, 5, readonly=True)
    for each in (READ, READ_EXECUTE):
        with pytest.raises(BufferError) as raised:
            region.protect(each, 5, 2 * page)
        assert str(raised.value) == (
            f"cannot take write access from bytes 0 to {3 * page} of this region: "
            f"1 writable view of bytes {page + 10} to {page + 20} is alive; "
            "release or delete it first, with every array and slice made from it"
        )
    for each in (NO_ACCESS, EXECUTE):
        with pytest.raises(BufferError) as raised:
            region.protect(each, 5, 2 * page)
        assert str(raised.value) == (
            f"cannot take access from bytes 0 to {3 * page} of this region: "
            f"2 views between bytes {page + 10} and {page + 35} are alive; "
            "release or delete them first, with every array and slice made from them"
        )
    view[0] = 1
    assert region.ranges()[0] == Range(0, 4 * page, True, READ_WRITE)
    region.protect(NO_ACCESS, 0, page)
    region.protect(NO_ACCESS, 2 * page, page)
    view[1] = 2
    view.release()
    region.protect(READ, page, page)
    assert readonly.readonly
    assert bytes(region[page + 10 : page + 12]) == b"\1\2"


def test_a_readonly_view_needs_its_pages_readable(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    region[0] = 5
    view = region.view(0, 10, readonly=True)
    for each in (READ, READ_EXECUTE, READ_WRITE):
        region.protect(each, 0, page)
        assert view[0] == 5
    for each in (NO_ACCESS, EXECUTE):
        with pytest.raises(BufferError, match="cannot take access from bytes"):
            region.protect(each, 0, 1)
    assert view[0] == 5
    view.release()
    region.protect(NO_ACCESS, 0, 1)


def test_a_view_of_readonly_pages_stays_readonly(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    region.protect(READ, 0, page)
    view = region[0:5]
    region.protect(READ_WRITE, 0, page)
    assert view.readonly
    region[0] = 8
    assert view[0] == 8
    region.protect(READ, 0, page)


# --- arguments ---


def test_a_protection_can_be_any_integer_that_is_one(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    for value, expected in ((1, READ), (np.int8(4), READ_EXECUTE), (Index(2), READ_WRITE), (True, READ)):
        region.protect(value, 0, page)
        assert region.ranges()[0].protection is expected
    region.protect(protection=READ_WRITE, offset=0, num_bytes=1)
    assert region.ranges()[0].protection is READ_WRITE


def test_a_protection_in_the_place_of_the_range(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    for arguments in ((0, READ), (0, 1, READ)):
        with pytest.raises(TypeError, match=r"not a Protection; the protection comes before the range$"):
            region.protect(*arguments)
    with pytest.raises(TypeError, match=r"^num_bytes must be an integer, not a Protection"):
        region.commit(0, READ_WRITE)
    assert region.ranges()[0] == Range(0, page, True, READ_WRITE)


def test_other_numbers_are_refused(region: vmem.Region) -> None:
    region.commit()
    for number in (-1, 6, 7, 2**64, -(2**70)):
        message = f"^protection must be a vmem.Protection, or its number from 0 to 5, got {number}$"
        with pytest.raises(ValueError, match=message):
            region.protect(number)
    wrong: list[Any] = ["READ", 1.0, None, b"r", [1], Protection]
    for value in wrong:
        with pytest.raises(TypeError, match=f"^protection must be a Protection, not {type(value).__name__}$"):
            region.protect(value)
    with pytest.raises(TypeError, match="protection"):
        region.protect()  # type: ignore[call-arg]
    assert region.ranges() == [Range(0, region.size, True, READ_WRITE)]


# --- native code ---

MACHINE_CODE = {  # int function(void) { return 42; }
    "x86_64": "b82a000000c3",
    "amd64": "b82a000000c3",
    "aarch64": "40058052c0035fd6",
    "arm64": "40058052c0035fd6",
}.get(platform.machine().lower())

START = f"""
import ctypes, vmem
from vmem import Protection
code = bytes.fromhex("{MACHINE_CODE or ""}")
region = vmem.reserve(1 << 30)
page = region.page_size
region.commit(0, 2 * page)
region[page - 1] = 7
region[0 : len(code)] = code
address = region.address

def read():
    return ctypes.string_at(address + page - 1, 1)

def write():
    ctypes.memset(address + page - 1, 8, 1)

def execute():
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
"""

needs_machine_code = pytest.mark.skipif(not MACHINE_CODE, reason=f"no machine code at hand for {platform.machine()}")


@posix_only
@pytest.mark.parametrize(
    ("protection", "touch"),
    [
        ("NO_ACCESS", "read"),
        ("NO_ACCESS", "write"),
        ("READ", "write"),
        ("EXECUTE", "write"),
        ("READ_EXECUTE", "write"),
        pytest.param("NO_ACCESS", "execute", marks=needs_machine_code),
        pytest.param("READ", "execute", marks=needs_machine_code),
        pytest.param("READ_WRITE", "execute", marks=needs_machine_code),
    ],
)
def test_raw_access_against_the_protection_faults(protection: str, touch: str) -> None:
    run_python_to_death(START + f"region.protect(Protection.{protection}, 0, 1)\nprint('ready', flush=True)\n{touch}()")


def test_raw_access_that_is_allowed_does_not_fault() -> None:
    run_python(
        START
        + """
region.protect(Protection.READ, 0, 1)
assert read() == b"\\7"
region.protect(Protection.READ_EXECUTE, 0, 1)
assert read() == b"\\7"
region.protect(Protection.NO_ACCESS, 0, 1)
ctypes.memset(address + page, 1, 1)
region.protect(Protection.READ_WRITE, 0, 1)
write()
assert read() == b"\\b" and region[page - 1] == 8
"""
    )


@needs_machine_code
@pytest.mark.parametrize("name", ["EXECUTE", "READ_EXECUTE", "READ_WRITE_EXECUTE"])
def test_machine_code_runs(name: str) -> None:
    if name == "READ_WRITE_EXECUTE" and refuses_writable_code():
        pytest.skip("this system refuses writable code")
    run_python(
        START
        + f"""
region.protect(Protection.{name}, 0, page)
assert execute() == 42
region.protect(Protection.READ_WRITE, 0, page)
region.protect(Protection.{name}, 0, page)
assert execute() == 42
if {name!r} == "READ_WRITE_EXECUTE":
    write()
    assert region[page - 1] == 8
"""
    )


@needs_machine_code
@pytest.mark.parametrize("name", ["EXECUTE", "READ_EXECUTE", "READ_WRITE_EXECUTE"])
def test_code_that_is_written_over_other_code_runs(name: str) -> None:
    """Making pages executable flushes the instruction cache, also when they are executable already."""
    if name == "READ_WRITE_EXECUTE" and refuses_writable_code():
        pytest.skip("this system refuses writable code")
    run_python(
        START
        + f"""
is_x86 = len(code) == 6
for number in range(1000):
    move = b"\\xb8" + number.to_bytes(4, "little") if is_x86 else (0x52800000 | number << 5).to_bytes(4, "little")
    if {name!r} != "READ_WRITE_EXECUTE" or number == 0:
        region.protect(Protection.READ_WRITE, 0, page)
    region[0 : len(move)] = move
    region.protect(Protection.{name}, 0, page)
    assert execute() == number
"""
    )


# --- refusals ---

DENY_NEW_CODE = """
import ctypes, sys, vmem
from vmem import Protection
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1

def deny_new_code():
    '''From now on nothing can be made executable that is not.'''
    zero = ctypes.c_ulong(0)
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, ctypes.c_ulong(REFUSE_EXEC_GAIN), zero, zero, zero) != 0:
        print("unsupported")
        raise SystemExit

def permissions():
    found = []
    for line in open("/proc/self/maps"):
        addresses, letters = line.split()[:2]
        first, last = (int(address, 16) for address in addresses.split("-"))
        if first < region.address + 4 * page and last > region.address:
            pages = min(last - region.address, 4 * page) // page - max(first - region.address, 0) // page
            found += [letters] * pages
    return found

region = vmem.reserve(1 << 30)
page = region.page_size
region.commit(0, 4 * page)
region[0 : 4 * page] = b"x" * (4 * page)
"""


def run_without_new_code(code: str) -> str:
    printed = run_python(DENY_NEW_CODE + code)
    if "unsupported" in printed:
        pytest.skip("a policy against new code, as a process can set for itself, came with Linux 6.3")
    return printed.strip()


@linux_only
def test_a_policy_against_new_code(page: int) -> None:
    printed = run_without_new_code(
        """
deny_new_code()
for protection in (Protection.EXECUTE, Protection.READ_EXECUTE, Protection.READ_WRITE_EXECUTE):
    try:
        region.protect(protection, page + 1, 2 * page)
    except vmem.OutOfMemoryError:
        raise
    except OSError as error:
        message = str(error)
    else:
        raise SystemExit("it was allowed")
    assert region.ranges()[0] == (0, 4 * page, True, Protection.READ_WRITE)
    assert permissions() == ["rw-p"] * 4
region[0 : 4 * page] = b"y" * (4 * page)
region.protect(Protection.READ, page + 1, 2 * page)
print(message)
"""
    )
    assert printed == (
        f"[Errno 13] cannot protect {2 * page} bytes at offset {page + 1} of a region: "
        "access denied by the system (Permission denied)"
    )


@linux_only
def test_a_refusal_half_way_is_taken_back() -> None:
    """The kernel has changed the first page when it refuses the second."""
    run_without_new_code(
        """
region.protect(Protection.EXECUTE, 0, page)
region.protect(Protection.READ, 2 * page, page)
before = region.ranges()
deny_new_code()
try:
    region.protect(Protection.READ_EXECUTE, 0, 3 * page)
except OSError:
    pass
else:
    raise SystemExit("it was allowed")
assert permissions() == ["--xp", "rw-p", "r--p", "rw-p"], permissions()
assert region.ranges() == before
region.protect(Protection.READ_EXECUTE, 0, page)
assert bytes(region[0 : 4 * page]) == b"x" * (4 * page)
"""
    )


@linux_only
@pytest.mark.skipif(refuses_writable_code(), reason="this system refuses writable code")
def test_what_cannot_be_taken_back_is_recorded() -> None:
    """Nothing is claimed then that native code would not have. Views cannot fault."""
    run_without_new_code(
        """
region.protect(Protection.READ_WRITE_EXECUTE, 0, page)
deny_new_code()
try:
    region.protect(Protection.READ_EXECUTE, 0, 2 * page)
except OSError:
    pass
else:
    raise SystemExit("it was allowed")
assert permissions() == ["r-xp", "rw-p", "rw-p", "rw-p"], permissions()
assert region.ranges()[:2] == [(0, page, True, Protection.READ_EXECUTE), (page, 3 * page, True, Protection.READ_WRITE)]
assert region[0:page].readonly and bytes(region[0 : 4 * page]) == b"x" * (4 * page)
try:
    region[0] = 1
except ValueError:
    pass
else:
    raise SystemExit("it was written to")
region.protect(Protection.READ_WRITE, 0, page)
region[0] = 1
"""
    )


@linux_only
@pytest.mark.skipif(refuses_writable_code(), reason="this system refuses writable code")
@pytest.mark.parametrize("name", ["NO_ACCESS", "READ", "READ_WRITE", "EXECUTE", "READ_EXECUTE"])
def test_only_what_both_protections_allow_is_recorded(name: str) -> None:
    """The second page is missing, and the first one cannot get back what it had."""
    run_without_new_code(
        f"""
region.protect(Protection.READ_WRITE_EXECUTE, 0, page)
deny_new_code()
ctypes.CDLL(None).munmap(ctypes.c_void_p(region.address + page), ctypes.c_size_t(page))
try:
    region.protect(Protection.{name}, 0, 2 * page)
except MemoryError:
    pass
else:
    raise SystemExit("it was allowed")
assert region.ranges()[0].protection == Protection.{name}, region.ranges()
"""
    )


@pytest.mark.many_addresses
@linux_only
def test_it_keeps_the_headroom_of_mappings() -> None:
    printed = run_python(
        """
        import vmem
        from vmem import Protection, _vmem
        region = vmem.reserve(1 << 34)
        page = region.page_size
        region.commit(0, (1 << 18) * page)
        region[0] = 1
        limit = _vmem.get_limits()["mapping_limit"]
        try:
            for number in range(1 << 17):
                region.protect(Protection.READ, 2 * number * page, page)
        except vmem.OutOfMemoryError as error:
            print(error)
        else:
            raise SystemExit("the limit was passed")
        used = _vmem.get_limits()["mapping_used"]
        before = region.ranges()
        assert limit - 4096 - 3 <= used <= limit - 4096, (limit, used)
        assert len(before) == 2 * number + 1, (len(before), number)
        for protection in Protection:
            try:
                region.protect(protection, (1 << 18) * page - 2 * page, page)
            except vmem.OutOfMemoryError:
                assert protection != Protection.READ_WRITE
        assert region.ranges() == before
        region.protect(Protection.READ_WRITE, 3 * page, (2 * number - 4) * page)  # inside two runs: leads away from it
        assert len(region.ranges()) < 10 and region[0] == 1
        assert _vmem.get_limits()["mapping_used"] < 1000
        region.protect(Protection.READ, 100 * page, page)
        """
    )
    assert re.match(
        r"\[Errno 12\] cannot protect \d+ bytes at offset \d+ of a region: "
        r"vm.max_map_count is \d+ and this process has \d+ mappings, "
        r"and the last \d+ are kept for the rest of the process; "
        r"release what is not needed, or raise vm.max_map_count$",
        printed.strip(),
    ), printed
