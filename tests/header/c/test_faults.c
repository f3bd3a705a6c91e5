// Makes the system calls of vmem.h fail, each alone and several together, and checks the results. Linux only.
// Prints each check that fails, then "N checks, M failed".
//
// Search for >>hook, >>files, >>checks, >>fixture, >>sequences, >>operations, >>decommit, >>advice, >>control groups,
// >>main.

#include <stdbool.h>

static bool fails(const char* call);
#define VMEM_FAIL(call) fails(call)

#include <fcntl.h>
#include <sys/mman.h>

// Control groups and the like are read from simulated files.
static int open_simulated(const char* path, int flags);
#define open open_simulated

static int munmap_recorded(void* ptr, size_t size);
#define munmap munmap_recorded

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#undef munmap
#undef open

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "child.h"

// >>hook --------------------------------------------------------------------------------------------------------------

#define MAX_CALLS 256

// The system calls of the function under test: which of them fail, and what they were.
static struct {
    bool is_counting;
    size_t num_calls;
    const char* calls[MAX_CALLS];
    int errors[MAX_CALLS];    // 0: the call is made
    int last_error;           // of the call that failed last
    const char* denied_call;  // fails with this error whenever it is made; NULL for none
    int denied_error;
} hook;

// What the header has unmapped since start_counting(), at most two ranges: their addresses and sizes.
static uintptr_t unmapped[2];
static size_t unmapped_sizes[2], num_unmapped;

static bool fails(const char* call) {
    size_t index = hook.num_calls;
    if (!hook.is_counting || index == MAX_CALLS) return false;
    hook.calls[index] = call;
    hook.num_calls++;
    if (hook.denied_call && strcmp(call, hook.denied_call) == 0)
        errno = hook.last_error = hook.denied_error;
    else if (hook.errors[index] != 0)
        errno = hook.last_error = hook.errors[index];
    else
        return false;
    return true;
}

static void start_counting(void) {
    hook.num_calls = num_unmapped = 0;
    hook.last_error = 0;
    hook.is_counting = true;
}

static int munmap_recorded(void* ptr, size_t size) {
    if (hook.is_counting && num_unmapped < 2) {
        unmapped[num_unmapped] = (uintptr_t)ptr;
        unmapped_sizes[num_unmapped] = size;
        num_unmapped++;
    }
    return munmap(ptr, size);
}

// >>files -------------------------------------------------------------------------------------------------------------

typedef struct File {
    const char* path;
    const char* text;
} File;

// While this is set, the files of the system are read only if none of these has their path, and none of /sys/fs/cgroup.
static const File* simulated;
static size_t num_simulated;

// A pipe that contains the text. The text fits into its buffer, so that neither end waits.
static int open_text(const char* text) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    if (write(ends[1], text, strlen(text)) != (ssize_t)strlen(text)) abort();
    close(ends[1]);
    return ends[0];
}

static int open_simulated(const char* path, int flags) {
    size_t i;
    if (!simulated) return open(path, flags);
    for (i = 0; i < num_simulated; i++) {
        if (strcmp(path, simulated[i].path) == 0) return open_text(simulated[i].text);
    }
    if (strncmp(path, "/sys/fs/cgroup", 14) != 0) return open(path, flags);
    errno = ENOENT;
    return -1;
}

// >>checks ------------------------------------------------------------------------------------------------------------

// An error code that no tested call sets.
#define UNTOUCHED EDOM

// >>fixture -----------------------------------------------------------------------------------------------------------
//
// A reservation of eight pages. The four in the middle are the subject of the operations; the committed page on either
// side of them must never change.

#define NUM_PAGES 8
#define NUM_SUBJECT 4

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

// Whether the first byte has this value, and every other byte that of the one before.
static bool pages_are(const char* start, size_t count, char value) {
    return start[0] == value && memcmp(start, start + 1, pages(count) - 1) == 0;
}

static char* make_fixture(bool is_committed) {
    char* base = (char*)vmem_reserve(pages(NUM_PAGES));
    REQUIRE(base != NULL);
    REQUIRE(vmem_commit(base + pages(1), pages(NUM_SUBJECT + 2)) == VMEM_SUCCESS);
    memset(base + pages(1), 1, pages(NUM_SUBJECT + 2));
    if (!is_committed) REQUIRE(vmem_decommit(base + pages(2), pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    return base + pages(2);
}

static bool neighbours_are_intact(const char* subject) {
    return pages_are(subject - pages(1), 1, 1) && pages_are(subject + pages(NUM_SUBJECT), 1, 1);
}

static void end_fixture(char* subject) {
    CHECK(neighbours_are_intact(subject));
    CHECK(vmem_release(subject - pages(2), pages(NUM_PAGES)) == VMEM_SUCCESS);
}

static VmemLimits get_limits(void) {
    VmemLimits limits;
    REQUIRE(vmem_get_limits(&limits) == VMEM_SUCCESS);
    return limits;
}

typedef struct Mappings {
    size_t count;
    uint64_t size;  // of all together, in bytes
} Mappings;

// What this process has mapped. It reads one file, because it is called about every failure.
static Mappings count_mappings(void) {
    static char text[1 << 16];
    Mappings mappings = {0, 0};
    char* line = text;
    size_t length = 0;
    ssize_t count;
    int file = open("/proc/self/maps", O_RDONLY);
    REQUIRE(file >= 0);
    while ((count = read(file, text + length, sizeof text - 1 - length)) > 0) length += (size_t)count;
    close(file);
    REQUIRE(length > 0 && length < sizeof text - 1);
    text[length] = 0;
    while (*line) {
        char* rest;
        uint64_t start = strtoull(line, &rest, 16), end = strtoull(rest + 1, NULL, 16);
        mappings.count++;
        mappings.size += end - start;
        line = strchr(rest, '\n') + 1;
    }
    return mappings;
}

// The lowest free file descriptor, which is higher while a file is left open.
static int next_file(void) {
    int file = open("/dev/null", O_RDONLY);
    REQUIRE(file >= 0);
    close(file);
    return file;
}

static VmemResult result_of(int error) {
    if (error == 0) return VMEM_SUCCESS;
    if (error == ENOMEM || error == EAGAIN) return VMEM_ERROR_OUT_OF_MEMORY;
    if (error == EACCES || error == EPERM) return VMEM_ERROR_ACCESS_DENIED;
    if (error == EINVAL) return VMEM_ERROR_INVALID_ARGUMENT;
    return error == ENOSYS ? VMEM_ERROR_UNSUPPORTED : VMEM_ERROR_SYSTEM;
}

// >>sequences ---------------------------------------------------------------------------------------------------------

static const int mmap_errors[] = {ENOMEM, EAGAIN, EPERM, 0}, munmap_errors[] = {ENOMEM, 0},
                 mprotect_errors[] = {ENOMEM, EACCES, 0}, madvise_errors[] = {EINVAL, ENOMEM, EAGAIN, 0},
                 mlock_errors[] = {ENOMEM, EPERM, EAGAIN, 0}, mlock2_errors[] = {ENOSYS, ENOMEM, EPERM, 0},
                 munlock_errors[] = {ENOMEM, 0}, mincore_errors[] = {EAGAIN, ENOSYS, 0},
                 prctl_errors[] = {EINVAL, ENOMEM, EBADF, 0}, ioctl_errors[] = {ENOTTY, ENOENT, 0},
                 open_errors[] = {EMFILE, ENOENT, 0}, read_errors[] = {EIO, 0}, getrlimit_errors[] = {EINVAL, 0},
                 close_errors[] = {EINTR, 0}, memfd_errors[] = {ENOSYS, EINVAL, EMFILE, 0}, stat_errors[] = {ENOSYS, 0},
                 fcntl_errors[] = {EINVAL, EPERM, 0}, fallocate_errors[] = {ENOSPC, EINTR, 0};

static const struct {
    const char* call;
    const int* errors;
} errors_of_calls[] = {{"mmap", mmap_errors},          {"munmap", munmap_errors}, {"mprotect", mprotect_errors},
                       {"madvise", madvise_errors},    {"mlock", mlock_errors},   {"munlock", munlock_errors},
                       {"mincore", mincore_errors},    {"prctl", prctl_errors},   {"ioctl", ioctl_errors},
                       {"open", open_errors},          {"read", read_errors},     {"getrlimit", getrlimit_errors},
                       {"close", close_errors},        {"mlock2", mlock2_errors}, {"memfd_create", memfd_errors},
                       {"statx", stat_errors},         {"fstat", stat_errors},    {"fcntl", fcntl_errors},
                       {"fallocate", fallocate_errors}};

static const int* errors_of(const char* call) {
    size_t i;
    for (i = 0; i < sizeof errors_of_calls / sizeof errors_of_calls[0]; i++) {
        if (strcmp(errors_of_calls[i].call, call) == 0) return errors_of_calls[i].errors;
    }
    require(false, call, __FILE__, __LINE__);  // the table lacks this system call
    return NULL;
}

typedef struct Operation {
    const char* name;
    bool is_committed;  // the subject
    size_t max_failures;
    VmemResult (*run)(char* subject);
    VmemResult (*expect)(int* error);  // from what the hook recorded; may change the expected errno
    void (*check_contents)(char* subject, VmemResult result);  // or NULL
} Operation;

static void print_sequence(const Operation* operation) {
    size_t i;
    printf("    in %s with", operation->name);
    for (i = 0; i < hook.num_calls; i++) printf(" %s:%d", hook.calls[i], hook.errors[i]);
    printf("\n");
}

static bool call_failed(size_t index) { return index < hook.num_calls && hook.errors[index] != 0; }

// A close() that failed left its file open. No other file may be open: the header has at most two open at a time.
static void close_left_open(int file) {
    size_t num_open = 0, i;
    for (i = 0; i < hook.num_calls; i++) num_open += call_failed(i) && strcmp(hook.calls[i], "close") == 0;
    for (i = 0; i < 4; i++) num_open -= num_open > 0 && close(file + (int)i) == 0;
    CHECK(num_open == 0);
}

// Runs the operation with the failures that are set, then without any.
static void run_once(const Operation* operation) {
    int num_failed_before = num_failed, file = next_file(), error, expected_error;
    Mappings before = count_mappings(), after;
    char* subject = make_fixture(operation->is_committed);
    VmemResult result, expected;
    errno = UNTOUCHED;
    start_counting();
    result = operation->run(subject);
    hook.is_counting = false;
    error = errno;
    expected_error = hook.last_error ? hook.last_error : UNTOUCHED;
    expected = operation->expect(&expected_error);
    CHECK(result == expected);
    CHECK(error == expected_error);
    close_left_open(file);
    CHECK(neighbours_are_intact(subject));
    if (operation->check_contents) operation->check_contents(subject, result);
    CHECK(operation->run(subject) == VMEM_SUCCESS);
    end_fixture(subject);
    after = count_mappings();
    CHECK(after.count == before.count && after.size == before.size);
    CHECK(next_file() == file);
    if (num_failed > num_failed_before) print_sequence(operation);
}

// Runs the operation with the failures that are set, then recursively with one more at each later call.
static void run_sequences(const Operation* operation, size_t first, size_t num_failures) {
    const char* calls[MAX_CALLS];
    size_t num_calls, i, j;
    run_once(operation);
    if (num_failures == operation->max_failures) return;
    num_calls = hook.num_calls;
    REQUIRE(num_calls < MAX_CALLS);
    for (i = 0; i < num_calls; i++) calls[i] = hook.calls[i];
    for (i = first; i < num_calls; i++) {
        const int* errors = errors_of(calls[i]);
        for (j = 0; errors[j]; j++) {
            hook.errors[i] = errors[j];
            run_sequences(operation, i + 1, num_failures + 1);
        }
        hook.errors[i] = 0;
    }
}

// >>operations --------------------------------------------------------------------------------------------------------

static VmemResult expect_result_of_last(int* error) {
    (void)error;
    return result_of(hook.last_error);
}

static VmemResult expect_success(int* error) {
    *error = UNTOUCHED;
    return VMEM_SUCCESS;
}

static VmemResult expect_unsupported_for_invalid(int* error) {
    return *error == EINVAL ? VMEM_ERROR_UNSUPPORTED : result_of(hook.last_error);
}

static bool is_advice(size_t index) { return strcmp(hook.calls[index], "madvise") == 0; }

// Where advice is only about core dumps: its failure is ignored.
static VmemResult expect_result_without_advice(int* error) {
    size_t i;
    *error = UNTOUCHED;
    for (i = 0; i < hook.num_calls; i++) {
        if (call_failed(i) && !is_advice(i)) *error = hook.errors[i];
    }
    return *error == UNTOUCHED ? VMEM_SUCCESS : result_of(*error);
}

// After a failed reservation errno is that of the first failure, not of the clean-up.
static VmemResult expect_first(int* error) {
    size_t i;
    *error = UNTOUCHED;
    for (i = 0; i < hook.num_calls; i++) {
        if (!call_failed(i) || is_advice(i)) continue;
        *error = hook.errors[i];
        return result_of(*error);
    }
    return VMEM_SUCCESS;
}

static void check_unchanged(char* subject, VmemResult result) {
    (void)result;
    CHECK(pages_are(subject, NUM_SUBJECT, 1));
}

static VmemResult run_reserve(char* subject) {
    void* ptr = vmem_reserve(pages(4));
    (void)subject;
    if (!ptr) return result_of(errno);
    CHECK(munmap(ptr, pages(4)) == 0);
    return VMEM_SUCCESS;
}

static VmemResult run_reserve_aligned(char* subject) {
    const size_t align = (size_t)4 << 20;
    void* ptr = vmem_reserve_aligned(pages(4), align);
    (void)subject;
    if (!ptr) return result_of(errno);
    CHECK((uintptr_t)ptr % align == 0);
    CHECK(munmap(ptr, pages(4)) == 0);
    return VMEM_SUCCESS;
}

// A whole reservation of its own.
static VmemResult run_release(char* subject) {
    const bool is_counting = hook.is_counting;
    char* base;
    VmemResult result;
    (void)subject;
    hook.is_counting = false;
    base = (char*)vmem_reserve(pages(NUM_SUBJECT));
    REQUIRE(base && vmem_commit(base, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    memset(base, 1, pages(NUM_SUBJECT));
    hook.is_counting = is_counting;
    result = vmem_release(base, pages(NUM_SUBJECT));
    hook.is_counting = false;
    if (result == VMEM_SUCCESS) return result;
    CHECK(pages_are(base, NUM_SUBJECT, 1));
    CHECK(vmem_release(base, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    return result;
}

static VmemResult run_commit(char* subject) { return vmem_commit(subject, pages(NUM_SUBJECT)); }

static void check_committed(char* subject, VmemResult result) {
    VmemRange range;
    CHECK(vmem_query(subject, &range) == VMEM_SUCCESS);
    CHECK(range.state == (result == VMEM_SUCCESS ? VMEM_COMMITTED : VMEM_RESERVED));
    if (result == VMEM_SUCCESS) CHECK(pages_are(subject, NUM_SUBJECT, 0));
}

static VmemResult run_protect(char* subject) { return vmem_protect(subject, pages(NUM_SUBJECT), VMEM_READ); }

static VmemResult run_discard(char* subject) { return vmem_discard(subject, pages(NUM_SUBJECT)); }

// After EINVAL of MADV_DONTNEED, the advice for locked pages is tried; any other error is final.
static VmemResult expect_discard(int* error) {
    if (hook.errors[0] == EINVAL && !call_failed(1)) {
        *error = UNTOUCHED;
        return VMEM_SUCCESS;
    }
    return result_of(hook.last_error);
}

static void check_discarded(char* subject, VmemResult result) {
    CHECK(pages_are(subject, NUM_SUBJECT, result == VMEM_SUCCESS ? 0 : 1));
    memset(subject, 1, pages(NUM_SUBJECT));
}

static VmemResult run_prefault(char* subject) { return vmem_prefault(subject, pages(NUM_SUBJECT)); }

static void check_prefaulted(char* subject, VmemResult result) {
    size_t num_resident = 0;
    check_unchanged(subject, result);
    CHECK(vmem_discard(subject, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    hook.is_counting = true;  // the same failures again, now with no page resident
    hook.num_calls = 0;
    CHECK(vmem_prefault(subject, pages(NUM_SUBJECT)) == result);
    hook.is_counting = false;
    CHECK(vmem_count_resident(subject, pages(NUM_SUBJECT), &num_resident) == VMEM_SUCCESS);
    CHECK(num_resident == (result == VMEM_SUCCESS ? pages(NUM_SUBJECT) : 0));
    CHECK(pages_are(subject, NUM_SUBJECT, 0));
}

static VmemResult run_lock(char* subject) { return vmem_lock(subject, pages(NUM_SUBJECT)); }

// AddressSanitizer makes mlock() and munlock() do nothing, but not this system call: the pages would stay locked.
static VmemResult run_lock_on_fault(char* subject) {
    VmemResult result = vmem_lock_on_fault(subject, pages(NUM_SUBJECT));
    CHECK(syscall(SYS_munlock, subject, pages(NUM_SUBJECT)) == 0);
    return result;
}

static VmemResult run_unlock(char* subject) { return vmem_unlock(subject, pages(NUM_SUBJECT)); }

// Where the kernel lacks the feature, its result counts as success here.
static VmemResult without_support(VmemResult result) {
    if (result != VMEM_ERROR_UNSUPPORTED || (hook.is_counting && call_failed(0))) return result;
    errno = UNTOUCHED;
    return VMEM_SUCCESS;
}

static VmemResult run_set_name(char* subject) {
    return without_support(vmem_set_name(subject, pages(NUM_SUBJECT), "name"));
}

static VmemResult run_advise_huge_pages(char* subject) {
    return without_support(vmem_advise_huge_pages(subject, pages(NUM_SUBJECT)));
}

static VmemResult run_advise_fork_none(char* subject) {
    return vmem_advise_fork(subject, pages(NUM_SUBJECT), VMEM_FORK_NONE);
}

static VmemResult run_advise_fork_zero(char* subject) {
    return vmem_advise_fork(subject, pages(NUM_SUBJECT), VMEM_FORK_ZERO);
}

static VmemResult run_advise_fork_copy(char* subject) {
    return vmem_advise_fork(subject, pages(NUM_SUBJECT), VMEM_FORK_COPY);
}

// A kernel without MADV_WIPEONFORK has no MADV_KEEPONFORK, and needs none.
static VmemResult expect_advise_fork_copy(int* error) {
    size_t index = call_failed(0) && hook.errors[0] != EINVAL ? 0 : 1;
    *error = hook.errors[index] ? hook.errors[index] : UNTOUCHED;
    if (*error == UNTOUCHED) return VMEM_SUCCESS;
    return *error == EINVAL ? VMEM_ERROR_UNSUPPORTED : result_of(*error);
}

static VmemResult run_advise_dump(char* subject) { return vmem_advise_dump(subject, pages(NUM_SUBJECT), false); }

static VmemResult run_count_resident(char* subject) {
    size_t num_resident = 99;
    VmemResult result = vmem_count_resident(subject, pages(NUM_SUBJECT), &num_resident);
    CHECK(num_resident == (result == VMEM_SUCCESS ? pages(NUM_SUBJECT) : 99));
    return result;
}

static VmemResult run_count_resident_of_many(char* subject) {
    const bool is_counting = hook.is_counting;
    const size_t count = 4096 + 1;  // needs two calls
    size_t num_resident = 99;
    char* base;
    VmemResult result;
    (void)subject;
    hook.is_counting = false;
    base = (char*)vmem_reserve(pages(count));
    hook.is_counting = is_counting;
    result = vmem_count_resident(base, pages(count), &num_resident);
    hook.is_counting = false;
    CHECK(num_resident == (result == VMEM_SUCCESS ? 0 : 99));
    CHECK(vmem_release(base, pages(count)) == VMEM_SUCCESS);
    return result;
}

static VmemRange queried;

static VmemResult run_query(char* subject) {
    VmemResult result;
    queried.base = &queried;
    result = vmem_query(subject + 1, &queried);
    CHECK(result == VMEM_SUCCESS || queried.base == &queried);
    return result;
}

// After a failed ioctl() /proc/self/maps is read. Only ENOENT is an answer: nothing is mapped there.
static VmemResult expect_query(int* error) {
    size_t last = hook.num_calls - 1;
    if (strcmp(hook.calls[last], "close") == 0) last--;  // its failure is ignored
    *error = call_failed(last) && strcmp(hook.calls[last], "ioctl") != 0 ? hook.errors[last] : UNTOUCHED;
    return *error == UNTOUCHED ? VMEM_SUCCESS : VMEM_ERROR_SYSTEM;
}

static void check_queried(char* subject, VmemResult result) {
    if (result != VMEM_SUCCESS) return;
    if (hook.errors[1] == ENOENT) {
        CHECK(queried.base == subject && queried.state == VMEM_FREE);
        CHECK((uintptr_t)queried.base + queried.size == 0);  // up to the last address
        return;
    }
    CHECK(queried.base == subject - pages(1) && queried.size == pages(NUM_SUBJECT + 2));
    CHECK(queried.state == VMEM_COMMITTED && queried.protection == VMEM_READ_WRITE);
}

static VmemResult run_get_huge_page_size(char* subject) {
    size_t size = vmem_get_huge_page_size();
    (void)subject;
    CHECK((size & (size - 1)) == 0);
    CHECK(!(call_failed(0) || call_failed(1)) || size == 0 || !hook.is_counting);
    return VMEM_SUCCESS;
}

static VmemResult run_get_capabilities(char* subject) {
    VmemCapabilities capabilities = vmem_get_capabilities();
    (void)subject;
    CHECK(strcmp(capabilities.system, "Linux") == 0 && capabilities.can_reserve);
    return VMEM_SUCCESS;
}

static VmemResult run_get_address_space(char* subject) {
    VmemAddressSpace space;
    (void)subject;
    CHECK(vmem_get_address_space(&space) == VMEM_SUCCESS);
    CHECK(space.used < space.total);
    CHECK(space.used > 0 || call_failed(0) || call_failed(1));
    return VMEM_SUCCESS;
}

static VmemResult run_get_memory_info_of_system(char* subject) {
    VmemMemoryInfo info;
    (void)subject;
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(info.available <= info.total);
    CHECK(info.total > 0 || call_failed(0) || call_failed(1));
    return VMEM_SUCCESS;
}

#define MIB ((uint64_t)1 << 20)
#define MACHINE {"/proc/meminfo", "MemTotal:  1048576 kB\nMemFree: 1 kB\nMemAvailable:  917504 kB\n"}  // 1024, 896 MiB

// A system whose files do not depend on the machine, with a group of each version.
static const File files_of_groups[] = {MACHINE,
                                       {"/proc/self/cgroup", "2:memory:/a\n0::/a\n"},
                                       {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "536870912\n"},
                                       {"/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "104857600\n"},
                                       {"/sys/fs/cgroup/a/memory.max", "268435456\n"},
                                       {"/sys/fs/cgroup/a/memory.current", "104857600\n"},
                                       {"/sys/fs/cgroup/a/memory.stat", "inactive_file 20971520\n"}};

static bool is_one_of(uint64_t value, const uint64_t* values, size_t num_values) {
    while (num_values > 0 && values[num_values - 1] * MIB != value) num_values--;
    return num_values > 0;
}

// What cannot be read limits nothing, or is not subtracted.
static VmemResult run_get_memory_info(char* subject) {
    static const uint64_t totals[] = {0, 256, 512, 1024};
    static const uint64_t available[] = {0, 156, 176, 256, 412, 512, 896};
    VmemMemoryInfo info;
    size_t i;
    bool fails_anywhere = false;
    (void)subject;
    simulated = files_of_groups;
    num_simulated = sizeof files_of_groups / sizeof files_of_groups[0];
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    simulated = NULL;
    for (i = 0; i < hook.num_calls && hook.is_counting; i++)
        fails_anywhere = fails_anywhere || (call_failed(i) && strcmp(hook.calls[i], "close") != 0);
    CHECK(is_one_of(info.total, totals, sizeof totals / sizeof totals[0]));
    CHECK(is_one_of(info.available, available, sizeof available / sizeof available[0]));
    CHECK(info.available <= info.total);
    CHECK(info.total > 0 || call_failed(0) || call_failed(1));
    CHECK(fails_anywhere || (info.total == 256 * MIB && info.available == (256 - 80) * MIB));
    return VMEM_SUCCESS;
}

static VmemResult run_get_limits(char* subject) {
    VmemLimits limits;
    (void)subject;
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    CHECK(limits.mapping_limit > 0 && limits.largest_commit > 0 && limits.commit_limit > 0);
    return VMEM_SUCCESS;
}

// >>decommit ----------------------------------------------------------------------------------------------------------

static VmemResult run_decommit(char* subject) { return vmem_decommit(subject, pages(NUM_SUBJECT)); }

// mmap; if that is out of memory, madvise, for locked pages a second one, and mprotect, whose failure is ignored.
static VmemResult expect_decommit(int* error) {
    VmemResult result = result_of(hook.errors[0]);
    *error = hook.errors[0] ? hook.errors[0] : UNTOUCHED;
    if (result != VMEM_ERROR_OUT_OF_MEMORY) return result;
    if (hook.errors[1] == 0 || (hook.errors[1] == EINVAL && hook.errors[2] == 0)) return VMEM_DECOMMIT_INCOMPLETE;
    return VMEM_ERROR_OUT_OF_MEMORY;
}

static void check_decommitted(char* subject, VmemResult result) {
    bool is_decommitted = result == VMEM_SUCCESS || result == VMEM_DECOMMIT_INCOMPLETE;
    size_t num_resident = 99, i;
    bool keeps_access = false;
    VmemRange range;
    for (i = 0; i < hook.num_calls; i++)
        keeps_access = keeps_access || (call_failed(i) && strcmp(hook.calls[i], "mprotect") == 0);
    CHECK(vmem_query(subject, &range) == VMEM_SUCCESS);
    CHECK(range.state == (is_decommitted && !keeps_access ? VMEM_RESERVED : VMEM_COMMITTED));
    CHECK(vmem_count_resident(subject, pages(NUM_SUBJECT), &num_resident) == VMEM_SUCCESS);
    CHECK(num_resident == (is_decommitted ? 0 : pages(NUM_SUBJECT)));
    CHECK(vmem_commit(subject, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    CHECK(pages_are(subject, NUM_SUBJECT, is_decommitted ? 0 : 1));
}

static const Operation operations[] = {
    {"vmem_reserve", true, 2, run_reserve, expect_result_without_advice, check_unchanged},
    {"vmem_reserve_aligned", true, 1, run_reserve_aligned, expect_first, check_unchanged},
    {"vmem_release", true, 2, run_release, expect_result_of_last, check_unchanged},
    {"vmem_commit", false, 2, run_commit, expect_result_without_advice, check_committed},
    {"vmem_commit again", true, 2, run_commit, expect_result_without_advice, check_unchanged},
    {"vmem_decommit", true, 4, run_decommit, expect_decommit, check_decommitted},
    {"vmem_protect", true, 2, run_protect, expect_result_of_last, check_unchanged},
    {"vmem_discard", true, 3, run_discard, expect_discard, check_discarded},
    {"vmem_prefault", true, 2, run_prefault, expect_result_of_last, check_prefaulted},
    {"vmem_lock", true, 2, run_lock, expect_result_of_last, check_unchanged},
    {"vmem_unlock", true, 2, run_unlock, expect_result_of_last, check_unchanged},
    {"vmem_advise_huge_pages", true, 2, run_advise_huge_pages, expect_unsupported_for_invalid, check_unchanged},
    {"vmem_lock_on_fault", true, 2, run_lock_on_fault, expect_result_of_last, check_unchanged},
    {"vmem_advise_fork, none", true, 2, run_advise_fork_none, expect_unsupported_for_invalid, check_unchanged},
    {"vmem_advise_fork, zero", true, 2, run_advise_fork_zero, expect_unsupported_for_invalid, check_unchanged},
    {"vmem_advise_fork, copy", true, 2, run_advise_fork_copy, expect_advise_fork_copy, check_unchanged},
    {"vmem_advise_dump", true, 2, run_advise_dump, expect_unsupported_for_invalid, check_unchanged},
    {"vmem_set_name", true, 2, run_set_name, expect_unsupported_for_invalid, check_unchanged},
    {"vmem_count_resident", true, 2, run_count_resident, expect_result_of_last, check_unchanged},
    {"vmem_count_resident, many", true, 2, run_count_resident_of_many, expect_result_of_last, check_unchanged},
    {"vmem_query", true, 3, run_query, expect_query, check_queried},
    {"vmem_get_huge_page_size", true, 2, run_get_huge_page_size, expect_success, check_unchanged},
    {"vmem_get_capabilities", true, 2, run_get_capabilities, expect_success, check_unchanged},
    {"vmem_get_memory_info", true, 2, run_get_memory_info, expect_success, check_unchanged},
    {"vmem_get_memory_info of the system", true, 1, run_get_memory_info_of_system, expect_success, check_unchanged},
    {"vmem_get_address_space", true, 2, run_get_address_space, expect_success, check_unchanged},
    {"vmem_get_limits", true, 2, run_get_limits, expect_success, check_unchanged},
};

static void test_every_failure(void) {
    size_t i;
    REQUIRE(vmem__linux_find_advice() & VMEM__ADVICE_POPULATES);  // found out before any call is counted
    for (i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        memset(hook.errors, 0, sizeof hook.errors);
        run_sequences(&operations[i], 0, 0);
        CHECK(hook.num_calls > 0);
    }
    memset(hook.errors, 0, sizeof hook.errors);
}

static bool same_range(const VmemRange* one, const VmemRange* other) {
    return one->base == other->base && one->size == other->size && one->state == other->state &&
           one->protection == other->protection;
}

// PROCMAP_QUERY and /proc/self/maps must give the same answer.
static VmemRange query_by_ioctl_and_by_reading(const char* address) {
    VmemRange asked, searched;
    CHECK(vmem_query(address, &asked) == VMEM_SUCCESS);
    hook.errors[1] = ENOTTY;
    start_counting();
    CHECK(vmem_query(address, &searched) == VMEM_SUCCESS);
    hook.is_counting = false;
    hook.errors[1] = 0;
    CHECK(hook.num_calls > 2);
    CHECK(same_range(&asked, &searched));
    return searched;
}

static void test_queries_by_ioctl_and_by_reading(void) {
    static const VmemProtection protections[] = {VMEM_NO_ACCESS, VMEM_READ,         VMEM_READ_WRITE,
                                                 VMEM_EXECUTE,   VMEM_READ_EXECUTE, VMEM_READ_WRITE_EXECUTE};
    char* base = (char*)vmem_reserve(pages(10));
    size_t i;
    REQUIRE(base != NULL);
    for (i = 0; i < 6; i++) {
        CHECK(vmem_commit(base + pages(i + 1), 1) == VMEM_SUCCESS);
        CHECK(vmem_protect(base + pages(i + 1), 1, protections[i]) == VMEM_SUCCESS);
    }
    CHECK(munmap(base + pages(8), pages(1)) == 0);
    for (i = 0; i < 10; i++) {
        VmemRange range = query_by_ioctl_and_by_reading(base + pages(i) + i);
        if (i >= 1 && i < 7) CHECK(range.protection == protections[i - 1]);
        if (i == 8) CHECK(range.state == VMEM_FREE && range.size == pages(1));
    }
    CHECK(vmem__posix_map(base + pages(8), pages(1), MAP_FIXED) != MAP_FAILED);
    CHECK(vmem_release(base, pages(10)) == VMEM_SUCCESS);
}

// From the first address to the last without a gap. On x86-64 only /proc/self/maps lists the kernel's page, [vsyscall].
static void test_queries_of_all_addresses(void) {
    uintptr_t address = 0;
    size_t count;
    for (count = 0; count == 0 || (address != 0 && count < 10000); count++) {
        VmemRange range = query_by_ioctl_and_by_reading((const char*)address);
        CHECK((uintptr_t)range.base == address);
        if (range.size == 0) break;
        address += range.size;
    }
    CHECK(address == 0 && count > 2);
    CHECK(query_by_ioctl_and_by_reading((const char*)UINTPTR_MAX).state == VMEM_FREE);
#if defined(__x86_64__) && defined(__LP64__)
    CHECK(query_by_ioctl_and_by_reading((const char*)0xffffffffff600000u).state == VMEM_FREE);
#endif
}

// With no file that can be opened, every limit has its default.
static void test_limits_without_files(void) {
    VmemLimits limits;
    size_t i;
    for (i = 0; i < MAX_CALLS; i++) hook.errors[i] = ENOENT;
    start_counting();
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    hook.is_counting = false;
    memset(hook.errors, 0, sizeof hook.errors);
    CHECK(limits.address_space_limit == VMEM_UNLIMITED && limits.data_limit == VMEM_UNLIMITED);
    CHECK(limits.commit_limit == VMEM_UNLIMITED && limits.largest_commit == VMEM_UNLIMITED);
    CHECK(limits.address_space_used == 0 && limits.data_used == 0 && limits.commit_used == 0);
    CHECK(limits.mapping_limit == 65530 && limits.mapping_used == 0);
    CHECK(limits.lock_limit == VMEM_UNLIMITED && limits.lock_used == 0);
}

static VmemLimits get_limits_with(const File* files, size_t num_files) {
    VmemLimits limits;
    simulated = files;
    num_simulated = num_files;
    limits = get_limits();
    simulated = NULL;
    return limits;
}

// vm.overcommit_memory decides which limit applies: that of a single commit, none, or that of all commits together.
static void test_commit_limits_by_mode(void) {
    static const char memory[] =
        "MemTotal: 1048576 kB\nSwapTotal: 2097152 kB\nCommitLimit: 4194304 kB\nCommitted_AS: 524288 kB\n";
    static const char* const modes[] = {"0\n", "1\n", "2\n"};
    const uint64_t gib = (uint64_t)1 << 30;
    size_t i;
    for (i = 0; i < 3; i++) {
        const File files[] = {{"/proc/sys/vm/overcommit_memory", modes[i]}, {"/proc/meminfo", memory}};
        VmemLimits limits = get_limits_with(files, 2);
        CHECK(limits.commit_used == gib / 2);
        CHECK(limits.largest_commit == (i == 0 ? 3 * gib : VMEM_UNLIMITED));
        CHECK(limits.commit_limit == (i == 2 ? 4 * gib : VMEM_UNLIMITED));
    }
}

// The last page is refused, because the address after it is 0. The system is asked about the one before: no other check
// refuses it, but that of VMEM_DEBUG, because it is not reserved.
static void test_ranges_up_to_the_last_page(void) {
    char* last_but_one = (char*)(UINTPTR_MAX - pages(2) + 1);
    const VmemResult refused = IS_DEBUG ? VMEM_ERROR_INVALID_ARGUMENT : VMEM_ERROR_SYSTEM;
    const size_t num_calls = IS_DEBUG ? 0 : 1;
    size_t num_resident, i;
    for (i = 0; i < 4; i++) {
        size_t size = i % 2 ? 1 : pages(1);
        hook.errors[0] = EIO;
        start_counting();
        if (i < 2)
            CHECK(vmem_commit(last_but_one, size) == refused);
        else
            CHECK(vmem_count_resident(last_but_one, size, &num_resident) == refused);
        CHECK(hook.num_calls == num_calls);
        CHECK(vmem_commit(last_but_one, pages(1) + 1) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK(hook.num_calls == num_calls);
        hook.is_counting = false;
        hook.errors[0] = 0;
    }
}

#define LARGE_ALIGNMENT ((size_t)4 << 20)

// The index of the call that unmaps the first end of an aligned reservation.
static size_t find_first_munmap(void) {
    size_t first = 0;
    void* ptr;
    start_counting();
    ptr = vmem_reserve_aligned(pages(4), LARGE_ALIGNMENT);
    hook.is_counting = false;
    REQUIRE(ptr != NULL);
    CHECK(munmap(ptr, pages(4)) == 0);
    while (first < hook.num_calls && strcmp(hook.calls[first], "munmap") != 0) first++;
    REQUIRE(first < hook.num_calls);
    return first;
}

// Neither an end nor, after that, the whole can be unmapped: errno is that of the first failure.
static void reserve_without_munmap(char* subject) {
    const size_t first = find_first_munmap();
    (void)subject;
    hook.errors[first] = ENOMEM;
    hook.errors[first + 1] = EIO;
    start_counting();
    CHECK(vmem_reserve_aligned(pages(4), LARGE_ALIGNMENT) == NULL);
    CHECK(errno == ENOMEM);
    CHECK(hook.num_calls == first + 2);
}

// Another thread may have mapped the addresses that were unmapped before the failure.
static void test_nothing_is_unmapped_twice(void) {
    const size_t second = find_first_munmap() + 1;
    char *shifts[3], *ptr = NULL;
    size_t num_shifts = 0;
    hook.errors[second] = ENOMEM;
    for (;;) {
        start_counting();
        ptr = (char*)vmem_reserve_aligned(pages(4), LARGE_ALIGNMENT);
        hook.is_counting = false;
        if (!ptr || num_shifts == 3) break;
        CHECK(munmap(ptr, pages(4)) == 0);  // by chance it had one end only: free addresses begin elsewhere then
        shifts[num_shifts] = (char*)vmem_reserve(pages(num_shifts + 1));
        num_shifts++;
    }
    hook.errors[second] = 0;
    CHECK(!ptr && num_unmapped == 2);
    CHECK(unmapped[0] + unmapped_sizes[0] <= unmapped[1] || unmapped[1] + unmapped_sizes[1] <= unmapped[0]);
    while (num_shifts > 0) {
        num_shifts--;
        CHECK(vmem_release(shifts[num_shifts], pages(num_shifts + 1)) == VMEM_SUCCESS);
    }
}

static void test_trimming_that_fails(void) {
    char* subject = make_fixture(true);
    CHECK(succeeds_in_child(reserve_without_munmap, subject));  // it leaves a mapping
    end_fixture(subject);
    test_nothing_is_unmapped_twice();
}

// Maps single pages that cannot be merged, up to the mapping limit: then no mapping can be made or split.
static void decommit_at_the_mapping_limit(char* subject) {
    size_t num_resident = 99, limit = (size_t)get_limits().mapping_limit, i;
    for (i = 0; i < 2 * limit; i++) {
        int protection = i % 2 ? PROT_READ : PROT_NONE;
        if (mmap(NULL, pages(1), protection, MAP_PRIVATE | VMEM__MAP_ANONYMOUS, -1, 0) == MAP_FAILED) break;
    }
    CHECK(i < 2 * limit);
    errno = UNTOUCHED;
    CHECK(vmem_decommit(subject, pages(NUM_SUBJECT)) == VMEM_DECOMMIT_INCOMPLETE);
    CHECK(errno == ENOMEM);
    CHECK(vmem_count_resident(subject, pages(NUM_SUBJECT), &num_resident) == VMEM_SUCCESS);
    CHECK(num_resident == 0);
    CHECK(neighbours_are_intact(subject));
    CHECK(vmem_commit(subject, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    CHECK(pages_are(subject, NUM_SUBJECT, 0));
    memset(subject, 2, pages(NUM_SUBJECT));
    CHECK(neighbours_are_intact(subject));
}

static void test_decommit_at_the_mapping_limit(void) {
    char* subject;
    if (get_limits().mapping_limit > 100000) return;  // too many to reach in reasonable time
    subject = make_fixture(true);
    CHECK(succeeds_in_child(decommit_at_the_mapping_limit, subject));
    end_fixture(subject);
}

// >>advice ------------------------------------------------------------------------------------------------------------

static VmemResult run_without_advice(VmemResult (*run)(char* subject), char* subject, int error) {
    VmemResult result;
    vmem__linux_advice = 0;
    memset(subject, 1, pages(NUM_SUBJECT));
    hook.denied_call = "madvise";
    hook.denied_error = error;
    errno = UNTOUCHED;
    start_counting();
    result = run(subject);
    hook.is_counting = false;
    hook.denied_call = NULL;
    return result;
}

static void test_denied_advice(void) {
    static const int errors[] = {ENOSYS, EPERM};
    char* subject = make_fixture(true);
    size_t num_resident = 0, i;
    for (i = 0; i < 2; i++) {
        VmemCapabilities capabilities;
        CHECK(run_without_advice(run_discard, subject, errors[i]) == VMEM_SUCCESS && errno == UNTOUCHED);
        CHECK(vmem__linux_advice == VMEM__ADVICE_TRIED);
        CHECK(pages_are(subject, NUM_SUBJECT, 0));
        capabilities = vmem_get_capabilities();
        CHECK(capabilities.discard_unlocks && capabilities.discard_can_lose_commit);
        CHECK(!capabilities.can_advise_huge_pages && !capabilities.can_advise_fork && !capabilities.can_advise_dump);
        CHECK(run_without_advice(run_prefault, subject, errors[i]) == VMEM_SUCCESS && errno == UNTOUCHED);
        CHECK(vmem_count_resident(subject, pages(NUM_SUBJECT), &num_resident) == VMEM_SUCCESS);
        CHECK(num_resident == pages(NUM_SUBJECT) && pages_are(subject, NUM_SUBJECT, 1));
    }
    vmem__linux_advice = 0;
    CHECK(vmem_discard(subject, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    CHECK(!vmem_get_capabilities().discard_unlocks);
    end_fixture(subject);
}

// The process denies itself madvise() after it was tried. It is tried again: by the second call, since the first fails.
static void test_advice_denied_later(void) {
    char* subject = make_fixture(true);
    size_t i;
    CHECK(vmem__linux_find_advice() & VMEM__ADVICE_DISCARDS);
    for (i = 0; i < MAX_CALLS; i++) hook.errors[i] = 0;
    hook.errors[0] = hook.errors[4] = ENOSYS;  // madvise; mmap, mprotect, munlock; madvise
    errno = UNTOUCHED;
    start_counting();
    CHECK(vmem_discard(subject, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    hook.is_counting = false;
    CHECK(errno == UNTOUCHED && strcmp(hook.calls[4], "madvise") == 0);
    CHECK(pages_are(subject, NUM_SUBJECT, 0) && vmem__linux_advice == VMEM__ADVICE_TRIED);

    hook.errors[4] = 0;  // only the first was denied: the advice is followed, so the failure is that of the call
    memset(subject, 1, pages(NUM_SUBJECT));
    vmem__linux_advice = 0;
    vmem__linux_find_advice();
    start_counting();
    CHECK(vmem_discard(subject, pages(NUM_SUBJECT)) == VMEM_ERROR_UNSUPPORTED && errno == ENOSYS);
    hook.is_counting = false;
    CHECK(pages_are(subject, NUM_SUBJECT, 1));
    memset(hook.errors, 0, sizeof hook.errors);
    end_fixture(subject);
}

// Each system call by which advice is tried fails. What cannot be found out is assumed, or done in the safe way.
static void test_failures_while_advice_is_tried(void) {
    static const int errors[] = {ENOMEM, EAGAIN, EINVAL, EPERM};
    char* subject = make_fixture(true);
    Mappings before = count_mappings(), after;
    size_t num_calls = 1, i, j;
    for (i = 0; i < num_calls; i++) {
        for (j = 0; j < sizeof errors / sizeof errors[0]; j++) {
            memset(hook.errors, 0, sizeof hook.errors);
            memset(subject, 1, pages(NUM_SUBJECT));
            vmem__linux_advice = 0;
            start_counting();
            vmem__linux_find_advice();
            num_calls = hook.num_calls;
            REQUIRE(strcmp(hook.calls[num_calls - 1], "munmap") == 0 && hook.num_calls > 8);
            if (i == num_calls - 1) break;  // a page that cannot be unmapped stays
            vmem__linux_advice = 0;
            hook.errors[i] = errors[j];
            start_counting();
            errno = UNTOUCHED;
            CHECK(vmem_discard(subject, pages(NUM_SUBJECT)) == VMEM_SUCCESS && errno == UNTOUCHED);
            hook.is_counting = false;
            CHECK(pages_are(subject, NUM_SUBJECT, 0));
        }
    }
    memset(hook.errors, 0, sizeof hook.errors);
    hook.is_counting = false;
    vmem__linux_advice = 0;
    after = count_mappings();
    CHECK(after.count == before.count && after.size == before.size);
    end_fixture(subject);
}

// A system that answers 0 to whatever it does not know.
static void test_advice_that_is_not_followed(void) {
    char* subject = make_fixture(true);
    CHECK(vmem__linux_find_advice() & VMEM__ADVICE_IS_HONEST);
    vmem__linux_advice = VMEM__ADVICE_TRIED | VMEM__ADVICE_EXISTS;
    CHECK(vmem_discard(subject, pages(NUM_SUBJECT)) == VMEM_SUCCESS);
    CHECK(pages_are(subject, NUM_SUBJECT, 0));
    CHECK(vmem_get_capabilities().discard_unlocks && !vmem_get_capabilities().can_advise_fork);
    errno = UNTOUCHED;
    CHECK(vmem_advise_fork(subject, 1, VMEM_FORK_ZERO) == VMEM_ERROR_UNSUPPORTED && errno == UNTOUCHED);
    CHECK(vmem_advise_dump(subject, 1, false) == VMEM_ERROR_UNSUPPORTED && errno == UNTOUCHED);
    memset(subject, 1, pages(NUM_SUBJECT));
    vmem__linux_advice |= VMEM__ADVICE_DISCARDS;
    if (vmem_lock(subject, 1) == VMEM_SUCCESS && get_limits().lock_used > 0) {  // sanitizers lock nothing
        errno = UNTOUCHED;
        CHECK(vmem_discard(subject, 1) == VMEM_ERROR_INVALID_ARGUMENT && errno == EINVAL);
        CHECK(pages_are(subject, NUM_SUBJECT, 1));
        CHECK(vmem_unlock(subject, 1) == VMEM_SUCCESS);
    }
    vmem__linux_advice = 0;
    end_fixture(subject);
}

// >>control groups ----------------------------------------------------------------------------------------------------

static VmemMemoryInfo get_memory_info_with(const File* files, size_t num_files) {
    VmemMemoryInfo info;
    simulated = files;
    num_simulated = num_files;
    errno = UNTOUCHED;
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(errno == UNTOUCHED);
    simulated = NULL;
    return info;
}

#define CHECK_INFO(files, total_mib, available_mib)                                     \
    do {                                                                                \
        VmemMemoryInfo info = get_memory_info_with(files, sizeof files / sizeof(File)); \
        CHECK(info.total == (total_mib) * MIB);                                         \
        CHECK(info.available == (available_mib) * MIB);                                 \
    } while (0)

static void test_no_control_groups(void) {
    static const File none[] = {MACHINE, {"/proc/self/cgroup", ""}};
    static const File other[] = {MACHINE,
                                 {"/proc/self/cgroup", "3:cpu,cpuacct:/a\nnonsense\n2:freezer:/memory\n"},
                                 {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n"},
                                 {"/sys/fs/cgroup/memory/memory/memory.limit_in_bytes", "1048576\n"}};
    CHECK_INFO(none, 1024, 896);
    CHECK_INFO(other, 1024, 896);
}

// 256 MiB, of which 100 are used, 20 of these by file pages that can be reclaimed.
static void test_version_1(void) {
    static const File files[] = {MACHINE,
                                 {"/proc/self/cgroup", "9:pids:/x\n8:hugetlb,memory:/a/b\n0::/a/b\n"},
                                 {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
                                 {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"},
                                 {"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "268435456\n"},
                                 {"/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "104857600\n"},
                                 {"/sys/fs/cgroup/memory/a/b/memory.stat",
                                  "cache 5\ninactive_file 7\ntotal_inactive_file 20971520\ntotal_active_file 9\n"}};
    CHECK_INFO(files, 256, 256 - 80);
}

static void test_version_2(void) {
    static const File files[] = {MACHINE,
                                 {"/proc/self/cgroup", "0::/a/b\n"},
                                 {"/sys/fs/cgroup/a/memory.max", "268435456\n"},
                                 {"/sys/fs/cgroup/a/memory.current", "104857600\n"},
                                 {"/sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 20971520\n"},
                                 {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
                                 {"/sys/fs/cgroup/a/b/memory.current", "1048576\n"}};
    CHECK_INFO(files, 256, 256 - 80);
}

// In a container the path is that of the host, and only files of the root exist.
static void test_group_of_a_container(void) {
    static const File version1[] = {MACHINE,
                                    {"/proc/self/cgroup", "8:memory:/docker/0123\n"},
                                    {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"},
                                    {"/sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n"}};
    static const File version2[] = {MACHINE,
                                    {"/proc/self/cgroup", "0::/\n"},
                                    {"/sys/fs/cgroup/memory.max", "268435456\n"},
                                    {"/sys/fs/cgroup/memory.current", "1048576\n"}};
    CHECK_INFO(version1, 256, 255);
    CHECK_INFO(version2, 256, 255);
}

static void test_full_group(void) {
    static const File files[] = {MACHINE,
                                 {"/proc/self/cgroup", "0::/a\n"},
                                 {"/sys/fs/cgroup/a/memory.max", "268435456\n"},
                                 {"/sys/fs/cgroup/a/memory.current", "268439552\n"}};
    CHECK_INFO(files, 256, 0);
}

// The kernel counts both at different times.
static void test_group_with_more_cache_than_use(void) {
    static const File files[] = {MACHINE,
                                 {"/proc/self/cgroup", "0::/a\n"},
                                 {"/sys/fs/cgroup/a/memory.max", "268435456\n"},
                                 {"/sys/fs/cgroup/a/memory.current", "10485760\n"},
                                 {"/sys/fs/cgroup/a/memory.stat", "inactive_file 20971520\n"}};
    CHECK_INFO(files, 256, 256);
}

static void test_group_larger_than_the_machine(void) {
    static const File files[] = {MACHINE,
                                 {"/proc/self/cgroup", "0::/a\n"},
                                 {"/sys/fs/cgroup/a/memory.max", "2147483648\n"},
                                 {"/sys/fs/cgroup/a/memory.current", "1048576\n"}};
    CHECK_INFO(files, 1024, 896);
}

// The limit of the inner group is 256 MiB, but of the outer group only 38 MiB are unused.
static void test_group_in_a_group_with_less_memory(void) {
    static const File files[] = {MACHINE,
                                 {"/proc/self/cgroup", "0::/a/b\n"},
                                 {"/sys/fs/cgroup/a/memory.max", "536870912\n"},
                                 {"/sys/fs/cgroup/a/memory.current", "497025024\n"},
                                 {"/sys/fs/cgroup/a/b/memory.max", "268435456\n"},
                                 {"/sys/fs/cgroup/a/b/memory.current", "1048576\n"}};
    CHECK_INFO(files, 256, 512 - 474);
}

// Hierarchies can have any name, and names of other controllers can contain "memory".
static void test_names_similar_to_the_controller(void) {
    static const File files[] = {
        MACHINE,
        {"/proc/self/cgroup", "9:name=memory:/a\n8:memory2:/a\n7:xmemory,cpu:/a\n6:name=x,memoryx:/a\n5:mem:/a\n"},
        {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456\n"}};
    static const File among_others[] = {MACHINE,
                                        {"/proc/self/cgroup", "9:cpu,memory,pids:/a\n"},
                                        {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456\n"}};
    CHECK_INFO(files, 1024, 896);
    CHECK_INFO(among_others, 256, 256);
}

// The file needs several reads, and the relevant line is the last one.
static void test_many_hierarchies(void) {
    static char lines[16000];
    static const File files[] = {MACHINE,
                                 {"/proc/self/cgroup", lines},
                                 {"/sys/fs/cgroup/a/memory.max", "268435456\n"},
                                 {"/sys/fs/cgroup/a/memory.current", "1048576\n"}};
    size_t length = 0;
    while (length < sizeof lines - 200) length += (size_t)sprintf(lines + length, "9:name=other:/%0*d\n", 100, 0);
    sprintf(lines + length, "0::/a\n");
    CHECK_INFO(files, 256, 255);
}

#define LONGEST_GROUP 4095

// A path of this length, which begins with /a/ and continues with long names.
static void write_group(char* group, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) group[i] = i % 250 == 2 || i == 0 ? '/' : 'a';
    group[length - 1] = 'z';
    group[length] = 0;
}

// The limit is found at the group itself, up to the longest path of a file, and above a group with a longer path, whose
// files cannot be opened.
static void check_group_of(size_t length) {
    static char group[LONGEST_GROUP + 1], lines[LONGEST_GROUP + 64], limit[LONGEST_GROUP + 64];
    static const File of_group[] = {MACHINE, {"/proc/self/cgroup", lines}, {limit, "268435456\n"}};
    static const File above_group[] = {
        MACHINE, {"/proc/self/cgroup", lines}, {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456\n"}};
    write_group(group, length);
    sprintf(lines, "11:hugetlb,memory:%s\n", group);
    sprintf(limit, "/sys/fs/cgroup/memory%s/memory.limit_in_bytes", group);
    CHECK_INFO(of_group, 256, 256);
    CHECK_INFO(above_group, 256, 256);
}

static void test_long_groups(void) {
    check_group_of(990);
    check_group_of(1000);
    check_group_of(1024);
    check_group_of(2048);
    check_group_of(4095 - 21 - 22);
    check_group_of(LONGEST_GROUP);
}

// No kernel writes such a line. It must not overflow a buffer.
static void test_line_that_is_too_long(void) {
    static char lines[60000];
    static const File files[] = {MACHINE, {"/proc/self/cgroup", lines}, {"/sys/fs/cgroup/a/memory.max", "268435456\n"}};
    write_group(lines, 20000);
    memcpy(lines, "0::/a/", 6);
    sprintf(lines + 20000, "\n0:");
    CHECK_INFO(files, 256, 256);
    memset(lines, ':', sizeof lines - 1);
    CHECK_INFO(files, 1024, 896);
}

static void test_control_groups(void) {
    test_no_control_groups();
    test_version_1();
    test_version_2();
    test_group_of_a_container();
    test_full_group();
    test_group_with_more_cache_than_use();
    test_group_larger_than_the_machine();
    test_group_in_a_group_with_less_memory();
    test_names_similar_to_the_controller();
    test_many_hierarchies();
    test_long_groups();
    test_line_that_is_too_long();
}

// >>main --------------------------------------------------------------------------------------------------------------

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    test_every_failure();
    test_queries_by_ioctl_and_by_reading();
    test_queries_of_all_addresses();
    test_limits_without_files();
    test_commit_limits_by_mode();
    test_ranges_up_to_the_last_page();
    test_trimming_that_fails();
    test_decommit_at_the_mapping_limit();
    test_denied_advice();
    test_advice_denied_later();
    test_failures_while_advice_is_tried();
    test_advice_that_is_not_followed();
    test_control_groups();
    return report();
}
