// The functions of vmem_arena.h alone, for a program in which implementation.c has those of vmem.h.
#define VMEM_ARENA_IMPLEMENTATION
#include "vmem_arena.h"
