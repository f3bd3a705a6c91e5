// Views: the bytes of a reservation as memoryviews, and the pins that keep those bytes in place meanwhile.
#ifndef VMEM_PINS_H
#define VMEM_PINS_H

#include "reservation.h"

// A memoryview of committed, readable bytes; writable where all of them are, unless it is to be read-only.
PyObject* pins_view(Reservation* reservation, size_t offset, size_t num_bytes, bool readonly);

// A pin for another extension, which has the bytes at `address` until it drops the object.
PyObject* pins_take_for_native(Reservation* reservation, size_t offset, size_t num_bytes, bool writable,
                               void** address);

// Fills a Py_buffer with the first items of a format, for a bf_getbuffer. They are committed and writable. Their number
// is read after all that can run Python code.
int pins_export(Reservation* reservation, const Py_ssize_t* num_items, const char* format, Py_ssize_t item_size,
                Py_buffer* view, int flags);

// The two halves of pins_view(), for views whose place is chosen after all that can run Python code: a pin of no bytes,
// and the bytes it gets, which are committed and writable.
Pin* pins_new(Reservation* reservation);
void pins_place(Pin* pin, size_t offset, size_t num_bytes);

// Up to where bytes are pinned, and by how many views from an offset on.
size_t pins_end(const Reservation* reservation);
size_t pins_count_from(const Reservation* reservation, size_t offset);

// The bytes of each of the views that pins_count_from() counts from 0 on, in no order.
void pins_copy(const Reservation* reservation, Pages* views);

// The same, where views lie one behind the other in the order they were taken: then it looks at no others.
size_t pins_count_last(const Reservation* reservation, size_t offset);

// Raises BufferError when views, or writable views, have bytes on any of these pages.
int pins_check_none(const Reservation* reservation, Pages pages, const char* verb);
int pins_check_none_writable(const Reservation* reservation, Pages pages, const char* verb);

#endif
