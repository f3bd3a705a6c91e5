// An extension that writes rings through vmem_python.h without the GIL, for the tests. Also compiled as C++.
#define PY_SSIZE_T_CLEAN
#include "vmem_python.h"

#include <stdint.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#define give_turn() SwitchToThread()
#else
#include <sched.h>
#define give_turn() sched_yield()
#endif

static const VmemPythonApi* vmem;  // the same for every interpreter

#define HANDLE_NAME "ring_client.VmemRing"

static void free_handle(PyObject* capsule) { PyMem_Free(PyCapsule_GetPointer(capsule, HANDLE_NAME)); }

static VmemRing* handle_of(PyObject* capsule) { return (VmemRing*)PyCapsule_GetPointer(capsule, HANDLE_NAME); }

// --- the functions ---

static PyObject* is_ring(PyObject* module, PyObject* object) {
    (void)module;
    return PyBool_FromLong(vmem->is_ring(object == Py_None ? NULL : object));
}

// The claim, a handle, and what it says of the ring. None stands for NULL.
static PyObject* claim(PyObject* module, PyObject* object) {
    VmemRing* ring = (VmemRing*)PyMem_Malloc(sizeof(VmemRing));
    (void)module;
    if (!ring) return PyErr_NoMemory();
    memset(ring, 0x77, sizeof(*ring));
    VmemRing before = *ring;
    PyObject* taken = vmem->ring_claim(object == Py_None ? NULL : object, ring);
    if (!taken && memcmp(ring, &before, sizeof(before)) != 0)
        PyErr_SetString(PyExc_AssertionError, "a call that failed has written to its result");
    PyObject* capsule = taken ? PyCapsule_New(ring, HANDLE_NAME, free_handle) : NULL;
    if (!capsule) {
        PyMem_Free(ring);
        Py_XDECREF(taken);
        return NULL;
    }
    return Py_BuildValue("(NNnns)", taken, capsule, (Py_ssize_t)ring->item_size, (Py_ssize_t)ring->capacity,
                         ring->typecode);
}

static PyObject* write_items(PyObject* module, PyObject* args) {
    PyObject* capsule;
    const char* items;
    Py_ssize_t num_bytes, num_items;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oy#n", &capsule, &items, &num_bytes, &num_items)) return NULL;
    VmemRing* ring = handle_of(capsule);
    return ring ? PyLong_FromLong(vmem->ring_write(ring, items, (size_t)num_items)) : NULL;
}

// Fills the prepared places with a byte. Returns whether there were so many.
static PyObject* prepare(PyObject* module, PyObject* args) {
    PyObject* capsule;
    Py_ssize_t num_items;
    int byte;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oni", &capsule, &num_items, &byte)) return NULL;
    VmemRing* ring = handle_of(capsule);
    if (!ring) return NULL;
    void* places = vmem->ring_prepare(ring, (size_t)num_items);
    if (places) memset(places, byte, (size_t)num_items * ring->item_size);
    return PyBool_FromLong(places != NULL);
}

static PyObject* advance(PyObject* module, PyObject* args) {
    PyObject* capsule;
    Py_ssize_t num_items;
    (void)module;
    if (!PyArg_ParseTuple(args, "On", &capsule, &num_items)) return NULL;
    VmemRing* ring = handle_of(capsule);
    return ring ? PyLong_FromLong(vmem->ring_advance(ring, (size_t)num_items)) : NULL;
}

#define BLOCK 64

// Long enough for readers to come in between.
static void fill_slowly(uint64_t* places, const uint64_t* block, size_t num_items) {
    memcpy(places, block, num_items / 2 * sizeof(uint64_t));
    for (int i = 0; i < 4; i++) give_turn();
    memcpy(places + num_items / 2, block + num_items / 2, (num_items - num_items / 2) * sizeof(uint64_t));
}

static void produce_numbers(VmemRing* ring, uint64_t start, uint64_t end) {
    uint64_t block[BLOCK];
    while (start < end) {
        size_t num_items = start % 7 ? BLOCK : 1;
        for (size_t i = 0; i < num_items; i++) block[i] = start + i;
        if (num_items % 2 == 0) {
            uint64_t* places = (uint64_t*)vmem->ring_prepare(ring, num_items);
            if (places) fill_slowly(places, block, num_items);
            if (!places || vmem->ring_advance(ring, num_items) < 0) num_items = 0;
        } else if (vmem->ring_write(ring, block, num_items) < 0) {
            num_items = 0;
        }
        if (num_items == 0) give_turn();  // a queue is full
        start += num_items;
    }
}

// Writes 64-bit numbers from one to at least another while other threads run.
static PyObject* produce(PyObject* module, PyObject* args) {
    PyObject* capsule;
    unsigned long long start, end;
    (void)module;
    if (!PyArg_ParseTuple(args, "OKK", &capsule, &start, &end)) return NULL;
    VmemRing* ring = handle_of(capsule);
    if (!ring) return NULL;
    Py_BEGIN_ALLOW_THREADS
    produce_numbers(ring, start, end);
    Py_END_ALLOW_THREADS
    return Py_NewRef(Py_None);
}

// --- the module ---

static PyMethodDef functions[] = {
    {"is_ring", is_ring, METH_O, NULL},
    {"claim", claim, METH_O, NULL},
    {"write", write_items, METH_VARARGS, NULL},
    {"prepare", prepare, METH_VARARGS, NULL},
    {"advance", advance, METH_VARARGS, NULL},
    {"produce", produce, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int exec_module(PyObject* module) {
    (void)module;
    vmem = vmem_import_python_api();
    return vmem ? 0 : -1;
}

// The slots of newer interpreters by number, which the headers of limited API 3.11 do not name.
static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void*)(uintptr_t)exec_module},
    {0, NULL},
    {0, NULL},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "ring_client", NULL, 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_ring_client(void) {
    if (Py_Version >= 0x030C0000) {
        slots[1].slot = 3;  // multiple interpreters: each with its own GIL
        slots[1].value = (void*)2;
    }
    if (Py_Version >= 0x030D0000) {
        slots[2].slot = 4;  // the GIL: not used
        slots[2].value = (void*)1;
    }
    return PyModuleDef_Init(&definition);
}
