"""An array that is compared with an array.array after every call, contents and live views byte for byte."""

from __future__ import annotations

import array
import copy
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import vmem
from tests.models.region_model import expect, expect_bytes
from tests.support.twin_arrays import plain


def attempt(action: Callable[[Any], object], made: Any) -> object:
    """What an action returned, or the exception that both kinds of arrays raise."""
    try:
        return action(made)
    except (IndexError, ValueError) as error:
        return type(error), str(error)


class Interrupted(Exception):  # noqa: N818
    """What an iterator raises after its last item."""


def interrupt_after(numbers: Sequence[float]) -> Iterator[float]:
    yield from numbers
    raise Interrupted


class CheckedArray:
    """An array and its model, an array.array without views, with the live views and their lengths beside it."""

    def __init__(self, typecode: str, start: Sequence[float], capacity: int) -> None:
        self.capacity = capacity
        self.was_refused = False
        self.array: vmem.Array[Any] = vmem.Array(typecode, start, capacity=capacity)
        self.model: array.array[Any] = array.array(typecode, start)
        self.views: list[tuple[memoryview, int]] = []

    # --- both ---

    def longest_view(self) -> int:
        return max((length for _, length in self.views), default=0)

    def change(self, action: Callable[[Any], object]) -> None:
        """Does the same to both. Only the array raises if it would exceed its capacity or shrink below a view."""
        expected = self.model[:]
        result = attempt(action, expected)
        self.was_refused = True
        try:
            got = attempt(action, self.array)
        except BufferError:
            assert len(expected) < min(self.longest_view(), len(self.model))
            return
        except vmem.OutOfMemoryError:
            assert len(expected) > self.capacity
            return
        assert self.longest_view() <= len(expected) <= self.capacity
        expect("result", plain(got), plain(result))
        self.was_refused = isinstance(result, tuple)
        self.model = expected

    def same(self, kind: object, numbers: Sequence[float]) -> Any:
        """New items, as an array of the same kind as another."""
        return type(kind)(self.model.typecode, numbers)  # type: ignore[call-arg]

    def make(self, action: Callable[[Any], Any]) -> None:
        """Makes another array of both, and leaves these as they are."""
        self.was_refused = False
        made, expected = action(self.array), action(self.model)
        expect("type", type(made), vmem.Array)
        expect_bytes("what was made", made.tobytes(), expected.tobytes())

    # --- adding ---

    def append(self, item: float) -> None:
        self.change(lambda made: made.append(item))

    def extend(self, more: Sequence[float], is_interrupted: bool) -> None:
        """Items that fit the capacity stay, and so do items that an iterator yields before it fails."""
        num_free = self.capacity - len(self.model)
        self.was_refused = len(more) > num_free
        expected = vmem.OutOfMemoryError if self.was_refused else Interrupted if is_interrupted else None
        raised = None
        try:
            self.array.extend(interrupt_after(more) if is_interrupted else more)
        except (vmem.OutOfMemoryError, Interrupted) as error:
            raised = type(error)
        expect("exception", raised, expected)
        self.model.extend(more[:num_free])

    def extend_with_an_array(self, more: Sequence[float]) -> None:
        self.change(lambda made: made.extend(self.same(made, more)))

    def extend_with_itself(self) -> None:
        self.change(lambda made: made.extend(made))

    def fromlist(self, more: Sequence[float]) -> None:
        self.change(lambda made: made.fromlist(list(more)))

    def frombytes(self, data: bytes) -> None:
        self.change(lambda made: made.frombytes(data))

    def insert(self, index: int, item: float) -> None:
        self.change(lambda made: made.insert(index, item))

    def add(self, more: Sequence[float]) -> None:
        self.change(lambda made: made.__iadd__(self.same(made, more)) is made)

    def repeat(self, count: int) -> None:
        self.change(lambda made: made.__imul__(count) is made)

    # --- removing ---

    def pop(self, index: int) -> None:
        self.change(lambda made: made.pop(index))

    def remove(self, item: float) -> None:
        self.change(lambda made: made.remove(item))

    def delete(self, key: int | slice) -> None:
        self.change(lambda made: made.__delitem__(key))

    def clear(self) -> None:
        self.change(lambda made: made.__delitem__(slice(None)))

    def shrink_to_fit(self) -> None:
        self.was_refused = False
        self.array.shrink_to_fit()

    # --- replacing ---

    def set_item(self, index: int, item: float) -> None:
        self.change(lambda made: made.__setitem__(index, item))

    def set_slice(self, key: slice, more: Sequence[float]) -> None:
        self.change(lambda made: made.__setitem__(key, self.same(made, more)))

    def set_slice_to_itself(self, key: slice) -> None:
        self.change(lambda made: made.__setitem__(key, made))

    def reverse(self) -> None:
        self.change(lambda made: made.reverse())

    def byteswap(self) -> None:
        self.change(lambda made: made.byteswap())

    # --- making others ---

    def read_slice(self, key: slice) -> None:
        self.make(lambda made: made[key])

    def concatenate(self, more: Sequence[float]) -> None:
        self.make(lambda made: made + self.same(made, more))

    def multiply(self, count: int) -> None:
        self.make(lambda made: made * count)

    def copy(self) -> None:
        self.make(copy.copy)
        assert self.array == copy.copy(self.array) or self.model.typecode in "fd"  # there may be NaNs

    def pickle(self, protocol: int) -> None:
        self.make(lambda made: pickle.loads(pickle.dumps(made, protocol)))

    # --- searching ---

    def search(self, item: float) -> None:
        self.change(lambda made: made.index(item))

    def count(self, item: float) -> None:
        self.change(lambda made: made.count(item))

    # --- views ---

    def view(self) -> None:
        self.was_refused = False
        self.views.append((memoryview(self.array), len(self.model)))

    def write_through_a_view(self, number: int, item: float) -> None:
        view, length = self.views[number]
        self.was_refused = length == 0
        if length > 0:
            view[-1] = item  # type: ignore[call-overload]
            self.model[length - 1] = item

    def release_view(self, number: int) -> None:
        self.was_refused = False
        self.views.pop(number)[0].release()

    # --- checks ---

    def check_all(self) -> None:
        expect("length", len(self.array), len(self.model))
        expect_bytes("contents", self.array.tobytes(), self.model.tobytes())
        for view, length in self.views:
            expect_bytes(f"view of {length} items", view.tobytes(), self.model[:length].tobytes())

    def end(self) -> None:
        """Releases everything."""
        self.check_all()
        for view, _ in self.views:
            view.release()
        self.views.clear()
        self.array.clear()
        self.array.shrink_to_fit()
