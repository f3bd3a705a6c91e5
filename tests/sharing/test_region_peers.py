"""Other processes and threads that use a shared region at the same time, some of them with bad intentions."""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import vmem
from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.peers import Peer
from tests.support.processes import run_python
from tests.support.system import num_descriptors
from vmem import Protection

pytestmark = [needs_shared_memory, posix_only]


@pytest.fixture
def shared(page: int) -> Iterator[vmem.Region]:
    region = vmem.reserve(64 * page, shared=True, name="common")
    region.commit(0, 8 * page)
    region[0 : 8 * page] = b"x" * (8 * page)
    yield region
    region._release_deferred()


def attach(region: vmem.Region) -> vmem.Region:
    attached = vmem.attach(region.fileno())
    assert isinstance(attached, vmem.Region)
    return attached


# --- processes with good intentions ---


def test_processes_take_turns(shared: vmem.Region) -> None:
    """What one has written before it answers, the next one sees."""
    size = shared.page_size
    with Peer(shared.fileno()) as one, Peer(shared.fileno()) as other:
        for peer in (one, other):
            peer.ask(f"array.commit(0, {8 * size})")
        for number in range(0, 200, 2):
            shared[number] = 7
            assert one.ask(f"array[{number}]") == 7
            one.ask(f"array[{number + 1}] = {number}")
            assert other.ask(f"array[{number + 1}]") == number
        assert shared[199] == 198


def test_each_commits_for_itself(shared: vmem.Region, page: int) -> None:
    with Peer(shared.fileno()) as peer:
        assert peer.ask("array.committed") == 0
        assert "not committed" in peer.fail("array[0]")
        peer.ask(f"array.commit({32 * page}, {page})")
        peer.ask(f"array[{32 * page}] = 9")
        assert not shared.is_committed(32 * page, page)
        shared.commit(32 * page, page)
        assert shared[32 * page] == 9
        assert "NotImplementedError" in peer.fail("array.decommit()")


def test_memory_outlives_the_process_that_made_it() -> None:
    with vmem.reserve(1, shared=True) as first, Peer(first.fileno()) as peer:
        first.commit()
        first[0:5] = b"hello"
        first.release()
        assert peer.ask("array.commit()") is None
        assert peer.ask("bytes(array[0:5])") == b"hello"


# --- processes that are killed ---


@linux_only
@pytest.mark.parametrize("round_number", range(5))
def test_a_process_that_is_killed_in_the_middle_of_commits(round_number: int, shared: vmem.Region, page: int) -> None:
    """What it had committed reads zero or what it wrote, and nothing of it stays open here."""
    before = num_descriptors()
    peer = Peer(shared.fileno())
    peer.start(
        f"""
import itertools
print((True, "started"), flush=True)
for number in itertools.count():
    other = vmem.attach(array.fileno())
    other.commit(8 * {page} + number % 8 * {page}, (1 + number % 8) * {page})
    other[16 * {page}] = number % 256
"""
    )
    assert peer.finish() == "started"
    for _ in range(50 * round_number):
        attach(shared).release()
    peer.kill()
    shared.commit()
    assert bytes(shared[8 * page : 16 * page]) == bytes(8 * page)
    assert bytes(shared[0 : 8 * page]) == b"x" * (8 * page)
    del peer
    gc.collect()
    assert num_descriptors() == before


# --- processes with bad intentions ---

ATTACK = """
import ctypes, fcntl, os, random
source, number = random.Random(5), array.fileno()
libc = ctypes.CDLL(None)
libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
granularity = vmem.get_allocation_granularity()
first_page = os.pread(number, 448, 0)
print((True, "started"), flush=True)
for _ in range(3000):
    choice = source.randrange(6)
    try:
        if choice == 0:
            os.pwrite(number, source.randbytes(source.randrange(1, 448)), 0)
        elif choice == 1:
            os.pwrite(number, first_page, 0)
        elif choice == 2:
            os.ftruncate(number, source.choice([0, 1, granularity, 1 << 30]))
        elif choice == 3:
            libc.fallocate(number, 3, 0, granularity)  # punches out the first page
        elif choice == 4:
            fcntl.fcntl(number, 1033, 1 << source.randrange(5))
        else:
            os.pwrite(number, source.randbytes(8), source.randrange(448))
    except OSError:
        pass
os.pwrite(number, first_page, 0)
"""


@linux_only
def test_a_process_that_scribbles_truncates_punches_and_seals(shared: vmem.Region, page: int) -> None:
    """Attaching meanwhile is refused, or gives a region that works; the regions that there are go on."""
    with Peer(shared.fileno()) as peer:
        peer.start(ATTACK)
        assert peer.finish() == "started"
        for number in range(1000):
            try:
                other = attach(shared)
            except (ValueError, vmem.OutOfMemoryError):
                pass
            else:
                other.commit(0, 1)
                other[0] = other[0]
                other.release()
            shared[9] = number % 256
            assert shared[9] == number % 256
        peer.finish()
        shared.commit()
        assert bytes(shared[0:9]) == b"x" * 9


# --- threads ---


@pytest.mark.in_child
def test_many_threads_on_one_region(shared: vmem.Region, page: int) -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        source = random.Random(seed)
        calls: list[Callable[[vmem.Region, int], object]] = [
            lambda region, offset: region.commit(offset, page),
            lambda region, offset: region.commit(offset, 3 * page, prefault=True),
            lambda region, offset: region.protect(
                source.choice([Protection.READ, Protection.READ_WRITE]), offset, page
            ),
            lambda region, offset: region.__setitem__(offset, 1),
            lambda region, offset: bytes(region[offset : offset + 5]),
            lambda region, offset: region.ranges(),
            lambda region, offset: attach(region).commit(offset, page),
            lambda region, offset: region.fileno(),
            lambda region, offset: repr(region),
        ]
        try:
            for _ in range(300):
                with contextlib.suppress(ValueError, BufferError):
                    source.choice(calls)(source.choice([shared, other]), source.randrange(60) * page)
        except BaseException as error:
            failures.append(error)

    other = attach(shared)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    other.release()


@pytest.mark.in_child
def test_releasing_while_others_attach(page: int) -> None:
    """A descriptor is that of the region, or the call fails; it is never that of another one."""
    for _ in range(50):
        region = vmem.reserve(4 * page, shared=True, name="right")
        start = threading.Barrier(4)
        attached: list[vmem.Region] = []

        def work(
            region: vmem.Region = region, start: threading.Barrier = start, attached: list[vmem.Region] = attached
        ) -> None:
            start.wait()
            with contextlib.suppress(ValueError, OSError):
                attached.append(attach(region))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        start.wait()
        region.release()
        for thread in threads:
            thread.join()
        assert all(each.size == 4 * page and each.name == "right" for each in attached)


@pytest.mark.in_child
def test_a_long_commit_lets_other_threads_run() -> None:
    """They find its pages busy."""
    size = 64 << 20
    seen: list[str] = []

    def meet(region: vmem.Region, is_done: threading.Event) -> None:
        while not is_done.is_set() and not seen:
            try:
                region.commit(size // 2, 1)
            except BufferError as error:
                seen.append(str(error))

    for _ in range(100):
        is_done = threading.Event()
        with vmem.reserve(size, shared=True) as region:
            region.commit(size // 2, 1)
            thread = threading.Thread(target=meet, args=(region, is_done))
            thread.start()
            with contextlib.suppress(BufferError):
                region.commit(0, size)
            is_done.set()
            thread.join()
        if seen:
            break
    assert "cannot commit" in seen[0]


# --- interpreters ---


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with Python 3.12")
def test_interpreters_share_regions_as_processes_do() -> None:
    run_python(
        """
        import vmem
        from tests.support.interpreters import run_isolated
        region = vmem.reserve(1 << 20, shared=True, name="everywhere")
        region.commit(0, 5)
        region[0:5] = b"hello"
        run_isolated(f'''if True:
            import vmem
            other = vmem.attach({region.fileno()})
            other.commit(0, 5)
            assert bytes(other[0:5]) == b"hello" and other.name == "everywhere"
            other[0:5] = b"reply"
            kept = vmem.reserve(1 << 20, shared=True)
            kept.commit()
        ''')
        assert bytes(region[0:5]) == b"reply"
        """
    )


@linux_only
def test_the_end_of_the_interpreter() -> None:
    run_python(
        """
        import sys, vmem
        region = vmem.reserve(1 << 20, shared=True)
        region.commit()
        sys.modules["kept"] = region[0:5]

        class Late:
            def __init__(self):
                self.region = vmem.attach(region.fileno())
            def __del__(self):
                self.region.commit(0, 5)
                self.region[0] = 1
                try:
                    vmem.reserve(1, shared=True)
                except (RuntimeError, ImportError, TypeError):
                    pass

        late = Late()
        late.cycle = late
        """
    )
