"""How much an array can hold, what memory it takes for that, and what it gives back."""

from __future__ import annotations

import ctypes
import errno
import operator
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import SLACK, details_in, mappings_in, status_bytes
from tests.support.twin_arrays import add_in_place, multiply_in_place

pytestmark = pytest.mark.in_child

Change = Callable[[Any], object]

# --- capacity ---


@pytest.mark.many_addresses
def test_capacity_is_what_was_asked_for() -> None:
    for capacity in (1, 5, 1000, 123_457, 1 << 40):
        assert vmem.Array("d", capacity=capacity).capacity == capacity
    assert vmem.Array("d", capacity=Index(7)).capacity == 7
    assert vmem.Array("d", [1, 2], capacity=None).capacity >= 2


@pytest.mark.many_addresses
def test_bad_capacities() -> None:
    for capacity in (-1, 2**63 - 1, 2**62, 2**64, -(2**70)):
        with pytest.raises(ValueError, match="capacity must"):
            vmem.Array("d", capacity=capacity)
    for wrong in (1.5, "1", b"", [1]):
        with pytest.raises(TypeError, match="capacity must be an integer"):
            vmem.Array("d", capacity=wrong)  # type: ignore[call-overload]
    with pytest.raises(vmem.OutOfMemoryError, match="cannot reserve"):
        vmem.Array("d", capacity=1 << 58)


@pytest.mark.many_addresses
def test_a_refused_capacity_is_told_as_it_was_given() -> None:
    for capacity in (2**62, 2**63, 2**64 - 1):
        with pytest.raises(ValueError, match=rf"^capacity must be from 0 to \d+ items of 8 bytes, got {capacity}$"):
            vmem.Array("q", capacity=capacity)


@pytest.mark.many_addresses
@pytest.mark.parametrize("count", [2**61, 2**62, 2**63 - 1])
def test_more_than_can_be_counted(count: int) -> None:
    made = vmem.Array("q", [1, 2])
    with pytest.raises(vmem.OutOfMemoryError, match=f"cannot make an array of {count} times 2 items"):
        made * count
    with pytest.raises(vmem.OutOfMemoryError, match="cannot grow an array with a capacity of"):
        made *= count
    assert made.tolist() == [1, 2]


def test_no_capacity_at_all() -> None:
    made = vmem.Array("i", capacity=0)
    assert (made.capacity, len(made), memoryview(made).nbytes) == (0, 0, 0)
    with pytest.raises(vmem.OutOfMemoryError):
        made.append(1)
    made.extend([])
    made.shrink_to_fit()
    assert made == vmem.Array("i")


def test_an_initializer_that_does_not_fit() -> None:
    for initializer in ([1, 2, 3], b"\1\2\3", iter([1, 2, 3]), vmem.Array("B", [1, 2, 3])):
        with pytest.raises(vmem.OutOfMemoryError, match="capacity of 2 items"):
            vmem.Array("B", initializer, capacity=2)
    assert vmem.Array("B", [1, 2], capacity=2).tolist() == [1, 2]


OVERFLOWING: dict[str, Change] = {
    "append": lambda made: made.append(1),
    "insert": lambda made: made.insert(0, 1),
    "extend": lambda made: made.extend(vmem.Array("i", [1])),
    "extend from a buffer": lambda made: made.extend(memoryview(made)),
    "extend from itself": lambda made: made.extend(made),
    "fromlist": lambda made: made.fromlist([1]),
    "frombytes": lambda made: made.frombytes(bytes(4)),
    "add": lambda made: add_in_place(made, made),
    "multiply": lambda made: multiply_in_place(made, 2),
    "multiply by far too much": lambda made: multiply_in_place(made, 2**50),
    "slice": lambda made: operator.setitem(made, slice(3, 5), made[:3]),
}


@pytest.mark.many_addresses
@pytest.mark.parametrize("name", OVERFLOWING)
def test_a_full_array_refuses_and_keeps_all(name: str) -> None:
    made = vmem.Array("i", range(10), capacity=10)
    view = memoryview(made)
    with pytest.raises(vmem.OutOfMemoryError) as raised:
        OVERFLOWING[name](made)
    assert raised.value.errno == errno.ENOMEM
    assert re.search(
        r"cannot grow an array with a capacity of 10 items to \d+; make it with a larger capacity=", str(raised.value)
    )
    assert made.tolist() == view.tolist() == list(range(10))
    view.release()
    made.pop()
    made.append(9)
    assert made.tolist() == list(range(10))


def test_what_an_iterator_gave_until_the_array_was_full_stays() -> None:
    made = vmem.Array("i", [0], capacity=5)
    numbers = iter(range(1, 100))
    with pytest.raises(vmem.OutOfMemoryError):
        made.extend(numbers)
    assert made.tolist() == [0, 1, 2, 3, 4]
    assert next(numbers) == 6


@pytest.mark.many_addresses
def test_the_default_capacity_follows_memory_and_initializer() -> None:
    total = vmem.memory_info().total
    made = vmem.Array("B")
    assert made.capacity <= total
    assert vmem.Array("d").capacity <= made.capacity // 8
    assert made.capacity >= 1 << 30 or made.capacity >= total // 2


def test_copies_hold_as_much_as_a_new_array() -> None:
    made = vmem.Array("b", [1, 2], capacity=2)
    for copied in (made[:], made + made, made * 5, pickle.loads(pickle.dumps(made))):
        copied.extend(range(100))


# --- many arrays ---


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_ten_thousand_arrays_leave_room_for_everything_else() -> None:
    run_python(
        """
        import threading, vmem
        arrays = [vmem.Array("d", [number]) for number in range(10_000)]
        large = vmem.reserve(1 << 40)
        large.commit(1 << 39, 1 << 20)
        threads = [threading.Thread(target=bytearray, args=(1 << 20,)) for _ in range(50)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        for number, each in enumerate(arrays):
            each.append(number)
            assert each.tolist() == [number, number]
        """
    )


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_five_arrays_under_a_limit_leave_room_for_everything_else() -> None:
    run_python(
        """
        import resource, threading, vmem
        from vmem import _vmem
        resource.setrlimit(resource.RLIMIT_AS, (_vmem.get_limits()["address_space_used"] + (2 << 30), -1))
        arrays = [vmem.Array("d", range(10_000)) for _ in range(5)]
        assert all(each.capacity >= 1 << 20 for each in arrays)
        threads = [threading.Thread(target=bytearray, args=(1 << 20,)) for _ in range(5)]
        [thread.start() for thread in threads]  # malloc() may take 64 MiB for each, beside its stack
        [thread.join() for thread in threads]
        vmem.reserve(512 << 20).commit()
        bytearray(32 << 20)
        assert sum(map(sum, arrays)) == 5 * sum(range(10_000))
        """
    )


# --- memory ---


def resident_in(start: int, size: int) -> int:
    """How many bytes of memory the pages of a range of addresses have, as the kernel tells of each."""
    page = vmem.get_page_size()
    pages = ctypes.create_string_buffer(-(-size // page))
    assert ctypes.CDLL(None).mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), pages) == 0
    return page * sum(each & 1 for each in pages.raw)


def writable_in(made: vmem.Array[Any]) -> int:
    """How many of an array's bytes are committed, as the kernel's mappings tell. Neighbours are clipped."""
    start, end = made.buffer_info()[0], made.buffer_info()[0] + made.capacity * made.itemsize
    return sum(
        min(last, end) - max(first, start)
        for first, last, permissions in mappings_in(start, end - start)
        if permissions == "rw-p"
    )


@linux_only
def test_a_small_array_costs_one_page(page: int) -> None:
    made = vmem.Array("d", range(10), capacity=1 << 20)
    assert writable_in(made) == page
    assert resident_in(made.buffer_info()[0], page) == page
    empty = vmem.Array("d", capacity=1 << 20)
    assert writable_in(empty) == 0


@pytest.mark.many_addresses
@linux_only
def test_memory_doubles_while_an_array_is_small(page: int) -> None:
    made = vmem.Array("B", capacity=1 << 30)
    steps = set()
    for _ in range(64 * page):
        made.append(1)
        if len(made) % page == 1:
            steps.add(writable_in(made))
    assert steps == {page << step for step in range(7)}


def test_memory_does_not_double_when_an_array_is_large() -> None:
    """Beyond 8 MiB it grows by that, up to the next multiple of 2 MiB."""
    made, chunk = vmem.Array("q", capacity=8 << 20), bytes(1 << 18)
    steps = 0
    before = committed = made.map().committed
    while committed < 48 << 20:
        made.frombytes(chunk)
        before, committed = committed, made.map().committed
        if committed != before and before >= 8 << 20:
            steps += 1
            assert 8 << 20 <= committed - before <= 10 << 20
    assert steps >= 4


@pytest.mark.many_addresses
@linux_only
def test_shrink_to_fit_gives_memory_back(page: int) -> None:
    made = vmem.Array("B", b"x" * (32 << 20), capacity=1 << 30)
    address = made.buffer_info()[0]
    assert resident_in(address, 1 << 30) >= 32 << 20
    del made[2 * page + 1 :]
    assert writable_in(made) >= 32 << 20
    early = memoryview(made)
    made.shrink_to_fit()
    assert writable_in(made) == 3 * page
    assert permissions_after(made, 3 * page) == "---p"
    assert early.tobytes() == made.tobytes() == b"x" * (2 * page + 1)
    assert resident_in(address, 3 * page) <= 3 * page
    made.shrink_to_fit()
    made.extend(b"y" * (8 << 20))
    assert made.tobytes() == b"x" * (2 * page + 1) + b"y" * (8 << 20)
    early.release()
    made.clear()
    made.shrink_to_fit()
    assert writable_in(made) == 3 * page, "what was exported stays usable"
    assert resident_in(address, 1 << 30) == 0
    made.append(5)
    assert made.tolist() == [5]


@linux_only
def test_shrink_to_fit_empties_what_was_ever_exported(page: int) -> None:
    """Who has kept the array but not its buffer then sees zeros, where decommitted pages would be a crash."""
    made = vmem.Array("B", b"x" * (16 << 20), capacity=1 << 28)
    base = made.buffer_info()[0]
    memoryview(made).release()
    made.extend(b"y" * (16 << 20))
    del made[page + 1 :]
    made.shrink_to_fit()
    assert writable_in(made) == 16 << 20
    assert permissions_after(made, 16 << 20) == "---p"
    assert resident_in(base, 1 << 28) <= 2 * page
    assert made.tobytes() == b"x" * (page + 1)
    assert ctypes.string_at(base + 2 * page, (16 << 20) - 2 * page) == bytes((16 << 20) - 2 * page)


def permissions_after(made: vmem.Array[Any], offset: int) -> str:
    return mappings_in(made.buffer_info()[0] + offset, 1)[0][2]


@linux_only
@pytest.mark.parametrize("num_bytes", [1, 10_000, 50_000, 450_000])
def test_only_pages_with_items_are_in_memory(num_bytes: int, page: int) -> None:
    """However many come at once, and after others went. Less than a huge page, which some systems use unasked."""
    made = vmem.Array("B", capacity=1 << 24)
    for _ in range(2):
        for _ in range(2):
            made.frombytes(b"x" * num_bytes)
            made.append(7)
            assert resident_in(made.buffer_info()[0], 1 << 24) == vmem.align_forward(len(made), page)
        assert made.tobytes() == 2 * (b"x" * num_bytes + b"\7")
        made.clear()
        made.shrink_to_fit()


@linux_only
@pytest.mark.skipif(vmem.get_huge_page_size() == 0, reason="this system has no huge pages for ordinary memory")
@pytest.mark.parametrize("is_arena", [False, True], ids=["Array", "Arena"])
def test_only_large_structures_ask_for_huge_pages(is_arena: bool, page: int) -> None:
    """From 8 MiB on. In a smaller one, a single item could take 2 MiB."""
    array, arena = vmem.Array("B", capacity=64 << 20), vmem.Arena(64 << 20)
    address = (arena if is_arena else array).map().address

    def add(num_bytes: int) -> None:
        if is_arena:
            arena.alloc(num_bytes)
        else:
            array.frombytes(bytes(num_bytes))

    def has_advice() -> bool:
        return any("hg" in each.fields["VmFlags"].split() for each in details_in(address, 64 << 20))

    add((8 << 20) - page)
    assert not has_advice()
    add(page)
    assert has_advice()


@linux_only
@pytest.mark.exact_memory
def test_shrink_to_fit_returns_the_charge() -> None:
    made = vmem.Array("d", bytes(64 << 20))
    charged = status_bytes("VmData")
    made.clear()
    assert abs(status_bytes("VmData") - charged) < SLACK
    made.shrink_to_fit()
    assert charged - status_bytes("VmData") >= (64 << 20) - SLACK


@linux_only
@pytest.mark.exact_memory
def test_shrink_to_fit_keeps_the_charge_of_what_was_exported() -> None:
    made = vmem.Array("d", bytes(64 << 20))
    memoryview(made).release()
    charged = status_bytes("VmData")
    made.clear()
    made.shrink_to_fit()
    assert status_bytes("VmData") > charged - (16 << 20)


@linux_only
@pytest.mark.exact_memory
def test_a_dropped_array_gives_everything_back() -> None:
    made = vmem.Array("d", bytes(64 << 20))
    charged, addresses, capacity = status_bytes("VmData"), status_bytes("VmSize"), made.capacity * 8
    del made
    assert charged - status_bytes("VmData") >= (64 << 20) - SLACK
    assert addresses - status_bytes("VmSize") >= capacity - SLACK


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_a_gigabyte_under_a_view_of_the_first_item() -> None:
    made = vmem.Array("q", [42], capacity=1 << 30)
    address = made.buffer_info()[0]
    view, shared = memoryview(made), np.asarray(made)
    chunk = np.arange(1 << 17, dtype="q").tobytes()
    for number in range(1 << 10):
        made.frombytes(chunk)
        made[0] = number
        assert view[0] == shared[0] == number
    assert len(made) == (1 << 27) + 1
    assert (made.buffer_info()[0], shared.ctypes.data) == (address, address)
    assert [made[index] for index in (1, 2, (1 << 17) + 1, 1 << 27)] == [0, 1, 0, (1 << 17) - 1]
    assert resident_in(address, len(made) * 8) < 1.02 * len(made) * 8 + (16 << 20)


# --- refusals of the system ---


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_the_data_limit() -> None:
    printed = run_python(
        """
        import resource, vmem
        from vmem import _vmem
        made = vmem.Array("B", b"x" * 100_000, capacity=1 << 30)
        view = memoryview(made)
        source = bytes(1 << 28)
        resource.setrlimit(resource.RLIMIT_DATA, (_vmem.get_limits()["data_used"] + (32 << 20), -1))
        def refuse(call):
            before = len(made)
            try:
                call()
            except vmem.OutOfMemoryError as error:
                print(error)
            else:
                raise SystemExit("it did not fail")
            assert len(made) == before
        refuse(lambda: made.extend(source))
        refuse(lambda: made.frombytes(source))
        refuse(lambda: made.__imul__(5000))
        assert made.tobytes() == view.tobytes() == b"x" * 100_000
        made.frombytes(bytes(1 << 20))
        spare = bytearray(8 << 20)
        try:
            while True:
                made.extend(memoryview(source)[:4096])
        except vmem.OutOfMemoryError as error:
            del spare  # so that Python can go on
            print(error)
        assert len(made) > 16 << 20, "it could not use what was left"
        assert bytes(view) == b"x" * 100_000 and made[-1] == 0
        view.release()
        del made[1000:]
        made.shrink_to_fit()
        made.frombytes(bytes(1 << 20))
        """
    )
    assert printed.count("of an array: the data limit (RLIMIT_DATA") == 4


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_the_address_space_limit() -> None:
    printed = run_python(
        """
        import resource, vmem
        from vmem import _vmem
        resource.setrlimit(resource.RLIMIT_AS, (_vmem.get_limits()["address_space_used"] + (1 << 30), -1))
        made = vmem.Array("d", [1, 2, 3])
        for call in (lambda: vmem.Array("d", capacity=1 << 30), lambda: made * (1 << 28)):
            try:
                call()
            except vmem.OutOfMemoryError as error:
                print(error)
            else:
                raise SystemExit("it did not fail")
        made.extend(range(1000))
        assert made[:3].tolist() == [1, 2, 3]
        """
    )
    assert printed.count("the address space limit (RLIMIT_AS") == 2
    assert printed.count("ask for a smaller capacity, or raise the limit") == 1
    assert printed.count("release what is not needed, or raise the limit") == 1


def test_growing_within_an_iterator_that_reads_the_array() -> None:
    made = vmem.Array("i", [1])

    def follow() -> Iterator[int]:
        while len(made) < 10_000:
            yield made[-1] + 1

    made.extend(follow())
    assert made.tolist() == list(range(1, 10_001))


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_less_would_take_one_mapping_too_many() -> None:
    """What an array would like to have joins the memory behind a hole; what it needs ends in the hole.

    The first is refused by RLIMIT_DATA, so the second is tried, which splits a mapping where there are none left.
    """
    run_python(
        """
        import _thread, contextlib, mmap, operator, resource, signal, vmem
        from tests.support.system import permissions_in, status_bytes

        def stop(number, frame):
            raise KeyboardInterrupt

        page, piece, huge_page = vmem.get_page_size(), 16 << 20, 2 << 20
        made = vmem.Array("B", capacity=1 << 28)
        made.frombytes(bytes(48 << 20))
        address, size = made.buffer_info()[0], made.capacity
        kept = (huge_page // 2 - address) % huge_page + huge_page
        del made[kept:]
        signal.signal(signal.SIGINT, stop)
        with contextlib.suppress(KeyboardInterrupt):
            list(map(operator.call, (_thread.interrupt_main, made.shrink_to_fit)))
        before = permissions_in(address, size)
        assert before[1] == (kept, kept + piece, "---p") and before[2][2] == "rw-p", before

        region, number = vmem.reserve(1 << 40), 0
        with contextlib.suppress(vmem.OutOfMemoryError):
            while True:
                region.commit(3 * number * page, 2 * page)
                number += 1
        others = [mmap.mmap(-1, page) for _ in range(50)]  # should the process itself give some back meanwhile
        with contextlib.suppress(vmem.OutOfMemoryError):
            region.protect(vmem.Protection.READ, 0, page)  # the last one that was counted as free, if there was any

        more = b"y" * (piece - page)
        limits = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (status_bytes("VmData") + piece // 2, limits[1]))
        try:
            made.frombytes(more)
        except vmem.OutOfMemoryError as error:
            assert f"cannot commit {piece - page} bytes at offset {kept} of an array: vm.max_map" in str(error), error
            assert "are kept for the rest of the process" in str(error), error
        else:
            raise SystemExit("a mapping too many was taken")
        assert len(made) == kept

        resource.setrlimit(resource.RLIMIT_DATA, limits)
        region.release()
        assert permissions_in(address, size) == before
        made.frombytes(more)
        assert made.tobytes() == bytes(kept) + more
        made.shrink_to_fit()
        assert permissions_in(address, size) == [(0, kept + piece - page, "rw-p"), (kept + piece - page, size, "---p")]
        """
    )
