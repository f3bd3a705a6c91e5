// What qemu-user tells wrongly about memory, put right in the programs that it runs: they load this before the C library.
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POPULATE_WRITE 23
#define DONTNEED_LOCKED 24

#define SMALLEST_PAGE 4096
#define LARGEST_PAGE 65536
#define ADDRESSES_LEFT ((rlim_t)512 << 20)

// It takes some advice for mere advice: says that it was followed, and does nothing. Older kernels do not know it.
int madvise(void* start, size_t num_bytes, int advice) {
    if (advice == POPULATE_WRITE || advice == DONTNEED_LOCKED) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, start, num_bytes, advice);
}

// Where its pages are larger than the machine's, it answers with a byte for each page of the machine, and so writes past
// the end of what it was given. Asked for one page at a time, with room for the answer, it does no harm. Of pages without
// access it tells nothing.
int mincore(void* start, size_t num_bytes, unsigned char* pages) {
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t offset = 0; offset < num_bytes; offset += page_size) {
        unsigned char parts[LARGEST_PAGE / SMALLEST_PAGE] = {0};
        if (syscall(SYS_mincore, (char*)start + offset, page_size, parts) != 0 && errno != ENOMEM) return -1;
        *pages = 0;
        for (size_t i = 0; i < sizeof parts; i++) *pages |= parts[i];
        pages++;
    }
    return 0;
}

// It counts the addresses that are used in pages of the machine, which is too much where its own are larger. There some
// more than seem to be used are the limit, for programs that take a share of what is left.
int getrlimit(int resource, struct rlimit* limit) {
    if (syscall(SYS_prlimit64, 0, resource, NULL, limit) != 0) return -1;
    long page_size = sysconf(_SC_PAGESIZE), num_pages;
    if (resource != RLIMIT_AS || page_size == SMALLEST_PAGE) return 0;
    FILE* file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld", &num_pages) == 1)
        limit->rlim_cur = (rlim_t)(num_pages * page_size) + ADDRESSES_LEFT;
    if (file) fclose(file);
    return 0;
}

int getrlimit64(int resource, struct rlimit* limit) { return getrlimit(resource, limit); }
