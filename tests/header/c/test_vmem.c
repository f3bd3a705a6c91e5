// Tests every public function of vmem.h. Prints each check that fails, then "N checks, M failed".
//
// It is C99 and C++11 and defines no feature test macros, which also tests that the header needs none. Search for
// >>checks, >>helpers, >>everywhere, >>posix, >>linux, >>main.

#include "vmem.h"  // first: the header must include everything that it needs

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#define HAS_POSIX 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

#define HAS_64_BITS (UINTPTR_MAX > 0xffffffffu)

// In second_user.c.
void* second_user_reserve_and_commit(size_t num_bytes);

// >>checks ------------------------------------------------------------------------------------------------------------

#include "check.h"
#if HAS_POSIX
#include "child.h"
#endif

// An error code that no tested call sets.
#define UNTOUCHED EDOM

// Invalid arguments are detected before any system call, so errno is unchanged.
#define CHECK_KEEPS_ERRNO(expression) \
    do {                              \
        errno = UNTOUCHED;            \
        CHECK(expression);            \
        CHECK(errno == UNTOUCHED);    \
    } while (0)

#define CHECK_REFUSED(call)                           \
    do {                                              \
        errno = UNTOUCHED;                            \
        CHECK((call) == VMEM_ERROR_INVALID_ARGUMENT); \
        CHECK(errno == UNTOUCHED);                    \
    } while (0)

#define CHECK_NO_ADDRESSES(call, expected_errno) \
    do {                                         \
        errno = UNTOUCHED;                       \
        CHECK((call) == NULL);                   \
        CHECK(errno == (expected_errno));        \
    } while (0)

// >>helpers -----------------------------------------------------------------------------------------------------------

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

static size_t count_resident(const char* start, size_t num_bytes) {
    size_t num_resident = 0;
    CHECK(vmem_count_resident(start, num_bytes, &num_resident) == VMEM_SUCCESS);
    return num_resident;
}

// >>everywhere --------------------------------------------------------------------------------------------------------

static void test_page_size_and_granularity(void) {
    CHECK(is_power_of_two(vmem_get_page_size()));
    CHECK(is_power_of_two(vmem_get_allocation_granularity()));
    CHECK(vmem_get_allocation_granularity() >= vmem_get_page_size());
}

static void test_huge_page_size(void) {
    size_t size = vmem_get_huge_page_size();
    CHECK(size == 0 || (is_power_of_two(size) && size > vmem_get_page_size()));
}

static void test_round_trip(void) {
    char* base = reserve_pages(16);
    CHECK(vmem_is_aligned((uintptr_t)base, vmem_get_allocation_granularity()));
    CHECK(vmem_commit(base, pages(16)) == VMEM_SUCCESS);
    fill_pages(base, 16, 1);
    CHECK(pages_are(base, 16, 1));
    CHECK(vmem_decommit(base, pages(16)) == VMEM_SUCCESS);
    CHECK(vmem_release(base, pages(16)) == VMEM_SUCCESS);
}

static void test_fresh_pages_read_zero(void) {
    char* base = commit_pages(16);
    CHECK(pages_are(base, 16, 0));
    release_pages(base, 16);
}

static void test_recommitted_pages_read_zero(void) {
    char* base = commit_pages(16);
    fill_pages(base, 16, 1);
    CHECK(vmem_decommit(base, pages(16)) == VMEM_SUCCESS);
    CHECK(vmem_commit(base, pages(16)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 16, 0));
    release_pages(base, 16);
}

static void test_committing_again_keeps_contents(void) {
    char* base = reserve_pages(4);
    CHECK(vmem_commit(base + pages(1), pages(2)) == VMEM_SUCCESS);
    fill_pages(base + pages(1), 2, 1);
    CHECK(vmem_commit(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(pages_are(base + pages(1), 2, 1));
    CHECK(vmem_commit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 0));
    CHECK(pages_are(base + pages(1), 2, 1));
    CHECK(pages_are(base + pages(3), 1, 0));
    release_pages(base, 4);
}

static void test_decommitting_what_is_not_committed(void) {
    char* base = reserve_pages(4);
    CHECK(vmem_decommit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(vmem_commit(base + pages(1), pages(1)) == VMEM_SUCCESS);
    CHECK(vmem_decommit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(vmem_decommit(base, pages(4)) == VMEM_SUCCESS);
    release_pages(base, 4);
}

static void test_one_byte_is_one_page(void) {
    char* base = (char*)vmem_reserve(1);
    REQUIRE(base != NULL);
    CHECK(vmem_commit(base, 1) == VMEM_SUCCESS);
    fill_pages(base, 1, 1);
    CHECK(vmem_decommit(base + pages(1) - 1, 1) == VMEM_SUCCESS);
    CHECK(vmem_commit(base + pages(1) - 1, 1) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 0));
    CHECK(vmem_release(base, 1) == VMEM_SUCCESS);
}

static void test_decommit_drops_every_page_that_holds_a_byte(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_decommit(base + pages(2) - 1, 2) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(3), 1, 1));
    CHECK(vmem_commit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(1), 2, 0));
    CHECK(pages_are(base + pages(3), 1, 1));
    release_pages(base, 4);
}

static void test_decommit_keeps_the_other_pages(void) {
    char* base = commit_pages(3);
    fill_pages(base, 3, 1);
    CHECK(vmem_decommit(base + pages(1), pages(1)) == VMEM_SUCCESS);
    CHECK(vmem_commit(base, pages(3)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(1), 1, 0));
    CHECK(pages_are(base + pages(2), 1, 1));
    release_pages(base, 3);
}

static void test_reservations_do_not_overlap(void) {
    char* first = commit_pages(4);
    char* second = commit_pages(4);
    fill_pages(first, 4, 1);
    fill_pages(second, 4, 2);
    CHECK(pages_are(first, 4, 1));
    CHECK(vmem_release(first, pages(4)) == VMEM_SUCCESS);
    CHECK(pages_are(second, 4, 2));
    release_pages(second, 4);
}

static void test_reserving_64_gib(void) {
#if HAS_64_BITS
    size_t size = (size_t)64 << 30;
    char* base = (char*)vmem_reserve(size);
    REQUIRE(base != NULL);
    CHECK(vmem_commit(base, 1) == VMEM_SUCCESS);
    CHECK(vmem_commit(base + size - 1, 1) == VMEM_SUCCESS);
    base[0] = 1;
    base[size - 1] = 2;
    CHECK(base[0] == 1 && base[size - 1] == 2);
    CHECK(vmem_release(base, size) == VMEM_SUCCESS);
#endif
}

static void check_range_refused(char* ptr, size_t num_bytes) {
    size_t num_resident = 99;
    int num_failed_before = num_failed;
    CHECK_REFUSED(vmem_commit(ptr, num_bytes));
    CHECK_REFUSED(vmem_decommit(ptr, num_bytes));
    CHECK_REFUSED(vmem_release(ptr, num_bytes));
    CHECK_REFUSED(vmem_protect(ptr, num_bytes, VMEM_READ));
    CHECK_REFUSED(vmem_flush_instruction_cache(ptr, num_bytes));
    CHECK_REFUSED(vmem_discard(ptr, num_bytes));
    CHECK_REFUSED(vmem_prefault(ptr, num_bytes));
    CHECK_REFUSED(vmem_lock(ptr, num_bytes));
    CHECK_REFUSED(vmem_unlock(ptr, num_bytes));
    CHECK_REFUSED(vmem_advise_huge_pages(ptr, num_bytes));
    CHECK_REFUSED(vmem_set_name(ptr, num_bytes, "name"));
    CHECK_REFUSED(vmem_set_name(ptr, num_bytes, NULL));
    CHECK_REFUSED(vmem_count_resident(ptr, num_bytes, &num_resident));
    CHECK(num_resident == 99);
    if (num_failed > num_failed_before)
        printf("    for address 0x%lx and 0x%lx bytes\n", (unsigned long)(uintptr_t)ptr, (unsigned long)num_bytes);
}

static void test_null_and_zero_bytes_are_refused(void) {
    char* base = commit_pages(1);
    base[0] = 1;
    check_range_refused(NULL, 0);
    check_range_refused(NULL, 1);
    check_range_refused(NULL, SIZE_MAX);
    check_range_refused(base, 0);
    check_range_refused(base + 1, 0);
    CHECK(base[0] == 1);
    release_pages(base, 1);
}

static void test_ranges_that_overflow_are_refused(void) {
    char* base = commit_pages(1);
    size_t to_the_end = (size_t)(UINTPTR_MAX - (uintptr_t)base);
    base[0] = 1;
    check_range_refused(base, SIZE_MAX);
    check_range_refused(base, to_the_end + 2);
    check_range_refused(base, to_the_end + 1);
    check_range_refused(base, to_the_end);
    check_range_refused(base, to_the_end - pages(1) + 2);  // ends in the last page, so rounding it up overflows
    CHECK(base[0] == 1);
    release_pages(base, 1);
}

static void test_ranges_in_the_last_page_are_refused(void) {
    uintptr_t last_page = UINTPTR_MAX - pages(1) + 1;
    size_t i;
    const size_t sizes[] = {1, 2, pages(1) - 1, pages(1), pages(1) + 1, SIZE_MAX - pages(1) + 2, SIZE_MAX};
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_range_refused((char*)last_page, sizes[i]);
        check_range_refused((char*)(last_page + 1), sizes[i]);
        check_range_refused((char*)UINTPTR_MAX, sizes[i]);
    }
}

static void test_release_requires_the_start_of_a_page(void) {
    char* base = commit_pages(2);
    base[0] = 1;
    CHECK_REFUSED(vmem_release(base + 1, pages(2)));
    CHECK_REFUSED(vmem_release(base + pages(1) - 1, 1));
    CHECK(base[0] == 1);
    release_pages(base, 2);
}

static void test_reserve_refuses_invalid_sizes(void) {
    CHECK_NO_ADDRESSES(vmem_reserve(0), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve(SIZE_MAX), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve(SIZE_MAX - pages(1) + 2), UNTOUCHED);
}

static void test_reserve_aligned_refuses_invalid_arguments(void) {
    const size_t half = SIZE_MAX / 2 + 1;
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(pages(1), 0), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(pages(1), 3), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(pages(1), pages(3)), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(pages(1), SIZE_MAX), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(0, pages(1)), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(0, half), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(SIZE_MAX, pages(1)), UNTOUCHED);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(half, half), UNTOUCHED);
}

static void check_aligned_reservation(size_t num_bytes, size_t align) {
    char* base = (char*)vmem_reserve_aligned(num_bytes, align);
    CHECK(base != NULL);
    if (!base) return;
    CHECK((uintptr_t)base % align == 0);
    CHECK(vmem_is_aligned((uintptr_t)base, vmem_get_allocation_granularity()));
    CHECK(vmem_commit(base, num_bytes) == VMEM_SUCCESS);
    base[0] = 1;
    base[num_bytes - 1] = 2;
    CHECK(base[0] == 1 && base[num_bytes - 1] == 2);
    CHECK(vmem_release(base, num_bytes) == VMEM_SUCCESS);
}

static void test_reserve_aligned(void) {
    check_aligned_reservation(pages(3), 1);
    check_aligned_reservation(pages(3), 64);
    check_aligned_reservation(pages(3), pages(1));
    check_aligned_reservation(pages(3), (size_t)64 << 10);
    check_aligned_reservation(pages(3) + 1, (size_t)2 << 20);
    check_aligned_reservation((size_t)3 << 20, (size_t)2 << 20);
#if HAS_64_BITS
    check_aligned_reservation(2, (size_t)1 << 30);
    check_aligned_reservation(pages(3), (size_t)1 << 30);
    check_aligned_reservation(pages(3), (size_t)1 << 32);
#endif
}

static void test_count_resident(void) {
    char* base = commit_pages(8);
    size_t num_resident;
    if (vmem_count_resident(base, 1, &num_resident) != VMEM_ERROR_UNSUPPORTED) {
        CHECK(count_resident(base, pages(8)) == 0);
        base[0] = 1;
        CHECK(count_resident(base, 1) == pages(1));
        fill_pages(base, 8, 1);
        CHECK(count_resident(base, pages(8)) == pages(8));
        CHECK(count_resident(base + 1, 1) == pages(1));
        CHECK(count_resident(base + pages(2) - 1, 2) == pages(2));
        CHECK(vmem_decommit(base + pages(1), pages(7)) == VMEM_SUCCESS);
        CHECK(count_resident(base, pages(8)) == pages(1));
        CHECK(vmem_commit(base + pages(1), pages(7)) == VMEM_SUCCESS);
        CHECK(count_resident(base, pages(8)) == pages(1));
    }
    CHECK_REFUSED(vmem_count_resident(base, pages(8), NULL));
    release_pages(base, 8);
}

// The header asks the system for some thousand pages at a time, and must add up the answers.
static void test_count_resident_of_many_pages(void) {
    const size_t half = 3000;
    char* base = commit_pages(2 * half);
    size_t all;
    base[0] = 1;
    fill_pages(base + pages(2 * half - 2), 2, 1);
    if (vmem_count_resident(base, pages(2 * half), &all) == VMEM_SUCCESS) {
        size_t low = count_resident(base, pages(half)), high = count_resident(base + pages(half), pages(half));
        CHECK(low >= pages(1));  // more than 1 where the system uses huge pages
        CHECK(high >= pages(2));
        CHECK(all == low + high);
    }
    release_pages(base, 2 * half);
}

static void test_align_functions_against_their_definition(void) {
    const size_t top_bit = SIZE_MAX / 2 + 1;
    uintptr_t address;
    size_t align;
    for (align = 1; align <= 512; align *= 2) {
        bool forward = true, backward = true, aligned = true;
        for (address = 0; address <= 2048; address++) {
            uintptr_t below = address / align * align;
            uintptr_t above = (address + align - 1) / align * align;
            forward = forward && vmem_align_forward(address, align) == above;
            backward = backward && vmem_align_backward(address, align) == below;
            aligned = aligned && vmem_is_aligned(address, align) == (address % align == 0);
        }
        CHECK(forward);
        CHECK(backward);
        CHECK(aligned);
    }
    CHECK(vmem_align_forward(1, top_bit) == top_bit);
    CHECK(vmem_align_forward(top_bit, top_bit) == top_bit);
    CHECK(vmem_align_backward(UINTPTR_MAX, top_bit) == top_bit);
    CHECK(vmem_align_backward(top_bit - 1, top_bit) == 0);
    CHECK(vmem_is_aligned(top_bit, top_bit));
    CHECK(!vmem_is_aligned(top_bit + 1, top_bit));
}

static void test_align_functions_at_the_end_of_the_addresses(void) {
    CHECK(vmem_align_forward(UINTPTR_MAX, 1) == UINTPTR_MAX);
    CHECK(vmem_align_forward(UINTPTR_MAX, 2) == 0);
    CHECK(vmem_align_forward(UINTPTR_MAX, 4096) == 0);
    CHECK(vmem_align_forward(UINTPTR_MAX - 4095, 4096) == UINTPTR_MAX - 4095);
    CHECK(vmem_align_forward(UINTPTR_MAX - 4094, 4096) == 0);
    CHECK(vmem_align_forward(SIZE_MAX / 2 + 2, SIZE_MAX / 2 + 1) == 0);
    CHECK(vmem_align_backward(UINTPTR_MAX, 1) == UINTPTR_MAX);
    CHECK(vmem_align_backward(UINTPTR_MAX, 4096) == UINTPTR_MAX - 4095);
    CHECK(!vmem_is_aligned(UINTPTR_MAX, 2));
}

static void test_align_functions_beyond_32_bits(void) {
#if HAS_64_BITS
    const uintptr_t two_31 = (uintptr_t)1 << 31, two_32 = (uintptr_t)1 << 32, two_40 = (uintptr_t)1 << 40;
    CHECK(vmem_align_forward(two_31 + 1, two_31) == two_32);
    CHECK(vmem_align_forward(two_40 + 1, 4096) == two_40 + 4096);
    CHECK(vmem_align_forward(two_40 + 1, two_32) == two_40 + two_32);
    CHECK(vmem_align_forward(1, two_40) == two_40);
    CHECK(vmem_align_backward(two_40 + 4097, 4096) == two_40 + 4096);
    CHECK(vmem_align_backward(two_40 + two_32 + 1, two_32) == two_40 + two_32);
    CHECK(vmem_align_backward(two_32 - 1, two_32) == 0);
    CHECK(vmem_is_aligned(two_40, two_32));
    CHECK(!vmem_is_aligned(two_32, two_40));
    CHECK(!vmem_is_aligned(two_40 + two_31, two_32));
#endif
}

static void test_result_messages(void) {
#define AS_ELEMENT(name, value, message) name,
    static const VmemResult results[] = {VMEM_RESULTS(AS_ELEMENT)};
#undef AS_ELEMENT
    const size_t num_results = sizeof results / sizeof results[0];
    const char* of_invalid = vmem_result_message((VmemResult)99);
    size_t i, j;
    REQUIRE(of_invalid != NULL);
    for (i = 0; i < num_results; i++) {
        const char* message = vmem_result_message(results[i]);
        REQUIRE(message != NULL);
        CHECK(strlen(message) > 0 && message[strlen(message) - 1] != '.');
        CHECK(strcmp(message, of_invalid) != 0);
        for (j = 0; j < i; j++) CHECK(strcmp(message, vmem_result_message(results[j])) != 0);
    }
    CHECK(VMEM_SUCCESS == 0);
}

static void test_memory_info(void) {
    VmemMemoryInfo info;
    CHECK_REFUSED(vmem_get_memory_info(NULL));
    memset(&info, 0xff, sizeof info);
    errno = UNTOUCHED;
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(errno == UNTOUCHED);
    CHECK(info.available <= info.total);
    CHECK(info.total < (uint64_t)1 << 56);
#if defined(__linux__) || defined(_WIN32)
    CHECK(info.available > 0);
#endif
}

static void test_limits(void) {
    VmemLimits limits;
    CHECK_REFUSED(vmem_get_limits(NULL));
    memset(&limits, 0, sizeof limits);
    errno = UNTOUCHED;
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    CHECK(errno == UNTOUCHED);
    CHECK(limits.address_space_used <= limits.address_space_limit);
    CHECK(limits.data_used <= limits.data_limit);
    CHECK(limits.commit_used <= limits.commit_limit);
    CHECK(limits.largest_commit > 0);
    CHECK(limits.mapping_used <= limits.mapping_limit);
    CHECK(limits.lock_limit > 0 || limits.lock_used == 0);  // the superuser may exceed the limit
}

static void test_protect_refuses_invalid_protections(void) {
    const int wrong[] = {6, 7, -1};
    char* base = commit_pages(1);
    size_t i;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_REFUSED(vmem_protect(base, pages(1), (VmemProtection)wrong[i]));
        base[0] = 1;
    }
    release_pages(base, 1);
}

static void test_protecting_keeps_contents(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_protect(base + pages(2) - 1, 2, VMEM_READ) == VMEM_SUCCESS);
    CHECK(pages_are(base, 4, 1));
    fill_pages(base, 1, 2);
    fill_pages(base + pages(3), 1, 2);
    CHECK(vmem_protect(base + pages(1), pages(2), VMEM_NO_ACCESS) == VMEM_SUCCESS);
    CHECK(vmem_protect(base, pages(4), VMEM_READ_WRITE) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 2));
    CHECK(pages_are(base + pages(1), 2, 1));
    CHECK(pages_are(base + pages(3), 1, 2));
    fill_pages(base, 4, 3);
    CHECK(pages_are(base, 4, 3));
    release_pages(base, 4);
}

static void test_discarded_pages_read_zero_and_stay_committed(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_discard(base + pages(2) - 1, 2) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(1), 2, 0));
    CHECK(pages_are(base + pages(3), 1, 1));
    fill_pages(base + pages(1), 2, 2);
    CHECK(pages_are(base + pages(1), 2, 2));
    CHECK(vmem_discard(base + pages(1), pages(1)) == VMEM_SUCCESS);
    CHECK(vmem_discard(base + pages(1), pages(1)) == VMEM_SUCCESS);
    CHECK(pages_are(base + pages(1), 1, 0));
    CHECK(pages_are(base + pages(2), 1, 2));
    release_pages(base, 4);
}

static void test_prefault_changes_no_contents(void) {
    char* base = commit_pages(4);
    size_t num_resident;
    fill_pages(base + pages(1), 1, 1);
    errno = UNTOUCHED;
    CHECK(vmem_prefault(base + pages(1) + 1, pages(1)) == VMEM_SUCCESS);  // two pages
    CHECK(errno == UNTOUCHED);
    if (vmem_count_resident(base, 1, &num_resident) == VMEM_SUCCESS) {
        CHECK(count_resident(base, pages(1)) == 0);
        CHECK(count_resident(base + pages(1), pages(2)) == pages(2));
        CHECK(count_resident(base + pages(3), pages(1)) == 0);
    }
    CHECK(vmem_prefault(base, pages(4)) == VMEM_SUCCESS);
    CHECK(vmem_prefault(base, pages(4)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 0));
    CHECK(pages_are(base + pages(1), 1, 1));
    CHECK(pages_are(base + pages(2), 2, 0));
    release_pages(base, 4);
}

static void test_locking_changes_no_contents(void) {
    char* base = commit_pages(4);
    fill_pages(base, 2, 1);
    CHECK(vmem_unlock(base, pages(4)) == VMEM_SUCCESS);  // unlocking pages that are not locked succeeds
    CHECK(vmem_lock(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 2, 1));
    CHECK(pages_are(base + pages(2), 2, 0));
    fill_pages(base + pages(1), 2, 2);
    CHECK(vmem_unlock(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(vmem_unlock(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(1), 2, 2));
    release_pages(base, 4);
}

static void test_discarding_locked_pages(void) {
    char* base = commit_pages(2);
    VmemResult result;
    fill_pages(base, 2, 1);
    CHECK(vmem_lock(base, pages(1)) == VMEM_SUCCESS);
    result = vmem_discard(base, pages(1));
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_INVALID_ARGUMENT);  // INVALID_ARGUMENT before Linux 5.18
    CHECK(pages_are(base, 1, result == VMEM_SUCCESS ? 0 : 1));
    CHECK(pages_are(base + pages(1), 1, 1));
    release_pages(base, 2);
}

static void test_huge_page_advice_keeps_contents(void) {
    char* base = commit_pages(4);
    VmemResult result = vmem_advise_huge_pages(base + pages(1) + 1, pages(1));
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_UNSUPPORTED);
    CHECK(pages_are(base, 4, 0));
    fill_pages(base, 4, 1);
    CHECK(vmem_advise_huge_pages(base, pages(4)) == result);
    CHECK(pages_are(base, 4, 1));
    CHECK(vmem_decommit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(vmem_advise_huge_pages(base, pages(4)) == result);  // for reserved pages too
    release_pages(base, 4);
}

// Tries every byte in the middle of a name.
static void check_characters_of_names(char* base, VmemResult of_valid_names) {
    int character;
    for (character = 1; character < 256; character++) {
        char name[] = "a?z";
        bool is_valid = character >= ' ' && character <= '~' && strchr("[]\\$`", character) == NULL;
        VmemResult result;
        name[1] = (char)character;
        errno = UNTOUCHED;
        result = vmem_set_name(base, pages(1), name);
        CHECK(result == (is_valid ? of_valid_names : VMEM_ERROR_INVALID_ARGUMENT));
        CHECK(is_valid || errno == UNTOUCHED);
    }
}

static void test_names(void) {
    char* base = commit_pages(2);
    char name[81];
    VmemResult result = vmem_set_name(base, pages(1), "a name");
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_UNSUPPORTED);
    CHECK(vmem_set_name(base, pages(1), NULL) == result);
    CHECK(vmem_set_name(base, pages(1), NULL) == result);
    memset(name, 'n', 80);
    name[80] = 0;
    CHECK_REFUSED(vmem_set_name(base, pages(1), name));
    name[79] = 0;
    CHECK(vmem_set_name(base, pages(1), name) == result);
    CHECK(vmem_set_name(base, pages(1), "") == result);
    check_characters_of_names(base, result);
    fill_pages(base, 2, 1);
    CHECK(vmem_decommit(base, pages(1)) == VMEM_SUCCESS);
    CHECK(vmem_set_name(base, pages(1), "reserved") == result);
    CHECK(pages_are(base + pages(1), 1, 1));
    release_pages(base, 2);
}

// Whether vmem_query() reports exactly the pages [start, start + count), in this state.
static bool range_is(const char* asked, const char* start, size_t count, VmemState state, VmemProtection protection) {
    VmemRange range;
    memset(&range, 0xff, sizeof range);
    errno = UNTOUCHED;
    if (vmem_query(asked, &range) != VMEM_SUCCESS || errno != UNTOUCHED) return false;
    return range.base == start && range.size == pages(count) && range.state == state && range.protection == protection;
}

// Whether vmem_query() reports a run of whole pages in this state that holds `asked`.
static bool page_is(const char* asked, VmemState state, VmemProtection protection) {
    VmemRange range;
    size_t before;
    if (vmem_query(asked, &range) != VMEM_SUCCESS) return false;
    before = (size_t)((uintptr_t)asked - (uintptr_t)range.base);
    return (uintptr_t)range.base <= (uintptr_t)asked && before < range.size && range.size % pages(1) == 0 &&
           vmem_is_aligned((uintptr_t)range.base, pages(1)) && range.state == state && range.protection == protection;
}

static void check_query(void) {
    char* base = reserve_pages(8);
    CHECK(page_is(base + pages(4), VMEM_RESERVED, VMEM_NO_ACCESS));
    CHECK(vmem_commit(base + pages(1), pages(5)) == VMEM_SUCCESS);
    CHECK(vmem_protect(base + pages(3), pages(2), VMEM_READ) == VMEM_SUCCESS);
    CHECK(page_is(base, VMEM_RESERVED, VMEM_NO_ACCESS));
    CHECK(page_is(base + pages(1) - 1, VMEM_RESERVED, VMEM_NO_ACCESS));
    CHECK(range_is(base + pages(1), base + pages(1), 2, VMEM_COMMITTED, VMEM_READ_WRITE));
    CHECK(range_is(base + pages(3) - 1, base + pages(1), 2, VMEM_COMMITTED, VMEM_READ_WRITE));
    CHECK(range_is(base + pages(3), base + pages(3), 2, VMEM_COMMITTED, VMEM_READ));
    CHECK(range_is(base + pages(5) - 1, base + pages(3), 2, VMEM_COMMITTED, VMEM_READ));
    CHECK(range_is(base + pages(5), base + pages(5), 1, VMEM_COMMITTED, VMEM_READ_WRITE));
    CHECK(page_is(base + pages(6), VMEM_RESERVED, VMEM_NO_ACCESS));
    CHECK(vmem_discard(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(range_is(base + pages(2), base + pages(1), 2, VMEM_COMMITTED, VMEM_READ_WRITE));
    CHECK(vmem_decommit(base + pages(1), pages(1)) == VMEM_SUCCESS);
    CHECK(page_is(base + pages(1), VMEM_RESERVED, VMEM_NO_ACCESS));
    CHECK(range_is(base + pages(2), base + pages(2), 1, VMEM_COMMITTED, VMEM_READ_WRITE));
    release_pages(base, 8);
    CHECK(page_is(base, VMEM_FREE, VMEM_NO_ACCESS));
    CHECK(page_is(base + pages(8) - 1, VMEM_FREE, VMEM_NO_ACCESS));
}

static void test_query(void) {
    VmemRange range = {NULL, 0, VMEM_FREE, VMEM_NO_ACCESS};
    CHECK_REFUSED(vmem_query(&range, NULL));
    CHECK_REFUSED(vmem_query(NULL, NULL));
    if (vmem_query(&range, &range) != VMEM_ERROR_UNSUPPORTED) check_query();
}

// A function is unsupported if, and only if, its capability is missing.
static void test_capabilities(void) {
    char* base = commit_pages(1);
    VmemCapabilities capabilities;
    VmemMemoryInfo info;
    VmemLimits limits;
    VmemRange range;
    size_t num_resident;
    errno = UNTOUCHED;
    capabilities = vmem_get_capabilities();
    CHECK(errno == UNTOUCHED);
    CHECK(capabilities.system != NULL && strlen(capabilities.system) > 0);
    CHECK(capabilities.can_reserve);
    CHECK(capabilities.can_count_resident == (vmem_count_resident(base, 1, &num_resident) != VMEM_ERROR_UNSUPPORTED));
    CHECK(capabilities.can_query == (vmem_query(base, &range) != VMEM_ERROR_UNSUPPORTED));
    CHECK(capabilities.can_advise_huge_pages || vmem_advise_huge_pages(base, 1) == VMEM_ERROR_UNSUPPORTED);
    CHECK(capabilities.can_advise_huge_pages || vmem_get_huge_page_size() == 0);
    CHECK(vmem_get_huge_page_size() == 0 || vmem_advise_huge_pages(base, 1) == VMEM_SUCCESS);
    CHECK(capabilities.can_set_name || vmem_set_name(base, 1, "name") == VMEM_ERROR_UNSUPPORTED);
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(capabilities.tells_available_memory == (info.available > 0));
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    CHECK(capabilities.tells_mapping_limit == (limits.mapping_limit != VMEM_UNLIMITED));
    release_pages(base, 1);
}

// Systems usually place reservations next to each other: some of these are adjacent to the one before.
static void test_calls_that_span_reservations(void) {
    enum { COUNT = 8 };
    char* bases[COUNT];
    size_t i;
    for (i = 0; i < COUNT; i++) bases[i] = reserve_pages(2);
    for (i = 1; i < COUNT && vmem_get_capabilities().calls_span_reservations; i++) {
        char* low = bases[i] < bases[i - 1] ? bases[i] : bases[i - 1];
        if (low + pages(2) != bases[i] && low + pages(2) != bases[i - 1]) continue;
        CHECK(vmem_commit(low, pages(4)) == VMEM_SUCCESS);
        fill_pages(low, 4, 1);
        CHECK(vmem_protect(low + pages(1), pages(2), VMEM_READ) == VMEM_SUCCESS);
        CHECK(vmem_protect(low + pages(1), pages(2), VMEM_READ_WRITE) == VMEM_SUCCESS);
        CHECK(vmem_discard(low + pages(1), pages(2)) == VMEM_SUCCESS);
        CHECK(vmem_prefault(low + pages(1), pages(2)) == VMEM_SUCCESS);
        CHECK(pages_are(low, 1, 1) && pages_are(low + pages(1), 2, 0) && pages_are(low + pages(3), 1, 1));
        CHECK(vmem_decommit(low, pages(4)) == VMEM_SUCCESS);
    }
    for (i = 0; i < COUNT; i++) release_pages(bases[i], 2);
}

// Compiled with warnings as errors: ignoring a result must not be one.
static void test_results_may_be_ignored(void) {
    char* base = reserve_pages(1);
    size_t num_resident = 0;
    VmemLimits limits;
    VmemMemoryInfo info;
    VmemRange range;
    vmem_commit(base, 1);
    vmem_protect(base, 1, VMEM_READ_WRITE);
    vmem_prefault(base, 1);
    vmem_lock(base, 1);
    vmem_unlock(base, 1);
    vmem_discard(base, 1);
    vmem_advise_huge_pages(base, 1);
    vmem_set_name(base, 1, "name");
    vmem_query(base, &range);
    vmem_count_resident(base, 1, &num_resident);
    vmem_decommit(base, 1);
    vmem_get_limits(&limits);
    vmem_get_memory_info(&info);
    vmem_release(base, pages(1));
}

// A linear congruential generator: the same numbers on every system.
static size_t random_below(uint32_t* state, size_t limit) {
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % limit;
}

enum { MODEL_PAGES = 32 };

// The expected contents of a reservation: the byte in each page, or -1 if the page is not committed.
typedef struct Model {
    char* base;
    int bytes[MODEL_PAGES];
} Model;

static bool is_committed(const Model* model, size_t first, size_t last) {
    while (first <= last && model->bytes[first] >= 0) first++;
    return first > last;
}

// Applies an operation to `num_bytes` bytes from `offset` on, in the reservation and in the model.
static void change(Model* model, int operation, size_t offset, size_t num_bytes, int byte) {
    size_t first = offset / pages(1), last = (offset + num_bytes - 1) / pages(1), i;
    bool was_committed = is_committed(model, first, last);
    if (operation == 0) CHECK(vmem_commit(model->base + offset, num_bytes) == VMEM_SUCCESS);
    if (operation == 1) CHECK(vmem_decommit(model->base + offset, num_bytes) == VMEM_SUCCESS);
    if (operation == 2 && was_committed) CHECK(vmem_discard(model->base + offset, num_bytes) == VMEM_SUCCESS);
    for (i = first; i <= last; i++) {
        if (operation == 0 && model->bytes[i] < 0) model->bytes[i] = 0;
        if (operation == 1) model->bytes[i] = -1;
        if (operation == 2 && was_committed) model->bytes[i] = 0;
        if (operation == 3 && model->bytes[i] >= 0)
            fill_pages(model->base + pages(i), 1, (char)(model->bytes[i] = byte));
    }
}

static void check_model(const Model* model) {
    size_t i;
    for (i = 0; i < MODEL_PAGES; i++) {
        const char* page = model->base + pages(i);
        bool committed = model->bytes[i] >= 0;
        if (vmem_get_capabilities().can_query)
            CHECK(page_is(page, committed ? VMEM_COMMITTED : VMEM_RESERVED,
                          committed ? VMEM_READ_WRITE : VMEM_NO_ACCESS));
        if (committed) CHECK(page[0] == model->bytes[i] && page[pages(1) - 1] == model->bytes[i]);
    }
}

static void test_random_operations(void) {
    Model model;
    uint32_t state = 1;
    size_t i;
    model.base = reserve_pages(MODEL_PAGES);
    for (i = 0; i < MODEL_PAGES; i++) model.bytes[i] = -1;
    for (i = 0; i < 2000; i++) {
        size_t offset = random_below(&state, pages(MODEL_PAGES)), remaining = pages(MODEL_PAGES) - offset;
        size_t num_bytes = 1 + random_below(&state, remaining < pages(4) ? remaining : pages(4));
        change(&model, (int)random_below(&state, 4), offset, num_bytes, (int)random_below(&state, 100));
        if (i % 20 == 0) check_model(&model);
    }
    check_model(&model);
    release_pages(model.base, MODEL_PAGES);
}

static void test_two_files_share_one_implementation(void) {
    char* base = (char*)second_user_reserve_and_commit(pages(2));
    REQUIRE(base != NULL);
    fill_pages(base, 2, 1);
    CHECK(vmem_decommit(base, pages(2)) == VMEM_SUCCESS);
    release_pages(base, 2);
}

static void test_everywhere(void) {
    test_page_size_and_granularity();
    test_huge_page_size();
    test_round_trip();
    test_fresh_pages_read_zero();
    test_recommitted_pages_read_zero();
    test_committing_again_keeps_contents();
    test_decommitting_what_is_not_committed();
    test_one_byte_is_one_page();
    test_decommit_drops_every_page_that_holds_a_byte();
    test_decommit_keeps_the_other_pages();
    test_reservations_do_not_overlap();
    test_reserving_64_gib();
    test_null_and_zero_bytes_are_refused();
    test_ranges_that_overflow_are_refused();
    test_ranges_in_the_last_page_are_refused();
    test_release_requires_the_start_of_a_page();
    test_reserve_refuses_invalid_sizes();
    test_reserve_aligned_refuses_invalid_arguments();
    test_reserve_aligned();
    test_count_resident();
    test_count_resident_of_many_pages();
    test_align_functions_against_their_definition();
    test_align_functions_at_the_end_of_the_addresses();
    test_align_functions_beyond_32_bits();
    test_result_messages();
    test_memory_info();
    test_limits();
    test_protect_refuses_invalid_protections();
    test_protecting_keeps_contents();
    test_discarded_pages_read_zero_and_stay_committed();
    test_prefault_changes_no_contents();
    test_locking_changes_no_contents();
    test_discarding_locked_pages();
    test_huge_page_advice_keeps_contents();
    test_names();
    test_query();
    test_capabilities();
    test_calls_that_span_reservations();
    test_results_may_be_ignored();
    test_random_operations();
    test_two_files_share_one_implementation();
}

// >>posix -------------------------------------------------------------------------------------------------------------

#if HAS_POSIX

static void read_byte(char* ptr) { (void)*(volatile char*)ptr; }

static void write_byte(char* ptr) { *(volatile char*)ptr = 1; }

// Whether the pages at `base` can be accessed where `map` has a '1', and accesses fault where it has a '0'.
static bool usable_pages_are(char* base, const char* map) {
    size_t i;
    for (i = 0; map[i]; i++) {
        bool (*ends_as_expected)(ChildBody, char*) = map[i] == '1' ? succeeds_in_child : faults_in_child;
        if (!ends_as_expected(read_byte, base + pages(i))) return false;
        if (!ends_as_expected(write_byte, base + pages(i + 1) - 1)) return false;
    }
    return true;
}

static void test_reserved_memory_is_a_fault(void) {
    char* base = reserve_pages(2);
    CHECK(usable_pages_are(base, "00"));
    release_pages(base, 2);
}

static void test_aligned_reserved_memory_is_a_fault(void) {
    char* base = (char*)vmem_reserve_aligned(pages(2), (size_t)2 << 20);
    REQUIRE(base != NULL);
    CHECK(usable_pages_are(base, "00"));
    release_pages(base, 2);
}

static void test_committed_memory_is_usable(void) {
    char* base = commit_pages(2);
    CHECK(usable_pages_are(base, "11"));
    release_pages(base, 2);
}

static void test_decommitted_memory_is_a_fault(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_decommit(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, "1001"));
    release_pages(base, 4);
}

static void test_released_memory_is_a_fault(void) {
    char* base = commit_pages(2);
    fill_pages(base, 2, 1);
    release_pages(base, 2);
    CHECK(usable_pages_are(base, "00"));
}

// Released with the size that was given to reserve, which is not a multiple of the page size.
static void test_release_covers_the_last_page(void) {
    char* base = (char*)vmem_reserve(pages(1) + 1);
    REQUIRE(base != NULL);
    CHECK(vmem_commit(base, pages(1) + 1) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, "11"));
    CHECK(vmem_release(base, pages(1) + 1) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, "00"));
}

static void check_committed_pages(size_t offset, size_t num_bytes, const char* map) {
    char* base = reserve_pages(4);
    CHECK(vmem_commit(base + offset, num_bytes) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, map));
    release_pages(base, 4);
}

static void test_commit_covers_every_page_that_holds_a_byte(void) {
    check_committed_pages(pages(1), 1, "0100");
    check_committed_pages(pages(2) - 1, 1, "0100");
    check_committed_pages(pages(1), pages(1), "0100");
    check_committed_pages(pages(2) - 1, 2, "0110");
    check_committed_pages(pages(1) + 1, pages(1), "0110");
    check_committed_pages(pages(1) - 1, pages(2) + 2, "1111");
}

static void check_decommitted_pages(size_t offset, size_t num_bytes, const char* map) {
    char* base = commit_pages(4);
    CHECK(vmem_decommit(base + offset, num_bytes) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, map));
    release_pages(base, 4);
}

static void test_decommit_covers_every_page_that_holds_a_byte(void) {
    check_decommitted_pages(pages(1), 1, "1011");
    check_decommitted_pages(pages(2) - 1, 1, "1011");
    check_decommitted_pages(pages(1), pages(1), "1011");
    check_decommitted_pages(pages(2) - 1, 2, "1001");
    check_decommitted_pages(pages(1) + 1, pages(1), "1001");
    check_decommitted_pages(pages(1) - 1, pages(2) + 2, "0000");
}

static void test_sizes_beyond_the_address_space(void) {
    CHECK_NO_ADDRESSES(vmem_reserve(SIZE_MAX - pages(2)), ENOMEM);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(SIZE_MAX - pages(4), pages(2)), ENOMEM);
#if HAS_64_BITS  // a 32-bit process can have more than half of the addresses
    CHECK_NO_ADDRESSES(vmem_reserve(SIZE_MAX / 2 + 1), ENOMEM);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(SIZE_MAX / 2 + 1, pages(2)), ENOMEM);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(pages(1), SIZE_MAX / 2 + 1), ENOMEM);
#endif
}

static void use_inherited_pages(char* base) {
    CHECK(pages_are(base, 1, 1));
    fill_pages(base, 1, 2);
    CHECK(vmem_commit(base + pages(1), pages(1)) == VMEM_SUCCESS);
    CHECK(pages_are(base + pages(1), 1, 0));
    CHECK(vmem_release(base, pages(2)) == VMEM_SUCCESS);
}

static void test_children_have_their_own_copy(void) {
    char* base = reserve_pages(2);
    CHECK(vmem_commit(base, pages(1)) == VMEM_SUCCESS);
    fill_pages(base, 1, 1);
    CHECK(succeeds_in_child(use_inherited_pages, base));
    CHECK(pages_are(base, 1, 1));
    CHECK(usable_pages_are(base, "10"));
    release_pages(base, 2);
}

static void test_read_only_pages(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_protect(base + pages(2) - 1, 2, VMEM_READ) == VMEM_SUCCESS);
    CHECK(succeeds_in_child(read_byte, base + pages(1)));
    CHECK(succeeds_in_child(read_byte, base + pages(3) - 1));
    CHECK(faults_in_child(write_byte, base + pages(1)));
    CHECK(faults_in_child(write_byte, base + pages(3) - 1));
    CHECK(succeeds_in_child(write_byte, base + pages(1) - 1));
    CHECK(succeeds_in_child(write_byte, base + pages(3)));
    release_pages(base, 4);
}

static void test_pages_without_access(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_protect(base + pages(1), pages(2), VMEM_NO_ACCESS) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, "1001"));
    CHECK(vmem_protect(base + pages(2), 1, VMEM_READ_WRITE) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, "1011"));
    CHECK(pages_are(base + pages(2), 2, 1));
    release_pages(base, 4);
}

static void test_discarded_memory_is_usable(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(vmem_discard(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(usable_pages_are(base, "1111"));
    release_pages(base, 4);
}

static void test_posix(void) {
    test_reserved_memory_is_a_fault();
    test_aligned_reserved_memory_is_a_fault();
    test_committed_memory_is_usable();
    test_decommitted_memory_is_a_fault();
    test_released_memory_is_a_fault();
    test_release_covers_the_last_page();
    test_commit_covers_every_page_that_holds_a_byte();
    test_decommit_covers_every_page_that_holds_a_byte();
    test_sizes_beyond_the_address_space();
    test_children_have_their_own_copy();
    test_read_only_pages();
    test_pages_without_access();
    test_discarded_memory_is_usable();
}

#else

static void test_posix(void) {}

#endif

// >>linux -------------------------------------------------------------------------------------------------------------
//
// What the kernel reports in /proc. None of the readers allocates, because that would change the numbers.

#if defined(__linux__)

// Reads until `text` is full or the file ends, and terminates it with a NUL.
static size_t read_file(const char* path, char* text, size_t size) {
    size_t length = 0;
    ssize_t count;
    int file = open(path, O_RDONLY);
    REQUIRE(file >= 0);
    while ((count = read(file, text + length, size - 1 - length)) > 0) length += (size_t)count;
    close(file);
    text[length] = 0;
    return length;
}

// The bytes in a line like "VmData:   1234 kB".
static uint64_t read_kib_field(const char* path, const char* key) {
    static char text[1 << 14];
    const char* line;
    read_file(path, text, sizeof text);
    line = strstr(text, key);
    REQUIRE(line != NULL);
    return (uint64_t)strtoull(line + strlen(key), NULL, 10) * 1024;
}

static uint64_t address_space(void) { return read_kib_field("/proc/self/status", "\nVmSize:"); }

static uint64_t private_writable(void) { return read_kib_field("/proc/self/status", "\nVmData:"); }

static uint64_t committed_by_all_processes(void) { return read_kib_field("/proc/meminfo", "\nCommitted_AS:"); }

// Without [vsyscall], which x86-64 lists although it is not a mapping of the process.
static size_t count_mappings(void) {
    static char text[1 << 18];
    size_t length = read_file("/proc/self/maps", text, sizeof text), count = 0, i;
    REQUIRE(length < sizeof text - 1);
    for (i = 0; i < length; i++) count += text[i] == '\n';
    return count - (strstr(text, "[vsyscall]") ? 1 : 0);
}

// Whether a line of smaps begins a mapping, as "7f00-7f01 rw-p ..." does. Then `holds_ptr` receives whether the mapping
// holds `ptr`.
static bool starts_mapping(const char* line, const char* ptr, bool* holds_ptr) {
    char* rest;
    uintptr_t start = (uintptr_t)strtoull(line, &rest, 16), end;
    if (rest == line || *rest != '-') return false;
    end = (uintptr_t)strtoull(rest + 1, NULL, 16);
    *holds_ptr = start <= (uintptr_t)ptr && (uintptr_t)ptr < end;
    return true;
}

// The line of smaps that begins with `key`, about the mapping that holds `ptr`. The next call overwrites it.
static const char* find_in_smaps(const char* ptr, const char* key) {
    static char text[1 << 20];
    char *line, *end;
    bool inside = false;
    read_file("/proc/self/smaps", text, sizeof text);
    for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        if (!starts_mapping(line, ptr, &inside) && inside && strncmp(line, key, strlen(key)) == 0) return line;
    }
    REQUIRE(inside && end != NULL);
    return "";
}

// Whether the mapping that holds `ptr` has a flag in smaps: a space and two letters.
static bool has_flag(const char* ptr, const char* flag) { return strstr(find_in_smaps(ptr, "VmFlags:"), flag) != NULL; }

static bool is_charged(const char* ptr) { return has_flag(ptr, " ac"); }

// The line of /proc/self/maps about the mapping that holds `ptr`. The next call overwrites it.
static const char* find_mapping(const char* ptr) {
    static char text[1 << 18];
    char *line, *end;
    bool inside = false;
    read_file("/proc/self/maps", text, sizeof text);
    for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        if (starts_mapping(line, ptr, &inside) && inside) return line;
    }
    REQUIRE(inside);
    return "";
}

// Whether the mapping has exactly these permissions: "rwx", with '-' for those that are missing.
static bool has_permissions(const char* ptr, const char* permissions) {
    const char* line = strchr(find_mapping(ptr), ' ');
    REQUIRE(line != NULL);
    return strncmp(line + 1, permissions, 3) == 0;
}

static uint64_t locked(void) { return read_kib_field("/proc/self/status", "\nVmLck:"); }

// What is resident of the mapping that holds `ptr`. Unlike RssAnon, which the kernel counts per processor and sums up
// only now and then, this is exact.
static uint64_t resident(const char* ptr) {
    return (uint64_t)strtoull(find_in_smaps(ptr, "Rss:") + strlen("Rss:"), NULL, 10) * 1024;
}

// With AddressSanitizer mlock() and munlock() do nothing.
#if defined(__SANITIZE_ADDRESS__)
#define LOCKS_WORK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOCKS_WORK 0
#endif
#endif
#if !defined(LOCKS_WORK)
#define LOCKS_WORK 1
#endif

static void test_reserving_and_releasing_leaves_no_mappings(void) {
    size_t before = count_mappings(), i;
    uint64_t addresses_before = address_space();
    for (i = 1; i <= 1000; i++) {
        char* base = reserve_pages(i);
        CHECK(vmem_commit(base + pages(i / 2), 1) == VMEM_SUCCESS);
        release_pages(base, i);
    }
    CHECK(count_mappings() == before);
    CHECK(address_space() == addresses_before);
}

static void test_committing_and_decommitting_leaves_no_mappings(void) {
    const size_t count = 64;
    char *base = reserve_pages(count + 2), *inside = base + pages(1);
    size_t before = count_mappings(), i;
    for (i = 0; i < 1000; i++) {
        char* page = inside + pages(i * 7 % count);
        CHECK(vmem_commit(page, 1) == VMEM_SUCCESS);
        page[0] = 1;
        if (i % 2 == 1) CHECK(vmem_decommit(page, 1) == VMEM_SUCCESS);
    }
    for (i = 0; i < count; i++) CHECK(vmem_decommit(inside + pages(i), 1) == VMEM_SUCCESS);
    CHECK(count_mappings() == before);  // merged with the first and the last page too, which were never committed
    release_pages(base, count + 2);
}

static void test_reserving_takes_whole_pages_of_addresses(void) {
    uint64_t before = address_space();
    void* base = vmem_reserve(pages(5) + 1);
    REQUIRE(base != NULL);
    CHECK(address_space() == before + pages(6));
    CHECK(vmem_release(base, pages(5) + 1) == VMEM_SUCCESS);
    CHECK(address_space() == before);
}

static void check_aligned_reservation_takes(size_t num_bytes, size_t align, size_t expected) {
    uint64_t before = address_space();
    size_t mappings_before = count_mappings();
    void* base = vmem_reserve_aligned(num_bytes, align);
    REQUIRE(base != NULL);
    CHECK(address_space() == before + expected);
    CHECK(count_mappings() <= mappings_before + 1);
    CHECK(vmem_release(base, num_bytes) == VMEM_SUCCESS);
    CHECK(address_space() == before);
    CHECK(count_mappings() == mappings_before);
}

static void test_aligned_reservations_take_no_more_than_asked(void) {
    check_aligned_reservation_takes(pages(5), 1, pages(5));
    check_aligned_reservation_takes(pages(5), pages(2), pages(5));
    check_aligned_reservation_takes(pages(5), (size_t)2 << 20, pages(5));
    check_aligned_reservation_takes(pages(5) + 1, (size_t)2 << 20, pages(6));
#if HAS_64_BITS
    check_aligned_reservation_takes(pages(5), (size_t)1 << 30, pages(5));
    check_aligned_reservation_takes(pages(5), (size_t)1 << 32, pages(5));
#endif
}

// Other processes change Committed_AS too, so only one of several attempts has to show that it does not grow.
static void test_reserving_is_not_charged(void) {
#if HAS_64_BITS
    const size_t size = (size_t)64 << 30;
#else
    const size_t size = (size_t)1 << 30;
#endif
    uint64_t data_before = private_writable();
    bool grows = true;
    int i;
    for (i = 0; i < 20 && grows; i++) {
        uint64_t before = committed_by_all_processes();
        char* base = (char*)vmem_reserve(size);
        REQUIRE(base != NULL);
        grows = committed_by_all_processes() >= before + size / 2;
        CHECK(private_writable() == data_before);
        CHECK(!is_charged(base));
        CHECK(vmem_release(base, size) == VMEM_SUCCESS);
    }
    CHECK(!grows);
}

static void test_committing_is_charged_until_decommitted(void) {
    char* base = reserve_pages(64);
    uint64_t before = private_writable();
    CHECK(vmem_commit(base + pages(8), pages(32)) == VMEM_SUCCESS);
    CHECK(private_writable() == before + pages(32));
    CHECK(is_charged(base + pages(8)));
    CHECK(!is_charged(base));
    fill_pages(base + pages(8), 32, 1);
    CHECK(vmem_decommit(base + pages(8), pages(16)) == VMEM_SUCCESS);
    CHECK(private_writable() == before + pages(16));
    CHECK(!is_charged(base + pages(8)));
    CHECK(is_charged(base + pages(24)));
    CHECK(vmem_decommit(base, pages(64)) == VMEM_SUCCESS);
    CHECK(private_writable() == before);
    CHECK(!is_charged(base + pages(24)));
    release_pages(base, 64);
}

static VmemLimits get_limits(void) {
    VmemLimits limits;
    REQUIRE(vmem_get_limits(&limits) == VMEM_SUCCESS);
    return limits;
}

static void test_limits_report_what_is_in_use(void) {
    char* base = reserve_pages(64);
    VmemLimits before = get_limits(), after;
    CHECK(before.address_space_used == address_space());
    CHECK(before.data_used == private_writable());
    CHECK(before.mapping_used == count_mappings());
    CHECK(before.lock_used == locked());
    CHECK(before.commit_used > 0);
    CHECK(vmem_commit(base + pages(8), pages(16)) == VMEM_SUCCESS);
    after = get_limits();
    CHECK(after.address_space_used == before.address_space_used);
    CHECK(after.data_used == before.data_used + pages(16));
    CHECK(after.mapping_used == count_mappings());
    release_pages(base, 64);
}

static void test_memory_info_total(void) {
    VmemMemoryInfo info;
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(info.total > 0);
    CHECK(info.total <= read_kib_field("/proc/meminfo", "MemTotal:"));  // less in a control group, as in test_faults.c
}

// The next three set or reach a limit of their process, so each runs in a child process.

static void reach_the_address_space_limit(char* unused) {
    const size_t available = (size_t)1 << 20;
    struct rlimit limit = {0, 0};
    char* base;
    (void)unused;
    limit.rlim_cur = limit.rlim_max = (rlim_t)(address_space() + available);
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(get_limits().address_space_limit == limit.rlim_cur);
    CHECK_NO_ADDRESSES(vmem_reserve(2 * available), ENOMEM);
    CHECK_NO_ADDRESSES(vmem_reserve_aligned(pages(1), 2 * available), ENOMEM);
    base = reserve_pages(1);
    release_pages(base, 1);
}

static void test_address_space_limit(void) { CHECK(succeeds_in_child(reach_the_address_space_limit, NULL)); }

static void reach_the_data_limit(char* base) {
    struct rlimit limit = {0, 0};
    limit.rlim_cur = limit.rlim_max = (rlim_t)(private_writable() + pages(8));
    REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
    CHECK(get_limits().data_limit == limit.rlim_cur);
    errno = UNTOUCHED;
    CHECK(vmem_commit(base, pages(64)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(errno == ENOMEM);
    CHECK(pages_are(base, 1, 1));
    CHECK(vmem_commit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(1), 3, 0));
}

static void test_data_limit(void) {
    char* base = reserve_pages(64);
    CHECK(vmem_commit(base, 1) == VMEM_SUCCESS);
    fill_pages(base, 1, 1);
    CHECK(succeeds_in_child(reach_the_data_limit, base));
    release_pages(base, 64);
}

// Commits every second page, which needs two mappings each, until the mapping limit is reached.
static VmemResult use_up_the_mappings(char* base, size_t count) {
    VmemResult result = VMEM_SUCCESS;
    size_t i;
    for (i = 0; i < count && result == VMEM_SUCCESS; i++) result = vmem_commit(base + pages(2 * i + 1), 1);
    return result;
}

// One or two may still succeed. The one that fails was merged with the reservation above it when it was mapped, so that
// trimming it needs one mapping too many: all of it must be unmapped then.
static size_t reserve_aligned_until_refused(void) {
    size_t count = 0;
    while (count < 8 && vmem_reserve_aligned(pages(3), (size_t)1 << 20)) count++;
    CHECK(count < 8);
    return count;
}

static void reach_the_mapping_limit(char* unused) {
    size_t count = (size_t)get_limits().mapping_limit;
    char* base = reserve_pages(2 * count);
    uint64_t before = address_space();
    (void)unused;
    CHECK(vmem_commit(base + pages(1), 1) == VMEM_SUCCESS);
    fill_pages(base + pages(1), 1, 1);
    errno = UNTOUCHED;
    CHECK(use_up_the_mappings(base, count) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(errno == ENOMEM);
    CHECK(pages_are(base + pages(1), 1, 1));
    CHECK(IS_DEBUG || address_space() == before);  // the table of VMEM_DEBUG has grown
    before = address_space();
    errno = UNTOUCHED;
    before += pages(3 * reserve_aligned_until_refused());
    CHECK(errno == ENOMEM);
    CHECK(address_space() == before);
    CHECK(vmem_release(base, pages(2 * count)) == VMEM_SUCCESS);
    release_pages(commit_pages(2), 2);
}

static void test_mapping_limit(void) {
    if (get_limits().mapping_limit > 100000) return;  // too many to reach in reasonable time
    CHECK(succeeds_in_child(reach_the_mapping_limit, NULL));
}

static void test_protections_in_proc_maps(void) {
    static const struct {
        VmemProtection protection;
        const char* permissions;
    } expected[] = {{VMEM_NO_ACCESS, "---"},  {VMEM_READ, "r--"},         {VMEM_READ_WRITE, "rw-"},
                    {VMEM_EXECUTE, "--x"},    {VMEM_READ_EXECUTE, "r-x"}, {VMEM_READ_WRITE_EXECUTE, "rwx"},
                    {VMEM_READ_WRITE, "rw-"}, {VMEM_NO_ACCESS, "---"}};
    char* base = commit_pages(4);
    size_t i;
    for (i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        VmemProtection protection = expected[i].protection;
        CHECK(vmem_protect(base + pages(2) - 1, 2, protection) == VMEM_SUCCESS);
        CHECK(has_permissions(base, "rw-"));
        CHECK(has_permissions(base + pages(1), expected[i].permissions));
        CHECK(has_permissions(base + pages(2), expected[i].permissions));
        CHECK(has_permissions(base + pages(3), "rw-"));
        CHECK(page_is(base + pages(1), protection == VMEM_NO_ACCESS ? VMEM_RESERVED : VMEM_COMMITTED, protection));
    }
    release_pages(base, 4);
}

// The outer pages keep the mapping between them apart from what else the process has.
static void test_discarding_returns_memory(void) {
    const size_t count = 1024;
    char *base = reserve_pages(count + 2), *inside = base + pages(1);
    CHECK(vmem_commit(inside, pages(count)) == VMEM_SUCCESS);
    CHECK(resident(inside) == 0);
    fill_pages(inside, count, 1);
    CHECK(resident(inside) == pages(count));
    CHECK(vmem_discard(inside + pages(1), pages(count - 2)) == VMEM_SUCCESS);
    CHECK(resident(inside) == pages(2));
    CHECK(count_resident(inside, pages(count)) == pages(2));
    CHECK(has_permissions(inside + pages(1), "rw-"));
    CHECK(is_charged(inside + pages(1)));
    release_pages(base, count + 2);
}

static void test_prefaulting_takes_memory(void) {
    const size_t count = 1024;
    char *base = reserve_pages(count + 2), *inside = base + pages(1);
    CHECK(vmem_commit(inside, pages(count)) == VMEM_SUCCESS);
    CHECK(resident(inside) == 0);
    CHECK(vmem_prefault(inside, pages(count)) == VMEM_SUCCESS);
    CHECK(resident(inside) == pages(count));
    CHECK(count_resident(inside, pages(count)) == pages(count));
    release_pages(base, count + 2);
}

static void test_locks_in_proc_status(void) {
    char* base = commit_pages(4);
    uint64_t before = locked();
    if (!LOCKS_WORK) return;
    fill_pages(base, 1, 1);
    errno = UNTOUCHED;
    CHECK(vmem_lock(base + pages(2) - 1, 2) == VMEM_SUCCESS);
    CHECK(errno == UNTOUCHED);
    CHECK(locked() == before + pages(2));
    CHECK(get_limits().lock_used == locked());
    CHECK(has_flag(base + pages(1), " lo"));
    CHECK(!has_flag(base, " lo"));
    CHECK(count_resident(base, pages(4)) == pages(3));
    CHECK(vmem_lock(base + pages(1), pages(2)) == VMEM_SUCCESS);  // locks do not nest
    CHECK(locked() == before + pages(2));
    if (vmem_discard(base + pages(1), pages(1)) == VMEM_SUCCESS) {
        CHECK(pages_are(base + pages(1), 1, 0));
        CHECK(locked() == before + pages(vmem_get_capabilities().discard_unlocks ? 1 : 2));
    }
    CHECK(vmem_unlock(base + pages(1), 1) == VMEM_SUCCESS);
    CHECK(locked() == before + pages(1));
    CHECK(vmem_decommit(base, pages(4)) == VMEM_SUCCESS);
    CHECK(locked() == before);
    release_pages(base, 4);
}

static void reach_the_lock_limit(char* base) {
    struct rlimit limit = {0, 0};
    limit.rlim_cur = limit.rlim_max = (rlim_t)(locked() + pages(4));
    REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    CHECK(get_limits().lock_limit == limit.rlim_cur);
    if (geteuid() == 0) REQUIRE(setuid(65534) == 0);  // the limit does not apply to the superuser
    errno = UNTOUCHED;
    CHECK(vmem_lock(base, pages(5)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(errno == ENOMEM);
    CHECK(pages_are(base, 8, 1));
    CHECK(vmem_lock(base, pages(4)) == VMEM_SUCCESS);
    CHECK(vmem_lock(base + pages(4), 1) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(vmem_unlock(base, pages(1)) == VMEM_SUCCESS);
    CHECK(vmem_lock(base + pages(4), 1) == VMEM_SUCCESS);
    CHECK(pages_are(base, 8, 1));
}

// With a limit of 0, mlock() sets another errno.
static void reach_a_lock_limit_of_zero(char* base) {
    struct rlimit limit = {0, 0};
    REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (geteuid() == 0) REQUIRE(setuid(65534) == 0);
    errno = UNTOUCHED;
    CHECK(vmem_lock(base, pages(1)) == VMEM_ERROR_ACCESS_DENIED);
    CHECK(errno == EPERM);
    CHECK(pages_are(base, 8, 1));
}

static void test_lock_limit(void) {
    char* base = commit_pages(8);
    if (!LOCKS_WORK) return;
    fill_pages(base, 8, 1);
    CHECK(succeeds_in_child(reach_the_lock_limit, base));
    CHECK(succeeds_in_child(reach_a_lock_limit_of_zero, base));
    release_pages(base, 8);
}

static void test_huge_page_advice_in_smaps(void) {
    char* base = commit_pages(4);
    if (vmem_advise_huge_pages(base + pages(1), pages(2)) != VMEM_ERROR_UNSUPPORTED) {
        CHECK(has_flag(base + pages(1), " hg"));
        CHECK(!has_flag(base, " hg"));
        CHECK(!has_flag(base + pages(3), " hg"));
        CHECK(vmem_decommit(base + pages(1), pages(2)) == VMEM_SUCCESS);
        CHECK(!has_flag(base + pages(1), " hg"));
    }
    release_pages(base, 4);
}

// What is only reserved is left out of core dumps, at first and after it was committed. " dd" is "do not dump".
static void test_dump_advice_in_smaps(void) {
    char* base = reserve_pages(6);
    size_t before = count_mappings();
    CHECK(has_flag(base, " dd"));
    CHECK(vmem_commit(base + pages(1), pages(4)) == VMEM_SUCCESS);
    CHECK(has_flag(base, " dd") && !has_flag(base + pages(1), " dd") && has_flag(base + pages(5), " dd"));
    CHECK(vmem_decommit(base + pages(2), 1) == VMEM_SUCCESS);
    CHECK(!has_flag(base + pages(1), " dd") && has_flag(base + pages(2), " dd") && !has_flag(base + pages(3), " dd"));
    CHECK(vmem_protect(base + pages(1), 1, VMEM_NO_ACCESS) == VMEM_SUCCESS);
    CHECK(!has_flag(base + pages(1), " dd"));
    CHECK(vmem_advise_dump(base + pages(3), 1, false) == VMEM_SUCCESS);
    CHECK(has_flag(base + pages(3), " dd") && !has_flag(base + pages(4), " dd"));
    CHECK(vmem_advise_dump(base + pages(3), 1, true) == VMEM_SUCCESS);
    CHECK(!has_flag(base + pages(3), " dd"));
    CHECK(vmem_decommit(base, pages(6)) == VMEM_SUCCESS);
    CHECK(has_flag(base + pages(3), " dd"));
    CHECK(count_mappings() == before);
    release_pages(base, 6);
}

static void check_pages_of_child(char* base) {
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(1), 1, 0));
    CHECK(page_is(base + pages(2), VMEM_FREE, VMEM_NO_ACCESS));
    CHECK(pages_are(base + pages(3), 1, 1));
    CHECK(pages_are(base + pages(4), 1, 1));
}

static void touch_third_page(char* base) { base[pages(2)] = 1; }

static void test_fork_advice(void) {
    char* base = commit_pages(6);
    fill_pages(base, 6, 1);
    CHECK_KEEPS_ERRNO(vmem_advise_fork(base + pages(1), 1, VMEM_FORK_ZERO) == VMEM_SUCCESS);
    CHECK_KEEPS_ERRNO(vmem_advise_fork(base + pages(2), 1, VMEM_FORK_NONE) == VMEM_SUCCESS);
    CHECK(vmem_advise_fork(base + pages(3), 1, VMEM_FORK_ZERO) == VMEM_SUCCESS);
    CHECK_KEEPS_ERRNO(vmem_advise_fork(base + pages(3), 1, VMEM_FORK_COPY) == VMEM_SUCCESS);
    CHECK(vmem_advise_fork(base + pages(4), 1, VMEM_FORK_NONE) == VMEM_SUCCESS);
    CHECK(vmem_advise_fork(base + pages(4), 1, VMEM_FORK_COPY) == VMEM_SUCCESS);
    CHECK(succeeds_in_child(check_pages_of_child, base));
    CHECK(faults_in_child(touch_third_page, base));
    CHECK(pages_are(base, 6, 1));
    CHECK(vmem_advise_fork(base + pages(2), 1, VMEM_FORK_ZERO) == VMEM_SUCCESS);
    CHECK(!faults_in_child(touch_third_page, base));
    CHECK_REFUSED(vmem_advise_fork(base, 1, (VmemFork)3));
    CHECK_REFUSED(vmem_advise_fork(base, 1, (VmemFork)-1));
    release_pages(base, 6);
}

// Pages get physical memory when they are touched, and are locked then.
static void test_locking_on_fault(void) {
    char* base = commit_pages(4);
    size_t num_resident = 99;
    CHECK(vmem_get_capabilities().can_lock_on_fault);
    CHECK_KEEPS_ERRNO(vmem_lock_on_fault(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(has_flag(base + pages(1), " lo") && !has_flag(base, " lo") && !has_flag(base + pages(3), " lo"));
    CHECK(vmem_count_resident(base, pages(4), &num_resident) == VMEM_SUCCESS && num_resident == 0);
    base[pages(1)] = 1;
    CHECK(vmem_count_resident(base, pages(4), &num_resident) == VMEM_SUCCESS && num_resident == pages(1));
    if (LOCKS_WORK) {
        CHECK(vmem_unlock(base, pages(4)) == VMEM_SUCCESS);
        CHECK(!has_flag(base + pages(1), " lo"));
    }
    release_pages(base, 4);
}

static void test_names_in_proc_maps(void) {
    char* base = commit_pages(4);
    if (vmem_set_name(base + pages(2) - 1, 2, "one & two") == VMEM_SUCCESS) {
        CHECK(strstr(find_mapping(base + pages(1)), "[anon:one & two]") != NULL);
        CHECK(strstr(find_mapping(base + pages(2)), "[anon:one & two]") != NULL);
        CHECK(strstr(find_mapping(base), "[anon:one & two]") == NULL);
        CHECK(strstr(find_mapping(base + pages(3)), "[anon:one & two]") == NULL);
        CHECK(vmem_set_name(base + pages(1), 1, NULL) == VMEM_SUCCESS);
        CHECK(strstr(find_mapping(base + pages(1)), "[anon:one & two]") == NULL);
        CHECK(strstr(find_mapping(base + pages(2)), "[anon:one & two]") != NULL);
        CHECK(vmem_decommit(base + pages(2), 1) == VMEM_SUCCESS);
        CHECK(strstr(find_mapping(base + pages(2)), "[anon:one & two]") == NULL);
    }
    release_pages(base, 4);
}

static void test_query_of_other_mappings(void) {
    static const char constant[] = "constant";
    char variable = 0;
    VmemRange range;
    CHECK(page_is(&variable, VMEM_COMMITTED, VMEM_READ_WRITE));
    CHECK(page_is((const char*)&num_checks, VMEM_COMMITTED, VMEM_READ_WRITE));
    CHECK(page_is(constant, VMEM_COMMITTED, VMEM_READ));
    CHECK(page_is((const char*)(uintptr_t)test_query_of_other_mappings, VMEM_COMMITTED, VMEM_READ_EXECUTE));
    CHECK(page_is(NULL, VMEM_FREE, VMEM_NO_ACCESS));
    CHECK(vmem_query(NULL, &range) == VMEM_SUCCESS && range.base == NULL);
    CHECK(page_is((const char*)UINTPTR_MAX, VMEM_FREE, VMEM_NO_ACCESS));
    CHECK(range_is((const char*)UINTPTR_MAX, (const char*)(UINTPTR_MAX - pages(1) + 1), 1, VMEM_FREE, VMEM_NO_ACCESS));
}

static void test_query_of_an_unmapped_range(void) {
    char *base = commit_pages(8), *middle = base + pages(3);
    VmemRange range;
    CHECK(munmap(middle, pages(2)) == 0);
    CHECK(range_is(middle, middle, 2, VMEM_FREE, VMEM_NO_ACCESS));
    CHECK(range_is(middle + pages(1), middle + pages(1), 1, VMEM_FREE, VMEM_NO_ACCESS));  // up to the next mapping
    CHECK(vmem_query(middle - 1, &range) == VMEM_SUCCESS && (char*)range.base + range.size == middle);
    CHECK(range.state == VMEM_COMMITTED);
    CHECK(vmem_query(middle + pages(2), &range) == VMEM_SUCCESS && range.base == middle + pages(2));
    CHECK(munmap(base, pages(8)) == 0);
}

static void test_capabilities_of_linux(void) {
    VmemCapabilities capabilities = vmem_get_capabilities();
    char mode[16];
    read_file("/proc/sys/vm/overcommit_memory", mode, sizeof mode);
    CHECK(strcmp(capabilities.system, "Linux") == 0);
    CHECK(capabilities.commit_is_a_promise == (mode[0] == '2'));
    CHECK(capabilities.calls_span_reservations != IS_DEBUG);
    CHECK(!capabilities.discard_can_lose_commit && !capabilities.discard_unlocks);
    CHECK(capabilities.can_query && capabilities.can_count_resident);
}

// The kernel then refuses every new mapping, even in place of an old one.
static void decommit_above_the_address_space_limit(char* base) {
    struct rlimit limit = {0, 0};
    limit.rlim_cur = limit.rlim_max = (rlim_t)(address_space() - pages(1));
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    errno = UNTOUCHED;
    CHECK(vmem_decommit(base + pages(1), pages(2)) == VMEM_DECOMMIT_INCOMPLETE);
    CHECK(errno == ENOMEM);
    CHECK(count_resident(base, pages(4)) == pages(2));
    CHECK(page_is(base + pages(1), VMEM_RESERVED, VMEM_NO_ACCESS));
    CHECK(is_charged(base + pages(1)));  // this is why it is incomplete
    CHECK(usable_pages_are(base, "1001"));
    CHECK(pages_are(base, 1, 1));
    CHECK(pages_are(base + pages(3), 1, 1));
    CHECK(vmem_commit(base + pages(1), pages(2)) == VMEM_SUCCESS);
    CHECK(pages_are(base + pages(1), 2, 0));
    fill_pages(base, 4, 2);
    CHECK(vmem_release(base, pages(4)) == VMEM_SUCCESS);
}

static void test_decommit_above_the_address_space_limit(void) {
    char* base = commit_pages(4);
    fill_pages(base, 4, 1);
    CHECK(succeeds_in_child(decommit_above_the_address_space_limit, base));
    CHECK(pages_are(base, 4, 1));
    release_pages(base, 4);
}

// Reserving takes addresses, and a limit is reported as soon as it is set.
static void test_address_space(void) {
    const size_t size = (size_t)64 << 20;
    struct rlimit before, limit;
    VmemAddressSpace space, grown, limited;
    CHECK(vmem_get_address_space(&space) == VMEM_SUCCESS);
    char* base = (char*)vmem_reserve(size);
    REQUIRE(base != NULL);
    CHECK(vmem_get_address_space(&grown) == VMEM_SUCCESS);
    CHECK(grown.used >= space.used + size && grown.used < space.used + 2 * size);
    CHECK(grown.total == space.total && (uint64_t)(uintptr_t)base < space.total);
    REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
    limit = before;
    limit.rlim_cur = (rlim_t)(grown.used + size);
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(vmem_get_address_space(&limited) == VMEM_SUCCESS);
    CHECK(limited.limit == grown.used + size && limited.total == space.total);
    REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
    CHECK(vmem_release(base, size) == VMEM_SUCCESS);
}

static void test_linux(void) {
    test_reserving_and_releasing_leaves_no_mappings();
    test_committing_and_decommitting_leaves_no_mappings();
    test_reserving_takes_whole_pages_of_addresses();
    test_aligned_reservations_take_no_more_than_asked();
    test_reserving_is_not_charged();
    test_committing_is_charged_until_decommitted();
    test_limits_report_what_is_in_use();
    test_memory_info_total();
    test_address_space();
    test_address_space_limit();
    test_data_limit();
    test_mapping_limit();
    test_protections_in_proc_maps();
    test_discarding_returns_memory();
    test_prefaulting_takes_memory();
    test_locks_in_proc_status();
    test_lock_limit();
    test_huge_page_advice_in_smaps();
    test_dump_advice_in_smaps();
    test_fork_advice();
    test_locking_on_fault();
    test_names_in_proc_maps();
    test_query_of_other_mappings();
    test_query_of_an_unmapped_range();
    test_capabilities_of_linux();
    test_decommit_above_the_address_space_limit();
}

#else

static void test_linux(void) {}

#endif

// >>main --------------------------------------------------------------------------------------------------------------

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);  // children inherit no buffered output, and printing does not allocate
    test_everywhere();
    test_posix();
    test_linux();
    return report();
}
