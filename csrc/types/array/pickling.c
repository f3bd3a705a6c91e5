#include "types/array/pickling.h"

#include "types/array/filling.h"

#include "python/arguments.h"
#include "types/array/methods.h"

// --- the layout of items: a byte order and a code, as in the struct module ---

#if PY_BIG_ENDIAN
#define OWN_ORDER '>'
#define OTHER_ORDER '<'
#else
#define OWN_ORDER '<'
#define OTHER_ORDER '>'
#endif

// The codes whose items have the same size on every machine.
#define PORTABLE_CODES "bBhHiIqQfd"

typedef struct Layout {
    char text[3];
} Layout;

// Every item type has one: an 'l' is an 'i' or a 'q'.
static char find_portable_code(const ItemType* type) {
    const char* code = PORTABLE_CODES;
    for (; *code; code++) {
        char format[] = {*code, '\0'};
        if (item_type_matches(type, format)) break;
    }
    return *code;
}

static Layout describe_layout(const ItemType* type) { return (Layout){{OWN_ORDER, find_portable_code(type), '\0'}}; }

// NULL with an exception for a layout that items cannot have.
static const ItemType* convert_layout(PyObject* object, bool* is_swapped) {
    if (!PyUnicode_Check(object)) {
        raise_wrong_type(object, "the layout of pickled items", "a str");
        return NULL;
    }
    if (PyUnicode_GetLength(object) == 2) {
        Py_UCS4 order = PyUnicode_ReadChar(object, 0), code = PyUnicode_ReadChar(object, 1);
        *is_swapped = order == OTHER_ORDER;
        if ((order == OWN_ORDER || order == OTHER_ORDER) && code != 'l' && code != 'L' && find_item_type(code))
            return find_item_type(code);
    }
    PyErr_Format(PyExc_ValueError, "the layout of pickled items must be < or >, then one of " PORTABLE_CODES ", got %R",
                 object);
    return NULL;
}

// --- pickling ---

static PyObject* import_from(const char* module_name, const char* name) {
    PyObject* module = PyImport_ImportModule(module_name);
    PyObject* object = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return object;
}

// What a subclass adds to a pickle. It may override __getstate__(), so this can run any Python code.
static PyObject* get_state(Array* self, const ModuleState* module_state) {
    if (Py_TYPE((PyObject*)self) == module_state->array_type) return Py_NewRef(Py_None);
    return PyObject_CallMethod((PyObject*)self, "__getstate__", NULL);
}

static ModuleState* find_loaded_state(Array* self) {
    ModuleState* state = array_find_state(self);
    return state && module_check_loaded(state) == 0 ? state : NULL;
}

static PyObject* reduce_to_memory(Array* self, bool in_buffer);

static int check_private(const Array* self) {
    if (self->role == ARRAY_PRIVATE || self->place->file) return 0;
    PyErr_SetString(PyExc_TypeError,
                    "cannot pickle a shared array: send it through multiprocessing, or its fileno() over a socket to a "
                    "process that calls vmem.attach(); a slice of it, as array[:], is a copy that can be pickled");
    return -1;
}

// A list of numbers, which pickles of every protocol can hold. Rows need the keyword row_shape, which such a pickle cannot
// have.
PyObject* array_reduce(Array* self, PyObject* Py_UNUSED(ignored)) {
    if (check_private(self) < 0) return NULL;
    if (self->type->num_dims > 0) return reduce_to_memory(self, false);
    ModuleState* module_state = find_loaded_state(self);
    PyObject* state = module_state ? get_state(self, module_state) : NULL;
    PyObject* items = state ? array_tolist(self, NULL) : NULL;
    PyObject* reduced = NULL;
    if (items)
        reduced = Py_BuildValue("(O(sO)O)", Py_TYPE((PyObject*)self), self->type->scalar->typecode, items, state);
    Py_XDECREF(items);
    Py_XDECREF(state);
    return reduced;
}

// pickle writes this without a copy, or hands it to a buffer_callback. It pins the items.
static PyObject* make_pickle_buffer(Array* self) {
    PyObject* make = import_from("pickle", "PickleBuffer");
    PyObject* buffer = make ? PyObject_CallFunctionObjArgs(make, self, NULL) : NULL;
    Py_XDECREF(make);
    return buffer;
}

// The size is that of the pickled items, whatever happens to the array meanwhile. -1 with an exception.
static Py_ssize_t count_items(PyObject* items, const RowType* type) {
    Py_buffer buffer;
    if (PyBytes_Check(items)) return PyBytes_Size(items) / type->size;
    if (PyObject_GetBuffer(items, &buffer, PyBUF_FULL_RO) < 0) return -1;
    Py_ssize_t num_items = buffer.len / type->size;
    PyBuffer_Release(&buffer);
    return num_items;
}

static PyObject* build_reduced(Array* self, PyObject* rebuild, PyObject* items, PyObject* state) {
    Layout layout = describe_layout(self->type->scalar);
    Py_ssize_t num_items = count_items(items, self->type);
    if (num_items < 0) return NULL;
    PyTypeObject* python_type = Py_TYPE((PyObject*)self);
    const char* typecode = self->type->scalar->typecode;
    if (self->type->num_dims == 0)
        return Py_BuildValue("(O(OssOn)O)", rebuild, python_type, typecode, layout.text, items, num_items, state);
    return Py_BuildValue("(O(OssOnN)O)", rebuild, python_type, typecode, layout.text, items, num_items,
                         rows_shape_as_tuple(self->type), state);
}

static PyObject* reduce_to_memory(Array* self, bool in_buffer) {
    ModuleState* module_state = find_loaded_state(self);
    PyObject* rebuild = module_state ? Py_XNewRef(module_state->rebuild_array) : NULL;
    PyObject* state = rebuild ? get_state(self, module_state) : NULL;
    PyObject *items = NULL, *reduced = NULL;
    if (state) items = in_buffer ? make_pickle_buffer(self) : array_tobytes(self, NULL);
    if (items) reduced = build_reduced(self, rebuild, items, state);
    Py_XDECREF(items);
    Py_XDECREF(state);
    Py_XDECREF(rebuild);
    return reduced;
}

// Whether a subclass has a __reduce__() in Python, which pickle must then use. Returns -1 with an exception.
static int has_own_reduce(Array* self) {
    PyObject* reduce = PyObject_GetAttrString((PyObject*)Py_TYPE((PyObject*)self), "__reduce__");
    if (!reduce) return -1;
    int is_own = Py_TYPE(reduce) != &PyMethodDescr_Type;
    Py_DECREF(reduce);
    return is_own;
}

// Items on the heap are copied: to export them would reserve memory for good.
PyObject* array_reduce_ex(Array* self, PyObject* object) {
    PyObject* number = PyNumber_Index(object);
    if (!number) return NULL;
    long protocol = PyLong_AsLong(number);
    Py_DECREF(number);
    if (protocol == -1 && PyErr_Occurred()) return NULL;
    int is_own = has_own_reduce(self);
    if (is_own < 0) return NULL;
    if (is_own) return PyObject_CallMethod((PyObject*)self, "__reduce__", NULL);
    if (check_private(self) < 0) return NULL;
    return protocol < 3 ? array_reduce(self, NULL) : reduce_to_memory(self, protocol >= 5 && self->place);
}

// --- unpickling ---

// The number of items that a pickle holds. Old pickles do not say it. Returns -1 with an exception.
static int check_num_items(const Py_buffer* buffer, const RowType* type, PyObject* stated) {
    if (buffer->len % type->size != 0) {
        PyErr_Format(PyExc_ValueError, "pickled items of %zd bytes each cannot take %zd bytes", type->size,
                     buffer->len);
        return -1;
    }
    if (!stated || stated == Py_None) return 0;
    Py_ssize_t num_items = PyNumber_AsSsize_t(stated, PyExc_OverflowError);
    if (num_items == -1 && PyErr_Occurred()) return -1;
    if (num_items == buffer->len / type->size) return 0;
    PyErr_Format(PyExc_ValueError, "the pickle is of %zd items of %zd bytes, but its buffer has %zd bytes", num_items,
                 type->size, buffer->len);
    return -1;
}

// An array of a class with the items of a buffer.
static Array* take_items(ModuleState* state, PyTypeObject* python_type, const RowType* type, const Py_buffer* buffer,
                         bool is_swapped) {
    Py_ssize_t num_items = buffer->len / type->size;
    int status;
    Array* made = array_new(state, python_type, type, -1, num_items);
    if (!made) return NULL;
    Py_BEGIN_CRITICAL_SECTION(made);
    status = array_splice(made, 0, 0, buffer->buf, num_items);
    if (status == 0 && is_swapped) swap_bytes(array_item(made, 0), num_items * type->num_scalars, type->scalar->size);
    Py_END_CRITICAL_SECTION();
    if (status < 0) Py_CLEAR(made);
    return made;
}

// An array of another item type with equal items. OverflowError when one does not fit.
static Array* convert_items(ModuleState* state, PyTypeObject* python_type, const RowType* type, Array* items) {
    PyObject* iterator = PyObject_GetIter((PyObject*)items);
    Array* made = iterator ? array_new(state, python_type, type, -1, items->length) : NULL;
    if (made && array_extend(made, iterator) < 0) Py_CLEAR(made);
    Py_XDECREF(iterator);
    return made;
}

// The types of the items that the array gets, and of those that the pickle holds.
static int convert_types(const ItemType* scalar, const ItemType* stored_scalar, PyObject* row_shape, RowType* type,
                         RowType* stored) {
    if (rows_convert_type(scalar, row_shape, type) < 0) return -1;
    if (rows_make_type(stored_scalar, type->num_dims, type->shape, stored)) return 0;
    PyErr_Format(PyExc_ValueError, "the pickle is of rows of more bytes than there can be: their row_shape is %R",
                 row_shape);
    return -1;
}

// Makes an array of the numbers in the buffer `items`, whose layout is a format of the struct module. For pickle.
const char array_rebuild_doc[] =
    PyDoc_STR("_rebuild_array(cls, typecode, layout, items, num_items=None, row_shape=(), /)\n--\n\n");

PyObject* array_rebuild(PyObject* module, PyObject* const* args, Py_ssize_t num_args) {
    ModuleState* state = PyModule_GetState(module);
    const ItemType *scalar, *stored_scalar;
    RowType type, stored;
    bool is_swapped;
    Py_buffer buffer;
    if (num_args < 4 || num_args > 6)
        return PyErr_Format(PyExc_TypeError, "_rebuild_array() takes from 4 to 6 arguments (%zd given)", num_args);
    if (!PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject*)args[0], state->array_type))
        return PyErr_Format(PyExc_TypeError, "%R is not a subclass of Array", args[0]);
    if (convert_typecode(args[1], "Array", &scalar) < 0) return NULL;
    if (!(stored_scalar = convert_layout(args[2], &is_swapped))) return NULL;
    if (convert_types(scalar, stored_scalar, num_args == 6 ? args[5] : NULL, &type, &stored) < 0) return NULL;
    PyTypeObject* python_type = (PyTypeObject*)args[0];
    bool needs_conversion = !item_type_matches(scalar, stored_scalar->typecode);
    if (PyObject_GetBuffer(args[3], &buffer, PyBUF_SIMPLE) < 0) return NULL;
    Array* made = NULL;
    if (check_num_items(&buffer, &stored, num_args >= 5 ? args[4] : NULL) == 0)
        made = needs_conversion ? take_items(state, state->array_type, &stored, &buffer, is_swapped)
                                : take_items(state, python_type, &type, &buffer, is_swapped);
    PyBuffer_Release(&buffer);
    if (!made || !needs_conversion) return (PyObject*)made;
    Array* converted = convert_items(state, python_type, &type, made);
    Py_DECREF(made);
    return (PyObject*)converted;
}
