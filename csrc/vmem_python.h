/*
vmem_python.h - what a C or C++ extension does with a vmem.Region or vmem.Ring of Python
part of vmem, MIT licence

WHAT IT IS
    A table of functions that an extension module gets from the vmem that is installed, when it is imported itself.
    Nothing is linked: build with this header, in the folder that vmem.get_include() names, and with any Python from
    3.11 on, with the limited API or without.

HOW TO USE IT
    Fetch the table once, where the module is made, and keep it in its state or in a static variable: it is constant,
    the same for every interpreter of the process, and there until the process ends.

        static const VmemPythonApi* vmem;

        static int exec(PyObject* module) {
            vmem = vmem_import_python_api();
            return vmem ? 0 : -1;
        }

    Pin the bytes before using them. While the pin lives they stay where they are, committed and accessible, whatever
    Python code does meanwhile; also while your code runs without the GIL:

        void* bytes;
        PyObject* pin = vmem->pin(region, offset, num_bytes, 1, &bytes);
        if (!pin) return NULL;
        Py_BEGIN_ALLOW_THREADS
        memset(bytes, 42, num_bytes);
        Py_END_ALLOW_THREADS
        Py_DECREF(pin);

    A vmem.Array, and what vmem.Arena's alloc() returns, need none of this: they are buffers, and PyObject_GetBuffer()
    pins them.

    Write a vmem.Ring from a thread that knows nothing of Python, such as the callback of an audio device. Whoever claims
    it is its only writer; Python code reads it meanwhile:

        static VmemRing ring;                                       // what the callback is given

        PyObject* claim = vmem->ring_claim(object, &ring);          // with the GIL
        if (!claim) return NULL;
        ...
        vmem->ring_write(&ring, samples, num_frames);               // in the callback
        ...
        Py_DECREF(claim);                                           // with the GIL, when the callback has ended

RULES THAT HOLD FOR EVERY FUNCTION, BUT THOSE OF A CLAIMED RING
    rings     The same holds for `ring` and vmem.Ring.
    regions   `region` is any object. It is a vmem.Region or an instance of a subclass, or TypeError is raised; NULL
              keeps the exception that made it NULL, and raises SystemError without one. Released ones raise ValueError.
    ranges    Offsets and sizes are in bytes. A range of 0 bytes in bounds is fine.
    results   A pointer to a result may be NULL when it is not wanted. A call that fails has written to none.
    threads   Every function may be called from every thread that is attached to its interpreter (holds the GIL, where
              there is one). Of the same region, too.
    Python    Pinning and dropping a pin can start a garbage collection, and so run any Python code.
*/
#ifndef VMEM_PYTHON_H
#define VMEM_PYTHON_H

#include <Python.h>
#include <stddef.h>

// Changes only when a program that was built with an older header would go wrong. What comes new stands at the end of
// the table, and struct_size tells whether it is there.
#define VMEM_PYTHON_API_VERSION 1
#define VMEM_PYTHON_API_NAME "vmem._C_API"

// A ring that was claimed. Only `handle` changes hands: the rest is for the producer to read.
typedef struct VmemRing {
    void* handle;
    size_t item_size;  // in bytes; of a row, where items are rows
    size_t capacity;   // in items
    const char* typecode;
} VmemRing;

typedef struct VmemPythonApi {
    int version;
    size_t struct_size;  // of the vmem that is installed

    // Whether an object is a vmem.Region, which can be released. Never raises; NULL is none.
    int (*is_region)(PyObject* object);

    // Where a region begins, and how many bytes are reserved there. Neither changes before it is released.
    //   fails           -1 with TypeError, ValueError (released)
    int (*get_addresses)(PyObject* region, void** address, size_t* num_bytes);

    // Whether every byte of [offset, offset + num_bytes) is committed: 1 or 0. Only a pin makes it stay so.
    //   fails           -1 with TypeError, ValueError (released, not in the region)
    int (*is_committed)(PyObject* region, size_t offset, size_t num_bytes);

    // Pin [offset, offset + num_bytes), which are committed, at `*address`. Until the pin is dropped they can be read,
    // and written when `writable` is not 0: decommit(), discard(), release() and a protect() that takes this away raise
    // BufferError. Without `writable` do not write, also where it happens to work.
    //   returns         a new reference to an object without attributes. Py_DECREF() ends the pin. It holds the region,
    //                   so tp_traverse of what keeps it has to visit it. It is a buffer too: PyMemoryView_FromObject()
    //                   makes a view of the same bytes, which pins them on its own
    //   fails           NULL with TypeError, MemoryError, ValueError (released, not in the region, not committed,
    //                   protected), BufferError (another thread is about to take these pages away)
    PyObject* (*pin)(PyObject* region, size_t offset, size_t num_bytes, int writable, void** address);

    // Whether an object is a vmem.Ring. Never raises; NULL is none.
    int (*is_ring)(PyObject* object);

    // Become the only writer of a ring, for the functions below. Until the claim is dropped, every call of Python code
    // that would write to it raises BufferError; reading goes on, and so does consume() with overwrite=False.
    //   claimed         receives what the functions below take; unchanged on failure
    //   returns         a new reference to an object without attributes. Py_DECREF() ends the claim: no other thread
    //                   may be in a call with `claimed` then. It holds the ring, so tp_traverse of what keeps it has to
    //                   visit it
    //   fails           NULL with TypeError (no vmem.Ring, or a reader), MemoryError, BufferError (claimed already)
    PyObject* (*ring_claim)(PyObject* ring, VmemRing* claimed);

    // These need no GIL, call no Python and make no system call. One thread at a time makes them.

    // The next places, contiguous, and not initialized. The items whose bytes they are are dropped.
    //   num_items       at most the capacity
    //   returns         the address of the first one; NULL when there are not so many, or not so many free ones with
    //                   overwrite=False, and in a forked child
    void* (*ring_prepare)(VmemRing* claimed, size_t num_items);

    // Make items of the first `num_items` places, at most as many as were prepared. A second call needs another prepare.
    //   returns         0, or -1 when they are more, and in a forked child
    int (*ring_advance)(VmemRing* claimed, size_t num_items);

    // Both, with a copy of `num_items` items.
    //   returns         0, or -1 where ring_prepare() returns NULL; nothing is written then
    int (*ring_write)(VmemRing* claimed, const void* items, size_t num_items);
} VmemPythonApi;

// Import vmem and get its table. It has at least the functions that this header knows.
//   fails           NULL with ImportError (no vmem; another version), AttributeError (a vmem without a C API), or what
//                   importing it raised
static inline const VmemPythonApi* vmem_import_python_api(void) {
    const VmemPythonApi* api = (const VmemPythonApi*)PyCapsule_Import(VMEM_PYTHON_API_NAME, 0);
    if (!api) return NULL;
    if (api->version != VMEM_PYTHON_API_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "this module was built for version %d of vmem's C API, but the vmem that is installed has version "
                     "%d: install another pyvmem, or build the module anew",
                     VMEM_PYTHON_API_VERSION, api->version);
        return NULL;
    }
    if (api->struct_size < sizeof(VmemPythonApi)) {
        PyErr_SetString(
            PyExc_ImportError,
            "this module was built with a newer vmem than the one that is installed: install a newer pyvmem");
        return NULL;
    }
    return api;
}

#endif
