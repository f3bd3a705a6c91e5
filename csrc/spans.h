// The record of what is committed: an ordered map of half-open ranges that do not overlap, each with its properties.
// What is in no span is reserved only. Neighbours of equal properties are always one span. Every operation takes
// O(log n) steps for n spans. There is no Python in here but its allocator; the caller holds the lock.
#ifndef VMEM_SPANS_H
#define VMEM_SPANS_H

#include "compat.h"
#include "vmem.h"

// What the system keeps apart: pages that differ in this lie in different mappings.
typedef struct PageState {
    VmemProtection protection;
    bool locked;
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
    Span* spare;  // a list through `right`, so that recording what was done can never fail
    size_t num_spare;
    size_t num_promised;  // of the spare ones
    size_t num_spans;
    size_t num_bytes;  // in all spans together
} SpanMap;

void spans_init(SpanMap* map);
void spans_free(SpanMap* map);

// The span that holds `offset`, or else the first one after it, or NULL. Valid until the map changes.
const Span* spans_find(const SpanMap* map, size_t offset);

// The first part of [start, end) that is in no span. Returns false when there is none.
bool spans_find_gap(const SpanMap* map, size_t start, size_t end, size_t* gap_start, size_t* gap_end);

// Makes sure that the next changes cannot fail, as long as they need no more than `num_spans` new spans: setting what
// was a gap needs one, clearing needs two, setting anything else SPANS_FOR_CHANGE, however many spans it changes.
// Returns -1 with an exception when there is no memory.
int spans_prepare(SpanMap* map, size_t num_spans);

// Ends what spans_prepare() began: gives back nodes that were not needed.
void spans_settle(SpanMap* map);

// The same for changes that come later, while others may use the map: the spare spans are kept until they are dropped.
int spans_promise(SpanMap* map, size_t num_spans);
void spans_drop_promise(SpanMap* map, size_t num_spans);

#define SPANS_FOR_CHANGE 4

void spans_set(SpanMap* map, size_t start, size_t end, PageState state);
void spans_clear(SpanMap* map, size_t start, size_t end);

#endif
