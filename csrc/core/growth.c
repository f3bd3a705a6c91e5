#include "core/growth.h"

#include "core/page_ops.h"

// A structure doubles up to LARGE. From there on it grows by LARGE and asks for huge pages: one fault for each of those
// is several times faster than one for each small page. They lie at multiples of their size, so steps end there.
#define LARGE ((size_t)8 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

// Faults for so many small pages take no longer than a system call.
#define FEW_PAGES 2

// Pages that differ in their locks are several spans.
size_t growth_committed_end(const Reservation* reservation) {
    size_t end = 0;
    const Span* span = spans_find(&reservation->spans, 0);
    for (; span && span->start == end; span = spans_find(&reservation->spans, end)) end = span->end;
    return end;
}

// The offset of the first multiple of `align` at or after an offset.
static size_t next_multiple(const Reservation* reservation, size_t offset, size_t align) {
    uintptr_t base = (uintptr_t)reservation->base;
    return vmem_align_forward(base + offset, align) - base;
}

static size_t choose_end(const Reservation* reservation, size_t num_bytes) {
    size_t now = growth_committed_end(reservation);
    size_t end = now < LARGE ? 2 * now : now + LARGE;
    if (end < num_bytes) end = num_bytes;
    end = next_multiple(reservation, end, end < LARGE ? reservation->page_size : HUGE_PAGE);
    return end < reservation->size ? end : reservation->size;
}

// Best effort: failures are ignored.
static void ask_for_huge_pages(const Reservation* reservation, size_t start, size_t end) {
    if (reservation->backing->never_huge) return;
    start = next_multiple(reservation, start, HUGE_PAGE);
    if (end >= LARGE && start < end) vmem_advise_huge_pages(reservation->base + start, end - start);
}

int growth_commit_to(Reservation* reservation, size_t num_bytes) {
    size_t now = growth_committed_end(reservation);
    if (num_bytes <= now) return 0;
    if (reservation_check_range(reservation, 0, num_bytes) < 0) return -1;
    size_t end = choose_end(reservation, num_bytes);
    if (page_ops_commit_ahead(reservation, now, num_bytes - now, end - now) < 0) return -1;
    ask_for_huge_pages(reservation, now, growth_committed_end(reservation));
    return 0;
}

// Not beyond LARGE, unless the backing has small pages alone: there the pages are huge, where the system has such, and
// one fault populates a whole one.
void growth_prefault(const Reservation* reservation, size_t start, size_t end) {
    start = vmem_align_forward(start, reservation->page_size);
    if (end > LARGE && !reservation->backing->never_huge) return;
    if (end <= start || end - start <= FEW_PAGES * reservation->page_size) return;
    vmem_prefault(reservation->base + start, end - start);
}

// Where memory is made before it is committed, that takes long, and no more is committed than was made without the lock.
static int commit_to_locked(Reservation* reservation, size_t end, int (*check_grows)(PyObject* owner)) {
    size_t now = growth_committed_end(reservation);
    if (end <= now) return 0;
    if (check_grows && check_grows(reservation->owner) < 0) return -1;
    if (!reservation->backing->allocate) return growth_commit_to(reservation, end);
    return page_ops_commit_allocated(reservation, now, end - now);
}

static int commit_to(Reservation* reservation, size_t end, int (*check_grows)(PyObject* owner)) {
    int status;
    if (page_ops_allocate(reservation, 0, end) < 0) return -1;
    Py_BEGIN_CRITICAL_SECTION(reservation->owner);
    status = commit_to_locked(reservation, end, check_grows);
    Py_END_CRITICAL_SECTION();
    return status;
}

int growth_prepare_prefaulted(Reservation* reservation, size_t start, size_t end, int (*check_grows)(PyObject* owner)) {
    if (commit_to(reservation, end, check_grows) < 0) return -1;
    return page_ops_run(reservation, PAGE_OP_PREFAULT, start, end - start);
}

int growth_prepare_locked(Reservation* reservation, size_t end, int (*check_grows)(PyObject* owner)) {
    if (commit_to(reservation, end, check_grows) < 0) return -1;
    return page_ops_run(reservation, PAGE_OP_LOCK, 0, end);
}

int growth_unlock(Reservation* reservation) {
    size_t end;
    Py_BEGIN_CRITICAL_SECTION(reservation->owner);
    end = growth_committed_end(reservation);
    Py_END_CRITICAL_SECTION();
    return page_ops_run(reservation, PAGE_OP_UNLOCK, 0, end);
}
