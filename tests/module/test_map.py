"""map(): its numbers against /proc, its text against the terminal, its picture as rendered."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vmem
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python
from tests.support.signals import visit
from tests.support.system import details_in, pages_with_flag
from vmem import Protection
from vmem._drawing import svg
from vmem._drawing.lanes import find_memory, make_lanes
from vmem._drawing.scale import choose_ticks, locate, make_scale
from vmem._drawing.text import wrap
from vmem._drawing.words import describe_part
from vmem._format import format_bytes
from vmem._map import make_map

MIB = 1 << 20
TIB = 1 << 40

# --- the numbers ---


def describe(memory: vmem.MemoryMap, page: int) -> list[tuple[int, int, str]]:
    """The parts: their offsets and sizes in pages, and their properties in words."""
    return [(part.offset // page, part.num_bytes // page, describe_part(part)) for part in memory.parts]


def test_parts_have_all_properties(region: vmem.Region, page: int) -> None:
    region.commit(0, 40 * page)
    region.prefault(10 * page, 10 * page)
    region.protect(Protection.READ, 16 * page, 8 * page)
    region.lock(18 * page, page)
    views = [region[5:10], region[11 * page - 1 : 11 * page + 1], region[16 * page : 16 * page + 1]]
    memory = region.map()
    assert describe(memory, page) == [
        (0, 10, "committed, 1 view"),
        (10, 6, "resident, 1 view"),
        (16, 2, "resident, read-only, 1 view"),
        (18, 1, "resident, read-only, locked"),
        (19, 1, "resident, read-only"),
        (20, 4, "committed, read-only"),
        (24, 16, "committed"),
        (40, 24, "reserved"),
    ]
    assert memory.pinned == ((0, page), (10 * page, 2 * page), (16 * page, page))
    assert (memory.kind, memory.name, memory.address, memory.size) == ("region", None, region.address, region.size)
    assert (memory.committed, memory.resident, memory.locked) == (40 * page, 10 * page, page)
    assert (memory.num_views, memory.used, memory.page_size) == (len(views), None, page)


@linux_only
@pytest.mark.exact_memory
def test_numbers_match_proc_smaps(page: int) -> None:
    region = vmem.reserve(256 * page, alignment=MIB)
    region.commit(16 * page, 100 * page)
    for number in (20, 22, 23, 60, 115):
        region[number * page] = 1
    region.lock(40 * page, 3 * page)
    memory = region.map()
    resident = [part for part in memory.parts if part.resident]
    assert [(part.offset // page, part.num_bytes // page) for part in resident] == [
        (20, 1),
        (22, 2),
        (40, 3),
        (60, 1),
        (115, 1),
    ]
    in_memory = sum(int(each.fields["Rss"].split()[0]) << 10 for each in details_in(region.address, region.size))
    assert memory.resident == in_memory == 8 * page
    locked = [part for part in memory.parts if part.locked]
    numbers = [part.offset // page + number for part in locked for number in range(part.num_bytes // page)]
    assert numbers == pages_with_flag(region, "lo")


def test_parts_match_ranges_and_resident(region: vmem.Region, page: int) -> None:
    region.commit(3 * page, 20 * page)
    region.commit(50 * page, page)
    for protection in Protection:
        region.protect(protection, (4 + 2 * protection) * page, 2 * page)
    region[22 * page] = 1
    parts = region.map().parts
    joined: list[vmem.Range] = []
    for part in parts:
        assert part.resident == region.resident(part.offset, part.num_bytes)
        last = joined[-1] if joined else None
        if last and last[2:] == (part.committed, part.protection):
            joined[-1] = last._replace(num_bytes=last.num_bytes + part.num_bytes)
        else:
            joined.append(vmem.Range(part.offset, part.num_bytes, part.committed, part.protection))
    assert joined == region.ranges()


def test_large_committed_memory_has_few_parts(page: int) -> None:
    region = vmem.reserve(65_536 * page)
    region.commit()
    for number in range(0, 65_536, 64):
        region[number * page] = 1
    memory = region.map()
    assert memory.resident == region.resident()
    assert len(memory.parts) <= 4096  # fewer with huge pages
    for part in memory.parts:
        assert part.resident == region.resident(part.offset, part.num_bytes)


@pytest.mark.parametrize(
    ("num_pages", "ends"),
    [(4095, [1, 2, 3, 6, 7, 128]), (4096, [1, 2, 3, 6, 7, 128]), (4097, [4, 6, 8, 128, 256, 384])],
)
def test_up_to_4096_pages_are_counted_one_by_one(num_pages: int, ends: list[int], page: int) -> None:
    """And more in pairs. They are in pieces that no huge page fits into."""
    region = vmem.reserve(2 * 4224 * page)
    for start in range(0, num_pages, 128):
        region.commit(2 * start * page, min(128, num_pages - start) * page)
    for number in (0, 2, 6):
        region[number * page] = 1
    memory = region.map()
    if memory.resident is None:
        pytest.skip("this system does not report what is resident")
    assert memory.committed == num_pages * page
    assert memory.resident == region.resident() == 3 * page
    assert [part.offset + part.num_bytes for part in memory.parts[: len(ends)]] == [end * page for end in ends]
    for part in memory.parts:
        assert part.resident == region.resident(part.offset, part.num_bytes)


@pytest.mark.many_addresses
def test_many_ranges_and_many_views(page: int) -> None:
    number = 5000
    region = vmem.reserve(TIB)
    for index in range(number):
        region.commit(index * 2 * MIB, page)
    views = [region.view(index % number * 2 * MIB, 1) for index in range(30_000)]
    memory = region.map()
    assert len(memory.parts) == 2 * number
    assert [part.num_views for part in memory.parts] == [6, 0] * number
    assert memory.num_views == len(views) == 30_000
    assert len(memory.pinned) == number
    assert "and 9977 more parts" in str(memory)
    ET.fromstring(memory._repr_svg_())


def test_views_are_counted_in_the_parts_that_hold_their_bytes(region: vmem.Region, page: int) -> None:
    """And in no others, wherever they begin and end."""
    region.commit(0, 40 * page)
    region.protect(Protection.READ, 8 * page, 8 * page)
    one, two, three = 8 * page, 16 * page, 40 * page

    def look(*views: tuple[int, int]) -> tuple[list[int], list[tuple[int, int]]]:
        held = [region[start:end] for start, end in views]
        memory = region.map()
        assert memory.num_views == len(held)
        first_and_count = [(offset // page, num_bytes // page) for offset, num_bytes in memory.pinned]
        return [part.num_views for part in memory.parts], first_and_count

    assert look() == ([0, 0, 0, 0], [])
    assert look((0, one)) == ([1, 0, 0, 0], [(0, 8)])
    assert look((one - 1, one)) == ([1, 0, 0, 0], [(7, 1)])
    assert look((one, one + 1)) == ([0, 1, 0, 0], [(8, 1)])
    assert look((one - 1, one + 1)) == ([1, 1, 0, 0], [(7, 2)])
    assert look((one, two)) == ([0, 1, 0, 0], [(8, 8)])
    assert look((one, two), (two, two + 1), (0, one)) == ([1, 1, 1, 0], [(0, 17)])
    assert look((three - 1, three), (two, three)) == ([0, 0, 2, 0], [(16, 24)])
    assert look((0, three), (page, page + 1), (three - page, three)) == ([2, 1, 2, 0], [(0, 40)])
    assert look((0, 1), (page, page + 1)) == ([2, 0, 0, 0], [(0, 2)])
    assert look((0, page), (2 * page, 2 * page + 1)) == ([2, 0, 0, 0], [(0, 1), (2, 1)])
    assert look((0, page + 1), (2 * page - 1, 2 * page), (3 * page, 4 * page)) == ([3, 0, 0, 0], [(0, 2), (3, 1)])


def test_a_map_is_an_immutable_snapshot(region: vmem.Region, page: int) -> None:
    region.commit(0, page)
    memory = region.map()
    before = copy.deepcopy(memory)
    region.commit()
    assert memory == before != region.map()
    assert pickle.loads(pickle.dumps(memory)) == memory
    assert str(pickle.loads(pickle.dumps(memory))) == str(memory)
    with pytest.raises(AttributeError):
        memory.parts = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        memory.other = 1  # type: ignore[attr-defined]


def test_released_regions_have_no_map(page: int) -> None:
    region = vmem.reserve(page)
    region.release()
    with pytest.raises(ValueError, match="has been released"):
        region.map()
    abandoned = vmem.reserve(page)
    abandoned.commit()
    view = abandoned[0:1]
    with pytest.raises(KeyError), abandoned:
        raise KeyError
    with pytest.raises(ValueError, match="has been released"):
        abandoned.map()
    view.release()


def test_maps_of_arrays(page: int) -> None:
    array = vmem.Array("q", capacity=8 * page)
    empty = array.map()
    assert (empty.kind, empty.size, empty.used, empty.committed, len(empty.parts)) == ("array", 64 * page, 0, 0, 1)
    array.extend(range(page))
    view = memoryview(array)
    full = array.map()
    assert (full.used, full.resident, full.num_views, full.pinned) == (8 * page, 8 * page, 1, ((0, 8 * page),))
    assert full.address == array.buffer_info()[0]
    assert full.committed >= 8 * page
    view.release()
    array.clear()
    assert (array.map().used, array.map().pinned) == (0, ())


def test_maps_of_arenas(page: int) -> None:
    arena = vmem.Arena(64 * page)
    assert (arena.map().kind, arena.map().used, arena.map().committed) == ("arena", 0, 0)
    views = [arena.alloc(10) for _ in range(5)]
    memory = arena.map()
    assert (memory.used, memory.committed, memory.num_views) == (arena.used, arena.committed, len(views))
    assert memory.pinned == ((0, page),)
    del views
    arena.reset()
    assert (arena.map().used, arena.map().num_views, arena.map().committed) == (0, 0, arena.committed)


def test_maps_of_subclasses(page: int) -> None:
    class Tape(vmem.Region):
        pass

    class Numbers(vmem.Array[int]):
        pass

    class Pool(vmem.Arena):
        pass

    for owner, kind in ((Tape(page, name="tape"), "region"), (Numbers("i"), "array"), (Pool(page), "arena")):
        assert owner.map().kind == kind
        assert type(owner.map()) is vmem.MemoryMap
        assert str(owner.map()).startswith(kind)


@posix_only
@pytest.mark.exact_memory
def test_a_map_in_a_forked_child_has_no_locks() -> None:
    run_python(
        """
        import os
        import vmem

        page = vmem.get_page_size()
        region = vmem.reserve(4 * page)
        region.commit()
        region.lock(0, page)
        view = region[0:1]
        assert region.map().locked == page
        child = os.fork()
        if child == 0:
            memory = region.map()
            os._exit(0 if (memory.locked, memory.num_views, memory.resident) == (0, 1, page) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert region.map().locked == page
        """
    )


@posix_only
@pytest.mark.in_child
@pytest.mark.parametrize("verb", ["prefault", "decommit"])
def test_a_map_in_a_signal_handler_during_a_long_call(verb: str) -> None:
    size = 64 * MIB
    region = vmem.reserve(2 * size, alignment=1 << 30)
    maps: list[vmem.MemoryMap] = []
    call: Callable[[], object] = (lambda: region.prefault(0, size)) if verb == "prefault" else region.decommit
    visit(region, lambda: maps.append(region.map()), call, lambda: region.commit(0, size, prefault=verb == "decommit"))
    assert 0 < maps[0].committed <= size
    assert maps[0].parts[-1].offset + maps[0].parts[-1].num_bytes == region.size
    str(maps[0])


@pytest.mark.in_child
def test_maps_while_another_thread_changes_the_region(page: int) -> None:
    region = vmem.reserve(64 * page)
    region.commit(0, page)
    stop = threading.Event()
    failures: list[BaseException] = []

    def change() -> None:
        try:
            while not stop.is_set():
                region.commit(8 * page, 8 * page)
                with region.view(9 * page, 10):
                    pass
                region.decommit(8 * page, 8 * page)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            memory = region.map()
            assert memory.committed in (page, 9 * page)
            assert memory.num_views in (0, 1)
            assert sum(part.num_bytes for part in memory.parts) == region.size
    finally:
        stop.set()
        thread.join()
    assert not failures


def test_maps_while_finalizers_change_the_region() -> None:
    run_python(
        """
        import gc
        import vmem

        page = vmem.get_page_size()
        region = vmem.reserve(4096 * page)
        spans = 1000

        class Changes:
            count = 0

            def __init__(self):
                self.cycle = self

            def __del__(self):
                Changes.count += 1
                region.decommit()
                views.clear()

        for turn in range(5):
            for index in range(spans):
                region.commit(2 * index * page, page)
            views = [region.view(2 * index * page, 1) for index in range(0, spans, 100)]
            gc.collect()
            gc.set_threshold(1)
            views = []
            Changes()
            memory = region.map()
            gc.set_threshold(700)
            assert memory.committed in (0, spans * page), memory
            assert sum(part.num_bytes for part in memory.parts) == region.size
        gc.collect()
        assert Changes.count == 5
        """
    )


def test_a_map_maker_can_release_the_region_or_fail() -> None:
    run_python(
        """
        import vmem
        from vmem import _vmem
        from vmem._map import make_map

        page = vmem.get_page_size()
        region = vmem.reserve(64 * page, name="gone")
        region.commit(0, page)

        def release(*arguments):
            region.release()
            _vmem.set_map_maker(make_map)
            return arguments

        _vmem.set_map_maker(release)
        kind, name, address, size, page_size, used, extents, views = region.map()
        assert (kind, name, size, page_size, used) == ("region", "gone", 64 * page, page, None)
        assert extents == [(0, page, 2, False, 0)] and views == []
        assert region.released

        array = vmem.Array("B", b"abc")
        for wrong in (None, 5, lambda: None):
            _vmem.set_map_maker(wrong)
            try:
                array.map()
            except TypeError:
                continue
            raise AssertionError(wrong)
        _vmem.set_map_maker(make_map)
        assert array.map().used == 3
        """
    )


MANY_PAGES = {
    "region": "vmem.reserve(64 << 20); made.commit()",
    "arena": "vmem.Arena(64 << 20); made.alloc(64 << 20)",
    "ring": "vmem.Ring('B', 63 << 20)",
}


@linux_only
@pytest.mark.exact_memory
@pytest.mark.parametrize("kind", MANY_PAGES)
def test_maps_at_the_address_space_limit(kind: str) -> None:
    """The exception says that it is that limit."""
    run_python(f"""
        import resource, vmem
        vmem.reserve(1).map()
        made = {MANY_PAGES[kind]}
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        old = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used, old[1]))
        blocks = []  # what the heap still has; the parts of the map need more than one block
        try:
            while True:
                blocks.append(bytes(4000))
        except MemoryError:
            pass
        try:
            made.map()
        except vmem.OutOfMemoryError as error:
            resource.setrlimit(resource.RLIMIT_AS, old)
            assert str(error).startswith(f"[Errno 12] cannot map {{made.map().size}} bytes at offset 0 of a"), error
            assert "address space limit (RLIMIT_AS, ulimit -v) is" in str(error), error
            assert "release something, or raise the limit" in str(error), error
        else:
            raise AssertionError
        """)


def test_a_map_does_not_keep_its_region_alive(page: int) -> None:
    region = vmem.reserve(page)
    region.commit()
    memory = region.map()
    region.release()
    assert memory.committed == page
    gc.collect()
    assert not [each for each in gc.get_referrers(region) if each is memory]


# --- the text ---


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the width of the terminal, whose encoding is UTF-8."""
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    return lambda number: monkeypatch.setenv("COLUMNS", str(number))


def lanes_of(text: str) -> dict[str, str]:
    """The lanes of a map as text, by their labels."""
    labels = ("memory", "used", "access", "locked", "views")
    return {line.split()[0]: line[8:] for line in text.splitlines() if line.split()[:1] and line.split()[0] in labels}


def test_an_even_scale_is_exact(region: vmem.Region, page: int, columns: Callable[[int], None]) -> None:
    columns(72)
    region.commit(0, 40 * page)
    region.prefault(8 * page, 8 * page)
    region.protect(Protection.READ, 20 * page, 4 * page)
    region.protect(Protection.NO_ACCESS, 30 * page, page)
    region.lock(8 * page, 2 * page)
    views = [region[0:1], region[35 * page : 36 * page]]
    text = str(region.map())
    assert lanes_of(text) == {
        "memory": "░" * 8 + "█" * 8 + "░" * 24 + "·" * 24,
        "access": " " * 20 + "rrrr" + " " * 6 + "-",
        "locked": " " * 8 + "══",
        "views": "═" + " " * 34 + "═",
    }
    assert len(views) == region.map().num_views
    size = format_bytes(page)
    assert f"Even scale. One character is {size}." in text
    assert "█ resident  ░ committed  · reserved  r read-only  - no access" in text


@pytest.mark.many_addresses
def test_one_page_in_a_tebibyte_is_visible_in_text(page: int, columns: Callable[[int], None]) -> None:
    columns(80)
    region = vmem.reserve(TIB)
    region.commit(1 << 39, page)
    view = region[1 << 39 : (1 << 39) + 1]
    lines = str(region.map()).splitlines()
    lanes = lanes_of("\n".join(lines))
    assert len(lanes["memory"]) == 72
    assert lanes["memory"].strip("·") == "░"
    assert lanes["views"].rstrip().index("═") == lanes["memory"].index("░")
    marks, labels = lines[4], lines[5]
    at = labels.index("512 GiB")
    assert marks[at] == "|"
    assert lanes["memory"][at - 8] == "░"
    assert labels.rstrip().endswith("1 TiB")
    assert "Not to scale" in "\n".join(lines)
    view.release()


@pytest.mark.many_addresses
def test_more_parts_than_characters(page: int, columns: Callable[[int], None]) -> None:
    columns(60)
    region = vmem.reserve(TIB)
    for index in range(300):
        region.commit(index * MIB, page)
    memory = lanes_of(str(region.map()))["memory"]
    assert len(memory) == 52
    assert memory.startswith("░" * 20)
    assert memory.endswith("·" * 20)


@pytest.mark.parametrize("width", [1, 40, 41, 57, 80, 120, 160, 500])
@pytest.mark.many_addresses
def test_text_fits_the_terminal(width: int, page: int, columns: Callable[[int], None]) -> None:
    columns(width)
    region = vmem.reserve(TIB, name="n" * 200)
    for index in range(100):
        region.commit(index * 5 * MIB, page * (1 + index % 3))
    region.protect(Protection.READ_WRITE, 0, page)
    region.lock(5 * MIB, page)
    region.protect(Protection.READ_EXECUTE, 10 * MIB, page)
    view = region[0:1]
    crowded = region.map()
    region.decommit(10 * MIB)
    for memory in (crowded, region.map(), vmem.Array("d").map(), vmem.Arena(page).map()):
        longest = max(len(line) for line in str(memory).splitlines())
        assert longest <= max(width, 40)
        assert longest > min(width, 160) - 20
    view.release()


@pytest.mark.parametrize("width", range(20, 60))
def test_lines_are_not_broken_between_numbers_and_units(width: int) -> None:
    words = "1 TiB reserved, 17 MiB committed, 4 KiB resident, 100 B used, 2 views, 1 view, 12 GiB locked"
    lines = wrap(words, width)
    assert " ".join(line.strip() for line in lines) == words
    assert len(lines) > 1
    for line in lines:
        assert len(line) <= width
        assert not re.match(r" *([KMGT]iB|B|views?)\b", line)


@pytest.mark.many_addresses
def test_omitted_rows_are_counted(page: int, columns: Callable[[int], None]) -> None:
    columns(80)
    region = vmem.reserve(TIB)
    for index in range(50):
        region.commit(index * MIB, page)
    rows = str(region.map()).split("offset")[-1].splitlines()[1:]
    assert len(rows) == 24
    assert rows[-1].startswith("and 77 more parts: ")
    assert [int(row.split()[0]) for row in rows[:-1:2]] == [index * MIB for index in range(12)]


@pytest.mark.parametrize(
    ("encoding", "glyph"), [("utf-8", "█"), ("cp437", "█"), ("ascii", "#"), ("latin-1", "#"), ("cp1252", "#")]
)
@pytest.mark.parametrize("name", [None, "\u65e5\u672c\udc80"])
def test_text_in_the_encoding_of_the_output(encoding: str, glyph: str, name: str | None) -> None:
    shown = run_python(
        f"""
        import sys
        import vmem

        sys.stdout.reconfigure(encoding=sys.argv[1])
        region = vmem.reserve(1 << 30, name={name!a})
        region.commit(0, 1 << 20, prefault=True)
        text = str(region.map())
        text.encode(sys.argv[1])  # as print() does
        print(ascii(text))
        """,
        encoding,
    )
    if name and encoding != "utf-8":
        glyph = "#"
    assert ascii(glyph)[1:-1] in shown
    assert name is None or (ascii(name[0])[1:-1] in shown and ascii(name[2])[1:-1] in shown)


def test_text_without_standard_output(region: vmem.Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert str(region.map()).isascii()


def test_systems_that_do_not_report_resident_memory(page: int) -> None:
    memory = make_map("region", "odd", 0, 4 * page, page, None, [(0, page, 2, False, None)], [])
    assert memory.resident is None
    assert len(memory.parts) == 2
    assert repr(memory).endswith("committed, 0 views>")
    assert "resident" not in str(memory)
    assert "resident" not in memory._repr_html_()


# --- the scale ---

some_extents = st.lists(
    st.tuples(st.integers(1, 1 << 30), st.integers(1, 1 << 30), st.sampled_from([0, 0.5, 1])), min_size=0, max_size=60
)


@given(some_extents, st.integers(0, 1 << 30), st.integers(8, 300))
def test_scales(gaps_and_extents: list[tuple[int, int, float]], rest: int, max_cells: int) -> None:
    page = 4096
    extents: list[tuple[int, int, int, bool, int | None]] = []
    offset = 0
    for gap, size, resident in gaps_and_extents:
        start, end = offset + gap * page, offset + (gap + size) * page
        extents.append((start, end, 2, False, int(resident * (end - start))))
        offset = end
    memory = make_map("region", None, 0, offset + (rest + 1) * page, page, None, extents, [])
    scale = make_scale(memory, max_cells)
    assert scale.num_cells <= max_cells
    assert scale.borders[0] == 0
    assert scale.borders[-1] == scale.num_cells
    assert scale.borders == sorted(scale.borders)
    lane = make_lanes(memory, scale)[0].states
    assert len(lane) == scale.num_cells
    if not scale.is_crowded:  # every part has cells of its own, which show it
        for part, first, last in zip(memory.parts, scale.borders, scale.borders[1:], strict=False):
            assert last - first >= 1
            assert set(lane[int(first) : int(last)]) == {find_memory((part,))}
    for part, position in zip(memory.parts, scale.borders, strict=False):
        assert locate(memory, scale, part.offset) == position
        assert not part.committed or lane[min(int(position), scale.num_cells - 1)] != "reserved"
    ticks = choose_ticks(memory, scale, 1)
    assert ticks[-1].position == scale.num_cells
    for one, other in pairwise(ticks):
        assert one.label_start + len(one.label) < other.label_start


# --- the picture ---

BACKGROUNDS = {"light": (255, 255, 255), "dark": (17, 17, 17)}

Pixel = tuple[int, int, int]

# Positions in the picture, in its own units.
LEFT, RIGHT = svg.LEFT, svg.RIGHT
MEMORY_TOP, MEMORY_HEIGHT = 50, 40


@pytest.fixture(params=list(BACKGROUNDS))
def background(request: pytest.FixtureRequest) -> Pixel:
    return BACKGROUNDS[request.param]


def render(svg: str, background: Pixel) -> Any:
    """The picture as an array of rows of pixels, of three values each."""
    resvg = pytest.importorskip("resvg_py")
    image = pytest.importorskip("PIL.Image")
    backdrop = "#{:02x}{:02x}{:02x}".format(*background)
    png = resvg.svg_to_bytes(svg_string=svg, background=backdrop, sans_serif_family="DejaVu Sans")
    return np.asarray(image.open(io.BytesIO(bytes(png))).convert("RGB")).astype(int)


def color(state: str) -> list[int]:
    return [int(svg.COLORS[state][at : at + 2], 16) for at in (1, 3, 5)]


def column(position: float, num_cells: int) -> int:
    """The x coordinate of the pixel at a position on the scale."""
    return int(LEFT + position * (RIGHT - LEFT) / num_cells)


def lane_row(number: int) -> int:
    """The y coordinate of the middle of a lane; number 0 is the one below memory."""
    return MEMORY_TOP + MEMORY_HEIGHT + 6 + 20 * number + 7


def distance(one: Any, other: Any) -> int:
    return int(max(abs(np.asarray(one) - np.asarray(other))))


def luminance(pixel: Any) -> float:
    linear = [(each / 255 / 12.92) if each <= 10 else ((each / 255 + 0.055) / 1.055) ** 2.4 for each in map(int, pixel)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Any, other: Any) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def picture_of(region: vmem.Region, page: int) -> vmem.MemoryMap:
    """A map with all lanes but `used`, on an even scale of 64 pages."""
    region.commit(0, 40 * page)
    region.prefault(8 * page, 8 * page)
    region.protect(Protection.READ, 16 * page, 8 * page)
    region.protect(Protection.NO_ACCESS, 26 * page, 4 * page)
    region.protect(Protection.READ_EXECUTE, 30 * page, 4 * page)
    region.lock(8 * page, 2 * page)
    with region.view(20 * page, 4 * page):
        return region.map()


def test_memory_is_drawn_to_scale(region: vmem.Region, page: int, background: Pixel) -> None:
    pixels = render(picture_of(region, page)._repr_svg_(), background)
    assert pixels.shape[1] == svg.WIDTH
    full, empty = np.asarray(color("resident")), np.asarray(background)
    tinted = full * svg.TINT + empty * (1 - svg.TINT)
    for number in range(64):
        expected = full if 8 <= number < 16 else tinted if number < 40 else empty
        pixel = pixels[MEMORY_TOP + MEMORY_HEIGHT // 2, column(number + 0.5, 64)]
        assert distance(pixel, expected) <= 6, (number, pixel)


@pytest.mark.parametrize(("lane", "state", "first", "last"), [(1, "locked", 8, 10), (2, "pinned by views", 20, 24)])
def test_marks_are_drawn_to_scale(
    lane: int, state: str, first: int, last: int, region: vmem.Region, page: int, background: Pixel
) -> None:
    pixels = render(picture_of(region, page)._repr_svg_(), background)
    for number in range(64):
        pixel = pixels[lane_row(lane), column(number + 0.5, 64)]
        assert distance(pixel, color(state) if first <= number < last else background) <= 6, (number, pixel)


def test_access_is_drawn_to_scale(region: vmem.Region, page: int, background: Pixel) -> None:
    pixels = render(picture_of(region, page)._repr_svg_(), background)
    edge = lane_row(0) + 6  # the lower edge of the boxes, below the labels
    expected = ["read-only"] * 8 + [""] * 2 + ["no access"] * 4 + ["read and execute"] * 4
    for number, state in enumerate(expected, 16):
        if state != "no access":
            pixel = pixels[edge, column(number + 0.5, 64)]
            assert distance(pixel, color(state) if state else background) <= 6, (number, pixel)
    dashes = pixels[edge, column(26, 64) + 2 : column(30, 64) - 2]
    assert {distance(pixel, background) > 40 for pixel in dashes} == {True, False}
    for number in (*range(16), *range(34, 64)):
        assert distance(pixels[edge, column(number + 0.5, 64)], background) <= 6, number


@pytest.mark.many_addresses
def test_one_page_in_a_tebibyte_is_visible_in_the_picture(page: int, background: Pixel) -> None:
    region = vmem.reserve(TIB)
    region.commit(1 << 39, page, prefault=True)
    memory = region.map()
    scale = make_scale(memory, svg.MAX_CELLS)
    pixels = render(memory._repr_svg_(), background)
    row = pixels[MEMORY_TOP + MEMORY_HEIGHT // 2]
    drawn = [x for x in range(LEFT + 2, RIGHT - 2) if distance(row[x], color("resident")) <= 6]
    assert len(drawn) >= 2
    assert drawn[0] in range(column(scale.borders[1], scale.num_cells), column(scale.borders[2], scale.num_cells) + 1)
    assert drawn[-1] - drawn[0] < 5


def test_partly_resident_memory_is_half_filled(page: int, background: Pixel) -> None:
    memory = make_map("region", None, 0, 64 * page, page, None, [(0, 32 * page, 2, False, page)], [])
    pixels = render(memory._repr_svg_(), background)
    x = column(16, 64)
    assert distance(pixels[MEMORY_TOP + MEMORY_HEIGHT - 5, x], color("resident")) <= 6
    assert distance(pixels[MEMORY_TOP + 5, x], color("resident")) > 60


def test_states_differ_without_colors(region: vmem.Region, page: int, background: Pixel) -> None:
    pixels = render(picture_of(region, page)._repr_svg_(), background)
    middle = pixels[MEMORY_TOP + MEMORY_HEIGHT // 2]
    resident, committed, reserved = (middle[column(number + 0.5, 64)] for number in (12, 4, 50))
    assert contrast(resident, committed) > 1.5
    assert contrast(committed, reserved) > 1.15
    assert contrast(resident, reserved) >= 3
    edge = [contrast(pixels[MEMORY_TOP, x], background) for x in range(column(41, 64), column(63, 64))]
    assert max(edge) > 2 > 1.1 > min(edge)  # reserved memory is dashed


@pytest.mark.parametrize("state", [*svg.COLORS, "ink"])
def test_colors_have_contrast_to_light_and_dark_pages(state: str) -> None:
    pixel = color(state) if state != "ink" else [int(svg.TEXT_COLOR[at : at + 2], 16) for at in (1, 3, 5)]
    for background in BACKGROUNDS.values():
        assert contrast(pixel, background) >= (4 if state == "ink" else 3)


def test_labels_are_inside_the_picture(region: vmem.Region, page: int, background: Pixel) -> None:
    pixels = render(picture_of(region, page)._repr_svg_(), background)
    height, width, _ = pixels.shape
    apart = abs(pixels - np.asarray(background)).max(axis=2) > 40
    if not apart[:34].any():  # the title
        pytest.skip("DejaVu Sans is not installed")
    assert apart[MEMORY_TOP : lane_row(2), : LEFT - 4].any()  # labels of lanes
    assert apart[lane_row(2) + 20 :].any()  # ticks and legend
    assert not apart[:, width - 3 :].any()
    assert not apart[height - 3 :].any()


def texts_of(svg: str) -> list[str]:
    """All labels of a picture, which must be well-formed XML."""
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_has_a_legend_and_a_scale(region: vmem.Region, page: int) -> None:
    texts = texts_of(picture_of(region, page)._repr_svg_())
    marks = ("read-only", "no access", "read and execute", "locked", "pinned by views")
    assert {*marks, "resident", "committed", "reserved"} <= set(texts)
    assert {"memory", "access", "views", "0", format_bytes(region.size), "Even scale."} <= set(texts)
    assert "used" not in texts
    assert "used" in texts_of(vmem.Array("i", [1]).map()._repr_svg_())


@pytest.mark.parametrize(("num_pages", "num_labels"), [(1, 1), (16, 2)])
def test_access_is_labelled_where_the_label_fits(
    num_pages: int, num_labels: int, region: vmem.Region, page: int
) -> None:
    """The legend has the label in any case."""
    region.commit()
    region.protect(Protection.READ, 8 * page, num_pages * page)
    assert texts_of(region.map()._repr_svg_()).count("read-only") == num_labels


NAMES = ["<script>alert(1)</script>", "a & b \"c\" 'd'", "\x00\x1b[31m\ud800", "日本", "x" * 500, ""]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_escaped(name: str, page: int) -> None:
    with vmem.reserve(page, name=name) as region:
        memory = region.map()
    shown = repr(name if len(name) <= 40 else f"{name[:37]}...")
    assert texts_of(memory._repr_svg_())[0] == f"region {shown}"
    assert ET.fromstring(memory._repr_svg_()).get("aria-label", "").startswith(f"region {shown}: ")
    html = memory._repr_html_()
    html.encode()
    assert "<script" not in html
    assert "\x1b" not in str(memory)
    assert memory.name == name


def test_html_shows_the_parts(region: vmem.Region, page: int) -> None:
    html = picture_of(region, page)._repr_html_()
    tree = ET.fromstring(f"<div>{html}</div>")
    rows = [[cell.text for cell in row] for row in tree.iter("tr")]
    assert len(rows) == 1 + len(region.map().parts)
    summary = next(tree.iter("summary")).text
    assert summary == f"{len(rows) - 1} parts from address {region.address:#x} on"
    assert 'fill="currentColor"' in html


def alternate(num_parts: int, page: int) -> vmem.MemoryMap:
    """A map of as many parts."""
    region = vmem.reserve(num_parts * page)
    for number in range(0, num_parts, 2):
        region.commit(number * page, page)
    memory = region.map()
    assert len(memory.parts) == num_parts
    return memory


@pytest.mark.parametrize("num_parts", [23, 24, 25, 26])
def test_the_last_row_stands_for_what_does_not_fit(num_parts: int, page: int) -> None:
    rows = [line.split() for line in str(alternate(num_parts, page)).splitlines()]
    offsets = [row[0] for row in rows if row and row[0].isdigit() and row[-1] in ("committed", "reserved")]
    num_rows = num_parts if num_parts <= 24 else 23
    assert offsets == [str(number * page) for number in range(num_rows)]
    assert (f"and {num_parts - 23} more parts:" in str(alternate(num_parts, page))) == (num_parts > 24)


@pytest.mark.parametrize("num_parts", [199, 200, 201, 202])
def test_the_table_has_up_to_200_rows(num_parts: int, page: int) -> None:
    html = alternate(num_parts, page)._repr_html_()
    assert html.count("<tr><td>") == min(num_parts, 200)
    assert (f"and {num_parts - 200} more part" in html) == (num_parts > 200)
