#include "types/array/filling.h"

#include "types/array/conversion.h"
#include "types/array/sharing.h"

static int extend_from_array(Array* array, Array* other) {
    if (array->type->scalar != other->type->scalar) {
        PyErr_SetString(PyExc_TypeError, "can only extend with array of same kind");
        return -1;
    }
    if (rows_check_shape(array->type, other->type) < 0) return -1;
    return array_append_array(array, other);
}

// Converts the numbers of a buffer in parts, as its iterator would give them. The first that does not fit raises what
// array.array raises for it; those before it stay.
static int append_numbers(Array* array, const NumberSource* source) {
    char items[MAX_CONVERTED * MAX_ITEM_SIZE];
    Py_ssize_t done = 0;
    while (done < source->num_items) {
        Py_ssize_t num_converted = convert_numbers(array->type->scalar, items, source, done, source->num_items - done);
        if (array_append_memory(array, items, num_converted) < 0) return -1;
        done += num_converted;
        if (num_converted == 0) {
            PyObject* number = get_number(source, done++);
            int status = number ? array_append_object(array, number) : -1;
            Py_XDECREF(number);
            if (status < 0) return -1;
        }
        if (PyErr_CheckSignals() < 0) return -1;
    }
    return 0;
}

// All rows of a buffer, or none.
static int append_rows(Array* array, const Py_buffer* buffer) {
    RowSource rows;
    Py_ssize_t num_rows;
    int status = rows_count_in_buffer(array->type, buffer, &num_rows);
    if (status > 0) status = rows_from_buffer(array->type, buffer, 0, &rows);
    if (status <= 0) return status;
    status = array_append_memory(array, rows.rows, rows.num_rows) < 0 ? -1 : 1;
    PyMem_Free(rows.copy);
    return status;
}

static int append_buffer(Array* array, const Py_buffer* buffer) {
    NumberSource source;
    if (array->type->num_dims > 0) return append_rows(array, buffer);
    if (buffer->ndim == 1 && item_type_matches(array->type->scalar, buffer->format) &&
        PyBuffer_IsContiguous(buffer, 'C'))
        return array_append_memory(array, buffer->buf, buffer->len / array->type->size) < 0 ? -1 : 1;
    if (!describe_source(buffer, &source) || !can_convert(array->type->scalar, &source)) return 0;
    return append_numbers(array, &source) < 0 ? -1 : 1;
}

int array_get_buffer(PyObject* object, Py_buffer* buffer) {
    if (!PyObject_CheckBuffer(object)) return 0;
    if (PyObject_GetBuffer(object, buffer, PyBUF_FULL_RO) == 0) return 1;
    if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
    PyErr_Clear();
    return 0;
}

// Returns 1 when all items of a buffer were appended, 0 for other objects, -1 with an exception.
static int extend_from_buffer(Array* array, PyObject* object) {
    Py_buffer buffer;
    int status = array_get_buffer(object, &buffer);
    if (status <= 0) return status;
    status = append_buffer(array, &buffer);
    PyBuffer_Release(&buffer);
    return status;
}

// Signals are handled between so many items, so that Ctrl-C stops an iterator that never ends.
#define ITEMS_BETWEEN_SIGNALS 4096

int array_extend_from_iterator(Array* array, PyObject* iterable) {
    PyObject* iterator = PyObject_GetIter(iterable);
    PyObject* object;
    int status = 0;
    if (!iterator) return -1;
    for (size_t count = 1; status == 0 && (object = PyIter_Next(iterator)); count++) {
        status = array_append_object(array, object);
        Py_DECREF(object);
        if (status == 0 && count % ITEMS_BETWEEN_SIGNALS == 0) status = PyErr_CheckSignals();
    }
    Py_DECREF(iterator);
    return status < 0 || PyErr_Occurred() ? -1 : 0;
}

// As its iterator would: converting an item can change the list.
static int extend_from_list(Array* array, PyObject* list) {
    int status = 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyList_Size(list); i++) {
        PyObject* object = list_get_item(list, i);
        if (!object) {  // another thread has made it shorter
            PyErr_Clear();
            return 0;
        }
        status = array_append_object(array, object);
        Py_DECREF(object);
        if (status == 0 && (i + 1) % ITEMS_BETWEEN_SIGNALS == 0) status = PyErr_CheckSignals();
    }
    return status;
}

int array_extend(Array* array, PyObject* iterable) {
    if (array_check_writable(array) < 0) return -1;
    if (PyList_CheckExact(iterable)) return extend_from_list(array, iterable);
    if (array_check(iterable)) return extend_from_array(array, (Array*)iterable);
    int status = extend_from_buffer(array, iterable);
    return status != 0 ? (status < 0 ? -1 : 0) : array_extend_from_iterator(array, iterable);
}

// A copy of items that lie on the heap, where another thread may move them. NULL with MemoryError.
static char* copy_items(Array* array, Py_ssize_t* num_items) {
    char* copy;
    Py_BEGIN_CRITICAL_SECTION(array);
    *num_items = array->length;
    copy = PyMem_Malloc(array_num_bytes(array) + 1);
    if (copy && array->length > 0) memcpy(copy, array->items, array_num_bytes(array));
    Py_END_CRITICAL_SECTION();
    if (!copy) PyErr_NoMemory();
    return copy;
}

int array_extend_converting(Array* array, Array* other) {
    if (rows_check_shape(array->type, other->type) < 0) return -1;
    if (array->type->scalar->is_integer && !other->type->scalar->is_integer)
        return array_extend_from_iterator(array, (PyObject*)other);
    if (other->place) return extend_from_buffer(array, (PyObject*)other) < 0 ? -1 : 0;
    if (array->type->num_dims > 0) return array_extend_from_iterator(array, (PyObject*)other);  // they are few
    Py_ssize_t num_items;
    char* items = copy_items(other, &num_items);
    if (!items) return -1;
    NumberSource source = describe_items(other->type->scalar, items, num_items);
    int status = append_numbers(array, &source);
    PyMem_Free(items);
    return status;
}
