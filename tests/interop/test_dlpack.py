"""DLPack tensors of arrays: what the structs say, how long they hold the memory, and NumPy as a consumer."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.capsules import VersionedTensor, consume, delete, get_name, managed_in
from tests.support.marks import linux_only, new_numpy_only
from tests.support.processes import run_python
from tests.support.system import mappings_in

INT, UINT, FLOAT = 0, 1, 2  # codes of types
CPU = (1, 0)
READ_ONLY, IS_COPIED = 1, 2  # flags
CODES = {typecode: FLOAT if typecode in "fd" else INT if typecode.islower() else UINT for typecode in "bBhHiIlLqQfd"}
VERSIONS: dict[str, Any] = {"unversioned": {}, "versioned": {"max_version": (1, 0)}}


def items_of(tensor: Any, item_type: Any = ctypes.c_int) -> list[Any]:
    """What a consumer reads."""
    return list((item_type * tensor.shape[0]).from_address(tensor.data)) if tensor.data else []


# --- what the structs say ---


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("typecode", CODES)
def test_the_structs_describe_the_items(typecode: str, version: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2, 3])
    managed = managed_in(made.__dlpack__(**VERSIONS[version]))
    tensor = managed.tensor
    assert (tensor.data, tensor.byte_offset) == (made.buffer_info()[0], 0)
    assert (tensor.device_type, tensor.device_id) == made.__dlpack_device__() == CPU
    assert (tensor.ndim, tensor.shape[0], tensor.strides[0]) == (1, 3, 1)
    assert (tensor.code, tensor.bits, tensor.lanes) == (CODES[typecode], 8 * made.itemsize, 1)
    if isinstance(managed, VersionedTensor):
        assert (managed.major, managed.minor, managed.flags) == (1, 0, 0)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (None, b"dltensor"),
        ((0, 8), b"dltensor"),
        ((0, 2**70), b"dltensor"),
        ((-1, 0), b"dltensor"),
        ((-(2**70), 0), b"dltensor"),
        ((1, 0), b"dltensor_versioned"),
        ((1, 3), b"dltensor_versioned"),
        ((2, 0), b"dltensor_versioned"),
        ((2**70, 0), b"dltensor_versioned"),
        ((Index(1), np.int8(0)), b"dltensor_versioned"),
    ],
)
def test_the_version_decides_the_struct(version: Any, name: bytes) -> None:
    assert get_name(vmem.Array("i", [1]).__dlpack__(max_version=version)) == name


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_tensor_has_no_address(version: str) -> None:
    made = vmem.Array("i")
    capsule = made.__dlpack__(**VERSIONS[version])
    made.extend(range(1000))
    tensor = managed_in(capsule).tensor
    assert (tensor.data, tensor.ndim, tensor.shape[0]) == (None, 1, 0)
    made.clear()


def test_a_tensor_has_the_length_of_its_time_and_sees_writes() -> None:
    made = vmem.Array("i", [1, 2])
    capsule = made.__dlpack__()
    made.extend(range(300_000))
    made[0] = 7
    assert items_of(managed_in(capsule).tensor) == [7, 2]
    assert managed_in(capsule).tensor.data == made.buffer_info()[0]


# --- arguments ---


@pytest.mark.parametrize(
    "arguments", [{}, {"dl_device": None}, {"dl_device": CPU}, {"dl_device": (Index(1), Index(0))}]
)
@pytest.mark.parametrize("copy", [None, False])
def test_nothing_is_copied_unless_asked_for(arguments: Any, copy: Any) -> None:
    made = vmem.Array("i", [1, 2])
    assert managed_in(made.__dlpack__(copy=copy, stream=None, **arguments)).tensor.data == made.buffer_info()[0]


@pytest.mark.parametrize("device", [(2, 0), (1, 1), (0, 0), (-1, 0), (2**70, 0), (1, 2**70)])
def test_another_device_is_refused(device: tuple[int, int]) -> None:
    made = vmem.Array("i", [1, 2])
    message = rf"cannot export memory of the CPU, device \(1, 0\), to device \({device[0]}, {device[1]}\)"
    with pytest.raises(BufferError, match=message):
        made.__dlpack__(dl_device=device, copy=True)
    made.clear()


@pytest.mark.parametrize("stream", [-1, 0, 1, "stream"])
def test_a_stream_is_refused(stream: Any) -> None:
    with pytest.raises(ValueError, match=f"stream must be None: .*, got {stream!r}"):
        vmem.Array("i", [1, 2]).__dlpack__(stream=stream)


@pytest.mark.parametrize("name", ["max_version", "dl_device"])
@pytest.mark.parametrize("wrong", [1, (1,), (1, 0, 0), [1, 0], "10", (1.0, 0), (None, 0), (1, "0")])
def test_wrong_pairs_are_refused(name: str, wrong: Any) -> None:
    made = vmem.Array("i", [1, 2])
    with pytest.raises(TypeError):
        made.__dlpack__(**{name: wrong})
    made.clear()


def test_wrong_arguments_are_refused() -> None:
    made: Any = vmem.Array("i", [1])
    with pytest.raises(TypeError, match=r"__dlpack__\(\) takes at most 0 positional arguments \(1 given\)"):
        made.__dlpack__(None)
    with pytest.raises(TypeError, match="unexpected keyword argument 'device'"):
        made.__dlpack__(device=None)
    with pytest.raises(TypeError):
        made.__dlpack_device__(None)


class Meddler(Index):
    """An argument whose conversion runs code, also to a bool."""

    def __bool__(self) -> bool:
        return bool(self.__index__())


@pytest.mark.parametrize("copies", [0, 1])
def test_arguments_that_change_the_array(copies: int) -> None:
    made = vmem.Array("i", range(100_000))

    def act() -> None:
        made.clear()
        made.shrink_to_fit()
        made.extend([5, 6])

    arguments: Any = {"max_version": (Meddler(1, act), Meddler(0, act)), "copy": Meddler(copies, act)}
    capsule = made.__dlpack__(dl_device=(Meddler(1, act), 0), **arguments)
    assert items_of(managed_in(capsule).tensor) == [5, 6]


@pytest.mark.parametrize("name", ["max_version", "dl_device", "copy"])
def test_arguments_that_raise(name: str) -> None:
    made = vmem.Array("i", [1, 2])

    def fail() -> None:
        raise KeyError(name)

    bad = Meddler(1, fail)
    with pytest.raises(KeyError):
        made.__dlpack__(**{name: bad if name == "copy" else (1, bad)})  # type: ignore[arg-type]
    made.clear()


# --- how long they hold ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_tensor_holds_its_items_until_its_capsule_dies(version: str) -> None:
    made = vmem.Array("i", range(10))
    capsule = made.__dlpack__(**VERSIONS[version])
    made.extend(range(10))
    del made[10:]
    with pytest.raises(BufferError, match="cannot shrink this array from 10 to 9 items: 1 view reaches further"):
        made.pop()
    del capsule
    made.clear()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_consumed_tensor_holds_until_its_deleter_is_called(version: str) -> None:
    made = vmem.Array("i", range(10))
    capsule = made.__dlpack__(**VERSIONS[version])
    managed = consume(capsule)
    del capsule
    gc.collect()
    with pytest.raises(BufferError):
        made.clear()
    assert items_of(managed.tensor) == list(range(10))
    delete(managed)
    made.clear()


@linux_only
@pytest.mark.parametrize("version", VERSIONS)
def test_the_memory_outlives_the_array(version: str) -> None:
    made = vmem.Array("i", range(1000))
    managed, other = (consume(made.__dlpack__(**VERSIONS[version])) for _ in range(2))
    del made
    address = managed.tensor.data
    delete(other)
    assert items_of(managed.tensor) == list(range(1000))
    delete(managed)
    assert not mappings_in(address, 1)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("num_items", [0, 1, 100_000])
def test_a_copy_holds_nothing_of_the_array(version: str, num_items: int) -> None:
    made = vmem.Array("i", range(num_items))
    capsule = made.__dlpack__(copy=True, **VERSIONS[version])
    assert made.map().num_views == 0
    made.clear()
    managed = managed_in(capsule)
    assert items_of(managed.tensor) == list(range(num_items))
    assert managed.tensor.data != made.buffer_info()[0]
    if isinstance(managed, VersionedTensor):
        assert managed.flags == IS_COPIED


@new_numpy_only
def test_a_copy_of_an_array_that_its_audit_hook_changes() -> None:
    run_python(
        """
        import sys, vmem
        import numpy as np
        made = vmem.Array("i", range(1000))
        changes = [lambda: made.__delitem__(slice(5, None)), lambda: made.extend(range(100_000))]
        def hook(event, arguments):
            if event == "vmem.reserve" and changes:
                changes.pop(0)()
        sys.addaudithook(hook)
        assert np.from_dlpack(made, copy=True).tolist() == list(range(5))
        assert np.from_dlpack(made, copy=True).tolist() == list(range(5))
        assert len(made) == 100_005
        """
    )


# --- NumPy ---


@pytest.mark.parametrize("typecode", CODES)
@new_numpy_only
def test_numpy_shares_the_memory_of_an_array_that_grows(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2])
    numbers = np.from_dlpack(made)
    assert (numbers.dtype.itemsize, numbers.dtype.kind) == (made.itemsize, "iuf"[CODES[typecode]])
    assert (numbers.ctypes.data, numbers.flags.writeable) == (made.buffer_info()[0], True)
    made.extend([5] * 100_000)
    made[0] = 7
    numbers[1] = 8
    assert numbers.tolist() == made[:2].tolist() == [7, 8]
    part = numbers[1:]
    del numbers
    with pytest.raises(BufferError, match="1 view reaches further"):
        made.clear()
    del part
    made.clear()


@new_numpy_only
def test_numpy_copies_when_asked() -> None:
    made = vmem.Array("d", [1.0, 2.0])
    assert np.from_dlpack(made, copy=True).ctypes.data != made.buffer_info()[0]
    assert np.from_dlpack(made, device="cpu", copy=False).ctypes.data == made.buffer_info()[0]
    made.clear()


def test_numpy_still_takes_the_buffer() -> None:
    """It pins with a view, as before, and the array is not told of a tensor."""
    made = vmem.Array("d", [1.0, 2.0])
    numbers = np.asarray(made)
    assert isinstance(numbers.base, memoryview)


def test_tensors_at_shutdown() -> None:
    printed = run_python(
        """
        import atexit, sys
        import numpy as np
        import vmem
        from tests.support.capsules import consume, delete
        made = vmem.Array("i", range(1000))
        sys.kept = made.__dlpack__()
        sys.modules["kept"] = np.from_dlpack(made)
        sys.lost = consume(made.__dlpack__())
        atexit.register(delete, consume(made.__dlpack__(max_version=(1, 0))))
        cycle = [made, np.from_dlpack(made)]
        cycle.append(cycle)
        """
    )
    assert printed == ""
