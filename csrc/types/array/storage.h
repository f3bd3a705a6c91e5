// The memory of an Array: creating, growing, splicing, shrinking. Functions that fail return -1 or NULL with an
// exception and change nothing, unless they say otherwise.
#ifndef VMEM_ARRAY_STORAGE_H
#define VMEM_ARRAY_STORAGE_H

#include "core/reservation.h"
#include "python/module.h"
#include "types/array/item_types.h"

typedef struct Array {
    PyObject_HEAD
    Reservation reservation;
    const ItemType* type;
    char* items;                 // where they begin
    Py_ssize_t length;           // in items
    Py_ssize_t committed_items;  // how many items the committed memory holds
    Py_ssize_t capacity;         // how many items the reservation holds
    size_t exported_end;  // the offset up to which a buffer was ever exported: consumers may keep pointers to there
    size_t high_water;    // the offset up to which pages are known to have been written
    PyObject* weakrefs;
} Array;

// --- creating and deallocating ---

// An empty array of a type that is Array or a subclass of it. A capacity of -1 is the default one, which is raised to
// `min_capacity` where that is more.
Array* array_new(ModuleState* state, PyTypeObject* python_type, const ItemType* type, Py_ssize_t capacity,
                 Py_ssize_t min_capacity);

// An empty array of the same item type, whose capacity is at least `min_capacity`.
Array* array_new_like(Array* array, Py_ssize_t min_capacity);

void array_dealloc(Array* self);

// Identifies the type. Defined in type.c.
extern PyMethodDef array_methods[];

// Raises ValueError for a capacity that no array can have.
int array_check_capacity(const ItemType* type, size_t capacity);

// The state of the module that made a type, or the type of an array.
ModuleState* array_state_of_type(PyTypeObject* type);
ModuleState* array_find_state(Array* array);

// Whether an object is an Array, of this or of another import of the module.
bool array_check(PyObject* object);

// --- items ---

// The address of the item at an index, or of where it would be.
char* array_item(const Array* array, Py_ssize_t index);

// Replaces `num_removed` items from `start` on by `num_items` from `items`, or leaves them uninitialized where that is
// NULL. The new items may be the array's own if they are all of them, or if they are put at the end. BufferError when
// the array would end before the end of a live view. The caller holds the array's lock.
int array_splice(Array* array, Py_ssize_t start, Py_ssize_t num_removed, const char* items, Py_ssize_t num_items);

// Raises BufferError when a view reaches beyond so many items. The caller holds the array's lock.
int array_check_shrinks(const Array* array, Py_ssize_t length);

// Converts one object to an item, and appends it.
int array_append_object(Array* array, PyObject* object);

// Appends all items of an iterable, by copying memory where it can. What an iterator gave before an error stays, as in
// array.array.
int array_extend(Array* array, PyObject* iterable);
int array_extend_from_iterator(Array* array, PyObject* iterable);

// Decommits or discards the pages that hold no items.
int array_shrink_to_fit(Array* array);

#endif
