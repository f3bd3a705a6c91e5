#include "python/functions.h"

#include "python/arguments.h"
#include "python/module.h"
#include "vmem.h"

const char functions_get_page_size_doc[] = PyDoc_STR(
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

PyObject* functions_get_page_size(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
    return PyLong_FromSize_t(vmem_get_page_size());
}

const char functions_get_allocation_granularity_doc[] = PyDoc_STR(
    "get_allocation_granularity()\n--\n\n"
    "Reservations begin at multiples of this number of bytes, a power of two.\n\n"
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

PyObject* functions_get_allocation_granularity(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
    return PyLong_FromSize_t(vmem_get_allocation_granularity());
}

const char functions_get_huge_page_size_doc[] = PyDoc_STR(
    "get_huge_page_size()\n--\n\n"
    "The size in bytes of the huge pages that this system can use for ordinary memory.\n\n"
    "Returns\n"
    "-------\n"
    "int\n"
    "    2097152 on most Linux machines, 0 where there are none.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> vmem.get_huge_page_size() % vmem.get_page_size()\n"
    "0");

PyObject* functions_get_huge_page_size(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
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

const char functions_align_forward_doc[] = PyDoc_STR(
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

PyObject* functions_align_forward(PyObject* Py_UNUSED(module), PyObject* const* args, Py_ssize_t num_args,
                                  PyObject* keywords) {
    size_t address, align;
    if (parse_address("align_forward", args, num_args, keywords, &address, &align) < 0) return NULL;
    size_t aligned = vmem_align_forward(address, align);
    if (aligned < address)
        return PyErr_Format(PyExc_ValueError, "no multiple of %zu is at or above address %zu", align, address);
    return PyLong_FromSize_t(aligned);
}

const char functions_align_backward_doc[] = PyDoc_STR(
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

PyObject* functions_align_backward(PyObject* Py_UNUSED(module), PyObject* const* args, Py_ssize_t num_args,
                                   PyObject* keywords) {
    size_t address, align;
    if (parse_address("align_backward", args, num_args, keywords, &address, &align) < 0) return NULL;
    return PyLong_FromSize_t(vmem_align_backward(address, align));
}

const char functions_is_aligned_doc[] = PyDoc_STR(
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

PyObject* functions_is_aligned(PyObject* Py_UNUSED(module), PyObject* const* args, Py_ssize_t num_args,
                               PyObject* keywords) {
    size_t address, align;
    if (parse_address("is_aligned", args, num_args, keywords, &address, &align) < 0) return NULL;
    return PyBool_FromLong(vmem_is_aligned(address, align));
}

const char functions_get_memory_info_doc[] = PyDoc_STR(
    "get_memory_info()\n--\n\n"
    "The machine's memory in bytes, as a tuple (total, available); 0 where the system does not report it.");

PyObject* functions_get_memory_info(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
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

const char functions_get_limits_doc[] = PyDoc_STR(
    "get_limits()\n--\n\n"
    "The limits of this process and their use, as a dict of ints; None stands for no limit. Sizes are in bytes.");

PyObject* functions_get_limits(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(ignored)) {
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

const char functions_set_map_maker_doc[] = PyDoc_STR(
    "set_map_maker(maker, /)\n--\n\n"
    "Set the callable that makes what map() returns. It is called as\n"
    "maker(kind, name, address, size, page_size, used, extents, views).");

// The Python layer makes the objects that map() returns. The extension does not import it, but is given the callable.
PyObject* functions_set_map_maker(PyObject* module, PyObject* maker) {
    ModuleState* state = PyModule_GetState(module);
    PyObject* before = state->make_map;
    state->make_map = Py_NewRef(maker);
    Py_XDECREF(before);
    return Py_NewRef(Py_None);
}
