#include "types/array/arrow.h"

#include <stdlib.h>

#include "python/arguments.h"
#include "types/array/export.h"
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

PyObject* array_to_arrow_schema(Array* self, PyObject* Py_UNUSED(ignored)) {
    return arrow_make_schema(find_format(self->type));
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
PyObject* array_to_arrow(Array* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    static const Signature signature = {"__arrow_c_array__", 1, 1, {"requested_schema"}};
    PyObject* parsed[1];
    struct ArrowArray* array;
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return NULL;
    if (parsed[0] && arrow_check_requested(parsed[0]) < 0) return NULL;
    if (array_reserve(self) < 0) return NULL;
    PyObject* schema_capsule = array_to_arrow_schema(self, NULL);
    PyObject* array_capsule = schema_capsule ? arrow_make_array(&array) : NULL;
    PyObject* both = array_capsule ? PyTuple_Pack(2, schema_capsule, array_capsule) : NULL;
    if (both && fill(array, self) < 0) Py_CLEAR(both);
    Py_XDECREF(array_capsule);
    Py_XDECREF(schema_capsule);
    return both;
}
