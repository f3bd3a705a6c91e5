// What extensions of others call. They have vmem_python.h, which says what there is.
#ifndef VMEM_C_API_H
#define VMEM_C_API_H

#include "compat.h"

// Puts the capsule with the table of functions into the module. Returns -1 with an exception.
int c_api_add(PyObject* module);

#endif
