// An array of doubles that grows in place: 64 GiB of addresses, and memory only for the items that were pushed.
// It never moves, so a pointer to an item stays valid until the array is released.
#include <stdio.h>

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#define MAX_CAPACITY (sizeof(size_t) > 4 ? (size_t)64 << 30 : (size_t)1 << 30)
#define MIN_STEP ((size_t)64 << 10)  // a step commits as much memory as the array has, but at least this
#define MAX_STEP ((size_t)16 << 20)  // and at most this
#define NUM_ITEMS ((size_t)3 << 20)

typedef struct Array {
    double* items;
    size_t num_items;
    size_t num_committed, num_reserved;  // in bytes
} Array;

static int fail(const char* action, VmemResult result) {
    fprintf(stderr, "cannot %s: %s\n", action, vmem_result_message(result));
    return 1;
}

// Reserves as many addresses as the limits of the process allow, up to MAX_CAPACITY.
static VmemResult array_open(Array* array) {
    size_t capacity = MAX_CAPACITY;
    array->num_items = array->num_committed = 0;
    while ((array->items = (double*)vmem_reserve(capacity)) == NULL) {
        if (!vmem_get_capabilities().can_reserve) return VMEM_ERROR_UNSUPPORTED;
        if (capacity <= MAX_STEP) return VMEM_ERROR_OUT_OF_MEMORY;
        capacity /= 2;
    }
    array->num_reserved = capacity;
    return VMEM_SUCCESS;
}

static VmemResult array_grow(Array* array) {
    size_t step = array->num_committed, remaining = array->num_reserved - array->num_committed;
    VmemResult result;
    if (step < MIN_STEP) step = MIN_STEP;
    if (step > MAX_STEP) step = MAX_STEP;
    if (step > remaining) step = remaining;
    if (step == 0) return VMEM_ERROR_OUT_OF_MEMORY;
    result = vmem_commit((char*)array->items + array->num_committed, step);
    if (result == VMEM_SUCCESS) array->num_committed += step;
    return result;
}

static VmemResult array_push(Array* array, double item) {
    if (array->num_items == array->num_committed / sizeof item) {
        VmemResult result = array_grow(array);
        if (result != VMEM_SUCCESS) return result;
    }
    array->items[array->num_items++] = item;
    return VMEM_SUCCESS;
}

int main(void) {
    Array array;
    const double* first;
    size_t i, num_wrong = 0;
    VmemResult result = array_open(&array);
    if (result != VMEM_SUCCESS) return fail("reserve", result);
    printf("reserved %zu MiB of addresses\n", array.num_reserved >> 20);

    first = &array.items[0];  // the address before any memory is committed
    for (i = 0; i < NUM_ITEMS; i++) {
        result = array_push(&array, (double)i + 0.5);
        if (result != VMEM_SUCCESS) return fail("push", result);
    }
    for (i = 0; i < NUM_ITEMS; i++) num_wrong += array.items[i] < (double)i || array.items[i] > (double)i + 1;
    printf("pushed %zu items into %zu MiB of memory, %zu are wrong\n", i, array.num_committed >> 20, num_wrong);
    printf("item 0 is still at its address: %g\n", *first);
    num_wrong += first != array.items || *first < 0.5 || *first > 0.5;

    result = vmem_release(array.items, array.num_reserved);
    if (result != VMEM_SUCCESS) return fail("release", result);
    return num_wrong == 0 ? 0 : 1;
}
