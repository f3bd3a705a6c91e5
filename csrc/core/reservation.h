// What every type is built on: one range of addresses, the record of its committed pages, the pins of its exported
// bytes, and the marks of calls in progress; and the checks of all these. Unless they say otherwise, functions that
// fail return -1, NULL or false with an exception set and change nothing, and the caller holds the owner's lock.
#ifndef VMEM_RESERVATION_H
#define VMEM_RESERVATION_H

#include "core/backing.h"
#include "core/busy.h"
#include "core/errors.h"
#include "core/mapping_cost.h"
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
    bool released;    // no longer usable; unmapped when the last view and the last call in progress have ended
    bool huge_pages;  // committed pages are advised to be huge
    VmemFork
        fork;      // what forked processes get of committed pages; with "none" they are wiped, and it is released there
    long process;  // the process that it belongs to, where forked ones do not get it
    bool is_secret;  // committed pages are left out of core dumps
    char* label;     // the name of committed pages in the system's list of mappings; NULL for none
    SpanMap spans;
    long lock_process;  // the process that made the recorded locks: a forked child does not inherit them
    PinList pins;
    BusyList busy;
    struct NativeMemory* native_memory;  // NULL until bytes are first shown to native code: see native_hold.h
    // Strong references, because a garbage collection may clear the module before the owner.
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
} Reservation;

// --- checks ---

// Whether it is released. In a forked process that does not inherit it, it is from the first call on; the memory, which
// reads zero there, is unmapped with the last reference to its owner, so that live views stay valid.
bool reservation_is_released(Reservation* reservation);

// Raises ValueError when it is released. All other checks require this one, or the next, to have passed.
int reservation_check_open(Reservation* reservation);

// The same, and ValueError when the range is out of bounds.
int reservation_check_range(Reservation* reservation, size_t offset, size_t num_bytes);

// Raise ValueError unless every byte of a range, which is in bounds, is committed, readable or writable respectively.
// The last two raise BufferError when a call in progress forbids others to use the range.
int reservation_check_committed(Reservation* reservation, size_t offset, size_t num_bytes);
int reservation_check_readable(Reservation* reservation, size_t offset, size_t num_bytes);
int reservation_check_writable(Reservation* reservation, size_t offset, size_t num_bytes);

// Raises OutOfMemoryError unless `growth` more mappings may be made for a request.
int reservation_check_mappings(const Reservation* reservation, Py_ssize_t growth, const Request* request);

// --- questions ---

// Whether a range lies in one span that is readable and writable, and no call is in progress: then the three checks
// above cannot fail.
bool reservation_on_fast_path(const Reservation* reservation, size_t offset, size_t num_bytes);

bool reservation_is_committed(const Reservation* reservation, size_t offset, size_t num_bytes);

size_t reservation_count_committed(Reservation* reservation);

bool can_read(VmemProtection protection);
bool can_write(VmemProtection protection);
bool can_execute(VmemProtection protection);

// --- helpers ---

// The pages that hold one or more bytes of a range.
Pages reservation_pages(const Reservation* reservation, size_t start, size_t end);

MappedRange reservation_mappings(const Reservation* reservation);

Request request_at(const Reservation* reservation, const char* verb, size_t offset, size_t num_bytes);

#endif
