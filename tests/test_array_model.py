"""An array against array.array, under random sequences of calls, with live views compared byte for byte."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import vmem

CAPACITY = 3 * vmem.get_page_size()
PAGE_OF_ITEMS = vmem.get_page_size() // 2

items = st.lists(st.integers(0, 127), max_size=12)
bounds = st.none() | st.integers(-15, 15)
slices = st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 1, 2, 3, -1, -2]))


class ArrayMachine(RuleBasedStateMachine):
    """The model is an array.array without views, and the list of live views with their lengths."""

    @initialize(typecode=st.sampled_from("bHiqfd"), start=items)
    def make(self, typecode: str, start: list[int]) -> None:
        self.array: vmem.Array[Any] = vmem.Array(typecode, start, capacity=CAPACITY)
        self.model: array.array[Any] = array.array(typecode, start)
        self.views: list[tuple[memoryview, int]] = []

    def change(self, action: Callable[[Any], object]) -> None:
        """Does the same to both. The array may refuse what the model cannot know of: too little room, and views."""
        expected = array.array(self.model.typecode, self.model)
        try:
            result: object = action(expected)
        except (IndexError, ValueError) as error:
            result = type(error), str(error)
        longest = max((length for _, length in self.views), default=0)
        try:
            got: object = action(self.array)
        except (IndexError, ValueError) as error:
            got = type(error), str(error)
        except BufferError:
            assert len(expected) < min(longest, len(self.model))
            return
        except vmem.OutOfMemoryError:
            assert len(expected) > CAPACITY
            return
        assert longest <= len(expected) <= CAPACITY
        assert got == result
        self.model = expected

    def same(self, kind: object, numbers: list[int]) -> Any:
        """New items, as an array of the same kind as another."""
        return type(kind)(self.model.typecode, numbers)  # type: ignore[call-arg]

    @rule(item=st.integers(0, 127))
    def append(self, item: int) -> None:
        self.change(lambda made: made.append(item))

    @rule(more=items)
    def extend(self, more: list[int]) -> None:
        self.change(lambda made: made.extend(more if len(made) + len(more) <= CAPACITY else []))

    @rule(more=items)
    def extend_with_an_array(self, more: list[int]) -> None:
        self.change(lambda made: made.extend(self.same(made, more)))

    @rule(count=st.integers(1, PAGE_OF_ITEMS))
    def extend_by_pages(self, count: int) -> None:
        self.change(lambda made: made.frombytes(bytes(range(1, 9)) * count))

    @rule()
    def extend_with_itself(self) -> None:
        self.change(lambda made: made.extend(made))

    @rule(index=st.integers(-15, 15), item=st.integers(0, 127))
    def insert(self, index: int, item: int) -> None:
        self.change(lambda made: made.insert(index, item))

    @rule(index=st.integers(-15, 15))
    def pop(self, index: int) -> None:
        self.change(lambda made: made.pop(index))

    @rule(item=st.integers(0, 127))
    def remove(self, item: int) -> None:
        self.change(lambda made: made.remove(item))

    @rule(part=slices)
    def delete_slice(self, part: slice) -> None:
        self.change(lambda made: made.__delitem__(part))

    @rule(part=slices, more=items)
    def set_slice(self, part: slice, more: list[int]) -> None:
        self.change(lambda made: made.__setitem__(part, self.same(made, more)))

    @rule(part=slices)
    def set_slice_to_itself(self, part: slice) -> None:
        self.change(lambda made: made.__setitem__(part, made))

    @rule(index=st.integers(-15, 15), item=st.integers(0, 127))
    def set_item(self, index: int, item: int) -> None:
        self.change(lambda made: made.__setitem__(index, item))

    @rule(count=st.integers(-1, 4))
    def repeat(self, count: int) -> None:
        self.change(lambda made: made.__imul__(count) is made)

    @rule()
    def reverse(self) -> None:
        self.change(lambda made: made.reverse())

    @rule()
    def clear(self) -> None:
        self.change(lambda made: made.__delitem__(slice(None)))

    @rule()
    def shrink_to_fit(self) -> None:
        self.array.shrink_to_fit()

    @rule(part=slices)
    def slice_and_search(self, part: slice) -> None:
        assert self.array[part].tobytes() == self.model[part].tobytes()
        for item in (0, 1, 127):
            assert self.array.count(item) == self.model.count(item)

    @rule()
    def view(self) -> None:
        self.views.append((memoryview(self.array), len(self.model)))

    @precondition(lambda self: self.views)
    @rule(data=st.data(), item=st.integers(0, 127))
    def write_through_a_view(self, data: st.DataObject, item: int) -> None:
        view, length = self.views[data.draw(st.integers(0, len(self.views) - 1))]
        if length > 0:
            view[-1] = item if self.model.typecode not in "fd" else float(item)  # type: ignore[assignment]
            self.model[length - 1] = item

    @precondition(lambda self: self.views)
    @rule(data=st.data())
    def release_view(self, data: st.DataObject) -> None:
        self.views.pop(data.draw(st.integers(0, len(self.views) - 1)))[0].release()

    @invariant()
    def contents_agree(self) -> None:
        assert len(self.array) == len(self.model)
        assert self.array.tobytes() == self.model.tobytes()
        for view, length in self.views:
            assert view.tobytes() == self.model[:length].tobytes()


TestArray = ArrayMachine.TestCase
TestArray.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
