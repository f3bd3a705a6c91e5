// Array as a DLPack tensor.
#ifndef VMEM_ARRAY_DLPACK_H
#define VMEM_ARRAY_DLPACK_H

#include "types/array/array.h"

PyObject* array_to_dlpack(Array* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);
PyObject* array_to_dlpack_device(Array* self, PyObject* ignored);

#endif
