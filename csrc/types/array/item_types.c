#include "types/array/item_types.h"

#include <limits.h>
#include <stdio.h>

#include "python/arguments.h"

// --- loads and stores ---

// Items are copied bytewise, because they need not be aligned.
#define DEFINE_ITEM(typecode, type, from_number)         \
    static PyObject* get_##typecode(const char* item) {  \
        type number;                                     \
        memcpy(&number, item, sizeof(number));           \
        return from_number(number);                      \
    }                                                    \
    static int put_##typecode(char* item, type number) { \
        memcpy(item, &number, sizeof(number));           \
        return 0;                                        \
    }

DEFINE_ITEM(b, signed char, PyLong_FromLong)
DEFINE_ITEM(B, unsigned char, PyLong_FromLong)
DEFINE_ITEM(h, short, PyLong_FromLong)
DEFINE_ITEM(H, unsigned short, PyLong_FromLong)
DEFINE_ITEM(i, int, PyLong_FromLong)
DEFINE_ITEM(I, unsigned int, PyLong_FromUnsignedLong)
DEFINE_ITEM(l, long, PyLong_FromLong)
DEFINE_ITEM(L, unsigned long, PyLong_FromUnsignedLong)
DEFINE_ITEM(q, long long, PyLong_FromLongLong)
DEFINE_ITEM(Q, unsigned long long, PyLong_FromUnsignedLongLong)
DEFINE_ITEM(f, float, PyFloat_FromDouble)
DEFINE_ITEM(d, double, PyFloat_FromDouble)

// --- from Python ---

// The usual case: an int that fits. All other objects are left to PyArg_Parse() and its like, whose errors are those of
// array.array.
static bool is_small_int(PyObject* object, long long least, long long most, long long* number) {
    int overflow;
    if (!PyLong_CheckExact(object)) return false;
    *number = PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow == 0 && *number >= least && *number <= most;
}

static int raise_overflow(const char* problem) {
    PyErr_SetString(PyExc_OverflowError, problem);
    return -1;
}

// --- b B h H i I ---

static int set_b(char* item, PyObject* object) {
    long long number;
    short parsed;
    if (is_small_int(object, SCHAR_MIN, SCHAR_MAX, &number)) return put_b(item, (signed char)number);
    if (!PyArg_Parse(object, "h;array item must be integer", &parsed)) return -1;
    if (parsed < SCHAR_MIN) return raise_overflow("signed char is less than minimum");
    if (parsed > SCHAR_MAX) return raise_overflow("signed char is greater than maximum");
    return put_b(item, (signed char)parsed);
}

static int set_B(char* item, PyObject* object) {
    long long number;
    unsigned char parsed;
    if (is_small_int(object, 0, UCHAR_MAX, &number)) return put_B(item, (unsigned char)number);
    if (!PyArg_Parse(object, "b;array item must be integer", &parsed)) return -1;
    return put_B(item, (unsigned char)parsed);
}

static int set_h(char* item, PyObject* object) {
    long long number;
    short parsed;
    if (is_small_int(object, SHRT_MIN, SHRT_MAX, &number)) return put_h(item, (short)number);
    if (!PyArg_Parse(object, "h;array item must be integer", &parsed)) return -1;
    return put_h(item, (short)parsed);
}

static int set_H(char* item, PyObject* object) {
    long long number;
    int parsed;
    if (is_small_int(object, 0, USHRT_MAX, &number)) return put_H(item, (unsigned short)number);
    if (!PyArg_Parse(object, "i;array item must be integer", &parsed)) return -1;
    if (parsed < 0) return raise_overflow("unsigned short is less than minimum");
    if (parsed > USHRT_MAX) return raise_overflow("unsigned short is greater than maximum");
    return put_H(item, (unsigned short)parsed);
}

static int set_i(char* item, PyObject* object) {
    long long number;
    int parsed;
    if (is_small_int(object, INT_MIN, INT_MAX, &number)) return put_i(item, (int)number);
    if (!PyArg_Parse(object, "i;array item must be integer", &parsed)) return -1;
    return put_i(item, parsed);
}

// The int of which an unsigned type takes the value.
static PyObject* as_int(PyObject* object) { return PyLong_Check(object) ? Py_NewRef(object) : PyNumber_Index(object); }

static int as_unsigned_long(PyObject* object, unsigned long* number) {
    PyObject* index = as_int(object);
    if (!index) return -1;
    *number = PyLong_AsUnsignedLong(index);
    Py_DECREF(index);
    return *number == (unsigned long)-1 && PyErr_Occurred() ? -1 : 0;
}

static int set_I(char* item, PyObject* object) {
    long long number;
    unsigned long parsed;
    if (is_small_int(object, 0, UINT_MAX, &number)) return put_I(item, (unsigned int)number);
    if (as_unsigned_long(object, &parsed) < 0) return -1;
#if ULONG_MAX > UINT_MAX
    if (parsed > UINT_MAX) return raise_overflow("unsigned int is greater than maximum");
#endif
    return put_I(item, (unsigned int)parsed);
}

// --- l L q Q ---

static int set_l(char* item, PyObject* object) {
    long parsed;
    if (PyLong_CheckExact(object)) {
        parsed = PyLong_AsLong(object);
        if (parsed == -1 && PyErr_Occurred()) return -1;
    } else if (!PyArg_Parse(object, "l;array item must be integer", &parsed)) {
        return -1;
    }
    return put_l(item, parsed);
}

static int set_L(char* item, PyObject* object) {
    unsigned long parsed;
    if (as_unsigned_long(object, &parsed) < 0) return -1;
    return put_L(item, parsed);
}

static int set_q(char* item, PyObject* object) {
    long long parsed;
    if (PyLong_CheckExact(object)) {
        parsed = PyLong_AsLongLong(object);
        if (parsed == -1 && PyErr_Occurred()) return -1;
    } else if (!PyArg_Parse(object, "L;array item must be integer", &parsed)) {
        return -1;
    }
    return put_q(item, parsed);
}

static int set_Q(char* item, PyObject* object) {
    PyObject* index = as_int(object);
    if (!index) return -1;
    unsigned long long parsed = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (parsed == (unsigned long long)-1 && PyErr_Occurred()) return -1;
    return put_Q(item, parsed);
}

// --- f d ---

static int set_f(char* item, PyObject* object) {
    double parsed = PyFloat_AsDouble(object);
    if (parsed == -1.0 && PyErr_Occurred()) return -1;
    return put_f(item, (float)parsed);
}

static int set_d(char* item, PyObject* object) {
    double parsed = PyFloat_AsDouble(object);
    if (parsed == -1.0 && PyErr_Occurred()) return -1;
    return put_d(item, parsed);
}

// --- all ---

const ItemType ITEM_TYPES[] = {
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

bool item_type_is_signed(const ItemType* type) { return type->typecode[0] >= 'a'; }

bool item_type_matches(const ItemType* type, const char* format) {
    if (!format || format[0] == '\0' || format[1] != '\0') return false;
    const ItemType* other = find_item_type((unsigned char)format[0]);
    return other && other->size == type->size && other->is_integer == type->is_integer &&
           item_type_is_signed(other) == item_type_is_signed(type);
}

// --- in another order ---

// Inlined below with constant sizes, which is many times faster than with a variable one.
static inline void reverse_sized(char* items, Py_ssize_t num_items, size_t size) {
    char* low = items;
    char* high = items + num_items * (Py_ssize_t)size;
    for (; high - low >= 2 * (Py_ssize_t)size; low += size) {
        char item[MAX_ITEM_SIZE];
        high -= size;
        memcpy(item, low, size);
        memcpy(low, high, size);
        memcpy(high, item, size);
    }
}

// Of any size, in parts.
static void reverse_long(char* items, Py_ssize_t num_items, size_t size) {
    char* low = items;
    char* high = items + num_items * (Py_ssize_t)size;
    for (; high - low >= 2 * (Py_ssize_t)size; low += size) {
        high -= size;
        for (size_t done = 0, part; done < size; done += part) {
            char copy[64];
            part = size - done < sizeof(copy) ? size - done : sizeof(copy);
            memcpy(copy, low + done, part);
            memcpy(low + done, high + done, part);
            memcpy(high + done, copy, part);
        }
    }
}

void reverse_items(char* items, Py_ssize_t num_items, Py_ssize_t item_size) {
    switch (item_size) {
        case 1: reverse_sized(items, num_items, 1); break;
        case 2: reverse_sized(items, num_items, 2); break;
        case 4: reverse_sized(items, num_items, 4); break;
        case 8: reverse_sized(items, num_items, 8); break;
        default: reverse_long(items, num_items, (size_t)item_size); break;
    }
}

// Compilers turn these into single instructions.
static uint16_t swap_2(uint16_t number) { return (uint16_t)(number << 8 | number >> 8); }

static uint32_t swap_4(uint32_t number) {
    return number << 24 | (number << 8 & 0xff0000) | (number >> 8 & 0xff00) | number >> 24;
}

static uint64_t swap_8(uint64_t number) {
    return (uint64_t)swap_4((uint32_t)number) << 32 | swap_4((uint32_t)(number >> 32));
}

#define DEFINE_SWAP_ALL(size, type)                                 \
    static void swap_all_##size(char* item, Py_ssize_t num_items) { \
        for (; num_items > 0; num_items--, item += size) {          \
            type number;                                            \
            memcpy(&number, item, size);                            \
            number = swap_##size(number);                           \
            memcpy(item, &number, size);                            \
        }                                                           \
    }

DEFINE_SWAP_ALL(2, uint16_t)
DEFINE_SWAP_ALL(4, uint32_t)
DEFINE_SWAP_ALL(8, uint64_t)

void swap_bytes(char* items, Py_ssize_t num_items, Py_ssize_t item_size) {
    switch (item_size) {
        case 1: break;
        case 2: swap_all_2(items, num_items); break;
        case 4: swap_all_4(items, num_items); break;
        default: swap_all_8(items, num_items); break;
    }
}

// --- typecodes ---

static int raise_not_a_typecode(PyObject* object, const char* type_name) {
    char what[40];
    snprintf(what, sizeof(what), "%s() argument 1", type_name);
    if (!PyUnicode_Check(object)) return raise_wrong_type(object, what, "a typecode (" ITEM_TYPECODES ")");
    PyErr_Format(PyExc_TypeError, "%s must be a typecode (" ITEM_TYPECODES "), not %R", what, object);
    return -1;
}

int convert_typecode(PyObject* object, const char* type_name, const ItemType** type) {
    if (!PyUnicode_Check(object) || PyUnicode_GetLength(object) != 1) return raise_not_a_typecode(object, type_name);
    *type = find_item_type(PyUnicode_ReadChar(object, 0));
    if (*type) return 0;
    PyErr_SetString(PyExc_ValueError, "bad typecode (must be " ITEM_TYPECODES ")");
    return -1;
}
