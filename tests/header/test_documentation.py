"""The pages about the headers and the programs in them: they build and run, and the pages say what the headers do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.header.builds import ARENA_HEADER, CXX_COMPILERS, HEADER, Builder, find_compiler, run
from tests.support.processes import ROOT

PAGE = ROOT / "docs" / "header.md"
ARENA_PAGE = ROOT / "docs" / "how-to" / "arenas-in-c.md"
UPSTREAM_PAGE = ROOT / "docs" / "coming-from-upstream.md"
EXAMPLES = sorted((ROOT / "examples" / "c").glob("*.c"))

SYSTEMS = ("Linux", "macOS", "Windows", "FreeBSD", "NetBSD", "OpenBSD", "other")
OVERCOMMIT_MODE = Path("/proc/sys/vm/overcommit_memory")

# The rows of operations by the capability without which they are unsupported.
OPERATIONS = {
    "can_reserve": (
        "reserve",
        "aligned reserve",
        "release",
        "commit",
        "decommit",
        "discard",
        "prefault",
        "protect",
        "flush instruction cache",
        "lock, unlock",
    ),
    "can_advise_huge_pages": ("huge page advice",),
    "can_advise_fork": ("fork advice",),
    "can_advise_dump": ("dump advice",),
    "can_lock_on_fault": ("lock on fault",),
    "can_set_name": ("names",),
    "can_query": ("query",),
    "can_count_resident": ("resident",),
    "can_share": (
        "objects: create",
        "objects: import, export",
        "objects: close",
        "objects: size",
        "objects: commit",
        "objects: map",
    ),
    "can_seal": ("objects: seal the size",),
    "can_seal_writers": ("objects: seal writers",),
    "can_map_mirrored": ("objects: map mirrored",),
    "can_map_files": ("objects: files, flush",),
    "can_make_private": ("objects: make private",),
}
ALWAYS_SUPPORTED = ("memory info", "limits")

# The blocks of vmem.h for systems other than Linux, whose block asks the kernel and is tested on Linux only: the column
# of the table, the name that is reported, the tag of the block, and the macro for the system within the block.
OTHER_SYSTEMS = (
    ("macOS", "macOS", "os macos", None),
    ("Windows", "Windows", "os windows", None),
    ("FreeBSD", "FreeBSD", "os bsd", "__FreeBSD__"),
    ("NetBSD", "NetBSD", "os bsd", "__NetBSD__"),
    ("OpenBSD", "OpenBSD", "os bsd", "__OpenBSD__"),
    ("OpenBSD", "other", "os bsd", None),
    ("other", "other", "os unsupported", None),
)
BSD_MACROS = ("__FreeBSD__", "__NetBSD__", "__OpenBSD__")

Table = dict[str, dict[str, str]]


def find_any_compiler() -> list[str]:
    compiler = next(filter(shutil.which, CXX_COMPILERS), None)
    if compiler is None:
        pytest.skip("gcc and clang are not installed")
    return find_compiler(compiler)


def read_table(first_row: str) -> Table:
    """Returns the cells of a table of systems, which begins with this row, by row and by system."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"| | {' | '.join(SYSTEMS)} |", find_row(lines, first_row) - 2)
    table: Table = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        table[name.strip("`")] = dict(zip(SYSTEMS, cells, strict=True))
    return table


def find_row(lines: Sequence[str], name: str) -> int:
    (index,) = (i for i, line in enumerate(lines) if line.startswith(f"| {name} |") and line.count("|") > len(SYSTEMS))
    return index


@pytest.fixture(scope="module")
def operations() -> Table:
    return read_table("reserve")


@pytest.fixture(scope="module")
def capabilities() -> Table:
    return read_table("`can_reserve`")


def list_fields() -> list[str]:
    """Returns the names of the bool fields of VmemCapabilities."""
    (struct,) = re.findall(r"struct VmemCapabilities \{(.*?)\n\}", HEADER.read_text(encoding="utf-8"), re.DOTALL)
    return re.findall(r"^ +bool (\w+);", struct, re.MULTILINE)


def write_program(definitions: str, fill_in: str, folder: Path) -> Path:
    """Writes a program that runs `fill_in` and prints the fields of `capabilities`, a line each."""
    prints = "\n".join(f'    printf("{field}=%d\\n", capabilities.{field});' for field in list_fields())
    defaults = ", ".join(['"other"', *("0" for _ in list_fields())])
    source = folder / "capabilities.c"
    source.write_text(
        f"""
#include <stdio.h>
{definitions}
int main(void) {{
    VmemCapabilities capabilities = {{{defaults}}};
    {fill_in}
    printf("system=%s\\n", capabilities.system);
{prints}
    return 0;
}}
""",
        encoding="utf-8",
    )
    return source


def read_capabilities(source: Path, builder: Builder) -> dict[str, str]:
    program = builder.build(find_any_compiler(), [source])
    return dict(line.split("=") for line in run([program]).splitlines())


def expect(cell: str) -> str:
    """Returns what a program prints for a cell of the table."""
    if cell == "mode 2 only":
        return str(int(OVERCOMMIT_MODE.read_text(encoding="ascii").strip() == "2"))
    return {"yes": "1", "no": "0"}[cell]


# --- the examples ---


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("standard", ["c99", "c++11"])
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_examples_build_and_run(compiler: str, standard: str, example: Path, builder: Builder) -> None:
    lines = run([builder.build(find_compiler(compiler, standard), [example])]).splitlines()
    assert len(lines) in (2, 3)


def test_pages_contain_all_examples() -> None:
    text = PAGE.read_text(encoding="utf-8") + ARENA_PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"\((?:\.\./)+examples/c/(\w+\.c)\):\n\n```c\n(.*?)```\n", text, re.DOTALL)
    assert dict(blocks) == {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES}


def read_manual_example() -> str:
    """The program in the opening comment of vmem_arena.h."""
    manual, _, _ = ARENA_HEADER.read_text(encoding="utf-8").partition("*/")
    lines = manual.partition("\nHOW TO USE IT\n")[2].partition("\nFUNCTIONS\n")[0].splitlines()
    return "\n".join(line.removeprefix(" " * 8) for line in lines if not line or line.startswith(" " * 8))


@pytest.mark.parametrize("standard", ["c99", "c++11"])
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_the_example_of_the_manual_runs(compiler: str, standard: str, builder: Builder, tmp_path: Path) -> None:
    source = tmp_path / "manual.c"
    source.write_text(read_manual_example() + "\n", encoding="utf-8")
    run([builder.build(find_compiler(compiler, standard), [source])])


@pytest.mark.parametrize("standard", ["c99", "c++11"])
def test_the_first_lines_of_the_guide_run(standard: str, builder: Builder, tmp_path: Path) -> None:
    beginning = ARENA_PAGE.read_text(encoding="utf-8").partition("\nBoth are in ")[0]
    body = "\n".join(re.findall(r"```c\n(.*?)```\n", beginning, re.DOTALL))
    program = (
        '#include <stdio.h>\n#define VMEM_IMPLEMENTATION\n#include "vmem_arena.h"\nint main(void) {{\n{}return 0;\n}}\n'
    )
    source = tmp_path / "guide.c"
    source.write_text(program.format(body), encoding="utf-8")
    assert run([builder.build(find_compiler("gcc", standard), [source])]) == "0.5, of 1\n"


def read_first_program() -> str:
    program: str
    (program,) = re.findall(
        r"^A complete program:\n\n```c\n(.*?)```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M
    )
    return program


def read_object_program() -> str:
    text = PAGE.read_text(encoding="utf-8")
    (body,) = re.findall(r"^```c\n(VmemObject object;\n.*?)```\n", text, re.DOTALL | re.MULTILINE)
    return f'#define VMEM_IMPLEMENTATION\n#include "vmem.h"\nint main(void) {{\n{body}return 0;\n}}\n'


@pytest.mark.parametrize("standard", ["c99", "c++11"])
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
@pytest.mark.parametrize(("read", "printed"), [(read_first_program, "42 0\n"), (read_object_program, "")])
def test_the_programs_of_the_page_run(
    read: Callable[[], str], printed: str, compiler: str, standard: str, builder: Builder, tmp_path: Path
) -> None:
    source = tmp_path / "page.c"
    source.write_text(read(), encoding="utf-8")
    assert run([builder.build(find_compiler(compiler, standard), [source])]) == printed


# --- the page and the header ---


def test_page_names_all_functions() -> None:
    functions = re.findall(r"^VMEM_API [^(]*?(\w+)\([^;{]*\);$", HEADER.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(functions) == len(set(functions)) > 20
    named = set(re.findall(r"`(vmem_\w+)`", PAGE.read_text(encoding="utf-8")))
    assert set(functions) == named


def test_guide_names_all_functions_and_macros() -> None:
    header, text = ARENA_HEADER.read_text(encoding="utf-8"), ARENA_PAGE.read_text(encoding="utf-8")
    functions = re.findall(r"^VMEM_API [^(]*?\b(vmem_(?!_)\w+)\([^;{]*\);$", header, re.MULTILINE)
    macros = re.findall(r"^#define (vmem_(?!_)\w+)\(", header, re.MULTILINE)
    assert len(functions) == 8
    assert len(macros) == 7
    rows = re.findall(r"^\| (?:arena|array) \| (.*) \|$", text, re.MULTILINE)
    assert re.findall(r"`(vmem_\w+)`", " ".join(rows)) == functions + macros
    (section,) = re.findall(r"^FUNCTIONS\n(.*?)\n\n", header, re.DOTALL | re.MULTILINE)
    assert re.findall(r"vmem_\w+", section) == functions + macros


@pytest.mark.parametrize(
    ("header", "page"), [(HEADER, PAGE), (ARENA_HEADER, ARENA_PAGE)], ids=["vmem.h", "vmem_arena.h"]
)
def test_page_names_all_options(header: Path, page: Path) -> None:
    (options,) = re.findall(r"^OPTIONS\n(.*?)\n\n[A-Z]", header.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names = re.findall(r"^ {8}(VMEM_\S+)", options, re.MULTILINE)
    assert names
    rows = re.findall(r"^\| `(VMEM_\S+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == names


def test_names_that_upstream_programs_change_to() -> None:
    """The second column of the tables has names of our headers, or nothing."""
    headers = "".join(path.read_text(encoding="utf-8") for path in HEADER.parent.glob("vmem*.h"))
    rows = re.findall(r"^\| (`.*?) \|(.*?)\|", UPSTREAM_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 30
    for upstream, ours in rows:
        names = re.findall(r"`(\w+)", ours)
        assert all(re.search(rf"\b{name}\b", headers) for name in names if name not in ("size_t", "arena")), ours
        assert ours.isspace() or names, upstream


def test_the_search_finds_all_results_of_upstream_that_mean_the_opposite() -> None:
    text = UPSTREAM_PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`vmem_.*?) \|.*\*\*0 is success\*\*", text, re.MULTILINE)
    changed = {f"vmem_{name}" for row in rows for name in re.findall(r"`vmem_(\w+)", row)}
    searched = re.findall(r'names=["\'](?:\$names\|)?(.*)["\']', text)
    found = {f"vmem_{name}" for names in searched for name in names.split("|")}
    assert "vmem_arena_deinit_dealloc" in changed
    returns_nothing_or_a_count = {"vmem_free", "vmem_query_range_info"}
    assert changed - returns_nothing_or_a_count <= found


def test_table_has_all_capabilities(capabilities: Table) -> None:
    assert list(capabilities) == list_fields()
    assert {cell for row in capabilities.values() for cell in row.values()} == {"yes", "no", "mode 2 only"}


def test_unsupported_operations_are_missing_capabilities(operations: Table, capabilities: Table) -> None:
    supported = {
        operation: {system: cell != "unsupported" for system, cell in row.items()}
        for operation, row in operations.items()
    }
    expected = {
        operation: {system: cell != "no" for system, cell in capabilities[field].items()}
        for field, names in OPERATIONS.items()
        for operation in names
    }
    always = {operation: dict.fromkeys(SYSTEMS, True) for operation in ALWAYS_SUPPORTED}
    assert supported == expected | always


def test_memory_info_reports_more_than_the_total_with_the_capability(operations: Table, capabilities: Table) -> None:
    reports_more = {system: cell == "yes" for system, cell in capabilities["tells_available_memory"].items()}
    said = {system: "total only" not in cell and cell != "all 0" for system, cell in operations["memory info"].items()}
    assert said == reports_more


def test_capabilities_of_this_system(capabilities: Table, builder: Builder, tmp_path: Path) -> None:
    definitions = '#define VMEM_IMPLEMENTATION\n#include "vmem.h"'
    source = write_program(definitions, "capabilities = vmem_get_capabilities();", tmp_path)
    reported = read_capabilities(source, builder)
    system = reported.pop("system")
    assert reported == {field: expect(row[system]) for field, row in capabilities.items()}


def read_block(name: str) -> str:
    """Returns the section of vmem.h with this tag."""
    block: str
    text = HEADER.read_text(encoding="utf-8")
    (block,) = re.findall(rf"^// >>{name} -+\n(.*?)^// >>", text, re.DOTALL | re.MULTILINE)
    return block


@pytest.mark.parametrize(("column", "system", "block", "macro"), OTHER_SYSTEMS)
def test_capabilities_of_other_systems(
    column: str, system: str, block: str, macro: str | None, capabilities: Table, builder: Builder, tmp_path: Path
) -> None:
    """The code that fills in the capabilities of another system is plain C, which runs here too."""
    code = read_block(block)
    (function,) = re.findall(r"^static void vmem__os_get_capabilities\([^)]*\) \{[^}]*\}$", code, re.MULTILINE)
    constants = re.findall(r"^#if defined\(__FreeBSD__\)\n.*?^#endif$", code, re.DOTALL | re.MULTILINE)[:1]
    macros = [f"#undef {other}" for other in BSD_MACROS] + ([f"#define {macro} 1"] if macro else [])
    definitions = "\n".join(['#include "vmem.h"', *macros, *constants, function])
    source = write_program(definitions, "vmem__os_get_capabilities(&capabilities);", tmp_path)
    expected = {field: expect(row[column]) for field, row in capabilities.items()}
    if system != column:
        expected["can_advise_fork"] = "0"  # minherit() is that of the BSDs
    assert read_capabilities(source, builder) == {"system": system} | expected
