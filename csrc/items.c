#include "items.h"

#include <limits.h>

// Items are copied in and out bytewise, so that they may lie anywhere.
#define GET(type, convert)               \
    type value;                          \
    memcpy(&value, item, sizeof(value)); \
    return convert(value)

#define PUT(type, number)                \
    type value = (type)(number);         \
    memcpy(item, &value, sizeof(value)); \
    return 0

// The usual case: an int that fits. Whatever else there is, is converted or refused by PyArg_Parse() and its like, in
// the words of array.array.
static bool is_small_int(PyObject* object, long long least, long long most, long long* number) {
    int overflow;
    if (!PyLong_CheckExact(object)) return false;
    *number = PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow == 0 && *number >= least && *number <= most;
}

static int refuse_number(const char* problem) {
    PyErr_SetString(PyExc_OverflowError, problem);
    return -1;
}

// --- b B h H i I ---

static PyObject* get_b(const char* item) { GET(signed char, PyLong_FromLong); }

static int set_b(char* item, PyObject* object) {
    long long number;
    short parsed;
    if (is_small_int(object, SCHAR_MIN, SCHAR_MAX, &number)) {
        PUT(signed char, number);
    }
    if (!PyArg_Parse(object, "h;array item must be integer", &parsed)) return -1;
    if (parsed < SCHAR_MIN) return refuse_number("signed char is less than minimum");
    if (parsed > SCHAR_MAX) return refuse_number("signed char is greater than maximum");
    PUT(signed char, parsed);
}

static PyObject* get_B(const char* item) { GET(unsigned char, PyLong_FromLong); }

static int set_B(char* item, PyObject* object) {
    long long number;
    unsigned char parsed;
    if (is_small_int(object, 0, UCHAR_MAX, &number)) {
        PUT(unsigned char, number);
    }
    if (!PyArg_Parse(object, "b;array item must be integer", &parsed)) return -1;
    PUT(unsigned char, parsed);
}

static PyObject* get_h(const char* item) { GET(short, PyLong_FromLong); }

static int set_h(char* item, PyObject* object) {
    long long number;
    short parsed;
    if (is_small_int(object, SHRT_MIN, SHRT_MAX, &number)) {
        PUT(short, number);
    }
    if (!PyArg_Parse(object, "h;array item must be integer", &parsed)) return -1;
    PUT(short, parsed);
}

static PyObject* get_H(const char* item) { GET(unsigned short, PyLong_FromLong); }

static int set_H(char* item, PyObject* object) {
    long long number;
    int parsed;
    if (is_small_int(object, 0, USHRT_MAX, &number)) {
        PUT(unsigned short, number);
    }
    if (!PyArg_Parse(object, "i;array item must be integer", &parsed)) return -1;
    if (parsed < 0) return refuse_number("unsigned short is less than minimum");
    if (parsed > USHRT_MAX) return refuse_number("unsigned short is greater than maximum");
    PUT(unsigned short, parsed);
}

static PyObject* get_i(const char* item) { GET(int, PyLong_FromLong); }

static int set_i(char* item, PyObject* object) {
    long long number;
    int parsed;
    if (is_small_int(object, INT_MIN, INT_MAX, &number)) {
        PUT(int, number);
    }
    if (!PyArg_Parse(object, "i;array item must be integer", &parsed)) return -1;
    PUT(int, parsed);
}

// An object as the int that an unsigned type is to hold.
static PyObject* as_int(PyObject* object) { return PyLong_Check(object) ? Py_NewRef(object) : PyNumber_Index(object); }

static int as_unsigned_long(PyObject* object, unsigned long* number) {
    PyObject* index = as_int(object);
    if (!index) return -1;
    *number = PyLong_AsUnsignedLong(index);
    Py_DECREF(index);
    return *number == (unsigned long)-1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject* get_I(const char* item) { GET(unsigned int, PyLong_FromUnsignedLong); }

static int set_I(char* item, PyObject* object) {
    long long number;
    unsigned long parsed;
    if (is_small_int(object, 0, UINT_MAX, &number)) {
        PUT(unsigned int, number);
    }
    if (as_unsigned_long(object, &parsed) < 0) return -1;
#if ULONG_MAX > UINT_MAX
    if (parsed > UINT_MAX) return refuse_number("unsigned int is greater than maximum");
#endif
    PUT(unsigned int, parsed);
}

// --- l L q Q ---

static PyObject* get_l(const char* item) { GET(long, PyLong_FromLong); }

static int set_l(char* item, PyObject* object) {
    long parsed;
    if (PyLong_CheckExact(object)) {
        parsed = PyLong_AsLong(object);
        if (parsed == -1 && PyErr_Occurred()) return -1;
    } else if (!PyArg_Parse(object, "l;array item must be integer", &parsed)) {
        return -1;
    }
    PUT(long, parsed);
}

static PyObject* get_L(const char* item) { GET(unsigned long, PyLong_FromUnsignedLong); }

static int set_L(char* item, PyObject* object) {
    unsigned long parsed;
    if (as_unsigned_long(object, &parsed) < 0) return -1;
    PUT(unsigned long, parsed);
}

static PyObject* get_q(const char* item) { GET(long long, PyLong_FromLongLong); }

static int set_q(char* item, PyObject* object) {
    long long parsed;
    if (PyLong_CheckExact(object)) {
        parsed = PyLong_AsLongLong(object);
        if (parsed == -1 && PyErr_Occurred()) return -1;
    } else if (!PyArg_Parse(object, "L;array item must be integer", &parsed)) {
        return -1;
    }
    PUT(long long, parsed);
}

static PyObject* get_Q(const char* item) { GET(unsigned long long, PyLong_FromUnsignedLongLong); }

static int set_Q(char* item, PyObject* object) {
    PyObject* index = as_int(object);
    if (!index) return -1;
    unsigned long long parsed = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (parsed == (unsigned long long)-1 && PyErr_Occurred()) return -1;
    PUT(unsigned long long, parsed);
}

// --- f d ---

static PyObject* get_f(const char* item) { GET(float, PyFloat_FromDouble); }

static int set_f(char* item, PyObject* object) {
    double parsed = PyFloat_AsDouble(object);
    if (parsed == -1.0 && PyErr_Occurred()) return -1;
    PUT(float, parsed);
}

static PyObject* get_d(const char* item) { GET(double, PyFloat_FromDouble); }

static int set_d(char* item, PyObject* object) {
    double parsed = PyFloat_AsDouble(object);
    if (parsed == -1.0 && PyErr_Occurred()) return -1;
    PUT(double, parsed);
}

// --- all ---

static const ItemType ITEM_TYPES[] = {
    {"b", sizeof(char), true, get_b, set_b},      {"B", sizeof(char), true, get_B, set_B},
    {"h", sizeof(short), true, get_h, set_h},     {"H", sizeof(short), true, get_H, set_H},
    {"i", sizeof(int), true, get_i, set_i},       {"I", sizeof(int), true, get_I, set_I},
    {"l", sizeof(long), true, get_l, set_l},      {"L", sizeof(long), true, get_L, set_L},
    {"q", sizeof(long long), true, get_q, set_q}, {"Q", sizeof(long long), true, get_Q, set_Q},
    {"f", sizeof(float), false, get_f, set_f},    {"d", sizeof(double), false, get_d, set_d},
};

const ItemType* find_item_type(Py_UCS4 typecode) {
    for (size_t i = 0; i < sizeof ITEM_TYPES / sizeof ITEM_TYPES[0]; i++)
        if ((Py_UCS4)ITEM_TYPES[i].typecode[0] == typecode) return &ITEM_TYPES[i];
    return NULL;
}

static bool is_signed(const ItemType* type) { return type->typecode[0] >= 'a'; }

bool item_type_matches(const ItemType* type, const char* format) {
    if (!format || format[0] == '\0' || format[1] != '\0') return false;
    const ItemType* other = find_item_type((unsigned char)format[0]);
    return other && other->size == type->size && other->is_integer == type->is_integer &&
           is_signed(other) == is_signed(type);
}

void swap_bytes(char* items, Py_ssize_t num_items, Py_ssize_t item_size) {
    for (char* item = items; item < items + num_items * item_size; item += item_size) {
        for (Py_ssize_t i = 0; i < item_size / 2; i++) {
            char byte = item[i];
            item[i] = item[item_size - 1 - i];
            item[item_size - 1 - i] = byte;
        }
    }
}
