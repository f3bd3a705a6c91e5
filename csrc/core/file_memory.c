#include "core/file_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/errors.h"
#include "core/shared_memory.h"

#define MIN_AHEAD ((size_t)64 << 10)
#define MAX_AHEAD ((size_t)8 << 20)

// Windows keeps a mapped file from becoming shorter, and a mapping of it from growing: it is mapped in parts. While it is
// written it has whole parts.
#ifdef _WIN32
#define IN_PARTS true
#define OTHERS_MAP_IT 1224  // ERROR_USER_MAPPED_FILE
#else
#define IN_PARTS false
#define OTHERS_MAP_IT 0
#endif

static FileMemory* of(const Backing* backing) {
    return (FileMemory*)backing;  // was not made as a constant
}

static VmemProtection protection_of(const FileMemory* memory) {
    return memory->is_writer ? VMEM_READ_WRITE : VMEM_READ;
}

// --- the backing ---

static VmemResult file_reserve(const Backing* backing, size_t num_bytes, size_t align, const char* name, void** base) {
    FileMemory* memory = of(backing);
    (void)name;
    memory->mapped_size = num_bytes;
    if (IN_PARTS) vmem_object_size(&memory->object, &memory->shown_size);
    *base = vmem_object_map_aligned(&memory->object, num_bytes, 0, protection_of(memory), align);
    return *base ? VMEM_SUCCESS : result_of_reserve(system_error());
}

static VmemResult file_release(const Backing* backing, void* ptr, size_t num_reserved_bytes) {
    size_t mapped_size = of(backing)->mapped_size;
    (void)num_reserved_bytes;
    return mapped_size > 0 ? vmem_object_unmap(ptr, mapped_size) : VMEM_SUCCESS;
}

static VmemResult file_count_resident(const Backing* backing, const void* ptr, size_t num_bytes, size_t* num_resident) {
    (void)backing;
    return vmem_count_resident(ptr, num_bytes, num_resident);
}

// Whether it has more than it is to have, by growth that could not be mapped, too.
static bool is_longer(const FileMemory* memory) {
    size_t size;
    return IN_PARTS && memory->is_writer && vmem_object_size(&memory->object, &size) == VMEM_SUCCESS &&
           size > memory->exact_size;
}

static void close_kept(FileMemory* memory) {
    if (is_longer(memory) && vmem_object_resize(&memory->object, memory->exact_size) == VMEM_SUCCESS)
        vmem_object_publish(&memory->object, 0, SIZE_MAX);
    vmem_object_close(&memory->object);
}

static void file_destroy(const Backing* backing) {
    FileMemory* memory = of(backing);
    file_memory_close(memory, false);
    if (memory->is_kept) close_kept(memory);
    free(memory->header);
    free(memory);
}

static const Backing FILE_MEMORY = {
    .never_huge = "a file has no huge pages",
    .always_inherited = "forked processes share files",
    .never_given_back = "it is a file",
    .reserve = file_reserve,
    .release = file_release,
    .count_resident = file_count_resident,
    .destroy = file_destroy,
};

FileMemory* file_memory_of(const Backing* backing) {
    return backing && backing->destroy == file_destroy ? of(backing) : NULL;
}

size_t file_memory_count_digits(const FileMemory* memory) {
    return memory->header ? memory->item_offset - memory->prefix_size - memory->suffix_size - 1 : SIZE_MAX;
}

// --- errors ---

static const char* describe(VmemResult result, int error) {
    if (IN_PARTS && error == OTHERS_MAP_IT)
        return "another array or process maps it, and Windows keeps mapped files from becoming shorter";
#ifndef _WIN32
    if (error == ENOSPC || error == EDQUOT) return "the disk is full";
    if (error == EFBIG)
        return "that is more than the file size limit (RLIMIT_FSIZE, ulimit -f), or the file system, allows";
#endif
    return describe_refusal(result, error);
}

int file_memory_raise(PyObject* what, VmemResult result, int error) {
    if (result == VMEM_ERROR_UNSUPPORTED && what && !(IN_PARTS && error == OTHERS_MAP_IT)) {
        PyErr_Format(PyExc_NotImplementedError, "%U: this system cannot do that to a file that is mapped", what);
        Py_DECREF(what);
    } else {
        raise_system_error(what, describe(result, error), error);
    }
    return -1;
}

static int raise_resize(const FileMemory* memory, size_t size, VmemResult result, int error) {
    return file_memory_raise(PyUnicode_FromFormat("cannot resize a file from %zu bytes to %zu", memory->size, size),
                             result, error);
}

#ifdef _WIN32
#define CHANGED_BY_OTHERS 1006  // ERROR_FILE_INVALID
#else
#define CHANGED_BY_OTHERS ESTALE
#endif

// How much of the file can be read, or -1 with an exception.
static int find_size(FileMemory* memory, size_t* size) {
    VmemResult result = VMEM_ERROR_UNSUPPORTED;
    if (!memory->is_writer) result = vmem_object_get_published(&memory->object, size);
    if (result == VMEM_ERROR_UNSUPPORTED) result = vmem_object_size(&memory->object, size);
    if (result == VMEM_SUCCESS) return 0;
    return file_memory_raise(PyUnicode_FromString("cannot find the size of a file"), result, system_error());
}

// Writing behind the end of a file that somebody else has made shorter would fill what is gone with zeros.
int file_memory_check_size(FileMemory* memory) {
    size_t size;
    if (find_size(memory, &size) < 0) return -1;
    if (size >= memory->size) return 0;
    raise_system_error(PyUnicode_FromFormat("cannot write a file that had %zu bytes and has %zu", memory->size, size),
                       "somebody else has made it shorter", CHANGED_BY_OTHERS);
    return -1;
}

// --- opening and closing ---

static int copy_header(FileMemory* memory, const FileLayout* layout) {
    char *prefix, *suffix;
    Py_ssize_t prefix_size, suffix_size;
    if (PyBytes_AsStringAndSize(layout->prefix, &prefix, &prefix_size) < 0) return -1;
    if (PyBytes_AsStringAndSize(layout->suffix, &suffix, &suffix_size) < 0) return -1;
    if (prefix_size == 0) return 0;
    if ((size_t)prefix_size + (size_t)suffix_size >= layout->item_offset) {
        PyErr_SetString(PyExc_ValueError, "a header has no room for a number");
        return -1;
    }
    memory->header = malloc(layout->item_offset + (size_t)suffix_size);
    if (!memory->header) {
        PyErr_NoMemory();
        return -1;
    }
    memory->suffix = memory->header + layout->item_offset;
    memory->prefix_size = (size_t)prefix_size;
    memory->suffix_size = (size_t)suffix_size;
    memcpy(memory->header, prefix, memory->prefix_size);
    memcpy(memory->suffix, suffix, memory->suffix_size);
    return 0;
}

// Readers may see less than what there was when the layout was found out, since another process writes.
static int check_size(FileMemory* memory, const FileLayout* layout) {
    size_t end = layout->item_offset + layout->length * layout->item_size;
    if (find_size(memory, &memory->size) < 0) return -1;
    if (memory->size >= end || (!memory->is_writer && memory->size >= layout->item_offset)) return 0;
    PyErr_Format(PyExc_ValueError, "a file of %zu bytes has no %zu items, which end at byte %zu", memory->size,
                 layout->length, end);
    return -1;
}

#ifdef _WIN32
static void wait_a_moment(void) {}
#define LOCKED_BY_OTHERS 0
static bool is_lock_error(int error) { return error == LOCKED_BY_OTHERS; }
#else
static void wait_a_moment(void) {
    const struct timespec millisecond = {0, 1000 * 1000};
    Py_BEGIN_ALLOW_THREADS
    nanosleep(&millisecond, NULL);
    Py_END_ALLOW_THREADS
}
#define LOCKED_BY_OTHERS EAGAIN
static bool is_lock_error(int error) { return error == EAGAIN || error == EACCES; }
#endif

// A reader has a lock for the time of one call.
#define MAX_TRIES 50

static int begin_writing(FileMemory* memory, size_t end) {
    VmemResult result = vmem_object_publish(&memory->object, SIZE_MAX, end);
    int error = system_error();
    for (int i = 0; result == VMEM_ERROR_ACCESS_DENIED && is_lock_error(error) && i < MAX_TRIES; i++) {
        wait_a_moment();
        result = vmem_object_publish(&memory->object, SIZE_MAX, end);
        error = system_error();
    }
    memory->publishes = result == VMEM_SUCCESS;
    memory->flushed_size = end;
    memory->exact_size = memory->size;
    if (memory->publishes || result == VMEM_ERROR_UNSUPPORTED) return 0;
    PyObject* what = PyUnicode_FromString("cannot lock a file");
    if (result != VMEM_ERROR_ACCESS_DENIED || !is_lock_error(error)) return file_memory_raise(what, result, error);
    raise_system_error(what, "another program has locked it", LOCKED_BY_OTHERS);
    return -1;
}

// A size that a file with at least so many bytes is given while it is mapped.
static size_t round_size(const FileMemory* memory, size_t size) {
    return IN_PARTS ? vmem_align_forward(size, vmem_get_allocation_granularity())
                    : size - (size - memory->item_offset) % memory->item_size;
}

static int fill_last_part(FileMemory* memory) {
    size_t size = round_size(memory, memory->size);
    if (!IN_PARTS || size == memory->size) return 0;
    VmemResult result = vmem_object_resize(&memory->object, size);
    if (result != VMEM_SUCCESS) return raise_resize(memory, size, result, system_error());
    memory->size = size;
    return 0;
}

FileMemory* file_memory_open(intptr_t handle, const FileLayout* layout, bool is_writer) {
    FileMemory* memory = calloc(1, sizeof(FileMemory));
    if (!memory) return (FileMemory*)PyErr_NoMemory();
    memory->backing = FILE_MEMORY;
    memory->is_writer = is_writer;
    memory->item_offset = layout->item_offset;
    memory->item_size = layout->item_size;
    memory->max_ahead = MAX_AHEAD;
    memory->shown_length = memory->exact_size = SIZE_MAX;
    size_t max_bytes = vmem_align_forward(layout->max_bytes, vmem_get_allocation_granularity());
    VmemResult result = vmem_object_from_file(&memory->object, handle, max_bytes);
    memory->is_open = result == VMEM_SUCCESS;
    if (!memory->is_open)
        file_memory_raise(PyUnicode_FromString("cannot map a file"), result, system_error());
    else if (copy_header(memory, layout) == 0 && check_size(memory, layout) == 0 &&
             (!is_writer || (begin_writing(memory, layout->item_offset + layout->length * layout->item_size) == 0 &&
                             fill_last_part(memory) == 0)))
        return memory;
    file_destroy(&memory->backing);
    return NULL;
}

// The descriptor that is kept has no locks.
void file_memory_close(FileMemory* memory, bool is_exported) {
    VmemObject kept = memory->object;
    memory->closes_later = memory->num_waiting > 0;
    if (!memory->is_open || memory->closes_later) return;
    if (is_longer(memory)) {
        memory->is_kept = true;
        memory->is_open = false;
        return;
    }
    memory->is_kept = !IN_PARTS && is_exported && memory->is_writer &&
                      vmem_object_export(&memory->object, false, &kept.handle) == VMEM_SUCCESS;
    if (memory->is_locked) vmem_object_publish(&memory->object, 0, SIZE_MAX);
    vmem_object_close(&memory->object);  // closes no number that is somebody else's by now
    if (memory->is_kept) memory->object = kept;
    memory->is_open = false;
}

void file_memory_end_wait(FileMemory* memory, bool is_exported) {
    memory->num_waiting--;
    if (memory->closes_later) file_memory_close(memory, is_exported);
}

// --- growing ---

int file_memory_record(FileMemory* memory, Reservation* reservation, size_t end) {
    SpanMap* spans = &reservation->spans;
    size_t start = 0, gap_end;
    if (!spans_find_gap(spans, 0, vmem_align_forward(end, reservation->page_size), &start, &gap_end)) return 0;
    if (spans_prepare(spans, 1) < 0) return -1;
    PageState state = {memory->is_writer ? VMEM_READ_WRITE : VMEM_READ, UNLOCKED};
    spans_set(spans, start, vmem_align_forward(end, reservation->page_size), state);
    spans_trim_spare(spans);
    return 0;
}

static void forget_pages(Reservation* reservation, size_t size) {
    Pages pages = {vmem_align_forward(size, reservation->page_size), reservation->size};
    if (pages.start < pages.end) spans_clear(&reservation->spans, pages.start, pages.end);
}

// Grows ahead by what was added since the last flush, or by what there lately was room for. So who flushes after every
// call never has to cut off anything. Each part of a mapping costs the system memory: a long file has longer ones.
static size_t choose_size(const FileMemory* memory, size_t end) {
    size_t added = memory->size - memory->flushed_size, max_bytes = memory->object.max_bytes;
    if (IN_PARTS && added < memory->size / 256) added = memory->size / 256;
    if (!memory->publishes || added == 0) return round_size(memory, end);
    size_t ahead = added < MIN_AHEAD ? MIN_AHEAD : added;
    if (ahead > memory->max_ahead) ahead = memory->max_ahead;
    return round_size(memory, ahead < max_bytes - end ? end + ahead : max_bytes);
}

// A page fault for a fresh page takes longer than copying one. And where the file ends, the call makes it grow.
#define MIN_WRITE ((size_t)16 << 10)

// The process can be killed in the middle, and then the file ends with one of these.
#define MIN_PAGE ((size_t)4096)

int file_memory_append(FileMemory* memory, Reservation* reservation, size_t offset, const char* bytes,
                       size_t num_bytes) {
    size_t end = offset + num_bytes, before = memory->size;
    bool ends_whole = MIN_PAGE % memory->item_size == 0 && memory->item_offset % memory->item_size == 0;
    bool is_faster = num_bytes >= MIN_WRITE || (end > before && before == memory->flushed_size);
    if (IN_PARTS || num_bytes == 0 || !memory->publishes || !ends_whole || !is_faster) return 0;
    if (file_memory_record(memory, reservation, end) < 0) return -1;
    VmemResult result = vmem_object_write(&memory->object, bytes, num_bytes, offset, before);
    int error = system_error();
    if (result == VMEM_SUCCESS) {
        memory->size = end > before ? end : before;
        return 1;
    }
    forget_pages(reservation, before);
    if (file_memory_check_size(memory) < 0) return -1;
    vmem_object_resize(&memory->object, before);
    if (before > offset) memset(reservation->base + offset, 0, before - offset);
    return raise_resize(memory, end, result, error);
}

static VmemResult resize_mapped(FileMemory* memory, const Reservation* reservation, VmemProtection protection,
                                size_t size) {
    return vmem_object_resize_mapped(&memory->object, reservation->base, &memory->mapped_size, protection, size);
}

static VmemResult resize(FileMemory* memory, Reservation* reservation, size_t size, bool* has_raised) {
    size_t longer = 0;
    *has_raised = file_memory_record(memory, reservation, size) < 0;
    if (*has_raised) return VMEM_SUCCESS;
    // A file that became longer than could be mapped stays so: to cut it, what others use would be unmapped.
    bool was_longer = IN_PARTS && vmem_object_size(&memory->object, &longer) == VMEM_SUCCESS && longer > size;
    VmemResult result = resize_mapped(memory, reservation, VMEM_READ_WRITE, was_longer ? SIZE_MAX : size);
    if (result == VMEM_SUCCESS && memory->mapped_size < size) result = VMEM_ERROR_OUT_OF_MEMORY;
    if (result == VMEM_SUCCESS) {
        memory->size = size;
        memory->has_grown = true;
    } else {
        forget_pages(reservation, memory->size);
    }
    return result;
}

int file_memory_grow(FileMemory* memory, Reservation* reservation, size_t end) {
    bool has_raised = false;
    if (end <= memory->size) return 0;
    if (file_memory_check_size(memory) < 0) return -1;
    size_t size = choose_size(memory, end), least = round_size(memory, end);
    VmemResult result = resize(memory, reservation, size, &has_raised);
    while (result != VMEM_SUCCESS && size > least) {
        memory->max_ahead = vmem_align_backward((size - least) / 2, vmem_get_allocation_granularity());  // or 0
        size = choose_size(memory, end);
        result = resize(memory, reservation, size, &has_raised);
    }
    if (result != VMEM_SUCCESS) return raise_resize(memory, end, result, system_error());
    memory->max_ahead = memory->max_ahead < MAX_AHEAD / 4 ? 2 * memory->max_ahead + MIN_PAGE : MAX_AHEAD;
    return has_raised ? -1 : 0;
}

// --- settling ---

// Puts a number of items into the copy of the header. Returns where the bytes that changed begin, 0 if that is not known.
static size_t set_number(FileMemory* memory, size_t length) {
    char number[24];
    size_t num_digits = (size_t)snprintf(number, sizeof(number), "%zu", length), start = memory->prefix_size;
    size_t end = start + num_digits + memory->suffix_size;
    bool is_known = memory->num_shown_digits == num_digits;
    while (is_known && memory->header[start] == number[start - memory->prefix_size]) start++;
    memcpy(memory->header + memory->prefix_size, number, num_digits);
    memcpy(memory->header + memory->prefix_size + num_digits, memory->suffix, memory->suffix_size);
    memset(memory->header + end, ' ', memory->item_offset - 1 - end);
    memory->header[memory->item_offset - 1] = '\n';
    memory->shown_length = length;
    memory->num_shown_digits = num_digits;
    return is_known ? start : 0;
}

static VmemResult write_whole_header(FileMemory* memory, char* base) {
    VmemResult result = vmem_object_write(&memory->object, memory->header, memory->item_offset, 0, memory->size);
    if (result != VMEM_SUCCESS) {
        memory->shown_length = SIZE_MAX;
        memory->num_shown_digits = 0;
    } else if (!memory->publishes && memcmp(base, memory->header, memory->item_offset) != 0) {
        // OpenBSD's mapping does not see what is written, and would in the end write what it has over that.
        memcpy(base, memory->header, memory->item_offset);
    }
    return result;
}

// Readers, and who opens the file after the process was killed, see the old number or the new one: what changes is in one
// word as a rule, and is stored or else written in one piece.
static VmemResult write_header(FileMemory* memory, char* base, size_t length) {
    size_t start, word, word_end, changed;
    if (!memory->header || length == memory->shown_length) return VMEM_SUCCESS;
    start = set_number(memory, length);
    word = start - start % sizeof(changed);
    word_end = word + sizeof(changed);
    if (start == 0 || memory->prefix_size + memory->num_shown_digits > word_end || word_end > memory->item_offset)
        return write_whole_header(memory, base);
    memcpy(&changed, memory->header + word, sizeof(changed));
    *(volatile size_t*)(base + word) = changed;
    return VMEM_SUCCESS;
}

// Pages that are no longer in the file must not be touched, which a call in progress could. Before it is closed the
// record of them matters no more.
static int cut_off(FileMemory* memory, Reservation* reservation, size_t size, bool is_last) {
    Pages pages = {vmem_align_forward(size, reservation->page_size), reservation->size};
    if (size >= memory->size || IN_PARTS) return 0;
    if (busy_check_changeable(&reservation->busy, pages, "flush") < 0) return -1;
    bool can_record = spans_prepare(&reservation->spans, 2) == 0;
    if (!can_record && !is_last) return -1;
    if (!can_record) PyErr_Clear();
    VmemResult result = vmem_object_resize(&memory->object, size);
    int error = system_error();
    if (result == VMEM_SUCCESS) {
        if (can_record) forget_pages(reservation, size);
        memory->size = size;
    }
    spans_trim_spare(&reservation->spans);
    return result == VMEM_SUCCESS ? 0 : raise_resize(memory, size, result, error);
}

// The header comes first: what is behind the items that it tells of is no harm.
int file_memory_settle(FileMemory* memory, Reservation* reservation, size_t length, bool is_last) {
    size_t size = memory->item_offset + length * memory->item_size;
    if (size != memory->flushed_size) memory->has_grown = true;
    if (!memory->has_grown) return 0;
    memory->exact_size = size;
    if (size < memory->size && file_memory_check_size(memory) < 0) return -1;
    VmemResult result = write_header(memory, reservation->base, length);
    if (result == VMEM_SUCCESS && cut_off(memory, reservation, size, is_last) < 0) return -1;
    if (result == VMEM_SUCCESS && memory->publishes && size > memory->flushed_size)
        result = vmem_object_publish(&memory->object, memory->flushed_size, size);
    int error = system_error();
    if (result != VMEM_SUCCESS)
        return file_memory_check_size(memory) < 0
                   ? -1
                   : file_memory_raise(PyUnicode_FromString("cannot flush a file"), result, error);
    memory->flushed_size = size;
    return 0;
}

int file_memory_make_exact(FileMemory* memory, Reservation* reservation, bool is_exported) {
    VmemProtection protection = is_exported ? VMEM_READ_WRITE : VMEM_READ;
    bool is_used = reservation->pins.first || reservation->native_memory;
    if (!is_longer(memory) || is_used) return 0;
    VmemResult result = resize_mapped(memory, reservation, protection, memory->exact_size);
    int error = system_error();
    if (result == VMEM_SUCCESS)
        memory->size = memory->exact_size;
    else if (memory->header)  // what is behind the items is no harm
        memory->exact_size = SIZE_MAX;
    size_t shown = memory->size < memory->mapped_size ? memory->size : memory->mapped_size;
    if (spans_prepare(&reservation->spans, 2) == 0)
        forget_pages(reservation, shown);
    else
        PyErr_Clear();  // nothing is written any more
    spans_trim_spare(&reservation->spans);
    return result == VMEM_SUCCESS || memory->header ? 0 : raise_resize(memory, memory->exact_size, result, error);
}

VmemResult file_memory_sync(const VmemObject* object, const Reservation* reservation, bool is_durable) {
    return vmem_object_flush(object, reservation->base, reservation->size, is_durable);
}

// --- following ---

// Whether the file still has the prefix, before any number.
static bool has_prefix(const FileMemory* memory) {
    char bytes[256];
    for (size_t start = 0; start < memory->prefix_size; start += sizeof(bytes)) {
        size_t num_bytes = memory->prefix_size - start;
        if (num_bytes > sizeof(bytes)) num_bytes = sizeof(bytes);
        if (vmem_object_read(&memory->object, bytes, num_bytes, start) != VMEM_SUCCESS) return false;
        if (memcmp(bytes, memory->header + start, num_bytes) != 0) return false;
    }
    return true;
}

// The number in the header of a .npy file, which its writer sets when it flushes.
static size_t read_length(const FileMemory* memory) {
    char text[25], *end;
    size_t num_bytes = memory->item_offset - memory->prefix_size;
    if (num_bytes >= sizeof(text)) num_bytes = sizeof(text) - 1;
    if (!has_prefix(memory)) return 0;
    if (vmem_object_read(&memory->object, text, num_bytes, memory->prefix_size) != VMEM_SUCCESS) return 0;
    text[num_bytes] = '\0';
    unsigned long long length = strtoull(text, &end, 10);
    return *end == *memory->suffix && length < SIZE_MAX ? (size_t)length : 0;
}

size_t file_memory_find_length(FileMemory* memory) {
    size_t size, limit = SIZE_MAX, unknown = 0;
    if (!memory->is_open) return unknown;
    if (memory->header) limit = read_length(memory);
    VmemResult result = vmem_object_get_published(&memory->object, &size);
    if (result == VMEM_ERROR_UNSUPPORTED) result = vmem_object_size(&memory->object, &size);
    if (result != VMEM_SUCCESS || size < memory->item_offset) return unknown;
    if (size > memory->object.max_bytes) size = memory->object.max_bytes;
    size_t length = (size - memory->item_offset) / memory->item_size;
    return length < limit ? length : limit;
}

// A last part that is no whole one is mapped again, for which nobody may use it.
static void show_more(FileMemory* memory, const Reservation* reservation, bool is_used) {
    size_t unit = vmem_get_allocation_granularity(),
           shown = vmem_align_forward(memory->shown_size, reservation->page_size);
    size_t size;
    if (is_used && shown % unit > 0) return;
    if (vmem_object_size(&memory->object, &size) != VMEM_SUCCESS) return;
    if (size > memory->object.max_bytes) size = memory->object.max_bytes;
    if (resize_mapped(memory, reservation, VMEM_READ, SIZE_MAX) == VMEM_SUCCESS) memory->shown_size = size;
}

size_t file_memory_show(FileMemory* memory, Reservation* reservation, size_t length, bool is_used) {
    size_t end = memory->item_offset + length * memory->item_size, shown;
    if (!IN_PARTS) return length;
    if (end > memory->shown_size) show_more(memory, reservation, is_used);
    shown = vmem_align_forward(memory->shown_size, reservation->page_size);
    if (shown > memory->mapped_size) shown = memory->mapped_size;
    if (shown >= end) return length;
    return shown > memory->item_offset ? (shown - memory->item_offset) / memory->item_size : 0;
}

// --- forked children ---

static bool copy_header_of(FileMemory* again, const FileMemory* memory) {
    size_t num_bytes = memory->item_offset + memory->suffix_size;
    if (!memory->header) return true;
    again->header = malloc(num_bytes);
    if (!again->header) return false;
    memcpy(again->header, memory->header, num_bytes);
    again->suffix = again->header + memory->item_offset;
    return true;
}

FileMemory* file_memory_open_again(const FileMemory* memory) {
    FileMemory* again = memory->is_open ? malloc(sizeof(FileMemory)) : NULL;
    if (!again) return NULL;
    *again = *memory;
    again->header = again->suffix = NULL;
    again->is_writer = again->is_locked = again->closes_later = false;
    again->num_waiting = 0;
    again->is_open = vmem_object_export(&memory->object, false, &again->object.handle) == VMEM_SUCCESS;
    if (again->is_open && copy_header_of(again, memory)) return again;
    file_destroy(&again->backing);
    return NULL;
}

// What the parent opened has its locks, as long as this process has it or maps it: it is opened again. Without a free
// descriptor all of its mapping is replaced.
void file_memory_isolate(FileMemory* memory, char* base, size_t size, size_t committed_end) {
    VmemObject inherited = memory->object, again = memory->object;
    bool was_open = memory->is_open, has_object = was_open || memory->is_kept, is_private = !memory->is_writer;
    bool has_lock = was_open && vmem_object_export(&inherited, false, &again.handle) != VMEM_SUCCESS;
    memory->is_writer = memory->is_locked = memory->is_kept = false;
    memory->num_waiting = 0;
    memory->is_open = was_open && !has_lock;
    memory->object = again;
    if (has_object && !is_private && !has_lock)
        is_private = vmem_object_make_private(&again, base, size, 0) == VMEM_SUCCESS;
    if (has_object) vmem_object_close(&inherited);
    if (is_private) return;
    if (committed_end > 0 && shared_memory_replace(base, committed_end) != VMEM_SUCCESS)
        vmem_protect(base, committed_end, VMEM_READ);
    else if (committed_end < size)
        vmem_decommit(base + committed_end, size - committed_end);
}
