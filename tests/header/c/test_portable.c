// Tests what vmem.h guarantees on every system, with nothing but vmem.h itself and the C library: for emulated systems.
// Prints the page size, each check that fails, then "N checks, M failed".
//
// It is C99 and C++11. Some emulators get system calls wrong: such a call is tried without vmem.h first, and the tests
// that depend on it are omitted, with a line that says so. Search for >>checks, >>emulators, >>contents, >>code, >>faults,
// >>queries, >>main.

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <process.h>
#endif

// >>checks ------------------------------------------------------------------------------------------------------------

#include "check.h"
#if !defined(_WIN32)
#include "child.h"
#endif

// An error code that no tested call sets.
#define UNTOUCHED 33

#if defined(_WIN32)
static void set_error_code(int code) { SetLastError((DWORD)code); }
static int get_error_code(void) { return (int)GetLastError(); }
#else
static void set_error_code(int code) { errno = code; }
static int get_error_code(void) { return errno; }
#endif

#define CHECK_KEEPS_ERROR_CODE(expression)    \
    do {                                      \
        set_error_code(UNTOUCHED);            \
        CHECK(expression);                    \
        CHECK(get_error_code() == UNTOUCHED); \
    } while (0)

#define CHECK_REFUSED(call) CHECK_KEEPS_ERROR_CODE((call) == VMEM_ERROR_INVALID_ARGUMENT)

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

static char* reserve_pages(size_t count) {
    char* base = (char*)vmem_reserve(pages(count));
    REQUIRE(base != NULL);
    return base;
}

static char* commit_pages(size_t count) {
    char* base = reserve_pages(count);
    REQUIRE(vmem_commit(base, pages(count)) == VMEM_SUCCESS);
    return base;
}

static void release_pages(char* base, size_t count) { CHECK(vmem_release(base, pages(count)) == VMEM_SUCCESS); }

static void fill_pages(char* start, size_t count, char value) { memset(start, value, pages(count)); }

// Whether the first byte has this value, and every other byte that of the one before.
static bool pages_are(const char* start, size_t count, char value) {
    return start[0] == value && memcmp(start, start + 1, pages(count) - 1) == 0;
}

static bool is_power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

// >>emulators ---------------------------------------------------------------------------------------------------------

// The mincore() of QEMU's user mode supports neither pages without access nor pages
// larger than those of the host, which are also the ones that its /proc/self/maps lists.
#if defined(__linux__)

// Maps two pages without access and then grants it.
static char* map_two_pages(int protection) {
    char* base = (char*)mmap(NULL, pages(2), PROT_NONE, MAP_PRIVATE | VMEM__MAP_ANONYMOUS, -1, 0);
    REQUIRE(base != (char*)MAP_FAILED);
    REQUIRE(mprotect(base, pages(2), protection) == 0);
    return base;
}

static bool system_counts_resident(void) {
    char *base = map_two_pages(PROT_READ | PROT_WRITE), *closed = map_two_pages(PROT_NONE);
    unsigned char resident[256];  // more than one per page, because emulators write too many
    bool counts;
    memset(resident, 0xee, sizeof resident);
    counts = mincore(base, pages(2), resident) == 0 && resident[0] == 0 && resident[1] == 0 && resident[2] == 0xee;
    counts = counts && mincore(closed, pages(2), resident) == 0;
    munmap(base, pages(2));
    munmap(closed, pages(2));
    return counts;
}

static bool system_lists_whole_pages(void) {
    char line[4096];
    bool whole = true;
    FILE* file = fopen("/proc/self/maps", "r");
    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file)) {
        char* rest;
        uintptr_t start = (uintptr_t)strtoull(line, &rest, 16), end = (uintptr_t)strtoull(rest + 1, NULL, 16);
        whole = whole && start % pages(1) == 0 && end % pages(1) == 0;
    }
    fclose(file);
    return whole;
}

#else

static bool system_lists_whole_pages(void) { return true; }

static bool system_counts_resident(void) {
    size_t num_resident;
    char* base = commit_pages(1);
    bool counts = vmem_count_resident(base, 1, &num_resident) != VMEM_ERROR_UNSUPPORTED;
    CHECK(counts == vmem_get_capabilities().can_count_resident);
    release_pages(base, 1);
    return counts;
}

#endif

// >>contents ----------------------------------------------------------------------------------------------------------

static void test_sizes(void) {
    size_t huge = vmem_get_huge_page_size();
    CHECK(is_power_of_two(vmem_get_page_size()));
    CHECK(is_power_of_two(vmem_get_allocation_granularity()));
    CHECK(vmem_get_allocation_granularity() >= vmem_get_page_size());
    CHECK(huge == 0 || (is_power_of_two(huge) && huge > vmem_get_page_size()));
}

static void test_committing(void) {
    char* base = reserve_pages(4);
    CHECK(vmem_is_aligned((uintptr_t)base, vmem_get_allocation_granularity()));
    CHECK(vmem_commit(base + pages(2) - 1, 2) == VMEM_SUCCESS);
    CHECK(pages_are(base + pages(1), 2, 0));
    fill_pages(base + pages(1), 2, 1);
    CHECK(vmem_commit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 0));
    CHECK(pages_are(base + pages(1), 2, 1));
    CHECK(pages_are(base + pages(3), 1, 0));
    release_pages(base, 4);
}

static void test_decommitting(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_decommit(base + pages(2) - 1, 2) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(3), 1, 1));
    CHECK(vmem_decommit(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(vmem_commit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(1), 2, 0));
    CHECK(pages_are(base + pages(3), 1, 1));
    release_pages(base, 4);
}

static void test_odd_sizes(void) {
    char* base = (char*)vmem_reserve(pages(1) + 1);
    REQUIRE(base != NULL);
    CHECK(vmem_commit(base, pages(1) + 1) == VMEM_SUCCESS);
    fill_pages(base, 2, 1);
    CHECK(pages_are(base, 2, 1));
    CHECK(vmem_release(base, pages(1) + 1) == VMEM_SUCCESS);
}

static void check_aligned_reservation(size_t num_bytes, size_t align) {
    char* base = (char*)vmem_reserve_aligned(num_bytes, align);
    REQUIRE(base != NULL);
    CHECK((uintptr_t)base % align == 0);
    CHECK(vmem_is_aligned((uintptr_t)base, vmem_get_allocation_granularity()));
    CHECK(vmem_commit(base, num_bytes) == VMEM_SUCCESS);
    base[0] = base[num_bytes - 1] = 1;
    CHECK(vmem_release(base, num_bytes) == VMEM_SUCCESS);
}

static void test_reserve_aligned(void) {
    check_aligned_reservation(1, 1);
    check_aligned_reservation(pages(3), pages(1));
    check_aligned_reservation(pages(3), 4 * vmem_get_allocation_granularity());
    check_aligned_reservation(pages(3) + 1, (size_t)2 << 20);
    check_aligned_reservation(pages(3), (size_t)256 << 20);
}

// Processors may grant more than asked for, and policies may deny execution, so only reading and writing are tested.
static void test_protect(void) {
    int protection;
    char* base = commit_pages(2);
    fill_pages(base, 2, 1);
    for (protection = VMEM_NO_ACCESS; protection <= VMEM_READ_WRITE_EXECUTE; protection++) {
        VmemResult result = vmem_protect(base, 1, (VmemProtection)protection);
        CHECK(result == VMEM_SUCCESS || (protection >= VMEM_EXECUTE && result == VMEM_ERROR_ACCESS_DENIED));
        if (protection == VMEM_READ || protection == VMEM_READ_WRITE) CHECK(pages_are(base, 1, 1));
        base[pages(1)] = 1;  // the other page is still writable
    }
    CHECK(vmem_protect(base, pages(2), VMEM_READ_WRITE) == VMEM_SUCCESS);
    CHECK(pages_are(base, 2, 1));
    fill_pages(base, 2, 2);
    CHECK(pages_are(base, 2, 2));
    release_pages(base, 2);
}

static void test_discard(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_discard(base + pages(2) - 1, 2) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(3), 1, 1));
    CHECK(pages_are(base + pages(1), 2, 0));
    fill_pages(base + pages(1), 2, 2);  // they are still committed
    CHECK(pages_are(base + pages(1), 2, 2));
    release_pages(base, 4);
}

static void test_prefault(bool counts_resident) {
    size_t num_resident = 0;
    char* base = commit_pages(4);
    base[0] = 1;
    CHECK(vmem_prefault(base, pages(4)) == VMEM_SUCCESS);
    if (counts_resident) {
        CHECK(vmem_count_resident(base, pages(4), &num_resident) == VMEM_SUCCESS);
        CHECK(num_resident == pages(4));
    }
    CHECK(base[0] == 1 && base[1] == 0);
    CHECK(pages_are(base + pages(1), 3, 0));
    release_pages(base, 4);
}

// Either the contents of locked pages are gone, or the call says that they are not.
static void test_discarding_locked_pages(void) {
    char* base = commit_pages(2);
    VmemResult result;
    fill_pages(base, 2, 1);
    if (vmem_lock(base, 1) == VMEM_SUCCESS) {
        result = vmem_discard(base, 1);
        CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK(pages_are(base, 1, result == VMEM_SUCCESS ? 0 : 1));
        CHECK(vmem_unlock(base, 1) == VMEM_SUCCESS);
    }
    CHECK(vmem_discard(base, 1) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 0));
    CHECK(pages_are(base + pages(1), 1, 1));
    release_pages(base, 2);
}

static void test_lock(void) {
    char* base = commit_pages(2);
    VmemResult result;
    fill_pages(base, 2, 1);
    CHECK(vmem_unlock(base, pages(2)) == VMEM_SUCCESS);
    result = vmem_lock(base + pages(1) - 1, 2);
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_OUT_OF_MEMORY || result == VMEM_ERROR_ACCESS_DENIED);
    CHECK(vmem_unlock(base, pages(2)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 2, 1));
    release_pages(base, 2);
}

static void test_advice_and_names(void) {
    static const char* const invalid_names[] = {"[", "]", "\\", "$", "`", "\n", "\x7f", "\xc3\xa4"};
    char* base = commit_pages(2);
    char name[81];
    size_t i;
    VmemResult result = vmem_advise_huge_pages(base, pages(2));
    fill_pages(base, 2, 1);
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_UNSUPPORTED);
    CHECK(result == VMEM_ERROR_UNSUPPORTED || vmem_get_capabilities().can_advise_huge_pages);
    result = vmem_advise_fork(base, pages(2), VMEM_FORK_NONE);
    CHECK(result == (vmem_get_capabilities().can_advise_fork ? VMEM_SUCCESS : VMEM_ERROR_UNSUPPORTED));
    CHECK(vmem_advise_fork(base, pages(2), VMEM_FORK_COPY) == result);
    result = vmem_advise_dump(base, pages(2), false);
    CHECK(result == (vmem_get_capabilities().can_advise_dump ? VMEM_SUCCESS : VMEM_ERROR_UNSUPPORTED));
    CHECK(vmem_advise_dump(base, pages(2), true) == result);
    result = vmem_set_name(base, pages(2), "portable test");
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_UNSUPPORTED);
    CHECK(result == VMEM_ERROR_UNSUPPORTED || vmem_get_capabilities().can_set_name);
    CHECK(vmem_set_name(base, 1, NULL) == result);
    for (i = 0; i < sizeof invalid_names / sizeof invalid_names[0]; i++)
        CHECK_REFUSED(vmem_set_name(base, 1, invalid_names[i]));
    memset(name, 'n', 80);
    name[80] = 0;
    CHECK_REFUSED(vmem_set_name(base, 1, name));
    CHECK(vmem_set_name(base, 1, name + 1) == result);
    CHECK(pages_are(base, 2, 1));
    release_pages(base, 2);
}

static void check_range_refused(char* ptr, size_t num_bytes) {
    size_t num_resident = 99;
    CHECK_REFUSED(vmem_commit(ptr, num_bytes));
    CHECK_REFUSED(vmem_decommit(ptr, num_bytes));
    CHECK_REFUSED(vmem_release(ptr, num_bytes));
    CHECK_REFUSED(vmem_protect(ptr, num_bytes, VMEM_READ));
    CHECK_REFUSED(vmem_flush_instruction_cache(ptr, num_bytes));
    CHECK_REFUSED(vmem_discard(ptr, num_bytes));
    CHECK_REFUSED(vmem_prefault(ptr, num_bytes));
    CHECK_REFUSED(vmem_lock(ptr, num_bytes));
    CHECK_REFUSED(vmem_lock_on_fault(ptr, num_bytes));
    CHECK_REFUSED(vmem_advise_fork(ptr, num_bytes, VMEM_FORK_NONE));
    CHECK_REFUSED(vmem_advise_dump(ptr, num_bytes, false));
    CHECK_REFUSED(vmem_unlock(ptr, num_bytes));
    CHECK_REFUSED(vmem_advise_huge_pages(ptr, num_bytes));
    CHECK_REFUSED(vmem_set_name(ptr, num_bytes, NULL));
    CHECK_REFUSED(vmem_count_resident(ptr, num_bytes, &num_resident));
    CHECK(num_resident == 99);
}

static void test_wrong_arguments(void) {
    const size_t half = SIZE_MAX / 2 + 1;
    char* base = commit_pages(1);
    uintptr_t last_page = UINTPTR_MAX - pages(1) + 1;
    base[0] = 1;
    check_range_refused(NULL, 0);
    check_range_refused(NULL, 1);
    check_range_refused(base, 0);
    check_range_refused(base, SIZE_MAX);
    check_range_refused(base, (size_t)(UINTPTR_MAX - (uintptr_t)base) + 1);
    check_range_refused((char*)last_page, 1);
    check_range_refused((char*)UINTPTR_MAX, 1);
    CHECK_REFUSED(vmem_release(base + 1, 1));
    CHECK_REFUSED(vmem_protect(base, 1, (VmemProtection)6));
    CHECK_REFUSED(vmem_count_resident(base, 1, NULL));
    CHECK_REFUSED(vmem_query(base, NULL));
    CHECK_REFUSED(vmem_get_memory_info(NULL));
    CHECK_REFUSED(vmem_get_address_space(NULL));
    CHECK_REFUSED(vmem_get_limits(NULL));
    CHECK_KEEPS_ERROR_CODE(vmem_reserve(0) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_reserve(SIZE_MAX) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_reserve_aligned(1, 0) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_reserve_aligned(1, 3) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_reserve_aligned(0, 1) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_reserve_aligned(half, half) == NULL);
    CHECK(vmem_reserve(SIZE_MAX - pages(2)) == NULL);
    CHECK(base[0] == 1);
    release_pages(base, 1);
}

static void test_align_functions(void) {
    const size_t half = SIZE_MAX / 2 + 1;
    CHECK(vmem_align_forward(1, 4096) == 4096);
    CHECK(vmem_align_forward(UINTPTR_MAX, 2) == 0);
    CHECK(vmem_align_forward(1, half) == half);
    CHECK(vmem_align_backward(UINTPTR_MAX, half) == half);
    CHECK(vmem_align_backward(4097, 4096) == 4096);
    CHECK(vmem_is_aligned(half, half) && !vmem_is_aligned(half + 1, half));
}

static void test_messages(void) {
    const char* of_invalid = vmem_result_message((VmemResult)99);
    CHECK(strcmp(vmem_result_message(VMEM_SUCCESS), of_invalid) != 0);
    CHECK(strcmp(vmem_result_message(VMEM_DECOMMIT_INCOMPLETE), of_invalid) != 0);
}

static void test_success_keeps_the_error_code(void) {
    char *base = NULL, *aligned = NULL;
    VmemRange range;
    CHECK_KEEPS_ERROR_CODE((base = (char*)vmem_reserve(pages(4))) != NULL);
    CHECK_KEEPS_ERROR_CODE((aligned = (char*)vmem_reserve_aligned(pages(4), (size_t)2 << 20)) != NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_commit(base, pages(4)) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_protect(base, 1, VMEM_READ) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_protect(base, 1, VMEM_READ_WRITE) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_flush_instruction_cache(base, pages(4)) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_prefault(base, pages(4)) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_unlock(base, pages(4)) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_discard(base, pages(4)) == VMEM_SUCCESS);
    if (vmem_get_capabilities().can_query) CHECK_KEEPS_ERROR_CODE(vmem_query(base, &range) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_decommit(base, pages(4)) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_release(base, pages(4)) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_release(aligned, pages(4)) == VMEM_SUCCESS);
    CHECK_KEEPS_ERROR_CODE(vmem_get_huge_page_size() != 1);
    CHECK_KEEPS_ERROR_CODE(vmem_get_allocation_granularity() >= vmem_get_page_size());
}

// >>code --------------------------------------------------------------------------------------------------------------

typedef int (*Function)(void);

// Writes the machine code of a function that returns a number below 2,048. Returns false on other processors.
static bool write_function(char* code, unsigned number) {
#if defined(__x86_64__) || defined(__i386__)
    const unsigned char mov_eax[] = {0xb8, (unsigned char)number, (unsigned char)(number >> 8), 0, 0, 0xc3};  // and ret
    memcpy(code, mov_eax, sizeof mov_eax);
    return true;
#elif defined(__s390x__)
    const unsigned char lghi_r2[] = {0xa7, 0x29, (unsigned char)(number >> 8), (unsigned char)number, 0x07, 0xfe};
    memcpy(code, lghi_r2, sizeof lghi_r2);  // and br %r14
    return true;
#elif defined(__aarch64__)
    const uint32_t movz_w0[] = {0x52800000u | number << 5, 0xd65f03c0u};  // and ret
    memcpy(code, movz_w0, sizeof movz_w0);
    return true;
#elif defined(__riscv)
    const uint32_t li_a0[] = {0x00000513u | number << 20, 0x00008067u};  // and ret
    memcpy(code, li_a0, sizeof li_a0);
    return true;
#else
    (void)code, (void)number;
    return false;
#endif
}

// Each function is written over the one before, from which the processor has instructions in its cache.
static void test_machine_code(void) {
    char* base = commit_pages(2);
    char* code = base + pages(1) - 8;  // to the end of a page
    unsigned number;
    CHECK(vmem_flush_instruction_cache(base + 1, pages(2) - 2) == VMEM_SUCCESS);
    for (number = 0; number < 2000; number += 7) {
        VmemResult result;
        if (!write_function(code, number)) break;
        result = vmem_protect(code, 8, VMEM_READ_EXECUTE);
        if (result == VMEM_ERROR_ACCESS_DENIED) break;  // by a policy
        REQUIRE(result == VMEM_SUCCESS);
        CHECK(vmem_flush_instruction_cache(code, 8) == VMEM_SUCCESS);
        CHECK(((Function)(uintptr_t)code)() == (int)number);
        CHECK(vmem_protect(code, 8, VMEM_READ_WRITE) == VMEM_SUCCESS);
    }
    release_pages(base, 2);
}

// >>faults ------------------------------------------------------------------------------------------------------------

// Returns the first of two pages, which can be accessed as the table below says.
typedef char* (*Preparation)(void);

static char* prepare_reserved(void) { return reserve_pages(2); }

static char* prepare_aligned(void) {
    char* base = (char*)vmem_reserve_aligned(pages(2), (size_t)2 << 20);
    REQUIRE(base != NULL);
    return base;
}

static char* prepare_committed(void) {
    char* base = reserve_pages(2);
    REQUIRE(vmem_commit(base + pages(1) - 1, 2) == VMEM_SUCCESS);
    return base;
}

static char* prepare_half_committed(void) {
    char* base = reserve_pages(2);
    REQUIRE(vmem_commit(base + pages(1) - 1, 1) == VMEM_SUCCESS);
    return base;
}

static char* prepare_half_decommitted(void) {
    char* base = commit_pages(2);
    fill_pages(base, 2, 1);
    REQUIRE(vmem_decommit(base + pages(1), 1) == VMEM_SUCCESS);
    return base;
}

static char* prepare_decommitted(void) {
    char* base = prepare_half_decommitted();
    REQUIRE(vmem_decommit(base + pages(1) - 1, 2) == VMEM_SUCCESS);
    return base;
}

static char* prepare_released(void) {
    char* base = commit_pages(2);
    release_pages(base, 2);
    return base;
}

static char* prepare_protected(VmemProtection protection) {
    char* base = commit_pages(2);
    REQUIRE(vmem_protect(base + pages(1) - 1, 2, protection) == VMEM_SUCCESS);
    return base;
}

static char* prepare_without_access(void) { return prepare_protected(VMEM_NO_ACCESS); }

static char* prepare_read_only(void) { return prepare_protected(VMEM_READ); }

static char* prepare_protected_and_back(void) {
    char* base = prepare_read_only();
    REQUIRE(vmem_protect(base, pages(2), VMEM_READ_WRITE) == VMEM_SUCCESS);
    return base;
}

static char* prepare_discarded(void) {
    char* base = commit_pages(2);
    REQUIRE(vmem_discard(base, pages(2)) == VMEM_SUCCESS);
    return base;
}

static const struct {
    Preparation prepare;
    const char* faults;  // '1' where an access faults: first page read, written, second page read, written
} preparations[] = {
    {prepare_reserved, "1111"},           {prepare_aligned, "1111"},          {prepare_committed, "0000"},
    {prepare_half_committed, "0011"},     {prepare_half_decommitted, "0011"}, {prepare_decommitted, "1111"},
    {prepare_released, "1111"},           {prepare_without_access, "1111"},   {prepare_read_only, "0101"},
    {prepare_protected_and_back, "0000"}, {prepare_discarded, "0000"},
};

#define NUM_PREPARATIONS (sizeof preparations / sizeof preparations[0])

// Runs in a process of its own, which exits with 0 unless the access faults.
static int access_memory(size_t preparation, size_t access) {
    volatile char* ptr;
    num_failed = 0;
    ptr = preparations[preparation].prepare() + (access < 2 ? 0 : pages(1));
    if (access % 2 == 0) return num_failed + (ptr[pages(1) - 1] & 0);
    ptr[pages(1) - 1] = 1;
    return num_failed;
}

#if defined(_WIN32)

// Ends the process with the exception as its exit code, and without a dialog or a debugger.
static LONG WINAPI end_with_exception(EXCEPTION_POINTERS* exception) {
    (void)exception;
    return EXCEPTION_EXECUTE_HANDLER;
}

#define MAX_STARTS 5

// Windows has no fork(): the program starts itself again, with the two numbers as arguments. A start that failed says
// nothing about the memory, so it is repeated: under Wine one in some thousands fails, because the heap overlaps a page
// that Windows keeps at a fixed address.
static bool ends_as_expected(const char* program, size_t preparation, size_t access, bool faults) {
    intptr_t exit_code = -1;
    char first[16], second[16];
    int start;
    sprintf(first, "%u", (unsigned)preparation);
    sprintf(second, "%u", (unsigned)access);
    for (start = 0; start < MAX_STARTS && exit_code == -1; start++)
        exit_code = _spawnl(_P_WAIT, program, program, first, second, (char*)NULL);
    if (exit_code == -1) perror(program);
    return (DWORD)exit_code == (faults ? (DWORD)EXCEPTION_ACCESS_VIOLATION : 0);
}

#else

static void access_memory_in_child(char* numbers) {
    num_failed = access_memory((size_t)numbers[0], (size_t)numbers[1]);
}

static bool ends_as_expected(const char* program, size_t preparation, size_t access, bool faults) {
    char numbers[2];
    (void)program;
    numbers[0] = (char)preparation;
    numbers[1] = (char)access;
    return faults ? faults_in_child(access_memory_in_child, numbers)
                  : succeeds_in_child(access_memory_in_child, numbers);
}

#endif

static void test_faults(const char* program) {
    size_t preparation, access;
    for (preparation = 0; preparation < NUM_PREPARATIONS; preparation++) {
        for (access = 0; access < 4; access++) {
            bool faults = preparations[preparation].faults[access] == '1';
            int num_failed_before = num_failed;
            CHECK(ends_as_expected(program, preparation, access, faults));
            if (num_failed > num_failed_before)
                printf("    for preparation %u, access %u\n", (unsigned)preparation, (unsigned)access);
        }
    }
}

// >>queries -----------------------------------------------------------------------------------------------------------

// The range may begin at the page of `ptr`: so it does on Windows, and on all systems for free addresses.
static void check_query(const char* ptr, VmemState state, VmemProtection protection, const char* end) {
    VmemRange range;
    memset(&range, 0xff, sizeof range);
    CHECK(vmem_query(ptr, &range) == VMEM_SUCCESS);
    CHECK(range.state == state);
    CHECK(range.protection == protection);
    CHECK((uintptr_t)range.base <= (uintptr_t)ptr);
    CHECK((uintptr_t)range.base + range.size - 1 >= (uintptr_t)end - 1);
}

// The two outer pages keep the ranges between them apart from other mappings of the process.
static void test_query(void) {
    char *base = reserve_pages(6), *inside = base + pages(1);
    if (!vmem_get_capabilities().can_query) {
        VmemRange range;
        CHECK(vmem_query(base, &range) == VMEM_ERROR_UNSUPPORTED);
        release_pages(base, 6);
        return;
    }
    check_query(base + pages(5) + 1, VMEM_RESERVED, VMEM_NO_ACCESS, base + pages(6));
    CHECK(vmem_commit(inside, pages(4)) == VMEM_SUCCESS);
    check_query(inside, VMEM_COMMITTED, VMEM_READ_WRITE, inside + pages(4));
    check_query(inside + pages(4) - 1, VMEM_COMMITTED, VMEM_READ_WRITE, inside + pages(4));
    CHECK(vmem_protect(inside + pages(1), pages(1), VMEM_READ) == VMEM_SUCCESS);
    check_query(inside + pages(1), VMEM_COMMITTED, VMEM_READ, inside + pages(2));
    check_query(inside + pages(2), VMEM_COMMITTED, VMEM_READ_WRITE, inside + pages(4));
    CHECK(vmem_decommit(inside + pages(2), pages(2)) == VMEM_SUCCESS);
    // Wine separates pages that were committed once from those that never were, so this may end before the last page.
    check_query(inside + pages(2), VMEM_RESERVED, VMEM_NO_ACCESS, inside + pages(4));
    check_query(base, VMEM_RESERVED, VMEM_NO_ACCESS, inside);
    release_pages(base, 6);
    check_query(base + pages(3), VMEM_FREE, VMEM_NO_ACCESS, base + pages(6));
}

// From the first address to the last without a gap. Windows ends below the addresses of the kernel.
static void test_query_of_all_addresses(void) {
    uintptr_t address = 0;
    int count;
    VmemRange range;
    if (!vmem_get_capabilities().can_query) return;
    for (count = 0; count < 100000; count++) {
        if (vmem_query((void*)address, &range) != VMEM_SUCCESS) break;
        CHECK((uintptr_t)range.base == address);
        CHECK(vmem_is_aligned(range.size, vmem_get_page_size()));
        address += range.size;
        if (address <= (uintptr_t)range.base) break;
    }
    CHECK(count > 2 && count < 100000);
#if !defined(_WIN32)
    CHECK(address == 0);
#endif
}

static void test_count_resident(void) {
    size_t num_resident = 0;
    char* base = reserve_pages(6);
    CHECK(vmem_count_resident(base, pages(6), &num_resident) == VMEM_SUCCESS);
    CHECK(num_resident == 0);
    CHECK(vmem_commit(base, pages(4)) == VMEM_SUCCESS);
    base[0] = base[pages(4) - 1] = 1;
    CHECK(vmem_count_resident(base, pages(6), &num_resident) == VMEM_SUCCESS);
    CHECK(num_resident == pages(2));
    CHECK(vmem_decommit(base, 1) == VMEM_SUCCESS);
    CHECK(vmem_count_resident(base, pages(6), &num_resident) == VMEM_SUCCESS);
    CHECK(num_resident == pages(1));
    release_pages(base, 6);
}

static void test_memory_info_and_limits(void) {
    VmemCapabilities capabilities;
    VmemMemoryInfo info;
    VmemAddressSpace space;
    VmemLimits limits;
    memset(&info, 0xff, sizeof info);
    memset(&space, 0xff, sizeof space);
    memset(&limits, 0xff, sizeof limits);
    set_error_code(UNTOUCHED);
    capabilities = vmem_get_capabilities();
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(vmem_get_address_space(&space) == VMEM_SUCCESS);
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    CHECK(get_error_code() == UNTOUCHED);
    CHECK(space.total >= (uint64_t)1 << 31 && space.total - 1 <= UINTPTR_MAX);
    CHECK(space.used < space.total && space.used <= space.limit);
    CHECK(capabilities.can_reserve);
#if defined(__linux__) || defined(__APPLE__) || defined(_WIN32)
    CHECK(strcmp(capabilities.system, "other") != 0);
#endif
    CHECK(info.total > 0 && info.total < (uint64_t)1 << 56);
    CHECK(info.available <= info.total);
    CHECK((info.available > 0) == capabilities.tells_available_memory);
    CHECK(limits.commit_used <= limits.commit_limit);
    CHECK(limits.largest_commit > 0);
    CHECK(limits.mapping_used <= limits.mapping_limit);
    CHECK(limits.lock_used == 0 || limits.lock_limit > 0);
    CHECK((limits.mapping_limit != VMEM_UNLIMITED) == capabilities.tells_mapping_limit);
}

// >>main --------------------------------------------------------------------------------------------------------------

static void test_everything(const char* program) {
    bool counts_resident = system_counts_resident(), lists_whole_pages = system_lists_whole_pages();
    if (!counts_resident) printf("omitted: this system does not count resident pages\n");
    if (!lists_whole_pages) printf("omitted: this system lists mappings of parts of pages\n");
    test_sizes();
    test_committing();
    test_decommitting();
    test_odd_sizes();
    test_reserve_aligned();
    test_protect();
    test_discard();
    test_discarding_locked_pages();
    test_prefault(counts_resident);
    test_lock();
    test_advice_and_names();
    test_wrong_arguments();
    test_align_functions();
    test_messages();
    test_success_keeps_the_error_code();
    test_machine_code();
    test_query();
    if (lists_whole_pages) test_query_of_all_addresses();
    if (counts_resident) test_count_resident();
    test_memory_info_and_limits();
    test_faults(program);
}

int main(int argc, char** argv) {
    setvbuf(stdout, NULL, _IONBF, 0);  // children inherit no buffered output
#if defined(_WIN32)
    SetUnhandledExceptionFilter(end_with_exception);
#endif
    if (argc == 3) return access_memory((size_t)atoi(argv[1]), (size_t)atoi(argv[2]));
    printf("pages of %lu bytes\n", (unsigned long)vmem_get_page_size());
    test_everything(argv[0]);
    return report();
}
