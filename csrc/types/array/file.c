#include "types/array/file.h"

#include "core/errors.h"
#include "python/arguments.h"
#include "types/array/place.h"
#include "types/array/sharing.h"
#include "types/array/storage.h"

// --- opening ---

typedef struct OpenArguments {
    PyTypeObject* python_type;
    RowType type;
    size_t handle;
    FileLayout layout;
    Py_ssize_t capacity;  // -1 for the default
    bool is_writer;
} OpenArguments;

static int convert_open_arguments(ModuleState* state, PyObject* const* args, OpenArguments* arguments) {
    static const SizeRange handles = {0, (size_t)PY_SSIZE_T_MAX, ""}, offsets = {0, PY_SSIZE_T_MAX / 4, " bytes"};
    FileLayout* layout = &arguments->layout;
    const ItemType* scalar;
    if (!PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject*)args[0], state->array_type))
        return raise_wrong_type(args[0], "the type", "a subclass of Array");
    for (int i = 6; i < 8; i++)
        if (!PyBytes_Check(args[i])) return raise_wrong_type(args[i], "a header", "bytes");
    arguments->python_type = (PyTypeObject*)args[0];
    layout->prefix = args[6];
    layout->suffix = args[7];
    if (convert_size_in_range(args[1], "a descriptor", handles, &arguments->handle) < 0) return -1;
    if (convert_typecode(args[2], "open_array", &scalar) < 0) return -1;
    if (rows_convert_type(scalar, args[3], &arguments->type) < 0) return -1;
    SizeRange lengths = {0, (size_t)(PY_SSIZE_T_MAX / 4 / arguments->type.size), " items"};
    if (convert_size_in_range(args[4], "the offset of items", offsets, &layout->item_offset) < 0) return -1;
    if (convert_size_in_range(args[5], "the length", lengths, &layout->length) < 0) return -1;
    arguments->capacity = -1;
    if (args[8] != Py_None && place_convert_capacity(&arguments->type, args[8], &arguments->capacity) < 0) return -1;
    arguments->is_writer = PyObject_IsTrue(args[9]) == 1;
    layout->item_size = (size_t)arguments->type.size;
    return PyErr_Occurred() ? -1 : 0;
}

static Array* open_file(ModuleState* state, OpenArguments* arguments, Py_ssize_t capacity) {
    FileLayout* layout = &arguments->layout;
    if (place_audit(state, arguments->python_type, &arguments->type, capacity) < 0) return NULL;
    layout->max_bytes = layout->item_offset + (size_t)capacity * layout->item_size;
    if (layout->max_bytes == 0) layout->max_bytes = 1;
    FileMemory* file = file_memory_open((intptr_t)arguments->handle, layout, arguments->is_writer);
    return file ? array_new_file(state, arguments->python_type, &arguments->type, capacity, file,
                                 (Py_ssize_t)layout->length)
                : NULL;
}

// How many items the number in the header has room for.
static Py_ssize_t find_most_items(const FileLayout* layout) {
    Py_ssize_t most = PY_SSIZE_T_MAX / 4 / (Py_ssize_t)layout->item_size, power = 1;
    size_t used = (size_t)PyBytes_Size(layout->prefix) + (size_t)PyBytes_Size(layout->suffix) + 1;
    if (used == 1) return most;
    for (; used < layout->item_offset; used++) {
        if (power > most / 10) return most;
        power *= 10;
    }
    return power - 1;
}

// A file that is being written is longer than what was flushed, which is what a reader needs room for.
static void leave_out_unflushed(OpenArguments* arguments) {
    FileLayout* layout = &arguments->layout;
    size_t size, end = layout->item_offset + layout->length * layout->item_size;
    VmemObject object;
    size_t max_bytes = vmem_align_forward(end, vmem_get_allocation_granularity());
    if (vmem_object_from_file(&object, (intptr_t)arguments->handle, max_bytes) != VMEM_SUCCESS) return;
    if (vmem_object_get_published(&object, &size) == VMEM_SUCCESS && size >= layout->item_offset && size < end)
        layout->length = (size - layout->item_offset) / layout->item_size;
    vmem_object_close(&object);
}

// A file has the default addresses of so many arrays: with 32 bits those of one are 1 MiB, so that there can be thousands.
#define DEFAULT_SHARES (SIZE_MAX > UINT32_MAX ? 1 : 16)

static PyObject* open_array(ModuleState* state, OpenArguments* arguments) {
    if (!arguments->is_writer && arguments->capacity >= 0 && arguments->layout.length > (size_t)arguments->capacity)
        leave_out_unflushed(arguments);
    Py_ssize_t length = (Py_ssize_t)arguments->layout.length, capacity = arguments->capacity;
    Py_ssize_t most = find_most_items(&arguments->layout);
    bool is_default = capacity < 0;
    if (is_default) capacity = DEFAULT_SHARES * place_choose_default(state, &arguments->type, length / DEFAULT_SHARES);
    if (is_default && capacity < 0) return NULL;
    if (is_default) capacity = length < most - capacity ? capacity + length : most;
    if (capacity > most)
        return PyErr_Format(PyExc_ValueError, "capacity must be at most %zd here, got %zd", most, capacity);
    if (capacity < length)
        return PyErr_Format(PyExc_ValueError, "capacity must be at least %zd, as many items as the file has, got %zd",
                            length, capacity);
    Array* array = open_file(state, arguments, capacity);
    if (!array && is_default && place_has_smaller_default(state, &arguments->type, &capacity, length))
        array = open_file(state, arguments, capacity);
    return (PyObject*)array;
}

// What vmem.open_array() calls. Duplicates the descriptor.
const char file_open_array_doc[] = PyDoc_STR(
    "_open_array(array_type, fd, typecode, row_shape, item_offset, length, prefix, suffix, capacity, writable, "
    "/)\n--\n\n");

PyObject* file_open_array(PyObject* module, PyObject* const* args, Py_ssize_t num_args) {
    ModuleState* state = PyModule_GetState(module);
    OpenArguments arguments;
    if (num_args != 10)
        return PyErr_Format(PyExc_TypeError, "_open_array() takes exactly 10 arguments (%zd given)", num_args);
    if (module_check_loaded(state) < 0 || convert_open_arguments(state, args, &arguments) < 0) return NULL;
    if (module_check_loaded(state) < 0) return NULL;
    return open_array(state, &arguments);
}

// --- using ---

// NULL with TypeError for anything but an array that is a file.
static Array* check_file(PyObject* object) {
    if (array_check(object) && ((Array*)object)->place && ((Array*)object)->place->file) return (Array*)object;
    raise_wrong_type(object, "the array", "a FileArray");
    return NULL;
}

static int raise_closed(void) {
    PyErr_SetString(PyExc_ValueError, "the file of this array is closed");
    return -1;
}

// The caller holds the array's lock.
static int settle(Array* array, VmemObject* object, bool is_durable, bool is_last) {
    FileMemory* file = array->place->file;
    if (!file->is_open) return raise_closed();
    *object = file->object;
    if (array->role != ARRAY_FILE) return 0;
    if (is_durable && file_memory_check_size(file) < 0) return -1;
    if (file_memory_settle(file, &array->place->reservation, (size_t)array->length, is_last) < 0) return -1;
    array->num_allocated = array->length;
    array->place->high_water = file->size;
    return 0;
}

// The file stays open meanwhile, as its num_waiting says.
static int wait_for_disk(Array* array, const VmemObject* object, bool is_durable) {
    VmemResult result;
    int error;
    Py_BEGIN_ALLOW_THREADS
    result = file_memory_sync(object, &array->place->reservation, is_durable);
    error = system_error();
    Py_END_ALLOW_THREADS
    Py_BEGIN_CRITICAL_SECTION(array);
    file_memory_end_wait(array->place->file, array->place->exported_end > 0);
    Py_END_CRITICAL_SECTION();
    if (result == VMEM_SUCCESS) return 0;
    return file_memory_raise(PyUnicode_FromString("cannot flush a file"), result, error);
}

// Makes the size and the header of its file exact, and durable if it must be.
const char file_flush_array_doc[] = PyDoc_STR("_flush_array(array, durable, /)\n--\n\n");

PyObject* file_flush_array(PyObject* Py_UNUSED(module), PyObject* const* args, Py_ssize_t num_args) {
    VmemObject object;
    int status, is_durable;
    bool waits;
    if (num_args != 2)
        return PyErr_Format(PyExc_TypeError, "_flush_array() takes exactly 2 arguments (%zd given)", num_args);
    Array* array = check_file(args[0]);
    if (!array || (is_durable = PyObject_IsTrue(args[1])) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(array);
    waits = array->role == ARRAY_FILE && (is_durable || !array->place->file->publishes);
    status = settle(array, &object, is_durable, false);
    if (status < 0) waits = false;
    if (waits) array->place->file->num_waiting++;
    Py_END_CRITICAL_SECTION();
    if (waits) status = wait_for_disk(array, &object, is_durable);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

// Returns false when it must stay open, because a call in progress uses what would be cut off. Whatever else fails, it is
// closed.
static bool finish(Array* array, VmemObject* object, bool* is_writer, int* status) {
    Reservation* reservation = &array->place->reservation;
    *status = 0;
    *is_writer = array->role == ARRAY_FILE;
    if (!*is_writer) return true;
    if (busy_check_changeable(&reservation->busy, (Pages){0, reservation->size}, "close") < 0) return false;
    *status = settle(array, object, true, true);
    if (*status == 0) *status = file_memory_make_exact(array->place->file, reservation, array->place->exported_end > 0);
    place_limit_to_mapped(array);
    array->role = ARRAY_CLOSED;
    array->num_allocated = 0;
    return true;
}

// Flushes its file, and closes it. Does nothing when it is closed.
const char file_close_array_doc[] = PyDoc_STR("_close_array(array, /)\n--\n\n");

PyObject* file_close_array(PyObject* Py_UNUSED(module), PyObject* file_array) {
    VmemObject object;
    bool is_writer, is_finished, waits;
    int status;
    Array* array = check_file(file_array);
    if (!array) return NULL;
    Py_BEGIN_CRITICAL_SECTION(array);
    is_finished = finish(array, &object, &is_writer, &status);
    waits = is_finished && is_writer && status == 0;
    if (waits) array->place->file->num_waiting++;
    Py_END_CRITICAL_SECTION();
    if (!is_finished) return NULL;
    if (waits) status = wait_for_disk(array, &object, true);
    Py_BEGIN_CRITICAL_SECTION(array);
    file_memory_close(array->place->file, array->place->exported_end > 0);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

// The descriptor or HANDLE of its file.
const char file_get_descriptor_doc[] = PyDoc_STR("_get_descriptor(array, /)\n--\n\n");

PyObject* file_get_descriptor(PyObject* Py_UNUSED(module), PyObject* object) {
    Array* array = check_file(object);
    intptr_t handle = -1;
    if (!array) return NULL;
    Py_BEGIN_CRITICAL_SECTION(array);
    if (array->place->file->is_open) handle = array->place->file->object.handle;
    Py_END_CRITICAL_SECTION();
    if (handle != -1) return PyLong_FromSsize_t((Py_ssize_t)handle);
    raise_closed();
    return NULL;
}
