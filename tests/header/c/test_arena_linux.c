// What the kernel reports of the memory of vmem_arena.h. Linux only.
// Prints each check that fails, then "N checks, M failed".

#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

#define MIB ((size_t)1 << 20)

static char* allocate(VmemArena* arena, size_t num_bytes) {
    char* bytes = (char*)vmem_arena_alloc(arena, num_bytes, 1);
    REQUIRE(bytes != NULL);
    return bytes;
}

static size_t count_resident(const VmemArena* arena) {
    size_t num_bytes = 0;
    REQUIRE(vmem_count_resident(arena->base, arena->max_bytes, &num_bytes) == VMEM_SUCCESS);
    return num_bytes;
}

// How many bytes from this address on are in mappings with the advice for huge pages.
static size_t count_advised(const char* start, size_t num_bytes) {
    char line[512];
    size_t count = 0;
    unsigned long first = 0, end = 0, low = (unsigned long)(uintptr_t)start, high = low + num_bytes;
    FILE* file = fopen("/proc/self/smaps", "r");
    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file)) {
        unsigned long a, b;
        if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
            first = a < low ? low : a;
            end = b > high ? high : b;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " hg") && first < end) {
            count += end - first;
        }
    }
    fclose(file);
    return count;
}

static void test_resident_memory(void) {
    VmemArena arena;
    REQUIRE(vmem_arena_init(&arena, 64 * MIB) == VMEM_SUCCESS);
    CHECK(count_resident(&arena) == 0);
    memset(allocate(&arena, 4 * MIB), 1, 4 * MIB);
    CHECK(count_resident(&arena) >= 4 * MIB && count_resident(&arena) < 5 * MIB);
    CHECK(vmem_arena_rewind(&arena, 100) == VMEM_SUCCESS);
    CHECK(count_resident(&arena) >= 4 * MIB);
    CHECK(vmem_arena_trim(&arena) == VMEM_SUCCESS);
    CHECK(count_resident(&arena) == vmem_get_page_size());
    // Fresh memory is not touched to zero it.
    allocate(&arena, 4 * MIB);
    CHECK(count_resident(&arena) == vmem_get_page_size());
    CHECK(vmem_arena_release(&arena) == VMEM_SUCCESS);
}

static void test_pages_beyond_what_is_committed_are_reserved(void) {
    VmemArena arena;
    VmemRange range;
    REQUIRE(vmem_arena_init(&arena, 64 * MIB) == VMEM_SUCCESS);
    CHECK(vmem_query(arena.base, &range) == VMEM_SUCCESS && range.state == VMEM_RESERVED);
    allocate(&arena, 3 * MIB);
    CHECK(vmem_query(arena.base, &range) == VMEM_SUCCESS && range.state == VMEM_COMMITTED);
    CHECK((char*)range.base + range.size == arena.base + arena.num_committed);
    CHECK(vmem_arena_rewind(&arena, 0) == VMEM_SUCCESS && vmem_arena_trim(&arena) == VMEM_SUCCESS);
    CHECK(vmem_query(arena.base, &range) == VMEM_SUCCESS && range.state == VMEM_RESERVED);
    CHECK(vmem_arena_release(&arena) == VMEM_SUCCESS);
}

// All but the first steps, and the parts at both ends that are not a whole huge page.
static void check_advised(const char* start, size_t num_bytes) {
    if (vmem_get_huge_page_size() == 0) return;
    CHECK(count_advised(start, 8 * MIB) <= 8 * MIB);
    CHECK(count_advised(start, num_bytes) >= num_bytes - 8 * MIB - 2 * vmem_get_huge_page_size());
}

static void test_huge_pages(void) {
    VmemArena arena;
    VMEM_ARRAY(double) array;
    size_t i;
    REQUIRE(vmem_arena_init(&arena, 256 * MIB) == VMEM_SUCCESS);
    for (i = 0; i < 7; i++) allocate(&arena, MIB);
    CHECK(count_advised(arena.base, arena.max_bytes) == 0);
    for (i = 0; i < 93; i++) allocate(&arena, MIB);
    check_advised(arena.base, 100 * MIB);
    CHECK(vmem_arena_rewind(&arena, 10 * MIB) == VMEM_SUCCESS && vmem_arena_trim(&arena) == VMEM_SUCCESS);
    allocate(&arena, 200 * MIB);
    check_advised(arena.base, 210 * MIB);
    CHECK(vmem_arena_release(&arena) == VMEM_SUCCESS);

    REQUIRE(vmem_array_init(&array, 32 * MIB) == VMEM_SUCCESS);
    CHECK(vmem_array_ensure(&array, 16 * MIB) == VMEM_SUCCESS);
    check_advised((char*)array.items, 16 * MIB * sizeof(double));
    CHECK(vmem_array_release(&array) == VMEM_SUCCESS);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    test_resident_memory();
    test_pages_beyond_what_is_committed_are_reserved();
    test_huge_pages();
    return report();
}
