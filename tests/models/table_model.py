"""A table that is compared with a list of tuples after every call, with the live views of its columns beside it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import vmem
from tests.models.region_model import expect, expect_bytes

Row = tuple[Any, ...]


class Interrupted(Exception):  # noqa: N818
    """What a conversion or an iterator raises."""


@dataclass
class ColumnView:
    """A live view of a column's buffer, with what it must show for good."""

    view: memoryview
    contents: bytes
    num_bits: int | None  # of columns of bits: those of later rows, and of rows that were cleared, are in the last byte

    def check(self) -> None:
        shown = bytearray(self.view.tobytes())
        if self.num_bits is not None and self.num_bits % 8:
            shown[-1] &= (1 << self.num_bits % 8) - 1
        expect_bytes("a view of a column", bytes(shown), self.contents)


def pack_bits(flags: Sequence[bool]) -> bytes:
    packed = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        packed[i // 8] |= flag << i % 8
    return bytes(packed)


class CheckedTable:
    """A table and its model."""

    def __init__(self, columns: dict[str, str], capacity: int) -> None:
        self.columns = columns
        self.capacity = capacity
        self.table = vmem.Table(columns, capacity=capacity)
        self.model: list[Row] = []
        self.views: list[ColumnView] = []
        self.was_refused = False

    # --- changes ---

    def attempt(self, call: Callable[[], object], error: type[BaseException] | None) -> None:
        """Makes a call that must raise, or must not."""
        raised = None
        self.was_refused = error is not None
        try:
            call()
        except (vmem.OutOfMemoryError, BufferError, Interrupted) as caught:
            raised = type(caught)
        expect("exception", raised, error)

    def add(self, call: Callable[[], object], rows: Sequence[Row]) -> None:
        fits = len(self.model) + len(rows) <= self.capacity
        self.attempt(call, None if fits else vmem.OutOfMemoryError)
        if fits:
            self.model.extend(rows)

    def append(self, row: Row, by_name: bool) -> None:
        if by_name:
            named = dict(reversed(list(zip(self.columns, row, strict=True))))
            self.add(lambda: self.table.append(**named), [row])
        else:
            self.add(lambda: self.table.append(*row), [row])

    def append_interrupted(self, row: Row, index: int) -> None:
        """A value in the middle cannot be converted."""

        class Failing:
            def __index__(self) -> int:
                raise Interrupted

            def __float__(self) -> float:
                raise Interrupted

        index = next(i for i in range(index, index + len(row)) if self.kind(i % len(row))[0] not in "sb?") % len(row)
        values = [*row[:index], Failing(), *row[index + 1 :]]
        self.attempt(lambda: self.table.append(*values), Interrupted)

    def kind(self, index: int) -> str:
        return self.columns[self.table.names[index]]

    def extend(self, rows: Sequence[Row], as_iterators: bool) -> None:
        items: list[Any] = [[row[i] for row in rows] for i in range(len(self.columns))]
        if as_iterators:
            items = [iter(each) for each in items]
        self.add(lambda: self.table.extend(dict(zip(self.columns, items, strict=True))), rows)

    def extend_interrupted(self, rows: Sequence[Row]) -> None:
        def fail() -> Any:
            yield from (row[-1] for row in rows)
            raise Interrupted

        items: list[Any] = [[row[i] for row in rows] for i in range(len(self.columns) - 1)]
        self.attempt(lambda: self.table.extend([*items, fail()]), Interrupted)

    def extend_with_itself(self, start: int, stop: int) -> None:
        part = self.table[start:stop]
        rows = self.model[start:stop]
        expect("rows", list(part), rows)
        self.add(lambda: self.table.extend(part), rows)

    def clear(self) -> None:
        is_shown = any(view.contents for view in self.views)
        self.attempt(self.table.clear, BufferError if is_shown else None)
        if not is_shown:
            self.model.clear()

    def shrink_to_fit(self) -> None:
        self.was_refused = False
        self.table.shrink_to_fit()

    # --- views ---

    def expected_buffer(self, name: str, start: int) -> bytes:
        index, kind = list(self.columns).index(name), self.columns[name]
        items = [row[index] for row in self.model]
        base = kind.removesuffix("|None")
        if base == "?":
            return pack_bits([bool(item) for item in items[start:]])
        if base in ("str", "bytes"):
            return b"".join(item.encode() if isinstance(item, str) else item for item in items if item is not None)
        code, none = ("q", -(2**63)) if base[1:2] == "8" else (base, 0)
        return b"".join(struct.pack(f"={code}", none if item is None else item) for item in items[start:])

    def view(self, name: str, start: int) -> None:
        start = min(start, len(self.model)) // 8 * 8
        self.was_refused = False
        contents = self.expected_buffer(name, start)
        if start >= len(self.model):
            contents = b""
        num_bits = max(len(self.model) - start, 0) if self.columns[name].startswith("?") else None
        self.views.append(ColumnView(self.table[name][start:].values, contents, num_bits))
        self.views[-1].check()

    def release_view(self, index: int) -> None:
        self.was_refused = False
        self.views.pop(index).view.release()

    # --- comparing ---

    def check_row(self, index: int) -> None:
        self.was_refused = False
        if -len(self.model) <= index < len(self.model):
            expect("row", self.table[index], self.model[index])
            return
        try:
            self.table[index]
        except IndexError:
            return
        raise AssertionError(f"row {index} of {len(self.model)}")

    def check_all(self) -> None:
        expect("length", len(self.table), len(self.model))
        expect("rows", list(self.table), self.model)
        for index, name in enumerate(self.columns):
            expect("column", self.table[name].tolist(), [row[index] for row in self.model])
        for each in self.views:
            each.check()

    def end(self) -> None:
        while self.views:
            self.release_view(0)
        self.clear()
        self.table.shrink_to_fit()
        self.check_all()
