// Converts Python objects to C numbers. All of this can run Python code (__index__), so it is done before any state is
// read.
#ifndef VMEM_ARGUMENTS_H
#define VMEM_ARGUMENTS_H

#include "python/compat.h"

// Raises TypeError for an object of the wrong type: "name must be a str, not int". Returns -1.
int raise_wrong_type(PyObject* object, const char* what, const char* wanted);

// Raises an exception of type `error` for an integer object: "RULE, got NUMBER". Returns -1.
int raise_wrong_integer(PyObject* number, PyObject* error, const char* rule, ...);

// Converts an integer object to a size or address, which error messages call `what`. Returns -1 with TypeError or
// ValueError.
int convert_size(PyObject* object, const char* what, size_t* result);

// The same for a size from `least` to `most`. The message has these two and, after them, `unit`, such as " bytes".
typedef struct SizeRange {
    size_t least;
    size_t most;
    const char* unit;
} SizeRange;

int convert_size_in_range(PyObject* object, const char* what, SizeRange range, size_t* result);

// Converts an index, which may be negative and which error messages call `what`. Returns -1 with TypeError or
// IndexError.
int convert_index(PyObject* object, const char* what, Py_ssize_t* result);

// Converts a number from 0 to 255. Returns -1 with an exception.
int convert_byte(PyObject* object, unsigned char* result);

// Converts a power of two. Returns -1 with an exception.
int convert_alignment(PyObject* object, const char* what, size_t* result);

// The parameters of a METH_FASTCALL | METH_KEYWORDS function. All can be passed by keyword, and all are optional.
typedef struct Signature {
    const char* function;
    Py_ssize_t num_names;
    Py_ssize_t max_positional;
    const char* names[4];
} Signature;

// Sorts the arguments of a call into the order of the names; omitted ones are NULL. Without keywords this costs a few
// comparisons. Returns -1 with an exception.
int parse_arguments(const Signature* signature, PyObject* const* args, Py_ssize_t num_positional, PyObject* keywords,
                    PyObject** parsed);

// Converts the parsed arguments (offset=0, num_bytes=None) of a range in `size` bytes; None means everything from the
// offset on. Does not check the bounds.
int convert_range(PyObject* const parsed[2], size_t size, size_t* offset, size_t* num_bytes);

#endif
