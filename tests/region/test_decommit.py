from __future__ import annotations

import random

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import SLACK, committed_by_all, mappings_in, permissions_in, status_bytes

pytestmark = pytest.mark.in_child


def test_decommitted_bytes_cannot_be_used(region: vmem.Region, page: int) -> None:
    region.commit(0, 2 * page)
    region.decommit(0, page)
    assert region.committed == page
    with pytest.raises(ValueError, match="byte 0 of this region is not committed"):
        region[0]
    assert region[page] == 0


def test_recommitted_memory_reads_zero(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    region[0 : 4 * page] = b"x" * (4 * page)
    region.decommit(page, 2 * page)
    region.commit(page, 2 * page)
    assert bytes(region[0 : 4 * page]) == b"x" * page + bytes(2 * page) + b"x" * page


def test_every_page_that_holds_a_byte_of_the_range(region: vmem.Region, page: int) -> None:
    region.commit()
    region.decommit(page - 1, 2)
    assert not region.is_committed(0, 1)
    assert not region.is_committed(2 * page - 1, 1)
    assert region.is_committed(2 * page)
    assert region.committed == 62 * page


def test_everything_by_default(region: vmem.Region, page: int) -> None:
    region.commit()
    region.decommit(60 * page)
    assert region.committed == 60 * page
    region.decommit()
    assert region.committed == 0


def test_uncommitted_pages_are_not_an_error(region: vmem.Region, page: int) -> None:
    region.decommit()
    region.commit(10 * page, page)
    region.decommit(11 * page, 5 * page)
    region.decommit(0, 10 * page)
    region.decommit(10 * page, 0)
    assert region.committed == page
    region.decommit(5 * page, 20 * page)
    assert region.committed == 0


@linux_only
def test_the_kernel_takes_back_exactly_the_pages(region: vmem.Region, page: int) -> None:
    region.commit()
    region.decommit(page, page)
    region.decommit(10 * page, 50 * page)
    assert permissions_in(region.address, region.size) == [
        (0, page, "rw-p"),
        (page, 2 * page, "---p"),
        (2 * page, 10 * page, "rw-p"),
        (10 * page, 60 * page, "---p"),
        (60 * page, 64 * page, "rw-p"),
    ]


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
@pytest.mark.whole_system
def test_memory_and_charge_go_back() -> None:
    with vmem.reserve(1 << 34) as region:
        region.commit(0, 1 << 33)
        region[0 : 1 << 26] = b"x" * (1 << 26)
        resident, writable, charged = status_bytes("VmRSS"), status_bytes("VmData"), committed_by_all()
        region.decommit(0, 1 << 33)
        assert abs(writable - status_bytes("VmData") - (1 << 33)) < SLACK
        assert charged - committed_by_all() > 1 << 32
        assert resident - status_bytes("VmRSS") > 1 << 25


@linux_only
def test_cycles_leave_no_mappings_behind() -> None:
    page = vmem.get_page_size()
    with vmem.reserve(4096 * page, alignment=1 << 30) as region:
        order = list(range(0, 4096, 2))
        random.Random(1).shuffle(order)
        for number in order:
            region.commit(number * page, page)
            region[number * page] = 1
        assert len(mappings_in(region.address, region.size)) >= 4095
        for number in order:
            region.decommit(number * page, page)
        assert len(mappings_in(region.address, region.size)) == 1
        assert len(region.ranges()) == 1


def test_pinned_pages_stay(region: vmem.Region, page: int) -> None:
    region.commit(0, 8 * page)
    view = region[2 * page + 10 : 2 * page + 20]
    other = region.view(3 * page - 1, 2)
    for arguments in ((), (2 * page,), (2 * page, 1), (3 * page - 1, 1), (0, 2 * page + 1), (3 * page, 1)):
        with pytest.raises(BufferError, match="alive"):
            region.decommit(*arguments)
    assert region.committed == 8 * page
    region.decommit(0, 2 * page)
    region.decommit(4 * page)
    assert region.committed == 2 * page
    other.release()
    region.decommit(3 * page)
    with pytest.raises(BufferError, match=r"1 view of bytes \d+ to \d+ is alive"):
        region.decommit()
    view.release()
    region.decommit()
    assert region.committed == 0


def test_the_error_tells_range_and_number_of_views(region: vmem.Region, page: int) -> None:
    region.commit(0, 4 * page)
    views = [region[number * page : number * page + 5] for number in range(4)]
    with pytest.raises(BufferError) as raised:
        region.decommit(page + 1, 2 * page - 1)
    assert str(raised.value) == (
        f"cannot decommit bytes {page} to {3 * page} of this region: "
        f"2 views between bytes {page} and {2 * page + 5} are alive; "
        "release or delete them first, with every array and slice made from them"
    )
    del views
    region.decommit()


@pytest.mark.many_addresses
def test_no_order_of_commits_makes_the_record_slow_or_deep() -> None:
    """The record is a balanced tree whatever comes, so a thread with a small stack can work on any region."""
    run_python(
        """
        import os, random, threading, vmem
        page = vmem.get_page_size()
        orders = {
            "up": lambda n: range(n),
            "down": lambda n: range(n - 1, -1, -1),
            "inward": lambda n: [i // 2 if i % 2 else n - 1 - i // 2 for i in range(n)],
            "random": lambda n: random.Random(1).sample(range(n), n),
        }
        threading.stack_size(max(65536, os.sysconf("SC_THREAD_STACK_MIN") if hasattr(os, "sysconf") else 0))
        for name, order in orders.items():
            region = vmem.reserve(1 << 40)
            for number in order(8000):
                region.commit(2 * number * page, page)
            assert len(region.ranges()) == 16000, name
            thread = threading.Thread(target=region.decommit)
            thread.start()
            thread.join()
            assert region.ranges() == [(0, 1 << 40, False, 0)], name
            region.release()
        """
    )
