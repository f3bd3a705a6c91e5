"""`import vmem`: the modules that it loads, and those that are loaded on first use."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import vmem

PACKAGE = Path(vmem.__file__).parent

PREPARE = """
import os, sys
sys.path.append(sys.argv[1])
before = set(sys.modules)

def find_loaded():
    return set(sys.modules) - before
"""

MODULES = {"vmem", "vmem._about", "vmem._arguments", "vmem._first_use", "vmem._memory", "vmem._region", "vmem._vmem"}


def run_bare(code: str, *arguments: str) -> None:
    """Runs code in an interpreter that has loaded neither the site module nor what this environment adds to it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PREPARE + textwrap.dedent(code), str(PACKAGE.parent), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- what is loaded ---


def test_import_loads_only_the_package_and_built_in_modules() -> None:
    run_bare(
        f"""
        import vmem
        loaded = find_loaded() - set(sys.builtin_module_names)
        assert loaded == {MODULES}, loaded
        """
    )


def test_regions_arrays_and_arenas_load_nothing_more() -> None:
    run_bare(
        """
        import vmem
        after_import = find_loaded()
        page = vmem.get_page_size()
        with vmem.reserve(8 * page, name="bare") as region:
            region.commit(0, 4 * page, prefault=True)
            region.commit()
            region[0:5] = b"hello"
            region.protect(1, 0, page)
            region.protect(2)
            for wrong in (6, -1, "READ"):
                try:
                    region.protect(wrong)
                except (TypeError, ValueError):
                    continue
                raise AssertionError(wrong)
            region.discard(page)
            region.unlock()
            region.decommit(page)
            assert region.is_committed(0, page) and region.resident(num_bytes=page) == page
            with region.view(0, 5) as view:
                assert repr(region).endswith("1 view>")
        array = vmem.Array("d", [1.5])
        array.extend(array)
        arena = vmem.Arena(page)
        arena.alloc(5)
        assert find_loaded() == after_import, find_loaded() - after_import
        """
    )


@pytest.mark.parametrize(
    "use",
    [
        "vmem.Protection.READ",
        "vmem.Range",
        "vmem.MemoryPart",
        "from vmem import MemoryInfo",
        "vmem.reserve(1).ranges()",
        "vmem.memory_info()",
    ],
)
def test_the_first_use_of_a_record_loads_the_records(use: str) -> None:
    run_bare(
        f"""
        import vmem
        {use}
        loaded = {{name for name in find_loaded() if name.startswith("vmem")}}
        assert loaded == {MODULES | {"vmem._types"}}, loaded
        assert "enum" in find_loaded()
        assert not {{"typing", "re", "dataclasses"}} & find_loaded()
        """
    )


@pytest.mark.parametrize("use", ["vmem.MemoryMap", "vmem.reserve(1).map()"])
def test_maps_load_what_draws_them_only_when_they_are_drawn(use: str) -> None:
    run_bare(
        f"""
        import vmem
        {use}
        loaded = {{name for name in find_loaded() if name.startswith("vmem")}}
        assert loaded == {MODULES | {"vmem._map", "vmem._types"}}, loaded
        assert not {{"html", "shutil", "textwrap", "typing"}} & find_loaded()
        memory = vmem.reserve(1).map()
        str(memory)
        assert "vmem._drawing.text" in find_loaded() and "vmem._drawing.svg" not in find_loaded()
        """
    )


# --- first use ---


@pytest.mark.parametrize("name", ["Protection", "Range", "MemoryInfo", "MemoryMap", "MemoryPart"])
def test_a_class_that_is_made_on_first_use_is_the_same_everywhere(name: str) -> None:
    run_bare(
        f"""
        import vmem
        from vmem import {name}
        assert "{name}" in dir(vmem) and vmem.{name} is {name} is getattr(vmem, "{name}") is vars(vmem)["{name}"]
        assert ({name}.__module__, {name}.__qualname__) == ("vmem", "{name}")
        everything = {{}}
        exec("from vmem import *", everything)
        assert everything["{name}"] is {name}
        region = vmem.reserve(1)
        made = {{
            "Protection": lambda: region.ranges()[0].protection,
            "Range": lambda: region.ranges()[0],
            "MemoryInfo": vmem.memory_info,
            "MemoryMap": region.map,
            "MemoryPart": lambda: region.map().parts[0],
        }}
        assert type(made["{name}"]()) is {name}
        """
    )


def test_threads_get_the_same_classes() -> None:
    run_bare(
        """
        import threading
        import vmem

        region = vmem.reserve(1)
        uses = [
            lambda: vmem.Protection,
            lambda: type(region.ranges()[0].protection),
            lambda: type(region.map().parts[0].protection),
            lambda: __import__("vmem", fromlist=["Protection"]).Protection,
        ] * 4
        start = threading.Barrier(len(uses))
        found = []

        def look(use):
            start.wait()
            found.append(use())

        threads = [threading.Thread(target=look, args=(use,)) for use in uses]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert found == [vmem.Protection] * len(uses), found
        """
    )


@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_pickles_are_loaded_before_the_first_use(protocol: int) -> None:
    region = vmem.reserve(1)
    for thing in (vmem.Protection, vmem.Protection.READ, region.ranges()[0], vmem.MemoryInfo(2, 1), region.map()):
        run_bare(
            """
            import pickle
            import vmem
            loaded = pickle.loads(bytes.fromhex(sys.argv[2]))
            assert repr(loaded) == sys.argv[3], loaded
            kind = loaded if isinstance(loaded, type) else type(loaded)
            assert kind is getattr(vmem, kind.__name__)
            """,
            pickle.dumps(thing, protocol).hex(),
            repr(thing),
        )


def test_help_describes_what_is_made_on_first_use() -> None:
    run_bare(
        """
        import pydoc
        import vmem
        text = pydoc.plain(pydoc.render_doc(vmem))
        assert "class Protection(enum.IntEnum)" in text and "class Range(" in text, text
        """
    )


def test_other_names_are_attribute_errors() -> None:
    for name in ("nothing", "_types_", "enum", "TYPE_CHECKING"):
        with pytest.raises(AttributeError, match=f"^module 'vmem' has no attribute '{name}'$"):
            getattr(vmem, name)


# --- first use in the middle of another ---


@pytest.mark.parametrize("event", ["enum", "vmem._types", "collections"])
@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("vmem.Protection", "vmem.Protection"),
        ("vmem.memory_info()", "vmem.Protection"),
        ("vmem.Range", "vmem.memory_info()"),
        ("region.ranges()", "region.ranges()"),
        ("region.ranges()", "vmem.Range"),
    ],
)
def test_a_first_use_in_the_middle_of_another(event: str, outer: str, inner: str) -> None:
    """As by a signal handler. An audit hook comes at a moment that can be chosen: before a module is imported.

    In the middle of enum and collections themselves nothing can use them, so that is an ImportError of Python's.
    """
    run_bare(
        f"""
        import vmem
        region, found = vmem.reserve(1), []

        def hook(name, arguments):
            if name == "import" and arguments[0] == {event!r} and not found:
                found.append(None)
                found[0] = {inner}

        sys.addaudithook(hook)
        {outer}
        public = {{name: getattr(vmem, name) for name in ("Protection", "Range", "MemoryInfo", "MemoryPart")}}
        from vmem import _types
        for name, each in public.items():
            assert getattr(_types, name) is each is getattr(vmem, name), name
        for each in found:
            assert not isinstance(each, type) or each in public.values(), each
        (only,) = region.ranges()
        assert type(only) is vmem.Range and only.protection is vmem.Protection.NO_ACCESS
        assert type(vmem.memory_info()) is vmem.MemoryInfo
        """
    )


@pytest.mark.parametrize("event", ["enum", "collections", "bisect", "vmem._types", "vmem._map"])
@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("region.map()", "region.map()"),
        ("vmem.MemoryMap", "region.map()"),
        ("region.map()", "vmem.MemoryMap"),
        ("region.map()", "vmem.memory_info()"),
        ("region.ranges()", "region.map()"),
    ],
)
def test_a_first_map_in_the_middle_of_another(event: str, outer: str, inner: str) -> None:
    run_bare(
        f"""
        import vmem
        region, found = vmem.reserve(1), []

        def hook(name, arguments):
            if name == "import" and arguments[0] == {event!r} and not found:
                found.append(None)
                found[0] = {inner}

        sys.addaudithook(hook)
        {outer}
        for each in (*found, region.map(), vmem.MemoryMap):
            if "Map" in repr(each):
                assert vmem.MemoryMap in (each, type(each)), each
        from vmem import _map
        assert _map.MemoryMap is vmem.MemoryMap
        """
    )
