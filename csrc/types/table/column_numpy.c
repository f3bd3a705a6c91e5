#include "types/table/column_numpy.h"

#include "python/arguments.h"

// Steals the references; NULL stands for an exception that is set.
static PyObject* call(PyObject* function, PyObject* args, PyObject* keywords) {
    PyObject* result = function && args ? PyObject_Call(function, args, keywords) : NULL;
    Py_XDECREF(keywords);
    Py_XDECREF(args);
    Py_XDECREF(function);
    return result;
}

// numpy.asarray(object, dtype), or numpy.array() where `copy` is given.
static PyObject* as_array(PyObject* numpy, PyObject* object, PyObject* dtype, PyObject* copy) {
    PyObject* keywords = copy == Py_None ? PyDict_New() : Py_BuildValue("{sO}", "copy", copy);
    if (!keywords) return NULL;
    return call(PyObject_GetAttrString(numpy, copy == Py_None ? "asarray" : "array"),
                Py_BuildValue("(OO)", object, dtype), keywords);
}

// Bits of which the first belongs to row `start`, as an array of bools.
static PyObject* unpack_bits(PyObject* numpy, PyObject* bits, Py_ssize_t num_bits) {
    PyObject* packed = as_array(numpy, bits, Py_None, Py_None);
    PyObject* args = packed ? PyTuple_Pack(1, packed) : NULL;
    PyObject* keywords = args ? Py_BuildValue("{snss}", "count", num_bits, "bitorder", "little") : NULL;
    Py_XDECREF(packed);
    if (!keywords) {
        Py_XDECREF(args);
        return NULL;
    }
    PyObject* unpacked = call(PyObject_GetAttrString(numpy, "unpackbits"), args, keywords);
    PyObject* bools = unpacked ? PyObject_CallMethod(unpacked, "view", "s", "?") : NULL;
    Py_XDECREF(unpacked);
    return bools;
}

// What the column shows, without a copy: NULL without an exception where that takes one.
static PyObject* view_without_copy(PyObject* numpy, Column* self) {
    const TableColumn* column = column_data(self);
    bool is_times = column->type->kind == COLUMN_TIMES;
    if (!is_times && (column->type->kind != COLUMN_NUMBERS || column->is_nullable)) return NULL;
    PyObject* view = column_view_part(self, self->range, PART_VALUES);
    PyObject* array = view ? as_array(numpy, view, Py_None, Py_None) : NULL;
    Py_XDECREF(view);
    if (!array || !is_times) return array;
    PyObject* times = PyObject_CallMethod(array, "view", "s", column->type->name);
    Py_DECREF(array);
    return times;
}

static PyObject* copy_bools(PyObject* numpy, Column* self) {
    PyObject* bits = column_view_part(self, ALL_ROWS, PART_VALUES);
    PyObject *bools = NULL, *part = NULL;
    if (bits) {
        Py_ssize_t num_bits = 8 * PyObject_Size(bits);
        RowRange range = rows_clamp(self->table, self->range);  // that of the view, or more
        if (range.stop > num_bits) range.stop = num_bits;       // rows were added meanwhile
        if (range.start > range.stop) range.start = range.stop;
        bools = unpack_bits(numpy, bits, range.stop);
        if (bools) part = PySequence_GetSlice(bools, range.start, range.stop);
    }
    Py_XDECREF(bools);
    Py_XDECREF(bits);
    return part;
}

static PyObject* copy_objects(PyObject* numpy, Column* self) {
    PyObject* list = column_tolist(self, NULL);
    PyObject* made =
        list ? call(PyObject_GetAttrString(numpy, "array"), PyTuple_Pack(1, list), Py_BuildValue("{ss}", "dtype", "O"))
             : NULL;
    Py_XDECREF(list);
    return made;
}

static PyObject* make_copy(PyObject* numpy, Column* self, PyObject* copy) {
    const TableColumn* column = column_data(self);
    if (copy == Py_False) {
        PyErr_Format(PyExc_ValueError, "column %R, of type '%s%s', cannot become an array of NumPy without a copy",
                     column->name, column->type->name, column->is_nullable ? "|None" : "");
        return NULL;
    }
    if (column->type->kind == COLUMN_BITS && !column->is_nullable) return copy_bools(numpy, self);
    return copy_objects(numpy, self);
}

PyObject* column_to_numpy(Column* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    static const Signature signature = {"__array__", 2, 1, {"dtype", "copy"}};
    PyObject* parsed[2];
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return NULL;
    PyObject *dtype = parsed[0] ? parsed[0] : Py_None, *copy = parsed[1] ? parsed[1] : Py_None;
    PyObject* numpy = PyImport_ImportModule("numpy");
    PyObject* array = numpy ? view_without_copy(numpy, self) : NULL;
    PyObject* made = NULL;
    if (array) {
        made = as_array(numpy, array, dtype, copy);
    } else if (numpy && !PyErr_Occurred()) {
        array = make_copy(numpy, self, copy);
        if (array) made = as_array(numpy, array, dtype, Py_None);
    }
    Py_XDECREF(array);
    Py_XDECREF(numpy);
    return made;
}
