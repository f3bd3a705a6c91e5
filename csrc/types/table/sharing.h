// Tables that other processes see: making and attaching them, who may change what, and how readers follow the writer.
#ifndef VMEM_TABLE_SHARING_H
#define VMEM_TABLE_SHARING_H

#include "types/table/schema.h"

// --- making ---

// The same as table_new(), for a table that other processes can read.
Table* table_new_shared(ModuleState* state, PyTypeObject* python_type, TableSchema* schema, Py_ssize_t capacity);

// A table that shows memory which another process writes, and takes it over. NULL with an exception.
PyObject* table_attach(ModuleState* state, PyTypeObject* python_type, SharedMemory* memory);

// --- the length ---

// For table_follow().
void table_follow_writer(Table* table);

// Every call that reads rows calls this first, while it holds no lock: in a reader it looks how many there are by now.
static inline void table_follow(Table* table) {
    if (table->role == TABLE_READER) table_follow_writer(table);
}

// --- what readers, and writers that are read, must not do ---

// Raise TypeError and return -1. They must come after everything in a call that can run Python code, because that can
// fork, which makes a reader.
int table_raise_read_only(void);
int table_raise_append_only(const Table* table, const char* call);

// For calls that add rows.
static inline int table_check_writable(const Table* table) {
    return table->role == TABLE_READER ? table_raise_read_only() : 0;
}

// For calls that remove rows, named as in "clear()".
static inline int table_check_clearable(const Table* table, const char* call) {
    return table->role == TABLE_PRIVATE ? 0 : table_raise_append_only(table, call);
}

#endif
