"""Measures everything that has a target, in half a minute.

    python benchmarks/targets.py

See README.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import arena
import arrays
import files
import region
import ring
import sharing
import tables
from side_by_side import Measurable, make_parser, measure_all, parse_with_size, print_rows


def list_comparisons(num_bytes: int) -> Iterator[Measurable]:
    everything = chain(
        region.list_comparisons(num_bytes),
        arena.list_comparisons(),
        tables.list_comparisons(),
        arrays.list_comparisons(num_bytes),
        sharing.list_comparisons(num_bytes),
        ring.list_comparisons(ring.NUMPY),  # the other libraries are hardly installed anywhere
        files.list_comparisons(files.NUMPY),
    )
    return (each for each in everything if each.target is not None)


if __name__ == "__main__":
    parser = make_parser("Measure everything that has a target, with a quarter of the pairs.")
    options, num_bytes = parse_with_size(parser, gib=0.25)
    rows = measure_all(list_comparisons(num_bytes), divisor=8 if options.quick else 4)
    print_rows([row for row in rows if row.target is not None], options.json)
