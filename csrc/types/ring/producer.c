#include "types/ring/producer.h"

// --- claims ---

// Holds the ring, whose writer is in C while this lives.
typedef struct RingClaim {
    PyObject_HEAD
    Ring* ring;
} RingClaim;

static int claim_locked(Ring* ring) {
    if (ring_check_writer(ring) < 0) return -1;
    ring->is_claimed = true;
    ring->prepared = -1;
    return 0;
}

// The ring is NULL until it is claimed, so that a claim that failed ends no other.
PyObject* ring_claim(Ring* ring, VmemRing* claimed) {
    ModuleState* state = ring_state_of_type(Py_TYPE((PyObject*)ring));
    if (!state || module_check_loaded(state) < 0) return NULL;
    RingClaim* claim = PyObject_GC_New(RingClaim, state->ring_claim_type);
    int status;
    if (!claim) return NULL;
    claim->ring = NULL;
    Py_BEGIN_CRITICAL_SECTION(ring);
    status = claim_locked(ring);
    Py_END_CRITICAL_SECTION();
    if (status == 0) claim->ring = (Ring*)Py_NewRef((PyObject*)ring);
    PyObject_GC_Track(claim);
    if (status < 0) Py_CLEAR(claim);
    if (claim)
        *claimed = (VmemRing){ring, (size_t)ring->type.size, (size_t)ring->capacity, ring->type.scalar->typecode};
    return (PyObject*)claim;
}

static int claim_traverse(RingClaim* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE((PyObject*)self));
    Py_VISIT(self->ring);
    return 0;
}

static void end_claim(Ring* ring) {
    Py_BEGIN_CRITICAL_SECTION(ring);
    ring->is_claimed = false;
    ring->prepared = -1;
    Py_END_CRITICAL_SECTION();
}

// No tp_clear: the producer may be at work until the claim ends.
static void claim_dealloc(RingClaim* self) {
    PyTypeObject* type = Py_TYPE((PyObject*)self);
    PyObject_GC_UnTrack(self);
    if (self->ring) end_claim(self->ring);
    Py_XDECREF((PyObject*)self->ring);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot claim_slots[] = {
    {Py_tp_doc, "Makes code in C the writer of a ring."},
    {Py_tp_dealloc, claim_dealloc},
    {Py_tp_traverse, claim_traverse},
    {0, NULL},
};

PyType_Spec ring_claim_spec = {
    .name = "vmem._vmem.RingClaim",
    .basicsize = sizeof(RingClaim),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = claim_slots,
};

// --- writing ---

static bool fits(const Ring* ring, size_t num_items) {
    return !ring->readonly && num_items <= (size_t)ring->capacity &&
           ring_check_fits(ring, (Py_ssize_t)num_items) == WRITE_FITS;
}

void* ring_claim_prepare(VmemRing* claimed, size_t num_items) {
    Ring* ring = claimed->handle;
    if (!fits(ring, num_items)) return NULL;
    ring->shown_writable = true;
    ring->prepared = (Py_ssize_t)num_items;
    return ring_begin_write(ring, (Py_ssize_t)num_items);
}

int ring_claim_advance(VmemRing* claimed, size_t num_items) {
    Ring* ring = claimed->handle;
    if (ring->readonly || ring->prepared < 0 || num_items > (size_t)ring->prepared) return -1;
    ring->prepared = -1;
    ring_end_write(ring, (Py_ssize_t)num_items);
    return 0;
}

int ring_claim_write(VmemRing* claimed, const void* items, size_t num_items) {
    Ring* ring = claimed->handle;
    if (!fits(ring, num_items)) return -1;
    ring->prepared = -1;
    memcpy(ring_begin_write(ring, (Py_ssize_t)num_items), items, num_items * (size_t)ring->type.size);
    ring_end_write(ring, (Py_ssize_t)num_items);
    return 0;
}
