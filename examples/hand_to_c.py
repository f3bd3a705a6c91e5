"""Numbers that C sorts, at an address that stays valid while more are added."""

import ctypes
import random
from typing import Any

import vmem

Doubles = ctypes.POINTER(ctypes.c_double)
Compare = ctypes.CFUNCTYPE(ctypes.c_int, Doubles, Doubles)

library = ctypes.CDLL(None)  # the C library that Python uses
library.qsort.argtypes = [Doubles, ctypes.c_size_t, ctypes.c_size_t, Compare]
library.qsort.restype = None


def compare(first: Any, second: Any) -> int:
    """The comparison function of qsort(): negative, zero or positive."""
    return int(first[0] > second[0]) - int(first[0] < second[0])


numbers = vmem.Array("d", (random.random() for _ in range(1000)))

# from_buffer() keeps a view: while it is alive, the array cannot become shorter.
pinned = (ctypes.c_double * len(numbers)).from_buffer(numbers)
pointer = ctypes.cast(pinned, Doubles)
library.qsort(pointer, len(numbers), numbers.itemsize, Compare(compare))
assert numbers.tolist() == sorted(numbers)

# The pointer is also valid for items added later: the array never moves.
numbers.extend(random.random() for _ in range(1000))
assert ctypes.addressof(pinned) == numbers.buffer_info()[0]
library.qsort(pointer, len(numbers), numbers.itemsize, Compare(compare))
assert numbers.tolist() == sorted(numbers)

# Removing items while the view is alive raises BufferError.
try:
    numbers.clear()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("the array was cleared while C has a pointer to it")
print(len(numbers), "numbers, from", round(numbers[0], 3), "to", round(numbers[-1], 3))
