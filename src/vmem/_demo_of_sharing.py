"""The part of ``vmem demo`` with two processes: one grows an array while the other one reads it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from vmem._command import CommandError, show_progress
from vmem._vmem import Array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NUM_ITEMS = 1 << 20
STEP = 1 << 14
SECONDS_BETWEEN_LOOKS = 0.001
WIDTH = 64  # of the drawing


@dataclass
class SharedResult:
    """How many items the first process has written, and how many lengths the second one has seen."""

    num_items: int
    num_lengths: int


def run(write: Callable[[str], None]) -> SharedResult | None:
    """Grow a shared array under the eyes of another process. Returns None where processes cannot share memory."""
    try:
        numbers = Array("q", capacity=NUM_ITEMS, shared=True)
        from multiprocessing import get_context
    except (NotImplementedError, ImportError):
        write("Here processes cannot share memory that has no name.")
        return None
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=watch, args=(numbers, theirs), daemon=True)
    show_progress("starting a second process")
    process.start()
    theirs.close()
    try:
        lengths = grow(numbers, ours)
    except EOFError as error:
        raise CommandError("the second process has ended too early") from error
    finally:
        ours.close()  # at which it ends
        process.join()
        show_progress("")
    write(draw(lengths))
    write(f"\nGrew a shared array to {len(numbers)} numbers while a second process read it:")
    write(f"it saw {len(lengths)} lengths, from {min(lengths)} to {max(lengths)}, and every number was right.")
    return SharedResult(len(numbers), len(lengths))


def draw(lengths: set[int]) -> str:
    """Where the lengths lie that the other process has seen."""
    seen = {length * (WIDTH - 1) // NUM_ITEMS for length in lengths}
    marks = "".join("|" if column in seen else " " for column in range(WIDTH))
    return f"writes  {'#' * WIDTH}\nsees    {marks.rstrip()}"


def grow(numbers: Array[int], connection: Any) -> set[int]:
    """Append all numbers once the other process has the array. Returns the lengths that it saw."""
    connection.recv()
    show_progress("growing an array that a second process reads")
    for start in range(0, NUM_ITEMS, STEP):
        numbers.extend(range(start, start + STEP))
    connection.send("written")
    lengths: set[int] = connection.recv()
    return lengths


# --- in the second process ---


def watch(numbers: Array[int], connection: Any) -> None:
    """Look at the array until the first process says that all is written, or ends."""
    expected = Array("q", range(NUM_ITEMS), capacity=NUM_ITEMS)
    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        lengths = [look(numbers, expected, 0)]
        connection.send("attached")
        while not connection.poll(SECONDS_BETWEEN_LOOKS):
            lengths.append(look(numbers, expected, lengths[-1]))
        connection.recv()
        lengths.append(look(numbers, expected, 0))
        connection.send(set(lengths))


def look(numbers: Array[int], expected: Array[int], start: int) -> int:
    """Check the numbers from `start` on, and count all."""
    seen = numbers[start:]
    end = start + len(seen)
    if seen != expected[start:end]:
        raise ValueError(f"a number after {start} is wrong")
    return end
