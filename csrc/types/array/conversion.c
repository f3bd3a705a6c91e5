// Numbers go through an intermediate array of the widest type of their kind. So there is one loop for each source type,
// and one for each target type, in place of one for each pair.
#include "types/array/conversion.h"

#include <limits.h>

// --- describing buffers ---

// The codes of one kind by their size: 1, 2, 4 and 8 bytes.
static char find_code(const char codes[4], Py_ssize_t size) {
    switch (size) {
        case 1: return codes[0];
        case 2: return codes[1];
        case 4: return codes[2];
        case 8: return codes[3];
        default: return '\0';
    }
}

static char normalize_code(char code, Py_ssize_t size) {
    if (strchr("bhilqn", code)) return find_code("bhiq", size);
    if (strchr("BHILQN", code)) return find_code("BHIQ", size);
    if (strchr("efd", code)) return find_code("\0efd", size);
    if (code == '?') return find_code("?\0\0", size);
    return '\0';
}

#if PY_BIG_ENDIAN
#define OTHER_ORDERS "<"
#else
#define OTHER_ORDERS ">!"
#endif

bool describe_row_source(const Py_buffer* buffer, NumberSource* source) {
    const char* format = buffer->format;
    if (buffer->ndim != 1 || !buffer->shape || buffer->suboffsets || !format || format[0] == '\0') return false;
    bool has_order = strchr("@=<>!", format[0]) != NULL;
    source->is_swapped = has_order && strchr(OTHER_ORDERS, format[0]);
    format += has_order;
    if (format[0] == '\0' || format[1] != '\0') return false;
    source->code = normalize_code(format[0], buffer->itemsize);
    source->items = buffer->buf;
    source->num_items = buffer->shape[0];
    source->stride = buffer->strides ? buffer->strides[0] : buffer->itemsize;
    return source->code != '\0';
}

bool describe_source(const Py_buffer* buffer, NumberSource* source) {
    return describe_row_source(buffer, source) && source->code != '?' && source->code != 'e';
}

// NumPy's codes are Zf, Zd and Zg; those of ctypes, from Python 3.14 on, are F, D and G.
int refuse_complex_numbers(const Py_buffer* buffer) {
    const char* format = buffer->format ? buffer->format : "";
    if (format[0] && strchr("@=<>!", format[0])) format++;
    if (!format[0] || !strchr("ZFDG", format[0])) return 0;
    PyErr_SetString(PyExc_TypeError, "must be real numbers, not complex");
    return -1;
}

NumberSource describe_items(const ItemType* type, const char* items, Py_ssize_t num_items) {
    return (NumberSource){items, num_items, type->size, normalize_code(type->typecode[0], type->size), false};
}

bool can_convert(const ItemType* type, const NumberSource* source) {
    bool is_float = strchr("efd", source->code) != NULL;
    return !(type->is_integer && is_float);
}

// --- loading ---

typedef enum NumberKind { SIGNED, UNSIGNED, FLOATING } NumberKind;

typedef struct Numbers {
    NumberKind kind;
    union {
        int64_t integers[MAX_CONVERTED];
        uint64_t naturals[MAX_CONVERTED];
        double floats[MAX_CONVERTED];
    } as;
} Numbers;

// Items are copied bytewise, because they need not be aligned.
#define DEFINE_LOAD(code, type, member)                                                                    \
    static void load_##code(Numbers* numbers, const char* item, Py_ssize_t stride, Py_ssize_t num_items) { \
        for (Py_ssize_t i = 0; i < num_items; i++, item += stride) {                                       \
            type number;                                                                                   \
            memcpy(&number, item, sizeof(number));                                                         \
            numbers->as.member[i] = number;                                                                \
        }                                                                                                  \
    }

DEFINE_LOAD(b, int8_t, integers)
DEFINE_LOAD(h, int16_t, integers)
DEFINE_LOAD(i, int32_t, integers)
DEFINE_LOAD(q, int64_t, integers)
DEFINE_LOAD(B, uint8_t, naturals)
DEFINE_LOAD(H, uint16_t, naturals)
DEFINE_LOAD(I, uint32_t, naturals)
DEFINE_LOAD(Q, uint64_t, naturals)
DEFINE_LOAD(f, float, floats)
DEFINE_LOAD(d, double, floats)

static void load_bools(Numbers* numbers, const char* item, Py_ssize_t stride, Py_ssize_t num_items) {
    for (Py_ssize_t i = 0; i < num_items; i++, item += stride) numbers->as.naturals[i] = *item != 0;
}

// PyFloat_Unpack2() is not in the limited API.
static double decode_half(uint16_t half) {
    uint64_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    uint64_t bits = (exponent == 0x1f ? 0x7ff : exponent + 1008) << 52 | fraction << 42;
    double number = (double)fraction * 0x1p-24;  // where it is subnormal
    if (exponent > 0) memcpy(&number, &bits, sizeof(number));
    return half & 0x8000 ? -number : number;
}

static void load_halves(Numbers* numbers, const char* item, Py_ssize_t stride, Py_ssize_t num_items) {
    for (Py_ssize_t i = 0; i < num_items; i++, item += stride) {
        uint16_t half;
        memcpy(&half, item, sizeof(half));
        numbers->as.floats[i] = decode_half(half);
    }
}

static Py_ssize_t size_of(char code) {
    switch (code) {
        case 'b':
        case '?':
        case 'B': return 1;
        case 'h':
        case 'e':
        case 'H': return 2;
        case 'i':
        case 'I':
        case 'f': return 4;
        default: return 8;
    }
}

static void load_in_own_order(Numbers* numbers, char code, const char* item, Py_ssize_t stride, Py_ssize_t num_items) {
    numbers->kind = strchr("bhiq", code) ? SIGNED : strchr("BHIQ?", code) ? UNSIGNED : FLOATING;
    switch (code) {
        case 'b': load_b(numbers, item, stride, num_items); break;
        case 'h': load_h(numbers, item, stride, num_items); break;
        case 'i': load_i(numbers, item, stride, num_items); break;
        case 'q': load_q(numbers, item, stride, num_items); break;
        case 'B': load_B(numbers, item, stride, num_items); break;
        case 'H': load_H(numbers, item, stride, num_items); break;
        case 'I': load_I(numbers, item, stride, num_items); break;
        case 'Q': load_Q(numbers, item, stride, num_items); break;
        case '?': load_bools(numbers, item, stride, num_items); break;
        case 'e': load_halves(numbers, item, stride, num_items); break;
        case 'f': load_f(numbers, item, stride, num_items); break;
        default: load_d(numbers, item, stride, num_items); break;
    }
}

static void load(Numbers* numbers, const NumberSource* source, Py_ssize_t start, Py_ssize_t num_items) {
    const char* item = source->items + start * source->stride;
    if (!source->is_swapped) {
        load_in_own_order(numbers, source->code, item, source->stride, num_items);
        return;
    }
    char swapped[MAX_CONVERTED * MAX_ITEM_SIZE];
    Py_ssize_t size = size_of(source->code);
    for (Py_ssize_t i = 0; i < num_items; i++) memcpy(swapped + i * size, item + i * source->stride, (size_t)size);
    swap_bytes(swapped, num_items, size);
    load_in_own_order(numbers, source->code, swapped, size, num_items);
}

// --- storing ---

#define STORE(type, number)                                         \
    do {                                                            \
        const type item = (type)(number);                           \
        memcpy(to + (size_t)i * sizeof(item), &item, sizeof(item)); \
    } while (0)

// Integers that the type cannot hold end the loop.
#define STORE_INTEGERS(type, least, greatest)                                             \
    for (; i < num_items; i++) {                                                          \
        if (numbers->kind == SIGNED) {                                                    \
            const int64_t number = numbers->as.integers[i];                               \
            if (number < (least) || (number > 0 && (uint64_t)number > (greatest))) break; \
            STORE(type, number);                                                          \
        } else {                                                                          \
            const uint64_t number = numbers->as.naturals[i];                              \
            if (number > (greatest)) break;                                               \
            STORE(type, number);                                                          \
        }                                                                                 \
    }

// As PyArg_Parse() and PyFloat_AsDouble() convert: integers become doubles first.
#define STORE_FLOATS(type)                                                                  \
    for (; i < num_items; i++) {                                                            \
        const double number = numbers->kind == SIGNED     ? (double)numbers->as.integers[i] \
                              : numbers->kind == UNSIGNED ? (double)numbers->as.naturals[i] \
                                                          : numbers->as.floats[i];          \
        STORE(type, number);                                                                \
    }

// Returns how many were stored.
static Py_ssize_t store(const Numbers* numbers, const ItemType* type, char* to, Py_ssize_t num_items) {
    Py_ssize_t i = 0;
    switch (type->typecode[0]) {
        case 'b': STORE_INTEGERS(signed char, SCHAR_MIN, SCHAR_MAX) break;
        case 'B': STORE_INTEGERS(unsigned char, 0, UCHAR_MAX) break;
        case 'h': STORE_INTEGERS(short, SHRT_MIN, SHRT_MAX) break;
        case 'H': STORE_INTEGERS(unsigned short, 0, USHRT_MAX) break;
        case 'i': STORE_INTEGERS(int, INT_MIN, INT_MAX) break;
        case 'I': STORE_INTEGERS(unsigned int, 0, UINT_MAX) break;
        case 'l': STORE_INTEGERS(long, LONG_MIN, LONG_MAX) break;
        case 'L': STORE_INTEGERS(unsigned long, 0, ULONG_MAX) break;
        case 'q': STORE_INTEGERS(long long, LLONG_MIN, LLONG_MAX) break;
        case 'Q': STORE_INTEGERS(unsigned long long, 0, ULLONG_MAX) break;
        case 'f': STORE_FLOATS(float) break;
        default: STORE_FLOATS(double) break;
    }
    return i;
}

// --- interface ---

Py_ssize_t convert_numbers(const ItemType* type, char* to, const NumberSource* source, Py_ssize_t start,
                           Py_ssize_t num_items) {
    Numbers numbers;
    if (num_items > MAX_CONVERTED) num_items = MAX_CONVERTED;
    load(&numbers, source, start, num_items);
    return store(&numbers, type, to, num_items);
}

PyObject* get_number(const NumberSource* source, Py_ssize_t index) {
    Numbers numbers;
    load(&numbers, source, index, 1);
    switch (numbers.kind) {
        case SIGNED: return PyLong_FromLongLong(numbers.as.integers[0]);
        case UNSIGNED: return PyLong_FromUnsignedLongLong(numbers.as.naturals[0]);
        default: return PyFloat_FromDouble(numbers.as.floats[0]);
    }
}
