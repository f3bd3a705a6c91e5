// Tests vmem.h on an unsupported system: built without the macros that name the system. Prints each check that fails,
// then "N checks, M failed".

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#define CHECK_UNSUPPORTED(call) CHECK((call) == VMEM_ERROR_UNSUPPORTED)
#define CHECK_REFUSED(call) CHECK((call) == VMEM_ERROR_INVALID_ARGUMENT)

static char memory[16384];

static void test_operations_are_unsupported(void) {
    char* page = (char*)vmem_align_forward((uintptr_t)memory, 4096);
    VmemRange range;
    size_t num_resident = 99;
    CHECK(vmem_reserve(4096) == NULL);
    CHECK(vmem_reserve_aligned(4096, 64) == NULL);
    CHECK(vmem_reserve_aligned(4096, 1 << 20) == NULL);
    CHECK_UNSUPPORTED(vmem_release(page, 4096));
    CHECK_UNSUPPORTED(vmem_commit(page, 1));
    CHECK_UNSUPPORTED(vmem_decommit(page, 1));
    CHECK_UNSUPPORTED(vmem_protect(page, 1, VMEM_READ));
    CHECK_UNSUPPORTED(vmem_flush_instruction_cache(page, 1));
    CHECK_UNSUPPORTED(vmem_discard(page, 1));
    CHECK_UNSUPPORTED(vmem_prefault(page, 1));
    CHECK_UNSUPPORTED(vmem_lock(page, 1));
    CHECK_UNSUPPORTED(vmem_lock_on_fault(page, 1));
    CHECK_UNSUPPORTED(vmem_unlock(page, 1));
    CHECK_UNSUPPORTED(vmem_advise_huge_pages(page, 1));
    CHECK_UNSUPPORTED(vmem_advise_fork(page, 1, VMEM_FORK_NONE));
    CHECK_UNSUPPORTED(vmem_advise_dump(page, 1, false));
    CHECK_UNSUPPORTED(vmem_set_name(page, 1, "name"));
    CHECK_UNSUPPORTED(vmem_count_resident(page, 1, &num_resident));
    CHECK_UNSUPPORTED(vmem_query(page, &range));
    CHECK(num_resident == 99);
}

static void test_objects_are_unsupported(void) {
    char* page = (char*)vmem_align_forward((uintptr_t)memory, 4096);
    VmemObject object = {7, -1, 0, 0, 8192, true}, before = object;
    size_t num_bytes = 99;
    unsigned seals = 99;
    intptr_t handle = 99;
    CHECK_UNSUPPORTED(vmem_object_create(&object, 1, NULL));
    CHECK_UNSUPPORTED(vmem_object_from_file(&object, 0, 1));
    CHECK_UNSUPPORTED(vmem_object_import(&object, 0));
    CHECK_UNSUPPORTED(vmem_object_export(&object, true, &handle));
    CHECK_UNSUPPORTED(vmem_object_size(&object, &num_bytes));
    CHECK_UNSUPPORTED(vmem_object_commit(&object, 0, 1));
    CHECK_UNSUPPORTED(vmem_object_seal(&object, VMEM_SEAL_SIZE));
    CHECK_UNSUPPORTED(vmem_object_get_seals(&object, &seals));
    CHECK_UNSUPPORTED(vmem_object_read(&object, &seals, 1, 0));
    CHECK(vmem_object_map(&object, 1, 0, VMEM_READ) == NULL);
    CHECK(vmem_object_map_aligned(&object, 1, 0, VMEM_READ, 1 << 20) == NULL);
    CHECK(vmem_object_map_mirrored(&object, 4096, 0, VMEM_READ_WRITE) == NULL);
    CHECK_UNSUPPORTED(vmem_object_unmap(page, 1));
    CHECK_UNSUPPORTED(vmem_object_unmap_mirrored(page, 4096, 0));
    CHECK_UNSUPPORTED(vmem_object_make_private(&object, page, 1, 0));
    CHECK_UNSUPPORTED(vmem_object_flush(&object, page, 1, true));
    CHECK_UNSUPPORTED(vmem_object_write(&object, page, 1, 0, 0));
    CHECK_UNSUPPORTED(vmem_object_resize(&object, 1));
    CHECK_UNSUPPORTED(vmem_object_resize_mapped(&object, page, &num_bytes, VMEM_READ, 1));
    CHECK_UNSUPPORTED(vmem_object_publish(&object, SIZE_MAX, 1));
    CHECK_UNSUPPORTED(vmem_object_get_published(&object, &num_bytes));
    CHECK_UNSUPPORTED(vmem_object_close(&object));
    CHECK(memcmp(&object, &before, sizeof object) == 0 && num_bytes == 99 && seals == 99 && handle == 99);
}

static void test_invalid_arguments_are_refused(void) {
    CHECK_REFUSED(vmem_release(NULL, 1));
    CHECK_REFUSED(vmem_commit(memory, 0));
    CHECK_REFUSED(vmem_protect(memory, 1, (VmemProtection)6));
    CHECK_REFUSED(vmem_advise_fork(memory, 1, (VmemFork)3));
    CHECK_REFUSED(vmem_set_name(memory, 1, "["));
    CHECK_REFUSED(vmem_count_resident(memory, 1, NULL));
    CHECK_REFUSED(vmem_query(memory, NULL));
    CHECK_REFUSED(vmem_get_memory_info(NULL));
    CHECK_REFUSED(vmem_get_address_space(NULL));
    CHECK_REFUSED(vmem_get_limits(NULL));
}

static void test_defaults(void) {
    VmemCapabilities capabilities = vmem_get_capabilities();
    VmemMemoryInfo info;
    VmemAddressSpace space;
    VmemLimits limits;
    memset(&info, 0xff, sizeof info);
    memset(&limits, 0, sizeof limits);
    CHECK(strcmp(capabilities.system, "other") == 0);
    CHECK(!capabilities.can_reserve && !capabilities.can_count_resident && !capabilities.can_advise_huge_pages);
    CHECK(!capabilities.can_set_name && !capabilities.can_query && !capabilities.can_lock_on_fault);
    CHECK(!capabilities.can_advise_fork && !capabilities.can_advise_dump);
    CHECK(!capabilities.can_share && !capabilities.can_seal && !capabilities.can_seal_writers);
    CHECK(!capabilities.can_map_mirrored && !capabilities.can_map_files && !capabilities.can_make_private);
    CHECK(!capabilities.object_size_is_exact);
    CHECK(vmem_get_page_size() == 4096);
    CHECK(vmem_get_allocation_granularity() == 4096);
    CHECK(vmem_get_huge_page_size() == 0);
    CHECK(vmem_get_memory_info(&info) == VMEM_SUCCESS);
    CHECK(info.total == 0 && info.available == 0);
    CHECK(vmem_get_address_space(&space) == VMEM_SUCCESS);
    CHECK(space.total == UINTPTR_MAX && space.used == 0 && space.limit == VMEM_UNLIMITED);
    CHECK(vmem_get_limits(&limits) == VMEM_SUCCESS);
    CHECK(limits.address_space_limit == VMEM_UNLIMITED && limits.address_space_used == 0);
    CHECK(limits.data_limit == VMEM_UNLIMITED && limits.data_used == 0);
    CHECK(limits.commit_limit == VMEM_UNLIMITED && limits.commit_used == 0);
    CHECK(limits.mapping_limit == VMEM_UNLIMITED && limits.mapping_used == 0);
    CHECK(limits.lock_limit == VMEM_UNLIMITED && limits.lock_used == 0);
    CHECK(limits.largest_commit == VMEM_UNLIMITED);
    CHECK(vmem_is_aligned(8192, 4096) && vmem_align_backward(8193, 4096) == 8192);
    CHECK(vmem_result_message(VMEM_ERROR_UNSUPPORTED) != NULL);
}

int main(void) {
    test_operations_are_unsupported();
    test_objects_are_unsupported();
    test_invalid_arguments_are_refused();
    test_defaults();
    return report();
}
