"""Lifetimes of objects: references, cycles, finalizers, and interpreter shutdown."""

from __future__ import annotations

import copy
import gc
import importlib
import pickle
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import vmem
from tests.support.interpreter import FREE_THREADED
from tests.support.marks import linux_only
from tests.support.processes import run_python
from tests.support.system import SLACK, mappings_in, status_bytes
from vmem import _vmem

pytestmark = pytest.mark.in_child


def test_weak_references(page: int) -> None:
    gone: list[object] = []
    region = vmem.reserve(page)
    reference = weakref.ref(region, gone.append)
    assert reference() is region
    region.commit()
    view = region[0:1]
    del region
    assert reference() is not None
    assert not gone
    del view
    assert reference() is None
    assert gone == [reference]


def test_equality_is_identity(region: vmem.Region, page: int) -> None:
    other = vmem.reserve(64 * page)
    assert region != other
    assert len({region, other, region}) == 2


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_region_cannot_be_pickled(region: vmem.Region, protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot pickle 'Region' object"):
        pickle.dumps(region, protocol)


def test_a_region_cannot_be_copied(region: vmem.Region) -> None:
    for function in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot pickle"):
            function(region)


class Holder(vmem.Region):
    """A region that can be part of a cycle."""

    held: object = None


@linux_only
def test_a_cycle_of_region_and_view_is_collected(page: int) -> None:
    gc.collect()
    region = Holder(page, alignment=1 << 30)
    region.commit()
    region.held = region[0:10]
    address, reference = region.address, weakref.ref(region)
    del region
    assert reference() is not None
    gc.collect()
    assert reference() is None
    assert mappings_in(address, page) == []


def test_a_cycle_through_a_name_is_collected(page: int) -> None:
    class Name(str):
        held: object = None

    name = Name("cycle")
    region = vmem.reserve(page, name=name)
    name.held = region
    reference = weakref.ref(region)
    del region, name
    gc.collect()
    assert reference() is None


def test_a_finalizer_in_a_cycle_can_still_use_the_memory(page: int) -> None:
    seen: list[object] = []

    class Recording(Holder):
        def __del__(self) -> None:
            assert isinstance(self.held, memoryview)
            self.held[0] = 7
            seen.append((self[0], self.committed))

    region = Recording(page)
    region.commit()
    region.held = region[0:10]
    del region
    gc.collect()
    assert seen == [(7, page)]


def test_a_finalizer_can_resurrect_a_region(page: int) -> None:
    saved: list[Holder] = []

    class Resurrecting(Holder):
        def __del__(self) -> None:
            saved.append(self)

    region = Resurrecting(page)
    region.commit()
    region[0] = 3
    region.held = region[0:10]
    del region
    gc.collect()
    assert saved[0][0] == 3


@pytest.mark.many_addresses
@linux_only
def test_the_size_of_a_region_object_is_small(page: int) -> None:
    small, large = vmem.reserve(page), vmem.reserve(1 << 40)
    assert small.__sizeof__() == large.__sizeof__() < 1024


@linux_only
@pytest.mark.exact_memory
def test_repeated_use_does_not_leak(page: int) -> None:
    def use() -> None:
        with vmem.reserve(64 * page) as region:
            region.commit(page, 3 * page)
            region[page] = 1
            with region.view(page, page) as view:
                view[:] = bytes(page)
            for call in (region.decommit, region.release):
                view = region[page : page + 1]
                with pytest.raises(BufferError):
                    call()
                view.release()
            with pytest.raises(ValueError, match="committed"):
                region.view()
            region.decommit()

    for _ in range(200):
        use()
    gc.collect()
    resident, size = status_bytes("VmRSS"), status_bytes("VmSize")
    for _ in range(20_000):
        use()
    gc.collect()
    assert status_bytes("VmRSS") - resident < SLACK // 4
    assert status_bytes("VmSize") - size < SLACK


class CyclicArray(vmem.Array[int]):
    """An array that can be part of a cycle, so that its views are of another type."""


class CyclicArena(vmem.Arena):
    """An arena that can be part of a cycle."""


def make_all_kinds() -> dict[str, Any]:
    """One object of each kind that refers to types or to an object from its user."""
    region = vmem.reserve(1 << 20, name="".join(["kin", "ds"]))  # a new string, which only the region refers to
    region.commit()
    array, cyclic_array = vmem.Array("i", [1, 2]), CyclicArray("i", [1, 2])
    arena, cyclic_arena = vmem.Arena(1 << 20), CyclicArena(1 << 20)
    ring = vmem.Ring("i", 10)
    ring.extend(range(5))
    return {
        "ring": ring,
        "iterator of a ring": iter(ring),
        "view of a ring": ring.latest(1).obj,
        "region": region,
        "name": region.name,
        "view": region[0:1].obj,
        "array": array,
        "iterator": iter(array),
        "view of an array": memoryview(array).obj,
        "cyclic array": cyclic_array,
        "view of a cyclic array": memoryview(cyclic_array).obj,
        "arena": arena,
        "scope": arena.scope(),
        "allocation": arena.alloc(1).obj,
        "cyclic arena": cyclic_arena,
        "allocation of a cyclic arena": cyclic_arena.alloc(1).obj,
        "error": vmem.OutOfMemoryError(),
        "map": region.map(),
    }


def expect_error(call: Callable[[], object]) -> None:
    with pytest.raises((ValueError, BufferError, MemoryError, StopIteration, RuntimeError)):
        call()


def enter_twice(scope: Any) -> None:
    with scope:
        expect_error(scope.__enter__)


USES: dict[str, Callable[[dict[str, Any]], object]] = {
    "make all kinds": lambda kinds: make_all_kinds(),
    "region": lambda kinds: type(kinds["region"])(4096, name=kinds["name"]),
    "region, refused": lambda kinds: expect_error(lambda: vmem.reserve(sys.maxsize // 2, name=kinds["name"])),
    "region, released": lambda kinds: vmem.reserve(4096, name=kinds["name"]).release(),
    "view": lambda kinds: kinds["region"][0:1],
    "view, empty": lambda kinds: kinds["region"][5:5],
    "view, refused": lambda kinds: expect_error(lambda: kinds["region"].view(1 << 20, 1)),
    "view, kept by its slice": lambda kinds: kinds["region"].view(0, 10, readonly=True)[2:4][1:],
    "buffer, refused": lambda kinds: expect_error(lambda: kinds["region"].release()),
    "array": lambda kinds: kinds["array"][:],
    "array, refused": lambda kinds: expect_error(lambda: vmem.Array("i", [1, 2], capacity=1)),
    "view of an array": lambda kinds: memoryview(kinds["array"]),
    "view of a cyclic array": lambda kinds: memoryview(kinds["cyclic array"]),
    "array, shrinking": lambda kinds: list(map(expect_error, (kinds["array"].pop, kinds["cyclic array"].pop))),
    "iterator": lambda kinds: list(kinds["array"]),
    "allocation": lambda kinds: kinds["arena"].alloc(1),
    "allocation of a cyclic arena": lambda kinds: kinds["cyclic arena"].alloc(1),
    "allocation, refused": lambda kinds: expect_error(lambda: kinds["arena"].alloc(1 << 21)),
    "arena, refused": lambda kinds: expect_error(lambda: vmem.Arena(sys.maxsize // 2)),
    "arena, rewinding": lambda kinds: list(map(expect_error, (kinds["arena"].reset, kinds["cyclic arena"].reset))),
    "ring": lambda kinds: vmem.Ring("B", 1),
    "ring, refused": lambda kinds: expect_error(lambda: vmem.Ring("B", sys.maxsize // 8)),
    "ring, views": lambda kinds: (kinds["ring"].latest(2), memoryview(kinds["ring"]), kinds["ring"].prepare(2)),
    "ring, refused views": lambda kinds: expect_error(lambda: kinds["ring"].prepare(99)),
    "ring, iterating": lambda kinds: list(kinds["ring"]),
    "scope": lambda kinds: enter_twice(kinds["cyclic arena"].scope()),
    "map": lambda kinds: [kinds[each].map() for each in ("region", "array", "cyclic arena", "ring")],
}


@pytest.mark.skipif(FREE_THREADED, reason="each thread counts its references to types there")
@pytest.mark.parametrize("use", USES)
def test_references_to_types_are_released(use: str) -> None:
    """A leaked reference keeps a type alive, but takes no memory that other tests could measure."""
    kinds = make_all_kinds()
    counted: dict[str, object] = {name: type(kind) if name != "name" else kind for name, kind in kinds.items()}
    counted["audit"] = sys.audit
    USES[use](kinds)
    gc.disable()  # a collection could delete objects of other tests
    try:
        before = {name: sys.getrefcount(each) for name, each in counted.items()}
        for _ in range(20):
            USES[use](kinds)
        assert {name: sys.getrefcount(each) for name, each in counted.items()} == before
    finally:
        gc.enable()


class Maker:
    """Makes maps."""

    def __call__(self, *facts: object) -> Any:
        return facts[0]


def fail_to_make(*facts: object) -> object:
    raise KeyError


def refuse_map(kind: Any) -> None:
    with pytest.raises((KeyError, ValueError)):
        kind.map()


@pytest.mark.skipif(FREE_THREADED, reason="each thread counts its references to functions there")
@pytest.mark.parametrize("maker", [vmem._make_map, fail_to_make])
def test_maps_release_references_to_their_maker(maker: Callable[..., Any]) -> None:
    kinds = make_all_kinds()
    released = vmem.reserve(1)
    released.release()
    _vmem.set_map_maker(maker)
    before = sys.getrefcount(maker)
    for _ in range(20):
        for each in ("region", "array", "arena"):
            refuse_map(kinds[each]) if maker is fail_to_make else kinds[each].map()
        refuse_map(released)
    assert sys.getrefcount(maker) == before


def test_a_replaced_map_maker_is_released(region: vmem.Region) -> None:
    first, second = Maker(), Maker()
    references = [weakref.ref(first), weakref.ref(second)]
    _vmem.set_map_maker(first)
    del first
    gc.collect()
    assert references[0]() is not None
    _vmem.set_map_maker(second)
    del second
    gc.collect()
    assert references[0]() is None
    made: Any = region.map()
    assert made == "region"
    _vmem.set_map_maker(vmem._make_map)
    gc.collect()
    assert references[1]() is None


class UntrackedMaker:
    """Its instances are not tracked: a collection clears tracked ones even if a reference to them leaks."""

    __slots__ = ()

    def __call__(self, *facts: object) -> Any:
        return facts[0]


@pytest.mark.skipif(FREE_THREADED, reason="each thread counts its references to types there")
def test_a_module_releases_what_it_holds() -> None:
    """The extension can be imported several times, and each import has a maker."""
    counted = (UntrackedMaker, sys.audit)
    before = [*map(sys.getrefcount, counted)]
    original = sys.modules.pop("vmem._vmem")
    copied = importlib.import_module("vmem._vmem")
    sys.modules["vmem._vmem"] = vmem._vmem = original
    assert copied is not original
    copied.set_map_maker(UntrackedMaker())
    gc.collect()
    assert [*map(sys.getrefcount, counted)] == [count + 1 for count in before]
    del copied
    gc.collect()
    assert [*map(sys.getrefcount, counted)] == before


def test_views_at_interpreter_shutdown() -> None:
    run_python(
        """
        import sys, vmem
        region = vmem.reserve(1 << 30)
        region.commit(0, 1 << 20)
        view = region[0:100]
        sys.kept = region[5:6]
        sys.modules["kept"] = view
        class Late:
            view = region[7:9]
            def __del__(self):
                self.view[0] = 1
        late = Late()
        """
    )


ENDINGS = {
    "a module global": "sys.modules['kept'] = types.SimpleNamespace(region=region, view=view)",
    "a cycle": "cycle = [region, view]; cycle.append(cycle); del region, view",
    "a cycle through a subclass": "one = Holder(4096); one.commit(); one.held = [one, one[:]]; del one",
    "atexit": "atexit.register(lambda: (region.commit(1 << 20, 5), view.release(), region.release()))",
    "atexit, with a view": "atexit.register(lambda: fails(BufferError, region.release))",
    "atexit, with a long call": "atexit.register(lambda: (region.commit(64 << 20, 64 << 20, prefault=True)))",
    "a finalizer": "last = Last()",
    "a finalizer in a cycle": "last = Last(); last.me = last; del last",
    "a finalizer of the module": "sys.modules['vmem'].last = Last()",
    "a finalizer of the extension": "sys.modules['vmem._vmem'].last = Last()",
    "a weak reference": "weak = weakref.ref(region, lambda gone: view.release())",
    "an unfinished generator": "generator = use(); next(generator)",
    "a running thread": "threading.Thread(target=lambda: [region.prefault(0, 64 << 20) for _ in range(20)]).start()",
    "an exception": "sys.excepthook = lambda *error: region.commit(1 << 20, 5); 1 / 0",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_interpreter_shutdown(ending: str) -> None:
    """The process exits cleanly, whichever objects are alive and whichever code still runs."""
    # Without the GIL the collector keeps references to all garbage, views included, until all finalizers have run.
    possible = "BufferError" if FREE_THREADED else "()"
    printed = run_python(
        f"""
        import atexit, sys, threading, types, weakref, vmem
        class Holder(vmem.Region):
            held = None
        class Last:
            def __del__(self, commit=vmem.Region.commit):
                view[0] = 1
                commit(region, 1 << 20, 5)
                try:
                    region.release()
                except BufferError:
                    view.release()
                try:
                    region.release()
                except {possible}:
                    pass
        def fails(error, call):
            try:
                call()
            except error:
                return
            raise SystemExit("no error")
        def use():
            with vmem.reserve(1 << 20) as inner:
                inner.commit()
                with inner[:] as part:
                    yield part
        region = vmem.reserve(1 << 30)
        region.commit(0, 64 << 20)
        view = region[0:100]
        {ENDINGS[ending]}
        """,
        expect=1 if ending == "an exception" else 0,
    )
    assert printed == ""


@pytest.mark.parametrize(
    "call", ["prefault(0, size)", "resident(0, size)", "commit(0, size, prefault=True)", "decommit(0, size)"]
)
def test_interpreter_shutdown_during_a_call_in_a_daemon_thread(call: str) -> None:
    printed = run_python(
        f"""
        import atexit, os, threading, vmem
        size = 128 << 20
        region = vmem.reserve(1 << 30)
        started = threading.Event()
        class Last:
            def __del__(self, region=region):
                try:
                    region.release()
                except BufferError:
                    pass
        last = Last()
        def work():
            while True:
                if "commit" not in "{call}" or "decommit" in "{call}":
                    region.commit(0, size)
                else:
                    region.decommit(0, size)
                started.set()
                region.{call}
        threading.Thread(target=work, daemon=True).start()
        started.wait()
        view = region.view(size, 0)
        """
    )
    assert printed == ""


def test_the_module_can_be_imported_again() -> None:
    run_python(
        """
        import gc, sys, vmem
        old = vmem.reserve(1 << 30)
        old.commit(0, 10)
        view = old[0:10]
        for name in [name for name in sys.modules if name.startswith("vmem")]:
            del sys.modules[name]
        del vmem
        gc.collect()
        import vmem
        new = vmem.reserve(1 << 30)
        new.commit(0, 10)
        view[0], new[0] = 1, 2
        assert (old[0], new[0]) == (1, 2)
        assert type(old) is not type(new)
        try:
            old.release()
        except BufferError:
            view.release()
        old.release()
        """
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__release_buffer__ came with Python 3.12")
@pytest.mark.parametrize("use", ["region[0:5]", "region.view()", "region.commit(0, 1 << 62)", "type(region)(4096)"])
def test_a_region_outlives_its_module(use: str) -> None:
    """When the collector clears the module, it can run code that resurrects a region and keeps using it."""
    run_python(
        f"""
        import gc, sys
        gc.collect(); gc.freeze(); gc.disable()
        import vmem
        saved = []
        class Exporter(tuple):  # a tuple has no tp_clear, so its items stay, whatever is cleared before
            def __buffer__(self, flags):
                return memoryview(bytearray(10))
            def __release_buffer__(self, view):
                saved.append(self[0])
                attempt(self[0])
        def attempt(region):
            try:
                {use}
            except (ValueError, RuntimeError, TypeError, AttributeError) as error:
                print(repr(error))
        garbage = []
        region = vmem.reserve(1 << 20)
        region.commit()
        exporter = Exporter([region])
        garbage.append(memoryview(exporter))
        garbage.append(garbage)
        for name in [name for name in sys.modules if name.startswith("vmem")]:
            del sys.modules[name]
        del vmem, region, garbage, exporter
        gc.collect()
        assert len(saved) == 1
        attempt(saved[0])
        """
    )
