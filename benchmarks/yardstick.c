// The cost of the operating system alone: the system calls behind vmem's methods in plain loops.
//
// Every function repeats its work `iterations` times and returns the nanoseconds per iteration, or -1 if a call failed,
// with errno as set by that call. region.py compiles this file and loads it.
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#define RESERVED (MAP_PRIVATE | MAP_ANONYMOUS)

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static double nanoseconds_each(int64_t start, size_t iterations) {
    return (double)(now() - start) / (double)iterations;
}

// Reserved memory is left out of core dumps, committed memory is not. vmem makes the same calls.
static void set_dumped(char* ptr, size_t num_bytes, int is_dumped) {
#if defined(MADV_DONTDUMP)
    madvise(ptr, num_bytes, is_dumped ? MADV_DODUMP : MADV_DONTDUMP);
#else
    (void)ptr, (void)num_bytes, (void)is_dumped;
#endif
}

static char* reserve(size_t num_bytes) {
    void* ptr = mmap(NULL, num_bytes, PROT_NONE, RESERVED, -1, 0);
    if (ptr == MAP_FAILED) return NULL;
    set_dumped(ptr, num_bytes, 0);
    return ptr;
}

static int commit(char* ptr, size_t num_bytes) {
    if (mprotect(ptr, num_bytes, PROT_READ | PROT_WRITE) != 0) return -1;
    set_dumped(ptr, num_bytes, 1);
    return 0;
}

static int decommit(char* ptr, size_t num_bytes) {
    if (mmap(ptr, num_bytes, PROT_NONE, RESERVED | MAP_FIXED, -1, 0) == MAP_FAILED) return -1;
    set_dumped(ptr, num_bytes, 0);
    return 0;
}

static void use_small_pages(char* ptr, size_t num_bytes) {
#if defined(MADV_NOHUGEPAGE)
    madvise(ptr, num_bytes, MADV_NOHUGEPAGE);  // fails only on kernels without huge pages
#else
    (void)ptr, (void)num_bytes;
#endif
}

// Writes one byte to each page, from an array, as a slice assignment does. The code around a page fault affects the cost
// of the fault: on one processor this loop was 15 % faster when inlined, and at a few of its possible addresses. As a
// separate, aligned function it has the cost that it has at most addresses, whatever the compiler does elsewhere.
__attribute__((noinline, aligned(64))) static void touch(char* ptr, const char* bytes, size_t num_pages,
                                                         size_t page_size) {
    for (size_t i = 0; i < num_pages; i++) ptr[i * page_size] = bytes[i];
}

double reserve_and_release(size_t iterations, size_t num_bytes) {
    int64_t start = now();
    for (size_t i = 0; i < iterations; i++) {
        char* ptr = reserve(num_bytes);
        if (!ptr || munmap(ptr, num_bytes) != 0) return -1;
    }
    return nanoseconds_each(start, iterations);
}

// What an array and its first view need of the system at least: addresses, and one page that is written to.
double reserve_use_and_release(size_t iterations, size_t num_bytes, size_t page_size) {
    int64_t start = now();
    for (size_t i = 0; i < iterations; i++) {
        char* ptr = reserve(num_bytes);
        if (!ptr || commit(ptr, page_size) != 0) return -1;
        *ptr = 1;
        if (munmap(ptr, num_bytes) != 0) return -1;
    }
    return nanoseconds_each(start, iterations);
}

// `ptr` is reserved, and stays so. The first `num_touched` pages are touched.
double commit_touch_and_decommit(size_t iterations, char* ptr, size_t num_bytes, const char* bytes, size_t num_touched,
                                 size_t page_size) {
    int64_t start = now();
    for (size_t i = 0; i < iterations; i++) {
        if (commit(ptr, num_bytes) != 0) return -1;
        touch(ptr, bytes, num_touched, page_size);
        if (decommit(ptr, num_bytes) != 0) return -1;
    }
    return nanoseconds_each(start, iterations);
}

// Commits `num_bytes` of new memory and touches each page of it. Huge pages are disabled, because the kernel may be
// configured to use them by default.
double touch_small_pages(size_t iterations, size_t num_bytes, size_t page_size) {
    int64_t total = 0;
    for (size_t i = 0; i < iterations; i++) {
        char* ptr = reserve(num_bytes);
        if (!ptr) return -1;
        use_small_pages(ptr, num_bytes);
        int64_t start = now();
        int status = commit(ptr, num_bytes);
        for (size_t offset = 0; status == 0 && offset < num_bytes; offset += page_size) ptr[offset] = 1;
        total += now() - start;
        if (munmap(ptr, num_bytes) != 0 || status != 0) return -1;
    }
    return (double)total / (double)iterations;
}

// Commits one page at each offset. Reserving the `num_bytes` for them is not timed.
double commit_at(size_t iterations, const size_t* offsets, size_t num_bytes, size_t page_size) {
    char* base = reserve(num_bytes);
    double each = -1;
    size_t done = 0;
    if (!base) return -1;
    int64_t start = now();
    while (done < iterations && commit(base + offsets[done], page_size) == 0) done++;
    if (done == iterations) each = nanoseconds_each(start, iterations);
    return munmap(base, num_bytes) == 0 ? each : -1;
}
