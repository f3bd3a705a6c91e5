"""Pickle protocol 5: memory of a region is pickled out of band without a copy, and unpickled over our memory."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.buffers import address_of, dump_out_of_band


@pytest.fixture
def region(page: int) -> vmem.Region:
    region = vmem.reserve(64 * page)
    region.commit(0, page)
    return region


def test_a_buffer_over_a_view_pins_it(region: vmem.Region) -> None:
    region[0:5] = b"hello"
    buffer = pickle.PickleBuffer(region[0:5])
    with pytest.raises(BufferError):
        region.release()
    data, out_of_band = dump_out_of_band(buffer)
    assert bytes(pickle.loads(data, buffers=out_of_band)) == b"hello"
    buffer.release()
    out_of_band[0].release()
    region.release()


def test_an_array_over_a_region_is_not_copied(region: vmem.Region, page: int) -> None:
    numbers = np.frombuffer(region.view(64, 800), dtype=np.float64)
    numbers[:] = np.arange(100)
    data, (buffer,) = dump_out_of_band(numbers)
    assert len(data) < 300
    assert (address_of(buffer), memoryview(buffer).nbytes) == (region.address + 64, 800)
    del numbers
    region.commit()
    with pytest.raises(BufferError, match="1 view of bytes 64 to 864 is alive"):
        region.decommit(0, page)
    assert pickle.loads(data, buffers=[buffer]).tolist() == list(range(100))
    buffer.release()
    region.decommit(0, page)


PLACES: dict[str, Callable[[int], tuple[memoryview, Callable[[], object]]]] = {}


def place(make: Callable[[int], tuple[memoryview, Callable[[], object]]]) -> Any:
    PLACES[make.__name__] = make
    return make


@place
def in_region(num_bytes: int) -> tuple[memoryview, Callable[[], object]]:
    region = vmem.reserve(1 << 20)
    region.commit(0, num_bytes)
    return region.view(0, num_bytes), region.release


@place
def in_arena(num_bytes: int) -> tuple[memoryview, Callable[[], object]]:
    arena = vmem.Arena(1 << 20)
    return arena.alloc(num_bytes), arena.reset


@place
def in_array(num_bytes: int) -> tuple[memoryview, Callable[[], object]]:
    made = vmem.Array("B", bytes(num_bytes))
    return memoryview(made), made.clear


@pytest.mark.parametrize("name", PLACES)
def test_a_numpy_array_is_unpickled_over_a_received_buffer(name: str) -> None:
    numbers = np.arange(100, dtype=np.int64).reshape(10, 10)
    data, (sent,) = dump_out_of_band(numbers)
    received, free = PLACES[name](800)
    received[:] = sent.raw()
    address = address_of(received)
    again = pickle.loads(data, buffers=[received])
    del received
    assert (again.ctypes.data, again.shape, again.tolist()) == (address, (10, 10), numbers.tolist())
    again[0, 0] = 7
    with pytest.raises(BufferError):
        free()
    del again
    free()


def test_read_only_views_make_read_only_arrays(region: vmem.Region) -> None:
    data, _ = dump_out_of_band(np.arange(100, dtype=np.int64))
    again = pickle.loads(data, buffers=[region.view(0, 800, readonly=True)])
    assert again.ctypes.data == region.address
    assert not again.flags.writeable


def test_an_array_of_ours_is_copied_once_from_what_was_received(region: vmem.Region) -> None:
    data, (sent,) = dump_out_of_band(vmem.Array("i", range(100), capacity=100))
    region[0:400] = sent
    again = pickle.loads(data, buffers=[region[0:400]])
    region.release()
    assert again == vmem.Array("i", range(100))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_regions_and_arenas_say_what_to_pickle_instead(region: vmem.Region, protocol: int) -> None:
    with pytest.raises(TypeError, match=r"cannot pickle 'Region' object, .*pickle a copy, bytes\(region\[a:b\]\)"):
        pickle.dumps(region, protocol)
    with pytest.raises(TypeError, match=r"cannot pickle 'Arena' object, .*pickle a copy, bytes\(view\)"):
        pickle.dumps(vmem.Arena(100), protocol)
