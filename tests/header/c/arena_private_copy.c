// Private copies of both headers, of which few functions are used: the unused ones must not cause warnings.
#define VMEM_API static inline
#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

int main(void) {
    VmemArena arena;
    if (vmem_arena_init(&arena, 100) != VMEM_SUCCESS) return 1;
    if (!vmem_arena_alloc(&arena, 100, 1)) return 1;
    return vmem_arena_release(&arena) == VMEM_SUCCESS ? 0 : 1;
}
