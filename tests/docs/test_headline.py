"""What the README shows of `vmem bench`: the chart and the table are those of the measured JSON."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULT: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "headline.json").read_text(encoding="utf-8"))
THEMES = ("light", "dark")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def headline() -> ModuleType:
    """The program that draws the chart."""
    spec = importlib.util.spec_from_file_location("headline", ROOT / "docs" / "headline.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_result(num_bytes: int = 1 << 31, seconds: float = 2.0, busy: bool = False) -> dict[str, Any]:
    keys = ["grow", "grow-stall", "grow-array", "file", "share", "window", "record"]
    return {
        "machine": "vmem 0.0",
        "num_bytes": num_bytes,
        "rows": [{"key": key, "times_as_fast": 1.25 * 3**number, "busy": busy} for number, key in enumerate(keys)],
        "traces": {
            name: [int(seconds * factor * index * 1e9 / 255) for index in range(256)]
            for name, factor in (("vmem.Array", 0.2), ("np.empty, doubled", 1.0), ("array.array", 0.9))
        },
    }


# --- the committed files ---


def test_the_table_of_the_readme_is_what_was_measured(headline: ModuleType) -> None:
    assert headline.replace_measured(README, headline.make_table(RESULT)) == README
    assert len(re.findall(r"\*\*[\d.]+x\*\*", README)) >= 6


@pytest.mark.parametrize("theme", THEMES)
def test_the_chart_is_what_was_measured(headline: ModuleType, theme: str) -> None:
    path = ROOT / "docs" / "static" / f"growth-{theme}.svg"
    assert path.read_text(encoding="utf-8") == headline.draw(RESULT, theme)
    assert f"docs/static/{path.name}" in README


def test_every_comparison_is_in_the_table(headline: ModuleType) -> None:
    from vmem._bench.headline import list_comparisons

    keys = {comparison.key for comparison in list_comparisons(1 << 24, "")}
    assert keys <= set(re.findall(r"\{([\w-]+)\}", " ".join(row[2] for row in headline.ROWS)))


# --- other results ---


def test_a_table(headline: ModuleType) -> None:
    table = headline.make_table(make_result())
    assert "| **1.2x** as fast, its slowest append **3.8x**; views" in table
    assert "| `vmem.open_array` | **34x** as fast;" in table
    assert "One command measures this: `vmem bench --gib 2`, which is in " in table
    assert table.endswith(" Here with vmem 0.0.\n")
    result = make_result(1 << 29, busy=True)
    result["rows"] = [row for row in result["rows"] if row["key"] != "file"]
    table = headline.make_table(result)
    assert "open_array" not in table
    assert "`vmem bench`, which is in " in table
    assert table.endswith(" Here with vmem 0.0. The machine was busy: these figures are preliminary.\n")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("num_bytes", "seconds"), [(1 << 24, 0.004), (1 << 29, 0.5), (1 << 31, 2.0), (1 << 34, 70.0)])
def test_a_chart(headline: ModuleType, theme: str, num_bytes: int, seconds: float) -> None:
    drawn = ET.fromstring(headline.draw(make_result(num_bytes, seconds), theme))
    lines = [line.attrib["points"] for line in drawn.iter(f"{SVG}polyline")]
    assert len(lines) == 3
    points = [tuple(map(float, point.split(","))) for line in lines for point in line.split()]
    assert all(0 < x < headline.WIDTH and headline.TOP <= y < headline.HEIGHT for x, y in points)
    texts = [(float(each.attrib["x"]), float(each.attrib["y"]), each.text) for each in drawn.iter(f"{SVG}text")]
    names = [y for x, y, text in texts if text in headline.COLOURS]
    assert len(names) == 3
    assert min(abs(a - b) for i, a in enumerate(names) for b in names[:i]) >= 34, "the labels overlap"
    assert all(0 < y < headline.HEIGHT for _, y, _ in texts)


@pytest.mark.parametrize("name", ["logo.svg", "growth-light.svg", "growth-dark.svg"])
def test_pictures_have_a_title(name: str) -> None:
    picture = ET.parse(Path(ROOT / "docs" / "static" / name)).getroot()
    assert picture.findtext(f"{SVG}title")
