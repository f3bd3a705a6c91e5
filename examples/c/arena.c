// An arena per frame of a game or per request of a server: what a frame allocates is freed together, by rewinding to where
// the frame began. The memory stays for the next frame, and a frame that was larger than usual is trimmed off.
#include <stdio.h>

#define VMEM_IMPLEMENTATION
#include "vmem_arena.h"

#define NUM_FRAMES 1000
#define USUAL_BYTES ((size_t)4 << 20)

typedef struct Particle {
    float x, y;
    struct Particle* next;
} Particle;

static int fail(const char* action, VmemResult result) {
    fprintf(stderr, "cannot %s: %s\n", action, vmem_result_message(result));
    return 1;
}

// Lists particles in the arena, the newest first. NULL if there is no memory.
static const Particle* make_particles(VmemArena* arena, size_t count) {
    Particle* newest = NULL;
    while (count > 0) {
        Particle* particle = VMEM_ARENA_NEW(arena, Particle, 1);  // zeroed
        if (!particle) return NULL;
        particle->x = (float)count--;
        particle->next = newest;
        newest = particle;
    }
    return newest;
}

static size_t count_particles(const Particle* particle) {
    size_t count = 0;
    for (; particle; particle = particle->next) count += particle->y >= 0 && particle->y <= 0;
    return count;
}

int main(void) {
    VmemArena arena;
    size_t frame, start, num_wrong = 0;
    const char* settings;
    VmemResult result = vmem_arena_init(&arena, (size_t)256 << 20);
    if (result != VMEM_SUCCESS) return fail("reserve", result);

    settings = (const char*)vmem_arena_alloc(&arena, 1000, 1);  // lives as long as the arena
    if (!settings) return fail("allocate", VMEM_ERROR_OUT_OF_MEMORY);
    start = vmem_arena_mark(&arena);

    for (frame = 0; frame < NUM_FRAMES; frame++) {
        size_t count = frame == 500 ? 1000000 : 1000 + frame;
        float* depths = (float*)vmem_arena_alloc(&arena, count * sizeof(float), 64);  // aligned to a cache line
        const Particle* particles = make_particles(&arena, count);
        if (!depths || !particles) return fail("allocate", VMEM_ERROR_OUT_OF_MEMORY);
        num_wrong += count_particles(particles) != count || depths[count - 1] > 0;
        depths[count - 1] = 1;

        result = vmem_arena_rewind(&arena, start);
        if (result != VMEM_SUCCESS) return fail("rewind", result);
        if (arena.num_committed > USUAL_BYTES && vmem_arena_trim(&arena) != VMEM_SUCCESS) num_wrong++;
    }
    printf("%zu frames, %zu wrong\n", frame, num_wrong);
    printf("%zu KiB are committed at the end\n", arena.num_committed >> 10);
    num_wrong += settings[999] != 0;

    result = vmem_arena_release(&arena);
    if (result != VMEM_SUCCESS) return fail("release", result);
    return num_wrong == 0 ? 0 : 1;
}
