// The last numbers of a stream, oldest first in one piece: the memory is mapped twice in a row, so that nothing that is
// read or written has to be split where the ring begins again.
#include <stdio.h>

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#define NUM_ITEMS 100000

typedef struct Ring {
    VmemObject object;
    uint32_t* items;
    size_t num_bytes, capacity;  // of one of the two mappings; capacity in items
    size_t num_pushed;
} Ring;

static int fail(const char* action, VmemResult result) {
    fprintf(stderr, "cannot %s: %s\n", action, vmem_result_message(result));
    return 1;
}

static VmemResult ring_open(Ring* ring) {
    VmemResult result;
    ring->num_bytes = vmem_get_allocation_granularity();
    ring->capacity = ring->num_bytes / sizeof ring->items[0];
    ring->num_pushed = 0;
    result = vmem_object_create(&ring->object, ring->num_bytes, "ring");
    if (result != VMEM_SUCCESS) return result;
    result = vmem_object_commit(&ring->object, 0, ring->num_bytes);
    ring->items = result == VMEM_SUCCESS
                      ? (uint32_t*)vmem_object_map_mirrored(&ring->object, ring->num_bytes, 0, VMEM_READ_WRITE)
                      : NULL;
    if (ring->items) return VMEM_SUCCESS;
    vmem_object_close(&ring->object);
    return result == VMEM_SUCCESS ? VMEM_ERROR_OUT_OF_MEMORY : result;
}

static void ring_push(Ring* ring, uint32_t item) { ring->items[ring->num_pushed++ % ring->capacity] = item; }

// The last `count` items, at most as many as the ring has.
static const uint32_t* ring_last(const Ring* ring, size_t count) {
    return ring->items + (ring->num_pushed - count) % ring->capacity;
}

int main(void) {
    Ring ring;
    size_t num_wrong = 0, count, i;
    uint32_t item;
    VmemResult result = ring_open(&ring);
    if (result != VMEM_SUCCESS) return fail("make a ring", result);

    for (item = 0; item < NUM_ITEMS; item++) {
        const uint32_t* last;
        ring_push(&ring, item);
        count = ring.num_pushed < 16 ? ring.num_pushed : 16;
        last = ring_last(&ring, count);
        for (i = 0; i < count; i++) num_wrong += last[i] != item - (uint32_t)(count - 1 - i);
    }
    printf("pushed %zu items into %zu KiB, %zu of those read back are wrong\n", ring.num_pushed, ring.num_bytes >> 10,
           num_wrong);
    printf("the last item is %u\n", (unsigned)*ring_last(&ring, 1));

    result = vmem_object_unmap_mirrored(ring.items, ring.num_bytes, 0);
    if (result != VMEM_SUCCESS) return fail("unmap the ring", result);
    result = vmem_object_close(&ring.object);
    if (result != VMEM_SUCCESS) return fail("close the object", result);
    return num_wrong == 0 ? 0 : 1;
}
