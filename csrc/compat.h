// The one place for what differs between Python versions and builds.
#ifndef VMEM_COMPAT_H
#define VMEM_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <structmember.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#include <unistd.h>
#endif

// Locking. With a GIL the GIL orders everything and nothing else is paid for. Free-threaded builds take the object's
// critical section. What stands between the two must not return.
#ifdef Py_GIL_DISABLED
#define VMEM_LOCK(object) Py_BEGIN_CRITICAL_SECTION(object)
#define VMEM_UNLOCK() Py_END_CRITICAL_SECTION()
#define VMEM_LOCK2(one, other) Py_BEGIN_CRITICAL_SECTION2(one, other)
#define VMEM_UNLOCK2() Py_END_CRITICAL_SECTION2()
#else
#define VMEM_LOCK(object) {
#define VMEM_UNLOCK() }
#define VMEM_LOCK2(one, other) {
#define VMEM_UNLOCK2() }
#endif

// A list's item as a reference of one's own: other threads may change the list. NULL with IndexError.
#ifdef Py_GIL_DISABLED
#define list_get_item(list, index) PyList_GetItemRef(list, index)
#else
#define list_get_item(list, index) Py_XNewRef(PyList_GetItem(list, index))
#endif

// What tells `match` that a type is a sequence. Limited API 3.11 does not name it, but every interpreter knows it.
#define VMEM_TPFLAGS_SEQUENCE (1UL << 5)

// Module slots that the headers of limited API 3.11 do not name, but that newer interpreters ask for.
#define VMEM_SLOT_MULTIPLE_INTERPRETERS 3  // Py_mod_multiple_interpreters, from 3.12 on
#define VMEM_PER_INTERPRETER_GIL ((void*)2)
#define VMEM_SLOT_GIL 4  // Py_mod_gil, from 3.13 on
#define VMEM_GIL_NOT_USED ((void*)1)

// A counter that threads of several interpreters may change at once. counter_add() returns what it is after the change.
#ifdef _MSC_VER
static inline Py_ssize_t counter_get(const Py_ssize_t* counter) { return *(volatile const Py_ssize_t*)counter; }
static inline void counter_set(Py_ssize_t* counter, Py_ssize_t value) { *(volatile Py_ssize_t*)counter = value; }
static inline Py_ssize_t counter_add(Py_ssize_t* counter, Py_ssize_t change) {
    return (Py_ssize_t)InterlockedExchangeAddSizeT((SIZE_T*)counter, (SIZE_T)change) + change;
}
#else
static inline Py_ssize_t counter_get(const Py_ssize_t* counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }
static inline void counter_set(Py_ssize_t* counter, Py_ssize_t value) {
    __atomic_store_n(counter, value, __ATOMIC_RELAXED);
}
static inline Py_ssize_t counter_add(Py_ssize_t* counter, Py_ssize_t change) {
    return __atomic_add_fetch(counter, change, __ATOMIC_RELAXED);
}
#endif

// Which process this is. It changes where a process can fork, so not on Windows.
#ifdef _WIN32
static inline long get_process_id(void) { return 0; }
#else
static inline long get_process_id(void) { return (long)getpid(); }
#endif

// Seconds since some moment. They never run backwards.
#ifdef _WIN32
static inline double get_seconds(void) {
    LARGE_INTEGER ticks, ticks_per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&ticks_per_second);
    return (double)ticks.QuadPart / (double)ticks_per_second.QuadPart;
}
#else
static inline double get_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
#endif

#endif
