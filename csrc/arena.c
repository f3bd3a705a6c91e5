// vmem.Arena: allocations one after the other in a reservation, given back from the end.

#include "arguments.h"
#include "paging.h"
#include "pins.h"
#include "steps.h"
#include "survey.h"

typedef struct Arena {
    PyObject_HEAD
    Reservation reservation;
    size_t alignment;  // of allocations that ask for none
    size_t used;
    size_t touched;       // up to where memory may hold something; what comes after it is fresh and zero
    Pages left;           // bytes that scopes could not take back at their end; none when both are equal
    size_t num_scopes;    // that have begun and not ended
    size_t highest_mark;  // where the last of them has begun
    PyObject* weakrefs;
} Arena;

static void arena_dealloc(Arena* self);

// --- allocating ---

// What can be done about it depends on what does not fit: the bytes, or only their alignment.
static const char* choose_remedy(const Arena* arena, size_t num_bytes) {
    if (num_bytes <= arena->reservation.size - arena->used) return "ask for a smaller alignment, or ";
    return arena->used > 0 && num_bytes <= arena->reservation.size ? "rewind it, or " : "";
}

static int refuse(const Arena* arena, size_t num_bytes, size_t align) {
    const char* message =
        "cannot allocate %zu bytes aligned to %zu: this arena has used %zu of its %zu bytes; %smake it "
        "with a larger capacity";
    return raise_full(arena->reservation.out_of_memory_error,
                      PyUnicode_FromFormat(message, num_bytes, align, arena->used, arena->reservation.size,
                                           choose_remedy(arena, num_bytes)));
}

static int find_place(const Arena* arena, size_t num_bytes, size_t align, size_t* start) {
    uintptr_t base = (uintptr_t)arena->reservation.base;
    uintptr_t address = vmem_align_forward(base + arena->used, align);
    if (address < base || address - base > arena->reservation.size ||
        num_bytes > arena->reservation.size - (address - base))
        return refuse(arena, num_bytes, align);
    *start = address - base;
    return 0;
}

// Makes a range usable. Fresh pages are zero already.
static int prepare_range(Arena* arena, size_t start, size_t end, bool zero) {
    if (busy_check_usable(&arena->reservation, start, end, "allocate") < 0) return -1;
    if (grow_to(&arena->reservation, end) < 0) return -1;
    size_t stale = end < arena->touched ? end : arena->touched;
    if (zero && start < stale) memset(arena->reservation.base + start, 0, stale - start);
    return 0;
}

// Gives a pin the next bytes. No Python code runs in here unless it fails. No bytes lie anywhere.
static int allocate(Arena* arena, Pin* pin, size_t num_bytes, size_t align, bool zero) {
    size_t start = 0;  // gcc does not see that it is set whenever it is used
    if (num_bytes == 0) {
        pins_place(pin, 0, 0);
        return 0;
    }
    if (find_place(arena, num_bytes, align, &start) < 0) return -1;
    size_t end = start + num_bytes;
    if (prepare_range(arena, start, end, zero) < 0) return -1;
    pins_place(pin, start, num_bytes);
    arena->used = end;
    if (arena->touched < end) arena->touched = end;
    return 0;
}

// For bytes that found no view, unless others have got the next ones meanwhile.
static void take_back(Arena* arena, size_t before, size_t after) {
    VMEM_LOCK(arena);
    if (arena->used == after) arena->used = before;
    VMEM_UNLOCK();
}

PyDoc_STRVAR(
    alloc_doc,
    "alloc($self, /, num_bytes, *, align=None, zero=True)\n--\n\n"
    "Take the next bytes, as a view that stays where it is.\n\n"
    "Parameters\n"
    "----------\n"
    "num_bytes : int\n"
    "    How many; 0 gives an empty view and takes nothing.\n"
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
    "    Memory is being given back, by trim() in another thread.\n"
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
    Pin* pin = pins_new(&self->reservation);
    if (!pin) return NULL;
    size_t before, after;
    VMEM_LOCK(self);
    before = self->used;
    status = allocate(self, pin, num_bytes, align, zero);
    after = self->used;
    VMEM_UNLOCK();
    PyObject* view = status == 0 ? PyMemoryView_FromObject((PyObject*)pin) : NULL;
    Py_DECREF((PyObject*)pin);
    if (status == 0 && !view) take_back(self, before, after);
    return view;
}

// --- going back ---

// Does nothing when the arena is already at or before the mark, which happens where scopes end out of order.
static int rewind_to(Arena* arena, size_t mark) {
    if (mark >= arena->used) return 0;
    size_t num_views = pins_count_last(&arena->reservation, mark);
    if (num_views > 0) {
        PyErr_Format(PyExc_BufferError,
                     "cannot rewind this arena from %zu to %zu bytes: %zu %s allocated in between %s alive; release or "
                     "delete %s first, with every array and slice made from %s",
                     arena->used, mark, num_views, num_views == 1 ? "view" : "views", num_views == 1 ? "is" : "are",
                     num_views == 1 ? "it" : "them", num_views == 1 ? "it" : "them");
        return -1;
    }
    arena->used = mark;
    if (mark < arena->left.end) arena->left.start = arena->left.end = 0;
    return 0;
}

// A scope has ended with live views of what came after its mark. What older scopes have left right before goes with it.
static void leave(Arena* arena, size_t mark) {
    bool joins = arena->left.start <= mark && mark <= arena->left.end;
    if (!joins || arena->left.start == arena->left.end) arena->left.start = mark;
    arena->left.end = arena->used;
}

// Takes back what scopes have left, if it is the last thing in the arena, its views are gone, and no scope has begun
// behind it, whose mark would then be ahead of the arena. Without this, a loop in which every turn has a scope of its
// own, and no scope around it, would lose the memory of each turn that fails.
static void take_what_is_left(Arena* arena) {
    if (arena->left.start == arena->left.end || arena->left.end != arena->used) return;
    if (arena->left.start < arena->highest_mark) return;
    if (pins_count_last(&arena->reservation, arena->left.start) == 0) rewind_to(arena, arena->left.start);
}

PyDoc_STRVAR(mark_doc,
             "mark($self, /)\n--\n\n"
             "Where the arena is now: what rewind() takes to come back here. It is the number of used bytes.\n\n"
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

// What cannot be taken back now stays: else it could go later, and the arena would be behind the mark.
static PyObject* arena_mark(Arena* self, PyObject* Py_UNUSED(ignored)) {
    size_t mark;
    VMEM_LOCK(self);
    take_what_is_left(self);
    self->left.start = self->left.end = 0;
    mark = self->used;
    VMEM_UNLOCK();
    return PyLong_FromSize_t(mark);
}

PyDoc_STRVAR(
    rewind_doc,
    "rewind($self, mark, /)\n--\n\n"
    "Take back everything that was allocated since a mark. The memory stays, for what comes next.\n\n"
    "Parameters\n"
    "----------\n"
    "mark : int\n"
    "    What mark() returned, or another number of bytes up to what is used.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Views that were allocated since then are alive; it says how many. Nothing has changed then. Views from\n"
    "    before the mark do not matter.\n"
    "ValueError\n"
    "    The arena has never been so far, or is no longer.\n\n"
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
    VMEM_LOCK(self);
    used = self->used;
    if (mark <= used) status = rewind_to(self, mark);
    VMEM_UNLOCK();
    if (mark > used)
        return PyErr_Format(PyExc_ValueError, "cannot rewind to %zu: this arena has used only %zu bytes", mark, used);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(reset_doc,
             "reset($self, /)\n--\n\n"
             "Take back everything: rewind(0).\n\n"
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
    VMEM_LOCK(self);
    status = rewind_to(self, 0);
    VMEM_UNLOCK();
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(trim_doc,
             "trim($self, /)\n--\n\n"
             "Give back the memory of whole pages behind what is used. The capacity, which is addresses, stays.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in the middle of this call.\n"
             "OutOfMemoryError\n"
             "    The process has too many mappings to give back a part of one.\n\n"
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

static Pages claim_unused(PyObject* owner) {
    const Arena* arena = (Arena*)owner;
    return (Pages){arena->used, arena->reservation.size};
}

static void forget_touched(PyObject* owner, size_t start) {
    Arena* arena = (Arena*)owner;
    if (arena->touched > start) arena->touched = start;
}

static PyObject* arena_trim(Arena* self, PyObject* Py_UNUSED(ignored)) {
    static const Unused unused = {claim_unused, forget_touched};
    return paging_decommit_unused(&self->reservation, &unused) < 0 ? NULL : Py_NewRef(Py_None);
}

// --- scopes ---

typedef struct Scope {
    PyObject_HEAD
    Arena* arena;
    size_t mark;
    size_t outer_mark;  // the highest one when it began
    bool entered;
    bool ended;
    bool rewound;
} Scope;

PyDoc_STRVAR(
    scope_doc,
    "scope($self, /)\n--\n\n"
    "A context manager that takes back at its end what was allocated inside.\n\n"
    "Scopes can be nested. Leaving one while views from inside are alive is a BufferError, and nothing is taken\n"
    "back; but when an exception is on its way, that one is kept. What is left then goes with the outer scope or,\n"
    "once its views are gone, when the next scope begins.\n\n"
    "A view is alive as long as a variable holds it: use ``with arena.alloc(100) as view:``, ``del`` it, or let a\n"
    "function own it that is called inside the scope.\n\n"
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

static ModuleState* find_state(PyTypeObject* type) { return module_state_of(type, (destructor)arena_dealloc); }

static PyObject* arena_scope(Arena* self, PyObject* Py_UNUSED(ignored)) {
    ModuleState* state = find_state(Py_TYPE((PyObject*)self));
    if (!state || module_check_loaded(state) < 0) return NULL;
    Scope* scope = PyObject_GC_New(Scope, state->scope_type);
    if (!scope) return NULL;
    scope->arena = (Arena*)Py_NewRef((PyObject*)self);
    scope->mark = 0;
    scope->entered = scope->ended = scope->rewound = false;
    PyObject_GC_Track(scope);
    return (PyObject*)scope;
}

static void begin_scope(Scope* scope) {
    Arena* arena = scope->arena;
    take_what_is_left(arena);
    scope->mark = arena->used;
    scope->outer_mark = arena->highest_mark;
    arena->num_scopes++;
    if (arena->highest_mark < scope->mark) arena->highest_mark = scope->mark;
}

static PyObject* scope_enter(Scope* self, PyObject* Py_UNUSED(ignored)) {
    bool entered_before;
    VMEM_LOCK(self->arena);
    entered_before = self->entered;
    self->entered = true;
    if (!entered_before) begin_scope(self);
    VMEM_UNLOCK();
    if (!entered_before) return Py_NewRef((PyObject*)self->arena);
    PyErr_SetString(PyExc_RuntimeError, "this scope has been entered already; call scope() again for another one");
    return NULL;
}

// Scopes that end in another order leave the highest mark too high, until the last one ends. Then less is taken back.
static void end_scope(Scope* scope) {
    Arena* arena = scope->arena;
    if (!scope->entered || scope->ended) return;
    scope->ended = true;
    if (--arena->num_scopes == 0)
        arena->highest_mark = 0;
    else if (arena->highest_mark == scope->mark)
        arena->highest_mark = scope->outer_mark;
}

static PyObject* scope_exit(Scope* self, PyObject* const* args, Py_ssize_t num_args) {
    int status;
    if (num_args != 3)
        return PyErr_Format(PyExc_TypeError, "__exit__() takes exactly 3 arguments (%zd given)", num_args);
    if (!self->entered) {
        PyErr_SetString(PyExc_RuntimeError, "this scope has not been entered");
        return NULL;
    }
    VMEM_LOCK(self->arena);
    status = self->rewound ? 0 : rewind_to(self->arena, self->mark);
    if (status < 0) leave(self->arena, self->mark);
    self->rewound = status == 0;
    end_scope(self);
    VMEM_UNLOCK();
    if (status == 0) Py_RETURN_FALSE;
    if (args[0] == Py_None || !PyErr_ExceptionMatches(PyExc_BufferError)) return NULL;
    PyErr_Clear();
    Py_RETURN_FALSE;
}

static int scope_traverse(Scope* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->arena);
    return 0;
}

static void scope_dealloc(Scope* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    VMEM_LOCK(self->arena);
    end_scope(self);
    VMEM_UNLOCK();
    Py_DECREF((PyObject*)self->arena);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef scope_methods[] = {
    {"__enter__", (PyCFunction)scope_enter, METH_NOARGS, "Begin the scope. Returns the arena."},
    {"__exit__", (PyCFunction)(void (*)(void))scope_exit, METH_FASTCALL, "Take back what was allocated inside."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot scope_slots[] = {
    {Py_tp_doc, "What Arena.scope() returns."},
    {Py_tp_dealloc, scope_dealloc},
    {Py_tp_traverse, scope_traverse},
    {Py_tp_methods, scope_methods},
    {0, NULL},
};

PyType_Spec scope_spec = {
    .name = "vmem._vmem.Scope",
    .basicsize = sizeof(Scope),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = scope_slots,
};

// --- map ---

PyDoc_STRVAR(
    map_doc,
    "map($self, /)\n--\n\n"
    "A picture of the arena as it is now: what is committed, in memory, protected, locked and pinned by views.\n\n"
    "Print it, or let a notebook show it. It stays as it is when the arena changes.\n\n"
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
    return survey_map(find_state(Py_TYPE((PyObject*)self)), &self->reservation, Py_None, count_used);
}

// --- making and ending ---

PyDoc_STRVAR(
    arena_doc,
    "Arena(capacity, *, alignment=16)\n--\n\n"
    "Memory that is allocated piece by piece and given back from the end: for many things that live equally long.\n\n"
    "The arena reserves its addresses when it is made, and memory comes to them as it is used. Allocations are\n"
    "memoryviews that never move, so they can be handed to NumPy, ctypes and C code. Taking a thousand of them back\n"
    "costs as much as taking back one.\n\n"
    "Parameters\n"
    "----------\n"
    "capacity : int\n"
    "    How many bytes it can hold, at least 1; rounded up to whole pages. They are addresses, and cost nothing.\n"
    "alignment : int, default 16\n"
    "    A power of two: addresses of allocations are multiples of it.\n\n"
    "Attributes\n"
    "----------\n"
    "capacity : int\n"
    "    How many bytes it can hold.\n"
    "used : int\n"
    "    How many bytes are allocated, with what alignment left out between them.\n"
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
    if (convert_size(capacity_object, "capacity", capacity) < 0) return -1;
    if (alignment_object && convert_alignment(alignment_object, "alignment", alignment) < 0) return -1;
    size_t most = (size_t)PY_SSIZE_T_MAX - vmem_get_page_size();
    if (*capacity > 0 && *capacity <= most) return 0;
    PyErr_Format(PyExc_ValueError, "capacity must be from 1 to %zu bytes, got %zu", most, *capacity);
    return -1;
}

static PyObject* arena_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    size_t capacity, alignment = 16;
    if (parse_arena(args, keywords, &capacity, &alignment) < 0) return NULL;
    ModuleState* state = find_state(type);
    if (!state || module_check_loaded(state) < 0) return NULL;
    ReservationOptions options = {
        .num_bytes = capacity, .align = 1, .name = Py_None, .owner_in_cycles = type != state->arena_type};
    if (reservation_audit(state, &options) < 0) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Arena* self = (Arena*)alloc(type, 0);
    if (!self) return NULL;
    self->alignment = alignment;
    if (reservation_open(&self->reservation, state, (PyObject*)self, "arena", &options) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject*)self;
}

static int arena_traverse(Arena* self, visitproc visit, void* arg) {
    return reservation_traverse_owner(&self->reservation, (PyObject*)self, visit, arg);
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
    VMEM_LOCK(self);
    used = self->used;
    num_committed = reservation_count_committed(&self->reservation);
    num_views = pins_count_from(&self->reservation, 0);
    VMEM_UNLOCK();
    PyObject* name = PyType_GetName(Py_TYPE((PyObject*)self));
    PyObject* text = NULL;
    if (name)
        text = PyUnicode_FromFormat("<vmem.%U at %p: %zu bytes, %zu used, %zu committed, %zu %s>", name,
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
    VMEM_LOCK(self);
    num_bytes = reservation_count_committed(&self->reservation);
    VMEM_UNLOCK();
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

static PyMethodDef arena_methods[] = {
    {"alloc", (PyCFunction)(void (*)(void))arena_alloc, METH_FASTCALL | METH_KEYWORDS, alloc_doc},
    {"mark", (PyCFunction)arena_mark, METH_NOARGS, mark_doc},
    {"rewind", (PyCFunction)arena_rewind, METH_O, rewind_doc},
    {"scope", (PyCFunction)arena_scope, METH_NOARGS, scope_doc},
    {"reset", (PyCFunction)arena_reset, METH_NOARGS, reset_doc},
    {"trim", (PyCFunction)arena_trim, METH_NOARGS, trim_doc},
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
