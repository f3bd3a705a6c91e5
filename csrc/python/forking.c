#include "python/forking.h"

void fork_list_init(ForkList* list) {
    memset(list, 0, sizeof(*list));
    list->head.previous = list->head.next = &list->head;
}

static void unlink_entry(ForkEntry* entry) {
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    entry->previous = entry->next = NULL;
    entry->list = NULL;
}

void fork_list_clear(ForkList* list) {
    if (!list->head.next) return;  // the module was never initialized
    list_lock(&list->lock);
    while (list->head.next != &list->head) unlink_entry(list->head.next);
    list_unlock(&list->lock);
}

void fork_list_add(ForkList* list, ForkEntry* entry, void* object, void (*change_in_child)(void* object)) {
    entry->object = object;
    entry->change_in_child = change_in_child;
    list_lock(&list->lock);
    entry->list = list;
    entry->previous = list->head.previous;
    entry->next = &list->head;
    entry->previous->next = entry->next->previous = entry;
    list_unlock(&list->lock);
}

void fork_list_remove(ForkEntry* entry) {
    ForkList* list = entry->list;
    if (!list) return;
    list_lock(&list->lock);
    unlink_entry(entry);
    list_unlock(&list->lock);
}

// The child has this thread alone, so there is no lock to take.
void fork_list_run(ForkList* list) {
    ForkEntry* entry = list->head.next;
    while (entry != &list->head) {
        ForkEntry* next = entry->next;
        entry->change_in_child(entry->object);
        entry = next;
    }
}
