#include "types/array/type.h"

#include "core/lifetime.h"
#include "core/views.h"
#include "python/arguments.h"
#include "types/array/arrow.h"
#include "types/array/dlpack.h"
#include "types/array/docs.h"
#include "types/array/filling.h"
#include "types/array/methods.h"
#include "types/array/pickling.h"
#include "types/array/place.h"
#include "types/array/sequence.h"
#include "types/array/sharing.h"
#include "types/array/storage.h"
#include "types/sharing.h"

// --- creating ---

typedef struct ArrayArguments {
    const RowType* type;
    RowType row_type;       // where `type` points, unless items are numbers
    PyObject* initializer;  // NULL for none
    Py_ssize_t capacity;    // -1 for the default
    int shared;
} ArrayArguments;

// The usual arguments, without the costs of parsing keywords. Returns false for others.
static bool take_positional(PyObject* args, PyObject* keywords, PyObject** typecode, PyObject** initializer) {
    Py_ssize_t num_args = PyTuple_Size(args);
    if (keywords || num_args < 1 || num_args > 2) return false;
    *typecode = PyTuple_GetItem(args, 0);
    if (num_args == 2) *initializer = PyTuple_GetItem(args, 1);
    return true;
}

static int parse_array(PyObject* args, PyObject* keywords, ArrayArguments* arguments) {
    static char* names[] = {"", "", "capacity", "row_shape", "shared", NULL};
    PyObject *typecode, *capacity = Py_None, *row_shape = NULL;
    const ItemType* scalar;
    arguments->initializer = NULL;
    arguments->capacity = -1;
    arguments->shared = false;
    if (!take_positional(args, keywords, &typecode, &arguments->initializer) &&
        !PyArg_ParseTupleAndKeywords(args, keywords, "O|O$OOp:Array", names, &typecode, &arguments->initializer,
                                     &capacity, &row_shape, &arguments->shared))
        return -1;
    if (convert_typecode(typecode, "Array", &scalar) < 0) return -1;
    arguments->type = row_shape ? &arguments->row_type : rows_type_of_numbers(scalar);
    if (row_shape && rows_convert_type(scalar, row_shape, &arguments->row_type) < 0) return -1;
    if (capacity == Py_None) return 0;
    return place_convert_capacity(arguments->type, capacity, &arguments->capacity);
}

// How many items an array.array, a NumPy array or another buffer has; 0 when the object is not a buffer, -1 with an
// exception.
static Py_ssize_t count_buffer_items(const RowType* type, PyObject* object) {
    Py_buffer buffer;
    int status = array_get_buffer(object, &buffer);
    if (status <= 0) return status;
    Py_ssize_t num_items = buffer.itemsize > 0 ? buffer.len / buffer.itemsize / type->num_scalars : 0;
    PyBuffer_Release(&buffer);
    return num_items;
}

// How many items `initializer` seems to have; it may give more or fewer. Returns -1 with an exception.
static Py_ssize_t guess_length(const ArrayArguments* arguments) {
    PyObject* initializer = arguments->initializer;
    if (!initializer) return 0;
    if (PyBytes_Check(initializer)) return PyBytes_Size(initializer) / arguments->type->size;
    if (PyByteArray_Check(initializer)) return PyByteArray_Size(initializer) / arguments->type->size;
    if (PyList_Check(initializer)) return PyList_Size(initializer);
    if (PyTuple_Check(initializer)) return PyTuple_Size(initializer);
    return array_check(initializer) ? array_load_length((Array*)initializer)
                                    : count_buffer_items(arguments->type, initializer);
}

static int initialize(Array* self, PyObject* initializer) {
    if (!initializer) return 0;
    if (PyList_CheckExact(initializer)) return array_extend(self, initializer);
    if (PyUnicode_Check(initializer)) {
        PyErr_Format(PyExc_TypeError, "cannot use a str to initialize an array with typecode '%s'",
                     self->type->scalar->typecode);
        return -1;
    }
    if (array_check(initializer) && ((Array*)initializer)->type->scalar != self->type->scalar)
        return array_extend_converting(self, (Array*)initializer);
    if (!PyBytes_Check(initializer) && !PyByteArray_Check(initializer)) return array_extend(self, initializer);
    PyObject* nothing = array_frombytes(self, initializer);
    Py_XDECREF(nothing);
    return nothing ? 0 : -1;
}

static const char* const OWN_KEYWORDS[] = {"capacity", "row_shape", "shared"};

// A subclass may have an __init__() that takes more keywords, as one of array.array may. They are ignored here.
static PyObject* drop_foreign_keywords(PyTypeObject* type, const ModuleState* state, PyObject* keywords) {
    if (!keywords || PyType_GetSlot(type, Py_tp_init) == PyType_GetSlot(state->array_type, Py_tp_init))
        return Py_XNewRef(keywords);
    PyObject* own = PyDict_New();
    for (size_t i = 0; own && i < sizeof(OWN_KEYWORDS) / sizeof(OWN_KEYWORDS[0]); i++) {
        PyObject* value = PyDict_GetItemString(keywords, OWN_KEYWORDS[i]);
        if (value && PyDict_SetItemString(own, OWN_KEYWORDS[i], value) < 0) Py_CLEAR(own);
    }
    return own;
}

static PyObject* array_new_object(PyTypeObject* python_type, PyObject* args, PyObject* keywords) {
    ArrayArguments arguments;
    ModuleState* state = array_state_of_type(python_type);
    if (!state || module_check_loaded(state) < 0) return NULL;
    PyObject* own_keywords = drop_foreign_keywords(python_type, state, keywords);
    if (keywords && !own_keywords) return NULL;
    int status = parse_array(args, own_keywords, &arguments);
    Py_XDECREF(own_keywords);
    if (status < 0) return NULL;
    Py_ssize_t min_capacity = arguments.capacity < 0 ? guess_length(&arguments) : 0;
    if (min_capacity < 0) return NULL;
    Array* self = (arguments.shared ? array_new_shared : array_new)(state, python_type, arguments.type,
                                                                    arguments.capacity, min_capacity);
    if (self && initialize(self, arguments.initializer) < 0) Py_CLEAR(self);
    return (PyObject*)self;
}

static int array_traverse(Array* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    int status = 0;
    for (Place* place = self->place; place && status == 0; place = place->inherited)
        status = reservation_traverse(&place->reservation, visit, arg);
    return status;
}

// Returns 1 when the items have another place by now: making the buffer can start a garbage collection, and that can fork.
static int export_items(Array* self, Py_buffer* view, int flags) {
    Place* place = self->place;
    ItemLayout layout = rows_layout(self->type);
    bool is_readonly = array_is_readonly(self);
    if (view_export(&place->reservation, place->item_offset, &self->length, &layout, is_readonly, view, flags) < 0)
        return -1;
    if (place != self->place) {
        PyBuffer_Release(view);
        return 1;
    }
    if (place->exported_end < (size_t)view->len) place->exported_end = (size_t)view->len;
    return 0;
}

static int array_getbuffer(Array* self, Py_buffer* view, int flags) {
    int status;
    if (view) view->obj = NULL;
    if (array_reserve(self) < 0) return -1;
    array_load_length(self);
    Py_BEGIN_CRITICAL_SECTION(self);
    do {
        status = export_items(self, view, flags);
    } while (status > 0);
    Py_END_CRITICAL_SECTION();
    return status;
}

// Never called, because the buffers belong to pins. But np.frombuffer() keeps the buffer only of objects that have this
// slot; of others it keeps the object alone, and then memory under its array could be decommitted.
static void array_releasebuffer(Array* Py_UNUSED(self), Py_buffer* Py_UNUSED(view)) {}

// As the constructor takes it, or nothing where items are numbers.
static PyObject* describe_row_shape(const RowType* type) {
    if (type->num_dims == 0) return PyUnicode_FromString("");
    PyObject* shape = rows_shape_as_tuple(type);
    PyObject* text = shape ? PyUnicode_FromFormat(", row_shape=%R", shape) : NULL;
    Py_XDECREF(shape);
    return text;
}

static PyObject* array_repr(Array* self) {
    PyObject* name = PyType_GetName(Py_TYPE((PyObject*)self));
    PyObject* list = name && array_load_length(self) > 0 ? array_tolist(self, NULL) : NULL;
    PyObject* shape = PyErr_Occurred() ? NULL : describe_row_shape(self->type);
    PyObject* text = NULL;
    if (shape && list)
        text = PyUnicode_FromFormat("%U('%s', %R%U)", name, self->type->scalar->typecode, list, shape);
    else if (shape)
        text = PyUnicode_FromFormat("%U('%s'%U)", name, self->type->scalar->typecode, shape);
    Py_XDECREF(shape);
    Py_XDECREF(list);
    Py_XDECREF(name);
    return text;
}

static PyObject* array_get_typecode(Array* self, void* Py_UNUSED(closure)) {
    return PyUnicode_FromString(self->type->scalar->typecode);
}

static PyObject* array_get_itemsize(Array* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(self->type->scalar->size);
}

static PyObject* array_get_row_shape(Array* self, void* Py_UNUSED(closure)) { return rows_shape_as_tuple(self->type); }

static PyObject* array_get_capacity(Array* self, void* Py_UNUSED(closure)) {
    Py_ssize_t capacity = array_find_capacity(self);
    return capacity < 0 ? NULL : PyLong_FromSsize_t(capacity);
}

static PyObject* array_get_readonly(Array* self, void* Py_UNUSED(closure)) {
    return PyBool_FromLong(array_is_readonly(self));
}

static PyObject* array_get_is_shared(Array* self, void* Py_UNUSED(closure)) {
    return PyBool_FromLong(self->place && self->place->memory);
}

// --- tables ---

PyMethodDef array_methods[] = {
    {"append", (PyCFunction)array_append, METH_O, append_doc},
    {"extend", (PyCFunction)array_extend_method, METH_O, extend_doc},
    {"insert", AS_FASTCALL(array_insert), insert_doc},
    {"fromlist", (PyCFunction)array_fromlist, METH_O, fromlist_doc},
    {"pop", AS_FASTCALL(array_pop), pop_doc},
    {"index", AS_FASTCALL(array_index), index_doc},
    {"count", (PyCFunction)array_count, METH_O, count_doc},
    {"remove", (PyCFunction)array_remove, METH_O, remove_doc},
    {"clear", (PyCFunction)array_clear_method, METH_NOARGS, clear_doc},
    {"shrink_to_fit", (PyCFunction)array_shrink_to_fit_method, METH_NOARGS, shrink_to_fit_doc},
    {"prefault", (PyCFunction)array_prefault, METH_O, prefault_doc},
    {"lock", AS_FASTCALL(array_lock), lock_doc},
    {"unlock", (PyCFunction)array_unlock, METH_NOARGS, unlock_doc},
    {"reverse", (PyCFunction)array_reverse, METH_NOARGS, reverse_doc},
    {"byteswap", (PyCFunction)array_byteswap, METH_NOARGS, byteswap_doc},
    {"tolist", (PyCFunction)array_tolist, METH_NOARGS, tolist_doc},
    {"tobytes", (PyCFunction)array_tobytes, METH_NOARGS, tobytes_doc},
    {"frombytes", (PyCFunction)array_frombytes, METH_O, frombytes_doc},
    {"fromfile", AS_FASTCALL(array_fromfile), fromfile_doc},
    {"tofile", (PyCFunction)array_tofile, METH_O, tofile_doc},
    {"buffer_info", (PyCFunction)array_buffer_info, METH_NOARGS, buffer_info_doc},
    {"map", (PyCFunction)array_map, METH_NOARGS, map_doc},
    {"fileno", (PyCFunction)array_fileno, METH_NOARGS, fileno_doc},
    {"_get_handle", (PyCFunction)array_get_handle, METH_NOARGS, sharing_get_handle_doc},
    {"__release_buffer__", (PyCFunction)array_release_buffer, METH_O | METH_COEXIST, release_buffer_doc},
    {"__array__", AS_KEYWORDS(array_to_numpy), to_numpy_doc},
    {"__arrow_c_array__", AS_KEYWORDS(array_to_arrow), to_arrow_doc},
    {"__arrow_c_schema__", (PyCFunction)array_to_arrow_schema, METH_NOARGS, to_arrow_schema_doc},
    {"__dlpack__", AS_KEYWORDS(array_to_dlpack), to_dlpack_doc},
    {"__dlpack_device__", (PyCFunction)array_to_dlpack_device, METH_NOARGS, to_dlpack_device_doc},
    {"__sizeof__", (PyCFunction)array_sizeof, METH_NOARGS, sizeof_doc},
    {"__copy__", (PyCFunction)array_copy, METH_NOARGS, copy_doc},
    {"__deepcopy__", (PyCFunction)array_deepcopy, METH_O, deepcopy_doc},
    {"__reduce__", (PyCFunction)array_reduce, METH_NOARGS, reduce_doc},
    {"__reduce_ex__", (PyCFunction)array_reduce_ex, METH_O, reduce_ex_doc},
    {"__class_getitem__", (PyCFunction)Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef array_getset[] = {
    {"typecode", (getter)array_get_typecode, NULL, "The letter that names the type of the items.", NULL},
    {"itemsize", (getter)array_get_itemsize, NULL, "The size of one number in bytes.", NULL},
    {"row_shape", (getter)array_get_row_shape, NULL, "The shape of an item; () where an item is a number.", NULL},
    {"capacity", (getter)array_get_capacity, NULL, "How many items the array can ever hold.", NULL},
    {"readonly", (getter)array_get_readonly, NULL,
     "Whether it cannot be written: another process writes the items, or its file is closed.", NULL},
    {"_is_shared", (getter)array_get_is_shared, NULL, "Whether other processes can attach it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef array_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Array, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot array_slots[] = {
    {Py_tp_doc, (void*)array_doc},
    {Py_tp_new, array_new_object},
    {Py_tp_dealloc, array_dealloc},
    {Py_tp_traverse, array_traverse},
    {Py_tp_repr, array_repr},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_iter, array_iterate},
    {Py_tp_richcompare, array_compare},
    {Py_tp_methods, array_methods},
    {Py_tp_members, array_members},
    {Py_tp_getset, array_getset},
    {Py_bf_getbuffer, array_getbuffer},
    {Py_bf_releasebuffer, array_releasebuffer},
    {Py_sq_length, array_length},
    {Py_sq_item, array_get},
    {Py_sq_contains, array_contains},
    {Py_sq_concat, array_concat},
    {Py_sq_repeat, array_repeat},
    {Py_sq_inplace_concat, array_concat_in_place},
    {Py_sq_inplace_repeat, array_repeat_in_place},
    {Py_mp_length, array_length},
    {Py_mp_subscript, array_subscript},
    {Py_mp_ass_subscript, array_assign},
    {0, NULL},
};

PyType_Spec array_spec = {
    .name = "vmem.Array",
    .basicsize = sizeof(Array),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             VMEM_TPFLAGS_SEQUENCE,
    .slots = array_slots,
};
