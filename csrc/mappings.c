// Counting all mappings of a process takes the kernel time in proportion to their number (25 ms for 60,000), so it is
// done rarely: a count gives an allowance, and the next count is due when that is used up. Between counts the growth is
// known from our own record, which never estimates less than what the kernel has. What others map meanwhile is not
// known, so a large allowance ends early enough to notice.
#include "mappings.h"

// This much of what is left is held back until the next count, where more than twice as much is left.
#define HELD_BACK 8192

struct MappingBudget {
    int64_t references;
    int64_t allowance;
};

MappingBudget* mapping_budget_new(void) {
    MappingBudget* budget = PyMem_Malloc(sizeof *budget);
    if (!budget) {
        PyErr_NoMemory();
        return NULL;
    }
    budget->references = 1;
    budget->allowance = 0;
    return budget;
}

MappingBudget* mapping_budget_ref(MappingBudget* budget) {
    counter_add(&budget->references, 1);
    return budget;
}

void mapping_budget_unref(MappingBudget* budget) {
    if (counter_add(&budget->references, -1) == 0) PyMem_Free(budget);
}

uint64_t mapping_headroom(const VmemLimits* limits) {
    return limits->mapping_limit / 2 < MAPPING_HEADROOM ? limits->mapping_limit / 2 : MAPPING_HEADROOM;
}

static int64_t count_allowance(VmemLimits* limits) {
    vmem_get_limits(limits);
    if (limits->mapping_limit == VMEM_UNLIMITED) return INT64_MAX / 2;
    int64_t left = (int64_t)(limits->mapping_limit - mapping_headroom(limits)) - (int64_t)limits->mapping_used;
    return left > 2 * HELD_BACK ? left - HELD_BACK : left;
}

bool mapping_budget_allows(MappingBudget* budget, int64_t growth, VmemLimits* limits) {
    int64_t allowance = counter_add(&budget->allowance, 0);
    if (growth <= allowance || growth <= 0) return true;
    int64_t counted = count_allowance(limits);
    counter_add(&budget->allowance, counted - allowance);
    return growth <= counted;
}

void mapping_budget_add(MappingBudget* budget, int64_t growth) { counter_add(&budget->allowance, -growth); }
