// What one import of _vmem holds: there are no C statics, so every interpreter has its own.
#ifndef VMEM_MODULE_H
#define VMEM_MODULE_H

#include "compat.h"
#include "mappings.h"

typedef struct ModuleState {
    PyTypeObject* region_type;
    PyTypeObject* pin_type;
    PyObject* out_of_memory_error;
    MappingBudget* mapping_budget;
} ModuleState;

extern PyType_Spec region_spec;
extern PyType_Spec pin_spec;

#endif
