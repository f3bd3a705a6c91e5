// Tables and columns as Arrow data, in place: whoever takes it holds the memory, and sees the rows that there were.
#ifndef VMEM_TABLE_ARROW_OUTPUT_H
#define VMEM_TABLE_ARROW_OUTPUT_H

#include "types/arrow_capsules.h"
#include "types/table/column_items.h"

// A capsule with a stream of one batch, for a method __arrow_c_stream__(requested_schema=None). NULL with an exception.
PyObject* arrow_export_rows(Table* table, RowRange range, PyObject* const* args, Py_ssize_t num_args,
                            PyObject* keywords);

// A capsule with the schema of all columns.
PyObject* arrow_export_schema(Table* table);

// How many bytes of texts can be read behind a column of texts, whatever its offsets say: INT64_MAX for arrays that are
// not of a table, where nobody knows.
int64_t arrow_find_text_end(const struct ArrowArray* array);

// Methods of columns.
PyObject* column_to_arrow(Column* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords);
PyObject* column_to_arrow_schema(Column* self, PyObject* ignored);

#endif
