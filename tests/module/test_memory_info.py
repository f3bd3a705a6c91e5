"""How much memory there is, against what the kernel says, also where a control group has less than the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import vmem
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import GROUP_LIMIT, system_bytes
from vmem import _vmem

MEBIBYTE = 1 << 20


def limits_of_groups() -> Iterator[int]:
    """Those of the control groups that this process is in, by their files: a group, and all it is inside of."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, group = line.split(":", 2)
        if number == "0":
            root, name = Path("/sys/fs/cgroup"), "memory.max"
        elif "memory" in controllers.split(","):
            root, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        else:
            continue
        folder = root / group.lstrip("/")
        for each in (folder, *folder.parents):
            if each.is_relative_to(root) and (each / name).exists():
                text = (each / name).read_text().strip()
                yield int(text) if text != "max" else 1 << 63


@linux_only
def test_the_total_is_that_of_the_machine_or_less() -> None:
    assert vmem.memory_info().total == min(system_bytes("MemTotal"), *limits_of_groups(), 1 << 63)


@linux_only
def test_what_is_available_is_no_more_than_the_machine_has() -> None:
    slack = 512 * MEBIBYTE  # other processes come and go meanwhile
    info = vmem.memory_info()
    assert 0 < info.available <= min(info.total, system_bytes("MemAvailable") + slack)
    if info.total == system_bytes("MemTotal"):
        assert info.available >= system_bytes("MemAvailable") - slack


def test_it_has_names_and_types() -> None:
    info = vmem.memory_info()
    assert isinstance(info, vmem.MemoryInfo)
    assert isinstance(info, tuple)
    assert [type(number) for number in info] == [int, int]
    assert info._fields == ("total", "available")
    assert repr(info) == f"MemoryInfo(total={info.total}, available={info.available})"
    assert len(_vmem.get_memory_info()) == 2


def test_it_takes_no_arguments() -> None:
    with pytest.raises(TypeError):
        vmem.memory_info(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        _vmem.get_memory_info(1)  # type: ignore[call-arg]


IN_GROUP = """
import os, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
import vmem
info = vmem.memory_info()
"""


@linux_only
@pytest.mark.exact_memory
def test_a_control_group_with_less(memory_group: Path) -> None:
    """Nobody else is in it, so what is used is what this process uses."""
    run_python(
        IN_GROUP
        + f"""
limit = {min(GROUP_LIMIT, system_bytes("MemTotal"))}
assert info.total == limit, info
assert limit // 2 < info.available <= limit, info
with vmem.reserve(1 << 30) as region:
    region.commit(0, 1 << 27, prefault=True)
    used = info.available - vmem.memory_info().available
    assert 1 << 27 <= used + (4 << 20) <= (1 << 27) + (12 << 20), used
    region.discard(0, 1 << 27)
    assert info.available - vmem.memory_info().available < 8 << 20
    assert vmem.memory_info().total == limit
""",
        str(memory_group),
    )


@linux_only
def test_a_control_group_inside_one_with_less(memory_group: Path) -> None:
    inner = memory_group / "inner"
    inner.mkdir()
    try:
        run_python(IN_GROUP + f"assert info.total == {min(GROUP_LIMIT, system_bytes('MemTotal'))}, info", str(inner))
    finally:
        inner.rmdir()


@linux_only
def test_a_control_group_whose_limit_is_lowered(memory_group: Path) -> None:
    (limit_file,) = [path for name in ("memory.max", "memory.limit_in_bytes") if (path := memory_group / name).exists()]
    limit_file.write_text(str(256 * MEBIBYTE))
    run_python(IN_GROUP + f"assert info.total == {256 * MEBIBYTE} >= info.available, info", str(memory_group))
