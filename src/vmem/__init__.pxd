# The declarations that Cython modules get by `cimport vmem`: those of vmem.h and vmem_arena.h, whose implementation one
# source file of the module must contain (define_macros=[("VMEM_IMPLEMENTATION", None)]), and those of vmem_python.h, which
# needs no macro. The headers, in vmem.get_include(), document them.

from libc.stdint cimport intptr_t, uint64_t, uintptr_t

cdef extern from "vmem.h" nogil:
    ctypedef enum VmemResult:
        VMEM_SUCCESS
        VMEM_ERROR_INVALID_ARGUMENT
        VMEM_ERROR_OUT_OF_MEMORY
        VMEM_ERROR_ACCESS_DENIED
        VMEM_ERROR_UNSUPPORTED
        VMEM_ERROR_SYSTEM
        VMEM_DECOMMIT_INCOMPLETE

    ctypedef enum VmemProtection:
        VMEM_NO_ACCESS
        VMEM_READ
        VMEM_READ_WRITE
        VMEM_EXECUTE
        VMEM_READ_EXECUTE
        VMEM_READ_WRITE_EXECUTE

    ctypedef enum VmemFork:
        VMEM_FORK_COPY
        VMEM_FORK_NONE
        VMEM_FORK_ZERO

    ctypedef enum VmemState:
        VMEM_FREE
        VMEM_RESERVED
        VMEM_COMMITTED

    ctypedef enum VmemSeal:
        VMEM_SEAL_SIZE
        VMEM_SEAL_WRITERS

    ctypedef struct VmemRange:
        void* base
        size_t size
        VmemState state
        VmemProtection protection

    ctypedef struct VmemCapabilities:
        const char* system
        bint can_reserve
        bint can_count_resident
        bint can_advise_huge_pages
        bint can_set_name
        bint can_query
        bint tells_available_memory
        bint tells_mapping_limit
        bint commit_is_a_promise
        bint calls_span_reservations
        bint discard_can_lose_commit
        bint discard_unlocks
        bint can_lock_on_fault
        bint can_advise_fork
        bint can_advise_dump
        bint can_share
        bint can_seal
        bint can_seal_writers
        bint can_map_mirrored
        bint can_map_files
        bint object_size_is_exact
        bint can_make_private

    ctypedef struct VmemLimits:
        uint64_t address_space_limit
        uint64_t address_space_used
        uint64_t data_limit
        uint64_t data_used
        uint64_t commit_limit
        uint64_t commit_used
        uint64_t largest_commit
        uint64_t mapping_limit
        uint64_t mapping_used
        uint64_t lock_limit
        uint64_t lock_used

    ctypedef struct VmemMemoryInfo:
        uint64_t total
        uint64_t available

    ctypedef struct VmemAddressSpace:
        uint64_t total
        uint64_t used
        uint64_t limit

    ctypedef struct VmemObject:
        intptr_t handle
        intptr_t reader
        uint64_t device, inode
        size_t max_bytes
        bint is_file

    uint64_t VMEM_UNLIMITED

    void* vmem_reserve(size_t num_bytes)
    void* vmem_reserve_aligned(size_t num_bytes, size_t align)
    VmemResult vmem_release(void* ptr, size_t num_reserved_bytes)
    VmemResult vmem_commit(void* ptr, size_t num_bytes)
    VmemResult vmem_decommit(void* ptr, size_t num_bytes)
    VmemResult vmem_protect(void* ptr, size_t num_bytes, VmemProtection protection)
    VmemResult vmem_flush_instruction_cache(void* ptr, size_t num_bytes)
    VmemResult vmem_discard(void* ptr, size_t num_bytes)
    VmemResult vmem_prefault(void* ptr, size_t num_bytes)
    VmemResult vmem_lock(void* ptr, size_t num_bytes)
    VmemResult vmem_lock_on_fault(void* ptr, size_t num_bytes)
    VmemResult vmem_unlock(void* ptr, size_t num_bytes)
    VmemResult vmem_advise_huge_pages(void* ptr, size_t num_bytes)
    VmemResult vmem_advise_fork(void* ptr, size_t num_bytes, VmemFork inheritance)
    VmemResult vmem_advise_dump(void* ptr, size_t num_bytes, bint is_dumped)
    VmemResult vmem_set_name(void* ptr, size_t num_bytes, const char* name)
    VmemResult vmem_count_resident(const void* ptr, size_t num_bytes, size_t* num_resident)
    VmemResult vmem_query(const void* ptr, VmemRange* range)
    VmemResult vmem_object_create(VmemObject* object, size_t max_bytes, const char* name)
    VmemResult vmem_object_from_file(VmemObject* object, intptr_t file, size_t max_bytes)
    VmemResult vmem_object_import(VmemObject* object, intptr_t handle)
    VmemResult vmem_object_export(const VmemObject* object, bint writable, intptr_t* handle)
    VmemResult vmem_object_close(VmemObject* object)
    VmemResult vmem_object_size(const VmemObject* object, size_t* num_bytes)
    VmemResult vmem_object_commit(const VmemObject* object, size_t offset, size_t num_bytes)
    VmemResult vmem_object_seal(const VmemObject* object, unsigned seals)
    VmemResult vmem_object_get_seals(const VmemObject* object, unsigned* seals)
    VmemResult vmem_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset)
    void* vmem_object_map(const VmemObject* object, size_t num_bytes, size_t offset, VmemProtection protection)
    void* vmem_object_map_aligned(const VmemObject* object, size_t num_bytes, size_t offset, VmemProtection protection, size_t align)
    VmemResult vmem_object_unmap(void* ptr, size_t num_bytes)
    void* vmem_object_map_mirrored(const VmemObject* object, size_t num_bytes, size_t num_head_bytes, VmemProtection protection)
    VmemResult vmem_object_unmap_mirrored(void* ptr, size_t num_bytes, size_t num_head_bytes)
    VmemResult vmem_object_make_private(const VmemObject* object, void* ptr, size_t num_bytes, size_t offset)
    VmemResult vmem_object_flush(const VmemObject* object, void* ptr, size_t num_bytes, bint durable)
    VmemResult vmem_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset, size_t min_size)
    VmemResult vmem_object_resize(const VmemObject* object, size_t num_bytes)
    VmemResult vmem_object_resize_mapped(const VmemObject* object, void* ptr, size_t* num_mapped_bytes, VmemProtection protection, size_t num_bytes)
    VmemResult vmem_object_publish(VmemObject* object, size_t before, size_t num_bytes)
    VmemResult vmem_object_get_published(VmemObject* object, size_t* num_bytes)
    VmemCapabilities vmem_get_capabilities()
    size_t vmem_get_page_size()
    size_t vmem_get_allocation_granularity()
    size_t vmem_get_huge_page_size()
    VmemResult vmem_get_memory_info(VmemMemoryInfo* info)
    VmemResult vmem_get_address_space(VmemAddressSpace* space)
    VmemResult vmem_get_limits(VmemLimits* limits)
    uintptr_t vmem_align_forward(uintptr_t address, size_t align)
    uintptr_t vmem_align_backward(uintptr_t address, size_t align)
    bint vmem_is_aligned(uintptr_t address, size_t align)
    const char* vmem_result_message(VmemResult result)

cdef extern from "vmem_arena.h" nogil:
    ctypedef struct VmemArena:
        char* base
        size_t max_bytes
        size_t num_used
        size_t num_committed
        size_t num_dirty

    VmemResult vmem_arena_init(VmemArena* arena, size_t max_bytes)
    void* vmem_arena_alloc(VmemArena* arena, size_t num_bytes, size_t align)
    void* vmem_arena_alloc_items(VmemArena* arena, size_t num_items, size_t item_size, size_t align)
    void* vmem_arena_alloc_dirty(VmemArena* arena, size_t num_bytes, size_t align)
    size_t vmem_arena_mark(const VmemArena* arena)
    VmemResult vmem_arena_rewind(VmemArena* arena, size_t mark)
    VmemResult vmem_arena_trim(VmemArena* arena)
    VmemResult vmem_arena_release(VmemArena* arena)

cdef extern from "vmem_python.h":
    ctypedef struct VmemRing:
        void* handle
        size_t item_size
        size_t capacity
        const char* typecode

    ctypedef struct VmemPythonApi:
        int version
        size_t struct_size
        bint (*is_region)(object)
        int (*get_addresses)(object region, void** address, size_t* num_bytes) except -1
        int (*is_committed)(object region, size_t offset, size_t num_bytes) except -1
        object (*pin)(object region, size_t offset, size_t num_bytes, int writable, void** address)
        bint (*is_ring)(object)
        object (*ring_claim)(object ring, VmemRing* claimed)
        void* (*ring_prepare)(VmemRing* claimed, size_t num_items) nogil
        int (*ring_advance)(VmemRing* claimed, size_t num_items) nogil
        int (*ring_write)(VmemRing* claimed, const void* items, size_t num_items) nogil

    int VMEM_PYTHON_API_VERSION
    const char* VMEM_PYTHON_API_NAME

    const VmemPythonApi* vmem_import_python_api() except NULL
