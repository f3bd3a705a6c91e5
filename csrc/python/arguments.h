// Turning Python objects into C numbers. All of this can run Python code (__index__), so it is done before any state is
// looked at.
#ifndef VMEM_ARGUMENTS_H
#define VMEM_ARGUMENTS_H

#include "python/compat.h"

// Raises TypeError for an object of the wrong type: "name must be a str, not int". Returns -1.
int raise_wrong_type(PyObject* object, const char* what, const char* wanted);

// An integer object as a size or address. TypeError and ValueError name `what`. Returns -1 with an exception.
int convert_size(PyObject* object, const char* what, size_t* result);

// A position that may count from the end. TypeError and IndexError name `what`. Returns -1 with an exception.
int convert_index(PyObject* object, const char* what, Py_ssize_t* result);

// A number from 0 to 255. Returns -1 with an exception.
int convert_byte(PyObject* object, unsigned char* result);

// A power of two. Returns -1 with an exception.
int convert_alignment(PyObject* object, const char* what, size_t* result);

// What a METH_FASTCALL | METH_KEYWORDS function takes. All arguments may be given by name, none must be given.
typedef struct Signature {
    const char* function;
    Py_ssize_t num_names;
    Py_ssize_t max_positional;
    const char* names[3];
} Signature;

// Puts the arguments of a call in the order of the names. Those that were not given are NULL. Without keywords this is
// a few comparisons. Returns -1 with an exception.
int parse_arguments(const Signature* signature, PyObject* const* args, Py_ssize_t num_positional, PyObject* keywords,
                    PyObject** parsed);

// The range (offset=0, num_bytes=None) of parsed arguments, in `size` bytes, of which None means all from the offset
// on.
int convert_range(PyObject* const parsed[2], size_t size, size_t* offset, size_t* num_bytes);

#endif
