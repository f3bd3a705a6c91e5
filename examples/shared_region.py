"""A picture that several processes draw together, into one shared region."""

import multiprocessing

import numpy as np
import numpy.typing as npt

import vmem

WIDTH, HEIGHT = 640, 480
BAND = HEIGHT // 4  # how many lines each process draws


def show(region: vmem.Region, first: int, num_lines: int) -> npt.NDArray[np.uint8]:
    """An array over some lines. A process commits what it accesses."""
    region.commit(first * WIDTH, num_lines * WIDTH)
    lines = np.frombuffer(region.view(first * WIDTH, num_lines * WIDTH), np.uint8)
    return lines.reshape(num_lines, WIDTH)


def draw(picture: vmem.Region, first: int) -> None:
    """Runs in a process of its own: draws its lines of a ball."""
    y, x = np.mgrid[first : first + BAND, 0:WIDTH]
    distance = (x - (WIDTH - 1) / 2) ** 2 + (y - (HEIGHT - 1) / 2) ** 2
    height = np.maximum(1 - distance / (HEIGHT / 2) ** 2, 0)
    show(picture, first, BAND)[:] = 255 * np.sqrt(height)


def main() -> None:
    picture = vmem.reserve(WIDTH * HEIGHT, shared=True, name="picture")
    context = multiprocessing.get_context("spawn")  # forks do not copy NumPy's threads
    painters = [
        context.Process(target=draw, args=(picture, first))
        for first in range(0, HEIGHT, BAND)
    ]
    for each in painters:
        each.start()
    for each in painters:
        each.join()
        assert each.exitcode == 0

    # Nothing is committed here yet. Committing shows what the others have written.
    assert picture.committed == 0
    pixels = show(picture, 0, HEIGHT)
    assert pixels[HEIGHT // 2, WIDTH // 2] > 250
    assert (pixels == pixels[::-1, ::-1]).all()
    for line in pixels[:: HEIGHT // 12, :: WIDTH // 40]:
        print("".join(" .:-=+*#%@"[level // 26] for level in line))


if __name__ == "__main__":  # the other processes import this program
    main()
