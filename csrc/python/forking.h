// The objects of a module that a forked child must change before anything else uses them. A doubly linked list, whose
// entries are members of the objects.
#ifndef VMEM_FORKING_H
#define VMEM_FORKING_H

#include "python/compat.h"

// What the objects of a kind do. None of these functions runs Python code; the last two do not allocate.
typedef struct ForkKind {
    void (*change_in_child)(void* object);

    // For objects that end on any thread, where they cannot take out their entry: whether one has ended, and what lets the
    // list forget it then. NULL for others.
    bool (*is_over)(const void* object);
    void (*forget)(void* object);
} ForkKind;

typedef struct ForkEntry {
    struct ForkEntry* previous;  // NULL while it is in no list
    struct ForkEntry* next;
    struct ForkList* list;
    const ForkKind* kind;
    void* object;
} ForkEntry;

typedef struct ForkList {
    ForkEntry head;  // its neighbours are the first and the last entry
    ListLock lock;
} ForkList;

void fork_list_init(ForkList* list);

// Takes all entries out of the list, which is about to be freed before the objects; or those whose objects are over.
void fork_list_clear(ForkList* list);
void fork_list_sweep(ForkList* list);

// An object takes its entry out before it is freed. Taking out one that is in no list does nothing.
void fork_list_add(ForkList* list, ForkEntry* entry, const ForkKind* kind, void* object);
void fork_list_remove(ForkEntry* entry);

// Calls the function of every entry, in the child. It may take out its own entry, and add others.
void fork_list_run(ForkList* list);

#endif
