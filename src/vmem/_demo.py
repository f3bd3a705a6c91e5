"""``vmem demo PATH``: real files in one region that grows under live views.

It reserves far more addresses than it needs, reads files into them one after the other, commits memory only as they
need it, and takes a view of each file as soon as it has been read. At the end these early views must still show their
files.
"""

from __future__ import annotations

import hashlib
import sys
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
    """The memory of a region, and the writable memory of the whole process if the system reports it. In bytes."""

    committed: int
    resident: int
    process_writable: int | None

    @staticmethod
    def of(region: Region) -> Usage:
        return Usage(region.committed, region.resident(), _vmem.get_limits()["data_used"] or None)


@dataclass
class Result:
    """The object that ``vmem demo PATH --json`` prints. Sizes are in bytes."""

    wanted: int
    reserved: int = 0
    num_files: int = 0
    num_bytes: int = 0
    num_verified: int = 0
    full: Usage | None = None
    half: Usage | None = None
    seconds: float = 0.0


# --- input ---


def find_files(paths: Iterable[str]) -> list[Path]:
    """The named files, and those in the named folders."""
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
    """`wanted`, or half of the addresses that the process can still reserve, if that is less."""
    limits = _vmem.get_limits()
    if limits["address_space_limit"] is None:
        return wanted
    free = max(limits["address_space_limit"] - limits["address_space_used"], 0)
    return min(wanted, max(free // 2, _vmem.get_page_size()))


def choose_capacity(files: Iterable[Path], num_addresses: int) -> int:
    """How many bytes the files may take: no more than the free memory, the rest of which other programs need."""
    available = memory_info().available or num_addresses  # 0 where the system does not report it
    capacity = min(available, num_addresses)
    needed = sum(path.stat().st_size for path in files)
    if needed > capacity:
        what = "memory" if capacity == available else "addresses"
        raise CommandError(
            f"the files need {format_bytes(needed)}, but only {format_bytes(capacity)} of {what} are available"
        )
    return capacity


@dataclass
class LoadedFile:
    """A file in the region, with the view of it that was taken before the region grew further."""

    path: Path
    start: int
    end: int
    view: memoryview


@dataclass
class FileBuffer:
    """Files one after the other in a region, of which only what they need is committed: at most `capacity` bytes."""

    region: Region
    capacity: int
    used: int = 0
    files: list[LoadedFile] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Append the contents of a file, and take a view of them unless they are empty."""
        start = self.used
        try:
            with path.open("rb", buffering=0) as file:
                while num_read := file.readinto(self.commit_free(READ_STEP)):
                    self.used += num_read
        except OutOfMemoryError:
            raise
        except OSError as error:
            raise CommandError(f"cannot read {str(path)!r}: {error.strerror}") from error
        if self.used > start:
            self.files.append(LoadedFile(path, start, self.used, self.region.view(start, self.used - start)))

    def commit_free(self, num_bytes: int) -> memoryview:
        """The next free bytes, up to `num_bytes` of them, committed."""
        end = min(self.used + num_bytes, self.capacity)
        if end == self.used:
            raise CommandError(f"the files do not fit into {format_bytes(self.capacity)}")
        while (committed := self.region.committed) < end:
            self.region.commit(committed, min(COMMIT_STEP, self.region.size - committed))
        return self.region[self.used : end]

    def remove(self, start: int, end: int) -> int:
        """Release the views of the files with bytes from `start` to `end`, decommit these, and count the files."""
        removed = [each for each in self.files if each.start < end and start < each.end]
        for each in removed:
            each.view.release()
        self.files = [each for each in self.files if each.end <= start or end <= each.start]
        self.region.decommit(start, end - start)
        return len(removed)


def verify(file: LoadedFile) -> None:
    """Check that an early view still shows the contents of its file."""
    with file.path.open("rb") as stream:
        expected = hashlib.file_digest(stream, "sha256").digest()
    if hashlib.sha256(file.view).digest() != expected:
        raise CommandError(f"{str(file.path)!r} has changed since it was read")


# --- the demo ---


def run(paths: list[str], write: Callable[[str], None]) -> Result:
    """Run the demo, and report each step through `write`. Raises CommandError or OSError if it cannot go on."""
    started = perf_counter()
    files = find_files(paths)
    result = Result(wanted=WANTED_BYTES, reserved=choose_size(WANTED_BYTES))
    if result.reserved < result.wanted:
        write(f"This process cannot reserve {format_bytes(result.wanted)} (see ulimit -v), so it reserves less.")
    with reserve(result.reserved, name="demo") as region:
        result.reserved = region.size
        write(f"Reserved {format_bytes(region.size)} at {region.address:#x}; committed {region.committed} bytes.")
        buffer = FileBuffer(region, choose_capacity(files, region.size))
        try:
            load_all(buffer, files)
            result.num_files, result.num_bytes = len(files), buffer.used
            write(describe_files(buffer, len(files)))
            result.num_verified = verify_all(buffer)
            write(f"Checked {format_count(result.num_verified, 'early view')}: each still shows its file, by SHA-256.")
            result.full = report_usage(region, write)
            num_removed, num_bytes = decommit_half(buffer)
            removed, size = format_count(num_removed, "view"), format_bytes(num_bytes)
            write(f"Released {removed} and decommitted the middle half, {size}.")
            write(f"Checked the other {format_count(verify_all(buffer), 'view')} again.")
            result.half = report_usage(region, write)
        finally:
            show_progress("")
        buffer.remove(0, region.size)
    write(f"Released the {format_bytes(result.reserved)}.")
    result.seconds = perf_counter() - started
    return result


def load_all(buffer: FileBuffer, files: list[Path]) -> None:
    for number, path in enumerate(files, 1):
        show_progress(f"reading file {number} of {len(files)}, {format_bytes(buffer.used)}")
        buffer.add(path)
    show_progress("")


def describe_files(buffer: FileBuffer, num_files: int) -> str:
    condition = "" if len(buffer.files) == num_files else " that is not empty"
    files, size = format_count(num_files, "file"), format_bytes(buffer.used)
    return f"Read {files}, {size}, and took a view of each{condition}."


def verify_all(buffer: FileBuffer) -> int:
    for number, file in enumerate(buffer.files, 1):
        show_progress(f"checking file {number} of {len(buffer.files)}")
        verify(file)
    show_progress("")
    return len(buffer.files)


def decommit_half(buffer: FileBuffer) -> tuple[int, int]:
    """Decommit the pages of the middle half of the files. Returns the number of views that ended, and of bytes."""
    start, end = (_vmem.align_forward(buffer.used * part // 4, buffer.region.page_size) for part in (1, 3))
    return buffer.remove(start, end), end - start


def report_usage(region: Region, write: Callable[[str], None]) -> Usage:
    """Write a map of the region, and the memory of the whole process, which the region cannot know."""
    write(f"\n{region.map()}\n")
    usage = Usage.of(region)  # after the map: the first one imports what draws it, which takes memory
    if usage.process_writable:
        write(f"Writable memory of the whole process: {format_bytes(usage.process_writable)}.")
    return usage
