"""Files of NumPy: it reads what arrays write after each flush, arrays read what it writes, and the rest is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.files import describe, make_header, make_npy, untouched

TYPECODES = "bBhHiIlLqQfd"
MODES = ["r", "r+", "a"]
OTHER_ORDER = ">" if sys.byteorder == "little" else "<"
MIB = 1 << 20


def load_all(path: Path) -> list[Any]:
    """What both ways of NumPy to read a file give."""
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    loaded = np.load(path, allow_pickle=False)
    assert mapped.dtype == loaded.dtype
    assert mapped.shape == loaded.shape
    assert (mapped == loaded).all()
    items: list[Any] = loaded.tolist()
    return items


# --- written by arrays ---


@pytest.mark.parametrize("typecode", TYPECODES)
def test_numpy_reads_every_type(npy: Path, typecode: str) -> None:
    with vmem.open_array(npy, typecode, mode="x") as made:
        made.extend([1, 2, 100])
    assert load_all(npy) == [1, 2, 100]
    assert np.load(npy).dtype == np.dtype(typecode)


@pytest.mark.parametrize("durable", [True, False])
def test_numpy_reads_after_each_flush(npy: Path, durable: bool) -> None:
    """Lengths of every number of digits from one to seven, from none on."""
    expected: list[int] = []
    with vmem.open_array(npy, "i", mode="x") as made:
        made.flush(durable=durable)
        assert load_all(npy) == []
        for length in (1, 9, 10, 11, 99, 100, 12_345, 999_999, 1_000_000):
            made.extend(range(len(made), length))
            assert load_all(npy) == expected, "what is not flushed is not shown"
            made.flush(durable=durable)
            expected = list(range(length))
            assert load_all(npy) == expected
    assert load_all(npy) == expected


@pytest.mark.parametrize("first", [0, 1, 12, 123, 1234])
@pytest.mark.parametrize("more", [1, 10, 100, 1000, 10_000, 100_000, 1_000_000])
def test_numbers_of_any_length_after_any_other(npy: Path, first: int, more: int) -> None:
    with vmem.open_array(npy, "B", mode="x") as made:
        for num_items in (first, more, 1):
            made.frombytes(bytes(num_items))
            made.flush(durable=False)
            assert np.load(npy).shape == (len(made),)
    assert npy.read_bytes() == make_npy(np.zeros(first + more + 1, "B"))


def test_a_new_file_is_one_that_numpy_would_write(npy: Path) -> None:
    with vmem.open_array(npy, "d", mode="x") as made:
        made.extend([1.0, 2.0])
    assert npy.read_bytes() == make_npy(np.array([1.0, 2.0]))


def test_a_file_is_one_of_numpy_from_the_beginning(npy: Path) -> None:
    made = vmem.open_array(npy, "d", mode="x")
    assert load_all(npy) == []
    made.close()
    assert npy.read_bytes() == make_npy(np.array([], "d"))


def test_items_are_aligned(npy: Path) -> None:
    with vmem.open_array(npy, "d", mode="x") as made:
        made.extend([1.0])
        assert made.buffer_info()[0] % 64 == 0
        assert np.asarray(made).flags.aligned


def test_mode_w_plus_begins_anew(npy: Path) -> None:
    np.save(npy, np.arange(100_000, dtype="i"))
    with vmem.open_array(npy, "d", mode="w+") as made:
        assert load_all(npy) == []
        made.append(5.0)
    assert load_all(npy) == [5.0]


def test_the_ending_decides(tmp_path: Path) -> None:
    for ending, is_npy in ((".npy", True), (".raw", False), (".npy.raw", False), ("", False), (".npz", False)):
        path = tmp_path / f"a{ending}"
        with vmem.open_array(path, "B", mode="x") as made:
            made.append(5)
        assert path.read_bytes().startswith(b"\x93NUMPY") is is_npy, ending
        assert is_npy or path.read_bytes() == b"\x05"


def test_paths_of_bytes(npy: Path) -> None:
    with vmem.open_array(os.fsencode(npy), "B", mode="x") as made:
        made.append(5)
    assert load_all(npy) == [5]


# --- written by NumPy ---


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("typecode", TYPECODES)
def test_files_of_numpy(npy: Path, typecode: str, version: tuple[int, int]) -> None:
    npy.write_bytes(make_npy(np.array([1, 2, 100], typecode), version))
    with untouched(npy), vmem.open_array(npy) as made:
        assert np.dtype(made.typecode) == np.dtype(typecode)
        assert made.tolist() == [1, 2, 100]
    for number, mode in enumerate(("r+", "a")):
        with vmem.open_array(npy, mode=mode) as made:  # type: ignore[call-overload]
            made.append(7)
            made.flush()
            assert load_all(npy) == made.tolist()
            made.extend([8] * 10_000)
        assert load_all(npy)[-1] == 8
        assert len(load_all(npy)) == 3 + 10_001 * (number + 1)
    assert npy.read_bytes()[6:8] == bytes(version)


@pytest.mark.parametrize("mode", MODES)
def test_a_typecode_that_agrees(npy: Path, mode: Any) -> None:
    np.save(npy, np.array([1.0, 2.0]))
    with vmem.open_array(npy, "d", mode=mode) as made:
        assert made.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("typecode", "fqB")
def test_a_typecode_that_does_not(npy: Path, mode: Any, typecode: str) -> None:
    np.save(npy, np.array([1.0, 2.0]))
    with untouched(npy), pytest.raises(ValueError, match=r"typecode|f8"):
        vmem.open_array(npy, typecode, mode=mode)


@pytest.mark.parametrize("name", ["l", "q"])
def test_types_of_equal_size_agree(npy: Path, name: str) -> None:
    """NumPy does not write which of them it was."""
    np.save(npy, np.array([5], name))
    with vmem.open_array(npy, name) as made:
        assert made.typecode == name
        assert made.tolist() == [5]


def test_files_without_items(npy: Path) -> None:
    np.save(npy, np.array([], "d"))
    with vmem.open_array(npy, mode="a") as made:
        assert (made.typecode, len(made)) == ("d", 0)
        made.append(5.0)
    assert load_all(npy) == [5.0]


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}",
        "{'shape': (3,), 'descr': '<f8', 'fortran_order': False}",
        '{"descr": "<f8", "fortran_order": False, "shape": (3,), }',
        "{ 'descr' :  '<f8','fortran_order':False , 'shape': (3,)  ,}",
    ],
)
def test_dictionaries_that_mean_the_same(npy: Path, text: str) -> None:
    """Other programs write them with other spaces and orders."""
    npy.write_bytes(make_header(text) + np.arange(3.0).tobytes())
    assert load_all(npy) == [0.0, 1.0, 2.0]
    with vmem.open_array(npy) as made:
        assert made.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("order", ["", "=", "|", "<" if sys.byteorder == "little" else ">"])
@pytest.mark.parametrize("typecode", "bBhHiIqQfd")
def test_names_of_types_that_mean_the_same(npy: Path, order: str, typecode: str) -> None:
    """NumPy writes one of them and reads all."""
    items = np.array([1, 2, 100], typecode)
    descr = order + items.dtype.str[1:]
    npy.write_bytes(make_header(describe("(3,)", repr(descr))) + items.tobytes())
    with vmem.open_array(npy, mode="r+") as made:
        assert made.typecode == typecode
        made.append(7)
    assert load_all(npy) == [1, 2, 100, 7]


@pytest.mark.parametrize("order", "<>|=")
@pytest.mark.parametrize("kind", "iu")
def test_a_single_byte_has_no_order(npy: Path, order: str, kind: str) -> None:
    npy.write_bytes(make_header(describe("(3,)", repr(f"{order}{kind}1"))) + bytes([1, 2, 3]))
    with vmem.open_array(npy) as made:
        assert made.tolist() == load_all(npy) == [1, 2, 3]


@pytest.mark.parametrize("descr", ["<<f8", "<|f8", "<", "", "f", "8", "1", "<1", "f8 ", "float64", "d", "?", "|b1"])
def test_names_of_types_that_are_refused(npy: Path, descr: str) -> None:
    npy.write_bytes(make_header(describe("(1,)", repr(descr))) + bytes(8))
    with untouched(npy), pytest.raises(ValueError, match="items"):
        vmem.open_array(npy)


def test_an_order_that_is_not_a_bool(npy: Path) -> None:
    npy.write_bytes(make_header(describe("(1,)", order="1")) + bytes(8))
    with untouched(npy), pytest.raises(ValueError, match="fortran_order is 1, which is not a bool"):
        vmem.open_array(npy)


def test_a_capacity_that_the_header_has_no_room_for(npy: Path) -> None:
    text = describe("(9,)")
    text = text[:-1] + " " * (-(11 + len(text)) % 64) + "}"
    npy.write_bytes(make_header(text) + bytes(72))
    modes: list[Any] = ["r", "r+", "a"]
    for mode in modes:
        with untouched(npy), pytest.raises(ValueError, match=r"header has room for a length of 1 digits.* 10$"):
            vmem.open_array(npy, mode=mode, capacity=10)
    with vmem.open_array(npy, mode="r+", capacity=9) as made:
        assert len(made) == 9
        match = r"of 9 items to 1[02]; its header has room for a length of 1 digits$"
        appends: list[Callable[[], object]] = [
            lambda: made.extend([1.0] * 3),
            lambda: made.frombytes(bytes(24)),
            lambda: made.prefault(3),
        ]
        for append in appends:
            with untouched(npy), pytest.raises(vmem.OutOfMemoryError, match=match):
                append()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_without_room_for_a_longer_length(npy: Path, version: tuple[int, int]) -> None:
    """Older versions of NumPy left none. Such a file cannot grow beyond its digits; nothing is lost."""
    items = np.arange(9.0)
    text = describe("(9,)")
    width = 2 if version == (1, 0) else 4
    text = text[:-1] + " " * (-(8 + width + len(text) + 1) % 64) + "}"  # so that no space is behind it
    npy.write_bytes(make_header(text, version) + items.tobytes())
    assert load_all(npy) == items.tolist()
    with vmem.open_array(npy) as made:
        assert made.tolist() == items.tolist()
    try:
        made = vmem.open_array(npy, mode="r+")
    except (ValueError, OSError):
        pass
    else:
        made[0] = 5.0
        try:
            made.extend(range(1000))
            made.close()
        except (ValueError, OSError):
            made.close()
    found = load_all(npy)
    assert found[1:9] == items.tolist()[1:]
    assert len(found) in (9, 1009)


def test_a_long_header(npy: Path) -> None:
    """As NumPy writes it where version 1 does not suffice; items begin where it says."""
    text = describe("(3,)")[:-1] + " " * 100_000 + "}"
    npy.write_bytes(make_header(text, (2, 0)) + np.arange(3.0).tobytes())
    try:
        made = vmem.open_array(npy, mode="r+")
    except ValueError as error:
        assert "header" in str(error)  # noqa: PT017
        return
    with made:
        assert made.tolist() == [0.0, 1.0, 2.0]
        made.append(5.0)
    assert np.load(npy, max_header_size=1 << 20).tolist() == [0.0, 1.0, 2.0, 5.0]


def test_items_that_are_not_aligned(npy: Path) -> None:
    """NumPy aligned them to 16 bytes once. Where they are aligned to less than their size, arrays cannot use them."""
    text = describe("(3,)")
    header = b"\x93NUMPY\x01\x00" + (len(text) + 6 + 1).to_bytes(2, "little") + text.encode() + b" " * 6 + b"\n"
    for shift in range(16):
        padded = header[:-1] + b" " * shift + b"\n"
        padded = padded[:8] + (len(padded) - 10).to_bytes(2, "little") + padded[10:]
        npy.write_bytes(padded + np.arange(3.0).tobytes())
        assert load_all(npy) == [0.0, 1.0, 2.0]
        if len(padded) % 8 == 0:
            with vmem.open_array(npy) as made:
                assert made.tolist() == [0.0, 1.0, 2.0]
            del made  # Windows changes no file that is mapped
        else:
            with untouched(npy), pytest.raises(ValueError, match=r"align|multiple|begin"):
                vmem.open_array(npy)


# --- refused ---


def make_refused() -> dict[str, bytes]:
    items = np.arange(4.0)
    whole = make_npy(items)
    data = items.tobytes()
    structured = np.zeros(3, [("a", "i4"), ("b", "f8")])
    refused = {
        "Fortran order": make_npy(np.asfortranarray(np.ones((3, 2)))),
        "other byte order": make_npy(items.astype(f"{OTHER_ORDER}f8")),
        "structured": make_npy(structured),
        "bool": make_npy(np.array([True, False])),
        "complex": make_npy(np.ones(3, "complex128")),
        "half": make_npy(np.ones(3, "float16")),
        "text": make_npy(np.array(["abc"])),
        "bytes": make_npy(np.array([b"abc"])),
        "times": make_npy(np.array(["2020-01-01"], "M8[D]")),
        "void": make_npy(np.zeros(3, "V8")),
        "no dimension": make_npy(np.array(5.0)),
        "dimension of zero": make_npy(np.ones((3, 0))),
        "version 0": whole[:6] + b"\x00" + whole[7:],
        "version 4": whole[:6] + b"\x04" + whole[7:],
        "version 1.1": whole[:7] + b"\x01" + whole[8:],
        "version 255": whole[:6] + b"\xff\xff" + whole[8:],
        "wrong magic": b"\x93NUMPX" + whole[6:],
        "zip": b"PK\x03\x04" + bytes(200),
        "empty dictionary": make_header("{}") + data,
        "no dictionary": make_header("5") + data,
        "a call": make_header("__import__('os').abort()") + data,
        "deep": make_header("(" * 3000 + ")" * 3000) + data,
        "many nots": make_header("not " * 5000 + "1") + data,
        "not closed": make_header(describe("(4,)")[:-1]) + data,
        "more behind it": make_header(describe("(4,)") + " {}") + data,
        "zeros": make_header("\0" * 50) + data,
        "a zero within": make_header(describe("(4,)").replace(",", "\0,", 1)) + data,
        "high bytes": make_header("\xff" * 50) + data,
        "another key": make_header("{'descr': '<f8', 'fortran_order': False, 'shape': (4,), 'x': 1}") + data,
        "a key too few": make_header("{'descr': '<f8', 'fortran_order': False}") + data,
        "no order": make_header(describe("(4,)", order="None")) + data,
        "order of 0": make_header(describe("(4,)", order="0")) + data,
        "a shape of text": make_header(describe("('4',)")) + data,
        "a shape of floats": make_header(describe("(4.0,)")) + data,
        "a shape without comma": make_header(describe("(4)")) + data,
        "a shape as list": make_header(describe("[4]")) + data,
        "a negative shape": make_header(describe("(-4,)")) + data,
        "a negative second one": make_header(describe("(-2, -2)")) + data,
        "one item too many": make_header(describe("(5,)")) + data,
        "two shapes": make_header(describe("(4,)")[:-1] + "'shape': (4,)}") + data,
        "part of an item": make_header(describe("(4,)")) + data[:-1],
        "a huge shape": make_header(describe(f"({1 << 60},)")) + data,
        "a shape that overflows": make_header(describe(f"({1 << 61},)")) + data,
        "a shape that overflows to 4": make_header(describe(f"({(1 << 61) + 4},)")) + data,
        "a shape beyond 64 bits": make_header(describe(f"({(1 << 64) + 4},)")) + data,
        "a shape of many digits": make_header(describe(f"({'9' * 5000},)")) + data,
        "a product that overflows": make_header(describe(f"({1 << 32}, {1 << 32})")) + data,
        "a product with zero": make_header(describe(f"(0, {1 << 62}, {1 << 62})")) + data,
        "many dimensions": make_header(describe("(" + "1, " * 100 + ")")) + data,
        "descr of no text": make_header(describe("(4,)", "8")) + data,
        "descr of another size": make_header(describe("(4,)", "'<f16'")) + data,
        "descr without size": make_header(describe("(4,)", "'<f'")) + data,
        "descr with a shape": make_header(describe("(2,)", "('<f8', (2,))")) + data,
        "descr of unknown type": make_header(describe("(4,)", "'<q8'")) + data,
        "descr of text": make_header(describe("(4,)", "'<U2'")) + data,
        "header beyond the file": whole[:8] + b"\xff\xff" + whole[10:],
        "header of no bytes": whole[:8] + b"\x00\x00" + whole[10:],
        "header of all memory": make_header(describe("(4,)"), (2, 0), size=(1 << 32) - 1) + data,
        "header of all memory, version 3": make_header(describe("(4,)"), (3, 0), size=(1 << 31)) + data,
    }
    refused |= {f"the first {end} bytes": whole[:end] for end in (1, 5, 6, 7, 8, 9, 10, 11, 64, 127)}
    return refused


REFUSED = make_refused()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", REFUSED)
def test_refused_files(npy: Path, name: str, mode: Any) -> None:
    """With the file as it was, and in a state to be opened by somebody else."""
    npy.write_bytes(REFUSED[name])
    for typecode in (None, "d"):
        with untouched(npy), pytest.raises(ValueError, match=r"."):
            vmem.open_array(npy, typecode, mode=mode)
    npy.write_bytes(make_npy(np.arange(4.0)))
    with vmem.open_array(npy, mode="r+") as made:
        assert made.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_objects(npy: Path) -> None:
    """Nothing is unpickled."""
    np.save(npy, np.array([None, {}], object), allow_pickle=True)
    for mode in MODES:
        with untouched(npy), pytest.raises(ValueError, match=r"O|object"):
            vmem.open_array(npy, mode=mode)  # type: ignore[call-overload]


def test_an_empty_file_is_made_one_of_numpy(npy: Path) -> None:
    """Where a process was killed between making it and writing its header. A reader refuses it, as NumPy does."""
    npy.touch()
    for mode in ("r", "r+"):
        with untouched(npy), pytest.raises(ValueError, match=r"."):
            vmem.open_array(npy, "d", mode=mode)
    with vmem.open_array(npy, "d", mode="a") as made:
        made.append(1.0)
    assert load_all(npy) == [1.0]


def test_what_is_behind_the_items(npy: Path) -> None:
    """A writer that was killed leaves more bytes than its header counts; the next one puts its items there."""
    npy.write_bytes(make_npy(np.arange(4.0)) + bytes(8 * 1000))
    with untouched(npy), vmem.open_array(npy) as made:
        assert made.tolist() == [0.0, 1.0, 2.0, 3.0]
    with vmem.open_array(npy, mode="r+") as made:
        assert made.tolist() == [0.0, 1.0, 2.0, 3.0]
        made.append(9.0)
    assert npy.read_bytes() == make_npy(np.array([0.0, 1.0, 2.0, 3.0, 9.0]))


@pytest.mark.parametrize("how", ["close", "flush", "drop"])
@pytest.mark.parametrize("mode", ["r+", "a"])
def test_a_file_to_which_nothing_is_appended_stays_as_it_is(npy: Path, mode: Any, how: str) -> None:
    """With what is behind its items, in case that was no killed writer's; and with the spaces of its header."""
    npy.write_bytes(make_header(describe("(3,)  ") + "\t") + np.arange(3.0).tobytes() + bytes(8 * 1000))
    with untouched(npy):
        made = vmem.open_array(npy, mode=mode)
        assert made.tolist() == [0.0, 1.0, 2.0]
        made.extend([])
        if how == "flush":
            made.flush()
            made.flush(durable=False)
        if how != "drop":
            made.close()
        del made


def test_room_without_items_is_cut_off(npy: Path) -> None:
    np.save(npy, np.arange(3.0))
    with vmem.open_array(npy, mode="r+") as made:
        made.prefault(100_000)
    assert npy.read_bytes() == make_npy(np.arange(3.0))
