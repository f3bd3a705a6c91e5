// The record of what is committed: an ordered map of half-open ranges that do not overlap, each with its protection.
// What is in no span is reserved only. Neighbours of equal protection are always one span. Every operation takes
// O(log n) steps for n spans. There is no Python in here but its allocator; the caller holds the lock.
#ifndef VMEM_SPANS_H
#define VMEM_SPANS_H

#include "compat.h"
#include "vmem.h"

typedef struct Span {
    size_t start;
    size_t end;
    VmemProtection protection;
    int height;
    struct Span* left;
    struct Span* right;
} Span;

typedef struct SpanMap {
    Span* root;
    Span* spare;  // a list through `right`, so that recording what was done can never fail
    size_t num_spare;
    size_t num_spans;
    size_t num_bytes;  // in all spans together
} SpanMap;

void spans_init(SpanMap* map);
void spans_free(SpanMap* map);

// The span that holds `offset`, or else the first one after it, or NULL. Valid until the map changes.
const Span* spans_find(const SpanMap* map, size_t offset);

// The first part of [start, end) that is in no span. Returns false when there is none.
bool spans_find_gap(const SpanMap* map, size_t start, size_t end, size_t* gap_start, size_t* gap_end);

// Makes sure that the next changes cannot fail, as long as they need no more than `num_spans` new spans: setting what was
// a gap needs one, clearing needs two, setting anything else three. Returns -1 with an exception when there is no memory.
int spans_prepare(SpanMap* map, size_t num_spans);

// Ends what spans_prepare() began: gives back nodes that were not needed.
void spans_settle(SpanMap* map);

void spans_set(SpanMap* map, size_t start, size_t end, VmemProtection protection);
void spans_clear(SpanMap* map, size_t start, size_t end);

#endif
