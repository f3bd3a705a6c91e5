#include "types/array/arrow.h"

#include <stdlib.h>

#include "python/arguments.h"
#include "types/array/export.h"
#include "types/array/filling.h"
#include "types/array/sharing.h"
#include "types/arrow_capsules.h"

// --- the schema ---

// Typecodes with a size of their own, and what Arrow calls them. An 'l' is an 'i' or a 'q'.
static const char* const FORMATS[][2] = {
    {"b", "c"}, {"B", "C"}, {"h", "s"}, {"H", "S"}, {"i", "i"},
    {"I", "I"}, {"q", "l"}, {"Q", "L"}, {"f", "f"}, {"d", "g"},
};

static const char* find_format(const ItemType* type) {
    size_t i = 0;
    while (!item_type_matches(type, FORMATS[i][0])) i++;
    return FORMATS[i][1];
}

// Arrow's arrays have one dimension.
static int check_numbers(const Array* self) {
    if (self->type->num_dims == 0) return 0;
    PyErr_SetString(PyExc_TypeError,
                    "cannot export an array of rows to Arrow, whose arrays have one dimension; "
                    "numpy.asarray(array).ravel() has the numbers");
    return -1;
}

PyObject* array_to_arrow_schema(Array* self, PyObject* Py_UNUSED(ignored)) {
    if (check_numbers(self) < 0) return NULL;
    return arrow_make_schema(find_format(self->type->scalar));
}

// --- the array ---

typedef struct ArrowExport {
    NativeHold* hold;
    const void* buffers[2];
} ArrowExport;

// Runs on any thread, without the GIL.
static void release(struct ArrowArray* array) {
    ArrowExport* export = array->private_data;
    if (!array->release) return;  // released twice
    array->release = NULL;
    native_hold_end(export->hold);
    free(export);
}

// Fills an empty struct. Returns -1 with an exception, and leaves it empty then.
static int fill(struct ArrowArray* array, Array* self) {
    ExportedItems exported;
    ArrowExport* export = calloc(1, sizeof(*export));
    if (!export) {
        PyErr_NoMemory();
        return -1;
    }
    if (array_export_items(self, &exported) < 0) {
        free(export);
        return -1;
    }
    export->hold = exported.hold;
    export->buffers[1] = exported.items;  // the first is the validity bitmap: NULL, since no item is null
    array->length = exported.length;
    array->n_buffers = 2;
    array->buffers = export->buffers;
    array->private_data = export;
    array->release = release;
    return 0;
}

// What can start a garbage collection comes before the items are looked at.
static PyObject* export_array(Array* self) {
    struct ArrowArray* array;
    if (array_reserve(self) < 0) return NULL;
    PyObject* schema_capsule = array_to_arrow_schema(self, NULL);
    PyObject* array_capsule = schema_capsule ? arrow_make_array(&array) : NULL;
    PyObject* both = array_capsule ? PyTuple_Pack(2, schema_capsule, array_capsule) : NULL;
    if (both && fill(array, self) < 0) Py_CLEAR(both);
    Py_XDECREF(array_capsule);
    Py_XDECREF(schema_capsule);
    return both;
}

// --- in a requested type ---

// What a requested schema asks for; `own` where that is nothing which an array can hold. NULL with TypeError.
static const ItemType* convert_requested(PyObject* schema, const ItemType* own) {
    if (!schema || schema == Py_None) return own;
    const char* format = arrow_requested_format(schema);
    if (!format) return NULL;
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++)
        if (strcmp(format, FORMATS[i][1]) == 0 && !item_type_matches(own, FORMATS[i][0]))
            return find_item_type((unsigned char)FORMATS[i][0][0]);
    return own;
}

// Whether all floats are so small that they are exact where they come from integers.
static bool are_exact(const Array* floats) {
    for (Py_ssize_t i = 0; i < floats->length; i++) {
        bool is_double = floats->type->size == sizeof(double);
        double number = is_double ? ((const double*)floats->items)[i] : (double)((const float*)floats->items)[i];
        double limit = is_double ? 9007199254740992.0 : 16777216.0;  // 2 ** 53 and 2 ** 24
        if (number >= limit || number <= -limit) return false;
    }
    return true;
}

// Returns an array of another item type with the same numbers, where floats may be rounded to shorter ones. NULL with
// an exception; or without one when a number would change.
static Array* convert_array(Array* self, const ItemType* type) {
    ModuleState* state = array_find_state(self);
    bool is_integer = self->type->scalar->is_integer, becomes_float = is_integer && !type->is_integer;
    if (!state || (type->is_integer && !is_integer)) return NULL;
    Array* made = array_new(state, state->array_type, rows_type_of_numbers(type), -1, array_load_length(self));
    if (!made) return NULL;
    if (array_extend_converting(made, self) == 0 && (!becomes_float || are_exact(made))) return made;
    Py_DECREF((PyObject*)made);
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError)) PyErr_Clear();
    return NULL;
}

PyObject* array_to_arrow(Array* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    static const Signature signature = {"__arrow_c_array__", 1, 1, {"requested_schema"}};
    PyObject* parsed[1];
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return NULL;
    if (check_numbers(self) < 0) return NULL;
    const ItemType* type = convert_requested(parsed[0], self->type->scalar);
    if (!type) return NULL;
    if (type == self->type->scalar) return export_array(self);
    Array* converted = convert_array(self, type);
    if (!converted && PyErr_Occurred()) return NULL;
    PyObject* both = export_array(converted ? converted : self);
    Py_XDECREF((PyObject*)converted);
    return both;
}
