#include "core/long_call.h"

#include "core/lifetime.h"
#include "core/mapping_budget.h"

// --- chunks ---

bool long_call_find_committed(const LongCall* call, Pages* chunk) {
    const Span* span = spans_find(&call->reservation->spans, call->done);
    if (call->done == call->pages.end || !span || span->start >= call->pages.end) return false;
    chunk->start = span->start > call->done ? span->start : call->done;
    chunk->end = call->pages.end;
    return true;
}

bool long_call_find_run(const LongCall* call, Pages* chunk) {
    if (!long_call_find_committed(call, chunk)) return false;
    const Span* span = spans_find(&call->reservation->spans, chunk->start);
    if (span->end < chunk->end) chunk->end = span->end;
    return true;
}

static bool find_chunk(LongCall* call, size_t max_size) {
    if (!call->operation->find_chunk(call, &call->chunk)) return false;
    if (!call->operation->undivided && call->chunk.end - call->chunk.start > max_size)
        call->chunk.end = call->chunk.start + max_size;
    return true;
}

static void work_on_chunk(LongCall* call, char* base) {
    call->result = call->operation->work(call, base + call->chunk.start, call->chunk.end - call->chunk.start);
    call->error = system_error();
}

// Returns -1, without an exception yet, when the system has refused.
static int record_chunk(LongCall* call) {
    if (call->result != VMEM_SUCCESS) return -1;
    if (call->operation->record_chunk) call->operation->record_chunk(call);
    call->done = call->chunk.end;
    return 0;
}

// --- beginning ---

// Calls of up to this size are done at once: they are too short to be worth releasing the GIL.
#define SHORT_CALL ((size_t)4 << 20)

// Both ends are rounded up: a page that the owner uses in part stays, and a range that begins where another ends shares
// no page with it.
static void claim_unused(const LongCall* call, size_t* offset, size_t* num_bytes) {
    size_t page_size = call->reservation->page_size;
    ByteRange unused = call->unused->claim(call->unused, call->reservation->owner);
    size_t start = vmem_align_forward(unused.start, page_size), end = vmem_align_forward(unused.end, page_size);
    *offset = start;
    *num_bytes = end > start ? end - start : 0;
}

static void raise_result(const LongCall* call) {
    if (call->result == VMEM_SUCCESS) return;
    raise_refused(call->reservation->out_of_memory_error, &call->request, call->result, call->error);
}

static int start_operation(LongCall* call) {
    if (!call->operation->start || call->operation->start(call) == 0) return 0;
    spans_release_preallocated(&call->reservation->spans, call->num_spans);
    raise_result(call);
    return -1;
}

// Checks the state of the pages, allocates what recording the changes will need, and starts.
static int prepare(LongCall* call) {
    const Operation* operation = call->operation;
    Reservation* reservation = call->reservation;
    Request* request = &call->request;
    if (operation->check && operation->check(reservation, request->offset, request->num_bytes) < 0) return -1;
    if (operation->empties && pins_check_none(&reservation->pins, call->pages, operation->verb) < 0) return -1;
    if (operation->plan) operation->plan(call);
    if (call->pages.start == call->pages.end) {
        call->num_spans = 0;
        return 0;
    }
    if (reservation_check_mappings(reservation, call->min_mappings, request) < 0) return -1;
    if (spans_preallocate(&reservation->spans, call->num_spans) < 0) return -1;
    return start_operation(call);
}

static int mark_busy(LongCall* call) {
    const Operation* operation = call->operation;
    BusyKind kind = operation->exclusive ? BUSY_EXCLUSIVE : BUSY_SHARED;
    BusyList* list = &call->reservation->busy;
    call->mark = busy_mark(list, call->pages, kind, operation->verb, operation->recover_after_fork);
    return call->mark ? 0 : -1;
}

static int check_can_give_back(const Reservation* reservation, const char* verb) {
    const char* reason = reservation->backing->never_given_back;
    if (!reason) return 0;
    PyErr_Format(PyExc_NotImplementedError, "cannot %s bytes of this %s: %s", verb, reservation->owner_kind->noun,
                 reason);
    return -1;
}

static int begin(LongCall* call, size_t offset, size_t num_bytes) {
    Reservation* reservation = call->reservation;
    const Operation* operation = call->operation;
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    if (operation->gives_back && check_can_give_back(reservation, operation->verb) < 0) return -1;
    call->request = request_at(reservation, operation->verb, offset, num_bytes);
    if (num_bytes == 0) return 0;
    call->pages = reservation_pages(reservation, offset, offset + num_bytes);
    if (operation->changes && busy_check_changeable(&reservation->busy, call->pages, operation->verb) < 0) return -1;
    if (prepare(call) < 0) return -1;
    call->done = call->pages.start;
    if (call->pages.end - call->pages.start <= SHORT_CALL || mark_busy(call) == 0) return 0;
    if (operation->on_failure) operation->on_failure(call);
    spans_release_preallocated(&reservation->spans, call->num_spans);
    return -1;
}

// --- working ---

static int work_at_once(LongCall* call) {
    while (find_chunk(call, SIZE_MAX)) {
        work_on_chunk(call, call->reservation->base);
        if (record_chunk(call) < 0) return -1;
    }
    return 0;
}

// Chunks have this size at first, which doubles as long as they are done fast, as they are when few of their pages are
// resident.
#define FIRST_CHUNK ((size_t)16 << 20)
#define LARGEST_CHUNK ((size_t)64 << 20)
#define FAST_CHUNK 1e-3  // seconds

// Returns 1 when there is a chunk, 0 when all is done, -1 with an exception.
static int begin_chunk(LongCall* call, size_t max_size) {
    Reservation* reservation = call->reservation;
    if (!busy_holds(&reservation->busy, call->mark)) {
        call->mark_lost = true;
        PyErr_Format(PyExc_BufferError,
                     "cannot continue to %s bytes %zu to %zu of this %s after a fork: another thread has used them",
                     call->request.verb, call->pages.start, call->pages.end, reservation->owner_kind->noun);
        return -1;
    }
    if (reservation_check_open(reservation) < 0) return -1;
    return find_chunk(call, max_size);
}

// Returns -1 with or without an exception.
static int work_chunk_by_chunk(LongCall* call) {
    size_t size = FIRST_CHUNK;
    char* base = call->reservation->base;
    int status;
    do {
        Py_BEGIN_CRITICAL_SECTION(call->reservation->owner);
        status = begin_chunk(call, size);
        Py_END_CRITICAL_SECTION();
        if (status <= 0) break;
        double seconds = get_seconds();
        Py_BEGIN_ALLOW_THREADS
        work_on_chunk(call, base);
        Py_END_ALLOW_THREADS
        if (size < LARGEST_CHUNK && get_seconds() - seconds < FAST_CHUNK) size *= 2;
        Py_BEGIN_CRITICAL_SECTION(call->reservation->owner);
        status = record_chunk(call);
        Py_END_CRITICAL_SECTION();
        if (status == 0) status = PyErr_CheckSignals();
    } while (status == 0);
    return status;
}

// --- ending ---

// Exceptions are raised last: making one can start a garbage collection, which can run any Python code.
static int end(LongCall* call, int status) {
    Reservation* reservation = call->reservation;
    const Operation* operation = call->operation;
    void (*record)(LongCall*) = status == 0 ? operation->on_success : operation->on_failure;
    if (call->mark && !busy_holds(&reservation->busy, call->mark)) call->mark_lost = true;
    if (record && !call->mark_lost) record(call);
    spans_release_preallocated(&reservation->spans, call->num_spans);
    if (call->mark) {
        busy_unmark(&reservation->busy, call->mark);
        reservation_release_if_unused(reservation);
    }
    raise_result(call);
    return status;
}

int long_call_run(LongCall* call, size_t offset, size_t num_bytes) {
    int status;
    Py_BEGIN_CRITICAL_SECTION(call->reservation->owner);
    if (call->unused) claim_unused(call, &offset, &num_bytes);
    status = begin(call, offset, num_bytes);
    if (status == 0 && !call->mark) status = end(call, work_at_once(call));
    Py_END_CRITICAL_SECTION();
    if (status < 0 || !call->mark) return status;
    status = work_chunk_by_chunk(call);
    Py_BEGIN_CRITICAL_SECTION(call->reservation->owner);
    status = end(call, status);
    Py_END_CRITICAL_SECTION();
    return status;
}
