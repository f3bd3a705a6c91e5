#include "types/ring/sequence.h"

Py_ssize_t ring_length(Ring* self) { return count_positions(ring_load_positions(self)); }

// --- items ---

// The item at a position, from a copy that was read while it was there. NULL without an exception when it was
// overwritten meanwhile.
static PyObject* get_at(const Ring* ring, uint64_t position) {
    char small[SMALL_ROW];
    char* copy = row_new(&ring->type, small);
    PyObject* item = NULL;
    if (!copy) return NULL;
    memcpy(copy, ring_item(ring, position), (size_t)ring->type.size);
    if (ring_still_has(ring, position)) item = rows_get(&ring->type, copy);
    row_free(copy, small);
    return item;
}

// A writer in another thread or process that overwrites an item while it is read moves the index to another one. It
// would have to do so again and again.
#define MAX_ATTEMPTS 100

// `index` counts from the oldest item or, where it is negative, from behind the newest.
static PyObject* get_item(const Ring* ring, Py_ssize_t index) {
    for (int attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
        Positions positions = ring_load_positions(ring);
        Py_ssize_t length = count_positions(positions), from_oldest = index < 0 ? index + length : index;
        if (from_oldest < 0 || from_oldest >= length) {
            PyErr_Format(PyExc_IndexError, "ring index %zd is out of range: there are %zd items", index, length);
            return NULL;
        }
        PyObject* item = get_at(ring, positions.oldest + (uint64_t)from_oldest);
        if (item || PyErr_Occurred()) return item;
    }
    PyErr_SetString(PyExc_BufferError, "this item was overwritten again and again while it was read");
    return NULL;
}

// Python has added the length to a negative index.
PyObject* ring_get(Ring* self, Py_ssize_t index) {
    if (index >= 0) return get_item(self, index);
    PyErr_SetString(PyExc_IndexError, "ring index is out of range");
    return NULL;
}

PyObject* ring_subscript(Ring* self, PyObject* key) {
    if (!PyIndex_Check(key)) {
        PyErr_SetString(PyExc_TypeError, PySlice_Check(key)
                                             ? "ring indices must be integers; latest(n) and window(start, n) are views"
                                             : "ring indices must be integers");
        return NULL;
    }
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return NULL;
    return get_item(self, index);
}

// --- iteration ---

// Over the items that were there when it began.
typedef struct RingIterator {
    PyObject_HEAD
    Ring* ring;  // NULL once it is exhausted
    uint64_t next;
    uint64_t end;
} RingIterator;

PyObject* ring_iterate(Ring* self) {
    ModuleState* state = ring_state_of_type(Py_TYPE((PyObject*)self));
    if (!state || module_check_loaded(state) < 0) return NULL;
    RingIterator* iterator = PyObject_GC_New(RingIterator, state->ring_iterator_type);
    if (!iterator) return NULL;
    Positions positions = ring_load_positions(self);
    iterator->ring = (Ring*)Py_NewRef((PyObject*)self);
    iterator->next = positions.oldest;
    iterator->end = positions.end;
    PyObject_GC_Track(iterator);
    return (PyObject*)iterator;
}

static void raise_overtaken(const Ring* ring, uint64_t position) {
    if (PyErr_Occurred()) return;
    PyErr_Format(PyExc_RuntimeError, "item %llu was dropped during iteration: the oldest one is %llu",
                 (unsigned long long)position, (unsigned long long)ring_load_positions(ring).oldest);
}

// Holds one lock at a time.
static PyObject* iterator_next(RingIterator* self) {
    PyObject *ring, *finished = NULL;
    uint64_t position;
    Py_BEGIN_CRITICAL_SECTION(self);
    ring = Py_XNewRef((PyObject*)self->ring);
    position = self->next;
    if (position < self->end) {
        self->next++;
    } else {
        finished = (PyObject*)self->ring;
        self->ring = NULL;
    }
    Py_END_CRITICAL_SECTION();
    PyObject* item = ring && !finished ? get_at((Ring*)ring, position) : NULL;
    if (ring && !finished && !item) raise_overtaken((Ring*)ring, position);
    Py_XDECREF(ring);
    Py_XDECREF(finished);
    return item;
}

static PyObject* iterator_length_hint(RingIterator* self, PyObject* Py_UNUSED(ignored)) {
    Py_ssize_t num_left;
    Py_BEGIN_CRITICAL_SECTION(self);
    num_left = self->ring ? (Py_ssize_t)(self->end - self->next) : 0;
    Py_END_CRITICAL_SECTION();
    return PyLong_FromSsize_t(num_left);
}

static int iterator_traverse(RingIterator* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->ring);
    return 0;
}

static void iterator_dealloc(RingIterator* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF((PyObject*)self->ring);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef iterator_methods[] = {
    {"__length_hint__", (PyCFunction)iterator_length_hint, METH_NOARGS, "How many items are left."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot iterator_slots[] = {
    {Py_tp_doc, "What iter(ring) returns."},
    {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_traverse, iterator_traverse},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterator_next},
    {Py_tp_methods, iterator_methods},
    {0, NULL},
};

PyType_Spec ring_iterator_spec = {
    .name = "vmem._vmem.RingIterator",
    .basicsize = sizeof(RingIterator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = iterator_slots,
};
