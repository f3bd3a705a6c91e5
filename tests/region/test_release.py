from __future__ import annotations

from collections.abc import Callable

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.system import mappings_in, status_bytes

pytestmark = pytest.mark.in_child


def test_releasing_twice_is_fine(region: vmem.Region) -> None:
    assert not region.released
    region.release()
    region.release()
    assert region.released


@pytest.mark.many_addresses
@linux_only
def test_the_addresses_and_the_memory_go_back() -> None:
    size, writable = status_bytes("VmSize"), status_bytes("VmData")
    region = vmem.reserve(1 << 40)
    region.commit(0, 1 << 32)
    region.release()
    assert status_bytes("VmSize") - size < 1 << 30
    assert status_bytes("VmData") - writable < 1 << 20


def test_what_still_works_after_release(region: vmem.Region, page: int) -> None:
    region.commit()
    region.release()
    assert (region.size, region.page_size, region.name, region.committed) == (64 * page, page, None, 0)
    assert "released" in repr(region)
    assert region == region
    assert isinstance(hash(region), int)


# The calls that take a range are in test_arguments.py.
CALLS: list[Callable[[vmem.Region], object]] = [
    lambda region: region.address,
    lambda region: len(region),
    lambda region: region.ranges(),
    lambda region: region[0],
    lambda region: region[0:1],
    lambda region: region[0:0],
    lambda region: region.__setitem__(0, 1),
    lambda region: region.__setitem__(slice(0, 1), b"x"),
    lambda region: region.__setitem__(slice(0, 0), b""),
    lambda region: region.__setitem__(slice(0, 5), b"wrong length"),
    lambda region: region.__enter__(),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_everything_else_raises_after_release(region: vmem.Region, number: int) -> None:
    region.commit()
    region.release()
    with pytest.raises(ValueError, match=f"this region of {region.size} bytes has been released"):
        CALLS[number](region)


def test_live_views_refuse_the_release(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    region[0] = 5
    first, second = region[0:10], region.view(100, 50)
    with pytest.raises(BufferError, match=r"cannot release .*: 2 views between bytes 0 and 150 are alive"):
        region.release()
    assert (region.released, region.committed, first[0]) == (False, page, 5)
    first.release()
    second.release()
    region.release()


def test_empty_views_allow_the_release(region: vmem.Region) -> None:
    empty = region[5:5]
    region.release()
    assert (len(empty), bytes(empty), bytes(memoryview(empty.obj))) == (0, b"", b"")


def test_with_releases() -> None:
    with vmem.reserve(1) as region:
        region.commit()
    assert region.released


def test_with_and_an_early_release() -> None:
    with vmem.reserve(1) as region:
        region.release()
    assert region.released


def test_with_and_a_live_view() -> None:
    with pytest.raises(BufferError), vmem.reserve(1) as region:
        region.commit()
        view = region[0:1]
    assert not region.released
    view.release()
    region.release()


def test_an_exception_is_not_hidden_by_a_live_view() -> None:
    with pytest.raises(KeyError, match="the reason"), vmem.reserve(1) as region:
        region.commit()
        view = region[0:3]
        view[0] = 9
        raise KeyError("the reason")
    assert region.released
    assert region.committed == 0
    assert bytes(view) == b"\x09\0\0"
    with pytest.raises(ValueError, match="released"):
        region[0]


@linux_only
def test_after_an_exception_the_memory_goes_with_the_last_view() -> None:
    with pytest.raises(KeyError), vmem.reserve(1, alignment=1 << 30) as region:
        region.commit()
        address, size = region.address, region.size
        first, second = region[0:3], region[5:8]
        raise KeyError
    first.release()
    second[0] = 1
    assert [permissions for _, _, permissions in mappings_in(address, size)] == ["rw-p"]
    second.release()
    assert mappings_in(address, size) == []
    region.release()


@linux_only
def test_an_empty_view_does_not_keep_an_abandoned_region() -> None:
    with pytest.raises(KeyError), vmem.reserve(1, alignment=1 << 30) as region:
        address, size = region.address, region.size
        empty = region[0:0]
        raise KeyError
    assert mappings_in(address, size) == []
    assert empty.nbytes == 0


def test_a_subclass_with_a_length_of_its_own_cannot_be_entered_after_release() -> None:
    class Stack(vmem.Region):
        def __len__(self) -> int:
            return 0

    stack = Stack(1)
    with stack:
        pass
    with pytest.raises(ValueError, match="released"), stack:
        pass


@linux_only
def test_a_dropped_region_is_released() -> None:
    region = vmem.reserve(1, alignment=1 << 30)
    region.commit()
    address, size = region.address, region.size
    assert mappings_in(address, size)
    del region
    assert mappings_in(address, size) == []


@linux_only
def test_a_dropped_region_lives_as_long_as_its_views() -> None:
    region = vmem.reserve(1, alignment=1 << 30)
    region.commit()
    address, size = region.address, region.size
    view = region[10:20][2:5]
    view[0] = 4
    del region
    assert mappings_in(address, size)
    assert bytes(view) == b"\4\0\0"
    del view
    assert mappings_in(address, size) == []
