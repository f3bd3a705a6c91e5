"""What all commands share: their errors, and their messages on standard error."""

from __future__ import annotations

import sys


class CommandError(Exception):
    """A command cannot go on; the message is one line for the user."""


def complain(text: str) -> None:
    """Print a line to standard error, so that it never mixes with output that other programs read."""
    if sys.stderr is not None:
        print(f"vmem: {text}", file=sys.stderr)


def show_progress(text: str) -> None:
    """Replace the last line of the terminal. Print nothing if standard error is not a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
