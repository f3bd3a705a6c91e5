"""A ring that is compared with a deque after every call, its memory and its live views byte for byte."""

from __future__ import annotations

import array
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import vmem
from tests.models.region_model import expect, expect_bytes


class RingModel:
    """The items as a deque, and the memory that they lie in, which is read beyond its end from its start."""

    def __init__(self, typecode: str, capacity: int, overwrite: bool) -> None:
        self.typecode = typecode
        self.capacity = capacity
        self.overwrite = overwrite
        self.size = struct.calcsize(typecode)
        granularity = vmem.get_allocation_granularity()
        self.memory = bytearray(vmem.align_forward(capacity * self.size, granularity))
        self.room = len(self.memory) // self.size
        self.items: deque[Any] = deque(maxlen=capacity)
        self.total = 0
        self.prepared: int | None = None

    @property
    def oldest(self) -> int:
        return self.total - len(self.items)

    def read(self, position: int, num_items: int) -> bytes:
        offset = position * self.size % len(self.memory)
        return bytes((self.memory + self.memory)[offset : offset + num_items * self.size])

    def store(self, position: int, data: bytes) -> None:
        offset = position * self.size % len(self.memory)
        first = min(len(data), len(self.memory) - offset)
        self.memory[offset : offset + first] = data[:first]
        self.memory[: len(data) - first] = data[first:]

    def pack(self, numbers: Sequence[Any]) -> bytes:
        return struct.pack(f"{len(numbers)}{self.typecode}", *numbers)

    def unpack(self, data: bytes) -> list[Any]:
        return list(struct.unpack(f"{len(data) // self.size}{self.typecode}", data))

    def fits(self, num_items: int) -> bool:
        return self.overwrite or num_items <= self.capacity - len(self.items)

    def write(self, numbers: Sequence[Any]) -> None:
        """Only the last numbers of a buffer are stored, as many as stay."""
        kept = list(numbers)[-self.capacity :]
        self.total += len(numbers)
        self.store(self.total - len(kept), self.pack(kept))
        self.items.extend(numbers)

    def write_each(self, numbers: Sequence[Any]) -> None:
        for number in numbers:
            self.write([number])

    def prepare(self, num_items: int) -> None:
        """Drops what has bytes in the next places."""
        while self.total + num_items - self.oldest > self.room:
            self.items.popleft()
        self.prepared = num_items

    def advance(self, num_items: int) -> None:
        self.items.extend(self.unpack(self.read(self.total, num_items)))
        self.total += num_items
        self.prepared = None


class CheckedRing:
    """A ring and its model, with the live views and where they begin beside it."""

    def __init__(self, typecode: str, capacity: int, overwrite: bool = True) -> None:
        self.was_refused = False
        self.ring: vmem.Ring[Any] = vmem.Ring(typecode, capacity, overwrite=overwrite)
        self.model = RingModel(typecode, capacity, overwrite)
        self.views: list[tuple[memoryview, int, int]] = []

    def attempt(self, action: Callable[[], object], error: type[Exception] | None) -> None:
        """Calls, and compares whether it raises."""
        self.was_refused = error is not None
        raised: type[Exception] | None = None
        try:
            action()
        except (BufferError, IndexError, ValueError) as refusal:
            raised = type(refusal)
        expect("exception", raised, error)

    # --- writing ---

    def write(self, action: Callable[[], object], numbers: Sequence[Any], one_by_one: bool = False) -> None:
        fits = self.model.fits(len(numbers))
        self.attempt(action, None if fits else BufferError)
        if fits and numbers:
            (self.model.write_each if one_by_one else self.model.write)(numbers)
            self.model.prepared = None

    def append(self, number: Any) -> None:
        self.write(lambda: self.ring.append(number), [number])

    def extend(self, numbers: Sequence[Any]) -> None:
        self.write(lambda: self.ring.extend(list(numbers)), numbers, one_by_one=True)

    def extend_with_a_buffer(self, numbers: Sequence[Any]) -> None:
        buffer = array.array(self.model.typecode, numbers)
        self.write(lambda: self.ring.extend(buffer), numbers)

    def extend_with_itself(self) -> None:
        self.write(lambda: self.ring.extend(self.ring), list(self.model.items))

    def extend_with_a_view(self, index: int) -> None:
        view, start, num_items = self.views[index]
        self.write(lambda: self.ring.extend(view), self.model.unpack(self.model.read(start, num_items)))

    # --- writing in place ---

    def prepare(self, num_items: int, numbers: Sequence[Any]) -> None:
        """Prepares, and fills the places with these numbers again and again."""
        fits = num_items <= self.model.capacity
        error: type[Exception] | None = None if self.model.fits(num_items) else BufferError
        if error is None and not fits:
            error = ValueError
        places: list[memoryview] = []
        self.attempt(lambda: places.append(self.ring.prepare(num_items)), error)
        if error is not None:
            return
        (view,) = places
        expect("writable", view.readonly, False)
        self.model.prepare(num_items)
        start = self.model.total
        data = self.model.pack(numbers)
        pattern = (data * (view.nbytes // len(data) + 1))[: view.nbytes]
        view.cast("B")[:] = pattern
        self.model.store(start, pattern)
        self.views.append((view, start, num_items))

    def advance(self, num_items: int) -> None:
        prepared = self.model.prepared
        allowed = prepared is not None and num_items <= prepared
        self.attempt(lambda: self.ring.advance(num_items), None if allowed else ValueError)
        if allowed:
            self.model.advance(num_items)

    # --- dropping ---

    def consume(self, num_items: int) -> None:
        allowed = num_items <= len(self.model.items)
        self.attempt(lambda: self.ring.consume(num_items), None if allowed else ValueError)
        for _ in range(num_items if allowed else 0):
            self.model.items.popleft()

    def clear(self) -> None:
        self.ring.clear()
        self.model.items.clear()
        self.model.prepared = None

    # --- looking ---

    def view(self, action: Callable[[], memoryview], start: int, num_items: int, is_there: bool) -> None:
        made: list[memoryview] = []
        self.attempt(lambda: made.append(action()), None if is_there else IndexError)
        for view in made:
            expect("view", (view.readonly, view.shape, view.format), (True, (num_items,), self.model.typecode))
            self.views.append((view, start, num_items))

    def latest(self, num_items: int) -> None:
        is_there = num_items <= len(self.model.items)
        self.view(lambda: self.ring.latest(num_items), self.model.total - num_items, num_items, is_there)

    def window(self, start: int, num_items: int) -> None:
        is_there = self.model.oldest <= start <= start + num_items <= self.model.total
        self.view(lambda: self.ring.window(start, num_items), start, num_items, is_there)

    def get(self, index: int) -> None:
        is_there = -len(self.model.items) <= index < len(self.model.items)
        found: list[Any] = []
        self.attempt(lambda: found.append(self.ring[index]), None if is_there else IndexError)
        if is_there:
            expect("item", found, [self.model.items[index]])

    def release_view(self, index: int) -> None:
        self.views.pop(index)[0].release()

    # --- comparing ---

    def check_all(self) -> None:
        ring, model = self.ring, self.model
        expect("length", len(ring), len(model.items))
        expect("positions", (ring.oldest, ring.total), (model.oldest, model.total))
        expect("free", ring.free, model.capacity - len(model.items))
        expect_bytes("items", bytes(ring), model.read(model.oldest, len(model.items)))
        expect("iteration", list(ring), list(model.items))
        for view, start, num_items in self.views:
            expect_bytes(f"view of {num_items} from {start}", bytes(view), model.read(start, num_items))

    def end(self) -> None:
        for view, *_ in self.views:
            view.release()
        self.views.clear()
