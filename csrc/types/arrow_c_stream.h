// The Arrow C stream interface: https://arrow.apache.org/docs/format/CStreamInterface.html
#ifndef VMEM_ARROW_C_STREAM_H
#define VMEM_ARROW_C_STREAM_H

#include "types/arrow_c_data.h"

// Other headers define the struct under the same guard.
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

// Arrays of one type, one after the other: the last is followed by one that is released. The callbacks return 0 or an
// errno, and are called by one thread at a time. Moved and released as an ArrowSchema is.
struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
    int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
    const char* (*get_last_error)(struct ArrowArrayStream*);
    void (*release)(struct ArrowArrayStream*);
    void* private_data;
};

#endif

#endif
