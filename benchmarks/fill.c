// What it takes to fill memory in C: fresh memory with huge pages where there are any, got shortly before it is written.
// fill.py compiles this file and loads it.
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// So much is populated at a time: one huge page. More was slower, because the caches had lost the first of it again
// when it was written: 8 MiB at a time took 15 % longer on one processor.
#define STEP ((size_t)2 << 20)

#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// What a system does not know, it does without.
static void use_huge_pages(char* ptr, size_t size) {
#if defined(__linux__)
    madvise(ptr, size, MADV_HUGEPAGE);
#else
    (void)ptr, (void)size;
#endif
}

static void populate(char* ptr) {
#if defined(__linux__)
    madvise(ptr, STEP, MADV_POPULATE_WRITE);
#else
    (void)ptr;
#endif
}

// Writes `chunk` one time after the other until there are `num_bytes`, a multiple of its size, which divides STEP.
// Returns the nanoseconds for all, or -1 with errno, and gives those of the slowest chunk. The memory is left mapped.
double fill(size_t num_bytes, const char* chunk, size_t chunk_size, double* slowest) {
    int64_t start = now(), before = start, longest = 0;
    void* room = mmap(NULL, num_bytes + 2 * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (room == MAP_FAILED) return -1;
    char* ptr = (char*)(((uintptr_t)room + STEP - 1) & ~(uintptr_t)(STEP - 1));
    use_huge_pages(ptr, num_bytes + STEP);
    for (size_t done = 0; done < num_bytes; done += chunk_size) {
        if (done % STEP == 0) populate(ptr + done);
        memcpy(ptr + done, chunk, chunk_size);
        int64_t after = now();
        if (after - before > longest) longest = after - before;
        before = after;
    }
    *slowest = (double)longest;
    return (double)(before - start);
}
