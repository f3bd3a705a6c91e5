#include "core/page_ops.h"

#include "core/mapping_budget.h"

// The properties of freshly committed pages.
static const PageState FRESH = {VMEM_READ_WRITE, UNLOCKED};

// --- runs of pages with equal properties ---

typedef struct Run {
    Pages pages;
    PageState state;
} Run;

// Removes the first run from `rest`, a committed range. Returns false when the range is empty.
static bool next_run(const Reservation* reservation, Pages* rest, Run* run) {
    if (rest->start >= rest->end) return false;
    const Span* span = spans_find(&reservation->spans, rest->start);
    run->state = span->state;
    run->pages.start = rest->start;
    run->pages.end = rest->start = span->end < rest->end ? span->end : rest->end;
    return true;
}

// --- gaps: pages that are not committed ---

static bool next_gap(const Reservation* reservation, Pages* rest, Pages* gap) {
    if (!spans_find_gap(&reservation->spans, rest->start, rest->end, &gap->start, &gap->end)) return false;
    rest->start = gap->end;
    return true;
}

static size_t count_gaps(const Reservation* reservation, Pages pages, size_t* num_bytes) {
    size_t count = 0;
    Pages gap;
    *num_bytes = 0;
    while (next_gap(reservation, &pages, &gap)) {
        *num_bytes += gap.end - gap.start;
        count++;
    }
    return count;
}

// For gaps whose commit was not recorded.
static void undo_commit_of_gaps(const Reservation* reservation, Pages pages) {
    const Backing* backing = reservation->backing;
    Pages gap;
    while (next_gap(reservation, &pages, &gap))
        backing->undo_commit(backing, reservation->base + gap.start, gap.end - gap.start);
}

static bool names_pages(const Reservation* reservation) {
    return reservation->label && reservation->backing->names_pages;
}

static bool has_advice(const Reservation* reservation) {
    return reservation->huge_pages || names_pages(reservation) || reservation->fork != VMEM_FORK_COPY ||
           reservation->is_secret;
}

// Decommitting drops all advice, so it is applied with every commit. Huge pages and names are hints, whose failure is
// ignored. Memory that would end up in a forked process or a core dump against its owner's will must not be used.
static VmemResult apply_advice(const Reservation* reservation, void* ptr, size_t size) {
    VmemResult result = VMEM_SUCCESS;
    if (reservation->huge_pages) vmem_advise_huge_pages(ptr, size);
    if (names_pages(reservation)) vmem_set_name(ptr, size, reservation->label);
    // Never VMEM_FORK_NONE: a view that is alive in the forked process would lose its memory.
    if (reservation->fork != VMEM_FORK_COPY) result = vmem_advise_fork(ptr, size, VMEM_FORK_ZERO);
    if (result == VMEM_SUCCESS && reservation->is_secret) result = vmem_advise_dump(ptr, size, false);
    return result;
}

// The pages from the first gap to the end of the last. Empty when there is none.
static Pages span_of_gaps(const Reservation* reservation, Pages pages) {
    Pages gap, all = {pages.start, pages.start};
    if (!next_gap(reservation, &pages, &gap)) return all;
    all = gap;
    while (next_gap(reservation, &pages, &gap)) all.end = gap.end;
    return all;
}

// How much of the gaps has no memory, whichever of them other processes have committed. They have made what there is
// beyond what this one has committed.
static size_t count_missing(const Reservation* reservation, size_t num_bytes_of_gaps) {
    const Backing* backing = reservation->backing;
    if (!backing->count_allocated) return num_bytes_of_gaps;
    size_t allocated = backing->count_allocated(backing), ours = reservation->spans.num_bytes;
    size_t of_others = allocated > ours ? allocated - ours : 0;
    return num_bytes_of_gaps > of_others ? num_bytes_of_gaps - of_others : 0;
}

// Returns how many gaps there are, and sets what the request needs of memory.
static size_t measure_gaps(const Reservation* reservation, Pages pages, Request* request) {
    size_t num_gaps = count_gaps(reservation, pages, &request->new_memory);
    request->num_missing = num_gaps ? count_missing(reservation, request->new_memory) : 0;
    return num_gaps;
}

// In one call for all gaps, so that there is memory for all of them or for none.
static VmemResult allocate_gaps(const Reservation* reservation, Pages pages, const Request* request) {
    const Backing* backing = reservation->backing;
    if (!backing->allocate) return VMEM_SUCCESS;
    Pages all = span_of_gaps(reservation, pages);
    return backing->allocate(backing, all.start, all.end - all.start, request->num_missing);
}

// Commits every gap in the record, and only those: committed pages keep their protection. When one fails, those up to
// it are undone. They were never in the record, so nothing has used them.
static VmemResult commit_gaps(Reservation* reservation, Pages pages, bool is_allocated, const Request* request,
                              int* error) {
    const Backing* backing = reservation->backing;
    Pages rest = pages, gap;
    VmemResult allocated = is_allocated ? VMEM_SUCCESS : allocate_gaps(reservation, pages, request);
    if (allocated != VMEM_SUCCESS) {
        *error = system_error();
        return allocated;
    }
    while (next_gap(reservation, &rest, &gap)) {
        char* ptr = reservation->base + gap.start;
        VmemResult result = backing->commit(backing, ptr, gap.end - gap.start);
        if (result == VMEM_SUCCESS && has_advice(reservation))
            result = apply_advice(reservation, ptr, gap.end - gap.start);
        if (result != VMEM_SUCCESS) {
            *error = system_error();
            undo_commit_of_gaps(reservation, (Pages){pages.start, gap.end});
            return result;
        }
    }
    return VMEM_SUCCESS;
}

static void record_gaps_committed(Reservation* reservation, Pages pages) {
    Pages gap;
    while (next_gap(reservation, &pages, &gap)) spans_set(&reservation->spans, gap.start, gap.end, FRESH);
}

// --- commit ---

// The outcome of a commit. A refusal of the system is raised later, because making an exception can start a garbage
// collection, which can run any Python code.
typedef struct CommitOutcome {
    bool raised;        // an exception is set
    VmemResult result;  // else the system's answer
    int error;
} CommitOutcome;

// Commits pages on which no other call is in progress.
static CommitOutcome commit_pages(Reservation* reservation, Pages pages, bool is_allocated, Request* request) {
    CommitOutcome outcome = {false, VMEM_SUCCESS, 0};
    size_t num_gaps = measure_gaps(reservation, pages, request);
    if (num_gaps == 0) return outcome;
    Py_ssize_t mapping_cost = mapping_cost_of_commit(reservation_mappings(reservation), pages);
    outcome.raised = reservation_check_mappings(reservation, mapping_cost, request) < 0 ||
                     spans_prepare(&reservation->spans, num_gaps) < 0;
    if (outcome.raised) return outcome;
    outcome.result = commit_gaps(reservation, pages, is_allocated, request, &outcome.error);
    if (outcome.result == VMEM_SUCCESS) {
        record_gaps_committed(reservation, pages);
        mapping_budget_charge(mapping_cost);
    }
    spans_trim_spare(&reservation->spans);
    return outcome;
}

static int commit_ahead(Reservation* reservation, size_t offset, size_t num_bytes, size_t max_bytes,
                        bool is_allocated) {
    if (reservation_check_range(reservation, offset, max_bytes) < 0) return -1;
    if (num_bytes == 0) return 0;
    Pages pages = reservation_pages(reservation, offset, offset + num_bytes);
    Pages ahead = reservation_pages(reservation, offset, offset + max_bytes);
    if (busy_check_changeable(&reservation->busy, ahead, "commit") < 0) return -1;
    Request request = request_at(reservation, "commit", offset, num_bytes);
    CommitOutcome outcome = commit_pages(reservation, ahead, is_allocated, &request);
    if (outcome.result != VMEM_SUCCESS && ahead.end > pages.end)
        outcome = commit_pages(reservation, pages, is_allocated, &request);
    if (outcome.raised) return -1;
    if (outcome.result == VMEM_SUCCESS) return 0;
    raise_refused(reservation->out_of_memory_error, &request, outcome.result, outcome.error);
    return -1;
}

int page_ops_commit_ahead(Reservation* reservation, size_t offset, size_t num_bytes, size_t max_bytes) {
    return commit_ahead(reservation, offset, num_bytes, max_bytes, false);
}

// What is to be allocated. Its commit must not be refused afterwards for want of mappings.
static int find_unallocated(Reservation* reservation, Request* request, Pages* pages) {
    if (reservation_check_range(reservation, request->offset, request->num_bytes) < 0) return -1;
    *pages = span_of_gaps(reservation,
                          reservation_pages(reservation, request->offset, request->offset + request->num_bytes));
    if (measure_gaps(reservation, *pages, request) == 0) return 0;
    return reservation_check_mappings(reservation, mapping_cost_of_commit(reservation_mappings(reservation), *pages),
                                      request);
}

int page_ops_allocate(Reservation* reservation, size_t offset, size_t num_bytes) {
    const Backing* backing = reservation->backing;
    Request request = request_at(reservation, "commit", offset, num_bytes);
    Pages pages;
    VmemResult result;
    int status, error;
    if (!backing->allocate) return 0;
    Py_BEGIN_CRITICAL_SECTION(reservation->owner);
    status = find_unallocated(reservation, &request, &pages);
    Py_END_CRITICAL_SECTION();
    if (status < 0 || pages.start == pages.end) return status;
    Py_BEGIN_ALLOW_THREADS
    result = backing->allocate(backing, pages.start, pages.end - pages.start, request.num_missing);
    error = system_error();
    Py_END_ALLOW_THREADS
    if (result == VMEM_SUCCESS) return PyErr_CheckSignals();
    raise_refused(reservation->out_of_memory_error, &request, result, error);
    return -1;
}

int page_ops_commit_allocated(Reservation* reservation, size_t offset, size_t num_bytes) {
    return commit_ahead(reservation, offset, num_bytes, num_bytes, true);
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

// After a failure that may have changed some of the pages. Where the old protection cannot be restored, the record
// claims only what the pages have either way.
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

// How many bytes the system accounts for again when they become writable: read-only pages do not count towards the data
// limit, and those that were never written need not be charged.
static size_t count_writable_again(const Reservation* reservation, Pages pages, VmemProtection protection) {
    size_t num_bytes = 0;
    Run run;
    if (!can_write(protection)) return 0;
    while (next_run(reservation, &pages, &run))
        if (!can_write(run.state.protection)) num_bytes += run.pages.end - run.pages.start;
    return num_bytes;
}

static int check_views_allow(const Reservation* reservation, Pages pages, VmemProtection protection) {
    const PinList* pins = &reservation->pins;
    if (!can_read(protection)) return pins_check_none(pins, pages, "take access from");
    if (!can_write(protection)) return pins_check_none_writable(pins, pages, "take write access from");
    return 0;
}

// Returns how many mappings a change of properties adds if the kernel merges equal pages afterwards; `max_mappings` is
// how many if it does not. The former decides whether the change is allowed, so that changes that remove mappings are
// allowed near the limit; the latter is charged.
static Py_ssize_t min_mappings_of_change(const Reservation* reservation, Pages pages, Py_ssize_t* max_mappings) {
    *max_mappings = mapping_cost_of_change(reservation_mappings(reservation), pages);
    return *max_mappings - mapping_gain_of_change(reservation_mappings(reservation), pages);
}

// What was written to the pages may be code, of which arm64 and others may have older instructions in a cache. Only what
// can be read can be flushed: pages that will not be readable are flushed before, and all others afterwards.
static void flush_instruction_cache(const Reservation* reservation, Pages pages) {
    Run run;
    while (next_run(reservation, &pages, &run)) {
        if (!can_read(run.state.protection)) continue;
        vmem_flush_instruction_cache(reservation->base + run.pages.start, run.pages.end - run.pages.start);
    }
}

int page_ops_protect(Reservation* reservation, size_t offset, size_t num_bytes, VmemProtection protection) {
    if (reservation_check_range(reservation, offset, num_bytes) < 0) return -1;
    if (num_bytes == 0) return 0;
    Pages pages = reservation_pages(reservation, offset, offset + num_bytes);
    if (busy_check_changeable(&reservation->busy, pages, "protect") < 0) return -1;
    if (reservation_check_committed(reservation, offset, num_bytes) < 0) return -1;
    if (check_views_allow(reservation, pages, protection) < 0) return -1;
    if (has_protection(reservation, pages, protection)) {
        if (can_execute(protection)) flush_instruction_cache(reservation, pages);
        return 0;
    }

    Request request = request_at(reservation, "protect", offset, num_bytes);
    request.kind = REQUEST_ACCESS;
    request.new_memory = count_writable_again(reservation, pages, protection);
    Py_ssize_t max_mappings, min_mappings = min_mappings_of_change(reservation, pages, &max_mappings);
    if (reservation_check_mappings(reservation, min_mappings, &request) < 0) return -1;
    if (spans_prepare(&reservation->spans, SPANS_FOR_CHANGE) < 0) return -1;
    if (can_execute(protection) && !can_read(protection)) flush_instruction_cache(reservation, pages);
    VmemResult result = vmem_protect(reservation->base + pages.start, pages.end - pages.start, protection);
    int error = system_error();
    if (result == VMEM_SUCCESS)
        record_protection(reservation, pages, protection);
    else
        restore_protection(reservation, pages, protection);
    spans_trim_spare(&reservation->spans);
    if (result != VMEM_SUCCESS) {
        raise_refused(reservation->out_of_memory_error, &request, result, error);
        return -1;
    }
    if (can_execute(protection)) flush_instruction_cache(reservation, pages);
    mapping_budget_charge(max_mappings);
    return 0;
}

// --- shared by several operations ---

static void charge_mappings(LongCall* call) { mapping_budget_charge(call->max_mappings); }

// The part that was done may have split a mapping at each of its two ends.
static void charge_mappings_of_part(LongCall* call) {
    (void)call;
    mapping_budget_charge(2);
}

static void plan_change(LongCall* call) {
    call->min_mappings = min_mappings_of_change(call->reservation, call->pages, &call->max_mappings);
    call->num_spans = SPANS_FOR_CHANGE;
}

static VmemResult prefault_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    (void)call;
    return vmem_prefault(ptr, num_bytes);
}

// --- allocate, commit and prefault ---

// What every commit of these pages needs. Without it the commit is refused before anything is done.
static void plan_gaps(LongCall* call) {
    Reservation* reservation = call->reservation;
    call->num_spans = measure_gaps(reservation, call->pages, &call->request);
    if (call->num_spans > 0)
        call->min_mappings = mapping_cost_of_commit(reservation_mappings(reservation), call->pages);
}

// The memory would stay if it were the commit that comes later that is refused.
static void plan_allocate(LongCall* call) {
    plan_gaps(call);
    call->pages = span_of_gaps(call->reservation, call->pages);
}

static bool find_all(const LongCall* call, Pages* chunk) {
    *chunk = (Pages){call->done, call->pages.end};
    return call->done < call->pages.end;
}

static VmemResult allocate_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    const Backing* backing = call->reservation->backing;
    (void)ptr;
    return backing->allocate(backing, call->chunk.start, num_bytes, call->request.num_missing);
}

static void plan_commit(LongCall* call) {
    plan_gaps(call);
    call->max_mappings = call->min_mappings;
}

// The gaps are committed at once, but recorded only when all of them are prefaulted. Until then no other call can use
// them, so that they can be decommitted again when prefaulting fails.
static int start_commit(LongCall* call) {
    call->result = commit_gaps(call->reservation, call->pages, call->is_allocated, &call->request, &call->error);
    return call->result == VMEM_SUCCESS ? 0 : -1;
}

// The next pages that can be written to: the gaps, which have just been committed, and the committed ones whose
// protection allows it.
static bool find_gap_or_writable(const LongCall* call, Pages* chunk) {
    size_t start = call->done;
    while (start < call->pages.end) {
        const Span* span = spans_find(&call->reservation->spans, start);
        bool is_gap = !span || span->start > start;
        size_t end = !span ? call->pages.end : is_gap ? span->start : span->end;
        if (is_gap || can_write(span->state.protection)) {
            chunk->start = start;
            chunk->end = end < call->pages.end ? end : call->pages.end;
            return true;
        }
        start = end;
    }
    return false;
}

static void record_commit(LongCall* call) {
    record_gaps_committed(call->reservation, call->pages);
    charge_mappings(call);
}

static void undo_commit(LongCall* call) { undo_commit_of_gaps(call->reservation, call->pages); }

static void recover_commit(void* reservation, Pages pages) { undo_commit_of_gaps(reservation, pages); }

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

static void plan_decommit(LongCall* call) {
    Reservation* reservation = call->reservation;
    narrow_to_committed(reservation, &call->pages);
    if (call->pages.start == call->pages.end) return;
    call->min_mappings = mapping_cost_of_decommit(reservation_mappings(reservation), call->pages);
    call->max_mappings = call->min_mappings;
    call->num_spans = SPANS_FOR_CHANGE;
}

static VmemResult decommit_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    const Backing* backing = call->reservation->backing;
    return backing->decommit(backing, ptr, num_bytes);
}

static void record_decommit(LongCall* call) {
    spans_clear(&call->reservation->spans, call->chunk.start, call->chunk.end);
}

static void finish_decommit(LongCall* call) {
    charge_mappings(call);
    if (call->unused && call->unused->forget) call->unused->forget(call->reservation->owner, call->request.offset);
}

// The record may still contain a chunk that is decommitted already. The spans that clearing takes are those
// preallocated for the lost call.
static void recover_decommit(void* argument, Pages pages) {
    Reservation* reservation = argument;
    const Backing* backing = reservation->backing;
    backing->decommit(backing, reservation->base + pages.start, pages.end - pages.start);
    spans_clear(&reservation->spans, pages.start, pages.end);
}

// --- discard ---

static void plan_discard(LongCall* call) { call->num_spans = SPANS_FOR_CHANGE; }

static VmemResult discard_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    const Backing* backing = call->reservation->backing;
    return backing->discard(backing, ptr, num_bytes);
}

static bool are_fresh(const Reservation* reservation, Pages pages) {
    Run run;
    while (next_run(reservation, &pages, &run))
        if (run.state.protection != FRESH.protection || run.state.locked != FRESH.locked) return false;
    return true;
}

// Systems that discard by mapping or committing the pages again reset their protection, locks and hints. Asking for the
// capabilities costs more than looking at the record, so it comes second.
static void record_discard(LongCall* call) {
    Reservation* reservation = call->reservation;
    Pages chunk = call->chunk;
    if (are_fresh(reservation, chunk) && !has_advice(reservation)) return;
    if (!vmem_get_capabilities().discard_unlocks) return;
    apply_advice(reservation, reservation->base + chunk.start, chunk.end - chunk.start);
    spans_set(&reservation->spans, chunk.start, chunk.end, FRESH);
}

// On some systems a discard that fails leaves the pages decommitted.
static void record_failed_discard(LongCall* call) {
    if (call->result == VMEM_SUCCESS || !vmem_get_capabilities().discard_can_lose_commit) return;
    call->request.new_memory = call->chunk.end - call->chunk.start;  // it was to be committed again
    spans_clear(&call->reservation->spans, call->chunk.start, call->chunk.end);
}

// --- lock and unlock ---

static void record_locks(Reservation* reservation, Pages pages, LockKind locked) {
    Run run;
    while (next_run(reservation, &pages, &run)) {
        run.state.locked = locked;
        spans_set(&reservation->spans, run.pages.start, run.pages.end, run.state);
    }
}

// A forked child inherits no locks. Without this, undo_lock() would take pages that the parent had locked for locked
// already, and leave them locked.
static void forget_locks_of_parent(Reservation* reservation) {
    long process = get_process_id();
    if (reservation->lock_process == process) return;
    const Span* span = spans_find(&reservation->spans, 0);
    while (span) {
        Pages pages = {span->start, span->end};
        if (span->state.locked) record_locks(reservation, pages, UNLOCKED);
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

static int start_lock(LongCall* call) {
    forget_locks_of_parent(call->reservation);
    call->request.new_locks = count_unlocked(call->reservation, call->pages);
    return 0;
}

static VmemResult lock_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    (void)call;
    return vmem_lock(ptr, num_bytes);
}

static VmemResult lock_chunk_on_fault(LongCall* call, void* ptr, size_t num_bytes) {
    (void)call;
    return vmem_lock_on_fault(ptr, num_bytes);
}

static void record_lock(LongCall* call) {
    record_locks(call->reservation, call->pages, LOCKED);
    charge_mappings(call);
}

static void record_lock_on_fault(LongCall* call) {
    record_locks(call->reservation, call->pages, LOCKED_ON_FAULT);
    charge_mappings(call);
}

// Includes the chunk that failed: a part of it may be locked. Pages that were locked in the other way are locked as
// they were; where that fails, they stay locked in one of the two.
static void undo_lock(LongCall* call) {
    Reservation* reservation = call->reservation;
    Pages pages = {call->pages.start, call->chunk.end};
    Run run;
    while (next_run(reservation, &pages, &run)) {
        char* ptr = reservation->base + run.pages.start;
        size_t size = run.pages.end - run.pages.start;
        if (!run.state.locked)
            vmem_unlock(ptr, size);
        else if (run.state.locked == LOCKED)
            vmem_lock(ptr, size);
        else
            vmem_lock_on_fault(ptr, size);
    }
}

static int start_unlock(LongCall* call) {
    forget_locks_of_parent(call->reservation);
    return 0;
}

static VmemResult unlock_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    (void)call;
    return vmem_unlock(ptr, num_bytes);
}

static void record_unlock(LongCall* call) { record_locks(call->reservation, call->chunk, UNLOCKED); }

// --- counting resident memory ---

static VmemResult count_chunk(LongCall* call, void* ptr, size_t num_bytes) {
    const Backing* backing = call->reservation->backing;
    size_t num_resident;
    VmemResult result = backing->count_resident(backing, ptr, num_bytes, &num_resident);
    if (result == VMEM_SUCCESS) call->num_resident += num_resident;
    return result;
}

// --- the table ---

static const Operation ALLOCATE = {
    .verb = "commit",
    .changes = true,
    .undivided = true,
    .plan = plan_allocate,
    .find_chunk = find_all,
    .work = allocate_chunk,
};

static const Operation COMMIT_AND_PREFAULT = {
    .verb = "commit and prefault",
    .changes = true,
    .plan = plan_commit,
    .start = start_commit,
    .find_chunk = find_gap_or_writable,
    .work = prefault_chunk,
    .on_success = record_commit,
    .on_failure = undo_commit,
    .recover_after_fork = recover_commit,
};

static const Operation OPERATIONS[] = {
    [PAGE_OP_PREFAULT] =
        {
            .verb = "prefault",
            .check = reservation_check_writable,
            .find_chunk = long_call_find_committed,
            .work = prefault_chunk,
        },
    [PAGE_OP_DECOMMIT] =
        {
            .verb = "decommit",
            .gives_back = true,
            .changes = true,
            .exclusive = true,
            .empties = true,
            .plan = plan_decommit,
            .find_chunk = long_call_find_committed,
            .work = decommit_chunk,
            .record_chunk = record_decommit,
            .on_success = finish_decommit,
            .on_failure = charge_mappings_of_part,
            .recover_after_fork = recover_decommit,
        },
    [PAGE_OP_DISCARD] =
        {
            .verb = "discard",
            .gives_back = true,
            .changes = true,
            .exclusive = true,
            .empties = true,
            .check = reservation_check_writable,
            .plan = plan_discard,
            .find_chunk = long_call_find_committed,
            .work = discard_chunk,
            .record_chunk = record_discard,
            .on_failure = record_failed_discard,
        },
    [PAGE_OP_LOCK] =
        {
            .verb = "lock",
            .changes = true,
            .check = reservation_check_readable,
            .plan = plan_change,
            .start = start_lock,
            .find_chunk = long_call_find_committed,
            .work = lock_chunk,
            .on_success = record_lock,
            .on_failure = undo_lock,
        },
    [PAGE_OP_LOCK_ON_FAULT] =
        {
            .verb = "lock",
            .changes = true,
            .check = reservation_check_readable,
            .plan = plan_change,
            .start = start_lock,
            .find_chunk = long_call_find_committed,
            .work = lock_chunk_on_fault,
            .on_success = record_lock_on_fault,
            .on_failure = undo_lock,
        },
    [PAGE_OP_UNLOCK] =
        {
            .verb = "unlock",
            .changes = true,
            .check = reservation_check_committed,
            .plan = plan_change,
            .start = start_unlock,
            .find_chunk = long_call_find_committed,
            .work = unlock_chunk,
            .record_chunk = record_unlock,
            .on_success = charge_mappings,
            .on_failure = charge_mappings_of_part,
        },
    [PAGE_OP_COUNT_RESIDENT] =
        {
            .verb = "count the resident part of",
            .find_chunk = long_call_find_run,
            .work = count_chunk,
        },
};

static int run(Reservation* reservation, const Operation* operation, bool is_allocated, size_t offset,
               size_t num_bytes) {
    LongCall call = {.operation = operation, .reservation = reservation, .is_allocated = is_allocated};
    return long_call_run(&call, offset, num_bytes);
}

// The memory of a backing that has to make it is made first, without the owner's lock.
int page_ops_commit(Reservation* reservation, size_t offset, size_t num_bytes, bool prefault) {
    bool allocates = reservation->backing->allocate;
    int status;
    if (allocates && run(reservation, &ALLOCATE, false, offset, num_bytes) < 0) return -1;
    if (prefault) return run(reservation, &COMMIT_AND_PREFAULT, allocates, offset, num_bytes);
    Py_BEGIN_CRITICAL_SECTION(reservation->owner);
    status = commit_ahead(reservation, offset, num_bytes, num_bytes, allocates);
    Py_END_CRITICAL_SECTION();
    return status;
}

int page_ops_run(Reservation* reservation, PageOperation operation, size_t offset, size_t num_bytes) {
    LongCall call = {.operation = &OPERATIONS[operation], .reservation = reservation};
    return long_call_run(&call, offset, num_bytes);
}

int page_ops_run_unused(Reservation* reservation, PageOperation operation, const Unused* unused) {
    LongCall call = {.operation = &OPERATIONS[operation], .reservation = reservation, .unused = unused};
    return long_call_run(&call, 0, 0);
}

int page_ops_count_resident(Reservation* reservation, size_t offset, size_t num_bytes, size_t* num_resident) {
    LongCall call = {.operation = &OPERATIONS[PAGE_OP_COUNT_RESIDENT], .reservation = reservation};
    int status = long_call_run(&call, offset, num_bytes);
    *num_resident = call.num_resident;
    return status;
}
