#include "python/arguments.h"

int raise_wrong_type(PyObject* object, const char* what, const char* wanted) {
    PyObject* name = PyType_GetName(Py_TYPE(object));
    if (name) PyErr_Format(PyExc_TypeError, "%s must be %s, not %U", what, wanted, name);
    Py_XDECREF(name);
    return -1;
}

// The text of an integer for a message. Python refuses to convert thousands of digits (sys.set_int_max_str_digits()).
static PyObject* describe_integer(PyObject* number) {
    PyObject* digits = PyObject_Repr(number);
    if (digits || !PyErr_ExceptionMatches(PyExc_ValueError)) return digits;
    PyErr_Clear();
    PyObject* num_bits = PyObject_CallMethod(number, "bit_length", NULL);
    PyObject* description = num_bits ? PyUnicode_FromFormat("an integer of %S bits", num_bits) : NULL;
    Py_XDECREF(num_bits);
    return description;
}

int raise_wrong_integer(PyObject* number, PyObject* error, const char* rule, ...) {
    va_list values;
    va_start(values, rule);
    PyObject* wanted = PyUnicode_FromFormatV(rule, values);
    va_end(values);
    PyObject* given = wanted ? describe_integer(number) : NULL;
    if (given) PyErr_Format(error, "%U, got %U", wanted, given);
    Py_XDECREF(given);
    Py_XDECREF(wanted);
    return -1;
}

static int check_is_integer(PyObject* object, const char* what) {
    return PyIndex_Check(object) ? 0 : raise_wrong_type(object, what, "an integer");
}

// Converts a size. Returns NULL, with an exception for an object that is not a size; but for one that does not fit a
// size_t, the number, a new reference.
static PyObject* convert_to_number(PyObject* object, const char* what, size_t* result) {
    if (check_is_integer(object, what) < 0) return NULL;
    PyObject* number = PyNumber_Index(object);
    if (!number) return NULL;
    *result = PyLong_AsSize_t(number);
    bool fits = *result != (size_t)-1 || !PyErr_Occurred();
    if (!fits && PyErr_ExceptionMatches(PyExc_OverflowError)) {
        int sign;
        PyErr_Clear();
        if (PyLong_AsLongAndOverflow(number, &sign) >= 0 || sign > 0) return number;
        raise_wrong_integer(number, PyExc_ValueError, "%s must not be negative", what);
    }
    Py_DECREF(number);
    return NULL;
}

int convert_size(PyObject* object, const char* what, size_t* result) {
    if (PyLong_CheckExact(object)) {  // the usual case, three times as fast
        *result = PyLong_AsSize_t(object);
        if (*result != (size_t)-1 || !PyErr_Occurred()) return 0;
        PyErr_Clear();
    }
    PyObject* number = convert_to_number(object, what, result);
    if (!number) return PyErr_Occurred() ? -1 : 0;
    raise_wrong_integer(number, PyExc_ValueError, "%s must be at most %zu", what, SIZE_MAX);
    Py_DECREF(number);
    return -1;
}

int convert_size_in_range(PyObject* object, const char* what, SizeRange range, size_t* result) {
    PyObject* number = convert_to_number(object, what, result);
    if (!number && PyErr_Occurred()) return -1;
    if (!number && *result >= range.least && *result <= range.most) return 0;
    if (!number) number = PyLong_FromSize_t(*result);
    if (number)
        raise_wrong_integer(number, PyExc_ValueError, "%s must be from %zu to %zu%s", what, range.least, range.most,
                            range.unit);
    Py_XDECREF(number);
    return -1;
}

int convert_index(PyObject* object, const char* what, Py_ssize_t* result) {
    if (check_is_integer(object, what) < 0) return -1;
    PyObject* number = PyNumber_Index(object);
    if (!number) return -1;
    *result = PyLong_AsSsize_t(number);
    int status = *result == -1 && PyErr_Occurred() ? -1 : 0;
    if (status < 0 && PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear();
        raise_wrong_integer(number, PyExc_IndexError, "%s must be between %zd and %zd", what, PY_SSIZE_T_MIN,
                            PY_SSIZE_T_MAX);
    }
    Py_DECREF(number);
    return status;
}

int convert_byte(PyObject* object, unsigned char* result) {
    if (check_is_integer(object, "a byte") < 0) return -1;
    PyObject* number = PyNumber_Index(object);
    if (!number) return -1;
    int overflow;
    long byte = PyLong_AsLongAndOverflow(number, &overflow);
    if (overflow || byte < 0 || byte > 255) {
        raise_wrong_integer(number, PyExc_ValueError, "a byte must be between 0 and 255");
        Py_DECREF(number);
        return -1;
    }
    Py_DECREF(number);
    *result = (unsigned char)byte;
    return 0;
}

int convert_alignment(PyObject* object, const char* what, size_t* result) {
    size_t align;
    if (convert_size(object, what, &align) < 0) return -1;
    if (align == 0 || (align & (align - 1)) != 0) {
        PyErr_Format(PyExc_ValueError, "%s must be a power of two, got %zu", what, align);
        return -1;
    }
    *result = align;
    return 0;
}

// Stores one keyword argument at the index of its name. Returns -1 with an exception.
static int place_keyword(const Signature* signature, PyObject* name, PyObject* value, PyObject** parsed) {
    for (Py_ssize_t i = 0; i < signature->num_names; i++) {
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) != 0) continue;
        if (parsed[i]) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", signature->function,
                         signature->names[i]);
            return -1;
        }
        parsed[i] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", signature->function, name);
    return -1;
}

int parse_arguments(const Signature* signature, PyObject* const* args, Py_ssize_t num_positional, PyObject* keywords,
                    PyObject** parsed) {
    if (num_positional > signature->max_positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional argument%s (%zd given)", signature->function,
                     signature->max_positional, signature->max_positional == 1 ? "" : "s", num_positional);
        return -1;
    }
    for (Py_ssize_t i = 0; i < signature->num_names; i++) parsed[i] = i < num_positional ? args[i] : NULL;
    if (!keywords) return 0;
    Py_ssize_t num_keywords = PyTuple_Size(keywords);
    for (Py_ssize_t i = 0; i < num_keywords; i++) {
        PyObject* name = PyTuple_GetItem(keywords, i);
        if (place_keyword(signature, name, args[num_positional + i], parsed) < 0) return -1;
    }
    return 0;
}

int convert_range(PyObject* const parsed[2], size_t size, size_t* offset, size_t* num_bytes) {
    *offset = 0;
    if (parsed[0] && convert_size(parsed[0], "offset", offset) < 0) return -1;
    if (parsed[1] && parsed[1] != Py_None) return convert_size(parsed[1], "num_bytes", num_bytes);
    *num_bytes = *offset < size ? size - *offset : 0;
    return 0;
}
