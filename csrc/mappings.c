// Counting all mappings of a process takes the kernel time in proportion to their number (25 ms for 60,000), so it is
// done rarely. A count gives an allowance of half of what is left, so that what others map meanwhile shows in the next
// count. Between counts every change of ours is charged with the most that the kernel can make of it, and credited with
// the least.
#include "mappings.h"

// An allowance is not halved below this: counting again and again would cost more than it tells.
#define SMALL_ALLOWANCE 4096

// What is allowed when the mappings cannot be counted, for want of a file descriptor: enough to go on for a moment.
#define BLIND_ALLOWANCE 64

// What a release may use of the headroom: giving back what lies among others can split mappings first, and is still the
// way out of having too many.
#define EXTRA_FOR_RELEASE 1024

// How many quiet calls are refused before the mappings are counted again, when there were not even so many left.
#define QUIET_REFUSALS 1024

// The limit is one for the process, and so are these, whatever number of interpreters and copies of the module it has.
static Py_ssize_t allowance;
static Py_ssize_t quiet_refusals;  // how many are to come

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

static bool fits(Py_ssize_t growth, Py_ssize_t extra) {
    return growth <= 0 || growth <= counter_get(&allowance) + extra;
}

static bool allow(Py_ssize_t growth, Py_ssize_t extra, VmemLimits* limits) {
    if (fits(growth, extra)) return true;
    counter_set(&allowance, count_allowance(limits));
    return fits(growth, extra);
}

bool mappings_allow(Py_ssize_t growth, VmemLimits* limits) { return allow(growth, 0, limits); }

bool mappings_allow_release(Py_ssize_t growth, VmemLimits* limits) { return allow(growth, EXTRA_FOR_RELEASE, limits); }

bool mappings_surely_allow_release(Py_ssize_t growth) { return fits(growth, EXTRA_FOR_RELEASE); }

bool mappings_allow_quiet_release(Py_ssize_t growth) {
    VmemLimits limits;
    if (fits(growth, EXTRA_FOR_RELEASE)) return true;
    if (counter_add(&quiet_refusals, -1) >= 0) return false;
    bool allowed = mappings_allow_release(growth, &limits);
    counter_set(&quiet_refusals, allowed ? 0 : QUIET_REFUSALS);
    return allowed;
}

void mappings_add(Py_ssize_t growth) { counter_add(&allowance, -growth); }
