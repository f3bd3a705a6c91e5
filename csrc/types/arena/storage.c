#include "types/arena/storage.h"

#include "core/growth.h"

// --- allocating ---

// The advice depends on what does not fit: the bytes, or only their alignment.
static const char* choose_remedy(const Arena* arena, size_t num_bytes) {
    if (num_bytes <= arena->reservation.size - arena->used) return "ask for a smaller alignment, or ";
    return arena->used > 0 && num_bytes <= arena->reservation.size ? "rewind it, or " : "";
}

static int raise_does_not_fit(const Arena* arena, size_t num_bytes, size_t align) {
    const char* message =
        "cannot allocate %zu bytes aligned to %zu: this arena has used %zu of its %zu bytes; %smake it "
        "with a larger capacity";
    return raise_capacity_exceeded(arena->reservation.out_of_memory_error,
                                   PyUnicode_FromFormat(message, num_bytes, align, arena->used, arena->reservation.size,
                                                        choose_remedy(arena, num_bytes)));
}

static int find_place(const Arena* arena, size_t num_bytes, size_t align, size_t* start) {
    uintptr_t base = (uintptr_t)arena->reservation.base;
    uintptr_t address = vmem_align_forward(base + arena->used, align);
    if (address < base || address - base > arena->reservation.size ||
        num_bytes > arena->reservation.size - (address - base))
        return raise_does_not_fit(arena, num_bytes, align);
    *start = address - base;
    return 0;
}

// Makes a range usable. Fresh pages are zero already.
static int prepare_range(Arena* arena, size_t start, size_t end, bool zero) {
    if (busy_check_usable(&arena->reservation.busy, (ByteRange){start, end}, "allocate") < 0) return -1;
    if (growth_commit_to(&arena->reservation, end) < 0) return -1;
    size_t stale = end < arena->high_water ? end : arena->high_water;
    if (zero && start < stale) memset(arena->reservation.base + start, 0, stale - start);
    return 0;
}

// An allocation of no bytes takes no space: its view is empty.
int arena_allocate(Arena* arena, PinObject* pin, size_t num_bytes, size_t align, bool zero) {
    size_t start = 0;  // gcc does not see that it is set whenever it is used
    if (num_bytes == 0) {
        view_place_pin(pin, 0, 0);
        return 0;
    }
    if (find_place(arena, num_bytes, align, &start) < 0) return -1;
    size_t end = start + num_bytes;
    if (prepare_range(arena, start, end, zero) < 0) return -1;
    view_place_pin(pin, start, num_bytes);
    arena->used = end;
    if (arena->high_water < end) arena->high_water = end;
    return 0;
}

void arena_undo_allocate(Arena* arena, size_t before, size_t after) {
    Py_BEGIN_CRITICAL_SECTION(arena);
    if (arena->used == after) arena->used = before;
    Py_END_CRITICAL_SECTION();
}

// --- rewinding ---

int arena_rewind_to(Arena* arena, size_t mark) {
    if (mark >= arena->used) return 0;
    size_t num_views = pins_count_newest_from(&arena->reservation.pins, mark);
    if (num_views > 0) {
        PyErr_Format(PyExc_BufferError,
                     "cannot rewind this arena from %zu to %zu bytes: %zu %s allocated in between %s alive; release or "
                     "delete %s first, with every array and slice made from %s",
                     arena->used, mark, num_views, num_views == 1 ? "view" : "views", num_views == 1 ? "is" : "are",
                     num_views == 1 ? "it" : "them", num_views == 1 ? "it" : "them");
        return -1;
    }
    arena->used = mark;
    if (mark < arena->orphaned.end) arena->orphaned.start = arena->orphaned.end = 0;
    return 0;
}

// A range that ends where this one begins, left by an older scope, becomes part of it.
void arena_orphan_range(Arena* arena, size_t mark) {
    bool joins = arena->orphaned.start <= mark && mark <= arena->orphaned.end;
    if (!joins || arena->orphaned.start == arena->orphaned.end) arena->orphaned.start = mark;
    arena->orphaned.end = arena->used;
}

// Without this function, a loop that opens a scope in each iteration, with no scope around the loop, would lose the
// memory of every iteration that fails. It frees nothing before the mark of an open scope, which would then lie beyond
// `used`.
void arena_reclaim_orphaned(Arena* arena) {
    if (arena->orphaned.start == arena->orphaned.end || arena->orphaned.end != arena->used) return;
    if (arena->orphaned.start < arena->highest_mark) return;
    if (pins_count_newest_from(&arena->reservation.pins, arena->orphaned.start) == 0)
        arena_rewind_to(arena, arena->orphaned.start);
}

// --- preparing ---

static int find_next_bytes(const Arena* arena, size_t num_bytes, ByteRange* next) {
    size_t used = arena->used;
    if (num_bytes > arena->reservation.size - used) return raise_does_not_fit(arena, num_bytes, 1);
    *next = (ByteRange){used, used + num_bytes};
    return 0;
}

int arena_prefault(Arena* arena, size_t num_bytes) {
    ByteRange next = {0, 0};
    if (find_next_bytes(arena, num_bytes, &next) < 0) return -1;
    return growth_prepare_prefaulted(&arena->reservation, next.start, next.end, NULL);
}

int arena_lock(Arena* arena, size_t num_bytes) {
    ByteRange next = {0, 0};
    if (find_next_bytes(arena, num_bytes, &next) < 0) return -1;
    return growth_prepare_locked(&arena->reservation, next.end, NULL);
}

int arena_unlock(Arena* arena) { return growth_unlock(&arena->reservation); }
