// vmem.Table as a Python type.
#ifndef VMEM_TABLE_TYPE_H
#define VMEM_TABLE_TYPE_H

#include "python/compat.h"

extern PyType_Spec table_spec;

PyObject* table_set_row_type_maker(PyObject* module, PyObject* maker);
extern const char table_set_row_type_maker_doc[];

#endif
