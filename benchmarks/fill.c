// Fills memory in C: new memory, with huge pages where the system has them, populated shortly before it is written.
// fill.py compiles this file and loads it.
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// How much is populated at a time: one huge page. More was slower, because the first part was evicted from the caches
// before it was written: 8 MiB at a time took 15 % longer on one processor.
#define STEP ((size_t)2 << 20)

#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// Does nothing on systems without this advice.
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

// Writes `chunk` repeatedly until `num_bytes` are written, a multiple of `chunk_size`, which divides STEP. Returns the
// total nanoseconds, or -1 and sets errno; `*slowest` gets the nanoseconds of the slowest chunk. Does not unmap.
double fill(size_t num_bytes, const char* chunk, size_t chunk_size, double* slowest) {
    int64_t start = now(), before = start, longest = 0;
    void* mapping = mmap(NULL, num_bytes + 2 * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (mapping == MAP_FAILED) return -1;
    char* ptr = (char*)(((uintptr_t)mapping + STEP - 1) & ~(uintptr_t)(STEP - 1));
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
