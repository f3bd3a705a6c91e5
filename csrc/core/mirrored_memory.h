// Shared memory whose data is mapped twice in a row, after its first page:
//
//   base                      base + shared_page_size()   + size of the data        + size of the data
//   | first page              | data                     | the same data           |
//
// A reservation of it has the first page and the data once: that is what is counted, locked and prefaulted. The second
// mapping of the data lies behind its end. These are two mappings for the system, because the first page and the data
// after it are one.
#ifndef VMEM_MIRRORED_MEMORY_H
#define VMEM_MIRRORED_MEMORY_H

#include "core/shared_memory.h"

// Makes shared memory, new or attached, one whose data is mapped twice. Before it is reserved. `facts.num_bytes` is a
// multiple of the allocation granularity.
void mirrored_memory_init(SharedMemory* memory);

// How many bytes to reserve: without the second mapping of the data.
size_t mirrored_memory_size(const SharedMemory* memory);

// Makes a part of the second mapping of the data resident, as far as that is possible. `offset` is into the data.
void mirrored_memory_prefault(const SharedMemory* memory, void* base, size_t offset, size_t num_bytes);

// --- in a forked child ---

// Takes the right to write away from a mapping at `base`. Returns false where that failed.
bool mirrored_memory_make_readonly(const SharedMemory* memory, void* base);

// Maps the memory again, for reading alone, and keeps what is written through the old mapping at `base` in this process.
// Returns the base of the new mapping. Where that is refused, it returns `base`.
void* mirrored_memory_map_again(const SharedMemory* memory, void* base);

// Unmaps an old mapping.
void mirrored_memory_unmap(const SharedMemory* memory, void* base);

#endif
