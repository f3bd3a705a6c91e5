"""No call leaks, whether it succeeds or fails. tests/programs/leaks.py does the same for a million cycles."""

from __future__ import annotations

import gc
import sys

import pytest

import vmem
from tests.programs.leaks import all_calls, find_growth
from tests.support.marks import linux_only, sample
from tests.support.signals import visit

if sys.maxsize < 2**32:
    pytest.skip("takes more addresses than 32 bits can name", allow_module_level=True)

pytestmark = [linux_only, pytest.mark.exact_memory]

CALLS = all_calls()
SAMPLES = {
    *("reserve with a name", "with, an exception and a view", "commit in pieces", "long commit and decommit", "map"),
    *("import the extension again", "get_limits", "slice with a step"),
    *("set an item to a too large number", "item far beyond", "view with a huge size"),
    *("set slice from scattered bytes", "discard a viewed page", "view with too much", "reserve too much"),
    *(
        "long prefault",
        "Array() of an iterator",
        "extend by a buffer",
        "set a slice to a longer one",
        "unpickle an array out of band",
    ),
    *("extend by a failing iterator", "insert when full", "pop below a view", "collect cycles of structures"),
    *("shared: reserve and use", "shared: attach and use", "shared: attach something else", "shared: commit too much"),
    *("shared table: make and use", "shared table: collect a cycle", "extend by columns of a table"),
    *("extend by masked arrays", "append another unit"),
    *("shared array: make and use", "shared array: collect a cycle", "shared array: bad items"),
    *("append a row", "extend by iterators", "extend by a stream", "export a table", "collect cycles of tables"),
    *("append a bad item", "extend by an iterator that fails", "buffers of columns", "rows"),
    *("Ring() and use", "collect a cycle of rings", "ring: prepare and advance", "ring: append a row with text"),
    *("shared: attach a ring", "Ring() too large"),
    *("alloc many", "scope, an exception and a view", "rewind below a view", "pickle an arena", "long trim"),
}


@pytest.fixture(scope="module", autouse=True)
def freeze_other_objects() -> None:
    """Each count collects garbage, which would go through all objects of other tests too."""
    gc.collect()
    gc.freeze()


@pytest.mark.parametrize("name", sample(CALLS, SAMPLES))
def test_a_call_does_not_leak(name: str) -> None:
    call, divisor = CALLS[name]
    assert find_growth(call, 10_000 // divisor) == {}


@pytest.mark.parametrize(
    "verb", sample(["prefault", "commit", "decommit", "discard", "lock", "resident"], {"commit", "resident"})
)
def test_an_interrupted_call_does_not_leak(verb: str) -> None:
    region = vmem.reserve(1 << 30)

    def stop() -> None:
        raise KeyboardInterrupt

    def prepare() -> None:
        region.decommit()
        if verb != "commit":
            region.commit(0, 6 << 20)

    def call() -> None:
        if verb == "commit":
            region.commit(0, 6 << 20, prefault=True)
        else:
            getattr(region, verb)(0, 6 << 20)

    def cycle() -> None:
        with pytest.raises(KeyboardInterrupt):
            visit(region, stop, call, prepare)

    assert find_growth(cycle, 50) == {}
    region.release()
