// Rows from Arrow: whatever has __arrow_c_stream__. The structs are those of another library, which are trusted as far as
// Arrow's specification asks for it: that the memory they name is there. What they say about it is checked.
#ifndef VMEM_TABLE_ARROW_INPUT_H
#define VMEM_TABLE_ARROW_INPUT_H

#include "types/table/table.h"

// Appends all rows of an object's stream, or none. Returns -1 with an exception.
int arrow_extend(Table* table, PyObject* object);

#endif
