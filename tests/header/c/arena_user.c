// A file that uses vmem_arena.h: several link with one implementation of each header.
#include "vmem_arena.h"

typedef VMEM_ARRAY(double) Numbers;

static bool push_numbers(Numbers* numbers) {
    size_t i;
    for (i = 0; i < 10000; i++) {
        if (vmem_array_push(numbers, (double)i) != VMEM_SUCCESS) return false;
    }
    return numbers->num_items == 10000 && *vmem_array_pop(numbers) > 9998;
}

static bool allocate_text(VmemArena* arena) {
    size_t mark = vmem_arena_mark(arena);
    char* text = VMEM_ARENA_NEW(arena, char, 10);
    return text && text[9] == 0 && vmem_arena_rewind(arena, mark) == VMEM_SUCCESS;
}

int main(void) {
    VmemArena arena;
    Numbers numbers;
    bool works;
    if (vmem_arena_init(&arena, 1 << 20) != VMEM_SUCCESS) return 1;
    if (vmem_array_init(&numbers, 10000) != VMEM_SUCCESS) return 1;
    works = push_numbers(&numbers) && allocate_text(&arena);
    works = works && vmem_array_release(&numbers) == VMEM_SUCCESS;
    return works && vmem_arena_release(&arena) == VMEM_SUCCESS ? 0 : 1;
}
