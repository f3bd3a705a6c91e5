"""csrc/vmem.h on its own: built as C and as C++ by the compilers at hand, without a warning, and run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.support import GROUP_LIMIT

HEADER_FOLDER = Path(__file__).parents[2] / "csrc"
SOURCE_FOLDER = Path(__file__).parent / "c"

# Three files, because the header must work when many files use it and one has the implementation.
TEST_PROGRAM = ("test_vmem.c", "implementation.c", "second_user.c")
# Has an implementation of its own, whose system calls it makes fail.
FAULT_PROGRAM = ("test_faults.c",)
SMALL_PROGRAMS = ("documented_api.c", "private_copy.c")
THREAD_PROGRAM = ("test_threads.c",)

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
THREAD_SANITIZER = ("-fsanitize=thread", "-g")

# What decides which of their functions the C library's headers declare, and in which way.
LIBRARY_OPTIONS = ("-std=c99", "-std=gnu99", "-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200809L", "-D_XOPEN_SOURCE=700")

C_STANDARDS = ("c99", "c11")
CXX_STANDARDS = ("c++11", "c++20")
CXX_COMPILERS = {"gcc": "g++", "clang": "clang++"}
WINDOWS_COMPILER = "x86_64-w64-mingw32-gcc"

# A program that is built for Windows XP, with the library of its time for what is now in kernel32.
OLD_WINDOWS = "#define PSAPI_VERSION 1\n#define WINVER 0x0501\n#define _WIN32_WINNT 0x0501\n"

MIN_COVERAGE = 0.98  # of the lines of the header that Linux compiles

# The faults must end the children by their signal and not in a report of the sanitizer.
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:detect_leaks=0"}

EXECUTABLE = "program.exe" if sys.platform == "win32" else "program"

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" and not any(map(shutil.which, CXX_COMPILERS)),
    reason="gcc and clang are not installed",
)

only_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="these are the system calls of Linux")


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; the test fails with that when the command does."""
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def find_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def find_compiler(compiler: str, standard: str) -> list[str]:
    """The command that compiles the .c files as what the standard says they are."""
    if standard in CXX_STANDARDS:
        return [find_tool(CXX_COMPILERS[compiler]), "-x", "c++", f"-std={standard}"]
    return [find_tool(compiler), f"-std={standard}"]


def compile_sources(command: Sequence[str], sources: Sequence[str], folder: Path) -> list[Path]:
    objects = [folder / f"{source}.o" for source in sources]
    for source, target in zip(sources, objects, strict=True):
        run([*command, *WARNINGS, "-O1", "-c", f"-I{HEADER_FOLDER}", SOURCE_FOLDER / source, "-o", target])
    return objects


def build(command: Sequence[str], sources: Sequence[str], folder: Path) -> Path:
    """Compiles and links: the linker is the compiler without the language, which would make it compile objects."""
    program = folder / EXECUTABLE
    linker = [command[0], *(flag for flag in command if flag.startswith(("-fsanitize", "-pthread")))]
    run([*linker, *compile_sources(command, sources, folder), "-o", program])
    return program


def run_tests(program: Path, environment: Mapping[str, str] | None = None, arguments: Sequence[str] = ()) -> None:
    last_line = run([program, *arguments], environment).splitlines()[-1]
    assert last_line.endswith(" checks, 0 failed")
    assert not last_line.startswith("0 ")


@pytest.mark.parametrize("standard", C_STANDARDS + CXX_STANDARDS)
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_every_function(compiler: str, standard: str, tmp_path: Path) -> None:
    run_tests(build(find_compiler(compiler, standard), TEST_PROGRAM, tmp_path))


@pytest.mark.parametrize("source", SMALL_PROGRAMS)
@pytest.mark.parametrize("standard", C_STANDARDS + CXX_STANDARDS)
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_one_file_programs(compiler: str, standard: str, source: str, tmp_path: Path) -> None:
    run([build(find_compiler(compiler, standard), [source], tmp_path)])


@pytest.mark.parametrize(("user", "implementation"), [("c++11", "c99"), ("c99", "c++11")])
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_c_and_cxx_link_with_each_other(compiler: str, user: str, implementation: str, tmp_path: Path) -> None:
    program = tmp_path / EXECUTABLE
    users = compile_sources(find_compiler(compiler, user), ["test_vmem.c", "second_user.c"], tmp_path)
    functions = compile_sources(find_compiler(compiler, implementation), ["implementation.c"], tmp_path)
    run([find_tool(CXX_COMPILERS[compiler]), *users, *functions, "-o", program])
    run_tests(program)


@pytest.mark.parametrize("standard", C_STANDARDS + CXX_STANDARDS)
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_switches_need_only_the_documented_values(compiler: str, standard: str, tmp_path: Path) -> None:
    command = [*find_compiler(compiler, standard), "-Wswitch-enum"]
    run([build(command, ["complete_switch.c"], tmp_path)])


@pytest.mark.parametrize("option", LIBRARY_OPTIONS)
@pytest.mark.parametrize("compiler", [*CXX_COMPILERS, "musl-gcc"])
def test_whatever_is_asked_of_the_c_library(compiler: str, option: str, tmp_path: Path) -> None:
    command = [find_tool(compiler), "-Wredundant-decls", option]
    compile_sources(command, ["implementation.c", "names_of_others.c"], tmp_path)


@only_on_linux
@pytest.mark.parametrize("standard", ["c99", "c++11"])
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_threads(compiler: str, standard: str, tmp_path: Path) -> None:
    run_tests(build([*find_compiler(compiler, standard), "-pthread"], THREAD_PROGRAM, tmp_path))


@only_on_linux
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_threads_under_the_sanitizer(compiler: str, tmp_path: Path) -> None:
    command = [*find_compiler(compiler, "c99"), "-pthread", *THREAD_SANITIZER]
    skip_without_sanitizers(command, tmp_path)
    run_tests(build(command, THREAD_PROGRAM, tmp_path), arguments=["without-stacks"])


@only_on_linux
@pytest.mark.parametrize("standard", ["c99", "c++11"])
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_every_system_call_failing(compiler: str, standard: str, tmp_path: Path) -> None:
    run_tests(build(find_compiler(compiler, standard), FAULT_PROGRAM, tmp_path))


@pytest.mark.parametrize(
    "sources",
    [TEST_PROGRAM, pytest.param(FAULT_PROGRAM, marks=only_on_linux)],
    ids=lambda sources: sources[0],
)
@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_under_sanitizers(compiler: str, sources: Sequence[str], tmp_path: Path) -> None:
    command = [*find_compiler(compiler, "c99"), *SANITIZERS]
    skip_without_sanitizers(command, tmp_path)
    run_tests(build(command, sources, tmp_path), {**os.environ, **SANITIZER_OPTIONS})


def skip_without_sanitizers(command: Sequence[str], folder: Path) -> None:
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    linked = subprocess.run([*command, empty, "-o", folder / "empty"], capture_output=True, check=False)
    if linked.returncode != 0:
        pytest.skip(f"the sanitizers of {command[0]} are not installed")
    started = subprocess.run([folder / "empty"], capture_output=True, check=False)
    if started.returncode != 0:  # older ones do not know where newer kernels put mappings
        pytest.skip(f"the sanitizers of {command[0]} do not run here")


@pytest.mark.parametrize("sources", [TEST_PROGRAM, *((source,) for source in SMALL_PROGRAMS)], ids=lambda s: s[0])
def test_linking_for_windows(sources: Sequence[str], tmp_path: Path) -> None:
    build([find_tool(WINDOWS_COMPILER), "-std=c99"], sources, tmp_path)


@pytest.mark.parametrize("includes", ["#include <windows.h>\n", "#include <windows.h>\n#include <psapi.h>\n", ""])
def test_linking_for_an_old_windows(includes: str, tmp_path: Path) -> None:
    """No library of its own is linked: what vmem.h needs of psapi.dll it finds at run time."""
    source, program = tmp_path / "old.c", tmp_path / "old.exe"
    text = (SOURCE_FOLDER / "implementation.c").read_text(encoding="utf-8")
    source.write_text(f"{OLD_WINDOWS}{includes}{text}int main(void) {{ return 0; }}\n", encoding="utf-8")
    run([find_tool(WINDOWS_COMPILER), "-std=c99", *WARNINGS, f"-I{HEADER_FOLDER}", source, "-o", program])


@pytest.mark.parametrize("sources", [TEST_PROGRAM, FAULT_PROGRAM], ids=lambda sources: sources[0])
def test_every_function_with_musl(sources: Sequence[str], tmp_path: Path) -> None:
    run_tests(build([find_tool("musl-gcc"), "-std=c99"], sources, tmp_path))


def run_counting_lines(sources: Sequence[str], folder: Path) -> dict[int, int]:
    """How often each line of the header ran in the program that these files make."""
    folder.mkdir()
    program = folder / EXECUTABLE
    files = [SOURCE_FOLDER / source for source in sources]
    for source in files:
        run(["gcc", "-std=c99", "-O0", "--coverage", "-c", f"-I{HEADER_FOLDER}", source, "-o", folder / source.stem])
    run(["gcc", "--coverage", *(folder / source.stem for source in files), "-o", program])
    run_tests(program)
    counts: dict[int, int] = {}
    for notes in sorted(folder.glob("*.gcno")):
        for file in json.loads(run(["gcov", "--json-format", "--stdout", notes]))["files"]:
            if Path(file["file"]).name != "vmem.h":
                continue
            for line in file["lines"]:
                counts[line["line_number"]] = counts.get(line["line_number"], 0) + line["count"]
    return counts


@only_on_linux
def test_coverage(tmp_path: Path) -> None:
    find_tool("gcc")
    find_tool("gcov")
    counts = run_counting_lines(TEST_PROGRAM, tmp_path / "all")
    for number, count in run_counting_lines(FAULT_PROGRAM, tmp_path / "faults").items():
        counts[number] = counts.get(number, 0) + count
    lines = (HEADER_FOLDER / "vmem.h").read_text(encoding="utf-8").splitlines()
    missed = [f"{number}: {lines[number - 1]}" for number, count in sorted(counts.items()) if count == 0]
    assert len(counts) > 300
    assert 1 - len(missed) / len(counts) >= MIN_COVERAGE, "\n".join(["lines that never ran:", *missed])


def run_in_group(program: Path, group: Path) -> tuple[int, int]:
    """The total and the available memory that the program tells from within the group."""
    total, available = run(["sh", "-c", 'echo $$ > "$1" && exec "$2"', "sh", group / "cgroup.procs", program]).split()
    return int(total), int(available)


def test_memory_of_a_control_group(memory_group: Path, tmp_path: Path) -> None:
    program = build([find_tool("gcc"), "-std=c99"], ["print_memory_info.c"], tmp_path)
    outside = int(run([program]).split()[0])
    if outside < GROUP_LIMIT:
        pytest.skip("there is less memory than the group would get")
    total, available = run_in_group(program, memory_group)
    assert total == GROUP_LIMIT
    assert GROUP_LIMIT // 2 < available <= total


def test_memory_of_a_group_inside_another(memory_group: Path, tmp_path: Path) -> None:
    program = build([find_tool("gcc"), "-std=c99"], ["print_memory_info.c"], tmp_path)
    if int(run([program]).split()[0]) < GROUP_LIMIT:
        pytest.skip("there is less memory than the group would get")
    inner = memory_group / "inner"
    inner.mkdir()
    try:
        assert run_in_group(program, inner)[0] == GROUP_LIMIT
    finally:
        inner.rmdir()
