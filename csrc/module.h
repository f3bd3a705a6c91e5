// What one import of _vmem holds: every interpreter has its own.
#ifndef VMEM_MODULE_H
#define VMEM_MODULE_H

#include "compat.h"

typedef struct ModuleState {
    PyTypeObject* region_type;
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
    PyObject* audit;  // sys.audit
} ModuleState;

// Tells audit hooks of an event, given as a tuple of its name and its arguments, which this takes over; NULL is handed
// on. Returns -1 when a hook has raised. That runs Python code, so it is done before any state is looked at.
int module_audit(ModuleState* state, PyObject* event);

// What reserve() is given.
typedef struct ReserveArguments {
    PyObject* num_bytes;
    PyObject* alignment;
    PyObject* huge_pages;
    PyObject* name;
} ReserveArguments;

// Makes a region of a type that is Region or a subclass of it: what the type and the function reserve() do alike.
PyObject* region_reserve(ModuleState* state, PyTypeObject* type, const ReserveArguments* arguments);

extern PyType_Spec region_spec;
extern PyType_Spec pin_spec;

#endif
