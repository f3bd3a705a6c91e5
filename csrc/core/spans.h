// The record of committed pages: an ordered map of disjoint half-open ranges (spans), each with its properties. Pages
// in no span are only reserved. Adjacent pages with equal properties are always in one span. Every operation takes
// O(log n) steps for n spans. No Python code runs in here; only the allocator is Python's. The caller holds the owner's
// lock.
#ifndef VMEM_SPANS_H
#define VMEM_SPANS_H

#include "python/compat.h"
#include "vmem.h"

// Half-open ranges of offsets into a reservation: any bytes, and whole pages.
typedef struct ByteRange {
    size_t start;
    size_t end;
} ByteRange;

typedef struct Pages {
    size_t start;
    size_t end;
} Pages;

// The pages that hold one or more bytes of a range.
static inline Pages pages_holding(size_t page_size, size_t start, size_t end) {
    return (Pages){vmem_align_backward(start, page_size), vmem_align_forward(end, page_size)};
}

typedef enum LockKind { UNLOCKED, LOCKED, LOCKED_ON_FAULT } LockKind;

// Pages that differ in one of these are in different mappings (VMAs) of the process.
typedef struct PageState {
    VmemProtection protection;
    LockKind locked;
} PageState;

typedef struct Span {
    size_t start;
    size_t end;
    PageState state;
    int height;
    struct Span* left;
    struct Span* right;
} Span;

typedef struct SpanMap {
    Span* root;
    Span* spare;  // unused nodes, linked through `right`, so that recording a completed call cannot fail
    size_t num_spare;
    size_t num_preallocated;  // how many of these belong to calls in progress
    size_t num_spans;
    size_t num_bytes;  // in all spans together
} SpanMap;

void spans_init(SpanMap* map);
void spans_free(SpanMap* map);

// The span that holds `offset`, else the first one after it, else NULL. Valid until the map changes.
const Span* spans_find(const SpanMap* map, size_t offset);

// The first part of [start, end) that is in no span. Returns false when there is none.
bool spans_find_gap(const SpanMap* map, size_t start, size_t end, size_t* gap_start, size_t* gap_end);

// Allocates nodes so that the next changes cannot fail, as long as they need no more than `num_spans` new spans:
// setting what was a gap needs one, clearing needs two, setting anything else SPANS_FOR_CHANGE, however many spans it
// changes. Returns -1 with MemoryError.
int spans_prepare(SpanMap* map, size_t num_spans);

// Frees the spare nodes that spans_prepare() has left over.
void spans_trim_spare(SpanMap* map);

// The same for changes that come later, while other calls use the map: these nodes stay until they are released.
int spans_preallocate(SpanMap* map, size_t num_spans);
void spans_release_preallocated(SpanMap* map, size_t num_spans);

#define SPANS_FOR_CHANGE 4

void spans_set(SpanMap* map, size_t start, size_t end, PageState state);
void spans_clear(SpanMap* map, size_t start, size_t end);

#endif
