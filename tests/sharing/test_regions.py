"""Shared regions in one process: what every verb does, what is common, and what belongs to each region."""

from __future__ import annotations

import copy
import gc
import mmap
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import vmem
from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.system import details_in, num_descriptors, pages_with_flag, permissions_in
from vmem import Protection, _vmem

pytestmark = needs_shared_memory


@pytest.fixture
def shared(page: int) -> Iterator[vmem.Region]:
    """64 pages of addresses, nothing committed."""
    region = vmem.reserve(64 * page, shared=True, name="shared")
    yield region
    region._release_deferred()


@pytest.fixture
def other(shared: vmem.Region) -> Iterator[vmem.Region]:
    """A second region over the same memory."""
    region = attach(shared)
    yield region
    region._release_deferred()


def attach(region: vmem.Region) -> vmem.Region:
    """On every system."""
    attached: vmem.Region = _vmem.attach(region._get_handle(), (vmem.Region,))
    return attached


# --- reserving ---


def test_a_shared_region_is_reserved_and_not_committed(shared: vmem.Region, page: int) -> None:
    assert shared.size == 64 * page
    assert shared.committed == 0
    assert shared.name == "shared"
    assert not shared.huge_pages
    assert shared.ranges() == [(0, 64 * page, False, Protection.NO_ACCESS)]
    with pytest.raises(ValueError, match="not committed"):
        shared[0]


@pytest.mark.parametrize("make", [vmem.reserve, vmem.Region])
def test_by_function_and_by_class(make: Callable[..., vmem.Region], page: int) -> None:
    with make(page, shared=True) as region:
        region.commit()
        region[0] = 1
        assert type(region) is vmem.Region


def test_fresh_memory_reads_zero(shared: vmem.Region, page: int) -> None:
    shared.commit(3 * page, 2 * page)
    assert bytes(shared[3 * page : 5 * page]) == bytes(2 * page)


def test_alignment() -> None:
    with vmem.reserve(1, alignment=1 << 24, shared=True) as region:
        assert vmem.is_aligned(region.address, 1 << 24)
        region.commit()
        region[0] = 1


@pytest.mark.many_addresses
def test_a_tebibyte() -> None:
    with vmem.reserve(1 << 40, shared=True) as region:
        region.commit((1 << 40) - 5, 5)
        region[-5:] = b"hello"
        with attach(region) as other:
            other.commit((1 << 40) - 5, 5)
            assert bytes(other[-5:]) == b"hello"


def test_huge_pages_are_not_implemented() -> None:
    with pytest.raises(NotImplementedError, match=r"huge_pages=True: shared memory has no huge pages"):
        vmem.reserve(1 << 30, shared=True, huge_pages=True)


@pytest.mark.parametrize("fork", ["none", "zero"])
def test_keeping_it_from_forks_is_not_implemented(fork: str) -> None:
    with pytest.raises(NotImplementedError, match=f"fork='{fork}': forked processes share shared memory"):
        vmem.reserve(1 << 30, shared=True, fork=fork)  # type: ignore[arg-type]


def test_a_truth_value_that_raises() -> None:
    class Bad:
        def __bool__(self) -> bool:
            raise KeyError

    with pytest.raises(KeyError):
        vmem.reserve(1, shared=Bad())  # type: ignore[arg-type]


@linux_only
def test_what_is_refused_leaves_nothing_open() -> None:
    before = num_descriptors()
    for options in ({"huge_pages": True}, {"fork": "none"}):
        with pytest.raises(NotImplementedError):
            vmem.reserve(1 << 30, shared=True, **options)
    with pytest.raises(vmem.OutOfMemoryError):
        vmem.reserve(sys.maxsize // 2, shared=True)
    assert num_descriptors() == before


# --- what is common ---


def test_all_see_what_each_writes(shared: vmem.Region, other: vmem.Region) -> None:
    assert shared.address != other.address
    assert (shared.size, shared.name) == (other.size, other.name)
    shared.commit(0, 100)
    other.commit(0, 100)
    shared[0:5] = b"hello"
    assert bytes(other[0:5]) == b"hello"
    other[1] = ord("a")
    assert bytes(shared[0:5]) == b"hallo"
    with shared[0:100] as view, other[0:100] as same:
        view[7] = 9
        assert same[7] == 9


def test_the_record_of_commits_is_each_ones_own(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    shared.commit(0, 2 * page)
    assert (shared.committed, other.committed) == (2 * page, 0)
    with pytest.raises(ValueError, match="not committed"):
        other[0]
    other.commit(5 * page, page)
    assert other.ranges()[1] == (5 * page, page, True, Protection.READ_WRITE)
    assert not shared.is_committed(5 * page, page)


def test_committing_keeps_what_others_have_written(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    for number in (0, 2, 4):
        shared.commit(number * page, page)
        shared[number * page] = number + 1
    other.commit(0, 5 * page)
    assert [other[number * page] for number in range(5)] == [1, 0, 3, 0, 5]
    shared.commit()
    assert [shared[number * page] for number in range(5)] == [1, 0, 3, 0, 5]


def test_views_pin_only_where_they_are(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    shared.commit(0, page)
    other.commit(0, page)
    with shared[0:5]:
        other.protect(Protection.NO_ACCESS, 0, page)
        with pytest.raises(BufferError):
            shared.protect(Protection.NO_ACCESS, 0, page)
        other.release()
        assert shared[0] == 0


def test_memory_lives_as_long_as_one_of_the_regions(page: int) -> None:
    first = vmem.reserve(page, shared=True)
    first.commit()
    first[0:5] = b"hello"
    second = attach(first)
    first.release()
    second.commit()
    third = attach(second)
    second.release()
    third.commit()
    assert bytes(third[0:5]) == b"hello"
    third.release()


def test_names() -> None:
    for name in (None, "", "index", "größe", "\ud800", "x" * 255, "é" * 127):
        with vmem.reserve(1, shared=True, name=name) as region, attach(region) as other:
            assert region.name == other.name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 256, "at most 255 bytes in UTF-8, got 256"),
        ("é" * 128, "at most 255 bytes in UTF-8, got 256"),
        ("x" * 10_000, "at most 255 bytes in UTF-8, got 10000"),
        ("\0", "cannot contain zeros: byte 0 of 1 is one"),
        ("a\0b", "cannot contain zeros: byte 1 of 3 is one"),
    ],
)
def test_names_that_others_cannot_have(name: str, message: str) -> None:
    """Private regions can: nobody else reads it."""
    with pytest.raises(ValueError, match=message):
        vmem.reserve(1, shared=True, name=name)
    with vmem.reserve(1, name=name) as region:
        assert region.name == name


@linux_only
def test_the_name_is_shown_in_the_list_of_mappings(shared: vmem.Region) -> None:
    shared.commit()
    assert all("memfd:shared" in each.name for each in details_in(shared.address, shared.size))


# --- verbs ---


@linux_only
def test_what_the_kernel_allows(shared: vmem.Region, page: int) -> None:
    shared.commit(page, 4 * page)
    shared.protect(Protection.READ, 2 * page, page)
    shared.protect(Protection.NO_ACCESS, 3 * page, page)
    assert permissions_in(shared.address, shared.size) == [
        (0, page, "---s"),
        (page, 2 * page, "rw-s"),
        (2 * page, 3 * page, "r--s"),
        (3 * page, 4 * page, "---s"),
        (4 * page, 5 * page, "rw-s"),
        (5 * page, 64 * page, "---s"),
    ]


def test_protections_are_each_ones_own(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    shared.commit(0, 2 * page)
    other.commit(0, 2 * page)
    shared.protect(Protection.READ, 0, page)
    with pytest.raises(ValueError, match="cannot be written"):
        shared[0] = 1
    other[0] = 2
    assert shared[0] == 2
    assert shared[0:5].readonly
    shared.commit(0, 2 * page)  # leaves it read-only
    assert shared[0:5].readonly
    shared.protect(Protection.READ_WRITE, 0, page)
    shared[0] = 3
    assert other[0] == 3


@pytest.mark.parametrize("verb", ["decommit", "discard"])
def test_memory_is_not_given_back(verb: str, shared: vmem.Region, page: int) -> None:
    shared.commit(0, page)
    shared[0] = 7
    for arguments in ((), (0, page), (5, 0), (8 * page, page)):
        with pytest.raises(NotImplementedError, match=f"cannot {verb} bytes of this region: it is shared"):
            getattr(shared, verb)(*arguments)
    with pytest.raises(ValueError, match="past the end"):
        getattr(shared, verb)(0, 65 * page)
    assert shared[0] == 7
    assert shared.committed == page
    shared.release()
    with pytest.raises(ValueError, match="released"):
        getattr(shared, verb)(0, page)


def test_prefault(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    shared.commit(0, 16 * page)
    shared.prefault(0, 16 * page)
    assert shared.resident() == 16 * page
    other.commit(8 * page, 16 * page, prefault=True)
    assert other.committed == 16 * page
    assert other.resident() == 16 * page


def test_a_large_commit_keeps_protections_and_contents(page: int) -> None:
    """More than is done at once, so that other threads run meanwhile."""
    size = 16 << 20
    with vmem.reserve(size, shared=True) as region, attach(region) as other:
        region.commit(page, page)
        region[page] = 5
        region.protect(Protection.READ, page, page)
        region.commit(0, size, prefault=True)
        assert region.ranges()[1] == (page, page, True, Protection.READ)
        assert region.resident() >= size - page
        other.commit()
        assert other[page] == 5
        assert other.committed == region.committed == size


def test_locks(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    shared.commit(0, 4 * page)
    other.commit(0, 4 * page)
    shared.lock(0, 2 * page)
    other.lock(page, page, on_fault=sys.platform == "linux")
    shared.unlock(0, 4 * page)
    other.unlock(0, 4 * page)


@linux_only
@pytest.mark.exact_memory
def test_locks_are_each_ones_own(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    shared.commit(0, 4 * page)
    other.commit(0, 4 * page)
    shared.lock(0, 2 * page)
    assert pages_with_flag(shared, "lo") == [0, 1]
    assert pages_with_flag(other, "lo") == []
    other.unlock(0, 4 * page)
    assert pages_with_flag(shared, "lo") == [0, 1]


@linux_only
def test_what_core_dumps_contain(shared: vmem.Region, page: int) -> None:
    """As with private memory: what is committed."""
    shared.commit(0, 2 * page)
    assert pages_with_flag(shared, "dd") == list(range(2, 64))


@linux_only
def test_secrets_are_kept_from_core_dumps_everywhere(page: int) -> None:
    with vmem.reserve(4 * page, shared=True, dump=False) as region, attach(region) as other:
        for each in (region, other):
            each.commit(0, 2 * page)
            assert pages_with_flag(each, "dd") == [0, 1, 2, 3]


def test_repr(shared: vmem.Region, page: int) -> None:
    shared.commit(0, page)
    address = f"{shared.address:#x}"
    assert repr(shared) == f"<vmem.Region 'shared' at {address}: {64 * page} bytes, shared, {page} committed, 0 views>"
    shared.release()
    assert repr(shared) == f"<vmem.Region 'shared': {64 * page} bytes, released>"
    assert "shared" not in repr(vmem.reserve(page))


def test_map(shared: vmem.Region, other: vmem.Region, page: int) -> None:
    shared.commit(0, 4 * page)
    shared[0 : 4 * page] = b"x" * (4 * page)
    with shared[0:5]:
        text = repr(shared.map())
    assert "region 'shared'" in text
    assert "1 view" in text
    other.commit(0, 8 * page)
    assert sum(part.num_bytes for part in other.map().parts) == other.size


def test_with_blocks(page: int) -> None:
    with vmem.reserve(page, shared=True) as region:
        region.commit()
    assert region.released
    with pytest.raises(KeyError), vmem.reserve(page, shared=True) as region:
        region.commit()
        view = region[0:5]
        view[0] = 3
        raise KeyError
    assert region.released
    assert view[0] == 3


def test_pickle_and_copy_say_how(shared: vmem.Region) -> None:
    for call in (lambda: pickle.dumps(shared), lambda: copy.copy(shared), lambda: copy.deepcopy(shared)):
        with pytest.raises(TypeError, match=r"multiprocessing.*fileno\(\).*vmem\.attach\(\)"):
            call()
    with vmem.reserve(1) as private, pytest.raises(TypeError, match="pickle a copy"):
        pickle.dumps(private)


# --- descriptors ---


@posix_only
def test_fileno_of_a_private_region(region: vmem.Region) -> None:
    with pytest.raises(ValueError, match="not shared, and so has no descriptor"):
        region.fileno()


@posix_only
def test_fileno_is_not_inherited_by_started_programs(shared: vmem.Region) -> None:
    assert not os.get_inheritable(shared.fileno())
    assert shared.fileno() == shared.fileno()


@posix_only
def test_descriptors_are_closed_with_the_memory(page: int) -> None:
    def is_open(descriptor: int) -> bool:
        try:
            os.fstat(descriptor)
        except OSError:
            return False
        return True

    region = vmem.reserve(page, shared=True)
    descriptor = region.fileno()
    region.release()
    assert not is_open(descriptor)
    with pytest.raises(ValueError, match="released"):
        region.fileno()

    region = vmem.reserve(page, shared=True)
    descriptor = region.fileno()
    region.commit()
    view = region[0:1]
    region._release_deferred()
    assert is_open(descriptor)
    view.release()
    assert not is_open(descriptor)

    region = vmem.reserve(page, shared=True)
    descriptor = region.fileno()
    del region
    gc.collect()
    assert not is_open(descriptor)


@linux_only
def test_nothing_is_left_behind(page: int) -> None:
    """Neither descriptors nor mappings."""

    def find_traces() -> tuple[int, int]:
        return num_descriptors(), Path("/proc/self/maps").read_text(encoding="utf-8").count("memfd:trace")

    before = find_traces()
    regions = [vmem.reserve(100 * page, shared=True, name="trace") for _ in range(10)]
    regions += [attach(region) for region in regions]
    for region in regions:
        region.commit(5 * page, page)
        region.protect(Protection.READ, 5 * page, page)
    assert find_traces() == (before[0] + 20, before[1] + 60)
    for region in regions[::2]:
        region.release()
    del region, regions
    gc.collect()
    assert find_traces() == before


@linux_only
def test_a_closed_descriptor(shared: vmem.Region, page: int, tmp_path: Path) -> None:
    """Other code closes it, and its number becomes that of another file, which is neither touched nor closed."""
    file = tmp_path / "other"
    file.write_bytes(b"untouched")
    shared.commit(0, page)
    shared[0] = 1
    number = shared.fileno()
    os.close(number)
    with pytest.raises(OSError, match="the descriptor is closed, or stands for something else now"):
        shared.commit(0, 2 * page)
    with file.open("r+b") as opened:
        if opened.fileno() != number:
            os.dup2(opened.fileno(), number)
        before, committed = shared.ranges(), shared.committed
        for call in (lambda: shared.commit(), lambda: shared.commit(prefault=True), shared.fileno):
            with pytest.raises(OSError, match="the descriptor is closed, or stands for something else now") as raised:
                call()
            assert raised.value.errno == 9
        assert (shared.ranges(), shared.committed) == (before, committed)
        shared[1] = 2
        assert bytes(shared[0:2]) == b"\1\2"
        shared.protect(Protection.READ, 0, page)
        shared.release()
        assert os.fstat(number).st_ino == file.stat().st_ino
        if opened.fileno() != number:
            os.close(number)
    assert file.read_bytes() == b"untouched"


@linux_only
def test_other_code_that_has_the_descriptor(shared: vmem.Region, page: int) -> None:
    """It can read and write, as the docs say, but takes nothing away."""
    shared.commit(0, 4 * page)
    shared[0:5] = b"hello"
    number = shared.fileno()
    granularity = vmem.get_allocation_granularity()
    assert os.pread(number, 5, granularity) == b"hello"
    with mmap.mmap(number, page, offset=granularity) as mapped:
        mapped[0:5] = b"HELLO"
    assert bytes(shared[0:5]) == b"HELLO"
    with pytest.raises(PermissionError):
        os.ftruncate(number, 0)
    assert bytes(shared[0:5]) == b"HELLO"


# --- subclasses ---


class Counted(vmem.Region):
    num_made = 0
    mark: object = None

    def __init__(self, *arguments: object, **keywords: object) -> None:
        type(self).num_made += 1


def test_a_subclass(page: int) -> None:
    region = Counted(page, shared=True)
    assert Counted.num_made == 1
    region.mark = "x"
    attached = attach(region)
    assert type(attached) is vmem.Region
    region.release()
    attached.release()


@posix_only
def test_a_cycle_is_collected(page: int) -> None:
    region = Counted(page, shared=True)
    region.commit()
    region.mark = [region, region[0:1]]
    descriptor = region.fileno()
    del region
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
