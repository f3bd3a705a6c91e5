from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import vmem
from tests.support.suites import SUITES
from tests.support.system import GROUP_LIMIT

GROUP_ROOT_1 = Path("/sys/fs/cgroup/memory")
GROUP_ROOT_2 = Path("/sys/fs/cgroup")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", choices=SUITES, default="all", help="run these tests (tests/support/suites.py)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if SUITES[config.getoption("suite")].selects(collection_path) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marks = SUITES[config.getoption("suite")].without_marks
    deselected = [item for item in items if any(item.get_closest_marker(mark) for mark in marks)]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in set(deselected)]


@pytest.fixture
def page() -> int:
    return vmem.get_page_size()


@pytest.fixture
def region(page: int) -> Iterator[vmem.Region]:
    """64 pages of addresses, nothing committed."""
    region = vmem.reserve(64 * page)
    yield region
    region._abandon()


@pytest.fixture(scope="session")
def zig_environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What `python -m ziglang`, which compiles for other systems, finds in its environment."""
    if subprocess.run([sys.executable, "-m", "ziglang", "version"], capture_output=True, check=False).returncode:
        pytest.skip("ziglang is not installed")
    folder = tmp_path_factory.mktemp("zig")
    return {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "global"),
        "ZIG_LOCAL_CACHE_DIR": str(folder / "local"),
    }


def find_group_files() -> tuple[Path, str]:
    """The folder to make a control group in, and the name of the file with its limit."""
    if GROUP_ROOT_1.is_dir():
        return GROUP_ROOT_1, "memory.limit_in_bytes"
    controllers = GROUP_ROOT_2 / "cgroup.subtree_control"
    if not controllers.exists() or "memory" not in controllers.read_text().split():
        pytest.skip("no control group of version 1 or 2 limits memory here")
    return GROUP_ROOT_2, "memory.max"


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A new control group with GROUP_LIMIT bytes."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only the superuser of Linux makes control groups")
    root, limit = find_group_files()
    group = root / f"vmem-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"{root} is not writable: {error.strerror}")
    try:
        (group / limit).write_text(str(GROUP_LIMIT))
        yield group
    finally:
        group.rmdir()
