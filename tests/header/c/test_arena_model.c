// Random calls of vmem_arena.h, in which system calls fail at random, beside models that say what each must do.
// Prints each check that fails, then "N checks, M failed". The argument is the number of rounds, default 20.

#include <stdbool.h>

static bool fails(void);
#define VMEM_FAIL(call) ((void)(call), fails())

#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MIB ((size_t)1 << 20)

// >>random ------------------------------------------------------------------------------------------------------------

static uint64_t state = 7;

// xorshift64*
static uint64_t draw(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t draw_below(size_t end) { return (size_t)((draw() >> 16) % end); }

// A number of up to this many bits, as often with few bits as with many.
static size_t draw_bits(size_t max_bits) { return draw_below((size_t)1 << draw_below(max_bits + 1)); }

// >>hook --------------------------------------------------------------------------------------------------------------

static size_t num_until_failure;  // 0: none fails

static bool fails(void) {
    if (num_until_failure == 0 || --num_until_failure > 0) return false;
    num_until_failure = draw_below(2);  // the next one may fail too
#if defined(_WIN32)
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
#endif
    errno = ENOMEM;
    return true;
}

// Whether a call of the next function may fail.
static bool set_failures(void) {
    num_until_failure = draw_below(4) == 0 ? 1 + draw_below(3) : 0;
    return num_until_failure > 0;
}

static void fail_none(void) { num_until_failure = 0; }

// >>arena -------------------------------------------------------------------------------------------------------------

#define MAX_ALLOCATIONS 2000

typedef struct Allocation {
    char* bytes;
    size_t num_bytes, mark;  // the mark after it
    char value;
} Allocation;

static VmemArena arena;
static Allocation allocations[MAX_ALLOCATIONS];  // the live ones, in the order of their addresses
static size_t num_allocations;

static bool is_filled(const char* bytes, size_t num_bytes, char value) {
    return num_bytes == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, num_bytes - 1) == 0);
}

static size_t find_mark(void) { return num_allocations > 0 ? allocations[num_allocations - 1].mark : 0; }

static void check_arena(void) {
    const Allocation* one = num_allocations > 0 ? &allocations[draw_below(num_allocations)] : NULL;
    CHECK(vmem_arena_mark(&arena) == find_mark());
    CHECK(arena.num_used <= arena.num_dirty && arena.num_dirty <= arena.num_committed);
    CHECK(arena.num_committed % vmem_get_page_size() == 0 && arena.num_dirty <= arena.max_bytes);
    CHECK(arena.num_committed < arena.max_bytes + vmem_get_page_size());
    if (one) CHECK(is_filled(one->bytes, one->num_bytes, one->value));
}

static void add_allocation(char* bytes, size_t num_bytes) {
    Allocation* added = &allocations[num_allocations++];
    added->bytes = bytes;
    added->num_bytes = num_bytes;
    added->mark = (size_t)(bytes - arena.base) + num_bytes;
    added->value = (char)draw_below(100);
    memset(bytes, added->value, num_bytes);
}

static void allocate_at_random(void) {
    size_t kind = draw_below(3), num_bytes = draw_bits(draw_below(20) == 0 ? 60 : 19),
           align = (size_t)1 << draw_bits(4);
    size_t item_size = 1 + draw_below(9), num_items = num_bytes / item_size;
    uintptr_t base = (uintptr_t)arena.base, address = (base + arena.num_used + align - 1) & ~(uintptr_t)(align - 1);
    size_t start = address - base;
    VmemArena before = arena;
    bool fits, may_fail = set_failures();
    char* bytes;
    if (kind == 2) num_bytes = num_items * item_size;
    fits = start <= arena.max_bytes && num_bytes <= arena.max_bytes - start;
    errno = 33;
    if (kind == 0)
        bytes = (char*)vmem_arena_alloc(&arena, num_bytes, align);
    else if (kind == 1)
        bytes = (char*)vmem_arena_alloc_dirty(&arena, num_bytes, align);
    else
        bytes = (char*)vmem_arena_alloc_items(&arena, num_items, item_size, align);
    fail_none();
    CHECK(bytes ? fits : !fits || may_fail);
    CHECK(errno == (bytes || !fits ? 33 : ENOMEM));
    if (!bytes || num_bytes == 0) {
        CHECK(!bytes || (uintptr_t)bytes == address);
        CHECK(memcmp(&before, &arena, sizeof arena) == 0);
        return;
    }
    CHECK((uintptr_t)bytes == address);
    if (kind != 1) CHECK(is_filled(bytes, num_bytes, 0));
    CHECK(arena.num_committed >= before.num_committed);
    add_allocation(bytes, num_bytes);
}

static void rewind_at_random(void) {
    size_t num_kept = draw_below(4) == 0 ? 0 : draw_below(num_allocations + 1);
    CHECK(vmem_arena_rewind(&arena, arena.num_used + 1 + draw_bits(40)) == VMEM_ERROR_INVALID_ARGUMENT);
    num_allocations = num_kept;
    CHECK(vmem_arena_rewind(&arena, find_mark()) == VMEM_SUCCESS);
}

static void trim_at_random(void) {
    size_t kept = (arena.num_used + vmem_get_page_size() - 1) & ~(vmem_get_page_size() - 1);
    VmemArena before = arena;
    bool may_fail = set_failures();
    VmemResult result = vmem_arena_trim(&arena);
    fail_none();
    CHECK(result == VMEM_SUCCESS || may_fail);
    if (result == VMEM_SUCCESS || result == VMEM_DECOMMIT_INCOMPLETE)
        CHECK(arena.num_committed == kept);
    else
        CHECK(memcmp(&before, &arena, sizeof arena) == 0);
}

static void test_arena(size_t num_calls) {
    size_t i;
    num_allocations = 0;
    REQUIRE(vmem_arena_init(&arena, draw_below(2) == 0 ? 1 + draw_bits(25) : 1 + draw_below(32 * MIB)) == VMEM_SUCCESS);
    for (i = 0; i < num_calls; i++) {
        size_t action = draw_below(40);
        if (action == 0 || num_allocations == MAX_ALLOCATIONS)
            rewind_at_random();
        else if (action == 1)
            trim_at_random();
        else
            allocate_at_random();
        check_arena();
    }
    for (i = 0; i < num_allocations; i++)
        CHECK(is_filled(allocations[i].bytes, allocations[i].num_bytes, allocations[i].value));
    CHECK(vmem_arena_release(&arena) == VMEM_SUCCESS);
}

// >>array -------------------------------------------------------------------------------------------------------------

typedef struct Item {
    uint32_t words[3];
} Item;

static VMEM_ARRAY(Item) array;
static Item* model;  // what the array must contain
static size_t num_expected, max_items;

static Item draw_item(void) {
    Item item;
    item.words[0] = (uint32_t)draw();
    item.words[1] = (uint32_t)draw();
    item.words[2] = (uint32_t)draw();
    return item;
}

static void check_result(VmemResult result, bool fits, bool may_fail) {
    if (result == VMEM_SUCCESS)
        CHECK(fits);
    else
        CHECK(result == VMEM_ERROR_OUT_OF_MEMORY && (!fits || may_fail));
}

static void push_at_random(void) {
    size_t count = draw_bits(13);
    while (count-- > 0) {
        Item item = draw_item();
        bool may_fail = set_failures();
        VmemResult result = vmem_array_push(&array, item);
        fail_none();
        if (result != VMEM_SUCCESS || num_expected == max_items)
            check_result(result, num_expected < max_items, may_fail);
        if (result == VMEM_SUCCESS) model[num_expected++] = item;
    }
}

static void pop_at_random(void) {
    size_t count = draw_bits(13);
    while (count-- > 0) {
        const Item* popped = vmem_array_pop(&array);
        if (num_expected == 0) {
            CHECK(popped == NULL);
            return;
        }
        num_expected--;
        if (popped != array.items + num_expected) CHECK(popped == array.items + num_expected);
        if (memcmp(popped, model + num_expected, sizeof *popped) != 0) CHECK(false);
    }
}

// Items that are written in one piece, into memory that was made ready.
static void ensure_at_random(void) {
    size_t count = draw_bits(draw_below(10) == 0 ? 62 : 14), i;
    bool fits = count <= max_items - num_expected, may_fail = set_failures();
    VmemResult result = vmem_array_ensure(&array, count);
    fail_none();
    check_result(result, fits, may_fail);
    if (result != VMEM_SUCCESS) return;
    for (i = 0; i < count; i++) model[num_expected + i] = draw_item();
    memcpy(array.items + num_expected, model + num_expected, count * sizeof *model);
    num_expected += count;
    array.num_items += count;
}

static void clear_or_trim_at_random(void) {
    bool may_fail = set_failures();
    VmemResult result;
    if (draw_below(3) == 0) {
        vmem_array_clear(&array);
        num_expected = 0;
    }
    result = vmem_array_trim(&array);
    fail_none();
    CHECK(result == VMEM_SUCCESS || may_fail);
}

static void test_array(size_t num_calls) {
    const Item* items;
    max_items = 1 + draw_bits(20);
    num_expected = 0;
    model = (Item*)calloc(max_items, sizeof *model);
    REQUIRE(model != NULL && vmem_array_init(&array, max_items) == VMEM_SUCCESS);
    items = array.items;
    while (num_calls-- > 0) {
        size_t action = draw_below(20);
        if (action < 8)
            push_at_random();
        else if (action < 12)
            pop_at_random();
        else if (action < 19)
            ensure_at_random();
        else
            clear_or_trim_at_random();
        CHECK(array.items == items && array.num_items == num_expected);
        CHECK(array.memory.num_ready >= num_expected && array.memory.num_ready <= max_items);
        CHECK(array.memory.num_ready * sizeof(Item) <= array.memory.arena.num_committed);
        if (num_calls % 16 == 0) CHECK(memcmp(items, model, num_expected * sizeof *model) == 0);
    }
    CHECK(vmem_array_release(&array) == VMEM_SUCCESS);
    free(model);
}

int main(int argc, char** argv) {
    int round, num_rounds = argc > 1 ? atoi(argv[1]) : 20;
    setvbuf(stdout, NULL, _IONBF, 0);
    for (round = 0; round < num_rounds; round++) {
        test_arena(2000);
        test_array(200);
    }
    return report();
}
