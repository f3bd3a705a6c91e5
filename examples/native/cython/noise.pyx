# cython: language_level=3
"""Fills a part of a vmem.Region with noise, in place and without the GIL."""

from libc.stdint cimport uint32_t, uint8_t

cimport vmem

cdef const vmem.VmemPythonApi* api = vmem.vmem_import_python_api()


cdef void fill_bytes(uint8_t* bytes, size_t num_bytes, uint32_t state) noexcept nogil:
    cdef size_t i
    for i in range(num_bytes):
        state ^= state << 13
        state ^= state >> 17
        state ^= state << 5
        bytes[i] = <uint8_t>(state >> 24)


def fill(region, size_t offset, size_t num_bytes, uint32_t seed=1):
    cdef void* bytes = NULL
    pin = api.pin(region, offset, num_bytes, 1, &bytes)
    with nogil:  # the pin keeps the bytes committed and in place
        fill_bytes(<uint8_t*>bytes, num_bytes, seed)
    del pin
