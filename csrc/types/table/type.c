#include "types/table/type.h"

#include "core/lifetime.h"
#include "core/snapshot.h"
#include "types/sharing.h"
#include "types/table/appending.h"
#include "types/table/arrow_output.h"
#include "types/table/attributes.h"
#include "types/table/docs.h"
#include "types/table/extending.h"
#include "types/table/rows.h"
#include "types/table/sharing.h"
#include "types/table/storage.h"

static PyObject* none_unless(bool failed) { return failed ? NULL : Py_NewRef(Py_None); }

// --- creating ---

static PyObject* table_new_object(PyTypeObject* python_type, PyObject* args, PyObject* keywords) {
    static char* names[] = {"columns", "capacity", "shared", NULL};
    PyObject *columns, *capacity_object = Py_None;
    Py_ssize_t capacity = -1;
    int shared = false;
    TableSchema schema;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$Op:Table", names, &columns, &capacity_object, &shared))
        return NULL;
    ModuleState* state = table_state_of_type(python_type);
    if (!state || module_check_loaded(state) < 0) return NULL;
    if (schema_convert(columns, &schema) < 0) return NULL;
    if (capacity_object != Py_None && table_convert_capacity(&schema, capacity_object, &capacity) < 0) {
        schema_free(&schema);
        return NULL;
    }
    return (PyObject*)(shared ? table_new_shared : table_new)(state, python_type, &schema, capacity);
}

static int table_traverse(Table* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->names);
    Py_VISIT(self->row_type);
    int status = 0;
    for (TablePlace* place = self->place; place && status == 0; place = place->inherited)
        status = reservation_traverse(&place->reservation, visit, arg);
    return status;
}

// --- rows ---

static Py_ssize_t table_get_length(Table* self) {
    table_follow(self);
    return table_length(self);
}

// Python adds the length to a negative index before it calls this.
static PyObject* table_item(Table* self, Py_ssize_t index) {
    return table_get_row(self, ALL_ROWS, index < 0 ? PY_SSIZE_T_MIN : index);
}

static int table_has_row(Table* self, PyObject* object) { return table_contains(self, ALL_ROWS, object); }

static PyObject* table_iterate(Table* self) { return PySeqIter_New((PyObject*)self); }

static PyObject* table_subscript(Table* self, PyObject* key) { return table_get_part(self, ALL_ROWS, key); }

static PyObject* table_clear_method(Table* self, PyObject* Py_UNUSED(ignored)) {
    return none_unless(table_check_clearable(self, "clear()") < 0 || table_clear(self) < 0);
}

static PyObject* table_shrink_to_fit_method(Table* self, PyObject* Py_UNUSED(ignored)) {
    if (table_check_writable(self) < 0) return NULL;
    return none_unless(self->role == TABLE_PRIVATE && table_shrink_to_fit(self) < 0);
}

// --- Arrow ---

static PyObject* table_to_arrow(Table* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    return arrow_export_rows(self, ALL_ROWS, args, num_args, keywords);
}

static PyObject* table_to_arrow_schema(Table* self, PyObject* Py_UNUSED(ignored)) { return arrow_export_schema(self); }

// --- others ---

static PyObject* table_map(Table* self, PyObject* Py_UNUSED(ignored)) {
    return snapshot_map(table_find_state(self), &self->place->reservation, Py_None, NULL);
}

static PyObject* table_reduce(Table* self, PyObject* Py_UNUSED(ignored)) {
    PyObject* name = PyType_GetName(Py_TYPE((PyObject*)self));
    if (name && self->role != TABLE_PRIVATE)
        PyErr_Format(
            PyExc_TypeError,
            "cannot pickle a shared %R object, nor copy it: send it to another process with multiprocessing, as "
            "an argument or through a queue or pipe; or send its fileno(), for vmem.attach()",
            name);
    else if (name)
        PyErr_Format(PyExc_TypeError,
                     "cannot pickle %R object, nor copy it: its memory stays where it is; pickle pyarrow.table(table)",
                     name);
    Py_XDECREF(name);
    return NULL;
}

static PyObject* table_repr(Table* self) {
    PyObject* name = describe_class((PyObject*)self);
    PyObject* text = NULL;
    table_follow(self);
    if (name)
        text = PyUnicode_FromFormat("<%U at %p: %zd rows of %zd column%s%s%s>", name, self->place->reservation.base,
                                    table_length(self), self->num_columns, self->num_columns == 1 ? "" : "s",
                                    self->role == TABLE_PRIVATE ? "" : ", shared",
                                    self->role == TABLE_READER ? ", read-only" : "");
    Py_XDECREF(name);
    return text;
}

static PyObject* table_get_names(Table* self, void* Py_UNUSED(closure)) { return Py_NewRef(self->names); }

static PyObject* table_get_capacity(Table* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(self->capacity);
}

// --- sharing ---

static PyObject* table_fileno(Table* self, PyObject* Py_UNUSED(ignored)) {
    return sharing_get_fileno(&self->place->reservation);
}

static PyObject* table_get_handle(Table* self, PyObject* Py_UNUSED(ignored)) {
    return sharing_get_handle(&self->place->reservation);
}

static PyObject* table_get_readonly(Table* self, void* Py_UNUSED(closure)) {
    return PyBool_FromLong(self->role == TABLE_READER);
}

static PyObject* table_get_is_shared(Table* self, void* Py_UNUSED(closure)) {
    return PyBool_FromLong(self->role != TABLE_PRIVATE);
}

// --- the class of rows ---

const char table_set_row_type_maker_doc[] = PyDoc_STR(
    "set_row_type_maker(maker, /)\n--\n\n"
    "Set the callable that makes the class of a table's rows of a tuple of names.");

PyObject* table_set_row_type_maker(PyObject* module, PyObject* maker) {
    ModuleState* state = PyModule_GetState(module);
    PyObject* before = state->make_row_type;
    state->make_row_type = Py_NewRef(maker);
    Py_XDECREF(before);
    return Py_NewRef(Py_None);
}

// --- tables ---

PyMethodDef table_methods[] = {
    {"append", AS_KEYWORDS(table_append), append_doc},
    {"extend", (PyCFunction)table_extend, METH_O, extend_doc},
    {"clear", (PyCFunction)table_clear_method, METH_NOARGS, clear_doc},
    {"shrink_to_fit", (PyCFunction)table_shrink_to_fit_method, METH_NOARGS, shrink_to_fit_doc},
    {"map", (PyCFunction)table_map, METH_NOARGS, map_doc},
    {"fileno", (PyCFunction)table_fileno, METH_NOARGS, fileno_doc},
    {"_get_handle", (PyCFunction)table_get_handle, METH_NOARGS, sharing_get_handle_doc},
    {"__arrow_c_stream__", AS_KEYWORDS(table_to_arrow), table_to_arrow_doc},
    {"__arrow_c_schema__", (PyCFunction)table_to_arrow_schema, METH_NOARGS, table_to_arrow_schema_doc},
    {"__reduce__", (PyCFunction)table_reduce, METH_NOARGS, reduce_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef table_getset[] = {
    {"names", (getter)table_get_names, NULL, "The names of the columns, as a tuple.", NULL},
    {"capacity", (getter)table_get_capacity, NULL, "How many rows the table can hold.", NULL},
    {"readonly", (getter)table_get_readonly, NULL, "Whether another process writes the rows.", NULL},
    {"_is_shared", (getter)table_get_is_shared, NULL, "Whether other processes can attach it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef table_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Table, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_doc, (void*)table_doc},    {Py_tp_new, table_new_object},      {Py_tp_dealloc, table_dealloc},
    {Py_tp_traverse, table_traverse}, {Py_tp_repr, table_repr},           {Py_tp_methods, table_methods},
    {Py_tp_members, table_members},   {Py_tp_getset, table_getset},       {Py_tp_iter, table_iterate},
    {Py_sq_length, table_get_length}, {Py_sq_item, table_item},           {Py_sq_contains, table_has_row},
    {Py_mp_length, table_get_length}, {Py_mp_subscript, table_subscript}, {0, NULL},
};

PyType_Spec table_spec = {
    .name = "vmem.Table",
    .basicsize = sizeof(Table),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             VMEM_TPFLAGS_SEQUENCE,
    .slots = table_slots,
};
