"""The scale of a map: where its parts lie on a line of cells, which are characters or narrow boxes."""

from bisect import bisect_right
from itertools import accumulate
from math import log2
from typing import NamedTuple

from vmem._format import format_bytes
from vmem._types import MapData


class Scale(NamedTuple):
    """The positions of the parts of a map on a line of cells."""

    num_cells: int
    borders: list[float]  # the start of each part, in cells, and the end of the last one
    is_even: bool
    is_crowded: bool  # several parts to a cell


def make_scale(memory: MapData, max_cells: int) -> Scale:
    """An even scale, if every part is at least one cell wide on it.

    Otherwise each part gets a cell, and a share of the others by the logarithm of its size. If there are more parts
    than cells, parts share cells.
    """
    parts, num_pages = memory.parts, memory.size // memory.page_size
    num_cells = max_cells // num_pages * num_pages if num_pages <= max_cells else max_cells
    if min(part.num_bytes for part in parts) * num_cells >= memory.size:
        borders: list[float] = [(2 * part.offset * num_cells + memory.size) // (2 * memory.size) for part in parts]
        return Scale(num_cells, [*borders, num_cells], is_even=True, is_crowded=False)
    logarithms = [log2(part.num_bytes // memory.page_size) for part in parts]
    if len(parts) > num_cells:
        total = sum(logarithms) + len(parts)
        weights = [
            (1 + each) / total + part.num_bytes / memory.size for each, part in zip(logarithms, parts, strict=True)
        ]
        borders = divide(num_cells, weights)
        return Scale(num_cells, [*borders, num_cells], is_even=False, is_crowded=True)
    positions = divide(num_cells - len(parts), logarithms)
    borders = [index + int(position + 0.5) for index, position in enumerate(positions)]
    return Scale(num_cells, [*borders, num_cells], is_even=False, is_crowded=False)


def divide(width: float, weights: list[float]) -> list[float]:
    """The starts of the shares of a width that is divided by weights."""
    total = sum(weights)
    return [width * each / total for each in accumulate(weights[:-1], initial=0.0)]


def describe_scale(memory: MapData, scale: Scale) -> str:
    """How to read widths."""
    if scale.is_even:
        return "Even scale."
    if scale.is_crowded:
        return (
            f"Not to scale: {len(memory.parts)} parts share the width, half by their sizes, half by the logarithms "
            "of these. Committed memory is visible wherever it is."
        )
    smallest = format_bytes(memory.page_size)
    return f"Not to scale: doubling the size of a part adds a fixed width, so that even {smallest} is visible."


def locate(memory: MapData, scale: Scale, offset: int) -> float:
    """The position of an offset, in cells."""
    index = min(bisect_right(memory.parts, offset, key=lambda part: part.offset), len(memory.parts)) - 1
    part, start, end = memory.parts[index], scale.borders[index], scale.borders[index + 1]
    return start + (offset - part.offset) / part.num_bytes * (end - start)


class Tick(NamedTuple):
    """A mark on the axis, with its label. Positions are in cells."""

    position: float
    label: str
    label_start: float


def choose_ticks(memory: MapData, scale: Scale, cells_per_character: float) -> list[Tick]:
    """Both ends of the map, and those borders of parts between whose labels there is space."""

    def make_tick(position: float, offset: int) -> Tick:
        label = format_bytes(offset) if offset else "0"
        width = len(label) * cells_per_character
        return Tick(position, label, min(position, max(scale.num_cells - width, 0)))

    last = make_tick(scale.num_cells, memory.size)
    ticks: list[Tick] = []
    free = 0.0
    for part, position in zip(memory.parts, scale.borders, strict=False):
        tick = make_tick(position, part.offset)
        end = tick.label_start + len(tick.label) * cells_per_character
        if tick.label_start == position >= free and end + 2 * cells_per_character <= last.label_start:
            ticks.append(tick)
            free = end + 2 * cells_per_character
    return [*ticks, last]
