// Memory that is mapped twice in a row, after a head that is mapped once:
//
//   base                      base + num_head_bytes     + num_bytes              + num_bytes
//   | head                    | pages                   | the same pages         |
//
// A reservation of it ends with the first mapping of the pages: that is what can be counted, locked and prefaulted. The
// second lies behind its end. These are two mappings for the system, because the head and the pages after it are one.
#ifndef VMEM_MIRRORED_MEMORY_H
#define VMEM_MIRRORED_MEMORY_H

#include "core/backing.h"

typedef struct MirroredMemory {
    Backing backing;
    VmemObject object;
    bool has_object;
    size_t num_head_bytes;
    size_t num_bytes;
    const char* name;  // in the system's lists
    bool readonly;     // another process writes
    void* abandoned;   // a mapping from before a fork, which old views show; NULL for none
} MirroredMemory;

// For memory of its own, which reserving makes. Sizes are multiples of the allocation granularity.
void mirrored_memory_init(MirroredMemory* memory, const char* name, size_t num_head_bytes, size_t num_bytes);

// Makes the pages of the second mapping resident, or finds them so. Best effort; `offset` is into the mirrored pages.
void mirrored_memory_prefault_mirror(const MirroredMemory* memory, void* base, size_t offset, size_t num_bytes);

#endif
