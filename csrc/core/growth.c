#include "core/growth.h"

#include "core/page_ops.h"

// A structure doubles up to LARGE. From there on it grows by LARGE and asks for huge pages: one fault for each of those
// is several times faster than one for each small page. They lie at multiples of their size, so steps end there.
#define LARGE ((size_t)8 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

// Faults for so many small pages take no longer than a system call.
#define FEW_PAGES 2

static ByteRange whole(const Reservation* reservation) { return (ByteRange){0, reservation->size}; }

// Pages that differ in their locks are several spans.
size_t growth_committed_size(const Reservation* reservation, ByteRange part) {
    size_t gap_start, gap_end;
    bool has_gap = spans_find_gap(&reservation->spans, part.start, part.end, &gap_start, &gap_end);
    return (has_gap ? gap_start : part.end) - part.start;
}

size_t growth_committed_end(const Reservation* reservation) {
    return growth_committed_size(reservation, whole(reservation));
}

// The offset of the first multiple of `align` at or after an offset.
static size_t next_multiple(const Reservation* reservation, size_t offset, size_t align) {
    uintptr_t base = (uintptr_t)reservation->base;
    return vmem_align_forward(base + offset, align) - base;
}

// An offset into the reservation.
static size_t choose_end(const Reservation* reservation, ByteRange part, size_t now, size_t num_bytes) {
    size_t size = now < LARGE ? 2 * now : now + LARGE;
    if (size < num_bytes) size = num_bytes;
    if (size > part.end - part.start) return part.end;
    size_t end = next_multiple(reservation, part.start + size, size < LARGE ? reservation->page_size : HUGE_PAGE);
    return end < part.end ? end : part.end;
}

// Best effort: failures are ignored.
static void ask_for_huge_pages(const Reservation* reservation, ByteRange part, size_t now) {
    size_t start = next_multiple(reservation, part.start + now, HUGE_PAGE);
    size_t size = growth_committed_size(reservation, part), end = part.start + size;
    if (reservation->backing->never_huge) return;
    if (size >= LARGE && start < end) vmem_advise_huge_pages(reservation->base + start, end - start);
}

int growth_commit_part(Reservation* reservation, ByteRange part, size_t num_bytes) {
    size_t now = growth_committed_size(reservation, part);
    if (num_bytes <= now) return 0;
    if (reservation_check_range(reservation, part.start, num_bytes) < 0) return -1;
    size_t start = part.start + now, end = choose_end(reservation, part, now, num_bytes);
    if (page_ops_commit_ahead(reservation, start, num_bytes - now, end - start) < 0) return -1;
    ask_for_huge_pages(reservation, part, now);
    return 0;
}

int growth_commit_to(Reservation* reservation, size_t num_bytes) {
    return growth_commit_part(reservation, whole(reservation), num_bytes);
}

// Not beyond LARGE, unless the backing has small pages alone: there the pages are huge, where the system has such, and
// one fault populates a whole one.
void growth_prefault_part(const Reservation* reservation, ByteRange part, size_t start, size_t end) {
    start = vmem_align_forward(start, reservation->page_size);
    if (end > LARGE && !reservation->backing->never_huge) return;
    if (end <= start || end - start <= FEW_PAGES * reservation->page_size) return;
    vmem_prefault(reservation->base + part.start + start, end - start);
}

void growth_prefault(const Reservation* reservation, size_t start, size_t end) {
    growth_prefault_part(reservation, whole(reservation), start, end);
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
