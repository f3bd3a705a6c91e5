"""Consumers of the buffer protocol: each keeps its memory, whatever else is dropped."""

from __future__ import annotations

import ctypes
import gc
import io
import os
import pickle
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import run_python

import vmem


def make_region() -> vmem.Region:
    region = vmem.reserve(1 << 30)
    region.commit(0, 1 << 16)
    return region


def test_ndarray_over_an_array_whose_memory_went_back() -> None:
    """np.ndarray(buffer=...) keeps the array, but no buffer of it: what it sees is emptied, not taken away."""
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
    """np.ndarray(buffer=...) lets go of its buffer at once, but it keeps the view, and the view keeps the memory."""
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


def test_pickle_buffer_pins() -> None:
    region = make_region()
    region[0:5] = b"hello"
    buffer = pickle.PickleBuffer(region[0:5])
    with pytest.raises(BufferError):
        region.release()
    out_of_band: list[pickle.PickleBuffer] = []
    data = pickle.dumps(buffer, protocol=5, buffer_callback=out_of_band.append)
    assert bytes(pickle.loads(data, buffers=out_of_band)) == b"hello"
    buffer.release()
    out_of_band[0].release()
    region.release()


def test_struct_packs_in_place() -> None:
    region = make_region()
    struct.pack_into("<IQ", region[0:100], 4, 1, 2)
    assert struct.unpack_from("<IQ", region[0:100], 4) == (1, 2)


def test_files_are_read_into_place(tmp_path: Path) -> None:
    region = make_region()
    path = tmp_path / "data"
    path.write_bytes(os.urandom(10_000))
    with path.open("rb", buffering=0) as file:
        assert file.readinto(region[100:20_000]) == 10_000
    assert bytes(region[100:10_100]) == path.read_bytes()
    with path.open("wb") as file:
        file.write(region[0:1000])
    assert path.read_bytes() == bytes(region[0:1000])
    assert io.BytesIO(region[0:1000]).read() == path.read_bytes()


def test_sockets_receive_into_place() -> None:
    region = make_region()
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.sendall(b"through the wire")
        assert receiver.recv_into(region[10:100]) == 16
    assert bytes(region[10:26]) == b"through the wire"


def test_bytes_methods_and_casts() -> None:
    region = make_region()
    view = region[0:64]
    view.cast("Q")[1] = 2**63
    assert b"".join([view[:4], region[4:8]]) == bytes(8)
    assert struct.unpack("=Q", bytearray(view)[8:16]) == (2**63,)
    assert view.cast("B", shape=[8, 8]).shape == (8, 8)


def test_arrow_looks_into_an_array_that_grows() -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    array = vmem.Array("d", [1.5, 2.5], capacity=1 << 20)
    buffer = arrow.py_buffer(array)
    assert (buffer.address, buffer.size) == (array.buffer_info()[0], 16)
    early = arrow.Array.from_buffers(arrow.float64(), 2, [None, buffer])
    array.extend(range(1 << 19))
    array[0] = 7.0
    assert early.to_pylist() == [7.0, 2.5]
    assert arrow.py_buffer(array).address == buffer.address
    with pytest.raises(BufferError, match="1 view reaches further"):
        array.clear()
    del early, buffer
    array.clear()


def test_arrow_keeps_the_memory_of_a_region(page: int) -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    region = vmem.reserve(64 * page)
    region.commit(0, page)
    region[0:4] = b"abcd"
    buffer = arrow.py_buffer(region[0:4])
    assert buffer.address == region.address
    region.commit()
    with pytest.raises(BufferError, match="cannot decommit"):
        region.decommit(0, page)
    del region
    assert buffer.to_pybytes() == b"abcd"
