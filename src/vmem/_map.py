"""What `Region.map()` and its like return: what memory looked like at one moment.

These are only the numbers. _drawing makes text and pictures of them.
"""

from __future__ import annotations

from collections import namedtuple

from vmem._types import Protection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NamedTuple, TypeAlias

    _Cell: TypeAlias = tuple[int, int, int, bool, int | None]  # start, end, protection, locked, resident

    class MemoryPart(NamedTuple):
        offset: int
        num_bytes: int
        committed: bool
        protection: Protection
        locked: bool
        resident: int | None
        num_views: int

    class MapFields(NamedTuple):
        kind: str
        name: str | None
        address: int
        size: int
        page_size: int
        used: int | None
        num_views: int
        pinned: tuple[tuple[int, int], ...]
        parts: tuple[MemoryPart, ...]

else:
    MemoryPart = namedtuple(  # noqa: PYI024
        "MemoryPart",
        ["offset", "num_bytes", "committed", "protection", "locked", "resident", "num_views"],
        module="vmem",
    )
    MemoryPart.__doc__ = """A run of pages that are alike: one item of `MemoryMap.parts`.

    Attributes
    ----------
    offset : int
        Where it begins, in bytes from the start of the reserved addresses.
    num_bytes : int
        Its size in bytes.
    committed : bool
        Whether it is committed, or only reserved.
    protection : Protection
        What may be done with it.
    locked : bool
        Whether it is kept out of swap.
    resident : int or None
        How many bytes of it are in physical memory. None where the system does not tell.
    num_views : int
        How many views have bytes in it.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1 << 30) as region:
    ...     region.commit(0, 1 << 20)
    ...     region.prefault(0, 1 << 16)
    ...     [(each.num_bytes, each.resident) for each in region.map().parts]
    [(65536, 65536), (983040, 0), (1072693248, 0)]
    """

    MapFields = namedtuple(  # noqa: PYI024
        "MapFields", ["kind", "name", "address", "size", "page_size", "used", "num_views", "pinned", "parts"]
    )


class MemoryMap(MapFields):
    """What the memory of a region, an array or an arena looked like when `map()` was called.

    ``print(region.map())`` draws it as text that fits the terminal. In a notebook it is a picture. Sizes are in bytes.

    Attributes
    ----------
    kind : str
        ``'region'``, ``'array'`` or ``'arena'``.
    name : str or None
        The name of the region.
    address : int
        Where its addresses begin.
    size : int
        How many are reserved.
    page_size : int
        The size of a page.
    used : int or None
        How many an array's items take, or an arena has given out. None for a region, which does not know.
    num_views : int
        How many views are alive.
    pinned : tuple of (int, int)
        The offset and size of each run of pages that views keep in place.
    parts : tuple of MemoryPart
        All of it in order, as runs of pages that are alike. With more than some 4,000 committed pages, what is in
        memory is counted over several at a time.
    committed : int
        How many bytes are committed.
    resident : int or None
        How many of them are in physical memory. None where the system does not tell.
    locked : int
        How many are kept out of swap.

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

    @property
    def committed(self) -> int:
        return sum(part.num_bytes for part in self.parts if part.committed)

    @property
    def resident(self) -> int | None:
        counts = [part.resident for part in self.parts if part.resident is not None]
        return sum(counts) if len(counts) == len(self.parts) else None

    @property
    def locked(self) -> int:
        return sum(part.num_bytes for part in self.parts if part.locked)

    # What draws is imported when it is needed: a program may only want the numbers.

    def __str__(self) -> str:
        from vmem._drawing import draw_text

        return draw_text(self)

    def __repr__(self) -> str:
        from vmem._drawing import describe_totals

        name = "" if self.name is None else f" {self.name!r}"
        return f"<vmem.MemoryMap of {self.kind}{name}: {describe_totals(self)}>"

    def _repr_svg_(self) -> str:
        from vmem._drawing import draw_svg

        return draw_svg(self)

    def _repr_html_(self) -> str:
        from vmem._drawing import draw_html

        return draw_html(self)


# --- from what the extension tells ---


def make_map(
    kind: str,
    name: str | None,
    address: int,
    size: int,
    page_size: int,
    used: int | None,
    cells: Sequence[_Cell],
    views: Sequence[tuple[int, int]],
) -> MemoryMap:
    """The map of what is committed, as cells in order, of which no neighbours are alike, and of the bytes of views."""
    runs = list(fill_gaps(cells, size))
    parts = tuple(
        MemoryPart(start, end - start, committed, Protection(protection), locked, resident, num_views)
        for (start, end, committed, protection, locked, resident), num_views in zip(
            runs, count_views([(run[0], run[1]) for run in runs], views), strict=True
        )
    )
    return MemoryMap(kind, name, address, size, page_size, used, len(views), join_views(views, page_size), parts)


def fill_gaps(cells: Sequence[_Cell], size: int) -> Iterator[tuple[int, int, bool, int, bool, int | None]]:
    """Cells with what lies between them, which is only reserved."""
    offset = 0
    for start, end, protection, locked, resident in cells:
        if offset < start:
            yield offset, start, False, Protection.NO_ACCESS, False, 0
        yield start, end, True, protection, locked, resident
        offset = end
    if offset < size:
        yield offset, size, False, Protection.NO_ACCESS, False, 0


def count_views(runs: Sequence[tuple[int, int]], views: Sequence[tuple[int, int]]) -> Iterator[int]:
    """How many views have bytes in each of some runs in order: those begun before its end, less those ended."""
    starts, ends = sorted(start for start, _ in views), sorted(end for _, end in views)
    num_begun = num_ended = 0
    for start, end in runs:
        while num_begun < len(starts) and starts[num_begun] < end:
            num_begun += 1
        while num_ended < len(ends) and ends[num_ended] <= start:
            num_ended += 1
        yield num_begun - num_ended


def join_views(views: Sequence[tuple[int, int]], page_size: int) -> tuple[tuple[int, int], ...]:
    """The pages that hold bytes of views, as (offset, num_bytes) of runs."""
    runs: list[tuple[int, int]] = []
    for start, end in sorted(views):
        first, last = start // page_size * page_size, -(-end // page_size) * page_size
        if runs and first <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(runs[-1][1], last))
        else:
            runs.append((first, last))
    return tuple((first, last - first) for first, last in runs)
