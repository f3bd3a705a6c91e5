// How a reservation begins and ends. Errors and locking are as in reservation.h.
#ifndef VMEM_LIFETIME_H
#define VMEM_LIFETIME_H

#include "core/reservation.h"
#include "python/module.h"

// Sizes are rounded up to pages, and must then fit Py_ssize_t.
#define MAX_RESERVATION ((size_t)PY_SSIZE_T_MAX - vmem_get_page_size())

// What a user asks for.
typedef struct ReservationOptions {
    size_t num_bytes;  // from 1 to MAX_RESERVATION
    size_t align;
    bool huge_pages;
    PyObject* name;  // str or None
    VmemFork fork;
    bool is_secret;    // committed memory is left out of core dumps
    bool owner_is_gc;  // whether the owner can be part of a reference cycle
} ReservationOptions;

// Raises the audit event vmem.reserve. A hook runs Python code, so this comes before the owner is allocated. Fails also
// when a hook has unloaded the module.
int reservation_audit(ModuleState* state, const ReservationOptions* options);

// Reserves the addresses. `reservation` is zeroed memory inside `owner`. The caller holds no lock.
int reservation_open(Reservation* reservation, ModuleState* state, PyObject* owner, const OwnerKind* owner_kind,
                     const Backing* backing, const ReservationOptions* options);

// Unmaps everything. BufferError while views are alive. Does nothing when it is released already.
int reservation_release(Reservation* reservation);

// The same for a with statement that ends with an exception: if views are alive, the memory is unmapped when the last
// one is released.
int reservation_release_deferred(Reservation* reservation);

// Unmaps a released reservation once no view and no call uses it any more. Never raises.
void reservation_release_if_unused(Reservation* reservation);

// Unmaps what is left and frees the record, for owners that allocate it on its own. Never raises.
void reservation_destroy(Reservation* reservation);

// All of the owner's tp_dealloc, except for members of its own. Never raises. There can be no pins any more, since each
// holds a reference to the owner.
void reservation_dealloc_owner(Reservation* reservation, PyObject* owner, PyObject* weakrefs);

// Visits what a reservation holds: a part of the owner's tp_traverse, which also visits its type. There is nothing to
// clear.
int reservation_traverse(Reservation* reservation, visitproc visit, void* arg);

#endif
