from __future__ import annotations

import pytest
from support import Index, committed_by_all, linux_only, mappings_in, permissions_in, status_bytes

import vmem


def test_fresh_memory_reads_zero(region: vmem.Region, page: int) -> None:
    region.commit(0, 3 * page)
    assert bytes(region[: 3 * page]) == bytes(3 * page)


def test_committed_memory_can_be_written(region: vmem.Region, page: int) -> None:
    region.commit(page, page)
    region[page : 2 * page] = bytes(range(256)) * (page // 256)
    assert bytes(region[page : 2 * page]) == bytes(range(256)) * (page // 256)


@pytest.mark.parametrize(
    ("offset", "num_bytes", "first_page", "num_pages"),
    [
        ("0", "1", 0, 1),
        ("0", "page", 0, 1),
        ("0", "page + 1", 0, 2),
        ("page - 1", "1", 0, 1),
        ("page - 1", "2", 0, 2),
        ("3 * page + 5", "page", 3, 2),
        ("63 * page", "page", 63, 1),
        ("64 * page - 1", "1", 63, 1),
    ],
)
def test_every_page_that_holds_a_byte_of_the_range(
    region: vmem.Region, page: int, offset: str, num_bytes: str, first_page: int, num_pages: int
) -> None:
    region.commit(eval(offset, {"page": page}), eval(num_bytes, {"page": page}))
    assert region.committed == num_pages * page
    committed = [each for each in region.ranges() if each.committed]
    assert [(each.offset, each.num_bytes) for each in committed] == [(first_page * page, num_pages * page)]


def test_everything_by_default(region: vmem.Region, page: int) -> None:
    region.commit(10 * page)
    assert region.committed == 54 * page
    region.commit()
    assert region.committed == region.size


def test_no_bytes_are_no_work(region: vmem.Region) -> None:
    region.commit(0, 0)
    region.commit(5, 0)
    region.commit(region.size, 0)
    region.commit(region.size)
    assert region.committed == 0


def test_committing_again_keeps_the_contents(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    region[0 : 4 * page] = b"x" * (4 * page)
    region.commit(0, 8 * page)
    region.commit()
    assert bytes(region[0 : 4 * page]) == b"x" * (4 * page)
    assert bytes(region[4 * page :]) == bytes(60 * page)


def test_a_commit_fills_the_gaps_between_what_is_committed(region: vmem.Region, page: int) -> None:
    for number in range(1, 20, 2):
        region.commit(number * page, page)
        region[number * page] = number
    region.commit(0, 25 * page)
    assert region.committed == 25 * page
    assert [region[number * page] for number in range(25)] == [n if n % 2 and n < 20 else 0 for n in range(25)]
    assert len(region.ranges()) == 2


@linux_only
def test_the_kernel_grants_exactly_the_committed_pages(region: vmem.Region, page: int) -> None:
    region.commit(2 * page, page)
    region.commit(5 * page, 3 * page)
    assert permissions_in(region.address, region.size) == [
        (0, 2 * page, "---p"),
        (2 * page, 3 * page, "rw-p"),
        (3 * page, 5 * page, "---p"),
        (5 * page, 8 * page, "rw-p"),
        (8 * page, 64 * page, "---p"),
    ]


@linux_only
@pytest.mark.exact_memory
def test_memory_is_charged_as_it_is_committed() -> None:
    with vmem.reserve(1 << 40) as region:
        writable_before, charged_before = status_bytes("VmData"), committed_by_all()
        region.commit(0, 1 << 32)
        assert status_bytes("VmData") - writable_before == 1 << 32
        assert committed_by_all() - charged_before > 1 << 31  # other processes come and go meanwhile


@linux_only
def test_growing_in_steps_takes_one_mapping(page: int) -> None:
    with vmem.reserve(1000 * page, alignment=1 << 30) as region:
        for number in range(500):
            region.commit(number * page, page)
            region[number * page] = 1
        assert len(mappings_in(region.address, region.size)) <= 2


def test_pages_get_memory_when_they_are_touched(region: vmem.Region, page: int) -> None:
    region.commit()
    before = region.resident()
    region[10 * page] = 1
    region[20 * page] = 1
    assert region.resident() - before == 2 * page
    assert region.resident(10 * page, 1) == page
    assert region.resident(5, 0) == 0


@pytest.mark.parametrize("verb", ["commit", "decommit", "view", "is_committed", "resident"])
def test_ranges_outside_the_region_are_refused(region: vmem.Region, verb: str) -> None:
    size = region.size
    call = getattr(region, verb)
    with pytest.raises(ValueError, match=f"offset {size} \\+ num_bytes 1 is past the end of a region of {size} bytes"):
        call(size, 1)
    with pytest.raises(ValueError, match=f"offset 1 \\+ num_bytes {size} is past the end of a region of {size} bytes"):
        call(1, size)
    with pytest.raises(ValueError, match=f"offset {size + 1} is past the end of a region of {size} bytes"):
        call(size + 1)
    with pytest.raises(ValueError, match=f"offset {2**64 - 1} is past the end"):
        call(2**64 - 1, 2)
    for num_bytes in (2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1):
        with pytest.raises(ValueError, match=f"offset 1 \\+ num_bytes {num_bytes} is past the end"):
            call(1, num_bytes)
    assert region.committed == 0


@pytest.mark.parametrize("verb", ["commit", "decommit", "view", "is_committed", "resident"])
def test_wrong_numbers_are_refused(region: vmem.Region, verb: str) -> None:
    call = getattr(region, verb)
    for arguments in ((-1,), (-1, 1), (-(2**63), 1), (-(2**70), 1), (2**64, 1), (2**70, 1)):
        with pytest.raises(ValueError, match="offset"):
            call(*arguments)
    for arguments in ((0, -1), (0, -(2**63)), (0, 2**64), (0, 2**70)):
        with pytest.raises(ValueError, match="num_bytes"):
            call(*arguments)
    for value in (1.0, "1", b"1", [1]):
        with pytest.raises(TypeError, match=f"offset must be an integer, not {type(value).__name__}"):
            call(value)
        with pytest.raises(TypeError, match=f"num_bytes must be an integer, not {type(value).__name__}"):
            call(0, value)
    with pytest.raises(TypeError):
        call(0, 1, 2)
    with pytest.raises(TypeError):
        call(0, length=1)
    with pytest.raises(TypeError):
        call(0, offset=1)
    assert region.committed == 0


@pytest.mark.parametrize("verb", ["commit", "decommit", "view", "is_committed", "resident"])
def test_arguments_by_name_and_by_index(region: vmem.Region, page: int, verb: str) -> None:
    region.commit()
    call = getattr(region, verb)
    call(offset=page, num_bytes=page)
    call(page, num_bytes=Index(5))
    call(num_bytes=1)
    call(Index(2), None)


def test_the_extension_checks_ranges_too(region: vmem.Region) -> None:
    from vmem import _vmem

    for call in (_vmem.Region.commit, _vmem.Region.decommit, _vmem.Region.resident):
        for arguments in ((region.size, 1), (2**64 - 1, 1), (-1, 1), (0, -1)):
            with pytest.raises(ValueError, match=r"offset|num_bytes"):
                call(region, *arguments)
        for too_few_or_many in ((), (0,), (0, 1, 2)):
            with pytest.raises(TypeError):
                call(region, *too_few_or_many)
