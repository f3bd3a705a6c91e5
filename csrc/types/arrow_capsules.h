// Arrow's structs in the capsules that Python code hands on:
// https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
#ifndef VMEM_ARROW_CAPSULES_H
#define VMEM_ARROW_CAPSULES_H

#include "python/compat.h"
#include "types/arrow_c_data.h"

// A capsule with a schema of a type without children; `format` is a constant. NULL with an exception.
PyObject* arrow_make_schema(const char* format);

// A capsule with an empty array, which counts as released until the caller fills it. Whoever consumes the capsule moves
// the array out of it; else it is released with the capsule. NULL with an exception.
PyObject* arrow_make_array(struct ArrowArray** array);

// Raises unless an object is None or a capsule with a schema. Returns -1.
int arrow_check_requested(PyObject* schema);

#endif
