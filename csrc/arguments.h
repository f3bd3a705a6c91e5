// Turning Python objects into C numbers. All of this can run Python code (__index__), so it is done before any state is
// looked at.
#ifndef VMEM_ARGUMENTS_H
#define VMEM_ARGUMENTS_H

#include "compat.h"

// An integer object as a size or address. TypeError and ValueError name `what`. Returns -1 with an exception.
int convert_size(PyObject* object, const char* what, size_t* result);

// A position that may count from the end. TypeError and IndexError name `what`. Returns -1 with an exception.
int convert_index(PyObject* object, const char* what, Py_ssize_t* result);

// A number from 0 to 255. Returns -1 with an exception.
int convert_byte(PyObject* object, unsigned char* result);

// A power of two. Returns -1 with an exception.
int convert_alignment(PyObject* object, const char* what, size_t* result);

// The arguments of a METH_FASTCALL | METH_KEYWORDS call that takes up to two, by position or by name. Those that were
// not given stay NULL. Without keywords this is one comparison. Returns -1 with an exception.
int parse_two(const char* function, const char* const names[2], PyObject* const* args, Py_ssize_t num_positional,
              PyObject* keywords, PyObject* parsed[2]);

// The range (offset=0, num_bytes=None) of such a call on `size` bytes, of which None means all from the offset on.
int parse_range(const char* function, PyObject* const* args, Py_ssize_t num_positional, PyObject* keywords, size_t size,
                size_t* offset, size_t* num_bytes);

#endif
