// Tests the objects of vmem.h on every system, and what POSIX says of them. Prints each check that fails, then
// "N checks, M failed". Where the system has no objects, only that is checked.
//
// Search for >>checks, >>contents, >>mirrored, >>handles, >>arguments, >>unsupported, >>posix, >>files, >>main.

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE  // for mkstemp() and pread()
#endif

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#define HAS_POSIX 1
#include "child.h"
#else
#include "check.h"
#endif

// >>checks ------------------------------------------------------------------------------------------------------------

// An error code that no tested call sets.
#define UNTOUCHED 33

#if defined(_WIN32)
static void set_error_code(int code) { SetLastError((DWORD)code); }
static int error_code(void) { return (int)GetLastError(); }
#else
static void set_error_code(int code) { errno = code; }
static int error_code(void) { return errno; }
#endif

#define CHECK_KEEPS_ERROR_CODE(expression) \
    do {                                   \
        set_error_code(UNTOUCHED);         \
        CHECK(expression);                 \
        CHECK(error_code() == UNTOUCHED);  \
    } while (0)

#define CHECK_SUCCESS(call) CHECK_KEEPS_ERROR_CODE((call) == VMEM_SUCCESS)
#define CHECK_REFUSED(call) CHECK_KEEPS_ERROR_CODE((call) == VMEM_ERROR_INVALID_ARGUMENT)
#define CHECK_UNSUPPORTED(call) CHECK_KEEPS_ERROR_CODE((call) == VMEM_ERROR_UNSUPPORTED)

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

// Units that any part of an object can be mapped in.
static size_t units(size_t count) { return count * vmem_get_allocation_granularity(); }

static bool bytes_are(const char* start, size_t num_bytes, char value) {
    return start[0] == value && memcmp(start, start + 1, num_bytes - 1) == 0;
}

static VmemObject make_object(size_t max_bytes) {
    VmemObject object;
    REQUIRE(vmem_object_create(&object, max_bytes, "test") == VMEM_SUCCESS);
    return object;
}

// An object of which the first bytes are committed.
static VmemObject make_committed_object(size_t max_bytes, size_t num_bytes) {
    VmemObject object = make_object(max_bytes);
    REQUIRE(vmem_object_commit(&object, 0, num_bytes) == VMEM_SUCCESS);
    return object;
}

static char* map_object(const VmemObject* object, size_t num_bytes) {
    char* ptr = (char*)vmem_object_map(object, num_bytes, 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    return ptr;
}

static void unmap(char* ptr, size_t num_bytes) { CHECK_SUCCESS(vmem_object_unmap(ptr, num_bytes)); }

static void close_object(VmemObject* object) {
    CHECK_SUCCESS(vmem_object_close(object));
    CHECK(object->handle == -1);
}

static size_t size_of(const VmemObject* object) {
    size_t num_bytes = 99;
    CHECK_SUCCESS(vmem_object_size(object, &num_bytes));
    return num_bytes;
}

// Of a size that can be less than the maximum.
static void check_size(const VmemObject* object, size_t num_bytes) {
    CHECK(size_of(object) == (vmem_get_capabilities().object_size_is_exact ? num_bytes : object->max_bytes));
}

// >>contents ----------------------------------------------------------------------------------------------------------

static void test_committed_pages_read_zero(void) {
    VmemObject object;
    char* ptr;
    CHECK_SUCCESS(vmem_object_create(&object, units(4), "test"));
    CHECK(object.max_bytes == units(4));
    check_size(&object, 0);
    CHECK_SUCCESS(vmem_object_commit(&object, 0, units(2)));
    check_size(&object, units(2));
    ptr = map_object(&object, units(4));
    CHECK(vmem_is_aligned((uintptr_t)ptr, vmem_get_allocation_granularity()));
    CHECK(bytes_are(ptr, units(2), 0));
    memset(ptr, 1, units(2));
    CHECK(bytes_are(ptr, units(2), 1));
    unmap(ptr, units(4));
    close_object(&object);
}

static void test_sizes_are_whole_pages(void) {
    VmemObject object;
    char* ptr;
    CHECK_SUCCESS(vmem_object_create(&object, pages(3) + 1, NULL));
    CHECK(object.max_bytes == pages(4));
    CHECK_SUCCESS(vmem_object_commit(&object, pages(1) - 1, 2));
    check_size(&object, pages(2));
    ptr = (char*)vmem_object_map(&object, pages(1) + 1, 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    memset(ptr, 1, pages(2));
    unmap(ptr, pages(1) + 1);
    CHECK_SUCCESS(vmem_object_commit(&object, pages(2), pages(2) - 1));
    check_size(&object, pages(4));
    close_object(&object);
}

static void test_mappings_see_what_is_committed_later(void) {
    VmemObject object = make_committed_object(units(8), units(1));
    char *first = map_object(&object, units(8)), *second = map_object(&object, units(8));
    size_t i;
    CHECK(first != second);
    for (i = 1; i < 8; i++) {
        CHECK_SUCCESS(vmem_object_commit(&object, units(i), units(1)));
        check_size(&object, units(i + 1));
        CHECK(bytes_are(second + units(i), units(1), 0));
        first[units(i)] = (char)i;
        CHECK(second[units(i)] == (char)i);
        second[units(i + 1) - 1] = 9;
        CHECK(first[units(i + 1) - 1] == 9);
    }
    unmap(second, units(8));
    CHECK(first[units(7)] == 7);
    unmap(first, units(8));
    close_object(&object);
}

static void test_committing_again_keeps_contents(void) {
    VmemObject object = make_committed_object(units(4), units(2));
    char* ptr = map_object(&object, units(4));
    memset(ptr, 1, units(2));
    CHECK_SUCCESS(vmem_object_commit(&object, units(1), units(3)));
    CHECK(bytes_are(ptr, units(2), 1) && bytes_are(ptr + units(2), units(2), 0));
    CHECK_SUCCESS(vmem_object_commit(&object, 0, 1));
    CHECK(bytes_are(ptr, units(2), 1));
    check_size(&object, units(4));
    unmap(ptr, units(4));
    close_object(&object);
}

static void test_committing_what_does_not_follow(void) {
    VmemObject object = make_committed_object(units(4), units(1));
    char* ptr = map_object(&object, units(4));
    CHECK_SUCCESS(vmem_object_commit(&object, units(3), units(1)));
    ptr[units(3)] = 3;
    ptr[0] = 1;
    CHECK_SUCCESS(vmem_object_commit(&object, units(1), units(2)));
    CHECK(bytes_are(ptr + units(1), units(2), 0));
    CHECK(ptr[0] == 1 && ptr[units(3)] == 3);
    unmap(ptr, units(4));
    close_object(&object);
}

static void test_mapping_a_part(void) {
    VmemObject object = make_committed_object(units(4), units(4));
    char* whole = map_object(&object, units(4));
    char* part = (char*)vmem_object_map(&object, units(2), units(1), VMEM_READ_WRITE);
    REQUIRE(part != NULL);
    part[0] = 1;
    part[units(2) - 1] = 2;
    CHECK(whole[units(1)] == 1 && whole[units(3) - 1] == 2);
    unmap(part, units(2));
    unmap(whole, units(4));
    close_object(&object);
}

// Units of Windows are larger than pages.
static void test_reading_without_a_mapping(void) {
    VmemObject object = make_committed_object(units(4), units(2));
    char* ptr = map_object(&object, units(4));
    char bytes[4] = "abc";
    memcpy(ptr + units(1) - 1, "xyz", 3);
    CHECK_SUCCESS(vmem_object_read(&object, bytes, 3, units(1) - 1));
    CHECK(memcmp(bytes, "xyz", 4) == 0);
    CHECK_SUCCESS(vmem_object_read(&object, bytes, 1, 0));
    CHECK_SUCCESS(vmem_object_read(&object, bytes + 1, 1, units(2) - 1));
    CHECK(memcmp(bytes, "\0\0z", 4) == 0);
    unmap(ptr, units(4));
    if (vmem_get_capabilities().object_size_is_exact) {
        CHECK_REFUSED(vmem_object_read(&object, bytes, 1, units(2)));
        CHECK_REFUSED(vmem_object_read(&object, bytes, 2, units(2) - 1));
    }
    close_object(&object);
}

static void test_contents_outlive_mappings(void) {
    VmemObject object = make_committed_object(units(1), units(1));
    char* ptr = map_object(&object, units(1));
    memset(ptr, 1, units(1));
    unmap(ptr, units(1));
    ptr = map_object(&object, units(1));
    CHECK(bytes_are(ptr, units(1), 1));
    close_object(&object);
    CHECK(bytes_are(ptr, units(1), 1));  // as mappings outlive objects
    memset(ptr, 2, units(1));
    unmap(ptr, units(1));
}

static void test_aligned_mappings(void) {
    VmemObject object = make_committed_object(units(3), units(3));
    char* whole = map_object(&object, units(3));
    size_t align;
    for (align = 1; align <= (size_t)8 << 20; align *= 2) {
        char* ptr = NULL;
        CHECK_KEEPS_ERROR_CODE(
            (ptr = (char*)vmem_object_map_aligned(&object, units(2), units(1), VMEM_READ_WRITE, align)) != NULL);
        if (!ptr) break;
        CHECK(vmem_is_aligned((uintptr_t)ptr, align));
        ptr[units(1)] = 5;
        CHECK(whole[units(2)] == 5);
        whole[units(2)] = 0;
        unmap(ptr, units(2));
    }
    CHECK(vmem_object_map_aligned(&object, units(1), 0, VMEM_READ, 0) == NULL);
    CHECK(vmem_object_map_aligned(&object, units(1), 0, VMEM_READ, 3) == NULL);
    unmap(whole, units(3));
    close_object(&object);
}

static void test_access_that_is_granted_later(void) {
    VmemObject object = make_committed_object(units(2), units(2));
    char* ptr = (char*)vmem_object_map(&object, units(2), 0, VMEM_NO_ACCESS);
    REQUIRE(ptr != NULL);
    CHECK_SUCCESS(vmem_protect(ptr, units(1), VMEM_READ_WRITE));
    memset(ptr, 1, units(1));
    CHECK_SUCCESS(vmem_protect(ptr, units(2), VMEM_READ));
    CHECK(bytes_are(ptr, units(1), 1) && bytes_are(ptr + units(1), units(1), 0));
    CHECK_SUCCESS(vmem_protect(ptr, units(2), VMEM_NO_ACCESS));
    CHECK_SUCCESS(vmem_protect(ptr, units(2), VMEM_READ_WRITE));
    CHECK(bytes_are(ptr, units(1), 1));
    unmap(ptr, units(2));
    close_object(&object);
}

static void test_other_functions_on_mappings(void) {
    VmemObject object = make_committed_object(units(2), units(2));
    char* ptr = map_object(&object, units(2));
    size_t num_resident = 99;
    VmemRange range;
    memset(ptr, 1, units(2));
    CHECK_SUCCESS(vmem_prefault(ptr, units(2)));
    CHECK(bytes_are(ptr, units(2), 1));
    if (vmem_lock(ptr, pages(1)) == VMEM_SUCCESS) CHECK_SUCCESS(vmem_unlock(ptr, pages(1)));
    if (vmem_get_capabilities().can_count_resident) {
        CHECK_SUCCESS(vmem_count_resident(ptr, units(2), &num_resident));
        CHECK(num_resident == units(2));
    }
    if (vmem_get_capabilities().can_query) {
        CHECK_SUCCESS(vmem_query(ptr, &range));
        CHECK(range.base == ptr && range.state == VMEM_COMMITTED && range.protection == VMEM_READ_WRITE);
    }
    CHECK(vmem_advise_dump(ptr, units(1), true) ==
          (vmem_get_capabilities().can_advise_dump ? VMEM_SUCCESS : VMEM_ERROR_UNSUPPORTED));
    unmap(ptr, units(2));
    close_object(&object);
}

static void test_many_objects(void) {
    VmemObject objects[32];
    char* mapped[32];
    size_t i;
    for (i = 0; i < 32; i++) {
        objects[i] = make_committed_object(units(1), units(1));
        mapped[i] = map_object(&objects[i], units(1));
        mapped[i][0] = (char)i;
    }
    for (i = 0; i < 32; i++) {
        CHECK(mapped[i][0] == (char)i && bytes_are(mapped[i] + 1, units(1) - 1, 0));
        unmap(mapped[i], units(1));
        close_object(&objects[i]);
    }
}

// >>mirrored ----------------------------------------------------------------------------------------------------------

static void test_mirrored_mapping(void) {
    const size_t size = units(2);
    VmemObject object = make_committed_object(units(4), size);
    char *whole = map_object(&object, units(4)), *ptr = NULL;
    char text[64];
    size_t i;
    CHECK_KEEPS_ERROR_CODE((ptr = (char*)vmem_object_map_mirrored(&object, size, 0, VMEM_READ_WRITE)) != NULL);
    REQUIRE(ptr != NULL);
    for (i = 0; i < sizeof text; i++) text[i] = (char)(i + 1);
    for (i = 0; i <= sizeof text; i++) {  // each position of the seam
        memcpy(ptr + size - i, text, sizeof text);
        CHECK(memcmp(whole + size - i, text, i) == 0);
        CHECK(memcmp(whole, text + i, sizeof text - i) == 0);
        CHECK(i == sizeof text || memcmp(ptr, text + i, sizeof text - i) == 0);
        memset(ptr + size - i, 0, sizeof text);
        CHECK(bytes_are(whole, size, 0));
    }
    whole[0] = 1;
    whole[size - 1] = 2;
    CHECK(ptr[0] == 1 && ptr[size] == 1 && ptr[size - 1] == 2 && ptr[2 * size - 1] == 2);
    CHECK_SUCCESS(vmem_object_unmap_mirrored(ptr, size, 0));
    unmap(whole, units(4));
    close_object(&object);
}

// The head is mapped once, before the rest. Readers cannot write.
static void test_mirrored_mapping_after_a_head(void) {
    const size_t head = units(3), size = units(2);
    VmemObject object = make_committed_object(head + size, head + size);
    char *ptr = NULL, *reader = NULL, *ring;
    CHECK_KEEPS_ERROR_CODE((ptr = (char*)vmem_object_map_mirrored(&object, size, head, VMEM_READ_WRITE)) != NULL);
    CHECK_KEEPS_ERROR_CODE((reader = (char*)vmem_object_map_mirrored(&object, size, head, VMEM_READ)) != NULL);
    REQUIRE(ptr != NULL && reader != NULL);
    ring = ptr + head;
    memcpy(ring - 2, "head", 4);
    memcpy(ring + size - 2, "seam", 4);
    CHECK(memcmp(ring - 2, "heam", 4) == 0 && memcmp(ring + 2 * size - 2, "se", 2) == 0);
    CHECK(memcmp(reader + head - 2, "heam", 4) == 0 && memcmp(reader + head + size - 2, "seam", 4) == 0);
    CHECK(memcmp(ring, reader + head, 2 * size) == 0 && memcmp(ptr, reader, head) == 0);
    if (vmem_get_capabilities().can_query) {
        VmemRange range;
        CHECK_SUCCESS(vmem_query(ptr, &range));
        CHECK(range.protection == VMEM_READ_WRITE);
        CHECK_SUCCESS(vmem_query(reader + head + size, &range));
        CHECK(range.protection == VMEM_READ);
    }
    CHECK_SUCCESS(vmem_object_unmap_mirrored(ptr, size, head));
    CHECK_SUCCESS(vmem_object_unmap_mirrored(reader, size, head));
    close_object(&object);
}

static void test_mirrored_mappings_of_invalid_sizes(void) {
    VmemObject object = make_object(units(2));
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, 0, 0, VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, units(1) + 1, 0, VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, units(3), 0, VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, SIZE_MAX / 2 + 1, 0, VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(NULL, units(1), 0, VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, units(1), 1, VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, units(1), units(2), VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, units(1), SIZE_MAX / 2 + 1, VMEM_READ_WRITE) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, units(1), 0, VMEM_NO_ACCESS) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_mirrored(&object, units(1), 0, VMEM_READ_EXECUTE) == NULL);
    CHECK_REFUSED(vmem_object_unmap_mirrored(NULL, units(1), 0));
    CHECK_REFUSED(vmem_object_unmap_mirrored(&object, units(1), 0));
    CHECK_REFUSED(vmem_object_unmap_mirrored((void*)units(1), 0, 0));
    CHECK_REFUSED(vmem_object_unmap_mirrored((void*)units(1), units(1) - 1, 0));
    CHECK_REFUSED(vmem_object_unmap_mirrored((void*)units(1), SIZE_MAX / 2 + 1, 0));
    CHECK_REFUSED(vmem_object_unmap_mirrored((void*)units(1), units(1), SIZE_MAX / 2 + 1));
    close_object(&object);
}

// >>handles -----------------------------------------------------------------------------------------------------------

#if defined(_WIN32)
static void close_handle(intptr_t handle) { CHECK(CloseHandle((HANDLE)handle)); }
#else
static void close_handle(intptr_t handle) { CHECK(close((int)handle) == 0); }
#endif

// Imports a handle and closes it, as another process does.
static VmemObject import_and_close(intptr_t handle) {
    VmemObject imported;
    CHECK_SUCCESS(vmem_object_import(&imported, handle));
    CHECK(imported.handle != handle);
    close_handle(handle);
    return imported;
}

static VmemObject export_and_import(const VmemObject* object, bool writable) {
    intptr_t handle = -1;
    CHECK_SUCCESS(vmem_object_export(object, writable, &handle));
    CHECK(handle != -1 && handle != object->handle);
    return import_and_close(handle);
}

static void test_import_that_can_write(void) {
    VmemObject object = make_committed_object(units(4), units(1)), imported = export_and_import(&object, true);
    char *ptr = map_object(&object, units(4)), *other = map_object(&imported, units(4));
    CHECK(imported.max_bytes == 0 || imported.max_bytes == units(4));
    CHECK(size_of(&imported) == size_of(&object));
    CHECK_SUCCESS(vmem_object_commit(&imported, units(1), units(1)));
    check_size(&object, units(2));
    other[units(1)] = 1;
    CHECK(ptr[units(1)] == 1);
    close_object(&object);
    ptr[0] = 2;
    CHECK(other[0] == 2);
    unmap(ptr, units(4));
    CHECK(other[0] == 2);
    unmap(other, units(4));
    other = map_object(&imported, units(2));
    CHECK(other[0] == 2 && other[units(1)] == 1);
    unmap(other, units(2));
    close_object(&imported);
}

static void test_import_that_only_reads(void) {
    VmemObject object = make_committed_object(units(4), units(1)), imported = export_and_import(&object, false);
    char *ptr = map_object(&object, units(4)), *other;
    intptr_t handle = -1;
    CHECK(vmem_object_map(&imported, units(1), 0, VMEM_READ_WRITE) == NULL);
    CHECK(vmem_object_commit(&imported, units(1), units(1)) != VMEM_SUCCESS ||
          !vmem_get_capabilities().object_size_is_exact);
    other = (char*)vmem_object_map(&imported, units(4), 0, VMEM_READ);
    REQUIRE(other != NULL);
    CHECK(vmem_protect(other, 1, VMEM_READ_WRITE) != VMEM_SUCCESS);
    CHECK_SUCCESS(vmem_object_commit(&object, units(1), units(1)));
    ptr[units(1)] = 1;
    CHECK(other[units(1)] == 1);
    CHECK(size_of(&imported) == size_of(&object));
    unmap(other, units(4));
    CHECK_SUCCESS(vmem_object_export(&imported, false, &handle));  // a reader can be handed on
    close_object(&imported);
    imported = import_and_close(handle);
    other = (char*)vmem_object_map(&imported, units(2), 0, VMEM_READ);
    REQUIRE(other != NULL);
    CHECK(other[units(1)] == 1);
    unmap(other, units(2));
    close_object(&imported);
    unmap(ptr, units(4));
    close_object(&object);
}

static void test_closing_twice(void) {
    VmemObject object = make_object(units(1)), copy = object;
    size_t num_bytes = 99;
    close_object(&object);
    CHECK(vmem_object_close(&object) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_size(&object, &num_bytes) == VMEM_ERROR_INVALID_ARGUMENT && num_bytes == 99);
    CHECK(vmem_object_commit(&object, 0, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_map(&object, 1, 0, VMEM_READ) == NULL);
    CHECK(vmem_object_close(&copy) == VMEM_ERROR_INVALID_ARGUMENT);  // of a number that is closed
}

// Memory that is mapped neither shrinks nor grows past its maximum, whatever is asked of its object.
static void test_memory_is_not_a_file(void) {
    VmemObject object = make_committed_object(units(2), units(1));
    char* ptr = map_object(&object, units(2));
    memset(ptr, 1, units(1));
    CHECK_REFUSED(vmem_object_resize(&object, 0));
    CHECK_REFUSED(vmem_object_resize(&object, units(2)));
    CHECK_REFUSED(vmem_object_resize(&object, units(3)));
    CHECK_REFUSED(vmem_object_write(&object, "x", 1, 0, 0));
    CHECK_REFUSED(vmem_object_write(&object, "x", 1, units(3), 0));
    check_size(&object, units(1));
    CHECK(bytes_are(ptr, units(1), 1));
    unmap(ptr, units(2));
    close_object(&object);
}

// >>arguments ---------------------------------------------------------------------------------------------------------

static void test_invalid_arguments(void) {
    VmemObject object = make_committed_object(units(2), units(1)), other = object;
    size_t num_bytes = 99;
    unsigned seals = 99;
    intptr_t handle = 99;
    char* ptr = map_object(&object, units(2));
    CHECK_REFUSED(vmem_object_create(NULL, units(1), NULL));
    CHECK_REFUSED(vmem_object_create(&other, 0, NULL));
    CHECK_REFUSED(vmem_object_create(&other, SIZE_MAX, NULL));
    CHECK_REFUSED(vmem_object_create(&other, 1, "["));
    CHECK_REFUSED(vmem_object_create(
        &other, 1, "12345678901234567890123456789012345678901234567890123456789012345678901234567890"));
    CHECK_REFUSED(vmem_object_from_file(NULL, 0, 1));
    CHECK_REFUSED(vmem_object_from_file(&other, 0, 0));
    CHECK_REFUSED(vmem_object_from_file(&other, 0, SIZE_MAX));
    CHECK_REFUSED(vmem_object_import(NULL, object.handle));
    CHECK(memcmp(&other, &object, sizeof other) == 0);
    CHECK_REFUSED(vmem_object_export(NULL, true, &handle));
    CHECK_REFUSED(vmem_object_export(&object, true, NULL));
    CHECK_REFUSED(vmem_object_close(NULL));
    CHECK_REFUSED(vmem_object_size(NULL, &num_bytes));
    CHECK_REFUSED(vmem_object_size(&object, NULL));
    CHECK_REFUSED(vmem_object_commit(NULL, 0, 1));
    CHECK_REFUSED(vmem_object_commit(&object, 0, 0));
    CHECK_REFUSED(vmem_object_commit(&object, units(2), 1));
    CHECK_REFUSED(vmem_object_commit(&object, units(2) - 1, 2));
    CHECK_REFUSED(vmem_object_commit(&object, 1, SIZE_MAX));
    CHECK_REFUSED(vmem_object_commit(&object, SIZE_MAX, 1));
    CHECK_REFUSED(vmem_object_commit(&object, SIZE_MAX - 1, 2));
    CHECK_REFUSED(vmem_object_seal(NULL, VMEM_SEAL_SIZE));
    CHECK_REFUSED(vmem_object_seal(&object, 0));
    CHECK_REFUSED(vmem_object_seal(&object, 4));
    CHECK_REFUSED(vmem_object_seal(&object, VMEM_SEAL_SIZE | 8u));
    CHECK_REFUSED(vmem_object_get_seals(NULL, &seals));
    CHECK_REFUSED(vmem_object_get_seals(&object, NULL));
    CHECK_REFUSED(vmem_object_read(NULL, &seals, 1, 0));
    CHECK_REFUSED(vmem_object_read(&object, NULL, 1, 0));
    CHECK_REFUSED(vmem_object_read(&object, &seals, 0, 0));
    CHECK_REFUSED(vmem_object_read(&object, &seals, 1, units(2)));
    CHECK_REFUSED(vmem_object_read(&object, &seals, SIZE_MAX, 1));
    CHECK_REFUSED(vmem_object_read(&object, &seals, 1, SIZE_MAX));
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(NULL, 1, 0, VMEM_READ) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, 0, 0, VMEM_READ) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, units(2) + 1, 0, VMEM_READ) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, 1, 1, VMEM_READ) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, units(2), units(1), VMEM_READ) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, 1, units(2), VMEM_READ) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, SIZE_MAX, units(1), VMEM_READ) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, 1, 0, (VmemProtection)6) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map(&object, 1, 0, (VmemProtection)-1) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_aligned(NULL, 1, 0, VMEM_READ, 1) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_aligned(&object, 1, 1, VMEM_READ, 1) == NULL);
    CHECK_KEEPS_ERROR_CODE(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, 0) == NULL);
    CHECK_REFUSED(vmem_object_unmap(NULL, 1));
    CHECK_REFUSED(vmem_object_unmap(ptr, 0));
    CHECK_REFUSED(vmem_object_unmap(ptr + 1, 1));
    CHECK_REFUSED(vmem_object_unmap(ptr, SIZE_MAX));
    CHECK_REFUSED(vmem_object_make_private(NULL, ptr, 1, 0));
    CHECK_REFUSED(vmem_object_make_private(&object, NULL, 1, 0));
    CHECK_REFUSED(vmem_object_make_private(&object, ptr, 0, 0));
    CHECK_REFUSED(vmem_object_make_private(&object, ptr + 1, 1, 0));
    CHECK_REFUSED(vmem_object_make_private(&object, ptr, 1, 1));
    CHECK_REFUSED(vmem_object_make_private(&object, ptr, units(2), units(1)));
    CHECK_REFUSED(vmem_object_flush(NULL, ptr, 1, false));
    CHECK_REFUSED(vmem_object_flush(&object, NULL, 1, false));
    CHECK_REFUSED(vmem_object_flush(&object, ptr, 0, false));
    CHECK_REFUSED(vmem_object_write(NULL, ptr, 1, 0, 0));
    CHECK_REFUSED(vmem_object_write(&object, NULL, 1, 0, 0));
    CHECK_REFUSED(vmem_object_write(&object, ptr, 0, 0, 0));
    CHECK_REFUSED(vmem_object_write(&object, ptr, SIZE_MAX, 0, 0));
    CHECK_REFUSED(vmem_object_write(&object, ptr, 1, SIZE_MAX / 2, 0));
    CHECK_REFUSED(vmem_object_resize(NULL, 1));
    CHECK_REFUSED(vmem_object_resize(&object, SIZE_MAX));
    CHECK_REFUSED(vmem_object_publish(NULL, SIZE_MAX, 1));
    CHECK_REFUSED(vmem_object_get_published(NULL, &num_bytes));
    CHECK_REFUSED(vmem_object_get_published(&object, NULL));
    CHECK(num_bytes == 99 && seals == 99 && handle == 99);
    check_size(&object, units(1));
    unmap(ptr, units(2));
    close_object(&object);
}

// >>unsupported -------------------------------------------------------------------------------------------------------

static void test_seals_where_there_are_none(void) {
    VmemObject object = make_object(units(1));
    unsigned seals = 99;
    CHECK_UNSUPPORTED(vmem_object_seal(&object, VMEM_SEAL_SIZE));
    CHECK_UNSUPPORTED(vmem_object_seal(&object, VMEM_SEAL_WRITERS));
    CHECK_SUCCESS(vmem_object_get_seals(&object, &seals));
    CHECK(seals == 0);
    close_object(&object);
}

static void test_private_pages_where_there_are_none(void) {
    VmemObject object = make_committed_object(units(1), units(1));
    char* ptr = map_object(&object, units(1));
    ptr[0] = 1;
    CHECK_UNSUPPORTED(vmem_object_make_private(&object, ptr, units(1), 0));
    CHECK(ptr[0] == 1);
    unmap(ptr, units(1));
    close_object(&object);
}

static void test_system_without_objects(void) {
    VmemCapabilities capabilities = vmem_get_capabilities();
    VmemObject object;
    memset(&object, 0xff, sizeof object);
    CHECK(!capabilities.can_share && !capabilities.can_seal && !capabilities.can_seal_writers);
    CHECK(!capabilities.can_map_mirrored && !capabilities.can_map_files && !capabilities.can_make_private);
    CHECK(!capabilities.object_size_is_exact);
    CHECK_UNSUPPORTED(vmem_object_create(&object, 1, NULL));
    CHECK(object.handle == -1 && object.max_bytes == SIZE_MAX);
}

// >>posix -------------------------------------------------------------------------------------------------------------

#if HAS_POSIX

// What the children of a test share.
static VmemObject shared;
static char* shared_ptr;

static void start_sharing(size_t max_bytes, size_t num_bytes) {
    shared = make_committed_object(max_bytes, num_bytes);
    shared_ptr = map_object(&shared, max_bytes);
}

static void end_sharing(void) {
    unmap(shared_ptr, shared.max_bytes);
    close_object(&shared);
}

static void write_first_byte(char* ptr) { *(volatile char*)ptr = 1; }

static void read_first_byte(char* ptr) {
    if (*(volatile char*)ptr != 0) exit(0);
}

static void test_accessing_what_is_not_committed(void) {
    start_sharing(pages(8), pages(2));
    CHECK(faults_in_child(read_first_byte, shared_ptr + pages(2)));
    CHECK(faults_in_child(write_first_byte, shared_ptr + pages(7)));
    CHECK(succeeds_in_child(write_first_byte, shared_ptr + pages(2) - 1));
    CHECK(shared_ptr[pages(2) - 1] == 1);
    CHECK(vmem_object_commit(&shared, pages(2), 1) == VMEM_SUCCESS);
    CHECK(succeeds_in_child(write_first_byte, shared_ptr + pages(2)));
    CHECK(faults_in_child(write_first_byte, shared_ptr + pages(3)));
    end_sharing();
}

static void write_to_pages_without_access(char* ptr) {
    CHECK(vmem_protect(ptr, pages(1), VMEM_READ) == VMEM_SUCCESS);
    write_first_byte(ptr);
}

static void test_access_of_mappings(void) {
    char* ptr;
    start_sharing(pages(2), pages(2));
    ptr = (char*)vmem_object_map(&shared, pages(1), 0, VMEM_NO_ACCESS);
    REQUIRE(ptr != NULL);
    CHECK(faults_in_child(read_first_byte, ptr));
    unmap(ptr, pages(1));
    ptr = (char*)vmem_object_map(&shared, pages(1), 0, VMEM_READ);
    REQUIRE(ptr != NULL);
    CHECK(succeeds_in_child(read_first_byte, ptr));
    CHECK(faults_in_child(write_first_byte, ptr));
    unmap(ptr, pages(1));
    CHECK(faults_in_child(read_first_byte, ptr));
    CHECK(faults_in_child(write_to_pages_without_access, shared_ptr));
    CHECK(shared_ptr[0] == 0);
    end_sharing();
}

static void write_and_grow(char* ptr) {
    ptr[0] = 1;
    CHECK(vmem_object_commit(&shared, pages(2), pages(1)) == VMEM_SUCCESS);
    ptr[pages(2)] = 2;
}

static void test_children_share_objects(void) {
    start_sharing(pages(4), pages(2));
    CHECK(succeeds_in_child(write_and_grow, shared_ptr));
    CHECK(shared_ptr[0] == 1 && shared_ptr[pages(2)] == 2);
    check_size(&shared, pages(3));
    end_sharing();
}

static void make_private_and_write(char* ptr) {
    CHECK_SUCCESS(vmem_object_make_private(&shared, ptr + pages(1), pages(2) - 1, pages(1)));
    CHECK(bytes_are(ptr, pages(4), 1));
    memset(ptr + pages(1), 2, pages(2));
    CHECK(bytes_are(ptr, pages(1), 1) && bytes_are(ptr + pages(1), pages(2), 2));
    ptr[pages(3)] = 3;
    CHECK(vmem_object_commit(&shared, pages(4), pages(1)) == VMEM_SUCCESS);
    CHECK(vmem_object_unmap(ptr, pages(8)) == VMEM_SUCCESS);
}

static void make_the_end_private(char* ptr) {
    CHECK(vmem_object_make_private(&shared, ptr, pages(8), 0) == VMEM_SUCCESS);
    write_first_byte(ptr + pages(7));
}

static void test_private_pages_of_children(void) {
    start_sharing(pages(8), pages(4));
    memset(shared_ptr, 1, pages(4));
    if (vmem_get_capabilities().object_size_is_exact) CHECK(faults_in_child(make_the_end_private, shared_ptr));
    CHECK(succeeds_in_child(make_private_and_write, shared_ptr));
    CHECK(bytes_are(shared_ptr, pages(3), 1) && shared_ptr[pages(3)] == 3);
    check_size(&shared, pages(5));
    CHECK(bytes_are(shared_ptr + pages(4), pages(1), 0));
    end_sharing();
}

// Of every function that takes an object.
static void check_that_it_is_no_object(VmemObject* object) {
    VmemObject before = *object, file = before;
    size_t num_bytes = 99;
    unsigned seals = 99;
    intptr_t handle = 99;
#define CHECK_NO_OBJECT(expression) \
    do {                            \
        errno = UNTOUCHED;          \
        CHECK(expression);          \
        CHECK(errno == EBADF);      \
    } while (0)
    CHECK_NO_OBJECT(vmem_object_export(object, true, &handle) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_export(object, false, &handle) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_size(object, &num_bytes) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_commit(object, 0, pages(1)) == VMEM_ERROR_INVALID_ARGUMENT);
    if (vmem_get_capabilities().can_seal) {
        CHECK_NO_OBJECT(vmem_object_seal(object, VMEM_SEAL_SIZE) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK_NO_OBJECT(vmem_object_get_seals(object, &seals) == VMEM_ERROR_INVALID_ARGUMENT);
    }
    CHECK_NO_OBJECT(vmem_object_read(object, &seals, 1, 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_map(object, pages(1), 0, VMEM_READ) == NULL);
    CHECK_NO_OBJECT(vmem_object_map_aligned(object, pages(1), 0, VMEM_READ, (size_t)1 << 20) == NULL);
    CHECK_NO_OBJECT(vmem_object_map_mirrored(object, units(1), 0, VMEM_READ_WRITE) == NULL);
    CHECK_NO_OBJECT(vmem_object_make_private(object, shared_ptr, pages(1), 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_flush(object, shared_ptr, pages(1), true) == VMEM_ERROR_INVALID_ARGUMENT);
    file.is_file = true;
    CHECK_NO_OBJECT(vmem_object_write(&file, "x", 1, 0, 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_resize(&file, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_publish(object, SIZE_MAX, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_publish(object, 1, SIZE_MAX) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_get_published(object, &num_bytes) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_NO_OBJECT(vmem_object_close(object) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(memcmp(&before, object, sizeof before) == 0);
    CHECK(num_bytes == 99 && seals == 99 && handle == 99);
}

static void write_text(int file, const char* text) { CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text)); }

static bool file_is(int file, const char* text) {
    char read_back[64] = "";
    return pread(file, read_back, sizeof read_back - 1, 0) == (ssize_t)strlen(text) && strcmp(read_back, text) == 0;
}

static int make_file(void) {
    char path[] = "/tmp/vmem-test-XXXXXX";
    int file = mkstemp(path);
    REQUIRE(file >= 0);
    REQUIRE(unlink(path) == 0);
    return file;
}

// Code that closes all descriptors leaves an object with a number that the next open() gives to another file.
static void test_descriptors_that_are_reused(void) {
    VmemObject lost = make_committed_object(units(4), units(1)), other;  // macOS tells memory apart by its size
    int file = make_file(), number = (int)lost.handle;
    start_sharing(units(1), units(1));
    write_text(file, "somebody's file");
    CHECK(close(number) == 0);
    check_that_it_is_no_object(&lost);
    REQUIRE(dup2(file, number) == number);
    check_that_it_is_no_object(&lost);
    CHECK(file_is(number, "somebody's file"));
    other = make_committed_object(units(5), units(2));
    REQUIRE(dup2((int)other.handle, number) == number);
    check_that_it_is_no_object(&lost);
    check_size(&other, units(2));
    CHECK(close(number) == 0);
    CHECK(file_is(file, "somebody's file"));
    CHECK(close(file) == 0);
    close_object(&other);
    end_sharing();
}

static void test_numbers_that_are_not_descriptors(void) {
    static const intptr_t numbers[] = {-1, -2, 1 << 20, INTPTR_MAX, INTPTR_MIN};
    VmemObject object = make_object(units(1)), copy = object;
    size_t i;
    start_sharing(units(1), units(1));
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        copy.handle = numbers[i];
        check_that_it_is_no_object(&copy);
        copy = object;
        errno = UNTOUCHED;
        CHECK(vmem_object_import(&copy, numbers[i]) == VMEM_ERROR_INVALID_ARGUMENT && errno == EBADF);
        errno = UNTOUCHED;
        CHECK(vmem_object_from_file(&copy, numbers[i], 1) == VMEM_ERROR_INVALID_ARGUMENT && errno == EBADF);
        CHECK(memcmp(&copy, &object, sizeof copy) == 0);
    }
    end_sharing();
    close_object(&object);
}

// Memory has no name. A file that has none may be memory, where the system does not tell them apart.
static void test_importing_what_is_no_object(void) {
    VmemObject object = make_object(units(1)), before = object;
    int ends[2], file = open("/etc/passwd", O_RDONLY), directory = open("/", O_RDONLY),
                 device = open("/dev/null", O_RDWR);
    REQUIRE(pipe(ends) == 0 && file >= 0 && directory >= 0 && device >= 0);
    CHECK(vmem_object_import(&object, file) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_import(&object, directory) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_import(&object, device) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_import(&object, ends[0]) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_from_file(&object, ends[0], 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_from_file(&object, directory, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_from_file(&object, device, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(memcmp(&object, &before, sizeof object) == 0);
    CHECK(close(file) == 0 && close(directory) == 0 && close(device) == 0 && close(ends[0]) == 0 &&
          close(ends[1]) == 0);
    close_object(&object);
}

// >>files -------------------------------------------------------------------------------------------------------------

static off_t size_of_file(int file) { return lseek(file, 0, SEEK_END); }

static void test_files(void) {
    int file = make_file();
    VmemObject object;
    unsigned seals = 99;
    char* ptr;
    write_text(file, "0123456789");
    CHECK_SUCCESS(vmem_object_from_file(&object, file, units(4)));
    CHECK(object.handle != file && object.max_bytes == units(4));
    CHECK(size_of(&object) == 10);
    ptr = map_object(&object, units(4));
    CHECK(memcmp(ptr, "0123456789", 11) == 0);
    ptr[0] = 'x';
    CHECK_SUCCESS(vmem_object_flush(&object, ptr, 1, false));
    CHECK(file_is(file, "x123456789"));
    CHECK_SUCCESS(vmem_object_commit(&object, 0, units(2)));
    CHECK(size_of(&object) == units(2) && size_of_file(file) == (off_t)units(2));
    CHECK(memcmp(ptr, "x123456789", 10) == 0 && bytes_are(ptr + 10, units(2) - 10, 0));
    ptr[units(2) - 1] = 'y';
    CHECK_SUCCESS(vmem_object_flush(&object, ptr + units(2) - 1, 1, true));
    CHECK_SUCCESS(vmem_object_commit(&object, units(1), 1));
    CHECK(ptr[units(2) - 1] == 'y' && size_of(&object) == units(2));
    CHECK(vmem_object_seal(&object, VMEM_SEAL_SIZE) == VMEM_ERROR_UNSUPPORTED);
    CHECK_SUCCESS(vmem_object_get_seals(&object, &seals));
    CHECK(seals == 0);
    unmap(ptr, units(4));
    close_object(&object);
    CHECK(size_of_file(file) == (off_t)units(2));
    CHECK(close(file) == 0);
}

// The size is exact to the byte, and what is added reads zero, whatever was written behind the end before.
static void test_sizes_of_files(void) {
    int file = make_file();
    VmemObject object;
    size_t num_mapped = units(4);
    char* ptr;
    CHECK_SUCCESS(vmem_object_from_file(&object, file, units(4)));
    ptr = map_object(&object, units(4));
    CHECK_SUCCESS(vmem_object_resize(&object, 10));
    CHECK(size_of_file(file) == 10 && bytes_are(ptr, 10, 0));
    memcpy(ptr, "0123456789", 10);
    CHECK_SUCCESS(vmem_object_resize(&object, units(2) + 1));
    CHECK(size_of_file(file) == (off_t)units(2) + 1 && memcmp(ptr, "0123456789", 11) == 0);
    ptr[units(2)] = 'x';
    CHECK_SUCCESS(vmem_object_resize(&object, units(2) + 1));
    CHECK(ptr[units(2)] == 'x');
    CHECK_SUCCESS(vmem_object_resize(&object, 5));
    CHECK(size_of_file(file) == 5);
    CHECK_SUCCESS(vmem_object_resize(&object, units(2) + 1));
    CHECK(memcmp(ptr, "01234", 6) == 0 && ptr[units(2)] == 0);
    CHECK_SUCCESS(vmem_object_resize(&object, 0));
    CHECK(size_of_file(file) == 0);
    CHECK_SUCCESS(vmem_object_resize_mapped(&object, ptr, &num_mapped, VMEM_READ_WRITE, units(4)));
    CHECK(num_mapped == units(4) && ptr[units(4) - 1] == 0);
    CHECK_SUCCESS(vmem_object_resize_mapped(&object, ptr, &num_mapped, VMEM_READ_WRITE, SIZE_MAX));
    CHECK(size_of_file(file) == (off_t)units(4));
    CHECK_REFUSED(vmem_object_resize_mapped(&object, ptr, &num_mapped, VMEM_READ_WRITE, units(4) + 1));
    CHECK_REFUSED(vmem_object_resize_mapped(&object, NULL, &num_mapped, VMEM_READ_WRITE, units(4)));
    CHECK_REFUSED(vmem_object_resize_mapped(&object, ptr, NULL, VMEM_READ_WRITE, units(4)));
    CHECK_REFUSED(vmem_object_resize_mapped(NULL, ptr, &num_mapped, VMEM_READ_WRITE, units(4)));
    CHECK_REFUSED(vmem_object_resize_mapped(&object, ptr, &num_mapped, (VmemProtection)99, units(4)));
    CHECK_REFUSED(vmem_object_resize(&object, units(4) + 1));
    CHECK(size_of_file(file) == (off_t)units(4));
    unmap(ptr, units(4));
    close_object(&object);
    CHECK(close(file) == 0);
}

static void test_writing_to_files(void) {
    int file = make_file();
    VmemObject object;
    char* ptr;
    CHECK_SUCCESS(vmem_object_from_file(&object, file, units(4)));
    CHECK_SUCCESS(vmem_object_write(&object, "0123456789", 10, 0, 0));
    CHECK_SUCCESS(vmem_object_write(&object, "xy", 2, 9, 0));
    CHECK(file_is(file, "012345678xy"));
    ptr = map_object(&object, units(4));
    CHECK(memcmp(ptr, "012345678xy", 12) == 0);
    CHECK_REFUSED(vmem_object_write(&object, "xy", 2, units(4) - 1, 0));
    CHECK_REFUSED(vmem_object_write(&object, "x", 1, SIZE_MAX, 0));
    CHECK(vmem_object_write(&object, "z", 1, 11, 12) == VMEM_ERROR_INVALID_ARGUMENT && errno == ESTALE);
    CHECK(file_is(file, "012345678xy"));
    CHECK_SUCCESS(vmem_object_write(&object, "z", 1, 11, 11));
    CHECK(file_is(file, "012345678xyz"));
    unmap(ptr, units(4));
    close_object(&object);
    CHECK(close(file) == 0);
}

// The access to mappings is that of the descriptor.
static void test_files_that_are_opened_to_read(void) {
    char path[] = "/tmp/vmem-test-XXXXXX";
    int file = mkstemp(path), reader = open(path, O_RDONLY);
    VmemObject object;
    char* ptr;
    REQUIRE(file >= 0 && reader >= 0 && unlink(path) == 0);
    write_text(file, "text");
    CHECK_SUCCESS(vmem_object_from_file(&object, reader, 1));
    CHECK(vmem_object_map(&object, 1, 0, VMEM_READ_WRITE) == NULL);
    ptr = (char*)vmem_object_map(&object, 1, 0, VMEM_READ);
    REQUIRE(ptr != NULL);
    CHECK(strcmp(ptr, "text") == 0);
    CHECK(vmem_object_commit(&object, 0, 1) == VMEM_ERROR_ACCESS_DENIED);
    CHECK(vmem_object_resize(&object, 5) == VMEM_ERROR_ACCESS_DENIED);
    CHECK(vmem_object_write(&object, "x", 1, 0, 0) == VMEM_ERROR_ACCESS_DENIED);
    CHECK(vmem_protect(ptr, 1, VMEM_READ_WRITE) == VMEM_ERROR_ACCESS_DENIED);
    CHECK(size_of(&object) == 4);
    unmap(ptr, 1);
    close_object(&object);
    CHECK(close(file) == 0 && close(reader) == 0);
}

static void test_posix(void) {
    if (vmem_get_capabilities().object_size_is_exact) test_accessing_what_is_not_committed();
    test_access_of_mappings();
    test_children_share_objects();
    test_private_pages_of_children();
    test_descriptors_that_are_reused();
    test_numbers_that_are_not_descriptors();
    test_importing_what_is_no_object();
    test_files();
    test_sizes_of_files();
    test_writing_to_files();
    test_files_that_are_opened_to_read();
}

#else

static void test_posix(void) {}

#endif

// >>main --------------------------------------------------------------------------------------------------------------

static void test_objects(void) {
    VmemCapabilities capabilities = vmem_get_capabilities();
    test_committed_pages_read_zero();
    test_sizes_are_whole_pages();
    test_mappings_see_what_is_committed_later();
    test_committing_again_keeps_contents();
    test_committing_what_does_not_follow();
    test_mapping_a_part();
    test_reading_without_a_mapping();
    test_contents_outlive_mappings();
    test_aligned_mappings();
    test_access_that_is_granted_later();
    test_other_functions_on_mappings();
    test_many_objects();
    test_mirrored_mapping();
    test_mirrored_mapping_after_a_head();
    test_mirrored_mappings_of_invalid_sizes();
    test_import_that_can_write();
    test_import_that_only_reads();
    test_closing_twice();
    test_memory_is_not_a_file();
    test_invalid_arguments();
    if (!capabilities.can_seal) test_seals_where_there_are_none();
    if (!capabilities.can_make_private) test_private_pages_where_there_are_none();
    test_posix();
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (vmem_get_capabilities().can_share)
        test_objects();
    else
        test_system_without_objects();
    return report();
}
