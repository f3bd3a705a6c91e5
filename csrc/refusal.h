// From a failed call to an exception that says which limit was hit, what it is now, and what can be done.
#ifndef VMEM_REFUSAL_H
#define VMEM_REFUSAL_H

#include "compat.h"
#include "vmem.h"

// What was tried, for the message.
typedef struct Attempt {
    const char* verb;  // "reserve", "commit", ...
    const char* kind;  // "region", ...
    size_t offset;     // not told for "reserve"
    size_t num_bytes;
    size_t align;          // told when it is more than 1
    size_t new_addresses;  // how many bytes of addresses the system was asked for
    size_t new_memory;     // how many bytes of memory it was asked to commit
    size_t new_locks;      // how many bytes of memory it was asked to lock
} Attempt;

// The system's error code, to be fetched straight after a failed call.
int system_error(void);

// What such a code means, for calls that return no VmemResult.
VmemResult result_of(int error);

// Raises what a failed call of the header means.
void raise_refused(PyObject* out_of_memory_error, const Attempt* attempt, VmemResult result, int error);

// Raises that a structure has no room for more; takes over a message, which may be NULL with an exception. Returns -1.
int raise_full(PyObject* out_of_memory_error, PyObject* message);

// Raises that the mapping limit is near; `limits` is what was counted.
void raise_out_of_mappings(PyObject* out_of_memory_error, const Attempt* attempt, const VmemLimits* limits);

#endif
