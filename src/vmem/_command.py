"""What the commands share: how they fail, and what they tell beside what they print."""

from __future__ import annotations

import sys


class CommandError(Exception):
    """What keeps a command from going on, in one line."""


def complain(text: str) -> None:
    """Prints a line for the user, never into what other programs read."""
    if sys.stderr is not None:
        print(f"vmem: {text}", file=sys.stderr)


def show_progress(text: str) -> None:
    """Replaces the last line of a terminal. Says nothing where nobody watches."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
