"""Checks of what users pass, in messages that carry the numbers.

The extension checks all of this again, with the state that only it knows. Here the defaults are filled in.
"""

from __future__ import annotations

from operator import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

    from vmem._region import Region


def to_integer(value: SupportsIndex, what: str) -> int:
    """`value` as an int, or a TypeError that names `what`."""
    if type(value) is int:
        return value
    if not hasattr(type(value), "__index__"):
        raise TypeError(f"{what} must be an integer, not {type(value).__name__}")
    return index(value)


def to_size(value: SupportsIndex, what: str) -> int:
    """`value` as an int of 0 or more."""
    size = to_integer(value, what)
    if size < 0:
        raise ValueError(f"{what} must not be negative, got {size}")
    return size


def to_positive(value: SupportsIndex, what: str) -> int:
    """`value` as an int of 1 or more."""
    size = to_integer(value, what)
    if size < 1:
        raise ValueError(f"{what} must be at least 1, got {size}")
    return size


def to_alignment(value: SupportsIndex, what: str) -> int:
    """`value` as a power of two."""
    align = to_integer(value, what)
    if align < 1 or align & (align - 1):
        raise ValueError(f"{what} must be a power of two, got {align}")
    return align


def to_name(value: object) -> str | None:
    """`value` as a name that may be left out."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"name must be a str or None, not {type(value).__name__}")
    return value


def to_range(region: Region, offset: SupportsIndex, num_bytes: SupportsIndex | None) -> tuple[int, int]:
    """`offset` and `num_bytes` as ints; None stands for everything up to the end."""
    if type(offset) is int and type(num_bytes) is int and offset >= 0 and num_bytes >= 0:
        return offset, num_bytes  # the usual case, at a fifth of the price
    offset = to_size(offset, "offset")
    if num_bytes is None:
        return offset, max(region.size - offset, 0)
    return offset, to_size(num_bytes, "num_bytes")
