// A bump arena: allocating advances an offset, rewinding sets it back to a mark, and a reset starts the next frame.
#include <stdio.h>

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#define CAPACITY ((size_t)256 << 20)
#define STEP ((size_t)64 << 10)  // memory is committed in multiples of this

typedef struct Arena {
    char* base;
    size_t num_used, num_committed;  // in bytes; committed memory that is not used is zero
} Arena;

static int fail(const char* action, VmemResult result) {
    fprintf(stderr, "cannot %s: %s\n", action, vmem_result_message(result));
    return 1;
}

// Allocates zeroed memory at a multiple of `align`, a power of two up to the page size.
static VmemResult arena_allocate(Arena* arena, size_t num_bytes, size_t align, void** ptr) {
    size_t start = (size_t)vmem_align_forward(arena->num_used, align);
    if (start > CAPACITY || num_bytes > CAPACITY - start) return VMEM_ERROR_OUT_OF_MEMORY;
    if (start + num_bytes > arena->num_committed) {
        size_t end = (size_t)vmem_align_forward(start + num_bytes, STEP);
        VmemResult result = vmem_commit(arena->base + arena->num_committed, end - arena->num_committed);
        if (result != VMEM_SUCCESS) return result;
        arena->num_committed = end;
    }
    arena->num_used = start + num_bytes;
    *ptr = arena->base + start;
    return VMEM_SUCCESS;
}

// Frees what was allocated since `num_used` was `mark`, and returns its memory except for the step that holds the mark.
static VmemResult arena_rewind(Arena* arena, size_t mark) {
    size_t kept = (size_t)vmem_align_forward(mark, STEP), num_dropped = arena->num_committed - kept;
    char* stale = arena->base + mark;
    VmemResult result = num_dropped ? vmem_decommit(arena->base + kept, num_dropped) : VMEM_SUCCESS;
    // After both of these results the pages can be committed again.
    if (result != VMEM_SUCCESS && result != VMEM_DECOMMIT_INCOMPLETE) return result;
    while (stale < arena->base + (arena->num_used < kept ? arena->num_used : kept)) *stale++ = 0;
    arena->num_committed = kept;
    arena->num_used = mark;
    return VMEM_SUCCESS;
}

// Frees everything. The memory stays committed and reads zero, but uses no physical memory until it is touched again.
// If this fails, the arena can only be released: on some systems its memory is decommitted then.
static VmemResult arena_reset(Arena* arena) {
    VmemResult result = arena->num_used ? vmem_discard(arena->base, arena->num_used) : VMEM_SUCCESS;
    if (result == VMEM_SUCCESS) arena->num_used = 0;
    return result;
}

int main(void) {
    Arena arena = {NULL, 0, 0};
    size_t frame, mark, num_wrong = 0;
    void *small, *large;
    VmemResult result;
    arena.base = (char*)vmem_reserve(CAPACITY);
    if (!arena.base) return fail("reserve", VMEM_ERROR_OUT_OF_MEMORY);

    for (frame = 0; frame < 100; frame++) {
        if ((result = arena_allocate(&arena, 3, 1, &small)) != VMEM_SUCCESS) return fail("allocate", result);
        num_wrong += small != arena.base || *(char*)small != 0;
        *(char*)small = 42;

        mark = arena.num_used;
        if ((result = arena_allocate(&arena, 1 << 20, 64, &large)) != VMEM_SUCCESS) return fail("allocate", result);
        num_wrong += !vmem_is_aligned((uintptr_t)large, 64) || *(char*)large != 0;
        *(char*)large = 43;
        if ((result = arena_rewind(&arena, mark)) != VMEM_SUCCESS) return fail("rewind", result);
        num_wrong += *(char*)small != 42;
        if ((result = arena_reset(&arena)) != VMEM_SUCCESS) return fail("reset", result);
    }
    printf("%zu frames, %zu wrong contents or addresses\n", frame, num_wrong);
    printf("%zu KiB are committed at the end\n", arena.num_committed >> 10);
    if ((result = vmem_release(arena.base, CAPACITY)) != VMEM_SUCCESS) return fail("release", result);
    return num_wrong == 0 ? 0 : 1;
}
