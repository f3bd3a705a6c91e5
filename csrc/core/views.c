#include "core/views.h"

#include "core/lifetime.h"

// Holds one exported range. The bytes stay pinned as long as this object lives, not only while buffers of it are
// exported: a consumer may release its buffer early and keep the object (np.ndarray(buffer=x) does).
struct PinObject {
    PyObject_HEAD
    Pin pin;
    PyObject* owner;
    Reservation* reservation;
    char* bytes;
    const char* format;  // of the items, in the struct module's notation
    Py_ssize_t item_size;
    Py_ssize_t num_items;
    int num_dims;
    Py_ssize_t* dims;  // the shape and, after it, the strides; NULL where there is one dimension
};

static bool is_empty(const Pin* pin) { return pin->start == pin->end; }

// --- making pins ---

PinObject* view_new_pin(Reservation* reservation) {
    PyTypeObject* type = reservation->pin_type;
    bool is_gc = reservation->owner_is_gc;
    PinObject* self = is_gc ? PyObject_GC_New(PinObject, type) : PyObject_New(PinObject, type);
    if (!self) return NULL;
    self->pin = (Pin){0};
    self->owner = Py_NewRef(reservation->owner);
    self->reservation = reservation;
    self->bytes = NULL;
    self->format = "B";
    self->item_size = 1;
    self->num_items = 0;
    self->num_dims = 1;
    self->dims = NULL;
    if (is_gc) PyObject_GC_Track(self);
    return self;
}

void view_place_pin(PinObject* self, size_t offset, size_t num_bytes) {
    self->pin.start = offset;
    self->pin.end = offset + num_bytes;
    self->bytes = self->reservation->base + offset;
    self->num_items = (Py_ssize_t)num_bytes / self->item_size;
    if (!is_empty(&self->pin)) pins_add(&self->reservation->pins, &self->pin);
}

void view_place_items(PinObject* self, size_t offset, Py_ssize_t num_items, const char* format, Py_ssize_t item_size) {
    self->pin.readonly = true;
    self->format = format;
    self->item_size = item_size;
    view_place_pin(self, offset, (size_t)(num_items * item_size));
}

// The shape of rows, and the strides that C gives them. NULL with MemoryError.
static Py_ssize_t* make_dims(Py_ssize_t num_items, const ItemLayout* layout) {
    int num_dims = layout->num_row_dims + 1;
    Py_ssize_t* dims = PyMem_Malloc(2 * (size_t)num_dims * sizeof(Py_ssize_t));
    Py_ssize_t stride = layout->scalar_size;
    if (!dims) {
        PyErr_NoMemory();
        return NULL;
    }
    for (int i = num_dims - 1; i >= 0; i--) {
        dims[i] = i > 0 ? layout->row_shape[i - 1] : num_items;
        dims[num_dims + i] = stride;
        stride *= dims[i];
    }
    return dims;
}

int view_place_rows(PinObject* self, size_t offset, Py_ssize_t num_items, const ItemLayout* layout, bool readonly) {
    size_t num_bytes = (size_t)(num_items * layout->item_size);
    if (layout->num_row_dims > 0) {
        self->dims = make_dims(num_items, layout);
        if (!self->dims) return -1;
        self->num_dims = layout->num_row_dims + 1;
    }
    self->pin.readonly = readonly;
    self->format = layout->format;
    self->item_size = layout->scalar_size;
    view_place_pin(self, offset, num_bytes);
    return 0;
}

static bool is_writable(const Reservation* reservation, size_t start, size_t end) {
    while (start < end) {
        const Span* span = spans_find(&reservation->spans, start);
        if (!can_write(span->state.protection)) return false;
        start = span->end;
    }
    return true;
}

typedef enum Access {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_ANY  // writable where the pages are, else readable
} Access;

// Places a pin on a range, if all of its bytes allow this access.
static int pin_range(PinObject* self, size_t offset, size_t num_bytes, Access access) {
    Reservation* reservation = self->reservation;
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    bool is_fast = reservation_on_fast_path(reservation, offset, num_bytes);
    if (!is_fast && reservation_check_readable(reservation, offset, num_bytes) < 0) return -1;
    if (access == ACCESS_WRITE && reservation_check_writable(reservation, offset, num_bytes) < 0) return -1;
    self->pin.readonly = access == ACCESS_READ || !(is_fast || is_writable(reservation, offset, offset + num_bytes));
    view_place_pin(self, offset, num_bytes);
    return 0;
}

// --- exporting ---

// Allocating the pin can start a garbage collection, which can run any Python code: so it comes before the checks.
PyObject* view_range(Reservation* reservation, size_t offset, size_t num_bytes, bool readonly) {
    PyObject* view = NULL;
    PinObject* pin = view_new_pin(reservation);
    if (!pin) return NULL;
    if (pin_range(pin, offset, num_bytes, readonly ? ACCESS_READ : ACCESS_ANY) == 0)
        view = PyMemoryView_FromObject((PyObject*)pin);
    Py_DECREF(pin);
    return view;
}

PyObject* view_pin_for_native(Reservation* reservation, size_t offset, size_t num_bytes, bool writable,
                              void** address) {
    PinObject* pin = view_new_pin(reservation);
    if (!pin) return NULL;
    pin->pin.native = true;
    if (pin_range(pin, offset, num_bytes, writable ? ACCESS_WRITE : ACCESS_READ) < 0) {
        Py_DECREF(pin);
        return NULL;
    }
    *address = pin->bytes;
    return (PyObject*)pin;
}

int view_export(Reservation* reservation, size_t offset, const Py_ssize_t* num_items, const ItemLayout* layout,
                bool readonly, Py_buffer* view, int flags) {
    if (!view) {  // only native code can do that
        PyErr_SetString(PyExc_BufferError, "the Py_buffer argument must not be NULL");
        return -1;
    }
    view->obj = NULL;
    PinObject* pin = view_new_pin(reservation);
    if (!pin) return -1;
    int status = view_place_rows(pin, offset, *num_items, layout, readonly);
    if (status == 0) status = PyObject_GetBuffer((PyObject*)pin, view, flags);
    Py_DECREF(pin);
    return status;
}

// --- the type ---

static int pin_getbuffer(PinObject* self, Py_buffer* view, int flags) {
    if (self->pin.readonly && (flags & PyBUF_WRITABLE)) {
        view->obj = NULL;
        PyErr_SetString(PyExc_BufferError, "this memory is read-only");
        return -1;
    }
    view->obj = Py_NewRef((PyObject*)self);
    view->buf = self->bytes;
    view->len = self->num_items * self->item_size;
    view->readonly = self->pin.readonly;
    view->itemsize = self->item_size;
    view->format = flags & PyBUF_FORMAT ? (char*)self->format : NULL;
    view->ndim = flags & PyBUF_ND ? self->num_dims : 1;  // without a shape they are bytes
    view->shape = !(flags & PyBUF_ND) ? NULL : self->dims ? self->dims : &self->num_items;
    view->strides = (flags & PyBUF_STRIDES) != PyBUF_STRIDES ? NULL
                    : self->dims                             ? self->dims + self->num_dims
                                                             : &self->item_size;
    view->suboffsets = NULL;
    view->internal = NULL;
    return 0;
}

static int pin_traverse(PinObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->owner);
    return 0;
}

// Removes the pin from the list, and unmaps the memory if it was the last pin of a released owner. Returns the owner,
// whose reference the caller must drop after freeing the pin.
static PyObject* unpin(PinObject* self) {
    PyObject* owner = self->owner;
    Py_BEGIN_CRITICAL_SECTION(owner);
    if (!is_empty(&self->pin)) pins_remove(&self->reservation->pins, &self->pin);
    reservation_release_if_unused(self->reservation);
    Py_END_CRITICAL_SECTION();
    PyMem_Free(self->dims);
    return owner;
}

static void pin_dealloc(PinObject* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    PyObject* owner = unpin(self);
    PyObject_GC_Del(self);
    Py_DECREF(owner);
    Py_DECREF(type);
}

static void untracked_pin_dealloc(PinObject* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject* owner = unpin(self);
    PyObject_Free(self);
    Py_DECREF(owner);
    Py_DECREF(type);
}

// No tp_clear: a cycle through a pin also goes through a memoryview or the attributes of the owner, which can be
// cleared, and the memory must stay mapped as long as a buffer of it can be used.
static PyType_Slot pin_slots[] = {
    {Py_tp_doc, "Keeps exported bytes in place; held by the memoryviews over them."},
    {Py_tp_dealloc, pin_dealloc},
    {Py_tp_traverse, pin_traverse},
    {Py_bf_getbuffer, pin_getbuffer},
    {0, NULL},
};

PyType_Spec pin_spec = {
    .name = "vmem._vmem.Pin",
    .basicsize = sizeof(PinObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = pin_slots,
};

// For owners that cannot be in a cycle: a pin that the garbage collector does not track costs a third less.
static PyType_Slot untracked_pin_slots[] = {
    {Py_tp_doc, "Keeps exported bytes in place; held by the memoryviews over them."},
    {Py_tp_dealloc, untracked_pin_dealloc},
    {Py_bf_getbuffer, pin_getbuffer},
    {0, NULL},
};

PyType_Spec untracked_pin_spec = {
    .name = "vmem._vmem.UntrackedPin",
    .basicsize = sizeof(PinObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = untracked_pin_slots,
};
