// How far a ring is written: two positions, which count all items ever written. One thread stores them, while others,
// also in other processes, load them at any time, without a lock. Together they are a seqlock:
//
//   writer                                     reader
//   1. oldest.store                            1. total.load(acquire), oldest.load: the window is there
//   2. fence                                   2. reads the items of the window
//   3. overwrites the bytes of dropped items   3. fence
//   4. total.store(release)                    4. oldest.load: if it is still not past the window, all of it was valid
//
// The fence in the writer is a full one. A store with release order would not do: on arm64, what follows in the program
// can become visible before it. Nor would a release fence: memcpy() of many bytes uses stores on x86 that are ordered
// by fences alone.
#ifndef VMEM_RING_POSITIONS_H
#define VMEM_RING_POSITIONS_H

#include "python/compat.h"

// On cache lines of their own, because in a queue two threads write them. They have 64 bits everywhere; where the
// processor has no atomic instructions for that, only the lower half is used.
typedef struct RingPositions {
    uint64_t total;  // the position after the newest item
    uint64_t padding[7];
    uint64_t oldest;  // the position of the oldest item
    uint64_t more_padding[7];
} RingPositions;

#if defined(__GNUC__) && SIZE_MAX <= 0xFFFFFFFF && __GCC_ATOMIC_LLONG_LOCK_FREE == 2
#define MAX_POSITION_BYTES ((uint64_t)INT64_MAX)  // of a position, times the size of an item
static inline uint64_t position_load(const uint64_t* position) { return __atomic_load_n(position, __ATOMIC_ACQUIRE); }
static inline void position_store(uint64_t* position, uint64_t value) {
    __atomic_store_n(position, value, __ATOMIC_RELEASE);
}
#else
#define MAX_POSITION_BYTES ((uint64_t)(SIZE_MAX / 2))
static inline uint64_t position_load(const uint64_t* position) { return shared_load_acquire(position); }
static inline void position_store(uint64_t* position, uint64_t value) { shared_store_release(position, (size_t)value); }
#endif

#ifdef _MSC_VER
static inline void writer_fence(void) { MemoryBarrier(); }
static inline void reader_fence(void) { MemoryBarrier(); }
#else
static inline void writer_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void reader_fence(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
#endif

#endif
