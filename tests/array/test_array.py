"""Making, showing, comparing and copying arrays: each does what array.array does."""

from __future__ import annotations

import array
import copy
import gc
import operator
import pickle
import struct
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from types import GenericAlias
from typing import Any

import numpy as np
import pytest

import vmem
from tests.support.arguments import Index
from tests.support.twin_arrays import TYPECODES, Maker, add_in_place, agree, changed
from vmem import _vmem

# --- making ---


def one_two() -> Iterator[int]:
    yield 1
    yield 2


class Listed(list[int]):
    """A list whose len() raises."""

    def __len__(self) -> int:
        raise KeyError("must not be called")


INITIALIZERS: list[Callable[[Maker], object]] = [
    lambda make: [],
    lambda make: [1, 2],
    lambda make: (1, 2),
    lambda make: range(3),
    lambda make: {1: 2},
    lambda make: one_two(),
    lambda make: iter([1]),
    lambda make: b"",
    lambda make: b"abcdefgh" * 2,
    lambda make: b"abc",
    lambda make: bytearray(b"abcdefgh"),
    lambda make: bytearray(b"abc"),
    lambda make: memoryview(b"abcdefgh"),
    lambda make: memoryview(b"abcdefgh").cast("b"),
    lambda make: memoryview(struct.pack("3d", 1, 2, 3)).cast("d"),
    lambda make: np.arange(5, dtype="int16")[::2],
    lambda make: make([1, 2]),
    lambda make: "",
    lambda make: "ab",
    lambda make: ["a"],
    lambda make: [1, None],
    lambda make: 5,
    lambda make: None,
    lambda make: object,
    lambda make: Listed([1, 2]),
    lambda make: Index(3),
]


@pytest.mark.parametrize("number", range(len(INITIALIZERS)))
def test_initializers(number: int) -> None:
    agree(lambda make: make(INITIALIZERS[number](make)))


@pytest.mark.parametrize("typecode", TYPECODES)
def test_an_array_of_another_type_is_converted(typecode: str) -> None:
    agree(lambda make: make(make.of(typecode, [1, 2])))
    agree(lambda make: make(array.array(typecode, [1, 2])))
    agree(lambda make: make(array.array(typecode, [100] * 5)))


def test_an_exception_of_the_iterator_propagates() -> None:
    def fail() -> Iterator[int]:
        yield 1
        raise KeyError("mine")

    agree(lambda make: make(fail()))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interruptions_and_lack_of_memory_are_no_refusals(error: type[BaseException]) -> None:
    asked = 0

    class Failing:
        def __buffer__(self, flags: int) -> memoryview:
            nonlocal asked
            asked += 1
            raise error("mine")

        def __iter__(self) -> Iterator[int]:
            return iter([1, 2])

    with pytest.raises(error, match="mine"):
        vmem.Array("i", Failing())
    assert asked == 1, "the exception was ignored once"


def test_without_an_initializer() -> None:
    agree(lambda make: make())


@pytest.mark.parametrize("typecode", ["x", "", "bb", b"b", 1, "é", "\U0001f600", "\0", "c", "?", "n", "P"])
def test_bad_typecodes(typecode: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as expected:
        array.array(typecode)
    with pytest.raises((expected.type, TypeError)) as raised:  # array.array asks for one character in different ways
        vmem.Array(typecode)
    assert raised.type is (ValueError if isinstance(typecode, str) and len(typecode) == 1 else TypeError)
    if raised.type is ValueError:
        assert str(raised.value) == "bad typecode (must be b, B, h, H, i, I, l, L, q, Q, f or d)"
    else:
        given = repr(typecode) if isinstance(typecode, str) else type(typecode).__name__
        codes = "b, B, h, H, i, I, l, L, q, Q, f or d"
        assert str(raised.value) == f"Array() argument 1 must be a typecode ({codes}), not {given}"


@pytest.mark.parametrize("typecode", ["u", "w"])
def test_typecodes_of_characters_are_refused(typecode: Any) -> None:
    with pytest.raises(ValueError, match="bad typecode"):
        vmem.Array(typecode)


@pytest.mark.parametrize(
    "arguments", [(), ("b", [1], 2), ("b", [1], None), (None,)], ids=["none", "three", "None as the third", "None"]
)
def test_bad_arguments(arguments: tuple[Any, ...]) -> None:
    for kind in (array.array, vmem.Array):
        with pytest.raises(TypeError):
            kind(*arguments)


class Stranger:
    pass


@pytest.mark.parametrize(
    ("operand", "name"),
    [([1], "list"), (array.array("i"), "array.array"), (Stranger(), "Stranger"), (deque(), "collections.deque")],
)
def test_errors_name_the_type_of_an_operand_that_is_not_an_array(operand: Any, name: str) -> None:
    made = vmem.Array("i", [1, 2])
    refusals: dict[str, Callable[[], object]] = {
        f'can only extend array with array (not "{name}")': lambda: add_in_place(made, operand),
        f'can only assign array (not "{name}") to array slice': lambda: operator.setitem(made, slice(1), operand),
        f'can only append array (not "{name}") to array': lambda: type(made).__add__(made, operand),
    }
    for message, call in refusals.items():
        with pytest.raises(TypeError) as refused:
            call()
        assert str(refused.value) == message
    assert made.tolist() == [1, 2]


def test_typecode_and_initializer_are_positional_only() -> None:
    for keywords in ({"typecode": "b"}, {"initializer": [1]}, {"size": 4}):
        with pytest.raises(TypeError):
            vmem.Array("b", **keywords)
    with pytest.raises(TypeError):
        vmem.Array(typecode="b")  # type: ignore[call-overload]


@pytest.mark.parametrize("typecode", TYPECODES)
def test_attributes_are_read_only(typecode: str) -> None:
    made: vmem.Array[Any] = vmem.Array(typecode, [1])
    assert (made.typecode, made.itemsize) == (typecode, struct.calcsize(typecode))
    for name in ("typecode", "itemsize", "capacity"):
        with pytest.raises(AttributeError):
            setattr(made, name, 1)
        with pytest.raises(AttributeError):
            delattr(made, name)
    with pytest.raises(AttributeError):
        made.other = 1  # type: ignore[attr-defined]


def test_init_does_nothing() -> None:
    agree(changed(lambda each: each.__init__("d", [5])))


def test_new_without_arguments() -> None:
    for new in (_vmem.Array.__new__, object.__new__):
        with pytest.raises(TypeError):
            new(_vmem.Array)  # type: ignore[call-overload]


# --- the type ---


def test_it_is_a_mutable_sequence() -> None:
    made = vmem.Array("b", [1, 2, 3])
    assert isinstance(made, MutableSequence)
    assert isinstance(made, Sequence)
    match made:
        case [first, *rest]:
            assert (first, rest) == (1, [2, 3])
        case _:
            pytest.fail("it does not match a pattern of sequences")


def test_generic_aliases() -> None:
    alias = vmem.Array[int]
    assert isinstance(alias, GenericAlias)
    assert (alias.__origin__, alias.__args__) == (vmem.Array, (int,))
    assert vmem.Array[int]("b", [1]).tolist() == [1]


def test_the_type_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="immutable type"):
        vmem.Array.typecode = "x"  # type: ignore[method-assign,assignment]

    class Other(vmem.Array[int]):
        pass

    with pytest.raises(TypeError):
        vmem.Array("b").__class__ = Other


def test_the_type_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(vmem.Array)) is vmem.Array


def test_arrays_have_no_hash() -> None:
    with pytest.raises(TypeError, match=r"unhashable type: 'vmem\.Array'"):
        hash(vmem.Array("b"))


def test_truth_is_length() -> None:
    agree(lambda make: (bool(make()), bool(make([0])), len(make()), len(make([1, 2]))))


def test_weak_references() -> None:
    made = vmem.Array("b", [1])
    proxy, reference = weakref.proxy(made), weakref.ref(made)
    assert proxy.tobytes() == b"\1"
    del made
    assert reference() is None
    with pytest.raises(ReferenceError):
        len(proxy)


def test_the_size_of_an_object_is_its_own() -> None:
    empty, small, reserved = vmem.Array("d"), vmem.Array("d", [1, 2]), vmem.Array("d", [1, 2], capacity=1 << 20)
    on_heap = 2 * 8 if _vmem.ARRAY_HEAP_BYTES >= 16 else reserved.__sizeof__() - empty.__sizeof__()
    assert small.__sizeof__() == empty.__sizeof__() + on_heap
    assert empty.__sizeof__() < reserved.__sizeof__() == vmem.Array("d", bytes(1 << 20)).__sizeof__() < 1024


# --- showing ---


def test_repr() -> None:
    for items in ([], [1], [1, 2, 3], range(300)):
        for typecode in TYPECODES:
            maximum = 100 if typecode in "bB" else 300
            known = repr(array.array(typecode, items[:maximum]))
            made: vmem.Array[Any] = vmem.Array(typecode, items[:maximum])
            assert repr(made) == str(made) == known.replace("array", "Array", 1)
            assert eval(repr(made), {"Array": vmem.Array}) == made
    assert (
        repr(vmem.Array("d", [float("inf"), float("-inf"), float("nan"), -0.0])) == "Array('d', [inf, -inf, nan, -0.0])"
    )


def test_repr_of_a_subclass() -> None:
    class Tape(vmem.Array[int]):
        def tolist(self) -> list[int]:
            raise AssertionError("must not be called")

    assert repr(Tape("b", [1])) == "Tape('b', [1])"


# --- comparing ---

COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
LISTS: tuple[list[int], ...] = ([], [1], [1, 2], [1, 3], [2], [1, 2, 0], [0, 127], [100, 0])


@pytest.mark.parametrize("other", TYPECODES)
def test_comparisons(other: str) -> None:
    def act(make: Maker) -> object:
        ones, others = [make(items) for items in LISTS], [make.of(other, items) for items in LISTS]
        return [compare(one, another) for compare in COMPARISONS for one in ones for another in others]

    agree(act)


def test_negative_numbers_come_first() -> None:
    agree(lambda make: [compare(make([-1]), make([1])) for compare in COMPARISONS], "bhilqfd")
    agree(lambda make: [compare(make([256]), make([1])) for compare in COMPARISONS], "hHiIlLqQfd")


def test_comparisons_with_nan_and_zero() -> None:
    nan = float("nan")
    agree(
        lambda make: [
            compare(make(one), make(other))
            for compare in COMPARISONS
            for one in ([nan], [0.0], [1.0, nan])
            for other in ([nan], [-0.0], [1.0, 2.0])
        ],
        "fd",
    )
    made = vmem.Array("d", [nan])
    assert made != made
    made = vmem.Array("d", [1.5])
    assert made == made


@pytest.mark.parametrize("other", [1, "a", None, [1], (1,), b"\1", 1.5])
def test_comparisons_with_other_things(other: object) -> None:
    agree(lambda make: [make([1]) == other, other == make([1]), make([1]) != other])
    for compare in COMPARISONS[2:]:
        agree(lambda make, compare=compare: compare(make([1]), other))  # type: ignore[misc]


# --- copying ---


def test_copies_are_independent() -> None:
    for function in (copy.copy, copy.deepcopy):

        def act(make: Maker, function: Callable[[Any], Any] = function) -> object:
            original = make([1, 2])
            copied = function(original)
            copied[0] = 7
            copied.append(8)
            return original, copied, type(copied) is type(original)

        agree(act)


def test_deepcopy_copies_a_shared_array_once() -> None:
    made = vmem.Array("b", [1])
    first, second = copy.deepcopy([made, made])
    assert first is second
    assert first is not made


# --- subclasses ---


class Tape(vmem.Array[int]):
    """A subclass with attributes."""

    label: str


def test_a_subclass() -> None:
    tape = Tape("i", [1, 2, 3], capacity=50)
    tape.label = "a"
    assert (tape.tolist(), tape.capacity, len(tape), tape[1]) == ([1, 2, 3], 50, 3, 2)
    for made in (tape[:], tape[::2], tape + tape, tape * 2, 2 * tape, copy.copy(tape), copy.deepcopy(tape)):
        assert type(made) is vmem.Array
    same = tape
    same += tape
    same *= 2
    assert same is tape
    assert tape == vmem.Array("i", [1, 2, 3] * 4)


def test_a_subclass_with_other_keywords() -> None:
    for kind in (array.array, vmem.Array):

        class Sub(kind):  # type: ignore[valid-type,misc]
            def __init__(self, typecode: str, items: object = (), *, label: str = "", capacity: int = 0) -> None:
                self.label = label

        made = Sub("b", [1], label="x")
        assert (made.label, made.tolist()) == ("x", [1])
    assert Sub("b", [1], label="x", capacity=7).capacity == 7
    with pytest.raises(ValueError, match="capacity"):
        Sub("b", capacity=-7)


def test_a_subclass_without_an_init_takes_no_other_keywords() -> None:
    with pytest.raises(TypeError, match="label"):
        Tape("b", label="x")  # type: ignore[call-overload]


def test_a_subclass_that_skips_super() -> None:
    class Silent(vmem.Array[int]):
        def __init__(self, *arguments: object) -> None:
            pass

    made = Silent("b", [1, 2])
    made.append(3)
    assert made.tolist() == [1, 2, 3]


def test_the_constructor_calls_no_overridden_methods() -> None:
    class Strict(vmem.Array[int]):
        def _refuse(self, *arguments: object) -> Any:
            raise AssertionError("must not be called")

        append = extend = frombytes = fromlist = tolist = tobytes = __iter__ = __len__ = __getitem__ = _refuse

    assert bytes(memoryview(Strict("B", b"ab"))) == b"ab"
    assert bytes(memoryview(Strict("B", [1, 2]))) == b"\1\2"
    assert vmem.Array("B", Strict("B", iter([1, 2]))).tolist() == [1, 2]


def test_a_cycle_with_a_view_is_collected() -> None:
    class Node(vmem.Array[int]):
        held: object

    node = Node("b", [1, 2])
    node.held = memoryview(node)
    reference = weakref.ref(node)
    del node
    assert reference() is not None
    gc.collect()
    assert reference() is None


# --- iterating ---


def test_iterators() -> None:
    agree(lambda make: list(make([1, 2, 3])))
    agree(lambda make: list(reversed(make([1, 2, 3]))))
    agree(lambda make: [*zip(make([1, 2]), make([3, 4]), strict=True)])


def test_an_iterator_sees_changes_until_it_has_ended() -> None:
    def act(make: Maker) -> object:
        made = make([1, 2, 3])
        ended, started, fresh = iter(made), iter(made), iter(made)
        list(ended)
        next(started)
        made.append(4)
        del made[1]
        return list(ended), list(started), list(fresh)

    agree(act)


def test_an_iterator_that_has_ended_stays_so() -> None:
    def act(make: Maker) -> object:
        made = make([1, 2, 3])
        iterator = iter(made)
        list(iterator)
        made.extend([4] * 10)
        return list(iterator), operator.length_hint(iterator), len(made)

    agree(act)


@pytest.mark.parametrize("index", [-sys.maxsize - 1, -1, 0, 2, 3, 4, sys.maxsize])
def test_an_iterator_is_set_to_an_index(index: int) -> None:
    def act(make: Maker) -> object:
        iterator: Any = iter(make([1, 2, 3]))
        iterator.__setstate__(index)
        return list(iterator)

    agree(act)


def test_an_iterator_over_an_array_that_grows_through_it() -> None:
    def act(make: Maker) -> object:
        made = make([1])
        for item in made:
            if len(made) < 50:
                made.append(item + 1)
        return made

    agree(act)


def test_an_iterator_that_outlives_its_array() -> None:
    iterator = iter(vmem.Array("i", range(1000)))
    gc.collect()
    assert list(iterator) == list(range(1000))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_iterators_can_be_pickled(protocol: int) -> None:
    made = vmem.Array("i", [1, 2, 3])
    iterator = iter(made)
    next(iterator)
    assert list(pickle.loads(pickle.dumps(iterator, protocol))) == [2, 3]
    assert list(iterator) == [2, 3]
