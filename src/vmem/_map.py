"""`MemoryMap`, and how one is made of what the extension reports. How a map is drawn is in `_drawing`."""

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from vmem._types import MapData, MemoryPart, Protection

Extent = tuple[int, int, int, bool, int | None]  # start, end, protection, locked, resident


class MemoryMap(MapData):
    """The memory of a region, an array, an arena, a ring or a table at the time of the call of `map()`.

    ``print(region.map())`` draws it as text in the width of the terminal, and notebooks show it as a picture. Sizes are
    in bytes.

    Attributes
    ----------
    kind : str
        ``'region'``, ``'array'``, ``'arena'``, ``'ring'`` or ``'table'``.
    name : str or None
        The name of the region.
    address : int
        The first of its addresses.
    size : int
        How many bytes are reserved.
    page_size : int
        The size of a page.
    used : int or None
        How many bytes the items of an array take, or an arena has allocated. None for a region, which cannot know it,
        and for a ring and a table, whose items do not begin at the start.
    num_views : int
        How many views are alive.
    pinned : tuple of (int, int)
        The offset and size of each run of pages that views pin.
    parts : tuple of MemoryPart
        All of it in order, as runs of pages with equal properties. With more than some 4,000 committed pages, several
        neighbouring ones are counted together as to how many of their bytes are resident.
    committed : int
        How many bytes are committed.
    resident : int or None
        How many of them are in physical memory. None if the system does not report it.
    locked : int
        How many are locked in physical memory.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1 << 40) as region:
    ...     region.commit(0, 1 << 20)
    ...     region.commit(1 << 39, 1 << 20)
    ...     map = region.map()
    >>> map.committed, len(map.parts)
    (2097152, 4)
    >>> print(str(map).splitlines()[0])
    region: 1 TiB reserved, 2 MiB committed, 0 B resident, 0 views
    """

    __module__ = "vmem"
    __slots__ = ()

    # Drawing is imported when a map is drawn: many programs only read the numbers.

    def __str__(self) -> str:
        from vmem._drawing.text import draw_text

        return draw_text(self)

    def __repr__(self) -> str:
        from vmem._drawing.words import describe_totals

        name = "" if self.name is None else f" {self.name!r}"
        return f"<vmem.MemoryMap of {self.kind}{name}: {describe_totals(self)}>"

    def _repr_svg_(self) -> str:
        from vmem._drawing.svg import draw_svg

        return draw_svg(self)

    def _repr_html_(self) -> str:
        from vmem._drawing.svg import draw_html

        return draw_html(self)


def make_map(
    kind: str,
    name: str | None,
    address: int,
    size: int,
    page_size: int,
    used: int | None,
    extents: Sequence[Extent],
    views: Sequence[tuple[int, int]],
) -> MemoryMap:
    """The map of an owner, from its committed extents in order and the ranges of its views. Neighbours differ."""
    runs = list(add_reserved(extents, size))
    num_views = count_views([(start, end) for start, end, *_ in runs], views)
    parts = tuple(
        MemoryPart(start, end - start, committed, Protection(protection), locked, resident, number)
        for (start, end, committed, protection, locked, resident), number in zip(runs, num_views, strict=True)
    )
    return MemoryMap(kind, name, address, size, page_size, used, len(views), find_pinned(views, page_size), parts)


def add_reserved(extents: Sequence[Extent], size: int) -> Iterator[tuple[int, int, bool, int, bool, int | None]]:
    """The committed extents, and between them those that are only reserved."""
    offset = 0
    for start, end, protection, locked, resident in extents:
        if offset < start:
            yield offset, start, False, Protection.NO_ACCESS, False, 0
        yield start, end, True, protection, locked, resident
        offset = end
    if offset < size:
        yield offset, size, False, Protection.NO_ACCESS, False, 0


def count_views(runs: Sequence[tuple[int, int]], views: Sequence[tuple[int, int]]) -> list[int]:
    """How many views have bytes in each run: those that start before its end, less those that end before its start."""
    starts, ends = sorted(start for start, _ in views), sorted(end for _, end in views)
    return [bisect_left(starts, end) - bisect_right(ends, start) for start, end in runs]


def find_pinned(views: Sequence[tuple[int, int]], page_size: int) -> tuple[tuple[int, int], ...]:
    """The pages that hold bytes of views, as the offsets and sizes of runs."""
    runs: list[tuple[int, int]] = []
    for start, end in sorted(views):
        first, last = start // page_size * page_size, -(-end // page_size) * page_size
        if runs and first <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(runs[-1][1], last))
        else:
            runs.append((first, last))
    return tuple((first, last - first) for first, last in runs)


# Another import of this module may have been complete before this one, and its class is in use: see `_first_use`.
globals()["MemoryMap"] = vars(sys.modules["vmem"]).setdefault("_map_class_in_use", MemoryMap)
is_complete = True
