#include "python/module.h"

PyTypeObject* type_find_base(PyTypeObject* type, const PyMethodDef* methods) {
    while (type && PyType_GetSlot(type, Py_tp_methods) != methods) type = PyType_GetSlot(type, Py_tp_base);
    return type;
}

PyObject* describe_class(PyObject* object) {
    PyObject* name = PyType_GetName(Py_TYPE(object));
    PyObject* module = name ? PyObject_GetAttrString((PyObject*)Py_TYPE(object), "__module__") : NULL;
    PyObject* description = module ? PyUnicode_FromFormat("%S.%U", module, name) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(name);
    return description;
}

ModuleState* module_state_of(PyTypeObject* type, const PyMethodDef* methods) {
    return PyType_GetModuleState(type_find_base(type, methods));
}

int module_check_loaded(const ModuleState* state) {
    if (state->pin_type && state->untracked_pin_type && state->out_of_memory_error && state->audit &&
        state->reserve_event && state->array_type && state->table_type && state->column_type && state->rows_type &&
        state->rebuild_array)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "vmem has been unloaded");
    return -1;
}

int module_audit(ModuleState* state, PyObject* event) {
    if (!event) return -1;
    PyObject* result = NULL;
    if (module_check_loaded(state) == 0) {
        PyObject* audit = Py_NewRef(state->audit);  // a hook can start a collection that clears the module
        result = PyObject_CallObject(audit, event);
        Py_DECREF(audit);
    }
    Py_DECREF(event);
    Py_XDECREF(result);
    return result ? 0 : -1;
}
