// Makes system calls of vmem.h fail on Windows, and tests it without the functions that older versions lack.
// Prints each check that fails, then "N checks, M failed".
//
// Search for >>hook, >>checks, >>reserve, >>manage, >>ask, >>objects, >>files, >>main.

#include <stdbool.h>

static bool fails(const char* call);
#define VMEM_FAIL(call) fails(call)

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <string.h>

#include "check.h"

// >>hook --------------------------------------------------------------------------------------------------------------

// Of the calls by this name, those from `first` up to but not including `end` fail with this error, and all those by
// the other.
static struct {
    const char *name, *also_failing;
    int first, end, num_calls;
    DWORD error;
    const char* taking;  // the next call by this name finds one unit of addresses there taken
    void* place;
} hook;

static bool fails(const char* call) {
    int index;
    if (hook.taking && strcmp(call, hook.taking) == 0) {
        if (!VirtualAlloc(hook.place, 1, MEM_RESERVE, PAGE_NOACCESS)) return false;
        hook.taking = NULL;
    }
    if (hook.also_failing && strcmp(call, hook.also_failing) == 0) {
        SetLastError(hook.error);
        return true;
    }
    if (!hook.name || strcmp(call, hook.name) != 0) return false;
    index = hook.num_calls++;
    if (index < hook.first || index >= hook.end) return false;
    SetLastError(hook.error);
    return true;
}

#define ALL 1000

static void fail_calls(const char* name, int first, int end, DWORD error) {
    hook.name = name;
    hook.also_failing = NULL;
    hook.first = first;
    hook.end = end;
    hook.error = error;
    hook.num_calls = 0;
}

static void fail_none(void) { hook.name = hook.also_failing = NULL; }

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
        fail_calls("FlushInstructionCache", 0, ALL, error);
        CHECK_ERROR_CODE(vmem_flush_instruction_cache(base, 1) == result, error);
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

// >>objects -----------------------------------------------------------------------------------------------------------

static size_t units(size_t count) { return count * vmem_get_allocation_granularity(); }

static VmemObject make_object(size_t max_bytes, size_t num_bytes) {
    VmemObject object;
    fail_none();
    REQUIRE(vmem_object_create(&object, max_bytes, NULL) == VMEM_SUCCESS);
    REQUIRE(vmem_object_commit(&object, 0, num_bytes) == VMEM_SUCCESS);
    return object;
}

static char* map_object(const VmemObject* object, size_t num_bytes) {
    char* ptr;
    fail_none();
    ptr = (char*)vmem_object_map(object, num_bytes, 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    return ptr;
}

static void close_object(VmemObject* object) {
    fail_none();
    CHECK_ERROR_CODE(vmem_object_close(object) == VMEM_SUCCESS, UNTOUCHED);
}

static size_t size_of(const VmemObject* object) {
    size_t num_bytes = 99;
    fail_none();
    CHECK_ERROR_CODE(vmem_object_size(object, &num_bytes) == VMEM_SUCCESS, UNTOUCHED);
    return num_bytes;
}

// Wine says 0.
static DWORD count_handles(void) {
    DWORD count = 0;
    CHECK(GetProcessHandleCount(GetCurrentProcess(), &count));
    return count;
}

// Whether these addresses are free: nothing is left mapped or reserved there.
static bool is_free(char* ptr) {
    VmemRange range;
    fail_none();
    return vmem_query(ptr, &range) == VMEM_SUCCESS && range.state == VMEM_FREE;
}

#define DENIED ERROR_ACCESS_DENIED
#define CHECK_DENIED(call) CHECK_ERROR_CODE((call) == VMEM_ERROR_ACCESS_DENIED, DENIED)
#define CHECK_NOT_MAPPED(call) CHECK_ERROR_CODE((call) == NULL, DENIED)

static void test_object_calls_that_fail(void) {
    VmemObject object = make_object(units(4), units(2)), made = object;
    char* ptr = map_object(&object, units(4));
    size_t num_bytes = 99;
    intptr_t handle = 99;
    DWORD num_handles = count_handles();
    memset(ptr, 1, units(2));
    fail_calls("CreateFileMapping", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_create(&made, 1, NULL));
    fail_calls("DuplicateHandle", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_import(&made, object.handle));
    CHECK_DENIED(vmem_object_export(&object, true, &handle));
    CHECK_DENIED(vmem_object_export(&object, false, &handle));
    fail_calls("MapViewOfFile", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_import(&made, object.handle));
    CHECK_DENIED(vmem_object_size(&object, &num_bytes));
    CHECK_DENIED(vmem_object_commit(&object, units(2), 1));
    CHECK_DENIED(vmem_object_read(&object, &num_bytes, 1, 0));
    CHECK_NOT_MAPPED(vmem_object_map(&object, 1, 0, VMEM_READ));
    CHECK_NOT_MAPPED(vmem_object_map(&object, 1, 0, VMEM_NO_ACCESS));
    CHECK_NOT_MAPPED(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, ALIGN));
    fail_calls("VirtualQuery", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_import(&made, object.handle));
    CHECK_DENIED(vmem_object_size(&object, &num_bytes));
    CHECK_NOT_MAPPED(vmem_object_map(&object, 1, 0, VMEM_NO_ACCESS));
    fail_calls("VirtualProtect", 0, ALL, DENIED);
    CHECK_NOT_MAPPED(vmem_object_map(&object, 1, 0, VMEM_NO_ACCESS));
    fail_calls("VirtualAlloc", 0, ALL, ERROR_COMMITMENT_LIMIT);
    CHECK_ERROR_CODE(vmem_object_commit(&object, units(2), 1) == VMEM_ERROR_OUT_OF_MEMORY, ERROR_COMMITMENT_LIMIT);
    CHECK_ERROR_CODE(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, ALIGN) == NULL, ERROR_COMMITMENT_LIMIT);
    fail_calls("VirtualFree", 0, ALL, DENIED);
    CHECK_NOT_MAPPED(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, ALIGN));
    fail_calls("UnmapViewOfFile", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_unmap(ptr, units(4)));
    fail_calls("CloseHandle", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_close(&object));
    fail_calls("FlushViewOfFile", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_flush(&object, ptr, 1, false));
    fail_none();
    CHECK(memcmp(&made, &object, sizeof made) == 0 && num_bytes == 99 && handle == 99);
    CHECK(count_handles() == num_handles);
    CHECK(size_of(&object) == units(2));
    CHECK(ptr[0] == 1 && ptr[units(2) - 1] == 1);
    CHECK_ERROR_CODE(vmem_object_unmap(ptr, units(4)) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(is_free(ptr));
    close_object(&object);
    CHECK(num_handles == 0 || count_handles() == num_handles - 1);
}

// A handle that is closed, and the pseudo-handle of the process, which is -1 too.
static void test_objects_that_are_closed(void) {
    VmemObject object = make_object(units(1), 1), closed = object;
    size_t num_bytes = 99;
    unsigned seals = 99;
    intptr_t handle = 99;
    int i;
    close_object(&object);
    for (i = 0; i < 3; i++) {
        closed.handle = i == 0 ? closed.handle : i == 1 ? -1 : 0;
#define CHECK_NO_OBJECT(expression) CHECK_ERROR_CODE(expression, ERROR_INVALID_HANDLE)
        CHECK_NO_OBJECT(vmem_object_export(&closed, true, &handle) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK_NO_OBJECT(vmem_object_import(&object, closed.handle) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK_NO_OBJECT(vmem_object_from_file(&object, closed.handle, 1) == VMEM_ERROR_INVALID_ARGUMENT || i == 0);
        CHECK_NO_OBJECT(vmem_object_size(&closed, &num_bytes) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK_NO_OBJECT(vmem_object_commit(&closed, 0, 1) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK_NO_OBJECT(vmem_object_map(&closed, 1, 0, VMEM_READ) == NULL);
        CHECK_NO_OBJECT(vmem_object_map_aligned(&closed, 1, 0, VMEM_READ, ALIGN) == NULL);
        CHECK_NO_OBJECT(vmem_object_map_mirrored(&closed, units(1), 0, VMEM_READ_WRITE) == NULL);
        CHECK_NO_OBJECT(vmem_object_close(&closed) == VMEM_ERROR_INVALID_ARGUMENT);
        if (i == 0) continue;
        CHECK_NO_OBJECT(vmem_object_seal(&closed, VMEM_SEAL_SIZE) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK_NO_OBJECT(vmem_object_get_seals(&closed, &seals) == VMEM_ERROR_INVALID_ARGUMENT);
    }
    CHECK(num_bytes == 99 && seals == 99 && handle == 99 && object.handle == -1);
}

static void test_importing_what_is_no_object(void) {
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 1, NULL);
    VmemObject object;
    DWORD num_handles = count_handles();
    REQUIRE(event && section);
    CHECK(vmem_object_import(&object, (intptr_t)event) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_import(&object, (intptr_t)section) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_from_file(&object, (intptr_t)event, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(count_handles() == num_handles);
    CHECK(CloseHandle(event) && CloseHandle(section));
}

// Other threads take the addresses that were found free.
static void test_mapping_when_others_take_the_addresses(void) {
    VmemObject object = make_object(units(2), units(2));
    char* ptr = NULL;
    fail_calls("MapViewOfFile", 0, 3, ERROR_INVALID_ADDRESS);
    CHECK_ERROR_CODE((ptr = (char*)vmem_object_map_aligned(&object, 1, 0, VMEM_READ, ALIGN)) != NULL, UNTOUCHED);
    CHECK(hook.num_calls == 4 && (uintptr_t)ptr % ALIGN == 0);
    CHECK(vmem_object_unmap(ptr, 1) == VMEM_SUCCESS);
    fail_calls("MapViewOfFile", 0, ALL, ERROR_INVALID_ADDRESS);
    CHECK_ERROR_CODE(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, ALIGN) == NULL, ERROR_INVALID_ADDRESS);
    CHECK(hook.num_calls == VMEM__RESERVE_ATTEMPTS);
    close_object(&object);
}

static void check_mirrored(char* ptr, size_t size) {
    REQUIRE(ptr != NULL);
    ptr[0] = 1;
    ptr[size - 1] = 2;
    CHECK(ptr[size] == 1 && ptr[2 * size - 1] == 2);
    fail_none();
    CHECK_ERROR_CODE(vmem_object_unmap_mirrored(ptr, size, 0) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(is_free(ptr) && is_free(ptr + size));
}

// Each call by which Windows 10 maps twice fails, in turn. Then addresses are found free, and mapped one after the
// other.
static void test_mirrored_mappings_that_fail(void) {
    static const char* const calls[] = {"GetModuleHandle", "GetProcAddress", "VirtualAlloc2", "VirtualFree",
                                        "MapViewOfFile3"};
    VmemObject object = make_object(units(2), units(2));
    char* ptr = NULL;
    size_t i;
    int j;
    for (i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (j = 0; j < 2; j++) {
            fail_calls(calls[i], j, j + 1, ERROR_NOT_SUPPORTED);
            SetLastError(UNTOUCHED);
            ptr = (char*)vmem_object_map_mirrored(&object, units(2), 0, VMEM_READ_WRITE);
            if (!ptr) CHECK(GetLastError() == ERROR_NOT_SUPPORTED && strcmp(calls[i], "VirtualFree") == 0);
            if (ptr) CHECK(GetLastError() == UNTOUCHED);
            if (ptr) check_mirrored(ptr, units(2));
        }
    }
    for (j = 0; j < 4; j++) {
        fail_calls("MapViewOfFile", j, j + 1, ERROR_INVALID_ADDRESS);
        hook.also_failing = "GetProcAddress";
        CHECK_ERROR_CODE((ptr = (char*)vmem_object_map_mirrored(&object, units(2), 0, VMEM_READ_WRITE)) != NULL,
                         UNTOUCHED);
        check_mirrored(ptr, units(2));
        fail_calls("MapViewOfFile", j, j + 1, ERROR_NOT_ENOUGH_MEMORY);
        hook.also_failing = "GetProcAddress";
        if (j < 2)
            CHECK_ERROR_CODE(vmem_object_map_mirrored(&object, units(2), 0, VMEM_READ_WRITE) == NULL,
                             ERROR_NOT_ENOUGH_MEMORY);
    }
    fail_calls("MapViewOfFile", 0, ALL, ERROR_INVALID_ADDRESS);
    hook.also_failing = "GetProcAddress";
    CHECK_ERROR_CODE(vmem_object_map_mirrored(&object, units(2), 0, VMEM_READ_WRITE) == NULL, ERROR_INVALID_ADDRESS);
    CHECK(hook.num_calls == VMEM__RESERVE_ATTEMPTS);
    fail_calls("VirtualAlloc", 0, ALL, ERROR_NOT_ENOUGH_MEMORY);
    hook.also_failing = "GetProcAddress";
    CHECK_ERROR_CODE(vmem_object_map_mirrored(&object, units(2), 0, VMEM_READ_WRITE) == NULL, ERROR_NOT_ENOUGH_MEMORY);
    close_object(&object);
}

static void test_access_of_mappings(void) {
    VmemObject object = make_object(units(3), units(1)), reader;
    char *ptr = (char*)vmem_object_map(&object, units(3), 0, VMEM_NO_ACCESS), *other;
    intptr_t handle = -1;
    VmemRange range;
    REQUIRE(ptr != NULL);
    CHECK(vmem_query(ptr, &range) == VMEM_SUCCESS);
    CHECK(range.size == units(1) && range.state == VMEM_COMMITTED && range.protection == VMEM_NO_ACCESS);
    CHECK(vmem_query(ptr + units(1), &range) == VMEM_SUCCESS && range.state == VMEM_RESERVED);
    CHECK(vmem_object_commit(&object, units(1), units(1)) == VMEM_SUCCESS);
    CHECK(vmem_query(ptr + units(1), &range) == VMEM_SUCCESS && range.state == VMEM_COMMITTED);
    CHECK(vmem_object_export(&object, false, &handle) == VMEM_SUCCESS);
    CHECK(vmem_object_import(&reader, handle) == VMEM_SUCCESS && CloseHandle((HANDLE)handle));
    CHECK(reader.max_bytes == units(3));
    CHECK_ERROR_CODE(vmem_object_map(&reader, 1, 0, VMEM_READ_WRITE) == NULL, DENIED);
    CHECK_DENIED(vmem_object_commit(&reader, units(2), 1));
    SetLastError(UNTOUCHED);
    other = (char*)vmem_object_map(&reader, units(3), 0, VMEM_NO_ACCESS);
    REQUIRE(other != NULL);
    CHECK(GetLastError() == UNTOUCHED);
    CHECK(vmem_protect(other, 1, VMEM_READ) == VMEM_SUCCESS && other[0] == 0);
    CHECK(vmem_protect(other, 1, VMEM_READ_WRITE) != VMEM_SUCCESS);
    CHECK(vmem_object_unmap(other, units(3)) == VMEM_SUCCESS && vmem_object_unmap(ptr, units(3)) == VMEM_SUCCESS);
    close_object(&reader);
    close_object(&object);
}

static bool is_protected(const char* ptr, VmemProtection protection) {
    VmemRange range;
    return vmem_query(ptr, &range) == VMEM_SUCCESS && range.protection == protection;
}

static void test_the_seam_of_mirrored_mappings(void) {
    VmemObject object = make_object(units(2), units(2));
    char* ptr = (char*)vmem_object_map_mirrored(&object, units(2), 0, VMEM_READ_WRITE);
    char* seam = ptr + units(2);
    REQUIRE(ptr != NULL);
    CHECK_ERROR_CODE(vmem_protect(seam - 1, 2, VMEM_READ) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(is_protected(seam - 1, VMEM_READ) && is_protected(seam, VMEM_READ));
    CHECK(is_protected(ptr, VMEM_READ_WRITE) && is_protected(seam + units(1), VMEM_READ_WRITE));
    CHECK_ERROR_CODE(vmem_protect(ptr, units(4), VMEM_READ_WRITE) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_lock(seam - 1, 2) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_unlock(seam - 1, 2) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(vmem_object_unmap_mirrored(ptr, units(2), 0) == VMEM_SUCCESS);
    close_object(&object);
}

static void test_sizes_that_are_too_large(void) {
    VmemObject object;
    fail_none();
    CHECK_ERROR_CODE(vmem_object_create(&object, SIZE_MAX - units(1), NULL) == VMEM_ERROR_OUT_OF_MEMORY,
                     ERROR_NOT_ENOUGH_MEMORY);
}

// >>files -------------------------------------------------------------------------------------------------------------

static HANDLE make_file(const char* text) {
    char folder[MAX_PATH], path[MAX_PATH];
    HANDLE file;
    DWORD count;
    REQUIRE(GetTempPathA(sizeof folder, folder) != 0 && GetTempFileNameA(folder, "vm", 0, path) != 0);
    file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                       CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
    REQUIRE(file != INVALID_HANDLE_VALUE);
    CHECK(WriteFile(file, text, (DWORD)strlen(text), &count, NULL) && count == strlen(text));
    return file;
}

static void test_files(void) {
    HANDLE file = make_file("0123456789"), empty = make_file("");
    VmemObject object, made;
    char text[11] = "", *ptr;
    size_t num_bytes = 99;
    DWORD count, num_handles = count_handles();
    fail_none();
    CHECK_ERROR_CODE(vmem_object_from_file(&object, (intptr_t)file, units(4)) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(object.max_bytes == units(4) && size_of(&object) == 10);
    ptr = map_object(&object, 10);
    CHECK(memcmp(ptr, "0123456789", 11) == 0);
    ptr[0] = 'x';
    CHECK_ERROR_CODE(vmem_object_flush(&object, ptr, 1, false) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_object_flush(&object, ptr, 1, true) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 && ReadFile(file, text, 10, &count, NULL));
    CHECK(strcmp(text, "x123456789") == 0);
    CHECK_ERROR_CODE(vmem_object_resize(&object, 10) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(vmem_object_resize(&object, 9) == VMEM_ERROR_UNSUPPORTED && GetLastError() == ERROR_USER_MAPPED_FILE);
    CHECK_ERROR_CODE(vmem_object_write(&object, "yz", 2, 9, 10) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_object_write(&object, "x", 1, 0, 12) == VMEM_ERROR_INVALID_ARGUMENT, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_object_read(&object, text, 3, 8) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(memcmp(text, "8yz", 3) == 0 && size_of(&object) == 11);
    CHECK(vmem_object_read(&object, text, 4, 8) == VMEM_ERROR_INVALID_ARGUMENT);
    fail_calls("GetFileSizeEx", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_resize(&object, 10));
    CHECK_DENIED(vmem_object_commit(&object, 0, 1));
    CHECK_DENIED(vmem_object_size(&object, &num_bytes));
    CHECK_DENIED(vmem_object_write(&object, "x", 1, 0, 0));
    CHECK_DENIED(vmem_object_get_published(&object, &num_bytes));
    fail_calls("DuplicateHandle", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_from_file(&made, (intptr_t)file, 1));
    fail_calls("FlushFileBuffers", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_flush(&object, ptr, 1, true));
    fail_calls("ReadFile", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_read(&object, text, 3, 8));
    fail_calls("WriteFile", 0, ALL, ERROR_DISK_FULL);
    CHECK_ERROR_CODE(vmem_object_write(&object, "x", 1, 0, 0) == VMEM_ERROR_OUT_OF_MEMORY, ERROR_DISK_FULL);
    fail_calls("SetFileInformationByHandle", 0, ALL, ERROR_DISK_FULL);
    CHECK_ERROR_CODE(vmem_object_resize(&object, 12) == VMEM_ERROR_OUT_OF_MEMORY, ERROR_DISK_FULL);
    CHECK_ERROR_CODE(vmem_object_commit(&object, 0, 12) == VMEM_ERROR_OUT_OF_MEMORY, ERROR_DISK_FULL);
    fail_none();
    CHECK_ERROR_CODE(vmem_object_commit(&object, 0, 12) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(size_of(&object) == pages(1));
    fail_calls("CreateFileMapping", 0, 1, DENIED);  // as for a handle that cannot write
    CHECK_ERROR_CODE(vmem_object_map(&object, 1, 0, VMEM_READ_WRITE) == NULL, DENIED);
    fail_none();
    CHECK_ERROR_CODE(vmem_object_from_file(&made, (intptr_t)empty, 1) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(vmem_object_unmap(map_object(&made, 1), 1) == VMEM_SUCCESS);
    close_object(&made);
    CHECK(vmem_object_unmap(ptr, 10) == VMEM_SUCCESS);
    close_object(&object);
    CHECK(count_handles() == num_handles);
    CHECK(CloseHandle(file) && CloseHandle(empty));
}

// A mapping of so many units, of an empty file that is opened to write.
#define NUM_UNITS 40

typedef struct Growing {
    HANDLE file;
    VmemObject object;
    char* ptr;
    size_t num_mapped;
} Growing;

static Growing make_growing(void) {
    Growing growing = {make_file(""), {-1, -1, 0, 0, 0, false}, NULL, units(NUM_UNITS)};
    REQUIRE(vmem_object_from_file(&growing.object, (intptr_t)growing.file, units(NUM_UNITS)) == VMEM_SUCCESS);
    growing.ptr = (char*)vmem_object_map(&growing.object, units(NUM_UNITS), 0, VMEM_READ_WRITE);
    REQUIRE(growing.ptr != NULL);
    return growing;
}

static VmemResult resize(Growing* growing, size_t num_bytes) {
    return vmem_object_resize_mapped(&growing->object, growing->ptr, &growing->num_mapped, VMEM_READ_WRITE, num_bytes);
}

// Nothing of the mapping is left.
static void end_growing(Growing* growing) {
    size_t i;
    if (growing->num_mapped > 0) CHECK(vmem_object_unmap(growing->ptr, growing->num_mapped) == VMEM_SUCCESS);
    for (i = 0; i < NUM_UNITS; i++) CHECK(is_free(growing->ptr + units(i)));
    close_object(&growing->object);
    CHECK(CloseHandle(growing->file));
}

static void check_growth(Growing* growing) {
    size_t size = 0, step, i;
    for (step = 0; step < 8; step++) {
        size += units(step) + (step % 2 ? 5000 : 0);  // with last parts of less than a unit
        CHECK_ERROR_CODE(resize(growing, size) == VMEM_SUCCESS, UNTOUCHED);
        CHECK(growing->num_mapped == units(NUM_UNITS) && size_of(&growing->object) == size);
        if (size == 0) continue;
        CHECK(growing->ptr[size - 1] == 0);
        growing->ptr[size - 1] = (char)step;
    }
    for (size = 0, i = 0; i < 8; i++) {
        size += units(i) + (i % 2 ? 5000 : 0);
        if (size > 0) CHECK(growing->ptr[size - 1] == (char)i);
    }
}

static void test_growth_of_mapped_files(void) {
    static const char* const without[] = {NULL, "VirtualAlloc2", "MapViewOfFile3"};  // which handle placeholders
    DWORD num_handles = count_handles();
    size_t i, num_mapped;
    for (i = 0; i < sizeof without / sizeof without[0]; i++) {
        Growing growing;
        VmemObject other;
        char *seen, text[1] = "";
        fail_none();
        hook.also_failing = without[i];
        hook.error = ERROR_NOT_SUPPORTED;
        growing = make_growing();
        check_growth(&growing);
        CHECK(vmem_object_from_file(&other, (intptr_t)growing.file, units(NUM_UNITS)) == VMEM_SUCCESS);
        seen = (char*)vmem_object_map(&other, units(1), 0, VMEM_READ);
        REQUIRE(seen != NULL);
        CHECK(resize(&growing, 10) == VMEM_ERROR_UNSUPPORTED && GetLastError() == ERROR_USER_MAPPED_FILE);
        CHECK(growing.num_mapped == units(NUM_UNITS) && size_of(&growing.object) == units(28) + 20000);
        CHECK(growing.ptr[units(28) + 19999] == 7);
        CHECK(vmem_object_unmap(seen, units(1)) == VMEM_SUCCESS);
        close_object(&other);
        growing.ptr[9] = 'x';
        CHECK_ERROR_CODE(resize(&growing, 10) == VMEM_SUCCESS, UNTOUCHED);
        CHECK(growing.num_mapped == units(NUM_UNITS));
        CHECK(size_of(&growing.object) == 10 && growing.ptr[9] == 'x');
        CHECK(vmem_object_read(&growing.object, text, 1, 9) == VMEM_SUCCESS && text[0] == 'x');
        CHECK(resize(&growing, units(2)) == VMEM_SUCCESS && growing.ptr[9] == 'x' && growing.ptr[units(2) - 1] == 0);
        CHECK(resize(&growing, 0) == VMEM_SUCCESS && size_of(&growing.object) == 0);
        num_mapped = growing.num_mapped;
        CHECK(vmem_object_resize_mapped(&growing.object, growing.ptr, &num_mapped, VMEM_READ_WRITE,
                                        units(NUM_UNITS) + 1) == VMEM_ERROR_INVALID_ARGUMENT);
        end_growing(&growing);
    }
    fail_none();
    CHECK(count_handles() == num_handles);
}

static int count_queries(Growing* growing, size_t num_bytes) {
    fail_calls("VirtualQuery", ALL, ALL, ERROR_NOT_SUPPORTED);  // none of them
    CHECK(resize(growing, num_bytes) == VMEM_SUCCESS);
    return hook.num_calls;
}

// A file that grew in many steps is mapped in as many views, which are not searched at every other step.
static void test_growth_in_many_steps(void) {
    static const char* const without[] = {NULL, "VirtualAlloc2"};
    size_t i, step;
    for (i = 0; i < sizeof without / sizeof without[0]; i++) {
        Growing growing;
        int num_queries;
        fail_none();
        hook.also_failing = without[i];
        hook.error = ERROR_NOT_SUPPORTED;
        growing = make_growing();
        num_queries = count_queries(&growing, units(1));
        for (step = 2; step < NUM_UNITS; step++) CHECK(count_queries(&growing, units(step)) <= num_queries + 1);
        memset(growing.ptr, 'x', units(NUM_UNITS - 1));
        CHECK(count_queries(&growing, units(NUM_UNITS)) <= num_queries + 1);
        CHECK(count_queries(&growing, units(NUM_UNITS)) <= num_queries + 1);
        CHECK(growing.ptr[units(NUM_UNITS) - 1] == 0);
        fail_none();
        end_growing(&growing);
    }
}

// What can be done to a mapping can be done to several of its views at once.
static void test_pages_of_several_views(void) {
    static const VmemProtection protections[] = {VMEM_READ, VMEM_NO_ACCESS, VMEM_READ_WRITE};
    Growing growing = make_growing();
    size_t num_resident = 0, i;
    char* ptr = growing.ptr + units(1) - pages(1);
    size_t size = units(2) + pages(2);  // of the first view, the second and the third
    CHECK(resize(&growing, units(1)) == VMEM_SUCCESS && resize(&growing, units(3)) == VMEM_SUCCESS);
    CHECK(resize(&growing, units(5)) == VMEM_SUCCESS);
    for (i = 0; i < sizeof protections / sizeof protections[0]; i++) {
        CHECK_ERROR_CODE(vmem_protect(ptr, size, protections[i]) == VMEM_SUCCESS, UNTOUCHED);
        CHECK(is_protected(ptr, protections[i]) && is_protected(growing.ptr + units(2), protections[i]));
        CHECK(is_protected(ptr + size - 1, protections[i]));
        CHECK(is_protected(ptr - 1, VMEM_READ_WRITE) && is_protected(ptr + size, VMEM_READ_WRITE));
    }
    CHECK_ERROR_CODE(vmem_lock(ptr, size) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_unlock(ptr, size) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_prefault(ptr, size) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_count_resident(ptr, size, &num_resident) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(num_resident == size);
    for (i = 1; i < 4; i++) {
        fail_calls("VirtualProtect", (int)i, (int)i + 1, DENIED);
        CHECK_DENIED(vmem_protect(ptr, size, VMEM_READ));
        fail_calls("VirtualQuery", (int)i - 1, (int)i, DENIED);
        CHECK(vmem_protect(ptr, size, VMEM_READ) != VMEM_SUCCESS && hook.num_calls == (int)i);
        fail_none();
        CHECK(vmem_protect(ptr, size, VMEM_READ_WRITE) == VMEM_SUCCESS);
    }
    CHECK(vmem_protect(ptr, units(6), VMEM_READ) == VMEM_ERROR_INVALID_ARGUMENT);  // past the end of the file
    end_growing(&growing);
}

// A mapping shows what others have added, however much that is by then, and what is in use stays mapped.
static void test_readers_of_growing_files(void) {
    Growing growing = make_growing();
    intptr_t handle = -1;
    VmemObject reader;
    size_t num_mapped = units(4), before = units(1);
    char* seen;
    CHECK(resize(&growing, before) == VMEM_SUCCESS);
    growing.ptr[before - 1] = 'x';
    CHECK(vmem_object_export(&growing.object, false, &handle) == VMEM_SUCCESS);
    CHECK(vmem_object_from_file(&reader, handle, units(4)) == VMEM_SUCCESS && CloseHandle((HANDLE)handle));
    seen = (char*)vmem_object_map(&reader, units(4), 0, VMEM_READ);
    REQUIRE(seen != NULL);
    CHECK(resize(&growing, units(6)) == VMEM_SUCCESS);  // more than the reader has room for
    growing.ptr[units(4) - 1] = 'y';
    hook.also_failing = "UnmapViewOfFile";
    CHECK_ERROR_CODE(vmem_object_resize_mapped(&reader, seen, &num_mapped, VMEM_READ, SIZE_MAX) == VMEM_SUCCESS,
                     UNTOUCHED);
    CHECK(num_mapped == units(4) && seen[before - 1] == 'x' && seen[units(4) - 1] == 'y');
    CHECK(size_of(&growing.object) == units(6));
    CHECK(vmem_object_unmap(seen, units(4)) == VMEM_SUCCESS);
    close_object(&reader);
    end_growing(&growing);
}

// A size is set apart from the position in the file, which reading in other threads changes.
static void test_setting_a_size_leaves_the_position(void) {
    Growing growing = make_growing();
    CHECK(SetFilePointer(growing.file, 7, NULL, FILE_BEGIN) == 7);
    CHECK(resize(&growing, 100) == VMEM_SUCCESS && resize(&growing, 50) == VMEM_SUCCESS);
    CHECK(SetFilePointer(growing.file, 0, NULL, FILE_CURRENT) == 7 && size_of(&growing.object) == 50);
    end_growing(&growing);
}

// What is written to a page that was shown before the file got so long is in the section, and so in the file.
static void test_growth_within_a_page(void) {
    Growing growing = make_growing();
    CHECK(resize(&growing, 10) == VMEM_SUCCESS);
    fail_calls("CreateFileMapping", 0, 1, ERROR_NOT_ENOUGH_MEMORY);
    CHECK_ERROR_CODE(resize(&growing, 20) == VMEM_ERROR_OUT_OF_MEMORY, ERROR_NOT_ENOUGH_MEMORY);
    CHECK(growing.num_mapped == units(NUM_UNITS) && size_of(&growing.object) == 20);
    end_growing(&growing);
}

// Makes one call fail, while a mapping of two units and 100 bytes becomes this long. Returns whether it was called.
static bool check_growth_that_fails(const char* without, const char* call, int index, size_t num_bytes) {
    const size_t before = units(2) + 100;
    size_t size, shown;
    VmemResult result;
    bool is_called;
    Growing growing;
    fail_none();
    hook.also_failing = without;
    hook.error = ERROR_NOT_SUPPORTED;
    growing = make_growing();
    CHECK(resize(&growing, before) == VMEM_SUCCESS);
    growing.ptr[7] = 'x';
    fail_calls(call, index, index + 1, ERROR_NOT_ENOUGH_MEMORY);
    hook.also_failing = without;
    result = resize(&growing, num_bytes);
    is_called = hook.num_calls > index;
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_OUT_OF_MEMORY || strcmp(call, "GetProcAddress") == 0);
    size = size_of(&growing.object);
    CHECK(size == num_bytes || (size == before && result != VMEM_SUCCESS));
    CHECK(growing.num_mapped <= units(NUM_UNITS));
    shown = result == VMEM_SUCCESS || num_bytes < before ? num_bytes : before;
    if (growing.num_mapped < shown) shown = growing.num_mapped;
    if (shown > 7) CHECK(growing.ptr[7] == 'x' && growing.ptr[shown - 1] == 0);
    hook.also_failing = without;
    if (growing.num_mapped >= units(4)) {
        CHECK(resize(&growing, units(4)) == VMEM_SUCCESS);
        if (growing.num_mapped >= units(4)) CHECK(growing.ptr[7] == 'x' && growing.ptr[units(4) - 1] == 0);
    }
    end_growing(&growing);
    return is_called;
}

// Each call fails in turn: the file is as long as it was, or mapped less far, as is said, and nothing is left behind.
static void test_growth_that_fails(void) {
    static const char* const without[] = {NULL, "VirtualAlloc2"};
    static const char* const calls[] = {"GetFileSizeEx",     "SetFileInformationByHandle",
                                        "GetProcAddress",    "VirtualQuery",
                                        "CreateFileMapping", "MapViewOfFile",
                                        "MapViewOfFile3",    "VirtualFree",
                                        "VirtualAlloc",      "UnmapViewOfFile"};
    const size_t sizes[] = {units(3), units(3) + 1, units(2) + 200, units(1) + 1};  // the last one is shorter
    DWORD num_handles = count_handles();
    size_t i, j, k;
    int index;
    for (i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (j = 0; j < sizeof without / sizeof without[0]; j++) {
            for (k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
                for (index = 0; check_growth_that_fails(without[j], calls[i], index, sizes[k]); index++) continue;
            }
        }
    }
    CHECK(count_handles() == num_handles);
}

// Other threads take addresses that are free for a moment, without placeholders: the mapping ends there.
static void test_growth_into_addresses_that_others_take(void) {
    static const struct {
        const char* call;
        size_t num_units, taken, num_mapped;  // in units
        VmemResult result;
    } cases[] = {{"MapViewOfFile", 4, 3, 2, VMEM_ERROR_OUT_OF_MEMORY},
                 {"MapViewOfFile", 4, 2, 2, VMEM_ERROR_OUT_OF_MEMORY},
                 {"VirtualAlloc", 4, 4, 4, VMEM_SUCCESS},
                 {"VirtualAlloc", 4, 9, 4, VMEM_SUCCESS},
                 {"VirtualAlloc", 1, 0, 0, VMEM_ERROR_OUT_OF_MEMORY},
                 {"MapViewOfFile", 1, 0, 0, VMEM_ERROR_OUT_OF_MEMORY}};
    size_t i, j;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Growing growing;
        char* taken;
        fail_none();
        hook.also_failing = "VirtualAlloc2";
        hook.error = ERROR_NOT_SUPPORTED;
        growing = make_growing();
        CHECK(resize(&growing, units(2)) == VMEM_SUCCESS);
        growing.ptr[7] = 'x';
        hook.taking = cases[i].call;
        hook.place = taken = growing.ptr + units(cases[i].taken);
        CHECK(resize(&growing, units(cases[i].num_units)) == cases[i].result);
        CHECK(hook.taking == NULL && size_of(&growing.object) == units(cases[i].num_units));
        CHECK(growing.num_mapped == units(cases[i].num_mapped));
        if (growing.num_mapped > 0) CHECK(growing.ptr[7] == 'x');
        if (growing.num_mapped > 0) CHECK(vmem_object_unmap(growing.ptr, growing.num_mapped) == VMEM_SUCCESS);
        for (j = 0; j < NUM_UNITS; j++) CHECK(is_free(growing.ptr + units(j)) == (j != cases[i].taken));
        CHECK(VirtualFree(taken, 0, MEM_RELEASE));
        growing.num_mapped = 0;
        end_growing(&growing);
    }
}

static void test_publishing(void) {
    HANDLE file = make_file("0123456789");
    DWORD num_handles = count_handles();
    VmemObject writer, reader;
    size_t num_bytes = 0;
    fail_none();
    CHECK(vmem_object_from_file(&writer, (intptr_t)file, units(1)) == VMEM_SUCCESS);
    CHECK(vmem_object_from_file(&reader, (intptr_t)file, units(1)) == VMEM_SUCCESS);
    CHECK_ERROR_CODE(vmem_object_get_published(&reader, &num_bytes) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(num_bytes == 10);
    CHECK_ERROR_CODE(vmem_object_publish(&writer, SIZE_MAX, 3) == VMEM_SUCCESS, UNTOUCHED);
    CHECK_ERROR_CODE(vmem_object_get_published(&reader, &num_bytes) == VMEM_SUCCESS, UNTOUCHED);
    CHECK(num_bytes == 3);
    CHECK(vmem_object_publish(&writer, 3, 50) == VMEM_SUCCESS);
    CHECK(vmem_object_get_published(&reader, &num_bytes) == VMEM_SUCCESS && num_bytes == 10);
    CHECK(vmem_object_publish(&writer, 50, 5) == VMEM_SUCCESS);
    fail_calls("MapViewOfFile", 0, ALL, ERROR_NOT_ENOUGH_MEMORY);
    CHECK(vmem_object_get_published(&reader, &num_bytes) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(vmem_object_publish(&writer, 5, 6) == VMEM_ERROR_OUT_OF_MEMORY);
    fail_none();
    close_object(&writer);  // as if its process had ended: the reader keeps what was published
    CHECK(vmem_object_get_published(&reader, &num_bytes) == VMEM_SUCCESS && num_bytes == 5);
    CHECK(vmem_object_from_file(&writer, (intptr_t)file, units(1)) == VMEM_SUCCESS);
    CHECK(vmem_object_publish(&writer, SIZE_MAX, 7) == VMEM_SUCCESS);
    CHECK(vmem_object_get_published(&reader, &num_bytes) == VMEM_SUCCESS && num_bytes == 7);
    CHECK(vmem_object_publish(&writer, 7, SIZE_MAX) == VMEM_SUCCESS);
    CHECK(vmem_object_get_published(&reader, &num_bytes) == VMEM_SUCCESS && num_bytes == 10);
    fail_calls("GetFileInformationByHandle", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_publish(&writer, SIZE_MAX, 3));
    fail_calls("OpenFileMapping", 0, ALL, DENIED);
    CHECK_DENIED(vmem_object_publish(&writer, SIZE_MAX, 3));
    fail_none();
    close_object(&writer);
    close_object(&reader);
    CHECK(count_handles() == num_handles);
    CHECK(CloseHandle(file));
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
    test_object_calls_that_fail();
    test_objects_that_are_closed();
    test_importing_what_is_no_object();
    test_mapping_when_others_take_the_addresses();
    test_mirrored_mappings_that_fail();
    test_access_of_mappings();
    test_the_seam_of_mirrored_mappings();
    test_sizes_that_are_too_large();
    test_files();
    test_growth_of_mapped_files();
    test_growth_in_many_steps();
    test_pages_of_several_views();
    test_readers_of_growing_files();
    test_setting_a_size_leaves_the_position();
    test_growth_within_a_page();
    test_growth_that_fails();
    test_growth_into_addresses_that_others_take();
    test_publishing();
    return report();
}
