"""An array, of numbers or of rows, against array.array, under random calls, with live views compared byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import vmem
from tests.models.array_model import CheckedArray
from tests.models.rows_model import CheckedRows

pytestmark = pytest.mark.in_child

CAPACITY = 3 * vmem.get_page_size()
PAGE_OF_ITEMS = vmem.get_page_size() // 2

items = st.lists(st.integers(0, 127), max_size=12)
bounds = st.none() | st.integers(-15, 15)
slices = st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 1, 2, 3, -1, -2]))
indices = st.integers(-15, 15)
numbers = st.integers(0, 2**20)


class ArrayMachine(RuleBasedStateMachine):
    """Every rule is one call, made of the array and of its model."""

    @initialize(typecode=st.sampled_from("bHiqfd"), start=items)
    def make(self, typecode: str, start: list[int]) -> None:
        self.checked = CheckedArray(typecode, start, CAPACITY)

    @rule(item=st.integers(0, 127))
    def append(self, item: int) -> None:
        self.checked.append(item)

    @rule(more=items, is_interrupted=st.booleans())
    def extend(self, more: list[int], is_interrupted: bool) -> None:
        self.checked.extend(more, is_interrupted)

    @rule(more=items)
    def extend_with_an_array(self, more: list[int]) -> None:
        self.checked.extend_with_an_array(more)

    @rule(count=st.integers(1, PAGE_OF_ITEMS))
    def extend_by_pages(self, count: int) -> None:
        self.checked.frombytes(bytes(range(1, 9)) * count)

    @rule()
    def extend_with_itself(self) -> None:
        self.checked.extend_with_itself()

    @rule(more=items)
    def fromlist(self, more: list[int]) -> None:
        self.checked.fromlist(more)

    @rule(more=items)
    def add(self, more: list[int]) -> None:
        self.checked.add(more)

    @rule(index=indices, item=st.integers(0, 127))
    def insert(self, index: int, item: int) -> None:
        self.checked.insert(index, item)

    @rule(index=indices)
    def pop(self, index: int) -> None:
        self.checked.pop(index)

    @rule(item=st.integers(0, 127))
    def remove(self, item: int) -> None:
        self.checked.remove(item)

    @rule(part=indices | slices)
    def delete(self, part: int | slice) -> None:
        self.checked.delete(part)

    @rule(part=slices, more=items)
    def set_slice(self, part: slice, more: list[int]) -> None:
        self.checked.set_slice(part, more)

    @rule(part=slices)
    def set_slice_to_itself(self, part: slice) -> None:
        self.checked.set_slice_to_itself(part)

    @rule(index=indices, item=st.integers(0, 127))
    def set_item(self, index: int, item: int) -> None:
        self.checked.set_item(index, item)

    @rule(count=st.integers(-1, 4))
    def repeat(self, count: int) -> None:
        self.checked.repeat(count)

    @rule()
    def reverse(self) -> None:
        self.checked.reverse()

    @rule()
    def byteswap(self) -> None:
        self.checked.byteswap()

    @rule()
    def clear(self) -> None:
        self.checked.clear()

    @rule()
    def shrink_to_fit(self) -> None:
        self.checked.shrink_to_fit()

    @rule(part=slices)
    def slice_and_search(self, part: slice) -> None:
        self.checked.read_slice(part)
        for item in (0, 1, 127):
            self.checked.count(item)
            self.checked.search(item)

    @rule(more=items, count=st.integers(-1, 4), protocol=st.integers(0, 5))
    def make_others(self, more: list[int], count: int, protocol: int) -> None:
        self.checked.concatenate(more)
        self.checked.multiply(count)
        self.checked.copy()
        self.checked.pickle(protocol)

    @rule()
    def view(self) -> None:
        self.checked.view()

    def has_views(self) -> bool:
        return bool(self.checked.views)

    @precondition(has_views)
    @rule(number=numbers, item=st.integers(0, 127))
    def write_through_a_view(self, number: int, item: int) -> None:
        self.checked.write_through_a_view(number % len(self.checked.views), item)

    @precondition(has_views)
    @rule(number=numbers)
    def release_view(self, number: int) -> None:
        self.checked.release_view(number % len(self.checked.views))

    @invariant()
    def agree(self) -> None:
        self.checked.check_all()

    def teardown(self) -> None:
        if hasattr(self, "checked"):
            self.checked.end()


class RowsMachine(ArrayMachine):
    """The same calls of an array of rows."""

    @initialize(
        typecode=st.sampled_from("bHiqfd"),
        start=items,
        shape=st.sampled_from([(1,), (3,), (2, 2), (1, 3, 2), (300,)]),
        capacity=st.sampled_from([40, 400]),
    )
    def make(self, typecode: str, start: list[int], shape: tuple[int, ...], capacity: int) -> None:
        self.checked = CheckedRows(typecode, shape, start, capacity)

    @rule(count=st.integers(1, 20))
    def extend_by_pages(self, count: int) -> None:
        self.checked.frombytes(bytes(range(1, 9)) * count)


@pytest.mark.parametrize("machine", [ArrayMachine, RowsMachine])
def test_random_calls(machine: type[ArrayMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=150, stateful_step_count=30, deadline=None))
