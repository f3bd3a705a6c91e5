// Rows as Python objects: single ones, which are tuples with names, and vmem.Rows, a view of some of them.
#ifndef VMEM_TABLE_ROWS_H
#define VMEM_TABLE_ROWS_H

#include "types/table/row_range.h"

// The row at an index of a range, which may be negative. NULL with IndexError or another exception.
PyObject* table_get_row(Table* table, RowRange range, Py_ssize_t index);

typedef struct Rows {
    PyObject_HEAD
    Table* table;
    RowRange range;
} Rows;

// Whether a row of a range equals an object. -1 with an exception.
int table_contains(Table* table, RowRange range, PyObject* object);

PyObject* rows_new(Table* table, RowRange range);

// What indexing a table, or a view of rows, gives for an index, a slice, or the name of a column.
PyObject* table_get_part(Table* table, RowRange range, PyObject* key);

extern PyType_Spec rows_spec;

#endif
