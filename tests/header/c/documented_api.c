// A program that uses only the first seven functions and ignores the results of those that can fail. Such programs must
// build and work unchanged, so nothing newer belongs here.
#define VMEM_IMPLEMENTATION
#include "vmem.h"

static bool grow_in_place(char* bytes, size_t page_size) {
    vmem_commit(bytes, page_size);
    bytes[0] = 42;
    vmem_commit(bytes + page_size, page_size);
    bytes[page_size] = 43;
    return bytes[0] == 42 && bytes[page_size] == 43;
}

static bool shrink_and_grow_again(char* bytes, size_t page_size) {
    vmem_decommit(bytes + page_size, page_size);
    vmem_commit(bytes + page_size, page_size);
    return bytes[0] == 42 && bytes[page_size] == 0;
}

static bool align(uintptr_t address, size_t page_size) {
    uintptr_t below = vmem_align_backward(address + 1, page_size);
    uintptr_t above = vmem_align_forward(address + 1, page_size);
    return below == address && above == address + page_size;
}

int main(void) {
    size_t page_size = vmem_get_page_size();
    size_t capacity = 1024 * page_size;
    char* bytes = (char*)vmem_reserve(capacity);
    bool works;
    if (!bytes) return 1;
    works = grow_in_place(bytes, page_size) && shrink_and_grow_again(bytes, page_size);
    works = works && align((uintptr_t)bytes, page_size);
    vmem_release(bytes, capacity);
    return works ? 0 : 1;
}
