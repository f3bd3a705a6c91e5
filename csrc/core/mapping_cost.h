// The most that a change adds to the mappings of the process. The kernel merges adjacent mappings of equal properties,
// also across the ends of a reservation, so that a change there can split a mapping which a neighbour shares. Merging
// of committed pages must not be relied on (after a fork it does not happen); pages that are only reserved always
// merge.
#ifndef VMEM_MAPPING_COST_H
#define VMEM_MAPPING_COST_H

#include "core/spans.h"

typedef struct MappedRange {
    const SpanMap* spans;
    size_t size;
    bool can_merge;  // mappings at the two ends can extend beyond them
} MappedRange;

// For pages that are about to be committed, at least one of which is not yet.
Py_ssize_t mapping_cost_of_commit(MappedRange range, Pages pages);

// For committed pages that all get the same protection or lock; and how many mappings that removes, if the kernel
// merges the pages.
Py_ssize_t mapping_cost_of_change(MappedRange range, Pages pages);
Py_ssize_t mapping_gain_of_change(MappedRange range, Pages pages);

// For pages that are about to be decommitted, of which the first and the last are committed.
Py_ssize_t mapping_cost_of_decommit(MappedRange range, Pages pages);

// For the whole of a reservation.
Py_ssize_t mapping_cost_of_release(MappedRange range);

#endif
