#include "core/mapping_cost.h"

static bool is_gap(const SpanMap* spans, size_t offset) {
    const Span* span = spans_find(spans, offset);
    return !span || span->start > offset;
}

// Whether `offset` may lie inside one mapping. At its ends a reservation may share one with a neighbour.
static bool may_split(MappedRange range, size_t offset) {
    if (offset == 0 || offset == range.size) return range.can_merge;
    const Span* before = spans_find(range.spans, offset - 1);
    return before == spans_find(range.spans, offset) && (!before || before->start != offset);
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
Py_ssize_t mapping_cost_of_commit(MappedRange range, Pages pages) {
    return (is_gap(range.spans, pages.start) && may_split(range, pages.start)) +
           (is_gap(range.spans, pages.end - 1) && may_split(range, pages.end));
}

Py_ssize_t mapping_cost_of_change(MappedRange range, Pages pages) {
    return may_split(range, pages.start) + may_split(range, pages.end);
}

Py_ssize_t mapping_gain_of_change(MappedRange range, Pages pages) {
    return count_runs(range.spans, pages.start, pages.end) - 1;
}

// All runs become one, which merges with the gaps on both sides.
Py_ssize_t mapping_cost_of_decommit(MappedRange range, Pages pages) {
    bool gap_before = pages.start > 0 && is_gap(range.spans, pages.start - 1);
    bool gap_after = pages.end < range.size && is_gap(range.spans, pages.end);
    return mapping_cost_of_change(range, pages) - mapping_gain_of_change(range, pages) - gap_before - gap_after;
}

Py_ssize_t mapping_cost_of_release(MappedRange range) {
    return (range.can_merge ? 2 : 0) - count_runs(range.spans, 0, range.size);
}
