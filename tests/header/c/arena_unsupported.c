// Tests vmem_arena.h on an unsupported system: built without the macros that name the system. Prints each check that
// fails, then "N checks, M failed".

#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

#include "check.h"

int main(void) {
    VmemArena arena;
    VMEM_ARRAY(int) array;
    CHECK(vmem_arena_init(&arena, 4096) == VMEM_ERROR_UNSUPPORTED);
    CHECK(vmem_arena_init(&arena, 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_arena_alloc(&arena, 1, 1) == NULL);
    CHECK(vmem_arena_release(&arena) == VMEM_SUCCESS);
    CHECK(vmem_array_init(&array, 10) == VMEM_ERROR_UNSUPPORTED);
    CHECK(vmem_array_push(&array, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(array.items == NULL && array.num_items == 0);
    CHECK(vmem_array_release(&array) == VMEM_SUCCESS);
    return report();
}
