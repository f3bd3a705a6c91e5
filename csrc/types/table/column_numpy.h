// Columns as NumPy arrays.
#ifndef VMEM_TABLE_COLUMN_NUMPY_H
#define VMEM_TABLE_COLUMN_NUMPY_H

#include "types/table/column_items.h"

PyObject* column_to_numpy(Column* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);

#endif
