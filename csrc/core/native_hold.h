// Bytes of a reservation that are shown to native code which may know nothing of Python: as Arrow arrays and DLPack
// tensors. A hold ends on any thread, of any interpreter or of none, without the GIL, also after its owner was
// deallocated and after Python has ended. So what it needs is malloc'ed and counted atomically, and the memory is
// unmapped when the owner and the last hold have ended, by whichever comes last.
//
// To the owner a hold is a pin like that of a view: it sees at once that a hold has ended, and removes its record later.
#ifndef VMEM_NATIVE_HOLD_H
#define VMEM_NATIVE_HOLD_H

#include "core/reservation.h"
#include "python/forking.h"

typedef struct NativeHold NativeHold;

// Pins committed bytes. NULL with MemoryError. The caller holds the owner's lock; no Python code runs.
NativeHold* native_hold_begin(Reservation* reservation, size_t offset, size_t num_bytes, bool readonly);

// May be called on any thread, without the GIL, at any time; once.
void native_hold_end(NativeHold* hold);

// For an owner that is being deallocated, and has no other pins: leaves the memory and its backing to the holds that are
// alive, the last of which unmaps it, which adds `mapping_cost` mappings at most, and frees the backing. Returns false
// when there is none; then the caller does that.
bool native_memory_hand_over(Reservation* reservation, Py_ssize_t mapping_cost);

// For memory that other processes read and a forked child must not write, before it is left to holds: a forked child gets
// a copy of its own of what they show, until the last one has ended.
void native_memory_follow_forks(Reservation* reservation, ForkList* forks);

#endif
