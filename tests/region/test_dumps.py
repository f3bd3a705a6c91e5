"""Core dumps contain committed memory, unless a region keeps it secret, and nothing of what is only reserved."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import vmem
from tests.support.buffers import address_of
from tests.support.marks import linux_only, needs_shared_memory
from tests.support.processes import ROOT, run_python
from tests.support.system import details_in, pages_with_flag

pytestmark = linux_only


def dumped_pages(region: vmem.Region) -> list[int]:
    """The pages without the flag that keeps them out of dumps."""
    left_out = pages_with_flag(region, "dd")
    return [number for number in range(region.size // region.page_size) if number not in left_out]


def is_dumped(address: int) -> bool:
    (details,) = details_in(address, 1)
    return "dd" not in details.fields["VmFlags"].split()


def test_only_committed_pages_are_dumped(page: int) -> None:
    with vmem.reserve(6 * page) as region:
        assert dumped_pages(region) == []
        region.commit(page, 4 * page)
        assert dumped_pages(region) == [1, 2, 3, 4]
        region.protect(vmem.Protection.NO_ACCESS, page, page)
        region.decommit(2 * page, page)
        assert dumped_pages(region) == [1, 3, 4]
        region.commit(2 * page, page)
        region.discard(2 * page, page)
        assert dumped_pages(region) == [1, 2, 3, 4]
        region.decommit()
        assert dumped_pages(region) == []


def test_secrets_are_not(page: int) -> None:
    with vmem.reserve(4 * page, dump=False, name="secret") as region:
        region.commit(0, 2 * page)
        assert dumped_pages(region) == []
        region.decommit(0, page)
        region.commit(0, 4 * page, prefault=True)
        region.protect(vmem.Protection.READ, page, page)
        region.discard(0, page)
        assert dumped_pages(region) == []


@pytest.mark.many_addresses
def test_arrays_and_arenas(page: int) -> None:
    array = vmem.Array("B", bytes(1 << 20), capacity=1 << 30)
    address, size = array.buffer_info()
    assert is_dumped(address + size - 1)
    assert not is_dumped(address + (1 << 29))
    arena = vmem.Arena(1 << 30)
    start = address_of(arena.alloc(1))
    assert is_dumped(start)
    assert not is_dumped(start + (1 << 29))


@needs_shared_memory
@pytest.mark.many_addresses
def test_shared_arrays(page: int) -> None:
    """In the maker and in readers, in all of which they grow."""
    writer = vmem.Array("B", bytes(page), capacity=1 << 30, shared=True)
    readers = [vmem.attach(writer.fileno()) for _ in range(2)]
    assert len(readers[0]) == page
    writer.frombytes(bytes(1 << 20))
    for each in (writer, *readers):
        assert len(each) == page + (1 << 20)
        address = each.map().address
        assert is_dumped(address)
        assert is_dumped(address + (1 << 20))
        assert not is_dumped(address + (1 << 29))


@needs_shared_memory
@pytest.mark.many_addresses
def test_shared_arrays_in_forked_children() -> None:
    run_python(
        """
        import os, vmem
        from tests.region.test_dumps import is_dumped
        array = vmem.Array("B", bytes(1 << 20), capacity=1 << 30, shared=True)
        closed = vmem.Array("B", bytes(1 << 20), capacity=1 << 30, shared=True)
        made = [array, closed]
        views, old = [memoryview(each) for each in made], [each.map().address for each in made]
        os.close(closed.fileno())
        child = os.fork()
        if child == 0:
            shown = [*old, array.map().address]
            dumped = [is_dumped(address + (1 << 20) - 1) for address in shown]
            rest = [is_dumped(address + (1 << 29)) for address in shown]
            os._exit(dumped != [True] * 3 or rest != [False] * 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """
    )


@needs_shared_memory
def test_shared_secrets(page: int) -> None:
    with vmem.reserve(4 * page, dump=False, shared=True) as region:
        other = vmem.attach(region.fileno())
        assert isinstance(other, vmem.Region)
        for each in (region, other):
            each.commit(0, 2 * page)
            assert dumped_pages(each) == []
        other.release()


def test_decommitted_pages_are_merged_again(page: int) -> None:
    """The flag is part of what decides about merging: without it each decommit would leave a mapping behind."""

    def count_mappings() -> int:
        return len(Path("/proc/self/maps").read_text().splitlines())

    with vmem.reserve(1000 * page) as region:
        for start in range(page, 900 * page, 2 * page):
            region.commit(start, page)
        before = count_mappings()
        for start in range(page, 900 * page, 2 * page):
            region.decommit(start, page)
        assert before - count_mappings() >= 880


def test_dump_can_be_anything_true_or_false(page: int) -> None:
    with vmem.reserve(page, dump=[]) as region:  # type: ignore[arg-type]
        region.commit()
        assert dumped_pages(region) == []
    with vmem.Region(page, dump=1) as region:  # type: ignore[arg-type]
        region.commit()
        assert dumped_pages(region) == [0]


PROGRAM = """
    import sys, vmem
    region = vmem.reserve(4 << 30)
    region.commit(1 << 30, 1 << 20)
    region.commit(2 << 30, 1 << 20)
    region[1 << 30 : (1 << 30) + 9] = bytes(byte ^ 1 for byte in b"nqdo!whdv")
    region.decommit(2 << 30, 1 << 20)
    secret = vmem.reserve(1 << 30, dump=False)
    secret.commit(0, 1 << 20)
    secret[0:8] = bytes(byte ^ 1 for byte in b"rdbsdu!^")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.many_addresses
@pytest.mark.exact_memory  # sanitizers reserve terabytes for themselves, which gdb looks through
@pytest.mark.skipif(shutil.which("gcore") is None, reason="gdb is not installed")
def test_gcore(tmp_path: Path) -> None:
    """The words are not in the program itself."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        done = subprocess.run(
            ["gcore", "-o", tmp_path / "core", str(process.pid)], capture_output=True, text=True, timeout=300
        )
        process.communicate(b"")
    (core,) = tmp_path.glob("core.*") if "ptrace" not in done.stderr else (None,)
    if core is None:
        pytest.skip("this process may not trace another one")
    dumped = core.read_bytes()
    assert len(dumped) < 256 << 20
    assert bytes(byte ^ 1 for byte in b"nqdo!whdv") in dumped
    assert bytes(byte ^ 1 for byte in b"rdbsdu!^") not in dumped
