"""The source distribution, and the wheel that is built from it: complete, small and hardened."""

from __future__ import annotations

import importlib.machinery
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import vmem
from tests.support.marks import linux_only, sample
from tests.support.sharing import SharedFolder

ROOT = Path(__file__).parents[2]

# The files of the project, and the names of files that tools make among them.
SOURCES = (
    *("*.md", "*.toml", "*.in", "setup.py", "LICENSE", "Makefile", ".clang-format"),
    *(f"{folder}/**/*" for folder in (".github", "benchmarks", "csrc", "docs", "examples", "src", "tests")),
)
MADE_BY_TOOLS = re.compile(
    r"(^|/)(__pycache__|\.[a-z]+_cache|[^/]+\.egg-info)/|\.(so|pyd|o|obj)$"
    r"|^src/vmem/(include/|share/pkgconfig/vmem\.pc$)"  # by editable installations
)
ADDED_BY_SETUPTOOLS = re.compile(r"PKG-INFO|setup\.cfg|(src/)?pyvmem\.egg-info/.*")

MAX_WHEEL_BYTES = 250_000
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")

STABLE_ABI_TAG = "cp311-abi3"

# The variables that change how the extension is built.
BUILD_VARIABLES = {"CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LD_PRELOAD"}


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Runs a command, checks its exit status, and returns its output and errors."""
    inherited = {name: value for name, value in os.environ.items() if name not in BUILD_VARIABLES}
    done = subprocess.run(
        command,
        cwd=folder,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def list_sources() -> list[str]:
    paths = {path.relative_to(ROOT).as_posix() for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file()}
    return sorted(path for path in paths if not MADE_BY_TOOLS.search(path))


@pytest.fixture(scope="module")
def sdist(shared_folder: SharedFolder) -> Path:
    """The source distribution. Setuptools writes into the folder it works on, so that is a copy."""

    def build(folder: Path) -> None:
        for name in list_sources():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        run([sys.executable, "-c", "from setuptools import build_meta; build_meta.build_sdist('dist')"], folder)

    (archive,) = (shared_folder("checkout", build) / "dist").iterdir()
    return archive


def build_wheel(sdist: Path, folder: Path, **environment: str) -> Path:
    """Unpacks the source distribution into a folder, and builds a wheel of it without a package index."""
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)  # new in 3.11.4
        archive.extractall(folder)
    (unpacked,) = folder.glob("pyvmem-*")
    options = ("--no-index", "--no-build-isolation", "--no-deps", "--disable-pip-version-check")
    run([sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder / "dist", "."], unpacked, **environment)
    return find_wheel(folder)


def find_wheel(folder: Path) -> Path:
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(sdist: Path, shared_folder: SharedFolder) -> Path:
    return find_wheel(shared_folder("elsewhere", lambda folder: build_wheel(sdist, folder)))


@pytest.fixture(scope="module")
def unpacked_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(unpacked_wheel: Path) -> Message:
    (path,) = unpacked_wheel.glob("pyvmem-*.dist-info/METADATA")
    return Parser().parsestr(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def extension(unpacked_wheel: Path) -> Path:
    (path,) = (path for path in (unpacked_wheel / "vmem").iterdir() if path.suffix in (".so", ".pyd"))
    return path


def test_the_sdist_has_all_files_of_the_checkout(sdist: Path) -> None:
    assert sdist.name == f"pyvmem-{vmem.__version__}.tar.gz"
    with tarfile.open(sdist) as archive:
        files = [member.name.partition("/")[2] for member in archive if member.isfile()]
    assert sorted(name for name in files if not ADDED_BY_SETUPTOOLS.fullmatch(name)) == list_sources()


def test_the_tag_of_the_wheel(wheel: Path) -> None:
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    tag = f"{version}-{version}t" if sysconfig.get_config_var("Py_GIL_DISABLED") else STABLE_ABI_TAG
    platform = re.sub(r"[-.]", "_", sysconfig.get_platform())
    assert wheel.name == f"pyvmem-{vmem.__version__}-{tag}-{platform}.whl"


def read_files(folder: Path) -> dict[str, bytes]:
    """The contents of all files of a folder by their paths in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_published_wheel_is_small(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("zopfli", reason="zopflipy is not installed")
    published = Path(shutil.copy2(wheel, tmp_path))
    run([sys.executable, ROOT / ".ci" / "compress_wheels.py", published], tmp_path)
    assert published.stat().st_size <= MAX_WHEEL_BYTES
    assert f"smaller than {MAX_WHEEL_BYTES // 1000} kB" in INSTALL


def test_the_wheel_has_the_package_and_nothing_else(unpacked_wheel: Path, extension: Path) -> None:
    about = f"pyvmem-{vmem.__version__}.dist-info"
    data = unpacked_wheel / f"pyvmem-{vmem.__version__}.data"
    assert {path.name for path in unpacked_wheel.iterdir()} == {"vmem", about, data.name}
    prefix = ROOT / "src" / "prefix"
    assert read_files(data / "data") == read_files(prefix)
    package = ROOT / "src" / "vmem"
    sources = {name.removeprefix("src/vmem/") for name in list_sources() if name.startswith("src/vmem/")}
    packed = {path.relative_to(extension.parent).as_posix() for path in extension.parent.rglob("*") if path.is_file()}
    expected = {name.removesuffix(".in") for name in sources}  # vmem.pc is made from vmem.pc.in
    assert expected | {extension.name} == {name for name in packed if not name.startswith("include/")}
    for name in sources & expected:
        assert (extension.parent / name).read_bytes() == (package / name).read_bytes()
    for name in ("vmem.h", "vmem_arena.h", "vmem_python.h"):
        assert (extension.parent / "include" / name).read_bytes() == (ROOT / "csrc" / name).read_bytes()
    assert (unpacked_wheel / about / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_metadata_are_complete(metadata: Message) -> None:
    assert metadata["Name"] == "pyvmem"
    assert metadata["Version"] == vmem.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Requires-Dist"] is None
    assert {"Summary", "Author", "Keywords"} <= set(metadata)
    assert str(metadata.get_payload()).strip() == README.strip()


def test_the_package_index_gets_absolute_addresses(tmp_path: Path) -> None:
    for name in [name for name in list_sources() if "/" not in name or name.startswith(("csrc/", "src/"))]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "pyproject.toml").open("a", encoding="utf-8") as settings:
        settings.write('[project.urls]\nRepository = "https://example.org/vmem/"\n')
    question = "from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel('.'))"
    name = run([sys.executable, "-c", question], tmp_path).split()[-1]
    text = Parser().parsestr((tmp_path / name / "METADATA").read_text(encoding="utf-8")).get_payload()
    assert isinstance(text, str)
    addresses = re.findall(r'(?:\]\(|src="|srcset=")([^)"]*)', text)
    assert len(addresses) > 15
    assert [address for address in addresses if not address.startswith("https://")] == []
    assert f'srcset="https://example.org/vmem/raw/v{vmem.__version__}/docs/static/growth-dark.svg"' in text
    assert f"](https://example.org/vmem/blob/v{vmem.__version__}/docs/install.md)" in text


def test_the_metadata_and_the_tag_name_the_same_versions_of_python(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier") or []
    versions = [text.rpartition("3.")[2] for text in classifiers if re.search(r":: Python :: 3\.\d+$", text)]
    oldest = min(map(int, versions))
    assert f"cp3{oldest}-abi3" == STABLE_ABI_TAG
    assert metadata["Requires-Python"] == f">=3.{oldest}"
    assert not [text for text in classifiers if text.startswith("License ::")], "the licence has a field of its own"


READ_ARGUMENTS = """
for argument; do
    case $argument in -flto*) across=yes; touch "${0%/*}/asked" ;; -shared) links=yes ;; esac
done
"""
FAILURES_OF_LTO = {
    "the compiler refuses": '[ -z "$across" ] || exit 1',
    "the linker refuses": '[ "$across$links" != yesyes ] || exit 1',
    "the linker drops all objects": """
if [ "$across$links" = yesyes ]; then
    for argument; do
        shift
        case $argument in *.o) ;; *) set -- "$@" "$argument" ;; esac
    done
    set -- "$@" -x c /dev/null
fi""",
}


@linux_only
@pytest.mark.parametrize("failure", sample(FAILURES_OF_LTO, {"the linker refuses"}))
def test_it_builds_without_link_time_optimization(failure: str, sdist: Path, tmp_path: Path) -> None:
    compiler = tmp_path / "compiler.sh"
    compiler.write_text(f'{READ_ARGUMENTS}{FAILURES_OF_LTO[failure]}\nexec cc "$@" -O0', encoding="utf-8")
    built = build_wheel(sdist, tmp_path, CC=f"sh '{compiler}'")
    assert (tmp_path / "asked").exists()
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path / "installed")
    question = [sys.executable, "-c", "import vmem; print(vmem.reserve(1).size, vmem.__file__)"]
    size, _, path = run(question, tmp_path, PYTHONPATH=str(tmp_path / "installed")).strip().partition(" ")
    assert int(size) == vmem.get_page_size()
    assert Path(path).is_relative_to(tmp_path / "installed")


def test_importers_find_the_extension(extension: Path) -> None:
    suffix = extension.name.removeprefix("_vmem")
    assert suffix in importlib.machinery.EXTENSION_SUFFIXES
    if not sysconfig.get_config_var("Py_GIL_DISABLED") and sys.platform != "win32":
        assert suffix == ".abi3.so"


def test_the_wheel_works(unpacked_wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vmem", "demo", "--json"]
    demo = json.loads(run(command, tmp_path, PYTHONPATH=str(unpacked_wheel)))
    assert demo["array"]["is_right"]
    question = [sys.executable, "-c", "import vmem._vmem; print(vmem._vmem.__file__)"]
    origin = run(question, tmp_path, PYTHONPATH=str(unpacked_wheel))
    assert Path(origin.strip()).is_relative_to(unpacked_wheel)
    question = [sys.executable, "-c", "import vmem._bench.headline as headline; print(headline.__file__)"]
    origin = run(question, tmp_path, PYTHONPATH=str(unpacked_wheel))
    assert Path(origin.strip()).is_relative_to(unpacked_wheel)


def test_the_wheel_has_a_command(unpacked_wheel: Path) -> None:
    (path,) = unpacked_wheel.glob("pyvmem-*.dist-info/entry_points.txt")
    assert path.read_text(encoding="utf-8").split() == ["[console_scripts]", "vmem", "=", "vmem.__main__:main"]


# --- the extension as a shared library ---


@linux_only
def test_the_extension_needs_libc_only_and_exports_its_init_function_only(extension: Path, tmp_path: Path) -> None:
    dynamic = run(["readelf", "--wide", "--dynamic", extension], tmp_path)
    assert "PATH" not in dynamic
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    assert all(re.match(r"(libc|libpthread|ld-linux|ld-musl)\b", name) for name in needed), needed
    exported = run(["nm", "--dynamic", "--defined-only", extension], tmp_path).split()[2::3]
    assert exported == ["PyInit__vmem"]


@linux_only
def test_the_extension_loads_on_old_systems(extension: Path, tmp_path: Path) -> None:
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", run(["readelf", "--wide", "--version-info", extension], tmp_path))
    (promised,) = re.findall(r"glibc (\d+)\.(\d+) or newer", INSTALL)
    assert max(((int(major), int(minor)) for major, minor in versions), default=(0, 0)) <= tuple(map(int, promised))


@linux_only
def test_the_extension_is_hardened(extension: Path, tmp_path: Path) -> None:
    segments = run(["readelf", "--wide", "--segments", extension], tmp_path)
    assert re.search(r"GNU_STACK .* RW +0x", segments), "the stack is executable"
    assert "GNU_RELRO" in segments
    assert "BIND_NOW" in run(["readelf", "--wide", "--dynamic", extension], tmp_path)
    assert "__stack_chk_fail" in run(["nm", "--dynamic", "--undefined-only", extension], tmp_path)
