"""Dependencies point one way: Python layer, _vmem.c, types, core, python, vmem.h. There is no circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
C_SOURCES = ROOT / "csrc"
PYTHON_SOURCES = ROOT / "src" / "vmem"

# Lowest first. A source may include those of its own storey and of lower ones.
STOREYS = ["vmem", "python", "core", "types", "_vmem"]
# What other projects include, and what each of them includes of ours.
PUBLIC_HEADERS: dict[str, set[str]] = {"vmem": set(), "vmem_arena": {"vmem"}, "vmem_python": set()}

Graph = dict[str, set[str]]


def find_includes(source: Path) -> set[str]:
    text = source.read_text(encoding="utf-8")
    return {name.removesuffix(".h") for name in re.findall(r'^#include "(.+)"$', text, re.MULTILINE)}


def make_include_graph() -> Graph:
    """What each unit, a source file together with its header, includes."""
    graph: Graph = {}
    for source in C_SOURCES.rglob("*.[ch]"):
        unit = source.relative_to(C_SOURCES).with_suffix("").as_posix()
        graph[unit] = graph.get(unit, set()) | (find_includes(source) - {unit})
    return graph


def storey_of(unit: str) -> int:
    return 0 if unit in PUBLIC_HEADERS else STOREYS.index(unit.partition("/")[0])


def find_module(name: str) -> str | None:
    """The module of the package that an import names, as a path in the package; None for others."""
    if name.split(".")[0] != "vmem":
        return None
    path = name.removeprefix("vmem").lstrip(".").replace(".", "/")
    if path and any((PYTHON_SOURCES / f"{path}{suffix}").exists() for suffix in (".py", ".pyi")):
        return path
    return f"{path}/__init__".lstrip("/") if (PYTHON_SOURCES / path / "__init__.py").exists() else None


def find_imported_names(source: Path) -> Iterator[str]:
    """All imports of a module: also those in functions, and those for type checkers."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: imports are absolute"
            assert node.module
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if find_module(name) else node.module for name in submodules)


def make_import_graph() -> Graph:
    graph: Graph = {}
    for source in PYTHON_SOURCES.rglob("*.py"):
        module = source.relative_to(PYTHON_SOURCES).with_suffix("").as_posix()
        imported = {find_module(name) for name in find_imported_names(source)}
        graph[module] = {name for name in imported if name} - {module}
    return graph


@pytest.mark.parametrize("make_graph", [make_include_graph, make_import_graph])
def test_there_is_no_circle(make_graph: object) -> None:
    assert callable(make_graph)
    graph: Graph = make_graph()
    assert len(graph) > 10
    assert any(graph.values())
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle


def test_includes_point_down() -> None:
    graph = make_include_graph()
    up = {(unit, other) for unit in graph for other in graph[unit] if storey_of(other) > storey_of(unit)}
    assert not up


def test_every_include_is_a_file_of_ours() -> None:
    graph = make_include_graph()
    assert set().union(*graph.values()) <= set(graph)


def test_the_extension_includes_nothing_of_the_python_layer() -> None:
    for source in C_SOURCES.rglob("*.[ch]"):
        assert not re.search(r'PyImport_\w+\("vmem(\._[a-uw-z]\w*)?"', source.read_text(encoding="utf-8")), source


@pytest.mark.parametrize("unit", sorted(PUBLIC_HEADERS))
def test_public_headers_need_no_private_ones(unit: str) -> None:
    assert make_include_graph()[unit] == PUBLIC_HEADERS[unit]
