// Prints what vmem_get_memory_info() returns as two numbers, for tests that run it in a control group.
#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <stdio.h>

int main(void) {
    VmemMemoryInfo info;
    if (vmem_get_memory_info(&info) != VMEM_SUCCESS) return 1;
    printf("%llu %llu\n", (unsigned long long)info.total, (unsigned long long)info.available);
    return 0;
}
