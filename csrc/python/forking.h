// The objects of a module that a forked child must change before anything else uses them. A doubly linked list, whose
// entries are members of the objects.
#ifndef VMEM_FORKING_H
#define VMEM_FORKING_H

#include "python/compat.h"

typedef struct ForkEntry {
    struct ForkEntry* previous;  // NULL while it is in no list
    struct ForkEntry* next;
    struct ForkList* list;
    void* object;
    void (*change_in_child)(void* object);
} ForkEntry;

typedef struct ForkList {
    ForkEntry head;  // its neighbours are the first and the last entry
    ListLock lock;
} ForkList;

void fork_list_init(ForkList* list);

// Takes all entries out of the list, which is about to be freed before the objects.
void fork_list_clear(ForkList* list);

// An object takes its entry out before it is freed. Taking out one that is in no list does nothing.
void fork_list_add(ForkList* list, ForkEntry* entry, void* object, void (*change_in_child)(void* object));
void fork_list_remove(ForkEntry* entry);

// Calls the function of every entry, in the child. It may take out its own entry, and add others.
void fork_list_run(ForkList* list);

#endif
