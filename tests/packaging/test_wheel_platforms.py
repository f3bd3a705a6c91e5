"""cibuildwheel builds and tests the wheels that docs/install.md promises."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.suites import SUITES, list_tests

ROOT = Path(__file__).parents[2]
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")

pytest.importorskip("cibuildwheel", reason="cibuildwheel is not installed")

PLATFORMS = {"linux": "(many|musl)linux_", "macos": "macosx_", "windows": "win_"}  # patterns for the tags of wheels


def read_table(heading: str) -> list[list[str]]:
    """The rows of the page's table whose first column has this heading."""
    rows = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", INSTALL, re.MULTILINE)
    assert rows, f"the page has no table of each {heading}"
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows[1].splitlines()]


def promised_pythons() -> set[str]:
    pythons: set[str] = set()
    for wheel, _, tested_on in read_table("wheel"):
        tested = [f"cp3{version}" for version in re.findall(r"3\.(\d+t?)", tested_on)]
        assert tested[0] == wheel.removesuffix("-abi3").rpartition("-")[2], "a wheel is tested where it is built"
        pythons.update(tested)
    return pythons


def promised_identifiers(platform: str) -> set[str]:
    machines = [machine for row in read_table("system") for machine in row[1:]]
    return {
        f"{python}-{machine}"
        for python in promised_pythons()
        for machine in machines
        if re.match(PLATFORMS[platform], machine)
    }


@pytest.fixture(scope="module")
def settings() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_cibuildwheel_builds_the_promised_wheels(platform: str) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "cibuildwheel", "--platform", platform, "--print-build-identifiers", ROOT],
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    promised = promised_identifiers(platform)
    assert promised
    assert sorted(printed.split()) == sorted(promised)


def test_the_deployment_target_is_the_promised_macos(settings: Any) -> None:
    (promised,) = re.findall(r"macOS (\d+) or newer", INSTALL)
    assert settings["macos"]["environment"]["MACOSX_DEPLOYMENT_TARGET"] == f"{promised}.0"


def test_every_wheel_is_tested(settings: Any, tmp_path: Path) -> None:
    assert "test-skip" not in settings
    command = shlex.split(settings["test-command"].replace("{project}", ROOT.as_posix()))
    assert command[0] == "python"
    printed = subprocess.run(
        [sys.executable, *command[1:], "--collect-only", "--quiet", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    run = set(re.findall(r"(tests/\w+/test_\w+\.py)::", printed))
    wanted = {f"tests/{path}" for path in list_tests(SUITES["published"])}
    needs_testcapi = {"tests/exhaustive/test_small_allocations.py"}  # some Pythons lack _testcapi
    assert wanted - needs_testcapi <= run <= wanted


# --- workflows ---


def read_workflow(name: str) -> str:
    return (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")


def test_every_wheel_is_built_on_its_own_architecture(settings: Any) -> None:
    wanted = [(platform, machine) for platform in PLATFORMS for machine in settings[platform]["archs"]]
    jobs = re.findall(r"platform: (\w+), archs: (\w+)", read_workflow("wheels.yml"))
    assert sorted(jobs) == sorted(wanted)


def test_the_tests_run_on_every_promised_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = {text.rpartition(" ")[2] for text in project["classifiers"] if re.search(r":: 3\.\d+$", text)}
    promised |= {f"3.{python.removeprefix('cp3')}" for python in promised_pythons()}
    (tested,) = re.findall(r"python: \[(.*)\]", read_workflow("tests.yml"))
    assert set(re.findall(r'"(.*?)"', tested)) == promised
