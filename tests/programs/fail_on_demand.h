// Included before every source of the extension by tests/exhaustive/test_refusals.py: makes system calls fail on demand.
#ifndef FAIL_ON_DEMAND_H
#define FAIL_ON_DEMAND_H

#include <stdbool.h>

bool fails_on_demand(const char* call);
#define VMEM_FAIL(call) fails_on_demand(call)

// These can fail after they have changed a part of their pages.
#define mprotect mprotect_on_demand
#define mlock mlock_on_demand

// What is allocated without Python, so that it can be freed without Python.
#define calloc calloc_on_demand

#endif
