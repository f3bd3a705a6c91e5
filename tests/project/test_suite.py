"""How the tests themselves are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import ROOT, run_python

SHARED = ["tests/support", "tests/models"]
FOR_PYTEST = "tests.support.marks"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("slow", ["pytest", "hypothesis", "numpy"])
def test_child_programs_import_nothing_slow(slow: str) -> None:
    names = {module_name(path) for folder in SHARED for path in (ROOT / folder).glob("[!_]*.py")}
    assert FOR_PYTEST in names
    run_python(f"""
        import importlib, sys

        for name in {sorted(names - {FOR_PYTEST})}:
            importlib.import_module(name)
        assert {slow!r} not in sys.modules
    """)
