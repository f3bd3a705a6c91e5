#include "types/table/sharing.h"

#include "core/growth.h"
#include "core/mapping_budget.h"
#include "core/page_ops.h"
#include "types/sharing.h"
#include "types/table/storage.h"

// --- making ---

// The facts of the first page that only tables have: the size of the description, and in the place of a row shape these.
enum { NUM_COLUMNS_FACT, CAPACITY_FACT, TEXT_SIZE_FACT, NUM_FACTS };

static void change_in_child(void* object);

static const ForkKind WRITTEN_HERE = {.change_in_child = change_in_child};

static SharedMemory* new_memory(ModuleState* state, const TableSchema* schema, const TableLayout* layout,
                                size_t num_bytes) {
    SharedPage facts;
    if (shared_page_init(&facts, SHARED_TABLE, num_bytes, Py_None) < 0) return NULL;
    facts.item_size = layout->header_size;
    facts.num_dims = NUM_FACTS;
    facts.row_shape[NUM_COLUMNS_FACT] = (uint64_t)schema->num_columns;
    facts.row_shape[CAPACITY_FACT] = (uint64_t)layout->capacity;
    facts.row_shape[TEXT_SIZE_FACT] = layout->text_size;
    return shared_memory_new(&facts, sharing_possible_seals(state), true);
}

// Writes the description of the columns, which comes before them.
static int write_header(TablePlace* place, const char* header, size_t size) {
    if (page_ops_commit(&place->reservation, 0, size, false) < 0) return -1;
    memcpy(place->reservation.base, header, size);
    return 0;
}

static int open_shared(ModuleState* state, Table* table, SharedMemory* memory, PyObject* header, size_t num_bytes) {
    char* bytes;
    Py_ssize_t size;
    table->place = table_new_place(state, table, num_bytes, memory);
    if (!table->place) return -1;
    if (PyBytes_AsStringAndSize(header, &bytes, &size) < 0) return -1;
    if (write_header(table->place, bytes, (size_t)size) < 0) return -1;
    table_set_addresses(table);
    table->role = TABLE_WRITER;
    fork_list_add(&state->sharing.forks, &table->place->fork_entry, &WRITTEN_HERE, table);
    return 0;
}

// The columns lie far apart in one object, so that growth would soon be refused.
static Table* raise_beyond_file_limit(ModuleState* state, Py_ssize_t capacity, size_t num_bytes) {
    PyObject* message = PyUnicode_FromFormat(
        "a shared table with a capacity of %zd rows takes %zu bytes, and the file size limit (RLIMIT_FSIZE, ulimit "
        "-f), "
        "which holds for shared memory too, is %llu bytes; ask for a smaller capacity, or raise the limit",
        capacity, num_bytes, (unsigned long long)get_file_size_limit());
    raise_capacity_exceeded(state->out_of_memory_error, message);
    return NULL;
}

// Everything that can run Python code comes before the table is made, so that no hook sees it without its memory.
static Table* new_shared(ModuleState* state, PyTypeObject* python_type, TableSchema* schema, PyObject* header,
                         Py_ssize_t capacity) {
    TableLayout layout = table_choose_layout(state, schema, capacity, (size_t)PyBytes_Size(header));
    size_t num_bytes = table_lay_out(schema, &layout);
    if (num_bytes != SIZE_MAX && num_bytes + shared_page_size() > get_file_size_limit())
        return raise_beyond_file_limit(state, layout.capacity, num_bytes);
    if (table_audit(state, python_type, &layout, num_bytes) < 0) return NULL;
    SharedMemory* memory = new_memory(state, schema, &layout, num_bytes);
    Table* self = memory ? table_allocate(python_type, schema, layout.capacity) : NULL;
    if (!self) {
        if (memory) shared_memory_free(memory);
        return NULL;
    }
    if (open_shared(state, self, memory, header, num_bytes) < 0) Py_CLEAR(self);
    return self;
}

Table* table_new_shared(ModuleState* state, PyTypeObject* python_type, TableSchema* schema, Py_ssize_t capacity) {
    PyObject* header = sharing_prepare(state, python_type) < 0 ? NULL : schema_encode(schema);
    Table* self = header ? new_shared(state, python_type, schema, header, capacity) : NULL;
    Py_XDECREF(header);
    schema_free(schema);
    return self;
}

// --- attaching ---

static int raise_wrong_facts(const SharedPage* facts) {
    PyErr_Format(PyExc_ValueError,
                 "this shared table is said to have %u facts, %llu columns, %llu rows and %llu bytes, which cannot be",
                 (unsigned)facts->num_dims, (unsigned long long)facts->row_shape[NUM_COLUMNS_FACT],
                 (unsigned long long)facts->row_shape[CAPACITY_FACT], (unsigned long long)facts->num_bytes);
    return -1;
}

// What the first page says has been checked but for what tables alone have.
static int check_facts(const SharedPage* facts) {
    uint64_t num_columns = facts->row_shape[NUM_COLUMNS_FACT], most = (uint64_t)PY_SSIZE_T_MAX / 64;
    bool can_be = facts->num_dims == NUM_FACTS && num_columns > 0 && facts->item_size <= facts->num_bytes &&
                  num_columns <= facts->item_size && facts->row_shape[CAPACITY_FACT] <= most;
    return can_be ? 0 : raise_wrong_facts(facts);
}

// How many bytes of the data were committed when this is called. They never become fewer.
static size_t find_known_size(TablePlace* place) {
    size_t size, before = shared_page_size();
    if (vmem_object_size(&place->memory->object, &size) == VMEM_SUCCESS && size > before + place->known_size)
        place->known_size = size - before;
    return place->known_size;
}

// Reads the description of the columns once, and checks that it fits the facts.
static int read_schema(const TablePlace* place, const SharedPage* facts, TableSchema* schema) {
    size_t size = (size_t)facts->item_size;
    char* copy = PyMem_Malloc(size);
    if (!copy) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(copy, place->reservation.base, size);
    int status = schema_decode(copy, size, (Py_ssize_t)facts->row_shape[NUM_COLUMNS_FACT], schema);
    PyMem_Free(copy);
    if (status < 0) return -1;
    TableLayout layout = {(Py_ssize_t)facts->row_shape[CAPACITY_FACT], (size_t)facts->row_shape[TEXT_SIZE_FACT], size};
    if (table_lay_out(schema, &layout) == (size_t)facts->num_bytes) return 0;
    schema_free(schema);
    return raise_wrong_facts(facts);
}

static int attach_place(ModuleState* state, Table* table, SharedMemory* memory) {
    const SharedPage facts = memory->facts;
    TableSchema schema;
    memory->keeps_page = true;
    memory->protection = VMEM_READ;
    table->place = table_new_place(state, table, (size_t)facts.num_bytes, memory);
    if (!table->place) return -1;
    table->place->known_size = (size_t)memory->known_bytes;
    if (table->place->known_size < facts.item_size) return raise_wrong_facts(&facts);
    if (read_schema(table->place, &facts, &schema) < 0) return -1;
    table->columns = schema.columns;
    table->num_columns = schema.num_columns;
    table->names = schema.names;
    table->capacity = (Py_ssize_t)facts.row_shape[CAPACITY_FACT];
    table_set_addresses(table);
    table->role = TABLE_READER;
    return 0;
}

// The audit event is that of the reservation. Nobody sees the table before it has its columns: it is untracked.
PyObject* table_attach(ModuleState* state, PyTypeObject* python_type, SharedMemory* memory) {
    TableSchema none = {NULL, 0, NULL};
    TableLayout layout = {0, 0, 0};
    Table* self = NULL;
    if (check_facts(&memory->facts) == 0 &&
        table_audit(state, python_type, &layout, (size_t)memory->facts.num_bytes) == 0)
        self = table_allocate(python_type, &none, 0);
    if (!self) {
        shared_memory_free(memory);
        return NULL;
    }
    PyObject_GC_UnTrack(self);
    int status = attach_place(state, self, memory);
    PyObject_GC_Track(self);
    if (status < 0) Py_CLEAR(self);
    return (PyObject*)self;
}

// --- following the writer ---

// Whether a part has been committed up to a size.
static bool is_committed(TablePlace* place, const Part* part, size_t size) {
    size_t end = part->range.start + size;
    if (size > part->range.end - part->range.start) return false;
    if (size == 0 || end <= place->known_size) return true;
    return shared_memory_is_committed(part->bytes, size) || end <= find_known_size(place);
}

// Where the texts of so many rows end, as the writer says; SIZE_MAX when that cannot be.
static size_t find_text_size(TablePlace* place, const TableColumn* column, Py_ssize_t length) {
    int64_t size = ((const volatile int64_t*)column->parts[PART_OFFSETS].bytes)[length];
    bool can_be = size >= (int64_t)column->text_size && is_committed(place, &column->parts[PART_VALUES], (size_t)size);
    return can_be ? (size_t)size : SIZE_MAX;
}

// Whether all parts have been committed for so many rows.
static bool are_rows_there(Table* table, Py_ssize_t length) {
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        const TableColumn* column = &table->columns[i];
        for (int kind = 0; kind < NUM_PARTS; kind++)
            if (part_is_sized_by_rows(column, kind) &&
                !is_committed(table->place, &column->parts[kind], part_size(column, kind, length)))
                return false;
        if (has_variable_size(column->type) && find_text_size(table->place, column, length) == SIZE_MAX) return false;
    }
    return true;
}

// Records pages that can be read as they were mapped, for map(). Best effort.
static void record_readable(TablePlace* place, const Part* part, size_t size) {
    SpanMap* spans = &place->reservation.spans;
    size_t now = growth_committed_size(&place->reservation, part->range);
    if (size <= now) return;
    if (spans_prepare(spans, SPANS_FOR_CHANGE) < 0) {
        PyErr_Clear();
        return;
    }
    Pages pages = reservation_pages(&place->reservation, part->range.start + now, part->range.start + size);
    spans_set(spans, pages.start, pages.end, (PageState){VMEM_READ, UNLOCKED});
    spans_trim_spare(spans);
}

// The sizes of texts were checked, and are loaded again: the writer only ever adds to them.
static void take_rows(Table* table, Py_ssize_t length) {
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        TableColumn* column = &table->columns[i];
        if (has_variable_size(column->type)) {
            size_t text_size = find_text_size(table->place, column, length);
            if (text_size != SIZE_MAX) column->text_size = text_size;
        }
        for (int kind = 0; kind < NUM_PARTS; kind++)
            record_readable(table->place, &column->parts[kind], part_size(column, kind, length));
    }
    shared_store_release(&table->length, (size_t)length);
}

static void follow(Table* table) {
    const SharedPage* page = table->place->memory->page;
    if (!page) return;
    size_t length = shared_page_load_length(page);
    if (length > (size_t)table->capacity) length = (size_t)table->capacity;
    if ((Py_ssize_t)length > table_length(table) && are_rows_there(table, (Py_ssize_t)length))
        take_rows(table, (Py_ssize_t)length);
}

void table_follow_writer(Table* table) {
    const SharedPage* page = table->place->memory->page;
    if (!page || shared_page_load_length(page) == (size_t)table_length(table)) return;
    Py_BEGIN_CRITICAL_SECTION(table);
    follow(table);
    Py_END_CRITICAL_SECTION();
}

// --- what readers, and writers that are read, must not do ---

int table_raise_read_only(void) {
    PyErr_SetString(PyExc_TypeError, "this table is read-only: the process that made it writes");
    return -1;
}

int table_raise_append_only(const Table* table, const char* call) {
    if (table->role == TABLE_READER) return table_raise_read_only();
    PyErr_Format(PyExc_TypeError, "this table is append-only, because other processes may read it: no %s", call);
    return -1;
}

// --- forked children ---

// NULL without an exception.
static TablePlace* map_again(ModuleState* state, Table* table) {
    SharedMemory* memory = shared_memory_attach_again(table->place->memory);
    if (!memory) return NULL;
    memory->keeps_page = true;
    memory->protection = VMEM_READ;
    TablePlace* place = table_new_place(state, table, (size_t)memory->facts.num_bytes, memory);
    if (!place) PyErr_Clear();
    return place;
}

// From now on this process sees its own copies of the first bytes of a part of what it has inherited, and cannot access the
// rest. Where it cannot have copies it keeps reading what its parent writes; what then writes through a view faults.
static void isolate_part(TablePlace* old, ByteRange range, size_t end) {
    char* bytes = old->reservation.base + range.start;
    size_t size = range.end - range.start, offset = shared_page_size() + range.start;
    end = vmem_align_forward(end, old->reservation.page_size);
    if (end > size) end = size;
    if (end > 0 && vmem_object_make_private(&old->memory->object, bytes, end, offset))
        vmem_protect(bytes, end, VMEM_READ);
    if (end < size) vmem_protect(bytes + end, size - end, VMEM_NO_ACCESS);
    mapping_budget_charge(2);
}

static void isolate(Table* table, TablePlace* old, bool is_replaced) {
    size_t header_end = table->columns[0].parts[0].range.start;
    vmem_protect(old->reservation.base, header_end, VMEM_NO_ACCESS);
    for (Py_ssize_t i = 0; i < table->num_columns; i++)
        for (int kind = 0; kind < NUM_PARTS; kind++) {
            Part* part = &table->columns[i].parts[kind];
            if (part->range.start == part->range.end) continue;
            size_t end = is_replaced ? part->exported_end : growth_committed_size(&old->reservation, part->range);
            isolate_part(old, part->range, end);
            if (is_replaced) part->exported_end = part->high_water = 0;
        }
}

// The number of the descriptor may have been given to somebody.
static void keep_descriptor(SharedMemory* memory, SharedMemory* old) {
    VmemObject object = memory->object;
    memory->object = old->object;
    vmem_object_close(&object);
    old->is_open = false;
}

static void become_reader(ModuleState* state, Table* table) {
    TablePlace* old = table->place;
    fork_list_remove(&old->fork_entry);
    table->role = TABLE_READER;
    shared_memory_unmap_page(old->memory);
    TablePlace* place = map_again(state, table);
    isolate(table, old, place != NULL);
    if (!place) return;
    keep_descriptor(place->memory, old->memory);
    find_known_size(place);
    place->inherited = old;
    table->place = place;
    table_set_addresses(table);
    take_rows(table, table_length(table));
}

// The child must not run Python code, as a garbage collection can, before all objects have changed.
static void change_in_child(void* object) {
    Table* table = object;
    int collects_garbage = PyGC_Disable();
    become_reader(table_find_state(table), table);
    if (collects_garbage) PyGC_Enable();
}
