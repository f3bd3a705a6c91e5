#include "types/table/sources.h"

#include "types/array/filling.h"
#include "types/table/cells.h"
#include "types/table/numpy_items.h"
#include "types/table/storage.h"

// --- staging ---

char* staged_add(Staged* staged, size_t num_bytes) {
    if (!staged->bytes || num_bytes > staged->num_allocated - staged->size) {
        size_t wanted = staged->size + num_bytes, num_allocated = wanted + wanted / 2 + 64;
        char* bytes = wanted < (size_t)PY_SSIZE_T_MAX / 2 ? PyMem_Realloc(staged->bytes, num_allocated) : NULL;
        if (!bytes) {
            PyErr_NoMemory();
            return NULL;
        }
        staged->bytes = bytes;
        staged->num_allocated = num_allocated;
    }
    staged->size += num_bytes;
    return staged->bytes + staged->size - num_bytes;
}

int staged_add_bit(Staged* staged, Py_ssize_t index, bool is_set) {
    if (index % 8 == 0) {
        char* byte = staged_add(staged, 1);
        if (!byte) return -1;
        *byte = 0;
    }
    put_bit(staged->bytes, index, is_set);
    return 0;
}

void source_free(Source* source) {
    PyMem_Free(source->staged_values.bytes);
    PyMem_Free(source->staged_offsets.bytes);
    PyMem_Free(source->staged_validity.bytes);
    if (source->has_buffer) PyBuffer_Release(&source->buffer);
}

// --- texts ---

static int64_t get_offset(const Source* source, Py_ssize_t index) {
    int64_t offset;
    memcpy(&offset, source->offsets + index * (Py_ssize_t)sizeof(offset), sizeof(offset));
    return offset;
}

size_t source_text_size(const Source* source) {
    if (source->num_items == 0) return 0;
    return (size_t)(get_offset(source, source->num_items) - get_offset(source, 0));
}

// --- from iterables ---

// After the last item was staged, since staging moves what was staged before.
static void use_staged(Source* source) {
    source->values = source->staged_values.bytes;
    source->offsets = source->staged_offsets.bytes;
    source->validity = source->staged_validity.bytes;
}

static int stage_text(Source* source, const Cell* cell) {
    size_t num_added = cell->is_null ? 0 : cell->text_size;
    char* text = staged_add(&source->staged_values, num_added);
    char* offset = text ? staged_add(&source->staged_offsets, sizeof(int64_t)) : NULL;
    if (!offset) return -1;
    if (num_added > 0) memcpy(text, cell->text, num_added);
    int64_t end = (int64_t)source->staged_values.size;
    memcpy(offset, &end, sizeof(end));
    return 0;
}

static int stage_cell(Source* source, const TableColumn* column, const Cell* cell) {
    Py_ssize_t index = source->num_items;
    if (column->is_nullable && staged_add_bit(&source->staged_validity, index, !cell->is_null) < 0) return -1;
    if (has_variable_size(column->type)) return stage_text(source, cell);
    if (!column->items) return staged_add_bit(&source->staged_values, index, cell->flag);
    char* item = staged_add(&source->staged_values, (size_t)column->items->size);
    if (!item) return -1;
    memcpy(item, cell->item, (size_t)column->items->size);
    return 0;
}

static int stage_object(Source* source, const TableColumn* column, PyObject* object) {
    Cell cell;
    if (cell_convert(column, object, &cell) < 0) return -1;
    int status = stage_cell(source, column, &cell);
    cell_free(&cell);
    if (status == 0) source->num_items++;
    return status;
}

// Signals are handled between so many items, so that Ctrl-C stops an iterator that never ends.
#define ITEMS_BETWEEN_SIGNALS 4096

// Texts begin with their first offset.
static int begin_staging(Source* source, const TableColumn* column) {
    if (!has_variable_size(column->type)) return 0;
    char* offset = staged_add(&source->staged_offsets, sizeof(int64_t));
    if (!offset) return -1;
    memset(offset, 0, sizeof(int64_t));
    return 0;
}

static int raise_not_iterable(const TableColumn* column, PyObject* object) {
    PyObject* name = PyType_GetName(Py_TYPE(object));
    if (name)
        PyErr_Format(PyExc_TypeError, "the items of column %R must be a buffer or an iterable, not %U", column->name,
                     name);
    Py_XDECREF(name);
    return -1;
}

int source_take_iterable(Source* source, const TableColumn* column, PyObject* iterable, Py_ssize_t max_items) {
    PyObject *iterator, *object;
    int status = 0;
    if (PyUnicode_Check(iterable)) return raise_not_iterable(column, iterable);
    iterator = PyObject_GetIter(iterable);
    if (!iterator) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
        PyErr_Clear();
        return raise_not_iterable(column, iterable);
    }
    if (begin_staging(source, column) < 0) status = -1;
    while (status == 0 && source->num_items <= max_items && (object = PyIter_Next(iterator))) {
        status = stage_object(source, column, object);
        Py_DECREF(object);
        if (status == 0 && source->num_items % ITEMS_BETWEEN_SIGNALS == 0) status = PyErr_CheckSignals();
    }
    Py_DECREF(iterator);
    use_staged(source);
    return status < 0 || PyErr_Occurred() ? -1 : 0;
}

// --- from other sources ---

static int append_bits(Staged* staged, Py_ssize_t num_before, const char* bits, Py_ssize_t first, Py_ssize_t num_bits) {
    for (Py_ssize_t i = 0; i < num_bits; i++)
        if (staged_add_bit(staged, num_before + i, !bits || bit_is_set(bits, first + i)) < 0) return -1;
    return 0;
}

static int append_texts(Source* source, const TableColumn* column, const Source* more) {
    size_t num_bytes = source_text_size(more), size = sizeof(int64_t);
    int64_t first = more->num_items > 0 ? get_offset(more, 0) : 0, shift = (int64_t)source->staged_values.size - first;
    if (!source->staged_offsets.bytes && begin_staging(source, column) < 0) return -1;
    char* texts = staged_add(&source->staged_values, num_bytes);
    char* offsets = texts ? staged_add(&source->staged_offsets, (size_t)more->num_items * size) : NULL;
    if (!offsets) return -1;
    if (num_bytes > 0) memcpy(texts, more->values + (first - more->first_text), num_bytes);
    for (Py_ssize_t i = 1; i <= more->num_items; i++) {
        int64_t offset = get_offset(more, i) + shift;
        memcpy(offsets + (size_t)(i - 1) * size, &offset, size);
    }
    return 0;
}

static int append_items(Source* source, const TableColumn* column, const Source* more) {
    size_t num_bytes = (size_t)(more->num_items * column->items->size);
    char* items = staged_add(&source->staged_values, num_bytes);
    if (items && num_bytes > 0) memcpy(items, more->values, num_bytes);
    return items ? 0 : -1;
}

int source_append(Source* source, const TableColumn* column, const Source* more) {
    Py_ssize_t num_before = source->num_items, count = more->num_items;
    int status = 0;
    if (column->is_nullable)
        status = append_bits(&source->staged_validity, num_before, more->validity, more->first_validity_bit, count);
    if (status < 0) return -1;
    if (column->type->kind == COLUMN_BITS)
        status = append_bits(&source->staged_values, num_before, more->values, more->first_value_bit, count);
    else
        status = (column->items ? append_items : append_texts)(source, column, more);
    source->num_items += count;
    use_staged(source);
    return status;
}

// --- from numbers ---

// A number that does not fit: raises what append would raise.
static int refuse_number(const TableColumn* column, const NumberSource* numbers, Py_ssize_t index) {
    char item[MAX_ITEM_SIZE];
    PyObject* number = get_number(numbers, index);
    int status = number ? column->items->set(item, number) : -1;
    Py_XDECREF(number);
    if (status == 0) PyErr_Format(PyExc_OverflowError, "item %zd does not fit", index);
    cell_note_column(column);
    return -1;
}

// The usual cases, found out without an object for each.
static bool is_surely_exact(const TableColumn* column, const NumberSource* numbers, Py_ssize_t index,
                            const char* item) {
    bool is_float = column->items->size == sizeof(float);
    double stored, before, limit = is_float ? 16777216.0 : 9007199254740992.0;  // 2 ** 24 and 2 ** 53
    if (is_float) {
        float number;
        memcpy(&number, item, sizeof(number));
        stored = (double)number;
    } else {
        memcpy(&stored, item, sizeof(stored));
    }
    if (numbers->code != 'd') return stored > -limit && stored < limit;
    if (numbers->is_swapped) return false;
    memcpy(&before, numbers->items + index * numbers->stride, sizeof(before));
    return before == stored;
}

// Whether a number became another one, which only happens to floats.
static bool is_rounded(const TableColumn* column, const NumberSource* numbers, Py_ssize_t index, const char* item) {
    NumberSource stored = describe_items(column->items, item, 1);
    bool is_equal = true;
    PyObject *before = get_number(numbers, index), *after = get_number(&stored, 0);
    if (before && after) {
        double number = PyFloat_Check(before) ? PyFloat_AsDouble(before) : 0;
        bool was_nan = number != number;
        is_equal = was_nan || PyObject_RichCompareBool(before, after, Py_EQ) != 0;
    }
    Py_XDECREF(before);
    Py_XDECREF(after);
    PyErr_Clear();
    return !is_equal;
}

// Whether items of one type may be rounded when they become items of another.
static bool may_round(const TableColumn* column, const NumberSource* numbers) {
    if (column->items->is_integer) return false;
    bool is_float = column->items->size == sizeof(float);
    return is_float ? !strchr("bBhHf", numbers->code) : strchr("qQ", numbers->code) != NULL;
}

static int check_exact(const Source* source, const TableColumn* column, const NumberSource* numbers, Py_ssize_t start,
                       Py_ssize_t num_items, const char* items) {
    for (Py_ssize_t i = 0; i < num_items; i++) {
        const char* item = items + i * column->items->size;
        if (source_is_null(source, start + i) || is_surely_exact(column, numbers, start + i, item)) continue;
        if (!is_rounded(column, numbers, start + i, item)) continue;
        PyObject* number = get_number(numbers, start + i);
        if (number) PyErr_Format(PyExc_ValueError, "%R would be rounded", number);
        Py_XDECREF(number);
        cell_note_column(column);
        return -1;
    }
    return 0;
}

int source_take_numbers(Source* source, const TableColumn* column, const NumberSource* numbers, bool is_exact) {
    size_t size = (size_t)column->items->size;
    bool checks = is_exact && may_round(column, numbers);
    Py_ssize_t done = 0;
    if (!staged_add(&source->staged_values, (size_t)numbers->num_items * size)) return -1;
    while (done < numbers->num_items) {
        char* to = source->staged_values.bytes + (size_t)done * size;
        Py_ssize_t num_converted = convert_numbers(column->items, to, numbers, done, numbers->num_items - done);
        if (checks && check_exact(source, column, numbers, done, num_converted, to) < 0) return -1;
        done += num_converted;
        if (num_converted > 0) {
            if (PyErr_CheckSignals() < 0) return -1;
        } else if (source_is_null(source, done)) {
            memset(to, 0, size);
            done++;
        } else {
            return refuse_number(column, numbers, done);
        }
    }
    source->values = source->staged_values.bytes;
    source->num_items = numbers->num_items;
    return 0;
}

// --- from buffers ---

static bool is_bools(const Py_buffer* buffer) {
    return buffer->ndim == 1 && buffer->shape && !buffer->suboffsets && buffer->itemsize == 1 && buffer->format &&
           strcmp(buffer->format, "?") == 0;
}

static int take_bools(Source* source, const Py_buffer* buffer) {
    const char* item = buffer->buf;
    Py_ssize_t stride = buffer->strides ? buffer->strides[0] : 1;
    for (; source->num_items < buffer->shape[0]; source->num_items++, item += stride)
        if (staged_add_bit(&source->staged_values, source->num_items, *item != 0) < 0) return -1;
    source->values = source->staged_values.bytes;
    return 1;
}

// Returns 1 when all items were taken, 0 when they must be iterated over, -1 with an exception.
static int take_buffer_items(Source* source, const TableColumn* column) {
    const Py_buffer* buffer = &source->buffer;
    NumberSource numbers;
    if (column->type->kind == COLUMN_BITS) return is_bools(buffer) ? take_bools(source, buffer) : 0;
    if (!column->items) return 0;
    if (buffer->ndim == 1 && item_type_matches(column->items, buffer->format) && PyBuffer_IsContiguous(buffer, 'C')) {
        source->values = buffer->buf;
        source->num_items = buffer->len / column->items->size;
        return 1;
    }
    if (!describe_source(buffer, &numbers)) return refuse_complex_numbers(buffer);
    if (!can_convert(column->items, &numbers)) return 0;
    return source_take_numbers(source, column, &numbers, false) < 0 ? -1 : 1;
}

static int take_buffer(Source* source, const TableColumn* column, PyObject* object) {
    if (has_variable_size(column->type)) return 0;
    int status = array_get_buffer(object, &source->buffer);
    if (status <= 0) return status;
    source->has_buffer = true;
    status = take_buffer_items(source, column);
    if (status != 0) return status;
    source->has_buffer = false;
    PyBuffer_Release(&source->buffer);
    return 0;
}

// --- from what NumPy knows ---

static int take_numpy_items(Source* source, const TableColumn* column, PyObject* object, Py_ssize_t max_items) {
    PyObject* items = numpy_find_items(column, object);
    if (!items) return PyErr_Occurred() ? -1 : 0;
    int status = PyList_CheckExact(items) ? 0 : take_buffer(source, column, items);
    if (status == 0) status = source_take_iterable(source, column, items, max_items) < 0 ? -1 : 1;
    Py_DECREF(items);
    return status;
}

int source_take_array(Source* source, const TableColumn* column, PyObject* object, Py_ssize_t max_items) {
    int status = 0;
    bool has_times = column->type->kind == COLUMN_TIMES;
    if (!has_times && !may_be_masked(object)) status = take_buffer(source, column, object);
    if (status == 0) status = take_numpy_items(source, column, object, max_items);
    if (status == 0) status = take_buffer(source, column, object);
    if (status > 0 && has_times && source_take_not_a_times(source, column) < 0) status = -1;
    return status;
}

// --- checking ---

static bool is_not_a_time(const Source* source, Py_ssize_t index) {
    int64_t time;
    memcpy(&time, source->values + index * (Py_ssize_t)sizeof(time), sizeof(time));
    return time == NOT_A_TIME && !source_is_null(source, index);
}

int source_take_not_a_times(Source* source, const TableColumn* column) {
    Py_ssize_t index = 0;
    Staged bits = {0};
    if (column->type->kind != COLUMN_TIMES) return 0;
    while (index < source->num_items && !is_not_a_time(source, index)) index++;
    if (index == source->num_items) return 0;
    if (!column->is_nullable) return cell_raise_not_a_time(column);
    for (Py_ssize_t i = 0; i < source->num_items; i++)
        if (staged_add_bit(&bits, i, !source_is_null(source, i) && !is_not_a_time(source, i)) < 0) {
            PyMem_Free(bits.bytes);
            return -1;
        }
    PyMem_Free(source->staged_validity.bytes);
    source->staged_validity = bits;
    source->validity = bits.bytes;
    source->first_validity_bit = 0;
    return 0;
}

int source_check_nulls(const Source* source, const TableColumn* column) {
    Py_ssize_t index = 0;
    if (column->is_nullable || !source->validity) return 0;
    while (index < source->num_items && !source_is_null(source, index)) index++;
    if (index == source->num_items) return 0;
    PyErr_Format(PyExc_ValueError, "column %R does not allow None, which item %zd is; one of type '%s|None' would",
                 column->name, index, column->type->name);
    return -1;
}

// --- storing ---

// Eight bits from any one on, all of which are there.
static char load_eight_bits(const char* bits, Py_ssize_t from) {
    const unsigned char* byte = (const unsigned char*)bits + (from >> 3);
    int shift = (int)(from & 7);
    return (char)(shift == 0 ? byte[0] : byte[0] >> shift | byte[1] << (8 - shift));
}

static void copy_bits(char* to_bits, Py_ssize_t to, const char* from_bits, Py_ssize_t from, Py_ssize_t num_bits) {
    for (; num_bits > 0 && to % 8 != 0; num_bits--) put_bit(to_bits, to++, bit_is_set(from_bits, from++));
    for (; num_bits >= 8; num_bits -= 8, to += 8, from += 8) to_bits[to >> 3] = load_eight_bits(from_bits, from);
    for (; num_bits > 0; num_bits--) put_bit(to_bits, to++, bit_is_set(from_bits, from++));
}

static void set_bits(char* bits, Py_ssize_t index, Py_ssize_t num_bits) {
    for (; num_bits > 0 && index % 8 != 0; num_bits--) put_bit(bits, index++, true);
    memset(bits + (index >> 3), 0xff, (size_t)num_bits / 8);
    for (index += num_bits / 8 * 8, num_bits %= 8; num_bits > 0; num_bits--) put_bit(bits, index++, true);
}

static void store_validity(const Source* source, TableColumn* column, Py_ssize_t index) {
    static const int64_t not_a_time = NOT_A_TIME;
    char* bits = column->parts[PART_VALIDITY].bytes;
    if (!source->validity) {
        set_bits(bits, index, source->num_items);
        return;
    }
    copy_bits(bits, index, source->validity, source->first_validity_bit, source->num_items);
    for (Py_ssize_t i = index; i < index + source->num_items; i++) {
        if (bit_is_set(bits, i)) continue;
        column->num_nulls++;
        if (column->type->kind == COLUMN_TIMES) memcpy(column_item(column, i), &not_a_time, sizeof(not_a_time));
    }
}

static void store_texts(const Source* source, TableColumn* column, Py_ssize_t index) {
    int64_t* offsets = column_offsets(column);
    int64_t first = source->num_items > 0 ? get_offset(source, 0) : 0, shift = (int64_t)column->text_size - first;
    size_t num_bytes = source_text_size(source);
    if (index == 0) offsets[0] = 0;
    const char* texts = num_bytes > 0 ? source->values + (first - source->first_text) : NULL;
    if (texts) memcpy(column->parts[PART_VALUES].bytes + column->text_size, texts, num_bytes);
    for (Py_ssize_t i = 1; i <= source->num_items; i++) offsets[index + i] = get_offset(source, i) + shift;
    column->text_size += num_bytes;
}

void source_store(const Source* source, TableColumn* column, Py_ssize_t index) {
    if (source->num_items == 0) return;
    if (column->items)
        memcpy(column_item(column, index), source->values, (size_t)(source->num_items * column->items->size));
    else if (column->type->kind == COLUMN_BITS)
        copy_bits(column->parts[PART_VALUES].bytes, index, source->values, source->first_value_bit, source->num_items);
    else
        store_texts(source, column, index);
    if (column->is_nullable) store_validity(source, column, index);
}
