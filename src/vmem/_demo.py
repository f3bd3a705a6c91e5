"""``vmem demo``: what each type does, as a few lines of code and a picture of the memory afterwards.

The code that is shown is the code that runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter

import vmem
from vmem import _demo_of_sharing, _demo_ring, _vmem
from vmem._command import CommandError
from vmem._format import format_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Write = Callable[[str], None]

LEAST_BYTES = 64 << 20  # of a region that has 16 MiB in its middle

REGION = """\
region = vmem.reserve(1 << {bits})               # addresses, which take no memory
region.commit(0, 16 << 20)                     # memory for the first 16 MiB
region.commit(1 << {half}, 16 << 20)             # and for 16 MiB in the middle
region[: 4 << 20] = bytes(4 << 20)             # touched, so it is resident
early = region[: 1 << 20]                      # a view, which pins its pages
region.decommit(8 << 20, 4 << 20)              # gives 4 MiB back"""

ARRAY = """\
samples = vmem.Array('d', [1.0, 2.0])
early = memoryview(samples)                    # now array.array could not grow
samples.extend(range(1_000_000))               # nothing moves
samples[0] = 7.0
assert early[0] == 7.0                         # so the early view sees it"""

ARENA = """\
arena = vmem.Arena(64 << 20)
kept = arena.alloc(1 << 20)
with arena.scope():                            # a frame, a request, a batch
    blocks = [arena.alloc(64 << 10) for _ in range(100)]
    picture = arena.map()
    blocks.clear()
assert arena.used == 1 << 20                   # its blocks are freed at once"""

TABLE = """\
trades = vmem.Table({'time': 'M8[ms]', 'price': 'd', 'name': 'str'})
for i in range(50_000):
    trades.append(i, i / 4, 'vmem')            # a row, all of it or nothing
early = memoryview(trades['price'])            # NumPy, Polars and DuckDB read it
trades.append(50_000, 0.5, 'grows on')         # in place, while it grows"""

TITLES = {
    "region": "a terabyte of addresses, and memory only where it is used",
    "array": "grows under live views",
    "arena": "many blocks, freed at once",
    "ring": "the newest items of a stream, always in one piece",
    "table": "columns that grow together, each in its place",
    "shared": "a second process reads while this one appends",
}


def run_code(code: str, write: Write) -> dict[str, Any]:
    """Shows the code, runs it, and returns its names."""
    write("".join(f"    {line}\n" for line in code.splitlines()))
    names: dict[str, Any] = {"vmem": vmem}
    exec(code, names)
    return names


def draw(memory: vmem.MemoryMap, write: Write) -> None:
    """The lanes of a map, without its heading, legend and list."""
    heading, lanes, *_ = str(memory).split("\n\n")
    write(f"{lanes}\n\n{' '.join(heading.split())}.")


# --- chapters ---


def choose_bits() -> int:
    """The power of two that a region may have: 1 TiB, or at most half of the addresses that the process has left."""
    limits = _vmem.get_limits()
    wanted = min(1 << 40, sys.maxsize // 4)
    if limits["address_space_limit"] is not None:
        wanted = min(wanted, (limits["address_space_limit"] - limits["address_space_used"]) // 2)
    if wanted < LEAST_BYTES:
        raise CommandError(f"{format_bytes(2 * LEAST_BYTES)} of addresses must be free (ulimit -v)")
    return wanted.bit_length() - 1


def show_region(write: Write) -> dict[str, object]:
    bits = choose_bits()
    names = run_code(REGION.format(bits=bits, half=bits - 1), write)
    region = names["region"]
    draw(region.map(), write)
    facts = {"reserved": region.size, "committed": region.committed}
    names["early"].release()
    region.release()
    return facts


def show_array(write: Write) -> dict[str, object]:
    names = run_code(ARRAY, write)
    draw(names["samples"].map(), write)
    return {"num_items": len(names["samples"]), "is_right": names["early"].tolist() == [7.0, 2.0]}


def show_arena(write: Write) -> dict[str, object]:
    names = run_code(ARENA, write)
    draw(names["picture"], write)
    return {"used_in_scope": names["picture"].used, "used": names["arena"].used}


def show_table(write: Write) -> dict[str, object]:
    names = run_code(TABLE, write)
    table = names["trades"]
    draw(table.map(), write)
    write(f"The newest rows: {', '.join(str(tuple(row)) for row in table[-2:])}.")
    return {"num_rows": len(table)}


def show_shared(write: Write) -> dict[str, object] | None:
    result = _demo_of_sharing.run(write)
    return None if result is None else vars(result)


def show(name: str, write: Write, live: bool) -> dict[str, object] | None:
    if name == "ring":
        return vars(_demo_ring.run(write, live))
    chapters = {
        "region": show_region,
        "array": show_array,
        "arena": show_arena,
        "table": show_table,
        "shared": show_shared,
    }
    return chapters[name](write)


def run(names: list[str], write: Write, live: bool = False) -> dict[str, object]:
    """Shows these chapters. Returns the facts about each, None where this system lacks what it shows.

    With `live`, the picture of a ring moves.
    """
    started = perf_counter()
    facts: dict[str, object] = {}
    for number, name in enumerate(names):
        write(f"{'' if number == 0 else chr(10)}{name}: {TITLES[name]}\n")
        try:
            facts[name] = show(name, write, live)
        except NotImplementedError as error:
            facts[name] = None
            write(str(error))
    return facts | {"seconds": perf_counter() - started}
