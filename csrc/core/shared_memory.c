#include "core/shared_memory.h"

#include <stdlib.h>
#ifndef _WIN32
#include <fcntl.h>
#endif

#include "core/errors.h"
#include "core/mapping_budget.h"

static SharedMemory* of(const Backing* backing) {
    return (SharedMemory*)backing;  // was not made as a constant
}

// A capacity of nothing is mapped too: its address is asked for.
static size_t find_data_size(const SharedMemory* memory) {
    size_t num_bytes = (size_t)memory->facts.num_bytes;
    return vmem_align_forward(num_bytes > 0 ? num_bytes : 1, vmem_get_page_size());
}

static size_t data_offset(const SharedMemory* memory) { return (size_t)memory->facts.data_offset; }

// --- the first page ---

void shared_memory_unmap_page(SharedMemory* memory) {
    if (!memory->page) return;
    if (vmem_object_unmap(memory->page, shared_page_size()) == VMEM_SUCCESS) mapping_budget_charge(-1);
    memory->page = NULL;
}

static VmemResult map_page(SharedMemory* memory, size_t num_bytes, VmemProtection protection) {
    memory->page = vmem_object_map(&memory->object, num_bytes, 0, protection);
    if (!memory->page) return result_of_reserve(system_error());
    mapping_budget_charge(1);
    return VMEM_SUCCESS;
}

// What the system answers for want of memory must not be taken for want of addresses, which reserving asks for too.
static VmemResult about_memory(VmemResult result) {
    if (result == VMEM_ERROR_OUT_OF_MEMORY && system_error() == NO_MEMORY) set_system_error(NO_SPACE);
    return result;
}

static VmemResult create_object(SharedMemory* memory, const char* name) {
    VmemResult result = vmem_object_create(&memory->object, data_offset(memory) + find_data_size(memory), name);
    memory->is_open = memory->is_maker = result == VMEM_SUCCESS;
    return about_memory(result);
}

// --- the data ---

// A page that stays mapped is in one mapping with the data. That takes half the time of two, and the data that has no
// memory yet faults all the same, where the system has objects that grow.
static VmemResult map_with_page(SharedMemory* memory, VmemProtection protection, void** data) {
    VmemResult result = map_page(memory, data_offset(memory) + find_data_size(memory), protection);
    if (result == VMEM_SUCCESS) *data = (char*)memory->page + data_offset(memory);
    return result;
}

static VmemResult map_data(SharedMemory* memory, size_t align, void** data) {
    *data = vmem_object_map_aligned(&memory->object, find_data_size(memory), data_offset(memory), memory->protection,
                                    align);
    return *data ? VMEM_SUCCESS : result_of_reserve(system_error());
}

static VmemResult unmap_data(SharedMemory* memory, void* data) {
    size_t size = find_data_size(memory);
    if (!memory->keeps_page || !memory->page) return vmem_object_unmap(data, size);
    VmemResult result = vmem_object_unmap(memory->page, data_offset(memory) + size);
    if (result != VMEM_SUCCESS) return result;
    mapping_budget_charge(-1);
    memory->page = NULL;
    return VMEM_SUCCESS;
}

// --- opening and closing ---

static void close_object(SharedMemory* memory) {
    shared_memory_unmap_page(memory);
    if (memory->is_open) vmem_object_close(&memory->object);  // closes no number that is somebody else's by now
    memory->is_open = false;
}

// Leaves nothing behind, and the system's error code as it is.
static VmemResult fail(SharedMemory* memory, void* base, VmemResult result) {
    int error = system_error();
    if (base) unmap_data(memory, base);
    close_object(memory);
    set_system_error(error);
    return result;
}

static VmemResult seal(const SharedMemory* memory) {
    if (!memory->seals) return VMEM_SUCCESS;
    VmemResult result = vmem_object_seal(&memory->object, memory->seals);
    return result == VMEM_ERROR_UNSUPPORTED ? VMEM_SUCCESS : result;
}

// The maker seals when everything is mapped: what it maps later could not be written.
static VmemResult make(SharedMemory* memory, size_t align, const char* name, void** data) {
    VmemResult result = create_object(memory, name);
    if (result == VMEM_SUCCESS) result = about_memory(vmem_object_commit(&memory->object, 0, shared_page_size()));
    if (result == VMEM_SUCCESS && !memory->keeps_page) result = map_data(memory, align, data);
    if (result == VMEM_SUCCESS)
        result = memory->keeps_page ? map_with_page(memory, VMEM_READ_WRITE, data)
                                    : map_page(memory, shared_page_size(), VMEM_READ_WRITE);
    if (result != VMEM_SUCCESS) return result;
    *memory->page = memory->facts;
    if (!memory->keeps_page) shared_memory_unmap_page(memory);
    return seal(memory);
}

static VmemResult shared_reserve(const Backing* backing, size_t num_bytes, size_t align, const char* name,
                                 void** base) {
    SharedMemory* memory = of(backing);
    VmemResult result;
    void* data = NULL;
    (void)num_bytes;  // those of the facts
    if (!memory->is_open)
        result = make(memory, align, name, &data);
    else if (memory->keeps_page)
        result = map_with_page(memory, memory->protection, &data);
    else
        result = map_data(memory, align, &data);
    if (result != VMEM_SUCCESS) return fail(memory, data, result);
    *base = data;
    return VMEM_SUCCESS;
}

static VmemResult shared_release(const Backing* backing, void* ptr, size_t num_reserved_bytes) {
    (void)num_reserved_bytes;
    VmemResult result = unmap_data(of(backing), ptr);
    if (result == VMEM_SUCCESS) close_object(of(backing));
    return result;
}

static void shared_destroy(const Backing* backing) { shared_memory_free(of(backing)); }

// --- committing ---

// Making memory takes its time, so large requests can be compared with what there is: what does not fit may end this
// process, or another one, instead of failing.
#define LARGE_REQUEST ((size_t)8 << 20)

static bool is_more_than_there_is(size_t num_bytes) {
    VmemMemoryInfo info;
    vmem_get_memory_info(&info);
    return info.available > 0 && num_bytes > info.available && num_bytes - info.available > get_free_swap();
}

VmemResult shared_memory_commit(const SharedMemory* memory, size_t offset, size_t num_bytes, size_t num_missing) {
    if (num_missing >= LARGE_REQUEST && is_more_than_there_is(num_missing)) {
        set_system_error(NO_MEMORY);
        return VMEM_ERROR_OUT_OF_MEMORY;
    }
    return vmem_object_commit(&memory->object, offset, num_bytes);
}

static VmemResult shared_allocate(const Backing* backing, size_t offset, size_t num_bytes, size_t num_missing) {
    return shared_memory_commit(of(backing), data_offset(of(backing)) + offset, num_bytes, num_missing);
}

// The size is never less than what there is within it.
static size_t shared_count_allocated(const Backing* backing) {
    const SharedMemory* memory = of(backing);
    uint64_t num_bytes = get_file_memory(memory->object.handle);
    size_t size = SIZE_MAX;
    if (num_bytes == UINT64_MAX && vmem_object_size(&memory->object, &size) == VMEM_SUCCESS) num_bytes = size;
    if (num_bytes <= data_offset(memory)) return 0;
    return num_bytes < SIZE_MAX ? (size_t)num_bytes - data_offset(memory) : SIZE_MAX;
}

// Core dumps contain what is committed, as they do of private memory.
bool shared_memory_include_in_dumps(const SharedMemory* memory, void* ptr, size_t num_bytes) {
    bool is_secret = memory->facts.flags & SHARED_PAGE_SECRET;
    return !is_secret && vmem_advise_dump(ptr, num_bytes, true) == VMEM_SUCCESS;
}

static VmemResult shared_commit(const Backing* backing, void* ptr, size_t num_bytes) {
    VmemResult result = vmem_protect(ptr, num_bytes, VMEM_READ_WRITE);
    if (result == VMEM_SUCCESS) shared_memory_include_in_dumps(of(backing), ptr, num_bytes);
    return result;
}

static VmemResult shared_undo_commit(const Backing* backing, void* ptr, size_t num_bytes) {
    (void)backing;
    VmemResult result = vmem_protect(ptr, num_bytes, VMEM_NO_ACCESS);
    vmem_advise_dump(ptr, num_bytes, false);
    return result;
}

static VmemResult shared_count_resident(const Backing* backing, const void* ptr, size_t num_bytes,
                                        size_t* num_resident) {
    (void)backing;
    return vmem_count_resident(ptr, num_bytes, num_resident);
}

static const Backing SHARED_MEMORY = {
    .never_huge = "shared memory has no huge pages",
    .always_inherited = "forked processes share shared memory",
    .never_given_back =
        "it is shared, and a page that was given back could end another process that reads it. The memory is given "
        "back when the last process has released it",
    .num_extra_mappings = 1,
    .reserve = shared_reserve,
    .release = shared_release,
    .allocate = shared_allocate,
    .count_allocated = shared_count_allocated,
    .commit = shared_commit,
    .undo_commit = shared_undo_commit,
    .count_resident = shared_count_resident,
    .destroy = shared_destroy,
};

// --- making ---

static SharedMemory* allocate_record(void) {
    SharedMemory* memory = malloc(sizeof(SharedMemory));
    if (memory) *memory = (SharedMemory){.backing = SHARED_MEMORY};
    return memory;
}

SharedMemory* shared_memory_new(const SharedPage* facts, unsigned seals, bool keeps_page) {
    SharedMemory* memory = allocate_record();
    if (!memory) {
        PyErr_NoMemory();
        return NULL;
    }
    memory->facts = *facts;
    memory->seals = seals;
    memory->keeps_page = keeps_page;
    return memory;
}

void shared_memory_free(SharedMemory* memory) {
    close_object(memory);
    free(memory);
}

// --- attaching ---

static const OwnerKind SHARED = {
    .noun = "shared memory",
    .article = "",
    .reserved_for = "",
    .when_addresses_run_out = "release what is not needed",
    .when_mappings_run_out = "release what is not needed",
    .when_commit_runs_out_of_mappings = "release what is not needed",
};

// What is being attached, and where refusals are to be raised.
typedef struct Attaching {
    SharedMemory* memory;
    intptr_t handle;
    PyObject* out_of_memory_error;
} Attaching;

static int raise_not_an_object(const Attaching* attaching) {
    PyErr_Format(PyExc_ValueError, "cannot attach descriptor %zd: it is not that of shared memory of vmem",
                 (Py_ssize_t)attaching->handle);
    return -1;
}

static int raise_failed(const Attaching* attaching, VmemResult result, size_t new_addresses) {
    int error = system_error();
    Request request = {.kind = REQUEST_ATTACH,
                       .verb = "attach",
                       .owner_kind = &SHARED,
                       .backing = &SHARED_MEMORY,
                       .handle = attaching->handle,
                       .new_addresses = new_addresses};
    raise_refused(attaching->out_of_memory_error, &request, result, error);
    return -1;
}

static int raise_no_access(const Attaching* attaching, const char* refusal) {
    int error = system_error();
    PyObject* what = PyUnicode_FromFormat("cannot attach descriptor %zd", (Py_ssize_t)attaching->handle);
    raise_system_error(what, refusal, error);
    return -1;
}

static int import_object(const Attaching* attaching) {
    SharedMemory* memory = attaching->memory;
    set_system_error(0);  // where the descriptor is examined and refused, nothing sets it
    VmemResult result = vmem_object_import(&memory->object, attaching->handle);
    memory->is_open = result == VMEM_SUCCESS;
    if (memory->is_open) return 0;
    if (system_error() == BAD_HANDLE && is_path_descriptor(attaching->handle))
        return raise_no_access(attaching, "it was opened with O_PATH, and gives no access to memory");
    bool is_other = result == VMEM_ERROR_INVALID_ARGUMENT && system_error() != BAD_HANDLE;
    return is_other ? raise_not_an_object(attaching) : raise_failed(attaching, result, 0);
}

// A descriptor that was opened for reading would let commits fail later.
static int check_writable(const Attaching* attaching) {
    VmemResult result = map_page(attaching->memory, shared_page_size(), VMEM_READ_WRITE);
    if (result == VMEM_ERROR_ACCESS_DENIED)
        return raise_no_access(attaching, "it was opened for reading only, and a region is written");
    if (result != VMEM_SUCCESS) return raise_failed(attaching, result, shared_page_size());
    shared_memory_unmap_page(attaching->memory);
    return 0;
}

// Threads that do this at the same time set the same number, or a later one.
static void set_known_bytes(SharedMemory* memory, size_t object_size) {
    if (object_size <= data_offset(memory)) return;
    counter_set(&memory->known_bytes, (Py_ssize_t)(object_size - data_offset(memory)));
}

// Reads the first page of an object that cannot shrink, where the system can tell: else another process could take the
// page away once it is mapped.
static int read_page(const Attaching* attaching, unsigned possible_seals) {
    SharedMemory* memory = attaching->memory;
    unsigned seals = 0;
    size_t size = 0;
    VmemResult result = vmem_object_get_seals(&memory->object, &seals);
    if (result == VMEM_SUCCESS) result = vmem_object_size(&memory->object, &size);
    if (result != VMEM_SUCCESS) return raise_failed(attaching, result, 0);
    bool can_shrink = possible_seals && !(seals & VMEM_SEAL_SIZE);
    if (can_shrink || size < shared_page_size()) return raise_not_an_object(attaching);
    result = vmem_object_read(&memory->object, &memory->facts, sizeof(SharedPage), 0);
    if (result != VMEM_SUCCESS) return raise_failed(attaching, result, shared_page_size());
    if (shared_page_check(&memory->facts, seals, possible_seals) < 0) return -1;
    set_known_bytes(memory, size);
    return memory->facts.kind == SHARED_REGION ? check_writable(attaching) : 0;
}

SharedMemory* shared_memory_attach(intptr_t handle, unsigned possible_seals, PyObject* out_of_memory_error) {
    SharedMemory* memory = allocate_record();
    Attaching attaching = {memory, handle, out_of_memory_error};
    if (!memory) {
        PyErr_NoMemory();
        return NULL;
    }
    if (import_object(&attaching) < 0 || read_page(&attaching, possible_seals) < 0) {
        shared_memory_free(memory);
        return NULL;
    }
    memory->object.max_bytes = data_offset(memory) + find_data_size(memory);
    return memory;
}

// A size that cannot be found out, because the descriptor was closed, stays as it is.
static size_t find_known_bytes(SharedMemory* memory) {
    size_t size;
    if (vmem_object_size(&memory->object, &size) == VMEM_SUCCESS) set_known_bytes(memory, size);
    return (size_t)counter_get(&memory->known_bytes);
}

static bool is_same_object(const VmemObject* one, const VmemObject* other) {
    return one->device == other->device && one->inode == other->inode;
}

// The number can have become that of other memory, of anybody's.
SharedMemory* shared_memory_attach_again(const SharedMemory* memory) {
    SharedMemory* again = memory->is_open ? allocate_record() : NULL;
    if (!again) return NULL;
    again->is_open = vmem_object_import(&again->object, memory->object.handle) == VMEM_SUCCESS;
    if (!again->is_open || !is_same_object(&again->object, &memory->object)) {
        shared_memory_free(again);
        return NULL;
    }
    again->object.max_bytes = memory->object.max_bytes;
    again->facts = memory->facts;
    find_known_bytes(again);
    return again;
}

// --- forked children ---

// A copy as an object of its own, which takes the place of the original in one call: nothing is lost when that is refused.
static VmemResult replace_by_object(const char* ptr, size_t num_bytes) {
    VmemObject object;
    VmemResult result = vmem_object_create(&object, num_bytes, NULL);
    if (result != VMEM_SUCCESS) return result;
    result = vmem_object_commit(&object, 0, num_bytes);
    char* copy = result == VMEM_SUCCESS ? vmem_object_map(&object, num_bytes, 0, VMEM_READ_WRITE) : NULL;
    if (copy) {
        memcpy(copy, ptr, num_bytes);
        vmem_object_unmap(copy, num_bytes);
        result = vmem_object_make_private(&object, (void*)ptr, num_bytes, 0);
    } else if (result == VMEM_SUCCESS) {
        result = VMEM_ERROR_OUT_OF_MEMORY;
    }
    vmem_object_close(&object);
    return result;
}

// The same where the system has no private mappings of objects. Memory for two copies is taken first, so that there is
// some for the second when the original is gone.
static VmemResult replace_by_memory(char* ptr, size_t num_bytes) {
    char* copy = vmem_reserve(2 * num_bytes);
    if (!copy) return VMEM_ERROR_OUT_OF_MEMORY;
    VmemResult result = vmem_commit(copy, 2 * num_bytes);
    if (result == VMEM_SUCCESS) {
        memcpy(copy, ptr, num_bytes);
        result = vmem_decommit(ptr, num_bytes);
    }
    if (result == VMEM_SUCCESS) {
        vmem_decommit(copy + num_bytes, num_bytes);
        result = vmem_commit(ptr, num_bytes);
    }
    if (result == VMEM_SUCCESS) memcpy(ptr, copy, num_bytes);
    vmem_release(copy, 2 * num_bytes);
    return result;
}

VmemResult shared_memory_replace(char* ptr, size_t num_bytes) {
    VmemResult result = replace_by_object(ptr, num_bytes);
    return result == VMEM_ERROR_UNSUPPORTED ? replace_by_memory(ptr, num_bytes) : result;
}

// Returns where the private pages end. Where the descriptor was closed, the object itself makes none.
static size_t make_private(SharedMemory* memory, char* base, size_t exported_end, size_t readable_end) {
    size_t end = readable_end;
    if (readable_end == 0) return 0;
    VmemResult result = vmem_object_make_private(&memory->object, base, readable_end, data_offset(memory));
    if (result != VMEM_SUCCESS) {
        end = exported_end;
        if (exported_end == 0) return 0;
        result = shared_memory_replace(base, exported_end);
    }
    if (result != VMEM_SUCCESS) return 0;
    shared_memory_include_in_dumps(memory, base, end);
    return end;
}

// Where the first page is in one mapping with the data, a part of a mapping is unmapped, and the rest when it is released:
// more than vmem.h promises, but munmap() does that, and systems without it do not fork.
size_t shared_memory_isolate(SharedMemory* memory, char* base, size_t size, size_t exported_end, size_t readable_end) {
    shared_memory_unmap_page(memory);
    size_t own_end = make_private(memory, base, exported_end, readable_end);
    if (own_end < readable_end) vmem_protect(base + own_end, readable_end - own_end, VMEM_READ);
    if (readable_end < size) vmem_protect(base + readable_end, size - readable_end, VMEM_NO_ACCESS);
    mapping_budget_charge(own_end > 0 && own_end < readable_end ? 2 : 1);
    return own_end;
}

// --- the system ---

// Seals an object that has no memory. Systems without seals leave `*seals` 0.
static VmemResult try_seals(unsigned* seals) {
    VmemObject object;
    VmemResult result = vmem_object_create(&object, vmem_get_page_size(), NULL);
    if (result != VMEM_SUCCESS) return result;
    result = vmem_object_seal(&object, VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS);
    if (result == VMEM_SUCCESS || result == VMEM_ERROR_UNSUPPORTED) result = vmem_object_get_seals(&object, seals);
    int error = system_error();
    vmem_object_close(&object);
    set_system_error(error);
    return result;
}

int shared_memory_find_seals(unsigned* seals, PyObject* out_of_memory_error) {
    VmemResult result = try_seals(seals);
    if (result == VMEM_SUCCESS && vmem_get_capabilities().can_share) return 0;
    if (result == VMEM_SUCCESS) {
        PyErr_SetString(PyExc_NotImplementedError, "cannot share memory: this system lacks calls that it takes");
    } else {
        int error = system_error();
        Request request = {.kind = REQUEST_SHARE, .verb = "share", .owner_kind = &SHARED, .backing = &SHARED_MEMORY};
        raise_refused(out_of_memory_error, &request, result, error);
    }
    return -1;
}

SharedMemory* shared_memory_of(const Backing* backing) {
    return backing && backing->destroy == shared_destroy ? of(backing) : NULL;
}

// --- using ---

int shared_memory_get_handle(const SharedMemory* memory, intptr_t* handle) {
    VmemObject object = memory->object;
    size_t size;
    if (memory->facts.kind != SHARED_REGION && object.reader != -1) object.handle = object.reader;
    VmemResult result = vmem_object_size(&object, &size);
    if (result != VMEM_SUCCESS) {
        int error = system_error();
        PyObject* what = PyUnicode_FromFormat("cannot get descriptor %zd of shared memory", (Py_ssize_t)object.handle);
        raise_system_error(what, describe_refusal(result, error), error);
        return -1;
    }
    *handle = object.handle;
    return 0;
}

size_t shared_memory_load_length(SharedMemory* memory, size_t item_size, size_t capacity) {
    size_t length = shared_page_load_length(memory->page);
    if (length > capacity) length = capacity;
    if (length > (size_t)counter_get(&memory->known_bytes) / item_size) {
        size_t known = find_known_bytes(memory) / item_size;
        if (length > known) length = known;
    }
    return length;
}

#ifdef _WIN32
bool shared_memory_is_committed(const char* bytes, size_t num_bytes) {
    const char* end = bytes + num_bytes;
    VmemRange range;
    for (; bytes < end; bytes = (const char*)range.base + range.size)
        if (vmem_query(bytes, &range) != VMEM_SUCCESS || range.state != VMEM_COMMITTED) return false;
    return true;
}
#else
bool shared_memory_is_committed(const char* bytes, size_t num_bytes) {
    (void)bytes;
    (void)num_bytes;
    return false;
}
#endif
