// Items that are rows of numbers: a row has a shape, and the empty shape makes it one number. Functions that fail return
// -1 or NULL with an exception and change nothing.
#ifndef VMEM_ROWS_H
#define VMEM_ROWS_H

#include "core/shared_page.h"
#include "core/views.h"
#include "types/array/item_types.h"

#define MAX_ROW_DIMS 8

// The largest row: in bytes.
#define MAX_ROW_SIZE (PY_SSIZE_T_MAX / 4)

typedef struct RowType {
    const ItemType* scalar;
    int num_dims;  // 0: an item is one number
    Py_ssize_t shape[MAX_ROW_DIMS];
    Py_ssize_t num_scalars;  // in a row
    Py_ssize_t size;         // of a row, in bytes
} RowType;

// The type of items that are single numbers, of which there is one for each item type.
const RowType* rows_type_of_numbers(const ItemType* scalar);

// The type of rows of a shape given by Python code: a sequence of positive integers, or NULL for an empty one.
int rows_convert_type(const ItemType* scalar, PyObject* shape, RowType* type);

// The same for dimensions that are not from Python code. Returns false, without an exception, when they are impossible.
bool rows_make_type(const ItemType* scalar, int num_dims, const Py_ssize_t* shape, RowType* type);

// A type for an object to refer to until it calls rows_free_type(): a copy, unless it is that of numbers. NULL with
// MemoryError.
const RowType* rows_copy_type(const RowType* type);
void rows_free_type(const RowType* type);

bool rows_have_same_shape(const RowType* type, const RowType* other);

// Raises TypeError, and returns -1, when the rows of another array have another shape.
int rows_check_shape(const RowType* type, const RowType* other);

PyObject* rows_shape_as_tuple(const RowType* type);

// The facts of a first page about the items.
void rows_describe(const RowType* type, SharedPage* page);

// What buffers of such items show.
ItemLayout rows_layout(const RowType* type);

// A row as a tuple of numbers, or of tuples.
PyObject* rows_get_tuple(const RowType* type, const char* row);

// The same for items that can be numbers.
static inline PyObject* rows_get(const RowType* type, const char* row) {
    return type->num_dims == 0 ? type->scalar->get(row) : rows_get_tuple(type, row);
}

// Converts an object to a row: a sequence, or nested ones, or a buffer, of the row's shape. This can run Python code, so
// `row` must not point into memory that Python code can reach.
int rows_set_row(const RowType* type, char* row, PyObject* object);

// The same for items that can be numbers.
static inline int rows_set(const RowType* type, char* row, PyObject* object) {
    return type->num_dims == 0 ? type->scalar->set(row, object) : rows_set_row(type, row, object);
}

// Rows of no more bytes are copied and converted without allocating memory.
#define SMALL_ROW 256

char* row_allocate(const RowType* type);
char* row_convert_row(const RowType* type, char small[SMALL_ROW], PyObject* object);

// Memory for one item, which row_free() frees: `small` where it fits. NULL with MemoryError.
static inline char* row_new(const RowType* type, char small[SMALL_ROW]) {
    return type->size <= SMALL_ROW ? small : row_allocate(type);
}

static inline void row_free(char* item, const char* small) {
    if (item != small) PyMem_Free(item);
}

// An object converted to an item in such memory. NULL with an exception.
static inline char* row_convert(const RowType* type, char small[SMALL_ROW], PyObject* object) {
    if (type->num_dims > 0) return row_convert_row(type, small, object);
    return type->scalar->set(small, object) == 0 ? small : NULL;
}

// What compares to items as an object does: a sequence of a row's shape becomes a tuple, as rows_get() makes them. A new
// reference, or NULL with an exception. Runs Python code.
PyObject* rows_make_comparable(const RowType* type, PyObject* object);

// Rows in memory that is not the reader's own.
typedef struct RowSource {
    const char* rows;
    Py_ssize_t num_rows;
    char* copy;  // where they had to be converted or copied; NULL otherwise. The caller frees it with PyMem_Free().
} RowSource;

// How many rows a buffer holds. Returns 1; or 0, without an exception, when it holds no numbers. ValueError when its
// shape is another, TypeError when its numbers are complex.
int rows_count_in_buffer(const RowType* type, const Py_buffer* buffer, Py_ssize_t* num_rows);

// The rows of a buffer whose rows were counted, without a copy where its items are of the same type and contiguous. The
// first `num_skipped` are not looked at. Returns 1; or 0, without an exception, when its numbers cannot become such rows,
// so that iterating over it has to say why.
int rows_from_buffer(const RowType* type, const Py_buffer* buffer, Py_ssize_t num_skipped, RowSource* rows);

#endif
