// Runs an operation that can take long over the pages of a range: at once, with the owner's lock held, where the range
// is small; otherwise chunk by chunk, with the pages marked busy, other threads running, and Python's signal handlers
// called between chunks with nothing held. page_ops.c has the operations.
#ifndef VMEM_LONG_CALL_H
#define VMEM_LONG_CALL_H

#include "core/reservation.h"

typedef struct LongCall LongCall;

// What an operation does, in the order in which it happens. Members that may be NULL say so. All but `work` are called
// with the owner's lock held.
typedef struct Operation {
    const char* verb;
    bool changes;     // changes the properties of the pages: no other call may be in progress on them
    bool exclusive;   // no other call or view may use the pages meanwhile
    bool gives_back;  // hands memory back to the system, which some backings cannot do
    bool undivided;   // all or nothing, so it is one chunk, during which nothing is interrupted
    bool empties;     // drops the contents of the pages: they must not be exported

    // Returns -1 with an exception unless every byte of a range allows the operation. May be NULL.
    int (*check)(Reservation* reservation, size_t offset, size_t num_bytes);

    // Sets what the call needs: `min_mappings`, `max_mappings`, `num_spans` and the `new_...` of the request. May
    // narrow `pages`, or make them empty. Cannot fail. May be NULL.
    void (*plan)(LongCall* call);

    // Does what is done once for all pages, before the first chunk. Returns -1 with an exception, or with a `result`
    // other than success. May be NULL.
    int (*start)(LongCall* call);

    // Finds the first chunk at or after `done`. Returns false when there is none.
    bool (*find_chunk)(const LongCall* call, Pages* chunk);

    // Works on a chunk. No lock is held, and the GIL may be released: only the marked pages stay as they are.
    VmemResult (*work)(LongCall* call, void* ptr, size_t num_bytes);

    // Bring the record up to date: after each chunk, after the last one, or when the operation has failed or was
    // interrupted. Cannot fail. May be NULL.
    void (*record_chunk)(LongCall* call);
    void (*on_success)(LongCall* call);
    void (*on_failure)(LongCall* call);

    RecoverAfterFork recover_after_fork;  // may be NULL
} Operation;

// The part of a reservation that its owner does not use. Both are called with the owner's lock held. An owner that has
// several such parts embeds this.
typedef struct Unused Unused;

struct Unused {
    // From now on the owner hands out none of these bytes.
    ByteRange (*claim)(const Unused* unused, PyObject* owner);
    void (*forget)(PyObject* owner, size_t start);  // they have been decommitted; may be NULL
};

struct LongCall {
    const Operation* operation;
    Reservation* reservation;
    const Unused* unused;  // NULL when the caller gives the range
    Request request;
    Pages pages;              // all of them
    Pages chunk;              // the current one
    size_t done;              // the offset up to which the work is done
    Py_ssize_t min_mappings;  // how many more mappings there will be, if the kernel merges what it can
    Py_ssize_t max_mappings;  // and if it does not
    size_t num_spans;         // how many are preallocated
    size_t num_resident;      // the sum, for operations that count
    BusyMark* mark;           // NULL for a short call
    bool is_allocated;        // there is memory for the pages that are about to be committed
    bool mark_lost;           // a fork removed the mark, and other threads of the child may have changed the pages
    VmemResult result;
    int error;
};

// Runs the operation of a call over the pages that hold one or more bytes of a range; or, with `unused`, over what that
// claims. The caller holds no lock. Returns -1 with an exception.
int long_call_run(LongCall* call, size_t offset, size_t num_bytes);

// For `find_chunk`: everything from the first committed page on, or only the run of pages with equal properties that
// begins there.
bool long_call_find_committed(const LongCall* call, Pages* chunk);
bool long_call_find_run(const LongCall* call, Pages* chunk);

#endif
