"""A region against a plain model of its pages, under random sequences of calls, contents compared byte for byte."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import vmem
from vmem import Protection, Range

NUM_PAGES = 24
PAGE = vmem.get_page_size()
SIZE = NUM_PAGES * PAGE

# Offsets next to page borders find more than those in the middle of a page.
offsets = st.builds(
    lambda page, shift: min(max(page * PAGE + shift, 0), SIZE), st.integers(0, NUM_PAGES), st.integers(-2, 2)
)


def pages_of(start: int, end: int) -> range:
    return range(start // PAGE, -(-end // PAGE)) if start < end else range(0)


class RegionMachine(RuleBasedStateMachine):
    """The model is a dict from page number to contents, and the list of live views with the bytes they cover."""

    @initialize()
    def reserve(self) -> None:
        self.region = vmem.reserve(SIZE)
        self.pages: dict[int, bytearray] = {}
        self.views: list[tuple[memoryview, int, int]] = []

    def is_pinned(self, start: int, end: int) -> bool:
        wanted = set(pages_of(start, end))
        return any(wanted & set(pages_of(first, last)) for _, first, last in self.views)

    def is_committed(self, start: int, end: int) -> bool:
        return all(number in self.pages for number in pages_of(start, end))

    def write_model(self, start: int, data: bytes) -> None:
        for position, byte in enumerate(data, start):
            self.pages[position // PAGE][position % PAGE] = byte

    @rule(first=offsets, second=offsets)
    def commit(self, first: int, second: int) -> None:
        start, end = sorted((first, second))
        self.region.commit(start, end - start)
        for number in pages_of(start, end):
            self.pages.setdefault(number, bytearray(PAGE))

    @rule(first=offsets, second=offsets)
    def decommit(self, first: int, second: int) -> None:
        start, end = sorted((first, second))
        pinned = self.is_pinned(start, end)
        try:
            self.region.decommit(start, end - start)
        except BufferError:
            assert pinned
            return
        assert not pinned
        for number in pages_of(start, end):
            self.pages.pop(number, None)

    @rule(first=offsets, second=offsets)
    def view(self, first: int, second: int) -> None:
        start, end = sorted((first, second))
        committed = self.is_committed(start, end)
        assert self.region.is_committed(start, end - start) == committed
        try:
            view = self.region.view(start, end - start)
        except ValueError:
            assert not committed
            return
        assert committed
        self.views.append((view, start, end))

    @rule(first=offsets, length=st.integers(0, 300), byte=st.integers(0, 255))
    def write(self, first: int, length: int, byte: int) -> None:
        end = min(first + length, SIZE)
        data = bytes([byte]) * (end - first)
        try:
            self.region[first:end] = data
        except ValueError:
            assert not self.is_committed(first, end)
            return
        assert self.is_committed(first, end)
        self.write_model(first, data)

    @precondition(lambda self: self.views)
    @rule(data=st.data(), byte=st.integers(0, 255))
    def write_through_a_view(self, data: st.DataObject, byte: int) -> None:
        view, start, end = self.views[data.draw(st.integers(0, len(self.views) - 1))]
        if start < end:
            view[-1] = byte
            self.write_model(end - 1, bytes([byte]))

    @precondition(lambda self: self.views)
    @rule(data=st.data())
    def release_view(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.views) - 1))
        self.views.pop(number)[0].release()

    @rule()
    def release(self) -> None:
        pinned = self.is_pinned(0, SIZE)
        try:
            self.region.release()
        except BufferError:
            assert pinned
            return
        assert not pinned
        assert self.region.committed == 0
        self.reserve()

    @invariant()
    def ranges_agree(self) -> None:
        expected: list[Range] = []
        for number in range(NUM_PAGES):
            committed = number in self.pages
            protection = Protection.READ_WRITE if committed else Protection.NO_ACCESS
            if expected and expected[-1].committed == committed:
                expected[-1] = expected[-1]._replace(num_bytes=expected[-1].num_bytes + PAGE)
            else:
                expected.append(Range(number * PAGE, PAGE, committed, protection))
        assert self.region.ranges() == expected
        assert self.region.committed == len(self.pages) * PAGE

    @invariant()
    def contents_agree(self) -> None:
        for number, contents in self.pages.items():
            assert self.region[number * PAGE : (number + 1) * PAGE] == contents
        for view, start, end in self.views:
            expected = b"".join(self.pages[number] for number in pages_of(start, end))
            assert view == expected[start % PAGE :][: end - start]

    def teardown(self) -> None:
        for view, _, _ in self.views:
            view.release()
        self.region.release()


TestRegion = RegionMachine.TestCase
TestRegion.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


def test_a_record_of_many_ranges() -> None:
    """Thousands of ranges that come, join, split and go, against a set of page numbers."""
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
