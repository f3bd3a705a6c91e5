// Marks on pages that a long call works on while other threads, or Python's signal handlers, run. Who meets a mark gets a
// BufferError, and never waits: a signal handler would wait for the very call that it interrupts.
#ifndef VMEM_BUSY_H
#define VMEM_BUSY_H

#include "compat.h"

typedef struct Reservation Reservation;
typedef struct BusyMark BusyMark;

// What a long call lets others do with its pages meanwhile.
typedef enum BusyKind {
    BUSY_SHARED,    // use them, but not change what they are
    BUSY_EXCLUSIVE  // nothing
} BusyKind;

// Marks a range. `verb` is what the call does. NULL with MemoryError.
BusyMark* busy_mark(Reservation* reservation, size_t start, size_t end, BusyKind kind, const char* verb);

// Whether the mark still stands. It falls when a signal handler forks and another thread of the child uses the pages.
bool busy_holds(Reservation* reservation, BusyMark* mark);

void busy_unmark(Reservation* reservation, BusyMark* mark);

// Whether any call is at work.
bool busy_anywhere(Reservation* reservation);

// Raises BufferError when a call is at work that does not let others use a range, or change it.
int busy_check_usable(Reservation* reservation, size_t start, size_t end, const char* verb);
int busy_check_changeable(Reservation* reservation, size_t start, size_t end, const char* verb);

void busy_free(Reservation* reservation);

#endif
