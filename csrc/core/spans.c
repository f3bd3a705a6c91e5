// An AVL tree ordered by `start`, built on two operations: join() puts two trees and a span between them together, and
// split() divides a tree at an offset.
#include "core/spans.h"

// Up to this many spare nodes are kept between changes, so that a typical change allocates nothing.
#define MAX_SPARE 16

void spans_init(SpanMap* map) { memset(map, 0, sizeof *map); }

// --- nodes ---

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
    while (map->num_spare < map->num_preallocated + num_spans) {
        Span* span = PyMem_Malloc(sizeof(Span));
        if (!span) {
            spans_trim_spare(map);
            PyErr_NoMemory();
            return -1;
        }
        push_spare(map, span);
    }
    return 0;
}

int spans_preallocate(SpanMap* map, size_t num_spans) {
    if (spans_prepare(map, num_spans) < 0) return -1;
    map->num_preallocated += num_spans;
    return 0;
}

void spans_release_preallocated(SpanMap* map, size_t num_spans) {
    map->num_preallocated -= num_spans;
    spans_trim_spare(map);
}

static Span* new_span(SpanMap* map, size_t start, size_t end, PageState state) {
    Span* span = pop_spare(map);
    span->start = start;
    span->end = end;
    span->state = state;
    span->height = 1;
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

void spans_trim_spare(SpanMap* map) {
    while (map->num_spare > map->num_preallocated + MAX_SPARE) PyMem_Free(pop_spare(map));
}

void spans_free(SpanMap* map) {
    drop_tree(map, map->root);
    map->root = NULL;
    while (map->spare) PyMem_Free(pop_spare(map));
}

// --- tree ---

static int height(const Span* tree) { return tree ? tree->height : 0; }

static Span* with_children(Span* span, Span* left, Span* right) {
    span->left = left;
    span->right = right;
    span->height = 1 + (height(left) > height(right) ? height(left) : height(right));
    return span;
}

static Span* rotate_left(Span* span) {
    Span* top = span->right;
    return with_children(top, with_children(span, span->left, top->left), top->right);
}

static Span* rotate_right(Span* span) {
    Span* top = span->left;
    return with_children(top, top->left, with_children(span, top->right, span->right));
}

// Makes a balanced tree of a span and two subtrees whose heights differ by at most two.
static Span* balanced(Span* span, Span* left, Span* right) {
    if (height(left) > height(right) + 1) {
        if (height(left->right) > height(left->left)) left = rotate_left(left);
        return rotate_right(with_children(span, left, right));
    }
    if (height(right) > height(left) + 1) {
        if (height(right->left) > height(right->right)) right = rotate_right(right);
        return rotate_left(with_children(span, left, right));
    }
    return with_children(span, left, right);
}

// Joins two trees with a span that lies between them.
static Span* join(Span* below, Span* span, Span* above) {
    if (height(below) > height(above) + 1) return balanced(below, below->left, join(below->right, span, above));
    if (height(above) > height(below) + 1) return balanced(above, join(below, span, above->left), above->right);
    return with_children(span, below, above);
}

// Splits a tree into the spans that start below `offset` and the others.
static void split(Span* tree, size_t offset, Span** below, Span** above) {
    if (!tree) {
        *below = *above = NULL;
        return;
    }
    Span *left = tree->left, *right = tree->right;
    if (tree->start < offset) {
        split(right, offset, &right, above);
        *below = join(left, tree, right);
    } else {
        split(left, offset, below, &left);
        *above = join(left, tree, right);
    }
}

// Removes the last span of a tree. Returns the rest of the tree.
static Span* without_last(Span* tree, Span** last) {
    if (!tree->right) {
        *last = tree;
        return tree->left;
    }
    return balanced(tree, tree->left, without_last(tree->right, last));
}

// Joins two trees of which the first lies wholly below the second.
static Span* merge(Span* below, Span* above) {
    Span* last;
    if (!below) return above;
    below = without_last(below, &last);
    return join(below, last, above);
}

static void insert(SpanMap* map, Span* span) {
    Span *below, *above;
    split(map->root, span->start, &below, &above);
    map->root = join(below, span, above);
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

// Splits the span that contains `offset`, if there is one, in two at the offset.
static void cut(SpanMap* map, size_t offset) {
    Span* span = find(map, offset);
    if (!span || span->start >= offset) return;
    size_t end = span->end;
    span->end = offset;
    map->num_bytes -= end - offset;
    insert(map, new_span(map, offset, end, span->state));
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

static bool are_alike(PageState one, PageState other) {
    return one.protection == other.protection && one.locked == other.locked;
}

void spans_set(SpanMap* map, size_t start, size_t end, PageState state) {
    const Span* before = start > 0 ? find(map, start - 1) : NULL;
    const Span* after = find(map, end);
    if (before && before->start < start && are_alike(before->state, state)) start = before->start;
    if (after && after->start <= end && are_alike(after->state, state)) end = after->end;
    const Span* inside = find(map, start);
    if (inside && inside->start < end) spans_clear(map, start, end);
    insert(map, new_span(map, start, end, state));
}
