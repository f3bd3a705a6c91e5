// Switches over every documented value of an enum. Compiled with -Wswitch-enum as an error, this fails if vmem.h has a
// value that is not documented.
#define VMEM_IMPLEMENTATION
#include "vmem.h"

static int number_of_result(VmemResult result) {
    switch (result) {
        case VMEM_SUCCESS: return 0;
        case VMEM_ERROR_INVALID_ARGUMENT: return 1;
        case VMEM_ERROR_OUT_OF_MEMORY: return 2;
        case VMEM_ERROR_ACCESS_DENIED: return 3;
        case VMEM_ERROR_UNSUPPORTED: return 4;
        case VMEM_ERROR_SYSTEM: return 5;
        case VMEM_DECOMMIT_INCOMPLETE: return 6;
    }
    return -1;
}

static int number_of_protection(VmemProtection protection) {
    switch (protection) {
        case VMEM_NO_ACCESS: return 0;
        case VMEM_READ: return 1;
        case VMEM_READ_WRITE: return 2;
        case VMEM_EXECUTE: return 3;
        case VMEM_READ_EXECUTE: return 4;
        case VMEM_READ_WRITE_EXECUTE: return 5;
    }
    return -1;
}

static int number_of_state(VmemState state) {
    switch (state) {
        case VMEM_FREE: return 0;
        case VMEM_RESERVED: return 1;
        case VMEM_COMMITTED: return 2;
    }
    return -1;
}

static int number_of_fork(VmemFork inheritance) {
    switch (inheritance) {
        case VMEM_FORK_COPY: return 0;
        case VMEM_FORK_NONE: return 1;
        case VMEM_FORK_ZERO: return 2;
    }
    return -1;
}

static int number_of_seal(VmemSeal seal) {
    switch (seal) {
        case VMEM_SEAL_SIZE: return 1;
        case VMEM_SEAL_WRITERS: return 2;
    }
    return -1;
}

// An integer that is not a value of the enum must not become one by the conversion.
int main(void) {
    volatile int wrong[] = {-1, 7, 8, 99, 0x7fffffff};
    size_t i;
    if (number_of_result(VMEM_DECOMMIT_INCOMPLETE) != 6 || number_of_protection(VMEM_READ_WRITE_EXECUTE) != 5) return 1;
    if (number_of_state(VMEM_COMMITTED) != 2 || sizeof(VmemResult) != sizeof(int)) return 1;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (number_of_result((VmemResult)wrong[i]) != -1 || (int)(VmemResult)wrong[i] != wrong[i]) return 2;
        if (number_of_protection((VmemProtection)wrong[i]) != -1) return 3;
        if (number_of_state((VmemState)wrong[i]) != -1) return 4;
        if (number_of_fork((VmemFork)wrong[i]) != -1) return 6;
        if (number_of_seal((VmemSeal)wrong[i]) != -1) return 7;
        if (vmem_protect((void*)&i, 1, (VmemProtection)wrong[i]) != VMEM_ERROR_INVALID_ARGUMENT) return 5;
    }
    return 0;
}
