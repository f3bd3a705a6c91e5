// vmem.Array as a struct. Its items lie on the heap while they are few and nobody knows their address, and from then on
// in reserved memory, where they never move.
#ifndef VMEM_ARRAY_H
#define VMEM_ARRAY_H

#include "core/file_memory.h"
#include "core/reservation.h"
#include "core/shared_memory.h"
#include "python/forking.h"
#include "types/rows.h"

// The reserved memory of an array.
typedef struct Place {
    Reservation reservation;
    Py_ssize_t capacity;  // how many items it holds
    size_t exported_end;  // the offset up to which a buffer was ever exported: consumers may keep pointers to there
    size_t high_water;    // the offset up to which pages are known to have been written
    size_t item_offset;   // where the items begin: after the header of a file
    FileMemory* file;     // the backing of the reservation, where that is a file
    // Of arrays that other processes see:
    SharedMemory* memory;     // the backing of the reservation; NULL for private memory
    ForkEntry fork_entry;     // in a list while this process writes the items
    struct Place* inherited;  // in a forked child: the memory that views from before the fork show
} Place;

// Who writes the items. Set when the array is made; a forked child becomes a reader of what its parent shares.
typedef enum ArrayRole {
    ARRAY_PRIVATE,  // this process alone knows the array
    ARRAY_WRITER,   // other processes read it: append-only, and every new length is published
    ARRAY_FILE,     // it is a file, which other processes may read: append-only
    ARRAY_READER,   // another process writes it: the length is the last one that this process has loaded
    ARRAY_CLOSED    // it was a file, and cannot be written any more
} ArrayRole;

typedef struct Array {
    PyObject_HEAD
    const RowType* type;       // the array's own, or that of numbers
    char* items;               // where they begin; may be NULL while there are none
    Py_ssize_t length;         // in items; array_load_length() and array_set_length() are the ways to use it
    Py_ssize_t num_allocated;  // how many items this process has memory to write: on the heap, or committed
    Place* place;              // NULL while the items lie on the heap; never changes back
    PyObject* weakrefs;
    ArrayRole role;
} Array;

// Where an item lies, or would lie.
static inline char* array_item(const Array* array, Py_ssize_t index) {
    return array->items + (size_t)(index * array->type->size);
}

static inline bool array_is_readonly(const Array* array) { return array->role >= ARRAY_READER; }

static inline size_t array_num_bytes(const Array* array) { return (size_t)(array->length * array->type->size); }

#endif
