"""Checks and defaults of the ranges that users pass, in messages that carry the numbers.

The extension checks all of this again, together with the state that only it knows.
"""

from __future__ import annotations

import sys
from operator import index

from vmem._types import Protection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

    from vmem._region import Region


MAX_SIZE = 2 * sys.maxsize + 1


def describe(number: int) -> str:
    """`number` as a message shows it: Python refuses to write thousands of digits."""
    try:
        return str(number)
    except ValueError:
        return f"an integer of {number.bit_length()} bits"


def to_size(value: SupportsIndex, what: str) -> int:
    """`value` as an int that is the size of something."""
    if isinstance(value, Protection):
        raise TypeError(f"{what} must be an integer, not a Protection; the protection comes before the range")
    if not hasattr(type(value), "__index__"):
        raise TypeError(f"{what} must be an integer, not {type(value).__name__}")
    size = index(value)
    if size < 0:
        raise ValueError(f"{what} must not be negative, got {describe(size)}")
    if size > MAX_SIZE:
        raise ValueError(f"{what} must be at most {MAX_SIZE}, got {describe(size)}")
    return size


def to_range(region: Region, offset: SupportsIndex, num_bytes: SupportsIndex | None) -> tuple[int, int]:
    """`offset` and `num_bytes` as ints; None stands for everything up to the end."""
    if type(offset) is int and type(num_bytes) is int and offset >= 0 and num_bytes >= 0:
        return offset, num_bytes  # the usual case, at a fifth of the price
    offset = to_size(offset, "offset")
    if num_bytes is None:
        if offset > region.size and not region.released:
            raise ValueError(
                f"offset {offset} is past the end of a region of {region.size} bytes; "
                f"one number is where a range begins, and (0, {offset}) is the first {offset} bytes"
            )
        return offset, max(region.size - offset, 0)
    return offset, to_size(num_bytes, "num_bytes")


def to_protection(value: SupportsIndex) -> Protection:
    """`value` as a Protection."""
    if not hasattr(type(value), "__index__"):
        raise TypeError(f"protection must be a Protection, not {type(value).__name__}")
    try:
        return Protection(index(value))
    except ValueError:
        raise ValueError(
            f"protection must be a vmem.Protection, or its number from 0 to {max(Protection)}, "
            f"got {describe(index(value))}"
        ) from None
