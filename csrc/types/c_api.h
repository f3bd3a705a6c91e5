// The C API for other extensions, which include vmem_python.h.
#ifndef VMEM_C_API_H
#define VMEM_C_API_H

#include "python/compat.h"

// Puts the capsule with the table of functions into the module. Returns -1 with an exception.
int c_api_add(PyObject* module);

#endif
