"""Records everything in an array that grows and never moves, from a ring."""

import array
import threading

import vmem

BLOCK = 64
NUM_BLOCKS = 20_000


class Recording:
    """All samples of a ring, which must be fetched before they are overwritten."""

    def __init__(self, ring: "vmem.Ring[float]") -> None:
        self.ring = ring
        self.samples = vmem.Array(
            "f", capacity=1 << 26
        )  # addresses for 256 MiB; memory as it grows
        self.num_lost = 0

    def fetch(self) -> None:
        """Appends what came since the last call."""
        start, end = self.num_lost + len(self.samples), self.ring.total
        if start < self.ring.oldest:
            self.num_lost += self.ring.oldest - start
            start = self.ring.oldest
        if start == end:
            return
        before = len(self.samples)
        try:
            self.samples.extend(self.ring.window(start, end - start))
        except (
            IndexError
        ):  # overtaken between the two lines above: the next call counts what was lost
            return
        if self.ring.oldest > start:  # overtaken while it was copied
            del self.samples[before:]
            self.num_lost += end - start


def main() -> None:
    ring = vmem.Ring("f", 1 << 16)
    recording = Recording(ring)
    ended = threading.Event()
    turn = threading.Semaphore(
        100
    )  # a device has the pace of a clock; this one waits for the recording

    def produce() -> None:
        for number in range(NUM_BLOCKS):
            turn.acquire()
            ring.extend(array.array("f", [number] * BLOCK))
        ended.set()

    device = threading.Thread(target=produce)
    device.start()
    early = None
    while not ended.wait(0.001):
        before = len(recording.samples)
        recording.fetch()
        for _ in range((len(recording.samples) - before) // BLOCK):
            turn.release()
        if early is None and recording.samples:
            early = memoryview(recording.samples)
    recording.fetch()
    device.join()

    assert recording.num_lost == 0
    assert len(recording.samples) == ring.total == NUM_BLOCKS * BLOCK
    firsts = recording.samples[:: 100 * BLOCK].tolist()
    assert firsts == [float(number) for number in range(0, NUM_BLOCKS, 100)]
    assert early is not None
    assert early[0] == 0.0  # an early view is valid still: the array has never moved
    assert ring.latest(BLOCK).tolist() == [NUM_BLOCKS - 1.0] * BLOCK
    print(
        f"{len(recording.samples):,} samples, the last {len(ring):,} also in the ring"
    )


main()
