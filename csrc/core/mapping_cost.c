#include "core/mapping_cost.h"

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

// A lower bound of the number of mappings in a range: its runs of pages with equal properties.
static Py_ssize_t count_runs(const SpanMap* spans, size_t start, size_t end) {
    Py_ssize_t num_runs = 0;
    while (start < end) {
        const Span* span = spans_find(spans, start);
        num_runs++;
        start = !span ? end : span->start > start ? span->start : span->end;
    }
    return num_runs;
}

// Committed pages may stay a mapping of their own, so only ends that lie inside a gap cost one.
Py_ssize_t mapping_cost_of_commit(const SpanMap* spans, size_t size, Pages pages) {
    return (is_gap(spans, pages.start) && may_split(spans, size, pages.start)) +
           (is_gap(spans, pages.end - 1) && may_split(spans, size, pages.end));
}

Py_ssize_t mapping_cost_of_change(const SpanMap* spans, size_t size, Pages pages) {
    return may_split(spans, size, pages.start) + may_split(spans, size, pages.end);
}

Py_ssize_t mapping_gain_of_change(const SpanMap* spans, Pages pages) {
    return count_runs(spans, pages.start, pages.end) - 1;
}

// All runs become one, which merges with the gaps on both sides.
Py_ssize_t mapping_cost_of_decommit(const SpanMap* spans, size_t size, Pages pages) {
    bool gap_before = pages.start > 0 && is_gap(spans, pages.start - 1);
    bool gap_after = pages.end < size && is_gap(spans, pages.end);
    return mapping_cost_of_change(spans, size, pages) - mapping_gain_of_change(spans, pages) - gap_before - gap_after;
}

Py_ssize_t mapping_cost_of_release(const SpanMap* spans, size_t size) { return 2 - count_runs(spans, 0, size); }
