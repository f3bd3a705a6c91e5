#include "refusal.h"

#include "mappings.h"

int system_error(void) {
#ifdef _WIN32
    return (int)GetLastError();
#else
    return errno;
#endif
}

VmemResult result_of(int error) {
#ifdef _WIN32
    return error == ERROR_ACCESS_DENIED ? VMEM_ERROR_ACCESS_DENIED : VMEM_ERROR_OUT_OF_MEMORY;
#else
    return error == ENOMEM || error == EAGAIN ? VMEM_ERROR_OUT_OF_MEMORY : VMEM_ERROR_SYSTEM;
#endif
}

// "cannot commit 4096 bytes at offset 8192 of a region"
static PyObject* describe_attempt(const Attempt* attempt) {
    if (attempt->align > 1)
        return PyUnicode_FromFormat("cannot %s %zu bytes aligned to %zu", attempt->verb, attempt->num_bytes,
                                    attempt->align);
    if (attempt->new_addresses) return PyUnicode_FromFormat("cannot %s %zu bytes", attempt->verb, attempt->num_bytes);
    return PyUnicode_FromFormat("cannot %s %zu bytes at offset %zu of %s %s", attempt->verb, attempt->num_bytes,
                                attempt->offset, attempt->kind[0] == 'a' ? "an" : "a", attempt->kind);
}

static bool exceeds(uint64_t used, uint64_t num_bytes, uint64_t limit) {
    return limit != VMEM_UNLIMITED && (used > limit || num_bytes > limit - used);
}

// The kernel's own count can be this much above the lines of /proc/self/maps when it refuses.
#define MAPPING_TOLERANCE 3

// What the kernel keeps back below its commit limit: for the administrator, and for a user with one large process.
#define COMMIT_TOLERANCE ((uint64_t)256 << 20)

// Only of regions does the user choose what is committed. Arrays and arenas commit for themselves.
static bool is_region(const Attempt* attempt) { return strcmp(attempt->kind, "region") == 0; }

static const char* mapping_advice(const Attempt* attempt) {
    if (!is_region(attempt)) return "keep fewer arrays and arenas, or raise vm.max_map_count";
    return attempt->new_memory ? "commit larger neighbouring ranges, or raise vm.max_map_count"
                               : "release what is not needed, or raise vm.max_map_count";
}

static const char* address_advice(const Attempt* attempt) {
    if (attempt->align > 1) return "reserve less, or with a smaller alignment";
    return is_region(attempt) ? "reserve less" : "ask for a smaller capacity";
}

static PyObject* describe_lock_limit(const VmemLimits* limits) {
    return PyUnicode_FromFormat(
        "the locked memory limit (RLIMIT_MEMLOCK, ulimit -l) is %llu bytes and this process has %llu locked; "
        "lock less, or raise the limit",
        (unsigned long long)limits->lock_limit, (unsigned long long)limits->lock_used);
}

// How many bytes would be locked. Where a process has asked to lock all that is to come, that is whatever is mapped, and
// then EAGAIN is how too much of it is refused.
static uint64_t count_new_locks(const Attempt* attempt, int error) {
    return error == EAGAIN && attempt->new_addresses ? attempt->new_addresses : attempt->new_locks;
}

// Which limit refused, as far as the numbers tell. They are compared from the surest cause to the least sure.
static PyObject* describe_cause(const Attempt* attempt, const VmemLimits* limits, int error) {
    uint64_t new_locks = count_new_locks(attempt, error);
    if (new_locks && exceeds(limits->lock_used, new_locks, limits->lock_limit)) return describe_lock_limit(limits);
    if (exceeds(limits->mapping_used, MAPPING_TOLERANCE, limits->mapping_limit))
        return PyUnicode_FromFormat("vm.max_map_count is %llu and this process has %llu mappings; %s",
                                    (unsigned long long)limits->mapping_limit, (unsigned long long)limits->mapping_used,
                                    mapping_advice(attempt));
    if (exceeds(limits->address_space_used, attempt->new_addresses, limits->address_space_limit))
        return PyUnicode_FromFormat(
            "the address space limit (RLIMIT_AS, ulimit -v) is %llu bytes and this process uses %llu; %s, or raise the "
            "limit",
            (unsigned long long)limits->address_space_limit, (unsigned long long)limits->address_space_used,
            address_advice(attempt));
    if (attempt->new_addresses)
        return PyUnicode_FromFormat("there is no such range of free addresses; %s", address_advice(attempt));
    if (exceeds(limits->data_used, attempt->new_memory, limits->data_limit))
        return PyUnicode_FromFormat(
            "the data limit (RLIMIT_DATA, ulimit -d) is %llu bytes and this process uses %llu; commit less, or raise "
            "the limit",
            (unsigned long long)limits->data_limit, (unsigned long long)limits->data_used);
    if (exceeds(0, attempt->new_memory, limits->largest_commit))
        return PyUnicode_FromFormat(
            "one commit cannot be larger than memory and swap together, %llu bytes, while vm.overcommit_memory is 0; "
            "commit less at a time, as it is needed",
            (unsigned long long)limits->largest_commit);
    if (attempt->new_memory &&
        exceeds(limits->commit_used, attempt->new_memory + COMMIT_TOLERANCE, limits->commit_limit))
        return PyUnicode_FromFormat(
            "the system's commit limit is %llu bytes and %llu are committed by all processes together; commit less, "
            "or let the system promise more (vm.overcommit_ratio on Linux, a larger page file on Windows)",
            (unsigned long long)limits->commit_limit, (unsigned long long)limits->commit_used);
    if (attempt->new_locks)
        return PyUnicode_FromString(
            "the system lets this process lock no more memory; lock less, or ask for the right");
    return PyUnicode_FromString("the system has no more memory to give; commit less, or release some");
}

int raise_full(PyObject* out_of_memory_error, PyObject* message) {
    PyObject* arguments = message ? Py_BuildValue("(iN)", ENOMEM, message) : NULL;
    if (arguments) PyErr_SetObject(out_of_memory_error, arguments);
    Py_XDECREF(arguments);
    return -1;
}

static void raise_out_of_memory(PyObject* out_of_memory_error, const Attempt* attempt, PyObject* cause) {
    PyObject* what = cause ? describe_attempt(attempt) : NULL;
    raise_full(out_of_memory_error, what ? PyUnicode_FromFormat("%U: %U", what, cause) : NULL);
    Py_XDECREF(what);
    Py_XDECREF(cause);
}

static void raise_os_error(const Attempt* attempt, VmemResult result, int error) {
    PyObject* what = describe_attempt(attempt);
#ifdef _WIN32
    PyObject* message = what ? PyUnicode_FromFormat("%U: %s", what, vmem_result_message(result)) : NULL;
    PyObject* arguments = message ? Py_BuildValue("(iOOi)", 0, message, Py_None, error) : NULL;
#else
    PyObject* message =
        what ? PyUnicode_FromFormat("%U: %s (%s)", what, vmem_result_message(result), strerror(error)) : NULL;
    PyObject* arguments = message ? Py_BuildValue("(iO)", error, message) : NULL;
#endif
    if (arguments) PyErr_SetObject(PyExc_OSError, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(message);
    Py_XDECREF(what);
}

void raise_refused(PyObject* out_of_memory_error, const Attempt* attempt, VmemResult result, int error) {
    // Who may lock nothing at all is denied access, which is a limit like any other.
    if (result == VMEM_ERROR_OUT_OF_MEMORY || (result == VMEM_ERROR_ACCESS_DENIED && attempt->new_locks)) {
        VmemLimits limits;
        vmem_get_limits(&limits);
        raise_out_of_memory(out_of_memory_error, attempt, describe_cause(attempt, &limits, error));
    } else if (result == VMEM_ERROR_UNSUPPORTED) {
        PyErr_Format(PyExc_NotImplementedError, "cannot %s: %s", attempt->verb, vmem_result_message(result));
    } else {
        raise_os_error(attempt, result, error);
    }
}

void raise_out_of_mappings(PyObject* out_of_memory_error, const Attempt* attempt, const VmemLimits* limits) {
    PyObject* cause = PyUnicode_FromFormat(
        "vm.max_map_count is %llu and this process has %llu mappings, and the last %llu are kept for the rest of the "
        "process; %s",
        (unsigned long long)limits->mapping_limit, (unsigned long long)limits->mapping_used,
        (unsigned long long)mapping_headroom(limits), mapping_advice(attempt));
    raise_out_of_memory(out_of_memory_error, attempt, cause);
}
