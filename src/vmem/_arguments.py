"""Checks and defaults of the arguments that describe ranges, with messages that contain the numbers.

The extension checks them again, together with the state of the region, which only the extension knows.
"""

import sys
from _operator import index  # operator, by the name that is built in

from vmem import _vmem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

MAX_SIZE = 2 * sys.maxsize + 1
MAX_PROTECTION = 5  # Protection.READ_WRITE_EXECUTE


def to_range(region: _vmem.Region, offset: "SupportsIndex", num_bytes: "SupportsIndex | None") -> tuple[int, int]:
    """`offset` and `num_bytes` as ints; None means up to the end of the region.

    Verbs skip this for two plain ints, the usual case: it would take longer than the checks of the extension, which
    refuses the same numbers with the same words.
    """
    offset = to_size(offset, "offset")
    if num_bytes is None:
        if offset > region.size and not region.released:
            raise ValueError(
                f"offset {offset} is past the end of a region of {region.size} bytes; "
                f"one number is where a range begins, and (0, {offset}) is the first {offset} bytes"
            )
        return offset, max(region.size - offset, 0)
    return offset, to_size(num_bytes, "num_bytes")


def to_size(value: "SupportsIndex", name: str) -> int:
    """The argument `name` as an int that fits into a size_t."""
    if is_protection(value):
        raise TypeError(f"{name} must be an integer, not a Protection; the protection comes before the range")
    if not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    size = index(value)
    if size < 0:
        raise ValueError(f"{name} must not be negative, got {describe(size)}")
    if size > MAX_SIZE:
        raise ValueError(f"{name} must be at most {MAX_SIZE}, got {describe(size)}")
    return size


def to_protection(value: "SupportsIndex") -> int:
    """`value` as the number of a Protection."""
    if not hasattr(type(value), "__index__"):
        raise TypeError(f"protection must be a Protection, not {type(value).__name__}")
    number = index(value)
    if not 0 <= number <= MAX_PROTECTION:
        raise ValueError(
            f"protection must be a vmem.Protection, or its number from 0 to {MAX_PROTECTION}, got {describe(number)}"
        )
    return number


def is_protection(value: object) -> bool:
    """Whether `value` is a Protection, by the name of its type: before the first use there is no such type."""
    return type(value).__name__ == "Protection" and type(value).__module__ == "vmem"


def describe(number: int) -> str:
    """`number` for a message: Python refuses to convert thousands of digits."""
    try:
        return str(number)
    except ValueError:
        return f"an integer of {number.bit_length()} bits"
