// Views: bytes of a reservation as memoryviews and Py_buffers, held in place by pins. Errors and locking are as in
// reservation.h.
#ifndef VMEM_VIEWS_H
#define VMEM_VIEWS_H

#include "core/reservation.h"

// The object that a memoryview holds; it holds the owner.
typedef struct PinObject PinObject;

// A memoryview of committed, readable bytes; writable where all of them are, unless `readonly`.
PyObject* view_range(Reservation* reservation, size_t offset, size_t num_bytes, bool readonly);

// view_range() in two steps, for callers that must choose the range after everything that can run Python code: make a
// pin of no bytes, then place it on bytes that are committed and writable.
PinObject* view_new_pin(Reservation* reservation);
void view_place_pin(PinObject* pin, size_t offset, size_t num_bytes);

// The same for items that views show read-only; `format` is a constant in the struct module's notation.
void view_place_items(PinObject* pin, size_t offset, Py_ssize_t num_items, const char* format, Py_ssize_t item_size);

// What exported items are: numbers, or rows of numbers.
typedef struct ItemLayout {
    const char* format;  // of a number, in the struct module's notation
    Py_ssize_t scalar_size;
    int num_row_dims;  // 0 where an item is a number
    const Py_ssize_t* row_shape;
    Py_ssize_t item_size;
} ItemLayout;

// The same for items of a layout. Returns -1 with MemoryError.
int view_place_rows(PinObject* pin, size_t offset, Py_ssize_t num_items, const ItemLayout* layout, bool readonly);

// A pin for another extension, which may use the bytes at `address` until it releases the pin.
PyObject* view_pin_for_native(Reservation* reservation, size_t offset, size_t num_bytes, bool writable, void** address);

// Implements a bf_getbuffer: exports the first `*num_items` items from an offset on, which are committed, and writable
// unless `readonly`. The number is read after everything that can run Python code.
int view_export(Reservation* reservation, size_t offset, const Py_ssize_t* num_items, const ItemLayout* layout,
                bool readonly, Py_buffer* view, int flags);

extern PyType_Spec pin_spec;
extern PyType_Spec untracked_pin_spec;

#endif
