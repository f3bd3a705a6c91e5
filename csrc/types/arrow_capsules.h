// Arrow's structs in the capsules that Python code hands on:
// https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
#ifndef VMEM_ARROW_CAPSULES_H
#define VMEM_ARROW_CAPSULES_H

#include "python/compat.h"
#include "types/arrow_c_stream.h"

// A capsule with a schema of a type without children; `format` is a constant. NULL with an exception.
PyObject* arrow_make_schema(const char* format);

// The same with an empty schema, which the caller fills.
PyObject* arrow_make_empty_schema(struct ArrowSchema** schema);

// A capsule with an empty array, which counts as released until the caller fills it. Whoever consumes the capsule moves
// the array out of it; else it is released with the capsule. NULL with an exception.
PyObject* arrow_make_array(struct ArrowArray** array);

// The same with an empty stream.
PyObject* arrow_make_stream(struct ArrowArrayStream** stream);

// The stream in a capsule, which the caller may move out of it. NULL with TypeError for other objects, and with
// ValueError when it was released.
struct ArrowArrayStream* arrow_get_stream(PyObject* capsule);

// Moves an array and its schema out of what __arrow_c_array__ returned. Returns -1 with TypeError for other objects, and with
// ValueError when one of them was released.
int arrow_move_array(PyObject* capsules, struct ArrowSchema* schema, struct ArrowArray* array);

// The format that a capsule with a schema asks for; "" for one that was released. Valid as long as the capsule. NULL with
// TypeError for other objects.
const char* arrow_requested_format(PyObject* schema);

#endif
