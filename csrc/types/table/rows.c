#include "types/table/rows.h"

#include "python/arguments.h"
#include "types/table/appending.h"
#include "types/table/arrow_output.h"
#include "types/table/cells.h"
#include "types/table/column.h"
#include "types/table/sharing.h"
#include "types/table/storage.h"

// --- single rows ---

// The class of a table's rows, a new reference. NULL with an exception.
static PyObject* find_row_type(Table* table) {
    PyObject* row_type;
    Py_BEGIN_CRITICAL_SECTION(table);
    row_type = Py_XNewRef(table->row_type);
    Py_END_CRITICAL_SECTION();
    if (row_type) return row_type;
    ModuleState* state = table_find_state(table);
    if (!state || module_check_loaded(state) < 0) return NULL;
    if (!state->make_row_type) {
        PyErr_SetString(PyExc_RuntimeError, "set_row_type_maker() has not been called");
        return NULL;
    }
    PyObject* make = Py_NewRef(state->make_row_type);  // it can run set_row_type_maker()
    row_type = PyObject_CallFunctionObjArgs(make, table->names, NULL);
    Py_DECREF(make);
    if (!row_type) return NULL;
    PyObject* before;
    Py_BEGIN_CRITICAL_SECTION(table);
    before = table->row_type;
    table->row_type = Py_NewRef(row_type);
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(before);
    return row_type;
}

// The items of a row as a tuple. NULL, without an exception when there is no such row.
static PyObject* get_items(Table* table, RowRange range, Py_ssize_t index) {
    PyObject* items = PyTuple_New(table->num_columns);
    bool is_complete;
    if (!items) return NULL;
    table_follow(table);
    Py_BEGIN_CRITICAL_SECTION(table);
    is_complete = rows_find(rows_clamp(table, range), &index);
    for (Py_ssize_t i = 0; is_complete && i < table->num_columns; i++) {
        PyObject* item = cell_get(&table->columns[i], index);
        is_complete = item != NULL;
        if (item) PyTuple_SetItem(items, i, item);
    }
    Py_END_CRITICAL_SECTION();
    if (!is_complete) Py_CLEAR(items);
    return items;
}

PyObject* table_get_row(Table* table, RowRange range, Py_ssize_t index) {
    PyObject* row_type = find_row_type(table);
    PyObject* items = row_type ? get_items(table, range, index) : NULL;
    PyObject* row = items ? PyObject_CallFunctionObjArgs(row_type, items, NULL) : NULL;
    Py_XDECREF(items);
    Py_XDECREF(row_type);
    if (!row && !PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "table index out of range");
    return row;
}

PyObject* table_get_part(Table* table, RowRange range, PyObject* key) {
    RowRange sliced;
    if (PyUnicode_Check(key)) {
        Py_ssize_t index = table_find_column(table, key, 0);
        if (index >= 0) return column_new(table, index, range);
        PyErr_SetObject(PyExc_KeyError, key);
        return NULL;
    }
    table_follow(table);
    if (PySlice_Check(key)) return rows_slice(table, range, key, &sliced) < 0 ? NULL : rows_new(table, sliced);
    if (!PyIndex_Check(key)) {
        raise_wrong_type(key, "table indices", "integers, slices or names of columns");
        return NULL;
    }
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return NULL;
    return table_get_row(table, range, index);
}

// Comparing can run Python code, which can clear the table.
int table_contains(Table* table, RowRange range, PyObject* object) {
    PyObject* row;
    int is_equal = 0;
    for (Py_ssize_t i = 0; is_equal == 0 && (row = table_get_row(table, range, i)); i++) {
        is_equal = PyObject_RichCompareBool(row, object, Py_EQ);
        Py_DECREF(row);
    }
    if (is_equal != 0 || !PyErr_ExceptionMatches(PyExc_IndexError)) return is_equal == 0 ? -1 : is_equal;
    PyErr_Clear();
    return 0;
}

// --- views of rows ---

PyObject* rows_new(Table* table, RowRange range) {
    ModuleState* state = table_find_state(table);
    if (!state || module_check_loaded(state) < 0) return NULL;
    Rows* self = PyObject_GC_New(Rows, state->rows_type);
    if (!self) return NULL;
    self->table = (Table*)Py_NewRef((PyObject*)table);
    self->range = range;
    PyObject_GC_Track(self);
    return (PyObject*)self;
}

static int rows_traverse(Rows* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->table);
    return 0;
}

static void rows_dealloc(Rows* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    Py_DECREF((PyObject*)self->table);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static Py_ssize_t rows_length(Rows* self) {
    table_follow(self->table);
    RowRange range = rows_clamp(self->table, self->range);
    return range.stop - range.start;
}

// Python adds the length to a negative index before it calls this.
static PyObject* rows_item(Rows* self, Py_ssize_t index) {
    return table_get_row(self->table, self->range, index < 0 ? PY_SSIZE_T_MIN : index);
}

static int rows_contains(Rows* self, PyObject* object) { return table_contains(self->table, self->range, object); }

static PyObject* rows_iterate(Rows* self) { return PySeqIter_New((PyObject*)self); }

static PyObject* rows_subscript(Rows* self, PyObject* key) { return table_get_part(self->table, self->range, key); }

static PyObject* rows_repr(Rows* self) {
    RowRange range = rows_clamp(self->table, self->range);
    return PyUnicode_FromFormat("<vmem.Rows %zd to %zd of a table of %zd>", range.start, range.stop,
                                table_length(self->table));
}

PyDoc_STRVAR(
    rows_doc,
    "Some of the rows of a table, as a view of them: what slicing a table gives.\n\n"
    "Indices, slices and names of columns work as with the table. A view never has more rows than when it was\n"
    "made; after Table.clear() it has fewer.\n\n"
    "Attributes\n"
    "----------\n"
    "names : tuple of str\n"
    "    The names of the columns.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> table = vmem.Table({\"time\": \"q\", \"value\": \"d\"})\n"
    ">>> table.extend({\"time\": range(5), \"value\": [0.5] * 5})\n"
    ">>> newest = table[-2:]\n"
    ">>> len(newest), newest[0], newest[\"time\"].tolist()\n"
    "(2, Row(time=3, value=0.5), [3, 4])");

static PyObject* rows_get_names(Rows* self, void* Py_UNUSED(closure)) { return Py_NewRef(self->table->names); }

static PyObject* rows_to_arrow(Rows* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    return arrow_export_rows(self->table, self->range, args, num_args, keywords);
}

static PyObject* rows_to_arrow_schema(Rows* self, PyObject* Py_UNUSED(ignored)) {
    return arrow_export_schema(self->table);
}

PyDoc_STRVAR(rows_to_arrow_doc,
             "__arrow_c_stream__($self, /, requested_schema=None)\n--\n\n"
             "The rows, for whatever takes Arrow data, without a copy.");

PyDoc_STRVAR(rows_to_arrow_schema_doc,
             "__arrow_c_schema__($self, /)\n--\n\nThe names and types of the columns, for whatever takes Arrow data.");

static PyMethodDef rows_methods[] = {
    {"__arrow_c_stream__", AS_KEYWORDS(rows_to_arrow), rows_to_arrow_doc},
    {"__arrow_c_schema__", (PyCFunction)rows_to_arrow_schema, METH_NOARGS, rows_to_arrow_schema_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef rows_getset[] = {
    {"names", (getter)rows_get_names, NULL, "The names of the columns, as a tuple.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot rows_slots[] = {
    {Py_tp_doc, (void*)rows_doc},
    {Py_tp_dealloc, rows_dealloc},
    {Py_tp_traverse, rows_traverse},
    {Py_tp_repr, rows_repr},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_methods, rows_methods},
    {Py_tp_getset, rows_getset},
    {Py_tp_iter, rows_iterate},
    {Py_sq_length, rows_length},
    {Py_sq_item, rows_item},
    {Py_sq_contains, rows_contains},
    {Py_mp_length, rows_length},
    {Py_mp_subscript, rows_subscript},
    {0, NULL},
};

PyType_Spec rows_spec = {
    .name = "vmem.Rows",
    .basicsize = sizeof(Rows),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             VMEM_TPFLAGS_SEQUENCE,
    .slots = rows_slots,
};
