"""Arrays in files against array.array, under random sequences of calls, with live views, readers and NumPy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.models.file_model import CheckedFile

pytestmark = pytest.mark.in_child

items = st.lists(st.integers(0, 100), max_size=20)


class FileMachine(RuleBasedStateMachine):
    checked: CheckedFile | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()

    @initialize(typecode=st.sampled_from("bHiqfd"), ending=st.sampled_from(["raw", "npy"]))
    def make(self, typecode: str, ending: str) -> None:
        self.file = self.checked = CheckedFile(Path(self.folder.name, f"a.{ending}"), typecode)

    @rule(mode=st.sampled_from(["r+", "a", "w+"]))
    def open(self, mode: str) -> None:
        self.file.open(mode)

    @rule()
    def close(self) -> None:
        self.file.close()

    @rule()
    def drop(self) -> None:
        self.file.drop()

    @rule()
    def open_reader(self) -> None:
        self.file.open_reader()

    @rule()
    def close_reader(self) -> None:
        self.file.close_reader()

    @rule(item=st.integers(0, 100))
    def append(self, item: int) -> None:
        self.file.append(item)

    @rule(items=items)
    def extend(self, items: list[int]) -> None:
        self.file.extend(items)

    @rule(items=items)
    def extend_by_iterator(self, items: list[int]) -> None:
        self.file.extend_by_iterator(items)

    @rule(items=items, times=st.sampled_from([1, 100, 2000]))
    def append_bytes(self, items: list[int], times: int) -> None:
        self.file.append_bytes(items, times)

    @rule(index=st.integers(0, 1 << 20), item=st.integers(0, 100))
    def set_item(self, index: int, item: int) -> None:
        self.file.set_item(index, item)

    @rule(durable=st.booleans())
    def flush(self, durable: bool) -> None:
        self.file.flush(durable)

    @rule(method=st.sampled_from(["pop", "clear", "reverse"]))
    def refuse(self, method: Any) -> None:
        self.file.refuse(lambda made: getattr(made, method)())

    @rule()
    def view(self) -> None:
        self.file.view()

    @rule()
    def release_views(self) -> None:
        self.file.release_views()

    @invariant()
    def check(self) -> None:
        if self.checked:
            self.checked.check_all()

    def teardown(self) -> None:
        if self.checked:
            self.checked.end()
        self.folder.cleanup()


def test_random_calls() -> None:
    run_state_machine_as_test(FileMachine, settings=settings(max_examples=100, stateful_step_count=30, deadline=None))
