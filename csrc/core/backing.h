// What the pages of a reservation are made of: private memory, and later shared objects and files. A reservation calls
// its backing for everything that depends on this. Protecting, locking and advice work on addresses and are the same
// for all.
#ifndef VMEM_BACKING_H
#define VMEM_BACKING_H

#include "python/compat.h"
#include "vmem.h"

typedef struct Backing Backing;

// Pointers and sizes are as in vmem.h: a range lies inside one reservation, and is not empty. A backing that has state
// embeds this struct as its first member.
struct Backing {
    // NULL on failure; the system's error code says why.
    void* (*reserve)(const Backing* backing, size_t num_bytes, size_t align);
    VmemResult (*release)(const Backing* backing, void* ptr, size_t num_reserved_bytes);
    VmemResult (*commit)(const Backing* backing, void* ptr, size_t num_bytes);
    VmemResult (*decommit)(const Backing* backing, void* ptr, size_t num_bytes);
    VmemResult (*discard)(const Backing* backing, void* ptr, size_t num_bytes);
    VmemResult (*count_resident)(const Backing* backing, const void* ptr, size_t num_bytes, size_t* num_resident);
};

// Memory of this process alone.
extern const Backing PRIVATE_MEMORY;

#endif
