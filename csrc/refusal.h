// From a failed call to an exception that says which limit was hit, what it is now, and what can be done.
#ifndef VMEM_REFUSAL_H
#define VMEM_REFUSAL_H

#include "module.h"
#include "vmem.h"

// What was tried, for the message.
typedef struct Attempt {
    const char* verb;  // "reserve", "commit", ...
    const char* kind;  // "region", ...
    size_t offset;     // not told for "reserve"
    size_t num_bytes;
    bool wants_addresses;  // it asked for addresses
    bool wants_memory;     // it asked for memory to be committed
} Attempt;

// The system's error code, to be fetched straight after a failed call.
int system_error(void);

// Raises what a failed call of the header means. Always returns NULL.
PyObject* raise_refused(ModuleState* state, const Attempt* attempt, VmemResult result, int error);

// Raises that the mapping limit is near; `limits` is what was counted. Always returns NULL.
PyObject* raise_out_of_mappings(ModuleState* state, const Attempt* attempt, const VmemLimits* limits);

#endif
