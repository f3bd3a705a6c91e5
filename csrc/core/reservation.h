// The core under every type: one range of addresses, the record of what is committed in it, the pins that keep exported
// bytes in place, and the marks of calls at work; and the checks of all that. Functions that can fail return -1, NULL or
// false with an exception set and have changed nothing then, unless they say otherwise. The caller holds the owner's lock,
// unless they say otherwise.
#ifndef VMEM_RESERVATION_H
#define VMEM_RESERVATION_H

#include "core/backing.h"
#include "core/busy.h"
#include "core/errors.h"
#include "core/owner_kind.h"
#include "core/pins.h"
#include "core/spans.h"
#include "python/compat.h"

typedef struct Reservation {
    PyObject* owner;   // the object that embeds this; a borrowed reference
    bool owner_is_gc;  // whether the owner can be part of a reference cycle
    const OwnerKind* owner_kind;
    const Backing* backing;
    char* base;   // NULL before it is opened and after the memory was unmapped
    size_t size;  // whole pages; never changes
    size_t page_size;
    bool released;    // no longer usable; the memory is unmapped with the last view and the last call at work
    bool huge_pages;  // committed pages are advised to be huge
    char* label;      // the name of committed pages in the system's list of mappings; NULL for none
    SpanMap spans;
    long lock_process;  // the process whose locks are recorded: a fork does not inherit them
    PinList pins;
    BusyList busy;
    // References of its own to what it needs of the module, because a collection may clear the module first.
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
} Reservation;

// --- checks ---

// Raises ValueError when it is released. All other checks require this one, or the next, to have passed.
int reservation_check_open(Reservation* reservation);

// The same, and ValueError when the range is out of bounds.
int reservation_check_range(Reservation* reservation, size_t offset, size_t num_bytes);

// Raise ValueError unless every byte of a range, which is in bounds, is committed; can be read; can be written.
// BufferError when a call at work forbids others to use it.
int reservation_check_committed(Reservation* reservation, size_t offset, size_t num_bytes);
int reservation_check_readable(Reservation* reservation, size_t offset, size_t num_bytes);
int reservation_check_writable(Reservation* reservation, size_t offset, size_t num_bytes);

// Raises OutOfMemoryError unless `growth` more mappings may be made for a request.
int reservation_check_mappings(const Reservation* reservation, Py_ssize_t growth, const Request* request);

// --- questions ---

// Whether a range lies in one span that is readable and writable, and no call is at work: then no check can fail.
bool reservation_on_fast_path(const Reservation* reservation, size_t offset, size_t num_bytes);

bool reservation_is_committed(const Reservation* reservation, size_t offset, size_t num_bytes);

size_t reservation_count_committed(Reservation* reservation);

bool can_read(VmemProtection protection);
bool can_write(VmemProtection protection);
bool can_execute(VmemProtection protection);

// --- parts ---

// The pages that hold one or more bytes of a range.
Pages reservation_pages(const Reservation* reservation, size_t start, size_t end);

Request request_at(const Reservation* reservation, const char* verb, size_t offset, size_t num_bytes);

#endif
