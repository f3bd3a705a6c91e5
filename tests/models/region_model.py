"""A model of the documented behaviour of a region, and a region that is compared with it after every call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import vmem
from tests.support.system import permissions_in, status_bytes
from vmem import Protection, Range

PAGE = vmem.get_page_size()

READABLE = {Protection.READ, Protection.READ_WRITE, Protection.READ_EXECUTE, Protection.READ_WRITE_EXECUTE}
WRITABLE = {Protection.READ_WRITE, Protection.READ_WRITE_EXECUTE}
PERMISSIONS = {
    Protection.NO_ACCESS: "---p",
    Protection.READ: "r--p",
    Protection.READ_WRITE: "rw-p",
    Protection.EXECUTE: "--xp",
    Protection.READ_EXECUTE: "r-xp",
    Protection.READ_WRITE_EXECUTE: "rwxp",
}

ON_LINUX = sys.platform == "linux"

# With swap, touched pages need not be resident. Systems other than Linux are taken to have swap.
HAS_SWAP = not ON_LINUX or len(Path("/proc/swaps").read_text().splitlines()) > 1

# AddressSanitizer turns mlock() and munlock() into calls that do nothing.
LOCKS_SHOW = ON_LINUX and "libasan" not in Path("/proc/self/maps").read_text()

T = TypeVar("T")


class Forbidden(Exception):  # noqa: N818
    """The model does not allow a call; a region raises an exception of this class."""

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__(kind.__name__)
        self.kind = kind


def require(condition: bool, kind: type[Exception]) -> None:
    if not condition:
        raise Forbidden(kind)


@dataclass
class Page:
    """A committed page."""

    protection: Protection = Protection.READ_WRITE
    is_locked: bool = False
    is_touched: bool = False


@dataclass(eq=False)
class View:
    """A live view: the offsets of the bytes it shows, and the numbers of the pages it pins."""

    memory: memoryview
    offsets: range
    pinned: range
    is_readonly: bool


def page_numbers(start: int, end: int) -> range:
    return range(start // PAGE, -(-end // PAGE)) if start < end else range(0)


def as_slice(offsets: range) -> slice:
    if not offsets:
        return slice(0, 0)
    return slice(offsets.start, offsets.stop if offsets.stop >= 0 else None, offsets.step)


def overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


class RegionModel:
    """The committed pages, the contents and the live views. Refused calls raise Forbidden and change nothing."""

    def __init__(self, num_pages: int) -> None:
        self.size = num_pages * PAGE
        self.pages: dict[int, Page] = {}
        self.contents = bytearray(self.size)  # zero where nothing is committed
        self.views: list[View] = []
        self.is_released = False

    # --- state ---

    def ranges(self) -> list[Range]:
        found: list[Range] = []
        for number in range(self.size // PAGE):
            page = self.pages.get(number)
            protection = page.protection if page else Protection.NO_ACCESS
            if found and (found[-1].committed, found[-1].protection) == (page is not None, protection):
                found[-1] = found[-1]._replace(num_bytes=found[-1].num_bytes + PAGE)
            else:
                found.append(Range(number * PAGE, PAGE, page is not None, protection))
        return found

    def committed(self) -> int:
        return 0 if self.is_released else len(self.pages) * PAGE

    def locked(self) -> int:
        return sum(page.is_locked for page in self.pages.values()) * PAGE

    def readable_parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of a range that can be read, neighbouring pages joined."""
        first = None
        for number in page_numbers(start, end):
            page = self.pages.get(number)
            is_readable = page is not None and page.protection in READABLE
            if is_readable and first is None:
                first = max(number * PAGE, start)
            elif not is_readable and first is not None:
                yield first, number * PAGE
                first = None
        if first is not None:
            yield first, end

    def bytes_of(self, view: View) -> bytes:
        return bytes(self.contents[as_slice(view.offsets)])

    # --- requirements ---

    def require_open(self) -> None:
        require(not self.is_released, ValueError)

    def require_range(self, offset: int, num_bytes: int) -> None:
        self.require_open()
        require(offset + num_bytes <= self.size, ValueError)

    def require_committed(self, offset: int, num_bytes: int) -> list[Page]:
        self.require_range(offset, num_bytes)
        numbers = page_numbers(offset, offset + num_bytes)
        require(all(number in self.pages for number in numbers), ValueError)
        return [self.pages[number] for number in numbers]

    def require_readable(self, offset: int, num_bytes: int) -> list[Page]:
        pages = self.require_committed(offset, num_bytes)
        require(all(page.protection in READABLE for page in pages), ValueError)
        return pages

    def require_writable(self, offset: int, num_bytes: int) -> list[Page]:
        pages = self.require_committed(offset, num_bytes)
        require(all(page.protection in WRITABLE for page in pages), ValueError)
        return pages

    def require_unpinned(self, offset: int, num_bytes: int, *, by_readonly_too: bool = True) -> None:
        numbers = page_numbers(offset, offset + num_bytes)
        for view in self.views:
            if by_readonly_too or not view.is_readonly:
                require(not overlap(view.pinned, numbers), BufferError)

    # --- pages ---

    def commit(self, offset: int, num_bytes: int, *, prefault: bool = False) -> None:
        self.require_range(offset, num_bytes)
        for number in page_numbers(offset, offset + num_bytes):
            page = self.pages.setdefault(number, Page())
            page.is_touched |= prefault and page.protection in WRITABLE

    def decommit(self, offset: int, num_bytes: int) -> None:
        self.require_range(offset, num_bytes)
        self.require_unpinned(offset, num_bytes)
        for number in page_numbers(offset, offset + num_bytes):
            self.pages.pop(number, None)
        self.clear(offset, num_bytes)

    def discard(self, offset: int, num_bytes: int) -> None:
        pages = self.require_writable(offset, num_bytes)
        self.require_unpinned(offset, num_bytes)
        for page in pages:
            page.is_touched = False
            if not ON_LINUX:
                page.is_locked, page.protection = False, Protection.READ_WRITE
        self.clear(offset, num_bytes)

    def clear(self, offset: int, num_bytes: int) -> None:
        numbers = page_numbers(offset, offset + num_bytes)
        self.contents[numbers.start * PAGE : numbers.stop * PAGE] = bytes(len(numbers) * PAGE)

    def prefault(self, offset: int, num_bytes: int) -> None:
        for page in self.require_writable(offset, num_bytes):
            page.is_touched = True

    def protect(self, protection: Protection, offset: int, num_bytes: int) -> None:
        pages = self.require_committed(offset, num_bytes)
        if protection not in WRITABLE:
            self.require_unpinned(offset, num_bytes, by_readonly_too=protection not in READABLE)
        for page in pages:
            page.protection = protection

    def lock(self, offset: int, num_bytes: int) -> None:
        for page in self.require_readable(offset, num_bytes):
            page.is_locked = True
            page.is_touched |= LOCKS_SHOW

    def unlock(self, offset: int, num_bytes: int) -> None:
        for page in self.require_committed(offset, num_bytes):
            page.is_locked = False

    def resident(self, offset: int, num_bytes: int) -> tuple[int, int]:
        """The least and the most that may be in physical memory."""
        self.require_range(offset, num_bytes)
        numbers = page_numbers(offset, offset + num_bytes)
        pages = [self.pages[number] for number in numbers if number in self.pages]
        least = 0 if HAS_SWAP else sum(page.is_touched for page in pages) * PAGE
        return least, len(pages) * PAGE

    def is_committed(self, offset: int, num_bytes: int) -> bool:
        self.require_range(offset, num_bytes)
        return all(number in self.pages for number in page_numbers(offset, offset + num_bytes))

    def release(self) -> None:
        if not self.is_released:
            self.require_unpinned(0, self.size)
            self.is_released = True

    def abandon(self) -> None:
        self.is_released = True

    # --- bytes ---

    def find_item(self, index: int) -> int:
        self.require_open()
        require(-self.size <= index < self.size, IndexError)
        return index % self.size

    def read_item(self, index: int) -> int:
        offset = self.find_item(index)
        self.require_readable(offset, 1)
        return self.contents[offset]

    def write_item(self, index: int, byte: int) -> None:
        offset = self.find_item(index)
        self.require_writable(offset, 1)
        self.write(range(offset, offset + 1), bytes([byte]))

    def find_slice(self, key: slice) -> tuple[range, range]:
        """The offsets of the bytes, and all from the lowest to the highest of them."""
        offsets = range(*key.indices(self.size))
        if not offsets:
            return range(0), range(0)
        return offsets, range(min(offsets[0], offsets[-1]), max(offsets[0], offsets[-1]) + 1)

    def read_slice(self, key: slice) -> bytes:
        _, reach = self.find_slice(key)
        self.require_readable(reach.start, len(reach))
        return bytes(self.contents[key])

    def write_slice(self, key: slice, data: bytes) -> None:
        offsets, reach = self.find_slice(key)
        self.require_open()
        require(len(data) == len(offsets), ValueError)
        self.require_writable(reach.start, len(reach))
        self.write(offsets, data)

    def write(self, offsets: range, data: bytes) -> None:
        self.contents[as_slice(offsets)] = data
        for offset in (*offsets[:: max(1, PAGE // abs(offsets.step))], *offsets[-1:]):  # at least one in every page
            self.pages[offset // PAGE].is_touched = True

    # --- views ---

    def view(self, offset: int, num_bytes: int, *, readonly: bool = False) -> tuple[range, bool]:
        """What the view shows, and whether it is read-only."""
        pages = self.require_readable(offset, num_bytes)
        is_writable = all(page.protection in WRITABLE for page in pages)
        return range(offset, offset + num_bytes), readonly or not is_writable

    def write_view(self, view: View, offsets: range, data: bytes) -> None:
        require(not view.is_readonly, TypeError)
        self.write(offsets, data)


def locked_by_process() -> int:
    return status_bytes("VmLck") if LOCKS_SHOW else 0


def expect(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"{what}: got {actual!r:.500}, expected {expected!r:.500}")


def first_difference(one: bytes, other: bytes) -> int:
    return next((i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))


def expect_bytes(what: str, actual: bytes, expected: bytes) -> None:
    if actual != expected:
        raise AssertionError(
            f"{what}: {len(actual)} bytes that differ from byte {first_difference(actual, expected)} on"
        )


class CheckedRegion:
    """A region and its model. Every call is made on both; results, exceptions and affected bytes must be the same."""

    def __init__(self, num_pages: int) -> None:
        self.num_pages = num_pages
        self.was_refused = False
        self.reserve()

    def reserve(self) -> None:
        self.locked_before = locked_by_process()
        self.region = vmem.reserve(self.num_pages * PAGE)
        self.model = RegionModel(self.num_pages)

    def end(self) -> None:
        """Releases everything, in whatever state it is."""
        self.check_views()
        for view in self.model.views:
            view.memory.release()
        self.model.views.clear()
        self.region.release()
        expect("locked after the end", locked_by_process(), self.locked_before)

    def replace(self) -> None:
        self.end()
        self.reserve()

    # --- both ---

    def both(self, real: Callable[[], T], modelled: Callable[[], object]) -> T | None:
        """The result of the region's call, or None if both raise."""
        forbidden = raised = None
        result = None
        try:
            modelled()
        except Forbidden as error:
            forbidden = error.kind
        try:
            result = real()
        except Exception as error:
            raised = type(error)
        expect("exception", raised, forbidden)
        self.was_refused = forbidden is not None
        return result

    def both_on(self, offset: int, num_bytes: int, real: Callable[[], None], modelled: Callable[[], None]) -> None:
        self.both(real, modelled)
        self.check_resident(offset, num_bytes)  # before the other checks touch the pages
        self.check_part(offset - PAGE, offset + num_bytes + PAGE)

    # --- pages ---

    def commit(self, offset: int, num_bytes: int, prefault: bool) -> None:
        self.both_on(
            offset,
            num_bytes,
            lambda: self.region.commit(offset, num_bytes, prefault=prefault),
            lambda: self.model.commit(offset, num_bytes, prefault=prefault),
        )

    def decommit(self, offset: int, num_bytes: int) -> None:
        self.both_on(
            offset,
            num_bytes,
            lambda: self.region.decommit(offset, num_bytes),
            lambda: self.model.decommit(offset, num_bytes),
        )

    def discard(self, offset: int, num_bytes: int) -> None:
        self.both_on(
            offset,
            num_bytes,
            lambda: self.region.discard(offset, num_bytes),
            lambda: self.model.discard(offset, num_bytes),
        )

    def prefault(self, offset: int, num_bytes: int) -> None:
        self.both_on(
            offset,
            num_bytes,
            lambda: self.region.prefault(offset, num_bytes),
            lambda: self.model.prefault(offset, num_bytes),
        )

    def protect(self, protection: Protection, offset: int, num_bytes: int) -> None:
        self.both_on(
            offset,
            num_bytes,
            lambda: self.region.protect(protection, offset, num_bytes),
            lambda: self.model.protect(protection, offset, num_bytes),
        )

    def lock(self, offset: int, num_bytes: int) -> None:
        self.both_on(
            offset, num_bytes, lambda: self.region.lock(offset, num_bytes), lambda: self.model.lock(offset, num_bytes)
        )

    def unlock(self, offset: int, num_bytes: int) -> None:
        self.both_on(
            offset,
            num_bytes,
            lambda: self.region.unlock(offset, num_bytes),
            lambda: self.model.unlock(offset, num_bytes),
        )

    def resident(self, offset: int, num_bytes: int) -> None:
        resident = self.both(
            lambda: self.region.resident(offset, num_bytes), lambda: self.model.resident(offset, num_bytes)
        )
        if resident is not None:
            self.check_resident(offset, num_bytes)

    def is_committed(self, offset: int, num_bytes: int) -> None:
        committed = self.both(
            lambda: self.region.is_committed(offset, num_bytes), lambda: self.model.is_committed(offset, num_bytes)
        )
        if committed is not None:
            expect("is_committed", committed, self.model.is_committed(offset, num_bytes))

    def release(self) -> None:
        self.both(self.region.release, self.model.release)
        self.check_part(0, 0)

    def abandon(self) -> None:
        """Leaves `with` by an exception: live views keep the memory."""
        self.both(lambda: self.region.__exit__(KeyError, KeyError(), None), self.model.abandon)
        self.check_part(0, 0)

    # --- bytes ---

    def read_item(self, index: int) -> None:
        byte = self.both(lambda: self.region[index], lambda: self.model.read_item(index))
        if byte is not None:
            expect(f"item {index}", byte, self.model.read_item(index))

    def write_item(self, index: int, byte: int) -> None:
        self.both_on(
            index % self.region.size,
            1,
            lambda: self.region.__setitem__(index, byte),
            lambda: self.model.write_item(index, byte),
        )

    def write_slice(self, key: slice, data: bytes) -> None:
        _, reach = self.model.find_slice(key)
        self.both_on(
            reach.start,
            len(reach),
            lambda: self.region.__setitem__(key, data),
            lambda: self.model.write_slice(key, data),
        )

    def copy(self, target: slice, source: slice) -> None:
        """From slice to slice of one region. They may overlap."""
        _, reach = self.model.find_slice(target)
        self.both_on(
            reach.start,
            len(reach),
            lambda: self.region.__setitem__(target, self.region[source]),
            lambda: self.model.write_slice(target, self.model.read_slice(source)),
        )

    # --- views ---

    def keep(self, memory: memoryview | None, offsets: range, pinned: range, is_readonly: bool) -> None:
        if memory is None:
            return
        expect("a view's readonly", memory.readonly, is_readonly)
        expect("a view's length", len(memory), len(offsets))
        view = View(memory, offsets, pinned, is_readonly)
        self.model.views.append(view)
        self.check_view(view)

    def view(self, offset: int, num_bytes: int, readonly: bool) -> None:
        memory = self.both(
            lambda: self.region.view(offset, num_bytes, readonly=readonly),
            lambda: self.model.view(offset, num_bytes),
        )
        if memory is not None:
            offsets, is_readonly = self.model.view(offset, num_bytes, readonly=readonly)
            self.keep(memory, offsets, page_numbers(offset, offset + num_bytes), is_readonly)

    def slice_view(self, key: slice) -> None:
        offsets, reach = self.model.find_slice(key)
        memory = self.both(lambda: self.region[key], lambda: self.model.view(reach.start, len(reach)))
        if memory is not None:
            _, is_readonly = self.model.view(reach.start, len(reach))
            self.keep(memory, offsets, page_numbers(reach.start, reach.stop), is_readonly)

    def view_of_view(self, number: int, key: slice) -> None:
        """It pins as much as the view it is made from, also after that is released."""
        view = self.model.views[number]
        self.keep(view.memory[key], view.offsets[key], view.pinned, view.is_readonly)

    def release_view(self, number: int) -> None:
        self.model.views.pop(number).memory.release()

    def write_item_of_view(self, number: int, index: int, byte: int) -> None:
        """`index` is taken modulo the length."""
        view = self.model.views[number]
        if not view.offsets:
            return
        index %= len(view.offsets)
        offset = view.offsets[index]
        self.both_on(
            offset,
            1,
            lambda: view.memory.__setitem__(index, byte),
            lambda: self.model.write_view(view, range(offset, offset + 1), bytes([byte])),
        )

    def write_view(self, number: int, data: bytes) -> None:
        """Writes to all of it, with the data repeated or cut."""
        view = self.model.views[number]
        data = (data * (len(view.offsets) // max(len(data), 1) + 1))[: len(view.offsets)]
        if len(data) == len(view.offsets):
            self.both(
                lambda: view.memory.__setitem__(slice(None), data),
                lambda: self.model.write_view(view, view.offsets, data),
            )
            self.check_view(view)

    def copy_view(self, target: int, number: int) -> None:
        """From a live view into the region. They may overlap."""
        view = self.model.views[number]
        key = slice(target, target + len(view.offsets))
        self.both_on(
            target,
            len(view.offsets),
            lambda: self.region.__setitem__(key, view.memory),
            lambda: self.model.write_slice(key, self.model.bytes_of(view)),
        )

    # --- checks ---

    def check_part(self, start: int, end: int) -> None:
        """Checks the bytes that a call affects, and the totals."""
        expect("released", self.region.released, self.model.is_released)
        expect("committed", self.region.committed, self.model.committed())
        if not self.model.is_released:
            self.check_contents(max(start, 0), min(end, self.region.size))

    def check_resident(self, offset: int, num_bytes: int) -> None:
        if self.model.is_released or offset + num_bytes > self.region.size:
            return
        resident = self.region.resident(offset, num_bytes)
        least, most = self.model.resident(offset, num_bytes)
        expect(f"resident {resident} in {least} to {most}", least <= resident <= most, True)

    def check_contents(self, start: int, end: int) -> None:
        for first, last in self.model.readable_parts(start, end):
            with self.region[first:last] as part:
                expect_bytes(f"bytes {first} to {last}", bytes(part), bytes(self.model.contents[first:last]))

    def check_view(self, view: View) -> None:
        expect_bytes(f"view of {view.offsets}", bytes(view.memory), self.model.bytes_of(view))

    def check_views(self) -> None:
        for view in self.model.views:
            self.check_view(view)

    def check_ranges(self) -> None:
        if not self.model.is_released:
            expect("ranges", self.region.ranges(), self.model.ranges())

    def check_system(self) -> None:
        """The kernel's own record of the protections and locks."""
        if not ON_LINUX or self.model.is_released:
            return
        expected = [
            (each.offset, each.offset + each.num_bytes, PERMISSIONS[each.protection]) for each in self.model.ranges()
        ]
        joined: list[tuple[int, int, str]] = []
        for run in expected:  # reserved pages and committed ones without access are the same to the kernel
            if joined and joined[-1][2] == run[2]:
                joined[-1] = (joined[-1][0], run[1], run[2])
            else:
                joined.append(run)
        expect("mappings", permissions_in(self.region.address, self.region.size), joined)
        if LOCKS_SHOW:
            expect("locked", locked_by_process() - self.locked_before, self.model.locked())

    def check_all(self) -> None:
        self.check_part(0, self.region.size)
        self.check_ranges()
        self.check_views()
        self.check_system()
