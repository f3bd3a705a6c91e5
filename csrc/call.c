#include "call.h"

#include "mappings.h"

// --- what verbs have in common ---

int call_check_growth(Call* call, Py_ssize_t growth) {
    call->growth = growth;
    return reservation_check_mappings(call->reservation, growth, &call->attempt);
}

int call_promise_spans(Call* call, size_t num_spans) {
    if (spans_promise(&call->reservation->spans, num_spans) < 0) return -1;
    call->num_promised = num_spans;
    return 0;
}

void call_add_growth(Call* call) { mappings_add(call->growth); }

void call_add_growth_of_part(Call* call) {
    (void)call;
    mappings_add(2);
}

bool call_find_committed(const Call* call, Pages* piece) {
    const Span* span = spans_find(&call->reservation->spans, call->done);
    if (call->done == call->pages.end || !span || span->start >= call->pages.end) return false;
    piece->start = span->start > call->done ? span->start : call->done;
    piece->end = call->pages.end;
    return true;
}

bool call_find_run(const Call* call, Pages* piece) {
    if (!call_find_committed(call, piece)) return false;
    const Span* span = spans_find(&call->reservation->spans, piece->start);
    if (span->end < piece->end) piece->end = span->end;
    return true;
}

// --- doing it ---

// Up to this size a call is done at once: it takes less than letting others run is worth.
#define SHORT_CALL ((size_t)4 << 20)

// The size of a piece starts here, and doubles as long as pieces go fast: those where little is in memory do.
#define FIRST_PIECE ((size_t)16 << 20)
#define LARGEST_PIECE ((size_t)64 << 20)
#define FAST_PIECE 1e-3  // seconds

static bool next_piece(Call* call, size_t max_size) {
    if (!call->operation->find(call, &call->piece)) return false;
    if (call->piece.end - call->piece.start > max_size) call->piece.end = call->piece.start + max_size;
    return true;
}

static void work_on_piece(Call* call, char* base) {
    call->result = call->operation->work(call, base + call->piece.start, call->piece.end - call->piece.start);
    call->error = system_error();
}

// Returns -1, without an exception yet, when the system has refused.
static int finish_piece(Call* call) {
    if (call->result != VMEM_SUCCESS) return -1;
    if (call->operation->finish) call->operation->finish(call);
    call->done = call->piece.end;
    return 0;
}

static int work_at_once(Call* call) {
    while (next_piece(call, SIZE_MAX)) {
        work_on_piece(call, call->reservation->base);
        if (finish_piece(call) < 0) return -1;
    }
    return 0;
}

// Returns 1 when there is a piece, 0 when all is done, -1 with an exception.
static int start_piece(Call* call, size_t max_size) {
    Reservation* reservation = call->reservation;
    if (!busy_holds(reservation, call->mark)) {
        call->lost = true;
        PyErr_Format(PyExc_BufferError,
                     "cannot %s bytes %zu to %zu of this %s any further after a fork: another thread has used it",
                     call->attempt.verb, call->pages.start, call->pages.end, reservation->kind);
        return -1;
    }
    if (reservation_check_open(reservation) < 0) return -1;
    return next_piece(call, max_size);
}

// Returns -1 with or without an exception.
static int work_piece_by_piece(Call* call) {
    size_t size = FIRST_PIECE;
    char* base = call->reservation->base;
    int status;
    do {
        VMEM_LOCK(call->reservation->owner);
        status = start_piece(call, size);
        VMEM_UNLOCK();
        if (status <= 0) break;
        double start = get_seconds();
        Py_BEGIN_ALLOW_THREADS
        work_on_piece(call, base);
        Py_END_ALLOW_THREADS
        if (size < LARGEST_PIECE && get_seconds() - start < FAST_PIECE) size *= 2;
        VMEM_LOCK(call->reservation->owner);
        status = finish_piece(call);
        VMEM_UNLOCK();
        if (status == 0) status = PyErr_CheckSignals();
    } while (status == 0);
    return status;
}

// Leaves everything as it was before the preparation.
static int take_back(Call* call) {
    if (call->operation->undo) call->operation->undo(call);
    spans_drop_promise(&call->reservation->spans, call->num_promised);
    return -1;
}

static int begin(Call* call, size_t offset, size_t num_bytes) {
    Reservation* reservation = call->reservation;
    const Operation* operation = call->operation;
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    call->attempt = attempt_at(reservation, operation->verb, offset, num_bytes);
    if (num_bytes == 0) return 0;
    call->pages = pages_of(reservation, offset, offset + num_bytes);
    Pages pages = call->pages;
    if (operation->changes && busy_check_changeable(reservation, pages.start, pages.end, operation->verb) < 0)
        return -1;
    if (operation->prepare(call) < 0) return -1;
    pages = call->pages;
    call->done = pages.start;
    if (pages.end - pages.start <= SHORT_CALL) return 0;
    BusyKind kind = operation->exclusive ? BUSY_EXCLUSIVE : BUSY_SHARED;
    call->mark = busy_mark(reservation, pages.start, pages.end, kind, operation->verb, operation->mend);
    return call->mark ? 0 : take_back(call);
}

// Exceptions come last: making one can start a garbage collection, which can run anything.
static int end(Call* call, int status) {
    Reservation* reservation = call->reservation;
    void (*record)(Call*) = status == 0 ? call->operation->complete : call->operation->undo;
    if (record && !call->lost) record(call);
    spans_drop_promise(&reservation->spans, call->num_promised);
    if (call->mark) {
        busy_unmark(reservation, call->mark);
        reservation_settle(reservation);
    }
    if (call->result != VMEM_SUCCESS)
        raise_refused(reservation->out_of_memory_error, &call->attempt, call->result, call->error);
    return status;
}

// A page that is used in part is used. So both ends go forward, and where one range ends another can begin.
static Pages claim_unused(const Call* call) {
    Pages unused = call->unused->claim(call->reservation->owner);
    unused.start = vmem_align_forward(unused.start, call->reservation->page_size);
    unused.end = vmem_align_forward(unused.end, call->reservation->page_size);
    if (unused.end < unused.start) unused.end = unused.start;
    return unused;
}

int call_run(Call* call, size_t offset, size_t num_bytes) {
    int status;
    VMEM_LOCK(call->reservation->owner);
    if (call->unused) {
        Pages unused = claim_unused(call);
        offset = unused.start;
        num_bytes = unused.end - unused.start;
    }
    status = begin(call, offset, num_bytes);
    if (status == 0 && !call->mark) status = end(call, work_at_once(call));
    VMEM_UNLOCK();
    if (status < 0 || !call->mark) return status;
    status = work_piece_by_piece(call);
    VMEM_LOCK(call->reservation->owner);
    status = end(call, status);
    VMEM_UNLOCK();
    return status;
}
