"""With cffi: C code writes into a region and keeps a pointer to it."""

import cffi

import vmem

ffi = cffi.FFI()
ffi.cdef(
    """
    typedef struct { int number; double weight; } Node;
    int snprintf(char* text, size_t size, const char* format, ...);
    """
)
library = ffi.dlopen(None)  # the C library that Python uses

region = vmem.reserve(1 << 40)
region.commit(0, 1 << 16)

# A pointer to some bytes. It keeps the view, and the view keeps the memory.
text = ffi.from_buffer("char[]", region.view(0, 100), require_writable=True)
size = library.snprintf(text, 100, b"%d times", ffi.cast("int", 3))
assert bytes(region[0:size]) == b"3 times"

# C structures, and a pointer to one: it stays valid while the region grows.
place = region.view(4096, 10 * ffi.sizeof("Node"))
nodes = ffi.from_buffer("Node[]", place, require_writable=True)
last = ffi.addressof(nodes, 9)
last.number, last.weight = 9, 0.5
region.commit(1 << 16, 1 << 24)
assert nodes[9].weight == last.weight == 0.5
assert int(ffi.cast("uintptr_t", nodes)) == region.address + 4096

# The memory cannot be released while cffi keeps views of it.
try:
    region.release()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("the region was released while C has a pointer to it")
ffi.release(text)
ffi.release(nodes)
place.release()
region.release()
print("wrote", size, "characters")
