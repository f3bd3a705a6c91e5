#include "types/arrow_capsules.h"

#include <stdlib.h>

#include "python/arguments.h"

#define SCHEMA_NAME "arrow_schema"
#define ARRAY_NAME "arrow_array"
#define STREAM_NAME "arrow_array_stream"

// --- schemas ---

// Its strings are constants, so that there is nothing to free.
static void release_schema(struct ArrowSchema* schema) { schema->release = NULL; }

static void destroy_schema(PyObject* capsule) {
    struct ArrowSchema* schema = PyCapsule_GetPointer(capsule, SCHEMA_NAME);
    if (schema->release) schema->release(schema);
    free(schema);
}

PyObject* arrow_make_empty_schema(struct ArrowSchema** schema) {
    *schema = calloc(1, sizeof(**schema));
    if (!*schema) return PyErr_NoMemory();
    PyObject* capsule = PyCapsule_New(*schema, SCHEMA_NAME, destroy_schema);
    if (!capsule) free(*schema);
    return capsule;
}

PyObject* arrow_make_schema(const char* format) {
    struct ArrowSchema* schema;
    PyObject* capsule = arrow_make_empty_schema(&schema);
    if (!capsule) return NULL;
    schema->format = format;
    schema->name = "";
    schema->release = release_schema;
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

int arrow_move_array(PyObject* capsules, struct ArrowSchema* schema, struct ArrowArray* array) {
    bool is_pair = PyTuple_Check(capsules) && PyTuple_Size(capsules) == 2;
    PyObject* first = is_pair ? PyTuple_GetItem(capsules, 0) : NULL;
    PyObject* second = is_pair ? PyTuple_GetItem(capsules, 1) : NULL;
    if (!first || !PyCapsule_IsValid(first, SCHEMA_NAME) || !PyCapsule_IsValid(second, ARRAY_NAME))
        return raise_wrong_type(capsules, "what __arrow_c_array__ returns",
                                "two capsules named " SCHEMA_NAME " and " ARRAY_NAME);
    struct ArrowSchema* its_schema = PyCapsule_GetPointer(first, SCHEMA_NAME);
    struct ArrowArray* its_array = PyCapsule_GetPointer(second, ARRAY_NAME);
    if (!its_schema->release || !its_array->release) {
        PyErr_SetString(PyExc_ValueError, "the Arrow array has been released");
        return -1;
    }
    *schema = *its_schema;
    *array = *its_array;
    its_schema->release = NULL;
    its_array->release = NULL;
    return 0;
}

// --- streams ---

static void destroy_stream(PyObject* capsule) {
    struct ArrowArrayStream* stream = PyCapsule_GetPointer(capsule, STREAM_NAME);
    if (stream->release) stream->release(stream);
    free(stream);
}

PyObject* arrow_make_stream(struct ArrowArrayStream** stream) {
    *stream = calloc(1, sizeof(**stream));
    if (!*stream) return PyErr_NoMemory();
    PyObject* capsule = PyCapsule_New(*stream, STREAM_NAME, destroy_stream);
    if (!capsule) free(*stream);
    return capsule;
}

struct ArrowArrayStream* arrow_get_stream(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, STREAM_NAME)) {
        raise_wrong_type(capsule, "what __arrow_c_stream__ returns", "a capsule named " STREAM_NAME);
        return NULL;
    }
    struct ArrowArrayStream* stream = PyCapsule_GetPointer(capsule, STREAM_NAME);
    if (stream->release) return stream;
    PyErr_SetString(PyExc_ValueError, "the Arrow stream has been released");
    return NULL;
}
