"""Calls that fail for a real limit, each in a process of its own: the exception names the limit, nothing changes."""

from __future__ import annotations

import errno
import pickle
import re
from pathlib import Path

import pytest

import vmem
from tests.support.marks import linux_only, root_only
from tests.support.processes import run_python
from tests.support.settings import setting


@pytest.mark.many_addresses
def test_out_of_memory_error_is_an_oserror_and_a_memoryerror() -> None:
    with pytest.raises(vmem.OutOfMemoryError) as raised:
        vmem.reserve(1 << 62)
    error = raised.value
    assert isinstance(error, OSError)
    assert isinstance(error, MemoryError)
    assert error.errno == errno.ENOMEM
    assert str(error) == (
        f"[Errno {errno.ENOMEM}] cannot reserve {1 << 62} bytes: "
        "no free range of addresses is large enough; reserve less"
    )
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args) == (type(error), error.args)


@linux_only
@pytest.mark.exact_memory
def test_address_space_limit() -> None:
    printed = run_python(
        """
        import resource, vmem
        from vmem import _vmem
        limit = _vmem.get_limits()["address_space_used"] + (1 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        kept = vmem.reserve(1 << 28)
        try:
            vmem.reserve(1 << 30)
        except vmem.OutOfMemoryError as error:
            print(error)
            assert f"the address space limit (RLIMIT_AS, ulimit -v) is {limit} bytes" in str(error)
        kept.commit(0, 100)
        kept[0] = 1
        vmem.reserve(1 << 28)
        """
    )
    assert "cannot reserve 1073741824 bytes: the address space limit (RLIMIT_AS" in printed
    assert "raise the limit" in printed


@linux_only
@pytest.mark.exact_memory
def test_address_space_limit_with_an_alignment() -> None:
    printed = run_python(
        """
        import resource, vmem
        from vmem import _vmem
        limit = _vmem.get_limits()["address_space_used"] + (1 << 29)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            vmem.reserve(4096, alignment=1 << 30)
        except vmem.OutOfMemoryError as error:
            print(error)
            assert f"the address space limit (RLIMIT_AS, ulimit -v) is {limit} bytes" in str(error)
        """
    )
    assert "cannot reserve 4096 bytes aligned to 1073741824: the address space limit (RLIMIT_AS" in printed


@linux_only
@pytest.mark.exact_memory
@pytest.mark.parametrize(
    ("limit", "used", "call"),
    [
        ("RLIMIT_AS", "address_space_used", "vmem.reserve(page)"),
        ("RLIMIT_DATA", "data_used", "region.commit(page, page)"),
    ],
)
def test_a_limit_below_what_is_in_use(limit: str, used: str, call: str) -> None:
    printed = run_python(
        f"""
        import resource, vmem
        from vmem import _vmem
        region = vmem.reserve(1 << 28)
        page = region.page_size
        region.commit(0, page)
        reserve, before = bytearray(1 << 16), resource.getrlimit(resource.{limit})
        lowered = _vmem.get_limits()["{used}"] // 2
        resource.setrlimit(resource.{limit}, (lowered, before[1]))
        del reserve
        try:
            {call}
        except vmem.OutOfMemoryError as error:
            message = str(error)
        resource.setrlimit(resource.{limit}, before)
        print(message)
        assert f"({limit}, ulimit -" in message and f" is {{lowered}} bytes and this process uses " in message
        """
    )
    assert f"({limit}, ulimit -" in printed


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_data_limit() -> None:
    printed = run_python(
        """
        import resource, vmem
        from vmem import _vmem
        region = vmem.reserve(1 << 32)
        region.commit(0, 4096)
        region[0] = 9
        limit = _vmem.get_limits()["data_used"] + (1 << 28)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        before = region.ranges()
        try:
            region.commit(1 << 20, 1 << 30)
        except vmem.OutOfMemoryError as error:
            print(error)
            assert f"is {limit} bytes" in str(error)
        assert region.ranges() == before and region[0] == 9
        region.commit(1 << 20, 1 << 20)
        """
    )
    assert "cannot commit 1073741824 bytes at offset 1048576 of a region: the data limit (RLIMIT_DATA" in printed


@pytest.mark.many_addresses
@linux_only
@root_only
@pytest.mark.whole_system
@pytest.mark.exact_memory
def test_commit_limit() -> None:
    with setting("overcommit_memory", "2"):
        printed = run_python(
            """
            import vmem
            from vmem import _vmem
            region = vmem.reserve(1 << 44)
            region.commit(0, 4096)
            region[0] = 9
            limits = _vmem.get_limits()
            too_much = limits["commit_limit"] - limits["commit_used"] + (1 << 30)
            before = region.ranges()
            try:
                region.commit(1 << 30, too_much)
            except vmem.OutOfMemoryError as error:
                print(error)
            assert region.ranges() == before and region[0] == 9
            region.commit(1 << 20, 1 << 20)
            region[1 << 20] = 1
            """
        )
    assert "the system's commit limit is " in printed
    assert "vm.overcommit_ratio" in printed


@linux_only
@pytest.mark.exact_memory
def test_write_access_that_was_given_up_is_refused_for_the_data_limit() -> None:
    """Read-only pages do not count, so write access has to be granted like a commit. Nothing is lost by a refusal."""
    printed = run_python(
        """
        import resource, vmem
        from vmem import Protection, _vmem
        size = 1 << 28
        region = vmem.reserve(2 * size)
        region.commit(0, size)
        region[0] = 9
        region.protect(Protection.READ, 0, size - 4096)
        limit = _vmem.get_limits()["data_used"] + (1 << 24)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        before = region.ranges()
        for protection in (Protection.READ_WRITE, Protection.READ_WRITE_EXECUTE):
            try:
                region.protect(protection, 0, size)
            except vmem.OutOfMemoryError as error:
                print(error)
                assert f"is {limit} bytes" in str(error)
            else:
                raise SystemExit("the limit was passed")
        assert region.ranges() == before and region[0] == 9
        region.protect(Protection.READ_EXECUTE, 0, size)
        region.protect(Protection.READ_WRITE, 0, 1 << 20)
        """
    )
    assert printed.count("cannot protect 268435456 bytes at offset 0 of a region: the data limit (RLIMIT_DATA") == 2
    assert "make less memory writable, or raise the limit" in printed


@pytest.mark.many_addresses
@linux_only
@root_only
@pytest.mark.whole_system
@pytest.mark.exact_memory
def test_write_access_that_was_given_up_is_refused_for_the_commit_limit() -> None:
    with setting("overcommit_memory", "2"):
        printed = run_python(
            """
            import vmem
            from vmem import Protection, _vmem
            def get_left():
                limits = _vmem.get_limits()
                return limits["commit_limit"] - limits["commit_used"]
            region, other = vmem.reserve(1 << 44), vmem.reserve(1 << 44)
            size = get_left() // 4 * 3 // 4096 * 4096
            region.commit(0, size)
            region.protect(Protection.READ, 0, size)
            if get_left() < size:
                print("still charged")  # before Linux 6.1, which keeps the charge
            else:
                other.commit(0, size)
                try:
                    region.protect(Protection.READ_WRITE, 0, size)
                except vmem.OutOfMemoryError as error:
                    print(error)
                other.release()
            region.protect(Protection.READ_WRITE, 0, size)
            region[0] = 1
            """
        )
    assert printed == "still charged\n" or re.search(
        r"cannot protect \d+ bytes at offset 0 of a region: the system's commit limit is \d+ bytes and \d+ are "
        r"committed by all processes together; make less memory writable, or raise it",
        printed,
    )


@pytest.mark.many_addresses
@linux_only
@root_only
@pytest.mark.whole_system
@pytest.mark.exact_memory
def test_a_failed_commit_of_many_gaps_is_rolled_back() -> None:
    with setting("overcommit_memory", "2"):
        run_python(
            """
            import vmem
            from vmem import _vmem
            region = vmem.reserve(1 << 44)
            limits = _vmem.get_limits()
            left = limits["commit_limit"] - limits["commit_used"]
            half = left // 2 // 4096 * 4096
            region.commit(half, 4096)
            region.commit(3 * half, 4096)
            region[half], region[3 * half] = 1, 2
            before, charged = region.ranges(), limits["data_used"]
            for _ in range(3):
                try:
                    region.commit(0, 4 * half)
                except vmem.OutOfMemoryError as error:
                    print(error)
                else:
                    raise SystemExit("it did not fail")
                assert region.ranges() == before
                assert (region[half], region[3 * half]) == (1, 2)
            assert _vmem.get_limits()["data_used"] - charged < 1 << 24
            lines = [line for line in open("/proc/self/maps")
                     if int(line.split("-")[0], 16) < region.address + region.size
                     and int(line.split("-")[1].split()[0], 16) > region.address]
            writable = [line for line in lines if " rw-p " in line]
            assert len(writable) == 2, lines
            region.commit(0, half)
            """
        )


@pytest.mark.many_addresses
@linux_only
@root_only
@pytest.mark.whole_system
def test_a_commit_larger_than_memory_and_swap() -> None:
    with setting("overcommit_memory", "0"):
        printed = run_python(
            """
            import vmem
            region = vmem.reserve(1 << 46)
            try:
                region.commit()
            except vmem.OutOfMemoryError as error:
                print(error)
            assert region.committed == 0
            region.commit(0, 4096)
            """
        )
    assert "one commit cannot be larger than memory and swap together" in printed
    assert "vm.overcommit_memory is 0" in printed


SCATTER = """
    import sys, vmem
    from vmem import _vmem
    page = vmem.get_page_size()
    region = vmem.reserve(1 << 40)
    limit = _vmem.get_limits()["mapping_limit"]
    committed = 0
    try:
        while True:
            region.commit(2 * committed * page, page)
            committed += 1
    except vmem.OutOfMemoryError as error:
        message = str(error)
    used = _vmem.get_limits()["mapping_used"]
"""


@pytest.mark.many_addresses
@linux_only
def test_commits_keep_the_headroom_of_mappings() -> None:
    printed = run_python(
        SCATTER
        + """
    print(message)
    assert limit - 4096 - 3 <= used <= limit - 4096, (limit, used)
    assert region.committed == committed * page
    # The process still works: threads, imports, memory, and the region itself.
    import threading, decimal, ctypes
    threads = [threading.Thread(target=bytearray, args=(1 << 20,)) for _ in range(50)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    region[0] = 1
    for refused in (lambda: region.commit(1 << 39, page), lambda: vmem.reserve(page)):
        try:
            refused()
        except vmem.OutOfMemoryError:
            pass
        else:
            raise SystemExit("the limit was passed")
    region.commit(page, page)         # fills a gap
    region.decommit(2 * page, page)   # shortens a span
    region.decommit(100 * page, 100 * page)
    region.commit(1 << 39, page)
    region.commit((1 << 39) + page, 5 * page)
    region.release()
    assert _vmem.get_limits()["mapping_used"] < 1000
    again = vmem.reserve(1 << 40)
    for number in range(20000):
        again.commit(2 * number * page, page)
        """
    )
    assert "vm.max_map_count is " in printed
    assert "commit larger neighbouring ranges" in printed
    assert "the last 4096 are kept for the rest of the process" in printed


@pytest.mark.many_addresses
@linux_only
def test_a_decommit_that_would_split_a_mapping_is_refused_at_the_limit() -> None:
    run_python(
        """
        import vmem
        page = vmem.get_page_size()
        region = vmem.reserve(1 << 40)
        region.commit(0, 1 << 30)
        region[5 * page] = 7
        try:
            for number in range(1 << 18):
                region.decommit((2 * number + 10) * page, page)
        except vmem.OutOfMemoryError as error:
            assert "cannot decommit" in str(error) and "vm.max_map_count" in str(error), error
        else:
            raise SystemExit("the limit was passed")
        assert region[5 * page] == 7
        before = region.ranges()
        try:
            region.decommit(6 * page, page)
        except vmem.OutOfMemoryError:
            pass
        assert region.ranges() == before
        region.decommit(0, 1 << 29)
        region.decommit()
        assert region.committed == 0
        """
    )


@pytest.mark.many_addresses
@linux_only
@root_only
@pytest.mark.whole_system
def test_a_low_mapping_limit() -> None:
    with setting("max_map_count", "6000"):
        printed = run_python(SCATTER + "    print(message, used, sep='|')\n")
    message, used = printed.strip().split("|")
    assert "vm.max_map_count is 6000" in message
    assert "the last 3000 are kept" in message
    assert int(used) <= 3000


@linux_only
@pytest.mark.exact_memory
def test_the_last_page_of_the_data_limit() -> None:
    printed = run_python(
        """
        import resource, vmem
        from vmem import _vmem
        region = vmem.reserve(1 << 30)
        resource.setrlimit(resource.RLIMIT_DATA, (_vmem.get_limits()["data_used"] + 100, -1))
        try:
            for offset in range(0, 1 << 28, 4096):
                region.commit(offset, 1)
        except vmem.OutOfMemoryError as error:
            message = str(error)
        print(message)
        """
    )
    assert "the data limit (RLIMIT_DATA" in printed


@linux_only
@pytest.mark.exact_memory
@pytest.mark.parametrize("prefault", [False, True])
def test_committed_pages_do_not_count_towards_the_data_limit_again(prefault: bool) -> None:
    """The message names the limit only when it was exceeded. The first commit fails because of an unmapped page."""
    printed = run_python(
        f"""
        import ctypes, resource, vmem
        from vmem import _vmem
        mib, page = 1 << 20, vmem.get_page_size()
        region = vmem.reserve(1 << 30)
        region.commit(0, 64 * mib)
        region[0] = 5
        limit = _vmem.get_limits()["data_used"] + 32 * mib
        resource.setrlimit(resource.RLIMIT_DATA, (limit, -1))
        for num_bytes in (80 * mib, 112 * mib):
            before = region.ranges()
            hole = ctypes.c_void_p(region.address + 70 * mib)
            ctypes.CDLL(None).munmap(hole, ctypes.c_size_t(page))
            try:
                region.commit(0, num_bytes, prefault={prefault})
            except vmem.OutOfMemoryError as error:
                print(error)
            assert region.ranges() == before and region[0] == 5
        region.commit(0, 80 * mib, prefault={prefault})
        """
    )
    first, second = printed.splitlines()
    assert first.endswith(f"commit {'and prefault ' if prefault else ''}{80 << 20} bytes at offset 0 of a region: "
                          "the system is out of memory; commit less, or release some")  # fmt: skip
    assert ": the data limit (RLIMIT_DATA, ulimit -d) is " in second


MAPPINGS = """
    import mmap, os, threading, vmem
    from vmem import _vmem
    page = vmem.get_page_size()

    def scatter(region):
        try:
            for number in range(1 << 17):
                region.commit(2 * number * page, page)
        except vmem.OutOfMemoryError as error:
            assert "vm.max_map_count" in str(error), error
        else:
            raise SystemExit("the limit was passed")

    def check():
        limits = _vmem.get_limits()
        assert limits["mapping_used"] < limits["mapping_limit"] - 2000, limits
        thread = threading.Thread(target=bytearray, args=(1 << 20,))
        thread.start()
        thread.join()
"""


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_mappings_of_other_code_are_counted() -> None:
    run_python(
        MAPPINGS
        + """
    region = vmem.reserve(1 << 40)
    region.commit(0, page)
    others = [mmap.mmap(-1, page, prot=mmap.PROT_READ if number % 2 else mmap.PROT_READ | mmap.PROT_WRITE)
              for number in range(20000)]
    scatter(region)
    check()
        """
    )


@linux_only
@pytest.mark.exact_memory
def test_a_mapping_limit_that_was_reached_since_the_last_count() -> None:
    """The kernel refuses a commit that the last count allowed, and the exception still names the limit."""
    printed = run_python(
        """
        import ctypes, mmap, vmem
        page = vmem.get_page_size()
        region = vmem.reserve(8 * page)
        region.commit(0, page)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
        libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        size = (1 << 18) * page
        others = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        address = others
        while libc.mprotect(address, page, 0) == 0:
            address += 2 * page
        message = ""
        try:
            region.commit(4 * page, page)
        except vmem.OutOfMemoryError as error:
            message = str(error)
        libc.munmap(others, size)
        assert region.committed == page
        region.commit(4 * page, page)
        print(message)
        """
    )
    assert "cannot commit" in printed
    assert re.search(r"vm.max_map_count is \d+ and this process has \d+ mappings; commit larger", printed)


@linux_only
@root_only
@pytest.mark.whole_system
@pytest.mark.exact_memory
def test_locks_end_where_the_kernel_refuses_to_map() -> None:
    """Pages that cannot be decommitted are discarded, and lose their access and their locks."""
    limit = Path("/proc/sys/vm/max_map_count")
    with setting(limit.name, limit.read_text()):
        run_python(
            """
            import mmap, sys, vmem
            from tests.support.system import permissions_in, status_bytes
            page = vmem.get_page_size()
            region = vmem.reserve(64 * page)
            region.commit(0, 8 * page)
            region[0 : 8 * page] = b"x" * (8 * page)
            region.lock(4 * page, 4 * page)
            assert status_bytes("VmLck") == 4 * page
            others = [mmap.mmap(-1, page, prot=mmap.PROT_READ if number % 2 else mmap.PROT_READ | mmap.PROT_WRITE)
                      for number in range(7000)]
            with open(sys.argv[1], "w") as file:
                file.write("6000")
            region.decommit(4 * page, 4 * page)
            locked = status_bytes("VmLck")
            del others
            assert locked == 0 and region.committed == 4 * page
            assert permissions_in(region.address, 8 * page) == [(0, 4 * page, "rw-p"), (4 * page, 8 * page, "---p")]
            region.commit(0, 8 * page)
            assert bytes(region[0 : 8 * page]) == b"x" * (4 * page) + bytes(4 * page)
            assert not region.map().locked
            """,
            str(limit),
        )


@pytest.mark.many_addresses
@linux_only
def test_releasing_every_second_of_many_regions() -> None:
    """The kernel merges neighbouring reservations, so releasing one between two others adds a mapping."""
    run_python(
        MAPPINGS
        + """
    regions = [vmem.reserve(page) for _ in range(140_000)]
    refused = 0
    for region in regions[::2]:
        try:
            region.release()
        except vmem.OutOfMemoryError as error:
            assert "cannot release" in str(error) and "vm.max_map_count" in str(error), error
            assert not region.released
            refused += 1
            if refused > 3:
                break
    assert refused
    limits = _vmem.get_limits()
    left = limits["mapping_limit"] - limits["mapping_used"]
    assert 4096 - 1024 - 3 <= left <= 4096 - 1024 + 100, left  # releases may use a part of the headroom
    check()
    del regions[::2], region
    check()
    regions.clear()
    check()
    again = vmem.reserve(1 << 40)
    again.commit(0, page)
        """
    )


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
@pytest.mark.parametrize(
    "release", ["region.release()", "regions[index] = None; del region"], ids=["release", "drop the last reference"]
)
def test_a_region_with_a_mapping_of_its_own_is_released_at_the_limit(release: str) -> None:
    """That splits no mapping, so it works even after other code has used up the headroom of releases."""
    run_python(
        MAPPINGS
        + f"""
    regions = sorted((vmem.reserve(page) for _ in range(140_000)), key=lambda region: region.address)
    try:
        for region in regions[::2]:
            region.release()
    except vmem.OutOfMemoryError as error:
        assert "cannot release" in str(error), error
    else:
        raise SystemExit("the limit was passed")
    others = [mmap.mmap(-1, page, prot=mmap.PROT_READ if number % 2 else mmap.PROT_READ | mmap.PROT_WRITE)
              for number in range(100)]
    before = _vmem.get_limits()["mapping_used"]
    for index in range(1, 10_001, 2):
        region = regions[index]
        {release}
    assert before - _vmem.get_limits()["mapping_used"] >= 5000
    vmem.reserve(page).commit()
        """
    )


@pytest.mark.many_addresses
@linux_only
def test_commits_work_without_a_free_file_descriptor() -> None:
    run_python(
        MAPPINGS
        + """
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    region = vmem.reserve(1 << 40)
    for number in range(1000):
        region.commit(2 * number * page, page)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    scatter(region)
    check()
        """
    )


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_calls_without_a_file_descriptor_near_the_limit() -> None:
    """What could not be counted is counted soon after a descriptor is free again."""
    run_python(
        MAPPINGS
        + """
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    region = vmem.reserve(1 << 40)
    region.commit(0, page)
    limits = _vmem.get_limits()
    almost = limits["mapping_limit"] - limits["mapping_used"] - 4096 - 100
    for number in range(almost // 2):
        region.commit(2 * number * page, page)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    for number in range(almost // 2, almost // 2 + 400):
        region.commit(2 * number * page, page)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    scatter(region)
    check()
        """
    )


@pytest.mark.many_addresses
@linux_only
def test_reservations_that_have_no_neighbours() -> None:
    """The kernel joins none of them, so each takes a mapping."""
    run_python(
        MAPPINGS
        + """
    regions = []
    try:
        for _ in range(1 << 17):
            regions.append(vmem.reserve(page, alignment=16 * page))
    except vmem.OutOfMemoryError as error:
        assert "cannot reserve" in str(error) and "vm.max_map_count" in str(error), error
    else:
        raise SystemExit("the limit was passed")
    limits = _vmem.get_limits()
    left = limits["mapping_limit"] - limits["mapping_used"]
    assert 4096 - 100 <= left <= 4096 + 3, left
    check()
        """
    )


@pytest.mark.many_addresses
@linux_only
def test_growing_in_a_forked_child() -> None:
    """The kernel does not merge new pages with pages that a fork shares, so every extension adds a mapping."""
    run_python(
        MAPPINGS
        + """
    region = vmem.reserve(1 << 40)
    for number in range(25_000):
        region.commit(4 * number * page, page)
        region[4 * number * page] = 1
    child = os.fork()
    if child == 0:
        try:
            for number in range(25_000):
                region.commit((4 * number + 1) * page, page)
                region[(4 * number + 1) * page] = 1
        except vmem.OutOfMemoryError:
            pass
        check()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """
    )


NEIGHBOURS = (
    MAPPINGS
    + """
    def make(count, num_pages, committed):
        regions = sorted((vmem.reserve(num_pages * page) for _ in range(count)), key=lambda region: region.address)
        for region in regions if committed else ():
            region.commit()
        return regions

    def until_refused(call, regions, step):
        for region in regions[::step]:
            try:
                call(region)
            except vmem.OutOfMemoryError as error:
                assert "vm.max_map_count" in str(error), error
                return
        raise SystemExit("the limit was passed")
"""
)


@linux_only
@pytest.mark.parametrize(
    "use",
    [
        "until_refused(lambda region: region.commit(), regions := make(70_000, 1, False), 2)",
        "until_refused(lambda region: region.decommit(0, page), regions := make(40_000, 2, True), 1)",
        "until_refused(lambda region: region.decommit(), regions := make(70_000, 1, True), 2)",
    ],
)
def test_neighbouring_regions_that_the_kernel_has_merged(use: str) -> None:
    run_python(NEIGHBOURS + f"\n    {use}\n    check()\n    regions.clear()\n    check()\n")


@pytest.mark.many_addresses
@linux_only
def test_dropping_neighbours_at_the_limit() -> None:
    run_python(
        NEIGHBOURS
        + """
    regions = make(20_000, 1, True)
    for region in regions:
        region[0] = 1
    full = vmem.reserve(1 << 40)
    scatter(full)
    check()
    before = _vmem.get_limits()["mapping_used"]
    regions[::2] = [None] * 10_000
    del region
    check()
    used = _vmem.get_limits()["mapping_used"]
    assert before + 1024 - 100 <= used <= before + 1024 + 10, (before, used)  # releases may use a part of the headroom
    regions.clear()
    full.release()
    assert _vmem.get_limits()["mapping_used"] < before / 2, _vmem.get_limits()  # so releasing leads away from the limit
        """
    )


@pytest.mark.many_addresses
@linux_only
def test_several_copies_of_the_module_share_the_limit() -> None:
    run_python(
        MAPPINGS
        + """
    import sys
    copies = []
    for _ in range(4):
        for name in [name for name in sys.modules if name.startswith("vmem")]:
            del sys.modules[name]
        import vmem
        region = vmem.reserve(1 << 40)
        region.commit(0, page)
        copies.append((vmem, region))
    for vmem, region in copies:
        scatter(region)
        check()
        """
    )
