#include "reservation.h"

#include "mappings.h"
#include "refusal.h"

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
    Pin* previous;
    Pin* next;
};

// Whole pages, as offsets.
typedef struct Pages {
    size_t start;
    size_t end;
} Pages;

static Pages pages_of(const Reservation* reservation, size_t start, size_t end) {
    Pages pages = {vmem_align_backward(start, reservation->page_size), vmem_align_forward(end, reservation->page_size)};
    return pages;
}

static Attempt attempt_at(const Reservation* reservation, const char* verb, size_t offset, size_t num_bytes) {
    Attempt attempt = {verb, reservation->kind, offset, num_bytes, 0, 0, 0};
    return attempt;
}

// --- checks ---

int reservation_check_open(const Reservation* reservation) {
    if (!reservation->released) return 0;
    PyErr_Format(PyExc_ValueError, "this %s of %zu bytes has been released", reservation->kind, reservation->size);
    return -1;
}

int reservation_check_range(const Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_check_open(reservation) < 0) return -1;
    if (offset > reservation->size) {
        PyErr_Format(PyExc_ValueError, "offset %zu is past the end of a %s of %zu bytes", offset, reservation->kind,
                     reservation->size);
        return -1;
    }
    if (num_bytes > reservation->size - offset) {
        PyErr_Format(PyExc_ValueError, "offset %zu + num_bytes %zu is past the end of a %s of %zu bytes", offset,
                     num_bytes, reservation->kind, reservation->size);
        return -1;
    }
    return 0;
}

bool reservation_is_committed(const Reservation* reservation, size_t offset, size_t num_bytes) {
    size_t gap_start, gap_end;
    return !spans_find_gap(&reservation->spans, offset, offset + num_bytes, &gap_start, &gap_end);
}

int reservation_check_committed(const Reservation* reservation, size_t offset, size_t num_bytes) {
    size_t gap_start, gap_end;
    if (!spans_find_gap(&reservation->spans, offset, offset + num_bytes, &gap_start, &gap_end)) return 0;
    if (gap_end - gap_start == 1)
        PyErr_Format(PyExc_ValueError, "byte %zu of this %s is not committed; commit(%zu, 1) makes it usable",
                     gap_start, reservation->kind, gap_start);
    else
        PyErr_Format(PyExc_ValueError,
                     "bytes %zu to %zu of this %s are not committed; commit(%zu, %zu) makes them usable", gap_start,
                     gap_end, reservation->kind, gap_start, gap_end - gap_start);
    return -1;
}

// --- pins ---

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

// The one gate: raises BufferError when views have bytes on any of these pages.
static int check_unpinned(const Reservation* reservation, Pages pages, const char* verb) {
    size_t num_views = 0, first = SIZE_MAX, last = 0;
    for (const Pin* pin = reservation->pins; pin; pin = pin->next) {
        Pages pinned = pages_of(reservation, pin->start, pin->end);
        if (pinned.end <= pages.start || pinned.start >= pages.end) continue;
        num_views++;
        if (pin->start < first) first = pin->start;
        if (pin->end > last) last = pin->end;
    }
    if (num_views == 0) return 0;
    PyErr_Format(PyExc_BufferError,
                 num_views == 1
                     ? "cannot %s bytes %zu to %zu of this %s: %zu view of bytes %zu to %zu is alive; release "
                       "or delete it first, with every array and slice made from it"
                     : "cannot %s bytes %zu to %zu of this %s: %zu views between bytes %zu and %zu are alive; "
                       "release or delete them first, with every array and slice made from them",
                 verb, pages.start, pages.end, reservation->kind, num_views, first, last);
    return -1;
}

// --- opening and releasing ---

// What a change adds to the mappings of the process at most. The kernel joins what lies next to each other and is alike,
// also across the borders of a reservation, so a change there may split a mapping that a neighbour has a part in. That
// it joins what is committed cannot be relied on: after a fork it does not. What is only reserved it always joins.

static bool is_gap(const Reservation* reservation, size_t offset) {
    const Span* span = spans_find(&reservation->spans, offset);
    return !span || span->start > offset;
}

// One for each end of the pages that may lie inside a mapping of reserved pages.
static Py_ssize_t commit_growth(const Reservation* reservation, Pages pages) {
    bool splits_before = is_gap(reservation, pages.start) && (pages.start == 0 || is_gap(reservation, pages.start - 1));
    bool splits_after =
        is_gap(reservation, pages.end - 1) && (pages.end == reservation->size || is_gap(reservation, pages.end));
    return splits_before + splits_after;
}

// For pages of which the first and the last are committed: one for each end that may lie inside a mapping of committed
// pages, less what lies between, less one for each end that joins a gap.
static Py_ssize_t decommit_growth(const Reservation* reservation, Pages pages) {
    bool gap_before = pages.start > 0 && is_gap(reservation, pages.start - 1);
    bool gap_after = pages.end < reservation->size && is_gap(reservation, pages.end);
    const Span* first = spans_find(&reservation->spans, pages.start);
    const Span* last = spans_find(&reservation->spans, pages.end - 1);
    bool splits_before = first->start < pages.start || pages.start == 0;
    bool splits_after = last->end > pages.end || pages.end == reservation->size;
    Py_ssize_t num_between = 0;
    for (; first != last; first = spans_find(&reservation->spans, first->end)) num_between += 2;
    return splits_before + splits_after - num_between - gap_before - gap_after;
}

static Py_ssize_t release_growth(const Reservation* reservation) {
    bool gap_first = is_gap(reservation, 0), gap_last = is_gap(reservation, reservation->size - 1);
    Py_ssize_t num_pieces = 2 * (Py_ssize_t)reservation->spans.num_spans - 1 + gap_first + gap_last;
    return 2 - num_pieces;
}

static int reserve_mappings(Reservation* reservation, Py_ssize_t growth, const Attempt* attempt) {
    VmemLimits limits;
    if (mappings_allow(growth, &limits)) return 0;
    raise_out_of_mappings(reservation->out_of_memory_error, attempt, &limits);
    return -1;
}

// How many bytes the system has to look for: vmem_reserve_aligned() maps more than it keeps.
static size_t count_new_addresses(size_t size, size_t align) {
    return align > vmem_get_allocation_granularity() && size <= SIZE_MAX - align ? size + align : size;
}

int reservation_open(Reservation* reservation, ModuleState* state, PyObject* owner, const char* kind, size_t num_bytes,
                     size_t align) {
    size_t page_size = vmem_get_page_size();
    spans_init(&reservation->spans);
    reservation->owner = owner;
    reservation->kind = kind;
    reservation->page_size = page_size;
    reservation->released = true;  // until there is something
    reservation->pin_type = (PyTypeObject*)Py_NewRef((PyObject*)state->pin_type);
    reservation->out_of_memory_error = Py_NewRef(state->out_of_memory_error);
    if (num_bytes > (size_t)PY_SSIZE_T_MAX - page_size) {
        PyErr_Format(PyExc_ValueError, "num_bytes must be at most %zd, got %zu", PY_SSIZE_T_MAX - (Py_ssize_t)page_size,
                     num_bytes);
        return -1;
    }
    size_t size = vmem_align_forward(num_bytes, page_size);
    Attempt attempt = {"reserve", kind, 0, num_bytes, align, count_new_addresses(size, align), 0};
    if (reserve_mappings(reservation, 1, &attempt) < 0) return -1;
    reservation->base = vmem_reserve_aligned(num_bytes, align);
    if (!reservation->base) {
        int error = system_error();
        raise_refused(reservation->out_of_memory_error, &attempt, result_of(error), error);
        return -1;
    }
    reservation->size = size;
    reservation->released = false;
    mappings_add(1);
    return 0;
}

// Unmaps. The record says "released" before the GIL is let go, so nobody can get at memory that is on its way out.
static VmemResult give_back(Reservation* reservation, bool let_others_run, int* error) {
    char* base = reservation->base;
    VmemResult result;
    if (!base) return VMEM_SUCCESS;
    reservation->base = NULL;
    if (let_others_run) {
        Py_BEGIN_ALLOW_THREADS
        result = vmem_release(base, reservation->size);
        *error = system_error();
        Py_END_ALLOW_THREADS
    } else {
        result = vmem_release(base, reservation->size);
        *error = system_error();
    }
    if (result != VMEM_SUCCESS) {
        reservation->base = base;
        return result;
    }
    mappings_add(release_growth(reservation));
    spans_free(&reservation->spans);
    return VMEM_SUCCESS;
}

// The same where nobody can be told that it failed. At the mapping limit the memory goes back, but the addresses stay
// reserved for good: that splits no mapping.
static void give_back_quietly(Reservation* reservation) {
    int error;
    if (!reservation->base) return;
    if (mappings_allow_quietly(release_growth(reservation)) && give_back(reservation, false, &error) == VMEM_SUCCESS)
        return;
    const Span* span = spans_find(&reservation->spans, 0);
    for (; span; span = spans_find(&reservation->spans, span->end))
        vmem_discard(reservation->base + span->start, span->end - span->start);
    reservation->base = NULL;
    spans_free(&reservation->spans);
}

int reservation_release(Reservation* reservation) {
    Pages all = {0, reservation->size};
    Attempt attempt = attempt_at(reservation, "release", 0, reservation->size);
    int error = 0;
    if (reservation->released) return 0;
    if (check_unpinned(reservation, all, "release") < 0) return -1;
    if (reserve_mappings(reservation, release_growth(reservation), &attempt) < 0) return -1;
    reservation->released = true;
    VmemResult result = give_back(reservation, reservation->spans.num_bytes > 0, &error);
    if (result == VMEM_SUCCESS) return 0;
    reservation->released = false;
    raise_refused(reservation->out_of_memory_error, &attempt, result, error);
    return -1;
}

int reservation_abandon(Reservation* reservation) {
    if (!reservation->pins) return reservation_release(reservation);
    reservation->released = true;
    return 0;
}

void reservation_free(Reservation* reservation) {
    give_back_quietly(reservation);
    spans_free(&reservation->spans);
    Py_CLEAR(reservation->pin_type);
    Py_CLEAR(reservation->out_of_memory_error);
}

int reservation_traverse(Reservation* reservation, visitproc visit, void* arg) {
    Py_VISIT(reservation->pin_type);
    Py_VISIT(reservation->out_of_memory_error);
    return 0;
}

// --- committing and decommitting ---

static size_t count_gaps(const Reservation* reservation, Pages pages, size_t* num_bytes) {
    size_t count = 0, start = pages.start, gap_start, gap_end;
    *num_bytes = 0;
    for (; spans_find_gap(&reservation->spans, start, pages.end, &gap_start, &gap_end); start = gap_end) {
        *num_bytes += gap_end - gap_start;
        count++;
    }
    return count;
}

// Commits every gap in the record, and only those: pages that are committed keep their protection. When one fails, the
// gaps up to it are decommitted again. They were never in the record, so nobody has seen them.
static VmemResult commit_gaps(Reservation* reservation, Pages pages, int* error) {
    size_t start = pages.start, gap_start, gap_end;
    for (; spans_find_gap(&reservation->spans, start, pages.end, &gap_start, &gap_end); start = gap_end) {
        VmemResult result = vmem_commit(reservation->base + gap_start, gap_end - gap_start);
        if (result == VMEM_SUCCESS) continue;
        *error = system_error();
        pages.end = gap_end;
        start = pages.start;
        for (; spans_find_gap(&reservation->spans, start, pages.end, &gap_start, &gap_end); start = gap_end)
            vmem_decommit(reservation->base + gap_start, gap_end - gap_start);
        return result;
    }
    return VMEM_SUCCESS;
}

static void record_gaps_committed(Reservation* reservation, Pages pages) {
    size_t start = pages.start, gap_start, gap_end;
    for (; spans_find_gap(&reservation->spans, start, pages.end, &gap_start, &gap_end); start = gap_end)
        spans_set(&reservation->spans, gap_start, gap_end, VMEM_READ_WRITE);
}

int reservation_commit(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    if (num_bytes == 0) return 0;
    Pages pages = pages_of(reservation, offset, offset + num_bytes);
    Attempt attempt = attempt_at(reservation, "commit", offset, num_bytes);
    size_t num_gaps = count_gaps(reservation, pages, &attempt.new_memory);
    if (num_gaps == 0) return 0;

    Py_ssize_t growth = commit_growth(reservation, pages);
    if (reserve_mappings(reservation, growth, &attempt) < 0) return -1;
    if (spans_prepare(&reservation->spans, num_gaps) < 0) return -1;
    int error;
    VmemResult result = commit_gaps(reservation, pages, &error);
    if (result == VMEM_SUCCESS) record_gaps_committed(reservation, pages);
    spans_settle(&reservation->spans);
    if (result != VMEM_SUCCESS) {
        raise_refused(reservation->out_of_memory_error, &attempt, result, error);
        return -1;
    }
    mappings_add(growth);
    return 0;
}

// Narrows pages to those from the first committed one to the last. Returns false when none is.
static bool narrow_to_committed(const Reservation* reservation, Pages* pages) {
    const Span* span = spans_find(&reservation->spans, pages->start);
    if (!span || span->start >= pages->end) return false;
    if (span->start > pages->start) pages->start = span->start;
    size_t end = pages->start;
    for (; span && span->start < pages->end; span = spans_find(&reservation->spans, span->end)) end = span->end;
    if (end < pages->end) pages->end = end;
    return true;
}

int reservation_decommit(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    if (num_bytes == 0) return 0;
    Pages pages = pages_of(reservation, offset, offset + num_bytes);
    if (check_unpinned(reservation, pages, "decommit") < 0) return -1;
    if (!narrow_to_committed(reservation, &pages)) return 0;

    Attempt attempt = attempt_at(reservation, "decommit", offset, num_bytes);
    Py_ssize_t growth = decommit_growth(reservation, pages);
    if (reserve_mappings(reservation, growth, &attempt) < 0) return -1;
    if (spans_prepare(&reservation->spans, 2) < 0) return -1;
    VmemResult result = vmem_decommit(reservation->base + pages.start, pages.end - pages.start);
    int error = system_error();
    bool done = result == VMEM_SUCCESS || result == VMEM_DECOMMIT_INCOMPLETE;
    if (done) spans_clear(&reservation->spans, pages.start, pages.end);
    spans_settle(&reservation->spans);
    if (!done) {
        raise_refused(reservation->out_of_memory_error, &attempt, result, error);
        return -1;
    }
    mappings_add(growth);
    return 0;
}

int reservation_count_resident(Reservation* reservation, size_t offset, size_t num_bytes, size_t* num_resident) {
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    Pages pages = pages_of(reservation, offset, offset + num_bytes);
    *num_resident = 0;
    if (num_bytes == 0) return 0;
    const Span* span = spans_find(&reservation->spans, pages.start);
    for (; span && span->start < pages.end; span = spans_find(&reservation->spans, span->end)) {
        size_t start = span->start > pages.start ? span->start : pages.start;
        size_t end = span->end < pages.end ? span->end : pages.end;
        size_t resident;
        VmemResult result = vmem_count_resident(reservation->base + start, end - start, &resident);
        if (result != VMEM_SUCCESS) {
            int error = system_error();
            Attempt attempt = attempt_at(reservation, "count the resident part of", start, end - start);
            raise_refused(reservation->out_of_memory_error, &attempt, result, error);
            return -1;
        }
        *num_resident += resident;
    }
    return 0;
}

// --- views ---

// A pin of no bytes.
static Pin* new_pin(Reservation* reservation) {
    Pin* pin = PyObject_GC_New(Pin, reservation->pin_type);
    if (!pin) return NULL;
    pin->owner = Py_NewRef(reservation->owner);
    pin->reservation = reservation;
    pin->start = pin->end = 0;
    pin->bytes = NULL;
    PyObject_GC_Track(pin);
    return pin;
}

PyObject* reservation_view(Reservation* reservation, size_t offset, size_t num_bytes) {
    PyObject* view = NULL;
    Pin* pin = new_pin(reservation);  // can start a garbage collection, which can run anything: so before the checks
    if (!pin) return NULL;
    if (reservation_check_range(reservation, offset, num_bytes) == 0 &&
        reservation_check_committed(reservation, offset, num_bytes) == 0) {
        pin->start = offset;
        pin->end = offset + num_bytes;
        pin->bytes = reservation->base + offset;
        if (pins_something(pin)) link_pin(pin);
        view = PyMemoryView_FromObject((PyObject*)pin);
    }
    Py_DECREF(pin);
    return view;
}

static int pin_getbuffer(Pin* self, Py_buffer* view, int flags) {
    return PyBuffer_FillInfo(view, (PyObject*)self, self->bytes, (Py_ssize_t)(self->end - self->start), 0, flags);
}

static int pin_traverse(Pin* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->owner);
    return 0;
}

static void pin_dealloc(Pin* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject* owner = self->owner;
    PyObject_GC_UnTrack(self);
    VMEM_LOCK(owner);
    if (pins_something(self)) unlink_pin(self);
    if (self->reservation->released && !self->reservation->pins) give_back_quietly(self->reservation);
    VMEM_UNLOCK();
    PyObject_GC_Del(self);
    Py_DECREF(owner);
    Py_DECREF(type);
}

// No tp_clear: a cycle through a pin also goes through a memoryview or the attributes of the owner, which clear
// themselves, and the memory must stay as long as a buffer over it can be used.
static PyType_Slot pin_slots[] = {
    {Py_tp_doc, "Keeps exported bytes of a region in place; held by the memoryviews over them."},
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
