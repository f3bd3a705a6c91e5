from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vmem
from tests.support.arguments import Index

LARGEST = 2 * sys.maxsize + 1

addresses = st.integers(0, LARGEST)
powers = st.integers(0, LARGEST.bit_length() - 1).map(lambda shift: 1 << shift)


@given(addresses, powers)
def test_align_backward(address: int, align: int) -> None:
    assert vmem.align_backward(address, align) == address // align * align


@given(addresses, powers)
def test_align_forward(address: int, align: int) -> None:
    expected = -(-address // align) * align
    if expected <= LARGEST:
        assert vmem.align_forward(address, align) == expected
    else:
        with pytest.raises(ValueError, match=f"no multiple of {align} is at or above address {address}"):
            vmem.align_forward(address, align)


@given(addresses, powers)
def test_is_aligned(address: int, align: int) -> None:
    assert vmem.is_aligned(address, align) is (address % align == 0)


FUNCTIONS = (vmem.align_forward, vmem.align_backward, vmem.is_aligned)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arguments(function: object) -> None:
    assert callable(function)
    function(5, 4)
    function(address=5, align=4)
    function(Index(5), align=np.int64(4))
    for align in (0, 3, 5, LARGEST):
        with pytest.raises(ValueError, match=f"align must be a power of two, got {align}"):
            function(5, align)
    for number in (-1, -(2**100), LARGEST + 1, 2**100):
        wrong = "not be negative" if number < 0 else f"be at most {LARGEST}"
        with pytest.raises(ValueError, match=f"address must {wrong}, got {number}"):
            function(number, 4)
        with pytest.raises(ValueError, match=f"align must {wrong}, got {number}"):
            function(5, number)
    for value in (1.0, "1", None):
        with pytest.raises(TypeError, match=f"address must be an integer, not {type(value).__name__}"):
            function(value, 4)
        with pytest.raises(TypeError, match=f"align must be an integer, not {type(value).__name__}"):
            function(5, value)
    for arguments, keywords in (((), {}), ((5,), {}), ((5, 4, 3), {}), ((5, 4), {"align": 4}), ((5,), {"base": 4})):
        with pytest.raises(TypeError):
            function(*arguments, **keywords)


def test_sizes_of_pages() -> None:
    page, granularity, huge = vmem.get_page_size(), vmem.get_allocation_granularity(), vmem.get_huge_page_size()
    assert page >= 4096
    assert page & (page - 1) == 0
    assert granularity >= page
    assert granularity & (granularity - 1) == 0
    assert huge % page == 0
    for function in (vmem.get_page_size, vmem.get_allocation_granularity, vmem.get_huge_page_size):
        with pytest.raises(TypeError):
            function(1)  # type: ignore[call-arg]
