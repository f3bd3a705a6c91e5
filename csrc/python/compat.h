// The one place for what differs between Python versions and builds.
#ifndef VMEM_COMPAT_H
#define VMEM_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

#ifdef _WIN32
#include <windows.h>
#else
#ifdef __linux__
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#endif
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#endif

// Critical sections lock an object in free-threaded builds, and do nothing in others, where the GIL serializes all
// calls. There must be no return between begin and end. Headers before 3.13, and those of the limited API, do not
// define them.
#ifndef Py_BEGIN_CRITICAL_SECTION
#ifdef Py_GIL_DISABLED
#error "free-threaded builds need headers that have critical sections"
#endif
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#define Py_BEGIN_CRITICAL_SECTION2(one, other) {
#define Py_END_CRITICAL_SECTION2() }
#endif

// A new reference to an item of a list, which other threads may change. NULL with IndexError.
#ifdef Py_GIL_DISABLED
#define list_get_item(list, index) PyList_GetItemRef(list, index)
#else
#define list_get_item(list, index) Py_XNewRef(PyList_GetItem(list, index))
#endif

// A lock for a few instructions that neither allocate nor run Python code. A fork cannot happen while it is held.
#ifdef Py_GIL_DISABLED
typedef PyMutex ListLock;
static inline void list_lock(ListLock* lock) { PyMutex_Lock(lock); }
static inline void list_unlock(ListLock* lock) { PyMutex_Unlock(lock); }
#else
typedef char ListLock;
static inline void list_lock(ListLock* lock) { (void)lock; }
static inline void list_unlock(ListLock* lock) { (void)lock; }
#endif

// Py_TPFLAGS_SEQUENCE: `match` treats instances of the type as sequences. Limited API 3.11 does not define it, but
// every interpreter supports it.
#define VMEM_TPFLAGS_SEQUENCE (1UL << 5)

// For method tables: a function with its calling convention. Windows has a macro FASTCALL.
#define AS_FASTCALL(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL
#define AS_KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS

// Module slots that the headers of limited API 3.11 do not define, but newer interpreters support.
#define VMEM_SLOT_MULTIPLE_INTERPRETERS 3  // Py_mod_multiple_interpreters, from 3.12 on
#define VMEM_PER_INTERPRETER_GIL ((void*)2)
#define VMEM_SLOT_GIL 4  // Py_mod_gil, from 3.13 on
#define VMEM_GIL_NOT_USED ((void*)1)

// A counter that threads of several interpreters may change concurrently. counter_add() returns the new value.
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

// A number in memory that other processes map: a store makes everything visible that was written before it, to who
// loads it. All have 64 bits there, so that processes of 32 and 64 bits agree; on 32 bits, where not every processor has
// atomic instructions for that, only the lower half is used, and the upper one stays 0. Loads must not write: the page
// can be read-only.
#if SIZE_MAX > 0xFFFFFFFF
#define SHARED_WORD(number) (number)
#elif PY_BIG_ENDIAN
#define SHARED_WORD(number) ((size_t*)(number) + 1)
#else
#define SHARED_WORD(number) ((size_t*)(number))
#endif
#if defined(_MSC_VER) && defined(_M_ARM64)
static inline void shared_store_release(uint64_t* number, size_t value) { __stlr64(number, value); }
static inline size_t shared_load_acquire(const uint64_t* number) { return __ldar64((uint64_t*)number); }
#elif defined(_MSC_VER)
static inline void shared_store_release(uint64_t* number, size_t value) {
    _ReadWriteBarrier();
    *(volatile size_t*)SHARED_WORD(number) = value;
}
static inline size_t shared_load_acquire(const uint64_t* number) {
    size_t value = *(volatile const size_t*)SHARED_WORD(number);
    _ReadWriteBarrier();
    return value;
}
#else
static inline void shared_store_release(uint64_t* number, size_t value) {
    __atomic_store_n((size_t*)SHARED_WORD(number), value, __ATOMIC_RELEASE);
}
static inline size_t shared_load_acquire(const uint64_t* number) {
    return __atomic_load_n((const size_t*)SHARED_WORD(number), __ATOMIC_ACQUIRE);
}
#endif

// A reference count and a flag that threads without the GIL change. What a thread did before it dropped its reference or
// set the flag is visible to the thread that drops the last reference, or that sees the flag.
#ifdef _MSC_VER
static inline Py_ssize_t count_drop(Py_ssize_t* count) { return counter_add(count, -1); }
static inline void flag_set(Py_ssize_t* flag) { counter_add(flag, 1); }
static inline bool flag_is_set(const Py_ssize_t* flag) { return counter_add((Py_ssize_t*)flag, 0) != 0; }
#else
static inline Py_ssize_t count_drop(Py_ssize_t* count) { return __atomic_sub_fetch(count, 1, __ATOMIC_ACQ_REL); }
static inline void flag_set(Py_ssize_t* flag) { __atomic_store_n(flag, 1, __ATOMIC_RELEASE); }
static inline bool flag_is_set(const Py_ssize_t* flag) { return __atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0; }
#endif

// The process ID, which differs in a forked child. Constant on Windows, which cannot fork.
#ifdef _WIN32
static inline long get_process_id(void) { return 0; }
#else
static inline long get_process_id(void) { return (long)getpid(); }
#endif

// The largest size of a file, and of an object, that this process may write, in bytes (RLIMIT_FSIZE).
#ifdef _WIN32
static inline uint64_t get_file_size_limit(void) { return UINT64_MAX; }
#else
static inline uint64_t get_file_size_limit(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 ? (uint64_t)limit.rlim_cur : UINT64_MAX;
}
#endif

// How much can be moved to swap space, in bytes; UINT64_MAX where that is not known.
#ifdef __linux__
static inline uint64_t get_free_swap(void) {
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.freeswap * info.mem_unit : UINT64_MAX;
}
#else
static inline uint64_t get_free_swap(void) { return UINT64_MAX; }
#endif

// How much memory a file in memory has, in bytes; UINT64_MAX where that is not known. The system call is made directly,
// because the symbols of the C library are younger than the systems that wheels must run on.
#if defined(__linux__) && defined(SYS_statx)
static inline uint64_t get_file_memory(intptr_t file) {
    static const int empty_path = 0x1000;  // AT_EMPTY_PATH
    static const unsigned blocks = 0x400;  // STATX_BLOCKS
    uint64_t status[32] = {0};             // struct statx of <linux/stat.h>
    long result = syscall(SYS_statx, (int)file, "", empty_path, blocks, status);
    return result == 0 ? status[6] * 512 : UINT64_MAX;  // stx_blocks
}
#else
static inline uint64_t get_file_memory(intptr_t file) {
    (void)file;
    return UINT64_MAX;
}
#endif

// Whether a descriptor was opened with O_PATH: it is open, and a bad one in nearly all calls.
#if defined(__linux__) && defined(O_PATH)
static inline bool is_path_descriptor(intptr_t file) {
    int error = errno;
    long flags = syscall(SYS_fcntl, (int)file, F_GETFL);  // fcntl() would be a symbol of the C library that is as young
    errno = error;
    return flags != -1 && (flags & O_PATH);
}
#else
static inline bool is_path_descriptor(intptr_t file) {
    (void)file;
    return false;
}
#endif

// Monotonic time in seconds.
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
