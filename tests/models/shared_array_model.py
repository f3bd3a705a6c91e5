"""A shared array that is compared with an array.array after every call, as its maker and as a reader see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import vmem
from tests.models.array_model import CheckedArray
from tests.models.region_model import expect, expect_bytes
from tests.support.peers import attach_array

REASONS = ("append-only", "read-only", "cannot pickle")


def find_type_error(action: Callable[[Any], object], made: Any) -> str | None:
    """Why a call is a TypeError; None where it is not."""
    try:
        action(made)
    except TypeError as error:
        return next(reason for reason in REASONS if reason in str(error))
    return None


class CheckedSharedArray(CheckedArray):
    """Calls that would remove or move items are refused. A reader has the same items, and its views are a prefix."""

    def __init__(self, typecode: str, start: Sequence[float], capacity: int) -> None:
        super().__init__(typecode, start, capacity)
        self.array = vmem.Array(typecode, start, capacity=capacity, shared=True)
        self.reader = attach_array(self.array)
        self.seen: list[memoryview] = []

    def refuse(self, action: Callable[[Any], object]) -> None:
        expect("exception", find_type_error(action, self.array), "append-only")
        expect("exception of a reader", find_type_error(action, self.reader), "read-only")
        self.was_refused = True

    # --- adding ---

    def insert(self, index: int, item: float) -> None:
        self.refuse(lambda made: made.insert(index, item))

    def repeat(self, count: int) -> None:
        if count < 1:
            self.refuse(lambda made: made.__imul__(count))
        else:
            super().repeat(count)

    # --- removing ---

    def pop(self, index: int) -> None:
        self.refuse(lambda made: made.pop(index))

    def remove(self, item: float) -> None:
        self.refuse(lambda made: made.remove(item))

    def delete(self, key: int | slice) -> None:
        self.refuse(lambda made: made.__delitem__(key))

    def clear(self) -> None:
        self.refuse(lambda made: made.clear())

    # --- replacing ---

    def set_slice(self, key: slice, more: Sequence[float]) -> None:
        if self.can_replace(key, len(more)):
            super().set_slice(key, more)
        else:
            self.refuse(lambda made: made.__setitem__(key, vmem.Array(self.model.typecode, more)))

    def set_slice_to_itself(self, key: slice) -> None:
        if self.can_replace(key, len(self.model)):
            super().set_slice_to_itself(key)
        else:
            self.refuse(lambda made: made.__setitem__(key, self.array))

    def can_replace(self, key: slice, count: int) -> bool:
        """Whether items may take the place of a slice. What no array allows is left to both."""
        start, _, step = key.indices(len(self.model))
        num_replaced = len(self.model[key])
        if step != 1 and count > 0:
            return True
        return count == num_replaced or (step == 1 and num_replaced == 0 and start == len(self.model))

    def reverse(self) -> None:
        self.refuse(lambda made: made.reverse())

    def byteswap(self) -> None:
        self.refuse(lambda made: made.byteswap())

    # --- making others ---

    def make(self, action: Callable[[Any], Any]) -> None:
        super().make(action)
        expect_bytes("what was made of the reader", action(self.reader).tobytes(), action(self.model).tobytes())

    def pickle(self, protocol: int) -> None:
        for made in (self.array, self.reader):
            refusal = find_type_error(lambda made: made.__reduce_ex__(protocol), made)
            expect("exception", refusal, "cannot pickle")

    # --- views ---

    def view(self) -> None:
        super().view()
        self.seen.append(memoryview(self.reader))
        expect("length of a reader's view", len(self.seen[-1]), len(self.model))

    def release_view(self, number: int) -> None:
        super().release_view(number)
        self.seen.pop(number).release()

    # --- checks ---

    def check_all(self) -> None:
        super().check_all()
        expect("length of the reader", len(self.reader), len(self.model))
        expect_bytes("contents of the reader", self.reader.tobytes(), self.model.tobytes())
        for view in self.seen:
            expect_bytes(f"reader's view of {len(view)}", view.tobytes(), self.model[: len(view)].tobytes())

    def end(self) -> None:
        self.check_all()
        for view in [*self.seen, *(view for view, _ in self.views)]:
            view.release()
        self.views.clear()
        self.seen.clear()
