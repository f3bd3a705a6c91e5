"""Numbers that C sorts, and whose address it may keep while more are added."""

import ctypes
import random
from typing import Any

import vmem

Doubles = ctypes.POINTER(ctypes.c_double)
Compare = ctypes.CFUNCTYPE(ctypes.c_int, Doubles, Doubles)

library = ctypes.CDLL(None)  # the C library that Python itself uses
library.qsort.argtypes = [Doubles, ctypes.c_size_t, ctypes.c_size_t, Compare]
library.qsort.restype = None


def compare(first: Any, second: Any) -> int:
    """Negative, zero or positive, as qsort() wants it, from two pointers."""
    return int(first[0] > second[0]) - int(first[0] < second[0])


numbers = vmem.Array("d", (random.random() for _ in range(1000)))

# from_buffer() is a view: as long as it lives, the array cannot get shorter.
pinned = (ctypes.c_double * len(numbers)).from_buffer(numbers)
pointer = ctypes.cast(pinned, Doubles)
library.qsort(pointer, len(numbers), numbers.itemsize, Compare(compare))
assert numbers.tolist() == sorted(numbers)

# The pointer is good for what is added later, too: the array never moves.
numbers.extend(random.random() for _ in range(1000))
assert ctypes.addressof(pinned) == numbers.buffer_info()[0]
library.qsort(pointer, len(numbers), numbers.itemsize, Compare(compare))
assert numbers.tolist() == sorted(numbers)

# Taking items away under the pointer is refused.
try:
    numbers.clear()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("the array was cleared under a pointer")
print(len(numbers), "numbers, from", round(numbers[0], 3), "to", round(numbers[-1], 3))
