// Array as an Arrow column.
#ifndef VMEM_ARRAY_ARROW_H
#define VMEM_ARRAY_ARROW_H

#include "types/array/array.h"

PyObject* array_to_arrow_schema(Array* self, PyObject* ignored);
PyObject* array_to_arrow(Array* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);

#endif
