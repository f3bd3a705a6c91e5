"""An arena that is compared with a list of bytearrays after every call, byte for byte."""

from __future__ import annotations

from typing import NamedTuple

import vmem
from tests.models.region_model import expect, expect_bytes

PAGE = vmem.get_page_size()


class Allocation(NamedTuple):
    """A live view, its offset in the arena, and its expected contents."""

    view: memoryview
    start: int
    contents: bytearray

    @property
    def end(self) -> int:
        return self.start + len(self.contents)


class CheckedArena:
    """An arena and its model: the live allocations and how much is used."""

    def __init__(self, capacity: int, alignment: int) -> None:
        self.arena = vmem.Arena(capacity, alignment=alignment)
        self.capacity = capacity
        self.alignment = alignment
        self.used = 0
        self.live: list[Allocation] = []
        self.orphaned = range(0)  # what scopes could not free at their end, because of live views
        self.marks = [0]
        self.was_refused = False

    def place(self, size: int, align: int | None) -> int:
        """The offset of the next allocation. An arena begins with a page, so this holds for alignments up to a page."""
        step = align or self.alignment
        return -(-self.used // step) * step

    def alloc(self, size: int, align: int | None, zero: bool, byte: int) -> None:
        start = self.place(size, align)
        self.was_refused = False
        try:
            view = self.arena.alloc(size, align=align, zero=zero)
        except vmem.OutOfMemoryError:
            self.was_refused = True
            assert start + size > self.capacity
            return
        assert view.nbytes == size
        if size == 0:
            return
        assert start + size <= self.capacity
        if zero:
            expect_bytes("fresh bytes", bytes(view), bytes(size))
        self.take(view, start, byte)

    def take(self, view: memoryview, start: int, byte: int) -> None:
        contents = bytearray([byte]) * len(view)
        view[:] = contents
        self.live.append(Allocation(view, start, contents))
        self.used = start + len(view)

    # --- bytes ---

    def write(self, number: int, byte: int) -> None:
        self.was_refused = False
        view, _, contents = self.live[number]
        view[-1] = contents[-1] = byte

    def release(self, number: int) -> None:
        self.was_refused = False
        self.live.pop(number).view.release()

    def release_from(self, mark: int) -> None:
        """Releases the views that prevent rewinding to a mark."""
        for number in reversed(range(len(self.live))):
            if self.live[number].end > mark:
                self.release(number)

    # --- rewinding ---

    def go_to(self, mark: int) -> None:
        if mark < min(self.used, self.orphaned.stop):
            self.orphaned = range(0)
        self.used = mark

    def reclaim_orphaned(self) -> None:
        if (
            self.orphaned
            and self.orphaned.stop == self.used
            and all(each.end <= self.orphaned.start for each in self.live)
        ):
            self.go_to(self.orphaned.start)

    def orphan_range(self, mark: int) -> None:
        joins = self.orphaned and self.orphaned.start <= mark <= self.orphaned.stop
        self.orphaned = range(self.orphaned.start if joins else mark, self.used)

    def mark(self) -> None:
        self.was_refused = False
        mark = self.arena.mark()
        self.reclaim_orphaned()
        self.orphaned = range(0)
        expect("mark", mark, self.used)
        self.marks.append(mark)

    def rewind(self, mark: int) -> None:
        count = sum(each.end > mark for each in self.live)
        self.was_refused = True
        try:
            self.arena.rewind(mark) if mark else self.arena.reset()
        except BufferError as error:
            assert mark < self.used
            assert f": {count} view" in str(error)  # noqa: PT017
            return
        except ValueError:
            assert mark > self.used
            return
        assert mark == self.used or count == 0
        self.was_refused = False
        self.go_to(mark)

    def reset(self) -> None:
        """Releases all views first."""
        self.release_from(0)
        self.rewind(0)
        assert self.used == 0

    def trim(self) -> None:
        self.was_refused = False
        self.arena.trim()
        expect("committed after trim()", self.arena.committed, -(-self.used // PAGE) * PAGE)

    def scope(self, size: int, byte: int, fails: bool, keeps_view: bool) -> None:
        """Later scopes free what a live view keeps. An exception in the scope propagates instead of a BufferError."""
        self.reclaim_orphaned()
        mark, start = self.used, self.place(size, None)
        expected: type[Exception] | None = KeyError if fails else BufferError if keeps_view else None
        if start + size > self.capacity:
            expected, keeps_view = vmem.OutOfMemoryError, False
        raised: type[Exception] | None = None
        view = None
        try:
            with self.arena.scope() as arena:
                view = arena.alloc(size)
                view[:] = bytes([byte]) * size
                if not keeps_view:
                    view.release()
                if fails:
                    raise KeyError
        except Exception as error:
            raised = type(error)
        expect("exception", raised, expected)
        self.was_refused = raised not in (None, KeyError)
        if keeps_view and view is not None:
            self.take(view, start, byte)
            self.orphan_range(mark)

    # --- checks ---

    def check_all(self) -> None:
        expect("used", self.arena.used, self.used)
        assert self.used <= self.arena.committed
        for view, start, contents in self.live:
            expect_bytes(f"allocation at {start}", bytes(view), bytes(contents))

    def end(self) -> None:
        """Releases everything."""
        self.check_all()
        self.reset()
        self.trim()
