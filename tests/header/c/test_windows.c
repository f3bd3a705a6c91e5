// Makes system calls of vmem.h fail on Windows, and tests it without the functions that older versions lack.
// Prints each check that fails, then "N checks, M failed".
//
// Search for >>hook, >>checks, >>reserve, >>manage, >>ask, >>main.

#include <stdbool.h>

static bool fails(const char* call);
#define VMEM_FAIL(call) fails(call)

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <string.h>

#include "check.h"

// >>hook --------------------------------------------------------------------------------------------------------------

// Of the calls by this name, those from `first` up to but not including `end` fail with this error.
static struct {
    const char* name;
    int first, end, num_calls;
    DWORD error;
} hook;

static bool fails(const char* call) {
    int index;
    if (!hook.name || strcmp(call, hook.name) != 0) return false;
    index = hook.num_calls++;
    if (index < hook.first || index >= hook.end) return false;
    SetLastError(hook.error);
    return true;
}

#define ALL 1000

static void fail_calls(const char* name, int first, int end, DWORD error) {
    hook.name = name;
    hook.first = first;
    hook.end = end;
    hook.error = error;
    hook.num_calls = 0;
}

static void fail_none(void) { hook.name = NULL; }

// >>checks ------------------------------------------------------------------------------------------------------------

// An error code that no tested call sets.
#define UNTOUCHED 33

#define CHECK_ERROR_CODE(expression, code)       \
    do {                                         \
        SetLastError(UNTOUCHED);                 \
        CHECK(expression);                       \
        CHECK(GetLastError() == (DWORD)(code));  \
        CHECK(hook.num_calls > 0 || !hook.name); \
    } while (0)

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

static char* commit_pages(size_t count) {
    char* base = (char*)vmem_reserve(pages(count));
    REQUIRE(base != NULL);
    REQUIRE(vmem_commit(base, pages(count)) == VMEM_SUCCESS);
    return base;
}

static void release_pages(char* base, size_t count) {
    fail_none();
    CHECK(vmem_release(base, pages(count)) == VMEM_SUCCESS);
}

// >>reserve -----------------------------------------------------------------------------------------------------------

#define ALIGN ((size_t)4 << 20)

static void check_aligned_reservation(void) {
    char* base = NULL;
    CHECK_ERROR_CODE((base = (char*)vmem_reserve_aligned(pages(3), ALIGN)) != NULL, UNTOUCHED);
    fail_none();
    CHECK((uintptr_t)base % ALIGN == 0);
    CHECK(vmem_commit(base, pages(3)) == VMEM_SUCCESS);
    memset(base, 1, pages(3));
    CHECK(vmem_release(base, pages(3)) == VMEM_SUCCESS);
}

// VirtualAlloc() then reserves more, which is released, and the aligned part of it.
static void test_aligning_without_virtual_alloc2(void) {
    fail_calls("GetModuleHandle", 0, ALL, ERROR_MOD_NOT_FOUND);
    check_aligned_reservation();
    fail_calls("GetProcAddress", 0, ALL, ERROR_PROC_NOT_FOUND);
    check_aligned_reservation();
}

static bool has_virtual_alloc2(void) { return vmem__windows_find_function("kernelbase.dll", "VirtualAlloc2") != NULL; }

// VirtualAlloc() is called in pairs: to find free addresses, and for a part of them, which others can take in between.
static void test_aligning_when_others_take_the_addresses(void) {
    fail_calls("VirtualAlloc", 1, 2, ERROR_INVALID_ADDRESS);
    SetLastError(UNTOUCHED);
    CHECK(vmem__windows_reserve_aligned(pages(3), ALIGN) != NULL);
    CHECK(GetLastError() == UNTOUCHED);
    CHECK(hook.num_calls == 4);
    fail_calls("VirtualAlloc", 0, 1, ERROR_NOT_ENOUGH_MEMORY);
    SetLastError(UNTOUCHED);
    CHECK(vmem__windows_reserve_aligned(pages(3), ALIGN) == NULL);
    CHECK(GetLastError() == ERROR_NOT_ENOUGH_MEMORY);
    CHECK(hook.num_calls == 1);
    fail_calls("VirtualFree", 0, 1, ERROR_INVALID_ADDRESS);
    SetLastError(UNTOUCHED);
    CHECK(vmem__windows_reserve_aligned(pages(3), ALIGN) == NULL);
    CHECK(GetLastError() == ERROR_INVALID_ADDRESS);
    fail_none();
}

static void test_reserving_that_fails(void) {
    fail_calls("VirtualAlloc", 0, 1, ERROR_NOT_ENOUGH_MEMORY);
    CHECK_ERROR_CODE(vmem_reserve(1) == NULL, ERROR_NOT_ENOUGH_MEMORY);
    if (has_virtual_alloc2()) {
        fail_calls("VirtualAlloc2", 0, 1, ERROR_NOT_ENOUGH_MEMORY);
        CHECK_ERROR_CODE(vmem_reserve_aligned(1, ALIGN) == NULL, ERROR_NOT_ENOUGH_MEMORY);
    }
    fail_none();
}

// >>manage ------------------------------------------------------------------------------------------------------------

static void test_results_of_errors(void) {
    static const struct {
        DWORD error;
        VmemResult result;
    } expected[] = {
        {ERROR_NOT_ENOUGH_MEMORY, VMEM_ERROR_OUT_OF_MEMORY},  {ERROR_OUTOFMEMORY, VMEM_ERROR_OUT_OF_MEMORY},
        {ERROR_COMMITMENT_LIMIT, VMEM_ERROR_OUT_OF_MEMORY},   {ERROR_COMMITMENT_MINIMUM, VMEM_ERROR_OUT_OF_MEMORY},
        {ERROR_PAGEFILE_QUOTA, VMEM_ERROR_OUT_OF_MEMORY},     {ERROR_WORKING_SET_QUOTA, VMEM_ERROR_OUT_OF_MEMORY},
        {ERROR_ACCESS_DENIED, VMEM_ERROR_ACCESS_DENIED},      {ERROR_INVALID_PARAMETER, VMEM_ERROR_INVALID_ARGUMENT},
        {ERROR_INVALID_ADDRESS, VMEM_ERROR_INVALID_ARGUMENT}, {ERROR_CALL_NOT_IMPLEMENTED, VMEM_ERROR_UNSUPPORTED},
        {ERROR_NOT_SUPPORTED, VMEM_ERROR_UNSUPPORTED},        {ERROR_NOACCESS, VMEM_ERROR_SYSTEM}};
    char* base = commit_pages(1);
    size_t i, num_resident = 99;
    base[0] = 1;
    for (i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        DWORD error = expected[i].error;
        VmemResult result = expected[i].result;
        fail_calls("VirtualAlloc", 0, ALL, error);
        CHECK_ERROR_CODE(vmem_commit(base, 1) == result, error);
        fail_calls("VirtualFree", 0, ALL, error);
        CHECK_ERROR_CODE(vmem_decommit(base, 1) == result, error);
        CHECK_ERROR_CODE(vmem_discard(base, 1) == result, error);
        CHECK_ERROR_CODE(vmem_release(base, pages(1)) == result, error);
        fail_calls("VirtualProtect", 0, ALL, error);
        CHECK_ERROR_CODE(vmem_protect(base, 1, VMEM_READ) == result, error);
        fail_calls("VirtualLock", 0, ALL, error);
        CHECK_ERROR_CODE(vmem_lock(base, 1) == result, error);
        fail_calls("VirtualUnlock", 0, ALL, error);
        CHECK_ERROR_CODE(vmem_unlock(base, 1) == result, error);
        fail_calls("QueryWorkingSetEx", 0, ALL, error);
        CHECK_ERROR_CODE(vmem_count_resident(base, 1, &num_resident) == result, error);
        CHECK(num_resident == 99);
        CHECK(base[0] == 1);
    }
    release_pages(base, 1);
}

static void test_discarding_that_loses_the_commit(void) {
    VmemRange range;
    char* base = commit_pages(1);
    fail_calls("VirtualAlloc", 0, 1, ERROR_COMMITMENT_LIMIT);
    CHECK_ERROR_CODE(vmem_discard(base, 1) == VMEM_ERROR_OUT_OF_MEMORY, ERROR_COMMITMENT_LIMIT);
    CHECK(vmem_query(base, &range) == VMEM_SUCCESS && range.state == VMEM_RESERVED);
    release_pages(base, 1);
}

static void test_unlocking_what_is_not_locked(void) {
    char* base = commit_pages(2);
    fail_none();
    CHECK_ERROR_CODE(vmem_unlock(base, pages(2)) == VMEM_SUCCESS, UNTOUCHED);
    fail_calls("VirtualUnlock", 0, 1, ERROR_NOT_LOCKED);
    CHECK_ERROR_CODE(vmem_unlock(base, pages(2)) == VMEM_SUCCESS, UNTOUCHED);
    release_pages(base, 2);
}

// >>ask ---------------------------------------------------------------------------------------------------------------

static void test_counting_resident_pages_without_the_function(void) {
    char* base = commit_pages(1);
    size_t num_resident = 99;
    fail_calls("GetProcAddress", 0, 1, ERROR_PROC_NOT_FOUND);
    CHECK_ERROR_CODE(vmem_count_resident(base, 1, &num_resident) == VMEM_ERROR_UNSUPPORTED, UNTOUCHED);
    CHECK(num_resident == 99);
    release_pages(base, 1);
}

// The second call, and possibly more, find the start of the run.
static void test_queries_that_fail(void) {
    char* base = commit_pages(4);
    VmemRange range;
    int i;
    CHECK(vmem_protect(base, pages(1), VMEM_READ) == VMEM_SUCCESS);
    range.base = &range;
    for (i = 0; i < 3; i++) {
        fail_calls("VirtualQuery", i, i + 1, ERROR_ACCESS_DENIED);
        CHECK_ERROR_CODE(vmem_query(base + pages(2), &range) == VMEM_ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED);
        CHECK(range.base == &range);
    }
    fail_none();
    CHECK_ERROR_CODE(vmem_query(base + pages(2), &range) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(range.base == base + pages(1) && range.size == pages(3));
    release_pages(base, 4);
}

static void test_memory_info_and_limits_that_fail(void) {
    VmemMemoryInfo info;
    VmemAddressSpace space;
    VmemLimits limits;
    fail_calls("GlobalMemoryStatusEx", 0, ALL, ERROR_ACCESS_DENIED);
    CHECK_ERROR_CODE(vmem_get_memory_info(&info) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_get_address_space(&space) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_get_limits(&limits) == VMEM_SUCCESS, UNTOUCHED);
    fail_none();
    CHECK(info.total == 0 && info.available == 0);
    CHECK(space.total == UINTPTR_MAX && space.used == 0 && space.limit == VMEM_UNLIMITED);
    CHECK(limits.address_space_limit == VMEM_UNLIMITED && limits.address_space_used == 0);
    CHECK(limits.commit_limit == VMEM_UNLIMITED && limits.commit_used == 0);
    CHECK(limits.lock_limit == VMEM_UNLIMITED && limits.lock_used == 0);
}

// >>main --------------------------------------------------------------------------------------------------------------

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    test_aligning_without_virtual_alloc2();
    test_aligning_when_others_take_the_addresses();
    test_reserving_that_fails();
    test_results_of_errors();
    test_discarding_that_loses_the_commit();
    test_unlocking_what_is_not_locked();
    test_counting_resident_pages_without_the_function();
    test_queries_that_fail();
    test_memory_info_and_limits_that_fail();
    return report();
}
