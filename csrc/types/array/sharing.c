#include "types/array/sharing.h"

#include "types/array/place.h"

// --- the length ---

Py_ssize_t array_follow_writer(Array* array) {
    const SharedMemory* memory = array->place->memory;
    Py_ssize_t length = array->length;
    if (memory && (!memory->page || shared_page_load_length(memory->page) == (size_t)length)) return length;
    Py_BEGIN_CRITICAL_SECTION(array);
    place_follow(array);
    length = array->length;
    Py_END_CRITICAL_SECTION();
    return length;
}

void array_publish_length(Array* array) { shared_memory_publish_length(array->place->memory, (size_t)array->length); }

// --- what readers, and writers that are read, must not do ---

int array_raise_read_only(const Array* array) {
    if (array->role == ARRAY_CLOSED)
        PyErr_SetString(PyExc_ValueError, "this array can only be read: its file is closed");
    else
        PyErr_SetString(PyExc_TypeError, array->place->file
                                             ? "this array is read-only: this process reads its file"
                                             : "this array is read-only: the process that made it writes");
    return -1;
}

int array_raise_append_only(const Array* array, const char* call) {
    if (array_is_readonly(array)) return array_raise_read_only(array);
    PyErr_Format(PyExc_TypeError, "this array is append-only, because other processes may read it: no %s", call);
    return -1;
}
