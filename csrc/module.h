// What one import of _vmem holds: every interpreter has its own.
#ifndef VMEM_MODULE_H
#define VMEM_MODULE_H

#include "compat.h"

typedef struct ModuleState {
    PyTypeObject* region_type;
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
} ModuleState;

// Makes a region of a type that is Region or a subclass of it: what the type and the function reserve() do alike.
PyObject* region_reserve(ModuleState* state, PyTypeObject* type, PyObject* num_bytes, PyObject* alignment,
                         PyObject* name);

extern PyType_Spec region_spec;
extern PyType_Spec pin_spec;

#endif
