// The record of exported bytes: a list of ranges that must stay committed and accessible, and the checks that guard
// every call which would decommit them or take access away.
#ifndef VMEM_PINS_H
#define VMEM_PINS_H

#include "core/owner_kind.h"
#include "core/spans.h"

// One exported range. Embedded in the object that exports it.
typedef struct Pin {
    size_t start;  // in bytes, as offsets
    size_t end;
    bool readonly;
    bool native;       // held by another extension, not by a view
    Py_ssize_t ended;  // a flag that native code sets on any thread: the pin counts no more, and is removed later
    struct Pin* previous;
    struct Pin* next;
} Pin;

// A linked list, because pins are added and removed all the time and that must cost a few instructions. Decommit and
// release, which are rare, walk through all pins.
typedef struct PinList {
    Pin* first;  // the newest
    size_t page_size;
    const OwnerKind* owner_kind;
} PinList;

// Pins of no bytes must not be added.
void pins_add(PinList* list, Pin* pin);
void pins_remove(PinList* list, Pin* pin);

// The number of pins that end after an offset.
size_t pins_count_from(const PinList* list, size_t offset);

// The same number for owners that pin ranges in the order of their offsets: stops at the first pin that does not count.
size_t pins_count_newest_from(const PinList* list, size_t offset);

// Copies the ranges of all pins, in no particular order, and returns their number: at most pins_count_from(list, 0), since
// native code can end its pins between the two calls.
size_t pins_copy(const PinList* list, ByteRange* ranges);

// Raise BufferError, and return -1, when any pin, or any pin that allows writing, has bytes on one of these pages.
int pins_check_none(const PinList* list, Pages pages, const char* verb);
int pins_check_none_writable(const PinList* list, Pages pages, const char* verb);

#endif
