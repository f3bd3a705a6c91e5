// vmem.Region: what _vmem.c and the C API need of it.
#ifndef VMEM_REGION_H
#define VMEM_REGION_H

#include "core/reservation.h"
#include "core/shared_memory.h"
#include "python/module.h"

// The module's function reserve().
PyObject* region_reserve_function(PyObject* module, PyObject* const* args, Py_ssize_t num_args);
extern const char region_reserve_doc[];

// A region, of a class that is Region or a subclass of it, over memory of that kind that was attached. Takes the memory
// over, also when it fails: NULL with an exception. Runs Python code.
PyObject* region_attach(ModuleState* state, PyTypeObject* type, SharedMemory* memory);

// The reservation of an object that is a Region, of this or of another import of the module. NULL, without an
// exception, when it is something else.
Reservation* region_find_reservation(PyObject* object);

extern PyMethodDef region_methods[];
extern PyType_Spec region_spec;

#endif
