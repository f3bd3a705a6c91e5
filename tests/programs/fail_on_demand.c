// Makes system calls of the extension fail as tests/programs/refusals.py requests through ctypes.
#undef mprotect
#undef mlock
#undef calloc

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_CALLS 1024
#define KILL 1000  // in the place of an error: ends the process

static struct {
    bool is_armed;
    size_t num_calls;
    const char* calls[MAX_CALLS];
    int errors[MAX_CALLS];  // 0: success. Below 0: failure after half of the pages
    int half_error;         // of a call that is made for half of its pages
} demand;

// Gives the next calls these errors, and all calls after them `later_error`.
EXPORT void demand_arm(const int* errors, size_t num_errors, int later_error) {
    size_t i;
    for (i = 0; i < MAX_CALLS; i++) demand.errors[i] = i < num_errors ? errors[i] : later_error;
    demand.num_calls = 0;
    demand.half_error = 0;
    demand.is_armed = true;
}

// Returns the number of calls since.
EXPORT size_t demand_disarm(void) {
    demand.is_armed = false;
    return demand.num_calls;
}

EXPORT const char* demand_get_call(size_t index) { return demand.calls[index]; }

bool fails_on_demand(const char* call) {
    size_t index = demand.num_calls;
    if (!demand.is_armed || index == MAX_CALLS) return false;
    if (strcmp(call, "close") == 0) return false;  // failing would leak the file, and the result of close() is ignored
    demand.calls[index] = call;
    demand.num_calls++;
    if (demand.errors[index] == KILL) raise(SIGKILL);
    if (demand.errors[index] < 0) demand.half_error = -demand.errors[index];
    if (demand.errors[index] <= 0) return false;
    errno = demand.errors[index];
    return true;
}

// Takes the error of a call that must fail after half of its pages; 0 if it must not.
static int take_half(size_t* size) {
    int error = demand.half_error;
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    demand.half_error = 0;
    if (error) *size = *size / page_size / 2 * page_size;
    return error;
}

static int finish_half(int status, int error) {
    if (error == 0) return status;
    errno = error;
    return -1;
}

int mprotect_on_demand(void* ptr, size_t size, int protection) {
    int error = take_half(&size);
    return finish_half(mprotect(ptr, size, protection), error);
}

int mlock_on_demand(const void* ptr, size_t size) {
    int error = take_half(&size);
    return finish_half(mlock(ptr, size), error);
}

void* calloc_on_demand(size_t num_items, size_t size) {
    return fails_on_demand("calloc") ? NULL : calloc(num_items, size);
}
