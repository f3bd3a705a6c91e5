// Arrays that are files: functions of the module, which vmem.open_array() and vmem.FileArray are made of.
#ifndef VMEM_ARRAY_FILE_H
#define VMEM_ARRAY_FILE_H

#include "types/array/array.h"

PyObject* file_open_array(PyObject* module, PyObject* const* args, Py_ssize_t num_args);
PyObject* file_flush_array(PyObject* module, PyObject* const* args, Py_ssize_t num_args);
PyObject* file_close_array(PyObject* module, PyObject* object);
PyObject* file_get_descriptor(PyObject* module, PyObject* array);
extern const char file_open_array_doc[];
extern const char file_flush_array_doc[];
extern const char file_close_array_doc[];
extern const char file_get_descriptor_doc[];

#endif
