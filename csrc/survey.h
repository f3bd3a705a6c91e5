// What a reservation looks like at one moment: what map() of every type shows.
#ifndef VMEM_SURVEY_H
#define VMEM_SURVEY_H

#include "reservation.h"

// How many bytes an owner makes use of, from its start on. Called with the owner's lock held.
typedef size_t (*CountUsed)(PyObject* owner);

// Asks what make_map() was set to for an object that shows all of it. `name` is a str or None; `count_used` is NULL for
// an owner that does not know. The caller holds no lock. NULL with an exception.
PyObject* survey_map(ModuleState* state, Reservation* reservation, PyObject* name, CountUsed count_used);

#endif
