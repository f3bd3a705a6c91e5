"""vmem._C_API and vmem_python.h: how other extensions use regions, and the errors they get."""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import vmem
from tests.programs.leaks import find_growth, refused
from tests.support.arguments import Index
from tests.support.extensions import PROGRAMS, STABLE_ABI, build_extension
from tests.support.interpreter import FREE_THREADED
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python
from tests.support.sharing import SharedFolder
from tests.support.signals import visit
from tests.support.system import mappings_in
from vmem import Protection, _vmem

SOURCES = ["c_api_client.c", "ring_client.c"]

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
LANGUAGES = {"C99": ["-std=c99"], "C++11": ["-x", "c++", "-std=c++11"]}
COMPILERS = {"C99": ["gcc", "clang"], "C++11": ["g++", "clang++"]}

Client = Any  # an extension without type hints


@pytest.fixture(scope="session")
def client_folder(shared_folder: SharedFolder) -> Path:
    """A folder with the extension c_api_client, built with the header of the installed vmem."""
    return shared_folder("c_api_client", partial(build_extension, name="c_api_client"))


@pytest.fixture(scope="session")
def client(client_folder: Path) -> Client:
    """The extension, imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(client_folder)
        return importlib.import_module("c_api_client")


@pytest.fixture
def filled(region: vmem.Region, page: int) -> Iterator[vmem.Region]:
    """64 pages, numbered from 0: 1 to 8 are committed, 7 without access and 8 read-only."""
    region.commit(page, 8 * page)
    region[page : 9 * page] = b"x" * (8 * page)
    region.protect(Protection.NO_ACCESS, 7 * page, page)
    region.protect(Protection.READ, 8 * page, page)
    yield region
    region.release()  # raises if a pin is alive


# --- building ---


@pytest.mark.parametrize("abi", ["full"] if FREE_THREADED else ["full", "limited"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", [0, 1], ids=["gcc", "clang"])
@pytest.mark.parametrize("source", SOURCES)
def test_the_header_compiles_without_a_warning(
    source: str, language: str, number: int, abi: str, tmp_path: Path
) -> None:
    compiler = shutil.which(COMPILERS[language][number])
    if compiler is None:
        pytest.skip(f"{COMPILERS[language][number]} is not installed")
    command = [
        *(compiler, *LANGUAGES[language], *WARNINGS, "-c", "-fPIC"),
        *([f"-D{'='.join(STABLE_ABI)}"] if abi == "limited" else []),
        *("-I", vmem.get_include(), "-isystem", sysconfig.get_path("include")),
        *(str(PROGRAMS / source), "-o", str(tmp_path / "client.o")),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


# --- importing ---


def test_every_import_gives_the_same_table(client: Client) -> None:
    version, size, address = client.import_api()
    assert version == 1
    assert size >= 6 * ctypes.sizeof(ctypes.c_void_p)
    assert client.import_api() == (version, size, address)
    assert repr(vmem._C_API).startswith('<capsule object "vmem._C_API" at ')


@pytest.mark.parametrize("version", [0, 2, -1, 2**31 - 1])
def test_another_version_is_refused(client: Client, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vmem, "_C_API", client.make_capsule(version, 8))
    with pytest.raises(ImportError, match=f"built for version 1 of vmem's C API, but .* has version {version}: "):
        client.import_api()


def test_an_older_table_is_refused_and_a_newer_one_is_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vmem, "_C_API", client.make_capsule(1, -8))
    with pytest.raises(ImportError, match="built with a newer vmem than the one that is installed"):
        client.import_api()
    monkeypatch.setattr(vmem, "_C_API", client.make_capsule(1, 800))
    assert client.import_api()[0] == 1


@pytest.mark.parametrize("wrong", [None, object(), vmem.reserve], ids=["None", "an object", "a function"])
def test_an_attribute_that_is_not_a_capsule_is_refused(
    client: Client, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vmem, "_C_API", wrong)
    with pytest.raises(AttributeError, match=r"vmem\._C_API"):
        client.import_api()


def test_a_vmem_without_a_c_api_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(vmem, "_C_API")
    with pytest.raises(AttributeError, match="_C_API"):
        client.import_api()


def test_vmem_that_cannot_be_imported(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vmem", None)
    with pytest.raises(ImportError):
        client.import_api()


# --- regions ---


def calls_on(client: Client, thing: object) -> list[Callable[[], object]]:
    """A call of every function that takes a region."""
    return [
        lambda: client.get_addresses(thing),
        lambda: client.is_committed(thing, 0, 0),
        lambda: client.pin(thing, 0, 0, 0),
        lambda: client.pin(thing, 0, 1, 1),
    ]


class Holder(vmem.Region):
    """A region that can be part of a cycle."""

    held: object = None


class Overriding(vmem.Region):
    """A region whose overridden attributes return wrong values."""

    @property
    def address(self) -> int:
        return 0

    @property
    def size(self) -> int:
        return 1

    def is_committed(self, offset: object = 0, num_bytes: object = None) -> bool:
        return False

    def __len__(self) -> int:
        return 1

    def __getattribute__(self, name: str) -> object:
        raise AssertionError("C code must not look up attributes")


@pytest.mark.parametrize("kind", [vmem.Region, Holder, Overriding])
def test_regions(client: Client, kind: type[vmem.Region], page: int) -> None:
    region = kind(3 * page, name="native")
    address = vmem.Region.address.__get__(region)
    assert client.is_region(region)
    assert client.get_addresses(region) == (address, 3 * page)
    vmem.Region.commit(region, page, page)
    taken, pinned = client.pin(region, page, page, 1)
    assert pinned == address + page
    del taken


def test_a_region_of_the_extension(client: Client, page: int) -> None:
    region = _vmem.Region(page, None, False, None)
    assert client.is_region(region)
    assert client.get_addresses(region) == (region.address, page)


WRONG: dict[str, Callable[[], object]] = {
    "an ellipsis": lambda: ...,
    "an int": lambda: 5,
    "a class": lambda: vmem.Region,
    "an instance of the metaclass": lambda: type,
    "bytes": lambda: bytes(10),
    "an array": lambda: vmem.Array("b", [1]),
    "an arena": lambda: vmem.Arena(100),
    "a view of an arena": lambda: vmem.Arena(100).alloc(10),
    "an object with an index": lambda: Index(5),
    "a module": lambda: vmem,
    "a capsule": lambda: vmem._C_API,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_objects_that_are_not_regions(client: Client, wrong: str) -> None:
    thing = WRONG[wrong]()
    assert not client.is_region(thing)
    message = f"expected a vmem.Region, not {type(thing).__name__}"
    for call in calls_on(client, thing):
        with pytest.raises(TypeError, match=message):
            call()


def test_views_and_pins_are_not_regions(client: Client, filled: vmem.Region, page: int) -> None:
    for thing in (filled[page : 2 * page], client.pin(filled, page, page, 1)[0]):
        assert not client.is_region(thing)
        with pytest.raises(TypeError, match=r"expected a vmem\.Region, not "):
            client.pin(thing, 0, 0, 0)


def test_null(client_folder: Path) -> None:
    run_python(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import c_api_client as client
        def fails(error, message, call, *arguments):
            try:
                call(*arguments)
            except error as raised:
                assert message in str(raised), raised
            else:
                raise SystemExit("no error")
        assert not client.is_region(None)  # which stands for NULL here
        message = "NULL where a vmem.Region is expected"
        fails(SystemError, message, client.get_addresses, None)
        fails(SystemError, message, client.is_committed, None, 0, 0)
        fails(SystemError, message, client.pin, None, 0, 0, 0)
        fails(KeyError, "raised before", client.call_with_null_and_an_exception)
        """,
        str(client_folder),
    )


def test_a_released_region(client: Client, page: int) -> None:
    region = vmem.reserve(page)
    region.commit()
    region.release()
    assert client.is_region(region)
    for call in calls_on(client, region):
        with pytest.raises(ValueError, match=f"this region of {page} bytes has been released"):
            call()


# --- what is committed ---


def test_is_committed_agrees_with_the_region(client: Client, filled: vmem.Region, page: int) -> None:
    borders = [number * page + shift for number in range(11) for shift in (-1, 0, 1) if number or shift >= 0]
    answers = set()
    for offset in borders:
        for num_bytes in (0, 1, page - 1, page, page + 1, 3 * page, filled.size - offset):
            answer = client.is_committed(filled, offset, num_bytes)
            assert answer == filled.is_committed(offset, num_bytes)
            answers.add(answer)
    assert answers == {0, 1}


OUTSIDE = [(1, 64), (64, 1), (65, 0), (0, 65), (2**63 // 2**12, 0), (0, 2**64 // 2**12 - 1), (1, 2**64 // 2**12 - 1)]


@pytest.mark.parametrize("pages", OUTSIDE, ids=str)
def test_ranges_outside(client: Client, filled: vmem.Region, page: int, pages: tuple[int, int]) -> None:
    offset, num_bytes = (min(each * page, 2 * sys.maxsize + 1) for each in pages)
    message = f"is past the end of a region of {64 * page} bytes"
    with pytest.raises(ValueError, match=message):
        client.is_committed(filled, offset, num_bytes)
    for writable in (0, 1):
        with pytest.raises(ValueError, match=message):
            client.pin(filled, offset, num_bytes, writable)


# --- pins ---


def changes(region: vmem.Region, page: int) -> dict[str, Callable[[], object]]:
    """The calls that a writable pin of page 1 prevents."""
    return {
        "decommit": lambda: region.decommit(page, 1),
        "discard": lambda: region.discard(2 * page - 1, 1),
        "release": region.release,
        "protect": lambda: region.protect(Protection.NO_ACCESS, page, page),
        "protect, read": lambda: region.protect(Protection.READ, page, page),
    }


@pytest.mark.parametrize("change", changes(vmem.reserve(1), 1))
def test_a_writable_pin(client: Client, filled: vmem.Region, page: int, change: str) -> None:
    taken, address = client.pin(filled, page + 10, 100, 1)
    assert address == filled.address + page + 10
    before = filled.ranges(), bytes(filled[page : 7 * page])
    with pytest.raises(BufferError, match=rf"1 (writable )?view of bytes {page + 10} to {page + 110} is alive, 1 of"):
        changes(filled, page)[change]()
    assert (filled.ranges(), bytes(filled[page : 7 * page])) == before
    ctypes.memset(address, ord("y"), 100)
    assert bytes(filled[page + 9 : page + 111]) == b"x" + b"y" * 100 + b"x"
    filled.commit(20 * page, page)
    filled.decommit(2 * page, page)
    del taken
    if change != "release":
        changes(filled, page)[change]()


def test_a_pin_for_reading(client: Client, filled: vmem.Region, page: int) -> None:
    taken, address = client.pin(filled, page, page, 0)
    for change in ("decommit", "discard", "release", "protect"):
        with pytest.raises(BufferError, match=f"1 view of bytes {page} to {2 * page} is alive, 1 of them in native"):
            changes(filled, page)[change]()
    filled.protect(Protection.READ, page, page)
    assert ctypes.string_at(address, page) == b"x" * page
    with memoryview(taken) as view:
        assert view.readonly
    del taken
    filled.decommit(page, page)


def test_a_pin_of_read_only_pages(client: Client, filled: vmem.Region, page: int) -> None:
    taken, address = client.pin(filled, 8 * page, page, 0)
    assert ctypes.string_at(address, page) == b"x" * page
    with pytest.raises(BufferError, match="1 of them in native code"):
        filled.protect(Protection.NO_ACCESS, 8 * page, page)
    del taken


REFUSED = {
    "not committed": (0, 1, 0, r"bytes 0 to \d+ of this region are not committed"),
    "partly not committed": (0, 2, 1, r"bytes 0 to \d+ of this region are not committed"),
    "not committed at its end": (8, 2, 0, "are not committed"),
    "no access": (6, 2, 0, "cannot be read"),
    "no access, to write": (7, 1, 1, "cannot be read"),
    "read-only, to write": (8, 1, 1, r"cannot be written; protect\(Protection.READ_WRITE, "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_ranges_that_cannot_be_pinned(client: Client, filled: vmem.Region, page: int, case: str) -> None:
    offset, num_pages, writable, message = REFUSED[case]
    before = filled.ranges()
    with pytest.raises(ValueError, match=message):
        client.pin(filled, offset * page, num_pages * page, writable)
    assert filled.ranges() == before
    assert filled._count_views() == 0
    filled.decommit()


@pytest.mark.parametrize("offset", [0, 1, 7, 8, 64])
@pytest.mark.parametrize("writable", [0, 1])
def test_a_pin_of_no_bytes(client: Client, filled: vmem.Region, page: int, offset: int, writable: int) -> None:
    taken, address = client.pin(filled, offset * page, 0, writable)
    assert address == filled.address + offset * page
    assert filled._count_views() == 0
    filled.decommit()
    assert len(memoryview(taken)) == 0
    filled.release()


@pytest.mark.parametrize("writable", [1, -1, 2, 2**31 - 1, -(2**31)])
def test_any_nonzero_number_means_writable(client: Client, filled: vmem.Region, page: int, writable: int) -> None:
    taken, _ = client.pin(filled, page, page, writable)
    with pytest.raises(BufferError, match="1 writable view"):
        filled.protect(Protection.READ, page, page)
    del taken


def test_null_for_the_address_of_a_pin(client: Client, region: vmem.Region) -> None:
    region.commit(0, 1)
    taken = client.pin_without_address(region)
    with pytest.raises(BufferError):
        region.decommit()
    del taken
    region.decommit()


def test_pins_and_views_are_counted_together(client: Client, filled: vmem.Region, page: int) -> None:
    pins = [client.pin(filled, page + number, 10, 1)[0] for number in range(3)]
    view = filled[2 * page : 2 * page + 1]
    assert filled._count_views() == 4
    assert "4 views" in repr(filled)
    with pytest.raises(BufferError, match=rf"4 views between bytes {page} and {2 * page + 1} are alive, 3 of them in"):
        filled.release()
    with pytest.raises(BufferError, match=rf"1 view of bytes {2 * page} to {2 * page + 1} is alive; release or delete"):
        filled.decommit(2 * page, page)
    pins.pop(1)
    with pytest.raises(BufferError, match=r"3 views .* 2 of them in native code; release"):
        filled.release()
    pins.clear()
    view.release()
    filled.decommit()


def test_a_pin_as_a_python_object(client: Client, filled: vmem.Region, page: int) -> None:
    taken, _ = client.pin(filled, page, 3, 1)
    with pytest.raises(TypeError, match="cannot create"):
        type(taken)()
    with pytest.raises((TypeError, AttributeError)):
        taken.anything = 1
    view = memoryview(taken)
    del taken
    view[:] = b"abc"
    assert bytes(filled[page : page + 3]) == b"abc"
    with pytest.raises(BufferError):
        filled.decommit()
    view.release()
    filled.decommit()


# --- lifetimes ---


@linux_only
def test_the_last_pin_keeps_the_memory_of_a_dropped_region(client: Client, page: int) -> None:
    region = vmem.reserve(64 * page, alignment=1 << 30)
    region.commit(0, page)
    base, gone = region.address, weakref.ref(region)
    taken, address = client.pin(region, 0, page, 1)
    del region
    ctypes.memset(address, 7, page)
    assert mappings_in(base, page)
    assert gone() is not None
    del taken
    assert gone() is None
    assert mappings_in(base, page) == []


@linux_only
def test_the_last_pin_keeps_the_memory_after_an_exception_in_with(client: Client, page: int) -> None:
    with pytest.raises(KeyError), vmem.reserve(64 * page, alignment=1 << 30) as region:
        region.commit()
        base = region.address
        taken, address = client.pin(region, 0, page, 1)
        raise KeyError
    assert region.released
    with pytest.raises(ValueError, match="released"):
        client.pin(region, 0, page, 1)
    ctypes.memset(address, 7, page)
    assert memoryview(taken)[page - 1] == 7
    del taken
    assert mappings_in(base, page) == []


def test_a_cycle_through_a_pin_is_collected(client: Client, page: int) -> None:
    region = Holder(page)
    region.commit()
    region.held = client.pin(region, 0, page, 1)
    gone = weakref.ref(region)
    del region
    assert gone() is not None
    gc.collect()
    assert gone() is None


def test_pins_at_interpreter_shutdown(client_folder: Path) -> None:
    printed = run_python(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import c_api_client, vmem
        region = vmem.reserve(1 << 30)
        region.commit(0, 1 << 20)
        sys.modules["kept"] = c_api_client.pin(region, 0, 100, 1)
        class Late:
            pinned = c_api_client.pin(region, 5, 1, 1)
            def __del__(self, pin=c_api_client.pin):
                memoryview(self.pinned[0])[0] = 1
                pin(region, 0, 1, 1)
        late = Late()
        late.me = late
        """,
        str(client_folder),
    )
    assert printed == ""


def test_another_import_of_the_module(client_folder: Path) -> None:
    """The table stays the same, and takes the regions of both imports."""
    run_python(
        """
        import gc, importlib, sys
        sys.path.insert(0, sys.argv[1])
        import c_api_client, vmem
        old = vmem.reserve(1 << 30)
        old.commit(0, 100)
        table = c_api_client.import_api()
        importlib.reload(vmem)
        assert c_api_client.import_api() == table
        for name in [name for name in sys.modules if name.partition(".")[0] == "vmem"]:
            del sys.modules[name]
        old_region_type = vmem.Region
        import vmem
        assert vmem.Region is not old_region_type
        assert c_api_client.import_api() == table
        gc.collect()
        new = vmem.reserve(1 << 30)
        new.commit(0, 100)
        for region in (old, new):
            assert c_api_client.is_region(region)
            assert c_api_client.get_addresses(region) == (region.address, 1 << 30)
            c_api_client.fill(region, 0, 100, 7)
            assert bytes(region[0:100]) == bytes([7] * 100)
            taken, address = c_api_client.pin(region, 0, 100, 1)
            try:
                region.release()
            except BufferError as error:
                assert "1 of them in native code" in str(error)
            else:
                raise SystemExit("released under a pin")
            del taken
            region.release()
        """,
        str(client_folder),
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with Python 3.12")
def test_isolated_interpreters(client_folder: Path) -> None:
    run_python(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import c_api_client, vmem
        from tests.support.interpreters import run_isolated
        region = vmem.reserve(1 << 30)
        region.commit(0, 100)
        kept, address = c_api_client.pin(region, 0, 100, 1)
        table = c_api_client.import_api()
        code = f'''if True:
            import sys
            sys.path.insert(0, {sys.argv[1]!r})
            import c_api_client, vmem
            assert c_api_client.import_api() == {table}
            region = vmem.reserve(1 << 30)
            region.commit(0, 100)
            c_api_client.fill(region, 0, 100, 9)
            assert region[99] == 9
            kept, address = c_api_client.pin(region, 0, 100, 1)
            try:
                c_api_client.pin(region, 0, 1 << 20, 1)
            except ValueError:
                pass
            else:
                raise SystemExit("pinned what is not committed")
        '''
        for _ in range(5):
            run_isolated(code)
        c_api_client.fill(region, 0, 100, 7)
        assert bytes(region[0:100]) == bytes([7] * 100)
        """,
        str(client_folder),
    )


# --- concurrency ---


@posix_only
def test_pages_of_a_long_call_cannot_be_pinned(client: Client) -> None:
    region = vmem.reserve(1 << 30)
    size = 32 << 20
    region.commit(0, size)
    refusals: list[str] = []

    def attempt() -> None:
        assert client.is_committed(region, 0, size)
        with pytest.raises(BufferError) as refused:
            client.pin(region, 0, 1, 0)
        refusals.append(str(refused.value))

    visit(region, attempt, lambda: region.discard(0, size), lambda: None)
    assert len(refusals) == 1
    assert "discard" in refusals[0]
    assert region._count_views() == 0
    region.release()


def test_threads_that_fill_and_decommit(client_folder: Path) -> None:
    """Half of them fill pages with the GIL released, the others decommit them. Each call succeeds or raises."""
    run_python(
        """
        import sys, threading
        sys.path.insert(0, sys.argv[1])
        import c_api_client, vmem
        page = vmem.get_page_size()
        region = vmem.reserve(8 * page)
        region.commit()
        errors = []
        def work(number):
            for turn in range(500):
                try:
                    if number % 2:
                        region.decommit(turn % 8 * page, page)
                        region.commit(turn % 8 * page, page)
                    else:
                        c_api_client.fill(region, 0, 8 * page, number)
                except (BufferError, ValueError):
                    pass
                except BaseException as error:
                    errors.append(error)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not errors, errors
        assert region._count_views() == 0
        region.commit()
        c_api_client.fill(region, 0, 8 * page, 5)
        assert bytes(region[:]) == bytes([5]) * (8 * page)
        region.release()
        """,
        str(client_folder),
    )


# --- leaks ---


@linux_only
@pytest.mark.exact_memory
def test_calls_do_not_leak(client: Client, filled: vmem.Region, page: int) -> None:
    def cycle() -> None:
        taken, _ = client.pin(filled, page, page, 1)
        refused(filled.decommit, BufferError)()
        memoryview(taken).release()
        client.fill(filled, page, page, 1)
        client.get_addresses(filled)
        client.is_committed(filled, 0, page)
        client.is_region(5)
        refused(lambda: client.pin(5, 0, 0, 0), TypeError)()
        for offset in (0, 8 * page, sys.maxsize):
            refused(partial(client.pin, filled, offset, page, 1), ValueError)()

    assert find_growth(cycle, 2000) == {}


@linux_only
@pytest.mark.exact_memory
def test_importing_does_not_leak(client: Client) -> None:
    growth = find_growth(client.import_api, 20_000)
    assert growth.pop("blocks of memory", 0) < 2000  # free-threaded builds delay freeing some memory of imports
    assert growth == {}


def test_a_pin_whose_allocation_fails(client_folder: Path) -> None:
    if not importlib.util.find_spec("_testcapi"):
        pytest.skip("this Python lacks _testcapi, which lets allocations fail")
    run_python(
        """
        import gc, sys
        sys.path.insert(0, sys.argv[1])
        import _testcapi, c_api_client, vmem
        gc.disable()
        region = vmem.reserve(1 << 30)
        region.commit(0, 100)
        refused = 0
        def attempt(first, last):
            restore = _testcapi.remove_mem_hooks
            try:
                _testcapi.set_nomemory(first, last)
                kept = c_api_client.pin(region, 0, 100, 1)
                restore()
            except MemoryError:
                restore()
                return 1
            return 0
        for first in range(12):
            refused += attempt(first, first + 1) + attempt(first, 0)
            assert region._count_views() == 0
            region.decommit()
            region.commit(0, 100)
        assert 0 < refused < 24
        region.release()
        """,
        str(client_folder),
    )
