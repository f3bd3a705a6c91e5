#include "types/array/sequence.h"

#include "types/array/filling.h"

#include "core/errors.h"
#include "types/array/sharing.h"

// --- operands ---

// The name of a type for messages, with its module unless that is builtins: to tell array.array from vmem.Array.
static PyObject* name_type(PyTypeObject* type) {
    if (PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE && !(PyType_GetFlags(type) & Py_TPFLAGS_IMMUTABLETYPE))
        return PyType_GetName(type);  // a class written in Python
    PyObject* name = PyType_GetQualName(type);
    PyObject* module = name ? PyObject_GetAttrString((PyObject*)type, "__module__") : NULL;
    PyObject* full_name = NULL;
    if (module && PyUnicode_Check(module) && PyUnicode_CompareWithASCIIString(module, "builtins") != 0)
        full_name = PyUnicode_FromFormat("%U.%U", module, name);
    else if (module)
        full_name = Py_NewRef(name);
    Py_XDECREF(module);
    Py_XDECREF(name);
    return full_name;
}

// NULL with an exception when the object is not an Array.
static Array* check_operand(PyObject* object, const char* format) {
    if (array_check(object)) return (Array*)object;
    PyObject* name = name_type(Py_TYPE(object));
    if (name) PyErr_Format(PyExc_TypeError, format, name);
    Py_XDECREF(name);
    return NULL;
}

// Whether the items of another array can become this one's without conversion. Returns -1 with TypeError.
static int check_same_kind(const Array* self, const Array* other) {
    if (self->type->scalar == other->type->scalar) return rows_check_shape(self->type, other->type);
    PyErr_BadArgument();
    return -1;
}

// --- items ---

Py_ssize_t array_length(Array* self) { return array_load_length(self); }

static inline PyObject* get_item(Array* self, Py_ssize_t index) {
    char small[SMALL_ROW];
    char* item = row_new(self->type, small);
    bool found;
    if (!item) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    found = index >= 0 && index < self->length;
    if (found) memcpy(item, array_item(self, index), (size_t)self->type->size);
    Py_END_CRITICAL_SECTION();
    PyObject* object = found ? rows_get(self->type, item) : NULL;
    row_free(item, small);
    return object;
}

PyObject* array_get_or_null(Array* self, Py_ssize_t index) { return get_item(self, index); }

// A reader's items stay, so it looks for more only where one is not among those that it knows.
static inline void follow_to(Array* self, Py_ssize_t index) {
    if (self->role == ARRAY_READER && index >= self->length) array_follow_writer(self);
}

PyObject* array_get(Array* self, Py_ssize_t index) {
    follow_to(self, index);
    PyObject* item = get_item(self, index);
    if (!item && !PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "array index out of range");
    return item;
}

static int raise_index_error(const Array* self) {
    if (array_check_writable(self) < 0) return -1;
    PyErr_SetString(PyExc_IndexError, "array assignment index out of range");
    return -1;
}

// The index is checked twice: a bad index is reported before a bad item, and converting the item can change the array.
static int set_item(Array* self, Py_ssize_t index, PyObject* object) {
    char small[SMALL_ROW];
    int status;
    bool found;
    if (index < 0) index += self->length;
    if (index < 0 || index >= self->length) return raise_index_error(self);
    char* item = row_convert(self->type, small, object);
    if (!item) return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = array_check_writable(self);
    found = index < self->length;
    if (found && status == 0) memcpy(array_item(self, index), item, (size_t)self->type->size);
    Py_END_CRITICAL_SECTION();
    row_free(item, small);
    return found ? status : raise_index_error(self);
}

static int delete_item(Array* self, Py_ssize_t index) {
    int status = -1;
    bool found;
    if (array_check_rearrangeable(self, "del") < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (index < 0) index += self->length;
    found = index >= 0 && index < self->length;
    if (found) status = array_splice(self, index, 1, NULL, 0);
    Py_END_CRITICAL_SECTION();
    return found ? status : raise_index_error(self);
}

// --- slices ---

typedef struct Slice {
    Py_ssize_t start, stop, step, length;
} Slice;

// Fits a slice to the length that the array has now.
static void fit_slice(const Array* self, Slice* slice) {
    slice->length = PySlice_AdjustIndices(self->length, &slice->start, &slice->stop, slice->step);
}

static void copy_stepping(char* to, Py_ssize_t to_step, const char* from, Py_ssize_t from_step, Py_ssize_t num_items,
                          size_t size) {
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)num_items * size);
        return;
    }
    for (Py_ssize_t i = 0; i < num_items; i++)
        memcpy(to + i * to_step * (Py_ssize_t)size, from + i * from_step * (Py_ssize_t)size, size);
}

static PyObject* get_slice(Array* self, PyObject* key) {
    Slice slice;
    if (PySlice_Unpack(key, &slice.start, &slice.stop, &slice.step) < 0) return NULL;
    array_load_length(self);
    Slice expected = slice;
    fit_slice(self, &expected);
    Array* part = array_new_like(self, expected.length);
    int status = -1;
    if (!part) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    fit_slice(self, &slice);
    status = array_make_room(part, slice.length);
    if (status == 0 && slice.length > 0)
        copy_stepping(array_item(part, 0), 1, array_item(self, slice.start), slice.step, slice.length,
                      (size_t)self->type->size);
    if (status == 0) array_set_length(part, slice.length);
    Py_END_CRITICAL_SECTION();
    if (status < 0) Py_CLEAR(part);
    return (PyObject*)part;
}

// Removes every step-th item, by moving the others together.
static int delete_stepping(Array* self, const Slice* slice) {
    Py_ssize_t step = slice->step < 0 ? -slice->step : slice->step;
    Py_ssize_t first = slice->step < 0 ? slice->start + (slice->length - 1) * slice->step : slice->start;
    Py_ssize_t size = self->type->size, to = first, num_kept = self->length - slice->length;
    if (array_check_rearrangeable(self, "del") < 0) return -1;
    if (array_check_shrinks(self, num_kept) < 0) return -1;
    for (Py_ssize_t i = 0; i < slice->length; i++) {
        Py_ssize_t from = first + i * step + 1;
        Py_ssize_t end = i + 1 < slice->length ? from + step - 1 : self->length;
        memmove(array_item(self, to), array_item(self, from), (size_t)((end - from) * size));
        to += end - from;
    }
    array_set_length(self, num_kept);
    return 0;
}

static int delete_slice(Array* self, PyObject* key) {
    Slice slice;
    int status = 0;
    if (PySlice_Unpack(key, &slice.start, &slice.stop, &slice.step) < 0) return -1;
    if (array_check_rearrangeable(self, "del") < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    fit_slice(self, &slice);
    if (slice.step == 1)
        status = array_splice(self, slice.start, slice.length, NULL, 0);
    else if (slice.length > 0)
        status = delete_stepping(self, &slice);
    Py_END_CRITICAL_SECTION();
    return status;
}

static int assign_stepping(Array* self, const Slice* slice, Array* other) {
    if (array_check_writable(self) < 0) return -1;
    if (other->length != slice->length) {
        PyErr_Format(PyExc_ValueError, "attempt to assign array of size %zd to extended slice of size %zd",
                     other->length, slice->length);
        return -1;
    }
    size_t size = (size_t)self->type->size;
    char* items = array_item(other, 0);
    char* copy = NULL;
    if (self == other) {
        copy = PyMem_Malloc((size_t)other->length * size);
        if (!copy) {
            PyErr_NoMemory();
            return -1;
        }
        items = memcpy(copy, items, (size_t)other->length * size);
    }
    if (slice->length > 0) copy_stepping(array_item(self, slice->start), slice->step, items, 1, slice->length, size);
    PyMem_Free(copy);
    return 0;
}

static int replace_slice(Array* self, const Slice* slice, Array* other) {
    if (array_check_splice(self, slice->start, slice->length, other->length) < 0) return -1;
    return array_splice_array(self, slice->start, slice->length, other);
}

static int set_slice_to_array(Array* self, Slice slice, Array* other) {
    int status;
    array_load_length(other);
    Slice expected = slice;
    fit_slice(self, &expected);
    if (slice.step == 1 && array_prepare_growth(self, other->length - expected.length) < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION2(self, other);
    fit_slice(self, &slice);
    if (slice.step == 1)
        status = replace_slice(self, &slice, other);
    else if (other->length == 0)  // array.array deletes then, where a list refuses
        status = slice.length > 0 ? delete_stepping(self, &slice) : array_check_writable(self);
    else
        status = assign_stepping(self, &slice, other);
    Py_END_CRITICAL_SECTION2();
    return status;
}

// What this process reads at other addresses may be the same memory, of which items would be overwritten before they are
// copied: then a copy, else the array itself. A new reference.
static Array* separate(const Array* self, Array* other) {
    if (self->role == ARRAY_PRIVATE || !array_is_readonly(other)) return (Array*)Py_NewRef((PyObject*)other);
    Array* copy = array_new_like(other, array_load_length(other));
    if (copy && array_append_array(copy, other) < 0) Py_CLEAR(copy);
    return copy;
}

static int set_slice(Array* self, PyObject* key, PyObject* object) {
    Slice slice;
    if (PySlice_Unpack(key, &slice.start, &slice.stop, &slice.step) < 0) return -1;
    Array* other = check_operand(object, "can only assign array (not \"%U\") to array slice");
    if (!other) return -1;
    if (check_same_kind(self, other) < 0) return -1;
    Array* source = separate(self, other);
    int status = source ? set_slice_to_array(self, slice, source) : -1;
    Py_XDECREF((PyObject*)source);
    return status;
}

// --- subscripts ---

static int convert_key(PyObject* key, Py_ssize_t* index) {
    if (PyLong_CheckExact(key)) {  // the usual case, without the two calls below
        *index = PyLong_AsSsize_t(key);
        if (*index != -1 || !PyErr_Occurred()) return 0;
        PyErr_Clear();
    }
    if (!PyIndex_Check(key)) {
        PyErr_SetString(PyExc_TypeError, "array indices must be integers");
        return -1;
    }
    *index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    return *index == -1 && PyErr_Occurred() ? -1 : 0;
}

PyObject* array_subscript(Array* self, PyObject* key) {
    Py_ssize_t index;
    if (PySlice_Check(key)) return get_slice(self, key);
    if (convert_key(key, &index) < 0) return NULL;
    return array_get(self, index < 0 ? index + array_load_length(self) : index);
}

int array_assign(Array* self, PyObject* key, PyObject* value) {
    Py_ssize_t index;
    if (PySlice_Check(key)) return value ? set_slice(self, key, value) : delete_slice(self, key);
    if (convert_key(key, &index) < 0) return -1;
    return value ? set_item(self, index, value) : delete_item(self, index);
}

// --- searching ---

int array_find(Array* self, PyObject* object, Py_ssize_t* index, Py_ssize_t stop) {
    for (; *index < stop && *index < self->length; ++*index) {  // comparing can change the length
        PyObject* item = array_get_or_null(self, *index);
        if (!item) return PyErr_Occurred() ? -1 : 0;
        int equal = PyObject_RichCompareBool(item, object, Py_EQ);
        Py_DECREF(item);
        if (equal != 0) return equal;
    }
    return 0;
}

int array_contains(Array* self, PyObject* object) {
    Py_ssize_t index = 0;
    PyObject* sought = rows_make_comparable(self->type, object);
    if (!sought) return -1;
    array_load_length(self);
    int found = array_find(self, sought, &index, PY_SSIZE_T_MAX);
    Py_DECREF(sought);
    return found;
}

// --- iteration ---

// Python's own iterator of sequences would work, and take twice the time.
typedef struct ArrayIterator {
    PyObject_HEAD
    Array* array;  // NULL once it is exhausted
    Py_ssize_t index;
} ArrayIterator;

PyObject* array_iterate(Array* self) {
    ModuleState* state = array_find_state(self);
    if (!state || module_check_loaded(state) < 0) return NULL;
    ArrayIterator* iterator = PyObject_GC_New(ArrayIterator, state->array_iterator_type);
    if (!iterator) return NULL;
    iterator->array = (Array*)Py_NewRef((PyObject*)self);
    iterator->index = 0;
    PyObject_GC_Track(iterator);
    return (PyObject*)iterator;
}

// Holds one lock at a time.
static PyObject* iterator_next(ArrayIterator* self) {
    PyObject *array, *finished = NULL;
    Py_ssize_t index;
    Py_BEGIN_CRITICAL_SECTION(self);
    array = Py_XNewRef((PyObject*)self->array);
    index = self->index;
    if (index < PY_SSIZE_T_MAX) self->index++;  // __setstate__() can put it there
    Py_END_CRITICAL_SECTION();
    if (!array) return NULL;
    follow_to((Array*)array, index);
    PyObject* item = get_item((Array*)array, index);
    if (!item && !PyErr_Occurred()) {
        Py_BEGIN_CRITICAL_SECTION(self);
        finished = (PyObject*)self->array;
        self->array = NULL;
        Py_END_CRITICAL_SECTION();
    }
    Py_DECREF(array);
    Py_XDECREF(finished);
    return item;
}

static PyObject* iterator_length_hint(ArrayIterator* self, PyObject* Py_UNUSED(ignored)) {
    PyObject* array;
    Py_ssize_t index;
    Py_BEGIN_CRITICAL_SECTION(self);
    array = Py_XNewRef((PyObject*)self->array);
    index = self->index;
    Py_END_CRITICAL_SECTION();
    Py_ssize_t length = array ? array_load_length((Array*)array) : 0;
    Py_XDECREF(array);
    return PyLong_FromSsize_t(length > index ? length - index : 0);
}

// iter() of the array, and the index to continue at.
static PyObject* iterator_reduce(ArrayIterator* self, PyObject* Py_UNUSED(ignored)) {
    PyObject* builtins = PyImport_ImportModule("builtins");
    PyObject* iter = builtins ? PyObject_GetAttrString(builtins, "iter") : NULL;
    PyObject *array = NULL, *reduced = NULL;
    Py_ssize_t index;
    Py_BEGIN_CRITICAL_SECTION(self);
    array = Py_XNewRef((PyObject*)self->array);
    index = self->index;
    Py_END_CRITICAL_SECTION();
    if (iter) reduced = array ? Py_BuildValue("(O(O)n)", iter, array, index) : Py_BuildValue("(O(()))", iter);
    Py_XDECREF(array);
    Py_XDECREF(iter);
    Py_XDECREF(builtins);
    return reduced;
}

static PyObject* iterator_setstate(ArrayIterator* self, PyObject* state) {
    Py_ssize_t index = PyLong_AsSsize_t(state);
    if (index == -1 && PyErr_Occurred()) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    self->index = index < 0 ? 0 : index;
    Py_END_CRITICAL_SECTION();
    Py_RETURN_NONE;
}

static int iterator_traverse(ArrayIterator* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->array);
    return 0;
}

static void iterator_dealloc(ArrayIterator* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF((PyObject*)self->array);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef iterator_methods[] = {
    {"__length_hint__", (PyCFunction)iterator_length_hint, METH_NOARGS, "How many items are left."},
    {"__reduce__", (PyCFunction)iterator_reduce, METH_NOARGS, "For pickle."},
    {"__setstate__", (PyCFunction)iterator_setstate, METH_O, "For pickle."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot iterator_slots[] = {
    {Py_tp_doc, "What iter(array) returns."},
    {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_traverse, iterator_traverse},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterator_next},
    {Py_tp_methods, iterator_methods},
    {0, NULL},
};

PyType_Spec array_iterator_spec = {
    .name = "vmem._vmem.ArrayIterator",
    .basicsize = sizeof(ArrayIterator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = iterator_slots,
};

// --- operators ---

PyObject* array_concat(Array* self, PyObject* object) {
    Array* other = check_operand(object, "can only append array (not \"%U\") to array");
    if (!other) return NULL;
    if (check_same_kind(self, other) < 0) return NULL;
    Array* sum = array_new_like(self, array_load_length(self) + array_load_length(other));
    if (!sum) return NULL;
    if (array_append_array(sum, self) < 0 || array_append_array(sum, other) < 0) Py_CLEAR(sum);
    return (PyObject*)sum;
}

PyObject* array_concat_in_place(Array* self, PyObject* object) {
    if (!check_operand(object, "can only extend array with array (not \"%U\")")) return NULL;
    return array_extend(self, object) < 0 ? NULL : Py_NewRef((PyObject*)self);
}

// How many items there are when they were repeated. A number that overflows is refused like one beyond the capacity.
static Py_ssize_t count_repeated(Py_ssize_t length, Py_ssize_t count) {
    return length <= PY_SSIZE_T_MAX / count ? length * count : PY_SSIZE_T_MAX;
}

// Repeats the items in place.
static int repeat(Array* array, Py_ssize_t count) {
    Py_ssize_t length = array->length;
    if (array_check_writable(array) < 0) return -1;
    if (count <= 0) return array_check_rearrangeable(array, "*= 0") < 0 ? -1 : array_splice(array, 0, length, NULL, 0);
    if (length == 0 || count == 1) return 0;
    if (array_make_room(array, count_repeated(length, count)) < 0) return -1;
    size_t size = (size_t)(length * array->type->size), end = size * (size_t)count;
    char* items = array_item(array, 0);
    for (size_t done = size; done < end;) {  // twice as much at every step
        size_t part = done < end - done ? done : end - done;
        memcpy(items + done, items, part);
        done += part;
    }
    array_set_length(array, length * count);
    return 0;
}

PyObject* array_repeat_in_place(Array* self, Py_ssize_t count) {
    int status;
    Py_ssize_t length = self->length;
    if (count > 1 && array_prepare_growth(self, count_repeated(length, count) - length) < 0) return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    status = repeat(self, count);
    Py_END_CRITICAL_SECTION();
    return status < 0 ? NULL : Py_NewRef((PyObject*)self);
}

PyObject* array_repeat(Array* self, Py_ssize_t count) {
    Py_ssize_t length = array_load_length(self);  // once: other threads may change it
    if (count > 0 && length > PY_SSIZE_T_MAX / 2 / self->type->size / count) {
        const char* message = "cannot make an array of %zd times %zd items: the address space is too small";
        ModuleState* state = array_find_state(self);
        if (state && module_check_loaded(state) == 0)
            raise_capacity_exceeded(state->out_of_memory_error, PyUnicode_FromFormat(message, count, length));
        return NULL;
    }
    Array* product = array_new_like(self, count > 0 ? length * count : 0);
    if (!product) return NULL;
    if (array_append_array(product, self) < 0 || repeat(product, count) < 0) Py_CLEAR(product);
    return (PyObject*)product;
}

// --- comparison ---

// The result of comparing two lengths or numbers.
static bool compare_lengths(Py_ssize_t one, Py_ssize_t other, int operation) {
    switch (operation) {
        case Py_LT: return one < other;
        case Py_LE: return one <= other;
        case Py_EQ: return one == other;
        case Py_NE: return one != other;
        case Py_GT: return one > other;
        default: return one >= other;
    }
}

// Both items at an index. Returns 1 when both are there, 0 when one is not, -1 with an exception.
static int get_pair(Array* one, Array* other, Py_ssize_t index, PyObject* pair[2]) {
    pair[0] = array_get_or_null(one, index);
    pair[1] = pair[0] ? array_get_or_null(other, index) : NULL;
    if (pair[1]) return 1;
    Py_CLEAR(pair[0]);
    return PyErr_Occurred() ? -1 : 0;
}

// Whether items of integers are equal where their bytes are.
static bool have_comparable_bytes(const Array* one, const Array* other) {
    const ItemType* scalar = one->type->scalar;
    return scalar == other->type->scalar && scalar->is_integer && rows_have_same_shape(one->type, other->type);
}

// How many items of two such arrays are equal, up to the first that differ.
static Py_ssize_t count_equal_bytes(Array* one, Array* other) {
    Py_ssize_t num_equal = 0;
    Py_BEGIN_CRITICAL_SECTION2(one, other);
    Py_ssize_t length = one->length < other->length ? one->length : other->length;
    size_t size = (size_t)one->type->size;
    const char *items = array_item(one, 0), *others = array_item(other, 0);
    if (length == 0 || memcmp(items, others, (size_t)length * size) == 0)
        num_equal = length;
    else
        while (num_equal < length &&
               memcmp(items + (size_t)num_equal * size, others + (size_t)num_equal * size, size) == 0)
            num_equal++;  // bounded: writes through views, without the GIL, may have made them equal meanwhile
    Py_END_CRITICAL_SECTION2();
    return num_equal;
}

PyObject* array_compare(PyObject* object, PyObject* other_object, int operation) {
    if (!array_check(object) || !array_check(other_object)) return Py_NewRef(Py_NotImplemented);
    Array *one = (Array*)object, *other = (Array*)other_object;
    Py_ssize_t length = array_load_length(one), other_length = array_load_length(other);
    if ((operation == Py_EQ || operation == Py_NE) && length != other_length)
        return PyBool_FromLong(operation == Py_NE);
    Py_ssize_t index = have_comparable_bytes(one, other) ? count_equal_bytes(one, other) : 0;
    PyObject* pair[2];
    int status;
    for (; (status = get_pair(one, other, index, pair)) > 0; index++) {
        int equal = PyObject_RichCompareBool(pair[0], pair[1], Py_EQ);
        PyObject* result = NULL;
        if (equal == 0) result = PyObject_RichCompare(pair[0], pair[1], operation);
        Py_DECREF(pair[0]);
        Py_DECREF(pair[1]);
        if (equal <= 0) return result;
    }
    return status < 0 ? NULL : PyBool_FromLong(compare_lengths(one->length, other->length, operation));
}
