// The items of an Array as memory that other libraries use, through Arrow and DLPack.
#ifndef VMEM_ARRAY_EXPORT_H
#define VMEM_ARRAY_EXPORT_H

#include "core/native_hold.h"
#include "types/array/storage.h"

// Items that stay where they are until the hold ends. They may change, and the array may grow.
typedef struct ExportedItems {
    NativeHold* hold;
    char* items;
    Py_ssize_t length;
    bool is_readonly;
} ExportedItems;

// Exports all items of an array that has an address: array_reserve() comes before. Returns -1 with MemoryError. The
// caller holds no lock; no Python code runs.
int array_export_items(Array* array, ExportedItems* exported);

#endif
