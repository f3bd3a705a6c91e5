#include "types/table/column_items.h"

#include "types/table/cells.h"
#include "types/table/storage.h"

// --- items ---

PyObject* column_get_or_null(Column* self, Py_ssize_t index) {
    PyObject* item = NULL;
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

// The items of a part that show a range of rows. Texts are shown from the first on, because offsets count from there.
static RowRange find_part_items(const TableColumn* column, PartKind kind, RowRange range) {
    if (kind == PART_OFFSETS) return (RowRange){range.start, range.stop > range.start ? range.stop + 1 : range.start};
    if (kind == PART_VALIDITY || column->type->kind == COLUMN_BITS)
        return (RowRange){range.start / 8, (range.stop + 7) / 8};
    if (column->items) return range;
    return (RowRange){0, range.stop > range.start ? (Py_ssize_t)column_offsets(column)[range.stop] : 0};
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

// Making the pin can run Python code, so that comes first.
PinObject* column_pin_part(Column* self, RowRange range, PartKind kind) {
    Table* table = self->table;
    PinObject* pin = view_new_pin(&table->reservation);
    bool splits_byte;
    if (!pin) return NULL;
    Py_BEGIN_CRITICAL_SECTION(table);
    range = rows_clamp(table, range);
    bool is_bits = kind == PART_VALIDITY || (kind == PART_VALUES && column_data(self)->type->kind == COLUMN_BITS);
    splits_byte = is_bits && range.start % 8 != 0;
    if (!splits_byte) place_pin(self, pin, kind, range);
    Py_END_CRITICAL_SECTION();
    if (!splits_byte) return pin;
    Py_DECREF((PyObject*)pin);
    PyErr_Format(PyExc_ValueError,
                 "bits cannot be shown from row %zd on, in the middle of a byte; slice at a multiple of 8",
                 range.start);
    return NULL;
}

PyObject* column_view_part(Column* self, RowRange range, PartKind kind) {
    PinObject* pin = column_pin_part(self, range, kind);
    PyObject* view = pin ? PyMemoryView_FromObject((PyObject*)pin) : NULL;
    Py_XDECREF((PyObject*)pin);
    return view;
}
