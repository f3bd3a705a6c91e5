"""Rings in interpreters beside the main one, each with a GIL of its own."""

from __future__ import annotations

import sys

import pytest

import vmem
from tests.support.interpreters import run_isolated
from tests.support.marks import posix_only

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with Python 3.12"),
    pytest.mark.in_child,
]

USE = """
import sys
sys.path[:0] = {path!r}
import vmem
ring = vmem.Ring("i", 10, shared={shared})
ring.extend(range(25))
assert list(ring) == list(range(15, 25))
view, iterator = ring.latest(3), iter(ring)
ring.prepare(2)
sys.kept = ring, view, iterator  # until the interpreter ends
"""


@pytest.mark.parametrize("shared", [False, True])
def test_a_ring_of_its_own(shared: bool) -> None:
    ring = vmem.Ring("i", 10)
    for _ in range(3):
        run_isolated(USE.format(path=sys.path, shared=shared))
        ring.append(5)
    assert list(ring) == [5, 5, 5]


@posix_only
def test_a_reader_in_another_interpreter() -> None:
    ring = vmem.Ring("i", 10, shared=True)
    ring.extend(range(5))
    run_isolated(f"""
import sys
sys.path[:0] = {sys.path!r}
import vmem
reader = vmem.attach({ring.fileno()})
assert list(reader) == list(range(5)) and reader.readonly
""")
    ring.append(5)
    assert ring[-1] == 5
