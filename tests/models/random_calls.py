"""Random calls of regions, arrays, rows, arenas, tables and rings, each made on the real object and on its model."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from struct import calcsize
from typing import ClassVar, Protocol

from tests.models.arena_model import CheckedArena
from tests.models.array_model import CheckedArray
from tests.models.region_model import PAGE, CheckedRegion
from tests.models.ring_model import CheckedRing
from tests.models.rows_model import CheckedRows
from tests.models.shared_array_model import CheckedSharedArray
from tests.models.table_model import CheckedTable
from tests.support.twin_arrays import TYPECODES
from vmem import Protection, get_allocation_granularity

GRANULARITY = get_allocation_granularity()
MAX_VIEWS = 6  # more of them would pin everything


class Checked(Protocol):
    """An object that is compared with its model."""

    was_refused: bool

    def check_all(self) -> None: ...
    def end(self) -> None: ...


class RandomCalls:
    """Draws calls and makes them, one after the other. Subclasses define the calls and how often each is made."""

    NAME: ClassVar[str]
    checked: Checked
    WEIGHTS: ClassVar[dict[Callable[..., None], float]]
    NEED_VIEWS: ClassVar[set[Callable[..., None]]]
    release_view: Callable[[], None]

    def __init__(self, seed: int, check_every: int) -> None:
        self.numbers = random.Random(f"{seed} {self.NAME}")  # what one draws does not depend on the others
        self.check_every = check_every
        self.operation = 0
        self.kind = ""
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def count_views(self) -> int:
        raise NotImplementedError

    def chance(self, share: float) -> bool:
        return self.numbers.random() < share

    def byte(self) -> int:
        return self.numbers.randrange(256)

    def pick(self) -> int:
        return self.numbers.randrange(self.count_views())

    def draw(self) -> Callable[[], None]:
        if self.count_views() > MAX_VIEWS:
            return self.release_view
        while True:
            (call,) = self.numbers.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))
            if self.count_views() or call not in self.NEED_VIEWS:
                return call.__get__(self)  # type: ignore[no-any-return]

    def step(self) -> None:
        call = self.draw()
        self.kind = call.__name__
        self.checked.was_refused = False
        call()
        (self.refused if self.checked.was_refused else self.done)[self.kind] += 1
        self.operation += 1
        if self.operation % self.check_every == 0:
            self.checked.check_all()


class RegionCalls(RandomCalls):
    NAME = "region"
    NUM_PAGES = 24
    SIZE = NUM_PAGES * PAGE
    STEPS = (1, 1, 2, 3, -1, -3, PAGE - 1, -PAGE - 1, 2 * PAGE)

    def __init__(self, seed: int, check_every: int) -> None:
        super().__init__(seed, check_every)
        self.checked: CheckedRegion = CheckedRegion(self.NUM_PAGES)

    # --- what is drawn ---

    def count_views(self) -> int:
        return len(self.checked.model.views)

    def offset(self) -> int:
        """Half of the time next to the start of a page. The last few offsets are past the end."""
        if self.chance(0.5):
            return self.numbers.randint(0, self.SIZE)
        return max(self.numbers.randint(0, self.NUM_PAGES) * PAGE + self.numbers.randint(-2, 2), 0)

    def where(self) -> tuple[int, int]:
        offset = self.offset()
        if self.chance(0.7):
            return offset, self.numbers.randint(0, 2 * PAGE)
        other = self.offset()
        return min(offset, other), abs(offset - other)

    def key(self) -> slice:
        step = self.numbers.choice(self.STEPS)
        offset, num_bytes = self.where()
        if self.chance(0.1):
            offset -= self.SIZE
        if step > 0:
            return slice(offset, offset + num_bytes, step)
        return slice(offset + num_bytes, offset or None, step)

    def data(self, length: int) -> bytes:
        """A pattern in which bytes written to a wrong place differ from the right ones."""
        part = self.numbers.randbytes(31)
        return (part * (length // len(part) + 1))[:length]

    # --- calls ---

    def commit(self) -> None:
        self.checked.commit(*self.where(), prefault=self.chance(0.3))

    def decommit(self) -> None:
        self.checked.decommit(*self.where())

    def discard(self) -> None:
        self.checked.discard(*self.where())

    def prefault(self) -> None:
        self.checked.prefault(*self.where())

    def protect(self) -> None:
        self.checked.protect(self.numbers.choice(list(Protection)), *self.where())

    def make_writable(self) -> None:
        self.checked.protect(Protection.READ_WRITE, *self.where())

    def lock(self) -> None:
        self.checked.lock(*self.where())

    def unlock(self) -> None:
        self.checked.unlock(*self.where())

    def resident(self) -> None:
        self.checked.resident(*self.where())

    def is_committed(self) -> None:
        self.checked.is_committed(*self.where())

    def read_item(self) -> None:
        self.checked.read_item(self.offset() - self.numbers.choice((0, self.SIZE)))

    def write_item(self) -> None:
        self.checked.write_item(self.offset() - self.numbers.choice((0, self.SIZE)), self.byte())

    def write_slice(self) -> None:
        key = self.key()
        length = len(range(*key.indices(self.SIZE)))
        self.checked.write_slice(key, self.data(length + self.chance(0.05)))

    def copy(self) -> None:
        offset, num_bytes = self.where()
        shift = self.numbers.randint(-300, 300) if self.chance(0.7) else self.offset()
        target = max(min(offset + shift, self.SIZE - num_bytes), 0)
        source = slice(offset, offset + num_bytes)
        if self.chance(0.3):
            source = slice(offset + num_bytes - 1, max(offset - 1, 0), -1)
        self.checked.copy(slice(target, target + num_bytes), source)

    def view(self) -> None:
        self.checked.view(*self.where(), readonly=self.chance(0.3))

    def slice_view(self) -> None:
        self.checked.slice_view(self.key())

    def view_of_view(self) -> None:
        self.checked.view_of_view(self.pick(), self.key())

    def write_item_of_view(self) -> None:
        self.checked.write_item_of_view(self.pick(), self.numbers.randrange(self.SIZE), self.byte())

    def write_view(self) -> None:
        self.checked.write_view(self.pick(), self.data(31))

    def copy_view(self) -> None:
        self.checked.copy_view(self.offset(), self.pick())

    def release_view(self) -> None:
        self.checked.release_view(self.pick())

    def release(self) -> None:
        self.checked.release()

    def abandon(self) -> None:
        self.checked.abandon()

    def replace(self) -> None:
        self.checked.replace()

    def draw(self) -> Callable[[], None]:
        if self.checked.model.is_released and self.chance(0.2):
            return self.replace
        return super().draw()

    WEIGHTS: ClassVar[dict[Callable[..., None], float]] = {
        commit: 14,
        decommit: 6,
        discard: 4,
        prefault: 3,
        protect: 6,
        make_writable: 10,
        lock: 4,
        unlock: 4,
        resident: 3,
        is_committed: 3,
        read_item: 3,
        write_item: 4,
        write_slice: 10,
        copy: 6,
        view: 4,
        slice_view: 4,
        view_of_view: 2,
        write_item_of_view: 3,
        write_view: 3,
        copy_view: 3,
        release_view: 12,
        release: 1,
        abandon: 0.2,
    }
    NEED_VIEWS: ClassVar[set[Callable[..., None]]] = {
        view_of_view,
        write_item_of_view,
        write_view,
        copy_view,
        release_view,
    }


class ArrayCalls(RandomCalls):
    NAME = "array"
    CAPACITY = PAGE  # in items, so one page of memory or up to eight
    STEPS = (None, 1, 1, 2, 3, -1, -2, 100, -PAGE // 2)

    def __init__(self, seed: int, check_every: int) -> None:
        super().__init__(seed, check_every)
        self.begin()

    def begin(self) -> None:
        self.typecode = self.numbers.choice(TYPECODES)
        self.checked: CheckedArray = CheckedArray(self.typecode, self.items(), self.CAPACITY)

    # --- what is drawn ---

    def count_views(self) -> int:
        return len(self.checked.views)

    def item(self) -> float:
        return self.numbers.randrange(128) / 2 if self.typecode in "fd" else self.numbers.randrange(128)

    def items(self) -> list[float]:
        """A few, and now and then so many that they fill pages."""
        part = [self.item() for _ in range(self.numbers.randrange(12))]
        return part * self.numbers.choice((1, 1, 1, 1, 40, 150))

    def index(self) -> int:
        """Mostly near the ends, and sometimes past them."""
        length = len(self.checked.model)
        near = self.numbers.randint(-3, 3)
        return self.numbers.choice((near, length + near, -length + near, self.numbers.randint(-length, length)))

    def key(self) -> slice:
        step = self.numbers.choice(self.STEPS)
        first, last = sorted((self.index(), self.index()))
        end = last if self.chance(0.7) else None
        return slice(end, first, step) if step and step < 0 else slice(first, end, step)

    # --- calls ---

    def append(self) -> None:
        self.checked.append(self.item())

    def extend(self) -> None:
        self.checked.extend(self.items(), is_interrupted=self.chance(0.2))

    def extend_with_an_array(self) -> None:
        self.checked.extend_with_an_array(self.items())

    def extend_with_itself(self) -> None:
        self.checked.extend_with_itself()

    def fromlist(self) -> None:
        self.checked.fromlist(self.items())

    def frombytes(self) -> None:
        """Sometimes one byte more than whole items."""
        self.checked.frombytes(self.numbers.randbytes(8 * self.numbers.randrange(100) + self.chance(0.05)))

    def insert(self) -> None:
        self.checked.insert(self.index(), self.item())

    def add(self) -> None:
        self.checked.add(self.items())

    def repeat(self) -> None:
        self.checked.repeat(self.numbers.choice((-1, 0, 1, 2, 2, 3)))

    def pop(self) -> None:
        self.checked.pop(self.index())

    def remove(self) -> None:
        self.checked.remove(self.item())

    def delete(self) -> None:
        self.checked.delete(self.index() if self.chance(0.5) else self.key())

    def clear(self) -> None:
        self.checked.clear()

    def shrink_to_fit(self) -> None:
        self.checked.shrink_to_fit()

    def set_item(self) -> None:
        self.checked.set_item(self.index(), self.item())

    def set_slice(self) -> None:
        """Extended slices accept only as many items as they have."""
        key, more = self.key(), self.items()
        if key.step not in (None, 1) and self.chance(0.8):
            length = len(range(*key.indices(len(self.checked.model))))
            more = (more * length)[:length]
        self.checked.set_slice(key, more)

    def set_slice_to_itself(self) -> None:
        self.checked.set_slice_to_itself(self.key())

    def set_all_to_itself(self) -> None:
        """The only extended slice that has as many items as the array."""
        self.checked.set_slice_to_itself(slice(None, None, -1))

    def reverse(self) -> None:
        self.checked.reverse()

    def byteswap(self) -> None:
        self.checked.byteswap()

    def read_slice(self) -> None:
        self.checked.read_slice(self.key())

    def concatenate(self) -> None:
        self.checked.concatenate(self.items())

    def multiply(self) -> None:
        self.checked.multiply(self.numbers.randint(-1, 3))

    def copy(self) -> None:
        self.checked.copy()

    def pickle(self) -> None:
        self.checked.pickle(self.numbers.randint(0, 5))

    def search(self) -> None:
        self.checked.search(self.item())

    def count(self) -> None:
        self.checked.count(self.item())

    def view(self) -> None:
        self.checked.view()

    def write_through_a_view(self) -> None:
        self.checked.write_through_a_view(self.pick(), self.item())

    def release_view(self) -> None:
        self.checked.release_view(self.pick())

    def replace(self) -> None:
        self.checked.end()
        self.begin()

    WEIGHTS: ClassVar[dict[Callable[..., None], float]] = {
        append: 14,
        extend: 6,
        extend_with_an_array: 4,
        extend_with_itself: 1,
        fromlist: 3,
        frombytes: 4,
        insert: 6,
        add: 2,
        repeat: 1,
        pop: 8,
        remove: 3,
        delete: 6,
        clear: 1,
        shrink_to_fit: 3,
        set_item: 6,
        set_slice: 8,
        set_slice_to_itself: 2,
        set_all_to_itself: 1,
        reverse: 1,
        byteswap: 0.5,
        read_slice: 3,
        concatenate: 0.5,
        multiply: 0.5,
        copy: 0.3,
        pickle: 0.3,
        search: 2,
        count: 0.3,
        view: 4,
        write_through_a_view: 6,
        release_view: 8,
        replace: 0.5,
    }
    NEED_VIEWS: ClassVar[set[Callable[..., None]]] = {write_through_a_view, release_view}


class SharedArrayCalls(ArrayCalls):
    """It never becomes shorter, so a new one is made more often."""

    NAME = "shared array"
    WEIGHTS: ClassVar[dict[Callable[..., None], float]] = ArrayCalls.WEIGHTS | {ArrayCalls.replace: 3}

    def begin(self) -> None:
        self.typecode = self.numbers.choice(TYPECODES)
        self.checked = CheckedSharedArray(self.typecode, self.items(), self.CAPACITY)


class RowsCalls(ArrayCalls):
    """Of an array of rows, which stand for numbers from 0 to 127."""

    NAME = "rows"
    CAPACITY = 400  # rows, each of which Python code converts
    SHAPES = ((1,), (3,), (2, 2), (1, 3, 2), (33,))

    def begin(self) -> None:
        self.typecode = self.numbers.choice(TYPECODES)
        self.checked = CheckedRows(self.typecode, self.numbers.choice(self.SHAPES), self.items(), self.CAPACITY)

    def item(self) -> int:
        return self.numbers.randrange(128)

    def items(self) -> list[float]:
        part: list[float] = [self.item() for _ in range(self.numbers.randrange(12))]
        return part * self.numbers.choice((1, 1, 1, 10))

    def frombytes(self) -> None:
        self.checked.frombytes(bytes(self.item() for _ in range(self.numbers.randrange(100))))

    WEIGHTS: ClassVar[dict[Callable[..., None], float]] = ArrayCalls.WEIGHTS | {ArrayCalls.frombytes: 0, frombytes: 4}


class ArenaCalls(RandomCalls):
    NAME = "arena"
    CAPACITY = 24 * PAGE
    ALIGNMENTS = (1, 8, 16, 64, PAGE)  # above a page, padding would depend on the arena's address

    def __init__(self, seed: int, check_every: int) -> None:
        super().__init__(seed, check_every)
        self.begin()

    def begin(self) -> None:
        self.checked: CheckedArena = CheckedArena(self.CAPACITY, self.numbers.choice(self.ALIGNMENTS))

    # --- what is drawn ---

    def count_views(self) -> int:
        return len(self.checked.live)

    def size(self) -> int:
        """Mostly small. Sometimes next to whole pages, sometimes too large."""
        if self.chance(0.7):
            return self.numbers.randrange(200)
        return max(self.numbers.randrange(8) * PAGE + self.numbers.randint(-2, 2), 0)

    def mark_to_rewind_to(self) -> int:
        """Sometimes a mark past what is used now, or a number that is not a mark."""
        if self.chance(0.2):
            return self.numbers.randint(0, self.checked.used + 10)
        return self.numbers.choice(self.checked.marks)

    # --- calls ---

    def alloc(self) -> None:
        align = self.numbers.choice(self.ALIGNMENTS) if self.chance(0.3) else None
        self.checked.alloc(self.size(), align, self.chance(0.7), self.numbers.randint(1, 255))

    def write(self) -> None:
        self.checked.write(self.pick(), self.byte())

    def release_view(self) -> None:
        self.checked.release(self.pick())

    def mark(self) -> None:
        self.checked.mark()
        del self.checked.marks[1:-8]

    def rewind(self) -> None:
        self.checked.rewind(self.mark_to_rewind_to())

    def release_and_rewind(self) -> None:
        mark = self.mark_to_rewind_to()
        self.checked.release_from(mark)
        self.checked.rewind(mark)

    def reset(self) -> None:
        self.checked.reset()

    def trim(self) -> None:
        self.checked.trim()

    def scope(self) -> None:
        self.checked.scope(self.size() + 1, self.numbers.randint(1, 255), self.chance(0.2), self.chance(0.2))

    def replace(self) -> None:
        self.checked.end()
        self.begin()

    WEIGHTS: ClassVar[dict[Callable[..., None], float]] = {
        alloc: 30,
        write: 10,
        release_view: 26,
        mark: 6,
        rewind: 6,
        release_and_rewind: 6,
        reset: 1,
        trim: 3,
        scope: 6,
        replace: 0.5,
    }
    NEED_VIEWS: ClassVar[set[Callable[..., None]]] = {write, release_view}


class TableCalls(RandomCalls):
    NAME = "table"
    CAPACITY = PAGE  # in rows
    KINDS = ("b", "Q", "d", "?", "M8[ns]", "str", "bytes")

    def __init__(self, seed: int, check_every: int) -> None:
        super().__init__(seed, check_every)
        self.begin()

    def begin(self) -> None:
        kinds = [*self.numbers.choices(self.KINDS, k=self.numbers.randint(1, 4)), "i"]
        self.kinds = [kind + self.numbers.choice(("", "|None")) for kind in kinds]
        columns = {f"c{number}": kind for number, kind in enumerate(self.kinds)}
        self.checked: CheckedTable = CheckedTable(columns, self.CAPACITY)

    # --- what is drawn ---

    def count_views(self) -> int:
        return len(self.checked.views)

    def item(self, kind: str) -> object:
        if kind.endswith("|None") and self.chance(0.2):
            return None
        match kind.removesuffix("|None"):
            case "?":
                return self.chance(0.5)
            case "str":
                return self.numbers.choice(("", "a", "größe", "𝄞")) * self.numbers.choice((1, 1, 1, 5, 300))
            case "bytes":
                return self.numbers.randbytes(self.numbers.choice((0, 1, 9, 500)))
            case "d":
                return self.numbers.randrange(128) / 2
            case _:
                return self.numbers.randrange(128)

    def row(self) -> tuple[object, ...]:
        return tuple(map(self.item, self.kinds))

    def rows(self) -> list[tuple[object, ...]]:
        """A few, and now and then so many that they fill pages."""
        return [self.row() for _ in range(self.numbers.randrange(8))] * self.numbers.choice((1, 1, 1, 10, 50))

    def column(self) -> str:
        return f"c{self.numbers.randrange(len(self.kinds))}"

    def place(self) -> int:
        return self.numbers.randint(0, len(self.checked.model))

    # --- calls ---

    def append(self) -> None:
        self.checked.append(self.row(), self.chance(0.3))

    def append_interrupted(self) -> None:
        self.checked.append_interrupted(self.row(), self.numbers.randrange(len(self.kinds)))

    def extend(self) -> None:
        self.checked.extend(self.rows(), self.chance(0.5))

    def extend_interrupted(self) -> None:
        self.checked.extend_interrupted(self.rows())

    def extend_with_itself(self) -> None:
        start, stop = sorted((self.place(), self.place()))
        self.checked.extend_with_itself(start, min(stop, start + 300))

    def clear(self) -> None:
        self.checked.clear()

    def shrink_to_fit(self) -> None:
        self.checked.shrink_to_fit()

    def view(self) -> None:
        self.checked.view(self.column(), self.place())

    def release_view(self) -> None:
        self.checked.release_view(self.pick())

    def read_row(self) -> None:
        self.checked.check_row(self.numbers.choice((1, -1)) * self.place())

    def replace(self) -> None:
        self.checked.end()
        self.begin()

    WEIGHTS: ClassVar[dict[Callable[..., None], float]] = {
        append: 20,
        append_interrupted: 3,
        extend: 8,
        extend_interrupted: 2,
        extend_with_itself: 2,
        clear: 3,
        shrink_to_fit: 3,
        view: 6,
        release_view: 8,
        read_row: 6,
        replace: 0.5,
    }
    NEED_VIEWS: ClassVar[set[Callable[..., None]]] = {release_view}


class RingCalls(RandomCalls):
    NAME = "ring"

    def __init__(self, seed: int, check_every: int) -> None:
        super().__init__(seed, check_every)
        self.begin()

    def begin(self) -> None:
        """Of any size up to a few pages; every third fills its memory, or all but a few bytes."""
        self.typecode = self.numbers.choice(TYPECODES)
        capacity = self.numbers.choice((self.numbers.randint(1, 30), self.numbers.randint(1, PAGE)))
        if self.chance(0.3):
            capacity = GRANULARITY // calcsize(self.typecode) - self.numbers.choice((0, 0, 1, 5))
        self.checked: CheckedRing = CheckedRing(self.typecode, capacity, self.chance(0.7))

    # --- what is drawn ---

    def count_views(self) -> int:
        return len(self.checked.views)

    def item(self) -> float:
        return self.numbers.randrange(128) / 2 if self.typecode in "fd" else self.numbers.randrange(128)

    def count(self, most: int) -> int:
        """Mostly few. Sometimes all of them, or more."""
        if self.chance(0.6):
            return self.numbers.randint(0, min(most, 20))
        return self.numbers.choice((most, most + 1, self.numbers.randint(0, most)))

    def items(self, most: int) -> list[float]:
        part = [self.item() for _ in range(13)]
        count = self.count(most)
        return (part * (count // 13 + 1))[:count]

    # --- calls ---

    def append(self) -> None:
        self.checked.append(self.item())

    def extend(self) -> None:
        self.checked.extend(self.items(100))

    def extend_with_a_buffer(self) -> None:
        self.checked.extend_with_a_buffer(self.items(self.checked.model.capacity))

    def extend_with_itself(self) -> None:
        self.checked.extend_with_itself()

    def extend_with_a_view(self) -> None:
        self.checked.extend_with_a_view(self.pick())

    def prepare(self) -> None:
        self.checked.prepare(self.count(self.checked.model.capacity), [self.item() for _ in range(3)])

    def advance(self) -> None:
        self.checked.advance(self.count(self.checked.model.prepared or 0))

    def consume(self) -> None:
        self.checked.consume(self.count(len(self.checked.model.items)))

    def clear(self) -> None:
        self.checked.clear()

    def latest(self) -> None:
        self.checked.latest(self.count(len(self.checked.model.items)))

    def window(self) -> None:
        model = self.checked.model
        self.checked.window(
            max(model.oldest + self.numbers.randint(-3, len(model.items) + 1), 0), self.count(len(model.items))
        )

    def get(self) -> None:
        length = len(self.checked.model.items)
        self.checked.get(self.numbers.randint(-length - 1, length))

    def release_view(self) -> None:
        self.checked.release_view(self.pick())

    def replace(self) -> None:
        self.checked.end()
        self.begin()

    WEIGHTS: ClassVar[dict[Callable[..., None], float]] = {
        append: 15,
        extend: 10,
        extend_with_a_buffer: 10,
        extend_with_itself: 2,
        extend_with_a_view: 4,
        prepare: 10,
        advance: 10,
        consume: 10,
        clear: 1,
        latest: 6,
        window: 8,
        get: 8,
        release_view: 12,
        replace: 0.5,
    }
    NEED_VIEWS: ClassVar[set[Callable[..., None]]] = {extend_with_a_view, release_view}
