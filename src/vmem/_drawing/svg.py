"""Maps as pictures for notebooks: SVG, and HTML around it."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from vmem._drawing.lanes import Lane, make_lanes
from vmem._drawing.scale import Tick, choose_ticks, describe_scale, make_scale
from vmem._drawing.text import wrap
from vmem._drawing.words import describe_omitted, describe_owner, describe_part, describe_totals
from vmem._format import format_bytes, format_count
from vmem._types import MapData

# Every colour has a contrast of 3:1 or more to white and to black, because a picture cannot know its background.
# Nothing is told by colour alone: lanes have labels, and resident memory is filled.
TEXT_COLOR = "#7a7a7a"
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
TINT = 0.25  # opacity of the unfilled part of a box
FILL_LEVELS = {"resident": 1, "partly resident": 0.5, "used": 1, "locked": 1, "pinned by views": 1}

WIDTH = 760
LEFT = 72
RIGHT = WIDTH - 8
LINE_HEIGHT = 18
CHARACTER_WIDTH = 6.4  # average, rounded up
MAX_CELLS = 220
MEMORY_HEIGHT = 40
LANE_HEIGHT = 14
MAX_TABLE_ROWS = 200


def draw_svg(memory: MapData, color: str = TEXT_COLOR, style: str = "max-width:100%;height:auto") -> str:
    """A picture for a light or a dark page."""
    scale = make_scale(memory, MAX_CELLS)
    lanes = make_lanes(memory, scale)
    cell_width = (RIGHT - LEFT) / scale.num_cells
    owner, totals = describe_owner(memory), describe_totals(memory)
    drawn = [draw_label(0, 14, owner, ' font-weight="bold"'), draw_label(0, 14 + LINE_HEIGHT, totals)]
    y = 14.0 + 2 * LINE_HEIGHT
    for lane in lanes:
        height = MEMORY_HEIGHT if lane.label == "memory" else LANE_HEIGHT
        drawn += draw_lane(lane, y, height, cell_width)
        y += height + 6
    drawn += draw_axis(choose_ticks(memory, scale, CHARACTER_WIDTH / cell_width), y - 3, cell_width)
    legend, y = draw_legend(lanes, y + 3 * LINE_HEIGHT - 12)
    drawn += legend
    for line in wrap(describe_scale(memory, scale), int((RIGHT - LEFT) / CHARACTER_WIDTH), 0):
        drawn.append(draw_label(LEFT, y, line))
        y += LINE_HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y - 8:g}" viewBox="0 0 {WIDTH} {y - 8:g}" '
        f'role="img" aria-label="{escape(f"{owner}: {totals}")}" style="{style}" fill="{color}" '
        f'font-family="system-ui, sans-serif" font-size="12">{"".join(drawn)}</svg>'
    )


def draw_html(memory: MapData) -> str:
    """The picture in the text colour of the page, and the parts as a table that unfolds."""
    rows = [
        f"<tr><td>{part.offset}</td><td>{format_bytes(part.num_bytes)}</td>"
        f'<td style="text-align:left">{describe_part(part)}</td></tr>'
        for part in memory.parts[:MAX_TABLE_ROWS]
    ]
    if len(memory.parts) > MAX_TABLE_ROWS:
        rows.append(f'<tr><td colspan="3">{describe_omitted(memory.parts[MAX_TABLE_ROWS:])}</td></tr>')
    picture = draw_svg(memory, color="currentColor", style="max-width:100%;min-width:560px;height:auto")
    return (
        f'<div style="overflow-x:auto">{picture}</div>'
        f"<details><summary>{format_count(len(memory.parts), 'part')} from address {memory.address:#x} on</summary>"
        f"<table><tr><th>offset</th><th>size</th><th></th></tr>{''.join(rows)}</table></details>"
    )


def draw_label(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{attributes}>{escape(text)}</text>'


def draw_box(state: str, x: float, y: float, width: float, height: float) -> str:
    """The box of a state: tinted, and filled up to its level. Memory that cannot be used is a dashed outline."""
    color, level = COLORS[state], FILL_LEVELS.get(state, 0)
    inside = f'x="{x + 0.5:.6g}" y="{y + 0.5:g}" width="{max(width - 1, 0.5):.6g}" height="{height - 1:g}"'
    if state in ("reserved", "no access"):
        return f'<rect {inside} fill="none" stroke="{color}" stroke-dasharray="2 2"/>'
    box = f'<rect {inside} fill="{color}" fill-opacity="{TINT}" stroke="{color}"/>'
    if level:
        top = y + height * (1 - level)
        box += f'<rect x="{x:.6g}" y="{top:g}" width="{width:.6g}" height="{y + height - top:g}" fill="{color}"/>'
    return box


def draw_lane(lane: Lane, y: float, height: float, cell_width: float) -> Iterator[str]:
    """The label of a lane, and a box for each run of equal cells."""
    yield draw_label(0, y + height / 2 + 4, lane.label)
    start = 0
    for state, cells in groupby(lane.states):
        num_cells = len(list(cells))
        x, width = LEFT + start * cell_width, num_cells * cell_width
        start += num_cells
        if not state:
            continue
        yield f"<g><title>{escape(state)}</title>{draw_box(state, x, y, width, height)}</g>"
        if lane.label == "access" and width > len(state) * CHARACTER_WIDTH:
            yield draw_label(x + 4, y + height / 2 + 4, state)


def draw_axis(ticks: list[Tick], y: float, cell_width: float) -> Iterator[str]:
    """The marks of the axis, and their labels."""
    for tick in ticks:
        x = LEFT + tick.position * cell_width
        yield f'<path d="M{x:.6g} {y:g}v5" stroke="{COLORS["reserved"]}"/>'
        if tick.label_start < tick.position:
            yield draw_label(RIGHT, y + LINE_HEIGHT, tick.label, ' text-anchor="end"')
        else:
            yield draw_label(round(x, 2), y + LINE_HEIGHT, tick.label)


def draw_legend(lanes: list[Lane], y: float) -> tuple[list[str], float]:
    """The legend, and the position of the next line below it."""
    seen = {state for lane in lanes for state in lane.states}
    x, items = float(LEFT), list[str]()
    for state in COLORS:
        if state not in seen:
            continue
        width = 18 + len(state) * CHARACTER_WIDTH + 14
        if x + width > RIGHT:
            x, y = LEFT, y + LINE_HEIGHT
        items += [draw_box(state, x, y - 10, 12, 12), draw_label(round(x + 18, 2), y, state)]
        x += width
    return items, y + LINE_HEIGHT
