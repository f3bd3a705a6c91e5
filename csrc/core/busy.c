#include "core/busy.h"

struct BusyMark {
    Pages pages;
    BusyKind kind;
    const char* verb;
    RecoverAfterFork recover;  // may be NULL
    long process;
    uint64_t thread;  // of the thread state: threads of a forked child can reuse the system's IDs
    BusyMark* next;
};

static uint64_t get_thread_id(void) { return PyThreadState_GetID(PyThreadState_Get()); }

BusyMark* busy_mark(BusyList* list, Pages pages, BusyKind kind, const char* verb, RecoverAfterFork recover) {
    BusyMark* mark = PyMem_Malloc(sizeof(BusyMark));
    if (!mark) return (BusyMark*)PyErr_NoMemory();
    *mark = (BusyMark){pages, kind, verb, recover, get_process_id(), get_thread_id(), list->first};
    list->first = mark;
    return mark;
}

static void unlink_mark(BusyList* list, const BusyMark* mark) {
    for (BusyMark** link = &list->first; *link; link = &(*link)->next) {
        if (*link != mark) continue;
        *link = mark->next;
        return;
    }
}

// A forked child has only the thread that called fork(): the calls of all others ended there. Their marks are unlinked
// but not freed, because a signal handler may have forked in the middle of a call, whose thread goes on in the child
// and still refers to its mark.
static void drop_marks_of_lost_threads(BusyList* list) {
    long process = get_process_id();
    uint64_t thread = get_thread_id();
    for (BusyMark* mark = list->first; mark; mark = mark->next) {
        if (mark->process == process || mark->thread == thread) continue;
        unlink_mark(list, mark);
        if (mark->recover) mark->recover(list->reservation, mark->pages);
    }
}

bool busy_holds(const BusyList* list, BusyMark* mark) {
    for (const BusyMark* other = list->first; other; other = other->next) {
        if (other != mark) continue;
        mark->process = get_process_id();
        return true;
    }
    return false;
}

void busy_unmark(BusyList* list, BusyMark* mark) {
    unlink_mark(list, mark);
    PyMem_Free(mark);
}

bool busy_anywhere(BusyList* list) {
    if (list->first) drop_marks_of_lost_threads(list);
    return list->first != NULL;
}

static int check_unmarked(BusyList* list, size_t start, size_t end, BusyKind least, const char* verb) {
    if (!busy_anywhere(list)) return 0;
    for (const BusyMark* mark = list->first; mark; mark = mark->next) {
        if (mark->kind < least || mark->pages.end <= start || mark->pages.start >= end) continue;
        PyErr_Format(PyExc_BufferError,
                     "cannot %s bytes %zu to %zu of this %s while a call to %s bytes %zu to %zu is in progress; wait "
                     "until it has ended",
                     verb, start, end, list->owner_kind->noun, mark->verb, mark->pages.start, mark->pages.end);
        return -1;
    }
    return 0;
}

int busy_check_usable(BusyList* list, ByteRange bytes, const char* verb) {
    return check_unmarked(list, bytes.start, bytes.end, BUSY_EXCLUSIVE, verb);
}

int busy_check_changeable(BusyList* list, Pages pages, const char* verb) {
    return check_unmarked(list, pages.start, pages.end, BUSY_SHARED, verb);
}

void busy_free(BusyList* list) {
    while (list->first) busy_unmark(list, list->first);
}
