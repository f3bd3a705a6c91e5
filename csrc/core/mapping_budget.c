// Counting all mappings of a process takes the kernel time in proportion to their number (25 ms for 60,000), so it is
// done rarely. A count sets the allowance to half of what the limit still permits, so that the next count comes early
// enough to include the mappings of other code. Between counts every change of ours is charged the most mappings that
// it can add, and credited the fewest that it can remove.
#include "core/mapping_budget.h"

// Below this the allowance is not halved: counting again and again would cost too much.
#define SMALL_ALLOWANCE 4096

// The allowance when the mappings cannot be counted because no file descriptor is free: enough for a few calls.
#define BLIND_ALLOWANCE 64

// How much of the headroom a release may use: it can split mappings before it removes them.
#define EXTRA_FOR_RELEASE 1024

// After a count that refuses a finalizer, this many more are refused without another count.
#define UNCOUNTED_REFUSALS 1024

// Mutable statics, because the limit applies to the process as a whole: all interpreters and all copies of the module
// share them.
static Py_ssize_t allowance;
static Py_ssize_t uncounted_refusals;  // how many are still to be made

uint64_t mapping_headroom(const VmemLimits* limits) {
    return limits->mapping_limit / 2 < MAPPING_HEADROOM ? limits->mapping_limit / 2 : MAPPING_HEADROOM;
}

static Py_ssize_t count_allowance(VmemLimits* limits) {
    vmem_get_limits(limits);
    if (limits->mapping_limit == VMEM_UNLIMITED) return PY_SSIZE_T_MAX / 2;
    if (limits->mapping_used == 0) return BLIND_ALLOWANCE;
    Py_ssize_t left = (Py_ssize_t)(limits->mapping_limit - mapping_headroom(limits)) - (Py_ssize_t)limits->mapping_used;
    return left > SMALL_ALLOWANCE ? left / 2 : left;
}

bool mapping_budget_surely_allows(Py_ssize_t growth, MappingPurpose purpose) {
    Py_ssize_t extra = purpose == FOR_COMMIT ? 0 : EXTRA_FOR_RELEASE;
    return growth <= 0 || growth <= counter_get(&allowance) + extra;
}

static bool count_and_allow(Py_ssize_t growth, MappingPurpose purpose, VmemLimits* limits) {
    counter_set(&allowance, count_allowance(limits));
    return mapping_budget_surely_allows(growth, purpose);
}

static bool allow_finalizer(Py_ssize_t growth) {
    VmemLimits limits;
    if (counter_add(&uncounted_refusals, -1) >= 0) return false;
    bool allowed = count_and_allow(growth, FOR_FINALIZER, &limits);
    counter_set(&uncounted_refusals, allowed ? 0 : UNCOUNTED_REFUSALS);
    return allowed;
}

bool mapping_budget_allows(Py_ssize_t growth, MappingPurpose purpose, VmemLimits* limits) {
    if (mapping_budget_surely_allows(growth, purpose)) return true;
    return purpose == FOR_FINALIZER ? allow_finalizer(growth) : count_and_allow(growth, purpose, limits);
}

void mapping_budget_charge(Py_ssize_t growth) { counter_add(&allowance, -growth); }
