// From a failed system call to an exception that names the limit that was hit, its value, and what can be done.
#ifndef VMEM_ERRORS_H
#define VMEM_ERRORS_H

#include "core/owner_kind.h"
#include "python/compat.h"
#include "vmem.h"

// What was requested of the system, for the message.
typedef enum RequestKind {
    REQUEST_RANGE,     // something is done with a range of the reservation
    REQUEST_ADDRESSES  // addresses are reserved; there is no offset yet
} RequestKind;

typedef struct Request {
    RequestKind kind;
    const char* verb;  // "reserve", "commit", ...
    const OwnerKind* owner_kind;
    size_t offset;
    size_t num_bytes;
    size_t align;          // mentioned when it is more than 1
    size_t new_addresses;  // how many bytes of addresses the system was asked for
    size_t new_memory;     // how many bytes of memory it was asked to commit
    size_t new_locks;      // how many bytes of memory it was asked to lock
} Request;

// The system's error code. Must be fetched straight after a failed call.
int system_error(void);

// What such a code means, for calls that return no VmemResult.
VmemResult result_of(int error);

// Raises what a failed call of the header means.
void raise_refused(PyObject* out_of_memory_error, const Request* request, VmemResult result, int error);

// Raises OutOfMemoryError with a message, a new reference, which is NULL when making it has raised. Returns -1.
int raise_capacity_exceeded(PyObject* out_of_memory_error, PyObject* message);

// Raises that the mapping limit is near; `limits` is what was counted.
void raise_out_of_mappings(PyObject* out_of_memory_error, const Request* request, const VmemLimits* limits);

#endif
