from __future__ import annotations

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import SLACK, committed_by_all, permissions_in, status_bytes
from vmem import Protection, Range

pytestmark = pytest.mark.in_child


def test_discarded_bytes_read_zero_and_can_be_used(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    region[0 : 4 * page] = b"x" * (4 * page)
    region.discard(page, 2 * page)
    assert bytes(region[0 : 4 * page]) == b"x" * page + bytes(2 * page) + b"x" * page
    region[page] = 5
    assert region[page] == 5


def test_discarded_pages_stay_committed(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    before = region.ranges()
    region.discard(0, 4 * page)
    assert region.ranges() == before
    assert region.committed == 4 * page


@pytest.mark.parametrize(
    ("offset", "num_bytes", "first_page", "num_pages"),
    [("0", "1", 0, 1), ("page - 1", "2", 0, 2), ("3 * page + 5", "page", 3, 2), ("64 * page - 1", "1", 63, 1)],
)
def test_every_page_that_holds_a_byte_of_the_range(
    region: vmem.Region, page: int, offset: str, num_bytes: str, first_page: int, num_pages: int
) -> None:
    region.commit()
    region[:] = b"x" * region.size
    region.discard(eval(offset, {"page": page}), eval(num_bytes, {"page": page}))
    zero = [number for number in range(64) if not any(region[number * page : (number + 1) * page])]
    assert zero == list(range(first_page, first_page + num_pages))
    assert bytes(region[:]).count(b"x") == (64 - num_pages) * page


def test_everything_by_default(region: vmem.Region, page: int) -> None:
    region.commit()
    region[:] = b"x" * region.size
    region.discard(10 * page)
    assert bytes(region[:]).rstrip(b"\0") == b"x" * (10 * page)
    region.discard()
    assert not any(region[:])


def test_discarding_pages_that_were_never_touched(region: vmem.Region) -> None:
    region.commit()
    region.discard()
    region.discard()
    assert not any(region[:])


def test_physical_memory_goes_back(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    region[0 : 8 * page] = b"x" * (8 * page)
    assert region.resident(0, 8 * page) == 8 * page
    region.discard(2 * page, 4 * page)
    assert region.resident(2 * page, 4 * page) == 0
    assert region.resident(0, 8 * page) == 4 * page
    region[3 * page] = 1
    assert region.resident(2 * page, 4 * page) == page


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
@pytest.mark.whole_system
def test_the_commit_charge_stays() -> None:
    with vmem.reserve(1 << 34) as region:
        region.commit(0, 1 << 32)
        region[0 : 1 << 26] = b"x" * (1 << 26)
        resident, writable, charged = status_bytes("VmRSS"), status_bytes("VmData"), committed_by_all()
        region.discard(0, 1 << 32)
        assert resident - status_bytes("VmRSS") > 1 << 25
        assert abs(status_bytes("VmData") - writable) < SLACK
        assert charged - committed_by_all() < 1 << 31  # other processes come and go meanwhile


@linux_only
def test_the_kernel_keeps_the_pages_as_they_are(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    before = permissions_in(region.address, region.size)
    region.discard(2 * page, page)
    assert permissions_in(region.address, region.size) == before


def test_a_range_larger_than_one_chunk(page: int) -> None:
    with vmem.reserve(1 << 30) as region:
        region.commit(0, 1 << 28)
        for offset in range(0, 1 << 28, 1 << 22):
            region[offset] = region[offset + page] = 7
        region.discard(page, (1 << 28) - page)
        assert region[0] == 7
        assert not any(region[page : 1 << 28 : page])
        assert region.committed == 1 << 28
        region.discard(0, 1 << 28)
        assert region.resident(0, 1 << 28) == 0


def test_pinned_pages_stay(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    region[0 : 8 * page] = b"x" * (8 * page)
    view = region[2 * page + 10 : 2 * page + 20]
    for arguments in ((0, 8 * page), (2 * page, 1), (3 * page - 1, 2), (0, 2 * page + 1)):
        with pytest.raises(BufferError, match=r"cannot discard bytes \d+ to \d+ of this region: 1 view of bytes"):
            region.discard(*arguments)
    assert bytes(region[0 : 8 * page]) == b"x" * (8 * page)
    region.discard(0, 2 * page)
    region.discard(3 * page, 5 * page)
    assert bytes(view) == b"x" * 10
    view.release()
    region.discard(0, 8 * page)
    assert not any(region[0 : 8 * page])


def test_a_readonly_view_pins_too(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    region[0] = 8
    view = region.view(0, 1, readonly=True)
    with pytest.raises(BufferError):
        region.discard(0, page)
    assert view[0] == 8


def test_the_error_tells_range_and_number_of_views(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    views = [region[number * page : number * page + 5] for number in range(4)]
    with pytest.raises(BufferError) as raised:
        region.discard(page + 1, 2 * page - 1)
    assert str(raised.value) == (
        f"cannot discard bytes {page} to {3 * page} of this region: "
        f"2 views between bytes {page} and {2 * page + 5} are alive; "
        "release or delete them first, with every array and slice made from them"
    )
    del views
    region.discard(page + 1, 2 * page - 1)


@pytest.mark.parametrize("protection", [Protection.READ, Protection.READ_EXECUTE])
def test_pages_that_cannot_be_written_are_refused(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, 4 * page)
    region[0 : 4 * page] = b"x" * (4 * page)
    region.protect(protection, page, page)
    with pytest.raises(ValueError, match="cannot be written") as raised:
        region.discard(0, 4 * page)
    assert str(raised.value) == (
        f"bytes {page} to {2 * page} of this region cannot be written; "
        f"protect(Protection.READ_WRITE, {page}, {page}) lets you"
    )
    assert bytes(region[0 : 4 * page]) == b"x" * (4 * page)
    region.discard(2 * page, 2 * page)
    assert not any(region[2 * page : 4 * page])


@pytest.mark.parametrize("protection", [Protection.NO_ACCESS, Protection.EXECUTE])
def test_pages_that_cannot_be_read_are_refused(region: vmem.Region, page: int, protection: Protection) -> None:
    region.commit(0, page)
    region[0] = 9
    region.protect(protection, 0, page)
    with pytest.raises(ValueError, match="bytes 0 to 1 of this region cannot be written"):
        region.discard(0, 1)
    region.protect(Protection.READ, 0, page)
    assert region[0] == 9


@linux_only
@pytest.mark.exact_memory
def test_locked_pages_are_discarded_and_stay_locked(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    region[0 : 4 * page] = b"x" * (4 * page)
    before = status_bytes("VmLck")
    region.lock(page, 2 * page)
    region.discard(0, 4 * page)
    assert not any(region[0 : 4 * page])
    assert status_bytes("VmLck") - before == 2 * page
    region.unlock(0, 4 * page)
    assert status_bytes("VmLck") == before
    assert region.ranges()[0] == Range(0, 4 * page, True, Protection.READ_WRITE)


@linux_only
@pytest.mark.exact_memory
def test_discarding_works_at_the_data_limit() -> None:
    """Decommitting and committing again can be refused then: others may have taken the memory meanwhile."""
    run_python(
        """
        import resource, vmem
        from vmem import _vmem
        region = vmem.reserve(1 << 30)
        region.commit(0, 1 << 28)
        region[0 : 1 << 20] = b"x" * (1 << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (_vmem.get_limits()["data_used"] // 2, -1))
        region.discard(0, 1 << 28)
        assert not any(region[0 : 1 << 20])
        region[5] = 1
        region.decommit(0, 1 << 28)
        try:
            region.commit(0, 1 << 28)
        except vmem.OutOfMemoryError:
            pass
        else:
            raise SystemExit("the limit was no limit")
        """
    )
