"""A table against a list of tuples, under random sequences of calls, with live views compared byte for byte."""

from __future__ import annotations

from typing import Any

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
from tests.models.table_model import CheckedTable

pytestmark = pytest.mark.in_child

CAPACITY = 3 * vmem.get_page_size()

ITEMS: dict[str, st.SearchStrategy[Any]] = {
    "b": st.integers(-128, 127),
    "Q": st.integers(0, 2**64 - 1),
    "d": st.floats(allow_nan=False),
    "?": st.booleans(),
    "M8[ns]": st.integers(1 - 2**63, 2**63 - 1),
    "str": st.text(max_size=20),
    "bytes": st.binary(max_size=20),
}
KINDS = st.builds(str.__add__, st.sampled_from(list(ITEMS)), st.sampled_from(["", "|None"]))
numbers = st.integers(0, 2**20)


def draw_row(data: st.DataObject, kinds: list[str]) -> tuple[Any, ...]:
    def draw(kind: str) -> Any:
        items = ITEMS[kind.removesuffix("|None")]
        return data.draw(st.none() | items if kind.endswith("|None") else items)

    return tuple(draw(kind) for kind in kinds)


class TableMachine(RuleBasedStateMachine):
    """Every rule is one call, made of the table and of its model."""

    @initialize(kinds=st.lists(KINDS, min_size=1, max_size=5))
    def make(self, kinds: list[str]) -> None:
        self.kinds = [*kinds, "i"]
        self.checked = CheckedTable({f"c{i}": kind for i, kind in enumerate(self.kinds)}, CAPACITY)

    def row(self, data: st.DataObject) -> tuple[Any, ...]:
        return (*draw_row(data, self.kinds[:-1]), len(self.checked.model))

    @rule(data=st.data(), by_name=st.booleans())
    def append(self, data: st.DataObject, by_name: bool) -> None:
        self.checked.append(self.row(data), by_name)

    @rule(data=st.data(), index=numbers)
    def append_interrupted(self, data: st.DataObject, index: int) -> None:
        self.checked.append_interrupted(self.row(data), index % len(self.kinds))

    @rule(data=st.data(), count=st.integers(0, 10), repeated=st.sampled_from([1, 1, 1, 100]), lazy=st.booleans())
    def extend(self, data: st.DataObject, count: int, repeated: int, lazy: bool) -> None:
        self.checked.extend([self.row(data) for _ in range(count)] * repeated, lazy)

    @rule(data=st.data(), count=st.integers(0, 10))
    def extend_interrupted(self, data: st.DataObject, count: int) -> None:
        self.checked.extend_interrupted([self.row(data) for _ in range(count)])

    @rule(start=numbers, stop=numbers)
    def extend_with_itself(self, start: int, stop: int) -> None:
        length = len(self.checked.model) + 1
        self.checked.extend_with_itself(start % length, stop % length)

    @rule()
    def clear(self) -> None:
        self.checked.clear()

    @rule()
    def shrink_to_fit(self) -> None:
        self.checked.shrink_to_fit()

    @rule(column=numbers, start=numbers)
    def view(self, column: int, start: int) -> None:
        self.checked.view(f"c{column % len(self.kinds)}", start % (len(self.checked.model) + 1))

    def has_views(self) -> bool:
        return bool(self.checked.views)

    @precondition(has_views)
    @rule(number=numbers)
    def release_view(self, number: int) -> None:
        self.checked.release_view(number % len(self.checked.views))

    @rule(index=st.integers(-20, 20))
    def check_row(self, index: int) -> None:
        self.checked.check_row(index)

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "checked"):
            self.checked.check_all()

    def teardown(self) -> None:
        if hasattr(self, "checked"):
            self.checked.end()


def test_random_calls() -> None:
    run_state_machine_as_test(TableMachine, settings=settings(max_examples=100, stateful_step_count=25, deadline=None))
