// vmem.h and the system calls that it makes, in the same loops. No page is touched: a page fault costs both sides the
// same and would hide what the header adds. And vmem_arena.h beside what C programs use instead.
//
// Every time_ function makes its calls `iterations` times and returns the nanoseconds per call. If one fails it is -1,
// with errno as that call set it. header.py compiles this file and loads it.
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

// Only the name of ioctl() begins with an i, which compilers evaluate: for all other calls they remove this.
#define VMEM_FAIL(call) ((call)[0] == 'i' && fail_ioctl())
static bool fail_ioctl(void);

#define VMEM_IMPLEMENTATION
#include "../csrc/vmem_arena.h"

#define NUM_BYTES ((size_t)64 << 10)
#define NUM_SLOTS ((size_t)256)
#define MAP_RESERVED (MAP_PRIVATE | MAP_ANONYMOUS)

// NetBSD's mprotect() grants only the access that mmap() announced.
#if defined(PROT_MPROTECT)
#define PROT_RESERVED (PROT_NONE | PROT_MPROTECT(PROT_READ | PROT_WRITE))
#else
#define PROT_RESERVED PROT_NONE
#endif

static bool reads_maps;  // as with a kernel without PROCMAP_QUERY

static bool fail_ioctl(void) {
    if (reads_maps) errno = ENOTTY;
    return reads_maps;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// Reserved memory is left out of core dumps, committed memory is not. vmem makes the same calls.
static bool set_dumped(char* ptr, bool is_dumped) {
#if defined(MADV_DONTDUMP)
    madvise(ptr, NUM_BYTES, is_dumped ? MADV_DODUMP : MADV_DONTDUMP);
#else
    (void)ptr, (void)is_dumped;
#endif
    return true;
}

static bool commit_bare(char* ptr) {
    return mprotect(ptr, NUM_BYTES, PROT_READ | PROT_WRITE) == 0 && set_dumped(ptr, true);
}

static bool decommit_bare(char* ptr) {
    return mmap(ptr, NUM_BYTES, PROT_RESERVED, MAP_RESERVED | MAP_FIXED, -1, 0) != MAP_FAILED && set_dumped(ptr, false);
}

static bool protect_bare(char* ptr, size_t turn) {
    return mprotect(ptr, NUM_BYTES, turn % 2 ? PROT_READ | PROT_WRITE : PROT_READ) == 0;
}

static bool protect(char* ptr, size_t turn) {
    return vmem_protect(ptr, NUM_BYTES, turn % 2 ? VMEM_READ_WRITE : VMEM_READ) == VMEM_SUCCESS;
}

// A timed loop over the slots of `base`. A macro puts the call into the loop, on both sides.
#define TIME_SLOTS(call)                         \
    do {                                         \
        int64_t start = now();                   \
        for (size_t i = 0; i < NUM_SLOTS; i++) { \
            char* slot = base + i * NUM_BYTES;   \
            if (!(call)) goto done;              \
        }                                        \
        total += now() - start;                  \
        count += NUM_SLOTS;                      \
    } while (0)

// Commits all slots, then decommits all. `times_commit` says which of the two is timed.
static double commit_and_decommit(size_t iterations, bool is_bare, bool times_commit) {
    char* base = (char*)vmem_reserve(NUM_SLOTS * NUM_BYTES);
    int64_t total = 0;
    size_t count = 0;
    if (!base) return -1;
    while (count < iterations) {
        if (!times_commit && vmem_commit(base, NUM_SLOTS * NUM_BYTES) != VMEM_SUCCESS) goto done;
        if (times_commit && is_bare) TIME_SLOTS(commit_bare(slot));
        if (times_commit && !is_bare) TIME_SLOTS(vmem_commit(slot, NUM_BYTES) == VMEM_SUCCESS);
        if (!times_commit && is_bare) TIME_SLOTS(decommit_bare(slot));
        if (!times_commit && !is_bare) TIME_SLOTS(vmem_decommit(slot, NUM_BYTES) == VMEM_SUCCESS);
        if (times_commit && vmem_decommit(base, NUM_SLOTS * NUM_BYTES) != VMEM_SUCCESS) goto done;
    }
done:
    vmem_release(base, NUM_SLOTS * NUM_BYTES);
    return count < iterations ? -1 : (double)total / (double)count;
}

double time_commit(size_t iterations, int is_bare) { return commit_and_decommit(iterations, is_bare != 0, true); }

double time_decommit(size_t iterations, int is_bare) { return commit_and_decommit(iterations, is_bare != 0, false); }

// Changes the middle of committed memory, which is three mappings and one in turn.
double time_protect(size_t iterations, int is_bare) {
    char* base = (char*)vmem_reserve(3 * NUM_BYTES);
    char* slot = base + NUM_BYTES;
    size_t i = 0;
    int64_t start, end;
    if (!base) return -1;
    if (vmem_commit(base, 3 * NUM_BYTES) != VMEM_SUCCESS) goto done;
    start = now();
    if (is_bare)
        while (i < iterations && protect_bare(slot, i)) i++;
    else
        while (i < iterations && protect(slot, i)) i++;
    end = now();
done:
    vmem_release(base, 3 * NUM_BYTES);
    return i < iterations ? -1 : (double)(end - start) / (double)iterations;
}

// Queries the first byte of a reservation, by ioctl() or by reading /proc/self/maps.
double time_query(size_t iterations, int does_read_maps) {
    char* base = (char*)vmem_reserve(NUM_BYTES);
    VmemRange range;
    int64_t start, end;
    size_t i = 0;
    if (!base) return -1;
    reads_maps = does_read_maps != 0;
    start = now();
    while (i < iterations && vmem_query(base, &range) == VMEM_SUCCESS) i++;
    end = now();
    vmem_release(base, NUM_BYTES);
    return i < iterations ? -1 : (double)(end - start) / (double)iterations;
}

// What a frame allocates: this many blocks of this size, which are written to and freed together.
#define NUM_BLOCKS ((size_t)1000)
#define BLOCK_SIZE ((size_t)64)

static void* blocks[NUM_BLOCKS];

static bool run_frame(VmemArena* arena) {
    for (size_t i = 0; i < NUM_BLOCKS; i++) {
        blocks[i] = vmem_arena_alloc(arena, BLOCK_SIZE, 16);
        if (!blocks[i]) return false;
        *(volatile char*)blocks[i] = 1;
    }
    return vmem_arena_rewind(arena, 0) == VMEM_SUCCESS;
}

static bool run_frame_with_calloc(void) {
    for (size_t i = 0; i < NUM_BLOCKS; i++) {
        blocks[i] = calloc(1, BLOCK_SIZE);
        if (!blocks[i]) return false;
        *(volatile char*)blocks[i] = 1;
    }
    for (size_t i = 0; i < NUM_BLOCKS; i++) free(blocks[i]);
    return true;
}

// The least that an arena does: no alignment, no limit, no error. It is not inlined, as vmem_arena_alloc() is not.
__attribute__((noinline)) static void* bump(char** next) {
    char* block = *next;
    *next += BLOCK_SIZE;
    memset(block, 0, BLOCK_SIZE);
    return block;
}

static bool run_frame_with_bump(char* base) {
    char* next = base;
    for (size_t i = 0; i < NUM_BLOCKS; i++) {
        blocks[i] = bump(&next);
        *(volatile char*)blocks[i] = 1;
    }
    return true;
}

static double time_frames(size_t iterations, bool is_bare, bool is_calloc) {
    VmemArena arena;
    size_t count = 0;
    int64_t start, end;
    if (vmem_arena_init(&arena, NUM_BLOCKS * BLOCK_SIZE) != VMEM_SUCCESS) return -1;
    if (!run_frame(&arena)) goto done;
    start = now();
    while (count < iterations) {
        if (!(is_bare ? is_calloc ? run_frame_with_calloc() : run_frame_with_bump(arena.base) : run_frame(&arena)))
            break;
        count += NUM_BLOCKS;
    }
    end = now();
done:
    vmem_arena_release(&arena);
    return count < iterations ? -1 : (double)(end - start) / (double)count;
}

double time_arena_and_calloc(size_t iterations, int is_bare) { return time_frames(iterations, is_bare != 0, true); }

double time_arena_and_bump(size_t iterations, int is_bare) { return time_frames(iterations, is_bare != 0, false); }

#define NUM_ITEMS ((size_t)1 << 16)

typedef VMEM_ARRAY(double) Numbers;

// What C programs have instead, in malloc's memory.
typedef struct Doubled {
    double* items;
    size_t num_items, capacity;
} Doubled;

static bool push(Doubled* doubled, double item) {
    if (doubled->num_items == doubled->capacity) {
        size_t capacity = doubled->capacity ? 2 * doubled->capacity : 8;
        double* moved = (double*)realloc(doubled->items, capacity * sizeof item);
        if (!moved) return false;
        doubled->items = moved;
        doubled->capacity = capacity;
    }
    doubled->items[doubled->num_items++] = item;
    return true;
}

static bool fill_array(void* array) {
    Numbers* numbers = (Numbers*)array;
    bool works = true;
    vmem_array_clear(numbers);
    for (size_t i = 0; works && i < NUM_ITEMS; i++) works = vmem_array_push(numbers, (double)i) == VMEM_SUCCESS;
    return works;
}

static bool fill_with_realloc(void* array) {
    Doubled* doubled = (Doubled*)array;
    bool works = true;
    doubled->num_items = 0;
    for (size_t i = 0; works && i < NUM_ITEMS; i++) works = push(doubled, (double)i);
    return works;
}

// Fills an array again and again. The first time, which allocates the memory, is not timed.
static double time_fills(size_t iterations, bool (*fill)(void* array), void* array) {
    size_t count = 0;
    int64_t start;
    bool works = fill(array);
    start = now();
    while (count < iterations && works) {
        works = fill(array);
        count += NUM_ITEMS;
    }
    return works ? (double)(now() - start) / (double)count : -1;
}

double time_push(size_t iterations, int is_bare) {
    Numbers numbers;
    Doubled doubled = {NULL, 0, 0};
    double time;
    if (vmem_array_init(&numbers, NUM_ITEMS) != VMEM_SUCCESS) return -1;
    time = is_bare ? time_fills(iterations, fill_with_realloc, &doubled) : time_fills(iterations, fill_array, &numbers);
    free(doubled.items);
    vmem_array_release(&numbers);
    return time;
}
