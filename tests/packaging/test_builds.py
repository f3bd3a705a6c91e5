"""What builds of native code find in an installed vmem: headers, a CMake package, vmem.pc, declarations for Cython."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import pytest

import vmem
from tests.support.processes import ROOT, run_command
from tests.support.sharing import SharedFolder

PACKAGE = Path(vmem.__file__).parent
CLIENT = ROOT / "tests" / "programs" / "c_api_client.c"
HEADERS = ["vmem.h", "vmem_arena.h", "vmem_python.h"]
FOLDER_OPTIONS = ["--include-dir", "--cmakedir", "--pkgconfigdir"]


def ask(*options: str, expect: int = 0, package: Path = PACKAGE) -> str:
    """What ``python -m vmem`` of a package prints."""
    command = [sys.executable, "-m", "vmem", *options]
    return run_command(command, expect=expect, PYTHONPATH=str(package.parent)).removesuffix("\n")


def find_tool(name: str) -> str:
    """A program on the path, or one that pip has installed."""
    tool = shutil.which(name, path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    if tool is None:
        pytest.skip(f"{name} is not installed")
    return tool


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A copy of the installed package in a folder whose name has a space, which shells and pkg-config must quote."""
    return shutil.copytree(PACKAGE, tmp_path / "another place" / "vmem", ignore=shutil.ignore_patterns("__pycache__"))


# --- python -m vmem ---


def test_options_print_folders() -> None:
    assert ask("--include-dir") == vmem.get_include()
    assert sorted(os.listdir(vmem.get_include())) == HEADERS  # noqa: PTH208
    assert sorted(path.name for path in Path(ask("--cmakedir")).iterdir()) == [
        "vmemConfig.cmake",
        "vmemConfigVersion.cmake",
    ]
    assert [path.name for path in Path(ask("--pkgconfigdir")).glob("*.pc")] == ["vmem.pc"]
    assert ask("--version") == vmem.__version__


def test_includes_are_the_options_that_a_compiler_needs(tmp_path: Path) -> None:
    compiler = find_tool("cc")
    run_command([compiler, "-fsyntax-only", *shlex.split(ask("--includes")), CLIENT])
    assert "vmem_python.h" in run_command(
        [compiler, "-fsyntax-only", *shlex.split(ask("--includes"))[:-1], CLIENT], expect=1
    )


def test_includes_are_quoted(moved: Path) -> None:
    options = ask("--includes", package=moved)
    assert f"'-I{moved / 'include'}'" in options or f'"-I{moved / "include"}"' in options
    assert ask("--include-dir", package=moved) == str(moved / "include")


@pytest.mark.parametrize("option", FOLDER_OPTIONS)
def test_a_missing_folder_is_an_error(moved: Path, option: str) -> None:
    folder = ask(option, package=moved)
    shutil.rmtree(folder)
    assert ask(option, expect=1, package=moved) == f"vmem: this installation lacks the folder {folder}"


@pytest.mark.parametrize("other", ["demo", "--json", "--version", "--includes"])
@pytest.mark.parametrize("option", FOLDER_OPTIONS)
def test_options_exclude_each_other(option: str, other: str) -> None:
    assert "not allowed with argument" in ask(option, other, expect=2)


def test_options_exclude_commands() -> None:
    assert "argument COMMAND: not allowed with argument --includes" in ask("--includes", "demo", expect=2)


# --- pkg-config ---


def test_pkg_config(moved: Path) -> None:
    tool = find_tool("pkg-config")
    for package in (PACKAGE, moved):
        path = ask("--pkgconfigdir", package=package)
        assert run_command([tool, "--modversion", "vmem"], PKG_CONFIG_PATH=path).strip() == vmem.__version__
        (option,) = shlex.split(run_command([tool, "--cflags", "vmem"], PKG_CONFIG_PATH=path))
        assert option.startswith("-I")
        assert Path(option[2:]).samefile(package / "include")
        assert run_command([tool, "--libs", "vmem"], PKG_CONFIG_PATH=path).strip() == ""


# --- CMake ---

# Two calls, because a project may ask in several of its folders.
PROJECT = """
cmake_minimum_required(VERSION 3.19)
project(versions LANGUAGES NONE)
foreach(wanted IN ITEMS {wanted})
  foreach(exact "" EXACT)
    string(REPLACE "any" "" version "${{wanted}}")
    if(NOT exact OR NOT wanted MATCHES "any|[.][.][.]")
      unset(vmem_DIR CACHE)
      find_package(vmem ${{version}} ${{exact}} CONFIG QUIET NO_DEFAULT_PATH PATHS "{package}")
      file(APPEND results "${{wanted}} ${{exact}}=${{vmem_FOUND}} ${{vmem_VERSION}}\\n")
    endif()
  endforeach()
endforeach()
get_target_property(folder vmem::vmem INTERFACE_INCLUDE_DIRECTORIES)
file(APPEND results "folder=${{folder}}\\n")
"""

# For each version of vmem: which requests for a version find it.
FOUND = {
    "0.3.1": {
        **dict.fromkeys(["any", "0.3", "0.3.0", "0.3.1", "0.3.1 EXACT"], True),
        **dict.fromkeys(["0.3.2", "0.4", "0.2", "0", "1.3", "0.3 EXACT", "0.3.2 EXACT"], False),
        **dict.fromkeys(["0.1...0.9", "0.3...0.3.1", "0.3.1...<0.4"], True),
        **dict.fromkeys(["0.1...<0.3.1", "0.1...0.3", "0.3.2...2"], False),
    },
    "2.10.0": {
        **dict.fromkeys(["any", "2", "2.9", "2.10", "2.10.0", "2.10 EXACT"], True),
        **dict.fromkeys(["2.11", "3", "1", "1.10", "0.10", "2 EXACT", "20"], False),
        **dict.fromkeys(["1...2.10", "2...<3"], True),
        **dict.fromkeys(["1...2", "3...4"], False),
    },
}


@pytest.mark.parametrize("version", FOUND)
def test_cmake_finds_compatible_versions(version: str, moved: Path, tmp_path: Path) -> None:
    about = moved / "_about.py"
    about.write_text(about.read_text(encoding="utf-8").replace(vmem.__version__, version), encoding="utf-8")
    wanted = sorted({each.removesuffix(" EXACT") for each in FOUND[version]})
    project = PROJECT.format(wanted=" ".join(wanted), package=moved.as_posix())
    (tmp_path / "CMakeLists.txt").write_text(project, encoding="utf-8")
    run_command([find_tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build"])
    *lines, last = (tmp_path / "results").read_text(encoding="utf-8").splitlines()
    results = dict(line.split("=") for line in lines)
    for asked, is_found in FOUND[version].items():
        result = results[asked if "EXACT" in asked else f"{asked} "]
        assert (result == f"1 {version}") == is_found, f"{asked}: {result}"
    assert Path(last.removeprefix("folder=")).samefile(moved / "include")


# With the prefix of an environment, CMake goes on from a file below it to the package in it.
PREFIX_PROJECT = """
cmake_minimum_required(VERSION 3.15)
project(prefix LANGUAGES NONE)
foreach(attempt IN ITEMS 1 2)
  find_package(vmem {wanted} CONFIG)
endforeach()
if(TARGET vmem::vmem)
  get_target_property(folder vmem::vmem INTERFACE_INCLUDE_DIRECTORIES)
endif()
file(WRITE results "${{vmem_FOUND}}\n${{vmem_VERSION}}\n${{folder}}")
"""

# Where the Pythons of different systems have their packages, below what they call the prefix.
LAYOUTS = [
    "lib/python3.11/site-packages",
    "lib64/python3.15t/site-packages",
    "lib/python3.12/dist-packages",
    "lib/python/site-packages",
    "Lib/site-packages",
    "Python311/site-packages",
    ".",
]


def configure(folder: Path, wanted: str, *options: str, path: str = os.defpath, expect: int = 0) -> str:
    """Runs CMake on a project that wants vmem. Returns what it prints."""
    (folder / "CMakeLists.txt").write_text(PREFIX_PROJECT.format(wanted=wanted), encoding="utf-8")
    shutil.rmtree(folder / "build", ignore_errors=True)
    options = ("-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF", *options)
    command: list[str | Path] = [find_tool("cmake"), "-S", folder, "-B", folder / "build", *options]
    return run_command(command, expect=expect, PATH=path)


def find_by_prefix(prefix: Path, folder: Path, version: str) -> list[str]:
    """Whether a project finds vmem, which version, and the include folder."""
    configure(folder, version, f"-DCMAKE_PREFIX_PATH={prefix.as_posix()}")
    return (folder / "results").read_text(encoding="utf-8").split("\n")


def find_prefix_of_package() -> Path:
    """Where pip has installed the files that are not in the package."""
    (installed,) = metadata.distributions(name="pyvmem", path=[str(PACKAGE.parent)])
    files = installed.files or []
    (name,) = (path for path in files if path.name == "vmemConfig.cmake" and path.parts[0] != "vmem")
    return Path(name.locate()).resolve().parents[3]


def test_cmake_finds_this_environment(tmp_path: Path) -> None:
    for wanted in ("", vmem.__version__):
        found, version, include = find_by_prefix(find_prefix_of_package(), tmp_path, wanted)
        assert (found, version) == ("1", vmem.__version__)
        assert Path(include).samefile(vmem.get_include())


def test_cmake_finds_an_activated_environment(moved: Path, tmp_path: Path) -> None:
    """CMake looks beside the folders of programs."""
    prefix = shutil.copytree(ROOT / "src" / "prefix", tmp_path / "prefix")
    (prefix / "bin").mkdir()
    package = shutil.copytree(moved, prefix / "lib" / "python3.13" / "site-packages" / "vmem")
    configure(tmp_path, "REQUIRED", path=os.pathsep.join([str(prefix / "bin"), os.defpath]))
    assert Path((tmp_path / "results").read_text(encoding="utf-8").split("\n")[2]).samefile(package / "include")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cmake_finds_environments(layout: str, moved: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "a prefix"
    shutil.copytree(ROOT / "src" / "prefix", prefix)
    (prefix / layout).mkdir(parents=True, exist_ok=True)
    package = moved.rename(prefix / layout / "vmem")
    found, version, include = find_by_prefix(prefix, tmp_path, vmem.__version__)
    assert (found, version) == ("1", vmem.__version__)
    assert Path(include).samefile(package / "include")
    assert find_by_prefix(prefix, tmp_path, "99.0")[0] == "0"


def test_an_environment_without_the_package(tmp_path: Path) -> None:
    prefix = shutil.copytree(ROOT / "src" / "prefix", tmp_path / "prefix")
    assert find_by_prefix(prefix, tmp_path, "") == ["0", "", ""]
    assert find_by_prefix(prefix, tmp_path, vmem.__version__)[0] == "0"
    errors = configure(tmp_path, "REQUIRED", f"-DCMAKE_PREFIX_PATH={prefix.as_posix()}", expect=1)
    assert f"version: none: no Python below {prefix.as_posix()} has the package" in " ".join(errors.split())


# --- Cython ---


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def read_declared(header: str) -> set[str]:
    """The lines of the pxd file about a header."""
    _, _, after = read(PACKAGE / "__init__.pxd").partition(f'cdef extern from "{header}" nogil:')
    return {line.strip() for line in after.partition("cdef extern")[0].splitlines() if line.strip()}


def test_the_pxd_file_declares_all_that_the_header_declares() -> None:
    header = read(ROOT / "csrc" / "vmem.h").partition("\n// >>config")[2]
    functions = re.findall(r"^VMEM_API ([^;{]*\));$", header, re.MULTILINE)
    expected = [" ".join(each.split()) for each in functions]
    for name in re.findall(r"^typedef struct (Vmem\w+) \{", header, re.MULTILINE):
        (body,) = re.findall(rf"struct {name} \{{\n(.*?)\n\}}", header, re.DOTALL)
        expected += [f"ctypedef struct {name}:", *re.findall(r"^    (\w[^;]*);", body, re.MULTILINE)]
    for name in re.findall(r"^typedef enum (Vmem\w+)", header, re.MULTILINE):
        (body,) = re.findall(rf"^typedef enum {name} [^{{]*\{{(.*?)\}} {name};", header, re.DOTALL | re.MULTILINE)
        values = re.findall(r"^    (VMEM_\w+) = ", body, re.MULTILINE)
        expected += [f"ctypedef enum {name}:", *(values or re.findall(r"^    X\((\w+),", header, re.MULTILINE))]
    expected += ["uint64_t VMEM_UNLIMITED"]
    as_cython = {re.sub(r"\bbool\b", "bint", each).replace("(void)", "()") for each in expected}
    assert read_declared("vmem.h") == as_cython
    assert len(as_cython) > 80


def test_the_pxd_file_declares_arenas() -> None:
    """Growable arrays are macros, which Cython cannot expand."""
    header = read(ROOT / "csrc" / "vmem_arena.h")
    functions = re.findall(r"^VMEM_API ([^;{]*? \*?(vmem_\w+)\([^;{]*\));$", header, re.MULTILINE)
    expected = {declaration for declaration, name in functions if not name.startswith("vmem__")}
    (body,) = re.findall(r"struct VmemArena \{\n(.*?)\n\}", header, re.DOTALL)
    expected |= {"ctypedef struct VmemArena:", *re.findall(r"^    (\w[^;]*);", body, re.MULTILINE)}
    assert read_declared("vmem_arena.h") == expected
    assert len(expected) > 12


# --- editable installations ---


@pytest.fixture(scope="module")
def editable(shared_folder: SharedFolder) -> tuple[Path, str]:
    """A checkout, and the interpreter of an environment into which it was installed with ``pip install -e``."""
    folder = shared_folder("editable", install_editable)
    return folder / "checkout", find_interpreter(folder)


def find_interpreter(folder: Path) -> str:
    return str(folder / "environment" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def install_editable(folder: Path) -> None:
    checkout = folder / "checkout"
    for name in ("csrc", "src"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", "*.so", "include"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    venv.create(folder / "environment")
    pip = [sys.executable, "-m", "pip", "--python", find_interpreter(folder)]
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    tools = sysconfig.get_path("purelib")  # for setuptools
    run_command([*pip, "install", *options, "-e", checkout], PYTHONPATH=tools, CFLAGS="-O0")


def test_an_editable_installation_has_an_include_folder(editable: tuple[Path, str], tmp_path: Path) -> None:
    checkout, python = editable
    script = "import vmem; print(vmem.__file__, vmem.get_include(), sep='\\n')"
    file, include = run_command([python, "-c", script]).splitlines()
    assert Path(file).is_relative_to(checkout)
    assert sorted(path.name for path in Path(include).iterdir()) == HEADERS
    compiler = find_tool("cc")
    options = shlex.split(run_command([python, "-m", "vmem", "--includes"]))
    run_command([compiler, "-fsyntax-only", *options, CLIENT])
    with (checkout / "csrc" / "vmem.h").open("a", encoding="utf-8") as header:
        header.write("\n#define EDITED 1\n")
    program = tmp_path / "edited.c"
    program.write_text('#include "vmem.h"\n#if !EDITED\n#error "this is a copy"\n#endif\n', encoding="utf-8")
    run_command([compiler, "-fsyntax-only", *options, program])
    program.write_text('#include "module.h"\n', encoding="utf-8")
    assert "module.h" in run_command([compiler, "-fsyntax-only", *options, program], expect=1)


def test_cmake_and_pkg_config_find_an_editable_installation(editable: tuple[Path, str], tmp_path: Path) -> None:
    _, python = editable
    folders = {option: run_command([python, "-m", "vmem", option]).strip() for option in FOLDER_OPTIONS}
    (tmp_path / "CMakeLists.txt").write_text(
        PROJECT.format(wanted=vmem.__version__, package=folders["--cmakedir"]), encoding="utf-8"
    )
    tool = find_tool("pkg-config")
    version = run_command([tool, "--modversion", "vmem"], PKG_CONFIG_PATH=folders["--pkgconfigdir"])
    assert version.strip() == vmem.__version__
    run_command([find_tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build"])
    last = (tmp_path / "results").read_text(encoding="utf-8").splitlines()[-1]
    assert Path(last.removeprefix("folder=")).samefile(folders["--include-dir"])
