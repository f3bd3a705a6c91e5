// What a change adds to the mappings of the process at most. The kernel joins what lies next to each other and is
// alike, also across the borders of a reservation, so a change there may split a mapping that a neighbour has a part
// in. That it joins what is committed cannot be relied on: after a fork it does not. What is only reserved it always
// joins.
#ifndef VMEM_MAPPING_GROWTH_H
#define VMEM_MAPPING_GROWTH_H

#include "spans.h"

// For pages that are about to be committed, of which one or more are not yet.
Py_ssize_t commit_growth(const SpanMap* spans, size_t size, size_t start, size_t end);

// For committed pages whose protection or lock changes; and how many mappings fewer that can become, because the pages
// are alike then, if the kernel joins them.
Py_ssize_t change_growth(const SpanMap* spans, size_t size, size_t start, size_t end);
Py_ssize_t change_gain(const SpanMap* spans, size_t start, size_t end);

// For pages that are about to be decommitted, of which the first and the last are committed.
Py_ssize_t decommit_growth(const SpanMap* spans, size_t size, size_t start, size_t end);

// For the whole of a reservation.
Py_ssize_t release_growth(const SpanMap* spans, size_t size);

#endif
