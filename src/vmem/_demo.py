"""``python -m vmem demo``: the main job, on real files.

It reserves far more addresses than it will need, streams files into them, committing memory only as they grow, and
keeps a view of every file from the moment it is in. At the end each of those early views must still show its file.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from vmem import _vmem
from vmem._region import Region, reserve
from vmem._report import format_bytes
from vmem._vmem import OutOfMemoryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WANTED_BYTES = min(1 << 40, sys.maxsize // 4)
COMMIT_STEP = 1 << 20
READ_STEP = 1 << 18


class DemoError(Exception):
    """Something that the user should know about, in one line."""


@dataclass
class Usage:
    """What a region uses, in bytes, and what the whole process may write to, where the system tells."""

    committed: int
    resident: int
    process_writable: int | None

    @staticmethod
    def of(region: Region) -> Usage:
        return Usage(region.committed, region.resident(), _vmem.get_limits()["data_used"] or None)


@dataclass
class Result:
    """What ``python -m vmem demo --json`` prints. Sizes are in bytes."""

    wanted: int
    reserved: int = 0
    num_files: int = 0
    num_bytes: int = 0
    num_verified: int = 0
    full: Usage | None = None
    half: Usage | None = None
    seconds: float = 0.0


# --- input ---


def find_default_files() -> list[Path]:
    """The sources of the standard library that is running this."""
    library = Path(sysconfig.get_path("stdlib"))
    return sorted(path for path in library.rglob("*.py") if path.is_file() and "site-packages" not in path.parts)


def find_files(paths: Iterable[str]) -> list[Path]:
    """The files named, and those in the folders named."""
    files: list[Path] = []
    for name in paths:
        path = Path(name)
        if not name or not path.exists():
            raise DemoError(f"there is no file or folder {name!r}")
        if not path.is_file() and not path.is_dir():
            raise DemoError(f"{name!r} is neither a file nor a folder")
        files += sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not files:
        raise DemoError("there are no files to read")
    return files


# --- memory ---


def choose_size(wanted: int) -> int:
    """`wanted`, or half of the addresses that the process may still take, when that is less."""
    limits = _vmem.get_limits()
    if limits["address_space_limit"] is None:
        return wanted
    left = max(limits["address_space_limit"] - limits["address_space_used"], 0)
    return min(wanted, max(left // 2, _vmem.get_page_size()))


@dataclass
class Early:
    """A file in the region, and the view of it that was taken before the region grew on."""

    path: Path
    end: int
    view: memoryview


@dataclass
class Pile:
    """Files one after the other in a region, which is committed only as far as they reach."""

    region: Region
    used: int = 0
    files: list[Early] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Reads a file onto the end, and keeps a view of it."""
        start = self.used
        try:
            with path.open("rb", buffering=0) as file:
                while num_read := file.readinto(self.make_room(READ_STEP)):
                    self.used += num_read
        except OutOfMemoryError:
            raise
        except OSError as error:
            raise DemoError(f"cannot read {str(path)!r}: {error.strerror}") from error
        self.files.append(Early(path, self.used, self.region.view(start, self.used - start)))

    def make_room(self, num_bytes: int) -> memoryview:
        """The next free bytes, committed."""
        end = min(self.used + num_bytes, self.region.size)
        if end == self.used:
            raise DemoError(f"the files do not fit into the {format_bytes(self.region.size)} that are reserved")
        while (committed := self.region.committed) < end:
            self.region.commit(committed, min(COMMIT_STEP, self.region.size - committed))
        return self.region[self.used : end]

    def drop_from(self, offset: int) -> None:
        """Lets go of the files that reach past `offset`, and decommits everything from there on."""
        for each in self.files:
            if each.end > offset:
                each.view.release()
        self.files = [each for each in self.files if each.end <= offset]
        self.region.decommit(offset)


def verify(file: Early) -> None:
    """Makes sure that an early view still shows what is in its file."""
    with file.path.open("rb") as stream:
        expected = hashlib.file_digest(stream, "sha256").digest()
    if hashlib.sha256(file.view).digest() != expected:
        raise DemoError(f"{file.path} is not what was read: it has changed meanwhile")


# --- output ---


def draw_map(region: Region, extent: int, width: int) -> list[str]:
    """The first `extent` bytes of a region as a line of characters, and what one of them stands for."""
    cell = region.page_size
    while cell * width < extent:
        cell *= 2
    committed = [(each.offset, each.offset + each.num_bytes) for each in region.ranges() if each.committed]

    def draw_cell(start: int) -> str:
        end = min(start + cell, region.size)
        if not any(first < end and start < last for first, last in committed):
            return "."
        return "#" if region.resident(start, end - start) else "+"

    line = "".join(draw_cell(start) for start in range(0, min(cell * width, region.size), cell))
    return [f"  [{line}]", f"  one character is {format_bytes(cell)}: # resident, + committed, . reserved"]


def describe_usage(usage: Usage) -> str:
    """What a region uses, in a few words."""
    return f"committed {format_bytes(usage.committed)}, resident {format_bytes(usage.resident)}"


def count(number: int, noun: str) -> str:
    """A number of things, in words: ``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Progress:
    """One line on a terminal that says how far things are. Prints nothing where there is no terminal."""

    def __init__(self) -> None:
        self.shown: bool = sys.stderr.isatty()

    def show(self, text: str) -> None:
        if self.shown:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        self.show("")


# --- the demo ---


def run(paths: list[str], write: Callable[[str], None]) -> Result:
    """Runs the demo, telling the user about it through `write`. Raises DemoError or OSError when it cannot go on."""
    started = perf_counter()
    progress = Progress()
    files = find_files(paths) if paths else find_default_files()
    result = Result(wanted=WANTED_BYTES, reserved=choose_size(WANTED_BYTES))
    if result.reserved < result.wanted:
        write(f"This process may not have {format_bytes(result.wanted)} of addresses (ulimit -v), so it takes fewer.")
    with reserve(result.reserved, name="demo") as region:
        result.reserved = region.size
        write(f"Reserved {format_bytes(region.size)} at {region.address:#x}; committed {region.committed} bytes.")
        pile = Pile(region)
        try:
            load(pile, files, progress)
            result.num_files, result.num_bytes = len(files), pile.used
            write(f"Read {count(len(files), 'file')}, {format_bytes(pile.used)}, each with a view of it.")
            result.num_verified = verify_all(pile, progress)
            write(f"{count(result.num_verified, 'early view')} checked: every file is as it was read, by SHA-256.")
        finally:
            progress.clear()
        result.full, result.half = decommit_half(pile, write)
        pile.drop_from(0)
    write(f"Released the {format_bytes(result.reserved)}.")
    result.seconds = perf_counter() - started
    return result


def load(pile: Pile, files: list[Path], progress: Progress) -> None:
    for number, path in enumerate(files, 1):
        progress.show(f"reading file {number} of {len(files)}, {format_bytes(pile.used)}")
        pile.add(path)


def verify_all(pile: Pile, progress: Progress) -> int:
    for number, file in enumerate(pile.files, 1):
        progress.show(f"checking file {number} of {len(pile.files)}")
        verify(file)
    return len(pile.files)


def decommit_half(pile: Pile, write: Callable[[str], None]) -> tuple[Usage, Usage]:
    """Gives back the upper half of the files' memory, with a map from before and after."""
    region = pile.region
    width = max(min(shutil.get_terminal_size().columns, 120) - 4, 16)
    extent = region.committed + region.committed // 4
    middle = _vmem.align_forward(pile.used // 2, region.page_size)
    usages: list[Usage] = []
    for heading, offset in (("Full", region.size), ("Half decommitted", middle)):
        pile.drop_from(offset)
        usages.append(Usage.of(region))
        write(f"{heading}: {describe_usage(usages[-1])}")
        if usages[-1].process_writable:
            write(f"  writable memory of the whole process: {format_bytes(usages[-1].process_writable)}")
        for line in draw_map(region, extent, width):
            write(line)
    return usages[0], usages[1]
