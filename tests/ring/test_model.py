"""A ring against a deque with a maximum length, under random sequences of calls, with live views compared."""

from __future__ import annotations

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
from tests.models.ring_model import CheckedRing

pytestmark = pytest.mark.in_child

GRANULARITY = vmem.get_allocation_granularity()

numbers = st.lists(st.integers(0, 127), max_size=12)


class RingMachine(RuleBasedStateMachine):
    """Every rule is one call, made of the ring and of its model."""

    # Small ones, where everything happens all the time; and those that fill their memory, or all but a few bytes.
    @initialize(
        typecode=st.sampled_from("bHiqfd"),
        capacity=st.integers(1, 20) | st.integers(GRANULARITY // 8 - 3, GRANULARITY // 8),
        overwrite=st.booleans(),
    )
    def make(self, typecode: str, capacity: int, overwrite: bool) -> None:
        self.checked = CheckedRing(typecode, capacity, overwrite)

    def count(self, share: float) -> int:
        """A number of items, about this share of the capacity, which it can exceed."""
        return int(self.checked.model.capacity * share)

    @rule(number=st.integers(0, 127))
    def append(self, number: int) -> None:
        self.checked.append(number)

    @rule(more=numbers)
    def extend(self, more: list[int]) -> None:
        self.checked.extend(more)

    @rule(share=st.floats(0, 2.2), first=st.integers(0, 100))
    def extend_with_a_buffer(self, share: float, first: int) -> None:
        self.checked.extend_with_a_buffer([(first + i) % 127 for i in range(self.count(share))])

    @rule()
    def extend_with_itself(self) -> None:
        self.checked.extend_with_itself()

    @precondition(lambda self: self.checked.views)
    @rule(index=st.integers(0))
    def extend_with_a_view(self, index: int) -> None:
        self.checked.extend_with_a_view(index % len(self.checked.views))

    @rule(share=st.floats(0, 1.2), start=st.lists(st.integers(0, 127), min_size=1, max_size=5))
    def prepare(self, share: float, start: list[int]) -> None:
        self.checked.prepare(self.count(share), start)

    @rule(share=st.floats(0, 1.1))
    def advance(self, share: float) -> None:
        self.checked.advance(int((self.checked.model.prepared or 0) * share))

    @rule(share=st.floats(0, 1.1))
    def consume(self, share: float) -> None:
        self.checked.consume(int(len(self.checked.model.items) * share))

    @rule()
    def clear(self) -> None:
        self.checked.clear()

    @rule(share=st.floats(0, 1.1))
    def latest(self, share: float) -> None:
        self.checked.latest(int(len(self.checked.model.items) * share))

    @rule(back=st.floats(-0.1, 1.1), share=st.floats(0, 1.1))
    def window(self, back: float, share: float) -> None:
        start = max(self.checked.model.total - self.count(back), 0)
        self.checked.window(start, self.count(share))

    @rule(index=st.integers(-22, 22))
    def get(self, index: int) -> None:
        self.checked.get(index)

    @precondition(lambda self: self.checked.views)
    @rule(index=st.integers(0))
    def release_view(self, index: int) -> None:
        self.checked.release_view(index % len(self.checked.views))

    @invariant()
    def agrees(self) -> None:
        self.checked.check_all()

    def teardown(self) -> None:
        if hasattr(self, "checked"):
            self.checked.end()


def test_random_calls_agree_with_the_model() -> None:
    run_state_machine_as_test(RingMachine, settings=settings(max_examples=100, stateful_step_count=50, deadline=None))
