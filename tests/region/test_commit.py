from __future__ import annotations

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.system import SLACK, committed_by_all, mappings_in, permissions_in, status_bytes

pytestmark = pytest.mark.in_child


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


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
@pytest.mark.whole_system
def test_memory_is_charged_as_it_is_committed() -> None:
    with vmem.reserve(1 << 40) as region:
        writable_before, charged_before = status_bytes("VmData"), committed_by_all()
        region.commit(0, 1 << 32)
        assert abs(status_bytes("VmData") - writable_before - (1 << 32)) < SLACK
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
