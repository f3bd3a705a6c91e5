#include "types/array/dlpack.h"

#include <limits.h>
#include <stdlib.h>

#include "python/arguments.h"
#include "types/array/export.h"
#include "types/array/sharing.h"
#include "types/dlpack.h"

#define NAME "dltensor"
#define VERSIONED_NAME "dltensor_versioned"

// --- arguments ---

typedef struct Wish {
    bool is_versioned;
    bool copies;
} Wish;

// A tuple of two integers. Numbers that no long can hold become the nearest that one can.
static int convert_pair(PyObject* object, const char* what, long numbers[2]) {
    if (!PyTuple_Check(object) || PyTuple_Size(object) != 2) {
        PyErr_Format(PyExc_TypeError, "%s must be a tuple of two integers, got %R", what, object);
        return -1;
    }
    for (Py_ssize_t i = 0; i < 2; i++) {
        int overflow;
        PyObject* number = PyNumber_Index(PyTuple_GetItem(object, i));
        if (!number) return -1;
        numbers[i] = PyLong_AsLongAndOverflow(number, &overflow);
        Py_DECREF(number);
        if (overflow) numbers[i] = overflow > 0 ? LONG_MAX : LONG_MIN;
    }
    return 0;
}

static int check_stream(PyObject* stream) {
    if (!stream || stream == Py_None) return 0;
    PyErr_Format(PyExc_ValueError, "stream must be None: this is memory of the CPU, which has no streams, got %R",
                 stream);
    return -1;
}

static int check_device(PyObject* device) {
    long numbers[2];
    if (!device || device == Py_None) return 0;
    if (convert_pair(device, "dl_device", numbers) < 0) return -1;
    if (numbers[0] == DLPACK_CPU && numbers[1] == 0) return 0;
    PyErr_Format(PyExc_BufferError, "cannot export memory of the CPU, device (%d, 0), to device %R", DLPACK_CPU,
                 device);
    return -1;
}

static int convert_version(PyObject* version, bool* is_versioned) {
    long numbers[2] = {0, 0};
    if (version && version != Py_None && convert_pair(version, "max_version", numbers) < 0) return -1;
    *is_versioned = numbers[0] >= 1;
    return 0;
}

static int convert_copy(PyObject* copy, bool* copies) {
    int is_true = copy ? PyObject_IsTrue(copy) : 0;
    *copies = is_true > 0;
    return is_true < 0 ? -1 : 0;
}

static int parse_wish(PyObject* const* args, Py_ssize_t num_args, PyObject* keywords, Wish* wish) {
    static const Signature signature = {"__dlpack__", 4, 0, {"stream", "max_version", "dl_device", "copy"}};
    PyObject* parsed[4];
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return -1;
    if (check_stream(parsed[0]) < 0) return -1;
    if (convert_version(parsed[1], &wish->is_versioned) < 0) return -1;
    if (check_device(parsed[2]) < 0) return -1;
    return convert_copy(parsed[3], &wish->copies);
}

// --- the tensor ---

typedef struct TensorExport {
    union {
        DLManagedTensor unversioned;
        DLManagedTensorVersioned versioned;
    } managed;
    NativeHold* hold;  // NULL until the tensor is filled
    int64_t shape[1 + MAX_ROW_DIMS];
    int64_t strides[1 + MAX_ROW_DIMS];  // in numbers
} TensorExport;

// Run on any thread, without the GIL.
static void end_export(TensorExport* export) {
    if (export->hold) native_hold_end(export->hold);
    free(export);
}

static void delete_unversioned(DLManagedTensor* tensor) { end_export(tensor->manager_ctx); }

static void delete_versioned(DLManagedTensorVersioned* tensor) { end_export(tensor->manager_ctx); }

// A consumer has renamed the capsule, and calls the deleter itself.
static void destroy_unversioned(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, NAME)) return;
    DLManagedTensor* tensor = PyCapsule_GetPointer(capsule, NAME);
    tensor->deleter(tensor);
}

static void destroy_versioned(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, VERSIONED_NAME)) return;
    DLManagedTensorVersioned* tensor = PyCapsule_GetPointer(capsule, VERSIONED_NAME);
    tensor->deleter(tensor);
}

static PyObject* make_unversioned(TensorExport* export) {
    export->managed.unversioned.manager_ctx = export;
    export->managed.unversioned.deleter = delete_unversioned;
    return PyCapsule_New(export, NAME, destroy_unversioned);
}

static PyObject* make_versioned(TensorExport* export, bool is_copied) {
    export->managed.versioned.version = (DLPackVersion){1, 0};
    export->managed.versioned.manager_ctx = export;
    export->managed.versioned.deleter = delete_versioned;
    export->managed.versioned.flags = is_copied ? DLPACK_FLAG_IS_COPIED : 0;
    return PyCapsule_New(export, VERSIONED_NAME, destroy_versioned);
}

static DLDataType describe_type(const ItemType* type) {
    uint8_t code = !type->is_integer ? DLPACK_FLOAT : item_type_is_signed(type) ? DLPACK_INT : DLPACK_UINT;
    return (DLDataType){code, (uint8_t)(8 * type->size), 1};
}

// Only the structs of version 1 can say that a tensor must not be written.
static int set_readonly(TensorExport* export, const Wish* wish) {
    if (wish->is_versioned) {
        export->managed.versioned.flags |= DLPACK_FLAG_READ_ONLY;
        return 0;
    }
    PyErr_SetString(PyExc_BufferError, "cannot export read-only items without max_version=(1, 0) or more");
    return -1;
}

static void set_shape(TensorExport* export, Py_ssize_t length, const RowType* type) {
    int64_t stride = 1;
    for (int i = type->num_dims; i >= 0; i--) {
        export->shape[i] = i > 0 ? type->shape[i - 1] : length;
        export->strides[i] = stride;
        stride *= export->shape[i];
    }
}

static int fill(TensorExport* export, const Wish* wish, Array* array) {
    DLTensor* tensor =
        wish->is_versioned ? &export->managed.versioned.dl_tensor : &export->managed.unversioned.dl_tensor;
    ExportedItems exported;
    if (array_export_items(array, &exported) < 0) return -1;
    export->hold = exported.hold;
    if (exported.is_readonly && set_readonly(export, wish) < 0) return -1;
    set_shape(export, exported.length, array->type);
    tensor->data = exported.length > 0 ? exported.items : NULL;
    tensor->device = (DLDevice){DLPACK_CPU, 0};
    tensor->ndim = 1 + array->type->num_dims;
    tensor->dtype = describe_type(array->type->scalar);
    tensor->shape = export->shape;
    tensor->strides = export->strides;
    return 0;
}

// What can start a garbage collection comes before the items are looked at.
static PyObject* export_tensor(Array* array, const Wish* wish) {
    if (array_reserve(array) < 0) return NULL;
    TensorExport* export = calloc(1, sizeof(*export));
    if (!export) return PyErr_NoMemory();
    PyObject* capsule = wish->is_versioned ? make_versioned(export, wish->copies) : make_unversioned(export);
    if (!capsule) {
        free(export);
        return NULL;
    }
    if (fill(export, wish, array) < 0) Py_CLEAR(capsule);
    return capsule;
}

// A copy in memory of its own, of which no more is reserved than it needs.
static Array* copy_items(Array* array) {
    ModuleState* state = array_find_state(array);
    Py_ssize_t length = array_load_length(array);
    int status;
    Array* copy = state ? array_new(state, state->array_type, array->type, length, 0) : NULL;
    if (!copy) return NULL;
    Py_BEGIN_CRITICAL_SECTION2(copy, array);
    if (length > array->length) length = array->length;  // an audit hook, or another thread, has made it shorter
    status = array_splice(copy, 0, 0, array->items, length);
    Py_END_CRITICAL_SECTION2();
    if (status < 0) Py_CLEAR(copy);
    return copy;
}

PyObject* array_to_dlpack(Array* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    Wish wish;
    if (parse_wish(args, num_args, keywords, &wish) < 0) return NULL;
    if (!wish.copies) return export_tensor(self, &wish);
    Array* copy = copy_items(self);
    PyObject* capsule = copy ? export_tensor(copy, &wish) : NULL;
    Py_XDECREF((PyObject*)copy);
    return capsule;
}

PyObject* array_to_dlpack_device(Array* Py_UNUSED(self), PyObject* Py_UNUSED(ignored)) {
    return Py_BuildValue("(ii)", DLPACK_CPU, 0);
}
