"""A region against a plain model of its pages, under random sequences of calls, contents compared byte for byte."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import vmem
from tests.models.region_model import PAGE, CheckedRegion
from vmem import Protection, Range

pytestmark = pytest.mark.in_child

NUM_PAGES = 8  # few, so that calls meet
SIZE = NUM_PAGES * PAGE

# Offsets next to page borders find more than those in the middle of a page. The last few are past the end.
borders = st.builds(lambda page, shift: max(page * PAGE + shift, 0), st.integers(0, NUM_PAGES), st.integers(-2, 2))
offsets = borders | st.integers(0, SIZE)
inside = offsets.map(lambda offset: min(offset, SIZE))

# Of the ranges (offset, num_bytes), those of a few pages leave more of a region as it was.
ranges = st.one_of(
    st.tuples(offsets, st.integers(0, 2 * PAGE)),
    st.tuples(offsets, offsets).map(lambda ends: (min(ends), max(ends) - min(ends))),
)
steps = st.sampled_from([None, None, 1, 2, 3, -1, -3, PAGE - 1, PAGE, -PAGE - 1, 2 * PAGE, 2**62])
ends = st.none() | offsets | offsets.map(lambda offset: -offset)
slices = st.builds(slice, ends, ends, steps)
protections = st.sampled_from([Protection.READ_WRITE] * 6 + [Protection.READ, Protection.NO_ACCESS, None])
indices = st.integers(-SIZE - 1, SIZE) | inside
numbers = st.integers(0, 2**20)
data = st.binary(min_size=1, max_size=40)


def repeated(part: bytes, length: int) -> bytes:
    return (part * (length // len(part) + 1))[:length]


class RegionMachine(RuleBasedStateMachine):
    """Every rule is one call, made on the region and on its model."""

    # Most calls are refused by a region that has nothing, or not enough in one piece.
    @initialize(protections=st.lists(protections, min_size=NUM_PAGES, max_size=NUM_PAGES), part=data)
    def begin(self, protections: list[Protection | None], part: bytes) -> None:
        self.checked = CheckedRegion(NUM_PAGES)
        for number, protection in enumerate(protections):
            if protection is not None:
                self.checked.commit(number * PAGE, PAGE, prefault=False)
                self.checked.write_slice(slice(number * PAGE, (number + 1) * PAGE), repeated(part, PAGE))
                self.checked.protect(protection, number * PAGE, PAGE)

    @rule(where=ranges, prefault=st.booleans())
    def commit(self, where: tuple[int, int], prefault: bool) -> None:
        self.checked.commit(*where, prefault=prefault)

    @rule(where=ranges)
    def decommit(self, where: tuple[int, int]) -> None:
        self.checked.decommit(*where)

    @rule(where=ranges)
    def discard(self, where: tuple[int, int]) -> None:
        self.checked.discard(*where)

    @rule(where=ranges)
    def prefault(self, where: tuple[int, int]) -> None:
        self.checked.prefault(*where)

    @rule(where=ranges, protection=st.sampled_from([Protection.READ, *Protection]))
    def protect(self, where: tuple[int, int], protection: Protection) -> None:
        self.checked.protect(protection, *where)

    @rule(where=ranges)
    def make_writable(self, where: tuple[int, int]) -> None:
        self.checked.protect(Protection.READ_WRITE, *where)

    @rule(where=ranges)
    def lock(self, where: tuple[int, int]) -> None:
        self.checked.lock(*where)

    @rule(where=ranges)
    def unlock(self, where: tuple[int, int]) -> None:
        self.checked.unlock(*where)

    @rule(where=ranges)
    def count_resident(self, where: tuple[int, int]) -> None:
        self.checked.resident(*where)

    @rule(where=ranges)
    def is_committed(self, where: tuple[int, int]) -> None:
        self.checked.is_committed(*where)

    @rule(index=indices)
    def read_item(self, index: int) -> None:
        self.checked.read_item(index)

    @rule(index=indices, byte=st.integers(0, 255))
    def write_item(self, index: int, byte: int) -> None:
        self.checked.write_item(index, byte)

    @rule(key=slices, part=data, excess=st.sampled_from([0, 0, 0, 0, 1, -1]))
    def write_slice(self, key: slice, part: bytes, excess: int) -> None:
        length = len(range(*key.indices(SIZE)))
        self.checked.write_slice(key, repeated(part, max(length + excess, 0)))

    @rule(where=ranges, part=data)
    def write_range(self, where: tuple[int, int], part: bytes) -> None:
        offset, num_bytes = where
        self.checked.write_slice(
            slice(offset, offset + num_bytes), repeated(part, max(min(SIZE - offset, num_bytes), 0))
        )

    @rule(source=ranges, shift=st.integers(-300, 300) | offsets)
    def copy(self, source: tuple[int, int], shift: int) -> None:
        offset, num_bytes = source
        target = max(min(offset + shift, SIZE - num_bytes), 0)
        self.checked.copy(slice(target, target + num_bytes), slice(offset, offset + num_bytes))

    @rule(source=ranges, shift=st.integers(-300, 300))
    def copy_backward(self, source: tuple[int, int], shift: int) -> None:
        offset, num_bytes = source
        target = max(min(offset + shift, SIZE - num_bytes), 0)
        self.checked.copy(slice(target, target + num_bytes), slice(offset + num_bytes - 1, max(offset - 1, 0), -1))

    @rule(where=ranges, readonly=st.booleans())
    def view(self, where: tuple[int, int], readonly: bool) -> None:
        self.checked.view(*where, readonly=readonly)

    @rule(key=slices)
    def slice_view(self, key: slice) -> None:
        self.checked.slice_view(key)

    def pick(self, number: int) -> int:
        return number % len(self.checked.model.views)

    def has_views(self) -> bool:
        return bool(self.checked.model.views)

    @precondition(has_views)
    @rule(number=numbers, key=slices)
    def view_of_view(self, number: int, key: slice) -> None:
        self.checked.view_of_view(self.pick(number), key)

    @precondition(has_views)
    @rule(number=numbers, index=numbers, byte=st.integers(0, 255))
    def write_item_of_view(self, number: int, index: int, byte: int) -> None:
        self.checked.write_item_of_view(self.pick(number), index, byte)

    @precondition(has_views)
    @rule(number=numbers, part=data)
    def write_view(self, number: int, part: bytes) -> None:
        self.checked.write_view(self.pick(number), part)

    @precondition(has_views)
    @rule(number=numbers, start=offsets)
    def copy_view(self, number: int, start: int) -> None:
        self.checked.copy_view(start, self.pick(number))

    @precondition(has_views)
    @rule(number=numbers)
    def release_view(self, number: int) -> None:
        self.checked.release_view(self.pick(number))

    # Nothing can be done with a released region but to be refused, so mostly it is replaced at once.
    @rule(is_kept=st.sampled_from([False, False, True]))
    def release(self, is_kept: bool) -> None:
        self.checked.release()
        if not (is_kept or self.checked.was_refused):
            self.checked.replace()

    @rule(is_kept=st.sampled_from([False, False, True]))
    def abandon(self, is_kept: bool) -> None:
        self.checked.abandon()
        if not is_kept:
            self.checked.replace()

    @precondition(lambda self: self.checked.model.is_released)
    @rule()
    def replace(self) -> None:
        self.checked.replace()

    @invariant()
    def agree(self) -> None:
        self.checked.check_all()

    def teardown(self) -> None:
        if hasattr(self, "checked"):
            self.checked.end()


def test_random_calls() -> None:
    run_state_machine_as_test(RegionMachine, settings=settings(max_examples=200, stateful_step_count=30))


def test_a_record_of_many_ranges() -> None:
    """Thousands of ranges are added, merged, split and removed, and compared with a set of page numbers."""
    numbers = random.Random(20)
    num_pages = 6000
    committed: set[int] = set()
    with vmem.reserve(num_pages * PAGE) as region:
        for turn in range(20_000):
            first = numbers.randrange(num_pages)
            count = min(numbers.choice((1, 1, 1, 2, 3, 50)), num_pages - first)
            if numbers.random() < 0.55:
                region.commit(first * PAGE, count * PAGE)
                committed.update(range(first, first + count))
            else:
                region.decommit(first * PAGE, count * PAGE)
                committed.difference_update(range(first, first + count))
            assert region.committed == len(committed) * PAGE
            if turn % 500 == 0:
                pages = [number for each in region.ranges() if each.committed for number in page_numbers(each)]
                assert pages == sorted(committed)
                assert all(one.committed != two.committed for one, two in pairwise(region.ranges()))


def page_numbers(each: Range) -> range:
    return range(each.offset // PAGE, (each.offset + each.num_bytes) // PAGE)
