"""An arena against a list of bytearrays, under random sequences of calls, contents compared byte for byte."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import vmem

PAGE = vmem.get_page_size()
CAPACITY = 12 * PAGE

sizes = st.integers(0, 100) | st.sampled_from([PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, CAPACITY])
# Not above a page: what is left out then depends on where the arena lies, which is another place every time.
alignments = st.sampled_from([None, 1, 8, 16, 64, PAGE])


class ArenaMachine(RuleBasedStateMachine):
    """The model is the list of live allocations, each with its place and what it holds."""

    @initialize(alignment=st.sampled_from([1, 16, PAGE]))
    def make(self, alignment: int) -> None:
        self.arena = vmem.Arena(CAPACITY, alignment=alignment)
        self.alignment = alignment
        self.used = 0
        self.live: list[tuple[memoryview, int, bytearray]] = []
        self.marks = [0]

    @rule(size=sizes, align=alignments, zero=st.booleans(), byte=st.integers(1, 255))
    def alloc(self, size: int, align: int | None, zero: bool, byte: int) -> None:
        step = align or self.alignment
        start = -(-self.used // step) * step
        try:
            view = self.arena.alloc(size, align=align, zero=zero)
        except vmem.OutOfMemoryError:
            assert start + size > CAPACITY
            assert self.arena.used == self.used
            return
        if size == 0:
            assert view.nbytes == 0
            assert self.arena.used == self.used
            return
        assert self.arena.used == start + size <= CAPACITY
        if zero:
            assert view == bytes(size)
        view[:] = bytes([byte]) * size
        self.live.append((view, start, bytearray([byte]) * size))
        self.used = start + size

    @precondition(lambda self: self.live)
    @rule(data=st.data(), byte=st.integers(0, 255))
    def write(self, data: st.DataObject, byte: int) -> None:
        view, _, contents = self.live[data.draw(st.integers(0, len(self.live) - 1))]
        view[-1] = contents[-1] = byte

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))[0].release()

    @rule()
    def mark(self) -> None:
        mark = self.arena.mark()
        assert mark == self.used
        self.marks.append(mark)

    def go_back(self, mark: int) -> None:
        count = sum(start + len(contents) > mark for _, start, contents in self.live)
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
        self.used = mark

    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        self.go_back(data.draw(st.sampled_from(self.marks)))

    @rule()
    def drop_all_and_reset(self) -> None:
        for view, _, _ in self.live:
            view.release()
        self.live.clear()
        self.go_back(0)
        assert self.used == 0

    @rule()
    def trim(self) -> None:
        self.arena.trim()
        assert self.arena.committed == -(-self.used // PAGE) * PAGE

    @rule(size=st.integers(1, 2 * PAGE), fails=st.booleans())
    def scope(self, size: int, fails: bool) -> None:
        try:
            with self.arena.scope() as arena:
                arena.alloc(size)[:] = b"s" * size
                if fails:
                    raise KeyError
        except (KeyError, vmem.OutOfMemoryError):
            pass

    @invariant()
    def contents_agree(self) -> None:
        assert self.arena.used == self.used <= self.arena.committed or self.used == 0
        for view, _, contents in self.live:
            assert view == contents


TestArena = ArenaMachine.TestCase
TestArena.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
