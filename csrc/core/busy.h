// Marks on pages that a long call works on while other threads, or Python's signal handlers, run. A call that finds
// such a mark raises BufferError instead of waiting: a signal handler would wait for the very call that it interrupts.
#ifndef VMEM_BUSY_H
#define VMEM_BUSY_H

#include "core/owner_kind.h"
#include "core/spans.h"

typedef struct BusyMark BusyMark;

typedef struct BusyList {
    BusyMark* first;
    const OwnerKind* owner_kind;
    void* reservation;  // handed to RecoverAfterFork
} BusyList;

// What other calls may do with marked pages.
typedef enum BusyKind {
    BUSY_SHARED,    // use them, but not change their properties
    BUSY_EXCLUSIVE  // nothing
} BusyKind;

// Runs in a child that was forked in the middle of a call. Makes the record match the pages of the marked range,
// whether or not the system call of the lost thread was completed.
typedef void (*RecoverAfterFork)(void* reservation, Pages pages);

// Marks pages. `verb` is what the call does, `recover` may be NULL. NULL with MemoryError.
BusyMark* busy_mark(BusyList* list, Pages pages, BusyKind kind, const char* verb, RecoverAfterFork recover);

// Whether the mark is still in the list; then it becomes one of the running process. When a signal handler forks in the
// middle of a call, other threads of the child that use the pages remove the mark.
bool busy_holds(const BusyList* list, BusyMark* mark);

void busy_unmark(BusyList* list, BusyMark* mark);

// Whether any long call is in progress. Every call must ask this before it reads the record, because it also recovers
// the pages of calls that a fork has ended.
bool busy_anywhere(BusyList* list);

// Raise BufferError, and return -1, when a call in progress forbids others to use these bytes, or to change these
// pages.
int busy_check_usable(BusyList* list, ByteRange bytes, const char* verb);
int busy_check_changeable(BusyList* list, Pages pages, const char* verb);

void busy_free(BusyList* list);

#endif
