// Marks on pages that a long call works on while other threads, or Python's signal handlers, run. Who meets a mark gets
// a BufferError, and never waits: a signal handler would wait for the very call that it interrupts.
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

// Makes the record and the pages of a marked range agree again, in the child of a fork in mid-call: whether the system
// had done what the lost thread asked it for, nobody knows.
typedef void (*Mend)(Reservation* reservation, size_t start, size_t end);

// Marks a range. `verb` is what the call does. NULL with MemoryError.
BusyMark* busy_mark(Reservation* reservation, size_t start, size_t end, BusyKind kind, const char* verb, Mend mend);

// Whether the mark still stands. It falls when a signal handler forks and another thread of the child uses the pages.
bool busy_holds(Reservation* reservation, BusyMark* mark);

void busy_unmark(Reservation* reservation, BusyMark* mark);

// Whether any call is at work. Before the record is looked at, this must be asked once: it ends what a fork left
// undone.
bool busy_anywhere(Reservation* reservation);

// Raises BufferError when a call is at work that does not let others use a range, or change it.
int busy_check_usable(Reservation* reservation, size_t start, size_t end, const char* verb);
int busy_check_changeable(Reservation* reservation, size_t start, size_t end, const char* verb);

void busy_free(Reservation* reservation);

#endif
