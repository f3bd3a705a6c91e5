"""What is in the file while an array grows, after flush() and close(), and what outlives them."""

from __future__ import annotations

import contextlib
import gc
import os
import weakref
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.files import PUBLISHES, count_descriptors, count_maps_of, read_open, untouched
from tests.support.marks import linux_only, posix_only

MIB = 1 << 20


def read(path: Path, num_bytes: int = -1) -> bytes:
    with path.open("rb") as file:
        return file.read(num_bytes)


# --- growing ---


def test_items_are_in_the_file_at_once(path: Path) -> None:
    """Its pages are the memory of the array: nothing has to be written for other programs to see them."""
    with vmem.open_array(path, "q", mode="x") as made:
        for number in range(3000):
            made.append(number)
            if number % 1000 == 7:
                assert read(path, 8 * len(made)) == array("q", range(number + 1)).tobytes()
        made[5] = -1
        assert read(path)[40:48] == b"\xff" * 8


def test_its_size_is_a_whole_number_of_rows_at_every_moment(path: Path, page: int) -> None:
    with vmem.open_array(path, "d", mode="x") as made:
        for _ in range(200):
            made.frombytes(bytes(8 * 777))
            size = path.stat().st_size
            assert size % 8 == 0
            assert size >= 8 * len(made)


def test_growth_in_steps(path: Path) -> None:
    """The file is not made longer for every item, and never much longer than its items."""
    with vmem.open_array(path, "q", mode="x") as made:
        sizes = set()
        for number in range(200_000):
            made.append(number)
            if number % 16 == 0:
                sizes.add(path.stat().st_size)
        assert len(sizes) < 200 or not PUBLISHES
        assert max(sizes) <= max(4 * 8 * 200_000, 16 * MIB)
    assert path.stat().st_size == 8 * 200_000


def test_addresses_stay(path: Path) -> None:
    with vmem.open_array(path, "d", mode="x", capacity=16 * MIB) as made:
        made.extend([1.0, 2.0])
        address, _ = made.buffer_info()
        early, seen = memoryview(made), np.asarray(made)
        made.frombytes(bytes(64 * MIB))
        assert made.buffer_info()[0] == address == seen.ctypes.data
        made[0] = 5.0
        assert early.tolist() == seen.tolist() == [5.0, 2.0]
        seen[1] = 7.0
        made.flush()
        assert read(path, 16) == array("d", [5.0, 7.0]).tobytes()


@linux_only
def test_it_is_one_mapping(path: Path) -> None:
    with vmem.open_array(path, "d", mode="x", capacity=4 * MIB) as made:
        for _ in range(100):
            made.frombytes(bytes(MIB // 4))
            made.flush(durable=False)
        assert 1 <= count_maps_of(path) <= 2


def test_every_way_to_add_items(path: Path) -> None:
    expected = array("i")
    with vmem.open_array(path, "i", mode="x") as made:
        for each in (expected, made):
            each.append(1)
            each.extend([2, 3])
            each.extend(array("i", range(5000)))
            each.frombytes(array("i", [7, 8]).tobytes())
            each.fromlist([9])
        made.extend(number for number in range(3))
        made.extend(np.arange(4, dtype="int64"))
        made += vmem.Array("i", [4, 5])
        made.extend(made)
        expected.extend([*range(3), *range(4), 4, 5])
        expected.extend(expected)
        assert made.tobytes() == expected.tobytes()
        made[3:5] = vmem.Array("i", [-3, -4])
        expected[3:5] = array("i", [-3, -4])
    assert read(path) == expected.tobytes()


def test_an_iterator_that_fails(path: Path) -> None:
    """What it gave before is there, as in every array."""

    def give() -> Any:
        yield 1.0
        yield 2.0
        raise KeyError(3)

    with vmem.open_array(path, "d", mode="x") as made, pytest.raises(KeyError):
        made.extend(give())
    assert read(path) == array("d", [1.0, 2.0]).tobytes()


def test_an_item_of_the_wrong_type_adds_nothing(path: Path) -> None:
    with vmem.open_array(path, "b", mode="x") as made:
        made.append(1)
        for wrong in ("x", 1000, None):
            with pytest.raises((TypeError, OverflowError)):
                made.append(wrong)  # type: ignore[arg-type]
    assert read(path) == b"\x01"


# --- flush ---


@pytest.mark.parametrize("durable", [True, False])
def test_the_size_is_exact_after_flush(path: Path, page: int, durable: bool) -> None:
    with vmem.open_array(path, "B", mode="x") as made:
        for num_bytes in (1, page - 1, 1, page, 3 * page + 5, 0, 2 * MIB):
            made.frombytes(os.urandom(num_bytes))
            made.flush(durable=durable)
            assert read_open(path, len(made)) == made.tobytes()
            made.append(1)  # into memory that the file must have again
            assert read(path, len(made)) == made.tobytes()


def test_flush_of_nothing_new(path: Path) -> None:
    with vmem.open_array(path, "d", mode="x") as made:
        made.flush()
        made.append(1.0)
        made.flush()
        made.flush()
        made.flush(durable=False)
        assert read_open(path, 8) == array("d", [1.0]).tobytes()


def test_flush_of_what_may_only_be_read(path: Path) -> None:
    """It has nothing to write."""
    path.write_bytes(bytes(8))
    with untouched(path), vmem.open_array(path, "d") as made:
        made.flush()
        made.flush(durable=False)


def test_durable_takes_a_keyword(path: Path) -> None:
    with vmem.open_array(path, "d", mode="x") as made:
        call: Any = made.flush
        for arguments, keywords in (((True,), {}), ((), {"durably": True}), ((), {"durable": 1, "x": 2})):
            with pytest.raises(TypeError):
                call(*arguments, **keywords)

        class Bad:
            def __bool__(self) -> bool:
                raise KeyError(5)

        with pytest.raises(KeyError):
            call(durable=Bad())


# --- close ---


def test_close_makes_the_size_exact(path: Path) -> None:
    made = vmem.open_array(path, "d", mode="x")
    made.extend(range(1000))
    made.close()
    assert read(path) == array("d", range(1000)).tobytes()


def test_what_a_closed_array_can_do(path: Path) -> None:
    """It can be read: its memory stays as long as it does. Whatever would change or write the file is refused."""
    made = vmem.open_array(path, "d", mode="x")
    made.extend([1.0, 2.0, 3.0])
    view = memoryview(made)
    made.close()
    made.close()
    assert made.tolist() == [1.0, 2.0, 3.0]
    assert (len(made), made[1], 2.0 in made, made.typecode) == (3, 2.0, True, "d")
    assert made[1:].tolist() == [2.0, 3.0]
    assert np.asarray(made).sum() == 6.0
    assert "d" in repr(made)
    assert view.tolist() == [1.0, 2.0, 3.0]
    assert made.readonly
    assert memoryview(made).readonly
    for call in (
        lambda: made.append(1.0),
        lambda: made.extend([1.0]),
        lambda: made.frombytes(bytes(8 * 100_000)),
        lambda: made.__setitem__(0, 5.0),
        made.flush,
        made.__enter__,
    ):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert read(path, 24) == array("d", [1.0, 2.0, 3.0]).tobytes()


@posix_only
def test_close_lets_somebody_else_write(path: Path) -> None:
    made = vmem.open_array(path, "d", mode="x")
    made.extend([1.0, 2.0])
    view = memoryview(made)
    made.close()
    with vmem.open_array(path, "d", mode="r+") as other:
        other[0] = 5.0
        other.frombytes(bytes(4 * MIB))
    assert len(made) == len(view) == 2
    assert view[0] == made[0] == 5.0, "it is the same memory"


def test_an_array_that_is_dropped_is_closed(path: Path) -> None:
    """With its last view. The file has its items and its size, and somebody else may write."""
    made = vmem.open_array(path, "d", mode="x")
    made.extend(range(1000))
    view, seen = memoryview(made), np.asarray(made)
    del made
    gc.collect()
    assert view.tolist() == seen.tolist() == list(range(1000))
    with pytest.raises(BlockingIOError):
        vmem.open_array(path, "d", mode="a")
    seen[0] = 0.0
    del view, seen
    gc.collect()
    assert read(path) == array("d", range(1000)).tobytes()
    vmem.open_array(path, "d", mode="a").close()


def test_leaving_with_an_exception_closes(path: Path) -> None:
    with pytest.raises(KeyError), vmem.open_array(path, "d", mode="x") as made:
        made.append(1.0)
        raise KeyError(5)
    assert read(path) == array("d", [1.0]).tobytes()
    with pytest.raises(ValueError, match="closed"):
        made.append(2.0)


def test_cycles(path: Path) -> None:
    class Held(list[Any]):
        pass

    held = Held([vmem.open_array(path, "d", mode="x")])
    held[0].append(1.0)
    held.append(held)
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None
    assert read(path) == array("d", [1.0]).tobytes()


def test_deleted_files(path: Path) -> None:
    """The array goes on; there is nothing to find afterwards."""
    made = vmem.open_array(path, "d", mode="x")
    made.append(1.0)
    try:
        path.unlink()
    except PermissionError:  # Windows
        made.close()
        return
    made.frombytes(bytes(MIB))
    made.flush()
    assert len(made) == 1 + MIB // 8
    made.close()
    del made
    assert not path.exists()


def test_renamed_files(path: Path, tmp_path: Path) -> None:
    made = vmem.open_array(path, "d", mode="x")
    try:
        path.rename(tmp_path / "other")
    except PermissionError:  # Windows
        made.close()
        return
    path.write_bytes(b"somebody else's")
    made.frombytes(bytes(MIB))
    made.close()
    assert (tmp_path / "other").stat().st_size == MIB
    assert path.read_bytes() == b"somebody else's"


# --- what it takes, and gives back ---


@linux_only
def test_nothing_is_left(path: Path) -> None:
    """Neither a descriptor nor a mapping, of arrays that were closed, dropped, or refused."""
    path.write_bytes(bytes(7))

    def use() -> None:
        for mode in ("w+", "a", "r+", "r"):
            made: Any = vmem.open_array(path, "d", mode=mode)
            if mode != "r":
                made.extend([1.0] * 1000)
            view = memoryview(made)
            if mode != "a":
                made.close()
            with pytest.raises((OSError, ValueError, TypeError)):
                vmem.open_array(path, "d" if mode == "a" else "?", mode="a")
            del made
            assert view[0] == 1.0
            del view
            gc.collect()

    use()
    before = count_descriptors()
    for _ in range(20):
        use()
    assert count_descriptors() == before
    assert count_maps_of(path) == 0


@linux_only
def test_close_closes_the_descriptor(path: Path) -> None:
    before = count_descriptors()
    made = vmem.open_array(path, "d", mode="x")
    made.append(1.0)
    assert count_descriptors() == before + 2, "that of the folder, too, until flush()"
    made.close()
    assert count_descriptors() == before
    assert count_maps_of(path) >= 1
    del made
    assert count_maps_of(path) == 0


@linux_only
@pytest.mark.parametrize("mode", ["a", "r"])
def test_the_descriptor_is_not_inherited(path: Path, mode: Any) -> None:
    path.write_bytes(bytes(8))
    with vmem.open_array(path, "d", mode=mode):
        assert not os.get_inheritable(find_descriptor(path))


@linux_only
@pytest.mark.in_child
def test_descriptors_that_somebody_closed(path: Path, tmp_path: Path) -> None:
    """Its number can be that of another file by now, which an array must neither grow nor close."""
    made = vmem.open_array(path, "d", mode="x", capacity=4 * MIB)
    made.extend([1.0, 2.0])
    view = memoryview(made)
    first = find_descriptor(path)
    os.closerange(first, first + 1)
    other = os.dup2(os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT), first)
    os.write(other, b"12345")
    with pytest.raises(OSError, match=r"descriptor|changed|closed"):
        made.frombytes(bytes(16 * MIB))
    for durable in (True, False):
        with pytest.raises(OSError, match=r"descriptor|changed|closed"):
            made.flush(durable=durable)
    assert made.tolist() == view.tolist() == [1.0, 2.0]
    with contextlib.suppress(OSError):
        made.close()
    del made
    gc.collect()
    assert os.fstat(other).st_size == 5
    assert os.pread(other, 5, 0) == b"12345"
    assert view.tolist() == [1.0, 2.0]


def find_descriptor(path: Path) -> int:
    """The descriptor that this process has of a file."""
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # of the listing
            if each.readlink() == path:
                return int(each.name)
    raise AssertionError(path)
