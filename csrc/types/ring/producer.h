// A producer in C, which writes a ring without the GIL: the functions about rings in vmem_python.h. While one has claimed
// a ring, Python code does not write it.
#ifndef VMEM_RING_PRODUCER_H
#define VMEM_RING_PRODUCER_H

#include "types/ring/storage.h"
#include "vmem_python.h"

// Makes a claim, which ends with its last reference; BufferError where there is one. The caller holds no lock.
PyObject* ring_claim(Ring* ring, VmemRing* claimed);

// Need no GIL. They raise nothing: they return NULL, or -1, when the items do not fit, more are advanced than were
// prepared, or the process is a forked child.
void* ring_claim_prepare(VmemRing* claimed, size_t num_items);
int ring_claim_advance(VmemRing* claimed, size_t num_items);
int ring_claim_write(VmemRing* claimed, const void* items, size_t num_items);

extern PyType_Spec ring_claim_spec;

#endif
