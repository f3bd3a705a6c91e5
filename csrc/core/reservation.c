#include "core/reservation.h"

#include "core/mapping_budget.h"

// --- helpers ---

bool can_read(VmemProtection protection) { return protection != VMEM_NO_ACCESS && protection != VMEM_EXECUTE; }

bool can_write(VmemProtection protection) {
    return protection == VMEM_READ_WRITE || protection == VMEM_READ_WRITE_EXECUTE;
}

bool can_execute(VmemProtection protection) { return protection >= VMEM_EXECUTE; }

Pages reservation_pages(const Reservation* reservation, size_t start, size_t end) {
    return pages_holding(reservation->page_size, start, end);
}

MappedRange reservation_mappings(const Reservation* reservation) {
    return (MappedRange){&reservation->spans, reservation->size, reservation->backing->can_merge};
}

Request request_at(const Reservation* reservation, const char* verb, size_t offset, size_t num_bytes) {
    return (Request){.verb = verb,
                     .owner_kind = reservation->owner_kind,
                     .backing = reservation->backing,
                     .offset = offset,
                     .num_bytes = num_bytes};
}

// --- checks ---

bool reservation_is_released(Reservation* reservation) {
    if (reservation->fork == VMEM_FORK_NONE && !reservation->released && reservation->process != get_process_id())
        reservation->released = true;
    return reservation->released;
}

int reservation_check_open(Reservation* reservation) {
    busy_anywhere(&reservation->busy);
    if (!reservation_is_released(reservation)) return 0;
    PyErr_Format(PyExc_ValueError, "this %s of %zu bytes has been released", reservation->owner_kind->noun,
                 reservation->size);
    return -1;
}

int reservation_check_range(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_check_open(reservation) < 0) return -1;
    if (offset > reservation->size) {
        PyErr_Format(PyExc_ValueError, "offset %zu is past the end of %s %s of %zu bytes", offset,
                     reservation->owner_kind->article, reservation->owner_kind->noun, reservation->size);
        return -1;
    }
    if (num_bytes > reservation->size - offset) {
        PyErr_Format(PyExc_ValueError, "offset %zu + num_bytes %zu is past the end of %s %s of %zu bytes", offset,
                     num_bytes, reservation->owner_kind->article, reservation->owner_kind->noun, reservation->size);
        return -1;
    }
    return 0;
}

bool reservation_is_committed(const Reservation* reservation, size_t offset, size_t num_bytes) {
    size_t gap_start, gap_end;
    return !spans_find_gap(&reservation->spans, offset, offset + num_bytes, &gap_start, &gap_end);
}

int reservation_check_committed(Reservation* reservation, size_t offset, size_t num_bytes) {
    size_t gap_start, gap_end;
    if (!spans_find_gap(&reservation->spans, offset, offset + num_bytes, &gap_start, &gap_end)) return 0;
    size_t gap_size = gap_end - gap_start;
    if (gap_size == 1)
        PyErr_Format(PyExc_ValueError, "byte %zu of this %s is not committed; commit(%zu, 1) makes it usable",
                     gap_start, reservation->owner_kind->noun, gap_start);
    else if (gap_end == reservation->size)  // num_bytes was probably omitted: suggest a shorter range
        PyErr_Format(PyExc_ValueError,
                     "bytes %zu to %zu of this %s are not committed; pass a smaller num_bytes (ranges() lists what "
                     "is committed), or commit(%zu, %zu) first",
                     gap_start, gap_end, reservation->owner_kind->noun, gap_start, gap_size);
    else
        PyErr_Format(PyExc_ValueError,
                     "bytes %zu to %zu of this %s are not committed; commit(%zu, %zu) makes them usable", gap_start,
                     gap_end, reservation->owner_kind->noun, gap_start, gap_size);
    return -1;
}

// Raises ValueError unless the protection of every byte of a committed range passes a test.
static int check_protection(const Reservation* reservation, size_t offset, size_t num_bytes,
                            bool (*passes)(VmemProtection), const char* problem, const char* remedy) {
    size_t start = offset, end = offset + num_bytes;
    while (start < end) {
        const Span* span = spans_find(&reservation->spans, start);
        if (!passes(span->state.protection)) {
            if (span->end < end) end = span->end;
            PyErr_Format(PyExc_ValueError, "bytes %zu to %zu of this %s %s; protect(Protection.%s, %zu, %zu) lets you",
                         start, end, reservation->owner_kind->noun, problem, remedy, start, end - start);
            return -1;
        }
        start = span->end;
    }
    return 0;
}

bool reservation_on_fast_path(const Reservation* reservation, size_t offset, size_t num_bytes) {
    const Span* span = spans_find(&reservation->spans, offset);
    return span && span->start <= offset && span->end - offset >= num_bytes &&
           span->state.protection == VMEM_READ_WRITE && !reservation->busy.first;
}

static int check_usable(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_check_committed(reservation, offset, num_bytes) < 0) return -1;
    return busy_check_usable(&reservation->busy, (ByteRange){offset, offset + num_bytes}, "use");
}

int reservation_check_readable(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_on_fast_path(reservation, offset, num_bytes)) return 0;
    if (check_usable(reservation, offset, num_bytes) < 0) return -1;
    return check_protection(reservation, offset, num_bytes, can_read, "cannot be read", "READ");
}

int reservation_check_writable(Reservation* reservation, size_t offset, size_t num_bytes) {
    if (reservation_on_fast_path(reservation, offset, num_bytes)) return 0;
    if (check_usable(reservation, offset, num_bytes) < 0) return -1;
    return check_protection(reservation, offset, num_bytes, can_write, "cannot be written", "READ_WRITE");
}

size_t reservation_count_committed(Reservation* reservation) {
    busy_anywhere(&reservation->busy);  // recovers what a fork interrupted
    return reservation_is_released(reservation) ? 0 : reservation->spans.num_bytes;
}

int reservation_check_mappings(const Reservation* reservation, Py_ssize_t growth, const Request* request) {
    VmemLimits limits;
    if (mapping_budget_allows(growth, FOR_COMMIT, &limits)) return 0;
    raise_out_of_mappings(reservation->out_of_memory_error, request, &limits);
    return -1;
}
