// The record of which bytes are exported: a list of ranges that must stay committed and accessible, and the gate that
// every call passes which would change that.
#ifndef VMEM_PINS_H
#define VMEM_PINS_H

#include "core/owner_kind.h"
#include "core/spans.h"

// One exported range. Part of the object that exports it.
typedef struct Pin {
    size_t start;  // in bytes, as offsets
    size_t end;
    bool readonly;
    bool native;  // held by another extension, not by a view
    struct Pin* previous;
    struct Pin* next;
} Pin;

// A plain list: adding and removing a pin is what happens all the time, and costs a few instructions. Decommit and release
// walk through all pins.
typedef struct PinList {
    Pin* first;  // the newest
    size_t page_size;
    const OwnerKind* owner_kind;
} PinList;

// Empty pins keep nothing in place and must not be added.
void pins_add(PinList* list, Pin* pin);
void pins_remove(PinList* list, Pin* pin);

// Up to where bytes are pinned, and by how many pins from an offset on.
size_t pins_end(const PinList* list);
size_t pins_count_from(const PinList* list, size_t offset);

// The same where ranges were pinned in the order of their offsets: it stops at the first pin that ends before.
size_t pins_count_newest_from(const PinList* list, size_t offset);

// Copies the ranges of all pins, pins_count_from(list, 0) of them, in no order.
void pins_copy(const PinList* list, ByteRange* ranges);

// Raise BufferError, and return -1, when pins, or pins that allow writing, have bytes on any of these pages.
int pins_check_none(const PinList* list, Pages pages, const char* verb);
int pins_check_none_writable(const PinList* list, Pages pages, const char* verb);

#endif
