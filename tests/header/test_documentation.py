"""docs/header.md and the programs in it: they build and run, and the page says what csrc/vmem.h does."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "csrc" / "vmem.h"
PAGE = ROOT / "docs" / "header.md"
EXAMPLES = sorted((ROOT / "examples" / "c").glob("*.c"))

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
LANGUAGES = {"c99": ["-std=c99"], "c++11": ["-x", "c++", "-std=c++11"]}
COMPILERS = {"c99": {"gcc": "gcc", "clang": "clang"}, "c++11": {"gcc": "g++", "clang": "clang++"}}

EXECUTABLE = "program.exe" if sys.platform == "win32" else "program"

SYSTEMS = ("Linux", "macOS", "Windows", "FreeBSD", "NetBSD", "OpenBSD", "other")
OVERCOMMIT_MODE = Path("/proc/sys/vm/overcommit_memory")

# The rows of operations, by what says whether the system has them. The other rows are never unsupported.
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
        "lock, unlock",
    ),
    "can_advise_huge_pages": ("huge page advice",),
    "can_set_name": ("names",),
    "can_query": ("query",),
    "can_count_resident": ("resident",),
}
ALWAYS_SUPPORTED = ("memory info", "limits")

# The block of vmem.h for a system, and the macro that names the system within that block. The block for Linux asks the
# kernel, so it is tested on Linux only.
SYSTEM_BLOCKS = {
    "macOS": ("os macos", None),
    "Windows": ("os windows", None),
    "FreeBSD": ("os bsd", "__FreeBSD__"),
    "NetBSD": ("os bsd", "__NetBSD__"),
    "OpenBSD": ("os bsd", "__OpenBSD__"),
    "other": ("os unsupported", None),
}
BSD_MACROS = [macro for _, macro in SYSTEM_BLOCKS.values() if macro]

Table = dict[str, dict[str, str]]


def run(command: Sequence[str | Path]) -> str:
    """What the command prints; the test fails with that when the command does."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def build(compiler: str, language: str, source: Path, folder: Path) -> Path:
    command = shutil.which(COMPILERS[language][compiler])
    if command is None:
        pytest.skip(f"{COMPILERS[language][compiler]} is not installed")
    program = folder / EXECUTABLE
    run([command, *LANGUAGES[language], *WARNINGS, "-O1", f"-I{HEADER.parent}", source, "-o", program])
    return program


def build_with_any_compiler(source: Path, folder: Path) -> Path:
    compiler = next(filter(shutil.which, COMPILERS["c99"].values()), None)
    if compiler is None:
        pytest.skip("gcc and clang are not installed")
    return build(compiler, "c99", source, folder)


def read_table(first_row: str) -> Table:
    """The table of systems that begins with this row: its cells by row and by system."""
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
    """The names of the yes-or-no fields of VmemCapabilities."""
    (struct,) = re.findall(r"struct VmemCapabilities \{(.*?)\n\}", HEADER.read_text(encoding="utf-8"), re.DOTALL)
    return re.findall(r"^ +bool (\w+);", struct, re.MULTILINE)


def write_program(definitions: str, fill_in: str, folder: Path) -> Path:
    """A program that fills in `capabilities` and prints its system and its fields, a line each."""
    prints = "\n".join(f'    printf("{field}=%d\\n", capabilities.{field});' for field in list_fields())
    source = folder / "capabilities.c"
    source.write_text(
        f"""
#include <stdio.h>
{definitions}
int main(void) {{
    VmemCapabilities capabilities = {{"other", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}};
    {fill_in}
    printf("system=%s\\n", capabilities.system);
{prints}
    return 0;
}}
""",
        encoding="utf-8",
    )
    return source


def ask_capabilities(program: Path) -> dict[str, str]:
    return dict(line.split("=") for line in run([program]).splitlines())


def expect(cell: str) -> str:
    """What a program prints for a cell of the table."""
    if cell == "mode 2 only":
        return str(int(OVERCOMMIT_MODE.read_text(encoding="ascii").strip() == "2"))
    return {"yes": "1", "no": "0"}[cell]


# --- the examples ---


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("compiler", COMPILERS["c99"])
def test_examples_build_and_run(compiler: str, language: str, example: Path, tmp_path: Path) -> None:
    lines = run([build(compiler, language, example, tmp_path)]).splitlines()
    assert len(lines) in (2, 3)


def test_the_page_has_all_examples() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"\(\.\./examples/c/(\w+\.c)\):\n\n```c\n(.*?)```\n", text, re.DOTALL)
    assert dict(blocks) == {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES}


# --- the page and the header ---


def test_the_page_names_all_functions() -> None:
    functions = re.findall(r"^VMEM_API [^(]*?(\w+)\(.*\);$", HEADER.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(functions) == len(set(functions)) > 20
    named = set(re.findall(r"`(vmem_\w+)`", PAGE.read_text(encoding="utf-8")))
    assert set(functions) == named


def test_the_page_names_all_options() -> None:
    (options,) = re.findall(r"^OPTIONS\n(.*?)\n\n[A-Z]", HEADER.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names = re.findall(r"^ {8}(VMEM_\S+)", options, re.MULTILINE)
    assert names
    rows = re.findall(r"^\| `(VMEM_\S+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == names


def test_the_table_has_all_capabilities(capabilities: Table) -> None:
    assert list(capabilities) == list_fields()
    assert {cell for row in capabilities.values() for cell in row.values()} == {"yes", "no", "mode 2 only"}


def test_what_is_unsupported_is_no_capability(operations: Table, capabilities: Table) -> None:
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


def test_memory_info_tells_only_the_total_where_the_capabilities_say_so(operations: Table, capabilities: Table) -> None:
    tells_more = {system: cell == "yes" for system, cell in capabilities["tells_available_memory"].items()}
    said = {system: "total only" not in cell and cell != "all 0" for system, cell in operations["memory info"].items()}
    assert said == tells_more


def test_this_system_is_as_the_table_says(capabilities: Table, tmp_path: Path) -> None:
    definitions = '#define VMEM_IMPLEMENTATION\n#include "vmem.h"'
    source = write_program(definitions, "capabilities = vmem_get_capabilities();", tmp_path)
    told = ask_capabilities(build_with_any_compiler(source, tmp_path))
    system = told.pop("system")
    assert told == {field: expect(row[system]) for field, row in capabilities.items()}


def read_block(name: str) -> str:
    """The section of vmem.h with this tag."""
    text = HEADER.read_text(encoding="utf-8")
    block: str
    (block,) = re.findall(rf"^// >>{name} -+\n(.*?)^// >>", text, re.DOTALL | re.MULTILINE)
    return block


@pytest.mark.parametrize("system", SYSTEM_BLOCKS)
def test_other_systems_are_as_the_table_says(system: str, capabilities: Table, tmp_path: Path) -> None:
    """The code that fills in the capabilities of another system is plain C, which runs here too."""
    name, macro = SYSTEM_BLOCKS[system]
    block = read_block(name)
    (function,) = re.findall(r"^static void vmem__os_get_capabilities\([^)]*\) \{[^}]*\}$", block, re.MULTILINE)
    constants = re.findall(r"^#if defined\(__FreeBSD__\)\n.*?^#endif$", block, re.DOTALL | re.MULTILINE)[:1]
    macros = [f"#undef {other}" for other in BSD_MACROS] + ([f"#define {macro} 1"] if macro else [])
    definitions = "\n".join(['#include "vmem.h"', *macros, *constants, function])
    source = write_program(definitions, "vmem__os_get_capabilities(&capabilities);", tmp_path)
    told = ask_capabilities(build_with_any_compiler(source, tmp_path))
    assert told == {"system": system} | {field: expect(row[system]) for field, row in capabilities.items()}
