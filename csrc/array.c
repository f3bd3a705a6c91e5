#include "array.h"

#include "arguments.h"
#include "paging.h"
#include "pins.h"
#include "steps.h"

// --- how much there is room for ---

// What one array reserves by default, in bytes: physical memory, but only a small share of the addresses that are left,
// so that ten thousand arrays leave room for everything else.
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

// --- making ---

static void array_dealloc(Array* self);

bool array_check(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    while (type && PyType_GetSlot(type, Py_tp_dealloc) != (void*)array_dealloc) type = PyType_GetSlot(type, Py_tp_base);
    return type != NULL;
}

static ModuleState* find_state(PyTypeObject* type) { return module_state_of(type, (destructor)array_dealloc); }

ModuleState* array_find_state(Array* array) { return find_state(Py_TYPE((PyObject*)array)); }

static int check_capacity(const ItemType* type, size_t capacity) {
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
    if (check_capacity(type, (size_t)capacity) < 0) return NULL;
    ReservationOptions options = {.num_bytes = capacity > 0 ? (size_t)(capacity * type->size) : 1,
                                  .align = 1,
                                  .name = Py_None,
                                  .owner_in_cycles = python_type != state->array_type};
    if (reservation_audit(state, &options) < 0) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(python_type, Py_tp_alloc);
    Array* self = (Array*)alloc(python_type, 0);
    if (!self) return NULL;
    self->type = type;
    if (reservation_open(&self->reservation, state, (PyObject*)self, "array", &options) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->capacity = is_default ? (Py_ssize_t)self->reservation.size / type->size : capacity;
    return self;
}

Array* array_new_like(Array* array, Py_ssize_t min_capacity) {
    ModuleState* state = array_find_state(array);
    if (!state || module_check_loaded(state) < 0) return NULL;
    return array_new(state, state->array_type, array->type, -1, min_capacity);
}

// --- changing the size ---

char* array_item(const Array* array, Py_ssize_t index) {
    return array->reservation.base + (size_t)(index * array->type->size);
}

int array_check_shrinks(const Array* array, Py_ssize_t length) {
    if (!array->reservation.pins) return 0;
    size_t kept = (size_t)(length * array->type->size);
    if (pins_end(&array->reservation) <= kept) return 0;
    size_t num_views = pins_count_from(&array->reservation, kept);
    PyErr_Format(PyExc_BufferError,
                 num_views == 1 ? "cannot shrink this array from %zd to %zd items: %zu view reaches further; release "
                                  "or delete it first, with every array and slice made from it"
                                : "cannot shrink this array from %zd to %zd items: %zu views reach further; release "
                                  "or delete them first, with every array and slice made from them",
                 array->length, length, num_views);
    return -1;
}

static int refuse_growth(const Array* array, Py_ssize_t length) {
    const char* message = "cannot grow an array with a capacity of %zd items to %zd; make it with a larger capacity=";
    return raise_full(array->reservation.out_of_memory_error, PyUnicode_FromFormat(message, array->capacity, length));
}

static int make_room(Array* array, Py_ssize_t length) {
    if (length > array->capacity) return refuse_growth(array, length);
    size_t start = (size_t)(array->length * array->type->size), end = (size_t)(length * array->type->size);
    if (busy_check_usable(&array->reservation, start, end, "grow into") < 0) return -1;
    if (grow_to(&array->reservation, end) < 0) return -1;
    // Where a call is at work, the pages behind those that were asked for may be on their way out.
    size_t usable = busy_anywhere(&array->reservation) ? end : grown_to(&array->reservation);
    array->room = (Py_ssize_t)usable / array->type->size;
    if (array->room > array->capacity) array->room = array->capacity;
    return 0;
}

static int append_item(Array* array, const char* item) {
    Py_ssize_t index = array->length;
    if (index == array->room && make_room(array, index + 1) < 0) return -1;
    memcpy(array_item(array, index), item, (size_t)array->type->size);
    array->length = index + 1;
    return 0;
}

// Where items have been before, their pages are in memory already.
static void prefault_new_items(Array* array, size_t end) {
    size_t used = (size_t)(array->length * array->type->size);
    if (array->touched < used) array->touched = used;
    if (array->touched >= end) return;
    prefault_for_filling(&array->reservation, array->touched, end);
    array->touched = end;
}

int array_splice(Array* array, Py_ssize_t start, Py_ssize_t num_removed, const char* items, Py_ssize_t num_items) {
    Py_ssize_t num_before = start + num_removed, num_after = array->length - num_before;
    if (num_items > PY_SSIZE_T_MAX - array->length) return refuse_growth(array, PY_SSIZE_T_MAX);
    Py_ssize_t length = array->length - num_removed + num_items;
    if (length > array->room && make_room(array, length) < 0) return -1;
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
    VMEM_LOCK2(array, other);
    num_items = other->length;
    status = array_splice(array, array->length, 0, array_item(other, 0), num_items);
    VMEM_UNLOCK2();
    return status;
}

// A buffer of the same items is copied at once. Returns 1 when it was, 0 when it is something else.
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
        VMEM_LOCK(array);
        status = array_splice(array, array->length, 0, buffer.buf, buffer.len / array->type->size);
        VMEM_UNLOCK();
        if (status == 0) status = 1;
    }
    PyBuffer_Release(&buffer);
    return status;
}

int array_append_object(Array* array, PyObject* object) {
    char item[MAX_ITEM_SIZE];
    int status;
    if (array->type->set(item, object) < 0) return -1;
    VMEM_LOCK(array);
    status = append_item(array, item);
    VMEM_UNLOCK();
    return status;
}

// An iterator that never ends has to be stopped before it has filled the memory of the machine.
#define ITEMS_BETWEEN_SIGNALS 4096

static int extend_from_iterator(Array* array, PyObject* iterable) {
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
    return status != 0 ? (status < 0 ? -1 : 0) : extend_from_iterator(array, iterable);
}

// --- giving back ---

// Behind the items. There is no room for new ones in the pages that go, so who needs more finds the mark on them first.
static size_t lower_room(Array* array) {
    array->room = array->length;
    array->touched = (size_t)(array->length * array->type->size);
    return array->touched;
}

// What has been exported may still be looked at by those who have let go of their buffer and kept the array, as
// np.ndarray(buffer=array) does. Emptied pages let them see zeros, where decommitted ones would be a crash.
static Pages claim_exported(PyObject* owner) {
    Array* array = (Array*)owner;
    size_t usable = grown_to(&array->reservation);
    return (Pages){lower_room(array), array->exported < usable ? array->exported : usable};
}

static Pages claim_never_exported(PyObject* owner) {
    Array* array = (Array*)owner;
    size_t used = lower_room(array);
    return (Pages){used > array->exported ? used : array->exported, array->reservation.size};
}

int array_shrink_to_fit(Array* array) {
    static const Unused exported = {claim_exported, NULL}, never_exported = {claim_never_exported, NULL};
    if (paging_discard_unused(&array->reservation, &exported) < 0) return -1;
    return paging_decommit_unused(&array->reservation, &never_exported);
}

// --- the type ---

PyDoc_STRVAR(
    array_doc,
    "Array(typecode, initializer=(), /, *, capacity=None)\n--\n\n"
    "Numbers of one type, as in array.array, in memory that never moves.\n\n"
    "Everything that array.array does with numbers works here, with the same errors. What is different: the array\n"
    "reserves addresses for `capacity` items when it is made, and memory comes to them as it grows. So a memoryview,\n"
    "a NumPy array or a pointer that was taken early stays valid, and sees later writes to its items. Items can move\n"
    "within the array under a view (insert, delete, reverse), as they do in a list. Shrinking below a live view is a\n"
    "BufferError.\n\n"
    "Parameters\n"
    "----------\n"
    "typecode : str\n"
    "    One of b, B, h, H, i, I, l, L, q, Q, f and d: what the array and struct modules call by these letters.\n"
    "initializer : bytes-like or iterable, optional\n"
    "    The first items; bytes and bytearrays are taken as they are in memory. Other buffers give their items.\n"
    "capacity : int, optional\n"
    "    How many items it can ever hold. By default as many as fit into physical memory, but at most 1/4096 of the\n"
    "    addresses that are left to the process, and 1/8 of what RLIMIT_AS (ulimit -v) leaves.\n\n"
    "Attributes\n"
    "----------\n"
    "typecode : str\n"
    "    The letter it was made with.\n"
    "itemsize : int\n"
    "    The size of one item in bytes.\n"
    "capacity : int\n"
    "    How many items it can hold.\n\n"
    "Raises\n"
    "------\n"
    "OutOfMemoryError\n"
    "    There are no such addresses or no memory for the items, or, whenever it grows, it is full.\n"
    "TypeError, ValueError, OverflowError\n"
    "    As array.array.\n\n"
    "Notes\n"
    "-----\n"
    "Raises an auditing event ``vmem.reserve`` with arguments ``num_bytes`` and ``None``. So do slices and copies: "
    "they\n"
    "are new arrays.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('d', [1.0, 2.0])\n"
    ">>> early = memoryview(array)\n"
    ">>> array.extend(range(100000))  # grows under it\n"
    ">>> array[0] = 7.0\n"
    ">>> early[0], len(early), len(array)\n"
    "(7.0, 2, 100002)");

typedef struct ArrayArguments {
    const ItemType* type;
    PyObject* initializer;  // NULL for none
    Py_ssize_t capacity;    // -1 for the default
} ArrayArguments;

int array_convert_typecode(PyObject* object, const ItemType** type) {
    if (!PyUnicode_Check(object)) return refuse_type(object, "Array() argument 1", "a typecode (" ITEM_TYPECODES ")");
    if (PyUnicode_GetLength(object) != 1) {
        PyErr_Format(PyExc_TypeError, "Array() argument 1 must be a typecode (" ITEM_TYPECODES "), not %R", object);
        return -1;
    }
    *type = find_item_type(PyUnicode_ReadChar(object, 0));
    if (*type) return 0;
    PyErr_SetString(PyExc_ValueError, "bad typecode (must be " ITEM_TYPECODES ")");
    return -1;
}

static int parse_array(PyObject* args, PyObject* keywords, ArrayArguments* arguments) {
    static char* names[] = {"", "", "capacity", NULL};
    PyObject *typecode, *capacity = Py_None;
    size_t num_items;
    arguments->initializer = NULL;
    arguments->capacity = -1;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O$O:Array", names, &typecode, &arguments->initializer,
                                     &capacity))
        return -1;
    if (array_convert_typecode(typecode, &arguments->type) < 0) return -1;
    if (capacity == Py_None) return 0;
    if (convert_size(capacity, "capacity", &num_items) < 0) return -1;
    if (check_capacity(arguments->type, num_items) < 0) return -1;
    arguments->capacity = (Py_ssize_t)num_items;
    return 0;
}

// How many items an array.array, a NumPy array or another buffer has; 0 when it is no buffer, -1 with an exception.
static Py_ssize_t count_buffer_items(PyObject* object) {
    Py_buffer buffer;
    if (!PyObject_CheckBuffer(object)) return 0;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_FULL_RO) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_BufferError)) return -1;
        PyErr_Clear();
        return 0;
    }
    Py_ssize_t num_items = buffer.itemsize > 0 ? buffer.len / buffer.itemsize : 0;
    PyBuffer_Release(&buffer);
    return num_items;
}

// What `initializer` has, as far as it can tell; it may give more or less. Returns -1 with an exception.
static Py_ssize_t guess_length(const ArrayArguments* arguments) {
    PyObject* initializer = arguments->initializer;
    if (!initializer) return 0;
    if (PyBytes_Check(initializer)) return PyBytes_Size(initializer) / arguments->type->size;
    if (PyByteArray_Check(initializer)) return PyByteArray_Size(initializer) / arguments->type->size;
    if (PyList_Check(initializer)) return PyList_Size(initializer);
    if (PyTuple_Check(initializer)) return PyTuple_Size(initializer);
    return array_check(initializer) ? ((Array*)initializer)->length : count_buffer_items(initializer);
}

static int initialize(Array* self, PyObject* initializer) {
    if (!initializer) return 0;
    if (PyUnicode_Check(initializer)) {
        PyErr_Format(PyExc_TypeError, "cannot use a str to initialize an array with typecode '%s'",
                     self->type->typecode);
        return -1;
    }
    if (array_check(initializer) && ((Array*)initializer)->type != self->type)
        return extend_from_iterator(self, initializer);
    if (!PyBytes_Check(initializer) && !PyByteArray_Check(initializer)) return array_extend(self, initializer);
    PyObject* nothing = array_frombytes(self, initializer);
    Py_XDECREF(nothing);
    return nothing ? 0 : -1;
}

// A subclass may have an __init__() that takes more keywords, as one of array.array may. They mean nothing here.
static PyObject* drop_foreign_keywords(PyTypeObject* type, const ModuleState* state, PyObject* keywords) {
    if (!keywords || PyType_GetSlot(type, Py_tp_init) == PyType_GetSlot(state->array_type, Py_tp_init))
        return Py_XNewRef(keywords);
    PyObject* capacity = PyDict_GetItemString(keywords, "capacity");
    return capacity ? Py_BuildValue("{sO}", "capacity", capacity) : PyDict_New();
}

static PyObject* array_new_object(PyTypeObject* python_type, PyObject* args, PyObject* keywords) {
    ArrayArguments arguments;
    ModuleState* state = find_state(python_type);
    if (!state || module_check_loaded(state) < 0) return NULL;
    PyObject* own_keywords = drop_foreign_keywords(python_type, state, keywords);
    if (keywords && !own_keywords) return NULL;
    int status = parse_array(args, own_keywords, &arguments);
    Py_XDECREF(own_keywords);
    if (status < 0) return NULL;
    Py_ssize_t min_capacity = arguments.capacity < 0 ? guess_length(&arguments) : 0;
    if (min_capacity < 0) return NULL;
    Array* self = array_new(state, python_type, arguments.type, arguments.capacity, min_capacity);
    if (self && initialize(self, arguments.initializer) < 0) Py_CLEAR(self);
    return (PyObject*)self;
}

static int array_traverse(Array* self, visitproc visit, void* arg) {
    return reservation_traverse_owner(&self->reservation, (PyObject*)self, visit, arg);
}

static void array_dealloc(Array* self) {
    reservation_dealloc_owner(&self->reservation, (PyObject*)self, self->weakrefs);
}

static int array_getbuffer(Array* self, Py_buffer* view, int flags) {
    int status;
    VMEM_LOCK(self);
    status = pins_export(&self->reservation, &self->length, self->type->typecode, self->type->size, view, flags);
    if (status == 0 && self->exported < (size_t)view->len) self->exported = (size_t)view->len;
    VMEM_UNLOCK();
    return status;
}

// Never called, because the buffers belong to pins. But np.frombuffer() keeps a buffer only of what has this, and of
// all else just the object: memory under its array could then be given back.
static void array_releasebuffer(Array* Py_UNUSED(self), Py_buffer* Py_UNUSED(view)) {}

static PyObject* array_repr(Array* self) {
    PyObject* name = PyType_GetName(Py_TYPE((PyObject*)self));
    PyObject* list = name && self->length > 0 ? array_tolist(self, NULL) : NULL;
    PyObject* text = NULL;
    if (list)
        text = PyUnicode_FromFormat("%U('%s', %R)", name, self->type->typecode, list);
    else if (name && !PyErr_Occurred())
        text = PyUnicode_FromFormat("%U('%s')", name, self->type->typecode);
    Py_XDECREF(list);
    Py_XDECREF(name);
    return text;
}

static PyObject* array_get_typecode(Array* self, void* Py_UNUSED(closure)) {
    return PyUnicode_FromString(self->type->typecode);
}

static PyObject* array_get_itemsize(Array* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(self->type->size);
}

static PyObject* array_get_capacity(Array* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(self->capacity);
}

static PyGetSetDef array_getset[] = {
    {"typecode", (getter)array_get_typecode, NULL, "The letter that names the type of the items.", NULL},
    {"itemsize", (getter)array_get_itemsize, NULL, "The size of one item in bytes.", NULL},
    {"capacity", (getter)array_get_capacity, NULL, "How many items the array can ever hold.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef array_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Array, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot array_slots[] = {
    {Py_tp_doc, (void*)array_doc},
    {Py_tp_new, array_new_object},
    {Py_tp_dealloc, array_dealloc},
    {Py_tp_traverse, array_traverse},
    {Py_tp_repr, array_repr},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_iter, array_iterate},
    {Py_tp_richcompare, array_compare},
    {Py_tp_methods, array_methods},
    {Py_tp_members, array_members},
    {Py_tp_getset, array_getset},
    {Py_bf_getbuffer, array_getbuffer},
    {Py_bf_releasebuffer, array_releasebuffer},
    {Py_sq_length, array_length},
    {Py_sq_item, array_get},
    {Py_sq_contains, array_contains},
    {Py_sq_concat, array_concat},
    {Py_sq_repeat, array_repeat},
    {Py_sq_inplace_concat, array_concat_in_place},
    {Py_sq_inplace_repeat, array_repeat_in_place},
    {Py_mp_length, array_length},
    {Py_mp_subscript, array_subscript},
    {Py_mp_ass_subscript, array_assign},
    {0, NULL},
};

PyType_Spec array_spec = {
    .name = "vmem.Array",
    .basicsize = sizeof(Array),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             VMEM_TPFLAGS_SEQUENCE,
    .slots = array_slots,
};
