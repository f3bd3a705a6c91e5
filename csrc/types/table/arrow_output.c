// All of what a consumer gets is malloc'ed, and released on any thread, without the GIL, at any time.
#include "types/table/arrow_output.h"

#include <errno.h>
#include <stdlib.h>

#include "core/native_hold.h"
#include "python/arguments.h"
#include "types/arrow_capsules.h"
#include "types/table/sharing.h"
#include "types/table/storage.h"

#define MAX_BUFFERS 3

// --- the schema of a column ---

static char* copy_text(const char* text) {
    size_t size = strlen(text) + 1;
    char* copy = calloc(1, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static void release_column_schema(struct ArrowSchema* schema) {
    if (!schema->release) return;  // released twice
    schema->release = NULL;
    free(schema->private_data);
}

// Returns whether there was memory for it; if not, the schema stays empty.
static bool fill_column_schema(struct ArrowSchema* schema, const char* name, const char* format, bool is_nullable) {
    char* copy = copy_text(name);
    if (!copy) return false;
    *schema = (struct ArrowSchema){.format = format,
                                   .name = copy,
                                   .flags = is_nullable ? ARROW_FLAG_NULLABLE : 0,
                                   .release = release_column_schema,
                                   .private_data = copy};
    return true;
}

// --- the schema of a table ---

// What is known of the columns without the GIL.
typedef struct Description {
    int64_t num_columns;
    struct {
        char* name;
        const char* format;
        bool is_nullable;
    } columns[];
} Description;

static void free_description(Description* description) {
    if (!description) return;
    for (int64_t i = 0; i < description->num_columns; i++) free(description->columns[i].name);
    free(description);
}

// NULL with an exception.
static Description* describe(const Table* table) {
    size_t num_columns = (size_t)table->num_columns;
    Description* description = calloc(1, sizeof(*description) + num_columns * sizeof(description->columns[0]));
    if (!description) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < num_columns; i++) {
        const TableColumn* column = &table->columns[i];
        const char* name = PyUnicode_AsUTF8AndSize(column->name, NULL);
        description->columns[i].name = name ? copy_text(name) : NULL;
        description->columns[i].format = column->type->arrow_format;
        description->columns[i].is_nullable = column->is_nullable;
        description->num_columns++;
        if (description->columns[i].name) continue;
        if (!PyErr_Occurred()) PyErr_NoMemory();
        free_description(description);
        return NULL;
    }
    return description;
}

typedef struct SchemaExport {
    struct ArrowSchema** pointers;
    struct ArrowSchema children[];
} SchemaExport;

// Consumers may have moved children out of it.
static void release_schema(struct ArrowSchema* schema) {
    SchemaExport* export = schema->private_data;
    if (!schema->release) return;  // released twice
    schema->release = NULL;
    for (int64_t i = 0; i < schema->n_children; i++)
        if (export->children[i].release) export->children[i].release(&export->children[i]);
    free(export->pointers);
    free(export);
}

// Returns whether there was memory for it; if not, the schema stays empty. Runs without the GIL.
static bool fill_schema(struct ArrowSchema* schema, const Description* description) {
    size_t num_columns = (size_t)description->num_columns;
    SchemaExport* export = calloc(1, sizeof(*export) + num_columns * sizeof(export->children[0]));
    if (!export) return false;
    export->pointers = calloc(num_columns, sizeof(export->pointers[0]));
    *schema = (struct ArrowSchema){.format = "+s",
                                   .name = "",
                                   .n_children = description->num_columns,
                                   .children = export->pointers,
                                   .release = release_schema,
                                   .private_data = export};
    bool is_complete = export->pointers != NULL;
    for (size_t i = 0; is_complete && i < num_columns; i++) {
        export->pointers[i] = &export->children[i];
        is_complete = fill_column_schema(&export->children[i], description->columns[i].name,
                                         description->columns[i].format, description->columns[i].is_nullable);
    }
    if (!is_complete) release_schema(schema);
    return is_complete;
}

PyObject* arrow_export_schema(Table* table) {
    struct ArrowSchema* schema;
    Description* description = describe(table);
    PyObject* capsule = description ? arrow_make_empty_schema(&schema) : NULL;
    if (capsule && !fill_schema(schema, description)) {
        Py_CLEAR(capsule);
        PyErr_NoMemory();
    }
    free_description(description);
    return capsule;
}

// --- the items of a column ---

typedef struct ColumnExport {
    NativeHold* hold;
    const void* buffers[MAX_BUFFERS];
    size_t text_size;  // so many bytes of texts there were
} ColumnExport;

static void release_column(struct ArrowArray* array) {
    ColumnExport* export = array->private_data;
    if (!array->release) return;  // released twice
    array->release = NULL;
    native_hold_end(export->hold);
    free(export);
}

int64_t arrow_find_text_end(const struct ArrowArray* array) {
    const ColumnExport* export = array->private_data;
    return array->release == release_column ? (int64_t)export->text_size : INT64_MAX;
}

// Another process may have written the offsets, and consumers trust the last one.
static int check_text_end(const TableColumn* column, RowRange range) {
    if (!has_variable_size(column->type) || range.start == range.stop) return 0;
    int64_t end = ((const volatile int64_t*)column_offsets(column))[range.stop];
    if (end >= 0 && (uint64_t)end <= column->text_size) return 0;
    PyErr_Format(PyExc_ValueError, "the texts of column %R are said to end at byte %lld of %zu", column->name,
                 (long long)end, column->text_size);
    return -1;
}

// One part is pinned: all others cannot be overwritten or given back either, as long as rows are shown.
static ByteRange find_pinned(const TableColumn* column, RowRange range) {
    PartKind kind = has_variable_size(column->type) ? PART_OFFSETS : PART_VALUES;
    size_t base = column->parts[kind].range.start;
    if (kind == PART_OFFSETS || column->items) {
        size_t size = kind == PART_OFFSETS ? sizeof(int64_t) : (size_t)column->items->size;
        return (ByteRange){base + (size_t)range.start * size, base + (size_t)range.stop * size};
    }
    return (ByteRange){base + (size_t)range.start / 8, base + ((size_t)range.stop + 7) / 8};
}

// Consumers may read the first offset of texts of which there are none.
static const int64_t NO_ITEMS[1] = {0};

// Bitmaps come first, then offsets, then values. Only columns of texts have all three.
static void fill_buffers(struct ArrowArray* array, TableColumn* column, RowRange range, const void** buffers) {
    static const PartKind order[] = {PART_VALIDITY, PART_OFFSETS, PART_VALUES};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        Part* part = &column->parts[order[i]];
        if (order[i] == PART_OFFSETS && !has_variable_size(column->type)) continue;
        bool is_there = order[i] != PART_VALIDITY || column->is_nullable;
        if (is_there) buffers[array->n_buffers] = range.start < range.stop ? part->bytes : (const void*)NO_ITEMS;
        if (is_there) part_note_export(part, part_size(column, order[i], range.stop));
        array->n_buffers++;
    }
}

// Fills an empty array, with an export that is taken over. The caller holds the table's lock. Returns -1 with an
// exception, and leaves it empty then.
static int fill_column(struct ArrowArray* array, ColumnExport* export, Table* table, TableColumn* column,
                       RowRange range) {
    ByteRange pinned = find_pinned(column, range);
    bool is_counted = table->role != TABLE_READER && range.start == 0 && range.stop == table_length(table);
    bool has_nulls = column->is_nullable && (column->num_nulls > 0 || table->role == TABLE_READER);
    if (check_text_end(column, range) < 0) return -1;
    export->text_size = column->text_size;
    export->hold = native_hold_begin(&table->place->reservation, pinned.start, pinned.end - pinned.start, true);
    if (!export->hold) return -1;
    *array = (struct ArrowArray){.length = range.stop - range.start,
                                 .null_count = !has_nulls   ? 0
                                               : is_counted ? column->num_nulls
                                                            : -1,
                                 .offset = range.start < range.stop ? range.start : 0,
                                 .buffers = export->buffers,
                                 .release = release_column,
                                 .private_data = export};
    fill_buffers(array, column, range, export->buffers);
    return 0;
}

// --- rows ---

typedef struct BatchExport {
    const void* validity;  // NULL: rows are there as a whole
    struct ArrowArray** pointers;
    ColumnExport** exports;  // those that are not taken over yet
    struct ArrowArray children[];
} BatchExport;

// Consumers may have moved children out of it.
static void release_batch(struct ArrowArray* array) {
    BatchExport* export = array->private_data;
    if (!array->release) return;  // released twice
    array->release = NULL;
    for (int64_t i = 0; i < array->n_children; i++) {
        if (export->children[i].release) export->children[i].release(&export->children[i]);
        free(export->exports[i]);
    }
    free(export->exports);
    free(export->pointers);
    free(export);
}

// All memory that a batch needs, but for holds. Returns -1 with MemoryError, and leaves the array empty then.
static int allocate_batch(struct ArrowArray* array, Py_ssize_t num_columns) {
    size_t count = (size_t)num_columns;
    BatchExport* export = calloc(1, sizeof(*export) + count * sizeof(export->children[0]));
    bool is_complete = export != NULL;
    if (export) {
        export->pointers = calloc(count, sizeof(export->pointers[0]));
        export->exports = calloc(count, sizeof(export->exports[0]));
        is_complete = export->pointers && export->exports;
        *array = (struct ArrowArray){.n_buffers = 1,
                                     .n_children = export->exports ? num_columns : 0,
                                     .buffers = &export->validity,
                                     .children = export->pointers,
                                     .release = release_batch,
                                     .private_data = export};
    }
    for (size_t i = 0; is_complete && i < count; i++) {
        export->pointers[i] = &export->children[i];
        export->exports[i] = calloc(1, sizeof(ColumnExport));
        is_complete = export->exports[i] != NULL;
    }
    if (is_complete) return 0;
    if (export) release_batch(array);
    PyErr_NoMemory();
    return -1;
}

// The caller holds the table's lock.
static int fill_batch(struct ArrowArray* array, Table* table, RowRange range) {
    BatchExport* export = array->private_data;
    range = rows_clamp(table, range);
    array->length = range.stop - range.start;
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        if (fill_column(&export->children[i], export->exports[i], table, &table->columns[i], range) < 0) return -1;
        export->exports[i] = NULL;
    }
    return 0;
}

static int export_batch(struct ArrowArray* array, Table* table, RowRange range) {
    int status;
    if (allocate_batch(array, table->num_columns) < 0) return -1;
    table_follow(table);
    Py_BEGIN_CRITICAL_SECTION(table);
    status = fill_batch(array, table, range);
    Py_END_CRITICAL_SECTION();
    if (status < 0) release_batch(array);
    return status;
}

// --- streams ---

typedef struct StreamExport {
    Description* description;
    struct ArrowArray batch;  // released, once it was given out
} StreamExport;

static int get_schema(struct ArrowArrayStream* stream, struct ArrowSchema* out) {
    const StreamExport* export = stream->private_data;
    return fill_schema(out, export->description) ? 0 : ENOMEM;
}

// At the end, an array that counts as released.
static int get_next(struct ArrowArrayStream* stream, struct ArrowArray* out) {
    StreamExport* export = stream->private_data;
    *out = export->batch;
    export->batch.release = NULL;
    return 0;
}

static const char* get_last_error(struct ArrowArrayStream* stream) {
    (void)stream;
    return "no memory for the schema";
}

static void release_stream(struct ArrowArrayStream* stream) {
    StreamExport* export = stream->private_data;
    if (!stream->release) return;  // released twice
    stream->release = NULL;
    if (export->batch.release) export->batch.release(&export->batch);
    free_description(export->description);
    free(export);
}

// Returns -1 with an exception, and leaves the stream empty then.
static int fill_stream(struct ArrowArrayStream* stream, Table* table, RowRange range) {
    StreamExport* export = calloc(1, sizeof(*export));
    if (!export) {
        PyErr_NoMemory();
        return -1;
    }
    export->description = describe(table);
    if (!export->description || export_batch(&export->batch, table, range) < 0) {
        free_description(export->description);
        free(export);
        return -1;
    }
    *stream = (struct ArrowArrayStream){get_schema, get_next, get_last_error, release_stream, export};
    return 0;
}

// What is asked for is given only where it is what there is: consumers convert better. Returns -1 with an exception.
static int check_requested(const char* function, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    const Signature signature = {function, 1, 1, {"requested_schema"}};
    PyObject* parsed[1];
    if (parse_arguments(&signature, args, num_args, keywords, parsed) < 0) return -1;
    return parsed[0] && parsed[0] != Py_None && !arrow_requested_format(parsed[0]) ? -1 : 0;
}

// What can start a garbage collection comes before the rows are looked at.
PyObject* arrow_export_rows(Table* table, RowRange range, PyObject* const* args, Py_ssize_t num_args,
                            PyObject* keywords) {
    struct ArrowArrayStream* stream;
    if (check_requested("__arrow_c_stream__", args, num_args, keywords) < 0) return NULL;
    PyObject* capsule = arrow_make_stream(&stream);
    if (capsule && fill_stream(stream, table, range) < 0) Py_CLEAR(capsule);
    return capsule;
}

// --- columns ---

PyObject* column_to_arrow_schema(Column* self, PyObject* Py_UNUSED(ignored)) {
    const TableColumn* column = column_data(self);
    struct ArrowSchema* schema;
    const char* name = PyUnicode_AsUTF8AndSize(column->name, NULL);
    PyObject* capsule = name ? arrow_make_empty_schema(&schema) : NULL;
    if (capsule && !fill_column_schema(schema, name, column->type->arrow_format, column->is_nullable)) {
        Py_CLEAR(capsule);
        PyErr_NoMemory();
    }
    return capsule;
}

static int export_column(struct ArrowArray* array, Column* self) {
    ColumnExport* export = calloc(1, sizeof(*export));
    Table* table = self->table;
    int status;
    if (!export) {
        PyErr_NoMemory();
        return -1;
    }
    table_follow(table);
    Py_BEGIN_CRITICAL_SECTION(table);
    status = fill_column(array, export, table, column_data(self), rows_clamp(table, self->range));
    Py_END_CRITICAL_SECTION();
    if (status < 0) free(export);
    return status;
}

PyObject* column_to_arrow(Column* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    struct ArrowArray* array;
    if (check_requested("__arrow_c_array__", args, num_args, keywords) < 0) return NULL;
    PyObject* schema_capsule = column_to_arrow_schema(self, NULL);
    PyObject* array_capsule = schema_capsule ? arrow_make_array(&array) : NULL;
    PyObject* both = array_capsule ? PyTuple_Pack(2, schema_capsule, array_capsule) : NULL;
    if (both && export_column(array, self) < 0) Py_CLEAR(both);
    Py_XDECREF(array_capsule);
    Py_XDECREF(schema_capsule);
    return both;
}
