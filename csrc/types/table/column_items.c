#include "types/table/column_items.h"

#include "types/table/cells.h"
#include "types/table/sharing.h"
#include "types/table/storage.h"

// --- items ---

PyObject* column_get_or_null(Column* self, Py_ssize_t index) {
    PyObject* item = NULL;
    table_follow(self->table);
    Py_BEGIN_CRITICAL_SECTION(self->table);
    if (rows_find(rows_clamp(self->table, self->range), &index)) item = cell_get(column_data(self), index);
    Py_END_CRITICAL_SECTION();
    return item;
}

PyObject* column_tolist(Column* self, PyObject* Py_UNUSED(ignored)) {
    PyObject *list = PyList_New(0), *item;
    int status = list ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && (item = column_get_or_null(self, i)); i++) {
        status = PyList_Append(list, item);
        Py_DECREF(item);
    }
    if (PyErr_Occurred()) status = -1;
    if (status < 0) Py_CLEAR(list);
    return list;
}

// --- buffers ---

typedef struct PartFormat {
    const char* format;
    Py_ssize_t item_size;
} PartFormat;

static PartFormat find_format(const TableColumn* column, PartKind kind) {
    if (kind == PART_OFFSETS) return (PartFormat){"q", sizeof(int64_t)};
    if (kind == PART_VALUES && column->items) return (PartFormat){column->items->typecode, column->items->size};
    return (PartFormat){"B", 1};
}

// Where the texts before a row end. Another process may have written the offset: it is loaded once, and clamped.
static Py_ssize_t find_text_end(const TableColumn* column, Py_ssize_t index) {
    int64_t end = ((const volatile int64_t*)column_offsets(column))[index];
    return end < 0 || (uint64_t)end > column->text_size ? (Py_ssize_t)column->text_size : (Py_ssize_t)end;
}

// The items of a part that show a range of rows. Texts are shown from the first on, because offsets count from there.
static RowRange find_part_items(const TableColumn* column, PartKind kind, RowRange range) {
    if (kind == PART_OFFSETS) return (RowRange){range.start, range.stop > 0 ? range.stop + 1 : 0};
    if (kind == PART_VALIDITY || column->type->kind == COLUMN_BITS)
        return (RowRange){range.start / 8, (range.stop + 7) / 8};
    if (column->items) return range;
    return (RowRange){0, range.stop > range.start ? find_text_end(column, range.stop) : 0};
}

// Places a pin on a part. The caller holds the table's lock.
static void place_pin(Column* self, PinObject* pin, PartKind kind, RowRange range) {
    TableColumn* column = column_data(self);
    Part* part = &column->parts[kind];
    PartFormat format = find_format(column, kind);
    RowRange items = find_part_items(column, kind, range);
    size_t offset = (size_t)(items.start * format.item_size);
    view_place_items(pin, part->range.start + offset, items.stop - items.start, format.format, format.item_size);
    part_note_export(part, (size_t)(items.stop * format.item_size));
}

typedef enum PinOutcome { PIN_PLACED, PIN_SPLITS_BYTE, PIN_OUTDATED } PinOutcome;

// Places a pin that was made for the memory of a place. The caller holds the table's lock.
static PinOutcome try_to_place_pin(Column* self, PinObject* pin, const TablePlace* place, RowRange range,
                                   PartKind kind) {
    bool is_bits = kind == PART_VALIDITY || (kind == PART_VALUES && column_data(self)->type->kind == COLUMN_BITS);
    if (self->table->place != place) return PIN_OUTDATED;
    if (is_bits && range.start % 8 != 0) return PIN_SPLITS_BYTE;
    place_pin(self, pin, kind, range);
    return PIN_PLACED;
}

// Making the pin can start a garbage collection, which can run any Python code, and that can fork: in the child the memory
// is another one.
PinObject* column_pin_part(Column* self, RowRange range, PartKind kind) {
    Table* table = self->table;
    PinOutcome outcome;
    RowRange clamped;
    table_follow(table);
    do {
        const TablePlace* place = table->place;
        PinObject* pin = view_new_pin(&table->place->reservation);
        if (!pin) return NULL;
        Py_BEGIN_CRITICAL_SECTION(table);
        clamped = rows_clamp(table, range);
        outcome = try_to_place_pin(self, pin, place, clamped, kind);
        Py_END_CRITICAL_SECTION();
        if (outcome == PIN_PLACED) return pin;
        Py_DECREF((PyObject*)pin);
    } while (outcome == PIN_OUTDATED);
    PyErr_Format(PyExc_ValueError,
                 "bits cannot be shown from row %zd on, in the middle of a byte; slice at a multiple of 8",
                 clamped.start);
    return NULL;
}

PyObject* column_view_part(Column* self, RowRange range, PartKind kind) {
    PinObject* pin = column_pin_part(self, range, kind);
    PyObject* view = pin ? PyMemoryView_FromObject((PyObject*)pin) : NULL;
    Py_XDECREF((PyObject*)pin);
    return view;
}
