// The first page of a shared object, which tells other processes what the object holds. Whoever has the object can write
// to it, as far as it is not sealed: what is read from it is read once, and checked, before it is used.
#ifndef VMEM_SHARED_PAGE_H
#define VMEM_SHARED_PAGE_H

#include "python/compat.h"
#include "vmem.h"

typedef enum SharedKind { SHARED_REGION = 1, SHARED_ARRAY, SHARED_RING, SHARED_TABLE } SharedKind;

#define SHARED_PAGE_DIMS 8
#define SHARED_PAGE_NAME 256

#define SHARED_PAGE_SECRET 1u  // core dumps leave the data out
#define SHARED_PAGE_NAMED 2u   // has a name, which may be empty

// The same on all systems and processors, but for the byte order. What a kind does not need is 0. A new layout gets a
// new version.
typedef struct SharedPage {
    char magic[8];
    uint32_t byte_order;
    uint32_t version;
    uint32_t kind;
    uint32_t flags;
    uint64_t data_offset;  // where the data begins in the object
    uint64_t
        num_bytes;  // the capacity of the data, which is as large as that, rounded up to pages, of which it has one
    uint64_t item_size;
    uint32_t num_dims;
    char format[12];
    uint64_t row_shape[SHARED_PAGE_DIMS];
    char name[SHARED_PAGE_NAME];  // UTF-8 with surrogates, and a zero

    // Changes, so it lies on a cache line of its own. Only the maker writes it, by shared_page_publish_length().
    uint64_t length;
    uint64_t unused[7];
} SharedPage;

// How many bytes come before the data: whole pages, and a multiple of what offsets of mappings must be.
size_t shared_page_size(void);

// Fills in everything that all kinds have, and zeroes the rest. `name` is a str or None. Returns -1 with an exception:
// ValueError when there is no room for the name, or other processes would read less of it.
int shared_page_init(SharedPage* page, SharedKind kind, size_t num_bytes, PyObject* name);

// Checks a copy of the first page of an object that has these seals, of those that this system has. Returns -1 with
// ValueError. After success `data_offset` is shared_page_size(), `num_bytes` fits addresses, texts end with a zero, and
// sizes fit size_t; `item_size`, `format` and `row_shape` are not checked further.
int shared_page_check(const SharedPage* page, unsigned seals, unsigned possible_seals);

// The name of a checked copy as a str, or None. NULL with an exception: ValueError when it is not UTF-8.
PyObject* shared_page_get_name(const SharedPage* page);

// The length: publishing makes everything visible that was written before, to who loads it.
void shared_page_publish_length(SharedPage* page, size_t length);
size_t shared_page_load_length(const SharedPage* page);

#endif
