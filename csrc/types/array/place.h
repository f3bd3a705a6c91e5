// The reserved memory of an Array: made when the array outgrows the heap, when its address is first given out, or at
// once for a given capacity. Functions return -1 with an exception, and what fails has changed nothing.
#ifndef VMEM_ARRAY_PLACE_H
#define VMEM_ARRAY_PLACE_H

#include "python/module.h"
#include "types/array/array.h"

// A capacity given by Python code, which is from 0 to what addresses can name.
int place_convert_capacity(const RowType* type, PyObject* object, Py_ssize_t* capacity);

// How many items an array can hold for which no capacity was given, as things stand now.
Py_ssize_t place_default_capacity(ModuleState* state, const RowType* type);

// Reserves memory for so many items and moves the array's items there. Does nothing when that has been done. Runs audit
// hooks: the caller holds no lock.
int place_open(ModuleState* state, Array* array, Py_ssize_t capacity);

// The same for a default capacity, or `min_capacity` where that is more.
int place_open_default(ModuleState* state, Array* array, Py_ssize_t min_capacity);

// The default capacity for at least so many items. -1 with an exception where there cannot be so many.
Py_ssize_t place_choose_default(ModuleState* state, const RowType* type, Py_ssize_t min_capacity);

// After an error: whether the addresses have run out and the default capacity is less by now, because many were taken, or
// a limit set, since it was computed. Then it clears the error.
bool place_has_smaller_default(ModuleState* state, const RowType* item_type, Py_ssize_t* capacity,
                               Py_ssize_t min_capacity);

// The same for an array that grows to so many items, which must fit the default capacity.
int place_open_grown(ModuleState* state, Array* array, Py_ssize_t length);

// Raises the audit event for the addresses of an array. For new arrays that are shared this comes before the array is
// made, so that no hook sees it without its memory.
int place_audit(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity);

// Makes memory that other processes can read, for a new array; or maps, for a new array, memory that another process
// writes, which it takes over. No Python code runs when they succeed.
int place_open_shared(ModuleState* state, Array* array, Py_ssize_t capacity, bool is_default);
int place_attach(ModuleState* state, Array* array, SharedMemory* memory);

// Maps a file, which it takes over, for a new array of so many items. The same.
int place_open_file(ModuleState* state, Array* array, Py_ssize_t capacity, FileMemory* file, Py_ssize_t length);

// Flushes and closes the file of an array that is being deallocated: native code may keep its memory. Never raises.
void place_close_file(Array* array);

// Where a file is no longer mapped as far as it was, which only Windows can bring about, makes the array as short as that.
void place_limit_to_mapped(Array* array);

// Makes as many items readable as there are by now. The caller holds the array's lock. No Python code runs, and there is
// no failure: without memory for the record the array stays as long as it was.
void place_follow(Array* array);

// In a forked child: maps the items of an array anew, read-only, and takes the memory that the parent writes from under
// old views, which keep what they show. Where the system refuses that, the array stays as long as it was. Errors are
// cleared.
void place_become_reader(ModuleState* state, Array* array);

// Unmaps the memory of an array that is being deallocated. Never raises.
void place_close(Place* place);

// Commits memory for so many items. The caller holds the array's lock. No Python code runs when it succeeds.
int place_ensure(Array* array, Py_ssize_t length);

// Appends items to a file, or leaves it to the caller, as file_memory_append() does. Under the array's lock.
int place_append_to_file(Array* array, const char* items, Py_ssize_t num_items);

// Makes the pages of items resident that are about to be written for the first time. Best effort. Under the array's
// lock.
void place_prefault(Array* array, Py_ssize_t length);

// Raises BufferError when a view reaches beyond so many items. The caller holds the array's lock.
int place_check_shrinks(const Array* array, Py_ssize_t length);

// Makes memory for the next items resident, or locks the items' memory and that. The caller holds no lock. What is to be
// checked before anything is committed is as in growth.h.
int place_prefault_next(Array* array, Py_ssize_t num_items, int (*check_grows)(PyObject* array));
int place_lock(Array* array, Py_ssize_t num_items, int (*check_grows)(PyObject* array));
int place_unlock(Array* array);

// Decommits or discards the pages that hold no items. The caller holds no lock.
int place_shrink_to_fit(Array* array);

// Raises that an array cannot grow to so many items. Returns -1.
int place_raise_full(PyObject* out_of_memory_error, const RowType* type, Py_ssize_t capacity, Py_ssize_t length);

#endif
