"""Range, MemoryInfo, MemoryPart and MemoryMap: tuples with named fields that cannot be changed."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import vmem
from vmem import MemoryInfo, MemoryMap, MemoryPart, Protection, Range

PART = MemoryPart(0, 8192, True, Protection.READ_WRITE, False, 4096, 1)

RECORDS: list[tuple[Any, dict[str, object]]] = [
    (Range, {"offset": 4096, "num_bytes": 8192, "committed": True, "protection": Protection.READ}),
    (MemoryInfo, {"total": 2, "available": 1}),
    (
        MemoryPart,
        {
            "offset": 0,
            "num_bytes": 8192,
            "committed": True,
            "protection": Protection.READ_WRITE,
            "locked": False,
            "resident": None,
            "num_views": 1,
        },
    ),
    (
        MemoryMap,
        {
            "kind": "region",
            "name": None,
            "address": 1 << 20,
            "size": 8192,
            "page_size": 4096,
            "used": None,
            "num_views": 1,
            "pinned": ((0, 4096),),
            "parts": (PART,),
        },
    ),
]

Record = pytest.mark.parametrize(("kind", "fields"), RECORDS, ids=lambda value: getattr(value, "__name__", ""))


@Record
def test_a_record_is_a_tuple_of_its_fields(kind: Any, fields: dict[str, object]) -> None:
    record = kind(*fields.values())
    assert issubclass(kind, tuple)
    assert record == tuple(fields.values()) == kind(**fields) == kind._make(fields.values())
    assert hash(record) == hash(tuple(fields.values()))
    assert kind._fields == kind.__match_args__ == tuple(fields)
    assert {name: getattr(record, name) for name in fields} == record._asdict() == fields
    assert list(record._asdict()) == list(fields)
    first, *_ = record
    assert first == record[0]


@Record
def test_a_record_is_made_of_all_its_fields(kind: Any, fields: dict[str, object]) -> None:
    for arguments in ((), tuple(fields.values())[1:], (*fields.values(), 0)):
        with pytest.raises(TypeError, match="argument"):
            kind(*arguments)
    with pytest.raises(TypeError, match="other"):
        kind(**fields, other=1)


@Record
def test_a_record_cannot_be_changed_but_replaced(kind: Any, fields: dict[str, object]) -> None:
    record = kind(**fields)
    for name in (*fields, "other"):
        with pytest.raises(AttributeError):
            setattr(record, name, 1)
    assert not hasattr(record, "__dict__")
    name = list(fields)[1]
    changed = record._replace(**{name: 5})
    assert type(changed) is kind
    assert changed._asdict() == {**fields, name: 5}
    assert record._asdict() == fields
    with pytest.raises((TypeError, ValueError), match="other"):  # TypeError from Python 3.13 on
        record._replace(other=1)


@Record
def test_records_are_copied_and_pickled(kind: Any, fields: dict[str, object]) -> None:
    record = kind(**fields)
    pickles = [pickle.dumps(record, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for copied in (copy.copy(record), copy.deepcopy(record), *map(pickle.loads, pickles)):
        assert copied == record
        assert type(copied) is kind
        assert repr(copied) == repr(record)


@pytest.mark.parametrize(("kind", "fields"), RECORDS[:3], ids=lambda value: getattr(value, "__name__", ""))
def test_the_representation_makes_an_equal_record(kind: Any, fields: dict[str, object]) -> None:
    record = kind(**fields)
    shown = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    assert repr(record) == f"{kind.__name__}({shown})"


def test_records_in_match_statements() -> None:
    match vmem.reserve(1).ranges():
        case [Range(0, num_bytes, False, Protection.NO_ACCESS)]:
            assert num_bytes == vmem.get_page_size()
        case other:
            raise AssertionError(other)


@Record
def test_subclasses_of_records(kind: Any, fields: dict[str, object]) -> None:
    class Larger(kind):  # type: ignore[misc]
        """Has a dictionary, as subclasses of namedtuple do."""

    record = Larger(**fields)
    record.other = 5
    assert record == kind(**fields)
    assert type(record._replace()) is Larger
