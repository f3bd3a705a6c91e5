#include "types/table/cells.h"

#include "python/arguments.h"
#include "types/table/numpy_items.h"

// --- errors ---

void cell_note_column(const TableColumn* column) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && PyErr_GivenExceptionMatches(type, PyExc_Exception)) {
        PyObject* note = PyUnicode_FromFormat("in column %R, of type '%s%s'", column->name, column->type->name,
                                              column->is_nullable ? "|None" : "");
        PyObject* nothing = note ? PyObject_CallMethod(value, "add_note", "O", note) : NULL;
        Py_XDECREF(nothing);
        Py_XDECREF(note);
        PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
}

static int raise_none(const TableColumn* column) {
    PyErr_Format(PyExc_TypeError, "column %R does not allow None; one of type '%s|None' would", column->name,
                 column->type->name);
    return -1;
}

int cell_raise_not_a_time(const TableColumn* column) {
    PyErr_Format(PyExc_ValueError, "column %R does not allow NaT, which becomes None; one of type '%s|None' would",
                 column->name, column->type->name);
    return -1;
}

// --- from Python ---

// NumPy's bools are neither bools nor integers, but show one as a buffer. Returns 1 for one; 0 for other objects; -1 with
// an exception.
static int convert_exported_bool(PyObject* object, bool* flag) {
    Py_buffer buffer;
    int is_bool = 0;
    if (!PyObject_CheckBuffer(object)) return 0;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_FORMAT | PyBUF_ND) < 0) return -1;
    if (buffer.ndim == 0 && buffer.len == 1 && buffer.format && strcmp(buffer.format, "?") == 0) {
        *flag = *(const char*)buffer.buf != 0;
        is_bool = 1;
    }
    PyBuffer_Release(&buffer);
    return is_bool;
}

static int convert_bool(PyObject* object, bool* flag) {
    if (object == Py_True || object == Py_False) {
        *flag = object == Py_True;
        return 0;
    }
    int status = convert_exported_bool(object, flag);  // NumPy 1 warns where its bools are taken as integers
    if (status != 0) return status < 0 ? -1 : 0;
    if (!PyIndex_Check(object)) return raise_wrong_type(object, "an item", "a bool");
    PyObject* index = PyNumber_Index(object);
    int is_beyond;
    long number = index ? PyLong_AsLongAndOverflow(index, &is_beyond) : -1;
    if (number == 0 || number == 1)
        *flag = number;
    else if (index)
        PyErr_Format(PyExc_ValueError, "an item must be a bool, 0 or 1, not %R", index);
    Py_XDECREF(index);
    return number == 0 || number == 1 ? 0 : -1;
}

static int convert_text(PyObject* object, Cell* cell) {
    Py_ssize_t size;
    if (!PyUnicode_Check(object)) return raise_wrong_type(object, "an item", "a str");
    cell->text = PyUnicode_AsUTF8AndSize(object, &size);
    cell->text_size = (size_t)size;
    return cell->text ? 0 : -1;
}

static int convert_bytes(PyObject* object, Cell* cell) {
    char* bytes;
    Py_ssize_t size;
    if (!PyBytes_Check(object)) {
        if (!PyObject_CheckBuffer(object)) return raise_wrong_type(object, "an item", "a bytes-like object");
        object = cell->owner = PyBytes_FromObject(object);
        if (!object) return -1;
    }
    if (PyBytes_AsStringAndSize(object, &bytes, &size) < 0) return -1;
    cell->text = bytes;
    cell->text_size = (size_t)size;
    return 0;
}

// In columns of times, None has the number that NumPy calls NaT.
static int convert_none(const TableColumn* column, Cell* cell) {
    static const int64_t not_a_time = NOT_A_TIME;
    if (!column->is_nullable) return raise_none(column);
    *cell = (Cell){.is_null = true};
    if (column->type->kind == COLUMN_TIMES) memcpy(cell->item, &not_a_time, sizeof(not_a_time));
    return 0;
}

// A time of NumPy, with the unit of the column, or NaT of any.
static int convert_time_of_numpy(const TableColumn* column, PyObject* object, char* item) {
    static const int64_t not_a_time = NOT_A_TIME;
    int is_not_a_time = numpy_is_not_a_time(object);
    if (is_not_a_time > 0) memcpy(item, &not_a_time, sizeof(not_a_time));
    if (is_not_a_time != 0) return is_not_a_time < 0 ? -1 : 0;
    PyObject* integer = numpy_find_items(column, object);
    int status = !integer && PyErr_Occurred() ? -1 : column->items->set(item, integer ? integer : object);
    Py_XDECREF(integer);
    return status;
}

static int convert_time(const TableColumn* column, PyObject* object, Cell* cell) {
    int64_t time;
    int status = PyIndex_Check(object) ? column->items->set(cell->item, object)
                                       : convert_time_of_numpy(column, object, cell->item);
    if (status < 0) return -1;
    memcpy(&time, cell->item, sizeof(time));
    if (time != NOT_A_TIME) return 0;
    return column->is_nullable ? convert_none(column, cell) : cell_raise_not_a_time(column);
}

static int convert_item(const TableColumn* column, PyObject* object, Cell* cell) {
    switch (column->type->kind) {
        case COLUMN_BITS: return convert_bool(object, &cell->flag);
        case COLUMN_TEXT: return convert_text(object, cell);
        case COLUMN_BYTES: return convert_bytes(object, cell);
        case COLUMN_TIMES: return convert_time(column, object, cell);
        default: return column->items->set(cell->item, object);
    }
}

static bool is_usual(PyObject* object) {
    return PyFloat_CheckExact(object) || PyLong_CheckExact(object) || PyUnicode_CheckExact(object);
}

// What NumPy masks is None.
static int convert_masked(const TableColumn* column, PyObject* object, Cell* cell) {
    PyObject* item = numpy_find_items(column, object);
    if (!item) return PyErr_Occurred() ? -1 : convert_item(column, object, cell);
    int status = item == Py_None ? convert_none(column, cell) : convert_item(column, item, cell);
    if (status < 0 || cell->owner)
        Py_DECREF(item);
    else
        cell->owner = item;
    return status;
}

int cell_convert(const TableColumn* column, PyObject* object, Cell* cell) {
    cell->owner = NULL;
    cell->is_null = false;
    if (object == Py_None) return convert_none(column, cell);
    bool is_plain = is_usual(object) || !may_be_masked(object);
    if ((is_plain ? convert_item : convert_masked)(column, object, cell) == 0) return 0;
    cell_free(cell);
    cell_note_column(column);
    return -1;
}

// --- in memory ---

static void store_text(TableColumn* column, Py_ssize_t index, const Cell* cell) {
    int64_t* offsets = column_offsets(column);
    if (index == 0) offsets[0] = 0;
    if (cell->text_size > 0) memcpy(column->parts[PART_VALUES].bytes + column->text_size, cell->text, cell->text_size);
    column->text_size += cell->text_size;
    offsets[index + 1] = (int64_t)column->text_size;
}

void cell_store(TableColumn* column, Py_ssize_t index, const Cell* cell) {
    if (column->is_nullable) {
        put_bit(column->parts[PART_VALIDITY].bytes, index, !cell->is_null);
        column->num_nulls += cell->is_null;
    }
    if (column->items) {
        // Sizes that compilers know make this a store in place of a call.
        char* item = column_item(column, index);
        switch (column->items->size) {
            case 8: memcpy(item, cell->item, 8); break;
            case 4: memcpy(item, cell->item, 4); break;
            case 2: memcpy(item, cell->item, 2); break;
            default: *item = cell->item[0]; break;
        }
    } else if (column->type->kind == COLUMN_BITS) {
        put_bit(column->parts[PART_VALUES].bytes, index, cell->flag);
    } else {
        store_text(column, index, cell);
    }
}

// --- to Python ---

// Another process may have written the offsets: they are loaded once, and checked.
static PyObject* get_text(const TableColumn* column, Py_ssize_t index) {
    const volatile int64_t* offsets = column_offsets(column);
    int64_t start = offsets[index], end = offsets[index + 1];
    if (start < 0 || end < start || (uint64_t)end > column->text_size) {
        PyErr_Format(PyExc_ValueError, "row %zd of column %R is said to have bytes %lld to %lld of %zu", index,
                     column->name, (long long)start, (long long)end, column->text_size);
        return NULL;
    }
    const char* text = column->parts[PART_VALUES].bytes + start;
    Py_ssize_t size = (Py_ssize_t)(end - start);
    return column->type->kind == COLUMN_TEXT ? PyUnicode_DecodeUTF8(text, size, NULL)
                                             : PyBytes_FromStringAndSize(text, size);
}

PyObject* cell_get(const TableColumn* column, Py_ssize_t index) {
    if (column_is_null(column, index)) return Py_NewRef(Py_None);
    if (column->items) return column->items->get(column_item(column, index));
    if (column->type->kind == COLUMN_BITS) return PyBool_FromLong(bit_is_set(column->parts[PART_VALUES].bytes, index));
    return get_text(column, index);
}
