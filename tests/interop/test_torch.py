"""PyTorch: tensors share the memory of regions and arrays, and pin it."""

from __future__ import annotations

import importlib
import importlib.util
import struct
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.marks import posix_only
from tests.support.processes import run_python_to_death

if importlib.util.find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

torch: Any = None

# The name of PyTorch's dtype for each typecode, by the sizes of C types on this machine.
TYPES = {typecode: np.dtype(typecode).name for typecode in "bBhHiIlLqQfd"}


@pytest.fixture(scope="module", autouse=True)
def import_torch() -> None:
    """Imports it for the tests, not for their collection, which every process of a run does: it takes seconds."""
    global torch
    torch = importlib.import_module("torch")


@pytest.fixture
def region(page: int) -> vmem.Region:
    region = vmem.reserve(64 * page)
    region.commit(0, page)
    return region


def test_a_tensor_over_a_region_shares_its_memory(region: vmem.Region, page: int) -> None:
    tensor = torch.frombuffer(region.view(0, page), dtype=torch.float64)
    assert (tensor.data_ptr(), tensor.numel()) == (region.address, page // 8)
    tensor[1] = 1.5
    assert struct.unpack("d", region[8:16]) == (1.5,)
    region[8:16] = struct.pack("d", 2.5)
    assert tensor[1].item() == 2.5


def test_a_tensor_pins_its_pages_and_no_others(region: vmem.Region, page: int) -> None:
    tensor = torch.frombuffer(region.view(0, 16), dtype=torch.int32)
    region.commit()
    region.decommit(page, page)
    for verb, span in {"decommit": (0, 1), "discard": (0, 1), "release": ()}.items():
        with pytest.raises(BufferError, match="1 view of bytes 0 to 16 is alive"):
            getattr(region, verb)(*span)
    tensor += 7
    assert tensor.tolist() == [7] * 4
    del tensor
    region.release()


def test_views_of_a_tensor_pin_too(region: vmem.Region) -> None:
    part = torch.frombuffer(region.view(0, 64), dtype=torch.float32).reshape(4, 4)[1:, ::2]
    numbers = part.numpy()
    del part
    with pytest.raises(BufferError):
        region.release()
    numbers[0, 0] = 3.0
    assert struct.unpack("f", region[16:20]) == (3.0,)
    del numbers
    region.release()


def test_a_tensor_keeps_the_memory_of_a_region_that_is_dropped(region: vmem.Region, page: int) -> None:
    tensor = torch.frombuffer(region.view(0, page), dtype=torch.uint8)
    del region
    tensor[:] = 7
    assert tensor.sum().item() == 7 * page


@pytest.mark.parametrize("typecode", TYPES)
def test_a_tensor_over_an_array_sees_it_through_growth(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2, 3], capacity=1 << 20)
    tensor = torch.frombuffer(made, dtype=getattr(torch, TYPES[typecode]))
    assert (tensor.data_ptr(), tensor.tolist()) == (made.buffer_info()[0], [1, 2, 3])
    made.extend([5] * (1 << 19))
    made[0] = 7
    tensor[1] = 8
    assert tensor.tolist() == made[:3].tolist() == [7, 8, 3]
    with pytest.raises(BufferError, match="1 view reaches further"):
        made.clear()
    del tensor
    made.clear()


MAKERS: dict[str, Any] = {
    "from_dlpack": lambda made: torch.from_dlpack(made),
    "as_tensor of an array": lambda made: torch.as_tensor(made),
    "from_numpy": lambda made: torch.from_numpy(np.asarray(made)),
    "as_tensor": lambda made: torch.as_tensor(np.asarray(made)),
    "asarray of an array of NumPy": lambda made: torch.asarray(np.asarray(made)),
    "asarray, with a type": lambda made: torch.asarray(made, dtype=torch.float64),
}


@pytest.mark.parametrize("name", MAKERS)
def test_other_functions_that_share_and_pin(name: str) -> None:
    made = vmem.Array("d", [1.0, 2.0], capacity=1 << 20)
    tensor = MAKERS[name](made)
    made.extend(range(1 << 19))
    assert (tensor.data_ptr(), tensor.tolist()) == (made.buffer_info()[0], [1.0, 2.0])
    with pytest.raises(BufferError):
        made.clear()
    del tensor
    made.clear()


COPIERS: dict[str, Any] = {
    "tensor": lambda made: torch.tensor(made),
    "from_dlpack, copy": lambda made: torch.from_dlpack(made, copy=True),
    "as_tensor, of another type": lambda made: torch.as_tensor(made, dtype=torch.float32),
}


@pytest.mark.parametrize("name", COPIERS)
def test_functions_that_copy(name: str) -> None:
    made = vmem.Array("d", [1.0, 2.0])
    tensor = COPIERS[name](made)
    assert tensor.data_ptr() != made.buffer_info()[0]
    made.clear()
    assert tensor.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("typecode", TYPES)
def test_from_dlpack_takes_the_type_of_an_array(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2, 3])
    tensor = torch.from_dlpack(made)
    assert (tensor.dtype, tensor.tolist()) == (getattr(torch, TYPES[typecode]), [1, 2, 3])
    assert tensor.data_ptr() == made.buffer_info()[0]


def test_a_tensor_of_an_empty_array_has_no_items() -> None:
    assert torch.from_dlpack(vmem.Array("d")).tolist() == []


def test_a_tensor_keeps_the_memory_of_an_array_that_is_dropped() -> None:
    made = vmem.Array("f", range(1000))
    tensor = torch.from_dlpack(made).reshape(10, 100)
    del made
    assert tensor.sum().item() == sum(range(1000))


def test_asarray_without_a_dtype_ignores_the_format_of_a_buffer() -> None:
    """The docs warn of this. The warning can go when PyTorch respects the format of a buffer."""
    made = vmem.Array("d", [1.0, 2.0])
    assert torch.asarray(made).dtype == torch.float32
    assert torch.asarray(made).tolist() == memoryview(made).cast("B").cast("f").tolist()


def test_a_tensor_cannot_be_resized() -> None:
    tensor = torch.frombuffer(vmem.Array("f", [1, 2]), dtype=torch.float32)
    with pytest.raises(RuntimeError, match="not resizable"):
        tensor.resize_(100)


def test_a_tensor_over_a_read_only_view_warns_but_can_be_written(region: vmem.Region) -> None:
    with pytest.warns(UserWarning, match="not writable"):
        tensor = torch.frombuffer(region.view(0, 16, readonly=True), dtype=torch.int32)
    tensor[0] = 7
    assert struct.unpack("=i", region[0:4]) == (7,)
    with pytest.raises(BufferError):
        region.release()


@posix_only
def test_writing_to_protected_memory_faults() -> None:
    """The docs warn of this: PyTorch ignores the protection of pages, and that a buffer is read-only."""
    run_python_to_death(
        """
        import torch, vmem
        region = vmem.reserve(1)
        region.commit()
        region.protect(vmem.Protection.READ)
        tensor = torch.asarray(region.view(), dtype=torch.uint8)
        print("ready", flush=True)
        tensor[0] = 1
        """
    )
