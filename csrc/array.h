// vmem.Array: items of one type in a reservation. Four files: array.c makes it and changes its size,
// array_sequence.c has items, slices and operators, array_methods.c the methods with names, array_pickling.c those for
// pickle.
#ifndef VMEM_ARRAY_H
#define VMEM_ARRAY_H

#include "items.h"
#include "reservation.h"

typedef struct Array {
    PyObject_HEAD
    Reservation reservation;
    const ItemType* type;
    Py_ssize_t length;    // in items
    Py_ssize_t room;      // how many items the committed memory holds
    Py_ssize_t capacity;  // how many the reservation holds
    size_t exported;      // up to which byte a buffer has ever been given out
    size_t touched;       // up to which byte its pages have been written, as far as that is known
    PyObject* weakrefs;
} Array;

// All of these return -1 or NULL with an exception. array_splice() and array_check_shrinks() are called with the
// array's lock held. What fails has changed nothing, but for array_extend().

// An empty array of a type that is Array or a subclass of it. A capacity of -1 is the default one, which is raised to
// `min_capacity` where that is more.
Array* array_new(ModuleState* state, PyTypeObject* python_type, const ItemType* type, Py_ssize_t capacity,
                 Py_ssize_t min_capacity);

// An empty one of the type of another, with room for so many items.
Array* array_new_like(Array* array, Py_ssize_t min_capacity);

// A typecode given by Python code. Returns -1 with an exception.
int array_convert_typecode(PyObject* object, const ItemType** type);

// The state of the module that made the type of an array.
ModuleState* array_find_state(Array* array);

// Whether an object is an Array, of this or of another import of the module.
bool array_check(PyObject* object);

// Where an item lies, or would lie.
char* array_item(const Array* array, Py_ssize_t index);

// Replaces `num_removed` items from `start` on by as many as there are at `items`; where `items` is NULL the new ones
// mean nothing yet. They may be the array's own if it is all of them, or if the new ones come at the end. BufferError
// when views are alive of what would no longer be there.
int array_splice(Array* array, Py_ssize_t start, Py_ssize_t num_removed, const char* items, Py_ssize_t num_items);

// Makes sure that no view reaches beyond so many items.
int array_check_shrinks(const Array* array, Py_ssize_t length);

// Puts one object at the end.
int array_append_object(Array* array, PyObject* object);

// Takes what an iterable gives. What came before an error stays, as in array.array.
int array_extend(Array* array, PyObject* iterable);

// Gives back pages that hold no items.
int array_shrink_to_fit(Array* array);

// Looks for an item that is equal to an object, from an index on. Returns 1 when it is found.
int array_find(Array* self, PyObject* object, Py_ssize_t* index, Py_ssize_t stop);

extern PyMethodDef array_methods[];

// Methods that other files need too. They are called directly there, so that no subclass gets between.
PyObject* array_frombytes(Array* self, PyObject* object);
PyObject* array_tobytes(Array* self, PyObject* ignored);
PyObject* array_tolist(Array* self, PyObject* ignored);

// For pickle: two methods, and a function of the module that pickles call by its name.
PyObject* array_reduce(Array* self, PyObject* ignored);
PyObject* array_reduce_ex(Array* self, PyObject* protocol);
PyObject* array_rebuild(PyObject* module, PyObject* const* args, Py_ssize_t num_args);

// The operators, which belong to the type.
Py_ssize_t array_length(Array* self);
PyObject* array_get(Array* self, Py_ssize_t index);
PyObject* array_get_if_there(Array* self, Py_ssize_t index);  // NULL without an exception where there is none
PyObject* array_subscript(Array* self, PyObject* key);
int array_assign(Array* self, PyObject* key, PyObject* value);
int array_contains(Array* self, PyObject* object);
PyObject* array_iterate(Array* self);
PyObject* array_concat(Array* self, PyObject* other);
PyObject* array_repeat(Array* self, Py_ssize_t count);
PyObject* array_concat_in_place(Array* self, PyObject* other);
PyObject* array_repeat_in_place(Array* self, Py_ssize_t count);
PyObject* array_compare(PyObject* one, PyObject* other, int operation);

#endif
