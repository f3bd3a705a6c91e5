"""Arrow streams made by hand, right and wrong ones, and read by hand, as in C."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.capsules import ArrowArray, ArrowSchema, make_capsule, struct_in

GetSchema = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ArrowSchema))
GetNext = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ArrowArray))
GetLastError = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

NAME = ctypes.create_string_buffer(b"arrow_array_stream")
SCHEMA_NAME = ctypes.create_string_buffer(b"arrow_schema")
ARRAY_NAME = ctypes.create_string_buffer(b"arrow_array")


class ArrowArrayStream(ctypes.Structure):
    _fields_ = (
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.c_void_p),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


def stream_in(capsule: object) -> ArrowArrayStream:
    stream: ArrowArrayStream = struct_in(capsule, ArrowArrayStream, b"arrow_array_stream")
    return stream


# --- reading ---


def next_schema(stream: ArrowArrayStream) -> ArrowSchema:
    schema = ArrowSchema()
    assert GetSchema(stream.get_schema)(ctypes.addressof(stream), ctypes.byref(schema)) == 0
    return schema


def next_batch(stream: ArrowArrayStream) -> ArrowArray:
    """At the end, one that counts as released."""
    batch = ArrowArray()
    assert GetNext(stream.get_next)(ctypes.addressof(stream), ctypes.byref(batch)) == 0
    return batch


def children_of(struct: Any) -> list[Any]:
    pointers = (ctypes.c_void_p * struct.n_children).from_address(struct.children)
    return [type(struct).from_address(each) for each in pointers]


def release_stream(stream: ArrowArrayStream) -> None:
    Release(stream.release)(ctypes.addressof(stream))


# --- making ---


@dataclass
class Column:
    """A column of a batch, as the structs say it. A buffer of None is a null pointer."""

    format: bytes
    buffers: Sequence[bytes | None]
    length: int
    name: bytes = b"x"
    offset: int = 0
    null_count: int = 0
    has_dictionary: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass
class Producer:
    """Streams batches of columns, and counts what was released. The attributes make it fail, or lie."""

    batches: Sequence[Sequence[Column]]
    schema: Sequence[Column] | None = None
    schema_format: bytes = b"+s"
    schema_error: int = 0
    next_error_at: int = -1
    error_text: bytes | None = b"no more"
    batch_overrides: dict[str, Any] = field(default_factory=dict)
    batch_validity: bytes | None = None

    def __post_init__(self) -> None:
        self.kept: list[Any] = []
        self.num_given = 0
        self.num_released = 0
        self.next = 0
        self.release_schema = Release(self.on_release_schema)
        self.release_array = Release(self.on_release_array)
        self.callbacks = (
            GetSchema(self.on_get_schema),
            GetNext(self.on_get_next),
            GetLastError(self.on_get_last_error),
            Release(self.on_release_stream),
        )

    def keep(self, thing: Any) -> Any:
        self.kept.append(thing)
        return thing

    def pointer(self, callback: Any) -> int | None:
        return ctypes.cast(callback, ctypes.c_void_p).value

    # --- callbacks ---

    def on_release_schema(self, address: int) -> None:
        ArrowSchema.from_address(address).release = None
        self.num_released += 1

    def on_release_array(self, address: int) -> None:
        ArrowArray.from_address(address).release = None
        self.num_released += 1

    def on_release_stream(self, address: int) -> None:
        ArrowArrayStream.from_address(address).release = None
        self.num_released += 1

    def on_get_last_error(self, _: int) -> int | None:
        return (
            None
            if self.error_text is None
            else ctypes.addressof(self.keep(ctypes.create_string_buffer(self.error_text)))
        )

    def on_get_schema(self, _: int, out: Any) -> int:
        if self.schema_error:
            return self.schema_error
        columns = self.batches[0] if self.schema is None else self.schema
        self.fill(out.contents, [self.make_schema(each) for each in columns])
        out.contents.format = self.keep(self.schema_format)
        out.contents.release = self.pointer(self.release_schema)
        self.num_given += 1
        return 0

    def on_get_next(self, _: int, out: Any) -> int:
        if self.next == self.next_error_at:
            return 5
        if self.next == len(self.batches):
            out.contents.release = None
            return 0
        columns = self.batches[self.next]
        self.next += 1
        self.fill(out.contents, [self.make_array(each) for each in columns])
        out.contents.length = columns[0].length if columns else 0
        out.contents.n_buffers = 1
        out.contents.buffers = self.make_buffers([self.batch_validity])
        for name, value in self.batch_overrides.items():
            setattr(out.contents, name, value)
        out.contents.release = self.pointer(self.release_array)
        self.num_given += 1
        return 0

    # --- structs ---

    def fill(self, struct: Any, children: Sequence[Any]) -> None:
        pointers = self.keep((ctypes.c_void_p * max(len(children), 1))(*map(ctypes.addressof, children)))
        struct.n_children = len(children)
        struct.children = ctypes.addressof(pointers)

    def make_schema(self, column: Column) -> ArrowSchema:
        schema: ArrowSchema = self.keep(ArrowSchema())
        schema.format, schema.name = self.keep(column.format), self.keep(column.name)
        if column.has_dictionary:
            schema.dictionary = ctypes.addressof(self.keep(ArrowSchema()))
        return schema

    def make_buffers(self, buffers: Sequence[bytes | None]) -> Any:
        strings = [
            each if each is None else self.keep(ctypes.create_string_buffer(each, len(each) + 1)) for each in buffers
        ]
        addresses = [None if each is None else ctypes.addressof(each) for each in strings]
        return ctypes.cast(
            self.keep((ctypes.c_void_p * max(len(addresses), 1))(*addresses)), ctypes.POINTER(ctypes.c_void_p)
        )

    def make_array(self, column: Column) -> ArrowArray:
        array: ArrowArray = self.keep(ArrowArray())
        array.length, array.offset, array.null_count = column.length, column.offset, column.null_count
        array.n_buffers, array.buffers = len(column.buffers), self.make_buffers(column.buffers)
        for name, value in column.overrides.items():
            setattr(array, name, value)
        return array

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        stream = self.keep(ArrowArrayStream(*map(self.pointer, self.callbacks)))
        self.num_given += 1
        return make_capsule(ctypes.addressof(stream), ctypes.cast(NAME, ctypes.c_char_p), None)


class ColumnProducer(Producer):
    """Streams single columns: each batch has one."""

    def on_get_schema(self, _: int, out: Any) -> int:
        if self.schema_error:
            return self.schema_error
        column = (self.batches if self.schema is None else [self.schema])[0][0]
        made = self.make_schema(column)
        ctypes.memmove(ctypes.addressof(out.contents), ctypes.addressof(made), ctypes.sizeof(made))
        out.contents.release = self.pointer(self.release_schema)
        self.num_given += 1
        return 0

    def on_get_next(self, _: int, out: Any) -> int:
        if self.next == self.next_error_at:
            return 5
        if self.next == len(self.batches):
            out.contents.release = None
            return 0
        made = self.make_array(self.batches[self.next][0])
        self.next += 1
        ctypes.memmove(ctypes.addressof(out.contents), ctypes.addressof(made), ctypes.sizeof(made))
        out.contents.release = self.pointer(self.release_array)
        self.num_given += 1
        return 0


class ArrayProducer(ColumnProducer):
    """Gives the first array of its columns by the other method."""

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        schema, array = ArrowSchema(), ArrowArray()
        assert self.on_get_schema(0, ctypes.pointer(self.keep(schema))) == 0
        assert self.on_get_next(0, ctypes.pointer(self.keep(array))) == 0
        names = [ctypes.cast(each, ctypes.c_char_p) for each in (SCHEMA_NAME, ARRAY_NAME)]
        return tuple(
            make_capsule(ctypes.addressof(each), name, None) for each, name in zip((schema, array), names, strict=True)
        )
