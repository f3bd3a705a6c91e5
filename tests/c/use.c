#include "vmem.h"
int main(void) { return vmem_get_page_size() == 0; }
