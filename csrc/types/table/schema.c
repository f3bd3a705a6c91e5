#include "types/table/schema.h"

#include "python/arguments.h"
#include "types/table/attributes.h"

void schema_free(TableSchema* schema) {
    for (Py_ssize_t i = 0; i < schema->num_columns; i++) Py_XDECREF(schema->columns[i].name);
    PyMem_Free(schema->columns);
    Py_XDECREF(schema->names);
    *schema = (TableSchema){NULL, 0, NULL};
}

// --- from Python code ---

// Names become strings in C for Arrow.
static int convert_name(PyObject* object, PyObject** name) {
    Py_ssize_t length;
    if (!PyUnicode_Check(object)) return raise_wrong_type(object, "the name of a column", "a str");
    const char* text = PyUnicode_AsUTF8AndSize(object, &length);
    if (!text) return -1;
    if (strlen(text) != (size_t)length) {
        PyErr_Format(PyExc_ValueError, "the name of a column must not contain null characters: %R", object);
        return -1;
    }
    *name = PyUnicode_FromObject(object);
    if (!*name) return -1;
    PyUnicode_InternInPlace(name);
    return 0;
}

// `pair` is an item of a mapping.
static int convert_column(PyObject* pair, TableColumn* column) {
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2)
        return raise_wrong_type(pair, "an item of columns", "a pair of a name and a type");
    if (convert_name(PyTuple_GetItem(pair, 0), &column->name) < 0) return -1;
    if (convert_column_type(PyTuple_GetItem(pair, 1), column->name, &column->type, &column->is_nullable) < 0) return -1;
    if (column->type->typecode) column->items = find_item_type((unsigned char)column->type->typecode[0]);
    return 0;
}

// Keys of a mapping can be subclasses of str that compare as they like.
static int check_names_differ(const TableSchema* schema) {
    PyObject* seen = PySet_New(schema->names);
    Py_ssize_t count = seen ? PySet_Size(seen) : -1;
    Py_XDECREF(seen);
    if (count == schema->num_columns) return 0;
    if (count >= 0) PyErr_SetString(PyExc_ValueError, "two columns have the same name");
    return -1;
}

static int convert_pairs(PyObject* pairs, TableSchema* schema) {
    Py_ssize_t num_columns = PyList_Size(pairs);
    if (num_columns == 0) {
        PyErr_SetString(PyExc_ValueError, "a table needs at least one column");
        return -1;
    }
    schema->columns = PyMem_Calloc((size_t)num_columns, sizeof(TableColumn));
    schema->names = PyTuple_New(num_columns);
    if (!schema->columns || !schema->names) {
        if (!PyErr_Occurred()) PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < num_columns; i++) {
        PyObject* pair = list_get_item(pairs, i);
        schema->num_columns = i + 1;
        int status = pair ? convert_column(pair, &schema->columns[i]) : -1;
        Py_XDECREF(pair);
        if (status < 0) return -1;
        PyTuple_SetItem(schema->names, i, Py_NewRef(schema->columns[i].name));
    }
    return check_names_differ(schema);
}

// Converts everything before it is looked at: the mapping can be any object.
int schema_convert(PyObject* columns, TableSchema* schema) {
    *schema = (TableSchema){NULL, 0, NULL};
    int is_mapping = PyMapping_Check(columns) ? has_attribute(columns, "items") : 0;
    if (is_mapping < 0) return -1;
    if (is_mapping == 0) return raise_wrong_type(columns, "Table() argument 1", "a mapping of names to types");
    PyObject* items = PyMapping_Items(columns);
    int status = items ? convert_pairs(items, schema) : -1;
    Py_XDECREF(items);
    if (status < 0) schema_free(schema);
    return status;
}

// --- to and from bytes ---

PyObject* schema_encode(const TableSchema* schema) {
    PyObject* text = PyUnicode_FromString("");
    for (Py_ssize_t i = 0; text && i < schema->num_columns; i++) {
        const TableColumn* column = &schema->columns[i];
        PyObject* longer = PyUnicode_FromFormat("%U%U%c%s%s%c", text, column->name, 0, column->type->name,
                                                column->is_nullable ? "|None" : "", 0);
        Py_DECREF(text);
        text = longer;
    }
    PyObject* bytes = text ? PyUnicode_AsUTF8String(text) : NULL;
    Py_XDECREF(text);
    return bytes;
}

// The next text, which ends with a zero before the end of the bytes. NULL with ValueError.
static PyObject* decode_text(const char** bytes, const char* end) {
    const char* zero = memchr(*bytes, 0, (size_t)(end - *bytes));
    if (!zero) {
        PyErr_SetString(PyExc_ValueError, "the description of this shared table has no end");
        return NULL;
    }
    PyObject* text = PyUnicode_DecodeUTF8(*bytes, (Py_ssize_t)(zero - *bytes), NULL);
    *bytes = zero + 1;
    return text;
}

static PyObject* decode_pair(const char** bytes, const char* end) {
    PyObject* name = decode_text(bytes, end);
    PyObject* type = name ? decode_text(bytes, end) : NULL;
    PyObject* pair = type ? PyTuple_Pack(2, name, type) : NULL;
    Py_XDECREF(type);
    Py_XDECREF(name);
    return pair;
}

int schema_decode(const char* bytes, size_t num_bytes, Py_ssize_t num_columns, TableSchema* schema) {
    const char* end = bytes + num_bytes;
    PyObject* pairs = PyList_New(0);
    int status = pairs ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && i < num_columns; i++) {
        PyObject* pair = decode_pair(&bytes, end);
        status = pair ? PyList_Append(pairs, pair) : -1;
        Py_XDECREF(pair);
    }
    *schema = (TableSchema){NULL, 0, NULL};
    if (status == 0) status = convert_pairs(pairs, schema);
    if (status < 0) schema_free(schema);
    Py_XDECREF(pairs);
    return status;
}
