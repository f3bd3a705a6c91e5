#include "core/shared_page.h"

#include <stddef.h>

// As in PNG: a byte that is no text, and line ends that a transfer as text would change.
static const char MAGIC[8] = {'\x89', 'v', 'm', 'e', 'm', '\r', '\n', '\x1a'};

#define VERSION 1
#define BYTE_ORDER_MARK 0x01020304u
#define OTHER_BYTE_ORDER 0x04030201u

#define CACHE_LINE 64

// A process that was compiled otherwise must find everything where this one has put it.
typedef char
    check_length_offset[offsetof(SharedPage, length) == 384 && offsetof(SharedPage, length) % CACHE_LINE == 0 ? 1 : -1];
typedef char check_size[sizeof(SharedPage) == 448 ? 1 : -1];

size_t shared_page_size(void) { return vmem_get_allocation_granularity(); }

// --- writing ---

// All processes have the same name, so nothing of it is left out.
static int copy_name(SharedPage* page, const char* text, Py_ssize_t length) {
    const char* zero = memchr(text, 0, (size_t)length);
    if (zero) {
        PyErr_Format(PyExc_ValueError, "the name of shared memory cannot contain zeros: byte %zd of %zd is one",
                     (Py_ssize_t)(zero - text), length);
        return -1;
    }
    if (length > SHARED_PAGE_NAME - 1) {
        PyErr_Format(PyExc_ValueError, "the name of shared memory can have at most %d bytes in UTF-8, got %zd",
                     SHARED_PAGE_NAME - 1, length);
        return -1;
    }
    memcpy(page->name, text, (size_t)length);
    page->flags |= SHARED_PAGE_NAMED;
    return 0;
}

int shared_page_init(SharedPage* page, SharedKind kind, size_t num_bytes, PyObject* name) {
    memset(page, 0, sizeof(*page));
    memcpy(page->magic, MAGIC, sizeof(MAGIC));
    page->byte_order = BYTE_ORDER_MARK;
    page->version = VERSION;
    page->kind = kind;
    page->data_offset = shared_page_size();
    page->num_bytes = num_bytes;
    if (name == Py_None) return 0;
    PyObject* encoded = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
    char* text;
    Py_ssize_t length;
    int status = encoded ? PyBytes_AsStringAndSize(encoded, &text, &length) : -1;
    if (status == 0) status = copy_name(page, text, length);
    Py_XDECREF(encoded);
    return status;
}

// --- checking ---

static int raise_value_error(const char* message, ...) {
    va_list arguments;
    va_start(arguments, message);
    PyErr_FormatV(PyExc_ValueError, message, arguments);
    va_end(arguments);
    return -1;
}

static int check_origin(const SharedPage* page) {
    if (memcmp(page->magic, MAGIC, sizeof(MAGIC)) != 0)
        return raise_value_error("this is not shared memory of vmem: its first bytes are others");
    if (page->byte_order == OTHER_BYTE_ORDER)
        return raise_value_error("this shared memory was made by a process of the other byte order");
    if (page->byte_order != BYTE_ORDER_MARK)
        return raise_value_error("the byte order of this shared memory is unknown: its mark is %u", page->byte_order);
    if (page->version != VERSION)
        return raise_value_error(
            "this shared memory has version %u, and this vmem knows version %d: use the same version of pyvmem in all "
            "processes",
            page->version, VERSION);
    return 0;
}

// An object that is larger than its capacity is not refused: everybody who has it can make it grow, and what lies beyond
// the capacity is never used.
static int check_sizes(const SharedPage* page) {
    size_t page_size = vmem_get_page_size(), max_bytes = (size_t)PY_SSIZE_T_MAX - shared_page_size() - page_size;
    if (page->data_offset != shared_page_size())
        return raise_value_error("the data of this shared memory begins at byte %llu, and on this system at %zu",
                                 (unsigned long long)page->data_offset, shared_page_size());
    size_t min_bytes = page->kind == SHARED_REGION ? 1 : 0;
    if (page->num_bytes < min_bytes || page->num_bytes > max_bytes)
        return raise_value_error(
            "the capacity of this shared memory is said to be %llu bytes, which is not from %zu to %zu",
            (unsigned long long)page->num_bytes, min_bytes, max_bytes);
    return 0;
}

static bool ends(const char* text, size_t size) { return memchr(text, 0, size) != NULL; }

static int check_description(const SharedPage* page) {
    if (page->kind < SHARED_REGION || page->kind > SHARED_TABLE)
        return raise_value_error("the kind of this shared memory is unknown: %u", page->kind);
    if (page->flags & ~(SHARED_PAGE_SECRET | SHARED_PAGE_NAMED))
        return raise_value_error("the flags of this shared memory are unknown: %u", page->flags);
    if (page->num_dims > SHARED_PAGE_DIMS)
        return raise_value_error("the rows of this shared memory are said to have %u dimensions, and can have %d",
                                 page->num_dims, SHARED_PAGE_DIMS);
    bool fits = page->item_size <= (uint64_t)PY_SSIZE_T_MAX;
    for (uint32_t i = 0; i < page->num_dims; i++) fits = fits && page->row_shape[i] <= (uint64_t)PY_SSIZE_T_MAX;
    if (!fits)
        return raise_value_error("the items of this shared memory are said to be larger than addresses can name");
    if (!ends(page->name, sizeof(page->name)) || !ends(page->format, sizeof(page->format)))
        return raise_value_error("the name or the format of this shared memory has no end");
    return 0;
}

// Every process writes to a region. Everything else has one writer, whom the system protects from the others where it
// can. Without the seal of the size, another process can take away what this one is about to read.
static int check_seals(const SharedPage* page, unsigned seals, unsigned possible_seals) {
    unsigned expected = page->kind == SHARED_REGION ? possible_seals & VMEM_SEAL_SIZE : possible_seals;
    if (seals == expected) return 0;
    return raise_value_error("this shared memory has the seals %u, and its kind has the seals %u", seals, expected);
}

int shared_page_check(const SharedPage* page, unsigned seals, unsigned possible_seals) {
    if (check_origin(page) < 0) return -1;
    if (check_description(page) < 0) return -1;
    if (check_sizes(page) < 0) return -1;
    return check_seals(page, seals, possible_seals);
}

PyObject* shared_page_get_name(const SharedPage* page) {
    if (!(page->flags & SHARED_PAGE_NAMED)) return Py_NewRef(Py_None);
    Py_ssize_t length = (Py_ssize_t)strlen(page->name);
    PyObject* name = PyUnicode_Decode(page->name, length, "utf-8", "surrogatepass");
    if (name || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return name;
    PyErr_Clear();
    PyObject* bytes = PyBytes_FromStringAndSize(page->name, length);
    if (bytes) PyErr_Format(PyExc_ValueError, "the name of this shared memory is not UTF-8: %R", bytes);
    Py_XDECREF(bytes);
    return NULL;
}

// --- the length ---

void shared_page_publish_length(SharedPage* page, size_t length) { shared_store_release(&page->length, length); }

size_t shared_page_load_length(const SharedPage* page) { return shared_load_acquire(&page->length); }
