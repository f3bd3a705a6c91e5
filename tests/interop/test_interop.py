"""Consumers of the buffer protocol: each keeps its memory alive, whatever other references are dropped."""

from __future__ import annotations

import ctypes
import gc
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.processes import run_python


def make_region() -> vmem.Region:
    region = vmem.reserve(1 << 30)
    region.commit(0, 1 << 16)
    return region


def test_numpy_ndarray_over_an_array_that_shrinks() -> None:
    """np.ndarray(buffer=...) keeps the array, but no Py_buffer: the pages it uses are discarded, never decommitted."""
    run_python(
        """
        import gc
        import numpy as np
        import vmem

        size = 16 << 20
        array = vmem.Array("B", b"x" * size, capacity=2 * size)
        numbers = np.ndarray((size,), dtype=np.uint8, buffer=array)
        array.extend(array)
        array.clear()
        array.shrink_to_fit()
        assert not numbers.any()
        numbers[:] = 5
        array.frombytes(b"y" * 10)
        assert numbers[:10].tobytes() == b"y" * 10 and (numbers[10:] == 5).all()
        array.shrink_to_fit()
        del array
        gc.collect()
        assert numbers[:10].tobytes() == b"y" * 10
        """
    )


def test_numpy_frombuffer_shares_and_pins() -> None:
    region = make_region()
    array = np.frombuffer(region.view(0, 1 << 16), dtype=np.float64)
    array[:] = 1.5
    assert struct.unpack("d", region[8:16]) == (1.5,)
    with pytest.raises(BufferError):
        region.decommit()
    region.commit(1 << 16, 1 << 20)
    assert array.sum() == 1.5 * 8192
    del region
    gc.collect()
    assert array.sum() == 1.5 * 8192


def test_numpy_asarray_shares_and_pins() -> None:
    region = make_region()
    array = np.asarray(region[0:100])
    array[5] = 42
    assert region[5] == 42
    with pytest.raises(BufferError):
        region.release()
    del array
    region.release()


def test_numpy_ndarray_keeps_the_view_alive() -> None:
    """np.ndarray(buffer=...) releases its Py_buffer at once, but it keeps the view, and the view keeps the memory."""
    region = make_region()
    array = np.ndarray((100,), dtype=np.uint8, buffer=region[0:100])
    with pytest.raises(BufferError):
        region.release()
    del region
    gc.collect()
    array[:] = 7
    assert array.sum() == 700


def test_numpy_structured_dtype() -> None:
    region = make_region()
    points = np.frombuffer(region[0 : 16 * 100], dtype=[("x", "f8"), ("y", "f8")])
    points["y"] = np.arange(100)
    assert struct.unpack("dd", region[16:32]) == (0.0, 1.0)
    points[["x", "y"]][3] = (5.0, 6.0)
    points[4] = (7.0, 8.0)
    column = points["x"]
    del points
    assert struct.unpack("4d", region[48:80]) == (5.0, 6.0, 7.0, 8.0)
    with pytest.raises(BufferError):
        region.release()
    del column
    region.release()


@pytest.mark.parametrize("make", [np.asarray, np.frombuffer, lambda made: np.ndarray((3,), "u1", memoryview(made))])
def test_numpy_pins_an_array(make: Callable[[Any], Any]) -> None:
    made = vmem.Array("B", [1, 2, 3], capacity=1 << 20)
    shared = make(made) if make is not np.frombuffer else np.frombuffer(made, dtype="u1")  # type: ignore[call-overload]
    made.extend(bytes(1 << 19))
    made[0] = 7
    assert (shared.ctypes.data, shared.tolist()) == (made.buffer_info()[0], [7, 2, 3])
    with pytest.raises(BufferError, match="1 view reaches further"):
        made.clear()
    part = shared[1:]
    del shared
    with pytest.raises(BufferError):
        made.clear()
    del part
    made.clear()


def test_numpy_ndarray_keeps_an_array_but_does_not_pin_it() -> None:
    made = vmem.Array("B", [1, 2, 3])
    anything: Any = made  # NumPy's type hints do not accept it before Python 3.12
    loose = np.ndarray((3,), dtype="u1", buffer=anything)
    made.clear()
    assert loose.tolist() == [1, 2, 3]
    made.append(9)
    assert loose.tolist() == [9, 2, 3]
    del made
    gc.collect()
    assert loose.tolist() == [9, 2, 3]


def test_numpy_into_a_slice() -> None:
    region = make_region()
    region[0:80] = np.arange(10, dtype=np.int64).data
    assert struct.unpack("10q", region[0:80]) == tuple(range(10))


def test_ctypes_from_buffer_pins() -> None:
    region = make_region()
    numbers = (ctypes.c_uint32 * 100).from_buffer(region[0:400])
    numbers[1] = 0x01020304
    assert struct.unpack("=I", region[4:8]) == (0x01020304,)
    assert ctypes.addressof(numbers) == region.address
    with pytest.raises(BufferError):
        region.decommit(0, 1)
    del region
    gc.collect()
    numbers[99] = 5
    assert numbers[99] == 5


def test_cffi_from_buffer_pins() -> None:
    ffi: Any = pytest.importorskip("cffi").FFI()
    region, made = make_region(), vmem.Array("i", [1, 2], capacity=1 << 20)
    numbers = ffi.from_buffer("uint32_t[]", region[0:400], require_writable=True)
    items = ffi.from_buffer("int[]", made)
    numbers[1] = 0x01020304
    made.extend(range(1 << 18))
    made[0] = 7
    assert struct.unpack("=I", region[4:8]) == (0x01020304,)
    assert (list(items), int(ffi.cast("uintptr_t", items))) == ([7, 2], made.buffer_info()[0])
    for call in (region.release, made.clear):
        with pytest.raises(BufferError):
            call()
    ffi.release(numbers)
    ffi.release(items)
    region.release()
    made.clear()


def test_struct_packs_in_place() -> None:
    region = make_region()
    struct.pack_into("<IQ", region[0:100], 4, 1, 2)
    assert struct.unpack_from("<IQ", region[0:100], 4) == (1, 2)


def test_bytes_methods_and_casts() -> None:
    region = make_region()
    view = region[0:64]
    view.cast("Q")[1] = 2**63
    assert b"".join([view[:4], region[4:8]]) == bytes(8)
    assert struct.unpack("=Q", bytearray(view)[8:16]) == (2**63,)
    assert view.cast("B", shape=[8, 8]).shape == (8, 8)
