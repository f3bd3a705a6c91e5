// The growth of structures that fill a reservation from its start: how much more memory they get at a time.
#ifndef VMEM_STEPS_H
#define VMEM_STEPS_H

#include "reservation.h"

// Commits so that at least the first `num_bytes` are committed, which the reservation has room for, and more where that
// saves calls later. The caller holds the owner's lock. No Python code runs when it succeeds.
int grow_to(Reservation* reservation, size_t num_bytes);

// Up to where it is committed.
size_t grown_to(const Reservation* reservation);

// Gets memory for committed pages that are about to be filled, from the first that begins at or after `start`: at once,
// where that takes less than a fault for each. Best effort.
void prefault_for_filling(const Reservation* reservation, size_t start, size_t end);

#endif
