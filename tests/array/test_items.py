"""Items, slices and the values that they accept: each does what array.array does."""

from __future__ import annotations

import array
import itertools
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index, type_name
from tests.support.twin_arrays import TYPECODES, Maker, agree, changed


class Real:
    """An object with __float__() only."""

    def __float__(self) -> float:
        return 1.5


class Broken:
    """An object that raises when it is converted to a number."""

    def __index__(self) -> int:
        raise KeyError("mine")

    def __float__(self) -> float:
        raise KeyError("mine")


BORDERS = [
    sign * 2**bits + shift for bits in (7, 8, 15, 16, 31, 32, 63, 64, 100) for sign in (1, -1) for shift in (-1, 0, 1)
]

VALUES: list[Any] = [
    *BORDERS,
    *(0, 1, -1, True, 1.0, -0.0, 1.5, 1e300, -1e300, 1e-300, float("inf"), float("nan")),
    *("a", "1", b"a", None, [], (), 2j, Fraction(1, 2), object, Real(), Broken()),
    *(Index(3), Index(-3), Index(200), Index(2**70), np.int8(-5), np.uint64(2**63), np.float32(0.5), np.bool_(True)),
]

WAYS: dict[str, Callable[[Any, Any], object]] = {
    "append": lambda made, value: made.append(value),
    "insert": lambda made, value: made.insert(1, value),
    "setitem": lambda made, value: made.__setitem__(1, value),
    "setitem from the end": lambda made, value: made.__setitem__(-1, value),
    "fromlist": lambda made, value: made.fromlist([1, value, 2]),
    "extend": lambda made, value: made.extend([1, value, 2]),
    "extend from an iterator": lambda made, value: made.extend(iter([1, value, 2])),
}


@pytest.mark.parametrize("way", WAYS)
def test_values_of_items(way: str) -> None:
    for value in VALUES:
        agree(changed(lambda made, value=value: WAYS[way](made, value)))  # type: ignore[misc]


def test_values_of_items_of_a_new_array() -> None:
    for value in VALUES:
        agree(lambda make, value=value: make([value]))  # type: ignore[misc]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_tobytes_returns_the_initial_bytes(typecode: str) -> None:
    data = bytes(range(256)) * 8
    made: vmem.Array[Any] = vmem.Array(typecode, data)
    assert made.tobytes() == data
    assert made.tolist() == memoryview(data).cast(typecode).tolist() or typecode in "fd"  # type: ignore[call-overload]
    if typecode not in "fd":  # a NaN may change when it is read
        assert vmem.Array(typecode, list(made)) == made


# --- indices ---

INDICES = [
    *(0, 1, 2, -1, -2, -3, 3, -4, 10**6, -(10**6), 2**63 - 1, -(2**63), 2**63, 2**100, -(2**100)),
    *(True, Index(1), Index(-1), Index(2**70), Broken(), np.int64(1)),
    *(1.0, "0", None, (0, 1), b"", object),
]


def test_indices() -> None:
    for index in INDICES:
        agree(lambda make, index=index: make([1, 2, 3])[index], "bHqd")  # type: ignore[misc]
        agree(lambda make, index=index: make()[index], "b")  # type: ignore[misc]
        agree(changed(lambda made, index=index: operator.setitem(made, index, 9)), "bHqd")  # type: ignore[misc]
        agree(changed(lambda made, index=index: operator.delitem(made, index)), "bHqd")  # type: ignore[misc]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_every_item(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, range(100))
    for index in range(-100, 100):
        assert made[index] == index % 100
    for index in range(100):
        made[index] = 99 - index
        made[index - 100] = made[index]
    assert made.tolist() == list(range(99, -1, -1))


def test_which_of_two_errors_is_raised() -> None:
    for index in (5, -6, "a"):
        for item in ("a", 1.5, None, 2**70):
            agree(changed(lambda made, index=index, item=item: operator.setitem(made, index, item)))  # type: ignore[misc]
    for value in ([1], 5, vmem.Array("q"), array.array("q")):
        agree(changed(lambda made, value=value: operator.setitem(made, slice(None, None, 0), value)))  # type: ignore[misc]


def test_deleting_at_every_index() -> None:
    for index in range(-5, 5):
        agree(changed(lambda made, index=index: operator.delitem(made, index), range(5)))  # type: ignore[misc]


# --- slices ---

BOUNDS = (None, -7, -6, -5, -2, -1, 0, 1, 3, 5, 6, 9, 2**70, -(2**70))
STEPS = (None, 1, 2, 3, 5, 6, 7, 2**62, 2**63 - 1, 2**70, -1, -2, -3, -5, -6, -(2**63), 0)
SLICES = [slice(*parts) for parts in itertools.product(BOUNDS, BOUNDS, STEPS)]
SOME_SLICES = [
    slice(*parts) for parts in itertools.product((None, -5, -2, 1, 4, 9), (None, -9, -1, 3, 6), (None, 2, -1, -3))
]


@pytest.mark.parametrize("typecode", "bd")
def test_getting_slices(typecode: str) -> None:
    made, items = vmem.Array(typecode, range(6)), list(range(6))
    for part in SLICES:
        if part.step == 0:
            with pytest.raises(ValueError, match="slice step cannot be zero"):
                made[part]
            continue
        got = made[part]
        assert (type(got), got.typecode, got.tolist()) == (vmem.Array, typecode, items[part])
    agree(lambda make: make([1, 2])[::0])


def test_a_slice_is_a_copy() -> None:
    made = vmem.Array("b", [1, 2, 3])
    part = made[:]
    part[0] = 9
    part.append(4)
    assert made.tolist() == [1, 2, 3]


@pytest.mark.parametrize("typecode", "bd")
def test_deleting_slices(typecode: str) -> None:
    for part in SLICES:
        if part.step == 0:
            continue
        made, items = vmem.Array(typecode, range(6)), list(range(6))
        del made[part]
        del items[part]
        assert made.tolist() == items, part
    agree(changed(lambda made: operator.delitem(made, slice(None, None, 0))))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 6, 9])
def test_assigning_slices(length: int) -> None:
    def act(make: Maker, part: slice) -> object:
        made, other = make(range(6)), make(range(20, 20 + length))
        made[part] = other
        return made, other

    for part in SOME_SLICES:
        agree(lambda make, part=part: act(make, part), "bd")  # type: ignore[misc]


def test_assigning_slices_of_itself() -> None:
    def act(make: Maker, part: slice) -> object:
        made = make(range(6))
        made[part] = made
        return made

    for part in SOME_SLICES:
        agree(lambda make, part=part: act(make, part), "bd")  # type: ignore[misc]
    agree(changed(lambda made: operator.setitem(made, slice(None, None, -1), made), range(100)))


def test_a_refused_slice_changes_nothing() -> None:
    for part in (slice(0, 4, 2), slice(None, None, -1), slice(4, 0, -3)):
        agree(changed(lambda made, part=part: operator.setitem(made, part, made[:1] * 5), range(6)))  # type: ignore[misc]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_only_arrays_of_the_same_type_are_assigned(typecode: str) -> None:
    def act(make: Maker) -> object:
        made = make([1, 2, 3])
        made[1:2] = make.of(typecode, [7, 8])
        return made

    agree(act)


@pytest.mark.parametrize("value", [[1], (1,), b"a", 1, None, "a", memoryview(b"a"), iter([1])], ids=type_name)
def test_other_objects_cannot_be_assigned_to_slices(value: object) -> None:
    for part in (slice(1, 2), slice(None, None, 2)):
        agree(changed(lambda made, part=part: operator.setitem(made, part, value)))  # type: ignore[misc]


def test_slices_with_strange_bounds() -> None:
    for bound in ("a", 1.5, Broken(), Index(1), Index(2**70)):
        for part in (slice(bound), slice(bound, None), slice(None, None, bound)):
            agree(lambda make, part=part: make([1, 2, 3])[part], "b")  # type: ignore[misc]
            agree(changed(lambda made, part=part: operator.delitem(made, part)), "b")  # type: ignore[misc]


def test_slices_of_many_items() -> None:
    items = list(range(100_000))
    made = vmem.Array("i", items)
    made[10:20] = vmem.Array("i", range(50_000))
    items[10:20] = range(50_000)
    del made[5::7]
    del items[5::7]
    made[1000:100_000] = vmem.Array("i", [5])
    items[1000:100_000] = [5]
    made[::-3] = made[::-3][::-1]
    items[::-3] = items[::-3][::-1]
    assert made.tolist() == items
