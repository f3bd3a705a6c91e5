// Prints its input with the last line first. The text grows in place, up to 1 GiB: nothing is copied.
#include <stdio.h>

#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

#define CAPACITY ((size_t)1 << 30)
#define STEP ((size_t)1 << 16)

int main(void) {
    VMEM_ARRAY(char) text;
    VmemResult result = vmem_array_init(&text, CAPACITY);
    size_t length, num_read = STEP;
    while (result == VMEM_SUCCESS && num_read == STEP) {
        result = vmem_array_ensure(&text, STEP);
        if (result != VMEM_SUCCESS) break;
        num_read = fread(text.items + text.num_items, 1, STEP, stdin);
        text.num_items += num_read;
    }
    if (result != VMEM_SUCCESS) {
        fprintf(stderr, "%s\n", vmem_result_message(result));
        return 1;
    }

    length = text.num_items;
    while (length > 0) {
        size_t start = length - 1;
        while (start > 0 && text.items[start - 1] != '\n') start--;
        fwrite(text.items + start, 1, length - start, stdout);
        length = start;
    }
    return vmem_array_release(&text) != VMEM_SUCCESS;
}
