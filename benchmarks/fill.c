// Fills memory in C: new memory, with huge pages where the system has them, populated shortly before it is written.
// fill.py compiles this file and loads it.
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

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

// Writes `chunk` repeatedly until `num_bytes` are written, a multiple of `chunk_size`, which divides STEP. `prepare` is
// called at each STEP. Returns the total nanoseconds from `start` on, or -1 if `prepare` fails; `*slowest` gets the
// nanoseconds of the slowest chunk.
static double write_chunks(int64_t start, char* ptr, size_t num_bytes, const char* chunk, size_t chunk_size,
                           double* slowest, int prepare(char* ptr, size_t offset, int file), int file) {
    int64_t before = start, longest = 0;
    for (size_t done = 0; done < num_bytes; done += chunk_size) {
        if (done % STEP == 0 && prepare(ptr + done, done, file) != 0) return -1;
        memcpy(ptr + done, chunk, chunk_size);
        int64_t after = now();
        if (after - before > longest) longest = after - before;
        before = after;
    }
    *slowest = (double)longest;
    return (double)(before - start);
}

static int prepare_private(char* ptr, size_t offset, int file) {
    (void)offset, (void)file;
    populate(ptr);
    return 0;
}

// Fills private memory. Returns -1 and sets errno if that fails. Does not unmap.
double fill(size_t num_bytes, const char* chunk, size_t chunk_size, double* slowest) {
    int64_t start = now();
    void* mapping = mmap(NULL, num_bytes + 2 * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (mapping == MAP_FAILED) return -1;
    char* ptr = (char*)(((uintptr_t)mapping + STEP - 1) & ~(uintptr_t)(STEP - 1));
    use_huge_pages(ptr, num_bytes + STEP);
    return write_chunks(start, ptr, num_bytes, chunk, chunk_size, slowest, prepare_private, -1);
}

#if defined(__linux__) && defined(SYS_memfd_create)

#define CLOSE_ON_EXEC 1u  // MFD_CLOEXEC

// posix_fallocate() makes the same call as fallocate(), which needs _GNU_SOURCE, and old C libraries lack memfd_create().
static int prepare_shared(char* ptr, size_t offset, int file) {
    int status = posix_fallocate(file, (off_t)offset, (off_t)STEP);
    if (status == 0) populate(ptr);
    errno = status;
    return status;
}

// Fills memory that other processes could map, which gets its pages when its file grows. As fill().
double fill_shared(size_t num_bytes, const char* chunk, size_t chunk_size, double* slowest) {
    int64_t start = now();
    int file = (int)syscall(SYS_memfd_create, "fill", CLOSE_ON_EXEC);
    if (file < 0) return -1;
    void* ptr = mmap(NULL, num_bytes + STEP, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (ptr == MAP_FAILED) return -1;
    return write_chunks(start, ptr, num_bytes, chunk, chunk_size, slowest, prepare_shared, file);
}

#else

double fill_shared(size_t num_bytes, const char* chunk, size_t chunk_size, double* slowest) {
    (void)num_bytes, (void)chunk, (void)chunk_size, (void)slowest;
    errno = ENOSYS;
    return -1;
}

#endif
