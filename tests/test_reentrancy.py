"""Python code that changes a region in the middle of a call on it: each call raises or works, and none crashes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support import Index, run_python

import vmem

Call = Callable[[vmem.Region, Any], object]

CALLS: list[Call] = [
    lambda region, index: region.commit(index, 1),
    lambda region, index: region.commit(0, index),
    lambda region, index: region.decommit(index, 1),
    lambda region, index: region.decommit(0, index),
    lambda region, index: region.resident(index, 1),
    lambda region, index: region.view(index, 1),
    lambda region, index: region.view(0, index),
    lambda region, index: region.is_committed(index, 1),
    lambda region, index: region[index],
    lambda region, index: region[index:],
    lambda region, index: region[:index],
    lambda region, index: region[0 : region.size : index],
    lambda region, index: region.__setitem__(index, 1),
    lambda region, index: region.__setitem__(0, index),
    lambda region, index: region.__setitem__(slice(0, index), b"x"),
]


@pytest.mark.parametrize("call", CALLS)
def test_release_within_index(region: vmem.Region, call: Call) -> None:
    region.commit()
    with pytest.raises(ValueError, match="released"):
        call(region, Index(1, region.release))


def test_decommit_within_index(region: vmem.Region) -> None:
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[Index(0, region.decommit)]
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[0] = Index(5, region.decommit)
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[Index(0, region.decommit) : 10]
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[0 : Index(4, region.decommit)] = b"abcd"
    region.commit()
    with pytest.raises(ValueError, match="not committed"):
        region[0 : Index(8, region.decommit) : 2] = b"abcd"


def test_view_within_index(region: vmem.Region) -> None:
    region.commit()
    views: list[memoryview] = []
    with pytest.raises(BufferError):
        region.decommit(Index(0, lambda: views.append(region[0:1])), region.size)
    assert region.committed == region.size
    assert views[0][0] == 0


def test_errors_of_index_are_passed_on(region: vmem.Region) -> None:
    region.commit()

    def fail() -> None:
        raise KeyError("mine")

    for call in (
        lambda: region.commit(Index(0, fail)),
        lambda: region.view(Index(0, fail)),
        lambda: region[Index(0, fail)],
        lambda: region[Index(0, fail) :],
        lambda: region.__setitem__(0, Index(0, fail)),
        lambda: vmem.reserve(Index(1, fail)),
        lambda: vmem.align_forward(Index(1, fail), 1),
    ):
        with pytest.raises(KeyError, match="mine"):
            call()


def test_index_that_returns_no_int(region: vmem.Region) -> None:
    region.commit()

    class Wrong:
        def __index__(self) -> int:
            return "5"  # type: ignore[return-value]

    for call in (
        lambda: region.commit(Wrong()),
        lambda: region.view(Wrong()),
        lambda: region[Wrong()],
        lambda: vmem.reserve(Wrong()),
    ):
        with pytest.raises(TypeError, match="__index__ returned non-int"):
            call()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_release_within_buffer(region: vmem.Region) -> None:
    region.commit()

    class Data:
        def __init__(self, action: Callable[[], None]) -> None:
            self.action = action

        def __buffer__(self, flags: int) -> memoryview:
            self.action()
            return memoryview(b"abcd")

    with pytest.raises(ValueError, match="not committed"):
        region[0:4] = Data(region.decommit)
    region.commit()
    with pytest.raises(ValueError, match="released"):
        region[0:4] = Data(region.release)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_decommit_when_the_buffer_is_given_back(region: vmem.Region) -> None:
    region.commit()

    class Data:
        def __buffer__(self, flags: int) -> memoryview:
            return memoryview(b"abcd")

        def __release_buffer__(self, view: memoryview) -> None:
            region.decommit()
            view.release()

    region[0:4] = Data()
    assert region.committed == 0


def test_collections_in_the_middle_of_calls() -> None:
    """With a collection at every allocation, finalizers release the region while views of it are made."""
    run_python(
        """
        import gc, vmem
        region = vmem.reserve(1 << 20)
        outcomes = set()
        class Bomb:
            def __init__(self, action):
                self.me, self.action = self, action
            def __del__(self):
                try:
                    self.action()
                except (BufferError, ValueError) as error:
                    outcomes.add(type(error))
        def use(number):
            for call in (lambda: region[0:10], lambda: region.view(0, 5), lambda: region[9:0:-2], region.ranges,
                         lambda: region[0], lambda: region.commit(number % 3 * 65536, 70000)):
                try:
                    result = call()
                    if isinstance(result, memoryview):
                        result[0] = number % 256
                        del result
                except (BufferError, ValueError) as error:
                    outcomes.add(type(error))
        gc.set_threshold(1)
        for number in range(3000):
            if region.released:
                region = vmem.reserve(1 << 20)
            region.commit(0, 4096)
            Bomb((region.release, region.decommit, lambda: region.view(0, 100)[:1])[number % 3])
            use(number)
        assert outcomes, "no collection came in the middle of a call"
        """
    )


def test_weakref_callback_that_uses_the_region() -> None:
    run_python(
        """
        import gc, weakref, vmem
        class Holder(vmem.Region):
            pass
        region = Holder(1 << 20)
        region.commit()
        region.view_of_me = region[0:100]
        other = vmem.reserve(1 << 20)
        other.commit()
        view = region.view_of_me
        hits = []
        weak = weakref.ref(region, lambda gone: hits.append(other.release()))
        weak_view = weakref.ref(view, lambda gone: hits.append(1))
        del region, view
        gc.collect()
        assert len(hits) >= 1 and other.released
        """
    )


def test_collect_while_views_are_alive(region: vmem.Region) -> None:
    region.commit()
    view = region[0:10]
    gc.collect()
    view[0] = 1
    assert region[0] == 1
