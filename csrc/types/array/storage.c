#include "types/array/storage.h"

#include "types/array/place.h"
#include "types/array/sharing.h"
#include "types/sharing.h"

// --- creating and deallocating ---

void array_dealloc(Array* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs) PyObject_ClearWeakRefs((PyObject*)self);
    if (self->place && self->place->file) place_close_file(self);
    if (self->place)
        place_close(self->place);
    else
        PyMem_Free(self->items);
    rows_free_type(self->type);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_object(self);
    Py_DECREF(type);
}

bool array_check(PyObject* object) { return type_find_base(Py_TYPE(object), array_methods) != NULL; }

ModuleState* array_state_of_type(PyTypeObject* type) { return module_state_of(type, array_methods); }

ModuleState* array_find_state(Array* array) { return array_state_of_type(Py_TYPE((PyObject*)array)); }

static bool fits_on_heap(const RowType* type, Py_ssize_t num_items) {
    return num_items <= VMEM_ARRAY_HEAP_BYTES / type->size;
}

static int reallocate(Array* array, Py_ssize_t num_items) {
    char* items = PyMem_Realloc(array->items, (size_t)num_items * (size_t)array->type->size);
    if (!items) {
        PyErr_NoMemory();
        return -1;
    }
    array->items = items;
    array->num_allocated = num_items;
    return 0;
}

// Reserves memory for a new array, which a capacity was given for, or which begins with many items.
static int reserve_at_once(ModuleState* state, Array* array, Py_ssize_t capacity, Py_ssize_t min_capacity) {
    if (capacity < 0) return place_open_default(state, array, min_capacity);
    return place_open(state, array, capacity < min_capacity ? min_capacity : capacity);
}

static Array* allocate(ModuleState* state, PyTypeObject* python_type, const RowType* type) {
    if (module_check_loaded(state) < 0) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(python_type, Py_tp_alloc);
    Array* self = (Array*)alloc(python_type, 0);
    if (self && !(self->type = rows_copy_type(type))) Py_CLEAR(self);
    return self;
}

// The child must not run Python code, as a garbage collection can, before all arrays have changed.
static void change_in_child(void* object) {
    Array* array = object;
    int collects_garbage = PyGC_Disable();
    place_become_reader(array_find_state(array), array);
    if (collects_garbage) PyGC_Enable();
}

static const ForkKind WRITTEN_HERE = {.change_in_child = change_in_child};

static Array* new_shared(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity,
                         bool is_default) {
    if (place_audit(state, python_type, type, capacity) < 0) return NULL;
    Array* self = allocate(state, python_type, type);
    if (!self) return NULL;
    if (place_open_shared(state, self, capacity, is_default) < 0)
        Py_CLEAR(self);
    else
        fork_list_add(&state->sharing.forks, &self->place->fork_entry, &WRITTEN_HERE, self);
    return self;
}

Array* array_new_shared(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity,
                        Py_ssize_t min_capacity) {
    bool is_default = capacity < 0;
    if (sharing_prepare(state, python_type) < 0) return NULL;
    if (is_default && (capacity = place_choose_default(state, type, min_capacity)) < 0) return NULL;
    if (capacity < min_capacity) capacity = min_capacity;
    Array* self = new_shared(state, python_type, type, capacity, is_default);
    if (!self && is_default && place_has_smaller_default(state, type, &capacity, min_capacity))
        self = new_shared(state, python_type, type, capacity, is_default);
    return self;
}

// Forked children close the descriptors that they inherit.
Array* array_new_file(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity,
                      FileMemory* file, Py_ssize_t length) {
    Array* self = allocate(state, python_type, type);
    if (!self)
        file->backing.destroy(&file->backing);
    else if (place_open_file(state, self, capacity, file, length) < 0)
        Py_CLEAR(self);
    else
        fork_list_add(&state->sharing.forks, &self->place->fork_entry, &WRITTEN_HERE, self);
    return self;
}

// The bytes can be any.
static void raise_unknown_typecode(const char* format) {
    PyObject* text = PyUnicode_DecodeLatin1(format, (Py_ssize_t)strlen(format), NULL);
    if (text) PyErr_Format(PyExc_ValueError, "the typecode of this shared array is unknown: %A", text);
    Py_XDECREF(text);
}

// What the first page says has been checked but for what arrays alone have. Returns -1 with ValueError.
static int read_shared_type(const SharedPage* facts, RowType* type) {
    const ItemType* scalar = facts->format[1] == '\0' ? find_item_type((unsigned char)facts->format[0]) : NULL;
    Py_ssize_t shape[SHARED_PAGE_DIMS];
    for (uint32_t i = 0; i < facts->num_dims; i++) shape[i] = (Py_ssize_t)facts->row_shape[i];
    if (!scalar)
        raise_unknown_typecode(facts->format);
    else if (!rows_make_type(scalar, (int)facts->num_dims, shape, type))
        PyErr_Format(PyExc_ValueError,
                     "the rows of this shared array are said to have %u dimensions whose sizes are not possible",
                     (unsigned)facts->num_dims);
    else if (facts->item_size != (uint64_t)type->size)
        PyErr_Format(PyExc_ValueError, "items of this shared array are said to have %llu bytes; those of '%s' have %zd",
                     (unsigned long long)facts->item_size, scalar->typecode, type->size);
    else
        return 0;
    return -1;
}

PyObject* array_attach(ModuleState* state, PyTypeObject* python_type, SharedMemory* memory) {
    RowType type;
    Array* self = NULL;
    if (read_shared_type(&memory->facts, &type) == 0 &&
        place_audit(state, python_type, &type, (Py_ssize_t)memory->facts.num_bytes / type.size) == 0)
        self = allocate(state, python_type, &type);
    if (!self)
        shared_memory_free(memory);
    else if (place_attach(state, self, memory) < 0)
        Py_CLEAR(self);
    return (PyObject*)self;
}

Array* array_new(ModuleState* state, PyTypeObject* python_type, const RowType* type, Py_ssize_t capacity,
                 Py_ssize_t min_capacity) {
    Array* self = allocate(state, python_type, type);
    if (!self) return NULL;
    int status = 0;
    if (capacity >= 0 || !fits_on_heap(type, min_capacity))
        status = reserve_at_once(state, self, capacity, min_capacity);
    else if (min_capacity > 0)
        status = reallocate(self, min_capacity);
    if (status < 0) Py_CLEAR(self);
    return self;
}

Array* array_new_like(Array* array, Py_ssize_t min_capacity) {
    ModuleState* state = array_find_state(array);
    if (!state || module_check_loaded(state) < 0) return NULL;
    return array_new(state, state->array_type, array->type, -1, min_capacity);
}

// --- memory ---

Py_ssize_t array_find_capacity(Array* array) {
    Py_ssize_t length, capacity = -1;
    Py_BEGIN_CRITICAL_SECTION(array);
    length = array->length;
    if (array->place) capacity = array->place->capacity;
    Py_END_CRITICAL_SECTION();
    if (capacity >= 0) return capacity;
    ModuleState* state = array_find_state(array);
    if (!state) return -1;
    capacity = place_default_capacity(state, array->type);
    return capacity > length ? capacity : length;
}

int array_reserve(Array* array) {
    if (array->place) return 0;
    ModuleState* state = array_find_state(array);
    return state ? place_open_default(state, array, array->length) : -1;
}

int array_prepare_growth(Array* array, Py_ssize_t num_items) {
    if (array->place || num_items <= 0) return 0;
    Py_ssize_t length = array->length;
    bool overflows = num_items > PY_SSIZE_T_MAX - length;
    if (!overflows && fits_on_heap(array->type, length + num_items)) return 0;
    ModuleState* state = array_find_state(array);
    if (!state || module_check_loaded(state) < 0) return -1;
    return place_open_grown(state, array, overflows ? PY_SSIZE_T_MAX : length + num_items);
}

// Grows by half, so that appending takes constant time on average; but gets what a new array begins with exactly.
static Py_ssize_t choose_allocation(const Array* array, Py_ssize_t length) {
    const Py_ssize_t limit = VMEM_ARRAY_HEAP_BYTES / array->type->size;
    if (array->num_allocated == 0 && length > 1) return length;
    Py_ssize_t chosen = length + length / 2 + 4;
    return chosen > limit && length <= limit ? limit : chosen;
}

// Another thread may have used up what array_prepare_growth() had found: then the heap holds a little more than its
// limit.
static int ensure_on_heap(Array* array, Py_ssize_t length) {
    if (length > PY_SSIZE_T_MAX / 2 / array->type->size) {
        PyErr_NoMemory();
        return -1;
    }
    return reallocate(array, choose_allocation(array, length));
}

static int ensure(Array* array, Py_ssize_t length) {
    if (length <= array->num_allocated) return 0;
    if (array_check_writable(array) < 0) return -1;
    return array->place ? place_ensure(array, length) : ensure_on_heap(array, length);
}

static int shrink_on_heap(Array* array) {
    if (array->length > 0) return reallocate(array, array->length);
    PyMem_Free(array->items);
    array->items = NULL;
    array->num_allocated = 0;
    return 0;
}

int array_shrink_to_fit(Array* array) {
    int status = 0;
    bool has_place, is_shared;
    Py_BEGIN_CRITICAL_SECTION(array);
    has_place = array->place != NULL;
    is_shared = array->role != ARRAY_PRIVATE;  // or a file
    if (!has_place) status = shrink_on_heap(array);
    Py_END_CRITICAL_SECTION();
    return has_place && !is_shared ? place_shrink_to_fit(array) : status;
}

// --- items ---

int array_check_shrinks(const Array* array, Py_ssize_t length) {
    return array->place ? place_check_shrinks(array, length) : 0;
}

static int append_item(Array* array, const char* item) {
    Py_ssize_t index = array->length;
    if (index >= array->num_allocated && ensure(array, index + 1) < 0) return -1;
    memcpy(array_item(array, index), item, (size_t)array->type->size);
    array_set_length(array, index + 1);
    return 0;
}

static Py_ssize_t add_lengths(Py_ssize_t one, Py_ssize_t other) {
    return one > PY_SSIZE_T_MAX - other ? PY_SSIZE_T_MAX : one + other;
}

static int make_room(Array* array, Py_ssize_t length) {
    if (ensure(array, length) < 0) return -1;
    if (array->place) place_prefault(array, length);
    return 0;
}

int array_make_room(Array* array, Py_ssize_t length) { return make_room(array, length); }

int array_check_splice(const Array* array, Py_ssize_t start, Py_ssize_t num_removed, Py_ssize_t num_items) {
    if (array->role == ARRAY_PRIVATE) return 0;
    bool keeps_others = num_removed == num_items || (num_removed == 0 && start == array->length);
    return keeps_others ? array_check_writable(array)
                        : array_raise_append_only(array, "replacing items by more or fewer");
}

int array_splice(Array* array, Py_ssize_t start, Py_ssize_t num_removed, const char* items, Py_ssize_t num_items) {
    Py_ssize_t num_before = start + num_removed, num_after = array->length - num_before;
    Py_ssize_t length = add_lengths(array->length - num_removed, num_items);
    if (array->role != ARRAY_PRIVATE && array_check_splice(array, start, num_removed, num_items) < 0) return -1;
    if (array->role == ARRAY_FILE && start == array->length) {
        int status = place_append_to_file(array, items, num_items);
        if (status != 0) return status < 0 ? -1 : 0;
    }
    if (make_room(array, length) < 0) return -1;
    if (length < array->length && array_check_shrinks(array, length) < 0) return -1;
    size_t size = (size_t)array->type->size;
    if (num_items != num_removed && num_after > 0)
        memmove(array_item(array, start + num_items), array_item(array, num_before), (size_t)num_after * size);
    if (num_items > 0) memmove(array_item(array, start), items, (size_t)num_items * size);
    array_set_length(array, length);
    return 0;
}

// Growing can move the items, so it comes before their address is taken.
int array_splice_array(Array* array, Py_ssize_t start, Py_ssize_t num_removed, Array* other) {
    if (ensure(array, add_lengths(array->length - num_removed, other->length)) < 0) return -1;
    return array_splice(array, start, num_removed, other->items, other->length);
}

// --- filling ---

int array_append_object(Array* array, PyObject* object) {
    char small[SMALL_ROW];
    char* item = row_convert(array->type, small, object);
    int status = 0;
    if (!item) return -1;
    if (array->length >= array->num_allocated) status = array_prepare_growth(array, 1);
    if (status == 0) {
        Py_BEGIN_CRITICAL_SECTION(array);
        status = append_item(array, item);
        Py_END_CRITICAL_SECTION();
    }
    row_free(item, small);
    return status;
}

int array_append_array(Array* array, Array* other) {
    int status;
    if (array_prepare_growth(array, array_load_length(other)) < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION2(array, other);
    status = array_splice_array(array, array->length, 0, other);
    Py_END_CRITICAL_SECTION2();
    return status;
}

int array_append_memory(Array* array, const char* items, Py_ssize_t num_items) {
    int status;
    if (array_prepare_growth(array, num_items) < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION(array);
    status = array_splice(array, array->length, 0, items, num_items);
    Py_END_CRITICAL_SECTION();
    return status;
}
