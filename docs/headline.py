"""Makes the chart and the table of the README of what `vmem bench --json` measured: `make chart`.

    python docs/headline.py

reads benchmarks/results/headline.json, writes docs/static/growth-light.svg and growth-dark.svg, and replaces what is
between the marks of README.md. The first page of the documentation includes that.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from vmem._bench.headline import WANTED_BYTES

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "headline.json"
README = ROOT / "README.md"
START, END = "<!-- measured -->\n", "<!-- end of measured -->\n"

Result = dict[str, Any]

# --- the table ---

# For each row: what one would use, what vmem has, which comparisons tell how fast that is, and what else one gets.
ROWS = [
    (
        "`np.empty`, copied into one of twice the size when it is full",
        "`vmem.Array`",
        "{grow} as fast, its slowest append {grow-stall}",
        "views stay valid while it grows",
    ),
    (
        "`array.array`",
        "`vmem.Array`",
        "{grow-array} as fast",
        "it grows while a view is alive, which raises `BufferError` there",
    ),
    (
        "`np.memmap`, opened again after each append",
        "`vmem.open_array`",
        "{file} as fast",
        "old views stay valid; `.npy` too",
    ),
    (
        "`shared_memory`, replaced by a block of twice the size when it is full",
        "`vmem.Array(shared=True)`",
        "{share} as fast",
        "readers see it grow; nothing to open again, to unlink or to leak",
    ),
    (
        "`np.roll`",
        "`vmem.Ring`",
        "{window} as fast",
        "the newest items are one array, never a copy",
    ),
    (
        "a `list` of tuples, then `np.array`",
        "`vmem.Table`",
        "{record} as fast",
        "columns that NumPy, Polars and DuckDB read while it grows",
    ),
]


def format_times(times: float) -> str:
    return f"**{times:.1f}x**" if times < 9.95 else f"**{times:.0f}x**"


def make_table(result: Result) -> str:
    """The table in Markdown, with what was measured. Rows that were not are left out."""
    times = {row["key"]: format_times(row["times_as_fast"]) for row in result["rows"]}
    lines = ["| instead of | use | which is |", "|---|---|---|"]
    for instead, use, speed, gain in ROWS:
        if speed.partition("{")[2].partition("}")[0] in times:
            lines.append(f"| {instead} | {use} | {speed.format_map(times)}; {gain} |")
    return "\n".join([*lines, "", describe(result), ""])


def describe(result: Result) -> str:
    size = "" if result["num_bytes"] == WANTED_BYTES else f" --gib {result['num_bytes'] / (1 << 30):g}"
    text = f"One command measures this: `vmem bench{size}`, which is in `.venv/bin` after `make demo`."
    text += f" Here with {result['machine']}."
    if any(row["busy"] for row in result["rows"]):
        text += " The machine was busy: these figures are preliminary."
    return text


# --- the chart ---

WIDTH, HEIGHT = 620, 320
LEFT, RIGHT, TOP, BOTTOM = 66, 164, 70, 40
FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"

PALETTES = {
    "light": {"text": "#1f2328", "quiet": "#59636e", "grid": "#d1d9e0"},
    "dark": {"text": "#f0f6fc", "quiet": "#9198a1", "grid": "#3d444d"},
}
COLOURS = {
    "vmem.Array": {"light": "#0969da", "dark": "#58a6ff"},
    "np.empty, doubled": {"light": "#bc4c00", "dark": "#f0883e"},
    "array.array": {"light": "#6e7781", "dark": "#8b949e"},
}


def choose_step(largest: float, num_steps: int) -> float:
    """The distance of round numbers, of which at most `num_steps` are needed up to `largest`."""
    step = 10.0**-9
    while True:
        for factor in (1.0, 2.0, 5.0):
            if factor * step * num_steps >= largest:
                return factor * step
        step *= 10


def format_seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def format_size(num_bytes: float) -> str:
    gib = num_bytes / (1 << 30)
    return f"{gib:g} GiB" if gib >= 1 or num_bytes == 0 else f"{num_bytes / (1 << 20):g} MiB"


def draw(result: Result, theme: str) -> str:
    """An SVG of the time that has passed, over what has been appended."""
    palette = PALETTES[theme]
    traces: dict[str, list[int]] = {name: result["traces"][name] for name in COLOURS if name in result["traces"]}
    longest = max(trace[-1] for trace in traces.values()) / 1e9
    step = choose_step(longest, 5)
    top = step * -(-longest // step)

    def x_of(share: float) -> float:
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y_of(seconds: float) -> float:
        return HEIGHT - BOTTOM - seconds / top * (HEIGHT - TOP - BOTTOM)

    def write(x: float, y: float, text: str, colour: str, more: str = "") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{more}>{text}</text>'

    size = format_size(result["num_bytes"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" '
        f'font-size="16" role="img">',
        f"<title>{describe_chart(result)}</title>",
        write(12, 22, f"Append {size}, 64 KiB at a time", palette["text"], ' font-size="20" font-weight="600"'),
        write(12, 46, "time that has passed; each step up is one append that waits", palette["quiet"]),
    ]
    for number in range(round(top / step) + 1):
        y = y_of(number * step)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{palette["grid"]}"/>')
        parts.append(write(LEFT - 8, y + 5, format_seconds(number * step), palette["quiet"], ' text-anchor="end"'))
    for quarter in range(5):
        text = format_size(result["num_bytes"] * quarter / 4) if quarter else "0"
        parts.append(write(x_of(quarter / 4), HEIGHT - BOTTOM + 22, text, palette["quiet"], ' text-anchor="middle"'))
    labels = place_labels([y_of(trace[-1] / 1e9) for trace in traces.values()])
    for (name, trace), y in zip(traces.items(), labels, strict=True):
        colour, is_ours = COLOURS[name][theme], name.startswith("vmem")
        points = " ".join(
            f"{x_of(index / (len(trace) - 1)):.1f},{y_of(passed / 1e9):.1f}" for index, passed in enumerate(trace)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{3 if is_ours else 2}" '
            'stroke-linejoin="round"/>'
        )
        weight = ' font-weight="600"' if is_ours else ""
        parts.append(write(WIDTH - RIGHT + 10, y, name, colour, weight))
        parts.append(write(WIDTH - RIGHT + 10, y + 19, format_seconds(trace[-1] / 1e9), colour, weight))
    trace = traces.get("np.empty, doubled", [])
    if trace:
        waited, index = max((after - before, index) for index, (before, after) in enumerate(itertools.pairwise(trace)))
        x, y = x_of((index + 1) / (len(trace) - 1)), y_of((trace[index] + 0.55 * waited) / 1e9)
        parts.append(write(x + 8, y + 5, f"one append: {format_seconds(waited / 1e9)}", palette["text"]))
    return "\n".join([*parts, "</svg>", ""])


def place_labels(ends: list[float]) -> list[float]:
    """Heights of labels of two lines beside the ends of lines, moved apart where they would overlap."""
    distance, lowest = 42.0, HEIGHT - BOTTOM - 16.0
    placed = dict[int, float]()
    for index in sorted(range(len(ends)), key=lambda each: -ends[each]):
        placed[index] = lowest = min(ends[index], lowest)
        lowest -= distance
    return [placed[index] for index in range(len(ends))]


def describe_chart(result: Result) -> str:
    """The chart in words, for those who cannot see it."""
    times = ", ".join(f"{name} {format_seconds(trace[-1] / 1e9)}" for name, trace in result["traces"].items())
    return f"Appending {format_size(result['num_bytes'])}, 64 KiB at a time: {times}"


# --- all ---


def replace_measured(page: str, table: str) -> str:
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    return f"{before}{start}\n{table}\n{end}{after}"


def main() -> None:
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    for theme in PALETTES:
        path = ROOT / "docs" / "static" / f"growth-{theme}.svg"
        path.write_text(draw(result, theme), encoding="utf-8")
    README.write_text(replace_measured(README.read_text(encoding="utf-8"), make_table(result)), encoding="utf-8")
    print(describe(result))


if __name__ == "__main__":
    main()
