// Makes system calls of vmem.h fail on Unix systems other than Linux, or on Linux without the macro that names it.
// Prints each check that fails, then "N checks, M failed".

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE  // for mkstemp()
#endif

#include <stdbool.h>

static bool fails(const char* call);
#define VMEM_FAIL(call) fails(call)

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

// The call by this name after `num_before` others of that name fails with this error, or that and all later ones.
static const char* failing_call;
static int num_before, failing_error;
static bool fails_always;

static bool fails(const char* call) {
    if (!failing_call || strcmp(call, failing_call) != 0) return false;
    if (num_before-- > 0 || (num_before < -1 && !fails_always)) return false;
    errno = failing_error;
    return true;
}

static void fail_call(const char* call, int num_calls_before) {
    failing_call = call;
    num_before = num_calls_before;
    failing_error = ENOMEM;
    errno = 0;
}

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

static char* commit_pages(size_t count) {
    char* base = (char*)vmem_reserve(pages(count));
    REQUIRE(base != NULL && vmem_commit(base, pages(count)) == VMEM_SUCCESS);
    memset(base, 1, pages(count));
    return base;
}

#define CHECK_OUT_OF_MEMORY(call)                  \
    do {                                           \
        CHECK((call) == VMEM_ERROR_OUT_OF_MEMORY); \
        CHECK(errno == ENOMEM);                    \
    } while (0)

static void test_calls_that_fail(void) {
    char* base = commit_pages(2);
    fail_call("mmap", 0);
    CHECK(vmem_reserve(1) == NULL && errno == ENOMEM);
    fail_call("mmap", 0);
    CHECK(vmem_reserve_aligned(1, (size_t)4 << 20) == NULL && errno == ENOMEM);
    fail_call("mmap", 0);
    CHECK_OUT_OF_MEMORY(vmem_decommit(base, 1));
    fail_call("mmap", 0);
    CHECK_OUT_OF_MEMORY(vmem_discard(base, 1));
    fail_call("mprotect", 0);
    CHECK_OUT_OF_MEMORY(vmem_commit(base, 1));
    fail_call("mprotect", 0);
    CHECK_OUT_OF_MEMORY(vmem_protect(base, 1, VMEM_READ));
    fail_call("mlock", 0);
    CHECK_OUT_OF_MEMORY(vmem_lock(base, 1));
    fail_call("munlock", 0);
    CHECK_OUT_OF_MEMORY(vmem_unlock(base, 1));
    fail_call("munmap", 0);
    CHECK_OUT_OF_MEMORY(vmem_release(base, pages(2)));
    CHECK(base[0] == 1 && base[pages(2) - 1] == 1);
    CHECK(vmem_release(base, pages(2)) == VMEM_SUCCESS);
}

// With VmemCapabilities.discard_can_lose_commit: the pages are decommitted, and can be committed again.
static void test_discarding_that_loses_the_commit(void) {
    char* base = commit_pages(2);
    CHECK(vmem_get_capabilities().discard_can_lose_commit);
    fail_call("mprotect", 0);
    CHECK_OUT_OF_MEMORY(vmem_discard(base, 1));
    CHECK(base[pages(1)] == 1);
    CHECK(vmem_commit(base, 1) == VMEM_SUCCESS);
    CHECK(base[0] == 0 && base[pages(1) - 1] == 0 && base[pages(1)] == 1);
    CHECK(vmem_release(base, pages(2)) == VMEM_SUCCESS);
}

static void test_memory_info_and_limits_that_fail(void) {
    VmemMemoryInfo info;
    VmemAddressSpace space;
    VmemLimits limits;
    fail_call("sysconf", 0);
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(info.total == 0 && errno == 0);
    fail_call("getrlimit", 0);
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    CHECK(limits.address_space_limit == VMEM_UNLIMITED);
    fail_call("getrlimit", 0);
    CHECK(vmem_get_address_space(&space) == VMEM_SUCCESS);
    CHECK(space.limit == VMEM_UNLIMITED && (space.total & (space.total - 1)) == 0);
    CHECK((uintptr_t)&space < space.total && (uintptr_t)&space >= space.total / 2);
    CHECK(errno == 0);
}

static void test_limits(void) {
    struct rlimit limit = {1 << 20, 1 << 20};
    VmemLimits limits;
    fail_call(NULL, 0);
    REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    CHECK(limits.lock_limit == 1 << 20 && limits.lock_used == 0);
    CHECK(limits.mapping_limit == VMEM_UNLIMITED && limits.commit_limit == VMEM_UNLIMITED);
}

// >>objects -----------------------------------------------------------------------------------------------------------

static VmemObject make_object(size_t max_bytes) {
    VmemObject object;
    fail_call(NULL, 0);
    REQUIRE(vmem_object_create(&object, max_bytes, "test") == VMEM_SUCCESS);
    return object;
}

static void close_object(VmemObject* object) {
    fail_call(NULL, 0);
    CHECK(vmem_object_close(object) == VMEM_SUCCESS);
    CHECK(object->handle == -1 && object->reader == -1);
}

static int count_files(void) {
    int count = 0, file;
    for (file = 0; file < 64; file++) count += fcntl(file, F_GETFD) >= 0;
    return count;
}

static void test_creating_that_fails(void) {
    static const struct {
        const char* call;
        int num_before;
    } failures[] = {{"shm_open", 0}, {"shm_open", 1}, {"ftruncate", 0}, {"fstat", 0}};
    VmemObject object;
    size_t i;
    int num_files = count_files();
    object.handle = 99;
    for (i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        fail_call(failures[i].call, failures[i].num_before);
        CHECK_OUT_OF_MEMORY(vmem_object_create(&object, pages(1), NULL));
        CHECK(count_files() == num_files && object.handle == 99);
    }
    fail_call(NULL, 0);
    if (sizeof(off_t) <= sizeof(size_t)) {
        CHECK(vmem_object_create(&object, SIZE_MAX / 2 + 1, NULL) == VMEM_ERROR_OUT_OF_MEMORY);
        CHECK(errno == EFBIG && count_files() == num_files);
    }
}

// Others may have the names that are tried first. One that is left behind is never opened.
static void test_names_that_are_taken(void) {
    VmemObject object;
    int error = errno, num_files = count_files();
    failing_call = "shm_open";
    failing_error = EEXIST;
    num_before = 0;
    errno = error = EDOM;
    CHECK(vmem_object_create(&object, pages(1), NULL) == VMEM_SUCCESS && errno == error);
    close_object(&object);
    fails_always = true;
    failing_call = "shm_open";
    failing_error = EEXIST;
    num_before = 0;
    CHECK(vmem_object_create(&object, pages(1), NULL) == VMEM_ERROR_SYSTEM && errno == EEXIST);
    CHECK(num_before == -VMEM__NAME_ATTEMPTS);
    fails_always = false;
    CHECK(count_files() == num_files);
}

static void test_object_calls_that_fail(void) {
    VmemObject object = make_object(pages(4)), other = object;
    char* ptr = (char*)vmem_object_map(&object, pages(4), 0, VMEM_READ_WRITE);
    size_t num_bytes = 99;
    unsigned seals = 99;
    intptr_t handle = 99;
    int num_files = count_files();
    REQUIRE(ptr != NULL);
    memset(ptr, 1, pages(4));
    fail_call("fstat", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_size(&object, &num_bytes));
    fail_call("fstat", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_commit(&object, 0, 1));
    fail_call("fcntl", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_commit(&object, 0, 1));
    fail_call("fstat", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_seal(&object, VMEM_SEAL_SIZE));
    fail_call("fstat", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_get_seals(&object, &seals));
    fail_call("fstat", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_flush(&object, ptr, 1, true));
    fail_call("msync", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_flush(&object, ptr, 1, false));
    fail_call("fsync", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_flush(&object, ptr, 1, true));
    fail_call("fcntl", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_export(&object, false, &handle));
    fail_call("fstat", 1);
    CHECK_OUT_OF_MEMORY(vmem_object_export(&object, false, &handle));
    fail_call("fcntl", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_import(&other, object.handle));
    fail_call("fstat", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_import(&other, object.handle));
    fail_call("fstat", 1);  // it cannot be told from a file
    CHECK(vmem_object_import(&other, object.handle) == VMEM_ERROR_INVALID_ARGUMENT);
    fail_call("fstat", 2);
    CHECK_OUT_OF_MEMORY(vmem_object_import(&other, object.handle));
    fail_call("fstat", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_read(&object, &seals, 1, 0));
    fail_call("mmap", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_read(&object, &seals, 1, 0));
    fail_call("mmap", 0);
    CHECK(vmem_object_map(&object, 1, 0, VMEM_READ) == NULL && errno == ENOMEM);
    fail_call("mmap", 1);
    CHECK(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, (size_t)4 << 20) == NULL && errno == ENOMEM);
    fail_call("mmap", 2);
    CHECK(vmem_object_map_mirrored(&object, pages(2), 0, VMEM_READ_WRITE) == NULL && errno == ENOMEM);
    fail_call("mmap", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_make_private(&object, ptr, 1, 0));
    fail_call("munmap", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_unmap(ptr, pages(4)));
    fail_call("close", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_close(&object));
    fail_call(NULL, 0);
    CHECK(memcmp(&other, &object, sizeof other) == 0);
    CHECK(num_bytes == 99 && seals == 99 && handle == 99 && count_files() == num_files);
    CHECK(ptr[0] == 1 && ptr[pages(4) - 1] == 1);
    CHECK(vmem_object_unmap(ptr, pages(4)) == VMEM_SUCCESS);
    close_object(&object);
    CHECK(count_files() == num_files - 2);
}

// There is no other way to a descriptor that only reads than the one from which the object was made.
static void test_imported_memory_has_no_other_reader(void) {
    VmemObject object = make_object(pages(2)), imported;
    intptr_t handle = 99;
    CHECK(vmem_object_import(&imported, object.handle) == VMEM_SUCCESS);
    CHECK(imported.reader == -1 && imported.max_bytes == pages(2));
    CHECK(vmem_object_export(&imported, false, &handle) == VMEM_ERROR_UNSUPPORTED && handle == 99);
    fail_call("fcntl", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_export(&imported, false, &handle));
    close_object(&imported);
    close_object(&object);
}

// The reader's number can be that of another file, too.
static void test_readers_that_are_reused(void) {
    VmemObject object = make_object(pages(2));
    intptr_t reader = object.reader, handle = 99;
    REQUIRE(dup2(0, (int)reader) == (int)reader);
    CHECK(vmem_object_export(&object, false, &handle) == VMEM_ERROR_INVALID_ARGUMENT && errno == EBADF);
    close_object(&object);
    CHECK(fcntl((int)reader, F_GETFD) >= 0 && handle == 99);
    close((int)reader);
}

// A handle that other code has closed, and whose number is that of another file, leaves no reader open.
static void test_closing_readers_of_handles_that_are_reused(void) {
    VmemObject object = make_object(pages(2)), before = object;
    int handle = (int)object.handle, reader = (int)object.reader;
    REQUIRE(dup2(0, handle) == handle);
    CHECK(vmem_object_close(&object) == VMEM_ERROR_INVALID_ARGUMENT && errno == EBADF);
    CHECK(memcmp(&object, &before, sizeof object) == 0);
    CHECK(fcntl(handle, F_GETFD) >= 0 && fcntl(reader, F_GETFD) < 0);
    REQUIRE(dup2(0, reader) == reader);
    CHECK(vmem_object_close(&object) == VMEM_ERROR_INVALID_ARGUMENT && errno == EBADF);
    CHECK(fcntl(reader, F_GETFD) >= 0);
    close(reader);
    close(handle);
}

static void test_files_that_cannot_grow(void) {
    char path[] = "/tmp/vmem-test-XXXXXX";
    int file = mkstemp(path);
    VmemObject object;
    size_t num_bytes = 99;
    REQUIRE(file >= 0 && unlink(path) == 0);
    fail_call(NULL, 0);
    CHECK(vmem_object_from_file(&object, file, pages(4)) == VMEM_SUCCESS);
    CHECK(vmem_object_commit(&object, 0, pages(1)) == VMEM_SUCCESS);
    fail_call("ftruncate", 0);
    CHECK_OUT_OF_MEMORY(vmem_object_commit(&object, pages(1), pages(1)));
    CHECK(vmem_object_size(&object, &num_bytes) == VMEM_SUCCESS && num_bytes == pages(1));
    close_object(&object);
    CHECK(close(file) == 0);
}

// >>main --------------------------------------------------------------------------------------------------------------

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    test_calls_that_fail();
    test_discarding_that_loses_the_commit();
    test_memory_info_and_limits_that_fail();
    test_creating_that_fails();
    test_names_that_are_taken();
    test_object_calls_that_fail();
    test_imported_memory_has_no_other_reader();
    test_readers_that_are_reused();
    test_closing_readers_of_handles_that_are_reused();
    test_files_that_cannot_grow();
    test_limits();
    return report();
}
