#include "types/arrow_capsules.h"

#include <stdlib.h>

#include "python/arguments.h"

#define SCHEMA_NAME "arrow_schema"
#define ARRAY_NAME "arrow_array"

// --- schemas ---

// Its strings are constants, so that there is nothing to free.
static void release_schema(struct ArrowSchema* schema) { schema->release = NULL; }

static void destroy_schema(PyObject* capsule) {
    struct ArrowSchema* schema = PyCapsule_GetPointer(capsule, SCHEMA_NAME);
    if (schema->release) schema->release(schema);
    free(schema);
}

PyObject* arrow_make_schema(const char* format) {
    struct ArrowSchema* schema = calloc(1, sizeof(*schema));
    if (!schema) return PyErr_NoMemory();
    schema->format = format;
    schema->name = "";
    schema->release = release_schema;
    PyObject* capsule = PyCapsule_New(schema, SCHEMA_NAME, destroy_schema);
    if (!capsule) free(schema);
    return capsule;
}

const char* arrow_requested_format(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, SCHEMA_NAME)) {
        raise_wrong_type(capsule, "requested_schema", "None or a capsule named " SCHEMA_NAME);
        return NULL;
    }
    const struct ArrowSchema* schema = PyCapsule_GetPointer(capsule, SCHEMA_NAME);
    return schema->release && schema->format ? schema->format : "";
}

// --- arrays ---

static void destroy_array(PyObject* capsule) {
    struct ArrowArray* array = PyCapsule_GetPointer(capsule, ARRAY_NAME);
    if (array->release) array->release(array);
    free(array);
}

PyObject* arrow_make_array(struct ArrowArray** array) {
    *array = calloc(1, sizeof(**array));
    if (!*array) return PyErr_NoMemory();
    PyObject* capsule = PyCapsule_New(*array, ARRAY_NAME, destroy_array);
    if (!capsule) free(*array);
    return capsule;
}
