// How arrays are pickled and unpickled. A pickle has the class, the typecode, the items and their layout: the machine
// that reads it may have another byte order, and other sizes of 'l' and 'L'.
#ifndef VMEM_ARRAY_PICKLING_H
#define VMEM_ARRAY_PICKLING_H

#include "types/array/storage.h"

PyObject* array_reduce(Array* self, PyObject* ignored);
PyObject* array_reduce_ex(Array* self, PyObject* protocol);

// The module's function _rebuild_array(). Pickles refer to it by this name.
PyObject* array_rebuild(PyObject* module, PyObject* const* args, Py_ssize_t num_args);
extern const char array_rebuild_doc[];

#endif
