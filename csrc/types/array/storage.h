// The items of an Array: creating, growing, splicing, shrinking. Functions that fail return -1 or NULL with an
// exception and change nothing, unless they say otherwise.
#ifndef VMEM_ARRAY_STORAGE_H
#define VMEM_ARRAY_STORAGE_H

#include "python/module.h"
#include "types/array/array.h"

// Items stay on the heap up to this size, unless their address is given out. Tests are built with others.
#ifndef VMEM_ARRAY_HEAP_BYTES
#define VMEM_ARRAY_HEAP_BYTES (64 << 10)
#endif

// --- creating and deallocating ---

// An empty array of a type that is Array or a subclass of it, for at least `min_capacity` items. A capacity of -1 is
// the default one; only another one, or many items, reserve memory at once, which runs audit hooks.
Array* array_new(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity,
                 Py_ssize_t min_capacity);

// The same for one that other processes can read. Runs Python code in any case.
Array* array_new_shared(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity,
                        Py_ssize_t min_capacity);

// A reader of memory that another process has shared, which it takes over. Runs audit hooks.
PyObject* array_attach(ModuleState* state, PyTypeObject* python_type, SharedMemory* memory);

// One of so many items that is a file, which it takes over. The audit event was raised before.
Array* array_new_file(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity,
                      FileMemory* file, Py_ssize_t length);

// An empty one of the same item type, for at least so many items.
Array* array_new_like(Array* array, Py_ssize_t min_capacity);

void array_dealloc(Array* self);

// Identifies the type. Defined in type.c.
extern PyMethodDef array_methods[];

// The state of the module that made a type, or the type of an array. NULL, or -1, with an exception when it was
// unloaded.
ModuleState* array_state_of_type(PyTypeObject* type);
ModuleState* array_find_state(Array* array);

// Whether an object is an Array, of this or of another import of the module.
bool array_check(PyObject* object);

// --- memory ---

// Gives the items an address that never changes. Does nothing when they have one. Runs audit hooks: the caller holds no
// lock.
int array_reserve(Array* array);

// Must come before any call that adds items, with the number of those, while the caller holds no lock: reserves memory
// when the array outgrows the heap, so that no audit hook runs in the middle of a change.
int array_prepare_growth(Array* array, Py_ssize_t num_items);

// How many items the array can ever hold.
Py_ssize_t array_find_capacity(Array* array);

// Frees, decommits or discards memory that holds no items. The caller holds no lock.
int array_shrink_to_fit(Array* array);

// --- items ---

// Has memory for so many items, which the array does not get yet. The caller holds the array's lock, and has prepared for
// the growth.
int array_make_room(Array* array, Py_ssize_t length);

// Replaces `num_removed` items from `start` on by `num_items` from `items`, which may not be the array's own.
// BufferError when a view shows what would no longer be there; TypeError when other processes may read the array and
// items would move or go. The caller holds the array's lock, and has prepared for the growth.
int array_splice(Array* array, Py_ssize_t start, Py_ssize_t num_removed, const char* items, Py_ssize_t num_items);

// The same with all items of an array, which may be the same one if they replace all of it, or are put at its end, or
// anywhere in it. The caller holds both locks.
int array_splice_array(Array* array, Py_ssize_t start, Py_ssize_t num_removed, Array* other);

// Raises the TypeError of both, and returns -1, before there is room for the items.
int array_check_splice(const Array* array, Py_ssize_t start, Py_ssize_t num_removed, Py_ssize_t num_items);

// Raises BufferError when a view reaches beyond so many items. The caller holds the array's lock.
int array_check_shrinks(const Array* array, Py_ssize_t length);

// Copies items from memory that is not the array's own to the end. The caller holds no lock.
int array_append_memory(Array* array, const char* items, Py_ssize_t num_items);

// The same with all items of an array of the same item type, which may be the same one.
int array_append_array(Array* array, Array* other);

// Converts one object to an item, and appends it.
int array_append_object(Array* array, PyObject* object);

#endif
