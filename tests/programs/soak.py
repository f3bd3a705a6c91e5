"""A long random run of all calls of regions, arrays, shared arrays, arenas and rings, compared with their models.

python -m tests.programs.soak --operations 1000000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections.abc import Sequence

import vmem
from tests.models.random_calls import (
    ArenaCalls,
    ArrayCalls,
    RandomCalls,
    RegionCalls,
    RingCalls,
    RowsCalls,
    SharedArrayCalls,
    TableCalls,
)


def run(callers: Sequence[RandomCalls], num_operations: int) -> None:
    """Calls them in turn, so that their mappings are interleaved."""
    for operation in range(num_operations):
        callers[operation % len(callers)].step()
    for caller in callers:
        caller.checked.check_all()
        caller.checked.end()


def count_operations(callers: Sequence[RandomCalls]) -> int:
    return sum(caller.operation for caller in callers)


def print_calls(caller: RandomCalls) -> None:
    print(f"\n{caller.NAME}: {caller.operation} operations")
    for kind in sorted(caller.done | caller.refused):
        print(f"{kind:20} {caller.done[kind]:8} done {caller.refused[kind]:8} refused")


def find_kinds() -> list[type[RandomCalls]]:
    """All that this system has."""
    try:
        vmem.Array("b", shared=True)
    except NotImplementedError:
        return [RegionCalls, ArrayCalls, RowsCalls, ArenaCalls, TableCalls]
    return [RegionCalls, ArrayCalls, RowsCalls, SharedArrayCalls, ArenaCalls, TableCalls, RingCalls]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument(
        "--check-every", type=int, default=50, help="calls between full comparisons; 1 finds the call at fault"
    )
    arguments = parser.parse_args()
    callers = [kind(arguments.seed, arguments.check_every) for kind in find_kinds()]
    try:
        run(callers, arguments.operations)
    except Exception:
        traceback.print_exc()
        operation = count_operations(callers)
        caller = callers[operation % len(callers)]
        print(f"seed {arguments.seed}: mismatch in operation {operation}, {caller.kind} of {caller.NAME}", flush=True)
        return 1
    print(f"seed {arguments.seed}: {count_operations(callers)} operations agree with the models")
    for caller in callers:
        print_calls(caller)
    return 0


if __name__ == "__main__":
    sys.exit(main())
