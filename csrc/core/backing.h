// What the pages of a reservation are made of: private memory, shared memory, and later files. A reservation calls its
// backing for everything that depends on this, and asks it for what differs otherwise. Protecting and locking work on
// addresses and are the same for all.
#ifndef VMEM_BACKING_H
#define VMEM_BACKING_H

#include "python/compat.h"
#include "vmem.h"

typedef struct Backing Backing;

// Pointers and sizes are as in vmem.h: a range lies inside one reservation, and is not empty. A backing that has state
// embeds this struct as its first member. After a failure the system's error code says why.
struct Backing {
    // --- what it cannot do: the reason, for a message, or NULL where it can ---

    const char* never_huge;        // ask for huge pages
    const char* always_inherited;  // keep pages from forked processes
    const char* never_given_back;  // decommit and discard

    // --- what the system does with it ---

    bool names_pages;               // committed pages are given the name of the reservation
    bool can_merge;                 // a mapping of it can also extend over what is beside the reservation
    bool is_private;                // counts towards the data limit, and the memory that one commit may promise
    Py_ssize_t num_extra_mappings;  // how many it takes beside that of the reservation
    size_t num_extra_bytes;         // how many addresses it takes beside those of the reservation

    // --- operations ---

    // `name` is as for vmem_set_name(), or NULL.
    VmemResult (*reserve)(const Backing* backing, size_t num_bytes, size_t align, const char* name, void** base);
    VmemResult (*release)(const Backing* backing, void* ptr, size_t num_reserved_bytes);

    // Makes memory for a range, given as offset into the reservation, before its gaps are committed: all of it or none.
    // It stays when committing fails. `num_missing` bytes of the range certainly have none yet. NULL where memory is made
    // when it is touched.
    VmemResult (*allocate)(const Backing* backing, size_t offset, size_t num_bytes, size_t num_missing);

    // How many bytes have been allocated so far, by any process, or more. NULL where memory is made when it is touched.
    size_t (*count_allocated)(const Backing* backing);
    VmemResult (*commit)(const Backing* backing, void* ptr, size_t num_bytes);

    // Takes back a commit that was not recorded. What was committed before that is not in the range.
    VmemResult (*undo_commit)(const Backing* backing, void* ptr, size_t num_bytes);

    // NULL where pages are never given back. What capabilities say of vmem_discard() holds for discarding.
    VmemResult (*decommit)(const Backing* backing, void* ptr, size_t num_bytes);
    VmemResult (*discard)(const Backing* backing, void* ptr, size_t num_bytes);

    VmemResult (*count_resident)(const Backing* backing, const void* ptr, size_t num_bytes, size_t* num_resident);

    // Frees the backing itself, after the release; also when that has failed, or was never reserved. NULL where there is
    // nothing to free. This, the release and discarding may come on any thread, without the GIL, and after Python has
    // ended, where native code holds the memory: they call no Python, and no allocator of Python.
    void (*destroy)(const Backing* backing);
};

// Memory of this process alone.
extern const Backing PRIVATE_MEMORY;

#endif
