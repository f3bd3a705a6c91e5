// The verbs: what can be done with the pages of a reservation. They check the range and the state. Zero bytes, in
// bounds, are no work and no error.
//
// Those that can take long take the owner's lock themselves. Over a long range they mark its pages busy, work piece by
// piece while other threads run, and run Python's signal handlers between the pieces with nothing held. When a handler
// raises they stop there.
#ifndef VMEM_PAGING_H
#define VMEM_PAGING_H

#include "reservation.h"

// The caller holds the owner's lock. Committing ahead settles for the lower number where the higher one is refused. No
// Python code runs when they succeed.
int paging_commit(Reservation* reservation, size_t offset, size_t num_bytes);
int paging_commit_ahead(Reservation* reservation, size_t offset, size_t num_bytes, size_t most_bytes);
int paging_protect(Reservation* reservation, size_t offset, size_t num_bytes, VmemProtection protection);

// What an owner makes no use of. Both are called with the owner's lock held.
typedef struct Unused {
    Pages (*claim)(PyObject* owner);                // whole pages of these bytes; nobody gets at them from now on
    void (*forget)(PyObject* owner, size_t start);  // they are gone, and would read zero; may be NULL
} Unused;

// The caller holds no lock. When they are stopped, a part of the range is decommitted, discarded or unlocked; nothing
// is locked, and nothing is committed.
int paging_commit_and_prefault(Reservation* reservation, size_t offset, size_t num_bytes);
int paging_prefault(Reservation* reservation, size_t offset, size_t num_bytes);
int paging_decommit(Reservation* reservation, size_t offset, size_t num_bytes);
int paging_decommit_unused(Reservation* reservation, const Unused* unused);
int paging_discard(Reservation* reservation, size_t offset, size_t num_bytes);
int paging_discard_unused(Reservation* reservation, const Unused* unused);
int paging_lock(Reservation* reservation, size_t offset, size_t num_bytes);
int paging_unlock(Reservation* reservation, size_t offset, size_t num_bytes);
int paging_count_resident(Reservation* reservation, size_t offset, size_t num_bytes, size_t* num_resident);

#endif
