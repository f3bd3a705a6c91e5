// Counting all mappings of a process takes the kernel time in proportion to their number (25 ms for 60,000), so it is
// done rarely. A count gives an allowance of half of what is left: what others map meanwhile, among them other
// interpreters with a budget of their own, shows in the next count. Between counts every change of ours is charged with
// the most that the kernel can make of it, and credited with the least.
#include "mappings.h"

// An allowance is not halved below this: counting again and again would cost more than it tells.
#define SMALL_ALLOWANCE 4096

// What is allowed when the mappings cannot be counted, for want of a file descriptor: enough to go on for a moment.
#define BLIND_ALLOWANCE 64

// How many quiet calls are refused before the mappings are counted again.
#define QUIET_REFUSALS 1024

struct MappingBudget {
    int64_t references;
    int64_t allowance;
    int64_t quiet_refusals;  // how many are to come
};

MappingBudget* mapping_budget_new(void) {
    MappingBudget* budget = PyMem_Malloc(sizeof *budget);
    if (!budget) {
        PyErr_NoMemory();
        return NULL;
    }
    budget->references = 1;
    budget->allowance = budget->quiet_refusals = 0;
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
    if (limits->mapping_used == 0) return BLIND_ALLOWANCE;
    int64_t left = (int64_t)(limits->mapping_limit - mapping_headroom(limits)) - (int64_t)limits->mapping_used;
    return left > SMALL_ALLOWANCE ? left / 2 : left;
}

bool mapping_budget_allows(MappingBudget* budget, int64_t growth, VmemLimits* limits) {
    int64_t allowance = counter_add(&budget->allowance, 0);
    if (growth <= allowance || growth <= 0) return true;
    int64_t counted = count_allowance(limits);
    counter_add(&budget->allowance, counted - allowance);
    return growth <= counted;
}

bool mapping_budget_allows_quietly(MappingBudget* budget, int64_t growth) {
    VmemLimits limits;
    if (growth <= 0 || growth <= counter_add(&budget->allowance, 0)) return true;
    if (counter_add(&budget->quiet_refusals, -1) >= 0) return false;
    bool allowed = mapping_budget_allows(budget, growth, &limits);
    counter_add(&budget->quiet_refusals, (allowed ? 0 : QUIET_REFUSALS) - counter_add(&budget->quiet_refusals, 0));
    return allowed;
}

void mapping_budget_add(MappingBudget* budget, int64_t growth) { counter_add(&budget->allowance, -growth); }
