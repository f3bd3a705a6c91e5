// What all types of which there are shared objects have in common: the hook by which the Python layer makes them
// sendable, their descriptors, and what happens to them in forked children.
#ifndef VMEM_SHARING_H
#define VMEM_SHARING_H

#include "core/reservation.h"
#include "core/shared_memory.h"
#include "python/module.h"

// Comes before every object of shared memory, made or attached: calls the hook, unless it knows the type, which makes
// instances of the type sendable and forks notice what is in the list. Runs Python code, so it comes before any state is
// read. Returns -1 with an exception.
int sharing_prepare(ModuleState* state, PyTypeObject* type);

// Raises NotImplementedError, and returns -1, where the system has no shared memory. sharing_prepare() calls it.
int sharing_check_supported(ModuleState* state);

// The seals that this system has. One of the two functions above has succeeded before.
unsigned sharing_possible_seals(const ModuleState* state);

// The methods fileno() and _get_handle() of an owner: on POSIX both are the descriptor; on Windows the first raises
// NotImplementedError. ValueError when the memory is not shared or released, OSError when the descriptor was closed by
// somebody else. The caller holds the owner's lock for neither.
PyObject* sharing_get_fileno(Reservation* reservation);
PyObject* sharing_get_handle(Reservation* reservation);

// Raises their ValueError for an owner, such as a "region", that may have no reservation. Returns -1.
int sharing_raise_not_shared(const char* noun);

// Functions of the module.
PyObject* sharing_set_hook(PyObject* module, PyObject* hook);
PyObject* sharing_change_in_child(PyObject* module, PyObject* ignored);
PyObject* sharing_make_fork_handler(PyObject* module, PyObject* ignored);
extern const char sharing_set_hook_doc[];
extern const char sharing_change_in_child_doc[];
extern const char sharing_make_fork_handler_doc[];

extern const char sharing_fileno_doc[];
extern const char sharing_get_handle_doc[];

#endif
