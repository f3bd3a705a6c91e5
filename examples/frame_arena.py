"""Particles whose temporary arrays live for one frame and are freed together."""

import numpy as np
import numpy.typing as npt

import vmem

Vectors = npt.NDArray[np.float64]

NUM_PARTICLES = 20_000
NUM_FRAMES = 60
SECONDS = 1 / 60


def make_vectors(arena: vmem.Arena) -> Vectors:
    """One vector per particle, in the arena's next bytes, which are not zeroed."""
    memory = arena.alloc(NUM_PARTICLES * 3 * 8, align=64, zero=False)
    return np.frombuffer(memory, dtype=np.float64).reshape(NUM_PARTICLES, 3)


def move(arena: vmem.Arena, positions: Vectors, speeds: Vectors) -> None:
    """One frame. Its arrays are deleted when it returns, so no view stays alive."""
    pull, change = make_vectors(arena), make_vectors(arena)
    np.negative(positions, out=pull)
    np.multiply(pull, SECONDS, out=change)
    np.add(speeds, change, out=speeds)
    np.multiply(speeds, SECONDS, out=change)
    np.add(positions, change, out=positions)


def main() -> None:
    arena = vmem.Arena(1 << 30)
    # Allocated before the scopes, so that they outlive them.
    positions, speeds = make_vectors(arena), make_vectors(arena)
    positions[:], speeds[:] = 1.0, 0.0

    kept = arena.used
    with arena.scope():
        move(arena, positions, speeds)
    committed = arena.committed
    for _ in range(NUM_FRAMES - 1):
        with arena.scope():
            move(arena, positions, speeds)
        assert arena.used == kept

    assert arena.committed == committed  # all frames reuse the memory of the first
    assert np.allclose(positions, np.cos(1.0), atol=0.01)  # one second of oscillation
    print(f"{NUM_FRAMES} frames in {committed >> 10} KiB")


main()
