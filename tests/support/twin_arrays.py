"""How the tests of Array compare it with array.array: both do the same, and all that comes of it must be the same."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import vmem

TYPECODES = "bBhHiIlLqQfd"

# What array.array says newly, and what it said before and Array says with every Python.
SINCE_3_15 = "n cannot be negative", "negative count"


class Maker:
    """Makes arrays of one kind and type: Maker(vmem.Array, "d")([1, 2]) is vmem.Array("d", [1, 2])."""

    def __init__(self, kind: Callable[..., Any], typecode: str) -> None:
        self.kind = kind
        self.typecode = typecode

    def __call__(self, *arguments: object) -> Any:
        return self.kind(self.typecode, *arguments)

    def of(self, typecode: str, *arguments: object) -> Any:
        return self.kind(typecode, *arguments)


Action = Callable[[Maker], object]


def plain(thing: object) -> object:
    """What both kinds of arrays have in common."""
    if isinstance(thing, array.array | vmem.Array):
        return "array", thing.typecode, repr(thing.tolist()), thing.tobytes()
    if isinstance(thing, list | tuple):
        return type(thing), [plain(each) for each in thing]
    return repr(thing)


def outcome(action: Action, maker: Maker) -> object:
    try:
        return plain(action(maker))
    except MemoryError:
        return MemoryError  # Array says more
    except Exception as error:
        return type(error), str(error).replace("array.array", "vmem.Array").replace(*SINCE_3_15)


def agree(action: Action, typecodes: str = TYPECODES) -> None:
    for typecode in typecodes:
        expected = outcome(action, Maker(array.array, typecode))
        assert outcome(action, Maker(vmem.Array, typecode)) == expected, typecode


def changed(change: Callable[[Any], object], items: object = (1, 2, 3, 1)) -> Action:
    """An action that changes an array, and shows it afterwards together with what came of the change."""

    def act(make: Maker) -> object:
        changing = make(items)
        result = outcome(lambda _: change(changing), make)
        return result, changing

    return act


def add_in_place(made: Any, other: object) -> Any:
    made += other
    return made


def multiply_in_place(made: Any, count: object) -> Any:
    made *= count
    return made
