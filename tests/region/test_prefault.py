from __future__ import annotations

import re
import sys

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import permissions_in, status_bytes
from vmem import Protection, Range

UNWRITABLE = [Protection.NO_ACCESS, Protection.READ, Protection.EXECUTE, Protection.READ_EXECUTE]


def resident_pages(region: vmem.Region) -> list[int]:
    page = region.page_size
    return [number for number in range(region.size // page) if region.resident(number * page, page)]


def test_all_pages_get_memory(region: vmem.Region, page: int) -> None:
    region.commit()
    assert region.resident() == 0
    region.prefault(0, 5 * page)
    assert region.resident() == 5 * page
    region.prefault()
    assert region.resident() == region.size
    assert not any(region[:])


@pytest.mark.parametrize(
    ("offset", "num_bytes", "first_page", "num_pages"),
    [("0", "1", 0, 1), ("page - 1", "2", 0, 2), ("3 * page + 5", "page", 3, 2), ("64 * page - 1", "1", 63, 1)],
)
def test_every_page_that_holds_a_byte_of_the_range(
    region: vmem.Region, page: int, offset: str, num_bytes: str, first_page: int, num_pages: int
) -> None:
    region.commit()
    region.prefault(eval(offset, {"page": page}), eval(num_bytes, {"page": page}))
    assert resident_pages(region) == list(range(first_page, first_page + num_pages))


def test_contents_never_change(region: vmem.Region, page: int) -> None:
    region.commit()
    data = bytes(range(256)) * (page // 256)
    region[0:page] = region[7 * page : 8 * page] = data
    view = region[5:10]
    region.prefault()
    region.prefault()
    assert bytes(region[0 : 9 * page]) == data + bytes(6 * page) + data + bytes(page)
    assert bytes(view) == data[5:10]


@linux_only
@pytest.mark.exact_memory
def test_the_memory_is_written_not_only_read() -> None:
    """Reading makes pages resident too, but all of them are one page of zeros then."""
    with vmem.reserve(1 << 28) as region:
        region.commit(0, 1 << 27)
        before = status_bytes("RssAnon")
        region.prefault(0, 1 << 27)
        assert status_bytes("RssAnon") - before >= 1 << 27


def test_a_range_larger_than_one_chunk() -> None:
    unit = 1 << 22  # no smaller than huge pages, which some systems put under memory without being asked
    with vmem.reserve(1 << 30, alignment=unit) as region:
        region.commit(0, 1 << 28)
        region[1 << 27] = 3
        region.prefault(unit, 40 * unit)
        assert region.resident(0, unit) == 0
        assert region.resident() == region.resident(unit, 40 * unit) == 40 * unit
        assert region[1 << 27] == 3


@pytest.mark.parametrize("protection", UNWRITABLE)
def test_pages_that_cannot_be_written_are_refused(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 4 * page)
    region.protect(protection, page, page)
    message = (
        f"bytes {page} to {2 * page} of this region cannot be written; "
        f"protect(Protection.READ_WRITE, {page}, {page}) lets you"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        region.prefault(0, 4 * page)
    assert region.resident() == 0
    region.prefault(2 * page, 2 * page)
    assert region.resident() == 2 * page


# Native code has unmapped a page meanwhile, which the system reports like a lack of memory.
UNMAP = """
import ctypes, vmem
region = vmem.reserve(1 << 30)
page = region.page_size
region.commit(0, 16 * page)
region[0] = 7
ctypes.CDLL(None).munmap(ctypes.c_void_p(region.address + 10 * page), ctypes.c_size_t(page))

def refuse(call, *arguments, **keywords):
    before = region.ranges()
    try:
        call(*arguments, **keywords)
    except vmem.OutOfMemoryError as error:
        print(error)
    else:
        raise SystemExit("it went well")
    assert region.ranges() == before and region[0] == 7
"""


@linux_only
def test_a_refusal_says_what_was_tried(page: int) -> None:
    printed = run_python(UNMAP + "refuse(region.prefault, 5, 16 * page - 5); region.prefault(0, 10 * page)")
    assert printed.strip() == (
        f"[Errno 12] cannot prefault {16 * page - 5} bytes at offset 5 of a region: "
        "the system is out of memory; commit less, or release some"
    )


# --- commit(prefault=True) ---


def test_committing_with_memory(region: vmem.Region, page: int) -> None:
    region.commit(page - 1, 2, prefault=True)
    assert region.committed == region.resident() == 2 * page
    assert not any(region[0 : 2 * page])
    region[0] = 4
    region.commit(prefault=True)
    assert region.committed == region.resident() == region.size
    assert bytes(region[0:2]) == b"\4\0"


@linux_only
def test_the_kernel_grants_exactly_the_committed_pages(region: vmem.Region, page: int) -> None:
    region.commit(5 * page, 3 * page, prefault=True)
    assert permissions_in(region.address, region.size) == [
        (0, 5 * page, "---p"),
        (5 * page, 8 * page, "rw-p"),
        (8 * page, 64 * page, "---p"),
    ]


def test_without_it_pages_get_no_memory(region: vmem.Region) -> None:
    region.commit(prefault=False)
    assert region.resident() == 0


def test_prefault_is_a_keyword(region: vmem.Region) -> None:
    with pytest.raises(TypeError):
        region.commit(0, 1, True)  # type: ignore[call-arg]


def test_pages_that_are_committed_already_get_memory_too(region: vmem.Region, page: int) -> None:
    region.commit()
    region.commit(3 * page, 4 * page, prefault=True)
    assert resident_pages(region) == [3, 4, 5, 6]


@pytest.mark.parametrize("protection", UNWRITABLE)
def test_pages_that_cannot_be_written_are_left_alone(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(4 * page, 2 * page)
    region.commit(10 * page, page)
    region[10 * page] = 5
    region.protect(protection, 4 * page, 2 * page)
    region.protect(protection, 10 * page, page)
    region.commit(2 * page, 12 * page, prefault=True)
    expected = [2, 3, 6, 7, 8, 9, 10, 11, 12, 13]
    if sys.platform == "win32" and protection == Protection.NO_ACCESS:
        expected.remove(10)  # pages without access are in no working set there
    assert resident_pages(region) == expected
    assert [each for each in region.ranges() if each.committed] == [
        Range(2 * page, 2 * page, True, Protection.READ_WRITE),
        Range(4 * page, 2 * page, True, protection),
        Range(6 * page, 4 * page, True, Protection.READ_WRITE),
        Range(10 * page, page, True, protection),
        Range(11 * page, 3 * page, True, Protection.READ_WRITE),
    ]
    region.protect(Protection.READ, 10 * page, page)
    assert region[10 * page] == 5


def test_many_gaps_and_more_than_one_chunk(page: int) -> None:
    with vmem.reserve(1 << 30) as region:
        for offset in range(0, 1 << 27, 1 << 24):
            region.commit(offset, page)
            region[offset] = offset >> 24 or 255
        region.commit(0, 1 << 27, prefault=True)
        assert region.ranges()[0] == Range(0, 1 << 27, True, Protection.READ_WRITE)
        assert region.resident() == 1 << 27
        assert [region[offset] for offset in range(0, 1 << 27, 1 << 24)] == [255, 1, 2, 3, 4, 5, 6, 7]


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
@pytest.mark.parametrize("num_bytes", [1 << 22, 1 << 30])
def test_a_refused_commit_changes_nothing(num_bytes: int) -> None:
    printed = run_python(
        """
        import resource, sys, vmem
        from vmem import _vmem
        num_bytes = int(sys.argv[1])
        region = vmem.reserve(1 << 32)
        page = region.page_size
        region.commit(num_bytes // 2, page)
        region[num_bytes // 2] = 9
        limit = _vmem.get_limits()["data_used"] + num_bytes // 4 * 3
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        before, used = region.ranges(), _vmem.get_limits()["data_used"]
        for _ in range(3):
            try:
                region.commit(0, num_bytes, prefault=True)
            except vmem.OutOfMemoryError as error:
                message = str(error)
            assert region.ranges() == before and region[num_bytes // 2] == 9
            assert region.resident() == page
            assert _vmem.get_limits()["data_used"] - used < num_bytes // 4
        print(message, limit)
        region.commit(0, page, prefault=True)
        """,
        str(num_bytes),
    )
    message, limit = printed.strip().rsplit(" ", 1)
    assert (
        f"cannot commit and prefault {num_bytes} bytes at offset 0 of a region: "
        f"the data limit (RLIMIT_DATA, ulimit -d) is {limit} bytes and this process uses "
    ) in message


@linux_only
@pytest.mark.parametrize("num_bytes", [1 << 20, 1 << 26])
def test_a_commit_whose_prefault_is_refused_is_taken_back(num_bytes: int) -> None:
    """The gaps have been committed by then."""
    printed = run_python(
        UNMAP
        + """
import sys
num_bytes = int(sys.argv[1])
region.commit(num_bytes // 2, page)
region.decommit(4 * page, page)
refuse(region.commit, 0, num_bytes, prefault=True)
committed = set()
for line in open("/proc/self/maps"):
    addresses, letters = line.split()[:2]
    first, last = (int(address, 16) - region.address for address in addresses.split("-"))
    if last > 0 and first < region.size and letters.startswith("rw"):
        committed |= set(range(max(first, 0) // page, min(last, region.size) // page))
assert committed == set(range(16)) - {4, 10} | {num_bytes // 2 // page}, sorted(committed)
assert region.resident(16 * page, num_bytes // 2 - 16 * page) == 0
""",
        str(num_bytes),
    )
    assert f"cannot commit and prefault {num_bytes} bytes at offset 0 of a region: the system is out of" in printed
