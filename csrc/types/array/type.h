// vmem.Array.
#ifndef VMEM_ARRAY_TYPE_H
#define VMEM_ARRAY_TYPE_H

#include "python/compat.h"

extern PyType_Spec array_spec;

#endif
