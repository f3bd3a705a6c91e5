"""What is in the capsules of Arrow and DLPack, as a consumer written in C uses it.

A call of a function pointer from ctypes lets the GIL go, as consumers may.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any


class ArrowSchema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class ArrowArray(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class Tensor(ctypes.Structure):
    """DLTensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class ManagedTensor(ctypes.Structure):
    """DLManagedTensor."""

    _fields_ = (("tensor", Tensor), ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class VersionedTensor(ctypes.Structure):
    """DLManagedTensorVersioned."""

    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    )


# --- capsules ---


def make_api_function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


get_pointer = make_api_function("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
get_name = make_api_function("PyCapsule_GetName", ctypes.c_char_p, ctypes.py_object)
set_name = make_api_function("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
make_capsule = make_api_function("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)

USED_NAMES = {b"dltensor": b"used_dltensor", b"dltensor_versioned": b"used_dltensor_versioned"}


def struct_in(capsule: object, struct: Any, name: bytes) -> Any:
    """The struct where it is in memory; keeps the capsule."""
    found = struct.from_address(get_pointer(capsule, name))
    found.capsule = capsule
    return found


def schema_in(capsule: object) -> ArrowSchema:
    schema: ArrowSchema = struct_in(capsule, ArrowSchema, b"arrow_schema")
    return schema


def array_in(capsule: object) -> ArrowArray:
    array: ArrowArray = struct_in(capsule, ArrowArray, b"arrow_array")
    return array


def move_array(capsule: object) -> ArrowArray:
    """Takes the array out of its capsule, as a consumer does."""
    source = array_in(capsule)
    moved = ArrowArray()
    ctypes.memmove(ctypes.byref(moved), ctypes.byref(source), ctypes.sizeof(moved))
    source.release = None
    return moved


def release(struct: ArrowArray | ArrowSchema) -> None:
    """Calls the release callback, without the GIL."""
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(struct.release)(ctypes.addressof(struct))


def managed_in(capsule: object) -> ManagedTensor | VersionedTensor:
    """The tensor in a capsule, consumed or not."""
    name = get_name(capsule)
    struct = VersionedTensor if name.endswith(b"_versioned") else ManagedTensor
    managed: ManagedTensor | VersionedTensor = struct_in(capsule, struct, name)
    return managed


def consume(capsule: object) -> ManagedTensor | VersionedTensor:
    """Takes the tensor out of its capsule, as a consumer does. The name must stay where it is."""
    managed, name = managed_in(capsule), USED_NAMES[get_name(capsule)]
    assert set_name(capsule, name) == 0
    del managed.capsule
    return managed


def delete(managed: ManagedTensor | VersionedTensor) -> None:
    """Calls the deleter, without the GIL."""
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(managed.deleter)(ctypes.addressof(managed))
