// attach(): from a descriptor that another process has sent to an object of the type that shared it.
#ifndef VMEM_ATTACH_H
#define VMEM_ATTACH_H

#include "python/compat.h"

// The module's function.
PyObject* attach_function(PyObject* module, PyObject* const* args, Py_ssize_t num_args);
extern const char attach_function_doc[];

#endif
