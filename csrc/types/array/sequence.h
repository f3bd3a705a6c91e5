// An Array as a sequence: items, slices, searching, iteration, operators, comparison. These fill the slots of the type.
#ifndef VMEM_ARRAY_SEQUENCE_H
#define VMEM_ARRAY_SEQUENCE_H

#include "types/array/storage.h"

Py_ssize_t array_length(Array* self);
PyObject* array_get(Array* self, Py_ssize_t index);
PyObject* array_subscript(Array* self, PyObject* key);
int array_assign(Array* self, PyObject* key, PyObject* value);
int array_contains(Array* self, PyObject* object);
PyObject* array_iterate(Array* self);
PyObject* array_concat(Array* self, PyObject* other);
PyObject* array_repeat(Array* self, Py_ssize_t count);
PyObject* array_concat_in_place(Array* self, PyObject* other);
PyObject* array_repeat_in_place(Array* self, Py_ssize_t count);
PyObject* array_compare(PyObject* one, PyObject* other, int operation);

// The item at an index. NULL without an exception where there is none.
PyObject* array_get_or_null(Array* self, Py_ssize_t index);

// Looks for an item that equals an object, made comparable, from an index on. Returns 1 when it is found, -1 with an exception.
int array_find(Array* self, PyObject* object, Py_ssize_t* index, Py_ssize_t stop);

extern PyType_Spec array_iterator_spec;

#endif
