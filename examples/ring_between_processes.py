"""One process writes, and others look at the newest numbers without asking it."""

import multiprocessing
from multiprocessing.synchronize import Barrier

import numpy as np

import vmem

WINDOW = 1024


def watch(
    ring: "vmem.Ring[int]",
    ready: Barrier,
    results: "multiprocessing.Queue[tuple[int, int]]",
) -> None:
    """Looks at windows until it has seen the end. The ring is a reader here."""
    assert ring.readonly
    ready.wait()
    num_valid = num_overtaken = 0
    last = 0
    while last >= 0:
        start = ring.total - WINDOW
        if start < 0:
            continue
        try:
            window = np.asarray(ring.window(start, WINDOW))
        except IndexError:  # overwritten before it was shown
            continue
        copied = window.copy()
        if ring.oldest > start:  # overwritten while it was read
            num_overtaken += 1
            continue
        last = int(copied[-1])
        assert last < 0 or (np.diff(copied) == 1).all()  # a window is never a mixture
        num_valid += 1
    results.put((num_valid, num_overtaken))


def main() -> None:
    ring = vmem.Ring("q", 4 * WINDOW, shared=True)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[int, int]] = context.Queue()
    ready = context.Barrier(3)
    arguments = ring, ready, results
    watchers = [context.Process(target=watch, args=arguments) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    ready.wait()
    for number in range(0, 2_000_000, 64):
        ring.extend(np.arange(number, number + 64))
    ring.extend([-1] * WINDOW)
    counts = [results.get() for _ in watchers]
    for watcher in watchers:
        watcher.join()
        assert watcher.exitcode == 0
    assert all(num_valid > 0 for num_valid, _ in counts)
    num_valid = sum(num_valid for num_valid, _ in counts)
    print(f"{ring.total:,} numbers, {num_valid:,} windows in {len(watchers)} processes")


if __name__ == "__main__":
    main()
