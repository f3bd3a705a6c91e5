// vmem.Ring as a struct. Its memory is one object, whose first page, the head, holds how far it is written, and whose
// other pages hold the items and are mapped twice in a row: so the items between any two positions are contiguous.
#ifndef VMEM_RING_H
#define VMEM_RING_H

#include "core/mirrored_memory.h"
#include "core/reservation.h"
#include "python/forking.h"
#include "types/ring/positions.h"
#include "types/rows.h"

// Twice as many addresses are used, and some more.
#define MAX_RING_BYTES ((size_t)PY_SSIZE_T_MAX / 4)

// The first page.
typedef struct RingHead {
    SharedPage page;
    uint64_t capacity;
    uint64_t padding[7];
    RingPositions positions;
} RingHead;

// The item at position p lies at byte p * size, modulo the memory's size. That is whole pages, and not always whole
// items: then one item straddles the seam, and its end lies at the beginning of the second mapping, too.
typedef struct Ring {
    PyObject_HEAD
    Reservation reservation;  // the head, and the items' memory once; the second mapping of that lies behind it
    SharedMemory* memory;     // its backing
    RowType type;
    char* items;            // where the memory of the items begins
    size_t num_bytes;       // of that memory
    Py_ssize_t capacity;    // in items
    Py_ssize_t room;        // for how many items there are bytes: the capacity, or more
    uint64_t max_position;  // none is greater, so that its byte can be computed
    bool overwrites;        // whether the newest items replace the oldest ones when it is full
    bool is_shared;         // other processes can attach it
    bool readonly;          // it is a reader: another process writes
    bool is_claimed;        // a producer in C writes, and Python code does not
    bool shown_writable;    // memory was ever exported for writing: pointers to there may be kept
    Py_ssize_t prepared;    // how many places prepare() has given out, and advance() has not used; -1 for none
    RingPositions own;      // of the writer, who never reads its own from the head
    RingHead* head;
    const RingPositions* positions;  // where this object reads them: `own`, or those of the head in a reader
    ForkEntry fork;
    void* abandoned;  // the base of the mapping from before a fork, which old views show; NULL for none
    PyObject* weakrefs;
} Ring;

#endif
