#include "types/table/numpy_items.h"

#include "types/table/attributes.h"

// Whether an object is an instance of a class of a module, which was imported if there are any. -1 with an exception.
static int is_instance(PyObject* object, const char* module_name, const char* class_name) {
    PyObject* name = PyUnicode_FromString(module_name);
    PyObject* module = name ? PyImport_GetModule(name) : NULL;
    PyObject* class = NULL;
    int status = module ? find_attribute(module, class_name, &class) : PyErr_Occurred() ? -1 : 0;
    if (status > 0) status = PyObject_IsInstance(object, class);
    Py_XDECREF(class);
    Py_XDECREF(module);
    Py_XDECREF(name);
    return status;
}

// --- times ---

// "datetime64[ns]" for "M8[ns]". Returns whether a dtype is that; -1 with an exception, also for other times.
static int has_time_of(const TableColumn* column, PyObject* dtype) {
    const char* type = column->type->name;
    PyObject* name = PyObject_Str(dtype);
    const char* text = name ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    int status = text ? 0 : -1;
    if (text && (strncmp(text, "datetime64", 10) == 0 || strncmp(text, "timedelta64", 11) == 0)) {
        bool is_equal = text[0] == (type[0] == 'M' ? 'd' : 't') && strcmp(strchr(text, '4') + 1, type + 2) == 0;
        status = is_equal ? 1 : -1;
        if (!is_equal)
            PyErr_Format(PyExc_TypeError, "column %R has type '%s': convert %U with astype() first", column->name, type,
                         name);
    }
    Py_XDECREF(name);
    return status;
}

int numpy_is_not_a_time(PyObject* object) {
    PyObject* text = PyUnicode_Check(object) ? NULL : PyObject_Str(object);
    if (!text) return PyErr_Occurred() ? -1 : 0;
    bool is_equal = PyUnicode_CompareWithASCIIString(text, "NaT") == 0;
    Py_DECREF(text);
    return is_equal;
}

// --- arrays ---

// Arrays of subclasses stay what they are, with their masks.
static PyObject* make_array(const TableColumn* column, PyObject* object, PyObject* dtype) {
    int is_time = column->type->kind == COLUMN_TIMES ? has_time_of(column, dtype) : 0;
    PyObject* numpy = is_time < 0 ? NULL : PyImport_ImportModule("numpy");
    PyObject* array = numpy ? PyObject_CallMethod(numpy, "asanyarray", "O", object) : NULL;
    Py_XDECREF(numpy);
    if (!array || !is_time) return array;
    PyObject* integers = PyObject_CallMethod(array, "view", "s", "i8");
    Py_DECREF(array);
    return integers;
}

PyObject* numpy_find_items(const TableColumn* column, PyObject* object) {
    PyObject *dtype, *items = NULL;
    int has_dtype = find_attribute(object, "dtype", &dtype);
    if (has_dtype > 0) has_dtype = is_instance(dtype, "numpy", "dtype");
    if (has_dtype > 0) items = make_array(column, object, dtype);
    Py_XDECREF(dtype);
    int is_masked = items && may_be_masked(items) ? is_instance(items, "numpy.ma", "MaskedArray") : 0;
    if (is_masked == 0) return items;
    PyObject* list = is_masked > 0 ? PyObject_CallMethod(items, "tolist", NULL) : NULL;
    Py_DECREF(items);
    return list;
}
