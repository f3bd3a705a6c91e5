#include "types/ring/storage.h"

#include "core/lifetime.h"
#include "core/page_ops.h"
#include "types/sharing.h"

static const OwnerKind RING = {
    .noun = "ring",
    .article = "a",
    .reserved_for = " for a ring",
    .when_addresses_run_out = "ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer arrays, rings and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays, rings and arenas",
};

// --- creating ---

static size_t find_num_bytes(const RowType* type, Py_ssize_t capacity) {
    return vmem_align_forward((size_t)capacity * (size_t)type->size, vmem_get_allocation_granularity());
}

// Everything but the memory and its record. Takes the memory over, also when it fails.
static Ring* allocate(ModuleState* state, PyTypeObject* python_type, const RowType* type, SharedMemory* memory) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(python_type, Py_tp_alloc);
    Ring* ring = module_check_loaded(state) == 0 ? (Ring*)alloc(python_type, 0) : NULL;
    if (!ring) {
        shared_memory_free(memory);
        return NULL;
    }
    ring->memory = memory;
    ring->type = *type;
    ring->num_bytes = (size_t)memory->facts.num_bytes;
    ring->room = (Py_ssize_t)(ring->num_bytes / (size_t)type->size);
    ring->max_position = MAX_POSITION_BYTES / (uint64_t)type->size;
    ring->prepared = -1;
    ring->positions = &ring->own;
    return ring;
}

// Maps the memory and makes what the object of a new ring has not got yet. The memory belongs to the reservation from
// here on, also when this fails.
static int open_memory(Ring* ring, ModuleState* state, bool prefault, const ReservationOptions* options) {
    Reservation* reservation = &ring->reservation;
    if (reservation_open(reservation, state, (PyObject*)ring, &RING, &ring->memory->backing, options) < 0) return -1;
    if (page_ops_commit(reservation, 0, reservation->size, prefault) < 0) return -1;
    ring->head = (RingHead*)reservation->base;
    ring->items = reservation->base + shared_page_size();
    return 0;
}

static ReservationOptions make_options(const ModuleState* state, PyTypeObject* python_type, size_t num_bytes) {
    return (ReservationOptions){.num_bytes = shared_page_size() + num_bytes,
                                .align = 1,
                                .name = Py_None,
                                .owner_is_gc = python_type != state->ring_type};
}

// --- creating a writer ---

// Between these, threads get the GIL and signals are handled.
#define PREFAULTED_AT_ONCE ((size_t)64 << 20)

// The second mapping has page tables of its own.
static int prefault_mirror(Ring* ring) {
    Reservation* reservation = &ring->reservation;
    for (size_t done = 0, part; done < ring->num_bytes; done += part) {
        part = ring->num_bytes - done < PREFAULTED_AT_ONCE ? ring->num_bytes - done : PREFAULTED_AT_ONCE;
        Py_BEGIN_ALLOW_THREADS
        mirrored_memory_prefault(ring->memory, reservation->base, done, part);
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0) return -1;
    }
    return 0;
}

// Locks the pages through the first mapping alone: they stay in memory for both, and count once.
static int lock(Ring* ring) { return page_ops_run(&ring->reservation, PAGE_OP_LOCK, 0, ring->reservation.size); }

static SharedMemory* new_memory(const RingOptions* options) {
    SharedPage facts;
    const RowType* type = &options->type;
    if (shared_page_init(&facts, SHARED_RING, find_num_bytes(type, options->capacity), Py_None) < 0) return NULL;
    rows_describe(type, &facts);
    SharedMemory* memory =
        shared_memory_new(&facts, options->is_shared ? VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS : 0, false);
    if (memory) mirrored_memory_init(memory);
    return memory;
}

static void change_in_child(void* object);

static const ForkKind FORK_KIND = {.change_in_child = change_in_child};

static int open_writer(Ring* ring, ModuleState* state, const RingOptions* options,
                       const ReservationOptions* reservation_options) {
    ring->capacity = options->capacity;
    ring->overwrites = options->overwrites;
    ring->is_shared = options->is_shared;
    if (open_memory(ring, state, options->prefault, reservation_options) < 0) return -1;
    ring->head->capacity = (uint64_t)options->capacity;
    if (options->prefault && prefault_mirror(ring) < 0) return -1;
    if (options->lock && lock(ring) < 0) return -1;
    fork_list_add(&state->sharing.forks, &ring->fork, &FORK_KIND, ring);
    return 0;
}

// The garbage collector, which can show any code what it tracks, gets to know the ring when it has memory.
Ring* ring_new(ModuleState* state, PyTypeObject* python_type, const RingOptions* options) {
    if ((options->is_shared ? sharing_prepare(state, python_type) : sharing_check_supported(state)) < 0) return NULL;
    size_t num_bytes = find_num_bytes(&options->type, options->capacity);
    ReservationOptions reservation_options = make_options(state, python_type, num_bytes);
    Ring* ring = NULL;
    SharedMemory* memory = reservation_audit(state, &reservation_options) == 0 ? new_memory(options) : NULL;
    if (memory) ring = allocate(state, python_type, &options->type, memory);
    if (ring) {
        PyObject_GC_UnTrack(ring);
        int status = open_writer(ring, state, options, &reservation_options);
        PyObject_GC_Track(ring);
        if (status < 0) Py_CLEAR(ring);
    }
    return ring;
}

// --- creating a reader ---

static int raise_no_ring(const char* what) {
    PyErr_Format(PyExc_ValueError, "this shared memory is said to hold a ring, but %s", what);
    return -1;
}

// From what the first page says, of which only the sizes were checked.
static int read_type(const SharedPage* facts, RowType* type) {
    const ItemType* scalar = facts->format[0] && !facts->format[1] ? find_item_type((Py_UCS4)facts->format[0]) : NULL;
    Py_ssize_t shape[SHARED_PAGE_DIMS];
    if (!scalar) return raise_no_ring("its typecode is unknown");
    for (uint32_t i = 0; i < facts->num_dims; i++) shape[i] = (Py_ssize_t)facts->row_shape[i];
    if (!rows_make_type(scalar, (int)facts->num_dims, shape, type) || (uint64_t)type->size != facts->item_size)
        return raise_no_ring("the size of its items does not fit their type");
    if (facts->num_bytes == 0 || facts->num_bytes > MAX_RING_BYTES ||
        facts->num_bytes % vmem_get_allocation_granularity() != 0)
        return raise_no_ring("the size of its memory is not possible");
    return 0;
}

// Memory that ends early could not be read. It cannot shrink, where that can be sealed.
static int check_object_size(const SharedMemory* memory) {
    size_t size = 0;
    VmemResult result = vmem_object_size(&memory->object, &size);
    if (result != VMEM_SUCCESS) {
        int error = system_error();
        raise_system_error(PyUnicode_FromString("cannot attach a ring"), describe_refusal(result, error), error);
        return -1;
    }
    return size >= mirrored_memory_size(memory) ? 0 : raise_no_ring("it has less memory than that");
}

static int open_reader(Ring* ring, ModuleState* state, const ReservationOptions* options) {
    if (open_memory(ring, state, false, options) < 0) return -1;
    if (page_ops_protect(&ring->reservation, 0, ring->reservation.size, VMEM_READ) < 0) return -1;
    uint64_t capacity = position_load(&ring->head->capacity);
    if (capacity == 0 || capacity > (uint64_t)ring->room ||
        find_num_bytes(&ring->type, (Py_ssize_t)capacity) != ring->num_bytes)
        return raise_no_ring("its capacity does not fit its memory");
    ring->capacity = (Py_ssize_t)capacity;
    ring->overwrites = ring->is_shared = ring->readonly = true;
    ring->positions = &ring->head->positions;
    return 0;
}

PyObject* ring_attach(ModuleState* state, PyTypeObject* python_type, SharedMemory* memory) {
    RowType type;
    Ring* ring = NULL;
    ReservationOptions options = make_options(state, python_type, (size_t)memory->facts.num_bytes);
    if (read_type(&memory->facts, &type) == 0 && check_object_size(memory) == 0 &&
        reservation_audit(state, &options) == 0) {
        mirrored_memory_init(memory);
        memory->object.max_bytes = mirrored_memory_size(memory);
        ring = allocate(state, python_type, &type, memory);
    } else {
        shared_memory_free(memory);
    }
    if (!ring) return NULL;
    PyObject_GC_UnTrack(ring);
    int status = open_reader(ring, state, &options);
    PyObject_GC_Track(ring);
    if (status < 0) Py_CLEAR(ring);
    return (PyObject*)ring;
}

// --- in a forked child ---

// What was shown for writing stays writable, because pointers to it may have been kept, and no longer reaches the
// parent.
static void stop_writing(Ring* ring) {
    char* base = ring->reservation.base;
    if (!ring->shown_writable) {
        mirrored_memory_make_readonly(ring->memory, base);
        return;
    }
    char* again = mirrored_memory_map_again(ring->memory, base);
    if (again == base) return;
    ring->abandoned = base;
    ring->reservation.base = again;
    ring->head = (RingHead*)again;
    ring->items = again + shared_page_size();
}

// The parent goes on writing to the same memory, so the child becomes a reader.
static void change_in_child(void* object) {
    Ring* ring = object;
    if (ring->readonly) return;
    stop_writing(ring);
    ring->readonly = true;
    ring->prepared = -1;
    ring->positions = &ring->head->positions;
}

// --- deallocating ---

void ring_dealloc(Ring* self) {
    fork_list_remove(&self->fork);
    if (self->abandoned) mirrored_memory_unmap(self->memory, self->abandoned);
    reservation_dealloc_owner(&self->reservation, (PyObject*)self, self->weakrefs);
}

bool ring_check(PyObject* object) { return type_find_base(Py_TYPE(object), ring_methods) != NULL; }

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
    return ring->items + (size_t)(position * (uint64_t)ring->type.size % (uint64_t)ring->num_bytes);
}

static void set_oldest(Ring* ring, uint64_t oldest) {
    position_store(&ring->own.oldest, oldest);
    position_store(&ring->head->positions.oldest, oldest);
    writer_fence();
}

static void set_total(Ring* ring, uint64_t total) {
    position_store(&ring->own.total, total);
    position_store(&ring->head->positions.total, total);
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
static int check_write(const Ring* ring, Py_ssize_t num_items, Py_ssize_t* num_skipped) {
    if (ring_check_writer(ring) < 0) return -1;
    *num_skipped = ring->overwrites && num_items > ring->capacity ? num_items - ring->capacity : 0;
    WriteProblem problem = ring_check_fits(ring, num_items - *num_skipped);
    if (problem == WRITE_FITS && (uint64_t)num_items > ring->max_position - ring->own.total) problem = WRITE_IS_AT_END;
    return problem == WRITE_FITS ? 0 : ring_raise_does_not_fit(ring, problem, "write", num_items);
}

int ring_check_write(const Ring* ring, Py_ssize_t num_items, Py_ssize_t* num_skipped) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(ring);
    status = check_write(ring, num_items, num_skipped);
    Py_END_CRITICAL_SECTION();
    return status;
}

// The caller holds the lock.
static int write_locked(Ring* ring, Py_ssize_t num_skipped, const char* items, Py_ssize_t num_items) {
    Py_ssize_t num_to_skip;
    if (check_write(ring, num_skipped + num_items, &num_to_skip) < 0) return -1;
    if (num_items == 0) return 0;
    ring->prepared = -1;
    if (num_skipped > 0) ring_skip(ring, num_skipped);
    memcpy(ring_begin_write(ring, num_items), items, (size_t)num_items * (size_t)ring->type.size);
    ring_end_write(ring, num_items);
    return 0;
}

int ring_write(Ring* ring, Py_ssize_t num_skipped, const char* items, Py_ssize_t num_items) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(ring);
    status = write_locked(ring, num_skipped, items, num_items);
    Py_END_CRITICAL_SECTION();
    return status;
}

bool ring_owns(const Ring* ring, const void* memory, Py_ssize_t num_bytes) {
    uintptr_t start = (uintptr_t)memory, own = (uintptr_t)ring->items;
    return start < own + 2 * ring->num_bytes && own < start + (uintptr_t)num_bytes;
}
