// What Arena.scope() returns: a context manager that rewinds the arena.
#include "types/arena/scope.h"

typedef struct Scope {
    PyObject_HEAD
    Arena* arena;
    size_t mark;
    size_t outer_mark;  // the highest one when it began
    bool entered;
    bool ended;
    bool rewound;
} Scope;

PyObject* scope_new(ModuleState* state, Arena* arena) {
    Scope* scope = PyObject_GC_New(Scope, state->scope_type);
    if (!scope) return NULL;
    scope->arena = (Arena*)Py_NewRef((PyObject*)arena);
    scope->mark = 0;
    scope->entered = scope->ended = scope->rewound = false;
    PyObject_GC_Track(scope);
    return (PyObject*)scope;
}

static void begin_scope(Scope* scope) {
    Arena* arena = scope->arena;
    arena_reclaim_orphaned(arena);
    scope->mark = arena->used;
    scope->outer_mark = arena->highest_mark;
    arena->num_scopes++;
    if (arena->highest_mark < scope->mark) arena->highest_mark = scope->mark;
}

static PyObject* scope_enter(Scope* self, PyObject* Py_UNUSED(ignored)) {
    bool entered_before;
    Py_BEGIN_CRITICAL_SECTION(self->arena);
    entered_before = self->entered;
    self->entered = true;
    if (!entered_before) begin_scope(self);
    Py_END_CRITICAL_SECTION();
    if (!entered_before) return Py_NewRef((PyObject*)self->arena);
    PyErr_SetString(PyExc_RuntimeError, "this scope has been entered already; call scope() again for another one");
    return NULL;
}

// Scopes that end out of order leave the highest mark too high until the last one ends. Then less is reclaimed.
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
    Py_BEGIN_CRITICAL_SECTION(self->arena);
    status = self->rewound ? 0 : arena_rewind_to(self->arena, self->mark);
    if (status < 0) arena_orphan_range(self->arena, self->mark);
    self->rewound = status == 0;
    end_scope(self);
    Py_END_CRITICAL_SECTION();
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
    Py_BEGIN_CRITICAL_SECTION(self->arena);
    end_scope(self);
    Py_END_CRITICAL_SECTION();
    Py_DECREF((PyObject*)self->arena);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef scope_methods[] = {
    {"__enter__", (PyCFunction)scope_enter, METH_NOARGS, "Begin the scope. Returns the arena."},
    {"__exit__", AS_FASTCALL(scope_exit), "Free what was allocated inside."},
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
