// Rows from Arrow: whatever has __arrow_c_stream__. The structs are those of another library, which are trusted as far as
// Arrow's specification asks for it: that the memory they name is there. What they say about it is checked.
#ifndef VMEM_TABLE_ARROW_INPUT_H
#define VMEM_TABLE_ARROW_INPUT_H

#include "types/table/sources.h"

// Takes the items for a column from an object with __arrow_c_array__ or __arrow_c_stream__: copies, which can be more than
// `max_items`. Returns 1, 0 for all other objects, and -1 with an exception.
int arrow_take_items(Source* source, const TableColumn* column, PyObject* object, Py_ssize_t max_items);

// Appends all rows of an object's stream, or none. Returns -1 with an exception.
int arrow_extend(Table* table, PyObject* object);

#endif
