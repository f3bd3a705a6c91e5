#include "core/snapshot.h"

#include "core/errors.h"
#include "core/long_call.h"

// Extents are ranges of committed pages with equal properties, with the number of their resident bytes. They are split,
// to show where the resident pages are: into single pages if that makes at most MAX_EXTENTS, else into as few larger
// ones. Every span can add one more.
#define MAX_EXTENTS 4096

// Python takes as much at once from the system for small objects.
#define ADDRESSES_OF_ALLOCATOR ((size_t)1 << 20)

typedef struct Extent {
    Pages pages;
    PageState state;
    size_t num_resident;
} Extent;

// The record is copied at once, because making Python objects of it can run any Python code. Resident bytes are counted
// after that as by resident(): the pages are marked, so that they stay committed.
typedef struct Snapshot {
    LongCall call;
    const char* base;
    CountUsed count_used;
    size_t used;
    Extent* extents;
    size_t num_extents;
    size_t next_extent;  // the first one that may have pages left to count
    ByteRange* views;
    size_t num_views;
    bool can_count;  // whether the system tells what is resident
} Snapshot;

// --- copying the record ---

static size_t count_extents(const SpanMap* map, size_t extent_size) {
    size_t count = 0;
    for (const Span* span = spans_find(map, 0); span; span = spans_find(map, span->end))
        count += (span->end - span->start + extent_size - 1) / extent_size;
    return count;
}

static void add_extents(Snapshot* snapshot, const Span* span, size_t extent_size, bool has_locks) {
    for (size_t start = span->start; start < span->end; snapshot->num_extents++) {
        size_t end = span->end - start > extent_size ? start + extent_size : span->end;
        PageState state = {span->state.protection, has_locks && span->state.locked ? LOCKED : UNLOCKED};
        snapshot->extents[snapshot->num_extents] = (Extent){{start, end}, state, 0};
        start = end;
    }
}

// A forked child inherits no locks, though the record may still contain them.
static int copy_spans(Snapshot* snapshot, const Reservation* reservation) {
    const SpanMap* map = &reservation->spans;
    bool has_locks = reservation->lock_process == get_process_id();
    size_t extent_size = reservation->page_size;
    while (extent_size * MAX_EXTENTS < map->num_bytes) extent_size *= 2;
    snapshot->extents = PyMem_Malloc((count_extents(map, extent_size) + 1) * sizeof(Extent));
    if (!snapshot->extents) {
        PyErr_NoMemory();
        return -1;
    }
    for (const Span* span = spans_find(map, 0); span; span = spans_find(map, span->end))
        add_extents(snapshot, span, extent_size, has_locks);
    return 0;
}

static int copy_views(Snapshot* snapshot, const Reservation* reservation) {
    snapshot->num_views = pins_count_from(&reservation->pins, 0);
    snapshot->views = PyMem_Malloc((snapshot->num_views + 1) * sizeof(ByteRange));
    if (!snapshot->views) {
        PyErr_NoMemory();
        return -1;
    }
    snapshot->num_views = pins_copy(&reservation->pins, snapshot->views);
    return 0;
}

static int copy_record(LongCall* call) {
    Snapshot* snapshot = (Snapshot*)call;
    Reservation* reservation = call->reservation;
    snapshot->base = reservation->base;
    if (copy_spans(snapshot, reservation) < 0) return -1;
    if (copy_views(snapshot, reservation) < 0) return -1;
    if (snapshot->count_used) snapshot->used = snapshot->count_used(reservation->owner);
    snapshot->can_count = vmem_get_capabilities().can_count_resident;
    bool can_count = snapshot->num_extents > 0 && snapshot->can_count;
    call->pages.start = can_count ? snapshot->extents[0].pages.start : 0;
    call->pages.end = can_count ? snapshot->extents[snapshot->num_extents - 1].pages.end : 0;
    return 0;
}

// --- counting what is resident ---

static size_t lower(size_t one, size_t other) { return one < other ? one : other; }

static size_t higher(size_t one, size_t other) { return one > other ? one : other; }

static size_t count_common(Pages one, Pages other) {
    size_t start = higher(one.start, other.start), end = lower(one.end, other.end);
    return end > start ? end - start : 0;
}

// Counts the resident bytes of adjacent extents, as far as they lie within `pages`. The cost is in the system calls, so
// one call counts several extents; they are divided only when some of their pages are resident and others are not.
static VmemResult count_resident_in(const Snapshot* snapshot, Extent* extents, size_t num_extents, Pages pages) {
    const Backing* backing = snapshot->call.reservation->backing;
    size_t num_resident, num_each = num_extents > 8 ? num_extents / 8 : 1, size = pages.end - pages.start;
    VmemResult result = backing->count_resident(backing, snapshot->base + pages.start, size, &num_resident);
    if (result != VMEM_SUCCESS || num_resident == 0) return result;
    if (num_extents == 1 || num_resident == size) {
        for (size_t i = 0; i < num_extents; i++)
            extents[i].num_resident += num_extents == 1 ? num_resident : count_common(extents[i].pages, pages);
        return VMEM_SUCCESS;
    }
    for (size_t i = 0; i < num_extents && result == VMEM_SUCCESS; i += num_each) {
        size_t count = lower(num_each, num_extents - i);
        Pages some = {higher(extents[i].pages.start, pages.start), lower(extents[i + count - 1].pages.end, pages.end)};
        result = count_resident_in(snapshot, extents + i, count, some);
    }
    return result;
}

// A chunk lies in one span, and chunks come in order.
static VmemResult count_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    Snapshot* snapshot = (Snapshot*)call;
    Pages chunk = {call->chunk.start, call->chunk.start + num_bytes};
    size_t first = snapshot->next_extent, last;
    (void)ptr;
    while (first < snapshot->num_extents && snapshot->extents[first].pages.end <= chunk.start) first++;
    for (last = first; last < snapshot->num_extents && snapshot->extents[last].pages.start < chunk.end;) last++;
    snapshot->next_extent = first;
    if (first == last) return VMEM_SUCCESS;
    return count_resident_in(snapshot, snapshot->extents + first, last - first, chunk);
}

static const Operation SNAPSHOT = {
    .verb = "map",
    .start = copy_record,
    .find_chunk = long_call_find_run,
    .work = count_chunk,
};

// --- merging equal extents ---

static bool are_alike(const Extent* one, const Extent* other) {
    size_t one_size = one->pages.end - one->pages.start, other_size = other->pages.end - other->pages.start;
    return one->state.protection == other->state.protection && one->state.locked == other->state.locked &&
           (one->num_resident == 0) == (other->num_resident == 0) &&
           (one->num_resident == one_size) == (other->num_resident == other_size);
}

static void merge_extents(Snapshot* snapshot) {
    size_t num_merged = 0;
    for (size_t i = 0; i < snapshot->num_extents; i++) {
        const Extent* extent = &snapshot->extents[i];
        Extent* last = num_merged > 0 ? &snapshot->extents[num_merged - 1] : NULL;
        if (last && last->pages.end == extent->pages.start && are_alike(last, extent)) {
            last->pages.end = extent->pages.end;
            last->num_resident += extent->num_resident;
        } else {
            snapshot->extents[num_merged++] = *extent;
        }
    }
    snapshot->num_extents = num_merged;
}

// --- making Python objects ---

static PyObject* extent_as_tuple(const Snapshot* snapshot, size_t index) {
    const Extent* extent = &snapshot->extents[index];
    return Py_BuildValue("(nniON)", (Py_ssize_t)extent->pages.start, (Py_ssize_t)extent->pages.end,
                         (int)extent->state.protection, extent->state.locked ? Py_True : Py_False,
                         snapshot->can_count ? PyLong_FromSize_t(extent->num_resident) : Py_NewRef(Py_None));
}

static PyObject* view_as_tuple(const Snapshot* snapshot, size_t index) {
    const ByteRange* view = &snapshot->views[index];
    return Py_BuildValue("(nn)", (Py_ssize_t)view->start, (Py_ssize_t)view->end);
}

static PyObject* make_list(const Snapshot* snapshot, size_t length, PyObject* (*make)(const Snapshot*, size_t)) {
    PyObject* list = PyList_New((Py_ssize_t)length);
    for (size_t i = 0; list && i < length; i++) {
        PyObject* item = make(snapshot, i);
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0) Py_CLEAR(list);
    }
    return list;
}

// Py_BuildValue() steals the references for N, and keeps the exception where one of them is NULL.
static PyObject* make_arguments(const Snapshot* snapshot, PyObject* name) {
    const Reservation* reservation = snapshot->call.reservation;
    return Py_BuildValue("(sONnnNNN)", reservation->owner_kind->noun, name, PyLong_FromVoidPtr((void*)snapshot->base),
                         (Py_ssize_t)reservation->size, (Py_ssize_t)reservation->page_size,
                         snapshot->count_used ? PyLong_FromSize_t(snapshot->used) : Py_NewRef(Py_None),
                         make_list(snapshot, snapshot->num_extents, extent_as_tuple),
                         make_list(snapshot, snapshot->num_views, view_as_tuple));
}

static PyObject* make_map(ModuleState* state, PyObject* arguments) {
    if (!state || module_check_loaded(state) < 0) return NULL;
    if (!state->make_map) {
        PyErr_SetString(PyExc_RuntimeError, "set_map_maker() has not been called");
        return NULL;
    }
    PyObject* make = Py_NewRef(state->make_map);  // it can run set_map_maker()
    PyObject* map = PyObject_CallObject(make, arguments);
    Py_DECREF(make);
    return map;
}

// A picture takes little memory, so that a limit has been reached when there is none: says which.
static void name_limit(const ModuleState* state, const Reservation* reservation) {
    OwnerKind owner_kind = *reservation->owner_kind;
    Request request = {.kind = REQUEST_RANGE,
                       .verb = "map",
                       .owner_kind = &owner_kind,
                       .backing = &PRIVATE_MEMORY,
                       .num_bytes = reservation->size,
                       .new_addresses = ADDRESSES_OF_ALLOCATOR,
                       .new_memory = ADDRESSES_OF_ALLOCATOR};
    owner_kind.when_addresses_run_out = "release something";
    if (!state || !state->out_of_memory_error || !PyErr_ExceptionMatches(PyExc_MemoryError)) return;
    PyErr_Clear();
    raise_refused(state->out_of_memory_error, &request, VMEM_ERROR_OUT_OF_MEMORY, NO_SPACE);
}

PyObject* snapshot_map(ModuleState* state, Reservation* reservation, PyObject* name, CountUsed count_used) {
    Snapshot snapshot = {.call = {.operation = &SNAPSHOT, .reservation = reservation}, .count_used = count_used};
    PyObject *arguments = NULL, *map = NULL;
    Py_INCREF(name);
    if (long_call_run(&snapshot.call, 0, reservation->size) == 0) {
        merge_extents(&snapshot);
        arguments = make_arguments(&snapshot, name);
    }
    if (arguments) map = make_map(state, arguments);
    Py_XDECREF(arguments);
    Py_DECREF(name);
    PyMem_Free(snapshot.extents);
    PyMem_Free(snapshot.views);
    if (!map) name_limit(state, reservation);  // in the memory that is free now
    return map;
}
