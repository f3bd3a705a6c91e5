// The one file of the test program that compiles the functions of vmem.h; all others only include it.
#define VMEM_IMPLEMENTATION
#include "vmem.h"
