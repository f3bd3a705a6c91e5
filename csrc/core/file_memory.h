// A file as a backing: all of its capacity is mapped at once, and it grows below that. Pages are committed up to the end
// of the file, and those after it would be a fault. The file begins with bytes of its own, which may be the header of a
// .npy file; the items follow it.
#ifndef VMEM_FILE_MEMORY_H
#define VMEM_FILE_MEMORY_H

#include "core/reservation.h"

typedef struct FileMemory {
    Backing backing;  // the first member: a pointer to one is a pointer to the other
    VmemObject object;
    bool is_open;
    bool is_writer;
    bool is_locked;          // by what opened it, whose lock closing ends
    bool is_kept;            // it is closed, and the object can only read: for forked children
    bool closes_later;       // when nobody waits for the disk any more
    Py_ssize_t num_waiting;  // how many threads do
    bool has_grown;          // or has had another number of items than when it was opened: else it stays as it is
    bool publishes;          // whether readers are told what was flushed; else they see the size of the file
    size_t item_offset;      // where the items begin
    size_t item_size;
    size_t size;          // that of the file: set by the writer, or as far as a reader may read
    size_t mapped_size;   // how far it is mapped: less than was asked for only where Windows has lost the addresses
    size_t shown_size;    // of a reader: what the file had when it was last mapped, where mappings do not grow
    size_t exact_size;    // of a writer: what the file is to have when it is closed
    size_t flushed_size;  // of a writer: what it was after the last flush
    size_t max_ahead;     // of a writer: by how much more than it needs it asks the disk

    // The header of a .npy file: this text up to the number of items, then the rest of it, spaces and a newline. Without
    // one both are empty.
    size_t prefix_size, suffix_size;
    size_t shown_length;      // the number that this process has written into the header last; SIZE_MAX before that
    size_t num_shown_digits;  // of it; 0 before that
    char* header;             // the prefix and room for the rest
    char* suffix;
} FileMemory;

// What a file holds. `prefix` and `suffix` are bytes.
typedef struct FileLayout {
    size_t item_offset, item_size;
    size_t length;     // of items
    size_t max_bytes;  // what the file can grow to
    PyObject *prefix, *suffix;
} FileLayout;

// The memory of a file, whose descriptor is duplicated. NULL with OSError, MemoryError, or ValueError for a file that has
// less than its layout says.
FileMemory* file_memory_open(intptr_t handle, const FileLayout* layout, bool is_writer);

// Records that pages up to `end`, which is in the file, can be accessed. Returns -1 with MemoryError.
int file_memory_record(FileMemory* memory, Reservation* reservation, size_t end);

// For a writer: gives the file at least `end` bytes, which are within its capacity, and a whole number of items. Returns
// -1 with OSError or MemoryError, and nothing has changed. The caller holds the owner's lock.
int file_memory_grow(FileMemory* memory, Reservation* reservation, size_t end);

// For a writer: puts bytes at an offset, which is where the items end, by a call of the system instead of page faults,
// where that is faster. Returns 1 when it has done that, 0 when the caller has to, and else as file_memory_grow().
int file_memory_append(FileMemory* memory, Reservation* reservation, size_t offset, const char* bytes,
                       size_t num_bytes);

// For a writer: returns -1 with OSError when somebody else has made the file shorter.
int file_memory_check_size(FileMemory* memory);

// For a writer: makes the size of the file and its header exact, and shows so many items to readers. Before it has grown,
// nothing is changed. The last time, before it is closed, that needs no memory. Where the system keeps a mapped file from
// becoming shorter, its size stays.
int file_memory_settle(FileMemory* memory, Reservation* reservation, size_t length, bool is_last);

// For a writer that closes: there, makes its size exact by mapping it again, unless views show it: then that is done when
// it is unmapped. What was exported stays writable, as views that are gone may have left pointers. Returns -1 with OSError
// when others map it.
int file_memory_make_exact(FileMemory* memory, Reservation* reservation, bool is_exported);

// For a reader: how many items there are by now, or fewer. 0 where that cannot be found out.
size_t file_memory_find_length(FileMemory* memory);

// How many of so many items the mapping shows, after an attempt to show them. `is_used` says that the memory may be in use
// without the owner's lock.
size_t file_memory_show(FileMemory* memory, Reservation* reservation, size_t length, bool is_used);

// Waits until the disk has what was settled. `object` is that of the memory when the caller still had the owner's lock,
// which it need not have any more.
VmemResult file_memory_sync(const VmemObject* object, const Reservation* reservation, bool is_durable);

// Does nothing when it is closed. While threads wait for the disk, file_memory_end_wait() closes it. What was exported
// stays mapped: forked children get a copy of their own of that.
void file_memory_close(FileMemory* memory, bool is_exported);
void file_memory_end_wait(FileMemory* memory, bool is_exported);

// In a forked child, before file_memory_isolate(): the same file, to read it. NULL without an exception.
FileMemory* file_memory_open_again(const FileMemory* memory);

// In a forked child: gives it a copy of its own of what the parent may write, in place, and a descriptor of its own that
// cannot write. Where the system refuses that, the pages are copied, or can be read, up to `committed_end`.
void file_memory_isolate(FileMemory* memory, char* base, size_t size, size_t committed_end);

// Raises OSError for a refused call: "cannot flush a file". Returns -1.
int file_memory_raise(PyObject* what, VmemResult result, int error);

// How many digits the header has room for, or more than any number has.
size_t file_memory_count_digits(const FileMemory* memory);

// NULL when a reservation has another backing.
FileMemory* file_memory_of(const Backing* backing);

#endif
