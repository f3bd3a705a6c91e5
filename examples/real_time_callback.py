"""A callback that causes no page fault, and one that does."""

import gc
import sys
from array import array

import vmem

RATE, BLOCK = 192_000, 256  # samples a second, and in a block

ring = vmem.Ring("f", RATE, prefault=True)  # a second, of which every page is resident
block = array("f", bytes(4 * BLOCK))


def callback() -> None:
    """What the audio device calls: a memcpy, without a page fault or a system call."""
    ring.extend(block)


callback()
assert ring.total == BLOCK


def lock_if_allowed(region: vmem.Region) -> bool:
    """Locks what is committed, as far as the process may (ulimit -l)."""
    try:
        region.lock(0, region.committed)
    except vmem.OutOfMemoryError as error:
        print("not locked:", error)
        return False
    return True


def count_faults(target: "vmem.Ring[float]") -> int:
    """How many page faults it takes to write a ring from start to end."""
    import resource  # not on Windows

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(RATE // BLOCK):
        target.extend(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def main() -> None:
    gc.collect()
    gc.freeze()  # what exists by now is not looked at by collections in a callback

    # Memory of other shapes: commit, prefault and lock before the first callback.
    with vmem.reserve(1 << 24) as region:
        region.commit(0, 1 << 16, prefault=True)
        is_locked = lock_if_allowed(region)
        assert region.resident() >= 1 << 16
        print("locked" if is_locked else "resident, but it can be swapped out")

    if sys.platform == "linux":
        num_faults, num_usual = count_faults(ring), count_faults(vmem.Ring("f", RATE))
        assert num_faults * 4 < num_usual
        print(f"page faults for a second: {num_faults}, without prefault: {num_usual}")


main()
