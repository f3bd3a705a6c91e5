#include "types/sharing.h"

// --- making ---

// A failure is not remembered: the process may have been out of descriptors. Threads that explore at the same time find
// the same.
int sharing_check_supported(ModuleState* state) {
    unsigned seals;
    if (counter_get(&state->sharing.explored)) return 0;
    if (shared_memory_find_seals(&seals, state->out_of_memory_error) < 0) return -1;
    counter_set(&state->sharing.explored, SHARING_IS_POSSIBLE | (Py_ssize_t)seals);
    return 0;
}

unsigned sharing_possible_seals(const ModuleState* state) {
    return (unsigned)(counter_get(&state->sharing.explored) & ~SHARING_IS_POSSIBLE);
}

// The lock is of use without the GIL alone.
static bool is_prepared(const SharingState* sharing, PyObject* hook, const PyTypeObject* type) {
    bool is_known;
    (void)hook;
    Py_BEGIN_CRITICAL_SECTION(hook);
    is_known = sharing->prepared_type == type;
    Py_END_CRITICAL_SECTION();
    return is_known;
}

// Only for the hook that has been called: it may have been replaced.
static void remember_prepared(SharingState* sharing, PyObject* hook, PyTypeObject* type) {
    PyObject* before = NULL;
    Py_BEGIN_CRITICAL_SECTION(hook);
    if (sharing->hook == hook) {
        before = (PyObject*)sharing->prepared_type;
        sharing->prepared_type = (PyTypeObject*)Py_NewRef((PyObject*)type);
    }
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(before);
}

// What the hook has prepared stays prepared, so that it is called once for many objects of a type: calling it takes as
// long as two system calls.
static int prepare_by_hook(ModuleState* state, PyObject* hook, PyTypeObject* type) {
    if (is_prepared(&state->sharing, hook, type)) return 0;
    PyObject* result = PyObject_CallFunctionObjArgs(hook, (PyObject*)type, NULL);
    if (!result) return -1;
    Py_DECREF(result);
    if (module_check_loaded(state) < 0) return -1;
    remember_prepared(&state->sharing, hook, type);
    return module_check_loaded(state);
}

int sharing_prepare(ModuleState* state, PyTypeObject* type) {
    if (module_check_loaded(state) < 0 || sharing_check_supported(state) < 0) return -1;
    if (!state->sharing.hook) {
        PyErr_SetString(PyExc_RuntimeError, "set_sharing_hook() has not been called");
        return -1;
    }
    PyObject* hook = Py_NewRef(state->sharing.hook);  // it can run set_sharing_hook()
    int status = prepare_by_hook(state, hook, type);
    Py_DECREF(hook);
    return status;
}

// --- descriptors ---

int sharing_raise_not_shared(const char* noun) {
    PyErr_Format(PyExc_ValueError, "this %s is not shared, and so has no descriptor: make it with shared=True", noun);
    return -1;
}

static int find_handle(Reservation* reservation, intptr_t* handle) {
    const SharedMemory* memory = shared_memory_of(reservation->backing);
    if (reservation_check_open(reservation) < 0) return -1;
    if (!memory) return sharing_raise_not_shared(reservation->owner_kind->noun);
    return shared_memory_get_handle(memory, handle);
}

// What multiprocessing sends to other processes: a file descriptor, or a HANDLE.
const char sharing_get_handle_doc[] = PyDoc_STR("_get_handle($self, /)\n--\n\n");

PyObject* sharing_get_handle(Reservation* reservation) {
    intptr_t handle = -1;
    int status;
    Py_BEGIN_CRITICAL_SECTION(reservation->owner);
    status = find_handle(reservation, &handle);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : PyLong_FromSsize_t((Py_ssize_t)handle);
}

const char sharing_fileno_doc[] = PyDoc_STR(
    "fileno($self, /)\n--\n\n"
    "The file descriptor of shared memory, to send it to processes that `multiprocessing` did not start.\n\n"
    "Send it with ``socket.send_fds``, or let a started program inherit it. The other process passes what it has\n"
    "received to `attach`, which duplicates it. The descriptor belongs to this object, which closes it: do not close\n"
    "it.\n\n"
    "Returns\n"
    "-------\n"
    "int\n\n"
    "Raises\n"
    "------\n"
    "NotImplementedError\n"
    "    On Windows, where there are no descriptors: send it through `multiprocessing`.\n"
    "OSError\n"
    "    Something else has closed the descriptor.\n"
    "ValueError\n"
    "    The memory is not shared, or it is released.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> with vmem.reserve(1 << 30, shared=True) as region:\n"
    "...     region.commit(0, 5)\n"
    "...     region[0:5] = b\"hello\"\n"
    "...     with vmem.attach(region.fileno()) as other:     # usually in another process\n"
    "...         other.commit(0, 5)\n"
    "...         bytes(other[0:5])\n"
    "b'hello'");

PyObject* sharing_get_fileno(Reservation* reservation) {
#ifdef _WIN32
    (void)reservation;
    PyErr_SetString(PyExc_NotImplementedError,
                    "shared memory has no file descriptor on Windows: send it through multiprocessing");
    return NULL;
#else
    return sharing_get_handle(reservation);
#endif
}

// --- functions of the module ---

const char sharing_set_hook_doc[] = PyDoc_STR(
    "set_sharing_hook(hook, /)\n--\n\n"
    "Set the callable that is called with a type before a shared instance of it is made or attached, so that it can\n"
    "be sent to other processes, and forks are noticed: by calling _change_in_child() there. It is not called again "
    "for\n"
    "the type for which it was called last.");

PyObject* sharing_set_hook(PyObject* module, PyObject* hook) {
    ModuleState* state = PyModule_GetState(module);
    PyObject* before = state->sharing.hook;
    PyObject* prepared_before = (PyObject*)state->sharing.prepared_type;
    state->sharing.hook = Py_NewRef(hook);
    state->sharing.prepared_type = NULL;
    Py_XDECREF(before);
    Py_XDECREF(prepared_before);
    return Py_NewRef(Py_None);
}

// Turns shared objects that only one process may write into readers: for forked children.
const char sharing_change_in_child_doc[] = PyDoc_STR("_change_in_child()\n--\n\n");

// Without the GIL, the list can be walked only where there is one thread: in a child that has just been forked.
static bool can_change(SharingState* sharing) {
#ifdef Py_GIL_DISABLED
    long process = get_process_id();
    if (sharing->process == process) return false;
    sharing->process = process;
#else
    (void)sharing;
#endif
    return true;
}

PyObject* sharing_change_in_child(PyObject* module, PyObject* Py_UNUSED(ignored)) {
    ModuleState* state = PyModule_GetState(module);
    if (can_change(&state->sharing)) fork_list_run(&state->sharing.forks);
    return Py_NewRef(Py_None);
}

// A callable that calls _change_in_child(), and does not keep the module alive.
const char sharing_make_fork_handler_doc[] = PyDoc_STR("_make_fork_handler()\n--\n\n");

static PyObject* change_if_alive(PyObject* reference, PyObject* Py_UNUSED(ignored)) {
    PyObject* module = PyObject_CallNoArgs(reference);
    PyObject* result = module && module != Py_None ? sharing_change_in_child(module, NULL) : Py_NewRef(Py_None);
    Py_XDECREF(module);
    return result;
}

static PyMethodDef fork_handler = {"_change_in_child", change_if_alive, METH_NOARGS, sharing_change_in_child_doc};

PyObject* sharing_make_fork_handler(PyObject* module, PyObject* Py_UNUSED(ignored)) {
    PyObject* reference = PyWeakref_NewRef(module, NULL);
    PyObject* handler = reference ? PyCFunction_NewEx(&fork_handler, reference, NULL) : NULL;
    Py_XDECREF(reference);
    return handler;
}
