#include "paging.h"

#include "call.h"
#include "mapping_growth.h"
#include "mappings.h"
#include "pins.h"

static const PageState FRESH = {VMEM_READ_WRITE, false};

// Some pages that are alike.
typedef struct Run {
    Pages pages;
    PageState state;
} Run;

// Takes the first run off a committed range. Returns false when there is none left.
static bool next_run(const Reservation* reservation, Pages* rest, Run* run) {
    if (rest->start >= rest->end) return false;
    const Span* span = spans_find(&reservation->spans, rest->start);
    run->state = span->state;
    run->pages.start = rest->start;
    run->pages.end = rest->start = span->end < rest->end ? span->end : rest->end;
    return true;
}

// For a change that makes pages alike. It is allowed by what it gains, so that it can lead away from the limit, but
// counted without: whether the kernel joins the pages is not known.
static int check_change(const Reservation* reservation, Pages pages, const Attempt* attempt, Py_ssize_t* growth) {
    *growth = change_growth(&reservation->spans, reservation->size, pages.start, pages.end);
    Py_ssize_t gain = change_gain(&reservation->spans, pages.start, pages.end);
    return reservation_check_mappings(reservation, *growth - gain, attempt);
}

// --- commit ---

static size_t count_gaps(const Reservation* reservation, Pages pages, size_t* num_bytes) {
    size_t count = 0, start = pages.start, gap_start, gap_end;
    *num_bytes = 0;
    for (; spans_find_gap(&reservation->spans, start, pages.end, &gap_start, &gap_end); start = gap_end) {
        *num_bytes += gap_end - gap_start;
        count++;
    }
    return count;
}

static void decommit_gaps(Reservation* reservation, size_t start, size_t end) {
    size_t gap_start, gap_end;
    for (; spans_find_gap(&reservation->spans, start, end, &gap_start, &gap_end); start = gap_end)
        vmem_decommit(reservation->base + gap_start, gap_end - gap_start);
}

// Advice and names go with the commit, because decommitting takes them away. Neither is worth failing for.
static void dress(const Reservation* reservation, void* ptr, size_t size) {
    if (reservation->huge_pages) vmem_advise_huge_pages(ptr, size);
    if (reservation->label) vmem_set_name(ptr, size, reservation->label);
}

// Commits every gap in the record, and only those: pages that are committed keep their protection. When one fails, the
// gaps up to it are decommitted again. They were never in the record, so nobody has seen them.
static VmemResult commit_gaps(Reservation* reservation, Pages pages, int* error) {
    size_t start = pages.start, gap_start, gap_end;
    for (; spans_find_gap(&reservation->spans, start, pages.end, &gap_start, &gap_end); start = gap_end) {
        char* gap = reservation->base + gap_start;
        VmemResult result = vmem_commit(gap, gap_end - gap_start);
        *error = system_error();
        if (result != VMEM_SUCCESS) {
            decommit_gaps(reservation, pages.start, gap_end);
            return result;
        }
        dress(reservation, gap, gap_end - gap_start);
    }
    return VMEM_SUCCESS;
}

static void record_gaps_committed(Reservation* reservation, Pages pages) {
    size_t start = pages.start, gap_start, gap_end;
    for (; spans_find_gap(&reservation->spans, start, pages.end, &gap_start, &gap_end); start = gap_end)
        spans_set(&reservation->spans, gap_start, gap_end, FRESH);
}

// Commits pages that have no calls at work on them. Returns -1 with an exception, or 0 with the system's answer: it is
// raised later, because making an exception can start a garbage collection, which can run anything.
static int commit_pages(Reservation* reservation, Pages pages, Attempt* attempt, VmemResult* result, int* error) {
    size_t num_gaps = count_gaps(reservation, pages, &attempt->new_memory);
    *result = VMEM_SUCCESS;
    if (num_gaps == 0) return 0;
    Py_ssize_t growth = commit_growth(&reservation->spans, reservation->size, pages.start, pages.end);
    if (reservation_check_mappings(reservation, growth, attempt) < 0) return -1;
    if (spans_prepare(&reservation->spans, num_gaps) < 0) return -1;
    *result = commit_gaps(reservation, pages, error);
    if (*result == VMEM_SUCCESS) {
        record_gaps_committed(reservation, pages);
        mappings_add(growth);
    }
    spans_settle(&reservation->spans);
    return 0;
}

int paging_commit(Reservation* reservation, size_t offset, size_t num_bytes) {
    return paging_commit_ahead(reservation, offset, num_bytes, num_bytes);
}

int paging_commit_ahead(Reservation* reservation, size_t offset, size_t num_bytes, size_t most_bytes) {
    if (reservation_check_range(reservation, offset, most_bytes) < 0) return -1;
    if (num_bytes == 0) return 0;
    Pages pages = pages_of(reservation, offset, offset + num_bytes);
    Pages most = pages_of(reservation, offset, offset + most_bytes);
    if (busy_check_changeable(reservation, most.start, most.end, "commit") < 0) return -1;
    Attempt attempt = attempt_at(reservation, "commit", offset, num_bytes);
    VmemResult result;
    int error;
    if (commit_pages(reservation, most, &attempt, &result, &error) < 0) return -1;
    if (result != VMEM_SUCCESS && most.end > pages.end &&
        commit_pages(reservation, pages, &attempt, &result, &error) < 0)
        return -1;
    if (result == VMEM_SUCCESS) return 0;
    raise_refused(reservation->out_of_memory_error, &attempt, result, error);
    return -1;
}

// --- commit and prefault ---

// The gaps are committed at once, and come into the record when they have their memory: until then nobody else can use
// them, so they can be decommitted again when that fails.
static int prepare_commit_and_prefault(Call* call) {
    Reservation* reservation = call->reservation;
    Pages pages = call->pages;
    size_t num_gaps = count_gaps(reservation, pages, &call->attempt.new_memory);
    if (num_gaps > 0) {
        Py_ssize_t growth = commit_growth(&reservation->spans, reservation->size, pages.start, pages.end);
        if (call_check_growth(call, growth) < 0) return -1;
    }
    if (call_promise_spans(call, num_gaps) < 0) return -1;
    call->result = commit_gaps(reservation, pages, &call->error);
    if (call->result == VMEM_SUCCESS) return 0;
    spans_drop_promise(&reservation->spans, call->num_promised);
    raise_refused(reservation->out_of_memory_error, &call->attempt, call->result, call->error);
    return -1;
}

// The next pages that can be written to: those just committed, and of the others those whose protection allows it.
static bool find_gap_or_writable(const Call* call, Pages* piece) {
    size_t start = call->done;
    while (start < call->pages.end) {
        const Span* span = spans_find(&call->reservation->spans, start);
        bool gap = !span || span->start > start;
        size_t end = !span ? call->pages.end : gap ? span->start : span->end;
        if (gap || can_write(span->state.protection)) {
            piece->start = start;
            piece->end = end < call->pages.end ? end : call->pages.end;
            return true;
        }
        start = end;
    }
    return false;
}

static VmemResult prefault_piece(Call* call, void* ptr, size_t size) {
    (void)call;
    return vmem_prefault(ptr, size);
}

static void record_commit(Call* call) {
    record_gaps_committed(call->reservation, call->pages);
    call_add_growth(call);
}

static void take_commit_back(Call* call) { decommit_gaps(call->reservation, call->pages.start, call->pages.end); }

static const Operation COMMIT_AND_PREFAULT = {
    .verb = "commit and prefault",
    .changes = true,
    .prepare = prepare_commit_and_prefault,
    .find = find_gap_or_writable,
    .work = prefault_piece,
    .complete = record_commit,
    .undo = take_commit_back,
    .mend = decommit_gaps,
};

int paging_commit_and_prefault(Reservation* reservation, size_t offset, size_t num_bytes) {
    Call call = {.operation = &COMMIT_AND_PREFAULT, .reservation = reservation};
    return call_run(&call, offset, num_bytes);
}

// --- prefault ---

static int prepare_prefault(Call* call) {
    return reservation_check_writable(call->reservation, call->attempt.offset, call->attempt.num_bytes);
}

static const Operation PREFAULT = {
    .verb = "prefault",
    .prepare = prepare_prefault,
    .find = call_find_committed,
    .work = prefault_piece,
};

int paging_prefault(Reservation* reservation, size_t offset, size_t num_bytes) {
    Call call = {.operation = &PREFAULT, .reservation = reservation};
    return call_run(&call, offset, num_bytes);
}

// --- decommit ---

// Narrows pages to those from the first committed one to the last. There may be none.
static void narrow_to_committed(const Reservation* reservation, Pages* pages) {
    const Span* span = spans_find(&reservation->spans, pages->start);
    size_t end = pages->start;
    if (span && span->start > pages->start) pages->start = span->start;
    for (; span && span->start < pages->end; span = spans_find(&reservation->spans, span->end)) end = span->end;
    if (end < pages->end) pages->end = end;
    if (pages->start > pages->end) pages->start = pages->end;
}

static int prepare_decommit(Call* call) {
    Reservation* reservation = call->reservation;
    if (pins_check_none(reservation, call->pages, "decommit") < 0) return -1;
    narrow_to_committed(reservation, &call->pages);
    Pages pages = call->pages;
    if (pages.start == pages.end) return 0;
    if (call_check_growth(call, decommit_growth(&reservation->spans, reservation->size, pages.start, pages.end)) < 0)
        return -1;
    return call_promise_spans(call, SPANS_FOR_CHANGE);
}

// At the mapping limit locks can survive. Then they are ended, if that can be done: pages that are not committed have
// none.
static VmemResult decommit_piece(Call* call, void* ptr, size_t size) {
    (void)call;
    VmemResult result = vmem_decommit(ptr, size);
    if (result != VMEM_DECOMMIT_INCOMPLETE) return result;
    vmem_unlock(ptr, size);
    return VMEM_SUCCESS;
}

static void record_decommit(Call* call) { spans_clear(&call->reservation->spans, call->piece.start, call->piece.end); }

// The record may still claim a piece that is gone already. The spans that this needs are those promised to the lost
// call.
static void finish_decommit(Reservation* reservation, size_t start, size_t end) {
    vmem_decommit(reservation->base + start, end - start);
    spans_clear(&reservation->spans, start, end);
}

static void complete_decommit(Call* call) {
    call_add_growth(call);
    if (call->unused && call->unused->forget) call->unused->forget(call->reservation->owner, call->attempt.offset);
}

static const Operation DECOMMIT = {
    .verb = "decommit",
    .changes = true,
    .exclusive = true,
    .prepare = prepare_decommit,
    .find = call_find_committed,
    .work = decommit_piece,
    .finish = record_decommit,
    .complete = complete_decommit,
    .undo = call_add_growth_of_part,
    .mend = finish_decommit,
};

int paging_decommit(Reservation* reservation, size_t offset, size_t num_bytes) {
    Call call = {.operation = &DECOMMIT, .reservation = reservation};
    return call_run(&call, offset, num_bytes);
}

int paging_decommit_unused(Reservation* reservation, const Unused* unused) {
    Call call = {.operation = &DECOMMIT, .reservation = reservation, .unused = unused};
    return call_run(&call, 0, 0);
}

// --- discard ---

static int prepare_discard(Call* call) {
    Reservation* reservation = call->reservation;
    if (reservation_check_writable(reservation, call->attempt.offset, call->attempt.num_bytes) < 0) return -1;
    if (pins_check_none(reservation, call->pages, "discard") < 0) return -1;
    return call_promise_spans(call, SPANS_FOR_CHANGE);
}

static VmemResult discard_piece(Call* call, void* ptr, size_t size) {
    (void)call;
    return vmem_discard(ptr, size);
}

static bool are_fresh(const Reservation* reservation, Pages pages) {
    Run run;
    while (next_run(reservation, &pages, &run))
        if (run.state.protection != FRESH.protection || run.state.locked != FRESH.locked) return false;
    return true;
}

// Systems that discard by mapping or committing the pages again make them as fresh ones are. Which those are costs more
// to find out than the pages.
static void record_discard(Call* call) {
    if (are_fresh(call->reservation, call->piece) || !vmem_get_capabilities().discard_unlocks) return;
    spans_set(&call->reservation->spans, call->piece.start, call->piece.end, FRESH);
}

// Some lose the pages when that fails.
static void record_failed_discard(Call* call) {
    if (call->result == VMEM_SUCCESS || !vmem_get_capabilities().discard_can_lose_commit) return;
    spans_clear(&call->reservation->spans, call->piece.start, call->piece.end);
}

static const Operation DISCARD = {
    .verb = "discard",
    .changes = true,
    .exclusive = true,
    .prepare = prepare_discard,
    .find = call_find_committed,
    .work = discard_piece,
    .finish = record_discard,
    .undo = record_failed_discard,
};

int paging_discard(Reservation* reservation, size_t offset, size_t num_bytes) {
    Call call = {.operation = &DISCARD, .reservation = reservation};
    return call_run(&call, offset, num_bytes);
}

int paging_discard_unused(Reservation* reservation, const Unused* unused) {
    Call call = {.operation = &DISCARD, .reservation = reservation, .unused = unused};
    return call_run(&call, 0, 0);
}

// --- lock and unlock ---

static void record_locks(Reservation* reservation, Pages pages, bool locked) {
    Run run;
    while (next_run(reservation, &pages, &run)) {
        run.state.locked = locked;
        spans_set(&reservation->spans, run.pages.start, run.pages.end, run.state);
    }
}

// A fork takes no locks along. Without this, locks that a refused lock() leaves behind would be taken for older ones.
static void forget_locks_of_parent(Reservation* reservation) {
    long process = get_process_id();
    if (reservation->lock_process == process) return;
    const Span* span = spans_find(&reservation->spans, 0);
    while (span) {
        Pages pages = {span->start, span->end};
        if (span->state.locked) record_locks(reservation, pages, false);
        span = spans_find(&reservation->spans, pages.end);
    }
    reservation->lock_process = process;
}

static size_t count_unlocked(const Reservation* reservation, Pages pages) {
    size_t num_bytes = 0;
    Run run;
    while (next_run(reservation, &pages, &run))
        if (!run.state.locked) num_bytes += run.pages.end - run.pages.start;
    return num_bytes;
}

static int prepare_lock(Call* call) {
    Reservation* reservation = call->reservation;
    if (reservation_check_readable(reservation, call->attempt.offset, call->attempt.num_bytes) < 0) return -1;
    if (check_change(reservation, call->pages, &call->attempt, &call->growth) < 0) return -1;
    if (call_promise_spans(call, SPANS_FOR_CHANGE) < 0) return -1;
    forget_locks_of_parent(reservation);
    call->attempt.new_locks = count_unlocked(reservation, call->pages);
    return 0;
}

static VmemResult lock_piece(Call* call, void* ptr, size_t size) {
    (void)call;
    return vmem_lock(ptr, size);
}

static void record_lock(Call* call) {
    record_locks(call->reservation, call->pages, true);
    call_add_growth(call);
}

// Also of the piece that failed: a part of it may be locked.
static void take_locks_back(Call* call) {
    Reservation* reservation = call->reservation;
    Pages pages = {call->pages.start, call->piece.end};
    Run run;
    while (next_run(reservation, &pages, &run))
        if (!run.state.locked) vmem_unlock(reservation->base + run.pages.start, run.pages.end - run.pages.start);
}

static const Operation LOCK = {
    .verb = "lock",
    .changes = true,
    .prepare = prepare_lock,
    .find = call_find_committed,
    .work = lock_piece,
    .complete = record_lock,
    .undo = take_locks_back,
};

int paging_lock(Reservation* reservation, size_t offset, size_t num_bytes) {
    Call call = {.operation = &LOCK, .reservation = reservation};
    return call_run(&call, offset, num_bytes);
}

static int prepare_unlock(Call* call) {
    Reservation* reservation = call->reservation;
    if (reservation_check_committed(reservation, call->attempt.offset, call->attempt.num_bytes) < 0) return -1;
    if (check_change(reservation, call->pages, &call->attempt, &call->growth) < 0) return -1;
    if (call_promise_spans(call, SPANS_FOR_CHANGE) < 0) return -1;
    forget_locks_of_parent(reservation);
    return 0;
}

static VmemResult unlock_piece(Call* call, void* ptr, size_t size) {
    (void)call;
    return vmem_unlock(ptr, size);
}

static void record_unlock(Call* call) { record_locks(call->reservation, call->piece, false); }

static const Operation UNLOCK = {
    .verb = "unlock",
    .changes = true,
    .prepare = prepare_unlock,
    .find = call_find_committed,
    .work = unlock_piece,
    .finish = record_unlock,
    .complete = call_add_growth,
    .undo = call_add_growth_of_part,
};

int paging_unlock(Reservation* reservation, size_t offset, size_t num_bytes) {
    Call call = {.operation = &UNLOCK, .reservation = reservation};
    return call_run(&call, offset, num_bytes);
}

// --- counting what is resident ---

static int prepare_count(Call* call) {
    (void)call;
    return 0;
}

static VmemResult count_piece(Call* call, void* ptr, size_t size) {
    size_t num_resident;
    VmemResult result = vmem_count_resident(ptr, size, &num_resident);
    if (result == VMEM_SUCCESS) call->num_resident += num_resident;
    return result;
}

static const Operation COUNT_RESIDENT = {
    .verb = "count the resident part of",
    .prepare = prepare_count,
    .find = call_find_run,
    .work = count_piece,
};

int paging_count_resident(Reservation* reservation, size_t offset, size_t num_bytes, size_t* num_resident) {
    Call call = {.operation = &COUNT_RESIDENT, .reservation = reservation};
    int status = call_run(&call, offset, num_bytes);
    *num_resident = call.num_resident;
    return status;
}

// --- protect ---

// What both of two protections allow.
static VmemProtection common_protection(VmemProtection one, VmemProtection other) {
    static const VmemProtection WITHOUT_READING[] = {VMEM_NO_ACCESS, VMEM_EXECUTE};
    static const VmemProtection READING[] = {VMEM_READ, VMEM_READ_EXECUTE};
    static const VmemProtection WRITING[] = {VMEM_READ_WRITE, VMEM_READ_WRITE_EXECUTE};
    bool executes = can_execute(one) && can_execute(other);
    if (can_write(one) && can_write(other)) return WRITING[executes];
    return (can_read(one) && can_read(other) ? READING : WITHOUT_READING)[executes];
}

// After a refusal that may have changed some of the pages. If the old protection cannot be had again, the record claims
// only what pages have either way.
static void restore_protection(Reservation* reservation, Pages pages, VmemProtection refused) {
    Run run;
    while (next_run(reservation, &pages, &run)) {
        size_t start = run.pages.start, end = run.pages.end;
        if (vmem_protect(reservation->base + start, end - start, run.state.protection) == VMEM_SUCCESS) continue;
        run.state.protection = common_protection(run.state.protection, refused);
        spans_set(&reservation->spans, start, end, run.state);
    }
}

static void record_protection(Reservation* reservation, Pages pages, VmemProtection protection) {
    Run run;
    while (next_run(reservation, &pages, &run)) {
        run.state.protection = protection;
        spans_set(&reservation->spans, run.pages.start, run.pages.end, run.state);
    }
}

static bool has_protection(const Reservation* reservation, Pages pages, VmemProtection protection) {
    Run run;
    while (next_run(reservation, &pages, &run))
        if (run.state.protection != protection) return false;
    return true;
}

static int check_views_allow(const Reservation* reservation, Pages pages, VmemProtection protection) {
    if (!can_read(protection)) return pins_check_none(reservation, pages, "take access from");
    if (!can_write(protection)) return pins_check_none_writable(reservation, pages, "take write access from");
    return 0;
}

int paging_protect(Reservation* reservation, size_t offset, size_t num_bytes, VmemProtection protection) {
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    if (num_bytes == 0) return 0;
    Pages pages = pages_of(reservation, offset, offset + num_bytes);
    if (busy_check_changeable(reservation, pages.start, pages.end, "protect") < 0) return -1;
    if (reservation_check_committed(reservation, offset, num_bytes) < 0) return -1;
    if (check_views_allow(reservation, pages, protection) < 0) return -1;
    if (has_protection(reservation, pages, protection)) return 0;

    Attempt attempt = attempt_at(reservation, "protect", offset, num_bytes);
    Py_ssize_t growth;
    if (check_change(reservation, pages, &attempt, &growth) < 0) return -1;
    if (spans_prepare(&reservation->spans, SPANS_FOR_CHANGE) < 0) return -1;
    VmemResult result = vmem_protect(reservation->base + pages.start, pages.end - pages.start, protection);
    int error = system_error();
    if (result == VMEM_SUCCESS)
        record_protection(reservation, pages, protection);
    else
        restore_protection(reservation, pages, protection);
    spans_settle(&reservation->spans);
    if (result != VMEM_SUCCESS) {
        raise_refused(reservation->out_of_memory_error, &attempt, result, error);
        return -1;
    }
    mappings_add(growth);
    return 0;
}
