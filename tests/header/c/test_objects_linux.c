// Tests what Linux reports of the objects of vmem.h, what other processes can do to them, and the limits that apply.
// Prints each check that fails, then "N checks, M failed".
//
// Search for >>helpers, >>reports, >>files, >>seals, >>limits, >>signals, >>main.

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE  // for the calls with which other processes attack
#endif

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "child.h"

// >>helpers -----------------------------------------------------------------------------------------------------------

#define UNTOUCHED EDOM
#define HAS_64_BITS (UINTPTR_MAX > 0xffffffffu)
#define MIB ((size_t)1 << 20)

#define PUNCH_HOLE_KEEP_SIZE 3
#define MADV_REMOVE_PAGES 9

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

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

// Whether a line of maps or smaps begins a mapping that holds `ptr`; `is_start` receives whether it begins one.
static bool starts_mapping_of(const char* line, const char* ptr, bool* is_start) {
    char* rest;
    uintptr_t start = (uintptr_t)strtoull(line, &rest, 16), end;
    *is_start = rest != line && *rest == '-';
    if (!*is_start) return false;
    end = (uintptr_t)strtoull(rest + 1, NULL, 16);
    return start <= (uintptr_t)ptr && (uintptr_t)ptr < end;
}

// The lines of smaps about the mapping that holds `ptr`. The next call overwrites them.
static const char* find_mapping(const char* ptr) {
    static char text[1 << 20];
    char *line, *end, *found = NULL;
    bool is_start = false;
    read_file("/proc/self/smaps", text, sizeof text);
    for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        bool holds = starts_mapping_of(line, ptr, &is_start);
        if (found && is_start) *line = 0;
        if (found && is_start) return found;
        if (holds) found = line;
    }
    REQUIRE(found != NULL);
    return found;
}

static bool mapping_has(const char* ptr, const char* text) { return strstr(find_mapping(ptr), text) != NULL; }

static size_t count_mappings(void) {
    static char text[1 << 18];
    size_t length = read_file("/proc/self/maps", text, sizeof text), count = 0, i;
    for (i = 0; i < length; i++) count += text[i] == '\n';
    return count;
}

// The lowest free file descriptor, which is higher while a file is left open.
static int next_file(void) {
    int file = open("/dev/null", O_RDONLY);
    REQUIRE(file >= 0);
    close(file);
    return file;
}

static off_t size_of_file(int file) {
    struct stat status;
    REQUIRE(fstat(file, &status) == 0);
    return status.st_size;
}

static uint64_t allocated(int file) {
    struct stat status;
    REQUIRE(fstat(file, &status) == 0);
    return (uint64_t)status.st_blocks * 512;
}

static VmemObject make_object(size_t max_bytes, size_t num_bytes) {
    VmemObject object;
    REQUIRE(vmem_object_create(&object, max_bytes, "test object") == VMEM_SUCCESS);
    if (num_bytes) REQUIRE(vmem_object_commit(&object, 0, num_bytes) == VMEM_SUCCESS);
    return object;
}

static char* map_object(const VmemObject* object, size_t num_bytes) {
    char* ptr = (char*)vmem_object_map(object, num_bytes, 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    return ptr;
}

static void close_object(VmemObject* object) { CHECK(vmem_object_close(object) == VMEM_SUCCESS); }

// >>reports -----------------------------------------------------------------------------------------------------------

static void test_names_in_proc_maps(void) {
    VmemObject object = make_object(pages(2), pages(1));
    char* ptr = map_object(&object, pages(2));
    CHECK(mapping_has(ptr, "rw-s") && mapping_has(ptr, "/memfd:test object (deleted)"));
    CHECK(vmem_object_unmap(ptr, pages(2)) == VMEM_SUCCESS);
    close_object(&object);
    REQUIRE(vmem_object_create(&object, pages(1), NULL) == VMEM_SUCCESS);
    ptr = (char*)vmem_object_map(&object, pages(1), 0, VMEM_READ);
    REQUIRE(ptr != NULL);
    CHECK(mapping_has(ptr, "r--s") && mapping_has(ptr, "/memfd:vmem (deleted)"));
    CHECK(vmem_object_unmap(ptr, pages(1)) == VMEM_SUCCESS);
    close_object(&object);
}

static void test_protections_in_proc_maps(void) {
    static const char* const permissions[] = {"---s", "r--s", "rw-s", "--xs", "r-xs", "rwxs"};
    VmemObject object = make_object(pages(1), pages(1));
    int i;
    for (i = 0; i < 6; i++) {
        char* ptr = (char*)vmem_object_map(&object, pages(1), 0, (VmemProtection)i);
        REQUIRE(ptr != NULL);
        CHECK(mapping_has(ptr, permissions[i]));
        CHECK(vmem_object_unmap(ptr, pages(1)) == VMEM_SUCCESS);
    }
    close_object(&object);
}

static void test_sizes_that_fstat_reports(void) {
    VmemObject object = make_object(pages(64), 0);
    int file = (int)object.handle;
    CHECK(size_of_file(file) == 0 && allocated(file) == 0);
    CHECK(vmem_object_commit(&object, 0, 1) == VMEM_SUCCESS);
    CHECK(size_of_file(file) == (off_t)pages(1) && allocated(file) == pages(1));
    CHECK(vmem_object_commit(&object, pages(8), pages(8)) == VMEM_SUCCESS);
    CHECK(size_of_file(file) == (off_t)pages(16) && allocated(file) == pages(9));
    CHECK(vmem_object_commit(&object, pages(2), pages(2)) == VMEM_SUCCESS);
    CHECK(size_of_file(file) == (off_t)pages(16) && allocated(file) == pages(11));
    CHECK(vmem_object_commit(&object, 0, pages(16)) == VMEM_SUCCESS);
    CHECK(size_of_file(file) == (off_t)pages(16) && allocated(file) == pages(16));
    close_object(&object);
}

static void test_descriptors_are_closed_in_programs_that_are_started(void) {
    VmemObject object = make_object(pages(1), pages(1)), imported;
    intptr_t handles[2];
    CHECK(vmem_object_export(&object, true, &handles[0]) == VMEM_SUCCESS);
    CHECK(vmem_object_export(&object, false, &handles[1]) == VMEM_SUCCESS);
    CHECK(vmem_object_import(&imported, handles[0]) == VMEM_SUCCESS);
    CHECK(fcntl((int)object.handle, F_GETFD) == FD_CLOEXEC && fcntl((int)imported.handle, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl((int)handles[0], F_GETFD) == FD_CLOEXEC && fcntl((int)handles[1], F_GETFD) == FD_CLOEXEC);
    CHECK((fcntl((int)handles[0], F_GETFL) & O_ACCMODE) == O_RDWR);
    CHECK((fcntl((int)handles[1], F_GETFL) & O_ACCMODE) == O_RDONLY);
    CHECK(close((int)handles[0]) == 0 && close((int)handles[1]) == 0);
    close_object(&imported);
    close_object(&object);
}

static void test_a_descriptor_that_only_writes(void) {
    VmemObject object = make_object(pages(1), pages(1)), imported;
    char path[32], byte;
    int file;
    snprintf(path, sizeof path, "/proc/self/fd/%d", (int)object.handle);
    file = open(path, O_WRONLY);
    REQUIRE(file >= 0);
    CHECK(vmem_object_import(&imported, file) == VMEM_SUCCESS);
    CHECK(vmem_object_read(&imported, &byte, 1, 0) == VMEM_ERROR_ACCESS_DENIED && errno == EACCES);
    CHECK(close(file) == 0);
    close_object(&imported);
    close_object(&object);
}

static void close_the_standard_files(char* subject) {
    VmemObject object, imported;
    intptr_t handle;
    (void)subject;
    CHECK(vmem_object_create(&object, 1, NULL) == VMEM_SUCCESS);
    close(0);
    close(2);
    CHECK(vmem_object_export(&object, true, &handle) == VMEM_SUCCESS && handle > 2);
    CHECK(vmem_object_import(&imported, handle) == VMEM_SUCCESS && imported.handle > 2);
}

static void test_duplicates_are_not_standard_files(void) { CHECK(succeeds_in_child(close_the_standard_files, NULL)); }

static void test_mapping_is_not_charged_and_committing_is(void) {
    const size_t capacity = HAS_64_BITS ? MIB << 14 : MIB << 8, size = 32 * MIB;
    uint64_t data_before = private_writable();
    bool grows_when_mapped = true, grows_when_committed = false;
    int i;
    // Other processes change Committed_AS too: one of several attempts has to show it.
    for (i = 0; i < 20 && (grows_when_mapped || !grows_when_committed); i++) {
        VmemObject object = make_object(capacity, 0);
        uint64_t before = committed_by_all_processes(), mapped;
        char* ptr = map_object(&object, capacity);
        mapped = committed_by_all_processes();
        CHECK(private_writable() == data_before);
        CHECK(vmem_object_commit(&object, 0, size) == VMEM_SUCCESS);
        grows_when_committed = grows_when_committed || committed_by_all_processes() >= mapped + size / 2;
        grows_when_mapped = grows_when_mapped && mapped >= before + capacity / 2;
        CHECK(allocated((int)object.handle) == size);
        CHECK(vmem_object_unmap(ptr, capacity) == VMEM_SUCCESS);
        close_object(&object);
    }
    CHECK(!grows_when_mapped);
    CHECK(grows_when_committed);
}

static void test_mappings_are_left_out_of_core_dumps(void) {
    VmemObject object = make_object(pages(4), pages(4));
    char* ptr = map_object(&object, pages(4));
    CHECK(mapping_has(ptr, " dd"));
    CHECK(vmem_advise_dump(ptr, pages(2), true) == VMEM_SUCCESS);
    CHECK(!mapping_has(ptr, " dd") && mapping_has(ptr + pages(2), " dd"));
    CHECK(vmem_object_make_private(&object, ptr, pages(4), 0) == VMEM_SUCCESS);
    CHECK(mapping_has(ptr, "rw-p") && mapping_has(ptr, " dd") && mapping_has(ptr, " nr"));
    CHECK(vmem_object_unmap(ptr, pages(4)) == VMEM_SUCCESS);
    close_object(&object);
}

static void test_growing_adds_no_mappings(void) {
    VmemObject object = make_object(pages(256), 0);
    size_t before = count_mappings(), i;
    uint64_t addresses = address_space();
    char* ptr = map_object(&object, pages(256));
    CHECK(count_mappings() == before + 1 && address_space() == addresses + pages(256));
    for (i = 0; i < 256; i++) CHECK(vmem_object_commit(&object, pages(i), 1) == VMEM_SUCCESS);
    CHECK(count_mappings() == before + 1);
    CHECK(vmem_object_unmap(ptr, pages(256)) == VMEM_SUCCESS);
    CHECK(count_mappings() == before && address_space() == addresses);
    close_object(&object);
}

static void test_mirrored_mapping_is_two_mappings(void) {
    VmemObject object = make_object(pages(4), pages(4));
    size_t before = count_mappings();
    uint64_t addresses = address_space();
    char* ptr = (char*)vmem_object_map_mirrored(&object, pages(3), pages(1), VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    CHECK(count_mappings() == before + 2 && address_space() == addresses + pages(7));
    CHECK(mapping_has(ptr, "00000000 ") && !mapping_has(ptr + pages(4), "00000000 "));
    CHECK(vmem_object_unmap_mirrored(ptr, pages(3), pages(1)) == VMEM_SUCCESS);
    ptr = (char*)vmem_object_map_mirrored(&object, pages(4), 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    CHECK(count_mappings() == before + 2 && address_space() == addresses + pages(8));
    CHECK(mapping_has(ptr, "00000000 ") && mapping_has(ptr + pages(4), "00000000 "));
    CHECK(mapping_has(ptr, " dd") && mapping_has(ptr + pages(4), " dd"));
    CHECK(vmem_object_unmap_mirrored(ptr, pages(4), 0) == VMEM_SUCCESS);
    CHECK(count_mappings() == before && address_space() == addresses);
    close_object(&object);
}

static void test_nothing_is_left_behind(void) {
    size_t mappings, i;
    int file;
    file = next_file();
    mappings = count_mappings();
    for (i = 0; i < 200; i++) {
        VmemObject object = make_object(pages(8), pages(2)), imported;
        char *ptr = map_object(&object, pages(8)), *other;
        intptr_t handle;
        REQUIRE(vmem_object_export(&object, i % 2 == 0, &handle) == VMEM_SUCCESS);
        REQUIRE(vmem_object_import(&imported, handle) == VMEM_SUCCESS);
        CHECK(close((int)handle) == 0);
        other = (char*)vmem_object_map_aligned(&imported, pages(8), 0, VMEM_READ, MIB);
        CHECK(other && vmem_object_unmap(other, pages(8)) == VMEM_SUCCESS);
        CHECK(vmem_object_unmap(ptr, pages(8)) == VMEM_SUCCESS);
        CHECK(vmem_object_import(&imported, -1) == VMEM_ERROR_INVALID_ARGUMENT);
        close_object(&imported);
        close_object(&object);
    }
    CHECK(next_file() == file);
    CHECK(count_mappings() == mappings);
}

// Memory of huge pages has seals too, but its mappings are whole huge pages. Kernels without them make none.
static void test_memory_of_huge_pages_is_no_object(void) {
    const unsigned huge = 4;
    VmemObject object;
    int file = (int)syscall(SYS_memfd_create, "huge", huge);
    if (file < 0) return;
    CHECK(vmem_object_import(&object, file) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_object_from_file(&object, file, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(close(file) == 0);
}

// >>files -------------------------------------------------------------------------------------------------------------

static VmemObject open_object(const char* path, int flags) {
    VmemObject object = {-1, -1, 0, 0, 0, false};
    int file = open(path, flags);
    REQUIRE(file >= 0);
    REQUIRE(vmem_object_from_file(&object, file, pages(16)) == VMEM_SUCCESS);
    REQUIRE(close(file) == 0);
    return object;
}

static size_t published(VmemObject* object) {
    size_t num_bytes = 99;
    errno = UNTOUCHED;
    CHECK(vmem_object_get_published(object, &num_bytes) == VMEM_SUCCESS && errno == UNTOUCHED);
    return num_bytes;
}

// Another process that writes a file, and is killed.
static void write_until_killed(const char* path) {
    int ends[2];
    char byte;
    pid_t child;
    REQUIRE(pipe(ends) == 0);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        VmemObject writer = open_object(path, O_RDWR);
        REQUIRE(vmem_object_publish(&writer, SIZE_MAX, 3) == VMEM_SUCCESS && write(ends[1], "x", 1) == 1);
        for (;;) pause();
    }
    REQUIRE(read(ends[0], &byte, 1) == 1);
    {
        VmemObject reader = open_object(path, O_RDONLY);
        CHECK(published(&reader) == 3);
        REQUIRE(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
        CHECK(published(&reader) == 100);
        close_object(&reader);
    }
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void test_published_bytes(void) {
    char path[] = "/tmp/vmem-test-XXXXXX";
    VmemObject writer, reader;
    int file = mkstemp(path);
    REQUIRE(file >= 0);
    writer = open_object(path, O_RDWR);
    reader = open_object(path, O_RDONLY);
    CHECK(published(&reader) == 0);
    CHECK(vmem_object_resize(&writer, 10) == VMEM_SUCCESS);
    CHECK(published(&reader) == 10);
    CHECK(vmem_object_publish(&writer, SIZE_MAX, 5) == VMEM_SUCCESS);
    CHECK(published(&reader) == 5);
    CHECK(vmem_object_resize(&writer, 100) == VMEM_SUCCESS);
    CHECK(published(&reader) == 5);
    CHECK(vmem_object_publish(&writer, 5, 50) == VMEM_SUCCESS);
    CHECK(published(&reader) == 50);
    CHECK(vmem_object_publish(&writer, 50, 200) == VMEM_SUCCESS);
    CHECK(published(&reader) == 100);  // not more than there is
    REQUIRE(flock((int)writer.handle, LOCK_EX) == 0);
    CHECK(vmem_object_publish(&writer, 200, SIZE_MAX) == VMEM_SUCCESS);
    CHECK(published(&reader) == 100);
    CHECK(flock((int)reader.handle, LOCK_EX | LOCK_NB) == 0);
    close_object(&writer);
    close_object(&reader);
    write_until_killed(path);
    CHECK(unlink(path) == 0 && close(file) == 0);
}

// >>seals -------------------------------------------------------------------------------------------------------------

// What another process does to an object that it was sent. The mappings of the parent are not used.
static int attacked;
static size_t attacked_size;

static bool is_refused(long result) { return result == -1 && (errno == EPERM || errno == EACCES); }

static void shrink(char* refused) {
    CHECK(is_refused(ftruncate(attacked, (off_t)attacked_size - 1)) == (refused != NULL));
    CHECK(is_refused(ftruncate(attacked, 0)) == (refused != NULL));
    CHECK((size_of_file(attacked) == (off_t)attacked_size) == (refused != NULL));
}

static void open_truncating(char* refused) {
    char path[64];
    int file;
    sprintf(path, "/proc/self/fd/%d", attacked);
    file = open(path, O_RDWR | O_TRUNC);
    CHECK((file < 0) == (refused != NULL));
    CHECK((size_of_file(attacked) == (off_t)attacked_size) == (refused != NULL));
}

static void punch_a_hole(char* refused) {
    CHECK(is_refused(fallocate(attacked, PUNCH_HOLE_KEEP_SIZE, 0, (off_t)pages(1))) == (refused != NULL));
    CHECK((allocated(attacked) == attacked_size) == (refused != NULL));
}

static void write_bytes(char* refused) { CHECK(is_refused(pwrite(attacked, "x", 1, 0)) == (refused != NULL)); }

static void append_bytes(char* refused) {
    CHECK(is_refused(pwrite(attacked, "x", 1, (off_t)attacked_size)) == (refused != NULL));
}

static bool can_write_mapping_of(int file) {
    void* ptr = mmap(NULL, pages(1), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(ptr != MAP_FAILED || is_refused(-1));
    if (ptr != MAP_FAILED) *(char*)ptr = 'x';
    return ptr != MAP_FAILED;
}

static void map_to_write(char* refused) { CHECK(can_write_mapping_of(attacked) == (refused == NULL)); }

static void open_again_and_map_to_write(char* refused) {
    char path[64];
    int file;
    sprintf(path, "/proc/self/fd/%d", attacked);
    file = open(path, O_RDWR);
    CHECK(file >= 0 && can_write_mapping_of(file) == (refused == NULL));
    CHECK(is_refused(pwrite(file, "x", 1, 0)) == (refused != NULL));
}

static void grant_write_access(char* refused) {
    void* ptr = mmap(NULL, pages(1), PROT_READ, MAP_SHARED, attacked, 0);
    REQUIRE(ptr != MAP_FAILED);
    CHECK(is_refused(mprotect(ptr, pages(1), PROT_READ | PROT_WRITE)) == (refused != NULL));
}

static void remove_mapped_pages(char* refused) {
    void* ptr = mmap(NULL, pages(1), PROT_READ, MAP_SHARED, attacked, 0);
    REQUIRE(ptr != MAP_FAILED);
    mprotect(ptr, pages(1), PROT_READ | PROT_WRITE);
    CHECK((madvise(ptr, pages(1), MADV_REMOVE_PAGES) != 0) == (refused != NULL));
    CHECK((allocated(attacked) == attacked_size) == (refused != NULL));
}

static void write_as_a_debugger(char* refused) {
    void* ptr = mmap(NULL, pages(1), PROT_READ, MAP_SHARED, attacked, 0);
    int memory = open("/proc/self/mem", O_RDWR);
    REQUIRE(ptr != MAP_FAILED && memory >= 0);
    (void)refused;  // a read-only mapping of anything shared cannot be written to that way
    CHECK(pwrite(memory, "x", 1, (off_t)(uintptr_t)ptr) != 1);
}

static void seal_growth(char* refused) { CHECK(is_refused(fcntl(attacked, 1033, 4)) == (refused != NULL)); }

typedef struct Attack {
    ChildBody run;
    unsigned refused_with;  // one of these seals
} Attack;

static const Attack attacks[] = {
    {shrink, VMEM_SEAL_SIZE},
    {open_truncating, VMEM_SEAL_SIZE},
    {punch_a_hole, VMEM_SEAL_WRITERS},
    {write_bytes, VMEM_SEAL_WRITERS},
    {append_bytes, VMEM_SEAL_WRITERS},
    {map_to_write, VMEM_SEAL_WRITERS},
    {open_again_and_map_to_write, VMEM_SEAL_WRITERS},
    {grant_write_access, VMEM_SEAL_WRITERS},
    {remove_mapped_pages, VMEM_SEAL_WRITERS},
    {write_as_a_debugger, VMEM_SEAL_WRITERS},
    {seal_growth, VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS},
};

// The owner maps before it seals, and then writes and grows as before.
static void check_attacks(unsigned seals, bool is_writable) {
    static char refused[] = "refused";
    size_t i;
    for (i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        VmemObject object = make_object(pages(8), pages(2));
        char *ptr = map_object(&object, pages(8)),
             *mirrored = (char*)vmem_object_map_mirrored(&object, pages(2), 0, VMEM_READ_WRITE);
        bool is_refused_by_seals = (attacks[i].refused_with & seals) != 0;
        unsigned found = 99;
        intptr_t handle;
        REQUIRE(mirrored != NULL);
        if (seals) CHECK(vmem_object_seal(&object, seals) == VMEM_SUCCESS);
        CHECK(vmem_object_get_seals(&object, &found) == VMEM_SUCCESS && found == seals);
        CHECK(vmem_object_export(&object, is_writable, &handle) == VMEM_SUCCESS);
        ptr[0] = 'o';
        attacked = (int)handle;
        attacked_size = pages(2);
        CHECK(succeeds_in_child(attacks[i].run, is_refused_by_seals ? refused : NULL));
        if (is_refused_by_seals) {
            CHECK(ptr[0] == 'o' && size_of_file((int)object.handle) == (off_t)pages(2));
            ptr[pages(2) - 1] = 'w';
            CHECK(mirrored[pages(2)] == 'o' && mirrored[pages(4) - 1] == 'w');
            CHECK(vmem_object_commit(&object, pages(2), pages(2)) == VMEM_SUCCESS);
            CHECK(vmem_prefault(ptr + pages(2), pages(2)) == VMEM_SUCCESS);
            ptr[pages(3)] = 'w';
        }
        CHECK(vmem_object_unmap_mirrored(mirrored, pages(2), 0) == VMEM_SUCCESS);
        CHECK(vmem_object_unmap(ptr, pages(8)) == VMEM_SUCCESS);
        CHECK(close((int)handle) == 0);
        close_object(&object);
    }
}

static void test_attacks(void) {
    check_attacks(0, true);  // without seals each of them succeeds
    check_attacks(VMEM_SEAL_SIZE, true);
    if (!vmem_get_capabilities().can_seal_writers) return;
    check_attacks(VMEM_SEAL_WRITERS, true);
    check_attacks(VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS, true);
    check_attacks(VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS, false);
}

static void test_sealing_again(void) {
    VmemObject object = make_object(pages(1), pages(1));
    unsigned seals = 99;
    CHECK(vmem_object_seal(&object, VMEM_SEAL_SIZE) == VMEM_SUCCESS);
    errno = UNTOUCHED;
    CHECK(vmem_object_seal(&object, VMEM_SEAL_WRITERS) == VMEM_ERROR_ACCESS_DENIED && errno == EPERM);
    CHECK(vmem_object_get_seals(&object, &seals) == VMEM_SUCCESS && seals == VMEM_SEAL_SIZE);
    CHECK(vmem_object_map(&object, 1, 0, VMEM_READ_WRITE) != NULL);
    close_object(&object);
}

// A seal that somebody else may add to is none.
static void test_seals_count_only_when_no_others_can_be_added(void) {
    VmemObject object = make_object(pages(1), pages(1));
    unsigned seals = 99;
    REQUIRE(fcntl((int)object.handle, 1033, 2 | 8) == 0);
    CHECK(vmem_object_get_seals(&object, &seals) == VMEM_SUCCESS && seals == 0);
    REQUIRE(fcntl((int)object.handle, 1033, 1) == 0);
    CHECK(vmem_object_get_seals(&object, &seals) == VMEM_SUCCESS && seals == (VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS));
    close_object(&object);
}

static void test_a_reader_cannot_seal(void) {
    VmemObject object = make_object(pages(1), pages(1)), reader;
    intptr_t handle;
    CHECK(vmem_object_export(&object, false, &handle) == VMEM_SUCCESS);
    CHECK(vmem_object_import(&reader, handle) == VMEM_SUCCESS);
    CHECK(vmem_object_seal(&reader, VMEM_SEAL_SIZE) == VMEM_ERROR_ACCESS_DENIED);
    CHECK(close((int)handle) == 0);
    close_object(&reader);
    close_object(&object);
}

// In a child of the one that sealed, too: its pages become private although nobody may map them to write.
static VmemObject sealed;

static void write_to_private_pages(char* ptr) {
    CHECK(vmem_object_make_private(&sealed, ptr, pages(2), 0) == VMEM_SUCCESS);
    memset(ptr, 2, pages(2));
}

static void test_private_pages_of_a_sealed_object(void) {
    char* ptr;
    sealed = make_object(pages(2), pages(2));
    ptr = map_object(&sealed, pages(2));
    ptr[0] = 1;
    CHECK(vmem_object_seal(&sealed, VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS) == VMEM_SUCCESS);
    CHECK(succeeds_in_child(write_to_private_pages, ptr));
    CHECK(ptr[0] == 1 && ptr[1] == 0);
    CHECK(vmem_object_unmap(ptr, pages(2)) == VMEM_SUCCESS);
    close_object(&sealed);
}

// >>limits ------------------------------------------------------------------------------------------------------------

static VmemObject limited;

static void commit_above_the_file_size_limit(char* ptr) {
    struct rlimit limit = {0, 0};
    limit.rlim_cur = limit.rlim_max = (rlim_t)pages(4);
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    errno = UNTOUCHED;
    CHECK(vmem_object_commit(&limited, pages(3), pages(2)) == VMEM_ERROR_OUT_OF_MEMORY && errno == EFBIG);
    CHECK(size_of_file((int)limited.handle) == (off_t)pages(2) && allocated((int)limited.handle) == pages(2));
    CHECK(ptr[0] == 1);
    CHECK(vmem_object_commit(&limited, pages(3), pages(1)) == VMEM_SUCCESS);
    ptr[pages(3)] = 1;
}

static void test_file_size_limit(void) {
    char* ptr;
    limited = make_object(pages(8), pages(2));
    ptr = map_object(&limited, pages(8));
    ptr[0] = 1;
    CHECK(succeeds_in_child(commit_above_the_file_size_limit, ptr));
    CHECK(ptr[pages(3)] == 1);
    CHECK(vmem_object_unmap(ptr, pages(8)) == VMEM_SUCCESS);
    close_object(&limited);
}

// The signal of this limit would end the program.
static void ask_below_the_file_size_limit(char* subject) {
    const struct rlimit none = {0, 0};
    (void)subject;
    signal(SIGXFSZ, SIG_DFL);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
    vmem__linux_objects = 0;  // ask the kernel again
    CHECK(vmem_get_capabilities().can_share && vmem_get_capabilities().can_seal);
}

static void test_capabilities_do_not_depend_on_limits(void) {
    CHECK(succeeds_in_child(ask_below_the_file_size_limit, NULL));
}

static void map_above_the_address_space_limit(char* subject) {
    struct rlimit limit = {0, 0};
    size_t mappings = count_mappings();
    char* ptr;
    (void)subject;
    limit.rlim_cur = limit.rlim_max = (rlim_t)(address_space() + 64 * MIB);
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    errno = UNTOUCHED;
    CHECK(vmem_object_map(&limited, 65 * MIB, 0, VMEM_READ_WRITE) == NULL && errno == ENOMEM);
    errno = UNTOUCHED;
    CHECK(vmem_object_map_aligned(&limited, 48 * MIB, 0, VMEM_READ, 32 * MIB) == NULL && errno == ENOMEM);
    errno = UNTOUCHED;
    CHECK(vmem_object_map_mirrored(&limited, 33 * MIB, 0, VMEM_READ_WRITE) == NULL && errno == ENOMEM);
    CHECK(count_mappings() == mappings);
    ptr = (char*)vmem_object_map_mirrored(&limited, 31 * MIB, 0, VMEM_READ_WRITE);
    REQUIRE(ptr != NULL);
    CHECK(vmem_object_make_private(&limited, ptr, 31 * MIB, 0) == VMEM_SUCCESS);
    CHECK(vmem_object_unmap_mirrored(ptr, 31 * MIB, 0) == VMEM_SUCCESS);
}

static void test_address_space_limit(void) {
    limited = make_object(128 * MIB, 0);
    CHECK(succeeds_in_child(map_above_the_address_space_limit, NULL));
    close_object(&limited);
}

static void reach_the_limit_of_descriptors(char* subject) {
    const struct rlimit none = {0, 0};
    VmemObject other;
    intptr_t handle = 99;
    (void)subject;
    other = limited;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
#define CHECK_NO_DESCRIPTORS(call)              \
    do {                                        \
        CHECK((call) == VMEM_ERROR_SYSTEM);     \
        CHECK(errno == EMFILE && handle == 99); \
    } while (0)
    CHECK_NO_DESCRIPTORS(vmem_object_create(&other, 1, NULL));
    CHECK_NO_DESCRIPTORS(vmem_object_export(&limited, false, &handle));
    CHECK(vmem_object_export(&limited, true, &handle) != VMEM_SUCCESS && handle == 99);  // EMFILE or EINVAL
    CHECK(vmem_object_import(&other, limited.handle) != VMEM_SUCCESS);
    CHECK(memcmp(&other, &limited, sizeof other) == 0);
    CHECK(vmem_get_capabilities().can_share && vmem_get_capabilities().can_seal);  // it is not about now
    CHECK(vmem_object_commit(&limited, 0, 1) == VMEM_SUCCESS);
}

static void test_limit_of_descriptors(void) {
    limited = make_object(pages(1), 0);
    CHECK(succeeds_in_child(reach_the_limit_of_descriptors, NULL));
    close_object(&limited);
}

// On a file system of 1 MiB, in a namespace of its own. Returns without a check where that is not allowed.
static void fill_a_file_system(char* subject) {
    char path[] = "/tmp/vmem-test-XXXXXX", name[64];
    VmemObject object;
    char* ptr;
    int file;
    (void)subject;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || !mkdtemp(path)) return;
    if (mount("tmpfs", path, "tmpfs", 0, "size=1m") != 0) {
        rmdir(path);
        return;
    }
    sprintf(name, "%s/file", path);
    file = open(name, O_RDWR | O_CREAT, 0600);
    REQUIRE(file >= 0);
    REQUIRE(vmem_object_from_file(&object, file, 4 * MIB) == VMEM_SUCCESS);
    ptr = map_object(&object, 4 * MIB);
    CHECK(vmem_object_commit(&object, 0, MIB / 2) == VMEM_SUCCESS);
    memset(ptr, 1, MIB / 2);
    errno = UNTOUCHED;
    CHECK(vmem_object_commit(&object, MIB / 2, MIB) == VMEM_ERROR_OUT_OF_MEMORY && errno == ENOSPC);
    CHECK(size_of_file(file) == (off_t)(MIB / 2) && allocated(file) == MIB / 2);
    CHECK(ptr[0] == 1 && ptr[MIB / 2 - 1] == 1);
    CHECK(vmem_object_commit(&object, MIB / 2, MIB / 4) == VMEM_SUCCESS);
    memset(ptr + MIB / 2, 1, MIB / 4);
    CHECK(umount2(path, MNT_DETACH) == 0 && rmdir(path) == 0);
}

static void test_full_file_system(void) { CHECK(succeeds_in_child(fill_a_file_system, NULL)); }

// >>signals -----------------------------------------------------------------------------------------------------------

static volatile sig_atomic_t num_signals;

static void count_signal(int number) {
    (void)number;
    num_signals++;
}

// Each attempt takes far longer than the time to the next signal.
static void commit_under_a_timer(char* subject) {
    const struct itimerval timer = {{0, 500}, {0, 500}}, none = {{0, 0}, {0, 0}};
    VmemObject object = make_object(256 * MIB, 0);
    struct sigaction action;
    sigset_t mask;
    (void)subject;
    memset(&action, 0, sizeof action);
    action.sa_handler = count_signal;
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0);
    errno = UNTOUCHED;
    CHECK(vmem_object_commit(&object, 0, 64 * MIB) == VMEM_SUCCESS);
    CHECK(errno == UNTOUCHED);
    CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0 && num_signals > 0);
    CHECK(allocated((int)object.handle) == 64 * MIB);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(!sigismember(&mask, SIGALRM) && !sigismember(&mask, SIGINT));
    close_object(&object);
}

static void test_signals(void) { CHECK(succeeds_in_child(commit_under_a_timer, NULL)); }

// >>main --------------------------------------------------------------------------------------------------------------

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    test_names_in_proc_maps();
    test_protections_in_proc_maps();
    test_sizes_that_fstat_reports();
    test_descriptors_are_closed_in_programs_that_are_started();
    test_a_descriptor_that_only_writes();
    test_duplicates_are_not_standard_files();
    test_mapping_is_not_charged_and_committing_is();
    test_mappings_are_left_out_of_core_dumps();
    test_growing_adds_no_mappings();
    test_mirrored_mapping_is_two_mappings();
    test_nothing_is_left_behind();
    test_memory_of_huge_pages_is_no_object();
    test_published_bytes();
    test_attacks();
    test_sealing_again();
    test_seals_count_only_when_no_others_can_be_added();
    test_a_reader_cannot_seal();
    test_private_pages_of_a_sealed_object();
    test_file_size_limit();
    test_capabilities_do_not_depend_on_limits();
    test_address_space_limit();
    test_limit_of_descriptors();
    test_full_file_system();
    test_signals();
    return report();
}
