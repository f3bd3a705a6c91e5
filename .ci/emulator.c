// Corrects what qemu-user reports wrongly about memory: the programs that it runs load this before the C library.
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POPULATE_WRITE 23
#define DONTNEED_LOCKED 24
#define GET_SEALS 1034
#define SEAL_SHRINK 2

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

static bool has_large_pages(void) { return sysconf(_SC_PAGESIZE) != SMALLEST_PAGE; }

// Makes a file in memory longer for a while, unless it is sealed against becoming shorter again.
static bool lengthen(int file, off_t end, off_t* size) {
    struct stat status;
    int seals = fcntl(file, GET_SEALS);
    if (seals < 0 || (seals & SEAL_SHRINK) || fstat(file, &status) != 0) return false;
    *size = status.st_size;
    return *size < end && ftruncate(file, end) == 0;
}

// Where its pages are larger than the host's, it maps other memory in place of what a file does not have yet, or fails. So
// files are as long as a mapping of them at that time.
void* mmap(void* start, size_t num_bytes, int protection, int flags, int file, off_t offset) {
    off_t size = 0;
    int error = errno;
    bool is_longer = !(flags & MAP_ANONYMOUS) && has_large_pages() && lengthen(file, offset + (off_t)num_bytes, &size);
    errno = error;
    void* mapped = (void*)syscall(SYS_mmap, start, num_bytes, protection, flags, file, offset);
    error = errno;
    if (is_longer && ftruncate(file, size) != 0) error = errno;
    errno = error;
    return mapped;
}

void* mmap64(void* start, size_t num_bytes, int protection, int flags, int file, off_t offset) {
    return mmap(start, num_bytes, protection, flags, file, offset);
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
    if (resource != RLIMIT_AS || !has_large_pages()) return 0;
    FILE* file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld", &num_pages) == 1)
        limit->rlim_cur = (rlim_t)(num_pages * page_size) + ADDRESSES_LEFT;
    if (file) fclose(file);
    return 0;
}

int getrlimit64(int resource, struct rlimit* limit) { return getrlimit(resource, limit); }
