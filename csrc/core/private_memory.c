// Memory of this process alone.
#include "core/backing.h"
#include "core/errors.h"

static VmemResult private_reserve(const Backing* backing, size_t num_bytes, size_t align, const char* name,
                                  void** base) {
    (void)backing;
    (void)name;  // of committed pages
    *base = vmem_reserve_aligned(num_bytes, align);
    return *base ? VMEM_SUCCESS : result_of_reserve(system_error());
}

static VmemResult private_release(const Backing* backing, void* ptr, size_t num_reserved_bytes) {
    (void)backing;
    return vmem_release(ptr, num_reserved_bytes);
}

static VmemResult private_commit(const Backing* backing, void* ptr, size_t num_bytes) {
    (void)backing;
    return vmem_commit(ptr, num_bytes);
}

// At the mapping limit, locks can survive. They are ended as far as that is possible: pages that are not committed have
// none.
static VmemResult private_decommit(const Backing* backing, void* ptr, size_t num_bytes) {
    (void)backing;
    VmemResult result = vmem_decommit(ptr, num_bytes);
    if (result != VMEM_DECOMMIT_INCOMPLETE) return result;
    vmem_unlock(ptr, num_bytes);
    return VMEM_SUCCESS;
}

static VmemResult private_discard(const Backing* backing, void* ptr, size_t num_bytes) {
    (void)backing;
    return vmem_discard(ptr, num_bytes);
}

static VmemResult private_count_resident(const Backing* backing, const void* ptr, size_t num_bytes,
                                         size_t* num_resident) {
    (void)backing;
    return vmem_count_resident(ptr, num_bytes, num_resident);
}

const Backing PRIVATE_MEMORY = {
    .names_pages = true,
    .can_merge = true,
    .is_private = true,
    .reserve = private_reserve,
    .release = private_release,
    .commit = private_commit,
    .undo_commit = private_decommit,
    .decommit = private_decommit,
    .discard = private_discard,
    .count_resident = private_count_resident,
};
