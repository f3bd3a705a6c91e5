// Makes the system calls of the objects of vmem.h fail, each alone and two together, and checks that a function that
// fails changes nothing. Linux only. Prints each check that fails, then "N checks, M failed".
//
// Search for >>hook, >>fixture, >>sequences, >>operations, >>fallbacks, >>main.

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE  // for mkstemp() and pread()
#endif

#include <stdbool.h>

static bool fails(const char* call);
#define VMEM_FAIL(call) fails(call)

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

// >>hook --------------------------------------------------------------------------------------------------------------

#define MAX_CALLS 32

// The system calls of the function under test: which of them fail, and what they were.
static struct {
    bool is_counting;
    size_t num_calls;
    const char* calls[MAX_CALLS];
    int errors[MAX_CALLS];  // 0: the call is made
} hook;

// The file that a failing fallocate() makes grow by a page, as ext4 can do when the disk is full; -1 for none.
static int growing_file = -1;

static void grow(void) {
    struct stat status;
    REQUIRE(fstat(growing_file, &status) == 0);
    REQUIRE(ftruncate(growing_file, status.st_size + (off_t)vmem_get_page_size()) == 0);
}

static bool signals_are_blocked(void) {
    sigset_t mask;
    REQUIRE(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    return sigismember(&mask, SIGALRM) == 1 && sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
}

static size_t num_fallocates;

static bool fails(const char* call) {
    size_t index = hook.num_calls;
    if (!hook.is_counting) return false;
    REQUIRE(index < MAX_CALLS);
    hook.calls[index] = call;
    hook.num_calls++;
    if (strcmp(call, "fallocate") == 0) CHECK(signals_are_blocked() == (num_fallocates++ == 1));
    if (hook.errors[index] == 0) return false;
    if (strcmp(call, "fallocate") == 0 && growing_file >= 0) grow();
    errno = hook.errors[index];
    return true;
}

static bool call_is(size_t index, const char* name) { return strcmp(hook.calls[index], name) == 0; }

// The number of earlier calls by the same name.
static size_t count_before(size_t index) {
    size_t count = 0, i;
    for (i = 0; i < index; i++) count += call_is(i, hook.calls[index]);
    return count;
}

// >>fixture -----------------------------------------------------------------------------------------------------------
//
// An object of which the first pages are committed and filled, and a mapping of all of it.

#define UNTOUCHED EDOM
#define MAX_PAGES 16
#define NUM_PAGES 4

typedef struct Fixture {
    VmemObject object;
    char* ptr;
    size_t num_bytes;  // that are accessible
} Fixture;

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

static bool pages_are(const char* start, size_t count, char value) {
    return start[0] == value && memcmp(start, start + 1, pages(count) - 1) == 0;
}

static int make_file(void) {
    char path[] = "/tmp/vmem-test-XXXXXX";
    int file = mkstemp(path);
    REQUIRE(file >= 0 && unlink(path) == 0);
    return file;
}

static Fixture make_fixture(bool is_file) {
    Fixture fixture;
    if (is_file) {
        int file = make_file();
        REQUIRE(vmem_object_from_file(&fixture.object, file, pages(MAX_PAGES)) == VMEM_SUCCESS);
        close(file);
    } else {
        REQUIRE(vmem_object_create(&fixture.object, pages(MAX_PAGES), "test") == VMEM_SUCCESS);
    }
    REQUIRE(vmem_object_commit(&fixture.object, 0, pages(NUM_PAGES)) == VMEM_SUCCESS);
    fixture.ptr = (char*)vmem_object_map(&fixture.object, pages(MAX_PAGES), 0, VMEM_READ_WRITE);
    REQUIRE(fixture.ptr != NULL);
    memset(fixture.ptr, 1, pages(NUM_PAGES));
    fixture.num_bytes = pages(NUM_PAGES);
    return fixture;
}

static void check_fixture(const Fixture* fixture) {
    struct stat status;
    CHECK(fstat((int)fixture->object.handle, &status) == 0 && status.st_size == (off_t)fixture->num_bytes);
    CHECK(pages_are(fixture->ptr, NUM_PAGES, 1));
}

static void end_fixture(Fixture* fixture) {
    check_fixture(fixture);
    CHECK(vmem_object_unmap(fixture->ptr, pages(MAX_PAGES)) == VMEM_SUCCESS);
    CHECK(vmem_object_close(&fixture->object) == VMEM_SUCCESS);
}

static size_t count_mappings(void) {
    static char text[1 << 16];
    size_t length = 0, lines = 0, i;
    ssize_t count;
    int file = open("/proc/self/maps", O_RDONLY);
    REQUIRE(file >= 0);
    while ((count = read(file, text + length, sizeof text - 1 - length)) > 0) length += (size_t)count;
    close(file);
    for (i = 0; i < length; i++) lines += text[i] == '\n';
    return lines;
}

static size_t count_files(void) {
    size_t count = 0;
    int file;
    for (file = 0; file < 64; file++) count += fcntl(file, F_GETFD) >= 0;
    return count;
}

static VmemResult result_of(int error) {
    switch (error) {
        case 0: return VMEM_SUCCESS;
        case ENOMEM:
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return VMEM_ERROR_OUT_OF_MEMORY;
        case EACCES:
        case EPERM: return VMEM_ERROR_ACCESS_DENIED;
        case EINVAL: return VMEM_ERROR_INVALID_ARGUMENT;
        case ENOSYS:
        case EOPNOTSUPP: return VMEM_ERROR_UNSUPPORTED;
        default: return VMEM_ERROR_SYSTEM;
    }
}

// >>sequences ---------------------------------------------------------------------------------------------------------

static const int mmap_errors[] = {ENOMEM, EACCES, EPERM, 0}, munmap_errors[] = {ENOMEM, 0},
                 madvise_errors[] = {EINVAL, 0}, memfd_errors[] = {EMFILE, EINVAL, ENOSYS, 0},
                 stat_errors[] = {EBADF, ENOSYS, EPERM, 0}, fcntl_errors[] = {EINVAL, EPERM, EMFILE, EBADF, 0},
                 fallocate_errors[] = {ENOSPC, EINTR, EPERM, EFBIG, EDQUOT, EOPNOTSUPP, EBADF, 0},
                 statfs_errors[] = {EIO, 0}, open_errors[] = {EMFILE, ENOENT, 0}, close_errors[] = {EIO, 0},
                 truncate_errors[] = {EIO, 0}, read_errors[] = {EIO, EINVAL, 0}, sync_errors[] = {EIO, ENOSPC, 0},
                 write_errors[] = {EIO, ENOSPC, EINTR, EBADF, 0}, flock_errors[] = {EIO, 0};

static const struct {
    const char* call;
    const int* errors;
} errors_of_calls[] = {
    {"mmap", mmap_errors},      {"munmap", munmap_errors}, {"madvise", madvise_errors}, {"memfd_create", memfd_errors},
    {"statx", stat_errors},     {"fstat", stat_errors},    {"fcntl", fcntl_errors},     {"fallocate", fallocate_errors},
    {"fstatfs", statfs_errors}, {"open", open_errors},     {"close", close_errors},     {"ftruncate", truncate_errors},
    {"fdatasync", sync_errors}, {"preadv", read_errors},   {"pwritev", write_errors},   {"flock", flock_errors}};

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
    bool is_file;  // the object
    VmemResult (*run)(Fixture* fixture);
    // What a failure means; VMEM_SUCCESS if something else is tried, or nothing is lost.
    VmemResult (*expect)(size_t index, int error);
} Operation;

static bool is_stat(size_t index) { return call_is(index, "statx") || call_is(index, "fstat"); }

// Whether what statx() is denied is asked of fstat().
static bool can_do_without_statx = false;

// When the latter is denied too, its error counts.
static bool is_replaced(size_t index, int error) {
    return can_do_without_statx && call_is(index, "statx") && (error == ENOSYS || error == EPERM);
}

// Advice about core dumps is no more than that, and what is undone after a failure fails without a word.
static VmemResult expect_result(size_t index, int error) {
    if (call_is(index, "madvise") || is_replaced(index, error)) return VMEM_SUCCESS;
    if (error == EBADF && (is_stat(index) || call_is(index, "fcntl"))) return VMEM_ERROR_INVALID_ARGUMENT;
    return result_of(error);
}

// The first failure that is one decides.
static VmemResult expect(const Operation* operation, int* error) {
    size_t i;
    *error = UNTOUCHED;
    for (i = 0; i < hook.num_calls; i++) {
        VmemResult result = hook.errors[i] ? operation->expect(i, hook.errors[i]) : VMEM_SUCCESS;
        if (result == VMEM_SUCCESS) continue;
        *error = hook.errors[i];
        return result;
    }
    return VMEM_SUCCESS;
}

static void print_sequence(const Operation* operation) {
    size_t i;
    printf("    in %s with", operation->name);
    for (i = 0; i < hook.num_calls; i++) printf(" %s:%d", hook.calls[i], hook.errors[i]);
    printf("\n");
}

// Calls that were not made leave open or mapped what they should have closed or unmapped.
static size_t count_failed(const char* call) {
    size_t count = 0, i;
    for (i = 0; i < hook.num_calls; i++) count += hook.errors[i] != 0 && call_is(i, call);
    return count;
}

static void run_once(const Operation* operation) {
    int num_failed_before = num_failed, error, expected_error;
    Fixture fixture = make_fixture(operation->is_file);
    size_t mappings = count_mappings(), files = count_files();
    VmemResult result, expected;
    memset(hook.calls, 0, sizeof hook.calls);
    errno = UNTOUCHED;
    hook.num_calls = 0;
    num_fallocates = 0;
    hook.is_counting = true;
    result = operation->run(&fixture);
    hook.is_counting = false;
    error = errno;
    CHECK(!signals_are_blocked());
    expected = expect(operation, &expected_error);
    CHECK(result == expected);
    CHECK(error == expected_error);
    check_fixture(&fixture);
    CHECK(count_files() == files + count_failed("close"));
    CHECK(count_mappings() == mappings || count_failed("munmap") > 0);
    if (num_failed > num_failed_before) print_sequence(operation);
    CHECK(operation->run(&fixture) == VMEM_SUCCESS);
    end_fixture(&fixture);
    while (count_files() >= files) {  // what was left open, so that the numbers do not run out
        int file;
        for (file = 63; fcntl(file, F_GETFD) < 0;) file--;
        close(file);
    }
}

static void run_sequences(const Operation* operation, size_t first, size_t num_failures) {
    const char* calls[MAX_CALLS];
    size_t num_calls, i, j;
    run_once(operation);
    if (num_failures == 2) return;
    num_calls = hook.num_calls;
    memcpy(calls, hook.calls, sizeof calls);
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

// Closes without the hook, which is about the function under test.
static VmemResult close_made(VmemObject* made, VmemResult result) {
    if (result == VMEM_SUCCESS) CHECK(close((int)made->handle) == 0);
    return result;
}

static VmemResult run_create(Fixture* fixture) {
    VmemObject made;
    (void)fixture;
    return close_made(&made, vmem_object_create(&made, pages(1), "test"));
}

// Kernels that do not know a flag are asked again without it.
static VmemResult expect_create(size_t index, int error) {
    if (call_is(index, "memfd_create") && error == EINVAL && count_before(index) == 0) return VMEM_SUCCESS;
    return expect_result(index, error);
}

static VmemResult run_import(Fixture* fixture) {
    VmemObject made = fixture->object;
    VmemResult result = vmem_object_import(&made, fixture->object.handle);
    if (result != VMEM_SUCCESS) CHECK(memcmp(&made, &fixture->object, sizeof made) == 0);
    return close_made(&made, result);
}

// The first fcntl() duplicates. If the second finds no seals, this is not an object.
static VmemResult expect_import(size_t index, int error) {
    if (call_is(index, "fstatfs")) return VMEM_ERROR_INVALID_ARGUMENT;
    if (call_is(index, "fcntl") && count_before(index) == 1) return VMEM_ERROR_INVALID_ARGUMENT;
    return expect_result(index, error);
}

static VmemResult run_from_file(Fixture* fixture) {
    VmemObject made = fixture->object;
    VmemResult result = vmem_object_from_file(&made, fixture->object.handle, pages(1));
    if (result != VMEM_SUCCESS) CHECK(memcmp(&made, &fixture->object, sizeof made) == 0);
    return close_made(&made, result);
}

static VmemResult export_and_close(Fixture* fixture, bool writable) {
    intptr_t handle = -1;
    VmemResult result = vmem_object_export(&fixture->object, writable, &handle);
    CHECK((handle == -1) == (result != VMEM_SUCCESS));
    if (result == VMEM_SUCCESS) CHECK(close((int)handle) == 0);
    return result;
}

static VmemResult run_export(Fixture* fixture) { return export_and_close(fixture, true); }

static VmemResult run_export_to_read(Fixture* fixture) { return export_and_close(fixture, false); }

// Finding the seals comes first: EINVAL says that there are none.
static VmemResult expect_export(size_t index, int error) {
    if (call_is(index, "fcntl") && count_before(index) == 0) return error == EINVAL ? VMEM_SUCCESS : result_of(error);
    return expect_result(index, error);
}

static VmemResult run_close(Fixture* fixture) {
    VmemObject copy = fixture->object, before;
    VmemResult result;
    copy.handle = fcntl((int)copy.handle, F_DUPFD_CLOEXEC, 3);
    before = copy;
    result = vmem_object_close(&copy);
    if (result == VMEM_SUCCESS) {
        CHECK(copy.handle == -1);
        return result;
    }
    CHECK(memcmp(&copy, &before, sizeof copy) == 0);
    if (count_failed("close") == 0) CHECK(close((int)copy.handle) == 0);
    return result;
}

static VmemResult run_size(Fixture* fixture) {
    size_t num_bytes = 99;
    VmemResult result = vmem_object_size(&fixture->object, &num_bytes);
    CHECK(num_bytes == (result == VMEM_SUCCESS ? fixture->num_bytes : 99));
    return result;
}

static VmemResult run_commit(Fixture* fixture) {
    VmemResult result = vmem_object_commit(&fixture->object, pages(NUM_PAGES), pages(2));
    if (result == VMEM_SUCCESS) {
        fixture->num_bytes = pages(NUM_PAGES + 2);
        CHECK(pages_are(fixture->ptr + pages(NUM_PAGES), 2, 0));
    }
    return result;
}

// A signal is no failure, unless it comes again. What follows a failure undoes it.
static VmemResult expect_commit(size_t index, int error) {
    if (call_is(index, "fallocate") && error == EINTR && count_before(index) == 0) return VMEM_SUCCESS;
    if (call_is(index, "fallocate") && error == EBADF) return VMEM_ERROR_ACCESS_DENIED;
    return expect_result(index, error);
}

static bool first_seal_is_unknown(void) {
    size_t i = 0;
    while (i < hook.num_calls && !call_is(i, "fcntl")) i++;
    return hook.errors[i] == EINVAL;
}

static VmemResult run_seal(Fixture* fixture) {
    const unsigned size_only = VMEM_SEAL_SIZE, both = VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS;
    bool is_counting = hook.is_counting;
    VmemObject made;
    unsigned found = 99, expected;
    VmemResult result;
    int error;
    (void)fixture;
    hook.is_counting = false;
    REQUIRE(vmem_object_create(&made, pages(1), NULL) == VMEM_SUCCESS);
    hook.is_counting = is_counting;
    errno = UNTOUCHED;
    result = vmem_object_seal(&made, both);
    error = errno;
    hook.is_counting = false;
    expected = is_counting && first_seal_is_unknown() ? size_only : both;
    CHECK(vmem_object_get_seals(&made, &found) == VMEM_SUCCESS && found == (result == VMEM_SUCCESS ? expected : 0));
    CHECK(close((int)made.handle) == 0);
    errno = error;
    return result;
}

// Kernels that do not know a seal are asked again without it.
static VmemResult expect_seal(size_t index, int error) {
    if (call_is(index, "fcntl") && error == EINVAL)
        return count_before(index) == 0 ? VMEM_SUCCESS : VMEM_ERROR_UNSUPPORTED;
    return call_is(index, "fcntl") ? result_of(error) : expect_result(index, error);
}

static VmemResult run_get_seals(Fixture* fixture) {
    unsigned seals = 99;
    VmemResult result = vmem_object_get_seals(&fixture->object, &seals);
    CHECK(seals == (result == VMEM_SUCCESS ? 0 : 99));
    return result;
}

static VmemResult expect_get_seals(size_t index, int error) {
    if (call_is(index, "fcntl")) return error == EINVAL ? VMEM_SUCCESS : result_of(error);
    return expect_result(index, error);
}

static VmemResult run_read(Fixture* fixture) {
    char bytes[2] = {9, 9};
    VmemResult result = vmem_object_read(&fixture->object, bytes, 2, pages(1) - 1);
    if (result == VMEM_SUCCESS) CHECK(bytes[0] == 1 && bytes[1] == 1);
    return result;
}

static VmemResult unmap_made(char* ptr, size_t num_bytes) {
    if (!ptr) return errno == EBADF ? VMEM_ERROR_INVALID_ARGUMENT : result_of(errno);
    CHECK(ptr[0] == 1 && munmap(ptr, num_bytes) == 0);
    return VMEM_SUCCESS;
}

static VmemResult run_map(Fixture* fixture) {
    return unmap_made((char*)vmem_object_map(&fixture->object, pages(2), 0, VMEM_READ), pages(2));
}

static VmemResult run_map_aligned(Fixture* fixture) {
    const size_t align = (size_t)4 << 20;
    return unmap_made((char*)vmem_object_map_aligned(&fixture->object, pages(2), 0, VMEM_READ, align), pages(2));
}

static VmemResult run_map_mirrored(Fixture* fixture) {
    return unmap_made((char*)vmem_object_map_mirrored(&fixture->object, pages(2), 0, VMEM_READ_WRITE), pages(4));
}

static VmemResult run_unmap(Fixture* fixture) {
    bool is_counting = hook.is_counting;
    char* ptr;
    VmemResult result;
    hook.is_counting = false;
    ptr = (char*)vmem_object_map_mirrored(&fixture->object, pages(2), 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    hook.is_counting = is_counting;
    errno = UNTOUCHED;
    result = vmem_object_unmap_mirrored(ptr, pages(2), 0);
    if (result != VMEM_SUCCESS) {
        CHECK(ptr[0] == 1 && ptr[pages(2)] == 1);
        CHECK(munmap(ptr, pages(4)) == 0);
    }
    return result;
}

static VmemResult run_make_private(Fixture* fixture) {
    bool is_counting = hook.is_counting;
    char* ptr;
    VmemResult result;
    int error;
    hook.is_counting = false;
    ptr = (char*)vmem_object_map(&fixture->object, pages(2), 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    hook.is_counting = is_counting;
    errno = UNTOUCHED;
    result = vmem_object_make_private(&fixture->object, ptr, pages(2), 0);
    error = errno;
    CHECK(pages_are(ptr, 2, 1));
    ptr[0] = 2;
    CHECK(fixture->ptr[0] == (result == VMEM_SUCCESS ? 1 : 2));
    fixture->ptr[0] = 1;
    CHECK(munmap(ptr, pages(2)) == 0);
    errno = error;
    return result;
}

static VmemResult run_flush(Fixture* fixture) { return vmem_object_flush(&fixture->object, fixture->ptr, 1, true); }

// A signal is no failure.
static VmemResult expect_write(size_t index, int error) {
    if (call_is(index, "pwritev") && error == EINTR) return VMEM_SUCCESS;
    if (call_is(index, "pwritev") && error == EBADF) return VMEM_ERROR_ACCESS_DENIED;
    return expect_result(index, error);
}

static VmemResult run_write(Fixture* fixture) {
    VmemResult result = vmem_object_write(&fixture->object, "x", 1, pages(NUM_PAGES), 0);
    if (result == VMEM_SUCCESS) fixture->num_bytes = pages(NUM_PAGES) + 1;
    return result;
}

#define ADDED 8192

static VmemResult run_growth(Fixture* fixture) {
    VmemResult result = vmem_object_resize(&fixture->object, pages(NUM_PAGES) + ADDED);
    if (result == VMEM_SUCCESS) fixture->num_bytes = pages(NUM_PAGES) + ADDED;
    return result;
}

// File systems that cannot reserve blocks are written to.
static VmemResult expect_growth(size_t index, int error) {
    if (call_is(index, "fallocate") && error == EOPNOTSUPP) return VMEM_SUCCESS;
    return call_is(index, "pwritev") ? expect_write(index, error) : expect_commit(index, error);
}

static VmemResult run_shrinking(Fixture* fixture) {
    bool is_counting = hook.is_counting;
    VmemResult result;
    hook.is_counting = false;
    CHECK(run_growth(fixture) == VMEM_SUCCESS);
    hook.is_counting = is_counting;
    result = vmem_object_resize(&fixture->object, pages(NUM_PAGES) + 1);
    if (result == VMEM_SUCCESS) fixture->num_bytes = pages(NUM_PAGES) + 1;
    return result;
}

static VmemResult run_publish(Fixture* fixture) {
    VmemResult result = vmem_object_publish(&fixture->object, SIZE_MAX, pages(1));
    if (result == VMEM_SUCCESS) result = vmem_object_publish(&fixture->object, pages(1), pages(2));
    return result == VMEM_SUCCESS ? vmem_object_publish(&fixture->object, pages(2), SIZE_MAX) : result;
}

// What ends it need not unlock anything: closing does that.
static VmemResult expect_publish(size_t index, int error) {
    if (call_is(index, "fcntl") && error == EINVAL && count_before(index) < 2) return VMEM_ERROR_UNSUPPORTED;
    return call_is(index, "fcntl") && count_before(index) == 2 ? VMEM_SUCCESS : expect_result(index, error);
}

static VmemResult run_get_published(Fixture* fixture) {
    size_t num_bytes = 99;
    VmemResult result = vmem_object_get_published(&fixture->object, &num_bytes);
    CHECK(num_bytes == (result == VMEM_SUCCESS ? fixture->num_bytes : 99));
    return result;
}

static const Operation operations[] = {
    {"vmem_object_create", false, run_create, expect_create},
    {"vmem_object_import", false, run_import, expect_import},
    {"vmem_object_from_file", true, run_from_file, expect_import},
    {"vmem_object_export", false, run_export, expect_export},
    {"vmem_object_export to read", false, run_export_to_read, expect_export},
    {"vmem_object_close", false, run_close, expect_result},
    {"vmem_object_size", false, run_size, expect_result},
    {"vmem_object_commit", false, run_commit, expect_commit},
    {"vmem_object_commit of a file", true, run_commit, expect_commit},
    {"vmem_object_seal", false, run_seal, expect_seal},
    {"vmem_object_get_seals", false, run_get_seals, expect_get_seals},
    {"vmem_object_read", false, run_read, expect_result},
    {"vmem_object_map", false, run_map, expect_result},
    {"vmem_object_map_aligned", false, run_map_aligned, expect_result},
    {"vmem_object_map_mirrored", false, run_map_mirrored, expect_result},
    {"vmem_object_unmap_mirrored", false, run_unmap, expect_result},
    {"vmem_object_make_private", false, run_make_private, expect_result},
    {"vmem_object_flush", true, run_flush, expect_result},
    {"vmem_object_write", true, run_write, expect_write},
    {"vmem_object_resize to grow", true, run_growth, expect_growth},
    {"vmem_object_resize to shrink", true, run_shrinking, expect_result},
    {"vmem_object_publish", true, run_publish, expect_publish},
    {"vmem_object_get_published", true, run_get_published, expect_publish},
};

static void test_every_failure(void) {
    size_t i;
    for (i = 0; i < sizeof operations / sizeof operations[0]; i++) run_sequences(&operations[i], 0, 0);
}

// >>fallbacks ---------------------------------------------------------------------------------------------------------

static void fail_call(size_t index, int error) {
    memset(hook.errors, 0, sizeof hook.errors);
    hook.errors[index] = error;
    hook.num_calls = num_fallocates = 0;
    hook.is_counting = true;
    errno = UNTOUCHED;
}

static void fail_none(void) {
    hook.is_counting = false;
    memset(hook.errors, 0, sizeof hook.errors);
}

static void test_files_that_grew_by_a_part(void) {
    Fixture fixture = make_fixture(true);
    growing_file = (int)fixture.object.handle;
    fail_call(1, ENOSPC);
    CHECK(vmem_object_commit(&fixture.object, pages(NUM_PAGES), pages(2)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(errno == ENOSPC);
    fail_none();
    end_fixture(&fixture);
    fixture = make_fixture(false);  // memory is not truncated: other processes may have committed more
    growing_file = (int)fixture.object.handle;
    fail_call(1, ENOSPC);
    CHECK(vmem_object_commit(&fixture.object, pages(NUM_PAGES), pages(2)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(errno == ENOSPC);
    fail_none();
    growing_file = -1;
    fixture.num_bytes = pages(NUM_PAGES + 1);
    end_fixture(&fixture);
}

static void test_writers_cannot_be_sealed_alone_before_linux_5_1(void) {
    Fixture fixture = make_fixture(false);
    unsigned seals = 99;
    fail_call(1, EINVAL);
    CHECK(vmem_object_seal(&fixture.object, VMEM_SEAL_WRITERS) == VMEM_ERROR_UNSUPPORTED);
    fail_none();
    CHECK(vmem_object_get_seals(&fixture.object, &seals) == VMEM_SUCCESS && seals == 0);
    end_fixture(&fixture);
}

#define CHECK_CAPABILITIES(share, seal, seal_writers)                                              \
    do {                                                                                           \
        VmemCapabilities capabilities;                                                             \
        vmem__linux_objects = 0;                                                                   \
        errno = UNTOUCHED;                                                                         \
        capabilities = vmem_get_capabilities();                                                    \
        CHECK(capabilities.can_share == (share) && capabilities.can_map_mirrored == (share));      \
        CHECK(capabilities.can_seal == (seal) && capabilities.can_seal_writers == (seal_writers)); \
        CHECK(capabilities.can_map_files == (share) && capabilities.can_make_private == (share));  \
        CHECK(capabilities.object_size_is_exact == (share));                                       \
        CHECK(errno == UNTOUCHED);                                                                 \
        hook.is_counting = false;                                                                  \
    } while (0)

// The calls about objects are the last.
static void test_capabilities(void) {
    size_t first = 0, i;
    int file = open("/dev/null", O_RDONLY);
    fail_call(MAX_CALLS - 1, 0);
    CHECK_CAPABILITIES(true, true, true);
    while (!call_is(first, "memfd_create")) first++;
    fail_call(first, ENOSYS);
    CHECK_CAPABILITIES(false, false, false);
    fail_call(first, EINVAL);
    CHECK_CAPABILITIES(true, true, true);
    for (i = 1; i <= 2; i++) {
        fail_call(first + i, i == 1 ? EBADF : ENOSYS);
        CHECK_CAPABILITIES(false, false, false);
    }
    fail_call(first + 3, EINVAL);
    CHECK_CAPABILITIES(true, false, true);
    fail_call(first + 4, EINVAL);
    CHECK_CAPABILITIES(true, true, false);
    fail_call(first, EACCES);
    CHECK_CAPABILITIES(false, false, false);
    fail_none();
    CHECK(close(file) == 0 && open("/dev/null", O_RDONLY) == file && close(file) == 0);
}

// What the kernel was found to do is remembered, unless it was short of something.
static void test_capabilities_are_remembered(void) {
    static const int shortages[] = {EMFILE, ENFILE, ENOMEM};
    size_t first = 0, i;
    fail_call(MAX_CALLS - 1, 0);
    CHECK_CAPABILITIES(true, true, true);
    while (!call_is(first, "memfd_create")) first++;
    for (i = 0; i < sizeof shortages / sizeof shortages[0]; i++) {
        fail_call(first, shortages[i]);
        CHECK_CAPABILITIES(true, true, true);
        CHECK(vmem__linux_objects == 0);
    }
    fail_none();
    vmem__linux_objects = VMEM__OBJECTS_TRIED;
    CHECK(!vmem_get_capabilities().can_share);
    vmem__linux_objects = 0;
    CHECK(vmem_get_capabilities().can_share);
    fail_call(MAX_CALLS - 1, 0);
    CHECK(vmem_get_capabilities().can_seal_writers);
    fail_none();
    for (i = 0; i < hook.num_calls; i++) CHECK(!call_is(i, "memfd_create") && !call_is(i, "fallocate"));
}

// Both ways tell the same of a file, so that an object is recognized by either.
static void test_files_without_statx(void) {
    Fixture fixture = make_fixture(false);
    VmemObject imported;
    size_t num_bytes = 99;
    if (can_do_without_statx) {
        fail_call(0, EPERM);
        CHECK(vmem_object_size(&fixture.object, &num_bytes) == VMEM_SUCCESS && errno == UNTOUCHED);
        CHECK(call_is(1, "fstat") && hook.num_calls == 2 && num_bytes == fixture.num_bytes);
        fail_none();
        fail_call(1, ENOSYS);
        CHECK(vmem_object_import(&imported, fixture.object.handle) == VMEM_SUCCESS && errno == UNTOUCHED);
        CHECK(call_is(1, "statx") && call_is(2, "fstat"));
        fail_none();
        CHECK(imported.device == fixture.object.device && imported.inode == fixture.object.inode);
        CHECK(close((int)imported.handle) == 0);
    }
    end_fixture(&fixture);
}

static bool asks_fstat_instead(void) {
    vmem__File info;
    bool succeeds;
    fail_call(0, ENOSYS);
    succeeds = vmem__posix_stat(0, &info) == 0;
    fail_none();
    return succeeds && call_is(0, "statx");
}

// On 32-bit systems a file can be longer than a mapping, and a maximum larger than what off_t can tell.
static void test_sizes_beyond_the_address_space(void) {
    VmemObject object;
    size_t num_bytes = 99;
    int file = make_file();
    if (sizeof(off_t) > sizeof(size_t)) {
        CHECK(ftruncate(file, (off_t)((uint64_t)SIZE_MAX + 1)) == 0);
        CHECK(vmem_object_from_file(&object, file, pages(1)) == VMEM_SUCCESS);
        CHECK(vmem_object_size(&object, &num_bytes) == VMEM_SUCCESS && num_bytes == SIZE_MAX);
        CHECK(close((int)object.handle) == 0);
    }
    CHECK(vmem_object_from_file(&object, file, SIZE_MAX - pages(1)) == VMEM_SUCCESS);
    errno = UNTOUCHED;
    CHECK(vmem_object_map(&object, 1, SIZE_MAX / 2 + 1, VMEM_READ) == NULL || sizeof(off_t) > sizeof(size_t));
    CHECK(errno == EOVERFLOW || sizeof(off_t) > sizeof(size_t));
    CHECK(close((int)object.handle) == 0 && close(file) == 0);
}

// >>main --------------------------------------------------------------------------------------------------------------

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    vmem_get_capabilities();  // tries advice, once
    can_do_without_statx = asks_fstat_instead();
#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__) || defined(__i386__) || defined(__arm__))
    CHECK(can_do_without_statx || !call_is(0, "statx"));
#endif
    test_every_failure();
    test_files_that_grew_by_a_part();
    test_writers_cannot_be_sealed_alone_before_linux_5_1();
    test_capabilities();
    test_capabilities_are_remembered();
    test_files_without_statx();
    test_sizes_beyond_the_address_space();
    return report();
}
