// The twelve kinds of items that an Array can hold: what array.array calls typecodes.
#ifndef VMEM_ITEM_TYPES_H
#define VMEM_ITEM_TYPES_H

#include "python/compat.h"

#define MAX_ITEM_SIZE 8

typedef struct ItemType {
    const char* typecode;  // one letter; also the format of the buffers
    Py_ssize_t size;
    bool is_integer;
    PyObject* (*get)(const char* item);
    // Converts an object. This can run Python code, so `item` must not point into an array.
    int (*set)(char* item, PyObject* object);
} ItemType;

// Whether items can be negative.
bool item_type_is_signed(const ItemType* type);

// All of them.
extern const ItemType ITEM_TYPES[];

// NULL when there is no such typecode.
const ItemType* find_item_type(Py_UCS4 typecode);

// Whether a buffer's format, which may be NULL, has the same items: NumPy's int64 is 'l', which is a 'q' where both
// have 8 bytes.
bool item_type_matches(const ItemType* type, const char* format);

// A typecode given by Python code as the first argument of a type's constructor. Returns -1 with an exception.
int convert_typecode(PyObject* object, const char* type_name, const ItemType** type);

#define ITEM_TYPECODES "b, B, h, H, i, I, l, L, q, Q, f or d"

// Reverses the order of the items, which may have any size.
void reverse_items(char* items, Py_ssize_t num_items, Py_ssize_t item_size);

// Reverses the bytes of each item.
void swap_bytes(char* items, Py_ssize_t num_items, Py_ssize_t item_size);

#endif
