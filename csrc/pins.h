// Views: the bytes of a reservation as memoryviews, and the pins that keep those bytes in place meanwhile.
#ifndef VMEM_PINS_H
#define VMEM_PINS_H

#include "reservation.h"

// A memoryview of committed, readable bytes; writable where all of them are, unless it is to be read-only.
PyObject* pins_view(Reservation* reservation, size_t offset, size_t num_bytes, bool readonly);

// Raises BufferError when views, or writable views, have bytes on any of these pages.
int pins_check_none(const Reservation* reservation, Pages pages, const char* verb);
int pins_check_none_writable(const Reservation* reservation, Pages pages, const char* verb);

#endif
