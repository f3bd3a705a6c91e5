"""Small arrays lie on the heap until they outgrow it or their address is given out. Nobody can tell that they moved."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.marks import linux_only, on_heap_only
from tests.support.processes import run_python
from tests.support.twin_arrays import TYPECODES
from vmem import _vmem

LIMIT = _vmem.ARRAY_HEAP_BYTES


def count_reservations(make: Callable[[], object]) -> int:
    before = _vmem.get_limits()["mapping_used"] or 0
    made = make()
    after = _vmem.get_limits()["mapping_used"] or 0
    del made
    return after - before


# --- what it costs ---


@on_heap_only
def test_more_arrays_than_there_can_be_mappings() -> None:
    values = [float(number) for number in range(10)]
    arrays = [vmem.Array("d", values) for _ in range(100_000)]
    assert all(sys.getsizeof(each) <= 200 for each in arrays)
    assert arrays[0] == arrays[-1] == array_of(values)


def array_of(values: list[float]) -> vmem.Array[float]:
    return vmem.Array("d", values)


@on_heap_only
@linux_only
@pytest.mark.exact_memory
def test_arrays_that_are_not_shown_take_no_mappings() -> None:
    def make() -> list[vmem.Array[int]]:
        made = [vmem.Array("i", range(100)) for _ in range(1000)]
        for each in made:
            each.append(1)
            each.extend(each[:50] + each * 2)
            del each[10:20]
            each.reverse()
        assert all(each.capacity > 1 << 17 for each in made)
        return made

    assert count_reservations(make) < 100
    assert count_reservations(lambda: [memoryview(each) for each in make()]) >= 1000


@on_heap_only
def test_shrinking_frees_what_is_not_used() -> None:
    made = vmem.Array("d", list(range(1000)))
    del made[10:]
    before = sys.getsizeof(made)
    made.shrink_to_fit()
    assert sys.getsizeof(made) == before - 990 * 8
    assert made.tolist() == list(range(10))
    made.clear()
    made.shrink_to_fit()
    assert sys.getsizeof(made) == sys.getsizeof(vmem.Array("d"))
    made.append(1)
    assert made.tolist() == [1]


# --- addresses ---


@pytest.mark.parametrize("length", [0, 1, 2, 7, 8, 9, 1000, 8191, 8192, 8193, 20_000])
def test_an_early_view_survives_growth(length: int) -> None:
    made = vmem.Array("d", range(length))
    early = memoryview(made)
    address = made.buffer_info()[0]
    for _ in range(20):
        made.extend(range(3000))
        assert made.buffer_info()[0] == address
    assert early.tolist() == list(range(length))
    if length:
        made[0] = 77
        assert early[0] == 77


@pytest.mark.parametrize("typecode", TYPECODES)
def test_items_are_kept_when_the_array_is_first_shown(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, range(100))
    view = memoryview(made)
    assert view.format == typecode
    assert view.tolist() == list(range(100)) == made.tolist()


def test_many_threads_see_one_address() -> None:
    """Without the GIL they show it at the same time: the first reserves, and the others must not."""
    for _ in range(50):
        made, barrier = vmem.Array("i", range(10)), Barrier(4)

        def show(made: vmem.Array[int] = made, barrier: Barrier = barrier) -> int:
            barrier.wait()
            return made.buffer_info()[0]

        with ThreadPoolExecutor(4) as pool:
            addresses = {future.result() for future in [pool.submit(show) for _ in range(4)]}
        assert addresses == {made.buffer_info()[0]}
        assert made.tolist() == list(range(10))


# --- growing ---

LENGTHS = [0, 1, 3, 100, LIMIT // 8 - 1, LIMIT // 8, LIMIT // 8 + 1, 8191, 8192, 8193]


def splice_itself(made: Any, start: int, stop: int) -> None:
    made[start:stop] = made


GROWING: dict[str, Callable[[Any], object]] = {
    "a[:] = a": lambda made: splice_itself(made, 0, len(made)),
    "a[1:2] = a": lambda made: splice_itself(made, 1, 2),
    "a[0:0] = a": lambda made: splice_itself(made, 0, 0),
    "a[n:] = a": lambda made: splice_itself(made, len(made), len(made)),
    "a[3:1] = a": lambda made: splice_itself(made, 3, 1),
    "extend(a)": lambda made: made.extend(made),
    "a *= 3": lambda made: made.__imul__(3),
    "a *= 0": lambda made: made.__imul__(0),
    "frombytes": lambda made: made.frombytes(made.tobytes()),
    "insert": lambda made: made.insert(len(made) // 2, 5),
    "fromlist": lambda made: made.fromlist([1.5] * 5000),
    "append": lambda made: [made.append(number) for number in range(5000)],
    "extend from an iterator": lambda made: made.extend(iter(range(5000))),
    "a + a": lambda made: made + made,
    "a[::2]": lambda made: made[::2],
}


@pytest.mark.parametrize("length", sorted({max(length, 0) for length in LENGTHS}))
@pytest.mark.parametrize("name", GROWING)
def test_growing_is_that_of_array_array(name: str, length: int) -> None:
    ours, theirs = vmem.Array("d", range(length)), array.array("d", range(length))
    for _ in range(2):
        got, expected = GROWING[name](ours), GROWING[name](theirs)
        assert ours.tolist() == theirs.tolist()
        if isinstance(expected, array.array):
            assert isinstance(got, vmem.Array)
            assert got.tolist() == expected.tolist()
    early = memoryview(ours)
    GROWING[name](ours) if name != "a *= 0" else None
    assert early.tolist() == ours[: len(early)].tolist()


def test_the_capacity_is_what_would_be_reserved_now() -> None:
    made = vmem.Array("d", range(10))
    capacity = made.capacity
    assert capacity > 1 << 16
    made.buffer_info()
    assert made.capacity >= capacity * 15 // 16
    assert vmem.Array("d", capacity=7).capacity == 7


# --- when addresses are refused ---


@on_heap_only
@linux_only
@pytest.mark.exact_memory
@pytest.mark.parametrize(
    "call",
    ["memoryview(small)", "small.buffer_info()", "small.map()", "np.asarray(small)", "np.array(small)",
     "np.asarray(small, dtype='f4')", "np.sum(small)", "small.extend(large)"],
)  # fmt: skip
def test_what_needs_addresses_raises_and_changes_nothing(call: str) -> None:
    """NumPy copies the items one by one when it gets no buffer: it must hear of the refusal."""
    run_python(
        f"""
        import resource, numpy as np, vmem
        from vmem import _vmem
        small, large = vmem.Array("B", b"abc" * 4), bytes(1 << 17)
        used = _vmem.get_limits()["address_space_used"]
        resource.setrlimit(resource.RLIMIT_AS, (used, -1))
        for _ in range(2):
            try:
                {call}
            except vmem.OutOfMemoryError as error:
                assert "cannot reserve" in str(error) or "cannot grow" in str(error), error
                assert "ulimit -v" in str(error), error
            else:
                raise SystemExit("it did not raise")
            assert small.tobytes() == b"abc" * 4 and small[0] == 97
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        assert bytes(memoryview(small)) == b"abc" * 4
        small.extend(large)
        """
    )


def test_numpy_shares_the_items() -> None:
    made = vmem.Array("d", range(10))
    if_needed: Any = None if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else False
    for shared in (np.asarray(made), made.__array__(), np.array(made, copy=if_needed)):
        made[0] += 1
        assert shared[0] == made[0]
    copy = made.__array__(copy=True)
    made[0] = -1
    assert copy[0] != -1
    assert made.__array__("f4").dtype == np.float32


@pytest.mark.parametrize("typecode", TYPECODES)
def test_buffers_of_more_items_than_there_are_addresses(typecode: str) -> None:
    """Their stride is 0, so that they take no memory."""
    itemsize = array.array(typecode).itemsize
    for length in (sys.maxsize // itemsize, sys.maxsize // itemsize // 2, (sys.maxsize + 1) // 4 // itemsize + 512):
        endless = np.broadcast_to(np.int8(1), (length,))
        with pytest.raises(MemoryError):
            vmem.Array(typecode, endless)
        made: vmem.Array[Any] = vmem.Array(typecode, [1])
        with pytest.raises(MemoryError):
            made *= length
        with pytest.raises(MemoryError):
            made * sys.maxsize
        assert made.tolist() == [1]


@on_heap_only
def test_an_assignment_that_fails_reserves_nothing() -> None:
    made = vmem.Array("b", range(10))
    before = made.__sizeof__()
    with pytest.raises(ValueError, match="attempt to assign array of size 65536 to extended slice of size 5"):
        made[::2] = vmem.Array("b", bytes(1 << 16))
    assert made.__sizeof__() == before


@linux_only
@pytest.mark.exact_memory
def test_the_default_capacity_follows_the_limit() -> None:
    run_python(
        """
        import resource, vmem
        from vmem import _vmem
        def show():
            made = vmem.Array("d", [1])
            made.buffer_info()
            return made.capacity
        unlimited = show()
        resource.setrlimit(resource.RLIMIT_AS, (_vmem.get_limits()["address_space_used"] + (1 << 30), -1))
        limited = [show() for _ in range(3)]
        assert all(each <= (1 << 27) // 8 for each in limited), limited
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        assert show() >= unlimited * 15 // 16
        """
    )
