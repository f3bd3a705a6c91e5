"""Interpreters beside the main one, each with a GIL of its own. Python has them from 3.12 on."""

from __future__ import annotations

import importlib


def run_isolated(code: str) -> None:
    """Runs code in a new interpreter, and raises if the code has raised."""
    try:
        interpreters = importlib.import_module("_interpreters")
    except ImportError:  # Python 3.12
        interpreters = importlib.import_module("_xxsubinterpreters")
    try:
        each = interpreters.create("isolated")
    except TypeError:  # Python 3.12
        each = interpreters.create(isolated=True)
    try:
        failure = interpreters.run_string(each, code)
        assert failure is None, failure
    finally:
        interpreters.destroy(each)
