"""The Arrow streams of tables, as a consumer in C reads them, and streams of others, right and wrong."""

from __future__ import annotations

import ctypes
import gc
import struct
import threading
from typing import Any

import pytest

import vmem
from tests.support.capsules import ArrowSchema, array_in, release, schema_in
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.streams import (
    ArrayProducer,
    Column,
    ColumnProducer,
    Producer,
    Release,
    children_of,
    next_batch,
    next_schema,
    release_stream,
    stream_in,
)
from tests.support.system import mappings_in

LONG = b"l" if ctypes.sizeof(ctypes.c_long) == 8 else b"i"

FORMATS = {
    "b": b"c",
    "B": b"C",
    "h": b"s",
    "H": b"S",
    "i": b"i",
    "I": b"I",
    "q": b"l",
    "Q": b"L",
    "f": b"f",
    "d": b"g",
    "l": LONG,
    "L": LONG.upper(),
    "?": b"b",
    "str": b"U",
    "bytes": b"Z",
    **{f"M8[{unit}]": f"ts{unit[0]}:".encode() for unit in ("s", "ms", "us", "ns")},
    **{f"m8[{unit}]": f"tD{unit[0]}".encode() for unit in ("s", "ms", "us", "ns")},
}


def make_table() -> vmem.Table:
    table = vmem.Table({"a": "i", "b": "d|None", "c": "str|None", "d": "?"}, capacity=100_000)
    table.extend([[1, 2, 3], [0.5, None, 1.5], ["x", None, "yz"], [True, False, True]])
    return table


# --- what the structs say ---


def test_the_schema_has_names_types_and_what_can_be_none() -> None:
    for suffix in ("", "|None"):
        table = vmem.Table({f"größe {kind}": kind + suffix for kind in FORMATS}, capacity=1)
        capsule = table.__arrow_c_stream__()
        rows_capsule = table[:0].__arrow_c_schema__()
        for schema in (next_schema(stream_in(capsule)), schema_in(table.__arrow_c_schema__()), schema_in(rows_capsule)):
            assert (schema.format, schema.name, schema.flags, schema.dictionary) == (b"+s", b"", 0, None)
            assert [each.name.decode() for each in children_of(schema)] == list(table.names)
            assert [each.format for each in children_of(schema)] == list(FORMATS.values())
            assert {each.flags for each in children_of(schema)} == {2 if suffix else 0}
        for name, expected in zip(table.names, FORMATS.values(), strict=True):
            column = schema_in(table[name].__arrow_c_schema__())
            assert (column.format, column.name.decode()) == (expected, name)


def test_a_batch_shows_the_buffers_in_place() -> None:
    table = make_table()
    capsule = table.__arrow_c_stream__()
    stream = stream_in(capsule)
    table.extend([[9] * 5000, [9.0] * 5000, ["z"] * 5000, [True] * 5000])
    batch = next_batch(stream)
    assert (batch.length, batch.null_count, batch.offset, batch.n_buffers, batch.n_children) == (3, 0, 0, 1, 4)
    assert batch.buffers[0] is None
    a, b, c, d = children_of(batch)
    assert [each.length for each in (a, b, c, d)] == [3] * 4
    assert [each.n_buffers for each in (a, b, c, d)] == [2, 2, 3, 2]
    assert [each.null_count for each in (a, b, c, d)] == [0, 1, 1, 0]
    assert ctypes.string_at(a.buffers[1], 12) == struct.pack("=3i", 1, 2, 3)
    assert a.buffers[0] is None
    assert a.buffers[1] == array_in(table["a"].__arrow_c_array__()[1]).buffers[1]
    assert ctypes.string_at(b.buffers[0], 1)[0] & 7 == 0b101
    assert ctypes.string_at(c.buffers[1], 32) == struct.pack("=4q", 0, 1, 1, 3)
    assert ctypes.string_at(c.buffers[2], 3) == b"xyz"
    assert ctypes.string_at(d.buffers[1], 1)[0] & 7 == 0b101
    assert next_batch(stream).release is None
    assert next_batch(stream).release is None
    release(batch)


def test_rows_have_an_offset() -> None:
    table = make_table()
    batch = next_batch(stream_in(table[1:].__arrow_c_stream__()))
    assert batch.length == 2
    assert {(each.length, each.offset) for each in children_of(batch)} == {(2, 1)}
    assert [each.null_count for each in children_of(batch)] == [0, -1, -1, 0]
    release(batch)
    array = array_in(table["a"][2:].__arrow_c_array__()[1])
    assert (array.length, array.offset) == (1, 2)


def test_an_empty_table_has_buffers_that_can_be_read() -> None:
    for table in (vmem.Table({"s": "str|None", "x": "d", "b": "?"}), make_table()[3:]):
        batch = next_batch(stream_in(table.__arrow_c_stream__()))
        assert batch.length == 0
        for child in children_of(batch):
            assert (child.length, child.offset) == (0, 0)
            if child.n_buffers == 3:
                assert ctypes.string_at(child.buffers[1], 8) == bytes(8)
        release(batch)


@pytest.mark.parametrize("request_schema", [None, "own", 5, "released"])
def test_a_requested_schema_is_taken_or_refused(request_schema: object) -> None:
    table = make_table()
    capsule = table.__arrow_c_schema__()
    if request_schema == 5:
        for call in (table.__arrow_c_stream__, table[:].__arrow_c_stream__, table["a"].__arrow_c_array__):
            with pytest.raises(TypeError, match="requested_schema must be None or a capsule"):
                call(5)
        return
    if request_schema == "released":
        release(schema_in(capsule))
    requested = None if request_schema is None else capsule
    assert next_batch(stream_in(table.__arrow_c_stream__(requested))).length == 3
    assert next_batch(stream_in(table.__arrow_c_stream__(requested_schema=requested))).length == 3


# --- how long the memory is held ---


def test_clear_is_refused_until_the_last_column_was_released() -> None:
    table = make_table()
    capsule = table.__arrow_c_stream__()
    with pytest.raises(BufferError, match="4 views of columns are alive"):
        table.clear()
    batch = next_batch(stream_in(capsule))
    moved = children_of(batch)[1]
    kept = type(moved)()
    ctypes.memmove(ctypes.byref(kept), ctypes.byref(moved), ctypes.sizeof(kept))
    moved.release = None
    release_stream(stream_in(capsule))
    with pytest.raises(BufferError, match="4 views"):
        table.clear()
    release(batch)
    assert batch.release is None
    with pytest.raises(BufferError, match="1 view of a column"):
        table.clear()
    assert ctypes.string_at(kept.buffers[1], 8) == struct.pack("=d", 0.5)
    release(kept)
    table.clear()
    del capsule
    table.append(1, None, "", False)


def test_a_stream_that_nobody_reads_lets_go() -> None:
    table = make_table()
    capsule = table.__arrow_c_stream__()
    other = table["c"].__arrow_c_array__()
    del capsule, other
    table.clear()


@linux_only
def test_the_memory_outlives_the_table_and_is_unmapped_on_any_thread() -> None:
    table = make_table()
    place = table.map()
    batch = next_batch(stream_in(table.__arrow_c_stream__()))
    del table
    gc.collect()
    assert mappings_in(place.address, place.size)
    a = children_of(batch)[0]
    assert ctypes.string_at(a.buffers[1], 4) == struct.pack("=i", 1)
    thread = threading.Thread(target=release, args=(batch,))
    thread.start()
    thread.join()
    assert mappings_in(place.address, place.size) == []


def test_releasing_twice_does_nothing() -> None:
    table = make_table()
    capsule = table.__arrow_c_stream__()
    stream = stream_in(capsule)
    schema, batch = next_schema(stream), next_batch(stream)
    callbacks = [stream.release, schema.release, batch.release]
    for _ in range(2):
        for each, callback in zip((stream, schema, batch), callbacks, strict=True):
            Release(callback)(ctypes.addressof(each))
    table.clear()


def test_an_export_that_is_alive_at_the_end_of_python() -> None:
    run_python(
        """
import vmem
from tests.support.streams import next_batch, stream_in
table = vmem.Table({"a": "i", "s": "str"})
table.append(1, "x")
capsule = table.__arrow_c_stream__()
batch = next_batch(stream_in(table.__arrow_c_stream__()))
kept = [capsule, table["s"].__arrow_c_array__()]
kept.append(kept)
        """
    )


# --- streams of others ---

INTS = Column(b"i", [None, struct.pack("=4i", 1, 2, 3, 4)], 4)


def int_table() -> vmem.Table:
    table = vmem.Table({"x": "i|None"}, capacity=1000)
    table.append(7)
    return table


def text_column(kind: bytes, texts: list[bytes], **more: Any) -> Column:
    code = "=%di" if kind in (b"u", b"z") else "=%dq"
    ends = [sum(map(len, texts[:i])) for i in range(len(texts) + 1)]
    return Column(kind, [None, struct.pack(code % len(ends), *ends), b"".join(texts)], len(texts), **more)


def view_column(texts: list[bytes], *, kind: bytes = b"vu") -> Column:
    views = data = b""
    for text in texts:
        if len(text) <= 12:
            views += struct.pack("=i12s", len(text), text)
        else:
            views += struct.pack("=i4sii", len(text), text[:4], 0, len(data))
            data += text
    return Column(kind, [None, views, data, struct.pack("=q", len(data))], len(texts))


def test_batches_are_taken_together_and_released() -> None:
    table = int_table()
    producer = Producer([[INTS], [INTS], [Column(b"i", [b"\x0b", INTS.buffers[1]], 4, null_count=1)]])
    table.extend(producer)
    assert table["x"].tolist() == [7, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, None, 4]
    gc.collect()
    assert producer.num_released == producer.num_given == 5


@pytest.mark.parametrize(
    ("format_", "code"), [(b"c", "b"), (b"C", "B"), (b"s", "h"), (b"S", "H"), (b"I", "I"), (b"l", "q"), (b"L", "Q")]
)
def test_integers_are_converted(format_: bytes, code: str) -> None:
    for kind in ("i", "q|None", "d"):
        table = vmem.Table({"x": kind}, capacity=10)
        table.extend(Producer([[Column(format_, [None, struct.pack(f"=3{code}", 1, 2, 100)], 2, offset=1)]]))
        assert table["x"].tolist() == [2, 100]


def test_what_is_under_a_null_does_not_matter() -> None:
    numbers = struct.pack("=3q", 1, 2**60 + 1, 3)
    for kind, expected in {"b|None": [1, None, 3], "d|None": [1.0, None, 3.0], "M8[s]|None": [1, None, 3]}.items():
        table = vmem.Table({"x": kind}, capacity=10)
        table.extend(Producer([[Column(b"l", [b"\x05", numbers], 3, null_count=-1)]]))
        assert table["x"].tolist() == expected
    views = view_column([b"a", b"b", b"c"])
    spoiled = struct.pack("=iiii", 100, 0, 77, 10**6)
    assert views.buffers[1] is not None
    views = Column(
        b"vu", [b"\x05", views.buffers[1][:16] + spoiled + views.buffers[1][32:], b"", bytes(8)], 3, null_count=1
    )
    table = vmem.Table({"x": "str|None"}, capacity=10)
    table.extend(Producer([[views]]))
    assert table["x"].tolist() == ["a", None, "c"]


@pytest.mark.parametrize(("unit", "factor"), [("s", 10**9), ("m", 10**6), ("u", 1000), ("n", 1)])
def test_times_of_any_unit_are_converted_where_none_changes(unit: str, factor: int) -> None:
    for kind, format_ in (("M8", f"ts{unit}:"), ("m8", f"tD{unit}")):
        column = Column(format_.encode(), [b"\x03", struct.pack("=3q", 5, -7, 2**63 - 1)], 3, null_count=1)
        table = vmem.Table({"x": f"{kind}[ns]|None"}, capacity=10)
        table.extend(Producer([[column]]))
        assert table["x"].tolist() == [5 * factor, -7 * factor, None]
        back = Column(f"{format_[:2]}n{format_[3:]}".encode(), [None, struct.pack("=2q", 5 * factor, -7 * factor)], 2)
        name = {"s": "s", "m": "ms", "u": "us", "n": "ns"}[unit]
        table = vmem.Table({"x": f"{kind}[{name}]"}, capacity=10)
        table.extend(Producer([[back]]))
        assert table["x"].tolist() == [5, -7]
        if factor > 1:
            for wrong in (5 * factor + 1, -1):
                with pytest.raises(ValueError, match="without loss"):
                    table.extend(Producer([[Column(back.format, [None, struct.pack("=q", wrong)], 1)]]))
            with pytest.raises(ValueError, match="without loss"):
                vmem.Table({"x": f"{kind}[ns]"}).extend(
                    Producer([[Column(format_.encode(), [None, struct.pack("=q", 2**62)], 1)]])
                )


@pytest.mark.parametrize("kind", [b"u", b"U", b"z", b"Z"])
def test_texts_of_every_layout(kind: bytes) -> None:
    name = "str" if kind in b"uU" else "bytes"
    texts = ["a", "", "größe", "x" * 100]
    expected: list[Any] = texts if name == "str" else [text.encode() for text in texts]
    table = vmem.Table({"x": name}, capacity=100)
    column = text_column(kind, [text.encode() for text in texts])
    table.extend(Producer([[column]]))
    column.offset, column.length = 1, 2
    table.extend(Producer([[column]]))
    column.length = 0
    table.extend(Producer([[column]]))
    table.extend(Producer([[Column(kind, [None, None, None], 0)]]))
    table.extend(Producer([[view_column([text.encode() for text in texts], kind=b"vu" if name == "str" else b"vz")]]))
    assert table["x"].tolist() == [*expected, *expected[1:3], *expected]


def test_offsets_of_batches_count_for_their_columns() -> None:
    table = vmem.Table({"x": "i"}, capacity=10)
    column = Column(b"i", [None, struct.pack("=6i", *range(6))], 5, offset=1)
    table.extend(Producer([[column]], batch_overrides={"offset": 2, "length": 3}))
    assert table["x"].tolist() == [3, 4, 5]


WRONG: dict[str, tuple[Producer, type[Exception], str]] = {
    "no schema": (Producer([[INTS]], schema_error=22), OSError, "cannot give its schema: no more \\(error 22\\)"),
    "no schema, no text": (Producer([[INTS]], schema_error=22, error_text=None), OSError, "its schema \\(error 22\\)"),
    "not UTF-8": (Producer([[INTS]], schema_error=5, error_text=b"\xff"), OSError, "\ufffd"),
    "late error": (
        Producer([[INTS], [INTS]], next_error_at=1),
        OSError,
        "cannot give its next batch: no more \\(error 5\\)",
    ),
    "not rows": (Producer([[INTS]], schema_format=b"i"), TypeError, "streams of rows, not of single columns"),
    "another name": (Producer([[Column(b"i", INTS.buffers, 4, name=b"y")]]), ValueError, "column 'x' is missing"),
    "too many": (Producer([[INTS, Column(b"i", INTS.buffers, 4, name=b"y")]]), ValueError, "'y' is not a column"),
    "twice": (Producer([[INTS, INTS]]), ValueError, "column 'x' is there more than once"),
    "texts": (Producer([[text_column(b"u", [b"a"])]]), TypeError, "cannot take Arrow's format 'u' without loss"),
    "floats": (Producer([[Column(b"g", [None, bytes(8)], 1)]]), TypeError, "format 'g' without loss"),
    "half floats": (Producer([[Column(b"e", [None, bytes(8)], 1)]]), TypeError, "format 'e'"),
    "a list": (Producer([[Column(b"+l", [None, bytes(8)], 1)]]), TypeError, "format '\\+l'"),
    "no format": (Producer([[Column(b"", [None, bytes(8)], 1)]]), TypeError, "format ''"),
    "a dictionary": (Producer([[Column(b"i", INTS.buffers, 4, has_dictionary=True)]]), TypeError, "dictionary"),
    "too large": (Producer([[Column(b"l", [None, struct.pack("=q", 2**31)], 1)]]), OverflowError, "maximum|too large"),
    "other children": (Producer([[]], schema=[INTS]), ValueError, "a batch differs from the schema"),
    "a short column": (Producer([[INTS]], batch_overrides={"length": 5}), ValueError, "shorter than its batch"),
    "a large offset": (Producer([[INTS]], batch_overrides={"offset": 1}), ValueError, "shorter than its batch"),
    "negative length": (Producer([[INTS]], batch_overrides={"length": -1}), ValueError, "cannot be"),
    "negative offset": (Producer([[INTS]], batch_overrides={"offset": -1}), ValueError, "cannot be"),
    "huge": (Producer([[INTS]], batch_overrides={"length": 2**62, "offset": 2**62}), ValueError, "cannot be"),
    "negative column": (Producer([[Column(b"i", INTS.buffers, 4, overrides={"length": -4})]]), ValueError, "shorter"),
    "negative place": (Producer([[Column(b"i", INTS.buffers, 4, overrides={"offset": -4})]]), ValueError, "shorter"),
    "huge place": (Producer([[Column(b"i", INTS.buffers, 4, overrides={"offset": 2**62})]]), ValueError, "shorter"),
    "no values": (Producer([[Column(b"i", [None, None], 4)]]), ValueError, "a column has no values"),
    "no buffers": (Producer([[Column(b"i", [], 4)]]), TypeError, "without loss"),
    "a missing row": (
        Producer([[INTS]], batch_validity=b"\x07", batch_overrides={"null_count": 1}),
        ValueError,
        "a row is missing",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_stream_changes_nothing_and_is_released(name: str) -> None:
    producer, error, match = WRONG[name]
    table = int_table()
    with pytest.raises(error, match=match):
        table.extend(producer)
    gc.collect()
    assert list(table) == [(7,)]
    assert producer.num_released == producer.num_given


WRONG_TEXTS = {
    "decreasing": Column(b"u", [None, struct.pack("=3i", 0, 5, 2), bytes(5)], 2),
    "negative": Column(b"U", [None, struct.pack("=2q", -5, 2), bytes(5)], 1),
    "no offsets": Column(b"u", [None, None, b""], 1),
    "two buffers": Column(b"u", [None, bytes(8)], 1),
    "no data buffers": Column(b"vu", [None, struct.pack("=i12x", 13), bytes(8)], 1),
    "another buffer": Column(b"vu", [None, struct.pack("=i4sii", 13, b"", 1, 0), bytes(20), struct.pack("=q", 20)], 1),
    "negative buffer": Column(
        b"vu", [None, struct.pack("=i4sii", 13, b"", -1, 0), bytes(20), struct.pack("=q", 20)], 1
    ),
    "negative place": Column(b"vu", [None, struct.pack("=i4sii", 13, b"", 0, -1), bytes(20), struct.pack("=q", 20)], 1),
    "past the end": Column(b"vu", [None, struct.pack("=i4sii", 13, b"", 0, 8), bytes(20), struct.pack("=q", 20)], 1),
    "negative size": Column(b"vu", [None, struct.pack("=i4sii", -1, b"", 0, 8), bytes(20), struct.pack("=q", 20)], 1),
    "no views": Column(b"vu", [None, None, bytes(8)], 1),
    "no bytes": Column(b"u", [None, struct.pack("=2i", 0, 5), None], 1),
    "no sizes": Column(b"vu", [None, struct.pack("=i4sii", 13, b"", 0, 0), bytes(20), None], 1),
    "no bytes of views": Column(b"vu", [None, struct.pack("=i4sii", 13, b"", 0, 0), None, struct.pack("=q", 20)], 1),
    "one buffer": Column(b"vu", [None], 1),
}


@pytest.mark.parametrize("name", WRONG_TEXTS)
def test_wrong_texts_change_nothing(name: str) -> None:
    table = vmem.Table({"x": "str"}, capacity=10)
    producer = Producer([[WRONG_TEXTS[name]]])
    with pytest.raises(ValueError, match="the Arrow stream is malformed"):
        table.extend(producer)
    assert len(table) == 0
    assert producer.num_released == producer.num_given


NOT_UTF8 = {
    "a lonely byte": b"\xff",
    "a rest": b"\x80",
    "half a character": b"\xc3",
    "three of four": b"\xf0\x9f\x98",
    "a surrogate": b"\xed\xa0\x80",
    "too long a slash": b"\xc0\xaf",
    "too long a zero": b"\xe0\x80\x80",
    "too long a four": b"\xf0\x8f\xbf\xbf",
    "too large": b"\xf4\x90\x80\x80",
    "after many": b"x" * 23 + b"\xe2\x82" + b"x" * 9,
}


@pytest.mark.parametrize("name", NOT_UTF8)
def test_texts_that_are_not_utf8_are_refused(name: str) -> None:
    wrong = NOT_UTF8[name]
    texts = [b"good", "größe".encode(), wrong]
    table = vmem.Table({"x": "str|None"}, capacity=10)
    table.append("first")
    for column in (text_column(b"u", texts), text_column(b"U", texts), view_column(texts)):
        good = text_column(column.format, texts[:2]) if column.format != b"vu" else view_column(texts[:2])
        producer = Producer([[good], [column]])
        with pytest.raises(ValueError, match=r"item 2 for column 'x', of type 'str\|None', is not UTF-8"):
            table.extend(producer)
        assert producer.num_released == producer.num_given
        assert table["x"].tolist() == ["first"]
    raw = vmem.Table({"x": "bytes"}, capacity=10)
    raw.extend(Producer([[text_column(b"Z", texts)]]))
    assert raw["x"].tolist() == texts


def test_a_character_that_two_texts_share_is_refused() -> None:
    column = Column(b"u", [None, struct.pack("=3i", 0, 1, 2), "é".encode()], 2)
    table = vmem.Table({"x": "str"}, capacity=10)
    with pytest.raises(ValueError, match="item 0 for column 'x', of type 'str', is not UTF-8"):
        table.extend(Producer([[column]]))
    assert len(table) == 0


@pytest.mark.parametrize("name", ["get_schema", "get_next"])
def test_streams_without_a_function_are_refused(name: str) -> None:
    class Without(Producer):
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            capsule = super().__arrow_c_stream__()
            setattr(stream_in(capsule), name, None)
            return capsule

    producer, table = Without([[INTS]]), int_table()
    with pytest.raises(ValueError, match="malformed: it lacks a function"):
        table.extend(producer)
    assert producer.num_released == producer.num_given


@pytest.mark.parametrize("where", ["schema", "batch"])
@pytest.mark.parametrize("is_pointer", [True, False])
def test_children_that_are_null_are_refused(where: str, is_pointer: bool) -> None:
    class Without(Producer):
        def fill(self, struct: Any, children: Any) -> None:
            super().fill(struct, children)
            if isinstance(struct, ArrowSchema) != (where == "schema"):
                return
            if is_pointer:
                struct.children = None
            else:
                struct.children = ctypes.addressof(self.keep((ctypes.c_void_p * len(children))()))

    producer, table = Without([[INTS]]), int_table()
    with pytest.raises(ValueError, match=f"malformed: (the|a) {where} lacks a column"):
        table.extend(producer)
    assert list(table) == [(7,)]
    assert producer.num_released == producer.num_given


def test_a_column_without_a_format_is_refused() -> None:
    class Without(Producer):
        def make_schema(self, column: Column) -> ArrowSchema:
            schema = super().make_schema(column)
            schema.format = None
            return schema

    with pytest.raises(ValueError, match="malformed: a column has no format"):
        int_table().extend(Without([[INTS]]))


def test_what_is_no_utf8_under_a_null_is_not_kept() -> None:
    column = text_column(b"u", [b"a", b"\xff\xfe", b"c"], null_count=1)
    column.buffers = [b"\x05", *column.buffers[1:]]
    table = vmem.Table({"x": "str|None"}, capacity=10)
    table.extend(Producer([[column]]))
    assert table["x"].tolist() == ["a", None, "c"]
    assert bytes(table["x"].values).decode() == "a\0\0c"


# --- single columns ---


@pytest.mark.parametrize("kind", [ColumnProducer, ArrayProducer])
def test_a_column_is_copied_and_released(kind: type[ColumnProducer]) -> None:
    table = vmem.Table({"x": "q|None", "s": "str", "b": "?"}, capacity=1000)
    numbers = Column(b"i", [b"\x1a", struct.pack("=5i", *range(5))], 4, offset=1, null_count=1)
    bits = Column(b"b", [None, b"\x0c"], 4, offset=2)
    for count in (1, 2, 3):
        chunks = 1 if kind is ArrayProducer else count
        texts = text_column(b"u", [b"", "größe".encode(), b"x" * 50, b"z"])
        producers = {
            "x": kind([[numbers]] * chunks),
            "s": kind([[texts]] * chunks),
            "b": kind([[bits]] * chunks),
        }
        table.clear()
        table.extend(producers)
        assert [each.num_released for each in producers.values()] == [each.num_given for each in producers.values()]
        expected = [(1, "", True), (None, "größe", True), (3, "x" * 50, False), (4, "z", False)]
        assert list(table) == expected * chunks
        assert table["s"].values.tobytes() == ("größe" + "x" * 50 + "z").encode() * chunks


def test_columns_without_chunks() -> None:
    table = vmem.Table({"x": "i|None", "s": "str"}, capacity=10)
    ints, texts = Column(b"i", [None, bytes(4)], 1), text_column(b"u", [b"a"])
    table.extend([ColumnProducer([], schema=[ints]), ColumnProducer([], schema=[texts])])
    assert len(table) == 0


WRONG_COLUMNS = {
    **{
        name: Column(b"i", [None, bytes(16)], 4, overrides=overrides)
        for name, overrides in (
            ("negative length", {"length": -1}),
            ("huge length", {"length": 2**62}),
            ("negative offset", {"offset": -1}),
            ("huge offset", {"offset": 2**62}),
            ("negative buffers", {"n_buffers": -1}),
            ("three buffers", {"n_buffers": 3}),
            ("no buffers", {"buffers": None}),
        )
    },
    "no values": Column(b"i", [None, None], 4),
    "a dictionary": Column(b"i", [None, bytes(16)], 4, has_dictionary=True),
    "rows": Column(b"+s", [None], 4),
    "nothing": Column(b"", [None, bytes(16)], 4),
    "no format": Column(None, [None, bytes(16)], 4),  # type: ignore[arg-type]
    "loss": Column(b"l", [None, struct.pack("=q", 2**40)], 1),
    "null": Column(b"n", [], 4),
    "missing": Column(b"i", [b"\x07", bytes(16)], 4, null_count=1),
    **{f"texts, {name}": column for name, column in WRONG_TEXTS.items()},
}


@pytest.mark.parametrize("kind", [ColumnProducer, ArrayProducer])
@pytest.mark.parametrize("name", WRONG_COLUMNS)
def test_wrong_columns_change_nothing(kind: type[ColumnProducer], name: str) -> None:
    table = vmem.Table({"a": "i", "x": "str" if name.startswith("texts") else "i"}, capacity=100)
    column = WRONG_COLUMNS[name]
    producer = kind([[column]])
    with pytest.raises((ValueError, TypeError, OverflowError)):
        table.extend({"a": [1] * column.length, "x": producer})
    assert len(table) == 0
    gc.collect()
    assert producer.num_released == producer.num_given


def test_late_errors_of_a_column() -> None:
    table = int_table()
    for producer in (
        ColumnProducer([[INTS], [INTS]], next_error_at=1),
        ColumnProducer([[INTS]], schema_error=12),
        ColumnProducer([[INTS]] * 100_000),
    ):
        with pytest.raises((OSError, MemoryError)):
            table.extend({"x": producer})
        assert producer.num_released == producer.num_given
    assert list(table) == [(7,)]


class Returning:
    """Its methods return what the test says."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def __arrow_c_array__(self) -> Any:
        return self.made()


def released_pair() -> Any:
    pair: Any = ArrayProducer([[INTS]]).__arrow_c_array__()
    release(array_in(pair[1]))
    return pair


@pytest.mark.parametrize(
    "made",
    [
        lambda: None,
        lambda: (),
        lambda: (1, 2),
        lambda: [1, 2],
        lambda: make_table()["a"].__arrow_c_array__()[:1],
        lambda: make_table()["a"].__arrow_c_array__()[::-1],
        lambda: (make_table().__arrow_c_stream__(),) * 2,
        released_pair,
        lambda: 1 / 0,
    ],
    ids=range(9),
)
def test_what_is_no_array_is_refused(made: Any) -> None:
    table = int_table()
    with pytest.raises((TypeError, ValueError, ZeroDivisionError)):
        table.extend({"x": Returning(made)})
    assert list(table) == [(7,)]


def test_an_array_is_consumed() -> None:
    pair = make_table()["a"].__arrow_c_array__()
    table = int_table()
    table.extend({"x": Returning(lambda: pair)})
    assert table["x"].tolist() == [7, 1, 2, 3]
    with pytest.raises(ValueError, match="has been released"):
        table.extend({"x": Returning(lambda: pair)})


def test_nat_in_arrow_data() -> None:
    column = Column(b"tsn:", [None, struct.pack("=3q", 1, -(2**63), 3)], 3)
    table = vmem.Table({"x": "M8[ns]|None"}, capacity=10)
    table.extend({"x": ColumnProducer([[column]])})
    table.extend(Producer([[column]]))
    assert table["x"].tolist() == [1, None, 3] * 2
    table = vmem.Table({"x": "M8[ns]"}, capacity=10)
    for source in ({"x": ColumnProducer([[column]])}, Producer([[column]])):
        with pytest.raises(ValueError, match="does not allow NaT"):
            table.extend(source)
    assert len(table) == 0


# --- others ---


def test_every_character_is_taken() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = ["".join(characters[i : i + 999]).encode() for i in range(0, len(characters), 999)]
    table = vmem.Table({"x": "str"}, capacity=10_000)
    table.extend(Producer([[text_column(b"u", texts)]]))
    assert "".join(table["x"].tolist()) == "".join(characters)


def test_nulls_where_none_is_allowed_are_refused() -> None:
    table = vmem.Table({"x": "i"}, capacity=10)
    with pytest.raises(ValueError, match="column 'x' does not allow None, which item 2 is"):
        table.extend(Producer([[Column(b"i", [b"\x0b", INTS.buffers[1]], 4, null_count=1)]]))
    with pytest.raises(ValueError, match="does not allow None, which item 0 is"):
        table.extend(Producer([[Column(b"n", [], 2)]]))
    for kind in ("i", "?", "str", "M8[s]"):
        nullable = vmem.Table({"x": f"{kind}|None"}, capacity=10)
        nullable.extend(Producer([[Column(b"n", [], 3)]]))
        assert nullable["x"].tolist() == [None] * 3


@pytest.mark.parametrize("made", [None, 5, "capsule", "released"])
def test_what_is_no_stream_is_refused(made: object) -> None:
    class Fake:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            if made == "capsule":
                return int_table().__arrow_c_schema__()
            if made == "released":
                capsule = int_table().__arrow_c_stream__()
                release_stream(stream_in(capsule))
                return capsule
            return made

    with pytest.raises(ValueError if made == "released" else TypeError, match=r"arrow_array_stream|been released"):
        int_table().extend(Fake())


def test_a_capsule_is_consumed() -> None:
    table = int_table()
    capsule = table.__arrow_c_stream__()

    class Once:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return capsule

    table.extend(Once())
    with pytest.raises(ValueError, match="has been released"):
        table.extend(Once())
    assert len(table) == 2
