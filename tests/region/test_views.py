from __future__ import annotations

import array
import ctypes
import io
import itertools
from typing import Any

import numpy as np
import pytest

import vmem

pytestmark = pytest.mark.in_child


def test_a_view_is_writable_memory(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    view = region.view(10, 20)
    assert (view.format, view.itemsize, view.ndim, view.shape, view.readonly) == ("B", 1, 1, (20,), False)
    assert view.c_contiguous
    view[0] = 200
    assert region[10] == 200
    region[11] = 100
    assert view[1] == 100


def test_defaults_cover_everything(region: vmem.Region, page: int) -> None:
    region.commit()
    assert region.view().nbytes == region.size
    assert region.view(page).nbytes == region.size - page
    assert region.view(num_bytes=5).nbytes == 5


def test_only_committed_bytes_are_viewed(region: vmem.Region, page: int) -> None:
    with pytest.raises(ValueError, match="byte 0 of this region is not committed"):
        region.view(0, 1)
    region.commit(0, page)
    region.commit(2 * page, page)
    with pytest.raises(
        ValueError, match=f"byte {page} of this region is not committed; commit\\({page}, 1\\) makes it usable"
    ):
        region.view(0, page + 1)
    with pytest.raises(
        ValueError, match=f"bytes {page} to {2 * page} of this region are not committed; commit\\({page}, {page}\\)"
    ):
        region.view(0, 3 * page)
    with pytest.raises(ValueError, match=f"bytes {3 * page} to {region.size} of this region are not committed"):
        region.view(2 * page)
    region.commit(page, page)
    assert region.view(0, 3 * page).nbytes == 3 * page


@pytest.mark.many_addresses
def test_views_stay_valid_while_the_region_grows(page: int) -> None:
    with vmem.reserve(1 << 34) as region:
        region.commit(0, 1)
        early = region.view(0, page)
        early[0:5] = b"early"
        for offset in range(0, 1 << 26, 1 << 22):
            region.commit(offset, 1 << 22)
            region[offset + page] = 1
        assert bytes(early[0:5]) == b"early"
        region[0:5] = b"later"
        assert bytes(early[0:5]) == b"later"
        early.release()


def test_a_view_across_commits(region: vmem.Region, page: int) -> None:
    for number in (3, 1, 2, 0):
        region.commit(number * page, page)
    view = region.view(0, 4 * page)
    view[:] = b"y" * (4 * page)
    assert bytes(region[3 * page : 4 * page]) == b"y" * page


def test_empty_views_need_nothing_committed(region: vmem.Region) -> None:
    for view in (region[5:5], region.view(region.size, 0), region.view(region.size), region[10:3]):
        assert view.nbytes == 0


def test_slices_of_a_view_pin_too(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    view = region[0:100]
    part = view[10:20]
    with pytest.raises(BufferError):
        region.release()
    with view, part:
        pass
    region.release()


def test_the_exporter_pins_as_long_as_it_lives(region: vmem.Region, page: int) -> None:
    """A consumer may drop its buffer and keep only the object that the buffer came from."""
    region.commit(0, page)
    view = region[0:10]
    exporter = view.obj
    view.release()
    with pytest.raises(BufferError):
        region.decommit()
    again = memoryview(exporter)
    again[3] = 8
    assert region[3] == 8
    del again, exporter
    region.decommit()


def test_the_exporter_cannot_be_made_by_hand(region: vmem.Region) -> None:
    region.commit()
    exporter = region[0:1].obj
    with pytest.raises(TypeError):
        type(exporter)()
    with pytest.raises(TypeError):
        object.__new__(type(exporter))


def test_a_region_is_no_buffer_itself(region: vmem.Region) -> None:
    region.commit()
    with pytest.raises(TypeError):
        memoryview(region)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        bytes(io.BytesIO(region))  # type: ignore[arg-type]


def test_many_views(region: vmem.Region, page: int) -> None:
    region.commit()
    views = [region[number : number + 1] for number in range(10_000)]
    with pytest.raises(BufferError, match="10000 views between bytes 0 and 10000 are alive"):
        region.decommit()
    del views[::2]
    with pytest.raises(BufferError, match="5000 views between bytes 1 and 10000 are alive"):
        region.decommit()
    for view in views:
        view.release()
    region.decommit()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_error_gives_the_range_that_contains_all_views(
    order: tuple[int, ...], region: vmem.Region, page: int
) -> None:
    region.commit()
    places = [(page + 7, 5), (2 * page, 1), (3 * page - 9, 9)]
    views = [region.view(*places[number]) for number in order]
    with pytest.raises(BufferError, match=f"3 views between bytes {page + 7} and {3 * page} are alive"):
        region.decommit(page, 3 * page)
    for view in views:
        view.release()


# --- readonly=True ---


def test_a_readonly_view_cannot_be_written_to(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    region[10:15] = b"hello"
    view = region.view(10, 5, readonly=True)
    assert (view.format, view.itemsize, view.shape, view.readonly, view.c_contiguous) == ("B", 1, (5,), True, True)
    assert bytes(view) == b"hello"
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1
    with pytest.raises(TypeError, match="read-only"):
        view[0:2] = b"ab"
    with pytest.raises(TypeError, match="read-only"):
        view[2:].cast("b")[0] = 1
    assert bytes(region[10:15]) == b"hello"


def test_a_readonly_view_shows_what_others_write(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    view, writable = region.view(0, 3, readonly=True), region.view(0, 3)
    writable[1] = 7
    region[2] = 9
    assert bytes(view) == b"\0\7\t"


def test_nothing_makes_a_readonly_view_writable(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    view = region.view(0, 80, readonly=True)
    array = np.frombuffer(view, dtype=np.int64)
    assert not array.flags.writeable
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        array.flags.writeable = True
    for buffer in (view, view.obj):
        assert memoryview(buffer).readonly
        with pytest.raises(TypeError):
            ctypes.c_char.from_buffer(buffer)
        with pytest.raises(TypeError):
            io.BytesIO(b"x" * 80).readinto(buffer)
    assert region[0] == 0


def test_a_readonly_view_pins_like_any_other(region: vmem.Region, page: int) -> None:
    region.commit(0, 2 * page)
    view = region.view(5, 1, readonly=True)
    with pytest.raises(BufferError, match="1 view of bytes 5 to 6 is alive"):
        region.decommit(0, 1)
    with pytest.raises(BufferError, match="1 view of bytes 5 to 6 is alive"):
        region.release()
    region.decommit(page, page)
    view.release()
    region.release()


def test_readonly_is_a_keyword_and_takes_anything_true(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    values: list[Any] = [True, 1, "yes", [0], False, 0, "", None]
    for value in values:
        assert region.view(0, 1, readonly=value).readonly is bool(value)
    with pytest.raises(TypeError, match="view\\(\\) takes at most 2 positional arguments"):
        region.view(0, 1, True)  # type: ignore[call-arg]

    class Untruthful:
        def __bool__(self) -> bool:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        region.view(0, 1, readonly=Untruthful())  # type: ignore[arg-type]
    region.decommit()


def test_a_region_released_while_readonly_is_asked(region: vmem.Region) -> None:
    region.commit()

    class Releasing:
        def __bool__(self) -> bool:
            region.release()
            return True

    with pytest.raises(ValueError, match="released"):
        region.view(0, 1, readonly=Releasing())  # type: ignore[arg-type]


def test_empty_readonly_views(region: vmem.Region) -> None:
    view = region.view(5, 0, readonly=True)
    assert (view.nbytes, view.readonly) == (0, True)
    region.release()


# --- what native code asks for ---


class Description(ctypes.Structure):
    """A Py_buffer."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


WRITABLE, FORMAT, ND, STRIDES, INDIRECT = 1, 4, 8, 0x18, 0x118  # PyBUF_SIMPLE is none of them


def describe(exporter: object, flags: int) -> tuple[object, ...]:
    """The fields of a buffer without its address, or "refused" and the exporter that it holds then."""
    buffer = Description()
    ctypes.memset(ctypes.byref(buffer), 0xFF, ctypes.sizeof(buffer))  # native code does not clear it first
    try:
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(exporter), ctypes.byref(buffer), flags)
    except BufferError:
        return "refused", buffer.obj
    shape, strides = (pointer[0] if pointer else None for pointer in (buffer.shape, buffer.strides))
    told = (buffer.len, buffer.itemsize, buffer.readonly, buffer.ndim, buffer.format, shape, strides, buffer.suboffsets)
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return told


def test_buffers_have_the_fields_that_the_flags_request(region: vmem.Region, page: int) -> None:
    """Like the buffers of Python's own types. Without PyBUF_FORMAT the format is NULL, which means bytes."""
    region.commit(0, page)
    arena = vmem.Arena(page)
    numbers = [1, 2, 3]
    likes: list[tuple[object, object]] = [
        (region.view(0, 12).obj, bytearray(12)),
        (region.view(0, 12, readonly=True).obj, bytes(12)),
        (arena.alloc(12).obj, bytearray(12)),
        (vmem.Array("i", numbers), array.array("i", numbers)),
        (memoryview(vmem.Array("i", numbers)).obj, array.array("i", numbers)),
        (vmem.Array("d"), array.array("d")),
    ]
    for exporter, like in likes:
        for flags in itertools.product((0, WRITABLE), (0, FORMAT), (0, ND, STRIDES, INDIRECT)):
            told, expected = describe(exporter, sum(flags)), describe(like, sum(flags))
            assert told == (("refused", None) if expected[0] == "refused" else expected), (exporter, flags)
    assert describe(likes[0][0], 0) == (12, 1, 0, 1, None, None, None, None)
