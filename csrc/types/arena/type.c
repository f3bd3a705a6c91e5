// vmem.Arena: its methods and its type.
#include "types/arena/type.h"

#include "core/lifetime.h"
#include "core/page_ops.h"
#include "core/snapshot.h"
#include "core/views.h"
#include "python/arguments.h"
#include "types/arena/scope.h"
#include "types/arena/storage.h"

static ModuleState* find_state(PyTypeObject* type) { return module_state_of(type, arena_methods); }

// --- allocating ---

PyDoc_STRVAR(
    alloc_doc,
    "alloc($self, /, num_bytes, *, align=None, zero=True)\n--\n\n"
    "Allocate bytes, as a view that never moves.\n\n"
    "Parameters\n"
    "----------\n"
    "num_bytes : int\n"
    "    How many; 0 gives an empty view.\n"
    "align : int, optional\n"
    "    A power of two: the address is a multiple of it. By default the alignment of the arena.\n"
    "zero : bool, default True\n"
    "    Whether the bytes read zero. If not, they may hold what was in them before a rewind.\n\n"
    "Returns\n"
    "-------\n"
    "memoryview\n"
    "    One dimension, format ``'B'``, writable. While it is alive, with every slice and array made from it, the\n"
    "    arena cannot be rewound to before it.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Another thread is in trim().\n"
    "OutOfMemoryError\n"
    "    The arena is full, or the system has no memory for more. Nothing has changed then.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> arena = vmem.Arena(1 << 30)\n"
    ">>> view = arena.alloc(5)\n"
    ">>> view[:] = b\"hello\"\n"
    ">>> arena.used\n"
    "5");

static PyObject* arena_alloc(Arena* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    static const Signature signature = {"alloc", 3, 1, {"num_bytes", "align", "zero"}};
    PyObject* parsed[3];
    size_t num_bytes, align = self->alignment;
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return NULL;
    if (!parsed[0]) return PyErr_Format(PyExc_TypeError, "alloc() missing required argument 'num_bytes'");
    if (convert_size(parsed[0], "num_bytes", &num_bytes) < 0) return NULL;
    if (parsed[1] && parsed[1] != Py_None && convert_alignment(parsed[1], "align", &align) < 0) return NULL;
    int zero = parsed[2] ? PyObject_IsTrue(parsed[2]) : 1, status;
    if (zero < 0) return NULL;
    PinObject* pin = view_new_pin(&self->reservation);
    if (!pin) return NULL;
    size_t before, after;
    Py_BEGIN_CRITICAL_SECTION(self);
    before = self->used;
    status = arena_allocate(self, pin, num_bytes, align, zero);
    after = self->used;
    Py_END_CRITICAL_SECTION();
    PyObject* view = status == 0 ? PyMemoryView_FromObject((PyObject*)pin) : NULL;
    Py_DECREF((PyObject*)pin);
    if (status == 0 && !view) arena_undo_allocate(self, before, after);
    return view;
}

// --- rewinding ---

PyDoc_STRVAR(mark_doc,
             "mark($self, /)\n--\n\n"
             "The number of used bytes, for rewind() to return to.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> arena = vmem.Arena(1 << 30)\n"
             ">>> mark = arena.mark()\n"
             ">>> view = arena.alloc(100)\n"
             ">>> del view\n"
             ">>> arena.rewind(mark)\n"
             ">>> arena.used\n"
             "0");

// What cannot be reclaimed now is never reclaimed: later, that would rewind the arena to before the mark.
static PyObject* arena_mark(Arena* self, PyObject* Py_UNUSED(ignored)) {
    size_t mark;
    Py_BEGIN_CRITICAL_SECTION(self);
    arena_reclaim_orphaned(self);
    self->orphaned.start = self->orphaned.end = 0;
    mark = self->used;
    Py_END_CRITICAL_SECTION();
    return PyLong_FromSize_t(mark);
}

PyDoc_STRVAR(
    rewind_doc,
    "rewind($self, mark, /)\n--\n\n"
    "Free everything that was allocated since a mark. The memory stays committed, for later allocations.\n\n"
    "Parameters\n"
    "----------\n"
    "mark : int\n"
    "    What mark() returned, or any other number of bytes up to `used`.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Views that were allocated since then are alive; it says how many. Nothing has changed then. Views from\n"
    "    before the mark do not matter.\n"
    "ValueError\n"
    "    The mark is beyond what the arena has used.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> arena = vmem.Arena(1 << 30)\n"
    ">>> early = arena.alloc(100)\n"
    ">>> mark = arena.mark()\n"
    ">>> late = arena.alloc(100)\n"
    ">>> late.release()\n"
    ">>> arena.rewind(mark)");

static PyObject* arena_rewind(Arena* self, PyObject* object) {
    size_t mark, used;
    int status = 0;
    if (convert_size(object, "mark", &mark) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    used = self->used;
    if (mark <= used) status = arena_rewind_to(self, mark);
    Py_END_CRITICAL_SECTION();
    if (mark > used)
        return PyErr_Format(PyExc_ValueError, "cannot rewind to %zu: this arena has used only %zu bytes", mark, used);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(reset_doc,
             "reset($self, /)\n--\n\n"
             "Free everything: rewind(0).\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Views are alive; it says how many. Nothing has changed then.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> arena = vmem.Arena(1 << 30)\n"
             ">>> len(arena.alloc(100))\n"
             "100\n"
             ">>> arena.reset()\n"
             ">>> arena.used\n"
             "0");

static PyObject* arena_reset(Arena* self, PyObject* Py_UNUSED(ignored)) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = arena_rewind_to(self, 0);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(trim_doc,
             "trim($self, /)\n--\n\n"
             "Decommit the whole pages after the used bytes. The capacity stays the same.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in the middle of this call.\n"
             "OutOfMemoryError\n"
             "    The process has too many mappings to split another one.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> arena = vmem.Arena(1 << 30)\n"
             ">>> len(arena.alloc(1 << 20))\n"
             "1048576\n"
             ">>> arena.reset()\n"
             ">>> arena.trim()\n"
             ">>> arena.committed\n"
             "0");

static ByteRange claim_unused(const Unused* Py_UNUSED(unused), PyObject* owner) {
    const Arena* arena = (Arena*)owner;
    return (ByteRange){arena->used, arena->reservation.size};
}

static void forget_contents(PyObject* owner, size_t start) {
    Arena* arena = (Arena*)owner;
    if (arena->high_water > start) arena->high_water = start;
}

static PyObject* arena_trim(Arena* self, PyObject* Py_UNUSED(ignored)) {
    static const Unused unused = {claim_unused, forget_contents};
    return page_ops_run_unused(&self->reservation, PAGE_OP_DECOMMIT, &unused) < 0 ? NULL : Py_NewRef(Py_None);
}

// --- memory for what comes next ---

PyDoc_STRVAR(prefault_doc,
             "prefault($self, num_bytes, /)\n--\n\n"
             "Get memory for the next allocations now, so that using them causes no page fault.\n\n"
             "Parameters\n"
             "----------\n"
             "num_bytes : int\n"
             "    How many bytes will be allocated, with what alignment needs in between.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in trim().\n"
             "OutOfMemoryError\n"
             "    The arena is too small, or the system has no memory for so much.\n"
             "ValueError, TypeError\n"
             "    A wrong argument.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> arena = vmem.Arena(1 << 30)\n"
             ">>> arena.prefault(1 << 20)\n"
             ">>> view = arena.alloc(1000)  # no page fault");

static PyObject* arena_prefault_method(Arena* self, PyObject* object) {
    size_t num_bytes;
    if (convert_size(object, "num_bytes", &num_bytes) < 0) return NULL;
    return arena_prefault(self, num_bytes) < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(
    lock_doc,
    "lock($self, num_bytes=0, /)\n--\n\n"
    "Keep what is allocated, and the next bytes, in physical memory: never in swap.\n\n"
    "The locks stay until unlock(), or until trim() gives the memory back. Memory beyond is not locked. A lock that\n"
    "is refused leaves the memory committed.\n\n"
    "Parameters\n"
    "----------\n"
    "num_bytes : int, default 0\n"
    "    How many bytes will be allocated.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Another thread is in trim().\n"
    "OutOfMemoryError\n"
    "    The arena is too small, the system has no memory for so much, or the process may not lock it (ulimit -l).\n"
    "ValueError, TypeError\n"
    "    A wrong argument.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> arena = vmem.Arena(1 << 30)\n"
    ">>> arena.lock(1 << 16)\n"
    ">>> arena.unlock()");

static PyObject* arena_lock_method(Arena* self, PyObject* const* args, Py_ssize_t num_args) {
    size_t num_bytes = 0;
    if (num_args > 1) return PyErr_Format(PyExc_TypeError, "lock expected at most 1 argument, got %zd", num_args);
    if (num_args == 1 && convert_size(args[0], "num_bytes", &num_bytes) < 0) return NULL;
    return arena_lock(self, num_bytes) < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(unlock_doc,
             "unlock($self, /)\n--\n\n"
             "End all locks of the arena's memory.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in a long call on the same memory.\n"
             "OutOfMemoryError\n"
             "    The process has too many mappings.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> arena = vmem.Arena(1 << 30)\n"
             ">>> arena.lock(1 << 16)\n"
             ">>> arena.unlock()");

static PyObject* arena_unlock_method(Arena* self, PyObject* Py_UNUSED(ignored)) {
    return arena_unlock(self) < 0 ? NULL : Py_NewRef(Py_None);
}

// --- scopes ---

PyDoc_STRVAR(
    scope_doc,
    "scope($self, /)\n--\n\n"
    "A context manager that frees at its end what was allocated inside.\n\n"
    "Scopes can be nested. Leaving one while views from inside are alive raises BufferError and frees nothing; if an\n"
    "exception leaves the scope, that exception is kept. The memory is then freed with the outer scope or, once its\n"
    "views are gone, when the next scope begins.\n\n"
    "A view is alive as long as a variable refers to it: use ``with arena.alloc(100) as view:``, ``del`` it, or keep\n"
    "it in a function that is called inside the scope.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> arena = vmem.Arena(1 << 30)\n"
    ">>> for frame in range(3):\n"
    "...     with arena.scope():\n"
    "...         scratch = arena.alloc(1000)\n"
    "...         del scratch\n"
    ">>> arena.used\n"
    "0");

static PyObject* arena_scope(Arena* self, PyObject* Py_UNUSED(ignored)) {
    ModuleState* state = find_state(Py_TYPE((PyObject*)self));
    if (!state || module_check_loaded(state) < 0) return NULL;
    return scope_new(state, self);
}

// --- map ---

PyDoc_STRVAR(
    map_doc,
    "map($self, /)\n--\n\n"
    "A picture of the arena as it is now: what is committed, in memory, protected, locked and pinned by views.\n\n"
    "Print it, or display it in a notebook. It does not change with the arena.\n\n"
    "Returns\n"
    "-------\n"
    "MemoryMap\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> arena = vmem.Arena(1 << 30)\n"
    ">>> view = arena.alloc(100)\n"
    ">>> arena.map().used, arena.map().num_views\n"
    "(100, 1)");

static size_t count_used(PyObject* owner) { return ((Arena*)owner)->used; }

static PyObject* arena_map(Arena* self, PyObject* Py_UNUSED(ignored)) {
    return snapshot_map(find_state(Py_TYPE((PyObject*)self)), &self->reservation, Py_None, count_used);
}

// --- creating and deallocating ---

static const OwnerKind ARENA = {
    .noun = "arena",
    .article = "an",
    .reserved_for = " for an arena",
    .when_addresses_run_out = "ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer arrays and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer arrays and arenas",
};

PyDoc_STRVAR(
    arena_doc,
    "Arena(capacity, *, alignment=16)\n--\n\n"
    "Memory that is allocated in order and freed from the end: for many objects with the same lifetime.\n\n"
    "The arena reserves its addresses when it is made, and commits memory as it is used. Allocations are\n"
    "memoryviews that never move, so they can be handed to NumPy, ctypes and C code. Freeing a thousand of them\n"
    "costs as much as freeing one.\n\n"
    "Parameters\n"
    "----------\n"
    "capacity : int\n"
    "    How many bytes it can hold, at least 1; rounded up to whole pages. Reserving takes addresses, but no\n"
    "    memory.\n"
    "alignment : int, default 16\n"
    "    A power of two: addresses of allocations are multiples of it.\n\n"
    "Attributes\n"
    "----------\n"
    "capacity : int\n"
    "    How many bytes it can hold.\n"
    "used : int\n"
    "    How many bytes are allocated, including the padding between them.\n"
    "committed : int\n"
    "    How many bytes of memory it has.\n"
    "alignment : int\n"
    "    The alignment of allocations that ask for none.\n\n"
    "Notes\n"
    "-----\n"
    "Raises an auditing event ``vmem.reserve`` with arguments ``num_bytes`` and ``None``.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> arena = vmem.Arena(1 << 30)\n"
    ">>> with arena.scope():\n"
    "...     name, place = arena.alloc(100), arena.alloc(16)\n"
    "...     name[:5] = b\"hello\"\n"
    "...     del name, place\n"
    ">>> arena.used\n"
    "0");

static int parse_arena(PyObject* args, PyObject* keywords, size_t* capacity, size_t* alignment) {
    static char* names[] = {"capacity", "alignment", NULL};
    PyObject *capacity_object, *alignment_object = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$O:Arena", names, &capacity_object, &alignment_object))
        return -1;
    SizeRange range = {1, MAX_RESERVATION, " bytes"};
    if (convert_size_in_range(capacity_object, "capacity", range, capacity) < 0) return -1;
    return alignment_object ? convert_alignment(alignment_object, "alignment", alignment) : 0;
}

static PyObject* arena_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    size_t capacity, alignment = 16;
    if (parse_arena(args, keywords, &capacity, &alignment) < 0) return NULL;
    ModuleState* state = find_state(type);
    if (!state || module_check_loaded(state) < 0) return NULL;
    ReservationOptions options = {
        .num_bytes = capacity, .align = 1, .name = Py_None, .owner_is_gc = type != state->arena_type};
    if (reservation_audit(state, &options) < 0) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Arena* self = (Arena*)alloc(type, 0);
    if (!self) return NULL;
    self->alignment = alignment;
    if (reservation_open(&self->reservation, state, (PyObject*)self, &ARENA, &PRIVATE_MEMORY, &options) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject*)self;
}

static int arena_traverse(Arena* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    return reservation_traverse(&self->reservation, visit, arg);
}

static void arena_dealloc(Arena* self) {
    reservation_dealloc_owner(&self->reservation, (PyObject*)self, self->weakrefs);
}

PyDoc_STRVAR(arena_reduce_doc, "__reduce__($self, /)\n--\n\nAn arena cannot be pickled nor copied.");

static PyObject* arena_reduce(Arena* self, PyObject* Py_UNUSED(ignored)) {
    PyObject* name = PyType_GetName(Py_TYPE((PyObject*)self));
    if (name)
        PyErr_Format(
            PyExc_TypeError,
            "cannot pickle %R object, nor copy it: its memory stays where it is; pickle a copy, bytes(view), or "
            "an array of NumPy over a view",
            name);
    Py_XDECREF(name);
    return NULL;
}

static PyObject* arena_repr(Arena* self) {
    size_t used, num_committed, num_views;
    Py_BEGIN_CRITICAL_SECTION(self);
    used = self->used;
    num_committed = reservation_count_committed(&self->reservation);
    num_views = pins_count_from(&self->reservation.pins, 0);
    Py_END_CRITICAL_SECTION();
    PyObject* name = describe_class((PyObject*)self);
    PyObject* text = NULL;
    if (name)
        text = PyUnicode_FromFormat("<%U at %p: %zu bytes, %zu used, %zu committed, %zu %s>", name,
                                    self->reservation.base, self->reservation.size, used, num_committed, num_views,
                                    num_views == 1 ? "view" : "views");
    Py_XDECREF(name);
    return text;
}

// --- the type ---

static PyObject* arena_get_capacity(Arena* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSize_t(self->reservation.size);
}

static PyObject* arena_get_used(Arena* self, void* Py_UNUSED(closure)) { return PyLong_FromSize_t(self->used); }

static PyObject* arena_get_committed(Arena* self, void* Py_UNUSED(closure)) {
    size_t num_bytes;
    Py_BEGIN_CRITICAL_SECTION(self);
    num_bytes = reservation_count_committed(&self->reservation);
    Py_END_CRITICAL_SECTION();
    return PyLong_FromSize_t(num_bytes);
}

static PyObject* arena_get_alignment(Arena* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSize_t(self->alignment);
}

static PyGetSetDef arena_getset[] = {
    {"capacity", (getter)arena_get_capacity, NULL, "How many bytes the arena can hold.", NULL},
    {"used", (getter)arena_get_used, NULL, "How many bytes are allocated.", NULL},
    {"committed", (getter)arena_get_committed, NULL, "How many bytes of memory the arena has.", NULL},
    {"alignment", (getter)arena_get_alignment, NULL, "The alignment of allocations that ask for none.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyMethodDef arena_methods[] = {
    {"alloc", AS_KEYWORDS(arena_alloc), alloc_doc},
    {"mark", (PyCFunction)arena_mark, METH_NOARGS, mark_doc},
    {"rewind", (PyCFunction)arena_rewind, METH_O, rewind_doc},
    {"scope", (PyCFunction)arena_scope, METH_NOARGS, scope_doc},
    {"reset", (PyCFunction)arena_reset, METH_NOARGS, reset_doc},
    {"trim", (PyCFunction)arena_trim, METH_NOARGS, trim_doc},
    {"prefault", (PyCFunction)arena_prefault_method, METH_O, prefault_doc},
    {"lock", AS_FASTCALL(arena_lock_method), lock_doc},
    {"unlock", (PyCFunction)arena_unlock_method, METH_NOARGS, unlock_doc},
    {"map", (PyCFunction)arena_map, METH_NOARGS, map_doc},
    {"__reduce__", (PyCFunction)arena_reduce, METH_NOARGS, arena_reduce_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef arena_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Arena, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot arena_slots[] = {
    {Py_tp_doc, (void*)arena_doc},    {Py_tp_new, arena_new},       {Py_tp_dealloc, arena_dealloc},
    {Py_tp_traverse, arena_traverse}, {Py_tp_repr, arena_repr},     {Py_tp_methods, arena_methods},
    {Py_tp_members, arena_members},   {Py_tp_getset, arena_getset}, {0, NULL},
};

PyType_Spec arena_spec = {
    .name = "vmem.Arena",
    .basicsize = sizeof(Arena),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = arena_slots,
};
