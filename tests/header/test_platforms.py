"""Both headers on other systems: run where this machine can emulate them, else compiled with their headers."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.header.builds import (
    ARENA_MODEL_PROGRAM,
    ARENA_PROGRAM,
    DEBUG,
    DEBUG_PROGRAM,
    HEADER,
    OBJECT_PROGRAM,
    SOURCES,
    STANDARDS,
    TEST_PROGRAM,
    TIMEOUT,
    WARNINGS,
    Builder,
    check_report,
    find_compiler,
    find_tool,
    run,
    without_random_addresses,
)

# Emulators get system calls wrong that the kernel gets right, so this program tests only what they can do.
PORTABLE_PROGRAM = ("test_portable.c",)

# These have an implementation of their own, whose system calls they make fail.
WINDOWS_FAULT_PROGRAM = ("test_windows.c",)
UNIX_FAULT_PROGRAM = ("test_unix.c",)
LINUX_PROGRAMS = ("test_faults.c", "test_objects_linux.c", "test_object_faults.c")

# A kernel for aarch64 has pages of one of these sizes.
AARCH64_PAGE_SIZES = (4096, 16384, 65536)

# Systems whose headers come with zig, which has none for Android, DragonFly, Haiku and illumos. vmem.h does not support
# WASI, but must compile there.
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

# Systems whose headers hide functions from a program that defines _POSIX_C_SOURCE.
HIDING_TARGETS = ("x86_64-macos", "x86_64-freebsd", "x86_64-netbsd", "x86_64-openbsd")

# The macros by which a compiler names the system.
LINUX_MACROS = ("__linux__", "__linux", "linux")
SYSTEM_MACROS = (*LINUX_MACROS, "__unix__", "__unix", "unix", "__APPLE__", "_WIN32")

COMPILERS = (
    ("gcc", "c99"),
    pytest.param("clang", "c99", marks=pytest.mark.exhaustive),
    pytest.param("gcc", "c++11", marks=pytest.mark.exhaustive),
    ("clang", "c++11"),
)

each_compiler = pytest.mark.parametrize(("compiler", "standard"), COMPILERS)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the emulators and cross compilers are those of Linux")


def check_pages_and_report(output: str, page_size: int) -> None:
    assert f"pages of {page_size} bytes\n" in output
    check_report(output)


Wine = tuple[Sequence[str], Mapping[str, str]]  # the command and its environment


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wine]:
    """Wine with a new prefix, which its first start fills.

    One command waits until the end. When no program runs, Wine stops its services: each test would start them again,
    which takes several seconds and can fail while they stop.
    """
    command = [*without_random_addresses(), find_tool("wine")]
    environment = {
        **os.environ,
        "WINEPREFIX": str(tmp_path_factory.mktemp("wine") / "prefix"),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",  # else it asks whether to download them
    }
    environment.pop("DISPLAY", None)
    with subprocess.Popen(
        [*command, "cmd", "/c", "echo ready& pause"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as waiting:
        assert waiting.stdout
        assert select.select([waiting.stdout], [], [], TIMEOUT)[0], "Wine does not start"
        yield command, environment
        server = shutil.which("wineserver") or "/usr/lib/wine/wineserver"
        if Path(server).exists():
            subprocess.run([server, "--kill"], env=environment, check=False, timeout=TIMEOUT)


@pytest.mark.parametrize(
    "sources",
    [
        PORTABLE_PROGRAM,
        TEST_PROGRAM,
        OBJECT_PROGRAM,
        WINDOWS_FAULT_PROGRAM,
        DEBUG_PROGRAM,
        ARENA_PROGRAM,
        ARENA_MODEL_PROGRAM,
    ],
    ids=lambda sources: sources[0],
)
@pytest.mark.parametrize(
    ("compiler", "standard"), [("gcc", "c99"), pytest.param("g++", "c++11", marks=pytest.mark.exhaustive)]
)
def test_windows_with_wine(compiler: str, standard: str, sources: Sequence[str], wine: Wine, builder: Builder) -> None:
    command, environment = wine
    cross_compiler = [*find_compiler(f"x86_64-w64-mingw32-{compiler}", standard), "-static"]
    check_report(run([*command, builder.build(cross_compiler, sources)], environment))


@pytest.mark.parametrize(
    "sources", [PORTABLE_PROGRAM, OBJECT_PROGRAM, WINDOWS_FAULT_PROGRAM], ids=lambda sources: sources[0]
)
def test_debug_builds_with_wine(sources: Sequence[str], wine: Wine, builder: Builder) -> None:
    command, environment = wine
    cross_compiler = [*find_compiler("x86_64-w64-mingw32-gcc"), "-static", *DEBUG]
    check_report(run([*command, builder.build(cross_compiler, sources)], environment))


@pytest.mark.parametrize("sources", [PORTABLE_PROGRAM, ARENA_PROGRAM], ids=lambda sources: sources[0])
@pytest.mark.parametrize("page_size", AARCH64_PAGE_SIZES)
def test_aarch64(page_size: int, sources: Sequence[str], builder: Builder) -> None:
    emulator = find_tool("qemu-aarch64")
    program = builder.build([*find_compiler("aarch64-linux-gnu-gcc"), "-static"], sources)
    check_pages_and_report(run([emulator, "-p", str(page_size), program]), page_size)
    debug_build = builder.build([*find_compiler("aarch64-linux-gnu-gcc"), "-static", *DEBUG], PORTABLE_PROGRAM)
    check_pages_and_report(run([emulator, "-p", str(page_size), debug_build]), page_size)


def test_objects_on_aarch64(builder: Builder) -> None:
    """With larger pages than those of this machine, qemu maps files only up to their end, and they cannot grow."""
    emulator = find_tool("qemu-aarch64")
    program = builder.build([*find_compiler("aarch64-linux-gnu-gcc"), "-static"], OBJECT_PROGRAM)
    check_report(run([emulator, "-p", str(os.sysconf("SC_PAGESIZE")), program]))


def test_debugging_on_aarch64(builder: Builder) -> None:
    emulator = find_tool("qemu-aarch64")
    program = builder.build([*find_compiler("aarch64-linux-gnu-gcc"), "-static"], DEBUG_PROGRAM)
    check_report(run([emulator, "-p", str(os.sysconf("SC_PAGESIZE")), program]))


@pytest.mark.parametrize(
    "sources",
    [PORTABLE_PROGRAM, OBJECT_PROGRAM, DEBUG_PROGRAM, pytest.param(ARENA_PROGRAM, marks=pytest.mark.exhaustive)],
    ids=lambda sources: sources[0],
)
def test_big_endian(sources: Sequence[str], builder: Builder) -> None:
    program = builder.build([*find_compiler("s390x-linux-gnu-gcc"), "-static"], sources)
    check_report(run([find_tool("qemu-s390x"), program]))


@pytest.fixture(scope="session")
def compiler_for_32_bits(builder: Builder) -> Sequence[str]:
    """A kernel can be configured without the system calls for 32-bit programs, and then starts none."""
    compiler = [*find_compiler("i686-linux-gnu-gcc"), "-static"]
    program = builder.build(compiler, ["private_copy.c"])
    try:
        done = subprocess.run([program], check=False)
    except OSError as error:
        pytest.skip(f"this kernel runs no 32-bit programs: {error}")
    if done.returncode != 0:
        pytest.skip("this machine runs no 32-bit programs")
    return compiler


@pytest.mark.parametrize(
    "sources",
    [
        PORTABLE_PROGRAM,
        TEST_PROGRAM,
        OBJECT_PROGRAM,
        DEBUG_PROGRAM,
        ARENA_PROGRAM,
        *((source,) for source in LINUX_PROGRAMS),
    ],
    ids=lambda sources: sources[0],
)
def test_32_bits(sources: Sequence[str], compiler_for_32_bits: Sequence[str], builder: Builder) -> None:
    check_report(run([builder.build(compiler_for_32_bits, sources)]))


@each_compiler
def test_this_machine(compiler: str, standard: str, builder: Builder) -> None:
    """The program for emulators must work completely where nothing is emulated."""
    output = run([builder.build(find_compiler(compiler, standard), PORTABLE_PROGRAM)])
    check_pages_and_report(output, os.sysconf("SC_PAGESIZE"))
    assert "omitted" not in output


@pytest.mark.parametrize(
    "sources", [PORTABLE_PROGRAM, OBJECT_PROGRAM, DEBUG_PROGRAM, ARENA_PROGRAM], ids=lambda sources: sources[0]
)
def test_static_musl(sources: Sequence[str], builder: Builder) -> None:
    check_report(run([builder.build([*find_compiler("musl-gcc"), "-static"], sources)]))


@pytest.mark.parametrize(
    "sources",
    [PORTABLE_PROGRAM, TEST_PROGRAM, OBJECT_PROGRAM, UNIX_FAULT_PROGRAM, DEBUG_PROGRAM, ARENA_PROGRAM],
    ids=lambda sources: sources[0],
)
@each_compiler
def test_generic_posix_path(compiler: str, standard: str, sources: Sequence[str], builder: Builder) -> None:
    """Without the macros for Linux, vmem.h is compiled as for an unknown Unix system. That code works on Linux too."""
    command = [*find_compiler(compiler, standard), *(f"-U{macro}" for macro in LINUX_MACROS)]
    if standard == "c99":
        command.append("-D_GNU_SOURCE")  # strict C99 hides MAP_ANONYMOUS, which has another number on the BSDs
    check_report(run([builder.build(command, sources)]))


@pytest.mark.parametrize("source", ["test_unsupported.c", "arena_unsupported.c"])
@each_compiler
def test_unsupported_system(compiler: str, standard: str, source: str, builder: Builder) -> None:
    command = [*find_compiler(compiler, standard), *(f"-U{macro}" for macro in SYSTEM_MACROS)]
    check_report(run([builder.build(command, [source])]))
    check_report(run([builder.build([*command, *DEBUG], [source])]))


def has_headers(compiler: Sequence[str], environment: Mapping[str, str], folder: Path) -> bool:
    source = folder / "empty.c"
    source.write_text("#include <errno.h>\n")
    command = [*compiler, "-c", str(source), "-o", str(folder / "empty.o")]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("standard", ["c99", "c++11"])
@pytest.mark.parametrize("target", ZIG_TARGETS)
def test_compiling_with_zig(target: str, standard: str, zig_environment: Mapping[str, str], tmp_path: Path) -> None:
    language = "c++" if standard.startswith("c++") else "cc"
    compiler = [sys.executable, "-m", "ziglang", language, "-target", target, *STANDARDS[standard]]
    command = [*compiler, *WARNINGS, f"-I{HEADER.parent}", "-c", "-o", str(tmp_path / "object.o")]
    try:
        run([*command, SOURCES / "implementation.c"], zig_environment)
    except AssertionError:
        if has_headers(compiler, zig_environment, tmp_path):
            raise
        pytest.skip(f"ziglang has no headers for {target}")
    run([*command, SOURCES / "arena_implementation.c"], zig_environment)
    run([*command, *DEBUG, SOURCES / "implementation.c"], zig_environment)
    if target in HIDING_TARGETS:
        run([*command, "-D_POSIX_C_SOURCE=200809L", SOURCES / "implementation.c"], zig_environment)
