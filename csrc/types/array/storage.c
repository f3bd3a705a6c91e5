#include "types/array/storage.h"

#include "core/growth.h"
#include "core/lifetime.h"
#include "core/page_ops.h"

static const OwnerKind ARRAY = {
    .noun = "array",
    .article = "an",
    .when_addresses_run_out = "ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer arrays and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays and arenas",
};

// --- capacity ---

// What one array reserves by default, in bytes: as much as physical memory, but only a small share of the addresses
// that are left, so that ten thousand arrays leave enough for everything else.
static size_t default_size(ModuleState* state) {
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
    if (space.limit != VMEM_UNLIMITED) {
        uint64_t limited_share = space.limit > space.used ? (space.limit - space.used) / 8 : 0;
        if (size > limited_share) size = limited_share;
    }
    return size < PY_SSIZE_T_MAX / 2 ? (size_t)size : PY_SSIZE_T_MAX / 2;
}

// --- creating and deallocating ---

void array_dealloc(Array* self) { reservation_dealloc_owner(&self->reservation, (PyObject*)self, self->weakrefs); }

bool array_check(PyObject* object) { return type_find_base(Py_TYPE(object), array_methods) != NULL; }

ModuleState* array_state_of_type(PyTypeObject* type) { return module_state_of(type, array_methods); }

ModuleState* array_find_state(Array* array) { return array_state_of_type(Py_TYPE((PyObject*)array)); }

int array_check_capacity(const ItemType* type, size_t capacity) {
    if (capacity <= (size_t)(PY_SSIZE_T_MAX / 2 / type->size)) return 0;
    PyErr_Format(PyExc_ValueError, "capacity must be at most %zd items of %zd bytes, got %zu",
                 PY_SSIZE_T_MAX / 2 / type->size, type->size, capacity);
    return -1;
}

Array* array_new(ModuleState* state, PyTypeObject* python_type, const ItemType* type, Py_ssize_t capacity,
                 Py_ssize_t min_capacity) {
    if (module_check_loaded(state) < 0) return NULL;
    bool is_default = capacity < 0;
    if (is_default) capacity = (Py_ssize_t)default_size(state) / type->size;
    if (capacity < min_capacity) capacity = min_capacity;
    if (array_check_capacity(type, (size_t)capacity) < 0) return NULL;
    ReservationOptions options = {.num_bytes = capacity > 0 ? (size_t)(capacity * type->size) : 1,
                                  .align = 1,
                                  .name = Py_None,
                                  .owner_is_gc = python_type != state->array_type};
    if (reservation_audit(state, &options) < 0) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(python_type, Py_tp_alloc);
    Array* self = (Array*)alloc(python_type, 0);
    if (!self) return NULL;
    self->type = type;
    if (reservation_open(&self->reservation, state, (PyObject*)self, &ARRAY, &PRIVATE_MEMORY, &options) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->items = self->reservation.base;
    self->capacity = is_default ? (Py_ssize_t)self->reservation.size / type->size : capacity;
    return self;
}

Array* array_new_like(Array* array, Py_ssize_t min_capacity) {
    ModuleState* state = array_find_state(array);
    if (!state || module_check_loaded(state) < 0) return NULL;
    return array_new(state, state->array_type, array->type, -1, min_capacity);
}

// --- changing the size ---

char* array_item(const Array* array, Py_ssize_t index) { return array->items + (size_t)(index * array->type->size); }

int array_check_shrinks(const Array* array, Py_ssize_t length) {
    if (!array->reservation.pins.first) return 0;
    size_t kept = (size_t)(length * array->type->size);
    if (pins_end(&array->reservation.pins) <= kept) return 0;
    size_t num_views = pins_count_from(&array->reservation.pins, kept);
    PyErr_Format(PyExc_BufferError,
                 num_views == 1 ? "cannot shrink this array from %zd to %zd items: %zu view reaches further; release "
                                  "or delete it first, with every array and slice made from it"
                                : "cannot shrink this array from %zd to %zd items: %zu views reach further; release "
                                  "or delete them first, with every array and slice made from them",
                 array->length, length, num_views);
    return -1;
}

static int raise_growth_refused(const Array* array, Py_ssize_t length) {
    const char* message = "cannot grow an array with a capacity of %zd items to %zd; make it with a larger capacity=";
    return raise_capacity_exceeded(array->reservation.out_of_memory_error,
                                   PyUnicode_FromFormat(message, array->capacity, length));
}

static int ensure_committed(Array* array, Py_ssize_t length) {
    if (length > array->capacity) return raise_growth_refused(array, length);
    size_t start = (size_t)(array->length * array->type->size), end = (size_t)(length * array->type->size);
    if (busy_check_usable(&array->reservation.busy, (ByteRange){start, end}, "grow into") < 0) return -1;
    if (growth_commit_to(&array->reservation, end) < 0) return -1;
    // A call in progress may be about to decommit the pages after those that are needed.
    size_t usable = busy_anywhere(&array->reservation.busy) ? end : growth_committed_end(&array->reservation);
    array->committed_items = (Py_ssize_t)usable / array->type->size;
    if (array->committed_items > array->capacity) array->committed_items = array->capacity;
    return 0;
}

static int append_item(Array* array, const char* item) {
    Py_ssize_t index = array->length;
    if (index == array->committed_items && ensure_committed(array, index + 1) < 0) return -1;
    memcpy(array_item(array, index), item, (size_t)array->type->size);
    array->length = index + 1;
    return 0;
}

// Pages below the high water mark have been written, and are resident.
static void prefault_new_items(Array* array, size_t end) {
    size_t used = (size_t)(array->length * array->type->size);
    if (array->high_water < used) array->high_water = used;
    if (array->high_water >= end) return;
    growth_prefault(&array->reservation, array->high_water, end);
    array->high_water = end;
}

int array_splice(Array* array, Py_ssize_t start, Py_ssize_t num_removed, const char* items, Py_ssize_t num_items) {
    Py_ssize_t num_before = start + num_removed, num_after = array->length - num_before;
    if (num_items > PY_SSIZE_T_MAX - array->length) return raise_growth_refused(array, PY_SSIZE_T_MAX);
    Py_ssize_t length = array->length - num_removed + num_items;
    if (length > array->committed_items && ensure_committed(array, length) < 0) return -1;
    if (length < array->length && array_check_shrinks(array, length) < 0) return -1;
    size_t size = (size_t)array->type->size;
    prefault_new_items(array, (size_t)length * size);
    if (num_items != num_removed)
        memmove(array_item(array, start + num_items), array_item(array, num_before), (size_t)num_after * size);
    if (items) memmove(array_item(array, start), items, (size_t)num_items * size);
    array->length = length;
    return 0;
}

// --- filling ---

static int extend_from_array(Array* array, Array* other) {
    if (array->type != other->type) {
        PyErr_SetString(PyExc_TypeError, "can only extend with array of same kind");
        return -1;
    }
    int status;
    Py_ssize_t num_items;
    Py_BEGIN_CRITICAL_SECTION2(array, other);
    num_items = other->length;
    status = array_splice(array, array->length, 0, array_item(other, 0), num_items);
    Py_END_CRITICAL_SECTION2();
    return status;
}

// Copies all items of a buffer at once if it has the same item type. Returns 1 when it did, 0 for other objects, -1
// with an exception.
static int extend_from_buffer(Array* array, PyObject* object) {
    Py_buffer buffer;
    int status = 0;
    if (!PyObject_CheckBuffer(object)) return 0;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_FULL_RO) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_BufferError)) return -1;
        PyErr_Clear();
        return 0;
    }
    if (buffer.ndim == 1 && item_type_matches(array->type, buffer.format) && PyBuffer_IsContiguous(&buffer, 'C')) {
        Py_BEGIN_CRITICAL_SECTION(array);
        status = array_splice(array, array->length, 0, buffer.buf, buffer.len / array->type->size);
        Py_END_CRITICAL_SECTION();
        if (status == 0) status = 1;
    }
    PyBuffer_Release(&buffer);
    return status;
}

int array_append_object(Array* array, PyObject* object) {
    char item[MAX_ITEM_SIZE];
    int status;
    if (array->type->set(item, object) < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION(array);
    status = append_item(array, item);
    Py_END_CRITICAL_SECTION();
    return status;
}

// Signals are handled between so many items, so that Ctrl-C stops an iterator that never ends.
#define ITEMS_BETWEEN_SIGNALS 4096

int array_extend_from_iterator(Array* array, PyObject* iterable) {
    PyObject* iterator = PyObject_GetIter(iterable);
    PyObject* object;
    int status = 0;
    if (!iterator) return -1;
    for (size_t count = 1; status == 0 && (object = PyIter_Next(iterator)); count++) {
        status = array_append_object(array, object);
        Py_DECREF(object);
        if (status == 0 && count % ITEMS_BETWEEN_SIGNALS == 0) status = PyErr_CheckSignals();
    }
    Py_DECREF(iterator);
    return status < 0 || PyErr_Occurred() ? -1 : 0;
}

int array_extend(Array* array, PyObject* iterable) {
    if (array_check(iterable)) return extend_from_array(array, (Array*)iterable);
    int status = extend_from_buffer(array, iterable);
    return status != 0 ? (status < 0 ? -1 : 0) : array_extend_from_iterator(array, iterable);
}

// --- shrinking ---

// Returns the offset at which the items end. From now on the array grows through ensure_committed(), which finds the
// mark of the call that decommits the pages.
static size_t forget_spare_items(Array* array) {
    array->committed_items = array->length;
    array->high_water = (size_t)(array->length * array->type->size);
    return array->high_water;
}

static ByteRange claim_exported(PyObject* owner) {
    Array* array = (Array*)owner;
    size_t usable = growth_committed_end(&array->reservation);
    return (ByteRange){forget_spare_items(array), array->exported_end < usable ? array->exported_end : usable};
}

static ByteRange claim_never_exported(PyObject* owner) {
    Array* array = (Array*)owner;
    size_t used = forget_spare_items(array);
    return (ByteRange){used > array->exported_end ? used : array->exported_end, array->reservation.size};
}

// Pages that were ever exported are discarded, never decommitted: np.ndarray(buffer=array) releases the Py_buffer and
// keeps the pointer, and reads zeros then instead of ending in SIGSEGV.
int array_shrink_to_fit(Array* array) {
    static const Unused exported = {claim_exported, NULL}, never_exported = {claim_never_exported, NULL};
    if (page_ops_run_unused(&array->reservation, PAGE_OP_DISCARD, &exported) < 0) return -1;
    return page_ops_run_unused(&array->reservation, PAGE_OP_DECOMMIT, &never_exported);
}
