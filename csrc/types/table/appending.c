#include "types/table/appending.h"

#include "types/table/cells.h"
#include "types/table/sharing.h"
#include "types/table/storage.h"

// --- names ---

static bool has_name(const TableColumn* column, PyObject* name) {
    return column->name == name || PyUnicode_Compare(column->name, name) == 0;
}

// Names that are written in a program are the same objects everywhere.
Py_ssize_t table_find_column(const Table* table, PyObject* name, Py_ssize_t guess) {
    if (guess < table->num_columns && table->columns[guess].name == name) return guess;
    for (Py_ssize_t i = 0; i < table->num_columns; i++)
        if (table->columns[i].name == name) return i;
    for (Py_ssize_t i = 0; i < table->num_columns; i++)
        if (has_name(&table->columns[i], name)) return i;
    return -1;
}

// --- arguments ---

static int raise_wrong_count(const Table* table, Py_ssize_t num_values) {
    PyErr_Format(PyExc_TypeError, "append() takes one value for each of %zd column%s (%zd given)", table->num_columns,
                 table->num_columns == 1 ? "" : "s", num_values);
    return -1;
}

static int raise_missing(const Table* table, PyObject* const* values) {
    Py_ssize_t i = 0;
    while (values[i]) i++;
    PyErr_Format(PyExc_TypeError, "append() misses a value for column %R", table->columns[i].name);
    return -1;
}

static int place_keyword(const Table* table, PyObject* name, PyObject* value, Py_ssize_t guess, PyObject** values) {
    Py_ssize_t index = table_find_column(table, name, guess);
    if (index >= 0 && !values[index]) {
        values[index] = value;
        return 0;
    }
    PyErr_Format(
        PyExc_TypeError,
        index < 0 ? "append() got a value for %R, which is not a column" : "append() got two values for column %R",
        name);
    return -1;
}

// Sorts the values into the order of the columns.
static int sort_values(const Table* table, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords,
                       PyObject** values) {
    Py_ssize_t num_keywords = PyTuple_Size(keywords), num_columns = table->num_columns;
    if (num_args > num_columns) return raise_wrong_count(table, num_args + num_keywords);
    for (Py_ssize_t i = 0; i < num_columns; i++) values[i] = i < num_args ? args[i] : NULL;
    for (Py_ssize_t i = 0; i < num_keywords; i++) {
        PyObject* name = PyTuple_GetItem(keywords, i);
        if (place_keyword(table, name, args[num_args + i], num_args + i, values) < 0) return -1;
    }
    return num_args + num_keywords < num_columns ? raise_missing(table, values) : 0;
}

// --- storing ---

// Whatever can fail comes before anything is stored.
static int prepare(Table* table, const Cell* cells, Py_ssize_t index) {
    if (table_check_writable(table) < 0) return -1;
    if (index >= table->num_ready && table_ensure(table, index + 1) < 0) return -1;
    for (Py_ssize_t i = 0; i < table->num_columns; i++) {
        TableColumn* column = &table->columns[i];
        if (column->items || !has_variable_size(column->type) || cells[i].is_null) continue;
        size_t num_bytes = column->text_size + cells[i].text_size;
        if (num_bytes > column->text_ready && table_ensure_text(table, column, num_bytes) < 0) return -1;
    }
    return 0;
}

static int store_row(Table* table, const Cell* cells) {
    Py_ssize_t index = table_length(table);
    if (prepare(table, cells, index) < 0) return -1;
    for (Py_ssize_t i = 0; i < table->num_columns; i++) cell_store(&table->columns[i], index, &cells[i]);
    table_publish(table, index + 1);
    return 0;
}

// --- the method ---

static int append_cells(Table* table, PyObject* const* values, Cell* cells) {
    Py_ssize_t num_converted = 0;
    int status = 0;
    for (; num_converted < table->num_columns; num_converted++)
        if (cell_convert(&table->columns[num_converted], values[num_converted], &cells[num_converted]) < 0) break;
    if (num_converted < table->num_columns) {
        status = -1;
    } else {
        Py_BEGIN_CRITICAL_SECTION(table);
        status = store_row(table, cells);
        Py_END_CRITICAL_SECTION();
    }
    for (Py_ssize_t i = 0; i < num_converted; i++) cell_free(&cells[i]);
    return status;
}

// So many columns take no memory from the heap.
#define FEW_COLUMNS 24

PyObject* table_append(Table* self, PyObject* const* args, Py_ssize_t num_args, PyObject* keywords) {
    Cell few_cells[FEW_COLUMNS], *cells = few_cells;
    PyObject *few_values[FEW_COLUMNS], **values = few_values;
    size_t num_columns = (size_t)self->num_columns;
    int status = 0;
    if (num_columns > FEW_COLUMNS) {
        cells = PyMem_Malloc(num_columns * (sizeof(Cell) + sizeof(PyObject*)));
        if (!cells) return PyErr_NoMemory();
        values = (PyObject**)(cells + num_columns);
    }
    if (keywords)
        status = sort_values(self, args, num_args, keywords, values);
    else if (num_args != self->num_columns)
        status = raise_wrong_count(self, num_args);
    if (status == 0) status = append_cells(self, keywords ? values : args, cells);
    if (cells != few_cells) PyMem_Free(cells);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}
