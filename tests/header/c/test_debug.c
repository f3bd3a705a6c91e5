// Tests what VMEM_DEBUG refuses, and what it prints. Prints each check that fails, then "N checks, M failed".
//
// It is C99 and C++11. Search for >>checks, >>arguments, >>ranges, >>releases, >>objects, >>table, >>processes, >>main.

#include <stdbool.h>

static bool fails_to_map;  // where mapping and committing are two system calls
static void take_message(const char* message);
static bool system_call_fails(const char* call);

#define VMEM_FAIL(call) system_call_fails(call)
#define VMEM_DEBUG_PRINT(message) take_message(message)
#if !defined(VMEM_DEBUG)
#define VMEM_DEBUG
#endif
#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#if !defined(_WIN32)
#include "child.h"
#endif

// >>checks ------------------------------------------------------------------------------------------------------------

// An error code that no tested call sets.
#define UNTOUCHED 33

#if defined(_WIN32)
static void set_error_code(int code) { SetLastError((DWORD)code); }
static int get_error_code(void) { return (int)GetLastError(); }
#else
static void set_error_code(int code) { errno = code; }
static int get_error_code(void) { return errno; }
#endif

static char printed[VMEM__MESSAGE_SIZE];
static int num_printed;

static void take_message(const char* message) {
    CHECK(strlen(message) < sizeof printed);
    strcpy(printed, message);
    num_printed++;
    set_error_code(4);  // as printing may
}

static bool system_call_fails(const char* call) {
    if (!fails_to_map || strcmp(call, "mmap") != 0) return false;
    errno = ENOMEM;
    return true;
}

// Whether one message was printed since the last look, and is this one: %x is an address, %u a size, %s a text.
static bool says(const char* format, ...) {
    static char expected[VMEM__MESSAGE_SIZE];
    bool is_it;
    char* end = expected;
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%')
            *end++ = *format;
        else if (*++format == 's')
            end += sprintf(end, "%s", va_arg(arguments, const char*));
        else
            end += sprintf(end, *format == 'x' ? "0x%llx" : "%llu", (unsigned long long)va_arg(arguments, size_t));
    }
    *end = 0;
    va_end(arguments);
    is_it = num_printed == 1 && strcmp(printed, expected) == 0;
    if (!is_it) printf("%d printed: %s\n expected: %s\n", num_printed, num_printed ? printed : "", expected);
    num_printed = 0;
    return is_it;
}

static bool is_silent(void) {
    bool was_silent = num_printed == 0;
    if (!was_silent) printf("%d printed: %s\n", num_printed, printed);
    num_printed = 0;
    return was_silent;
}

// A check of the message follows each of these.
#define REFUSE(call)                                  \
    do {                                              \
        set_error_code(UNTOUCHED);                    \
        CHECK((call) == VMEM_ERROR_INVALID_ARGUMENT); \
        CHECK(get_error_code() == UNTOUCHED);         \
    } while (0)

#define REFUSE_POINTER(call)                  \
    do {                                      \
        set_error_code(UNTOUCHED);            \
        CHECK((call) == NULL);                \
        CHECK(get_error_code() == UNTOUCHED); \
    } while (0)

#define ACCEPT(call)                   \
    do {                               \
        CHECK((call) == VMEM_SUCCESS); \
        CHECK(is_silent());            \
    } while (0)

// Pages that are whole reservations on every system.
static size_t units(size_t count) { return count * vmem_get_allocation_granularity(); }

static char* reserve_units(size_t count) {
    char* base = (char*)vmem_reserve(units(count));
    REQUIRE(base != NULL);
    return base;
}

static size_t number_of(const void* ptr) { return (size_t)(uintptr_t)ptr; }

// >>arguments ---------------------------------------------------------------------------------------------------------

static VmemResult call_protect(void* ptr, size_t num_bytes) { return vmem_protect(ptr, num_bytes, VMEM_READ); }
static VmemResult call_advise_fork(void* ptr, size_t size) { return vmem_advise_fork(ptr, size, VMEM_FORK_NONE); }
static VmemResult call_advise_dump(void* ptr, size_t size) { return vmem_advise_dump(ptr, size, false); }
static VmemResult call_set_name(void* ptr, size_t num_bytes) { return vmem_set_name(ptr, num_bytes, "name"); }

static VmemResult call_count_resident(void* ptr, size_t num_bytes) {
    size_t num_resident = 99;
    VmemResult result = vmem_count_resident(ptr, num_bytes, &num_resident);
    CHECK(result == VMEM_SUCCESS || num_resident == 99);
    return result;
}

// The functions on ranges, and what they are for.
static const struct {
    const char* name;
    VmemResult (*call)(void* ptr, size_t num_bytes);
    bool needs_committed, needs_reservation;
} functions[] = {{"vmem_commit", vmem_commit, false, true},
                 {"vmem_decommit", vmem_decommit, false, true},
                 {"vmem_protect", call_protect, true, false},
                 {"vmem_flush_instruction_cache", vmem_flush_instruction_cache, true, false},
                 {"vmem_discard", vmem_discard, true, true},
                 {"vmem_prefault", vmem_prefault, true, false},
                 {"vmem_lock", vmem_lock, true, false},
                 {"vmem_lock_on_fault", vmem_lock_on_fault, true, false},
                 {"vmem_unlock", vmem_unlock, true, false},
                 {"vmem_advise_huge_pages", vmem_advise_huge_pages, false, false},
                 {"vmem_advise_fork", call_advise_fork, false, false},
                 {"vmem_advise_dump", call_advise_dump, true, false},
                 {"vmem_set_name", call_set_name, false, false},
                 {"vmem_count_resident", call_count_resident, false, false}};

#define NUM_FUNCTIONS (sizeof functions / sizeof functions[0])

static void test_null_zero_and_overflow_are_named(void) {
    char* base = reserve_units(1);
    size_t i;
    for (i = 0; i < NUM_FUNCTIONS; i++) {
        REFUSE(functions[i].call(NULL, 1));
        CHECK(says("%s: ptr is NULL", functions[i].name));
        REFUSE(functions[i].call(base, 0));
        CHECK(says("%s: num_bytes is 0", functions[i].name));
        REFUSE(functions[i].call(base, SIZE_MAX));
        CHECK(says("%s: ptr %x + num_bytes %u is past the last address", functions[i].name, number_of(base), SIZE_MAX));
    }
    REFUSE(vmem_release(NULL, 1));
    CHECK(says("vmem_release: ptr is NULL"));
    REFUSE(vmem_release(base, 0));
    CHECK(says("vmem_release: num_reserved_bytes is 0"));
    REFUSE(vmem_release(base, SIZE_MAX));
    CHECK(says("vmem_release: num_reserved_bytes is %u, too many to round up to whole pages", SIZE_MAX));
    ACCEPT(vmem_release(base, units(1)));
}

static void test_sizes_and_alignments_are_named(void) {
    const size_t half = SIZE_MAX / 2 + 1;
    REFUSE_POINTER(vmem_reserve(0));
    CHECK(says("vmem_reserve: num_bytes is 0"));
    REFUSE_POINTER(vmem_reserve(SIZE_MAX));
    CHECK(says("vmem_reserve: num_bytes is %u, too many to round up to whole pages", SIZE_MAX));
    REFUSE_POINTER(vmem_reserve_aligned(0, 1));
    CHECK(says("vmem_reserve_aligned: num_bytes is 0"));
    REFUSE_POINTER(vmem_reserve_aligned(1, 0));
    CHECK(says("vmem_reserve_aligned: align is 0, not a power of two"));
    REFUSE_POINTER(vmem_reserve_aligned(1, 48));
    CHECK(says("vmem_reserve_aligned: align is 48, not a power of two"));
    REFUSE_POINTER(vmem_reserve_aligned(half, half));
    CHECK(says("vmem_reserve_aligned: num_bytes %u + align %u is past the last address", half, half));
    CHECK(vmem_align_forward(4097, 4096) == 8192 && vmem_align_backward(4097, 4096) == 4096 && is_silent());
    vmem_align_forward(1, 3);
    CHECK(says("vmem_align_forward: align is 3, not a power of two"));
    vmem_align_backward(1, 0);
    CHECK(says("vmem_align_backward: align is 0, not a power of two"));
    vmem_is_aligned(1, 6);
    CHECK(says("vmem_is_aligned: align is 6, not a power of two"));
}

static void test_options_and_pointers_are_named(void) {
    char* base = reserve_units(1);
    char name[81];
    ACCEPT(vmem_commit(base, 1));
    REFUSE(vmem_protect(base, 1, (VmemProtection)6));
    CHECK(says("vmem_protect: protection is 6, not one of 0 to 5"));
    REFUSE(vmem_advise_fork(base, 1, (VmemFork)3));
    CHECK(says("vmem_advise_fork: inheritance is 3, not one of 0 to 2"));
    REFUSE(vmem_set_name(base, 1, "["));
    CHECK(says("vmem_set_name: name is not up to 79 printable ASCII characters without [ ] \\ $ `"));
    memset(name, 'n', 80);
    name[80] = 0;
    REFUSE(vmem_set_name(base, 1, name));
    CHECK(says("vmem_set_name: name is not up to 79 printable ASCII characters without [ ] \\ $ `"));
    REFUSE(vmem_count_resident(base, 1, NULL));
    CHECK(says("vmem_count_resident: num_resident is NULL"));
    REFUSE(vmem_query(base, NULL));
    CHECK(says("vmem_query: range is NULL"));
    REFUSE(vmem_get_memory_info(NULL));
    CHECK(says("vmem_get_memory_info: info is NULL"));
    REFUSE(vmem_get_address_space(NULL));
    CHECK(says("vmem_get_address_space: space is NULL"));
    REFUSE(vmem_get_limits(NULL));
    CHECK(says("vmem_get_limits: limits is NULL"));
    ACCEPT(vmem_release(base, units(1)));
}

// >>ranges ------------------------------------------------------------------------------------------------------------

static void test_ranges_outside_of_all_reservations(void) {
    char *base = reserve_units(3), *inside = base + units(1), local = 1;
    size_t i;
    for (i = 0; i < NUM_FUNCTIONS; i++) {
        REFUSE(functions[i].call(&local, 1));
        CHECK(says("%s(%x, 1): is not inside a reservation or a mapping of an object", functions[i].name,
                   number_of(&local)));
    }
    ACCEPT(vmem_release(base, units(3)));
    for (i = 0; i < NUM_FUNCTIONS; i++) {
        REFUSE(functions[i].call(inside, 5));
        CHECK(says("%s(%x, 5): the reservation at %x of %u bytes was released before", functions[i].name,
                   number_of(inside), number_of(base), units(3)));
    }
    CHECK(local == 1);
}

static void test_ranges_that_cross_an_end(void) {
    char* base = reserve_units(3);
    size_t i;
    ACCEPT(vmem_commit(base, units(3)));
    base[0] = base[units(3) - 1] = 1;
    for (i = 0; i < NUM_FUNCTIONS; i++) {
        REFUSE(functions[i].call(base + units(3) - 1, 8));
        CHECK(says("%s(%x, 8): ends 7 bytes after the reservation at %x of %u bytes", functions[i].name,
                   number_of(base + units(3) - 1), number_of(base), units(3)));
        REFUSE(functions[i].call(base - 5, 6));
        // What is before it can be another reservation of this program.
        if (strstr(printed, "begins"))
            CHECK(says("%s(%x, 6): begins 5 bytes before the reservation at %x of %u bytes", functions[i].name,
                       number_of(base - 5), number_of(base), units(3)));
        num_printed = 0;
    }
    CHECK(base[0] == 1 && base[units(3) - 1] == 1);
    ACCEPT(vmem_release(base, units(3)));
}

// Systems usually place reservations next to each other: some of these are adjacent to the one before.
static void test_ranges_in_two_reservations(void) {
    enum { COUNT = 8 };
    char* bases[COUNT];
    size_t i;
    CHECK(!vmem_get_capabilities().calls_span_reservations);
    for (i = 0; i < COUNT; i++) {
        bases[i] = reserve_units(2);
        ACCEPT(vmem_commit(bases[i], units(2)));
        memset(bases[i], 1, units(2));
    }
    for (i = 1; i < COUNT; i++) {
        char* low = bases[i] < bases[i - 1] ? bases[i] : bases[i - 1];
        if (low + units(2) != bases[i] && low + units(2) != bases[i - 1]) continue;
        REFUSE(vmem_decommit(low + units(1), units(2)));
        CHECK(says("vmem_decommit(%x, %u): ends %u bytes after the reservation at %x of %u bytes",
                   number_of(low + units(1)), units(2), units(1), number_of(low), units(2)));
        CHECK(low[units(2) - 1] == 1 && low[units(2)] == 1);
    }
    for (i = 0; i < COUNT; i++) ACCEPT(vmem_release(bases[i], units(2)));
}

static void test_ranges_that_are_not_committed(void) {
    const size_t page = vmem_get_page_size();
    char* base = reserve_units(2);
    size_t i;
    ACCEPT(vmem_commit(base, 1));
    base[0] = 1;
    for (i = 0; i < NUM_FUNCTIONS; i++) {
        if (!functions[i].needs_committed) continue;
        REFUSE(functions[i].call(base, page + 1));
        CHECK(says("%s(%x, %u): the page at %x is not committed, in the reservation at %x of %u bytes",
                   functions[i].name, number_of(base), page + 1, number_of(base + page), number_of(base), units(2)));
    }
    ACCEPT(vmem_decommit(base, 1));
    REFUSE(vmem_protect(base, 1, VMEM_READ));
    CHECK(says("vmem_protect(%x, 1): the page at %x is not committed, in the reservation at %x of %u bytes",
               number_of(base), number_of(base), number_of(base), units(2)));
    ACCEPT(vmem_commit(base, 1));
    ACCEPT(vmem_protect(base, 1, VMEM_READ));
    CHECK(base[0] == 0);
    ACCEPT(vmem_release(base, units(2)));
}

static void test_what_is_right_is_not_refused(void) {
    const size_t page = vmem_get_page_size();
    char* base = (char*)vmem_reserve_aligned(3 * page + 1, (size_t)1 << 20);
    size_t i;
    VmemRange range;
    REQUIRE(base != NULL);
    ACCEPT(vmem_commit(base + page, 2 * page));
    ACCEPT(vmem_commit(base, 1));
    ACCEPT(vmem_commit(base + 4 * page - 1, 1));  // in the last page, past the size that was asked for
    for (i = 0; i < NUM_FUNCTIONS; i++) {
        VmemResult result = functions[i].call(base + 1, 4 * page - 2);
        CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_UNSUPPORTED || result == VMEM_ERROR_OUT_OF_MEMORY ||
              result == VMEM_ERROR_ACCESS_DENIED);
        CHECK(is_silent());
        if (functions[i].call == vmem_decommit || functions[i].call == call_protect)
            ACCEPT(vmem_commit(base, 4 * page));
    }
    CHECK(vmem_query(&base, &range) == VMEM_SUCCESS || !vmem_get_capabilities().can_query);  // any address
    CHECK(is_silent());
    ACCEPT(vmem_release(base, 4 * page));  // the same number of pages
}

// >>releases ----------------------------------------------------------------------------------------------------------

static void test_releases_of_something_else(void) {
    char *base = reserve_units(2), local;
    ACCEPT(vmem_commit(base, units(2)));
    base[0] = base[units(2) - 1] = 1;
    REFUSE(vmem_release(base, units(1)));
    CHECK(says("vmem_release(%x, %u): the reservation has %u bytes", number_of(base), units(1), units(2)));
    REFUSE(vmem_release(base, units(3)));
    CHECK(says("vmem_release(%x, %u): the reservation has %u bytes", number_of(base), units(3), units(2)));
    REFUSE(vmem_release(base + units(1), units(1)));
    CHECK(says("vmem_release(%x, %u): begins %u bytes after the start of the reservation at %x of %u bytes",
               number_of(base + units(1)), units(1), units(1), number_of(base), units(2)));
    REFUSE(vmem_release(base + 1, units(2)));
    CHECK(says("vmem_release(%x, %u): begins 1 bytes after the start of the reservation at %x of %u bytes",
               number_of(base + 1), units(2), number_of(base), units(2)));
    REFUSE(vmem_object_unmap(base, units(2)));
    CHECK(says("vmem_object_unmap(%x, %u): this is what vmem_release is for, a reservation of %u bytes",
               number_of(base), units(2), units(2)));
    REFUSE(vmem_release(&local, 1));
    CHECK(says("vmem_release(%x, 1): is not inside a reservation or a mapping of an object", number_of(&local)));
    CHECK(base[0] == 1 && base[units(2) - 1] == 1);
    ACCEPT(vmem_release(base, units(2)));
    REFUSE(vmem_release(base, units(2)));
    CHECK(says("vmem_release(%x, %u): the reservation at %x of %u bytes was released before", number_of(base), units(2),
               number_of(base), units(2)));
}

// The commits of a reservation end with it: at the same addresses the next one has none.
static void test_commits_end_with_the_reservation(void) {
    size_t i;
    for (i = 0; i < 100; i++) {
        char* base = reserve_units(1);
        REFUSE(vmem_lock(base, 1));
        CHECK(strstr(printed, "is not committed") && num_printed == 1);
        num_printed = 0;
        ACCEPT(vmem_commit(base, units(1)));
        ACCEPT(vmem_release(base, units(1)));
    }
}

// >>objects -----------------------------------------------------------------------------------------------------------

static VmemObject make_object(size_t max_bytes) {
    VmemObject object;
    REQUIRE(vmem_object_create(&object, max_bytes, NULL) == VMEM_SUCCESS);
    REQUIRE(vmem_object_commit(&object, 0, max_bytes) == VMEM_SUCCESS);
    return object;
}

static void test_arguments_of_objects_are_named(void) {
    VmemObject object = make_object(units(2)), file = object;
    const size_t unit = units(1);
    char buffer[4];
    size_t num_bytes;
    intptr_t handle;
    unsigned seals;
    file.is_file = true;
    REFUSE(vmem_object_create(NULL, 1, NULL));
    CHECK(says("vmem_object_create: object is NULL"));
    REFUSE(vmem_object_create(&object, 0, NULL));
    CHECK(says("vmem_object_create: max_bytes is 0"));
    REFUSE(vmem_object_create(&object, 1, "$"));
    CHECK(says("vmem_object_create: name is not up to 79 printable ASCII characters without [ ] \\ $ `"));
    REFUSE(vmem_object_from_file(NULL, 0, 1));
    CHECK(says("vmem_object_from_file: object is NULL"));
    REFUSE(vmem_object_from_file(&object, 0, 0));
    CHECK(says("vmem_object_from_file: max_bytes is 0"));
    REFUSE(vmem_object_import(NULL, 0));
    CHECK(says("vmem_object_import: object is NULL"));
    REFUSE(vmem_object_export(NULL, true, &handle));
    CHECK(says("vmem_object_export: object is NULL"));
    REFUSE(vmem_object_export(&object, true, NULL));
    CHECK(says("vmem_object_export: handle is NULL"));
    REFUSE(vmem_object_close(NULL));
    CHECK(says("vmem_object_close: object is NULL"));
    REFUSE(vmem_object_size(NULL, &num_bytes));
    CHECK(says("vmem_object_size: object is NULL"));
    REFUSE(vmem_object_size(&object, NULL));
    CHECK(says("vmem_object_size: num_bytes is NULL"));
    REFUSE(vmem_object_commit(NULL, 0, 1));
    CHECK(says("vmem_object_commit: object is NULL"));
    REFUSE(vmem_object_commit(&object, 0, 0));
    CHECK(says("vmem_object_commit: num_bytes is 0"));
    REFUSE(vmem_object_commit(&object, unit, unit + 1));
    CHECK(says("vmem_object_commit: offset %u + num_bytes %u is past the end of an object of up to %u bytes", unit,
               unit + 1, units(2)));
    REFUSE(vmem_object_seal(&object, 0));
    CHECK(says("vmem_object_seal: seals is 0, not one of 1 to 3"));
    REFUSE(vmem_object_seal(&object, 4));
    CHECK(says("vmem_object_seal: seals is 4, not one of 1 to 3"));
    REFUSE(vmem_object_get_seals(&object, NULL));
    CHECK(says("vmem_object_get_seals: seals is NULL"));
    REFUSE(vmem_object_get_seals(NULL, &seals));
    CHECK(says("vmem_object_get_seals: object is NULL"));
    REFUSE(vmem_object_read(&object, NULL, 1, 0));
    CHECK(says("vmem_object_read: buffer is NULL"));
    REFUSE(vmem_object_read(&object, buffer, 4, units(2) - 3));
    CHECK(says("vmem_object_read: offset %u + num_bytes 4 is past the end of an object of up to %u bytes", units(2) - 3,
               units(2)));
    REFUSE_POINTER(vmem_object_map(&object, unit, 1, VMEM_READ));
    CHECK(says("vmem_object_map: offset is 1, not a multiple of %u", unit));
    REFUSE_POINTER(vmem_object_map(&object, unit, 0, (VmemProtection)6));
    CHECK(says("vmem_object_map: protection is 6, not one of 0 to 5"));
    REFUSE_POINTER(vmem_object_map_aligned(&object, unit, 0, VMEM_READ, 5));
    CHECK(says("vmem_object_map_aligned: align is 5, not a power of two"));
    REFUSE_POINTER(vmem_object_map_mirrored(&object, 1, 0, VMEM_READ));
    CHECK(
        says("vmem_object_map_mirrored: num_bytes is 1 and num_head_bytes 0, but they must be multiples of %u, the "
             "first > 0",
             unit));
    REFUSE_POINTER(vmem_object_map_mirrored(&object, SIZE_MAX / 2 + 1, 0, VMEM_READ));
    CHECK(says("vmem_object_map_mirrored: num_head_bytes 0 + 2 * num_bytes %u is more than a process has addresses",
               SIZE_MAX / 2 + 1));
    REFUSE_POINTER(vmem_object_map_mirrored(&object, unit, SIZE_MAX - unit + 1, VMEM_READ));
    CHECK(says("vmem_object_map_mirrored: num_head_bytes %u + 2 * num_bytes %u is more than a process has addresses",
               SIZE_MAX - unit + 1, unit));
    REFUSE_POINTER(vmem_object_map_mirrored(&object, units(2), unit, VMEM_READ));
    CHECK(
        says("vmem_object_map_mirrored: offset 0 + num_head_bytes + num_bytes %u is past the end of an object of up "
             "to %u bytes",
             units(3), units(2)));
    REFUSE_POINTER(vmem_object_map_mirrored(&object, unit, unit, VMEM_NO_ACCESS));
    CHECK(says("vmem_object_map_mirrored: protection is 0, neither VMEM_READ nor VMEM_READ_WRITE"));
    REFUSE(vmem_object_write(NULL, buffer, 1, 0, 0));
    CHECK(says("vmem_object_write: object is NULL"));
    REFUSE(vmem_object_write(&object, buffer, 1, 0, 0));
    CHECK(says("vmem_object_write: the object is memory, not a file"));
    REFUSE(vmem_object_write(&file, NULL, 1, 0, 0));
    CHECK(says("vmem_object_write: buffer is NULL"));
    REFUSE(vmem_object_write(&file, buffer, 0, 0, 0));
    CHECK(says("vmem_object_write: num_bytes is 0"));
    REFUSE(vmem_object_write(&file, buffer, 1, SIZE_MAX, 0));
    CHECK(says("vmem_object_write: offset %u + num_bytes 1 is past the end of a file of up to %u bytes", SIZE_MAX,
               units(2)));
    REFUSE(vmem_object_resize(NULL, 1));
    CHECK(says("vmem_object_resize: object is NULL"));
    REFUSE(vmem_object_resize(&object, 0));
    CHECK(says("vmem_object_resize: the object is memory, not a file"));
    REFUSE(vmem_object_resize(&file, units(2) + 1));
    CHECK(says("vmem_object_resize: offset 0 + num_bytes %u is past the end of a file of up to %u bytes", units(2) + 1,
               units(2)));
    num_bytes = unit;
    REFUSE(vmem_object_resize_mapped(&object, buffer, &num_bytes, VMEM_READ, 0));
    CHECK(says("vmem_object_resize_mapped: the object is memory, not a file"));
    REFUSE(vmem_object_resize_mapped(&file, buffer, NULL, VMEM_READ, 0));
    CHECK(says("vmem_object_resize_mapped: num_mapped_bytes is NULL"));
    REFUSE(vmem_object_publish(NULL, 0, 1));
    CHECK(says("vmem_object_publish: object is NULL"));
    REFUSE(vmem_object_get_published(NULL, &num_bytes));
    CHECK(says("vmem_object_get_published: object is NULL"));
    REFUSE(vmem_object_get_published(&object, NULL));
    CHECK(says("vmem_object_get_published: num_bytes is NULL"));
    ACCEPT(vmem_object_close(&object));
    CHECK(vmem_object_close(&object) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(says("vmem_object_close: the object is closed"));
    CHECK(vmem_object_commit(&object, 0, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(says("vmem_object_commit: the object is closed"));
    CHECK(vmem_object_map(&object, unit, 0, VMEM_READ) == NULL);
    CHECK(says("vmem_object_map: the object is closed"));
}

#if defined(_WIN32)
static intptr_t open_file(void) {
    HANDLE file = CreateFileA("vmem-test-debug", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_DELETE, NULL, CREATE_ALWAYS,
                              FILE_FLAG_DELETE_ON_CLOSE, NULL);
    return (intptr_t)file;
}

static bool close_file(intptr_t file) { return CloseHandle((HANDLE)file); }
#else
static intptr_t open_file(void) {
    char path[64];
    int file;
    snprintf(path, sizeof path, "/tmp/vmem-test-debug-%ld", (long)getpid());
    file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(unlink(path) == 0);
    return file;
}

static bool close_file(intptr_t file) { return close((int)file) == 0; }
#endif

static void test_files(void) {
    intptr_t file = open_file();
    VmemObject object;
    size_t num_bytes = 0, num_mapped = units(4);
    unsigned seals = 99;
    intptr_t handle = -1;
    char* ptr;
    REQUIRE(file != -1 && vmem_object_from_file(&object, file, units(4)) == VMEM_SUCCESS);
    ACCEPT(vmem_object_resize(&object, 10));
    ACCEPT(vmem_object_size(&object, &num_bytes));
    CHECK(num_bytes == 10);
    ACCEPT(vmem_object_get_seals(&object, &seals));
    ACCEPT(vmem_object_export(&object, true, &handle));
    ptr = (char*)vmem_object_map(&object, units(4), 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    ACCEPT(vmem_object_resize_mapped(&object, ptr, &num_mapped, VMEM_READ_WRITE, units(3)));
    ptr[units(3) - 1] = 'x';
    ACCEPT(vmem_object_write(&object, "y", 1, 0, units(3)));
    CHECK(ptr[0] == 'y');
    REFUSE(vmem_object_resize_mapped(&object, ptr, &num_mapped, (VmemProtection)6, 1));
    CHECK(says("vmem_object_resize_mapped: protection is 6, not one of 0 to 5"));
    REFUSE(vmem_object_resize_mapped(&object, ptr, &num_mapped, VMEM_READ_WRITE, units(4) + 1));
    CHECK(says("vmem_object_resize_mapped: offset 0 + num_bytes %u is past the end of a file of up to %u bytes",
               units(4) + 1, units(4)));
    ACCEPT(vmem_object_unmap(ptr, num_mapped));
    ACCEPT(vmem_object_close(&object));
    CHECK(close_file(file));
}

// The message has the size that the object has now, not an error code of an earlier call.
static void test_reading_past_the_end(void) {
    VmemObject object;
    char buffer[4] = "abc";
    REQUIRE(vmem_object_create(&object, units(2), NULL) == VMEM_SUCCESS);
    ACCEPT(vmem_object_commit(&object, 0, units(1)));
    ACCEPT(vmem_object_read(&object, buffer, 4, units(1) - 4));
    if (vmem_get_capabilities().object_size_is_exact) {
        REFUSE(vmem_object_read(&object, buffer, 4, units(1) - 3));
        CHECK(says("vmem_object_read: offset %u + num_bytes 4 is past the end, the object has %u bytes", units(1) - 3,
                   units(1)));
    }
    ACCEPT(vmem_object_close(&object));
}

// A struct that no function made, and one whose handle was closed by others: only the system knows.
static void test_mapping_what_is_not_an_object(void) {
    VmemObject object, zero;
    memset(&zero, 0, sizeof zero);
    CHECK(vmem_object_map(&zero, 1, 0, VMEM_READ) == NULL);
    CHECK(num_printed == 1 && strstr(printed, "vmem_object_map: the system calls an argument"));
    num_printed = 0;
    CHECK(vmem_object_map_aligned(&zero, 1, 0, VMEM_READ, units(4)) == NULL);
    CHECK(num_printed == 1 && strstr(printed, "vmem_object_map_aligned: the system calls an argument"));
    num_printed = 0;
    CHECK(vmem_object_map_mirrored(&zero, units(1), 0, VMEM_READ) == NULL);
    CHECK(num_printed == 1 && strstr(printed, "vmem_object_map_mirrored: the system calls an argument"));
    num_printed = 0;
    object = make_object(units(1));
    if (sizeof(size_t) > 4) {
        const size_t align = SIZE_MAX / 2 + 1;
        CHECK(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, align) == NULL);
        CHECK(says("vmem_object_map_aligned: align is %u, more than a process has addresses", align));
        CHECK(vmem_reserve_aligned(1, align) == NULL);
        CHECK(says("vmem_reserve_aligned: align is %u, more than a process has addresses", align));
    }
    ACCEPT(vmem_object_close(&object));
}

static void test_mappings_of_objects(void) {
    VmemObject object = make_object(units(2));
    char* ptr = (char*)vmem_object_map(&object, units(2), 0, VMEM_READ_WRITE);
    size_t i;
    REQUIRE(ptr != NULL);
    ptr[0] = 1;
    for (i = 0; i < NUM_FUNCTIONS; i++) {
        if (!functions[i].needs_reservation) continue;
        REFUSE(functions[i].call(ptr, 1));
        CHECK(says("%s(%x, 1): is for a reservation, but this is inside the mapping of an object at %x of %u bytes",
                   functions[i].name, number_of(ptr), number_of(ptr), units(2)));
    }
    ACCEPT(vmem_prefault(ptr, units(2)));
    ACCEPT(vmem_protect(ptr, 1, VMEM_READ));
    REFUSE(vmem_prefault(ptr, units(2) + 1));
    CHECK(says("vmem_prefault(%x, %u): ends 1 bytes after the mapping of an object at %x of %u bytes", number_of(ptr),
               units(2) + 1, number_of(ptr), units(2)));
    REFUSE(vmem_release(ptr, units(2)));
    CHECK(says("vmem_release(%x, %u): this is what vmem_object_unmap is for, a mapping of an object of %u bytes",
               number_of(ptr), units(2), units(2)));
    REFUSE(vmem_object_unmap(ptr, units(1)));
    CHECK(says("vmem_object_unmap(%x, %u): the mapping of an object has %u bytes", number_of(ptr), units(1), units(2)));
    CHECK(ptr[0] == 1);
    ACCEPT(vmem_object_unmap(ptr, units(2)));
    REFUSE(vmem_object_unmap(ptr, units(2)));
    CHECK(says("vmem_object_unmap(%x, %u): the mapping of an object at %x of %u bytes was released before",
               number_of(ptr), units(2), number_of(ptr), units(2)));
    ACCEPT(vmem_object_close(&object));
}

static void test_mirrored_mappings(void) {
    VmemObject object = make_object(units(3));
    char* ptr = (char*)vmem_object_map_mirrored(&object, units(2), units(1), VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    REFUSE(vmem_object_unmap(ptr, units(5)));
    CHECK(
        says("vmem_object_unmap(%x, %u): this is what vmem_object_unmap_mirrored is for, a mapping of an object of "
             "%u bytes",
             number_of(ptr), units(5), units(5)));
    REFUSE(vmem_object_unmap_mirrored(ptr, units(1), units(3)));  // as many bytes in all
    CHECK(says("vmem_object_unmap_mirrored(%x, %u): the mapping is one of %u bytes twice, after a head of %u",
               number_of(ptr), units(1), units(2), units(1)));
    ACCEPT(vmem_prefault(ptr, units(5)));
    ACCEPT(vmem_object_unmap_mirrored(ptr, units(2), units(1)));
    ACCEPT(vmem_object_close(&object));
}

static void test_functions_for_mappings_of_objects(void) {
    VmemObject object = make_object(units(2));
    char *base = reserve_units(1), *ptr = (char*)vmem_object_map(&object, units(2), 0, VMEM_READ_WRITE);
    VmemResult result;
    REQUIRE(ptr != NULL);
    ACCEPT(vmem_commit(base, 1));
    REFUSE(vmem_object_flush(&object, base, 1, false));
    CHECK(
        says("vmem_object_flush(%x, 1): is for a mapping of an object, but this is inside the reservation at %x of "
             "%u bytes",
             number_of(base), number_of(base), units(1)));
    REFUSE(vmem_object_flush(NULL, ptr, 1, false));
    CHECK(says("vmem_object_flush: object is NULL"));
    ACCEPT(vmem_object_flush(&object, ptr, units(2), false));
    REFUSE(vmem_object_make_private(&object, base, 1, 0));
    CHECK(
        says("vmem_object_make_private(%x, 1): is for a mapping of an object, but this is inside the reservation at "
             "%x of %u bytes",
             number_of(base), number_of(base), units(1)));
    REFUSE(vmem_object_make_private(&object, ptr + 1, 1, 0));
    CHECK(says("vmem_object_make_private: ptr is %x, not the start of a page", number_of(ptr + 1)));
    REFUSE(vmem_object_make_private(&object, ptr, 1, 8));
    CHECK(says("vmem_object_make_private: offset is 8, not a multiple of %u", vmem_get_page_size()));
    result = vmem_object_make_private(&object, ptr, units(1), 0);
    CHECK((result == VMEM_SUCCESS || result == VMEM_ERROR_UNSUPPORTED) && is_silent());
    ACCEPT(vmem_object_unmap(ptr, units(2)));
    ACCEPT(vmem_object_close(&object));
    ACCEPT(vmem_release(base, units(1)));
}

// >>table -------------------------------------------------------------------------------------------------------------

static unsigned next_random(unsigned* state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// Against a record of each page. In several reservations, which can be next to each other.
static void test_random_commits(void) {
    enum { RESERVATIONS = 4, PAGES = 64 };
    const size_t page = vmem_get_page_size(), size = PAGES * page;
    static bool is_committed[RESERVATIONS][PAGES];
    char* bases[RESERVATIONS];
    unsigned state = 1, step, i;
    for (i = 0; i < RESERVATIONS; i++) {
        bases[i] = (char*)vmem_reserve(size);
        REQUIRE(bases[i] != NULL);
    }
    for (step = 0; step < 20000; step++) {
        const unsigned which = next_random(&state) % RESERVATIONS, start = next_random(&state) % PAGES;
        const unsigned end = start + 1 + next_random(&state) % (PAGES - start), kind = next_random(&state) % 8;
        char* ptr = bases[which] + start * page;
        bool all = true;
        if (step % 997 == 0) {
            ACCEPT(vmem_release(bases[which], size));
            bases[which] = (char*)vmem_reserve(size);
            REQUIRE(bases[which] != NULL);
            memset(is_committed[which], 0, sizeof is_committed[which]);
        } else if (kind < 5) {
            for (i = start; i < end; i++) all = all && is_committed[which][i];
            CHECK(vmem_unlock(ptr, (end - start) * page) == (all ? VMEM_SUCCESS : VMEM_ERROR_INVALID_ARGUMENT));
            CHECK(num_printed == (all ? 0 : 1));
            num_printed = 0;
        } else {
            const unsigned last = kind == 7 ? end : start + 1 + (end - start) / 8;
            if (kind == 5)
                ACCEPT(vmem_decommit(ptr, (last - start) * page));
            else
                ACCEPT(vmem_commit(ptr, (last - start) * page));
            for (i = start; i < last; i++) is_committed[which][i] = kind != 5;
        }
    }
    for (i = 0; i < RESERVATIONS; i++) ACCEPT(vmem_release(bases[i], size));
}

// More than there is room for in the static arrays.
static void test_many_reservations_and_commits(void) {
    enum { COUNT = 1000 };
    const size_t page = vmem_get_page_size();
    static char* bases[COUNT];
    char* base = (char*)vmem_reserve(2 * COUNT * page);
    size_t i;
    REQUIRE(base != NULL);
    for (i = 0; i < COUNT; i++) {
        bases[i] = reserve_units(1);
        CHECK(vmem_commit(base + 2 * i * page, 1) == VMEM_SUCCESS);
    }
    CHECK(is_silent());
    CHECK(vmem__mappings.capacity > COUNT && vmem__committed.capacity > COUNT);
    for (i = 0; i < COUNT; i += 2) ACCEPT(vmem_release(bases[i], units(1)));
    for (i = 1; i < COUNT; i += 2) {
        ACCEPT(vmem_unlock(base + 2 * i * page, page));
        REFUSE(vmem_unlock(base + 2 * i * page, page + 1));
        CHECK(strstr(printed, "is not committed"));
        num_printed = 0;
        ACCEPT(vmem_commit(bases[i], units(1)));
        REFUSE(vmem_release(bases[i], units(2)));
        CHECK(says("vmem_release(%x, %u): the reservation has %u bytes", number_of(bases[i]), units(2), units(1)));
        ACCEPT(vmem_release(bases[i], units(1)));
    }
    ACCEPT(vmem_release(base, 2 * COUNT * page));
    CHECK(vmem__mappings.count == 0 && vmem__committed.count == 0);
}

// >>processes ---------------------------------------------------------------------------------------------------------

#if defined(_WIN32)

static void test_processes(void) {}

#else

// Another thread holds the lock, which the child does not have.
static void use_in_child(char* base) {
    ACCEPT(vmem_commit(base, 1));
    base[0] = 1;
    REFUSE(vmem_lock(base + units(1), 1));
    CHECK(says("vmem_lock(%x, 1): the page at %x is not committed, in the reservation at %x of %u bytes",
               number_of(base + units(1)), number_of(base + units(1)), number_of(base), units(2)));
    ACCEPT(vmem_release(base, units(2)));
}

static void test_forking_while_the_table_is_locked(void) {
    char* base = reserve_units(2);
    vmem__table_owner = (long)getpid();
    CHECK(succeeds_in_child(use_in_child, base));
    vmem__table_owner = 0;
    ACCEPT(vmem_release(base, units(2)));
}

// What was unmapped by others does not confuse what is mapped there next.
static void test_stale_ranges_are_replaced(void) {
    char *base = reserve_units(4), *inside = base + units(1);
    ACCEPT(vmem_commit(base, units(4)));
    CHECK(munmap(base, units(4)) == 0);
    CHECK(vmem__posix_map(inside, units(2), MAP_FIXED) == (void*)inside);
    vmem__record_mapping(inside, units(2), 0, VMEM__RESERVATION);
    REFUSE(vmem_lock(inside, 1));
    CHECK(strstr(printed, "is not committed"));
    num_printed = 0;
    ACCEPT(vmem_commit(inside, units(2)));
    REFUSE(vmem_commit(base, 1));
    num_printed = 0;
    ACCEPT(vmem_release(inside, units(2)));
    CHECK(vmem__mappings.count == 0 && vmem__committed.count == 2);  // what is left of the old one
    vmem__committed.count = 0;
}

// In a child process, because checking ends.
static void run_out_of_memory(char* unused) {
    const size_t page = vmem_get_page_size();
    size_t capacity = vmem__committed.capacity, i;
    char* base = (char*)vmem_reserve(2 * (capacity + 1) * page);
    (void)unused;
    REQUIRE(base != NULL);
    fails_to_map = true;
    for (i = 0; i < capacity; i++) CHECK(vmem_commit(base + 2 * i * page, 1) == VMEM_SUCCESS);
    CHECK(is_silent());
    set_error_code(UNTOUCHED);
    CHECK(vmem_commit(base + 2 * i * page, 1) == VMEM_SUCCESS);
    CHECK(get_error_code() == UNTOUCHED);
    CHECK(says("VMEM_DEBUG: no memory for the table, nothing is checked against it any more"));
    fails_to_map = false;
    base[2 * i * page] = 1;
    ACCEPT(vmem_release(base, page));  // what the system does
    REFUSE(vmem_commit(base, 0));
    CHECK(says("vmem_commit: num_bytes is 0"));
    base = reserve_units(1);
    ACCEPT(vmem_commit(base, 1));
    ACCEPT(vmem_release(base, units(1)));
}

// What is refused after asking the system, whose answer was no error.
static void test_handles_of_something_else(void) {
    const int folder = open("/", O_RDONLY);
    VmemObject object;
    REQUIRE(folder >= 0);
    REFUSE(vmem_object_import(&object, folder));
    CHECK(says("vmem_object_import: this handle is for something else"));
    REFUSE(vmem_object_from_file(&object, folder, 1));
    CHECK(says("vmem_object_from_file: this handle is for something else"));
    CHECK(close(folder) == 0);
}

static void test_processes(void) {
    test_handles_of_something_else();
    test_forking_while_the_table_is_locked();
    test_stale_ranges_are_replaced();
    CHECK(succeeds_in_child(run_out_of_memory, NULL));
}

#endif

// >>main --------------------------------------------------------------------------------------------------------------

static void test_objects(void) {
    test_arguments_of_objects_are_named();
    test_files();
    test_reading_past_the_end();
    test_mapping_what_is_not_an_object();
    test_mappings_of_objects();
    test_mirrored_mappings();
    test_functions_for_mappings_of_objects();
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);  // children inherit no buffered output
    test_null_zero_and_overflow_are_named();
    test_sizes_and_alignments_are_named();
    test_options_and_pointers_are_named();
    test_ranges_outside_of_all_reservations();
    test_ranges_that_cross_an_end();
    test_ranges_in_two_reservations();
    test_ranges_that_are_not_committed();
    test_what_is_right_is_not_refused();
    test_releases_of_something_else();
    test_commits_end_with_the_reservation();
    test_objects();
    test_random_commits();
    test_many_reservations_and_commits();
    test_processes();
    return report();
}
