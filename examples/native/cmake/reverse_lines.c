// Prints its input with the last line first. The text grows in place, up to 1 GiB: nothing is copied.
#include <stdio.h>

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#define CAPACITY ((size_t)1 << 30)
#define STEP ((size_t)1 << 16)

int main(void) {
    char* text = (char*)vmem_reserve(CAPACITY);
    size_t length = 0, num_read;
    if (!text) return 1;
    do {
        VmemResult result = length + STEP <= CAPACITY ? vmem_commit(text + length, STEP) : VMEM_ERROR_OUT_OF_MEMORY;
        if (result != VMEM_SUCCESS) {
            fprintf(stderr, "%s\n", vmem_result_message(result));
            return 1;
        }
        num_read = fread(text + length, 1, STEP, stdin);
        length += num_read;
    } while (num_read == STEP);

    while (length > 0) {
        size_t start = length - 1;
        while (start > 0 && text[start - 1] != '\n') start--;
        fwrite(text + start, 1, length - start, stdout);
        length = start;
    }
    return vmem_release(text, CAPACITY) != VMEM_SUCCESS;
}
