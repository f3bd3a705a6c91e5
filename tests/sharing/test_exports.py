"""Exports of shared arrays to Arrow and DLPack: who may write, what a fork changes, and what is left behind."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.capsules import consume, delete, get_name, managed_in, move_array, release
from tests.support.marks import linux_only, needs_shared_memory, new_numpy_only, posix_only
from tests.support.peers import attach_array
from tests.support.processes import run_python
from tests.support.system import mappings_in

pytestmark = needs_shared_memory

Array = vmem.Array[Any]

READ_ONLY, IS_COPIED = 1, 2  # flags of DLPack


@pytest.fixture
def writer() -> Array:
    return vmem.Array("i", range(1000), shared=True)


@pytest.fixture
def reader(writer: Array) -> Array:
    return attach_array(writer)


def items_at(address: int, num_items: int) -> list[int]:
    return list((ctypes.c_int * num_items).from_address(address))


def count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@new_numpy_only
def test_exports_of_a_reader_are_read_only(reader: Array) -> None:
    managed: Any = managed_in(reader.__dlpack__(max_version=(1, 0)))
    assert managed.flags == READ_ONLY
    assert not np.from_dlpack(reader).flags.writeable
    with pytest.raises(BufferError, match="cannot export read-only items without max_version="):
        reader.__dlpack__()
    del managed
    assert reader.map().num_views == 0


@new_numpy_only
def test_copies_of_a_reader_can_be_written(reader: Array) -> None:
    managed: Any = managed_in(reader.__dlpack__(max_version=(1, 0), copy=True))
    assert managed.flags == IS_COPIED
    assert get_name(reader.__dlpack__(copy=True)) == b"dltensor"
    numbers = np.from_dlpack(reader, copy=True)
    numbers[0] = 7
    assert reader[0] == 0


@new_numpy_only
def test_exports_of_the_writer_can_be_written(writer: Array, reader: Array) -> None:
    numbers = np.from_dlpack(writer)
    numbers[5] = 77
    assert reader[5] == 77


def test_exports_of_a_reader_have_what_has_been_written_by_then(writer: Array, reader: Array) -> None:
    early = move_array(reader.__arrow_c_array__()[1])
    writer.extend(range(100_000))
    late = move_array(reader.__arrow_c_array__()[1])
    tensor = consume(reader.__dlpack__(max_version=(1, 0)))
    assert (early.length, late.length, tensor.tensor.shape[0]) == (1000, 101_000, 101_000)
    assert early.buffers[1] == late.buffers[1] == tensor.tensor.data == reader.buffer_info()[0]
    assert items_at(late.buffers[1], late.length) == writer.tolist()
    converted = move_array(reader.__arrow_c_array__(vmem.Array("d").__arrow_c_schema__())[1])
    assert converted.length == 101_000
    for array in (early, late, converted):
        release(array)
    delete(tensor)


@linux_only
@pytest.mark.parametrize("exporter", ["the writer", "a reader"])
def test_the_memory_outlives_the_array_and_nothing_is_left(exporter: str) -> None:
    made = vmem.Array("i", range(1000), shared=True)
    other = attach_array(made)
    gc.collect()
    exported = made if exporter == "the writer" else other
    arrays = [move_array(exported.__arrow_c_array__()[1]) for _ in range(2)]
    address, before = exported.buffer_info()[0], count_descriptors()
    del made, other, exported
    assert count_descriptors() == before - 1, "the memory of the export is that of one array"
    for array in arrays:
        assert items_at(array.buffers[1], 1000) == list(range(1000))
        release(array)
    assert not mappings_in(address, 1)
    assert count_descriptors() == before - 2


@posix_only
@new_numpy_only
def test_a_forked_child_keeps_what_was_exported() -> None:
    """Its exports from before the fork show its own copy from then on, and end there as in the parent."""
    printed = run_python(
        """
        import ctypes, os, vmem
        import numpy as np
        from tests.support.capsules import move_array, release
        made = vmem.Array("i", range(1000), shared=True)
        array = move_array(made.__arrow_c_array__()[1])
        numbers = np.from_dlpack(made)
        child = os.fork()
        if child == 0:
            numbers[0] = 77
            assert made.readonly and made[0] == 0
            assert not np.from_dlpack(made).flags.writeable
            late = move_array(made.__arrow_c_array__()[1])
            del made, numbers
            assert ctypes.c_int.from_address(array.buffers[1]).value == 77
            assert ctypes.c_int.from_address(late.buffers[1]).value == 0
            release(array)
            release(late)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert numbers[0] == made[0] == 0
        release(array)
        """
    )
    assert printed == ""


@posix_only
def test_exports_outlive_python() -> None:
    printed = run_python(
        """
        import sys, vmem
        from tests.support.capsules import consume, move_array
        made = vmem.Array("i", range(1000), shared=True)
        sys.kept = [made.__arrow_c_array__(), consume(made.__dlpack__()), move_array(made.__arrow_c_array__()[1])]
        reader = vmem.attach(made.fileno())
        sys.modules["kept"] = reader.__dlpack__(max_version=(1, 0))
        """
    )
    assert printed == ""
