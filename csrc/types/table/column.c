#include "types/table/column.h"

#include "core/views.h"
#include "python/arguments.h"
#include "types/table/arrow_output.h"
#include "types/table/cells.h"
#include "types/table/column_numpy.h"
#include "types/table/column_docs.h"
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
    RowRange range = rows_clamp(self->table, self->range);
    return range.stop - range.start;
}

// NULL, without an exception when there is no such item. The index may be negative.
static PyObject* get_or_null(Column* self, Py_ssize_t index) {
    PyObject* item = NULL;
    Py_BEGIN_CRITICAL_SECTION(self->table);
    if (rows_find(rows_clamp(self->table, self->range), &index)) item = cell_get(column_data(self), index);
    Py_END_CRITICAL_SECTION();
    return item;
}

static PyObject* get_item(Column* self, Py_ssize_t index) {
    PyObject* item = get_or_null(self, index);
    if (!item && !PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "column index out of range");
    return item;
}

// Python adds the length to a negative index before it calls this.
static PyObject* column_item_at(Column* self, Py_ssize_t index) {
    return get_item(self, index < 0 ? PY_SSIZE_T_MIN : index);
}

static PyObject* column_subscript(Column* self, PyObject* key) {
    RowRange sliced;
    if (PySlice_Check(key)) {
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

PyObject* column_tolist(Column* self, PyObject* Py_UNUSED(ignored)) {
    PyObject *list = PyList_New(0), *item;
    int status = list ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && (item = get_or_null(self, i)); i++) {
        status = PyList_Append(list, item);
        Py_DECREF(item);
    }
    if (PyErr_Occurred()) status = -1;
    if (status < 0) Py_CLEAR(list);
    return list;
}

// Finds the first item that equals an object, from `*index` on. Returns whether there is one, or -1 with an exception.
// Comparing can run Python code, which can clear the table.
static int find_item(Column* self, PyObject* object, Py_ssize_t* index) {
    PyObject* item;
    for (; (item = get_or_null(self, *index)); ++*index) {
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

typedef struct PartFormat {
    const char* format;
    Py_ssize_t item_size;
} PartFormat;

static PartFormat find_format(const TableColumn* column, PartKind kind) {
    if (kind == PART_OFFSETS) return (PartFormat){"q", sizeof(int64_t)};
    if (kind == PART_VALUES && column->items) return (PartFormat){column->items->typecode, column->items->size};
    return (PartFormat){"B", 1};
}

// The items of a part that show a range of rows. Texts are shown from the first on, because offsets count from there.
static RowRange find_part_items(const TableColumn* column, PartKind kind, RowRange range) {
    if (kind == PART_OFFSETS) return (RowRange){range.start, range.stop > range.start ? range.stop + 1 : range.start};
    if (kind == PART_VALIDITY || column->type->kind == COLUMN_BITS)
        return (RowRange){range.start / 8, (range.stop + 7) / 8};
    if (column->items) return range;
    return (RowRange){0, range.stop > range.start ? (Py_ssize_t)column_offsets(column)[range.stop] : 0};
}

// Places a pin on a part. The caller holds the table's lock.
static void place_pin(Column* self, PinObject* pin, PartKind kind, RowRange range) {
    TableColumn* column = column_data(self);
    Part* part = &column->parts[kind];
    PartFormat format = find_format(column, kind);
    RowRange items = find_part_items(column, kind, range);
    size_t offset = (size_t)(items.start * format.item_size);
    view_place_items(pin, part->range.start + offset, items.stop - items.start, format.format, format.item_size);
    part_note_export(part, (size_t)(items.stop * format.item_size));
}

// A pin on a part of the column as it is now. NULL with an exception. Making it can run Python code, so that comes first.
static PinObject* pin_part(Column* self, PartKind kind) {
    Table* table = self->table;
    PinObject* pin = view_new_pin(&table->reservation);
    bool splits_byte;
    RowRange range;
    if (!pin) return NULL;
    Py_BEGIN_CRITICAL_SECTION(table);
    range = rows_clamp(table, self->range);
    bool is_bits = kind == PART_VALIDITY || (kind == PART_VALUES && column_data(self)->type->kind == COLUMN_BITS);
    splits_byte = is_bits && range.start % 8 != 0;
    if (!splits_byte) place_pin(self, pin, kind, range);
    Py_END_CRITICAL_SECTION();
    if (!splits_byte) return pin;
    Py_DECREF((PyObject*)pin);
    PyErr_Format(PyExc_ValueError,
                 "bits cannot be shown from row %zd on, in the middle of a byte; slice at a multiple of 8",
                 range.start);
    return NULL;
}

PyObject* column_view_part(Column* self, PartKind kind) {
    PinObject* pin = pin_part(self, kind);
    PyObject* view = pin ? PyMemoryView_FromObject((PyObject*)pin) : NULL;
    Py_XDECREF((PyObject*)pin);
    return view;
}

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
    PinObject* pin = pin_part(self, PART_VALUES);
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
    return column_view_part(self, PART_VALUES);
}

static PyObject* column_get_offsets(Column* self, void* Py_UNUSED(closure)) {
    if (!has_variable_size(column_data(self)->type)) return Py_NewRef(Py_None);
    return column_view_part(self, PART_OFFSETS);
}

static PyObject* column_get_validity(Column* self, void* Py_UNUSED(closure)) {
    if (!column_data(self)->is_nullable) return Py_NewRef(Py_None);
    return column_view_part(self, PART_VALIDITY);
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
