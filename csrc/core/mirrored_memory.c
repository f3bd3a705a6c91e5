#include "core/mirrored_memory.h"

#include "core/errors.h"
#include "core/mapping_budget.h"

// The mapping that reservation_open() does not count.
#define MORE_MAPPINGS 1

static const MirroredMemory* memory_of(const Backing* backing) { return (const MirroredMemory*)backing; }

// --- operations ---

static VmemResult create_object(MirroredMemory* memory, size_t num_bytes) {
    if (memory->has_object) return VMEM_SUCCESS;
    VmemResult result = vmem_object_create(&memory->object, num_bytes, memory->name);
    memory->has_object = result == VMEM_SUCCESS;
    return result;
}

// Asking for the capabilities costs more than mapping.
static VmemResult explain_refusal(void) {
    VmemResult result = result_of_reserve(system_error());
    int error = errno;
    if (result != VMEM_ERROR_OUT_OF_MEMORY && !vmem_get_capabilities().can_map_mirrored)
        result = VMEM_ERROR_UNSUPPORTED;
    errno = error;
    return result;
}

static VmemResult mirrored_reserve(const Backing* backing, size_t num_bytes, size_t align, void** base) {
    MirroredMemory* memory = (MirroredMemory*)backing;
    (void)align;
    VmemResult result = create_object(memory, num_bytes);
    if (result != VMEM_SUCCESS) return result;
    *base = vmem_object_map_mirrored(&memory->object, memory->num_bytes, memory->num_head_bytes,
                                     memory->readonly ? VMEM_READ : VMEM_READ_WRITE);
    if (!*base) return explain_refusal();
    mapping_budget_charge(MORE_MAPPINGS);
    return VMEM_SUCCESS;
}

static VmemResult unmap(const MirroredMemory* memory, void* base) {
    VmemResult result = vmem_object_unmap_mirrored(base, memory->num_bytes, memory->num_head_bytes);
    if (result == VMEM_SUCCESS) mapping_budget_charge(-MORE_MAPPINGS);
    return result;
}

static VmemResult mirrored_release(const Backing* backing, void* ptr, size_t num_reserved_bytes) {
    (void)num_reserved_bytes;
    return unmap(memory_of(backing), ptr);
}

static VmemResult mirrored_allocate(const Backing* backing, size_t offset, size_t num_bytes) {
    const MirroredMemory* memory = memory_of(backing);
    return memory->readonly ? VMEM_SUCCESS : vmem_object_commit(&memory->object, offset, num_bytes);
}

// What has memory can be accessed.
static VmemResult mirrored_commit(const Backing* backing, void* ptr, size_t num_bytes) {
    (void)backing;
    (void)ptr;
    (void)num_bytes;
    return VMEM_SUCCESS;
}

static VmemResult mirrored_count_resident(const Backing* backing, const void* ptr, size_t num_bytes,
                                          size_t* num_resident) {
    (void)backing;
    return vmem_count_resident(ptr, num_bytes, num_resident);
}

static void mirrored_destroy(const Backing* backing) {
    MirroredMemory* memory = (MirroredMemory*)backing;
    if (memory->abandoned) unmap(memory, memory->abandoned);
    memory->abandoned = NULL;
    if (memory->has_object) vmem_object_close(&memory->object);
    memory->has_object = false;
}

static const Backing MIRRORED_MEMORY = {
    .never_huge = "memory that is mapped twice has no huge pages",
    .always_inherited = "memory that is mapped twice is shared with forked processes",
    .never_given_back = "memory that is mapped twice is never given back, because who reads it could not tell",
    .reserve = mirrored_reserve,
    .release = mirrored_release,
    .allocate = mirrored_allocate,
    .commit = mirrored_commit,
    .undo_commit = mirrored_commit,
    .count_resident = mirrored_count_resident,
    .destroy = mirrored_destroy,
};

// --- interface ---

void mirrored_memory_init(MirroredMemory* memory, const char* name, size_t num_head_bytes, size_t num_bytes) {
    *memory = (MirroredMemory){
        .backing = MIRRORED_MEMORY, .num_head_bytes = num_head_bytes, .num_bytes = num_bytes, .name = name};
}

void mirrored_memory_prefault_mirror(const MirroredMemory* memory, void* base, size_t offset, size_t num_bytes) {
    vmem_prefault((char*)base + memory->num_head_bytes + memory->num_bytes + offset, num_bytes);
}
