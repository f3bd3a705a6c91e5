// Keeps this process away from its last mappings. The kernel keeps one mapping for every run of pages with equal
// properties, and limits their number. A process that uses the last one dies: it can start no thread, import no module
// and soon allocate nothing. So what this package adds is counted, and refused a good way before the limit.
#ifndef VMEM_MAPPINGS_H
#define VMEM_MAPPINGS_H

#include "compat.h"
#include "vmem.h"

// How many mappings are left to the rest of the process, where the limit is large enough for that.
#define MAPPING_HEADROOM 4096

// How many of the mappings that `limits` allows are left alone: MAPPING_HEADROOM, or half of a very low limit.
uint64_t mapping_headroom(const VmemLimits* limits);

// Whether `growth` more mappings may be made. When the answer is no, `limits` says why.
bool mappings_allow(Py_ssize_t growth, VmemLimits* limits);

// The same for a release, which may go a little closer to the limit.
bool mappings_allow_release(Py_ssize_t growth, VmemLimits* limits);

// The same where a refusal is no news: close to the limit it does not count again for every call.
bool mappings_allow_quiet_release(Py_ssize_t growth);

// The same from the last count alone.
bool mappings_surely_allow_release(Py_ssize_t growth);

// Records that mappings were made, or with a negative number, given up.
void mappings_add(Py_ssize_t growth);

#endif
