// Turning Python objects into C numbers. All of this can run Python code (__index__), so it is done before any state is
// looked at.
#ifndef VMEM_ARGUMENTS_H
#define VMEM_ARGUMENTS_H

#include "compat.h"

// Everything from a start up to the end of the region: what leaving out `num_bytes` means.
#define TO_THE_END SIZE_MAX

// An integer object as a size or address. TypeError and ValueError name `what`. Returns -1 with an exception.
int convert_size(PyObject* object, const char* what, size_t* result);

// The same for a position that may count from the end: too large ones are clamped. Returns -1 with an exception.
int convert_index(PyObject* object, const char* what, Py_ssize_t* result);

// A power of two. Returns -1 with an exception.
int convert_alignment(PyObject* object, const char* what, size_t* result);

// The arguments of a METH_FASTCALL | METH_KEYWORDS call that takes up to two, by position or by name. Those that were
// not given stay NULL. Without keywords this is one comparison. Returns -1 with an exception.
int parse_two(const char* function, const char* const names[2], PyObject* const* args, Py_ssize_t num_positional,
              PyObject* keywords, PyObject* parsed[2]);

// The range (offset=0, num_bytes=None) of such a call. num_bytes is TO_THE_END when left out.
int parse_range(const char* function, PyObject* const* args, Py_ssize_t num_positional, PyObject* keywords,
                size_t* offset, size_t* num_bytes);

#endif
