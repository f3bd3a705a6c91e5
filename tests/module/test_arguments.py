"""Arguments of calls that take a range: bounds, integers, empty ranges, released regions and uncommitted bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import vmem
from tests.support.arguments import Index
from tests.support.interpreter import MAX_SIZE
from tests.support.marks import linux_only
from tests.support.processes import run_python
from vmem import Protection, _vmem
from vmem._arguments import MAX_PROTECTION, to_protection

Call = Callable[..., Any]

NEED_COMMITTED: dict[str, Callable[[vmem.Region], Call]] = {
    "discard": lambda region: region.discard,
    "prefault": lambda region: region.prefault,
    "protect": lambda region: partial(region.protect, Protection.READ),
    "protect as it is": lambda region: partial(region.protect, Protection.READ_WRITE),
    "lock": lambda region: region.lock,
    "unlock": lambda region: region.unlock,
    "view": lambda region: region.view,
    "readonly view": lambda region: partial(region.view, readonly=True),
}

ALL: dict[str, Callable[[vmem.Region], Call]] = {
    "commit": lambda region: region.commit,
    "commit and prefault": lambda region: partial(region.commit, prefault=True),
    "decommit": lambda region: region.decommit,
    "resident": lambda region: region.resident,
    "is_committed": lambda region: region.is_committed,
    **NEED_COMMITTED,
}

TWO_NUMBERS: list[Call] = [
    _vmem.Region.commit,
    _vmem.Region._commit_and_prefault,
    _vmem.Region.prefault,
    _vmem.Region.decommit,
    _vmem.Region.discard,
    _vmem.Region.lock,
    _vmem.Region.unlock,
    _vmem.Region.resident,
]


@pytest.fixture(params=ALL)
def call(request: pytest.FixtureRequest, region: vmem.Region) -> Call:
    """A method of the region that takes (offset, num_bytes)."""
    return ALL[request.param](region)


@pytest.fixture(params=NEED_COMMITTED)
def committed_call(request: pytest.FixtureRequest, region: vmem.Region) -> Call:
    """One of those that need every byte to be committed."""
    return NEED_COMMITTED[request.param](region)


def test_ranges_outside_the_region_are_refused(region: vmem.Region, call: Call) -> None:
    size = region.size
    with pytest.raises(ValueError, match=f"offset {size} \\+ num_bytes 1 is past the end of a region of {size} bytes"):
        call(size, 1)
    with pytest.raises(ValueError, match=f"offset 1 \\+ num_bytes {size} is past the end of a region of {size} bytes"):
        call(1, size)
    with pytest.raises(ValueError, match=f"offset {size + 1} is past the end of a region of {size} bytes"):
        call(size + 1)
    with pytest.raises(ValueError, match=f"offset {size + 1} is past the end of a region of {size} bytes"):
        call(size + 1, 0)
    with pytest.raises(ValueError, match=f"offset {MAX_SIZE} is past the end"):
        call(MAX_SIZE, 2)
    for num_bytes in (MAX_SIZE // 2, MAX_SIZE // 2 + 1, MAX_SIZE - 1, MAX_SIZE):
        with pytest.raises(ValueError, match=f"offset 1 \\+ num_bytes {num_bytes} is past the end"):
            call(1, num_bytes)
    assert region.committed == 0


def test_integers_out_of_range_are_refused(region: vmem.Region, call: Call) -> None:
    for arguments in ((-1,), (-1, 1), (-(2**63), 1), (-(2**70), 1), (2**64, 1), (2**70, 1)):
        with pytest.raises(ValueError, match="offset"):
            call(*arguments)
    for arguments in ((0, -1), (0, -(2**63)), (0, 2**64), (0, 2**70)):
        with pytest.raises(ValueError, match="num_bytes"):
            call(*arguments)
    assert region.committed == 0


@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["above", "below"])
def test_integers_too_large_to_print_are_refused(region: vmem.Region, call: Call, number: int) -> None:
    for arguments, what in (((number,), "offset"), ((number, 1), "offset"), ((0, number), "num_bytes")):
        with pytest.raises(ValueError, match=rf"^{what} must .*, got an integer of 16610 bits$"):
            call(*arguments)


def explain(call: Call, *arguments: object) -> tuple[type[Exception], str]:
    """The type and the text of the exception that a call raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        call(*arguments)
    return raised.type, str(raised.value)


def test_both_layers_refuse_numbers_with_the_same_words(region: vmem.Region, call: Call) -> None:
    """Plain ints go straight to the extension; other integers are checked by the Python layer before that."""
    wrong = (-1, -(2**63), -(2**70), -(10**5000), MAX_SIZE + 1, 2**70, 10**5000)
    ranges = [
        *((number, 1) for number in wrong),
        *((1, number) for number in wrong),
        *zip(wrong, reversed(wrong), strict=True),
        *((number, MAX_SIZE) for number in (1, region.size, region.size + 1, MAX_SIZE)),
        (region.size, 1),
        (region.size + 1, 0),
        (1, region.size),
    ]
    for offset, num_bytes in ranges:
        expected = explain(call, offset, num_bytes)
        assert expected[0] is ValueError
        assert explain(call, Index(offset), num_bytes) == expected
        assert explain(call, offset, Index(num_bytes)) == expected
    assert explain(call, True, region.size) == explain(call, 1, region.size)
    assert explain(call, region.size, True) == explain(call, region.size, 1)
    region.release()
    assert explain(call, Index(0), Index(1)) == explain(call, 0, 1)


def test_wrong_types_are_refused(region: vmem.Region, call: Call) -> None:
    for value in (1.0, "1", b"1", [1]):
        with pytest.raises(TypeError, match=f"offset must be an integer, not {type(value).__name__}"):
            call(value)
        with pytest.raises(TypeError, match=f"num_bytes must be an integer, not {type(value).__name__}"):
            call(0, value)
    with pytest.raises(TypeError, match="offset must be an integer, not NoneType"):
        call(None)
    with pytest.raises(TypeError):
        call(0, 1, 2)
    with pytest.raises(TypeError):
        call(0, length=1)
    with pytest.raises(TypeError):
        call(0, offset=1)
    assert region.committed == 0


def test_integers_of_another_type_called_protection_are_accepted(region: vmem.Region, page: int, call: Call) -> None:
    region.commit()
    other = type("Protection", (int,), {})
    call(other(page), other(page))


def test_all_protections_and_no_other_numbers_are_accepted(region: vmem.Region) -> None:
    assert [to_protection(each) for each in Protection] == list(range(MAX_PROTECTION + 1))
    for number in (-1, MAX_PROTECTION + 1):
        with pytest.raises(ValueError, match=f"from 0 to {MAX_PROTECTION}, got {number}$"):
            to_protection(number)


def test_arguments_by_name_and_by_index(region: vmem.Region, page: int, call: Call) -> None:
    region.commit()
    call(offset=page, num_bytes=page)
    call(page, num_bytes=Index(5))
    call(num_bytes=1)
    call(Index(2), Index(3))
    call(Index(60 * page), None)


def test_empty_ranges_do_nothing(region: vmem.Region, call: Call) -> None:
    for arguments in ((0, 0), (5, 0), (region.size, 0), (region.size,)):
        call(*arguments)
    assert region.ranges() == [(0, region.size, False, Protection.NO_ACCESS)]


def test_empty_ranges_do_nothing_to_pages_in_use(region: vmem.Region, page: int, call: Call) -> None:
    region.commit(0, 2 * page)
    region[0:3] = b"abc"
    region.protect(Protection.NO_ACCESS, page, page)
    before = region.ranges()
    view = region[0:3]
    for offset in (0, 1, page, page + 1, 2 * page):
        call(offset, 0)
    assert region.ranges() == before
    assert bytes(view) == b"abc"
    assert not view.readonly


def test_released_regions_are_refused(region: vmem.Region, call: Call) -> None:
    region.commit()
    region.release()
    for arguments in ((), (0, 1), (0, 0), (0, MAX_SIZE), (region.size + 1, 1)):
        with pytest.raises(ValueError, match=f"this region of {region.size} bytes has been released"):
            call(*arguments)


def test_arguments_are_checked_before_the_state(region: vmem.Region, call: Call) -> None:
    region.release()
    with pytest.raises(TypeError, match="offset must be an integer, not str"):
        call("0", 1)
    with pytest.raises(ValueError, match="num_bytes must not be negative, got -1"):
        call(0, -1)


def test_an_offset_that_was_meant_as_a_size(region: vmem.Region, page: int) -> None:
    """One number is an offset; the error suggests the range that was probably meant."""
    size = region.size
    message = (
        f"offset {2 * size} is past the end of a region of {size} bytes; "
        f"one number is where a range begins, and (0, {2 * size}) is the first {2 * size} bytes"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        region.commit(2 * size)
    region.release()
    with pytest.raises(ValueError, match="has been released"):
        region.commit(2 * size)


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
@pytest.mark.parametrize("prefault", [False, True])
def test_a_refused_commit_by_offset_alone_suggests_a_range(prefault: bool) -> None:
    run_python(
        f"""
        import resource, vmem
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, resource.RLIM_INFINITY))
        with vmem.reserve(1 << 40) as region:
            for arguments in ((1000,), (1000, None)):
                try:
                    region.commit(*arguments, prefault={prefault})
                except vmem.OutOfMemoryError as error:
                    assert error.__notes__ == [
                        "commit(1000) is all from byte 1000 on; commit(0, 1000) is the first 1000 bytes"
                    ], error.__notes__
                else:
                    raise SystemExit("it was committed")
            for arguments in ((), (0,), (1000, (1 << 40) - 1000)):
                try:
                    region.commit(*arguments, prefault={prefault})
                except vmem.OutOfMemoryError as error:
                    assert not hasattr(error, "__notes__"), error.__notes__
                else:
                    raise SystemExit("it was committed")
        """
    )


def test_uncommitted_bytes_are_refused(region: vmem.Region, page: int, committed_call: Call) -> None:
    region.commit(0, page)
    region.commit(2 * page, page)
    region[0], region[2 * page] = 1, 2
    before = region.ranges()
    for arguments, message in (
        ((page - 1, 2), f"byte {page} of this region is not committed; commit({page}, 1) makes it usable"),
        (
            (0, 3 * page),
            f"bytes {page} to {2 * page} of this region are not committed; commit({page}, {page}) makes them usable",
        ),
        (
            (2 * page,),
            f"bytes {3 * page} to {64 * page} of this region are not committed; "
            f"pass a smaller num_bytes (ranges() lists what is committed), or commit({3 * page}, {61 * page}) first",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            committed_call(*arguments)
    assert region.ranges() == before
    assert (region[0], region[2 * page]) == (1, 2)


def test_the_suggested_commit_helps(region: vmem.Region, page: int, committed_call: Call) -> None:
    region.commit(0, page)
    with pytest.raises(ValueError, match="makes them usable") as raised:
        committed_call(0, 3 * page)
    advice = re.search(r"commit\(\d+, \d+\)", str(raised.value))
    assert advice
    eval(f"region.{advice[0]}", {"region": region})
    committed_call(0, 3 * page)


@pytest.mark.parametrize("method", TWO_NUMBERS)
def test_the_extension_checks_ranges_too(region: vmem.Region, method: Call) -> None:
    for arguments in (
        (region.size, 1),
        (1, region.size),
        (MAX_SIZE, 1),
        (MAX_SIZE + 1, 1),
        (-1, 1),
        (0, -1),
        (0, 2**64),
    ):
        with pytest.raises(ValueError, match=r"offset|num_bytes"):
            method(region, *arguments)
    for wrong in ((), (0,), (0, 1, 2), (0, None), ("0", 1), (0, 1.0)):
        with pytest.raises(TypeError):
            method(region, *wrong)
    region.release()
    with pytest.raises(ValueError, match="released"):
        method(region, 0, 0)


def test_the_extension_checks_protections_too(region: vmem.Region) -> None:
    region.commit()
    protect: Call = partial(_vmem.Region.protect, region)
    for protection in (-1, 6, 2**64 - 1, 2**64, -(2**64)):
        with pytest.raises(ValueError, match=f"protection must .*, got {protection}"):
            protect(protection, 0, 1)
    with pytest.raises(ValueError, match=r"protection must .*, got an integer of 16610 bits"):
        protect(10**5000, 0, 1)
    with pytest.raises(ValueError, match=r"protection must .*, got an integer of 16610 bits"):
        region.protect(10**5000)
    for wrong in ((), (1,), (1, 0), (1, 0, 1, 0), ("1", 0, 1), (1.0, 0, 1), (None, 0, 1), (1, 0, None)):
        with pytest.raises(TypeError):
            protect(*wrong)
    for outside in ((1, region.size, 1), (1, -1, 1), (1, 0, 2**64), (1, MAX_SIZE, 2)):
        with pytest.raises(ValueError, match=r"offset|num_bytes"):
            protect(*outside)
    assert region.ranges() == [(0, region.size, True, Protection.READ_WRITE)]
