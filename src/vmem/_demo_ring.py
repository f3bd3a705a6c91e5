"""``vmem demo ring``: a signal without end, of which a ring keeps the newest samples.

It writes blocks of a signal to a ring and draws the newest window, which begins before the end of the ring's memory and
goes on behind it. On a terminal the signal then runs for some seconds.
"""

from __future__ import annotations

import math
import shutil
import sys
from array import array
from dataclasses import dataclass
from time import perf_counter, sleep

from vmem._format import format_bytes
from vmem._vmem import Ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATE = 48_000  # samples a second
BLOCK = 64
CAPACITY = 1024 * BLOCK
WINDOW = 4096
ROUNDS = 30  # how often the ring is filled
LOOKS = 20_000

HEIGHT = 11
FRAMES_PER_SECOND = 24
SECONDS = 5.0


@dataclass
class Result:
    """The object that ``vmem demo ring --json`` prints. Times are in seconds, sizes in bytes."""

    capacity: int
    memory: int
    total: int = 0
    oldest: int = 0
    window: int = WINDOW
    crosses_the_end: bool = False
    is_right: bool = False
    seconds_to_write_a_block: float = 0.0
    seconds_to_look: float = 0.0
    seconds_to_copy: float = 0.0


# --- the signal ---


def make_blocks() -> list[array[float]]:
    """A signal that repeats after as many samples as the ring holds: a tone that becomes louder and softer."""
    step, swell = 2 * math.pi * 32 / CAPACITY, 2 * math.pi * 3 / CAPACITY
    samples = array("f", (math.sin(step * i) * math.cos(swell * i) for i in range(CAPACITY)))
    return [samples[start : start + BLOCK] for start in range(0, CAPACITY, BLOCK)]


# --- drawing ---


def draw(samples: Sequence[float], width: int) -> list[str]:
    """The samples as lines of text: in each column a bar from the smallest to the largest of its share."""
    columns: list[tuple[int, int]] = []
    for column in range(width):
        share = samples[len(samples) * column // width : len(samples) * (column + 1) // width]
        columns.append((row_of(max(share)), row_of(min(share))))
    return ["".join("#" if top <= row <= bottom else " " for top, bottom in columns).rstrip() for row in range(HEIGHT)]


def row_of(sample: float) -> int:
    return round((1 - max(-1.0, min(sample, 1.0))) / 2 * (HEIGHT - 1))


def draw_end(num_before: int, width: int) -> str:
    """The line that shows behind which of the samples the memory ends."""
    column = width * num_before // WINDOW
    text = "^ here the memory ends, and begins again"
    return " " * column + text if column + len(text) <= width else " " * (column + 1 - len(text)) + text[2:] + " ^"


# --- the demo ---


def run(write: Callable[[str], None], live: bool) -> Result:
    """Run the demo, and report each step through `write`; with `live`, draw a moving picture at the end."""
    width = min(shutil.get_terminal_size().columns - 1, 100)
    blocks = make_blocks()
    ring = Ring("f", CAPACITY)
    result = Result(CAPACITY, CAPACITY * ring.itemsize)
    write(f"Made a ring of {CAPACITY:,} samples: {format_bytes(result.memory)} of memory, mapped twice in a row.")
    result.seconds_to_write_a_block = fill(ring, blocks)
    result.total, result.oldest = ring.total, ring.oldest
    write(
        f"Wrote {ring.total:,} samples in blocks of {BLOCK}, each in {format_time(result.seconds_to_write_a_block)}; "
        f"it has the last {len(ring):,}."
    )
    view = ring.latest(WINDOW)
    num_before = WINDOW - ring.total % CAPACITY
    result.crosses_the_end = 0 < num_before < WINDOW
    write(f"\nThe newest {WINDOW:,}, as one view:\n")
    write("\n".join([*draw(view, width), draw_end(num_before, width)]))
    result.is_right = bytes(view) == expect_newest(blocks, num_before)
    result.seconds_to_look, result.seconds_to_copy = measure_looks(ring)
    look, copy = format_time(result.seconds_to_look), format_time(result.seconds_to_copy)
    write(f"\nSuch a view takes {look}, whatever its size. A copy of it takes {copy} more.")
    if live:
        play(ring, blocks, width)
    return result


def fill(ring: Ring[float], blocks: Sequence[array[float]]) -> float:
    """Write until the newest window goes beyond the end of the memory. Returns the seconds that a block takes."""
    extend, started = ring.extend, perf_counter()
    for _ in range(ROUNDS):
        for block in blocks:
            extend(block)
    for block in blocks[: WINDOW // BLOCK // 2]:
        extend(block)
    return (perf_counter() - started) / (ring.total // BLOCK)


def expect_newest(blocks: Sequence[array[float]], num_before: int) -> bytes:
    """The bytes of a window of which so many samples lie before the end of the memory."""
    signal = b"".join(blocks)
    start = len(signal) - 4 * num_before
    return signal[start:] + signal[: 4 * (WINDOW - num_before)]


def measure_looks(ring: Ring[float]) -> tuple[float, float]:
    """The seconds that a view of the newest window takes, and those that a copy of it takes."""
    started = perf_counter()
    for _ in range(LOOKS):
        ring.latest(WINDOW)
    ended = perf_counter()
    view = ring.latest(WINDOW)
    for _ in range(LOOKS // 10):
        bytes(view)
    return (ended - started) / LOOKS, (perf_counter() - ended) / (LOOKS // 10)


def play(ring: Ring[float], blocks: Sequence[array[float]], width: int) -> None:
    """Draw the newest window again and again, in place, at the pace of the signal."""
    number = ring.total // BLOCK
    print("\n" * HEIGHT)
    for _ in range(int(FRAMES_PER_SECOND * SECONDS)):
        for _ in range(RATE // FRAMES_PER_SECOND // BLOCK):
            ring.extend(blocks[number % len(blocks)])
            number += 1
        lines = draw(ring.latest(WINDOW), width)
        print(f"\x1b[{HEIGHT}A" + "".join(f"\x1b[K{line}\n" for line in lines), end="", flush=True)
        sleep(1 / FRAMES_PER_SECOND)


def format_time(seconds: float) -> str:
    return f"{seconds * 1e9:.0f} ns" if seconds < 1e-6 else f"{seconds * 1e6:.1f} us"


def can_be_live() -> bool:
    """Whether standard output is a terminal that understands how to move the cursor."""
    return sys.stdout is not None and sys.stdout.isatty() and sys.platform != "win32"
