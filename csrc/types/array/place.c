#include "types/array/place.h"

#include <stdio.h>

#include "core/growth.h"
#include "core/lifetime.h"
#include "core/mapping_budget.h"
#include "core/native_hold.h"
#include "core/page_ops.h"
#include "python/arguments.h"
#include "types/sharing.h"

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

// An array that another process has made.
static const OwnerKind ATTACHED_ARRAY = {
    .noun = "array",
    .article = "an",
    .reserved_for = " for an array",
    .when_addresses_run_out = "let the process that makes it ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer arrays and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays and arenas",
};

static const OwnerKind FILE_ARRAY = {
    .noun = "array",
    .article = "an",
    .reserved_for = " for a file",
    .when_addresses_run_out = "ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer arrays and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays and arenas",
};

// --- capacity ---

int place_convert_capacity(const RowType* type, PyObject* object, Py_ssize_t* capacity) {
    char unit[40];
    size_t num_items;
    snprintf(unit, sizeof(unit), " items of %lld bytes", (long long)type->size);
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

static Py_ssize_t next_default_capacity(ModuleState* state, const RowType* type) {
    if (state->default_size_uses <= 0) return place_default_capacity(state, type);
    state->default_size_uses--;
    return (Py_ssize_t)state->default_size / type->size;
}

// Under a limit every reservation changes the answer, and so does who raises the limit.
Py_ssize_t place_default_capacity(ModuleState* state, const RowType* type) {
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

static const char* advise_on_growth(const RowType* type, Py_ssize_t length) {
    if (length > PY_SSIZE_T_MAX / 2 / type->size) return "the address space is too small";
    if (can_reserve_more((size_t)(length * type->size))) return "make it with a larger capacity=";
    return "raise the address space limit (ulimit -v)";
}

int place_raise_full(PyObject* out_of_memory_error, const RowType* type, Py_ssize_t capacity, Py_ssize_t length) {
    const char* message = "cannot grow an array with a capacity of %zd items to %zd; %s";
    PyObject* text = PyUnicode_FromFormat(message, capacity, length, advise_on_growth(type, length));
    return raise_capacity_exceeded(out_of_memory_error, text);
}

// --- opening and closing ---

static int raise_place_full(const Array* array, Py_ssize_t length) {
    const Place* place = array->place;
    PyObject* out_of_memory_error = place->reservation.out_of_memory_error;
    size_t num_digits = place->file ? file_memory_count_digits(place->file) : SIZE_MAX;
    if ((size_t)snprintf(NULL, 0, "%zd", length) <= num_digits)
        return place_raise_full(out_of_memory_error, array->type, place->capacity, length);
    const char* message = "cannot grow an array of %zd items to %zd; its header has room for a length of %zu digits";
    return raise_capacity_exceeded(out_of_memory_error,
                                   PyUnicode_FromFormat(message, array->length, length, num_digits));
}

static void count_allocated(Array* array, size_t usable) {
    array->num_allocated = (Py_ssize_t)(usable - array->place->item_offset) / array->type->size;
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

static ReservationOptions describe_place(const ModuleState* state, const PyTypeObject* python_type, size_t num_bytes) {
    return (ReservationOptions){
        .num_bytes = num_bytes, .align = 1, .name = Py_None, .owner_is_gc = python_type != state->array_type};
}

// A reservation has at least one byte.
static size_t count_capacity_bytes(const RowType* type, Py_ssize_t capacity) {
    return capacity > 0 ? (size_t)(capacity * type->size) : 1;
}

// Takes over the backing. NULL with an exception.
static Place* new_place(ModuleState* state, Array* array, const OwnerKind* owner_kind, Py_ssize_t capacity,
                        size_t num_bytes, const Backing* backing) {
    ReservationOptions options = describe_place(state, Py_TYPE((PyObject*)array), num_bytes);
    Place* place = PyMem_Calloc(1, sizeof(Place));
    if (!place) {
        if (backing->destroy) backing->destroy(backing);
        PyErr_NoMemory();
        return NULL;
    }
    place->capacity = capacity;
    place->memory = shared_memory_of(backing);
    place->file = file_memory_of(backing);
    if (reservation_open(&place->reservation, state, (PyObject*)array, owner_kind, backing, &options) == 0)
        return place;
    place_close(place);
    return NULL;
}

static int open_place(ModuleState* state, Array* array, Py_ssize_t capacity, bool is_default) {
    if (array->place) return 0;
    if (module_check_loaded(state) < 0) return -1;
    if (place_audit(state, Py_TYPE((PyObject*)array), array->type, capacity) < 0) return -1;
    int status = 0;
    Place* place = new_place(state, array, is_default ? &DEFAULT_ARRAY : &ARRAY, capacity,
                             count_capacity_bytes(array->type, capacity), &PRIVATE_MEMORY);
    if (!place) return -1;
    Py_BEGIN_CRITICAL_SECTION(array);
    if (!array->place) status = move_items(array, place);  // else another thread or a hook was first
    Py_END_CRITICAL_SECTION();
    if (array->place != place) place_close(place);
    return status;
}

int place_audit(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity) {
    ReservationOptions options = describe_place(state, python_type, count_capacity_bytes(type, capacity));
    return reservation_audit(state, &options);
}

int place_open(ModuleState* state, Array* array, Py_ssize_t capacity) {
    return open_place(state, array, capacity, false);
}

bool place_has_smaller_default(ModuleState* state, const RowType* item_type, Py_ssize_t* capacity,
                               Py_ssize_t min_capacity) {
    PyObject *type, *value, *traceback;
    if (!PyErr_ExceptionMatches(PyExc_MemoryError)) return false;
    PyErr_Fetch(&type, &value, &traceback);
    Py_ssize_t smaller = place_default_capacity(state, item_type);
    if (smaller < min_capacity) smaller = min_capacity;
    if (smaller >= *capacity) {
        PyErr_Restore(type, value, traceback);
        return false;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    *capacity = smaller;
    return true;
}

Py_ssize_t place_choose_default(ModuleState* state, const RowType* type, Py_ssize_t min_capacity) {
    Py_ssize_t capacity = next_default_capacity(state, type);
    if (min_capacity > PY_SSIZE_T_MAX / 2 / type->size)
        return place_raise_full(state->out_of_memory_error, type, capacity, min_capacity);
    return capacity < min_capacity ? min_capacity : capacity;
}

static int open_default_place(ModuleState* state, Array* array, Py_ssize_t capacity, Py_ssize_t min_capacity) {
    if (open_place(state, array, capacity, true) == 0) return 0;
    if (!place_has_smaller_default(state, array->type, &capacity, min_capacity)) return -1;
    return open_place(state, array, capacity, true);
}

int place_open_default(ModuleState* state, Array* array, Py_ssize_t min_capacity) {
    Py_ssize_t capacity = place_choose_default(state, array->type, min_capacity);
    return capacity < 0 ? -1 : open_default_place(state, array, capacity, min_capacity);
}

int place_open_grown(ModuleState* state, Array* array, Py_ssize_t length) {
    Py_ssize_t capacity = next_default_capacity(state, array->type);
    if (length > capacity) capacity = place_default_capacity(state, array->type);  // it may be more by now
    if (capacity < array->length) capacity = array->length;
    if (length > capacity) return place_raise_full(state->out_of_memory_error, array->type, capacity, length);
    return open_default_place(state, array, capacity, length);
}

void place_close(Place* place) {
    if (place->inherited) place_close(place->inherited);
    ForkList* forks = place->fork_entry.list;
    fork_list_remove(&place->fork_entry);
    if (forks) native_memory_follow_forks(&place->reservation, forks);
    reservation_destroy(&place->reservation);
    PyMem_Free(place);
}

// --- sharing ---

static SharedMemory* new_shared_memory(ModuleState* state, const RowType* type, Py_ssize_t capacity) {
    SharedPage facts;
    if (shared_page_init(&facts, SHARED_ARRAY, (size_t)(capacity * type->size), Py_None) < 0) return NULL;
    rows_describe(type, &facts);
    return shared_memory_new(&facts, sharing_possible_seals(state), true);
}

int place_open_shared(ModuleState* state, Array* array, Py_ssize_t capacity, bool is_default) {
    size_t num_bytes = count_capacity_bytes(array->type, capacity);
    SharedMemory* memory = new_shared_memory(state, array->type, capacity);
    if (!memory) return -1;
    Place* place = new_place(state, array, is_default ? &DEFAULT_ARRAY : &ARRAY, capacity, num_bytes, &memory->backing);
    if (!place) return -1;
    array->items = place->reservation.base;
    array->place = place;
    array->role = ARRAY_WRITER;
    return 0;
}

// Maps memory that another process writes. NULL with an exception.
static Place* new_readable_place(ModuleState* state, Array* array, const OwnerKind* owner_kind, SharedMemory* memory) {
    size_t num_bytes = (size_t)memory->facts.num_bytes;
    Py_ssize_t capacity = (Py_ssize_t)num_bytes / array->type->size;
    memory->keeps_page = true;
    memory->protection = VMEM_READ;
    return new_place(state, array, owner_kind, capacity, num_bytes > 0 ? num_bytes : 1, &memory->backing);
}

int place_attach(ModuleState* state, Array* array, SharedMemory* memory) {
    Place* place = new_readable_place(state, array, &ATTACHED_ARRAY, memory);
    if (!place) return -1;
    array->items = place->reservation.base;
    array->place = place;
    array->role = ARRAY_READER;
    return 0;
}

// --- files ---

// Where so many items end.
static size_t end_of(const Array* array, Py_ssize_t length) {
    return array->place->item_offset + (size_t)(length * array->type->size);
}

int place_open_file(ModuleState* state, Array* array, Py_ssize_t capacity, FileMemory* file, Py_ssize_t length) {
    size_t max_bytes = file->object.max_bytes;
    bool is_writer = file->is_writer;
    Py_ssize_t readable = (Py_ssize_t)((file->size - file->item_offset) / file->item_size);
    if (length > readable) length = readable;
    Place* place = new_place(state, array, &FILE_ARRAY, capacity, max_bytes, &file->backing);
    if (!place) return -1;
    place->item_offset = file->item_offset;
    array->items = place->reservation.base + file->item_offset;
    array->place = place;
    // Until everything has succeeded it is no writer, which would settle the file when it is deallocated.
    if (file_memory_record(file, &place->reservation, is_writer ? file->size : end_of(array, length)) < 0) return -1;
    array->length = length;
    array->role = is_writer ? ARRAY_FILE : ARRAY_READER;
    if (is_writer) count_allocated(array, file->size);
    place->high_water = file->size;
    file->is_locked = is_writer;
    return 0;
}

static int ensure_file(Array* array, Py_ssize_t length) {
    Place* place = array->place;
    if (file_memory_grow(place->file, &place->reservation, end_of(array, length)) < 0) return -1;
    count_allocated(array, place->file->size);
    return 0;
}

int place_append_to_file(Array* array, const char* items, Py_ssize_t num_items) {
    Place* place = array->place;
    if (num_items > place->capacity - array->length) return 0;
    int status = file_memory_append(place->file, &place->reservation, end_of(array, array->length), items,
                                    (size_t)(num_items * array->type->size));
    if (status <= 0) return status;
    count_allocated(array, place->file->size);
    array->length += num_items;
    if (place->high_water < end_of(array, array->length)) place->high_water = end_of(array, array->length);
    return 1;
}

void place_close_file(Array* array) {
    PyObject *type, *value, *traceback;
    FileMemory* file = array->place->file;
    if (array->role == ARRAY_FILE) {
        PyErr_Fetch(&type, &value, &traceback);
        file_memory_settle(file, &array->place->reservation, (size_t)array->length, true);
        PyErr_Restore(type, value, traceback);
    }
    file_memory_close(file, array->place->exported_end > 0);
}

void place_limit_to_mapped(Array* array) {
    const FileMemory* file = array->place->file;
    size_t size = file->mapped_size > file->item_offset ? file->mapped_size - file->item_offset : 0;
    if ((size_t)array->length > size / file->item_size) array->length = (Py_ssize_t)(size / file->item_size);
}

static void follow_file(Array* array) {
    Place* place = array->place;
    FileMemory* file = place->file;
    size_t length = file_memory_find_length(file);
    if (length > (size_t)place->capacity) length = (size_t)place->capacity;
    if (length <= (size_t)array->length) return;
    length =
        file_memory_show(file, &place->reservation, length, place->exported_end > 0 || place->reservation.busy.first);
    place_limit_to_mapped(array);
    if (length <= (size_t)array->length) return;
    if (file_memory_record(file, &array->place->reservation, end_of(array, (Py_ssize_t)length)) == 0)
        array->length = (Py_ssize_t)length;
    else
        PyErr_Clear();
}

// --- following ---

// Core dumps contain the items, unless that takes a mapping that is not to be had.
static void include_in_dumps(const Place* place, Pages pages, Py_ssize_t mapping_cost) {
    char* ptr = place->reservation.base + pages.start;
    if (!mapping_budget_surely_allows(mapping_cost, FOR_COMMIT)) return;
    if (shared_memory_include_in_dumps(place->memory, ptr, pages.end - pages.start))
        mapping_budget_charge(mapping_cost);
}

// Records pages that can be read as they were mapped. Returns false when there is no memory for that.
static bool record_readable(Place* place, size_t end) {
    SpanMap* spans = &place->reservation.spans;
    size_t now = growth_committed_end(&place->reservation);
    if (end <= now) return true;
    if (spans_prepare(spans, 1) < 0) {
        PyErr_Clear();
        return false;
    }
    Pages pages = reservation_pages(&place->reservation, now, end);
    Py_ssize_t mapping_cost = mapping_cost_of_commit(reservation_mappings(&place->reservation), pages);
    spans_set(spans, pages.start, pages.end, (PageState){VMEM_READ, UNLOCKED});
    include_in_dumps(place, pages, mapping_cost);
    spans_trim_spare(spans);
    return true;
}

void place_follow(Array* array) {
    Place* place = array->place;
    size_t size = (size_t)array->type->size;
    if (place->file) follow_file(array);
    if (place->file || !place->memory->page) return;
    size_t length = shared_memory_load_length(place->memory, size, (size_t)place->capacity);
    if (length > (size_t)array->length && record_readable(place, length * size)) array->length = (Py_ssize_t)length;
}

// --- forked children ---

// NULL without an exception.
static Place* map_again(ModuleState* state, Array* array, const Place* old) {
    bool is_loaded = state && module_check_loaded(state) == 0;
    SharedMemory* memory = is_loaded ? shared_memory_attach_again(old->memory) : NULL;
    Place* place = memory ? new_readable_place(state, array, old->reservation.owner_kind, memory) : NULL;
    if (!place) {
        PyErr_Clear();
        return NULL;
    }
    record_readable(place, array_num_bytes(array));
    return place;
}

// From now on this process has a copy of its own of the exported bytes of what it has inherited, and can only read the
// others up to `readable_end`. Without memory for the record the committed pages stay readable, as it says.
static void isolate(Place* old, size_t readable_end) {
    Reservation* reservation = &old->reservation;
    SpanMap* spans = &reservation->spans;
    size_t exported_end = vmem_align_forward(old->exported_end, reservation->page_size);
    size_t committed_end = growth_committed_end(reservation);
    bool can_record = spans_prepare(spans, 3 * SPANS_FOR_CHANGE) == 0;
    if (!can_record) PyErr_Clear();
    readable_end = can_record ? vmem_align_forward(readable_end, reservation->page_size) : committed_end;
    size_t own_end =
        shared_memory_isolate(old->memory, reservation->base, reservation->size, exported_end, readable_end);
    // A signal handler may have forked in the middle of a long call, which must not go on with pages that are no longer
    // as they were. The call still refers to its mark.
    reservation->busy.first = NULL;
    if (can_record) {
        if (own_end > 0) spans_set(spans, 0, own_end, (PageState){VMEM_READ_WRITE, UNLOCKED});
        if (own_end < readable_end) spans_set(spans, own_end, readable_end, (PageState){VMEM_READ, UNLOCKED});
        if (readable_end < committed_end) spans_clear(spans, readable_end, committed_end);
    }
    spans_trim_spare(spans);
}

// The number of the descriptor may have been given to somebody.
static void keep_descriptor(SharedMemory* memory, SharedMemory* old) {
    VmemObject object = memory->object;
    memory->object = old->object;
    vmem_object_close(&object);
    old->is_open = false;
}

// Old views show pages that do not follow the file once the child has written to them. NULL without an exception.
static Place* map_file_again(ModuleState* state, Array* array, const Place* old) {
    bool is_loaded = state && module_check_loaded(state) == 0;
    FileMemory* file = is_loaded ? file_memory_open_again(old->file) : NULL;
    Place* place = file ? new_place(state, array, old->reservation.owner_kind, old->capacity, file->object.max_bytes,
                                    &file->backing)
                        : NULL;
    if (place && file_memory_record(file, &place->reservation, end_of(array, array->length)) < 0) {
        place_close(place);
        place = NULL;
    }
    PyErr_Clear();
    if (!place) return NULL;
    place->item_offset = old->item_offset;
    place->high_water = old->high_water;
    return place;
}

static void become_reader_of_file(ModuleState* state, Array* array) {
    Place *old = array->place, *place = NULL;
    bool needs_own = old->file->is_writer && old->exported_end > 0;
    if (needs_own && old->file->is_open) place = map_file_again(state, array, old);
    old->reservation.busy.first = NULL;  // as in isolate()
    file_memory_isolate(old->file, old->reservation.base, old->reservation.size,
                        growth_committed_end(&old->reservation));
    if (needs_own) file_memory_close(old->file, false);
    if (!place) return;
    place->inherited = old;
    array->place = place;
    array->items = place->reservation.base + place->item_offset;
}

void place_become_reader(ModuleState* state, Array* array) {
    Place* old = array->place;
    fork_list_remove(&old->fork_entry);
    if (array->role != ARRAY_CLOSED) array->role = ARRAY_READER;
    array->num_allocated = 0;
    if (old->file) {
        become_reader_of_file(state, array);
        return;
    }
    Place* place = map_again(state, array, old);
    isolate(old, place ? old->exported_end : growth_committed_end(&old->reservation));
    if (!place) return;
    keep_descriptor(place->memory, old->memory);
    place->inherited = old;
    array->place = place;
    array->items = place->reservation.base;
}

// --- growing ---

int place_ensure(Array* array, Py_ssize_t length) {
    Reservation* reservation = &array->place->reservation;
    if (length > array->place->capacity) return raise_place_full(array, length);
    size_t end = (size_t)(length * array->type->size);
    if (array->place->file) return ensure_file(array, length);
    if (busy_check_usable(&reservation->busy, (ByteRange){array_num_bytes(array), end}, "grow into") < 0) return -1;
    if (growth_commit_to(reservation, end) < 0) return -1;
    // Where a call is at work, it may be about to decommit the pages behind those that are needed.
    count_allocated(array, busy_anywhere(&reservation->busy) ? end : growth_committed_end(reservation));
    return 0;
}

// Pages below the high water mark have been written, and are resident.
void place_prefault(Array* array, Py_ssize_t length) {
    Place* place = array->place;
    size_t used = end_of(array, array->length), end = end_of(array, length);
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
    next->start = end_of(array, length);
    next->end = end_of(array, length + num_items);
    return 0;
}

// What another thread cuts off before the operation begins is not committed then.
static int prepare_in_file(Array* array, PageOperation op, ByteRange next, int (*check_grows)(PyObject* array)) {
    Place* place = array->place;
    int status = 0;
    Py_BEGIN_CRITICAL_SECTION(array);
    size_t usable = array->role == ARRAY_FILE ? place->file->size : end_of(array, array->length);
    if (next.end > usable) {
        status = check_grows((PyObject*)array);
        if (status == 0) status = file_memory_grow(place->file, &place->reservation, next.end);
        if (status == 0) count_allocated(array, place->file->size);
    }
    Py_END_CRITICAL_SECTION();
    return status < 0 ? -1 : page_ops_run(&place->reservation, op, next.start, next.end - next.start);
}

int place_prefault_next(Array* array, Py_ssize_t num_items, int (*check_grows)(PyObject* array)) {
    ByteRange next = {0, 0};
    if (find_next_bytes(array, num_items, &next) < 0) return -1;
    if (array->place->file) return prepare_in_file(array, PAGE_OP_PREFAULT, next, check_grows);
    return growth_prepare_prefaulted(&array->place->reservation, next.start, next.end, check_grows);
}

int place_lock(Array* array, Py_ssize_t num_items, int (*check_grows)(PyObject* array)) {
    ByteRange next = {0, 0};
    if (find_next_bytes(array, num_items, &next) < 0) return -1;
    if (array->place->file) return prepare_in_file(array, PAGE_OP_LOCK, (ByteRange){0, next.end}, check_grows);
    return growth_prepare_locked(&array->place->reservation, next.end, check_grows);
}

int place_unlock(Array* array) { return growth_unlock(&array->place->reservation); }

// --- shrinking ---

int place_check_shrinks(const Array* array, Py_ssize_t length) {
    const PinList* pins = &array->place->reservation.pins;
    if (!pins->first) return 0;
    size_t num_views = pins_count_from(pins, (size_t)(length * array->type->size));
    if (num_views == 0) return 0;
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

static ByteRange claim_exported(const Unused* Py_UNUSED(unused), PyObject* owner) {
    Array* array = (Array*)owner;
    size_t usable = growth_committed_end(&array->place->reservation), exported_end = array->place->exported_end;
    return (ByteRange){forget_spare_items(array), exported_end < usable ? exported_end : usable};
}

static ByteRange claim_never_exported(const Unused* Py_UNUSED(unused), PyObject* owner) {
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
