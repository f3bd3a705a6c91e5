// Attributes that an object may have.
#ifndef VMEM_TABLE_ATTRIBUTES_H
#define VMEM_TABLE_ATTRIBUTES_H

#include "python/compat.h"

// Whether an object has an attribute, of which `value` becomes a new reference, or NULL. -1 with an exception, but
// AttributeError: PyObject_HasAttrString() hides MemoryError and KeyboardInterrupt too.
int find_attribute(PyObject* object, const char* name, PyObject** value);

// The same without the value.
int has_attribute(PyObject* object, const char* name);

#endif
