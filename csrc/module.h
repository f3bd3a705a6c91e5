// What one import of _vmem holds: every interpreter has its own.
#ifndef VMEM_MODULE_H
#define VMEM_MODULE_H

#include "compat.h"

typedef struct ModuleState {
    PyTypeObject* region_type;
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
} ModuleState;

extern PyType_Spec region_spec;
extern PyType_Spec pin_spec;

#endif
