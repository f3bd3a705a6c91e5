// The methods of Ring. docs.h has their docstrings, type.c the table.
#ifndef VMEM_RING_METHODS_H
#define VMEM_RING_METHODS_H

#include "types/ring/storage.h"

PyObject* ring_append(Ring* self, PyObject* object);
PyObject* ring_extend(Ring* self, PyObject* iterable);
PyObject* ring_prepare(Ring* self, PyObject* num_items);
PyObject* ring_advance(Ring* self, PyObject* num_items);
PyObject* ring_latest(Ring* self, PyObject* num_items);
PyObject* ring_window(Ring* self, PyObject* const* args, Py_ssize_t num_args);
PyObject* ring_consume(Ring* self, PyObject* num_items);
PyObject* ring_clear(Ring* self, PyObject* ignored);
PyObject* ring_map(Ring* self, PyObject* ignored);
PyObject* ring_fileno(Ring* self, PyObject* ignored);
PyObject* ring_get_handle(Ring* self, PyObject* ignored);
PyObject* ring_reduce(Ring* self, PyObject* ignored);

// Exports all items, for reading.
int ring_getbuffer(Ring* self, Py_buffer* view, int flags);

#endif
