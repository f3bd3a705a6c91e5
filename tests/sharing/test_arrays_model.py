"""A shared array and a reader against array.array, under random sequences of calls, with live views."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from tests.array.test_model import CAPACITY, ArrayMachine, items
from tests.models.random_calls import SharedArrayCalls
from tests.models.shared_array_model import CheckedSharedArray
from tests.support.marks import needs_shared_memory

pytestmark = [needs_shared_memory, pytest.mark.in_child]


class SharedArrayMachine(ArrayMachine):
    @initialize(typecode=st.sampled_from("bHiqfd"), start=items)
    def make(self, typecode: str, start: list[int]) -> None:
        self.checked = CheckedSharedArray(typecode, start, CAPACITY)


def test_random_calls() -> None:
    run_state_machine_as_test(
        SharedArrayMachine, settings=settings(max_examples=100, stateful_step_count=30, deadline=None)
    )


def test_many_calls() -> None:
    """The calls of the soak run, a few thousand of them."""
    calls = SharedArrayCalls(1, check_every=20)
    for _ in range(3000):
        calls.step()
    calls.checked.end()
    assert calls.done["extend"] > 10
    assert calls.refused["pop"] > 10
