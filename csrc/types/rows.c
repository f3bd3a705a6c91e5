#include "types/rows.h"

#include "python/arguments.h"
#include "types/array/conversion.h"

// Objects are looked at before memory for a row of more bytes is allocated.
#define LARGE_ROW ((Py_ssize_t)1 << 20)

// --- types of numbers ---

#define NUMBER_TYPE(index, number) {.scalar = &ITEM_TYPES[index], .num_scalars = 1, .size = sizeof(number)}

// In the order of the item types.
static const RowType NUMBER_TYPES[] = {
    NUMBER_TYPE(0, char),      NUMBER_TYPE(1, char),      NUMBER_TYPE(2, short),  NUMBER_TYPE(3, short),
    NUMBER_TYPE(4, int),       NUMBER_TYPE(5, int),       NUMBER_TYPE(6, long),   NUMBER_TYPE(7, long),
    NUMBER_TYPE(8, long long), NUMBER_TYPE(9, long long), NUMBER_TYPE(10, float), NUMBER_TYPE(11, double),
};

const RowType* rows_type_of_numbers(const ItemType* scalar) { return &NUMBER_TYPES[scalar - ITEM_TYPES]; }

const RowType* rows_copy_type(const RowType* type) {
    if (type->num_dims == 0) return rows_type_of_numbers(type->scalar);
    RowType* copy = PyMem_Malloc(sizeof(*copy));
    if (!copy) {
        PyErr_NoMemory();
        return NULL;
    }
    *copy = *type;
    return copy;
}

void rows_free_type(const RowType* type) {
    if (type && type->num_dims > 0) PyMem_Free((void*)type);
}

// --- shapes ---

bool rows_make_type(const ItemType* scalar, int num_dims, const Py_ssize_t* shape, RowType* type) {
    RowType made = {.scalar = scalar, .num_dims = num_dims, .num_scalars = 1, .size = scalar->size};
    if (num_dims > MAX_ROW_DIMS) return false;
    for (int i = 0; i < num_dims; i++) {
        if (shape[i] < 1 || shape[i] > MAX_ROW_SIZE / made.size) return false;
        made.shape[i] = shape[i];
        made.num_scalars *= shape[i];
        made.size *= shape[i];
    }
    *type = made;
    return true;
}

static int convert_dimensions(PyObject* tuple, Py_ssize_t* shape) {
    SizeRange range = {1, (size_t)MAX_ROW_SIZE, ""};
    size_t number;
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
        if (convert_size_in_range(PyTuple_GetItem(tuple, i), "a dimension in row_shape", range, &number) < 0) return -1;
        shape[i] = (Py_ssize_t)number;
    }
    return 0;
}

static int convert_shape(const ItemType* scalar, PyObject* tuple, RowType* type) {
    Py_ssize_t shape[MAX_ROW_DIMS], num_dims = PyTuple_Size(tuple);
    if (num_dims > MAX_ROW_DIMS) {
        PyErr_Format(PyExc_ValueError, "row_shape must have at most %d dimensions, got %zd", MAX_ROW_DIMS, num_dims);
        return -1;
    }
    if (convert_dimensions(tuple, shape) < 0) return -1;
    if (rows_make_type(scalar, (int)num_dims, shape, type)) return 0;
    PyErr_Format(PyExc_ValueError, "row_shape %R of items of %zd bytes makes a row of more than %zd bytes", tuple,
                 scalar->size, MAX_ROW_SIZE);
    return -1;
}

int rows_convert_type(const ItemType* scalar, PyObject* shape, RowType* type) {
    if (!shape) return rows_make_type(scalar, 0, NULL, type) ? 0 : -1;
    if (!PyTuple_Check(shape) && !PyList_Check(shape))
        return raise_wrong_type(shape, "row_shape", "a tuple of integers");
    PyObject* tuple = PySequence_Tuple(shape);  // a list can change while it is converted
    int status = tuple ? convert_shape(scalar, tuple, type) : -1;
    Py_XDECREF(tuple);
    return status;
}

static PyObject* dimensions_as_tuple(int num_dims, const Py_ssize_t* shape) {
    PyObject* tuple = PyTuple_New(num_dims);
    for (int i = 0; tuple && i < num_dims; i++) {
        PyObject* dimension = PyLong_FromSsize_t(shape[i]);
        if (!dimension || PyTuple_SetItem(tuple, i, dimension) < 0) Py_CLEAR(tuple);
    }
    return tuple;
}

PyObject* rows_shape_as_tuple(const RowType* type) { return dimensions_as_tuple(type->num_dims, type->shape); }

bool rows_have_same_shape(const RowType* type, const RowType* other) {
    if (type == other) return true;  // as all types of numbers are
    return type->num_dims == other->num_dims && memcmp(type->shape, other->shape, sizeof(type->shape)) == 0;
}

int rows_check_shape(const RowType* type, const RowType* other) {
    if (rows_have_same_shape(type, other)) return 0;
    PyObject* shape = rows_shape_as_tuple(type);
    PyObject* other_shape = shape ? rows_shape_as_tuple(other) : NULL;
    if (other_shape)
        PyErr_Format(PyExc_TypeError, "this array has the row_shape %S, but the other one has %S", shape, other_shape);
    Py_XDECREF(other_shape);
    Py_XDECREF(shape);
    return -1;
}

void rows_describe(const RowType* type, SharedPage* page) {
    page->item_size = (uint64_t)type->size;
    page->format[0] = type->scalar->typecode[0];
    page->num_dims = (uint32_t)type->num_dims;
    for (int i = 0; i < type->num_dims; i++) page->row_shape[i] = (uint64_t)type->shape[i];
}

ItemLayout rows_layout(const RowType* type) {
    return (ItemLayout){type->scalar->typecode, type->scalar->size, type->num_dims, type->shape, type->size};
}

// --- rows as Python objects ---

// The part of a row from one dimension on. `*from` is moved to behind it.
static PyObject* get_part(const RowType* type, int dim, const char** from) {
    if (dim == type->num_dims) {
        PyObject* number = type->scalar->get(*from);
        *from += type->scalar->size;
        return number;
    }
    PyObject* tuple = PyTuple_New(type->shape[dim]);
    for (Py_ssize_t i = 0; tuple && i < type->shape[dim]; i++) {
        PyObject* part = get_part(type, dim + 1, from);
        if (!part || PyTuple_SetItem(tuple, i, part) < 0) Py_CLEAR(tuple);
    }
    return tuple;
}

PyObject* rows_get_tuple(const RowType* type, const char* row) { return get_part(type, 0, &row); }

// --- checking sequences ---

static int raise_wrong_length(const RowType* type, int dim, Py_ssize_t length) {
    PyObject* shape = rows_shape_as_tuple(type);
    if (shape)
        PyErr_Format(PyExc_ValueError, "a row has the shape %R, but this one has %zd items in dimension %d", shape,
                     length, dim);
    Py_XDECREF(shape);
    return -1;
}

// A sequence can have fewer items than it says.
static int raise_no_item(const RowType* type, int dim, Py_ssize_t index) {
    if (!PyErr_ExceptionMatches(PyExc_IndexError)) return -1;
    PyErr_Clear();
    return raise_wrong_length(type, dim, index);
}

static int check_sequence(const RowType* type, int dim, PyObject* object) {
    if (!PySequence_Check(object) || PyUnicode_Check(object))
        return raise_wrong_type(object, "a row", "a sequence or a buffer");
    Py_ssize_t length = PySequence_Size(object);
    if (length < 0) return -1;
    return length == type->shape[dim] ? 0 : raise_wrong_length(type, dim, length);
}

// --- rows from buffers ---

// The shape of any number of rows, as it is written: '(n, 2)'.
static PyObject* describe_shape_of_rows(const RowType* type) {
    PyObject* text = PyUnicode_FromString(type->num_dims == 0 ? "(n," : "(n");
    for (int i = 0; text && i < type->num_dims; i++) {
        PyObject* longer = PyUnicode_FromFormat("%U, %zd", text, type->shape[i]);
        Py_DECREF(text);
        text = longer;
    }
    PyObject* closed = text ? PyUnicode_FromFormat("%U)", text) : NULL;
    Py_XDECREF(text);
    return closed;
}

// Takes over `expected`, the shape that the buffer should have.
static int raise_wrong_shape(PyObject* expected, const char* message, const Py_buffer* buffer) {
    PyObject* shape = expected ? dimensions_as_tuple(buffer->shape ? buffer->ndim : 0, buffer->shape) : NULL;
    if (shape) PyErr_Format(PyExc_ValueError, message, expected, shape);
    Py_XDECREF(shape);
    Py_XDECREF(expected);
    return -1;
}

// Whether the last dimensions of a buffer, after `num_outer` others, are those of a row.
static bool has_row_shape(const RowType* type, const Py_buffer* buffer, int num_outer) {
    if (buffer->ndim != num_outer + type->num_dims) return false;
    if (type->num_dims == 0) return true;
    return buffer->shape && memcmp(buffer->shape + num_outer, type->shape, sizeof(Py_ssize_t) * type->num_dims) == 0;
}

static bool describe_numbers(const RowType* type, const Py_buffer* buffer, NumberSource* source) {
    return (type->num_dims > 0 ? describe_row_source : describe_source)(buffer, source);
}

// Converts all numbers of a source, in parts. NULL with the exception of the first that does not fit.
static char* convert_all(const ItemType* scalar, const NumberSource* source) {
    char* items = source->num_items <= PY_SSIZE_T_MAX / scalar->size - 1
                      ? PyMem_Malloc((size_t)source->num_items * (size_t)scalar->size + 1)
                      : NULL;
    Py_ssize_t done = 0;
    if (!items) {
        PyErr_NoMemory();
        return NULL;
    }
    while (done < source->num_items) {
        char* to = items + done * scalar->size;
        Py_ssize_t num_converted = convert_numbers(scalar, to, source, done, source->num_items - done);
        done += num_converted;
        if (num_converted == 0) {
            PyObject* number = get_number(source, done++);
            int status = number ? scalar->set(to, number) : -1;
            Py_XDECREF(number);
            if (status < 0) goto error;
        }
        if (PyErr_CheckSignals() < 0) goto error;
    }
    return items;

error:
    PyMem_Free(items);
    return NULL;
}

// The numbers of a buffer one after another, in a copy, which the caller frees.
static char* copy_contiguous(const Py_buffer* buffer) {
    char* copy = PyMem_Malloc((size_t)buffer->len + 1);
    if (!copy) {
        PyErr_NoMemory();
        return NULL;
    }
    if (PyBuffer_ToContiguous(copy, (Py_buffer*)buffer, buffer->len, 'C') == 0) return copy;
    PyMem_Free(copy);
    return NULL;
}

// Describes all numbers of a buffer in one dimension. `*copy` is NULL, or has them, where they do not lie one after
// another. Returns 0 when they are not such numbers.
static int flatten(const RowType* type, const Py_buffer* buffer, NumberSource* source, char** copy) {
    Py_buffer flat = *buffer;
    Py_ssize_t num_items = buffer->itemsize > 0 ? buffer->len / buffer->itemsize : 0;
    *copy = NULL;
    if (buffer->ndim != 1) {
        flat.ndim = 1;
        flat.shape = &num_items;
        flat.strides = NULL;
        flat.suboffsets = NULL;
    }
    if (!describe_numbers(type, &flat, source)) return 0;
    if (buffer->ndim == 1 || PyBuffer_IsContiguous(buffer, 'C')) return 1;
    *copy = copy_contiguous(buffer);
    if (!*copy) return -1;
    source->items = *copy;
    return 1;
}

// Floats that should become integers. Iterating over the buffer raises TypeError, too, but not over every memoryview.
static int refuse_floats(const RowType* type, const NumberSource* source) {
    char item[MAX_ITEM_SIZE];
    if (type->num_dims == 0) return 0;
    if (source->num_items == 0) return 1;
    PyObject* number = get_number(source, 0);
    int status = number ? type->scalar->set(item, number) : -1;
    Py_XDECREF(number);
    return status < 0 ? -1 : 0;
}

static int convert_buffer(const RowType* type, const Py_buffer* buffer, RowSource* rows) {
    NumberSource source;
    char* copy;
    int status = flatten(type, buffer, &source, &copy);
    if (status <= 0) return status;
    if (can_convert(type->scalar, &source)) {
        rows->copy = convert_all(type->scalar, &source);
        rows->rows = rows->copy;
        status = rows->copy ? 1 : -1;
    } else {
        status = refuse_floats(type, &source);
    }
    PyMem_Free(copy);
    return status;
}

// Whether a buffer holds numbers, of whatever shape.
static bool holds_numbers(const RowType* type, const Py_buffer* buffer) {
    NumberSource ignored;
    Py_buffer one = *buffer;
    Py_ssize_t no_items = 0;
    one.ndim = 1;
    one.shape = &no_items;
    one.strides = NULL;
    one.suboffsets = NULL;
    return describe_numbers(type, &one, &ignored);
}

// A buffer that holds no numbers. Other objects than memoryviews may be sequences of numbers all the same.
static int refuse_format(const RowType* type, const Py_buffer* buffer) {
    if (refuse_complex_numbers(buffer) < 0) return -1;
    if (type->num_dims == 0 || !buffer->obj || !PyMemoryView_Check(buffer->obj)) return 0;
    PyErr_Format(PyExc_TypeError, "a memoryview with the format '%.100s' holds no numbers that rows can have",
                 buffer->format ? buffer->format : "");
    return -1;
}

static int take_rows(const RowType* type, const Py_buffer* buffer, Py_ssize_t num_rows, RowSource* rows) {
    *rows = (RowSource){buffer->buf, num_rows, NULL};
    if (!item_type_matches(type->scalar, buffer->format)) return convert_buffer(type, buffer, rows);
    if (PyBuffer_IsContiguous(buffer, 'C')) return 1;
    rows->rows = rows->copy = copy_contiguous(buffer);
    return rows->copy ? 1 : -1;
}

static Py_ssize_t count_rows(const RowType* type, const Py_buffer* buffer) {
    return buffer->len / type->num_scalars / buffer->itemsize;
}

int rows_count_in_buffer(const RowType* type, const Py_buffer* buffer, Py_ssize_t* num_rows) {
    if (!holds_numbers(type, buffer)) return refuse_format(type, buffer);
    if (!has_row_shape(type, buffer, 1))
        return raise_wrong_shape(describe_shape_of_rows(type),
                                 "the buffer must have the shape %S, but has the shape %S", buffer);
    *num_rows = count_rows(type, buffer);
    return 1;
}

int rows_from_buffer(const RowType* type, const Py_buffer* buffer, Py_ssize_t num_skipped, RowSource* rows) {
    Py_buffer rest = *buffer;
    Py_ssize_t shape[1 + MAX_ROW_DIMS], num_rows = count_rows(type, buffer) - num_skipped;
    Py_ssize_t num_bytes = type->num_scalars * buffer->itemsize;  // of one row
    shape[0] = num_rows;
    memcpy(shape + 1, type->shape, sizeof(Py_ssize_t) * (size_t)type->num_dims);
    rest.buf = (char*)buffer->buf + num_skipped * (buffer->strides ? buffer->strides[0] : num_bytes);
    rest.len = num_rows * num_bytes;
    rest.shape = shape;
    return take_rows(type, &rest, num_rows, rows);
}

// --- one row ---

// Returns 1, or 0 where the object exports no buffer.
static int get_buffer(PyObject* object, Py_buffer* buffer) {
    if (!PyObject_CheckBuffer(object)) return 0;
    if (PyObject_GetBuffer(object, buffer, PyBUF_FULL_RO) == 0) return 1;
    if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
    PyErr_Clear();
    return 0;
}

// The type of the parts of a row from one dimension on.
static RowType part_type(const RowType* type, int dim) {
    RowType part;
    rows_make_type(type->scalar, type->num_dims - dim, type->shape + dim, &part);
    return part;
}

// Returns 1 where a buffer of numbers has the shape of a part, 0 where it holds no numbers.
static int check_buffer(const RowType* part, bool is_whole, const Py_buffer* buffer) {
    if (!holds_numbers(part, buffer)) return refuse_format(part, buffer);
    if (has_row_shape(part, buffer, 0)) return 1;
    return raise_wrong_shape(rows_shape_as_tuple(part),
                             is_whole ? "a row has the shape %S, but this buffer has the shape %S"
                                      : "a part of a row has the shape %S, but this buffer has the shape %S",
                             buffer);
}

// Returns 1 when the object is a buffer of numbers and was converted; 0 for other objects.
static int set_from_buffer(const RowType* type, int dim, char** to, PyObject* object) {
    Py_buffer buffer;
    RowSource rows;
    int status = get_buffer(object, &buffer);
    if (status <= 0) return status;
    RowType part = part_type(type, dim);
    status = check_buffer(&part, dim == 0, &buffer);
    if (status > 0) status = take_rows(&part, &buffer, 1, &rows);
    if (status > 0) {
        memcpy(*to, rows.rows, (size_t)part.size);
        *to += part.size;
        PyMem_Free(rows.copy);
    }
    PyBuffer_Release(&buffer);
    return status;
}

static int set_part(const RowType* type, int dim, char** to, PyObject* object) {
    if (dim == type->num_dims) {
        if (type->scalar->set(*to, object) < 0) return -1;
        *to += type->scalar->size;
        return 0;
    }
    int status = set_from_buffer(type, dim, to, object);
    if (status != 0) return status < 0 ? -1 : 0;
    if (check_sequence(type, dim, object) < 0) return -1;
    for (Py_ssize_t i = 0; i < type->shape[dim]; i++) {
        PyObject* part = PySequence_GetItem(object, i);
        status = part ? set_part(type, dim + 1, to, part) : raise_no_item(type, dim, i);
        Py_XDECREF(part);
        if (status < 0) return -1;
    }
    return 0;
}

int rows_set_row(const RowType* type, char* row, PyObject* object) { return set_part(type, 0, &row, object); }

// --- memory for one row ---

char* row_allocate(const RowType* type) {
    char* row = PyMem_Malloc((size_t)type->size);
    if (!row) PyErr_Format(PyExc_MemoryError, "cannot allocate a row of %zd bytes", type->size);
    return row;
}

// Whether an object seems to be a row, from one dimension on. Of sequences only the first items are looked at.
static int check_part(const RowType* type, int dim, PyObject* object) {
    Py_buffer buffer;
    if (dim == type->num_dims) return 0;
    int status = get_buffer(object, &buffer);
    if (status > 0) {
        RowType part = part_type(type, dim);
        status = check_buffer(&part, dim == 0, &buffer);
        PyBuffer_Release(&buffer);
    }
    if (status != 0) return status < 0 ? -1 : 0;
    if (check_sequence(type, dim, object) < 0) return -1;
    PyObject* first = PySequence_GetItem(object, 0);
    status = first ? check_part(type, dim + 1, first) : raise_no_item(type, dim, 0);
    Py_XDECREF(first);
    return status;
}

char* row_convert_row(const RowType* type, char small[SMALL_ROW], PyObject* object) {
    char* row = type->size <= LARGE_ROW || check_part(type, 0, object) == 0 ? row_new(type, small) : NULL;
    if (!row || rows_set_row(type, row, object) == 0) return row;
    row_free(row, small);
    return NULL;
}

// --- comparing ---

// The numbers of a buffer from an index on, which is moved to behind them.
static PyObject* get_numbers(const RowType* part, int dim, const NumberSource* source, Py_ssize_t* index) {
    if (dim == part->num_dims) return get_number(source, (*index)++);
    PyObject* tuple = PyTuple_New(part->shape[dim]);
    for (Py_ssize_t i = 0; tuple && i < part->shape[dim]; i++) {
        PyObject* inner = get_numbers(part, dim + 1, source, index);
        if (!inner || PyTuple_SetItem(tuple, i, inner) < 0) Py_CLEAR(tuple);
    }
    return tuple;
}

// NULL without an exception where the buffer holds no numbers.
static PyObject* make_comparable_numbers(const RowType* part, const Py_buffer* buffer) {
    NumberSource source;
    Py_ssize_t index = 0;
    char* copy;
    if (!holds_numbers(part, buffer)) return NULL;
    if (!has_row_shape(part, buffer, 0)) return Py_NewRef(Py_None);
    PyObject* numbers = flatten(part, buffer, &source, &copy) > 0 ? get_numbers(part, 0, &source, &index) : NULL;
    PyMem_Free(copy);
    return numbers;
}

static PyObject* make_comparable_part(const RowType* type, int dim, PyObject* object);

static PyObject* make_comparable_sequence(const RowType* type, int dim, PyObject* object) {
    if (!PySequence_Check(object) || PyUnicode_Check(object)) return Py_NewRef(object);
    Py_ssize_t length = PySequence_Size(object);
    if (length < 0) return NULL;
    if (length != type->shape[dim]) return Py_NewRef(Py_None);
    PyObject* tuple = PyTuple_New(length);
    for (Py_ssize_t i = 0; tuple && i < length; i++) {
        PyObject* item = PySequence_GetItem(object, i);
        PyObject* part = item ? make_comparable_part(type, dim + 1, item) : NULL;
        Py_XDECREF(item);
        if (!part || PyTuple_SetItem(tuple, i, part) < 0) Py_CLEAR(tuple);
        if (item || !PyErr_ExceptionMatches(PyExc_IndexError)) continue;
        PyErr_Clear();  // it has fewer items than it says
        return Py_NewRef(Py_None);
    }
    return tuple;
}

// A sequence of another shape equals no row. Others are asked themselves whether they equal a tuple, and so are
// memoryviews of what is not numbers, of which not all have items.
static PyObject* make_comparable_part(const RowType* type, int dim, PyObject* object) {
    Py_buffer buffer;
    if (dim == type->num_dims) return Py_NewRef(object);
    int status = get_buffer(object, &buffer);
    if (status < 0) return NULL;
    if (status > 0) {
        RowType part = part_type(type, dim);
        PyObject* numbers = make_comparable_numbers(&part, &buffer);
        PyBuffer_Release(&buffer);
        if (numbers || PyErr_Occurred()) return numbers;
        if (PyMemoryView_Check(object)) return Py_NewRef(object);
    }
    return make_comparable_sequence(type, dim, object);
}

PyObject* rows_make_comparable(const RowType* type, PyObject* object) { return make_comparable_part(type, 0, object); }
