"""Both headers on their own: built as C and as C++ by the compilers at hand, without a warning, and run."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.header.builds import (
    ARENA_HEADER,
    ARENA_MODEL_PROGRAM,
    ARENA_PROGRAM,
    CXX_COMPILERS,
    DEBUG,
    DEBUG_PROGRAM,
    EXECUTABLE,
    HEADER,
    OBJECT_PROGRAM,
    SOURCES,
    STANDARDS,
    TEST_PROGRAM,
    WARNINGS,
    Builder,
    check_report,
    find_compiler,
    find_tool,
    run,
    without_random_addresses,
)
from tests.support.marks import sample
from tests.support.system import GROUP_LIMIT

# These have an implementation of their own, whose system calls they make fail.
FAULT_PROGRAM = ("test_faults.c",)
OBJECT_FAULT_PROGRAM = ("test_object_faults.c",)

# What other processes can do to objects, and what the kernel reports of them.
LINUX_OBJECT_PROGRAM = ("test_objects_linux.c",)
LINUX_ARENA_PROGRAM = ("test_arena_linux.c",)
LINUX_PROGRAMS = (FAULT_PROGRAM, OBJECT_FAULT_PROGRAM, LINUX_OBJECT_PROGRAM, LINUX_ARENA_PROGRAM)

# Each header has its implementation in a file of its own.
SPLIT_PROGRAM = ("arena_user.c", "implementation.c", "arena_implementation.c")

SMALL_PROGRAMS = ("documented_api.c", "private_copy.c", "arena_private_copy.c")
THREAD_PROGRAM = ("test_threads.c",)

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
THREAD_SANITIZER = ("-fsanitize=thread", "-g")

# What decides which functions the headers of the C library declare, and how.
LIBRARY_OPTIONS = ("-std=c99", "-std=gnu99", "-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200809L", "-D_XOPEN_SOURCE=700")

WINDOWS_COMPILER = "x86_64-w64-mingw32-gcc"

# A program for Windows XP. PSAPI_VERSION 1 takes from psapi.dll what kernel32.dll has today.
WINDOWS_XP = "#define PSAPI_VERSION 1\n#define WINVER 0x0501\n#define _WIN32_WINNT 0x0501\n"

MIN_COVERAGE = 0.98  # of the lines of each header that Linux compiles

# The children that fault must end by the signal, not by a report of the sanitizer.
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:detect_leaks=0"}

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" and not any(map(shutil.which, CXX_COMPILERS)),
    reason="gcc and clang are not installed",
)

only_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="tests the system calls of Linux")
each_standard = pytest.mark.parametrize("standard", STANDARDS)
c_and_cxx = pytest.mark.parametrize("standard", ["c99", "c++11"])
each_compiler = pytest.mark.parametrize("compiler", sample(CXX_COMPILERS, {"gcc"}))


@each_standard
@each_compiler
def test_every_function(compiler: str, standard: str, builder: Builder) -> None:
    check_report(run([builder.build(find_compiler(compiler, standard), TEST_PROGRAM)]))


@c_and_cxx
@each_compiler
def test_objects(compiler: str, standard: str, builder: Builder) -> None:
    check_report(run([builder.build(find_compiler(compiler, standard), OBJECT_PROGRAM)]))


@each_standard
@each_compiler
def test_arenas_and_arrays(compiler: str, standard: str, builder: Builder) -> None:
    check_report(run([builder.build(find_compiler(compiler, standard), ARENA_PROGRAM)]))


@c_and_cxx
@each_compiler
def test_arenas_and_arrays_at_random(compiler: str, standard: str, builder: Builder) -> None:
    check_report(run([builder.build(find_compiler(compiler, standard), ARENA_MODEL_PROGRAM)]))


@c_and_cxx
@each_compiler
def test_debugging(compiler: str, standard: str, builder: Builder) -> None:
    check_report(run([builder.build(find_compiler(compiler, standard), DEBUG_PROGRAM)]))


@pytest.mark.parametrize(
    "sources",
    [TEST_PROGRAM, OBJECT_PROGRAM, *(pytest.param(sources, marks=only_on_linux) for sources in LINUX_PROGRAMS)],
    ids=lambda sources: sources[0],
)
@pytest.mark.parametrize(("compiler", "standard"), [("gcc", "c99"), ("clang", "c++11")])
def test_debug_builds(compiler: str, standard: str, sources: Sequence[str], builder: Builder) -> None:
    """Programs that use vmem.h rightly do the same in debug builds. Calls that must be refused print messages."""
    check_report(run([builder.build([*find_compiler(compiler, standard), *DEBUG], sources)]))


@pytest.mark.parametrize("sources", [ARENA_PROGRAM, ARENA_MODEL_PROGRAM], ids=lambda sources: sources[0])
@pytest.mark.parametrize(("compiler", "standard"), [("gcc", "c99"), ("clang", "c++11")])
def test_debug_builds_of_arenas(compiler: str, standard: str, sources: Sequence[str], builder: Builder) -> None:
    """Whatever vmem_arena.h is asked for, it makes no call that is wrong."""
    output = run([builder.build([*find_compiler(compiler, standard), *DEBUG], sources)])
    check_report(output)
    assert "vmem_" not in output


@pytest.mark.parametrize("source", [*SMALL_PROGRAMS, "complete_switch.c", "names_of_others.c"])
@c_and_cxx
@each_compiler
def test_debug_builds_of_one_file_programs(compiler: str, standard: str, source: str, builder: Builder) -> None:
    lines = run([builder.build([*find_compiler(compiler, standard), *DEBUG], [source])]).splitlines()
    assert source == "complete_switch.c" or not lines


def test_messages_are_printed_to_stderr(builder: Builder, tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text(
        '#define VMEM_IMPLEMENTATION\n#include "vmem.h"\nint main(void) { return (int)vmem_commit(NULL, 1); }\n',
        encoding="utf-8",
    )
    program = builder.build([*find_compiler("gcc"), *DEBUG], [source])
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "vmem_commit: ptr is NULL\n")


def test_nothing_of_debugging_is_compiled_without_it(builder: Builder) -> None:
    """In the object file, optimised or not: neither a message nor a table."""
    for debug in ((), DEBUG):
        content = builder.compile([*find_compiler("gcc"), *debug], "documented_api.c").read_bytes()
        assert (b"is not committed" in content, b"vmem__table_owner" in content) == (bool(debug), bool(debug))


@pytest.mark.parametrize("source", SMALL_PROGRAMS)
@each_standard
@each_compiler
def test_one_file_programs(compiler: str, standard: str, source: str, builder: Builder) -> None:
    run([builder.build(find_compiler(compiler, standard), [source])])


@pytest.mark.parametrize(("user", "implementation"), [("c++11", "c99"), ("c99", "c++11")])
@each_compiler
def test_c_and_cxx_link_with_each_other(compiler: str, user: str, implementation: str, builder: Builder) -> None:
    objects = [
        builder.compile(find_compiler(compiler, implementation if source == "implementation.c" else user), source)
        for source in TEST_PROGRAM
    ]
    check_report(run([builder.link([find_tool(CXX_COMPILERS[compiler])], objects)]))


@pytest.mark.parametrize("arena", ["c99", "c++11"])
@pytest.mark.parametrize("implementation", ["c99", "c++11"])
@pytest.mark.parametrize("user", ["c99", "c++11"])
@each_compiler
def test_implementations_in_files_of_their_own(
    compiler: str, user: str, implementation: str, arena: str, builder: Builder
) -> None:
    standards = (user, implementation, arena)
    objects = [
        builder.compile(find_compiler(compiler, standard), source)
        for source, standard in zip(SPLIT_PROGRAM, standards, strict=True)
    ]
    run([builder.link([find_tool(CXX_COMPILERS[compiler])], objects)])


@each_standard
@each_compiler
def test_switches_over_all_documented_values(compiler: str, standard: str, builder: Builder) -> None:
    run([builder.build([*find_compiler(compiler, standard), "-Wswitch-enum"], ["complete_switch.c"])])


@pytest.mark.parametrize("option", LIBRARY_OPTIONS)
@pytest.mark.parametrize("compiler", [*CXX_COMPILERS, "musl-gcc"])
def test_feature_test_macros(compiler: str, option: str) -> None:
    command = [find_tool(compiler), option, *WARNINGS, "-Wredundant-decls", f"-I{HEADER.parent}", "-fsyntax-only"]
    run([*command, SOURCES / "implementation.c", SOURCES / "names_of_others.c"])


@only_on_linux
@c_and_cxx
@each_compiler
def test_threads(compiler: str, standard: str, builder: Builder) -> None:
    check_report(run([builder.build([*find_compiler(compiler, standard), "-pthread"], THREAD_PROGRAM)]))


@only_on_linux
@c_and_cxx
@each_compiler
@pytest.mark.parametrize("sources", LINUX_PROGRAMS, ids=lambda sources: sources[0])
def test_linux_programs(compiler: str, standard: str, sources: Sequence[str], builder: Builder) -> None:
    check_report(run([builder.build(find_compiler(compiler, standard), sources)]))


# --- sanitizers ---


@functools.cache
def find_reason_against(options: Sequence[str], folder: Path) -> str | None:
    """Returns why programs that are built with these options cannot run here; None if they can."""
    source, program = folder / "empty.c", folder / "empty"
    source.write_text("int main(void) { return 0; }\n")
    if subprocess.run([*options, source, "-o", program], capture_output=True, check=False).returncode:
        return f"the sanitizers of {options[0]} are not installed"
    if subprocess.run([*without_random_addresses(), program], capture_output=True, check=False).returncode:
        return f"the sanitizers of {options[0]} do not run here"  # older ones do not know where newer kernels map
    return None


def skip_without_sanitizers(command: Sequence[str], builder: Builder) -> None:
    if reason := find_reason_against(tuple(command), builder.folder):
        pytest.skip(reason)


@only_on_linux
@each_compiler
def test_threads_with_thread_sanitizer(compiler: str, builder: Builder) -> None:
    command = [*find_compiler(compiler), "-pthread", *THREAD_SANITIZER]
    skip_without_sanitizers(command, builder)
    program = builder.build(command, THREAD_PROGRAM)
    check_report(run([*without_random_addresses(), program, "without-stacks"]))
    program = builder.build([*command, *DEBUG], THREAD_PROGRAM)
    check_report(run([*without_random_addresses(), program, "without-stacks"]))


@pytest.mark.parametrize(
    "sources",
    [
        *(TEST_PROGRAM, OBJECT_PROGRAM, DEBUG_PROGRAM, ARENA_PROGRAM, ARENA_MODEL_PROGRAM),
        *(pytest.param(sources, marks=only_on_linux) for sources in LINUX_PROGRAMS),
    ],
    ids=lambda sources: sources[0],
)
@each_compiler
def test_with_sanitizers(compiler: str, sources: Sequence[str], builder: Builder) -> None:
    command = [*find_compiler(compiler), *SANITIZERS]
    skip_without_sanitizers(command, builder)
    program = builder.build(command, sources)
    check_report(run([*without_random_addresses(), program], {**os.environ, **SANITIZER_OPTIONS}))


# --- other libraries ---


@pytest.mark.parametrize(
    "sources",
    [TEST_PROGRAM, OBJECT_PROGRAM, ARENA_PROGRAM, SPLIT_PROGRAM, *((source,) for source in SMALL_PROGRAMS)],
    ids=lambda sources: sources[0],
)
def test_linking_for_windows(sources: Sequence[str], builder: Builder) -> None:
    builder.build(find_compiler(WINDOWS_COMPILER), sources)


@pytest.mark.parametrize("includes", ["#include <windows.h>\n", "#include <windows.h>\n#include <psapi.h>\n", ""])
def test_linking_for_windows_xp(includes: str, builder: Builder, tmp_path: Path) -> None:
    """No further library is linked: vmem.h finds the functions of psapi.dll at run time."""
    source = tmp_path / "xp.c"
    implementation = (SOURCES / "implementation.c").read_text(encoding="utf-8")
    source.write_text(f"{WINDOWS_XP}{includes}{implementation}int main(void) {{ return 0; }}\n", encoding="utf-8")
    builder.build(find_compiler(WINDOWS_COMPILER), [source])


@pytest.mark.parametrize(
    "sources", [TEST_PROGRAM, OBJECT_PROGRAM, ARENA_PROGRAM, *LINUX_PROGRAMS], ids=lambda sources: sources[0]
)
def test_every_function_with_musl(sources: Sequence[str], builder: Builder) -> None:
    check_report(run([builder.build(find_compiler("musl-gcc"), sources)]))


# --- coverage ---


Lines = dict[str, dict[int, int]]  # how often each line of each header ran, by its name and number


def count_lines(sources: Sequence[str], folder: Path, counts: Lines) -> None:
    """Adds how often each line of the headers ran in the program from these files."""
    folder.mkdir()
    program = folder / EXECUTABLE
    files = [SOURCES / source for source in sources]
    for source in files:
        run(["gcc", "-std=c99", "-O0", "--coverage", "-c", f"-I{HEADER.parent}", source, "-o", folder / source.stem])
    run(["gcc", "--coverage", *(folder / source.stem for source in files), "-o", program])
    check_report(run([program]))
    for notes in sorted(folder.glob("*.gcno")):
        for file in json.loads(run(["gcov", "--json-format", "--stdout", notes]))["files"]:
            of_file = counts.get(Path(file["file"]).name, {})
            for line in file["lines"]:
                of_file[line["line_number"]] = of_file.get(line["line_number"], 0) + line["count"]


@only_on_linux
def test_coverage(tmp_path: Path) -> None:
    find_tool("gcc")
    find_tool("gcov")
    counts: Lines = {HEADER.name: {}, ARENA_HEADER.name: {}}
    for sources in (TEST_PROGRAM, OBJECT_PROGRAM, ARENA_PROGRAM, DEBUG_PROGRAM, *LINUX_PROGRAMS):
        count_lines(sources, tmp_path / sources[0], counts)
    for header in (HEADER, ARENA_HEADER):
        lines = header.read_text(encoding="utf-8").splitlines()
        of_header = counts[header.name]
        missed = [f"{number}: {lines[number - 1]}" for number, count in sorted(of_header.items()) if count == 0]
        assert len(of_header) > len(lines) / 8
        covered = 1 - len(missed) / len(of_header)
        assert covered >= MIN_COVERAGE, "\n".join([f"lines of {header.name} that never ran:", *missed])


# --- control groups ---


@pytest.fixture
def info_program(builder: Builder) -> Path:
    program = builder.build(find_compiler("gcc"), ["print_memory_info.c"])
    if int(run([program]).split()[0]) < GROUP_LIMIT:
        pytest.skip("there is less memory than the limit of the group")
    return program


def run_in_group(program: Path, group: Path) -> tuple[int, int]:
    """Returns the total and the available memory that the program prints in the group."""
    total, available = run(["sh", "-c", 'echo $$ > "$1" && exec "$2"', "sh", group / "cgroup.procs", program]).split()
    return int(total), int(available)


def test_memory_of_a_control_group(memory_group: Path, info_program: Path) -> None:
    total, available = run_in_group(info_program, memory_group)
    assert total == GROUP_LIMIT
    assert GROUP_LIMIT // 2 < available <= total


def test_memory_of_a_nested_control_group(memory_group: Path, info_program: Path) -> None:
    inner = memory_group / "inner"
    inner.mkdir()
    try:
        assert run_in_group(info_program, inner)[0] == GROUP_LIMIT
    finally:
        inner.rmdir()
