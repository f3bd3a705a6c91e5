#include "types/array/methods.h"

#include "types/array/filling.h"

#include "python/arguments.h"
#include "core/snapshot.h"
#include "types/array/place.h"
#include "types/array/sequence.h"
#include "types/array/sharing.h"
#include "types/sharing.h"

static PyObject* none_unless(bool failed) { return failed ? NULL : Py_NewRef(Py_None); }

// Converts an integer argument, with the errors of array.array.
static int convert_ssize(PyObject* object, Py_ssize_t* result) {
    PyObject* number = PyNumber_Index(object);
    if (!number) return -1;
    *result = PyLong_AsSsize_t(number);
    Py_DECREF(number);
    return *result == -1 && PyErr_Occurred() ? -1 : 0;
}

// --- adding ---

PyObject* array_append(Array* self, PyObject* object) { return none_unless(array_append_object(self, object) < 0); }

PyObject* array_extend_method(Array* self, PyObject* iterable) { return none_unless(array_extend(self, iterable) < 0); }

PyObject* array_insert(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    char small[SMALL_ROW];
    Py_ssize_t index;
    if (num_args != 2) return PyErr_Format(PyExc_TypeError, "insert expected 2 arguments, got %zd", num_args);
    if (convert_ssize(args[0], &index) < 0) return NULL;
    char* item = row_convert(self->type, small, args[1]);
    if (!item) return NULL;
    int status = array_prepare_growth(self, 1);
    if (status == 0) status = array_check_rearrangeable(self, "insert()");
    if (status == 0) {
        Py_BEGIN_CRITICAL_SECTION(self);
        if (index < 0) index = index + self->length < 0 ? 0 : index + self->length;
        if (index > self->length) index = self->length;
        status = array_splice(self, index, 0, item, 1);
        Py_END_CRITICAL_SECTION();
    }
    row_free(item, small);
    return none_unless(status < 0);
}

// Converts into a copy first: converting can run Python code, and an array must not be seen half filled.
PyObject* array_fromlist(Array* self, PyObject* list) {
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "arg must be list");
        return NULL;
    }
    Py_ssize_t num_items = PyList_Size(list), size = self->type->size;
    char* items = PyMem_Calloc((size_t)num_items + 1, (size_t)size);
    int status = 0;
    if (!items) return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < num_items && status == 0; i++) {
        PyObject* object = list_get_item(list, i);
        status = object ? rows_set(self->type, items + i * size, object) : -1;
        Py_XDECREF(object);
        if (status == 0 && PyList_Size(list) != num_items) {
            PyErr_SetString(PyExc_RuntimeError, "list changed size during iteration");
            status = -1;
        }
    }
    if (status == 0) status = array_append_memory(self, items, num_items);
    PyMem_Free(items);
    return none_unless(status < 0);
}

// --- removing ---

// The item at an index, which counts from the end when it is negative. NULL with a problem for an IndexError.
static char* find_item(const Array* self, Py_ssize_t index, const char** problem) {
    if (index < 0) index += self->length;
    bool is_there = index >= 0 && index < self->length;
    *problem = self->length == 0 ? "pop from empty array" : is_there ? NULL : "pop index out of range";
    return *problem ? NULL : array_item(self, index);
}

static int copy_popped(Array* self, Py_ssize_t index, char* copy) {
    const char* problem;
    Py_BEGIN_CRITICAL_SECTION(self);
    const char* item = find_item(self, index, &problem);
    if (item) memcpy(copy, item, (size_t)self->type->size);
    Py_END_CRITICAL_SECTION();
    if (problem) PyErr_SetString(PyExc_IndexError, problem);
    return problem ? -1 : 0;
}

// Returns 0 when another item is there by now.
static int remove_popped(Array* self, Py_ssize_t index, const char* copy) {
    const char* problem;
    size_t size = (size_t)self->type->size;
    int status = 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    const char* item = find_item(self, index, &problem);
    if (item && memcmp(item, copy, size) == 0)
        status = array_splice(self, (item - self->items) / (Py_ssize_t)size, 1, NULL, 0) < 0 ? -1 : 1;
    Py_END_CRITICAL_SECTION();
    return status;
}

// The object is made before the item goes, since there may be no memory for it. Making it can run Python code, which may
// change the array.
static PyObject* pop_item(Array* self, Py_ssize_t index, char* copy) {
    while (copy_popped(self, index, copy) == 0) {
        PyObject* object = rows_get(self->type, copy);
        int status = object ? remove_popped(self, index, copy) : -1;
        if (status > 0) return object;
        Py_XDECREF(object);
        if (status < 0) break;
    }
    return NULL;
}

PyObject* array_pop(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    char small[SMALL_ROW];
    Py_ssize_t index = -1;
    if (num_args > 1) return PyErr_Format(PyExc_TypeError, "pop expected at most 1 argument, got %zd", num_args);
    if (num_args == 1 && convert_ssize(args[0], &index) < 0) return NULL;
    if (array_check_rearrangeable(self, "pop()") < 0) return NULL;
    char* copy = row_new(self->type, small);
    if (!copy) return NULL;
    PyObject* object = pop_item(self, index, copy);
    row_free(copy, small);
    return object;
}

// --- searching ---

static int convert_bound(Array* self, PyObject* object, Py_ssize_t* bound) {
    if (!PyIndex_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "slice indices must be integers or have an __index__ method");
        return -1;
    }
    *bound = PyNumber_AsSsize_t(object, NULL);
    if (*bound == -1 && PyErr_Occurred()) return -1;
    if (*bound < 0) *bound = *bound + self->length < 0 ? 0 : *bound + self->length;
    return 0;
}

PyObject* array_index(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    Py_ssize_t index = 0, stop = PY_SSIZE_T_MAX;
    if (num_args < 1 || num_args > 3)
        return PyErr_Format(PyExc_TypeError, "index expected from 1 to 3 arguments, got %zd", num_args);
    array_load_length(self);
    if (num_args > 1 && convert_bound(self, args[1], &index) < 0) return NULL;
    if (num_args > 2 && convert_bound(self, args[2], &stop) < 0) return NULL;
    PyObject* sought = rows_make_comparable(self->type, args[0]);
    if (!sought) return NULL;
    int found = array_find(self, sought, &index, stop);
    Py_DECREF(sought);
    if (found > 0) return PyLong_FromSsize_t(index);
    if (found == 0) PyErr_SetString(PyExc_ValueError, "array.index(x): x not in array");
    return NULL;
}

PyObject* array_count(Array* self, PyObject* object) {
    Py_ssize_t count = 0, index = 0;
    int found;
    PyObject* sought = rows_make_comparable(self->type, object);
    if (!sought) return NULL;
    array_load_length(self);
    for (; (found = array_find(self, sought, &index, PY_SSIZE_T_MAX)) > 0; index++) count++;
    Py_DECREF(sought);
    return found < 0 ? NULL : PyLong_FromSsize_t(count);
}

PyObject* array_remove(Array* self, PyObject* object) {
    Py_ssize_t index = 0;
    if (array_check_rearrangeable(self, "remove()") < 0) return NULL;
    PyObject* sought = rows_make_comparable(self->type, object);
    if (!sought) return NULL;
    int status = 0, found = array_find(self, sought, &index, PY_SSIZE_T_MAX);
    Py_DECREF(sought);
    if (found == 0) PyErr_SetString(PyExc_ValueError, "array.remove(x): x not in array");
    if (found <= 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (index < self->length) status = array_splice(self, index, 1, NULL, 0);
    Py_END_CRITICAL_SECTION();
    return none_unless(status < 0);
}

PyObject* array_clear_method(Array* self, PyObject* Py_UNUSED(ignored)) {
    int status;
    if (array_check_rearrangeable(self, "clear()") < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = array_splice(self, 0, self->length, NULL, 0);
    Py_END_CRITICAL_SECTION();
    return none_unless(status < 0);
}

PyObject* array_shrink_to_fit_method(Array* self, PyObject* Py_UNUSED(ignored)) {
    return none_unless(array_shrink_to_fit(self) < 0);
}

// --- memory for what comes next ---

// A number of items. More than a Py_ssize_t can hold are more than any capacity.
static int convert_num_items(PyObject* object, Py_ssize_t* num_items) {
    size_t number;
    if (convert_size(object, "num_items", &number) < 0) return -1;
    *num_items = number < (size_t)PY_SSIZE_T_MAX ? (Py_ssize_t)number : PY_SSIZE_T_MAX;
    return 0;
}

// A signal handler may have forked, and the array be a reader since.
static int check_grows(PyObject* array) { return array_check_writable((Array*)array); }

PyObject* array_prefault(Array* self, PyObject* object) {
    Py_ssize_t num_items;
    if (convert_num_items(object, &num_items) < 0) return NULL;
    if (array_check_writable(self) < 0 || array_reserve(self) < 0) return NULL;
    return none_unless(place_prefault_next(self, num_items, check_grows) < 0);
}

PyObject* array_lock(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    Py_ssize_t num_items = 0;
    if (num_args > 1) return PyErr_Format(PyExc_TypeError, "lock expected at most 1 argument, got %zd", num_args);
    if (num_args == 1 && convert_num_items(args[0], &num_items) < 0) return NULL;
    if (array_reserve(self) < 0) return NULL;
    array_load_length(self);
    if (num_items > 0 && array_check_writable(self) < 0) return NULL;
    return none_unless(place_lock(self, num_items, check_grows) < 0);
}

PyObject* array_unlock(Array* self, PyObject* Py_UNUSED(ignored)) {
    return none_unless(self->place && place_unlock(self) < 0);
}

// --- the order of items and bytes ---

PyObject* array_reverse(Array* self, PyObject* Py_UNUSED(ignored)) {
    if (array_check_rearrangeable(self, "reverse()") < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    reverse_items(array_item(self, 0), self->length, self->type->size);
    Py_END_CRITICAL_SECTION();
    Py_RETURN_NONE;
}

PyObject* array_byteswap(Array* self, PyObject* Py_UNUSED(ignored)) {
    if (array_check_rearrangeable(self, "byteswap()") < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    swap_bytes(array_item(self, 0), self->length * self->type->num_scalars, self->type->scalar->size);
    Py_END_CRITICAL_SECTION();
    Py_RETURN_NONE;
}

// --- to and from other things ---

PyObject* array_tolist(Array* self, PyObject* Py_UNUSED(ignored)) {
    PyObject *list = PyList_New(0), *item;
    int status = list ? 0 : -1;
    Py_ssize_t stop = array_load_length(self);
    for (Py_ssize_t i = 0; status == 0 && i < stop && (item = array_get_or_null(self, i)); i++) {
        status = PyList_Append(list, item);
        Py_DECREF(item);
    }
    if (PyErr_Occurred()) status = -1;
    if (status < 0) Py_CLEAR(list);
    return list;
}

// A copy of the bytes from `start` on, up to so many.
static PyObject* copy_bytes(Array* self, Py_ssize_t start, Py_ssize_t max_size) {
    PyObject* bytes;
    Py_BEGIN_CRITICAL_SECTION(self);
    Py_ssize_t size = self->length * self->type->size - start;
    if (size > max_size) size = max_size;
    bytes = size > 0 ? PyBytes_FromStringAndSize(self->items + start, size) : PyBytes_FromString("");
    Py_END_CRITICAL_SECTION();
    return bytes;
}

PyObject* array_tobytes(Array* self, PyObject* Py_UNUSED(ignored)) {
    array_load_length(self);
    return copy_bytes(self, 0, PY_SSIZE_T_MAX);
}

PyObject* array_frombytes(Array* self, PyObject* object) {
    Py_buffer buffer;
    int status = -1;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) < 0) return NULL;
    if (buffer.itemsize != 1) {
        PyErr_SetString(PyExc_TypeError, "a bytes-like object is required");
    } else if (buffer.len % self->type->size != 0) {
        PyErr_SetString(PyExc_ValueError, self->type->num_dims > 0 ? "bytes length not a multiple of row size"
                                                                   : "bytes length not a multiple of item size");
    } else {
        status = array_append_memory(self, buffer.buf, buffer.len / self->type->size);
    }
    PyBuffer_Release(&buffer);
    return none_unless(status < 0);
}

static PyObject* raise_too_many(Array* self, Py_ssize_t num_items) {
    Py_ssize_t capacity = array_find_capacity(self), length = self->length;
    if (capacity < 0) return NULL;
    length = num_items > PY_SSIZE_T_MAX - length ? PY_SSIZE_T_MAX : length + num_items;
    place_raise_full(array_find_state(self)->out_of_memory_error, self->type, capacity, length);
    return NULL;
}

PyObject* array_fromfile(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    Py_ssize_t num_items;
    if (num_args != 2) return PyErr_Format(PyExc_TypeError, "fromfile expected 2 arguments, got %zd", num_args);
    if (convert_ssize(args[1], &num_items) < 0) return NULL;
    if (num_items < 0) {
        PyErr_SetString(PyExc_ValueError, "negative count");
        return NULL;
    }
    if (num_items > PY_SSIZE_T_MAX / self->type->size) return raise_too_many(self, num_items);
    Py_ssize_t num_bytes = num_items * self->type->size;
    PyObject* bytes = PyObject_CallMethod(args[0], "read", "n", num_bytes);
    if (!bytes) return NULL;
    if (!PyBytes_Check(bytes)) {
        PyErr_SetString(PyExc_TypeError, "read() didn't return bytes");
        Py_DECREF(bytes);
        return NULL;
    }
    bool is_short = PyBytes_Size(bytes) != num_bytes;
    PyObject* result = array_frombytes(self, bytes);
    Py_DECREF(bytes);
    if (result && is_short) {
        PyErr_SetString(PyExc_EOFError, "read() didn't return enough bytes");
        Py_CLEAR(result);
    }
    return result;
}

// How much is written at a time, as in array.array.
#define WRITTEN_AT_ONCE ((Py_ssize_t)64 << 10)

PyObject* array_tofile(Array* self, PyObject* file) {
    Py_ssize_t end = array_load_length(self) * self->type->size;  // write() may change the length, also without end
    for (Py_ssize_t start = 0; start < end && start < self->length * self->type->size; start += WRITTEN_AT_ONCE) {
        PyObject* bytes = copy_bytes(self, start, end - start < WRITTEN_AT_ONCE ? end - start : WRITTEN_AT_ONCE);
        PyObject* written = bytes ? PyObject_CallMethod(file, "write", "O", bytes) : NULL;
        Py_XDECREF(bytes);
        if (!written) return NULL;
        Py_DECREF(written);
    }
    Py_RETURN_NONE;
}

PyObject* array_buffer_info(Array* self, PyObject* Py_UNUSED(ignored)) {
    char* items;
    Py_ssize_t length;
    if (array_reserve(self) < 0) return NULL;
    array_load_length(self);
    Py_BEGIN_CRITICAL_SECTION(self);
    items = self->items;
    length = self->length;
    // Who has the address of what a forked child inherits must not fault there.
    if (self->role == ARRAY_WRITER && self->place->exported_end < array_num_bytes(self))
        self->place->exported_end = array_num_bytes(self);
    Py_END_CRITICAL_SECTION();
    return Py_BuildValue("(Nn)", PyLong_FromVoidPtr(items), length);
}

// --- buffers ---

// Replaces the method that Python would derive from the slot, which accepts only buffers that were exported by the
// array itself; ours are exported by pins.
PyObject* array_release_buffer(Array* Py_UNUSED(self), PyObject* Py_UNUSED(buffer)) { Py_RETURN_NONE; }

// --- copies ---

// Calls numpy.asarray(view, dtype), or numpy.array() where `copy` is given.
static PyObject* make_numpy_array(PyObject* view, PyObject* dtype, PyObject* copy) {
    PyObject* numpy = PyImport_ImportModule("numpy");
    PyObject* make = numpy ? PyObject_GetAttrString(numpy, copy == Py_None ? "asarray" : "array") : NULL;
    PyObject* args = make ? Py_BuildValue("(OO)", view, dtype) : NULL;
    PyObject* keywords = args ? PyDict_New() : NULL;
    PyObject* made = NULL;
    if (keywords && (copy == Py_None || PyDict_SetItemString(keywords, "copy", copy) == 0))
        made = PyObject_Call(make, args, keywords);
    Py_XDECREF(keywords);
    Py_XDECREF(args);
    Py_XDECREF(make);
    Py_XDECREF(numpy);
    return made;
}

PyObject* array_to_numpy(Array* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    static const Signature signature = {"__array__", 2, 1, {"dtype", "copy"}};
    PyObject* parsed[2];
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return NULL;
    PyObject* view = PyMemoryView_FromObject((PyObject*)self);
    if (!view) return NULL;
    PyObject* made = make_numpy_array(view, parsed[0] ? parsed[0] : Py_None, parsed[1] ? parsed[1] : Py_None);
    Py_DECREF(view);
    return made;
}

// As in array.array: the object and what it has on the heap. Reserved memory is shown by map().
PyObject* array_sizeof(Array* self, PyObject* Py_UNUSED(ignored)) {
    PyObject* size = PyObject_CallMethod((PyObject*)&PyBaseObject_Type, "__sizeof__", "O", self);
    size_t on_heap = 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (!self->place) on_heap = (size_t)(self->num_allocated * self->type->size);
    if (self->type->num_dims > 0) on_heap += sizeof(RowType);
    for (const Place* place = self->place; place; place = place->inherited)
        on_heap += sizeof(Place) + (place->memory ? sizeof(SharedMemory) : place->file ? sizeof(FileMemory) : 0);
    Py_END_CRITICAL_SECTION();
    PyObject* heap_size = size ? PyLong_FromSize_t(on_heap) : NULL;
    PyObject* sum = heap_size ? PyNumber_Add(size, heap_size) : NULL;
    Py_XDECREF(heap_size);
    Py_XDECREF(size);
    return sum;
}

PyObject* array_copy(Array* self, PyObject* Py_UNUSED(ignored)) {
    Array* copy = array_new_like(self, array_load_length(self));
    if (copy && array_append_array(copy, self) < 0) Py_CLEAR(copy);
    return (PyObject*)copy;
}

PyObject* array_deepcopy(Array* self, PyObject* Py_UNUSED(memo)) { return array_copy(self, NULL); }

static size_t count_used(PyObject* owner) {
    const Array* array = (Array*)owner;
    return array->place->item_offset + array_num_bytes(array);
}

PyObject* array_map(Array* self, PyObject* Py_UNUSED(ignored)) {
    if (array_reserve(self) < 0) return NULL;
    array_load_length(self);
    return snapshot_map(array_find_state(self), &self->place->reservation, Py_None, count_used);
}

// --- sharing ---

// A private one may have no reservation.
static int check_shared(const Array* self) {
    return !self->place || !self->place->memory ? sharing_raise_not_shared("array") : 0;
}

PyObject* array_fileno(Array* self, PyObject* Py_UNUSED(ignored)) {
    return check_shared(self) < 0 ? NULL : sharing_get_fileno(&self->place->reservation);
}

PyObject* array_get_handle(Array* self, PyObject* Py_UNUSED(ignored)) {
    return check_shared(self) < 0 ? NULL : sharing_get_handle(&self->place->reservation);
}
