// The state of one imported _vmem module. Every interpreter has its own.
#ifndef VMEM_MODULE_H
#define VMEM_MODULE_H

#include "python/forking.h"

// What shared objects need of the module.
typedef struct SharingState {
    PyObject* hook;               // what is called before one is made; NULL until it is set
    PyTypeObject* prepared_type;  // the one for which the hook was called last; NULL before that
    ForkList forks;               // those that are changed in a forked child
    long process;                 // in which they were changed last, or the module was made

    // 0 until the system is known to have shared memory, then SHARING_IS_POSSIBLE and the VMEM_SEAL_ flags that it has.
    // One number, so that threads without the GIL see both or neither.
    Py_ssize_t explored;
} SharingState;

#define SHARING_IS_POSSIBLE ((Py_ssize_t)1 << 16)

typedef struct ModuleState {
    PyTypeObject* region_type;
    PyTypeObject* array_type;
    PyTypeObject* array_iterator_type;
    PyTypeObject* arena_type;
    PyTypeObject* scope_type;
    PyTypeObject* table_type;
    PyTypeObject* column_type;
    PyTypeObject* rows_type;
    PyTypeObject* ring_type;
    PyTypeObject* ring_iterator_type;
    PyTypeObject* ring_claim_type;
    PyTypeObject* pin_type;
    PyTypeObject* untracked_pin_type;
    PyObject* out_of_memory_error;
    PyObject* audit;          // sys.audit
    PyObject* reserve_event;  // "vmem.reserve"
    PyObject* make_map;       // what map() calls; NULL until it is set
    PyObject* make_row_type;  // what makes the class of a table's rows; NULL until it is set
    PyObject* rebuild_array;  // the module's function, for pickles
    SharingState sharing;
    uint64_t physical_memory;  // in bytes; 0 until it is first needed
    size_t default_size;       // in bytes: what an array reserves by default
    int default_size_uses;     // how often that may still be used before it is computed again
} ModuleState;

// The class in C behind a type that may be a subclass written in Python: the first base, or the type itself, with this
// table of methods. NULL when there is none. The table identifies the class, also that of another import of the
// module. A function would not do: linkers may merge functions of equal code.
PyTypeObject* type_find_base(PyTypeObject* type, const PyMethodDef* methods);

// The name of an object's class with its module, for repr(). NULL with an exception.
PyObject* describe_class(PyObject* object);

// The state of the module that made that class. A subclass written in Python belongs to no module.
ModuleState* module_state_of(PyTypeObject* type, const PyMethodDef* methods);

// Raises RuntimeError, and returns -1, when a garbage collection has cleared the module before the objects of its
// types.
int module_check_loaded(const ModuleState* state);

// Raises an audit event, given as a tuple of its name and arguments. Steals the reference; NULL means that making the
// tuple has raised. Returns -1 when a hook has raised. Hooks run Python code, so this comes before any state is read.
int module_audit(ModuleState* state, PyObject* event);

#endif
