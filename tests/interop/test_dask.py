"""Dask's serialization sends arrays without a copy. examples/dask_cluster.py sends them between processes."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.marks import needs_shared_memory

if importlib.util.find_spec("distributed") is None:
    pytest.skip("distributed is not installed", allow_module_level=True)

protocol: Any = None


@pytest.fixture(scope="module", autouse=True)
def import_protocol() -> None:
    """Imports it for the tests, not for their collection, which every process of a run does: it takes seconds."""
    global protocol
    protocol = importlib.import_module("distributed.protocol")


def bytes_inside(frames: list[Any], address: int, size: int) -> int:
    """How many bytes of the frames lie in a range of addresses."""
    sent = [np.frombuffer(frame, dtype=np.uint8) for frame in frames]
    return sum(len(each) for each in sent if 0 <= each.ctypes.data - address < size)


@pytest.fixture
def numbers(page: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    region = vmem.reserve(1 << 30)
    region.commit(0, 1 << 20)
    numbers = np.frombuffer(region.view(0, 1 << 20), dtype=np.float64)
    numbers[:] = np.arange(len(numbers))
    assert numbers.ctypes.data == region.address
    return numbers


def test_a_numpy_array_over_a_region_is_sent_without_a_copy(numbers: Any) -> None:
    header, frames = protocol.serialize(numbers)
    assert bytes_inside(frames, numbers.ctypes.data, numbers.nbytes) == numbers.nbytes
    assert np.array_equal(protocol.deserialize(header, frames), numbers)


@pytest.mark.parametrize("wrap", [lambda made: made, lambda made: {"nested": [made]}])
def test_a_vmem_array_is_sent_without_a_copy(wrap: Any) -> None:
    made = vmem.Array("d", range(10_000))
    header, frames = protocol.serialize(wrap(made))
    assert bytes_inside(frames, made.buffer_info()[0], 80_000) == 80_000
    with pytest.raises(BufferError):
        made.clear()
    made.extend(range(100_000))
    assert protocol.deserialize(header, frames) == wrap(vmem.Array("d", range(10_000)))
    del frames
    made.clear()


def test_a_message_holds_arrays_without_a_copy(numbers: Any) -> None:
    """Checks the frames that Dask passes to a connection, which joins small ones."""
    made = vmem.Array("q", range(10_000))
    frames = protocol.dumps({"op": "put", "data": [protocol.to_serialize(numbers), protocol.to_serialize(made)]})
    assert bytes_inside(frames, numbers.ctypes.data, numbers.nbytes) == numbers.nbytes
    assert bytes_inside(frames, made.buffer_info()[0], 80_000) == 80_000
    again = protocol.loads([bytes(frame) for frame in frames])["data"]
    assert np.array_equal(again[0], numbers)
    assert again[1] == made


@needs_shared_memory
def test_a_shared_array_is_refused_and_a_copy_is_sent() -> None:
    """A worker can be on another machine. examples/dask_shared.py sends where the array is."""
    shared = vmem.Array("d", [1.0, 2.0], shared=True)
    with pytest.raises(TypeError, match="Could not serialize object of type Array"):
        protocol.serialize(shared, on_error="raise")
    assert protocol.deserialize(*protocol.serialize(shared[:])) == shared
