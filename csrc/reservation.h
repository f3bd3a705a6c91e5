// The core under every type: one range of addresses, the record of what is committed in it, the pins that keep exported
// bytes in place, and the marks of calls at work. Functions that can fail return -1, NULL or false with an exception
// set, and have changed nothing then, unless they say otherwise. The caller holds the owner's lock, except where it
// says so.
#ifndef VMEM_RESERVATION_H
#define VMEM_RESERVATION_H

#include "busy.h"
#include "module.h"
#include "refusal.h"
#include "spans.h"

typedef struct Pin Pin;

struct Reservation {
    PyObject* owner;       // the object this is a part of; not counted
    bool owner_in_cycles;  // whether it can be part of one
    const char* kind;      // what users call the owner: "region"
    char* base;            // NULL before it is opened and after the memory went
    size_t size;           // whole pages; never changes
    size_t page_size;
    bool released;    // to its user; the memory goes with the last view and the last call at work
    bool huge_pages;  // committed pages are advised to be huge
    char* label;      // put on committed pages, for people who look at the process's mappings; NULL for none
    SpanMap spans;
    long lock_process;  // whose locks the record tells of
    Pin* pins;
    BusyMark* busy;
    // What it needs of the module. It holds them itself: a collection may take the module first.
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
};

// What a user asks for.
typedef struct ReservationOptions {
    size_t num_bytes;
    size_t align;
    bool huge_pages;
    PyObject* name;        // str or None
    bool owner_in_cycles;  // whether the owner has references to what users give it
} ReservationOptions;

// Whole pages, as offsets.
typedef struct Pages {
    size_t start;
    size_t end;
} Pages;

// --- opening and releasing ---

// Tells audit hooks what is about to be reserved: before the owner is made, because that runs Python code. Makes sure
// that the module is still there after it.
int reservation_audit(ModuleState* state, const ReservationOptions* options);

// Takes the addresses. `reservation` is zeroed memory inside `owner`. The caller holds no lock.
int reservation_open(Reservation* reservation, ModuleState* state, PyObject* owner, const char* kind,
                     const ReservationOptions* options);

// Gives everything back. BufferError while views are alive. Doing it twice is fine.
int reservation_release(Reservation* reservation);

// The same for a user who is leaving because of an exception: live views keep the memory until the last one is gone.
int reservation_abandon(Reservation* reservation);

// Gives back what a released reservation still has, once nothing uses it any more. Never raises.
void reservation_settle(Reservation* reservation);

// The end of the owner: all of its tp_dealloc, but for members of its own. Never raises; there can be no pins any more,
// since each holds the owner.
void reservation_dealloc_owner(Reservation* reservation, PyObject* owner, PyObject* weakrefs);

// All of the owner's tp_traverse, but for members of its own. There is nothing to clear.
int reservation_traverse_owner(Reservation* reservation, PyObject* owner, visitproc visit, void* arg);

// --- checks ---

// Makes sure that it is not released. All other checks expect this one, or the next, to have been made.
int reservation_check_open(Reservation* reservation);

// Makes sure that it is not released and the range is in bounds.
int reservation_check_range(Reservation* reservation, size_t offset, size_t num_bytes);

// Makes sure that every byte of a range, which is in bounds, is committed.
int reservation_check_committed(const Reservation* reservation, size_t offset, size_t num_bytes);

// Makes sure that every byte of a range, which is in bounds, can be read; or also written.
int reservation_check_readable(Reservation* reservation, size_t offset, size_t num_bytes);
int reservation_check_writable(Reservation* reservation, size_t offset, size_t num_bytes);

// Whether a range is as it usually is: all of it in one span, readable and writable, and no call at work.
bool reservation_is_plain(const Reservation* reservation, size_t offset, size_t num_bytes);

bool reservation_is_committed(const Reservation* reservation, size_t offset, size_t num_bytes);

size_t reservation_count_committed(Reservation* reservation);

// Makes sure that `growth` more mappings may be made for what is attempted.
int reservation_check_mappings(const Reservation* reservation, Py_ssize_t growth, const Attempt* attempt);

// --- small parts ---

bool can_read(VmemProtection protection);
bool can_write(VmemProtection protection);
bool can_execute(VmemProtection protection);

Pages pages_of(const Reservation* reservation, size_t start, size_t end);
Attempt attempt_at(const Reservation* reservation, const char* verb, size_t offset, size_t num_bytes);

#endif
