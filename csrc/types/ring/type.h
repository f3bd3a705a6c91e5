// vmem.Ring.
#ifndef VMEM_RING_TYPE_H
#define VMEM_RING_TYPE_H

#include "python/compat.h"

extern PyType_Spec ring_spec;

#endif
