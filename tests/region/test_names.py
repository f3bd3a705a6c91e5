"""Names of regions, and how the kernel shows them."""

from __future__ import annotations

import ctypes
import mmap
import sys

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import details_in


class Title(str):
    """A str whose overridden methods return wrong values."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"

    def __len__(self) -> int:
        return 1

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return b"encoded"


# A name, and what of it the kernel can show: printable ASCII but []\$`, 79 of them.
NAMES = {
    "frame buffer": "frame buffer",
    "a": "a",
    "": "",
    "größe": "gr??e",
    "页": "?",
    "😀!": "?!",
    "[heap]": "?heap?",
    "a\\b$c`d": "a?b?c?d",
    "tab\tand\nline\x00end\x7f": "tab?and?line?end?",
    "\udcff\ud800": "??",
    "%s%n{}": "%s%n{}",
    "y" * 79: "y" * 79,
    "z" * 80: "z" * 79,
    "x" * 1000: "x" * 79,
    "é" * 1000: "?" * 79,
    " ": " ",
    Title("title"): "title",
}


def kernel_shows_names() -> bool:
    """Whether the kernel accepts names for memory, as it can from 5.17 on (CONFIG_ANON_VMA_NAME)."""
    if sys.platform != "linux":
        return False
    set_vma, anonymous_name = 0x53564D41, ctypes.c_ulong(0)
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        byte = ctypes.c_char.from_buffer(memory)
        address, size = ctypes.c_ulong(ctypes.addressof(byte)), ctypes.c_ulong(mmap.PAGESIZE)
        status: int = ctypes.CDLL(None).prctl(set_vma, anonymous_name, address, size, b"probe")
        del byte
    return status == 0


SHOWN = kernel_shows_names()


def shown_names(region: vmem.Region, start: int, size: int) -> list[str]:
    return [each.name for each in details_in(region.address + start, size)]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_string_is_a_name(name: str, page: int) -> None:
    with vmem.reserve(4 * page, name=name) as region:
        assert region.name is name
        assert ascii(region).startswith(f"<vmem.Region {name!a} at 0x")
        region.commit(0, page)
        region.commit(2 * page, page, prefault=True)
        region[0:3] = b"abc"
        region.decommit(0, page)
        region.commit(0, page)
        region[2 * page] = 5
        assert bytes(region[0:3]) == bytes(3)
        assert region[2 * page] == 5
        assert region.committed == 2 * page
    assert region.name is name
    assert ascii(region) == f"<vmem.Region {name!a}: {4 * page} bytes, released>"


@linux_only
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_kernel_shows_the_name_of_committed_memory(name: str, page: int) -> None:
    with vmem.reserve(8 * page, name=name, alignment=1 << 30) as region:
        region.commit(page, page)
        region.commit(4 * page, page, prefault=True)
        shown = [f"[anon:{NAMES[name]}]" if SHOWN and name else ""]
        assert shown_names(region, page, page) == shown
        assert shown_names(region, 4 * page, page) == shown
        assert shown_names(region, 0, page) == shown_names(region, 2 * page, page) == [""]
        region.decommit(page, page)
        assert shown_names(region, page, page) == [""]
        region.commit(page, page)
        assert shown_names(region, page, page) == shown


def test_a_name_does_not_split_what_grows(page: int) -> None:
    with vmem.reserve(64 * page, name="log", alignment=1 << 30) as region:
        for number in range(32):
            region.commit(number * page, page)
        assert len(region.ranges()) == 2
        if sys.platform == "linux":
            assert len(details_in(region.address, region.size)) == 2


def test_no_name(page: int) -> None:
    for region in (vmem.reserve(page), vmem.reserve(page, name=None), vmem.Region(page)):
        assert region.name is None
        assert repr(region).startswith("<vmem.Region at 0x")
        region.commit()
        if sys.platform == "linux":
            assert shown_names(region, 0, page) == [""]


@pytest.mark.parametrize("name", [5, b"bytes", 1.5, ["a"], object()])
def test_other_types_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"name must be a str or None, not {type(name).__name__}"):
        vmem.reserve(1, name=name)
    with pytest.raises(TypeError, match=f"name must be a str or None, not {type(name).__name__}"):
        vmem.Region(1, name=name)


def test_a_name_that_leads_back_to_its_region_goes_with_it() -> None:
    run_python(
        """
        import gc, vmem, weakref
        class Name(str):
            pass
        name = Name("cycle")
        region = vmem.reserve(1 << 30, name=name)
        region.commit(0, 1)
        name.region = region
        gone = weakref.ref(region)
        del name, region
        gc.collect()
        assert gone() is None
        """
    )
