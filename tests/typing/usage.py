"""Right uses and their types. Checked by mypy and basedpyright, and run."""

import os
import tempfile
from array import array
from collections.abc import MutableSequence
from pathlib import Path
from typing import Any, assert_type

from typing_extensions import CapsuleType

import vmem

region = vmem.reserve(1 << 30, alignment=1 << 21, name="typed")
assert_type(region, vmem.Region)
assert_type(vmem.Region(4096), vmem.Region)
if vmem.get_huge_page_size():
    assert_type(vmem.reserve(1 << 21, huge_pages=True), vmem.Region)
    assert_type(vmem.Region(1 << 21, huge_pages=True), vmem.Region)

shared = vmem.reserve(4096, shared=True)
assert_type(shared, vmem.Region)
assert_type(vmem.Region(4096, shared=True), vmem.Region)
if hasattr(os, "fork"):
    assert_type(shared.fileno(), int)
    attached = vmem.attach(shared.fileno())
    if isinstance(attached, vmem.Region):
        attached.commit(0, 5)
        attached.release()
    else:
        assert_type(attached.fileno(), int)
shared.release()

shared_numbers = vmem.Array("d", [1.5], shared=True, capacity=100)
assert_type(shared_numbers, vmem.Array[float])
assert_type(vmem.Array("i", shared=True), vmem.Array[int])
assert_type(shared_numbers.readonly, bool)
if hasattr(os, "fork"):
    assert_type(shared_numbers.fileno(), int)

if hasattr(os, "fork"):
    with tempfile.TemporaryDirectory() as folder:
        with vmem.open_array(f"{folder}/a.npy", "d", mode="x", capacity=100) as in_file:
            assert_type(in_file, vmem.FileArray[float])
            in_file.append(1.5)
            in_file.flush()
            in_file.flush(durable=False)
            assert_type(in_file.fileno(), int)
            assert_type(in_file.path, str | bytes)
            assert_type(len(in_file), int)
            numbers_in_file: vmem.Array[float] = in_file
        in_file.close()
        assert_type(vmem.open_array(in_file.path)[0], Any)
        with vmem.open_array(f"{folder}/c", "q", mode="x") as integers_in_file:
            integers_in_file.append(1)
            assert_type(integers_in_file[0], int)
            assert_type(integers_in_file[:], vmem.Array[int])
        vmem.open_array(Path(folder, "b"), "i", mode="a", row_shape=(3,)).close()
        vmem.open_array(os.fsencode(folder) + b"/b", "i", row_shape=[3]).close()

assert_type(region.address, int)
assert_type(region.size, int)
assert_type(region.committed, int)
assert_type(region.page_size, int)
assert_type(region.name, str | None)
assert_type(region.huge_pages, bool)
assert_type(region.released, bool)
assert_type(len(region), int)

region.commit()
region.commit(0, 4096)
region.commit(num_bytes=5)
region.commit(0, 4096, prefault=True)
region.discard(0, 4096)
region.prefault(0, 4096)
region.protect(vmem.Protection.READ)
region.protect(vmem.Protection.READ_WRITE, 0, 4096)
region.protect(2, num_bytes=4096)
region.lock(0, 4096)
region.unlock(offset=0)
region.unlock()
region.decommit(1 << 20)
assert_type(region.resident(0, 4096), int)
assert_type(region.is_committed(), bool)
assert_type(region.view(0, 10), memoryview)
assert_type(region.view(0, 10, readonly=True), memoryview)
assert_type(region[0], int)
assert_type(region[0:10], memoryview)
region[0] = 5
region[0:2] = b"ab"
region[0:2] = bytearray(b"ab")
region[0:2] = region[2:4]
region[0:2] = array("B", b"ab")

assert_type(region.ranges(), list[vmem.Range])
first = region.ranges()[0]
assert_type(first.offset, int)
assert_type(first.committed, bool)
assert_type(first.protection, vmem.Protection)
offset, num_bytes, committed, protection = first
assert_type(protection, vmem.Protection)
assert_type(first[1], int)
assert_type(first._replace(committed=False), vmem.Range)
assert_type(vmem.Range(0, 4096, True, protection=vmem.Protection.READ), vmem.Range)
match first:
    case vmem.Range(0, length, True):
        assert_type(length, int)
    case _:
        pass

memory = region.map()
assert_type(memory, vmem.MemoryMap)
assert_type(memory.kind, str)
assert_type(memory.name, str | None)
assert_type(memory.size, int)
assert_type(memory.committed, int)
assert_type(memory.resident, int | None)
assert_type(memory.locked, int)
assert_type(memory.used, int | None)
assert_type(memory.num_views, int)
assert_type(memory.pinned, tuple[tuple[int, int], ...])
assert_type(memory.parts, tuple[vmem.MemoryPart, ...])
assert_type(memory.parts[0].protection, vmem.Protection)
assert_type(memory.parts[0].resident, int | None)
assert_type(str(memory), str)

with region as entered:
    assert_type(entered, vmem.Region)


class Tape(vmem.Region):
    """Subclasses keep their type."""


with Tape(4096) as tape:
    assert_type(tape, Tape)

assert_type(vmem.get_page_size(), int)
assert_type(vmem.get_allocation_granularity(), int)
assert_type(vmem.get_huge_page_size(), int)
assert_type(vmem.align_forward(5000, 4096), int)
assert_type(vmem.align_backward(address=5000, align=4096), int)
assert_type(vmem.is_aligned(5000, 4096), bool)
assert_type(vmem.memory_info(), vmem.MemoryInfo)
assert_type(vmem.memory_info().total, int)
total, available = vmem.memory_info()
assert_type(available, int)
assert_type(vmem.Protection(4), vmem.Protection)
assert_type(vmem.get_include(), str)
assert_type(vmem.__version__, str)

try:
    vmem.reserve(1 << 62)
except vmem.OutOfMemoryError as error:
    assert_type(error.errno, int | None)
    os_error: OSError = error
    memory_error: MemoryError = error

numbers = vmem.Array("d", [1.5, 2.5], capacity=100)
assert_type(numbers, vmem.Array[float])
whole = vmem.Array("i", b"abcdefgh")
assert_type(whole, vmem.Array[int])
assert_type(vmem.Array("B"), vmem.Array[int])
assert_type(vmem.Array("q", range(3)), vmem.Array[int])
assert_type(vmem.Array("f", array("f", [1.0])), vmem.Array[float])

assert_type(numbers.typecode, str)
assert_type(numbers.itemsize, int)
assert_type(numbers.capacity, int)
assert_type(len(numbers), int)
assert_type(numbers[0], float)
assert_type(whole[0], int)
assert_type(numbers[0:1], vmem.Array[float])
numbers[0] = 5
numbers[1:2] = numbers
del numbers[0]
del numbers[5:]
numbers.append(1)
numbers.extend([2, 3.5])
numbers.extend(numbers)
numbers.insert(0, 2.5)
numbers.fromlist([1.5])
numbers.frombytes(bytes(8))
assert_type(numbers.pop(), float)
assert_type(whole.pop(0), int)
assert_type(numbers.index(1.0), int)
assert_type(numbers.count(1.0), int)
assert_type(numbers.tolist(), list[float])
assert_type(whole.tolist(), list[int])
assert_type(numbers.tobytes(), bytes)
assert_type(numbers.buffer_info(), tuple[int, int])
assert_type(numbers + numbers, vmem.Array[float])
assert_type(numbers * 2, vmem.Array[float])
assert_type(2 * whole, vmem.Array[int])
numbers += numbers
numbers *= 2
assert_type(numbers, vmem.Array[float])
assert_type(numbers == whole, bool)
assert_type(numbers < numbers, bool)
assert_type(1.5 in numbers, bool)
assert_type([number for number in whole], list[int])  # noqa: C416
assert_type(memoryview(numbers).nbytes, int)

points = vmem.Array[tuple[float, ...]]("d", [(1, 2), [3, 4]], row_shape=(2,))
assert_type(points, vmem.Array[tuple[float, ...]])
assert_type(vmem.Array("d", row_shape=()), vmem.Array[float])
assert_type(points.row_shape, tuple[int, ...])
assert_type(points[0], tuple[float, ...])
assert_type(points[0:1] + points, vmem.Array[tuple[float, ...]])
assert_type(points.tolist(), list[tuple[float, ...]])
assert_type(points.pop(), tuple[float, ...])
points.append([5, 6])
points.append(array("d", [7, 8]))
points.extend([(1, 2), [3, 4], points[0]])
points.extend(points)
points.insert(0, [5, 6])
points.fromlist([[5, 6]])
points[0] = [1, 2]
points[1:2] = points
numbers.clear()
numbers.shrink_to_fit()
assert_type(numbers.map(), vmem.MemoryMap)
mutable: MutableSequence[float] = numbers
schema, items = numbers.__arrow_c_array__(numbers.__arrow_c_schema__())
assert_type(schema, CapsuleType)
assert_type(items, CapsuleType)
assert_type(numbers.__dlpack__(max_version=(1, 0), dl_device=numbers.__dlpack_device__(), copy=False), CapsuleType)

arena = vmem.Arena(1 << 20, alignment=64)
assert_type(arena, vmem.Arena)
assert_type(arena.alloc(10), memoryview)
assert_type(arena.alloc(10, align=128, zero=False), memoryview)
assert_type(arena.used, int)
assert_type(arena.committed, int)
assert_type(arena.capacity, int)
assert_type(arena.alignment, int)
mark = arena.mark()
assert_type(mark, int)
arena.rewind(mark)
with arena.scope() as scoped:
    assert_type(scoped, vmem.Arena)
arena.reset()
arena.trim()
assert_type(arena.map(), vmem.MemoryMap)


class Pool(vmem.Arena):
    """Subclasses keep their type."""


assert_type(Pool(4096), Pool)

ring = vmem.Ring("f", 1000)
assert_type(ring, vmem.Ring[float])
assert_type(vmem.Ring("i", 10, overwrite=False, prefault=True, lock=False), vmem.Ring[int])
assert_type(vmem.Ring(typecode="B", capacity=10), vmem.Ring[int])
rows = vmem.Ring[tuple[float, ...]]("f", 10, row_shape=(2,))
assert_type(rows, vmem.Ring[tuple[float, ...]])
ring.append(1.5)
ring.extend([1.5, 2.5])
ring.extend(array("f", [1.5]))
ring.extend(ring)
rows.append((1.5, 2.5))
rows.append([1.5, 2.5])
assert_type(ring[0], float)
assert_type(rows[-1], tuple[float, ...])
assert_type(list(ring), list[float])
assert_type(len(ring), int)
assert_type(ring.latest(2), memoryview)
assert_type(ring.window(ring.oldest, 2), memoryview)
assert_type(ring.prepare(3), memoryview)
ring.advance(2)
ring.consume(1)
assert_type((ring.total, ring.oldest, ring.free, ring.capacity, ring.itemsize), tuple[int, int, int, int, int])
assert_type((ring.overwrite, ring.readonly), tuple[bool, bool])
assert_type((ring.typecode, ring.row_shape), tuple[str, tuple[int, ...]])
assert_type(ring.map(), vmem.MemoryMap)
memoryview(ring).release()
ring.clear()
