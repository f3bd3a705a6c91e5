// The extension module vmem._vmem. Where things are:
//
//   vmem.h              all that talks to the operating system; compiled into this file
//   compat.h            differences between Python versions and builds
//   module.h            what one import of the module holds
//   arguments.c         from Python objects to C numbers
//   refusal.c           from failed calls to exceptions that say why
//   mappings.c          keeps the process away from its mapping limit
//   mapping_growth.c    what a change adds to the mappings
//   spans.c             the record of what is committed
//   reservation.c       the core under every type: addresses, record, checks
//   pins.c              views, and the pins that keep their bytes in place
//   busy.c              marks on the pages that a long call works on
//   call.c              how a call that can take long does its work
//   paging.c            the verbs: commit, decommit, discard, prefault, protect, lock
//   survey.c            what map() shows
//   steps.c             how much memory a growing structure gets at a time
//   region.c            the type Region
//   items.c             the kinds of numbers that an Array holds
//   array*.c            the type Array
//   arena.c             the type Arena
//   c_api.c             what other extensions call, through vmem_python.h
#include "arguments.h"
#include "array.h"
#include "c_api.h"
#include "module.h"
#define VMEM_IMPLEMENTATION
#include "vmem.h"

// --- state ---

ModuleState* module_state_of(PyTypeObject* type, destructor dealloc) {
    while (PyType_GetSlot(type, Py_tp_dealloc) != (void*)dealloc) type = PyType_GetSlot(type, Py_tp_base);
    return PyType_GetModuleState(type);
}

int module_check_loaded(const ModuleState* state) {
    if (state->pin_type && state->plain_pin_type && state->out_of_memory_error && state->audit) return 0;
    PyErr_SetString(PyExc_RuntimeError, "vmem has been unloaded");
    return -1;
}

// --- audit ---

int module_audit(ModuleState* state, PyObject* event) {
    if (!event) return -1;
    PyObject* nothing = NULL;
    if (module_check_loaded(state) == 0) {
        PyObject* audit = Py_NewRef(state->audit);  // a hook can make a collection take the module
        nothing = PyObject_CallObject(audit, event);
        Py_DECREF(audit);
    }
    Py_DECREF(event);
    Py_XDECREF(nothing);
    return nothing ? 0 : -1;
}

// --- functions ---

PyDoc_STRVAR(get_page_size_doc,
             "get_page_size()\n--\n\n"
             "The size of a page in bytes, a power of two: the unit of committing.\n\n"
             "Returns\n"
             "-------\n"
             "int\n"
             "    4096 on most machines, 16384 on Apple silicon.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.reserve(1).size == vmem.get_page_size()\n"
             "True");

static PyObject* get_page_size(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
    return PyLong_FromSize_t(vmem_get_page_size());
}

PyDoc_STRVAR(get_allocation_granularity_doc,
             "get_allocation_granularity()\n--\n\n"
             "The unit in bytes, a power of two, at whose multiples reservations begin.\n\n"
             "Returns\n"
             "-------\n"
             "int\n"
             "    65536 on Windows, elsewhere the page size.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> with vmem.reserve(1) as region:\n"
             "...     vmem.is_aligned(region.address, vmem.get_allocation_granularity())\n"
             "True");

static PyObject* get_allocation_granularity(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
    return PyLong_FromSize_t(vmem_get_allocation_granularity());
}

PyDoc_STRVAR(get_huge_page_size_doc,
             "get_huge_page_size()\n--\n\n"
             "The size in bytes of the huge pages that this system can put under ordinary memory.\n\n"
             "Returns\n"
             "-------\n"
             "int\n"
             "    2097152 on most Linux machines, 0 where there are none.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.get_huge_page_size() % vmem.get_page_size()\n"
             "0");

static PyObject* get_huge_page_size(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
    return PyLong_FromSize_t(vmem_get_huge_page_size());
}

// The arguments (address, align) that the three functions below share. Returns -1 with an exception.
static int parse_address(const char* function, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords,
                         size_t* address, size_t* align) {
    const Signature signature = {function, 2, 2, {"address", "align"}};
    PyObject* parsed[2];
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return -1;
    if (!parsed[0] || !parsed[1]) {
        PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", function,
                     signature.names[parsed[0] ? 1 : 0]);
        return -1;
    }
    if (convert_size(parsed[0], "address", address) < 0) return -1;
    return convert_alignment(parsed[1], "align", align);
}

PyDoc_STRVAR(align_forward_doc,
             "align_forward(address, align)\n--\n\n"
             "The first multiple of `align` at or above `address`.\n\n"
             "Parameters\n"
             "----------\n"
             "address : int\n"
             "    An address, offset or size in bytes, from 0 to the largest address.\n"
             "align : int\n"
             "    A power of two.\n\n"
             "Returns\n"
             "-------\n"
             "int\n\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    `align` is not a power of two, `address` is out of range, or no address is high enough.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.align_forward(5000, 4096), vmem.align_forward(8192, 4096)\n"
             "(8192, 8192)");

static PyObject* align_forward(PyObject* Py_UNUSED(module), PyObject* const* args, Py_ssize_t num_args,
                               PyObject* keywords) {
    size_t address, align;
    if (parse_address("align_forward", args, num_args, keywords, &address, &align) < 0) return NULL;
    size_t aligned = vmem_align_forward(address, align);
    if (aligned < address)
        return PyErr_Format(PyExc_ValueError, "no multiple of %zu is at or above address %zu", align, address);
    return PyLong_FromSize_t(aligned);
}

PyDoc_STRVAR(align_backward_doc,
             "align_backward(address, align)\n--\n\n"
             "The last multiple of `align` at or below `address`.\n\n"
             "Parameters\n"
             "----------\n"
             "address : int\n"
             "    An address, offset or size in bytes, from 0 to the largest address.\n"
             "align : int\n"
             "    A power of two.\n\n"
             "Returns\n"
             "-------\n"
             "int\n\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    `align` is not a power of two, or `address` is out of range.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.align_backward(5000, 4096), vmem.align_backward(8192, 4096)\n"
             "(4096, 8192)");

static PyObject* align_backward(PyObject* Py_UNUSED(module), PyObject* const* args, Py_ssize_t num_args,
                                PyObject* keywords) {
    size_t address, align;
    if (parse_address("align_backward", args, num_args, keywords, &address, &align) < 0) return NULL;
    return PyLong_FromSize_t(vmem_align_backward(address, align));
}

PyDoc_STRVAR(is_aligned_doc,
             "is_aligned(address, align)\n--\n\n"
             "Whether `address` is a multiple of `align`.\n\n"
             "Parameters\n"
             "----------\n"
             "address : int\n"
             "    An address, offset or size in bytes, from 0 to the largest address.\n"
             "align : int\n"
             "    A power of two.\n\n"
             "Returns\n"
             "-------\n"
             "bool\n\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    `align` is not a power of two, or `address` is out of range.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.is_aligned(5000, 4096), vmem.is_aligned(8192, 4096)\n"
             "(False, True)");

static PyObject* is_aligned(PyObject* Py_UNUSED(module), PyObject* const* args, Py_ssize_t num_args,
                            PyObject* keywords) {
    size_t address, align;
    if (parse_address("is_aligned", args, num_args, keywords, &address, &align) < 0) return NULL;
    return PyBool_FromLong(vmem_is_aligned(address, align));
}

PyDoc_STRVAR(reserve_doc,
             "reserve(cls, num_bytes, alignment, huge_pages, name, /)\n--\n\n"
             "A new region of a class, which is Region or a subclass of it. Cheaper than calling the class.");

static PyObject* reserve(PyObject* module, PyObject* const* args, Py_ssize_t num_args) {
    ModuleState* state = PyModule_GetState(module);
    if (num_args != 5)
        return PyErr_Format(PyExc_TypeError, "reserve() takes exactly 5 arguments (%zd given)", num_args);
    if (!PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject*)args[0], state->region_type))
        return PyErr_Format(PyExc_TypeError, "%R is no type of regions", args[0]);
    ReserveArguments arguments = {args[1], args[2], args[3], args[4]};
    return region_reserve(state, (PyTypeObject*)args[0], &arguments);
}

PyDoc_STRVAR(get_memory_info_doc,
             "get_memory_info()\n--\n\n"
             "The machine's memory in bytes, as a tuple (total, available); 0 where the system does not tell.");

static PyObject* get_memory_info(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
    VmemMemoryInfo info;
    vmem_get_memory_info(&info);
    return Py_BuildValue("(KK)", (unsigned long long)info.total, (unsigned long long)info.available);
}

// Puts a number into a dict, or None for VMEM_UNLIMITED. Returns -1 with an exception.
static int put_number(PyObject* dict, const char* name, uint64_t number) {
    PyObject* object = number == VMEM_UNLIMITED ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(number);
    int status = object ? PyDict_SetItemString(dict, name, object) : -1;
    Py_XDECREF(object);
    return status;
}

PyDoc_STRVAR(get_limits_doc,
             "get_limits()\n--\n\n"
             "What this process may have, as a dict of ints; None stands for no limit. Sizes are in bytes.");

static PyObject* get_limits(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
    VmemLimits limits;
    PyObject* dict = PyDict_New();
    if (!dict) return NULL;
    vmem_get_limits(&limits);
    if (put_number(dict, "address_space_limit", limits.address_space_limit) < 0 ||
        put_number(dict, "address_space_used", limits.address_space_used) < 0 ||
        put_number(dict, "data_limit", limits.data_limit) < 0 || put_number(dict, "data_used", limits.data_used) < 0 ||
        put_number(dict, "commit_limit", limits.commit_limit) < 0 ||
        put_number(dict, "commit_used", limits.commit_used) < 0 ||
        put_number(dict, "largest_commit", limits.largest_commit) < 0 ||
        put_number(dict, "mapping_limit", limits.mapping_limit) < 0 ||
        put_number(dict, "mapping_used", limits.mapping_used) < 0)
        Py_CLEAR(dict);
    return dict;
}

PyDoc_STRVAR(set_map_maker_doc,
             "set_map_maker(maker, /)\n--\n\n"
             "Set what makes the maps that map() returns. It is called as\n"
             "maker(kind, name, address, size, page_size, used, cells, views).");

// The owner's types are C, and what people are shown is Python's business: it is called, but not known here.
static PyObject* set_map_maker(PyObject* module, PyObject* maker) {
    ModuleState* state = PyModule_GetState(module);
    PyObject* before = state->make_map;
    state->make_map = Py_NewRef(maker);
    Py_XDECREF(before);
    return Py_NewRef(Py_None);
}

PyDoc_STRVAR(
    rebuild_array_doc,
    "_rebuild_array(cls, typecode, layout, items, /)\n--\n\n"
    "Make an array again, for pickle: of numbers that lie in `items` as `layout`, a format of struct's, says.\n"
    "Pickles call it by this name.");

static PyMethodDef module_functions[] = {
    {"get_page_size", get_page_size, METH_NOARGS, get_page_size_doc},
    {"get_allocation_granularity", get_allocation_granularity, METH_NOARGS, get_allocation_granularity_doc},
    {"get_huge_page_size", get_huge_page_size, METH_NOARGS, get_huge_page_size_doc},
    {"align_forward", (PyCFunction)(void (*)(void))align_forward, METH_FASTCALL | METH_KEYWORDS, align_forward_doc},
    {"align_backward", (PyCFunction)(void (*)(void))align_backward, METH_FASTCALL | METH_KEYWORDS, align_backward_doc},
    {"is_aligned", (PyCFunction)(void (*)(void))is_aligned, METH_FASTCALL | METH_KEYWORDS, is_aligned_doc},
    {"reserve", (PyCFunction)(void (*)(void))reserve, METH_FASTCALL, reserve_doc},
    {"get_memory_info", get_memory_info, METH_NOARGS, get_memory_info_doc},
    {"get_limits", get_limits, METH_NOARGS, get_limits_doc},
    {"set_map_maker", set_map_maker, METH_O, set_map_maker_doc},
    {"_rebuild_array", (PyCFunction)(void (*)(void))array_rebuild, METH_FASTCALL, rebuild_array_doc},
    {NULL, NULL, 0, NULL},
};

// --- exec ---

PyDoc_STRVAR(out_of_memory_error_doc,
             "The system refused addresses, memory or a mapping.\n\n"
             "It is both an OSError, with `errno` ENOMEM, and a MemoryError. The message says what was tried, which\n"
             "limit was hit, what it is now and what can be done. The call that raised it has changed nothing, except\n"
             "where its documentation says so.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> try:\n"
             "...     vmem.reserve(1 << 62)\n"
             "... except MemoryError as error:\n"
             "...     print(type(error).__name__)\n"
             "OutOfMemoryError");

static int add_out_of_memory_error(PyObject* module, ModuleState* state) {
    PyObject* bases = PyTuple_Pack(2, PyExc_OSError, PyExc_MemoryError);
    if (!bases) return -1;
    state->out_of_memory_error =
        PyErr_NewExceptionWithDoc("vmem.OutOfMemoryError", out_of_memory_error_doc, bases, NULL);
    Py_DECREF(bases);
    return PyModule_AddObjectRef(module, "OutOfMemoryError", state->out_of_memory_error);
}

static int add_type(PyObject* module, PyTypeObject** type, PyType_Spec* spec, bool is_public) {
    *type = (PyTypeObject*)PyType_FromModuleAndSpec(module, spec, NULL);
    if (!*type) return -1;
    return is_public ? PyModule_AddType(module, *type) : 0;
}

static int module_exec(PyObject* module) {
    ModuleState* state = PyModule_GetState(module);
    state->audit = Py_XNewRef(PySys_GetObject("audit"));
    if (!state->audit) {
        PyErr_SetString(PyExc_RuntimeError, "sys.audit is missing");
        return -1;
    }
    if (add_out_of_memory_error(module, state) < 0) return -1;
    if (add_type(module, &state->pin_type, &pin_spec, false) < 0) return -1;
    if (add_type(module, &state->plain_pin_type, &plain_pin_spec, false) < 0) return -1;
    if (add_type(module, &state->array_iterator_type, &array_iterator_spec, false) < 0) return -1;
    if (add_type(module, &state->scope_type, &scope_spec, false) < 0) return -1;
    if (add_type(module, &state->region_type, &region_spec, true) < 0) return -1;
    if (add_type(module, &state->array_type, &array_spec, true) < 0) return -1;
    if (add_type(module, &state->arena_type, &arena_spec, true) < 0) return -1;
    return c_api_add(module);
}

static int module_traverse(PyObject* module, visitproc visit, void* arg) {
    ModuleState* state = PyModule_GetState(module);
    Py_VISIT(state->region_type);
    Py_VISIT(state->array_type);
    Py_VISIT(state->array_iterator_type);
    Py_VISIT(state->arena_type);
    Py_VISIT(state->scope_type);
    Py_VISIT(state->pin_type);
    Py_VISIT(state->plain_pin_type);
    Py_VISIT(state->out_of_memory_error);
    Py_VISIT(state->audit);
    Py_VISIT(state->make_map);
    return 0;
}

static int module_clear(PyObject* module) {
    ModuleState* state = PyModule_GetState(module);
    Py_CLEAR(state->region_type);
    Py_CLEAR(state->array_type);
    Py_CLEAR(state->array_iterator_type);
    Py_CLEAR(state->arena_type);
    Py_CLEAR(state->scope_type);
    Py_CLEAR(state->pin_type);
    Py_CLEAR(state->plain_pin_type);
    Py_CLEAR(state->out_of_memory_error);
    Py_CLEAR(state->audit);
    Py_CLEAR(state->make_map);
    return 0;
}

static void module_free(void* module) { module_clear(module); }

// --- init ---

// Filled once, in PyInit__vmem(): which slots an interpreter knows depends on its version, which a build for the
// stable ABI learns only when it runs.
static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},  // multiple interpreters
    {0, NULL},  // GIL
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "vmem._vmem",
    .m_doc = "The C part of vmem. Use vmem itself: this module is not for direct use and may change.",
    .m_size = sizeof(ModuleState),
    .m_methods = module_functions,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__vmem(void) {
    if (Py_Version >= 0x030C0000) {
        module_slots[1].slot = VMEM_SLOT_MULTIPLE_INTERPRETERS;
        module_slots[1].value = VMEM_PER_INTERPRETER_GIL;
    }
    if (Py_Version >= 0x030D0000) {
        module_slots[2].slot = VMEM_SLOT_GIL;
        module_slots[2].value = VMEM_GIL_NOT_USED;
    }
    return PyModuleDef_Init(&module_def);
}
