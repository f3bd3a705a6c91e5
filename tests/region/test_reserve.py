from __future__ import annotations

import itertools
import sys
from typing import Any, Self

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.marks import linux_only
from tests.support.system import mappings_in, status_bytes
from vmem import _vmem


def test_size_is_rounded_up_to_whole_pages(page: int) -> None:
    for num_bytes, num_pages in ((1, 1), (page - 1, 1), (page, 1), (page + 1, 2), (10 * page + 7, 11)):
        with vmem.reserve(num_bytes) as region:
            assert region.size == len(region) == num_pages * page


def test_nothing_is_committed(region: vmem.Region) -> None:
    assert region.committed == 0
    assert not region.is_committed(0, 1)


def test_region_begins_at_the_granularity() -> None:
    with vmem.reserve(1) as region:
        assert region.address % vmem.get_allocation_granularity() == 0


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_a_tebibyte_takes_addresses_and_no_memory() -> None:
    size_before, writable_before = status_bytes("VmSize"), status_bytes("VmData")
    with vmem.reserve(1 << 40) as region:
        assert status_bytes("VmSize") - size_before >= 1 << 40
        assert status_bytes("VmData") - writable_before < 1 << 20
        assert {permissions for _, _, permissions in mappings_in(region.address, region.size)} == {"---p"}
    assert status_bytes("VmSize") - size_before < 1 << 30


@pytest.mark.many_addresses
@pytest.mark.parametrize("shift", [0, 4, 12, 16, 21, 30, 34])
def test_alignment(shift: int) -> None:
    regions = [vmem.reserve(1, alignment=1 << shift) for _ in range(4)]
    assert all(region.address % (1 << shift) == 0 for region in regions)
    assert len({region.address for region in regions}) == 4
    for region in regions:
        region.commit()
        region[0] = 1
        region.release()


@pytest.mark.many_addresses
@linux_only
def test_alignment_leaves_no_stray_mapping() -> None:
    size_before = status_bytes("VmSize")
    regions = [vmem.reserve(1, alignment=1 << 30) for _ in range(20)]
    assert status_bytes("VmSize") - size_before < 1 << 30
    del regions


def test_name() -> None:
    assert vmem.reserve(1).name is None
    region = vmem.reserve(1, name="frame buffer")
    assert region.name == "frame buffer"
    assert "'frame buffer'" in repr(region)


def test_repr_tells_what_is_reserved_and_committed(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    assert repr(region) == f"<vmem.Region at {region.address:#x}: {64 * page} bytes, {page} committed, 0 views>"
    view = region[0:1]
    assert repr(region).endswith(f"{page} committed, 1 view>")
    view.release()
    region.release()
    assert repr(region) == f"<vmem.Region: {64 * page} bytes, released>"


@pytest.mark.parametrize("number", [True, np.int32(5), np.uint64(5), Index(5)])
def test_anything_with_an_index_is_a_number(number: int, page: int) -> None:
    assert vmem.reserve(number).size == page


@pytest.mark.parametrize("number", [1.0, "1", None, b"1", [1], np.float64(1)])
def test_other_types_are_refused(number: int) -> None:
    with pytest.raises(TypeError, match=f"num_bytes must be an integer, not {type(number).__name__}"):
        vmem.reserve(number)


@pytest.mark.parametrize("number", [0, -1, -(2**63), -(2**100)])
def test_numbers_below_1_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"num_bytes must (be from 1 to [0-9]+ bytes|not be negative), got {number}"):
        vmem.reserve(number)


@pytest.mark.parametrize("number", [sys.maxsize, sys.maxsize + 1, 2 * sys.maxsize + 1, 2**64, 2**100])
def test_numbers_above_what_an_object_can_have_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"num_bytes must be .*, got {number}"):
        vmem.reserve(number)


@pytest.mark.parametrize("alignment", [0, 3, 4097, 2 * sys.maxsize + 1])
def test_alignments_that_are_no_power_of_two_are_refused(alignment: int) -> None:
    with pytest.raises(ValueError, match=f"alignment must be a power of two, got {alignment}"):
        vmem.reserve(1, alignment=alignment)


@pytest.mark.many_addresses
def test_impossible_alignments_are_refused() -> None:
    align = (sys.maxsize + 1) // 2
    with pytest.raises(vmem.OutOfMemoryError, match=f"1 bytes aligned to {align}: no free range"):
        vmem.reserve(1, alignment=align)
    with pytest.raises(ValueError, match="alignment must be at most"):
        vmem.reserve(1, alignment=2**64)
    with pytest.raises(ValueError, match="alignment must not be negative, got -4096"):
        vmem.reserve(1, alignment=-4096)
    with pytest.raises(TypeError, match="alignment must be an integer, not float"):
        vmem.reserve(1, alignment=4096.0)  # type: ignore[arg-type]


def test_name_must_be_a_string() -> None:
    with pytest.raises(TypeError, match="name must be a str or None, not int"):
        vmem.reserve(1, name=5)  # type: ignore[arg-type]


def test_options_are_keywords() -> None:
    with pytest.raises(TypeError):
        vmem.reserve(1, 4096)  # type: ignore[call-arg]


def test_the_class_takes_the_same_arguments(page: int) -> None:
    region = vmem.Region(page + 1, alignment=1 << 21, name="direct")
    assert (region.size, region.address % (1 << 21), region.name) == (2 * page, 0, "direct")


def test_a_region_without_new_cannot_be_had() -> None:
    with pytest.raises(TypeError):
        object.__new__(vmem.Region)
    with pytest.raises(TypeError):
        vmem.Region.__new__(vmem.Region)  # type: ignore[call-arg]


def test_subclasses(page: int) -> None:
    class Tape(vmem.Region):
        def __init__(self, num_bytes: int, label: str = "") -> None:
            self.label = label  # and no call of super().__init__()

        def __new__(cls, num_bytes: int, label: str = "") -> Self:
            return super().__new__(cls, num_bytes)

    tape = Tape(page, "a")
    tape.__init__(page, "b")  # type: ignore[misc]
    tape.commit()
    tape[0] = 7
    assert (tape.label, tape[0], isinstance(tape, vmem.Region)) == ("b", 7, True)
    assert "Tape" in repr(tape)


class Untruthful:
    def __bool__(self) -> bool:
        raise ZeroDivisionError


def test_the_extension_checks_its_arguments_too(page: int) -> None:
    for arguments, error in (
        ((), TypeError),
        ((page,), TypeError),
        ((page, 1, False, None, None), TypeError),
        ((0, 1, False, None), ValueError),
        ((-1, 1, False, None), ValueError),
        ((2**64, 1, False, None), ValueError),
        ((page, 3, False, None), ValueError),
        ((page, 0, False, None), ValueError),
        ((1.5, 1, False, None), TypeError),
        ((page, 1, False, 5), TypeError),
        ((page, 1, Untruthful(), None), ZeroDivisionError),
    ):
        with pytest.raises(error):
            _vmem.Region(*arguments)
    with pytest.raises(TypeError):
        _vmem.Region(num_bytes=page, alignment=1, huge_pages=False, name=None)  # type: ignore[call-arg]
    assert _vmem.Region(page, 1, False, "x").name == "x"


def test_the_extension_makes_regions_of_region_types_only(page: int) -> None:
    reserve: Any = _vmem.reserve
    assert type(reserve(vmem.Region, page, None, False, None)) is vmem.Region
    for arguments in (
        (),
        (vmem.Region, page),
        (object, page, None, False, None),
        (page, page, None, False, None),
        (1, 2, 3, 4, 5),
    ):
        with pytest.raises(TypeError):
            reserve(*arguments)


def test_many_regions_at_once(page: int) -> None:
    regions = [vmem.reserve(page) for _ in range(1000)]
    spans = sorted((region.address, region.address + region.size) for region in regions)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
