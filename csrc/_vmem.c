// The extension module vmem._vmem: its table of functions, exec and init. Where things are:
//
//   vmem.h      all calls to the operating system; compiled into this file
//   python/     what CPython needs and reservations do not: versions, arguments, module state, small functions
//   core/       what types are made of: records of committed and exported bytes, reservations, operations on pages
//   types/      the public types Region, Array, Arena, Ring and Table; sharing and attaching them; the C API for others
//
// Includes and calls only go down: from _vmem.c to types, core, python and vmem.h.
#include "core/views.h"
#include "python/functions.h"
#include "python/module.h"
#include "types/arena/scope.h"
#include "types/arena/type.h"
#include "types/array/file.h"
#include "types/array/pickling.h"
#include "types/array/sequence.h"
#include "types/array/storage.h"
#include "types/array/type.h"
#include "types/attach.h"
#include "types/c_api.h"
#include "types/region.h"
#include "types/ring/producer.h"
#include "types/ring/sequence.h"
#include "types/ring/type.h"
#include "types/sharing.h"
#include "types/table/column.h"
#include "types/table/rows.h"
#include "types/table/type.h"
#define VMEM_IMPLEMENTATION
#include "vmem.h"

// --- functions ---

static PyMethodDef module_functions[] = {
    {"get_page_size", functions_get_page_size, METH_NOARGS, functions_get_page_size_doc},
    {"get_allocation_granularity", functions_get_allocation_granularity, METH_NOARGS,
     functions_get_allocation_granularity_doc},
    {"get_huge_page_size", functions_get_huge_page_size, METH_NOARGS, functions_get_huge_page_size_doc},
    {"align_forward", AS_KEYWORDS(functions_align_forward), functions_align_forward_doc},
    {"align_backward", AS_KEYWORDS(functions_align_backward), functions_align_backward_doc},
    {"is_aligned", AS_KEYWORDS(functions_is_aligned), functions_is_aligned_doc},
    {"reserve", AS_FASTCALL(region_reserve_function), region_reserve_doc},
    {"attach", AS_FASTCALL(attach_function), attach_function_doc},
    {"get_memory_info", functions_get_memory_info, METH_NOARGS, functions_get_memory_info_doc},
    {"get_limits", functions_get_limits, METH_NOARGS, functions_get_limits_doc},
    {"set_map_maker", functions_set_map_maker, METH_O, functions_set_map_maker_doc},
    {"set_row_type_maker", table_set_row_type_maker, METH_O, table_set_row_type_maker_doc},
    {"set_sharing_hook", sharing_set_hook, METH_O, sharing_set_hook_doc},
    {"_change_in_child", sharing_change_in_child, METH_NOARGS, sharing_change_in_child_doc},
    {"_make_fork_handler", sharing_make_fork_handler, METH_NOARGS, sharing_make_fork_handler_doc},
    {"_open_array", AS_FASTCALL(file_open_array), file_open_array_doc},
    {"_flush_array", AS_FASTCALL(file_flush_array), file_flush_array_doc},
    {"_close_array", file_close_array, METH_O, file_close_array_doc},
    {"_get_descriptor", file_get_descriptor, METH_O, file_get_descriptor_doc},
    {"_rebuild_array", AS_FASTCALL(array_rebuild), array_rebuild_doc},
    {NULL, NULL, 0, NULL},
};

// --- exec ---

PyDoc_STRVAR(out_of_memory_error_doc,
             "The system refused addresses, memory or a mapping.\n\n"
             "It is both an OSError, with `errno` ENOMEM, and a MemoryError. The message names the request,\n"
             "the limit that was hit, its value and a remedy. The call that raised it has changed nothing, except\n"
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
    fork_list_init(&state->sharing.forks);
    state->sharing.process = get_process_id();
    state->audit = Py_XNewRef(PySys_GetObject("audit"));
    if (!state->audit) {
        PyErr_SetString(PyExc_RuntimeError, "sys.audit is missing");
        return -1;
    }
    state->reserve_event = PyUnicode_InternFromString("vmem.reserve");
    if (!state->reserve_event) return -1;
    if (add_out_of_memory_error(module, state) < 0) return -1;
    if (add_type(module, &state->pin_type, &pin_spec, false) < 0) return -1;
    if (add_type(module, &state->untracked_pin_type, &untracked_pin_spec, false) < 0) return -1;
    if (add_type(module, &state->array_iterator_type, &array_iterator_spec, false) < 0) return -1;
    if (add_type(module, &state->scope_type, &scope_spec, false) < 0) return -1;
    if (add_type(module, &state->region_type, &region_spec, true) < 0) return -1;
    if (add_type(module, &state->array_type, &array_spec, true) < 0) return -1;
    if (add_type(module, &state->arena_type, &arena_spec, true) < 0) return -1;
    if (add_type(module, &state->table_type, &table_spec, true) < 0) return -1;
    if (add_type(module, &state->column_type, &column_spec, true) < 0) return -1;
    if (add_type(module, &state->rows_type, &rows_spec, true) < 0) return -1;
    if (add_type(module, &state->ring_iterator_type, &ring_iterator_spec, false) < 0) return -1;
    if (add_type(module, &state->ring_claim_type, &ring_claim_spec, false) < 0) return -1;
    if (add_type(module, &state->ring_type, &ring_spec, true) < 0) return -1;
    if (PyModule_AddIntConstant(module, "ARRAY_HEAP_BYTES", VMEM_ARRAY_HEAP_BYTES) < 0) return -1;
    state->rebuild_array = PyObject_GetAttrString(module, "_rebuild_array");
    if (!state->rebuild_array) return -1;
    return c_api_add(module);
}

static int module_traverse(PyObject* module, visitproc visit, void* arg) {
    ModuleState* state = PyModule_GetState(module);
    Py_VISIT(state->region_type);
    Py_VISIT(state->array_type);
    Py_VISIT(state->array_iterator_type);
    Py_VISIT(state->arena_type);
    Py_VISIT(state->scope_type);
    Py_VISIT(state->table_type);
    Py_VISIT(state->column_type);
    Py_VISIT(state->rows_type);
    Py_VISIT(state->ring_type);
    Py_VISIT(state->ring_iterator_type);
    Py_VISIT(state->ring_claim_type);
    Py_VISIT(state->pin_type);
    Py_VISIT(state->untracked_pin_type);
    Py_VISIT(state->out_of_memory_error);
    Py_VISIT(state->audit);
    Py_VISIT(state->reserve_event);
    Py_VISIT(state->make_map);
    Py_VISIT(state->make_row_type);
    Py_VISIT(state->rebuild_array);
    Py_VISIT(state->sharing.hook);
    Py_VISIT(state->sharing.prepared_type);
    return 0;
}

static int module_clear(PyObject* module) {
    ModuleState* state = PyModule_GetState(module);
    Py_CLEAR(state->region_type);
    Py_CLEAR(state->array_type);
    Py_CLEAR(state->array_iterator_type);
    Py_CLEAR(state->arena_type);
    Py_CLEAR(state->scope_type);
    Py_CLEAR(state->table_type);
    Py_CLEAR(state->column_type);
    Py_CLEAR(state->rows_type);
    Py_CLEAR(state->ring_type);
    Py_CLEAR(state->ring_iterator_type);
    Py_CLEAR(state->ring_claim_type);
    Py_CLEAR(state->pin_type);
    Py_CLEAR(state->untracked_pin_type);
    Py_CLEAR(state->out_of_memory_error);
    Py_CLEAR(state->audit);
    Py_CLEAR(state->reserve_event);
    Py_CLEAR(state->make_map);
    Py_CLEAR(state->make_row_type);
    Py_CLEAR(state->rebuild_array);
    Py_CLEAR(state->sharing.hook);
    Py_CLEAR(state->sharing.prepared_type);
    return 0;
}

static void module_free(void* module) {
    ModuleState* state = PyModule_GetState(module);
    module_clear(module);
    fork_list_clear(&state->sharing.forks);
}

// --- init ---

// The slots of all versions. PyInit__vmem() appends those that the running interpreter supports, which a build for the
// stable ABI can only find out at run time. This and the counters in mapping_budget.c are the only mutable statics.
#define NUM_COMMON_SLOTS 1
#define NUM_VERSION_SLOTS 2

static PyModuleDef_Slot module_slots[NUM_COMMON_SLOTS + NUM_VERSION_SLOTS + 1] = {
    {Py_mod_exec, module_exec},
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

#define PYTHON_3_12 0x030C0000
#define PYTHON_3_13 0x030D0000

PyMODINIT_FUNC PyInit__vmem(void) {
    PyModuleDef_Slot* next = module_slots + NUM_COMMON_SLOTS;
    if (Py_Version >= PYTHON_3_12)
        *next++ = (PyModuleDef_Slot){VMEM_SLOT_MULTIPLE_INTERPRETERS, VMEM_PER_INTERPRETER_GIL};
    if (Py_Version >= PYTHON_3_13) *next++ = (PyModuleDef_Slot){VMEM_SLOT_GIL, VMEM_GIL_NOT_USED};
    return PyModuleDef_Init(&module_def);
}
