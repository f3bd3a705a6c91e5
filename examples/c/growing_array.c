// An array of doubles that grows in place: 64 GiB of addresses, and memory only for the items that were pushed.
// It never moves, so a pointer to an item stays valid until the array is released.
#include <stdio.h>

#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

#define MAX_ITEMS ((sizeof(size_t) > 4 ? (size_t)64 << 30 : (size_t)1 << 30) / sizeof(double))
#define NUM_ITEMS ((size_t)3 << 20)

typedef VMEM_ARRAY(double) Doubles;

static int fail(const char* action, VmemResult result) {
    fprintf(stderr, "cannot %s: %s\n", action, vmem_result_message(result));
    return 1;
}

// Reserves as many addresses as the limits of the process allow, for MAX_ITEMS at most.
static VmemResult doubles_init(Doubles* doubles) {
    size_t max_items = MAX_ITEMS;
    VmemResult result;
    while ((result = vmem_array_init(doubles, max_items)) == VMEM_ERROR_OUT_OF_MEMORY && max_items > NUM_ITEMS)
        max_items /= 2;
    return result;
}

int main(void) {
    Doubles doubles;
    const double* first;
    size_t i, num_wrong = 0;
    VmemResult result = doubles_init(&doubles);
    if (result != VMEM_SUCCESS) return fail("reserve", result);
    printf("reserved %zu MiB of addresses\n", doubles.memory.arena.max_bytes >> 20);

    first = &doubles.items[0];  // the address before any memory is committed
    for (i = 0; i < NUM_ITEMS; i++) {
        result = vmem_array_push(&doubles, (double)i + 0.5);
        if (result != VMEM_SUCCESS) return fail("push", result);
    }
    for (i = 0; i < NUM_ITEMS; i++) num_wrong += doubles.items[i] < (double)i || doubles.items[i] > (double)i + 1;
    printf("pushed %zu items into %zu MiB of memory, %zu are wrong\n", doubles.num_items,
           doubles.memory.arena.num_committed >> 20, num_wrong);
    printf("item 0 is still at its address: %g\n", *first);
    num_wrong += first != doubles.items || *first < 0.5 || *first > 0.5;

    result = vmem_array_release(&doubles);
    if (result != VMEM_SUCCESS) return fail("release", result);
    return num_wrong == 0 ? 0 : 1;
}
