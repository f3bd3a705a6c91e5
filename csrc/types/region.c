// _vmem.Region: one reservation, the operations on its pages, and its bytes as items and slices.
#include "types/region.h"

#include "core/lifetime.h"
#include "core/page_ops.h"
#include "core/snapshot.h"
#include "core/views.h"
#include "python/arguments.h"
#include "types/sharing.h"

typedef struct Region {
    PyObject_HEAD
    Reservation reservation;
    PyObject* name;  // str or None
    PyObject* weakrefs;
} Region;

// --- helpers ---

static const OwnerKind REGION = {
    .noun = "region",
    .article = "a",
    .reserved_for = "",
    .when_addresses_run_out = "reserve less",
    .when_mappings_run_out = "release what is not needed",
    .when_commit_runs_out_of_mappings = "commit larger neighbouring ranges",
};

Reservation* region_find_reservation(PyObject* object) {
    PyTypeObject* type = type_find_base(Py_TYPE(object), region_methods);
    return type ? &((Region*)object)->reservation : NULL;
}

static ModuleState* find_state(PyTypeObject* type) { return module_state_of(type, region_methods); }

// The two arguments (offset, num_bytes) of a positional method, both required.
static int convert_two_sizes(const char* function, PyObject* const* args, Py_ssize_t num_args, size_t* offset,
                             size_t* num_bytes) {
    if (num_args != 2) {
        PyErr_Format(PyExc_TypeError, "%s() takes exactly 2 arguments (%zd given)", function, num_args);
        return -1;
    }
    if (convert_size(args[0], "offset", offset) < 0) return -1;
    return convert_size(args[1], "num_bytes", num_bytes);
}

// --- creating and releasing ---

PyDoc_STRVAR(region_doc,
             "Region(num_bytes, alignment, huge_pages, name, fork='copy', dump=True, shared=False, /)\n--\n\n"
             "A range of reserved addresses. vmem.Region is the documented class over this one.");

// The arguments of reserve().
typedef struct ReserveArguments {
    PyObject* num_bytes;
    PyObject* alignment;
    PyObject* huge_pages;
    PyObject* name;
    PyObject* fork;  // NULL when it is not given, as the following
    PyObject* dump;
    PyObject* shared;
} ReserveArguments;

static int convert_fork(PyObject* object, VmemFork* fork) {
    static const char* const names[] = {"copy", "none", "zero"};
    *fork = VMEM_FORK_COPY;
    if (!object) return 0;
    if (!PyUnicode_Check(object)) return raise_wrong_type(object, "fork", "'copy', 'none' or 'zero'");
    for (int i = 0; i < 3; i++) {
        *fork = (VmemFork)i;
        if (PyUnicode_CompareWithASCIIString(object, names[i]) == 0) return 0;
    }
    PyErr_Format(PyExc_ValueError, "fork must be 'copy', 'none' or 'zero', got %R", object);
    return -1;
}

// This can run Python code, so it comes before any state is read.
static int convert_options(const ReserveArguments* arguments, ReservationOptions* options, bool* is_shared) {
    options->align = 1;
    options->owner_is_gc = true;
    options->name = arguments->name;
    SizeRange range = {1, MAX_RESERVATION, " bytes"};
    if (convert_size_in_range(arguments->num_bytes, "num_bytes", range, &options->num_bytes) < 0) return -1;
    if (arguments->alignment != Py_None && convert_alignment(arguments->alignment, "alignment", &options->align) < 0)
        return -1;
    int huge_pages = PyObject_IsTrue(arguments->huge_pages);
    if (huge_pages < 0) return -1;
    options->huge_pages = huge_pages;
    if (convert_fork(arguments->fork, &options->fork) < 0) return -1;
    int dump = arguments->dump ? PyObject_IsTrue(arguments->dump) : 1;
    if (dump < 0) return -1;
    options->is_secret = !dump;
    int shared = arguments->shared ? PyObject_IsTrue(arguments->shared) : 0;
    if (shared < 0) return -1;
    *is_shared = shared;
    if (options->name != Py_None && !PyUnicode_Check(options->name))
        return raise_wrong_type(options->name, "name", "a str or None");
    return 0;
}

// Takes the backing over, also when it fails.
static PyObject* open_region(ModuleState* state, PyTypeObject* type, const Backing* backing,
                             const ReservationOptions* options) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Region* self = (Region*)alloc(type, 0);
    if (!self) {
        if (backing->destroy) backing->destroy(backing);
        return NULL;
    }
    self->name = Py_NewRef(options->name);
    if (reservation_open(&self->reservation, state, (PyObject*)self, &REGION, backing, options) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject*)self;
}

// Everybody writes to a shared region, so nothing but its size is sealed.
static const Backing* new_shared_memory(const ReservationOptions* options) {
    SharedPage facts;
    size_t num_bytes = vmem_align_forward(options->num_bytes, vmem_get_page_size());
    if (shared_page_init(&facts, SHARED_REGION, num_bytes, options->name) < 0) return NULL;
    if (options->is_secret) facts.flags |= SHARED_PAGE_SECRET;
    SharedMemory* memory = shared_memory_new(&facts, VMEM_SEAL_SIZE, false);
    return memory ? &memory->backing : NULL;
}

static PyObject* reserve(ModuleState* state, PyTypeObject* type, const ReserveArguments* arguments) {
    ReservationOptions options;
    bool is_shared;
    if (convert_options(arguments, &options, &is_shared) < 0) return NULL;
    if (is_shared && sharing_prepare(state, type) < 0) return NULL;
    if (reservation_audit(state, &options) < 0) return NULL;
    const Backing* backing = is_shared ? new_shared_memory(&options) : &PRIVATE_MEMORY;
    return backing ? open_region(state, type, backing, &options) : NULL;
}

PyObject* region_attach(ModuleState* state, PyTypeObject* type, SharedMemory* memory) {
    PyObject *name = shared_page_get_name(&memory->facts), *region = NULL;
    ReservationOptions options = {.num_bytes = (size_t)memory->facts.num_bytes,
                                  .align = 1,
                                  .name = name,
                                  .is_secret = memory->facts.flags & SHARED_PAGE_SECRET,
                                  .owner_is_gc = true};
    if (name && reservation_audit(state, &options) == 0)
        region = open_region(state, type, &memory->backing, &options);
    else
        shared_memory_free(memory);
    Py_XDECREF(name);
    return region;
}

const char region_reserve_doc[] = PyDoc_STR(
    "reserve(cls, num_bytes, alignment, huge_pages, name, fork='copy', dump=True, shared=False, /)\n--\n\n"
    "A new region of a class, which is Region or a subclass of it. Cheaper than calling the class.");

PyObject* region_reserve_function(PyObject* module, PyObject* const* args, Py_ssize_t num_args) {
    ModuleState* state = PyModule_GetState(module);
    if (num_args < 5 || num_args > 8)
        return PyErr_Format(PyExc_TypeError, "reserve() takes 5 to 8 arguments (%zd given)", num_args);
    if (!PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject*)args[0], state->region_type))
        return PyErr_Format(PyExc_TypeError, "%R is not a subclass of Region", args[0]);
    ReserveArguments arguments = {args[1], args[2], args[3], args[4], NULL, NULL, NULL};
    if (num_args > 5) arguments.fork = args[5];
    if (num_args > 6) arguments.dump = args[6];
    if (num_args > 7) arguments.shared = args[7];
    return reserve(state, (PyTypeObject*)args[0], &arguments);
}

static PyObject* region_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    ReserveArguments arguments = {NULL, NULL, NULL, NULL, NULL, NULL, NULL};
    if (keywords && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "Region() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOOO|OOO:Region", &arguments.num_bytes, &arguments.alignment, &arguments.huge_pages,
                          &arguments.name, &arguments.fork, &arguments.dump, &arguments.shared))
        return NULL;
    ModuleState* state = find_state(type);
    return state ? reserve(state, type, &arguments) : NULL;
}

static int region_traverse(Region* self, visitproc visit, void* arg) {
    Py_VISIT(self->name);  // a subclass of str can refer to anything
    Py_VISIT(Py_TYPE((PyObject*)self));
    return reservation_traverse(&self->reservation, visit, arg);
}

// Breaks cycles through the name. The memory is unmapped with the last reference.
static int region_clear(Region* self) {
    Py_CLEAR(self->name);
    return 0;
}

static void region_dealloc(Region* self) {
    PyObject* name = self->name;
    reservation_dealloc_owner(&self->reservation, (PyObject*)self, self->weakrefs);
    Py_XDECREF(name);
}

PyDoc_STRVAR(
    region_release_doc,
    "release($self, /)\n--\n\n"
    "Give back all memory and the addresses. The region cannot be used after that.\n\n"
    "Releasing a released region does nothing. A region that is dropped without this is released when the last\n"
    "reference to it and to its views is gone.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Views are alive. Nothing has changed then.\n"
    "OutOfMemoryError\n"
    "    Releasing would split a mapping that the kernel has merged with a neighbour's, and the process has too\n"
    "    many.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> region = vmem.reserve(1 << 30)\n"
    ">>> region.release()\n"
    ">>> region.released\n"
    "True");

static PyObject* region_release(Region* self, PyObject* Py_UNUSED(ignored)) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = reservation_release(&self->reservation);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(region_release_deferred_doc,
             "_release_deferred($self, /)\n--\n\nRelease; live views keep the memory until the last one is gone.");

static PyObject* region_release_deferred(Region* self, PyObject* Py_UNUSED(ignored)) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = reservation_release_deferred(&self->reservation);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(region_count_views_doc, "_count_views($self, /)\n--\n\nHow many views of bytes are alive.");

static PyObject* region_count_views(Region* self, PyObject* Py_UNUSED(ignored)) {
    size_t num_views;
    Py_BEGIN_CRITICAL_SECTION(self);
    num_views = pins_count_from(&self->reservation.pins, 0);
    Py_END_CRITICAL_SECTION();
    return PyLong_FromSize_t(num_views);
}

// --- sharing ---

static PyObject* region_fileno(Region* self, PyObject* Py_UNUSED(ignored)) {
    return sharing_get_fileno(&self->reservation);
}

static PyObject* region_get_handle(Region* self, PyObject* Py_UNUSED(ignored)) {
    return sharing_get_handle(&self->reservation);
}

static PyObject* region_get_is_shared(Region* self, void* Py_UNUSED(closure)) {
    return PyBool_FromLong(shared_memory_of(self->reservation.backing) != NULL);
}

// --- operations on pages ---

// A method (offset, num_bytes) of an operation that takes the lock itself.
static PyObject* run_operation(Region* self, const char* name, PageOperation operation, PyObject* const* args,
                               Py_ssize_t num_args) {
    size_t offset, num_bytes;
    if (convert_two_sizes(name, args, num_args, &offset, &num_bytes) < 0) return NULL;
    return page_ops_run(&self->reservation, operation, offset, num_bytes) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject* commit(Region* self, const char* name, bool prefault, PyObject* const* args, Py_ssize_t num_args) {
    size_t offset, num_bytes;
    if (convert_two_sizes(name, args, num_args, &offset, &num_bytes) < 0) return NULL;
    return page_ops_commit(&self->reservation, offset, num_bytes, prefault) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject* region_commit(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return commit(self, "commit", false, args, num_args);
}

static PyObject* region_commit_and_prefault(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return commit(self, "_commit_and_prefault", true, args, num_args);
}

static PyObject* region_prefault(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return run_operation(self, "prefault", PAGE_OP_PREFAULT, args, num_args);
}

static PyObject* region_decommit(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return run_operation(self, "decommit", PAGE_OP_DECOMMIT, args, num_args);
}

static PyObject* region_discard(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return run_operation(self, "discard", PAGE_OP_DISCARD, args, num_args);
}

static PyObject* region_lock(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return run_operation(self, "lock", PAGE_OP_LOCK, args, num_args);
}

static PyObject* region_lock_on_fault(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return run_operation(self, "_lock_on_fault", PAGE_OP_LOCK_ON_FAULT, args, num_args);
}

static PyObject* region_unlock(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    return run_operation(self, "unlock", PAGE_OP_UNLOCK, args, num_args);
}

static PyObject* region_resident(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    size_t offset, num_bytes, num_resident;
    if (convert_two_sizes("resident", args, num_args, &offset, &num_bytes) < 0) return NULL;
    if (page_ops_count_resident(&self->reservation, offset, num_bytes, &num_resident) < 0) return NULL;
    return PyLong_FromSize_t(num_resident);
}

// Making memory executable raises an audit event.
static int audit_protect(Region* self, size_t offset, size_t num_bytes, VmemProtection protection) {
    if (!can_execute(protection)) return 0;
    ModuleState* state = find_state(Py_TYPE((PyObject*)self));
    if (!state) return -1;
    return module_audit(state, Py_BuildValue("(sOiKK)", "vmem.protect", self, (int)protection,
                                             (unsigned long long)offset, (unsigned long long)num_bytes));
}

static PyObject* region_protect(Region* self, PyObject* const* args, Py_ssize_t num_args) {
    size_t protection, offset, num_bytes;
    int status;
    if (num_args != 3)
        return PyErr_Format(PyExc_TypeError, "protect() takes exactly 3 arguments (%zd given)", num_args);
    if (convert_size(args[0], "protection", &protection) < 0) return NULL;
    if (protection > VMEM_READ_WRITE_EXECUTE)
        return PyErr_Format(PyExc_ValueError, "protection must be at most %d, got %zu", (int)VMEM_READ_WRITE_EXECUTE,
                            protection);
    if (convert_two_sizes("protect", args + 1, num_args - 1, &offset, &num_bytes) < 0) return NULL;
    if (audit_protect(self, offset, num_bytes, (VmemProtection)protection) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = page_ops_protect(&self->reservation, offset, num_bytes, (VmemProtection)protection);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

// --- views ---

PyDoc_STRVAR(
    region_view_doc,
    "view($self, /, offset=0, num_bytes=None, *, readonly=False)\n--\n\n"
    "A memoryview of committed bytes. It stays valid, at the same address, while it lives.\n\n"
    "Parameters\n"
    "----------\n"
    "offset : int, default 0\n"
    "    Where the view begins, in bytes from the start of the region.\n"
    "num_bytes : int, optional\n"
    "    How many bytes it covers. By default everything up to the end of the region.\n"
    "readonly : bool, default False\n"
    "    Whether it is to be read-only, also where the pages can be written.\n\n"
    "Returns\n"
    "-------\n"
    "memoryview\n"
    "    One dimension, format ``'B'``, writable if all its pages are. It pins the pages that hold its bytes: until "
    "it\n"
    "    is released or gone, with every slice, array and other object made from it, they cannot be decommitted or\n"
    "    discarded, access that the view has cannot be taken away, and the region cannot be released. Committing\n"
    "    elsewhere is free.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Another thread is about to decommit or discard these pages.\n"
    "ValueError\n"
    "    A byte of the range is not committed, not readable or not in the region, or the region is released.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> with vmem.reserve(1 << 30) as region:\n"
    "...     region.commit(0, 5)\n"
    "...     with region.view(0, 5) as view:\n"
    "...         view[:] = b\"hello\"\n"
    "...     bytes(region[1:4])\n"
    "b'ell'");

static PyObject* region_view(Region* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    static const Signature signature = {"view", 3, 2, {"offset", "num_bytes", "readonly"}};
    PyObject *parsed[3], *view;
    size_t offset, num_bytes;
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return NULL;
    if (convert_range(parsed, self->reservation.size, &offset, &num_bytes) < 0) return NULL;
    int readonly = parsed[2] ? PyObject_IsTrue(parsed[2]) : 0;
    if (readonly < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    view = view_range(&self->reservation, offset, num_bytes, readonly);
    Py_END_CRITICAL_SECTION();
    return view;
}

PyDoc_STRVAR(region_is_committed_doc,
             "is_committed($self, /, offset=0, num_bytes=None)\n--\n\n"
             "Whether every byte of a range is committed.\n\n"
             "Parameters\n"
             "----------\n"
             "offset : int, default 0\n"
             "    Where the range begins, in bytes from the start of the region.\n"
             "num_bytes : int, optional\n"
             "    How many bytes it covers. By default everything up to the end. A range of no bytes is committed.\n\n"
             "Returns\n"
             "-------\n"
             "bool\n\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    The range is not in the region, or the region is released.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> with vmem.reserve(1 << 30) as region:\n"
             "...     region.commit(0, 100)\n"
             "...     region.is_committed(0, 100), region.is_committed()\n"
             "(True, False)");

static PyObject* region_is_committed(Region* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    static const Signature signature = {"is_committed", 2, 2, {"offset", "num_bytes"}};
    PyObject* parsed[2];
    size_t offset, num_bytes;
    int status;
    bool committed = false;
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return NULL;
    if (convert_range(parsed, self->reservation.size, &offset, &num_bytes) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = reservation_check_range(&self->reservation, offset, num_bytes);
    if (status == 0) committed = reservation_is_committed(&self->reservation, offset, num_bytes);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : PyBool_FromLong(committed);
}

// --- ranges ---

// One row of ranges(). Appending can start a garbage collection, so no pointer to a span is kept across it.
static int append_range(PyObject* list, size_t start, size_t end, bool committed, VmemProtection protection) {
    PyObject* range = Py_BuildValue("(nnOi)", (Py_ssize_t)start, (Py_ssize_t)(end - start),
                                    committed ? Py_True : Py_False, (int)protection);
    int status = range ? PyList_Append(list, range) : -1;
    Py_XDECREF(range);
    return status;
}

// The end of a run of pages of equal protection. Locks are not shown.
static size_t find_range(const Reservation* reservation, size_t start, bool* committed, VmemProtection* protection) {
    const Span* span = spans_find(&reservation->spans, start);
    *committed = span && span->start <= start;
    *protection = *committed ? span->state.protection : VMEM_NO_ACCESS;
    if (!*committed) return span ? span->start : reservation->size;
    size_t end = span->end;
    while ((span = spans_find(&reservation->spans, end)) && span->start == end && span->state.protection == *protection)
        end = span->end;
    return end;
}

static int append_ranges(Reservation* reservation, PyObject* list) {
    size_t start = 0;
    while (start < reservation->size) {
        bool committed;
        VmemProtection protection;
        if (reservation_check_open(reservation) < 0) return -1;
        size_t end = find_range(reservation, start, &committed, &protection);
        if (append_range(list, start, end, committed, protection) < 0) return -1;
        start = end;
    }
    return 0;
}

static PyObject* region_ranges(Region* self, PyObject* Py_UNUSED(ignored)) {
    PyObject* list = PyList_New(0);
    int status;
    if (!list) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = reservation_check_open(&self->reservation);
    if (status == 0) status = append_ranges(&self->reservation, list);
    Py_END_CRITICAL_SECTION();
    if (status < 0) Py_CLEAR(list);
    return list;
}

PyDoc_STRVAR(
    region_map_doc,
    "map($self, /)\n--\n\n"
    "A picture of the region as it is now: what is committed, in memory, protected, locked and pinned by views.\n\n"
    "Print it, or display it in a notebook. It does not change with the region.\n\n"
    "Returns\n"
    "-------\n"
    "MemoryMap\n\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    The region is released.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> with vmem.reserve(1 << 40, name=\"index\") as region:\n"
    "...     region.commit(0, 1 << 20)\n"
    "...     print(repr(region.map()))\n"
    "<vmem.MemoryMap of region 'index': 1 TiB reserved, 1 MiB committed, 0 B resident, 0 views>");

static PyObject* region_map(Region* self, PyObject* Py_UNUSED(ignored)) {
    ModuleState* state = find_state(Py_TYPE((PyObject*)self));
    return snapshot_map(state, &self->reservation, self->name ? self->name : Py_None, NULL);
}

// --- items and slices ---

static Py_ssize_t region_length(Region* self) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = reservation_check_open(&self->reservation);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? -1 : (Py_ssize_t)self->reservation.size;
}

typedef int (*Check)(Reservation* reservation, size_t offset, size_t num_bytes);

// The address of one byte that passes a check, or NULL with an exception.
static char* find_byte(Reservation* reservation, Py_ssize_t index, Check check) {
    Py_ssize_t size = (Py_ssize_t)reservation->size;
    if (reservation_check_open(reservation) < 0) return NULL;
    Py_ssize_t offset = index < 0 ? index + size : index;
    if (offset < 0 || offset >= size) {
        PyErr_Format(PyExc_IndexError, "index %zd is outside %s %s of %zd bytes", index,
                     reservation->owner_kind->article, reservation->owner_kind->noun, size);
        return NULL;
    }
    return check(reservation, (size_t)offset, 1) < 0 ? NULL : reservation->base + offset;
}

static PyObject* get_item(Region* self, PyObject* key) {
    Py_ssize_t index;
    int value = -1;
    if (convert_index(key, "a region's index", &index) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    const char* byte = find_byte(&self->reservation, index, reservation_check_readable);
    if (byte) value = (unsigned char)*byte;
    Py_END_CRITICAL_SECTION();
    return value < 0 ? NULL : PyLong_FromLong(value);
}

static int set_item(Region* self, PyObject* key, PyObject* object) {
    Py_ssize_t index;
    unsigned char value;
    int status = -1;
    if (convert_index(key, "a region's index", &index) < 0) return -1;
    if (convert_byte(object, &value) < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    char* byte = find_byte(&self->reservation, index, reservation_check_writable);
    if (byte) {
        *byte = (char)value;
        status = 0;
    }
    Py_END_CRITICAL_SECTION();
    return status;
}

// A slice of a region: `count` bytes, `step` apart, of which the first is at `start` and the lowest at `lowest`.
typedef struct Stride {
    size_t start;
    Py_ssize_t step;
    Py_ssize_t count;
    size_t lowest;
    size_t num_bytes;  // from the lowest to the highest
} Stride;

static int convert_slice(Region* self, PyObject* slice, Stride* stride) {
    Py_ssize_t start, stop;
    if (PySlice_Unpack(slice, &start, &stop, &stride->step) < 0) return -1;
    stride->count = PySlice_AdjustIndices((Py_ssize_t)self->reservation.size, &start, &stop, stride->step);
    if (stride->count == 0) {  // then the start may lie outside
        stride->start = stride->lowest = stride->num_bytes = 0;
        return 0;
    }
    Py_ssize_t reach = (stride->count - 1) * stride->step;
    stride->start = (size_t)start;
    stride->lowest = (size_t)(reach < 0 ? start + reach : start);
    stride->num_bytes = (size_t)(reach < 0 ? -reach : reach) + 1;
    return 0;
}

static PyObject* get_slice(Region* self, PyObject* slice) {
    Stride stride;
    PyObject* view;
    if (convert_slice(self, slice, &stride) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    view = view_range(&self->reservation, stride.lowest, stride.num_bytes, false);
    Py_END_CRITICAL_SECTION();
    if (!view || stride.step == 1) return view;
    PyObject* step = PyLong_FromSsize_t(stride.step);
    PyObject* stepping = step ? PySlice_New(NULL, NULL, step) : NULL;
    PyObject* stepped = stepping ? PyObject_GetItem(view, stepping) : NULL;
    Py_XDECREF(stepping);
    Py_XDECREF(step);
    Py_DECREF(view);
    return stepped;
}

static int check_copy(Reservation* reservation, const Stride* stride, Py_ssize_t num_bytes) {
    if (reservation_check_range(reservation, stride->lowest, stride->num_bytes) < 0) return -1;
    if (num_bytes != stride->count) {
        PyErr_Format(PyExc_ValueError, "cannot put %zd bytes into a slice of %zd bytes: a %s never changes its size",
                     num_bytes, stride->count, reservation->owner_kind->noun);
        return -1;
    }
    return reservation_check_writable(reservation, stride->lowest, stride->num_bytes);
}

// Copies bytes into a slice. They may overlap the slice if the step is 1.
static int copy_in(Region* self, const Stride* stride, const char* bytes, Py_ssize_t num_bytes) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = check_copy(&self->reservation, stride, num_bytes);
    if (status == 0) {
        char* first = self->reservation.base + stride->start;
        if (stride->step == 1) {
            memmove(first, bytes, (size_t)num_bytes);
        } else {
            for (Py_ssize_t i = 0; i < stride->count; i++) first[i * stride->step] = bytes[i];
        }
    }
    Py_END_CRITICAL_SECTION();
    return status;
}

// The same through a copy: for steps, where memmove() cannot handle an overlap, and for sources that are not
// contiguous.
static int copy_in_twice(Region* self, const Stride* stride, const Py_buffer* source) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = check_copy(&self->reservation, stride, source->len);  // before copying gigabytes for nothing
    Py_END_CRITICAL_SECTION();
    if (status < 0) return -1;
    char* copy = PyMem_Malloc((size_t)source->len);
    if (!copy) {
        PyErr_NoMemory();
        return -1;
    }
    status = PyBuffer_ToContiguous(copy, source, source->len, 'C');
    if (status == 0) status = copy_in(self, stride, copy, source->len);
    PyMem_Free(copy);
    return status;
}

static int set_slice(Region* self, PyObject* slice, PyObject* object) {
    Stride stride;
    Py_buffer source;
    int status;
    if (convert_slice(self, slice, &stride) < 0) return -1;
    if (PyObject_GetBuffer(object, &source, PyBUF_FULL_RO) < 0) return -1;
    if (stride.step == 1 && PyBuffer_IsContiguous(&source, 'C'))
        status = copy_in(self, &stride, source.buf, source.len);
    else
        status = copy_in_twice(self, &stride, &source);
    PyBuffer_Release(&source);
    return status;
}

static PyObject* region_subscript(Region* self, PyObject* key) {
    return PySlice_Check(key) ? get_slice(self, key) : get_item(self, key);
}

static int region_assign(Region* self, PyObject* key, PyObject* value) {
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "a region's bytes cannot be deleted; decommit() gives memory back");
        return -1;
    }
    return PySlice_Check(key) ? set_slice(self, key, value) : set_item(self, key, value);
}

// --- attributes ---

static PyObject* region_get_address(Region* self, void* Py_UNUSED(closure)) {
    const char* base = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (reservation_check_open(&self->reservation) == 0) base = self->reservation.base;
    Py_END_CRITICAL_SECTION();
    return base ? PyLong_FromSize_t((size_t)base) : NULL;
}

static PyObject* region_get_size(Region* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSize_t(self->reservation.size);
}

static PyObject* region_get_committed(Region* self, void* Py_UNUSED(closure)) {
    size_t num_bytes;
    Py_BEGIN_CRITICAL_SECTION(self);
    num_bytes = reservation_count_committed(&self->reservation);
    Py_END_CRITICAL_SECTION();
    return PyLong_FromSize_t(num_bytes);
}

static PyObject* region_get_page_size(Region* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSize_t(self->reservation.page_size);
}

static PyObject* region_get_name(Region* self, void* Py_UNUSED(closure)) {
    return Py_NewRef(self->name ? self->name : Py_None);
}

static PyObject* region_get_huge_pages(Region* self, void* Py_UNUSED(closure)) {
    return PyBool_FromLong(self->reservation.huge_pages);
}

static PyObject* region_get_released(Region* self, void* Py_UNUSED(closure)) {
    bool released;
    Py_BEGIN_CRITICAL_SECTION(self);
    released = reservation_is_released(&self->reservation);
    Py_END_CRITICAL_SECTION();
    return PyBool_FromLong(released);
}

static PyGetSetDef region_getset[] = {
    {"address", (getter)region_get_address, NULL, "Where the region begins, as an int. ValueError once released.",
     NULL},
    {"size", (getter)region_get_size, NULL, "How many bytes are reserved: the requested number, rounded up.", NULL},
    {"committed", (getter)region_get_committed, NULL, "How many bytes are committed; 0 once released.", NULL},
    {"page_size", (getter)region_get_page_size, NULL, "The size of a page in bytes: the unit of committing.", NULL},
    {"name", (getter)region_get_name, NULL, "The name given to reserve(), or None.", NULL},
    {"huge_pages", (getter)region_get_huge_pages, NULL, "Whether it was made with huge_pages=True.", NULL},
    {"_is_shared", (getter)region_get_is_shared, NULL, "Whether other processes can attach it.", NULL},
    {"released", (getter)region_get_released, NULL, "Whether the region was released.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

// --- the type ---

// vmem.Region documents the methods without a docstring here, in Python.
PyMethodDef region_methods[] = {
    {"commit", AS_FASTCALL(region_commit), NULL},
    {"_commit_and_prefault", AS_FASTCALL(region_commit_and_prefault), NULL},
    {"prefault", AS_FASTCALL(region_prefault), NULL},
    {"decommit", AS_FASTCALL(region_decommit), NULL},
    {"discard", AS_FASTCALL(region_discard), NULL},
    {"lock", AS_FASTCALL(region_lock), NULL},
    {"_lock_on_fault", AS_FASTCALL(region_lock_on_fault), NULL},
    {"unlock", AS_FASTCALL(region_unlock), NULL},
    {"protect", AS_FASTCALL(region_protect), NULL},
    {"resident", AS_FASTCALL(region_resident), NULL},
    {"view", AS_KEYWORDS(region_view), region_view_doc},
    {"is_committed", AS_KEYWORDS(region_is_committed), region_is_committed_doc},
    {"ranges", (PyCFunction)region_ranges, METH_NOARGS, NULL},
    {"map", (PyCFunction)region_map, METH_NOARGS, region_map_doc},
    {"fileno", (PyCFunction)region_fileno, METH_NOARGS, sharing_fileno_doc},
    {"_get_handle", (PyCFunction)region_get_handle, METH_NOARGS, sharing_get_handle_doc},
    {"release", (PyCFunction)region_release, METH_NOARGS, region_release_doc},
    {"_count_views", (PyCFunction)region_count_views, METH_NOARGS, region_count_views_doc},
    {"_release_deferred", (PyCFunction)region_release_deferred, METH_NOARGS, region_release_deferred_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef region_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Region, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot region_slots[] = {
    {Py_tp_doc, (void*)region_doc},       {Py_tp_new, region_new},
    {Py_tp_dealloc, region_dealloc},      {Py_tp_traverse, region_traverse},
    {Py_tp_clear, region_clear},          {Py_tp_methods, region_methods},
    {Py_tp_members, region_members},      {Py_tp_getset, region_getset},
    {Py_mp_length, region_length},        {Py_mp_subscript, region_subscript},
    {Py_mp_ass_subscript, region_assign}, {0, NULL},
};

PyType_Spec region_spec = {
    .name = "vmem._vmem.Region",
    .basicsize = sizeof(Region),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = region_slots,
};
