// Items that NumPy gives: times, and what is masked, of which buffers tell nothing.
#ifndef VMEM_TABLE_NUMPY_ITEMS_H
#define VMEM_TABLE_NUMPY_ITEMS_H

#include "types/table/table.h"

// Whether an object is of a class of Python. Others neither mask their items nor derive from what does.
static inline bool may_be_masked(PyObject* object) {
    return !(PyType_GetFlags(Py_TYPE(object)) & Py_TPFLAGS_IMMUTABLETYPE);
}

// The items of what has a dtype of NumPy: an array, of integers where the column has times; or, where items can be masked,
// a list, or an item, with None for what is masked. NULL with an exception, or without one for all other objects.
PyObject* numpy_find_items(const TableColumn* column, PyObject* object);

// Whether an object is NaT, of NumPy or pandas. -1 with an exception.
int numpy_is_not_a_time(PyObject* object);

#endif
