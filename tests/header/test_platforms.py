"""csrc/vmem.h on other systems: run where this machine can emulate them, else compiled with their headers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

HEADER_FOLDER = Path(__file__).parents[2] / "csrc"
SOURCE_FOLDER = Path(__file__).parent / "c"

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
LANGUAGES = {"c99": ("-std=c99",), "c++11": ("-x", "c++", "-std=c++11")}

# Three files, because the header must work when many files use it and one has the implementation.
TEST_PROGRAM = ("test_vmem.c", "implementation.c", "second_user.c")

# What runs under an emulator gets calls wrong that the kernel gets right, so it has a program of its own.
PORTABLE_PROGRAM = ("test_portable.c",)

# These have an implementation of their own, whose system calls they make fail.
WINDOWS_FAULT_PROGRAM = ("test_windows.c",)
UNIX_FAULT_PROGRAM = ("test_unix.c",)

# Each emulator with a size of pages to emulate: a kernel for aarch64 has one of these three.
AARCH64_PAGE_SIZES = (4096, 16384, 65536)

# Those whose headers come with zig, which has none for Android, DragonFly, Haiku and illumos. WASI is one of those that
# vmem.h does not support: that must compile too.
ZIG_TARGETS = (
    "x86_64-macos",
    "aarch64-macos",
    "x86_64-freebsd",
    "aarch64-freebsd",
    "x86_64-openbsd",
    "x86_64-netbsd",
    "x86-windows-gnu",
    "aarch64-windows-gnu",
    "x86_64-linux-musl",
    "arm-linux-musleabihf",
    "riscv64-linux-musl",
    "mips-linux-gnueabi",
    "powerpc64le-linux-gnu",
    "wasm32-wasi",
)

# Those whose headers hide functions from a program that asks for nothing but POSIX.
HIDING_TARGETS = ("x86_64-macos", "x86_64-freebsd", "x86_64-netbsd", "x86_64-openbsd")

# The names by which a compiler tells which system it compiles for.
LINUX_MACROS = ("__linux__", "__linux", "linux")
SYSTEM_MACROS = (*LINUX_MACROS, "__unix__", "__unix", "unix", "__APPLE__", "_WIN32")

TIMEOUT = 60  # seconds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the emulators and cross compilers are those of Linux")


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; the test fails with that when the command does."""
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def find_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def build(compiler: Sequence[str], sources: Sequence[str], program: Path, language: str = "c99") -> Path:
    files = [SOURCE_FOLDER / source for source in sources]
    run([*compiler, *LANGUAGES[language], *WARNINGS, "-O1", f"-I{HEADER_FOLDER}", *files, "-o", program])
    return program


def check_report(output: str) -> None:
    """The report is the last line of the program's own; emulators print about the faults of its children."""
    reports = [line for line in output.splitlines() if line.endswith(" failed")]
    assert len(reports) == 1, output
    assert reports[0].endswith(" checks, 0 failed"), output
    assert not reports[0].startswith("0 ")


def check_pages_and_report(output: str, page_size: int) -> None:
    assert f"pages of {page_size} bytes\n" in output
    check_report(output)


def without_random_addresses() -> Sequence[str]:
    """Wine does not start when its heap lies, by chance, where Windows has a page at a fixed address.

    Empty where the system forbids a process to ask for this, as some containers do.
    """
    command = ["setarch", "--addr-no-randomize"]
    done = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if done.returncode == 0 else []


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
    """The command and its environment. Its first start makes the folder for what Windows would have on its disk."""
    command = [*without_random_addresses(), find_tool("wine")]
    environment = {
        **os.environ,
        "WINEPREFIX": str(tmp_path_factory.mktemp("wine") / "prefix"),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",  # else it asks whether to download them
    }
    environment.pop("DISPLAY", None)
    run([*command, "cmd", "/c", "exit"], environment)
    yield command, environment
    server = shutil.which("wineserver") or "/usr/lib/wine/wineserver"
    if Path(server).exists():
        subprocess.run([server, "--kill"], env=environment, check=False, timeout=TIMEOUT)


@pytest.mark.parametrize(
    "sources", [PORTABLE_PROGRAM, TEST_PROGRAM, WINDOWS_FAULT_PROGRAM], ids=lambda sources: sources[0]
)
@pytest.mark.parametrize(("language", "compiler"), [("c99", "gcc"), ("c++11", "g++")])
def test_windows(
    language: str, compiler: str, sources: Sequence[str], wine: tuple[Sequence[str], Mapping[str, str]], tmp_path: Path
) -> None:
    command, environment = wine
    cross_compiler = [find_tool(f"x86_64-w64-mingw32-{compiler}"), "-static"]
    program = build(cross_compiler, sources, tmp_path / "program.exe", language)
    output = run([*command, program], environment)
    check_report(output)


@pytest.fixture(scope="module")
def aarch64_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = [find_tool("aarch64-linux-gnu-gcc"), "-static"]
    return build(compiler, PORTABLE_PROGRAM, tmp_path_factory.mktemp("aarch64") / "program")


@pytest.mark.parametrize("page_size", AARCH64_PAGE_SIZES)
def test_aarch64(page_size: int, aarch64_program: Path) -> None:
    output = run([find_tool("qemu-aarch64"), "-p", str(page_size), aarch64_program])
    check_pages_and_report(output, page_size)


def test_big_endian(tmp_path: Path) -> None:
    emulator = find_tool("qemu-s390x")
    program = build([find_tool("s390x-linux-gnu-gcc"), "-static"], PORTABLE_PROGRAM, tmp_path / "program")
    check_report(run([emulator, program]))


@pytest.mark.parametrize(
    "sources", [PORTABLE_PROGRAM, TEST_PROGRAM, ("test_faults.c",)], ids=lambda sources: sources[0]
)
def test_32_bits(sources: Sequence[str], tmp_path: Path) -> None:
    program = build([find_tool("i686-linux-gnu-gcc"), "-static"], sources, tmp_path / "program")
    skip_unless_it_runs_here(tmp_path)
    check_report(run([program]))


def skip_unless_it_runs_here(folder: Path) -> None:
    """A kernel may be built without the system calls of 32-bit programs, and then refuses to start any."""
    source, program = folder / "empty.c", folder / "empty"
    source.write_text("int main(void) { return 0; }\n")
    run([find_tool("i686-linux-gnu-gcc"), "-static", source, "-o", program])
    try:
        done = subprocess.run([program], check=False)
    except OSError as error:
        pytest.skip(f"this kernel runs no 32-bit programs: {error}")
    if done.returncode != 0:
        pytest.skip("this machine runs no 32-bit programs")


@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_this_machine(compiler: str, tmp_path: Path) -> None:
    """What the emulators run is no good if it fails where nothing is emulated."""
    language = "c++11" if compiler.endswith("++") else "c99"
    program = build([find_tool(compiler)], PORTABLE_PROGRAM, tmp_path / "program", language)
    output = run([program])
    check_pages_and_report(output, os.sysconf("SC_PAGESIZE"))
    assert "omitted" not in output


def test_static_musl(tmp_path: Path) -> None:
    program = build([find_tool("musl-gcc"), "-static"], PORTABLE_PROGRAM, tmp_path / "program")
    check_report(run([program]))


@pytest.mark.parametrize(
    "sources", [PORTABLE_PROGRAM, TEST_PROGRAM, UNIX_FAULT_PROGRAM], ids=lambda sources: sources[0]
)
@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_unix_of_another_name(compiler: str, sources: Sequence[str], tmp_path: Path) -> None:
    """Where vmem.h does not know that it is on Linux it does what it does on the BSDs, and that works here too."""
    language = "c++11" if compiler.endswith("++") else "c99"
    command = [find_tool(compiler), *(f"-U{macro}" for macro in LINUX_MACROS)]
    if language == "c99":
        command.append("-D_GNU_SOURCE")  # strict C99 hides MAP_ANONYMOUS, whose number is another one on the BSDs
    output = run([build(command, sources, tmp_path / "program", language)])
    check_report(output)


@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_unsupported_system(compiler: str, tmp_path: Path) -> None:
    language = "c++11" if compiler.endswith("++") else "c99"
    command = [find_tool(compiler), *(f"-U{macro}" for macro in SYSTEM_MACROS)]
    check_report(run([build(command, ["test_unsupported.c"], tmp_path / "program", language)]))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("target", ZIG_TARGETS)
def test_compiling_with_zig(target: str, language: str, zig_environment: Mapping[str, str], tmp_path: Path) -> None:
    compiler = "c++" if language == "c++11" else "cc"
    command = [sys.executable, "-m", "ziglang", compiler, "-target", target, *LANGUAGES[language], "-c"]
    empty = tmp_path / "empty.c"
    empty.write_text("#include <errno.h>\n")
    if subprocess.run([*command, empty, "-o", tmp_path / "o"], env=zig_environment, capture_output=True).returncode:
        pytest.skip(f"ziglang has no headers for {target}")
    source = SOURCE_FOLDER / "implementation.c"
    command += [*WARNINGS, f"-I{HEADER_FOLDER}", str(source), "-o", str(tmp_path / "o")]
    run(command, zig_environment)
    if target in HIDING_TARGETS:
        run([*command, "-D_POSIX_C_SOURCE=200809L"], zig_environment)
