// vmem.Array as a struct. Its items lie on the heap while they are few and nobody knows their address, and from then on
// in reserved memory, where they never move.
#ifndef VMEM_ARRAY_H
#define VMEM_ARRAY_H

#include "core/reservation.h"
#include "types/array/item_types.h"

// The reserved memory of an array.
typedef struct Place {
    Reservation reservation;
    Py_ssize_t capacity;  // how many items it holds
    size_t exported_end;  // the offset up to which a buffer was ever exported: consumers may keep pointers to there
    size_t high_water;    // the offset up to which pages are known to have been written
} Place;

typedef struct Array {
    PyObject_HEAD
    const ItemType* type;
    char* items;               // where they begin; may be NULL while there are none
    Py_ssize_t length;         // in items
    Py_ssize_t num_allocated;  // how many items there is memory for: on the heap, or committed
    Place* place;              // NULL while the items lie on the heap; never changes back
    PyObject* weakrefs;
} Array;

// Where an item lies, or would lie.
static inline char* array_item(const Array* array, Py_ssize_t index) {
    return array->items + (size_t)(index * array->type->size);
}

static inline size_t array_num_bytes(const Array* array) { return (size_t)(array->length * array->type->size); }

#endif
