// An extension that uses vmem_python.h as other projects do, and passes all of it to the tests. Also compiled as C++.
#define PY_SSIZE_T_CLEAN
#include "vmem_python.h"

#include <stdint.h>
#include <string.h>

static const VmemPythonApi* vmem;  // the same for every interpreter

// --- the functions ---

// The value of results before a call. A call that fails must not change it.
#define UNTOUCHED ((size_t)-77)

static PyObject* check_untouched(size_t one, size_t other) {
    if (one == UNTOUCHED && other == UNTOUCHED) return NULL;
    PyErr_SetString(PyExc_AssertionError, "a call that failed has written to its results");
    return NULL;
}

// None stands for NULL here. With an exception set already, functions must keep it.
static PyObject* or_null(PyObject* object) { return object == Py_None ? NULL : object; }

static PyObject* is_region(PyObject* module, PyObject* object) {
    (void)module;
    return PyBool_FromLong(vmem->is_region(or_null(object)));
}

static PyObject* get_addresses(PyObject* module, PyObject* object) {
    void* address = (void*)UNTOUCHED;
    size_t num_bytes = UNTOUCHED;
    (void)module;
    if (vmem->get_addresses(or_null(object), &address, &num_bytes) < 0)
        return check_untouched((size_t)address, num_bytes);
    if (vmem->get_addresses(object, NULL, NULL) < 0) return NULL;
    return Py_BuildValue("(KK)", (unsigned long long)(size_t)address, (unsigned long long)num_bytes);
}

static PyObject* is_committed(PyObject* module, PyObject* args) {
    PyObject* object;
    unsigned long long offset, num_bytes;
    (void)module;
    if (!PyArg_ParseTuple(args, "OKK", &object, &offset, &num_bytes)) return NULL;
    int status = vmem->is_committed(or_null(object), (size_t)offset, (size_t)num_bytes);
    return status < 0 ? NULL : PyLong_FromLong(status);
}

// The pin, which lives as long as the caller keeps it, and the address of its bytes.
static PyObject* pin(PyObject* module, PyObject* args) {
    PyObject* object;
    unsigned long long offset, num_bytes;
    int writable;
    void* address = (void*)UNTOUCHED;
    (void)module;
    if (!PyArg_ParseTuple(args, "OKKi", &object, &offset, &num_bytes, &writable)) return NULL;
    PyObject* taken = vmem->pin(or_null(object), (size_t)offset, (size_t)num_bytes, writable, &address);
    if (!taken) return check_untouched((size_t)address, UNTOUCHED);
    return Py_BuildValue("(NK)", taken, (unsigned long long)(size_t)address);
}

static PyObject* pin_without_address(PyObject* module, PyObject* object) {
    (void)module;
    return vmem->pin(object, 0, 1, 1, NULL);
}

// Fills a range with a byte while other threads run.
static PyObject* fill(PyObject* module, PyObject* args) {
    PyObject* region;
    unsigned long long offset, num_bytes;
    int byte;
    void* bytes;
    (void)module;
    if (!PyArg_ParseTuple(args, "OKKi", &region, &offset, &num_bytes, &byte)) return NULL;
    PyObject* taken = vmem->pin(region, (size_t)offset, (size_t)num_bytes, 1, &bytes);
    if (!taken) return NULL;
    Py_BEGIN_ALLOW_THREADS
    memset(bytes, byte, (size_t)num_bytes);
    Py_END_ALLOW_THREADS
    Py_DECREF(taken);
    return Py_NewRef(Py_None);
}

static PyObject* call_with_null_and_an_exception(PyObject* module, PyObject* ignored) {
    (void)module;
    (void)ignored;
    PyErr_SetString(PyExc_KeyError, "raised before");
    return vmem->pin(NULL, 0, 1, 1, NULL);
}

// --- importing ---

// Imports the table again, and returns its version, size and address.
static PyObject* import_api(PyObject* module, PyObject* ignored) {
    const VmemPythonApi* api = vmem_import_python_api();
    (void)module;
    (void)ignored;
    if (!api) return NULL;
    return Py_BuildValue("(inK)", api->version, (Py_ssize_t)api->struct_size, (unsigned long long)(size_t)api);
}

static void free_table(PyObject* capsule) { PyMem_Free(PyCapsule_GetPointer(capsule, VMEM_PYTHON_API_NAME)); }

// The capsule of a vmem of another version, or with less or more in its table.
static PyObject* make_capsule(PyObject* module, PyObject* args) {
    int version;
    Py_ssize_t more;
    (void)module;
    if (!PyArg_ParseTuple(args, "in", &version, &more)) return NULL;
    VmemPythonApi* table = (VmemPythonApi*)PyMem_Malloc(sizeof(VmemPythonApi));
    if (!table) return PyErr_NoMemory();
    *table = *vmem;
    table->version = version;
    table->struct_size = (size_t)((Py_ssize_t)sizeof(VmemPythonApi) + more);
    PyObject* capsule = PyCapsule_New(table, VMEM_PYTHON_API_NAME, free_table);
    if (!capsule) PyMem_Free(table);
    return capsule;
}

// --- the module ---

static PyMethodDef functions[] = {
    {"is_region", is_region, METH_O, NULL},
    {"get_addresses", get_addresses, METH_O, NULL},
    {"is_committed", is_committed, METH_VARARGS, NULL},
    {"pin", pin, METH_VARARGS, NULL},
    {"pin_without_address", pin_without_address, METH_O, NULL},
    {"fill", fill, METH_VARARGS, NULL},
    {"call_with_null_and_an_exception", call_with_null_and_an_exception, METH_NOARGS, NULL},
    {"import_api", import_api, METH_NOARGS, NULL},
    {"make_capsule", make_capsule, METH_VARARGS, NULL},
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
    PyModuleDef_HEAD_INIT, "c_api_client", NULL, 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_c_api_client(void) {
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
