#include "types/table/column_types.h"

#include "python/arguments.h"

#define NULLABLE "|None"

// The sizes of an int, a long and a long long are those of all systems that Python supports.
#define ARROW_LONG (sizeof(long) == 8 ? "l" : "i")
#define ARROW_UNSIGNED_LONG (sizeof(long) == 8 ? "L" : "I")

// Those that are found first are what Arrow's formats are called.
static const ColumnType COLUMN_TYPES[] = {
    {COLUMN_NUMBERS, "b", "c", "b"},        {COLUMN_NUMBERS, "B", "C", "B"},
    {COLUMN_NUMBERS, "h", "s", "h"},        {COLUMN_NUMBERS, "H", "S", "H"},
    {COLUMN_NUMBERS, "i", "i", "i"},        {COLUMN_NUMBERS, "I", "I", "I"},
    {COLUMN_NUMBERS, "q", "l", "q"},        {COLUMN_NUMBERS, "Q", "L", "Q"},
    {COLUMN_NUMBERS, "l", ARROW_LONG, "l"}, {COLUMN_NUMBERS, "L", ARROW_UNSIGNED_LONG, "L"},
    {COLUMN_NUMBERS, "f", "f", "f"},        {COLUMN_NUMBERS, "d", "g", "d"},
    {COLUMN_BITS, "?", "b", NULL},          {COLUMN_TIMES, "M8[s]", "tss:", "q"},
    {COLUMN_TIMES, "M8[ms]", "tsm:", "q"},  {COLUMN_TIMES, "M8[us]", "tsu:", "q"},
    {COLUMN_TIMES, "M8[ns]", "tsn:", "q"},  {COLUMN_TIMES, "m8[s]", "tDs", "q"},
    {COLUMN_TIMES, "m8[ms]", "tDm", "q"},   {COLUMN_TIMES, "m8[us]", "tDu", "q"},
    {COLUMN_TIMES, "m8[ns]", "tDn", "q"},   {COLUMN_TEXT, "str", "U", NULL},
    {COLUMN_BYTES, "bytes", "Z", NULL},
};

#define NUM_COLUMN_TYPES (sizeof COLUMN_TYPES / sizeof COLUMN_TYPES[0])

static const ColumnType* find_type(const char* name, size_t length) {
    for (size_t i = 0; i < NUM_COLUMN_TYPES; i++)
        if (strlen(COLUMN_TYPES[i].name) == length && memcmp(COLUMN_TYPES[i].name, name, length) == 0)
            return &COLUMN_TYPES[i];
    return NULL;
}

const ColumnType* find_arrow_type(const char* format) {
    for (size_t i = 0; i < NUM_COLUMN_TYPES; i++)
        if (strcmp(COLUMN_TYPES[i].arrow_format, format) == 0) return &COLUMN_TYPES[i];
    return NULL;
}

int convert_column_type(PyObject* object, PyObject* name, const ColumnType** type, bool* is_nullable) {
    Py_ssize_t length;
    size_t suffix = strlen(NULLABLE);
    if (!PyUnicode_Check(object)) {
        PyObject* given = PyType_GetName(Py_TYPE(object));
        if (given) PyErr_Format(PyExc_TypeError, "the type of column %R must be a str, not %U", name, given);
        Py_XDECREF(given);
        return -1;
    }
    const char* text = PyUnicode_AsUTF8AndSize(object, &length);
    if (!text) return -1;
    size_t size = (size_t)length;
    *is_nullable = size > suffix && memcmp(text + size - suffix, NULLABLE, suffix) == 0;
    *type = find_type(text, *is_nullable ? size - suffix : size);
    if (*type) return 0;
    PyErr_Format(PyExc_ValueError,
                 "bad type %R of column %R (must be " ITEM_TYPECODES
                 " for numbers, '?' for bools, 'M8[unit]' or 'm8[unit]' for times with unit s, ms, us or ns, 'str' or "
                 "'bytes'; with '" NULLABLE "' behind it None is allowed)",
                 object, name);
    return -1;
}
