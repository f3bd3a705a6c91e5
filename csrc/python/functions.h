// The small functions of the module, which need no reservation: page sizes, alignment, memory and limits.
#ifndef VMEM_FUNCTIONS_H
#define VMEM_FUNCTIONS_H

#include "python/compat.h"

PyObject* functions_get_page_size(PyObject* module, PyObject* ignored);
PyObject* functions_get_allocation_granularity(PyObject* module, PyObject* ignored);
PyObject* functions_get_huge_page_size(PyObject* module, PyObject* ignored);
PyObject* functions_align_forward(PyObject* module, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);
PyObject* functions_align_backward(PyObject* module, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);
PyObject* functions_is_aligned(PyObject* module, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);
PyObject* functions_get_memory_info(PyObject* module, PyObject* ignored);
PyObject* functions_get_limits(PyObject* module, PyObject* ignored);
PyObject* functions_set_map_maker(PyObject* module, PyObject* maker);

extern const char functions_get_page_size_doc[];
extern const char functions_get_allocation_granularity_doc[];
extern const char functions_get_huge_page_size_doc[];
extern const char functions_align_forward_doc[];
extern const char functions_align_backward_doc[];
extern const char functions_is_aligned_doc[];
extern const char functions_get_memory_info_doc[];
extern const char functions_get_limits_doc[];
extern const char functions_set_map_maker_doc[];

#endif
