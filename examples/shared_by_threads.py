"""Threads that fill separate parts of one region, then decommit half of them."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import vmem

PART = 4 << 20
NUM_PARTS = 8


def fill(region: vmem.Region, number: int) -> str:
    """Fills a part with its number and returns the digest of its contents."""
    start = number * PART
    region.commit(start, PART)
    region[start : start + PART] = bytes([number]) * PART
    with region.view(start, PART) as view:
        return hashlib.sha256(view).hexdigest()


with vmem.reserve(1 << 30) as region, ThreadPoolExecutor(4) as threads:
    numbers = range(NUM_PARTS)
    written = list(threads.map(lambda number: fill(region, number), numbers))
    assert written == [hashlib.sha256(bytes([n]) * PART).hexdigest() for n in numbers]

    dropped = numbers[::2]
    list(threads.map(lambda number: region.decommit(number * PART, PART), dropped))
    assert region.committed == (NUM_PARTS - len(dropped)) * PART
    assert all(region[number * PART] == number for number in numbers[1::2])
print(NUM_PARTS, "parts, all correct")
