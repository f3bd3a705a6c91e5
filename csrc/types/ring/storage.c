#include "types/ring/storage.h"

#include <stdio.h>

#include "core/lifetime.h"
#include "core/page_ops.h"

static const OwnerKind RING = {
    .noun = "ring",
    .article = "a",
    .reserved_for = " for a ring",
    .when_addresses_run_out = "ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer arrays, rings and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays, rings and arenas",
};

// --- creating ---

// Between these, threads get the GIL and signals are handled.
#define CREATED_AT_ONCE ((size_t)64 << 20)

// Gives other threads a turn, and runs signal handlers. The ring is in no list of objects yet, so nobody can use it.
static int yield(void) {
    Py_BEGIN_ALLOW_THREADS
    Py_END_ALLOW_THREADS
    return PyErr_CheckSignals();
}

static int get_memory(Ring* ring) {
    Reservation* reservation = &ring->reservation;
    size_t part;
    for (size_t done = 0; done < reservation->size; done += part) {
        part = reservation->size - done < CREATED_AT_ONCE ? reservation->size - done : CREATED_AT_ONCE;
        if (done > 0 && yield() < 0) return -1;
        if (page_ops_commit(reservation, done, part) < 0) return -1;
    }
    return 0;
}

// Each mapping has page tables of its own.
static int prefault(Ring* ring) {
    Reservation* reservation = &ring->reservation;
    if (page_ops_run(reservation, PAGE_OP_PREFAULT, 0, reservation->size) < 0) return -1;
    for (size_t done = 0, part; done < ring->memory.num_bytes; done += part) {
        part = ring->memory.num_bytes - done < CREATED_AT_ONCE ? ring->memory.num_bytes - done : CREATED_AT_ONCE;
        mirrored_memory_prefault_mirror(&ring->memory, reservation->base, done, part);
        if (yield() < 0) return -1;
    }
    return 0;
}

// Locks the pages through the first mapping alone: they stay in memory for both, and count once.
static int lock(Ring* ring) { return page_ops_run(&ring->reservation, PAGE_OP_LOCK, 0, ring->reservation.size); }

static size_t find_head_size(void) {
    return vmem_align_forward(sizeof(RingPositions), vmem_get_allocation_granularity());
}

static size_t find_items_size(const RingOptions* options) {
    return vmem_align_forward((size_t)options->capacity * (size_t)options->type.size,
                              vmem_get_allocation_granularity());
}

// Everything but the memory.
static void initialize(Ring* ring, const RingOptions* options) {
    size_t num_bytes = find_items_size(options);
    mirrored_memory_init(&ring->memory, "vmem-ring", find_head_size(), num_bytes);
    ring->type = options->type;
    ring->capacity = options->capacity;
    ring->room = (Py_ssize_t)(num_bytes / (size_t)options->type.size);
    ring->max_position = (uint64_t)INT64_MAX / (uint64_t)options->type.size;
    ring->overwrites = options->overwrites;
    ring->prepared = -1;
    ring->positions = &ring->own;
}

static int open_memory(Ring* ring, ModuleState* state, const RingOptions* options,
                       const ReservationOptions* reservation_options) {
    if (reservation_open(&ring->reservation, state, (PyObject*)ring, &RING, &ring->memory.backing,
                         reservation_options) < 0)
        return -1;
    if (get_memory(ring) < 0) return -1;
    if (options->prefault && prefault(ring) < 0) return -1;
    if (options->lock && lock(ring) < 0) return -1;
    ring->head = (RingPositions*)ring->reservation.base;
    ring->items = ring->reservation.base + ring->memory.num_head_bytes;
    return 0;
}

// The garbage collector, which can show any code what it tracks, gets to know the ring when it has memory.
Ring* ring_new(ModuleState* state, PyTypeObject* python_type, const RingOptions* options) {
    if (module_check_loaded(state) < 0) return NULL;
    ReservationOptions reservation_options = {.num_bytes = find_head_size() + find_items_size(options),
                                              .align = 1,
                                              .name = Py_None,
                                              .owner_is_gc = python_type != state->ring_type};
    if (reservation_audit(state, &reservation_options) < 0) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(python_type, Py_tp_alloc);
    Ring* ring = (Ring*)alloc(python_type, 0);
    if (!ring) return NULL;
    PyObject_GC_UnTrack(ring);
    initialize(ring, options);
    int status = open_memory(ring, state, options, &reservation_options);
    PyObject_GC_Track(ring);
    if (status < 0) Py_CLEAR(ring);
    return ring;
}

void ring_dealloc(Ring* self) { reservation_dealloc_owner(&self->reservation, (PyObject*)self, self->weakrefs); }

ModuleState* ring_state_of_type(PyTypeObject* type) { return module_state_of(type, ring_methods); }

// --- positions ---

Positions ring_load_positions(const Ring* ring) {
    uint64_t oldest = position_load(&ring->positions->oldest);
    uint64_t end = position_load(&ring->positions->total);
    uint64_t capacity = (uint64_t)ring->capacity;
    if (end > ring->max_position) end = ring->max_position;
    if (oldest > end) oldest = end;
    if (end - oldest > capacity) oldest = end - capacity;  // it was written to between the two loads
    return (Positions){oldest, end};
}

bool ring_still_has(const Ring* ring, uint64_t position) {
    reader_fence();
    return position_load(&ring->positions->oldest) <= position;
}

char* ring_item(const Ring* ring, uint64_t position) {
    return ring->items + (size_t)(position * (uint64_t)ring->type.size % (uint64_t)ring->memory.num_bytes);
}

static void set_oldest(Ring* ring, uint64_t oldest) {
    position_store(&ring->own.oldest, oldest);
    position_store(&ring->head->oldest, oldest);
    writer_fence();
}

static void set_total(Ring* ring, uint64_t total) {
    position_store(&ring->own.total, total);
    position_store(&ring->head->total, total);
}

// --- writing without Python ---

// In a queue another thread may store `oldest`, which only makes more room.
WriteProblem ring_check_fits(const Ring* ring, Py_ssize_t num_items) {
    uint64_t total = ring->own.total, oldest = position_load(&ring->own.oldest);
    Py_ssize_t num_free = ring->capacity - (Py_ssize_t)(total - oldest);
    if (!ring->overwrites && num_items > num_free) return WRITE_IS_FULL;
    if (num_items > ring->capacity) return WRITE_IS_TOO_LARGE;
    return (uint64_t)num_items > ring->max_position - total ? WRITE_IS_AT_END : WRITE_FITS;
}

// Drops what lies more than `num_kept` items before a position.
static void drop_before(Ring* ring, uint64_t position, Py_ssize_t num_kept) {
    if (!ring->overwrites || position <= (uint64_t)num_kept) return;
    uint64_t oldest = position - (uint64_t)num_kept;
    if (oldest > ring->own.oldest) set_oldest(ring, oldest);
}

char* ring_begin_write(Ring* ring, Py_ssize_t num_items) {
    uint64_t total = ring->own.total;
    drop_before(ring, total + (uint64_t)num_items, ring->room);
    return ring_item(ring, total);
}

void ring_end_write(Ring* ring, Py_ssize_t num_items) {
    uint64_t total = ring->own.total + (uint64_t)num_items;
    drop_before(ring, total, ring->capacity);
    set_total(ring, total);
}

void ring_skip(Ring* ring, Py_ssize_t num_items) {
    uint64_t total = ring->own.total + (uint64_t)num_items;
    set_oldest(ring, total);
    set_total(ring, total);
}

void ring_drop_to(Ring* ring, uint64_t position) { set_oldest(ring, position); }

// --- writing ---

int ring_check_writer(const Ring* ring) {
    if (ring->readonly) {
        PyErr_SetString(PyExc_TypeError, "this ring is read-only: the process that made it writes");
        return -1;
    }
    if (ring->is_claimed) {
        PyErr_SetString(PyExc_BufferError, "a producer in C writes this ring; Python code can when it has ended");
        return -1;
    }
    return 0;
}

int ring_raise_does_not_fit(const Ring* ring, WriteProblem problem, const char* verb, Py_ssize_t num_items) {
    const char* many = num_items == 1 ? "item" : "items";
    Py_ssize_t num_free = ring->capacity - count_positions(ring_load_positions(ring));
    if (problem == WRITE_IS_FULL)
        PyErr_Format(PyExc_BufferError,
                     "cannot %s %zd %s: %zd of the %zd places of this ring are free; consume() frees more", verb,
                     num_items, many, num_free, ring->capacity);
    else if (problem == WRITE_IS_TOO_LARGE)
        PyErr_Format(PyExc_ValueError, "cannot %s %zd %s: this ring has a capacity of %zd", verb, num_items, many,
                     ring->capacity);
    else
        PyErr_Format(PyExc_OverflowError, "cannot %s %zd %s: this ring counts no more than %llu", verb, num_items, many,
                     (unsigned long long)ring->max_position);
    return -1;
}

// The caller holds the lock.
static int write_locked(Ring* ring, const char* items, Py_ssize_t num_items) {
    if (ring_check_writer(ring) < 0) return -1;
    Py_ssize_t num_skipped = ring->overwrites && num_items > ring->capacity ? num_items - ring->capacity : 0;
    WriteProblem problem = ring_check_fits(ring, num_items - num_skipped);
    if (problem == WRITE_FITS && (uint64_t)num_items > ring->max_position - ring->own.total) problem = WRITE_IS_AT_END;
    if (problem != WRITE_FITS) return ring_raise_does_not_fit(ring, problem, "write", num_items);
    if (num_items == 0) return 0;
    ring->prepared = -1;
    if (num_skipped > 0) ring_skip(ring, num_skipped);
    size_t size = (size_t)ring->type.size, num_written = (size_t)(num_items - num_skipped);
    memcpy(ring_begin_write(ring, num_items - num_skipped), items + (size_t)num_skipped * size, num_written * size);
    ring_end_write(ring, num_items - num_skipped);
    return 0;
}

int ring_write(Ring* ring, const char* items, Py_ssize_t num_items) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(ring);
    status = write_locked(ring, items, num_items);
    Py_END_CRITICAL_SECTION();
    return status;
}

bool ring_owns(const Ring* ring, const void* memory, Py_ssize_t num_bytes) {
    uintptr_t start = (uintptr_t)memory, own = (uintptr_t)ring->items;
    return start < own + 2 * ring->memory.num_bytes && own < start + (uintptr_t)num_bytes;
}
