// vmem.Column: a column of a table, or of some of its rows, as a sequence and as a buffer.
#ifndef VMEM_TABLE_COLUMN_H
#define VMEM_TABLE_COLUMN_H

#include "types/table/row_range.h"

// NULL with an exception.
PyObject* column_new(Table* table, Py_ssize_t index, RowRange range);

extern PyType_Spec column_spec;

#endif
