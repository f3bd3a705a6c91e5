"""The package as a whole: its names, their documentation, its headers and its version."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import pickle
import re
import sys
import tomllib
from pathlib import Path

import pytest

import vmem
from tests.support.processes import run_python
from tests.support.system import has_a_tebibyte_of_addresses

PUBLIC = [getattr(vmem, name) for name in vmem.__all__ if not name.startswith("__")]
ROOT = Path(__file__).parents[2]


def test_every_public_name_is_exported_once() -> None:
    assert sorted(set(vmem.__all__)) == vmem.__all__
    public = {name for name, value in vars(vmem).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public | {"__version__"} == set(vmem.__all__)
    assert set(vmem.__all__) <= set(dir(vmem))


def documented() -> list[object]:
    members = [
        member
        for kind in (vmem.Region, vmem.Array, vmem.Arena, vmem.Table, vmem.Column, vmem.Rows)
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and callable(member)
    ]
    return [*PUBLIC, *members]


@pytest.mark.parametrize("thing", documented(), ids=lambda thing: getattr(thing, "__qualname__", "?"))
def test_every_public_name_is_documented_with_an_example(thing: object) -> None:
    text = inspect.getdoc(thing)
    assert text
    assert ">>> " in text
    if callable(thing) and not isinstance(thing, type):
        assert inspect.signature(thing)
        if inspect.signature(thing).parameters.keys() - {"self"}:
            assert "Parameters\n---" in text
            assert "Raises\n---" in text or thing is vmem.get_include


@pytest.mark.parametrize("thing", [vmem, *documented()], ids=lambda thing: getattr(thing, "__qualname__", "vmem"))
def test_the_examples_run(thing: object) -> None:
    text = inspect.getdoc(thing)
    assert text
    example = doctest.DocTestParser().get_doctest(text, {}, str(thing), None, None)
    assert example.examples
    if re.search("1 << [46]", text) and not has_a_tebibyte_of_addresses():
        pytest.skip("takes a tebibyte of addresses")
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.FAIL_FAST)
    failures: list[str] = []
    runner.run(example, out=failures.append)
    assert not failures, "".join(failures)


def find_blocks() -> dict[str, list[str]]:
    """The Python programs in the README and in docs/, by the page that they are on.

    But not those that come from files: these have tests of their own.
    """
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "examples").rglob("*.py")]
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = {
        page.relative_to(ROOT).as_posix(): re.findall(
            r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
        for page in pages
    }
    inline = {name: [block for block in found if block not in files] for name, found in blocks.items()}
    return {name: found for name, found in inline.items() if found}


BLOCKS = {f"{name}-{number}": block for name, blocks in find_blocks().items() for number, block in enumerate(blocks, 1)}


@pytest.mark.many_addresses
@pytest.mark.parametrize("name", BLOCKS)
def test_the_examples_of_the_documents_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for library in set(re.findall(r"\b(duckdb|pandas|polars|pyarrow|torch)\b", BLOCKS[name])):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    if sys.platform == "win32" and re.search(r"open_array|/dev/", BLOCKS[name]):
        pytest.skip("files that are mapped do not grow on Windows, which has no /dev")
    run_python(BLOCKS[name])


def test_there_are_examples_in_the_documents() -> None:
    assert {"README.md", "docs/structures.md"} <= find_blocks().keys()
    assert len(BLOCKS) > 5


def test_public_names_have_a_public_module() -> None:
    for thing in PUBLIC:
        assert thing.__module__ in ("vmem", "vmem._vmem"), thing
        if isinstance(thing, type):
            assert pickle.loads(pickle.dumps(thing)) is thing


def test_the_headers_come_with_the_package() -> None:
    folder = Path(vmem.get_include())
    assert folder.is_absolute()
    assert sorted(path.name for path in folder.iterdir()) == ["vmem.h", "vmem_arena.h", "vmem_python.h"]
    for path in folder.iterdir():
        header = ROOT / "csrc" / path.name
        text, include = header.read_text(encoding="utf-8"), f'#include "{header.as_posix()}"\n'
        assert path.read_text(encoding="utf-8") in (text, include), "an editable installation includes these"


def test_the_version_is_the_same_everywhere() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", vmem.__version__)
    for header in ("vmem.h", "vmem_arena.h"):
        assert f"version {vmem.__version__}," in (ROOT / "csrc" / header).read_text(encoding="utf-8")
    first, second, third = map(int, re.findall(r"\d+", vmem.__version__))
    text = (ROOT / "csrc" / "vmem.h").read_text(encoding="utf-8")
    assert f'#define VMEM_VERSION "{vmem.__version__}"\n' in text
    assert f"#define VMEM_VERSION_NUMBER {10_000 * first + 100 * second + third} " in text
    assert f"## [{vmem.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dynamic"]
