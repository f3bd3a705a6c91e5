"""A long random run of all calls of a region against its model: python tests/soak.py --operations 1000000 --seed 1"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable

from region_model import PAGE, CheckedRegion

from vmem import Protection

NUM_PAGES = 24
SIZE = NUM_PAGES * PAGE
MAX_VIEWS = 6  # more of them would pin everything

STEPS = (1, 1, 2, 3, -1, -3, PAGE - 1, -PAGE - 1, 2 * PAGE)


class Soak:
    """Draws calls and makes them of a region and its model, one after the other."""

    def __init__(self, seed: int, check_every: int) -> None:
        self.numbers = random.Random(seed)
        self.check_every = check_every
        self.checked = CheckedRegion(NUM_PAGES)
        self.operation = 0
        self.kind = ""
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    # --- what is drawn ---

    def offset(self) -> int:
        """Next to page borders as often as anywhere. The last few are past the end."""
        if self.numbers.random() < 0.5:
            return self.numbers.randint(0, SIZE)
        return max(self.numbers.randint(0, NUM_PAGES) * PAGE + self.numbers.randint(-2, 2), 0)

    def where(self) -> tuple[int, int]:
        offset = self.offset()
        if self.numbers.random() < 0.7:
            return offset, self.numbers.randint(0, 2 * PAGE)
        other = self.offset()
        return min(offset, other), abs(offset - other)

    def key(self) -> slice:
        step = self.numbers.choice(STEPS)
        offset, num_bytes = self.where()
        if self.numbers.random() < 0.1:
            offset -= SIZE
        if step > 0:
            return slice(offset, offset + num_bytes, step)
        return slice(offset + num_bytes, offset or None, step)

    def data(self, length: int) -> bytes:
        """The pattern makes bytes that went to a wrong place differ from those that belong there."""
        part = self.numbers.randbytes(31)
        return (part * (length // len(part) + 1))[:length]

    def byte(self) -> int:
        return self.numbers.randrange(256)

    def pick(self) -> int:
        return self.numbers.randrange(len(self.checked.model.views))

    # --- calls ---

    def commit(self) -> None:
        self.checked.commit(*self.where(), prefault=self.numbers.random() < 0.3)

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
        self.checked.read_item(self.offset() - self.numbers.choice((0, SIZE)))

    def write_item(self) -> None:
        self.checked.write_item(self.offset() - self.numbers.choice((0, SIZE)), self.byte())

    def write_slice(self) -> None:
        key = self.key()
        length = len(range(*key.indices(SIZE)))
        self.checked.write_slice(key, self.data(length + (self.numbers.random() < 0.05)))

    def copy(self) -> None:
        offset, num_bytes = self.where()
        shift = self.numbers.randint(-300, 300) if self.numbers.random() < 0.7 else self.offset()
        target = max(min(offset + shift, SIZE - num_bytes), 0)
        source = slice(offset, offset + num_bytes)
        if self.numbers.random() < 0.3:
            source = slice(offset + num_bytes - 1, max(offset - 1, 0), -1)
        self.checked.copy(slice(target, target + num_bytes), source)

    def view(self) -> None:
        self.checked.view(*self.where(), readonly=self.numbers.random() < 0.3)

    def slice_view(self) -> None:
        self.checked.slice_view(self.key())

    def view_of_view(self) -> None:
        self.checked.view_of_view(self.pick(), self.key())

    def write_item_of_view(self) -> None:
        self.checked.write_item_of_view(self.pick(), self.numbers.randrange(SIZE), self.byte())

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

    # --- the run ---

    def draw(self) -> Callable[[], None]:
        model = self.checked.model
        if model.is_released and self.numbers.random() < 0.2:
            return self.replace
        if len(model.views) > MAX_VIEWS:
            return self.release_view
        while True:
            (call,) = self.numbers.choices(CALLS, WEIGHTS)
            if model.views or call not in NEED_VIEWS:
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

    def run(self, num_operations: int) -> None:
        while self.operation < num_operations:
            self.step()
        self.checked.check_all()
        self.checked.end()


WEIGHTED = {
    Soak.commit: 14,
    Soak.decommit: 6,
    Soak.discard: 4,
    Soak.prefault: 3,
    Soak.protect: 6,
    Soak.make_writable: 10,
    Soak.lock: 4,
    Soak.unlock: 4,
    Soak.resident: 3,
    Soak.is_committed: 3,
    Soak.read_item: 3,
    Soak.write_item: 4,
    Soak.write_slice: 10,
    Soak.copy: 6,
    Soak.view: 4,
    Soak.slice_view: 4,
    Soak.view_of_view: 2,
    Soak.write_item_of_view: 3,
    Soak.write_view: 3,
    Soak.copy_view: 3,
    Soak.release_view: 12,
    Soak.release: 1,
    Soak.abandon: 0.2,
}
CALLS, WEIGHTS = list(WEIGHTED), list(WEIGHTED.values())
NEED_VIEWS = {Soak.view_of_view, Soak.write_item_of_view, Soak.write_view, Soak.copy_view, Soak.release_view}


def main() -> int:
    parser = argparse.ArgumentParser(description="Make random calls of a region and compare it with its model.")
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--check-every", type=int, default=50, help="how often everything is compared; 1 finds causes")
    arguments = parser.parse_args()
    soak = Soak(arguments.seed, arguments.check_every)
    try:
        soak.run(arguments.operations)
    except Exception:
        traceback.print_exc()
        print(f"seed {arguments.seed}: mismatch in operation {soak.operation}, {soak.kind}", flush=True)
        return 1
    print(f"seed {arguments.seed}: {soak.operation} operations agree with the model")
    for kind in sorted(soak.done | soak.refused):
        print(f"{kind:20} {soak.done[kind]:8} done {soak.refused[kind]:8} refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
