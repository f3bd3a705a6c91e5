#include "reservation.h"

#include "mapping_growth.h"
#include "mappings.h"
#include "pins.h"

// --- small parts ---

bool can_read(VmemProtection protection) { return protection != VMEM_NO_ACCESS && protection != VMEM_EXECUTE; }

bool can_write(VmemProtection protection) {
    return protection == VMEM_READ_WRITE || protection == VMEM_READ_WRITE_EXECUTE;
}

bool can_execute(VmemProtection protection) { return protection >= VMEM_EXECUTE; }

Pages pages_of(const Reservation* reservation, size_t start, size_t end) {
    Pages pages = {vmem_align_backward(start, reservation->page_size), vmem_align_forward(end, reservation->page_size)};
    return pages;
}

Attempt attempt_at(const Reservation* reservation, const char* verb, size_t offset, size_t num_bytes) {
    Attempt attempt = {.verb = verb, .kind = reservation->kind, .offset = offset, .num_bytes = num_bytes};
    return attempt;
}

// --- checks ---

int reservation_check_open(Reservation* reservation) {
    busy_anywhere(reservation);
    if (!reservation->released) return 0;
    PyErr_Format(PyExc_ValueError, "this %s of %zu bytes has been released", reservation->kind, reservation->size);
    return -1;
}

int reservation_check_range(Reservation* reservation, size_t offset, size_t num_bytes) {
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
    size_t gap_size = gap_end - gap_start;
    if (gap_size == 1)
        PyErr_Format(PyExc_ValueError, "byte %zu of this %s is not committed; commit(%zu, 1) makes it usable",
                     gap_start, reservation->kind, gap_start);
    else if (gap_end == reservation->size)  // who leaves out num_bytes means what is committed more often than the rest
        PyErr_Format(PyExc_ValueError,
                     "bytes %zu to %zu of this %s are not committed; take fewer, as ranges() tells, or "
                     "commit(%zu, %zu) first",
                     gap_start, gap_end, reservation->kind, gap_start, gap_size);
    else
        PyErr_Format(PyExc_ValueError,
                     "bytes %zu to %zu of this %s are not committed; commit(%zu, %zu) makes them usable", gap_start,
                     gap_end, reservation->kind, gap_start, gap_size);
    return -1;
}

// Makes sure that the protection of every byte of a committed range passes a test.
static int check_protection(const Reservation* reservation, size_t offset, size_t num_bytes,
                            bool (*passes)(VmemProtection), const char* problem, const char* remedy) {
    size_t start = offset, end = offset + num_bytes;
    while (start < end) {
        const Span* span = spans_find(&reservation->spans, start);
        if (!passes(span->state.protection)) {
            if (span->end < end) end = span->end;
            PyErr_Format(PyExc_ValueError, "bytes %zu to %zu of this %s %s; protect(Protection.%s, %zu, %zu) lets you",
                         start, end, reservation->kind, problem, remedy, start, end - start);
            return -1;
        }
        start = span->end;
    }
    return 0;
}

bool reservation_is_plain(const Reservation* reservation, size_t offset, size_t num_bytes) {
    const Span* span = spans_find(&reservation->spans, offset);
    return span && span->start <= offset && span->end - offset >= num_bytes &&
           span->state.protection == VMEM_READ_WRITE && !reservation->busy;
}

static int check_usable(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_check_committed(reservation, offset, num_bytes) < 0) return -1;
    return busy_check_usable(reservation, offset, offset + num_bytes, "use");
}

int reservation_check_readable(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_is_plain(reservation, offset, num_bytes)) return 0;
    if (check_usable(reservation, offset, num_bytes) < 0) return -1;
    return check_protection(reservation, offset, num_bytes, can_read, "cannot be read", "READ");
}

int reservation_check_writable(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_is_plain(reservation, offset, num_bytes)) return 0;
    if (check_usable(reservation, offset, num_bytes) < 0) return -1;
    return check_protection(reservation, offset, num_bytes, can_write, "cannot be written", "READ_WRITE");
}

size_t reservation_count_committed(Reservation* reservation) {
    busy_anywhere(reservation);  // ends what a fork left undone
    return reservation->released ? 0 : reservation->spans.num_bytes;
}

int reservation_check_mappings(const Reservation* reservation, Py_ssize_t growth, const Attempt* attempt) {
    VmemLimits limits;
    if (mappings_allow(growth, &limits)) return 0;
    raise_out_of_mappings(reservation->out_of_memory_error, attempt, &limits);
    return -1;
}

// --- opening ---

// How many bytes the system has to look for: vmem_reserve_aligned() maps more than it keeps.
static size_t count_new_addresses(size_t size, size_t align) {
    return align > vmem_get_allocation_granularity() && size <= SIZE_MAX - align ? size + align : size;
}

// What the system takes as a name.
#define MAX_LABEL 79
#define NOT_IN_LABELS "[]\\$`"

// A name as the system takes it: shortened, and with a question mark for what it does not know. NULL, which is no
// error, when there is none; NULL with an exception otherwise.
static char* make_label(PyObject* name) {
    Py_ssize_t length;
    if (name == Py_None || PyUnicode_GetLength(name) == 0) return NULL;
    PyObject* ascii = PyUnicode_AsEncodedString(name, "ascii", "replace");
    char* text;
    char* label = ascii && PyBytes_AsStringAndSize(ascii, &text, &length) == 0 ? PyMem_Calloc(MAX_LABEL + 1, 1) : NULL;
    if (label) {
        if (length > MAX_LABEL) length = MAX_LABEL;
        for (Py_ssize_t i = 0; i < length; i++)
            label[i] = text[i] < ' ' || text[i] > '~' || strchr(NOT_IN_LABELS, text[i]) ? '?' : text[i];
    } else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    Py_XDECREF(ascii);
    return label;
}

// Huge pages lie at multiples of their size, so that is where the reservation has to begin.
static int align_for_huge_pages(size_t* align) {
    size_t huge_page_size = vmem_get_huge_page_size();
    if (huge_page_size == 0 || !vmem_get_capabilities().can_advise_huge_pages) {
        PyErr_SetString(
            PyExc_NotImplementedError,
            "cannot reserve with huge_pages=True: this system does not tell of huge pages for ordinary memory; "
            "get_huge_page_size() is 0 then");
        return -1;
    }
    if (*align < huge_page_size) *align = huge_page_size;
    return 0;
}

static int check_num_bytes(size_t num_bytes, size_t page_size) {
    if (num_bytes == 0) {
        PyErr_SetString(PyExc_ValueError, "num_bytes must be at least 1, got 0");
        return -1;
    }
    if (num_bytes > (size_t)PY_SSIZE_T_MAX - page_size) {
        PyErr_Format(PyExc_ValueError, "num_bytes must be at most %zd, got %zu", PY_SSIZE_T_MAX - (Py_ssize_t)page_size,
                     num_bytes);
        return -1;
    }
    return 0;
}

int reservation_audit(ModuleState* state, const ReservationOptions* options) {
    unsigned long long num_bytes = options->num_bytes;
    if (module_audit(state, Py_BuildValue("(sKO)", "vmem.reserve", num_bytes, options->name)) < 0) return -1;
    return module_check_loaded(state);
}

int reservation_open(Reservation* reservation, ModuleState* state, PyObject* owner, const char* kind,
                     const ReservationOptions* options) {
    size_t page_size = vmem_get_page_size(), align = options->align;
    spans_init(&reservation->spans);
    reservation->owner = owner;
    reservation->kind = kind;
    reservation->page_size = page_size;
    reservation->released = true;  // until there is something
    reservation->huge_pages = options->huge_pages;
    reservation->owner_in_cycles = options->owner_in_cycles;
    PyTypeObject* pin_type = options->owner_in_cycles ? state->pin_type : state->plain_pin_type;
    reservation->pin_type = (PyTypeObject*)Py_NewRef((PyObject*)pin_type);
    reservation->out_of_memory_error = Py_NewRef(state->out_of_memory_error);
    if (check_num_bytes(options->num_bytes, page_size) < 0) return -1;
    if (options->huge_pages && align_for_huge_pages(&align) < 0) return -1;
    reservation->label = make_label(options->name);
    if (!reservation->label && PyErr_Occurred()) return -1;

    size_t size = vmem_align_forward(options->num_bytes, page_size);
    Attempt attempt = attempt_at(reservation, "reserve", 0, options->num_bytes);
    attempt.align = align;
    attempt.new_addresses = count_new_addresses(size, align);
    if (reservation_check_mappings(reservation, 1, &attempt) < 0) return -1;
    reservation->base = vmem_reserve_aligned(options->num_bytes, align);
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

// --- releasing ---

// Whether there is nothing on one side, so that no mapping reaches beyond both ends.
static bool is_at_an_edge(const Reservation* reservation) {
    size_t num_resident, page = reservation->page_size;
    char *before = reservation->base - page, *after = reservation->base + reservation->size;
    return vmem_count_resident(before, page, &num_resident) == VMEM_ERROR_OUT_OF_MEMORY ||
           vmem_count_resident(after, page, &num_resident) == VMEM_ERROR_OUT_OF_MEMORY;
}

// How many mappings more there can be without this one. Close to the limit it is worth to look what lies around it: the
// way out of having too many must not end where releasing only gives them back.
static Py_ssize_t find_release_growth(const Reservation* reservation) {
    Py_ssize_t growth = release_growth(&reservation->spans, reservation->size);
    return mappings_surely_allow_release(growth) || !is_at_an_edge(reservation) ? growth : growth - 1;
}

// Unmaps. The record says "released" before the GIL is let go, so nobody can get at memory that is on its way out.
static VmemResult give_back(Reservation* reservation, Py_ssize_t growth, bool let_others_run, int* error) {
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
    mappings_add(growth);
    spans_free(&reservation->spans);
    return VMEM_SUCCESS;
}

// The same where nobody can be told that it failed. At the mapping limit the memory goes back, but the addresses stay
// reserved for good: that splits no mapping.
static void give_back_quietly(Reservation* reservation) {
    int error;
    if (!reservation->base) return;
    Py_ssize_t growth = find_release_growth(reservation);
    if (mappings_allow_quiet_release(growth) && give_back(reservation, growth, false, &error) == VMEM_SUCCESS) return;
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
    if (busy_check_changeable(reservation, all.start, all.end, "release") < 0) return -1;
    if (pins_check_none(reservation, all, "release") < 0) return -1;
    Py_ssize_t growth = find_release_growth(reservation);
    VmemLimits limits;
    if (!mappings_allow_release(growth, &limits)) {
        raise_out_of_mappings(reservation->out_of_memory_error, &attempt, &limits);
        return -1;
    }
    reservation->released = true;
    VmemResult result = give_back(reservation, growth, reservation->spans.num_bytes > 0, &error);
    if (result == VMEM_SUCCESS) return 0;
    reservation->released = false;
    raise_refused(reservation->out_of_memory_error, &attempt, result, error);
    return -1;
}

static bool is_in_use(Reservation* reservation) { return reservation->pins || busy_anywhere(reservation); }

int reservation_abandon(Reservation* reservation) {
    if (!is_in_use(reservation)) return reservation_release(reservation);
    reservation->released = true;
    return 0;
}

void reservation_settle(Reservation* reservation) {
    if (reservation->released && !is_in_use(reservation)) give_back_quietly(reservation);
}

static void free_reservation(Reservation* reservation) {
    give_back_quietly(reservation);
    spans_free(&reservation->spans);
    busy_free(reservation);
    PyMem_Free(reservation->label);
    Py_CLEAR(reservation->pin_type);
    Py_CLEAR(reservation->out_of_memory_error);
}

void reservation_dealloc_owner(Reservation* reservation, PyObject* owner, PyObject* weakrefs) {
    PyTypeObject* type = Py_TYPE(owner);
    PyObject_GC_UnTrack(owner);
    if (weakrefs) PyObject_ClearWeakRefs(owner);
    free_reservation(reservation);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_object(owner);
    Py_DECREF(type);
}

int reservation_traverse_owner(Reservation* reservation, PyObject* owner, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(owner));
    Py_VISIT(reservation->pin_type);
    Py_VISIT(reservation->out_of_memory_error);
    return 0;
}
