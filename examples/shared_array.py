"""One process records into an array, and another one plots it while it grows."""

import math
import multiprocessing
import time

import vmem

BLOCK = 250  # how many samples are recorded at a time
COLUMNS, ROWS, STEP = 72, 9, 40  # of a picture; each column stands for STEP samples
SHOWN = COLUMNS * STEP


def measure(first: int) -> list[float]:
    """The next samples. A real program would get them from a device."""
    return [math.sin(n / 300) * math.cos(n / 4100) for n in range(first, first + BLOCK)]


def draw(newest: vmem.Array[float]) -> None:
    rows = [round((1 - sample) / 2 * (ROWS - 1)) for sample in newest[::STEP]]
    for row in range(ROWS):
        print("".join("*" if row == each else " " for each in rows).rstrip())


def plot(samples: vmem.Array[float], num_pictures: int) -> None:
    """Runs in a process of its own, where the same memory is read-only."""
    assert samples.readonly
    for number in range(1, num_pictures + 1):
        while len(samples) < number * SHOWN:  # it grows without being sent again
            time.sleep(0.01)
        newest = samples[-SHOWN:]  # a copy; memoryview(samples) would not be one
        draw(newest)
        print(f"{len(samples)} samples, the newest is {newest[-1]:.3f}", flush=True)
    with memoryview(samples) as view:
        assert view[:BLOCK].tolist() == measure(0)
    try:
        samples.append(0.0)
    except TypeError as error:
        print("refused:", error, flush=True)


def main() -> None:
    samples = vmem.Array("d", shared=True)
    plotter = multiprocessing.Process(target=plot, args=(samples, 3))
    plotter.start()
    while plotter.exitcode is None:  # until the other process ends
        samples.extend(measure(len(samples)))
        plotter.join(0.002)
    assert plotter.exitcode == 0
    assert len(samples) >= 3 * SHOWN
    print("recorded", len(samples), "samples")


if __name__ == "__main__":  # the other process may import this program
    main()
