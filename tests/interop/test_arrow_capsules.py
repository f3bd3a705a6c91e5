"""The Arrow PyCapsule interface of arrays: what the structs say, and how long they hold the memory."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import vmem
from tests.support.capsules import array_in, make_capsule, move_array, release, schema_in
from tests.support.forked import CAN_FORK, run_in_child
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import SLACK, mappings_in, status_bytes
from vmem import _vmem

FORMATS = {"b": "c", "B": "C", "h": "s", "H": "S", "i": "i", "I": "I", "q": "l", "Q": "L", "f": "f", "d": "g"}
FORMATS |= {"l": "l", "L": "L"} if ctypes.sizeof(ctypes.c_long) == 8 else {"l": "i", "L": "I"}


def items_of(array: Any, item_type: Any = ctypes.c_int) -> list[Any]:
    """What a consumer reads."""
    return list((item_type * array.length).from_address(array.buffers[1])) if array.length else []


def is_mapped(address: int) -> bool:
    return bool(mappings_in(address, 1))


# --- what the structs say ---


@pytest.mark.parametrize("typecode", FORMATS)
def test_the_structs_describe_the_items(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1, 2, 3])
    schema_capsule, array_capsule = made.__arrow_c_array__()
    for schema in (schema_in(schema_capsule), schema_in(made.__arrow_c_schema__())):
        assert (schema.format, schema.name, schema.metadata) == (FORMATS[typecode].encode(), b"", None)
        assert (schema.flags, schema.n_children, schema.children, schema.dictionary) == (0, 0, None, None)
    array = array_in(array_capsule)
    assert (array.length, array.null_count, array.offset) == (3, 0, 0)
    assert (array.n_buffers, array.n_children, array.children, array.dictionary) == (2, 0, None, None)
    assert array.buffers[:2] == [None, made.buffer_info()[0]]


def test_the_schema_reserves_nothing() -> None:
    made = vmem.Array("i", [1])
    size = made.__sizeof__()
    made.__arrow_c_schema__()
    assert made.__sizeof__() == size


@pytest.mark.parametrize("num_items", [0, 1, 100_000])
def test_an_export_has_the_length_of_its_time(num_items: int) -> None:
    made = vmem.Array("i", range(num_items))
    _, capsule = made.__arrow_c_array__()
    address = array_in(capsule).buffers[1]
    made.extend(range(300_000))
    assert array_in(capsule).length == num_items
    assert items_of(array_in(capsule)) == list(range(num_items))
    assert array_in(made.__arrow_c_array__()[1]).buffers[1] == address == made.buffer_info()[0]
    assert array_in(made.__arrow_c_array__()[1]).length == num_items + 300_000


def test_writes_to_the_array_are_seen() -> None:
    made = vmem.Array("i", [1, 2])
    array = array_in(made.__arrow_c_array__()[1])
    made[1] = 9
    assert items_of(array)[1] == 9


# Of typecodes, and some items: what is asked for, and whether that is what comes.
REQUESTS: dict[str, tuple[str, list[Any], str, bool]] = {
    "the same": ("i", [1, 2], "i", True),
    "longer": ("b", [-128, 127], "q", True),
    "shorter": ("q", [-128, 127], "b", True),
    "too short": ("q", [1, 128], "b", False),
    "without a sign": ("i", [0, 2**31 - 1], "I", True),
    "without a sign, but one has it": ("i", [5, -1], "I", False),
    "with a sign": ("Q", [2**63 - 1], "q", True),
    "with a sign, too short": ("Q", [2**63], "q", False),
    "floats": ("i", [2**31 - 1, -(2**31)], "d", True),
    "floats, exact": ("q", [2**53 - 1, 1 - 2**53], "d", True),
    "floats, not exact": ("q", [1, 2**53 + 1], "d", False),
    "floats, not exact and negative": ("q", [-(2**53) - 1], "d", False),
    "short floats, exact": ("i", [2**24 - 1], "f", True),
    "short floats, not exact": ("i", [2**24 + 1], "f", False),
    "floats for short ones": ("f", [0.1, float("inf")], "d", True),
    "short floats for long ones": ("d", [0.5, 1e300], "f", True),
    "integers for floats": ("d", [1.0], "q", False),
    "of nothing": ("h", [], "d", True),
}
ITEM_TYPES = {
    "b": ctypes.c_int8,
    "i": ctypes.c_int32,
    "I": ctypes.c_uint32,
    "q": ctypes.c_int64,
    "Q": ctypes.c_uint64,
    "f": ctypes.c_float,
    "d": ctypes.c_double,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_requested_type_is_exported_where_it_holds_all_items(name: str) -> None:
    typecode, items, wanted, is_granted = REQUESTS[name]
    made: vmem.Array[Any] = vmem.Array(typecode, items)
    given = wanted if is_granted else typecode
    request = vmem.Array(wanted).__arrow_c_schema__()
    for schema, array in (made.__arrow_c_array__(request), made.__arrow_c_array__(requested_schema=request)):
        assert schema_in(schema).format == FORMATS[given].encode()
        assert items_of(array_in(array), ITEM_TYPES[given]) == vmem.Array(given, made).tolist()
    assert schema_in(request).format == FORMATS[wanted].encode(), "it stays the caller's"


def test_a_copy_of_a_requested_type_holds_nothing_of_the_array() -> None:
    made = vmem.Array("i", range(100_000))
    _, capsule = made.__arrow_c_array__(vmem.Array("d").__arrow_c_schema__())
    made.clear()
    assert items_of(array_in(capsule), ctypes.c_double) == list(range(100_000))


@pytest.mark.parametrize("other", [b"u", b"+s", b"tsn:UTC", b"", None, b"released"])
def test_a_requested_type_that_no_array_has_changes_nothing(other: bytes | None) -> None:
    made = vmem.Array("i", [1, 2])
    request = made.__arrow_c_schema__()
    if other == b"released":
        release(schema_in(request))
    else:
        schema_in(request).format = other
    schema, array = made.__arrow_c_array__(request)
    assert (schema_in(schema).format, items_of(array_in(array))) == (b"i", [1, 2])


WRONG: dict[str, Callable[[], object]] = {
    "a number": lambda: 5,
    "a name": lambda: "int32",
    "a capsule of another name": lambda: vmem.Array("i", [1]).__arrow_c_array__()[1],
    "a capsule without a name": lambda: make_capsule(1, None, None),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_requested_schema_is_refused(name: str) -> None:
    made, wrong = vmem.Array("i", [1]), WRONG[name]()
    with pytest.raises(TypeError, match="requested_schema must be None or a capsule named arrow_schema"):
        made.__arrow_c_array__(wrong)  # type: ignore[arg-type]
    made.clear()


def test_wrong_arguments_are_refused() -> None:
    made: Any = vmem.Array("i", [1])
    with pytest.raises(TypeError, match=r"__arrow_c_array__\(\) takes at most 1 positional argument"):
        made.__arrow_c_array__(None, None)
    with pytest.raises(TypeError, match="unexpected keyword argument 'schema'"):
        made.__arrow_c_array__(schema=None)
    with pytest.raises(TypeError):
        made.__arrow_c_schema__(None)


# --- how long they hold ---


def test_an_export_holds_its_items_and_no_others() -> None:
    made = vmem.Array("i", range(10))
    _, capsule = made.__arrow_c_array__()
    made.extend([1, 2, 3])
    for shrink in (made.clear, lambda: made.__delitem__(slice(5, None)), lambda: made.__imul__(0)):
        with pytest.raises(BufferError, match=r"cannot shrink this array from 13 to \d items: 1 view reaches further"):
            shrink()
    del made[10:]
    made.shrink_to_fit()
    with pytest.raises(BufferError):
        made.pop()
    assert items_of(array_in(capsule)) == list(range(10))
    del capsule
    made.clear()


def test_exports_hold_one_by_one() -> None:
    made = vmem.Array("i", range(10))
    short = made.__arrow_c_array__()
    made.extend(range(10))
    long = [made.__arrow_c_array__() for _ in range(3)]
    with memoryview(made), pytest.raises(BufferError, match="from 20 to 15 items: 4 views reach further"):
        del made[15:]
    with pytest.raises(BufferError, match="from 20 to 15 items: 3 views reach further"):
        del made[15:]
    long.clear()
    del made[15:]
    with pytest.raises(BufferError, match="from 15 to 5 items: 1 view reaches further"):
        del made[5:]
    del short
    made.clear()


def test_a_map_shows_exports_as_views() -> None:
    made = vmem.Array("i", range(10))
    capsules = [made.__arrow_c_array__() for _ in range(3)]
    assert (made.map().num_views, made.map().pinned) == (3, ((0, vmem.get_page_size()),))
    release(move_array(capsules[1][1]))
    assert made.map().num_views == 2
    capsules.clear()
    assert (made.map().num_views, made.map().pinned) == (0, ())


def test_a_moved_array_holds_on_its_own() -> None:
    made = vmem.Array("i", [1, 2, 3])
    schema, capsule = made.__arrow_c_array__()
    array = move_array(capsule)
    del schema, capsule
    gc.collect()
    with pytest.raises(BufferError):
        made.clear()
    assert items_of(array) == [1, 2, 3]
    release(array)
    assert array.release is None
    made.clear()


def test_releasing_in_the_capsule_leaves_it_nothing_to_release() -> None:
    made = vmem.Array("i", [1, 2, 3])
    schema, capsule = made.__arrow_c_array__()
    release(array_in(capsule))
    release(schema_in(schema))
    assert array_in(capsule).release is schema_in(schema).release is None
    made.clear()
    del schema, capsule


def test_a_second_release_does_nothing() -> None:
    made = vmem.Array("i", [1, 2, 3])
    kept = made.__arrow_c_array__()
    array = move_array(made.__arrow_c_array__()[1])
    callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(array.release)
    for _ in range(3):
        callback(ctypes.addressof(array))
    with pytest.raises(BufferError, match="1 view reaches"):
        made.clear()
    del kept
    made.clear()


@linux_only
@pytest.mark.parametrize("num_bytes", [0, 4, 40 << 20])
def test_the_memory_outlives_the_array(num_bytes: int) -> None:
    made = vmem.Array("i", num_bytes // 4 * b"\7\0\0\0")
    arrays = [move_array(made.__arrow_c_array__()[1]) for _ in range(3)]
    address = made.buffer_info()[0]
    del made
    gc.collect()
    for array in arrays:
        assert is_mapped(address)
        assert array.length == num_bytes // 4
        assert ctypes.string_at(address, num_bytes) == num_bytes // 4 * b"\7\0\0\0"
        release(array)
    assert not is_mapped(address)


@linux_only
def test_an_array_whose_exports_have_ended_unmaps_its_memory_itself() -> None:
    made = vmem.Array("i", [7])
    made.__arrow_c_array__()
    address = made.buffer_info()[0]
    del made
    assert not is_mapped(address)


def test_an_array_of_a_subclass_in_a_cycle_is_collected() -> None:
    class Held(vmem.Array[int]):
        held: object = None

    made = Held("i", [1, 2])
    made.held = [made, made.__arrow_c_array__()]
    array = move_array(made.__arrow_c_array__()[1])
    del made
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is Held]
    assert items_of(array) == [1, 2]
    release(array)


def test_many_exports_leave_nothing_behind() -> None:
    made = vmem.Array("i", range(10))
    view = memoryview(made)
    kept = [made.__arrow_c_array__() for _ in range(10)]
    for _ in range(10_000):
        made.__arrow_c_array__()
    with pytest.raises(BufferError, match="11 views reach further"):
        made.clear()
    kept.clear()
    view.release()
    made.clear()


@linux_only
@pytest.mark.exact_memory
def test_records_of_ended_exports_are_freed() -> None:
    made = vmem.Array("i", range(10))
    kept = [made.__arrow_c_array__() for _ in range(10)]
    made.__dlpack__()
    before = status_bytes("VmRSS")
    for _ in range(300_000):
        made.__dlpack__()
    assert status_bytes("VmRSS") < before + SLACK
    kept.clear()
    made.clear()


def test_the_array_grows_and_shrinks_while_others_are_released() -> None:
    """Exports end in threads that do not have the GIL, while the array looks at its views."""
    made = vmem.Array("i", range(1000))
    exported: list[Any] = []
    has_ended = threading.Event()

    def release_all() -> None:
        while not has_ended.is_set() or exported:
            try:
                array = exported.pop()
            except IndexError:
                continue
            assert items_of(array)[-1] == 999
            release(array)

    threads = [threading.Thread(target=release_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(1000):
        exported.append(move_array(made.__arrow_c_array__()[1]))
        made.append(999)
        try:
            del made[1000:]
        except BufferError:
            made.map()
    has_ended.set()
    for thread in threads:
        thread.join()
    made.clear()


def test_exports_in_threads() -> None:
    made = vmem.Array("i", range(1000))

    def export() -> None:
        for _ in range(1000):
            _, capsule = made.__arrow_c_array__()
            assert array_in(capsule).length >= 1000
            array = move_array(capsule)
            made.append(5)
            release(array)

    threads = [threading.Thread(target=export) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 5000
    made.clear()


# --- processes and interpreters ---


@pytest.mark.skipif(not CAN_FORK, reason="needs fork, without AddressSanitizer")
def test_a_forked_child_releases_its_own_copy() -> None:
    made = vmem.Array("i", range(1000))
    array = move_array(made.__arrow_c_array__()[1])

    def use() -> None:
        nonlocal made
        made[0] = 7
        assert items_of(array)[0] == 7
        address = array.buffers[1]
        del made
        release(array)
        assert sys.platform != "linux" or not is_mapped(address)

    run_in_child(use)
    assert items_of(array)[0] == 0
    with pytest.raises(BufferError):
        made.clear()
    release(array)
    made.clear()


def test_exports_at_shutdown() -> None:
    printed = run_python(
        """
        import atexit, sys, vmem
        from tests.support.capsules import array_in, move_array, release
        made = vmem.Array("i", range(1000))
        sys.kept = made.__arrow_c_array__()
        sys.modules["kept"] = move_array(made.__arrow_c_array__()[1])
        cycle = [made, made.__arrow_c_array__()]
        cycle.append(cycle)
        late = move_array(made.__arrow_c_array__()[1])
        atexit.register(release, move_array(made.__arrow_c_array__()[1]))
        class Last:
            def __del__(self, made=made, late=late, release=release):
                made.extend(range(1000))
                made.__arrow_c_array__()
                release(late)
        last = Last()
        """
    )
    assert printed == ""


# Exports an array, and leaves the struct at an address that another interpreter gave.
EXPORT_TO = """if True:
    import ctypes, vmem
    from tests.support.capsules import move_array
    made = vmem.Array("i", range(1000))
    array = move_array(made.__arrow_c_array__()[1])
    ctypes.memmove({address}, ctypes.addressof(array), ctypes.sizeof(array))
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="ctypes can be imported in such interpreters from 3.13 on")
def test_an_export_outlives_its_interpreter() -> None:
    run_python(
        f"""
        import ctypes, sys
        import vmem
        from tests.support.capsules import ArrowArray, release
        from tests.support.interpreters import run_isolated
        from tests.support.system import mappings_in
        for _ in range(3):
            array = ArrowArray()
            run_isolated({EXPORT_TO!r}.format(address=ctypes.addressof(array)))
            address = array.buffers[1]
            assert list((ctypes.c_int * 1000).from_address(address)) == list(range(1000))
            release(array)
            assert sys.platform != "linux" or not mappings_in(address, 1)
        """
    )


# Reads and releases an array that another interpreter exported.
RELEASE = """if True:
    import ctypes
    from tests.support.capsules import ArrowArray, release
    array = ArrowArray.from_address({address})
    assert list((ctypes.c_int * 1000).from_address(array.buffers[1])) == list(range(1000))
    release(array)
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="ctypes can be imported in such interpreters from 3.13 on")
def test_another_interpreter_releases_an_export() -> None:
    run_python(
        f"""
        import ctypes
        import vmem
        from tests.support.capsules import move_array
        from tests.support.interpreters import run_isolated
        made = vmem.Array("i", range(1000))
        array = move_array(made.__arrow_c_array__()[1])
        run_isolated({RELEASE!r}.format(address=ctypes.addressof(array)))
        assert array.release is None
        made.clear()
        """
    )


# --- addresses ---


def test_a_small_array_leaves_the_heap_with_its_first_export() -> None:
    made = vmem.Array("i", [1, 2])
    _, capsule = made.__arrow_c_array__()
    address = array_in(capsule).buffers[1]
    made.extend(range(100_000))
    assert made.buffer_info()[0] == address
    assert address % vmem.get_page_size() == 0


def test_a_refused_reservation_is_an_error() -> None:
    printed = (
        run_python(
            """
        import resource, vmem
        made = vmem.Array("i", [1, 2])
        vmem.Array("B", [1]).__arrow_c_array__()
        resource.setrlimit(resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
        for export in (made.__arrow_c_array__, made.__dlpack__, lambda: made.__dlpack__(copy=True)):
            try:
                export()
            except vmem.OutOfMemoryError as error:
                print(str(error).split(":")[0])
        made.clear()
        """
        )
        if sys.platform == "linux" and _vmem.ARRAY_HEAP_BYTES
        else "cannot\n" * 3
    )
    assert printed.count("cannot") == 3
