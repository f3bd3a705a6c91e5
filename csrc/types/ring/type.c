#include "types/ring/type.h"

#include <stdio.h>

#include "core/lifetime.h"
#include "python/arguments.h"
#include "types/ring/docs.h"
#include "types/ring/methods.h"
#include "types/ring/sequence.h"
#include "types/ring/storage.h"
#include "types/sharing.h"

// --- creating ---

static int convert_capacity(const RowType* type, PyObject* object, Py_ssize_t* capacity) {
    char unit[60];
    size_t num_items;
    snprintf(unit, sizeof(unit), " items of %lld bytes", (long long)type->size);
    SizeRange range = {1, (MAX_RING_BYTES - vmem_get_allocation_granularity()) / (size_t)type->size, unit};
    if (convert_size_in_range(object, "capacity", range, &num_items) < 0) return -1;
    *capacity = (Py_ssize_t)num_items;
    return 0;
}

static int parse_ring(PyObject* args, PyObject* keywords, RingOptions* options) {
    static char* names[] = {"typecode", "capacity", "row_shape", "overwrite", "shared", "prefault", "lock", NULL};
    PyObject *typecode, *capacity, *row_shape = NULL;
    const ItemType* scalar;
    int overwrite = true, shared = false, prefault = false, lock = false;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|$Opppp:Ring", names, &typecode, &capacity, &row_shape,
                                     &overwrite, &shared, &prefault, &lock))
        return -1;
    if (convert_typecode(typecode, "Ring", &scalar) < 0) return -1;
    if (rows_convert_type(scalar, row_shape, &options->type) < 0) return -1;
    if (convert_capacity(&options->type, capacity, &options->capacity) < 0) return -1;
    if (shared && !overwrite) {
        PyErr_SetString(PyExc_ValueError, "overwrite=False is for one process: readers elsewhere cannot consume()");
        return -1;
    }
    options->overwrites = overwrite;
    options->is_shared = shared;
    options->prefault = prefault;
    options->lock = lock;
    return 0;
}

static PyObject* ring_new_object(PyTypeObject* python_type, PyObject* args, PyObject* keywords) {
    RingOptions options;
    if (parse_ring(args, keywords, &options) < 0) return NULL;
    ModuleState* state = ring_state_of_type(python_type);
    if (!state || module_check_loaded(state) < 0) return NULL;
    return (PyObject*)ring_new(state, python_type, &options);
}

static int ring_traverse(Ring* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    return reservation_traverse(&self->reservation, visit, arg);
}

// ", row_shape=(2, 3), overwrite=False": what was not left at its default, but for how its memory was prepared.
static PyObject* describe_options(const Ring* ring) {
    const char* others = ring->is_shared ? ", shared=True" : !ring->overwrites ? ", overwrite=False" : "";
    if (ring->type.num_dims == 0) return PyUnicode_FromString(others);
    PyObject* shape = rows_shape_as_tuple(&ring->type);
    PyObject* text = shape ? PyUnicode_FromFormat(", row_shape=%R%s", shape, others) : NULL;
    Py_XDECREF(shape);
    return text;
}

static PyObject* ring_repr(Ring* self) {
    PyObject* name = describe_class((PyObject*)self);
    PyObject* options = name ? describe_options(self) : NULL;
    PyObject* text = NULL;
    Positions positions = ring_load_positions(self);
    if (options)
        text = PyUnicode_FromFormat("<%U('%s', %zd%U) at %p: %zd items, %llu written%s>", name,
                                    self->type.scalar->typecode, self->capacity, options, self->items,
                                    count_positions(positions), (unsigned long long)positions.end,
                                    self->readonly ? ", read-only" : "");
    Py_XDECREF(options);
    Py_XDECREF(name);
    return text;
}

// --- attributes ---

static PyObject* ring_get_typecode(Ring* self, void* Py_UNUSED(closure)) {
    return PyUnicode_FromString(self->type.scalar->typecode);
}

static PyObject* ring_get_itemsize(Ring* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(self->type.scalar->size);
}

static PyObject* ring_get_row_shape(Ring* self, void* Py_UNUSED(closure)) { return rows_shape_as_tuple(&self->type); }

static PyObject* ring_get_capacity(Ring* self, void* Py_UNUSED(closure)) { return PyLong_FromSsize_t(self->capacity); }

static PyObject* ring_get_free(Ring* self, void* Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(self->capacity - count_positions(ring_load_positions(self)));
}

static PyObject* ring_get_total(Ring* self, void* Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(ring_load_positions(self).end);
}

// Readers ask for this after they have read items: these loads must come before those of the positions.
static PyObject* ring_get_oldest(Ring* self, void* Py_UNUSED(closure)) {
    reader_fence();
    return PyLong_FromUnsignedLongLong(ring_load_positions(self).oldest);
}

static PyObject* ring_get_overwrite(Ring* self, void* Py_UNUSED(closure)) { return PyBool_FromLong(self->overwrites); }

static PyObject* ring_get_is_shared(Ring* self, void* Py_UNUSED(closure)) { return PyBool_FromLong(self->is_shared); }

static PyObject* ring_get_readonly(Ring* self, void* Py_UNUSED(closure)) { return PyBool_FromLong(self->readonly); }

// --- tables ---

static PyGetSetDef ring_getset[] = {
    {"typecode", (getter)ring_get_typecode, NULL, "The letter it was made with.", NULL},
    {"itemsize", (getter)ring_get_itemsize, NULL, "The size of one number in bytes.", NULL},
    {"row_shape", (getter)ring_get_row_shape, NULL, "The shape of an item; () where an item is a number.", NULL},
    {"capacity", (getter)ring_get_capacity, NULL, "How many items it can hold.", NULL},
    {"free", (getter)ring_get_free, NULL, "How many more items fit until it is full.", NULL},
    {"total", (getter)ring_get_total, NULL, "How many items were ever written: the position of the next one.", NULL},
    {"oldest", (getter)ring_get_oldest, NULL, "The position of the oldest item that is there.", NULL},
    {"overwrite", (getter)ring_get_overwrite, NULL, "Whether new items replace the oldest ones when it is full.", NULL},
    {"_is_shared", (getter)ring_get_is_shared, NULL, "Whether other processes can attach it.", NULL},
    {"readonly", (getter)ring_get_readonly, NULL, "Whether another process writes, and this one only reads.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyMethodDef ring_methods[] = {
    {"append", (PyCFunction)ring_append, METH_O, append_doc},
    {"extend", (PyCFunction)ring_extend, METH_O, extend_doc},
    {"prepare", (PyCFunction)ring_prepare, METH_O, prepare_doc},
    {"advance", (PyCFunction)ring_advance, METH_O, advance_doc},
    {"latest", (PyCFunction)ring_latest, METH_O, latest_doc},
    {"window", AS_FASTCALL(ring_window), window_doc},
    {"consume", (PyCFunction)ring_consume, METH_O, consume_doc},
    {"clear", (PyCFunction)ring_clear, METH_NOARGS, clear_doc},
    {"map", (PyCFunction)ring_map, METH_NOARGS, map_doc},
    {"fileno", (PyCFunction)ring_fileno, METH_NOARGS, sharing_fileno_doc},
    {"_get_handle", (PyCFunction)ring_get_handle, METH_NOARGS, sharing_get_handle_doc},
    {"__reduce__", (PyCFunction)ring_reduce, METH_NOARGS, reduce_doc},
    {"__class_getitem__", (PyCFunction)Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef ring_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Ring, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot ring_slots[] = {
    {Py_tp_doc, (void*)ring_doc},      {Py_tp_new, ring_new_object},      {Py_tp_dealloc, ring_dealloc},
    {Py_tp_traverse, ring_traverse},   {Py_tp_repr, ring_repr},           {Py_tp_iter, ring_iterate},
    {Py_tp_methods, ring_methods},     {Py_tp_members, ring_members},     {Py_tp_getset, ring_getset},
    {Py_bf_getbuffer, ring_getbuffer}, {Py_sq_length, ring_length},       {Py_sq_item, ring_get},
    {Py_mp_length, ring_length},       {Py_mp_subscript, ring_subscript}, {0, NULL},
};

PyType_Spec ring_spec = {
    .name = "vmem.Ring",
    .basicsize = sizeof(Ring),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             VMEM_TPFLAGS_SEQUENCE,
    .slots = ring_slots,
};
