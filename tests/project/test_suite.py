"""Rules that the tests themselves follow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT, run_python
from tests.support.suites import SUITES, TESTS, list_tests

SHARED = ["tests/support", "tests/models"]
FOR_PYTEST = {f"tests.support.{name}" for name in ("forked", "marks", "sharing")}  # child programs import none of them


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("slow", ["pytest", "hypothesis", "numpy"])
def test_child_programs_import_nothing_slow(slow: str) -> None:
    names = {module_name(path) for folder in SHARED for path in (ROOT / folder).glob("[!_]*.py")}
    assert names > FOR_PYTEST
    run_python(f"""
        import importlib, sys

        for name in {sorted(names - FOR_PYTEST)}:
            importlib.import_module(name)
        assert {slow!r} not in sys.modules
    """)


# --- suites ---


def read_commands() -> str:
    """The text of all files that run tests."""
    files = [*(ROOT / ".ci").glob("[!.]*"), *(ROOT / ".github" / "workflows").iterdir()]
    files += [ROOT / "Makefile", ROOT / "pyproject.toml"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files if path.is_file())


def test_every_suite_is_run_somewhere() -> None:
    named = set(re.findall(r"(?i:suite) ?(?:=|:-)\"? ?([\w-]+)", read_commands()))
    assert named - {""} == set(SUITES)


def test_commands_select_tests_by_suites_only() -> None:
    assert not re.findall(r"--ignore=.*|pytest .*\btests/(?!header$).*", read_commands(), re.MULTILINE)


def test_every_test_that_scripts_deselect_exists() -> None:
    named = re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", read_commands())
    assert len(named) > 30
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path, _ in named}
    missing = [(path, name) for path, name in named if not re.search(rf"\b{name}\b", texts[path])]
    assert missing == []


@pytest.mark.parametrize("name", SUITES)
def test_every_path_of_a_suite_exists(name: str) -> None:
    suite = SUITES[name]
    missing = [each for each in (*suite.only, *suite.without) if not (TESTS / each).exists()]
    assert missing == []


def test_every_test_file_is_in_the_suite_of_all() -> None:
    assert list_tests(SUITES["all"]) == sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py"))


def test_names_of_tests_do_not_change_from_run_to_run(request: pytest.FixtureRequest) -> None:
    """The processes of pytest-xdist must collect the same names."""
    assert [item.nodeid for item in request.session.items if " at 0x" in item.nodeid] == []
