// What a reservation looks like at one moment: map() of every type shows it.
#ifndef VMEM_SNAPSHOT_H
#define VMEM_SNAPSHOT_H

#include "core/reservation.h"
#include "python/module.h"

// How many bytes an owner uses, from the start on. Called with the owner's lock held.
typedef size_t (*CountUsed)(PyObject* owner);

// Calls the callable that set_map_maker() was given with everything that a map shows, and returns its result. `name` is
// a str or None; `count_used` is NULL for owners that do not know. The caller holds no lock. NULL with an exception.
PyObject* snapshot_map(ModuleState* state, Reservation* reservation, PyObject* name, CountUsed count_used);

#endif
