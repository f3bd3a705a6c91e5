// Corrects what qemu-user reports wrongly about memory: the programs that it runs load this before the C library.
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

// It accepts this advice and does nothing. Fails as kernels do that do not know it.
int madvise(void* start, size_t num_bytes, int advice) {
    if (advice == POPULATE_WRITE || advice == DONTNEED_LOCKED) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, start, num_bytes, advice);
}

// Where its pages are larger than the host's, it writes a byte for each page of the host, past the end of `pages`. So this
// asks for one page at a time, with room for the answer. For pages without access it fails, which means not resident.
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

// Where its pages are larger than the host's, it counts used addresses in pages of the host, and so too many. There the
// limit is a little more than that count, for programs that reserve a share of what the limit leaves.
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
