"""csrc/vmem.h on its own: built as C and as C++ by the compilers at hand, without a warning, and run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

HEADER_FOLDER = Path(__file__).parents[1] / "csrc"
SOURCE_FOLDER = Path(__file__).parent / "c"

# Three files, because the header must work when many files use it and one has the implementation.
TEST_PROGRAM = ("test_vmem.c", "implementation.c", "second_user.c")
SMALL_PROGRAMS = ("documented_api.c", "private_copy.c")

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")

C_STANDARDS = ("c99", "c11")
CXX_STANDARDS = ("c++11", "c++20")
CXX_COMPILERS = {"gcc": "g++", "clang": "clang++"}
WINDOWS_COMPILER = "x86_64-w64-mingw32-gcc"

EXECUTABLE = "program.exe" if sys.platform == "win32" else "program"

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" and not any(map(shutil.which, CXX_COMPILERS)),
    reason="gcc and clang are not installed",
)


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
    linker = [command[0], *(flag for flag in command if flag.startswith("-fsanitize"))]
    run([*linker, *compile_sources(command, sources, folder), "-o", program])
    return program


def run_tests(program: Path, environment: Mapping[str, str] | None = None) -> None:
    last_line = run([program], environment).splitlines()[-1]
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


@pytest.mark.parametrize("compiler", CXX_COMPILERS)
def test_under_sanitizers(compiler: str, tmp_path: Path) -> None:
    command = [*find_compiler(compiler, "c99"), *SANITIZERS]
    skip_without_sanitizers(command, tmp_path)
    # The faults must end the children by their signal and not in a report of the sanitizer.
    options = "handle_segv=0:handle_sigbus=0:detect_leaks=0"
    run_tests(build(command, TEST_PROGRAM, tmp_path), {**os.environ, "ASAN_OPTIONS": options})


def skip_without_sanitizers(command: Sequence[str], folder: Path) -> None:
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    linked = subprocess.run([*command, empty, "-o", folder / "empty"], capture_output=True, check=False)
    if linked.returncode != 0:
        pytest.skip(f"the sanitizers of {command[0]} are not installed")


@pytest.mark.parametrize("sources", [TEST_PROGRAM, *((source,) for source in SMALL_PROGRAMS)], ids=lambda s: s[0])
def test_linking_for_windows(sources: Sequence[str], tmp_path: Path) -> None:
    build([find_tool(WINDOWS_COMPILER), "-std=c99"], sources, tmp_path)


def test_every_function_with_musl(tmp_path: Path) -> None:
    run_tests(build([find_tool("musl-gcc"), "-std=c99"], TEST_PROGRAM, tmp_path))
