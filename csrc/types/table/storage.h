// The memory of a Table: its layout, growth, and what is given back. Functions that fail return -1 or NULL with an
// exception and change nothing, unless they say otherwise.
#ifndef VMEM_TABLE_STORAGE_H
#define VMEM_TABLE_STORAGE_H

#include "types/table/schema.h"

// --- creating and deallocating ---

// An empty table of a type that is Table or a subclass of it, for this process alone; a capacity of -1 is the default one.
// Takes the schema over, also when it fails. Runs audit hooks.
Table* table_new(ModuleState* state, PyTypeObject* python_type, TableSchema* schema, Py_ssize_t capacity);

void table_dealloc(Table* self);

// --- the steps of creating ---

typedef struct TableLayout {
    Py_ssize_t capacity;
    size_t text_size;    // of the part for the texts of each column
    size_t header_size;  // of what comes before the columns; 0 for none
} TableLayout;

// A capacity of -1 is the default one. With a header the table is shared, and a limit on the size of files holds for it.
TableLayout table_choose_layout(ModuleState* state, const TableSchema* schema, Py_ssize_t capacity, size_t header_size);

// Gives every part its range. Returns how many bytes they have together; SIZE_MAX when that is too much.
size_t table_lay_out(const TableSchema* schema, const TableLayout* layout);

// Raises the audit event for the addresses, or that they are too many.
int table_audit(ModuleState* state, PyTypeObject* python_type, const TableLayout* layout, size_t num_bytes);

// A table without a place, which takes the schema over.
Table* table_allocate(PyTypeObject* python_type, TableSchema* schema, Py_ssize_t capacity);

// Takes over what is to be shared; that is NULL for private memory. No Python code runs when it succeeds.
TablePlace* table_new_place(ModuleState* state, Table* table, size_t num_bytes, SharedMemory* memory);
void table_close_place(TablePlace* place);

// After a table got a place.
void table_set_addresses(Table* table);

// --- others ---

// A capacity given by Python code, in rows.
int table_convert_capacity(const TableSchema* schema, PyObject* object, Py_ssize_t* capacity);

// Identifies the type. Defined in type.c.
extern PyMethodDef table_methods[];

// The state of the module that made a type, or the type of a table. NULL with an exception when it was unloaded.
ModuleState* table_state_of_type(PyTypeObject* type);
ModuleState* table_find_state(Table* table);

// --- growing: the caller holds the table's lock, and no Python code runs when they succeed ---

// Commits memory for so many rows. When it fails, some parts may have more memory than before, for the next try.
int table_ensure(Table* table, Py_ssize_t length);

// Commits memory for so many bytes of texts.
int table_ensure_text(Table* table, TableColumn* column, size_t num_bytes);

// Makes the pages of rows resident that are about to be written for the first time. Best effort.
void table_prefault(Table* table, Py_ssize_t length);
void table_prefault_text(Table* table, TableColumn* column, size_t num_bytes);

// Rows that were written behind the last one become visible, in other processes too.
static inline void table_publish(Table* table, Py_ssize_t length) {
    shared_store_release(&table->length, (size_t)length);
    if (table->role == TABLE_WRITER) shared_memory_publish_length(table->place->memory, (size_t)length);
}

// --- what others see ---

// How many bytes of a part hold so many rows. Of the bytes of texts those of all rows.
size_t part_size(const TableColumn* column, PartKind kind, Py_ssize_t num_rows);

// Whether that follows from the number of rows.
bool part_is_sized_by_rows(const TableColumn* column, PartKind kind);

// Remembers that so many bytes of a part are shown. The caller holds the table's lock.
static inline void part_note_export(Part* part, size_t num_bytes) {
    if (part->exported_end < num_bytes) part->exported_end = num_bytes;
}

// --- giving back: the caller holds no lock ---

// Removes all rows. BufferError while any are shown.
int table_clear(Table* table);

// Decommits or discards the pages that hold no rows.
int table_shrink_to_fit(Table* table);

#endif
