#include "types/table/attributes.h"

int find_attribute(PyObject* object, const char* name, PyObject** value) {
    *value = PyObject_GetAttrString(object, name);
    if (*value) return 1;
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
    PyErr_Clear();
    return 0;
}

int has_attribute(PyObject* object, const char* name) {
    PyObject* value;
    int status = find_attribute(object, name, &value);
    Py_XDECREF(value);
    return status;
}
