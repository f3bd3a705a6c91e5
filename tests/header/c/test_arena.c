// Tests vmem_arena.h, on every system and emulator: with nothing but the two headers and the C library. Every system call
// is made to fail, alone and with all that follow. Prints the page size, each check that fails, then "N checks, M failed".
//
// It is C99 and C++11. Search for >>hook, >>checks, >>initialising, >>allocating, >>rewinding, >>trimming, >>releasing,
// >>arrays, >>array memory, >>failures, >>main.

#include <stdbool.h>

static bool fails(void);
#define VMEM_FAIL(call) ((void)(call), fails())

#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

#include <errno.h>
#include <string.h>

#include "check.h"

// >>hook --------------------------------------------------------------------------------------------------------------

// The system calls from `first` up to but not including `end` fail, counted since they were set.
static struct {
    size_t num_calls, first, end;
} hook;

#define UNLIMITED ((size_t)-1)

static void set_refused(void) {
#if defined(_WIN32)
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
#endif
    errno = ENOMEM;
}

static bool fails(void) {
    size_t index = hook.num_calls++;
    if (index < hook.first || index >= hook.end) return false;
    set_refused();
    return true;
}

static void fail_calls(size_t first, size_t end) {
    hook.num_calls = 0;
    hook.first = first;
    hook.end = end;
}

static void fail_none(void) { fail_calls(0, 0); }

// >>checks ------------------------------------------------------------------------------------------------------------

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

// An error code that no tested call sets.
#define UNTOUCHED 33

#define CHECK_KEEPS_ERRNO(expression) \
    do {                              \
        errno = UNTOUCHED;            \
        CHECK(expression);            \
        CHECK(errno == UNTOUCHED);    \
    } while (0)

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

static bool is_filled(const void* start, size_t num_bytes, char value) {
    const char* bytes = (const char*)start;
    return num_bytes == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, num_bytes - 1) == 0);
}

static bool is_released(const VmemArena* arena) {
    return !arena->base && !arena->max_bytes && !arena->num_used && !arena->num_committed && !arena->num_dirty;
}

static bool is_same(const VmemArena* arena, const VmemArena* other) { return memcmp(arena, other, sizeof *arena) == 0; }

// What holds for every arena at all times.
static bool is_sound(const VmemArena* arena) {
    return arena->num_used <= arena->num_dirty && arena->num_dirty <= arena->num_committed &&
           arena->num_dirty <= arena->max_bytes && arena->num_committed % pages(1) == 0 &&
           arena->num_committed < arena->max_bytes + pages(1);
}

static VmemArena make_arena(size_t max_bytes) {
    VmemArena arena;
    REQUIRE(vmem_arena_init(&arena, max_bytes) == VMEM_SUCCESS);
    return arena;
}

static char* allocate(VmemArena* arena, size_t num_bytes) {
    char* bytes = (char*)vmem_arena_alloc(arena, num_bytes, 1);
    REQUIRE(bytes != NULL);
    return bytes;
}

static void release(VmemArena* arena) {
    CHECK(is_sound(arena));
    CHECK(vmem_arena_release(arena) == VMEM_SUCCESS);
    CHECK(is_released(arena));
}

// Whether an allocation fails, with nothing changed.
static bool is_refused(VmemArena* arena, size_t num_bytes, size_t align) {
    VmemArena before = *arena;
    bool is_null = !vmem_arena_alloc(arena, num_bytes, align) && !vmem_arena_alloc_dirty(arena, num_bytes, align) &&
                   !vmem_arena_alloc_items(arena, 1, num_bytes, align);
    return is_null && is_same(arena, &before);
}

// >>initialising ------------------------------------------------------------------------------------------------------

static void test_init(void) {
    VmemArena arena;
    memset(&arena, 0xff, sizeof arena);
    CHECK_KEEPS_ERRNO(vmem_arena_init(&arena, 100) == VMEM_SUCCESS);
    CHECK(arena.base != NULL && arena.max_bytes == 100);
    CHECK(arena.num_used == 0 && arena.num_committed == 0 && arena.num_dirty == 0);
    release(&arena);
}

static void test_init_with_wrong_arguments(void) {
    const size_t wrong[] = {0, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - pages(1) + 1};
    VmemArena arena;
    size_t i;
    CHECK_KEEPS_ERRNO(vmem_arena_init(NULL, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(&arena, 0xff, sizeof arena);
        CHECK_KEEPS_ERRNO(vmem_arena_init(&arena, wrong[i]) == VMEM_ERROR_INVALID_ARGUMENT);
        CHECK(is_released(&arena));
    }
    memset(&arena, 0xff, sizeof arena);
    CHECK(vmem_arena_init(&arena, SIZE_MAX - pages(16)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(is_released(&arena));
}

static void test_a_released_arena(void) {
    static VmemArena arena;
    CHECK(is_refused(&arena, 1, 1));
    CHECK(is_refused(&arena, 0, 1));
    CHECK(vmem_arena_mark(&arena) == 0);
    CHECK(vmem_arena_rewind(&arena, 0) == VMEM_SUCCESS);
    CHECK(vmem_arena_rewind(&arena, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_arena_trim(&arena) == VMEM_SUCCESS);
    CHECK(vmem_arena_release(&arena) == VMEM_SUCCESS);
    CHECK(is_released(&arena));
}

static void test_null(void) {
    CHECK(vmem_arena_alloc(NULL, 1, 1) == NULL);
    CHECK(vmem_arena_alloc_dirty(NULL, 1, 1) == NULL);
    CHECK(vmem_arena_alloc_items(NULL, 1, 1, 1) == NULL);
    CHECK(vmem_arena_mark(NULL) == 0);
    CHECK(vmem_arena_rewind(NULL, 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_arena_trim(NULL) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_arena_release(NULL) == VMEM_ERROR_INVALID_ARGUMENT);
}

// >>allocating --------------------------------------------------------------------------------------------------------

static void test_allocations_follow_each_other(void) {
    VmemArena arena = make_arena(MIB);
    char *first = allocate(&arena, 3), *second = allocate(&arena, 5), *third;
    CHECK(first == arena.base && second == first + 3);
    third = (char*)vmem_arena_alloc(&arena, 8, 8);
    CHECK(third == first + 8);
    CHECK(vmem_arena_alloc(&arena, 1, 1) == third + 8);
    CHECK((char*)vmem_arena_alloc(&arena, 16, 16) == first + 32);
    CHECK(vmem_arena_mark(&arena) == 48 && arena.num_used == 48);
    memset(first, 1, 48);
    CHECK(is_filled(allocate(&arena, 4000), 4000, 0));
    CHECK(is_filled(first, 48, 1));
    release(&arena);
}

static void test_alignments(void) {
    VmemArena arena = make_arena(64 * MIB);
    size_t align, count = 0;
    for (align = 1; align <= 16 * MIB; align *= 2) {
        char* bytes = (char*)vmem_arena_alloc(&arena, 1, align);
        REQUIRE(bytes != NULL);
        CHECK((uintptr_t)bytes % align == 0 && *bytes == 0);
        *bytes = 1;
        CHECK(is_sound(&arena));
        count++;
    }
    CHECK(count > 20);
    release(&arena);
}

static void test_wrong_alignments(void) {
    const size_t wrong[] = {0, 3, 6, 12, 4095, 4097, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2};
    VmemArena arena = make_arena(MIB);
    size_t i;
    allocate(&arena, 5);
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_KEEPS_ERRNO(is_refused(&arena, 1, wrong[i]));
        CHECK_KEEPS_ERRNO(is_refused(&arena, 0, wrong[i]));
    }
    CHECK_KEEPS_ERRNO(is_refused(&arena, 1, SIZE_MAX / 2 + 1));
    release(&arena);
}

static void test_an_allocation_of_no_bytes_takes_no_space(void) {
    VmemArena arena = make_arena(100);
    VmemArena before = arena;
    CHECK(vmem_arena_alloc(&arena, 0, 1) == arena.base);
    CHECK(is_same(&arena, &before));
    allocate(&arena, 99);
    before = arena;
    CHECK(vmem_arena_alloc(&arena, 0, 1) == arena.base + 99);
    CHECK(vmem_arena_alloc(&arena, 0, 4) == arena.base + 100);
    CHECK(vmem_arena_alloc_items(&arena, 0, 8, 4) == arena.base + 100);
    CHECK(vmem_arena_alloc_items(&arena, SIZE_MAX, 0, 1) == arena.base + 99);
    CHECK(is_same(&arena, &before));
    CHECK(is_refused(&arena, 0, 8));
    release(&arena);
}

static void test_the_last_byte(void) {
    const size_t sizes[] = {1, 100, pages(1) - 1, pages(1), pages(1) + 1, 100 * KIB + 1, 9 * MIB + 5};
    size_t i;
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        VmemArena arena = make_arena(sizes[i]);
        char* bytes;
        CHECK_KEEPS_ERRNO(is_refused(&arena, sizes[i] + 1, 1));
        CHECK_KEEPS_ERRNO(is_refused(&arena, SIZE_MAX, 1));
        bytes = allocate(&arena, sizes[i]);
        CHECK(is_filled(bytes, sizes[i], 0));
        memset(bytes, 1, sizes[i]);
        CHECK_KEEPS_ERRNO(is_refused(&arena, 1, 1));
        CHECK_KEEPS_ERRNO(is_refused(&arena, SIZE_MAX, 1));
        CHECK(arena.num_used == sizes[i] && arena.num_committed == vmem_align_forward(sizes[i], pages(1)));
        release(&arena);
    }
}

// Each byte is written, so that one that is not committed would be a fault.
static void test_growing_by_small_allocations(void) {
    VmemArena arena = make_arena(20 * MIB + 7);
    size_t num_bytes = 0, num_steps = 0, committed = 0;
    char* bytes;
    while ((bytes = (char*)vmem_arena_alloc(&arena, 1009, 1)) != NULL) {
        if (arena.num_committed != committed) {
            num_steps++;
            committed = arena.num_committed;
            if (!is_sound(&arena)) CHECK(is_sound(&arena));
        }
        memset(bytes, 1, 1009);
        num_bytes += 1009;
    }
    CHECK(num_bytes == arena.num_used && arena.max_bytes - num_bytes < 1009);
    CHECK(num_steps > 5 && num_steps < 16);
    CHECK(is_filled(arena.base, num_bytes, 1));
    release(&arena);
}

static void test_small_arenas_stay_small(void) {
    VmemArena arena = make_arena(64 * MIB);
    allocate(&arena, 1);
    CHECK(arena.num_committed == vmem_align_forward(64 * KIB, pages(1)));
    allocate(&arena, 64 * KIB);
    CHECK(arena.num_committed <= 4 * 64 * KIB);
    release(&arena);
}

static void test_one_large_allocation(void) {
    VmemArena arena = make_arena(64 * MIB);
    char* bytes = allocate(&arena, 33 * MIB);
    memset(bytes, 1, 33 * MIB);
    CHECK(arena.num_committed < 45 * MIB);
    memset(allocate(&arena, 31 * MIB), 2, 31 * MIB);
    CHECK(is_filled(bytes, 33 * MIB, 1));
    CHECK(arena.num_committed == 64 * MIB);
    CHECK(is_refused(&arena, 1, 1));
    release(&arena);
}

static void test_items(void) {
    VmemArena arena = make_arena(MIB);
    double* numbers;
    allocate(&arena, 1);
    numbers = VMEM_ARENA_NEW(&arena, double, 10);
    REQUIRE(numbers != NULL);
    CHECK((uintptr_t)numbers % VMEM_ALIGN_OF(double) == 0 && is_filled(numbers, 10 * sizeof(double), 0));
    CHECK(arena.num_used == (size_t)((char*)(numbers + 10) - arena.base));
    CHECK_KEEPS_ERRNO(VMEM_ARENA_NEW(&arena, double, SIZE_MAX / sizeof(double) + 2) == NULL);
    CHECK_KEEPS_ERRNO(vmem_arena_alloc_items(&arena, SIZE_MAX, SIZE_MAX, 1) == NULL);
    CHECK_KEEPS_ERRNO(vmem_arena_alloc_items(&arena, 2, SIZE_MAX / 2 + 1, 1) == NULL);
    release(&arena);
}

typedef struct Padded {
    char first;
    double second;
    char third;
} Padded;

static void test_alignments_of_types(void) {
    CHECK(VMEM_ALIGN_OF(char) == 1);
    CHECK(VMEM_ALIGN_OF(short) == 2);
    CHECK(VMEM_ALIGN_OF(int) == 4);
    CHECK(VMEM_ALIGN_OF(void*) == sizeof(void*));
    CHECK(VMEM_ALIGN_OF(Padded) == offsetof(Padded, second));
}

// >>rewinding ---------------------------------------------------------------------------------------------------------

static void test_rewind(void) {
    VmemArena arena = make_arena(MIB);
    char *kept = allocate(&arena, 10), *freed;
    size_t mark = vmem_arena_mark(&arena), committed;
    memset(kept, 1, 10);
    freed = allocate(&arena, 100 * KIB);
    memset(freed, 2, 100 * KIB);
    committed = arena.num_committed;
    CHECK_KEEPS_ERRNO(vmem_arena_rewind(&arena, mark) == VMEM_SUCCESS);
    CHECK(arena.num_used == 10 && arena.num_committed == committed && arena.num_dirty == 100 * KIB + 10);
    CHECK(allocate(&arena, 7) == freed);
    CHECK(is_filled(freed, 7, 0) && is_filled(kept, 10, 1));
    CHECK(is_filled(freed + 7, 100, 2));
    CHECK(vmem_arena_rewind(&arena, 0) == VMEM_SUCCESS);
    CHECK(vmem_arena_mark(&arena) == 0 && allocate(&arena, 10) == kept);
    CHECK(is_filled(kept, 10, 0));
    release(&arena);
}

static void test_wrong_marks(void) {
    VmemArena arena = make_arena(MIB);
    VmemArena before;
    allocate(&arena, 10);
    before = arena;
    CHECK_KEEPS_ERRNO(vmem_arena_rewind(&arena, 11) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_KEEPS_ERRNO(vmem_arena_rewind(&arena, SIZE_MAX) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(is_same(&arena, &before));
    CHECK(vmem_arena_rewind(&arena, 10) == VMEM_SUCCESS);
    CHECK(is_same(&arena, &before));
    release(&arena);
}

// What is allocated begins in memory that was used before, and ends in memory that was not.
static void test_zeroing_across_the_dirty_end(void) {
    VmemArena arena = make_arena(16 * MIB);
    size_t sizes[] = {pages(1), 64 * KIB, 200 * KIB, 9 * MIB}, i;
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK(vmem_arena_rewind(&arena, 0) == VMEM_SUCCESS);
        memset(allocate(&arena, sizes[i]), 1, sizes[i]);
        CHECK(vmem_arena_rewind(&arena, sizes[i] / 2) == VMEM_SUCCESS);
        CHECK(is_filled(allocate(&arena, sizes[i]), sizes[i], 0));
        CHECK(is_filled(arena.base, sizes[i] / 2, 1));
    }
    release(&arena);
}

static void test_dirty_allocations(void) {
    VmemArena arena = make_arena(MIB);
    char* bytes = (char*)vmem_arena_alloc_dirty(&arena, 100, 1);
    REQUIRE(bytes != NULL);
    CHECK(is_filled(bytes, 100, 0));
    memset(bytes, 1, 100);
    CHECK(vmem_arena_rewind(&arena, 0) == VMEM_SUCCESS);
    CHECK(vmem_arena_alloc_dirty(&arena, 200, 1) == bytes);
    CHECK(is_filled(bytes, 100, 1) && is_filled(bytes + 100, 100, 0));
    memset(bytes + 100, 1, 100);
    CHECK(vmem_arena_rewind(&arena, 50) == VMEM_SUCCESS);
    CHECK(is_filled(allocate(&arena, 300), 300, 0));
    release(&arena);
}

// >>trimming ----------------------------------------------------------------------------------------------------------

static void test_trim(void) {
    VmemArena arena = make_arena(64 * MIB);
    char* kept = allocate(&arena, pages(1) + 1);
    size_t mark = vmem_arena_mark(&arena);
    memset(kept, 1, pages(1) + 1);
    memset(allocate(&arena, 20 * MIB), 2, 20 * MIB);
    CHECK(vmem_arena_rewind(&arena, mark) == VMEM_SUCCESS);
    CHECK_KEEPS_ERRNO(vmem_arena_trim(&arena) == VMEM_SUCCESS);
    CHECK(arena.num_used == mark && arena.num_committed == pages(2) && arena.num_dirty == pages(2));
    CHECK(is_sound(&arena) && is_filled(kept, pages(1) + 1, 1));
    CHECK_KEEPS_ERRNO(vmem_arena_trim(&arena) == VMEM_SUCCESS);
    CHECK(is_filled(allocate(&arena, 20 * MIB), 20 * MIB, 0));
    CHECK(vmem_arena_rewind(&arena, 0) == VMEM_SUCCESS);
    CHECK(vmem_arena_trim(&arena) == VMEM_SUCCESS);
    CHECK(arena.num_committed == 0 && arena.num_dirty == 0);
    CHECK(is_filled(allocate(&arena, 3 * MIB), 3 * MIB, 0));
    release(&arena);
}

// Memory that was committed ahead is returned, and memory that was used is zeroed if it stays.
static void test_trimming_what_was_never_used(void) {
    VmemArena arena = make_arena(64 * MIB);
    memset(allocate(&arena, 100), 1, 100);
    CHECK(vmem_arena_rewind(&arena, 10) == VMEM_SUCCESS);
    CHECK(vmem_arena_trim(&arena) == VMEM_SUCCESS);
    CHECK(arena.num_committed == pages(1) && arena.num_dirty == 100);
    CHECK(is_filled(allocate(&arena, 200), 200, 0));
    release(&arena);
}

// >>releasing ---------------------------------------------------------------------------------------------------------

static void test_release(void) {
    VmemArena arena = make_arena(MIB);
    allocate(&arena, 100);
    CHECK_KEEPS_ERRNO(vmem_arena_release(&arena) == VMEM_SUCCESS);
    CHECK(is_released(&arena) && is_refused(&arena, 1, 1));
    CHECK_KEEPS_ERRNO(vmem_arena_release(&arena) == VMEM_SUCCESS);
    arena = make_arena(MIB);
    CHECK(is_filled(allocate(&arena, MIB), MIB, 0));
    release(&arena);
}

// Addresses that were not returned would run out: together these need more than 32 bits.
static void test_released_addresses_are_free(void) {
    size_t i;
    for (i = 0; i < 100; i++) {
        VmemArena arena = make_arena(256 * MIB);
        memset(allocate(&arena, pages(1)), 1, pages(1));
        release(&arena);
    }
}

// >>arrays ------------------------------------------------------------------------------------------------------------

typedef struct Point {
    double x, y;
    char name[7];
} Point;

typedef VMEM_ARRAY(int) Ints;
typedef VMEM_ARRAY(Point) Points;

static Point make_point(size_t number) {
    Point point;
    memset(&point, (int)(number % 100), sizeof point);
    return point;
}

static bool is_point(const Point* point, size_t number) {
    Point other = make_point(number);
    return memcmp(point, &other, sizeof other) == 0;
}

static void push_points(Points* points, size_t num_items) {
    VmemResult result = VMEM_SUCCESS;
    while (points->num_items < num_items && result == VMEM_SUCCESS)
        result = vmem_array_push(points, make_point(points->num_items));
    REQUIRE(result == VMEM_SUCCESS);
}

static bool is_released_array(const Ints* ints) {
    return !ints->items && ints->num_items == 0 && ints->memory.num_ready == 0 && is_released(&ints->memory.arena);
}

static void test_array(void) {
    Points points;
    const Point* first;
    size_t i, num_wrong = 0;
    memset(&points, 0xff, sizeof points);
    CHECK_KEEPS_ERRNO(vmem_array_init(&points, 100000) == VMEM_SUCCESS);
    CHECK(points.items != NULL && points.num_items == 0 && points.memory.arena.num_committed == 0);
    first = points.items;
    CHECK(vmem_array_pop(&points) == NULL);
    for (i = 0; i < 100000; i++) {
        if (vmem_array_push(&points, make_point(i)) != VMEM_SUCCESS) num_wrong++;
        if (points.num_items != i + 1 || points.memory.num_ready < i + 1) num_wrong++;
    }
    CHECK(points.items == first);
    for (i = 0; i < 100000; i++) num_wrong += !is_point(&points.items[i], i);
    CHECK(num_wrong == 0);
    CHECK_KEEPS_ERRNO(vmem_array_push(&points, make_point(0)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(points.num_items == 100000);
    while (i > 99000) {
        const Point* last = vmem_array_pop(&points);
        i--;
        num_wrong += last != &points.items[i] || points.num_items != i || !is_point(last, i);
    }
    CHECK(num_wrong == 0);
    vmem_array_push(&points, points.items[7]);  // results may be ignored
    vmem_array_push(&points, points.items[8]);
    vmem_array_pop(&points);
    vmem_array_ensure(&points, 0);
    CHECK(points.num_items == 99001 && is_point(&points.items[99000], 7));
    vmem_array_clear(&points);
    CHECK(points.num_items == 0 && points.memory.num_ready == 100000 && vmem_array_pop(&points) == NULL);
    CHECK(vmem_array_release(&points) == VMEM_SUCCESS);
    CHECK(points.items == NULL && points.memory.num_ready == 0 && is_released(&points.memory.arena));
}

static void test_array_with_wrong_sizes(void) {
    Ints ints;
    memset(&ints, 0xff, sizeof ints);
    CHECK_KEEPS_ERRNO(vmem_array_init(&ints, 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(is_released_array(&ints));
    CHECK_KEEPS_ERRNO(vmem_array_init(&ints, SIZE_MAX) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(is_released_array(&ints));
    CHECK_KEEPS_ERRNO(vmem_array_init(&ints, SIZE_MAX / sizeof(int) + 2) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(is_released_array(&ints));
    CHECK(vmem_array_init(&ints, (SIZE_MAX - pages(16)) / sizeof(int)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(is_released_array(&ints));
}

// In C such a type is an extension of some compilers, and takes no bytes: then an array of them cannot be made.
static void test_items_without_bytes(void) {
    VmemArrayMemory memory;
    char* items;
    size_t num_items;
    memset(&memory, 0xff, sizeof memory);
    CHECK_KEEPS_ERRNO(vmem__array_init(&memory, &items, &num_items, 10, 0, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(items == NULL && num_items == 0);
    CHECK(vmem__array_ensure(&memory, 0, 1, 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem__array_trim(&memory, 0, 0) == VMEM_SUCCESS);
    CHECK(vmem__array_release(&memory, &items, &num_items) == VMEM_SUCCESS);
}

static int num_evaluated;

static int evaluate(int item) {
    num_evaluated++;
    return item;
}

static void test_a_released_array(void) {
    static Ints ints;
    num_evaluated = 0;
    CHECK(vmem_array_push(&ints, evaluate(1)) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(num_evaluated == 0);
    CHECK(vmem_array_ensure(&ints, 1) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_array_ensure(&ints, 0) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK(vmem_array_pop(&ints) == NULL);
    vmem_array_clear(&ints);
    CHECK(vmem_array_trim(&ints) == VMEM_SUCCESS);
    CHECK(vmem_array_release(&ints) == VMEM_SUCCESS);
    CHECK(is_released_array(&ints));
}

static void test_arguments_are_evaluated_once(void) {
    Ints ints;
    num_evaluated = 0;
    REQUIRE(vmem_array_init(&ints, (size_t)evaluate(3)) == VMEM_SUCCESS);
    CHECK(num_evaluated == 1);
    CHECK(vmem_array_push(&ints, evaluate(5)) == VMEM_SUCCESS);
    CHECK(num_evaluated == 2);
    CHECK(vmem_array_ensure(&ints, (size_t)evaluate(2)) == VMEM_SUCCESS);
    CHECK(num_evaluated == 3);
    CHECK(vmem_array_push(&ints, evaluate(6)) == VMEM_SUCCESS && vmem_array_push(&ints, evaluate(7)) == VMEM_SUCCESS);
    CHECK(num_evaluated == 5);
    CHECK(vmem_array_push(&ints, evaluate(8)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(num_evaluated == 5 && ints.num_items == 3);
    CHECK(ints.items[0] == 5 && ints.items[1] == 6 && ints.items[2] == 7);
    CHECK(vmem_array_release(&ints) == VMEM_SUCCESS);
}

static void test_items_of_several_forms(void) {
    VMEM_ARRAY(const char*) texts;
    VMEM_ARRAY(VmemArena) arenas;
    VMEM_ARRAY(char) bytes;
    VmemArena arena = {NULL, 1, 2, 3, 4};
    int which = 1;
    REQUIRE(vmem_array_init(&texts, 3) == VMEM_SUCCESS);
    REQUIRE(vmem_array_init(&arenas, 3) == VMEM_SUCCESS);
    REQUIRE(vmem_array_init(&bytes, 3) == VMEM_SUCCESS);
    CHECK(vmem_array_push(&texts, which ? "one" : "two") == VMEM_SUCCESS);
    CHECK(vmem_array_push(&texts, NULL) == VMEM_SUCCESS);
    CHECK(strcmp(texts.items[0], "one") == 0 && texts.items[1] == NULL && texts.num_items == 2);
    CHECK(vmem_array_push(&arenas, arena) == VMEM_SUCCESS);
    CHECK(arenas.items[0].num_dirty == 4);
    CHECK(vmem_array_push(&bytes, 'x') == VMEM_SUCCESS && bytes.items[0] == 'x');
    // A compound literal with a comma is one item in C; C++ has initialiser lists for that.
#if defined(__cplusplus)
    CHECK(vmem_array_push(&arenas, VmemArena{NULL, 5, 6, 7, 8}) == VMEM_SUCCESS);
    CHECK(vmem_array_push(&arenas, {NULL, 5, 6, 7, 9}) == VMEM_SUCCESS);
    CHECK(vmem_array_pop(&arenas)->num_dirty == 9);
#else
    CHECK(vmem_array_push(&arenas, (VmemArena){NULL, 5, 6, 7, 8}) == VMEM_SUCCESS);
#endif
    CHECK(arenas.items[1].max_bytes == 5 && arenas.items[1].num_dirty == 8);
    CHECK(vmem_array_release(&texts) == VMEM_SUCCESS);
    CHECK(vmem_array_release(&arenas) == VMEM_SUCCESS);
    CHECK(vmem_array_release(&bytes) == VMEM_SUCCESS);
}

// >>array memory ------------------------------------------------------------------------------------------------------

#define ITEM_SIZE ((size_t)1 << 18)

typedef struct AlignedItem {
    char bytes[ITEM_SIZE];
} __attribute__((aligned(1 << 18))) AlignedItem;

// Pages between the arrays keep their addresses from being aligned by chance.
static void test_items_aligned_to_more_than_a_page(void) {
    VMEM_ARRAY(AlignedItem) arrays[3];
    void* between[3];
    size_t i, j;
    for (i = 0; i < 3; i++) {
        REQUIRE((between[i] = vmem_reserve(pages(1))) != NULL);
        REQUIRE(vmem_array_init(&arrays[i], 3) == VMEM_SUCCESS);
        REQUIRE(vmem_array_ensure(&arrays[i], 3) == VMEM_SUCCESS);
        for (j = 0; j < 3; j++) {
            CHECK(vmem_is_aligned((uintptr_t)&arrays[i].items[j], ITEM_SIZE));
            memset(arrays[i].items[j].bytes, 1, ITEM_SIZE);
        }
    }
    for (i = 0; i < 3; i++) {
        CHECK(vmem_array_release(&arrays[i]) == VMEM_SUCCESS);
        CHECK(vmem_release(between[i], pages(1)) == VMEM_SUCCESS);
    }
    CHECK(vmem_array_init(&arrays[0], SIZE_MAX / ITEM_SIZE) == VMEM_ERROR_INVALID_ARGUMENT);
}

static void test_ensure(void) {
    Ints ints;
    size_t i;
    REQUIRE(vmem_array_init(&ints, 1000000) == VMEM_SUCCESS);
    CHECK_KEEPS_ERRNO(vmem_array_ensure(&ints, 0) == VMEM_SUCCESS);
    CHECK(ints.memory.arena.num_committed == 0);
    CHECK_KEEPS_ERRNO(vmem_array_ensure(&ints, 500000) == VMEM_SUCCESS);
    CHECK(ints.num_items == 0 && ints.memory.num_ready >= 500000);
    CHECK(is_filled(ints.items, 500000 * sizeof(int), 0));
    memset(ints.items, 1, 500000 * sizeof(int));
    ints.num_items += 500000;
    CHECK_KEEPS_ERRNO(vmem_array_ensure(&ints, 500001) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK_KEEPS_ERRNO(vmem_array_ensure(&ints, SIZE_MAX) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK_KEEPS_ERRNO(vmem_array_ensure(&ints, SIZE_MAX - 500000 + 1) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK_KEEPS_ERRNO(vmem_array_ensure(&ints, 500000) == VMEM_SUCCESS);
    CHECK(ints.memory.num_ready == 1000000);
    fail_calls(0, UNLIMITED);
    for (i = 0; i < 500000; i++) ints.num_items += vmem_array_push(&ints, 2) != VMEM_SUCCESS ? 1000000 : 0;
    fail_none();
    CHECK(ints.num_items == 1000000);
    CHECK(is_filled(ints.items, 500000 * sizeof(int), 1) && ints.items[999999] == 2);
    CHECK(vmem_array_release(&ints) == VMEM_SUCCESS);
}

// The last page has fewer items than would fit, and sizes of items that do not divide that of a page.
static void test_items_at_the_end(void) {
    Points points;
    size_t max_items;
    for (max_items = 1; max_items < pages(3) / sizeof(Point) + 3; max_items += max_items < 5 ? 1 : 97) {
        size_t num_pushed = 0;
        REQUIRE(vmem_array_init(&points, max_items) == VMEM_SUCCESS);
        while (num_pushed < 2 * max_items && vmem_array_push(&points, make_point(num_pushed)) == VMEM_SUCCESS)
            num_pushed++;
        CHECK(num_pushed == max_items && points.num_items == max_items && points.memory.num_ready == max_items);
        CHECK(is_point(&points.items[max_items - 1], max_items - 1));
        CHECK(vmem_array_release(&points) == VMEM_SUCCESS);
    }
}

static void test_trimming_an_array(void) {
    Points points;
    REQUIRE(vmem_array_init(&points, 1000000) == VMEM_SUCCESS);
    push_points(&points, 500000);
    points.num_items = 10;
    CHECK_KEEPS_ERRNO(vmem_array_trim(&points) == VMEM_SUCCESS);
    CHECK(points.num_items == 10 && points.memory.arena.num_committed == pages(1));
    CHECK(points.memory.num_ready == pages(1) / sizeof(Point));
    push_points(&points, 500000);
    CHECK(is_point(&points.items[9], 9) && is_point(&points.items[499999], 499999));
    vmem_array_clear(&points);
    CHECK(vmem_array_trim(&points) == VMEM_SUCCESS);
    CHECK(points.memory.arena.num_committed == 0 && points.memory.num_ready == 0);
    CHECK(vmem_array_push(&points, make_point(1)) == VMEM_SUCCESS && is_point(points.items, 1));
    points.num_items = 2000000;  // more than there can be
    CHECK_KEEPS_ERRNO(vmem_array_trim(&points) == VMEM_ERROR_INVALID_ARGUMENT);
    CHECK_KEEPS_ERRNO(vmem_array_push(&points, make_point(1)) == VMEM_ERROR_OUT_OF_MEMORY);
    CHECK(vmem_array_release(&points) == VMEM_SUCCESS);
}

// >>failures ----------------------------------------------------------------------------------------------------------
//
// A fixture with memory of both kinds: used and filled with 1, and freed and filled with 2, as far as the dirty end.

#define NUM_USED 100000
#define NUM_FREED 100000

static VmemArena make_fixture(void) {
    VmemArena arena = make_arena(64 * MIB);
    memset(allocate(&arena, NUM_USED), 1, NUM_USED);
    memset(allocate(&arena, NUM_FREED), 2, NUM_FREED);
    REQUIRE(vmem_arena_rewind(&arena, NUM_USED) == VMEM_SUCCESS);
    return arena;
}

static void end_fixture(VmemArena* arena) {
    fail_none();
    CHECK(is_sound(arena));
    CHECK(is_filled(arena->base, NUM_USED, 1));
    CHECK(vmem_arena_rewind(arena, NUM_USED) == VMEM_SUCCESS);
    CHECK(is_filled(allocate(arena, 40 * MIB), 40 * MIB, 0));
    release(arena);
}

// Runs a test with each system call failing alone, and with all that follow it, until none is left to fail.
static void fail_each_call(void (*test)(size_t first, size_t end)) {
    size_t first = 0, num_calls;
    do {
        test(first, first + 1);
        num_calls = hook.num_calls;
        test(first, UNLIMITED);
        first++;
    } while (first <= num_calls);
    CHECK(first > 1);
}

static size_t num_bytes_of_test;

static void allocate_with_failures(size_t first, size_t end) {
    VmemArena arena = make_fixture();
    VmemArena before = arena;
    char* bytes;
    size_t num_calls;
    fail_calls(first, end);
    errno = UNTOUCHED;
    bytes = (char*)vmem_arena_alloc(&arena, num_bytes_of_test, 1);
    num_calls = hook.num_calls;
    CHECK(errno == (bytes ? UNTOUCHED : ENOMEM));
    fail_none();
    if (bytes)
        CHECK(bytes == arena.base + NUM_USED && is_filled(bytes, num_bytes_of_test, 0));
    else
        CHECK(is_same(&arena, &before));
    if (first >= num_calls) CHECK(bytes != NULL);
    end_fixture(&arena);
    hook.num_calls = num_calls;
}

static void test_failures_of_allocating(void) {
    num_bytes_of_test = 300 * KIB;
    fail_each_call(allocate_with_failures);
    num_bytes_of_test = 30 * MIB;
    fail_each_call(allocate_with_failures);
}

// A step that is refused is tried again without what was not asked for.
static void test_refused_steps(void) {
    VmemArena arena = make_fixture();
    CHECK(vmem_arena_trim(&arena) == VMEM_SUCCESS);
    fail_calls(0, 1);
    CHECK_KEEPS_ERRNO(is_filled(allocate(&arena, 10 * KIB), 10 * KIB, 0));
    CHECK(arena.num_committed == vmem_align_forward(NUM_USED + 10 * KIB, pages(1)));
    fail_none();
    end_fixture(&arena);
}

static void trim_with_failures(size_t first, size_t end) {
    VmemArena arena = make_fixture();
    VmemArena before = arena;
    VmemResult result;
    size_t num_calls;
    fail_calls(first, end);
    result = vmem_arena_trim(&arena);
    num_calls = hook.num_calls;
    fail_none();
    if (result == VMEM_SUCCESS || result == VMEM_DECOMMIT_INCOMPLETE)
        CHECK(arena.num_committed == vmem_align_forward(NUM_USED, pages(1)));
    else
        CHECK(is_same(&arena, &before));
    if (first >= num_calls) CHECK(result == VMEM_SUCCESS);
    end_fixture(&arena);
    hook.num_calls = num_calls;
}

static void init_with_failures(size_t first, size_t end) {
    VmemArena arena;
    Ints ints;
    VmemResult result;
    size_t num_calls;
    memset(&arena, 0xff, sizeof arena);
    memset(&ints, 0xff, sizeof ints);
    fail_calls(first, end);
    result = vmem_arena_init(&arena, MIB);
    num_calls = hook.num_calls;
    if (first >= num_calls) CHECK(result == VMEM_SUCCESS);
    if (result != VMEM_SUCCESS) CHECK(is_released(&arena) && errno == ENOMEM);
    fail_calls(first, end);
    result = vmem_array_init(&ints, MIB);
    if (result != VMEM_SUCCESS) CHECK(is_released_array(&ints) && errno == ENOMEM);
    fail_none();
    CHECK(vmem_arena_release(&arena) == VMEM_SUCCESS);
    CHECK(vmem_array_release(&ints) == VMEM_SUCCESS);
    hook.num_calls = num_calls;
}

static void release_with_failures(size_t first, size_t end) {
    VmemArena arena = make_fixture();
    VmemArena before = arena;
    VmemResult result;
    size_t num_calls;
    fail_calls(first, end);
    result = vmem_arena_release(&arena);
    num_calls = hook.num_calls;
    fail_none();
    if (first >= num_calls) CHECK(result == VMEM_SUCCESS);
    if (result == VMEM_SUCCESS) {
        CHECK(is_released(&arena));
    } else {
        CHECK(is_same(&arena, &before));
        end_fixture(&arena);
    }
    hook.num_calls = num_calls;
}

static void push_with_failures(size_t first, size_t end) {
    Points points;
    size_t num_calls, num_pushed = 0;
    VmemResult result = VMEM_SUCCESS;
    REQUIRE(vmem_array_init(&points, 100000) == VMEM_SUCCESS);
    fail_calls(first, end);
    num_evaluated = 0;
    while (num_pushed < 20000 && result == VMEM_SUCCESS) {
        result = vmem_array_push(&points, make_point((size_t)evaluate((int)num_pushed)));
        if (result == VMEM_SUCCESS) num_pushed++;
    }
    num_calls = hook.num_calls;
    fail_none();
    CHECK(result == VMEM_SUCCESS || result == VMEM_ERROR_OUT_OF_MEMORY);
    if (first >= num_calls) CHECK(result == VMEM_SUCCESS);
    CHECK(points.num_items == num_pushed && num_evaluated == (int)num_pushed);
    push_points(&points, 20000);
    for (num_pushed = 0; num_pushed < 20000; num_pushed += 99) CHECK(is_point(&points.items[num_pushed], num_pushed));

    points.num_items = 1;
    fail_calls(first, end);
    result = vmem_array_trim(&points);
    fail_none();
    CHECK(points.num_items == 1 && is_point(points.items, 0));
    CHECK(vmem_array_ensure(&points, 20000) == VMEM_SUCCESS);
    points.num_items = 20001;
    points.items[20000] = points.items[0];

    fail_calls(first, end);
    result = vmem_array_release(&points);
    fail_none();
    if (result != VMEM_SUCCESS) {
        CHECK(points.num_items == 20001 && is_point(&points.items[20000], 0));
        CHECK(vmem_array_release(&points) == VMEM_SUCCESS);
    }
    CHECK(points.items == NULL && points.num_items == 0);
    hook.num_calls = num_calls;
}

static void test_failures(void) {
    fail_each_call(init_with_failures);
    test_failures_of_allocating();
    test_refused_steps();
    fail_each_call(trim_with_failures);
    fail_each_call(release_with_failures);
    fail_each_call(push_with_failures);
}

// >>main --------------------------------------------------------------------------------------------------------------

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("pages of %lu bytes\n", (unsigned long)pages(1));
    test_init();
    test_init_with_wrong_arguments();
    test_a_released_arena();
    test_null();
    test_allocations_follow_each_other();
    test_alignments();
    test_wrong_alignments();
    test_an_allocation_of_no_bytes_takes_no_space();
    test_the_last_byte();
    test_growing_by_small_allocations();
    test_small_arenas_stay_small();
    test_one_large_allocation();
    test_items();
    test_alignments_of_types();
    test_rewind();
    test_wrong_marks();
    test_zeroing_across_the_dirty_end();
    test_dirty_allocations();
    test_trim();
    test_trimming_what_was_never_used();
    test_release();
    test_released_addresses_are_free();
    test_array();
    test_array_with_wrong_sizes();
    test_items_without_bytes();
    test_a_released_array();
    test_arguments_are_evaluated_once();
    test_items_of_several_forms();
    test_ensure();
    test_items_at_the_end();
    test_items_aligned_to_more_than_a_page();
    test_trimming_an_array();
    test_failures();
    return report();
}
