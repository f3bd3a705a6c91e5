// A private copy of vmem.h, of which two functions are used: the unused ones must not cause warnings.
#define VMEM_API static inline
#define VMEM_IMPLEMENTATION
#include "vmem.h"

int main(void) {
    void* ptr = vmem_reserve(1);
    return ptr && vmem_release(ptr, 1) == VMEM_SUCCESS ? 0 : 1;
}
