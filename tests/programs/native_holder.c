// A consumer of Arrow arrays that knows nothing of Python. Built and called by tests/native/test_native_holds.py.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "types/arrow_c_data.h"

#define EXPORT __attribute__((visibility("default")))

static void move(struct ArrowArray* to, struct ArrowArray* from) {
    *to = *from;
    from->release = NULL;
}

static int64_t add_up(const struct ArrowArray* array) {
    const int32_t* items = array->buffers[1];
    int64_t sum = 0;
    for (int64_t i = 0; i < array->length; i++) sum += items[i];
    return sum;
}

// --- on another thread ---

typedef struct Work {
    struct ArrowArray* arrays;
    size_t num_arrays;
    size_t step;
    int64_t sum;
} Work;

static void* work_on(void* argument) {
    Work* work = argument;
    for (size_t i = 0; i < work->num_arrays; i += work->step) {
        work->sum += add_up(&work->arrays[i]);
        work->arrays[i].release(&work->arrays[i]);
    }
    return NULL;
}

// Adds up the items of all arrays, and releases these, on two threads that Python does not know.
EXPORT int64_t use_and_release(struct ArrowArray* arrays, size_t num_arrays) {
    Work works[2] = {{arrays, num_arrays, 2, 0}, {arrays + 1, num_arrays > 0 ? num_arrays - 1 : 0, 2, 0}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, work_on, &works[i]) != 0) abort();
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return works[0].sum + works[1].sum;
}

// --- after Python ---

static struct ArrowArray kept;

static void use_kept(void) {
    void* page = (void*)kept.buffers[1];
    unsigned char residency;
    printf("%lld\n", (long long)add_up(&kept));
    kept.release(&kept);
    printf("%s\n", mincore(page, 1, &residency) == 0 ? "mapped" : "unmapped");
    fflush(stdout);
}

// Moves an array here. It is used and released when the process ends, long after the interpreter.
EXPORT void keep_until_exit(struct ArrowArray* array) {
    move(&kept, array);
    atexit(use_kept);
}
