// vmem.Table as a struct. All columns lie in one reservation, in which every buffer of a column has a part of its own
// that is filled from its start on; so nothing ever moves, and one pin or hold keeps all of them. A row is there when
// the length says so: it is written first, and the length is published last.
#ifndef VMEM_TABLE_H
#define VMEM_TABLE_H

#include "core/reservation.h"
#include "core/shared_memory.h"
#include "python/module.h"
#include "types/table/column_types.h"

// The buffers of a column, as Arrow lays them out.
typedef enum PartKind {
    PART_VALUES,    // numbers, bits, or the bytes of all texts
    PART_OFFSETS,   // of texts: 64-bit numbers, one more than there are rows; the first is 0
    PART_VALIDITY,  // bits, where None is allowed: 0 stands for None
    NUM_PARTS
} PartKind;

// Sizes count from the start of the part.
typedef struct Part {
    ByteRange range;      // in the reservation, whole pages; empty where the column has no such buffer
    char* bytes;          // the address of its start
    size_t exported_end;  // up to there bytes were ever exported: consumers may keep pointers to them
    size_t high_water;    // up to there pages are known to have been written
} Part;

typedef struct TableColumn {
    PyObject* name;  // an exact str
    const ColumnType* type;
    const ItemType* items;  // of numbers and times
    bool is_nullable;
    Part parts[NUM_PARTS];
    size_t text_size;   // how many bytes the texts of all rows have: the last offset
    size_t text_ready;  // how many bytes there is memory for
    Py_ssize_t num_nulls;
} TableColumn;

// The memory of a table.
typedef struct TablePlace {
    Reservation reservation;
    // Of tables that other processes see:
    SharedMemory* memory;          // the backing of the reservation; NULL for private memory
    size_t known_size;             // of a reader: so much of the data was committed when that was last asked for
    ForkEntry fork_entry;          // in a list while this process writes the rows
    struct TablePlace* inherited;  // in a forked child: the memory that views from before the fork show
} TablePlace;

// Who writes the rows. Set when the table is made; a forked child becomes a reader of what its parent shares.
typedef enum TableRole {
    TABLE_PRIVATE,  // this process alone knows the table
    TABLE_WRITER,   // other processes read it: append-only, and every new length is published
    TABLE_READER    // another process writes it: the length is the last one that this process has loaded
} TableRole;

typedef struct Table {
    PyObject_HEAD
    TablePlace* place;
    TableRole role;
    TableColumn* columns;
    Py_ssize_t num_columns;
    uint64_t length;       // in rows; see table_length()
    Py_ssize_t num_ready;  // for how many rows there is memory in all parts, but for texts
    Py_ssize_t capacity;   // in rows
    PyObject* names;       // a tuple
    PyObject* row_type;    // a class for rows with these names; NULL until it is needed
    PyObject* weakrefs;
} Table;

// How many rows there are, in a reader those that it has looked for: see table_follow(). All their bytes can be read:
// other threads load the length before them.
static inline Py_ssize_t table_length(const Table* table) { return (Py_ssize_t)shared_load_acquire(&table->length); }

// --- items in memory ---

static inline bool bit_is_set(const char* bits, Py_ssize_t index) { return bits[index >> 3] >> (index & 7) & 1; }

// Threads may read the other bits of the byte, which do not change.
static inline void put_bit(char* bits, Py_ssize_t index, bool is_set) {
    volatile char* byte = bits + (index >> 3);
    char mask = (char)(1 << (index & 7));
    *byte = (char)(is_set ? *byte | mask : *byte & ~mask);
}

static inline bool column_is_null(const TableColumn* column, Py_ssize_t index) {
    return column->is_nullable && !bit_is_set(column->parts[PART_VALIDITY].bytes, index);
}

static inline char* column_item(const TableColumn* column, Py_ssize_t index) {
    return column->parts[PART_VALUES].bytes + index * column->items->size;
}

static inline int64_t* column_offsets(const TableColumn* column) { return (int64_t*)column->parts[PART_OFFSETS].bytes; }

#endif
