#include "types/table/batch.h"

#include "types/table/sharing.h"
#include "types/table/storage.h"

// --- batches ---

int batch_init(Batch* batch, const Table* table) {
    batch->num_rows = 0;
    batch->sources = PyMem_Calloc((size_t)table->num_columns, sizeof(Source));
    if (batch->sources) return 0;
    PyErr_NoMemory();
    return -1;
}

void batch_free(Batch* batch, const Table* table) {
    for (Py_ssize_t i = 0; batch->sources && i < table->num_columns; i++) source_free(&batch->sources[i]);
    PyMem_Free(batch->sources);
    batch->sources = NULL;
}

// --- storing ---

static Py_ssize_t add_rows(const Batch* batches, Py_ssize_t num_batches, Py_ssize_t length) {
    for (Py_ssize_t i = 0; i < num_batches; i++)
        length = batches[i].num_rows > PY_SSIZE_T_MAX - length ? PY_SSIZE_T_MAX : length + batches[i].num_rows;
    return length;
}

static int ensure_texts(Table* table, const Batch* batches, Py_ssize_t num_batches) {
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        TableColumn* column = &table->columns[i];
        size_t num_bytes = column->text_size;
        if (!has_variable_size(column->type)) continue;
        for (Py_ssize_t k = 0; k < num_batches; k++) {
            size_t more = source_text_size(&batches[k].sources[i]);
            num_bytes = more > SIZE_MAX - num_bytes ? SIZE_MAX : num_bytes + more;
        }
        if (num_bytes > column->text_ready && table_ensure_text(table, column, num_bytes) < 0) return -1;
        table_prefault_text(table, column, num_bytes);
    }
    return 0;
}

// Whatever can fail comes before anything is stored.
static int store(Table* table, const Batch* batches, Py_ssize_t num_batches) {
    Py_ssize_t index = table_length(table), length = add_rows(batches, num_batches, index);
    if (table_check_writable(table) < 0) return -1;
    if (length > table->num_ready && table_ensure(table, length) < 0) return -1;
    if (ensure_texts(table, batches, num_batches) < 0) return -1;
    table_prefault(table, length);
    for (Py_ssize_t k = 0; k < num_batches; k++) {
        for (Py_ssize_t i = 0; i < table->num_columns; i++)
            source_store(&batches[k].sources[i], &table->columns[i], index);
        index += batches[k].num_rows;
    }
    table_publish(table, length);
    return 0;
}

int table_store_batches(Table* table, const Batch* batches, Py_ssize_t num_batches) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(table);
    status = store(table, batches, num_batches);
    Py_END_CRITICAL_SECTION();
    return status;
}
