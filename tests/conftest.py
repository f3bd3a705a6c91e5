from __future__ import annotations

import faulthandler
import gc
import os
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from functools import partial
from pathlib import Path

import hypothesis
import pytest

import vmem
from tests.support.forked import CAN_FORK, run_in_child
from tests.support.sharing import SharedFolder, make_shared_folder
from tests.support.suites import SUITES
from tests.support.system import GROUP_LIMIT

# Ends the whole run, so it is far beyond what any test takes, on emulated machines and under sanitizers too.
SECONDS_UNTIL_A_TEST_HANGS = 1200
STANDARD_ERROR = pytest.StashKey[int]()  # a copy, because pytest captures the descriptor itself while a test runs

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

GROUP_ROOT_1 = Path("/sys/fs/cgroup/memory")
GROUP_ROOT_2 = Path("/sys/fs/cgroup")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", choices=SUITES, default="all", help="run these tests (tests/support/suites.py)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STANDARD_ERROR] = os.dup(2)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if SUITES[config.getoption("suite")].selects(collection_path) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marks = SUITES[config.getoption("suite")].without_marks
    deselected = [item for item in items if any(item.get_closest_marker(mark) for mark in marks)]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in set(deselected)]


def pytest_collection_finish() -> None:
    """Collections of garbage, of which tests make many, leave out what the tests have imported: it takes 0.1 s."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Ends the process when a test hangs, after the tracebacks of all threads. Another thread does it, without the GIL.

    Signals would not do: tests have handlers of their own, and calls that hang return to none.
    """
    faulthandler.dump_traceback_later(SECONDS_UNTIL_A_TEST_HANGS, exit=True, file=item.config.stash[STANDARD_ERROR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs what is marked in_child in a child process, where the system can fork."""
    if not (CAN_FORK and pyfuncitem.get_closest_marker("in_child")):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    run_in_child(partial(pyfuncitem.obj, **arguments))
    return True


@pytest.fixture
def page() -> int:
    return vmem.get_page_size()


@pytest.fixture
def region(page: int) -> Iterator[vmem.Region]:
    """64 pages of addresses, nothing committed."""
    region = vmem.reserve(64 * page)
    yield region
    region._release_deferred()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> SharedFolder:
    """Makes a folder once per run: shared_folder("name", fill)."""
    return partial(make_shared_folder, tmp_path_factory)


@pytest.fixture(scope="session")
def zig_environment(shared_folder: SharedFolder) -> Mapping[str, str]:
    """What `python -m ziglang`, which compiles for other systems, finds in its environment."""
    if subprocess.run([sys.executable, "-m", "ziglang", "version"], capture_output=True, check=False).returncode:
        pytest.skip("ziglang is not installed")
    folder = shared_folder("zig", lambda folder: None)
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
