// Several threads work on disjoint pages of one reservation and on reservations of their own, all at once. Linux only.
// Prints each check that fails, then "N checks, M failed".
//
// Search for >>hook, >>workers, >>pages, >>reservations, >>shared, >>stacks, >>main.

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE  // strict C99 hides pthread_attr_setstack()
#endif

#include <stdbool.h>

static bool fails(const char* call);
#define VMEM_FAIL(call) fails(call)

#define VMEM_IMPLEMENTATION
#include "vmem.h"

#include <pthread.h>
#include <string.h>

#include "check.h"

// >>hook --------------------------------------------------------------------------------------------------------------

// A system call that older kernels lack, which fails then. Set only while no thread runs.
static const char* missing_call;

static bool fails(const char* call) {
    if (!missing_call || strcmp(call, missing_call) != 0) return false;
    errno = EINVAL;
    return true;
}

// >>workers -----------------------------------------------------------------------------------------------------------

#define NUM_WORKERS 4
#define NUM_PAGES 8  // of each worker

typedef struct Worker {
    pthread_t thread;
    char value;  // that it writes, different from those of all others
    char* base;  // of the pages that all work on
    int num_checks, failed_line;
} Worker;

static void note(Worker* worker, bool holds, int line) {
    worker->num_checks++;
    if (!holds && !worker->failed_line) worker->failed_line = line;
}

#define NOTE(expression) note(worker, (expression), __LINE__)

typedef void (*Work)(Worker* worker);
static Work current_work;
static int num_rounds = 20;
static pthread_mutex_t start = PTHREAD_MUTEX_INITIALIZER;

static void* run_worker(void* argument) {
    int round;
    pthread_mutex_lock(&start);  // until all have been created
    pthread_mutex_unlock(&start);
    for (round = 0; round < num_rounds; round++) current_work((Worker*)argument);
    return NULL;
}

static void run_workers(const char* name, Work work, char* base) {
    Worker workers[NUM_WORKERS];
    int i;
    memset(workers, 0, sizeof workers);
    current_work = work;
    pthread_mutex_lock(&start);
    for (i = 0; i < NUM_WORKERS; i++) {
        workers[i].value = (char)(i + 1);
        workers[i].base = base;
        REQUIRE(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0);
    }
    pthread_mutex_unlock(&start);
    for (i = 0; i < NUM_WORKERS; i++) {
        REQUIRE(pthread_join(workers[i].thread, NULL) == 0);
        CHECK(workers[i].num_checks > 0 && workers[i].failed_line == 0);
        if (workers[i].failed_line) printf("    in line %d, when workers %s\n", workers[i].failed_line, name);
    }
}

static size_t pages(size_t count) { return count * vmem_get_page_size(); }

// Whether the first byte has this value, and every other byte that of the one before.
static bool pages_are(const char* start_of_pages, size_t count, char value) {
    return start_of_pages[0] == value && memcmp(start_of_pages, start_of_pages + 1, pages(count) - 1) == 0;
}

// >>pages -------------------------------------------------------------------------------------------------------------

static bool page_is(const char* page, VmemState state, VmemProtection protection) {
    VmemRange range;
    if (vmem_query(page, &range) != VMEM_SUCCESS) return false;
    if ((uintptr_t)page < (uintptr_t)range.base || (uintptr_t)page - (uintptr_t)range.base >= range.size) return false;
    return range.state == state && range.protection == protection;
}

static void work_on_page(Worker* worker, char* page) {
    size_t num_resident = 0;
    NOTE(vmem_commit(page, 1) == VMEM_SUCCESS);
    NOTE(pages_are(page, 1, 0));
    memset(page, worker->value, pages(1));
    NOTE(vmem_commit(page, pages(1)) == VMEM_SUCCESS);
    NOTE(vmem_protect(page, 1, VMEM_READ) == VMEM_SUCCESS);
    NOTE(page_is(page, VMEM_COMMITTED, VMEM_READ));
    NOTE(pages_are(page, 1, worker->value));
    NOTE(vmem_protect(page, 1, VMEM_READ_WRITE) == VMEM_SUCCESS);
    NOTE(vmem_count_resident(page, 1, &num_resident) == VMEM_SUCCESS && num_resident == pages(1));
    NOTE(vmem_discard(page, 1) == VMEM_SUCCESS);
    NOTE(vmem_prefault(page, 1) == VMEM_SUCCESS);
    NOTE(pages_are(page, 1, 0));
    memset(page, worker->value, pages(1));
    NOTE(page_is(page, VMEM_COMMITTED, VMEM_READ_WRITE));
}

// Every page of a worker is between pages of others, so that all of them change the same mappings.
static char* page_of(const Worker* worker, size_t index) {
    return worker->base + pages(index * NUM_WORKERS + (size_t)worker->value - 1);
}

static void work_on_own_pages(Worker* worker) {
    size_t i;
    for (i = 0; i < NUM_PAGES; i++) work_on_page(worker, page_of(worker, i));
    for (i = 0; i < NUM_PAGES; i++) {
        NOTE(pages_are(page_of(worker, i), 1, worker->value));
        NOTE(vmem_decommit(page_of(worker, i), 1) == VMEM_SUCCESS);
        NOTE(page_is(page_of(worker, i), VMEM_RESERVED, VMEM_NO_ACCESS));
    }
}

static void test_disjoint_pages(void) {
    const size_t size = pages(NUM_PAGES * NUM_WORKERS);
    char* base = (char*)vmem_reserve(size);
    REQUIRE(base != NULL);
    run_workers("change pages", work_on_own_pages, base);
    CHECK(page_is(base, VMEM_RESERVED, VMEM_NO_ACCESS));
    CHECK(vmem_release(base, size) == VMEM_SUCCESS);
}

// >>reservations ------------------------------------------------------------------------------------------------------

static void work_on_own_reservations(Worker* worker) {
    const size_t align = pages(16);
    VmemLimits limits;
    VmemMemoryInfo info;
    char *plain = (char*)vmem_reserve(pages(3)), *aligned = (char*)vmem_reserve_aligned(pages(3), align);
    NOTE(plain != NULL && aligned != NULL && vmem_is_aligned((uintptr_t)aligned, align));
    if (!plain || !aligned) return;
    work_on_page(worker, plain + pages(1));
    work_on_page(worker, aligned + pages(2));
    NOTE(vmem_get_limits(&limits) == VMEM_SUCCESS && limits.mapping_used > 0);
    NOTE(vmem_get_memory_info(&info) == VMEM_SUCCESS && info.total > 0);
    NOTE(pages_are(plain + pages(1), 1, worker->value));
    NOTE(vmem_release(plain, pages(3)) == VMEM_SUCCESS);
    NOTE(vmem_release(aligned, pages(3)) == VMEM_SUCCESS);
}

static void test_own_reservations(void) { run_workers("reserve and release", work_on_own_reservations, NULL); }

// >>shared ------------------------------------------------------------------------------------------------------------

// Prefaulting must not change what another thread writes to the same page.
static void prefault_what_others_write(Worker* worker) {
    size_t i;
    for (i = 0; i < NUM_PAGES; i++) {
        char* byte = worker->base + pages(i) + worker->value;
        NOTE(*byte == 0);
        *byte = worker->value;
        NOTE(vmem_prefault(worker->base, pages(NUM_PAGES)) == VMEM_SUCCESS);
        NOTE(*byte == worker->value);
        *byte = 0;
    }
}

static void test_prefaulting_the_same_pages(void) {
    char* base = (char*)vmem_reserve(pages(NUM_PAGES));
    REQUIRE(base != NULL);
    REQUIRE(vmem_commit(base, pages(NUM_PAGES)) == VMEM_SUCCESS);
    run_workers("prefault", prefault_what_others_write, base);
    CHECK(pages_are(base, NUM_PAGES, 0));
    CHECK(vmem_release(base, pages(NUM_PAGES)) == VMEM_SUCCESS);
}

// >>stacks ------------------------------------------------------------------------------------------------------------

#define STACK_SIZE ((size_t)64 << 10)
#define MAX_STACK ((size_t)8 << 10)

static char* subject;  // one committed page

static void use_nothing(void) {}

static void use_pages(void) {
    vmem_commit(subject, 1);
    vmem_protect(subject, 1, VMEM_READ_WRITE);
    vmem_prefault(subject, 1);
    vmem_discard(subject, 1);
}

static void use_reservations(void) {
    char* base = (char*)vmem_reserve_aligned(1, (size_t)1 << 20);
    if (base) vmem_release(base, 1);
}

static void use_query(void) {
    VmemRange range;
    vmem_query(subject, &range);
}

static void use_count_resident(void) {
    size_t num_resident;
    vmem_count_resident(subject, 1, &num_resident);
}

static void use_limits(void) {
    VmemLimits limits;
    vmem_get_limits(&limits);
}

static void use_memory_info(void) {
    VmemMemoryInfo info;
    vmem_get_memory_info(&info);
}

static void use_capabilities(void) {
    vmem_get_capabilities();
    vmem_get_huge_page_size();
}

typedef void (*Use)(void);
static Use current_use;

static void* run_use(void* unused) {
    (void)unused;
    current_use();
    return NULL;
}

// Runs `use` in a thread on this stack, which grows down from its end, and counts the bytes from the lowest that was
// written to.
static size_t measure_stack(Use use, char* stack) {
    pthread_attr_t attributes;
    pthread_t thread;
    size_t unused = 0;
    current_use = use;
    memset(stack, 0x5a, STACK_SIZE);
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstack(&attributes, stack, STACK_SIZE) == 0);
    REQUIRE(pthread_create(&thread, &attributes, run_use, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
    while (unused < STACK_SIZE && stack[unused] == 0x5a) unused++;
    return STACK_SIZE - unused;
}

// The first call also takes the stack that the dynamic linker needs to find functions of the C library.
static void test_stacks(void) {
    static const Use uses[] = {use_pages,  use_reservations, use_query,       use_count_resident,
                               use_limits, use_memory_info,  use_capabilities};
    char* stack = (char*)vmem_reserve(STACK_SIZE);
    size_t of_nothing, of_use, i;
    REQUIRE(stack != NULL && vmem_commit(stack, STACK_SIZE) == VMEM_SUCCESS);
    subject = (char*)vmem_reserve(1);
    REQUIRE(subject != NULL && vmem_commit(subject, 1) == VMEM_SUCCESS);
    for (i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        measure_stack(uses[i], stack);
        of_nothing = measure_stack(use_nothing, stack);
        of_use = measure_stack(uses[i], stack);
        CHECK(of_use <= of_nothing + MAX_STACK);
    }
    CHECK(vmem_release(subject, 1) == VMEM_SUCCESS);
    CHECK(vmem_release(stack, STACK_SIZE) == VMEM_SUCCESS);
}

// >>main --------------------------------------------------------------------------------------------------------------

int main(int argc, char** argv) {
    (void)argv;
    setvbuf(stdout, NULL, _IONBF, 0);
    test_disjoint_pages();
    test_own_reservations();
    test_prefaulting_the_same_pages();
    if (argc == 1) test_stacks();  // sanitizers use stack too
    missing_call = "madvise";      // makes prefaulting touch every page
    vmem__linux_advice = 0;        // all threads find that out
    vmem__linux_objects = 0;
    test_prefaulting_the_same_pages();
    test_disjoint_pages();
    missing_call = "ioctl";  // makes queries read /proc/self/maps, which takes long
    vmem__linux_advice = 0;
    num_rounds = 4;
    test_disjoint_pages();
    return report();
}
