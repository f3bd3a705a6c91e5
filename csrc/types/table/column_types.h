// What the columns of a Table can hold.
#ifndef VMEM_TABLE_COLUMN_TYPES_H
#define VMEM_TABLE_COLUMN_TYPES_H

#include "types/array/item_types.h"

typedef enum ColumnKind {
    COLUMN_NUMBERS,
    COLUMN_TIMES,  // numbers to which the type gives a unit
    COLUMN_BITS,   // bools, eight in a byte
    COLUMN_TEXT,   // UTF-8
    COLUMN_BYTES
} ColumnKind;

typedef struct ColumnType {
    ColumnKind kind;
    const char* name;          // as users write it, without what allows None
    const char* arrow_format;  // of the same columns in Arrow
    const char* typecode;      // of the items of numbers and times; NULL for others
} ColumnType;

#define NOT_A_TIME INT64_MIN

// A type as users write it, which error messages call that of column `name`. Returns -1 with an exception.
int convert_column_type(PyObject* object, PyObject* name, const ColumnType** type, bool* is_nullable);

// The type of which columns in Arrow have a format; NULL when there is none.
const ColumnType* find_arrow_type(const char* format);

// Whether items have bytes of their own, and not all the same number of them.
static inline bool has_variable_size(const ColumnType* type) {
    return type->kind == COLUMN_TEXT || type->kind == COLUMN_BYTES;
}

#endif
