// DLPack 1.x, and the structs of the versions before it: https://dmlc.github.io/dlpack/latest/c_api.html
#ifndef VMEM_DLPACK_H
#define VMEM_DLPACK_H

#include <stdint.h>

typedef struct DLPackVersion {
    uint32_t major;
    uint32_t minor;
} DLPackVersion;

#define DLPACK_CPU 1  // a device type

typedef struct DLDevice {
    int32_t device_type;
    int32_t device_id;
} DLDevice;

enum { DLPACK_INT = 0, DLPACK_UINT = 1, DLPACK_FLOAT = 2 };  // codes of types

typedef struct DLDataType {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} DLDataType;

typedef struct DLTensor {
    void* data;  // NULL when there are no items
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t* shape;
    int64_t* strides;  // in items
    uint64_t byte_offset;
} DLTensor;

// What a capsule named "dltensor" holds. Consumers rename it "used_dltensor", and call the deleter in the end.
typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void* manager_ctx;
    void (*deleter)(struct DLManagedTensor*);
} DLManagedTensor;

#define DLPACK_FLAG_READ_ONLY 1
#define DLPACK_FLAG_IS_COPIED 2

// What a capsule named "dltensor_versioned" holds.
typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void* manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned*);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

#endif
