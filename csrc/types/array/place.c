#include "types/array/place.h"

#include <stdio.h>

#include "core/growth.h"
#include "core/lifetime.h"
#include "core/page_ops.h"
#include "python/arguments.h"

static const OwnerKind ARRAY = {
    .noun = "array",
    .article = "an",
    .reserved_for = " for an array",
    .when_addresses_run_out = "ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer arrays and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays and arenas",
};

// An array for which no capacity was asked.
static const OwnerKind DEFAULT_ARRAY = {
    .noun = "array",
    .article = "an",
    .reserved_for = " for an array",
    .when_addresses_run_out = "release what is not needed",
    .when_mappings_run_out = "keep fewer arrays and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays and arenas",
};

// --- capacity ---

int place_convert_capacity(const ItemType* type, PyObject* object, Py_ssize_t* capacity) {
    char unit[40];
    size_t num_items;
    snprintf(unit, sizeof(unit), " items of %d bytes", (int)type->size);
    SizeRange range = {0, (size_t)(PY_SSIZE_T_MAX / 2 / type->size), unit};
    if (convert_size_in_range(object, "capacity", range, &num_items) < 0) return -1;
    *capacity = (Py_ssize_t)num_items;
    return 0;
}

// As much as physical memory, but only a small share of the addresses that are left, so that ten thousand arrays leave
// enough for everything else.
static size_t compute_default_size(ModuleState* state, bool* is_limited) {
    VmemAddressSpace space;
    if (state->physical_memory == 0) {
        VmemMemoryInfo info;
        vmem_get_memory_info(&info);
        state->physical_memory = info.total > 0 ? info.total : UINT64_MAX;
    }
    vmem_get_address_space(&space);
    uint64_t size = state->physical_memory;
    uint64_t share = (space.total - space.used) / 4096;
    if (size > share) size = share;
    *is_limited = space.limit != VMEM_UNLIMITED;
    if (*is_limited) {
        uint64_t limited_share = space.limit > space.used ? (space.limit - space.used) / 8 : 0;
        if (size > limited_share) size = limited_share;
    }
    size = size < PY_SSIZE_T_MAX / 2 ? size : PY_SSIZE_T_MAX / 2;
    return vmem_align_forward((size_t)size, vmem_get_page_size());
}

// Asking how many addresses are used costs as much as reserving some. So one answer serves so many arrays, which
// together take less than a fiftieth of the addresses.
#define DEFAULT_SIZE_USES 64

static Py_ssize_t next_default_capacity(ModuleState* state, const ItemType* type) {
    if (state->default_size_uses <= 0) return place_default_capacity(state, type);
    state->default_size_uses--;
    return (Py_ssize_t)state->default_size / type->size;
}

// Under a limit every reservation changes the answer, and so does who raises the limit.
Py_ssize_t place_default_capacity(ModuleState* state, const ItemType* type) {
    bool is_limited;
    state->default_size = compute_default_size(state, &is_limited);
    state->default_size_uses = is_limited ? 0 : DEFAULT_SIZE_USES;
    return (Py_ssize_t)state->default_size / type->size;
}

// A larger capacity is no advice where a limit forbids it.
static bool can_reserve_more(size_t num_bytes) {
    VmemAddressSpace space;
    vmem_get_address_space(&space);
    return space.limit == VMEM_UNLIMITED || (space.limit > space.used && num_bytes <= space.limit - space.used);
}

static const char* advise_on_growth(const ItemType* type, Py_ssize_t length) {
    if (length > PY_SSIZE_T_MAX / 2 / type->size) return "the address space is too small";
    if (can_reserve_more((size_t)(length * type->size))) return "make it with a larger capacity=";
    return "raise the address space limit (ulimit -v)";
}

int place_raise_full(PyObject* out_of_memory_error, const ItemType* type, Py_ssize_t capacity, Py_ssize_t length) {
    const char* message = "cannot grow an array with a capacity of %zd items to %zd; %s";
    PyObject* text = PyUnicode_FromFormat(message, capacity, length, advise_on_growth(type, length));
    return raise_capacity_exceeded(out_of_memory_error, text);
}

// --- opening and closing ---

static int raise_place_full(const Array* array, Py_ssize_t length) {
    return place_raise_full(array->place->reservation.out_of_memory_error, array->type, array->place->capacity, length);
}

static void count_allocated(Array* array, size_t usable) {
    array->num_allocated = (Py_ssize_t)usable / array->type->size;
    if (array->num_allocated > array->place->capacity) array->num_allocated = array->place->capacity;
}

// The caller holds the array's lock.
static int move_items(Array* array, Place* place) {
    size_t num_bytes = array_num_bytes(array);
    if (array->length > place->capacity)  // an audit hook, or another thread, has made it longer
        return place_raise_full(place->reservation.out_of_memory_error, array->type, place->capacity, array->length);
    if (growth_commit_to(&place->reservation, num_bytes) < 0) return -1;
    if (num_bytes > 0) memcpy(place->reservation.base, array->items, num_bytes);
    PyMem_Free(array->items);
    array->items = place->reservation.base;
    array->place = place;
    place->high_water = num_bytes;
    count_allocated(array, growth_committed_end(&place->reservation));
    return 0;
}

static int open_place(ModuleState* state, Array* array, Py_ssize_t capacity, bool is_default) {
    if (array->place) return 0;
    if (module_check_loaded(state) < 0) return -1;
    ReservationOptions options = {.num_bytes = capacity > 0 ? (size_t)(capacity * array->type->size) : 1,
                                  .align = 1,
                                  .name = Py_None,
                                  .owner_is_gc = Py_TYPE((PyObject*)array) != state->array_type};
    if (reservation_audit(state, &options) < 0) return -1;
    Place* place = PyMem_Calloc(1, sizeof(Place));
    int status;
    if (!place) {
        PyErr_NoMemory();
        return -1;
    }
    place->capacity = capacity;
    status = reservation_open(&place->reservation, state, (PyObject*)array, is_default ? &DEFAULT_ARRAY : &ARRAY,
                              &PRIVATE_MEMORY, &options);
    if (status == 0) {
        Py_BEGIN_CRITICAL_SECTION(array);
        if (!array->place) status = move_items(array, place);  // else another thread or a hook was first
        Py_END_CRITICAL_SECTION();
    }
    if (array->place != place) place_close(place);
    return status;
}

int place_open(ModuleState* state, Array* array, Py_ssize_t capacity) {
    return open_place(state, array, capacity, false);
}

// Many addresses may have been taken, or a limit set, since the default size was computed.
static int retry_with_current_size(ModuleState* state, Array* array, Py_ssize_t capacity, Py_ssize_t min_capacity) {
    PyObject *type, *value, *traceback;
    if (!PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
    PyErr_Fetch(&type, &value, &traceback);
    Py_ssize_t smaller = place_default_capacity(state, array->type);
    if (smaller < min_capacity) smaller = min_capacity;
    if (smaller >= capacity) {
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return open_place(state, array, smaller, true);
}

int place_open_default(ModuleState* state, Array* array, Py_ssize_t min_capacity) {
    Py_ssize_t capacity = next_default_capacity(state, array->type);
    if (min_capacity > PY_SSIZE_T_MAX / 2 / array->type->size)
        return place_raise_full(state->out_of_memory_error, array->type, capacity, min_capacity);
    if (capacity < min_capacity) capacity = min_capacity;
    if (open_place(state, array, capacity, true) == 0) return 0;
    return retry_with_current_size(state, array, capacity, min_capacity);
}

int place_open_grown(ModuleState* state, Array* array, Py_ssize_t length) {
    Py_ssize_t capacity = next_default_capacity(state, array->type);
    if (length > capacity) capacity = place_default_capacity(state, array->type);  // it may be more by now
    if (capacity < array->length) capacity = array->length;
    if (length > capacity) return place_raise_full(state->out_of_memory_error, array->type, capacity, length);
    if (open_place(state, array, capacity, true) == 0) return 0;
    return retry_with_current_size(state, array, capacity, length);
}

void place_close(Place* place) {
    reservation_destroy(&place->reservation);
    PyMem_Free(place);
}

// --- growing ---

int place_ensure(Array* array, Py_ssize_t length) {
    Reservation* reservation = &array->place->reservation;
    if (length > array->place->capacity) return raise_place_full(array, length);
    size_t end = (size_t)(length * array->type->size);
    if (busy_check_usable(&reservation->busy, (ByteRange){array_num_bytes(array), end}, "grow into") < 0) return -1;
    if (growth_commit_to(reservation, end) < 0) return -1;
    // Where a call is at work, it may be about to decommit the pages behind those that are needed.
    count_allocated(array, busy_anywhere(&reservation->busy) ? end : growth_committed_end(reservation));
    return 0;
}

// Pages below the high water mark have been written, and are resident.
void place_prefault(Array* array, Py_ssize_t length) {
    Place* place = array->place;
    size_t used = array_num_bytes(array), end = (size_t)(length * array->type->size);
    if (place->high_water < used) place->high_water = used;
    if (place->high_water >= end) return;
    growth_prefault(&place->reservation, place->high_water, end);
    place->high_water = end;
}

// --- preparing ---

// The offsets at which the items end now, and after so many more. Raises when the capacity is exceeded.
static int find_next_bytes(Array* array, Py_ssize_t num_items, ByteRange* next) {
    Py_ssize_t length, capacity;
    Py_BEGIN_CRITICAL_SECTION(array);
    length = array->length;
    capacity = array->place->capacity;
    Py_END_CRITICAL_SECTION();
    if (num_items > capacity - length)
        return raise_place_full(array, num_items > PY_SSIZE_T_MAX - length ? PY_SSIZE_T_MAX : length + num_items);
    next->start = (size_t)(length * array->type->size);
    next->end = (size_t)((length + num_items) * array->type->size);
    return 0;
}

int place_prefault_next(Array* array, Py_ssize_t num_items) {
    ByteRange next = {0, 0};
    if (find_next_bytes(array, num_items, &next) < 0) return -1;
    return growth_prepare_prefaulted(&array->place->reservation, next.start, next.end);
}

int place_lock(Array* array, Py_ssize_t num_items) {
    ByteRange next = {0, 0};
    if (find_next_bytes(array, num_items, &next) < 0) return -1;
    return growth_prepare_locked(&array->place->reservation, next.end);
}

int place_unlock(Array* array) { return growth_unlock(&array->place->reservation); }

// --- shrinking ---

int place_check_shrinks(const Array* array, Py_ssize_t length) {
    const PinList* pins = &array->place->reservation.pins;
    if (!pins->first) return 0;
    size_t kept = (size_t)(length * array->type->size);
    if (pins_end(pins) <= kept) return 0;
    size_t num_views = pins_count_from(pins, kept);
    PyErr_Format(PyExc_BufferError,
                 num_views == 1 ? "cannot shrink this array from %zd to %zd items: %zu view reaches further; release "
                                  "or delete it first, with every array and slice made from it"
                                : "cannot shrink this array from %zd to %zd items: %zu views reach further; release "
                                  "or delete them first, with every array and slice made from them",
                 array->length, length, num_views);
    return -1;
}

// Returns where the items end. From now on, growing has to commit, and so finds the mark of the call that gives pages
// back.
static size_t forget_spare_items(Array* array) {
    array->num_allocated = array->length;
    array->place->high_water = array_num_bytes(array);
    return array->place->high_water;
}

static ByteRange claim_exported(PyObject* owner) {
    Array* array = (Array*)owner;
    size_t usable = growth_committed_end(&array->place->reservation), exported_end = array->place->exported_end;
    return (ByteRange){forget_spare_items(array), exported_end < usable ? exported_end : usable};
}

static ByteRange claim_never_exported(PyObject* owner) {
    Array* array = (Array*)owner;
    size_t used = forget_spare_items(array), exported_end = array->place->exported_end;
    return (ByteRange){used > exported_end ? used : exported_end, array->place->reservation.size};
}

// Pages that were ever exported are discarded, never decommitted: np.ndarray(buffer=array) releases the Py_buffer and
// keeps the pointer, and reads zeros then instead of ending in SIGSEGV.
int place_shrink_to_fit(Array* array) {
    static const Unused exported = {claim_exported, NULL}, never_exported = {claim_never_exported, NULL};
    Reservation* reservation = &array->place->reservation;
    if (page_ops_run_unused(reservation, PAGE_OP_DISCARD, &exported) < 0) return -1;
    return page_ops_run_unused(reservation, PAGE_OP_DECOMMIT, &never_exported);
}
