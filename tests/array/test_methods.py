"""Methods and operators: each does what array.array does."""

from __future__ import annotations

import array
import io
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index, type_name
from tests.support.twin_arrays import TYPECODES, Action, Maker, add_in_place, agree, changed, multiply_in_place, outcome

# --- adding ---

NUMBERS = [0, 1, 2, 5, -1, -2, -3, -9, 2**62, 2**63, -(2**63), 2**70, True, Index(1), 1.5, "1", None, [1]]


def test_append() -> None:
    agree(changed(lambda made: [made.append(item) for item in range(100)]))


def test_insert() -> None:
    for index in NUMBERS:
        agree(changed(lambda made, index=index: made.insert(index, 7)))  # type: ignore[misc]
        agree(changed(lambda made, index=index: made.insert(index, 7), ()))  # type: ignore[misc]


def test_fromlist() -> None:
    for items in ([], [5], [1, 2, 3], (1, 2), iter([1]), None, 5, "ab", range(2), [1, "a", 2], [None]):
        agree(changed(lambda made, items=items: made.fromlist(items)))  # type: ignore[misc]


def test_extend() -> None:
    for items in (
        [],
        [5],
        (1, 2),
        range(3),
        "ab",
        "",
        b"ab",
        {4: 5},
        None,
        5,
        [1, "a", 2],
        np.arange(3, dtype="uint8"),
    ):
        agree(changed(lambda made, items=items: made.extend(items)))  # type: ignore[misc]
        agree(changed(lambda made, items=items: made.extend(items), ()))  # type: ignore[misc]
    agree(changed(lambda made: made.extend(made)))
    agree(changed(lambda made: made.extend(each for each in [4, 5])))


@pytest.mark.parametrize("typecode", TYPECODES)
def test_extending_by_arrays_of_other_types(typecode: str) -> None:
    def act(make: Maker, way: Callable[[Any, Any], object]) -> object:
        made = make([1, 2])
        return outcome(lambda _: way(made, make.of(typecode, [3, 4])), make), made

    for way in (operator.add, add_in_place, lambda made, other: made.extend(other)):
        agree(lambda make, way=way: act(make, way))  # type: ignore[misc]


def test_items_that_an_iterator_yields_before_it_raises_stay() -> None:
    def act(make: Maker) -> object:
        def fail() -> Any:
            yield from (7, 8)
            raise KeyError("mine")

        made = make([1])
        return outcome(lambda _: made.extend(fail()), make), made

    agree(act)


@pytest.mark.parametrize("typecode", TYPECODES)
def test_buffers_of_the_same_format_are_copied_at_once(typecode: str) -> None:
    """All items or none, whereas those of an iterator are added until the array is full."""
    data = memoryview(array.array(typecode, range(10)))
    for items in (data, data[2:5], data[5:5], np.arange(4, dtype=typecode)):
        made: vmem.Array[Any] = vmem.Array(typecode, [1])
        made.extend(items)
        assert made.tolist() == [1, *items]
    full: vmem.Array[Any] = vmem.Array(typecode, [1], capacity=5)
    with pytest.raises(vmem.OutOfMemoryError):
        full.extend(data)
    assert full.tolist() == [1]


def test_buffers_of_other_formats_and_shapes_are_iterated() -> None:
    numbers = np.arange(12, dtype="int32")
    for items in (memoryview(b"abc"), numbers[::2], numbers[::-1], numbers.astype(">i4"), numbers.astype("float32")):
        made = vmem.Array("d", [1])
        made.extend(items)
        assert made.tolist() == [1, *items]
    for shape in ((3, 4), (12, 1), ()):
        with pytest.raises(TypeError):
            vmem.Array("i").extend(np.resize(numbers, shape))
    whole = vmem.Array("i")
    whole.extend(numbers[::-2])
    whole.extend(numbers.reshape(12).view("i4"))
    assert whole.tolist() == [*range(11, 0, -2), *range(12)]


def test_a_released_view_is_refused() -> None:
    view = memoryview(bytearray(5))
    view.release()
    made = vmem.Array("B", [1])
    for call in (made.extend, made.frombytes, lambda released: vmem.Array("B", released)):
        with pytest.raises(ValueError, match="released"):
            call(view)
    assert made.tolist() == [1]


def test_an_array_of_the_standard_library() -> None:
    made = vmem.Array("d", [1])
    made.extend(array.array("d", [2, 3]))
    made.extend(array.array("b", [4]))
    assert made.tolist() == [1, 2, 3, 4]


# --- removing ---


def test_pop() -> None:
    agree(changed(lambda made: made.pop()))
    agree(changed(lambda made: [made.pop() for _ in range(5)]))
    for index in NUMBERS:
        agree(changed(lambda made, index=index: made.pop(index)))  # type: ignore[misc]
        agree(changed(lambda made, index=index: made.pop(index), ()))  # type: ignore[misc]


def test_remove() -> None:
    for item in (1, 2, 3, 4, 1.0, "a", None, True, Index(1)):
        agree(changed(lambda made, item=item: made.remove(item)))  # type: ignore[misc]
        agree(changed(lambda made, item=item: made.remove(item), ()))  # type: ignore[misc]


def test_clear() -> None:
    made = vmem.Array("i", range(1000))
    made.clear()
    made.clear()
    assert (len(made), made.tolist(), made.tobytes()) == (0, [], b"")
    made.append(5)
    assert made.tolist() == [5]


# --- searching ---


class Same:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Incomparable:
    def __eq__(self, other: object) -> bool:
        raise KeyError("mine")

    __hash__ = None  # type: ignore[assignment]


SOUGHT = [1, 2, 3, 4, 1.0, 2.5, "a", None, True, float("nan"), 10**30, Same(), Incomparable()]


def test_index_count_and_contains() -> None:
    for item in SOUGHT:
        for items in ((), (1, 2, 3, 1), (5, 1)):
            agree(lambda make, item=item, items=items: make(items).index(item))  # type: ignore[misc]
            agree(lambda make, item=item, items=items: make(items).count(item))  # type: ignore[misc]
            agree(lambda make, item=item, items=items: item in make(items))  # type: ignore[misc]


def test_index_between_bounds() -> None:
    bounds = [0, 1, 2, 3, 4, -1, -2, -4, -9, 9, 2**63, -(2**63), 2**70, -(2**70), Index(2), None, "a", 1.5]
    for start in bounds:
        agree(lambda make, start=start: make([1, 2, 3, 1]).index(1, start), "b")  # type: ignore[misc]
        for stop in bounds:
            agree(lambda make, start=start, stop=stop: make([1, 2, 3, 1]).index(1, start, stop), "b")  # type: ignore[misc]


def test_nan_is_not_found() -> None:
    nan = float("nan")
    agree(lambda make: (nan in make([nan]), make([nan]).count(nan)), "fd")


# --- order ---


def test_reverse() -> None:
    for items in ((), (1,), (1, 2), (1, 2, 3), range(100)):
        agree(changed(lambda made: made.reverse(), items))


@pytest.mark.parametrize("typecode", TYPECODES)
def test_byteswap(typecode: str) -> None:
    data = bytes(range(64))
    agree(lambda make: (made := make(data), made.byteswap(), made.tobytes())[2], typecode)
    made: vmem.Array[Any] = vmem.Array(typecode, data)
    made.byteswap()
    made.byteswap()
    assert made.tobytes() == data


# --- bytes and files ---


def test_tobytes_and_tolist() -> None:
    for items in ((), (1,), range(100)):
        agree(lambda make, items=items: (make(items).tobytes(), make(items).tolist()))  # type: ignore[misc]
    agree(lambda make: type(make([1])[0]))


BYTES = [b"", b"a", b"ab", b"abcdefgh", b"abcdefghi", bytearray(b"abcdefgh"), memoryview(b"abcdefgh")]


def test_frombytes() -> None:
    numbers = array.array("i", [1, 2])
    for data in (*BYTES, "abcdefgh", 5, None, [1, 2], numbers, np.arange(8, dtype="uint8"), np.arange(2)):
        agree(changed(lambda made, data=data: made.frombytes(data)))  # type: ignore[misc]
    agree(changed(lambda made: made.frombytes(memoryview(b"aabbccddeeffgghh")[::2])))


def test_an_array_takes_its_own_bytes() -> None:
    made = vmem.Array("d", [1, 2])
    made.frombytes(memoryview(made).cast("B"))
    assert made.tolist() == [1, 2, 1, 2]
    small = vmem.Array("B", b"ab")
    small.frombytes(small)
    assert small.tobytes() == b"abab"


def test_fromfile() -> None:
    for length in (0, 1, 7, 8, 16, 64):
        for count in (0, 1, 2, 3, -1, 2**62, 2**63, Index(1), 1.5, None):
            agree(
                changed(
                    lambda made, length=length, count=count: made.fromfile(io.BytesIO(bytes(length)), count)  # type: ignore[misc]
                )
            )
    agree(changed(lambda made: made.fromfile(io.StringIO("abcdefgh"), 1)))
    agree(changed(lambda made: made.fromfile(5, 1)))


class Failing:
    """A file that fails."""

    def read(self, size: int) -> bytes:
        raise OSError("mine")

    def write(self, data: bytes) -> None:
        raise OSError("mine")


class Generous:
    """A file whose read() returns more than requested."""

    def read(self, size: int) -> bytes:
        return bytes(2 * size)


def test_files_that_fail() -> None:
    agree(changed(lambda made: made.fromfile(Failing(), 1)))
    agree(changed(lambda made: made.tofile(Failing())))
    agree(changed(lambda made: made.fromfile(Generous(), 1)))
    agree(changed(lambda made: made.tofile(5)))
    agree(changed(lambda made: made.tofile(io.StringIO())))


@pytest.mark.parametrize("typecode", TYPECODES)
def test_fromfile_reads_what_tofile_wrote(typecode: str, tmp_path: Path) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [number % 100 for number in range(50_000)])
    with (tmp_path / "items").open("wb") as writing:
        made.tofile(writing)
    assert (tmp_path / "items").read_bytes() == made.tobytes()
    again: vmem.Array[Any] = vmem.Array(typecode)
    with (tmp_path / "items").open("rb") as reading:
        again.fromfile(reading, 20_000)
        assert again == made[:20_000]
        with pytest.raises(EOFError):
            again.fromfile(reading, 40_000)
    assert again == made


class Writing:
    """A file that only keeps the sizes of what is written."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))


class Growing(Writing):
    """A file whose write() extends the array."""

    def __init__(self, made: Any, sizes: list[int]) -> None:
        super().__init__(sizes)
        self.made = made

    def write(self, data: bytes) -> None:
        super().write(data)
        self.made.extend(range(100))
        assert len(self.sizes) < 100, "tofile() does not end"


def test_tofile_leaves_out_items_that_are_added_meanwhile() -> None:
    def act(make: Maker) -> object:
        made, pieces = make([1] * 70_000), list[int]()
        made.tofile(Growing(made, pieces))
        return pieces

    agree(act)


class Shrinking(Writing):
    """A file whose write() removes items from the end of the array, and their memory."""

    def __init__(self, made: vmem.Array[int], sizes: list[int], num_items: int) -> None:
        super().__init__(sizes)
        self.made = made
        self.num_items = num_items

    def write(self, data: bytes) -> None:
        super().write(data)
        assert data == bytes(len(data))
        del self.made[max(len(self.made) - self.num_items, 0) :]
        self.made.shrink_to_fit()


@pytest.mark.in_child
@pytest.mark.parametrize(
    ("num_items", "expected"),
    [
        (1, [65_536, 65_536, 65_536, 3_389]),
        (60_000, [65_536, 65_536]),
        (200_000 - 65_537, [65_536, 1]),
        (200_000 - 65_536, [65_536]),
        (200_000, [65_536]),
    ],
)
def test_tofile_stops_at_the_end_of_an_array_that_shrinks(num_items: int, expected: list[int]) -> None:
    """It writes the items that remain, and no empty pieces."""
    sizes: list[int] = []
    made = vmem.Array("B", bytes(200_000))
    made.tofile(Shrinking(made, sizes, num_items))
    assert sizes == expected


def test_tofile_ends_while_the_array_doubles() -> None:
    class Doubling(Writing):
        def write(self, data: bytes) -> None:
            super().write(data)
            assert len(self.sizes) < 5, "tofile() does not end"
            made.extend(made)

    for num_items in (65_535, 65_536, 65_537, 200_000):
        sizes: list[int] = []
        made = vmem.Array("B", bytes(num_items))
        made.tofile(Doubling(sizes))
        assert sum(sizes) == num_items
        assert len(sizes) == -(-num_items // 65_536)


def test_tofile_writes_in_the_same_pieces() -> None:
    def act(make: Maker) -> object:
        pieces: list[int] = []
        make(range(100) if make.typecode in "bB" else range(30_000)).tofile(Writing(pieces))
        return pieces

    agree(act)


def test_buffer_info() -> None:
    for items in ([], [1], range(10_000)):
        made = vmem.Array("i", items)
        address, length = made.buffer_info()
        assert length == len(items)
        assert np.asarray(made).__array_interface__["data"][0] == address or not items


# --- operators ---

COUNTS = [-(2**63), -1, 0, 1, 2, 3, 100, True, Index(2), 2**59, 2**61, 2**62, 2**63 - 1, 2**63, 1.5, "a", None, [1]]


def test_concatenation() -> None:
    for one in ((), (1,), (1, 2)):
        for other in ((), (3,), (4, 5)):
            agree(lambda make, one=one, other=other: make(one) + make(other))  # type: ignore[misc]
            agree(lambda make, one=one, other=other: add_in_place(make(one), make(other)))  # type: ignore[misc]
    agree(lambda make: add_in_place(made := make([1, 2]), made))
    agree(lambda make: (made := make([1, 2])) + made)


@pytest.mark.parametrize("other", [[1], (1,), b"a", 1, None, "a", iter([1])], ids=type_name)
def test_concatenation_with_other_things(other: object) -> None:
    agree(lambda make: make([1]) + other)
    agree(lambda make: other + make([1]))
    agree(changed(lambda made: add_in_place(made, other)))


@pytest.mark.parametrize("items", [(), (1,), (1, 2, 3)], ids=len)
def test_repetition(items: tuple[int, ...]) -> None:
    def repeat(change: Callable[[Any], object]) -> Action:
        return changed(change, items)

    for count in COUNTS:
        agree(repeat(lambda made, count=count: made * count))  # type: ignore[misc]
        agree(repeat(lambda made, count=count: count * made))  # type: ignore[misc]
        agree(repeat(lambda made, count=count: multiply_in_place(made, count)))  # type: ignore[misc]


@pytest.mark.many_addresses
def test_repetition_beyond_the_address_space() -> None:
    for exponent in range(40, 63):
        made = vmem.Array("d", [1, 2, 3])
        for call in (operator.mul, multiply_in_place):
            with pytest.raises(MemoryError):
                call(made, 2**exponent)
        assert made.tolist() == [1, 2, 3]


def test_in_place_operators_keep_the_object() -> None:
    made = same = vmem.Array("b", [1])
    made += vmem.Array("b", [2])
    made *= 2
    assert made is same
    assert same.tolist() == [1, 2, 1, 2]


# --- arguments ---

NUM_ARGUMENTS = {
    **dict.fromkeys(("tolist", "tobytes", "reverse", "byteswap", "buffer_info", "__copy__"), (0, 0)),
    **dict.fromkeys(("append", "extend", "fromlist", "frombytes", "remove", "count", "tofile", "__deepcopy__"), (1, 1)),
    **dict.fromkeys(("insert", "fromfile"), (2, 2)),
    **dict.fromkeys(("clear", "shrink_to_fit", "__reduce__"), (0, 0)),
    "pop": (0, 1),
    "index": (1, 3),
}


@pytest.mark.parametrize("name", NUM_ARGUMENTS)
def test_the_number_of_arguments(name: str) -> None:
    least, most = NUM_ARGUMENTS[name]
    kinds = [vmem.Array, array.array] if hasattr(array.array, name) and name != "__reduce__" else [vmem.Array]
    for kind in kinds:
        for number in {*range(least), most + 1, most + 2}:
            made = kind("b", [1, 2])
            with pytest.raises(TypeError):
                getattr(made, name)(*[1] * number)
            with pytest.raises(TypeError):
                getattr(made, name)(*[1] * least, no_such_name=1)
            assert made.tolist() == [1, 2]


def test_it_has_all_methods_of_array_array() -> None:
    missing = {name for name in dir(array.array) if not hasattr(vmem.Array, name)}
    assert missing <= {"fromunicode", "tounicode", "__release_buffer__"}
