#include "core/pins.h"

#include <stdio.h>

void pins_add(PinList* list, Pin* pin) {
    pin->previous = NULL;
    pin->next = list->first;
    if (pin->next) pin->next->previous = pin;
    list->first = pin;
}

void pins_remove(PinList* list, Pin* pin) {
    if (pin->previous)
        pin->previous->next = pin->next;
    else
        list->first = pin->next;
    if (pin->next) pin->next->previous = pin->previous;
}

// --- counting ---

static bool is_alive(const Pin* pin) { return !pin->native || !flag_is_set(&pin->ended); }

size_t pins_count_from(const PinList* list, size_t offset) {
    size_t count = 0;
    for (const Pin* pin = list->first; pin; pin = pin->next) count += pin->end > offset && is_alive(pin);
    return count;
}

size_t pins_count_newest_from(const PinList* list, size_t offset) {
    size_t count = 0;
    for (const Pin* pin = list->first; pin && pin->end > offset; pin = pin->next) count++;
    return count;
}

size_t pins_copy(const PinList* list, ByteRange* ranges) {
    size_t count = 0;
    for (const Pin* pin = list->first; pin; pin = pin->next)
        if (is_alive(pin)) ranges[count++] = (ByteRange){pin->start, pin->end};
    return count;
}

// --- the gate ---

// Native pins are counted apart, because a search for memoryviews in Python would not find them.
#define NATIVE_NOTE ", %zu of them in native code"

static int check_unpinned(const PinList* list, Pages pages, const char* verb, bool readonly_too) {
    size_t num_views = 0, num_native = 0, first = SIZE_MAX, last = 0;
    for (const Pin* pin = list->first; pin; pin = pin->next) {
        if ((pin->readonly && !readonly_too) || !is_alive(pin)) continue;
        Pages pinned = pages_holding(list->page_size, pin->start, pin->end);
        if (pinned.end <= pages.start || pinned.start >= pages.end) continue;
        num_views++;
        num_native += pin->native;
        if (pin->start < first) first = pin->start;
        if (pin->end > last) last = pin->end;
    }
    if (num_views == 0) return 0;
    const char* what = readonly_too ? "" : "writable ";
    char note[sizeof(NATIVE_NOTE) + 20] = "";
    if (num_native > 0) snprintf(note, sizeof(note), NATIVE_NOTE, num_native);
    PyErr_Format(PyExc_BufferError,
                 num_views == 1
                     ? "cannot %s bytes %zu to %zu of this %s: %zu %sview of bytes %zu to %zu is alive%s; release "
                       "or delete it first, with every array and slice made from it"
                     : "cannot %s bytes %zu to %zu of this %s: %zu %sviews between bytes %zu and %zu are alive%s; "
                       "release or delete them first, with every array and slice made from them",
                 verb, pages.start, pages.end, list->owner_kind->noun, num_views, what, first, last, note);
    return -1;
}

int pins_check_none(const PinList* list, Pages pages, const char* verb) {
    return check_unpinned(list, pages, verb, true);
}

int pins_check_none_writable(const PinList* list, Pages pages, const char* verb) {
    return check_unpinned(list, pages, verb, false);
}
