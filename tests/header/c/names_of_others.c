// Includes both headers more than once, after macros that other headers define: it must not use these names.
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define near
#define far
#define small char
#define interface struct
#define IN
#define OUT
#define ERROR 0
#define PAGE_SIZE 4096
#define PAGE_MASK 4095
#define None 0
#define Bool int
#define True 1
#define False 0
#define Status int
#define Success 0
#undef linux
#define linux 1
#undef unix
#define unix 1

#include "vmem.h"
#include "vmem.h"
#include "vmem_arena.h"
#include "vmem_arena.h"
#define VMEM_IMPLEMENTATION
#include "vmem.h"
#include "vmem.h"
#include "vmem_arena.h"
#include "vmem_arena.h"

int main(void) {
    void* ptr = vmem_reserve(1);
    return ptr && vmem_release(ptr, 1) == VMEM_SUCCESS ? 0 : 1;
}
