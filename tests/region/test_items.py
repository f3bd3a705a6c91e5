from __future__ import annotations

import array
import sys
from typing import Any

import pytest

import vmem
from tests.support.arguments import Index

pytestmark = pytest.mark.in_child


@pytest.fixture
def abc(region: vmem.Region) -> vmem.Region:
    """A region whose first 8 bytes are abcdefgh."""
    region.commit(0, 8)
    region[0:8] = b"abcdefgh"
    return region


def test_items(abc: vmem.Region, page: int) -> None:
    assert (abc[0], abc[7], abc[8], abc[Index(1)], abc[True]) == (97, 104, 0, 98, 98)
    abc[3] = 255
    abc[Index(4)] = Index(0)
    assert bytes(abc[2:6]) == b"c\xff\x00f"
    abc.commit(63 * page)
    abc[-1] = 9
    assert (abc[-1], abc[64 * page - 1], abc[-64 * page]) == (9, 9, 97)


def test_items_outside(abc: vmem.Region) -> None:
    size = abc.size
    for index in (size, size + 1, -size - 1, sys.maxsize, -sys.maxsize - 1):
        with pytest.raises(IndexError, match=f"index {index} is outside a region of {size} bytes"):
            abc[index]
        with pytest.raises(IndexError):
            abc[index] = 0
    for index in (2**64, -(2**64)):
        with pytest.raises(IndexError, match=f"a region's index must be between .*, got {index}"):
            abc[index]


@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["above", "below"])
def test_numbers_too_long_to_print(abc: vmem.Region, number: int) -> None:
    with pytest.raises(IndexError, match=r"^a region's index must be between .*, got an integer of 16610 bits$"):
        abc[number]
    with pytest.raises(ValueError, match=r"^a byte must be between 0 and 255, got an integer of 16610 bits$"):
        abc[0] = number
    assert abc[0] == 97


def test_items_that_are_not_committed(abc: vmem.Region, page: int) -> None:
    for index in (page, -1):
        with pytest.raises(ValueError, match="is not committed"):
            abc[index]
        with pytest.raises(ValueError, match="is not committed"):
            abc[index] = 0


def test_values_that_are_not_bytes(abc: vmem.Region) -> None:
    for value in (256, -1, 2**64, -(2**64)):
        with pytest.raises(ValueError, match=f"a byte must be between 0 and 255, got {value}"):
            abc[0] = value
    wrong: list[Any] = [1.0, "a", b"a", None]
    for value in wrong:
        with pytest.raises(TypeError, match=f"a byte must be an integer, not {type(value).__name__}"):
            abc[0] = value
    assert abc[0] == 97


@pytest.mark.parametrize("key", [1.0, "a", None, (0, 1), Ellipsis])
def test_keys_of_other_types(abc: vmem.Region, key: int) -> None:
    with pytest.raises(TypeError, match=f"index must be an integer, not {type(key).__name__}"):
        abc[key]
    with pytest.raises(TypeError):
        abc[key] = 0


def test_slices_are_views(abc: vmem.Region) -> None:
    view = abc[2:5]
    assert isinstance(view, memoryview)
    assert bytes(view) == b"cde"
    view[0] = 0
    assert abc[2] == 0


SLICES = [
    slice(0, 8),
    slice(None, 8),
    slice(2, 2),
    slice(5, 2),
    slice(0, 8, 2),
    slice(1, 8, 3),
    slice(0, 8, 100),
    slice(7, None, -1),
    slice(7, 0, -1),
    slice(6, 1, -2),
    slice(7, 6, -100),
    slice(2, 5, -1),
    slice(-(2**40), None, -1),
    slice(2**40, None),
    slice(2**40, 2**41),
    slice(None, -(2**40)),
    slice(5, 5, -(2**62)),
    slice(7, None, 2**62),
]


@pytest.mark.parametrize("key", SLICES, ids=str)
def test_slices_like_those_of_bytes(abc: vmem.Region, key: slice) -> None:
    expected = b"abcdefgh" + bytes(abc.size - 8)
    assert bytes(abc[key]) == expected[key]


@pytest.mark.parametrize("key", SLICES, ids=str)
def test_slice_assignment_like_that_of_bytearray(abc: vmem.Region, key: slice, page: int) -> None:
    expected = bytearray(b"abcdefgh" + bytes(abc.size - 8))
    data = bytes(range(1, len(expected[key]) + 1))
    abc[key] = data
    expected[key] = data
    assert bytes(abc[0:page]) == expected[0:page]


def test_negative_slices(abc: vmem.Region) -> None:
    abc.commit()
    size = abc.size
    abc[-3:] = b"xyz"
    assert bytes(abc[-3:]) == bytes(abc[size - 3 : size]) == b"xyz"
    assert bytes(abc[: -size + 3]) == b"abc"


def test_a_stepped_view_pins_only_what_it_reaches(abc: vmem.Region, page: int) -> None:
    abc.commit(page, page)
    view = abc[7:0:-3]
    abc.decommit(page)
    with pytest.raises(BufferError):
        abc.decommit(0, 1)
    view.release()


@pytest.mark.parametrize("step", [2, 5, -1, -3])
def test_a_stepped_view_is_the_only_one(step: int, abc: vmem.Region) -> None:
    """No other pins the bytes once it is gone."""
    view = abc[50:20:step] if step < 0 else abc[20:50:step]
    assert abc._count_views() == 1
    view.release()
    assert abc._count_views() == 0
    abc.decommit()


def test_slices_that_are_not_committed(abc: vmem.Region, page: int) -> None:
    for key in (slice(page, page + 1), slice(0, page + 1), slice(None), slice(None, None, -1), slice(-1, None)):
        with pytest.raises(ValueError, match="committed"):
            abc[key]
    with pytest.raises(ValueError, match="committed"):
        abc[page : page + 3] = b"abc"
    with pytest.raises(ValueError, match="committed"):
        abc[page - 1 : page + 1] = b"zz"
    with pytest.raises(ValueError, match="committed"):
        abc[page - 2 : page + 2 : 2] = b"zz"
    assert abc[page - 1] == abc[page - 2] == 0


@pytest.mark.parametrize(
    "data",
    [
        b"xyz",
        bytearray(b"xyz"),
        memoryview(b"-xyz-")[1:4],
        memoryview(b"x-y-z-")[::2],
        memoryview(b"zyx")[::-1],
        array.array("B", b"xyz"),
        array.array("b", b"xyz"),
    ],
)
def test_any_buffer_can_be_copied_in(abc: vmem.Region, data: bytes) -> None:
    abc[1:4] = data
    assert bytes(abc[0:5]) == b"axyze"


def test_what_cannot_be_copied_in(abc: vmem.Region) -> None:
    wrong: list[Any] = ["xyz", 5, None, [1, 2, 3]]
    for no_buffer in wrong:
        with pytest.raises(TypeError):
            abc[1:4] = no_buffer
    for data in (b"", b"xy", b"wxyz"):
        with pytest.raises(ValueError, match=f"cannot put {len(data)} bytes into a slice of 3 bytes"):
            abc[1:4] = data
    assert bytes(abc[0:8]) == b"abcdefgh"


def test_copies_within_a_region(abc: vmem.Region) -> None:
    abc[2:8] = abc[0:6]
    assert bytes(abc[0:8]) == b"ababcdef"
    abc[0:6] = abc[2:8]
    assert bytes(abc[0:8]) == b"abcdefef"
    abc[0:8:2] = abc[0:4]
    assert bytes(abc[0:8]) == b"abbdcfdf"
    abc[7:3:-1] = abc[4:8]
    assert bytes(abc[0:8]) == b"abbdfdfc"
    abc[0:8] = abc[7::-1]
    assert bytes(abc[0:8]) == b"cfdfdbba"


def test_nothing_can_be_deleted(abc: vmem.Region) -> None:
    with pytest.raises(TypeError, match="cannot be deleted"):
        del abc[0]  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="cannot be deleted"):
        del abc[0:2]  # type: ignore[attr-defined]


def test_a_region_cannot_be_iterated(abc: vmem.Region) -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter(abc)
    with pytest.raises(TypeError):
        _ = 97 in abc  # type: ignore[operator]
