// The core under every type: one range of addresses, the record of what is committed in it, and the pins that keep
// exported bytes in place. Functions that can fail return -1, NULL or false with an exception set, and have changed
// nothing then. The caller holds the owner's lock, except for reservation_open() and reservation_free().
#ifndef VMEM_RESERVATION_H
#define VMEM_RESERVATION_H

#include "module.h"
#include "spans.h"

typedef struct Pin Pin;

typedef struct Reservation {
    PyObject* owner;   // the object this is a part of; not counted
    const char* kind;  // what users call the owner: "region"
    char* base;        // NULL before it is opened and after the memory went
    size_t size;       // whole pages; never changes
    size_t page_size;
    bool released;  // to its user; with views alive, the memory goes with the last of them
    SpanMap spans;
    Pin* pins;
    // What it needs of the module. It holds them itself: a collection may take the module first.
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
} Reservation;

// Takes the addresses. `reservation` is zeroed memory inside `owner`.
int reservation_open(Reservation* reservation, ModuleState* state, PyObject* owner, const char* kind, size_t num_bytes,
                     size_t align);

// Gives everything back. BufferError while views are alive. Doing it twice is fine.
int reservation_release(Reservation* reservation);

// The same for a user who is leaving because of an exception: live views keep the memory until the last one is gone.
int reservation_abandon(Reservation* reservation);

// The end of the owner. Never raises; there can be no pins any more, since each holds the owner.
void reservation_free(Reservation* reservation);

// For the owner's tp_traverse. There is nothing to clear.
int reservation_traverse(Reservation* reservation, visitproc visit, void* arg);

// Makes sure that it is not released.
int reservation_check_open(const Reservation* reservation);

// Makes sure that it is not released and the range is in bounds.
int reservation_check_range(const Reservation* reservation, size_t offset, size_t num_bytes);

// Makes sure that every byte of a range, which is in bounds, is committed.
int reservation_check_committed(const Reservation* reservation, size_t offset, size_t num_bytes);

// The verbs. They check the range. Zero bytes, in bounds, are no work and no error.
int reservation_commit(Reservation* reservation, size_t offset, size_t num_bytes);
int reservation_decommit(Reservation* reservation, size_t offset, size_t num_bytes);
PyObject* reservation_view(Reservation* reservation, size_t offset, size_t num_bytes);
int reservation_count_resident(Reservation* reservation, size_t offset, size_t num_bytes, size_t* num_resident);
bool reservation_is_committed(const Reservation* reservation, size_t offset, size_t num_bytes);

#endif
