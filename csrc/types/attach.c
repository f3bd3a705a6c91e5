#include "types/attach.h"

#include "python/arguments.h"
#include "types/array/storage.h"
#include "types/region.h"
#include "types/ring/storage.h"
#include "types/sharing.h"
#include "types/table/sharing.h"

#ifdef _WIN32
#define MAX_HANDLE ((size_t)PY_SSIZE_T_MAX)
#else
#define MAX_HANDLE ((size_t)INT_MAX)
#endif

// What attaches the objects of a kind, and the types that they have in Python. The functions take over the memory.
typedef struct AttachedKind {
    SharedKind kind;
    const char* noun;
    size_t type_offset;  // in ModuleState
    PyObject* (*attach)(ModuleState* state, PyTypeObject* type, SharedMemory* memory);
} AttachedKind;

static const AttachedKind KINDS[] = {
    {SHARED_REGION, "a region", offsetof(ModuleState, region_type), region_attach},
    {SHARED_TABLE, "a table", offsetof(ModuleState, table_type), table_attach},
    {SHARED_ARRAY, "an array", offsetof(ModuleState, array_type), array_attach},
    {SHARED_RING, "a ring", offsetof(ModuleState, ring_type), ring_attach},
};

#define NUM_KINDS (sizeof(KINDS) / sizeof(KINDS[0]))

static const AttachedKind* find_kind(const SharedMemory* memory) {
    for (size_t i = 0; i < NUM_KINDS; i++)
        if (KINDS[i].kind == (SharedKind)memory->facts.kind) return &KINDS[i];
    return NULL;
}

// The first of the types that is the one of this kind, or a subclass of it. A new reference; NULL without an exception.
static PyTypeObject* find_type(ModuleState* state, const AttachedKind* kind, PyObject* types) {
    PyTypeObject* base = *(PyTypeObject**)((char*)state + kind->type_offset);
    for (Py_ssize_t i = 0; i < PyTuple_Size(types); i++) {
        PyObject* type = PyTuple_GetItem(types, i);
        if (base && PyType_Check(type) && PyType_IsSubtype((PyTypeObject*)type, base))
            return (PyTypeObject*)Py_NewRef(type);
    }
    return NULL;
}

static PyObject* attach(ModuleState* state, intptr_t handle, PyObject* types) {
    SharedMemory* memory = shared_memory_attach(handle, sharing_possible_seals(state), state->out_of_memory_error);
    if (!memory) return NULL;
    const AttachedKind* kind = find_kind(memory);
    PyTypeObject* type = kind ? find_type(state, kind, types) : NULL;
    PyObject* object = NULL;
    if (!type)
        PyErr_Format(PyExc_ValueError, "cannot attach descriptor %zd: it is that of %s, which was not expected",
                     (Py_ssize_t)handle, kind ? kind->noun : "something that this vmem does not know");
    if (type && sharing_prepare(state, type) == 0)
        object = kind->attach(state, type, memory);
    else
        shared_memory_free(memory);
    Py_XDECREF((PyObject*)type);
    return object;
}

const char attach_function_doc[] = PyDoc_STR(
    "attach(handle, types, /)\n--\n\n"
    "An object that shows the shared memory behind a descriptor or HANDLE, which is duplicated. It is an instance of\n"
    "that one of the types, a tuple, which fits.");

PyObject* attach_function(PyObject* module, PyObject* const* args, Py_ssize_t num_args) {
    ModuleState* state = PyModule_GetState(module);
    static const SizeRange range = {0, MAX_HANDLE, ""};
    size_t handle;
    if (num_args != 2) return PyErr_Format(PyExc_TypeError, "attach() takes exactly 2 arguments (%zd given)", num_args);
    if (convert_size_in_range(args[0], "a descriptor", range, &handle) < 0) return NULL;
    if (!PyTuple_Check(args[1])) {
        raise_wrong_type(args[1], "types", "a tuple");
        return NULL;
    }
    if (module_check_loaded(state) < 0 || sharing_check_supported(state) < 0) return NULL;
    return attach(state, (intptr_t)handle, args[1]);
}
