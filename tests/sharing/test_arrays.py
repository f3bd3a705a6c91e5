"""Shared arrays in one process: who may change them, what readers see, and what is left behind."""

from __future__ import annotations

import _thread
import copy
import ctypes
import functools
import gc
import io
import operator
import os
import pickle
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.peers import attach_array
from tests.support.processes import run_python
from tests.support.system import lockable_bytes, mappings_in, permissions_in
from tests.support.twin_arrays import TYPECODES, add_in_place, multiply_in_place
from vmem import _vmem

pytestmark = needs_shared_memory

Array = vmem.Array[Any]
Call = Callable[[Any], object]

READ_ONLY = "^this array is read-only: the process that made it writes$"
APPEND_ONLY = "^this array is append-only, because other processes may read it: no "


@pytest.fixture
def writer() -> Array:
    return vmem.Array("d", [1.0, 2.0, 3.0], shared=True)


@pytest.fixture
def reader(writer: Array) -> Array:
    return attach_array(writer)


# --- making and attaching ---


def test_the_maker_writes_and_others_read(writer: Array, reader: Array) -> None:
    assert not writer.readonly
    assert reader.readonly
    assert not vmem.Array("d").readonly
    assert type(reader) is vmem.Array
    assert (reader.typecode, reader.itemsize, reader.capacity) == ("d", 8, writer.capacity)
    assert repr(reader) == repr(writer) == "Array('d', [1.0, 2.0, 3.0])"
    with pytest.raises(AttributeError):
        writer.readonly = True  # type: ignore[misc]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_every_typecode(typecode: str) -> None:
    made: Array = vmem.Array(typecode, [1, 2, 100], shared=True, capacity=5000)
    attached = attach_array(made)
    assert (attached.typecode, attached.itemsize, attached.capacity) == (typecode, made.itemsize, 5000)
    assert attached == made
    assert attached.tolist() == [1, 2, 100]


@pytest.mark.parametrize(
    "initializer",
    [[5, 6], (5, 6), range(5, 7), iter([5, 6]), vmem.Array("q", [5, 6]), vmem.Array("i", [5, 6]), np.array([5, 6])],
    ids=lambda each: type(each).__name__,
)
def test_initializers(initializer: Any) -> None:
    made: Array = vmem.Array("q", initializer, shared=True)
    assert attach_array(made).tolist() == [5, 6]
    assert attach_array(vmem.Array("q", made, shared=True)).tolist() == [5, 6]
    assert attach_array(vmem.Array("q", made.tobytes(), shared=True)).tolist() == [5, 6]


def test_many_first_items() -> None:
    made: Array = vmem.Array("q", range(300_000), shared=True)
    assert attach_array(made).tolist() == list(range(300_000))


def test_a_truth_value_decides() -> None:
    for value in (False, 0, ""):
        assert not vmem.Array("b", shared=value)._is_shared  # type: ignore[arg-type]
    assert vmem.Array("b", shared=1)._is_shared  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        vmem.Array("b", (), None, True)  # type: ignore[call-overload]


@pytest.mark.parametrize("typecode", ["b", "d"])
def test_no_items_and_no_capacity(typecode: str) -> None:
    made: Array = vmem.Array(typecode, shared=True, capacity=0)
    attached = attach_array(made)
    assert made.capacity == attached.capacity == attach_array(attached).capacity == 0
    assert made.map().size == attached.map().size
    assert (len(made), len(attached), list(attached), attached.tobytes()) == (0, 0, [], b"")
    assert memoryview(attached).nbytes == 0
    with pytest.raises(vmem.OutOfMemoryError, match="cannot grow an array with a capacity of 0 items to 1"):
        made.append(1)
    assert len(attached) == 0


def test_it_never_moves_from_its_first_item_on(writer: Array) -> None:
    """There is nothing on the heap, so its address is there before it is asked for."""
    reader = attach_array(writer)
    early, seen = memoryview(writer), memoryview(reader)
    addresses = writer.buffer_info()[0], reader.buffer_info()[0]
    writer.extend(range(500_000))
    assert (writer.buffer_info()[0], reader.buffer_info()[0]) == addresses
    early[0] = seen[0] + 41.0  # type: ignore[call-overload]
    assert (seen[0], len(seen)) == (42.0, 3)


def test_a_reader_of_a_reader(writer: Array, reader: Array) -> None:
    third = attach_array(reader)
    writer.append(4.0)
    del reader
    assert third.readonly
    assert third.tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.many_addresses
def test_capacities() -> None:
    # Now and then it is chosen anew, from what other tests leave of the addresses.
    assert 0.9 < vmem.Array("d", shared=True).capacity / vmem.Array("d").capacity < 1.1
    assert attach_array(vmem.Array("d", shared=True, capacity=1 << 37)).capacity == 1 << 37
    made: Array = vmem.Array("h", shared=True, capacity=Index(3))
    made.extend([1, 2, 3])
    with pytest.raises(vmem.OutOfMemoryError, match="cannot grow an array with a capacity of 3 items to 4"):
        made.append(4)
    assert attach_array(made).tolist() == [1, 2, 3]


@linux_only
def test_a_hook_that_raises_leaves_nothing() -> None:
    run_python(
        """
        import os, sys, vmem

        array = vmem.Array("d", [1.0], shared=True)
        seen = []

        def hook(event, arguments):
            if event == "vmem.reserve":
                seen.append(arguments)
                if raising:
                    raise PermissionError("no")

        raising = False
        sys.addaudithook(hook)
        vmem.attach(array.fileno())
        vmem.Array("d", shared=True, capacity=1 << 10)
        assert seen == [(array.capacity * 8, None), (8 << 10, None)], seen
        raising = True
        before = os.listdir("/proc/self/fd")
        for call in (lambda: vmem.attach(array.fileno()), lambda: vmem.Array("d", shared=True)):
            try:
                call()
            except PermissionError:
                pass
            else:
                raise AssertionError("the hook was not called")
        assert os.listdir("/proc/self/fd") == before
        """
    )


# --- what readers see ---

# Each must ask how many items there are, since it is the first that a reader hears of them.
READS: dict[str, Call] = {
    "len": len,
    "item": lambda made: made[3],
    "last item": lambda made: made[-1],
    "slice": lambda made: made[1:],
    "slice with a step": lambda made: made[::-2],
    "iterator": list,
    "length hint": lambda made: operator.length_hint(iter(made)),
    "contains": lambda made: 4.0 in made,
    "count": lambda made: made.count(4.0),
    "index": lambda made: made.index(4.0),
    "index from the end": lambda made: made.index(4.0, -1),
    "tolist": lambda made: made.tolist(),
    "tobytes": lambda made: made.tobytes(),
    "tofile": lambda made: write_file(made),
    "repr": repr,
    "equal": lambda made: made == vmem.Array("d", [1.0, 2.0, 3.0, 4.0]),
    "equal to it": lambda made: vmem.Array("d", [1.0, 2.0, 3.0, 4.0]) == made,
    "less": lambda made: vmem.Array("d", [1.0, 2.0, 3.0]) < made,
    "sum": lambda made: made + made,
    "product": lambda made: made * 2,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "view": lambda made: memoryview(made).tolist(),
    "numpy": lambda made: np.asarray(made).tolist(),
    "__array__": lambda made: made.__array__().tolist(),
    "buffer_info": lambda made: made.buffer_info()[1],
    "map": lambda made: made.map().used,
    "initializer": lambda made: vmem.Array("d", made),
    "initializer of others": lambda made: vmem.Array("f", made),
    "extend": lambda made: extend(vmem.Array("d"), made),
    "slice assignment": lambda made: assign(vmem.Array("d"), made),
    "bytes": bytes,
}


def write_file(made: Array) -> bytes:
    file = io.BytesIO()
    made.tofile(file)
    return file.getvalue()


def extend(made: Array, other: Array) -> Array:
    made.extend(other)
    return made


def assign(made: Array, other: Array) -> Array:
    made[:] = other
    return made


@pytest.mark.parametrize("name", READS)
def test_every_call_sees_what_was_written_before_it(name: str) -> None:
    writer: Array = vmem.Array("d", [1.0, 2.0, 3.0], shared=True)
    reader = attach_array(writer)
    assert len(reader) == 3
    writer.append(4.0)
    assert READS[name](reader) == READS[name](vmem.Array("d", [1.0, 2.0, 3.0, 4.0]))


def test_iterating_follows_the_writer(writer: Array, reader: Array) -> None:
    """As iterating over a list follows the list."""
    seen: list[float] = []
    for item in reader:
        seen.append(item)
        if item < 6.0:
            writer.append(len(writer) + 1.0)
    assert seen == [float(number) for number in range(1, 9)]


class Appending:
    """Appends to an array whenever it is compared."""

    def __init__(self, made: Array) -> None:
        self.made = made
        self.num_compared = 0

    def __eq__(self, other: object) -> bool:
        self.num_compared += 1
        self.made.append(1.0)
        return False

    __hash__ = None  # type: ignore[assignment]


def test_a_call_ends_with_the_items_that_it_began_with(writer: Array, reader: Array) -> None:
    """However fast the writer is: here it appends an item for every one that is compared."""
    for call in (reader.count, reader.__contains__):
        item, length = Appending(writer), len(writer)
        assert not call(item)
        assert item.num_compared == length


def test_an_index_past_the_end(writer: Array, reader: Array) -> None:
    for index in (3, -4, sys.maxsize, -sys.maxsize - 1):
        with pytest.raises(IndexError, match="array index out of range"):
            reader[index]
    writer.append(4.0)
    assert (reader[3], reader[-4]) == (4.0, 1.0)


def test_views_keep_their_length(writer: Array, reader: Array) -> None:
    view, numbers = memoryview(reader), np.asarray(reader)
    writer.extend(range(100_000))
    writer[1] = 22.0
    assert view.tolist() == numbers.tolist() == [1.0, 22.0, 3.0]
    assert len(memoryview(reader)) == 100_003


def append_each(made: Array, items: Iterable[float]) -> None:
    for item in items:
        made.append(item)


def test_growing_over_many_pages_in_every_way(writer: Array, reader: Array) -> None:
    expected = [1.0, 2.0, 3.0]
    more = [float(number) for number in range(3000)]
    changes: list[Callable[[], object]] = [
        lambda: append_each(writer, more),
        lambda: writer.extend(more),
        lambda: writer.extend(iter(more)),
        lambda: writer.extend(np.array(more)),
        lambda: writer.extend(vmem.Array("d", more)),
        lambda: writer.fromlist(more),
        lambda: writer.frombytes(np.array(more).tobytes()),
        lambda: writer.fromfile(io.BytesIO(np.array(more).tobytes()), 3000),
        lambda: add_in_place(writer, vmem.Array("d", more)),
    ]
    for change in changes:
        change()
        expected += more
        assert reader.tolist() == expected
    writer.extend(reader)
    assert reader.tolist() == 2 * expected
    writer *= 3
    writer *= 1
    assert reader.tolist() == writer.tolist() == 6 * expected


def test_items_are_replaced_in_place(writer: Array, reader: Array) -> None:
    writer[0] = 10.0
    writer[-1] = 30.0
    assert reader.tolist() == [10.0, 2.0, 30.0]
    writer[0:2] = vmem.Array("d", [7.0, 8.0])
    writer[1:1] = vmem.Array("d")
    writer[::2] = vmem.Array("d", [5.0, 6.0])
    writer[3:1] = vmem.Array("d")
    writer[3:1:2] = vmem.Array("d")
    assert reader.tolist() == [5.0, 8.0, 6.0]
    writer[3:] = vmem.Array("d", [9.0])  # nothing is replaced, and an item is added at the end
    writer[:] = writer
    assert reader.tolist() == [5.0, 8.0, 6.0, 9.0]


@pytest.mark.parametrize("step", [-1, 1])
def test_items_are_replaced_by_those_of_a_reader(step: int, writer: Array, reader: Array) -> None:
    """Which are the same memory at another address."""
    writer.extend(range(4, 10_000))
    expected = writer.tolist()[::step]
    writer[::step] = reader
    assert reader.tolist() == writer.tolist() == expected


def test_a_failing_extend_keeps_what_it_took(writer: Array, reader: Array) -> None:
    with pytest.raises(TypeError):
        writer.extend([4.0, 5.0, "six"])
    with pytest.raises(TypeError):
        writer.fromlist([6.0, "seven"])
    assert reader.tolist() == writer.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_memory_for_what_comes_next(writer: Array, reader: Array, page: int) -> None:
    writer.prefault(lockable_bytes(4 * page) // 8)
    writer.lock(0)
    writer.append(4.0)
    reader.lock()
    assert [part.locked for part in reader.map().parts if part.committed] == [True]
    reader.unlock()
    writer.unlock()
    assert reader.tolist() == [1.0, 2.0, 3.0, 4.0]
    for call in (reader.prefault, reader.lock):
        with pytest.raises(TypeError, match=READ_ONLY):
            call(1)


def test_map(writer: Array, reader: Array, page: int) -> None:
    writer.extend(range(page))
    for made in (writer, reader):
        shown = made.map()
        assert shown.used == 8 * len(made)
        assert shown.size == (8 * made.capacity + page - 1) // page * page
    assert {part.protection for part in reader.map().parts if part.committed} == {vmem.Protection.READ}


# --- what is refused ---

REARRANGES: dict[str, Call] = {
    "insert": lambda made: made.insert(0, 1.0),
    "insert at the end": lambda made: made.insert(len(made), 1.0),
    "pop": lambda made: made.pop(),
    "pop the first": lambda made: made.pop(0),
    "pop past the end": lambda made: made.pop(100),
    "remove": lambda made: made.remove(1.0),
    "remove what is not there": lambda made: made.remove(100.0),
    "clear": lambda made: made.clear(),
    "reverse": lambda made: made.reverse(),
    "byteswap": lambda made: made.byteswap(),
    "del item": lambda made: made.__delitem__(0),
    "del item past the end": lambda made: made.__delitem__(100),
    "del slice": lambda made: made.__delitem__(slice(0, 1)),
    "del nothing": lambda made: made.__delitem__(slice(0, 0)),
    "del with a step": lambda made: made.__delitem__(slice(None, None, 2)),
    "longer slice": lambda made: made.__setitem__(slice(0, 1), vmem.Array("d", [1.0, 2.0])),
    "shorter slice": lambda made: made.__setitem__(slice(0, 2), vmem.Array("d", [1.0])),
    "insert slice": lambda made: made.__setitem__(slice(0, 0), vmem.Array("d", [1.0])),
    "emptied slice": lambda made: made.__setitem__(slice(0, 3), vmem.Array("d")),
    "emptied slice with a step": lambda made: made.__setitem__(slice(None, None, 2), vmem.Array("d")),
    "slice of itself": lambda made: made.__setitem__(slice(0, 2), made),
    "*= 0": lambda made: multiply_in_place(made, 0),
    "*= -1": lambda made: multiply_in_place(made, -1),
}

CHANGES: dict[str, Call] = {
    "append": lambda made: made.append(1.0),
    "extend": lambda made: made.extend([1.0]),
    "extend by nothing": lambda made: made.extend([]),
    "extend by an array": lambda made: made.extend(vmem.Array("d", [1.0])),
    "extend by an iterator": lambda made: made.extend(iter([1.0])),
    "extend by itself": lambda made: made.extend(made),
    "fromlist": lambda made: made.fromlist([1.0]),
    "fromlist of nothing": lambda made: made.fromlist([]),
    "frombytes": lambda made: made.frombytes(bytes(8)),
    "frombytes of nothing": lambda made: made.frombytes(b""),
    "fromfile": lambda made: made.fromfile(io.BytesIO(bytes(8)), 1),
    "+=": lambda made: add_in_place(made, vmem.Array("d", [1.0])),
    "*= 1": lambda made: multiply_in_place(made, 1),
    "*= 2": lambda made: multiply_in_place(made, 2),
    "set item": lambda made: made.__setitem__(0, 1.0),
    "set item past the end": lambda made: made.__setitem__(100, 1.0),
    "set slice": lambda made: made.__setitem__(slice(0, 1), vmem.Array("d", [9.0])),
    "set empty slice": lambda made: made.__setitem__(slice(0, 0), vmem.Array("d")),
    "set slice with a step": lambda made: made.__setitem__(slice(0, 3, 2), vmem.Array("d", [9.0, 9.0])),
    "set no items with a step": lambda made: made.__setitem__(slice(0, 0, 2), vmem.Array("d")),
    "prefault": lambda made: made.prefault(1),
    "lock more": lambda made: made.lock(1),
}


@pytest.mark.parametrize("name", REARRANGES)
def test_a_shared_array_is_append_only(name: str, writer: Array, reader: Array) -> None:
    with pytest.raises(TypeError, match=APPEND_ONLY):
        REARRANGES[name](writer)
    assert reader.tolist() == writer.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", [*REARRANGES, *CHANGES])
def test_a_reader_changes_nothing(name: str, writer: Array, reader: Array) -> None:
    with pytest.raises(TypeError, match=READ_ONLY):
        (REARRANGES | CHANGES)[name](reader)
    assert reader.tolist() == writer.tolist() == [1.0, 2.0, 3.0]
    empty = attach_array(vmem.Array("d", shared=True))
    with pytest.raises((TypeError, ValueError)):  # an extended slice of nothing takes no items
        (REARRANGES | CHANGES)[name](empty)


def test_the_message_names_the_call(writer: Array) -> None:
    calls: list[tuple[str, Call]] = [
        ("insert()", lambda made: made.insert(0, 1.0)),
        ("pop()", lambda made: made.pop()),
        ("remove()", lambda made: made.remove(1.0)),
        ("clear()", lambda made: made.clear()),
        ("reverse()", lambda made: made.reverse()),
        ("byteswap()", lambda made: made.byteswap()),
        ("del", lambda made: made.__delitem__(0)),
        ("*= 0", lambda made: multiply_in_place(made, 0)),
        ("replacing items by more or fewer", lambda made: made.__setitem__(slice(0, 1), made)),
    ]
    for name, call in calls:
        with pytest.raises(TypeError) as caught:
            call(writer)
        assert str(caught.value).endswith(f": no {name}")


def test_wrong_arguments_are_told_first(writer: Array, reader: Array) -> None:
    for made in (writer, reader):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            made.insert("x", 1.0)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            made.pop("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be real number"):
        writer[0] = "x"


def test_buffers_of_readers_are_read_only(writer: Array, reader: Array) -> None:
    view = memoryview(reader)
    assert view.readonly
    with pytest.raises(TypeError, match="cannot modify read-only memory"):
        view[0] = 1.0  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="not writable"):
        (ctypes.c_char * 8).from_buffer(reader)
    with pytest.raises(TypeError, match="must be read-write bytes-like object"):
        io.BytesIO(bytes(8)).readinto(reader)
    numbers = np.asarray(reader)
    assert not numbers.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 1.0
    assert np.array(reader).flags.writeable
    assert not np.frombuffer(memoryview(reader)).flags.writeable
    assert not memoryview(writer).readonly
    assert np.asarray(writer).flags.writeable


@linux_only
def test_the_kernel_lets_readers_read_only(writer: Array, reader: Array, page: int) -> None:
    address, size = reader.buffer_info()[0], reader.map().size
    assert permissions_in(address, size) == [(0, size, "r--s")]
    address = writer.buffer_info()[0]
    assert permissions_in(address, size) == [(0, size, "rw-s")]  # of which only the first page has memory


def test_shrink_to_fit_does_nothing(writer: Array, reader: Array, page: int) -> None:
    writer.extend(range(page))
    before = writer.map().committed
    writer.shrink_to_fit()
    reader.shrink_to_fit()
    assert writer.map().committed == before
    writer.append(1.0)
    assert reader[-1] == 1.0


# --- copies and pickles ---


@pytest.mark.parametrize(
    "make",
    [
        lambda made: made[:],
        lambda made: made[::2],
        lambda made: made + made,
        lambda made: made * 2,
        lambda made: 2 * made,
        copy.copy,
        copy.deepcopy,
        lambda made: vmem.Array("d", made),
    ],
)
def test_copies_are_private(make: Callable[[Any], Array], writer: Array, reader: Array) -> None:
    for made in (make(writer), make(reader)):
        assert type(made) is vmem.Array
        assert not made.readonly
        assert not made._is_shared
        made.insert(0, 5.0)
        made.clear()
        assert pickle.loads(pickle.dumps(make(writer))) == make(writer)
    assert reader.tolist() == writer.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickle_says_how(protocol: int, writer: Array, reader: Array) -> None:
    for made in (writer, reader):
        with pytest.raises(TypeError, match=r"^cannot pickle a shared array: send it through multiprocessing, or .*"):
            pickle.dumps([made], protocol)
    with pytest.raises(TypeError, match="cannot pickle a shared array"):
        writer.__reduce__()


# --- descriptors ---


@posix_only
def test_fileno(writer: Array, reader: Array) -> None:
    assert writer.fileno() == writer.fileno() != reader.fileno()
    assert not os.get_inheritable(writer.fileno())
    assert os.fstat(writer.fileno()).st_ino == os.fstat(reader.fileno()).st_ino


def test_fileno_of_a_private_array() -> None:
    for made in (vmem.Array("d"), vmem.Array("d", capacity=5)):
        for call in (made.fileno, made._get_handle):
            with pytest.raises(ValueError, match=r"^this array is not shared, and so has no descriptor"):
                call()


@linux_only
def test_attaching_duplicates_the_descriptor(writer: Array) -> None:
    given = os.dup(writer.fileno())
    reader = vmem.attach(given)
    os.close(given)
    del writer
    assert reader.fileno() != given
    assert isinstance(reader, vmem.Array)
    assert reader.tolist() == [1.0, 2.0, 3.0]


def test_attach_gives_what_was_asked_for(writer: Array) -> None:
    with pytest.raises(ValueError, match="is that of an array, which was not expected"):
        _vmem.attach(writer._get_handle(), (vmem.Region,))
    with vmem.reserve(1, shared=True) as region, pytest.raises(ValueError, match="a region, which was not expected"):
        _vmem.attach(region._get_handle(), (vmem.Array,))


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@linux_only
def test_nothing_is_left_behind() -> None:
    attach_array(vmem.Array("d", [1.0], shared=True))
    gc.collect()
    before = count_descriptors(), len(mappings_in(0, 1 << 64))
    for _ in range(50):
        writer: Array = vmem.Array("d", range(10_000), shared=True)
        readers = [attach_array(writer) for _ in range(3)]
        views = [memoryview(each) for each in (writer, *readers)]
        with pytest.raises(vmem.OutOfMemoryError):
            vmem.Array("d", [1.0, 2.0], shared=True, capacity=1)
        with pytest.raises(TypeError):
            vmem.Array("d", ["x"], shared=True)  # type: ignore[type-var]
        assert readers[2][-1] == views[0][-1]
        del writer, readers, views
    gc.collect()
    assert (count_descriptors(), len(mappings_in(0, 1 << 64))) == before


@linux_only
def test_memory_lives_as_long_as_anybody_shows_it(writer: Array) -> None:
    reader = attach_array(writer)
    view = memoryview(reader)
    writer.append(4.0)
    del writer
    assert reader.tolist() == [1.0, 2.0, 3.0, 4.0]
    del reader
    gc.collect()
    assert view.tolist() == [1.0, 2.0, 3.0]


@linux_only
def test_a_closed_descriptor(writer: Array, reader: Array, tmp_path: Path) -> None:
    """The number is somebody else's by then: that file is neither written nor closed, and the array keeps its items."""
    number = writer.fileno()
    os.close(number)
    with (tmp_path / "file").open("w") as file:
        assert file.fileno() == number
        for call in (lambda made: made.fileno(), attach_array, lambda made: made.frombytes(bytes(1 << 20))):
            with pytest.raises(OSError, match="descriptor"):
                call(writer)
        writer.append(4.0)  # there is memory for that
        assert reader.tolist() == writer.tolist() == [1.0, 2.0, 3.0, 4.0]
        del call, writer
        gc.collect()
        assert os.fstat(number).st_size == 0
    assert reader.tolist() == [1.0, 2.0, 3.0, 4.0]


@linux_only
def test_a_reader_whose_descriptor_was_closed(writer: Array, reader: Array, page: int) -> None:
    """It cannot ask how much can be read, so it stops where it knew that."""
    assert len(reader) == 3
    os.close(reader.fileno())
    writer.extend(range(10 * page))
    known = len(reader)
    assert 3 <= known <= page // 8
    assert reader.tolist() == writer.tolist()[:known]
    with pytest.raises(OSError, match="descriptor"):
        reader.fileno()


@linux_only
def test_a_reader_whose_descriptor_was_closed_before_it_looked(writer: Array, reader: Array, page: int) -> None:
    """It knows how much could be read when it was attached."""
    os.close(reader.fileno())
    assert reader.tolist() == [1.0, 2.0, 3.0]
    writer.extend(range(10 * page))
    assert 3 <= len(reader) <= page // 8


# --- subclasses ---


class Named(vmem.Array[Any]):
    def __init__(self, typecode: str, items: object = (), /, *, name: str = "", **_: object) -> None:
        self.name = name


def test_subclasses() -> None:
    made = Named("d", [1.0], name="first", shared=True, capacity=100)
    assert (made.name, made._is_shared, made.capacity) == ("first", True, 100)
    attached = _vmem.attach(made._get_handle(), (vmem.Region, Named))
    assert type(attached) is Named
    assert attached.readonly
    assert attached.tolist() == [1.0]
    assert type(attach_array(made)) is vmem.Array
    assert type(copy.copy(made)) is vmem.Array


def test_without_init() -> None:
    made: Array = vmem.Array.__new__(Named, "d", [1.0], shared=True)
    assert attach_array(made).tolist() == [1.0]
    made.__init__("q", [5], shared=False)  # type: ignore[misc]
    assert made.tolist() == [1.0]
    assert made._is_shared


def test_weak_references_and_cycles() -> None:
    writer = Named("d", [1.0], shared=True)
    reader = _vmem.attach(writer._get_handle(), (Named,))
    references = [weakref.ref(each) for each in (writer, reader)]
    writer.view, reader.view = memoryview(writer), memoryview(reader)  # type: ignore[attr-defined]
    writer.other, reader.other = reader, writer  # type: ignore[attr-defined]
    del writer, reader
    gc.collect()
    assert [each() for each in references] == [None, None]


def test_what_it_takes(writer: Array, reader: Array) -> None:
    private: Array = vmem.Array("d", [1.0], capacity=5)
    assert sys.getsizeof(private) < sys.getsizeof(writer) == sys.getsizeof(reader) < 4096


# --- threads ---


def test_a_writer_and_readers_in_threads() -> None:
    """What a reader sees is a beginning of what is written, whole, and each time at least as much."""
    writer: Array = vmem.Array("Q", shared=True)
    failures: list[object] = []
    ended = threading.Event()

    def read() -> None:
        reader, length = attach_array(writer), 0
        while not ended.is_set():
            now = len(reader)
            seen = reader[length:]
            if not (length <= now <= length + len(seen)) or seen.tolist() != list(range(length, length + len(seen))):
                failures.append((length, now, seen))
            length += len(seen)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, 60_000, 100):
        writer.extend(range(start, start + 50))
        for number in range(start + 50, start + 100):
            writer.append(number)
    ended.set()
    for thread in threads:
        thread.join()
    assert not failures


def call_each(*calls: Callable[[], object]) -> None:
    """From C, so that no other thread runs between the calls, and no signal handler, but where a call lets them."""
    call: Callable[[Callable[[], object]], object] = operator.call
    list(map(call, calls))


@pytest.mark.in_child
@pytest.mark.parametrize("verb", ["prefault", "lock"])
def test_making_memory_lets_other_threads_run(verb: str) -> None:
    """They can append and grow meanwhile. As many calls are made as it takes to see one in the middle of another."""
    size = lockable_bytes(64 << 20)
    made: list[Array] = []
    seen: list[int] = []

    def append() -> None:
        while not seen:
            for each in made[-1:]:
                before = each.map().committed
                each.append(1)
                if is_at_work.is_set() and before < size:
                    seen.append(before)

    is_at_work = threading.Event()
    thread = threading.Thread(target=append)
    thread.start()
    for _ in range(100):
        made.append(vmem.Array("B", shared=True, capacity=2 * size))
        call = functools.partial(getattr(made[-1], verb), size)
        call_each(is_at_work.set, call, is_at_work.clear)
        assert made.pop().map().committed >= size
        if seen:
            break
    seen.append(0)
    thread.join()
    assert seen[0] < size
    assert len(seen) > 1


@pytest.mark.in_child
def test_a_signal_handler_that_raises_when_there_is_memory() -> None:
    """Nothing is committed, but the memory is there, so that the next call takes less time."""
    writer: Array = vmem.Array("d", shared=True)
    reader = attach_array(writer)

    def handle(number: int, frame: object) -> None:
        raise KeyError("from a handler")

    before = writer.map().committed
    previous = signal.signal(signal.SIGINT, handle)
    try:
        with pytest.raises(KeyError):
            call_each(_thread.interrupt_main, functools.partial(writer.prefault, 1 << 20))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert writer.map().committed == before
    writer.prefault(1 << 20)
    writer.extend(range(1 << 20))
    assert reader[-1] == (1 << 20) - 1
