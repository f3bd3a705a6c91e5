// The functions behind vmem_python.h. They need no module state: a region, or a ring, holds all that they use, whichever
// import of the module made it, in whichever interpreter. So one constant table serves all interpreters, and outlives
// each.
#include "types/c_api.h"

#include "core/views.h"
#include "types/region.h"
#include "types/ring/producer.h"
#include "vmem_python.h"

static void raise_unexpected(PyObject* object, const char* expected) {
    if (!object) {
        if (!PyErr_Occurred()) PyErr_Format(PyExc_SystemError, "NULL where a %s is expected", expected);
        return;
    }
    PyObject* type_name = PyType_GetName(Py_TYPE(object));
    if (type_name) PyErr_Format(PyExc_TypeError, "expected a %s, not %U", expected, type_name);
    Py_XDECREF(type_name);
}

// The reservation of an argument that must be a region. NULL with an exception: for an argument that is NULL because
// making it failed, the exception that is set.
static Reservation* convert_region(PyObject* object) {
    Reservation* reservation = object ? region_find_reservation(object) : NULL;
    if (reservation) return reservation;
    raise_unexpected(object, "vmem.Region");
    return NULL;
}

static int is_region(PyObject* object) { return object && region_find_reservation(object); }

static int get_addresses(PyObject* region, void** address, size_t* num_bytes) {
    Reservation* reservation = convert_region(region);
    int status;
    if (!reservation) return -1;
    Py_BEGIN_CRITICAL_SECTION(region);
    status = reservation_check_open(reservation);
    if (status == 0 && address) *address = reservation->base;
    if (status == 0 && num_bytes) *num_bytes = reservation->size;
    Py_END_CRITICAL_SECTION();
    return status;
}

static int is_committed(PyObject* region, size_t offset, size_t num_bytes) {
    Reservation* reservation = convert_region(region);
    int status;
    if (!reservation) return -1;
    Py_BEGIN_CRITICAL_SECTION(region);
    status = reservation_check_range(reservation, offset, num_bytes);
    if (status == 0) status = reservation_is_committed(reservation, offset, num_bytes);
    Py_END_CRITICAL_SECTION();
    return status;
}

static PyObject* pin(PyObject* region, size_t offset, size_t num_bytes, int writable, void** address) {
    Reservation* reservation = convert_region(region);
    PyObject* taken;
    void* bytes;
    if (!reservation) return NULL;
    Py_BEGIN_CRITICAL_SECTION(region);
    taken = view_pin_for_native(reservation, offset, num_bytes, writable != 0, &bytes);
    Py_END_CRITICAL_SECTION();
    if (taken && address) *address = bytes;
    return taken;
}

static int is_ring(PyObject* object) { return object && ring_check(object); }

static PyObject* claim_ring(PyObject* object, VmemRing* claimed) {
    if (is_ring(object)) return ring_claim((Ring*)object, claimed);
    raise_unexpected(object, "vmem.Ring");
    return NULL;
}

static const VmemPythonApi c_api = {
    .version = VMEM_PYTHON_API_VERSION,
    .struct_size = sizeof(VmemPythonApi),
    .is_region = is_region,
    .get_addresses = get_addresses,
    .is_committed = is_committed,
    .pin = pin,
    .is_ring = is_ring,
    .ring_claim = claim_ring,
    .ring_prepare = ring_claim_prepare,
    .ring_advance = ring_claim_advance,
    .ring_write = ring_claim_write,
};

int c_api_add(PyObject* module) {
    PyObject* capsule = PyCapsule_New((void*)&c_api, VMEM_PYTHON_API_NAME, NULL);
    int status = PyModule_AddObjectRef(module, "_C_API", capsule);  // NULL keeps the exception that is set
    Py_XDECREF(capsule);
    return status;
}
