#include "core/native_hold.h"

#include <stdlib.h>

#include "core/file_memory.h"
#include "core/mapping_budget.h"
#include "core/shared_memory.h"

// One per reservation. While the owner lives, its lock guards everything but the count.
typedef struct NativeMemory {
    Py_ssize_t num_users;  // the owner, and the holds that are alive
    NativeHold* holds;     // the records of all holds but those that were removed
    Py_ssize_t num_records;
    // Set when the owner ends.
    const Backing* backing;
    char* base;
    size_t size;
    size_t committed_start;
    size_t committed_end;
    Py_ssize_t mapping_cost;
    // What keeps this record: the users together, and the list that the entry is in.
    Py_ssize_t num_references;
    ForkEntry fork_entry;
} NativeMemory;

struct NativeHold {
    Pin pin;
    NativeMemory* memory;
    NativeHold* next;
};

// Records of ended holds are removed when there are more of them than of live ones and this many, so that a hold takes
// constant time on average.
#define FEW_RECORDS 16

// --- unmapping ---

static void drop_records(NativeMemory* memory) {
    NativeHold* next;
    if (count_drop(&memory->num_references) > 0) return;
    for (NativeHold* hold = memory->holds; hold; hold = next) {
        next = hold->next;
        free(hold);
    }
    free(memory);
}

// At the mapping limit the memory is discarded, where it can be, and the addresses stay reserved for good: that splits no
// mapping.
static void unmap_or_discard(const NativeMemory* memory) {
    const Backing* backing = memory->backing;
    if (!memory->base) return;
    if (mapping_budget_allows(memory->mapping_cost, FOR_FINALIZER, NULL) &&
        backing->release(backing, memory->base, memory->size) == VMEM_SUCCESS)
        mapping_budget_charge(memory->mapping_cost);
    else if (backing->discard && memory->committed_end > memory->committed_start)
        backing->discard(backing, memory->base + memory->committed_start,
                         memory->committed_end - memory->committed_start);
}

// --- forked children ---

// The last hold ends without the GIL, and so cannot change the list: until the list is swept, the entry keeps the record.
static bool has_no_users(const void* object) { return counter_get(&((const NativeMemory*)object)->num_users) == 0; }

static void forget(void* object) { drop_records(object); }

static size_t find_shown_end(const NativeMemory* memory) {
    size_t end = 0;
    for (const NativeHold* hold = memory->holds; hold; hold = hold->next)
        if (!flag_is_set(&hold->pin.ended) && hold->pin.end > end) end = hold->pin.end;
    return vmem_align_forward(end, vmem_get_page_size());
}

static void isolate(NativeMemory* memory, size_t end) {
    FileMemory* file = file_memory_of(memory->backing);
    if (file)
        file_memory_isolate(file, memory->base, memory->size, end);
    else
        shared_memory_isolate(shared_memory_of(memory->backing), memory->base, memory->size, end, end);
}

static void isolate_in_child(void* object) {
    NativeMemory* memory = object;
    size_t end = find_shown_end(memory);
    fork_list_remove(&memory->fork_entry);
    if (!has_no_users(memory) && memory->base) isolate(memory, end);
    drop_records(memory);
}

static const ForkKind LEFT_TO_HOLDS = {isolate_in_child, has_no_users, forget};

void native_memory_follow_forks(Reservation* reservation, ForkList* forks) {
    NativeMemory* memory = reservation->native_memory;
    if (!memory || counter_get(&memory->num_users) == 1) return;
    fork_list_sweep(forks);
    counter_add(&memory->num_references, 1);
    fork_list_add(forks, &memory->fork_entry, &LEFT_TO_HOLDS, memory);
}

static void stop_following_forks(NativeMemory* memory) {
    if (!memory->fork_entry.list) return;
    fork_list_remove(&memory->fork_entry);
    drop_records(memory);
}

// --- handing over ---

static void find_committed(const SpanMap* spans, NativeMemory* memory) {
    const Span* span = spans_find(spans, 0);
    if (span) memory->committed_start = span->start;
    for (; span; span = spans_find(spans, span->end)) memory->committed_end = span->end;
}

bool native_memory_hand_over(Reservation* reservation, Py_ssize_t mapping_cost) {
    NativeMemory* memory = reservation->native_memory;
    memory->backing = reservation->backing;
    memory->base = reservation->base;
    memory->size = reservation->size;
    memory->mapping_cost = mapping_cost;
    find_committed(&reservation->spans, memory);
    reservation->native_memory = NULL;
    if (count_drop(&memory->num_users) > 0) {
        reservation->base = NULL;  // another thread may be unmapping it already
        reservation->backing = NULL;
        return true;
    }
    stop_following_forks(memory);
    drop_records(memory);
    return false;
}

// --- holds ---

static NativeMemory* find_memory(Reservation* reservation) {
    if (reservation->native_memory) return reservation->native_memory;
    NativeMemory* memory = calloc(1, sizeof(NativeMemory));
    if (memory) memory->num_users = memory->num_references = 1;
    return reservation->native_memory = memory;
}

static void remove_ended(Reservation* reservation) {
    NativeMemory* memory = reservation->native_memory;
    NativeHold** link = &memory->holds;
    while (*link) {
        NativeHold* hold = *link;
        if (!flag_is_set(&hold->pin.ended)) {
            link = &hold->next;
            continue;
        }
        *link = hold->next;
        if (hold->pin.end > hold->pin.start) pins_remove(&reservation->pins, &hold->pin);
        memory->num_records--;
        free(hold);
    }
}

NativeHold* native_hold_begin(Reservation* reservation, size_t offset, size_t num_bytes, bool readonly) {
    NativeMemory* memory = find_memory(reservation);
    NativeHold* hold = memory ? calloc(1, sizeof(NativeHold)) : NULL;
    if (!hold) {
        PyErr_NoMemory();
        return NULL;
    }
    if (memory->num_records > 2 * counter_get(&memory->num_users) + FEW_RECORDS) remove_ended(reservation);
    hold->pin.start = offset;
    hold->pin.end = offset + num_bytes;
    hold->pin.readonly = readonly;
    hold->pin.native = true;
    hold->memory = memory;
    hold->next = memory->holds;
    memory->holds = hold;
    memory->num_records++;
    counter_add(&memory->num_users, 1);
    if (num_bytes > 0) pins_add(&reservation->pins, &hold->pin);
    return hold;
}

// The owner may free the record as soon as the flag is set, but not what the hold still counts for.
void native_hold_end(NativeHold* hold) {
    NativeMemory* memory = hold->memory;
    flag_set(&hold->pin.ended);
    if (count_drop(&memory->num_users) > 0) return;
    unmap_or_discard(memory);
    if (memory->backing->destroy) memory->backing->destroy(memory->backing);
    drop_records(memory);
}
