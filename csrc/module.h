// What one import of _vmem holds: every interpreter has its own.
#ifndef VMEM_MODULE_H
#define VMEM_MODULE_H

#include <stdint.h>

#include "compat.h"

typedef struct ModuleState {
    PyTypeObject* region_type;
    PyTypeObject* array_type;
    PyTypeObject* array_iterator_type;
    PyTypeObject* arena_type;
    PyTypeObject* scope_type;
    PyTypeObject* pin_type;
    PyTypeObject* plain_pin_type;
    PyObject* out_of_memory_error;
    PyObject* audit;           // sys.audit
    PyObject* make_map;        // what map() calls; NULL until it is set
    uint64_t physical_memory;  // in bytes; 0 until somebody asked
} ModuleState;

// The state of the module that made a type, or its base: the first one with this destructor. A type may be a subclass
// written in Python, which belongs to no module.
ModuleState* module_state_of(PyTypeObject* type, destructor dealloc);

// A collection can take the module before the types that it made. RuntimeError then.
int module_check_loaded(const ModuleState* state);

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

extern PyType_Spec arena_spec;
extern PyType_Spec array_spec;
extern PyType_Spec array_iterator_spec;
extern PyType_Spec region_spec;
extern PyType_Spec pin_spec;
extern PyType_Spec plain_pin_spec;
extern PyType_Spec scope_spec;

#endif
