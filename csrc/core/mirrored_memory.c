#include "core/mirrored_memory.h"

#include "core/errors.h"
#include "core/mapping_budget.h"

// Beside the one that a reservation has anyway.
#define NUM_EXTRA_MAPPINGS 1

static SharedMemory* of(const Backing* backing) {
    return (SharedMemory*)backing;  // was not made as a constant
}

static size_t data_size(const SharedMemory* memory) { return (size_t)memory->facts.num_bytes; }

size_t mirrored_memory_size(const SharedMemory* memory) { return shared_page_size() + data_size(memory); }

// --- operations ---

// Asking for the capabilities costs more than mapping, so it comes after a refusal.
static VmemResult explain_refusal(void) {
    int error = system_error();
    VmemResult result = result_of_reserve(error);
    if (!vmem_get_capabilities().can_map_mirrored) result = VMEM_ERROR_UNSUPPORTED;
    set_system_error(error);
    return result;
}

static void* map(const SharedMemory* memory, VmemProtection protection) {
    return vmem_object_map_mirrored(&memory->object, data_size(memory), shared_page_size(), protection);
}

static VmemResult unmap(const SharedMemory* memory, void* base) {
    return vmem_object_unmap_mirrored(base, data_size(memory), shared_page_size());
}

static VmemResult create(SharedMemory* memory, const char* name) {
    VmemResult result = vmem_object_create(&memory->object, mirrored_memory_size(memory), name ? name : "vmem-ring");
    if (result != VMEM_SUCCESS) return result;
    memory->is_open = memory->is_maker = true;
    return vmem_object_commit(&memory->object, 0, shared_page_size());
}

// The maker seals when everything is mapped: what it maps later could not be written.
static VmemResult seal(const SharedMemory* memory) {
    if (!memory->seals) return VMEM_SUCCESS;
    VmemResult result = vmem_object_seal(&memory->object, memory->seals);
    return result == VMEM_ERROR_UNSUPPORTED ? VMEM_SUCCESS : result;
}

// After a failure the object is closed when the memory is destroyed. Core dumps contain the first mapping.
static VmemResult mirrored_reserve(const Backing* backing, size_t num_bytes, size_t align, const char* name,
                                   void** base) {
    SharedMemory* memory = of(backing);
    bool is_new = !memory->is_open;
    VmemResult result = is_new ? create(memory, name) : VMEM_SUCCESS;
    (void)align;
    if (result != VMEM_SUCCESS) return result;
    char* mapped = map(memory, is_new ? VMEM_READ_WRITE : VMEM_READ);
    if (!mapped) return explain_refusal();
    vmem_advise_dump(mapped, num_bytes, true);
    if (is_new) {
        *(SharedPage*)mapped = memory->facts;
        result = seal(memory);
    }
    if (result != VMEM_SUCCESS) {
        int error = system_error();
        unmap(memory, mapped);
        set_system_error(error);
        return result;
    }
    mapping_budget_charge(NUM_EXTRA_MAPPINGS);
    *base = mapped;
    return VMEM_SUCCESS;
}

static VmemResult mirrored_release(const Backing* backing, void* ptr, size_t num_reserved_bytes) {
    (void)num_reserved_bytes;
    VmemResult result = unmap(of(backing), ptr);
    if (result == VMEM_SUCCESS) mapping_budget_charge(-NUM_EXTRA_MAPPINGS);
    return result;
}

// What was attached has its memory.
static VmemResult mirrored_allocate(const Backing* backing, size_t offset, size_t num_bytes, size_t num_missing) {
    const SharedMemory* memory = of(backing);
    return memory->is_maker ? shared_memory_commit(memory, offset, num_bytes, num_missing) : VMEM_SUCCESS;
}

static size_t mirrored_count_allocated(const Backing* backing) {
    size_t size;
    return vmem_object_size(&of(backing)->object, &size) == VMEM_SUCCESS ? size : SIZE_MAX;
}

// Everything is accessible from the beginning.
static VmemResult mirrored_commit(const Backing* backing, void* ptr, size_t num_bytes) {
    (void)backing;
    (void)ptr;
    (void)num_bytes;
    return VMEM_SUCCESS;
}

void mirrored_memory_init(SharedMemory* memory) {
    Backing* backing = &memory->backing;
    backing->never_huge = "memory that is mapped twice has no huge pages";
    backing->always_inherited = "forked processes share memory that is mapped twice";
    backing->num_extra_mappings = NUM_EXTRA_MAPPINGS;
    backing->num_extra_bytes = data_size(memory);
    backing->reserve = mirrored_reserve;
    backing->release = mirrored_release;
    backing->allocate = mirrored_allocate;
    backing->count_allocated = mirrored_count_allocated;
    backing->commit = mirrored_commit;
    backing->undo_commit = mirrored_commit;
}

// --- the second mapping ---

static char* find_mirror(const SharedMemory* memory, void* base) { return (char*)base + mirrored_memory_size(memory); }

void mirrored_memory_prefault(const SharedMemory* memory, void* base, size_t offset, size_t num_bytes) {
    vmem_prefault(find_mirror(memory, base) + offset, num_bytes);
}

// --- in a forked child ---

bool mirrored_memory_make_readonly(const SharedMemory* memory, void* base) {
    size_t num_bytes = mirrored_memory_size(memory) + data_size(memory);
    return vmem_protect(base, num_bytes, VMEM_READ) == VMEM_SUCCESS;
}

static bool make_private(const SharedMemory* memory, void* base) {
    const VmemObject* object = &memory->object;
    size_t size = mirrored_memory_size(memory);
    return vmem_object_make_private(object, base, size, 0) == VMEM_SUCCESS &&
           vmem_object_make_private(object, find_mirror(memory, base), data_size(memory), shared_page_size()) ==
               VMEM_SUCCESS;
}

void* mirrored_memory_map_again(const SharedMemory* memory, void* base) {
    void* again = map(memory, VMEM_READ);
    if (!make_private(memory, base)) mirrored_memory_make_readonly(memory, base);
    if (!again) return base;
    mapping_budget_charge(1 + NUM_EXTRA_MAPPINGS);
    return again;
}

void mirrored_memory_unmap(const SharedMemory* memory, void* base) {
    if (unmap(memory, base) == VMEM_SUCCESS) mapping_budget_charge(-1 - NUM_EXTRA_MAPPINGS);
}
