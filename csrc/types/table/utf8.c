#include "types/table/utf8.h"

#include <stdint.h>
#include <string.h>

// How many bytes a character has that begins with a byte; 0 where none does.
static size_t count_bytes(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead < 0xc2) return 0;  // in the middle of a character, or too long a form
    if (lead < 0xe0) return 2;
    if (lead < 0xf0) return 3;
    return lead < 0xf5 ? 4 : 0;
}

// The second byte decides about forms that are too long, surrogates, and what is past U+10FFFF.
static bool is_second(unsigned char lead, unsigned char byte) {
    unsigned char first = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char last = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return byte >= first && byte <= last;
}

// The size of the character that a text begins with; 0 when it is none.
static size_t measure(const unsigned char* text, size_t size) {
    size_t num_bytes = count_bytes(text[0]);
    if (num_bytes > size) return 0;
    if (num_bytes > 1 && !is_second(text[0], text[1])) return 0;
    for (size_t i = 2; i < num_bytes; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    return num_bytes;
}

// ASCII goes eight bytes at a time.
static size_t skip_ascii(const char* text, size_t size) {
    size_t done = 0;
    for (uint64_t word; size - done >= sizeof(word); done += sizeof(word)) {
        memcpy(&word, text + done, sizeof(word));
        if (word & UINT64_C(0x8080808080808080)) break;
    }
    return done;
}

bool utf8_is_valid(const char* text, size_t size) {
    size_t done = skip_ascii(text, size);
    while (done < size) {
        size_t num_bytes = measure((const unsigned char*)text + done, size - done);
        if (num_bytes == 0) return false;
        done += num_bytes;
        if (num_bytes == 1 && size - done >= 8) done += skip_ascii(text + done, size - done);
    }
    return true;
}
