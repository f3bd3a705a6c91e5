// Keeps the process clear of the limit on its mappings (vm.max_map_count). The kernel keeps one mapping for every run
// of pages with equal properties, and limits their number. A process that has used the last one cannot start a thread,
// import a module or, soon, allocate memory. So the mappings that this package adds are counted, and refused
// MAPPING_HEADROOM short of the limit.
#ifndef VMEM_MAPPING_BUDGET_H
#define VMEM_MAPPING_BUDGET_H

#include "python/compat.h"
#include "vmem.h"

// How many mappings are left to the rest of the process, where the limit is large enough for that.
#define MAPPING_HEADROOM 4096

typedef enum MappingPurpose {
    FOR_COMMIT,    // any request but a release
    FOR_RELEASE,   // may use a part of the headroom, because releasing is how to get away from the limit
    FOR_FINALIZER  // the same, where a refusal is not reported: near the limit, not every call counts again
} MappingPurpose;

// How many of the mappings that `limits` allows this package does not use: MAPPING_HEADROOM, or half of a very low
// limit.
uint64_t mapping_headroom(const VmemLimits* limits);

// Whether `growth` more mappings may be made. When not, `limits` holds what was counted; it may be NULL for finalizers.
bool mapping_budget_allows(Py_ssize_t growth, MappingPurpose purpose, VmemLimits* limits);

// The same without counting again: whether the last count allows it.
bool mapping_budget_surely_allows(Py_ssize_t growth, MappingPurpose purpose);

// Records that mappings were made or, with a negative number, removed.
void mapping_budget_charge(Py_ssize_t growth);

#endif
