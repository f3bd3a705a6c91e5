"""Keeps the last ten seconds of eight channels of audio, and follows their spectrum."""

import numpy as np
import numpy.typing as npt

import vmem

Samples = npt.NDArray[np.float32]

RATE = 48_000  # frames a second
CHANNELS = 8
BLOCK = 256  # frames that the audio device gives at a time
WINDOW, HOP = 4096, 256  # frames of a spectrum, and from one to the next
TONE = 1500.0  # Hz


class Recorder:
    """What the audio device calls: it copies a block of frames and returns."""

    def __init__(self) -> None:
        # All of its memory is there from the beginning: no page fault in the callback.
        self.ring = vmem.Ring[tuple[float, ...]](
            "f", 10 * RATE, row_shape=(CHANNELS,), prefault=True
        )

    def callback(self, block: Samples) -> None:
        self.ring.extend(block)


class Spectrum:
    """Follows the recorder, one window after the other."""

    def __init__(self, ring: "vmem.Ring[tuple[float, ...]]") -> None:
        self.ring = ring
        self.next = ring.total
        self.num_lost = 0
        self.shape = np.hanning(WINDOW).astype(np.float32)[:, np.newaxis]
        self.windowed = np.empty((WINDOW, CHANNELS), np.float32)
        self.loudest = np.zeros(CHANNELS)

    def update(self) -> int:
        """Analyses all windows that are complete, and returns their number."""
        num_done = 0
        while self.ring.total - self.next >= WINDOW:
            start, self.next = self.next, self.next + HOP
            if (
                start < self.ring.oldest
            ):  # it was too slow, and goes on with what is still there
                self.num_lost += 1
                self.next = self.ring.oldest
                continue
            frames = np.asarray(
                self.ring.window(start, WINDOW)
            )  # contiguous, and not a copy
            np.multiply(frames, self.shape, out=self.windowed)
            if self.ring.oldest > start:  # overwritten while it was read
                self.num_lost += 1
                continue
            powers = np.abs(np.fft.rfft(self.windowed, axis=0))
            self.loudest = powers.argmax(axis=0) * RATE / WINDOW
            num_done += 1
        return num_done


def play(position: int) -> Samples:
    """A tone, louder from channel to channel."""
    time = np.arange(position, position + BLOCK) / RATE
    return (
        np.sin(2 * np.pi * TONE * time)[:, np.newaxis] * np.linspace(0.1, 1, CHANNELS)
    ).astype(np.float32)


def main() -> None:
    recorder = Recorder()
    spectrum = Spectrum(recorder.ring)
    num_windows = 0
    for block in range(
        12 * RATE // BLOCK
    ):  # twelve seconds, of which the first two are overwritten
        recorder.callback(play(block * BLOCK))
        num_windows += spectrum.update()
    assert spectrum.num_lost == 0
    assert num_windows == (recorder.ring.total - WINDOW) // HOP + 1
    assert np.allclose(spectrum.loudest, TONE, atol=RATE / WINDOW)

    # The last ten seconds as one array, which is not a copy.
    last = np.asarray(recorder.ring)
    assert last.shape == (10 * RATE, CHANNELS)
    assert last.flags.c_contiguous
    print(f"{num_windows} spectra, {last.nbytes >> 20} MiB, {len(last) / RATE:.0f} s")


main()
