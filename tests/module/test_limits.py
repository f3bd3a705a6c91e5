"""The limits that explain a refusal are read right, whatever else the files that tell them hold."""

from __future__ import annotations

import os

import pytest

from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import SLACK, status_bytes
from vmem import _vmem


@linux_only
def test_what_is_in_use_is_what_the_kernel_says() -> None:
    limits = _vmem.get_limits()
    assert abs(limits["address_space_used"] - status_bytes("VmSize")) < SLACK
    assert abs(limits["data_used"] - status_bytes("VmData")) < SLACK
    assert limits["mapping_used"] > 20


@linux_only
def test_a_thread_named_like_a_field() -> None:
    run_python(
        """
        from vmem import _vmem
        open("/proc/self/comm", "w").write("VmData:9")
        assert _vmem.get_limits()["data_used"] > 1 << 20
        """
    )


@linux_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may join 2000 groups")
def test_a_user_with_many_groups() -> None:
    run_python(
        """
        import os
        from vmem import _vmem
        os.setgroups(range(100000, 102000))
        assert _vmem.get_limits()["data_used"] > 1 << 20
        """
    )


@linux_only
def test_reading_them_opens_nothing_for_good() -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    for _ in range(2000):
        _vmem.get_memory_info()
    for _ in range(50):
        _vmem.get_limits()
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208
