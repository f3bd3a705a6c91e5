#include "core/lifetime.h"

#include "core/mapping_budget.h"
#include "core/native_hold.h"

// --- opening ---

// How many bytes of addresses the system must find: vmem_reserve_aligned() maps more than it keeps.
static size_t count_new_addresses(size_t size, size_t align) {
    return align > vmem_get_allocation_granularity() && size <= SIZE_MAX - align ? size + align : size;
}

// What the system accepts as a name: PR_SET_VMA_ANON_NAME in prctl(2).
#define MAX_LABEL 79
#define NOT_IN_LABELS "[]\\$`"

// A name as the system accepts it: shortened, with question marks for characters that it refuses. NULL without an
// exception when there is none, NULL with one on failure.
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

// Huge pages lie at multiples of their size, so the reservation has to begin at one.
static int align_for_huge_pages(const Backing* backing, size_t* align) {
    size_t huge_page_size = vmem_get_huge_page_size();
    if (backing->never_huge) {
        PyErr_Format(PyExc_NotImplementedError, "cannot reserve with huge_pages=True: %s", backing->never_huge);
        return -1;
    }
    if (huge_page_size == 0) {
        PyErr_SetString(PyExc_NotImplementedError,
                        "cannot reserve with huge_pages=True: this system has no huge pages for ordinary memory; "
                        "get_huge_page_size() is 0 here");
        return -1;
    }
    if (!vmem_get_capabilities().can_advise_huge_pages) {
        PyErr_SetString(PyExc_NotImplementedError,
                        "cannot reserve with huge_pages=True: this process may not ask for them; madvise() is denied");
        return -1;
    }
    if (*align < huge_page_size) *align = huge_page_size;
    return 0;
}

static int check_advice(const Backing* backing, const ReservationOptions* options) {
    if (options->fork == VMEM_FORK_COPY && !options->is_secret) return 0;
    VmemCapabilities capabilities = vmem_get_capabilities();
    bool can_wipe = capabilities.can_advise_fork && strcmp(capabilities.system, "macOS") != 0;
    const char* reason = can_wipe ? NULL : "this system cannot keep memory from forked processes that way";
    if (backing->always_inherited) reason = backing->always_inherited;
    if (options->fork != VMEM_FORK_COPY && reason) {
        PyErr_Format(PyExc_NotImplementedError, "cannot reserve with fork='%s': %s",
                     options->fork == VMEM_FORK_NONE ? "none" : "zero", reason);
        return -1;
    }
    if (options->is_secret && !capabilities.can_advise_dump) {
        PyErr_SetString(PyExc_NotImplementedError,
                        "cannot reserve with dump=False: this system cannot leave memory out of core dumps");
        return -1;
    }
    return 0;
}

// Py_BuildValue() would take a sixth of the instructions of reserving and releasing.
int reservation_audit(ModuleState* state, const ReservationOptions* options) {
    if (module_check_loaded(state) < 0) return -1;
    PyObject* name = Py_NewRef(state->reserve_event);  // making a tuple can start a collection that clears the module
    PyObject* num_bytes = PyLong_FromSize_t(options->num_bytes);
    PyObject* event = num_bytes ? PyTuple_Pack(3, name, num_bytes, options->name) : NULL;
    Py_XDECREF(num_bytes);
    Py_DECREF(name);
    if (module_audit(state, event) < 0) return -1;
    return module_check_loaded(state);
}

// Everything but the addresses. Nothing here can fail, so that the owner can be deallocated at any time after it.
static void initialize(Reservation* reservation, ModuleState* state, PyObject* owner, const OwnerKind* owner_kind,
                       const Backing* backing, const ReservationOptions* options) {
    PyTypeObject* pin_type = options->owner_is_gc ? state->pin_type : state->untracked_pin_type;
    reservation->owner = owner;
    reservation->owner_is_gc = options->owner_is_gc;
    reservation->owner_kind = owner_kind;
    reservation->backing = backing;
    reservation->page_size = vmem_get_page_size();
    reservation->released = true;  // until it has addresses
    reservation->huge_pages = options->huge_pages;
    reservation->fork = options->fork;
    reservation->process = options->fork == VMEM_FORK_NONE ? get_process_id() : 0;
    reservation->is_secret = options->is_secret;
    spans_init(&reservation->spans);
    reservation->pins = (PinList){NULL, reservation->page_size, owner_kind};
    reservation->busy = (BusyList){NULL, owner_kind, reservation};
    reservation->pin_type = (PyTypeObject*)Py_NewRef((PyObject*)pin_type);
    reservation->out_of_memory_error = Py_NewRef(state->out_of_memory_error);
}

int reservation_open(Reservation* reservation, ModuleState* state, PyObject* owner, const OwnerKind* owner_kind,
                     const Backing* backing, const ReservationOptions* options) {
    size_t align = options->align;
    initialize(reservation, state, owner, owner_kind, backing, options);
    if (options->huge_pages && align_for_huge_pages(backing, &align) < 0) return -1;
    if (check_advice(backing, options) < 0) return -1;
    reservation->label = make_label(options->name);
    if (!reservation->label && PyErr_Occurred()) return -1;

    size_t size = vmem_align_forward(options->num_bytes, reservation->page_size);
    Request request = request_at(reservation, "reserve", 0, options->num_bytes);
    request.kind = REQUEST_ADDRESSES;
    request.align = align;
    request.new_addresses = count_new_addresses(size, align) + backing->num_extra_bytes;
    if (reservation_check_mappings(reservation, 1 + backing->num_extra_mappings, &request) < 0) return -1;
    void* base;
    VmemResult result = backing->reserve(backing, options->num_bytes, align, reservation->label, &base);
    if (result != VMEM_SUCCESS) {
        raise_refused(reservation->out_of_memory_error, &request, result, system_error());
        return -1;
    }
    reservation->base = base;
    reservation->size = size;
    reservation->released = false;
    mapping_budget_charge(1);
    return 0;
}

// --- releasing ---

// Whether the page before or the page after is unmapped. Then no mapping extends beyond both ends, and unmapping splits
// none.
static bool has_unmapped_neighbour(const Reservation* reservation) {
    size_t num_resident, page = reservation->page_size;
    char *before = reservation->base - page, *after = reservation->base + reservation->size;
    return vmem_count_resident(before, page, &num_resident) == VMEM_ERROR_OUT_OF_MEMORY ||
           vmem_count_resident(after, page, &num_resident) == VMEM_ERROR_OUT_OF_MEMORY;
}

// The most mappings that unmapping can add. Near the limit the neighbouring pages are examined, which takes system
// calls, so that a release that splits no mapping is not refused.
static Py_ssize_t find_mapping_cost(const Reservation* reservation) {
    Py_ssize_t cost = mapping_cost_of_release(reservation_mappings(reservation));
    bool is_exact = mapping_budget_surely_allows(cost, FOR_RELEASE) || !has_unmapped_neighbour(reservation);
    return is_exact ? cost : cost - 1;
}

// Unmaps. `base` is NULL, and `released` is true, before the GIL is released, so that no other thread can use memory
// that is being unmapped.
static VmemResult unmap(Reservation* reservation, Py_ssize_t mapping_cost, bool releases_gil, int* error) {
    const Backing* backing = reservation->backing;
    char* base = reservation->base;
    VmemResult result;
    if (!base) return VMEM_SUCCESS;
    reservation->base = NULL;
    if (releases_gil) {
        Py_BEGIN_ALLOW_THREADS
        result = backing->release(backing, base, reservation->size);
        *error = system_error();
        Py_END_ALLOW_THREADS
    } else {
        result = backing->release(backing, base, reservation->size);
        *error = system_error();
    }
    if (result != VMEM_SUCCESS) {
        reservation->base = base;
        return result;
    }
    mapping_budget_charge(mapping_cost);
    spans_free(&reservation->spans);
    return VMEM_SUCCESS;
}

// The same in a finalizer, where a failure cannot be reported. At the mapping limit the memory is discarded, where it
// can be, and the addresses stay reserved for good: that splits no mapping.
static void unmap_or_discard(Reservation* reservation) {
    const Backing* backing = reservation->backing;
    int error;
    if (!reservation->base) return;
    Py_ssize_t mapping_cost = find_mapping_cost(reservation);
    if (mapping_budget_allows(mapping_cost, FOR_FINALIZER, NULL) &&
        unmap(reservation, mapping_cost, false, &error) == VMEM_SUCCESS)
        return;
    const Span* span = spans_find(&reservation->spans, 0);
    for (; span && backing->discard; span = spans_find(&reservation->spans, span->end))
        backing->discard(backing, reservation->base + span->start, span->end - span->start);
    reservation->base = NULL;
    spans_free(&reservation->spans);
}

int reservation_release(Reservation* reservation) {
    Pages all = {0, reservation->size};
    Request request = request_at(reservation, "release", 0, reservation->size);
    VmemLimits limits;
    int error = 0;
    if (reservation_is_released(reservation)) return 0;
    if (busy_check_changeable(&reservation->busy, all, "release") < 0) return -1;
    if (pins_check_none(&reservation->pins, all, "release") < 0) return -1;
    Py_ssize_t mapping_cost = find_mapping_cost(reservation);
    if (!mapping_budget_allows(mapping_cost, FOR_RELEASE, &limits)) {
        raise_out_of_mappings(reservation->out_of_memory_error, &request, &limits);
        return -1;
    }
    reservation->released = true;
    VmemResult result = unmap(reservation, mapping_cost, reservation->spans.num_bytes > 0, &error);
    if (result == VMEM_SUCCESS) return 0;
    reservation->released = false;
    raise_refused(reservation->out_of_memory_error, &request, result, error);
    return -1;
}

static bool is_in_use(Reservation* reservation) { return reservation->pins.first || busy_anywhere(&reservation->busy); }

int reservation_release_deferred(Reservation* reservation) {
    if (!is_in_use(reservation)) return reservation_release(reservation);
    reservation->released = true;
    return 0;
}

void reservation_release_if_unused(Reservation* reservation) {
    if (reservation->released && !is_in_use(reservation)) unmap_or_discard(reservation);
}

// --- the end of the owner ---

// Whether native code still uses the memory, and unmaps it then.
static bool leave_to_native_code(Reservation* reservation) {
    if (!reservation->native_memory) return false;
    return native_memory_hand_over(reservation, reservation->base ? find_mapping_cost(reservation) : 0);
}

void reservation_destroy(Reservation* reservation) {
    if (!leave_to_native_code(reservation)) unmap_or_discard(reservation);
    spans_free(&reservation->spans);
    busy_free(&reservation->busy);
    PyMem_Free(reservation->label);
    if (reservation->backing && reservation->backing->destroy) reservation->backing->destroy(reservation->backing);
    reservation->backing = NULL;
    Py_CLEAR(reservation->pin_type);
    Py_CLEAR(reservation->out_of_memory_error);
}

void reservation_dealloc_owner(Reservation* reservation, PyObject* owner, PyObject* weakrefs) {
    PyTypeObject* type = Py_TYPE(owner);
    PyObject_GC_UnTrack(owner);
    if (weakrefs) PyObject_ClearWeakRefs(owner);
    reservation_destroy(reservation);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_object(owner);
    Py_DECREF(type);
}

int reservation_traverse(Reservation* reservation, visitproc visit, void* arg) {
    Py_VISIT(reservation->pin_type);
    Py_VISIT(reservation->out_of_memory_error);
    return 0;
}
