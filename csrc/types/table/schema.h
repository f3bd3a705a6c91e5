// The names and types of a table's columns, from Python code or from memory that is shared.
#ifndef VMEM_TABLE_SCHEMA_H
#define VMEM_TABLE_SCHEMA_H

#include "types/table/table.h"

// What a table is made of. The columns have a name and a type, and are zero otherwise.
typedef struct TableSchema {
    TableColumn* columns;
    Py_ssize_t num_columns;
    PyObject* names;
} TableSchema;

// A mapping of names to types, given by Python code. Returns -1 with an exception, and leaves nothing to free then.
int schema_convert(PyObject* columns, TableSchema* schema);

void schema_free(TableSchema* schema);

// The schema as bytes, for other processes: a name and a type for each column, each ended by a zero. NULL with an
// exception.
PyObject* schema_encode(const TableSchema* schema);

// The schema of `num_columns` columns from such bytes, which can be anything. Returns -1 with ValueError or another
// exception, and leaves nothing to free then.
int schema_decode(const char* bytes, size_t num_bytes, Py_ssize_t num_columns, TableSchema* schema);

#endif
