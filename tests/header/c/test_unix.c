// Makes system calls of vmem.h fail on Unix systems other than Linux, or on Linux without the macro that names it.
// Prints each check that fails, then "N checks, M failed".

#include <stdbool.h>

static bool fails(const char* call);
#define VMEM_FAIL(call) fails(call)

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <string.h>

#include "check.h"

// The call by this name after `num_before` others of that name fails with ENOMEM.
static const char* failing_call;
static int num_before;

static bool fails(const char* call) {
    if (!failing_call || strcmp(call, failing_call) != 0 || num_before-- != 0) return false;
    errno = ENOMEM;
    return true;
}

static void fail_call(const char* call, int num_calls_before) {
    failing_call = call;
    num_before = num_calls_before;
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

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    test_calls_that_fail();
    test_discarding_that_loses_the_commit();
    test_memory_info_and_limits_that_fail();
    test_limits();
    return report();
}
