// Filling an Array from other objects: arrays, buffers, iterables. Functions return -1 with an exception. What an
// iterator, or a buffer of other numbers, gave before an error stays, as in array.array.
#ifndef VMEM_ARRAY_FILLING_H
#define VMEM_ARRAY_FILLING_H

#include "types/array/storage.h"

// Puts all items of an iterable at the end, without an object for each where it can.
int array_extend(Array* array, PyObject* iterable);

// The same by the iterator alone.
int array_extend_from_iterator(Array* array, PyObject* iterable);

// Puts the items of an array of another typecode at the end, which array_extend() refuses.
int array_extend_converting(Array* array, Array* other);

// Gets the buffer of an object that may be an iterable as well. Returns 1 when there is one; 0 when there is none, or
// when the object refuses to export it: such an object is iterated over, as array.array does with all objects.
int array_get_buffer(PyObject* object, Py_buffer* buffer);

#endif
