"""What flush() costs: after each 2 KiB that is appended, and after each MiB."""

import tempfile
import time
from pathlib import Path

import numpy as np

import vmem

BLOCK = np.ones(256)  # 2 KiB


def measure(path: Path, num_blocks: int, flush_every: int, durable: bool) -> float:
    """Appends blocks, and returns the microseconds that each has taken."""
    with vmem.open_array(path, "d", mode="x") as samples:
        start = time.perf_counter()
        for number in range(1, num_blocks + 1):
            samples.extend(BLOCK)
            if number % flush_every == 0:
                samples.flush(durable=durable)
        seconds = time.perf_counter() - start
        assert len(samples) == num_blocks * len(BLOCK)
    assert path.stat().st_size == 128 + num_blocks * BLOCK.nbytes
    return seconds / num_blocks * 1e6


with tempfile.TemporaryDirectory() as folder:
    for number, (what, num_blocks, flush_every, durable) in enumerate(
        [
            ("no flush()", 4096, 8192, False),
            ("flush(durable=False) after each", 4096, 1, False),
            ("flush() after each MiB", 4096, 512, True),
            ("flush() after each", 64, 1, True),
        ]
    ):
        path = Path(folder, f"{number}.npy")
        taken = measure(path, num_blocks, flush_every, durable)
        print(f"append 2 KiB, {what:32} {taken:10.1f} us")
