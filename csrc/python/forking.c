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

// The object may be freed by this.
static void forget_entry(ForkEntry* entry) {
    unlink_entry(entry);
    if (entry->kind->forget) entry->kind->forget(entry->object);
}

void fork_list_clear(ForkList* list) {
    if (!list->head.next) return;  // the module was never initialized
    list_lock(&list->lock);
    while (list->head.next != &list->head) forget_entry(list->head.next);
    list_unlock(&list->lock);
}

void fork_list_sweep(ForkList* list) {
    ForkEntry* next;
    list_lock(&list->lock);
    for (ForkEntry* entry = list->head.next; entry != &list->head; entry = next) {
        next = entry->next;
        if (entry->kind->is_over && entry->kind->is_over(entry->object)) forget_entry(entry);
    }
    list_unlock(&list->lock);
}

void fork_list_add(ForkList* list, ForkEntry* entry, const ForkKind* kind, void* object) {
    entry->kind = kind;
    entry->object = object;
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
        entry->kind->change_in_child(entry->object);
        entry = next;
    }
}
