// vmem.Ring as a struct. Its memory is one object, whose first page, the head, holds how far it is written, and whose
// other pages hold the items and are mapped twice in a row: so the items between any two positions are contiguous.
#ifndef VMEM_RING_H
#define VMEM_RING_H

#include "core/mirrored_memory.h"
#include "core/reservation.h"
#include "types/ring/positions.h"
#include "types/rows.h"

// The item at position p lies at byte p * size, modulo the memory's size. That is whole pages, and not always whole
// items: then one item straddles the seam, and its end lies at the beginning of the second mapping, too.
typedef struct Ring {
    PyObject_HEAD
    Reservation reservation;  // the head, and the items' memory once; the second mapping of that lies behind it
    MirroredMemory memory;
    RowType type;
    char* items;                     // where the memory of the items begins
    Py_ssize_t capacity;             // in items
    Py_ssize_t room;                 // for how many items there are bytes: the capacity, or more
    uint64_t max_position;           // none is greater, so that its byte can be computed
    bool overwrites;                 // whether the newest items replace the oldest ones when it is full
    bool readonly;                   // it is a reader: another process writes
    bool is_claimed;                 // a producer in C writes, and Python code does not
    bool shown_writable;             // memory was ever exported for writing: pointers to there may be kept
    Py_ssize_t prepared;             // how many places prepare() has given out, and advance() has not used; -1 for none
    RingPositions own;               // of the writer, who never reads its own from the head
    RingPositions* head;             // where readers in other processes read them
    const RingPositions* positions;  // where this object reads them: `own`, or the head's in a reader
    PyObject* weakrefs;
} Ring;

#endif
