// vmem.Arena.
#ifndef VMEM_ARENA_TYPE_H
#define VMEM_ARENA_TYPE_H

#include "python/compat.h"

extern PyMethodDef arena_methods[];
extern PyType_Spec arena_spec;

#endif
