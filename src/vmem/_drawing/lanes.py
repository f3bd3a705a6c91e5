"""The lanes of a map, one below the other on the same scale: memory, used, access, locked, views.

A cell shows the rarest property of the memory in it, so that nothing is too small to be seen.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from vmem._drawing.scale import Scale, locate
from vmem._drawing.words import ACCESS
from vmem._types import MapData, MemoryPart, Protection


class Lane(NamedTuple):
    """One property of all cells; the empty string in those that do not have it."""

    label: str
    states: list[str]


def make_lanes(memory: MapData, scale: Scale) -> list[Lane]:
    """The lane of the memory itself, and those of the others that are not empty."""
    cells = list(find_parts(memory, scale))
    others = [
        Lane("used", mark_ranges(memory, scale, ((0, memory.used),) if memory.used else (), "used")),
        Lane("access", [find_access(parts) for parts in cells]),
        Lane("locked", ["locked" if any(part.locked for part in parts) else "" for parts in cells]),
        Lane("views", mark_ranges(memory, scale, memory.pinned, "pinned by views")),
    ]
    return [Lane("memory", [find_memory(parts) for parts in cells]), *(lane for lane in others if any(lane.states))]


def find_parts(memory: MapData, scale: Scale) -> Iterator[tuple[MemoryPart, ...]]:
    """For each cell the parts that lie in it."""
    for cell in range(scale.num_cells):
        yield memory.parts[bisect_right(scale.borders, cell) - 1 : bisect_left(scale.borders, cell + 1)]


def find_memory(parts: tuple[MemoryPart, ...]) -> str:
    """How far the memory of a cell is in use: reserved, committed or resident."""
    committed = [part for part in parts if part.committed]
    if not committed:
        return "reserved"
    if not any(part.resident for part in committed):
        return "committed"
    return "resident" if all(part.resident == part.num_bytes for part in committed) else "partly resident"


def find_access(parts: tuple[MemoryPart, ...]) -> str:
    """The access to a cell that differs most from the usual one."""
    unusual = [part.protection for part in parts if part.committed and part.protection != Protection.READ_WRITE]
    return ACCESS[max(unusual)] if unusual else ""


def mark_ranges(memory: MapData, scale: Scale, ranges: tuple[tuple[int, int], ...], state: str) -> list[str]:
    """A state for the cells of some ranges of bytes, each of which gets at least one cell."""
    states = [""] * scale.num_cells
    for offset, num_bytes in ranges:
        start = min(int(locate(memory, scale, offset)), scale.num_cells - 1)
        end = max(ceil(locate(memory, scale, offset + num_bytes)), start + 1)
        states[start:end] = [state] * (end - start)
    return states
