// The memory of an Arena: allocating from its start on, and rewinding. The caller holds the arena's lock, unless a
// function says otherwise. Functions that fail return -1 with an exception and change nothing.
#ifndef VMEM_ARENA_STORAGE_H
#define VMEM_ARENA_STORAGE_H

#include "core/reservation.h"
#include "core/views.h"

typedef struct Arena {
    PyObject_HEAD
    Reservation reservation;
    size_t alignment;     // of allocations that ask for none
    size_t used;          // the offset at which the next allocation begins, before alignment
    size_t high_water;    // the offset up to which memory may hold something; beyond it everything reads zero
    ByteRange orphaned;   // bytes that scopes could not free at their end, because of live views; may be empty
    size_t num_scopes;    // that are open
    size_t highest_mark;  // where the last of them begins
    PyObject* weakrefs;
} Arena;

// Places a pin on the next bytes. No Python code runs in here unless it fails.
int arena_allocate(Arena* arena, PinObject* pin, size_t num_bytes, size_t align, bool zero);

// Undoes an allocation for which no view could be made, unless something was allocated after it. The caller holds no
// lock.
void arena_undo_allocate(Arena* arena, size_t before, size_t after);

// Frees everything from a mark on. BufferError while views of it are alive. Does nothing when the arena is at or before
// the mark, which happens where scopes end out of order.
int arena_rewind_to(Arena* arena, size_t mark);

// Remembers that a scope has ended with live views of what came after its mark.
void arena_orphan_range(Arena* arena, size_t mark);

// Frees the orphaned range, if it is the last in the arena and its views are gone.
void arena_reclaim_orphaned(Arena* arena);

// Commits memory for the next bytes and makes it resident, or locks everything up to there. The caller holds no lock.
int arena_prefault(Arena* arena, size_t num_bytes);
int arena_lock(Arena* arena, size_t num_bytes);
int arena_unlock(Arena* arena);

#endif
