// vmem.Region: what _vmem.c and the C API need of it.
#ifndef VMEM_REGION_H
#define VMEM_REGION_H

#include "core/reservation.h"
#include "python/module.h"

// The arguments of reserve().
typedef struct ReserveArguments {
    PyObject* num_bytes;
    PyObject* alignment;
    PyObject* huge_pages;
    PyObject* name;
} ReserveArguments;

// Makes a region of a type that is Region or a subclass of it: what the type and the function reserve() share.
PyObject* region_reserve(ModuleState* state, PyTypeObject* type, const ReserveArguments* arguments);

// The module's function reserve().
PyObject* region_reserve_function(PyObject* module, PyObject* const* args, Py_ssize_t num_args);
extern const char region_reserve_doc[];

// The reservation of an object that is a Region, of this or of another import of the module. NULL, without an exception,
// when it is something else.
Reservation* region_find_reservation(PyObject* object);

extern PyType_Spec region_spec;

#endif
