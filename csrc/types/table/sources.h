// Items for a column from somewhere else, laid out so that storing them cannot fail and runs no Python code: in the memory
// of a buffer or an Arrow array that is kept, or staged apart.
#ifndef VMEM_TABLE_SOURCES_H
#define VMEM_TABLE_SOURCES_H

#include "types/array/conversion.h"
#include "types/table/table.h"

// Memory that grows on the heap.
typedef struct Staged {
    char* bytes;
    size_t size;
    size_t num_allocated;
} Staged;

typedef struct Source {
    Py_ssize_t num_items;
    const char* values;  // items of the column's type; bits; or the bytes of texts
    Py_ssize_t first_value_bit;
    const char* offsets;   // of texts: 64 bits each, one more than there are items; staged, since they are trusted
    int64_t first_text;    // the offset of what `values` begins with, of texts
    const char* validity;  // bits; NULL where no item is None
    Py_ssize_t first_validity_bit;
    // What keeps these:
    Staged staged_values, staged_offsets, staged_validity;
    Py_buffer buffer;
    bool has_buffer;
} Source;

// Takes all items of a buffer, or of what has a dtype of NumPy; of iterables at most `max_items`, of which one more is taken.
// The source must be zeroed. Returns 1, 0 for all other objects, and -1 with an exception; source_free() is due in any
// case. Runs Python code.
int source_take_array(Source* source, const TableColumn* column, PyObject* object, Py_ssize_t max_items);

// The same for iterables. Returns 0, or -1 with an exception.
int source_take_iterable(Source* source, const TableColumn* column, PyObject* iterable, Py_ssize_t max_items);

// NaT among the times of a source becomes None. Returns -1 with an exception, also when the column does not allow it.
int source_take_not_a_times(Source* source, const TableColumn* column);

// Takes numbers of another type, byte order or stride, as append would. Where `validity` says that an item is None, its
// number does not matter. `is_exact` refuses what would be rounded.
int source_take_numbers(Source* source, const TableColumn* column, const NumberSource* numbers, bool is_exact);

// Whether an item of a source is None.
static inline bool source_is_null(const Source* source, Py_ssize_t index) {
    return source->validity && !bit_is_set(source->validity, source->first_validity_bit + index);
}

// Raises ValueError when there is a None that the column does not allow.
int source_check_nulls(const Source* source, const TableColumn* column);

// Adds copies of all items of another source. Returns -1 with MemoryError.
int source_append(Source* source, const TableColumn* column, const Source* more);

// How many bytes its texts have. Their offsets have been checked.
size_t source_text_size(const Source* source);

// Stores all items from a row on, where there is memory for them. The caller holds the table's lock.
void source_store(const Source* source, TableColumn* column, Py_ssize_t index);

// Can run Python code.
void source_free(Source* source);

// --- staging ---

// Makes room for so many bytes at the end, and counts them. NULL with MemoryError.
char* staged_add(Staged* staged, size_t num_bytes);

// Adds a bit at an index that is the number of bits so far. Returns -1 with MemoryError.
int staged_add_bit(Staged* staged, Py_ssize_t index, bool is_set);

#endif
