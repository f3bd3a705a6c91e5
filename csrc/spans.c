// A treap: a binary search tree ordered by `start` that is also a heap ordered by random priorities, which keeps it
// balanced whatever the order of changes. Two operations, split and merge, make all the others.
#include "spans.h"

// What stays spare between changes, so that a common change allocates nothing.
#define MAX_SPARE 16

void spans_init(SpanMap* map) {
    memset(map, 0, sizeof *map);
    map->random = 0x9E3779B9u;
}

// --- nodes ---

static uint32_t next_priority(SpanMap* map) {  // xorshift
    uint32_t x = map->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return map->random = x;
}

static void push_spare(SpanMap* map, Span* span) {
    span->right = map->spare;
    map->spare = span;
    map->num_spare++;
}

static Span* pop_spare(SpanMap* map) {
    Span* span = map->spare;
    map->spare = span->right;
    map->num_spare--;
    return span;
}

int spans_prepare(SpanMap* map, size_t num_spans) {
    while (map->num_spare < num_spans) {
        Span* span = PyMem_Malloc(sizeof(Span));
        if (!span) {
            spans_settle(map);
            PyErr_NoMemory();
            return -1;
        }
        push_spare(map, span);
    }
    return 0;
}

static Span* new_span(SpanMap* map, size_t start, size_t end, VmemProtection protection) {
    Span* span = pop_spare(map);
    span->start = start;
    span->end = end;
    span->protection = protection;
    span->priority = next_priority(map);
    span->left = span->right = NULL;
    map->num_spans++;
    map->num_bytes += end - start;
    return span;
}

static void drop_tree(SpanMap* map, Span* tree) {
    if (!tree) return;
    drop_tree(map, tree->left);
    drop_tree(map, tree->right);  // before push_spare() reuses the link
    map->num_spans--;
    map->num_bytes -= tree->end - tree->start;
    push_spare(map, tree);
}

void spans_settle(SpanMap* map) {
    while (map->num_spare > MAX_SPARE) PyMem_Free(pop_spare(map));
}

void spans_free(SpanMap* map) {
    drop_tree(map, map->root);
    map->root = NULL;
    while (map->spare) PyMem_Free(pop_spare(map));
}

// --- tree ---

// Splits a tree into the spans that start below `offset` and the others.
static void split(Span* tree, size_t offset, Span** below, Span** above) {
    if (!tree) {
        *below = *above = NULL;
    } else if (tree->start < offset) {
        split(tree->right, offset, &tree->right, above);
        *below = tree;
    } else {
        split(tree->left, offset, below, &tree->left);
        *above = tree;
    }
}

// Joins two trees of which the first lies wholly below the second.
static Span* merge(Span* below, Span* above) {
    if (!below) return above;
    if (!above) return below;
    if (below->priority > above->priority) {
        below->right = merge(below->right, above);
        return below;
    }
    above->left = merge(below, above->left);
    return above;
}

static void insert(SpanMap* map, Span* span) {
    Span *below, *above;
    split(map->root, span->start, &below, &above);
    map->root = merge(merge(below, span), above);
}

static Span* find(const SpanMap* map, size_t offset) {
    Span* found = NULL;
    for (Span* span = map->root; span;) {
        if (span->end > offset) {
            found = span;
            span = span->left;
        } else {
            span = span->right;
        }
    }
    return found;
}

// Makes `offset` a border between spans.
static void cut(SpanMap* map, size_t offset) {
    Span* span = find(map, offset);
    if (!span || span->start >= offset) return;
    size_t end = span->end;
    span->end = offset;
    map->num_bytes -= end - offset;
    insert(map, new_span(map, offset, end, span->protection));
}

// --- interface ---

const Span* spans_find(const SpanMap* map, size_t offset) { return find(map, offset); }

bool spans_find_gap(const SpanMap* map, size_t start, size_t end, size_t* gap_start, size_t* gap_end) {
    const Span* span = NULL;
    for (; start < end; start = span->end) {
        span = find(map, start);
        if (span && span->start <= start) continue;
        *gap_start = start;
        *gap_end = span && span->start < end ? span->start : end;
        return true;
    }
    return false;
}

void spans_clear(SpanMap* map, size_t start, size_t end) {
    Span *below, *inside, *above;
    cut(map, start);
    cut(map, end);
    split(map->root, start, &below, &inside);
    split(inside, end, &inside, &above);
    drop_tree(map, inside);
    map->root = merge(below, above);
}

void spans_set(SpanMap* map, size_t start, size_t end, VmemProtection protection) {
    const Span* before = start > 0 ? find(map, start - 1) : NULL;
    const Span* after = find(map, end);
    if (before && before->start < start && before->protection == protection) start = before->start;
    if (after && after->start <= end && after->protection == protection) end = after->end;
    const Span* inside = find(map, start);
    if (inside && inside->start < end) spans_clear(map, start, end);
    insert(map, new_span(map, start, end, protection));
}
