// Arrays that other processes see: who may change what, and the one place where a length is published or loaded.
#ifndef VMEM_ARRAY_SHARING_H
#define VMEM_ARRAY_SHARING_H

#include "types/array/array.h"

// --- the length ---

// For array_load_length() and array_set_length().
Py_ssize_t array_follow_writer(Array* array);
void array_publish_length(Array* array);

// How many items a call works with. Every call that reads items calls this first, once, while it holds no lock: in a
// reader it looks how many there are by now. After that `array->length` is at least this until the call ends, because
// no call makes a reader shorter.
static inline Py_ssize_t array_load_length(Array* array) {
    return array->role == ARRAY_READER ? array_follow_writer(array) : array->length;
}

// Everything that adds or removes items ends here: other processes see the items from then on, so they must have been
// written. The caller holds the array's lock.
static inline void array_set_length(Array* array, Py_ssize_t length) {
    array->length = length;
    if (array->role == ARRAY_WRITER) array_publish_length(array);
}

// --- what readers, and writers that are read, must not do ---

// Raise TypeError, or ValueError for a closed file, and return -1. They must come after everything in a call that can run Python code, because that can
// fork, which makes a reader.
int array_raise_read_only(const Array* array);
int array_raise_append_only(const Array* array, const char* call);

// For calls that change items, or add some.
static inline int array_check_writable(const Array* array) {
    return array_is_readonly(array) ? array_raise_read_only(array) : 0;
}

// For calls that remove or move items, named as in "pop()": only an array that nobody else reads allows them.
static inline int array_check_rearrangeable(const Array* array, const char* call) {
    return array->role == ARRAY_PRIVATE ? 0 : array_raise_append_only(array, call);
}

#endif
