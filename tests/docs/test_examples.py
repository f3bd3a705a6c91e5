"""The Python programs in examples/: they run, and assert their effects."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.processes import ROOT, make_address_limit

EXAMPLES = ROOT / "examples"

# os.fork(), ctypes.CDLL(None), os.preadv(), files that grow while they are mapped
NEEDS_UNIX = (
    "append_to_npy.py",
    "cost_of_durability.py",
    "guard_pages.py",
    "hand_to_c.py",
    "hand_to_cffi.py",
    "read_into_place.py",
    "send_descriptor.py",
)
NEEDS_LINUX = ("dask_shared.py",)  # /proc/PID/fd
NEEDS_SHARED_MEMORY = (
    "dask_shared.py",
    "send_descriptor.py",
    "shared_array.py",
    "shared_by_processes.py",
    "shared_by_workers.py",
)
NEEDS_LIBRARY = {
    "arrow_columns.py": "pyarrow",
    "dask_cluster.py": "distributed",
    "dask_shared.py": "distributed",
    "dask_tables.py": "pyarrow distributed",
    "hand_to_cffi.py": "cffi",
    "query_table.py": "duckdb pyarrow",
    "table_to_dataframes.py": "pandas polars pyarrow",
    "table_to_parquet.py": "pyarrow",
    "torch_tensors.py": "torch",
}
MEASURES_LOCKS = ("locked_secret.py",)
TAKES_MANY_ADDRESSES = (
    "dask_shared.py",
    "draw_map.py",
    "fit_the_limits.py",
    "growing_array.py",
    "hand_to_cffi.py",
    "pickle_out_of_band.py",
    "read_whole_file.py",
    "send_descriptor.py",
    "shared_array.py",
    "shared_by_workers.py",
    "sparse_index.py",
)


def needs(library: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(library) is None, reason=f"{library} is not installed")


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    marks = {
        NEEDS_UNIX: posix_only,
        NEEDS_LINUX: linux_only,
        NEEDS_SHARED_MEMORY: needs_shared_memory,
        MEASURES_LOCKS: pytest.mark.exact_memory,
        TAKES_MANY_ADDRESSES: pytest.mark.many_addresses,
    }
    libraries = NEEDS_LIBRARY.get(name, "").split()
    return [mark for names, mark in marks.items() if name in names] + [needs(library) for library in libraries]


PROGRAMS = [pytest.param(path.name, marks=marks_of(path.name)) for path in sorted(EXAMPLES.glob("*.py"))]


def run_example(name: str, folder: Path, limit: int | None = None) -> str:
    """Returns what a program prints that runs in `folder`, with TMPDIR there too, in `limit` bytes of address space."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)},
        preexec_fn=make_address_limit(limit),
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs_and_leaves_no_files(name: str, tmp_path: Path) -> None:
    run_example(name, tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_asserts_its_effects(name: str) -> None:
    assert re.search(r"^ *assert ", (EXAMPLES / name).read_text(encoding="utf-8"), re.MULTILINE)


@posix_only
@pytest.mark.exact_memory
@pytest.mark.many_addresses
def test_limits_are_respected(tmp_path: Path) -> None:
    """fit_the_limits.py reserves at most half of the free addresses, and works with that."""
    printed = run_example("fit_the_limits.py", tmp_path, limit=1 << 30)
    (reserved,) = re.findall(r"^reserved (\d+) MiB", printed)
    assert 64 <= int(reserved) <= 512


@pytest.mark.many_addresses
def test_the_tutorial_shows_what_its_program_prints(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert shown.split() == run_example("growing_array.py", tmp_path).splitlines()[0].split()
