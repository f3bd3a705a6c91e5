// One item between Python and the memory of a column. Converting runs Python code, so it is done before the table is
// looked at; storing cannot fail.
#ifndef VMEM_TABLE_CELLS_H
#define VMEM_TABLE_CELLS_H

#include "types/table/table.h"

typedef struct Cell {
    bool is_null;
    bool flag;                 // of a column of bits
    char item[MAX_ITEM_SIZE];  // of numbers and times
    const char* text;          // the bytes of a text
    size_t text_size;
    PyObject* owner;  // of the text, where that is not the converted object itself; else NULL
} Cell;

// Converts an object to an item of a column. The cell is valid as long as the object. Returns -1 with an exception, which
// tells the name of the column.
int cell_convert(const TableColumn* column, PyObject* object, Cell* cell);

// For every cell that was converted. Can run Python code.
static inline void cell_free(Cell* cell) { Py_CLEAR(cell->owner); }

// Stores an item behind the last row, where there is memory for it. The caller holds the table's lock.
void cell_store(TableColumn* column, Py_ssize_t index, const Cell* cell);

// The item at an index as a Python object. The caller holds the table's lock, and the index is below the length; no Python
// code runs, and no garbage collection. NULL with an exception.
PyObject* cell_get(const TableColumn* column, Py_ssize_t index);

// That a column of times cannot have NaT.
int cell_raise_not_a_time(const TableColumn* column);

// Adds to the exception that is set which column it is about.
void cell_note_column(const TableColumn* column);

#endif
