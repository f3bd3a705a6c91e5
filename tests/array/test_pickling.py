"""Pickling arrays: their items travel as memory, or out of band without a copy, and arrive right on other machines."""

from __future__ import annotations

import array
import copy
import io
import pickle
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest

import vmem
from tests.support.buffers import address_of, dump_out_of_band
from tests.support.marks import linux_only, on_heap_only
from tests.support.processes import run_python
from tests.support.twin_arrays import TYPECODES
from vmem import _vmem

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
OWN_ORDER, OTHER_ORDER = "<>" if sys.byteorder == "little" else "><"


# --- there and back ---


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("typecode", TYPECODES)
def test_pickling(typecode: str, protocol: int) -> None:
    for items in ([], [1, 2, 3], range(120)):
        made: vmem.Array[Any] = vmem.Array(typecode, items)
        again = pickle.loads(pickle.dumps(made, protocol))
        assert type(again) is vmem.Array
        assert (again.typecode, again.tolist()) == (typecode, list(items))
        again.append(5)
        assert len(made) == len(items)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_that_are_pickled_together_stay_together(protocol: int) -> None:
    made = vmem.Array("i", [1, 2])
    first, second, rest = pickle.loads(pickle.dumps([made, made, iter(made)], protocol))
    assert first is second
    first[0] = 7
    assert list(rest) == [7, 2]


def test_old_protocols_carry_numbers() -> None:
    made = vmem.Array("h", [1, -2])
    for reduced in (made.__reduce__(), *(made.__reduce_ex__(protocol) for protocol in (-1, 0, 1, 2))):
        assert reduced == (vmem.Array, ("h", [1, -2]), None)


def test_newer_protocols_carry_memory() -> None:
    made = vmem.Array("h", [1, -2], capacity=2)
    for protocol in (3, 4):
        rebuild, arguments, state = made.__reduce_ex__(protocol)
        assert rebuild is _vmem._rebuild_array
        assert (arguments, state) == ((vmem.Array, "h", OWN_ORDER + "h", struct.pack("2h", 1, -2), 2), None)
    for protocol in (5, 6, 1000):
        *arguments, items, num_items = made.__reduce_ex__(protocol)[1]
        assert (type(items), address_of(items)) == (pickle.PickleBuffer, made.buffer_info()[0])
        assert num_items == 2


@on_heap_only
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pickling_gives_no_address_to_small_arrays(protocol: int) -> None:
    made = vmem.Array("h", [1, -2])
    before = made.__sizeof__()
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(made, protocol)
    assert pickle.loads(data) == made
    if protocol >= 5:
        assert pickle.dumps(made, protocol, buffer_callback=buffers.append)
    assert (made.__sizeof__(), buffers) == (before, [])


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_pickle_is_about_as_large_as_the_items(protocol: int) -> None:
    assert len(pickle.dumps(vmem.Array("d", range(10_000)), protocol)) < 80_200


# As pickle.dumps() wrote them on a little-endian machine with a long of 8 bytes.
KEPT = {
    2: b"\x80\x02cvmem\nArray\nq\x00X\x01\x00\x00\x00lq\x01]q\x02(K\x01J\xfe\xff\xff\xffe\x86q\x03Rq\x04.",
    4: b"\x80\x04\x95S\x00\x00\x00\x00\x00\x00\x00\x8c\nvmem._vmem\x94\x8c\x0e_rebuild_array\x94\x93\x94(\x8c\x04vmem"
    b"\x94\x8c\x05Array\x94\x93\x94\x8c\x01l\x94\x8c\x02<q\x94C\x10\x01\x00\x00\x00\x00\x00\x00\x00"
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\x94t\x94R\x94.",
}


@pytest.mark.parametrize("protocol", KEPT)
def test_a_pickle_of_old_can_be_read(protocol: int) -> None:
    made = pickle.loads(KEPT[protocol])
    assert (type(made), made.typecode, made.tolist()) == (vmem.Array, "l", [1, -2])


@linux_only
@pytest.mark.exact_memory
def test_a_pickle_with_more_items_than_an_array_holds_by_default_is_read() -> None:
    run_python(
        """
        import pickle, resource, vmem
        from vmem import _vmem
        made = vmem.Array("B", bytes(60 << 20), capacity=60 << 20)
        data = pickle.dumps(made, 5)
        length = len(made)
        del made
        resource.setrlimit(resource.RLIMIT_AS, (_vmem.get_limits()["address_space_used"] + (450 << 20), -1))
        assert vmem.Array("B").capacity < length
        assert len(pickle.loads(data)) == length
        """
    )


# --- out of band ---


@pytest.mark.parametrize("typecode", TYPECODES)
def test_out_of_band_nothing_is_copied(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, range(100), capacity=100)
    data, (buffer,) = dump_out_of_band(made)
    assert len(data) < 200
    assert (address_of(buffer), memoryview(buffer).nbytes) == (made.buffer_info()[0], 100 * made.itemsize)
    made[5] = 77
    again = pickle.loads(data, buffers=[buffer])
    assert (again.typecode, again) == (typecode, made)
    assert again.buffer_info()[0] != made.buffer_info()[0]


def test_a_buffer_out_of_band_pins_the_items() -> None:
    made = vmem.Array("i", [1, 2, 3], capacity=1 << 20)
    _, (buffer,) = dump_out_of_band(made)
    with pytest.raises(BufferError, match="1 view reaches further"):
        made.clear()
    made.extend(range(1 << 18))
    assert memoryview(buffer).tolist() == [1, 2, 3]
    del made[3:]
    buffer.release()
    made.clear()


def test_nothing_stays_pinned_when_a_pickle_is_written() -> None:
    made = vmem.Array("i", [1, 2, 3])
    pickle.loads(pickle.dumps(made, 5))
    made.clear()


def test_a_pickler_keeps_what_it_has_pickled() -> None:
    """So do those of NumPy's arrays. The docs warn of this."""
    made = vmem.Array("i", [1, 2, 3], capacity=3)
    pickler = pickle.Pickler(io.BytesIO(), 5)
    pickler.dump(made)
    with pytest.raises(BufferError):
        made.clear()
    pickler.clear_memo()
    made.clear()


BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "read-only array": lambda data: memoryview(array.array("q", data)).toreadonly(),
    "array": lambda data: vmem.Array("q", data),
    "two dimensions": lambda data: memoryview(data).cast("B", (2, len(data) // 2)),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_any_contiguous_buffer_is_taken_back(name: str) -> None:
    made = vmem.Array("i", range(100))
    data, _ = dump_out_of_band(made)
    assert pickle.loads(data, buffers=[BUFFERS[name](made.tobytes())]) == made


# --- other machines ---


def rebuild(typecode: str, layout: str, *numbers: float) -> vmem.Array[Any]:
    return _vmem._rebuild_array(
        vmem.Array, typecode, layout, struct.pack(f"{layout[0]}{len(numbers)}{layout[1]}", *numbers)
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("code", "bBhHiIqQfd")
def test_items_of_both_byte_orders(code: str, order: str) -> None:
    numbers = [0, 1, 100, 5] + ([-1, -100] if code in "bhiqfd" else [200])
    made = rebuild(code, order + code, *numbers)
    assert (type(made), made.typecode, made.tolist()) == (vmem.Array, code, numbers)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("sizes", ["iq", "IQ"])
def test_long_integers_of_both_sizes(sizes: str, order: str) -> None:
    """A long has 4 bytes on Windows and where addresses have 32 bits."""
    typecode = "l" if sizes == "iq" else "L"
    for code in sizes:
        made = rebuild(typecode, order + code, 1, 2**31 - 1, 0)
        assert (made.typecode, made.tolist()) == (typecode, [1, 2**31 - 1, 0])
        made.append(5)


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OverflowError, match=r"greater than maximum|too large"):  # by the size of long
        rebuild("h", "<q", 1, 2**40)
    with pytest.raises(OverflowError):
        rebuild("B", ">b", -1)
    with pytest.raises(TypeError, match="integer"):
        rebuild("i", "<d", 1.0)
    assert rebuild("d", ">i", -5).tolist() == [-5.0]


# --- what no pickle of ours has ---


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (TypeError, "not a subclass of Array", {0: "Array"}),
        (TypeError, "not a subclass of Array", {0: int}),
        (TypeError, "not a subclass of Array", {0: array.array}),
        (TypeError, "not a subclass of Array", {0: vmem.Arena}),
        (TypeError, "must be a typecode", {1: b"i"}),
        (TypeError, "must be a typecode", {1: "ii"}),
        (TypeError, "must be a typecode", {1: ""}),
        (ValueError, "bad typecode", {1: "u"}),
        (ValueError, "bad typecode", {1: "\0"}),
        (ValueError, "bad typecode", {1: "\U0010ffff"}),
        (TypeError, "must be a str, not bytes", {2: b"<i"}),
        (ValueError, "layout of pickled items", {2: ""}),
        (ValueError, "layout of pickled items", {2: "<"}),
        (ValueError, "layout of pickled items", {2: "i"}),
        (ValueError, "layout of pickled items", {2: "=i"}),
        (ValueError, "layout of pickled items", {2: "<l"}),
        (ValueError, "layout of pickled items", {2: "<\0"}),
        (ValueError, "layout of pickled items", {2: "<\U00010069"}),
        (ValueError, "layout of pickled items", {2: "<ii"}),
        (ValueError, "cannot take 7 bytes", {3: bytes(7)}),
        (ValueError, "cannot take 12 bytes", {2: "<q", 3: bytes(12)}),
        (TypeError, "bytes-like", {3: "text"}),
        (TypeError, "bytes-like", {3: [1, 2]}),
        (TypeError, "bytes-like", {3: None}),
        (BufferError, "contiguous", {3: memoryview(bytes(16))[::2]}),
    ],
)
def test_wrong_arguments_are_refused(error: type[Exception], message: str, change: dict[int, Any]) -> None:
    arguments: list[Any] = [vmem.Array, "i", "<i", bytes(8)]
    for index, value in change.items():
        arguments[index] = value
    with pytest.raises(error, match=message):
        _vmem._rebuild_array(*arguments)


@pytest.mark.parametrize("count", [0, 3, 7])
def test_wrong_numbers_of_arguments_are_refused(count: int) -> None:
    arguments: Any = [vmem.Array, "i", "<i", b"", 0, (), None][:count]
    with pytest.raises(TypeError, match=f"takes from 4 to 6 arguments \\({count} given\\)"):
        _vmem._rebuild_array(*arguments)


@pytest.mark.parametrize("protocol", ["5", 5.0, None])
def test_protocols_that_are_no_integers_are_refused(protocol: Any) -> None:
    with pytest.raises(TypeError):
        vmem.Array("i").__reduce_ex__(protocol)


def test_a_buffer_that_is_missing() -> None:
    data, _ = dump_out_of_band(vmem.Array("i", [1], capacity=1))
    with pytest.raises(pickle.UnpicklingError, match="buffers"):
        pickle.loads(data)


@pytest.mark.parametrize("num_bytes", [0, 4, 36, 44, 4096])
def test_a_buffer_of_another_size_is_refused(num_bytes: int) -> None:
    data, (buffer,) = dump_out_of_band(vmem.Array("i", range(10), capacity=10))
    with pytest.raises(ValueError, match=f"the pickle is of 10 items of 4 bytes, but its buffer has {num_bytes} bytes"):
        pickle.loads(data, buffers=[(buffer.raw().tobytes() * 103)[:num_bytes]])


@pytest.mark.parametrize("num_items", ["2", 2.0])
def test_a_number_of_items_that_is_not_an_integer_is_refused(num_items: object) -> None:
    with pytest.raises(TypeError):
        _vmem._rebuild_array(vmem.Array, "h", OWN_ORDER + "h", b"1234", num_items)  # type: ignore[arg-type]


# --- subclasses ---


class Tape(vmem.Array[int]):
    """One with attributes, whose constructor takes something else."""

    label: str

    def __new__(cls, *arguments: Any) -> Any:
        return super().__new__(cls, "i", [1, 2, 3])

    def __init__(self, label: str) -> None:
        self.label = label


class Plain(vmem.Array[int]):
    """One that can be made as its base is, which old protocols need."""

    label: str


class Slotted(vmem.Array[int]):
    __slots__ = ("label",)
    label: str


class Selective(vmem.Array[int]):
    def __getstate__(self) -> object:
        return {"label": "from " + str(len(self))}

    label: str


class Reduced(vmem.Array[int]):
    def __reduce__(self) -> tuple[Any, ...]:
        return Reduced, ("i", [len(self)])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [Plain, Slotted])
def test_a_pickled_subclass_keeps_its_attributes(kind: Any, protocol: int) -> None:
    made = kind("i", [1, 2, 3])
    made.label = "a"
    again = pickle.loads(pickle.dumps(made, protocol))
    assert type(again) is kind
    assert (again.label, again.tolist()) == ("a", [1, 2, 3])


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_subclass_is_made_again_without_its_constructor(protocol: int) -> None:
    again = pickle.loads(pickle.dumps(Tape("a"), protocol))
    assert (type(again), again.label, again.tolist()) == (Tape, "a", [1, 2, 3])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_subclass_decides_what_is_pickled(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(Selective("i", [1, 2]), protocol)).label == "from 2"
    again = pickle.loads(pickle.dumps(Reduced("i", [1, 2]), protocol))
    assert (type(again), again.tolist()) == (Reduced, [2])


def test_an_array_of_another_order_and_size_in_a_subclass() -> None:
    for layout in ("<i", ">i", "<q", ">q"):
        again = _vmem._rebuild_array(Plain, "i", layout, struct.pack(layout, 5))
        assert (type(again), again.tolist()) == (Plain, [5])


# --- copies ---


def test_copies_are_made_without_pickling() -> None:
    class Unpicklable(vmem.Array[int]):
        def __reduce_ex__(self, protocol: object) -> Any:
            raise AssertionError("nobody asks")

    made = Unpicklable("i", [1, 2])
    assert copy.copy(made) == copy.deepcopy(made) == made
