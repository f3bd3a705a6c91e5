#include "types/table/storage.h"

#include <stdio.h>

#include "core/growth.h"
#include "core/lifetime.h"
#include "core/page_ops.h"
#include "python/arguments.h"
#include "types/array/place.h"

static const OwnerKind TABLE = {
    .noun = "table",
    .article = "a",
    .reserved_for = " for a table",
    .when_addresses_run_out = "ask for a smaller capacity",
    .when_mappings_run_out = "keep fewer tables, arrays and arenas",
    .when_commit_runs_out_of_mappings = "keep fewer tables, arrays and arenas",
};

#define OFFSET_SIZE sizeof(int64_t)

// --- sizes ---

static size_t bits_size(Py_ssize_t num_bits) { return ((size_t)num_bits + 7) / 8; }

size_t part_size(const TableColumn* column, PartKind kind, Py_ssize_t num_rows) {
    switch (kind) {
        case PART_VALUES:
            if (has_variable_size(column->type)) return column->text_size;
            if (column->type->kind == COLUMN_BITS) return bits_size(num_rows);
            return (size_t)(num_rows * column->items->size);
        case PART_OFFSETS: return has_variable_size(column->type) ? ((size_t)num_rows + 1) * OFFSET_SIZE : 0;
        default: return column->is_nullable ? bits_size(num_rows) : 0;
    }
}

// Whether the size of a part follows from the number of rows.
bool part_is_sized_by_rows(const TableColumn* column, PartKind kind) {
    return kind != PART_VALUES || !has_variable_size(column->type);
}

// How many rows fit so many bytes.
static Py_ssize_t count_fitting(const TableColumn* column, PartKind kind, size_t num_bytes) {
    bool is_bits = kind == PART_VALIDITY || (kind == PART_VALUES && column->type->kind == COLUMN_BITS);
    if (is_bits) return num_bytes > PY_SSIZE_T_MAX / 8 ? PY_SSIZE_T_MAX : (Py_ssize_t)num_bytes * 8;
    if (kind == PART_VALUES) return (Py_ssize_t)num_bytes / column->items->size;
    return num_bytes < OFFSET_SIZE ? 0 : (Py_ssize_t)(num_bytes / OFFSET_SIZE) - 1;
}

// Of a row, in all parts together, but for the bytes of texts.
static size_t count_row_bits(const TableSchema* schema) {
    size_t num_bits = 0;
    for (Py_ssize_t i = 0; i < schema->num_columns; i++) {
        const TableColumn* column = &schema->columns[i];
        num_bits += column->is_nullable;
        if (has_variable_size(column->type))
            num_bits += OFFSET_SIZE * 8;
        else
            num_bits += column->type->kind == COLUMN_BITS ? 1 : (size_t)column->items->size * 8;
    }
    return num_bits;
}

static Py_ssize_t count_texts(const TableSchema* schema) {
    Py_ssize_t count = 0;
    for (Py_ssize_t i = 0; i < schema->num_columns; i++) count += has_variable_size(schema->columns[i].type);
    return count;
}

// --- capacity ---

// So that the sizes of all parts together, rounded up to pages, fit a Py_ssize_t, and a few times more.
static size_t max_capacity(const TableSchema* schema) {
    return (size_t)PY_SSIZE_T_MAX / 4 / (count_row_bits(schema) / 8 + 1);
}

int table_convert_capacity(const TableSchema* schema, PyObject* object, Py_ssize_t* capacity) {
    size_t num_rows;
    SizeRange range = {0, max_capacity(schema), " rows"};
    if (convert_size_in_range(object, "capacity", range, &num_rows) < 0) return -1;
    *capacity = (Py_ssize_t)num_rows;
    return 0;
}

// As much as an array would reserve.
static size_t default_size(ModuleState* state) {
    return (size_t)place_default_capacity(state, rows_type_of_numbers(find_item_type('B')));
}

static Py_ssize_t default_capacity(const TableSchema* schema, size_t size) {
    size_t num_rows = (size_t)((double)size * 8 / (double)count_row_bits(schema)), most = max_capacity(schema);
    return (Py_ssize_t)(num_rows < most ? num_rows : most);
}

// How many bytes of texts each column can hold: nothing that memory could not, except where addresses are scarce.
static size_t choose_text_size(const TableSchema* schema, size_t size) {
    VmemAddressSpace space;
    Py_ssize_t num_texts = count_texts(schema);
    vmem_get_address_space(&space);
    bool is_scarce = space.limit != VMEM_UNLIMITED || sizeof(void*) < 8;
    return is_scarce && num_texts > 0 ? size / (size_t)num_texts : size;
}

// --- layout ---

size_t table_lay_out(const TableSchema* schema, const TableLayout* layout) {
    size_t page_size = vmem_get_page_size(), end = vmem_align_forward(layout->header_size, page_size);
    for (Py_ssize_t i = 0; i < schema->num_columns; i++) {
        TableColumn* column = &schema->columns[i];
        for (int kind = 0; kind < NUM_PARTS; kind++) {
            bool is_sized = part_is_sized_by_rows(column, kind);
            size_t size = is_sized ? part_size(column, kind, layout->capacity) : layout->text_size;
            size = vmem_align_forward(size, page_size);
            if (size > MAX_RESERVATION - end) return SIZE_MAX;
            column->parts[kind].range = (ByteRange){end, end + size};
            end += size;
        }
    }
    return end > 0 ? end : 1;
}

void table_set_addresses(Table* table) {
    for (Py_ssize_t i = 0; i < table->num_columns; i++)
        for (int kind = 0; kind < NUM_PARTS; kind++) {
            Part* part = &table->columns[i].parts[kind];
            part->bytes = table->place->reservation.base + part->range.start;
        }
}

// How many bytes all rows, and the texts of each column, may have for all parts of an object to lie below the limit on the
// size of files. `size` where there is none, or where it is too low for the capacity.
static size_t fit_file_limit(const TableSchema* schema, Py_ssize_t capacity, size_t header_size, size_t size) {
    uint64_t num_parts = (uint64_t)count_texts(schema) + (capacity < 0), limit = get_file_size_limit();
    size_t num_pages = (size_t)schema->num_columns * NUM_PARTS + 2;
    uint64_t taken = shared_page_size() + header_size + num_pages * vmem_get_page_size();
    if (capacity > 0) taken += (size_t)capacity * (count_row_bits(schema) / 8 + 1);
    if (num_parts == 0 || limit <= taken) return size;
    uint64_t most = (limit - taken) / num_parts;
    return most < size ? (size_t)most : size;
}

TableLayout table_choose_layout(ModuleState* state, const TableSchema* schema, Py_ssize_t capacity,
                                size_t header_size) {
    size_t size = default_size(state);
    if (header_size > 0) size = fit_file_limit(schema, capacity, header_size, size);
    if (capacity < 0) capacity = default_capacity(schema, size);
    return (TableLayout){capacity, choose_text_size(schema, size), header_size};
}

// --- creating and deallocating ---

ModuleState* table_state_of_type(PyTypeObject* type) { return module_state_of(type, table_methods); }

ModuleState* table_find_state(Table* table) { return table_state_of_type(Py_TYPE((PyObject*)table)); }

static int raise_too_large(const ModuleState* state, Py_ssize_t capacity) {
    PyObject* message = PyUnicode_FromFormat(
        "a table with a capacity of %zd rows does not fit the address space; ask "
        "for a smaller capacity",
        capacity);
    return raise_capacity_exceeded(state->out_of_memory_error, message);
}

Table* table_allocate(PyTypeObject* python_type, TableSchema* schema, Py_ssize_t capacity) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(python_type, Py_tp_alloc);
    Table* self = (Table*)alloc(python_type, 0);
    if (!self) return NULL;
    self->columns = schema->columns;
    self->num_columns = schema->num_columns;
    self->names = schema->names;
    self->capacity = capacity;
    *schema = (TableSchema){NULL, 0, NULL};
    return self;
}

static ReservationOptions describe_place(ModuleState* state, PyTypeObject* python_type, size_t num_bytes) {
    return (ReservationOptions){
        .num_bytes = num_bytes, .align = 1, .name = Py_None, .owner_is_gc = python_type != state->table_type};
}

int table_audit(ModuleState* state, PyTypeObject* python_type, const TableLayout* layout, size_t num_bytes) {
    ReservationOptions options = describe_place(state, python_type, num_bytes);
    if (num_bytes == SIZE_MAX) return raise_too_large(state, layout->capacity);
    return reservation_audit(state, &options);
}

TablePlace* table_new_place(ModuleState* state, Table* table, size_t num_bytes, SharedMemory* memory) {
    ReservationOptions options = describe_place(state, Py_TYPE((PyObject*)table), num_bytes);
    const Backing* backing = memory ? &memory->backing : &PRIVATE_MEMORY;
    TablePlace* place = PyMem_Calloc(1, sizeof(TablePlace));
    if (!place) {
        if (memory) shared_memory_free(memory);
        PyErr_NoMemory();
        return NULL;
    }
    place->memory = memory;
    if (reservation_open(&place->reservation, state, (PyObject*)table, &TABLE, backing, &options) == 0) return place;
    table_close_place(place);
    return NULL;
}

void table_close_place(TablePlace* place) {
    if (place->inherited) table_close_place(place->inherited);
    fork_list_remove(&place->fork_entry);
    reservation_destroy(&place->reservation);
    PyMem_Free(place);
}

Table* table_new(ModuleState* state, PyTypeObject* python_type, TableSchema* schema, Py_ssize_t capacity) {
    Table* self = NULL;
    TableLayout layout = table_choose_layout(state, schema, capacity, 0);
    size_t num_bytes = table_lay_out(schema, &layout);
    if (table_audit(state, python_type, &layout, num_bytes) == 0)
        self = table_allocate(python_type, schema, layout.capacity);
    schema_free(schema);
    if (!self) return NULL;
    self->place = table_new_place(state, self, num_bytes, NULL);
    if (self->place)
        table_set_addresses(self);
    else
        Py_CLEAR(self);
    return self;
}

void table_dealloc(Table* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    TableSchema schema = {self->columns, self->num_columns, self->names};
    PyObject_GC_UnTrack(self);
    if (self->weakrefs) PyObject_ClearWeakRefs((PyObject*)self);
    if (self->place) table_close_place(self->place);
    schema_free(&schema);
    Py_CLEAR(self->row_type);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_object(self);
    Py_DECREF(type);
}

// --- growing ---

static int raise_full(const Table* table, Py_ssize_t length) {
    PyObject* message = PyUnicode_FromFormat(
        "cannot grow a table with a capacity of %zd rows to %zd; make it with a larger capacity=", table->capacity,
        length);
    return raise_capacity_exceeded(table->place->reservation.out_of_memory_error, message);
}

// The bytes of a part from the first that holds no rows up to an end.
static ByteRange range_after(const Part* part, size_t used, size_t end) {
    return (ByteRange){part->range.start + used, part->range.start + end};
}

static int ensure_part(Table* table, const Part* part, size_t used, size_t num_bytes) {
    if (busy_check_usable(&table->place->reservation.busy, range_after(part, used, num_bytes), "grow into") < 0)
        return -1;
    return growth_commit_part(&table->place->reservation, part->range, num_bytes);
}

// How many rows all parts have memory for. Where a call is at work, it may be about to decommit the pages behind those
// that are needed.
static Py_ssize_t count_ready(Table* table, Py_ssize_t length) {
    Py_ssize_t num_ready = table->capacity;
    if (busy_anywhere(&table->place->reservation.busy)) return length;
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        const TableColumn* column = &table->columns[i];
        for (int kind = 0; kind < NUM_PARTS; kind++) {
            ByteRange range = column->parts[kind].range;
            if (range.start == range.end || !part_is_sized_by_rows(column, kind)) continue;
            Py_ssize_t fitting = count_fitting(column, kind, growth_committed_size(&table->place->reservation, range));
            if (fitting < num_ready) num_ready = fitting;
        }
    }
    return num_ready;
}

int table_ensure(Table* table, Py_ssize_t length) {
    Py_ssize_t now = table_length(table);
    if (length > table->capacity) return raise_full(table, length);
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        const TableColumn* column = &table->columns[i];
        for (int kind = 0; kind < NUM_PARTS; kind++) {
            if (!part_is_sized_by_rows(column, kind)) continue;
            size_t used = part_size(column, kind, now), end = part_size(column, kind, length);
            if (end > 0 && ensure_part(table, &column->parts[kind], used < end ? used : end, end) < 0) return -1;
        }
    }
    table->num_ready = count_ready(table, length);
    return 0;
}

int table_ensure_text(Table* table, TableColumn* column, size_t num_bytes) {
    const Part* part = &column->parts[PART_VALUES];
    size_t size = part->range.end - part->range.start;
    if (num_bytes > size) {
        PyObject* message = PyUnicode_FromFormat(
            "cannot grow the texts of column %R to %zu bytes: there are addresses for %zu; make another table, or "
            "raise "
            "the address space limit (ulimit -v) where there is one",
            column->name, num_bytes, size);
        return raise_capacity_exceeded(table->place->reservation.out_of_memory_error, message);
    }
    if (ensure_part(table, part, column->text_size, num_bytes) < 0) return -1;
    bool is_busy = busy_anywhere(&table->place->reservation.busy);
    column->text_ready = is_busy ? num_bytes : growth_committed_size(&table->place->reservation, part->range);
    return 0;
}

// Pages below the high water mark have been written, and are resident.
static void prefault_part(Table* table, Part* part, size_t used, size_t end) {
    if (part->high_water < used) part->high_water = used;
    if (part->high_water >= end) return;
    growth_prefault_part(&table->place->reservation, part->range, part->high_water, end);
    part->high_water = end;
}

void table_prefault(Table* table, Py_ssize_t length) {
    Py_ssize_t now = table_length(table);
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        TableColumn* column = &table->columns[i];
        for (int kind = 0; kind < NUM_PARTS; kind++)
            if (part_is_sized_by_rows(column, kind))
                prefault_part(table, &column->parts[kind], part_size(column, kind, now),
                              part_size(column, kind, length));
    }
}

void table_prefault_text(Table* table, TableColumn* column, size_t num_bytes) {
    prefault_part(table, &column->parts[PART_VALUES], column->text_size, num_bytes);
}

// --- giving back ---

// Returns how many views there were.
static size_t clear_unless_shown(Table* table) {
    size_t num_views = pins_count_from(&table->place->reservation.pins, 0);
    if (num_views > 0) return num_views;
    for (Py_ssize_t i = 0; i < table->num_columns; i++) table->columns[i].text_size = table->columns[i].num_nulls = 0;
    table_publish(table, 0);
    return 0;
}

int table_clear(Table* table) {
    size_t num_views;
    Py_ssize_t length;
    Py_BEGIN_CRITICAL_SECTION(table);
    length = table_length(table);
    num_views = clear_unless_shown(table);
    Py_END_CRITICAL_SECTION();
    if (num_views == 0) return 0;
    PyErr_Format(PyExc_BufferError,
                 num_views == 1 ? "cannot clear this table of %zd rows: %zu view of a column is alive; release or "
                                  "delete it first, with every array and data frame made from it"
                                : "cannot clear this table of %zd rows: %zu views of columns are alive; release or "
                                  "delete them first, with every array and data frame made from them",
                 length, num_views);
    return -1;
}

// One part, of which the pages are given back that hold no rows.
typedef struct UnusedPart {
    Unused unused;  // the first member: a pointer to one is a pointer to the other
    Py_ssize_t column;
    PartKind kind;
} UnusedPart;

// Returns the part, and how many of its bytes hold rows. From now on, growing has to commit, and so finds the mark of the
// call that gives pages back.
static Part* claim_part(const Unused* unused, PyObject* owner, size_t* used) {
    Table* table = (Table*)owner;
    const UnusedPart* which = (const UnusedPart*)unused;
    TableColumn* column = &table->columns[which->column];
    Part* part = &column->parts[which->kind];
    *used = part_size(column, which->kind, table_length(table));
    if (part->high_water > *used) part->high_water = *used;
    table->num_ready = table_length(table);
    column->text_ready = column->text_size;
    return part;
}

static ByteRange claim_exported(const Unused* unused, PyObject* owner) {
    size_t used;
    const Part* part = claim_part(unused, owner, &used);
    size_t usable = growth_committed_size(&((Table*)owner)->place->reservation, part->range);
    size_t end = part->exported_end < usable ? part->exported_end : usable;
    return range_after(part, used, used < end ? end : used);
}

static ByteRange claim_never_exported(const Unused* unused, PyObject* owner) {
    size_t used;
    const Part* part = claim_part(unused, owner, &used);
    size_t start = used > part->exported_end ? used : part->exported_end;
    return range_after(part, start, part->range.end - part->range.start);
}

// Pages that were ever exported are discarded, never decommitted: np.ndarray(buffer=column) releases the Py_buffer and
// keeps the pointer, and reads zeros then instead of ending in SIGSEGV.
static int shrink_part(Table* table, Py_ssize_t column, PartKind kind) {
    UnusedPart exported = {{claim_exported, NULL}, column, kind}, other = {{claim_never_exported, NULL}, column, kind};
    if (page_ops_run_unused(&table->place->reservation, PAGE_OP_DISCARD, &exported.unused) < 0) return -1;
    return page_ops_run_unused(&table->place->reservation, PAGE_OP_DECOMMIT, &other.unused);
}

int table_shrink_to_fit(Table* table) {
    for (Py_ssize_t i = 0; i < table->num_columns; i++)
        for (int kind = 0; kind < NUM_PARTS; kind++) {
            ByteRange range = table->columns[i].parts[kind].range;
            if (range.start < range.end && shrink_part(table, i, kind) < 0) return -1;
        }
    return 0;
}
