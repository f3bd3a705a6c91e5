// Fills a part of a vmem.Region with evenly spaced numbers, in place and without the GIL.
#include "vmem_python.h"

static const VmemPythonApi* vmem;

static void fill_bytes(void* bytes, size_t num_items, double start, double step) {
    double* items = (double*)bytes;
    for (size_t i = 0; i < num_items; i++) items[i] = start + step * (double)i;
}

// fill(region, index, num_items, start, step): items are doubles; `index` counts items.
static PyObject* fill(PyObject* module, PyObject* args) {
    PyObject* region;
    Py_ssize_t index, num_items;
    double start, step;
    void* bytes;
    (void)module;
    if (!PyArg_ParseTuple(args, "Onndd:fill", &region, &index, &num_items, &start, &step)) return NULL;
    const Py_ssize_t limit = PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(double);
    if (index < 0 || index > limit || num_items < 0 || num_items > limit) {
        PyErr_SetString(PyExc_ValueError, "index and num_items must be neither negative nor too large");
        return NULL;
    }

    PyObject* pin = vmem->pin(region, (size_t)index * sizeof(double), (size_t)num_items * sizeof(double), 1, &bytes);
    if (!pin) return NULL;
    Py_BEGIN_ALLOW_THREADS  // the pin keeps the bytes committed and in place
    fill_bytes(bytes, (size_t)num_items, start, step);
    Py_END_ALLOW_THREADS
    Py_DECREF(pin);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {{"fill", fill, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static int exec_module(PyObject* module) {
    (void)module;
    vmem = vmem_import_python_api();
    return vmem ? 0 : -1;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void*)exec_module},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "ramp", .m_methods = functions,
                                        .m_slots = slots};

PyMODINIT_FUNC PyInit_ramp(void) { return PyModuleDef_Init(&definition); }
