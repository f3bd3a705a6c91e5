/*
vmem_arena.h - an arena and a growable array for C and C++, over vmem.h: what they hold never moves
version 0.1.0, MIT licence (at the end of vmem.h)

WHAT IT IS
    An arena allocates from one reservation, one allocation after the other, and frees them together: those after a
    mark, or all. A growable array has its items in one reservation: pushing commits memory after them, so that pointers
    to items stay valid until the array is released. Each is a struct of the caller's; vmem.h keeps no records.

HOW TO USE IT
    vmem_arena.h includes vmem.h, which must be in the same folder or in the include path. In exactly one C or C++ file:

        #define VMEM_IMPLEMENTATION
        #include "vmem_arena.h"

    and in every other file the include alone.

        typedef struct Particle {
            float x, y;
        } Particle;

        typedef VMEM_ARRAY(Particle) Particles;          // name the type to pass it to functions

        static VmemResult add_particle(Particles* particles, float x, float y) {
            Particle particle;
            particle.x = x;
            particle.y = y;
            return vmem_array_push(particles, particle);
        }

        int main(void) {
            VmemArena arena;
            Particles particles;
            const Particle* first;
            int frame;
            if (vmem_arena_init(&arena, (size_t)256 << 20)) return 1;   // addresses, and no memory yet
            if (vmem_array_init(&particles, (size_t)1 << 20)) return 1;

            first = particles.items;                     // is valid from the start, and stays so
            for (frame = 0; frame < 100; frame++) {
                size_t mark = vmem_arena_mark(&arena);
                float* x = VMEM_ARENA_NEW(&arena, float, 1000);         // zeroed
                if (!x) return 1;                        // full, or the system refused memory
                x[0] = (float)frame;
                if (add_particle(&particles, x[0], 1)) return 1;
                vmem_arena_rewind(&arena, mark);         // frees what this frame has allocated
            }
            if (particles.num_items != 100 || first->y < 1) return 1;
            vmem_array_release(&particles);
            return vmem_arena_release(&arena) ? 1 : 0;
        }

FUNCTIONS
    arena       vmem_arena_init, vmem_arena_alloc, vmem_arena_alloc_items, vmem_arena_alloc_dirty, vmem_arena_mark,
                vmem_arena_rewind, vmem_arena_trim, vmem_arena_release
    array       vmem_array_init, vmem_array_push, vmem_array_ensure, vmem_array_pop, vmem_array_clear,
                vmem_array_trim, vmem_array_release

    Those of the array are macros, because they work on items of every type. Each is described above its declaration or
    definition: search for >>arena and >>array, and for >>committing, >>arena functions and >>array functions below.

OPTIONS
    Define these before the include:

        VMEM_IMPLEMENTATION        compile the functions of vmem.h and of this header into this file; in exactly one
        VMEM_ARENA_IMPLEMENTATION  compile those of this header alone; in exactly one file, where the one with
                                   VMEM_IMPLEMENTATION includes only vmem.h
        VMEM_API                   as for vmem.h, and the same for both. With `static inline` each file has a private
                                   copy: define VMEM_IMPLEMENTATION in all of them

RULES THAT HOLD FOR EVERY FUNCTION
    memory    It is committed in steps that double up to 8 MiB, and then by 8 MiB with huge pages where the system has
              them. If the system refuses a step, what is needed and no more is tried. No other memory is allocated.
    errors    A function that can fail returns a VmemResult, of which VMEM_SUCCESS is 0, or a pointer, NULL on failure.
              Then it has changed nothing, unless it says otherwise, and errno or GetLastError() is what the system call
              set. Otherwise errno is unchanged, after success too. Nothing here asserts or aborts.
    zero      A struct of zero bytes, as static ones are, is a released one, and so is one whose initialisation failed:
              allocating and pushing fail, and releasing succeeds.
    threads   One thread at a time uses an arena or an array. Different ones are independent.
    copies    A copy of a struct is not a second arena or array: use one of the two.
*/

#include "vmem.h"

#ifndef VMEM_ARENA_H
#define VMEM_ARENA_H

#ifdef __cplusplus
extern "C" {
#endif

// >>arena -------------------------------------------------------------------------------------------------------------

// An arena. Its fields are for reading.
typedef struct VmemArena {
    char* base;            // of the reservation; NULL if it is released
    size_t max_bytes;      // that can be allocated, with the gaps that alignment needs
    size_t num_used;       // bytes from the base to the end of the newest allocation
    size_t num_committed;  // bytes from the base; whole pages
    size_t num_dirty;      // bytes from the base that may have been written; the committed ones after them read zero
} VmemArena;

// Make an arena, without committing memory.
//   arena           receives the arena; a released one on failure. What it had before is not released
//   max_bytes       in bytes, > 0
//   fails           VMEM_ERROR_INVALID_ARGUMENT (also for more bytes than there are addresses),
//                   VMEM_ERROR_OUT_OF_MEMORY (no free addresses, address space limit, mapping limit),
//                   VMEM_ERROR_UNSUPPORTED
//   threads         safe on different arenas
//   systems         as vmem_reserve()
VMEM_API VmemResult vmem_arena_init(VmemArena* arena, size_t max_bytes);

// Allocate zeroed memory.
//   num_bytes       in bytes; 0 takes no space, and the result must not be accessed
//   align           in bytes, a power of two > 0, also larger than a page
//   returns         the first address, a multiple of `align`; NULL on failure
//   fails           the arena is full or released, `align` is not a power of two, the system refuses memory
//   threads         safe on different arenas
//   systems         as vmem_commit() and vmem_advise_huge_pages(), for few allocations
VMEM_API void* vmem_arena_alloc(VmemArena* arena, size_t num_bytes, size_t align);

// Allocate zeroed memory for items. VMEM_ARENA_NEW() knows their type.
//   num_items, item_size  their product is in bytes, and need not fit a size_t
//   align           in bytes, a power of two > 0
//   returns         the first address, a multiple of `align`; NULL on failure
//   fails           as vmem_arena_alloc()
//   threads         safe on different arenas
//   systems         as vmem_arena_alloc()
VMEM_API void* vmem_arena_alloc_items(VmemArena* arena, size_t num_items, size_t item_size, size_t align);

// Allocate memory without zeroing it: it has what was there before a rewind, or zeros.
//   num_bytes, align  as for vmem_arena_alloc()
//   returns         the first address, a multiple of `align`; NULL on failure
//   fails           as vmem_arena_alloc()
//   threads         safe on different arenas
//   systems         as vmem_arena_alloc()
VMEM_API void* vmem_arena_alloc_dirty(VmemArena* arena, size_t num_bytes, size_t align);

// Get a mark, to free later what is allocated from now on.
//   returns         the number of bytes that are used
//   fails           never
//   threads         safe on different arenas
//   systems         all
VMEM_API size_t vmem_arena_mark(const VmemArena* arena);

// Free what was allocated since a mark was taken. Its memory stays committed, for the next allocations.
//   mark            of vmem_arena_mark(), and not freed by another rewind since; 0 frees everything
//   fails           VMEM_ERROR_INVALID_ARGUMENT (a mark beyond what is used)
//   threads         safe on different arenas
//   systems         all
VMEM_API VmemResult vmem_arena_rewind(VmemArena* arena, size_t mark);

// Return the memory after the last allocation to the system: all committed pages without a byte of an allocation.
//   fails           as vmem_decommit(). After VMEM_DECOMMIT_INCOMPLETE the arena is trimmed too
//   threads         safe on different arenas
//   systems         as vmem_decommit()
VMEM_API VmemResult vmem_arena_trim(VmemArena* arena);

// Release the memory and the addresses of an arena. It is not an error if it is released already.
//   fails           as vmem_release()
//   threads         safe on different arenas
//   systems         as vmem_release()
VMEM_API VmemResult vmem_arena_release(VmemArena* arena);

// Allocate zeroed memory for `count` items of a type: a pointer to the type, or NULL.
#define VMEM_ARENA_NEW(arena, type, count) \
    VMEM__POINTER_TO(type, vmem_arena_alloc_items((arena), (count), sizeof(type), VMEM_ALIGN_OF(type)))

// C++ programs may be compiled with warnings of casts as C has them.
#if defined(__cplusplus)
#define VMEM__POINTER_TO(type, address) static_cast<type*>(address)
#else
#define VMEM__POINTER_TO(type, address) ((type*)(address))
#endif

// The alignment of a type, for vmem_arena_alloc(). C99 has no operator for that.
#if defined(__cplusplus)
#define VMEM_ALIGN_OF(type) alignof(type)
#elif defined(_MSC_VER)
#define VMEM_ALIGN_OF(type) __alignof(type)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define VMEM_ALIGN_OF(type) _Alignof(type)
#else
#define VMEM_ALIGN_OF(type)    \
    (sizeof(struct {           \
         char vmem__character; \
         type vmem__item;      \
     }) -                      \
     sizeof(type))
#endif

// >>array -------------------------------------------------------------------------------------------------------------
//
// `array` is a pointer to a VMEM_ARRAY. The macros evaluate it several times, and every other argument once. In C++ an
// item has a type that C has too: it is assigned, and never constructed or destroyed.

// The memory of an array. Its fields are for reading.
typedef struct VmemArrayMemory {
    VmemArena arena;    // has the items and nothing else
    size_t num_ready;   // items for which memory is committed
    VmemResult result;  // of the last time that memory was committed
} VmemArrayMemory;

// The type of a growable array of items of a type, to whose name `*` can be appended. Each use is another type: name it
// with typedef where functions take it. Items can be read and written by their index, below `num_items`. A type whose
// name has a comma, as Pair<int, int>, is several arguments of a macro: give it another name with typedef.
#define VMEM_ARRAY(type)        \
    struct {                    \
        type* items;            \
        size_t num_items;       \
        VmemArrayMemory memory; \
    }

// Make an array without items, and without committing memory. The items have the alignment of their type, also one that
// is larger than a page.
//   array           receives the array; a released one on failure. What it had before is not released
//   max_items       how many items it can have, > 0
//   returns         a VmemResult
//   fails           as vmem_arena_init()
//   threads         safe on different arrays
//   systems         as vmem_reserve_aligned()
#define vmem_array_init(array, max_items)                                                                         \
    vmem__array_init(&(array)->memory, &(array)->items, &(array)->num_items, (max_items), sizeof *(array)->items, \
                     VMEM__ALIGN_OF_ITEMS(array))

// The alignment of items, of whose type only an expression is known. Where no operator tells it, the largest that their
// size allows.
#if defined(__cplusplus)
#define VMEM__ALIGN_OF_ITEMS(array) alignof(decltype(*(array)->items))
#elif defined(__GNUC__)
#define VMEM__ALIGN_OF_ITEMS(array) __alignof__(*(array)->items)
#else
#define VMEM__ALIGN_OF_ITEMS(array) (sizeof *(array)->items & (~sizeof *(array)->items + 1))
#endif

// Append an item.
//   ...             the item, which does not change the array, or in C++ {a, b}; it is not evaluated on failure
//   returns         a VmemResult
//   fails           VMEM_ERROR_OUT_OF_MEMORY (the array is full), VMEM_ERROR_INVALID_ARGUMENT (it is released), or
//                   as vmem_commit()
//   threads         safe on different arrays
//   systems         as vmem_commit() and vmem_advise_huge_pages(), for few items
#define vmem_array_push(array, ...)                                                                          \
    ((array)->num_items < (array)->memory.num_ready || vmem_array_ensure((array), 1) == VMEM_SUCCESS         \
         ? ((array)->items[(array)->num_items] = __VA_ARGS__, vmem__array_count_pushed(&(array)->num_items)) \
         : vmem__array_get_result(&(array)->memory))

// Commit memory for more items. Pushing that many cannot fail then. Or write them after the last one, in one piece, and
// add their number to `num_items`; what is there reads zero, or as items that were popped or cleared.
//   num_more        how many
//   returns         a VmemResult
//   fails           as vmem_array_push()
//   threads         safe on different arrays
//   systems         as vmem_commit() and vmem_advise_huge_pages()
#define vmem_array_ensure(array, num_more) \
    vmem__array_ensure(&(array)->memory, (array)->num_items, (num_more), sizeof *(array)->items)

// Remove the last item.
//   returns         a pointer to it, which is valid until the next push or trim; NULL if there are no items
//   fails           never
//   threads         safe on different arrays
//   systems         all
#define vmem_array_pop(array) ((array)->num_items > 0 ? &(array)->items[--(array)->num_items] : NULL)

// Remove all items. Their memory stays committed, for the next ones.
//   fails           never
//   threads         safe on different arrays
//   systems         all
#define vmem_array_clear(array) ((void)((array)->num_items = 0))

// Return the memory after the last item to the system: all committed pages without a byte of an item.
//   returns         a VmemResult
//   fails           as vmem_decommit(). After VMEM_DECOMMIT_INCOMPLETE the array is trimmed too
//   threads         safe on different arrays
//   systems         as vmem_decommit()
#define vmem_array_trim(array) vmem__array_trim(&(array)->memory, (array)->num_items, sizeof *(array)->items)

// Release the memory and the addresses of an array. It is not an error if it is released already.
//   returns         a VmemResult
//   fails           as vmem_release()
//   threads         safe on different arrays
//   systems         as vmem_release()
#define vmem_array_release(array) vmem__array_release(&(array)->memory, &(array)->items, &(array)->num_items)

// What the macros call. `items` is the address of the pointer to the items.
VMEM_API VmemResult vmem__array_init(VmemArrayMemory* memory, void* items, size_t* num_items, size_t max_items,
                                     size_t item_size, size_t item_align);
VMEM_API VmemResult vmem__array_ensure(VmemArrayMemory* memory, size_t num_items, size_t num_more, size_t item_size);
VMEM_API VmemResult vmem__array_trim(VmemArrayMemory* memory, size_t num_items, size_t item_size);
VMEM_API VmemResult vmem__array_release(VmemArrayMemory* memory, void* items, size_t* num_items);

// These are functions, because compilers warn about the value of an expression that is not used.
static inline VmemResult vmem__array_count_pushed(size_t* num_items) {
    ++*num_items;
    return VMEM_SUCCESS;
}

static inline VmemResult vmem__array_get_result(const VmemArrayMemory* memory) { return memory->result; }

#ifdef __cplusplus
}
#endif

#endif  // VMEM_ARENA_H

#if (defined(VMEM_IMPLEMENTATION) || defined(VMEM_ARENA_IMPLEMENTATION)) && !defined(VMEM_ARENA_IMPLEMENTATION_DONE)
#define VMEM_ARENA_IMPLEMENTATION_DONE

#include <errno.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

// Memory is committed in steps of this size at least; they double up to the second, from which on pages are huge.
#define VMEM__ARENA_MIN_STEP ((size_t)64 << 10)
#define VMEM__ARENA_LARGE ((size_t)8 << 20)

// >>committing --------------------------------------------------------------------------------------------------------

// The offset of the first multiple of `align` at or after an offset; SIZE_MAX if there is none.
static size_t vmem__arena_align(const VmemArena* arena, size_t offset, size_t align) {
    uintptr_t base = (uintptr_t)arena->base, below = (uintptr_t)align - 1, address = base + offset;
    return address <= UINTPTR_MAX - below ? (size_t)(((address + below) & ~below) - base) : SIZE_MAX;
}

// Where the step ends that commits up to `end`, which is at most as far as the reservation goes.
static size_t vmem__arena_choose_end(const VmemArena* arena, size_t end, size_t huge_page_size) {
    size_t now = arena->num_committed, page_size = vmem_get_page_size();
    size_t limit = vmem__arena_align(arena, arena->max_bytes, page_size);
    size_t step = now < VMEM__ARENA_MIN_STEP ? VMEM__ARENA_MIN_STEP : now < VMEM__ARENA_LARGE ? now : VMEM__ARENA_LARGE;
    size_t ahead = step < limit - now ? now + step : limit;
    if (ahead < end) ahead = end;
    ahead = vmem__arena_align(arena, ahead, huge_page_size ? huge_page_size : page_size);
    return ahead < limit ? ahead : limit;
}

// Of what was committed since `start`. Refusals have no effect.
static void vmem__arena_advise(const VmemArena* arena, size_t start, size_t huge_page_size) {
    start = vmem__arena_align(arena, start, huge_page_size);
    if (start < arena->num_committed) vmem_advise_huge_pages(arena->base + start, arena->num_committed - start);
}

// Commits more, so that at least `end` bytes are.
static VmemResult vmem__arena_grow(VmemArena* arena, size_t end) {
    size_t now = arena->num_committed, needed = vmem__arena_align(arena, end, vmem_get_page_size());
    size_t huge_page_size = end >= VMEM__ARENA_LARGE ? vmem_get_huge_page_size() : 0;
    size_t ahead = vmem__arena_choose_end(arena, end, huge_page_size);
    int error = errno;
    VmemResult result = vmem_commit(arena->base + now, ahead - now);
    if (result != VMEM_SUCCESS && needed < ahead) {
        ahead = needed;
        result = vmem_commit(arena->base + now, ahead - now);
    }
    if (result != VMEM_SUCCESS) return result;
    arena->num_committed = ahead;
    if (huge_page_size) vmem__arena_advise(arena, now, huge_page_size);
    errno = error;
    return VMEM_SUCCESS;
}

// >>arena functions ---------------------------------------------------------------------------------------------------

static const VmemArena vmem__released_arena = {NULL, 0, 0, 0, 0};

static VmemResult vmem__arena_init_aligned(VmemArena* arena, size_t max_bytes, size_t align) {
    size_t page_size = vmem_get_page_size(), most = SIZE_MAX - (align < page_size ? page_size : align);
    bool can_reserve;
    int error;
    *arena = vmem__released_arena;
    if (max_bytes == 0 || max_bytes > most) return VMEM_ERROR_INVALID_ARGUMENT;
    arena->base = (char*)vmem_reserve_aligned(max_bytes, align);
    if (arena->base) {
        arena->max_bytes = max_bytes;
        return VMEM_SUCCESS;
    }
    error = errno;
    can_reserve = vmem_get_capabilities().can_reserve;
    errno = error;
    return can_reserve ? VMEM_ERROR_OUT_OF_MEMORY : VMEM_ERROR_UNSUPPORTED;
}

VMEM_API VmemResult vmem_arena_init(VmemArena* arena, size_t max_bytes) {
    return arena ? vmem__arena_init_aligned(arena, max_bytes, 1) : VMEM_ERROR_INVALID_ARGUMENT;
}

// Where an allocation begins; SIZE_MAX if it does not fit.
static size_t vmem__arena_find_place(const VmemArena* arena, size_t num_bytes, size_t align) {
    size_t start;
    if (!arena || !arena->base || align == 0 || (align & (align - 1)) != 0) return SIZE_MAX;
    start = vmem__arena_align(arena, arena->num_used, align);
    return start <= arena->max_bytes && num_bytes <= arena->max_bytes - start ? start : SIZE_MAX;
}

VMEM_API void* vmem_arena_alloc_dirty(VmemArena* arena, size_t num_bytes, size_t align) {
    size_t start = vmem__arena_find_place(arena, num_bytes, align), end;
    if (start == SIZE_MAX) return NULL;
    if (num_bytes == 0) return arena->base + start;
    end = start + num_bytes;
    if (end > arena->num_committed && vmem__arena_grow(arena, end) != VMEM_SUCCESS) return NULL;
    arena->num_used = end;
    if (arena->num_dirty < end) arena->num_dirty = end;
    return arena->base + start;
}

VMEM_API void* vmem_arena_alloc(VmemArena* arena, size_t num_bytes, size_t align) {
    size_t num_dirty = arena ? arena->num_dirty : 0, start, num_stale;
    char* bytes = (char*)vmem_arena_alloc_dirty(arena, num_bytes, align);
    if (!bytes) return NULL;
    start = (size_t)(bytes - arena->base);
    if (start < num_dirty) {
        num_stale = num_dirty - start;
        memset(bytes, 0, num_stale < num_bytes ? num_stale : num_bytes);
    }
    return bytes;
}

VMEM_API void* vmem_arena_alloc_items(VmemArena* arena, size_t num_items, size_t item_size, size_t align) {
    if (item_size != 0 && num_items > SIZE_MAX / item_size) return NULL;
    return vmem_arena_alloc(arena, num_items * item_size, align);
}

VMEM_API size_t vmem_arena_mark(const VmemArena* arena) { return arena ? arena->num_used : 0; }

VMEM_API VmemResult vmem_arena_rewind(VmemArena* arena, size_t mark) {
    if (!arena || mark > arena->num_used) return VMEM_ERROR_INVALID_ARGUMENT;
    arena->num_used = mark;
    return VMEM_SUCCESS;
}

VMEM_API VmemResult vmem_arena_trim(VmemArena* arena) {
    size_t kept;
    VmemResult result;
    if (!arena) return VMEM_ERROR_INVALID_ARGUMENT;
    kept = vmem__arena_align(arena, arena->num_used, vmem_get_page_size());
    if (!arena->base || kept >= arena->num_committed) return VMEM_SUCCESS;
    result = vmem_decommit(arena->base + kept, arena->num_committed - kept);
    if (result != VMEM_SUCCESS && result != VMEM_DECOMMIT_INCOMPLETE) return result;
    arena->num_committed = kept;
    if (arena->num_dirty > kept) arena->num_dirty = kept;
    return result;
}

VMEM_API VmemResult vmem_arena_release(VmemArena* arena) {
    VmemResult result;
    if (!arena) return VMEM_ERROR_INVALID_ARGUMENT;
    result = arena->base ? vmem_release(arena->base, arena->max_bytes) : VMEM_SUCCESS;
    if (result == VMEM_SUCCESS) *arena = vmem__released_arena;
    return result;
}

// >>array functions ---------------------------------------------------------------------------------------------------

// Copies the address, because a pointer to any type must not be accessed as a pointer to void.
static void vmem__array_set_items(void* items, const VmemArrayMemory* memory) {
    memcpy(items, &memory->arena.base, sizeof memory->arena.base);
}

VMEM_API VmemResult vmem__array_init(VmemArrayMemory* memory, void* items, size_t* num_items, size_t max_items,
                                     size_t item_size, size_t item_align) {
    bool fits = item_size != 0 && max_items <= SIZE_MAX / item_size;
    VmemResult result = vmem__arena_init_aligned(&memory->arena, fits ? max_items * item_size : 0, item_align);
    memory->num_ready = *num_items = 0;
    memory->result = result;
    vmem__array_set_items(items, memory);
    return result;
}

VMEM_API VmemResult vmem__array_ensure(VmemArrayMemory* memory, size_t num_items, size_t num_more, size_t item_size) {
    VmemArena* arena = &memory->arena;
    size_t max_items = arena->base ? arena->max_bytes / item_size : 0, end;
    memory->result = arena->base ? VMEM_ERROR_OUT_OF_MEMORY : VMEM_ERROR_INVALID_ARGUMENT;
    if (!arena->base || num_items > max_items || num_more > max_items - num_items) return memory->result;
    end = (num_items + num_more) * item_size;
    memory->result = end > arena->num_committed ? vmem__arena_grow(arena, end) : VMEM_SUCCESS;
    memory->num_ready = arena->num_committed < arena->max_bytes ? arena->num_committed / item_size : max_items;
    return memory->result;
}

VMEM_API VmemResult vmem__array_trim(VmemArrayMemory* memory, size_t num_items, size_t item_size) {
    VmemArena* arena = &memory->arena;
    VmemResult result;
    if (num_items > memory->num_ready) return VMEM_ERROR_INVALID_ARGUMENT;
    if (!arena->base) return VMEM_SUCCESS;
    arena->num_used = num_items * item_size;
    result = vmem_arena_trim(arena);
    if (memory->num_ready > arena->num_committed / item_size) memory->num_ready = arena->num_committed / item_size;
    return result;
}

VMEM_API VmemResult vmem__array_release(VmemArrayMemory* memory, void* items, size_t* num_items) {
    VmemResult result = vmem_arena_release(&memory->arena);
    if (result != VMEM_SUCCESS) return result;
    memory->num_ready = *num_items = 0;
    vmem__array_set_items(items, memory);
    return result;
}

#ifdef __cplusplus
}
#endif

#endif  // VMEM_ARENA_IMPLEMENTATION
