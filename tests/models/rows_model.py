"""An array of rows that is compared with an array.array of the numbers, from 0 to 127, that the rows stand for."""

from __future__ import annotations

import array
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import vmem
from tests.models.array_model import CheckedArray
from tests.models.region_model import expect


def count_numbers(shape: tuple[int, ...]) -> int:
    """How many numbers are in a row."""
    size = 1
    for dimension in shape:
        size *= dimension
    return size


def nest(numbers: Sequence[int], shape: tuple[int, ...]) -> Any:
    """The numbers in tuples of a shape."""
    if not shape:
        return numbers[0]
    size = len(numbers) // shape[0]
    return tuple(nest(numbers[start : start + size], shape[1:]) for start in range(0, len(numbers), size))


def flatten(row: Any) -> list[Any]:
    return [number for part in row for number in flatten(part)] if isinstance(row, tuple) else [row]


class NumberedRows:
    """An array of rows that is used as if it had numbers. Subclasses say what the rows are."""

    TYPECODE: ClassVar[str]
    SHAPE: ClassVar[tuple[int, ...]]

    def __init__(
        self, _: str, numbers: Iterable[int] = (), rows: vmem.Array[Any] | None = None, **options: Any
    ) -> None:
        made = (self.row(number) for number in numbers)
        self.rows = vmem.Array[Any](self.TYPECODE, made, row_shape=self.SHAPE, **options) if rows is None else rows

    def row(self, number: int) -> Any:
        return nest([(number + index) % 128 for index in range(count_numbers(self.SHAPE))], self.SHAPE)

    def number(self, row: Any) -> int:
        number = int(flatten(row)[0])
        expect("row", row, self.row(number))
        return number

    def bytes_of(self, numbers: Iterable[int]) -> bytes:
        return b"".join(array.array(self.TYPECODE, flatten(self.row(number))).tobytes() for number in numbers)

    def like(self, rows: vmem.Array[Any]) -> NumberedRows:
        return type(self)("", (), rows)

    # --- what array.array has ---

    def __len__(self) -> int:
        return len(self.rows)

    def tobytes(self) -> bytes:
        expect("shape", self.rows.row_shape, self.SHAPE)
        return bytes(self.number(row) for row in self.rows)

    def append(self, number: int) -> None:
        self.rows.append(self.row(number))

    def extend(self, numbers: NumberedRows | Iterable[int]) -> None:
        more: Any = numbers.rows if isinstance(numbers, NumberedRows) else (self.row(number) for number in numbers)
        self.rows.extend(more)

    def fromlist(self, numbers: list[int]) -> None:
        self.rows.fromlist([self.row(number) for number in numbers])

    def frombytes(self, data: bytes) -> None:
        self.rows.frombytes(self.bytes_of(data))

    def insert(self, index: int, number: int) -> None:
        self.rows.insert(index, self.row(number))

    def pop(self, index: int) -> int:
        return self.number(self.rows.pop(index))

    def remove(self, number: int) -> None:
        self.rows.remove(self.row(number))

    def index(self, number: int) -> int:
        return self.rows.index(self.row(number))

    def count(self, number: int) -> int:
        return self.rows.count(self.row(number))

    def reverse(self) -> None:
        self.rows.reverse()

    def byteswap(self) -> None:
        """Swaps twice: a number whose bytes were swapped would stand for nothing."""
        self.rows.byteswap()
        self.rows.byteswap()

    def clear(self) -> None:
        self.rows.clear()

    def shrink_to_fit(self) -> None:
        self.rows.shrink_to_fit()

    def __getitem__(self, key: slice) -> NumberedRows:
        return self.like(self.rows[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.rows[key] = value.rows if isinstance(value, NumberedRows) else self.row(value)

    def __delitem__(self, key: int | slice) -> None:
        del self.rows[key]

    def __add__(self, other: NumberedRows) -> NumberedRows:
        return self.like(self.rows + other.rows)

    def __mul__(self, count: int) -> NumberedRows:
        return self.like(self.rows * count)

    def __iadd__(self, other: NumberedRows) -> Self:
        self.rows += other.rows
        return self

    def __imul__(self, count: int) -> Self:
        self.rows *= count
        return self

    def __copy__(self) -> NumberedRows:
        return self.like(self.rows.__copy__())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberedRows) and self.rows == other.rows

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return restore, (self.TYPECODE, self.SHAPE, self.rows)


def make_kind(typecode: str, shape: tuple[int, ...]) -> type[NumberedRows]:
    return type("NumberedRows", (NumberedRows,), {"TYPECODE": typecode, "SHAPE": shape})


def restore(typecode: str, shape: tuple[int, ...], rows: vmem.Array[Any]) -> NumberedRows:
    return make_kind(typecode, shape)("", (), rows)


class CheckedRows(CheckedArray):
    """An array of rows and its model, an array.array of the numbers that they stand for."""

    def __init__(self, typecode: str, shape: tuple[int, ...], start: Sequence[float], capacity: int) -> None:
        self.capacity = capacity
        self.was_refused = False
        self.array: Any = make_kind(typecode, shape)("", map(int, start), capacity=capacity)
        self.model: array.array[Any] = array.array("b", map(int, start))
        self.views: list[tuple[memoryview, int]] = []

    def make(self, action: Any) -> None:
        self.was_refused = False
        made, expected = action(self.array), action(self.model)
        expect("what was made", made.tobytes(), expected.tobytes())

    def view(self) -> None:
        self.was_refused = False
        self.views.append((memoryview(self.array.rows), len(self.model)))

    def write_through_a_view(self, number: int, item: float) -> None:
        view, length = self.views[number]
        self.was_refused = length == 0
        if length > 0:
            data = self.array.bytes_of([int(item)])
            view.cast("B")[-len(data) :] = data
            self.model[length - 1] = item

    def check_all(self) -> None:
        expect("length", len(self.array), len(self.model))
        expect("contents", self.array.tobytes(), self.model.tobytes())
        for view, length in self.views:
            expect("shape", view.shape, (length, *self.array.SHAPE))
            expect(f"view of {length} items", view.tobytes(), self.array.bytes_of(self.model[:length].tobytes()))
