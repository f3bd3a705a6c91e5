"""Maps as text, and as pictures for notebooks. Imported when somebody looks at one.

Both are lanes of cells over one scale: what is in memory, what may be done with it, what is locked, what views keep in
place. A cell shows the most telling thing that is in it, so that nothing is too small to be seen.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from bisect import bisect_right
from itertools import accumulate
from math import ceil, log2
from typing import NamedTuple

from vmem._report import UNITS, format_bytes
from vmem._types import Protection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmem._map import MemoryMap, MemoryPart

# --- words ---

ACCESS = {
    Protection.READ_WRITE: "",  # what committed memory is without further ado
    Protection.READ: "read-only",
    Protection.NO_ACCESS: "no access",
    Protection.EXECUTE: "execute-only",
    Protection.READ_EXECUTE: "read and execute",
    Protection.READ_WRITE_EXECUTE: "read, write, execute",
}

MAX_NAME = 40


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def describe_totals(memory: MemoryMap) -> str:
    """How much of it is what: ``1 TiB reserved, 17 MiB committed, 16 MiB resident, 2 views``."""
    words = [f"{format_bytes(memory.size)} reserved", f"{format_bytes(memory.committed)} committed"]
    if memory.resident is not None:
        words.append(f"{format_bytes(memory.resident)} resident")
    if memory.used is not None:
        words.append(f"{format_bytes(memory.used)} used")
    if memory.locked:
        words.append(f"{format_bytes(memory.locked)} locked")
    return ", ".join([*words, count(memory.num_views, "view")])


def describe_owner(memory: MemoryMap, in_unicode: bool = True) -> str:
    """What the map is of: ``region 'index'``."""
    if memory.name is None:
        return memory.kind
    name = str(memory.name)
    if len(name) > MAX_NAME:
        name = f"{name[: MAX_NAME - 3]}..."
    return f"{memory.kind} {name!r}" if in_unicode else f"{memory.kind} {name!a}"


def describe_part(part: MemoryPart) -> str:
    """What a part is, in a few words: ``committed, 4 KiB resident, locked, 1 view``."""
    if not part.committed:
        return "reserved"
    words = ["resident" if part.resident == part.num_bytes else "committed"]
    if part.resident and part.resident < part.num_bytes:
        words.append(f"{format_bytes(part.resident)} resident")
    if ACCESS[part.protection]:
        words.append(ACCESS[part.protection])
    if part.locked:
        words.append("locked")
    if part.num_views:
        words.append(count(part.num_views, "view"))
    return ", ".join(words)


def describe_rest(parts: tuple[MemoryPart, ...]) -> str:
    """What a list of parts leaves out."""
    committed = sum(part.num_bytes for part in parts if part.committed)
    reserved = sum(part.num_bytes for part in parts if not part.committed)
    number = count(len(parts), "more part")
    return f"and {number}: {format_bytes(committed)} committed, {format_bytes(reserved)} reserved"


# --- scale ---


class Scale(NamedTuple):
    """Where the parts lie on a line of cells."""

    num_cells: int
    borders: list[float]  # where each part begins, in cells, and where the last one ends
    is_even: bool
    is_crowded: bool  # several parts to a cell


def make_scale(memory: MemoryMap, most_cells: int) -> Scale:
    """An even scale, if every part is at least one cell on it.

    Else each part gets a cell, and a share of the rest by the logarithm of its size. Where there are more parts than
    cells, they have to share cells.
    """
    parts, num_pages = memory.parts, memory.size // memory.page_size
    num_cells = most_cells // num_pages * num_pages if num_pages <= most_cells else most_cells
    if min(part.num_bytes for part in parts) * num_cells >= memory.size:
        borders: list[float] = [(2 * part.offset * num_cells + memory.size) // (2 * memory.size) for part in parts]
        return Scale(num_cells, [*borders, num_cells], is_even=True, is_crowded=False)
    logarithms = [log2(part.num_bytes // memory.page_size) for part in parts]
    if len(parts) > num_cells:
        total = sum(logarithms) + len(parts)
        weights = [
            (1 + each) / total + part.num_bytes / memory.size for each, part in zip(logarithms, parts, strict=True)
        ]
        borders = share_out(num_cells, weights)
        return Scale(num_cells, [*borders, num_cells], is_even=False, is_crowded=True)
    places = share_out(num_cells - len(parts), logarithms)
    borders = [index + int(place + 0.5) for index, place in enumerate(places)]
    return Scale(num_cells, [*borders, num_cells], is_even=False, is_crowded=False)


def share_out(width: float, weights: list[float]) -> list[float]:
    """Where each share of a width begins."""
    total = sum(weights)
    return [width * each / total for each in accumulate(weights[:-1], initial=0.0)]


def describe_scale(memory: MemoryMap, scale: Scale) -> str:
    """How widths are to be read."""
    if scale.is_even:
        return "Even scale."
    if scale.is_crowded:
        return (
            f"Not to scale: {len(memory.parts)} parts share the width, half by their sizes, half by the logarithms "
            "of these. What is committed is seen wherever it is."
        )
    smallest = format_bytes(memory.page_size)
    return f"Not to scale: doubling the size of a part adds a fixed width, so that even {smallest} can be seen."


def find_place(memory: MemoryMap, scale: Scale, offset: int) -> float:
    """Where an offset lies, in cells."""
    index = min(bisect_right(memory.parts, offset, key=lambda part: part.offset), len(memory.parts)) - 1
    part, start, end = memory.parts[index], scale.borders[index], scale.borders[index + 1]
    return start + (offset - part.offset) / part.num_bytes * (end - start)


class Tick(NamedTuple):
    place: float
    label: str
    left: float  # of the label, in cells


def choose_ticks(memory: MemoryMap, scale: Scale, cells_per_letter: float) -> list[Tick]:
    """Both ends, and as many borders of parts as there is room for beside their labels."""

    def make_tick(place: float, offset: int) -> Tick:
        label = format_bytes(offset) if offset else "0"
        width = len(label) * cells_per_letter
        return Tick(place, label, min(place, max(scale.num_cells - width, 0)))

    last = make_tick(scale.num_cells, memory.size)
    ticks: list[Tick] = []
    free = 0.0
    for part, place in zip(memory.parts, scale.borders, strict=False):
        tick = make_tick(place, part.offset)
        end = tick.left + len(tick.label) * cells_per_letter
        if tick.left == place >= free and end + 2 * cells_per_letter <= last.left:
            ticks.append(tick)
            free = end + 2 * cells_per_letter
    return [*ticks, last]


# --- lanes ---


class Lane(NamedTuple):
    """One property of all cells; the empty string where they do not have it."""

    label: str
    states: list[str]


def find_parts(memory: MemoryMap, scale: Scale) -> Iterator[tuple[MemoryPart, ...]]:
    """For each cell the parts that lie in it."""
    first = 0
    for cell in range(scale.num_cells):
        while scale.borders[first + 1] <= cell:
            first += 1
        last = first + 1
        while last < len(memory.parts) and scale.borders[last] < cell + 1:
            last += 1
        yield memory.parts[first:last]


def find_memory(parts: tuple[MemoryPart, ...]) -> str:
    committed = [part for part in parts if part.committed]
    if not committed:
        return "reserved"
    if not any(part.resident for part in committed):
        return "committed"
    return "resident" if all(part.resident == part.num_bytes for part in committed) else "partly resident"


def find_access(parts: tuple[MemoryPart, ...]) -> str:
    """What is farthest from ordinary memory."""
    rare = [part.protection for part in parts if part.committed and part.protection != Protection.READ_WRITE]
    return ACCESS[max(rare)] if rare else ""


def mark_ranges(memory: MemoryMap, scale: Scale, ranges: tuple[tuple[int, int], ...], state: str) -> list[str]:
    states = [""] * scale.num_cells
    for offset, num_bytes in ranges:
        start = min(int(find_place(memory, scale, offset)), scale.num_cells - 1)
        end = max(ceil(find_place(memory, scale, offset + num_bytes)), start + 1)
        states[start:end] = [state] * (end - start)
    return states


def make_lanes(memory: MemoryMap, scale: Scale) -> list[Lane]:
    """What is in memory, and of the other lanes those that have something in them."""
    cells = list(find_parts(memory, scale))
    others = [
        Lane("used", mark_ranges(memory, scale, ((0, memory.used),) if memory.used else (), "used")),
        Lane("access", [find_access(parts) for parts in cells]),
        Lane("locked", ["locked" if any(part.locked for part in parts) else "" for parts in cells]),
        Lane("views", mark_ranges(memory, scale, memory.pinned, "pinned by views")),
    ]
    return [Lane("memory", [find_memory(parts) for parts in cells]), *(lane for lane in others if any(lane.states))]


# --- text ---

MIN_WIDTH = 40
MAX_WIDTH = 160
MAX_ROWS = 24
LABEL_WIDTH = 8
GLUE = "\0"  # a space to hold words together

GLYPHS = {  # in Unicode, and in ASCII
    "": "  ",
    "resident": "█#",
    "partly resident": "▓%",
    "committed": "░+",
    "reserved": "·.",
    "read-only": "rr",
    "no access": "--",
    "execute-only": "xx",
    "read and execute": "ee",
    "read, write, execute": "ww",
    "used": "═=",
    "locked": "═=",
    "pinned by views": "═=",
}


def wrap(text: str, width: int, indent: int = 2) -> list[str]:
    """Lines of a text, in which numbers stay with their units."""
    for unit in (*UNITS, "view"):
        text = text.replace(f" {unit}", f"{GLUE}{unit}")
    lines = textwrap.wrap(text, width, subsequent_indent=" " * indent, break_on_hyphens=False)
    return [line.replace(GLUE, " ") for line in lines]


def draw_axis(ticks: list[Tick]) -> list[str]:
    marks, labels = "", ""
    for tick in ticks:
        at = min(int(tick.place), int(tick.left) + len(tick.label) - 1)
        marks = f"{marks.ljust(at)}|"
        labels = f"{labels.ljust(int(tick.left))}{tick.label}"
    return [" " * LABEL_WIDTH + marks, " " * LABEL_WIDTH + labels]


def draw_legend(lanes: list[Lane], glyph: int, width: int) -> list[str]:
    """What the glyphs of the two lanes mean that have several; the others are named by their label."""
    seen = {state for lane in lanes if lane.label in ("memory", "access") for state in lane.states}
    items = [f"{GLYPHS[state][glyph]} {state}".replace(" ", GLUE) for state in GLYPHS if state and state in seen]
    return wrap("  ".join(items), width, 0)


def draw_rows(memory: MemoryMap, width: int) -> Iterator[str]:
    shown = memory.parts if len(memory.parts) <= MAX_ROWS else memory.parts[: MAX_ROWS - 1]
    digits = max(len(str(shown[-1].offset)), len("offset"))
    yield f"{'offset':>{digits}}  {'size':>10}"
    for part in shown:
        yield from wrap(
            f"{part.offset:>{digits}}  {format_bytes(part.num_bytes):>10}  {describe_part(part)}", width, digits + 14
        )
    if len(shown) < len(memory.parts):
        yield from wrap(describe_rest(memory.parts[len(shown) :]), width)


def draw_lines(memory: MemoryMap, width: int, in_unicode: bool) -> Iterator[str]:
    glyph = 0 if in_unicode else 1
    scale = make_scale(memory, width - LABEL_WIDTH)
    lanes = make_lanes(memory, scale)
    yield from wrap(f"{describe_owner(memory, in_unicode)}: {describe_totals(memory)}", width)
    yield ""
    for lane in lanes:
        yield f"{lane.label:<{LABEL_WIDTH}}{''.join(GLYPHS[state][glyph] for state in lane.states)}".rstrip()
    yield from draw_axis(choose_ticks(memory, scale, 1))
    yield ""
    yield from draw_legend(lanes, glyph, width)
    unit = f" One character is {format_bytes(memory.size / scale.num_cells)}." if scale.is_even else ""
    yield from wrap(describe_scale(memory, scale) + unit, width, 0)
    yield ""
    yield from draw_rows(memory, width)


def draw_text(memory: MemoryMap) -> str:
    """A map that fits the terminal, of characters that its encoding has."""
    width = min(max(shutil.get_terminal_size().columns, MIN_WIDTH), MAX_WIDTH)
    text = "\n".join(draw_lines(memory, width, in_unicode=True))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = "\n".join(draw_lines(memory, width, in_unicode=False))
    return text


# --- pictures ---

# Every colour stands out from white and from black, three to one or better, because a picture does not know what is
# behind it. None tells anything alone: lanes have names, and what is in memory has shapes.
INK = "#7a7a7a"
COLORS = {
    "resident": "#3987d9",
    "partly resident": "#3987d9",
    "committed": "#3987d9",
    "reserved": "#8a8a8a",
    "read-only": "#c9720c",
    "no access": "#8a8a8a",
    "execute-only": "#d0488f",
    "read and execute": "#d0488f",
    "read, write, execute": "#e0453a",
    "used": "#8f8060",
    "locked": "#9467d6",
    "pinned by views": "#1a9a82",
}
TINT = 0.25  # of boxes that are not filled

WIDTH = 760
LEFT = 72
RIGHT = WIDTH - 8
LINE = 18
LETTER = 6.4  # the width of one, at most on average
SVG_CELLS = 220
HEIGHTS = {"memory": 40}
HEIGHT = 14  # of the other lanes
MAX_TABLE_ROWS = 200


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def write(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{more}>{escape(text)}</text>'


def draw_box(state: str, x: float, y: float, width: float, height: float, level: float = 0) -> str:
    """A box of a state: outlined and tinted, and filled up to a level. What is reserved is a mere outline."""
    color = COLORS[state]
    inside = f'x="{x + 0.5:.6g}" y="{y + 0.5:g}" width="{max(width - 1, 0.5):.6g}" height="{height - 1:g}"'
    if state in ("reserved", "no access"):
        return f'<rect {inside} fill="none" stroke="{color}" stroke-dasharray="2 2"/>'
    box = f'<rect {inside} fill="{color}" fill-opacity="{TINT}" stroke="{color}"/>'
    if level:
        top = y + height * (1 - level)
        box += f'<rect x="{x:.6g}" y="{top:g}" width="{width:.6g}" height="{y + height - top:g}" fill="{color}"/>'
    return box


LEVELS = {"resident": 1, "partly resident": 0.5, "used": 1, "locked": 1, "pinned by views": 1}


def join_states(states: list[str]) -> Iterator[tuple[int, int, str]]:
    """Runs of equal states: first cell, last cell + 1, state."""
    start = 0
    for cell in range(1, len(states) + 1):
        if cell == len(states) or states[cell] != states[start]:
            yield start, cell, states[start]
            start = cell


def draw_lane(lane: Lane, y: float, height: float, cell_width: float) -> Iterator[str]:
    yield write(0, y + height / 2 + 4, lane.label)
    for start, end, state in join_states(lane.states):
        if not state:
            continue
        x, width = LEFT + start * cell_width, (end - start) * cell_width
        yield f"<g><title>{escape(state)}</title>{draw_box(state, x, y, width, height, LEVELS.get(state, 0))}</g>"
        if lane.label == "access" and width > len(state) * LETTER:
            yield write(x + 4, y + height / 2 + 4, state)


def draw_svg_axis(ticks: list[Tick], y: float, cell_width: float) -> Iterator[str]:
    for tick in ticks:
        x = LEFT + tick.place * cell_width
        yield f'<path d="M{x:.6g} {y:g}v5" stroke="{COLORS["reserved"]}"/>'
        if tick.left < tick.place:
            yield write(RIGHT, y + LINE, tick.label, ' text-anchor="end"')
        else:
            yield write(round(x, 2), y + LINE, tick.label)


def draw_svg_legend(lanes: list[Lane], y: float) -> tuple[list[str], float]:
    """The legend, and where the next line goes."""
    seen = {state for lane in lanes for state in lane.states}
    x, items = float(LEFT), list[str]()
    for state in COLORS:
        if state not in seen:
            continue
        width = 18 + len(state) * LETTER + 14
        if x + width > RIGHT:
            x, y = LEFT, y + LINE
        items += [draw_box(state, x, y - 10, 12, 12, LEVELS.get(state, 0)), write(round(x + 18, 2), y, state)]
        x += width
    return items, y + LINE


def draw_svg(memory: MemoryMap, ink: str = INK, style: str = "max-width:100%;height:auto") -> str:
    """A picture for a white or a black page."""
    scale = make_scale(memory, SVG_CELLS)
    lanes = make_lanes(memory, scale)
    cell_width = (RIGHT - LEFT) / scale.num_cells
    title = f"{describe_owner(memory)}: {describe_totals(memory)}"
    drawn = [write(0, 14, describe_owner(memory), ' font-weight="bold"'), write(0, 14 + LINE, describe_totals(memory))]
    y = 14.0 + 2 * LINE
    for lane in lanes:
        height = HEIGHTS.get(lane.label, HEIGHT)
        drawn += draw_lane(lane, y, height, cell_width)
        y += height + 6
    drawn += draw_svg_axis(choose_ticks(memory, scale, LETTER / cell_width), y - 3, cell_width)
    legend, y = draw_svg_legend(lanes, y + 3 * LINE - 12)
    drawn += legend
    for line in wrap(describe_scale(memory, scale), int((RIGHT - LEFT) / LETTER), 0):
        drawn.append(write(LEFT, y, line))
        y += LINE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y - 8:g}" viewBox="0 0 {WIDTH} {y - 8:g}" '
        f'role="img" aria-label="{escape(title)}" style="{style}" fill="{ink}" '
        f'font-family="system-ui, sans-serif" font-size="12">{"".join(drawn)}</svg>'
    )


def draw_html(memory: MemoryMap) -> str:
    """The picture in the colour of the text around it, and its parts as a table to fold out."""
    rows = [
        f"<tr><td>{part.offset}</td><td>{format_bytes(part.num_bytes)}</td>"
        f'<td style="text-align:left">{describe_part(part)}</td></tr>'
        for part in memory.parts[:MAX_TABLE_ROWS]
    ]
    if len(memory.parts) > MAX_TABLE_ROWS:
        rows.append(f'<tr><td colspan="3">{describe_rest(memory.parts[MAX_TABLE_ROWS:])}</td></tr>')
    picture = draw_svg(memory, ink="currentColor", style="max-width:100%;min-width:560px;height:auto")
    return (
        f'<div style="overflow-x:auto">{picture}</div>'
        f"<details><summary>{count(len(memory.parts), 'part')} from address {memory.address:#x} on</summary>"
        f"<table><tr><th>offset</th><th>size</th><th></th></tr>{''.join(rows)}</table></details>"
    )
