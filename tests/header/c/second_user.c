// A second file that uses vmem.h: several files link with one implementation.
#include "vmem.h"

void* second_user_reserve_and_commit(size_t num_bytes);

void* second_user_reserve_and_commit(size_t num_bytes) {
    void* ptr = vmem_reserve(num_bytes);
    if (!ptr) return NULL;
    if (vmem_commit(ptr, num_bytes) == VMEM_SUCCESS) return ptr;
    vmem_release(ptr, num_bytes);
    return NULL;
}
