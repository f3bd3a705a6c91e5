// Shared memory as a backing: an object of the system that other processes map too. Its first page tells what it holds,
// and the data comes after it. Pages are never given back, and commits are made at once: committing makes memory for the
// pages of the object, which all processes see, and then gives this process access to them.
#ifndef VMEM_SHARED_MEMORY_H
#define VMEM_SHARED_MEMORY_H

#include "core/backing.h"
#include "core/shared_page.h"

typedef struct SharedMemory {
    Backing backing;            // the first member: a pointer to one is a pointer to the other
    VmemObject object;          // valid while `is_open`
    bool is_open;               // from reserving or attaching until it is released
    bool is_maker;              // whether this process made the object; a forked child's copy still says so
    bool keeps_page;            // whether the first page stays mapped, for the length: in one mapping with the data
    unsigned seals;             // VMEM_SEAL_ flags, which the maker sets once everything is mapped
    VmemProtection protection;  // of the data when it is mapped, but for makers that keep the page, which can write it;
                                // committing makes it readable and writable
    SharedPage facts;           // what the first page says: as written by the maker, or as read and checked
    SharedPage* page;           // NULL while it is not mapped; read-only for those that attached it
    Py_ssize_t known_bytes;     // so much of the data was committed when that was last asked for
} SharedMemory;

// Memory that other processes can attach. Nothing is made yet: reservation_open() makes the object and takes it over,
// also when it fails. `facts` is from shared_page_init(). NULL with MemoryError.
SharedMemory* shared_memory_new(const SharedPage* facts, unsigned seals, bool keeps_page);

// The memory behind a handle, of which this keeps a handle of its own. Its `facts` are checked. By default the data is
// mapped without access, for commits, as in a region: set `protection` and `keeps_page` before reserving for anything
// else. `possible_seals` are those that this system has. NULL with ValueError for a handle that is something else, or
// OSError.
SharedMemory* shared_memory_attach(intptr_t handle, unsigned possible_seals, PyObject* out_of_memory_error);

// A second one for the same object, with a handle of its own, for memory that is to be mapped again. NULL without an
// exception, also where the handle is no longer that of the object: a forked child calls it before any Python code.
SharedMemory* shared_memory_attach_again(const SharedMemory* memory);

// For a forked child of the maker: gives this process a copy of its own of the data up to `exported_end`, in place, which
// it can write, and lets it read what follows up to `readable_end`; where the system copies only what is written, all of
// that is the copy. Nothing else of the data can be accessed then, nor is the first page mapped. `base` and `size` are
// those of the data, and both ends those of pages. Returns where the copy ends: at 0 where there is no memory for one.
size_t shared_memory_isolate(SharedMemory* memory, char* base, size_t size, size_t exported_end, size_t readable_end);

// For a forked child: puts a copy of its own in the place of committed pages.
VmemResult shared_memory_replace(char* ptr, size_t num_bytes);

// For memory that was not handed to reservation_open().
void shared_memory_free(SharedMemory* memory);

// Unmaps the first page, if it is mapped apart.
void shared_memory_unmap_page(SharedMemory* memory);

// Makes memory for a part of the object, the first page included, unless the system has less of it than that.
VmemResult shared_memory_commit(const SharedMemory* memory, size_t offset, size_t num_bytes, size_t num_missing);

// Finds out whether this system has shared memory, and which seals. Returns -1 with NotImplementedError, or with OSError
// or OutOfMemoryError when that cannot be found out now.
int shared_memory_find_seals(unsigned* seals, PyObject* out_of_memory_error);

// The handle of an open one, which is that of a reader where the system has such and only the maker writes. Returns -1
// with OSError when the number has become that of something else.
int shared_memory_get_handle(const SharedMemory* memory, intptr_t* handle);

// How many items can be read: the published length, as far as it lies within the capacity and within what was
// committed. Loaded once. The page is mapped.
size_t shared_memory_load_length(SharedMemory* memory, size_t item_size, size_t capacity);

// In the maker alone: makes items that have been written visible to the others.
static inline void shared_memory_publish_length(SharedMemory* memory, size_t length) {
    shared_page_publish_length(memory->page, length);
}

// Core dumps contain what this process has committed or can read, as they do of private memory, unless it is a secret.
// Returns whether they do by now. Committing does this.
bool shared_memory_include_in_dumps(const SharedMemory* memory, void* ptr, size_t num_bytes);

// The shared memory of a reservation, NULL when it has another backing.
SharedMemory* shared_memory_of(const Backing* backing);

// Whether what is mapped here was committed, by any process. Only for Windows, which commits memory in parts: elsewhere its
// size tells, and this returns false.
bool shared_memory_is_committed(const char* bytes, size_t num_bytes);

#endif
