// What Arena.scope() returns.
#ifndef VMEM_ARENA_SCOPE_H
#define VMEM_ARENA_SCOPE_H

#include "python/module.h"
#include "types/arena/storage.h"

PyObject* scope_new(ModuleState* state, Arena* arena);

extern PyType_Spec scope_spec;

#endif
