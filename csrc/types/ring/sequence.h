// A Ring as a sequence: its items from the oldest on, and iteration. These fill the slots of the type.
#ifndef VMEM_RING_SEQUENCE_H
#define VMEM_RING_SEQUENCE_H

#include "types/ring/storage.h"

Py_ssize_t ring_length(Ring* self);
PyObject* ring_get(Ring* self, Py_ssize_t index);
PyObject* ring_subscript(Ring* self, PyObject* key);
PyObject* ring_iterate(Ring* self);

extern PyType_Spec ring_iterator_spec;

#endif
