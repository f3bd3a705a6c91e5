// vmem.Column: a column of a table, or of some of its rows, as a sequence and as a buffer.
#ifndef VMEM_TABLE_COLUMN_H
#define VMEM_TABLE_COLUMN_H

#include "types/table/rows.h"

typedef struct Column {
    PyObject_HEAD
    Table* table;
    Py_ssize_t index;
    RowRange range;
} Column;

// NULL with an exception.
PyObject* column_new(Table* table, Py_ssize_t index, RowRange range);

static inline TableColumn* column_data(const Column* column) { return &column->table->columns[column->index]; }

// The items as a list.
PyObject* column_tolist(Column* self, PyObject* ignored);

// A buffer of the column, read-only, as a memoryview.
PyObject* column_view_part(Column* self, PartKind kind);

extern PyType_Spec column_spec;

#endif
