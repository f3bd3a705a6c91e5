#include "types/ring/methods.h"

#include "core/snapshot.h"
#include "core/views.h"
#include "python/arguments.h"
#include "types/sharing.h"

static PyObject* none_unless(bool failed) { return failed ? NULL : Py_NewRef(Py_None); }

// What a number of items or a position is called, and what is raised for one that C cannot count to. What else is wrong
// with it depends on the state, so the caller finds it out.
typedef struct NumberRule {
    const char* what;
    long long countable;
    PyObject* error;
    long long most;  // in any state
    const char* most_is;
} NumberRule;

static int convert_number(PyObject* object, const NumberRule* rule, long long* result) {
    int overflow, status = -1;
    if (!PyIndex_Check(object)) return raise_wrong_type(object, rule->what, "an integer");
    PyObject* number = PyNumber_Index(object);
    if (!number) return -1;
    *result = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow < 0 || (overflow == 0 && *result < 0))
        raise_wrong_integer(number, PyExc_ValueError, "%s must not be negative", rule->what);
    else if (overflow > 0 || *result > rule->countable)
        raise_wrong_integer(number, rule->error, "%s must be at most %lld, %s", rule->what, rule->most, rule->most_is);
    else
        status = 0;
    Py_DECREF(number);
    return status;
}

static int convert_count(const Ring* ring, PyObject* object, PyObject* error, Py_ssize_t* num_items) {
    NumberRule rule = {"num_items", PY_SSIZE_T_MAX, error, ring->capacity, "the capacity of this ring"};
    long long number;
    if (convert_number(object, &rule, &number) < 0) return -1;
    *num_items = (Py_ssize_t)number;
    return 0;
}

static int convert_start(const Ring* ring, PyObject* object, uint64_t* start) {
    NumberRule rule = {"start", LLONG_MAX, PyExc_IndexError, (long long)ring->max_position,
                       "the largest position of this ring"};
    long long number;
    if (convert_number(object, &rule, &number) < 0) return -1;
    *start = (uint64_t)number;
    return 0;
}

// --- adding ---

static int append_object(Ring* ring, PyObject* object) {
    char small[SMALL_ROW];
    char* row = row_convert(&ring->type, small, object);
    if (!row) return -1;
    int status = ring_write(ring, 0, row, 1);
    row_free(row, small);
    return status;
}

PyObject* ring_append(Ring* self, PyObject* object) { return none_unless(append_object(self, object) < 0); }

static int write_copy(Ring* ring, Py_ssize_t num_skipped, const RowSource* rows) {
    size_t num_bytes = (size_t)rows->num_rows * (size_t)ring->type.size;
    char* copy = PyMem_Malloc(num_bytes + 1);
    if (!copy) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(copy, rows->rows, num_bytes);
    int status = ring_write(ring, num_skipped, copy, rows->num_rows);
    PyMem_Free(copy);
    return status;
}

// Views of the ring itself would be overwritten while they are read.
static int write_rows(Ring* ring, Py_ssize_t num_skipped, const RowSource* rows) {
    if (ring_owns(ring, rows->rows, rows->num_rows * ring->type.size)) return write_copy(ring, num_skipped, rows);
    return ring_write(ring, num_skipped, rows->rows, rows->num_rows);
}

// Returns 1 when all items were written, 0 when they are no numbers of the ring's type, -1 with an exception. Those that
// do not fit, or would not stay, are neither copied nor converted.
static int write_buffer(Ring* ring, const Py_buffer* buffer) {
    RowSource rows;
    Py_ssize_t num_rows, num_skipped;
    int status = rows_count_in_buffer(&ring->type, buffer, &num_rows);
    if (status <= 0) return status;
    if (ring_check_write(ring, num_rows, &num_skipped) < 0) return -1;
    status = rows_from_buffer(&ring->type, buffer, num_skipped, &rows);
    if (status <= 0) return status;
    status = write_rows(ring, num_skipped, &rows);
    PyMem_Free(rows.copy);
    return status < 0 ? -1 : 1;
}

// Returns 1 when all items of a buffer were written, 0 for other objects, -1 with an exception.
static int extend_from_buffer(Ring* ring, PyObject* object) {
    Py_buffer buffer;
    if (!PyObject_CheckBuffer(object)) return 0;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_FULL_RO) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
        PyErr_Clear();
        return 0;
    }
    int status = write_buffer(ring, &buffer);
    PyBuffer_Release(&buffer);
    return status;
}

// Signals are handled between so many items, so that Ctrl-C stops an iterator that never ends.
#define ITEMS_BETWEEN_SIGNALS 4096

static int write_each(Ring* ring, PyObject* iterator) {
    PyObject* object;
    int status = 0;
    for (size_t count = 1; status == 0 && (object = PyIter_Next(iterator)); count++) {
        status = append_object(ring, object);
        Py_DECREF(object);
        if (status == 0 && count % ITEMS_BETWEEN_SIGNALS == 0) status = PyErr_CheckSignals();
    }
    return status < 0 || PyErr_Occurred() ? -1 : 0;
}

// Rows that are collected before any of them is written.
typedef struct Collection {
    char* rows;
    Py_ssize_t num_rows;
    Py_ssize_t num_allocated;
} Collection;

static char* next_place(Collection* collection, Py_ssize_t size) {
    if (collection->num_rows == collection->num_allocated) {
        Py_ssize_t num_allocated = collection->num_rows + collection->num_rows / 2 + 16;
        char* rows = num_allocated <= PY_SSIZE_T_MAX / size
                         ? PyMem_Realloc(collection->rows, (size_t)num_allocated * (size_t)size)
                         : NULL;
        if (!rows) {
            PyErr_NoMemory();
            return NULL;
        }
        collection->rows = rows;
        collection->num_allocated = num_allocated;
    }
    return collection->rows + collection->num_rows * size;
}

static int raise_too_many(const Ring* ring) {
    PyErr_Format(PyExc_BufferError,
                 "cannot write more than %zd items: %zd of the %zd places of this ring are free; consume() frees more",
                 ring->capacity, ring->capacity - count_positions(ring_load_positions(ring)), ring->capacity);
    return -1;
}

// In a queue, all items fit or none is written. As many as do not fit into an empty one are not collected.
static int write_all(Ring* ring, PyObject* iterator) {
    Collection collection = {NULL, 0, 0};
    PyObject* object;
    int status = 0;
    while (status == 0 && (object = PyIter_Next(iterator))) {
        char* place = next_place(&collection, ring->type.size);
        status = place ? rows_set(&ring->type, place, object) : -1;
        Py_DECREF(object);
        if (status == 0 && ++collection.num_rows > ring->capacity) status = raise_too_many(ring);
        if (status == 0 && collection.num_rows % ITEMS_BETWEEN_SIGNALS == 0) status = PyErr_CheckSignals();
    }
    if (status == 0 && !PyErr_Occurred()) status = ring_write(ring, 0, collection.rows, collection.num_rows);
    PyMem_Free(collection.rows);
    return status < 0 || PyErr_Occurred() ? -1 : 0;
}

static int check_writer(const Ring* ring) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(ring);
    status = ring_check_writer(ring);
    Py_END_CRITICAL_SECTION();
    return status;
}

// A ring that cannot be written takes no items from the iterator, and refuses one without any, too.
PyObject* ring_extend(Ring* self, PyObject* iterable) {
    int status = extend_from_buffer(self, iterable);
    if (status != 0) return none_unless(status < 0);
    PyObject* iterator = PyObject_GetIter(iterable);
    if (!iterator) return NULL;
    status = check_writer(self);
    if (status == 0) status = self->overwrites ? write_each(self, iterator) : write_all(self, iterator);
    Py_DECREF(iterator);
    return none_unless(status < 0);
}

// --- adding without a copy ---

static size_t offset_of(const Ring* ring, uint64_t position) {
    return (size_t)(ring_item(ring, position) - ring->reservation.base);
}

// Shows the next places without preparing them. The caller holds the lock.
static int show_next(Ring* ring, PinObject* pin, Py_ssize_t num_items, uint64_t* position) {
    ItemLayout layout = rows_layout(&ring->type);
    if (ring_check_writer(ring) < 0) return -1;
    WriteProblem problem = ring_check_fits(ring, num_items);
    if (problem != WRITE_FITS) return ring_raise_does_not_fit(ring, problem, "prepare", num_items);
    *position = ring->own.total;
    return view_place_rows(pin, offset_of(ring, *position), num_items, &layout, false);
}

// Returns 1 when the next places are those from the position on.
static int prepare(Ring* ring, Py_ssize_t num_items, uint64_t position) {
    if (ring_check_writer(ring) < 0) return -1;
    if (position != ring->own.total) return 0;
    ring_begin_write(ring, num_items);
    ring->shown_writable = true;
    ring->prepared = num_items;
    return 1;
}

// Making the view can run Python code, which may write to the ring; then the next places are others. Items are dropped
// when nothing can fail any more.
PyObject* ring_prepare(Ring* self, PyObject* object) {
    uint64_t position = 0;
    Py_ssize_t num_items;
    if (convert_count(self, object, self->overwrites ? PyExc_ValueError : PyExc_BufferError, &num_items) < 0)
        return NULL;
    while (true) {
        PinObject* pin = view_new_pin(&self->reservation);
        int status;
        if (!pin) return NULL;
        Py_BEGIN_CRITICAL_SECTION(self);
        status = show_next(self, pin, num_items, &position);
        Py_END_CRITICAL_SECTION();
        PyObject* view = status == 0 ? PyMemoryView_FromObject((PyObject*)pin) : NULL;
        Py_DECREF((PyObject*)pin);
        if (!view) return NULL;
        Py_BEGIN_CRITICAL_SECTION(self);
        status = prepare(self, num_items, position);
        Py_END_CRITICAL_SECTION();
        if (status > 0) return view;
        Py_DECREF(view);
        if (status < 0) return NULL;
    }
}

static int advance(Ring* ring, Py_ssize_t num_items) {
    if (ring_check_writer(ring) < 0) return -1;
    if (ring->prepared < 0) {
        PyErr_Format(PyExc_ValueError,
                     "cannot advance by %zd items: nothing is prepared; prepare() comes before each advance(), and "
                     "append(), clear() and an extend() by one or more items cancel it",
                     num_items);
        return -1;
    }
    if (num_items > ring->prepared) {
        PyErr_Format(PyExc_ValueError, "cannot advance by %zd items: %zd are prepared", num_items, ring->prepared);
        return -1;
    }
    ring->prepared = -1;
    ring_end_write(ring, num_items);
    return 0;
}

PyObject* ring_advance(Ring* self, PyObject* object) {
    Py_ssize_t num_items;
    int status;
    if (convert_count(self, object, PyExc_ValueError, &num_items) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = advance(self, num_items);
    Py_END_CRITICAL_SECTION();
    return none_unless(status < 0);
}

// --- views ---

static int show(Ring* ring, PinObject* pin, uint64_t start, Py_ssize_t num_items) {
    ItemLayout layout = rows_layout(&ring->type);
    return view_place_rows(pin, offset_of(ring, start), num_items, &layout, true);
}

static int show_latest(Ring* ring, PinObject* pin, Py_ssize_t num_items) {
    Positions positions = ring_load_positions(ring);
    Py_ssize_t length = count_positions(positions);
    if (num_items > length) {
        PyErr_Format(PyExc_IndexError, "the latest %zd items are not all there: this ring has %zd", num_items, length);
        return -1;
    }
    return show(ring, pin, positions.end - (uint64_t)num_items, num_items);
}

static int show_window(Ring* ring, PinObject* pin, uint64_t start, Py_ssize_t num_items) {
    Positions positions = ring_load_positions(ring);
    if (start < positions.oldest || start > positions.end || (uint64_t)num_items > positions.end - start) {
        PyErr_Format(PyExc_IndexError,
                     "the window of %zd items from position %llu on is not wholly there: this ring has those from "
                     "%llu to %llu",
                     num_items, (unsigned long long)start, (unsigned long long)positions.oldest,
                     (unsigned long long)positions.end);
        return -1;
    }
    return show(ring, pin, start, num_items);
}

static int show_all(Ring* ring, PinObject* pin) {
    Positions positions = ring_load_positions(ring);
    return show(ring, pin, positions.oldest, count_positions(positions));
}

static PyObject* finish_view(PinObject* pin, int status) {
    PyObject* view = status == 0 ? PyMemoryView_FromObject((PyObject*)pin) : NULL;
    Py_DECREF((PyObject*)pin);
    return view;
}

PyObject* ring_latest(Ring* self, PyObject* object) {
    Py_ssize_t num_items;
    int status;
    if (convert_count(self, object, PyExc_IndexError, &num_items) < 0) return NULL;
    PinObject* pin = view_new_pin(&self->reservation);
    if (!pin) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = show_latest(self, pin, num_items);
    Py_END_CRITICAL_SECTION();
    return finish_view(pin, status);
}

PyObject* ring_window(Ring* self, PyObject* const* args, Py_ssize_t num_args) {
    uint64_t start;
    Py_ssize_t num_items;
    int status;
    if (num_args != 2) return PyErr_Format(PyExc_TypeError, "window expected 2 arguments, got %zd", num_args);
    if (convert_start(self, args[0], &start) < 0) return NULL;
    if (convert_count(self, args[1], PyExc_IndexError, &num_items) < 0) return NULL;
    PinObject* pin = view_new_pin(&self->reservation);
    if (!pin) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = show_window(self, pin, start, num_items);
    Py_END_CRITICAL_SECTION();
    return finish_view(pin, status);
}

int ring_getbuffer(Ring* self, Py_buffer* view, int flags) {
    int status;
    if (!view) {  // only native code can do that
        PyErr_SetString(PyExc_BufferError, "the Py_buffer argument must not be NULL");
        return -1;
    }
    view->obj = NULL;
    PinObject* pin = view_new_pin(&self->reservation);
    if (!pin) return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = show_all(self, pin);
    Py_END_CRITICAL_SECTION();
    if (status == 0) status = PyObject_GetBuffer((PyObject*)pin, view, flags);
    Py_DECREF((PyObject*)pin);
    return status;
}

// --- dropping ---

// In a queue it is the other side that writes, also when that is a producer in C.
static int check_consumer(const Ring* ring) { return ring->overwrites || ring->readonly ? ring_check_writer(ring) : 0; }

static int consume(Ring* ring, Py_ssize_t num_items) {
    if (check_consumer(ring) < 0) return -1;
    Positions positions = ring_load_positions(ring);
    if (num_items > count_positions(positions)) {
        PyErr_Format(PyExc_ValueError, "cannot consume %zd items: this ring has %zd", num_items,
                     count_positions(positions));
        return -1;
    }
    ring_drop_to(ring, positions.oldest + (uint64_t)num_items);
    return 0;
}

PyObject* ring_consume(Ring* self, PyObject* object) {
    Py_ssize_t num_items;
    int status;
    if (convert_count(self, object, PyExc_ValueError, &num_items) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = consume(self, num_items);
    Py_END_CRITICAL_SECTION();
    return none_unless(status < 0);
}

PyObject* ring_clear(Ring* self, PyObject* Py_UNUSED(ignored)) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = ring_check_writer(self);
    if (status == 0) {
        self->prepared = -1;
        ring_drop_to(self, self->own.total);
    }
    Py_END_CRITICAL_SECTION();
    return none_unless(status < 0);
}

// --- others ---

PyObject* ring_map(Ring* self, PyObject* Py_UNUSED(ignored)) {
    return snapshot_map(ring_state_of_type(Py_TYPE((PyObject*)self)), &self->reservation, Py_None, NULL);
}

// A private ring has a descriptor too, which is not for others: its memory is not sealed.
static int check_shared(const Ring* ring) {
    if (ring->is_shared) return 0;
    PyErr_SetString(PyExc_ValueError, "this ring is not shared, and so has no descriptor: make it with shared=True");
    return -1;
}

PyObject* ring_fileno(Ring* self, PyObject* Py_UNUSED(ignored)) {
    return check_shared(self) < 0 ? NULL : sharing_get_fileno(&self->reservation);
}

PyObject* ring_get_handle(Ring* self, PyObject* Py_UNUSED(ignored)) {
    return check_shared(self) < 0 ? NULL : sharing_get_handle(&self->reservation);
}

PyObject* ring_reduce(Ring* self, PyObject* Py_UNUSED(ignored)) {
    PyObject* name = PyType_GetName(Py_TYPE((PyObject*)self));
    if (name)
        PyErr_Format(
            PyExc_TypeError,
            self->is_shared
                ? "cannot pickle a shared %R object, nor copy it: multiprocessing sends it to other processes, "
                  "and fileno() is for those that it has not started"
                : "cannot pickle %R object, nor copy it: its memory stays where it is; pickle a copy of its "
                  "items, such as numpy.array(ring)",
            name);
    Py_XDECREF(name);
    return NULL;
}
