#include "types/table/column.h"

#include "python/arguments.h"
#include "types/table/arrow_output.h"
#include "types/table/column_docs.h"
#include "types/table/column_items.h"
#include "types/table/column_numpy.h"
#include "types/table/sharing.h"
#include "types/table/storage.h"

// --- creating and deallocating ---

PyObject* column_new(Table* table, Py_ssize_t index, RowRange range) {
    ModuleState* state = table_find_state(table);
    if (!state || module_check_loaded(state) < 0) return NULL;
    Column* self = PyObject_GC_New(Column, state->column_type);
    if (!self) return NULL;
    self->table = (Table*)Py_NewRef((PyObject*)table);
    self->index = index;
    self->range = range;
    PyObject_GC_Track(self);
    return (PyObject*)self;
}

static int column_traverse(Column* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->table);
    return 0;
}

static void column_dealloc(Column* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    Py_DECREF((PyObject*)self->table);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

// --- items ---

static Py_ssize_t column_length(Column* self) {
    table_follow(self->table);
    RowRange range = rows_clamp(self->table, self->range);
    return range.stop - range.start;
}

static PyObject* get_item(Column* self, Py_ssize_t index) {
    PyObject* item = column_get_or_null(self, index);
    if (!item && !PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "column index out of range");
    return item;
}

// Python adds the length to a negative index before it calls this.
static PyObject* column_item_at(Column* self, Py_ssize_t index) {
    return get_item(self, index < 0 ? PY_SSIZE_T_MIN : index);
}

static PyObject* column_iterate(Column* self) { return PySeqIter_New((PyObject*)self); }

static PyObject* column_subscript(Column* self, PyObject* key) {
    RowRange sliced;
    if (PySlice_Check(key)) {
        table_follow(self->table);
        if (rows_slice(self->table, self->range, key, &sliced) < 0) return NULL;
        return column_new(self->table, self->index, sliced);
    }
    if (!PyIndex_Check(key)) {
        raise_wrong_type(key, "column indices", "integers or slices");
        return NULL;
    }
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return NULL;
    return get_item(self, index);
}

// Finds the first item that equals an object, from `*index` on. Returns whether there is one, or -1 with an exception.
// Comparing can run Python code, which can clear the table.
static int find_item(Column* self, PyObject* object, Py_ssize_t* index) {
    PyObject* item;
    for (; (item = column_get_or_null(self, *index)); ++*index) {
        int is_equal = PyObject_RichCompareBool(item, object, Py_EQ);
        Py_DECREF(item);
        if (is_equal != 0) return is_equal;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static int column_contains(Column* self, PyObject* object) {
    Py_ssize_t index = 0;
    return find_item(self, object, &index);
}

static PyObject* column_index(Column* self, PyObject* object) {
    Py_ssize_t index = 0;
    int found = find_item(self, object, &index);
    if (found > 0) return PyLong_FromSsize_t(index);
    if (found == 0) PyErr_SetString(PyExc_ValueError, "column.index(x): x not in column");
    return NULL;
}

static PyObject* column_count(Column* self, PyObject* object) {
    Py_ssize_t count = 0, index = 0;
    int found;
    for (; (found = find_item(self, object, &index)) > 0; index++) count++;
    return found < 0 ? NULL : PyLong_FromSsize_t(count);
}

// --- buffers ---

static int check_is_buffer(const TableColumn* column) {
    const char* remedy = column->items ? ".values and .validity" : ".values";
    if (column->type->kind == COLUMN_NUMBERS && !column->is_nullable) return 0;
    PyErr_Format(PyExc_BufferError,
                 "column %R, of type '%s%s', exports no buffer, which could not say what it is; %s do", column->name,
                 column->type->name, column->is_nullable ? "|None" : "", remedy);
    return -1;
}

static int column_getbuffer(Column* self, Py_buffer* view, int flags) {
    if (!view) {  // only native code can do that
        PyErr_SetString(PyExc_BufferError, "the Py_buffer argument must not be NULL");
        return -1;
    }
    view->obj = NULL;
    if (check_is_buffer(column_data(self)) < 0) return -1;
    PinObject* pin = column_pin_part(self, self->range, PART_VALUES);
    if (!pin) return -1;
    int status = PyObject_GetBuffer((PyObject*)pin, view, flags);
    Py_DECREF((PyObject*)pin);
    return status;
}

// Never called, because the buffers belong to pins. But np.frombuffer() keeps the buffer only of objects that have this
// slot; of others it keeps the object alone, and then the memory could be given back or written anew.
static void column_releasebuffer(Column* Py_UNUSED(self), Py_buffer* Py_UNUSED(view)) {}

// Replaces the method that Python would derive from the slot, which accepts only buffers that were exported by the
// column itself; ours are exported by pins.
static PyObject* column_release_buffer(Column* Py_UNUSED(self), PyObject* Py_UNUSED(buffer)) { Py_RETURN_NONE; }

// --- attributes ---

static PyObject* column_get_name(Column* self, void* Py_UNUSED(closure)) { return Py_NewRef(column_data(self)->name); }

static PyObject* column_get_type(Column* self, void* Py_UNUSED(closure)) {
    const TableColumn* column = column_data(self);
    return PyUnicode_FromFormat("%s%s", column->type->name, column->is_nullable ? "|None" : "");
}

static PyObject* column_get_values(Column* self, void* Py_UNUSED(closure)) {
    return column_view_part(self, self->range, PART_VALUES);
}

// Of a table without rows, which may have no memory yet: where the first text will begin.
static PyObject* make_no_offsets(void) {
    PyObject* bytes = PyBytes_FromStringAndSize("\0\0\0\0\0\0\0", sizeof(int64_t));
    PyObject* view = bytes ? PyMemoryView_FromObject(bytes) : NULL;
    PyObject* offsets = view ? PyObject_CallMethod(view, "cast", "s", "q") : NULL;
    Py_XDECREF(view);
    Py_XDECREF(bytes);
    return offsets;
}

static PyObject* column_get_offsets(Column* self, void* Py_UNUSED(closure)) {
    if (!has_variable_size(column_data(self)->type)) return Py_NewRef(Py_None);
    PyObject* view = column_view_part(self, self->range, PART_OFFSETS);
    if (!view || PyObject_Size(view) != 0) return view;
    Py_DECREF(view);
    return make_no_offsets();
}

static PyObject* column_get_validity(Column* self, void* Py_UNUSED(closure)) {
    if (!column_data(self)->is_nullable) return Py_NewRef(Py_None);
    return column_view_part(self, self->range, PART_VALIDITY);
}

static PyObject* column_repr(Column* self) {
    const TableColumn* column = column_data(self);
    return PyUnicode_FromFormat("<vmem.Column %R of type '%s%s', %zd rows>", column->name, column->type->name,
                                column->is_nullable ? "|None" : "", column_length(self));
}

// --- the type ---

static PyMethodDef column_methods[] = {
    {"tolist", (PyCFunction)column_tolist, METH_NOARGS, column_tolist_doc},
    {"index", (PyCFunction)column_index, METH_O, column_index_doc},
    {"count", (PyCFunction)column_count, METH_O, column_count_doc},
    {"__array__", AS_KEYWORDS(column_to_numpy), column_to_numpy_doc},
    {"__arrow_c_array__", AS_KEYWORDS(column_to_arrow), column_to_arrow_doc},
    {"__arrow_c_schema__", (PyCFunction)column_to_arrow_schema, METH_NOARGS, column_to_arrow_schema_doc},
    {"__release_buffer__", (PyCFunction)column_release_buffer, METH_O | METH_COEXIST, column_release_buffer_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef column_getset[] = {
    {"name", (getter)column_get_name, NULL, "The name of the column.", NULL},
    {"type", (getter)column_get_type, NULL, "The type of the items, as the table was given it.", NULL},
    {"values", (getter)column_get_values, NULL, column_values_doc, NULL},
    {"offsets", (getter)column_get_offsets, NULL, column_offsets_doc, NULL},
    {"validity", (getter)column_get_validity, NULL, column_validity_doc, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot column_slots[] = {
    {Py_tp_doc, (void*)column_doc},
    {Py_tp_dealloc, column_dealloc},
    {Py_tp_traverse, column_traverse},
    {Py_tp_repr, column_repr},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_methods, column_methods},
    {Py_tp_getset, column_getset},
    {Py_bf_getbuffer, column_getbuffer},
    {Py_bf_releasebuffer, column_releasebuffer},
    {Py_tp_iter, column_iterate},
    {Py_sq_length, column_length},
    {Py_sq_item, column_item_at},
    {Py_sq_contains, column_contains},
    {Py_mp_length, column_length},
    {Py_mp_subscript, column_subscript},
    {0, NULL},
};

PyType_Spec column_spec = {
    .name = "vmem.Column",
    .basicsize = sizeof(Column),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             VMEM_TPFLAGS_SEQUENCE,
    .slots = column_slots,
};
