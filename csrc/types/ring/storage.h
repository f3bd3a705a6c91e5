// The items of a Ring: creating, writing, dropping, and finding windows. Functions that fail return -1 or NULL with an
// exception and change nothing, unless they say otherwise.
#ifndef VMEM_RING_STORAGE_H
#define VMEM_RING_STORAGE_H

#include "python/module.h"
#include "types/ring/ring.h"

// --- creating and deallocating ---

typedef struct RingOptions {
    RowType type;
    Py_ssize_t capacity;
    bool overwrites;
    bool is_shared;
    bool prefault;
    bool lock;
} RingOptions;

// An empty ring of a type that is Ring or a subclass of it. Runs audit hooks.
Ring* ring_new(ModuleState* state, PyTypeObject* python_type, const RingOptions* options);

// A reader of the ring that another process has made. Takes the memory over, also when it fails. ValueError when it
// holds no ring.
PyObject* ring_attach(ModuleState* state, PyTypeObject* python_type, SharedMemory* memory);

void ring_dealloc(Ring* self);

// Identifies the type. Defined in type.c.
extern PyMethodDef ring_methods[];

// Whether an object is a Ring, of this or of another import of the module.
bool ring_check(PyObject* object);

ModuleState* ring_state_of_type(PyTypeObject* type);

// --- positions ---

// The positions of all items that are there: from the oldest to before the end.
typedef struct Positions {
    uint64_t oldest;
    uint64_t end;
} Positions;

// Needs no lock, and is one moment's answer. What another process wrote is clamped to what is possible.
Positions ring_load_positions(const Ring* ring);

static inline Py_ssize_t count_positions(Positions positions) { return (Py_ssize_t)(positions.end - positions.oldest); }

// Whether the items from a position on are still there, after they were read.
bool ring_still_has(const Ring* ring, uint64_t position);

// Where the item at a position lies. It is contiguous with the `capacity` - 1 items after it.
char* ring_item(const Ring* ring, uint64_t position);

// --- writing without Python ---
//
// By one thread at a time, which needs no GIL: the one that holds the ring's lock or, when it is claimed, the producer in
// C.

typedef enum WriteProblem {
    WRITE_FITS,
    WRITE_IS_FULL,       // the items are kept until they are consumed, and there is no room for so many
    WRITE_IS_TOO_LARGE,  // it is more than the capacity
    WRITE_IS_AT_END      // the positions would be too large
} WriteProblem;

WriteProblem ring_check_fits(const Ring* ring, Py_ssize_t num_items);

// The next places, which fit. Drops the items that have bytes there.
char* ring_begin_write(Ring* ring, Py_ssize_t num_items);

// Makes items of the first `num_items` of these places.
void ring_end_write(Ring* ring, Py_ssize_t num_items);

// Counts items that are not written, because as many as the capacity come after them. Drops all items.
void ring_skip(Ring* ring, Py_ssize_t num_items);

// Drops the oldest items, up to a position that is not before the oldest one, nor after the end.
void ring_drop_to(Ring* ring, uint64_t position);

// --- writing ---

// Raises TypeError for a reader, and BufferError where a producer in C writes. The caller holds the ring's lock.
int ring_check_writer(const Ring* ring);

// Checks that so many items can be written, and says how many of the first ones would not stay. The caller holds no lock.
int ring_check_write(const Ring* ring, Py_ssize_t num_items, Py_ssize_t* num_skipped);

// Copies items, no more than the capacity, to the end. They may be the ring's own only if `items` is a copy. The
// `num_skipped` items before them are only counted: there are none unless as many as the capacity come after them.
// Cancels a prepare, if there are any items. The caller holds no lock.
int ring_write(Ring* ring, Py_ssize_t num_skipped, const char* items, Py_ssize_t num_items);

// Raises that so many items do not fit. Returns -1.
int ring_raise_does_not_fit(const Ring* ring, WriteProblem problem, const char* verb, Py_ssize_t num_items);

// Whether memory of this size is, in part, the ring's own.
bool ring_owns(const Ring* ring, const void* memory, Py_ssize_t num_bytes);

#endif
