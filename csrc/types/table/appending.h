// Table.append(): one row, all of it or nothing.
#ifndef VMEM_TABLE_APPENDING_H
#define VMEM_TABLE_APPENDING_H

#include "types/table/table.h"

PyObject* table_append(Table* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);

// The index of the column with a name, which is a str; -1 without an exception when there is none. `guess` is the index
// that is looked at first.
Py_ssize_t table_find_column(const Table* table, PyObject* name, Py_ssize_t guess);

#endif
