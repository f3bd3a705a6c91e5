// Converts the numbers of buffers whose items have another type, byte order or stride than those of an array.
#ifndef VMEM_ARRAY_CONVERSION_H
#define VMEM_ARRAY_CONVERSION_H

#include "types/array/item_types.h"

// Numbers in memory, in one dimension.
typedef struct NumberSource {
    const char* items;
    Py_ssize_t num_items;
    Py_ssize_t stride;  // in bytes
    char code;  // one of b, h, i, q, B, H, I, Q, f and d, of 1, 2, 4 or 8 bytes in this order; in rows also ? or e
    bool is_swapped;  // whether the bytes of each item are in the other order than this machine's
} NumberSource;

// Describes the items of a buffer. Returns false when they are not such numbers.
bool describe_source(const Py_buffer* buffer, NumberSource* source);

// The same for rows, which can also be bools and half floats. Single items are not described as such, because array.array
// takes those only that iterating over the buffer gives as Python numbers.
bool describe_row_source(const Py_buffer* buffer, NumberSource* source);

// Raises TypeError for a buffer of complex numbers. Iterating over NumPy's would make floats of them, which lose their
// imaginary part with no more than a warning; array.array does. Returns 0 for other buffers.
int refuse_complex_numbers(const Py_buffer* buffer);

// Describes items of an array.
NumberSource describe_items(const ItemType* type, const char* items, Py_ssize_t num_items);

// Whether numbers of a source can become items of a type. Floats cannot become integers: array.array refuses that.
bool can_convert(const ItemType* type, const NumberSource* source);

// At most so many numbers are converted at once.
#define MAX_CONVERTED 1024

// Converts up to `num_items` numbers from an index on, as `type->set` would, and stops before the first that it would
// refuse. Returns how many were converted.
Py_ssize_t convert_numbers(const ItemType* type, char* to, const NumberSource* source, Py_ssize_t start,
                           Py_ssize_t num_items);

// The number at an index as a Python object. NULL with an exception.
PyObject* get_number(const NumberSource* source, Py_ssize_t index);

#endif
