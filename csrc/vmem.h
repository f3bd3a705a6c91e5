/*
vmem.h - virtual memory: reserve addresses, commit the bytes you use, never move them
version 0.1.0, MIT licence (at the end of this file)

WHAT IT IS
    Allocation in two steps. vmem_reserve() takes a range of addresses and costs almost nothing, however large it is.
    vmem_commit() makes pages of that range usable: they can be read and written, and read zero at first. Nothing ever
    moves, so a data structure inside the range grows in place, and pointers into it stay valid until it is released.

HOW TO USE IT
    In exactly one C or C++ file:

        #define VMEM_IMPLEMENTATION
        #include "vmem.h"

    and in every other file the include alone. There is nothing to initialise, and nothing to link but the system's own
    libraries.

        size_t capacity = (size_t)64 << 30;              // 64 GiB of addresses, no memory yet
        char* bytes = (char*)vmem_reserve(capacity);
        if (!bytes) return 1;
        if (vmem_commit(bytes, 1 << 20)) return 1;       // the first MiB is usable, and zero
        bytes[0] = 42;
        if (vmem_commit(bytes + (1 << 20), 1 << 20)) return 1;  // grows; bytes[0] has not moved
        vmem_decommit(bytes, 2 << 20);                   // returns the memory, keeps the addresses
        vmem_release(bytes, capacity);

FUNCTIONS
    reserve     vmem_reserve, vmem_reserve_aligned, vmem_release
    commit      vmem_commit, vmem_decommit, vmem_discard, vmem_prefault
    manage      vmem_protect, vmem_flush_instruction_cache, vmem_lock, vmem_lock_on_fault, vmem_unlock,
                vmem_advise_huge_pages, vmem_advise_fork, vmem_advise_dump, vmem_set_name
    objects     vmem_object_create, vmem_object_from_file, vmem_object_import, vmem_object_export, vmem_object_close,
                vmem_object_size, vmem_object_commit, vmem_object_seal, vmem_object_get_seals, vmem_object_read,
                vmem_object_map, vmem_object_map_aligned, vmem_object_unmap, vmem_object_map_mirrored,
                vmem_object_unmap_mirrored, vmem_object_make_private, vmem_object_flush, vmem_object_write,
                vmem_object_resize, vmem_object_resize_mapped, vmem_object_publish, vmem_object_get_published
    ask         vmem_query, vmem_count_resident, vmem_get_memory_info, vmem_get_address_space, vmem_get_limits,
                vmem_get_capabilities, vmem_get_page_size, vmem_get_allocation_granularity, vmem_get_huge_page_size,
                vmem_result_message
    calculate   vmem_align_forward, vmem_align_backward, vmem_is_aligned

    Each is described above its declaration: search for >>api.

OPTIONS
    Define these before the include:

        VMEM_IMPLEMENTATION   compile the functions into this file; in exactly one file
        VMEM_API              stands before every declaration; the same in every file; default `extern`. With
                              `static inline` each file has a private copy: define VMEM_IMPLEMENTATION in all of them
        VMEM_FAIL(call)       for tests, in the file with VMEM_IMPLEMENTATION: evaluated before each system call, with
                              the name of the call ("mmap", "VirtualAlloc", ...). If it is true, the call is not made
                              and counts as failed; errno or SetLastError() must be set by the expression itself. It is
                              not evaluated for calls that cannot fail: for the page size, for the handles of process,
                              task and host, and for the signal mask
        VMEM_DEBUG            for debug builds, in the file with VMEM_IMPLEMENTATION: check every call, and print what is
                              wrong with it; see DEBUGGING. Its value, even 0, has no effect, as for the first one
        VMEM_DEBUG_PRINT(message)  what VMEM_DEBUG does with a message, a string that is valid during the call; by
                              default it prints a line to stderr. It can also call abort() or stop in a debugger

DEBUGGING
    With VMEM_DEBUG, calls are checked against a table of all reservations, mappings of objects and committed pages. A
    call that is wrong does nothing and returns VMEM_ERROR_INVALID_ARGUMENT, or NULL, after a message like these:

        vmem_commit: num_bytes is 0
        vmem_commit(0x7f31c0001000, 8192): ends 4096 bytes after the reservation at 0x7f31c0000000 of 8192 bytes
        vmem_protect(0x7f31c0000000, 8192): the page at 0x7f31c0001000 is not committed, in the reservation at
            0x7f31c0000000 of 8192 bytes
        vmem_release(0x7f31c0000000, 4096): the reservation has 8192 bytes
        vmem_release(0x7f31c0000000, 8192): the reservation at 0x7f31c0000000 of 8192 bytes was released before

    So no range may be outside of all reservations or in two of them, pages must be committed where a function says so,
    releasing needs the same pointer and size as reserving, and is done once, and functions for reservations are not for
    mappings of objects. Where only the system knows what is wrong, the message has its error.

    The table knows what this copy of the functions reserved: not for a VMEM_API that makes copies, if they share
    memory. It takes 17 KiB, and when that is full memory of the system; where that is refused, a message says that
    nothing is checked against it any more. A lock guards it, also while memory is released: neither signal
    handlers nor VMEM_FAIL may call these functions then. A forked process has its own. A call takes less than a
    microsecond more. Without VMEM_DEBUG there is no trace of this.

OBJECTS
    An object is memory that several mappings and several processes can show: vmem_object_create() makes one without a
    name that others could find, vmem_object_commit() gives it memory, and vmem_object_map() shows it at free addresses.
    It is mapped once, as large as it can become, and then grows under its mappings:

        VmemObject object;
        char* bytes;
        if (vmem_object_create(&object, capacity, "queue")) return 1;
        bytes = (char*)vmem_object_map(&object, capacity, 0, VMEM_READ_WRITE);
        if (!bytes || vmem_object_commit(&object, 0, 1 << 20)) return 1;
        bytes[0] = 42;                                   // in every mapping, of this process and of others
        vmem_object_unmap(bytes, capacity);
        vmem_object_close(&object);

    Another process gets a handle of vmem_object_export(): a forked child inherits it, a Unix socket or
    DuplicateHandle() sends it. It calls vmem_object_import(). The memory exists until the last handle is closed and the
    last mapping gone.

    An object only grows, and what was committed never goes away: a page that is given back can end every process that
    reads it. So vmem_commit(), vmem_decommit(), vmem_discard() and vmem_release() are not for the mappings of objects,
    but vmem_object_unmap(). vmem_protect(), vmem_prefault(), vmem_lock(), vmem_unlock(), vmem_advise_dump(),
    vmem_query() and vmem_count_resident() are. Accessing pages past the committed end is a fault, on POSIX SIGBUS.

    Linux and Windows give an object memory when it is committed, and refuse what they do not have. Elsewhere its memory
    has the maximum size from the start, of which only pages that are touched take memory, and committing does nothing.

    Core dumps of Linux do not contain mappings of objects, which can be far larger than their memory, unless
    vmem_advise_dump() said otherwise. Forked processes share them; vmem_object_make_private() gives a child its own
    copy.

RULES THAT HOLD FOR EVERY FUNCTION
    pages     Memory is committed and decommitted in whole pages. A range covers every page that holds one or more of
              its bytes: committing 1 byte commits 1 page, and decommitting 1 byte drops 1 page with all its contents.
    contents  Committed memory reads zero until it is written. Committing pages that are already committed keeps their
              contents. Decommitted memory must be committed before it is used again, and then reads zero.
    access    Accessing reserved memory that is not committed is a fault: SIGSEGV, on some systems SIGBUS, on Windows an
              access violation.
    errors    A function that can fail returns a VmemResult, of which VMEM_SUCCESS is 0. Those that return a pointer
              return NULL. Invalid arguments are detected before any system call; nothing here asserts or aborts. When a
              system call fails, errno (GetLastError() on Windows) is what that call set. Otherwise it is unchanged,
              after success too. For an object whose descriptor stands for something else now, errno is EBADF.
    threads   Every function may be called from every thread at any time. The caller orders calls that work on the same
              pages. The only shared state is what Linux was found to do, two atomic ints, and the table of VMEM_DEBUG.
    memory    No function allocates memory, but for that table, and none uses more than 8 KiB of stack.
    dumps     Core dumps contain what is committed, and not what is only reserved, where the system can tell them apart.
    fork      A child process has the same reservations, with its own copy of their contents, unless vmem_advise_fork()
              said otherwise.

SYSTEMS
                reserve                        commit                   decommit
    Linux       mmap(PROT_NONE)                mprotect                 mmap(MAP_FIXED, PROT_NONE)
                and madvise(MADV_DONTDUMP)     and MADV_DODUMP          and MADV_DONTDUMP
    macOS, BSD  mmap(PROT_NONE)                mprotect                 mmap(MAP_FIXED, PROT_NONE)
    Windows     VirtualAlloc(MEM_RESERVE)      VirtualAlloc(MEM_COMMIT) VirtualFree(MEM_DECOMMIT)
    other       NULL                           VMEM_ERROR_UNSUPPORTED   VMEM_ERROR_UNSUPPORTED

    Committed memory is charged to the system's commit limit; reserved memory is not, and decommitting takes the charge
    away again. Where the system overcommits (Linux unless vm.overcommit_memory is 2, macOS, the BSDs), a commit can
    succeed although there is no memory left when the pages are touched.

SECTIONS
    Search for >>config, >>types, >>api, >>system, >>helpers, >>os contract, >>os windows, >>os posix common,
    >>os linux, >>os macos, >>os bsd, >>os unsupported, >>validation, >>public, >>debug.
*/
#ifndef VMEM_H
#define VMEM_H

// >>config ------------------------------------------------------------------------------------------------------------

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMEM_VERSION "0.1.0"
#define VMEM_VERSION_NUMBER 100  // for #if: 10,000 * the first number + 100 * the second + the third

#ifndef VMEM_API
#define VMEM_API extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

// >>types -------------------------------------------------------------------------------------------------------------

// In C any int may be converted to an enum. In C++ a value that needs more bits than the largest enumerator is
// undefined behaviour unless the enum has a fixed type. With a fixed type, invalid values can be detected.
#ifdef __cplusplus
#define VMEM__AS_INT : int
#else
#define VMEM__AS_INT
#endif

// Every result: X(name, value, message). The enum and vmem_result_message() are made from this table.
#define VMEM_RESULTS(X)                                                                                               \
    X(VMEM_SUCCESS, 0, "success")                                                                                     \
    X(VMEM_ERROR_INVALID_ARGUMENT, 1,                                                                                 \
      "invalid argument: null, zero bytes, a range or size that overflows or does not fit, a bad option or name, or " \
      "memory in the wrong state; VMEM_DEBUG prints which")                                                           \
    X(VMEM_ERROR_OUT_OF_MEMORY, 2, "out of memory: the system refused addresses, memory or a mapping")                \
    X(VMEM_ERROR_ACCESS_DENIED, 3, "access denied by the system")                                                     \
    X(VMEM_ERROR_UNSUPPORTED, 4, "not supported on this system")                                                      \
    X(VMEM_ERROR_SYSTEM, 5, "the system call failed for another reason, see errno or GetLastError()")                 \
    X(VMEM_DECOMMIT_INCOMPLETE, 6, "decommitted, but the commit charge remains, and maybe the access")

#define VMEM__AS_ENUMERATOR(name, value, message) name = value,
typedef enum VmemResult VMEM__AS_INT { VMEM_RESULTS(VMEM__AS_ENUMERATOR) } VmemResult;
#undef VMEM__AS_ENUMERATOR

// The access that committed memory allows. Reserved memory that is not committed allows none.
typedef enum VmemProtection VMEM__AS_INT {
    VMEM_NO_ACCESS = 0,
    VMEM_READ = 1,
    VMEM_READ_WRITE = 2,
    VMEM_EXECUTE = 3,
    VMEM_READ_EXECUTE = 4,
    VMEM_READ_WRITE_EXECUTE = 5
} VmemProtection;

// What a forked child process gets of memory.
typedef enum VmemFork VMEM__AS_INT {
    VMEM_FORK_COPY = 0,  // its contents, as a copy
    VMEM_FORK_NONE = 1,  // nothing: the addresses are not mapped, and accessing them is a fault
    VMEM_FORK_ZERO = 2   // fresh memory that reads zero
} VmemFork;

// What a range of addresses is used for.
typedef enum VmemState VMEM__AS_INT {
    VMEM_FREE = 0,      // not mapped
    VMEM_RESERVED = 1,  // addresses without memory; on Linux and macOS also committed pages without access
    VMEM_COMMITTED = 2  // memory
} VmemState;

// A run of pages with equal properties.
typedef struct VmemRange {
    void* base;
    size_t size;  // in bytes
    VmemState state;
    VmemProtection protection;  // VMEM_NO_ACCESS unless committed
} VmemRange;

// Memory that several mappings and several processes can show. The caller keeps this struct, and this file no record of
// it: it may be copied, but is closed once.
typedef struct VmemObject {
    intptr_t handle;  // a file descriptor; on Windows a HANDLE
    intptr_t reader;  // macOS, BSD: a descriptor that cannot write, for others; Windows: what publishes; else -1
    // What the descriptor stood for when the object was made, as fstat() tells it; 0 on Windows. The number of a closed
    // descriptor can become that of another file.
    uint64_t device, inode;
    size_t max_bytes;  // whole pages; 0 if the object was imported and the system does not tell
    bool is_file;      // made by vmem_object_from_file()
} VmemObject;

// What nobody can do any more with an object. Flags, which are combined with |.
typedef enum VmemSeal VMEM__AS_INT {
    VMEM_SEAL_SIZE = 1,    // shrink it
    VMEM_SEAL_WRITERS = 2  // write to it, but through mappings that exist already
} VmemSeal;
#undef VMEM__AS_INT

// What this system supports, and how it differs from others. Unsupported functions return VMEM_ERROR_UNSUPPORTED.
typedef struct VmemCapabilities {
    const char* system;            // "Linux", "macOS", "Windows", "FreeBSD", "OpenBSD", "NetBSD" or "other"
    bool can_reserve;              // reserve, commit, decommit, protect, discard, prefault and lock
    bool can_count_resident;       // vmem_count_resident()
    bool can_advise_huge_pages;    // vmem_advise_huge_pages(), if the kernel is configured for it
    bool can_set_name;             // vmem_set_name(), if the kernel is configured for it
    bool can_query;                // vmem_query()
    bool tells_available_memory;   // vmem_get_memory_info() reports more than the total
    bool tells_mapping_limit;      // vmem_get_limits() reports the mapping limit
    bool commit_is_a_promise;      // committed memory exists when it is touched: the system never overcommits
    bool calls_span_reservations;  // one call may cover parts of two adjacent reservations; not with VMEM_DEBUG
    bool discard_can_lose_commit;  // a failed vmem_discard() leaves the pages decommitted
    bool discard_unlocks;          // vmem_discard() unlocks its pages
    bool can_lock_on_fault;        // vmem_lock_on_fault()
    bool can_advise_fork;          // vmem_advise_fork(), on macOS without VMEM_FORK_ZERO
    bool can_advise_dump;          // vmem_advise_dump()
    bool can_share;                // objects: create, map, commit, import and export
    bool can_seal;                 // vmem_object_seal() with VMEM_SEAL_SIZE
    bool can_seal_writers;         // vmem_object_seal() with VMEM_SEAL_WRITERS
    bool can_map_mirrored;         // vmem_object_map_mirrored()
    bool can_map_files;            // vmem_object_from_file() and vmem_object_flush()
    bool object_size_is_exact;     // vmem_object_size() is the end of what was committed, not the maximum
    bool can_make_private;         // vmem_object_make_private()
} VmemCapabilities;

// A limit that is not set, or that the system does not have.
#define VMEM_UNLIMITED UINT64_MAX

// The limits that can make a call fail, and how much of each is in use. Sizes are in bytes. Where the system does not
// report them, a limit is VMEM_UNLIMITED and what is in use is 0.
typedef struct VmemLimits {
    uint64_t address_space_limit;  // addresses this process may have (RLIMIT_AS)
    uint64_t address_space_used;
    uint64_t data_limit;  // private writable memory this process may have (RLIMIT_DATA)
    uint64_t data_used;
    uint64_t commit_limit;  // memory all processes together may commit, where the system enforces that
    uint64_t commit_used;
    uint64_t largest_commit;  // memory that one call may commit
    uint64_t mapping_limit;   // mappings this process may have (vm.max_map_count)
    uint64_t mapping_used;
    uint64_t lock_limit;  // memory this process may lock, unless it is privileged (RLIMIT_MEMLOCK)
    uint64_t lock_used;
} VmemLimits;

// The memory of the machine, in bytes; 0 where the system does not report it.
typedef struct VmemMemoryInfo {
    uint64_t total;      // physical memory
    uint64_t available;  // physical memory that can be used without swapping
} VmemMemoryInfo;

// The addresses of this process, in bytes.
typedef struct VmemAddressSpace {
    uint64_t total;  // addresses that the system has for a process like this one
    uint64_t used;   // reserved or committed; 0 where the system does not report it
    uint64_t limit;  // addresses this process may have (RLIMIT_AS); VMEM_UNLIMITED where there is no limit
} VmemAddressSpace;

// >>api ---------------------------------------------------------------------------------------------------------------

// Reserve a range of addresses without committing any of it.
//   num_bytes       in bytes, > 0; the system rounds it up to whole pages
//   returns         the first address, a multiple of vmem_get_allocation_granularity(); NULL on failure
//   fails           zero or too many bytes, no free addresses, address space limit, mapping limit. Some systems call a
//                   size that they cannot provide invalid: errno can be EINVAL then
//   threads         safe
//   systems         mmap(PROT_NONE), on Linux with madvise(MADV_DONTDUMP); VirtualAlloc(MEM_RESERVE, PAGE_NOACCESS)
VMEM_API void* vmem_reserve(size_t num_bytes);

// Reserve a range of addresses whose first one is a multiple of `align`.
//   num_bytes       in bytes, > 0; the system rounds it up to whole pages
//   align           in bytes, a power of two > 0; has no effect below the allocation granularity
//   returns         the first address; NULL on failure
//   fails           as vmem_reserve(), or `align` is not a power of two; most POSIX systems need num_bytes + align free
//                   addresses
//   threads         safe
//   systems         mmap of num_bytes + align, both ends unmapped; FreeBSD and NetBSD: mmap(MAP_ALIGNED); Windows:
//                   VirtualAlloc2, or else VirtualAlloc, repeated when another thread takes the addresses
VMEM_API void* vmem_reserve_aligned(size_t num_bytes, size_t align);

// Release a whole reservation: its addresses and all memory in it.
//   ptr                 what vmem_reserve() or vmem_reserve_aligned() returned
//   num_reserved_bytes  the size that was passed to it
//   fails               VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit); nothing is released then
//   threads             safe, when no other thread uses the range
//   systems             munmap; VirtualFree(MEM_RELEASE)
VMEM_API VmemResult vmem_release(void* ptr, size_t num_reserved_bytes);

// Commit the pages that hold one or more bytes of [ptr, ptr + num_bytes): readable, writable, zero when fresh.
//   ptr, num_bytes  inside one reservation; num_bytes in bytes, > 0; need not be aligned
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (commit limit, data limit, mapping limit).
//                   Pages that were committed before keep their contents; some of the others may be committed then
//   threads         safe on disjoint pages
//   systems         mprotect, on Linux with madvise(MADV_DODUMP); VirtualAlloc(MEM_COMMIT)
VMEM_API VmemResult vmem_commit(void* ptr, size_t num_bytes);

// Decommit the pages that hold one or more bytes of [ptr, ptr + num_bytes): contents gone, memory and charge returned.
//   ptr, num_bytes  inside one reservation; num_bytes in bytes, > 0; need not be aligned
//   fails           VMEM_ERROR_INVALID_ARGUMENT. VMEM_DECOMMIT_INCOMPLETE on Linux, at the mapping limit or a lowered
//                   RLIMIT_AS: contents and memory are gone and the pages can be committed again, but the commit charge
//                   and locks remain, and accessing the pages may not fault. VMEM_ERROR_OUT_OF_MEMORY on other systems
//   threads         safe on disjoint pages
//   systems         mmap(MAP_FIXED, PROT_NONE), on Linux with madvise(MADV_DONTDUMP); VirtualFree(MEM_DECOMMIT)
VMEM_API VmemResult vmem_decommit(void* ptr, size_t num_bytes);

// Change the access to the pages that hold one or more bytes of [ptr, ptr + num_bytes). Taking write access away can end
// the commit charge (Linux ends that of pages that were never written): granting it again can then be refused.
//   ptr, num_bytes  committed, inside one reservation; num_bytes in bytes, > 0
//   protection      one of the six; a processor that cannot separate two kinds of access grants both, so that execute
//                   may include read
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_ACCESS_DENIED (a policy against writable code),
//                   VMEM_ERROR_OUT_OF_MEMORY (mapping limit, and for write access commit limit and data limit; some of
//                   the pages may have changed)
//   threads         safe on disjoint pages
//   systems         mprotect; VirtualProtect
VMEM_API VmemResult vmem_protect(void* ptr, size_t num_bytes, VmemProtection protection);

// Make the processor execute the instructions that were written to [ptr, ptr + num_bytes), not what was there before:
// after writing them, before jumping to them. x86 does that itself; arm64 and others keep stale instructions in a cache.
//   ptr, num_bytes  committed, with read access, inside one reservation; num_bytes in bytes, > 0; need not be aligned
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_UNSUPPORTED
//   threads         safe. It is for all processors, but a thread that is inside the range while it is written is not
//                   stopped
//   systems         __builtin___clear_cache, which is nothing on x86; macOS: sys_icache_invalidate; Windows:
//                   FlushInstructionCache; unsupported by other compilers
VMEM_API VmemResult vmem_flush_instruction_cache(void* ptr, size_t num_bytes);

// Drop the contents of the pages that hold one or more bytes of [ptr, ptr + num_bytes): they stay committed, read zero,
// and take no physical memory until they are touched again.
//   ptr, num_bytes  committed, readable and writable, inside one reservation; num_bytes in bytes, > 0
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also for locked pages before Linux 5.18 and on emulators that cannot
//                   discard them), VMEM_ERROR_OUT_OF_MEMORY (with VmemCapabilities.discard_can_lose_commit the pages are
//                   decommitted then)
//   threads         safe on disjoint pages
//   systems         Linux: madvise(MADV_DONTNEED), locked pages too; other POSIX, and Linux where madvise is denied or
//                   does nothing: mmap(MAP_FIXED), which unlocks, and mprotect; Windows: VirtualFree(MEM_DECOMMIT) and
//                   VirtualAlloc(MEM_COMMIT)
VMEM_API VmemResult vmem_discard(void* ptr, size_t num_bytes);

// Give the pages that hold one or more bytes of [ptr, ptr + num_bytes) physical memory now, not when they are touched.
//   ptr, num_bytes  committed, readable and writable, inside one reservation; num_bytes in bytes, > 0
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY. Contents never change
//   threads         safe, also on the same pages
//   systems         Linux 5.14: madvise(MADV_POPULATE_WRITE), where it populates; else one access per page
VMEM_API VmemResult vmem_prefault(void* ptr, size_t num_bytes);

// Keep the pages that hold one or more bytes of [ptr, ptr + num_bytes) in physical memory, out of swap.
//   ptr, num_bytes  committed, with access, inside one reservation; num_bytes in bytes, > 0
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (RLIMIT_MEMLOCK, working set quota),
//                   VMEM_ERROR_ACCESS_DENIED (RLIMIT_MEMLOCK is 0). Some of the pages may be locked then
//   threads         safe on disjoint pages
//   systems         mlock; VirtualLock. Locks do not nest: one unlock ends all of them, and so does decommitting
VMEM_API VmemResult vmem_lock(void* ptr, size_t num_bytes);

// Lock the pages that hold one or more bytes of [ptr, ptr + num_bytes) as vmem_lock() does, but each one only when it
// gets physical memory, which is when it is touched.
//   ptr, num_bytes  committed, with access, inside one reservation; num_bytes in bytes, > 0
//   fails           as vmem_lock(), or VMEM_ERROR_UNSUPPORTED. RLIMIT_MEMLOCK applies to all of the pages
//   threads         safe on disjoint pages
//   systems         Linux 4.4: mlock2(MLOCK_ONFAULT); elsewhere unsupported
VMEM_API VmemResult vmem_lock_on_fault(void* ptr, size_t num_bytes);

// Unlock the pages that hold one or more bytes of [ptr, ptr + num_bytes). It is not an error if they are not locked.
//   ptr, num_bytes  committed, inside one reservation; num_bytes in bytes, > 0
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit)
//   threads         safe on disjoint pages
//   systems         munlock; VirtualUnlock
VMEM_API VmemResult vmem_unlock(void* ptr, size_t num_bytes);

// Advise the system to use huge pages for [ptr, ptr + num_bytes). It uses them only where a whole one fits: align both
// ends to vmem_get_huge_page_size(). Decommitting removes the advice.
//   ptr, num_bytes  inside one reservation; num_bytes in bytes, > 0
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit), VMEM_ERROR_UNSUPPORTED
//   threads         safe on disjoint pages
//   systems         Linux: madvise(MADV_HUGEPAGE); elsewhere unsupported
VMEM_API VmemResult vmem_advise_huge_pages(void* ptr, size_t num_bytes);

// Choose what child processes that are forked from now on get of the pages that hold one or more bytes of
// [ptr, ptr + num_bytes). Decommitting removes the advice.
//   ptr, num_bytes  inside one reservation; num_bytes in bytes, > 0
//   inheritance     one of the three
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit), VMEM_ERROR_UNSUPPORTED
//   threads         safe on disjoint pages
//   systems         Linux: madvise(MADV_DONTFORK), from 4.14 on MADV_WIPEONFORK; FreeBSD, NetBSD, OpenBSD: minherit;
//                   macOS: vm_inherit, which has no zero; elsewhere unsupported
VMEM_API VmemResult vmem_advise_fork(void* ptr, size_t num_bytes, VmemFork inheritance);

// Choose whether core dumps contain the pages that hold one or more bytes of [ptr, ptr + num_bytes). Committed pages are
// dumped unless this says otherwise. Committing, also of pages that are committed, and decommitting remove the advice.
//   ptr, num_bytes  committed, inside one reservation; num_bytes in bytes, > 0
//   is_dumped       whether they are contained
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit), VMEM_ERROR_UNSUPPORTED
//   threads         safe on disjoint pages
//   systems         Linux 3.4: madvise(MADV_DONTDUMP); FreeBSD: madvise(MADV_NOCORE); elsewhere unsupported
VMEM_API VmemResult vmem_advise_dump(void* ptr, size_t num_bytes, bool is_dumped);

// Name the pages that hold one or more bytes of [ptr, ptr + num_bytes) in the system's list of mappings. Decommitting
// removes the name.
//   ptr, num_bytes  inside one reservation; num_bytes in bytes, > 0
//   name            up to 79 printable ASCII characters without [ ] \ $ `; NULL removes the name. It is copied, except
//                   by older kernels of Android, which keep the pointer
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit), VMEM_ERROR_UNSUPPORTED
//   threads         safe on disjoint pages
//   systems         Linux 5.17, if configured: shown as [anon:name] in /proc/self/maps; elsewhere unsupported
VMEM_API VmemResult vmem_set_name(void* ptr, size_t num_bytes, const char* name);

// Make an object, which can grow to `max_bytes`. No other process can find it by a name.
//   object          receives the object; unchanged on failure
//   max_bytes       in bytes, > 0; rounded up to whole pages
//   name            shown in the system's list of mappings where it can be; as for vmem_set_name(), or NULL
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY, VMEM_ERROR_ACCESS_DENIED,
//                   VMEM_ERROR_UNSUPPORTED, VMEM_ERROR_SYSTEM (no free descriptors)
//   threads         safe
//   systems         Linux 3.17: memfd_create(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL); other POSIX:
//                   shm_open(O_CREAT | O_EXCL), again to read it, shm_unlink and ftruncate: the name stays behind if
//                   the process is killed in between; CreateFileMapping(SEC_RESERVE)
VMEM_API VmemResult vmem_object_create(VmemObject* object, size_t max_bytes, const char* name);

// Make an object of a file, which its mappings show and write to. What others truncate is a fault when it is accessed.
//   object          receives the object; unchanged on failure
//   file            a descriptor or HANDLE of a regular file, which is duplicated: the caller closes it. Access to
//                   mappings is what it was opened for, which must include reading
//   max_bytes       in bytes, > 0; rounded up to whole pages: how far it can be mapped and grow
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also for what is not a regular file), VMEM_ERROR_UNSUPPORTED,
//                   VMEM_ERROR_SYSTEM
//   threads         safe
//   systems         fcntl(F_DUPFD_CLOEXEC); DuplicateHandle
VMEM_API VmemResult vmem_object_from_file(VmemObject* object, intptr_t file, size_t max_bytes);

// Make an object of the handle that vmem_object_export() returned in this or another process.
//   object          receives the object; unchanged on failure. Its `max_bytes` is 0 on Linux, which does not tell
//   handle          is duplicated: the caller closes it
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also for what is not the memory of an object, as far as the system
//                   tells), VMEM_ERROR_UNSUPPORTED, VMEM_ERROR_SYSTEM
//   threads         safe
//   systems         fcntl(F_DUPFD_CLOEXEC), on Linux with F_GET_SEALS and fstatfs; DuplicateHandle and a view
VMEM_API VmemResult vmem_object_import(VmemObject* object, intptr_t handle);

// Make another handle of an object, to give it to another process. Started programs do not inherit it.
//   writable        whether it can write, where the object's own can. One that cannot is a guard against accidents: the
//                   same user may open it again, or duplicate it with more access. VMEM_SEAL_WRITERS is a guard against
//                   everybody
//   handle          receives a descriptor or HANDLE, which the caller closes; unchanged on failure
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_UNSUPPORTED (a reader of memory that was imported with
//                   write access, on POSIX systems other than Linux), VMEM_ERROR_SYSTEM (no free descriptors, no /proc)
//   threads         safe
//   systems         fcntl(F_DUPFD_CLOEXEC), on Linux open of /proc/self/fd for a reader of what is not sealed;
//                   DuplicateHandle
VMEM_API VmemResult vmem_object_export(const VmemObject* object, bool writable, intptr_t* handle);

// Close an object. Its mappings stay.
//   object          its handle becomes -1; unchanged on failure
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also if the descriptor stands for something else now, which stays
//                   open: Windows cannot tell), VMEM_ERROR_SYSTEM
//   threads         safe, when no other thread uses the object
//   systems         close; CloseHandle
VMEM_API VmemResult vmem_object_close(VmemObject* object);

// Get how much of an object can be accessed, from its start: the end of what any process committed, or the size of a
// file.
//   num_bytes       receives a number of bytes. Without VmemCapabilities.object_size_is_exact that of memory is the
//                   maximum; on Windows it ends at the first page that is not committed
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (Windows: no addresses for a view),
//                   VMEM_ERROR_UNSUPPORTED
//   threads         safe; other threads and processes may have changed the answer by the time it is returned
//   systems         fstat, on Linux statx; VirtualQuery in a view, which takes longer the more is committed
VMEM_API VmemResult vmem_object_size(const VmemObject* object, size_t* num_bytes);

// Give memory to the pages of an object that hold one or more bytes of [offset, offset + num_bytes). Those that had
// none read zero; the others keep their contents. If the object ends before, it grows: its size is whole pages.
//   offset, num_bytes  within the maximum; num_bytes in bytes, > 0; need not be aligned
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (commit limit, full tmpfs or disk,
//                   RLIMIT_FSIZE, whose signal SIGXFSZ must be ignored), VMEM_ERROR_ACCESS_DENIED (a handle that cannot
//                   write), VMEM_ERROR_UNSUPPORTED (also by some file systems). Nothing changes then
//   threads         safe. A signal does not interrupt it: its handler runs before or after
//   systems         Linux: fallocate; Windows: VirtualAlloc(MEM_COMMIT) in a view, SetEndOfFile of a file; other POSIX:
//                   nothing, but files grow by posix_fallocate or ftruncate. A file is truncated again if that fails.
//                   Where blocks are not reserved, a full disk is a fault when the pages are accessed
VMEM_API VmemResult vmem_object_commit(const VmemObject* object, size_t offset, size_t num_bytes);

// Keep everybody from shrinking an object, or from writing to it, for good. No other seals can be added then, which
// could keep it from growing. Mappings that exist already keep their access, and can still get the access that they
// could have had: who writes maps before sealing.
//   seals           VMEM_SEAL_SIZE, VMEM_SEAL_WRITERS or both with |. Before Linux 5.1 both together are the first
//                   alone: vmem_object_get_seals() tells
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_ACCESS_DENIED (sealed before, or a handle that cannot
//                   write), VMEM_ERROR_UNSUPPORTED (also for files)
//   threads         safe
//   systems         Linux: fcntl(F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE); elsewhere unsupported
VMEM_API VmemResult vmem_object_seal(const VmemObject* object, unsigned seals);

// Get what an object is sealed against, for good: seals only count once nobody can add others.
//   seals           receives VMEM_SEAL_ flags; 0 where there are none
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_UNSUPPORTED
//   threads         safe
//   systems         Linux: fcntl(F_GET_SEALS); elsewhere unsupported
VMEM_API VmemResult vmem_object_get_seals(const VmemObject* object, unsigned* seals);

// Copy bytes of an object, which need not be mapped for that.
//   buffer          receives the bytes; undefined on failure
//   num_bytes, offset  within what vmem_object_size() tells; num_bytes in bytes, > 0; need not be aligned
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also for what is past the end), VMEM_ERROR_OUT_OF_MEMORY (no addresses to
//                   map it), VMEM_ERROR_UNSUPPORTED, VMEM_ERROR_ACCESS_DENIED, VMEM_ERROR_SYSTEM
//   threads         safe; what others write at the same time is seen or not, byte by byte
//   systems         Linux: preadv, which is a failure where a mapping faults; elsewhere a mapping for the time of the call
VMEM_API VmemResult vmem_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset);

// Map a part of an object at free addresses. It may be larger than the object is now. What a file gains is in it at
// once, on Windows by vmem_object_resize_mapped().
//   num_bytes       in bytes, > 0; rounded up to whole pages
//   offset          in bytes, of the first byte, a multiple of vmem_get_allocation_granularity()
//   protection      one of the six. With VMEM_NO_ACCESS vmem_protect() can grant reading and writing later; on Windows
//                   pages that are committed later have access, and none is executable
//   returns         the first address, a multiple of vmem_get_allocation_granularity(); NULL on failure
//   fails           an invalid argument, the handle or a seal does not allow that access (EACCES, EPERM), no free
//                   addresses, address space limit, mapping limit
//   threads         safe
//   systems         mmap(MAP_SHARED), on Linux with madvise(MADV_DONTDUMP); MapViewOfFile, for a file as
//                   vmem_object_resize_mapped()
VMEM_API void* vmem_object_map(const VmemObject* object, size_t num_bytes, size_t offset, VmemProtection protection);

// Map a part of an object at free addresses of which the first one is a multiple of `align`.
//   num_bytes, offset, protection  as for vmem_object_map()
//   align           in bytes, a power of two > 0; has no effect below the allocation granularity
//   returns         the first address; NULL on failure
//   fails           as vmem_object_map() and vmem_reserve_aligned()
//   threads         safe
//   systems         as vmem_reserve_aligned(), and in its place mmap(MAP_SHARED | MAP_FIXED); Windows: MapViewOfFileEx
//                   at addresses found free, repeated when another thread takes them
VMEM_API void* vmem_object_map_aligned(const VmemObject* object, size_t num_bytes, size_t offset,
                                       VmemProtection protection, size_t align);

// Unmap what vmem_object_map() or vmem_object_map_aligned() mapped. The object keeps its memory.
//   ptr             what it returned
//   num_bytes       the size that was passed to it
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit); nothing is unmapped then
//   threads         safe, when no other thread uses the range
//   systems         munmap; UnmapViewOfFile
VMEM_API VmemResult vmem_object_unmap(void* ptr, size_t num_bytes);

// Map an object up to some byte, and after that its last bytes once more: with `ring = ptr + num_head_bytes`, ring[i] and
// ring[num_bytes + i] are the same byte, so that what wraps around at the end can be accessed in one piece. The head has
// room for what belongs to the ring, such as how far it is written, without a mapping of its own.
//   num_bytes       in bytes, > 0, a multiple of vmem_get_allocation_granularity(): what is mapped twice
//   num_head_bytes  in bytes, 0 or such a multiple: what comes before that in the object, and is mapped once
//   protection      VMEM_READ or VMEM_READ_WRITE
//   returns         the first address; NULL on failure
//   fails           as vmem_object_map()
//   threads         safe
//   systems         mmap of all addresses, and two of mmap(MAP_SHARED | MAP_FIXED); Windows 10: MapViewOfFile3 into
//                   placeholders of VirtualAlloc2, before MapViewOfFileEx, repeated when another thread takes the
//                   addresses
VMEM_API void* vmem_object_map_mirrored(const VmemObject* object, size_t num_bytes, size_t num_head_bytes,
                                        VmemProtection protection);

// Unmap what vmem_object_map_mirrored() mapped.
//   ptr             what it returned
//   num_bytes, num_head_bytes  the sizes that were passed to it
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit)
//   threads         safe, when no other thread uses the range
//   systems         munmap; UnmapViewOfFile
VMEM_API VmemResult vmem_object_unmap_mirrored(void* ptr, size_t num_bytes, size_t num_head_bytes);

// Replace a part of a mapping, in place, by pages that are readable and writable and read as the object does, until
// this process writes to them: that changes a copy of its own. For a forked child that must not write to what its
// parent has. What others write is seen or not, page by page. Accessing pages past the end of the object stays a fault.
//   ptr, num_bytes  inside one mapping of the object; ptr the start of a page; num_bytes in bytes, > 0, rounded up
//   offset          of `ptr` in the object, in bytes, a multiple of the page size
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (mapping limit, data limit),
//                   VMEM_ERROR_UNSUPPORTED. The pages still show the object then
//   threads         safe, when no other thread uses the range
//   systems         Linux: mmap(MAP_FIXED | MAP_PRIVATE | MAP_NORESERVE); BSD: mmap(MAP_FIXED | MAP_PRIVATE); elsewhere
//                   unsupported: macOS maps memory only as shared
VMEM_API VmemResult vmem_object_make_private(const VmemObject* object, void* ptr, size_t num_bytes, size_t offset);

// Write the pages of a file that hold one or more bytes of [ptr, ptr + num_bytes) where others see them.
//   ptr, num_bytes  inside one mapping of the object; num_bytes in bytes, > 0
//   durable         whether to wait until the disk has them, and the size of the file; else other readers of the file
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (full disk), VMEM_ERROR_UNSUPPORTED,
//                   VMEM_ERROR_SYSTEM (a disk that fails)
//   threads         safe
//   systems         Linux: fdatasync, of the whole file; macOS: msync and fcntl(F_FULLFSYNC), or fsync where there is
//                   none; BSD: msync and fsync; Windows: FlushViewOfFile and FlushFileBuffers. Nothing if it need not
//                   be durable, but on Windows and OpenBSD the first of these
VMEM_API VmemResult vmem_object_flush(const VmemObject* object, void* ptr, size_t num_bytes, bool durable);

// Copy bytes into a file, in one call of the system where its size allows: if the process is killed, all or nothing of
// less than a page is written.
//   buffer          the bytes
//   num_bytes, offset  within the maximum, in bytes; num_bytes > 0. Past the end the file grows
//   min_size        in bytes: nothing is written to a file that is shorter, as others can have made it; 0 for any size
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also for what is not a file, and for one that is shorter),
//                   VMEM_ERROR_OUT_OF_MEMORY (full disk), VMEM_ERROR_ACCESS_DENIED (a descriptor that cannot write),
//                   VMEM_ERROR_UNSUPPORTED, VMEM_ERROR_SYSTEM
//   threads         safe; others see it byte by byte
//   systems         Linux: pwritev; other POSIX: pwrite; WriteFile
VMEM_API VmemResult vmem_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                      size_t min_size);

// Set the size of a file. What is added reads zero, and is given blocks of the disk, so that a disk that is full is found
// out here. What is cut off is a fault when it is accessed, but for the rest of the last page, which reads zero later.
//   num_bytes       within the maximum, in bytes, which need not be whole pages
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also for what is not a file), VMEM_ERROR_OUT_OF_MEMORY (full disk,
//                   RLIMIT_FSIZE, whose signal SIGXFSZ must be ignored), VMEM_ERROR_ACCESS_DENIED (a descriptor that
//                   cannot write), VMEM_ERROR_UNSUPPORTED (Windows: a file becomes no shorter while anybody maps it),
//                   VMEM_ERROR_SYSTEM. The size is the old one then
//   threads         safe, when no other thread sets the size
//   systems         Linux: fallocate, or writing zeros where the file system has none; other POSIX: as
//                   vmem_object_commit(); ftruncate; SetFileInformationByHandle
VMEM_API VmemResult vmem_object_resize(const VmemObject* object, size_t num_bytes);

// Set the size of a file, and let a mapping of it show what it has then, also what others have added.
//   ptr             what vmem_object_map() or vmem_object_map_aligned() returned for an offset of 0
//   num_mapped_bytes  the size that was passed to it; receives the size of the mapping from now on. On Windows it ends
//                   earlier where another thread took its addresses, and with 0 there is none
//   protection      that of the mapping
//   num_bytes       as for vmem_object_resize(), or SIZE_MAX for the size that the file has, which needs no access to it
//   fails           as vmem_object_resize() and vmem_object_map(). What cannot be mapped is in the file all the same
//   threads         safe, when no other thread sets the size. On Windows no other one may use what is after the last
//                   multiple of vmem_get_allocation_granularity() in the old file while it grows, nor any of the mapping
//                   while it becomes shorter
//   systems         as vmem_object_resize(). Windows, also: reserved addresses, and a view in them for each growth, by
//                   MapViewOfFile3, before Windows 10 MapViewOfFileEx; all of them are mapped again to become shorter
VMEM_API VmemResult vmem_object_resize_mapped(const VmemObject* object, void* ptr, size_t* num_mapped_bytes,
                                              VmemProtection protection, size_t num_bytes);

// Tell who asks vmem_object_get_published() that a file is being written, and how much of it is ready to be read. That
// ends with the descriptors of the object, also when the process is killed. There is one writer: the caller sees to it.
//   before          what this published last; SIZE_MAX in the first call
//   num_bytes       in bytes, not less than that; SIZE_MAX says that it is not being written any more, and also ends a
//                   lock of flock(), which would else last as long as the mappings
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_UNSUPPORTED (also by some file systems), VMEM_ERROR_SYSTEM,
//                   VMEM_ERROR_ACCESS_DENIED (another lock is there, maybe for a moment vmem_object_get_published()'s)
//   threads         safe, when no other thread uses the object
//   systems         Linux 3.15: fcntl(F_OFD_SETLK) for a write lock of all bytes from there on; Windows: a section of the
//                   session with a name that the file tells; elsewhere unsupported, but for SIZE_MAX
VMEM_API VmemResult vmem_object_publish(VmemObject* object, size_t before, size_t num_bytes);

// Get how much of a file is ready to be read: what its writer has published, or all of it if nobody writes it.
//   object          not what publishes, whose locks it would end, but what was opened apart from that
//   num_bytes       receives a number of bytes, within the size of the file
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_UNSUPPORTED, VMEM_ERROR_SYSTEM
//   threads         safe, when no other thread uses the object
//   systems         Linux 3.15: fcntl(F_OFD_GETLK), and a read lock for the time of the call; Windows: that section, which
//                   stays open as long as the object; elsewhere unsupported
VMEM_API VmemResult vmem_object_get_published(VmemObject* object, size_t* num_bytes);

// Count the bytes in physical memory, of the pages that hold one or more bytes of [ptr, ptr + num_bytes).
//   ptr, num_bytes  inside one reservation; num_bytes in bytes, > 0
//   num_resident    receives a number of bytes, a multiple of the page size; unchanged on failure
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_OUT_OF_MEMORY (addresses that are not reserved),
//                   VMEM_ERROR_UNSUPPORTED (OpenBSD, Windows before 7 and others have no such call)
//   threads         safe; other threads may have changed the answer by the time it is returned
//   systems         mincore; QueryWorkingSetEx
VMEM_API VmemResult vmem_count_resident(const void* ptr, size_t num_bytes, size_t* num_resident);

// Find the run of pages with equal properties that holds `ptr`. The run next to it can have the same properties, where
// the system keeps the two apart. A run of free pages begins at the page of `ptr`.
//   ptr             any address of the process
//   range           receives the answer. For addresses that vmem did not reserve it is what the system reports
//   fails           VMEM_ERROR_INVALID_ARGUMENT, VMEM_ERROR_UNSUPPORTED, VMEM_ERROR_SYSTEM (/proc cannot be read)
//   threads         safe; other threads may have changed the answer by the time it is returned
//   systems         Linux 6.11: PROCMAP_QUERY, before /proc/self/maps; macOS: vm_region_64; VirtualQuery
VMEM_API VmemResult vmem_query(const void* ptr, VmemRange* range);

// Get what this system supports.
//   fails           never
//   threads         safe
//   systems         all
VMEM_API VmemCapabilities vmem_get_capabilities(void);

// Get the size of a page in bytes, a power of two: the unit of committing.
//   fails           never
//   threads         safe
//   systems         sysconf(_SC_PAGESIZE); GetSystemInfo
VMEM_API size_t vmem_get_page_size(void);

// Get the allocation granularity in bytes, a power of two: reservations begin at its multiples. It is 64 KiB on Windows
// and the page size elsewhere.
//   fails           never
//   threads         safe
//   systems         sysconf(_SC_PAGESIZE); GetSystemInfo
VMEM_API size_t vmem_get_allocation_granularity(void);

// Get the size in bytes of the huge pages that this system can use for private memory; 0 where there are none.
//   fails           never
//   threads         safe
//   systems         Linux: /sys/kernel/mm/transparent_hugepage; elsewhere 0
VMEM_API size_t vmem_get_huge_page_size(void);

// Get how much memory this process may use: that of the machine, or less if a container or another control group limits
// it.
//   info            receives the answer; 0 where the system does not report it
//   fails           VMEM_ERROR_INVALID_ARGUMENT; errno is unchanged
//   threads         safe
//   systems         Linux: /proc/meminfo, limited by every control group above the process, of version 1 or 2;
//                   macOS: sysconf, host_statistics64; GlobalMemoryStatusEx; else sysconf, which reports only the total
VMEM_API VmemResult vmem_get_memory_info(VmemMemoryInfo* info);

// Get how many addresses this process has, to decide how many to reserve. Unlike vmem_get_limits() it takes little
// time, however many mappings there are.
//   space           receives the answer
//   fails           VMEM_ERROR_INVALID_ARGUMENT; errno is unchanged
//   threads         safe
//   systems         Linux: the top of the stack, /proc/self/statm, getrlimit; macOS: 2^47 where pointers have 64 bits,
//                   getrlimit; GlobalMemoryStatusEx; else the top of the stack, getrlimit
VMEM_API VmemResult vmem_get_address_space(VmemAddressSpace* space);

// Get the limits that can make the calls above fail, and what of each is in use: after a failure this tells which limit
// was reached. Counting mappings takes time in proportion to their number, about 25 ms for 60,000.
//   limits          receives the answer
//   fails           VMEM_ERROR_INVALID_ARGUMENT; errno is unchanged
//   threads         safe
//   systems         Linux: getrlimit and /proc, for everything; other POSIX: getrlimit, for the limits of addresses,
//                   data and locks, not for what is in use; Windows: GlobalMemoryStatusEx, for addresses and commits.
//                   Windows limits locks to the minimum working set, which is not reported
VMEM_API VmemResult vmem_get_limits(VmemLimits* limits);

// Round up to the first multiple of `align` at or above `address`; 0 if there is none.
//   align           a power of two > 0; for any other value the result is meaningless
//   fails           never
//   threads         safe
//   systems         all
VMEM_API uintptr_t vmem_align_forward(uintptr_t address, size_t align);

// Round down to the last multiple of `align` at or below `address`.
//   align           a power of two > 0; for any other value the result is meaningless
//   fails           never
//   threads         safe
//   systems         all
VMEM_API uintptr_t vmem_align_backward(uintptr_t address, size_t align);

// Tell whether `address` is a multiple of `align`.
//   align           a power of two > 0; for any other value the result is meaningless
//   fails           never
//   threads         safe
//   systems         all
VMEM_API bool vmem_is_aligned(uintptr_t address, size_t align);

// Get what a result means, as a sentence in English without a full stop.
//   result          any value, also one that is not a VmemResult
//   fails           never; the text is static
//   threads         safe
//   systems         all
VMEM_API const char* vmem_result_message(VmemResult result);

#ifdef __cplusplus
}
#endif

#endif  // VMEM_H

#if defined(VMEM_IMPLEMENTATION) && !defined(VMEM_IMPLEMENTATION_DONE)
#define VMEM_IMPLEMENTATION_DONE

#ifndef VMEM_FAIL
#define VMEM_FAIL(call) false
#endif

#if defined(VMEM_DEBUG) && !defined(VMEM_DEBUG_PRINT)
#include <stdio.h>
#define VMEM_DEBUG_PRINT(message) (void)fprintf(stderr, "%s\n", message)
#endif

// >>system ------------------------------------------------------------------------------------------------------------
//
// Which os block below is compiled, and the headers that it needs. Outside these two, no code depends on the system.

#if defined(_WIN32)
#define VMEM__WINDOWS 1
#elif defined(__linux__)
#define VMEM__LINUX 1
#elif defined(__APPLE__)
#define VMEM__MACOS 1
#elif defined(__unix__)
#define VMEM__BSD 1
#endif

#if defined(VMEM__LINUX) || defined(VMEM__MACOS) || defined(VMEM__BSD)
#define VMEM__POSIX 1
#endif

// Memory without a name is made by opening it by a name, which is removed.
#if defined(VMEM__MACOS) || defined(VMEM__BSD)
#define VMEM__USES_SHM_OPEN 1
#endif

#if defined(VMEM__WINDOWS)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif
#endif

#if defined(VMEM__POSIX)
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#if defined(VMEM__LINUX)
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

#if defined(VMEM_DEBUG)
#include <stdarg.h>
#include <string.h>
#endif

#if defined(VMEM_DEBUG) && defined(VMEM__POSIX)
#include <sched.h>
#endif

#if defined(VMEM__MACOS)
#include <libkern/OSCacheControl.h>
#include <mach/mach.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

// >>helpers -----------------------------------------------------------------------------------------------------------

// The pages that hold one or more bytes of a range.
typedef struct vmem__Pages {
    uintptr_t start;
    size_t size;
} vmem__Pages;

static bool vmem__is_power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

static void* vmem__pointer(uintptr_t address) { return (void*)address; }

#if defined(VMEM__WINDOWS) || defined(VMEM__POSIX)

// Writes to a byte without changing it, even while another thread writes to it.
#if defined(_MSC_VER) && !defined(__clang__)
static void vmem__touch_byte(volatile char* byte) { _InterlockedOr8(byte, 0); }
#else
static void vmem__touch_byte(volatile char* byte) {
    char zero = 0;  // a compare-exchange, because clang removes an atomic addition of zero
    __atomic_compare_exchange_n(byte, &zero, (char)0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
#endif

static void vmem__touch(void* ptr, size_t size, size_t page_size) {
    size_t offset;
    for (offset = 0; offset < size; offset += page_size) vmem__touch_byte((volatile char*)ptr + offset);
}

#endif

#if defined(VMEM_DEBUG)

// What the checks of VMEM_DEBUG need of the system and of the compiler.
#if defined(VMEM__WINDOWS)
#define VMEM__CAN_RESERVE true
typedef DWORD vmem__Error;
static vmem__Error vmem__get_error(void) { return GetLastError(); }
static void vmem__set_error(vmem__Error error) { SetLastError(error); }
static bool vmem__is_invalid(vmem__Error error) {
    return error == ERROR_INVALID_PARAMETER || error == ERROR_INVALID_HANDLE || error == ERROR_INVALID_ADDRESS;
}
static long vmem__process_id(void) { return (long)GetCurrentProcessId(); }
static void vmem__yield(void) { SwitchToThread(); }
#elif defined(VMEM__POSIX)
#define VMEM__CAN_RESERVE true
typedef int vmem__Error;
static vmem__Error vmem__get_error(void) { return errno; }
static void vmem__set_error(vmem__Error error) { errno = error; }
static bool vmem__is_invalid(vmem__Error error) { return error == EINVAL || error == EBADF; }
static long vmem__process_id(void) { return (long)getpid(); }
static void vmem__yield(void) { sched_yield(); }
#else
#define VMEM__CAN_RESERVE false
typedef int vmem__Error;
static vmem__Error vmem__get_error(void) { return 0; }
static void vmem__set_error(vmem__Error error) { (void)error; }
static bool vmem__is_invalid(vmem__Error error) { return (void)error, false; }
static long vmem__process_id(void) { return 1; }
static void vmem__yield(void) {}
#endif

// Writes a value if another one is there. Returns what was there.
#if defined(_MSC_VER) && !defined(__clang__)
static long vmem__compare_exchange(long* word, long expected, long value) {
    return _InterlockedCompareExchange((volatile long*)word, value, expected);
}
#else
static long vmem__compare_exchange(long* word, long expected, long value) {
    __atomic_compare_exchange_n(word, &expected, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return expected;
}
#endif

#endif  // VMEM_DEBUG

// >>os contract -------------------------------------------------------------------------------------------------------
//
// Every system defines all of these. Arguments have been checked: ranges are whole pages, sizes are > 0, alignments are
// powers of two above the granularity. A function that fails leaves errno or GetLastError() as the system call set it.

static size_t vmem__os_page_size(void);
static size_t vmem__os_allocation_granularity(void);
static size_t vmem__os_huge_page_size(void);
static void* vmem__os_reserve(size_t size);
static void* vmem__os_reserve_aligned(size_t size, size_t align);
static VmemResult vmem__os_release(void* ptr, size_t size);
static VmemResult vmem__os_commit(void* ptr, size_t size);
static VmemResult vmem__os_decommit(void* ptr, size_t size);
static VmemResult vmem__os_protect(void* ptr, size_t size, VmemProtection protection);
static VmemResult vmem__os_flush_instruction_cache(void* ptr, size_t num_bytes);  // need not be whole pages
static VmemResult vmem__os_discard(void* ptr, size_t size);
static VmemResult vmem__os_prefault(void* ptr, size_t size);
static VmemResult vmem__os_lock(void* ptr, size_t size);
static VmemResult vmem__os_lock_on_fault(void* ptr, size_t size);
static VmemResult vmem__os_unlock(void* ptr, size_t size);
static VmemResult vmem__os_advise_huge_pages(void* ptr, size_t size);
static VmemResult vmem__os_advise_fork(void* ptr, size_t size, VmemFork inheritance);
static VmemResult vmem__os_advise_dump(void* ptr, size_t size, bool is_dumped);
static VmemResult vmem__os_set_name(void* ptr, size_t size, const char* name);  // NULL or a valid name
static VmemResult vmem__os_count_resident(uintptr_t start, size_t size, size_t* num_resident);
static VmemResult vmem__os_query(uintptr_t address, VmemRange* range);  // the address is the start of a page

// Objects. Offsets and sizes are whole pages and within `max_bytes`, unless that is 0. What a function makes has its
// `max_bytes` before; a function that fails changes nothing in it. Each first checks that the object still is what it
// was when it was made, where that is possible.
static VmemResult vmem__os_object_create(VmemObject* object, const char* name);  // NULL or a valid name
static VmemResult vmem__os_object_from_file(VmemObject* object, intptr_t file);
static VmemResult vmem__os_object_import(VmemObject* object, intptr_t handle);
static VmemResult vmem__os_object_export(const VmemObject* object, bool writable, intptr_t* handle);
static VmemResult vmem__os_object_close(VmemObject* object);
static VmemResult vmem__os_object_size(const VmemObject* object, size_t* num_bytes);
static VmemResult vmem__os_object_commit(const VmemObject* object, size_t offset, size_t size);
static VmemResult vmem__os_object_seal(const VmemObject* object, unsigned seals);  // at least one
static VmemResult vmem__os_object_get_seals(const VmemObject* object, unsigned* seals);
static VmemResult vmem__os_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset);
static void* vmem__os_object_map(const VmemObject* object, size_t size, size_t offset, VmemProtection protection);
static void* vmem__os_object_map_aligned(const VmemObject* object, size_t size, size_t offset,
                                         VmemProtection protection, size_t align);
static VmemResult vmem__os_object_unmap(void* ptr, size_t size);
static void* vmem__os_object_map_mirrored(const VmemObject* object, size_t size, size_t head_size,
                                          VmemProtection protection);  // the size of one of the two, without the head
static VmemResult vmem__os_object_unmap_mirrored(void* ptr, size_t size, size_t head_size);
static VmemResult vmem__os_object_make_private(const VmemObject* object, void* ptr, size_t size, size_t offset);
static VmemResult vmem__os_object_flush(const VmemObject* object, void* ptr, size_t size, bool durable);
static VmemResult vmem__os_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                        size_t min_size);
static VmemResult vmem__os_object_resize(const VmemObject* object, size_t size);
static VmemResult vmem__os_object_resize_mapped(const VmemObject* object, void* ptr, size_t* size,
                                                VmemProtection protection, size_t num_bytes);
static VmemResult vmem__os_object_publish(VmemObject* object, size_t before, size_t num_bytes);
static VmemResult vmem__os_object_get_published(VmemObject* object, size_t* num_bytes);

// The structs are set to defaults before: "other", unsupported, unlimited, 0. A system sets what it knows.
static void vmem__os_get_capabilities(VmemCapabilities* capabilities);
static void vmem__os_get_memory_info(VmemMemoryInfo* info);
static void vmem__os_get_address_space(VmemAddressSpace* space);
static void vmem__os_get_limits(VmemLimits* limits);

// >>os windows --------------------------------------------------------------------------------------------------------

#if defined(VMEM__WINDOWS)

static void* vmem__windows_alloc(void* ptr, size_t size, DWORD kind, DWORD protection) {
    if (VMEM_FAIL("VirtualAlloc")) return NULL;
    return VirtualAlloc(ptr, size, kind, protection);
}

static bool vmem__windows_free(void* ptr, size_t size, DWORD kind) {
    if (VMEM_FAIL("VirtualFree")) return false;
    return VirtualFree(ptr, size, kind) != 0;
}

// How often an aligned reservation is attempted, if other threads take the addresses that it found free.
#define VMEM__RESERVE_ATTEMPTS 16

static VmemResult vmem__windows_last_result(void) {
    switch (GetLastError()) {
        case ERROR_NOT_ENOUGH_MEMORY:
        case ERROR_OUTOFMEMORY:
        case ERROR_COMMITMENT_LIMIT:
        case ERROR_COMMITMENT_MINIMUM:
        case ERROR_PAGEFILE_QUOTA:
        case ERROR_WORKING_SET_QUOTA:
        case ERROR_DISK_FULL:
        case ERROR_HANDLE_DISK_FULL: return VMEM_ERROR_OUT_OF_MEMORY;
        case ERROR_ACCESS_DENIED: return VMEM_ERROR_ACCESS_DENIED;
        case ERROR_INVALID_PARAMETER:
        case ERROR_INVALID_HANDLE:
        case ERROR_INVALID_ADDRESS: return VMEM_ERROR_INVALID_ARGUMENT;
        case ERROR_CALL_NOT_IMPLEMENTED:
        case ERROR_USER_MAPPED_FILE:
        case ERROR_NOT_SUPPORTED: return VMEM_ERROR_UNSUPPORTED;
        default: return VMEM_ERROR_SYSTEM;
    }
}

static size_t vmem__os_page_size(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

static size_t vmem__os_allocation_granularity(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwAllocationGranularity;
}

// Large pages of Windows need a privilege and cannot be reserved first and committed later.
static size_t vmem__os_huge_page_size(void) { return 0; }

static void* vmem__os_reserve(size_t size) { return vmem__windows_alloc(NULL, size, MEM_RESERVE, PAGE_NOACCESS); }

// Finds a function that some versions of Windows lack, and that SDKs do not declare to programs that support those. It
// is looked up at every call: threads would race on a variable that keeps it.
static FARPROC vmem__windows_find_function(const char* module_name, const char* name) {
    DWORD error = GetLastError();
    HMODULE module = VMEM_FAIL("GetModuleHandle") ? NULL : GetModuleHandleA(module_name);
    FARPROC function = !module || VMEM_FAIL("GetProcAddress") ? NULL : GetProcAddress(module, name);
    SetLastError(error);
    return function;
}

// MEM_ADDRESS_REQUIREMENTS and MEM_EXTENDED_PARAMETER, the parameters of VirtualAlloc2().
typedef struct vmem__AddressRequirements {
    void* lowest;
    void* highest;
    SIZE_T alignment;
} vmem__AddressRequirements;

typedef struct vmem__ExtendedParameter {
    uint64_t type;  // 1: the pointer is to address requirements
    union {
        uint64_t number;
        void* pointer;
    } value;
} vmem__ExtendedParameter;

typedef void*(WINAPI* vmem__VirtualAlloc2)(HANDLE, void*, SIZE_T, ULONG, ULONG, vmem__ExtendedParameter*, ULONG);

// Reserves more than needed, to find free addresses, releases it, and reserves the aligned part. If another thread took
// that part in between, it starts again.
static void* vmem__windows_reserve_aligned(size_t size, size_t align) {
    DWORD error = GetLastError();
    int attempt;
    for (attempt = 0; attempt < VMEM__RESERVE_ATTEMPTS; attempt++) {
        void* larger = vmem__windows_alloc(NULL, size + align, MEM_RESERVE, PAGE_NOACCESS);
        void* ptr;
        if (!larger || !vmem__windows_free(larger, 0, MEM_RELEASE)) return NULL;
        ptr = vmem__pointer(vmem_align_forward((uintptr_t)larger, align));
        ptr = vmem__windows_alloc(ptr, size, MEM_RESERVE, PAGE_NOACCESS);
        if (!ptr) continue;
        SetLastError(error);
        return ptr;
    }
    return NULL;
}

static vmem__VirtualAlloc2 vmem__windows_find_alloc2(void) {
    return (vmem__VirtualAlloc2)(void (*)(void))vmem__windows_find_function("kernelbase.dll", "VirtualAlloc2");
}

static void* vmem__windows_alloc2(vmem__VirtualAlloc2 virtual_alloc2, size_t size, DWORD kind, size_t align) {
    vmem__AddressRequirements requirements = {NULL, NULL, 0};
    vmem__ExtendedParameter parameter;
    requirements.alignment = align;
    parameter.type = 1;
    parameter.value.number = 0;
    parameter.value.pointer = &requirements;
    if (VMEM_FAIL("VirtualAlloc2")) return NULL;
    return virtual_alloc2(GetCurrentProcess(), NULL, size, kind, PAGE_NOACCESS, &parameter, 1);
}

static void* vmem__os_reserve_aligned(size_t size, size_t align) {
    vmem__VirtualAlloc2 virtual_alloc2 = vmem__windows_find_alloc2();
    if (virtual_alloc2) return vmem__windows_alloc2(virtual_alloc2, size, MEM_RESERVE, align);
    return vmem__windows_reserve_aligned(size, align);
}

static VmemResult vmem__os_release(void* ptr, size_t size) {
    (void)size;  // MEM_RELEASE requires a size of 0 and releases the whole reservation
    return vmem__windows_free(ptr, 0, MEM_RELEASE) ? VMEM_SUCCESS : vmem__windows_last_result();
}

static VmemResult vmem__os_commit(void* ptr, size_t size) {
    return vmem__windows_alloc(ptr, size, MEM_COMMIT, PAGE_READWRITE) ? VMEM_SUCCESS : vmem__windows_last_result();
}

static DWORD vmem__windows_protection(VmemProtection protection) {
    switch (protection) {
        case VMEM_READ: return PAGE_READONLY;
        case VMEM_READ_WRITE: return PAGE_READWRITE;
        case VMEM_EXECUTE: return PAGE_EXECUTE;
        case VMEM_READ_EXECUTE: return PAGE_EXECUTE_READ;
        case VMEM_READ_WRITE_EXECUTE: return PAGE_EXECUTE_READWRITE;
        case VMEM_NO_ACCESS:
        default: return PAGE_NOACCESS;
    }
}

// The size is never 0, with which VirtualFree() would decommit the whole reservation. MEM_DECOMMIT is kept out of the
// call because MSVC's analysis warns there (C6250) that the addresses stay reserved, as they should.
static VmemResult vmem__os_decommit(void* ptr, size_t size) {
    const DWORD decommit = MEM_DECOMMIT;
    return vmem__windows_free(ptr, size, decommit) ? VMEM_SUCCESS : vmem__windows_last_result();
}

static bool vmem__windows_query(uintptr_t address, MEMORY_BASIC_INFORMATION* info) {
    if (VMEM_FAIL("VirtualQuery")) return false;
    return VirtualQuery(vmem__pointer(address), info, sizeof *info) != 0;
}

static VmemResult vmem__windows_protect(void* ptr, size_t size, VmemProtection protection) {
    DWORD before;
    if (VMEM_FAIL("VirtualProtect")) return vmem__windows_last_result();
    return VirtualProtect(ptr, size, vmem__windows_protection(protection), &before) ? VMEM_SUCCESS
                                                                                    : vmem__windows_last_result();
}

// The system does that in one view at a time, and a mapping can have several.
static VmemResult vmem__os_protect(void* ptr, size_t size, VmemProtection protection) {
    DWORD error = GetLastError();
    VmemResult result = vmem__windows_protect(ptr, size, protection);
    MEMORY_BASIC_INFORMATION info;
    size_t done = result == VMEM_ERROR_INVALID_ARGUMENT ? 0 : size;
    while (done < size) {
        if (!vmem__windows_query((uintptr_t)ptr + done, &info)) return vmem__windows_last_result();
        if (info.RegionSize > size - done) info.RegionSize = size - done;
        if (info.Type != MEM_MAPPED) return VMEM_ERROR_INVALID_ARGUMENT;
        result = vmem__windows_protect((char*)ptr + done, info.RegionSize, protection);
        if (result != VMEM_SUCCESS) return result;
        done += info.RegionSize;
    }
    if (result == VMEM_SUCCESS) SetLastError(error);
    return result;
}

static VmemResult vmem__os_flush_instruction_cache(void* ptr, size_t num_bytes) {
    if (VMEM_FAIL("FlushInstructionCache")) return vmem__windows_last_result();
    return FlushInstructionCache(GetCurrentProcess(), ptr, num_bytes) ? VMEM_SUCCESS : vmem__windows_last_result();
}

static VmemResult vmem__os_discard(void* ptr, size_t size) {
    VmemResult result = vmem__os_decommit(ptr, size);
    return result == VMEM_SUCCESS ? vmem__os_commit(ptr, size) : result;
}

static VmemResult vmem__os_prefault(void* ptr, size_t size) {
    vmem__touch(ptr, size, vmem__os_page_size());
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_lock(void* ptr, size_t size) {
    if (VMEM_FAIL("VirtualLock")) return vmem__windows_last_result();
    return VirtualLock(ptr, size) ? VMEM_SUCCESS : vmem__windows_last_result();
}

static VmemResult vmem__os_unlock(void* ptr, size_t size) {
    DWORD error = GetLastError();
    if (!VMEM_FAIL("VirtualUnlock") && VirtualUnlock(ptr, size)) return VMEM_SUCCESS;
    if (GetLastError() != ERROR_NOT_LOCKED) return vmem__windows_last_result();
    SetLastError(error);
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_advise_huge_pages(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_set_name(void* ptr, size_t size, const char* name) {
    (void)ptr, (void)size, (void)name;
    return VMEM_ERROR_UNSUPPORTED;
}

// There is no fork.
static VmemResult vmem__os_advise_fork(void* ptr, size_t size, VmemFork inheritance) {
    (void)ptr, (void)size, (void)inheritance;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_advise_dump(void* ptr, size_t size, bool is_dumped) {
    (void)ptr, (void)size, (void)is_dumped;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_lock_on_fault(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

// PSAPI_WORKING_SET_EX_INFORMATION, the parameter of QueryWorkingSetEx().
typedef struct vmem__WorkingSetPage {
    void* address;
    ULONG_PTR flags;  // lowest bit: the page is in physical memory
} vmem__WorkingSetPage;

typedef BOOL(WINAPI* vmem__QueryWorkingSetEx)(HANDLE, void*, DWORD);

static VmemResult vmem__os_count_resident(uintptr_t start, size_t size, size_t* num_resident) {
    vmem__QueryWorkingSetEx query_working_set =
        (vmem__QueryWorkingSetEx)(void (*)(void))vmem__windows_find_function("kernel32.dll", "K32QueryWorkingSetEx");
    vmem__WorkingSetPage pages[64];
    size_t page_size = vmem__os_page_size(), num_pages = size / page_size, done = 0, resident = 0, i;
    if (!query_working_set) return VMEM_ERROR_UNSUPPORTED;
    while (done < num_pages) {
        size_t count = num_pages - done < 64 ? num_pages - done : 64;
        for (i = 0; i < count; i++) pages[i].address = vmem__pointer(start + (done + i) * page_size);
        if (VMEM_FAIL("QueryWorkingSetEx")) return vmem__windows_last_result();
        if (!query_working_set(GetCurrentProcess(), pages, (DWORD)(count * sizeof pages[0])))
            return vmem__windows_last_result();
        for (i = 0; i < count; i++) resident += (pages[i].flags & 1) ? page_size : 0;
        done += count;
    }
    *num_resident = resident;
    return VMEM_SUCCESS;
}

static VmemProtection vmem__windows_protection_of(DWORD protection) {
    switch (protection & 0xff) {
        case PAGE_READONLY: return VMEM_READ;
        case PAGE_READWRITE:
        case PAGE_WRITECOPY: return VMEM_READ_WRITE;
        case PAGE_EXECUTE: return VMEM_EXECUTE;
        case PAGE_EXECUTE_READ: return VMEM_READ_EXECUTE;
        case PAGE_EXECUTE_READWRITE:
        case PAGE_EXECUTE_WRITECOPY: return VMEM_READ_WRITE_EXECUTE;
        default: return VMEM_NO_ACCESS;
    }
}

static VmemResult vmem__os_query(uintptr_t address, VmemRange* range) {
    MEMORY_BASIC_INFORMATION info;
    uintptr_t start = address;
    if (!vmem__windows_query(address, &info)) return vmem__windows_last_result();
    // VirtualQuery() reports the rest of a run from the given page on. Its start is found from that of the reservation.
    if (info.State != MEM_FREE) start = (uintptr_t)info.AllocationBase;
    for (;;) {
        if (!vmem__windows_query(start, &info)) return vmem__windows_last_result();
        if (address - start < info.RegionSize) break;
        start += info.RegionSize;
    }
    range->base = info.BaseAddress;
    range->size = info.RegionSize;
    range->state = info.State == MEM_COMMIT ? VMEM_COMMITTED : info.State == MEM_RESERVE ? VMEM_RESERVED : VMEM_FREE;
    range->protection = info.State == MEM_COMMIT ? vmem__windows_protection_of(info.Protect) : VMEM_NO_ACCESS;
    return VMEM_SUCCESS;
}

// Objects of memory are sections, backed by the page file. Their pages get memory when they are committed in some view,
// which every view shows then. The handle of a file is that of the file: see vmem__windows_show().

#define VMEM__NO_HANDLE ((intptr_t)-1)

static HANDLE vmem__windows_handle(intptr_t handle) { return (HANDLE)handle; }

// A handle that was closed can be that of something else later, which cannot be detected. -1 is the handle of this
// process.
static bool vmem__windows_is_handle(intptr_t handle) {
    if (handle != 0 && handle != VMEM__NO_HANDLE) return true;
    SetLastError(ERROR_INVALID_HANDLE);
    return false;
}

static bool vmem__windows_close(intptr_t handle) {
    return !VMEM_FAIL("CloseHandle") && CloseHandle(vmem__windows_handle(handle)) != 0;
}

// For clean-up after a failure.
static void vmem__windows_close_quietly(intptr_t handle) {
    DWORD error = GetLastError();
    vmem__windows_close(handle);
    SetLastError(error);
}

// With an address of NULL it is mapped where there is space.
static char* vmem__windows_map(intptr_t handle, DWORD access, size_t offset, size_t size, void* address) {
    if (!vmem__windows_is_handle(handle) || VMEM_FAIL("MapViewOfFile")) return NULL;
    return (char*)MapViewOfFileEx(vmem__windows_handle(handle), access, (DWORD)((uint64_t)offset >> 32), (DWORD)offset,
                                  size, address);
}

static bool vmem__windows_unmap(void* ptr) { return !VMEM_FAIL("UnmapViewOfFile") && UnmapViewOfFile(ptr) != 0; }

static void vmem__windows_unmap_quietly(void* ptr) {
    DWORD error = GetLastError();
    vmem__windows_unmap(ptr);
    SetLastError(error);
}

static intptr_t vmem__windows_make_section(intptr_t file, DWORD protection, uint64_t size) {
    DWORD error = GetLastError();
    HANDLE handle = VMEM_FAIL("CreateFileMapping") ? NULL
                                                   : CreateFileMappingA(vmem__windows_handle(file), NULL, protection,
                                                                        (DWORD)(size >> 32), (DWORD)size, NULL);
    if (!handle) return VMEM__NO_HANDLE;
    SetLastError(error);
    return (intptr_t)handle;
}

// The section is larger than the object, so that no view in which pages are committed consists of these alone: Wine
// does not show what is committed in such a view to others.
static VmemResult vmem__os_object_create(VmemObject* object, const char* name) {
    size_t unused = vmem__os_allocation_granularity();
    (void)name;  // by the name of a section other processes find it
    if (object->max_bytes > SIZE_MAX - unused) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return VMEM_ERROR_OUT_OF_MEMORY;
    }
    object->handle =
        vmem__windows_make_section(VMEM__NO_HANDLE, PAGE_READWRITE | SEC_RESERVE, object->max_bytes + unused);
    return object->handle == VMEM__NO_HANDLE ? vmem__windows_last_result() : VMEM_SUCCESS;
}

// With an access of 0 the duplicate can do what the handle can.
static intptr_t vmem__windows_duplicate(intptr_t handle, DWORD access) {
    HANDLE duplicate = NULL, process = GetCurrentProcess();
    DWORD options = access == 0 ? DUPLICATE_SAME_ACCESS : 0;
    if (!vmem__windows_is_handle(handle) || VMEM_FAIL("DuplicateHandle")) return VMEM__NO_HANDLE;
    if (!DuplicateHandle(process, vmem__windows_handle(handle), process, &duplicate, access, FALSE, options))
        return VMEM__NO_HANDLE;
    return (intptr_t)duplicate;
}

static bool vmem__windows_get_file_size(intptr_t file, uint64_t* num_bytes) {
    LARGE_INTEGER size;
    if (VMEM_FAIL("GetFileSizeEx") || !GetFileSizeEx(vmem__windows_handle(file), &size)) return false;
    *num_bytes = (uint64_t)size.QuadPart;
    return true;
}

typedef BOOL(WINAPI* vmem__SetFileInformation)(HANDLE, int, void*, DWORD);

// SetEndOfFile() takes the size from the position in the file, which reading in another thread would change in between.
static bool vmem__windows_set_file_size(intptr_t file, uint64_t num_bytes) {
    vmem__SetFileInformation set_information = (vmem__SetFileInformation)(void (*)(void))vmem__windows_find_function(
        "kernel32.dll", "SetFileInformationByHandle");
    if (!set_information) SetLastError(ERROR_CALL_NOT_IMPLEMENTED);
    return set_information && !VMEM_FAIL("SetFileInformationByHandle") &&
           set_information(vmem__windows_handle(file), 6, &num_bytes, sizeof num_bytes);  // 6: FileEndOfFileInfo
}

static VmemResult vmem__os_object_from_file(VmemObject* object, intptr_t file) {
    DWORD error = GetLastError();
    if (!vmem__windows_is_handle(file)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (GetFileType(vmem__windows_handle(file)) != FILE_TYPE_DISK) return VMEM_ERROR_INVALID_ARGUMENT;
    object->handle = vmem__windows_duplicate(file, 0);
    if (object->handle == VMEM__NO_HANDLE) return vmem__windows_last_result();
    SetLastError(error);
    return VMEM_SUCCESS;
}

// Adds up the runs of equal pages from the start of a view: all of them, or those that are committed.
static bool vmem__windows_measure(const char* view, bool only_committed, size_t* num_bytes) {
    MEMORY_BASIC_INFORMATION info;
    size_t size = 0;
    for (;;) {
        if (!vmem__windows_query((uintptr_t)view + size, &info)) return false;
        if (info.State == MEM_FREE || info.AllocationBase != (const void*)view) break;
        if (only_committed && info.State != MEM_COMMIT) break;
        size += info.RegionSize;
    }
    *num_bytes = size;
    return true;
}

// By mapping all of the section, for a moment.
static VmemResult vmem__windows_measure_section(intptr_t handle, bool only_committed, size_t* num_bytes) {
    VmemResult result = VMEM_SUCCESS;
    char* view = vmem__windows_map(handle, FILE_MAP_READ, 0, 0, NULL);
    if (!view) return vmem__windows_last_result();
    if (!vmem__windows_measure(view, only_committed, num_bytes)) result = vmem__windows_last_result();
    vmem__windows_unmap_quietly(view);
    return result;
}

// What is not a section cannot be mapped, and the section of an object is larger than that.
static VmemResult vmem__os_object_import(VmemObject* object, intptr_t handle) {
    size_t unused = vmem__os_allocation_granularity();
    DWORD error = GetLastError();
    VmemResult result;
    handle = vmem__windows_duplicate(handle, 0);
    if (handle == VMEM__NO_HANDLE) return vmem__windows_last_result();
    result = vmem__windows_measure_section(handle, false, &object->max_bytes);
    if (result == VMEM_SUCCESS && object->max_bytes <= unused) result = VMEM_ERROR_INVALID_ARGUMENT;
    if (result != VMEM_SUCCESS) {
        vmem__windows_close_quietly(handle);
        return result;
    }
    object->handle = handle;
    object->max_bytes -= unused;
    SetLastError(error);
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_export(const VmemObject* object, bool writable, intptr_t* handle) {
    const DWORD to_read = object->is_file ? FILE_GENERIC_READ : FILE_MAP_READ;
    intptr_t duplicate = vmem__windows_duplicate(object->handle, writable ? 0 : to_read);
    if (duplicate == VMEM__NO_HANDLE) return vmem__windows_last_result();
    *handle = duplicate;
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_close(VmemObject* object) {
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__windows_close(object->handle)) return vmem__windows_last_result();
    if (object->reader != VMEM__NO_HANDLE) vmem__windows_close_quietly(object->reader);
    object->handle = object->reader = VMEM__NO_HANDLE;
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_size(const VmemObject* object, size_t* num_bytes) {
    uint64_t size;
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!object->is_file) return vmem__windows_measure_section(object->handle, true, num_bytes);
    if (!vmem__windows_get_file_size(object->handle, &size)) return vmem__windows_last_result();
    *num_bytes = size < SIZE_MAX ? (size_t)size : SIZE_MAX;
    return VMEM_SUCCESS;
}

// Commits in a view that is mapped for that, and begins at a multiple of the granularity.
static VmemResult vmem__windows_commit_section(const VmemObject* object, size_t offset, size_t size) {
    size_t unit = vmem__os_allocation_granularity(), start = (size_t)vmem_align_backward(offset, unit);
    char* view = vmem__windows_map(object->handle, FILE_MAP_WRITE, start, offset - start + size + unit, NULL);
    VmemResult result;
    if (!view) return vmem__windows_last_result();
    result = vmem__os_commit(view + (offset - start), size);
    vmem__windows_unmap_quietly(view);
    return result;
}

static VmemResult vmem__os_object_commit(const VmemObject* object, size_t offset, size_t size) {
    uint64_t file_size;
    if (!object->is_file) return vmem__windows_commit_section(object, offset, size);
    if (!vmem__windows_get_file_size(object->handle, &file_size)) return vmem__windows_last_result();
    return offset + size <= file_size ? VMEM_SUCCESS : vmem__os_object_resize(object, offset + size);
}

static VmemResult vmem__os_object_seal(const VmemObject* object, unsigned seals) {
    (void)seals;
    return vmem__windows_is_handle(object->handle) ? VMEM_ERROR_UNSUPPORTED : VMEM_ERROR_INVALID_ARGUMENT;
}

static VmemResult vmem__os_object_get_seals(const VmemObject* object, unsigned* seals) {
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    *seals = 0;
    return VMEM_SUCCESS;
}

static DWORD vmem__windows_view_access(VmemProtection protection) {
    switch (protection) {
        case VMEM_READ: return FILE_MAP_READ;
        case VMEM_EXECUTE:
        case VMEM_READ_EXECUTE: return FILE_MAP_READ | FILE_MAP_EXECUTE;
        case VMEM_READ_WRITE_EXECUTE: return FILE_MAP_WRITE | FILE_MAP_EXECUTE;
        case VMEM_NO_ACCESS:
        case VMEM_READ_WRITE:
        default: return FILE_MAP_WRITE;
    }
}

// Takes the access to the pages of a view that are committed already. Those that are committed later have access.
static bool vmem__windows_hide(char* view, size_t size) {
    MEMORY_BASIC_INFORMATION info;
    size_t done = 0;
    while (done < size) {
        if (!vmem__windows_query((uintptr_t)view + done, &info)) return false;
        if (info.RegionSize > size - done) info.RegionSize = size - done;
        if (info.State == MEM_COMMIT && vmem__os_protect(view + done, info.RegionSize, VMEM_NO_ACCESS) != VMEM_SUCCESS)
            return false;
        done += info.RegionSize;
    }
    return true;
}

static VmemResult vmem__windows_read_section(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset) {
    size_t start = (size_t)vmem_align_backward(offset, vmem__os_allocation_granularity()), end = 0;
    char* view;
    VmemResult result = vmem__os_object_size(object, &end);
    if (result != VMEM_SUCCESS) return result;
    if (offset > end || num_bytes > end - offset) return VMEM_ERROR_INVALID_ARGUMENT;
    end = (size_t)vmem_align_forward(offset + num_bytes, vmem__os_page_size());
    view = vmem__windows_map(object->handle, FILE_MAP_READ, start, end - start, NULL);
    if (!view) return vmem__windows_last_result();
    memcpy(buffer, view + (offset - start), num_bytes);
    vmem__windows_unmap_quietly(view);
    return VMEM_SUCCESS;
}

// What one call reads or writes, and where.
#define VMEM__MAX_TRANSFER ((size_t)1 << 30)

static DWORD vmem__windows_limit_transfer(size_t num_bytes) {
    return (DWORD)(num_bytes < VMEM__MAX_TRANSFER ? num_bytes : VMEM__MAX_TRANSFER);
}

static OVERLAPPED vmem__windows_at(size_t offset) {
    OVERLAPPED place;
    memset(&place, 0, sizeof place);
    place.Offset = (DWORD)offset;
    place.OffsetHigh = (DWORD)((uint64_t)offset >> 32);
    return place;
}

static VmemResult vmem__os_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset) {
    size_t done = 0;
    if (!object->is_file) return vmem__windows_read_section(object, buffer, num_bytes, offset);
    while (done < num_bytes) {
        OVERLAPPED place = vmem__windows_at(offset + done);
        DWORD num_read = 0;
        BOOL is_read =
            !VMEM_FAIL("ReadFile") && ReadFile(vmem__windows_handle(object->handle), (char*)buffer + done,
                                               vmem__windows_limit_transfer(num_bytes - done), &num_read, &place);
        if ((is_read && num_read == 0) || (!is_read && GetLastError() == ERROR_HANDLE_EOF))
            return VMEM_ERROR_INVALID_ARGUMENT;
        if (!is_read) return vmem__windows_last_result();
        done += num_read;
    }
    return VMEM_SUCCESS;
}

static char* vmem__windows_map_at(const VmemObject* object, size_t size, size_t offset, VmemProtection protection,
                                  void* address) {
    DWORD error = GetLastError();
    char* view = vmem__windows_map(object->handle, vmem__windows_view_access(protection), offset, size, address);
    if (!view && protection == VMEM_NO_ACCESS && GetLastError() == ERROR_ACCESS_DENIED) {
        view = vmem__windows_map(object->handle, FILE_MAP_READ, offset, size, address);
        if (view) SetLastError(error);
    }
    if (!view || protection != VMEM_NO_ACCESS || vmem__windows_hide(view, size)) return view;
    vmem__windows_unmap_quietly(view);
    return NULL;
}

// Finds free addresses that begin at a multiple of `align`, which another thread may take.
static char* vmem__windows_find_addresses(size_t size, size_t align) {
    void* larger = vmem__windows_alloc(NULL, size + align, MEM_RESERVE, PAGE_NOACCESS);
    if (!larger || !vmem__windows_free(larger, 0, MEM_RELEASE)) return NULL;
    return (char*)vmem__pointer(vmem_align_forward((uintptr_t)larger, align));
}

// Mapping at an address fails with this error, or with an invalid address, if something else is there.
static bool vmem__windows_is_taken(void) {
    return GetLastError() == ERROR_INVALID_ADDRESS || GetLastError() == ERROR_INVALID_PARAMETER;
}

// Of newer versions of Windows and of their SDKs: addresses that a view can replace without being free in between.
#define VMEM__MEM_RESERVE_PLACEHOLDER 0x00040000u
#define VMEM__MEM_REPLACE_PLACEHOLDER 0x00004000u
#define VMEM__MEM_PRESERVE_PLACEHOLDER 0x00000002u

typedef void*(WINAPI* vmem__MapViewOfFile3)(HANDLE, HANDLE, void*, uint64_t, SIZE_T, ULONG, ULONG,
                                            vmem__ExtendedParameter*, ULONG);

static vmem__MapViewOfFile3 vmem__windows_find_map3(void) {
    return (vmem__MapViewOfFile3)(void (*)(void))vmem__windows_find_function("kernelbase.dll", "MapViewOfFile3");
}

// Replaces a placeholder by a part of the section. Returns false if it stays.
static bool vmem__windows_replace(vmem__MapViewOfFile3 map_view_of_file3, intptr_t section, char* ptr, size_t size,
                                  size_t offset, VmemProtection protection) {
    return !VMEM_FAIL("MapViewOfFile3") &&
           map_view_of_file3(vmem__windows_handle(section), GetCurrentProcess(), ptr, offset, size,
                             VMEM__MEM_REPLACE_PLACEHOLDER, vmem__windows_protection(protection), NULL, 0) != NULL;
}

// A mapping of a file, from `offset` of it on.
typedef struct vmem__FileMapping {
    char* ptr;
    size_t size;  // up to where addresses are reserved
    size_t offset;
    VmemProtection protection;
    intptr_t section;
} vmem__FileMapping;

static bool vmem__windows_open_section(vmem__FileMapping* mapping, intptr_t file) {
    const VmemProtection wanted = mapping->protection;
    if (wanted != VMEM_READ) mapping->section = vmem__windows_make_section(file, PAGE_READWRITE, 0);
    if (wanted == VMEM_READ || (wanted == VMEM_NO_ACCESS && mapping->section == VMEM__NO_HANDLE))
        mapping->section = vmem__windows_make_section(file, PAGE_READONLY, 0);
    return mapping->section != VMEM__NO_HANDLE;
}

static char* vmem__windows_view(const vmem__FileMapping* mapping, size_t start, size_t size) {
    VmemObject section = {-1, -1, 0, 0, 0, false};
    section.handle = mapping->section;
    return vmem__windows_map_at(&section, size, mapping->offset + start, mapping->protection, mapping->ptr + start);
}

static void vmem__windows_unmap_file_quietly(const vmem__FileMapping* mapping, size_t start) {
    DWORD error = GetLastError();
    if (start < mapping->size) vmem__os_object_unmap(mapping->ptr + start, mapping->size - start);
    SetLastError(error);
}

// After a failure: there is nothing any more from `start` on, and from `reserved` on there are addresses to free.
static bool vmem__windows_end_mapping(vmem__FileMapping* mapping, size_t start, size_t reserved) {
    vmem__windows_unmap_file_quietly(mapping, reserved);
    mapping->size = start;
    return false;
}

// Maps a part of the file at its place, in addresses that are reserved to the end of the mapping. Where they are no
// placeholder, or the part is none of whole units, they are free for a moment: if another thread takes them, the mapping
// ends before them.
static bool vmem__windows_show_part(vmem__FileMapping* mapping, size_t start, size_t size) {
    size_t unit = vmem__os_allocation_granularity(), room = (size_t)vmem_align_forward(size, unit), rest;
    char* place = mapping->ptr + start;
    vmem__MapViewOfFile3 map_view_of_file3 = vmem__windows_find_map3();
    bool is_split;
    if (room > mapping->size - start) room = mapping->size - start;
    rest = mapping->size - start - room;
    is_split = rest == 0 || vmem__windows_free(place, room, MEM_RELEASE | VMEM__MEM_PRESERVE_PLACEHOLDER);
    if (map_view_of_file3 && is_split && size == room && mapping->protection != VMEM_NO_ACCESS &&
        vmem__windows_replace(map_view_of_file3, mapping->section, place, size, mapping->offset + start,
                              mapping->protection))
        return true;
    if (!vmem__windows_free(place, 0, MEM_RELEASE)) return vmem__windows_end_mapping(mapping, start, start);
    if (!vmem__windows_view(mapping, start, size))
        return vmem__windows_end_mapping(mapping, start, is_split ? start + room : mapping->size);
    if (!is_split && !vmem__windows_alloc(place + room, rest, MEM_RESERVE, PAGE_NOACCESS)) mapping->size = start + room;
    return true;
}

// The last part, of less than a unit, is free for a moment.
static bool vmem__windows_show_part_again(vmem__FileMapping* mapping, size_t start, size_t size) {
    if (!vmem__windows_unmap(mapping->ptr + start)) return false;
    if (vmem__windows_view(mapping, start, size)) return true;
    return vmem__windows_end_mapping(mapping, start, start + vmem__os_allocation_granularity());
}

// How far a mapping shows the file: views are at its start, and reserved addresses after them. The last view is found from
// those, as there can be many.
static bool vmem__windows_find_shown(const vmem__FileMapping* mapping, size_t* shown) {
    MEMORY_BASIC_INFORMATION info;
    size_t unit = vmem__os_allocation_granularity(), end = mapping->size;
    if (!vmem__windows_query((uintptr_t)mapping->ptr + end - 1, &info)) return false;
    if (info.State == MEM_RESERVE) end = (size_t)((char*)info.AllocationBase - mapping->ptr);
    for (*shown = end > 0 ? (end - 1) / unit * unit : 0; *shown < end; *shown += info.RegionSize) {
        if (!vmem__windows_query((uintptr_t)mapping->ptr + *shown, &info)) return false;
        if (info.Type != MEM_MAPPED) break;
    }
    return true;
}

static bool vmem__windows_show_parts(vmem__FileMapping* mapping, size_t shown, size_t end) {
    size_t unit = vmem__os_allocation_granularity(), whole = end - end % unit, begun = shown % unit;
    if (begun > 0) {
        size_t start = shown - begun;
        if (!vmem__windows_show_part_again(mapping, start, end - start < unit ? end - start : unit)) return false;
        shown = start + unit;
    }
    if (shown < whole && !vmem__windows_show_part(mapping, shown, whole - shown)) return false;
    if (shown < whole) shown = whole;
    return shown >= end || shown >= mapping->size || vmem__windows_show_part(mapping, shown, end - shown);
}

// A section of a file has the size that the file had when it was made, and a view of it does not grow. So a mapping
// consists of views, of whole units but for the last one, and this adds those of what the file has gained. The section
// is made for a last page that is shown already, too: of that the system writes only what is in the largest section.
static VmemResult vmem__windows_show(vmem__FileMapping* mapping, intptr_t file) {
    DWORD error = GetLastError();
    uint64_t file_size;
    size_t shown, end = mapping->size;
    bool is_shown;
    if (!vmem__windows_get_file_size(file, &file_size) || !vmem__windows_find_shown(mapping, &shown))
        return vmem__windows_last_result();
    if (file_size < mapping->offset) file_size = mapping->offset;
    if (end > file_size - mapping->offset) end = (size_t)(file_size - mapping->offset);
    if (end == 0) return VMEM_SUCCESS;
    if (!vmem__windows_open_section(mapping, file)) return vmem__windows_last_result();
    is_shown = end <= shown || vmem__windows_show_parts(mapping, shown, end);
    vmem__windows_close_quietly(mapping->section);
    if (!is_shown) return vmem__windows_is_taken() ? VMEM_ERROR_OUT_OF_MEMORY : vmem__windows_last_result();
    SetLastError(error);
    return VMEM_SUCCESS;
}

static void* vmem__windows_reserve_for_views(size_t size, size_t align) {
    vmem__VirtualAlloc2 virtual_alloc2 = vmem__windows_find_alloc2();
    DWORD error = GetLastError();
    void* ptr = NULL;
    if (virtual_alloc2 && vmem__windows_find_map3())
        ptr = vmem__windows_alloc2(virtual_alloc2, size, MEM_RESERVE | VMEM__MEM_RESERVE_PLACEHOLDER, align);
    if (ptr) return ptr;
    SetLastError(error);
    return vmem__windows_reserve_aligned(size, align);
}

// Unmaps views, and frees the addresses that are reserved after them.
static VmemResult vmem__os_object_unmap(void* ptr, size_t size) {
    char* place = (char*)ptr;
    char* end = place + size;
    while (place < end) {
        MEMORY_BASIC_INFORMATION info;
        size_t view_size = 0;
        if (!vmem__windows_query((uintptr_t)place, &info)) return vmem__windows_last_result();
        if (info.Type == MEM_MAPPED) {
            if (!vmem__windows_measure(place, false, &view_size) || !vmem__windows_unmap(place))
                return vmem__windows_last_result();
        } else {
            view_size = info.RegionSize;
            if (info.State != MEM_FREE && !vmem__windows_free(place, 0, MEM_RELEASE))
                return vmem__windows_last_result();
        }
        place += vmem_align_forward(view_size, vmem__os_allocation_granularity());
    }
    return VMEM_SUCCESS;
}

static void* vmem__windows_map_file(const VmemObject* object, size_t size, size_t offset, VmemProtection protection,
                                    size_t align) {
    vmem__FileMapping mapping;
    mapping.ptr = (char*)vmem__windows_reserve_for_views(size, align);
    mapping.size = size;
    mapping.offset = offset;
    mapping.protection = protection;
    mapping.section = VMEM__NO_HANDLE;
    if (!mapping.ptr) return NULL;
    if (vmem__windows_show(&mapping, object->handle) == VMEM_SUCCESS) {
        if (mapping.size == size) return mapping.ptr;
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    }
    vmem__windows_unmap_file_quietly(&mapping, 0);
    return NULL;
}

static void* vmem__os_object_map_aligned(const VmemObject* object, size_t size, size_t offset,
                                         VmemProtection protection, size_t align) {
    DWORD error = GetLastError();
    int attempt;
    if (object->is_file) return vmem__windows_map_file(object, size, offset, protection, align);
    for (attempt = 0; attempt < VMEM__RESERVE_ATTEMPTS; attempt++) {
        char* address = vmem__windows_find_addresses(size, align);
        char* view = address ? vmem__windows_map_at(object, size, offset, protection, address) : NULL;
        if (view) SetLastError(error);
        if (view || !address || !vmem__windows_is_taken()) return view;
    }
    return NULL;
}

static void* vmem__os_object_map(const VmemObject* object, size_t size, size_t offset, VmemProtection protection) {
    if (object->is_file)
        return vmem__windows_map_file(object, size, offset, protection, vmem__os_allocation_granularity());
    return vmem__windows_map_at(object, size, offset, protection, NULL);
}

static char* vmem__windows_mirror_by_placeholders(const VmemObject* object, size_t size, size_t head_size,
                                                  VmemProtection protection) {
    vmem__VirtualAlloc2 virtual_alloc2 = vmem__windows_find_alloc2();
    vmem__MapViewOfFile3 map_view_of_file3 = vmem__windows_find_map3();
    const size_t first_size = head_size + size;
    char* ptr;
    if (!virtual_alloc2 || !map_view_of_file3) return NULL;
    ptr = (char*)vmem__windows_alloc2(virtual_alloc2, first_size + size, MEM_RESERVE | VMEM__MEM_RESERVE_PLACEHOLDER,
                                      vmem__os_allocation_granularity());
    if (!ptr) return NULL;
    if (!vmem__windows_free(ptr, first_size, MEM_RELEASE | VMEM__MEM_PRESERVE_PLACEHOLDER)) {
        vmem__windows_free(ptr, 0, MEM_RELEASE);
        return NULL;
    }
    if (vmem__windows_replace(map_view_of_file3, object->handle, ptr, first_size, 0, protection)) {
        if (vmem__windows_replace(map_view_of_file3, object->handle, ptr + first_size, size, head_size, protection))
            return ptr;
        vmem__windows_unmap(ptr);
    } else {
        vmem__windows_free(ptr, 0, MEM_RELEASE);
    }
    vmem__windows_free(ptr + first_size, 0, MEM_RELEASE);
    return NULL;
}

static void* vmem__os_object_map_mirrored(const VmemObject* object, size_t size, size_t head_size,
                                          VmemProtection protection) {
    const DWORD access = vmem__windows_view_access(protection);
    const size_t first_size = head_size + size;
    DWORD error = GetLastError();
    char* ptr = vmem__windows_mirror_by_placeholders(object, size, head_size, protection);
    int attempt;
    for (attempt = 0; !ptr && attempt < VMEM__RESERVE_ATTEMPTS; attempt++) {
        char* address = vmem__windows_find_addresses(first_size + size, vmem__os_allocation_granularity());
        if (!address) return NULL;
        ptr = vmem__windows_map(object->handle, access, 0, first_size, address);
        if (ptr && !vmem__windows_map(object->handle, access, head_size, size, address + first_size)) {
            vmem__windows_unmap_quietly(ptr);
            ptr = NULL;
        }
        if (!ptr && !vmem__windows_is_taken()) return NULL;
    }
    if (ptr) SetLastError(error);
    return ptr;
}

static VmemResult vmem__os_object_unmap_mirrored(void* ptr, size_t size, size_t head_size) {
    VmemResult first = vmem__os_object_unmap(ptr, head_size + size);
    VmemResult second = vmem__os_object_unmap((char*)ptr + head_size + size, size);
    return first != VMEM_SUCCESS ? first : second;
}

// There is no fork.
static VmemResult vmem__os_object_make_private(const VmemObject* object, void* ptr, size_t size, size_t offset) {
    (void)ptr, (void)size, (void)offset;
    return vmem__os_object_seal(object, 0);
}

// Of a range that can consist of several views.
static VmemResult vmem__os_object_flush(const VmemObject* object, void* ptr, size_t size, bool durable) {
    MEMORY_BASIC_INFORMATION info;
    size_t done = 0;
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    while (done < size) {
        if (!vmem__windows_query((uintptr_t)ptr + done, &info)) return vmem__windows_last_result();
        if (info.RegionSize > size - done) info.RegionSize = size - done;
        if (info.State == MEM_COMMIT &&
            (VMEM_FAIL("FlushViewOfFile") || !FlushViewOfFile((char*)ptr + done, info.RegionSize)))
            return vmem__windows_last_result();
        done += info.RegionSize;
    }
    if (!durable || !object->is_file) return VMEM_SUCCESS;
    if (VMEM_FAIL("FlushFileBuffers") || !FlushFileBuffers(vmem__windows_handle(object->handle)))
        return vmem__windows_last_result();
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                        size_t min_size) {
    size_t done = 0;
    uint64_t size;
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__windows_get_file_size(object->handle, &size)) return vmem__windows_last_result();
    if (size < min_size) return VMEM_ERROR_INVALID_ARGUMENT;
    while (done < num_bytes) {
        OVERLAPPED place = vmem__windows_at(offset + done);
        DWORD num_written = 0;
        if (VMEM_FAIL("WriteFile") || !WriteFile(vmem__windows_handle(object->handle), (const char*)buffer + done,
                                                 vmem__windows_limit_transfer(num_bytes - done), &num_written, &place))
            return vmem__windows_last_result();
        done += num_written;
    }
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_resize(const VmemObject* object, size_t size) {
    uint64_t file_size;
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__windows_get_file_size(object->handle, &file_size)) return vmem__windows_last_result();
    if (size == file_size || vmem__windows_set_file_size(object->handle, size)) return VMEM_SUCCESS;
    return vmem__windows_last_result();
}

// A file that is mapped cannot become shorter: it is mapped again, at the same addresses if no other thread takes them.
static VmemResult vmem__windows_cut_mapped(const VmemObject* object, vmem__FileMapping* mapping, size_t num_bytes) {
    size_t size = mapping->size;
    VmemResult result = VMEM_SUCCESS, shown = vmem__os_object_unmap(mapping->ptr, size);
    if (shown == VMEM_SUCCESS) {
        result = vmem__os_object_resize(object, num_bytes);
        if (!vmem__windows_alloc(mapping->ptr, size, MEM_RESERVE, PAGE_NOACCESS)) mapping->size = 0;
        shown = mapping->size > 0 ? vmem__windows_show(mapping, object->handle) : VMEM_ERROR_OUT_OF_MEMORY;
    }
    if (shown == VMEM_SUCCESS) return result;
    vmem__windows_unmap_file_quietly(mapping, 0);
    mapping->size = 0;
    return shown;
}

static VmemResult vmem__os_object_resize_mapped(const VmemObject* object, void* ptr, size_t* size,
                                                VmemProtection protection, size_t num_bytes) {
    vmem__FileMapping mapping;
    VmemResult result = VMEM_SUCCESS;
    DWORD error = GetLastError();
    mapping.ptr = (char*)ptr;
    mapping.size = *size;
    mapping.offset = 0;
    mapping.protection = protection;
    mapping.section = VMEM__NO_HANDLE;
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (num_bytes != SIZE_MAX) result = vmem__os_object_resize(object, num_bytes);
    if (result == VMEM_SUCCESS)
        result = vmem__windows_show(&mapping, object->handle);
    else if (GetLastError() == ERROR_USER_MAPPED_FILE)
        result = vmem__windows_cut_mapped(object, &mapping, num_bytes);
    if (result == VMEM_SUCCESS) SetLastError(error);
    *size = mapping.size;
    return result;
}

// --- publishing: a section with a name that the file tells, which has the number of bytes plus 1, or 0 for all ---

static void vmem__windows_append_hex(char* text, DWORD number) {
    int i;
    for (i = 0; i < 8; i++) text[i] = "0123456789abcdef"[(number >> (28 - 4 * i)) & 15];
}

static bool vmem__windows_name_publication(const VmemObject* object, char* name) {
    BY_HANDLE_FILE_INFORMATION info;
    if (VMEM_FAIL("GetFileInformationByHandle") ||
        !GetFileInformationByHandle(vmem__windows_handle(object->handle), &info))
        return false;
    memcpy(name, "Local\\vmem-", 11);
    vmem__windows_append_hex(name + 11, info.dwVolumeSerialNumber);
    vmem__windows_append_hex(name + 19, info.nFileIndexHigh);
    vmem__windows_append_hex(name + 27, info.nFileIndexLow);
    name[35] = '\0';
    return true;
}

static bool vmem__windows_open_publication(VmemObject* object, bool to_write) {
    DWORD error = GetLastError();
    HANDLE section = NULL;
    char name[36];
    if (object->reader != VMEM__NO_HANDLE) return true;
    if (!vmem__windows_name_publication(object, name)) return false;
    if (!VMEM_FAIL("OpenFileMapping"))
        section = to_write ? CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, name)
                           : OpenFileMappingA(FILE_MAP_READ, FALSE, name);
    if (!section) return false;
    object->reader = (intptr_t)section;
    SetLastError(error);
    return true;
}

static VmemResult vmem__os_object_publish(VmemObject* object, size_t before, size_t num_bytes) {
    volatile uint64_t* number;
    (void)before;
    if (!vmem__windows_is_handle(object->handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__windows_open_publication(object, true)) return vmem__windows_last_result();
    number = (volatile uint64_t*)(void*)vmem__windows_map(object->reader, FILE_MAP_WRITE, 0, 0, NULL);
    if (!number) return vmem__windows_last_result();
    MemoryBarrier();
    *number = num_bytes == SIZE_MAX ? 0 : (uint64_t)num_bytes + 1;
    vmem__windows_unmap_quietly((void*)(uintptr_t)number);
    if (num_bytes != SIZE_MAX) return VMEM_SUCCESS;
    vmem__windows_close_quietly(object->reader);
    object->reader = VMEM__NO_HANDLE;
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_get_published(VmemObject* object, size_t* num_bytes) {
    DWORD error = GetLastError();
    const volatile uint64_t* number;
    uint64_t published = 0;
    size_t size = 0, size_after = 0;
    VmemResult result = vmem__os_object_size(object, &size);
    if (result != VMEM_SUCCESS) return result;
    if (vmem__windows_open_publication(object, false)) {
        number = (const volatile uint64_t*)(void*)vmem__windows_map(object->reader, FILE_MAP_READ, 0, 0, NULL);
        if (!number) return vmem__windows_last_result();
        published = *number;
        MemoryBarrier();
        vmem__windows_unmap_quietly((void*)(uintptr_t)number);
    }
    // A writer that begins or ends in between makes the file longer after it has begun to publish, or shorter before it
    // ends that.
    if (published == 0 && (result = vmem__os_object_size(object, &size_after)) != VMEM_SUCCESS) return result;
    if (published > 0) size_after = published - 1 < SIZE_MAX ? (size_t)(published - 1) : SIZE_MAX;
    *num_bytes = size < size_after ? size : size_after;
    SetLastError(error);
    return VMEM_SUCCESS;
}

static void vmem__os_get_capabilities(VmemCapabilities* capabilities) {
    capabilities->system = "Windows";
    capabilities->can_share = capabilities->object_size_is_exact = true;
    capabilities->can_map_mirrored = capabilities->can_map_files = true;
    capabilities->can_reserve = capabilities->can_count_resident = capabilities->can_query = true;
    capabilities->tells_available_memory = capabilities->commit_is_a_promise = true;
    capabilities->discard_can_lose_commit = capabilities->discard_unlocks = true;
}

static bool vmem__windows_memory_status(MEMORYSTATUSEX* status) {
    status->dwLength = sizeof *status;
    return !VMEM_FAIL("GlobalMemoryStatusEx") && GlobalMemoryStatusEx(status) != 0;
}

static void vmem__os_get_memory_info(VmemMemoryInfo* info) {
    DWORD error = GetLastError();
    MEMORYSTATUSEX status;
    if (vmem__windows_memory_status(&status)) {
        info->total = status.ullTotalPhys;
        info->available = status.ullAvailPhys;
    }
    SetLastError(error);
}

static void vmem__os_get_address_space(VmemAddressSpace* space) {
    DWORD error = GetLastError();
    MEMORYSTATUSEX status;
    if (vmem__windows_memory_status(&status)) {
        space->total = status.ullTotalVirtual;
        space->used = status.ullTotalVirtual - status.ullAvailVirtual;
    }
    SetLastError(error);
}

static void vmem__os_get_limits(VmemLimits* limits) {
    DWORD error = GetLastError();
    MEMORYSTATUSEX status;
    if (vmem__windows_memory_status(&status)) {
        limits->address_space_used = status.ullTotalVirtual - status.ullAvailVirtual;
        limits->commit_limit = status.ullTotalPageFile;
        limits->commit_used = status.ullTotalPageFile - status.ullAvailPageFile;
    }
    SetLastError(error);
}

#endif  // VMEM__WINDOWS

// >>os posix common ---------------------------------------------------------------------------------------------------
//
// What the POSIX systems have in common. The blocks of Linux, macOS and the BSDs define the rest of the contract, and
// vmem__posix_map(). Functions that not all of them call are inline: compilers warn about other static functions.

#if defined(VMEM__POSIX)

// Maps private memory without access, which mprotect() can grant later: at free addresses if `ptr` is NULL, in place of
// what is mapped there if `flags` has MAP_FIXED. Returns MAP_FAILED on failure.
//
// Reserving and decommitting both call it, because kernels merge only mappings with equal flags: with others, every
// decommit would add mappings for as long as the reservation lives.
static void* vmem__posix_map(void* ptr, size_t size, int flags);

// Leaves memory that was just mapped out of core dumps, or puts memory that was just committed into them, where the
// system would write zeros for memory without access. It cannot fail: errno is unchanged.
static void vmem__posix_set_dumped(void* ptr, size_t size, bool is_dumped);

// Where strict C99 hides both names, the block of the system defines the number.
#if defined(MAP_ANONYMOUS)
#define VMEM__MAP_ANONYMOUS MAP_ANONYMOUS
#elif defined(MAP_ANON)
#define VMEM__MAP_ANONYMOUS MAP_ANON
#endif

static VmemResult vmem__posix_last_result(void) {
    switch (errno) {
        case ENOMEM:
        case EAGAIN:
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return VMEM_ERROR_OUT_OF_MEMORY;
        case EACCES:
        case EPERM: return VMEM_ERROR_ACCESS_DENIED;
        case EINVAL: return VMEM_ERROR_INVALID_ARGUMENT;
        case ENOSYS:
        case EOPNOTSUPP: return VMEM_ERROR_UNSUPPORTED;
        default: return VMEM_ERROR_SYSTEM;
    }
}

static VmemResult vmem__posix_result_of(int status) { return status == 0 ? VMEM_SUCCESS : vmem__posix_last_result(); }

static int vmem__posix_munmap(void* ptr, size_t size) { return VMEM_FAIL("munmap") ? -1 : munmap(ptr, size); }

static int vmem__posix_mprotect(void* ptr, size_t size, int protection) {
    return VMEM_FAIL("mprotect") ? -1 : mprotect(ptr, size, protection);
}

static size_t vmem__os_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static size_t vmem__os_allocation_granularity(void) { return vmem__os_page_size(); }

static void* vmem__os_reserve(size_t size) {
    void* ptr = vmem__posix_map(NULL, size, 0);
    if (ptr == MAP_FAILED) return NULL;
    vmem__posix_set_dumped(ptr, size, false);
    return ptr;
}

// Unmaps [start, end), which may be empty.
static inline bool vmem__posix_unmap(char* start, char* end) {
    return start == end || vmem__posix_munmap(start, (size_t)(end - start)) == 0;
}

// Maps more than needed and unmaps both ends. At the mapping limit unmapping fails: then all of it is unmapped.
static inline void* vmem__posix_reserve_and_trim(size_t size, size_t align) {
    size_t mapped_size = size + align - vmem__os_page_size();
    char* mapped = (char*)vmem__os_reserve(mapped_size);
    char *mapped_end, *start, *end;
    int error;
    if (!mapped) return NULL;
    mapped_end = mapped + mapped_size;
    start = (char*)vmem_align_forward((uintptr_t)mapped, align);
    end = start + size;
    if (vmem__posix_unmap(end, mapped_end)) {
        if (vmem__posix_unmap(mapped, start)) return start;
        mapped_end = end;
    }
    error = errno;
    vmem__posix_unmap(mapped, mapped_end);
    errno = error;
    return NULL;
}

static VmemResult vmem__os_release(void* ptr, size_t size) {
    return vmem__posix_result_of(vmem__posix_munmap(ptr, size));
}

static int vmem__posix_protection(VmemProtection protection) {
    switch (protection) {
        case VMEM_READ: return PROT_READ;
        case VMEM_READ_WRITE: return PROT_READ | PROT_WRITE;
        case VMEM_EXECUTE: return PROT_EXEC;
        case VMEM_READ_EXECUTE: return PROT_READ | PROT_EXEC;
        case VMEM_READ_WRITE_EXECUTE: return PROT_READ | PROT_WRITE | PROT_EXEC;
        case VMEM_NO_ACCESS:
        default: return PROT_NONE;
    }
}

static VmemResult vmem__os_protect(void* ptr, size_t size, VmemProtection protection) {
    return vmem__posix_result_of(vmem__posix_mprotect(ptr, size, vmem__posix_protection(protection)));
}

static VmemResult vmem__os_commit(void* ptr, size_t size) {
    VmemResult result = vmem__os_protect(ptr, size, VMEM_READ_WRITE);
    if (result == VMEM_SUCCESS) vmem__posix_set_dumped(ptr, size, true);
    return result;
}

// Compilers for Linux and the BSDs know how, also where it takes a system call.
#if defined(__GNUC__)
static inline VmemResult vmem__posix_flush_instruction_cache(void* ptr, size_t num_bytes) {
    __builtin___clear_cache((char*)ptr, (char*)ptr + num_bytes);
    return VMEM_SUCCESS;
}
#else
static inline VmemResult vmem__posix_flush_instruction_cache(void* ptr, size_t num_bytes) {
    (void)ptr, (void)num_bytes;
    return VMEM_ERROR_UNSUPPORTED;
}
#endif

// Maps fresh memory in place of the old. Unlike madvise() and mprotect() this also returns the commit charge.
static VmemResult vmem__posix_remap(void* ptr, size_t size) {
    if (vmem__posix_map(ptr, size, MAP_FIXED) == MAP_FAILED) return vmem__posix_last_result();
    vmem__posix_set_dumped(ptr, size, false);
    return VMEM_SUCCESS;
}

// Discards where MADV_FREE and MADV_DONTNEED may keep the old contents.
static inline VmemResult vmem__posix_remap_and_commit(void* ptr, size_t size) {
    VmemResult result = vmem__posix_remap(ptr, size);
    return result == VMEM_SUCCESS ? vmem__os_commit(ptr, size) : result;
}

static VmemResult vmem__os_lock(void* ptr, size_t size) {
    return vmem__posix_result_of(VMEM_FAIL("mlock") ? -1 : mlock(ptr, size));
}

static int vmem__posix_munlock(void* ptr, size_t size) { return VMEM_FAIL("munlock") ? -1 : munlock(ptr, size); }

static VmemResult vmem__os_unlock(void* ptr, size_t size) {
    return vmem__posix_result_of(vmem__posix_munlock(ptr, size));
}

// mincore(), whose declaration differs between systems. It fills in a byte for each page, of which the lowest bit says
// whether the page is in physical memory.
typedef int (*vmem__Mincore)(void* ptr, size_t size, char* pages);

static inline VmemResult vmem__posix_count_resident(uintptr_t start, size_t size, size_t* num_resident,
                                                    vmem__Mincore system_mincore) {
    char pages[4096];
    size_t page_size = vmem__os_page_size(), num_pages = size / page_size, done = 0, resident = 0, i;
    while (done < num_pages) {
        size_t count = num_pages - done < sizeof pages ? num_pages - done : sizeof pages;
        void* ptr = vmem__pointer(start + done * page_size);
        if (system_mincore(ptr, count * page_size, pages) != 0) return vmem__posix_last_result();
        for (i = 0; i < count; i++) resident += (pages[i] & 1) ? page_size : 0;
        done += count;
    }
    *num_resident = resident;
    return VMEM_SUCCESS;
}

// In glibc an enum or an int, depending on the feature test macros.
#if defined(__GLIBC__)
typedef __rlimit_resource_t vmem__Resource;
#else
typedef int vmem__Resource;
#endif

static uint64_t vmem__posix_resource_limit(vmem__Resource resource) {
    struct rlimit limit;
    if (VMEM_FAIL("getrlimit") || getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return VMEM_UNLIMITED;
    return (uint64_t)limit.rlim_cur;
}

// Some systems lack one of these limits: OpenBSD the first.
#if defined(RLIMIT_AS)
static uint64_t vmem__posix_address_space_limit(void) { return vmem__posix_resource_limit(RLIMIT_AS); }
#else
static uint64_t vmem__posix_address_space_limit(void) { return VMEM_UNLIMITED; }
#endif

#if defined(RLIMIT_MEMLOCK)
static uint64_t vmem__posix_lock_limit(void) { return vmem__posix_resource_limit(RLIMIT_MEMLOCK); }
#else
static uint64_t vmem__posix_lock_limit(void) { return VMEM_UNLIMITED; }
#endif

static inline void vmem__posix_get_limits(VmemLimits* limits) {
    int error = errno;
    limits->address_space_limit = vmem__posix_address_space_limit();
    limits->data_limit = vmem__posix_resource_limit(RLIMIT_DATA);
    limits->lock_limit = vmem__posix_lock_limit();
    errno = error;
}

// The smallest power of two above the stack, which is the number of addresses where stacks are at their upper end.
static inline uint64_t vmem__posix_addresses_up_to_stack(void) {
    char here;
    uint64_t top = (uint64_t)(uintptr_t)&here, total = 1;
    while (total <= top) total *= 2;
    return total;
}

static inline void vmem__posix_get_address_space(VmemAddressSpace* space, uint64_t total) {
    int error = errno;
    space->total = total;
    space->limit = vmem__posix_address_space_limit();
    errno = error;
}

#if defined(_SC_PHYS_PAGES)
static inline uint64_t vmem__posix_total_memory(void) {
    long num_pages = VMEM_FAIL("sysconf") ? -1 : sysconf(_SC_PHYS_PAGES);
    return num_pages > 0 ? (uint64_t)num_pages * vmem__os_page_size() : 0;
}
#else
static inline uint64_t vmem__posix_total_memory(void) { return 0; }
#endif

// What a descriptor stands for.
typedef struct vmem__File {
    uint64_t device, inode, size;
    unsigned mode;
    bool is_regular;
} vmem__File;

static int vmem__posix_stat(int file, vmem__File* info);

static inline int vmem__posix_fstat(int file, vmem__File* info) {
    struct stat status;
    if (VMEM_FAIL("fstat") || fstat(file, &status) != 0) return -1;
    info->device = (uint64_t)status.st_dev;
    info->inode = (uint64_t)status.st_ino;
    info->size = (uint64_t)status.st_size;
    info->mode = (unsigned)status.st_mode;
    info->is_regular = S_ISREG(status.st_mode);
    return 0;
}

// Returns a new descriptor, which programs that are started do not inherit; -1 on failure.
static int vmem__posix_duplicate(int file);

// Whether a descriptor stands for memory that vmem_object_create() could have made.
static bool vmem__posix_is_memory(int file, const vmem__File* info);

// Whether a descriptor stands for a file that can be mapped like memory.
static bool vmem__posix_is_file(int file, const vmem__File* info);

// The protection with which mmap() shows an object, so that mprotect() can later grant reading and writing.
static int vmem__posix_object_protection(int file, VmemProtection protection);

static int vmem__posix_close(int file) { return VMEM_FAIL("close") ? -1 : close(file); }

// For clean-up after a failure.
static void vmem__posix_close_quietly(int file) {
    int error = errno;
    vmem__posix_close(file);
    errno = error;
}

// After the failure of a call for a descriptor that the caller chose.
static VmemResult vmem__posix_descriptor_result(void) {
    return errno == EBADF ? VMEM_ERROR_INVALID_ARGUMENT : vmem__posix_last_result();
}

// Whether a handle can be a descriptor. Otherwise errno is EBADF.
static bool vmem__posix_can_be_descriptor(intptr_t handle) {
    if ((intptr_t)(int)handle == handle && handle >= 0) return true;
    errno = EBADF;
    return false;
}

// Finds what a descriptor stands for. A number that is not a descriptor is an invalid argument.
static VmemResult vmem__posix_identify(intptr_t handle, vmem__File* info) {
    if (!vmem__posix_can_be_descriptor(handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (vmem__posix_stat((int)handle, info) == 0) return VMEM_SUCCESS;
    return vmem__posix_descriptor_result();
}

// Finds what the object's descriptor stands for, and whether that still is the object: other code may have closed the
// descriptor, as programs do that become daemons, and its number may be that of another file now, which must not be
// changed.
static VmemResult vmem__posix_find(const VmemObject* object, vmem__File* info) {
    VmemResult result = vmem__posix_identify(object->handle, info);
    if (result != VMEM_SUCCESS) return result;
    if (info->device == object->device && info->inode == object->inode) return VMEM_SUCCESS;
    errno = EBADF;
    return VMEM_ERROR_INVALID_ARGUMENT;
}

// The same, where others may have made a file shorter.
static VmemResult vmem__posix_find_file(const VmemObject* object, size_t min_size, vmem__File* info) {
    VmemResult result = vmem__posix_find(object, info);
    if (result != VMEM_SUCCESS || info->size >= min_size) return result;
    errno = ESTALE;
    return VMEM_ERROR_INVALID_ARGUMENT;
}

static bool vmem__posix_is(const VmemObject* object) {
    vmem__File info;
    return vmem__posix_find(object, &info) == VMEM_SUCCESS;
}

static void vmem__posix_set_object(VmemObject* object, int file, int reader, const vmem__File* info) {
    object->handle = file;
    object->reader = reader;
    object->device = info->device;
    object->inode = info->inode;
}

// Makes the object of a descriptor, which is closed if this fails.
static VmemResult vmem__posix_adopt(VmemObject* object, int file, int reader) {
    vmem__File info;
    VmemResult result = vmem__posix_identify(file, &info);
    if (result == VMEM_SUCCESS)
        vmem__posix_set_object(object, file, reader, &info);
    else
        vmem__posix_close_quietly(file);
    return result;
}

// Makes the object of a duplicate. Only the duplicate is examined: another thread may close the descriptor and open
// another file.
static VmemResult vmem__posix_adopt_duplicate(VmemObject* object, intptr_t handle,
                                              bool accepts(int, const vmem__File*)) {
    vmem__File info;
    VmemResult result;
    int file;
    if (!vmem__posix_can_be_descriptor(handle)) return VMEM_ERROR_INVALID_ARGUMENT;
    file = vmem__posix_duplicate((int)handle);
    if (file < 0) return vmem__posix_descriptor_result();
    result = vmem__posix_identify(file, &info);
    if (result == VMEM_SUCCESS && !accepts(file, &info)) result = VMEM_ERROR_INVALID_ARGUMENT;
    if (result == VMEM_SUCCESS)
        vmem__posix_set_object(object, file, -1, &info);
    else
        vmem__posix_close_quietly(file);
    return result;
}

static VmemResult vmem__os_object_from_file(VmemObject* object, intptr_t file) {
    return vmem__posix_adopt_duplicate(object, file, vmem__posix_is_file);
}

static inline VmemResult vmem__posix_close_object(VmemObject* object) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    if (vmem__posix_close((int)object->handle) != 0) return vmem__posix_last_result();
    object->handle = -1;
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_size(const VmemObject* object, size_t* num_bytes) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result == VMEM_SUCCESS) *num_bytes = info.size < SIZE_MAX ? (size_t)info.size : SIZE_MAX;
    return result;
}

static void* vmem__posix_map_object(const VmemObject* object, void* ptr, size_t size, size_t offset, int protection,
                                    int flags) {
    off_t start = (off_t)offset;
    if (start >= 0 && (size_t)start == offset)
        ptr = VMEM_FAIL("mmap") ? MAP_FAILED : mmap(ptr, size, protection, flags, (int)object->handle, start);
    else {
        errno = EOVERFLOW;
        ptr = MAP_FAILED;
    }
    if (ptr == MAP_FAILED) return NULL;
    vmem__posix_set_dumped(ptr, size, false);
    return ptr;
}

static void* vmem__os_object_map(const VmemObject* object, size_t size, size_t offset, VmemProtection protection) {
    int access;
    if (!vmem__posix_is(object)) return NULL;
    access = vmem__posix_object_protection((int)object->handle, protection);
    return vmem__posix_map_object(object, NULL, size, offset, access, MAP_SHARED);
}

// Maps the object in place of a part of a reservation.
static bool vmem__posix_map_into(const VmemObject* object, char* ptr, size_t size, size_t offset, int protection) {
    return vmem__posix_map_object(object, ptr, size, offset, protection, MAP_SHARED | MAP_FIXED) != NULL;
}

static void vmem__posix_unmap_quietly(void* ptr, size_t size) {
    int error = errno;
    vmem__posix_munmap(ptr, size);
    errno = error;
}

static void* vmem__os_object_map_aligned(const VmemObject* object, size_t size, size_t offset,
                                         VmemProtection protection, size_t align) {
    void* ptr;
    int access;
    if (!vmem__posix_is(object) || !(ptr = vmem__os_reserve_aligned(size, align))) return NULL;
    access = vmem__posix_object_protection((int)object->handle, protection);
    if (vmem__posix_map_into(object, (char*)ptr, size, offset, access)) return ptr;
    vmem__posix_unmap_quietly(ptr, size);
    return NULL;
}

static VmemResult vmem__os_object_unmap(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

// The head and what follows it are one mapping.
static void* vmem__os_object_map_mirrored(const VmemObject* object, size_t size, size_t head_size,
                                          VmemProtection protection) {
    const int access = vmem__posix_protection(protection);
    const size_t first_size = head_size + size;
    char* ptr;
    if (!vmem__posix_is(object)) return NULL;
    ptr = (char*)vmem__posix_map(NULL, first_size + size, 0);
    if (ptr == (char*)MAP_FAILED) return NULL;
    if (vmem__posix_map_into(object, ptr, first_size, 0, access) &&
        vmem__posix_map_into(object, ptr + first_size, size, head_size, access))
        return ptr;
    vmem__posix_unmap_quietly(ptr, first_size + size);
    return NULL;
}

// A mapping shows what the file has.
static VmemResult vmem__os_object_resize_mapped(const VmemObject* object, void* ptr, size_t* size,
                                                VmemProtection protection, size_t num_bytes) {
    vmem__File info;
    (void)ptr, (void)size, (void)protection;
    return num_bytes == SIZE_MAX ? vmem__posix_find(object, &info) : vmem__os_object_resize(object, num_bytes);
}

static VmemResult vmem__os_object_unmap_mirrored(void* ptr, size_t size, size_t head_size) {
    return vmem__os_release(ptr, head_size + 2 * size);
}

static inline VmemResult vmem__posix_make_private(const VmemObject* object, void* ptr, size_t size, size_t offset,
                                                  int flags) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    ptr = vmem__posix_map_object(object, ptr, size, offset, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | flags);
    return ptr ? VMEM_SUCCESS : vmem__posix_last_result();
}

#if defined(VMEM__USES_SHM_OPEN)

// Memory of these systems has its maximum size from the start. Nothing but truncation could make it grow, which shrinks
// what another process has made grow in between; macOS lets memory be truncated once. Only pages that are touched take
// memory.
//
// The blocks define the number of F_DUPFD_CLOEXEC, which strict POSIX may hide, and these three.

// Writes the pages of a file. Returns 0, or -1 on failure.
static int vmem__posix_sync(int file, void* ptr, size_t size, bool durable);

// Gives a file this size, and blocks of the disk where it can. Returns 0, or -1 on failure.
static int vmem__posix_allocate(int file, off_t start, off_t end);

// Whether memory has no name, as far as the system tells.
static bool vmem__posix_has_no_name(int file, const struct stat* status);

// macOS does not number memory, nor sockets: type and size, which never change, tell most of them apart.
static int vmem__posix_stat(int file, vmem__File* info) {
    if (vmem__posix_fstat(file, info) != 0) return -1;
    if (info->inode == 0 && !info->is_regular) info->inode = ((uint64_t)info->mode << 48) + info->size + 1;
    return 0;
}

static int vmem__posix_ftruncate(int file, off_t size) { return VMEM_FAIL("ftruncate") ? -1 : ftruncate(file, size); }

static bool vmem__posix_is_file(int file, const vmem__File* info) {
    (void)file;
    return info->is_regular;
}

// Memory is the only thing that can be mapped and has no name, and on macOS it has no type either.
static bool vmem__posix_is_memory(int file, const vmem__File* info) {
    struct stat status;
    if (info->size == 0 || VMEM_FAIL("fstat") || fstat(file, &status) != 0) return false;
    if (S_ISDIR(status.st_mode) || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) return false;
    if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || S_ISLNK(status.st_mode)) return false;
    return vmem__posix_has_no_name(file, &status);
}

// Writes "/vmem." and two numbers in hexadecimal. macOS allows 31 characters.
static void vmem__posix_write_name(char* name, uint32_t first, uint32_t second) {
    static const char digits[] = "0123456789abcdef";
    int i;
    memcpy(name, "/vmem.", 6);
    for (i = 0; i < 8; i++) {
        name[6 + i] = digits[(first >> (28 - 4 * i)) & 15];
        name[14 + i] = digits[(second >> (28 - 4 * i)) & 15];
    }
    name[22] = 0;
}

static int vmem__posix_shm_open(const char* name, int flags) {
    return VMEM_FAIL("shm_open") ? -1 : shm_open(name, flags, 0600);
}

// Opens memory by a name that nobody else uses, for writing and for reading, and removes the name. It stays behind if
// the process is killed in between.
static VmemResult vmem__posix_open_memory(VmemObject* object, const char* name) {
    int file = vmem__posix_shm_open(name, O_RDWR | O_CREAT | O_EXCL), reader, error;
    if (file < 0) return vmem__posix_last_result();
    reader = vmem__posix_shm_open(name, O_RDONLY);
    error = errno;
    if (!VMEM_FAIL("shm_unlink")) shm_unlink(name);
    errno = error;
    if (reader >= 0 && vmem__posix_ftruncate(file, (off_t)object->max_bytes) == 0) {
        VmemResult result = vmem__posix_adopt(object, file, reader);
        if (result != VMEM_SUCCESS) vmem__posix_close_quietly(reader);
        return result;
    }
    if (reader >= 0) vmem__posix_close_quietly(reader);
    vmem__posix_close_quietly(file);
    return vmem__posix_last_result();
}

// How many names are tried, if others have those of the first attempts.
#define VMEM__NAME_ATTEMPTS 64

static VmemResult vmem__os_object_create(VmemObject* object, const char* name) {
    VmemResult result = VMEM_ERROR_SYSTEM;
    int error = errno, attempt;
    char unused[24];
    (void)name;
    if ((off_t)object->max_bytes < 0 || (size_t)(off_t)object->max_bytes != object->max_bytes) {
        errno = EFBIG;
        return VMEM_ERROR_OUT_OF_MEMORY;
    }
    for (attempt = 0; attempt < VMEM__NAME_ATTEMPTS; attempt++) {
        // The process, and an address that differs between threads and, by chance, between processes.
        vmem__posix_write_name(unused, (uint32_t)getpid(), (uint32_t)((uintptr_t)&unused >> 4) + (uint32_t)attempt);
        result = vmem__posix_open_memory(object, unused);
        if (result == VMEM_SUCCESS) errno = error;
        if (result == VMEM_SUCCESS || errno != EEXIST) return result;
    }
    return result;
}

static VmemResult vmem__os_object_import(VmemObject* object, intptr_t handle) {
    VmemResult result = vmem__posix_adopt_duplicate(object, handle, vmem__posix_is_memory);
    if (result != VMEM_SUCCESS) return result;
    result = vmem__os_object_size(object, &object->max_bytes);
    if (result != VMEM_SUCCESS) vmem__posix_close_quietly((int)object->handle);
    return result;
}

static int vmem__posix_get_access(int file) {
    int flags = VMEM_FAIL("fcntl") ? -1 : fcntl(file, F_GETFL);
    return flags < 0 ? -1 : flags & O_ACCMODE;
}

// Memory that was imported to be written cannot be opened again to read it: it has no name.
static VmemResult vmem__os_object_export(const VmemObject* object, bool writable, intptr_t* handle) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    int file = (int)object->handle;
    if (result != VMEM_SUCCESS) return result;
    if (!writable && object->reader >= 0) {
        VmemObject reader = *object;
        reader.handle = object->reader;
        result = vmem__posix_find(&reader, &info);
        if (result != VMEM_SUCCESS) return result;
        file = (int)object->reader;
    } else if (!writable) {
        int access = vmem__posix_get_access(file);
        if (access < 0) return vmem__posix_last_result();
        if (access != O_RDONLY) return VMEM_ERROR_UNSUPPORTED;
    }
    file = vmem__posix_duplicate(file);
    if (file < 0) return vmem__posix_descriptor_result();
    *handle = file;
    return VMEM_SUCCESS;
}

// The reader is closed even if the handle stands for something else now. Closing it again does nothing.
static VmemResult vmem__os_object_close(VmemObject* object) {
    VmemObject reader = *object;
    VmemResult result = vmem__posix_close_object(object);
    bool is_gone = result == VMEM_SUCCESS || result == VMEM_ERROR_INVALID_ARGUMENT;
    int error = errno;
    if (!is_gone || object->reader < 0) return result;
    reader.handle = object->reader;
    vmem__posix_close_object(&reader);
    errno = error;
    if (result == VMEM_SUCCESS) object->reader = -1;
    return result;
}

// A disk that is full is found out here where the system can reserve blocks, else when pages are touched.
static VmemResult vmem__posix_grow(int file, uint64_t size, uint64_t end) {
    VmemResult result;
    int error;
    if (vmem__posix_allocate(file, (off_t)size, (off_t)end) == 0) return VMEM_SUCCESS;
    result = vmem__posix_last_result();
    error = errno;
    vmem__posix_ftruncate(file, (off_t)size);
    errno = error;
    return result;
}

static VmemResult vmem__posix_check_writable(int file) {
    int access = vmem__posix_get_access(file);
    if (access < 0) return vmem__posix_last_result();
    if (access != O_RDONLY) return VMEM_SUCCESS;
    errno = EACCES;
    return VMEM_ERROR_ACCESS_DENIED;
}

// Only files grow.
static VmemResult vmem__os_object_commit(const VmemObject* object, size_t offset, size_t size) {
    uint64_t end = (uint64_t)offset + size;
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result == VMEM_SUCCESS) result = vmem__posix_check_writable((int)object->handle);
    if (result != VMEM_SUCCESS) return result;
    if (end <= info.size) return VMEM_SUCCESS;
    return vmem__posix_grow((int)object->handle, info.size, end);
}

static VmemResult vmem__os_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                        size_t min_size) {
    const char* next = (const char*)buffer;
    vmem__File info;
    VmemResult result = vmem__posix_find_file(object, min_size, &info);
    while (result == VMEM_SUCCESS && num_bytes > 0) {
        ssize_t count = VMEM_FAIL("pwrite") ? -1 : pwrite((int)object->handle, next, num_bytes, (off_t)offset);
        if (count < 0 && errno != EINTR) return errno == EBADF ? VMEM_ERROR_ACCESS_DENIED : vmem__posix_last_result();
        count = count < 0 ? 0 : count;
        next += count;
        num_bytes -= (size_t)count;
        offset += (size_t)count;
    }
    return result;
}

static VmemResult vmem__os_object_resize(const VmemObject* object, size_t size) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS || size == info.size) return result;
    result = vmem__posix_check_writable((int)object->handle);
    if (result != VMEM_SUCCESS) return result;
    if (size > info.size) return vmem__posix_grow((int)object->handle, info.size, size);
    return vmem__posix_result_of(vmem__posix_ftruncate((int)object->handle, (off_t)size));
}

#if defined(LOCK_UN)
static int vmem__posix_unlock(int file) { return flock(file, LOCK_UN); }
#else
static int vmem__posix_unlock(int file) { return (void)file, 0; }
#endif

static VmemResult vmem__os_object_publish(VmemObject* object, size_t before, size_t num_bytes) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    (void)before;
    if (result != VMEM_SUCCESS) return result;
    if (num_bytes != SIZE_MAX) return VMEM_ERROR_UNSUPPORTED;
    return vmem__posix_result_of(VMEM_FAIL("flock") ? -1 : vmem__posix_unlock((int)object->handle));
}

static VmemResult vmem__os_object_get_published(VmemObject* object, size_t* num_bytes) {
    (void)num_bytes;
    return vmem__os_object_publish(object, 0, 0);
}

static VmemResult vmem__os_object_seal(const VmemObject* object, unsigned seals) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    (void)seals;
    return result == VMEM_SUCCESS ? VMEM_ERROR_UNSUPPORTED : result;
}

static VmemResult vmem__os_object_get_seals(const VmemObject* object, unsigned* seals) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result == VMEM_SUCCESS) *seals = 0;
    return result;
}

// Memory cannot be read as a file everywhere.
static VmemResult vmem__os_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset) {
    size_t start = (size_t)vmem_align_backward(offset, vmem__os_page_size()), size = offset - start + num_bytes;
    char* ptr;
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    if ((uint64_t)offset + num_bytes > info.size) return VMEM_ERROR_INVALID_ARGUMENT;
    ptr = (char*)vmem__posix_map_object(object, NULL, size, start, PROT_READ, MAP_SHARED);
    if (!ptr) return vmem__posix_last_result();
    memcpy(buffer, ptr + (offset - start), num_bytes);
    vmem__posix_unmap_quietly(ptr, size);
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_object_flush(const VmemObject* object, void* ptr, size_t size, bool durable) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    return result == VMEM_SUCCESS ? vmem__posix_result_of(vmem__posix_sync((int)object->handle, ptr, size, durable))
                                  : result;
}

#endif  // VMEM__USES_SHM_OPEN

#endif  // VMEM__POSIX

// >>os linux ----------------------------------------------------------------------------------------------------------

#if defined(VMEM__LINUX)

#if !defined(VMEM__MAP_ANONYMOUS)
#if defined(__mips__) || defined(__xtensa__)
#define VMEM__MAP_ANONYMOUS 0x800
#elif defined(__alpha__) || defined(__hppa__)
#define VMEM__MAP_ANONYMOUS 0x10
#else
#define VMEM__MAP_ANONYMOUS 0x20
#endif
#endif

// Declared here where strict C99 or POSIX makes the C library hide them. Android's library hides nothing.
#if !defined(__USE_MISC) && !defined(_GNU_SOURCE) && !defined(_BSD_SOURCE) && !defined(__ANDROID__)
int mincore(void*, size_t, unsigned char*);
int madvise(void*, size_t, int);
long syscall(long, ...);
#endif

// Without MAP_NORESERVE, with which the kernel would never charge the memory, not even when it is committed.
static void* vmem__posix_map(void* ptr, size_t size, int flags) {
    return VMEM_FAIL("mmap") ? MAP_FAILED
                             : mmap(ptr, size, PROT_NONE, MAP_PRIVATE | VMEM__MAP_ANONYMOUS | flags, -1, 0);
}

static void* vmem__os_reserve_aligned(size_t size, size_t align) { return vmem__posix_reserve_and_trim(size, align); }

// Constants of the kernel that the C library's headers may lack.
#if defined(__hppa__)
#define VMEM__MADV_HUGEPAGE 67
#define VMEM__MADV_DONTDUMP 69
#define VMEM__MADV_DODUMP 70
#define VMEM__MADV_WIPEONFORK 71
#define VMEM__MADV_KEEPONFORK 72
#else
#define VMEM__MADV_HUGEPAGE 14
#define VMEM__MADV_DONTDUMP 16
#define VMEM__MADV_DODUMP 17
#define VMEM__MADV_WIPEONFORK 18
#define VMEM__MADV_KEEPONFORK 19
#endif
#if defined(__alpha__)
#define VMEM__MADV_DONTNEED 6
#else
#define VMEM__MADV_DONTNEED 4
#endif
#define VMEM__MADV_DONTFORK 10
#define VMEM__MADV_DOFORK 11
#define VMEM__MADV_POPULATE_WRITE 23
#define VMEM__MADV_DONTNEED_LOCKED 24
#define VMEM__MLOCK_ONFAULT 1
#define VMEM__PR_SET_VMA 0x53564d41
#define VMEM__PR_SET_VMA_ANON_NAME 0ul

static int vmem__linux_madvise(void* ptr, size_t size, int advice) {
    return VMEM_FAIL("madvise") ? -1 : madvise(ptr, size, advice);
}

static int vmem__linux_mincore(void* ptr, size_t size, char* pages) {
    return VMEM_FAIL("mincore") ? -1 : mincore(ptr, size, (unsigned char*)pages);
}

// The kernel writes no memory to core files that was never touched, but gdb's gcore writes all that is mapped, unless it
// has the flag that MADV_DONTDUMP sets. Reserved pages that have it are merged only with such pages, so that decommitting
// has to set it again.
static void vmem__posix_set_dumped(void* ptr, size_t size, bool is_dumped) {
    int error = errno;
    vmem__linux_madvise(ptr, size, is_dumped ? VMEM__MADV_DODUMP : VMEM__MADV_DONTDUMP);
    errno = error;
}

static bool vmem__linux_is_denied(int error) { return error == ENOSYS || error == EPERM; }

// What madvise() does here. A filter of system calls can deny it, and emulators such as QEMU's user mode answer 0 to
// advice that they do not follow.
enum {
    VMEM__ADVICE_TRIED = 1,
    VMEM__ADVICE_EXISTS = 2,            // madvise() is not denied
    VMEM__ADVICE_IS_HONEST = 4,         // advice that does not exist is refused
    VMEM__ADVICE_DISCARDS = 8,          // MADV_DONTNEED
    VMEM__ADVICE_DISCARDS_LOCKED = 16,  // MADV_DONTNEED_LOCKED
    VMEM__ADVICE_POPULATES = 32         // MADV_POPULATE_WRITE
};
#define VMEM__MADV_NONEXISTENT 0x7ffffffe

static bool vmem__linux_page_is_resident(char* page, size_t page_size) {
    char pages[64] = {
        1};  // more than one, because emulators with large pages write a byte for each page of the machine
    return vmem__linux_mincore(page, page_size, pages) == 0 && (pages[0] & 1) != 0;
}

// Whether advice drops what is written to a page. Clears `*is_certain` if it fails for a reason that may pass.
static bool vmem__linux_drops(volatile char* page, size_t page_size, int advice, bool* is_certain) {
    *page = 1;
    if (vmem__linux_madvise(vmem__pointer((uintptr_t)page), page_size, advice) == 0) return *page == 0;
    if (errno != EINVAL) *is_certain = false;
    return false;
}

// Tries advice on a page that is committed as those of a reservation are. Returns 0 if it cannot tell.
static int vmem__linux_try_advice_on(char* page, size_t page_size) {
    int found = VMEM__ADVICE_TRIED;
    bool is_refused = vmem__linux_madvise(page, page_size, VMEM__MADV_NONEXISTENT) != 0, is_certain = true;
    if (is_refused && vmem__linux_is_denied(errno)) return found;
    found |= VMEM__ADVICE_EXISTS;
    if (is_refused) found |= VMEM__ADVICE_IS_HONEST;
    if (vmem__linux_drops(page, page_size, VMEM__MADV_DONTNEED, &is_certain)) found |= VMEM__ADVICE_DISCARDS;
    if (vmem__linux_drops(page, page_size, VMEM__MADV_DONTNEED_LOCKED, &is_certain))
        found |= VMEM__ADVICE_DISCARDS_LOCKED;
    vmem__linux_madvise(page, page_size, VMEM__MADV_DONTNEED);
    if (!vmem__linux_page_is_resident(page, page_size) &&
        vmem__linux_madvise(page, page_size, VMEM__MADV_POPULATE_WRITE) == 0 &&
        vmem__linux_page_is_resident(page, page_size))
        found |= VMEM__ADVICE_POPULATES;
    return is_certain ? found : 0;
}

// Returns 0 if it cannot tell, or if there is no page to be had. After mlockall() new pages are locked, and MADV_DONTNEED fails.
static int vmem__linux_try_advice(void) {
    size_t page_size = vmem__os_page_size();
    char* page = (char*)vmem__posix_map(NULL, page_size, 0);
    int found = 0;
    if (page == (char*)MAP_FAILED) return 0;
    if (vmem__posix_mprotect(page, page_size, PROT_READ | PROT_WRITE) == 0 && vmem__posix_munlock(page, page_size) == 0)
        found = vmem__linux_try_advice_on(page, page_size);
    vmem__posix_munmap(page, page_size);
    return found;
}

// What was found when it was first needed; 0 before. Threads that try at the same time find the same.
static int vmem__linux_advice;

static int vmem__linux_find_advice(void) {
    int error = errno, found = __atomic_load_n(&vmem__linux_advice, __ATOMIC_RELAXED);
    if (found == 0) {
        found = vmem__linux_try_advice();
        __atomic_store_n(&vmem__linux_advice, found, __ATOMIC_RELAXED);
        errno = error;
    }
    // If that cannot be told now, what nearly every system does is assumed.
    return found ? found : VMEM__ADVICE_EXISTS | VMEM__ADVICE_DISCARDS | VMEM__ADVICE_DISCARDS_LOCKED;
}

// Tries again: a process can deny itself system calls at any time.
static int vmem__linux_find_advice_again(void) {
    __atomic_store_n(&vmem__linux_advice, 0, __ATOMIC_RELAXED);
    return vmem__linux_find_advice();
}

// MADV_DONTNEED fails with EINVAL for locked pages. Before Linux 5.18 no advice discards those.
static VmemResult vmem__linux_discard_by_advice(void* ptr, size_t size, int found) {
    int error = errno;
    int status = vmem__linux_madvise(ptr, size, VMEM__MADV_DONTNEED);
    if (status != 0 && errno == EINVAL && (found & VMEM__ADVICE_DISCARDS_LOCKED))
        status = vmem__linux_madvise(ptr, size, VMEM__MADV_DONTNEED_LOCKED);
    if (status != 0) return vmem__posix_last_result();
    errno = error;
    return VMEM_SUCCESS;
}

// Where madvise() cannot discard, fresh memory is mapped, as on macOS.
static VmemResult vmem__os_discard(void* ptr, size_t size) {
    int error = errno, found = vmem__linux_find_advice();
    if (found & VMEM__ADVICE_DISCARDS) {
        VmemResult result = vmem__linux_discard_by_advice(ptr, size, found);
        int advice_error = errno;
        if (result == VMEM_SUCCESS || !vmem__linux_is_denied(advice_error)) return result;
        found = vmem__linux_find_advice_again();
        errno = advice_error;
        if (found & VMEM__ADVICE_DISCARDS) return result;
        errno = error;
    }
    return vmem__posix_remap_and_commit(ptr, size);
}

// At the mapping limit nothing can be mapped. The memory can still be returned, and usually the access be removed.
static VmemResult vmem__os_decommit(void* ptr, size_t size) {
    VmemResult result = vmem__posix_remap(ptr, size);
    int error = errno, found = result == VMEM_ERROR_OUT_OF_MEMORY ? vmem__linux_find_advice() : 0;
    if (!(found & VMEM__ADVICE_DISCARDS) || vmem__linux_discard_by_advice(ptr, size, found) != VMEM_SUCCESS) {
        errno = error;
        return result;
    }
    vmem__posix_mprotect(ptr, size, PROT_NONE);
    vmem__posix_set_dumped(ptr, size, false);
    errno = error;
    return VMEM_DECOMMIT_INCOMPLETE;
}

static VmemResult vmem__os_flush_instruction_cache(void* ptr, size_t num_bytes) {
    return vmem__posix_flush_instruction_cache(ptr, num_bytes);
}

static VmemResult vmem__os_prefault(void* ptr, size_t size) {
    int error = errno;
    if (vmem__linux_find_advice() & VMEM__ADVICE_POPULATES) {
        int status = vmem__linux_madvise(ptr, size, VMEM__MADV_POPULATE_WRITE);
        if (status == 0 || !vmem__linux_is_denied(errno)) return vmem__posix_result_of(status);
        errno = error;
    }
    vmem__touch(ptr, size, vmem__os_page_size());
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_advise_huge_pages(void* ptr, size_t size) {
    VmemResult result = vmem__posix_result_of(vmem__linux_madvise(ptr, size, VMEM__MADV_HUGEPAGE));
    return result == VMEM_ERROR_INVALID_ARGUMENT ? VMEM_ERROR_UNSUPPORTED : result;  // the kernel lacks them
}

// Unlike huge pages, this is not a mere hint: a system that does not follow it must not say so.
static VmemResult vmem__linux_follow(void* ptr, size_t size, int advice) {
    VmemResult result = vmem__posix_result_of(vmem__linux_madvise(ptr, size, advice));
    if (result == VMEM_ERROR_INVALID_ARGUMENT || result == VMEM_ERROR_ACCESS_DENIED) return VMEM_ERROR_UNSUPPORTED;
    return result;
}

// What can be unsupported comes first, so that nothing has changed then. Kernels without MADV_WIPEONFORK need no
// MADV_KEEPONFORK.
static VmemResult vmem__os_advise_fork(void* ptr, size_t size, VmemFork inheritance) {
    int error = errno;
    VmemResult result;
    if (!(vmem__linux_find_advice() & VMEM__ADVICE_IS_HONEST)) return VMEM_ERROR_UNSUPPORTED;
    if (inheritance == VMEM_FORK_NONE) return vmem__linux_follow(ptr, size, VMEM__MADV_DONTFORK);
    result =
        vmem__linux_follow(ptr, size, inheritance == VMEM_FORK_ZERO ? VMEM__MADV_WIPEONFORK : VMEM__MADV_KEEPONFORK);
    if (result != VMEM_SUCCESS && (inheritance == VMEM_FORK_ZERO || result != VMEM_ERROR_UNSUPPORTED)) return result;
    errno = error;
    return vmem__linux_follow(ptr, size, VMEM__MADV_DOFORK);
}

static VmemResult vmem__os_advise_dump(void* ptr, size_t size, bool is_dumped) {
    if (!(vmem__linux_find_advice() & VMEM__ADVICE_IS_HONEST)) return VMEM_ERROR_UNSUPPORTED;
    return vmem__linux_follow(ptr, size, is_dumped ? VMEM__MADV_DODUMP : VMEM__MADV_DONTDUMP);
}

// C libraries have mlock2() since glibc 2.27 and musl 1.2.6.
#if defined(SYS_mlock2)
static int vmem__linux_mlock2(void* ptr, size_t size, int flags) {
    return VMEM_FAIL("mlock2") ? -1 : (int)syscall(SYS_mlock2, ptr, size, flags);
}
#else
static int vmem__linux_mlock2(void* ptr, size_t size, int flags) {
    (void)ptr, (void)size, (void)flags;
    errno = ENOSYS;
    return -1;
}
#endif

// With zero bytes there is nothing to lock.
static bool vmem__linux_can_lock_on_fault(void) {
    return vmem__linux_mlock2(NULL, 0, VMEM__MLOCK_ONFAULT) == 0 || !vmem__linux_is_denied(errno);
}

static VmemResult vmem__os_lock_on_fault(void* ptr, size_t size) {
    return vmem__posix_result_of(vmem__linux_mlock2(ptr, size, VMEM__MLOCK_ONFAULT));
}

static VmemResult vmem__os_set_name(void* ptr, size_t size, const char* name) {
    VmemResult result = vmem__posix_result_of(
        VMEM_FAIL("prctl") ? -1 : prctl(VMEM__PR_SET_VMA, VMEM__PR_SET_VMA_ANON_NAME, ptr, (unsigned long)size, name));
    return result == VMEM_ERROR_INVALID_ARGUMENT ? VMEM_ERROR_UNSUPPORTED : result;  // the kernel lacks them
}

static VmemResult vmem__os_count_resident(uintptr_t start, size_t size, size_t* num_resident) {
    return vmem__posix_count_resident(start, size, num_resident, vmem__linux_mincore);
}

#define VMEM__KIB 1024u

// The kernel's default for vm.max_map_count, used if that cannot be read.
#define VMEM__LINUX_MAPPING_LIMIT 65530

// Where strict C99 hides O_CLOEXEC, a child process that is started while a file is open inherits the descriptor.
#if defined(O_CLOEXEC)
#define VMEM__OPEN_FLAGS (O_RDONLY | O_CLOEXEC)
#else
#define VMEM__OPEN_FLAGS O_RDONLY
#endif

// A number in a file of lines like "MemTotal:  16315424 kB".
typedef struct vmem__Field {
    const char* key;  // "MemTotal:", or "" for a file that is one number
    uint64_t number;  // unchanged if there is no such line
} vmem__Field;

static int vmem__linux_open(const char* path) { return VMEM_FAIL("open") ? -1 : open(path, VMEM__OPEN_FLAGS); }

static ssize_t vmem__linux_read(int file, char* text, size_t size) {
    return VMEM_FAIL("read") ? -1 : read(file, text, size);
}

static void vmem__linux_close(int file) {
    if (!VMEM_FAIL("close")) close(file);
}

// A file that is read line by line, without stdio and without allocating: it is read when memory has run out.
typedef struct vmem__Lines {
    int file;
    char* line;          // the line that was read last, cut off if it is too long
    size_t size;         // of `line`
    size_t next, end;    // the unread part of `text`
    ssize_t last_count;  // the result of the last read(): 0 at the end of the file, -1 after a failure
    char text[1024];
} vmem__Lines;

static void vmem__linux_start_lines(vmem__Lines* lines, int file, char* line, size_t size) {
    lines->file = file;
    lines->line = line;
    lines->size = size;
    lines->next = lines->end = 0;
    lines->last_count = 0;
}

static bool vmem__linux_open_lines(vmem__Lines* lines, const char* path, char* line, size_t size) {
    int file = vmem__linux_open(path);
    vmem__linux_start_lines(lines, file, line, size);
    return file >= 0;
}

static bool vmem__linux_read_text(vmem__Lines* lines) {
    lines->last_count = vmem__linux_read(lines->file, lines->text, sizeof lines->text);
    lines->next = 0;
    lines->end = lines->last_count > 0 ? (size_t)lines->last_count : 0;
    return lines->end > 0;
}

// Reads the next line. False at the end of the file, and if it cannot be read.
static bool vmem__linux_next_line(vmem__Lines* lines) {
    size_t length = 0;
    const char* newline = NULL;
    while (!newline) {
        size_t free_size = lines->size - 1 - length, count, i;
        const char* text;
        if (lines->next == lines->end && !vmem__linux_read_text(lines)) return false;
        text = lines->text + lines->next;
        newline = (const char*)memchr(text, '\n', lines->end - lines->next);
        count = newline ? (size_t)(newline - text) : lines->end - lines->next;
        for (i = 0; i < count && i < free_size; i++) lines->line[length++] = text[i];
        lines->next += count + (newline ? 1 : 0);
    }
    lines->line[length] = 0;
    return true;
}

static void vmem__linux_read_field(const char* line, vmem__Field* field) {
    size_t length = strlen(field->key);
    const char* at = line + length;
    uint64_t number = 0;
    if (strncmp(line, field->key, length) != 0) return;
    while (*at == ' ' || *at == '\t') at++;
    while (*at >= '0' && *at <= '9') number = number * 10 + (uint64_t)(*at++ - '0');
    field->number = number;
}

static void vmem__linux_read_fields(const char* path, vmem__Field* fields, size_t num_fields) {
    vmem__Lines lines;
    char line[64];
    size_t i;
    if (!vmem__linux_open_lines(&lines, path, line, sizeof line)) return;
    while (vmem__linux_next_line(&lines)) {
        for (i = 0; i < num_fields; i++) vmem__linux_read_field(line, &fields[i]);
    }
    vmem__linux_close(lines.file);
}

// The number in a file that has nothing else; `fallback` if it cannot be read.
static uint64_t vmem__linux_read_number(const char* path, uint64_t fallback) {
    vmem__Field field = {"", 0};
    field.number = fallback;
    vmem__linux_read_fields(path, &field, 1);
    return field.number;
}

static VmemProtection vmem__linux_protection(bool can_read, bool can_write, bool can_execute) {
    if (can_execute) return can_write ? VMEM_READ_WRITE_EXECUTE : can_read ? VMEM_READ_EXECUTE : VMEM_EXECUTE;
    return can_write ? VMEM_READ_WRITE : can_read ? VMEM_READ : VMEM_NO_ACCESS;
}

typedef struct vmem__Mapping {
    uintptr_t start, end;
    VmemProtection protection;
} vmem__Mapping;

static uintptr_t vmem__linux_read_hexadecimal(const char** text) {
    uintptr_t number = 0;
    for (;; (*text)++) {
        char c = **text;
        if (c >= '0' && c <= '9')
            number = number * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number * 16 + (uintptr_t)(c - 'a' + 10);
        else
            return number;
    }
}

// On x86-64 /proc/self/maps lists a page in the kernel's half of the addresses, [vsyscall]. It is not a mapping of the
// process: limits do not count it, and PROCMAP_QUERY does not report it. Elsewhere a process can have all addresses.
#if defined(__x86_64__) && defined(__LP64__)
static bool vmem__linux_is_kernel_address(uintptr_t address) { return address >> 63 != 0; }
#else
static bool vmem__linux_is_kernel_address(uintptr_t address) {
    (void)address;
    return false;
}
#endif

// Reads the next line of /proc/self/maps, "start-end rwxp ...". False at the end of the file, and if it cannot be read.
static bool vmem__linux_next_mapping(vmem__Lines* lines, vmem__Mapping* mapping) {
    while (vmem__linux_next_line(lines)) {
        const char* at = lines->line;
        mapping->start = vmem__linux_read_hexadecimal(&at);
        at += *at == '-';
        mapping->end = vmem__linux_read_hexadecimal(&at);
        at += *at == ' ';
        if (strlen(at) < 3 || vmem__linux_is_kernel_address(mapping->start)) continue;
        mapping->protection = vmem__linux_protection(at[0] == 'r', at[1] == 'w', at[2] == 'x');
        return true;
    }
    return false;
}

static uint64_t vmem__linux_count_mappings(void) {
    vmem__Lines lines;
    vmem__Mapping mapping;
    char line[64];
    uint64_t count = 0;
    if (!vmem__linux_open_lines(&lines, "/proc/self/maps", line, sizeof line)) return 0;
    while (vmem__linux_next_mapping(&lines, &mapping)) count++;
    vmem__linux_close(lines.file);
    return count;
}

// struct procmap_query of <linux/fs.h>.
typedef struct vmem__MappingQuery {
    uint64_t size, flags, address;              // in
    uint64_t start, end, protection;            // out
    uint64_t page_size, offset, inode;          // unused
    uint32_t device[2], name_size, build_size;  // unused
    uint64_t name, build;                       // unused
} vmem__MappingQuery;

#if defined(__GLIBC__)
typedef unsigned long vmem__Request;
#else
typedef int vmem__Request;  // musl and bionic
#endif
#if defined(_IOWR)
#define VMEM__PROCMAP_QUERY ((vmem__Request)_IOWR(0x66, 17, vmem__MappingQuery))
#else
#define VMEM__PROCMAP_QUERY ((vmem__Request)0xc0686611u)
#endif
#define VMEM__COVERING_OR_NEXT 0x10

// Describes an address by the first mapping that ends above it; if there is none, `mapping->end` is 0.
static void vmem__linux_describe(uintptr_t address, const vmem__Mapping* mapping, VmemRange* range) {
    bool is_free = mapping->end == 0 || address < mapping->start;
    uintptr_t first = is_free ? address : mapping->start;
    uintptr_t last = is_free ? mapping->start : mapping->end;  // 0 if up to the last address
    range->base = vmem__pointer(first);
    range->size = last - first;
    range->protection = is_free ? VMEM_NO_ACCESS : mapping->protection;
    range->state = is_free ? VMEM_FREE : range->protection == VMEM_NO_ACCESS ? VMEM_RESERVED : VMEM_COMMITTED;
}

// Asks the kernel. ENOENT means that no mapping ends above the address; with any other error it cannot tell: false.
static bool vmem__linux_query_by_ioctl(int file, uintptr_t address, VmemRange* range) {
    vmem__MappingQuery query;
    vmem__Mapping mapping = {0, 0, VMEM_NO_ACCESS};
    memset(&query, 0, sizeof query);
    query.size = sizeof query;
    query.flags = VMEM__COVERING_OR_NEXT;
    query.address = address;
    if (!VMEM_FAIL("ioctl") && ioctl(file, VMEM__PROCMAP_QUERY, &query) == 0) {
        mapping.start = (uintptr_t)query.start;
        mapping.end = (uintptr_t)query.end;
        mapping.protection = vmem__linux_protection((query.protection & 1) != 0, (query.protection & 2) != 0,
                                                    (query.protection & 4) != 0);
    } else if (errno != ENOENT) {
        return false;
    }
    vmem__linux_describe(address, &mapping, range);
    return true;
}

// Reads /proc/self/maps up to the first mapping that ends above the address.
static VmemResult vmem__linux_query_by_reading(int file, uintptr_t address, VmemRange* range) {
    vmem__Lines lines;
    vmem__Mapping mapping = {0, 0, VMEM_NO_ACCESS};
    char line[64];
    bool found = false;
    vmem__linux_start_lines(&lines, file, line, sizeof line);
    while (!found && vmem__linux_next_mapping(&lines, &mapping)) found = mapping.end > address;
    if (!found && lines.last_count < 0) return VMEM_ERROR_SYSTEM;
    if (!found) mapping.start = mapping.end = 0;
    vmem__linux_describe(address, &mapping, range);
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_query(uintptr_t address, VmemRange* range) {
    int error = errno, file = vmem__linux_open("/proc/self/maps");
    VmemResult result = VMEM_SUCCESS;
    if (file < 0) return VMEM_ERROR_SYSTEM;
    if (!vmem__linux_query_by_ioctl(file, address, range)) result = vmem__linux_query_by_reading(file, address, range);
    if (result != VMEM_SUCCESS) error = errno;
    vmem__linux_close(file);
    errno = error;
    return result;
}

// Objects. The system calls are made directly where the C library's functions are younger than the systems that wheels
// must run on, and where their names depend on the size of off_t: the symbols fcntl64 and fstat are of 2018 and 2021.

#if defined(MAP_NORESERVE)
#define VMEM__MAP_NORESERVE MAP_NORESERVE
#elif defined(__mips__) || defined(__xtensa__)
#define VMEM__MAP_NORESERVE 0x400
#elif defined(__alpha__)
#define VMEM__MAP_NORESERVE 0x10000
#elif defined(__powerpc__) || defined(__sparc__)
#define VMEM__MAP_NORESERVE 0x40
#else
#define VMEM__MAP_NORESERVE 0x4000
#endif

#define VMEM__MFD_CLOEXEC 1u
#define VMEM__MFD_ALLOW_SEALING 2u
#define VMEM__MFD_NOEXEC_SEAL 8u
#define VMEM__F_DUPFD_CLOEXEC 1030
#define VMEM__F_ADD_SEALS 1033
#define VMEM__F_GET_SEALS 1034
#define VMEM__F_SEAL_SEAL 1
#define VMEM__F_SEAL_SHRINK 2
#define VMEM__F_SEAL_WRITE 8
#define VMEM__F_SEAL_FUTURE_WRITE 16
#define VMEM__HUGETLBFS_MAGIC 0x958458f6u

static int vmem__posix_object_protection(int file, VmemProtection protection) {
    (void)file;
    return vmem__posix_protection(protection);
}

#if defined(SYS_fcntl64)
#define VMEM__SYS_FCNTL SYS_fcntl64
#else
#define VMEM__SYS_FCNTL SYS_fcntl
#endif

static int vmem__linux_fcntl(int file, int command, long argument) {
    return VMEM_FAIL("fcntl") ? -1 : (int)syscall(VMEM__SYS_FCNTL, file, command, argument);
}

// Not among the numbers of stdin, stdout and stderr, which a program may have closed.
static int vmem__posix_duplicate(int file) { return vmem__linux_fcntl(file, VMEM__F_DUPFD_CLOEXEC, 3); }

#define VMEM__FILE_TYPE 0170000
#define VMEM__REGULAR_FILE 0100000

#if defined(__GLIBC__) && defined(SYS_statx)

// struct statx of <linux/stat.h>.
typedef struct vmem__Status {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t num_links, user, group;
    uint16_t mode, padding;
    uint64_t inode, size;
    uint64_t unused[10];
    uint32_t special_device[2], device[2];
    uint64_t reserved[14];
} vmem__Status;

#define VMEM__AT_EMPTY_PATH 0x1000
#define VMEM__STATX_TYPE_INODE_SIZE 0x301u

static int vmem__linux_describe_file(vmem__File* info, uint64_t device, uint64_t inode, uint64_t size, unsigned mode) {
    info->device = device;
    info->inode = inode;
    info->size = size;
    info->mode = mode;
    info->is_regular = (mode & VMEM__FILE_TYPE) == VMEM__REGULAR_FILE;
    return 0;
}

static int vmem__linux_statx(int file, vmem__File* info) {
    vmem__Status status;
    if (VMEM_FAIL("statx")) return -1;
    if (syscall(SYS_statx, file, "", VMEM__AT_EMPTY_PATH, VMEM__STATX_TYPE_INODE_SIZE, &status) != 0) return -1;
    return vmem__linux_describe_file(info, (uint64_t)status.device[0] << 32 | status.device[1], status.inode,
                                     status.size, status.mode);
}

// Kernels have statx() since 4.11, and filters of system calls deny it. Other processors have structs of their own for
// fstat().
#if defined(__x86_64__) && defined(__LP64__) || defined(__aarch64__) || defined(__riscv) && defined(__LP64__)
#define VMEM__SYS_FSTAT SYS_fstat
typedef struct stat vmem__OldStatus;
#elif defined(__i386__) || defined(__arm__)
#define VMEM__SYS_FSTAT SYS_fstat64

// struct stat64 of <asm/stat.h>.
typedef struct vmem__OldStatus {
    uint64_t st_dev;
    uint32_t unused[2], st_mode, num_links, user, group;
    uint64_t special_device;
    uint32_t padding;
    uint64_t st_size;
    uint32_t block_size;
    uint64_t num_blocks;
    uint32_t times[6];
    uint64_t st_ino;
} vmem__OldStatus;
#endif

#if defined(VMEM__SYS_FSTAT)
// The device becomes what statx() says: a process can deny itself system calls at any time.
static int vmem__linux_fstat(int file, vmem__File* info) {
    vmem__OldStatus status;
    uint64_t device;
    if (VMEM_FAIL("fstat") || syscall(VMEM__SYS_FSTAT, file, &status) != 0) return -1;
    device = (uint64_t)status.st_dev;
    device = (device >> 8 & 0xfff) << 32 | (device >> 12 & 0xfff00) | (device & 0xff);
    return vmem__linux_describe_file(info, device, (uint64_t)status.st_ino, (uint64_t)status.st_size,
                                     (unsigned)status.st_mode);
}
#else
static int vmem__linux_fstat(int file, vmem__File* info) {
    (void)file, (void)info;
    return -1;
}
#endif

static int vmem__posix_stat(int file, vmem__File* info) {
    int error = errno;
    if (vmem__linux_statx(file, info) == 0) return 0;
    if (!vmem__linux_is_denied(errno) || vmem__linux_fstat(file, info) != 0) return -1;
    errno = error;
    return 0;
}

#else

static int vmem__posix_stat(int file, vmem__File* info) { return vmem__posix_fstat(file, info); }

#endif

// Sizes of mappings of hugetlbfs are whole huge pages: unmapping fewer bytes fails.
static bool vmem__posix_is_file(int file, const vmem__File* info) {
    struct statfs status;
    if (!info->is_regular || VMEM_FAIL("fstatfs") || fstatfs(file, &status) != 0) return false;
    return ((uint64_t)status.f_type & 0xffffffffu) != VMEM__HUGETLBFS_MAGIC;
}

// Only memory has seals.
static bool vmem__posix_is_memory(int file, const vmem__File* info) {
    return vmem__posix_is_file(file, info) && vmem__linux_fcntl(file, VMEM__F_GET_SEALS, 0) >= 0;
}

#if defined(SYS_memfd_create)
static int vmem__linux_memfd_create(const char* name, unsigned flags) {
    return VMEM_FAIL("memfd_create") ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}
#else
static int vmem__linux_memfd_create(const char* name, unsigned flags) {
    (void)name, (void)flags;
    errno = ENOSYS;
    return -1;
}
#endif

// Memory that cannot be executed as a program, which systems can demand since Linux 6.3. Older kernels do not know
// that.
static int vmem__linux_make_memory(const char* name) {
    const unsigned flags = VMEM__MFD_CLOEXEC | VMEM__MFD_ALLOW_SEALING;
    int error = errno, file = vmem__linux_memfd_create(name, flags | VMEM__MFD_NOEXEC_SEAL);
    if (file >= 0 || errno != EINVAL) return file;
    errno = error;
    return vmem__linux_memfd_create(name, flags);
}

static VmemResult vmem__os_object_create(VmemObject* object, const char* name) {
    int file = vmem__linux_make_memory(name ? name : "vmem");
    return file < 0 ? vmem__posix_last_result() : vmem__posix_adopt(object, file, -1);
}

static VmemResult vmem__os_object_import(VmemObject* object, intptr_t handle) {
    return vmem__posix_adopt_duplicate(object, handle, vmem__posix_is_memory);
}

static VmemResult vmem__os_object_close(VmemObject* object) { return vmem__posix_close_object(object); }

// Opens the same memory or file again, only to read it. Returns -1 on failure.
static int vmem__linux_open_again(int file) {
    char path[32] = "/proc/self/fd/", *end = path + strlen(path);
    int rest = file;
    do end++;
    while ((rest /= 10) > 0);
    *end = 0;
    do *--end = (char)('0' + file % 10);
    while ((file /= 10) > 0);
    return vmem__linux_open(path);
}

// Nobody can write through the duplicate of a descriptor whose memory is sealed.
static VmemResult vmem__os_object_export(const VmemObject* object, bool writable, intptr_t* handle) {
    int error = errno, file;
    unsigned seals = 0;
    VmemResult result = vmem__os_object_get_seals(object, &seals);
    if (result != VMEM_SUCCESS) return result;
    errno = error;
    file = (int)object->handle;
    file = writable || (seals & VMEM_SEAL_WRITERS) ? vmem__posix_duplicate(file) : vmem__linux_open_again(file);
    if (file < 0) return vmem__posix_descriptor_result();
    *handle = file;
    return VMEM_SUCCESS;
}

// The arguments of a system call for a number of 64 bits, which can take two registers.
#if defined(__LP64__) || defined(__x86_64__)
#define VMEM__LONG_ARGUMENT(number) (number)
#elif defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define VMEM__LONG_ARGUMENT(number) 0ul, (number)
#else
#define VMEM__LONG_ARGUMENT(number) (number), 0ul
#endif

static int vmem__linux_fallocate(int file, size_t offset, size_t size) {
    if (VMEM_FAIL("fallocate")) return -1;
    return (int)syscall(SYS_fallocate, file, 0, VMEM__LONG_ARGUMENT(offset), VMEM__LONG_ARGUMENT(size));
}

// The numbers of rt_sigprocmask(), whose types strict C99 hides.
#if defined(__mips__)
#define VMEM__SIG_SETMASK 3
#define VMEM__SIGNAL_SET_SIZE ((size_t)16)
#elif defined(__alpha__)
#define VMEM__SIG_SETMASK 3
#define VMEM__SIGNAL_SET_SIZE ((size_t)8)
#elif defined(__sparc__)
#define VMEM__SIG_SETMASK 4
#define VMEM__SIGNAL_SET_SIZE ((size_t)8)
#else
#define VMEM__SIG_SETMASK 2
#define VMEM__SIGNAL_SET_SIZE ((size_t)8)
#endif

// A signal interrupts fallocate(), which undoes what it has done. With a timer that interrupts every attempt it would
// never end, so that the second one is made without signals.
static int vmem__linux_allocate(int file, size_t offset, size_t size) {
    const uint64_t all[2] = {UINT64_MAX, UINT64_MAX};
    uint64_t before[2] = {0, 0};
    int error = errno, status = vmem__linux_fallocate(file, offset, size);
    if (status == 0 || errno != EINTR) return status;
    if (syscall(SYS_rt_sigprocmask, VMEM__SIG_SETMASK, all, before, VMEM__SIGNAL_SET_SIZE) != 0) return -1;
    errno = error;
    status = vmem__linux_fallocate(file, offset, size);
    error = errno;
    syscall(SYS_rt_sigprocmask, VMEM__SIG_SETMASK, before, (void*)0, VMEM__SIGNAL_SET_SIZE);
    errno = error;
    return status;
}

#if defined(SYS_ftruncate)
static int vmem__linux_truncate(int file, size_t size) { return (int)syscall(SYS_ftruncate, file, (long)size); }
#else
static int vmem__linux_truncate(int file, size_t size) {
    return (int)syscall(SYS_ftruncate64, file, VMEM__LONG_ARGUMENT(size));
}
#endif

static int vmem__linux_ftruncate(int file, uint64_t size) {
    if (size <= SIZE_MAX / 2) return VMEM_FAIL("ftruncate") ? -1 : vmem__linux_truncate(file, (size_t)size);
    errno = EFBIG;
    return -1;
}

// What memory could not be given is undone by the kernel, but what ext4 and others could not is left behind as a part
// of the file.
static void vmem__linux_undo_growth(int file, uint64_t size) {
    int error = errno;
    if (vmem__linux_fcntl(file, VMEM__F_GET_SEALS, 0) < 0) vmem__linux_ftruncate(file, size);
    errno = error;
}

static VmemResult vmem__os_object_commit(const VmemObject* object, size_t offset, size_t size) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    if (vmem__linux_allocate((int)object->handle, offset, size) == 0) return VMEM_SUCCESS;
    result = errno == EBADF ? VMEM_ERROR_ACCESS_DENIED : vmem__posix_last_result();
    if (offset + size > info.size) vmem__linux_undo_growth((int)object->handle, info.size);
    return result;
}

static VmemResult vmem__os_object_seal(const VmemObject* object, unsigned seals) {
    const bool keeps_size = (seals & VMEM_SEAL_SIZE) != 0, keeps_writers = (seals & VMEM_SEAL_WRITERS) != 0;
    const int flags = VMEM__F_SEAL_SEAL | (keeps_size ? VMEM__F_SEAL_SHRINK : 0);
    int error = errno, file, status = -1;
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    file = (int)object->handle;
    status = vmem__linux_fcntl(file, VMEM__F_ADD_SEALS, flags | (keeps_writers ? VMEM__F_SEAL_FUTURE_WRITE : 0));
    if (status != 0 && errno == EINVAL && keeps_size && keeps_writers) {
        errno = error;
        status = vmem__linux_fcntl(file, VMEM__F_ADD_SEALS, flags);
    }
    if (status == 0) return VMEM_SUCCESS;
    return errno == EINVAL ? VMEM_ERROR_UNSUPPORTED : vmem__posix_last_result();
}

static VmemResult vmem__os_object_get_seals(const VmemObject* object, unsigned* seals) {
    int error = errno, flags;
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    flags = vmem__linux_fcntl((int)object->handle, VMEM__F_GET_SEALS, 0);
    if (flags < 0 && errno != EINVAL) return vmem__posix_last_result();
    errno = error;
    *seals = 0;
    if (flags < 0 || !(flags & VMEM__F_SEAL_SEAL)) return VMEM_SUCCESS;
    if (flags & VMEM__F_SEAL_SHRINK) *seals |= VMEM_SEAL_SIZE;
    if (flags & (VMEM__F_SEAL_FUTURE_WRITE | VMEM__F_SEAL_WRITE)) *seals |= VMEM_SEAL_WRITERS;
    return VMEM_SUCCESS;
}

// struct iovec of <linux/uio.h>.
typedef struct vmem__Buffer {
    const void* ptr;  // not const there: preadv() writes to it
    size_t num_bytes;
} vmem__Buffer;

// On all processors the two halves of the offset are arguments of their own, unlike those of pread().
static long vmem__linux_preadv(int file, char* buffer, size_t num_bytes, size_t offset) {
    vmem__Buffer one;
    one.ptr = buffer;
    one.num_bytes = num_bytes;
    return VMEM_FAIL("preadv") ? -1 : (long)syscall(SYS_preadv, file, &one, 1l, (unsigned long)offset, 0ul);
}

// Returns 0, or -1 on failure.
static int vmem__linux_write(int file, const char* bytes, size_t num_bytes, size_t offset) {
    int error = errno;
    while (num_bytes > 0) {
        vmem__Buffer one;
        long count;
        one.ptr = bytes;
        one.num_bytes = num_bytes;
        count = VMEM_FAIL("pwritev") ? -1 : (long)syscall(SYS_pwritev, file, &one, 1l, (unsigned long)offset, 0ul);
        if (count < 0 && errno != EINTR) return -1;
        if (count <= 0) continue;
        bytes += count;
        num_bytes -= (size_t)count;
        offset += (size_t)count;
    }
    errno = error;
    return 0;
}

static VmemResult vmem__os_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                        size_t min_size) {
    vmem__File info;
    VmemResult result = vmem__posix_find_file(object, min_size, &info);
    if (result != VMEM_SUCCESS) return result;
    if (vmem__linux_write((int)object->handle, (const char*)buffer, num_bytes, offset) == 0) return VMEM_SUCCESS;
    return errno == EBADF ? VMEM_ERROR_ACCESS_DENIED : vmem__posix_last_result();
}

// Gives a file blocks of the disk, where it has to be by writing zeros.
static int vmem__linux_extend(int file, size_t start, size_t end) {
    static const char zeros[4096] = {0};
    int error = errno, status = vmem__linux_allocate(file, start, end - start);
    if (status == 0 || errno != EOPNOTSUPP) return status;
    errno = error;
    for (status = 0; status == 0 && start < end; start += sizeof zeros)
        status = vmem__linux_write(file, zeros, end - start < sizeof zeros ? end - start : sizeof zeros, start);
    return status;
}

static VmemResult vmem__os_object_resize(const VmemObject* object, size_t size) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    int file = (int)object->handle;
    if (result != VMEM_SUCCESS || size == info.size) return result;
    if (size < info.size) return vmem__posix_result_of(vmem__linux_ftruncate(file, size));
    if (vmem__linux_extend(file, (size_t)info.size, size) == 0) return VMEM_SUCCESS;
    result = errno == EBADF ? VMEM_ERROR_ACCESS_DENIED : vmem__posix_last_result();
    vmem__linux_undo_growth(file, info.size);
    return result;
}

// Locks of bytes, which belong to what was opened, not to the process. These are struct flock64 and numbers of
// <linux/fcntl.h>, which strict C99 hides.
#define VMEM__F_OFD_GETLK 36
#define VMEM__F_OFD_SETLK 37
#define VMEM__LOCK_UN 8

typedef struct vmem__Lock {
    short type, whence;
    int64_t start, num_bytes;  // 0 for all bytes that follow
    int process;
} vmem__Lock;

static int vmem__linux_lock(int file, int command, int type, size_t start, size_t num_bytes, vmem__Lock* lock) {
    const int64_t most = INT64_MAX;
    lock->type = (short)type;
    lock->whence = 0;
    lock->start = (uint64_t)start > (uint64_t)most ? most : (int64_t)start;
    lock->num_bytes = num_bytes == SIZE_MAX || (uint64_t)num_bytes > (uint64_t)most ? 0 : (int64_t)num_bytes;
    lock->process = 0;
    return VMEM_FAIL("fcntl") ? -1 : (int)syscall(VMEM__SYS_FCNTL, file, command, lock);
}

// Kernels and file systems without such locks call them invalid, or have no room for them.
static VmemResult vmem__linux_lock_result(void) {
    if (errno == EAGAIN) errno = EACCES;
    return errno == EINVAL || errno == ENOLCK ? VMEM_ERROR_UNSUPPORTED : vmem__posix_descriptor_result();
}

// What was locked before is unlocked then: nobody else can lock it in between.
static VmemResult vmem__os_object_publish(VmemObject* object, size_t before, size_t num_bytes) {
    int error = errno, file = (int)object->handle, status = 0;
    vmem__Lock lock;
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    if (before == SIZE_MAX && num_bytes != SIZE_MAX)
        status = vmem__linux_lock(file, VMEM__F_OFD_SETLK, F_WRLCK, num_bytes, 0, &lock);
    if (status == 0 && before != SIZE_MAX && num_bytes > 0)
        status = vmem__linux_lock(file, VMEM__F_OFD_SETLK, F_UNLCK, 0, num_bytes, &lock);
    if (status != 0 && num_bytes != SIZE_MAX) return vmem__linux_lock_result();
    errno = error;
    if (num_bytes != SIZE_MAX) return VMEM_SUCCESS;
    return vmem__posix_result_of(VMEM_FAIL("flock") ? -1 : (int)syscall(SYS_flock, file, VMEM__LOCK_UN));
}

// Other programs lock what they like, mostly with locks of processes. That of a writer belongs to what it opened, for
// which the kernel tells -1, and has no end; nobody else can lock what it has.
static bool vmem__linux_is_writer(const vmem__Lock* lock) { return lock->process == -1 && lock->num_bytes == 0; }

// While nobody writes, nobody can begin to before the size is known: a writer tries again while there is the read lock.
// Nor can one where somebody else's lock has no end.
static VmemResult vmem__os_object_get_published(VmemObject* object, size_t* num_bytes) {
    int error = errno, file = (int)object->handle;
    uint64_t end = UINT64_MAX, start = 0;
    bool is_locked = false, is_others = false;
    vmem__Lock lock;
    vmem__File info;
    VmemResult result;
    while (end == UINT64_MAX && !is_locked && !is_others) {
        if (vmem__linux_lock(file, VMEM__F_OFD_GETLK, F_RDLCK, (size_t)start, 0, &lock) != 0)
            return vmem__linux_lock_result();
        if (lock.type != F_UNLCK) {
            if (vmem__linux_is_writer(&lock)) end = (uint64_t)lock.start;
            is_others = end == UINT64_MAX && lock.num_bytes == 0;
            start = (uint64_t)(lock.start + lock.num_bytes);
            continue;
        }
        is_locked = vmem__linux_lock(file, VMEM__F_OFD_SETLK, F_RDLCK, (size_t)start, 0, &lock) == 0;
        if (!is_locked && errno != EAGAIN && errno != EACCES) return vmem__linux_lock_result();
        start = 0;
    }
    result = vmem__posix_find(object, &info);
    error = result == VMEM_SUCCESS ? error : errno;
    if (is_locked) vmem__linux_lock(file, VMEM__F_OFD_SETLK, F_UNLCK, 0, 0, &lock);
    errno = error;
    if (result != VMEM_SUCCESS) return result;
    if (end > info.size) end = info.size;
    *num_bytes = end < SIZE_MAX ? (size_t)end : SIZE_MAX;
    return VMEM_SUCCESS;
}

// One call reads up to 2 GiB, and nothing at the end.
static VmemResult vmem__os_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset) {
    char* next = (char*)buffer;
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    if (result != VMEM_SUCCESS) return result;
    while (num_bytes > 0) {
        long count = vmem__linux_preadv((int)object->handle, next, num_bytes, offset);
        if (count < 0 && errno == EBADF) errno = EACCES;  // it is open, but not to be read
        if (count < 0) return vmem__posix_last_result();
        if (count == 0) return VMEM_ERROR_INVALID_ARGUMENT;
        next += count;
        num_bytes -= (size_t)count;
        offset += (size_t)count;
    }
    return VMEM_SUCCESS;
}

// What is private and writable is charged to the commit limit when it is mapped, unless the kernel is told not to.
static VmemResult vmem__os_object_make_private(const VmemObject* object, void* ptr, size_t size, size_t offset) {
    return vmem__posix_make_private(object, ptr, size, offset, VMEM__MAP_NORESERVE);
}

// Reading a file sees what was written to a mapping at once.
static VmemResult vmem__os_object_flush(const VmemObject* object, void* ptr, size_t size, bool durable) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    (void)ptr, (void)size;
    if (result != VMEM_SUCCESS || !durable) return result;
    return vmem__posix_result_of(VMEM_FAIL("fdatasync") ? -1 : (int)syscall(SYS_fdatasync, (int)object->handle));
}

// What this kernel can do with objects.
enum {
    VMEM__OBJECTS_TRIED = 1,
    VMEM__OBJECTS_EXIST = 2,  // no system call that they take is denied
    VMEM__OBJECTS_SEAL_SIZE = 4,
    VMEM__OBJECTS_SEAL_WRITERS = 8
};

// What the system is short of now tells nothing about what it can do.
static bool vmem__linux_is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

// Without a byte, fallocate() changes nothing, and says at most that this is invalid. With one it would be limited by
// RLIMIT_FSIZE, whose signal ends programs.
static bool vmem__linux_can_allocate(int file) {
    return vmem__linux_fallocate(file, 0, 0) == 0 || !vmem__linux_is_denied(errno);
}

// Tries it on memory without pages. Returns 0 if it cannot tell.
static int vmem__linux_try_objects(void) {
    int found = VMEM__OBJECTS_TRIED, file = vmem__linux_make_memory("vmem");
    vmem__File info;
    if (file < 0) return vmem__linux_is_shortage(errno) ? 0 : found;
    if (vmem__posix_stat(file, &info) == 0 && vmem__linux_can_allocate(file)) {
        found |= VMEM__OBJECTS_EXIST;
        if (vmem__linux_fcntl(file, VMEM__F_ADD_SEALS, VMEM__F_SEAL_SHRINK) == 0) found |= VMEM__OBJECTS_SEAL_SIZE;
        if (vmem__linux_fcntl(file, VMEM__F_ADD_SEALS, VMEM__F_SEAL_FUTURE_WRITE) == 0)
            found |= VMEM__OBJECTS_SEAL_WRITERS;
    }
    vmem__linux_close(file);
    return found;
}

// What was found when it was first asked for; 0 before. Threads that try at the same time find the same.
static int vmem__linux_objects;

static int vmem__linux_find_objects(void) {
    int found = __atomic_load_n(&vmem__linux_objects, __ATOMIC_RELAXED);
    if (found == 0) {
        found = vmem__linux_try_objects();
        __atomic_store_n(&vmem__linux_objects, found, __ATOMIC_RELAXED);
    }
    // If that cannot be told now, what nearly every system does is assumed.
    return found ? found : VMEM__OBJECTS_EXIST | VMEM__OBJECTS_SEAL_SIZE | VMEM__OBJECTS_SEAL_WRITERS;
}

static void vmem__linux_find_capabilities_of_objects(VmemCapabilities* capabilities) {
    int found = vmem__linux_find_objects();
    capabilities->can_share = capabilities->object_size_is_exact = (found & VMEM__OBJECTS_EXIST) != 0;
    capabilities->can_map_mirrored = capabilities->can_make_private = capabilities->can_map_files =
        capabilities->can_share;
    capabilities->can_seal = (found & VMEM__OBJECTS_SEAL_SIZE) != 0;
    capabilities->can_seal_writers = (found & VMEM__OBJECTS_SEAL_WRITERS) != 0;
}

static void vmem__os_get_capabilities(VmemCapabilities* capabilities) {
    int error = errno, found = vmem__linux_find_advice();
    capabilities->system = "Linux";
    capabilities->can_reserve = capabilities->can_count_resident = true;
    capabilities->can_advise_huge_pages = (found & VMEM__ADVICE_EXISTS) != 0;
    capabilities->discard_can_lose_commit = capabilities->discard_unlocks = (found & VMEM__ADVICE_DISCARDS) == 0;
    capabilities->can_advise_fork = capabilities->can_advise_dump = (found & VMEM__ADVICE_IS_HONEST) != 0;
    capabilities->can_lock_on_fault = vmem__linux_can_lock_on_fault();
    capabilities->can_set_name = capabilities->can_query = true;
    capabilities->tells_available_memory = capabilities->tells_mapping_limit = true;
    capabilities->commit_is_a_promise = vmem__linux_read_number("/proc/sys/vm/overcommit_memory", 0) == 2;
    capabilities->calls_span_reservations = true;
    vmem__linux_find_capabilities_of_objects(capabilities);
    errno = error;
}

// The files in which a version of control groups keeps the memory of a group.
typedef struct vmem__ControlGroups {
    const char* root;
    const char* limit;
    const char* used;
    const char* inactive;  // the key in memory.stat of file pages that the kernel can reclaim at once
} vmem__ControlGroups;

// The kernel lists no group whose path is longer than 4,095 bytes. The rest is for what precedes the path, which is the
// root or, in /proc/self/cgroup, the controllers, and for the name of a file behind it.
#define VMEM__MAX_LINE (4096 + 256)

// Reads the number in a file of a group, by appending its name to the path of the group, of this length.
static uint64_t vmem__linux_read_group(char* path, size_t length, const char* name) {
    strcpy(path + length, name);
    return vmem__linux_read_number(path, 0);
}

// Lowers `info` to what one group has. Without a limit, its file says "max" or a number larger than any memory.
static void vmem__linux_cap_by_group(const vmem__ControlGroups* groups, char* path, size_t length,
                                     VmemMemoryInfo* info) {
    uint64_t limit = vmem__linux_read_group(path, length, groups->limit);
    uint64_t used = vmem__linux_read_group(path, length, groups->used);
    vmem__Field inactive = {"", 0};
    uint64_t available;
    if (limit == 0) return;
    inactive.key = groups->inactive;
    strcpy(path + length, "/memory.stat");
    vmem__linux_read_fields(path, &inactive, 1);
    used -= inactive.number < used ? inactive.number : used;
    available = used < limit ? limit - used : 0;
    if (limit < info->total) info->total = limit;
    if (available < info->available) info->available = available;
}

// Lowers `info` to what a group and all groups above it have. `group` is the path of the group within `line`, which has
// space for the paths of its files.
static void vmem__linux_cap_by_groups(const vmem__ControlGroups* groups, char* line, const char* group,
                                      VmemMemoryInfo* info) {
    size_t root = strlen(groups->root), length = root + strlen(group);
    memmove(line + root, group, strlen(group));
    memcpy(line, groups->root, root);
    for (;;) {
        vmem__linux_cap_by_group(groups, line, length, info);
        if (length <= root) return;
        do length--;
        while (length > root && line[length] != '/');
    }
}

// Whether a list such as "cpu,memory:" contains "memory".
static bool vmem__linux_controls_memory(const char* controllers) {
    while (*controllers != ':') {
        size_t length = strcspn(controllers, ",:");
        if (length == 6 && strncmp(controllers, "memory", 6) == 0) return true;
        controllers += length + (controllers[length] == ',');
    }
    return false;
}

// Applies a line of /proc/self/cgroup, "number:controllers:/group". Version 2 has the number 0 and no controllers.
static void vmem__linux_cap_by_line(char* line, VmemMemoryInfo* info) {
    static const vmem__ControlGroups version1 = {"/sys/fs/cgroup/memory", "/memory.limit_in_bytes",
                                                 "/memory.usage_in_bytes", "total_inactive_file"};
    static const vmem__ControlGroups version2 = {"/sys/fs/cgroup", "/memory.max", "/memory.current", "inactive_file"};
    const char* controllers = strchr(line, ':');
    const char* group = strstr(line, ":/");
    if (!group) return;
    if (strncmp(line, "0::", 3) == 0)
        vmem__linux_cap_by_groups(&version2, line, group + 1, info);
    else if (controllers < group && vmem__linux_controls_memory(controllers + 1))
        vmem__linux_cap_by_groups(&version1, line, group + 1, info);
}

static void vmem__linux_cap_by_control_groups(VmemMemoryInfo* info) {
    vmem__Lines lines;
    char line[VMEM__MAX_LINE];
    // 64 bytes are left for the root and the name of a file, which replace the number and the controllers.
    if (!vmem__linux_open_lines(&lines, "/proc/self/cgroup", line, sizeof line - 64)) return;
    while (vmem__linux_next_line(&lines)) vmem__linux_cap_by_line(line, info);
    vmem__linux_close(lines.file);
}

static size_t vmem__os_huge_page_size(void) {
    int error = errno;
    uint64_t size = vmem__linux_read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", 0);
    errno = error;
    return (size_t)size;
}

static void vmem__os_get_memory_info(VmemMemoryInfo* info) {
    int error = errno;
    vmem__Field fields[] = {{"MemTotal:", 0}, {"MemAvailable:", 0}};
    vmem__linux_read_fields("/proc/meminfo", fields, 2);
    info->total = fields[0].number * VMEM__KIB;
    info->available = fields[1].number * VMEM__KIB;
    vmem__linux_cap_by_control_groups(info);
    errno = error;
}

// vm.overcommit_memory: 0 limits a single call to all memory and swap, 1 limits nothing, 2 applies CommitLimit.
static void vmem__linux_get_commit_limits(VmemLimits* limits) {
    uint64_t mode = vmem__linux_read_number("/proc/sys/vm/overcommit_memory", 1);
    vmem__Field fields[] = {{"Committed_AS:", 0}, {"CommitLimit:", 0}, {"MemTotal:", 0}, {"SwapTotal:", 0}};
    vmem__linux_read_fields("/proc/meminfo", fields, 4);
    limits->commit_used = fields[0].number * VMEM__KIB;
    if (mode == 2 && fields[1].number != 0) limits->commit_limit = fields[1].number * VMEM__KIB;
    if (mode == 0 && fields[2].number != 0) limits->largest_commit = (fields[2].number + fields[3].number) * VMEM__KIB;
}

static void vmem__os_get_address_space(VmemAddressSpace* space) {
    int error = errno;
    space->total = vmem__posix_addresses_up_to_stack();
    space->used = vmem__linux_read_number("/proc/self/statm", 0) * vmem__os_page_size();
    space->limit = vmem__posix_address_space_limit();
    errno = error;
}

static void vmem__os_get_limits(VmemLimits* limits) {
    int error = errno;
    vmem__Field fields[] = {{"VmSize:", 0}, {"VmData:", 0}, {"VmLck:", 0}};
    vmem__linux_read_fields("/proc/self/status", fields, 3);
    limits->address_space_limit = vmem__posix_address_space_limit();
    limits->address_space_used = fields[0].number * VMEM__KIB;
    limits->data_limit = vmem__posix_resource_limit(RLIMIT_DATA);
    limits->data_used = fields[1].number * VMEM__KIB;
    limits->mapping_limit = vmem__linux_read_number("/proc/sys/vm/max_map_count", VMEM__LINUX_MAPPING_LIMIT);
    limits->mapping_used = vmem__linux_count_mappings();
    limits->lock_limit = vmem__posix_lock_limit();
    limits->lock_used = fields[2].number * VMEM__KIB;
    vmem__linux_get_commit_limits(limits);
    errno = error;
}

#endif  // VMEM__LINUX

// >>os macos ----------------------------------------------------------------------------------------------------------

#if defined(VMEM__MACOS)

#if !defined(VMEM__MAP_ANONYMOUS)
#define VMEM__MAP_ANONYMOUS 0x1000
#endif

// Declared here where strict POSIX makes <sys/mman.h> hide it.
#if defined(_POSIX_C_SOURCE) && !defined(_DARWIN_C_SOURCE)
int mincore(void*, size_t, char*);
#endif

// In place of a file, the mapping has a tag, by which tools such as vmmap tell what it is for.
static void* vmem__posix_map(void* ptr, size_t size, int flags) {
    const int tag = VM_MAKE_TAG(VM_MEMORY_APPLICATION_SPECIFIC_1);
    return VMEM_FAIL("mmap") ? MAP_FAILED
                             : mmap(ptr, size, PROT_NONE, MAP_PRIVATE | VMEM__MAP_ANONYMOUS | flags, tag, 0);
}

static size_t vmem__os_huge_page_size(void) { return 0; }

static void vmem__posix_set_dumped(void* ptr, size_t size, bool is_dumped) { (void)ptr, (void)size, (void)is_dumped; }

static void* vmem__os_reserve_aligned(size_t size, size_t align) { return vmem__posix_reserve_and_trim(size, align); }

static VmemResult vmem__os_decommit(void* ptr, size_t size) { return vmem__posix_remap(ptr, size); }

static VmemResult vmem__os_discard(void* ptr, size_t size) { return vmem__posix_remap_and_commit(ptr, size); }

static VmemResult vmem__os_flush_instruction_cache(void* ptr, size_t num_bytes) {
    sys_icache_invalidate(ptr, num_bytes);
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_prefault(void* ptr, size_t size) {
    vmem__touch(ptr, size, vmem__os_page_size());
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_advise_huge_pages(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_set_name(void* ptr, size_t size, const char* name) {
    (void)ptr, (void)size, (void)name;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_advise_fork(void* ptr, size_t size, VmemFork inheritance) {
    const vm_inherit_t value = inheritance == VMEM_FORK_COPY ? VM_INHERIT_COPY : VM_INHERIT_NONE;
    if (inheritance == VMEM_FORK_ZERO) return VMEM_ERROR_UNSUPPORTED;
    if (VMEM_FAIL("vm_inherit") || vm_inherit(mach_task_self(), (vm_address_t)ptr, size, value) != KERN_SUCCESS)
        return VMEM_ERROR_SYSTEM;
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_advise_dump(void* ptr, size_t size, bool is_dumped) {
    (void)ptr, (void)size, (void)is_dumped;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_lock_on_fault(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

static int vmem__macos_mincore(void* ptr, size_t size, char* pages) {
    return VMEM_FAIL("mincore") ? -1 : mincore(ptr, size, pages);
}

static VmemResult vmem__os_count_resident(uintptr_t start, size_t size, size_t* num_resident) {
    return vmem__posix_count_resident(start, size, num_resident, vmem__macos_mincore);
}

// Strict POSIX hides these numbers.
#define VMEM__MACOS_F_DUPFD_CLOEXEC 67
#define VMEM__MACOS_F_FULLFSYNC 51

static int vmem__posix_duplicate(int file) {
    return VMEM_FAIL("fcntl") ? -1 : fcntl(file, VMEM__MACOS_F_DUPFD_CLOEXEC, 3);
}

static bool vmem__posix_has_no_name(int file, const struct stat* status) {
    (void)file;
    return status->st_nlink == 0;
}

static int vmem__posix_object_protection(int file, VmemProtection protection) {
    (void)file;
    return vmem__posix_protection(protection);
}

static int vmem__posix_allocate(int file, off_t start, off_t end) {
    (void)start;
    return vmem__posix_ftruncate(file, end);
}

// fsync() returns before the disk has written what is in its cache. File systems of other machines, and some for USB
// sticks, have nothing else.
static int vmem__posix_sync(int file, void* ptr, size_t size, bool durable) {
    int error = errno;
    if (!durable) return 0;
    if (VMEM_FAIL("msync") || msync(ptr, size, MS_SYNC) != 0) return -1;
    if (!VMEM_FAIL("fcntl") && fcntl(file, VMEM__MACOS_F_FULLFSYNC) == 0) return 0;
    if (errno != ENOTSUP && errno != EOPNOTSUPP && errno != ENOTTY && errno != EINVAL) return -1;
    errno = error;
    return VMEM_FAIL("fsync") ? -1 : fsync(file);
}

// Memory cannot be mapped with MAP_PRIVATE.
static VmemResult vmem__os_object_make_private(const VmemObject* object, void* ptr, size_t size, size_t offset) {
    vmem__File info;
    VmemResult result = vmem__posix_find(object, &info);
    (void)ptr, (void)size, (void)offset;
    return result == VMEM_SUCCESS ? VMEM_ERROR_UNSUPPORTED : result;
}

static VmemResult vmem__os_query(uintptr_t address, VmemRange* range) {
    vm_address_t start = address;
    vm_size_t size = 0;
    vm_region_basic_info_data_64_t info;
    mach_msg_type_number_t count = VM_REGION_BASIC_INFO_COUNT_64;
    mach_port_t object = MACH_PORT_NULL;
    kern_return_t status = VMEM_FAIL("vm_region_64")
                               ? KERN_FAILURE
                               : vm_region_64(mach_task_self(), &start, &size, VM_REGION_BASIC_INFO_64,
                                              (vm_region_info_t)&info, &count, &object);
    bool is_free;
    if (status == KERN_INVALID_ADDRESS)
        start = size = 0;  // free up to the last address, and 0 is the one after it
    else if (status != KERN_SUCCESS)
        return VMEM_ERROR_SYSTEM;
    is_free = address < start || size == 0;
    range->base = vmem__pointer(is_free ? address : (uintptr_t)start);
    range->size = is_free ? (size_t)((uintptr_t)start - address) : (size_t)size;
    range->protection = VMEM_NO_ACCESS;
    if (!is_free && (info.protection & VM_PROT_EXECUTE))
        range->protection = (info.protection & VM_PROT_WRITE)  ? VMEM_READ_WRITE_EXECUTE
                            : (info.protection & VM_PROT_READ) ? VMEM_READ_EXECUTE
                                                               : VMEM_EXECUTE;
    else if (!is_free && (info.protection & VM_PROT_READ))
        range->protection = (info.protection & VM_PROT_WRITE) ? VMEM_READ_WRITE : VMEM_READ;
    range->state = is_free ? VMEM_FREE : range->protection == VMEM_NO_ACCESS ? VMEM_RESERVED : VMEM_COMMITTED;
    return VMEM_SUCCESS;
}

static void vmem__os_get_capabilities(VmemCapabilities* capabilities) {
    capabilities->system = "macOS";
    capabilities->can_query = capabilities->tells_available_memory = capabilities->can_count_resident = true;
    capabilities->can_advise_fork = true;
    capabilities->can_share = capabilities->can_map_mirrored = capabilities->can_map_files = true;
    capabilities->can_reserve = capabilities->calls_span_reservations = true;
    capabilities->discard_can_lose_commit = capabilities->discard_unlocks = true;
}

// Free memory, and inactive memory: its contents can be dropped, or read again from a file.
static uint64_t vmem__macos_available_memory(void) {
    vm_statistics64_data_t statistics;
    mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
    mach_port_t host;
    kern_return_t status;
    if (VMEM_FAIL("host_statistics64")) return 0;
    host = mach_host_self();
    status = host_statistics64(host, HOST_VM_INFO64, (host_info64_t)&statistics, &count);
    mach_port_deallocate(mach_task_self(), host);  // mach_host_self() adds a reference each time
    if (status != KERN_SUCCESS) return 0;
    return ((uint64_t)statistics.free_count + statistics.inactive_count) * vmem__os_page_size();
}

static void vmem__os_get_memory_info(VmemMemoryInfo* info) {
    int error = errno;
    info->available = vmem__macos_available_memory();
    info->total = vmem__posix_total_memory();
    errno = error;
}

// With 64-bit pointers, stacks are in the middle of the addresses and tell nothing.
static void vmem__os_get_address_space(VmemAddressSpace* space) {
    const uint64_t total = sizeof(void*) > 4 ? (uint64_t)1 << 47 : vmem__posix_addresses_up_to_stack();
    vmem__posix_get_address_space(space, total);
}

static void vmem__os_get_limits(VmemLimits* limits) { vmem__posix_get_limits(limits); }

#endif  // VMEM__MACOS

// >>os bsd ------------------------------------------------------------------------------------------------------------
//
// Also compiled for Unix systems without a block of their own. They are reported as "other" and work as OpenBSD does,
// without minherit().

#if defined(VMEM__BSD)

#if defined(__FreeBSD__)
#define VMEM__BSD_NAME "FreeBSD"
#define VMEM__BSD_F_DUPFD_CLOEXEC 17
#define VMEM__BSD_HAS_FALLOCATE 1
#define VMEM__BSD_READS_MAPPINGS 1
#define VMEM__BSD_HAS_MINCORE 1
#define VMEM__BSD_HAS_MINHERIT 1
#define VMEM__BSD_INHERIT_ZERO 3
#define VMEM__BSD_HAS_NOCORE 1
#elif defined(__NetBSD__)
#define VMEM__BSD_NAME "NetBSD"
#define VMEM__BSD_F_DUPFD_CLOEXEC 12
#define VMEM__BSD_HAS_FALLOCATE 1
#define VMEM__BSD_READS_MAPPINGS 1
#define VMEM__BSD_HAS_MINCORE 1
#define VMEM__BSD_HAS_MINHERIT 1
#define VMEM__BSD_INHERIT_ZERO 4
#define VMEM__BSD_HAS_NOCORE 0
#elif defined(__OpenBSD__)
#define VMEM__BSD_NAME "OpenBSD"
#define VMEM__BSD_F_DUPFD_CLOEXEC 10
#define VMEM__BSD_HAS_FALLOCATE 0
#define VMEM__BSD_READS_MAPPINGS 0
#define VMEM__BSD_HAS_MINCORE 0
#define VMEM__BSD_HAS_MINHERIT 1
#define VMEM__BSD_INHERIT_ZERO 3
#define VMEM__BSD_HAS_NOCORE 0
#else
#define VMEM__BSD_NAME "other"
#define VMEM__BSD_F_DUPFD_CLOEXEC F_DUPFD_CLOEXEC
#define VMEM__BSD_HAS_FALLOCATE 0
#define VMEM__BSD_READS_MAPPINGS 0
#define VMEM__BSD_HAS_MINCORE 0
#define VMEM__BSD_HAS_MINHERIT 0
#define VMEM__BSD_HAS_NOCORE 0
#endif

#if !defined(VMEM__MAP_ANONYMOUS)
#define VMEM__MAP_ANONYMOUS 0x1000
#endif

// NetBSD's mprotect() grants only the access that mmap() announced.
#if defined(PROT_MPROTECT)
#define VMEM__BSD_PROTECTION (PROT_NONE | PROT_MPROTECT(PROT_READ | PROT_WRITE))
#else
#define VMEM__BSD_PROTECTION PROT_NONE
#endif

static void* vmem__posix_map(void* ptr, size_t size, int flags) {
    return VMEM_FAIL("mmap") ? MAP_FAILED
                             : mmap(ptr, size, VMEM__BSD_PROTECTION, MAP_PRIVATE | VMEM__MAP_ANONYMOUS | flags, -1, 0);
}

static size_t vmem__os_huge_page_size(void) { return 0; }

static void vmem__posix_set_dumped(void* ptr, size_t size, bool is_dumped) { (void)ptr, (void)size, (void)is_dumped; }

// mmap() of FreeBSD and NetBSD aligns.
#if defined(MAP_ALIGNED)
static void* vmem__os_reserve_aligned(size_t size, size_t align) {
    int shift = 0;
    void* ptr;
    while (((size_t)1 << shift) < align) shift++;
    ptr = vmem__posix_map(NULL, size, MAP_ALIGNED(shift));
    return ptr == MAP_FAILED ? NULL : ptr;
}
#else
static void* vmem__os_reserve_aligned(size_t size, size_t align) { return vmem__posix_reserve_and_trim(size, align); }
#endif

static VmemResult vmem__os_decommit(void* ptr, size_t size) { return vmem__posix_remap(ptr, size); }

static VmemResult vmem__os_discard(void* ptr, size_t size) { return vmem__posix_remap_and_commit(ptr, size); }

static VmemResult vmem__os_flush_instruction_cache(void* ptr, size_t num_bytes) {
    return vmem__posix_flush_instruction_cache(ptr, num_bytes);
}

static VmemResult vmem__os_prefault(void* ptr, size_t size) {
    vmem__touch(ptr, size, vmem__os_page_size());
    return VMEM_SUCCESS;
}

static VmemResult vmem__os_advise_huge_pages(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_set_name(void* ptr, size_t size, const char* name) {
    (void)ptr, (void)size, (void)name;
    return VMEM_ERROR_UNSUPPORTED;
}

#if VMEM__BSD_HAS_MINHERIT

// Declared here where strict POSIX makes <sys/mman.h> hide it.
#if (defined(__NetBSD__) && !defined(_NETBSD_SOURCE)) || (!defined(__NetBSD__) && !__BSD_VISIBLE)
int minherit(void*, size_t, int);
#endif

static VmemResult vmem__os_advise_fork(void* ptr, size_t size, VmemFork inheritance) {
    static const int values[] = {1, 2, VMEM__BSD_INHERIT_ZERO};
    return vmem__posix_result_of(VMEM_FAIL("minherit") ? -1 : minherit(ptr, size, values[inheritance]));
}

#else

static VmemResult vmem__os_advise_fork(void* ptr, size_t size, VmemFork inheritance) {
    (void)ptr, (void)size, (void)inheritance;
    return VMEM_ERROR_UNSUPPORTED;
}

#endif

#if VMEM__BSD_HAS_NOCORE

#if !__BSD_VISIBLE
int madvise(void*, size_t, int);
#endif
#define VMEM__BSD_MADV_NOCORE 8
#define VMEM__BSD_MADV_CORE 9

static VmemResult vmem__os_advise_dump(void* ptr, size_t size, bool is_dumped) {
    int advice = is_dumped ? VMEM__BSD_MADV_CORE : VMEM__BSD_MADV_NOCORE;
    return vmem__posix_result_of(VMEM_FAIL("madvise") ? -1 : madvise(ptr, size, advice));
}

#else

static VmemResult vmem__os_advise_dump(void* ptr, size_t size, bool is_dumped) {
    (void)ptr, (void)size, (void)is_dumped;
    return VMEM_ERROR_UNSUPPORTED;
}

#endif

static VmemResult vmem__os_lock_on_fault(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

#if VMEM__BSD_HAS_MINCORE

// Declared here where strict POSIX makes <sys/mman.h> hide it.
#if (defined(__FreeBSD__) && !__BSD_VISIBLE) || (defined(__NetBSD__) && !defined(_NETBSD_SOURCE))
int mincore(void*, size_t, char*);
#endif

static int vmem__bsd_mincore(void* ptr, size_t size, char* pages) {
    return VMEM_FAIL("mincore") ? -1 : mincore(ptr, size, pages);
}

static VmemResult vmem__os_count_resident(uintptr_t start, size_t size, size_t* num_resident) {
    return vmem__posix_count_resident(start, size, num_resident, vmem__bsd_mincore);
}

#else

static VmemResult vmem__os_count_resident(uintptr_t start, size_t size, size_t* num_resident) {
    (void)start, (void)size, (void)num_resident;
    return VMEM_ERROR_UNSUPPORTED;
}

#endif

static int vmem__posix_duplicate(int file) {
    return VMEM_FAIL("fcntl") ? -1 : fcntl(file, VMEM__BSD_F_DUPFD_CLOEXEC, 3);
}

// FreeBSD counts the users of memory as its names.
#if defined(F_GET_SEALS)
static bool vmem__posix_has_no_name(int file, const struct stat* status) {
    int error = errno;
    bool is_memory = !VMEM_FAIL("fcntl") && fcntl(file, F_GET_SEALS) >= 0;
    errno = error;
    return is_memory || status->st_nlink == 0;
}
#else
static bool vmem__posix_has_no_name(int file, const struct stat* status) {
    (void)file;
    return status->st_nlink == 0;
}
#endif

// NetBSD does not let a mapping announce access that the descriptor does not have.
#if defined(PROT_MPROTECT)
static int vmem__posix_object_protection(int file, VmemProtection protection) {
    int announced = PROT_READ | (vmem__posix_get_access(file) == O_RDWR ? PROT_WRITE : 0);
    return vmem__posix_protection(protection) | PROT_MPROTECT(announced);
}
#else
static int vmem__posix_object_protection(int file, VmemProtection protection) {
    (void)file;
    return vmem__posix_protection(protection);
}
#endif

// File systems that cannot reserve blocks say so in different ways: what remains is to give the file its size.
#if VMEM__BSD_HAS_FALLOCATE
static int vmem__posix_allocate(int file, off_t start, off_t end) {
    int error = errno, status = VMEM_FAIL("posix_fallocate") ? errno : posix_fallocate(file, start, end - start);
    errno = error;
    if (status == 0) return 0;
    if (status == EOPNOTSUPP || status == ENODEV || status == EINVAL) return vmem__posix_ftruncate(file, end);
    errno = status;
    return -1;
}
#else
static int vmem__posix_allocate(int file, off_t start, off_t end) {
    (void)start;
    return vmem__posix_ftruncate(file, end);
}
#endif

// OpenBSD's read() sees what was written to a mapping after msync(), and other systems may be the same.
static int vmem__posix_sync(int file, void* ptr, size_t size, bool durable) {
    if (!durable && VMEM__BSD_READS_MAPPINGS) return 0;
    if (VMEM_FAIL("msync") || msync(ptr, size, MS_SYNC) != 0) return -1;
    if (!durable) return 0;
    return VMEM_FAIL("fsync") ? -1 : fsync(file);
}

static VmemResult vmem__os_object_make_private(const VmemObject* object, void* ptr, size_t size, size_t offset) {
    return vmem__posix_make_private(object, ptr, size, offset, 0);
}

static VmemResult vmem__os_query(uintptr_t address, VmemRange* range) {
    (void)address, (void)range;
    return VMEM_ERROR_UNSUPPORTED;
}

static void vmem__os_get_capabilities(VmemCapabilities* capabilities) {
    capabilities->system = VMEM__BSD_NAME;
    capabilities->can_share = capabilities->can_map_mirrored = capabilities->can_map_files = true;
    capabilities->can_make_private = true;
    capabilities->can_count_resident = VMEM__BSD_HAS_MINCORE != 0;
    capabilities->can_advise_fork = VMEM__BSD_HAS_MINHERIT != 0;
    capabilities->can_advise_dump = VMEM__BSD_HAS_NOCORE != 0;
    capabilities->can_reserve = capabilities->calls_span_reservations = true;
    capabilities->discard_can_lose_commit = capabilities->discard_unlocks = true;
}

static void vmem__os_get_memory_info(VmemMemoryInfo* info) {
    int error = errno;
    info->total = vmem__posix_total_memory();
    errno = error;
}

static void vmem__os_get_address_space(VmemAddressSpace* space) {
    vmem__posix_get_address_space(space, vmem__posix_addresses_up_to_stack());
}

static void vmem__os_get_limits(VmemLimits* limits) { vmem__posix_get_limits(limits); }

#endif  // VMEM__BSD

// >>os unsupported ----------------------------------------------------------------------------------------------------

#if !defined(VMEM__WINDOWS) && !defined(VMEM__POSIX)

static size_t vmem__os_page_size(void) { return 4096; }
static size_t vmem__os_allocation_granularity(void) { return 4096; }
static size_t vmem__os_huge_page_size(void) { return 0; }

static void* vmem__os_reserve(size_t size) {
    (void)size;
    return NULL;
}

static void* vmem__os_reserve_aligned(size_t size, size_t align) {
    (void)size, (void)align;
    return NULL;
}

static VmemResult vmem__os_release(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_commit(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_decommit(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_protect(void* ptr, size_t size, VmemProtection protection) {
    (void)protection;
    return vmem__os_release(ptr, size);
}

static VmemResult vmem__os_flush_instruction_cache(void* ptr, size_t num_bytes) {
    return vmem__os_release(ptr, num_bytes);
}

static VmemResult vmem__os_discard(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_prefault(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_lock(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_lock_on_fault(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_unlock(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_advise_huge_pages(void* ptr, size_t size) { return vmem__os_release(ptr, size); }

static VmemResult vmem__os_advise_fork(void* ptr, size_t size, VmemFork inheritance) {
    (void)inheritance;
    return vmem__os_release(ptr, size);
}

static VmemResult vmem__os_advise_dump(void* ptr, size_t size, bool is_dumped) {
    (void)is_dumped;
    return vmem__os_release(ptr, size);
}

static VmemResult vmem__os_set_name(void* ptr, size_t size, const char* name) {
    (void)name;
    return vmem__os_release(ptr, size);
}

static VmemResult vmem__os_count_resident(uintptr_t start, size_t size, size_t* num_resident) {
    (void)num_resident;
    return vmem__os_release(vmem__pointer(start), size);
}

static VmemResult vmem__os_query(uintptr_t address, VmemRange* range) {
    (void)range;
    return vmem__os_release(vmem__pointer(address), 0);
}

static void vmem__os_get_capabilities(VmemCapabilities* capabilities) { (void)capabilities; }

static void vmem__os_get_memory_info(VmemMemoryInfo* info) { (void)info; }

static void vmem__os_get_address_space(VmemAddressSpace* space) { (void)space; }

static void vmem__os_get_limits(VmemLimits* limits) { (void)limits; }

static VmemResult vmem__os_object_create(VmemObject* object, const char* name) {
    (void)object, (void)name;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_object_from_file(VmemObject* object, intptr_t file) {
    (void)file;
    return vmem__os_object_create(object, NULL);
}

static VmemResult vmem__os_object_import(VmemObject* object, intptr_t handle) {
    return vmem__os_object_from_file(object, handle);
}

static VmemResult vmem__os_object_export(const VmemObject* object, bool writable, intptr_t* handle) {
    (void)object, (void)writable, (void)handle;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_object_close(VmemObject* object) { return vmem__os_object_create(object, NULL); }

static VmemResult vmem__os_object_size(const VmemObject* object, size_t* num_bytes) {
    (void)object, (void)num_bytes;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_object_commit(const VmemObject* object, size_t offset, size_t size) {
    (void)offset;
    return vmem__os_object_size(object, &size);
}

static VmemResult vmem__os_object_seal(const VmemObject* object, unsigned seals) {
    return vmem__os_object_commit(object, 0, seals);
}

static VmemResult vmem__os_object_get_seals(const VmemObject* object, unsigned* seals) {
    (void)seals;
    return vmem__os_object_seal(object, 0);
}

static VmemResult vmem__os_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset) {
    (void)buffer;
    return vmem__os_object_commit(object, offset, num_bytes);
}

static void* vmem__os_object_map(const VmemObject* object, size_t size, size_t offset, VmemProtection protection) {
    (void)object, (void)size, (void)offset, (void)protection;
    return NULL;
}

static void* vmem__os_object_map_aligned(const VmemObject* object, size_t size, size_t offset,
                                         VmemProtection protection, size_t align) {
    (void)align;
    return vmem__os_object_map(object, size, offset, protection);
}

static VmemResult vmem__os_object_unmap(void* ptr, size_t size) {
    (void)ptr, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

static void* vmem__os_object_map_mirrored(const VmemObject* object, size_t size, size_t head_size,
                                          VmemProtection protection) {
    return vmem__os_object_map(object, size, head_size, protection);
}

static VmemResult vmem__os_object_unmap_mirrored(void* ptr, size_t size, size_t head_size) {
    return vmem__os_object_unmap(ptr, head_size + size);
}

static VmemResult vmem__os_object_make_private(const VmemObject* object, void* ptr, size_t size, size_t offset) {
    (void)object, (void)offset;
    return vmem__os_object_unmap(ptr, size);
}

static VmemResult vmem__os_object_flush(const VmemObject* object, void* ptr, size_t size, bool durable) {
    (void)durable;
    return vmem__os_object_make_private(object, ptr, size, 0);
}

static VmemResult vmem__os_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                        size_t min_size) {
    (void)object, (void)buffer, (void)num_bytes, (void)offset, (void)min_size;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_object_resize(const VmemObject* object, size_t size) {
    (void)object, (void)size;
    return VMEM_ERROR_UNSUPPORTED;
}

static VmemResult vmem__os_object_resize_mapped(const VmemObject* object, void* ptr, size_t* size,
                                                VmemProtection protection, size_t num_bytes) {
    (void)ptr, (void)size, (void)protection;
    return vmem__os_object_resize(object, num_bytes);
}

static VmemResult vmem__os_object_publish(VmemObject* object, size_t before, size_t num_bytes) {
    (void)before;
    return vmem__os_object_resize(object, num_bytes);
}

static VmemResult vmem__os_object_get_published(VmemObject* object, size_t* num_bytes) {
    (void)num_bytes;
    return vmem__os_object_resize(object, 0);
}

#endif

// >>validation --------------------------------------------------------------------------------------------------------

// Rounds num_bytes up to whole pages. False for zero bytes and on overflow.
static bool vmem__round_up(size_t num_bytes, size_t* size) {
    *size = (size_t)vmem_align_forward(num_bytes, vmem__os_page_size());
    return *size != 0;  // 0 in both cases
}

// Finds the pages that hold one or more bytes of [ptr, ptr + num_bytes). False for null, zero bytes and overflow.
static bool vmem__find_pages(const void* ptr, size_t num_bytes, vmem__Pages* pages) {
    uintptr_t address = (uintptr_t)ptr;
    size_t page_size = vmem__os_page_size();
    uintptr_t last_page = UINTPTR_MAX - (page_size - 1);
    if (address == 0 || num_bytes == 0) return false;
    if (address > last_page || num_bytes > last_page - address) return false;
    pages->start = vmem_align_backward(address, page_size);
    pages->size = (size_t)(vmem_align_forward(address + num_bytes, page_size) - pages->start);
    return true;
}

// Finds the pages of an object that hold one or more bytes of [offset, offset + num_bytes). False for null, zero bytes,
// overflow, and what is past the maximum.
static bool vmem__find_object_pages(const VmemObject* object, size_t offset, size_t num_bytes, vmem__Pages* pages) {
    size_t page_size = vmem__os_page_size(), last_page = SIZE_MAX - (page_size - 1), end;
    if (!object || num_bytes == 0 || offset > last_page || num_bytes > last_page - offset) return false;
    end = (size_t)vmem_align_forward(offset + num_bytes, page_size);
    pages->start = vmem_align_backward(offset, page_size);
    pages->size = end - (size_t)pages->start;
    return object->max_bytes == 0 || end <= object->max_bytes;
}

// The same for a mapping, which begins at a multiple of the granularity.
static bool vmem__find_mapped_pages(const VmemObject* object, size_t num_bytes, size_t offset,
                                    VmemProtection protection, vmem__Pages* pages) {
    return vmem_is_aligned(offset, vmem__os_allocation_granularity()) &&
           (unsigned)protection <= VMEM_READ_WRITE_EXECUTE && vmem__find_object_pages(object, offset, num_bytes, pages);
}

// Whether bytes are within the maximum of a file. Memory neither shrinks nor grows by what is for files: its mappings
// must not fault.
static bool vmem__is_file_range(const VmemObject* object, size_t offset, size_t num_bytes) {
    size_t end = SIZE_MAX / 2;  // of what the system can address
    if (!object || !object->is_file) return false;
    if (object->max_bytes < end) end = object->max_bytes;
    return num_bytes <= end && offset <= end - num_bytes;
}

// Finds the pages of a whole mapping, which `ptr` must be the start of.
static bool vmem__find_mapping(const void* ptr, size_t num_bytes, vmem__Pages* pages) {
    return vmem__find_pages(ptr, num_bytes, pages) && pages->start == (uintptr_t)ptr;
}

// Whether two mappings of this size can follow each other, after a head.
static bool vmem__are_sizes_of_mirrored(size_t num_bytes, size_t num_head_bytes) {
    const size_t granularity = vmem__os_allocation_granularity();
    return num_bytes != 0 && num_bytes <= SIZE_MAX / 4 && num_head_bytes <= SIZE_MAX / 4 &&
           vmem_is_aligned(num_bytes, granularity) && vmem_is_aligned(num_head_bytes, granularity);
}

// Whether a name is valid on Linux, which has the strictest rules.
static bool vmem__is_name(const char* name) {
    size_t length;
    for (length = 0; name[length]; length++) {
        char c = name[length];
        if (length == 79 || c < ' ' || c > '~') return false;
        if (c == '[' || c == ']' || c == '\\' || c == '$' || c == '`') return false;
    }
    return true;
}

// >>public ------------------------------------------------------------------------------------------------------------

#if defined(VMEM_DEBUG)

// The public functions are those of the section below, which call these.
#define VMEM__PUBLIC static
#define vmem_reserve vmem__plain_reserve
#define vmem_reserve_aligned vmem__plain_reserve_aligned
#define vmem_release vmem__plain_release
#define vmem_commit vmem__plain_commit
#define vmem_decommit vmem__plain_decommit
#define vmem_protect vmem__plain_protect
#define vmem_flush_instruction_cache vmem__plain_flush_instruction_cache
#define vmem_discard vmem__plain_discard
#define vmem_prefault vmem__plain_prefault
#define vmem_lock vmem__plain_lock
#define vmem_lock_on_fault vmem__plain_lock_on_fault
#define vmem_unlock vmem__plain_unlock
#define vmem_advise_huge_pages vmem__plain_advise_huge_pages
#define vmem_advise_fork vmem__plain_advise_fork
#define vmem_advise_dump vmem__plain_advise_dump
#define vmem_set_name vmem__plain_set_name
#define vmem_object_create vmem__plain_object_create
#define vmem_object_from_file vmem__plain_object_from_file
#define vmem_object_import vmem__plain_object_import
#define vmem_object_export vmem__plain_object_export
#define vmem_object_close vmem__plain_object_close
#define vmem_object_size vmem__plain_object_size
#define vmem_object_commit vmem__plain_object_commit
#define vmem_object_seal vmem__plain_object_seal
#define vmem_object_get_seals vmem__plain_object_get_seals
#define vmem_object_read vmem__plain_object_read
#define vmem_object_map vmem__plain_object_map
#define vmem_object_map_aligned vmem__plain_object_map_aligned
#define vmem_object_unmap vmem__plain_object_unmap
#define vmem_object_map_mirrored vmem__plain_object_map_mirrored
#define vmem_object_unmap_mirrored vmem__plain_object_unmap_mirrored
#define vmem_object_make_private vmem__plain_object_make_private
#define vmem_object_flush vmem__plain_object_flush
#define vmem_object_write vmem__plain_object_write
#define vmem_object_resize vmem__plain_object_resize
#define vmem_object_resize_mapped vmem__plain_object_resize_mapped
#define vmem_object_publish vmem__plain_object_publish
#define vmem_object_get_published vmem__plain_object_get_published
#define vmem_count_resident vmem__plain_count_resident
#define vmem_query vmem__plain_query
#define vmem_get_capabilities vmem__plain_get_capabilities
#define vmem_get_memory_info vmem__plain_get_memory_info
#define vmem_get_address_space vmem__plain_get_address_space
#define vmem_get_limits vmem__plain_get_limits
#define vmem_align_forward vmem__plain_align_forward
#define vmem_align_backward vmem__plain_align_backward
#define vmem_is_aligned vmem__plain_is_aligned

static uintptr_t vmem_align_forward(uintptr_t address, size_t align);
static uintptr_t vmem_align_backward(uintptr_t address, size_t align);
static bool vmem_is_aligned(uintptr_t address, size_t align);

#else
#define VMEM__PUBLIC VMEM_API
#endif

VMEM__PUBLIC void* vmem_reserve(size_t num_bytes) {
    size_t size;
    if (!vmem__round_up(num_bytes, &size)) return NULL;
    return vmem__os_reserve(size);
}

VMEM__PUBLIC void* vmem_reserve_aligned(size_t num_bytes, size_t align) {
    size_t size;
    if (!vmem__round_up(num_bytes, &size) || !vmem__is_power_of_two(align)) return NULL;
    if (align <= vmem__os_allocation_granularity()) return vmem__os_reserve(size);
    if (size > SIZE_MAX - align) return NULL;
    return vmem__os_reserve_aligned(size, align);
}

VMEM__PUBLIC VmemResult vmem_release(void* ptr, size_t num_reserved_bytes) {
    vmem__Pages pages;
    if (!vmem__find_mapping(ptr, num_reserved_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_release(ptr, pages.size);
}

VMEM__PUBLIC VmemResult vmem_commit(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_commit(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_decommit(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_decommit(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_protect(void* ptr, size_t num_bytes, VmemProtection protection) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    if ((unsigned)protection > VMEM_READ_WRITE_EXECUTE) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_protect(vmem__pointer(pages.start), pages.size, protection);
}

VMEM__PUBLIC VmemResult vmem_flush_instruction_cache(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_flush_instruction_cache(ptr, num_bytes);
}

VMEM__PUBLIC VmemResult vmem_discard(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_discard(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_prefault(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_prefault(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_lock(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_lock(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_lock_on_fault(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_lock_on_fault(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_unlock(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_unlock(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_advise_huge_pages(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_advise_huge_pages(vmem__pointer(pages.start), pages.size);
}

VMEM__PUBLIC VmemResult vmem_advise_fork(void* ptr, size_t num_bytes, VmemFork inheritance) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    if ((unsigned)inheritance > VMEM_FORK_ZERO) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_advise_fork(vmem__pointer(pages.start), pages.size, inheritance);
}

VMEM__PUBLIC VmemResult vmem_advise_dump(void* ptr, size_t num_bytes, bool is_dumped) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_advise_dump(vmem__pointer(pages.start), pages.size, is_dumped);
}

VMEM__PUBLIC VmemResult vmem_set_name(void* ptr, size_t num_bytes, const char* name) {
    vmem__Pages pages;
    if (!vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (name && !vmem__is_name(name)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_set_name(vmem__pointer(pages.start), pages.size, name);
}

// Sets what the system does not.
static VmemObject vmem__new_object(size_t max_bytes) {
    VmemObject object = {-1, -1, 0, 0, 0, false};
    object.max_bytes = max_bytes;
    return object;
}

VMEM__PUBLIC VmemResult vmem_object_create(VmemObject* object, size_t max_bytes, const char* name) {
    VmemObject made;
    VmemResult result;
    size_t size;
    if (!object || !vmem__round_up(max_bytes, &size)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (name && !vmem__is_name(name)) return VMEM_ERROR_INVALID_ARGUMENT;
    made = vmem__new_object(size);
    result = vmem__os_object_create(&made, name);
    if (result == VMEM_SUCCESS) *object = made;
    return result;
}

VMEM__PUBLIC VmemResult vmem_object_from_file(VmemObject* object, intptr_t file, size_t max_bytes) {
    VmemObject made;
    VmemResult result;
    size_t size;
    if (!object || !vmem__round_up(max_bytes, &size)) return VMEM_ERROR_INVALID_ARGUMENT;
    made = vmem__new_object(size);
    made.is_file = true;
    result = vmem__os_object_from_file(&made, file);
    if (result == VMEM_SUCCESS) *object = made;
    return result;
}

VMEM__PUBLIC VmemResult vmem_object_import(VmemObject* object, intptr_t handle) {
    VmemObject made = vmem__new_object(0);
    VmemResult result;
    if (!object) return VMEM_ERROR_INVALID_ARGUMENT;
    result = vmem__os_object_import(&made, handle);
    if (result == VMEM_SUCCESS) *object = made;
    return result;
}

VMEM__PUBLIC VmemResult vmem_object_export(const VmemObject* object, bool writable, intptr_t* handle) {
    if (!object || !handle) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_export(object, writable, handle);
}

VMEM__PUBLIC VmemResult vmem_object_close(VmemObject* object) {
    if (!object) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_close(object);
}

VMEM__PUBLIC VmemResult vmem_object_size(const VmemObject* object, size_t* num_bytes) {
    if (!object || !num_bytes) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_size(object, num_bytes);
}

VMEM__PUBLIC VmemResult vmem_object_commit(const VmemObject* object, size_t offset, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_object_pages(object, offset, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_commit(object, (size_t)pages.start, pages.size);
}

VMEM__PUBLIC VmemResult vmem_object_seal(const VmemObject* object, unsigned seals) {
    const unsigned known = VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS;
    if (!object || seals == 0 || (seals & ~known) != 0) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_seal(object, seals);
}

VMEM__PUBLIC VmemResult vmem_object_get_seals(const VmemObject* object, unsigned* seals) {
    if (!object || !seals) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_get_seals(object, seals);
}

VMEM__PUBLIC VmemResult vmem_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset) {
    vmem__Pages pages;
    if (!buffer || !vmem__find_object_pages(object, offset, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_read(object, buffer, num_bytes, offset);
}

VMEM__PUBLIC void* vmem_object_map(const VmemObject* object, size_t num_bytes, size_t offset,
                                   VmemProtection protection) {
    vmem__Pages pages;
    if (!vmem__find_mapped_pages(object, num_bytes, offset, protection, &pages)) return NULL;
    return vmem__os_object_map(object, pages.size, offset, protection);
}

VMEM__PUBLIC void* vmem_object_map_aligned(const VmemObject* object, size_t num_bytes, size_t offset,
                                           VmemProtection protection, size_t align) {
    vmem__Pages pages;
    if (!vmem__find_mapped_pages(object, num_bytes, offset, protection, &pages)) return NULL;
    if (!vmem__is_power_of_two(align)) return NULL;
    if (align <= vmem__os_allocation_granularity()) return vmem__os_object_map(object, pages.size, offset, protection);
    if (pages.size > SIZE_MAX - align) return NULL;
    return vmem__os_object_map_aligned(object, pages.size, offset, protection, align);
}

VMEM__PUBLIC VmemResult vmem_object_unmap(void* ptr, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__find_mapping(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_unmap(ptr, pages.size);
}

VMEM__PUBLIC void* vmem_object_map_mirrored(const VmemObject* object, size_t num_bytes, size_t num_head_bytes,
                                            VmemProtection protection) {
    vmem__Pages pages;
    if (!vmem__are_sizes_of_mirrored(num_bytes, num_head_bytes)) return NULL;
    if (protection != VMEM_READ && protection != VMEM_READ_WRITE) return NULL;
    if (!vmem__find_object_pages(object, 0, num_head_bytes + num_bytes, &pages)) return NULL;
    return vmem__os_object_map_mirrored(object, num_bytes, num_head_bytes, protection);
}

VMEM__PUBLIC VmemResult vmem_object_unmap_mirrored(void* ptr, size_t num_bytes, size_t num_head_bytes) {
    vmem__Pages pages;
    if (!vmem__are_sizes_of_mirrored(num_bytes, num_head_bytes)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__find_mapping(ptr, num_head_bytes + 2 * num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_unmap_mirrored(ptr, num_bytes, num_head_bytes);
}

VMEM__PUBLIC VmemResult vmem_object_make_private(const VmemObject* object, void* ptr, size_t num_bytes, size_t offset) {
    vmem__Pages pages, shown;
    if (!vmem__find_mapping(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__find_object_pages(object, offset, num_bytes, &shown)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (shown.start != offset) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_make_private(object, ptr, pages.size, offset);
}

VMEM__PUBLIC VmemResult vmem_object_flush(const VmemObject* object, void* ptr, size_t num_bytes, bool durable) {
    vmem__Pages pages;
    if (!object || !vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_flush(object, vmem__pointer(pages.start), pages.size, durable);
}

VMEM__PUBLIC VmemResult vmem_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                          size_t min_size) {
    if (!buffer || num_bytes == 0 || !vmem__is_file_range(object, offset, num_bytes))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_write(object, buffer, num_bytes, offset, min_size);
}

VMEM__PUBLIC VmemResult vmem_object_resize(const VmemObject* object, size_t num_bytes) {
    if (!vmem__is_file_range(object, 0, num_bytes)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_resize(object, num_bytes);
}

VMEM__PUBLIC VmemResult vmem_object_resize_mapped(const VmemObject* object, void* ptr, size_t* num_mapped_bytes,
                                                  VmemProtection protection, size_t num_bytes) {
    vmem__Pages pages;
    if (!num_mapped_bytes || !vmem__find_mapping(ptr, *num_mapped_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    if ((unsigned)protection > (unsigned)VMEM_READ_WRITE_EXECUTE) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__is_file_range(object, 0, num_bytes == SIZE_MAX ? 0 : num_bytes)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_resize_mapped(object, ptr, num_mapped_bytes, protection, num_bytes);
}

VMEM__PUBLIC VmemResult vmem_object_publish(VmemObject* object, size_t before, size_t num_bytes) {
    if (!object) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_publish(object, before, num_bytes);
}

VMEM__PUBLIC VmemResult vmem_object_get_published(VmemObject* object, size_t* num_bytes) {
    if (!object || !num_bytes) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_object_get_published(object, num_bytes);
}

VMEM__PUBLIC VmemResult vmem_count_resident(const void* ptr, size_t num_bytes, size_t* num_resident) {
    vmem__Pages pages;
    if (!num_resident || !vmem__find_pages(ptr, num_bytes, &pages)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_count_resident(pages.start, pages.size, num_resident);
}

VMEM__PUBLIC VmemResult vmem_query(const void* ptr, VmemRange* range) {
    uintptr_t address = vmem_align_backward((uintptr_t)ptr, vmem__os_page_size());
    if (!range) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__os_query(address, range);
}

VMEM__PUBLIC VmemCapabilities vmem_get_capabilities(void) {
    VmemCapabilities capabilities = {"other", false, false, false, false, false, false, false, false, false, false,
                                     false,   false, false, false, false, false, false, false, false, false, false};
    vmem__os_get_capabilities(&capabilities);
    return capabilities;
}

VMEM_API size_t vmem_get_page_size(void) { return vmem__os_page_size(); }

VMEM_API size_t vmem_get_allocation_granularity(void) { return vmem__os_allocation_granularity(); }

VMEM_API size_t vmem_get_huge_page_size(void) { return vmem__os_huge_page_size(); }

VMEM__PUBLIC VmemResult vmem_get_memory_info(VmemMemoryInfo* info) {
    if (!info) return VMEM_ERROR_INVALID_ARGUMENT;
    info->total = info->available = 0;
    vmem__os_get_memory_info(info);
    return VMEM_SUCCESS;
}

VMEM__PUBLIC VmemResult vmem_get_address_space(VmemAddressSpace* space) {
    if (!space) return VMEM_ERROR_INVALID_ARGUMENT;
    space->total = UINTPTR_MAX;
    space->used = 0;
    space->limit = VMEM_UNLIMITED;
    vmem__os_get_address_space(space);
    return VMEM_SUCCESS;
}

VMEM__PUBLIC VmemResult vmem_get_limits(VmemLimits* limits) {
    if (!limits) return VMEM_ERROR_INVALID_ARGUMENT;
    limits->address_space_limit = limits->data_limit = limits->commit_limit = VMEM_UNLIMITED;
    limits->largest_commit = limits->mapping_limit = limits->lock_limit = VMEM_UNLIMITED;
    limits->address_space_used = limits->data_used = limits->commit_used = 0;
    limits->mapping_used = limits->lock_used = 0;
    vmem__os_get_limits(limits);
    return VMEM_SUCCESS;
}

VMEM__PUBLIC uintptr_t vmem_align_forward(uintptr_t address, size_t align) {
    uintptr_t below = (uintptr_t)align - 1;
    return (address + below) & ~below;
}

VMEM__PUBLIC uintptr_t vmem_align_backward(uintptr_t address, size_t align) {
    return address & ~((uintptr_t)align - 1);
}

VMEM__PUBLIC bool vmem_is_aligned(uintptr_t address, size_t align) { return (address & ((uintptr_t)align - 1)) == 0; }

VMEM_API const char* vmem_result_message(VmemResult result) {
#define VMEM__AS_CASE(name, value, message) \
    case name: return message;
    switch (result) {
        VMEM_RESULTS(VMEM__AS_CASE)
        default: return "not a VmemResult";
    }
#undef VMEM__AS_CASE
}

// >>debug -------------------------------------------------------------------------------------------------------------
//
// With VMEM_DEBUG the functions above are static, and the public ones are here: they check arguments and ranges, call the
// one above, and record what it did. A check that fails prints a message and leaves everything as it is.

#if defined(VMEM_DEBUG)

#undef vmem_reserve
#undef vmem_reserve_aligned
#undef vmem_release
#undef vmem_commit
#undef vmem_decommit
#undef vmem_protect
#undef vmem_flush_instruction_cache
#undef vmem_discard
#undef vmem_prefault
#undef vmem_lock
#undef vmem_lock_on_fault
#undef vmem_unlock
#undef vmem_advise_huge_pages
#undef vmem_advise_fork
#undef vmem_advise_dump
#undef vmem_set_name
#undef vmem_object_create
#undef vmem_object_from_file
#undef vmem_object_import
#undef vmem_object_export
#undef vmem_object_close
#undef vmem_object_size
#undef vmem_object_commit
#undef vmem_object_seal
#undef vmem_object_get_seals
#undef vmem_object_read
#undef vmem_object_map
#undef vmem_object_map_aligned
#undef vmem_object_unmap
#undef vmem_object_map_mirrored
#undef vmem_object_unmap_mirrored
#undef vmem_object_make_private
#undef vmem_object_flush
#undef vmem_object_write
#undef vmem_object_resize
#undef vmem_object_resize_mapped
#undef vmem_object_publish
#undef vmem_object_get_published
#undef vmem_count_resident
#undef vmem_query
#undef vmem_get_capabilities
#undef vmem_get_memory_info
#undef vmem_get_address_space
#undef vmem_get_limits
#undef vmem_align_forward
#undef vmem_align_backward
#undef vmem_is_aligned

// Messages. The format knows %s for text, %u for a size and %x for an address, which are both passed as size_t.

#define VMEM__MESSAGE_SIZE 400

typedef struct vmem__Message {
    size_t length;
    char text[VMEM__MESSAGE_SIZE];
} vmem__Message;

static void vmem__append(vmem__Message* message, const char* text) {
    for (; *text && message->length < VMEM__MESSAGE_SIZE - 1; text++) message->text[message->length++] = *text;
    message->text[message->length] = 0;
}

static void vmem__append_number(vmem__Message* message, size_t number, unsigned base) {
    char digits[24];  // of 64 bits to base 10 or 16
    size_t i = sizeof digits - 1;
    digits[i] = 0;
    do digits[--i] = "0123456789abcdef"[number % base];
    while ((number /= base) != 0);
    vmem__append(message, base == 16 ? "0x" : "");
    vmem__append(message, digits + i);
}

// Prints a message. Returns false, for the checks that end with one. The system's error code is unchanged.
static bool vmem__refuse(const char* format, ...) {
    vmem__Message message;
    vmem__Error error = vmem__get_error();
    char letter[2] = {0, 0};
    va_list arguments;
    message.length = 0;
    va_start(arguments, format);
    for (; *format; format++) {
        letter[0] = *format;
        if (*format != '%') {
            vmem__append(&message, letter);
        } else if (*++format == 's') {
            vmem__append(&message, va_arg(arguments, const char*));
        } else {
            vmem__append_number(&message, va_arg(arguments, size_t), *format == 'x' ? 16 : 10);
        }
    }
    va_end(arguments);
    VMEM_DEBUG_PRINT(message.text);
    vmem__set_error(error);
    return false;
}

// The table: what is mapped, and which pages of reservations are committed. Both lists are sorted, and their ranges do
// not overlap. Each begins in a static array; a larger one is memory of the system.

typedef enum vmem__Kind { VMEM__RESERVATION, VMEM__OBJECT, VMEM__MIRRORED } vmem__Kind;

typedef struct vmem__Range {
    uintptr_t start, end;
    size_t head_size;  // of what is mapped mirrored
    vmem__Kind kind;
} vmem__Range;

typedef struct vmem__List {
    vmem__Range* ranges;
    size_t count, capacity;
    size_t num_mapped_bytes;  // 0 for the static array
} vmem__List;

#define VMEM__STATIC_RANGES 256
#define VMEM__KEPT_RANGES 32

static vmem__Range vmem__static_mappings[VMEM__STATIC_RANGES], vmem__static_committed[VMEM__STATIC_RANGES];
static vmem__List vmem__mappings = {vmem__static_mappings, 0, VMEM__STATIC_RANGES, 0};
static vmem__List vmem__committed = {vmem__static_committed, 0, VMEM__STATIC_RANGES, 0};

// The last ones that were released, for the messages about ranges that are nowhere.
static vmem__Range vmem__released[VMEM__KEPT_RANGES];
static size_t vmem__num_released;

// Nothing is checked against the table where nothing can be reserved, nor once there was no memory for it to grow.
static bool vmem__table_is_off = !VMEM__CAN_RESERVE, vmem__table_was_off = !VMEM__CAN_RESERVE;

// The table's lock: the process that holds it, or 0. A process that was forked while another thread held it has no such
// thread, and takes it. Only VMEM_FAIL runs code of the caller's meanwhile.
static long vmem__table_owner;

static void vmem__lock_table(void) {
    const long process = vmem__process_id();
    for (;;) {
        long owner = vmem__compare_exchange(&vmem__table_owner, 0, process);
        if (owner == 0) return;
        if (owner != process && vmem__compare_exchange(&vmem__table_owner, owner, process) == owner) return;
        vmem__yield();
    }
}

static void vmem__unlock_table(void) {
    bool was_switched_off = vmem__table_is_off && !vmem__table_was_off;
    vmem__table_was_off = vmem__table_is_off;
    vmem__compare_exchange(&vmem__table_owner, vmem__process_id(), 0);
    if (was_switched_off) vmem__refuse("VMEM_DEBUG: no memory for the table, nothing is checked against it any more");
}

// The index of the first range that ends after an address.
static size_t vmem__find_range(const vmem__List* list, uintptr_t address) {
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool vmem__grow_list(vmem__List* list) {
    size_t size = (size_t)vmem_align_forward(2 * list->capacity * sizeof(vmem__Range), vmem__os_page_size());
    vmem__Range* ranges = (vmem__Range*)vmem__os_reserve(size);
    if (!ranges) return false;
    if (vmem__os_commit(ranges, size) != VMEM_SUCCESS) {
        vmem__os_release(ranges, size);
        return false;
    }
    memcpy(ranges, list->ranges, list->count * sizeof(vmem__Range));
    if (list->num_mapped_bytes != 0) vmem__os_release(list->ranges, list->num_mapped_bytes);
    list->ranges = ranges;
    list->capacity = size / sizeof(vmem__Range);
    list->num_mapped_bytes = size;
    return true;
}

// Replaces the ranges from `first` to before `last` by others.
static void vmem__replace_ranges(vmem__List* list, size_t first, size_t last, const vmem__Range* ranges, size_t count) {
    size_t num_after = list->count - last;
    if (first + count + num_after > list->capacity) {
        vmem__Error error = vmem__get_error();
        vmem__table_is_off = !vmem__grow_list(list);
        vmem__set_error(error);
        if (vmem__table_is_off) return;
    }
    memmove(list->ranges + first + count, list->ranges + last, num_after * sizeof(vmem__Range));
    if (count != 0) memcpy(list->ranges + first, ranges, count * sizeof(vmem__Range));
    list->count = first + count + num_after;
}

static vmem__Range vmem__make_range(uintptr_t start, uintptr_t end) {
    vmem__Range range = {0, 0, 0, VMEM__RESERVATION};
    range.start = start;
    range.end = end;
    return range;
}

// Records pages as committed, in one range with those that they touch.
static void vmem__add_committed(uintptr_t start, uintptr_t end) {
    size_t first = vmem__find_range(&vmem__committed, start - 1), last = first;
    vmem__Range range = vmem__make_range(start, end);
    for (; last < vmem__committed.count && vmem__committed.ranges[last].start <= end; last++) {
        vmem__Range other = vmem__committed.ranges[last];
        if (other.start < range.start) range.start = other.start;
        if (other.end > range.end) range.end = other.end;
    }
    vmem__replace_ranges(&vmem__committed, first, last, &range, 1);
}

// Records pages as not committed. What else is in their ranges stays.
static void vmem__remove_committed(uintptr_t start, uintptr_t end) {
    size_t first = vmem__find_range(&vmem__committed, start), last = first, count = 0;
    vmem__Range kept[2];
    for (; last < vmem__committed.count && vmem__committed.ranges[last].start < end; last++) {
        vmem__Range range = vmem__committed.ranges[last];
        if (range.start < start) kept[count++] = vmem__make_range(range.start, start);
        if (range.end > end) kept[count++] = vmem__make_range(end, range.end);
    }
    vmem__replace_ranges(&vmem__committed, first, last, kept, count);
}

static void vmem__record_committed(vmem__Pages pages, bool is_committed) {
    vmem__lock_table();
    if (!vmem__table_is_off && is_committed) vmem__add_committed(pages.start, pages.start + pages.size);
    if (!vmem__table_is_off && !is_committed) vmem__remove_committed(pages.start, pages.start + pages.size);
    vmem__unlock_table();
}

// Records what was mapped, unless mapping it failed, in place of what was there and is not any more. Returns where.
static void* vmem__record_mapping(void* ptr, size_t num_bytes, size_t head_size, vmem__Kind kind) {
    vmem__Range range;
    size_t first, last;
    if (!ptr) return NULL;
    range.start = (uintptr_t)ptr;
    range.end = range.start + vmem_align_forward(num_bytes, vmem__os_page_size());
    range.head_size = head_size;
    range.kind = kind;
    vmem__lock_table();
    first = last = vmem__find_range(&vmem__mappings, range.start);
    while (last < vmem__mappings.count && vmem__mappings.ranges[last].start < range.end) last++;
    if (!vmem__table_is_off) vmem__remove_committed(range.start, range.end);
    if (!vmem__table_is_off) vmem__replace_ranges(&vmem__mappings, first, last, &range, 1);
    vmem__unlock_table();
    return ptr;
}

// Forgets a mapping and what was committed in it.
static void vmem__remove_mapping(size_t index) {
    vmem__Range range = vmem__mappings.ranges[index];
    vmem__released[vmem__num_released++ % VMEM__KEPT_RANGES] = range;
    vmem__replace_ranges(&vmem__mappings, index, index + 1, NULL, 0);
    vmem__remove_committed(range.start, range.end);
}

// Checks of arguments. Each returns whether the argument is valid.

static bool vmem__check_pointer(const char* function, const char* argument, const void* pointer) {
    return pointer || vmem__refuse("%s: %s is NULL", function, argument);
}

static bool vmem__check_size(const char* function, const char* argument, size_t num_bytes) {
    size_t size;
    if (num_bytes == 0) return vmem__refuse("%s: %s is 0", function, argument);
    return vmem__round_up(num_bytes, &size) ||
           vmem__refuse("%s: %s is %u, too many to round up to whole pages", function, argument, num_bytes);
}

static bool vmem__check_align(const char* function, size_t num_bytes, size_t align) {
    if (!vmem__is_power_of_two(align)) return vmem__refuse("%s: align is %u, not a power of two", function, align);
    return num_bytes <= SIZE_MAX - align || align <= vmem__os_allocation_granularity() ||
           vmem__refuse("%s: num_bytes %u + align %u is past the last address", function, num_bytes, align);
}

// The system calls this a lack of addresses, as it may be one of a smaller alignment.
static bool vmem__tell_of_align(const char* function, size_t align) {
    return (uint64_t)align >> 57 == 0 ||
           vmem__refuse("%s: align is %u, more than a process has addresses", function, align);
}

static bool vmem__check_option(const char* function, const char* argument, unsigned option, unsigned last) {
    return option <= last ||
           vmem__refuse("%s: %s is %u, not one of 0 to %u", function, argument, (size_t)option, (size_t)last);
}

static bool vmem__check_name(const char* function, const char* name) {
    return !name || vmem__is_name(name) ||
           vmem__refuse("%s: name is not up to 79 printable ASCII characters without [ ] \\ $ `", function);
}

static bool vmem__check_object_range(const char* function, const VmemObject* object, const char* argument,
                                     size_t offset, size_t num_bytes) {
    vmem__Pages pages;
    if (!vmem__check_pointer(function, "object", object)) return false;
    if (!vmem__check_size(function, argument, num_bytes)) return false;
    return vmem__find_object_pages(object, offset, num_bytes, &pages) ||
           vmem__refuse("%s: offset %u + %s %u is past the end of an object of up to %u bytes", function, offset,
                        argument, num_bytes, object->max_bytes);
}

static bool vmem__check_offset(const char* function, size_t offset, size_t unit) {
    return vmem_is_aligned(offset, unit) ||
           vmem__refuse("%s: offset is %u, not a multiple of %u", function, offset, unit);
}

static bool vmem__check_mirrored_sizes(const char* function, size_t num_bytes, size_t num_head_bytes) {
    const size_t unit = vmem__os_allocation_granularity();
    if (vmem__are_sizes_of_mirrored(num_bytes, num_head_bytes)) return true;
    if (num_bytes > 0 && vmem_is_aligned(num_bytes, unit) && vmem_is_aligned(num_head_bytes, unit))
        return vmem__refuse("%s: num_head_bytes %u + 2 * num_bytes %u is more than a process has addresses", function,
                            num_head_bytes, num_bytes);
    return vmem__refuse("%s: num_bytes is %u and num_head_bytes %u, but they must be multiples of %u, the first > 0",
                        function, num_bytes, num_head_bytes, unit);
}

// For what only the system knows.
static VmemResult vmem__tell(const char* function, VmemResult result) {
    if (result == VMEM_ERROR_INVALID_ARGUMENT)
        vmem__refuse("%s: the system calls an argument, or the state of the memory, invalid: its last error is %u",
                     function, (size_t)vmem__get_error());
    return result;
}

static VmemResult vmem__tell_of_object(const char* function, const VmemObject* object, VmemResult result) {
    if (result != VMEM_ERROR_INVALID_ARGUMENT || object->handle != -1) return vmem__tell(function, result);
    vmem__refuse("%s: the object is closed", function);
    return result;
}

// For functions that make an object of a handle. Of what is refused without an error of the system, the error code is that
// of an earlier call: `before`, which was replaced by 0.
static VmemResult vmem__tell_of_handle(const char* function, VmemResult result, vmem__Error before) {
    if (vmem__get_error() != 0) return vmem__tell(function, result);
    vmem__set_error(before);
    if (result == VMEM_ERROR_INVALID_ARGUMENT) vmem__refuse("%s: this handle is for something else", function);
    return result;
}

// For functions that return a pointer. NULL can also be a lack of addresses or of access, which is not a wrong call.
static void* vmem__tell_of_map(const char* function, const VmemObject* object, void* ptr) {
    if (!ptr && vmem__is_invalid(vmem__get_error()))
        vmem__tell_of_object(function, object, VMEM_ERROR_INVALID_ARGUMENT);
    return ptr;
}

// Checks of ranges.

#define VMEM__ANY 0
#define VMEM__IN_RESERVATION 1  // not in a mapping of an object
#define VMEM__IN_OBJECT 2       // in a mapping of an object
#define VMEM__IS_COMMITTED 4    // as far as it is in a reservation

static const char* vmem__name_of_kind(const vmem__Range* mapping) {
    return mapping->kind == VMEM__RESERVATION ? "reservation" : "mapping of an object";
}

// Prints why a range is in no mapping.
static bool vmem__refuse_unknown(const char* function, const void* ptr, size_t num_bytes) {
    const uintptr_t start = (uintptr_t)ptr;
    vmem__Range next = {0, 0, 0, VMEM__RESERVATION}, released = next;
    size_t index, i;
    vmem__lock_table();
    index = vmem__find_range(&vmem__mappings, start);
    if (index < vmem__mappings.count) next = vmem__mappings.ranges[index];
    for (i = 0; i < VMEM__KEPT_RANGES; i++) {
        vmem__Range range = vmem__released[(vmem__num_released + i) % VMEM__KEPT_RANGES];
        if (range.start <= start && start < range.end) released = range;
    }
    vmem__unlock_table();
    if (next.end != 0 && next.start - start < num_bytes)
        return vmem__refuse("%s(%x, %u): begins %u bytes before the %s at %x of %u bytes", function, start, num_bytes,
                            next.start - start, vmem__name_of_kind(&next), next.start, next.end - next.start);
    if (released.end != 0)
        return vmem__refuse("%s(%x, %u): the %s at %x of %u bytes was released before", function, start, num_bytes,
                            vmem__name_of_kind(&released), released.start, released.end - released.start);
    return vmem__refuse("%s(%x, %u): is not inside a reservation or a mapping of an object", function, start,
                        num_bytes);
}

// Checks that a range is inside one mapping, and what else it needs to be.
static bool vmem__check_range(const char* function, const void* ptr, size_t num_bytes, unsigned needs) {
    vmem__Pages pages;
    vmem__Range mapping = {0, 0, 0, VMEM__RESERVATION};
    uintptr_t start = (uintptr_t)ptr, uncommitted = 0;
    size_t index;
    if (!vmem__check_pointer(function, "ptr", ptr)) return false;
    if (num_bytes == 0) return vmem__refuse("%s: num_bytes is 0", function);
    if (!vmem__find_pages(ptr, num_bytes, &pages))
        return vmem__refuse("%s: ptr %x + num_bytes %u is past the last address", function, start, num_bytes);
    vmem__lock_table();
    if (vmem__table_is_off) {
        vmem__unlock_table();
        return true;
    }
    index = vmem__find_range(&vmem__mappings, pages.start);
    if (index < vmem__mappings.count && vmem__mappings.ranges[index].start <= pages.start)
        mapping = vmem__mappings.ranges[index];
    if (mapping.kind == VMEM__RESERVATION && (needs & VMEM__IS_COMMITTED)) {
        index = vmem__find_range(&vmem__committed, pages.start);
        uncommitted = pages.start;
        if (index < vmem__committed.count && vmem__committed.ranges[index].start <= pages.start)
            uncommitted = vmem__committed.ranges[index].end;
    }
    vmem__unlock_table();
    if (mapping.end == 0) return vmem__refuse_unknown(function, ptr, num_bytes);
    if (pages.start + pages.size > mapping.end)
        return vmem__refuse("%s(%x, %u): ends %u bytes after the %s at %x of %u bytes", function, start, num_bytes,
                            start + num_bytes - mapping.end, vmem__name_of_kind(&mapping), mapping.start,
                            mapping.end - mapping.start);
    if ((needs & (mapping.kind == VMEM__RESERVATION ? VMEM__IN_OBJECT : VMEM__IN_RESERVATION)) != 0)
        return vmem__refuse("%s(%x, %u): is for a %s, but this is inside the %s at %x of %u bytes", function, start,
                            num_bytes, needs & VMEM__IN_OBJECT ? "mapping of an object" : "reservation",
                            vmem__name_of_kind(&mapping), mapping.start, mapping.end - mapping.start);
    if (uncommitted != 0 && uncommitted < pages.start + pages.size)
        return vmem__refuse("%s(%x, %u): the page at %x is not committed, in the reservation at %x of %u bytes",
                            function, start, num_bytes, uncommitted, mapping.start, mapping.end - mapping.start);
    return true;
}

static const char* vmem__name_of_release(vmem__Kind kind) {
    switch (kind) {
        case VMEM__OBJECT: return "vmem_object_unmap";
        case VMEM__MIRRORED: return "vmem_object_unmap_mirrored";
        case VMEM__RESERVATION:
        default: return "vmem_release";
    }
}

static VmemResult vmem__call_release(void* ptr, size_t num_bytes, size_t num_head_bytes, vmem__Kind kind) {
    switch (kind) {
        case VMEM__OBJECT: return vmem__plain_object_unmap(ptr, num_bytes);
        case VMEM__MIRRORED: return vmem__plain_object_unmap_mirrored(ptr, num_bytes, num_head_bytes);
        case VMEM__RESERVATION:
        default: return vmem__plain_release(ptr, num_bytes);
    }
}

// Prints why something is not a whole mapping of this kind.
static bool vmem__refuse_to_release(void* ptr, size_t num_bytes, const vmem__Range* mapping, vmem__Kind kind) {
    const char* function = vmem__name_of_release(kind);
    const uintptr_t start = (uintptr_t)ptr;
    const size_t size = mapping->end - mapping->start;
    if (mapping->end == 0) return vmem__refuse_unknown(function, ptr, num_bytes);
    if (start != mapping->start)
        return vmem__refuse("%s(%x, %u): begins %u bytes after the start of the %s at %x of %u bytes", function, start,
                            num_bytes, start - mapping->start, vmem__name_of_kind(mapping), mapping->start, size);
    if (mapping->kind != kind)
        return vmem__refuse("%s(%x, %u): this is what %s is for, a %s of %u bytes", function, start, num_bytes,
                            vmem__name_of_release(mapping->kind), vmem__name_of_kind(mapping), size);
    if (kind == VMEM__MIRRORED)
        return vmem__refuse("%s(%x, %u): the mapping is one of %u bytes twice, after a head of %u", function, start,
                            num_bytes, (size - mapping->head_size) / 2, mapping->head_size);
    return vmem__refuse("%s(%x, %u): the %s has %u bytes", function, start, num_bytes, vmem__name_of_kind(mapping),
                        size);
}

// The lock is held during the system call: as soon as addresses are free, another thread can get and record them.
static VmemResult vmem__release(void* ptr, size_t num_bytes, size_t size, size_t head_size, vmem__Kind kind) {
    const uintptr_t start = (uintptr_t)ptr, end = start + vmem_align_forward(size, vmem__os_page_size());
    vmem__Range mapping = {0, 0, 0, VMEM__RESERVATION};
    VmemResult result = VMEM_ERROR_INVALID_ARGUMENT;
    bool is_valid;
    size_t index;
    vmem__lock_table();
    index = vmem__find_range(&vmem__mappings, start);
    if (index < vmem__mappings.count && vmem__mappings.ranges[index].start <= start)
        mapping = vmem__mappings.ranges[index];
    is_valid = vmem__table_is_off ||
               (mapping.start == start && mapping.end == end && mapping.kind == kind && mapping.head_size == head_size);
    if (is_valid) {
        result = vmem__call_release(ptr, num_bytes, head_size, kind);
        if (result == VMEM_SUCCESS && !vmem__table_is_off) vmem__remove_mapping(index);
    }
    vmem__unlock_table();
    if (is_valid) return vmem__tell(vmem__name_of_release(kind), result);
    vmem__refuse_to_release(ptr, num_bytes, &mapping, kind);
    return result;
}

static VmemResult vmem__check_and_release(void* ptr, const char* argument, size_t num_bytes, vmem__Kind kind) {
    const char* function = vmem__name_of_release(kind);
    if (!vmem__check_pointer(function, "ptr", ptr)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem__check_size(function, argument, num_bytes)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__release(ptr, num_bytes, num_bytes, 0, kind);
}

// The public functions, in the order of the section above.

VMEM_API void* vmem_reserve(size_t num_bytes) {
    if (!vmem__check_size("vmem_reserve", "num_bytes", num_bytes)) return NULL;
    return vmem__record_mapping(vmem__plain_reserve(num_bytes), num_bytes, 0, VMEM__RESERVATION);
}

VMEM_API void* vmem_reserve_aligned(size_t num_bytes, size_t align) {
    const char* function = "vmem_reserve_aligned";
    void* ptr;
    if (!vmem__check_size(function, "num_bytes", num_bytes) || !vmem__check_align(function, num_bytes, align))
        return NULL;
    ptr = vmem__plain_reserve_aligned(num_bytes, align);
    if (!ptr) vmem__tell_of_align(function, align);
    return vmem__record_mapping(ptr, num_bytes, 0, VMEM__RESERVATION);
}

VMEM_API VmemResult vmem_release(void* ptr, size_t num_reserved_bytes) {
    return vmem__check_and_release(ptr, "num_reserved_bytes", num_reserved_bytes, VMEM__RESERVATION);
}

VMEM_API VmemResult vmem_commit(void* ptr, size_t num_bytes) {
    const char* function = "vmem_commit";
    vmem__Pages pages;
    VmemResult result;
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IN_RESERVATION)) return VMEM_ERROR_INVALID_ARGUMENT;
    result = vmem__plain_commit(ptr, num_bytes);
    if (result == VMEM_SUCCESS && vmem__find_pages(ptr, num_bytes, &pages)) vmem__record_committed(pages, true);
    return vmem__tell(function, result);
}

VMEM_API VmemResult vmem_decommit(void* ptr, size_t num_bytes) {
    const char* function = "vmem_decommit";
    vmem__Pages pages;
    VmemResult result;
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IN_RESERVATION)) return VMEM_ERROR_INVALID_ARGUMENT;
    result = vmem__plain_decommit(ptr, num_bytes);
    if ((result == VMEM_SUCCESS || result == VMEM_DECOMMIT_INCOMPLETE) && vmem__find_pages(ptr, num_bytes, &pages))
        vmem__record_committed(pages, false);
    return vmem__tell(function, result);
}

VMEM_API VmemResult vmem_protect(void* ptr, size_t num_bytes, VmemProtection protection) {
    const char* function = "vmem_protect";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IS_COMMITTED) ||
        !vmem__check_option(function, "protection", (unsigned)protection, VMEM_READ_WRITE_EXECUTE))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_protect(ptr, num_bytes, protection));
}

VMEM_API VmemResult vmem_flush_instruction_cache(void* ptr, size_t num_bytes) {
    const char* function = "vmem_flush_instruction_cache";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IS_COMMITTED)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_flush_instruction_cache(ptr, num_bytes));
}

VMEM_API VmemResult vmem_discard(void* ptr, size_t num_bytes) {
    const char* function = "vmem_discard";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IN_RESERVATION | VMEM__IS_COMMITTED))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_discard(ptr, num_bytes));
}

VMEM_API VmemResult vmem_prefault(void* ptr, size_t num_bytes) {
    const char* function = "vmem_prefault";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IS_COMMITTED)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_prefault(ptr, num_bytes));
}

VMEM_API VmemResult vmem_lock(void* ptr, size_t num_bytes) {
    const char* function = "vmem_lock";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IS_COMMITTED)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_lock(ptr, num_bytes));
}

VMEM_API VmemResult vmem_lock_on_fault(void* ptr, size_t num_bytes) {
    const char* function = "vmem_lock_on_fault";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IS_COMMITTED)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_lock_on_fault(ptr, num_bytes));
}

VMEM_API VmemResult vmem_unlock(void* ptr, size_t num_bytes) {
    const char* function = "vmem_unlock";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IS_COMMITTED)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_unlock(ptr, num_bytes));
}

VMEM_API VmemResult vmem_advise_huge_pages(void* ptr, size_t num_bytes) {
    const char* function = "vmem_advise_huge_pages";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__ANY)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_advise_huge_pages(ptr, num_bytes));
}

VMEM_API VmemResult vmem_advise_fork(void* ptr, size_t num_bytes, VmemFork inheritance) {
    const char* function = "vmem_advise_fork";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__ANY) ||
        !vmem__check_option(function, "inheritance", (unsigned)inheritance, VMEM_FORK_ZERO))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_advise_fork(ptr, num_bytes, inheritance));
}

VMEM_API VmemResult vmem_advise_dump(void* ptr, size_t num_bytes, bool is_dumped) {
    const char* function = "vmem_advise_dump";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IS_COMMITTED)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_advise_dump(ptr, num_bytes, is_dumped));
}

VMEM_API VmemResult vmem_set_name(void* ptr, size_t num_bytes, const char* name) {
    const char* function = "vmem_set_name";
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__ANY) || !vmem__check_name(function, name))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_set_name(ptr, num_bytes, name));
}

VMEM_API VmemResult vmem_object_create(VmemObject* object, size_t max_bytes, const char* name) {
    const char* function = "vmem_object_create";
    if (!vmem__check_pointer(function, "object", object) || !vmem__check_size(function, "max_bytes", max_bytes) ||
        !vmem__check_name(function, name))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_object_create(object, max_bytes, name));
}

VMEM_API VmemResult vmem_object_from_file(VmemObject* object, intptr_t file, size_t max_bytes) {
    const char* function = "vmem_object_from_file";
    const vmem__Error before = vmem__get_error();
    if (!vmem__check_pointer(function, "object", object) || !vmem__check_size(function, "max_bytes", max_bytes))
        return VMEM_ERROR_INVALID_ARGUMENT;
    vmem__set_error(0);
    return vmem__tell_of_handle(function, vmem__plain_object_from_file(object, file, max_bytes), before);
}

VMEM_API VmemResult vmem_object_import(VmemObject* object, intptr_t handle) {
    const char* function = "vmem_object_import";
    const vmem__Error before = vmem__get_error();
    if (!vmem__check_pointer(function, "object", object)) return VMEM_ERROR_INVALID_ARGUMENT;
    vmem__set_error(0);
    return vmem__tell_of_handle(function, vmem__plain_object_import(object, handle), before);
}

VMEM_API VmemResult vmem_object_export(const VmemObject* object, bool writable, intptr_t* handle) {
    const char* function = "vmem_object_export";
    if (!vmem__check_pointer(function, "object", object) || !vmem__check_pointer(function, "handle", handle))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_export(object, writable, handle));
}

VMEM_API VmemResult vmem_object_close(VmemObject* object) {
    const char* function = "vmem_object_close";
    if (!vmem__check_pointer(function, "object", object)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_close(object));
}

VMEM_API VmemResult vmem_object_size(const VmemObject* object, size_t* num_bytes) {
    const char* function = "vmem_object_size";
    if (!vmem__check_pointer(function, "object", object) || !vmem__check_pointer(function, "num_bytes", num_bytes))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_size(object, num_bytes));
}

VMEM_API VmemResult vmem_object_commit(const VmemObject* object, size_t offset, size_t num_bytes) {
    const char* function = "vmem_object_commit";
    if (!vmem__check_object_range(function, object, "num_bytes", offset, num_bytes)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_commit(object, offset, num_bytes));
}

VMEM_API VmemResult vmem_object_seal(const VmemObject* object, unsigned seals) {
    const char* function = "vmem_object_seal";
    if (!vmem__check_pointer(function, "object", object)) return VMEM_ERROR_INVALID_ARGUMENT;
    if (seals == 0 || seals > (VMEM_SEAL_SIZE | VMEM_SEAL_WRITERS)) {
        vmem__refuse("%s: seals is %u, not one of 1 to 3", function, (size_t)seals);
        return VMEM_ERROR_INVALID_ARGUMENT;
    }
    return vmem__tell_of_object(function, object, vmem__plain_object_seal(object, seals));
}

VMEM_API VmemResult vmem_object_get_seals(const VmemObject* object, unsigned* seals) {
    const char* function = "vmem_object_get_seals";
    if (!vmem__check_pointer(function, "object", object) || !vmem__check_pointer(function, "seals", seals))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_get_seals(object, seals));
}

// Prints why reading was refused. The end may only be known to the system.
static VmemResult vmem__tell_of_read(const char* function, const VmemObject* object, size_t num_bytes, size_t offset) {
    vmem__Error error = vmem__get_error();
    size_t size = 0;
    VmemResult result = vmem__os_object_size(object, &size);
    vmem__set_error(error);
    if (result == VMEM_SUCCESS && offset + num_bytes > size)
        vmem__refuse("%s: offset %u + num_bytes %u is past the end, the object has %u bytes", function, offset,
                     num_bytes, size);
    else
        vmem__tell_of_object(function, object, VMEM_ERROR_INVALID_ARGUMENT);
    return VMEM_ERROR_INVALID_ARGUMENT;
}

VMEM_API VmemResult vmem_object_read(const VmemObject* object, void* buffer, size_t num_bytes, size_t offset) {
    const char* function = "vmem_object_read";
    VmemResult result;
    if (!vmem__check_pointer(function, "buffer", buffer) ||
        !vmem__check_object_range(function, object, "num_bytes", offset, num_bytes))
        return VMEM_ERROR_INVALID_ARGUMENT;
    result = vmem__plain_object_read(object, buffer, num_bytes, offset);
    if (result != VMEM_ERROR_INVALID_ARGUMENT) return result;
    return vmem__tell_of_read(function, object, num_bytes, offset);
}

static bool vmem__check_map(const char* function, const VmemObject* object, size_t num_bytes, size_t offset,
                            VmemProtection protection) {
    return vmem__check_object_range(function, object, "num_bytes", offset, num_bytes) &&
           vmem__check_offset(function, offset, vmem__os_allocation_granularity()) &&
           vmem__check_option(function, "protection", (unsigned)protection, VMEM_READ_WRITE_EXECUTE);
}

VMEM_API void* vmem_object_map(const VmemObject* object, size_t num_bytes, size_t offset, VmemProtection protection) {
    const char* function = "vmem_object_map";
    void* ptr;
    if (!vmem__check_map(function, object, num_bytes, offset, protection)) return NULL;
    ptr = vmem__plain_object_map(object, num_bytes, offset, protection);
    return vmem__record_mapping(vmem__tell_of_map(function, object, ptr), num_bytes, 0, VMEM__OBJECT);
}

VMEM_API void* vmem_object_map_aligned(const VmemObject* object, size_t num_bytes, size_t offset,
                                       VmemProtection protection, size_t align) {
    const char* function = "vmem_object_map_aligned";
    void* ptr;
    if (!vmem__check_map(function, object, num_bytes, offset, protection)) return NULL;
    if (!vmem__check_align(function, num_bytes, align)) return NULL;
    ptr = vmem__plain_object_map_aligned(object, num_bytes, offset, protection, align);
    if (!ptr && vmem__tell_of_align(function, align)) vmem__tell_of_map(function, object, ptr);
    return vmem__record_mapping(ptr, num_bytes, 0, VMEM__OBJECT);
}

VMEM_API VmemResult vmem_object_unmap(void* ptr, size_t num_bytes) {
    return vmem__check_and_release(ptr, "num_bytes", num_bytes, VMEM__OBJECT);
}

VMEM_API void* vmem_object_map_mirrored(const VmemObject* object, size_t num_bytes, size_t num_head_bytes,
                                        VmemProtection protection) {
    const char* function = "vmem_object_map_mirrored";
    void* ptr;
    if (!vmem__check_mirrored_sizes(function, num_bytes, num_head_bytes) ||
        !vmem__check_object_range(function, object, "num_head_bytes + num_bytes", 0, num_head_bytes + num_bytes))
        return NULL;
    if (protection != VMEM_READ && protection != VMEM_READ_WRITE) {
        vmem__refuse("%s: protection is %u, neither VMEM_READ nor VMEM_READ_WRITE", function, (size_t)protection);
        return NULL;
    }
    ptr = vmem__plain_object_map_mirrored(object, num_bytes, num_head_bytes, protection);
    ptr = vmem__tell_of_map(function, object, ptr);
    return vmem__record_mapping(ptr, num_head_bytes + 2 * num_bytes, num_head_bytes, VMEM__MIRRORED);
}

VMEM_API VmemResult vmem_object_unmap_mirrored(void* ptr, size_t num_bytes, size_t num_head_bytes) {
    const char* function = "vmem_object_unmap_mirrored";
    if (!vmem__check_pointer(function, "ptr", ptr) || !vmem__check_mirrored_sizes(function, num_bytes, num_head_bytes))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__release(ptr, num_bytes, num_head_bytes + 2 * num_bytes, num_head_bytes, VMEM__MIRRORED);
}

VMEM_API VmemResult vmem_object_make_private(const VmemObject* object, void* ptr, size_t num_bytes, size_t offset) {
    const char* function = "vmem_object_make_private";
    const size_t page_size = vmem__os_page_size();
    if (!vmem__check_range(function, ptr, num_bytes, VMEM__IN_OBJECT) ||
        !vmem__check_object_range(function, object, "num_bytes", offset, num_bytes) ||
        !vmem__check_offset(function, offset, page_size))
        return VMEM_ERROR_INVALID_ARGUMENT;
    if (!vmem_is_aligned((uintptr_t)ptr, page_size)) {
        vmem__refuse("%s: ptr is %x, not the start of a page", function, (uintptr_t)ptr);
        return VMEM_ERROR_INVALID_ARGUMENT;
    }
    return vmem__tell_of_object(function, object, vmem__plain_object_make_private(object, ptr, num_bytes, offset));
}

VMEM_API VmemResult vmem_object_flush(const VmemObject* object, void* ptr, size_t num_bytes, bool durable) {
    const char* function = "vmem_object_flush";
    if (!vmem__check_pointer(function, "object", object) ||
        !vmem__check_range(function, ptr, num_bytes, VMEM__IN_OBJECT))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_flush(object, ptr, num_bytes, durable));
}

static bool vmem__check_file_range(const char* function, const VmemObject* object, size_t offset, size_t num_bytes) {
    if (!vmem__check_pointer(function, "object", object)) return false;
    if (!object->is_file) return vmem__refuse("%s: the object is memory, not a file", function);
    return vmem__is_file_range(object, offset, num_bytes) ||
           vmem__refuse("%s: offset %u + num_bytes %u is past the end of a file of up to %u bytes", function, offset,
                        num_bytes, object->max_bytes);
}

VMEM_API VmemResult vmem_object_write(const VmemObject* object, const void* buffer, size_t num_bytes, size_t offset,
                                      size_t min_size) {
    const char* function = "vmem_object_write";
    if (!vmem__check_file_range(function, object, offset, num_bytes) ||
        !vmem__check_pointer(function, "buffer", buffer) || !vmem__check_size(function, "num_bytes", num_bytes))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object,
                                vmem__plain_object_write(object, buffer, num_bytes, offset, min_size));
}

VMEM_API VmemResult vmem_object_resize(const VmemObject* object, size_t num_bytes) {
    const char* function = "vmem_object_resize";
    if (!vmem__check_file_range(function, object, 0, num_bytes)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_resize(object, num_bytes));
}

// Another thread has taken the addresses of the rest.
static void vmem__shorten_mapping(uintptr_t start, size_t size) {
    size_t index;
    vmem__lock_table();
    index = vmem__find_range(&vmem__mappings, start);
    if (!vmem__table_is_off && index < vmem__mappings.count && vmem__mappings.ranges[index].start == start) {
        vmem__mappings.ranges[index].end = start + vmem_align_forward(size, vmem__os_page_size());
        if (size == 0) vmem__remove_mapping(index);
    }
    vmem__unlock_table();
}

VMEM_API VmemResult vmem_object_resize_mapped(const VmemObject* object, void* ptr, size_t* num_mapped_bytes,
                                              VmemProtection protection, size_t num_bytes) {
    const char* function = "vmem_object_resize_mapped";
    VmemResult result;
    size_t before;
    if (!vmem__check_file_range(function, object, 0, num_bytes == SIZE_MAX ? 0 : num_bytes) ||
        !vmem__check_pointer(function, "num_mapped_bytes", num_mapped_bytes) ||
        !vmem__check_range(function, ptr, *num_mapped_bytes, VMEM__IN_OBJECT) ||
        !vmem__check_option(function, "protection", (unsigned)protection, VMEM_READ_WRITE_EXECUTE))
        return VMEM_ERROR_INVALID_ARGUMENT;
    before = *num_mapped_bytes;
    result = vmem__plain_object_resize_mapped(object, ptr, num_mapped_bytes, protection, num_bytes);
    if (*num_mapped_bytes < before) vmem__shorten_mapping((uintptr_t)ptr, *num_mapped_bytes);
    return vmem__tell_of_object(function, object, result);
}

VMEM_API VmemResult vmem_object_publish(VmemObject* object, size_t before, size_t num_bytes) {
    const char* function = "vmem_object_publish";
    if (!vmem__check_pointer(function, "object", object)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_publish(object, before, num_bytes));
}

VMEM_API VmemResult vmem_object_get_published(VmemObject* object, size_t* num_bytes) {
    const char* function = "vmem_object_get_published";
    if (!vmem__check_pointer(function, "object", object) || !vmem__check_pointer(function, "num_bytes", num_bytes))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell_of_object(function, object, vmem__plain_object_get_published(object, num_bytes));
}

VMEM_API VmemResult vmem_count_resident(const void* ptr, size_t num_bytes, size_t* num_resident) {
    const char* function = "vmem_count_resident";
    if (!vmem__check_pointer(function, "num_resident", num_resident) ||
        !vmem__check_range(function, ptr, num_bytes, VMEM__ANY))
        return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell(function, vmem__plain_count_resident(ptr, num_bytes, num_resident));
}

// A range is inside one reservation here, whatever the system would do.
VMEM_API VmemCapabilities vmem_get_capabilities(void) {
    VmemCapabilities capabilities = vmem__plain_get_capabilities();
    capabilities.calls_span_reservations = false;
    return capabilities;
}

VMEM_API VmemResult vmem_query(const void* ptr, VmemRange* range) {
    if (!vmem__check_pointer("vmem_query", "range", range)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__tell("vmem_query", vmem__plain_query(ptr, range));
}

VMEM_API VmemResult vmem_get_memory_info(VmemMemoryInfo* info) {
    if (!vmem__check_pointer("vmem_get_memory_info", "info", info)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__plain_get_memory_info(info);
}

VMEM_API VmemResult vmem_get_address_space(VmemAddressSpace* space) {
    if (!vmem__check_pointer("vmem_get_address_space", "space", space)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__plain_get_address_space(space);
}

VMEM_API VmemResult vmem_get_limits(VmemLimits* limits) {
    if (!vmem__check_pointer("vmem_get_limits", "limits", limits)) return VMEM_ERROR_INVALID_ARGUMENT;
    return vmem__plain_get_limits(limits);
}

VMEM_API uintptr_t vmem_align_forward(uintptr_t address, size_t align) {
    vmem__check_align("vmem_align_forward", 0, align);
    return vmem__plain_align_forward(address, align);
}

VMEM_API uintptr_t vmem_align_backward(uintptr_t address, size_t align) {
    vmem__check_align("vmem_align_backward", 0, align);
    return vmem__plain_align_backward(address, align);
}

VMEM_API bool vmem_is_aligned(uintptr_t address, size_t align) {
    vmem__check_align("vmem_is_aligned", 0, align);
    return vmem__plain_is_aligned(address, align);
}

#endif  // VMEM_DEBUG

#ifdef __cplusplus
}
#endif

#endif  // VMEM_IMPLEMENTATION

/*
MIT License

The idea of vmem.h and the names of its first seven functions are Jakub Tomsu's.

Copyright (c) 2026 the vmem developers

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
