#include "types/table/extending.h"

#include "types/table/appending.h"
#include "types/table/arrow_input.h"
#include "types/table/attributes.h"
#include "types/table/batch.h"
#include "types/table/storage.h"

// --- from Python objects ---

// Of an iterable only one item more than the capacity is taken, so its length is not known then.
static bool is_longer_than_capacity(const Table* table, const Batch* batch) {
    for (Py_ssize_t i = 0; i < table->num_columns; i++)
        if (batch->sources[i].num_items > table->capacity) return true;
    return false;
}

static int check_lengths(Table* table, Batch* batch) {
    batch->num_rows = batch->sources[0].num_items;
    for (Py_ssize_t i = 1; i < table->num_columns; i++) {
        if (batch->sources[i].num_items == batch->num_rows) continue;
        if (is_longer_than_capacity(table, batch)) return table_ensure(table, table->capacity + 1);
        PyErr_Format(PyExc_ValueError, "columns have different lengths: %R has %zd items, %R has %zd",
                     table->columns[0].name, batch->num_rows, table->columns[i].name, batch->sources[i].num_items);
        return -1;
    }
    return 0;
}

// The items of a column, from a mapping, a sequence or a structured array. NULL with an exception.
typedef PyObject* (*GetItems)(const Table* table, PyObject* columns, Py_ssize_t index);

static PyObject* get_by_name(const Table* table, PyObject* columns, Py_ssize_t index) {
    return PyObject_GetItem(columns, table->columns[index].name);
}

static PyObject* get_by_index(const Table* table, PyObject* columns, Py_ssize_t index) {
    (void)table;
    return PySequence_GetItem(columns, index);
}

// Lists and tuples have no attributes to be asked for.
static int take_items(Source* source, const TableColumn* column, PyObject* items, Py_ssize_t max_items) {
    bool is_usual = PyList_CheckExact(items) || PyTuple_CheckExact(items);
    int status = is_usual ? 0 : source_take_array(source, column, items, max_items);
    if (status == 0 && !is_usual) status = arrow_take_items(source, column, items, max_items);
    if (status == 0) return source_take_iterable(source, column, items, max_items);
    return status < 0 ? -1 : 0;
}

static int extend_from(Table* table, PyObject* columns, GetItems get_items) {
    Batch batch;
    int status = batch_init(&batch, table);
    for (Py_ssize_t i = 0; status == 0 && i < table->num_columns; i++) {
        PyObject* items = get_items(table, columns, i);
        status = items ? take_items(&batch.sources[i], &table->columns[i], items, table->capacity) : -1;
        Py_XDECREF(items);
    }
    if (status == 0) status = check_lengths(table, &batch);
    if (status == 0) status = table_store_batches(table, &batch, 1);
    batch_free(&batch, table);
    return status;
}

// --- names ---

// `names` is a list or tuple of what should be the names of all columns.
static int check_names(const Table* table, PyObject* names) {
    Py_ssize_t num_names = PySequence_Size(names);
    if (num_names < 0) return -1;
    for (Py_ssize_t i = 0; i < num_names; i++) {
        PyObject* name = PySequence_GetItem(names, i);
        if (!name) return -1;
        bool is_column = PyUnicode_Check(name) && table_find_column(table, name, i) >= 0;
        if (!is_column) PyErr_Format(PyExc_ValueError, "%R is not a column of this table", name);
        Py_DECREF(name);
        if (!is_column) return -1;
    }
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        int is_there = PySequence_Contains(names, table->columns[i].name);
        if (is_there == 0) PyErr_Format(PyExc_ValueError, "column %R is missing", table->columns[i].name);
        if (is_there <= 0) return -1;
    }
    return 0;
}

static int extend_from_mapping(Table* table, PyObject* columns) {
    PyObject* names = PyMapping_Keys(columns);
    int status = names ? check_names(table, names) : -1;
    Py_XDECREF(names);
    return status < 0 ? -1 : extend_from(table, columns, get_by_name);
}

// The names of the fields of a structured array of NumPy; `names` is NULL for all other objects. -1 with an exception.
static int find_fields(PyObject* object, PyObject** names) {
    PyObject* dtype;
    *names = NULL;
    int status = find_attribute(object, "dtype", &dtype);
    if (status > 0) status = find_attribute(dtype, "names", names);
    if (*names && !PyTuple_Check(*names)) Py_CLEAR(*names);
    Py_XDECREF(dtype);
    return status < 0 ? -1 : 0;
}

static int extend_from_fields(Table* table, PyObject* columns, PyObject* names) {
    int status = check_names(table, names);
    Py_DECREF(names);
    return status < 0 ? -1 : extend_from(table, columns, get_by_name);
}

static int extend_from_sequence(Table* table, PyObject* columns) {
    Py_ssize_t num_columns = PySequence_Size(columns);
    if (num_columns < 0) return -1;
    if (num_columns == table->num_columns) return extend_from(table, columns, get_by_index);
    PyErr_Format(PyExc_ValueError,
                 "a table of %zd columns cannot be extended by a sequence of %zd; it takes the items of "
                 "each column, as {name: items} or in order, not rows nor one column",
                 table->num_columns, num_columns);
    return -1;
}

static bool is_sequence(PyObject* object) {
    return PySequence_Check(object) && !PyUnicode_Check(object) && !PyBytes_Check(object) && !PyByteArray_Check(object);
}

static int raise_no_columns(PyObject* object) {
    PyObject* name = PyType_GetName(Py_TYPE(object));
    if (name)
        PyErr_Format(PyExc_TypeError,
                     "extend() takes a mapping or sequence of columns, a structured array, or an object with "
                     "__arrow_c_stream__, not %U",
                     name);
    Py_XDECREF(name);
    return -1;
}

static int extend_from_object(Table* table, PyObject* columns) {
    PyObject* fields;
    int status = has_attribute(columns, "__arrow_c_stream__");
    if (status != 0) return status < 0 ? -1 : arrow_extend(table, columns);
    if (find_fields(columns, &fields) < 0) return -1;
    if (fields) return extend_from_fields(table, columns, fields);
    status = PyMapping_Check(columns) ? has_attribute(columns, "keys") : 0;
    if (status != 0) return status < 0 ? -1 : extend_from_mapping(table, columns);
    return is_sequence(columns) ? extend_from_sequence(table, columns) : raise_no_columns(columns);
}

// The usual objects have no attributes to be asked for.
static int extend_table(Table* table, PyObject* columns) {
    if (PyDict_CheckExact(columns)) return extend_from_mapping(table, columns);
    if (PyList_CheckExact(columns) || PyTuple_CheckExact(columns)) return extend_from_sequence(table, columns);
    return extend_from_object(table, columns);
}

PyObject* table_extend(Table* self, PyObject* columns) {
    return extend_table(self, columns) < 0 ? NULL : Py_NewRef(Py_None);
}
