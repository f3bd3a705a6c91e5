// Whether bytes are UTF-8, without an object for them.
#ifndef VMEM_TABLE_UTF8_H
#define VMEM_TABLE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// As strict as Python: no surrogates, no forms that are too long, nothing past U+10FFFF.
bool utf8_is_valid(const char* text, size_t size);

#endif
