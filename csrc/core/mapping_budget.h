// Keeps this process away from its last mappings. The kernel keeps one mapping for every run of pages with equal
// properties, and limits their number. A process that has used the last one cannot start a thread, import a module or, soon,
// allocate memory. So the mappings that this package adds are counted, and refused some way before the limit.
#ifndef VMEM_MAPPING_BUDGET_H
#define VMEM_MAPPING_BUDGET_H

#include "python/compat.h"
#include "vmem.h"

// How many mappings are left to the rest of the process, where the limit is large enough for that.
#define MAPPING_HEADROOM 4096

typedef enum MappingPurpose {
    FOR_COMMIT,    // any request but a release
    FOR_RELEASE,   // may use a part of the headroom: it is the way out of having too many mappings
    FOR_FINALIZER  // the same, where a refusal is not reported: near the limit it does not count again for every call
} MappingPurpose;

// How many of the mappings that `limits` allows are left alone: MAPPING_HEADROOM, or half of a very low limit.
uint64_t mapping_headroom(const VmemLimits* limits);

// Whether `growth` more mappings may be made. When not, `limits` holds what was counted; it may be NULL for finalizers.
bool mapping_budget_allows(Py_ssize_t growth, MappingPurpose purpose, VmemLimits* limits);

// Whether the last count alone allows it.
bool mapping_budget_surely_allows(Py_ssize_t growth, MappingPurpose purpose);

// Records that mappings were made or, with a negative number, removed.
void mapping_budget_charge(Py_ssize_t growth);

#endif
