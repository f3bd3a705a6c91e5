"""Measures everything that has a target, in half a minute; run by ``python -m vmem bench``. See README.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain

import arena
import arrays
import region
import ring
import sharing
import tables
from side_by_side import GIB, MIB, Measurable, count_bytes, measure_all, print_rows

from vmem import _vmem, memory_info
from vmem._command import CommandError
from vmem._format import format_bytes

WANTED_BYTES = 256 * MIB
LEAST_BYTES = 16 * MIB


def choose_size(gib: float | None) -> int:
    """Returns how much to fill: the given size, or by default WANTED_BYTES, or less where memory is short.

    Raises ValueError if the given size is not possible.
    """
    if gib is not None:
        return count_bytes(gib)
    available = memory_info().available or 4 * WANTED_BYTES  # 0 if unknown
    if available < 4 * LEAST_BYTES:
        raise CommandError(f"{format_bytes(4 * LEAST_BYTES)} of memory must be free, but {format_bytes(available)} are")
    return min(WANTED_BYTES, available // 4 // MIB * MIB)


def require_addresses(num_bytes: int) -> None:
    """Raises CommandError if too few addresses are free.

    Some GiB are reserved at once, and an array by default reserves only an eighth of what the process may have.
    """
    limits = _vmem.get_limits()
    needed, left = 4 * GIB + 16 * num_bytes, 2 * sys.maxsize + 2
    if limits["address_space_limit"] is not None:
        left = max(limits["address_space_limit"] - limits["address_space_used"], 0)
    if left < needed:
        raise CommandError(
            f"{format_bytes(needed)} of addresses must be free, but no more than {format_bytes(left)} are "
            f"({'a 32-bit Python' if limits['address_space_limit'] is None else 'ulimit -v'})"
        )


def list_comparisons(num_bytes: int) -> Iterator[Measurable]:
    everything = chain(
        region.list_comparisons(num_bytes),
        arena.list_comparisons(),
        tables.list_comparisons(),
        arrays.list_comparisons(num_bytes),
        sharing.list_comparisons(num_bytes),
        ring.list_comparisons(ring.NUMPY),  # the other libraries are hardly installed anywhere
    )
    return (each for each in everything if each.target is not None)


def run(num_bytes: int, as_json: bool) -> None:
    require_addresses(num_bytes)
    rows = measure_all(list_comparisons(num_bytes), divisor=4)
    print_rows([row for row in rows if row.target is not None], as_json)
