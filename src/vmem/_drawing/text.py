"""Maps as text for terminals."""

import shutil
import sys
import textwrap
from collections.abc import Iterator

from vmem._drawing.lanes import Lane, make_lanes
from vmem._drawing.scale import Tick, choose_ticks, describe_scale, make_scale
from vmem._drawing.words import describe_omitted, describe_owner, describe_part, describe_totals
from vmem._format import UNITS, format_bytes
from vmem._types import MapData

MIN_WIDTH = 40
MAX_WIDTH = 160
MAX_ROWS = 24
LABEL_WIDTH = 8
NO_BREAK_SPACE = "\xa0"  # textwrap breaks lines at ASCII whitespace alone

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


def draw_text(memory: MapData) -> str:
    """A map in the width of the terminal, in ASCII if the output's encoding lacks the other characters."""
    width = min(max(shutil.get_terminal_size().columns, MIN_WIDTH), MAX_WIDTH)
    text = "\n".join(draw_lines(memory, width, in_unicode=True))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = "\n".join(draw_lines(memory, width, in_unicode=False))
    return text


def draw_lines(memory: MapData, width: int, in_unicode: bool) -> Iterator[str]:
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


def draw_axis(ticks: list[Tick]) -> list[str]:
    """A line of marks, and the line of their labels."""
    marks, labels = "", ""
    for tick in ticks:
        at = min(int(tick.position), int(tick.label_start) + len(tick.label) - 1)
        marks = f"{marks.ljust(at)}|"
        labels = f"{labels.ljust(int(tick.label_start))}{tick.label}"
    return [" " * LABEL_WIDTH + marks, " " * LABEL_WIDTH + labels]


def draw_legend(lanes: list[Lane], glyph: int, width: int) -> list[str]:
    """The meanings of the glyphs in those two lanes that have several; in the others the label is the meaning."""
    seen = {state for lane in lanes if lane.label in ("memory", "access") for state in lane.states}
    items = [
        f"{GLYPHS[state][glyph]} {state}".replace(" ", NO_BREAK_SPACE) for state in GLYPHS if state and state in seen
    ]
    return wrap("  ".join(items), width, 0)


def draw_rows(memory: MapData, width: int) -> Iterator[str]:
    """The parts as the rows of a table."""
    shown = memory.parts if len(memory.parts) <= MAX_ROWS else memory.parts[: MAX_ROWS - 1]
    digits = max(len(str(shown[-1].offset)), len("offset"))
    yield f"{'offset':>{digits}}  {'size':>10}"
    for part in shown:
        yield from wrap(
            f"{part.offset:>{digits}}  {format_bytes(part.num_bytes):>10}  {describe_part(part)}", width, digits + 14
        )
    if len(shown) < len(memory.parts):
        yield from wrap(describe_omitted(memory.parts[len(shown) :]), width)


def wrap(text: str, width: int, indent: int = 2) -> list[str]:
    """The lines of a text, all but the first indented. Numbers and their units stay on one line."""
    for unit in (*UNITS, "view"):
        text = text.replace(f" {unit}", f"{NO_BREAK_SPACE}{unit}")
    lines = textwrap.wrap(text, width, subsequent_indent=" " * indent, break_on_hyphens=False)
    return [line.replace(NO_BREAK_SPACE, " ") for line in lines]
