#include "pins.h"

#include <stdio.h>

// One exported range. The memoryview that the user gets holds this object, and this object holds the owner. The pin
// lasts as long as this object does, not only while buffers are exported: a consumer that keeps the object but lets go
// of its buffer early still has its memory.
struct Pin {
    PyObject_HEAD
    PyObject* owner;
    Reservation* reservation;
    size_t start;  // the exported bytes, as offsets
    size_t end;
    char* bytes;
    bool readonly;
    bool native;         // taken by another extension, not for a view
    const char* format;  // of the items, as the struct module names it
    Py_ssize_t item_size;
    Py_ssize_t num_items;
    Pin* previous;
    Pin* next;
};

// They hang in a plain list: taking and dropping a view, which is what happens all the time, costs a few instructions.
// Decommit and release look through all views that are alive. Empty views pin nothing and are not in the list.

static bool pins_something(const Pin* pin) { return pin->start < pin->end; }

static void link_pin(Pin* pin) {
    Reservation* reservation = pin->reservation;
    pin->previous = NULL;
    pin->next = reservation->pins;
    if (pin->next) pin->next->previous = pin;
    reservation->pins = pin;
}

static void unlink_pin(Pin* pin) {
    if (pin->previous)
        pin->previous->next = pin->next;
    else
        pin->reservation->pins = pin->next;
    if (pin->next) pin->next->previous = pin->previous;
}

// --- the gate ---

// Who holds native pins is told apart: no search for views would find them.
#define NATIVE_NOTE ", %zu of them in native code"

static int check_unpinned(const Reservation* reservation, Pages pages, const char* verb, bool readonly_too) {
    size_t num_views = 0, num_native = 0, first = SIZE_MAX, last = 0;
    for (const Pin* pin = reservation->pins; pin; pin = pin->next) {
        if (pin->readonly && !readonly_too) continue;
        Pages pinned = pages_of(reservation, pin->start, pin->end);
        if (pinned.end <= pages.start || pinned.start >= pages.end) continue;
        num_views++;
        num_native += pin->native;
        if (pin->start < first) first = pin->start;
        if (pin->end > last) last = pin->end;
    }
    if (num_views == 0) return 0;
    const char* what = readonly_too ? "" : "writable ";
    char note[sizeof(NATIVE_NOTE) + 20] = "";
    if (num_native > 0) snprintf(note, sizeof(note), NATIVE_NOTE, num_native);
    PyErr_Format(PyExc_BufferError,
                 num_views == 1
                     ? "cannot %s bytes %zu to %zu of this %s: %zu %sview of bytes %zu to %zu is alive%s; release "
                       "or delete it first, with every array and slice made from it"
                     : "cannot %s bytes %zu to %zu of this %s: %zu %sviews between bytes %zu and %zu are alive%s; "
                       "release or delete them first, with every array and slice made from them",
                 verb, pages.start, pages.end, reservation->kind, num_views, what, first, last, note);
    return -1;
}

int pins_check_none(const Reservation* reservation, Pages pages, const char* verb) {
    return check_unpinned(reservation, pages, verb, true);
}

int pins_check_none_writable(const Reservation* reservation, Pages pages, const char* verb) {
    return check_unpinned(reservation, pages, verb, false);
}

size_t pins_end(const Reservation* reservation) {
    size_t end = 0;
    for (const Pin* pin = reservation->pins; pin; pin = pin->next)
        if (pin->end > end) end = pin->end;
    return end;
}

size_t pins_count_from(const Reservation* reservation, size_t offset) {
    size_t count = 0;
    for (const Pin* pin = reservation->pins; pin; pin = pin->next) count += pin->end > offset;
    return count;
}

void pins_copy(const Reservation* reservation, Pages* views) {
    for (const Pin* pin = reservation->pins; pin; pin = pin->next) *views++ = (Pages){pin->start, pin->end};
}

size_t pins_count_last(const Reservation* reservation, size_t offset) {
    size_t count = 0;
    for (const Pin* pin = reservation->pins; pin && pin->end > offset; pin = pin->next) count++;
    return count;
}

// --- views ---

// A pin of no bytes.
Pin* pins_new(Reservation* reservation) {
    bool in_cycles = reservation->owner_in_cycles;
    Pin* pin = in_cycles ? PyObject_GC_New(Pin, reservation->pin_type) : PyObject_New(Pin, reservation->pin_type);
    if (!pin) return NULL;
    pin->owner = Py_NewRef(reservation->owner);
    pin->reservation = reservation;
    pin->start = pin->end = 0;
    pin->bytes = NULL;
    pin->readonly = pin->native = false;
    pin->format = "B";
    pin->item_size = 1;
    pin->num_items = 0;
    if (in_cycles) PyObject_GC_Track(pin);
    return pin;
}

static bool is_writable(const Reservation* reservation, size_t start, size_t end) {
    while (start < end) {
        const Span* span = spans_find(&reservation->spans, start);
        if (!can_write(span->state.protection)) return false;
        start = span->end;
    }
    return true;
}

void pins_place(Pin* pin, size_t offset, size_t num_bytes) {
    pin->start = offset;
    pin->end = offset + num_bytes;
    pin->bytes = pin->reservation->base + offset;
    pin->num_items = (Py_ssize_t)num_bytes / pin->item_size;
    if (pins_something(pin)) link_pin(pin);
}

typedef enum Access {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_ANY  // writing where the pages allow it, else reading
} Access;

// Makes the pin one of a range, if that can be had.
static int pin_range(Pin* pin, size_t offset, size_t num_bytes, Access access) {
    Reservation* reservation = pin->reservation;
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    bool plain = reservation_is_plain(reservation, offset, num_bytes);
    if (!plain && reservation_check_readable(reservation, offset, num_bytes) < 0) return -1;
    if (access == ACCESS_WRITE && reservation_check_writable(reservation, offset, num_bytes) < 0) return -1;
    pin->readonly = access == ACCESS_READ || !(plain || is_writable(reservation, offset, offset + num_bytes));
    pins_place(pin, offset, num_bytes);
    return 0;
}

PyObject* pins_view(Reservation* reservation, size_t offset, size_t num_bytes, bool readonly) {
    PyObject* view = NULL;
    Pin* pin = pins_new(reservation);  // can start a garbage collection, which can run anything: so before the checks
    if (!pin) return NULL;
    if (pin_range(pin, offset, num_bytes, readonly ? ACCESS_READ : ACCESS_ANY) == 0)
        view = PyMemoryView_FromObject((PyObject*)pin);
    Py_DECREF(pin);
    return view;
}

PyObject* pins_take_for_native(Reservation* reservation, size_t offset, size_t num_bytes, bool writable,
                               void** address) {
    Pin* pin = pins_new(reservation);
    if (!pin) return NULL;
    pin->native = true;
    if (pin_range(pin, offset, num_bytes, writable ? ACCESS_WRITE : ACCESS_READ) < 0) {
        Py_DECREF(pin);
        return NULL;
    }
    *address = pin->bytes;
    return (PyObject*)pin;
}

int pins_export(Reservation* reservation, const Py_ssize_t* num_items, const char* format, Py_ssize_t item_size,
                Py_buffer* view, int flags) {
    if (!view) {  // only native code can ask for that
        PyErr_SetString(PyExc_BufferError, "a buffer needs a place to be described in");
        return -1;
    }
    view->obj = NULL;
    Pin* pin = pins_new(reservation);
    if (!pin) return -1;
    pin->format = format;
    pin->item_size = item_size;
    pins_place(pin, 0, (size_t)(*num_items * item_size));
    int status = PyObject_GetBuffer((PyObject*)pin, view, flags);
    Py_DECREF(pin);
    return status;
}

// --- the type ---

static int pin_getbuffer(Pin* self, Py_buffer* view, int flags) {
    if (self->readonly && (flags & PyBUF_WRITABLE)) {
        view->obj = NULL;
        PyErr_SetString(PyExc_BufferError, "this memory is read-only");
        return -1;
    }
    view->obj = Py_NewRef((PyObject*)self);
    view->buf = self->bytes;
    view->len = self->num_items * self->item_size;
    view->readonly = self->readonly;
    view->itemsize = self->item_size;
    view->format = flags & PyBUF_FORMAT ? (char*)self->format : NULL;
    view->ndim = 1;
    view->shape = flags & PyBUF_ND ? &self->num_items : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &self->item_size : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    return 0;
}

static int pin_traverse(Pin* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->owner);
    return 0;
}

// Takes the pin out and returns its owner, which it still holds.
static PyObject* take_out(Pin* self) {
    PyObject* owner = self->owner;
    VMEM_LOCK(owner);
    if (pins_something(self)) unlink_pin(self);
    reservation_settle(self->reservation);
    VMEM_UNLOCK();
    return owner;
}

static void pin_dealloc(Pin* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    PyObject* owner = take_out(self);
    PyObject_GC_Del(self);
    Py_DECREF(owner);
    Py_DECREF(type);
}

static void plain_pin_dealloc(Pin* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject* owner = take_out(self);
    PyObject_Free(self);
    Py_DECREF(owner);
    Py_DECREF(type);
}

// No tp_clear: a cycle through a pin also goes through a memoryview or the attributes of the owner, which clear
// themselves, and the memory must stay as long as a buffer over it can be used.
static PyType_Slot pin_slots[] = {
    {Py_tp_doc, "Keeps exported bytes in place; held by the memoryviews over them."},
    {Py_tp_dealloc, pin_dealloc},
    {Py_tp_traverse, pin_traverse},
    {Py_bf_getbuffer, pin_getbuffer},
    {0, NULL},
};

PyType_Spec pin_spec = {
    .name = "vmem._vmem.Pin",
    .basicsize = sizeof(Pin),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = pin_slots,
};

// For owners that can be in no cycle: a pin that the garbage collector need not know of costs a third less.
static PyType_Slot plain_pin_slots[] = {
    {Py_tp_doc, "Keeps exported bytes in place; held by the memoryviews over them."},
    {Py_tp_dealloc, plain_pin_dealloc},
    {Py_bf_getbuffer, pin_getbuffer},
    {0, NULL},
};

PyType_Spec plain_pin_spec = {
    .name = "vmem._vmem.PlainPin",
    .basicsize = sizeof(Pin),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = plain_pin_slots,
};
