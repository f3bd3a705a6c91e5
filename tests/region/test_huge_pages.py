from __future__ import annotations

from pathlib import Path

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.system import details_in, pages_with_flag

HUGE_PAGE = vmem.get_huge_page_size()
MODE_FILE = Path("/sys/kernel/mm/transparent_hugepage/enabled")

needs_huge_pages = pytest.mark.skipif(HUGE_PAGE == 0, reason="this system has none to put under ordinary memory")


def are_switched_off() -> bool:
    return not MODE_FILE.exists() or "[never]" in MODE_FILE.read_text()


def bytes_in_huge_pages(region: vmem.Region) -> int:
    fields = [each.fields["AnonHugePages"] for each in details_in(region.address, region.size)]
    return sum(int(field.removesuffix(" kB")) * 1024 for field in fields)


def advised(region: vmem.Region) -> list[int]:
    """The numbers of the huge pages that the kernel was told to use, if it can."""
    pages = set(pages_with_flag(region, "hg"))
    unit = HUGE_PAGE // region.page_size
    numbers = sorted({page // unit for page in pages})
    assert len(pages) == len(numbers) * unit
    return numbers


@pytest.mark.skipif(HUGE_PAGE != 0, reason="this system has huge pages")
def test_systems_without_huge_pages() -> None:
    with pytest.raises(NotImplementedError, match="this system does not tell of huge pages for ordinary memory"):
        vmem.reserve(1, huge_pages=True)


@linux_only
def test_their_size_is_what_the_kernel_says() -> None:
    path = MODE_FILE.with_name("hpage_pmd_size")
    assert int(path.read_text()) == HUGE_PAGE if path.exists() else HUGE_PAGE == 0


@needs_huge_pages
def test_the_attribute_huge_pages() -> None:
    assert vmem.reserve(1, huge_pages=True).huge_pages is True
    assert vmem.Region(1, huge_pages=True).huge_pages is True
    assert vmem.reserve(1).huge_pages is False
    assert vmem.reserve(1, huge_pages=False).huge_pages is False


@needs_huge_pages
@pytest.mark.parametrize(
    "alignment",
    [None, 1, 4096, HUGE_PAGE, 4 * HUGE_PAGE, pytest.param(1 << 30, marks=pytest.mark.many_addresses)],
)
def test_the_region_begins_where_a_huge_page_can(alignment: int | None) -> None:
    regions = [vmem.reserve(HUGE_PAGE + 1, alignment=alignment, huge_pages=True) for _ in range(5)]
    for region in regions:
        assert region.address % HUGE_PAGE == 0
        assert region.address % (alignment or 1) == 0
        assert region.size == HUGE_PAGE + region.page_size


@linux_only
@needs_huge_pages
@pytest.mark.skipif(are_switched_off(), reason="/sys/kernel/mm/transparent_hugepage/enabled is never")
def test_memory_comes_in_huge_pages(page: int) -> None:
    with vmem.reserve(64 * HUGE_PAGE, huge_pages=True) as region:
        region.commit(0, 16 * HUGE_PAGE)
        assert region.resident() == 0
        for number in range(16):
            region[number * HUGE_PAGE] = 1
        assert bytes_in_huge_pages(region) >= HUGE_PAGE
        assert region.resident() > 16 * page
        region.decommit()
        region.commit(0, 16 * HUGE_PAGE, prefault=True)
        assert bytes_in_huge_pages(region) >= HUGE_PAGE
        assert region.resident() == 16 * HUGE_PAGE
        assert not any(region[0 : 16 * HUGE_PAGE : page])


@linux_only
@needs_huge_pages
def test_only_committed_memory_is_advised() -> None:
    with vmem.reserve(16 * HUGE_PAGE, huge_pages=True) as region:
        assert advised(region) == []
        region.commit(2 * HUGE_PAGE, 3 * HUGE_PAGE)
        assert advised(region) == [2, 3, 4]
        region.commit(10 * HUGE_PAGE, HUGE_PAGE, prefault=True)
        assert advised(region) == [2, 3, 4, 10]
        region.commit()
        assert advised(region) == list(range(16))


@linux_only
@needs_huge_pages
def test_without_asking_nothing_is_advised() -> None:
    with vmem.reserve(4 * HUGE_PAGE, alignment=HUGE_PAGE) as region:
        region.commit()
        assert advised(region) == []


@linux_only
@needs_huge_pages
def test_the_advice_is_back_after_decommitting_and_committing() -> None:
    with vmem.reserve(8 * HUGE_PAGE, huge_pages=True) as region:
        region.commit()
        region.decommit(HUGE_PAGE, 2 * HUGE_PAGE)
        assert advised(region) == [0, 3, 4, 5, 6, 7]
        region.commit(HUGE_PAGE, HUGE_PAGE)
        assert advised(region) == [0, 1, 3, 4, 5, 6, 7]
        region.commit(2 * HUGE_PAGE, HUGE_PAGE, prefault=True)
        assert advised(region) == list(range(8))


@linux_only
@needs_huge_pages
def test_the_advice_outlives_everything_else() -> None:
    with vmem.reserve(4 * HUGE_PAGE, huge_pages=True) as region:
        region.commit()
        region.protect(vmem.Protection.READ, HUGE_PAGE, HUGE_PAGE)
        region.protect(vmem.Protection.READ_WRITE)
        region.prefault(0, 1)
        region.discard()
        assert advised(region) == [0, 1, 2, 3]


@needs_huge_pages
def test_contents_do_not_depend_on_the_size_of_pages(page: int) -> None:
    """Parts of huge pages are decommitted, discarded and protected like any other page."""
    with vmem.reserve(4 * HUGE_PAGE, huge_pages=True) as region:
        region.commit(0, 2 * HUGE_PAGE, prefault=True)
        region[0 : 8 * page] = b"x" * (8 * page)
        region.decommit(page, page)
        region.discard(3 * page, page)
        region.protect(vmem.Protection.READ, 5 * page, page)
        region.commit(page, page)
        contents = [bytes(region[number * page : (number + 1) * page]) for number in range(9)]
        full, empty = b"x" * page, bytes(page)
        assert contents == [full, empty, full, empty, full, full, full, full, empty]
        with pytest.raises(ValueError, match="cannot be written"):
            region[5 * page] = 1
        region.commit(3 * HUGE_PAGE, 1)
        assert region.committed == 2 * HUGE_PAGE + page


def test_anything_true_asks_for_them() -> None:
    if HUGE_PAGE:
        assert vmem.reserve(1, huge_pages=[0]).huge_pages is True  # type: ignore[arg-type]
    assert vmem.reserve(1, huge_pages=()).huge_pages is False  # type: ignore[arg-type]
