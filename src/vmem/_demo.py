"""``python -m vmem demo``: the main job, on real files.

It reserves far more addresses than it will need, streams files into them, committing memory only as they grow, and
keeps a view of every file from the moment it is in. At the end each of those early views must still show its file.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from vmem import _vmem
from vmem._command import CommandError, show_progress
from vmem._format import format_bytes, format_count
from vmem._memory import memory_info
from vmem._region import Region, reserve
from vmem._vmem import OutOfMemoryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WANTED_BYTES = min(1 << 40, sys.maxsize // 4)
COMMIT_STEP = 1 << 20
READ_STEP = 1 << 18


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
    """The sources of the standard library that is running this, but for the empty ones: of these there is no view."""
    library = Path(sysconfig.get_path("stdlib"))
    return sorted(
        path
        for path in library.rglob("*.py")
        if path.is_file() and path.stat().st_size > 0 and "site-packages" not in path.parts
    )


def find_files(paths: Iterable[str]) -> list[Path]:
    """The files named, and those in the folders named."""
    files: list[Path] = []
    for name in paths:
        path = Path(name)
        if not name or not path.exists():
            raise CommandError(f"there is no file or folder {name!r}")
        if not path.is_file() and not path.is_dir():
            raise CommandError(f"{name!r} is neither a file nor a folder")
        files += sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not files:
        raise CommandError("there are no files to read")
    return files


# --- memory ---


def choose_size(wanted: int) -> int:
    """`wanted`, or half of the addresses that the process may still take, when that is less."""
    limits = _vmem.get_limits()
    if limits["address_space_limit"] is None:
        return wanted
    left = max(limits["address_space_limit"] - limits["address_space_used"], 0)
    return min(wanted, max(left // 2, _vmem.get_page_size()))


def find_room(files: Iterable[Path], num_addresses: int) -> int:
    """How many bytes the files may take: more memory than there is would be taken from other programs."""
    available = memory_info().available or num_addresses  # some systems do not tell
    room = min(available, num_addresses)
    wanted = sum(path.stat().st_size for path in files)
    if wanted > room:
        what = "of memory are available" if room == available else "of addresses are to be had"
        raise CommandError(f"the files have {format_bytes(wanted)}, but no more than {format_bytes(room)} {what}")
    return room


@dataclass
class Early:
    """A file in the region, and the view of it that was taken before the region grew on."""

    path: Path
    start: int
    end: int
    view: memoryview


@dataclass
class Pile:
    """Files one after the other in a region, committed only as far as they reach. They may take `room` bytes."""

    region: Region
    room: int
    used: int = 0
    files: list[Early] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Reads a file onto the end, and keeps a view of it if there is something in it."""
        start = self.used
        try:
            with path.open("rb", buffering=0) as file:
                while num_read := file.readinto(self.make_room(READ_STEP)):
                    self.used += num_read
        except OutOfMemoryError:
            raise
        except OSError as error:
            raise CommandError(f"cannot read {str(path)!r}: {error.strerror}") from error
        if self.used > start:  # of what is empty there is nothing to see
            self.files.append(Early(path, start, self.used, self.region.view(start, self.used - start)))

    def make_room(self, num_bytes: int) -> memoryview:
        """The next free bytes, committed."""
        end = min(self.used + num_bytes, self.room)
        if end == self.used:
            raise CommandError(f"the files do not fit into {format_bytes(self.room)}")
        while (committed := self.region.committed) < end:
            self.region.commit(committed, min(COMMIT_STEP, self.region.size - committed))
        return self.region[self.used : end]

    def drop(self, start: int, end: int) -> int:
        """Lets go of the files that have bytes from `start` to `end`, decommits what is there, and counts the files."""
        dropped = [each for each in self.files if each.start < end and start < each.end]
        for each in dropped:
            each.view.release()
        self.files = [each for each in self.files if each.end <= start or end <= each.start]
        self.region.decommit(start, end - start)
        return len(dropped)


def verify(file: Early) -> None:
    """Makes sure that an early view still shows what is in its file."""
    with file.path.open("rb") as stream:
        expected = hashlib.file_digest(stream, "sha256").digest()
    if hashlib.sha256(file.view).digest() != expected:
        raise CommandError(f"{str(file.path)!r} is not what was read: it has changed meanwhile")


# --- the demo ---


def run(paths: list[str], write: Callable[[str], None]) -> Result:
    """Runs the demo, telling the user about it through `write`. Raises CommandError or OSError when it cannot go on."""
    started = perf_counter()
    files = find_files(paths) if paths else find_default_files()
    result = Result(wanted=WANTED_BYTES, reserved=choose_size(WANTED_BYTES))
    if result.reserved < result.wanted:
        write(f"This process may not have {format_bytes(result.wanted)} of addresses (ulimit -v), so it takes fewer.")
    with reserve(result.reserved, name="demo") as region:
        result.reserved = region.size
        write(f"Reserved {format_bytes(region.size)} at {region.address:#x}; committed {region.committed} bytes.")
        pile = Pile(region, find_room(files, region.size))
        try:
            load(pile, files)
            result.num_files, result.num_bytes = len(files), pile.used
            write(describe_files(pile, len(files), are_named=bool(paths)))
            result.num_verified = verify_all(pile)
            write(f"{format_count(result.num_verified, 'early view')} checked: each still shows its file, by SHA-256.")
            result.full = show_usage(region, write)
            num_dropped, num_bytes = decommit_half(pile)
            dropped, size = format_count(num_dropped, "view"), format_bytes(num_bytes)
            write(f"Dropped {dropped} of the middle half and decommitted it, {size}.")
            write(f"{format_count(verify_all(pile), 'view')} of the rest checked again.")
            result.half = show_usage(region, write)
        finally:
            show_progress("")
        pile.drop(0, region.size)
    write(f"Released the {format_bytes(result.reserved)}.")
    result.seconds = perf_counter() - started
    return result


def load(pile: Pile, files: list[Path]) -> None:
    for number, path in enumerate(files, 1):
        show_progress(f"reading file {number} of {len(files)}, {format_bytes(pile.used)}")
        pile.add(path)
    show_progress("")


def describe_files(pile: Pile, num_files: int, are_named: bool) -> str:
    which = "" if are_named else " of this Python's own library"
    but = "" if len(pile.files) == num_files else ", but for what is empty"
    return f"Read {format_count(num_files, 'file')}{which}, {format_bytes(pile.used)}, each with a view of it{but}."


def verify_all(pile: Pile) -> int:
    for number, file in enumerate(pile.files, 1):
        show_progress(f"checking file {number} of {len(pile.files)}")
        verify(file)
    show_progress("")
    return len(pile.files)


def decommit_half(pile: Pile) -> tuple[int, int]:
    """Gives back whole pages in the middle of what the files take. Counts the views that this takes, and the bytes."""
    start, end = (_vmem.align_forward(pile.used * part // 4, pile.region.page_size) for part in (1, 3))
    return pile.drop(start, end), end - start


def show_usage(region: Region, write: Callable[[str], None]) -> Usage:
    """A map of the region, and what the whole process has, which the region cannot know."""
    usage = Usage.of(region)
    write(f"\n{region.map()}\n")
    if usage.process_writable:
        write(f"Writable memory of the whole process: {format_bytes(usage.process_writable)}.")
    return usage
