"""Objects that tests pass as arguments."""

from __future__ import annotations


class Index:
    """An integer that runs `action` when it is asked for its value."""

    def __init__(self, value: int, action: object = None) -> None:
        self.value = value
        self.action = action

    def __index__(self) -> int:
        if callable(self.action):
            self.action()
        return self.value


def type_name(value: object) -> str:
    """An id for a parameter whose repr() has an address, which differs from process to process."""
    return type(value).__name__
