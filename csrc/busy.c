#include "busy.h"

#include "reservation.h"

struct BusyMark {
    size_t start;  // whole pages, as offsets
    size_t end;
    BusyKind kind;
    const char* verb;
    Mend mend;  // may be NULL
    long process;
    uint64_t thread;  // as Python counts them: what the system calls them is used again for threads of a child
    BusyMark* next;
};

static uint64_t get_thread_id(void) { return PyThreadState_GetID(PyThreadState_Get()); }

BusyMark* busy_mark(Reservation* reservation, size_t start, size_t end, BusyKind kind, const char* verb, Mend mend) {
    BusyMark* mark = PyMem_Malloc(sizeof(BusyMark));
    if (!mark) return (BusyMark*)PyErr_NoMemory();
    BusyMark marked = {start, end, kind, verb, mend, get_process_id(), get_thread_id(), reservation->busy};
    *mark = marked;
    reservation->busy = mark;
    return mark;
}

// Takes a mark out of the list. Returns false when it is not there.
static bool unlink_mark(Reservation* reservation, const BusyMark* mark) {
    for (BusyMark** link = &reservation->busy; *link; link = &(*link)->next) {
        if (*link != mark) continue;
        *link = mark->next;
        return true;
    }
    return false;
}

// A fork takes only one thread along: the calls of all others ended there. Their marks are not freed, because the mark
// could still be this child's own: that of a call which a signal handler interrupted in order to fork.
static void drop_marks_of_lost_threads(Reservation* reservation) {
    long process = get_process_id();
    uint64_t thread = get_thread_id();
    for (BusyMark* mark = reservation->busy; mark; mark = mark->next) {
        if (mark->process == process || mark->thread == thread) continue;
        unlink_mark(reservation, mark);
        if (mark->mend) mark->mend(reservation, mark->start, mark->end);
    }
}

bool busy_holds(Reservation* reservation, BusyMark* mark) {
    for (const BusyMark* other = reservation->busy; other; other = other->next) {
        if (other != mark) continue;
        mark->process = get_process_id();
        return true;
    }
    return false;
}

void busy_unmark(Reservation* reservation, BusyMark* mark) {
    unlink_mark(reservation, mark);
    PyMem_Free(mark);
}

bool busy_anywhere(Reservation* reservation) {
    if (reservation->busy) drop_marks_of_lost_threads(reservation);
    return reservation->busy != NULL;
}

static int check_unmarked(Reservation* reservation, size_t start, size_t end, BusyKind least, const char* verb) {
    if (!busy_anywhere(reservation)) return 0;
    for (const BusyMark* mark = reservation->busy; mark; mark = mark->next) {
        if (mark->kind < least || mark->end <= start || mark->start >= end) continue;
        PyErr_Format(PyExc_BufferError,
                     "cannot %s bytes %zu to %zu of this %s while a call is at work to %s bytes %zu to %zu; wait "
                     "until it is done",
                     verb, start, end, reservation->kind, mark->verb, mark->start, mark->end);
        return -1;
    }
    return 0;
}

int busy_check_usable(Reservation* reservation, size_t start, size_t end, const char* verb) {
    return check_unmarked(reservation, start, end, BUSY_EXCLUSIVE, verb);
}

int busy_check_changeable(Reservation* reservation, size_t start, size_t end, const char* verb) {
    return check_unmarked(reservation, start, end, BUSY_SHARED, verb);
}

void busy_free(Reservation* reservation) {
    while (reservation->busy) busy_unmark(reservation, reservation->busy);
}
