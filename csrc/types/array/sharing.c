#include "types/array/sharing.h"

// --- the length ---

Py_ssize_t array_follow_writer(Array* array) { return array->length; }

void array_publish_length(Array* array) { (void)array; }

// --- what readers, and writers that are read, must not do ---

int array_raise_read_only(void) {
    PyErr_SetString(PyExc_TypeError, "this array is read-only: the process that made it writes");
    return -1;
}

int array_raise_append_only(const Array* array, const char* call) {
    if (array->role == ARRAY_READER) return array_raise_read_only();
    PyErr_Format(PyExc_TypeError, "this array is append-only, because other processes may read it: no %s", call);
    return -1;
}
