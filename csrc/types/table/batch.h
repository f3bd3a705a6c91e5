// Many rows on their way into a table, all of which are stored or none.
#ifndef VMEM_TABLE_BATCH_H
#define VMEM_TABLE_BATCH_H

#include "types/table/sources.h"

// Rows from somewhere else: a source for each column, all with as many items.
typedef struct Batch {
    Source* sources;
    Py_ssize_t num_rows;
} Batch;

// A batch without rows. Returns -1 with MemoryError.
int batch_init(Batch* batch, const Table* table);
void batch_free(Batch* batch, const Table* table);

// Stores the rows of batches whose sources have been checked. Returns -1 with an exception; nothing is stored then.
int table_store_batches(Table* table, const Batch* batches, Py_ssize_t num_batches);

#endif
