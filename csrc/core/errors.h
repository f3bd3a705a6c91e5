// From a failed system call to an exception that names the limit that was hit, its value, and what can be done.
#ifndef VMEM_ERRORS_H
#define VMEM_ERRORS_H

#include "core/backing.h"
#include "core/owner_kind.h"
#include "python/compat.h"
#include "vmem.h"

typedef enum RequestKind {
    REQUEST_RANGE,      // an operation on a range of a reservation
    REQUEST_ACCESS,     // the same, on committed pages: `new_memory` is what becomes writable
    REQUEST_ADDRESSES,  // reserving addresses: there is no offset yet
    REQUEST_SHARE,      // making an object, to find out whether that can be done
    REQUEST_ATTACH      // finding out what is behind a handle; maps a first page
} RequestKind;

// What was requested of the system, for the message.
typedef struct Request {
    RequestKind kind;
    const char* verb;  // "reserve", "commit", ...
    const OwnerKind* owner_kind;
    const Backing* backing;
    intptr_t handle;  // of REQUEST_ATTACH, which has no range
    size_t offset;
    size_t num_bytes;
    size_t align;          // mentioned when it is more than 1
    size_t new_addresses;  // how many bytes of addresses the system was asked for
    size_t new_memory;     // how many bytes of memory it was asked to account for: to commit, or to make writable again
    size_t num_missing;    // how many of these certainly do not exist yet, where memory is made by committing it
    size_t new_locks;      // how many bytes of memory it was asked to lock
} Request;

// The system's error code (errno or GetLastError()). Must be read right after a failed call, before anything can
// overwrite it.
int system_error(void);

// Puts back such a code that cleaning up may have overwritten, or sets one of these.
void set_system_error(int error);

#ifdef _WIN32
#define NO_MEMORY ERROR_NOT_ENOUGH_MEMORY
#define NO_SPACE ERROR_COMMITMENT_LIMIT  // no memory for what was to be made, while there are addresses
#define BAD_HANDLE ERROR_INVALID_HANDLE
#else
#define NO_MEMORY ENOMEM
#define NO_SPACE ENOSPC
#define BAD_HANDLE EBADF
#endif

// What such a code means after vmem_reserve(), which returns no VmemResult. Emulators and checkers such as Valgrind say
// that a size is invalid when they cannot provide it. No other argument can be: sizes and alignments have been checked.
VmemResult result_of_reserve(int error);

// What the result of a call of vmem.h and the system's error code mean.
const char* describe_refusal(VmemResult result, int error);

// Raises OSError for a failed call of vmem.h. `what` is what could not be done; steals the reference, and NULL means that
// making it has raised. `refusal` says why.
void raise_system_error(PyObject* what, const char* refusal, int error);

// Raises the exception for a failed call of vmem.h.
void raise_refused(PyObject* out_of_memory_error, const Request* request, VmemResult result, int error);

// Raises OutOfMemoryError with a message. Steals the reference; NULL means that making the message has raised. Returns
// -1.
int raise_capacity_exceeded(PyObject* out_of_memory_error, PyObject* message);

// Raises OutOfMemoryError because the mapping limit is near; `limits` is what was counted.
void raise_out_of_mappings(PyObject* out_of_memory_error, const Request* request, const VmemLimits* limits);

#endif
