// Ranges of rows, which columns, views of rows and exports show.
#ifndef VMEM_TABLE_ROW_RANGE_H
#define VMEM_TABLE_ROW_RANGE_H

#include "types/table/table.h"

// The rows from `start` to `stop` that the table has, at the moment of each call. Columns and slices are such ranges too.
typedef struct RowRange {
    Py_ssize_t start;
    Py_ssize_t stop;
} RowRange;

#define ALL_ROWS ((RowRange){0, PY_SSIZE_T_MAX})

// The part of a range that a table has now.
RowRange rows_clamp(const Table* table, RowRange range);

// Turns an index of a range that was clamped, which may be negative, into one of the table. Returns whether it is there.
static inline bool rows_find(RowRange clamped, Py_ssize_t* index) {
    Py_ssize_t length = clamped.stop - clamped.start;
    if (*index < 0) *index += length;
    bool is_there = *index >= 0 && *index < length;
    if (is_there) *index += clamped.start;
    return is_there;
}

// What a slice of a range shows, as a range of the table. Returns -1 with an exception.
int rows_slice(const Table* table, RowRange range, PyObject* slice, RowRange* sliced);

#endif
