// The growth of structures that fill a reservation from its start: how much more memory they commit at a time.
#ifndef VMEM_GROWTH_H
#define VMEM_GROWTH_H

#include "core/reservation.h"

// Commits at least the first `num_bytes`, which are within the capacity, and more where that saves calls later. The
// caller holds the owner's lock. No Python code runs when it succeeds.
int growth_commit_to(Reservation* reservation, size_t num_bytes);

// The offset up to which everything is committed.
size_t growth_committed_end(const Reservation* reservation);

// The same for a part of a reservation that is filled from its own start on: whole pages. Sizes count from there.
int growth_commit_part(Reservation* reservation, ByteRange part, size_t num_bytes);
size_t growth_committed_size(const Reservation* reservation, ByteRange part);

// Prefaults committed pages that are about to be filled, from the first that begins at or after `start`, where one call
// is faster than a fault for each page. Best effort.
void growth_prefault(const Reservation* reservation, size_t start, size_t end);
void growth_prefault_part(const Reservation* reservation, ByteRange part, size_t start, size_t end);

// Commits memory up to `end`, and makes the part from `start` on resident, or locks all of it. The caller holds no lock.
// Signal handlers run in between: `check_grows`, which may be NULL, is called with the owner's lock held before anything
// is committed, and returns -1 with an exception where the owner must not grow any more.
int growth_prepare_prefaulted(Reservation* reservation, size_t start, size_t end, int (*check_grows)(PyObject* owner));
int growth_prepare_locked(Reservation* reservation, size_t end, int (*check_grows)(PyObject* owner));

// Ends the locks of everything that is committed. The caller holds no lock.
int growth_unlock(Reservation* reservation);

#endif
