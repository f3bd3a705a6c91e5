// The methods of Array: those of array.array, and its own. Other files call some of them directly, so that a subclass
// cannot override them there. docs.h has their docstrings, type.c the table.
#ifndef VMEM_ARRAY_METHODS_H
#define VMEM_ARRAY_METHODS_H

#include "types/array/storage.h"

PyObject* array_append(Array* self, PyObject* object);
PyObject* array_extend_method(Array* self, PyObject* iterable);
PyObject* array_insert(Array* self, PyObject* const* args, Py_ssize_t num_args);
PyObject* array_fromlist(Array* self, PyObject* list);
PyObject* array_pop(Array* self, PyObject* const* args, Py_ssize_t num_args);
PyObject* array_index(Array* self, PyObject* const* args, Py_ssize_t num_args);
PyObject* array_count(Array* self, PyObject* object);
PyObject* array_remove(Array* self, PyObject* object);
PyObject* array_clear_method(Array* self, PyObject* ignored);
PyObject* array_shrink_to_fit_method(Array* self, PyObject* ignored);
PyObject* array_prefault(Array* self, PyObject* num_items);
PyObject* array_lock(Array* self, PyObject* const* args, Py_ssize_t num_args);
PyObject* array_unlock(Array* self, PyObject* ignored);
PyObject* array_reverse(Array* self, PyObject* ignored);
PyObject* array_byteswap(Array* self, PyObject* ignored);
PyObject* array_tolist(Array* self, PyObject* ignored);
PyObject* array_tobytes(Array* self, PyObject* ignored);
PyObject* array_frombytes(Array* self, PyObject* object);
PyObject* array_fromfile(Array* self, PyObject* const* args, Py_ssize_t num_args);
PyObject* array_tofile(Array* self, PyObject* file);
PyObject* array_buffer_info(Array* self, PyObject* ignored);
PyObject* array_release_buffer(Array* self, PyObject* buffer);
PyObject* array_to_numpy(Array* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);
PyObject* array_sizeof(Array* self, PyObject* ignored);
PyObject* array_copy(Array* self, PyObject* ignored);
PyObject* array_deepcopy(Array* self, PyObject* memo);
PyObject* array_map(Array* self, PyObject* ignored);
PyObject* array_fileno(Array* self, PyObject* ignored);
PyObject* array_get_handle(Array* self, PyObject* ignored);

#endif
