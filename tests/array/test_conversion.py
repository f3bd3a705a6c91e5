"""Numbers of other types, byte orders and strides are taken as array.array takes them, which iterates over them."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.twin_arrays import TYPECODES

DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
DTYPES += [f">{dtype}" for dtype in DTYPES if dtype[1] != "1"]
DTYPES += ["?", "f2", "c8", "U3", "M8[s]"]


def find_edges(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "iu":
        return np.array([0, 1, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype=dtype)
    return np.array([0.5, -0.0, 1000, np.inf, np.nan]).astype(dtype)


SHAPES: dict[str, Callable[[np.dtype[Any]], Any]] = {
    "few": lambda dtype: np.arange(5).astype(dtype),
    "many": lambda dtype: (np.arange(3000) % 120).astype(dtype),
    "wide": lambda dtype: (np.arange(3000) * 1234567).astype(dtype),
    "strided": lambda dtype: np.arange(10).astype(dtype)[::3],
    "backwards": lambda dtype: np.arange(10).astype(dtype)[::-2],
    "none": lambda dtype: np.arange(0).astype(dtype),
    "two dimensions": lambda dtype: np.arange(6).astype(dtype).reshape(2, 3),
    "edges": find_edges,
}


def find_outcome(make: Any, *arguments: object) -> str:
    try:
        return repr(list(make(*arguments)))
    except (TypeError, ValueError, OverflowError) as error:
        return repr(error)


def extend(make: Any, typecode: str, numbers: object) -> tuple[str, list[float]]:
    """The exception, or that there is none, and what is in the array then."""
    made = make(typecode, [1])
    try:
        made.extend(numbers)
    except (TypeError, ValueError, OverflowError) as error:
        return repr(error), made.tolist()
    return "", made.tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_arrays(dtype: str, shape: str) -> None:
    if dtype in ("U3", "M8[s]", "c8") and shape == "edges":
        shape = "few"
    numbers = SHAPES[shape](np.dtype(dtype)) if dtype != "M8[s]" else SHAPES[shape](np.dtype("i8")).astype(dtype)
    for typecode in TYPECODES:
        expected = find_outcome(array.array, typecode, numbers)
        assert find_outcome(vmem.Array, typecode, numbers) == expected, typecode
        extended = repr(extend(array.array, typecode, numbers))
        assert repr(extend(vmem.Array, typecode, numbers)) == extended, typecode


@pytest.mark.parametrize("capacity", [None, 9000])
@pytest.mark.parametrize(
    "values",
    [[0, 1, 2], [-1, 5], [300, 2], [1 << 40], [], [1] * 9000],
    ids=lambda values: str(values[:3]) if isinstance(values, list) else None,
)
def test_arrays_of_another_type(values: list[int], capacity: int | None) -> None:
    for typecode in TYPECODES:
        try:
            source = array.array(typecode, values)
        except OverflowError:
            continue
        ours: vmem.Array[Any] = vmem.Array(typecode, values, capacity=capacity)
        for target in TYPECODES:
            expected = find_outcome(array.array, target, source)
            assert find_outcome(vmem.Array, target, ours) == expected, (typecode, target)


def test_memory_that_is_not_aligned() -> None:
    raw = bytes(3) + np.arange(2000, dtype="f8").tobytes()
    numbers = np.frombuffer(raw, dtype="f8", offset=3)
    assert vmem.Array("f", numbers).tolist() == list(range(2000))


class Refusing:
    """Exports no buffer, with an exception of its choice, but can be iterated over."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __buffer__(self, flags: int) -> memoryview:
        raise self.error("no buffer")

    def __iter__(self) -> Iterator[float]:
        return iter([1.0, 1.0, 1.0])


@pytest.mark.parametrize("error", [BufferError, ValueError, TypeError, RuntimeError, NotImplementedError, OSError])
def test_what_refuses_its_buffer_is_iterated_over(error: type[Exception]) -> None:
    source: Any = Refusing(error)
    assert vmem.Array("f", source).tolist() == [1.0, 1.0, 1.0]
    made = vmem.Array("f")
    made.extend(source)
    assert made.tolist() == [1.0, 1.0, 1.0]


def test_numpy_arrays_without_a_buffer_are_iterated_over() -> None:
    """NumPy refuses to export dates with a ValueError."""
    with pytest.raises(TypeError, match="datetime64"):
        vmem.Array("q", np.array([1, 2], dtype="M8[s]"))
