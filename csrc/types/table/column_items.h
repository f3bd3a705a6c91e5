// What a Column shows: its items, and the buffers that hold them.
#ifndef VMEM_TABLE_COLUMN_ITEMS_H
#define VMEM_TABLE_COLUMN_ITEMS_H

#include "core/views.h"
#include "types/table/row_range.h"

typedef struct Column {
    PyObject_HEAD
    Table* table;
    Py_ssize_t index;
    RowRange range;
} Column;

static inline TableColumn* column_data(const Column* column) { return &column->table->columns[column->index]; }

// The item at an index, which may be negative. NULL, without an exception when there is none.
PyObject* column_get_or_null(Column* self, Py_ssize_t index);

// The items as a list.
PyObject* column_tolist(Column* self, PyObject* ignored);

// A read-only pin on a part of the column, for a range of rows as far as they are there. NULL with an exception.
PinObject* column_pin_part(Column* self, RowRange range, PartKind kind);

// The same as a memoryview.
PyObject* column_view_part(Column* self, RowRange range, PartKind kind);

#endif
