#include "types/table/arrow_input.h"

#include "types/arrow_capsules.h"
#include "types/table/arrow_output.h"
#include "types/table/attributes.h"
#include "types/table/batch.h"
#include "types/table/utf8.h"

typedef struct ArrowSchema Schema;
typedef struct ArrowArray Columns;  // one, or a batch of them
typedef struct ArrowArrayStream Stream;

// What is taken from a stream until all of it is stored.
typedef struct Input {
    Table* table;
    Stream stream;
    Schema schema;
    Columns* arrays;  // as many as batches
    Batch* batches;
    Py_ssize_t num_batches;
    Py_ssize_t num_allocated;
    Columns unlisted;   // a batch for which there was no memory, or an array of one column
    int64_t* children;  // which of the stream's columns is the one of the table
} Input;

// --- errors ---

static int raise_malformed(const char* problem) {
    PyErr_Format(PyExc_ValueError, "the Arrow stream is malformed: %s", problem);
    return -1;
}

static int raise_wrong_format(const TableColumn* column, const char* format) {
    PyErr_Format(PyExc_TypeError,
                 "column %R, of type '%s%s', cannot take Arrow's format '%.100s' without loss; cast the data first",
                 column->name, column->type->name, column->is_nullable ? "|None" : "", format);
    return -1;
}

// A producer's error. Its text is UTF-8 of any length.
static int raise_stream_error(Stream* stream, int error, const char* verb) {
    if (error == ENOMEM) {
        PyErr_NoMemory();
        return -1;
    }
    const char* text = stream->get_last_error ? stream->get_last_error(stream) : NULL;
    PyObject* message = text ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace") : NULL;
    if (message)
        PyErr_Format(PyExc_OSError, "the Arrow stream cannot give its %s: %U (error %d)", verb, message, error);
    else if (!PyErr_Occurred())
        PyErr_Format(PyExc_OSError, "the Arrow stream cannot give its %s (error %d)", verb, error);
    Py_XDECREF(message);
    return -1;
}

// --- numbers ---

// The code of NumberSource for a format; '\0' for all that are not numbers.
static char find_code(const char* format) {
    static const char codes[] = "cbCBsHSHiiIIlqLQffgd";
    if (format[0] == '\0' || format[1] != '\0') return '\0';
    if (format[0] == 's') return 'h';
    for (const char* pair = codes; *pair; pair += 2)
        if (*pair == format[0]) return pair[1];
    return '\0';
}

static Py_ssize_t code_size(char code) {
    switch (code) {
        case 'b':
        case 'B': return 1;
        case 'h':
        case 'H': return 2;
        case 'i':
        case 'I':
        case 'f': return 4;
        default: return 8;
    }
}

static int take_numbers(Source* source, const TableColumn* column, const char* format, const char* values,
                        Py_ssize_t offset, Py_ssize_t num_items) {
    char code = find_code(format), typecode[2] = {code, '\0'};
    Py_ssize_t size = code_size(code);
    NumberSource numbers = {values + offset * size, num_items, size, code, false};
    if (code == '\0' || !can_convert(column->items, &numbers)) return raise_wrong_format(column, format);
    if (!item_type_matches(column->items, typecode)) return source_take_numbers(source, column, &numbers, true);
    source->values = numbers.items;
    source->num_items = num_items;
    return 0;
}

// --- times ---

// How many of a unit are a second: the unit is a letter, s, m, u or n. 0 for others.
static int64_t find_resolution(char unit) {
    switch (unit) {
        case 's': return 1;
        case 'm': return 1000;
        case 'u': return 1000000;
        case 'n': return 1000000000;
        default: return 0;
    }
}

static int raise_inexact(const TableColumn* column, int64_t time, const char* format) {
    PyErr_Format(PyExc_ValueError, "%lld, of Arrow's format '%.20s', cannot become a time of column %R without loss",
                 (long long)time, format, column->name);
    return -1;
}

// Converts times between units, exactly.
static int convert_times(Source* source, const TableColumn* column, const char* format, const char* values,
                         int64_t from, int64_t to) {
    size_t size = sizeof(int64_t);
    for (Py_ssize_t i = 0; i < source->num_items; i++) {
        int64_t time = 0;
        char* staged = staged_add(&source->staged_values, size);
        if (!staged) return -1;
        if (!source_is_null(source, i)) memcpy(&time, values + i * (Py_ssize_t)size, size);
        int64_t factor = from > to ? from / to : to / from;
        bool is_exact = from > to ? time % factor == 0 : time <= INT64_MAX / factor && time >= INT64_MIN / factor;
        if (!is_exact) return raise_inexact(column, time, format);
        time = from > to ? time / factor : time * factor;
        memcpy(staged, &time, size);
    }
    source->values = source->staged_values.bytes;
    return 0;
}

// "tsn:" and "tDn" have their unit in the third place. A time zone behind the colon would be lost.
static int take_times(Source* source, const TableColumn* column, const char* format, const char* values,
                      Py_ssize_t offset, Py_ssize_t num_items) {
    const char* own = column->type->arrow_format;
    bool is_time = strncmp(format, own, 2) == 0 && strlen(format) == strlen(own);
    int64_t from = is_time ? find_resolution(format[2]) : 0, to = find_resolution(own[2]);
    if (find_code(format) != '\0') return take_numbers(source, column, format, values, offset, num_items);
    if (from == 0) return raise_wrong_format(column, format);
    source->values = values + offset * (Py_ssize_t)sizeof(int64_t);
    source->num_items = num_items;
    return from == to ? 0 : convert_times(source, column, format, source->values, from, to);
}

// --- texts ---

static int64_t load_offset(const char* offsets, bool are_short, Py_ssize_t index) {
    int32_t short_offset;
    int64_t offset;
    if (!are_short) {
        memcpy(&offset, offsets + index * (Py_ssize_t)sizeof(offset), sizeof(offset));
        return offset;
    }
    memcpy(&short_offset, offsets + index * (Py_ssize_t)sizeof(short_offset), sizeof(short_offset));
    return short_offset;
}

// Another process may write the offsets: each is loaded once, and the copies are checked and used. They must not
// decrease, because they become sizes.
static int stage_offsets(Source* source, const char* offsets, bool are_short, int64_t end) {
    int64_t before = 0;
    size_t size = sizeof(int64_t);
    char* staged = staged_add(&source->staged_offsets, ((size_t)source->num_items + 1) * size);
    if (!staged) return -1;
    for (Py_ssize_t i = 0; i <= source->num_items; i++) {
        int64_t offset = load_offset(offsets, are_short, i);
        if (offset < before) return raise_malformed("offsets of texts decrease");
        memcpy(staged + (size_t)i * size, &offset, size);
        before = offset;
    }
    if (before > end) return raise_malformed("offsets of texts point outside");
    source->offsets = staged;
    return 0;
}

static int raise_not_utf8(const TableColumn* column, Py_ssize_t index) {
    PyErr_Format(PyExc_ValueError, "item %zd for column %R, of type '%s%s', is not UTF-8", index, column->name,
                 column->type->name, column->is_nullable ? "|None" : "");
    return -1;
}

// Checks texts that are staged. What is under a None does not matter, and becomes zeros.
static int check_utf8(const Source* source, const TableColumn* column, char* texts, int64_t first) {
    int64_t start = first;
    for (Py_ssize_t i = 0; i < source->num_items; i++) {
        int64_t end = load_offset(source->offsets, false, i + 1);
        char* text = texts + (start - first);
        size_t size = (size_t)(end - start);
        if (!utf8_is_valid(text, size)) {
            if (!source_is_null(source, i)) return raise_not_utf8(column, i);
            memset(text, 0, size);
        }
        start = end;
    }
    return 0;
}

// What is checked must not change afterwards: it is copied first.
static int stage_utf8(Source* source, const TableColumn* column) {
    int64_t first = load_offset(source->offsets, false, 0);
    size_t num_bytes = source_text_size(source);
    char* texts = staged_add(&source->staged_values, num_bytes);
    if (!texts) return -1;
    if (num_bytes > 0) memcpy(texts, source->values + first, num_bytes);
    if (check_utf8(source, column, texts, first) < 0) return -1;
    source->values = texts;
    source->first_text = first;
    return 0;
}

static int take_texts(Source* source, const TableColumn* column, const Columns* array, bool has_short_offsets,
                      Py_ssize_t offset, Py_ssize_t num_items) {
    size_t size = has_short_offsets ? sizeof(int32_t) : sizeof(int64_t);
    if (array->n_buffers != 3) return raise_malformed("a column of texts does not have three buffers");
    if (num_items == 0) return 0;
    if (!array->buffers[1]) return raise_malformed("a column of texts has no offsets");
    const char* offsets = (const char*)array->buffers[1] + (size_t)offset * size;
    source->values = array->buffers[2];
    source->num_items = num_items;
    if (stage_offsets(source, offsets, has_short_offsets, arrow_find_text_end(array)) < 0) return -1;
    if (!source->values && source_text_size(source) > 0) return raise_malformed("a column of texts has no bytes");
    return column->type->kind == COLUMN_TEXT ? stage_utf8(source, column) : 0;
}

// A text of up to 12 bytes is in the view itself; of others it has the place in one of the data buffers.
typedef struct TextView {
    int32_t size;
    union {
        char inlined[12];
        struct {
            char prefix[4];
            int32_t buffer;
            int32_t offset;
        } place;
    } as;
} TextView;

// The bytes of a view. NULL when it is malformed.
static const char* find_text(const Columns* array, const TextView* view) {
    int64_t num_buffers = array->n_buffers - 3, sizes;
    if (view->size < 0) return NULL;
    if (view->size <= (int32_t)sizeof(view->as.inlined)) return view->as.inlined;
    if (view->as.place.buffer < 0 || view->as.place.buffer >= num_buffers || view->as.place.offset < 0) return NULL;
    if (!array->buffers[array->n_buffers - 1] || !array->buffers[2 + view->as.place.buffer]) return NULL;
    memcpy(&sizes, (const int64_t*)array->buffers[array->n_buffers - 1] + view->as.place.buffer, sizeof(sizes));
    if ((int64_t)view->as.place.offset + view->size > sizes) return NULL;
    return (const char*)array->buffers[2 + view->as.place.buffer] + view->as.place.offset;
}

static int stage_offset(Source* source) {
    int64_t end = (int64_t)source->staged_values.size;
    char* offset = staged_add(&source->staged_offsets, sizeof(end));
    if (!offset) return -1;
    memcpy(offset, &end, sizeof(end));
    return 0;
}

static int stage_view(Source* source, const Columns* array, Py_ssize_t index, bool is_null) {
    TextView view = {0};
    if (!is_null) memcpy(&view, (const char*)array->buffers[1] + index * (Py_ssize_t)sizeof(view), sizeof(view));
    const char* text = find_text(array, &view);
    if (!text) return raise_malformed("a view of a text points outside");
    char* staged = staged_add(&source->staged_values, (size_t)view.size);
    if (!staged) return -1;
    memcpy(staged, text, (size_t)view.size);
    return stage_offset(source);
}

static int take_text_views(Source* source, const TableColumn* column, const Columns* array, Py_ssize_t offset,
                           Py_ssize_t num_items) {
    if (array->n_buffers < 3) return raise_malformed("a column of text views has less than three buffers");
    if (num_items == 0) return 0;
    if (!array->buffers[1]) return raise_malformed("a column of text views has no views");
    if (stage_offset(source) < 0) return -1;
    for (Py_ssize_t i = 0; i < num_items; i++)
        if (stage_view(source, array, offset + i, source_is_null(source, i)) < 0) return -1;
    source->values = source->staged_values.bytes;
    source->offsets = source->staged_offsets.bytes;
    source->num_items = num_items;
    return column->type->kind == COLUMN_TEXT ? check_utf8(source, column, source->staged_values.bytes, 0) : 0;
}

static int take_any_texts(Source* source, const TableColumn* column, const char* format, const Columns* array,
                          Py_ssize_t offset, Py_ssize_t num_items) {
    static const char* const formats[2][3] = {{"u", "U", "vu"}, {"z", "Z", "vz"}};
    const char* const* own = formats[column->type->kind == COLUMN_BYTES];
    if (strcmp(format, own[0]) == 0) return take_texts(source, column, array, true, offset, num_items);
    if (strcmp(format, own[1]) == 0) return take_texts(source, column, array, false, offset, num_items);
    if (strcmp(format, own[2]) == 0) return take_text_views(source, column, array, offset, num_items);
    return raise_wrong_format(column, format);
}

// --- columns ---

// Arrow's null type: every item is None.
static int take_nulls(Source* source, const TableColumn* column, Py_ssize_t num_items) {
    size_t item_size = column->items ? (size_t)column->items->size : has_variable_size(column->type) ? 0 : 1;
    char* bits = staged_add(&source->staged_validity, (size_t)num_items / 8 + 1);
    char* values = bits ? staged_add(&source->staged_values, (size_t)num_items * item_size) : NULL;
    char* offsets = values ? staged_add(&source->staged_offsets, ((size_t)num_items + 1) * sizeof(int64_t)) : NULL;
    if (!offsets) return -1;
    memset(bits, 0, source->staged_validity.size);
    memset(values, 0, source->staged_values.size);
    memset(offsets, 0, source->staged_offsets.size);
    source->validity = bits;
    source->values = values;
    source->offsets = offsets;
    source->num_items = num_items;
    return source_check_nulls(source, column);
}

static int take_items(Source* source, const TableColumn* column, const char* format, const Columns* array,
                      Py_ssize_t offset, Py_ssize_t num_items) {
    if (has_variable_size(column->type)) return take_any_texts(source, column, format, array, offset, num_items);
    if (array->n_buffers != 2) return raise_wrong_format(column, format);
    const char* values = array->buffers[1];
    if (!values && num_items > 0) return raise_malformed("a column has no values");
    if (column->type->kind == COLUMN_TIMES) return take_times(source, column, format, values, offset, num_items);
    if (column->type->kind == COLUMN_NUMBERS) return take_numbers(source, column, format, values, offset, num_items);
    if (strcmp(format, "b") != 0) return raise_wrong_format(column, format);
    source->values = values;
    source->first_value_bit = offset;
    source->num_items = num_items;
    return 0;
}

// The rows from `offset` on.
static int take_column(Source* source, const TableColumn* column, const Schema* schema, const Columns* array,
                       Py_ssize_t offset, Py_ssize_t num_items) {
    const char* format = schema->format;
    if (schema->dictionary || array->dictionary) return raise_wrong_format(column, "dictionary");
    if (array->offset < 0 || array->length < 0 || array->n_buffers < 0 || array->length < offset + num_items ||
        array->offset > PY_SSIZE_T_MAX / 16 - offset - num_items)
        return raise_malformed("a column is shorter than its batch");
    offset += (Py_ssize_t)array->offset;
    if (strcmp(format, "n") == 0) return take_nulls(source, column, num_items);
    if (array->n_buffers < 1 || !array->buffers) return raise_wrong_format(column, format);
    if (array->null_count != 0 && array->buffers[0]) {
        source->validity = array->buffers[0];
        source->first_validity_bit = offset;
    }
    if (take_items(source, column, format, array, offset, num_items) < 0) return -1;
    if (source_check_nulls(source, column) < 0) return -1;
    return source_take_not_a_times(source, column);
}

// --- batches ---

static int check_length(const Columns* array) {
    if (array->offset < 0 || array->length < 0 || array->offset > PY_SSIZE_T_MAX / 16 ||
        array->length > PY_SSIZE_T_MAX / 16)
        return raise_malformed("a batch has a length or an offset that cannot be");
    return 0;
}

static int check_rows(const Columns* array) {
    if (check_length(array) < 0) return -1;
    if (array->null_count == 0 || array->n_buffers < 1 || !array->buffers || !array->buffers[0]) return 0;
    for (int64_t i = 0; i < array->length; i++)
        if (!bit_is_set(array->buffers[0], (Py_ssize_t)(array->offset + i)))
            return raise_malformed("a row is missing as a whole");
    return 0;
}

static int take_batch(const Input* input, Batch* batch, const Columns* array) {
    const Table* table = input->table;
    if (array->n_children != input->schema.n_children) return raise_malformed("a batch differs from the schema");
    for (int64_t i = 0; i < array->n_children; i++)
        if (!array->children || !array->children[i]) return raise_malformed("a batch lacks a column");
    if (check_rows(array) < 0) return -1;
    batch->num_rows = (Py_ssize_t)array->length;
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        int64_t child = input->children[i];
        if (take_column(&batch->sources[i], &table->columns[i], input->schema.children[child], array->children[child],
                        (Py_ssize_t)array->offset, batch->num_rows) < 0)
            return -1;
    }
    return 0;
}

static int add_allocated(Input* input) {
    Py_ssize_t num_allocated = 2 * input->num_allocated + 4;
    Columns* arrays = PyMem_Realloc(input->arrays, (size_t)num_allocated * sizeof(Columns));
    if (arrays) input->arrays = arrays;
    Batch* batches = arrays ? PyMem_Realloc(input->batches, (size_t)num_allocated * sizeof(Batch)) : NULL;
    if (batches) input->batches = batches;
    if (!batches) {
        PyErr_NoMemory();
        return -1;
    }
    input->num_allocated = num_allocated;
    return 0;
}

// Returns 1 with the next batch, 0 at the end, -1 with an exception. Producers may wait for threads that need the GIL.
static int get_next(Input* input, Columns* array) {
    int error;
    *array = (Columns){0};
    Py_BEGIN_ALLOW_THREADS
    error = input->stream.get_next(&input->stream, array);
    Py_END_ALLOW_THREADS
    if (error != 0) return raise_stream_error(&input->stream, error, "next batch");
    return array->release != NULL;
}

// A new batch for an array, which is kept. NULL with an exception.
static Batch* add_batch(Input* input, const Columns* array) {
    if (input->num_batches == input->num_allocated && add_allocated(input) < 0) {
        input->unlisted = *array;
        return NULL;
    }
    Batch* batch = &input->batches[input->num_batches];
    input->arrays[input->num_batches++] = *array;
    return batch_init(batch, input->table) < 0 ? NULL : batch;
}

static int take_batches(Input* input) {
    Columns array;
    int status;
    while ((status = get_next(input, &array)) > 0) {
        Batch* batch = add_batch(input, &array);
        if (!batch || take_batch(input, batch, &array) < 0) return -1;
        if (PyErr_CheckSignals() < 0) return -1;
    }
    return status;
}

// --- the schema ---

static int find_child(const Input* input, const TableColumn* column, int64_t* child) {
    const char* name = PyUnicode_AsUTF8AndSize(column->name, NULL);
    int64_t num_found = 0;
    if (!name) return -1;
    for (int64_t i = 0; i < input->schema.n_children; i++) {
        const char* other = input->schema.children[i]->name;
        if (strcmp(other ? other : "", name) != 0) continue;
        *child = i;
        num_found++;
    }
    if (num_found == 1) return 0;
    PyErr_Format(PyExc_ValueError,
                 num_found == 0 ? "column %R is missing" : "column %R is there more than once in the Arrow stream",
                 column->name);
    return -1;
}

// Whether a column of the stream is one of the table.
static bool is_known(const Input* input, int64_t child) {
    for (Py_ssize_t i = 0; i < input->table->num_columns; i++)
        if (input->children[i] == child) return true;
    return false;
}

static int raise_unknown(const char* name) {
    PyObject* text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
    if (text) PyErr_Format(PyExc_ValueError, "%R is not a column of this table", text);
    Py_XDECREF(text);
    return -1;
}

static int check_schema(const Schema* schema) {
    if (!schema->release || !schema->format || strcmp(schema->format, "+s") != 0) {
        PyErr_SetString(PyExc_TypeError, "extend() takes Arrow streams of rows, not of single columns");
        return -1;
    }
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (!schema->children || !schema->children[i]) return raise_malformed("the schema lacks a column");
        if (!schema->children[i]->format) return raise_malformed("a column has no format");
    }
    return 0;
}

static int match_columns(Input* input) {
    const Schema* schema = &input->schema;
    if (check_schema(schema) < 0) return -1;
    input->children = PyMem_Calloc((size_t)input->table->num_columns, sizeof(int64_t));
    if (!input->children) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < input->table->num_columns; i++)
        if (find_child(input, &input->table->columns[i], &input->children[i]) < 0) return -1;
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char* name = schema->children[i]->name;
        if (!is_known(input, i)) return raise_unknown(name ? name : "");
    }
    return 0;
}

static int get_schema(Input* input) {
    int error;
    if (!input->stream.get_schema || !input->stream.get_next) return raise_malformed("it lacks a function");
    Py_BEGIN_ALLOW_THREADS
    error = input->stream.get_schema(&input->stream, &input->schema);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        input->schema.release = NULL;
        return raise_stream_error(&input->stream, error, "schema");
    }
    return 0;
}

// Moves the stream out of its capsule.
static int open_stream(Input* input, PyObject* object) {
    PyObject* capsule = PyObject_CallMethod(object, "__arrow_c_stream__", NULL);
    if (!capsule) return -1;
    Stream* stream = arrow_get_stream(capsule);
    if (stream) {
        input->stream = *stream;
        stream->release = NULL;
    }
    Py_DECREF(capsule);
    return input->stream.release ? 0 : -1;
}

// Releasing can run the code of producers, in Python too, and they may wait for threads that need the GIL.
static void close_input(Input* input) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    for (Py_ssize_t i = 0; i < input->num_batches; i++) batch_free(&input->batches[i], input->table);
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < input->num_batches; i++) input->arrays[i].release(&input->arrays[i]);
    if (input->unlisted.release) input->unlisted.release(&input->unlisted);
    if (input->schema.release) input->schema.release(&input->schema);
    if (input->stream.release) input->stream.release(&input->stream);
    Py_END_ALLOW_THREADS
    PyMem_Free(input->batches);
    PyMem_Free(input->arrays);
    PyMem_Free(input->children);
    PyErr_Restore(type, value, traceback);
}

// --- one column ---

// Copies the items of the array that is there, and releases it.
static int take_array(Input* input, Source* source, const TableColumn* column) {
    Columns* array = &input->unlisted;
    Source items = {0};
    bool has_format = input->schema.release && input->schema.format;
    int status = has_format ? check_length(array) : raise_malformed("a column has no format");
    if (status == 0) status = take_column(&items, column, &input->schema, array, 0, (Py_ssize_t)array->length);
    if (status == 0) status = source_append(source, column, &items);
    source_free(&items);
    if (status < 0) return -1;
    Py_BEGIN_ALLOW_THREADS
    array->release(array);
    Py_END_ALLOW_THREADS
    array->release = NULL;
    return PyErr_CheckSignals();
}

static int take_arrays(Input* input, Source* source, const TableColumn* column, Py_ssize_t max_items) {
    int status = get_schema(input);
    while (status == 0 && source->num_items <= max_items && (status = get_next(input, &input->unlisted)) > 0)
        status = take_array(input, source, column);
    return status;
}

// --- interface ---

int arrow_take_items(Source* source, const TableColumn* column, PyObject* object, Py_ssize_t max_items) {
    Input input = {0};
    PyObject* get_array;
    int status = 0, has_array = find_attribute(object, "__arrow_c_array__", &get_array);
    int has_stream = has_array == 0 ? has_attribute(object, "__arrow_c_stream__") : 0;
    if (has_array <= 0 && has_stream <= 0) return has_array < 0 ? has_array : has_stream;
    if (has_array) {
        PyObject* capsules = PyObject_CallNoArgs(get_array);
        status = capsules ? arrow_move_array(capsules, &input.schema, &input.unlisted) : -1;
        Py_XDECREF(capsules);
        if (status == 0) status = take_array(&input, source, column);
        Py_DECREF(get_array);
    } else {
        status = open_stream(&input, object);
        if (status == 0) status = take_arrays(&input, source, column, max_items);
    }
    close_input(&input);
    return status < 0 ? -1 : 1;
}

int arrow_extend(Table* table, PyObject* object) {
    Input input = {.table = table};
    if (open_stream(&input, object) < 0) return -1;
    int status = get_schema(&input);
    if (status == 0) status = match_columns(&input);
    if (status == 0) status = take_batches(&input);
    if (status == 0) status = table_store_batches(table, input.batches, input.num_batches);
    close_input(&input);
    return status;
}
