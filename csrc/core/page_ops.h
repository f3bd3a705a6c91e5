// What can be done with the pages of a reservation. Every operation checks the range and the state. Zero bytes, in
// bounds, are a no-op. Errors and locking are as in reservation.h.
#ifndef VMEM_PAGE_OPS_H
#define VMEM_PAGE_OPS_H

#include "core/long_call.h"
#include "core/reservation.h"

// --- committing ---

// Commits a range, and prefaults it if asked to. The caller holds no lock: this can take long, where the memory is made
// at once or prefaulted.
int page_ops_commit(Reservation* reservation, size_t offset, size_t num_bytes, bool prefault);

// Makes the memory for what is not committed of a range, all of it or none, where the backing makes memory before it is
// committed; it stays. Signal handlers run after it. The caller holds no lock, and nothing releases the reservation
// meanwhile: other calls may use and commit the same pages.
int page_ops_allocate(Reservation* reservation, size_t offset, size_t num_bytes);

// --- short operations ---

// The caller holds the owner's lock. No Python code runs when they succeed. page_ops_commit_ahead() commits `max_bytes`
// or, when the system refuses that many, `num_bytes`. page_ops_commit_allocated() comes after page_ops_allocate().
int page_ops_commit_ahead(Reservation* reservation, size_t offset, size_t num_bytes, size_t max_bytes);
int page_ops_commit_allocated(Reservation* reservation, size_t offset, size_t num_bytes);
int page_ops_protect(Reservation* reservation, size_t offset, size_t num_bytes, VmemProtection protection);

// --- operations that can take long ---

typedef enum PageOperation {
    PAGE_OP_PREFAULT,
    PAGE_OP_DECOMMIT,
    PAGE_OP_DISCARD,
    PAGE_OP_LOCK,
    PAGE_OP_LOCK_ON_FAULT,
    PAGE_OP_UNLOCK,
    PAGE_OP_COUNT_RESIDENT
} PageOperation;

// The caller holds no lock. When a signal handler or the system stops a call in the middle, a part of the range stays
// decommitted, discarded or unlocked; locks and commits are undone.
int page_ops_run(Reservation* reservation, PageOperation operation, size_t offset, size_t num_bytes);

// The same over what the owner does not use: for decommit and discard.
int page_ops_run_unused(Reservation* reservation, PageOperation operation, const Unused* unused);

int page_ops_count_resident(Reservation* reservation, size_t offset, size_t num_bytes, size_t* num_resident);

#endif
