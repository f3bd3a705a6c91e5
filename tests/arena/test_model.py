"""An arena against a list of bytearrays, under random sequences of calls, contents compared byte for byte."""

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

from tests.models.arena_model import PAGE, CheckedArena

pytestmark = pytest.mark.in_child

CAPACITY = 12 * PAGE

sizes = st.integers(0, 100) | st.sampled_from([PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, CAPACITY])
# Not above a page: padding would then depend on the arena's address, which differs every time.
alignments = st.sampled_from([None, 1, 8, 16, 64, PAGE])
numbers = st.integers(0, 2**20)


class ArenaMachine(RuleBasedStateMachine):
    """Every rule is one call, made on the arena and on its model."""

    @initialize(alignment=st.sampled_from([1, 16, PAGE]))
    def make(self, alignment: int) -> None:
        self.checked = CheckedArena(CAPACITY, alignment)

    @rule(size=sizes, align=alignments, zero=st.booleans(), byte=st.integers(1, 255))
    def alloc(self, size: int, align: int | None, zero: bool, byte: int) -> None:
        self.checked.alloc(size, align, zero, byte)

    def has_views(self) -> bool:
        return bool(self.checked.live)

    @precondition(has_views)
    @rule(number=numbers, byte=st.integers(0, 255))
    def write(self, number: int, byte: int) -> None:
        self.checked.write(number % len(self.checked.live), byte)

    @precondition(has_views)
    @rule(number=numbers)
    def release(self, number: int) -> None:
        self.checked.release(number % len(self.checked.live))

    @rule()
    def mark(self) -> None:
        self.checked.mark()

    @rule(number=numbers)
    def rewind(self, number: int) -> None:
        self.checked.rewind(self.checked.marks[number % len(self.checked.marks)])

    @rule()
    def release_all_and_reset(self) -> None:
        self.checked.reset()

    @rule()
    def trim(self) -> None:
        self.checked.trim()

    @rule(size=st.integers(1, 2 * PAGE), byte=st.integers(1, 255), fails=st.booleans(), keeps_view=st.booleans())
    def scope(self, size: int, byte: int, fails: bool, keeps_view: bool) -> None:
        self.checked.scope(size, byte, fails, keeps_view)

    @invariant()
    def agree(self) -> None:
        self.checked.check_all()

    def teardown(self) -> None:
        if hasattr(self, "checked"):
            self.checked.end()


def test_random_calls() -> None:
    run_state_machine_as_test(ArenaMachine, settings=settings(max_examples=150, stateful_step_count=30, deadline=None))
