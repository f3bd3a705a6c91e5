#include "core/errors.h"

#include "core/mapping_budget.h"

int system_error(void) {
#ifdef _WIN32
    return (int)GetLastError();
#else
    return errno;
#endif
}

void set_system_error(int error) {
#ifdef _WIN32
    SetLastError((DWORD)error);
#else
    errno = error;
#endif
}

VmemResult result_of_reserve(int error) {
#ifdef _WIN32
    return error == ERROR_ACCESS_DENIED ? VMEM_ERROR_ACCESS_DENIED : VMEM_ERROR_OUT_OF_MEMORY;
#else
    bool is_about_size = error == ENOMEM || error == EAGAIN || error == EINVAL || error == EOVERFLOW;
    if (is_about_size) return VMEM_ERROR_OUT_OF_MEMORY;
    if (error == EACCES || error == EPERM) return VMEM_ERROR_ACCESS_DENIED;
    return error == ENOSYS ? VMEM_ERROR_UNSUPPORTED : VMEM_ERROR_SYSTEM;
#endif
}

// "cannot commit 4096 bytes at offset 8192 of a region"
static PyObject* describe_request(const Request* request) {
    const OwnerKind* owner = request->owner_kind;
    if (request->kind == REQUEST_SHARE) return PyUnicode_FromFormat("cannot %s memory", request->verb);
    if (request->kind == REQUEST_ATTACH)
        return PyUnicode_FromFormat("cannot %s descriptor %zd", request->verb, (Py_ssize_t)request->handle);
    if (request->kind != REQUEST_ADDRESSES)
        return PyUnicode_FromFormat("cannot %s %zu bytes at offset %zu of %s %s", request->verb, request->num_bytes,
                                    request->offset, owner->article, owner->noun);
    if (request->align > 1)
        return PyUnicode_FromFormat("cannot %s %zu bytes aligned to %zu", request->verb, request->num_bytes,
                                    request->align);
    return PyUnicode_FromFormat("cannot %s %zu bytes%s", request->verb, request->num_bytes, owner->reserved_for);
}

// What the system says of an object or a file that would become too large.
static bool is_about_size(int error) {
#ifdef _WIN32
    (void)error;
    return false;
#else
    return error == EFBIG;
#endif
}

static bool exceeds(uint64_t used, uint64_t num_bytes, uint64_t limit) {
    return limit != VMEM_UNLIMITED && (used > limit || num_bytes > limit - used);
}

// The kernel's own count can be this much above the lines of /proc/self/maps when it refuses.
#define MAPPING_TOLERANCE 3

// What the kernel keeps back below its commit limit (admin_reserve_kbytes, user_reserve_kbytes).
#define COMMIT_TOLERANCE ((uint64_t)256 << 20)

static const char* mapping_advice(const Request* request) {
    bool commits = request->new_memory && request->kind != REQUEST_ACCESS;
    return commits ? request->owner_kind->when_commit_runs_out_of_mappings : request->owner_kind->when_mappings_run_out;
}

static const char* memory_advice(const Request* request) {
    return request->kind == REQUEST_ACCESS ? "make less memory writable" : "commit less";
}

static const char* address_advice(const Request* request) {
    if (request->align > 1) return "reserve less, or with a smaller alignment";
    return request->owner_kind->when_addresses_run_out;
}

static PyObject* describe_lock_limit(const VmemLimits* limits) {
    return PyUnicode_FromFormat(
        "the locked memory limit (RLIMIT_MEMLOCK, ulimit -l) is %llu bytes and this process has %llu locked; "
        "lock less, or raise the limit",
        (unsigned long long)limits->lock_limit, (unsigned long long)limits->lock_used);
}

// How many bytes would be locked. After mlockall(MCL_FUTURE) every new mapping is locked, and mmap() over the limit
// fails with EAGAIN.
static uint64_t count_new_locks(const Request* request, int error) {
    return error == EAGAIN && request->kind == REQUEST_ADDRESSES ? request->new_addresses : request->new_locks;
}

// Memory that is not private is made in objects and files, which have a size.
static PyObject* describe_size_limit(const Request* request) {
    return PyUnicode_FromFormat(
        "the file size limit (RLIMIT_FSIZE, ulimit -f), which holds for shared memory too, is %llu bytes; %s, or raise "
        "the limit",
        (unsigned long long)get_file_size_limit(), memory_advice(request));
}

static PyObject* describe_available_memory(const Request* request) {
    VmemMemoryInfo info;
    vmem_get_memory_info(&info);
    if (!exceeds(0, request->num_missing, info.available)) return NULL;
    return PyUnicode_FromFormat(
        "shared memory is made when it is committed, which needs %zu more bytes, and of %llu bytes of memory %llu are "
        "available; %s at a time, as it is needed",
        request->num_missing, (unsigned long long)info.total, (unsigned long long)info.available,
        memory_advice(request));
}

static PyObject* describe_mapping_limit(const Request* request, const VmemLimits* limits) {
    return PyUnicode_FromFormat(
        "vm.max_map_count is %llu and this process has %llu mappings; %s, or raise vm.max_map_count",
        (unsigned long long)limits->mapping_limit, (unsigned long long)limits->mapping_used, mapping_advice(request));
}

static PyObject* describe_address_space_limit(const Request* request, const VmemLimits* limits) {
    return PyUnicode_FromFormat(
        "the address space limit (RLIMIT_AS, ulimit -v) is %llu bytes and this process uses %llu; %s, or raise the "
        "limit",
        (unsigned long long)limits->address_space_limit, (unsigned long long)limits->address_space_used,
        address_advice(request));
}

static PyObject* describe_data_limit(const Request* request, const VmemLimits* limits) {
    return PyUnicode_FromFormat(
        "the data limit (RLIMIT_DATA, ulimit -d) is %llu bytes and this process uses %llu; %s, or raise the limit",
        (unsigned long long)limits->data_limit, (unsigned long long)limits->data_used, memory_advice(request));
}

static PyObject* describe_largest_commit(const Request* request, const VmemLimits* limits) {
    return PyUnicode_FromFormat(
        "one commit cannot be larger than memory and swap together, %llu bytes, while vm.overcommit_memory is 0; "
        "%s at a time, as it is needed",
        (unsigned long long)limits->largest_commit, memory_advice(request));
}

static PyObject* describe_commit_limit(const Request* request, const VmemLimits* limits) {
    return PyUnicode_FromFormat(
        "the system's commit limit is %llu bytes and %llu are committed by all processes together; %s, or raise it "
        "(vm.overcommit_ratio on Linux, a larger page file on Windows)",
        (unsigned long long)limits->commit_limit, (unsigned long long)limits->commit_used, memory_advice(request));
}

// The limit of memory that was hit, when it was not addresses that were missing.
static PyObject* describe_cause_in_memory(const Request* request, const VmemLimits* limits) {
    bool is_private = request->backing->is_private, is_allocated = request->backing->allocate;
    uint64_t memory = is_allocated ? request->num_missing : request->new_memory;
    if (is_private && exceeds(limits->data_used, memory, limits->data_limit))
        return describe_data_limit(request, limits);
    if (is_private && exceeds(0, memory, limits->largest_commit)) return describe_largest_commit(request, limits);
    if (memory && exceeds(limits->commit_used, memory + COMMIT_TOLERANCE, limits->commit_limit))
        return describe_commit_limit(request, limits);
    if (is_allocated && memory) {
        PyObject* cause = describe_available_memory(request);
        if (cause || PyErr_Occurred()) return cause;
    }
    if (request->new_locks)
        return PyUnicode_FromString(
            "this process may not lock more memory; lock less, or run it with the privilege to (CAP_IPC_LOCK on "
            "Linux)");
    return PyUnicode_FromString("the system is out of memory; commit less, or release some");
}

// The limit that was hit, as far as the numbers show. The most certain causes are checked first.
static PyObject* describe_cause(const Request* request, const VmemLimits* limits, int error) {
    uint64_t new_locks = count_new_locks(request, error);
    if (new_locks && exceeds(limits->lock_used, new_locks, limits->lock_limit)) return describe_lock_limit(limits);
    if (exceeds(limits->mapping_used, MAPPING_TOLERANCE, limits->mapping_limit))
        return describe_mapping_limit(request, limits);
    if (exceeds(limits->address_space_used, request->new_addresses, limits->address_space_limit))
        return describe_address_space_limit(request, limits);
    if (is_about_size(error)) return describe_size_limit(request);
    if (request->new_addresses && error != NO_SPACE)
        return PyUnicode_FromFormat("no free range of addresses is large enough; %s", address_advice(request));
    return describe_cause_in_memory(request, limits);
}

// Steals the reference to the message, which is NULL when making it has raised.
static void set_out_of_memory(PyObject* out_of_memory_error, PyObject* message) {
    PyObject* arguments = message ? Py_BuildValue("(iN)", ENOMEM, message) : NULL;
    if (arguments) PyErr_SetObject(out_of_memory_error, arguments);
    Py_XDECREF(arguments);
}

int raise_capacity_exceeded(PyObject* out_of_memory_error, PyObject* message) {
    set_out_of_memory(out_of_memory_error, message);
    return -1;
}

static void raise_out_of_memory(PyObject* out_of_memory_error, const Request* request, PyObject* cause) {
    PyObject* what = cause ? describe_request(request) : NULL;
    set_out_of_memory(out_of_memory_error, what ? PyUnicode_FromFormat("%U: %U", what, cause) : NULL);
    Py_XDECREF(what);
    Py_XDECREF(cause);
}

// An object or a file has a descriptor of its own. Other code can close it, and the number can then be that of another
// file.
const char* describe_refusal(VmemResult result, int error) {
    if (error == BAD_HANDLE) return "the descriptor is closed, or stands for something else now";
#ifndef _WIN32
    if (error == EMFILE)
        return "this process has as many descriptors as it may have (RLIMIT_NOFILE, ulimit -n); close some, or raise "
               "the "
               "limit";
    if (error == ENFILE) return "the system has as many open files as it may have; close some, or raise fs.file-max";
#endif
    return vmem_result_message(result);
}

void raise_system_error(PyObject* what, const char* refusal, int error) {
#ifdef _WIN32
    PyObject* message = what ? PyUnicode_FromFormat("%U: %s", what, refusal) : NULL;
    PyObject* arguments = message ? Py_BuildValue("(iOOi)", 0, message, Py_None, error) : NULL;
#else
    PyObject* message = what ? PyUnicode_FromFormat("%U: %s (%s)", what, refusal, strerror(error)) : NULL;
    PyObject* arguments = message ? Py_BuildValue("(iO)", error, message) : NULL;
#endif
    if (arguments) PyErr_SetObject(PyExc_OSError, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(message);
    Py_XDECREF(what);
}

void raise_refused(PyObject* out_of_memory_error, const Request* request, VmemResult result, int error) {
    // A process that may lock nothing at all is denied access (EPERM); that is a limit too.
    if (result == VMEM_ERROR_OUT_OF_MEMORY || (result == VMEM_ERROR_ACCESS_DENIED && request->new_locks)) {
        VmemLimits limits;
        vmem_get_limits(&limits);
        raise_out_of_memory(out_of_memory_error, request, describe_cause(request, &limits, error));
    } else if (result == VMEM_ERROR_UNSUPPORTED) {
        PyObject* what = describe_request(request);
        if (what) PyErr_Format(PyExc_NotImplementedError, "%U: %s", what, vmem_result_message(result));
        Py_XDECREF(what);
    } else {
        raise_system_error(describe_request(request), describe_refusal(result, error), error);
    }
}

void raise_out_of_mappings(PyObject* out_of_memory_error, const Request* request, const VmemLimits* limits) {
    PyObject* cause = PyUnicode_FromFormat(
        "vm.max_map_count is %llu and this process has %llu mappings, and the last %llu are kept for the rest of the "
        "process; %s, or raise vm.max_map_count",
        (unsigned long long)limits->mapping_limit, (unsigned long long)limits->mapping_used,
        (unsigned long long)mapping_headroom(limits), mapping_advice(request));
    raise_out_of_memory(out_of_memory_error, request, cause);
}
