#include "mapping_growth.h"

static bool is_gap(const SpanMap* spans, size_t offset) {
    const Span* span = spans_find(spans, offset);
    return !span || span->start > offset;
}

// Whether `offset` may lie inside one mapping. At its ends a reservation may share one with a neighbour.
static bool may_split(const SpanMap* spans, size_t size, size_t offset) {
    if (offset == 0 || offset == size) return true;
    const Span* before = spans_find(spans, offset - 1);
    return before == spans_find(spans, offset) && (!before || before->start != offset);
}

// How many runs of pages with equal properties the system has in a range at least.
static Py_ssize_t count_runs(const SpanMap* spans, size_t start, size_t end) {
    Py_ssize_t num_runs = 0;
    while (start < end) {
        const Span* span = spans_find(spans, start);
        num_runs++;
        start = !span ? end : span->start > start ? span->start : span->end;
    }
    return num_runs;
}

// Committed pages never join what is around them for sure, so only ends that lie inside a gap cost something.
Py_ssize_t commit_growth(const SpanMap* spans, size_t size, size_t start, size_t end) {
    return (is_gap(spans, start) && may_split(spans, size, start)) +
           (is_gap(spans, end - 1) && may_split(spans, size, end));
}

Py_ssize_t change_growth(const SpanMap* spans, size_t size, size_t start, size_t end) {
    return may_split(spans, size, start) + may_split(spans, size, end);
}

Py_ssize_t change_gain(const SpanMap* spans, size_t start, size_t end) { return count_runs(spans, start, end) - 1; }

// All runs become one, which joins the gaps on both sides.
Py_ssize_t decommit_growth(const SpanMap* spans, size_t size, size_t start, size_t end) {
    bool gap_before = start > 0 && is_gap(spans, start - 1);
    bool gap_after = end < size && is_gap(spans, end);
    return change_growth(spans, size, start, end) - change_gain(spans, start, end) - gap_before - gap_after;
}

Py_ssize_t release_growth(const SpanMap* spans, size_t size) { return 2 - count_runs(spans, 0, size); }
