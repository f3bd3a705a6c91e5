"""docs/: the reference has the whole public API, the pages show every example, and Sphinx has no warnings."""

from __future__ import annotations

import html
import importlib.util
import inspect
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import vmem
from tests.support.sharing import SharedFolder

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HEADERS = [ROOT / "csrc" / name for name in ("vmem.h", "vmem_arena.h")]

WITH_ATTRIBUTES = ("Region", "Array", "Arena", "Ring", "Range", "MemoryInfo", "MemoryMap", "MemoryPart")


def read_pages(folder: str = ".") -> str:
    """The sources of all pages in a folder of docs/, one after the other."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((DOCS / folder).rglob("*.md")))


def list_types() -> list[str]:
    return [name for name in vmem.__all__ if inspect.isclass(getattr(vmem, name))]


def list_members(kind: type) -> list[str]:
    """The public methods and attributes that are a type's own: not those of int, OSError or another public type."""
    public = [getattr(vmem, name) for name in vmem.__all__]
    others = [base for base in kind.__mro__[1:] if base.__module__.split(".")[0] != "vmem" or base in public]
    foreign = {name for base in others for name in dir(base)} - set(vars(kind))
    return [name for name in dir(kind) if not name.startswith("_") and name not in foreign]


# --- the sources ---


def test_the_reference_names_everything_public() -> None:
    named = re.findall(r"^\.\. auto(?:function|class|exception|data):: (\S+)$", read_pages("reference"), re.MULTILINE)
    assert sorted(named) == vmem.__all__


@pytest.mark.parametrize("name", ["Region", "Array", "Arena", "Ring"])
def test_the_reference_includes_all_methods(name: str) -> None:
    options = f".. autoclass:: {name}\n   :members:\n   :inherited-members:\n"
    assert options in read_pages("reference")


@pytest.mark.parametrize("kind", [getattr(vmem, name) for name in WITH_ATTRIBUTES])
def test_the_docstring_of_a_type_describes_its_attributes(kind: type) -> None:
    """The reference shows this section instead of the attributes' own docstrings."""
    (section,) = re.findall(r"Attributes\n-+\n(.*?)\n\n", inspect.getdoc(kind) or "", re.DOTALL)
    attributes = [name for name in list_members(kind) if not callable(getattr(kind, name))]
    assert sorted(re.findall(r"^(\w+) : ", section, re.MULTILINE)) == sorted(attributes)


def test_the_reference_includes_all_groups_of_functions_in_c() -> None:
    groups = list[str]()
    for header in HEADERS:
        text = header.read_text(encoding="utf-8")
        (section,) = re.findall(r"^FUNCTIONS\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
        groups += re.findall(r"^ {4}(\w+)", section, re.MULTILINE)
    assert re.findall(r"^\.\. vmem-functions:: (\w+)$", read_pages("reference"), re.MULTILINE) == groups


def test_every_example_is_shown() -> None:
    text = read_pages()
    shown = {path.name for path in (ROOT / "examples").glob("*.py") if f"/examples/{path.name}\n" in text}
    assert shown == {path.name for path in (ROOT / "examples").glob("*.py")}


# --- the built pages ---


@pytest.fixture(scope="module")
def built(shared_folder: SharedFolder) -> Path:
    if any(
        importlib.util.find_spec(name) is None for name in ("furo", "myst_parser", "sphinx_copybutton", "sphinx_design")
    ):
        pytest.skip("Sphinx and its extensions are not installed; `make docs` installs them")
    return shared_folder("docs", build_pages)


def build_pages(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", DOCS, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def inventory(built: Path) -> set[tuple[str, str]]:
    """Everything that the built pages describe: its name and its domain."""
    content = (built / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(content).decode().splitlines()
    return {(name, domain) for name, domain in re.findall(r"^(\S+) (\w+):", "\n".join(lines), re.MULTILINE)}


def test_the_built_reference_has_everything_public(inventory: set[tuple[str, str]]) -> None:
    names = [f"vmem.{name}" for name in vmem.__all__]
    names += [f"vmem.{kind}.{member}" for kind in list_types() for member in list_members(getattr(vmem, kind))]
    assert len(names) > 60
    assert {(name, "py") for name in names} - inventory == set()


def test_the_built_reference_has_all_functions_in_c(inventory: set[tuple[str, str]]) -> None:
    pattern = r"^VMEM_API [^(]*?\b(vmem_(?!_)\w+)\(.*\);$|^#define (vmem_(?!_)\w+)\("
    found = [
        match for header in HEADERS for match in re.finditer(pattern, header.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    declared = [match[1] or match[2] for match in found]
    assert {"vmem_arena_mark", "vmem_array_push"} < set(declared)
    assert len(declared) > 50
    assert {(name, "c") for name in declared} - inventory == set()


def test_the_c_reference_shows_the_comments_of_the_header(built: Path) -> None:
    page = re.sub(r"<[^>]*>", "", (built / "reference" / "c.html").read_text(encoding="utf-8"))
    assert "up to 79 printable ASCII characters without [ ] \\ $ `; NULL removes the name." in page
    api = ""
    for header in HEADERS:
        before, _, _ = header.read_text(encoding="utf-8").partition("#endif  // VMEM_")
        api += before.partition("*/")[2]
    for word in ("fails", "threads", "systems"):
        assert (
            len(re.findall(rf"^{word}:$", page, re.MULTILINE))
            == len(re.findall(rf"^//   {word} ", api, re.MULTILINE))
            > 20
        )


def test_no_table_has_an_empty_header(built: Path) -> None:
    heads = [
        head
        for page in built.rglob("*.html")
        for head in re.findall("<thead>.*?</thead>", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(heads) > 5
    assert [head for head in heads if not re.sub(r"<[^>]*>|\s", "", head)] == []


def test_the_map_is_shown_as_text_and_as_a_picture(built: Path) -> None:
    page = (built / "reference" / "map.html").read_text(encoding="utf-8")
    assert "region 'index': 1 TiB reserved, 72 MiB committed," in html.unescape(re.sub(r"<[^>]*>", "", page))
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" width="760"') == 1


def test_the_first_page_links_to_all_others(built: Path) -> None:
    (body,) = re.findall("<article.*</article>", (built / "index.html").read_text(encoding="utf-8"), re.DOTALL)
    pages = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")}
    assert pages - set(re.findall('href="([^"#]+)"', body)) == {"index.html", "releasing.html"}


@pytest.mark.parametrize("name", ["Region", "Array", "Arena", "Ring", "Table"])
def test_a_class_has_types_and_a_table_of_its_methods(built: Path, name: str) -> None:
    page = (built / "reference" / f"{name.lower()}.html").read_text(encoding="utf-8")
    (heading,) = re.findall(rf'<dt[^>]* id="vmem\.{name}">(.*?)</dt>', page, re.DOTALL)
    text = re.sub(r"\s", "", html.unescape(re.sub(r"<[^>]*>", "", heading)))
    assert text.startswith(f"classvmem.{name}(")
    assert re.search(r":(int|str|Mapping\[str,str\])", text)
    (table,) = re.findall(r'<table class="autosummary.*?</table>', page, re.DOTALL)[:1]
    methods = [each for each in list_members(getattr(vmem, name)) if callable(getattr(vmem, name).__dict__.get(each))]
    assert len(methods) > 5
    assert set(methods) <= set(re.findall(rf'href="#vmem\.{name}\.(\w+)"', table))


def test_the_table_of_typecodes_names_numpys_types() -> None:
    numpy = pytest.importorskip("numpy")
    page = (DOCS / "reference" / "array.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `'(\w)'` \| `([\w ]+)` \| (\d)[^|]*\| `(\w+)`(?:; `(\w+)`)? \|", page, re.MULTILINE)
    assert "".join(row[0] for row in rows) == "bBhHiIlLqQfd"
    for typecode, _, num_bytes, *names in rows:
        assert numpy.dtype(typecode).name in names
        assert vmem.Array(typecode).itemsize in (int(num_bytes), 4)


@pytest.mark.parametrize("path", sorted((DOCS / "how-to").glob("*.md")), ids=lambda path: path.stem)
def test_a_guide_begins_with_a_few_lines_that_work_and_ends_with_what_can_go_wrong(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    kind, first = re.findall(r"^```(\S+)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0]
    assert kind in ("python", "c"), "written out, so that sites of repositories show it"
    assert len(first.splitlines()) <= 12
    assert "What can go wrong" in re.findall("^## (.*)", text, re.MULTILINE)[-2:]
